/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log MIB FAULTS: a log of MIB mebibytes as rsyslog writes it, to standard output: ordinary lines of
 * a node, and FAULTS fault lines spread evenly, half of them blocked transfers to 64 addresses and
 * half blocked interrupts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const lines[] = {
	"systemd[1]: Started Session 1234 of user root.",
	"pvestatd[1422]: status update time (8.123 seconds)",
	"kernel: [12345.123456] usb 1-4: new high-speed USB device number 5 using xhci_hcd",
	"sshd[2211]: Accepted publickey for root from 10.0.0.5 port 51234 ssh2: RSA SHA256:abcdef",
	"kernel: [12346.000001] vmbr0: port 2(tap101i0) entered forwarding state",
	"kernel: audit: type=1400 audit(1746612345.123:45): apparmor=\"STATUS\" profile=\"unconfined\" "
	"name=\"lxc-101\" pid=1234 comm=\"apparmor_parser\"",
	"CRON[22334]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
	"postfix/qmgr[1010]: 1A2B3C4D5E: from=<root@node1>, size=1234, nrcpt=1 (queue active)",
	"pvedaemon[1500]: <root@pam> successful auth for user 'root@pam'",
	"kernel: [12347.100000] EXT4-fs (dm-6): mounted filesystem with ordered data mode.",
};

int main(int argc, char **argv)
{
	uint64_t size, faults, written = 0, fault = 0, seed = 1;

	if (argc != 3)
		return 2;
	size = strtoull(argv[1], NULL, 10) << 20;
	faults = strtoull(argv[2], NULL, 10);
	while (written < size) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		written += (uint64_t)printf("Nov 22 %02u:%02u:%02u node1 %s\n",
			(unsigned)(seed >> 60), (unsigned)(seed >> 40) % 60,
			(unsigned)(seed >> 33) % 60,
			lines[(seed >> 48) % (sizeof(lines) / sizeof(*lines))]);
		if (fault >= faults || written < fault * (size / faults))
			continue;
		written +=
			(uint64_t)(fault % 2
					   ? printf("Nov 22 10:11:12 node1 kernel: DMAR: [INTR-REMAP] Request "
						    "device [86:00.0] fault index 0x28 [fault reason 0x22] Present "
						    "field in the IRTE entry is clear\n")
					   : printf("Nov 22 10:11:12 node1 kernel: DMAR: [DMA Write NO_PASID] "
						    "Request device [86:00.0] fault addr 0x%" PRIx64
						    " [fault reason 0x05] PTE Write access is not set\n",
						     UINT64_C(0x149800000) +
							     fault % 64 * 4096));
		fault++;
	}
	return ferror(stdout) != 0;
}
