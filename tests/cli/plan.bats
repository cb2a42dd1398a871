#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The verb plan: what is asked about, what it answers, that it touches nothing. What is planned for which host is tested
# with the planner and by the golden files.
load helpers
load system

hosts() {
	find "$TOP_SRCDIR/tests/hosts" -maxdepth 1 -name '*.snap' | sort
}

# device SNAP: the --device of the first line of its .args, as words.
device() {
	local args=${1%.snap}.args
	[ ! -e "$args" ] || sed -n '1s/.*\(--device [^ ]*\).*/\1/p' "$args"
}

@test "the first line is the answer, the exit code says the same" {
	metis plan --sysroot "$(host lab-intel)" --device 00:05.0
	assert_line --index 0 --regexp '^plan: [0-9]+ files?, .*[0-9]+ programs?; takes effect after a reboot$'
	metis 1 plan --sysroot "$(host boot-nvme-in-group)"
	assert_line --index 0 --regexp '^cannot plan: 0000:88:00\.0'
	metis plan --sysroot "$(host set-up)"
	assert_line --index 0 --regexp '^nothing to do: 0000:86:00\.0 is set up as wanted'
}

@test "every host gets an answer, in both formats, with the same exit code" {
	local snap words code answer
	for snap in $(hosts); do
		words=$(device "$snap")
		# shellcheck disable=SC2086
		run --separate-stderr timeout 60 "$METIS" plan --sysroot "$snap" $words
		code=$status answer=${lines[0]-}
		case $(basename "$snap" .snap) in
		moved-card)
			[ "$code" -eq 3 ] || fail "$snap: exit $code"
			continue
			;;
		esac
		[ "$code" -le 1 ] || fail "$snap: exit $code: $stderr"
		[ -z "$stderr" ] || fail "$snap: $stderr"
		# shellcheck disable=SC2086
		run --separate-stderr timeout 60 "$METIS" plan --sysroot "$snap" $words --format json
		[ "$status" -eq "$code" ] || fail "$snap: exit $status with json, $code with text"
		assert_schema plan
		assert_json .exit_code "$code"
		assert_json .host.live false
		# Every changed file is a step, and every step says why.
		assert_json '([.files[] | select(.changed) | .path] | sort) - ([.steps[] | .want.path // empty]) | length' 0
		assert_json '[.steps[] | select(.why == "" or .what == "")] | length' 0
		case $answer in
		"plan: "*) assert_json '"\(.outcome) \(.steps | length > 0) \(.obstacles | length)"' "possible true 0" ;;
		"nothing to do: "*) assert_json '"\(.outcome) \(.steps | length) \(.obstacles | length)"' "nothing 0 0" ;;
		"cannot plan: "*) assert_json '"\(.outcome) \(.obstacles | length > 0)"' "forbidden true" ;;
		*) fail "$snap: $answer" ;;
		esac
	done
}

@test "each file is told with its reason and a diff, each command with its reason" {
	COLUMNS=80 metis plan --sysroot "$(host lab-intel)" --device 00:05.0
	local text=$output
	metis plan --sysroot "$(host lab-intel)" --device 00:05.0 --format json
	local n
	n=$(jq '[.files[] | select(.changed)] | length' <<<"$output")
	[ "$n" -gt 2 ]
	[[ $text == *$'\n\nFILES\n    '* ]]
	while IFS= read -r path; do
		[[ $text == *"$path new, mode"* ]] || fail "$path is not told"
		[[ $text == *"    +++ $path"* ]] || fail "$path has no diff"
	done < <(jq -r '.files[] | select(.changed and (.link | not)) | .path' <<<"$output")
	[[ $text == *$'\n    update-initramfs -u -k all\n        '* ]]
	assert_json '[.steps[] | select(.kind == "program") | .command] | index("update-initramfs -u -k all") != null' true
	[[ $text == *"+options vfio-pci ids=1234:11e8"* ]]
}

@test "how to go on: the same options, quoted for a shell" {
	metis plan --sysroot "$(host lab-intel)" -d 00:05.0 --binding ids
	assert_line "Next      metis-passthrough setup --device 00:05.0 --binding ids"
	assert_line --partial "then reboot, and: metis-passthrough status"
	assert_line --partial "the way back: metis-passthrough rollback"
	cp "$TOP_SRCDIR/templates/profiles/edu.yaml" "$BATS_TEST_TMPDIR/a b.yaml"
	COLUMNS=300 metis plan --sysroot "$(host lab-intel)" --profile "$BATS_TEST_TMPDIR/a b.yaml"
	assert_output --partial "setup --profile '$BATS_TEST_TMPDIR/a b.yaml'"
	# Nothing can be set up where something forbids it.
	metis 1 plan --sysroot "$(host boot-nvme-in-group)"
	refute_output --partial "metis-passthrough setup"
}

@test "obstacles name device, reason and remedy; --force names the device that may be taken" {
	metis 1 plan --sysroot "$(host boot-nvme-in-group)" --format json
	assert_json '[.obstacles[].subject] | index("0000:88:00.0") != null' true
	assert_json '[.obstacles[] | select(.remedy == null)] | length' 0
	metis 1 plan --sysroot "$(host boot-nvme-in-group)"
	assert_line --regexp '^OBSTACLES \([0-9]+\)$'
	assert_line --regexp '^    Do  '
	refute_line --regexp '^FILES'
	# Forcing another device does not help.
	metis 1 plan --sysroot "$(host boot-nvme-in-group)" --force 86:00.0 --format json
	assert_json .outcome forbidden
	assert_json '.wish.force | join(" ")' 0000:86:00.0
	metis plan --sysroot "$(host boot-nvme-in-group)" --force 88:00.0 --format json
	assert_json .outcome possible
	assert_json '.wish.force | join(" ")' 0000:88:00.0
}

@test "without a device named: the configuration's cards, else those of a profile" {
	metis plan --sysroot "$(host forum-node)" --format json
	assert_json '[.wish.devices[].address] | join(" ")' 0000:86:00.0
	assert_json '.wish.profiles | join(" ")' metis
	metis 3 plan --sysroot "$(host lab-intel)"
	[[ $stderr == *"no card to pass through"*"--device"* ]] || fail "$stderr"
	metis 3 plan --sysroot "$(host moved-card)"
	[[ $stderr == *"0000:d8:00.0 (/etc/metis-passthrough/config.yaml): is not on"* ]] || fail "$stderr"
}

@test "what is not there is an error" {
	metis 3 plan --sysroot "$(host forum-node)" --device 99:00.0
	[[ $stderr == "metis-passthrough plan: 99:00.0 (--device): is not on "* ]] || fail "$stderr"
	metis 3 plan --sysroot "$(host forum-node)" --id 1234:5678
	metis 3 plan --sysroot "$(host forum-node)" --force 99:00.0
	[[ $stderr == *"99:00.0 (--force): is not on "* ]] || fail "$stderr"
	metis 3 plan --sysroot /nonexistent
}

@test "words that are off are usage errors, before the host is looked at" {
	local words
	for words in "--device 86:00" "--id 1f9d" "--binding maybe" "--vm 99" "--vm abc" "--vm 0100" "--vm 1000000000" \
		"--mapping 1x" "--mapping x" "--mapping a:b" "--force 86" "--profile no-such" "--format junit" "--hook"; do
		# shellcheck disable=SC2086
		metis 2 plan --sysroot "$(host forum-node)" $words
		assert_usage_error
	done
	metis 2 plan --sysroot /nonexistent --binding maybe
	assert_usage_error
}

@test "options win over the configuration" {
	metis plan --sysroot "$(host set-up)" --format json
	assert_json '"\(.wish.binding) \(.wish.vm)"' "ids 101"
	run --separate-stderr "$METIS" plan --sysroot "$(host set-up)" --binding auto --vm 102 --format json
	assert_json '"\(.wish.binding) \(.wish.vm)"' "auto 102"
}

@test "no line but diffs, names and commands is wider than the terminal" {
	local columns snap words
	for columns in 60 80 200; do
		for snap in $(hosts); do
			words=$(device "$snap")
			# shellcheck disable=SC2086
			# In ASCII, where a byte is a column.
			COLUMNS=$columns LC_ALL=C run --separate-stderr "$METIS" plan --verbose --sysroot "$snap" $words
			run awk -v most="$columns" 'length > most && !/^    [-+ @]/ && gsub(/[^ ] +[^ ]/, "&") > 3' <<<"$output"
			assert_output ""
		done
	done
}

@test "diffs are not wrapped, whatever the width" {
	COLUMNS=40 metis plan --sysroot "$(host lab-intel)" --device 00:05.0
	local narrow
	narrow=$(grep '^    [-+@]' <<<"$output")
	COLUMNS=200 metis plan --sysroot "$(host lab-intel)" --device 00:05.0
	assert_equal "$narrow" "$(grep '^    [-+@]' <<<"$output")"
	run awk 'length > 60' <<<"$narrow"
	[ -n "$output" ]
}

@test "no trailing spaces, no escape sequences unless asked for" {
	local snap words
	for snap in $(hosts); do
		words=$(device "$snap")
		# shellcheck disable=SC2086
		run --separate-stderr "$METIS" plan --verbose --sysroot "$snap" $words
		run grep -nP '[ ]$|[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
		assert_output ""
	done
	run "$METIS" plan --sysroot "$(host lab-intel)" --device 00:05.0 --color always
	assert_line --partial $'\033[1;32m    +options vfio-pci'
}

@test "plan touches nothing, not even a lock" {
	need_system
	local tree before
	tree=$(system host-driver)
	before=$(fingerprint "$tree" . | grep -v '^\./dev')
	metis plan --sysroot "$tree" --device 86:00.0
	assert_line --index 0 --regexp '^plan: '
	assert_line "Next      metis-passthrough setup --device 86:00.0 --sysroot $tree"
	assert_same "$before" "$(fingerprint "$tree" . | grep -v '^\./dev')"
	assert_equal "$(calls "$tree")" ""
}
