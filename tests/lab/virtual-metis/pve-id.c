/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option -id of Proxmox VE's QEMU ("-id 101"), which no other QEMU has: the number of the VM, on the
 * command line for whoever looks at it in /proc. It is taken out before QEMU reads the rest. Linked
 * with --wrap=qemu_init (build/qemu-link).
 */
#include <string.h>

void __real_qemu_init(int argc, char **argv);
void __wrap_qemu_init(int argc, char **argv);

void __wrap_qemu_init(int argc, char **argv)
{
	/* A copy: argv itself is what /proc shows, but only of the array; its strings stay. */
	static char *rest[4096];
	int count = 0;

	for (int i = 0; i < argc && count < 4095; i++) {
		if (i > 0 && i + 1 < argc && !strcmp(argv[i], "-id"))
			i++;
		else
			rest[count++] = argv[i];
	}
	__real_qemu_init(count, rest);
}
