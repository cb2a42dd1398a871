sub {
	my ($n) = @_;
	$n->note('The forum node with a carrier that holds four cards behind a PCIe switch, whose downstream ports have ACS on: each',
		'card is alone in its group. All four go to one VM. Invented.');
	$n->forum_node;
	$n->four_cards;
	$n->vm(101, $n->vm_text(hostpci => [ map { "0000:$_:00.0,pcie=1" } qw(88 89 8a 8b) ]));
}
