#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# diagnose --follow: events as they come, the explanation at the end. The kernel's log is a file here, in a mount namespace of its own:
# a record a read, because each is written only when the one before was read.
load helpers

setup() {
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
	kmsg=$BATS_TEST_TMPDIR/kmsg out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err sequence=100
	# What was there before it began.
	printf '3,1,1000,-;vfio-pci 0000:86:00.0: not ready 65535ms after bus reset; giving up\n' >"$kmsg"
}

teardown() {
	[ -z "${pid:-}" ] || kill -KILL "$pid" 2>/dev/null || true
}

# holds COMMAND...: until it does, at most 30 s.
holds() {
	local tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -le 600 ] || fail "does not come: $*; $(cat "$out" "$err")"
		sleep 0.05
	done
}

# catches SIGNAL-NUMBER: the process has a handler for it (proc(5), SigCgt).
catches() {
	local mask
	mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status")
	[ $((0x${mask:-0} >> ($1 - 1) & 1)) = 1 ]
}

# follow OPTION...: begins, and is at the end of the log when this returns.
follow() {
	# Who runs the tests may have SIGHUP ignored (nohup), which the program would keep.
	# shellcheck disable=SC2016 # the inner shell's
	env --default-signal=HUP \
		unshare --mount --propagation private sh -euc 'mount --bind "$1" /dev/kmsg; shift; exec "$@"' - "$kmsg" \
		"$METIS" diagnose --follow --color never "$@" >"$out" 2>"$err" 3>&- &
	pid=$!
	holds catches 2
	size=$(stat -c %s "$kmsg")
	for fd in "/proc/$pid/fd"/*; do
		[[ $(readlink "$fd") != */kmsg ]] || position=/proc/$pid/fdinfo/${fd##*/}
	done
}

# has_read: the process has read all that is in the log. Nothing but the shell: the second of two lines must come soon.
has_read() {
	local at
	read -r _ at <"$position" && [ "$at" = "$size" ]
}

# record TEXT: one more, and it is read.
record() {
	local record
	sequence=$((sequence + 1))
	printf -v record '3,%u,%u,-;%s' "$sequence" "${sequence}000000" "$1"
	printf '%s\n' "$record" >>"$kmsg"
	size=$((size + ${#record} + 1))
	holds has_read
}

# has_ended: it is gone, or waits for nothing but us.
has_ended() {
	[[ $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) == [ZX] ]] || [ ! -e "/proc/$pid" ]
}

# ends SIGNAL CODE: with that exit code.
ends() {
	local code=0
	kill -"$1" "$pid"
	holds has_ended
	wait "$pid" || code=$?
	pid=
	assert_equal "$code" "$2"
	[ ! -s "$err" ] || fail "$(cat "$err")"
}

write='DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr 0x149800000 [fault reason 0x05] PTE Write access is not set'
message='DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x28 [fault reason 0x22] Present field in the IRTE entry is clear'

@test "events are told as they come, and explained on Ctrl-C: exit 1" {
	follow --profile metis
	[ ! -s "$out" ] || fail "told what was there before: $(cat "$out")"
	record "$write"
	holds grep -q '^dma-fault 86:00.0: A write was blocked.* (reason 0x05) at 0x149800000$' "$out"
	refute_explained
	record 'usb 1-1: new high-speed USB device number 2 using xhci_hcd'
	record "$message"
	holds grep -q '^interrupt-fault 86:00.0: .*entry 0x28' "$out"
	refute_explained
	ends INT 1
	run cat "$out"
	assert_line --regexp '^FAULTS: .*86:00.0 was blocked by the IOMMU twice'
	refute_line --partial 'not ready'
	refute_line --partial 'usb'
	assert_line --regexp '^Log +kernel log, as it came, 2 events'
}

refute_explained() {
	! grep -q 'FAULTS\|WHAT HAPPENED' "$out" || fail "explained too early: $(cat "$out")"
}

@test "the two lines of an old kernel are one event, told when no more comes" {
	follow
	record 'DMAR:[DMA Write] Request device [86:00.0] fault addr 149800000 '
	record 'DMAR:[fault reason 05] PTE Write access is not set'
	holds grep -q 'reason 0x05' "$out"
	ends TERM 1
	assert_equal "$(grep -c '^dma-fault' "$out")" 1
}

@test "nothing came: exit 0, by any signal that ends it" {
	for signal in INT TERM HUP; do
		follow
		ends "$signal" 0
		run cat "$out"
		assert_output --partial 'No fault found'
	done
}

@test "as JSON each event is an object in a line, and nothing else comes" {
	follow --format json
	record "$write"
	record "$message"
	holds grep -q interrupt-fault "$out"
	ends INT 1
	assert_equal "$(jq -r .kind "$out" | one_line)" 'dma-fault interrupt-fault'
	assert_equal "$(wc -l <"$out")" 2
}

@test "a log that cannot be read ends it: exit 3" {
	rm "$kmsg" && mkdir "$kmsg.d"
	run -3 --separate-stderr chroot_without_log
	[[ $stderr == *"/dev/kmsg: cannot open: "* ]] || fail "$stderr"
}

# An empty /dev.
chroot_without_log() {
	# shellcheck disable=SC2016 # the inner shell's
	timeout 30 unshare --mount --propagation private sh -euc 'mount --bind "$1" /dev; exec "$2" diagnose --follow' - \
		"$kmsg.d" "$METIS" 3>&-
}
