#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Exit codes and error messages are an interface.
load helpers

@test "no verb: help on standard error, exit 2" {
	metis 2
	[ -z "$output" ]
	[[ $stderr == "Usage: metis-passthrough"* ]]
}

@test "unknown verb, option, argument, format: one line, a hint, exit 2" {
	metis 2 frobnicate
	assert_usage_error
	metis 2 --frobnicate
	assert_usage_error
	metis 2 preflight --frobnicate
	assert_usage_error
	metis 2 preflight surplus
	assert_usage_error
	[[ $stderr == *"'surplus'"* ]]
	metis 2 preflight --format yaml
	assert_usage_error
	[[ $stderr == *"'yaml'"* ]]
	metis 2 preflight --color sometimes
	assert_usage_error
	metis 2 preflight --vm
	assert_usage_error
	metis 2 explain
	assert_usage_error
	metis 2 explain iommu-active surplus
	assert_usage_error
	local verb
	for verb in explain diagnose 'vm check' 'hook 101'; do
		# shellcheck disable=SC2086 # two words
		metis 2 $verb ''
		assert_usage_error
		[[ $stderr == *"an argument is empty: "* ]] || fail "$stderr"
	done
}

@test "a slip of the pen is recognised" {
	metis 2 prefligth
	[[ $stderr == *"did you mean 'preflight'?"* ]]
	metis 2 explain iommu-activ
	assert_usage_error
	[[ $stderr == *"did you mean 'iommu-active'?"* ]]
	metis 2 explain completely-different-thing
	assert_usage_error
	[[ $stderr != *"did you mean"* ]]
}

@test "values are checked before the host is looked at" {
	local empty=$BATS_TEST_TMPDIR
	metis 2 preflight --sysroot "$empty" --check 'no-such-*'
	assert_usage_error
	metis 2 preflight --profile no-such-profile
	assert_usage_error
	[[ $stderr == *"metis"* ]]
}

@test "no check that could run: not an empty 'ready'" {
	metis 2 preflight --sysroot "$(host forum-node)" --check 'vm-*'
	assert_usage_error
}

@test "a part of the checks does not claim the whole" {
	metis preflight --sysroot "$(host forum-node)" --check iommu-active
	assert_line --index 0 --partial "the only ones run"
	metis preflight --sysroot "$(host forum-node)" --check iommu-active --format json
	assert_json .only iommu-active
	assert_json '.findings | length' 1
}

@test "what cannot be read ends with exit 3 and names it" {
	metis 3 preflight --sysroot /nonexistent
	[[ $stderr == "metis-passthrough preflight: /nonexistent"* ]]
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	metis 3 preflight --profile /nonexistent/x.yaml
	[[ $stderr == *"/nonexistent/x.yaml"* ]]
	printf 'nome: x\n' >"$BATS_TEST_TMPDIR/bad.yaml"
	metis 3 preflight --profile "$BATS_TEST_TMPDIR/bad.yaml"
	[[ $stderr == *"bad.yaml:1:1: unknown key 'nome'"* ]]
}

@test "a full disk is a failure" {
	for command in --version --help "preflight --help" "preflight --list-checks" \
		"explain iommu-active" "preflight --list-checks --format json"; do
		# shellcheck disable=SC2086
		run bash -c '"$0" '"$command"' >/dev/full' "$METIS"
		[ "$status" -eq 3 ] || fail "$command: exit $status"
		assert_output --partial "standard output: cannot write"
	done
}

@test "a closed standard output is a failure" {
	run bash -c '"$0" --version >&-' "$METIS"
	assert_equal "$status" 3
}

@test "options may stand before and after arguments, and -- ends them" {
	metis explain iommu-active --format json
	assert_json .id iommu-active
	metis explain --format json iommu-active
	assert_json .id iommu-active
	metis explain --format json -- iommu-active
	assert_json .id iommu-active
	metis 2 explain -- --help
	assert_usage_error
}

@test "works without a UTF-8 locale, and then prints ASCII only" {
	LC_ALL=C run "$METIS" explain iommu-active
	assert_success
	run grep -P '[^\x00-\x7f]' <<<"$output"
	assert_failure
	LC_ALL=de_DE.UTF-8 metis 2 preflight --frobnicate
	[[ $stderr == *"nknown option"* ]]
}

@test "an unknown format is answered with those there are" {
	metis 2 preflight --format yaml
	assert_usage_error
	[[ $stderr == *"there is no format 'yaml' (there are: text, json, junit, markdown)"* ]] || fail "$stderr"
}

@test "a very narrow terminal gets lines of 40 columns, not endless ones" {
	COLUMNS=20 metis preflight --sysroot "$(host forum-node)"
	local narrow=$output
	COLUMNS=40 metis preflight --sysroot "$(host forum-node)"
	assert_equal "$narrow" "$output"
	COLUMNS=200 metis preflight --sysroot "$(host forum-node)"
	[ "$narrow" != "$output" ]
}

@test "--vm does not wait at a named pipe, and takes what a shell hands over" {
	mkfifo "$BATS_TEST_TMPDIR/pipe.conf"
	metis 3 preflight --vm "$BATS_TEST_TMPDIR/pipe.conf" --sysroot "$(host forum-node)"
	[[ $stderr == *"pipe.conf: cannot read as a VM configuration: not a regular file"* ]] || fail "$stderr"
	metis preflight --sysroot "$(host forum-node)" --check vm-machine \
		--vm <(printf 'machine: q35\nhostpci0: 0000:86:00.0,pcie=1\n')
}
