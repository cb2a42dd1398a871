#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's side. A VM is played by a made-up /sys, in a mount namespace of its own, in which a script plays the
# kernel module metis_dmatest: its attributes "cases" and "run" are pipes, so that whoever writes there waits for it.
load helpers

BDF=0000:01:00.0

need_namespace() {
	[ "$(id -u)" -eq 0 ] || skip "only root may mount a made-up /sys"
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
}

# A device that is bound to the module, in $SYS.
guest_with_module() {
	SYS=$BATS_TEST_TMPDIR/sys
	local dir=$SYS/bus/pci/devices/$BDF driver=$SYS/bus/pci/drivers/metis_dmatest
	mkdir -p "$dir/dmatest" "$driver" "$SYS/class/iommu" "$SYS/kernel"
	for pair in vendor=0x1234 device=0x11e8 class=0x00ff00 subsystem_vendor=0x1af4 subsystem_device=0x1100 \
		revision=0x10 enable=1 irq=10; do
		echo "${pair#*=}" >"$dir/${pair%%=*}"
	done
	: >"$dir/driver_override"
	ln -s ../../drivers/metis_dmatest "$dir/driver"
	echo 1 >"$dir/dmatest/abi"
	echo edu >"$dir/dmatest/engine"
	printf '%s\n' 'transfer_max 4096' 'address_bits 28' 'interrupt msi' 'vectors_wanted 1' 'vectors_granted 1' \
		>"$dir/dmatest/limits"
	for name in bytes rounds results; do : >"$dir/dmatest/$name"; done
	echo idle >"$dir/dmatest/state"
	mkfifo "$dir/dmatest/cases" "$dir/dmatest/run"
	DMATEST=$dir/dmatest
}

# module VERDICTS: plays it until the test is over. VERDICTS: "CASE=VERDICT" for those that do not pass.
module() {
	# A session of its own, so that it can be ended with all that waits at its pipes: who is left behind keeps the
	# descriptors of the tests, and their runner waits for those.
	# shellcheck disable=SC2016 # the inner shell's
	setsid bash -uc '
		cd "$1" || exit
		while :; do
			name=$(cat cases)
			verdict=pass
			for pair in $2; do
				[ "${pair%%=*}" != "$name" ] || verdict=${pair#*=}
			done
			if [ "$verdict" = hang ]; then
				echo interrupted >state
				continue
			fi
			echo "1 $name $verdict bytes=4096 duration_ns=1000 -- as the test says" >results
			echo done >state
			cat run
		done' - "$DMATEST" "$1" >/dev/null 2>&1 3>&- &
	MODULE=$!
	# Or bash tells that it was killed.
	disown
}

teardown() {
	[ -z "${MODULE-}" ] || kill -KILL -- "-$MODULE" 2>/dev/null || true
}

# Words before a command that is to run with that /sys, a place of its own for what it keeps, an empty /usr/src, and
# the stand-ins of $BIN for the programs of /usr/sbin.
enter_guest() {
	BIN=$BATS_TEST_TMPDIR/bin
	mkdir -p "$BATS_TEST_TMPDIR"/{var,src,bin,run}
	printf '#!/bin/sh\necho "modprobe: FATAL: Module $1 not found." >&2\nexit 1\n' >"$BIN/modprobe"
	chmod +x "$BIN/modprobe"
	# shellcheck disable=SC2016
	ENTER=(unshare --mount --propagation private sh -euc '
		mount --bind "$1" /sys
		mount --bind "$2/var" /var/lib
		mount --bind "$2/src" /usr/src
		mount --bind "$2/run" /run
		mount --bind "$2/bin" /usr/sbin
		shift 2
		exec "$@"' - "$SYS" "$BATS_TEST_TMPDIR")
}

# in_guest EXIT ARG...: the program in there.
in_guest() {
	local expected=$1
	shift
	enter_guest
	run --separate-stderr timeout 60 "${ENTER[@]}" "$METIS" "$@"
	printf 'exit %s\n%s\n--- standard error ---\n%s\n' "$status" "$output" "$stderr"
	[ "$status" -eq "$expected" ] || fail "exit code $status, expected $expected"
}

@test "the module's cases are listed; slips of the guest's words are usage errors" {
	metis selftest --guest --list-cases --format json
	assert_json '[.cases[].case] | join(" ")' \
		"dma-read dma-write dma-coherent dma-patterns dma-scattered dma-below-4g dma-above-4g irq-vectors irq-polling quiet"
	metis selftest --guest --way group --list-cases --format json
	assert_json '[.cases[] | select(.case == "isolation-teardown")] | length' 1
	for args in "--way module" "--timeout 5" "--guest --way steam" "--guest --timeout -1" "--guest --case no-such"; do
		# shellcheck disable=SC2086
		metis 2 selftest $args
		assert_usage_error
	done
}

@test "selftest --guest runs the module's cases, and keeps the report" {
	need_namespace
	guest_with_module
	module ""
	in_guest 0 selftest --guest --device $BDF --rounds 2 --format json
	assert_schema selftest
	assert_json .where guest
	assert_json .vm null
	assert_json .way module
	assert_json .options.isolation false
	assert_json .engine edu
	assert_json .verdict passed
	assert_json '.results | length' 20
	assert_json '[.results[].round] | unique | join(" ")' "1 2"
	assert_equal "$(cat "$DMATEST/bytes")" 4096
	assert_exists "$BATS_TEST_TMPDIR/var/metis-passthrough/selftest/$BDF.json"
	in_guest 0 selftest --guest --device $BDF --case 'irq-*'
	assert_line --partial "all 2 cases passed on $BDF (edu)"
	assert_line --partial "module: the kernel module metis_dmatest"
	assert_line --regexp '^Guest '
	# What is made of it here afterwards.
	in_guest 0 preflight --device $BDF --check selftest-last --format json
	assert_json '.findings[] | select(.id == "selftest-last") | .severity + ": " + .summary' \
		"info: The self-test last passed on this kernel, by the kernel module metis_dmatest, which has no isolation cases"
	in_guest 0 selftest --guest --device $BDF --format junit --case quiet
	assert_line --partial 'edu, by module'
}

@test "selftest --guest: a failure is exit 1, with what it means" {
	need_namespace
	guest_with_module
	module "irq-polling=fail dma-above-4g=skip"
	in_guest 1 selftest --guest --device $BDF --format json
	assert_json .verdict failed
	assert_json '.results[] | select(.verdict == "fail") | .case' irq-polling
	assert_json '.results[] | select(.verdict == "fail") | .remedy | test("dma_poll=1")' true
	assert_json .summary.skip 1
}

@test "selftest --guest: of two devices each has its report, within one time" {
	need_namespace
	guest_with_module
	module ""
	# The second one has lost its attributes.
	local other=$SYS/bus/pci/devices/0000:02:00.0
	mkdir -p "$other"
	for pair in vendor=0x8086 device=0x1234 class=0x00ff00 subsystem_vendor=0x0000 subsystem_device=0x0000 revision=0x10 \
		enable=1 irq=10; do
		echo "${pair#*=}" >"$other/${pair%%=*}"
	done
	: >"$other/driver_override"
	ln -s ../../drivers/metis_dmatest "$other/driver"
	in_guest 3 selftest --guest --device $BDF --device 0000:02:00.0 --format json
	assert_equal "$(jq -s -r '[.[] | .device.address + " " + .verdict] | join(" ")' <<<"$output")" "$BDF passed"
	[[ $stderr == *"0000:02:00.0: "* ]] || fail "$stderr"
	in_guest 2 selftest --guest --device $BDF --device 0000:02:00.0 --format junit
	[[ $stderr == *"format junit is about one device, and there are 2"* ]] || fail "$stderr"
	kill -KILL -- "-$MODULE"
	while kill -0 "$MODULE" 2>/dev/null; do sleep 0.05; done
	module "dma-coherent=hang"
	in_guest 3 selftest --guest --device $BDF --device 0000:02:00.0 --timeout 2 --format json
	[[ $stderr == *"0000:02:00.0: not tested: the time was over before (--timeout 2)"* ]] || fail "$stderr"
}

@test "selftest --guest ends in time and at Ctrl-C, and tells what it had" {
	need_namespace
	guest_with_module
	module "dma-coherent=hang"
	in_guest 3 selftest --guest --device $BDF --timeout 3 --format json
	assert_json .verdict interrupted
	assert_json '.results | length' 2
	[[ $stderr == *"its time was over; the device was quieted"* ]] || fail "$stderr"
	[ ! -e "$BATS_TEST_TMPDIR/var/metis-passthrough/selftest" ] || fail "an interrupted run was kept"
	echo idle >"$DMATEST/state"
	"${ENTER[@]}" "$METIS" selftest --guest --device $BDF >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for _ in $(seq 600); do
		[ "$(cat "$DMATEST/state")" = interrupted ] && break
		sleep 0.05
	done
	kill -TERM $pid
	wait $pid && code=0 || code=$?
	assert_equal "$code" 3
	grep -q 'stopped by a signal after 2 passed cases' "$BATS_TEST_TMPDIR/out" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
}

@test "selftest --guest: no module, no source, no IOMMU: each is told with the package" {
	need_namespace
	guest_with_module
	rm -r "$SYS/bus/pci/drivers/metis_dmatest" "$SYS/bus/pci/devices/$BDF/driver"
	in_guest 3 selftest --guest --device $BDF
	[[ $stderr == *"this system has no IOMMU"* ]] || fail "$stderr"
	[[ $stderr == *"package metis-passthrough-dkms"* ]] || fail "$stderr"
	mkdir -p "$BATS_TEST_TMPDIR/src/metis-dmatest-0"
	in_guest 3 selftest --guest --device $BDF --way module
	[[ $stderr == *"the headers of kernel $(uname -r) are missing: apt install "*"-headers-$(uname -r)"* ]] ||
		[[ $stderr == *"make is missing"* ]] || fail "$stderr"
	in_guest 3 selftest --guest --device $BDF --way group
	[[ $stderr == *"this system has no IOMMU"* ]] || fail "$stderr"
	mkdir -p "$SYS/module/vfio/parameters"
	echo Y >"$SYS/module/vfio/parameters/enable_unsafe_noiommu_mode"
	in_guest 3 selftest --guest --device $BDF --way group
	[[ $stderr == *"VFIO without an IOMMU is allowed here, but not used"* ]] || fail "$stderr"
}

@test "selftest --guest: a module that speaks another version is refused" {
	need_namespace
	guest_with_module
	echo 7 >"$DMATEST/abi"
	in_guest 3 selftest --guest --device $BDF
	[[ $stderr == *"speaks version '7'"* ]] || fail "$stderr"
	echo 1 >"$DMATEST/abi"
	in_guest 3 selftest --guest --device $BDF --engine dw-edma
	[[ $stderr == *"the module drives it by edu"* ]] || fail "$stderr"
	in_guest 2 selftest --guest --device $BDF --bytes 8M
	[[ $stderr == *"moves 4194304 bytes"* ]] || fail "$stderr"
}

# --- selftest --vm: qm is a script in $BIN; the agent's answers are files in $AGENT ---

host_with_vm() {
	guest_with_module
	AGENT=$BATS_TEST_TMPDIR/agent
	mkdir -p "$AGENT"
	enter_guest
	cat >"$BIN/qm" <<-EOF
		#!/bin/sh
		echo "qm \$*" >>"$AGENT/log"
		[ ! -e "$AGENT/error" ] || { cat "$AGENT/error" >&2; exit 255; }
		case "\$1 \$2" in
		"guest exec") echo '{ "pid" : 4242 }' ;;
		"guest exec-status")
			[ ! -e "$AGENT/deaf" ] || { rm "$AGENT/deaf"; echo 'QEMU guest agent is not running' >&2; exit 255; }
			if [ -e "$AGENT/until" ] && [ \$(date +%s) -lt \$(cat "$AGENT/until") ]; then
				echo '{ "exited" : 0 }'
			elif [ -e "$AGENT/busy" ]; then echo '{ "exited" : 0 }'; else cat "$AGENT/status"; fi
			;;
		esac
	EOF
	chmod +x "$BIN/qm"
}

# answers CODE OUT-FILE [ERR]
answers() {
	jq -n --argjson code "$1" --rawfile out "$2" --arg err "${3-}" \
		'{exited: 1, exitcode: $code, "out-data": $out, "err-data": $err}' >"$AGENT/status"
}

@test "selftest --vm shows and keeps the report that comes out of the guest" {
	need_namespace
	host_with_vm
	answers 0 "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report"
	in_guest 0 selftest --vm 101 --rounds 2 --no-isolation --case 'dma-*' --device 02:00.0
	assert_line --partial "passed on 0000:02:00.0 (dw-edma) in VM 101"
	assert_equal "$(head -n 1 "$AGENT/log")" \
		"qm guest exec 101 --synchronous 0 -- metis-passthrough selftest --guest --format json --timeout 600 --rounds 2 --bytes 4096 --device 02:00.0 --case dma-* --no-isolation"
	in_guest 0 selftest --vm 101 --format json
	assert_schema selftest
	assert_json .vm 101
	assert_json .where guest
	assert_exists "$BATS_TEST_TMPDIR/var/metis-passthrough/selftest/vm-101-0000:02:00.0.json"
	in_guest 0 selftest --vm 101 --format junit
	assert_line --partial "in VM 101"
}

@test "selftest --vm: exit codes and refusals" {
	need_namespace
	host_with_vm
	jq '.results[0].verdict = "fail" | .verdict = "failed"' "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report" \
		>"$BATS_TEST_TMPDIR/failed"
	answers 1 "$BATS_TEST_TMPDIR/failed"
	in_guest 1 selftest --vm 101
	assert_line --partial FAILED
	answers 3 /dev/null "metis-passthrough selftest: there is no such device"
	in_guest 3 selftest --vm 101
	[[ $stderr == *"exit code 3 and no report; it says: metis-passthrough selftest: there is no such device"* ]] || fail "$stderr"
	answers 127 /dev/null
	in_guest 3 selftest --vm 101
	[[ $stderr == *"not installed in the guest"* ]] || fail "$stderr"
	jq '.verdict = "passed"' "$BATS_TEST_TMPDIR/failed" >"$BATS_TEST_TMPDIR/lie"
	answers 0 "$BATS_TEST_TMPDIR/lie"
	in_guest 3 selftest --vm 101
	[[ $stderr == *"cannot be trusted: its verdict does not follow"* ]] || fail "$stderr"
	while IFS='|' read -r said means; do
		echo "$said" >"$AGENT/error"
		in_guest 3 selftest --vm 101
		[[ $stderr == *"$means"* ]] || fail "$said: $stderr"
	done <<-'EOF'
		No QEMU guest agent configured|qm set 101 --agent 1
		QEMU guest agent is not running|its guest agent does not answer
		VM 101 is not running|it does not run: 'qm start 101'
		Agent error: Guest agent command failed, error was 'Failed to execute child process "metis-passthrough" (No such file or directory)'|not installed in the guest
		Agent error: Command guest-exec has been disabled for this instance|does not run programs
		something else|VM 101: qm: failed with exit code 255: something else
	EOF
	echo 'QEMU guest agent is not running' >"$AGENT/error"
	: >"$AGENT/log"
	in_guest 3 selftest --vm 101 --wait 4
	[[ $stderr == *"its guest agent does not answer"* ]] || fail "$stderr"
	[ "$(grep -c '^qm guest cmd 101 ping$' "$AGENT/log")" -ge 2 ] || fail "$(cat "$AGENT/log")"
	# What no waiting helps against is told at once.
	echo 'VM 101 is not running' >"$AGENT/error"
	: >"$AGENT/log"
	in_guest 3 selftest --vm 101 --wait 50
	assert_equal "$(cat "$AGENT/log")" "qm guest cmd 101 ping"
	for args in "--wait 5" "--vm 101 --wait -1" "--vm abc" "--vm 0" "--vm 101 --device x" "--vm 101 --profile ./x.yaml"; do
		# shellcheck disable=SC2086
		metis 2 selftest $args
	done
}

@test "selftest --vm: several cards of one VM: a report for each, and one end of it all" {
	need_namespace
	host_with_vm
	local kept=$BATS_TEST_TMPDIR/var/metis-passthrough/selftest card=$BATS_TEST_TMPDIR/card edu=$BATS_TEST_TMPDIR/edu
	jq '.results[0].verdict = "fail" | .verdict = "failed"' "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report" >"$card"
	jq '.device.address = "0000:03:00.0" | .engine = "edu"' "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report" >"$edu"
	cat "$edu" "$card" >"$BATS_TEST_TMPDIR/both"
	answers 1 "$BATS_TEST_TMPDIR/both"
	in_guest 1 selftest --vm 101 --device 03:00.0 --device 0000:02:00.0
	assert_equal "$(head -n 1 "$AGENT/log" | grep -o -- '--device.*')" "--device 03:00.0 --device 0000:02:00.0"
	assert_line --index 0 --regexp '^selftest: all .* passed on 0000:03:00.0 \(edu\) in VM 101'
	assert_line --regexp '^FAILED: .* on 0000:02:00.0 \(dw-edma\) in VM 101'
	assert_equal "$(jq -r '"\(.verdict) \(.exit_code)"' "$kept/vm-101-0000:03:00.0.json")" "passed 0"
	assert_equal "$(jq -r '"\(.verdict) \(.exit_code)"' "$kept/vm-101-0000:02:00.0.json")" "failed 1"
	# The note is about the one that failed, wherever it stands.
	grep -qx 'verdict failed' "$kept/vm-101.last" || fail "$(cat "$kept/vm-101.last")"
	grep -qx 'device 0000:02:00.0' "$kept/vm-101.last" || fail "$(cat "$kept/vm-101.last")"
	in_guest 1 selftest --vm 101 --format json
	assert_equal "$(jq -s -r '[.[] | .device.address] | join(" ")' <<<"$output")" "0000:03:00.0 0000:02:00.0"
	in_guest 2 selftest --vm 101 --format junit
	[[ $stderr == *"VM 101 has tested 2 devices, and this format is about one"* ]] || fail "$stderr"
	metis 2 selftest --vm 101 --format junit --device 02:00.0 --device 03:00.0
	metis 2 selftest --vm 101 --device 02:00.0 --device x
	# All that were tested passed, and one could not be.
	answers 3 "$edu" "metis-passthrough selftest: 0000:02:00.0: in use"
	in_guest 3 selftest --vm 101
	[[ $stderr == *"VM 101 says: metis-passthrough selftest: 0000:02:00.0: in use"* ]] || fail "$stderr"
	grep -qx 'verdict not-run' "$kept/vm-101.last" || fail "$(cat "$kept/vm-101.last")"
	grep -qx 'why metis-passthrough selftest: 0000:02:00.0: in use' "$kept/vm-101.last" || fail "$(cat "$kept/vm-101.last")"
	answers 1 "$edu" "metis-passthrough selftest: 0000:02:00.0: in use"
	in_guest 1 selftest --vm 101
	[[ $stderr == *"VM 101 says: metis-passthrough selftest: 0000:02:00.0: in use"* ]] || fail "$stderr"
	jq '.device.address = "0000:02:00.0"' "$edu" >"$card"
	cat "$edu" "$card" >"$BATS_TEST_TMPDIR/both"
	answers 0 "$BATS_TEST_TMPDIR/both"
	in_guest 0 selftest --vm 101
	grep -qx 'verdict passed' "$kept/vm-101.last" || fail "$(cat "$kept/vm-101.last")"
}

@test "selftest --vm: at Ctrl-C the program in the guest is told to end" {
	need_namespace
	host_with_vm
	: >"$AGENT/busy"
	"${ENTER[@]}" "$METIS" selftest --vm 101 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for _ in $(seq 600); do
		grep -qs exec-status "$AGENT/log" && break
		sleep 0.05
	done
	kill -TERM $pid
	wait $pid && code=0 || code=$?
	assert_equal "$code" 3
	grep -q '^qm guest exec 101 --synchronous 0 -- kill -TERM 4242$' "$AGENT/log" || fail "$(cat "$AGENT/log")"
	grep -q 'VM 101: interrupted' "$BATS_TEST_TMPDIR/out" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
}

# The guest's own limit is for its test; before that it may have to build the module, which has a limit of its own (600 s). Limits are
# shortened to a hundredth here, all but --timeout.
@test "selftest --vm waits for the module to be built, and not for ever" {
	need_namespace
	export METIS_PASSTHROUGH_GUEST_SECONDS=6
	host_with_vm
	answers 0 "$TOP_SRCDIR/tests/fuzz/corpus/guest-report/report"
	echo $(($(date +%s) + 7)) >"$AGENT/until"
	in_guest 0 selftest --vm 101 --timeout 1
	assert_line --partial "in VM 101"
	run grep -c exec-status "$AGENT/log"
	[ "$output" -ge 3 ] || fail "$output questions in 7 s"
	# An agent that does not answer once, while the guest compiles.
	: >"$AGENT/deaf"
	in_guest 0 selftest --vm 101 --timeout 1
	[ ! -e "$AGENT/deaf" ] || fail "the agent was not asked"
	# By VFIO nothing is built.
	: >"$AGENT/busy"
	rm "$AGENT/until"
	for way in group module; do
		: >"$AGENT/log"
		begun=$(date +%s%N)
		in_guest 3 selftest --vm 101 --timeout 1 --way $way
		took=$((($(date +%s%N) - begun) / 1000000))
		[[ $stderr == *"no result within the time"* ]] || fail "$stderr"
		grep -q 'kill -TERM 4242' "$AGENT/log" || fail "$(cat "$AGENT/log")"
		printf '%s: gave up after %s ms\n' $way $took
		case $way in
		group) [ $took -ge 3000 ] ;;
		module) [ $took -ge 10000 ] ;;
		esac
	done
	# It is built for each device.
	begun=$(date +%s%N)
	in_guest 3 selftest --vm 101 --timeout 1 --way module --device 01:00.0 --device 02:00.0
	took=$((($(date +%s%N) - begun) / 1000000))
	[[ $stderr == *"no result within the time"* ]] || fail "$stderr"
	[ $took -ge 16000 ] || fail "gave up after $took ms"
}
