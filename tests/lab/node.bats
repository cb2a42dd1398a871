#!/usr/bin/env bats
# Judges what one emulated node brought out: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by `run`.

# The variables come from variants/, the $ of jq are jq's.
# shellcheck disable=SC2154,SC2016

load helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	# shellcheck source=lib/lab.sh
	. "$BATS_TEST_DIRNAME/lib/lab.sh"
	load_variant "$LAB_VARIANT"
	EDU=$(address edu)
	NVME=$(address nvme)
}

@test "$LAB_VARIANT: the node runs every command and powers off" {
	local name
	while read -r name; do
		assert [ -s "$LAB_OUT/$name.rc" ]
	done < <(sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/node/commands")
	# 124 is the time limit, 126 and above no program, a signal, a sanitizer.
	for rc in "$LAB_OUT"/*.rc; do
		run cat "$rc"
		assert_output --regexp '^[0-5]$'
	done
}

@test "$LAB_VARIANT: the emulated IOMMU is what the variant says" {
	# The ground under all other tests, read without the program under test.
	assert_equal "$(fact iommus)" "$iommu_unit"
	assert_equal "$EDU" 0000:00:05.0
	assert_equal "$(fact driver-edu)" vfio-pci
	assert_equal "$(neighbour_interrupts)" "$interrupts"
}

@test "$LAB_VARIANT: list shows edu in its group, on vfio-pci" {
	exited list-json 0
	json "$LAB_OUT/list-json.out" \
		'[.. | objects | select(.address? == $edu)] | length == 1 and (.[0] | .driver == "vfio-pci" and (.iommu_group | tostring) == $group)' \
		--arg edu "$EDU" --arg group "$(fact group-edu)"

	exited list 0
	run grep -F "${EDU#0000:}" "$LAB_OUT/list.out"
	assert_success
	assert_output --partial vfio-pci
}

@test "$LAB_VARIANT: list names every device that pci.ids names" {
	local id name
	# The node has this machine's pci.ids.
	while IFS=$'\t' read -r id name; do
		assert_equal "$id ${name:-null}" "$id $(pci_ids_name "$id")"
	done < <(jq -r '.devices[] | [.id, .device_name // "null"] | @tsv' "$LAB_OUT/list-json.out")
	json "$LAB_OUT/list-json.out" '[.devices[].device_name | strings] | length > 0'
}

@test "$LAB_VARIANT: what is written as JSON is what the schema says" {
	local name
	for name in preflight-edu preflight-nvme preflight-json held-edu replay-edu; do
		fits preflight "$LAB_OUT/$name.out"
		json "$LAB_OUT/$name.out" '.findings | length > 0'
		json "$LAB_OUT/$name.out" '.host.live == $live' --argjson live "$([ "$name" = replay-edu ] && echo false || echo true)"
	done
	fits list "$LAB_OUT/list-json.out"
}

@test "$LAB_VARIANT: preflight's verdicts are those of this node" {
	expect_verdicts "$LAB_OUT/preflight-edu.out" host "${expect_host[@]}"
	expect_verdicts "$LAB_OUT/preflight-edu.out" "$EDU" "${expect_edu[@]}"
	expect_verdicts "$LAB_OUT/preflight-nvme.out" "$NVME" "${expect_nvme[@]}"
}

@test "$LAB_VARIANT: no verdict of pass comes without evidence" {
	json "$LAB_OUT/preflight-edu.out" 'any(.findings[]; .severity == "pass")'
	run jq -r '.findings[] | select(.severity == "pass" and .evidence == []) | .id' "$LAB_OUT/preflight-edu.out"
	assert_output ''
}

@test "$LAB_VARIANT: the exit code is 1 when something fails, else 0" {
	local name
	for name in preflight-edu preflight-nvme preflight-json replay-edu; do
		exited "$name" "$(code_of "$LAB_OUT/$name.out")"
		json "$LAB_OUT/$name.out" '.exit_code == $code' --argjson code "$(cat "$LAB_OUT/$name.rc")"
	done
	assert_equal "$(cat "$LAB_OUT/preflight-edu.rc")" "$edu_exit"
}

@test "$LAB_VARIANT: preflight as text says what it says as JSON" {
	exited preflight "$(cat "$LAB_OUT/preflight-json.rc")"
	assert [ -s "$LAB_OUT/preflight.out" ]
	# What is wrong has to be named. Words and layout are for people and may change, ids may not.
	local id
	while read -r id; do
		run grep -F -- "$id" "$LAB_OUT/preflight.out"
		assert_success
	done < <(jq -r '.findings[] | select(.severity == "fail" or .severity == "warn") | .id' "$LAB_OUT/preflight-json.out")
}

@test "$LAB_VARIANT: a process that has the group open is named, and only then" {
	local open='[.findings[] | select(.id == "device-host-use" and .subject == $edu) | .evidence[].value
		| select(contains("/dev/vfio/" + $group + " is open in sh (pid "))] | length'
	json "$LAB_OUT/held-edu.out" "($open) == 1" --arg edu "$EDU" --arg group "$(fact group-edu)"
	json "$LAB_OUT/preflight-edu.out" "($open) == 0" --arg edu "$EDU" --arg group "$(fact group-edu)"
}

@test "$LAB_VARIANT: the snapshot replayed in the node gives the live verdicts" {
	exited snapshot 0
	verdicts "$LAB_OUT/preflight-edu.out" >"$BATS_TEST_TMPDIR/live"
	verdicts "$LAB_OUT/replay-edu.out" >"$BATS_TEST_TMPDIR/replay"
	assert [ -s "$BATS_TEST_TMPDIR/live" ]
	run diff "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/replay"
	assert_success
}

@test "$LAB_VARIANT: the snapshot replayed on this machine gives the live verdicts" {
	run --separate-stderr "$METIS" preflight --device "$EDU" --format json --sysroot "$LAB_OUT/node.snap"
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/outside.json"
	assert_equal "$status" "$(code_of "$BATS_TEST_TMPDIR/outside.json")"
	verdicts "$LAB_OUT/preflight-edu.out" >"$BATS_TEST_TMPDIR/live"
	verdicts "$BATS_TEST_TMPDIR/outside.json" >"$BATS_TEST_TMPDIR/outside"
	assert [ -s "$BATS_TEST_TMPDIR/live" ]
	run diff "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/outside"
	assert_success
}

@test "$LAB_VARIANT: the snapshot replayed on this machine lists the live devices" {
	run --separate-stderr "$METIS" list --format json --sysroot "$LAB_OUT/node.snap"
	assert_success
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/outside.json"
	json "$LAB_OUT/list-json.out" '.devices | length > 0'
	local same='{devices, host: (.host | del(.origin, .live))}'
	run diff <(jq -S "$same" "$LAB_OUT/list-json.out") <(jq -S "$same" "$BATS_TEST_TMPDIR/outside.json")
	assert_success
}

@test "$LAB_VARIANT: a replay admits what only a live host can tell" {
	# Such a verdict may differ from the live one, so it is unknown, or says what it did not see.
	json "$LAB_OUT/replay-edu.out" '[.findings[] | select(.live_only)
		| .severity == "unknown" or .severity == "skip" or any(.evidence[].value; test("live host needed"))] | all'
	json "$LAB_OUT/preflight-edu.out" '.findings | length > 0'
	# The same findings are marked live as in the replay.
	local marked='[.findings[] | select(.live_only) | .id] | sort'
	assert_equal "$(jq -c "$marked" "$LAB_OUT/preflight-edu.out")" "$(jq -c "$marked" "$LAB_OUT/replay-edu.out")"
}

@test "$LAB_VARIANT: bind hands the neighbour over, and again is nothing to do" {
	exited bind-nvme 0
	assert_equal "$(cat "$LAB_OUT/bind-nvme.out")" "$NVME: nvme -> vfio-pci"
	assert_equal "$(one_line bound-nvme)" 'vfio-pci vfio-pci'
	exited bind-again 0
	assert_equal "$(cat "$LAB_OUT/bind-again.out")" "$NVME: stays with vfio-pci"
}

@test "$LAB_VARIANT: unbind gives the neighbour back to its driver" {
	exited unbind-nvme 0
	assert_equal "$(cat "$LAB_OUT/unbind-nvme.out")" "$NVME: vfio-pci -> nvme"
	assert_equal "$(one_line unbound-nvme)" 'nvme (null) nvme0'
}

@test "$LAB_VARIANT: unbind is refused while the group is open" {
	exited unbind-held 1
	run cat "$LAB_OUT/unbind-held.err"
	assert_output --regexp "^metis-passthrough unbind: $EDU: in use: .*open in sh \(pid [0-9]+\)"
}

@test "$LAB_VARIANT: unbind sees that vfio-pci took the device again" {
	exited new-id 3
	run cat "$LAB_OUT/new-id.err"
	assert_output --partial "$EDU: vfio-pci took it again"
	assert_equal "$(one_line new-id-edu)" 'vfio-pci (null)'
}

@test "$LAB_VARIANT: bind takes nothing that is open, unless it is forced" {
	exited bind-used 1
	run cat "$LAB_OUT/bind-used.err"
	assert_output --regexp "$NVME: in use: .*nvme0n1.*sh \(pid [0-9]+\).*--force $NVME"
	exited bind-forced 0
	assert_equal "$(one_line forced-nvme)" 'vfio-pci'
}

@test "$LAB_VARIANT: the NVMe proves DMA, interrupts and isolation by its admin queue" {
	[ "$iommu_unit" != ivhd0 ] || skip "QEMU's AMD IOMMU translates nothing behind a port"
	case " ${expect_host[*]} " in
	*' interrupt-remapping-active=pass '*) ;;
	*)
		# VFIO refuses, and the refusal says why.
		exited self-nvme 3
		run cat "$LAB_OUT/self-nvme.err"
		assert_output --regexp "^metis-passthrough selftest: $NVME: .* without interrupt remapping"
		json "$LAB_OUT/self-nvme-last.out" '.findings[0].severity == "skip"'
		return
		;;
	esac
	exited self-nvme 0
	run jq -r --slurpfile schema "$BATS_TEST_DIRNAME/../../templates/schema/selftest.schema.json" -L "$BATS_TEST_DIRNAME/../cli" \
		'include "schema"; complaints($schema[0])' "$LAB_OUT/self-nvme.out"
	assert_success
	assert_output ''
	json "$LAB_OUT/self-nvme.out" '.verdict == "passed" and .engine == "nvme" and .summary.fail == 0'
	for case in dma-read dma-write dma-iova-forum irq-msix isolation-write-unmapped isolation-write-readonly \
		isolation-read-unmapped; do
		json "$LAB_OUT/self-nvme.out" ".results | map(select(.case == \"$case\"))[0].verdict == \"pass\""
	done
	# The disk told what it had read, and the kernel what it refused: read without the program's word.
	json "$LAB_OUT/self-nvme.out" 'any(.results[]; .case == "dma-read" and (.summary | test("tells what they were")))'
	run grep -cF "Request device [${NVME#0000:}]" "$LAB_OUT/dmesg"
	assert [ "$output" -ge 3 ]
	json "$LAB_OUT/self-nvme-last.out" '.findings[0] | .id == "selftest-last" and .severity == "pass"'
}

@test "$LAB_VARIANT: after its test the NVMe is a disk again, which no test touches" {
	run cat "$LAB_OUT/self-nvme-quiet.err"
	assert_output --partial '8+0 records in'
	assert_output --partial "$NVME: is with nvme, not with vfio-pci"
	exited self-nvme-quiet 3
}

@test "$LAB_VARIANT: an engine for NVMe controllers drives nothing else" {
	[ "$iommu_unit" != ivhd0 ] || skip "QEMU's AMD IOMMU translates nothing behind a port"
	exited self-nvme-wrong 3
	run cat "$LAB_OUT/self-nvme-wrong.err"
	assert_output --regexp "$EDU: (is no NVMe controller: its class is 00ff00, not 010802|.* without interrupt remapping)"
}

# verdicts_of FILE: CASE=VERDICT of a self-test, one a line.
verdicts_of() {
	jq -r '.results[] | "\(.case)=\(.verdict)"' "$LAB_OUT/$1.out"
}

@test "$LAB_VARIANT: what the self-test finds is what this node has" {
	if [ "$selftest" = refused ]; then
		exited selftest 3
		run cat "$LAB_OUT/selftest.err"
		assert_output --partial "$EDU: the kernel refuses it to VFIO, which it does without interrupt remapping"
		return
	fi
	fits selftest "$LAB_OUT/selftest.out"
	exited selftest "$((${#selftest_fails[@]} > 0))"
	run diff <(verdicts_of selftest | grep '=fail$') <(printf '%s=fail\n' "${selftest_fails[@]}" | grep -v '^=')
	assert_output ''
	run diff <(verdicts_of selftest | grep '=skip$') <(printf '%s=skip\n' "${selftest_skips[@]}")
	assert_output ''
	json "$LAB_OUT/selftest.out" '.results | length == 20'
	json "$LAB_OUT/selftest.out" 'any(.results[]; .case == "dma-iova-top" and (.summary | contains($top)))' --arg top "$selftest_top"
}

# log_is_real NAME: what that self-test brings as lines of the kernel's log is there, and there are some.
log_is_real() {
	local line
	if [[ " ${selftest_fails[*]} " != *' isolation-write-unmapped '* ]]; then
		json "$LAB_OUT/$1.out" '[.results[] | select(.case | startswith("isolation-")) | .evidence[]
			| select(.source == "kernel log")] | length >= 3'
	fi
	while read -r line; do
		run grep -F -- "$line" "$LAB_OUT/dmesg"
		assert_success
	done < <(jq -r '.results[].evidence[] | select(.source == "kernel log") | .value' "$LAB_OUT/$1.out")
}

@test "$LAB_VARIANT: what the self-test says of the kernel's log is in it" {
	[ "$selftest" != refused ] || skip 'it was refused here'
	local name
	log_is_real selftest
	for name in self-nvme cdev self-cdev; do
		[ ! -s "$LAB_OUT/$name.out" ] || log_is_real "$name"
	done
}

@test "$LAB_VARIANT: the kernel's log has the faults that the self-test provoked" {
	[ ${#selftest_faults[@]} -gt 0 ] || skip 'this node logs none'
	local fault
	for fault in "${selftest_faults[@]}"; do
		run grep -cE "DMAR: \[$fault" "$LAB_OUT/dmesg"
		assert_success
	done
}

@test "$LAB_VARIANT: the self-test leaves nothing behind" {
	local name
	# Not bus mastering (4), not a VFIO file of some process, not another driver, not a byte of configuration space.
	for name in selftest cdev; do
		assert_equal "$(one_line "$name-left")" 'command 3 files 0 driver vfio-pci override (null) config as before'
	done
	for name in self-nvme self-cdev; do
		assert_equal "$(one_line "$name-left")" 'command 3 files 0 driver vfio-pci override vfio-pci config as before'
	done
	run tail -n 1 "$LAB_OUT/selftest-found.out"
	assert_output 'config of 256 bytes'
	run tail -n 1 "$LAB_OUT/nvme-found.out"
	assert_output 'config of 4096 bytes'
}

@test "$LAB_VARIANT: a signal ends the self-test, and the device with it" {
	[ "$selftest" != refused ] || skip 'it was refused here'
	exited selftest-term 3
	run cat "$LAB_OUT/selftest-term.err"
	assert_output --partial interrupted
	assert_equal "$(one_line selftest-term)" 'command 3 files 0 driver vfio-pci override (null) config as before'
}

@test "$LAB_VARIANT: a self-test that crashes or is killed leaves nothing behind either" {
	[ "$selftest" != refused ] || skip 'it was refused here'
	local left='command 3 files 0 driver vfio-pci override (null) config as before'
	assert_equal "$(one_line selftest-dies)" "SEGV 139 $left KILL 137 $left"
}

# has_cdev: this node's kernel gives each device a file of its own.
has_cdev() {
	[[ " ${ways[*]} " == *' cdev '* ]]
}

@test "$LAB_VARIANT: the self-test goes in by group, unless it is told otherwise" {
	[ "$selftest" != refused ] || skip 'it was refused here'
	json "$LAB_OUT/selftest.out" '.way == "group"'
}

@test "$LAB_VARIANT: by cdev it finds the same, or says why there is no such way" {
	if [ "$selftest" = refused ]; then
		exited cdev 3
		run cat "$LAB_OUT/cdev.err"
		assert_output --partial "$EDU: the kernel refuses it to VFIO, which it does without interrupt remapping"
		return
	fi
	if ! has_cdev; then
		exited cdev 3
		run cat "$LAB_OUT/cdev.err"
		assert_output --partial "$EDU: the kernel has no file of its own for it: it is older than 6.6"
		return
	fi
	fits selftest "$LAB_OUT/cdev.out"
	json "$LAB_OUT/cdev.out" '.way == "cdev" and .options.cases == null'
	exited cdev "$(cat "$LAB_OUT/selftest.rc")"
	run diff <(verdicts_of selftest) <(verdicts_of cdev)
	assert_output ''
	# The IOMMU is one, so are its limits.
	json "$LAB_OUT/cdev.out" 'any(.results[]; .case == "dma-iova-top" and (.summary | contains($top)))' --arg top "$selftest_top"
}

@test "$LAB_VARIANT: by cdev the neighbour proves the same" {
	[ "$iommu_unit" != ivhd0 ] || skip "QEMU's AMD IOMMU translates nothing behind a port"
	if [ "$selftest" = refused ] || ! has_cdev; then
		exited self-cdev 3
		run cat "$LAB_OUT/self-cdev.err"
		assert_output --regexp "$NVME: (the kernel has no file of its own for it|.* without interrupt remapping)"
		return
	fi
	exited self-cdev 0
	fits selftest "$LAB_OUT/self-cdev.out"
	json "$LAB_OUT/self-cdev.out" '.way == "cdev" and .verdict == "passed"'
	run diff <(verdicts_of self-nvme) <(verdicts_of self-cdev)
	assert_output ''
}

@test "$LAB_VARIANT: while it runs by cdev nobody gets in by either way, and Ctrl-C ends it" {
	[ "$selftest" != refused ] && has_cdev || skip 'there is no such run here'
	exited cdev-int 3
	run cat "$LAB_OUT/cdev-int.err"
	assert_line --partial interrupted
	assert_equal "$(grep -cE "$EDU: in use: /dev/vfio/devices/vfio[0-9]+ is open in metis-[a-z]+ \(pid [0-9]+\)" <<<"$output")" 2
	assert_equal "$(one_line cdev-int)" \
		'cdev: 3 group: 3 command 3 files 0 driver vfio-pci override (null) config as before'
}

@test "$LAB_VARIANT: by cdev it is not begun either while somebody has the group" {
	exited cdev-used 3
	run cat "$LAB_OUT/cdev-used.err"
	if has_cdev; then
		assert_output --regexp "$EDU: in use: .*sh \(pid [0-9]+\)"
	else
		assert_output --partial "$EDU: the kernel has no file of its own for it"
	fi
}

@test "$LAB_VARIANT: too low a limit of locked memory is named" {
	local line="$EDU: cannot map [0-9]+ bytes at IOVA 0x[0-9a-f]+: .* the limit of locked memory \\(16 KiB\\)"
	local -a refused
	[ "$selftest" != refused ] || skip 'it was refused here'
	mapfile -t refused < <(grep -E "$line" "$LAB_OUT/memlock.err")
	assert_equal "${#refused[@]}" "${#ways[@]}"
	assert_equal "$(one_line memlock)" 'group 3 cdev 3 command 3 files 0 driver vfio-pci override (null) config as before'
}

@test "$LAB_VARIANT: where there is no container it goes by cdev, or says that there is no way" {
	if [ "$selftest" != refused ] && has_cdev; then
		exited cdev-auto 0
		json "$LAB_OUT/cdev-auto.out" '.way == "cdev" and .verdict == "passed"'
		return
	fi
	exited cdev-auto 3
	run cat "$LAB_OUT/cdev-auto.err"
	if has_cdev; then
		assert_output --partial 'without interrupt remapping'
	else
		assert_output --regexp "$EDU: this host offers no way into VFIO: by group: /dev/vfio/vfio: is not there.*; by cdev: "
	fi
}

@test "$LAB_VARIANT: a device that does not transfer fails the self-test" {
	[ "$selftest" != refused ] || skip 'it was refused here'
	exited selftest-spoilt 1
	assert_equal "$(verdicts_of selftest-spoilt)" dma-read=fail
}

@test "$LAB_VARIANT: the self-test is not begun while somebody has the group" {
	exited selftest-used 3
	run cat "$LAB_OUT/selftest-used.err"
	assert_output --regexp "$EDU: in use: .*sh \(pid [0-9]+\)"
}

@test "$LAB_VARIANT: the hook takes a device from its driver, and gives it back where that is wanted" {
	exited hook-nvme 0
	assert_equal "$(one_line hook-nvme)" \
		'nvme pre-start 0 vfio-pci post-start 0 vfio-pci pre-stop 0 vfio-pci post-stop 0 nvme (null)'
	run cat "$LAB_OUT/hook-nvme.err"
	assert_line "metis-passthrough: $NVME: nvme -> vfio-pci"
	assert_line "metis-passthrough: $NVME: vfio-pci -> nvme"
	exited hook-nvme-keep 0
	assert_equal "$(one_line hook-nvme-keep)" vfio-pci
}

@test "$LAB_VARIANT: the hook does nothing to the device of a VM that runs" {
	exited hook-nvme-runs 0
	assert_equal "$(one_line hook-nvme-runs)" 'pre-start 3 nvme post-stop 3 nvme'
	run grep -c '^metis-passthrough: VM 102 .*: it runs (pid [0-9]*), so nothing is done to its cards' "$LAB_OUT/hook-nvme-runs.err"
	assert_output 2
}

@test "$LAB_VARIANT: the hook stops what uses the device, and starts it again afterwards" {
	exited hook-services 0
	assert_equal "$(one_line hook-services)" \
		'refused 1: on-app.service started 0: service app.service again 0: service app.service stopped 0: on-app.service'
	run cat "$LAB_OUT/hook-services.err"
	assert_line 'metis-passthrough: stopping what uses the cards: app.service'
	assert_line 'metis-passthrough: starting again what uses the cards: app.service'
}
