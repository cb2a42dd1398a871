# SPDX-License-Identifier: GPL-2.0-or-later
# The node of the forum thread that started this program: what the thread tells is kept, the
# rest is invented around it. Other hosts start from here and change one thing.
package Node;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

my $UPSTREAM = [ 0x5f, 0x1d ]; # ACS of a root port: SV TB RR CR UF DT, SV RR CR UF enabled

sub root_port {
	my ($n, %p) = @_;
	return { id => '8086:2030', class => 0x060400, revision => 4, driver => 'pcieport', module => '',
		pm_at => 0xe0, pme => 1, msi => { at => 0x60, vectors => 2, on => 1, mask => 1, wide => 0,
			address => 0xfee00298 }, pcie_at => 0x90, acs => $UPSTREAM, aer => 1, irq_name => 'PCIe PME, aerdrv',
		pcie => { type => 'root', speed => '8.0', max_speed => '8.0', max_width => 16, slot => 1, width => 4,
			%{ delete $p{link} // {} } }, %p };
}

sub xeon_devices {
	my ($n) = @_;
	my %pch = (numa => 0, unit => 'dmar4', root_bus => 0);
	$n->add(
		{ %pch, bdf => '0000:00:00.0', id => '8086:2020', subsystem => '15d9:095d', class => 0x060000,
			revision => 4, group => 0, pcie => { type => 'root' }, pcie_at => 0x90 },
		{ %pch, bdf => '0000:00:05.0', id => '8086:2024', subsystem => '15d9:095d', class => 0x088000,
			revision => 4, group => 1, pcie => { type => 'integrated' }, no_pm => 1 },
		{ %pch, bdf => '0000:00:05.4', id => '8086:2026', subsystem => '8086:2026', class => 0x080020,
			revision => 4, group => 2, pcie => { type => 'integrated' } },
		{ %pch, bdf => '0000:00:14.0', id => '8086:a1af', subsystem => '15d9:095d', class => 0x0c0330,
			revision => 9, group => 3, driver => 'xhci_hcd', module => 'xhci_pci', pm_at => 0x70, pcie_at => 0,
			multifunction => 1, msi => { at => 0x80, vectors => 8, on => 1, address => 0xfee002d8 },
			irq_name => 'xhci_hcd', bars => [ { n => 0, at => 0x9d100000, size => 0x10000, wide => 1 } ] },
		{ %pch, bdf => '0000:00:14.2', id => '8086:a1b1', subsystem => '15d9:095d', class => 0x118000,
			revision => 9, group => 3, multifunction => 1 },
		{ %pch, bdf => '0000:00:17.0', id => '8086:a182', subsystem => '15d9:095d', class => 0x010601,
			revision => 9, group => 4, driver => 'ahci', pm_at => 0x70, msi => { at => 0x80, vectors => 1,
				on => 1, wide => 0, address => 0xfee002f8 }, reset => 'pm',
			bars => [ { n => 5, at => 0x9d120000, size => 0x800 } ] },
		$n->root_port(%pch, bdf => '0000:00:1c.0', id => '8086:a190', revision => 0xf9, secondary => 1,
			subordinate => 2, group => 5, multifunction => 1, link => { speed => '5.0', width => 1, max_width => 1, slot => 2 }),
		{ %pch, bdf => '0000:00:1f.0', id => '8086:a1c3', subsystem => '15d9:095d', class => 0x060100,
			revision => 9, group => 6, multifunction => 1, no_pm => 1 },
		{ %pch, bdf => '0000:00:1f.2', id => '8086:a1a1', subsystem => '15d9:095d', class => 0x058000,
			revision => 9, group => 6, multifunction => 1, no_pm => 1 },
		{ %pch, bdf => '0000:00:1f.4', id => '8086:a1a3', subsystem => '15d9:095d', class => 0x0c0500,
			revision => 9, group => 6, multifunction => 1, no_pm => 1, irq => 11 },
		# The board's management controller: a conventional PCI bridge, so one group below it.
		{ %pch, bdf => '0000:01:00.0', parent => '0000:00:1c.0', id => '1a03:1150', class => 0x060400, revision => 4,
			secondary => 2, group => 7, pcie => { type => 'bridge', speed => '5.0', width => 1 }, pcie_at => 0x80,
			pm_at => 0x78, msi => { at => 0x50, vectors => 1 } },
		{ %pch, bdf => '0000:02:00.0', parent => '0000:01:00.0', id => '1a03:2000', subsystem => '15d9:095d',
			class => 0x030000, revision => 0x41, group => 7, driver => 'ast', boot_vga => 1, irq => 16,
			bars => [ { n => 0, at => 0x9b000000, size => 0x1000000 }, { n => 1, at => 0x9c000000, size => 0x20000 },
				{ n => 2, at => 0x2000, size => 0x80, io => 1 } ] },
		$n->root_port(bdf => '0000:17:00.0', secondary => 0x18, group => 10, numa => 0, unit => 'dmar0',
			link => { width => 8, speed => '8.0', max_width => 8, slot => 3 },
			window => [ 0xab000000, 0xab1fffff ], window64 => [ 0x380000000000, 0x3800027fffff ]),
		(map { { bdf => "0000:18:00.$_", parent => '0000:17:00.0', id => '8086:1572', subsystem => '15d9:0883',
			class => 0x020000, revision => 2, group => 11 + $_, numa => 0, unit => 'dmar0', driver => 'i40e',
			multifunction => 1, msix_at => 0x70, acs => [ 0, 0 ], aer => 1, ats => 0, vfs => 64, reset => 'flr bus',
			pcie_at => 0xa0, msi => { at => 0x50, vectors => 1, mask => 1 }, irq_name => "i40e-nic$_-TxRx",
			serial => 0x0200000000000001 + $_, pin => 1 + $_,
			msix => { vectors => 129, on => 4, bar => 3, table => 0, pba => 0x1000 },
			pcie => { type => 'endpoint', speed => '8.0', width => 8, flr => 1 },
			bars => [ { n => 0, at => 0x380001000000 - $_ * 0x1000000, size => 0x1000000, wide => 1, pref => 1 },
				{ n => 3, at => 0x380002008000 - $_ * 0x8000, size => 0x8000, wide => 1, pref => 1 } ] } } 0 .. 1),
		$n->root_port(bdf => '0000:3a:00.0', secondary => 0x3b, group => 15, numa => 0, unit => 'dmar1',
			link => { width => 4, max_width => 4, slot => 4 }, window => [ 0xb8800000, 0xb88fffff ]),
		{ bdf => '0000:3b:00.0', parent => '0000:3a:00.0', id => '144d:a808', subsystem => '144d:a801', class => 0x010802,
			group => 16, numa => 0, unit => 'dmar1', driver => 'nvme', reset => 'flr bus', aer => 1, irq_name => 'nvme0q',
			serial => 0x0025380000000001, msi => { at => 0x50, vectors => 32 }, slot_name => '4',
			msix => { vectors => 33, on => 5, bar => 0, table => 0x3000, pba => 0x2000 },
			pcie => { type => 'endpoint', speed => '8.0', width => 4, flr => 1 },
			bars => [ { n => 0, at => 0xb8800000, size => 0x4000, wide => 1 } ] },
		$n->root_port(bdf => '0000:85:00.0', secondary => 0x86, group => 21, numa => 1, unit => 'dmar2',
			link => { width => 4, speed => '8.0', max_width => 16, slot => 6 },
			window => [ 0xec000000, 0xee0fffff ]),
		{ bdf => '0000:85:05.0', id => '8086:2034', subsystem => '15d9:095d', class => 0x088000, revision => 4, group => 23,
			numa => 1, unit => 'dmar2', pcie => { type => 'integrated' }, no_pm => 1 },
		{ bdf => '0000:85:05.4', id => '8086:2036', subsystem => '8086:2036', class => 0x080020, revision => 4, group => 24,
			numa => 1, unit => 'dmar2', pcie => { type => 'integrated' } },
		$n->metis(bdf => '0000:86:00.0', parent => '0000:85:00.0', group => 22, unit => 'dmar2', numa => 1, slot_name => '6'),
	);
	$_->{root_bus} = hex substr $_->{bdf}, 5, 2 for grep { !$_->{parent} && !exists $_->{root_bus} } values %{ $n->{pci} };
	return;
}

# One Metis card as the vendor's driver and the thread describe it: class 1200, revision 2,
# MSI at 0x50 with 32 maskable 64-bit vectors, BAR 0 of 4 KiB, BAR 2 of 32 MiB. Bound to
# vfio-pci and asleep (D3hot), as vfio-pci leaves a card that nobody uses.
sub metis {
	my ($n, %d) = @_;
	my $at = delete $d{at} // 0xec000000;
	return { id => '1f9d:1100', subsystem => '1f9d:0001', class => 0x120000, revision => 2, driver => 'vfio-pci',
		d_state => 3, msi => { vectors => 32, mask => 1 }, aer => 1, reset => 'flr bus',
		pcie => { type => 'endpoint', speed => '8.0', width => 4, flr => 1 }, command => 0,
		bars => [ { n => 0, at => $at + 0x2000000, size => 0x1000, wide => 1 }, { n => 2, at => $at, size => 0x2000000 } ], %d };
}

# Skylake-SP: a unit for each stack, the last one for all the rest; IOAPICs and HPET have scopes.
sub xeon_dmar {
	my ($n, %with) = @_;
	my @base = (0xc5ffc000, 0xd37fc000, 0xee7fc000, 0xfbffc000, 0x9d7fc000);
	my %of = (0 => 0x17, 1 => 0x3a, 2 => 0x85, 3 => 0xd7);
	my @units = map { { base => $base[$_], node => $_ < 2 ? 0 : 1, scopes => [ [ 3, 9 + $_, $of{$_}, [ 5, 4 ] ],
		(map { my $bus = $of{$_}; map { [ 2, 0, $bus, [ $_, 0 ] ] } 0 .. 3 } $_), [ 1, 0, $of{$_}, [ 5, 0 ] ], [ 1, 0, $of{$_}, [ 5, 4 ] ] ] } } 0 .. 3;
	push @units, { base => $base[4], node => 0, all => 1, scopes => [ [ 3, 8, 0xf0, [ 0x1f, 0 ] ], [ 3, 13, 0, [ 5, 4 ] ],
		[ 4, 0, 0xf0, [ 0x1f, 7 ] ] ] };
	$n->{dmar} = { flags => $with{flags} // 1, units => \@units, rmrr => $with{rmrr} // [], atsr => [
		[ map { my $bus = $of{$_}; map { [ 2, 0, $bus, [ $_, 0 ] ] } 0 .. 3 } 0 .. 3 ] ] };
	$n->{units} = [ map { { name => "dmar$_", number => $_, base => $base[$_], version => '1:0', cap => '8d2078c106f0466',
		ecap => 'f020df' } } 0 .. 4 ];
	$n->after(sub { $n->bin('sys/firmware/acpi/tables/DMAR', Acpi::dmar($n->{dmar})) if $n->{dmar} });
	$n->bin('sys/firmware/acpi/tables/APIC', Acpi::madt(8 .. 13));
	$n->after(sub { $n->regset }) if $with{debugfs} // 1;
	return;
}

# debugfs: drivers/iommu/intel/debugfs.c, iommu_regset_show()
sub regset {
	my ($n) = @_;
	my $text = '';
	my $status = $n->{gsts} // ($n->{remap} ? 0xc7000000 : 0xc4000000);
	for my $u (@{ $n->{units} }) {
		next if !$n->{iommu_on} || $u->{amd};
		$text .= sprintf "IOMMU: %s Register Base Address: %x\nName\t\t\tOffset\t\tContents\n", $u->{name}, $u->{base};
		$text .= sprintf "%-16s\t0x%02x\t\t0x%016x\n", @$_ for [ 'VER', 0, 0x10 ], [ 'CAP', 8, hex $u->{cap} ],
			[ 'ECAP', 0x10, hex $u->{ecap} ], [ 'GCMD', 0x18, 0 ], [ 'GSTS', 0x1c, $status ], [ 'FSTS', 0x34, 0 ];
		$text .= "\n";
	}
	$n->file('sys/kernel/debug/iommu/intel/iommu_regset', $text) if length $text;
	return;
}

sub intel_log {
	my ($n, %with) = @_;
	$n->log("Linux version $n->{kernel}", 'x2apic: enabled by BIOS, switching to x2apic ops',
		'ACPI: DMAR 0x000000006CE5E0C0 000298 (v01 INVENT EXAMPLE  00000001 TEST 00000001)',
		'DMAR: IOMMU enabled', 'DMAR: Host address width 46', 'DMAR: DRHD base: 0x000000ee7fc000 flags: 0x0',
		'DMAR-IR: Queued invalidation will be enabled to support x2apic and Intr-remapping.',
		'DMAR-IR: Enabled IRQ remapping in x2apic mode',
		'iommu: Default domain type: Passthrough (set via kernel command line)',
		sub { map { "pci $_: Adding to iommu group $n->{pci}{$_}{group}" } $n->{iommu_on} ? sort keys %{ $n->{pci} } : () },
		'DMAR: Intel(R) Virtualization Technology for Directed I/O',
		'VFIO - User Level meta-driver version: 0.3',
		'vfio_pci: add [1f9d:1100[ffffffff:ffffffff]] class 0x000000/00000000');
	return;
}

# A VM with cards; %more replaces or adds lines, undef removes one.
sub vm_text {
	my ($n, %with) = @_;
	my %line = (agent => 1, balloon => 0, boot => 'order=scsi0', cores => 8, cpu => 'host', machine => 'q35', memory => 16384,
		name => 'metis-guest', net0 => 'virtio=02:00:00:00:01:01,bridge=vmbr0', numa => 0, ostype => 'l26',
		scsi0 => 'local-lvm:vm-101-disk-0,size=64G', scsihw => 'virtio-scsi-single',
		smbios1 => 'uuid=00000000-0000-4000-8000-000000000101', sockets => 1, %{ $with{more} // {} });
	my $i = 0;
	$line{ 'hostpci' . $i++ } = $_ for @{ $with{hostpci} };
	return join '', map { "$_: $line{$_}\n" } grep { defined $line{$_} } sort keys %line;
}

my $PCI_IDS = <<'IDS';
#	Entries of the PCI ID database for the devices of this host.
1022  Advanced Micro Devices, Inc. [AMD]
	14d8  Raphael/Granite Ridge Root Complex
	14da  Raphael/Granite Ridge Dummy Host Bridge
	14db  Raphael/Granite Ridge GPP Bridge
	14dd  Raphael/Granite Ridge Internal GPP Bridge to Bus [C:A]
	43f4  600 Series Chipset PCIe Switch Upstream Port
	43f5  600 Series Chipset PCIe Switch Downstream Port
	43f7  600 Series Chipset USB 3.2 Controller
	790b  FCH SMBus Controller
	790e  FCH LPC Bridge
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	164e  Raphael
10b5  PLX Technology, Inc.
	8724  PEX 8724 24-Lane, 6-Port PCI Express Gen 3 (8 GT/s) Switch, 19 x 19mm FCBGA
10ec  Realtek Semiconductor Co., Ltd.
	8125  RTL8125 2.5GbE Controller
144d  Samsung Electronics Co Ltd
	a808  NVMe SSD Controller SM981/PM981/PM983
1a03  ASPEED Technology, Inc.
	1150  AST1150 PCI-to-PCI Bridge
	2000  ASPEED Graphics Family
1af4  Red Hat, Inc.
	1041  Virtio 1.0 network device
	1042  Virtio 1.0 block device
1b36  Red Hat, Inc.
	000c  QEMU PCIe Root port
1f9d  Axelera AI
	1100  Metis AIPU (rev 02)
8086  Intel Corporation
	1521  I350 Gigabit Network Connection
	1572  Ethernet Controller X710 for 10GbE SFP+
	201d  Volume Management Device NVMe RAID Controller
	2020  Sky Lake-E DMI3 Registers
	2024  Sky Lake-E MM/Vt-d Configuration Registers
	2026  Sky Lake-E IOAPIC
	2030  Sky Lake-E PCI Express Root Port A
	2034  Sky Lake-E VT-d
	2036  Sky Lake-E IOxAPIC Configuration Registers
	29c0  82G33/G31/P35/P31 Express DRAM Controller
	2918  82801IB (ICH9) LPC Interface Controller
	2922  82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]
	2930  82801I (ICH9 Family) SMBus Controller
	a182  C620 Series Chipset Family SATA Controller [AHCI mode]
	a190  C620 Series Chipset Family PCI Express Root Port #1
	a1a1  C620 Series Chipset Family Power Management Controller
	a1a3  C620 Series Chipset Family SMBus
	a1af  C620 Series Chipset Family USB 3.0 xHCI Controller
	a1b1  C620 Series Chipset Family Thermal Subsystem
	a1c3  C621 Series Chipset LPC/eSPI Controller
C 01  Mass storage controller
	06  SATA controller
		01  AHCI 1.0
	08  Non-Volatile memory controller
		02  NVM Express
C 02  Network controller
	00  Ethernet controller
C 03  Display controller
	00  VGA compatible controller
		00  VGA controller
C 05  Memory controller
	80  Memory controller
C 06  Bridge
	00  Host bridge
	01  ISA bridge
	04  PCI bridge
		00  Normal decode
C 08  Generic system peripheral
	00  PIC
		20  IO(X)-APIC interrupt controller
	80  System peripheral
C 0c  Serial bus controller
	03  USB controller
		30  XHCI
	05  SMBus
C 11  Signal processing controller
	80  Signal processing controller
C 12  Processing accelerators
	00  Processing accelerators
IDS

sub names { my ($n) = @_; $n->file('usr/share/misc/pci.ids', $PCI_IDS); return }

# Everything of the forum node but the boot loader.
sub forum_hardware {
	my ($n, %with) = @_;
	$n->kernel($with{kernels} ? (running => $with{kernels}[0], installed => $with{kernels}) : ());
	$n->proxmox(packages => $with{packages});
	$n->xeon;
	$n->dmi;
	$n->memory(128);
	$n->xeon_devices;
	$n->xeon_dmar(%with);
	$n->intel_log;
	$n->disk_lvm('0000:3b:00.0', 'nvme0n1') unless $with{no_disk};
	$n->bridge;
	$n->net('0000:18:00.0', 'nic0', 2, up => 1, bridge => 'vmbr0');
	$n->net('0000:18:00.1', 'nic1', 3);
	$n->display('0000:02:00.0');
	$n->bind_ids('1f9d:1100');
	$n->names;
	$n->vm(101, $n->vm_text(hostpci => [ '0000:86:00.0,pcie=1' ]));
	$n->vm(100, "cores: 2\nmemory: 2048\nname: other\nnet0: virtio=02:00:00:00:01:00,bridge=vmbr0\n"
			. "scsi0: local-lvm:vm-100-disk-0,size=8G\n");
	return;
}

sub forum_node {
	my ($n, %with) = @_;
	$n->forum_hardware(%with);
	$n->grub('intel_iommu=on iommu=pt');
	return;
}

1;
