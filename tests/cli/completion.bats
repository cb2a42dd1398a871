#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The completion offers what the program takes: no more, no less.
load helpers

setup() {
	# shellcheck source=contrib/completions/metis-passthrough.bash
	source "$TOP_SRCDIR/contrib/completions/metis-passthrough.bash"
}

# complete_line LINE: what is offered at its end, sorted.
complete_line() {
	COMP_LINE=$1
	COMP_POINT=${#1}
	COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
	_metis_passthrough
	[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort
}

@test "verbs are those of the program" {
	assert_equal "$(complete_line "$METIS " | grep -v '^-')" "$(verbs | sort)"
}

@test "options of each verb are those of its help" {
	for verb in $(verbs); do
		assert_equal "$verb: $(complete_line "$METIS $verb --" | one_line)" \
			"$verb: $(options "$verb" | one_line)"
	done
}

@test "short options are those of the help too" {
	for verb in $(verbs); do
		expected=$("$METIS" "$verb" --help | sed -n 's/^  \(-.\), .*/\1/p' | sort | one_line)
		assert_equal "$verb: $(complete_line "$METIS $verb -" | grep -v '^--' | one_line)" \
			"$verb: $expected"
	done
}

@test "each format that is offered is one, and each one is offered" {
	for verb in $(verbs); do
		"$METIS" "$verb" --help | grep -q -- --format || continue
		expected=$("$METIS" "$verb" --help | sed -n 's/.*output format: //p' | tr -d , |
			tr " " "\n" | sort | one_line)
		assert_equal "$verb: $(complete_line "$METIS $verb --format " | one_line)" "$verb: $expected"
	done
}

@test "profiles are the shipped ones" {
	metis 2 preflight --profile no-such-profile
	expected=$(sed -n 's/.*(there are: \(.*\); a file.*/\1/p' <<<"$stderr" | tr -d ,)
	assert_equal "$(complete_line "$METIS preflight -p " | one_line)" "$expected"
}

@test "check ids are offered" {
	metis preflight --list-checks --format json
	expected=$(jq -r '.checks[].id' <<<"$output" | sort | one_line)
	[ -n "$expected" ]
	assert_equal "$(complete_line "$METIS explain " | one_line)" "$expected"
	assert_equal "$(complete_line "$METIS preflight --check " | one_line)" "$expected"
}

@test "after a colon only the rest is offered" {
	_metis_passthrough_devices() {
		printf '%s\n' 0000:86:00.0 0000:87:00.0
	}
	assert_equal "$(complete_line "$METIS preflight -d 0000:8" | one_line)" "86:00.0 87:00.0"
}

@test "files are offered where a file is meant" {
	cd "$BATS_TEST_TMPDIR"
	touch node.snap
	assert_equal "$(complete_line "$METIS preflight --sysroot no")" node.snap
	assert_equal "$(complete_line "$METIS preflight --profile ./no")" ./node.snap
}

@test "an option that takes no value is followed by options" {
	[[ $(complete_line "$METIS list -t -" | one_line) == *"--device"* ]] || fail "list -t"
	assert_equal "$(complete_line "$METIS bind -t ")" ""
}

@test "nothing is offered for a verb that does not exist" {
	assert_equal "$(complete_line "$METIS frobnicate --")" ""
}
