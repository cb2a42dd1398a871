#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# status on trees that setup has changed: all kept after the boot, and each drift one at a time.
load helpers
load system

CARD=0000:86:00.0
CONF=/etc/metis-passthrough/config.yaml
UNIT=/etc/systemd/system/metis-passthrough-status.service
RECORD=/run/metis-passthrough/status.json

setup() {
	export TZ=UTC COLUMNS=1000
	need_system
	tree=$(system forum-node)
	boot 11111111-1111-1111-1111-111111111111
}

# boot ID: the next boot: a new id, and the command line that was staged.
boot() {
	mkdir -p "$tree/proc/sys/kernel/random"
	echo "$1" >"$tree/proc/sys/kernel/random/boot_id"
	chmod u+w "$tree/proc/cmdline"
	sed -n 's/^\tlinux\t\(\/boot\/vmlinuz[^ ]*\) /BOOT_IMAGE=\1 /p' "$tree/boot/grub/grub.cfg" | head -n 1 >"$tree/cmdline"
	cat "$tree/cmdline" >"$tree/proc/cmdline"
	rm "$tree/cmdline"
}

set_up() {
	metis setup --sysroot "$tree" --yes -d "$CARD"
}

set_up_and_boot() {
	set_up
	boot 22222222-2222-2222-2222-222222222222
}

# drift ID WORD: exactly one promise is broken, the one with ID, and WORD is told about it.
drift() {
	metis 1 status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict drift
	assert_json '[.findings[] | select(.severity == "fail") | .id] | join(" ")' "$1"
	assert_json '.findings[0].id' "$1"
	[[ $(jq -r '.findings[0] | .summary + .remedy + (.evidence | tostring)' <<<"$output") == *"$2"* ]] ||
		fail "no '$2' in $(jq '.findings[0]' <<<"$output")"
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --partial "DRIFT: 1 of "
	assert_line --partial "$1"
}

kept() {
	metis status --sysroot "$tree"
	assert_line --index 0 --regexp "^status: all [0-9]+ promises kept$"
	metis status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict kept
	assert_json .summary.pass "$(jq '.findings | length' <<<"$output")"
}

@test "where nothing is set up, that is the answer" {
	metis status --sysroot "$tree"
	assert_output "status: nothing is set up by this program"
	metis status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict nothing
	assert_json '.findings | length' 0
	metis 2 status --sysroot "$tree" --format junit
	assert_usage_error
}

@test "before the reboot: not yet; after it: all kept" {
	printf 'BOOT_IMAGE=/boot/vmlinuz root=/dev/mapper/pve-root ro quiet\n' >"$tree/proc/cmdline"
	rm "$tree/sys/bus/pci/devices/$CARD/driver"
	set_up
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --partial "not yet: reboot pending: "
	metis 1 status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict reboot-pending
	assert_json .reboot_pending true
	assert_json .summary.fail 0
	boot 22222222-2222-2222-2222-222222222222
	ln -s ../../../bus/pci/drivers/vfio-pci "$tree/sys/bus/pci/devices/$CARD/driver"
	kept
}

@test "a file changed, removed, or with other permissions" {
	set_up_and_boot
	kept
	cp -p "$tree$CONF" "$BATS_TEST_TMPDIR/kept"
	echo '# mine' >>"$tree$CONF"
	drift status-file "changed it"
	rm "$tree$CONF"
	drift status-file "gone"
	cp -p "$BATS_TEST_TMPDIR/kept" "$tree$CONF"
	chmod 600 "$tree$CONF"
	drift status-file "chmod 0644 $CONF"
	chmod 644 "$tree$CONF"
	kept
}

@test "the unit disabled" {
	set_up_and_boot
	rm "$tree"/etc/systemd/system/multi-user.target.wants/metis-passthrough-status.service
	drift status-link gone
}

@test "the card on another driver, or on none" {
	set_up_and_boot
	ln -sfn ../../../bus/pci/drivers/axl "$tree/sys/bus/pci/devices/$CARD/driver"
	drift status-binding "axl has the card"
	rm "$tree/sys/bus/pci/devices/$CARD/driver"
	drift status-binding "no driver has the card"
}

@test "the card had another driver since the boot" {
	set_up_and_boot
	echo "[    9.000000] axl $CARD: enabling device (0000 -> 0002)" >>"$tree/metis-passthrough/klog"
	drift status-binding "axl $CARD: enabling device"
}

@test "another card at the address, the card at another one" {
	set_up_and_boot
	echo 0x0002 >"$tree/sys/bus/pci/devices/$CARD/subsystem_device"
	drift status-pin "subsystem"
}

@test "the card's group has another member" {
	set_up_and_boot
	rm "$tree"/sys/kernel/iommu_groups/*/devices/0000:3b:00.0
	ln -s ../../../../devices/x "$tree/sys/kernel/iommu_groups/22/devices/0000:3b:00.0"
	ln -sfn ../../../../kernel/iommu_groups/22 "$tree/sys/bus/pci/devices/0000:3b:00.0/iommu_group"
	drift status-group "0000:3b:00.0 (nvme) joined"
}

@test "an image that lacks the binding, though the files are right" {
	tree=$(system host-driver "$BATS_TEST_TMPDIR/images")
	boot 11111111-1111-1111-1111-111111111111
	image=$(find "$tree/boot" -name 'initrd.img-*' | sort | tail -n 1)
	cp -p "$image" "$BATS_TEST_TMPDIR/old"
	set_up
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --regexp "^not yet: reboot pending: 1 of [0-9]+ promises counts from the next boot on$"
	boot 22222222-2222-2222-2222-222222222222
	drift status-binding "axl has the card"
	ln -sfn ../../../bus/pci/drivers/vfio-pci "$tree/sys/bus/pci/devices/$CARD/driver"
	drift status-binding "axl $CARD: "
	sed -i '/axl/d' "$tree/metis-passthrough/klog"
	# The vendor's driver is loaded still, and the log does not tell who was first.
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --partial "UNKNOWN: 1 of "
	echo "[    1.500000] vfio_pci: add [1f9d:1100[ffffffff:ffffffff]] class 0x000000/00000000" \
		>>"$tree/metis-passthrough/klog"
	kept
	cp -p "$BATS_TEST_TMPDIR/old" "$image"
	drift status-image "update-initramfs -u -k ${image##*/initrd.img-}"
}

@test "nothing is said of what could not be read" {
	set_up_and_boot
	rm "$tree/sys/bus/pci/devices/$CARD/driver"
	mkdir "$tree/sys/bus/pci/devices/$CARD/driver"
	metis 1 status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict unknown
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --partial "UNKNOWN: 1 of "
}

@test "an interrupted setup is no setup" {
	set_up_and_boot
	sed -i '$d' "$tree/var/lib/metis-passthrough/0001/log"
	metis 1 status --sysroot "$tree"
	assert_line --index 0 --partial "DRIFT: transaction 0001: A setup was interrupted"
	assert_line --partial "metis-passthrough rollback"
	metis 1 status --sysroot "$tree" --format json
	assert_schema status
	assert_json '.findings[0].id' status-transaction
	# While whoever makes it is still there, it is not interrupted; nothing can be said yet.
	mkdir -p "$tree/proc/4242"
	echo '4242 metis-passthrough setup' >"$tree/var/lib/metis-passthrough/lock"
	echo metis-passthrou >"$tree/proc/4242/comm"
	metis 3 status --sysroot "$tree"
	[[ $stderr == *"$tree: process 4242 (metis-passthrough setup) is changing this host; wait until it has ended"* ]] || fail "$stderr"
	echo bash >"$tree/proc/4242/comm"
	metis 1 status --sysroot "$tree"
}

@test "--record leaves the report, which preflight believes for this boot only" {
	set_up_and_boot
	metis status --record --sysroot "$tree"
	assert_file_exist "$tree$RECORD"
	assert_equal "$(stat -c %a "$tree$RECORD")" 644
	assert_equal "$(ls -A "$tree/run/metis-passthrough")" status.json
	output=$(cat "$tree$RECORD")
	assert_schema status
	assert_json .verdict kept
	assert_json .boot_id 22222222-2222-2222-2222-222222222222
	verdict pass "promised was so"

	echo '# mine' >>"$tree$CONF"
	verdict pass "promised was so" # what the record says, until the next boot
	metis 1 status --record --sysroot "$tree"
	verdict fail "$CONF"
	boot 33333333-3333-3333-3333-333333333333
	verdict unknown "earlier boot"
	rm "$tree$RECORD"
	verdict unknown "not checked after this boot"
	metis 1 status --record --sysroot "$tree"
	sed -i 's/"0001"/"0002"/' "$tree$RECORD"
	verdict unknown "before the last change"
	echo '{' >"$tree$RECORD"
	verdict unknown "could not be read"
	metis rollback --sysroot "$tree" --yes --force "$CONF"
	verdict skip "Nothing is set up"
}

# What monitoring reads is not about a state that is no more.
@test "setup and rollback take away the report of what was before" {
	set_up_and_boot
	metis status --record --sysroot "$tree"
	metis rollback --sysroot "$tree" --yes
	assert_not_exist "$tree$RECORD"
	metis status --record --sysroot "$tree"
	assert_file_exist "$tree$RECORD"
	metis setup --sysroot "$tree" --yes -d 86:00.0
	assert_not_exist "$tree$RECORD"
}

@test "a file of an odd mode gets the one that is promised, its owner stays, and rollback brings the mode back" {
	mkdir -p "$tree${UNIT%/*}"
	printf 'old\n' >"$tree$UNIT"
	chmod 0600 "$tree$UNIT"
	chown 12:34 "$tree$UNIT"
	set_up_and_boot
	assert_equal "$(stat -c '%a %u:%g' "$tree$UNIT")" "644 12:34"
	metis status --sysroot "$tree"
	metis plan --sysroot "$tree" -d 86:00.0
	assert_line --index 0 --partial "nothing to do"
	chmod 0600 "$tree$UNIT"
	metis 1 status --sysroot "$tree"
	metis setup --sysroot "$tree" --yes -d 86:00.0
	assert_output --partial "gets mode 0644"
	metis status --sysroot "$tree"
	metis rollback --sysroot "$tree" --yes
	assert_equal "$(stat -c %a "$tree$UNIT")" 600
	chmod 0644 "$tree$UNIT"
	metis rollback --sysroot "$tree" --yes
	assert_equal "$(stat -c '%a %u:%g' "$tree$UNIT")" "600 12:34"
	assert_equal "$(cat "$tree$UNIT")" old
}

# verdict SEVERITY WORD: of the check setup-status.
verdict() {
	run --separate-stderr "$METIS" preflight -c setup-status --sysroot "$tree" --format json
	assert_json '.findings[0].severity' "$1"
	[[ $(jq -r '.findings[0].summary' <<<"$output") == *"$2"* ]] || fail "no '$2' in $output"
}

@test "the unit is what systemd takes, and its paths are there" {
	set_up
	assert_equal "$(readlink "$tree"/etc/systemd/system/multi-user.target.wants/metis-passthrough-status.service)" \
		../metis-passthrough-status.service
	program=$(sed -n 's/^ExecStart=\([^ ]*\) status --record$/\1/p' "$tree$UNIT")
	[[ $program == /*/metis-passthrough ]] || fail "$(cat "$tree$UNIT")"
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	sed "s|$program|/bin/true|; /^Documentation=/d" "$tree$UNIT" >"$BATS_TEST_TMPDIR/metis-passthrough-status.service"
	run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/metis-passthrough-status.service"
	refute_output --partial metis-passthrough-status.service
	sed -i 's/^Type=oneshot/Typo=oneshot/' "$BATS_TEST_TMPDIR/metis-passthrough-status.service"
	run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/metis-passthrough-status.service"
	assert_output --partial metis-passthrough-status.service
}

@test "a transaction that promised nothing is not called kept" {
	metis 1 status --sysroot "$(host set-up)"
	assert_line --index 0 "UNKNOWN: what is set up promised nothing that could be checked"
	metis 1 status --sysroot "$(host set-up)" --format json
	assert_json .verdict unknown
}

# self_tested KERNEL VERDICT FAILURES: the report of the card's last self-test.
self_tested() {
	mkdir -p "$tree/var/lib/metis-passthrough/selftest"
	jq -n --arg card "$CARD" --arg kernel "$1" --arg verdict "$2" --argjson fail "$3" '{
		host: {kernel: $kernel}, bios: {version: "3.8a"}, pin: {address: $card, id: "1f9d:1100"}, engine: "dw-edma",
		options: {isolation: true}, started: 1777990400, verdict: $verdict,
		results: [{case: "dma-read", verdict: "fail", summary: "nothing arrived"}],
		summary: {pass: 14, fail: $fail, skip: 2}}' >"$tree/var/lib/metis-passthrough/selftest/$CARD.json"
}

# told VERDICT EXIT SEVERITY WORDS: what status says of the self-test; all else is kept.
told() {
	metis "$2" status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict "$1"
	assert_json '[.findings[] | select(.id == "status-selftest") | .severity] | join(" ")' "$3"
	[[ $(jq -r '.findings[] | select(.id == "status-selftest") | .summary' <<<"$output") == *"$4"* ]] || fail "no '$4'"
	assert_json '[.findings[] | select(.severity != "pass" and .id != "status-selftest")] | length' 0
	metis "$2" status --sysroot "$tree"
}

# ended LINE...: how the last self-test in VM 101 ended.
ended() {
	mkdir -p "$tree/var/lib/metis-passthrough/selftest"
	printf '%s\n' 'metis-passthrough selftest-vm 1' "$@" >"$tree/var/lib/metis-passthrough/selftest/vm-101.last"
}

@test "the last self-test in the configured VM is told, and is no promise" {
	set_up_and_boot
	local kernel
	metis status --sysroot "$tree" --format json
	kernel=$(jq -r .host.kernel <<<"$output")
	ended "verdict failed" "kernel $kernel" "why dma-read: nothing arrived"
	metis status --sysroot "$tree" --format json
	assert_json '[.findings[] | select(.id == "status-selftest")] | length' 0
	sed -i '/^vm:/d' "$tree$CONF"
	printf 'vm: 101\nguest_selftest: run\n' >>"$tree$CONF"
	set_up
	boot 33333333-3333-3333-3333-333333333333
	told kept 0 warn 'its last self-test in the guest failed: dma-read: nothing arrived'
	assert_line --partial "VM 101"
	ended "verdict passed" "kernel $kernel" "device 0000:01:00.0"
	told kept 0 pass 'its last self-test in the guest passed on this host kernel'
	ended "verdict not-run" "why no agent"
	told kept 0 warn 'its last self-test in the guest came to no result: no agent'
	rm -r "$tree/var/lib/metis-passthrough/selftest"
	told kept 0 warn "guest_selftest is 'run', but no self-test"
}

@test "the last self-test is told, and counts only where the configuration requires it" {
	set_up_and_boot
	local kernel promises
	metis status --sysroot "$tree" --format json
	kernel=$(jq -r .host.kernel <<<"$output")
	promises=$(jq '.findings | length' <<<"$output")
	self_tested "$kernel" passed 0
	told kept 0 pass 'its last self-test passed on this kernel and BIOS'
	assert_line --index 0 "status: all $promises promises kept"
	self_tested "$kernel" failed 1
	told kept 0 warn 'its last self-test failed: dma-read: nothing arrived'
	assert_line --index 0 "status: all $promises promises kept"
	assert_line --partial "WARNINGS (1)"
	self_tested 6.1.0-1-pve passed 0
	told kept 0 warn 'passed on kernel 6.1.0-1-pve, and this is'
	# An admin's line, which setup keeps.
	echo 'selftest_last: require' >>"$tree$CONF"
	set_up
	boot 33333333-3333-3333-3333-333333333333
	grep -q '^selftest_last: "\?require' "$tree$CONF"
	self_tested "$kernel" passed 0
	told kept 0 pass 'its last self-test passed on this kernel and BIOS'
	self_tested 6.1.0-1-pve passed 0
	told unknown 1 unknown 'passed on kernel 6.1.0-1-pve, and this is'
	assert_line --index 0 --partial "UNKNOWN: 1 of $((promises + 1)) promises could not be checked: $CARD: its last self-test"
	rm -r "$tree/var/lib/metis-passthrough/selftest"
	told unknown 1 unknown 'no self-test of it was ever run'
	self_tested "$kernel" failed 1
	told drift 1 fail 'its last self-test failed: dma-read: nothing arrived'
	assert_line --index 0 --regexp "^DRIFT: $CARD: its last self-test failed"
	sed -i 's/^selftest_last: .*/selftest_last: off/' "$tree$CONF"
	set_up
	boot 44444444-4444-4444-4444-444444444444
	metis status --sysroot "$tree" --format json
	assert_json '[.findings[] | select(.id == "status-selftest")] | length' 0
}
