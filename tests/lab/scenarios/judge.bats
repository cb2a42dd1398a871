#!/usr/bin/env bats
# The judge judged: as ../judge.bats, for the scenarios.

load ../helpers
load ../spoil
load helpers
bats_require_minimum_version 1.8.0

setup() {
	spoil_setup
}

# drop NAME TEXT: what was said, or the kernel's lines, without those that hold TEXT.
drop() {
	sed -i "/$2/d" "$SPOILT/$1"
}

# swap NAME TEXT TEXT: one for the other.
swap() {
	sed -i "s/$2/$3/" "$SPOILT/$1"
}

# fault NAME AFTER: a fault of the card's more, behind the line that holds AFTER.
fault() {
	sed -i "/$2/a [ 1.0] DMAR: [DMA Write NO_PASID] Request device [$(card "$1")] fault addr 0x149800000 [fault reason 0x05] text" \
		"$SPOILT/$1.log"
}

@test "judge: a scenario that was not played, or not to its end, is seen" {
	caught 'every scenario' rm "$SPOILT/stale.rc"
	caught 'every scenario' truncate -s 0 "$SPOILT/inside.log"
	caught 'every scenario' sed -i '$a guest: exit 124' "$SPOILT/raw.out"
	caught 'every scenario' sed -i '$a node: no line: x' "$SPOILT/raw.out"
	caught 'every scenario' sed -i '$a guest: failed at start' "$SPOILT/raw.out"
	caught 'every scenario' sed -i '$a [ 1.0] dmar_fault: 5 callbacks suppressed' "$SPOILT/window.log"
}

@test "judge: removal in another order is seen" {
	caught 'removal' swap removal.out 'removal memory freed' 'removal nothing'
	caught 'removal' drop removal.log 'fault addr'
	caught 'removal' swap removal.log 0x149800000 0x149900000
	caught 'removal' swap removal.log 'reason 0x05' 'reason 0x02'
	caught 'removal' fault removal 'driver 1.6.2'
}

@test "judge: a window that is not what it was is seen" {
	caught 'window: the guest.s firmware' drop window.log 'fault addr'
	caught 'window: the guest.s firmware' fault window 'scrubbed'
	caught 'window: the guest.s firmware' swap window.log "$(card window)" 'ff:1f.7'
	caught 'window: the guest.s firmware' swap window.out 'window-target 0x149800000' 'window-target 0x0'
	caught 'window: the guest.s firmware' swap window.out 'guest: events 0x1' 'guest: events 0x0'
	caught 'window: the guest.s driver' swap window.out 'guest: window-target 0x2000000' 'guest: window-target 0x149800000'
}

@test "judge: a hook that does not help is seen" {
	caught 'after the hook' fault window 'the hook'
	caught 'after the hook' swap window.out 'hook exit 0' 'hook exit 1'
	caught 'after the hook' swap window.hook 'was open' 'was shut'
	caught 'after the hook' drop window.hook ': reset '
	caught 'after the hook' sed -i '/hook exit 0/,$s/guest: events 0x1/guest: events 0x0/' "$SPOILT/window.out"
	# The window was not open before it: then it proves nothing.
	caught 'after the hook' sed -i '/hook exit/,$!s/window-ctrl 0x1/window-ctrl 0x0/' "$SPOILT/window.out"
	caught 'kept' fault kept 'the hook'
	caught 'kept' swap kept.log 'index 0x' 'index 0x1'
	caught 'kept' swap kept.out 'vector not raised' 'vector raised'
	caught 'beyond' swap beyond.log 'index 0x' 'index 0x1'
	caught 'beyond' swap beyond.out 'vectors 0x1$' 'vectors 0x20'
}

@test "judge: a diagnosis that names something else is seen" {
	caught 'by itself' edit window.first '.subject = "0000:ff:1f.7"'
	caught 'by itself' edit window.first '(.problems[0].event.addresses[0].address) = "0x149900000"'
	caught 'by itself' edit window.first '.hypotheses |= reverse'
	caught 'by itself' swap window.out 'diagnose exit 1' 'diagnose exit 0'
	caught 'by itself' edit window.diagnosis '.hypotheses |= reverse'
	caught 'what the other cards did' edit stale.diagnosis '.subject = "0000:ff:1f.7"'
	caught 'what the other cards did' edit viommu.diagnosis '.hypotheses |= reverse'
	caught 'what the other cards did' edit stale.diagnosis 'del(.hypotheses[] | select(.id == "stale-host-message"))'
	caught 'what the other cards did' edit kept.diagnosis 'del(.hypotheses[] | select(.id == "kept-message"))'
	caught 'what the other cards did' edit beyond.diagnosis '.hypotheses |= reverse'
	caught 'what the other cards did' drop beyond.out 'the guest has the card'
	caught 'what the other cards did' truncate -s 0 "$SPOILT/raw.diagnosis"
}

@test "judge: memory that was not written to, or not in silence, is seen" {
	caught 'inside' swap inside.out 'memory changed' 'memory as it was'
	caught 'inside' drop inside.out 'memory as it was'
	caught 'inside' fault inside 'inside begins'
	caught 'idle' swap idle.out 'events 0x1' 'events 0x0'
	caught 'idle' swap idle.out 'domain identity' 'domain DMA'
	caught 'idle' fault idle 'idle begins'
}

@test "judge: a message that was not blocked, or otherwise, is seen" {
	caught 'raw: the guest' swap raw.log 'reason 0x25' 'reason 0x22'
	caught 'raw: the guest' swap raw.log "$(card raw)" 'ff:1f.7'
	caught 'raw: the guest' drop raw.log 'reason'
	caught 'raw: the guest' swap raw.out 'to-card timeout' 'to-card done'
	caught 'raw: the guest' swap raw.out 'data right' 'data wrong'
	caught 'raw: polling' swap raw.out 'to-host done late' 'to-host timeout'
	caught 'raw: polling' drop raw.out 'by polling'
	caught 'raw: polling' fault raw 'raw begins'
}

@test "judge: a handle that is not the one is seen" {
	caught 'the guest.s handle' swap viommu.log 'index 0x88' 'index 0x28'
	caught 'the guest.s handle' drop viommu.log 'index 0x84'
	caught 'the guest.s handle' fault viommu 'viommu begins'
	caught 'own MSI arrives' swap viommu.out 'vector raised' 'vector not raised'
	caught 'mixed' swap mixed.log 'index 0x' 'index 0x1'
	caught 'mixed' swap mixed.out 'node: message-address 0xfee00' 'node: message-address 0xfee01'
	caught 'mixed' swap mixed.out 'guest: to-host timeout' 'guest: to-host done'
	caught 'stale' swap stale.log 'index 0x' 'index 0x1'
	caught 'stale' swap stale.log "$(card stale)" 'ff:1f.7'
	caught 'stale' swap stale.out 'guest: imwr left alone' 'guest: imwr written'
	caught 'stale' swap stale.out 'message-address 0xfee00' 'message-address 0xfee01'
	caught 'stale' swap stale.out 'host: message-address .*' 'host: message-address 0xfee00000'
}

@test "judge: a repair that does not help, or too much, is seen" {
	local name title
	for name in repair-raw repair-stale; do
		title="repair of a guest.s"
		[ "$name" = repair-raw ] || title='repair of an old'
		caught "$title" sed -i 's/to-card done/to-card timeout/' "$SPOILT/$name.out"
		caught "$title" swap "$name.out" 'to-card timeout' 'to-card done'
		caught "$title" swap "$name.out" 'repair exit 0' 'repair exit 1'
		caught "$title" fault "$name" ': repaired'
		caught "$title" drop "$name.log" 'reason'
		caught "$title" swap "$name.out" 'message-address 0xfee00' 'message-address 0xfee01'
		caught "$title" edit "$name.repair-1" '.repair.done = true'
		caught "$title" edit "$name.repair-2" '.repair.writes[3].to = "0xfee00000"'
		caught "$title" edit "$name.repair-2" '.card.messages[1].address = "0xfee00000"'
		caught "$title" edit "$name.repair-3" '.repair.writes = .card.channels'
		caught "$title" sed -i 's/imwr-rd-data .*/imwr-rd-data 0x0/' "$SPOILT/$name.out"
	done
	caught 'repair of an old' swap repair-stale.log 'reason 0x22' 'reason 0x25'
	caught 'is not repaired' swap mixed.out 'repair exit 1' 'repair exit 0'
	caught 'is not repaired' edit mixed.repair-1 '.repair.ready = true'
}

@test "judge: firmware that does not help, and a reset that does not, are seen" {
	caught 'dma-vm' swap dma-vm.out 'to-host done' 'to-host timeout'
	caught 'dma-vm' swap dma-vm.out 'imwr left alone' 'imwr written'
	caught 'dma-vm' fault dma-vm 'dma-vm begins'
	caught 'wedge' swap wedge.out 'guest: firmware not ready' 'guest: firmware ready'
	caught 'wedge' swap wedge.out 'host: firmware not ready' 'host: firmware ready'
	caught 'wedge' swap wedge.out 'reset methods flr.*' 'reset methods bus'
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'every scenario'
	assert_failure
	assert_output --partial 'last words'
}
