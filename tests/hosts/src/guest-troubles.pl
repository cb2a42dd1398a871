sub {
	my ($n) = @_;
	$n->note('Inside of a VM whose cards sit directly on the root bus (no pcie=1): the first has driver 1.4.16 that does not poll, its MSI',
		'was not enabled, it was reset behind its driver\'s back, and its BAR lies beyond the 39 address bits of the CPU. The second',
		'has no driver. Invented.');
	$n->guest_vm(39);
	my $card = $n->metis(root_bus => 0, numa => -1, bdf => '0000:00:06.0', at => 0xbc000000, driver => 'axl',
		module => 'metis', d_state => 0, command => 0, enable => 1, aer => 0, pcie => { type => 'endpoint' });
	$card->{bars}[0]{at} = 0x8000000000;
	$n->add($card, $n->metis(root_bus => 0, numa => -1, bdf => '0000:00:07.0', at => 0xb8000000, driver => undef, d_state => 0, aer => 0,
		pcie => { type => 'endpoint' }));
	$n->card_words('0000:00:06.0', Node::at_work());
	$n->card_words('0000:00:07.0');
	$n->guest_driver('1.4.16', dma_poll => 'N', single_msi => 'N');
}
