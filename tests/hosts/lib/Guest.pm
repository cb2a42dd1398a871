# SPDX-License-Identifier: GPL-2.0-or-later
# The inside of a VM that was given a card: Debian 13 on QEMU's q35, no IOMMU of its own.
package Node;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

# Where QEMU puts things on the root bus; no IOMMU, so no groups.
my %IN = (root_bus => 0, numa => -1, no_pm => 1);

sub guest_port {
	my ($n, $slot, $bus) = @_;
	return { %IN, bdf => "0000:00:1c.$slot", id => '1b36:000c', class => 0x060400, secondary => $bus, multifunction => 1, driver => 'pcieport',
		module => '', pcie_at => 0x54, pm_at => 0, aer => 1, irq_name => 'PCIe PME, aerdrv, pciehp',
		msix => { vectors => 1, on => 1, bar => 0, table => 0, pba => 0x800 }, msix_at => 0x48,
		pcie => { type => 'root', speed => '16.0', width => 32, slot => 1 + $slot },
		bars => [ { n => 0, at => 0xc1640000 + 0x1000 * $slot, size => 0x1000 } ] };
}

sub guest_vm {
	my ($n, $bits) = @_;
	@$n{qw(nodes iommu_on remap)} = (1, 0, 0);
	$n->{node_cpus} = [ '0-3' ];
	$n->kernel(running => '6.12.48+deb13-amd64', installed => [ '6.12.48+deb13-amd64' ]);
	$n->xeon;
	$n->edit('proc/cpuinfo', sub { s/ aes / aes hypervisor /g; s/46 bits/$bits bits/g });
	$n->dmi(bios_vendor => 'Proxmox distribution of EDK II', bios_version => '4.2025.02-4', bios_date => '06/02/2025',
		board_name => '', product_name => 'Standard PC (Q35 + ICH9, 2009)');
	$n->memory(16, 12);
	$n->file('etc/hostname', "guest1\n");
	$n->file('proc/sys/kernel/hostname', "guest1\n");
	$n->file('etc/os-release', "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nID=debian\n");
	$n->dir('sys/class/iommu');
	$n->dir('sys/kernel/iommu_groups');
	$n->add({ %IN, bdf => '0000:00:00.0', id => '8086:29c0', subsystem => '1af4:1100', class => 0x060000 },
		$n->guest_port(0, 1), $n->guest_port(2, 3),
		{ %IN, bdf => '0000:01:00.0', parent => '0000:00:1c.0', id => '1af4:1042', subsystem => '1af4:1100', class => 0x010000, revision => 1,
			driver => 'virtio-pci', module => '', reset => 'flr bus', msix => { vectors => 2, on => 2, bar => 1, table => 0, pba => 0x800 },
			irq_name => 'virtio0-req.0', command => 0x0406, pcie => { type => 'endpoint', speed => '2.5', width => 1, flr => 1 },
			bars => [ { n => 1, at => 0xc1200000, size => 0x1000 } ] });
	$n->after(sub {
		$n->edit('proc/iomem', sub { $_ .= "100000000-47fffffff : System RAM\n" });
		my $disk = Devices::physical($n, $n->device('0000:01:00.0')) . '/virtio0/block/vda';
		$n->rlink('sys/block/vda', $disk);
		$n->block($disk, '253:0', size => "67108864\n");
		$n->block("$disk/vda$_", "253:$_", partition => "$_\n") for 1 .. 2;
	});
	$n->file('proc/self/mountinfo', "29 1 253:2 / / rw,relatime shared:1 - ext4 /dev/vda2 rw\n");
	$n->file('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	$n->grub('', root => 'root=/dev/vda2');
	$n->names;
	return;
}

# The vendor's driver in the guest, with VERSION and parameters (undef: the module does not say).
sub guest_driver {
	my ($n, $version, %parameters) = @_;
	$n->vendor_driver;
	$n->module('metis');
	$n->file('sys/module/metis/version', "$version\n") if defined $version;
	$n->file("sys/module/metis/parameters/$_", "$parameters{$_}\n") for keys %parameters;
	return;
}

1;
