#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What is said about QEMU, asked of a real QEMU: the generated script, and where guests have RAM. No guest runs: -S.
load helpers

setup() {
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64 (Debian package qemu-system-x86)"
}

# monitor COMMAND...: what the monitor of QEMU, run as the words in QEMU_RUN, answers; it ends by itself.
monitor() {
	{
		printf '%s\n' "$@"
		echo quit
	} | timeout 60 "${QEMU_RUN[@]}" -S -display none -serial none -parallel none -monitor stdio 2>&1 | tr -d '\r'
}

# The RAM of a machine by QEMU's flat view of its memory: "0x0-0xbfffffff, ...". The holes for VGA and ROM below 1 MiB
# are closed, and neighbours joined.
ram_of() {
	local start end first='' last=0 text=''
	QEMU_RUN=(qemu-system-x86_64 -nodefaults -accel tcg "$@")
	while IFS=- read -r start end; do
		start=$((16#$start)) end=$((16#$end))
		[ "$end" -ne $((16#bffff)) ] || continue
		[ "$start" -ne $((16#100000)) ] || start=0
		if [ -n "$first" ] && [ "$start" -eq $((last + 1)) ]; then
			last=$end
			continue
		fi
		[ -z "$first" ] || printf -v text '%s0x%x-0x%x, ' "$text" "$first" "$last"
		first=$start last=$end
	done < <(monitor 'info mtree -f' | awk '
		/^FlatView/ { on = 0 }
		/Root memory region: system$/ { on = 1 }
		on && / ram\): / && !/bios|rom/ { print $1 }' | sort -u)
	printf '%s0x%x-0x%x\n' "$text" "$first" "$last"
}

# said_of LINE...: what the program says of a VM with these lines.
said_of() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/vm.conf"
	"$METIS" preflight --sysroot "${HOST:-$(host set-up)}" --vm "$BATS_TEST_TMPDIR/vm.conf" --check vm-memory --format json |
		jq -r '.findings[0].evidence[].value | capture("has RAM at (?<map>[^;]*);").map'
}

@test "guests have RAM where the program says, on both machines" {
	local size machine said
	for size in 512 2048 2815 2816 3072 3583 3584 4096 8192; do
		for machine in q35 pc; do
			said=$(said_of "machine: $machine" "memory: $size")
			[ -n "$said" ]
			assert_equal "$machine $size: $said" "$machine $size: $(ram_of -machine "$machine" -m "$size")"
		done
	done
}

@test "RAM that is plugged in lies where the program says, also above 1 TiB on AMD" {
	local dimms=() said i
	for i in 0 1 2; do
		dimms+=(-object "memory-backend-ram,id=m$i,size=512M" -device "pc-dimm,id=d$i,memdev=m$i")
	done
	local -a lines=('machine: q35' 'memory: 2560' 'numa: 1' 'hotplug: memory' 'cpu: host,phys-bits=48')
	said=$(HOST=$(host amd-node) said_of "${lines[@]}")
	assert_equal "$said" "0x0-0x3fffffff, 0x10000000000-0x1005fffffff"
	assert_equal "$said" "$(ram_of -machine q35 -cpu EPYC,phys-bits=48 -m size=1024,slots=255,maxmem=4194304M "${dimms[@]}")"
	said=$(said_of "${lines[@]}")
	assert_equal "$said" "$(ram_of -machine q35 -cpu Skylake-Server,phys-bits=48 -m size=1024,slots=255,maxmem=4194304M "${dimms[@]}")"
}

@test "QEMU runs the generated script, with another device where the card would be" {
	"$METIS" vm generate --to qemu --sysroot "$(host forum-node)" --device 86:00.0 >"$BATS_TEST_TMPDIR/vm.sh"
	cat >"$BATS_TEST_TMPDIR/qemu" <<-'END'
		#!/bin/bash
		# No KVM and no card here; the rest is as it was generated.
		args=()
		for word; do
			case $word in
			kvm) word=tcg ;;
			host | host,*) word=max${word#host} ;;
			vfio-pci,*) word=virtio-rng-pci,${word#*,host=*,} ;;
			esac
			args+=("$word")
		done
		exec qemu-system-x86_64 "${args[@]}"
	END
	chmod +x "$BATS_TEST_TMPDIR/qemu"
	export QEMU=$BATS_TEST_TMPDIR/qemu
	QEMU_RUN=(sh "$BATS_TEST_TMPDIR/vm.sh" -nodefaults)
	run monitor 'info qtree' 'info status'
	assert_output --partial 'dev: virtio-rng-pci, id "card0"'
	assert_output --partial 'bus: port0'
	assert_output --partial 'chassis = 101'
	assert_output --partial 'paused'
	refute_output --partial 'dev: virtio-balloon'
	run monitor 'info memory_size_summary'
	assert_output --partial "base memory: 8589934592"
}

@test "each property of the generated vfio-pci is one that QEMU knows" {
	local property known
	known=$(qemu-system-x86_64 -device vfio-pci,help)
	"$METIS" vm generate --to qemu --sysroot "$(host metis-quad)" --device 88:00.0 --format json >"$BATS_TEST_TMPDIR/out"
	jq -r '.arguments[].words[] | select(startswith("vfio-pci,"))' "$BATS_TEST_TMPDIR/out" | tr , '\n' |
		sed -n 's/=.*//p' | sort -u >"$BATS_TEST_TMPDIR/properties"
	[ -s "$BATS_TEST_TMPDIR/properties" ]
	while IFS= read -r property; do
		case $property in id | bus) continue ;; esac
		grep -qE "^ *$property=" <<<"$known" || fail "vfio-pci has no property '$property'"
	done <"$BATS_TEST_TMPDIR/properties"
	# As it is, QEMU gets as far as the card, which is not here.
	"$METIS" vm generate --to qemu --sysroot "$(host forum-node)" --device 86:00.0 |
		sed 's/-accel kvm/-accel tcg/; s/-cpu host/-cpu max/; s/0000:86:00.0/ffff:86:00.0/' >"$BATS_TEST_TMPDIR/vm.sh"
	run timeout 60 sh "$BATS_TEST_TMPDIR/vm.sh" -S -nodefaults -display none
	assert_failure
	assert_output --regexp 'vfio [^ ]*ffff:86:00.0: no such host device'
}
