#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# history: the journal, listed. The trees are made by setup itself.
load helpers
load system

setup() {
	export TZ=UTC
	need_system
}

@test "where nothing was changed, nothing is listed" {
	mkdir -p "$BATS_TEST_TMPDIR/empty/sys"
	metis history --sysroot "$BATS_TEST_TMPDIR/empty"
	assert_output "nothing was changed by this program"
	metis history --sysroot "$BATS_TEST_TMPDIR/empty" --format json
	assert_schema history
	assert_json '.transactions | length' 0
}

@test "a change is listed with its state, also when it is undone" {
	tree=$(system forum-node)
	metis setup --sysroot "$tree" --yes -d 86:00.0
	metis history --sysroot "$tree"
	assert_line --index 0 --regexp '^ID +DATE +CHANGE +STATE +STEPS$'
	assert_line --index 1 --regexp '^0001 [0-9-]{10} [0-9:]{5} .*0000:86:00.0.* in force +[0-9]+$'
	metis history --sysroot "$tree" --format json
	assert_schema history
	assert_json '.transactions | length' 1
	assert_json '.transactions[0].state' in_force
	assert_json '[.transactions[0].steps[].state] | unique | join(" ")' 'done'
	assert_json '.target' "$tree"
	metis rollback --sysroot "$tree" --yes
	metis history --sysroot "$tree" --format json
	assert_schema history
	assert_json '.transactions[0].state' undone
	assert_json '[.transactions[0].steps[].state] | unique | join(" ")' undone
}

@test "titles that are no text come out as text" {
	tree=$(system forum-node)
	metis setup --sysroot "$tree" --yes -d 86:00.0
	journal=$tree/var/lib/metis-passthrough/0001
	sed -i 's/"title": *"[^"]*"/"title": "\\u001b[2J"/' "$journal/plan.json"
	sed -i "1s/.*/plan $(sha256sum <"$journal/plan.json" | cut -d' ' -f1)/" "$journal/log"
	metis history --sysroot "$tree"
	refute_output --partial $'\x1b'
	metis history --sysroot "$tree" --format json
	refute_output --partial $'\x1b'
}

@test "a damaged journal is told, not skipped" {
	tree=$(system forum-node)
	metis setup --sysroot "$tree" --yes -d 86:00.0
	echo nonsense >>"$tree/var/lib/metis-passthrough/0001/log"
	metis 3 history --sysroot "$tree"
	[[ $stderr == *0001* ]] || fail "$stderr"
}

@test "who may not read the journal is told so" {
	tree=$(system forum-node)
	metis setup --sysroot "$tree" --yes -d 86:00.0
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	for verb in history status rollback; do
		run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$METIS" "$verb" --sysroot "$tree"
		[ "$status" -eq 3 ] || fail "$verb: exit $status: $output"
		[[ $stderr == *"/var/lib/metis-passthrough"*"Permission denied"* ]] || fail "$verb: $stderr"
	done
}

@test "a snapshot that never looked is no empty history" {
	printf 'metis-passthrough snapshot 1\nmissing: unknown\n\n[/]\nsys /\n\n[end]\n' >"$BATS_TEST_TMPDIR/x.snap"
	metis 3 history --sysroot "$BATS_TEST_TMPDIR/x.snap"
	[[ $stderr == *"not in this snapshot"* ]] || fail "$stderr"
}
