sub {
	my ($n) = @_;
	$n->note('The forum node with the card in a slot of a root port without ACS that two lanes share: the',
		'IOMMU group holds the port, the card and a network controller that the host uses (it carries',
		'vmbr0). Invented.');
	$n->forum_node;
	my $port = $n->device('0000:85:00.0');
	delete $port->{acs};
	@$port{qw(multifunction group)} = (1, 22);
	my $second = { %$port, bdf => '0000:85:01.0', id => '8086:2031', secondary => 0x87,
		pcie => { %{ $port->{pcie} }, slot => 7 }, window => [ 0xee200000, 0xee3fffff ] };
	$n->add($second, { bdf => '0000:87:00.0', parent => '0000:85:01.0', id => '8086:1521', subsystem => '15d9:1521',
		class => 0x020000, revision => 1, group => 22, numa => 1, unit => 'dmar2', driver => 'igb', reset => 'flr bus',
		serial => 0x0200000000000087, aer => 1, irq_name => 'eno3-TxRx', pcie_at => 0xa0, msix_at => 0x70,
		msix => { vectors => 10, on => 3, bar => 3, table => 0, pba => 0x2000 }, msi => { vectors => 1, mask => 1 },
		pcie => { type => 'endpoint', speed => '5.0', width => 4, flr => 1 },
		bars => [ { n => 0, at => 0xee200000, size => 0x100000 }, { n => 3, at => 0xee300000, size => 0x4000 } ] });
	$n->net('0000:87:00.0', 'nic2', 4, up => 1, bridge => 'vmbr0');
}
