#!/usr/bin/env bats
# The judge judged, as ../judge.bats does: each test of node.bats passes on what the node brought out, and fails when that is
# spoilt in one place.

bats_require_minimum_version 1.8.0
load ../helpers
load ../spoil

setup() {
	spoil_setup
}

# byte OFFSET VALUE: one byte of config space.
byte() {
	awk -v at="$(($1))" -v value="$2" '{ for (i = 1; i <= NF; i++) if (n++ == at) $i = value; print }' \
		"$LAB_OUT/config.out" >"$SPOILT/config.out"
	run ! cmp -s "$LAB_OUT/config.out" "$SPOILT/config.out"
}

# swap FILE WORD OTHER: changes one word in a file that is not JSON.
swap() {
	sed -i "s/$2/$3/" "$SPOILT/$1"
	run ! cmp -s "$LAB_OUT/$1" "$SPOILT/$1"
}

@test "judge: a node that did not finish, or a command that did not run, is seen" {
	write broken 'panic, last words'
	judged 'runs every command'
	assert_failure
	assert_output --partial 'last words'
	caught 'runs every command' write config.rc 139
	caught 'runs every command' rm "$SPOILT/resets.rc"
}

@test "judge: another IOMMU, another place or another driver is seen" {
	caught 'emulated IOMMU' write iommus.out other0
	caught 'emulated IOMMU' swap interrupts.out IR-PCI-MSI PCI-MSI
	caught 'emulated IOMMU' write card 0000:01:00.0
	caught 'emulated IOMMU' write driver.out nvme
}

@test "judge: a card that is no Metis is seen" {
	caught 'of a Metis' byte 2 23
	caught 'of a Metis' byte 8 01
	caught 'of a Metis' byte 0x52 0a
	caught 'of a Metis' byte 0x77 00
	caught 'of a Metis' byte 0x44 00
	caught 'of a Metis' byte 0x100 02
	caught 'of a Metis' swap resource.out fbffffff faffffff
	caught 'of a Metis' swap resource.out 0x0000000000140204 0x0000000000040204
	caught 'of a Metis' truncate -s 0 "$SPOILT/config.out"
}

@test "judge: wrong words of the program are seen" {
	caught 'list shows' edit list-json.out '(.. | objects | select(.id? == "1f9d:1100") | .driver) = "nvme"'
	caught 'verdicts are those' edit preflight-card.out '(.findings[] | select(.id == "group-viable") | .severity) = "fail"'
	caught 'verdicts are those' write preflight-card.rc 3
}

@test "judge: a control that does something else is seen" {
	caught 'the control sets' write control-set.out 1
	caught 'told apart' write resets.out '1 0 1'
	caught 'told apart' write reset-method.out bus
	caught 'look like that' swap dead.out ffff 1f9d
}

@test "judge: a message that went through is seen" {
	caught 'free handle' write message-free.out ''
	caught 'free handle' swap message-free.out 02:00.0 ff:1f.7
	caught 'compatibility format' write message-compat.out ''
	caught 'compatibility format' swap message-compat.out 0x25 0x22
}

@test "judge: a self-test with other verdicts is seen" {
	caught 'self-test of the card' write selftest.rc 1
	caught 'self-test of the card' edit selftest.out '(.results[] | select(.case == "irq-message") | .verdict) = "skip"'
	caught 'self-test of the card' edit selftest.out '.engine = "edu"'
	caught 'messages refused' edit selftest.out \
		'(.results[] | select(.case == "isolation-message-freed") | .summary) |= sub("index 0x[0-9a-f]*"; "index 0x7777")'
	caught 'messages refused' edit selftest.out '(.results[] | select(.case == "isolation-message-compat") | .evidence) = []'
	caught 'figures' edit selftest.out '(.results[] | select(.case == "irq-message") | .latency_ns.count) = 1'
	caught 'figures' write selftest-1g.out '900000 6'
	caught 'figures' write selftest-1g.out '9000 0'
	caught 'figures' truncate -s 0 "$SPOILT/uptime"
}

@test "judge: a card that was left armed and is not seen, or not silenced, is seen" {
	caught 'is seen: window' edit inspect-armed.out '.card.window.target = "0x149800001"'
	caught 'is seen: window' edit inspect-armed.out '.card.messages[0].message = "host-valid"'
	caught 'is seen: window' edit preflight-armed.out '(.findings[] | select(.id == "card-window") | .severity) = "pass"'
	caught 'switches it off' edit scrub.out '.done = []'
	caught 'switches it off' write scrubbed.out '0x00000001 0x49800000 0x00000000'
}

@test "judge: a hook that leaves something out, or goes too far, is seen" {
	caught 'once by the bus' swap hook-start.out vfio-pci nvme
	caught 'once by the bus' swap hook-start.err 'was open' 'was shut'
	caught 'once by the bus' write hook-again.rc 1
	caught 'somebody else has' write hook-held.rc 0
	caught 'somebody else has' swap hook-held.out 0x00000001 0x00000000
	caught 'silent again' swap hook-stop.out ' 2$' ' 6'
	caught 'silent again' write hook-stop.rc 1
	caught 'blocked while' swap hook-faults.err 'blocked it 1 time' 'blocked it 2 times'
	caught 'blocked while' swap hook-faults.err 'fault index 0x7f8' 'nothing'
	caught 'blocked while' write hook-no-faults.err "metis-passthrough: the IOMMU blocked it"
	caught 'does not come back' write hook-wedged.rc 0
	caught 'does not come back' swap hook-unwedged.out 'bus flr' 'flr bus'
	caught 'second hook' swap hook-dead.err 'another run' 'no other run'
	caught 'second hook' write hook-dead.rc 0
}

@test "judge: a defect that is not seen, or seen elsewhere, is seen" {
	caught 'spoils data' edit self-wrong-data.out '(.results[] | select(.case == "dma-scattered") | .verdict) = "pass"'
	caught 'spoils data' edit self-overrun.out '(.results[] | select(.case == "dma-read") | .verdict) = "fail"'
	caught 'spoils data' write self-lying.rc 0
	caught 'spoils data' edit self-truncated.out '(.results[] | select(.case == "dma-read") | .summary) = "something"'
	caught 'of a transfer' edit self-stuck.out '(.results[0].summary) = "something"'
	caught 'of a transfer' write self-status.rc 3
	caught 'no messages' edit self-drop-irq.out '(.results[] | select(.case == "quiet") | .verdict) = "fail"'
	caught 'no messages' edit self-wrong-irq.out '(.results[] | select(.case == "irq-message") | .evidence) = []'
	caught 'no defect' edit self-unknowns.out '.summary.skip = 4'
	caught 'no defect' write self-again.rc 3
	caught 'shows nothing' write self-link-down.rc 135
	caught 'shows nothing' write self-zeros.err 'something'
}
