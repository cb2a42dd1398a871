#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Run by check-dkms: $BUILDING_ROOT is a Debian with dkms, the headers of one kernel and their compiler. Each test has a layer of its own
# on it, so the root stays as it is.

TOP_SRCDIR=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
load ../tests/cli/helpers
load ../tests/cli/system
load ../tests/cli/building

# They are read in building.bash.
export SMALL LIMIT
NAME=metis-dmatest

setup() {
	KERNEL=$(basename "$BUILDING_ROOT"/lib/modules/*)
	VERSION=$(sed -n 's/^VERSION = //p' "$TOP_BUILDDIR/Makefile")
	[[ -n $KERNEL && -n $VERSION ]] || fail "no kernel in $BUILDING_ROOT, or no version in $TOP_BUILDDIR"
	LAYER=$BATS_TEST_TMPDIR/layer
	mkdir -p "$LAYER"
}

teardown() {
	building_teardown
}

# in_debian COMMAND...: there, by the shell; sets $output and $status.
in_debian() {
	printf '$ %s\n' "$*"
	# shellcheck disable=SC2016
	run unshare --mount --propagation private sh -euc '
		mkdir -p "$3/merged" "$3/work"
		mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3/work" overlay "$3/merged"
		mount -t proc proc "$3/merged/proc"
		mount -t tmpfs -o mode=755,size=1m dev "$3/merged/dev"
		: >"$3/merged/dev/null"
		mount --bind /dev/null "$3/merged/dev/null"
		ln -s /proc/self/fd "$3/merged/dev/fd"
		exec chroot "$3/merged" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root bash -c "$4"' - \
		"$BUILDING_ROOT" "$LAYER" "$BATS_TEST_TMPDIR" "$*"
	printf '%s\n(exit %s)\n' "$output" "$status"
}

# As a package would put it there.
with_source() {
	make -s -C "$TOP_BUILDDIR" install-dkms DESTDIR="${LAYER:?}" dkmsdir="/usr/src/$NAME-$VERSION"
}

# succeeds COMMAND...: without a warning or an error. What a kernel's headers lack (vmlinux, openssl for a key) is not the module's.
succeeds() {
	in_debian "$@"
	assert_success
	run grep -iE 'warning|error|deprecat' <<<"$output"
	refute_output
}

# module: its file, by depmod's index; empty: none.
module() {
	in_debian "modprobe -S $KERNEL --show-depends metis_dmatest 2>/dev/null | sed 's/^insmod //; s/ *$//'"
	MODULE_FILE=$output
}

@test "dkms: add, build, install, found by modprobe, remove" {
	local where=/lib/modules/$KERNEL/updates/dkms/metis_dmatest.ko
	module
	assert_equal "$MODULE_FILE" ""
	with_source
	succeeds "dkms add $NAME/$VERSION"
	succeeds "dkms build $NAME/$VERSION -k $KERNEL"
	in_debian "cat /var/lib/dkms/$NAME/$VERSION/$KERNEL/x86_64/log/make.log"
	refute_output --regexp '[Ww]arning|[Ee]rror:'
	# All of its sources, by the kernel's own rules.
	for file in "$TOP_SRCDIR"/src/guest-driver/*.c; do
		[[ $file == *.mod.c ]] || assert_line --regexp "CC \[M\].*/$(basename "${file%.c}")\.o"
	done
	succeeds "dkms install $NAME/$VERSION -k $KERNEL"
	in_debian dkms status
	assert_output "$NAME/$VERSION, $KERNEL, x86_64: installed"
	module
	[[ $MODULE_FILE == "$where"* ]] || fail "$MODULE_FILE is not below $where"
	in_debian "modinfo -k $KERNEL -F version metis_dmatest"
	assert_output "$VERSION"
	in_debian "modinfo -k $KERNEL -F vermagic metis_dmatest"
	assert_output --partial "$KERNEL "
	# It takes no device by itself: no id leads to it.
	in_debian "grep metis_dmatest /lib/modules/$KERNEL/modules.alias"
	assert_output ""
	in_debian "dkms remove $NAME/$VERSION --all"
	assert_success
	in_debian dkms status
	assert_output ""
	module
	assert_equal "$MODULE_FILE" ""
	in_debian "find /lib/modules /var/lib/dkms -name '*dmatest*'"
	assert_output ""
}

@test "dkms: a new kernel gets the module without being asked" {
	with_source
	succeeds "dkms add $NAME/$VERSION"
	in_debian "dkms autoinstall -k $KERNEL"
	assert_success
	in_debian dkms status
	assert_output "$NAME/$VERSION, $KERNEL, x86_64: installed"
}

# sparse is as old as the suite; a kernel that wants a newer one says so, and is not looked at.
@test "sparse finds nothing, and would" {
	with_source
	local make="make -s -C /lib/modules/$KERNEL/build M=/usr/src/$NAME-$VERSION C=2 W=1 KCFLAGS=-Wframe-larger-than=1024 modules"
	in_debian "$make"
	assert_success
	[[ $output != *"sparse is not available"* ]] || skip "this sparse is too old for kernel $KERNEL"
	[[ ! $output =~ \.[ch]:[0-9] ]] || fail "it finds something"
	cat >>"$LAYER/usr/src/$NAME-$VERSION/irq.c" <<-'EOF'
		int dmatest_wrong(void __iomem *bar);
		int dmatest_wrong(void __iomem *bar)
		{
			return *(int *)bar;
		}
	EOF
	in_debian "$make"
	assert_line --regexp 'irq\.c:[0-9]+.*removes address space'
}

# --- by the program itself ---

@test "selftest --guest builds the module with the real headers, and loads what comes out" {
	building_guest
	before=$(cd "$SOURCE" && sha256sum -- *)
	selftest 0
	assert_line --partial "all 10 cases passed on $BDF (dw-edma)"
	assert_equal "$(log)" "modprobe insmod rmmod"
	run modinfo -F vermagic "$TREE/sim/loaded.ko"
	assert_output --partial "$KERNEL "
	run modinfo -F version "$TREE/sim/loaded.ko"
	assert_output "$VERSION"
	assert_equal "$(cd "$SOURCE" && sha256sum -- *)" "$before"
	as_before
}

@test "selftest --guest: a real error of the compiler is told by its first line" {
	building_guest
	sed -i '0,/pci_iomap(/s//pci_no_such_thing(/' "$SOURCE/main.c"
	selftest 3
	[[ $stderr =~ "building it failed: main.c:"[0-9]+:[0-9]+:" error: implicit declaration of function " ]] || fail "$stderr"
	assert_equal "$(log)" modprobe
	as_before
}

@test "selftest --guest: a full disk, a compiler that is missing, Ctrl-C and the time limit, for real" {
	building_guest
	SMALL=400k
	selftest 3
	[[ $stderr == *"building it failed: "*"No space left on device"* ]] || fail "$stderr"
	as_before
	SMALL="" LIMIT=1
	selftest 3
	[[ $stderr == *"make: did not end within 1 s"* ]] || fail "$stderr"
	as_before
	LIMIT=""
	enter
	"${ENTER[@]}" selftest --guest --device "$BDF" --way module >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for _ in $(seq 1200); do
		! compgen -G "$TREE/$PLACE/*.o" >/dev/null || break
		sleep 0.05
	done
	kill -TERM $pid
	wait $pid && code=0 || code=$?
	assert_equal "$code" 3
	grep -q 'make: was stopped' "$BATS_TEST_TMPDIR/out" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
	as_before
	# The one that the headers name; gcc itself is there.
	compiler=$(basename "$(readlink -f "$BUILDING_ROOT/usr/bin/gcc")")
	compiler=${compiler#x86_64-linux-gnu-}
	mkdir -p "$TREE/usr/bin"
	for name in "$compiler" "x86_64-linux-gnu-$compiler"; do
		[ ! -e "$BUILDING_ROOT/usr/bin/$name" ] && [ ! -L "$BUILDING_ROOT/usr/bin/$name" ] || mknod "$TREE/usr/bin/$name" c 0 0
	done
	selftest 3
	[[ $stderr == *"building it failed: "*"$compiler: "*"apt install $compiler"* ]] || fail "$stderr"
}
