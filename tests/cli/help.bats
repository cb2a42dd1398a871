#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
load helpers

@test "--help and --version answer on standard output" {
	metis --help
	assert_line --index 0 "Usage: metis-passthrough VERB [OPTION]... [ARGUMENT]..."
	assert_line --partial "Exit codes: 0 ready or done"
	[ -z "$stderr" ]
	metis -h
	assert_line --index 0 --partial "Usage:"
	metis --version
	assert_line --index 0 --regexp '^metis-passthrough [0-9]+\.[0-9]+'
	metis -V
	assert_line --index 0 --regexp '^metis-passthrough [0-9]+\.[0-9]+'
}

@test "the list of verbs is not empty and holds the four of this release" {
	run verbs
	for verb in list preflight explain snapshot; do
		assert_line "$verb"
	done
}

@test "each verb has help on standard output, within 80 columns" {
	for verb in $(verbs); do
		metis "$verb" --help
		assert_line --index 0 --partial "Usage: metis-passthrough $verb [OPTION]..."
		assert_line --regexp '^  -h, --help +show this help$'
		[ -z "$stderr" ]
		run awk 'length > 80' <<<"$output"
		assert_output ""
	done
}

@test "each option of each verb has a description" {
	for verb in $(verbs); do
		[ -n "$(options "$verb")" ]
		metis "$verb" --help
		# An option's line goes on in column 26, or its description starts on the next line.
		run awk '/^Options:/ { on = 1; next } /^$/ { on = 0 }
			on && /^  .?-/ && !/  +[a-z]/ { pending = $0; next }
			on && pending { if (!/^ {26}[^ ]/) print pending; pending = "" }' <<<"$output"
		assert_output ""
	done
}

@test "help wins over a missing argument and needs no host" {
	metis explain --help
	assert_line --index 0 --partial "explain"
	metis preflight --sysroot /nonexistent --help
	assert_line --index 0 --partial "preflight"
}
