sub {
	my ($n) = @_;
	$n->note('The forum node as its admin wants it: the card pinned in the configuration, translated default domains, 1 GiB pages, a',
		'resource mapping, a hookscript, the VM on all of them. Invented.');
	$n->forum_hardware;
	$n->grub('intel_iommu=on hugepagesz=1G hugepages=32');
	$n->{group_type} = 'DMA-FQ';
	@{ $n->{log} } = map { ref $_ ? $_ : s{Passthrough \(set via kernel command line\)}{Translated}r } @{ $n->{log} };
	$n->hugepages(1048576, 32, 32);
	$n->device('0000:86:00.0')->{serial} = 0x1f9d110000000001;
	# Awake, as the hookscript leaves it.
	@{ $n->device('0000:86:00.0') }{qw(d_state command)} = (0, 0x0002);
	$n->card_words('0000:86:00.0');
	$n->file('etc/metis-passthrough/config.yaml', <<'YAML');
cards:
  - address: 0000:86:00.0
    id: 1f9d:1100
    subsystem: 1f9d:0001
    serial: 0x1f9d110000000001
    slot: "6"
    group_members: [0000:86:00.0]
vm: 101
binding: ids
hugepages: 1024
YAML
	$n->mapping('metis', 'id=1f9d:1100,iommugroup=22,node=node1,path=0000:86:00.0,subsystem-id=1f9d:0001');
	$n->vm(101, $n->vm_text(hostpci => [ 'mapping=metis,pcie=1' ], more => { hugepages => 1024, numa => 1,
				hookscript => 'local:snippets/metis-hook' }));
	$n->file('etc/pve/storage.cfg', "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl,backup,snippets\n\n"
			. "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\tcontent rootdir,images\n");
	$n->stat('var/lib/vz/snippets/metis-hook', 'file', 0755, 120, 1777990000);
	$n->recorded('kept',
		[ 'status-file', 'pass', '/etc/modprobe.d/metis-passthrough.conf', 'It is as setup wrote it' ],
		[ 'status-binding', 'pass', '0000:86:00.0', 'vfio-pci has the card since the boot' ],
		[ 'status-pin', 'pass', '0000:86:00.0', 'It is the card that was set up' ]);
	$n->selftested('0000:86:00.0', '"0x1f9d110000000001"', '7.0.0-3-pve', '3.8a');
	$n->file('var/lib/metis-passthrough/selftest/vm-101.last', "metis-passthrough selftest-vm 1\nverdict passed\n"
			. "kernel 7.0.0-3-pve\ndevice 0000:01:00.0\n");
}
