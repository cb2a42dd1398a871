#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The verb setup, on captured hosts made into systems: it asks, makes all of the change or nothing, and says which.
# That every kill can be recovered from is tested with the engine.
load helpers
load system

HOST=host-driver
CARD=86:00.0

setup() {
	need_system
	tree=$(system "$HOST")
}

# state: what setup could have changed, and whether it left a lock or a record.
state() {
	fingerprint "$tree"
	find "$tree/var/lib" | sort
}

# on_terminal WORDS ANSWER: the program with a terminal of its own, on which ANSWER is typed.
on_terminal() {
	run env TERM=xterm timeout 60 script -qec "stty -echo; $METIS $1" /dev/null < <(printf '%b' "$2")
	output=${output//$'\r'/}
}

done_once() {
	metis setup --sysroot "$tree" --device "$CARD" --yes
	assert_line --regexp '^done: [0-9]+ files, .*[0-9]+ programs?; kept as transaction 0001$'
}

@test "setup does what plan says, and then there is nothing to do" {
	metis plan --sysroot "$tree" --device "$CARD" --format json
	local planned=$output
	done_once
	assert_line "Next      reboot, then: metis-passthrough status --sysroot $tree"
	assert_line --partial "the way back: metis-passthrough rollback 0001 --sysroot $tree"
	# Each file is what the plan said.
	local path
	while IFS= read -r path; do
		assert_equal "$(jq -j --arg path "$path" '.files[] | select(.path == $path) | .then' <<<"$planned" | sha256sum)" \
			"$(sha256sum <"$tree$path")"
		assert_equal "$(jq -r --arg path "$path" '.files[] | select(.path == $path) | .mode' <<<"$planned")" \
			"$(printf '%04o' "0$(stat -c %a "$tree$path")")"
	done < <(jq -r '.files[] | select(.changed and (.link | not)) | .path' <<<"$planned")
	while read -r path target; do
		assert_equal "$(readlink "$tree$path")" "$target"
	done < <(jq -r '.files[] | select(.changed and .link) | "\(.path) \(.then)"' <<<"$planned")
	# Each program was called once, in that order.
	assert_equal "$(calls "$tree")" "$(jq -r '.steps[] | select(.kind == "program") | .command' <<<"$planned")"
	metis plan --sysroot "$tree" --device "$CARD"
	assert_line --index 0 --partial "nothing to do: 0000:$CARD is set up as wanted"
	local before
	before=$(state)
	metis setup --sysroot "$tree" --device "$CARD" --yes
	assert_line --index 0 --partial "nothing to do: 0000:$CARD is set up as wanted"
	refute_output --partial "transaction"
	assert_same "$before" "$(state)"
	assert_equal "$(calls "$tree")" ""
}

@test "one line a step on standard error, when it is done" {
	local steps
	metis plan --sysroot "$tree" --device "$CARD" --format json
	steps=$(jq -r '.steps[] | "done: " + .what' <<<"$output")
	metis setup --sysroot "$tree" --device "$CARD" --yes
	assert_equal "$stderr" "$steps"
}

@test "a terminal is asked; yes does it, with a line for each step" {
	local answer
	on_terminal "setup --sysroot $tree --device $CARD" 'y\n'
	assert_equal "$status" 0
	assert_output --partial "Make this change? It takes effect after a reboot. [y/N]"
	assert_output --partial "✓ write /etc/modprobe.d/metis-passthrough.conf"
	assert_output --partial "[1/"
	assert_output --partial "kept as transaction 0001"
}

@test "any other answer changes nothing, exit 1" {
	local before answer
	metis plan --sysroot "$tree" --device "$CARD"
	before=$(fingerprint "$tree")
	for answer in '\n' 'n\n' 'yesterday\n' 'j\n' 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n' '\004'; do
		on_terminal "setup --sysroot $tree --device $CARD" "$answer"
		assert_equal "$status" 1
		assert_output --partial "metis-passthrough setup: nothing was changed"
		assert_same "$before" "$(fingerprint "$tree")"
		[ ! -e "$tree/var/lib/metis-passthrough/0001" ]
		assert_equal "$(calls "$tree")" ""
	done
}

# Ctrl-C reaches the shell too that tells the exit code; some shells would die of it (the trap).
@test "Ctrl-C at the question is a no" {
	local before
	before=$(fingerprint "$tree")
	typist() {
		timeout 20 sh -c 'until grep -qs "y/N" "$1"; do sleep 0.05; done' - "$BATS_TEST_TMPDIR/typescript"
		printf '\003'
		timeout 20 sh -c 'until [ -e "$1" ]; do sleep 0.05; done' - "$BATS_TEST_TMPDIR/ended"
	}
	run timeout 60 script -qefc "trap : INT; $METIS setup --sysroot $tree --device $CARD; echo \"exit \$?\"; : >$BATS_TEST_TMPDIR/ended" \
		"$BATS_TEST_TMPDIR/typescript" < <(typist)
	assert_output --partial "exit 1"
	assert_output --partial "interrupted; nothing was changed"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "without a terminal and without --yes: a usage error that tells both ways, and nothing is touched" {
	local before
	before=$(state)
	metis 2 setup --sysroot "$tree" --device "$CARD" </dev/null
	assert_usage_error
	[[ $stderr == *"--yes"*"--output"* ]] || fail "$stderr"
	metis 2 setup --sysroot "$tree" --device "$CARD" < <(echo y)
	assert_usage_error
	metis 2 setup --sysroot "$tree" --device "$CARD" --format json
	assert_usage_error
	assert_same "$before" "$(state)"
}

@test "what is forbidden or not there changes nothing" {
	local before
	metis 3 setup --sysroot "$tree" --device 99:00.0 --yes
	[[ $stderr == *"99:00.0 (--device): is not on $tree"* ]] || fail "$stderr"
	before=$(state)
	metis 2 setup --sysroot "$tree" --device 99 --yes
	tree=$(system boot-nvme-in-group)
	before=$(fingerprint "$tree")
	metis 1 setup --sysroot "$tree" --yes
	assert_line --index 0 --regexp '^cannot plan: 0000:88:00\.0'
	assert_line --regexp '^    Do  .*'
	metis 1 setup --sysroot "$tree" --yes --format json
	assert_schema plan
	assert_json .outcome forbidden
	assert_same "$before" "$(fingerprint "$tree")"
	assert_equal "$(calls "$tree")" ""
}

@test "a snapshot cannot be changed" {
	metis 2 setup --sysroot "$(host "$HOST")" --device "$CARD" --yes
	[[ $stderr == *"snapshot"* ]] || fail "$stderr"
}

@test "a live system needs root, and is told so before anything" {
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$METIS" setup --yes
	if [ "$status" -eq 126 ]; then
		skip "the program cannot be run by others here"
	fi
	assert_equal "$status" 3
	assert_equal "$stderr" "metis-passthrough setup: cannot change this host: only root can; 'metis-passthrough plan' shows what would be done"
	assert_equal "$output" ""
}

@test "--output writes what setup installs, and a script that installs it" {
	local out=$BATS_TEST_TMPDIR/out before
	before=$(state)
	metis setup --sysroot "$tree" --device "$CARD" --output "$out"
	assert_output --partial "written to $out"
	assert_same "$before" "$(state)"
	assert_equal "$(calls "$tree")" ""
	run sh -n "$out/COMMANDS"
	assert_success
	assert_file_contains "$out/COMMANDS" '^update-initramfs -u -k all$'
	cp -a "$tree" "$BATS_TEST_TMPDIR/by-hand"
	done_once
	local path n=0
	while IFS= read -r path; do
		cmp "$out/$path" "$tree/$path"
		assert_equal "$(stat -c %a "$out/$path")" "$(stat -c %a "$tree/$path")"
		n=$((n + 1))
	done < <(cd "$out" && find . -type f ! -name COMMANDS)
	[ "$n" -gt 3 ]
	# Run by hand on a copy of the system, the script makes the same.
	cp -r "$out" "$BATS_TEST_TMPDIR/by-hand/out"
	# shellcheck disable=SC2016
	printf '%s\n' '#!/bin/sh' '[ "$1 $2" = "-D -m" ] && mkdir -p "${5%/*}" && cp "$4" "$5" && chmod "$3" "$5"' \
		>"$BATS_TEST_TMPDIR/by-hand/usr/bin/install"
	chmod +x "$BATS_TEST_TMPDIR/by-hand/usr/bin/install"
	run env PATH=/usr/sbin:/usr/bin chroot "$BATS_TEST_TMPDIR/by-hand" /usr/bin/sh /out/COMMANDS
	assert_success
	# Not /boot: in an image are the times of its files.
	assert_same "$(fingerprint "$tree" etc)" "$(fingerprint "$BATS_TEST_TMPDIR/by-hand" etc)"
	assert_equal "$(cat "$BATS_TEST_TMPDIR/by-hand/sim/log")" "$(calls "$tree")"
}

@test "--output refuses a directory that is not empty, takes an empty one, and a snapshot will do" {
	mkdir "$BATS_TEST_TMPDIR/out"
	metis setup --sysroot "$tree" --device "$CARD" --output "$BATS_TEST_TMPDIR/out"
	local before
	before=$(fingerprint "$BATS_TEST_TMPDIR" out)
	metis 3 setup --sysroot "$tree" --device "$CARD" --output "$BATS_TEST_TMPDIR/out"
	[[ $stderr == *"$BATS_TEST_TMPDIR/out: cannot write there: it is not empty"* ]] || fail "$stderr"
	assert_same "$before" "$(fingerprint "$BATS_TEST_TMPDIR" out)"
	metis 3 setup --sysroot "$tree" --device "$CARD" --output "$BATS_TEST_TMPDIR/out/COMMANDS"
	[[ $stderr == *"/COMMANDS: cannot write there: Not a directory"* ]] || fail "$stderr"
	metis 3 setup --sysroot "$tree" --device "$CARD" --output "$BATS_TEST_TMPDIR/no/such"
	metis setup --sysroot "$(host lab-intel)" --device 00:05.0 --output "$BATS_TEST_TMPDIR/two" --format json
	assert_schema plan
	assert_json .outcome written
	assert_file_exist "$BATS_TEST_TMPDIR/two/etc/modprobe.d/metis-passthrough.conf"
}

@test "a failing program: everything is undone, exit 4, and the message says what failed" {
	local before
	before=$(fingerprint "$tree")
	printf 'gzip: stdout: No space left on device\n' >"$tree/sim/update-initramfs.fail-after"
	metis 4 setup --sysroot "$tree" --device "$CARD" --yes
	[[ $stderr == *$'\n'"failed: run update-initramfs"* ]] || fail "$stderr"
	[[ $stderr == *"update-initramfs: failed with exit code 1"*"No space left on device"*"everything was undone"* ]] || fail "$stderr"
	rm "$tree/sim/update-initramfs.fail-after"
	assert_same "$before" "$(fingerprint "$tree")"
	printf 'no\n' >"$tree/sim/update-initramfs.fail"
	metis 4 setup --sysroot "$tree" --device "$CARD" --yes --format json
	assert_schema plan
	assert_json '"\(.outcome) \(.exit_code) \(.transaction)"' "failed 4 null"
	assert_json '.error | contains("update-initramfs")' true
	assert_same "$before" "$(fingerprint "$tree")"
}

# interrupt SIGNAL...: starts setup, sends the signals while update-initramfs hangs, waits for the end.
interrupt() {
	local pid signal
	: >"$tree/sim/update-initramfs.hang"
	# Who runs the tests may have SIGHUP ignored (nohup), which the program would keep.
	env --default-signal=HUP "$METIS" setup --sysroot "$tree" --device "$CARD" --yes >"$BATS_TEST_TMPDIR/stdout" \
		2>"$BATS_TEST_TMPDIR/stderr" &
	pid=$!
	timeout 20 sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' - "$tree/sim/waiting"
	rm "$tree/sim/update-initramfs.hang"
	for signal; do
		kill -s "$signal" "$pid" 2>/dev/null || true
	done
	status=0
	wait "$pid" || status=$?
	stderr=$(cat "$BATS_TEST_TMPDIR/stderr")
}

@test "a signal in the middle of a long program: it is ended, everything is undone, exit 4" {
	local before signal
	before=$(fingerprint "$tree")
	# Bash lets what it starts in the background ignore SIGINT, so the first is another.
	for signal in TERM HUP; do
		rm -f "$tree/sim/waiting"
		interrupt "$signal"
		[ "$status" -eq 4 ] || fail "exit $status: $stderr"
		[[ $stderr == *"metis-passthrough setup: interrupted; everything was undone, the host is as it was" ]] || fail "$stderr"
		assert_same "$before" "$(fingerprint "$tree")"
	done
	rm -f "$tree/sim/waiting"
	interrupt TERM TERM INT HUP TERM
	[ "$status" -eq 4 ] || fail "exit $status: $stderr"
	assert_same "$before" "$(fingerprint "$tree")"
	# And all goes well afterwards.
	metis setup --sysroot "$tree" --device "$CARD" --yes
}

@test "Ctrl-C on a terminal in the middle of a long program: exit 4, everything undone" {
	local before
	before=$(fingerprint "$tree")
	: >"$tree/sim/update-initramfs.hang"
	# The keys are typed once the program waits.
	typist() {
		printf 'y\n'
		timeout 20 sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' - "$tree/sim/waiting"
		rm "$tree/sim/update-initramfs.hang"
		printf '\003'
		timeout 20 sh -c 'until [ -e "$1" ]; do sleep 0.05; done' - "$BATS_TEST_TMPDIR/ended" || true
	}
	run timeout 120 script -qec "trap : INT; $METIS setup --sysroot $tree --device $CARD; echo \"exit \$?\"; : >$BATS_TEST_TMPDIR/ended" \
		/dev/null < <(typist)
	output=${output//$'\r'/$'\n'}
	assert_output --partial "exit 4"
	assert_output --partial "stopping; what was done is undone"
	assert_output --partial "interrupted; everything was undone"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "nobody reads standard error any more: the change is made all the same" {
	"$METIS" setup --sysroot "$tree" --device "$CARD" --yes 2> >(exec true) >"$BATS_TEST_TMPDIR/stdout"
	assert_file_contains "$BATS_TEST_TMPDIR/stdout" "kept as transaction 0001"
}

@test "standard streams that are closed are not taken by files" {
	"$METIS" setup --sysroot "$tree" --device "$CARD" --yes <&- 2>&- >"$BATS_TEST_TMPDIR/stdout"
	assert_file_contains "$BATS_TEST_TMPDIR/stdout" "kept as transaction 0001"
	local before
	before=$(state)
	run bash -c '"$@" >&- 2>&-' - "$METIS" setup --sysroot "$tree" --device 3b:00.0 --yes
	assert_equal "$status" 3
	assert_same "$before" "$(state)"
}

@test "a plan that cannot be shown is not carried out" {
	local before
	before=$(fingerprint "$tree")
	run --separate-stderr bash -c '"$@" >/dev/full' - "$METIS" setup --sysroot "$tree" --device "$CARD" --yes
	assert_equal "$status" 3
	[[ $stderr == *"standard output: cannot show the plan: "*"nothing was changed"* ]] || fail "$stderr"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "two at once: the second one is told that another is at work" {
	: >"$tree/sim/update-initramfs.hang"
	"$METIS" setup --sysroot "$tree" --device "$CARD" --yes >/dev/null 2>&1 &
	local pid=$!
	timeout 20 sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' - "$tree/sim/waiting"
	metis 3 setup --sysroot "$tree" --device "$CARD" --yes
	[ -n "$stderr" ]
	kill "$pid"
	wait "$pid" || true
}

@test "a lock whose file was removed still locks" {
	local before
	before=$(fingerprint "$tree")
	: >"$tree/sim/update-initramfs.hang"
	"$METIS" setup --sysroot "$tree" --device "$CARD" --yes >/dev/null 2>&1 &
	pid=$!
	timeout 20 sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' - "$tree/sim/waiting"
	rm "$tree/var/lib/metis-passthrough/lock"
	metis 3 setup --sysroot "$tree" --device "$CARD" --yes
	[[ $stderr == *"is changing this host"* ]] || fail "$stderr"
	metis 3 rollback --sysroot "$tree" --yes
	kill "$pid"
	wait "$pid" || true
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "what an earlier run left behind is undone first, and told" {
	local before pid
	before=$(fingerprint "$tree")
	: >"$tree/sim/update-initramfs.hang"
	"$METIS" setup --sysroot "$tree" --device "$CARD" --yes >/dev/null 2>&1 &
	pid=$!
	timeout 20 sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' - "$tree/sim/waiting"
	kill -9 "$pid"
	wait "$pid" || true
	# Its program still runs and holds the lock, until it ends.
	kill -9 "$(cat "$tree/sim/waiting")"
	flock -w 60 "$tree/var/lib/metis-passthrough/lock" true
	rm -f "$tree/sim/update-initramfs.hang" "$tree/sim/waiting"
	[ "$before" != "$(fingerprint "$tree")" ]
	metis plan --sysroot "$tree" --device "$CARD"
	assert_output --partial "transaction 0001 was interrupted: setup undoes it first"
	metis plan --sysroot "$tree" --device "$CARD" --format json
	assert_json .interrupted 0001
	metis setup --sysroot "$tree" --device "$CARD" --yes
	[[ $stderr == *"transaction 0001 was interrupted: it is undone first"* ]] || fail "$stderr"
	[[ $stderr == *"1 interrupted change of an earlier run was undone"* ]] || fail "$stderr"
	assert_line --partial "kept as transaction 0002"
}

@test "nothing to do, but the reboot is still due" {
	mkdir -p "$tree/proc/sys/kernel/random"
	echo 01234567-89ab-cdef-0123-456789abcdef >"$tree/proc/sys/kernel/random/boot_id"
	done_once
	metis setup --sysroot "$tree" --device "$CARD" --yes
	assert_line --index 0 --partial "nothing to do: 0000:$CARD is set up as wanted, but that takes effect after a reboot, which is still due"
	metis plan --sysroot "$tree" --device "$CARD" --format json
	assert_json .reboot_due true
	# After it.
	echo 11234567-89ab-cdef-0123-456789abcdef >"$tree/proc/sys/kernel/random/boot_id"
	metis plan --sysroot "$tree" --device "$CARD" --format json
	assert_json .reboot_due false
}

@test "setup --format json: one report, when all is over" {
	metis setup --sysroot "$tree" --device "$CARD" --yes --format json
	assert_schema plan
	assert_json '"\(.outcome) \(.transaction) \(.exit_code) \(.error)"' "done 0001 0 null"
	metis setup --sysroot "$tree" --device "$CARD" --yes --format json
	assert_json '"\(.outcome) \(.transaction)"' "nothing null"
}
