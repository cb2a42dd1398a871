#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# selftest --guest where the module is not installed: built from /usr/src by root, with what can go wrong. The kernel's
# headers are played here; contrib/check-dkms does it with those of Debian's kernels and their compiler.
load helpers
load system
load building
# They are read in building.bash.
export SMALL LIMIT

setup() {
	building_guest
}

teardown() {
	building_teardown
}

# refused WORDS: no module, for that reason; nothing was built and nothing is left.
refused() {
	selftest 3
	[[ $stderr == *"$1"* ]] || fail "not said: $1"
	assert_equal "$(log)" "${2-modprobe}"
	as_before
}

@test "the module is built from its source, loaded, used and taken out again" {
	before=$(cd "$SOURCE" && sha256sum -- *)
	selftest 0
	assert_line --partial "all 10 cases passed on $BDF (dw-edma)"
	assert_equal "$(log)" "modprobe kbuild insmod rmmod"
	grep -qx "kbuild /$PLACE" "$TREE/sim/log"
	grep -qx "insmod /$PLACE/metis_dmatest.ko" "$TREE/sim/log"
	assert_equal "$(cat "$TREE/sim/loaded.ko")" built
	assert_equal "$(cd "$SOURCE" && sha256sum -- *)" "$before"
	as_before
}

@test "an error of the compiler is told by its first line" {
	cat >"$TREE/sim/kbuild" <<-'EOF'
		echo kbuild >>/sim/log
		echo "warning: the compiler differs from the one used to build the kernel"
		echo "/bin/sh: 1: pahole: not found" >&2
		echo "  CC [M]  $M/main.o"
		echo "$M/main.c:12:5: error: too few arguments to function 'pci_iomap'" >&2
		for n in 1 2 3 4 5 6; do echo "$M/irq.c:$n:1: error: unknown type name 'u64'" >&2; done
		exit 2
	EOF
	refused "building it failed: main.c:12:5: error: too few arguments to function 'pci_iomap'" "modprobe kbuild"
	[[ $stderr != *irq.c* ]] || fail "more than the first"
	[[ $stderr != *"$PLACE"* ]] || fail "a path that is not there any more"
}

@test "what is missing is told with its package" {
	echo 'echo kbuild >>/sim/log; gcc-14 -c x.c' >"$TREE/sim/kbuild"
	refused "gcc-14: not found: apt install gcc-14" "modprobe kbuild"
	rm "$TREE/usr/bin/gcc"
	refused "a compiler is missing: apt install gcc"
	rm "$TREE/usr/bin/make"
	refused "make is missing: apt install make"
	printf '#define UTS_RELEASE "6.1.0-1-amd64"\n' >"$HEADERS/include/generated/utsrelease.h"
	refused "/lib/modules/$KERNEL/build has to be of kernel $KERNEL, which runs, and is of 6.1.0-1-amd64: apt install linux-headers-$KERNEL"
	rm -r "$HEADERS"
	refused "the headers of kernel $KERNEL are missing: apt install linux-headers-$KERNEL"
	rm -r "$SOURCE"
	refused "its source is not installed in /usr/src (package metis-passthrough-dkms)"
}

@test "a full disk is told, for the source and for what is built" {
	SMALL=32k
	refused "No space left on device"
	SMALL=600k
	# shellcheck disable=SC2016 # of the script
	echo 'echo kbuild >>/sim/log; while cat "$M/run.c"; do :; done >"$M/main.o"; exit 2' >"$TREE/sim/kbuild"
	refused "No space left on device" "modprobe kbuild"
}

@test "a build has a time limit, and ends at Ctrl-C; nothing of it goes on" {
	# Deaf to a polite word, with a child of its own.
	cat >"$TREE/sim/kbuild" <<-'EOF'
		trap "" TERM
		sleep 100000 &
		echo kbuild >>/sim/log
		wait
	EOF
	LIMIT=2
	refused "make: did not end within 2 s" "modprobe kbuild"
	LIMIT=
	: >"$TREE/sim/log"
	enter
	"${ENTER[@]}" selftest --guest --device "$BDF" --way module >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for _ in $(seq 600); do
		! grep -q kbuild "$TREE/sim/log" || break
		sleep 0.05
	done
	begun=$SECONDS
	kill -TERM $pid
	wait $pid && code=0 || code=$?
	assert_equal "$code" 3
	[ $((SECONDS - begun)) -lt 60 ] || fail "it took $((SECONDS - begun)) s"
	grep -q 'make: was stopped' "$BATS_TEST_TMPDIR/out" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
	as_before
}

@test "nothing is built that others than root may write" {
	chown 1000 "$SOURCE/main.c"
	refused "/usr/src/${SOURCE##*/}/main.c may be written by others than root (owner 1000:0, mode 0644)"
	chown 0 "$SOURCE/main.c"
	chmod 666 "$SOURCE/Kbuild"
	refused "/usr/src/${SOURCE##*/}/Kbuild may be written by others"
	chmod 644 "$SOURCE/Kbuild"
	chmod 1777 "$SOURCE"
	refused "/usr/src/${SOURCE##*/} may be written by others"
	chmod 755 "$SOURCE"
	# Of root's own group it is no harm, of another one it is.
	chmod 664 "$SOURCE/Kbuild"
	selftest 0
	chgrp 50 "$SOURCE/Kbuild"
	refused "Kbuild may be written by others than root (owner 0:50, mode 0664)"
	chgrp 0 "$SOURCE/Kbuild"
	mv "$SOURCE" "$TREE/tmp/source"
	ln -s /tmp/source "$SOURCE"
	refused "/usr/src/${SOURCE##*/} is no plain directory"
	rm "$SOURCE"
	mv "$TREE/tmp/source" "$SOURCE"
	mv "$SOURCE/main.c" "$TREE/tmp/main.c"
	ln -s /tmp/main.c "$SOURCE/main.c"
	refused "/usr/src/${SOURCE##*/}/main.c is no plain file"
	rm "$SOURCE/main.c"
	mv "$TREE/tmp/main.c" "$SOURCE/main.c"
	chmod 777 "$TREE/usr/src"
	refused "/usr/src may be written by others"
	chmod 755 "$TREE/usr/src"
	# The headers run as root too.
	chown 1000 "$HEADERS"
	refused "src/linux-headers-$KERNEL may be written by others than root (owner 1000:0"
	chown 0 "$HEADERS"
	chown 1000 "$HEADERS/Makefile"
	refused "/lib/modules/$KERNEL/build/Makefile may be written by others"
	chown 0 "$HEADERS/Makefile"
	selftest 0
}
