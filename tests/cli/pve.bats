#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# setup of a VM, a resource mapping and the hookscript, on a captured Proxmox VE node made a system of files, with
# stand-ins for qm and pvesh; and the way back.
load helpers
load system

setup() {
	need_system
	TREE=$(system forum-node)
	CONF=$TREE/etc/pve/nodes/node1/qemu-server/101.conf
	CFG=$TREE/etc/pve/mapping/pci.cfg
	# Canonical, as Proxmox VE writes it: then it comes back byte by byte.
	printf 'balloon: 2048\nmachine: q35\nmemory: 8192\nname: vm101\n' >"$CONF"
	# The hookscript calls the program: it must be where the plan says that it is.
	run --separate-stderr "$METIS" plan --sysroot "$TREE" -d 86:00.0 --vm 101 --hook
	program=$(grep -oE 'runs /[^ ,]*/metis-passthrough' <<<"$output" | sed 's/runs //' | head -n 1)
	mkdir -p "$TREE${program%/*}"
	install -m 0755 "$METIS" "$TREE$program"
}

# with ARG...: setup of the card with these words.
with() {
	metis setup --yes --sysroot "$TREE" -d 86:00.0 "$@"
}

# value KEY: what VM 101 has in its current section.
value() {
	sed -n -e '/^\[/q' -e "s/^$1: //p" "$CONF"
}

@test "a VM gets its card, and loses it with the roll back" {
	before=$(cat "$CONF")
	with --vm 101
	assert_equal "$(value hostpci0)" 0000:86:00.0,pcie=1
	assert_equal "$(value balloon)" 0
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101
	assert_output --partial "nothing to do"
	metis status --sysroot "$TREE"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "$before"
}

@test "all of it at once: mapping, VM and hookscript, undone in the right order" {
	before=$(cat "$CONF")
	with --vm 101 --mapping Metis --hook
	assert_equal "$(value hostpci0)" mapping=Metis,pcie=1
	assert_equal "$(value hookscript)" local:snippets/metis-passthrough
	assert_file_contains "$CFG" "^Metis$"
	assert_file_contains "$CFG" "path=0000:86:00.0,subsystem-id=1f9d:0001$"
	assert_file_executable "$TREE/var/lib/vz/snippets/metis-passthrough"
	# The card was pinned by the same setup.
	metis hook 101 pre-start --sysroot "$TREE"
	[ -z "$stderr" ] || fail "$stderr"
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101 --mapping Metis --hook
	assert_output --partial "nothing to do"
	metis status --sysroot "$TREE"
	# A VM whose hookscript is gone does not start: the option goes first.
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "$before"
	assert_not_exists "$TREE/var/lib/vz/snippets/metis-passthrough"
	run cat "$CFG"
	assert_output ""
}

@test "the order on the way back: VM, mapping, then the file" {
	with --vm 101 --mapping Metis --hook
	calls "$TREE" >/dev/null
	# qm refuses a hookscript that is not there, but not one that goes: look when qm is called.
	# shellcheck disable=SC2016
	echo 'ls /var/lib/vz/snippets >/sim/snippets; cp /etc/pve/mapping/pci.cfg /sim/cfg' >"$TREE/sim/qm.before"
	metis rollback --yes --sysroot "$TREE"
	assert_file_contains "$TREE/sim/snippets" metis-passthrough
	assert_file_contains "$TREE/sim/cfg" Metis
	run grep -E '^(qm set|pvesh (set|delete))' "$TREE/sim/log"
	assert_line --index 0 --partial "qm set 101 --digest"
	assert_line --index 1 "pvesh delete /cluster/mapping/pci/Metis"
}

@test "the hookscript does not go while another VM needs it" {
	printf 'balloon: 0\nmachine: q35\nmemory: 512\nname: vm102\n' >"${CONF%/*}/102.conf"
	with --vm 101 --hook
	chroot "$TREE" qm set 102 --hookscript local:snippets/metis-passthrough >/dev/null
	metis 1 rollback --yes --sysroot "$TREE"
	[[ $stderr == *"VM 102 has the hookscript local:snippets/metis-passthrough too"* ]] || fail "$stderr"
	assert_file_executable "$TREE/var/lib/vz/snippets/metis-passthrough"
	chroot "$TREE" qm set 102 --delete hookscript >/dev/null
	metis rollback --yes --sysroot "$TREE"
	assert_not_exists "$TREE/var/lib/vz/snippets/metis-passthrough"
}

@test "somebody is faster than qm: all is undone, theirs is kept" {
	# shellcheck disable=SC2016
	echo 'echo "cores: 8" >>/etc/pve/nodes/node1/qemu-server/101.conf' >"$TREE/sim/qm.before"
	metis 4 setup --yes --sysroot "$TREE" -d 86:00.0 --vm 101
	[[ $stderr == *"its configuration was changed meanwhile"* ]] || fail "$stderr"
	assert_file_contains "$CONF" "^cores: 8$"
	assert_not_exists "$TREE/etc/metis-passthrough/config.yaml"
	# Then it works.
	with --vm 101
	assert_equal "$(value balloon)" 0
}

@test "qm says no after it was done: nothing of it stays" {
	before=$(cat "$CONF")
	echo "unable to write" >"$TREE/sim/qm.fail-after"
	# The undo is a call of qm, too: it fails in the same way, though it is done.
	run --separate-stderr "$METIS" setup --yes --sysroot "$TREE" -d 86:00.0 --vm 101
	[ "$status" -eq 5 ] || [ "$status" -eq 4 ] || fail "exit $status: $stderr"
	[[ $stderr == *"unable to write"* ]]
	rm "$TREE/sim/qm.fail-after"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "$before"
}

@test "a locked VM is not changed, nor its change undone" {
	echo "lock: backup" >>"$CONF"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --vm 101
	assert_output --partial "locked (backup)"
	sed -i /^lock/d "$CONF"
	with --vm 101
	echo "lock: backup" >>"$CONF"
	before=$(cat "$CONF")
	metis 3 rollback --yes --sysroot "$TREE"
	[[ $stderr == *"locked (backup)"* ]]
	assert_equal "$(cat "$CONF")" "$before"
	assert_exists "$TREE/etc/metis-passthrough/config.yaml"
}

@test "a running VM: the change waits, and so does its undoing" {
	mkdir -p "$TREE/run/qemu-server" "$TREE/proc/77"
	echo 77 >"$TREE/run/qemu-server/101.pid"
	printf 'kvm\0-id\000101\0-name\0x\0' >"$TREE/proc/77/cmdline"
	before=$(cat "$CONF")
	with --vm 101 --mapping Metis
	assert_output --partial "pending"
	run sed -n '/^\[PENDING\]/,$p' "$CONF"
	assert_line "hostpci0: mapping=Metis,pcie=1"
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101 --mapping Metis
	assert_output --partial "nothing to do"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "$before"
}

# theirs [FILE]: VM 101 has a hookscript, which tells its words.
theirs() {
	local file=$TREE/var/lib/vz/snippets/theirs
	mkdir -p "${file%/*}"
	printf '#!/bin/sh\necho "theirs $*"\nexit "$(cat /sim/theirs 2>/dev/null || echo 0)"\n' >"$file"
	chmod 0755 "$file"
	chroot "$TREE" qm set 101 --hookscript local:snippets/theirs >/dev/null
}

@test "a hookscript that the VM has goes on being run by ours, and is back after the roll back" {
	theirs
	before=$(fingerprint "$TREE" etc var/lib/vz)
	note=$TREE/etc/metis-passthrough/hookscripts/101
	with --vm 101
	assert_equal "$(value hookscript)" local:snippets/theirs
	metis rollback --yes --sysroot "$TREE"
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101 --hook
	assert_output --partial "local:snippets/theirs goes on being run"
	with --vm 101 --hook
	assert_equal "$(value hookscript)" local:snippets/metis-passthrough
	run grep -v '^#' "$note"
	assert_output /var/lib/vz/snippets/theirs
	assert_file_contains "$note" "local:snippets/theirs"
	# As Proxmox VE runs it; the program itself cannot be run in the tree, where its libraries are not.
	printf '#!/bin/sh\necho "ours $*"\n' >"$TREE$program"
	run chroot "$TREE" /var/lib/vz/snippets/metis-passthrough 101 pre-start
	assert_success
	assert_output $'theirs 101 pre-start\nours hook 101 pre-start'
	echo 9 >"$TREE/sim/theirs"
	run chroot "$TREE" /var/lib/vz/snippets/metis-passthrough 101 pre-start
	assert_failure
	assert_output --partial "VM 101 is not started: its earlier hookscript /var/lib/vz/snippets/theirs failed (exit code 9)"
	metis vm check 101 --sysroot "$TREE" --verbose
	assert_output --partial "the earlier one that it calls"
	metis status --sysroot "$TREE"
	# Again: the note stays.
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101 --hook
	assert_output --partial "nothing to do"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(value hookscript)" local:snippets/theirs
	assert_same "$before" "$(fingerprint "$TREE" etc var/lib/vz)"
}

@test "on the way back the VM has its own hookscript again before ours and the note go" {
	theirs
	with --vm 101 --hook
	# shellcheck disable=SC2016
	echo 'ls /var/lib/vz/snippets /etc/metis-passthrough/hookscripts >/sim/there' >"$TREE/sim/qm.before"
	metis rollback --yes --sysroot "$TREE"
	assert_file_contains "$TREE/sim/there" "^metis-passthrough$"
	assert_file_contains "$TREE/sim/there" "^101$"
}

@test "what our hookscript calls is looked at: gone, changed, nonsense" {
	theirs
	with --vm 101 --hook
	rm "$TREE/var/lib/vz/snippets/theirs"
	metis 1 vm check 101 --sysroot "$TREE"
	assert_output --partial "VM 101 cannot start: the earlier hookscript /var/lib/vz/snippets/theirs does not exist"
	metis status --sysroot "$TREE"
	echo /else >>"$TREE/etc/metis-passthrough/hookscripts/101"
	metis 1 status --sysroot "$TREE"
	assert_output --partial /etc/metis-passthrough/hookscripts/101
	metis 1 vm check 101 --sysroot "$TREE"
	assert_output --partial "it names more than one script"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --vm 101 --hook
	assert_output --partial "does not tell which hookscript ours is to call"
	metis 1 rollback --yes --sysroot "$TREE"
	[[ $output$stderr == *"+/else"* ]] || fail "$output$stderr"
}

@test "a hookscript that is not there cannot be called: refused" {
	theirs
	rm "$TREE/var/lib/vz/snippets/theirs"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --vm 101 --hook
	assert_output --partial "its hookscript local:snippets/theirs cannot be called by ours: there is no such file"
}

@test "a note of an earlier VM with the number does not stay, and comes back" {
	mkdir -p "$TREE/etc/metis-passthrough/hookscripts"
	echo /somewhere >"$TREE/etc/metis-passthrough/hookscripts/101"
	with --vm 101 --hook
	assert_not_exists "$TREE/etc/metis-passthrough/hookscripts/101"
	metis rollback --yes --sysroot "$TREE"
	assert_file_contains "$TREE/etc/metis-passthrough/hookscripts/101" /somewhere
}

@test "what somebody changed since is not undone, and shown" {
	with --vm 101
	chroot "$TREE" qm set 101 --balloon 512 >/dev/null
	before=$(cat "$CONF")
	metis 1 status --sysroot "$TREE"
	metis 1 rollback --yes --sysroot "$TREE"
	[[ $output$stderr == *"+balloon: 512"* ]] || fail "$output$stderr"
	assert_equal "$(cat "$CONF")" "$before"
	# Another option than ours is not in the way.
	chroot "$TREE" qm set 101 --balloon 0 --cores 3 >/dev/null
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(value cores)" 3
	assert_equal "$(value balloon)" 2048
}

@test "a mapping with another node's card: its entry stays as it is, forth and back" {
	mkdir -p "${CFG%/*}"
	printf 'Metis\n\tmap id=1f9d:1100,iommugroup=17,node=pve2,path=0000:03:00.0,subsystem-id=1f9d:0001\n\tdescription AI\n\n' >"$CFG"
	before=$(cat "$CFG")
	with --mapping Metis
	run cat "$CFG"
	assert_line --index 1 --partial "node=pve2,path=0000:03:00.0"
	assert_line --index 2 --partial "iommugroup=22,node=node1,path=0000:86:00.0"
	metis status --sysroot "$TREE"
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CFG")" "$before"
}

@test "values come back where Proxmox VE rewrites the file" {
	cat >"$CONF" <<-'END'
		name: x
		memory: 8192
		# a note
		memroy: 1
		balloon: 2048
		machine: pc-i440fx-9.2
	END
	metis plan --sysroot "$TREE" -d 86:00.0 --vm 101
	assert_output --partial "deletes it for good"
	with --vm 101
	assert_equal "$(value machine)" pc-q35-9.2
	metis rollback --yes --sysroot "$TREE"
	assert_equal "$(cat "$CONF")" "# a note
balloon: 2048
machine: pc-i440fx-9.2
memory: 8192
name: x"
}

@test "no cluster file system, no quorum" {
	mkdir -p "$TREE/sim"
	echo '{"nodename": "node1", "cluster": {"quorate": 0}}' >"$TREE/etc/pve/.members"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --vm 101
	assert_output --partial "no quorum"
	rm -r "$TREE/etc/pve"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --vm 101
	assert_output --partial "no Proxmox VE host"
	mkdir "$TREE/etc/pve"
	sed -i '/ \/etc\/pve /d' "$TREE/proc/self/mountinfo"
	metis 1 plan --sysroot "$TREE" -d 86:00.0 --mapping Metis
	assert_output --partial "not mounted"
}
