#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# rollback: everything is as it was, or it says why not and nothing was done.
load helpers
load system

CONF=/etc/metis-passthrough/config.yaml

setup() {
	export TZ=UTC
	need_system
	tree=$(system forum-node)
	before=$(fingerprint "$tree")
}

set_up() {
	metis setup --sysroot "$tree" --yes -d 86:00.0
	after=$(fingerprint "$tree")
	[ "$before" != "$after" ] || fail "setup changed nothing"
}

state() {
	"$METIS" history --sysroot "$tree" --format json | jq -r '[.transactions[].state] | join(" ")'
}

@test "with nothing in force there is nothing to do" {
	metis rollback --sysroot "$tree" --yes
	assert_output "nothing to undo: no change of this program is in force"
	metis 3 rollback --sysroot "$tree" --yes 0001
	[[ $stderr == *"0001: cannot undo: there is no such transaction"* ]] || fail "$stderr"
	metis 2 rollback --sysroot "$tree" --all 0001
	assert_usage_error
	metis 2 rollback --sysroot "$(host forum-node)"
	assert_usage_error
}

@test "the last change is undone, byte for byte, and shown before" {
	set_up
	metis rollback --sysroot "$tree" --yes
	assert_line --index 0 "To be undone, in this order:"
	assert_line --regexp "^transaction 0001 of .*0000:86:00.0"
	assert_line --partial "    write $CONF"
	assert_line "undone: transaction 0001"
	refute_output --partial "Until the next boot" # nothing of it is read at boot only
	assert_same "$before" "$(fingerprint "$tree")"
	[ "$(state)" = undone ] || fail "$(state)"
	# Again: nothing to do.
	metis rollback --sysroot "$tree" --yes
	assert_output --partial "nothing to undo"
	metis rollback --sysroot "$tree" --yes 0001
	assert_output "transaction 0001 is undone already"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "without a terminal and without --yes nothing is undone" {
	set_up
	metis 2 rollback --sysroot "$tree" </dev/null
	[[ $stderr == *"--yes"* ]] || fail "$stderr"
	assert_same "$after" "$(fingerprint "$tree")"
	[ "$(state)" = in_force ] || fail "$(state)"
}

# With a terminal: script(1) makes one.
@test "the answer no, or none, undoes nothing" {
	command -v script >/dev/null || skip "no script(1)"
	set_up
	for answer in 'n\n' '\n' 'yesno\n' ''; do
		# shellcheck disable=SC2059
		printf "$answer" | { script -qec "$METIS rollback --sysroot $tree" "$BATS_TEST_TMPDIR/typescript" >/dev/null || [ $? -eq 1 ]; }
		grep -q 'COMMAND_EXIT_CODE="1"' "$BATS_TEST_TMPDIR/typescript"
		grep -q 'Nothing was undone' "$BATS_TEST_TMPDIR/typescript"
		assert_same "$after" "$(fingerprint "$tree")"
	done
	printf 'y\n' | script -qec "$METIS rollback --sysroot $tree" "$BATS_TEST_TMPDIR/typescript" >/dev/null
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "what somebody changed since is shown, and nothing is undone" {
	set_up
	echo '# mine' >>"$tree$CONF"
	changed=$(fingerprint "$tree")
	metis 1 rollback --sysroot "$tree" --yes
	assert_line "+# mine"
	[[ $stderr == *"0001 is not undone"*"$CONF"* ]] || fail "$stderr"
	assert_same "$changed" "$(fingerprint "$tree")"
	[ "$(state)" = in_force ] || fail "$(state)"
	# Another path does not help, this one does; what was there is kept.
	metis 1 rollback --sysroot "$tree" --yes --force /etc/fstab
	metis rollback --sysroot "$tree" --yes --force "$CONF"
	assert_same "$before" "$(fingerprint "$tree")"
	grep -qxF '# mine' "$tree"/var/lib/metis-passthrough/0001/*.theirs
}

@test "what could not be kept is not undone by force, nor by half" {
	local changed
	set_up
	rm "$tree$CONF"
	mkfifo "$tree$CONF"
	changed=$(fingerprint "$tree")
	metis 1 rollback --sysroot "$tree" --yes --force "$CONF"
	[[ $stderr == *"$CONF: was changed since by somebody else: it is a device node"* ]] || fail "$stderr"
	[[ $stderr != *"--force"* ]] || fail "$stderr"
	[ "$(state)" = in_force ] || fail "$(state)"
	assert_same "$changed" "$(fingerprint "$tree")"
	rm "$tree$CONF"
	metis rollback --sysroot "$tree" --yes
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "what was not there before and was removed since is as it shall be" {
	set_up
	rm "$tree$CONF"
	metis rollback --sysroot "$tree" --yes
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "images are put back, and that the host still runs with the others is told" {
	tree=$(system host-driver "$BATS_TEST_TMPDIR/images")
	before=$(fingerprint "$tree")
	set_up
	assert_file_exist "$tree/etc/modprobe.d/metis-passthrough.conf"
	metis rollback --sysroot "$tree" --yes
	assert_line --partial "update-initramfs -u -k all"
	assert_line --partial "Until the next boot"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "a setup that was killed is undone, and that is all" {
	set_up
	log=$tree/var/lib/metis-passthrough/0001/log
	sed -i '$d' "$log"
	[ "$(state)" = interrupted ] || fail "$(state)"
	metis rollback --sysroot "$tree" --yes
	assert_line "undone: transaction 0001, which was interrupted"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "--all undoes the newest first" {
	set_up
	# A second change, on top of the first.
	rm -f "$tree/etc/systemd/system/metis-passthrough-status.service"
	metis setup --sysroot "$tree" --yes -d 86:00.0
	[ "$(state)" = "in_force in_force" ] || fail "$(state)"
	metis 1 rollback --sysroot "$tree" --yes 0001
	[[ $stderr == *"0002"* ]] || fail "$stderr"
	metis rollback --sysroot "$tree" --yes 0002
	[ "$(state)" = "in_force undone" ] || fail "$(state)"
	metis setup --sysroot "$tree" --yes -d 86:00.0
	echo '# mine' >>"$tree$CONF"
	metis 1 rollback --sysroot "$tree" --yes --all
	# What was undone before the refusal is told.
	assert_line "undone: transaction 0003"
	[ "$(state)" = "in_force undone undone" ] || fail "$(state)"
	sed -i '$d' "$tree$CONF"
	metis setup --sysroot "$tree" --yes -d 86:00.0
	metis rollback --sysroot "$tree" --yes --all
	assert_line --partial "undone: transaction 0004"
	[ "$(state)" = "undone undone undone undone" ] || fail "$(state)"
	assert_same "$before" "$(fingerprint "$tree")"
}

@test "two at once: one waits for nobody and says who is at work" {
	set_up
	exec 8>"$tree/var/lib/metis-passthrough/lock"
	flock -x 8
	metis 3 rollback --sysroot "$tree" --yes
	exec 8>&-
	[[ $stderr == *"is changing this host"* ]] || fail "$stderr"
	assert_same "$after" "$(fingerprint "$tree")"
}
