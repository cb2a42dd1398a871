# SPDX-License-Identifier: GPL-2.0-or-later
# ACPI tables: DMAR (Intel VT-d specification chapter 8) and IVRS (AMD I/O Virtualization
# Technology specification chapter 5).
package Acpi;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

sub table {
	my ($signature, $revision, $body) = @_;
	my $bytes = pack 'a4 V C C a6 a8 V a4 V', $signature, 36 + length $body, $revision, 0,
		'INVENT', 'EXAMPLE ', 1, 'TEST', 1;
	$bytes .= $body;
	my $sum = 0;
	$sum += ord for split //, $bytes;
	substr $bytes, 9, 1, chr(-$sum & 0xff);
	return $bytes;
}

# [type, id, bus, [dev, fn], ...]; types: 1 endpoint, 2 bridge, 3 IOAPIC, 4 HPET
sub scope {
	my ($type, $id, $bus, @path) = @{ $_[0] };
	my $path = join '', map { pack 'CC', @$_ } @path;
	return pack('C C v C C', $type, 6 + length $path, 0, $id, $bus) . $path;
}

sub structure { my ($type, $body) = @_; return pack('vv', $type, 4 + length $body) . $body }

sub dmar {
	my ($t) = @_;
	my $body = pack 'C C x10', ($t->{width} // 46) - 1, $t->{flags};
	for my $u (@{ $t->{units} }) {
		my $scopes = join '', map { scope($_) } @{ $u->{scopes} // [] };
		$body .= structure(0, pack('C x v Q<', $u->{all} ? 1 : 0, $u->{segment} // 0,
				$u->{base}) . $scopes);
	}
	for my $r (@{ $t->{rmrr} // [] }) {
		my $scopes = join '', map { scope($_) } @{ $r->{scopes} };
		$body .= structure(1, pack('x2 v Q< Q<', $r->{segment} // 0, $r->{start},
				$r->{end}) . $scopes);
	}
	for my $a (@{ $t->{atsr} // [] }) {
		$body .= structure(2, pack('C x v', 0, 0) . join '', map { scope($_) } @$a);
	}
	for my $u (@{ $t->{units} }) {
		next unless defined $u->{node};
		$body .= structure(3, pack('x4 Q< V', $u->{base}, $u->{node}));
	}
	return table('DMAR', 1, $body);
}

# MADT (ACPI specification 5.2.12): the I/O APICs with these ids, nothing else.
sub madt {
	my (@ids) = @_;
	my $body = pack 'V V', 0xfee00000, 1;
	$body .= pack 'C C C x V V', 1, 12, $ids[$_], 0xfec00000 + 0x1000 * $_, 24 * $_ for 0 .. $#ids;
	return table('APIC', 4, $body);
}

sub ivrs {
	my ($t) = @_;
	my $body = pack 'V x8', $t->{info} // 0x00203043;
	for my $h (@{ $t->{ivhd} }) {
		# Device entries: 3 start of range, 4 end of range, 72 special (IOAPIC, HPET).
		my $entries = join '', map { pack 'C v C', @$_[ 0, 1, 2 ] } @{ $h->{ranges} };
		$entries .= join '', map { pack 'C v C C v C', 72, 0, $_->[0], $_->[1], $_->[2], $_->[3] }
			@{ $h->{special} // [] };
		for my $type (@{ $h->{types} // [ 0x10, 0x11, 0x40 ] }) {
			my $head = pack 'v v Q< v v V', $h->{device}, 0x40, $h->{base},
				$h->{segment} // 0, 0, $h->{attributes} // 0x80048824;
			$head .= pack 'Q< Q<', $h->{efr}, 0 if $type != 0x10;
			$body .= pack('C C v', $type, $h->{flags} // 0xb0, 4 + length($head) + length $entries)
				. $head . $entries;
		}
	}
	for my $m (@{ $t->{ivmd} // [] }) {
		$body .= pack 'C C v v v x8 Q< Q<', $m->{type}, $m->{flags}, 32, $m->{device},
			$m->{last} // 0, $m->{start}, $m->{length};
	}
	return table('IVRS', 2, $body);
}

1;
