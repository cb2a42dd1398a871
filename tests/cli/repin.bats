#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The verb repin: cards that moved are found by what else identifies them, and never guessed.
load helpers
load system

setup() {
	need_system
}

# move TREE FROM TO: the function at FROM is at TO now, in all of the tree's sysfs.
move() {
	local tree=$1 from=$2 to=$3 name link
	while IFS= read -r name; do
		mv "$name" "${name%/*}/$(basename "$name" | sed "s/$from/$to/")"
	done < <(find "$tree/sys" -depth -name "*$from*")
	while IFS= read -r name; do
		link=$(readlink "$name")
		ln -sfn "${link//$from/$to}" "$name"
	done < <(find "$tree/sys" -type l -lname "*$from*")
	find "$tree/sys/bus/pci/slots" -name address -exec sed -i "s/^${from%.*}\$/${to%.*}/" {} + 2>/dev/null || true
}

# set_up HOST CARD: a tree on which setup was made.
set_up() {
	tree=$(system "$1")
	metis setup --sysroot "$tree" --device "$2" --yes
	assert_line --partial "kept as transaction 0001"
}

@test "with every card where it was there is nothing to do" {
	set_up host-driver 86:00.0
	local before
	before=$(fingerprint "$tree")
	metis repin --sysroot "$tree" --yes
	assert_line --index 0 --partial "nothing to do: 0000:86:00.0 is set up as wanted"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "a card that moved is refused by plan, and found again by repin" {
	set_up host-driver 86:00.0
	move "$tree" 0000:86:00.0 0000:8a:00.0
	metis 1 plan --sysroot "$tree" --device 8a:00.0
	assert_output --partial "0000:86:00.0 of /etc/metis-passthrough/config.yaml is not on this host"
	assert_output --partial "metis-passthrough repin"
	metis repin --sysroot "$tree" --yes
	assert_line '    -  - address: "0000:86:00.0"'
	assert_line '    +  - address: "0000:8a:00.0"'
	assert_line --partial "kept as transaction 0002"
	run grep -c '0000:86:00.0' "$tree/etc/metis-passthrough/config.yaml"
	assert_output 0
	metis plan --sysroot "$tree"
	assert_line --index 0 --partial "nothing to do: 0000:8a:00.0 is set up as wanted"
}

@test "status does not look for a card where it was before repin" {
	set_up host-driver 86:00.0
	move "$tree" 0000:86:00.0 0000:8a:00.0
	run "$METIS" status --sysroot "$tree" --format json
	assert_equal "$status" 1
	run jq -r '[.findings[] | select(.severity == "fail") | .id] | unique | join(" ")' <<<"$output"
	assert_output --partial status-pin
	metis repin --sysroot "$tree" --yes
	run "$METIS" status --sysroot "$tree" --format json
	run jq -r '.findings[] | select(.severity == "fail" or .subject == "0000:86:00.0") | "\(.id) \(.subject)"' <<<"$output"
	assert_output ''
}

@test "a roll back of repin gives the old addresses back" {
	set_up host-driver 86:00.0
	local before
	before=$(fingerprint "$tree" etc)
	move "$tree" 0000:86:00.0 0000:8a:00.0
	metis repin --sysroot "$tree" --yes
	metis rollback --sysroot "$tree" --yes
	assert_same "$before" "$(fingerprint "$tree" etc)"
}

@test "by its address alone nothing is found: the serial number decides" {
	tree=$(system moved-card)
	local before
	before=$(fingerprint "$tree")
	metis 1 repin --sysroot "$tree" --yes
	assert_equal "$output" ''
	[[ $stderr == *"0000:86:00.0: cannot find the card again: no device 1f9d:1100 with serial number 0x1f9d110000000001"* ]]
	[[ $stderr == *"its serial number is 0x1f9d110000000002"* ]]
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "a configuration written by hand is not rewritten: the lines are told" {
	set_up host-driver 86:00.0
	printf '# mine\n' >>"$tree/etc/metis-passthrough/config.yaml"
	move "$tree" 0000:86:00.0 0000:8a:00.0
	local before
	before=$(fingerprint "$tree")
	metis 1 repin --sysroot "$tree" --yes
	assert_output --partial "replace what moved in /etc/metis-passthrough/config.yaml by hand"
	assert_output --partial '- address: "0000:8a:00.0"'
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "without a configuration there is no card to look for" {
	tree=$(system host-driver)
	metis 3 repin --sysroot "$tree" --yes
	[[ $stderr == *"/etc/metis-passthrough/config.yaml names no card to look for"* ]]
}
