# SPDX-License-Identifier: GPL-2.0-or-later
# An older desktop board, invented after Skylake client boards: two remapping units, 39 bits
# of address, a conventional PCI slot behind a bridge.
package Node;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

sub desktop_devices {
	my ($n) = @_;
	my %in = (unit => 'dmar1', root_bus => 0, numa => -1, pcie_at => 0x40);
	my $port = sub {
		my (%p) = @_;
		return { %in, class => 0x060400, driver => 'pcieport', module => '', multifunction => 1, pm_at => 0xa0, aer => 1,
			msi => { at => 0x80, vectors => 1, on => 1, wide => 0, address => 0xfee00000 }, irq_name => 'PCIe PME', %p };
	};
	my $sub = '1849:191f';
	$n->add(
		{ %in, bdf => '0000:00:00.0', id => '8086:191f', subsystem => $sub, class => 0x060000, revision => 7, group => 0, no_pm => 1 },
		$port->(bdf => '0000:00:01.0', id => '8086:1901', revision => 7, secondary => 1, group => 1, pcie_at => 0xa0, pm_at => 0x80,
			msi => { at => 0x90, vectors => 1 }, pcie => { type => 'root', speed => '8.0', width => 4, max_width => 16, slot => 1 },
			window => [ 0xde000000, 0xde0fffff ]),
		{ %in, bdf => '0000:00:02.0', id => '8086:1912', subsystem => $sub, class => 0x030000, revision => 6, group => 2, unit => 'dmar0',
			driver => 'i915', boot_vga => 1, msi => { at => 0xac, vectors => 1, on => 1, wide => 0 }, pm_at => 0xd0, reset => 'flr',
			bars => [ { n => 0, at => 0xdc000000, size => 0x1000000, wide => 1 }, { n => 2, at => 0xb0000000, size => 0x10000000, wide => 1, pref => 1 } ] },
		{ %in, bdf => '0000:00:14.0', id => '8086:a12f', subsystem => $sub, class => 0x0c0330, revision => 0x31, group => 3,
			driver => 'xhci_hcd', module => 'xhci_pci', pm_at => 0x70, msi => { at => 0x80, vectors => 8, on => 1 }, reset => 'pm', soft_reset => 1,
			bars => [ { n => 0, at => 0xdf430000, size => 0x10000, wide => 1 } ] },
		{ %in, bdf => '0000:00:17.0', id => '8086:a102', subsystem => $sub, class => 0x010601, revision => 0x31, group => 4, driver => 'ahci',
			pm_at => 0x70, msi => { at => 0x80, vectors => 1, on => 1, wide => 0 }, reset => 'pm', soft_reset => 1,
			bars => [ { n => 5, at => 0xdf44b000, size => 0x800 } ] },
		$port->(bdf => '0000:00:1c.0', id => '8086:a110', revision => 0xf1, secondary => 2, subordinate => 3, group => 5,
			pcie => { type => 'root', speed => '2.5', width => 1, max_speed => '8.0', slot => 2 }, window => [ 0xdf300000, 0xdf3fffff ]),
		$port->(bdf => '0000:00:1d.0', id => '8086:a118', revision => 0xf1, secondary => 4, group => undef, unit => undef,
			pcie => { type => 'root', speed => '2.5', width => 1, max_speed => '8.0', slot => 3 }, window => [ 0xdf200000, 0xdf2fffff ]),
		{ %in, bdf => '0000:00:1f.0', id => '8086:a144', subsystem => $sub, class => 0x060100, revision => 0x31, group => 7, multifunction => 1, no_pm => 1 },
		{ %in, bdf => '0000:00:1f.4', id => '8086:a123', subsystem => $sub, class => 0x0c0500, revision => 0x31, group => 7, multifunction => 1, no_pm => 1 },
		# The card: the firmware found no room for its 32 MiB below 4 GiB.
		$n->metis(%in, pcie_at => 0x70, bdf => '0000:01:00.0', parent => '0000:00:01.0', group => 1, slot_name => '1',
			bars => [ { n => 0, at => 0xde000000, size => 0x1000, wide => 1 }, { n => 2, at => 0, size => 0x2000000, unset => 1 } ]),
		# Conventional PCI behind a bridge: two old cards.
		{ %in, bdf => '0000:02:00.0', parent => '0000:00:1c.0', id => '1b21:1080', class => 0x060401, revision => 4, secondary => 3, group => 5,
			pcie_at => 0x80, pm_at => 0x78, pcie => { type => 'bridge', speed => '2.5', width => 1 }, window => [ 0xdf300000, 0xdf3fffff ] },
		{ %in, bdf => '0000:03:00.0', parent => '0000:02:00.0', id => '1102:0007', subsystem => '1102:1012', class => 0x040100, group => 5,
			driver => 'snd_ca0106', irq => 16, pm_at => 0xdc, bars => [ { n => 0, at => 0xe000, size => 0x20, io => 1 } ] },
		{ %in, bdf => '0000:03:01.0', parent => '0000:02:00.0', id => '1415:9501', subsystem => '1415:0001', class => 0x070006, group => 5,
			driver => 'serial', module => '', irq => 17, bars => [ { n => 0, at => 0xe020, size => 0x20, io => 1 }, { n => 2, at => 0xdf300000, size => 0x1000 } ] },
		{ %in, bdf => '0000:04:00.0', parent => '0000:00:1d.0', id => '10ec:8168', subsystem => '1849:8168', class => 0x020000, revision => 0x15,
			group => undef, unit => undef, driver => 'r8169', reset => 'pm bus', soft_reset => 1, pcie_at => 0x70, aer => 1, msix_at => 0xb0, irq_name => 'nic0',
			serial => 0x0100000068e04c02, msix => { vectors => 4, on => 1, bar => 4, table => 0, pba => 0x800 },
			msi => { vectors => 1 }, pcie => { type => 'endpoint', speed => '2.5', width => 1 },
			bars => [ { n => 0, at => 0xd000, size => 0x100, io => 1 }, { n => 2, at => 0xdf204000, size => 0x1000, wide => 1 },
				{ n => 4, at => 0xdf200000, size => 0x4000, wide => 1 } ] },
	);
	$n->module(qw(i915 snd_ca0106));
	return;
}

sub desktop_dmar {
	my ($n) = @_;
	$n->{units} = [ { name => 'dmar0', number => 0, base => 0xfed90000, version => '1:0', cap => '1c0000c40660462', ecap => '7e3ff05016' },
		{ name => 'dmar1', number => 1, base => 0xfed91000, version => '1:0', cap => 'd2008c40660462', ecap => 'f050da' } ];
	my $dmar = { width => 39, flags => 1, units => [ { base => 0xfed90000, scopes => [ [ 1, 0, 0, [ 2, 0 ] ] ] },
			{ base => 0xfed91000, scopes => [ [ 3, 2, 0xf0, [ 0x1f, 0 ] ], [ 4, 0, 0, [ 0x1f, 0 ] ], [ 2, 0, 0, [ 1, 0 ] ], [ 1, 0, 0, [ 0, 0 ] ],
				[ 1, 0, 0, [ 0x14, 0 ] ], [ 1, 0, 0, [ 0x17, 0 ] ], [ 2, 0, 0, [ 0x1c, 0 ] ], [ 1, 0, 0, [ 0x1f, 0 ] ], [ 1, 0, 0, [ 0x1f, 4 ] ] ] } ],
		rmrr => [ { start => 0x8d800000, end => 0x8fffffff, scopes => [ [ 1, 0, 0, [ 2, 0 ] ] ] } ] };
	$n->{group_info}{2} = { regions => "0x000000008d800000 0x000000008fffffff direct-relaxable\n" };
	$n->{remap} = 0;
	$n->after(sub {
		$n->bin('sys/firmware/acpi/tables/DMAR', Acpi::dmar($dmar));
		$n->bin('sys/firmware/acpi/tables/APIC', Acpi::madt(2));
		$n->regset;
	});
	return;
}

# Root on a SATA disk.
sub disk_sata {
	my ($n, $bdf) = @_;
	$n->file('proc/self/mountinfo', "22 29 0:21 / /sys rw,relatime shared:7 - sysfs sysfs rw\n"
			. "29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro\n"
			. "52 29 8:1 / /boot/efi rw,relatime shared:31 - vfat /dev/sda1 rw\n");
	$n->file('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	$n->file('etc/fstab', "/dev/sda2 / ext4 errors=remount-ro 0 1\nUUID=0000-0001 /boot/efi vfat umask=0077 0 1\n");
	$n->after(sub {
		my $at = Devices::physical($n, $n->device($bdf)) . '/ata1/host0/target0:0:0/0:0:0:0/block/sda';
		$n->rlink('sys/block/sda', $at);
		$n->block($at, '8:0', size => "976773168\n");
		$n->block("$at/sda$_", "8:$_", partition => "$_\n") for 1 .. 2;
		$n->udev('8:1', ID_FS_TYPE => 'vfat', ID_FS_UUID => '0000-0001', ID_PART_ENTRY_NUMBER => 1);
		$n->udev('8:2', ID_FS_TYPE => 'ext4', ID_FS_UUID => '00000000-0000-4000-8000-000000000002', ID_PART_ENTRY_NUMBER => 2);
	});
	return;
}

sub desktop {
	my ($n, $bits) = @_;
	$n->{nodes} = 1;
	$n->{node_cpus} = [ '0-3' ];
	$n->cpu(vendor => 'GenuineIntel', family => 6, model => 183, bits => $bits, name => 'Intel(R) Core(TM) i9-13900',
		flags => 'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx'
			. ' pdpe1gb rdtscp lm constant_tsc pni pclmulqdq vmx ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx'
			. ' f16c rdrand lahf_lm tpr_shadow flexpriority ept vpid');
	$n->module('kvm_intel');
	$n->file('sys/module/kvm_intel/parameters/enable_apicv', "N\n");
	$n->dmi(board_name => 'Z170 Extreme4', product_name => 'To Be Filled By O.E.M.', bios_version => 'P7.50', bios_date => '10/18/2018');
	$n->desktop_devices;
	$n->desktop_dmar;
	$n->log("Linux version $n->{kernel}", 'DMAR: Host address width 39', 'DMAR: IOMMU enabled',
		'DMAR-IR: IOMMU dmar0 does not support interrupt remapping', 'DMAR-IR: Not enabling interrupt remapping',
		'DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks.',
		'iommu: Default domain type: Translated', 'DMAR: Intel(R) Virtualization Technology for Directed I/O',
		'pci 0000:01:00.0: BAR 2 [mem size 0x02000000]: can\'t assign; no space');
	$n->disk_sata('0000:00:17.0');
	$n->display('0000:00:02.0');
	$n->{group_type} = 'DMA';
	return;
}

1;
