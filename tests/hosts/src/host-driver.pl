sub {
	my ($n) = @_;
	$n->note('The forum node before any set-up: the vendor\'s driver is installed by DKMS, is in the initramfs, and has the card.',
		'Invented.');
	$n->forum_node;
	$n->unset_binding;
	$n->vendor_driver;
	$n->driven_by_host;
	$n->initramfs(modules => [ qw(metis nvme nvme_core ahci libahci xhci_pci i40e ast dm_mod) ],
		files => { 'etc/modprobe.d/pve-blacklist.conf' => "blacklist nvidiafb\n" });
}
