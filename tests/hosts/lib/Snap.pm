# SPDX-License-Identifier: GPL-2.0-or-later
# The paths of a captured host, and the text of its snapshot file (src/core/snapshot-tree.h).
package Snap;
use strict;
use warnings;

sub new {
	my ($class, $name) = @_;
	return bless { name => $name, at => {}, notes => [] }, $class;
}

sub note { my ($s, @lines) = @_; push @{ $s->{notes} }, map { split /\n/ } @lines; return }

sub file { my ($s, $path, $text) = @_; $s->{at}{$path}{file} = $text; return }

sub bin { my ($s, $path, $bytes) = @_; $s->{at}{$path}{bin} = $bytes; return }

sub symlink { my ($s, $path, $target) = @_; $s->{at}{$path}{link} = $target; return }

# A directory that may be empty.
sub dir { my ($s, $path) = @_; $s->{at}{$path}{stat} //= [ 'dir', 0755, 0, 1767225600 ]; return }

sub stat {
	my ($s, $path, $type, $mode, $size, $mtime) = @_;
	$s->{at}{$path}{stat} = [ $type, $mode, $size, $mtime ];
	return;
}

# LOOK: read, link, list, stat, or '' for all.
sub err { my ($s, $path, $look, $errno) = @_; $s->{at}{$path}{err}{$look} = $errno; return }

# A link whose target is given from the root, written as sysfs does: relative.
sub rlink {
	my ($s, $path, $target) = @_;
	my @from = split m{/}, $path;
	my @to = split m{/}, $target;
	pop @from;
	while (@from && @to && $from[0] eq $to[0]) { shift @from; shift @to }
	return $s->symlink($path, join '/', ('..') x @from, @to);
}

# Forgets PATH and all below it.
sub drop {
	my ($s, $path) = @_;
	my @gone = grep { $_ eq $path || index($_, "$path/") == 0 } keys %{ $s->{at} };
	die "$s->{name}: nothing to drop at $path\n" unless @gone;
	delete @{ $s->{at} }{@gone};
	return;
}

# Changes a text file by a function on $_; it must change something.
sub edit {
	my ($s, $path, $change) = @_;
	local $_ = $s->{at}{$path}{file};
	die "$s->{name}: no file $path\n" unless defined;
	my $old = $_;
	$change->();
	die "$s->{name}: the edit of $path changed nothing\n" if $_ eq $old;
	$s->{at}{$path}{file} = $_;
	return;
}

sub escape {
	my ($name) = @_;
	$name =~ s/([\x00-\x20\x7f\\])/sprintf '\\x%02x', ord $1/ge;
	$name =~ s{^([\[#|])}{sprintf "\\x%02x", ord $1}e;
	return "\\x2d" if $name eq "-";
	return $name;
}

sub text_lines {
	my ($name, $text) = @_;
	return "$name = $text" if $text =~ /\A[^\n]+\n\z/;
	my @out = "$name :\n";
	push @out, $1 eq '' ? "|\n" : "| $1\n" while $text =~ /\G([^\n]*)\n/gc;
	push @out, "\\ $1\n" if $text =~ /\G([^\n]+)\z/;
	return @out;
}

sub hex_lines {
	my ($name, $bytes) = @_;
	my @out = sprintf "%s x %d\n", $name, length $bytes;
	for (my $i = 0; $i < length $bytes; $i += 16) {
		my $row = substr $bytes, $i, 16;
		next if $row !~ /[^\0]/;
		push @out, sprintf "| %03x: %s\n", $i, join ' ', map { sprintf '%02x', ord } split //, $row;
	}
	return @out;
}

sub entry {
	my ($name, $what) = @_;
	my @out;
	push @out, text_lines($name, $what->{file}) if defined $what->{file};
	push @out, hex_lines($name, $what->{bin}) if defined $what->{bin};
	push @out, "$name -> $what->{link}\n" if defined $what->{link};
	push @out, sprintf "%s ? %s 0%o %d %d\n", $name, @{ $what->{stat} } if $what->{stat};
	for my $look (sort keys %{ $what->{err} // {} }) {
		push @out, "$name ! " . ($look ? "$look " : '') . "$what->{err}{$look}\n";
	}
	return @out;
}

sub text {
	my ($s) = @_;
	my (%dirs, @out);
	for my $path (keys %{ $s->{at} }) {
		my ($dir, $name) = $path =~ m{^(.*)/([^/]+)$} ? ($1, $2) : ('', $path);
		$dirs{$dir}{$name} = $s->{at}{$path};
	}
	push @out, "metis-passthrough snapshot 1\n", "tool: tests/hosts/generate\n",
		"missing: absent\n", "scrubbed: yes\n";
	push @out, map { $_ eq '' ? "#\n" : "# $_\n" } @{ $s->{notes} };
	my $count = 0;
	for my $dir (sort keys %dirs) {
		push @out, "\n[/$dir]\n";
		for my $name (sort keys %{ $dirs{$dir} }) {
			my @lines = entry(escape($name), $dirs{$dir}{$name});
			$count += grep { !/^[|\\]/ } @lines;
			push @out, @lines;
		}
	}
	return join '', @out, "\n[end $count]\n";
}

1;
