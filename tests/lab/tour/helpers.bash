# shellcheck shell=bash
# For node.bats of the tour, beside ../helpers.bash.

# part FROM [TO]: the kernel's lines of the second boot between two remarks of the tour, without the remarks.
part() {
	awk -v from="$1" -v to="${2:-}" '
		to != "" && index($0, "lab: " to) { exit }
		on { print }
		index($0, "lab: " from) { on = 1 }' "$LAB_OUT/2/log.out"
}

# driver BOOT ADDRESS: the card's driver when that boot was over, or none.
driver() {
	awk -v card="$2" '$1 == card { print $NF }' "$LAB_OUT/$1/cards.out"
}

# said NAME LINE...: the lines are in what a command said, in this order; others may be between.
said() {
	local file=$LAB_OUT/$1.out line
	shift
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/expected"
	line=$(awk 'NR == FNR { want[++n] = $0; next } $0 == want[at + 1] { at++ } END { if (at < n) print want[at + 1] }' \
		"$BATS_TEST_TMPDIR/expected" "$file")
	[ -z "$line" ] || {
		printf '%s: not said, or not in its place: %s\n' "${file##*/}" "$line"
		cat "$file"
		return 1
	}
}
