#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats passes on what the node brought out, and fails when that is
# spoilt in one place.

bats_require_minimum_version 1.8.0
load ../helpers
load ../spoil

setup() {
	spoil_setup
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'the node boots'
	assert_failure
	assert_output --partial 'last words'
}

@test "judge: a command killed by a signal, or not run, is seen" {
	caught 'the node boots' write 1/list.rc 139
	caught 'the node boots' rm "$SPOILT/2/after.rc"
}

@test "judge: a unit that failed is seen" {
	caught 'the node boots' write 2/failed.out 'metis-passthrough-status.service loaded failed failed'
	caught 'the node boots' write 2/running.out degraded
}

@test "judge: a card that was not the host's is seen" {
	caught 'before the set-up' sed -i 's/^\(0000:01:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/1/cards.out"
}
