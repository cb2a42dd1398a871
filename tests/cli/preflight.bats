#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The verb itself: who is judged, what blocks, how it is told. What each check says is tested
# with the checks and by the golden files.
load helpers

# with_config HOST: a copy of the snapshot with standard input as its configuration.
with_config() {
	local copy=$BATS_TEST_TMPDIR/$1.snap
	grep -v '^\[end' "$(host "$1")" >"$copy"
	{
		printf '\n[/etc/metis-passthrough]\nconfig.yaml :\n'
		sed 's/^/| /'
		printf '[end]\n'
	} >>"$copy"
	printf '%s\n' "$copy"
}

@test "the first line is the answer, the exit code says the same" {
	metis preflight --sysroot "$(host forum-node)"
	assert_line --index 0 --regexp '^READY, BUT: .*0000:86:00\.0 .*interrupt message'
	metis 1 preflight --sysroot "$(host intremap-off)"
	assert_line --index 0 --regexp '^NOT READY: .*\([1-9][0-9]* blocking'
	assert_line --regexp '^BLOCKING \([1-9]'
	assert_line --regexp '^Next: +metis-passthrough explain [a-z-]+$'
}

@test "unasked, the cards of a profile with default: true are judged" {
	metis preflight --sysroot "$(host forum-node)" --format json
	assert_json '[.devices[].address] | join(" ")' 0000:86:00.0
	assert_json .profile metis
}

@test "--device, --id and --profile name what is judged" {
	metis preflight --sysroot "$(host forum-node)" --device 86:00.0 --format json
	assert_json '[.devices[].address] | join(" ")' 0000:86:00.0
	run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)" --id 8086:1572 --format json
	assert_json '[.devices[].id] | unique | join(" ")' 8086:1572
	assert_json '.devices | length' 2
	assert_json .profile generic
	run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)" --profile nvme --format json
	assert_json .profile nvme
	assert_json '.devices | length > 0' true
}

@test "each device is judged by its own profile, host and VM by the one that asks for the most" {
	for order in "3b:00.0 86:00.0" "86:00.0 3b:00.0"; do
		run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)" --device "${order% *}" --device "${order#* }" \
			--format json
		# The disk has 33 vectors of MSI-X and none of a Metis' MSI.
		assert_json '[.findings[] | select(.id == "device-msi") | .summary | select(test("a metis is expected"))] | length' 0
		assert_json '[.findings[] | select(.id == "card-interrupt-delivery") | .subject + " " + .severity] | sort | join(", ")' \
			"0000:3b:00.0 pass, 0000:86:00.0 warn"
	done
	assert_json .profile "metis, nvme"
	# Named, it is for all.
	run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)" --device 86:00.0 --device 3b:00.0 --profile nvme \
		--format json
	assert_json .profile nvme
	assert_json '[.findings[] | select(.id == "card-interrupt-delivery" and .severity == "warn")] | length' 0
}

@test "a device that is not there blocks" {
	for what in "--device 99:00.0" "--id 1234:5678" "--profile edu"; do
		# shellcheck disable=SC2086
		metis 1 preflight --sysroot "$(host forum-node)" $what --format json
		assert_json '.findings[] | select(.id == "device-present") | .severity' fail
	done
	# ... even where the check that would say so was not asked for.
	metis 3 preflight --sysroot "$(host forum-node)" --device 99:00.0 --check iommu-active
	[[ $stderr == *"99:00.0"* ]]
}

@test "values that are no address or id are usage errors" {
	metis 2 preflight --sysroot "$(host forum-node)" --device 86:00
	assert_usage_error
	metis 2 preflight --sysroot "$(host forum-node)" --id 1f9d
	assert_usage_error
	metis 2 preflight --sysroot "$(host forum-node)" --id 1f9d:11000
	assert_usage_error
}

@test "--strict makes warnings and unknowns block" {
	metis preflight --sysroot "$(host forum-node)" --format json
	assert_json '.summary.warn + .summary.unknown > 0' true
	metis 1 preflight --sysroot "$(host forum-node)" --strict
	assert_line --index 0 --partial "NOT READY: with --strict"
	metis 1 preflight --sysroot "$(host forum-node)" --strict --format json
	assert_json .ready false
	assert_json .strict true
}

@test "--check chooses, and one finding is made for each check and subject" {
	metis preflight --sysroot "$(host forum-node)" --check 'iommu-*' --format json
	assert_json '[.findings[].id | startswith("iommu-")] | all' true
	assert_json '[.findings[] | [.id, .subject]] | length == (unique | length)' true
}

@test "a live-only check says so under a sysroot" {
	metis preflight --list-checks --format json
	live=$(jq -r '[.checks[] | select(.live_only)][0].id // empty' <<<"$output")
	[ -n "$live" ] || skip "no check is live-only as a whole"
	run --separate-stderr "$METIS" preflight --sysroot "$(host forum-node)" --check "$live" --format json
	assert_json '.findings[0].severity' unknown
	assert_json '.findings[0].live_only' true
}

@test "what is not well has evidence or a remedy, on every host" {
	for snap in "$TOP_SRCDIR"/tests/hosts/*.snap; do
		run --separate-stderr "$METIS" preflight --sysroot "$snap" --format json
		missing=$(jq -r '.findings[] | select(.severity == "fail" or .severity == "warn")
			| select(.remedy == null or (.evidence | length) == 0) | .id' <<<"$output")
		[ -z "$missing" ] || fail "$snap: no remedy or no evidence: $missing"
	done
}

@test "a waiver takes the block away and is shown with its reason" {
	snap=$(printf '%s\n' 'waivers:' \
		"  - check: 'interrupt-*'" '    reason: lab machine behind the door' \
		'  - check: device-numa' '    subject: "0000:99:00.0"' '    reason: another device' |
		with_config intremap-off)
	metis 1 preflight --sysroot "$(host intremap-off)" --format json
	blocking=$(jq -r '[.findings[] | select(.severity == "fail") | .id] | unique | join(" ")' <<<"$output")
	[[ $blocking == *interrupt-remapping-active* ]]
	run --separate-stderr "$METIS" preflight --sysroot "$snap" --format json
	assert_json '.findings[] | select(.id == "interrupt-remapping-active") | .waiver' "lab machine behind the door"
	assert_json '.findings[] | select(.id == "interrupt-remapping-active") | .severity' fail
	assert_json '.summary.waived > 0' true
	assert_json '[.findings[] | select(.id == "device-numa") | .waiver] | unique | .[]' null
	run "$METIS" preflight --sysroot "$snap"
	assert_line --partial "lab machine behind the door (it would be: fail)"
	assert_line --index 0 --partial "waived"
}

@test "a bad configuration is exit 3 with file, line and column" {
	snap=$(printf 'waivers:\n  - chekc: x\n' | with_config forum-node)
	metis 3 preflight --sysroot "$snap"
	assert_equal "$stderr" "metis-passthrough preflight: /etc/metis-passthrough/config.yaml:2:5: waivers[0]: unknown key 'chekc'; known here: check, subject, reason"
}

@test "a card of the configuration that is gone blocks" {
	snap=$(printf 'cards:\n  - address: 99:00.0\n    id: 1f9d:1100\n' | with_config forum-node)
	metis 1 preflight --sysroot "$snap"
	assert_line --index 0 --partial "0000:99:00.0"
}

@test "text fits the width it is given, but for words that do not" {
	for columns in 60 80 200; do
		for snap in "$TOP_SRCDIR"/tests/hosts/*.snap; do
			COLUMNS=$columns run "$METIS" preflight --verbose --sysroot "$snap"
			# A line is too long only where it is one word behind its label, or a command.
			run awk -v most="$columns" 'length > most && gsub(/[^ ] +[^ ]/, "&") > 3 && !/^ {11,}/' <<<"$output"
			assert_output ""
		done
	done
}

@test "no trailing spaces, no escape sequences, valid UTF-8" {
	for snap in "$TOP_SRCDIR"/tests/hosts/*.snap; do
		run "$METIS" preflight --verbose --sysroot "$snap"
		run grep -nP '\s$|[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
		assert_output ""
	done
}

@test "color only when asked for, or on a terminal" {
	run "$METIS" preflight --sysroot "$(host forum-node)"
	refute_output --partial $'\033'
	run "$METIS" preflight --sysroot "$(host forum-node)" --color always
	assert_line --index 0 --partial $'\033[1;33mREADY, BUT:'
	NO_COLOR=1 run "$METIS" preflight --sysroot "$(host forum-node)" --color always
	assert_output --partial $'\033'
	run script -qec "$METIS preflight --sysroot $(host forum-node)" /dev/null
	assert_output --partial $'\033['
	NO_COLOR=1 run script -qec "$METIS preflight --sysroot $(host forum-node)" /dev/null
	refute_output --partial $'\033['
}

@test "junit counts what json counts" {
	run --separate-stderr "$METIS" preflight --sysroot "$(host intremap-off)" --format json
	expected=$(jq -r '"tests=\"\(.findings | length)\" failures=\"\(.summary.fail)\" errors=\"0\" skipped=\"\(.summary.skip + .summary.unknown)\""' <<<"$output")
	metis 1 preflight --sysroot "$(host intremap-off)" --format junit
	assert_line --index 1 "<testsuites name=\"metis-passthrough preflight\" $expected>"
	metis 1 preflight --sysroot "$(host intremap-off)" --format junit --strict
	refute_line --index 1 --partial 'failures="0"'
	metis 2 preflight --list-checks --format junit
	assert_usage_error
}

@test "--list-checks has a line for each check, in text and JSON" {
	metis preflight --list-checks --format json
	ids=$(jq -r '.checks[].id' <<<"$output")
	metis preflight --list-checks
	assert_equal "$(sed -n 's/^  \([a-z0-9-]*\) .*/\1/p' <<<"$output")" "$ids"
	COLUMNS=80 metis preflight --list-checks
	run awk 'length > 80' <<<"$output"
	assert_output ""
}

@test "with only a VM named, the devices that it is given are judged" {
	metis 1 preflight --sysroot "$(host vm-troubles)" --vm 211 --format json
	assert_json '[.devices[].address] | join(" ")' 0000:18:00.0
	assert_json '.findings[] | select(.id == "device-host-use") | .severity' fail
	metis preflight --sysroot "$(host vm-troubles)" --vm 101 --format json
	assert_json '[.devices[].address] | join(" ")' 0000:86:00.0
	# What is named counts, not what the VM has.
	metis 1 preflight --sysroot "$(host vm-troubles)" --vm 101 --device 18:00.0 --format json
	assert_json '[.devices[].address] | join(" ")' 0000:18:00.0
}
