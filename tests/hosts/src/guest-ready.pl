sub {
	my ($n) = @_;
	$n->note('Inside of a VM (q35, no IOMMU) that was given a Metis card behind a root port: driver 1.4.16 polls, one vector was granted,',
		'and the last self-test in this guest passed. Invented; the names of the parameters are from the published driver.');
	$n->guest_vm(46);
	$n->add($n->metis(root_bus => 0, numa => -1, bdf => '0000:03:00.0', parent => '0000:00:1c.2', at => 0xbc000000, driver => 'axl',
		module => 'metis', d_state => 0, command => 0x0406, irq_name => 'metis-msi', aer => 0,
		msi => { vectors => 32, mask => 1, on => 1, address => 0xfee00418 }));
	$n->card_words('0000:03:00.0', Node::at_work());
	$n->guest_driver('1.4.16', dma_poll => 'Y', dma_timeout => 10, single_msi => 'N');
	$n->selftested('0000:03:00.0', 'null', '6.12.48+deb13-amd64', '4.2025.02-4');
	$n->after(sub { $n->edit('var/lib/metis-passthrough/selftest/0000:03:00.0.json',
		sub { s/"isolation": true/"isolation": false/; s/"slot": "6"/"slot": null/ }) });
}
