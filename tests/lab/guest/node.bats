#!/usr/bin/env bats
# Judges what the node with a Linux guest brought out: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by `run`.

load ../helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
}

# seen NAME ID: how often the guest saw such a device.
seen() {
	grep -c "^guest: .* $2" "$LAB_OUT/$1.out" || true
}

@test "$LAB_VARIANT: the node runs every command, and has KVM" {
	local name rc
	while read -r name _; do
		assert [ -s "$LAB_OUT/$name.rc" ]
	done < <(grep -v '^#' "$BATS_TEST_DIRNAME/commands")
	for rc in "$LAB_OUT"/*.rc; do
		run cat "$rc"
		assert_output --regexp '^[0-5]$'
	done
	exited kvm 0
	exited preflight 0
}

@test "$LAB_VARIANT: a Linux runs as a guest, with the card when it was given" {
	exited linux-alone 0
	exited linux 0
	run grep -c '^guest: Linux [0-9.]*-.* after ' "$LAB_OUT/linux-alone.out" "$LAB_OUT/linux.out"
	assert_line --partial 'linux-alone.out:1'
	assert_line --partial 'linux.out:1'
	assert_equal "$(seen linux-alone "0x1f9d 0x1100")" 0
	assert_equal "$(seen linux "0x1f9d 0x1100")" 1
	# What both have: QEMU's host bridge.
	assert_equal "$(seen linux-alone "0x8086 0x29c0")" 1
	assert_equal "$(seen linux "0x8086 0x29c0")" 1
}

@test "$LAB_VARIANT: the guest leaves the host's log without faults" {
	run grep -E 'DMAR: .*fault|BUG: |Oops|Call Trace' "$LAB_OUT/dmesg"
	assert_failure
	assert_output ''
}
