#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats fails when what the tour brought out is spoilt in one place.

# The $ of jq are jq's.
# shellcheck disable=SC2016

load ../helpers
load ../spoil
bats_require_minimum_version 1.8.0

setup() {
	spoil_setup
}

# swap FILE WORD OTHER: changes one word in a file that is not JSON.
swap() {
	run ! grep -q -- "$3" "$SPOILT/$1"
	sed -i "s/$2/$3/" "$SPOILT/$1"
	grep -q -- "$3" "$SPOILT/$1"
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'all chapters'
	assert_failure
	assert_output --partial 'last words'
}

@test "judge: a chapter that is not there, or a unit that failed, is seen" {
	caught 'all chapters' sed -i '/^@chapter 6/d' "$SPOILT/terminal"
	caught 'all chapters' sed -i '/^@finished/d' "$SPOILT/terminal"
	caught 'all chapters' write 2/running.out degraded
	caught 'all chapters' write 3/failed.out 'x.service loaded failed failed'
}

@test "judge: a preflight that misses nothing is seen" {
	caught 'chapter 1' write 1/preflight.rc 0
	caught 'chapter 1' swap 1/preflight.out 'NOT READY' 'ALL READY'
	caught 'chapter 1' sed -i 's/^\(0000:01:00.0 .*\) none/\1 vfio-pci/' "$SPOILT/1/cards.out"
}

@test "judge: a setup that shows or changes something else is seen" {
	caught 'chapter 2' sed -i '/- address/d' "$SPOILT/1/setup.out"
	caught 'chapter 2' sed -i '/config.yaml/d' "$SPOILT/1/after.out"
	caught 'chapter 2' sed -i 's|^/etc/hosts f 644 |/etc/hosts f 600 |' "$SPOILT/1/after.out"
	caught 'chapter 2' write 1/pending.out 'status: all kept'
}

@test "judge: a card elsewhere, or a status that is not clean, is seen" {
	caught 'chapter 3' sed -i 's/^\(0000:01:00.0 .*\) vfio-pci/\1 none/' "$SPOILT/2/cards.out"
	caught 'chapter 3' sed -i 's/^\(0000:02:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/2/cards.out"
	caught 'chapter 3' sed -i '1s/.*/DRIFT/' "$SPOILT/2/status.out"
	caught 'chapter 3' write 2/preflight.out '? something'
}

@test "judge: a self-test on the host that failed, or left something out, is seen" {
	caught 'chapter 4' edit 2/selftest.json '.verdict = "failed"'
	caught 'chapter 4' edit 2/selftest.json '(.results[] | select(.case == "dma-iova-forum") | .verdict) = "skip"'
}

@test "judge: a VM without hook, or without the card, is seen" {
	caught 'chapter 5' truncate -s 0 "$SPOILT/2/start.out"
	caught 'chapter 5' sed -i '/1f9d/d' "$SPOILT/2/guest.out"
	caught 'chapter 5' truncate -s 0 "$SPOILT/2/guest.console"
}

@test "judge: a self-test in the guest that fails otherwise, or interrupts that are lost elsewhere, are seen" {
	caught 'chapter 6' write 2/selftest-guest.rc 0
	caught 'chapter 6' edit 2/selftest-guest.json '(.results[] | select(.case == "irq-polling") | .verdict) = "pass"'
	caught 'chapter 6' edit 2/selftest-guest.json '(.results[] | select(.case == "dma-write") | .verdict) = "skip"'
	caught 'chapter 6' sed -i '/0x25/d' "$SPOILT/2/log.out"
	caught 'chapter 6' sed -i '/^! card-interrupt/d' "$SPOILT/2/preflight.out"
}

@test "judge: a failure that does not happen, or is explained otherwise, is seen" {
	caught 'without the hook' sed -i 's/host: events 0x0/host: events 0x1/' "$SPOILT/2/job-lost.out"
	caught 'without the hook' sed -i '/0x149800000/d' "$SPOILT/2/log.out"
	caught 'without the hook' edit 2/diagnose-json.out '.hypotheses[0].id = "other"'
}

@test "judge: a failure that goes on, or a hook that found nothing, is seen" {
	again() {
		grep 'fault addr 0x149800000' "$SPOILT/2/log.out" | tail -n 1 >"$SPOILT/line"
		cat "$SPOILT/line" >>"$SPOILT/2/log.out"
	}
	caught 'with the hook the same' again
	caught 'with the hook the same' sed -i '/its window/d' "$SPOILT/2/hook-start.out"
	caught 'with the hook the same' sed -i 's/host: events 0x1/host: events 0x0/' "$SPOILT/2/job-done.out"
	caught 'with the hook the same' sed -i '/lab: with the hook/d' "$SPOILT/2/log.out"
}

@test "judge: a byte that is different at the end is seen" {
	caught 'chapter 8' sed -i 's|^[0-9a-f]\{12\}\(.*/etc/fstab\)$|000000000000\1|' "$SPOILT/3/after.out"
	caught 'chapter 8' sed -i '$d' "$SPOILT/3/after.out"
	caught 'chapter 8' sed -i 's/^\(0000:01:00.0 .*\) none/\1 vfio-pci/' "$SPOILT/3/cards.out"
}
