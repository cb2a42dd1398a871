# shellcheck shell=bash
# The node's ingredients: kernel, initramfs, QEMU's command line. Wants lab.sh, cache.sh, apt.sh and elf.sh.

# node_kernel [debian|iommufd]: path of the unpacked kernel, the one that this machine's apt would install. Without network or
# lists the newest that is in the cache does. Or one with iommufd, see build/kernel-iommufd.
node_kernel() {
	local lists found entry
	[ "${1:-debian}" = debian ] || {
		node_kernel_iommufd
		return
	}
	for lists in machine private; do
		apt_lists "$lists"
		found=$(apt_kernel) || continue
		# shellcheck disable=SC2086 # package and version
		entry=$(cached "kernel-${found#* }-$(digest "$LAB_DIR/build/kernel")" \
			"$LAB_LIMIT_DOWNLOAD" "$LAB_DIR/build/kernel" "$lists" $found) && {
			printf '%s\n' "$entry"
			return
		}
		say "cannot get ${found% *} ${found#* } by this machine's apt ($lists lists)"
	done
	entry=$(find "$LAB_CACHE" -maxdepth 1 -type d -name 'kernel-*' -printf '%T@ %p\n' 2>/dev/null |
		sort -n | tail -n 1 | cut -d' ' -f2-)
	[ -n "$entry" ] || die 'no kernel: apt offers no linux-image-amd64 and the cache has none'
	say "taking ${entry##*/}, which is in the cache"
	printf '%s\n' "$entry"
}

# node_kernel_iommufd: a 6.12 in packages that this machine can use to build modules.
node_kernel_iommufd() {
	local suite found entry
	case $(apt_release) in
	bookworm) suite=bookworm-backports ;;
	*) suite=trixie ;;
	esac
	apt_lists "$suite"
	if found=$(apt_kernel); then
		# shellcheck disable=SC2086 # package and version
		cached "iommufd-${found#* }-$(digest "$LAB_DIR/build/kernel" "$LAB_DIR/build/kernel-iommufd")" \
			"$LAB_LIMIT_SYSTEM" "$LAB_DIR/build/kernel-iommufd" "$suite" $found && return
	fi
	entry=$(find "$LAB_CACHE" -maxdepth 1 -type d -name 'iommufd-*' -printf '%T@ %p\n' 2>/dev/null |
		sort -n | tail -n 1 | cut -d' ' -f2-)
	[ -n "$entry" ] || die "no kernel with iommufd: neither from Debian's $suite nor in the cache"
	say "taking ${entry##*/}, which is in the cache"
	printf '%s\n' "$entry"
}

# node_base KERNEL: path of the initramfs that all runs share.
node_base() {
	local entry
	entry=$(cached "base-$(cat "$1/release")-$(digest "$LAB_DIR/build/base" "$LAB_DIR/lib/elf.sh" "$LAB_DIR/node/init" \
		"$LAB_DIR"/node/metis-* "$LAB_DIR/node/left" "$1/vmlinuz" "$1/config" "$(command -v busybox)" "$(command -v kmod)" \
		/usr/share/misc/pci.ids)" \
		"$LAB_LIMIT_BUILD" "$LAB_DIR/build/base" "$1") || die 'cannot build the initramfs'
	printf '%s\n' "$entry/base.cpio"
}

# node_payload PROGRAM COMMANDS DIR: DIR/payload.cpio, the part that differs from run to run. LAB_EXTRA is a directory whose files
# come along too, with their paths (usr/bin/NAME: in the node, /bin is a link). With nested=qemu the QEMU with the virtual Metis
# is in the node as well, for guests: /opt/qemu/qemu.
node_payload() {
	local root=$3/payload
	mkdir -p "$root/lab"
	# libxml2, which it would load for the format junit, stays away: ICU is larger than all the rest.
	put_program "$root" "$1" metis-passthrough libkmod.so.2
	cp "$2" "$root/lab/commands"
	# shellcheck disable=SC2154 # from the variant
	if [ "$nested" = qemu ]; then
		mkdir "$root/opt"
		cp -r "$(qemu_metis)" "$root/opt/qemu" || die 'no QEMU for the node'
	fi
	[ -z "${LAB_EXTRA:-}" ] || cp -r "$LAB_EXTRA/." "$root/"
	printf 'lab_limit_command=%s\n' "$LAB_LIMIT_COMMAND" >"$root/lab/env"
	pack "$root" "$3/payload.cpio"
	rm -rf "$root"
}

# node_emulator: the QEMU that the variant wants.
node_emulator() {
	local dir
	# shellcheck disable=SC2154 # from the variant
	case $emulator in
	debian) printf 'qemu-system-x86_64\n' ;;
	metis) dir=$(qemu_metis) && printf '%s/qemu\n' "$dir" ;;
	metis-asan) dir=$(qemu_metis asan) && printf '%s/qemu\n' "$dir" ;;
	*) die "no such emulator: $emulator" ;;
	esac
}

# node_qemu DIR KERNEL INITRD: the array qemu, for the variant that load_variant read. Disks are files in DIR.
# tsc=unstable: where the machine is busy, the kernel may take the emulated TSC for a hundred times slower than it is, and the node's
# time then runs as much too fast, until its watchdog sees it.
# The card under test is edu at 00:05.0; the NVMe is the neighbour behind a root port; the variant may have more.
node_qemu() {
	local program
	program=$(node_emulator) || exit
	truncate -s 64M "$1/out.raw"
	truncate -s 16M "$1/nvme.raw"
	# shellcheck disable=SC2034 # for the caller
	qemu=("$program" -no-user-config -nodefaults -display none -monitor none -no-reboot
		-accel 'tcg,thread=multi' -M 'q35,kernel-irqchip=split' -cpu "$cpu" -smp 1 -m "$memory"
		"${iommu[@]}"
		-device 'edu,bus=pcie.0,addr=05.0,dma_mask=0xffffffffff'
		-device 'pcie-root-port,id=port1,chassis=1,bus=pcie.0,addr=06.0'
		-drive "file=$1/nvme.raw,if=none,id=nvme,format=raw"
		-device 'nvme,drive=nvme,serial=neighbour,bus=port1'
		-drive "file=$1/out.raw,if=none,id=out,format=raw"
		-device 'virtio-blk-pci,drive=out,serial=out,bus=pcie.0,addr=07.0'
		"${devices[@]}"
		-kernel "$2" -initrd "$3"
		-append "console=ttyS0 panic=-1 no_timer_check tsc=unstable ${cmdline[*]}")
}
