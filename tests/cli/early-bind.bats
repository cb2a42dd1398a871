#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The program that gives cards to vfio-pci at boot, on a made-up sysfs.

load helpers

setup() {
	ROOT=$BATS_TEST_TMPDIR/root
	DEVICE=$ROOT/sys/bus/pci/devices/0000:86:00.0
	mkdir -p "$ROOT"/{dev,proc,etc/metis-passthrough} "$ROOT/sys/bus/pci/drivers"
	: >"$ROOT/dev/kmsg"
	printf 'root=/dev/sda1 quiet\n' >"$ROOT/proc/cmdline"
	device 0000:86:00.0
	config >"$DEVICE/config"
	table '0000:86:00.0 1f9d:1100 1f9d:0001 0x0123456789abcdef'
}

# device ADDRESS: a card without a driver.
device() {
	local dir=$ROOT/sys/bus/pci/devices/$1
	mkdir -p "$dir"
	echo 0x1f9d >"$dir/vendor"
	echo 0x1100 >"$dir/device"
	echo 0x1f9d >"$dir/subsystem_vendor"
	echo 0x0001 >"$dir/subsystem_device"
	echo '(null)' >"$dir/driver_override"
	head -c 64 /dev/zero >"$dir/config"
}

# 32-bit little-endian words.
words() {
	local word
	for word; do
		# shellcheck disable=SC2059
		printf "\\x${word:6:2}\\x${word:4:2}\\x${word:2:2}\\x${word:0:2}"
	done
}

# config: 256 bytes, AER at 0x100, the serial number 0x0123456789abcdef at 0x140.
config() {
	head -c 256 /dev/zero
	words 14010001
	head -c 60 /dev/zero
	words 00010003 89abcdef 01234567
	head -c 100 /dev/zero
}

table() {
	printf '%s\n' '# a comment' '' "$@" >"$ROOT/etc/metis-passthrough/early-bind.conf"
}

# early [EXIT] ARG...
early() {
	local expected=0
	if [[ ${1-} =~ ^[0-9]$ ]]; then
		expected=$1
		shift
	fi
	run timeout 20 "${METIS%/*}/early-bind" --root "$ROOT" "$@"
	printf 'exit %s\n%s\n--- log ---\n%s\n' "$status" "$output" "$(cat "$ROOT/dev/kmsg")"
	[ "$status" -eq "$expected" ] || fail "exit code $status, expected $expected"
}

# said TEXT: the only line of the log.
said() {
	assert_equal "$(cat "$ROOT/dev/kmsg")" "$1"
}

override() {
	assert_equal "$(cat "$ROOT/sys/bus/pci/devices/${2:-0000:86:00.0}/driver_override")" "$1"
}

left_alone() {
	said "<4>metis-passthrough: 0000:86:00.0: $1: left alone"
	override '(null)'
}

@test "a card that is what the table says is given to vfio-pci" {
	early
	override vfio-pci
	said '<6>metis-passthrough: 0000:86:00.0: driver_override set to vfio-pci (driver was: none)'
}

@test "a second run does and says nothing" {
	early
	: >"$ROOT/dev/kmsg"
	early
	override vfio-pci
	said ''
}

@test "a line may leave subsystem and serial number open" {
	echo 0xbeef >"$DEVICE/subsystem_vendor"
	table '0000:86:00.0 1f9d:1100 - -'
	early
	override vfio-pci
}

@test "another vendor at the address is left alone" {
	echo 0x8086 >"$DEVICE/vendor"
	early 1
	left_alone 'is 8086:1100, not 1f9d:1100'
}

@test "another device at the address is left alone" {
	echo 0x1533 >"$DEVICE/device"
	early 1
	left_alone 'is 1f9d:1533, not 1f9d:1100'
}

@test "another subsystem at the address is left alone" {
	echo 0x0002 >"$DEVICE/subsystem_device"
	early 1
	left_alone 'is of subsystem 1f9d:0002, not 1f9d:0001'
}

@test "a card with another serial number is left alone" {
	table '0000:86:00.0 1f9d:1100 1f9d:0001 0x0123456789abcdee'
	early 1
	left_alone 'has serial number 0x123456789abcdef, not 0x123456789abcdee'
}

@test "a card whose serial number cannot be read is left alone" {
	local bytes
	for bytes in 0 64 256 259 320 331; do
		: >"$ROOT/dev/kmsg"
		config | head -c "$bytes" >"$DEVICE/config"
		early 1
		left_alone 'has serial number 0x0, not 0x123456789abcdef'
	done
	rm "$DEVICE/config"
	: >"$ROOT/dev/kmsg"
	early 1
	left_alone 'has serial number 0x0, not 0x123456789abcdef'
}

@test "capabilities that loop, point below 0x100 or are all ones come to an end" {
	local header
	for header in 10010001 14010001 00410001 fff10001 ffffffff 10210001; do
		: >"$ROOT/dev/kmsg"
		{
			head -c 256 /dev/zero
			words "$header"
			head -c 60 /dev/zero
			words 10010001
			head -c 3772 /dev/zero
		} >"$DEVICE/config"
		early 1
		left_alone 'has serial number 0x0, not 0x123456789abcdef'
	done
}

@test "an attribute that is missing or makes no sense is no match" {
	local name value
	for name in vendor device subsystem_vendor subsystem_device; do
		for value in '' 1f9d 0x 0x1f9d0 '0x1f9d 0x1f9d' 0x1F9D garbage missing; do
			rm -rf "$DEVICE"
			device 0000:86:00.0
			config >"$DEVICE/config"
			: >"$ROOT/dev/kmsg"
			printf '%s\n' "$value" >"$DEVICE/$name"
			[ "$value" != missing ] || rm "$DEVICE/$name"
			early 1
			override '(null)'
			case $name in
			sub*) left_alone 'its subsystem could not be read' ;;
			*) left_alone 'its id could not be read' ;;
			esac
		done
	done
}

@test "a card that has a driver is left to it" {
	mkdir -p "$ROOT/sys/bus/pci/drivers/metis"
	ln -s ../../drivers/metis "$DEVICE/driver"
	early 1
	left_alone 'has the driver metis already'
}

@test "a card that vfio-pci has gets its override and keeps its driver" {
	mkdir -p "$ROOT/sys/bus/pci/drivers/vfio-pci"
	: >"$ROOT/sys/bus/pci/drivers_probe"
	ln -s ../../drivers/vfio-pci "$DEVICE/driver"
	early
	override vfio-pci
	assert_equal "$(cat "$ROOT/sys/bus/pci/drivers_probe")" ''
}

@test "somebody else's override stays" {
	echo nvme >"$DEVICE/driver_override"
	early 1
	override nvme
	said '<4>metis-passthrough: 0000:86:00.0: driver_override is nvme already: left alone'
}

@test "where vfio-pci is there already it is offered the card" {
	mkdir -p "$ROOT/sys/bus/pci/drivers/vfio-pci"
	: >"$ROOT/sys/bus/pci/drivers_probe"
	early
	assert_equal "$(cat "$ROOT/sys/bus/pci/drivers_probe")" 0000:86:00.0
	run cat "$ROOT/dev/kmsg"
	assert_line '<4>metis-passthrough: 0000:86:00.0: vfio-pci was asked to take it and did not'
}

@test "a card that is not there is said" {
	rm -r "$DEVICE"
	early 1
	said '<4>metis-passthrough: 0000:86:00.0: no such device: left alone'
}

@test "with an address only that card is touched" {
	device 0000:87:00.0
	table '0000:86:00.0 1f9d:1100 1f9d:0001 0x0123456789abcdef' '0000:87:00.0 1f9d:1100 1f9d:0001 -'
	early 0000:87:00.0
	override '(null)'
	override vfio-pci 0000:87:00.0
	early
	override vfio-pci
}

@test "an address that the table does not have is nothing to do" {
	early 0000:01:00.0
	override '(null)'
	said ''
}

@test "lines that make no sense are left out, the others count" {
	local line
	for line in garbage '0000:86:00.0' '0000:86:00.0 1f9d:1100' '0000:86:00.0 1f9d:1100 1f9d:0001' \
		'../../../../etc 1f9d:1100 - -' '0000:86:00.0 1F9D:1100 - -' '0000:86:20.0 1f9d:1100 - -' \
		'0000:86:00.8 1f9d:1100 - -' '86:00.0 1f9d:1100 - -' '0000:86:00.0 1f9d:1100 - 123' \
		'0000:86:00.0 1f9d:1100 - 0x' '0000:86:00.0 1f9d:1100 - 0x0' '0000:86:00.0 1f9d:1100 - 0x00123456789abcdef' \
		'0000:86:00.0 1f9d:1100 - - more' '000000000:86:00.0 1f9d:1100 - -'; do
		: >"$ROOT/dev/kmsg"
		echo '(null)' >"$DEVICE/driver_override"
		table "$line"
		early 1
		override '(null)'
		said '<3>metis-passthrough: /etc/metis-passthrough/early-bind.conf:3: not understood: left out'
	done
	device 0000:87:00.0
	table garbage '0000:87:00.0 1f9d:1100 - -'
	early 1
	override vfio-pci 0000:87:00.0
}

@test "a table that is missing, binary, too large or no file is said" {
	local table=$ROOT/etc/metis-passthrough/early-bind.conf message
	message='<3>metis-passthrough: /etc/metis-passthrough/early-bind.conf: cannot read it: no card is bound by address'
	rm "$table"
	early 1
	said "$message"
	: >"$ROOT/dev/kmsg"
	printf '0000:86:00.0 1f9d:1100 - -\n\0\n' >"$table"
	early 1
	said "$message"
	: >"$ROOT/dev/kmsg"
	yes '# a comment' | head -c 70000 >"$table"
	early 1
	said "$message"
	: >"$ROOT/dev/kmsg"
	rm "$table"
	mkfifo "$table"
	early 1
	said "$message"
}

@test "the kernel parameter metis_passthrough=off switches it off, and no other" {
	printf 'quiet metis_passthrough=off ro\n' >"$ROOT/proc/cmdline"
	early
	override '(null)'
	said '<4>metis-passthrough: metis_passthrough=off on the kernel command line: no card is bound'
	printf 'x.metis_passthrough=off metis_passthrough=offline\n' >"$ROOT/proc/cmdline"
	early
	override vfio-pci
}

@test "without a kernel log it speaks on standard error" {
	rm "$ROOT/dev/kmsg"
	run timeout 20 "${METIS%/*}/early-bind" --root "$ROOT"
	assert_success
	assert_output 'metis-passthrough: 0000:86:00.0: driver_override set to vfio-pci (driver was: none)'
}

@test "what is no address or no directory is a usage error" {
	early 2 ../../x
	early 2 86:00.0
	early 2 0000:86:00.0 0000:87:00.0
	run "${METIS%/*}/early-bind" --root "$ROOT/nowhere"
	assert_equal "$status" 2
	override '(null)'
}

@test "it needs the C library only" {
	run objdump -p "${METIS%/*}/early-bind"
	assert_success
	refute_output --partial 'libglib'
	# Sanitizers bring libraries of their own.
	grep -q asan <<<"$output" && skip "built with a sanitizer"
	assert_equal "$(grep -c NEEDED <<<"$output")" 1
	assert_output --partial 'libc.so'
}
