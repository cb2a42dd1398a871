sub {
	my ($n) = @_;
	$n->note('A virtual machine (q35 with an emulated VT-d, intremap=on, caching-mode=on) that was given a card and would give it',
		'to a VM of its own. Invented, after what QEMU 10 shows.');
	$n->{nodes} = 1;
	$n->{node_cpus} = [ '0-3' ];
	$n->kernel;
	$n->proxmox(hostname => 'nested1');
	$n->xeon;
	$n->edit('proc/cpuinfo', sub { s/ aes / aes hypervisor /g; s/\n(address sizes)/\n$1/; s/46 bits/40 bits/g });
	$n->dmi(bios_vendor => 'Proxmox distribution of EDK II', bios_version => '4.2025.02-4', bios_date => '06/02/2025',
		board_name => '', product_name => 'Standard PC (Q35 + ICH9, 2009)');
	$n->memory(16, 12);
	my %in = (root_bus => 0, numa => -1, unit => 'dmar0');
	my $port = sub {
		my ($slot, $bus, $group) = @_;
		return { %in, bdf => "0000:00:1c.$slot", id => '1b36:000c', class => 0x060400, secondary => $bus, group => $group,
			multifunction => 1, driver => 'pcieport', module => '', pcie_at => 0x54, pm_at => 0, no_pm => 1, aer => 1, acs => [ 0x1f, 0x1d ],
			msix => { vectors => 1, on => 1, bar => 0, table => 0, pba => 0x800 }, msix_at => 0x48, irq_name => 'PCIe PME, aerdrv, pciehp',
			pcie => { type => 'root', speed => '16.0', width => 32, slot => 1 + $slot },
			bars => [ { n => 0, at => 0xc1640000 + 0x1000 * $slot, size => 0x1000 } ] };
	};
	$n->add({ %in, bdf => '0000:00:00.0', id => '8086:29c0', subsystem => '1af4:1100', class => 0x060000, group => 0, no_pm => 1 },
		{ %in, bdf => '0000:00:01.0', id => '1234:1111', subsystem => '1af4:1100', class => 0x030000, revision => 2, group => 1, no_pm => 1,
			boot_vga => 1, driver => 'bochs-drm', module => 'bochs', bars => [ { n => 0, at => 0xc0000000, size => 0x1000000, pref => 1 } ] },
		$port->(0, 1, 2), $port->(1, 2, 3), $port->(2, 3, 4),
		{ %in, bdf => '0000:00:1f.0', id => '8086:2918', subsystem => '1af4:1100', class => 0x060100, revision => 2, group => 5,
			multifunction => 1, no_pm => 1 },
		{ %in, bdf => '0000:00:1f.2', id => '8086:2922', subsystem => '1af4:1100', class => 0x010601, revision => 2, group => 5,
			multifunction => 1, no_pm => 1, driver => 'ahci', msi => { at => 0x80, vectors => 1, on => 1 },
			bars => [ { n => 5, at => 0xc1644000, size => 0x1000 } ] },
		{ %in, bdf => '0000:00:1f.3', id => '8086:2930', subsystem => '1af4:1100', class => 0x0c0500, revision => 2, group => 5,
			multifunction => 1, no_pm => 1 },
		{ %in, bdf => '0000:01:00.0', parent => '0000:00:1c.0', id => '1af4:1041', subsystem => '1af4:1100', class => 0x020000, revision => 1,
			group => 6, driver => 'virtio-pci', module => '', reset => 'flr bus', msix => { vectors => 4, on => 3, bar => 1, table => 0, pba => 0x800 },
			irq_name => 'virtio0-input.0', pcie => { type => 'endpoint', speed => '2.5', width => 1, flr => 1 },
			bars => [ { n => 1, at => 0xc1400000, size => 0x1000 } ] },
		{ %in, bdf => '0000:02:00.0', parent => '0000:00:1c.1', id => '1af4:1042', subsystem => '1af4:1100', class => 0x010000, revision => 1,
			group => 7, driver => 'virtio-pci', module => '', reset => 'flr bus', msix => { vectors => 2, on => 2, bar => 1, table => 0, pba => 0x800 },
			irq_name => 'virtio1-req.0', pcie => { type => 'endpoint', speed => '2.5', width => 1, flr => 1 },
			bars => [ { n => 1, at => 0xc1200000, size => 0x1000 } ] },
		$n->metis(%in, bdf => '0000:03:00.0', parent => '0000:00:1c.2', group => 8, at => 0xbc000000));
	$n->{units} = [ { name => 'dmar0', number => 0, base => 0xfed90000, version => '1:0', cap => 'd2008c222f0686', ecap => 'f00f5a' } ];
	$n->{dmar} = { width => 48, flags => 1, units => [ { base => 0xfed90000, all => 1, scopes => [ [ 3, 0, 0xff, [ 0, 0 ] ] ] } ] };
	$n->after(sub {
		$n->bin('sys/firmware/acpi/tables/DMAR', Acpi::dmar($n->{dmar}));
		$n->bin('sys/firmware/acpi/tables/APIC', Acpi::madt(0));
		$n->regset;
	});
	$n->intel_log;
	$n->file('proc/self/mountinfo', "29 1 253:2 / / rw,relatime shared:1 - ext4 /dev/vda2 rw\n");
	$n->file('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	$n->after(sub {
		my $disk = Devices::physical($n, $n->device('0000:02:00.0')) . '/virtio1/block/vda';
		$n->rlink('sys/block/vda', $disk);
		$n->block($disk, '253:0', size => "67108864\n");
		$n->block("$disk/vda$_", "253:$_", partition => "$_\n") for 1 .. 2;
	});
	$n->net('0000:01:00.0', 'nic0', 2, up => 1, bridge => 'vmbr0');
	$n->bridge;
	$n->display('0000:00:01.0');
	$n->bind_ids('1f9d:1100');
	$n->names;
	$n->grub('intel_iommu=on iommu=pt', root => 'root=/dev/vda2');
	$n->vm(101, $n->vm_text(hostpci => [ '0000:03:00.0,pcie=1' ], more => { memory => 4096 }));
}
