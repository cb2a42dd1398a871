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
		printf '%s\n' "$dirs" | tr ' ' '\n' | awk '$1 != "" && !seen[$1]++ { print "mkdir", $1 }'
		printf '%s' "$script"
	} | system_debugfs "$disk"
}

# system_debugfs DISK: does what the lines of stdin say. It tells errors and goes on, so an exit code says little.
system_debugfs() {
	cat >"$1.debugfs"
	debugfs -w -f "$1.debugfs" "$1?offset=$((1 << 20))" >"$1.debugfs.log" 2>&1 || die "debugfs: $(tail -n 3 "$1.debugfs.log")"
	! grep -E 'Could not allocate|No space|No free' "$1.debugfs.log" >&2 || die "the system's disk is full"
	rm -f "$1.debugfs" "$1.debugfs.log"
}

# system_qemu DIR DISK: the array qemu for the whole node, with the devices of the variant that load_variant read. Its disk "out" is
# a file in DIR.
system_qemu() {
	local program
	program=$(node_emulator) || exit
	truncate -s 512M "$1/out.raw"
	# shellcheck disable=SC2034,SC2154 # for the caller; from the variant
	qemu=("$program" -no-user-config -nodefaults -display none -monitor none
		-accel 'tcg,thread=multi' -M 'q35,kernel-irqchip=split' -cpu "$cpu" -smp 2 -m "$memory"
		"${iommu[@]}"
		-drive "file=$2,if=none,id=root,format=raw,cache=unsafe"
		-device 'virtio-blk-pci,drive=root,bus=pcie.0,addr=03.0,bootindex=0'
		-drive "file=$1/out.raw,if=none,id=out,format=raw,cache=unsafe"
		-device 'virtio-blk-pci,drive=out,serial=out,bus=pcie.0,addr=04.0'
		"${devices[@]}")
}

# system_put DISK DIR: everything below DIR into the system, owned by root.
system_put() {
	local file args=() links=()
	while IFS= read -r -d '' file; do
		args+=("$file" "${file#"$2"}" "0$(stat -c %a "$file")")
	done < <(find "$2" -type f -print0)
	system_write "$1" "${args[@]}"
	while IFS= read -r -d '' file; do
		links+=("rm ${file#"$2"}" "symlink ${file#"$2"} $(readlink "$file")")
	done < <(find "$2" -type l -print0)
	[ ${#links[@]} = 0 ] || printf '%s\n' "${links[@]}" | system_debugfs "$1"
}

# system_install DISK PROGRAM DIR: `make install` of PROGRAM's build tree, by way of DIR, into the system.
system_install() {
	local tree
	tree=$(dirname "$2")
	[ -f "$tree/Makefile" ] || die "$2 is not in its build tree: nothing to install it with"
	make -s -C "$tree" install DESTDIR="$3" >"$3.log" 2>&1 || die "make install: $(tail -n 3 "$3.log")"
	find "$3" -path "*/bin/${2##*/}" -exec cmp -s {} "$2" \; -print | grep -q . || die "make install in $tree does not install $2"
	system_put "$1" "$3"
	rm -rf "$3" "$3.log"
}

# system_env FILE: what /opt/lab/env tells the node of the variant.
system_env() {
	local name
	# shellcheck disable=SC2154 # from the variant
	{
		printf 'lab_limit_step=%s\n' "$LAB_LIMIT_SYSTEM"
		printf 'CARDS=%q\nexport CARDS\n' "${!cards[*]}"
		for name in "${!wanted[@]}"; do
			printf '%s=%q\nexport %s\n' "$name" "${wanted[$name]}" "$name"
		done
	} >"$1"
}

# system_boots DIR SCRATCH [QEMU OPTION...]: starts the array qemu as often as the node in it wants (over, in setup/life), and
# unpacks in DIR what it brought out. Each boot is a QEMU of its own, as if the power had been off: after a reboot inside, QEMU
# 7.2 ran into soft lockups of a minute. Not 0: DIR/broken says what was wrong. QEMU's process is in qemu_pid meanwhile.
system_boots() {
	local dir=$1 scratch=$2 started=$SECONDS boot rc
	shift 2
	for ((boot = 1; boot <= 9; boot++)); do
		rc=0
		timeout -k 10 "$((LAB_LIMIT_SYSTEM - (SECONDS - started)))" "${qemu[@]}" -no-reboot \
			-serial "file:$dir/console.$boot" "$@" </dev/null >>"$dir/qemu" 2>&1 &
		qemu_pid=$!
		wait "$qemu_pid" || rc=$?
		qemu_pid=
		cat "$dir/console.$boot" >>"$dir/console"
		rm "$dir/console.$boot"
		say "boot $boot over after $((SECONDS - started)) s"
		[ "$rc" = 0 ] || break
		[ "$(tar -xOf "$scratch/out.raw" ./boots 2>/dev/null)" = "$boot" ] || {
			system_broken "$dir" "$scratch" "boot $boot brought nothing"
			return 1
		}
		! tar -tf "$scratch/out.raw" ./complete >/dev/null 2>&1 || break
	done
	if [ "$rc" = 124 ]; then
		system_broken "$dir" "$scratch" "not finished within $LAB_LIMIT_SYSTEM s"
	elif [ "$rc" != 0 ]; then
		system_broken "$dir" "$scratch" "QEMU ended with $rc: $(tail -n 3 "$dir/qemu")"
	elif ! tar -xf "$scratch/out.raw" -C "$dir"; then
		system_broken "$dir" "$scratch" 'the node wrote no archive'
	elif [ ! -e "$dir/complete" ]; then
		system_broken "$dir" "$scratch" 'the node did not run to its end'
	else
		return 0
	fi
	return 1
}

# system_broken DIR SCRATCH REASON: what it brought out before it went wrong is worth a look.
system_broken() {
	tar -xf "$2/out.raw" -C "$1" 2>/dev/null || true
	rm -f "$1/complete"
	{
		printf '%s\n' "$3"
		printf -- '--- last lines of its console ---\n'
		tail -n 60 "$1/console" 2>/dev/null | tr -d '\r'
	} >"$1/broken"
}
