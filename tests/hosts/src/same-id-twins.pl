sub {
	my ($n) = @_;
	$n->note('The forum node with a second card of the same id, which the host uses itself by the vendor\'s driver. The first is',
		'bound by "ids=", which takes both at the next start. Invented.');
	$n->forum_node;
	$n->second_card;
}
