sub {
	my ($n) = @_;
	$n->note('The forum node with a root port without ACS and pcie_acs_override=downstream,multifunction on the command line:',
		'the groups look isolated, the hardware is not. Invented.');
	$n->forum_hardware;
	$n->grub('intel_iommu=on iommu=pt pcie_acs_override=downstream,multifunction');
	delete $n->device('0000:85:00.0')->{acs};
	$n->log('Warning: PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer DMA');
}
