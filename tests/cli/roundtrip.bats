#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# On every captured host: setup and rollback leave every file as it was, byte for byte.
load helpers
load system

setup() {
	need_system
}

all_hosts() {
	local file
	for file in "$TOP_SRCDIR"/tests/hosts/*.snap; do
		file=${file##*/}
		printf '%s\n' "${file%.snap}"
	done
}

# look_at TREE: all that shall be as it was. Of VMs and mappings the values: qm and pvesh write their files anew, without
# the lines that make no sense to them. The report of status is about what was before: each change takes it away.
look_at() {
	local file
	fingerprint "$1" | grep -vE '^(etc/pve/(nodes/[^/]*/qemu-server|qemu-server|mapping)/[^/]*(\.conf|\.cfg)|run/metis-passthrough/status\.json) '
	mv "$1/sim/log" "$1/sim/log.kept"
	for file in "$1"/etc/pve/nodes/*/qemu-server/*.conf; do
		[ ! -e "$file" ] || chroot "$1" /usr/sbin/qm config "$(basename "$file" .conf)" 2>/dev/null || true
	done
	mv "$1/sim/log.kept" "$1/sim/log"
	cat "$1"/etc/pve/mapping/*.cfg 2>/dev/null || true
}

# ask TREE ARG...: one question to a host. Prints "forbidden", "nothing" or "done" and the programs that ran.
ask() {
	local tree=$1 before after esp output status=0
	shift
	if [ -e "$tree/etc/kernel/proxmox-boot-uuids" ]; then
		chroot "$tree" /usr/sbin/proxmox-boot-tool refresh >/dev/null
	fi
	calls "$tree" >/dev/null
	before=$(look_at "$tree")
	esp=$(fingerprint "$tree" sim/esp)
	output=$(timeout 60 "$METIS" setup --yes --sysroot "$tree" "$@" 2>&1) || status=$?
	after=$(look_at "$tree")
	if [ "$status" -eq 1 ] || [ "$status" -eq 3 ]; then
		assert_same "$before" "$after"
		[ -z "$(calls "$tree")" ] || fail "forbidden, and yet programs ran"
		echo "forbidden $* : $(head -n 1 <<<"$output")"
		return
	fi
	# The lab's own host has no images at all: what cannot be proved is undone.
	if [ "$status" -eq 4 ] && [[ $output == *"it could not be read: there is no such file"* ]]; then
		assert_same "$before" "$after"
		calls "$tree" >/dev/null
		echo "undone $*"
		return
	fi
	[ "$status" -eq 0 ] || fail "setup $*: exit $status: $output"
	if [ "$before" = "$after" ]; then
		[[ $output == *"nothing to do"* ]] || fail "no file has changed, and yet: $output"
		[ -z "$(calls "$tree")" ] || fail "nothing to do, and yet programs ran"
		echo "nothing $*"
		return
	fi
	echo "done $* : $(calls "$tree" | paste -sd, -)"
	# Once more: nothing to do.
	output=$(timeout 60 "$METIS" setup --yes --sysroot "$tree" "$@" 2>&1) || fail "again: exit $?: $output"
	[[ $output == *"nothing to do"* ]] || fail "again: $output"
	assert_same "$after" "$(look_at "$tree")"
	[ -z "$(calls "$tree")" ] || fail "nothing to do, and yet programs ran"
	# The way back.
	output=$(timeout 60 "$METIS" rollback --yes --sysroot "$tree" 2>&1) || fail "rollback: exit $?: $output"
	assert_same "$before" "$(look_at "$tree")"
	[ "$esp" = "$(fingerprint "$tree" sim/esp)" ] || fail "the ESPs are not as they were"
	calls "$tree" >/dev/null
}

trip() {
	local tree question
	tree=$(system "$1")
	while IFS= read -r question; do
		# shellcheck disable=SC2086 # words
		ask "$tree" $question
	done < <(questions "$1")
	rm -rf "$tree"
}

@test "setup and rollback leave every captured host as it was" {
	local hosts
	mapfile -t hosts < <(all_hosts)
	[ "${#hosts[@]}" -ge 30 ] || fail "there are only ${#hosts[@]} hosts"
	in_parallel trip "${hosts[@]}"
	cat "$BATS_TEST_TMPDIR"/results/*
	# Enough of them had something to do.
	[ "$(cat "$BATS_TEST_TMPDIR"/results/* | grep -c '^done')" -ge 20 ] || fail "too few were set up"
	grep -q '^done.*: .*update-initramfs' "$BATS_TEST_TMPDIR"/results/* || fail "no host needed new images"
	grep -q '^forbidden' "$BATS_TEST_TMPDIR"/results/* || fail "nothing was forbidden"
}

# A host that has the IOMMU switched off by default, with kernels that do not start it by themselves.
@test "a command line that has to change: update-grub, proxmox-boot-tool" {
	local host program tree
	for host in host-driver:update-grub pbt-systemd-boot:proxmox-boot-tool; do
		program=${host#*:}
		tree=$(without_iommu "${host%:*}")
		run ask "$tree"
		assert_success
		assert_output --regexp "^done.*: (.*,)?$program"
	done
}

# In the captured host it has one; the program has to be where ours calls it.
@test "a VM with a hookscript of its own: ours calls it, and goes again" {
	local tree program
	tree=$(system set-up)
	run "$METIS" plan --sysroot "$tree" --vm 101 --hook
	program=$(grep -oE 'runs /[^ ,]*/metis-passthrough' <<<"$output" | sed 's/runs //' | head -n 1)
	install -D -m 0755 "$METIS" "$tree$program"
	run ask "$tree" --vm 101 --hook
	assert_success
	assert_output --regexp "^done.*: (.*,)?qm set 101 "
}
