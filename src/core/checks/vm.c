/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the checks of a VM; the checks are in vm-config.c, vm-device.c,
 * vm-mapping.c and vm-machine.c. */
#include "config.h"

#include "core/checks/vm-common.h"

const struct mp_check mp_checks_vm[] = {
	{ "vm-config-valid", MP_SCOPE_VM,
		"Proxmox VE takes every line of the VM's configuration",
		"Proxmox VE reads a VM's configuration leniently: a line that it cannot parse is "
		"dropped with a warning in the system log, and the VM starts without it. A "
		"typo in a hostpci line is a VM without its card; a bad machine line is a VM "
		"on the default chipset. At the next change by the GUI or `qm set` the dropped "
		"lines are deleted from the file.\n\n"
		"The file is parsed by the rules of PVE::QemuServer::parse_vm_config and the "
		"formats of qemu-server 8 and 9 (hostpci: lower-case hex, no spaces, no key "
		"twice, index 0 to 15; driver= from 9.0.25, aw-bits= from 9.0.21). Disks, "
		"network cards and other settings that have nothing to do with a passed device "
		"are only checked by name. Fails where a dropped line decides about the "
		"device, warns for others and for unknown sections.\n\n"
		"What to do: set the value with `qm set`, which is strict and refuses what it "
		"cannot parse, instead of editing the file.",
		mp_check_vm_config_valid },
	{ "vm-machine", MP_SCOPE_VM, "the VM's machine type fits the devices it gets",
		"pcie=1 and an Intel vIOMMU need the q35 machine: Proxmox VE refuses to start "
		"the VM otherwise, though it takes the setting. On the default machine (pc, "
		"i440fx) a PCI Express card appears as a plain PCI card: its extended "
		"configuration space is missing, which some drivers need, and its link state "
		"cannot be seen.\n\n"
		"Read from `machine:`, with the rules of PVE::QemuServer::Machine "
		"(assert_valid_machine_property) and parse_hostpci_devices.\n\n"
		"What to do: `qm set VMID --machine q35`. An installed guest may see its "
		"network card under another name afterwards.",
		mp_check_vm_machine },
	{ "vm-hostpci", MP_SCOPE_VM,
		"the VM's hostpci lines name the wanted devices, rightly",
		"What a hostpci line means is only found out when the VM starts: that the "
		"device exists, that host= and mapping= are not both there, that no device is "
		"named twice. Other things are never told: a missing pcie=1, a function of the "
		"card that was left out, two cards joined into one multifunction device, "
		"driver=keep, a line that was dropped.\n\n"
		"Each line in effect is resolved on this host as PVE::QemuServer::PCI does "
		"(an address without a function is all functions, without a domain domain "
		"0000; a mapping is its entries for this node), and compared with the devices "
		"that were asked about.\n\n"
		"What to do: `qm set VMID --hostpci0 0000:BB:DD.F,pcie=1`, one hostpciN for "
		"each card.",
		mp_check_vm_hostpci },
	{ "vm-device-conflict", MP_SCOPE_VM, "no other VM has a device of this VM",
		"Two VMs can name the same device; only one can run. Proxmox VE finds out when "
		"the second starts, after its hookscript has run. A hookscript that resets the "
		"card at that moment kills the first VM.\n\n"
		"Compared are the hostpci lines of all VMs of this node, PVE's reservations "
		"(/run/qemu-server/pci-id-reservations, with a process that lives) and, on the "
		"live host, who holds the VFIO group open, also outside Proxmox VE. It fails "
		"for a VM that runs, warns for one that starts with the host (onboot: 1), and "
		"only informs of one that is stopped. Mappings with several devices are no "
		"conflict: PVE takes a free one.",
		mp_check_vm_device_conflict },
	{ "vm-mapping", MP_SCOPE_VM, "the VM's resource mappings describe this hardware",
		"A mapping (Datacenter > Resource Mappings, /etc/pve/mapping/pci.cfg) is not "
		"checked when it is written, only when a VM starts: path, id, subsystem-id and "
		"iommugroup are compared as text with sysfs. What the hardware has must be in "
		"the mapping and the other way round, so subsystem-id and iommugroup are "
		"required in effect, upper-case hex never fits, and a kernel or firmware that "
		"numbers IOMMU groups differently makes the VM unstartable (\"hardware "
		"probably changed\"). One line that cannot be parsed drops the whole "
		"mapping.\n\n"
		"The same comparison is made here (PVE::Mapping::PCI::assert_valid, the "
		"iommugroup for the first path only). Whether the device offers mediated "
		"devices (mdev) is not compared.\n\n"
		"What to do: the remedy has the corrected command for all nodes' entries. "
		"Check with `pvesh get /cluster/mapping/pci --check-node NODE`.",
		mp_check_vm_mapping },
	{ "vm-memory", MP_SCOPE_VM, "the VM's memory settings suit a passed device",
		"VFIO maps all of the guest's RAM for the card and pins it: it is taken from "
		"the host at once and for good. A balloon gets nothing back, RAM that is "
		"unplugged is unmapped under the card (its DMA faults), hugepages and memory "
		"hotplug need numa: 1 or the VM does not start "
		"(PVE::QemuServer::Memory).\n\n"
		"The evidence shows where the guest has RAM, by QEMU's rules for the chipset: "
		"an address in a DMA fault means something only against that map. A VM of 4096 "
		"MiB on i440fx has RAM up to 0x13fffffff, on q35 up to 0x17fffffff.\n\n"
		"What to do: balloon: 0, no memory hotplug, numa: 1 with hugepages, and no more "
		"memory than the host can spare.",
		mp_check_vm_memory },
	{ "vm-viommu", MP_SCOPE_VM,
		"the VM has no virtual IOMMU that its card suffers from",
		"A virtual IOMMU is for passing devices on inside the guest and for user-space "
		"drivers there; passing a device to the guest needs none. With an Intel vIOMMU "
		"the guest remaps interrupts: it grants a card several MSI vectors, and it "
		"composes messages that hold handles of its own table. For ordinary cards VFIO "
		"translates that. A card that keeps the message in registers of its own sends "
		"the guest's handle to the host, which refuses it (VT-d fault reason 0x22, or "
		"0x26).\n\n"
		"Decided by `machine:` (viommu=) and an intel-iommu in `args:`, and by how the "
		"profile says the card signals interrupts.\n\n"
		"What to do: take it out for such cards (`qm set VMID --machine q35`).",
		mp_check_vm_viommu },
	{ "vm-cpu-address-width", MP_SCOPE_VM,
		"the guest's addresses fit the host's IOMMU",
		"The IOMMU translates addresses of a certain width (Intel: the smaller of MGAW "
		"and SAGAW in the capability register, often 39 bits on client chips; AMD: by "
		"the levels of its page tables). RAM above it cannot be mapped and the VM does "
		"not start. A guest that believes in more address bits may place 64-bit BARs "
		"above it: OVMF puts them near the top of what the CPU reports. Their mapping "
		"then fails with \"VFIO_MAP_DMA failed: Invalid argument\", which only matters "
		"for DMA between two cards.\n\n"
		"The guest's width is phys-bits of `cpu:`; the host's for the types host and "
		"max; else QEMU's default of 40.\n\n"
		"What to do: `qm set VMID --cpu TYPE,phys-bits=N` with the IOMMU's width.",
		mp_check_vm_cpu_address_width },
	{ "vm-hookscript", MP_SCOPE_VM, "the VM's hookscript can be run",
		"If the hookscript does not exist or is not executable, Proxmox VE aborts the "
		"start of the VM (PVE::GuestHelpers). It must be a volume of type snippets; a "
		"plain path is dropped. Each node of a cluster that can run the VM needs the "
		"file: `local` is a different directory on each.\n\n"
		"The storage is resolved through /etc/pve/storage.cfg and the file looked at. "
		"Storages on the network are not touched, because a server that is away would "
		"hang this program: unknown. The hookscript of this program calls the one that "
		"the VM had before (/etc/metis-passthrough/hookscripts/VMID), and refuses the "
		"start where that is not there, as Proxmox VE would: it is looked at too.\n\n"
		"What to do: put the script there and make it executable, or "
		"`qm set VMID --delete hookscript`.",
		mp_check_vm_hookscript },
	{ "vm-agent", MP_SCOPE_VM, "the VM has the guest agent",
		"With qemu-guest-agent the host can ask the guest which driver it has loaded "
		"and for its kernel log when a transfer fails, and a shutdown ends the guest's "
		"driver in order. A card whose guest was killed can keep DMA addresses of it "
		"in its registers.\n\n"
		"Read from `agent:`. Whether the agent runs inside the guest is not asked. "
		"Nothing fails without it: information only.",
		mp_check_vm_agent },
	{ "vm-guest-selftest", MP_SCOPE_VM,
		"the last self-test inside of the VM passed on this host kernel",
		"Only a test inside of the VM shows that the card's DMA and interrupts get through to "
		"where they are used: `selftest --vm VMID` has the card move data there, through the "
		"guest agent. With `guest_selftest: run` in config.yaml the hookscript begins it each "
		"time the VM has started, in the background.\n\n"
		"How the last one ended is kept in /var/lib/metis-passthrough/selftest/vm-VMID.last, "
		"and its report beside it. One that failed fails here until another one passes; one "
		"that could not be run (no answer of the agent, nothing to test in the guest) leaves "
		"it unknown; one on another kernel of the host is told. One that the VM's end broke "
		"off leaves what was known before. Which card the guest had is not compared, and "
		"the guest can say what it likes: this is no proof against it.\n\n"
		"What to do: `metis-passthrough selftest --vm VMID` while the VM runs.",
		mp_check_vm_guest_selftest },
	{ "vm-args", MP_SCOPE_VM, "nothing in the VM's args bypasses Proxmox VE",
		"`args:` is appended to QEMU's command line as it is; Proxmox VE does not look "
		"at it. A vfio-pci device there is neither bound nor reset nor reserved, so a "
		"second VM can take it. A property of a hostpci device that does not exist "
		"keeps QEMU from starting. An intel-iommu there comes too late on the command "
		"line, and without caching-mode=on QEMU refuses passed devices. "
		"kernel-irqchip=split is often copied with it and costs speed without an Intel "
		"vIOMMU.\n\n"
		"The line is split as a shell would and searched for these.\n\n"
		"What to do: devices belong into hostpciN, a vIOMMU into `machine:`; `-set "
		"device.hostpci0.PROPERTY=VALUE` is the right use of args.",
		mp_check_vm_args },
	{ NULL },
};
