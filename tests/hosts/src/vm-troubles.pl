sub {
	my ($n) = @_;
	$n->note('The forum node with a dozen VMs, each with one fault in its configuration; 101 is right and runs. Invented.');
	$n->forum_node;
	my $vm = sub {
		my ($id, %more) = @_;
		my $hostpci = delete $more{hostpci} // [ '0000:86:00.0,pcie=1' ];
		$n->vm($id, $n->vm_text(hostpci => $hostpci, more => { name => "vm$id", %more }));
	};
	$vm->(201, machine => undef);                                     # pcie=1 on i440fx
	$n->edit('etc/pve/nodes/node1/qemu-server/201.conf', sub { s/^name/hostpci1: 86:00.0, pcie=1\nmemroy: 4096\nname/m });
	$vm->(202, hostpci => [ '0000:8A:00.0,pcie=1' ]);                 # upper case: PVE drops the line
	$vm->(203, hostpci => [ 'mapping=stale,pcie=1' ]);
	$vm->(204, memory => 262144, balloon => 8192);
	$vm->(205, machine => 'q35,viommu=intel');
	$vm->(206, cpu => 'host,phys-bits=52', bios => 'ovmf', efidisk0 => 'local-lvm:vm-206-disk-1,size=4M');
	$vm->(207, hookscript => 'local:snippets/gone.sh');
	$vm->(208, agent => undef);
	$n->file('var/lib/metis-passthrough/selftest/vm-208.last', "metis-passthrough selftest-vm 1\nverdict not-run\n"
			. "kernel 7.0.0-3-pve\nwhy VM 208: its configuration has no guest agent\n");
	$vm->(209, args => '-device vfio-pci,host=0000:86:00.0');
	$vm->(210, hugepages => 1024, numa => 1);
	$vm->(211, hostpci => [ '0000:18:00.0,pcie=1' ]);                 # the network card of the host
	$n->mapping('stale', 'id=1f9d:1100,iommugroup=42,node=node1,path=0000:86:00.0,subsystem-id=1f9d:0001');
	$n->file('run/qemu-server/pci-id-reservations', "0000:86:00.0 101 pid:4711\n");
}
