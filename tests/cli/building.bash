# SPDX-License-Identifier: GPL-2.0-or-later
# A captured guest in which `selftest --guest` has to build the module before it can test: make is real, the kernel's
# headers are played by a script, or, with $BUILDING_ROOT (contrib/check-dkms), real too. The kernel behind its /sys is
# tests/crash/sysfs.c, the module a script (its "cases" and "run" are pipes). Load it after helpers and system.

: "${TOP_BUILDDIR:=$TOP_SRCDIR/build}"
BDF=0000:03:00.0
PLACE=var/lib/metis-passthrough/module-build

# building_guest: the tree, in $TREE; its kernel is $KERNEL, its card with its own driver, its source in $SOURCE.
building_guest() {
	local model=$TOP_BUILDDIR/tests/crash/sysfs.so
	need_system
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
	[ -e "$model" ] || fail "not built: $model (make check does)"
	! ldd "$METIS" | grep -q asan || skip "a sanitizer needs a real /proc"
	TREE=$(system guest-ready)
	[ -n "$TREE" ] || fail "no tree"
	SMALL="" LIMIT=""
	KERNEL=$(cat "$TREE/proc/sys/kernel/osrelease")
	if [ -n "${BUILDING_ROOT-}" ]; then
		KERNEL=$(basename "$BUILDING_ROOT"/lib/modules/*)
		echo "$KERNEL" >"$TREE/proc/sys/kernel/osrelease"
		rm -r "${TREE:?}/usr/bin" "${TREE:?}/usr/lib"
		install -D "$METIS" "$TREE/usr/local/bin/metis-passthrough"
	else
		with_libraries "$METIS" /usr/local/bin/metis-passthrough
		with_libraries "$(type -P make)" /usr/bin/make
		printf '#!/bin/sh\n' >"$TREE/usr/bin/gcc"
		chmod +x "$TREE/usr/bin/gcc"
		play_headers
	fi
	install "$model" "$TREE/sysfs.so"
	install "$(busybox_path)" "$TREE/sim/busybox"
	SOURCE=$TREE/usr/src/metis-dmatest-$(sed -n 's/^VERSION = //p' "$TOP_BUILDDIR/Makefile")
	make -s -C "$TOP_BUILDDIR" install-dkms DESTDIR="${TREE:?}" dkmsdir="${SOURCE#"$TREE"}" >&2
	play_programs
	play_module
}

# with_libraries PROGRAM PATH
with_libraries() {
	local library
	while read -r library; do
		install -D "$library" "$TREE$library"
	done < <(ldd "$1" | grep -oE '/[^ ]+')
	install -D "$1" "$TREE$2"
}

# The headers of a kernel: kbuild is /sim/kbuild there, with the module's directory in $M. The link to them is as Debian 13 has it.
play_headers() {
	HEADERS=$TREE/usr/src/linux-headers-$KERNEL
	mkdir -p "$HEADERS/include/generated" "$TREE/usr/lib/modules/$KERNEL"
	printf '#define UTS_RELEASE "%s"\n' "$KERNEL" >"$HEADERS/include/generated/utsrelease.h"
	ln -sfn "../../../src/linux-headers-$KERNEL" "$TREE/usr/lib/modules/$KERNEL/build"
	printf 'modules:\n\t@M=$(M) sh /sim/kbuild\n' >"$HEADERS/Makefile"
	cat >"$TREE/sim/kbuild" <<-'EOF'
		echo "kbuild $M" >>/sim/log
		set -e
		# All of the source is there, and the headers that it shares.
		for object in $(sed 's/#.*//' "$M/Kbuild" | tr -s ' \t\134' '\n' | grep '^[a-z-]*[.]o$' | grep -v ^metis_dmatest); do
			test -s "$M/${object%.o}.c"
			echo "  CC [M]  $M/$object"
		done
		test -s "$M/dmatest.h"
		echo built >"$M/metis_dmatest.ko"
	EOF
}

# modprobe knows no such module; insmod and rmmod make its driver come and go.
play_programs() {
	mkdir -p "$TREE/sim/bin"
	cat >"$TREE/sim/bin/modprobe" <<-'EOF'
		#!/bin/sh
		echo "modprobe $*" >>/sim/log
		echo "modprobe: FATAL: Module $1 not found in directory /lib/modules/KERNEL" >&2
		exit 1
	EOF
	cat >"$TREE/sim/bin/insmod" <<-'EOF'
		#!/bin/sh
		echo "insmod $*" >>/sim/log
		test -s "$1" || exit 1
		cp "$1" /sim/loaded.ko
		mkdir /sys/bus/pci/drivers/metis_dmatest
		: >/sys/bus/pci/drivers/metis_dmatest/unbind
	EOF
	cat >"$TREE/sim/bin/rmmod" <<-'EOF'
		#!/bin/sh
		echo "rmmod $*" >>/sim/log
		rm -r /sys/bus/pci/drivers/metis_dmatest
	EOF
	chmod +x "$TREE"/sim/bin/*
	cp "$TREE"/sim/bin/* "$TREE/usr/sbin/"
	: >"$TREE/sys/bus/pci/drivers_probe"
	: >"$TREE/sys/bus/pci/drivers/axl/unbind"
}

# As in guest.bats: each case passes.
play_module() {
	local dmatest=$TREE/sys/bus/pci/devices/$BDF/dmatest name
	mkdir -p "$dmatest"
	echo 1 >"$dmatest/abi"
	echo dw-edma >"$dmatest/engine"
	printf '%s\n' 'transfer_max 4096' 'address_bits 64' 'interrupt msi' 'vectors_wanted 32' 'vectors_granted 32' \
		>"$dmatest/limits"
	for name in bytes rounds results; do : >"$dmatest/$name"; done
	echo idle >"$dmatest/state"
	mkfifo "$dmatest/cases" "$dmatest/run"
	# shellcheck disable=SC2016 # the inner shell's
	setsid bash -uc '
		cd "$1" || exit
		while :; do
			name=$(cat cases)
			echo "1 $name pass bytes=4096 duration_ns=1000 -- as the test says" >results
			echo done >state
			cat run
		done' - "$dmatest" >/dev/null 2>&1 3>&- &
	MODULE=$!
	disown "$MODULE"
}

building_teardown() {
	local process
	[ -z "${MODULE-}" ] || kill -KILL -- "-$MODULE" 2>/dev/null || true
	# What still lives has this tree for its root.
	for process in $(inhabitants); do
		kill -KILL "$process" 2>/dev/null || true
	done
}

# inhabitants: the processes in the tree.
inhabitants() {
	local process
	[ -n "${TREE-}" ] || return 0
	for process in /proc/[0-9]*; do
		case $(readlink "$process/root" 2>/dev/null) in
		"$TREE" | "$BATS_TEST_TMPDIR/merged") echo "${process#/proc/}" ;;
		esac
	done
}

# selftest EXIT ARG...: in the tree, by the module. $SMALL is the size of the place where it is built, $LIMIT the longest
# time limit. A real root lies below the tree.
selftest() {
	local expected=$1
	shift
	: >"$TREE/sim/log"
	enter
	run --separate-stderr timeout -k 5 300 "${ENTER[@]}" selftest --guest --device "$BDF" --way module "$@"
	printf 'exit %s\n%s\n--- standard error ---\n%s\n' "$status" "$output" "$stderr"
	[ "$status" -eq "$expected" ] || fail "exit code $status, expected $expected"
}

# Words before the arguments of the program.
enter() {
	# shellcheck disable=SC2016
	ENTER=(unshare --mount --propagation private sh -euc '
		root=$1 real=$2 size=$3 work=$4
		shift 4
		if [ -n "$real" ]; then
			mkdir -p "$work/merged" "$work/work"
			mount -t overlay -o "lowerdir=$real,upperdir=$root,workdir=$work/work" overlay "$work/merged"
			# A pipe seen through an overlay is another pipe.
			mount --bind "$root/sys" "$work/merged/sys"
			root=$work/merged
		fi
		if [ -n "$size" ]; then
			mkdir -p "$root/var/lib/metis-passthrough"
			mount -t tmpfs -o "mode=700,size=$size" small "$root/var/lib/metis-passthrough"
		fi
		exec chroot "$root" /sim/busybox env -i PATH=/usr/sbin:/usr/bin LD_PRELOAD=/sysfs.so SYSFS_HOST=axl "$@"' -
		"$TREE" "${BUILDING_ROOT-}" "$SMALL" "$BATS_TEST_TMPDIR"
		METIS_PASSTHROUGH_GUEST_SECONDS="$LIMIT" /usr/local/bin/metis-passthrough)
}

# as_before: the card has its driver again, and nothing is left of a build.
as_before() {
	assert_equal "$(basename "$(readlink "$TREE/sys/bus/pci/devices/$BDF/driver")")" axl
	[ ! -e "$TREE/$PLACE" ] || fail "left: $(ls -R "$TREE/$PLACE")"
	assert_equal "$(inhabitants)" ""
}

# log: what was called, one line.
log() {
	cut -d ' ' -f 1 "$TREE/sim/log" | paste -s -d ' '
}
