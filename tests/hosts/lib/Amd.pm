# SPDX-License-Identifier: GPL-2.0-or-later
# An AM5 workstation board: one root complex, a chipset behind a switch. Invented, after
# what lspci and the kernel print on such boards.
package Node;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

my $PORT = [ 0x5f, 0x1d ];

sub amd_port {
	my ($n, %p) = @_;
	return { id => '1022:14db', class => 0x060400, driver => 'pcieport', module => '', pm_at => 0x50, pcie_at => 0x58, pme => 1,
		msi => { at => 0xa0, vectors => 1, on => 1, address => 0xfee00000 }, acs => $PORT, aer => 1, unit => 'ivhd0', root_bus => 0,
		irq_name => 'PCIe PME, aerdrv', numa => -1, pcie => { type => 'root', speed => '16.0', width => 4, slot => 1,
			%{ delete $p{link} // {} } }, %p };
}

sub am5_devices {
	my ($n) = @_;
	my %in = (unit => 'ivhd0', root_bus => 0, numa => -1);
	my @dummies = map { { %in, bdf => "0000:00:$_->[0].0", id => '1022:14da', class => 0x060000, group => $_->[1],
		multifunction => 1, no_pm => 1 } } [ '01', 0 ], [ '02', 2 ], [ '08', 5 ];
	$n->add(@dummies,
		{ %in, bdf => '0000:00:00.0', id => '1022:14d8', subsystem => '1043:8877', class => 0x060000, group => 8, no_pm => 1 },
		{ bdf => '0000:00:00.2', root_bus => 0, numa => -1, id => '1022:14d9', subsystem => '1043:8877', class => 0x080600,
			no_pm => 1, msi => { at => 0x64, vectors => 4, on => 1, address => 0xfee04000, data => 0x21 }, driver => undef,
			irq_name => 'AMD-Vi0-Evt' },
		$n->amd_port(bdf => '0000:00:01.1', secondary => 1, group => 1, multifunction => 1,
			link => { speed => '8.0', max_speed => '32.0', width => 4, max_width => 16 }, window => [ 0xf4000000, 0xf60fffff ]),
		$n->amd_port(bdf => '0000:00:02.1', secondary => 2, subordinate => 4, group => 3, multifunction => 1,
			link => { speed => '16.0', width => 4, slot => 2 }),
		$n->amd_port(bdf => '0000:00:02.2', secondary => 5, group => 4, multifunction => 1, link => { speed => '16.0', width => 4, slot => 3 }),
		$n->amd_port(bdf => '0000:00:08.1', id => '1022:14dd', secondary => 6, group => 6, multifunction => 1,
			link => { speed => '16.0', width => 16, slot => 4 }),
		{ %in, bdf => '0000:00:14.0', id => '1022:790b', subsystem => '1043:8877', class => 0x0c0500, revision => 0x71, group => 7,
			multifunction => 1, no_pm => 1 },
		{ %in, bdf => '0000:00:14.3', id => '1022:790e', subsystem => '1043:8877', class => 0x060100, revision => 0x51, group => 7,
			multifunction => 1, no_pm => 1 },
		$n->metis(%in, bdf => '0000:01:00.0', parent => '0000:00:01.1', group => 13, at => 0xf4000000, slot_name => '1'),
		# Chipset: a switch whose downstream port carries the network controller.
		{ %in, bdf => '0000:02:00.0', parent => '0000:00:02.1', id => '1022:43f4', class => 0x060400, secondary => 3, subordinate => 4,
			group => 14, driver => 'pcieport', module => '', pcie_at => 0x80, pm_at => 0x50, aer => 1,
			pcie => { type => 'upstream', speed => '16.0', width => 4 } },
		{ %in, bdf => '0000:03:00.0', parent => '0000:02:00.0', id => '1022:43f5', class => 0x060400, secondary => 4, group => 15,
			driver => 'pcieport', module => '', pcie_at => 0x80, pm_at => 0x78, acs => $PORT, aer => 1,
			pcie => { type => 'downstream', speed => '5.0', width => 1, slot => 5 } },
		{ %in, bdf => '0000:04:00.0', parent => '0000:03:00.0', id => '10ec:8125', subsystem => '1043:87d7', class => 0x020000,
			revision => 5, group => 16, driver => 'r8169', reset => 'pm bus', soft_reset => 1, irq_name => 'nic0', aer => 1,
			serial => 0x0100000068e04c01, msix => { vectors => 32, on => 1, bar => 4, table => 0, pba => 0x800 },
			pcie => { type => 'endpoint', speed => '5.0', width => 1 },
			bars => [ { n => 2, at => 0xf6400000, size => 0x10000, wide => 1 }, { n => 4, at => 0xf6410000, size => 0x4000, wide => 1 } ] },
		{ %in, bdf => '0000:05:00.0', parent => '0000:00:02.2', id => '144d:a808', subsystem => '144d:a801', class => 0x010802,
			group => 17, driver => 'nvme', reset => 'flr bus', aer => 1, irq_name => 'nvme0q', serial => 0x0025380000000002,
			msi => { at => 0x50, vectors => 32 }, msix => { vectors => 33, on => 5, bar => 0, table => 0x3000, pba => 0x2000 },
			pcie => { type => 'endpoint', speed => '8.0', max_speed => '8.0', width => 4, flr => 1 },
			bars => [ { n => 0, at => 0xf6500000, size => 0x4000, wide => 1 } ] },
		{ %in, bdf => '0000:06:00.0', parent => '0000:00:08.1', id => '1002:164e', subsystem => '1043:8877', class => 0x030000,
			revision => 0xc1, group => 18, driver => 'amdgpu', boot_vga => 1, multifunction => 1, pcie_at => 0x64, pm_at => 0x50,
			msi => { at => 0xa0, vectors => 4, on => 1 }, pcie => { type => 'legacy', speed => '16.0', width => 16 },
			bars => [ { n => 0, at => 0xfc00000000, size => 0x10000000, wide => 1, pref => 1 }, { n => 5, at => 0xf6800000, size => 0x80000 } ] },
	);
	$n->module(qw(amdgpu));
	return;
}

# EFR of such CPUs: PPR NX GT IA GA PC GA_vAPIC.
sub amd_ivrs {
	my ($n, %with) = @_;
	my $efr = 0x246577efa2254afa;
	$n->{units} = [ { name => 'ivhd0', amd => 1, cap => '40', features => sprintf '%x:10', $efr } ];
	$n->{msi_region} = "0x00000000fee00000 0x00000000feefffff msi\n0x000000fd00000000 0x000000ffffffffff reserved\n";
	$n->{group_type} = 'DMA-FQ';
	$n->after(sub {
		$n->bin('sys/firmware/acpi/tables/IVRS', Acpi::ivrs({ ivhd => [ { device => 2, base => 0xfd200000, efr => $efr,
			ranges => [ [ 3, 0x0008, 0 ], [ 4, 0xfffe, 0 ] ], special => [ [ 0xd7, 33, 0x00a0, 1 ], [ 0, 0, 0x00a0, 2 ], [ 0, 34, 0x0001, 1 ] ] } ],
			ivmd => $with{ivmd} // [] }));
		$n->bin('sys/firmware/acpi/tables/APIC', Acpi::madt(33, 34));
	});
	$n->log("Linux version $n->{kernel}", 'AMD-Vi: Using global IVHD EFR:0x246577efa2254afa, EFR2:0x10', 'pci 0000:00:00.2: AMD-Vi: IOMMU performance counters supported',
		'iommu: Default domain type: Translated', 'iommu: DMA domain TLB invalidation policy: lazy mode',
		sub { map { "pci $_: Adding to iommu group $n->{pci}{$_}{group}" } grep { defined $n->{pci}{$_}{group} } sort keys %{ $n->{pci} } },
		'AMD-Vi: Extended features (0x246577efa2254afa, 0x10): PPR NX GT [5] IA GA PC GA_vAPIC', 'AMD-Vi: Interrupt remapping enabled',
		'AMD-Vi: Virtual APIC enabled', 'VFIO - User Level meta-driver version: 0.3');
	return;
}

sub am5 {
	my ($n, %with) = @_;
	$n->{nodes} = 1;
	$n->{node_cpus} = [ '0-3' ];
	$n->kernel;
	$n->proxmox(hostname => 'node2');
	$n->amd_cpu('AMD Ryzen 9 7950X 16-Core Processor');
	$n->dmi(board_name => 'ProArt X670E-CREATOR WIFI', product_name => 'System Product Name', bios_version => '2124', bios_date => '08/02/2024');
	$n->memory(64);
	$n->am5_devices;
	$n->amd_ivrs(%with);
	$n->disk_lvm('0000:05:00.0', 'nvme0n1');
	$n->bridge;
	$n->net('0000:04:00.0', 'nic0', 2, up => 1, bridge => 'vmbr0');
	$n->display('0000:06:00.0');
	$n->bind_ids('1f9d:1100');
	$n->names;
	$n->grub('');
	$n->vm(101, $n->vm_text(hostpci => [ '0000:01:00.0,pcie=1' ]));
	return;
}

1;
