/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the binding checks. */
#include "config.h"

#include "core/checks/binding.h"

const struct mp_check mp_checks_binding[] = {
	{ "vfio-modules", MP_SCOPE_HOST, "every installed kernel has the modules of VFIO",
		"Passthrough needs vfio, vfio_iommu_type1 and vfio_pci, loadable or built in. Small "
		"kernels (cloud images, home-made ones) lack them.\n\n"
		"Read from modules.dep and modules.builtin of every kernel below /lib/modules, not only "
		"of the running one: the next boot may take another. A line `install vfio-pci "
		"/bin/false` in modprobe.d counts as missing.\n\n"
		"What to do: boot the distribution's normal kernel.",
		mp_check_vfio_modules },
	{ "vfio-virqfd-stale", MP_SCOPE_HOST,
		"nothing asks for the removed module vfio_virqfd",
		"Older guides say to load vfio_virqfd. Since Linux 6.2 it is a part of vfio and no "
		"module any more: systemd-modules-load then fails at each boot, and named in "
		"/etc/initramfs-tools/modules it has left hosts stuck in the initramfs.\n\n"
		"Looked for in /etc/modules, modules-load.d and /etc/initramfs-tools/modules, and "
		"compared with the modules of every installed kernel.\n\n"
		"What to do: remove the line, then update-initramfs -u -k all.",
		mp_check_vfio_virqfd_stale },
	{ "binding-config", MP_SCOPE_DEVICE,
		"at boot the configuration gives the device to vfio-pci",
		"At boot udev loads every module that wants the device. Whether vfio-pci gets it is "
		"simulated for the kernel of the next boot (the one pinned by proxmox-boot-tool or named "
		"by GRUB_DEFAULT, else the newest installed): `options vfio-pci ids=` of modprobe.d (read "
		"as drivers/vfio/pci/vfio_pci.c reads it; of several ids= the last replaces the others), "
		"vfio-pci.ids= of the next command line, softdep, blacklist and install lines, "
		"driverctl's files and udev rules that set driver_override.\n\n"
		"Not read is modules.builtin.modinfo: that a driver which is built into the kernel wants "
		"the device shows only where it is bound now, or where the profile names it. Nothing in "
		"modprobe.d keeps such a driver away.\n\n"
		"Proxmox binds at the VM's start by itself, so no configuration is fine for most "
		"devices. It is not for a card whose driver leaves DMA addresses in it: there the host's "
		"driver must never come first. A vfio-pci that is built into the kernel does not read "
		"modprobe.d at all. And ids= takes every device of that id, the host's own too: that "
		"fails.\n\n"
		"What to do: options and softdep in one file of /etc/modprobe.d, then update-initramfs "
		"-u -k all; with two devices of one id bind by address.",
		mp_check_binding_config },
	{ "binding-effective", MP_SCOPE_DEVICE, "vfio-pci has the device now",
		"The driver link in sysfs tells who has the device now; driver_override tells who alone "
		"may have it. Compared with what the configuration would do: a driver that has the "
		"device in spite of it shows a configuration that is not in effect yet.\n\n"
		"A driver_override to something else than vfio-pci stops Proxmox too: its write to "
		"new_id and bind cannot pass it (pci_match_device() in drivers/pci/pci-driver.c). The kernel answers what "
		"driver_override is only while no driver's bind or unbind is under way: where one hangs, "
		"it is unknown.\n\n"
		"What to do: rebuild the initramfs and reboot, or bind by hand as shown.",
		mp_check_binding_effective },
	{ "binding-early", MP_SCOPE_DEVICE, "vfio-pci comes before the host's driver",
		"ids= alone decides nothing: vfio-pci must also be loaded before the driver that wants "
		"the device. A `softdep DRIVER pre: vfio-pci` does that, a blacklist or driver_override "
		"keeps the other away. vfio-pci in /etc/modules is a race against udev.\n\n"
		"What to do: one softdep line for each host module, then update-initramfs -u -k all.",
		mp_check_binding_early },
	{ "initramfs-binding", MP_SCOPE_DEVICE,
		"no initramfs image lets the host's driver in first",
		"If the host's driver is in the initramfs (disk, network and graphics drivers are), it "
		"binds there, before the root file system and its modprobe.d are seen: the image needs "
		"vfio-pci and the same modprobe.d lines. If the driver is not in the image, the image "
		"needs nothing. An image that loads vfio-pci with older options is a trap of its own: "
		"the module is not loaded again later.\n\n"
		"Each installed kernel's /boot/initrd.img-RELEASE is unpacked in memory (by zstd, gzip, "
		"xz, lz4, lzop or bzip2) and its modules, modprobe.d and conf/modules are read. A boot "
		"script in it that sets driver_override is trusted.\n\n"
		"What to do: update-initramfs -u -k all, not only -u, which rebuilds one kernel's.",
		mp_check_initramfs_binding },
	{ "host-driver-taint", MP_SCOPE_DEVICE,
		"the host's driver never had the card since power-on",
		"For cards whose driver copies DMA and interrupt addresses into device registers "
		"(profile: interrupts delivered by the device itself). What the host's driver wrote "
		"stays there across the hand-over, and often across a warm reboot: the card then writes "
		"to addresses that mean something else in the VM, or nothing. This fits the faults of "
		"the first report (DMA write fault 0x05 together with INTR-REMAP fault 0x22).\n\n"
		"Looked at: the driver bound now, /proc/modules, and the kernel's log for lines of the "
		"driver about this card. A log that does not go back to the start proves nothing, and "
		"then the answer is unknown.\n\n"
		"What to do: keep the host's driver away, then power off and on.",
		mp_check_host_driver_taint },
	{ NULL },
};
