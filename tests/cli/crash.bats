#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine is killed, and its system calls fail, at every point where it changes something. What each mode
# demands is told in tests/crash/points; how many points were tried is printed.
load helpers
load system
load crash

setup() {
	need_driver
	WORK=$(fast_directory)
}

teardown() {
	[ -z "${WORK-}" ] || rm -rf "$WORK"
}

# points MODE [EACH]
points() {
	mkdir "$WORK/points" "$WORK/tree"
	small_system "$WORK/tree"
	run env EACH="${2-1}" "$TOP_SRCDIR/tests/crash/points" "$1" "$WORK/points" "$WORK/tree" -- \
		"$DRIVER" {} apply "${CHANGES[@]}" -- "$DRIVER" {} undo
}

@test "killed at any system call that changes something, a change is made or undone in whole" {
	points kill
	assert_success
	printf '# engine, %s\n' "$output" >&3
}

@test "killed, and killed again while it recovers" {
	points again 15
	assert_success
	printf '# engine, %s\n' "$output" >&3
}

@test "a disk that fails (EIO) at any call leaves the old or the new state" {
	points 5
	assert_success
	printf '# engine, EIO, %s\n' "$output" >&3
}

@test "a disk that becomes full at any call leaves the old or the new state" {
	points full
	assert_success
	printf '# engine, ENOSPC, %s\n' "$output" >&3
}

@test "a file system that becomes read-only at any call leaves the old or the new state" {
	points 30 2
	assert_success
	printf '# engine, EROFS, %s\n' "$output" >&3
}

# setup_points MODE EACH HOST ARG...: of the program itself, on a captured host in which programs run.
setup_points() {
	local mode=$1 each=$2 name=$3
	shift 3
	need_system
	system "$name" "$WORK/tree" >/dev/null
	mkdir "$WORK/points"
	# The stand-in for update-initramfs writes times into images, as the real one does.
	run env EACH="$each" MADE='^boot/initrd\.img-' "$TOP_SRCDIR/tests/crash/points" "$mode" "$WORK/points" "$WORK/tree" -- \
		"$METIS" setup --yes --sysroot {} "$@" -- "$METIS" rollback --yes --sysroot {}
	assert_success
	printf '# setup and rollback of %s, %s\n' "$name" "$output" >&3
}

@test "setup and rollback, killed at any call: files, images (host-driver)" {
	setup_points kill 1 host-driver
}

@test "setup and rollback, killed at every fourth call: two cards of one id (same-id-twins)" {
	setup_points kill 4 same-id-twins --device 0000:86:00.0
}

@test "setup and rollback, killed at every fourth call: proxmox-boot-tool (pbt-systemd-boot)" {
	setup_points kill 4 pbt-systemd-boot
}

@test "setup and rollback, a disk that fails (EIO) at some of the calls" {
	# The plan is tried out with temporary files, which can fail too: that is no finding about the host.
	setup_points 5 6 host-driver
}

@test "guest apply and rollback: killed at any call, and a disk that is full at any" {
	need_system
	local mode
	for mode in kill full; do
		system guest-ready "$WORK/tree" >/dev/null
		mkdir "$WORK/points"
		run env EACH=1 "$TOP_SRCDIR/tests/crash/points" "$mode" "$WORK/points" "$WORK/tree" -- \
			"$METIS" guest apply --yes --sysroot {} -- "$METIS" rollback --yes --sysroot {}
		assert_success
		printf '# guest apply and rollback, %s: %s\n' "$mode" "$output" >&3
		rm -rf "$WORK/tree" "$WORK/points"
	done
}

@test "the test would notice a program that writes in place" {
	export ENGINE_DRIVER_IN_PLACE=1
	points kill
	assert_failure
	assert_output --partial "neither old nor new"
}

# What strace sees and the library does not would be a point that was never tried.
@test "no system call that changes something escapes the library" {
	command -v strace >/dev/null || skip "no strace"
	strace -o /dev/null true 2>/dev/null || skip "nothing may be traced here"
	small_system "$WORK/tree"
	cp -a "$WORK/tree" "$WORK/other"
	# The leak checker is itself a tracer, and there can be one only.
	ASAN_OPTIONS=detect_leaks=0 strace -o "$WORK/strace" -e trace=write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat,chown,lchown,fchown,fchownat,utime,utimes,utimensat,futimesat,setxattr,lsetxattr,fsetxattr,removexattr,fremovexattr,truncate,ftruncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range \
		"$DRIVER" "$WORK/tree" apply "${CHANGES[@]}"
	CRASH_COUNT=$WORK/count LD_PRELOAD=$PRELOAD ASAN_OPTIONS=verify_asan_link_order=0 "$DRIVER" "$WORK/other" apply "${CHANGES[@]}"
	# Opening changes something where it makes or empties a file; output is not counted.
	run awk '/^open/ && !/O_CREAT|O_TRUNC/ || /^write\([12],/ || /^\+\+\+/ { next } { n++ } END { print n }' "$WORK/strace"
	[ "$output" -eq "$(cat "$WORK/count")" ] || fail "strace saw $output, the library $(cat "$WORK/count")"
}
