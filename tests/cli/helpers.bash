# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the command line share. METIS is the program, TOP_SRCDIR the source tree;
# both default to a build in build/ so that `bats tests/cli/help.bats` works by hand.

bats_require_minimum_version 1.5.0
: "${BATS_LIB_PATH:=/usr/lib/bats}"
export BATS_LIB_PATH
bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

: "${TOP_SRCDIR:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
: "${METIS:=$TOP_SRCDIR/build/metis-passthrough}"
export LC_ALL=C.UTF-8
unset COLUMNS NO_COLOR LANGUAGE METIS_PASSTHROUGH_PROFILES

# metis [EXIT] ARG...: runs the program with a time limit and expects exit code EXIT (0).
# Sets $output (standard output), $stderr and $status; a failure shows all of them.
metis() {
	local expected=0
	if [[ ${1-} =~ ^[0-9]$ ]]; then
		expected=$1
		shift
	fi
	run --separate-stderr timeout 60 "$METIS" "$@"
	printf '$ metis-passthrough'
	printf ' %q' "$@"
	printf '\nexit %s\n%s\n--- standard error ---\n%s\n' "$status" "$output" "$stderr"
	[ "$status" -eq "$expected" ] || fail "exit code $status, expected $expected"
}

# host NAME: the path of a captured host. Fails when there is none, so that a renamed host
# does not turn its tests into skips.
host() {
	local path=$TOP_SRCDIR/tests/hosts/$1
	local candidate
	for candidate in "$path" "$path.snap"; do
		if [ -e "$candidate" ]; then
			printf '%s\n' "$candidate"
			return
		fi
	done
	printf 'no captured host %s in tests/hosts\n' "$1" >&2
	return 1
}

# assert_json EXPR VALUE: the jq expression EXPR on $output prints VALUE (-r form).
assert_json() {
	local value
	value=$(jq -r "$1" <<<"$output") || fail "jq '$1' failed on: $output"
	[ "$value" = "$2" ] || fail "$1 is '$value', expected '$2'"
}

# assert_schema NAME: $output fits templates/schema/NAME.schema.json.
assert_schema() {
	local complaints
	complaints=$(jq -rn -L "$TOP_SRCDIR/tests/cli" \
		--slurpfile schema "$TOP_SRCDIR/templates/schema/$1.schema.json" \
		'include "schema"; input | complaints($schema[0])' <<<"$output") ||
		fail "jq failed on: $output"
	[ -z "$complaints" ] || fail "not $1.schema.json: $complaints"
}

# A usage error: exit 2, nothing on standard output, one line and "Try".
assert_usage_error() {
	[ "$status" -eq 2 ] || fail "exit code $status, expected 2"
	[ -z "$output" ] || fail "something on standard output: $output"
	[ "$(wc -l <<<"$stderr")" -eq 2 ] || fail "not two lines: $stderr"
	[[ $stderr == *"Try 'metis-passthrough "*"--help'." ]] || fail "no hint in: $stderr"
}

# The verbs, as the program's help lists them.
verbs() {
	"$METIS" --help | sed -n '/^Verbs:$/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

# options VERB: the long options that its help lists, sorted.
options() {
	"$METIS" "$1" --help | sed -n '/^Options:$/,/^$/s/^  .. *\(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p; /^Options:$/,/^$/s/^  -., \(--[a-z-]*\).*/\1/p' | sort -u
}

# Joins the lines of standard input by spaces.
one_line() {
	paste -sd' ' -
}
