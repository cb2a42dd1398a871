#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# diagnose: what a log says, from whom, and what explains it.
load helpers

log() {
	printf '%s\n' "$TOP_SRCDIR/tests/logs/$1.log"
}

# The id of the best explanation of topic $1.
best() {
	jq -r --arg topic "$1" 'first(.hypotheses[] | select(.topic == $topic)).id' <<<"$output"
}

@test "the forum's two lines, fed raw, are decoded and explained" {
	metis 1 diagnose --format json - <"$(log forum)"
	assert_schema diagnose
	assert_json '.subject' 86:00.0
	assert_json '.faults' 2
	assert_json '.problems | map(.event.kind) | join(" ")' 'dma-fault interrupt-fault'
	assert_json '.problems[0].event.addresses[0].address' 0x149800000
	assert_json '.problems[0].event.reason' 0x05
	assert_json '.problems[0].event.source.domain' null
	assert_json '.problems[1].event.index' 0x28
	assert_json '.problems[1].event.reason' 0x22
	assert_equal "$(best dma)" stale-window
	assert_equal "$(best interrupt)" untranslated-message
	# What would tell the variants apart is asked for.
	assert_json '.missing | map(select(.learn | test("--vm"))) | .[0].decides | contains(["guest-iommu-handle"])' true
	metis 1 diagnose "$(log forum)"
	assert_line --index 0 --regexp '^FAULTS: 86:00.0 was blocked by the IOMMU twice, possibly because of a stale DMA window in the card and of an interrupt message that VFIO could not translate$'
	[ -z "$stderr" ]
}

@test "on the node itself the same lines are those of the card" {
	metis 1 diagnose --sysroot "$(host forum-node)" --format json "$(log forum-dmesg)"
	assert_schema diagnose
	assert_json '.subject' 0000:86:00.0
	assert_json '.device.id' 1f9d:1100
	assert_json '.problems[0].requester' device
	assert_json '.hypotheses | map(select(.likelihood == "likely").id) | contains(["untranslated-message"])' true
}

@test "what is in the card decides between the explanations of the forum's lines" {
	metis 1 diagnose --sysroot "$(host stale-window)" --format json "$(log forum)"
	assert_schema diagnose
	assert_json '.hypotheses[0].id' stale-window
	assert_json '.hypotheses[0].for | any(test("its window is open to exactly this address"))' true
	assert_equal "$(best interrupt)" stale-host-message
	metis 1 diagnose --sysroot "$(host stale-window)" "$(log forum)"
	assert_line --index 0 --partial "most likely because of a stale DMA window in the card and of an interrupt message left by"
	# Quiet since, as the card of set-up is: nothing of it counts.
	metis 1 diagnose --sysroot "$(host set-up)" --format json "$(log forum)"
	assert_json '[.hypotheses[].for[], .hypotheses[].against[]] | any(test("its window|own message"))' false
}

@test "where the lab knows the truth, it is the best of the variants, or what would decide is named" {
	variant() {
		jq -r 'first(.hypotheses[] | select(.topic == "interrupt" and .id != "untranslated-message")).id' <<<"$output"
	}
	printf 'memory: 64\nmachine: q35\nhostpci0: 09:00,pcie=1\n' >"$BATS_TEST_TMPDIR/101.conf"
	# The number of an event in a block of 32: no transfer has it, and no sum with a guest's vector is likely to.
	metis 1 diagnose --profile metis --vm "$BATS_TEST_TMPDIR/101.conf" --format json "$(log lab-kept)"
	assert_equal "$(variant)" kept-message
	# An entry that could be anything: the card's real message decides, and is asked for.
	metis 1 diagnose --profile metis --vm "$BATS_TEST_TMPDIR/101.conf" --format json "$(log lab-beyond)"
	assert_json '.missing[] | select(.learn | test("while the VM runs")).decides | contains(["firmware-vector", "version-skew"])' true
	assert_json '[.hypotheses[] | select(.id == "version-skew" or .id == "firmware-vector").score] | .[0] == .[1]' true
}

@test "a VM's configuration moves the ranking" {
	local conf=$BATS_TEST_TMPDIR/101.conf
	printf 'memory: 4096\nmachine: pc\nhostpci0: 86:00,pcie=1\n' >"$conf"
	metis 1 diagnose --profile metis --vm "$conf" --format json "$(log forum)"
	# 4 GiB on i440fx end at 0x140000000: the address is outside.
	assert_json '.problems[0].place' "above all RAM (64-bit PCI window) of VM 101"
	assert_json '.hypotheses | map(.id) | index("stale-window") < index("not-in-vm-map")' true
	assert_json '.hypotheses[] | select(.id == "guest-iommu-handle").likelihood' unlikely
	printf 'memory: 8192\nmachine: q35,viommu=intel\nhostpci0: 86:00,pcie=1\n' >"$conf"
	metis 1 diagnose --profile metis --vm "$conf" --format json "$(log forum)"
	assert_json '.problems[0].place' "RAM above 4 GiB of VM 101"
	assert_json '.hypotheses[] | select(.id == "guest-iommu-handle").likelihood' likely
	assert_json '.hypotheses | map(select(.topic == "dma").id)[0]' not-in-vm-map
	# A card that keeps no message of its own has no such explanation.
	metis 1 diagnose --profile nvme --vm "$conf" --format json "$(log forum)"
	assert_json '.hypotheses | map(.id) | any(. == "stale-window" or . == "version-skew")' false
}

@test "every log has a report of each format, as its schema says" {
	local file notes with_notes=0
	# Short names: a path is longer than a line where somebody builds deep enough.
	cd "$TOP_SRCDIR/tests/logs"
	for file in *.log; do
		run --separate-stderr timeout 60 "$METIS" diagnose --format json "$file"
		[ "$status" -le 1 ] || fail "$file: exit $status: $stderr"
		assert_schema diagnose
		assert_json .exit_code "$status"
		assert_json '(.problems | length > 0)' "$([ "$status" -eq 1 ] && echo true || echo false)"
		notes=$(jq '.notes | length' <<<"$output")
		with_notes=$((with_notes + (notes > 0)))
		# Trouble has an explanation that something speaks for, or says that it has none.
		assert_json '(.problems | length) == 0 or ((.hypotheses | any(.likelihood != "unlikely")) != (.verdict | test("nothing here tells why")))' true
		COLUMNS=80 run --separate-stderr "$METIS" diagnose --verbose --color never "$file"
		[ -z "$stderr" ]
		run awk 'length > 80 && / / && !/^ *[^ ]*$/' <<<"$output"
		assert_output ""
		run --separate-stderr "$METIS" diagnose --format markdown "$file"
		[ "$status" -le 1 ]
		assert_line --index 0 --regexp '^## .+'
		# What limits the answer goes with it.
		[ "$(grep -c '^- \*\*Note:\*\* ' <<<"$output")" -eq "$notes" ] || fail "$file: not $notes notes"
	done
	[ "$with_notes" -ge 2 ]
}

@test "a quiet log is quiet" {
	metis diagnose "$(log quiet)"
	assert_line --index 0 "diagnose: No fault found"
	metis diagnose --format json - <"$(log quiet)"
	assert_json .events 0
	assert_json .exit_code 0
}

@test "what is no text is no log without faults" {
	local tmp=$BATS_TEST_TMPDIR
	: >"$tmp/empty"
	gzip -c "$(log forum)" >"$tmp/log.gz"
	xz -c "$(log forum)" >"$tmp/log.xz"
	printf 'LPKSHHRH\0\0\0\0' >"$tmp/system.journal"
	printf 'a\0b\n' >"$tmp/binary"
	for file in empty:"it is empty" log.gz:zcat log.xz:xzcat system.journal:"journalctl --file" binary:"it is not text"; do
		metis 3 diagnose "$tmp/${file%%:*}"
		[[ $stderr == *"$tmp/${file%%:*}: cannot read as a log: "*"${file#*:}"* ]] || fail "$stderr"
		[ -z "$output" ]
	done
	metis 3 diagnose --since 1d - </dev/null
	# A log that a crash has torn has holes, and is read.
	{ cat "$(log forum)" && printf '\0\0\0\0\n'; } >"$tmp/holes"
	metis 1 diagnose "$tmp/holes"
}

@test "the repair of messages is named as an experiment only where it can be one" {
	named() {
		jq -r '.notes | any(test("--repair-msi --dry-run --device 0000:86:00.0"))' <<<"$output"
	}
	metis 1 diagnose --sysroot "$(host stale-window)" --format json "$(log forum)"
	assert_equal "$(named)" true
	# A guest with an IOMMU, no blocked message, no host.
	printf 'memory: 8192\nmachine: q35,viommu=intel\nhostpci0: 86:00,pcie=1\n' >"$BATS_TEST_TMPDIR/101.conf"
	metis 1 diagnose --sysroot "$(host stale-window)" --vm "$BATS_TEST_TMPDIR/101.conf" --format json "$(log forum)"
	assert_equal "$(named)" false
	metis 1 diagnose --sysroot "$(host stale-window)" --format json - < <(grep 'DMA Write' "$(log forum)")
	assert_equal "$(named)" false
	metis 1 diagnose --profile metis --format json "$(log forum)"
	assert_equal "$(named)" false
}

@test "a device that nothing is about is not blamed for others" {
	metis 1 diagnose --device 99:00.0 "$(log forum)"
	assert_line --index 0 "FAULTS: nothing here is about 99:00.0; but 86:00.0: A write was blocked: no mapping lets the device write there"
	metis 1 diagnose --device 86:00.0 "$(log forum)"
	assert_line --index 0 --regexp '^FAULTS: 86:00.0 was blocked'
}

@test "names that look like faults blame nobody" {
	metis diagnose --format json "$(log injected)"
	assert_json .events 0
}

@test "an I/O APIC is no card" {
	metis 1 diagnose --format json "$(log intel-ioapic-25)"
	assert_json '.problems[] | select(.event.source.address == "f0:1f.0").requester' chip
	metis 1 diagnose --format json "$(log intel-3.16-interrupt)"
	assert_json '.subject' null
	assert_equal "$(best interrupt)" chip-requester
}

@test "suppressed faults are counted, and counts say 'at least'" {
	metis 1 diagnose --format json "$(log intel-suppressed)"
	assert_json .at_least true
	assert_json .faults 8217
	metis 1 diagnose "$(log intel-suppressed)"
	assert_line --index 0 --partial "at least"
}

@test "an address in several PCI segments is called ambiguous" {
	metis list --sysroot "$(host vmd-sparse)" --format json
	local twice
	twice=$(jq -r '[.devices[].address | split(":")[1:] | join(":")] | group_by(.)[] | select(length > 1)[0]' <<<"$output" | head -n 1)
	[ -n "$twice" ] || skip "no captured host has one address in two segments"
	sed "s/86:00.0/$twice/" "$(log forum)" >"$BATS_TEST_TMPDIR/log"
	metis 1 diagnose --sysroot "$(host vmd-sparse)" --format json "$BATS_TEST_TMPDIR/log"
	assert_json '.problems[0].requester' several
	assert_json '.device' null
}

@test "what was tried is recognised, and why it cannot help" {
	metis diagnose --format json "$(log tried)"
	for what in allow_unsafe_interrupts mem-prealloc kernel-irqchip=split "unloading the host's module"; do
		assert_json ".attempts | any(.what == \"$what\" and (.verdict | length > 40))" true
	done
	printf 'memory: 8192\nhugepages: 1024\nargs: -machine kernel-irqchip=split\n' >"$BATS_TEST_TMPDIR/7.conf"
	metis 1 diagnose --vm "$BATS_TEST_TMPDIR/7.conf" --format json "$(log forum)"
	assert_json '.attempts | map(.what) | sort | join(",")' hugepages,kernel-irqchip=split
}

@test "--since leaves out what was before, and says so where there are no dates" {
	metis 1 diagnose --since 2026-11-22 --format json "$(log intel-6.8-syslog)"
	metis diagnose --since 2026-11-23 --format json "$(log intel-6.8-syslog)"
	assert_json .events 0
	metis 3 diagnose --since 2h "$(log forum-dmesg)"
	[[ $stderr == *"--since 2h: the times in the log don't tell the date"* ]] || fail "$stderr"
	metis 2 diagnose --since yesterday-ish "$(log forum)"
	metis diagnose --since 1d - <"$(log quiet)"
}

@test "the kernel's log of a captured host" {
	metis diagnose --sysroot "$(host forum-node)"
	assert_line --index 0 "diagnose: No fault found"
	assert_line --regexp '^Log +kernel log'
}

@test "what cannot be read is exit code 3, what makes no sense 2" {
	metis 3 diagnose "$BATS_TEST_TMPDIR/missing"
	[[ $stderr == *"missing: cannot open: No such file or directory"* ]] || fail "$stderr"
	metis 3 diagnose "$BATS_TEST_TMPDIR"
	metis 2 diagnose --boot x
	metis 2 diagnose --boot 0 "$(log forum)"
	metis 2 diagnose --follow --sysroot "$(host forum-node)"
	metis 2 diagnose --device 86.0 "$(log forum)"
	metis 2 diagnose --format junit "$(log forum)"
	metis 2 preflight --format markdown --sysroot "$(host forum-node)"
	metis 3 diagnose --sysroot "$BATS_TEST_TMPDIR"
}

@test "binary junk, and a device or driver name with markup, stay text" {
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/junk"
	run --separate-stderr timeout 60 "$METIS" diagnose "$BATS_TEST_TMPDIR/junk"
	[ "$status" -eq 3 ]
	printf 'vfio-pci 0000:86:00.0: not ready 65535ms after **FLR**|<b>\033[31m`~~~~; giving up\n~~~~ DMAR\n' >"$BATS_TEST_TMPDIR/log"
	metis 1 diagnose --format markdown "$BATS_TEST_TMPDIR/log"
	run grep -c '^~~~~' <<<"$output"
	assert_output 2
	metis 1 diagnose --color never "$BATS_TEST_TMPDIR/log"
	refute_output --partial $'\033'
}

@test "memory does not grow with the log" {
	# Its shadow memory alone is larger than any limit.
	! ldd "$METIS" | grep -q asan || skip "built with a sanitizer"
	local line='[  101.500000] DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr 0x%x [fault reason 0x05] PTE Write'
	awk -v line="$line\n" 'BEGIN { for (i = 0; i < 400000; i++) printf line, i * 4096 }' >"$BATS_TEST_TMPDIR/log"
	(
		ulimit -v 400000
		exec timeout 60 "$METIS" diagnose --format json "$BATS_TEST_TMPDIR/log"
	) >"$BATS_TEST_TMPDIR/out" || [ $? = 1 ]
	output=$(cat "$BATS_TEST_TMPDIR/out")
	assert_json .faults 400000
	assert_json '.problems | length' 1
	assert_json '.problems[0].event.addresses | length' 16
	assert_json '.problems[0].event.more_addresses' true
}

@test "a journal that is not there is no journal without faults" {
	mkdir -p "$BATS_TEST_TMPDIR/root/sys" "$BATS_TEST_TMPDIR/root/var/log/journal"
	metis 3 diagnose --boot 0 --sysroot "$BATS_TEST_TMPDIR/root"
	[[ $stderr == *"journal of boot 0: cannot read: "* ]] || fail "$stderr"
}
