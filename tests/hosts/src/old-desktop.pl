sub {
	my ($n) = @_;
	$n->note('A desktop board that nobody should use for this: one remapping unit without interrupt remapping, 39 bits of IOMMU address',
		'under a CPU of 46, a network controller in no unit\'s scope, a card whose large BAR found no room, and old conventional',
		'PCI cards. Invented.');
	$n->kernel;
	$n->proxmox(hostname => 'node3');
	$n->desktop(46);
	$n->memory(32);
	$n->bridge;
	$n->net('0000:04:00.0', 'nic0', 2, up => 1, bridge => 'vmbr0');
	$n->bind_ids('1f9d:1100');
	$n->names;
	$n->grub('intel_iommu=on');
	$n->vm(101, $n->vm_text(hostpci => [ '0000:01:00.0,pcie=1' ]));
}
