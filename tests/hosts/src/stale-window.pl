sub {
	my ($n) = @_;
	$n->note('The forum node after the vendor\'s driver let go of the card without cleaning up: its window into memory is open, its own',
		'message registers hold what the host once gave them, its firmware offers no DMA in a VM. Bound to vfio-pci, awake, not',
		'opened. Invented.');
	$n->forum_node;
	my $card = $n->device('0000:86:00.0');
	@$card{qw(d_state command)} = (0, 0x0002);
	$n->card_words('0000:86:00.0', Node::at_work(), '2 0x0' => 0, '2 0x218' => 0, '2 0x200' => 0x0601);
}
