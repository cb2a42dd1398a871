# SPDX-License-Identifier: GPL-2.0-or-later
# What this program leaves behind: a transaction in force, the report of `status --record`, and those of self-tests.
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

# The last self-test of the card: of which kernel and BIOS, and the summary of the case that failed, if one did.
sub selftested {
	my ($n, $address, $serial, $kernel, $bios, $failure) = @_;
	my ($verdict, $pass, $fail, $code) = defined $failure ? ('failed', 13, 1, 1) : ('passed', 14, 0, 0);
	my $results = defined $failure
		? qq(\n    { "case": "dma-write", "round": 1, "verdict": "fail", "summary": "$failure", "evidence": [], "remedy": null,\n)
			. qq(      "bytes": 0, "latency_ns": null, "bytes_per_second": null }\n  )
		: '';
	$n->file("var/lib/metis-passthrough/selftest/$address.json", <<"JSON");
{
  "schema": 1,
  "tool": "metis-passthrough",
  "host": { "kernel": "$kernel" },
  "bios": { "version": "$bios" },
  "pin": { "address": "$address", "id": "1f9d:1100", "subsystem": "1f9d:0001", "serial": $serial, "slot": "6" },
  "engine": "dw-edma",
  "options": { "cases": null, "rounds": 1, "bytes": 4096, "isolation": true },
  "started": 1777990400,
  "verdict": "$verdict",
  "results": [$results],
  "summary": { "fail": $fail, "skip": 2, "pass": $pass },
  "exit_code": $code
}
JSON
	return;
}

1;
