sub {
	my ($n) = @_;
	$n->note('The forum node with the card beside the boot disk: both root ports lack ACS, so the NVMe that',
		'holds the root file system is in the group of the card. Invented.');
	$n->forum_node;
	my %at = (numa => 1, unit => 'dmar2', group => 22, root_bus => 0x85);
	$n->remove('0000:3a:00.0');
	delete $n->device('0000:85:00.0')->{acs};
	@{ $n->device('0000:85:00.0') }{qw(group multifunction)} = (22, 1);
	$n->add($n->root_port(%at, bdf => '0000:85:02.0', id => '8086:2032', secondary => 0x88, acs => undef,
			multifunction => 1, link => { width => 4, max_width => 4, slot => 4 }, window => [ 0xee800000, 0xee8fffff ]));
	my $disk = $n->device('0000:3b:00.0');
	$n->remove('0000:3b:00.0');
	delete $disk->{root_bus};
	$n->add({ %$disk, numa => 1, unit => 'dmar2', group => 22, bdf => '0000:88:00.0', parent => '0000:85:02.0',
			bars => [ { n => 0, at => 0xee800000, size => 0x4000, wide => 1 } ] });
	$n->{root_at} = '0000:88:00.0';
}
