#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual tells what the program does: verbs, options, exit codes, keys of YAML files.
load helpers

man8() {
	cat "$TOP_SRCDIR/man/metis-passthrough.8.scd"
}

# The long options that section VERB of the manual describes.
manual_options() {
	man8 | awk -v verb="$1" '/^#/ { on = $0 == "## " verb } on && /^\*-/' |
		grep -oE -- '--[a-z-]+' | sort -u
}

@test "each verb of the program has a section, and each section is a verb" {
	assert_equal "$(man8 | sed -n 's/^## //p' | sort)" "$(verbs | sort)"
}

@test "each verb's options are those of its help" {
	for verb in $(verbs); do
		assert_equal "$verb: $(manual_options "$verb" | one_line)" \
			"$verb: $(options "$verb" | grep -vx -- --help | one_line)"
	done
}

@test "short options stand before the right long ones" {
	for verb in $(verbs); do
		"$METIS" "$verb" --help | sed -n 's/^  \(-.\), \(--[a-z-]*\).*/*\1*, *\2*/p' |
			while read -r pair; do
				man8 | grep -qF -- "$pair" || fail "$verb: $pair is not in the manual"
			done
	done
}

@test "exit codes are those of error.h" {
	expected=$(grep -oE 'MP_EXIT_[A-Z_]+ = [0-9]' "$TOP_SRCDIR/src/core/error.h" | grep -o '.$' | one_line)
	assert_equal "$(man8 | awk '/^# / { on = $0 == "# EXIT CODES" } on' | sed -n 's/^\*\([0-9]\)\*$/\1/p' | one_line)" \
		"$expected"
}

@test "severities are those of the program" {
	expected=$(sed -n 's/^\t\[MP_[A-Z]*\] = "\([a-z]*\)",$/\1/p' "$TOP_SRCDIR/src/core/finding.c" | sort | one_line)
	[ -n "$expected" ]
	assert_equal "$(man8 | awk '/^# / { on = $0 == "# SEVERITIES" } on' | sed -n 's/^\*\([a-z]*\)\*$/\1/p' | sort | one_line)" \
		"$expected"
}

@test "each key of a profile and of the configuration is in the manual" {
	page=$(sed 's/\\//g' "$TOP_SRCDIR/man/metis-passthrough-config.5.scd")
	for file in profile-parse settings; do
		keys=$(sed -n 's/^\t*{ "\([a-z_]*\)", MP_YAML_.*/\1/p' "$TOP_SRCDIR/src/core/$file.c")
		[ "$(wc -l <<<"$keys")" -gt 5 ]
		for key in $keys; do
			[[ $page == *"*$key*"* ]] || fail "$file: key '$key' is not in the manual"
		done
	done
}

# The example NAME of the manual: the Nth literal block of page 5.
example() {
	awk -v n="$2" '/^```$/ { on = !on; count += on; next } on && count == n' \
		"$TOP_SRCDIR/man/$1.5.scd"
}

@test "the examples of the manual work" {
	mkdir -p "$BATS_TEST_TMPDIR/root/etc/metis-passthrough" "$BATS_TEST_TMPDIR/root/sys"
	example metis-passthrough-config 2 >"$BATS_TEST_TMPDIR/profile.yaml"
	assert_file_contains "$BATS_TEST_TMPDIR/profile.yaml" "^name: metis"
	run "$METIS" preflight --sysroot "$BATS_TEST_TMPDIR/root" --profile "$BATS_TEST_TMPDIR/profile.yaml"
	refute_output --regexp "profile.yaml:[0-9]"
	example metis-passthrough-config 1 >"$BATS_TEST_TMPDIR/root/etc/metis-passthrough/config.yaml"
	assert_file_contains "$BATS_TEST_TMPDIR/root/etc/metis-passthrough/config.yaml" "^cards:"
	run "$METIS" preflight --sysroot "$BATS_TEST_TMPDIR/root"
	refute_output --regexp "config.yaml:[0-9]"
	example metis-passthrough-snapshot 1 >"$BATS_TEST_TMPDIR/example.snap"
	run "$METIS" list --sysroot "$BATS_TEST_TMPDIR/example.snap" --format json
	assert_success
	assert_output --partial '"0000:86:00.0"'
}
