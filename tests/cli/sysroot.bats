# SPDX-License-Identifier: GPL-2.0-or-later
# A directory as a host, made to hurt whoever looks into it.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	echo canary-7351 >canary
	device=tree/sys/bus/pci/devices/0000:01:00.0
	mkdir -p "$device" tree/sys/kernel/iommu_groups tree/proc tree/etc
	echo 0x1f9d >"$device/vendor"
	echo 0x1100 >"$device/device"
	echo 0x120000 >"$device/class"
}

# look: every read-only verb; none may fail to work, hang, or show the canary.
look() {
	local verb
	for verb in list preflight snapshot; do
		run --separate-stderr timeout 20 "$METIS" "$verb" --sysroot tree
		printf '%s: exit %s\n%s\n%s\n' "$verb" "$status" "$output" "$stderr"
		[ "$status" -le 1 ] || fail "$verb: exit $status"
		[[ $output$stderr != *canary-7351* ]] || fail "$verb read outside of the tree"
	done
}

@test "a small tree is a host" {
	metis list --sysroot tree
	assert_line --partial '0000:01:00.0'
	look
}

@test "links out of the tree lead nowhere" {
	ln -s "$PWD/canary" tree/etc/hostname
	ln -s ../../canary tree/etc/os-release
	ln -s ../../../../../../../canary "$device/driver_override"
	ln -sf "$PWD/canary" "$device/device"
	ln -s "$PWD" tree/etc/modprobe.d
	ln -s ../.. tree/etc/kernel
	ln -s "$PWD/canary" tree/proc/cmdline
	look
}

@test "loops of links end" {
	ln -s loop tree/etc/loop
	ln -s ../sys tree/sys/sys
	ln -s a tree/etc/b && ln -s b tree/etc/a
	ln -s ../a tree/etc/hostname
	ln -s cmdline tree/proc/cmdline
	ln -sfn driver "$device/driver"
	ln -s . tree/sys/kernel/iommu_groups/1
	look
}

@test "FIFOs do not hang, devices are not opened" {
	local name
	rm "$device/vendor"
	mkfifo "$device/vendor" "$device/config" tree/proc/cmdline tree/etc/hostname tree/proc/cpuinfo
	mkdir -p tree/etc/modprobe.d
	mkfifo tree/etc/modprobe.d/x.conf
	mknod "$device/resource" c 1 5 || skip 'no device nodes here'
	look
}

@test "huge files are refused, not read" {
	local name
	for name in "$device/vendor" "$device/config" tree/proc/cmdline tree/proc/interrupts \
		tree/proc/self/mountinfo tree/etc/default/grub tree/etc/modprobe.d/x.conf; do
		mkdir -p "${name%/*}"
		truncate -s 100G "$name"
	done
	look
}

@test "a modprobe.d file of 100 MB is not parsed" {
	mkdir -p tree/etc/modprobe.d
	yes 'options vfio-pci ids=1f9d:1100' | head -c 100M >tree/etc/modprobe.d/big.conf
	look
}

@test "names and contents that are no text come out as text" {
	mkdir -p "$device/"$'\xff\xfe' tree/sys/bus/pci/devices/$'\x1b[2J'
	printf '\xff\x1b[2J\x00' >tree/etc/hostname
	printf '\xff\x1b[2J' >"$device/driver_override"
	look
	local verb
	for verb in 'list --format json' 'preflight --format json' 'preflight' snapshot; do
		# shellcheck disable=SC2086
		timeout 20 "$METIS" $verb --sysroot tree >out || [ $? -eq 1 ]
		iconv -f UTF-8 -t UTF-8 out >/dev/null || fail "$verb: not UTF-8"
		! grep -q $'\x1b' out || fail "$verb: an escape sequence"
	done
}

@test "absurd numbers are told as unknown" {
	echo 99999999999999999999 >"$device/numa_node"
	echo 0xzz >"$device/class"
	printf '0x0 0xffffffffffffffff 0x200\nnonsense\n' >"$device/resource"
	mkdir -p tree/sys/kernel/iommu_groups/4294967296 tree/sys/kernel/iommu_groups/-1 \
		tree/sys/kernel/iommu_groups/1/devices/nonsense
	echo '0xffffffffffffffff 0x0 direct' >tree/sys/kernel/iommu_groups/1/reserved_regions
	head -c 17 /dev/urandom >"$device/config"
	look
}

@test "what may not be read is unknown" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to make files that others may not read'
	chmod 000 "$device/vendor" tree/etc
	chmod 755 . && chmod -R go+rX tree/sys
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$METIS" list --sysroot "$PWD/tree"
	[ "$status" -eq 3 ] || [[ $output == *0000:01:00.0* ]] || fail "$output"
	chmod 755 tree/etc
}

@test "what is no host is refused" {
	mkdir empty
	metis 3 list --sysroot empty
	[[ $stderr == *'empty: cannot read as a host: there is no directory sys in it'* ]] || fail "$stderr"
	metis 3 list --sysroot nowhere
	[[ $stderr == *'nowhere: cannot open as a host: No such file or directory'* ]] || fail "$stderr"
	metis 3 list --sysroot canary
	[[ $stderr == *'canary:1: not a snapshot'* ]] || fail "$stderr"
	mkfifo fifo
	metis 3 list --sysroot fifo
	[[ $stderr == *'fifo: cannot open as a host: neither a directory nor a snapshot file'* ]] || fail "$stderr"
}
