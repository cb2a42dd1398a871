sub {
	my ($n) = @_;
	$n->note('The forum node with intremap=off on the kernel command line: DMA is remapped, interrupts are',
		'not, all chips in /proc/interrupts are plain and GSTS of each unit lacks IRES. Invented.');
	$n->{remap} = 0;
	$n->forum_hardware;
	$n->grub('intel_iommu=on iommu=pt intremap=off');
	@{ $n->{log} } = grep { !/DMAR-IR|x2apic/ } @{ $n->{log} };
	$n->log('vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module param'
			. ' "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform');
}
