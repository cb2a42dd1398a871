# SPDX-License-Identifier: GPL-2.0-or-later
# What tests of the engine share: the driver, the library that disturbs it, a small system. Load it after helpers.

: "${TOP_BUILDDIR:=$TOP_SRCDIR/build}"
DRIVER=$TOP_BUILDDIR/tests/crash/engine-driver
PRELOAD=$TOP_BUILDDIR/tests/crash/preload.so
export PRELOAD

need_driver() {
	[ "$(id -u)" -eq 0 ] || skip "only root can give files to root"
	[ -x "$DRIVER" ] || fail "not built: $DRIVER (make check does)"
	[ -e "$PRELOAD" ] || fail "not built: $PRELOAD (make check does)"
}

# A directory in memory, where syncing costs nothing: thousands of runs are made.
fast_directory() {
	local place=/dev/shm
	[ -w "$place" ] || place=$BATS_TEST_TMPDIR
	mktemp -d "$place/metis-passthrough-test.XXXXXX"
}

# A system with all that can be put back: bytes that are no text, another owner and mode, an old time, a link.
small_system() {
	mkdir -p "$1"/etc/{default,kernel,modprobe.d} "$1"/var/lib
	printf 'GRUB\351\n\0bin' >"$1/etc/default/grub"
	chown 12:34 "$1/etc/default/grub"
	chmod 0640 "$1/etc/default/grub"
	printf 'root=ZFS=rpool\n' >"$1/etc/kernel/cmdline"
	printf 'options old\n' >"$1/etc/modprobe.d/old.conf"
	ln -s a "$1/etc/link"
	touch -d '2020-02-02 02:02:02' "$1/etc/default/grub" "$1/etc/modprobe.d/old.conf"
	touch -h -d '2020-02-02 02:02:02' "$1/etc/link"
	"$DRIVER" "$1" recover
}

# Each kind of change: replaced, removed, new in new directories, a link replaced, a link made.
# shellcheck disable=SC2034
CHANGES=(file /etc/default/grub 644 $'new\n' absent /etc/modprobe.d/old.conf
	file /usr/local/lib/x.conf 755 $'hello\n' link /etc/link b link /etc/systemd/system/x.wants/y /usr/lib/y)

# driver [EXIT] ARG...: as metis() of helpers.bash.
driver() {
	local expected=0
	if [[ ${1-} =~ ^[0-9]$ ]]; then
		expected=$1
		shift
	fi
	run --separate-stderr timeout 60 "$DRIVER" "$@"
	printf '$ engine-driver'
	printf ' %q' "$@"
	# shellcheck disable=SC2154
	printf '\nexit %s\n%s\n--- standard error ---\n%s\n' "$status" "$output" "$stderr"
	[ "$status" -eq "$expected" ] || fail "exit code $status, expected $expected"
}
