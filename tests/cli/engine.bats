#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine by itself: what it refuses, what it says, what it keeps.
load helpers
load system
load crash

setup() {
	need_driver
	ROOT=$BATS_TEST_TMPDIR/root
	small_system "$ROOT"
	OLD=$(fingerprint "$ROOT" etc usr)
	STORE=$ROOT/var/lib/metis-passthrough
}

assert_old() {
	assert_same "$OLD" "$(fingerprint "$ROOT" etc usr)"
	[ "$(stat -c %Y "$ROOT/etc/default/grub")" -eq "$(date -d '2020-02-02 02:02:02' +%s)" ] || fail "not the old time"
}

@test "what is applied is undone byte for byte, with owner, mode, time and absence" {
	driver "$ROOT" apply "${CHANGES[@]}"
	assert_output 0001
	[ "$(cat "$ROOT/etc/default/grub")" = new ]
	[ "$(stat -c '%u:%g %a' "$ROOT/etc/default/grub")" = "12:34 644" ] || fail "not the owner that was there and the mode that was wanted"
	[ "$(stat -c '%u:%g %a' "$ROOT/usr/local/lib/x.conf")" = "0:0 755" ]
	[ "$(stat -c '%a' "$ROOT/usr/local/lib")" = 755 ]
	assert_not_exists "$ROOT/etc/modprobe.d/old.conf"
	[ "$(readlink "$ROOT/etc/link")" = b ]
	driver "$ROOT" history
	assert_output "0001 in force test"
	driver "$ROOT" undo
	assert_old
	driver "$ROOT" history
	assert_output "0001 undone test"
	assert_not_exists "$STORE/0001/1.old"
	driver 3 "$ROOT" undo 0001
	[[ $stderr == *"transaction 0001: is undone already" ]]
}

@test "stopped by the user: everything is undone" {
	driver 4 "$ROOT" apply "${CHANGES[@]:0:6}" stop "${CHANGES[@]:6}"
	[[ $stderr == *"stopped; everything was undone" ]]
	assert_old
	driver "$ROOT" history
	assert_output "0001 undone test"
}

@test "what is in the way of a file is refused before anything is changed" {
	mkdir "$ROOT/etc/directory"
	mkfifo "$ROOT/etc/pipe"
	local before path what
	before=$(fingerprint "$ROOT" etc usr)
	for path in link directory pipe; do
		driver 3 "$ROOT" apply "${CHANGES[@]}" file "/etc/$path" 644 text
		case $path in
		link) what="a symbolic link" ;;
		directory) what="a directory" ;;
		pipe) what="a device node, socket or named pipe" ;;
		esac
		[[ $stderr == *"/etc/$path: cannot be replaced by this program: it is $what, not a file;"* ]]
		assert_same "$before" "$(fingerprint "$ROOT" etc usr)"
	done
	driver 3 "$ROOT" apply link /etc/default/grub x
	[[ $stderr == *"it is a file, not a symbolic link;"* ]]
	driver 3 "$ROOT" apply file /etc/default/grub/x 644 text
	[[ $stderr == *"/etc/default/grub: cannot use as a directory: Not a directory" ]]
	assert_same "$before" "$(fingerprint "$ROOT" etc usr)"
	driver "$ROOT" history
	assert_output ""
}

@test "nothing is written outside of the tree, whatever its links say" {
	mkdir "$BATS_TEST_TMPDIR/outside"
	ln -s "$BATS_TEST_TMPDIR/outside" "$ROOT/etc/absolute"
	ln -s ../../../../../../../.."$BATS_TEST_TMPDIR/outside" "$ROOT/etc/relative"
	driver 3 "$ROOT" apply file /etc/absolute/x 644 text
	driver 3 "$ROOT" apply file /etc/relative/x 644 text
	run ls -A "$BATS_TEST_TMPDIR/outside"
	assert_output ""
	# Absolute links mean the tree's own directories.
	ln -s /etc/default "$ROOT/etc/inside"
	driver "$ROOT" apply file /etc/inside/x 644 text
	assert_exists "$ROOT/etc/default/x"
}

@test "what somebody else changed since is shown and kept; by force it is saved" {
	driver "$ROOT" apply "${CHANGES[@]}"
	printf 'new\ntheirs\033[31m\n' >"$ROOT/etc/default/grub"
	chmod 0600 "$ROOT/usr/local/lib/x.conf"
	local changed
	changed=$(fingerprint "$ROOT" etc usr)
	driver 1 "$ROOT" undo
	[[ $stderr == *"/etc/default/grub: was changed since by somebody else: its content differs"* ]]
	[[ $stderr == *"/usr/local/lib/x.conf: was changed since by somebody else: its mode is 0600, not 0755"* ]]
	assert_line "--- /etc/default/grub (as it was set up)"
	assert_line "+theirs\\x1b[31m"
	assert_same "$changed" "$(fingerprint "$ROOT" etc usr)"
	driver 1 "$ROOT" undo --force /etc/default/grub
	assert_same "$changed" "$(fingerprint "$ROOT" etc usr)"
	chmod 0755 "$ROOT/usr/local/lib/x.conf"
	driver "$ROOT" undo --force /etc/default/grub
	assert_old
	[ "$(cat "$STORE/0001/1.theirs")" = "$(printf 'new\ntheirs\033[31m\n')" ]
}

# Killed once the first file was replaced; then somebody edits it.
@test "what was interrupted and changed since is undone by force alone" {
	CRASH_TRACE=$BATS_TEST_TMPDIR/trace ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$PRELOAD \
		"$DRIVER" "$ROOT" apply "${CHANGES[@]}"
	local at
	at=$(awk '$2 == "renameat" && $3 == "grub" { print $1 + 1 }' "$BATS_TEST_TMPDIR/trace")
	rm -r "$ROOT"
	small_system "$ROOT"
	run env CRASH_AT="$at" CRASH_HOW=kill ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD="$PRELOAD" \
		"$DRIVER" "$ROOT" apply "${CHANGES[@]}"
	assert_failure 137
	printf 'theirs\n' >>"$ROOT/etc/default/grub"
	driver 1 "$ROOT" apply "${CHANGES[@]}"
	[[ $stderr == *"an interrupted run has to be undone first (\`metis-passthrough rollback 0001\`): /etc/default/grub: was changed since"* ]]
	metis 1 rollback --yes --sysroot "$ROOT"
	assert_line "+theirs"
	metis 1 rollback --yes --sysroot "$ROOT" --force /etc/other
	metis rollback --yes --sysroot "$ROOT" --force /etc/default/grub
	assert_old
	[ "$(cat "$STORE/0001/1.theirs")" = "$(printf 'new\ntheirs')" ]
}

@test "no transaction is begun whose number could not be found again" {
	driver "$ROOT" apply "${CHANGES[@]}"
	driver "$ROOT" undo
	mv "$STORE/0001" "$STORE/999999999"
	sed -i 's/"0001"/"999999999"/' "$STORE/999999999/plan.json"
	sed -i "1s/.*/plan $(sha256sum <"$STORE/999999999/plan.json" | cut -d' ' -f1)/" "$STORE/999999999/log"
	driver 3 "$ROOT" apply "${CHANGES[@]}"
	[[ $stderr == *"there is no number after 999999999"* ]] || fail "$stderr"
	assert_old
}

@test "a directory in which somebody has put a file stays" {
	driver "$ROOT" apply "${CHANGES[@]}"
	: >"$ROOT/usr/local/lib/theirs"
	driver "$ROOT" undo
	assert_exists "$ROOT/usr/local/lib/theirs"
	assert_not_exists "$ROOT/usr/local/lib/x.conf"
	assert_not_exists "$ROOT/etc/systemd"
}

@test "what a later transaction has built on is not taken from under it" {
	driver "$ROOT" apply "${CHANGES[@]}"
	driver "$ROOT" apply file /etc/default/grub 644 newer
	driver "$ROOT" apply file /etc/default/other 644 other
	driver 1 "$ROOT" undo 0001
	[[ $stderr == *"/etc/default/grub: was changed by transaction 0002 since: roll that back first" ]]
	# No force helps, so none is told.
	metis 1 rollback 0001 --yes --sysroot "$ROOT" --force /etc/default/grub
	[[ $stderr != *"--force"* ]] || fail "$stderr"
	driver "$ROOT" undo 0002
	driver "$ROOT" undo 0001
	driver "$ROOT" undo 0003
	assert_old
	driver 3 "$ROOT" undo 0004
	[[ $stderr == *"transaction 0004: there is none" ]]
}

# Holds the lock as a program does that a run has started: by the descriptor alone.
@test "two at once: the second says who is at work" {
	exec 8>>"$STORE/lock"
	flock -n 8
	printf '4711 metis-passthrough setup\n' >"$STORE/lock"
	driver 3 "$ROOT" apply "${CHANGES[@]}" 8>&-
	[[ $stderr == *"process 4711 (metis-passthrough setup), or a program that it started, is changing this host;"* ]]
	assert_old
	exec 8>&-
	driver "$ROOT" apply "${CHANGES[@]}"
}

@test "a damaged journal is named, and nothing is touched" {
	driver "$ROOT" apply "${CHANGES[@]}"
	local new plan=$STORE/0001/plan.json log=$STORE/0001/log
	local way_out="; nothing can be changed while it is so: bring it back, or move /var/lib/metis-passthrough/0001 away"
	way_out+=" (what it holds can then not be undone by this program)"
	new=$(fingerprint "$ROOT" etc usr)
	cp "$plan" "$log" "$BATS_TEST_TMPDIR"
	# damage PATTERN COMMAND...: after it, whatever is tried ends with exit 3 and PATTERN.
	damage() {
		local pattern=$1 verb
		shift
		"$@"
		for verb in "undo" "apply file /etc/x 644 x" "recover" "history"; do
			# shellcheck disable=SC2086
			driver 3 "$ROOT" $verb
			# shellcheck disable=SC2027,SC2053 # the pattern between the quoted parts is one
			[[ $stderr == "engine-driver: /var/lib/metis-passthrough/0001/"$pattern"$way_out" ]] || fail "not as expected: $pattern"
		done
		assert_same "$new" "$(fingerprint "$ROOT" etc usr)"
		cp "$BATS_TEST_TMPDIR/plan.json" "$BATS_TEST_TMPDIR/log" "$STORE/0001"
	}
	damage "plan.json: cannot read: No such file or directory" rm "$plan"
	damage "log: cannot read: No such file or directory" rm "$log"
	damage "log: is damaged: it is empty" truncate -s 0 "$log"
	damage "plan.json: is damaged: not JSON: it ends too early" truncate -s 100 "$plan"
	damage "plan.json: is damaged: not JSON: *" truncate -s 0 "$plan"
	# One digit of a number: still JSON.
	damage "log: is damaged: its first line is not the digest of plan.json:*" sed -i '0,/"mode":420/s//"mode":421/' "$plan"
	damage "log: is damaged: an event that cannot be here: \"done 7\"" sed -i 's/^done 5/done 7/' "$log"
	damage "log: is damaged: an event that cannot be here: \"begin 2\"" sed -i 's/^applied/begin 2/' "$log"
	damage "log: is damaged: an event that cannot be here: \"applied\"" sed -i '/^done 3/d' "$log"
	damage "log: is damaged: it has NUL bytes" sed -i 's/^done 3/done\x003/' "$log"
	driver "$ROOT" undo
	assert_old
}

@test "the half of a line that a crash left in the log does not count" {
	driver "$ROOT" apply "${CHANGES[@]}"
	printf 'undo 3' >>"$STORE/0001/log"
	driver "$ROOT" history
	assert_output "0001 in force test"
	driver "$ROOT" undo
	assert_old
	run tail -1 "$STORE/0001/log"
	assert_output "undone"
}

@test "a damaged saved copy: the rest is undone, and a person is told what to do" {
	driver "$ROOT" apply "${CHANGES[@]}"
	printf 'other' >"$STORE/0001/1.old"
	driver 5 "$ROOT" undo
	[[ $stderr == *"/var/lib/metis-passthrough/0001/1.old: the saved copy of /etc/default/grub is damaged"* ]]
	[[ $stderr == *"its saved copy: /var/lib/metis-passthrough/0001/1.old, which belongs to /etc/default/grub"* ]]
	assert_not_exists "$ROOT/usr"
	driver "$ROOT" history
	assert_output "0001 interrupted test"
	printf 'GRUB\351\n\0bin' >"$STORE/0001/1.old"
	touch -d '2020-02-02 02:02:02' "$STORE/0001/1.old"
	driver "$ROOT" undo
	assert_old
}

# Really full, not made so by the library: what undoing needs has to be there.
@test "a full disk: whatever room is left, the old or the new state" {
	unshare -m true 2>/dev/null || skip "no file system may be mounted here"
	cat >"$BATS_TEST_TMPDIR/full" <<'EOF'
set -eu
mnt=$1 old=$2 blocks=$3 driver=$4
shift 4
mount -t tmpfs -o size=512k none "$mnt"
cp -a "$old/." "$mnt/"
"$driver" "$mnt" recover
dd if=/dev/zero of="$mnt/fill" bs=4096 count=1000 2>/dev/null || :
truncate -s "-$((blocks * 4096))" "$mnt/fill"
code=0
"$driver" "$mnt" "$@" || code=$?
cd "$mnt"
printf 'exit %s\n' "$code"
"$FINGERPRINT" . etc usr
EOF
	export FINGERPRINT=$TOP_SRCDIR/tests/sim/fingerprint
	local blocks codes=
	mkdir "$BATS_TEST_TMPDIR/mnt"
	cp -a "$ROOT" "$BATS_TEST_TMPDIR/new"
	driver "$BATS_TEST_TMPDIR/new" apply "${CHANGES[@]}"
	for blocks in {0..40}; do
		run --separate-stderr unshare -m sh "$BATS_TEST_TMPDIR/full" "$BATS_TEST_TMPDIR/mnt" "$ROOT" "$blocks" "$DRIVER" apply "${CHANGES[@]}"
		assert_success
		case ${lines[0]} in
		0001) assert_same "$(fingerprint "$BATS_TEST_TMPDIR/new" etc usr)" "$(printf '%s\n' "${lines[@]:2}")" ;;
		"exit "[34]) assert_same "$OLD" "$(printf '%s\n' "${lines[@]:1}")" ;;
		*) fail "with $blocks blocks left: $output $stderr" ;;
		esac
		codes+=" ${lines[0]#exit }"
	done
	printf '# a disk with 0 to 40 free blocks, exit codes:%s\n' "$codes" >&3
	[[ $codes == *" 3 "*" 4 "*" 0001" ]] || fail "not all of them were seen: $codes"
}

@test "a read-only file system: a sentence, nothing changed" {
	unshare -m true 2>/dev/null || skip "no file system may be mounted here"
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount --bind "$1/etc" "$1/etc" && mount -o remount,bind,ro "$1/etc" && shift && "$@"' - \
		"$ROOT" "$DRIVER" "$ROOT" apply "${CHANGES[@]}"
	assert_failure 4
	assert_output --partial "/etc/default/grub: cannot write: Read-only file system; everything was undone"
	assert_old
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && "$@"' - \
		"$ROOT" "$DRIVER" "$ROOT" apply "${CHANGES[@]}"
	assert_failure 3
	assert_output --partial "/var/lib/metis-passthrough/lock: cannot lock: Read-only file system"
}

@test "eight files take less than 50 syncs" {
	command -v strace >/dev/null || skip "no strace"
	strace -o /dev/null true 2>/dev/null || skip "nothing may be traced here"
	local i
	CHANGES=()
	for i in {1..8}; do
		printf 'old\n' >"$ROOT/etc/modprobe.d/$i.conf"
		CHANGES+=(file "/etc/modprobe.d/$i.conf" 644 $'new\n')
	done
	# The leak checker is itself a tracer, and there can be one only.
	run env ASAN_OPTIONS=detect_leaks=0 strace -f -o "$BATS_TEST_TMPDIR/syncs" -e trace=fsync,fdatasync,sync,syncfs "$DRIVER" "$ROOT" apply "${CHANGES[@]}"
	assert_success
	run grep -cE ' = 0$' "$BATS_TEST_TMPDIR/syncs"
	printf '# eight files: %s syncs\n' "$output" >&3
	[ "$output" -ge 16 ] && [ "$output" -lt 50 ]
}
