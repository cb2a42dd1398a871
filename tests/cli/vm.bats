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
	metis 3 vm check 100 --sysroot "$(host am5-ivmd)"
	[[ $stderr == *"VM 100: there is no such VM on node node2 (1 VM in /etc/pve)"* ]] || fail "$stderr"
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

@test "vm check: each card that is missing is told with a line of its own, that no other has" {
	file=$(conf <<-'END'
		machine: q35
		hostpci1: 0000:18:00.0,pcie=1
		memory: 2048
	END
	)
	metis 1 vm check "$file" --sysroot "$(host set-up)" --device 86:00.0 --device 3b:00.0 --format json
	assert_json '[.findings[] | select(.id == "vm-hostpci") | .remedy, (.evidence[].value | select(test("does not get"))) |
		capture("\"(?<line>hostpci[0-9].*?)\"").line] | sort | join(" / ")' "hostpci0: 0000:86:00.0,pcie=1 / hostpci2: 0000:3b:00.0,pcie=1"
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

@test "vm generate and apply: who takes the card at the next boot forbids nothing, and is told" {
	metis vm generate --to pve --sysroot "$(host host-driver)" --device 86:00.0 --format json
	assert_schema vm
	assert_json '.notes | any(test("setup --device 0000:86:00.0. gives it to vfio-pci"))' true
	metis vm generate --to libvirt --sysroot "$(host host-driver)" --device 86:00.0
	[[ $stderr == *"note: "*"setup --device 0000:86:00.0"* ]] || fail "$stderr"
	metis vm generate --to pve --sysroot "$(host set-up)" --format json
	assert_json '.notes | any(test("vfio-pci"))' false
	need_system
	TREE=$(system host-driver)
	metis vm apply 101 --yes --sysroot "$TREE" -d 86:00.0
	assert_output --partial "as this host is, vfio-pci does not get it for sure"
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
	[[ $stderr == *": VM 12x: not the number of a VM"* ]] || fail "$stderr"
	metis 2 vm check 12x
	[[ $stderr == *": 12x: neither the number of a VM nor"* ]] || fail "$stderr"
	# There is no --output here.
	metis 2 vm apply 100 --device 86:00.0 --sysroot "$(host forum-node)" </dev/null
	[[ $stderr == *"no terminal to ask on: --yes"* && $stderr != *--output* ]] || fail "$stderr"
	metis 2 vm apply 101 --format json --sysroot "$(host set-up)"
	[[ $stderr == *"--format json asks nothing: it needs --yes"* && $stderr != *--output* ]] || fail "$stderr"
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

# generate TARGET ARG...: for the card of forum-node.
generate() {
	metis vm generate --to "$1" --sysroot "${HOST:-$(host forum-node)}" --device 86:00.0 "${@:2}"
}

@test "vm generate: the JSON of each target is what the schema says, and tells no other's" {
	for target in pve qemu libvirt; do
		generate "$target" --format json
		assert_schema vm
		assert_json .target "$target"
		assert_json '.guest_files[0].path' /etc/modprobe.d/metis-passthrough-guest.conf
		assert_json '(.commands | length > 0)' "$([ $target = pve ] && echo true || echo false)"
		assert_json '(.arguments | length > 0)' "$([ $target = qemu ] && echo true || echo false)"
		assert_json '(.xml != null)' "$([ $target = libvirt ] && echo true || echo false)"
	done
}

@test "vm generate --to pve: a new VM, and only what one of the host lacks" {
	generate pve
	assert_line "  qm set VMID --machine q35 --hostpci0 0000:86:00.0,pcie=1 --balloon 0"
	assert_line "  hostpci0: 0000:86:00.0,pcie=1"
	generate pve --vmid 555
	assert_line --partial "qm set 555 --machine q35"
	generate pve --vmid 101
	assert_line --index 0 --partial "VM 101 is as it should be"
	refute_output --partial "qm set"
}

@test "vm generate --to pve: the lines are a configuration that vm check takes" {
	generate pve --format json
	jq -r '.config[] | "\(.key): \(.value)"' <<<"$output" >"$BATS_TEST_TMPDIR/new.conf"
	metis vm check "$BATS_TEST_TMPDIR/new.conf" --sysroot "$(host forum-node)" --device 86:00.0 --format json
	assert_json '[.findings[] | select(.severity == "fail" or .severity == "warn") | .id] | join(" ")' ""
	assert_json '.findings[] | select(.id == "vm-hostpci") | .severity' pass
}

@test "vm generate --to pve: commands do what vm apply does, mapping and all" {
	need_system
	TREE=$(system forum-node)
	CONF=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	printf 'memory: 8192\nname: vm101\n' >"$CONF"
	mkdir -p "$TREE/etc/pve/mapping"
	printf 'Metis\n\tmap id=1f9d:1100,iommugroup=3,node=other,path=0000:01:00.0,subsystem-id=1f9d:0001\n\tmap id=1f9d:1100,iommugroup=99,node=node1,path=0000:86:00.0,subsystem-id=1f9d:0001\n\n' >"$TREE/etc/pve/mapping/pci.cfg"
	HOST=$TREE generate pve --vmid 101 --mapping Metis --format json
	assert_json '.commands | length' 2
	assert_json '.commands[0].words | index("set") != null and index("/cluster/mapping/pci/Metis") != null' true
	jq -r '.commands[].words | @sh' <<<"$output" >"$BATS_TEST_TMPDIR/commands"
	local line
	while IFS= read -r line; do
		eval "chroot \"\$TREE\" $line" >/dev/null
	done <"$BATS_TEST_TMPDIR/commands"
	by_hand=$(cat "$CONF" "$TREE/etc/pve/mapping/pci.cfg")
	[[ $by_hand == *"node=other,path=0000:01:00.0"* ]] || fail "another node's entry is lost: $by_hand"
	[[ $by_hand != *iommugroup=99* ]] || fail "the wrong entry stays: $by_hand"
	HOST=$TREE generate pve --vmid 101 --mapping Metis
	assert_line --index 0 --partial "VM 101 is as it should be"
	metis 0 vm check 101 --sysroot "$TREE"
	metis vm apply 101 --yes --sysroot "$TREE" -d 86:00.0 --mapping Metis
	assert_output --partial "nothing to do"
}

@test "vm generate: what forbids it, forbids it, and does not look like the file" {
	metis 1 vm generate --to qemu --sysroot "$(host boot-nvme-in-group)" --device 88:00.0
	assert_output ""
	[[ $stderr == "cannot plan:"* ]] || fail "$stderr"
	metis 1 vm generate --to qemu --sysroot "$(host boot-nvme-in-group)" --device 88:00.0 --format json
	assert_schema plan
	metis 3 vm generate --to qemu --vmid 555 --sysroot "$(host forum-node)" --device 86:00.0
	[[ $stderr == *"no such VM"* ]] || fail "$stderr"
}

@test "vm generate: module options by driver and firmware" {
	generate qemu --guest-driver 1.4.16 --guest-firmware 1.6.0 --format json
	assert_json '.guest_files[0].content | contains("options metis dma_poll=1")' true
	assert_json '.guest_files[0].why | contains("know nothing of DMA in a VM")' true
	generate qemu --guest-driver 1.6.2 --guest-firmware 1.8.0 --format json
	assert_json '.guest_files | length' 0
	assert_json '[.notes[] | select(contains("needs no option"))] | length' 1
	generate qemu --guest-driver 1.6.2 --format json
	assert_json '.guest_files[0].why | contains("firmware, which was not named")' true
	generate qemu --guest-driver 1.5.7 --guest-firmware 1.6.0 --format json
	assert_json '.guest_files | length' 1
	metis 2 vm generate --to qemu --guest-driver new --sysroot "$(host forum-node)" --device 86:00.0
	assert_usage_error
}

@test "vm generate: words that do not fit" {
	metis 2 vm generate
	assert_usage_error
	[[ $stderr == *"--to pve, qemu or libvirt"* ]] || fail "$stderr"
	metis 2 vm generate --to xen
	assert_usage_error
	metis 2 vm generate 101 --to pve
	assert_usage_error
	metis 2 vm generate --to qemu --mapping Metis
	assert_usage_error
	metis 2 vm generate --to pve --patch x.xml
	assert_usage_error
	[[ $stderr == *"--patch needs --to libvirt"* ]] || fail "$stderr"
	metis 2 vm generate --to pve --format junit
	assert_usage_error
}

@test "vm generate: texts fit 80 columns, but for what is to be copied" {
	local wide
	# ASCII, where a character is a byte for awk.
	export LC_ALL=C
	COLUMNS=80 generate pve
	wide=$(awk 'length > 80' <<<"$output" | grep -v '^  qm set ' || true)
	[ -z "$wide" ] || fail "wider than 80: $wide"
	COLUMNS=200 generate pve
	wide=$(awk 'length > 200' <<<"$output")
	[ -z "$wide" ] || fail "wider than 200: $wide"
	generate qemu
	wide=$(awk 'length > 90' <<<"$output")
	[ -z "$wide" ] || fail "wider than 90: $wide"
}

@test "a VM that is not there: apply says so before it asks, generate tells how to create it" {
	metis 1 vm apply 999 --device 86:00.0 --sysroot "$(host forum-node)" </dev/null
	assert_output --partial "VM 999: there is no such VM on node node1"
	assert_output --partial "create it first (qm create"
	# Nothing to do needs no answer.
	metis vm apply 101 --sysroot "$(host set-up)" </dev/null
	assert_output --partial "nothing to do"
	metis vm generate --to pve --vmid 999 --device 86:00.0 --sysroot "$(host forum-node)"
	assert_output --regexp "COMMANDS \(2\)
  qm create 999 .*
  .*it has to be created first"
	for vm in "" "--vmid 101"; do
		# shellcheck disable=SC2086
		metis vm generate --to pve $vm --device 86:00.0 --sysroot "$(host forum-node)"
		refute_output --partial "qm create"
	done
}
