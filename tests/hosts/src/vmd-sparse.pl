sub {
	my ($n) = @_;
	$n->note('The forum node with its disk behind an Intel VMD controller, whose PCI domain has five digits (10000), and with',
		'IOMMU groups whose numbers are far apart, as hot plug leaves them. Invented.');
	$n->forum_node;
	my %vmd = (numa => 0, unit => 'dmar1');
	my $disk = $n->device('0000:3b:00.0');
	$n->remove('0000:3a:00.0', '0000:3b:00.0');
	$n->add({ %vmd, bdf => '0000:3a:05.5', id => '8086:201d', subsystem => '15d9:095d', class => 0x010400, revision => 4, group => 117,
			driver => 'vmd', pcie => { type => 'integrated' }, pcie_at => 0x40, no_pm => 1, msix_at => 0x80, irq_name => 'vmd0',
			msix => { vectors => 33, on => 3, bar => 4, table => 0, pba => 0x1000 },
			bars => [ { n => 0, at => 0x38f000000000, size => 0x2000000, wide => 1, pref => 1 },
				{ n => 2, at => 0xb6000000, size => 0x2000000 }, { n => 4, at => 0x38f002000000, size => 0x100000, wide => 1 } ] });
	my $below = 'sys/devices/pci0000:3a/0000:3a:05.5';
	$n->add($n->root_port(%vmd, bdf => '10000:00:02.0', id => '8086:2032', secondary => 1, group => 118, below => $below, root_bus => 0,
			link => { width => 4, max_width => 4, slot => 4 }, window => [ 0xb6000000, 0xb60fffff ]));
	delete $disk->{root_bus};
	$n->add({ %$disk, %vmd, bdf => '10000:01:00.0', parent => '10000:00:02.0', group => 2047,
			bars => [ { n => 0, at => 0xb6000000, size => 0x4000, wide => 1 } ] });
	$n->device('0000:86:00.0')->{group} = 301;
	$n->device('0000:85:00.0')->{group} = 300;
	$n->{root_at} = '10000:01:00.0';
}
