sub {
	my ($n) = @_;
	$n->note(<<'NOTE');
The node of the forum thread (community.axelera.ai, 7 May 2026).

From the thread: Proxmox VE 9.1.9, kernel 7.0.0-3-pve, an Intel host with VT-d and interrupt
remapping on, a Metis 1f9d:1100 at 0000:86:00.0, alone in IOMMU group 22, given to a VM.
From the vendor's driver: class, revision, BARs and the MSI capability of the card.

Invented: everything else, such as the Xeon board and its other devices, addresses of BARs,
the ACPI table, links and reset methods, disks, network, the VM's configuration, serials.
NOTE
	$n->forum_node;
}
