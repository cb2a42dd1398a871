sub {
	my ($n) = @_;
	$n->note('The forum node, whose admin wrote intel_iommu=on iommu=pt into /etc/kernel/cmdline, which this node does not',
		'use: GRUB starts it, and GRUB\'s own settings know nothing of it. Invented.');
	$n->forum_hardware;
	$n->grub('');
	$n->file('etc/kernel/cmdline', "root=/dev/mapper/pve-root ro quiet intel_iommu=on iommu=pt\n");
	$n->{group_type} = 'DMA-FQ';
	@{ $n->{log} } = map { ref $_ ? $_ : s{Passthrough \(set via kernel command line\)}{Translated}r }
		grep { $_ ne "DMAR: IOMMU enabled" } @{ $n->{log} };
}
