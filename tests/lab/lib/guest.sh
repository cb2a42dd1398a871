# shellcheck shell=bash
# A Linux for the VMs of the node. Wants lab.sh, cache.sh, apt.sh and elf.sh.

# apt_agent: the version of qemu-guest-agent that apt would install; fails if no list knows it.
apt_agent() {
	local found
	# shellcheck disable=SC2154 # from apt_lists
	found=$(apt-cache "${apt_options[@]}" show --no-all-versions qemu-guest-agent 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
	[ -n "$found" ] && printf '%s\n' "$found"
}

# guest_base KERNEL: path of a directory with vmlinux and base.cpio. Without network the newest of that kernel in the cache does.
guest_base() {
	local lists version entry release
	release=$(cat "$1/release")
	for lists in machine private; do
		apt_lists "$lists"
		version=$(apt_agent) || continue
		entry=$(cached "guest-$release-$(digest "$LAB_DIR/build/guest" "$LAB_DIR/lib/elf.sh" "$LAB_DIR/guest/init" \
			"$1/vmlinuz" "$1/config" "$(command -v busybox)" "$(command -v kmod)" /usr/share/misc/pci.ids \
			<(printf '%s\n' "$version"))" \
			"$LAB_LIMIT_BUILD" "$LAB_DIR/build/guest" "$1" "$lists" "$version") && {
			printf '%s\n' "$entry"
			return
		}
		say "cannot make the guest with qemu-guest-agent $version by this machine's apt ($lists lists)"
	done
	entry=$(find "$LAB_CACHE" -maxdepth 1 -type d -name "guest-$release-*" -printf '%T@ %p\n' 2>/dev/null |
		sort -n | tail -n 1 | cut -d' ' -f2-)
	[ -n "$entry" ] || die 'no guest: apt offers no qemu-guest-agent and the cache has none'
	say "taking ${entry##*/}, which is in the cache"
	printf '%s\n' "$entry"
}

# guest_module KERNEL: path of metis_dmatest.ko for it.
guest_module() {
	local lists found entry release
	release=$(cat "$1/release")
	for lists in machine private; do
		apt_lists "$lists"
		found=$(apt_kernel) || continue
		[ "${found% *}" = "linux-image-$release" ] || continue
		entry=$(dmatest_module "$lists") || continue
		[ -f "$entry/metis_dmatest.ko" ] || die "the guest's module does not compile for $release: see $entry/log"
		printf '%s\n' "$entry/metis_dmatest.ko"
		return
	done
	die "no guest's module: apt offers no headers of $release"
}

# put_guest ROOT KERNEL PROGRAM [FILE PATH]...: ROOT/lab/vmlinux and initrd, with PROGRAM in the guest, and each FILE at its path
# (usr/...: in the guest, /bin is a link).
put_guest() {
	local root=$1 program=$3 base payload=$1/lab/payload
	base=$(guest_base "$2") || exit
	shift 3
	mkdir -p "$payload"
	# libxml2 stays away, as in the node.
	put_program "$payload" "$program" metis-passthrough libkmod.so.2
	while [ $# -gt 0 ]; do
		install -D "$1" "$payload/$2"
		shift 2
	done
	pack "$payload" "$payload.cpio"
	cat "$base/base.cpio" "$payload.cpio" >"$root/lab/initrd"
	cp "$base/vmlinux" "$root/lab/vmlinux"
	rm -rf "$payload" "$payload.cpio"
}
