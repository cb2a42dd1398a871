#!/usr/bin/env bats
# Judges what the whole node brought out of its boots: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by `run`.

# The variables come from variants/, the $ of jq are jq's.
# shellcheck disable=SC2154,SC2016

load ../helpers
load helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	# shellcheck source=../lib/lab.sh
	. "$BATS_TEST_DIRNAME/../lib/lab.sh"
	load_variant "$LAB_VARIANT"
}

@test "$LAB_VARIANT: the node boots, runs every command, and nothing fails in it" {
	local boot name
	while read -r boot name; do
		assert [ -s "$LAB_OUT/$boot/$name.rc" ]
	done < <(sed -n 's/^\([1-9] *[a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/commands")
	for boot in $(boots); do
		# 124 is the time limit, 126 and above no program, a signal, a sanitizer.
		for rc in "$LAB_OUT/$boot"/*.rc; do
			run cat "$rc"
			assert_output --regexp '^[0-5]$'
		done
		assert_equal "$boot: $(fact "$boot/running")" "$boot: running"
		assert_equal "$boot: $(cat "$LAB_OUT/$boot/failed.out")" "$boot: "
		assert_equal "$(fact "$boot/iommu")" dmar0
	done
}

@test "$LAB_VARIANT: before the set-up every card is the host's" {
	has_drivers 1
}
