sub {
	my ($n) = @_;
	$n->note('An AM5 board whose IVRS asks for a 1:1 mapping (IVMD type 0x22, unity, read and write) for all of',
		'buses 0 to 15, as such firmware is known for on kernels from 6.6 on: no device of these buses can be given to a VM.',
		'The region and everything else are invented.');
	$n->am5(ivmd => [ { type => 0x22, flags => 7, device => 0x0000, last => 0x0fff, start => 0x8c1e5000, length => 0x1000 } ]);
	$n->{group_info}{$_}{regions} = "0x000000008c1e5000 0x000000008c1e5fff direct\n"
		for map { $_->{group} } grep { defined $_->{group} } values %{ $n->{pci} };
	$n->log('vfio-pci 0000:01:00.0: Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the'
			. ' device without a 1:1 mapping. Contact your platform vendor.');
}
