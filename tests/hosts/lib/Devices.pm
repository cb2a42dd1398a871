# SPDX-License-Identifier: GPL-2.0-or-later
# PCI functions, IOMMU groups and IOMMU units as sysfs shows them
# (Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups, sysfs-class-iommu).
package Devices;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need
use PciConfig;

# kernel: include/linux/ioport.h
my ($IO, $MEM, $PREFETCH, $WIDE) = (0x40101, 0x40200, 0x2008, 0x100004);

sub split_bdf {
	my ($bdf) = @_;
	my ($domain, $bus, $slot, $function) = $bdf =~ /^([0-9a-f]+):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/
		or die "not an address: $bdf\n";
	return ($domain, hex $bus, hex $slot, hex $function);
}

# Where sysfs keeps the function.
sub physical {
	my ($n, $d) = @_;
	return physical($n, $n->{pci}{ $d->{parent} }) . "/$d->{bdf}" if $d->{parent};
	my ($domain) = split_bdf($d->{bdf});
	my $root = sprintf 'pci%s:%02x', $domain, $d->{root_bus} // (split_bdf($d->{bdf}))[1];
	return ($d->{below} // 'sys/devices') . "/$root/$d->{bdf}";
}

sub resource {
	my ($d) = @_;
	my @lines = map { [ 0, 0, 0 ] } 1 .. ($d->{secondary} ? 17 : 13);
	for my $bar (@{ $d->{bars} // [] }) {
		my $flags = $bar->{io} ? $IO : $MEM | ($bar->{pref} ? $PREFETCH : 0) | ($bar->{wide} ? $WIDE : 0);
		$flags = 0x46200 if $bar->{n} == 6;
		$lines[ $bar->{n} ] = [ $bar->{at}, $bar->{at} + $bar->{size} - 1, $flags ];
		$lines[ $bar->{n} ] = [ 0, $bar->{size} - 1, $flags | 0x20000000 ] if $bar->{unset};
	}
	if (my $w = $d->{window}) {
		$lines[14] = [ @$w, 0x200 ];
	}
	if (my $w = $d->{window64}) {
		$lines[15] = [ @$w, 0x102201 ];
	}
	return join '', map { sprintf "0x%016x 0x%016x 0x%016x\n", @$_ } @lines;
}

sub modalias {
	my ($d) = @_;
	my ($v, $i) = map { hex } split /:/, $d->{id};
	my ($sv, $si) = map { hex } split /:/, $d->{subsystem} // '0:0';
	return sprintf 'pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X', $v, $i, $sv, $si,
		$d->{class} >> 16, $d->{class} >> 8 & 0xff, $d->{class} & 0xff;
}

sub links {
	my ($n, $d, $at) = @_;
	$n->rlink("sys/bus/pci/devices/$d->{bdf}", $at);
	$n->rlink("$at/subsystem", 'sys/bus/pci');
	if (my $driver = $d->{driver}) {
		$n->rlink("$at/driver", "sys/bus/pci/drivers/$driver");
		$n->rlink("sys/bus/pci/drivers/$driver/$d->{bdf}", $at);
		my $module = exists $d->{module} ? $d->{module} : $driver;
		if ($module) {
			(my $name = $module) =~ tr/-/_/;
			$n->rlink("sys/bus/pci/drivers/$driver/module", "sys/module/$name");
			$n->module($name);
		}
	}
	return unless defined $d->{group} && $n->{iommu_on};
	$n->rlink("$at/iommu_group", "sys/kernel/iommu_groups/$d->{group}");
	$n->rlink("sys/kernel/iommu_groups/$d->{group}/devices/$d->{bdf}", $at);
	my $unit = $d->{unit} or return;
	$n->rlink("$at/iommu", "sys/devices/virtual/iommu/$unit");
	$n->rlink("sys/devices/virtual/iommu/$unit/devices/$d->{bdf}", $at);
	return;
}

sub interrupts {
	my ($n, $d, $at) = @_;
	my ($kind, $count, $mode);
	if ($d->{msix} && $d->{msix}{on}) { ($kind, $count, $mode) = ('MSIX', $d->{msix}{on}, 'msix') }
	elsif ($d->{msi} && $d->{msi}{on}) { ($kind, $count, $mode) = ('MSI', $d->{msi}{on}, 'msi') }
	$n->file("$at/irq", ($kind ? $n->{next_irq} : $d->{irq} // 0) . "\n");
	return unless $kind;
	for my $i (0 .. $count - 1) {
		my $irq = $n->{next_irq}++;
		$n->file("$at/msi_irqs/$irq", "$mode\n");
		push @{ $n->{irqs} }, [ $irq, "PCI-$kind-$d->{bdf}", "$i-edge", $d->{irq_name} // $d->{driver} ];
	}
	return;
}

sub function {
	my ($n, $d) = @_;
	my $at = physical($n, $d);
	my ($vendor, $device) = split /:/, $d->{id};
	my ($subvendor, $subdevice) = split /:/, $d->{subsystem} // '0000:0000';
	my $bound = $d->{driver} ? 1 : 0;
	my $port = $d->{secondary} ? 1 : 0;
	my $asleep = ($d->{d_state} // 0) == 3;

	(undef, $d->{bus}) = split_bdf($d->{bdf});
	$n->file("$at/vendor", "0x$vendor\n");
	$n->file("$at/device", "0x$device\n");
	$n->file("$at/subsystem_vendor", "0x$subvendor\n");
	$n->file("$at/subsystem_device", "0x$subdevice\n");
	$n->file("$at/class", sprintf "0x%06x\n", $d->{class});
	$n->file("$at/revision", sprintf "0x%02x\n", $d->{revision} // 0);
	$n->file("$at/modalias", modalias($d) . "\n");
	$n->file("$at/resource", resource($d));
	$n->file("$at/enable", ($d->{enable} // ($bound && !$asleep ? 1 : 0)) . "\n");
	$n->file("$at/numa_node", ($d->{numa} // -1) . "\n");
	$n->file("$at/local_cpulist", ($n->{node_cpus}[ $d->{numa} // 0 ] // '0') . "\n");
	$n->file("$at/msi_bus", ($d->{msi_bus} // 1) . "\n");
	$n->file("$at/driver_override", ($d->{override} // '(null)') . "\n");
	$n->file("$at/broken_parity_status", "0\n");
	$n->file("$at/power_state", ($asleep ? $d->{power_state} // 'D3hot' : 'D0') . "\n");
	$n->file("$at/d3cold_allowed", ($d->{d3cold} // ($port ? 1 : 0)) . "\n") if $d->{pcie};
	$n->file("$at/power/control", ($d->{control} // ($port || $asleep ? 'auto' : 'on')) . "\n");
	$n->file("$at/power/runtime_status", ($asleep ? 'suspended' : 'active') . "\n");
	$n->file("$at/boot_vga", "$d->{boot_vga}\n") if defined $d->{boot_vga};
	if (defined $d->{reset} && length $d->{reset}) {
		$n->file("$at/reset_method", "$d->{reset}\n");
		$n->stat("$at/reset", 'file', 0200, 4096, 1767225600);
		$n->err("$at/reset", 'read', 'EIO');
	}
	if ($d->{pcie} && $d->{pcie}{speed}) {
		my $e = $d->{pcie};
		$n->file("$at/current_link_speed", ($e->{width} ? "$e->{speed} GT/s PCIe" : 'Unknown') . "\n");
		$n->file("$at/current_link_width", "$e->{width}\n");
		$n->file("$at/max_link_speed", ($e->{max_speed} // $e->{speed}) . " GT/s PCIe\n");
		$n->file("$at/max_link_width", ($e->{max_width} // $e->{width}) . "\n");
	}
	if ($d->{vfs}) {
		$n->file("$at/sriov_totalvfs", "$d->{vfs}\n");
		$n->file("$at/sriov_numvfs", "0\n");
	}
	if ($d->{aer} && $d->{pcie}) {
		my $counts = $d->{aer_counts} // {};
		for my $kind (qw(correctable nonfatal fatal)) {
			my $total = $counts->{$kind} // 0;
			$n->file("$at/aer_dev_$kind", aer_text($kind, $total));
		}
	}
	if ($d->{no_config}) { $n->err("$at/config", 'read', $d->{no_config}) }
	else { $n->bin("$at/config", PciConfig::bytes($d)) }
	interrupts($n, $d, $at);
	links($n, $d, $at);
	slot($n, $d) if defined $d->{slot_name};
	return;
}

# kernel: drivers/pci/pcie/aer.c, aer_correctable_error_string and its sisters
sub aer_text {
	my ($kind, $total) = @_;
	my @names = $kind eq 'correctable' ?
		qw(RxErr BadTLP BadDLLP Rollover Timeout NonFatalErr CorrIntErr HeaderOF) :
		qw(Undefined DLP SDES TLP FCP CmpltTO CmpltAbrt UnxCmplt RxOF MalfTLP ECRC UnsupReq
		ACSViol UncorrIntErr BlockedTLP AtomicOpBlocked TLPBlockedErr PoisonTLPBlocked);
	my $hit = $kind eq 'correctable' ? 'RxErr' : 'UnsupReq';
	(my $label = $kind) =~ s/^correctable$/COR/;
	$label =~ s/^nonfatal$/NONFATAL/;
	$label =~ s/^fatal$/FATAL/;
	return join('', map { "$_ " . ($_ eq $hit ? $total : 0) . "\n" } @names)
		. "TOTAL_ERR_$label $total\n";
}

sub slot {
	my ($n, $d) = @_;
	(my $address = $d->{bdf}) =~ s/\.[0-7]$//;
	$n->file("sys/bus/pci/slots/$d->{slot_name}/address", "$address\n");
	$n->file("sys/bus/pci/slots/$d->{slot_name}/cur_bus_speed", "8.0 GT/s PCIe\n");
	return;
}

sub groups {
	my ($n) = @_;
	for my $d (values %{ $n->{pci} }) {
		next unless defined $d->{group};
		my $g = "sys/kernel/iommu_groups/$d->{group}";
		my $mine = $n->{group_info}{ $d->{group} } // {};
		my $regions = ($mine->{regions} // '') . $n->{msi_region};
		$n->file("$g/type", ($mine->{type} // $n->{group_type}) . "\n");
		$n->file("$g/reserved_regions", join '', sort map { "$_\n" } split /\n/, $regions);
	}
	return;
}

sub units {
	my ($n) = @_;
	for my $u (@{ $n->{units} }) {
		my $at = "sys/devices/virtual/iommu/$u->{name}";
		my $sub = "$at/" . ($u->{amd} ? 'amd-iommu' : 'intel-iommu');
		$n->rlink("sys/class/iommu/$u->{name}", $at);
		$n->rlink("$at/subsystem", 'sys/class/iommu');
		if ($u->{amd}) {
			$n->file("$sub/cap", "$u->{cap}\n");
			$n->file("$sub/features", "$u->{features}\n");
			next;
		}
		$n->file("$sub/address", sprintf "%x\n", $u->{base});
		$n->file("$sub/version", "$u->{version}\n");
		$n->file("$sub/cap", "$u->{cap}\n");
		$n->file("$sub/ecap", "$u->{ecap}\n");
		$n->file("$sub/domains_supported", "65536\n");
		$n->file("$sub/domains_used", "12\n");
	}
	return;
}

sub all {
	my ($n) = @_;
	function($n, $n->{pci}{$_}) for sort keys %{ $n->{pci} };
	return unless $n->{iommu_on};
	groups($n);
	units($n);
	return;
}

1;
