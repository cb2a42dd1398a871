sub {
	my ($n) = @_;
	$n->note('An AM5 board as it should be: AMD-Vi with interrupt remapping, translated default domains, the card',
		'alone in its group. Invented.');
	$n->am5;
}
