sub {
	my ($n) = @_;
	$n->note('The forum hardware with the root file system on ZFS and Secure Boot on: proxmox-boot-tool with GRUB on the ESP,',
		'kernel lockdown "integrity". /etc/kernel/cmdline is there, as the installer leaves it, and is not used. Invented.');
	$n->forum_hardware(no_disk => 1);
	$n->disk_zfs([ '0000:3b:00.0', 'nvme0n1' ]);
	$n->pbt_grub('intel_iommu=on iommu=pt');
}
