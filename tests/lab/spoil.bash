# shellcheck shell=bash
# For judge.bats: copies of what a node brought out, spoilt in one place, and judged again.

# spoil_setup: a copy of what the node brought out, to be spoilt.
spoil_setup() {
	[ -e "$LAB_OUT/complete" ] || skip "the node $LAB_VARIANT did not run"
	SPOILT=$BATS_TEST_TMPDIR/node
	fresh
}

# fresh: the copy as the node left it.
fresh() {
	rm -rf "$SPOILT"
	cp -r "$LAB_OUT" "$SPOILT"
}

# judged TEST: runs the tests of node.bats whose name matches, on the copy.
judged() {
	run env LAB_OUT="$SPOILT" METIS="$METIS" TMPDIR="$BATS_TEST_TMPDIR" \
		bats --formatter tap --filter "$1" "$BATS_TEST_DIRNAME/node.bats"
}

# caught TEST COMMAND...: TEST passes, and no more once COMMAND has been at the copy. Where it does not pass to begin
# with, that failure is counted already, and there is nothing to show here.
caught() {
	local filter=$1
	shift
	fresh
	local passes
	# Once for each TEST: it is asked again and again.
	passes=$BATS_FILE_TMPDIR/passes-$(printf '%s' "$filter" | cksum | tr ' ' -)
	if [ ! -e "$passes" ]; then
		judged "$filter"
		[ "$status" = 0 ] || skip "node.bats fails here without being spoilt: $filter"
		assert_output --regexp '^1\.\.1'
		touch "$passes"
	fi
	"$@"
	judged "$filter"
	assert_failure
	assert_output --partial 'not ok 1'
}

# edit FILE FILTER [jq options]: spoils one JSON file.
edit() {
	local file=$SPOILT/$1 filter=$2
	shift 2
	jq "$@" "$filter" "$file" >"$file.new"
	run ! cmp -s "$file" "$file.new"
	mv "$file.new" "$file"
}

# write FILE TEXT: spoils one file as a whole.
write() {
	printf '%s\n' "$2" >"$SPOILT/$1"
}
