#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# hook, with a card that is really taken: a captured host is entered by chroot, where the program takes it for this
# machine, and tests/crash/sysfs.c is the kernel behind its /sys. Each write there fails in turn; which there are is
# counted, not listed.
load helpers
load system

: "${TOP_BUILDDIR:=$TOP_SRCDIR/build}"
BDF=0000:86:00.0
MODEL=$TOP_BUILDDIR/tests/crash/sysfs.so

setup() {
	need_system
	[ -e "$MODEL" ] || fail "not built: $MODEL (make check does)"
	! ldd "$METIS" | grep -q asan || skip "a sanitizer needs a real /proc"
	TREE=$(system set-up)
	CARD=$TREE/sys/bus/pci/devices/$BDF
	prepare
	cp -a "$CARD/." "$TREE/before"
}

# The program with its libraries; the card with a driver of the host's, armed as that left it.
prepare() {
	local library driver bar offset value
	while read -r library; do
		install -D "$library" "$TREE$library"
	done < <(ldd "$METIS" | grep -oE '/[^ ]+')
	install -D "$MODEL" "$TREE/sysfs.so"
	install -D "$METIS" "$TREE/usr/local/bin/metis-passthrough"
	# Nothing to wait for: nothing settles here.
	mkdir -p "$TREE/profiles"
	sed 's/settle_ms: .*/settle_ms: 0/' "$TOP_SRCDIR/templates/profiles/metis.yaml" >"$TREE/profiles/metis.yaml"
	: >"$TREE/dev/kmsg"
	echo 'after_stop: host' >>"$TREE/etc/metis-passthrough/config.yaml"
	: >"$TREE/sys/bus/pci/drivers_probe"
	for driver in axl vfio-pci; do
		mkdir -p "$TREE/sys/bus/pci/drivers/$driver"
		: >"$TREE/sys/bus/pci/drivers/$driver/unbind"
	done
	ln -sfn ../../../../bus/pci/drivers/axl "$CARD/driver"
	echo D0 >"$CARD/power_state"
	echo auto >"$CARD/power/control"
	echo 'flr bus' >"$CARD/reset_method"
	# Bus master on.
	printf '\006' | dd of="$CARD/config" bs=1 seek=4 conv=notrunc status=none
	truncate -s 4096 "$CARD/resource0"
	sed -i 's/0x00000000edffffff/0x00000000ec00ffff/' "$CARD/resource"
	truncate -s 64K "$CARD/resource2"
	while read -r bar offset value; do
		printf '%s' "${value#0x}" | sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' | xargs -0 printf |
			dd of="$CARD/resource$bar" bs=1 seek=$((offset)) conv=notrunc status=none
	done < <(
		cat "$TREE/metis-passthrough/card/$BDF"
		# Its window into memory is open.
		printf '2 0x4000 0x00000001\n2 0x4008 0x49800000\n2 0x400c 0x00000001\n'
	)
}

# again NAME: the card as it was kept there.
again() {
	rm -rf "$TREE/run/metis-passthrough" "$CARD/driver"
	cp -a "$TREE/$1/." "$CARD/"
}

# hook PHASE [AT HOW]: as Proxmox VE runs it; the AT-th write is the victim. $WRITES: how many there were.
hook() {
	local seconds=
	rm -f "$TREE/count" "$TREE/trace"
	[[ ${3-} != @(hang|stuck) ]] || seconds=10
	run --separate-stderr timeout -k 1 90 chroot "$TREE" /usr/bin/busybox env LD_PRELOAD=/sysfs.so SYSFS_COUNT=/count \
		SYSFS_TRACE=/trace SYSFS_HOST=axl SYSFS_AT="${2-}" SYSFS_HOW="${3-}" METIS_PASSTHROUGH_PROFILES=/profiles \
		METIS_PASSTHROUGH_HOOK_SECONDS=$seconds /usr/local/bin/metis-passthrough hook 101 "$1"
	WRITES=$(cat "$TREE/count" 2>/dev/null || echo 0)
	printf '%s\n' "hook 101 $1, write ${2-none} ${3-}: exit $status" "$output$stderr"
}

# state: the card, as far as it counts.
state() {
	readlink "$CARD/driver" || echo "no driver"
	(cd "$CARD" && head -n 1 driver_override power/control reset_method && sha256sum config resource0 resource2)
}

driver() {
	local link
	link=$(readlink "$CARD/driver") || link=none
	printf '%s %s\n' "${link##*/}" "$(cat "$CARD/driver_override")"
}

# undisturbed PHASE: runs it, and keeps the state ($DONE) and the number of writes ($ALL).
undisturbed() {
	hook "$1"
	assert_equal "$status" 0
	DONE=$(state)
	ALL=$WRITES
	[ "$ALL" -ge "$2" ] || fail "only $ALL writes: $(cat "$TREE/trace")"
}

# reason HOW: what a message says of it.
reason() {
	case ${1%+} in
	5) echo "Input/output error" ;;
	16) echo "Device or resource busy" ;;
	19) echo "No such device" ;;
	kill*) echo "Input/output error|ended by signal 9" ;;
	hang) echo "no answer within 2 s|does not end: it hangs in the kernel, so reboot" ;;
	stuck) echo "the kernel has not answered within 2 s, and process|does not end: it hangs in the kernel, so reboot" ;;
	esac
}

# good_end PHASE AT HOW: a run that was disturbed at this write ended well, and the next one ends as an undisturbed one.
good_end() {
	local lines said tries=0
	hook "$@"
	case $status in
	0)
		# It goes on without: tried again, or said.
		grep -qE "^$2 .*/reset(_method)? " "$TREE/trace" || fail "write $2 failed ($3), and nothing is said"
		[[ $(<"$TREE/trace") == *"/reset 1"*"/reset 1" || $stderr == *"$(reason "$3")"* ]] || fail "nothing is said"
		;;
	1 | 3 | 4 | 5)
		lines=$(grep -cE '^metis-passthrough: VM 101 is not ' <<<"$stderr")
		[ "$lines" -eq 1 ] || fail "$lines sentences"
		said=$(grep -E '^metis-passthrough: VM 101 is not ' <<<"$stderr")
		grep -qE "$(reason "$3")" <<<"$said" || fail "no reason"
		[[ $said == "metis-passthrough: VM 101 is not "*": $BDF"* ]] || fail "no card"
		case $said in
		*"(handed back to "*) assert_equal "$status" 4 ;;
		*"could not be handed back"* | *"cannot be ended"*) assert_equal "$status" 5 ;;
		*"ended by signal "*) assert_equal "$status" 3 ;;
		*) assert_equal "$status" 1 ;;
		esac
		case $(driver) in
		"axl (null)" | "vfio-pci vfio-pci") ;;
		# The rest of a failed way back, or of a process that was killed or hangs.
		"none "* | "vfio-pci (null)" | "axl vfio-pci")
			[[ $3 == *+ || $3 == kill* || $3 == stuck ]] || fail "left: $(driver)"
			[[ $3 != *+ || $said == *"could not be handed back to "* ]] || fail "left: $(driver)"
			;;
		*) fail "left: $(driver)" ;;
		esac
		# What it did is in the sentence: no two writes are told alike.
		printf '%s\n' "$said" | sed -E "s/process [0-9]+|[0-9]+\/stack/N/g" >>"$TREE.said/$3"
		[[ $3 == *+ || -z $(sort "$TREE.said/$3" | uniq -d) ]] || fail "told as another write"
		;;
	*) fail "exit code $status" ;;
	esac
	[ "$1" = post-stop ] || [ "$status" -eq 0 ] || assert_not_exists "$TREE/run/metis-passthrough/vm-101"
	# Nobody of it is left, and no lock.
	while [ -n "$(find /proc/[0-9]*/root -maxdepth 0 -lname "$TREE" 2>/dev/null)" ]; do
		[ $((tries += 1)) -lt 100 ] || fail "a process is left"
		sleep 0.1
	done
	hook "$1"
	assert_equal "$status" 0
	assert_equal "$(state)" "$DONE"
}

# each PHASE HOW...: every write of PHASE in turn, in each way.
each() {
	local phase=$1 how at
	shift
	for how in "$@"; do
		rm -rf "$TREE.said"
		mkdir "$TREE.said"
		for ((at = 1; at <= ALL; at++)); do
			again "$START"
			good_end "$phase" "$at" "$how"
		done
	done
	printf '# %s: %s writes, each in %s ways\n' "$phase" "$ALL" "$#" >&3
}

# at_once PHASE HOW...: the same, all together, each in a tree of its own: for what takes its time.
at_once() {
	local phase=$1 how at pids=() pid bad='' top=$TREE
	shift
	for how in "$@"; do
		for ((at = 1; at <= ALL; at++)); do
			(
				TREE=$top.$how.$at
				CARD=$TREE${CARD#"$top"}
				mkdir "$TREE" "$TREE.said"
				cp -al "$top"/* "$TREE/"
				rm -rf "${TREE:?}/run" "${CARD:?}"/* "${TREE:?}/sim"
				mkdir "$TREE/run"
				again "$START"
				good_end "$phase" "$at" "$how"
			) >"$top.$how.$at.log" 2>&1 3>&- &
			pids+=("$!:$how.$at")
		done
	done
	for pid in "${pids[@]}"; do
		wait "${pid%%:*}" || bad="$bad ${pid#*:}"
	done
	for pid in $bad; do
		cat "$top.$pid.log"
	done
	[ -z "$bad" ] || fail "failed:$bad"
	printf '# %s: %s writes, each in %s ways\n' "$phase" "$ALL" "$#" >&3
}

@test "pre-start: each write to /sys fails, or its process is killed" {
	undisturbed pre-start 7
	START=before
	each pre-start 5 16 19 5+ kill killed
}

@test "pre-start: each write to /sys hangs, also beyond any signal" {
	undisturbed pre-start 7
	START=before
	at_once pre-start hang stuck
}

# running: what a VM leaves behind that has run, as the start of a test.
running() {
	hook pre-start
	assert_equal "$status" 0
	cp -a "$CARD/." "$TREE/ran"
	START=ran
	undisturbed post-stop 4
}

@test "post-stop: each write to /sys fails, or its process is killed" {
	running
	each post-stop 5 16 19 5+ kill killed
}

@test "post-stop: each write to /sys hangs, also beyond any signal" {
	running
	at_once post-stop hang stuck
}

# What the first one holds back is a write that does not return.
@test "two hooks at once: the second is refused, and touches nothing" {
	local before tries=0
	chroot "$TREE" /usr/bin/busybox env LD_PRELOAD=/sysfs.so SYSFS_TRACE=/first SYSFS_AT=2 SYSFS_HOW=hang SYSFS_HOST=axl \
		METIS_PASSTHROUGH_PROFILES=/profiles METIS_PASSTHROUGH_HOOK_SECONDS=60 \
		/usr/local/bin/metis-passthrough hook 101 pre-start >"$TREE.first" 2>&1 3>&- &
	until grep -q '^2 ' "$TREE/first" 2>/dev/null; do
		[ $((tries += 1)) -lt 300 ] || fail "the first one does nothing: $(cat "$TREE.first")"
		sleep 0.1
	done
	before=$(state)
	for phase in pre-start post-stop; do
		hook "$phase"
		[ "$phase" = post-stop ] || assert_equal "$status" 3
		assert_equal "$WRITES" 0
		[[ $phase == post-stop || $stderr == *"VM 101 is not started: $BDF: another run of this program works on it"* ]] || fail "$stderr"
		assert_equal "$(state)" "$before"
	done
	# The first one is killed, as a task of Proxmox VE is: nothing of it goes on.
	kill -KILL $!
	wait || true
	tries=0
	while [ -n "$(find /proc/[0-9]*/root -maxdepth 0 -lname "$TREE" 2>/dev/null)" ]; do
		[ $((tries += 1)) -lt 100 ] || fail "a process is left"
		sleep 0.1
	done
	hook pre-start
	assert_equal "$status" 0
	assert_equal "$(driver)" "vfio-pci vfio-pci"
}

# Between the look and the work another VM got the card: it must not be reset under it.
@test "who gets the card while a hook waits for it is seen" {
	local tries=0
	cp "$TREE/etc/pve/nodes/node1/qemu-server/101.conf" "$TREE/etc/pve/nodes/node1/qemu-server/102.conf"
	chroot "$TREE" /usr/bin/busybox env LD_PRELOAD=/sysfs.so SYSFS_TRACE=/trace SYSFS_LOCK=/waits SYSFS_HOST=axl \
		METIS_PASSTHROUGH_PROFILES=/profiles /usr/local/bin/metis-passthrough hook 102 pre-start >"$TREE.first" 2>&1 3>&- &
	until [ -e "$TREE/waits" ]; do
		[ $((tries += 1)) -lt 300 ] || fail "it locks nothing: $(cat "$TREE.first")"
		sleep 0.1
	done
	mkdir -p "$TREE/run/qemu-server" "$TREE/proc/77"
	printf 'kvm\0-id\000101\0-name\0x\0' >"$TREE/proc/77/cmdline"
	echo 77 >"$TREE/run/qemu-server/101.pid"
	rm "$TREE/waits"
	status=0
	wait $! || status=$?
	cat "$TREE.first"
	assert_equal "$status" 1
	assert_file_contains "$TREE.first" "VM 102 is not started: .*VM 101 runs with it"
	assert_not_exists "$TREE/trace"
}

# lock VMID PID: process PID of Proxmox VE works on the VM, as the tree's /proc has it.
lock() {
	local file=$TREE/var/lock/qemu-server/lock-$1.conf
	mkdir -p "${file%/*}" "$TREE/proc/$2"
	: >"$file"
	printf '%s (task UPID) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21\n' "$2" >"$TREE/proc/$2/stat"
	printf '1: FLOCK  ADVISORY  WRITE %s %02x:%02x:%s 0 EOF\n' "$2" $((0x$(stat -c %D "$file") >> 8 & 0xfff)) \
		$((0x$(stat -c %D "$file") & 0xff)) "$(stat -c %i "$file")" >"$TREE/proc/locks"
}

# second PHASE: the hook of VM 102, which has the same card.
second() {
	rm -f "$TREE/count"
	run --separate-stderr timeout -k 1 90 chroot "$TREE" /usr/bin/busybox env LD_PRELOAD=/sysfs.so SYSFS_COUNT=/count \
		SYSFS_HOST=axl METIS_PASSTHROUGH_PROFILES=/profiles METIS_PASSTHROUGH_HOOK_SECONDS="${2-}" \
		/usr/local/bin/metis-passthrough hook 102 "$1"
	WRITES=$(cat "$TREE/count" 2>/dev/null || echo 0)
	printf '%s\n' "hook 102 $1: exit $status" "$output$stderr"
}

@test "from the end of a VM's hook to its QEMU nobody else touches its card, and not for longer" {
	local before
	cp "$TREE/etc/pve/nodes/node1/qemu-server/101.conf" "$TREE/etc/pve/nodes/node1/qemu-server/102.conf"
	lock 101 4242
	hook pre-start
	assert_equal "$status" 0
	grep -qx 'task 4242 777' "$TREE/run/metis-passthrough/vm-101"
	before=$(state)
	second pre-start
	assert_equal "$status" 1
	[[ $stderr == "metis-passthrough: VM 102 is not started: no card of mapping metis is free: VM 101 is being started with it (by process 4242)" ]] || fail "$stderr"
	assert_equal "$WRITES" 0
	# The end of another VM, told late, neither silences it nor hands it back.
	second post-stop
	assert_equal "$WRITES" 0
	assert_equal "$(state)" "$before"
	# Its start failed, without a word to anybody.
	: >"$TREE/proc/locks"
	second pre-start
	assert_equal "$status" 0
	[ "$WRITES" -gt 0 ]
	# By hand, without a lock, nobody is known.
	! grep -q '^task' "$TREE/run/metis-passthrough/vm-102" || fail "a task is noted"
}

@test "of a mapping with several cards each start takes one: the next waits, for a while" {
	local tries=0 pid
	cp "$TREE/etc/pve/nodes/node1/qemu-server/101.conf" "$TREE/etc/pve/nodes/node1/qemu-server/102.conf"
	# A second card, as far as names go.
	cp -a "$(realpath "$CARD")" "$TREE/sys/second"
	ln -s ../../../second "$TREE/sys/bus/pci/devices/0000:87:00.0"
	sed -i 's/^\(.*\)path=0000:86:00.0\(.*\)/&\n\1path=0000:87:00.0\2/' "$TREE/etc/pve/mapping/pci.cfg"
	lock 101 4242
	mkdir -p "$TREE/run/metis-passthrough"
	printf 'metis-passthrough vm 1\nlog 5\ntask 4242 777\ncard %s\ncard 0000:87:00.0\n' "$BDF" >"$TREE/run/metis-passthrough/vm-101"
	second pre-start 3
	assert_equal "$status" 1
	[[ $stderr == "metis-passthrough: waiting for at most 1 s: VM 102 is not started: no card of mapping metis is free: "*$'\n'"metis-passthrough: VM 102 is not started: no card of mapping metis is free: VM 101 is being started"* ]] || fail "$stderr"
	assert_equal "$WRITES" 0
	second pre-start >"$TREE.second" 2>&1 &
	pid=$!
	until [ -n "$(find /proc/[0-9]*/root -maxdepth 0 -lname "$TREE" 2>/dev/null)" ]; do
		[ $((tries += 1)) -lt 300 ] || fail "it does not begin"
		sleep 0.1
	done
	: >"$TREE/proc/locks"
	wait "$pid" || true
	cat "$TREE.second"
	# What is refused then is not that.
	[ "$(grep -c 'no card of mapping' "$TREE.second")" -le 1 ] || fail "it does not go on"
}

@test "a profile that is broken: refused before anything is touched; one that is not there: the program has its own" {
	local before
	before=$(state)
	echo 'reset: [' >>"$TREE/profiles/metis.yaml"
	hook pre-start
	assert_equal "$status" 3
	assert_equal "$WRITES" 0
	[[ $stderr == "metis-passthrough: VM 101 is not started: /profiles/metis.yaml:"* ]] || fail "$stderr"
	assert_equal "$(state)" "$before"
	rm "$TREE/profiles/metis.yaml"
	hook pre-start
	assert_equal "$status" 0
	[[ $stderr == *"made quiet"* ]] || fail "$stderr"
}
