sub {
	my ($n) = @_;
	$n->note('The forum hardware with the root file system on ZFS: proxmox-boot-tool with systemd-boot. The admin added iommu=pt',
		'to /etc/kernel/cmdline and has not started the node again since. Invented.');
	$n->forum_hardware(no_disk => 1);
	$n->disk_zfs([ '0000:3b:00.0', 'nvme0n1' ]);
	$n->pbt_systemd_boot('intel_iommu=on', staged => 'root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt');
	$n->{group_type} = 'DMA-FQ';
	@{ $n->{log} } = map { ref $_ ? $_ : s{Passthrough \(set via kernel command line\)}{Translated}r } @{ $n->{log} };
}
