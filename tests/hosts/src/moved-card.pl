sub {
	my ($n) = @_;
	$n->note('The forum node after somebody worked inside: where the pinned card was sits another one of the same type, the second',
		'pinned card is gone, and a network card that was plugged in shares the group now. Invented.');
	$n->forum_node;
	my $port = $n->device('0000:85:00.0');
	delete $port->{acs};
	@$port{qw(multifunction group)} = (1, 22);
	$n->device('0000:86:00.0')->{serial} = 0x1f9d110000000002;
	$n->add({ %$port, bdf => '0000:85:01.0', id => '8086:2031', secondary => 0x87, window => [ 0xee200000, 0xee3fffff ],
			pcie => { %{ $port->{pcie} }, slot => 7, speed => '5.0' } },
		{ bdf => '0000:87:00.0', parent => '0000:85:01.0', id => '8086:1521', subsystem => '8086:0001', class => 0x020000, revision => 1,
			group => 22, numa => 1, unit => 'dmar2', driver => 'igb', reset => 'flr bus', serial => 0x0200000000000087, aer => 1,
			irq_name => 'nic2', pcie_at => 0xa0, msix_at => 0x70, msix => { vectors => 10, on => 3, bar => 3, table => 0, pba => 0x2000 },
			msi => { vectors => 1, mask => 1 }, pcie => { type => 'endpoint', speed => '5.0', width => 4, flr => 1 },
			bars => [ { n => 0, at => 0xee200000, size => 0x100000 }, { n => 3, at => 0xee300000, size => 0x4000 } ] });
	$n->net('0000:87:00.0', 'nic2', 4);
	$n->file('etc/metis-passthrough/config.yaml', <<'YAML');
cards:
  - address: 0000:86:00.0
    id: 1f9d:1100
    subsystem: 1f9d:0001
    serial: 0x1f9d110000000001
    group_members: [0000:86:00.0]
  - address: 0000:d8:00.0
    id: 1f9d:1100
    subsystem: 1f9d:0001
    serial: 0x1f9d110000000003
    group_members: [0000:d8:00.0]
vm: 101
YAML
	$n->selftested('0000:86:00.0', '"0x1f9d110000000001"', '7.0.0-3-pve', '3.8a');
}
