# SPDX-License-Identifier: GPL-2.0-or-later
# What this program leaves behind: a transaction in force, and the report of `status --record`.
package Node;
use strict;
use warnings;

my $plan = '{ "schema": 1, "id": "0001", "title": "setup 0000:86:00.0", "created": 1777990000, "tool": "1.0", "kernel": "7.0.0-3-pve", "boot_id": "9d4b1f60-2a0e-4c58-8f0f-5a4b3c2d1e0f", "steps": [], "promises": [] }' . "\n";
my $boot_id = '3b0d9a34-6a5c-4d0b-9f5e-0c1d2e3f4a5b';

# Each finding: [ id, severity, subject, summary, remedy ]; drift comes first.
sub recorded {
	my ($n, $verdict, @findings) = @_;
	my $quote = sub { my ($text) = @_; return defined $text ? qq{"$text"} : 'null' };
	my %count = map { $_ => 0 } qw(fail warn unknown info pass);
	$count{ $_->[1] }++ for @findings;
	$n->file('proc/sys/kernel/random/boot_id', "$boot_id\n");
	# An old one, without steps of its own: its digest (of plan.json) starts the log.
	$n->file('var/lib/metis-passthrough/0001/plan.json', $plan);
	$n->file('var/lib/metis-passthrough/0001/log',
		"plan f58b802b4e3fda8822cd4ea18f4df9f48664a47e0bd2b5825a1d4642f347a60d\napplied\n");
	$n->file('run/metis-passthrough/status.json', "{\n  \"schema\": 1,\n  \"tool\": \"metis-passthrough\",\n"
			. "  \"boot_id\": \"$boot_id\",\n  \"verdict\": \"$verdict\",\n"
			. "  \"transactions\": [\n    { \"id\": \"0001\", \"title\": \"setup 0000:86:00.0\", \"state\": \"in_force\" }\n  ],\n"
			. "  \"findings\": [\n"
			. join(",\n", map { my ($id, $severity, $subject, $summary, $remedy) = @$_;
				qq(    { "id": "$id", "severity": "$severity", "subject": "$subject",\n)
					. qq(      "summary": "$summary", "evidence": [], "remedy": ) . $quote->($remedy) . ' }'
			} @findings)
			. "\n  ],\n  \"summary\": { " . join(', ', map {qq("$_": $count{$_})} qw(fail warn unknown info pass)) . " }\n}\n");
	return;
}

1;
