# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes of a PCI configuration space, with the capability layouts of the specifications
# (PCI Express Base 6.0 chapter 7; PCI Local Bus 3.0 section 6.8 for MSI).
package PciConfig;
use strict;
use warnings;

my %SPEED = ('2.5' => 1, '5.0' => 2, '8.0' => 3, '16.0' => 4, '32.0' => 5);
my %TYPE = (endpoint => 0, legacy => 1, root => 4, upstream => 5, downstream => 6,
	bridge => 7, integrated => 9);

sub put {
	my ($c, $offset, $size, $value) = @_;
	for my $i (0 .. $size - 1) {
		vec($$c, $offset + $i, 8) = ($value >> (8 * $i)) & 0xff;
	}
	return;
}

sub log2 { my ($n) = @_; my $l = 0; $l++ while 1 << $l < $n; return $l }

sub pm {
	my ($c, $at, $d) = @_;
	put($c, $at + 2, 2, 0x0003 | ($d->{pme} ? 0xc800 : 0));
	put($c, $at + 4, 2, ($d->{d_state} // 0) | ($d->{soft_reset} ? 0 : 8));
	return;
}

sub msi {
	my ($c, $at, $d) = @_;
	my $m = $d->{msi};
	my $control = log2($m->{vectors}) << 1 | ($m->{wide} // 1) << 7 | ($m->{mask} // 0) << 8;
	if ($m->{on}) {
		$control |= 1 | log2($m->{on}) << 4;
		put($c, $at + 4, 4, $m->{address} // 0xfee00000);
		put($c, $at + (($m->{wide} // 1) ? 12 : 8), 2, $m->{data} // 0);
	}
	put($c, $at + 2, 2, $control);
	return;
}

sub msix {
	my ($c, $at, $d) = @_;
	my $m = $d->{msix};
	put($c, $at + 2, 2, ($m->{vectors} - 1) | ($m->{on} ? 0x8000 : 0));
	put($c, $at + 4, 4, $m->{table} | $m->{bar});
	put($c, $at + 8, 4, $m->{pba} | ($m->{pba_bar} // $m->{bar}));
	return;
}

sub pcie {
	my ($c, $at, $d) = @_;
	my $e = $d->{pcie};
	my $port = $e->{type} =~ /^(root|downstream)$/;
	put($c, $at + 2, 2, 2 | $TYPE{ $e->{type} } << 4 | ($port && $e->{slot} ? 0x100 : 0));
	put($c, $at + 4, 4, 0x8001 | ($e->{flr} ? 1 << 28 : 0));
	put($c, $at + 8, 2, 0x2910 | ($e->{type} eq 'root' ? 7 : 0));
	put($c, $at + 10, 2, $e->{status} // 0);
	if ($e->{speed}) {
		put($c, $at + 12, 4, $SPEED{ $e->{max_speed} // $e->{speed} } |
			($e->{max_width} // $e->{width}) << 4 | 0x400);
		put($c, $at + 18, 2, $SPEED{ $e->{speed} } | $e->{width} << 4 |
			($port && $e->{width} ? 0x2000 : 0));
	}
	put($c, $at + 20, 4, $e->{slot} << 19 | 0x60) if $port && $e->{slot};
	put($c, $at + 26, 2, $e->{width} ? 0x40 : 0) if $port && $e->{slot};
	put($c, $at + 36, 4, 0x1f);
	return;
}

sub extended {
	my ($c, $d) = @_;
	my @caps;
	push @caps, [ 1, 2, 0x48, sub { put($c, $_[0] + 0x0c, 4, 0x00463030) } ] if $d->{aer};
	push @caps, [ 3, 1, 12, sub {
		put($c, $_[0] + 4, 4, $d->{serial} & 0xffffffff);
		put($c, $_[0] + 8, 4, $d->{serial} >> 32);
	} ] if $d->{serial};
	push @caps, [ 0x0d, 1, 8, sub {
		put($c, $_[0] + 4, 2, $d->{acs}[0]);
		put($c, $_[0] + 6, 2, $d->{acs}[1]);
	} ] if $d->{acs};
	push @caps, [ 0x0f, 1, 8, sub { put($c, $_[0] + 4, 2, 0x60) } ] if $d->{ats};
	push @caps, [ 0x10, 1, 0x40, sub {
		put($c, $_[0] + 0x0c, 2, $d->{vfs});
		put($c, $_[0] + 0x0e, 2, $d->{vfs});
	} ] if $d->{vfs};
	my $at = 0x100;
	while (my $cap = shift @caps) {
		my $next = $at + ($cap->[2] + 15 & ~15);
		put($c, $at, 4, $cap->[0] | $cap->[1] << 16 | (@caps ? $next << 20 : 0));
		$cap->[3]->($at);
		$at = $next;
	}
	return;
}

# Base and limit of what a bridge forwards; base above limit: nothing.
sub windows {
	my ($c, $d) = @_;
	put($c, 0x1c, 2, 0x00f0);
	put($c, 0x20, 4, $d->{window} ? ($d->{window}[0] >> 16 & 0xfff0) | ($d->{window}[1] & 0xfff00000) : 0xfff0);
	my $w = $d->{window64} // [ 0xfff00000, 0 ];
	put($c, 0x24, 4, ($w->[0] >> 16 & 0xfff0) | ($w->[1] & 0xfff00000) | 0x00010001);
	put($c, 0x28, 4, $w->[0] >> 32);
	put($c, 0x2c, 4, $w->[1] >> 32);
	return;
}

sub header {
	my ($c, $d) = @_;
	my ($vendor, $device) = map { hex } split /:/, $d->{id};
	my ($subvendor, $subdevice) = map { hex } split /:/, $d->{subsystem} // '0:0';
	put($c, 0, 2, $vendor);
	put($c, 2, 2, $device);
	put($c, 4, 2, $d->{command} // ($d->{driver} && ($d->{d_state} // 0) == 0 ? 0x0406 : 0));
	put($c, 6, 2, 0x0010);
	put($c, 8, 4, ($d->{revision} // 0) | $d->{class} << 8);
	put($c, 12, 1, 0x10);
	put($c, 14, 1, ($d->{secondary} ? 1 : 0) | ($d->{multifunction} ? 0x80 : 0));
	put($c, 0x3d, 1, $d->{pin} // 1);
	put($c, 0x3c, 1, $d->{line} // 0xff);
	if ($d->{secondary}) {
		put($c, 0x18, 1, $d->{bus});
		put($c, 0x19, 1, $d->{secondary});
		put($c, 0x1a, 1, $d->{subordinate} // $d->{secondary});
		put($c, 0x3e, 2, $d->{bridge_control} // 3);
		windows($c, $d);
		return;
	}
	put($c, 0x2c, 2, $subvendor);
	put($c, 0x2e, 2, $subdevice);
	for my $bar (@{ $d->{bars} // [] }) {
		next if $bar->{n} > 5;
		my $low = $bar->{io} ? 1 : ($bar->{wide} ? 4 : 0) | ($bar->{pref} ? 8 : 0);
		put($c, 0x10 + 4 * $bar->{n}, 4, ($bar->{at} & 0xfffffff0) | $low);
		put($c, 0x14 + 4 * $bar->{n}, 4, $bar->{at} >> 32) if $bar->{wide};
	}
	return;
}

# The whole space; SIZE 64, 256 or 4096.
sub bytes {
	my ($d) = @_;
	my $size = $d->{config_size} // ($d->{pcie} ? 4096 : 256);
	return "\xff" x $size if $d->{dead};
	my $config = "\0" x 4096;
	header(\$config, $d);
	my @caps;
	push @caps, [ 1, $d->{pm_at} // 0x40, \&pm ] unless $d->{no_pm};
	push @caps, [ 5, $d->{msi}{at} // 0x50, \&msi ] if $d->{msi};
	push @caps, [ 0x10, $d->{pcie_at} // 0x70, \&pcie ] if $d->{pcie};
	push @caps, [ 0x11, $d->{msix_at} // 0xb0, \&msix ] if $d->{msix};
	@caps = sort { $a->[1] <=> $b->[1] } @caps;
	put(\$config, 0x34, 1, @caps ? $caps[0][1] : 0);
	put(\$config, 6, 2, 0) unless @caps;
	for my $i (0 .. $#caps) {
		put(\$config, $caps[$i][1], 1, $caps[$i][0]);
		put(\$config, $caps[$i][1] + 1, 1, $i < $#caps ? $caps[ $i + 1 ][1] : 0);
		$caps[$i][2]->(\$config, $caps[$i][1], $d);
	}
	extended(\$config, $d) if $d->{pcie};
	return substr $config, 0, $size;
}

1;
