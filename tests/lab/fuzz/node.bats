#!/usr/bin/env bats
# Judges what the ill-treated virtual Metis left: LAB_VARIANT and LAB_OUT. Run by `run`.

load ../helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
}

# AddressSanitizer ends QEMU at its first finding: then node_ran fails, and prints the finding.
@test "$LAB_VARIANT: the node runs every command, under AddressSanitizer" {
	local name
	while read -r name; do
		assert [ -s "$LAB_OUT/$name.rc" ]
	done < <(sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/commands")
	assert_equal "$(fact sanitized)" 1
}

@test "$LAB_VARIANT: the card takes whatever is written to it" {
	local name
	for name in fuzz-1 fuzz-2 fuzz-3; do
		exited "$name" 0
		run cat "$LAB_OUT/$name.out"
		assert_output --regexp '^[1-9][0-9]{4} operations, seed [1-9]$'
	done
}

# count NAME: what the card counted.
count() {
	sed -n "s/^$1=//p" "$LAB_OUT/counts.out"
}

@test "$LAB_VARIANT: it was in the middle of it: jobs, reads, writes, events, resets, power cycles" {
	assert [ "$(count doorbells)" -gt 1000 ]
	assert [ "$(count host-reads)" -gt 1000 ]
	assert [ "$(count host-writes)" -gt 1000 ]
	assert [ "$(count messages)" -gt 10 ]
	assert [ "$(count flrs)" -gt 10 ]
	assert [ "$(count power-cycles)" -gt 5 ]
}

@test "$LAB_VARIANT: afterwards the card passes the self-test" {
	exited heal 0
	exited selftest 0
	json "$LAB_OUT/selftest.out" '.verdict == "passed"'
}

# Its firmware may still be starting, or it may sleep: what is told is which card it is.
@test "$LAB_VARIANT: a card with the id of alpha silicon is a Metis too" {
	json "$LAB_OUT/profile.out" '.device.id == "1f9d:11aa" and .profile == "metis" and .card.kind == "metis"'
}
