sub {
	my ($n) = @_;
	$n->note('The forum node after an edit of /etc/default/grub without update-grub: the next start will not use what',
		'the file says, and neither did the last. Invented.');
	$n->forum_hardware;
	$n->grub('intel_iommu=on iommu=pt', cfg => 'root=/dev/mapper/pve-root ro quiet', running => 'root=/dev/mapper/pve-root ro quiet');
	$n->{group_type} = 'DMA-FQ';
	@{ $n->{log} } = map { ref $_ ? $_ : s{Passthrough \(set via kernel command line\)}{Translated}r }
		grep { $_ ne "DMAR: IOMMU enabled" } @{ $n->{log} };
}
