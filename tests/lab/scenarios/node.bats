#!/usr/bin/env bats
# Judges what the scenarios brought out: LAB_VARIANT and LAB_OUT. Run by `run`.
#
# Each scenario has something that worked in it, so that a silence means something: data that arrived, events that were seen, a
# fault in its other half.

load ../helpers
load helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
}

@test "$LAB_VARIANT: every scenario is played to its end" {
	local name scenarios=0
	while read -r name _; do
		case $name in '' | '#'*) continue ;; esac
		exited "$name" 0
		[ "$name" = interrupts ] || {
			assert [ -s "$LAB_OUT/$name.log" ]
			assert_all_printed "$name"
			scenarios=$((scenarios + 1))
		}
	done <"$BATS_TEST_DIRNAME/commands"
	[ "$scenarios" -ge 14 ]
	# Guests end by their own will, having done their words (1) or not (3).
	run awk '/^node: no (line|word)/ || (/^(host|guest): exit / && !/^(host: exit 1|guest: exit [13])$/)' "$LAB_OUT"/*.out
	assert_output ''
	# No word of a script failed, save where waiting for the firmware was in vain.
	run grep -h ' failed at ' "$LAB_OUT"/*.out
	assert_equal "$(sort -u <<<"$output" | xargs)" 'guest: failed at await=5 host: failed at await=5'
}

@test "$LAB_VARIANT: removal: 1.4.16 frees the window's memory before it closes the window, 1.6.2 after" {
	said removal 'host: data right' 'host: events 0x1' 'host: removal memory freed' 'host: removal window closed' \
		'host: data right' 'host: events 0x1' 'host: removal window closed' 'host: removal memory freed'
	part removal 'scenario' 'driver 1.6.2' | only_faults 0x05 'fault addr 0x149800000' "$(card removal)"
	part removal 'driver 1.6.2' | no_faults
}

@test "$LAB_VARIANT: window: the guest's firmware events go to the host session's address, until it is scrubbed" {
	said window 'host: events 0x1' 'host: window-ctrl 0x1' 'host: window-target 0x149800000' \
		'guest: events 0x0' 'guest: data right' 'host: window-ctrl 0x0' 'host: window-target 0x0' \
		'guest: events 0x1' 'guest: data right'
	part window 'scenario' 'scrubbed' | only_faults 0x05 'fault addr 0x149800000' "$(card window)"
	part window 'scrubbed' 'the hook' | no_faults
}

# The same session, the same VM, and the hook between them.
@test "$LAB_VARIANT: window: after the hook the same VM has its events, and no fault" {
	said window 'host: window-target 0x0' 'guest: data right' 'host: events 0x1' \
		'host: window-ctrl 0x1' 'host: window-target 0x149800000' 'node: hook exit 0' 'host: window-ctrl 0x0' \
		'host: window-target 0x0' 'guest: events 0x1' 'guest: data right' 'guest: removal window closed' 'guest: exit 1'
	part window 'the hook' | no_faults
	run cat "$LAB_OUT/window.hook"
	assert_line "metis-passthrough: 0000:$(card window): its window into memory was open, to 0x149800000"
	assert_line --partial "0000:$(card window): reset "
}

@test "$LAB_VARIANT: window: diagnose finds the card by itself, and names address and cause" {
	fits diagnose "$LAB_OUT/window.first"
	json "$LAB_OUT/window.first" '.subject == $card and .device.id == "1f9d:1100" and .faults > 0' \
		--arg card "0000:$(card window)"
	json "$LAB_OUT/window.first" '[.problems[].event.addresses[]?.address] | unique == ["0x149800000"]'
	# The card is asked too: its register has the guest's address, which the firmware did not take.
	json "$LAB_OUT/window.first" '[.hypotheses[:2][].id] == ["latched-window", "stale-window"]'
	said window 'node: diagnose exit 1'
	explained window dma latched-window stale-window
}

# Of sessions before the VM the log knows nothing here: the vendor's kernel driver, which would have told of itself, was not there. So
# it is enough that the class comes first, and the cause among what is possible.
@test "$LAB_VARIANT: diagnose explains what the other cards did" {
	explained raw interrupt guest-message
	explained viommu interrupt guest-iommu-handle
	explained stale interrupt untranslated-message stale-host-message
	explained kept interrupt untranslated-message
	variant kept kept-message
	# Asked while the guest had the card: then its real message tells.
	said beyond 'node: the guest has the card'
	explained beyond interrupt firmware-vector
	variant beyond firmware-vector
}

@test "$LAB_VARIANT: window: the guest's driver did set its own address" {
	# What the register says is not what the firmware does.
	said window 'guest: events 0x0' 'guest: window-ctrl 0x1' 'guest: window-target 0x2000000' 'host: window-ctrl 0x0'
}

@test "$LAB_VARIANT: inside: an old address that the guest has too is written to, and nobody complains" {
	said inside 'host: events 0x1' 'guest: memory as it was' 'guest: data right' 'guest: memory changed'
	part inside | no_faults
}

@test "$LAB_VARIANT: idle: a card that nobody has opened writes to the host's memory" {
	said idle 'node: domain identity' 'host: data right' 'host: events 0x1'
	part idle | no_faults
}

@test "$LAB_VARIANT: raw: the guest's message is blocked, the data arrives all the same" {
	said raw 'guest: vectors 0x1' 'guest: message-address 0xfee00000' 'guest: job by interrupt' 'guest: to-card timeout' \
		'guest: channel-status 0x3' 'guest: to-host timeout' 'guest: channel-status 0x3' 'guest: data right'
	part raw | only_reason 0x25 "$(card raw)"
}

@test "$LAB_VARIANT: raw: polling works, and 1.4.4 finds late what its interrupts lose" {
	said raw 'guest: to-host timeout' 'guest: job by polling' 'guest: to-card done' 'guest: to-host done' 'guest: data right' \
		'guest: job by interrupt' 'guest: to-card done late' 'guest: to-host done late' 'guest: data right'
	# Two lost by each version, none while it polled.
	assert_equal "$(part raw | faults | wc -l)" 4
}

@test "$LAB_VARIANT: viommu: the guest's handle means nothing to the host" {
	said viommu 'guest: interrupt-remapping on' 'guest: vectors 0x20' 'guest: message-address 0xfee01018' \
		'guest: to-card timeout' 'guest: to-host timeout' 'guest: data right'
	# Handle 0x80 of the guest's table, and the numbers of the eDMA's interrupts.
	assert_equal "$(part viommu | indexes 0x22 "$(card viommu)")" '0x84 0x88'
}

@test "$LAB_VARIANT: viommu: what goes by the function's own MSI arrives in the guest" {
	said viommu 'guest: events 0x1' 'guest: vector raised'
}

@test "$LAB_VARIANT: stale: the host session's message, which the guest's driver left in the card" {
	local handle
	said stale 'host: imwr written' 'host: to-card done' 'host: to-host done' 'guest: imwr left alone' \
		'guest: to-card timeout' 'guest: to-host timeout' 'guest: data right'
	# A block of 32 vectors, in the remappable format with subhandle valid (VT-d 5.1.2.2).
	handle=$(handle_of "$(said_value stale 'host: message-address')")
	assert_equal "$((handle % 32))" 0
	assert_equal "$(part stale | indexes 0x22 "$(card stale)")" "$(printf '0x%x 0x%x' $((handle + 4)) $((handle + 8)))"
}

@test "$LAB_VARIANT: kept: the firmware goes on with the host session's message, until the hook has reset the bus" {
	local handle
	said kept 'host: events 0x1' 'host: vector raised' 'guest: events 0x1' 'guest: vector not raised' 'node: hook exit 0' \
		'guest: events 0x1' 'guest: vector raised'
	handle=$(handle_of "$(said_value kept 'host: message-address')")
	assert_equal "$(part kept 'scenario' 'the hook' | indexes 0x22 "$(card kept)")" "$(printf '0x%x' $((handle + 24)))"
	part kept 'the hook' | no_faults
}

@test "$LAB_VARIANT: beyond: a vector that the guest was not granted is another handle" {
	local handle
	said beyond 'guest: vectors 0x1' 'guest: events 0x1' 'guest: vector not raised'
	handle=$(handle_of "$(said_value beyond 'node: message-address')")
	assert_equal "$(part beyond | indexes 0x22 "$(card beyond)")" "$(printf '0x%x' $((handle + 24)))"
}

@test "$LAB_VARIANT: mixed: the host's handle and the guest's data make a third one" {
	said mixed 'guest: message-address 0xfee00000' 'guest: message-data 0x40' 'guest: to-card timeout' 'guest: to-host timeout' \
		'guest: data right' 'guest: imwr-wr-data 0x400040'
	local address
	address=$(said_value mixed 'node: message-address')
	assert_equal "$(said_value mixed 'guest: imwr-wr-done')" "$address"
	# Subhandle valid (VT-d 5.1.2.2): the data is added.
	assert_equal "$((address >> 3 & 1))" 1
	assert_equal "$(part mixed | indexes 0x22 "$(card mixed)")" "$(printf '0x%x' $(($(handle_of "$address") + 0x40)))"
}

# is_repaired NAME REASON FROM: before it messages were blocked for that reason, after it none, and interrupts arrive, though the driver
# goes on writing its data. What is in the card then is the host's message, without SHV (bit 3).
is_repaired() {
	local to
	fits inspect "$LAB_OUT/$1.repair-2"
	to=$(printf '0x%x' $(($(said_value "$1" 'node: message-address') & ~8)))
	said "$1" 'node: repair exit 0' 'node: repair exit 0' 'node: repair exit 0'
	json "$LAB_OUT/$1.repair-1" '.repair.ready and (.repair.done | not) and ([.repair.writes[].to] | unique) == [$to]' --arg to "$to"
	json "$LAB_OUT/$1.repair-2" '.repair.ready and .repair.done and (.repair.writes | map([.from, .to]) | unique) == [[$from, $to]]' \
		--arg from "$3" --arg to "$to"
	json "$LAB_OUT/$1.repair-2" '[.card.messages[].address] | unique == [$to]' --arg to "$to"
	json "$LAB_OUT/$1.repair-3" '.repair.ready and .repair.writes == []'
	said "$1" 'guest: vectors 0x1' 'guest: job by interrupt' 'guest: to-card timeout' 'guest: channel-status 0x3' 'guest: data right' \
		'guest: job by interrupt' 'guest: to-card done' 'guest: to-host done' 'guest: data right' \
		'guest: job by interrupt' 'guest: to-card done' 'guest: to-host done' 'guest: data right' "guest: imwr-rd-done $to"
	part "$1" scenario repaired | only_reason "$2" "$(card "$1")"
	part "$1" repaired | no_faults
}

@test "$LAB_VARIANT: repair of a guest's message: with the host's message in the card the guest's interrupts arrive" {
	is_repaired repair-raw 0x25 0xfee00000
	# What the driver writes before each job is a vector of the guest, which an index with SHV would have added.
	said repair-raw 'guest: message-data 0x40' 'guest: imwr-rd-data 0x400040'
}

@test "$LAB_VARIANT: repair of an old message: so they do in the place of a message whose entry is free" {
	is_repaired repair-stale 0x22 0xfee0ff18
	said repair-stale 'guest: message-data 0x22' 'guest: imwr-rd-data 0x220022'
}

@test "$LAB_VARIANT: what firmware says that it owns is not repaired" {
	said mixed 'node: repair exit 1'
	json "$LAB_OUT/mixed.repair-1" '.repair.ready == false and .repair.writes == []
		and [.repair.conditions[] | select(.holds != true).id] == ["firmware-leaves-it"]'
}

@test "$LAB_VARIANT: dma-vm: firmware that owns the message reaches a guest with one vector" {
	said dma-vm 'guest: dma-vm 0xc1a0c1a0' 'guest: vectors 0x1' 'guest: imwr left alone' 'guest: job by interrupt' \
		'guest: to-card done' 'guest: to-host done' 'guest: data right' 'guest: to-card done' 'guest: to-host done' 'guest: data right'
	part dma-vm | no_faults
}

@test "$LAB_VARIANT: wedge: only a reset of the bus brings the card back" {
	said wedge 'guest: firmware not ready' 'guest: exit 3' 'host: firmware not ready' \
		'node: reset methods bus' 'guest: firmware ready' 'guest: data right' 'guest: exit 1'
	run said_value wedge 'node: reset methods'
	assert_output --regexp '^flr'
}
