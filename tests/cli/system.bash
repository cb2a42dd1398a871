# SPDX-License-Identifier: GPL-2.0-or-later
# A captured host made into a system that can be changed: a directory tree with programs in it, entered by chroot.
# Load it after helpers.

: "${PKGLIBEXECDIR:=/usr/local/libexec/metis-passthrough}"

# Skips where no tree can be entered.
need_system() {
	[ "$(id -u)" -eq 0 ] || skip "only root can enter a tree by chroot"
	[ -x "$(busybox_path)" ] || skip "no static busybox"
}

busybox_path() {
	printf '%s\n' "${BUSYBOX:-/usr/bin/busybox}"
}

# system NAME [DIRECTORY]: makes the tree, in $BATS_TEST_TMPDIR/NAME, and prints its path. In it are the host as it was
# captured, a busybox, and the stand-ins of tests/sim, which tell how they are steered (TREE/sim/...). The log of their
# calls is TREE/sim/log.
system() {
	local tree=${2:-$BATS_TEST_TMPDIR/$1} snapshot file name
	snapshot=$(host "$1") || return
	"$TOP_SRCDIR/tests/hosts/unpack" "$snapshot" "$tree" || return
	mkdir -p "$tree"/{dev,tmp,usr/bin,usr/sbin,usr/share/initramfs-tools,var/lib,sim} || return
	cp --reflink=auto "$(busybox_path)" "$tree/usr/bin/busybox" || return
	for name in awk basename cat chmod chown cmp cp cpio cut date dirname expr false find grep head hostname id ln ls \
		mkdir mktemp mv printf ps readlink rm rmdir sed seq sh sha1sum sha256sum sleep sort stat sync tail test touch \
		tr true uname uniq wc; do
		ln -s busybox "$tree/usr/bin/$name" || return
	done
	# A plain file serves too, where no device can be made.
	mknod "$tree/dev/null" c 1 3 2>/dev/null || : >"$tree/dev/null"
	for file in "$TOP_SRCDIR"/tests/sim/*; do
		name=${file##*/}
		case $name in
		fingerprint) ;;
		lib.sh) cp "$file" "$tree/sim/" || return ;;
		hook-functions) cp "$file" "$tree/usr/share/initramfs-tools/" || return ;;
		proxmox-boot-tool | pvesh | qm)
			# Of Proxmox, where the host is one.
			[ ! -d "$tree/etc/pve" ] || install -m 0755 "$file" "$tree/usr/sbin/$name" || return
			;;
		systemctl) install -m 0755 "$file" "$tree/usr/bin/$name" || return ;;
		*) install -m 0755 "$file" "$tree/usr/sbin/$name" || return ;;
		esac
	done
	# The program under test is installed there; only what runs in the boot matters.
	mkdir -p "$tree$PKGLIBEXECDIR" || return
	cp "${METIS%/*}/early-bind" "$tree$PKGLIBEXECDIR/" || return
	: >"$tree/sim/log"
	printf '%s\n' "$tree"
}

# fingerprint TREE [NAME]...: what every path of it is, for comparison; not the program's own store.
fingerprint() {
	"$TOP_SRCDIR/tests/sim/fingerprint" "$@"
}

# assert_same BEFORE AFTER: two outputs of fingerprint. Says what differs.
assert_same() {
	[ "$1" = "$2" ] || fail "the tree is not as it was: $(diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"))"
	[ -n "$1" ] || fail "nothing to compare"
}

# arguments NAME: how the captured host is to be asked, one a line (tests/hosts/NAME.args), or nothing.
arguments() {
	[ ! -e "$TOP_SRCDIR/tests/hosts/$1.args" ] || tr -s ' ' '\n' <"$TOP_SRCDIR/tests/hosts/$1.args"
}

# calls TREE: the programs that were called since the last time.
calls() {
	cat "$1/sim/log"
	: >"$1/sim/log"
}
