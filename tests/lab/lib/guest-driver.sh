# shellcheck shell=bash
# The guest's kernel module, for kernels of Debian. Wants lab.sh, cache.sh, apt.sh and qemu.sh.

# dmatest_digest: of all that goes into a module.
dmatest_digest() {
	local top=$LAB_DIR/../..
	digest "$LAB_DIR/build/guest-driver" "$LAB_DIR/build/headers" "$top"/src/guest-driver/{Kbuild,Makefile,*.[ch]} \
		"$top"/src/core/{dmatest,dw-edma,edu,metis-block}.h
}

# dmatest_module LISTS [root]: path of a directory with metis_dmatest.ko, log and rc, for the kernel that the lists offer. root: built in the
# small Debian 13 that QEMU is compiled in, for a kernel whose tools want that.
dmatest_module() {
	local found release version place headers root='' key
	apt_lists "$1"
	found=$(apt_kernel) || found=$(apt_headers) || die "no kernel in the lists of $1"
	release=${found% *} version=${found#* }
	release=${release#linux-image-}
	key=headers-${1//\//-}-$version-$(digest "$LAB_DIR/build/headers")
	place=$LAB_CACHE/$key
	[ "${2:-}" != root ] || place=/mnt
	headers=$(cached "$key" "$LAB_LIMIT_DOWNLOAD" "$LAB_DIR/build/headers" "$1" "$place" "$release" "$version") ||
		die "cannot get the headers of $release"
	[ "${2:-}" != root ] || root=$(qemu_tree)/root || exit 3
	cached "dmatest-$release-$(dmatest_digest)" "$LAB_LIMIT_BUILD" "$LAB_DIR/build/guest-driver" "$headers" "$place" "$release" \
		${root:+"$root"} || die "cannot build the guest's module for $release"
}

# dmatest_checkpatch: path of a directory with the kernel's checkpatch.pl. Only the whole source has it, so it is kept.
dmatest_checkpatch() {
	local found
	apt_lists machine
	# shellcheck disable=SC2154 # from apt_lists
	found=$(apt-cache "${apt_options[@]}" show --no-all-versions linux-source 2>/dev/null |
		sed -n 's/^Depends: \(linux-source-[^ ,]*\).*/\1/p' | head -n 1)
	[ -n "$found" ] || die 'no linux-source in the lists of this machine'
	cached "checkpatch-$found-$(digest "$LAB_DIR/build/checkpatch")" "$LAB_LIMIT_DOWNLOAD" "$LAB_DIR/build/checkpatch" "$found" ||
		die "cannot get checkpatch.pl of $found"
}
