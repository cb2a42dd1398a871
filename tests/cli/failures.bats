#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What can go wrong while a host is changed: afterwards every file is as it was, and the message says what, what for and
# why. Kills at every system call are tests/crash's.
load helpers
load system

CONF=etc/modprobe.d/metis-passthrough.conf

setup() {
	need_system
}

teardown() {
	# Nobody shall wait for what a failed test left behind.
	[ ! -e "${tree-}/sim/waiting" ] || kill -9 "$(cat "$tree/sim/waiting")" || true
}

# $tree is a host that setup has something to do on, $before what it is now.
begin() {
	tree=$(system host-driver)
	before=$(fingerprint "$tree")
}

set_up() {
	metis "$1" setup --yes --sysroot "$tree"
}

assert_untouched() {
	assert_same "$before" "$(fingerprint "$tree")"
	[ -z "$(find "$tree/var/lib/metis-passthrough" -maxdepth 1 -name '.new*')" ] || fail "something prepared was left"
}

# wait_for FILE: at most 30 s.
wait_for() {
	local i
	for ((i = 0; i < 600; i++)); do
		[ ! -e "$1" ] || return 0
		sleep 0.05
	done
	fail "$1 does not come"
}

# go_on: what hangs in the tree ends well.
go_on() {
	rm "$tree"/sim/*.hang
	kill -9 "$(cat "$tree/sim/waiting")"
}

# in_background: a setup that will hang; $pid.
in_background() {
	: >"$tree/sim/update-initramfs.hang"
	"$METIS" setup --yes --sysroot "$tree" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	wait_for "$tree/sim/waiting"
}

@test "a program that is missing is found before anything is changed" {
	begin
	rm "$tree/usr/sbin/update-initramfs"
	before=$(fingerprint "$tree")
	set_up 1
	assert_line --partial 'there is no update-initramfs'
	assert_untouched
	assert_equal "$(calls "$tree")" ''
}

@test "a program that fails at once, midway or at its end: all is undone" {
	local when
	begin
	for when in fail fail-after; do
		echo "E: no space left in /var/tmp" >"$tree/sim/update-initramfs.$when"
		set_up 4
		[[ $stderr == *"update-initramfs: failed with exit code 1: "*"E: no space left in /var/tmp"* ]] || fail "$stderr"
		assert_untouched
		rm "$tree/sim/update-initramfs.$when"
	done
	set_up 0
}

@test "update-grub fails with half of grub.cfg written" {
	tree=$(without_iommu host-driver)
	before=$(fingerprint "$tree")
	echo "grub-mkconfig: syntax error" >"$tree/sim/update-grub.fail-midway"
	set_up 4
	[[ $stderr == *"update-grub: failed with exit code 1: "*"grub-mkconfig: syntax error"* ]] || fail "$stderr"
	assert_untouched
}

@test "images that lack the binding are found, whatever update-initramfs says" {
	begin
	printf '%s\n' modprobe.d hooks >"$tree/sim/update-initramfs.ignore"
	set_up 4
	[[ $stderr == *"/boot/initrd.img-"*": cannot count on it for 0000:86:00.0: "* ]] || fail "$stderr"
	assert_untouched
}

# Mounts of a namespace of its own: not where the root is no mount point (chroot), nor without privileges.
need_mounts() {
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
}

@test "/etc cannot be written" {
	need_mounts
	begin
	run -4 --separate-stderr unshare --mount --propagation private bash -euc '
		mount --bind "$1/etc" "$1/etc"
		mount -o remount,bind,ro "$1/etc"
		exec "$2" setup --yes --sysroot "$1"' - "$tree" "$METIS"
	[[ $stderr == *"/etc/"*": cannot "*": Read-only file system"* ]] || fail "$stderr"
	assert_untouched
}

# full DIRECTORY: setup with only so many free pages where DIRECTORY is, from none up until it succeeds: it fails well at
# each, and does not need more than it must.
full() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount --propagation private bash -euc '
		tree=$1 metis=$2 fingerprint=$3 directory=$4 failed=0
		cp -a "$tree/$directory" "$tree/sim/original"
		used=$(du -s --apparent-size --block-size=1 "$tree/sim/original" | cut -f1)
		for ((free = 1; free < 200; free += 1 + free / 8)); do
			mount -t tmpfs -o "mode=755,size=$((used / 4096 + 4096))k" tmpfs "$tree/$directory"
			cp -a "$tree/sim/original/." "$tree/$directory"
			# The rest is taken, but for the pages that are left free.
			dd if=/dev/zero of="$tree/$directory/.ballast" bs=4k count="$free" status=none
			cat /dev/zero >"$tree/$directory/.rest" 2>/dev/null || true
			: >"$tree/$directory/.ballast"
			before=$("$fingerprint" "$tree")
			status=0
			output=$("$metis" setup --yes --sysroot "$tree" 2>&1) || status=$?
			if [ "$status" -eq 0 ]; then
				echo "$directory: failed $failed times, then did it with $free pages"
				[ "$failed" -gt 0 ]
				# No more room than that is needed for the way back, but where an image has to be
				# written beside the one that it replaces: then it says what to do.
				cat /dev/zero >"$tree/$directory/.more" 2>/dev/null || true
				status=0
				output=$("$metis" rollback --yes --sysroot "$tree" 2>&1) || status=$?
				rm "$tree/$directory/.more"
				if [ "$directory" = boot ]; then
					[ "$status" -eq 5 ]
					[[ $output == *"/boot/initrd.img-"*": No space left on device"* ]]
					"$metis" rollback --yes --sysroot "$tree"
				else
					[ "$status" -eq 0 ] || echo "$output"
				fi
				diff <(echo "$before") <("$fingerprint" "$tree")
				exit
			fi
			failed=$((failed + 1))
			case $status:$output in
			# busybox cpio does not say so: then the image is found to be cut.
			[34]:*"No space left on device"* | 4:*"/boot/initrd.img-"*": the image ends within an archive"*) ;;
			*)
				echo "$directory with $free pages: exit $status: $output"
				exit 1
				;;
			esac
			[ "$before" = "$("$fingerprint" "$tree")" ] || {
				echo "$directory with $free pages: not as it was: $output"
				diff <(echo "$before") <("$fingerprint" "$tree")
				exit 1
			}
			rm -rf "$tree/var/lib/metis-passthrough"
			umount "$tree/$directory"
		done
		echo "$directory: never succeeded"
		exit 1' - "$tree" "$METIS" "$TOP_SRCDIR/tests/sim/fingerprint" "$1"
}

@test "no room left where the journal, the files or the images are" {
	local directory
	need_mounts
	begin
	for directory in var/lib etc boot; do
		run full "$directory"
		assert_success
		rm -rf "$tree/sim/original" "$tree/var/lib/metis-passthrough"
	done
	assert_untouched
}

@test "two setups at once: the second one says who is at work" {
	begin
	in_background
	set_up 3
	[[ $stderr == *"metis-passthrough"* ]] || fail "$stderr"
	[[ $stderr == *"$pid"* ]] || fail "the process $pid is not named: $stderr"
	go_on
	wait "$pid" || fail "the first one failed: $(cat "$BATS_TEST_TMPDIR/out")"
	metis setup --yes --sysroot "$tree"
	assert_output --partial 'nothing to do'
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "stopped by the user while a program hangs: it ends with all its children, and all is undone" {
	local child status=0
	begin
	in_background
	child=$(cat "$tree/sim/waiting")
	kill -INT "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 4 ] || fail "exit $status: $(cat "$BATS_TEST_TMPDIR/out")"
	# Gone, or a zombie that nobody waited for.
	[[ ! -e /proc/$child/stat || $(cat "/proc/$child/stat") == *') Z '* ]] || fail "the child $child still runs"
	rm -f "$tree/sim/waiting" "$tree/sim/update-initramfs.hang"
	assert_untouched
}

@test "killed while a program runs: its children keep the lock, then the next setup undoes and does" {
	begin
	in_background
	kill -9 "$pid"
	wait "$pid" || true
	set_up 3
	go_on
	# update-initramfs itself goes on to its end.
	local i
	for ((i = 0; i < 600; i++)); do
		run --separate-stderr "$METIS" setup --yes --sysroot "$tree"
		[ "$status" -eq 3 ] || break
		sleep 0.05
	done
	[ "$status" -eq 0 ] || fail "exit $status: $stderr"
	metis setup --yes --sysroot "$tree"
	assert_output --partial 'nothing to do'
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "a file that somebody edited since is not undone, but shown; by force it is, and theirs is kept" {
	begin
	set_up 0
	echo "options vfio-pci disable_idle_d3=1" >>"$tree/$CONF"
	local edited
	edited=$(fingerprint "$tree")
	metis 1 rollback --yes --sysroot "$tree"
	[[ $output$stderr == *"/$CONF"* ]] || fail "the file is not named"
	[[ $output$stderr == *"+options vfio-pci disable_idle_d3=1"* ]] || fail "their change is not shown"
	assert_same "$edited" "$(fingerprint "$tree")"
	metis rollback --yes --sysroot "$tree" --force "/$CONF"
	assert_untouched
	grep -rqF disable_idle_d3 "$tree/var/lib/metis-passthrough" || fail "theirs is lost"
}

@test "images that somebody made again since are made again from the restored files" {
	begin
	set_up 0
	chroot "$tree" /usr/sbin/update-initramfs -u -k all >/dev/null
	grep -q metis-passthrough.conf "$tree"/boot/initrd.img-* || fail "the binding was not in the images"
	calls "$tree" >/dev/null
	metis rollback --yes --sysroot "$tree"
	assert_equal "$(calls "$tree")" 'update-initramfs -u -k all'
	run ! grep -q metis-passthrough.conf "$tree"/boot/initrd.img-*
	assert_same "$(grep -v '^boot/initrd' <<<"$before")" "$(fingerprint "$tree" | grep -v '^boot/initrd')"
}
