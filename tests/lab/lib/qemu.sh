# shellcheck shell=bash
# A QEMU of our own, with the virtual Metis: Debian 13's source, a few lines of ours in its VT-d, and tests/lab/virtual-metis
# linked in. Wants lab.sh, cache.sh and apt.sh.

# The Debian release whose QEMU it is: the first one with all that the card needs from VT-d (see README.md).
LAB_QEMU_SUITE=trixie

# qemu_version: the newest one that the suite has the source of; fails if no list knows it.
qemu_version() {
	local found
	# shellcheck disable=SC2154 # from apt_suite
	found=$(apt-cache "${apt_options[@]}" showsrc --only-source qemu 2>/dev/null |
		sed -n 's/^Version: //p' | sort -V | tail -n 1)
	[ -n "$found" ] && printf '%s\n' "$found"
}

# qemu_tree: path of QEMU's tree, compiled, in the root that it was compiled in. Without network the newest in the cache does.
qemu_tree() {
	local version entry
	apt_suite "$LAB_QEMU_SUITE" deb deb-src
	version=$(qemu_version) && entry=$(cached \
		"qemu-tree-${version//:/-}-$(digest "$LAB_DIR/build/qemu-tree" "$LAB_DIR/build/qemu-compile")" \
		"$LAB_LIMIT_SYSTEM" "$LAB_DIR/build/qemu-tree" "$version") && {
		printf '%s\n' "$entry"
		return
	}
	[ -z "$version" ] || exit 3
	entry=$(find "$LAB_CACHE" -maxdepth 1 -type d -name 'qemu-tree-*' -printf '%T@ %p\n' 2>/dev/null |
		sort -n | tail -n 1 | cut -d' ' -f2-)
	[ -n "$entry" ] || die "no source of QEMU: $LAB_QEMU_SUITE has none, by this machine's mirrors, and the cache neither"
	say "no list of $LAB_QEMU_SUITE; taking ${entry##*/}, which is in the cache"
	printf '%s\n' "$entry"
}

# qemu_metis [asan]: path of the QEMU with the virtual Metis, a directory that can be taken elsewhere as a whole: PATH/qemu starts
# it, its firmware and libraries lie beside. LAB_QEMU, where it is set, is such a directory.
# asan: the card under AddressSanitizer.
qemu_metis() {
	local tree entry
	[ $# -gt 0 ] || [ -z "${LAB_QEMU:-}" ] || {
		[ -x "$LAB_QEMU/qemu" ] || die "LAB_QEMU=$LAB_QEMU has no executable qemu"
		printf '%s\n' "$LAB_QEMU"
		return
	}
	tree=$(qemu_tree) || exit 3
	entry=$(cached "qemu-metis${1:+-asan}-$(printf '%s' "${tree##*/}" | cat - "$LAB_DIR"/build/qemu{,-link} \
		"$LAB_DIR"/virtual-metis/*.[ch] | digest -)" \
		"$LAB_LIMIT_BUILD" "$LAB_DIR/build/qemu" "$tree" "$@") || die 'cannot build the QEMU with the virtual Metis'
	printf '%s\n' "$entry"
}

# in_root ROOT DIR COMMAND...: runs COMMAND there, with DIR as /mnt, and this machine's /dev and /proc. The mounts are seen by
# nobody else. Who is not root plays it in a user namespace.
in_root() {
	local user=()
	[ "$(id -u)" = 0 ] || user=(--map-root-user)
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private "${user[@]}" sh -euc '
		root=$1
		mount --bind "$2" "$root/mnt"
		shift 2
		for dir in dev proc; do
			mount --rbind "/$dir" "$root/$dir"
		done
		exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/ "$@"' - "$@"
}
