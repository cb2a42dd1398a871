sub {
	my ($n) = @_;
	$n->note('The forum node with VT-d on in firmware and intel_iommu=off on the kernel command line: the',
		'DMAR table is there, Linux drives no unit and makes no groups. Interrupt remapping stays on,',
		'because the kernel decides about it apart from DMA remapping. Invented.');
	$n->{iommu_on} = 0;
	$n->forum_hardware;
	$n->grub('intel_iommu=off');
	$n->dir('sys/class/iommu');
	$n->dir('sys/kernel/iommu_groups');
	@{ $n->{log} } = grep { !/IOMMU enabled|iommu group|Default domain|Directed I/ } @{ $n->{log} };
	$n->log('DMAR: IOMMU disabled');
}
