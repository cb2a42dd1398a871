# SPDX-License-Identifier: GPL-2.0-or-later
# A node under construction: the paths (Snap), the PCI functions and what depends on both.
package Node;
use strict;
use warnings;
use parent -norequire, 'Snap';
use Acpi;
use Amd;
use Boot;
use Cards;
use Desktop;
use Devices;
use Forum;
use Guest;
use Proxmox;
use Recorded;
use Snap;

sub new {
	my ($class, $name) = @_;
	my $n = Snap::new($class, $name);
	%$n = (%$n,
		pci => {}, units => [], irqs => [], next_irq => 24, modules => {}, after => [],
		group_info => {}, group_type => 'identity', iommu_on => 1, remap => 1, cpus => 4,
		node_cpus => [ '0-1', '2-3' ], log => [],
		msi_region => "0x00000000fee00000 0x00000000feefffff msi\n");
	return $n;
}

# Adds functions; later calls of device() change them.
sub add {
	my ($n, @devices) = @_;
	$n->{pci}{ $_->{bdf} } = $_ for @devices;
	return;
}

sub device {
	my ($n, $bdf) = @_;
	return $n->{pci}{$bdf} // die "$n->{name}: there is no device $bdf\n";
}

sub remove { my ($n, @bdfs) = @_; delete $n->{pci}{$_} // die "$_\n" for @bdfs; return }

sub module { my ($n, @names) = @_; $n->{modules}{$_} = 1 for @names; return }

# A change that needs the finished paths.
sub after { my ($n, $change) = @_; push @{ $n->{after} }, $change; return }

sub log { my ($n, @lines) = @_; push @{ $n->{log} }, @lines; return }

# Linux 6.x and 7.x: the chip's name, the hardware number with the trigger, the handlers.
sub interrupts {
	my ($n) = @_;
	my $ir = $n->{remap} ? 'IR-' : '';
	my $cpus = $n->{cpus};
	my $line = sub {
		my ($label, $seed, $rest) = @_;
		return sprintf "%4s:%s %s\n", $label,
			join('', map { sprintf ' %10u', ($seed * (7 + $_)) % 99991 } 0 .. $cpus - 1), $rest;
	};
	my $text = '     ' . join('', map { sprintf '%11s', "CPU$_" } 0 .. $cpus - 1) . "\n";
	$text =~ s/^ //;
	$text .= $line->(0, 3, sprintf '%-17s    %s', "${ir}IO-APIC", '2-edge      timer');
	$text .= $line->(8, 0, sprintf '%-17s    %s', "${ir}IO-APIC", '8-edge      rtc0');
	$text .= $line->(9, 0, sprintf '%-17s    %s', "${ir}IO-APIC", '9-fasteoi   acpi');
	if ($n->{iommu_on} && !$n->{amd}) {
		my $irq = 16;
		$text .= $line->($irq++, 0, "DMAR-MSI   $_->{number}-edge      $_->{name}") for @{ $n->{units} };
	}
	for my $i (@{ $n->{irqs} }) {
		my ($irq, $chip, $trigger, $name) = @$i;
		my $prefix = $n->{not_remapped}{$irq} ? '' : $ir;
		$text .= $line->($irq, $irq * 131, sprintf '%-24s %7s      %s', "$prefix$chip", $trigger, $name);
	}
	for my $fixed ([ 'NMI', 'Non-maskable interrupts' ], [ 'LOC', 'Local timer interrupts' ],
		[ 'RES', 'Rescheduling interrupts' ], [ 'CAL', 'Function call interrupts' ],
		[ 'TLB', 'TLB shootdowns' ], [ 'PIN', 'Posted-interrupt notification event' ],
		[ 'PIW', 'Posted-interrupt wakeup event' ]) {
		$text .= $line->($fixed->[0], length $fixed->[1], " $fixed->[1]");
	}
	$n->file('proc/interrupts', $text . " ERR:          0\n MIS:          0\n");
	return;
}

sub write_modules {
	my ($n) = @_;
	my @names = sort keys %{ $n->{modules} };
	$n->file('proc/modules', join '', map { "$_ 65536 1 - Live 0x0000000000000000\n" } @names);
	$n->dir("sys/module/$_") for @names;
	return;
}

# /proc/iomem: what lies in the windows of bridges and what in the BARs, nested.
sub iomem {
	my ($n) = @_;
	my $text = "00000000-00000fff : Reserved\n00001000-0009ffff : System RAM\n00100000-6ccdffff : System RAM\n";
	for my $bdf (sort keys %{ $n->{pci} }) {
		my $d = $n->{pci}{$bdf};
		next if $d->{dead};
		for my $bar (@{ $d->{bars} // [] }) {
			next if $bar->{io} || $bar->{unset};
			$text .= sprintf "%08x-%08x : %s\n", $bar->{at}, $bar->{at} + $bar->{size} - 1, $bdf;
			$text .= sprintf "  %08x-%08x : %s\n", $bar->{at}, $bar->{at} + $bar->{size} - 1, $d->{driver}
				if $d->{driver} && $d->{driver} ne 'vfio-pci';
		}
	}
	$n->file('proc/iomem', $text);
	return;
}

sub finish {
	my ($n) = @_;
	Devices::all($n);
	$n->interrupts;
	$n->write_modules;
	$n->iomem;
	if (@{ $n->{log} }) {
		my $time = 0;
		$n->file('metis-passthrough/klog', join '', map {
			$time += 0.013771;
			sprintf "[%5d.%06d] %s\n", int $time, ($time - int $time) * 1e6, $_;
		} map { ref $_ ? $_->() : $_ } @{ $n->{log} });
	}
	$_->($n) for @{ $n->{after} };
	return $n->text;
}

1;
