sub {
	my ($n) = @_;
	$n->note('The forum node with an RMRR on the card, as some servers have them for their management:',
		'a region that must stay mapped 1:1, so that the kernel refuses the card to VFIO. Invented.');
	$n->forum_node(rmrr => [ { start => 0x6d4f2000, end => 0x6d4f9fff, scopes => [ [ 1, 0, 0x85, [ 0, 0 ], [ 0, 0 ] ] ] } ]);
	$n->{group_info}{22} = { type => 'DMA-FQ', regions => "0x000000006d4f2000 0x000000006d4f9fff direct\n" };
	$n->log('DMAR: RMRR base: 0x0000006d4f2000 end: 0x0000006d4f9fff',
		'vfio-pci 0000:86:00.0: Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the'
			. ' device without a 1:1 mapping. Contact your platform vendor.');
}
