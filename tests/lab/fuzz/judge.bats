#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats passes on what the node brought out, and fails when that is
# spoilt in one place.

bats_require_minimum_version 1.8.0
load ../helpers
load ../spoil

setup() {
	spoil_setup
}

@test "judge: a QEMU that the sanitizer ended is seen, with its finding" {
	write broken 'QEMU ended with 1: ERROR: AddressSanitizer'
	judged 'runs every command'
	assert_failure
	assert_output --partial 'AddressSanitizer'
}

@test "judge: a QEMU without the sanitizer is seen" {
	caught 'runs every command' write sanitized.out ''
	caught 'runs every command' rm "$SPOILT/fuzz-2.rc"
}

@test "judge: a run that ended early is seen" {
	caught 'takes whatever' write fuzz-3.rc 1
	caught 'takes whatever' write fuzz-1.out ''
}

@test "judge: a run that did nothing is seen" {
	local name
	for name in doorbells host-reads host-writes messages flrs power-cycles; do
		caught 'in the middle' sed -i "s/^$name=.*/$name=1/" "$SPOILT/counts.out"
	done
}

@test "judge: a card that does not recover is seen" {
	caught 'passes the self-test' write selftest.rc 1
	caught 'passes the self-test' edit selftest.out '.verdict = "failed"'
	caught 'passes the self-test' write heal.rc 1
}

@test "judge: a card that is taken for another kind is seen" {
	caught 'alpha silicon' edit profile.out '.device.id = "1f9d:1100"'
	caught 'alpha silicon' edit profile.out '.profile = "generic"'
	caught 'alpha silicon' edit profile.out 'del(.card)'
}
