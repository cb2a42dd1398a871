#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vm check and vm apply, on captured Proxmox VE nodes; the latter with stand-ins for qm and pvesh.
load helpers
load system

# A configuration file with the lines of standard input.
conf() {
	cat >"$BATS_TEST_TMPDIR/file.conf"
	printf '%s\n' "$BATS_TEST_TMPDIR/file.conf"
}

@test "vm check says what preflight says of the VM, and nothing of the host" {
	local of_vm
	metis 1 preflight --sysroot "$(host vm-troubles)" --vm 203 --format json
	of_vm=$(jq -c '[.findings[] | select(.id | startswith("vm-"))]' <<<"$output")
	metis 1 vm check 203 --sysroot "$(host vm-troubles)" --format json
	assert_schema preflight
	assert_equal "$(jq -c .findings <<<"$output")" "$of_vm"
	[ "$(jq length <<<"$of_vm")" -gt 8 ]
}

@test "vm check: exit codes, and the answer in the first line" {
	metis vm check 101 --sysroot "$(host set-up)"
	assert_line --index 0 --partial "READY: nothing in its configuration keeps VM 101 from its card"
	metis 1 vm check 203 --sysroot "$(host vm-troubles)"
	assert_line --index 0 --partial "NOT READY:"
	metis 3 vm check 999 --sysroot "$(host set-up)"
	[[ $stderr == *"there is no such VM on node"* ]] || fail "$stderr"
	metis 3 vm check /nonexistent/1.conf --sysroot "$(host set-up)"
	metis 1 vm check 203 --sysroot "$(host vm-troubles)" --format junit
	assert_output --partial "<failure"
}

@test "vm check: a VM without a card is not asked for the host's cards" {
	file=$(conf <<<'memory: 2048')
	metis vm check "$file" --sysroot "$(host set-up)"
	assert_line --index 0 --partial "it is given no card"
	metis 1 vm check "$file" --sysroot "$(host set-up)" --device 86:00.0
	assert_output --partial "does not get 0000:86:00.0"
}

@test "vm check: the card that the configuration wants for this VM has to be in it" {
	printf 'machine: q35\nmemory: 2048\n' >"$BATS_TEST_TMPDIR/101.conf"
	mkdir -p "$BATS_TEST_TMPDIR/tree"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host set-up)" "$BATS_TEST_TMPDIR/tree"
	assert_file_contains "$BATS_TEST_TMPDIR/tree/etc/metis-passthrough/config.yaml" '^vm: 101'
	cp "$BATS_TEST_TMPDIR/101.conf" "$BATS_TEST_TMPDIR/tree/etc/pve/nodes/node1/qemu-server/101.conf"
	metis 1 vm check 101 --sysroot "$BATS_TEST_TMPDIR/tree"
	assert_output --partial "VM 101 does not get 0000:86:00.0"
}

@test "vm check: what waits as pending counts, and what is wrong in it is told" {
	file=$(conf <<-'END'
		memory: 2048
		balloon: 0
		agent: 1

		[PENDING]
		machine: q35
		hostpci0: 0000:86:00.0,pcie=1
	END
	)
	metis vm check "$file" --sysroot "$(host set-up)" --device 86:00.0 --format json
	assert_json '.findings[] | select(.id == "vm-hostpci") | .severity' pass
	assert_json '.findings[] | select(.id == "vm-machine") | .severity' pass
	file=$(conf <<-'END'
		machine: q35

		[PENDING]
		hostpci0: 0000:8A:00.0,pcie=1
	END
	)
	metis 1 vm check "$file" --sysroot "$(host set-up)"
	assert_output --partial "drops line 4"
}

@test "vm check: the rules of Proxmox VE 8 and 9 differ" {
	file=$(conf <<<'hostpci0: 0000:86:00.0,pcie=1,driver=keep')
	metis 1 vm check "$file" --sysroot "$(host set-up)" --format json
	assert_json '[.findings[] | select(.id == "vm-config-valid") | .severity][0]' pass
	tree=$BATS_TEST_TMPDIR/tree
	mkdir "$tree"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host set-up)" "$tree"
	grep -rl 'qemu-server 9' "$tree" --include=packages | xargs -r sed -i 's/^qemu-server 9.*/qemu-server 8.4.10/'
	sed -i '/^Package: qemu-server$/,/^$/s/^Version: .*/Version: 8.4.10/' "$tree/var/lib/dpkg/status" 2>/dev/null || true
	metis 1 vm check "$file" --sysroot "$tree" --format json
	assert_json '[.findings[] | select(.id == "vm-config-valid") | .summary | contains("it needs qemu-server 9.0.25, here is 8.4.10")][0]' true
}

@test "vm: words that do not fit" {
	metis 2 vm
	assert_usage_error
	metis 2 vm chekc 101
	assert_usage_error
	[[ $stderr == *"did you mean 'check'?"* ]] || fail "$stderr"
	metis 2 vm check
	assert_usage_error
	[[ $stderr == *"VMID or FILE"* ]] || fail "$stderr"
	metis 2 vm check 101 --yes
	assert_usage_error
	[[ $stderr == *"--yes does not belong to 'vm check'"* ]] || fail "$stderr"
	metis 2 vm apply 101 --strict
	assert_usage_error
	metis 2 vm apply 12x --yes
	assert_usage_error
	metis 2 vm apply 101 --yes --format junit
	assert_usage_error
}

@test "vm apply gives the VM its card and nothing else, and rollback takes it away" {
	need_system
	TREE=$(system forum-node)
	CONF=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	printf 'balloon: 2048\nmachine: q35\nmemory: 8192\nname: vm101\n' >"$CONF"
	before=$(cat "$CONF")
	metis vm apply 101 --yes --sysroot "$TREE" -d 86:00.0
	assert_output --partial "hostpci0"
	assert_file_contains "$CONF" '^hostpci0: 0000:86:00.0,pcie=1$'
	assert_file_contains "$CONF" '^balloon: 0$'
	assert_file_contains "$CONF" '^memory: 8192$'
	assert_not_exists "$TREE/etc/metis-passthrough/config.yaml"
	assert_not_exists "$TREE/etc/modprobe.d/metis-passthrough.conf"
	run grep -E '^(update-|systemctl|proxmox)' "$TREE/sim/log"
	assert_output ""
	run grep -c '^qm set 101 --digest [0-9a-f]\{40\} ' "$TREE/sim/log"
	assert_output 1
	metis vm apply 101 --yes --sysroot "$TREE" -d 86:00.0
	assert_output --partial "nothing to do"
	metis status --sysroot "$TREE"
	metis history --sysroot "$TREE"
	assert_output --partial "vm apply"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "$before"
}

@test "vm apply refuses what setup refuses" {
	need_system
	TREE=$(system boot-nvme-in-group)
	metis 1 vm apply 101 --yes --sysroot "$TREE" -d "$(sed -n 's/.*--device \([^ ]*\).*/\1/p' "$TOP_SRCDIR/tests/hosts/boot-nvme-in-group.args" | head -n 1)"
	assert_line --index 0 --partial "cannot plan:"
	assert_equal "$(grep -c '^qm set' "$TREE/sim/log")" 0
	TREE=$(system forum-node)
	metis 1 vm apply 555 --yes --sysroot "$TREE" -d 86:00.0
	assert_output --partial "no such VM"
}
