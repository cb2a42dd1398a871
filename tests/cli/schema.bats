#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What is written as JSON is what templates/schema says, and the validator can say no.
load helpers

# One snapshot of each kind would do, but they are cheap: all of them.
hosts() {
	find "$TOP_SRCDIR/tests/hosts" -maxdepth 1 -name '*.snap' | sort
}

@test "there are captured hosts to test with" {
	[ "$(hosts | wc -l)" -ge 10 ]
}

@test "preflight writes what its schema says, on every captured host" {
	for snap in $(hosts); do
		run --separate-stderr timeout 60 "$METIS" preflight --sysroot "$snap" --format json
		[ "$status" -le 1 ] || fail "$snap: exit $status: $stderr"
		assert_schema preflight
		assert_json .exit_code "$status"
		assert_json .ready "$([ "$status" -eq 0 ] && echo true || echo false)"
		assert_json '.host.live' false
		# Every finding is counted once.
		assert_json '([.summary[]] | add) == (.findings | length)' true
	done
}

@test "list writes what its schema says, on every captured host" {
	for snap in $(hosts); do
		metis list --sysroot "$snap" --format json
		assert_schema list
	done
}

@test "the validator says no" {
	metis list --sysroot "$(host forum-node)" --format json
	local good=$output
	for change in 'del(.tool)' '.schema = 2' '.extra = 1' '.host.live = "yes"' \
		'.devices[0].address = "86:00.0"' '.devices[0].iommu_group = 1.5' \
		'.devices[0].iommu_group = -1' '.devices[0] |= del(.driver)' '.groups[0].devices[0] = 1' \
		'.devices = {}'; do
		output=$(jq "$change" <<<"$good")
		run assert_schema list
		assert_failure
	done
	output=$good
	assert_schema list
}
