sub {
	my ($n) = @_;
	$n->note('The forum node with "ids=" for vfio-pci, but nothing that makes it come before the vendor\'s driver, and an initramfs',
		'that was not made again: the driver was first. Invented.');
	$n->forum_node;
	$n->vendor_driver;
	$n->driven_by_host;
	$n->file('etc/modprobe.d/vfio.conf', "options vfio-pci ids=1f9d:1100\n");
	$n->file('etc/modules', "# /etc/modules: kernel modules to load at boot time.\n");
	$n->initramfs(modules => [ qw(metis nvme nvme_core ahci libahci xhci_pci i40e ast dm_mod) ],
		files => { 'etc/modprobe.d/pve-blacklist.conf' => "blacklist nvidiafb\n" });
	$n->recorded('drift',
		[ 'status-binding', 'fail', '0000:86:00.0', 'axl has the card', 'update-initramfs -u -k all' ],
		[ 'status-file', 'pass', '/etc/modprobe.d/vfio.conf', 'It is as setup wrote it' ]);
	$n->selftested('0000:86:00.0', 'null', '7.0.0-3-pve', '3.8a', 'Nothing arrived at 0x2000000');
}
