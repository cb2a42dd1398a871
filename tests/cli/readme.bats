#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The report in README.md is one that this program writes. Wording may be older; what it
# found, in which order, and the exit code may not. `build-aux/readme-report` renews it.
load helpers

marks() {
	grep -oE '^[✗!?·] [a-z0-9-]+' | sort
}

@test "README shows a real report" {
	report=$(sed -n '/^<!-- report:begin/,/^<!-- report:end/s/^    //p' "$TOP_SRCDIR/README.md")
	[ -n "$report" ]
	run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)"
	assert_equal "$(marks <<<"$report")" "$(marks <<<"$output")"
	assert_equal "$(tail -n 1 <<<"$report")" "$status"
	assert_equal "$(sed -n 2p <<<"$report" | cut -d: -f1)" "$(cut -d: -f1 <<<"${lines[0]}")"
}

@test "README's exit codes are those of the program" {
	for code in 0 1 2 3 4 5; do
		grep -q "^| $code |" "$TOP_SRCDIR/README.md" || fail "no exit code $code in README.md"
	done
}

@test "files that README and HACKING name are there" {
	for file in $(grep -ohE '\]\(([a-zA-Z0-9_./-]+)\)' "$TOP_SRCDIR"/README.md "$TOP_SRCDIR"/HACKING.md | tr -d ']()'); do
		assert_exists "$TOP_SRCDIR/$file"
	done
}
