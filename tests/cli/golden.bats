# SPDX-License-Identifier: GPL-2.0-or-later
# What the program says about the captured hosts is what somebody read and found true.

load helpers

@test "every captured host has its reports" {
	local snap name
	for snap in "$TOP_SRCDIR"/tests/hosts/*.snap; do
		name=$(basename "$snap" .snap)
		assert_file_exist "$TOP_SRCDIR/tests/golden/$name.txt"
		assert_file_exist "$TOP_SRCDIR/tests/golden/$name.json"
	done
	for name in "$TOP_SRCDIR"/tests/golden/*.txt; do
		name=$(basename "$name" .txt)
		case $name in list-* | plan-* | in-guest-*) continue ;; esac
		assert_file_exist "$TOP_SRCDIR/tests/hosts/$name.snap"
	done
}

@test "the text reports are as before" {
	run "$TOP_SRCDIR/tests/golden/update" --check text
	assert_success
}

@test "the JSON reports are as before" {
	run "$TOP_SRCDIR/tests/golden/update" --check json
	assert_success
}

@test "the lists are as before" {
	run "$TOP_SRCDIR/tests/golden/update" --check list
	assert_success
}

@test "the plans are as before" {
	run "$TOP_SRCDIR/tests/golden/update" --check plan
	assert_success
}

@test "what guests see is as before" {
	run "$TOP_SRCDIR/tests/golden/update" --check guest
	assert_success
}
