sub {
	my ($n) = @_;
	$n->note('A node that was set up by recipes of the web and upgraded since: relax_rmrr, allow_unsafe_interrupts, the module',
		'vfio_virqfd that is no more, and an installed cloud kernel without VFIO. Proxmox VE 8. Invented.');
	$n->forum_hardware(kernels => [ '6.8.12-4-pve', '6.1.0-28-cloud-amd64' ],
		packages => { 'pve-manager' => '8.4.1', 'qemu-server' => '8.4.10', 'pve-qemu-kvm' => '9.2.0-5', 'proxmox-ve' => '8.4.0' });
	$n->file('etc/os-release', "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"
			. "VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n");
	$n->grub('intel_iommu=on,relax_rmrr iommu=pt initcall_blacklist=sysfb_init video=efifb:off');
	$n->file('etc/modules', "vfio\nvfio_iommu_type1\nvfio_pci\nvfio_virqfd\n");
	$n->file('etc/modprobe.d/iommu_unsafe_interrupts.conf', "options vfio_iommu_type1 allow_unsafe_interrupts=1\n");
	$n->file('sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts', "Y\n");
	$n->edit('usr/lib/modules/6.1.0-28-cloud-amd64/modules.dep', sub { s/^kernel\S*vfio\S*\n//mg });
	$n->log('DMAR: Intel-IOMMU: assuming all RMRRs are relaxable. This can lead to instability or data loss');
}
