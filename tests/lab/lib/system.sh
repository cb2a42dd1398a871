# shellcheck shell=bash
# The whole node: a Debian system on a disk, with the program installed. Wants lab.sh and what it sources.

# MiB of the disk, and what its file system is called.
LAB_SYSTEM_SIZE=2048
LAB_SYSTEM_UUID=5a1f0e3c-7d52-4b0e-9c55-3d1f6a0b7e21
export LAB_SYSTEM_SIZE LAB_SYSTEM_UUID

# little_endian NUMBER...: each as four bytes.
little_endian() {
	local number
	for number; do
		# shellcheck disable=SC2059 # made here
		printf "$(printf '\\x%02x' $((number & 255)) $((number >> 8 & 255)) $((number >> 16 & 255)) $((number >> 24)))"
	done
}

# system_packages PROGRAM: Debian packages of the node's system, with those that bring the program's libraries.
system_packages() {
	local file library
	{
		printf '%s\n' systemd systemd-sysv udev kmod initramfs-tools linux-image-amd64 grub2-common grub-pc-bin \
			pciutils pci.ids util-linux
		{
			ldd "$1" | grep -o '/[^ ]*'
			# Loaded at run time: see src/core/lazy.h.
			ldconfig -p | awk '$1 ~ /^lib(kmod|xml2)\.so\.[0-9]+$/ { print $NF }'
		} | while read -r library; do
			file=$(realpath "$library")
			dpkg-query -S "$file" "/usr$file" "${file#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1
		done
	} | sort -u | xargs
}

# system_base KERNEL PROGRAM: path of the disk image that all runs share.
system_base() {
	local entry packages
	packages=$(system_packages "$2")
	entry=$(cached "system-$(cat "$1/release")-$(digest "$LAB_DIR/build/system" "$LAB_DIR/setup/furnish" \
		"$LAB_DIR/setup/settle" "$1/vmlinuz" \
		<(printf '%s\n' "$packages" "$(apt_release)" "$LAB_SYSTEM_SIZE" "$LAB_SYSTEM_UUID"))" \
		"$LAB_LIMIT_SYSTEM" "$LAB_DIR/build/system" "$1" "$packages") || die 'cannot build the system'
	printf '%s\n' "$entry/disk.raw"
}

# system_write DISK FILE PATH MODE [FILE PATH MODE]...: puts files into the system, with their directories, owned by root.
# MODE is octal.
system_write() {
	local disk=$1 path dirs='' script=''
	shift
	while [ $# -gt 0 ]; do
		path=$2
		while path=${path%/*} && [ -n "$path" ]; do
			dirs="$path $dirs"
		done
		script+="rm $2
write $1 $2
sif $2 mode 0100${3#0}
sif $2 uid 0
sif $2 gid 0
"
		shift 3
	done
	# Those that are there already are complained about, and stay.
	{
		for path in $dirs; do
			printf 'mkdir %s\n' "$path"
		done
		printf '%s' "$script"
	} >"$disk.debugfs"
	debugfs -w -f "$disk.debugfs" "$disk?offset=$((1 << 20))" >"$disk.debugfs.log" 2>&1 ||
		die "debugfs: $(tail -n 3 "$disk.debugfs.log")"
	rm -f "$disk.debugfs" "$disk.debugfs.log"
}

# system_qemu DIR DISK: the array qemu for the whole node; its other disks are files in DIR. Two cards of a kind each:
# edu without a driver of the host's, NVMe with one. The variant tells which of them is wanted.
system_qemu() {
	truncate -s 512M "$1/out.raw"
	truncate -s 16M "$1/nvme0.raw" "$1/nvme1.raw"
	# shellcheck disable=SC2034,SC2154 # for the caller; from the variant
	qemu=(qemu-system-x86_64 -no-user-config -nodefaults -display none -monitor none
		-accel 'tcg,thread=multi' -M 'q35,kernel-irqchip=split' -cpu "$cpu" -smp 2 -m 1024
		"${iommu[@]}"
		-drive "file=$2,if=none,id=root,format=raw,cache=unsafe"
		-device 'virtio-blk-pci,drive=root,bus=pcie.0,addr=03.0,bootindex=0'
		-drive "file=$1/out.raw,if=none,id=out,format=raw,cache=unsafe"
		-device 'virtio-blk-pci,drive=out,serial=out,bus=pcie.0,addr=04.0'
		-device 'edu,bus=pcie.0,addr=05.0' -device 'edu,bus=pcie.0,addr=06.0'
		-device 'pcie-root-port,id=port0,chassis=1,bus=pcie.0,addr=07.0'
		-device 'pcie-root-port,id=port1,chassis=2,bus=pcie.0,addr=08.0'
		-drive "file=$1/nvme0.raw,if=none,id=nvme0,format=raw"
		-device 'nvme,drive=nvme0,serial=first,bus=port0'
		-drive "file=$1/nvme1.raw,if=none,id=nvme1,format=raw"
		-device 'nvme,drive=nvme1,serial=second,bus=port1')
}

# system_install DISK PROGRAM DIR: `make install` of PROGRAM's build tree, by way of DIR, into the system.
system_install() {
	local tree file args=()
	tree=$(dirname "$2")
	[ -f "$tree/Makefile" ] || die "$2 is not in its build tree: nothing to install it with"
	make -s -C "$tree" install DESTDIR="$3" >"$3.log" 2>&1 || die "make install: $(tail -n 3 "$3.log")"
	find "$3" -path "*/bin/${2##*/}" -exec cmp -s {} "$2" \; -print | grep -q . || die "make install in $tree does not install $2"
	while IFS= read -r -d '' file; do
		args+=("$file" "${file#"$3"}" "0$(stat -c %a "$file")")
	done < <(find "$3" -type f -print0)
	system_write "$1" "${args[@]}"
	rm -rf "$3" "$3.log"
}
