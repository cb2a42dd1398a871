#!/usr/bin/env bats
# Judges what the node with the virtual Metis brought out: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by `run`.

# The variables come from variants/, the $ of jq are jq's.
# shellcheck disable=SC2154,SC2016

load ../helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	# shellcheck source=../lib/lab.sh
	. "$BATS_TEST_DIRNAME/../lib/lab.sh"
	load_variant "$LAB_VARIANT"
	CARD=$(address card)
}

# config OFFSET BYTES: that much of the card's config space, as the hexadecimal number that it is, the low byte first in memory.
config() {
	local bytes i number=
	read -ra bytes <<<"$(one_line config)"
	for ((i = $1 + $2 - 1; i >= $1; i--)); do
		number+=${bytes[i]}
	done
	printf '%s\n' "$number"
}

# capability ID: its offset, by the chain of capabilities.
capability() {
	local at=$((16#$(config 0x34 1))) hops=0
	while [ "$at" -ge 64 ] && [ $((hops++)) -lt 48 ]; do
		[ "$(config "$at" 1)" != "$1" ] || {
			printf '%s\n' "$at"
			return
		}
		at=$((16#$(config $((at + 1)) 1)))
	done
	return 1
}

# bar NUMBER: size and flags.
bar() {
	local start end flags
	read -r start end flags < <(sed -n "$(($1 + 1))p" "$LAB_OUT/resource.out")
	printf '%s %s\n' "$((end - start + 1))" "$flags"
}

@test "$LAB_VARIANT: the node runs every command and powers off" {
	local name
	while read -r name; do
		assert [ -s "$LAB_OUT/$name.rc" ]
	done < <(sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/commands")
	for rc in "$LAB_OUT"/*.rc; do
		run cat "$rc"
		assert_output --regexp '^[0-5]$'
	done
}

@test "$LAB_VARIANT: the emulated IOMMU is what the variant says, and the card is on vfio-pci" {
	assert_equal "$(fact iommus)" "$iommu_unit"
	assert_equal "$(neighbour_interrupts)" "$interrupts"
	assert_equal "$CARD" 0000:02:00.0
	assert_equal "$(fact driver)" vfio-pci
}

# What is known of the card by config space (docs/virtual-metis.md).
@test "$LAB_VARIANT: the card has the ids, BARs and capabilities of a Metis" {
	local at
	assert_equal "$(config 0 4)" 11001f9d
	# Class 12 00 00, revision 2.
	assert_equal "$(config 8 4)" 12000002
	# 64 bits, not prefetchable; 32 bits, not prefetchable.
	assert_equal "$(bar 0)" "4096 0x0000000000140204"
	assert_equal "$(bar 2)" "33554432 0x0000000000040200"
	# MSI: 32 vectors, 64 bits, maskable.
	at=$(capability 05)
	assert_equal "$at" 80
	assert_equal "$((16#$(config $((at + 2)) 2) & 0x18e))" "$((0x18a))"
	run capability 11
	assert_failure
	# An endpoint, with FLR.
	at=$(capability 10)
	assert_equal "$((16#$(config $((at + 2)) 2) >> 4 & 15))" 0
	assert_equal "$((16#$(config $((at + 4)) 4) >> 28 & 1))" 1
	# Power management, without a reset of its own; AER.
	at=$(capability 01)
	assert_equal "$((16#$(config $((at + 4)) 2) & 8))" 8
	assert_equal "$(config 0x100 2)" 0001
}

@test "$LAB_VARIANT: list shows the card, on vfio-pci" {
	exited list-json 0
	json "$LAB_OUT/list-json.out" \
		'[.. | objects | select(.address? == $card)] | length == 1 and (.[0] | .driver == "vfio-pci" and .id == "1f9d:1100")' \
		--arg card "$CARD"
}

@test "$LAB_VARIANT: preflight's verdicts are those of this node" {
	exited preflight-card "$(code_of "$LAB_OUT/preflight-card.out")"
	expect_verdicts "$LAB_OUT/preflight-card.out" "$CARD" "${expect_card[@]}"
}

@test "$LAB_VARIANT: the control sets and resets what it is told, and nothing else" {
	exited control 0
	exited control-set 0
	assert_equal "$(one_line control-set)" '1 1 0 1 2 77 0 0 0 0 0 1000'
}

@test "$LAB_VARIANT: FLR and bus reset arrive at the card, told apart" {
	assert_equal "$(fact reset-method)" 'flr bus'
	assert_equal "$(one_line resets)" '1 0 0 1 0 1'
}

@test "$LAB_VARIANT: a dead card and a link that is down look like that" {
	assert_equal "$(tr -s ' ' <"$LAB_OUT/dead.out" | paste -s -d,)" \
		'0xBAC1 1f9d,0x0000 1f9d,0xFFFF 1f9d,0xBAC1 1f9d,0xFFFF ffff,0xBAC1 1f9d'
}

@test "$LAB_VARIANT: a message to a free handle is blocked, under the card's own number" {
	exited message-free 0
	run cat "$LAB_OUT/message-free.out"
	assert_output --partial "DMAR: [INTR-REMAP] Request device [${CARD#0000:}] fault index 0x7f8 [fault reason 0x22]"
}

# Not by QEMU as it is: build/qemu-compile adds it.
@test "$LAB_VARIANT: a message in compatibility format is blocked" {
	exited message-compat 0
	run cat "$LAB_OUT/message-compat.out"
	assert_output --partial "DMAR: [INTR-REMAP] Request device [${CARD#0000:}]"
	assert_output --partial '[fault reason 0x25]'
}

# verdict CASE: how the case of the self-test ended, and its summary.
verdict() {
	jq -r --arg case "$1" '.results[] | select(.case == $case) | "\(.verdict): \(.summary)"' "$LAB_OUT/selftest.out"
}

@test "$LAB_VARIANT: the self-test of the card passes, by its own DMA and messages" {
	exited selftest 0
	fits selftest "$LAB_OUT/selftest.out"
	json "$LAB_OUT/selftest.out" '.engine == "dw-edma" and .verdict == "passed"'
	# No pin, no MSI-X, and MSI by messages of the DMA block only.
	run jq -r '[.results[] | select(.verdict != "pass") | "\(.case)=\(.verdict)"] | join(" ")' "$LAB_OUT/selftest.out"
	assert_output 'irq-intx=skip irq-msi=skip irq-msix=skip'
}

@test "$LAB_VARIANT: the self-test saw messages refused, and so did the kernel" {
	local index
	index=$(verdict isolation-message-freed | sed -n 's/^pass: .*reason 0x22 and index \(0x[0-9a-f]*\),.*/\1/p')
	assert [ -n "$index" ]
	run grep -F "DMAR: [INTR-REMAP] Request device [${CARD#0000:}] fault index $index [fault reason 0x22]" "$LAB_OUT/dmesg"
	assert_success
	run verdict isolation-message-compat
	assert_output --regexp '^pass: .* with reason 0x25$'
	json "$LAB_OUT/selftest.out" 'any(.results[] | select(.case == "isolation-message-compat") | .evidence[];
		.source == "kernel log" and (.value | contains($card) and contains("0x25")))' --arg card "${CARD#0000:}"
}

# Times are told, not judged: the machine is emulated.
@test "$LAB_VARIANT: the self-test's figures" {
	local start end memory settled
	json "$LAB_OUT/selftest.out" 'any(.results[]; .case == "irq-message" and .latency_ns.count == 32)'
	assert [ -s "$LAB_OUT/uptime" ]
	exited selftest-first 0
	read -r start end <"$LAB_OUT/selftest-first.clock"
	# Stopped by a signal; its memory had settled, and is far from a gigabyte.
	exited selftest-1g 3
	read -r memory settled <"$LAB_OUT/selftest-1g.out"
	assert [ "$settled" -ge 6 ]
	assert [ "$memory" -gt 1024 ]
	assert [ "$memory" -lt 65536 ]
	jq -r '.results[] | select(.case == "irq-message" or .case == "irq-loopback")
		| "# \(.case): \(.latency_ns.count) vectors in \(.duration_ns / 1e6 | floor) ms (goal: below 1000)"' "$LAB_OUT/selftest.out" >&3
	jq -r '.results[] | select(.case == "dma-scattered")
		| "# a transfer of a page: median \(.latency_ns.median / 1e3 | floor) us, \(.bytes_per_second.median / 1e6 | floor) MB/s"' \
		"$LAB_OUT/selftest.out" >&3
	awk '{ printf "# from the boot to the card on vfio-pci: %.1f s\n", $1 }' "$LAB_OUT/uptime" >&3
	awk -v from="$start" -v to="$end" 'BEGIN { printf "# from nothing to the first verdict: %.1f s\n", to - from }' >&3
	printf '# peak memory with --bytes 1G: %s KiB\n' "$memory" >&3
}

@test "$LAB_VARIANT: what a driver left in the card is seen: window and message" {
	assert_equal "$(one_line arm)" '0x00000001 0x49800000 0xFEE00518'
	exited inspect-armed 1
	fits inspect "$LAB_OUT/inspect-armed.out"
	json "$LAB_OUT/inspect-armed.out" \
		'.verdict == "armed" and .card.window == {open: true, target: "0x149800000", size: "0x200000"} and
		(.card.messages[0] | .message == "stale" and .handle == "0x28")'
	exited preflight-armed 1
	expect_verdicts "$LAB_OUT/preflight-armed.out" "$CARD" card-firmware-running=pass card-window=fail card-imwr=warn card-dma-vm=warn
}

@test "$LAB_VARIANT: --scrub switches it off" {
	exited scrub 0
	fits inspect "$LAB_OUT/scrub.out"
	json "$LAB_OUT/scrub.out" '.verdict == "quiet" and (.done | any(contains("open, to 0x149800000")) and any(contains("made quiet")))'
	assert_equal "$(one_line scrubbed)" '0x00000000 0x00000000 0x00000000'
}

# The first line of the hook's standard error that refuses.
refusal() {
	grep -m 1 'is not started: ' "$LAB_OUT/$1.err"
}

@test "$LAB_VARIANT: the hook takes the card, silences and resets it, once by the bus" {
	exited hook-start 0
	assert_equal "$(sed -n 3p "$LAB_OUT/hook-start.out")" '0x00000000 0x00000000 0x00000000'
	assert_equal "$(sed -n 4p "$LAB_OUT/hook-start.out")" vfio-pci
	read -r flrs buses <<<"$(sed -n 1p "$LAB_OUT/hook-start.out")"
	assert_equal "$(sed -n 2p "$LAB_OUT/hook-start.out")" "$flrs $((buses + 1))"
	run cat "$LAB_OUT/hook-start.err"
	assert_line "metis-passthrough: $CARD: no driver -> vfio-pci"
	assert_line "metis-passthrough: $CARD: its window into memory was open, to 0x149800000"
	assert_line "metis-passthrough: $CARD: reset (by the first of 'bus flr' that works)"
	exited hook-again 0
}

@test "$LAB_VARIANT: the hook touches no card that somebody else has" {
	exited hook-held 1
	run refusal hook-held
	assert_output --partial "$CARD is not free: "
	assert_equal "$(sed -n 2p "$LAB_OUT/hook-held.out")" '0x00000001 0x49800000 0xFEE00518'
	assert_equal "$(sed -n 1p "$LAB_OUT/hook-held.out")" "$(sed -n 3p "$LAB_OUT/hook-held.out")"
}

@test "$LAB_VARIANT: after the VM the card is silent again, and no bus master" {
	exited hook-stop 0
	assert_equal "$(one_line hook-stop | tr -s ' ')" '0x00000000 0x00000000 0x00000000 2'
}

@test "$LAB_VARIANT: what was blocked while the VM ran is told when it has stopped" {
	exited hook-faults 0
	run cat "$LAB_OUT/hook-faults.out"
	assert_line --index 0 'metis-passthrough vm 1'
	assert_line --index 1 --regexp '^log [1-9][0-9]+$'
	assert_line --index 2 "card $CARD"
	refute_line vm-101
	run grep "^metis-passthrough: $CARD: " "$LAB_OUT/hook-faults.err"
	assert_line --regexp 'warning: the IOMMU blocked it 1 time since the VM started; what it means: metis-passthrough diagnose --vm 101$'
	assert_line --partial 'fault index 0x7f8'
	exited hook-no-faults 0
	run cat "$LAB_OUT/hook-no-faults.err"
	refute_output --partial 'blocked'
}

@test "$LAB_VARIANT: a card that does not come back is refused, and comes back by a better reset" {
	exited hook-wedged 1
	run refusal hook-wedged
	assert_output --partial "$CARD has no running firmware 15 s after its reset"
	exited hook-unwedged 0
	assert_equal "$(one_line hook-unwedged)" 'bus flr'
}

@test "$LAB_VARIANT: a dead card is refused, and a second hook that comes while the first one waits" {
	exited hook-dead 1
	run grep 'is not started: ' "$LAB_OUT/hook-dead.err"
	assert_line --index 0 --partial "$CARD: another run of this program works on it"
	assert_line --index 1 --partial 'all zeros'
	assert_equal "$(one_line hook-dead)" 3
}

# fails_in COMMAND CASES PART: these cases of the self-test fail and no others, and what the first of them says has PART.
fails_in() {
	exited "$1" 1
	run jq -r '[.results[] | select(.verdict == "fail") | .case] | join(" ")' "$LAB_OUT/$1.out"
	assert_output "$2"
	json "$LAB_OUT/$1.out" '[.results[] | select(.verdict == "fail")][0] | [.summary, .evidence[].value] | any(.[]; contains($part))' \
		--arg part "$3"
}

every_transfer='dma-write dma-patterns dma-iova-low dma-iova-above-4g dma-iova-forum dma-iova-top dma-scattered'

@test "$LAB_VARIANT: a card that spoils data or lies about it fails where it does" {
	fails_in self-wrong-data "dma-read $every_transfer" 'and has others'
	fails_in self-truncated "dma-read $every_transfer" 'byte 4092 in its memory'
	fails_in self-lying "dma-read $every_transfer" 'and has others'
	# Reading is right: what it reads too much stays in the card.
	fails_in self-overrun "$every_transfer" 'and changed the byte at 0x4001040 too'
}

@test "$LAB_VARIANT: a card that says the wrong, or nothing, of a transfer fails" {
	fails_in self-status "dma-read $every_transfer irq-message" 'its read channel 3 was aborted: it does not say why'
	fails_in self-stuck dma-read 'its read channel 3 did not end within 5000 ms'
}

@test "$LAB_VARIANT: a card that sends no messages, or others, fails in irq-message only" {
	fails_in self-drop-irq irq-message 'the device sends nothing'
	fails_in self-wrong-irq irq-message 'vector 0 was signalled instead'
}

@test "$LAB_VARIANT: what may be unlike the model is no defect" {
	local name
	for name in self-deaf self-unknowns self-old self-dma-vm self-again; do
		exited "$name" 0
		json "$LAB_OUT/$name.out" '.summary == {fail: 0, skip: 3, pass: 11}'
	done
}

@test "$LAB_VARIANT: a card that shows nothing is refused with what that means" {
	local name
	for name in self-zeros self-ones self-link-down; do
		exited "$name" 3
	done
	run cat "$LAB_OUT"/self-{zeros,ones,link-down}.err
	assert_line --partial 'all its registers read as zeros: its firmware does not run'
	assert_line --partial 'all its registers read as ones, although its configuration space answers: its inside hangs'
	assert_line --partial 'its configuration space reads as all ones (its link is down'
}
