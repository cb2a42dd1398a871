#!/usr/bin/env bats
# The judge judged: each test of node.bats passes on what a node brought out, and fails when that is spoilt in one
# place. So no test of node.bats is one that cannot fail. Run by `run` with one variant's LAB_VARIANT and LAB_OUT.

# The $ of jq are jq's; expect_edu comes from variants/.
# shellcheck disable=SC2016,SC2154

load helpers
load spoil
bats_require_minimum_version 1.8.0

setup() {
	spoil_setup
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'runs every command'
	assert_failure
	assert_output --partial 'last words'
}

@test "judge: a command killed by a signal is seen" {
	caught 'runs every command' write list.rc 139
}

@test "judge: a command that was not run is seen" {
	caught 'runs every command' rm "$SPOILT/snapshot.rc"
}

@test "judge: another IOMMU than the variant's is seen" {
	caught 'emulated IOMMU' write iommus.out other0
}

@test "judge: interrupts that take another way than the variant's are seen" {
	swap() {
		sed -i 's/ PCI-MSI/ none/; s/ IR-PCI-MSI/ PCI-MSI/; s/ none/ IR-PCI-MSI/' "$SPOILT/interrupts.out"
	}
	caught 'emulated IOMMU' swap
}

@test "judge: a list with the wrong driver is seen" {
	caught 'list shows edu' edit list-json.out '(.. | objects | select(.address? == "0000:00:05.0") | .driver) = "nvme"'
}

@test "judge: a list with the wrong group is seen" {
	caught 'list shows edu' write group-edu.out 77
}

@test "judge: a list for people without the device is seen" {
	caught 'list shows edu' sed -i /00:05.0/d "$SPOILT/list.out"
}

@test "judge: a list that does not know a name is seen" {
	caught 'list names' edit list-json.out '(.devices[] | select(.id == "1b36:0010") | .device_name) = null'
}

@test "judge: a command that prints nothing is seen" {
	local file
	for file in preflight-edu preflight-nvme preflight-json replay-edu; do
		caught 'written as JSON' truncate -s 0 "$SPOILT/$file.out"
	done
	caught 'list shows edu' truncate -s 0 "$SPOILT/list-json.out"
	caught 'without evidence' truncate -s 0 "$SPOILT/preflight-edu.out"
	caught 'a replay admits' truncate -s 0 "$SPOILT/replay-edu.out"
}

@test "judge: JSON that the schema does not know is seen" {
	caught 'written as JSON' edit list-json.out '.extra = 1'
	caught 'written as JSON' edit replay-edu.out '.host.live = true'
	caught 'written as JSON' edit preflight-nvme.out '.schema = 2'
}

@test "judge: a severity that is not in the contract is seen" {
	caught 'written as JSON' edit preflight-edu.out '.findings[0].severity = "ok"'
}

@test "judge: a wrong verdict about the host is seen" {
	caught 'verdicts are those' edit preflight-edu.out \
		'(.findings[] | select(.id == "interrupt-remapping-active") | .severity) |= {pass: "fail", fail: "pass"}[.]'
}

@test "judge: a wrong verdict about the device is seen" {
	# shellcheck source=lib/lab.sh
	. "$BATS_TEST_DIRNAME/lib/lab.sh"
	load_variant "$LAB_VARIANT"
	caught 'verdicts are those' edit preflight-edu.out \
		'del(.findings[] | select(.id == $id and .subject == "0000:00:05.0"))' --arg id "${expect_edu[0]%%=*}"
}

@test "judge: a finding that is missing is seen" {
	caught 'verdicts are those' edit preflight-edu.out 'del(.findings[] | select(.id == "iommu-active"))'
}

@test "judge: a pass without evidence is seen" {
	caught 'without evidence' edit preflight-edu.out '(first(.findings[] | select(.severity == "pass")) | .evidence) = []'
}

@test "judge: an exit code that contradicts the findings is seen" {
	caught 'exit code is 1' write preflight-nvme.rc 3
	caught 'exit code is 1' edit preflight-edu.out '.exit_code |= 1 - .'
	caught 'exit code is 1' write preflight-edu.rc "$((1 - $(cat "$LAB_OUT/preflight-edu.rc")))"
}

@test "judge: a text report that is empty is seen" {
	caught 'as text' truncate -s 0 "$SPOILT/preflight.out"
}

@test "judge: a text report that leaves out what is wrong is seen" {
	[ "$(code_of "$LAB_OUT/preflight-json.out")" = 1 ] || skip "nothing fails on $LAB_VARIANT"
	caught 'as text' write preflight.out 'all is well'
}

@test "judge: a process that has the group open and is not named is seen" {
	caught 'has the group open' edit held-edu.out \
		'(.findings[] | select(.id == "device-host-use") | .evidence) |= map(select(.value | contains("is open in") | not))'
	caught 'has the group open' edit held-edu.out '.findings = []'
}

@test "judge: a snapshot that is replayed with another verdict is seen" {
	caught 'replayed in the node' edit replay-edu.out '(.findings[] | select(.live_only | not) | .severity) = "skip"'
}

@test "judge: a snapshot that is replayed with a finding less is seen" {
	caught 'replayed in the node' edit replay-edu.out 'del(.findings[] | select(.id == "iommu-active"))'
}

@test "judge: a snapshot that this machine cannot read is seen" {
	caught 'on this machine gives' truncate -s 0 "$SPOILT/node.snap"
}

@test "judge: a snapshot that lacks a device is seen" {
	caught 'on this machine lists' edit list-json.out 'del(.devices[0])'
}

@test "judge: a snapshot that forgets what the host is, is seen" {
	caught 'on this machine lists' edit list-json.out '.host.kernel = "other"'
}

@test "judge: a replay that took this machine for the node is seen" {
	# As if the program had forgotten its --sysroot: the same program, looking at the machine under our hands.
	other() {
		printf '#!/bin/sh\nexec "%s" preflight --format json\n' "$METIS" >"$BATS_TEST_TMPDIR/other"
		chmod +x "$BATS_TEST_TMPDIR/other"
		METIS=$BATS_TEST_TMPDIR/other
	}
	caught 'on this machine gives' other
}

@test "judge: a replay that claims to know what only a live host can tell is seen" {
	caught 'a replay admits' edit replay-edu.out '(first(.findings[] | select(.severity == "pass" and (.live_only | not))) | .live_only) = true'
}

@test "judge: a handover that the kernel does not show is seen" {
	caught 'bind hands' write bound-nvme.out nvme
	caught 'bind hands' write bind-nvme.rc 3
	caught 'bind hands' write bind-again.out 'nvme -> vfio-pci'
	caught 'unbind gives' write unbound-nvme.out 'vfio-pci'
	caught 'unbind gives' write unbind-nvme.out ''
}

@test "judge: a device taken from its user is seen" {
	caught 'refused while' write unbind-held.rc 0
	caught 'refused while' write unbind-held.err ''
	caught 'took the device again' write new-id.rc 0
	caught 'took the device again' write new-id-edu.out edu
	caught 'takes nothing' write bind-used.rc 0
	caught 'takes nothing' write forced-nvme.out nvme
}

@test "judge: a self-test that proved less than it says is seen" {
	[ "$(cat "$LAB_OUT/self-nvme.rc")" = 0 ] || skip "the NVMe cannot be tested on $LAB_VARIANT"
	caught 'the NVMe proves' write self-nvme.rc 1
	caught 'the NVMe proves' edit self-nvme.out '.verdict = "failed"'
	caught 'the NVMe proves' edit self-nvme.out '.results |= map(select(.case != "dma-read"))'
	caught 'the NVMe proves' edit self-nvme.out '.surplus = 1'
	caught 'the NVMe proves' edit self-nvme-last.out '.findings[0].severity = "skip"'
	caught 'is a disk again' write self-nvme-quiet.err ''
	caught 'drives nothing else' write self-nvme-wrong.err ''
}

@test "judge: a self-test that finds something else is seen" {
	first_pass='(first(.results[] | select(.verdict == "pass")) | .verdict)'
	caught 'self-test finds' write selftest.rc 2
	if [ -s "$LAB_OUT/selftest.out" ]; then
		caught 'self-test finds' edit selftest.out "$first_pass = \"fail\""
		caught 'self-test finds' edit selftest.out "$first_pass = \"skip\""
		caught 'self-test finds' edit selftest.out 'del(.results[-1])'
		caught 'log is in it' edit selftest.out '.results[0].evidence += [{source: "kernel log", value: "DMAR: never"}]'
		load_variant "$LAB_VARIANT"
		[ ${#selftest_faults[@]} = 0 ] || caught 'faults that the self-test' sed -i '/reason 0x06/d' "$SPOILT/dmesg"
		caught 'a signal ends' sed -i 's/command 3/command 7/' "$SPOILT/selftest-term.out"
		caught 'a signal ends' write selftest-term.rc 0
		caught 'does not transfer' write selftest-spoilt.rc 0
		caught 'limit of locked memory' truncate -s 0 "$SPOILT/memlock.err"
		caught 'limit of locked memory' sed -i 's/group 3/group 0/' "$SPOILT/memlock.out"
	fi
	caught 'is not begun while' write selftest-used.rc 1
}

@test "judge: something that a self-test left behind is seen" {
	for what in 's/command 3/command 7/' 's/files 0/files 1/' 's/vfio-pci$/edu/' 's/config as before/config 5 3 7,/'; do
		caught 'leaves nothing behind$' sed -i "$what" "$SPOILT/selftest-left.out"
	done
	caught 'leaves nothing behind$' sed -i 's/override .*/override other/' "$SPOILT/self-cdev-left.out"
	[ ! -s "$LAB_OUT/selftest.out" ] || caught 'crashes or is killed' sed -i '$s/as before/5 3 7,/' "$SPOILT/selftest-dies.out"
	caught 'leaves nothing behind$' sed -i 's/config of .*/config of 0 bytes/' "$SPOILT/nvme-found.out"
}

@test "judge: another way into VFIO than was asked for is seen" {
	caught 'by cdev it finds' write cdev.rc 2
	caught 'by cdev it is not begun' write cdev-used.rc 0
	caught 'where there is no container' write cdev-auto.rc 2
	if [ -s "$LAB_OUT/selftest.out" ]; then
		caught 'goes in by group' edit selftest.out '.way = "cdev"'
	fi
	[ -s "$LAB_OUT/cdev.out" ] || skip "$LAB_VARIANT has one way only"
	caught 'by cdev it finds' edit cdev.out '.way = "group"'
	caught 'by cdev it finds' edit cdev.out '.results[-1].verdict = "skip"'
	caught 'by cdev the neighbour' edit self-cdev.out '.way = "group"'
	caught 'by cdev the neighbour' edit self-cdev.out '.results[0].verdict = "skip"'
	caught 'where there is no container' edit cdev-auto.out '.way = "group"'
	caught 'nobody gets in' write cdev-int.rc 0
	caught 'nobody gets in' sed -i 's/group: 3/group: 0/' "$SPOILT/cdev-int.out"
	caught 'nobody gets in' sed -i 's/command 3/command 7/' "$SPOILT/cdev-int.out"
	caught 'nobody gets in' truncate -s 0 "$SPOILT/cdev-int.err"
	caught 'log is in it' edit cdev.out '.results[0].evidence += [{source: "kernel log", value: "DMAR: never"}]'
}

@test "judge: a hook that keeps what it should give back, or takes what a VM has, is seen" {
	caught 'gives it back' write hook-nvme.out 'nvme pre-start 0 vfio-pci post-start 0 vfio-pci pre-stop 0 vfio-pci post-stop 0 vfio-pci vfio-pci'
	caught 'gives it back' write hook-nvme.err ''
	caught 'gives it back' write hook-nvme-keep.out nvme
	caught 'that runs' write hook-nvme-runs.out 'pre-start 0 vfio-pci post-stop 0 vfio-pci'
	caught 'that runs' write hook-nvme-runs.err ''
	caught 'stops what uses' write hook-services.out \
		'refused 1: started 0: service app.service again 0: service app.service stopped 0: on-app.service'
	caught 'stops what uses' write hook-services.err ''
}
