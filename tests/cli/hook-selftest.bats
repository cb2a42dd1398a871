#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# hook post-start, with `guest_selftest: run`: the self-test in the guest, in the background. A captured host is entered by
# chroot, where the program takes it for this machine; qm is the stand-in, whose agent answers when a file is there.
load helpers
load system

NOTE=/var/lib/metis-passthrough/selftest/vm-101.last
LOCK=/run/metis-passthrough/selftest-101.lock
DMA=0000:02:00.0

setup() {
	local library
	need_system
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
	! ldd "$METIS" | grep -q asan || skip "a sanitizer needs a real /proc"
	TREE=$(system set-up)
	# What came of the one before is not of this.
	rm "$TREE$NOTE"
	while read -r library; do
		install -D "$library" "$TREE$library"
	done < <(ldd "$METIS" | grep -oE '/[^ ]+')
	install -D "$METIS" "$TREE/usr/local/bin/metis-passthrough"
	# Who runs as what, the captured /proc cannot tell (and a busybox asks too).
	mkdir "$TREE/real"
	rm -rf "$TREE/proc/self"
	ln -s ../real/self "$TREE/proc/self"
	echo 'guest_selftest: run' >>"$TREE/etc/metis-passthrough/config.yaml"
	CONF=$(echo "$TREE"/etc/pve/nodes/*/qemu-server/101.conf)
	sed -i 's/^agent:.*/agent: 1/' "$CONF"
	grep -qx 'agent: 1' "$CONF" || sed -i '1i agent: 1' "$CONF"
	ln -sfn ../../../../bus/pci/drivers/vfio-pci "$TREE/sys/bus/pci/devices/0000:86:00.0/driver"
	runs
}

teardown() {
	# What still lives has this tree for its root.
	local process
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/root" 2>/dev/null)" != "$TREE" ] || kill -KILL "${process#/proc/}" 2>/dev/null || true
	done
}

# The VM runs.
runs() {
	mkdir -p "$TREE/run/qemu-server" "$TREE/proc/4711"
	echo 4711 >"$TREE/run/qemu-server/101.pid"
	printf 'kvm\0-id\0%s\0-name\0x\0' 101 >"$TREE/proc/4711/cmdline"
}

# answers CODE FILTER: the guest's program has ended so, its report went through jq.
answers() {
	jq "$2" "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report" >"$BATS_TEST_TMPDIR/report"
	jq -n --argjson code "$1" --rawfile out "$BATS_TEST_TMPDIR/report" \
		'{exited: 1, exitcode: $code, "out-data": $out}' >"$TREE/sim/agent.status"
}

inside() {
	# shellcheck disable=SC2016
	timeout -k 1 90 unshare --mount --propagation private sh -euc '
		mount -t proc proc "$1/real"
		exec chroot "$@"' - "$TREE" /usr/local/bin/metis-passthrough "$@"
}

# hook PHASE: as Proxmox VE runs it, its output by a pipe that is read to its end, which has to come. Takes the status, $OUT, $MS.
hook() {
	local begun
	begun=$(date +%s%N)
	OUT=$(
		set -o pipefail
		inside hook 101 "$1" 2>&1 </dev/null 3>&- | timeout 60 cat
	) || fail "hook $1: exit code $? (124: somebody holds its output): $OUT"
	MS=$((($(date +%s%N) - begun) / 1000000))
	printf 'hook %s, %s ms: %s\n' "$1" "$MS" "$OUT"
}

# children: the numbers of the self-tests that live in the tree.
children() {
	local process
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/root" 2>/dev/null)" = "$TREE" ] || continue
		! tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q '^metis-passthrough selftest --vm 101 ' || echo "${process#/proc/}"
	done
}

# until_ COMMAND...: it comes true, within a minute.
until_() {
	local _
	for _ in $(seq 600); do
		! "$@" || return 0
		sleep 0.1
	done
	fail "not within a minute: $*"
}

nobody() {
	[ -z "$(children)" ]
}

called() {
	grep -q -- "$1" "$TREE/sim/log"
}

@test "post-start returns at once and holds nothing, while the self-test waits for the agent" {
	hook post-start
	[[ $OUT == *"self-test in the guest: begins when the guest agent answers"* ]]
	# The pipe was read to its end, so nobody has it; and somebody is there.
	child=$(children)
	[[ $child =~ ^[0-9]+$ ]] || fail "not one child: '$child'"
	# Not in the session of any of us, and no descriptor but its own.
	[ "$(cut -d ' ' -f 6 <"/proc/$child/stat")" != "$(cut -d ' ' -f 6 <"/proc/$$/stat")" ]
	until_ called 'qm guest cmd 101 ping'
	run bash -c 'for fd in /proc/$1/fd/*; do echo "${fd##*/} $(readlink "$fd")"; done | sort' - "$child"
	refute_line --partial lock-
	assert_line "0 $TREE/dev/null"
	assert_line "1 $TREE/dev/null"
	assert_line "2 $TREE/dev/null"
	refute_line --partial pipe:
	refute_output --partial "/var/lib/metis-passthrough/lock"
	# What its RAM was is known when it has stopped and its configuration is another.
	sed -i 's/^memory: .*/memory: 2048/' "$CONF"
	rm "$TREE/run/qemu-server/101.pid"
	cp "$TOP_SRCDIR/tests/logs/forum.log" "$TREE/tmp/log"
	run inside diagnose --vm 101 /tmp/log
	assert_line --partial "101, RAM at 0x0-0x7fffffff, 0x100000000-0x47fffffff"
	assert_line --partial "by its configuration of now it is at 0x0-0x7fffffff: addresses are judged by the first"
	runs
	# Once it answers:
	answers 0 .
	touch "$TREE/sim/agent"
	until_ test -e "$TREE$NOTE"
	until_ nobody
	assert_equal "$(grep -c 'qm guest exec 101' "$TREE/sim/log")" 1
	grep -q -- '-- metis-passthrough selftest --guest --format json --timeout 600 ' "$TREE/sim/log"
	[ -e "$TREE/var/lib/metis-passthrough/selftest/vm-101-$DMA.json" ]
	assert_equal "$(stat -c %a "$TREE$NOTE")" 600
	grep -qx "kernel $(cat "$TREE/proc/sys/kernel/osrelease")" "$TREE$NOTE"
}

@test "not wanted, or without its card: no self-test" {
	ln -sfn ../../../../bus/pci/drivers/axl "$TREE/sys/bus/pci/devices/0000:86:00.0/driver"
	hook post-start
	[[ $OUT != *self-test* ]]
	nobody
	ln -sfn ../../../../bus/pci/drivers/vfio-pci "$TREE/sys/bus/pci/devices/0000:86:00.0/driver"
	sed -i 's/^guest_selftest: .*/guest_selftest: off/' "$TREE/etc/metis-passthrough/config.yaml"
	hook post-start
	[ -z "$OUT" ]
	nobody
	sed -i '/^guest_selftest/d' "$TREE/etc/metis-passthrough/config.yaml"
	hook post-start
	[ -z "$OUT" ]
	nobody
	run called 'qm guest'
	[ "$status" -ne 0 ]
}

@test "the stop of the VM ends it, in each phase of it and without one; one at a time" {
	for phase in pre-stop post-stop; do
		hook post-start
		until_ called 'ping'
		run inside selftest --vm 101
		[ "$status" -ne 0 ]
		assert_output --regexp "VM 101: a self-test runs in it already \(process $(children)\)"
		[ $phase = pre-stop ] || rm "$TREE/run/qemu-server/101.pid"
		OUT=$(inside hook 101 $phase 2>&1 3>&-) || true
		[[ $OUT == *"the self-test in the guest is ended"* ]] || fail "$OUT"
		until_ nobody
		runs
		: >"$TREE/sim/log"
	done
	# While the program in the guest runs: it is told to end.
	touch "$TREE/sim/agent"
	hook post-start
	until_ called exec-status
	hook pre-stop
	until_ nobody
	called 'qm guest exec 101 --synchronous 0 -- kill -TERM 4242'
	# Nobody called: qm says so.
	rm "$TREE/sim/agent"
	hook post-start
	rm "$TREE/run/qemu-server/101.pid"
	until_ nobody
	hook pre-stop
	[ -z "$OUT" ]
	# Nothing of all that says anything of the card.
	[ ! -e "$TREE$NOTE" ]
	[ -e "$TREE$LOCK" ]
}

# finding: severity and summary of the check.
finding() {
	inside preflight --vm 101 --check vm-guest-selftest --format json 3>&- |
		jq -r '.findings[] | select(.id == "vm-guest-selftest") | "\(.severity) \(.summary)"'
}

@test "what came of it: the check" {
	assert_equal "$(finding)" "info VM 101: guest_selftest is 'run', but no self-test in the guest has come to its end yet"
	touch "$TREE/sim/agent"
	answers 0 .
	hook post-start
	until_ test -e "$TREE$NOTE"
	until_ nobody
	assert_equal "$(finding)" "pass VM 101: its last self-test in the guest passed on this host kernel"
	echo 6.99.1-pve >"$TREE/proc/sys/kernel/osrelease"
	run finding
	assert_output --regexp "^info VM 101: its last self-test in the guest passed on host kernel .*, and this is 6.99.1-pve$"
	# A note that lies about itself is none.
	for edit in 's/^verdict .*/verdict good/' '/^verdict/d' '1d' '/^device/d' 's/^device .*/device x/' '1a more'; do
		sed -i.kept "$edit" "$TREE$NOTE"
		assert_equal "$(finding)" "unknown VM 101: what its last self-test in the guest found could not be read"
		mv "$TREE$NOTE.kept" "$TREE$NOTE"
	done
	rm "$TREE$NOTE"
	answers 1 '.results[0].verdict = "fail" | .verdict = "failed"'
	hook post-start
	until_ test -e "$TREE$NOTE"
	until_ nobody
	run finding
	assert_output --regexp "^fail VM 101: its last self-test in the guest failed: [a-z-]+: "
	# No result is not a pass.
	jq -n '{exited: 1, exitcode: 3, "err-data": "there is no such\ndevice"}' >"$TREE/sim/agent.status"
	hook post-start
	until_ grep -q '^verdict not-run$' "$TREE$NOTE"
	until_ nobody
	run finding
	assert_output --regexp "^unknown VM 101: its last self-test in the guest came to no result: .*there is no such device"
}
