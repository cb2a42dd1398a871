#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# inspect: what is inside a card, as far as a captured host can tell. The live half is tests/lab's.
load helpers

# words OLD NEW: the captured host stale-window as a directory, one word of the card changed.
changed() {
	TREE=$BATS_TEST_TMPDIR/tree
	rm -rf "$TREE"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host stale-window)" "$TREE"
	local words=$TREE/metis-passthrough/card/0000:86:00.0
	grep -q "^$1 0x" "$words" || fail "no word '$1'"
	sed -i "s/^$1 0x.*/$1 $2/" "$words"
}

@test "a card that was left armed: exit 1, each thing named" {
	metis 1 inspect --sysroot "$(host stale-window)"
	assert_line --index 0 --partial "ARMED: 0000:86:00.0 may write into memory that nobody gave it"
	assert_line --regexp '^Window +open, to 0x149800000, 0x200000 bytes$'
	assert_line --regexp '^Messages +write channels, done: 0xfee00418 \(stale\), data 0x8 0x9 0xa 0xb, handle 0x20$'
	metis 1 inspect --sysroot "$(host stale-window)" --format json
	assert_schema inspect
	assert_json .verdict armed
	assert_json .card.window.target 0x149800000
	assert_json .card.control_block 1.6
	assert_json '[.card.messages[].handle] | unique | join(" ")' 0x20
}

@test "the same with its driver at work, silent, and asleep: exit 0" {
	metis inspect --sysroot "$(host host-driver)"
	assert_line --index 0 --partial "AT WORK: "
	metis inspect --sysroot "$(host set-up)"
	assert_line --index 0 "QUIET: nothing in 0000:86:00.0 points into memory, its firmware runs"
	metis inspect --sysroot "$(host forum-node)"
	assert_line --index 0 --partial "ASLEEP: 0000:86:00.0 was not looked into"
	refute_output --partial '--scrub' # a captured card cannot be woken up
	for host in host-driver set-up forum-node lab-intel; do
		metis inspect --sysroot "$(host "$host")" --device "$([ "$host" = lab-intel ] && echo 00:05.0 || echo 86:00.0)" --format json
		assert_schema inspect
	done
	assert_json .verdict no-state
	assert_json .card null
}

@test "each single thing that is armed is seen" {
	changed '2 0x4000' 0x00000000
	metis 1 inspect --sysroot "$TREE" --format json
	assert_json .card.window.open false
	assert_json .verdict armed
	sed -i 's/^\(0 0x\(60\|68\|cc\|d4\)\) .*/\1 0x00000000/' "$TREE/metis-passthrough/card/0000:86:00.0"
	metis inspect --sysroot "$TREE" --format json
	assert_json .verdict quiet
	# A channel that runs.
	sed -i 's/^0 0x300 .*/0 0x300 0x00000020/' "$TREE/metis-passthrough/card/0000:86:00.0"
	metis 1 inspect --sysroot "$TREE" --format json
	assert_json '.card.channels[] | select(.name == "read 0") | .status' running
}

@test "dead cards: exit 1, and what it means" {
	changed '2 0x2b8' 0x00000000
	metis 1 inspect --sysroot "$TREE"
	assert_line --index 0 --partial "DEAD: the firmware of 0000:86:00.0 does not run (the host window of the control block"
	# What follows from it is not known, which is no pass, and told what to do about.
	metis preflight --sysroot "$TREE" --check 'card-*' --format json
	assert_json '[.findings[] | select(.id | test("card-(firmware|window|imwr|dma)")) | .id + "=" + .severity] | join(" ")' \
		'card-firmware-running=warn card-dma-vm=skip card-window=unknown card-imwr=skip'
	assert_json '[.findings[] | select(.severity == "unknown" or .severity == "warn") | .remedy] | all(. != null)' true
	sed -i 's/ 0x[0-9a-f]\{8\}$/ 0x00000000/' "$TREE/metis-passthrough/card/0000:86:00.0"
	metis 1 inspect --sysroot "$TREE"
	assert_line --index 0 --partial "all zeros"
	sed -i 's/ 0x[0-9a-f]\{8\}$/ 0xffffffff/' "$TREE/metis-passthrough/card/0000:86:00.0"
	metis 1 inspect --sysroot "$TREE"
	assert_line --index 0 --partial "all ones"
}

@test "what was not read, in whole or in part, is unknown: exit 3" {
	changed '2 0x218' 0x00000000
	local words=$TREE/metis-passthrough/card/0000:86:00.0
	sed -i '/^2 0x218 /d' "$words"
	metis 3 inspect --sysroot "$TREE" --format json
	assert_schema inspect
	assert_json .verdict unknown
	for junk in '' 'unread because' $'2 0x218 0xgg\n\xff\xfe' "$(printf '0 0x8 0x1\n%.0s' {1..6000})"; do
		printf '%s' "$junk" >"$words"
		metis 3 inspect --sysroot "$TREE" --format json
		assert_json .verdict unknown
	done
	rm "$words"
	metis 3 inspect --sysroot "$TREE"
	assert_line --index 0 --partial "UNKNOWN: 0000:86:00.0 could not be looked into: only the live host can tell"
}

@test "entries of the remapping table that are the card's" {
	changed '2 0x4000' 0x00000001
	mkdir -p "$TREE/sys/kernel/debug/iommu/intel"
	cat >"$TREE/sys/kernel/debug/iommu/intel/ir_translation_struct" <<-'END'
		Remapped Interrupt supported on IOMMU: dmar2
		 IR table address:100900000

		 Entry SrcID   DstID    Vct IRTE_high		IRTE_low
		 32    86:00.0 00000080 24  0000000000048600	000000800024000d
		 33    86:00.1 00000001 ef  0000000000040050	0000000100ef000d
		 junk
		 70000 86:00.0 00000001 ef  0000000000040050	0000000100ef000d

		****

		Posted Interrupt supported on IOMMU: dmar2
		 IR table address:100900000
		 Entry SrcID   PDA_high PDA_low  Vct IRTE_high		IRTE_low
		 40    86:00.0 00000001 23456040 f7  0000000123456789	00000000abcdef01
	END
	metis 1 inspect --sysroot "$TREE" --format json
	assert_schema inspect
	assert_json '[.remapping_entries[] | .unit + " " + .handle + " " + .vector + " " + (.posted | tostring)] | join(", ")' \
		'dmar2 0x20 0x24 false, dmar2 0x28 0xf7 true'
	metis 1 inspect --sysroot "$TREE"
	assert_line --regexp '^Remapping +handles 0x20, 0x28$'
}

@test "--repair-msi says what it takes, and what is not so here" {
	metis 1 inspect --sysroot "$(host stale-window)" --repair-msi --dry-run --format json
	assert_schema inspect
	assert_json '.repair.ready, .repair.done' $'false\nfalse'
	assert_json '.repair.writes | length' 0
	assert_json '[.repair.conditions[] | select(.holds).id] | join(" ")' \
		'card-keeps-messages intel-iommu card-runs firmware-leaves-it nothing-runs driver-has-written'
	# Each that does not hold has a remedy, no other has.
	assert_json '[.repair.conditions[] | (.holds == true) == (.remedy == null)] | all' true
	assert_json '.repair.conditions[] | select(.id == "vm-has-it").holds' null
	metis 1 inspect --sysroot "$(host stale-window)" --repair-msi -n
	assert_line --regexp '^    no +MSI of the card is off'
	assert_line "Nothing was written."
	# No Intel IOMMU, no such card, no experiment.
	metis 1 inspect --sysroot "$(host lab-amd)" --device 00:05.0 --repair-msi --dry-run --format json
	assert_json '[.repair.conditions[] | select(.holds == false).id] | contains(["card-keeps-messages", "intel-iommu"])' true
	metis inspect --sysroot "$(host set-up)" --format json
	assert_json .repair null
}

@test "--repair-msi writes nothing unasked" {
	metis 2 inspect --repair-msi
	[[ $stderr == *"never tried on hardware"*"--experimental"* ]] || fail "$stderr"
	metis 2 inspect --repair-msi --experimental --sysroot "$(host stale-window)"
	metis 2 inspect --repair-msi --experimental --scrub
	metis 2 inspect --dry-run --sysroot "$(host stale-window)"
	assert_usage_error
}

@test "words that are off" {
	metis 2 inspect --scrub --sysroot "$(host set-up)"
	assert_usage_error
	metis 2 inspect --format junit --sysroot "$(host set-up)"
	assert_usage_error
	metis 3 inspect --device 99:00.0 --sysroot "$(host set-up)"
	metis 2 inspect --sysroot "$(host lab-amd)"
	[[ $stderr == *"name one by --device"* ]] || fail "$stderr"
}

@test "a card that fell off the bus is not taken for one that was not captured" {
	metis 3 inspect --sysroot "$(host fallen-off-bus)"
	assert_line --index 0 --partial "UNKNOWN: 0000:86:00.0 could not be looked into: its configuration space reads as all ones"
	metis 2 inspect --sysroot "$(host fallen-off-bus)" --format junit
	[[ $stderr == *"(there are: text, json)"* ]]
}
