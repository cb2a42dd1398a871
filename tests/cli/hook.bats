#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# hook: a VM is let start with the right card, and refused with one sentence otherwise.
load helpers

# tree NAME: the captured host as a directory that a test may change.
tree() {
	TREE=$BATS_TEST_TMPDIR/$1
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host "$1")" "$TREE"
}

teardown() {
	[ -z "${SHM-}" ] || rm -rf -- "$SHM"
}

# The card in the unpacked host.
card() {
	printf '%s\n' "$TREE/sys/bus/pci/devices/0000:86:00.0"
}

# refused WORDS: the last run refused VM 101, and says why on its first line.
refused() {
	local first=${stderr%%$'\n'*}
	[ "$status" -eq 1 ] || fail "exit code $status"
	[ -z "$output" ] || fail "standard output: $output"
	[[ $first == "metis-passthrough: VM ${VM:-101} is not started: "*"$1"* ]] || fail "no '$1' in: $first"
}

# runs PID VMID: the VM runs.
runs() {
	mkdir -p "$TREE/run/qemu-server" "$TREE/proc/$1"
	echo "$1" >"$TREE/run/qemu-server/$2.pid"
	printf 'kvm\0-id\0%s\0-name\0x\0' "$2" >"$TREE/proc/$1/cmdline"
}

@test "a card as it was set up: nothing is said" {
	metis hook 101 pre-start --sysroot "$(host set-up)"
	[ -z "$output$stderr" ]
}

@test "a card without a pin: a warning" {
	metis hook 101 pre-start --sysroot "$(host forum-node)"
	[[ $stderr == *"warning: no card of this VM is in /etc/metis-passthrough/config.yaml"* ]]
}

@test "a VM without a card, and every other phase: exit 0" {
	metis hook 100 pre-start --sysroot "$(host forum-node)"
	[ -z "$output$stderr" ]
	for phase in post-start pre-stop post-stop; do
		metis hook 101 "$phase" --sysroot "$(host fallen-off-bus)"
		[ -z "$output$stderr" ]
	done
	metis hook 101 something-new --sysroot "$(host fallen-off-bus)"
	[[ $stderr == *"phase 'something-new' is not known"* ]]
}

@test "a VM without a card: no file of another VM is read" {
	strace -o /dev/null true 2>/dev/null || skip "nothing may be traced here"
	tree forum-node
	ASAN_OPTIONS=detect_leaks=0 strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=open,openat,openat2 \
		"$METIS" hook 100 pre-start --sysroot "$TREE"
	grep -q '/100\.conf' "$BATS_TEST_TMPDIR/trace"
	run ! grep -E '/101\.conf|pci\.cfg|storage\.cfg|snippets' "$BATS_TEST_TMPDIR/trace"
}

@test "words that are none: exit 2 or 3, never 0" {
	metis 2 hook 101
	assert_usage_error
	metis 2 hook x pre-start
	assert_usage_error
	metis 3 hook 999 pre-start --sysroot "$(host forum-node)"
	[[ $stderr == *"VM 999 is not started: VM 999: there is no such VM"* ]]
	metis 3 hook 101 pre-start --sysroot /nonexistent
	tree set-up
	echo 'cards: [' >"$TREE/etc/metis-passthrough/config.yaml"
	metis 3 hook 101 pre-start --sysroot "$TREE"
	[[ $stderr == *"VM 101 is not started: "*config.yaml:* ]] || fail "$stderr"
}

@test "another card at the address" {
	metis 1 hook 101 pre-start --sysroot "$(host moved-card)"
	refused "0000:86:00.0 is not the card that was set up: its serial number is 0x1f9d110000000002"
	tree set-up
	echo 0x1234 >"$(card)/device"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "0000:86:00.0"
}

@test "the card is gone, and is found elsewhere by its serial number" {
	tree set-up
	sed -i 's/0000:86:00.0/0000:87:00.0/' "$TREE/etc/metis-passthrough/config.yaml" "$TREE/etc/pve/mapping/pci.cfg"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "there is no device at 0000:87:00.0 (hostpci0); the card is at 0000:86:00.0 now"
}

@test "the card is gone for good" {
	tree forum-node
	sed -i 's/0000:86:00.0/0000:99:00.0/' "$TREE/etc/pve/nodes/node1/qemu-server/101.conf"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "there is no device at 0000:99:00.0 (hostpci0)"
}

@test "a mapping that is not there, or has nothing for this node" {
	tree set-up
	sed -i 's/node=node1/node=node2/' "$TREE/etc/pve/mapping/pci.cfg"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "hostpci0 means no device of this node (mapping=metis,pcie=1)"
}

@test "a card that reads as all ones" {
	metis 1 hook 101 pre-start --sysroot "$(host fallen-off-bus)"
	refused "0000:86:00.0 does not answer"
}

@test "what identifies a pinned card cannot be read" {
	tree set-up
	rm "$(card)/config"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "0000:86:00.0"
	tree set-up
	head -c 64 "$(card)/config" >"$TREE/head"
	mv "$TREE/head" "$(card)/config"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "it cannot be verified that 0000:86:00.0 is the card that was set up"
}

@test "the host uses the card" {
	tree forum-node
	sed -i 's/0000:86:00.0/0000:18:00.0/' "$TREE/etc/pve/nodes/node1/qemu-server/101.conf"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "0000:18:00.0 is used by the host: nic0 -> vmbr0 has the default route of the host"
	mkdir -p "$TREE/etc/metis-passthrough"
	printf 'waivers:\n  - check: device-host-use\n    subject: 0000:18:00.0\n    reason: rescue\n' \
		>"$TREE/etc/metis-passthrough/config.yaml"
	metis hook 101 pre-start --sysroot "$TREE"
	[[ $stderr == *"warning: 0000:18:00.0 is used by the host (waived)"* ]]
}

@test "the host uses something of the card's group" {
	metis 1 hook 101 pre-start --sysroot "$(host group-shared)"
	refused "Proxmox VE would take 0000:87:00.0 from the host together with 0000:86:00.0"
}

@test "another VM runs with the card" {
	tree vm-troubles
	VM=209
	sed -i 's/^args:.*/hostpci0: 0000:86:00.0,pcie=1/' "$TREE/etc/pve/nodes/node1/qemu-server/209.conf"
	metis hook 209 pre-start --sysroot "$TREE"
	runs 4711 101
	metis 1 hook 209 pre-start --sysroot "$TREE"
	refused "0000:86:00.0 is not free: held by VM 101, which runs (pid 4711)"
	# Its own reservation is no reason: PVE refuses to start what runs.
	metis hook 101 pre-start --sysroot "$TREE"
	# Not in the reservations: its configuration tells.
	: >"$TREE/run/qemu-server/pci-id-reservations"
	metis 1 hook 209 pre-start --sysroot "$TREE"
	refused "VM 101 runs with it (hostpci0)"
}

# starts VMID PID BEGUN: its hook has made the card ready, and process PID of Proxmox VE goes on with its start.
starts() {
	local file=$TREE/var/lock/qemu-server/lock-$1.conf
	mkdir -p "${file%/*}" "$TREE/run/metis-passthrough" "$TREE/proc/$2"
	: >"$file"
	printf 'metis-passthrough vm 1\nlog 5\ntask %s %s\ncard 0000:86:00.0\n' "$2" "$3" >"$TREE/run/metis-passthrough/vm-$1"
	printf '%s (task) (UPID:) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20 21\n' "$2" "$3" >"$TREE/proc/$2/stat"
	# Of the kernel's, the numbers of the device are hexadecimal.
	LOCKED=$(printf 'ADVISORY  WRITE %s %02x:%02x:%s 0 EOF' "$2" $((0x$(stat -c %D "$file") >> 8 & 0xfff)) \
		$((0x$(stat -c %D "$file") & 0xff)) "$(stat -c %i "$file")")
	printf '1: POSIX  ADVISORY  WRITE 1 00:01:2 0 EOF\n2: FLOCK  %s\n' "$LOCKED" >"$TREE/proc/locks"
}

@test "another VM is being started with the card: between its hook and its QEMU" {
	local conf free
	tree forum-node
	conf=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	cp "$conf" "${conf%/*}/102.conf"
	starts 101 4242 777
	VM=102
	metis 1 hook 102 pre-start --sysroot "$TREE"
	refused "0000:86:00.0 is not free: VM 101 is being started with it (by process 4242); stop that VM first"
	# Itself may be tried again.
	metis hook 101 pre-start --sysroot "$TREE"
	# Who has the lock cannot be read, and the process lives.
	rm "$TREE/proc/locks"
	mkdir "$TREE/proc/locks"
	metis 1 hook 102 pre-start --sysroot "$TREE"
	refused "VM 101 is being started with it"
	rmdir "$TREE/proc/locks"
	# It has ended, also without a word: nobody is refused for it.
	for free in ": >\$TREE/proc/locks" \
		"sed -i /4242/d \$TREE/proc/locks" \
		"sed -i s/4242/4243/ \$TREE/proc/locks" \
		"sed -i 's/FLOCK  ADVISORY  WRITE 4242/-> FLOCK  ADVISORY  WRITE 4242/' \$TREE/proc/locks" \
		"sed -i 's/ 0 EOF/1 0 EOF/' \$TREE/proc/locks" \
		"sed -i 's/ 777 / 778 /' \$TREE/proc/4242/stat" \
		"rm -r \$TREE/proc/4242" \
		"rm \$TREE/var/lock/qemu-server/lock-101.conf" \
		"sed -i /task/d \$TREE/run/metis-passthrough/vm-101" \
		"echo junk >\$TREE/run/metis-passthrough/vm-101"; do
		starts 101 4242 777
		metis 1 hook 102 pre-start --sysroot "$TREE"
		eval "$free"
		metis hook 102 pre-start --sysroot "$TREE"
	done
}

# As the kernel writes it, of a lock that is taken; on tmpfs, as /run/lock is.
@test "who has a lock is read from the kernel's own list" {
	local conf file holder tries=0
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] && [ -w /dev/shm ] || skip "/dev/shm is no tmpfs"
	tree forum-node
	conf=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	cp "$conf" "${conf%/*}/102.conf"
	SHM=$(mktemp -d /dev/shm/metis.XXXXXX)
	mkdir -p "$TREE/var/lock" "$TREE/run/metis-passthrough"
	mv "$TREE" "$SHM/tree"
	TREE=$SHM/tree
	file=$TREE/var/lock/qemu-server/lock-101.conf
	mkdir "${file%/*}"
	mkfifo "$SHM/end"
	exec 8<>"$SHM/end"
	flock -o "$file" cat <"$SHM/end" >/dev/null 3>&- 8>&- &
	holder=$!
	until grep -qE "FLOCK +ADVISORY +WRITE $holder " /proc/locks; do
		[ $((tries += 1)) -lt 300 ] || fail "no lock"
		sleep 0.1
	done
	mkdir -p "$TREE/proc/$holder"
	cat /proc/locks >"$TREE/proc/locks"
	cat "/proc/$holder/stat" >"$TREE/proc/$holder/stat"
	kill "$holder"
	exec 8>&-
	wait "$holder" || true
	printf 'metis-passthrough vm 1\nlog 5\ntask %s %s\ncard 0000:86:00.0\n' "$holder" \
		"$(cut -d ' ' -f 22 "$TREE/proc/$holder/stat")" >"$TREE/run/metis-passthrough/vm-101"
	VM=102
	metis 1 hook 102 pre-start --sysroot "$TREE"
	refused "VM 101 is being started with it (by process $holder)"
	cat /proc/locks >"$TREE/proc/locks"
	metis hook 102 pre-start --sysroot "$TREE"
}

@test "a VM that is being started holds no card that it did not take in the end" {
	local conf
	tree metis-quad
	conf=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	# In the tree's words.
	sed -i '/^hostpci/d; 1i hostpci0: mapping=metis,pcie=1' "$conf"
	cp "$conf" "${conf%/*}/102.conf"
	mkdir -p "$TREE/etc/pve/mapping"
	printf 'metis\n' >"$TREE/etc/pve/mapping/pci.cfg"
	for bus in 88 89; do
		printf '\tmap id=1f9d:1100,iommugroup=%s,node=node1,path=0000:%s:00.0,subsystem-id=1f9d:0001\n' \
			"$(basename "$(readlink "$TREE/sys/bus/pci/devices/0000:$bus:00.0/iommu_group")")" $bus >>"$TREE/etc/pve/mapping/pci.cfg"
	done
	metis hook 102 pre-start --sysroot "$TREE"
	starts 101 4242 777
	sed -i '/^card/d' "$TREE/run/metis-passthrough/vm-101"
	printf 'card 0000:%s:00.0\n' 88 89 >>"$TREE/run/metis-passthrough/vm-101"
	VM=102
	metis 1 hook 102 pre-start --sysroot "$TREE"
	refused "no card of mapping metis is free: VM 101 is being started with it"
	# Its QEMU runs, and has the first one.
	runs 4711 101
	mkdir -p "$TREE/run/qemu-server"
	echo '0000:88:00.0 101 pid:4711' >"$TREE/run/qemu-server/pci-id-reservations"
	metis hook 102 pre-start --sysroot "$TREE"
}

@test "sixteen lines: the last one counts as the first does" {
	local conf line
	tree metis-quad
	conf=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	sed -i '/^hostpci/d' "$conf"
	for line in {0..14}; do
		sed -i "1i hostpci$line: 0000:8$((line % 2 + 8)):00.0,pcie=1" "$conf"
	done
	sed -i '1i hostpci15: 0000:8a:00.0,pcie=1' "$conf"
	metis hook 101 pre-start --sysroot "$TREE"
	sed -i 's/^hostpci15: .*/hostpci15: 0000:77:00.0,pcie=1/' "$conf"
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "there is no device at 0000:77:00.0 (hostpci15)"
	# Another more, and Proxmox VE ignores it.
	sed -i 's/^hostpci15: .*/hostpci16: 0000:77:00.0,pcie=1/' "$conf"
	metis hook 101 pre-start --sysroot "$TREE"
}

@test "no IOMMU" {
	metis 1 hook 101 pre-start --sysroot "$(host vtd-unused)"
	refused "0000:86:00.0 is in no IOMMU group"
}

@test "a line that Proxmox VE drops: a warning, because the VM starts without the card" {
	tree vm-troubles
	metis hook 202 pre-start --sysroot "$TREE"
	[[ $stderr == *"warning: Proxmox VE ignores hostpci0"* ]] || fail "$stderr"
}

# shim PROGRAM: the hookscript as setup writes it, in $SHIM; the notes that it reads are below $NOTES.
shim() {
	SHIM=$BATS_TEST_TMPDIR/metis-hook
	NOTES=$BATS_TEST_TMPDIR/notes
	mkdir -p "$NOTES"
	sed -e "s|@PROGRAM@|$1|" -e 's|@HEAD@|# head|' -e "s|@NOTES@|$NOTES|" "$TOP_SRCDIR/hooks/metis-passthrough" >"$SHIM"
	chmod +x "$SHIM"
}

# script FILE TEXT
script() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod +x "$1"
}

# theirs TEXT: the VM's earlier hookscript does TEXT; ours says "ours WORDS".
theirs() {
	shim "$BATS_TEST_TMPDIR/program"
	script "$BATS_TEST_TMPDIR/program" 'echo "ours $*"'
	script "$BATS_TEST_TMPDIR/theirs" "$1"
	printf '# a note\n%s\n' "$BATS_TEST_TMPDIR/theirs" >"$NOTES/101"
}

@test "the hookscript runs the program, and refuses the start where there is none" {
	shim "$BATS_TEST_TMPDIR/program"
	run --separate-stderr "$SHIM" 101 pre-start
	assert_equal "$status" 1
	[[ $stderr == "VM 101 is not started: its card cannot be verified, because "*"/program is not there."* ]] || fail "$stderr"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	for phase in post-start pre-stop post-stop; do
		run --separate-stderr "$SHIM" 101 "$phase"
		assert_equal "$status" 0
		[[ $stderr == warning:* ]]
	done
	script "$BATS_TEST_TMPDIR/program" 'echo "$@"; exit 7'
	for phase in pre-start post-start pre-stop post-stop; do
		run "$SHIM" 101 "$phase"
		assert_equal "$status" 7
		assert_output "hook 101 $phase"
	done
}

@test "the earlier hookscript of the VM: before ours at the start, after it else, with the same words and its own voice" {
	theirs 'echo "theirs $*"; echo aside >&2; cat; echo "$PVE_MIGRATED_FROM"'
	PVE_MIGRATED_FROM=pve2 run --separate-stderr "$SHIM" 101 pre-start <<<"input"
	assert_success
	assert_equal "$output" $'theirs 101 pre-start\ninput\npve2\nours hook 101 pre-start'
	assert_equal "$stderr" aside
	for phase in post-start pre-stop post-stop something-new; do
		run "$SHIM" 101 "$phase" </dev/null
		assert_success
		assert_line --index 0 "ours hook 101 $phase"
		assert_line --index 1 "theirs 101 $phase"
	done
	# Another VM has none.
	run "$SHIM" 102 pre-start
	assert_output "ours hook 102 pre-start"
}

@test "the earlier hookscript refuses the start: nothing of ours is done; in other phases it is told" {
	theirs 'exit 3'
	run --separate-stderr "$SHIM" 101 pre-start
	assert_equal "$status" 1
	assert_equal "$output" ""
	assert_equal "$stderr" "VM 101 is not started: its earlier hookscript $BATS_TEST_TMPDIR/theirs failed (exit code 3)"
	theirs 'kill -9 $$'
	run --separate-stderr "$SHIM" 101 pre-start
	assert_equal "$status" 1
	[[ $stderr == *"VM 101 is not started: its earlier hookscript $BATS_TEST_TMPDIR/theirs failed (exit code 137)" ]] || fail "$stderr"
	for phase in post-start pre-stop post-stop; do
		theirs 'exit 3'
		run --separate-stderr "$SHIM" 101 "$phase"
		assert_equal "$status" 1
		assert_equal "$output" "ours hook 101 $phase"
		assert_equal "$stderr" "warning: VM 101 ($phase): its earlier hookscript $BATS_TEST_TMPDIR/theirs failed (exit code 3)"
	done
	# Ours refuses: Proxmox VE is told so, and theirs was run before.
	theirs 'echo "theirs $*"'
	script "$BATS_TEST_TMPDIR/program" 'exit 1'
	run "$SHIM" 101 pre-start
	assert_equal "$status" 1
	assert_output "theirs 101 pre-start"
	run "$SHIM" 101 post-stop
	assert_equal "$status" 1
	assert_output "theirs 101 post-stop"
}

@test "without the program the earlier hookscript is not run before a start that is refused, but after a stop" {
	theirs 'echo "theirs $*"'
	rm "$BATS_TEST_TMPDIR/program"
	run --separate-stderr "$SHIM" 101 pre-start
	assert_equal "$status" 1
	assert_equal "$output" ""
	run --separate-stderr "$SHIM" 101 post-stop
	assert_success
	assert_equal "$output" "theirs 101 post-stop"
	[[ $stderr == warning:*"/program is not there"* ]]
}

# bad WORDS: what the note of VM 101 says now refuses the start with WORDS, and is told in other phases, where ours is run.
bad() {
	run --separate-stderr timeout 20 "$SHIM" 101 pre-start
	assert_equal "$status" 1
	[[ ${stderr%%$'\n'*} == "VM 101 is not started: "*"$1"* ]] || fail "no '$1' in: $stderr"
	[ -z "$output" ] || fail "run all the same: $output"
	run --separate-stderr timeout 20 "$SHIM" 101 post-stop
	assert_equal "$status" 1
	[[ $output == "ours hook 101 post-stop" && $stderr == *"warning: VM 101 (post-stop): "*"$1"* ]] || fail "$output$stderr"
}

@test "a note that makes no sense, or leads back, is refused" {
	theirs 'echo "theirs $*"'
	local path=$BATS_TEST_TMPDIR/theirs note=$NOTES/101
	printf '%s\n%s\n' "$path" "$path" >"$note"
	bad "has 2 lines with a script in them"
	for text in '' '# nothing' '#'"$path"; do
		printf '%s' "$text" >"$note"
		bad "has 0 lines with a script in them"
	done
	for text in theirs "./theirs" "local:snippets/theirs" " $path"; do
		printf '%s\n' "$text" >"$note"
		bad "names no absolute path"
	done
	for text in "$BATS_TEST_TMPDIR/../${BATS_TEST_TMPDIR##*/}/theirs" "$BATS_TEST_TMPDIR/.."; do
		printf '%s\n' "$text" >"$note"
		bad "names a path with '..' in it"
	done
	printf '%s\n' "$SHIM" >"$note"
	bad "names this hookscript itself"
	printf '%s\n' "$path.gone" >"$note"
	bad "its earlier hookscript $path.gone is not there (named in $note)"
	mkdir "$BATS_TEST_TMPDIR/directory"
	printf '%s\n' "$BATS_TEST_TMPDIR/directory" >"$note"
	bad "is not there"
	printf '%s\n' "$path" >"$note"
	chmod -x "$path"
	bad "its earlier hookscript $path is not executable"
	rm "$note"
	mkdir "$note"
	bad "has 0 lines"
	rmdir "$note"
	ln -s nowhere "$note"
	bad "has 0 lines"
}

@test "an earlier hookscript that leads to ours by a link or a call does not go round for ever" {
	theirs 'echo "theirs $*"'
	ln -s "$SHIM" "$BATS_TEST_TMPDIR/link"
	printf '%s\n' "$BATS_TEST_TMPDIR/link" >"$NOTES/101"
	run --separate-stderr timeout 20 "$SHIM" 101 pre-start
	assert_equal "$status" 1
	[[ $stderr == "VM 101 is not started: $NOTES/101 names this hookscript itself"$'\n'* ]] || fail "$stderr"
	theirs "\"$BATS_TEST_TMPDIR/metis-hook\" \"\$@\""
	run --separate-stderr timeout 20 "$SHIM" 101 pre-start
	assert_equal "$status" 1
	[[ $stderr == *"calls this one again"* ]] || fail "$stderr"
}

@test "words that are no number are no path of a note" {
	theirs 'echo "theirs $*"'
	mkdir "$NOTES/sub"
	cp "$NOTES/101" "$NOTES/sub/x"
	run "$SHIM" sub/x pre-start
	assert_output "ours hook sub/x pre-start"
	run "$SHIM"
	assert_output "ours hook"
}

# PVE waits until everything that it gave the hook is closed (PVE::Cmd::run).
@test "nothing of it lives on with the caller's files open" {
	# shellcheck disable=SC2016
	run timeout 20 bash -c '"$1" hook 101 pre-start --sysroot "$2" | cat' - "$METIS" "$(host forum-node)"
	assert_success
}

# last_selftest FILTER: the report of the card's last self-test, changed by jq; each time from the captured one.
last_selftest() {
	local file=$TREE/var/lib/metis-passthrough/selftest/0000:86:00.0.json
	[ -e "$BATS_TEST_TMPDIR/report" ] || cp "$file" "$BATS_TEST_TMPDIR/report"
	jq "$1" "$BATS_TEST_TMPDIR/report" >"$file"
}

# selftest_last VALUE: what the configuration wants of it.
selftest_last() {
	local config=$TREE/etc/metis-passthrough/config.yaml
	sed -i '/^selftest_last:/d' "$config"
	echo "selftest_last: $1" >>"$config"
}

# not_good WORDS: a self-test of which WORDS are told: a warning, nothing, or a refusal, as the configuration says.
not_good() {
	for config in '' warn; do
		[ -z "$config" ] || selftest_last "$config"
		metis hook 101 pre-start --sysroot "$TREE"
		[[ $stderr == *"warning: 0000:86:00.0: "*"$1"* ]] || fail "no '$1' in: $stderr"
	done
	selftest_last off
	metis hook 101 pre-start --sysroot "$TREE"
	[ -z "$output$stderr" ] || fail "$stderr"
	selftest_last require
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "selftest_last is 'require', and of 0000:86:00.0 "
	refused "$1"
	refused "run 'metis-passthrough selftest --device 0000:86:00.0'"
	sed -i '/^selftest_last:/d' "$TREE/etc/metis-passthrough/config.yaml"
}

@test "a self-test that passed is enough, also where one is required" {
	tree set-up
	selftest_last require
	metis hook 101 pre-start --sysroot "$TREE"
	[ -z "$output$stderr" ] || fail "$stderr"
}

@test "a self-test that failed, or is of another kernel, BIOS or card: as the configuration says" {
	tree set-up
	last_selftest '.verdict = "failed" | .summary.fail = 1
		| .results = [{case: "dma-read", verdict: "fail", summary: "nothing arrived"}]'
	not_good "its last self-test failed: dma-read: nothing arrived"
	last_selftest '.host.kernel = "6.8.12-1-pve"'
	not_good "its last self-test passed on kernel 6.8.12-1-pve, and this is 7.0.0-3-pve"
	last_selftest '.bios.version = "3.7"'
	not_good "its last self-test passed with BIOS 3.7, and this is 3.8a"
	last_selftest '.bios.version = null'
	not_good "whether with this BIOS is not known (then: unknown)"
	last_selftest '.host.kernel = null'
	not_good "whether on this kernel is not known"
	last_selftest '.options.isolation = false'
	not_good "left out the isolation cases"
	last_selftest '.options.isolation = false | .way = "module"'
	not_good "by the kernel module metis_dmatest, which has no isolation cases"
	last_selftest '.pin.serial = "0x1f9d110000000002"'
	not_good "may have been of another card"
	last_selftest '"nonsense"'
	not_good "could not be read"
}

@test "no self-test at all counts only where one is required, and of configured cards" {
	tree set-up
	rm "$TREE/var/lib/metis-passthrough/selftest/"*
	metis hook 101 pre-start --sysroot "$TREE"
	[ -z "$output$stderr" ] || fail "$stderr"
	selftest_last require
	metis 1 hook 101 pre-start --sysroot "$TREE"
	refused "no self-test of it was ever run"
	tree forum-node
	mkdir -p "$TREE/etc/metis-passthrough"
	echo 'selftest_last: require' >"$TREE/etc/metis-passthrough/config.yaml"
	metis hook 101 pre-start --sysroot "$TREE"
}

# What the hook notes at the start, in a tree: it writes none there.
note() {
	mkdir -p "$TREE/run/metis-passthrough" "$TREE/metis-passthrough"
	printf 'metis-passthrough vm 1\nlog 100000000\ncard 0000:86:00.0\n' >"$TREE/run/metis-passthrough/vm-101"
	printf '[  100.000000] old\n[  101.000000] DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x28 [fault reason 0x22] x\n' \
		>"$TREE/metis-passthrough/klog"
}

@test "what the IOMMU blocked since the start is told after the stop" {
	tree set-up
	note
	metis hook 101 post-stop --sysroot "$TREE"
	[[ $stderr == "metis-passthrough: 0000:86:00.0: warning: the IOMMU blocked it 1 time since the VM started; what it means: metis-passthrough diagnose --vm 101"$'\n'*"fault index 0x28"* ]] || fail "$stderr"
	[ -e "$TREE/run/metis-passthrough/vm-101" ]
	sed -i 's/101.000/ 99.000/' "$TREE/metis-passthrough/klog"
	metis hook 101 post-stop --sysroot "$TREE"
	[ -z "$output$stderr" ] || fail "$stderr"
	echo nonsense >"$TREE/run/metis-passthrough/vm-101"
	metis hook 101 post-stop --sysroot "$TREE"
	[[ $stderr == *"warning: what was noted when it started is lost: /run/metis-passthrough/vm-101: not a note of this program"* ]] || fail "$stderr"
}

@test "a VM that runs without its card: told after the start" {
	tree set-up
	metis hook 101 post-start --sysroot "$TREE"
	[ -z "$output$stderr" ] || fail "$stderr"
	rm "$(card)/driver"
	metis hook 101 post-start --sysroot "$TREE"
	[[ $stderr == *"0000:86:00.0: warning: it is not with vfio-pci, so VM 101 does not have it"* ]] || fail "$stderr"
}

# Its child is stopped at its first look, as if the card held it there.
@test "a look that does not end is given up, with the sentence that refuses the start" {
	command -v strace >/dev/null || skip 'no strace'
	strace -o /dev/null true 2>/dev/null || skip 'nothing may be traced here'
	tree set-up
	ASAN_OPTIONS=detect_leaks=0 METIS_PASSTHROUGH_HOOK_SECONDS=1 run --separate-stderr timeout 30 \
		strace -f -o /dev/null -e trace=openat2 -e inject=openat2:signal=SIGSTOP:when=1 \
		"$METIS" hook 101 pre-start --sysroot "$TREE"
	assert_equal "$status" 1
	[ "$stderr" = "metis-passthrough: VM 101 is not started: the look at its card does not end: it hangs in the kernel, so reboot the host" ] || fail "$stderr"
}
