sub {
	my ($n) = @_;
	$n->note('The forum node after the card stopped answering: its configuration space reads as all ones,',
		'the link is down, and the kernel gave up waiting for it after a reset. Invented.');
	$n->forum_node;
	my $card = $n->device('0000:86:00.0');
	@$card{qw(dead d_state)} = (1, 3);
	$card->{power_state} = 'D3cold';
	$n->device('0000:85:00.0')->{pcie}{width} = 0;
	$card->{pcie}{width} = 0;
	$n->log('vfio-pci 0000:86:00.0: not ready 1023ms after bus reset; waiting',
		'vfio-pci 0000:86:00.0: not ready 65535ms after bus reset; giving up',
		'vfio-pci 0000:86:00.0: Unable to change power state from D3cold to D0, device inaccessible');
}
