#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats passes on what the node brought out, and fails when that is
# spoilt in one place.

bats_require_minimum_version 1.8.0
load ../helpers
load ../spoil

setup() {
	spoil_setup
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'the node boots'
	assert_failure
	assert_output --partial 'last words'
}

# swap FILE WORD OTHER: changes one word in a file that is not JSON.
swap() {
	run ! grep -q -- "$3" "$SPOILT/$1"
	sed -i "s/$2/$3/" "$SPOILT/$1"
	grep -q -- "$3" "$SPOILT/$1"
}

@test "judge: a command killed by a signal, or not run, is seen" {
	caught 'the node boots' write 1/setup.rc 139
	caught 'the node boots' rm "$SPOILT/3/after.rc"
}

@test "judge: a unit that failed is seen" {
	caught 'the node boots' write 2/failed.out 'metis-passthrough-status.service loaded failed failed'
	caught 'the node boots' write 2/running.out degraded
}

@test "judge: a card that was not the host's is seen" {
	caught 'before the set-up' sed -i 's/^\(0000:01:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/1/cards.out"
	caught 'before the set-up' truncate -s 0 "$SPOILT/1/cards.out"
}

@test "judge: a plan that takes the twin, or binds by id, is seen" {
	caught 'plan binds' edit 1/plan-json.out '(.taken[] | select(.address == "0000:01:00.0") | .address) = "0000:02:00.0"'
	caught 'plan binds' edit 1/plan-json.out '.binding = "ids"'
	caught 'plan binds' truncate -s 0 "$SPOILT/1/plan.out"
}

@test "judge: a setup beside another's work is seen" {
	caught 'that is killed' write 1/busy.rc 0
	caught 'that is killed' write 1/killed.rc 0
	caught 'that is killed' write 1/setup.rc 4
}

@test "judge: a file too many, or too few, is seen" {
	caught 'changes what it has to' sed -i '/config.yaml/d' "$SPOILT/1/after.out"
	caught 'changes what it has to' sed -i 's|^/etc/hosts f 644 |/etc/hosts f 600 |' "$SPOILT/1/after.out"
}

@test "judge: an image that binds the twin, or nobody, is seen" {
	caught 'the image binds' cp "$SPOILT/1/image.out" "$SPOILT/1/image-after.out"
	caught 'the image binds' cp "$SPOILT/1/image-after.out" "$SPOILT/1/image.out"
}

@test "judge: a status that does not wait for the reboot is seen" {
	caught 'before the reboot' edit 1/pending.out '.verdict = "kept"'
	caught 'before the reboot' write 1/pending.rc 0
	caught 'before the reboot' write 1/again.out 'done'
}

@test "judge: the twin on vfio-pci after the reboot is seen" {
	caught 'after the reboot the wanted' sed -i 's/^\(0000:02:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/2/cards.out"
	caught 'after the reboot the wanted' sed -i 's/^\(0000:00:05.0 .*\) none/\1 vfio-pci/' "$SPOILT/2/cards.out"
	caught 'after the reboot the wanted' sed -i 's/^\(0000:01:00.0 .*\) vfio-pci/\1 nvme/' "$SPOILT/2/cards.out"
}

@test "judge: a parameter that does not come through is seen" {
	caught 'after the reboot the wanted' swap 2/cmdline.out intel_iommu=on intel_iommu=off
}

@test "judge: a card that was the host's for a moment is seen" {
	taken() {
		printf 'nvme nvme0: pci function 0000:01:00.0\n' >>"$SPOILT/2/dmesg.out"
	}
	caught 'since boot' taken
	caught 'since boot' truncate -s 0 "$SPOILT/2/dmesg.out"
}

@test "judge: a status that is not clean after the reboot is seen" {
	caught 'status is clean' edit 2/status-json.out '.summary.unknown = 1'
	caught 'status is clean' edit 2/status-json.out '.findings = []'
	caught 'status is clean' swap 2/unit.out success exit-code
	caught 'status is clean' write 2/verify.err 'unknown key'
}

@test "judge: a self-test after the boot that VMs do not wait for, or that did not pass, is seen" {
	caught 'boot passes' truncate -s 0 "$SPOILT/2/guests.out"
	caught 'boot passes' swap 2/guests.out inactive activating
	caught 'boot passes' swap 2/selftest-unit.out enabled disabled
	caught 'boot passes' edit 2/selftest-edu.out '.verdict = "failed"'
	caught 'boot passes' edit 2/selftest-nvme.out '(.results[] | select(.case == "irq-msix") | .verdict) = "skip"'
	caught 'boot passes' truncate -s 0 "$SPOILT/2/selftest-journal.out"
	caught 'boot passes' edit 2/selftest-preflight.out '.findings[0].severity = "unknown"'
	caught 'boot passes' edit 2/status-json.out '.findings |= map(select(.id != "status-selftest"))'
}

@test "judge: a failure of the self-test after the boot that is hidden, or holds up the host, is seen" {
	caught 'fails is seen' edit 2/spoilt-edu.out '.verdict = "passed"'
	caught 'fails is seen' swap 2/spoilt-unit.out failed inactive
	caught 'fails is seen' write 2/spoilt-running.out running
	caught 'fails is seen' truncate -s 0 "$SPOILT/2/spoilt-failed.out"
	caught 'fails is seen' cp "$SPOILT/2/selftest-journal.out" "$SPOILT/2/spoilt-journal.out"
	caught 'fails is seen' edit 2/spoilt-preflight.out '.findings |= map(.severity = "fail")'
	caught 'fails is seen' cp "$SPOILT/2/status-json.out" "$SPOILT/2/spoilt-status.out"
	caught 'fails is seen' swap 2/spoilt-guests.out failed activating
	caught 'fails is seen' write 2/left.out '7 2 0'
	caught 'fails is seen' write 2/left.out '2 2 1'
}

@test "judge: a hook that refuses too much, or too little, is seen" {
	caught 'only where' swap 2/hook.out 'warn 101 0' 'warn 101 1'
	caught 'only where' swap 2/hook.out 'require 101 1' 'require 101 0'
	caught 'only where' truncate -s 0 "$SPOILT/2/hook.err"
	caught 'only where' cp "$SPOILT/2/spoilt-status.out" "$SPOILT/2/required.json"
}

@test "judge: a preflight that finds the binding wrong is seen" {
	caught 'preflight finds' edit 2/preflight.out '(.findings[] | select(.id == "binding-early") | .severity) = "warn"'
	caught 'preflight finds' edit 2/preflight.out 'del(.findings[] | select(.id == "setup-status"))'
}

@test "judge: a setup that finds something to do again is seen" {
	caught 'setup and plan have nothing' edit 2/plan-json.out '.outcome = "possible"'
	caught 'setup and plan have nothing' write 2/again.rc 4
}

@test "judge: a file that the rollback forgot, its mode, or another image is seen" {
	caught 'after the rollback' sed -i 's|^/etc/hosts f 644 |/etc/hosts f 600 |' "$SPOILT/2/after.out"
	caught 'after the rollback' write 3/after.out '/etc/modules-load.d/metis-passthrough.conf f 644 0:0 '
	caught 'after the rollback' cp "$SPOILT/1/image-after.out" "$SPOILT/3/image.out"
}

@test "judge: a card that does not come back to the host is seen" {
	caught 'second reboot every card' sed -i 's/^\(0000:01:00.0 .*\) nvme/\1 vfio-pci/' "$SPOILT/3/cards.out"
	caught 'second reboot every card' write 3/cmdline.out 'quiet intel_iommu=on'
	caught 'second reboot every card' write 3/unit.out LoadState=loaded
}

@test "judge: a change that stays in force is seen" {
	caught 'nothing is in force' edit 3/status-json.out '.verdict = "kept"'
	caught 'nothing is in force' edit 3/history-json.out '.transactions[0].state = "in_force"'
	caught 'nothing is in force' edit 3/history-json.out '.transactions = []'
}
