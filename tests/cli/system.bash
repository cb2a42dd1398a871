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

# without_iommu NAME: the tree of a host whose command line lacks what switches its IOMMU on.
without_iommu() {
	local tree file
	# Not to go on without it: paths would be those of the machine that runs the tests.
	tree=$(system "$1") && [ -n "$tree" ] || return
	for file in etc/default/grub boot/grub/grub.cfg etc/kernel/cmdline proc/cmdline; do
		[ ! -e "$tree/$file" ] || sed -i 's/ *intel_iommu=on//; s/ *iommu=pt//' "$tree/$file"
	done
	sed -i '/IOMMU_DEFAULT_ON/d' "$tree"/boot/config-*
	printf '%s\n' "$tree"
}

# fingerprint TREE [NAME]...: what every path of it is, for comparison (tests/sim/fingerprint).
fingerprint() {
	"$TOP_SRCDIR/tests/sim/fingerprint" "$@"
}

# assert_same BEFORE AFTER: two outputs of fingerprint. Says what differs.
assert_same() {
	[ "$1" = "$2" ] || fail "the tree is not as it was: $(diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"))"
	[ -n "$1" ] || fail "nothing to compare"
}

# questions NAME: the ways in which a captured host is asked, the arguments of one a line; the first has none.
questions() {
	printf '\n'
	[ ! -e "$TOP_SRCDIR/tests/hosts/$1.args" ] || grep . "$TOP_SRCDIR/tests/hosts/$1.args" || true
}

# in_parallel FUNCTION WORD...: FUNCTION WORD for each, as many at a time as there are processors; what one prints goes
# to $BATS_TEST_TMPDIR/results/WORD. Fails when one does, with its output.
in_parallel() {
	local function=$1 word jobs=0 bad=''
	shift
	mkdir -p "$BATS_TEST_TMPDIR/results"
	for word in "$@"; do
		if [ "$jobs" -ge "$(nproc)" ]; then
			wait -n || true
			jobs=$((jobs - 1))
		fi
		(
			# One failure does not hide what another host has to say.
			set -e
			"$function" "$word"
			: >"$BATS_TEST_TMPDIR/results/$word.good"
		) >"$BATS_TEST_TMPDIR/results/$word" 2>&1 3>&- &
		jobs=$((jobs + 1))
	done
	wait
	for word in "$@"; do
		[ ! -e "$BATS_TEST_TMPDIR/results/$word.good" ] || continue
		printf -- '--- %s ---\n%s\n' "$word" "$(cat "$BATS_TEST_TMPDIR/results/$word")"
		bad="$bad $word"
	done
	[ -z "$bad" ] || fail "failed:$bad"
}

# calls TREE: the programs that were called since the last time.
calls() {
	cat "$1/sim/log"
	: >"$1/sim/log"
}
