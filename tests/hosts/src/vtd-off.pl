sub {
	my ($n) = @_;
	$n->note('The forum node with VT-d switched off in firmware: no DMAR table, no IOMMU, no groups,',
		'plain interrupts, although the kernel command line asks for intel_iommu=on. Invented.');
	$n->{iommu_on} = 0;
	$n->{remap} = 0;
	$n->forum_node;
	$n->{dmar} = undef;
	$n->dir('sys/class/iommu');
	$n->dir('sys/kernel/iommu_groups');
	# vfio-pci takes the card all the same; only opening its group would fail.
	@{ $n->{log} } = grep { !/DMAR|iommu/ } @{ $n->{log} };
	$n->log('x2apic: IRQ remapping doesn\'t support X2APIC mode');
}
