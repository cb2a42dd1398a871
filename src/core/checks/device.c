/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the checks of one device; the checks themselves are in device-*.c. */
#include "config.h"

#include "core/checks/device.h"

const struct mp_check mp_checks_device[] = {
	{
		"device-present",
		MP_SCOPE_HOST,
		"every card that is asked about is on this host",
		"A card that did not train its link at boot, lost power or was unplugged "
		"is "
		"simply not there, and the VM then fails to start or, worse, gets "
		"whatever "
		"sits at the address now.\n\n"
		"Looks for each device that was asked about and each card of the "
		"configuration "
		"in /sys/bus/pci/devices. For a card that is missing it looks for "
		"another "
		"place with the same identity: serial number where the pin has one, else "
		"id "
		"and subsystem.",
		mp_check_device_present,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-responds",
		MP_SCOPE_DEVICE,
		"the device answers in configuration space",
		"A device that is off, hung, or off the bus answers every read with "
		"ones; the "
		"kernel keeps its old entry all the same. After a failed reset this is "
		"what is "
		"left until the machine loses power.\n\n"
		"Reads configuration space through sysfs: a header of 64 bytes of 0xff "
		"means "
		"that nobody answers; ids other than those the kernel found at boot mean "
		"that "
		"something else answers. Virtual functions, whose ids read as ones by "
		"the "
		"SR-IOV specification, are excepted from the second rule.",
		mp_check_device_responds,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-power-state",
		MP_SCOPE_DEVICE,
		"the device has power",
		"vfio-pci lets an unused device sleep in D3hot, which is harmless. In D3cold its "
		"power is off, and not every card and board comes back from there: it then reads "
		"as all ones until the machine restarts.\n\n"
		"Decided by the attribute power_state (Linux 5.12 and later). Before, and while no "
		"driver has enabled the device, which the kernel calls unknown, by the power "
		"management capability; without that a device knows D0 only. D3cold is a warning. "
		"A device that does not answer has no state to judge, since the kernel calls that "
		"D3cold too: see device-responds. vfio-pci's option disable_idle_d3=1 keeps unused "
		"devices in D0.",
		mp_check_device_power_state,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-link",
		MP_SCOPE_DEVICE,
		"the link runs as fast and wide as both ends can",
		"A dirty contact, a riser or a slot with fewer lanes makes a link come "
		"up "
		"narrower or slower; everything works, but slowly, and such links are "
		"prone to "
		"errors.\n\n"
		"Compares current with maximum speed and width of the device and of the "
		"port "
		"above it (sysfs: current_link_speed and so on, from the Link Status and "
		"Link "
		"Capabilities registers). Less than what both can do is a warning; a "
		"port that "
		"can do less than the card is information. Some cards lower the speed "
		"while "
		"idle.",
		mp_check_device_link,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-bars",
		MP_SCOPE_DEVICE,
		"every BAR of the device has an address",
		"A BAR is the window to a card's registers and memory. When firmware and "
		"kernel "
		"find no room for one, no driver can work, in the host or in a VM.\n\n"
		"Reads the attribute resource; a region that is flagged as unset "
		"(IORESOURCE_UNSET, include/linux/ioport.h) or begins at 0 has no "
		"address. The "
		"expansion ROM does not count. Usual causes are large or 32-bit BARs and "
		"a "
		"firmware that decodes below 4 GiB only.",
		mp_check_device_bars,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-msi",
		MP_SCOPE_DEVICE,
		"the device has message-signalled interrupts",
		"MSI and MSI-X can be remapped by the IOMMU and are what VFIO handles "
		"well. A "
		"device that has only an interrupt line (INTx) often shares it with "
		"devices of "
		"the host, and then cannot be passed through.\n\n"
		"Looks for both capabilities in configuration space, for msi_bus=0 on "
		"the "
		"device and every bridge above (which forbids MSI), and compares the "
		"number of "
		"vectors with what the profile expects. That a capability is disabled is "
		"normal while no driver uses the device.",
		mp_check_device_msi,
		.side = MP_SIDE_BOTH,
	},
	{
		"device-msix-shared-page",
		MP_SCOPE_DEVICE,
		"the MSI-X table shares no page with other registers",
		"A VM must not write the MSI-X table itself, so the hypervisor traps "
		"accesses to "
		"its page. If other registers are in the same 4 KiB, each access to them "
		"is "
		"trapped too, which costs time and has broken drivers (seen with the "
		"Coral "
		"Edge TPU).\n\n"
		"Decided by the offsets in the MSI-X capability: pages that begin with "
		"the "
		"table or the pending bits are taken as theirs; if one begins with "
		"something "
		"else, it is shared. What lies behind the end of a table cannot be "
		"known. "
		"The PCI Express specification asks devices to keep the table in a page "
		"of "
		"its own.",
		mp_check_device_msix_page,
	},
	{
		"device-reset-method",
		MP_SCOPE_DEVICE,
		"the device can be reset",
		"Between two VMs, and when a VM crashes, only a reset brings a card back "
		"to a "
		"known state. A card without one works once per boot of the host, and "
		"keeps "
		"doing DMA to where the last VM had its memory.\n\n"
		"Reads reset_method (Linux 5.15 and later), the ordered list of what the "
		"kernel "
		"would try: device_specific, acpi, flr, af_flr, pm, bus, cxl_bus; or "
		"that the "
		"attribute reset exists. Neither means that there is none. A list of "
		"only pm "
		"is a warning, since many cards keep their state through it, and so is a "
		"list "
		"without a method that the card's profile prefers.",
		mp_check_device_reset_method,
	},
	{
		"device-reset-scope",
		MP_SCOPE_DEVICE,
		"a reset of the device touches no others",
		"A function level reset touches one function. A bus reset touches "
		"everything "
		"below the port, so VFIO does it only when one user owns all of that.\n\n"
		"Decided by reset_method: device_specific, acpi, flr, af_flr and pm "
		"touch one "
		"function. Without any of these, whatever else sits on the same bus and "
		"was "
		"not asked about stands in the way.",
		mp_check_device_reset_scope,
	},
	{
		"device-siblings-same-id",
		MP_SCOPE_DEVICE,
		"no other device of the host has the same id",
		"Binding by id (vfio-pci ids=) takes every device with that id, and so "
		"the twin "
		"that the host wanted to keep. Cards with several chips are several "
		"devices "
		"with one id.\n\n"
		"Compares vendor and device id of all functions with those asked about. "
		"With "
		"'binding: address' in the configuration twins are only mentioned, since "
		"binding by address cannot take them.",
		mp_check_device_siblings,
	},
	{
		"device-multifunction",
		MP_SCOPE_DEVICE,
		"all functions of the card are asked about, or are separate",
		"A card may have several functions, such as a graphics card and its "
		"sound. In "
		"one IOMMU group they must go together; in groups of their own they need "
		"not, "
		"though drivers may expect to see all of them.\n\n"
		"Looks at the functions with the same address but for the function "
		"number; "
		"virtual functions (SR-IOV) are devices of their own.",
		mp_check_device_multifunction,
	},
	{
		"device-identity",
		MP_SCOPE_DEVICE,
		"the device is the card that was set up",
		"PCI addresses change when cards are added, firmware is updated or a "
		"kernel "
		"enumerates differently, and the VM then gets another device. So a card "
		"is "
		"pinned by address, id, subsystem, device serial number (extended "
		"capability "
		"3) and physical slot.\n\n"
		"Compares with the pin in the configuration. Whatever differs blocks, "
		"and the "
		"finding names where the same card is now. Without a pin the finding "
		"shows the "
		"one that a configuration would hold.",
		mp_check_device_identity,
	},
	{
		"device-numa",
		MP_SCOPE_DEVICE,
		"the NUMA node of the device is known",
		"On a host with several sockets, a VM with memory and CPUs away from the "
		"card "
		"pays for every transfer. To place the VM, one has to know the card's "
		"node.\n\n"
		"Reads numa_node, which comes from the firmware (_PXM); -1 on a host "
		"with "
		"several nodes means that the firmware does not say.",
		mp_check_device_numa,
	},
	{
		"device-aer",
		MP_SCOPE_DEVICE,
		"the device has had no serious PCI Express errors",
		"Errors on the link come before failures of the card. Fatal and "
		"non-fatal ones "
		"lose transactions; corrected ones were repaired by the link and matter "
		"by "
		"their number.\n\n"
		"Reads the kernel's counters (aer_dev_fatal, aer_dev_nonfatal, "
		"aer_dev_correctable) and the Device Status register. Unsupported "
		"requests and "
		"corrected errors alone are no fault: both happen while the bus is "
		"scanned. "
		"Some drivers mask all error reports of their card (the one for Metis "
		"does), "
		"after which silence proves nothing.",
		mp_check_device_aer,
		.side = MP_SIDE_BOTH,
	},
	{ NULL },
};
