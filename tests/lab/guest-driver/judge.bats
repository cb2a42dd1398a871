#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats passes on what the node brought out, and fails when that is spoilt
# in one place.

bats_require_minimum_version 1.8.0
load ../helpers
load ../spoil

setup() {
	spoil_setup
}

# swap FILE WORD OTHER: changes one word in a file.
swap() {
	sed -i "s/$2/$3/" "$SPOILT/$1"
	run ! cmp -s "$LAB_OUT/$1" "$SPOILT/$1"
}

# add FILE LINE
add() {
	printf '%s\n' "$2" >>"$SPOILT/$1"
}

@test "judge: a node that did not finish, or a command that did not run, is seen" {
	write broken 'panic, last words'
	judged 'runs every command'
	assert_failure
	assert_output --partial 'last words'
	caught 'runs every command' write card.rc 139
	caught 'runs every command' rm "$SPOILT/unload.rc"
}

@test "judge: a warning of the compiler, or another kernel, is seen" {
	caught "node's kernel" add build-node/log 'main.c:1: warning: unused'
	caught "node's kernel" write build-node/rc 2
	caught '6.12' write build-other/release 6.1.0
	caught 'newest one' add build-newest/log 'main.c:1: error: gone'
	caught 'newest one' write build-newest/release 6.1.0
	caught 'checkpatch' write checkpatch.log 'main.c:1: WARNING:LONG_LINE: too long'
	caught 'checkpatch' rm "$SPOILT/checkpatch.version"
}

@test "judge: a module that takes a device, or shows other limits, is seen" {
	caught 'takes no device' swap load.out vfio-pci metis_dmatest
	caught 'takes no device' write no-engine.out driver
	caught 'shows its limits' swap bind-card.out 'granted 32' 'granted 1'
	caught 'shows its limits' swap bind-edu.out 'bits 28' 'bits 64'
	caught 'shows its limits' swap found.out 'master 0' 'master 1'
}

@test "judge: a case that fails, is skipped or is missing is seen" {
	caught 'card passes every case' swap card.out 'irq-polling pass' 'irq-polling skip'
	caught 'card passes every case' swap card.out 'dma-read pass' 'dma-read fail'
	caught 'card passes every case' sed -i '/ quiet pass/d' "$SPOILT/card.out"
	caught 'card passes every case' swap card.out 'arrived=32' 'arrived=31'
	caught 'card passes every case' swap card.out 'read at 0x[0-9a-f]*, written at' 'read at 0x1000, written at'
	caught 'edu passes every case' swap edu.out 'dma-above-4g skip' 'dma-above-4g fail'
	caught 'edu passes every case' swap edu.out 'state done' 'state dead'
}

@test "judge: settings and rounds that are taken otherwise are seen" {
	caught 'out of range' swap settings.out 'bytes=3 1' 'bytes=3 0'
	caught 'out of range' swap settings.out '^4096$' '3'
	caught 'with the bytes' swap glob.out 'dma-write pass' 'dma-coherent pass'
	caught 'many rounds' swap rounds.out '^30 quiet pass' '29 quiet pass'
	caught 'many rounds' swap rounds-failed.out '^1 irq-polling fail' '1 irq-polling pass'
	caught 'many rounds' sed -i '$d' "$SPOILT/rounds.out"
}

@test "judge: a defect that is not seen, seen elsewhere, or called another thing is seen" {
	caught 'lost interrupt' swap drop-irq.out 'irq-polling fail' 'irq-polling pass'
	caught 'lost interrupt' swap drop-irq.out 'lost interrupt' 'lost data'
	caught 'lost interrupt' swap wrong-irq.out 'dma-read pass' 'dma-read fail'
	caught 'lost interrupt' swap lying.out 'lost data' 'lost interrupt'
	caught 'spoils data' swap wrong-data.out 'dma-scattered fail' 'dma-scattered pass'
	caught 'spoils data' swap truncated.out 'byte 4092 in' 'byte 0 in'
	caught 'spoils data' swap overrun.out 'beside it too' 'elsewhere'
	caught 'says the wrong' swap wrong-status.out 'irq-vectors fail' 'irq-vectors pass'
	caught 'says the wrong' swap stuck.out 'exit 0' 'exit 1'
	caught 'no defect' swap deaf.out 'irq-polling pass' 'irq-polling fail'
	caught 'no defect' swap after.out 'master 0' 'master 1'
}

@test "judge: a device without MSI, or with other address bits, that is treated otherwise is seen" {
	caught 'without MSI' swap no-msi.out 'interrupt intx' 'interrupt msi'
	caught 'without MSI' swap no-msi.out 'irq-polling skip' 'irq-polling pass'
	caught 'without MSI' swap no-msi.out 'dma-write pass' 'dma-write fail'
	caught 'address bits' swap bits-wrong.out 'dma-read fail' 'dma-read pass'
	caught 'address bits' swap bits-20.out 'dma-scattered pass' 'dma-scattered fail'
	caught 'address bits' swap bits-40.out 'dma-above-4g pass' 'dma-above-4g skip'
}

@test "judge: a run that is not ended, or leaves something, is seen" {
	caught 'one run at a time' swap twice.out 'busy rounds' 'rounds'
	caught 'one run at a time' swap twice.out 'state interrupted' 'state running'
	caught 'one run at a time' swap twice.out 'master 0' 'master 1'
	caught 'unbind and rmmod' swap unbind.out 'No such device' 'Success'
	caught 'unbind and rmmod' add unbinds.out 0
	caught 'unbind and rmmod' swap rmmod.out 'handlers 0' 'handlers 1'
	caught 'unbind and rmmod' swap rmmod.out 'running dma' 'idle'
	caught 'dies, or is taken' swap dead.out 'writer 1' 'writer 0'
	caught 'dies, or is taken' swap link-down.out 'bound 0' 'bound 1'
	caught 'dies, or is taken' write remove.out ''
}

@test "judge: what is lost, or complained of, is seen" {
	caught 'lose no memory' swap count.out 'lost by runs .*' 'lost by runs 4000'
	caught 'lose no memory' swap count.out 'lost by binds .*' 'lost by binds'
	caught 'allocation that fails' swap starve.out '^lost .*' 'lost 4000'
	caught 'allocation that fails' swap starve.out '^1 refused' '1 run 0 done 0'
	caught 'leaves nothing' swap unload.out 'interrupts:0' 'interrupts:1'
	caught 'leaves nothing' swap unload.out 'taint 12288' 'taint 12800'
	caught 'nothing to complain' add dmesg '[  9.9] WARNING: CPU: 0 PID: 1 at kernel/dma/debug.c'
	caught 'nothing to complain' add dmesg '[  9.9] DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr 0x1000 [fault reason 0x05]'
	caught 'nothing to complain' sed -i '/DMAR: .DMA/d' "$SPOILT/dmesg"
}

@test "judge: options that do not get into the module, or stay in it, are seen" {
	caught 'guest apply' swap apply.out '^bits 40' 'bits 0'
	caught 'guest apply' swap apply.out 'nothing to do' 'plan: 1 file'
	caught 'guest apply' sed -i '/^pending/d' "$SPOILT/apply.out"
	caught 'guest apply' add apply.out metis-passthrough-guest.conf
}
