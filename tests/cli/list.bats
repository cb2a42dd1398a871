#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# list: what is there, in which group, with which driver.
load helpers

setup() {
	HOST=$(host forum-node)
}

# Attributes of a small host in $BATS_TEST_TMPDIR/root: attr BDF NAME TEXT.
attr() {
	local dir=$BATS_TEST_TMPDIR/root/sys/bus/pci/devices/$1
	mkdir -p "$dir"
	printf '%s\n' "$3" >"$dir/$2"
}

# The address column, in order. Columns: GROUP ADDRESS ...
addresses() {
	awk 'NR > 1 && NF > 2 { print $2 }' <<<"$output"
}

@test "the table has a line for each device, ordered by group" {
	metis list --sysroot "$HOST"
	assert_line --index 0 --regexp '^GROUP ADDRESS +ID +CLASS +NAME +DRIVER +RESET *$'
	assert_line --regexp '^ +22 0000:86:00\.0 1f9d:1100 Processing accelerators .* vfio-pci '
	local groups
	groups=$(awk 'NR > 1 { print $1 }' <<<"$output")
	[ "$groups" = "$(sort -n <<<"$groups")" ] || fail "not in order: $groups"
	[ "$(wc -l <<<"$groups")" -gt 10 ]
	[ -z "$stderr" ]
}

@test "80 columns hold the table, 200 hold all of it" {
	COLUMNS=80 metis list --sysroot "$HOST"
	[ "$(wc -L <<<"$output")" -le 80 ] || fail "$(wc -L <<<"$output") columns wide"
	assert_line --regexp '^GROUP ADDRESS +ID +NAME +DRIVER *$'
	assert_line --regexp '22 0000:86:00\.0 1f9d:1100 Metis AIPU .*vfio-pci *$'
	COLUMNS=200 metis list --sysroot "$HOST"
	[ "$(wc -L <<<"$output")" -le 200 ]
	assert_output --partial 'flr bus'
	assert_output --partial 'Axelera AI Metis AIPU'
	COLUMNS=80 metis list --tree --sysroot "$HOST"
	[ "$(wc -L <<<"$output")" -le 80 ]
}

@test "the tree puts a card below its port" {
	metis list --tree --sysroot "$HOST"
	assert_line --regexp '^├─0000:85:00\.0 '
	assert_line --regexp '^│ └─0000:86:00\.0 +22 1f9d:1100 '
	LC_ALL=C metis list --tree --sysroot "$HOST"
	run grep -P '[^\x00-\x7f]' <<<"$output"
	assert_failure
}

@test "the tree of one device shows the bridges above it and nothing else" {
	metis list --tree --device 86:00.0 --sysroot "$HOST"
	[ "${#lines[@]}" -eq 4 ] || fail "not header, bus, port and card"
	assert_line --index 1 --regexp '^0000:85 *$'
	assert_line --index 2 --partial '0000:85:00.0'
	assert_line --index 3 --partial '0000:86:00.0'
}

@test "filters select, and add up" {
	metis list --sysroot "$HOST" --id 1f9d:1100
	[ "$(addresses)" = 0000:86:00.0 ]
	metis list --sysroot "$HOST" --id 1F9D:1100
	[ "$(addresses)" = 0000:86:00.0 ]
	metis list --sysroot "$HOST" --group 22
	[ "$(addresses)" = 0000:86:00.0 ]
	metis list --sysroot "$HOST" --device 86:00.0 --device 0000:3b:00.0
	[ "$(addresses)" = $'0000:3b:00.0\n0000:86:00.0' ]
	metis list --sysroot "$HOST" --driver i40e
	[ "$(addresses)" = $'0000:18:00.0\n0000:18:00.1' ]
	metis list --sysroot "$HOST" --driver i40e --group 12
	[ "$(addresses)" = 0000:18:00.1 ]
	metis list --sysroot "$HOST" --driver none
	refute_output --partial pcieport
	assert_output --partial 0000:00:00.0
}

@test "a class is given by digits or by a part of its name" {
	metis list --sysroot "$HOST" --class 12
	[ "$(addresses)" = 0000:86:00.0 ]
	metis list --sysroot "$HOST" --class 0200
	[ "$(addresses)" = $'0000:18:00.0\n0000:18:00.1' ]
	metis list --sysroot "$HOST" --class 010802
	[ "$(addresses)" = 0000:3b:00.0 ]
	metis list --sysroot "$HOST" --class 'processing ACCEL'
	[ "$(addresses)" = 0000:86:00.0 ]
}

@test "a property that nothing has gives an empty list" {
	metis list --sysroot "$HOST" --id ffff:0001
	[ -z "$output" ]
	[[ $stderr == *"none of the "*" devices"* ]]
	metis list --sysroot "$HOST" --id ffff:0001 --format json
	assert_json '.devices | length' 0
	assert_json '.groups | length' 0
}

@test "a thing that does not exist is an error" {
	metis 3 list --sysroot "$HOST" --device 99:00.0
	[ -z "$output" ]
	[[ $stderr == *"99:00.0: cannot list: there is no such device"* ]]
	metis 3 list --sysroot "$HOST" --group 4711
	[[ $stderr == *"IOMMU group 4711: cannot list: there is no such group"* ]]
	metis 3 list --sysroot "$(host vtd-off)" --group 1
	[[ $stderr == *"there are no groups at all"* ]]
	metis 3 list --sysroot "$BATS_TEST_TMPDIR/nowhere"
}

@test "words that make no sense are usage errors" {
	for words in '--device 86:00' '--group x' '--group -1' '--id 1f9d' '--id 1f9d:11000' \
		'--format xml' '--format junit' '--color maybe' 'surplus' '--nonsense'; do
		# shellcheck disable=SC2086
		metis 2 list --sysroot "$HOST" $words
		assert_usage_error
	done
}

@test "JSON says the same as the table" {
	metis list --sysroot "$HOST" --format json
	assert_json '.schema' 1
	assert_json '.devices | length' "$("$METIS" list --sysroot "$HOST" | sed 1d | wc -l)"
	assert_json '.devices[] | select(.address == "0000:86:00.0") |
		[.id, .vendor, .device, .class, .iommu_group, .driver, .parent, .bridge] | map(tostring) | join(" ")' \
		'1f9d:1100 0x1f9d 0x1100 0x120000 22 vfio-pci 0000:85:00.0 false'
	assert_json '.devices[] | select(.address == "0000:86:00.0") | .reset_methods | join(",")' flr,bus
	assert_json '.devices[] | select(.address == "0000:85:00.0") | .bridge' true
	assert_json '.groups[] | select(.id == 22) | .devices | join(",")' 0000:86:00.0
	assert_json '[.groups[].id] == ([.groups[].id] | sort)' true
	assert_json '[.devices[].address] == ([.devices[].address] | sort)' true
	metis list --sysroot "$HOST" --format json --group 22
	assert_json '.devices | length' 1
	assert_json '.groups | length' 1
}

@test "a host without an IOMMU gets its devices and a sentence" {
	metis list --sysroot "$(host vtd-off)"
	assert_line --regexp '^ +- 0000:86:00\.0 '
	assert_line --partial 'There are no IOMMU groups'
	metis list --sysroot "$(host vtd-off)" --format json
	assert_json '.groups | length' 0
	assert_json '[.devices[] | select(.iommu_group != null)] | length' 0
}

@test "a host without PCI gets a sentence" {
	mkdir -p "$BATS_TEST_TMPDIR/root/sys"
	metis list --sysroot "$BATS_TEST_TMPDIR/root"
	[ -z "$output" ]
	[[ $stderr == *"has no PCI devices"* ]]
	metis list --sysroot "$BATS_TEST_TMPDIR/root" --format json
	assert_json '.devices | length' 0
}

@test "what cannot be read is a question mark, and null with its name in JSON" {
	attr 0000:00:01.0 vendor zzz
	attr 0000:00:01.0 class 0x0000000
	attr 10000:e1:00.0 vendor 0x144d
	attr 10000:e1:00.0 device 0xa808
	attr 10000:e1:00.0 class 0x010802
	metis list --sysroot "$BATS_TEST_TMPDIR/root"
	assert_line --regexp '^ +- 0000:00:01\.0 +\? '
	assert_line --regexp '^ +- 10000:e1:00\.0 144d:a808 '
	metis list --sysroot "$BATS_TEST_TMPDIR/root" --format json
	assert_json '.devices[0].vendor' null
	assert_json '.devices[0].unknown | index("vendor") != null' true
	assert_json '.devices[1].unknown | length' 0
	assert_json '.devices[1].address' 10000:e1:00.0
}

@test "links that loop or leave the sysroot are harmless" {
	local devices=$BATS_TEST_TMPDIR/root/sys/bus/pci/devices
	mkdir -p "$devices" "$BATS_TEST_TMPDIR/outside"
	ln -s 0000:00:01.0 "$devices/0000:00:01.0"
	ln -s /sys/bus/pci/devices/0000:00:00.0 "$devices/0000:00:02.0"
	printf '0x1f9d\n' >"$BATS_TEST_TMPDIR/outside/vendor"
	ln -s "$BATS_TEST_TMPDIR/outside" "$devices/0000:00:03.0"
	ln -s ../../../../../../outside "$devices/0000:00:04.0"
	metis list --sysroot "$BATS_TEST_TMPDIR/root" --format json
	assert_json '[.devices[] | select(.vendor != null)] | length' 0
}

@test "colours only where asked for" {
	metis list --sysroot "$HOST"
	[[ $output != *$'\e'* ]]
	metis list --sysroot "$HOST" --color always
	[[ $output == *$'\e'* ]]
}
