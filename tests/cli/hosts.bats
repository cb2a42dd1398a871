# SPDX-License-Identifier: GPL-2.0-or-later
# The captured hosts in tests/hosts: made by their definitions, and the same when they are
# captured again.

load helpers

setup() {
	cd "$TOP_SRCDIR" || return
}

hosts() {
	printf '%s\n' tests/hosts/*.snap
}

# findings FILE ARG...: id, subject and severity of each finding, one a line.
findings() {
	local file=$1
	shift
	"$METIS" preflight --format json --sysroot "$file" "$@" |
		jq -r '.findings[] | [.id, .subject, .severity, .summary] | @tsv'
}

@test "the hosts are what their definitions make" {
	[ "$(hosts | wc -l)" -ge 20 ] || fail "there are only $(hosts | wc -l) hosts"
	run perl tests/hosts/generate --check
	assert_success
	assert_output ''
}

@test "every host says what of it is invented, or where it was captured" {
	local host
	for host in $(hosts); do
		grep -qiE '^# .*(invented|captured in the lab)' "$host" || fail "$host does not say"
	done
}

@test "every host can be listed and judged" {
	local host
	for host in $(hosts); do
		timeout 20 "$METIS" list --sysroot "$host" >/dev/null || fail "list: $host"
		run timeout 20 "$METIS" preflight --sysroot "$host"
		[ "$status" -le 1 ] || fail "preflight: $host: exit $status: $output"
	done
}

@test "a snapshot of a captured host gives the same findings, and is its own snapshot" {
	local host copy=$BATS_TEST_TMPDIR/copy.snap again=$BATS_TEST_TMPDIR/again.snap
	for host in $(hosts); do
		"$METIS" snapshot --force --sysroot "$host" -o "$copy"
		"$METIS" snapshot --force --sysroot "$copy" -o "$again"
		cmp "$copy" "$again" || fail "$host: not a fixpoint"
		diff <(findings "$host") <(findings "$copy") || fail "$host: other findings"
		diff <("$METIS" list --format json --sysroot "$host" | jq 'del(.host)') \
			<("$METIS" list --format json --sysroot "$copy" | jq 'del(.host)') ||
			fail "$host: another list"
	done
}

@test "every check has a host that passes it and one that does not" {
	run tests/hosts/coverage
	assert_success
}
