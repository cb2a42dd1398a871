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

# relook FROM TO KEY OTHER: in what the VM told of itself (look), the line KEY of the section that begins with FROM, and ends before TO,
# gets another value.
relook() {
	cp "$SPOILT/2/look.out" "$BATS_TEST_TMPDIR/look"
	sed -i "/^== $1/,/^== $2/s/^$3 .*/$3 $4/" "$SPOILT/2/look.out"
	run ! cmp -s "$SPOILT/2/look.out" "$BATS_TEST_TMPDIR/look"
}

# recheck WHICH FILTER: another finding in one of the two reports of guest check.
recheck() {
	local file=$SPOILT/2/look.out
	awk -v head="== check-$1" '{ print } $0 == head { exit }' "$file" >"$BATS_TEST_TMPDIR/look"
	awk -v head="== check-$1" '/^== / { on = $0 == head; next } on' "$file" >"$BATS_TEST_TMPDIR/before"
	jq "$2" "$BATS_TEST_TMPDIR/before" >"$BATS_TEST_TMPDIR/after"
	run ! cmp -s "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	cat "$BATS_TEST_TMPDIR/after" >>"$BATS_TEST_TMPDIR/look"
	awk -v head="== check-$1" '/^== / && on { after = 1 } after { print } $0 == head { on = 1 }' "$file" >>"$BATS_TEST_TMPDIR/look"
	mv "$BATS_TEST_TMPDIR/look" "$file"
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
	caught 'chapter 1' sed -i 's/--hostpci1 /--hostpci0 /' "$SPOILT/1/preflight.out"
	caught 'chapter 1' sed -i 's/metis, edu$/metis/' "$SPOILT/1/preflight.out"
}

@test "judge: a setup that shows or changes something else is seen" {
	caught 'chapter 2' sed -i '/- address: "0000:01/d' "$SPOILT/1/setup.out"
	caught 'chapter 2' sed -i '/- address: "0000:03/d' "$SPOILT/1/setup.out"
	caught 'chapter 2' sed -i '/config.yaml/d' "$SPOILT/1/after.out"
	caught 'chapter 2' sed -i 's|^/etc/hosts f 644 |/etc/hosts f 600 |' "$SPOILT/1/after.out"
	caught 'chapter 2' write 1/pending.out 'status: all kept'
}

@test "judge: a card elsewhere, or a status that is not clean, is seen" {
	caught 'chapter 3' sed -i 's/^\(0000:01:00.0 .*\) vfio-pci/\1 none/' "$SPOILT/2/cards.out"
	caught 'chapter 3' sed -i 's/^\(0000:02:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/2/cards.out"
	caught 'chapter 3' sed -i 's/^\(0000:03:00.0 .*\) vfio-pci/\1 none/' "$SPOILT/2/cards.out"
	caught 'chapter 3' sed -i '1s/.*/DRIFT/' "$SPOILT/2/status.out"
	caught 'chapter 3' write 2/preflight.out '? something'
}

@test "judge: a self-test on the host that failed, or left something out, is seen" {
	caught 'chapter 4' edit 2/selftest.json '.verdict = "failed"'
	caught 'chapter 4' edit 2/selftest.json '(.results[] | select(.case == "dma-iova-forum") | .verdict) = "skip"'
	caught 'chapter 4' edit 2/selftest-edu.json '(.results[] | select(.case == "irq-msi") | .verdict) = "skip"'
	caught 'chapter 4' sed -i '/on 0000:03:00.0 (edu)/d' "$SPOILT/2/selftest.out"
}

@test "judge: a VM without hook, or without the card, is seen" {
	caught 'chapter 5' truncate -s 0 "$SPOILT/2/start.out"
	caught 'chapter 5' sed -i '/1f9d/d' "$SPOILT/2/guest.out"
	caught 'chapter 5' sed -i '/11e8/d' "$SPOILT/2/guest.out"
	caught 'chapter 5' truncate -s 0 "$SPOILT/2/guest.console"
}

@test "judge: a self-test in the guest that fails otherwise, or interrupts that are lost elsewhere, are seen" {
	caught 'interrupts are blocked' write 2/selftest-guest.rc 0
	caught 'interrupts are blocked' edit 2/selftest-guest.json '(.results[] | select(.case == "irq-polling") | .verdict) = "pass"'
	caught 'interrupts are blocked' edit 2/selftest-guest.json '(.results[] | select(.case == "dma-write") | .verdict) = "skip"'
	caught 'interrupts are blocked' sed -i '/0x25/d' "$SPOILT/2/log.out"
	caught 'interrupts are blocked' sed -i '/^! card-interrupt/d' "$SPOILT/2/preflight.out"
}

@test "judge: an interrupt that did not arrive in the VM is seen, whoever says that it did" {
	blocked() {
		sed -i 's/\(.*\)INTR-REMAP. Request device .01:00.0./&\n\1INTR-REMAP] Request device [03:00.0]/' "$SPOILT/2/log.out"
	}
	caught 'arrives in the VM' edit 2/selftest-guest-edu.json '(.results[] | select(.case == "irq-vectors") | .verdict) = "skip"'
	caught 'arrives in the VM' edit 2/selftest-guest-edu.json '(.results[] | select(.case == "irq-polling") | .latency_ns.count) = 0'
	caught 'arrives in the VM' edit 2/selftest-guest-edu.json '(.results[] | select(.case == "irq-vectors") | .evidence) = []'
	caught 'arrives in the VM' edit 2/selftest-guest-edu.json '.way = "group"'
	caught 'arrives in the VM' relook 'driven 0000:00' 'check-driven' raised 0
	caught 'arrives in the VM' relook 'driven 0000:01' 'driven 0000:00' raised 1
	caught 'arrives in the VM' blocked
}

@test "judge: a report that is missing, or an end that is another device's, is seen" {
	caught 'of two cards' sed -i '/^selftest: all/d' "$SPOILT/2/selftest-guest.out"
	caught 'of two cards' sed -i 's/^FAILED: 2/FAILED: 1/' "$SPOILT/2/selftest-guest.out"
	caught 'of two cards' sed -i 's/^verdict .*/verdict passed/' "$SPOILT/2/guest-note.out"
	caught 'of two cards' sed -i 's/^device .*/device 0000:00:01.0/' "$SPOILT/2/guest-note.out"
}

@test "judge: a guest check that tells of something else than the VM has is seen" {
	caught 'guest check tells' write 2/check.rc 1
	caught 'guest check tells' sed -i 's/^Guest/Host /' "$SPOILT/2/check.out"
	caught 'guest check tells' relook 'found 0000:01' 'found 0000:00' port 0000:00:1c.1
	caught 'guest check tells' relook 'found 0000:01' 'found 0000:00' port-type 6
	caught 'guest check tells' relook 'driven 0000:01' 'driven 0000:00' msi-granted 2
	caught 'guest check tells' relook 'driven 0000:01' 'driven 0000:00' msi-irqs 32
	caught 'guest check tells' relook 'driven 0000:00' 'check-driven' limits-granted 0
	caught 'guest check tells' relook 'driven 0000:00' 'check-driven' msi-offered 2
	caught 'guest check tells' sed -i '0,/System RAM/s/-0009fbff/-0019fbff/' "$SPOILT/2/look.out"
	caught 'guest check tells' sed -i 's/^== iommus/&\ndmar0/' "$SPOILT/2/look.out"
	caught 'guest check tells' recheck driven '(.findings[] | select(.id == "guest-vectors").summary) |= sub("granted 1"; "granted 2")'
	caught 'guest check tells' recheck driven '(.findings[] | select(.id == "guest-decoding").severity) = "pass"'
	caught 'guest check tells' recheck found '(.findings[] | select(.id == "guest-parent-port").severity) = "pass"'
	caught 'guest check tells' recheck found '.exit_code = 1'
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
