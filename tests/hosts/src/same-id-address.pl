sub {
	my ($n) = @_;
	$n->note('The forum node with a second card of the same id, which the host uses itself; the first is given to vfio-pci',
		'by its address (driverctl), so the second is left alone. Invented.');
	$n->forum_node;
	$n->second_card;
	$n->drop('etc/modprobe.d/vfio.conf');
	$n->drop('sys/module/vfio_pci/parameters/ids');
	$n->file('etc/driverctl.d/0000:86:00.0', "vfio-pci\n");
	$n->device('0000:86:00.0')->{override} = 'vfio-pci';
	$n->initramfs(vfio => 1, files => { 'conf/modules' => "vfio\nvfio_iommu_type1\nvfio_pci\n" });
	@{ $n->{log} } = grep { !/vfio_pci: add/ } @{ $n->{log} };
}
