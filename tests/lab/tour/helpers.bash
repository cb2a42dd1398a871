# shellcheck shell=bash
# For node.bats of the tour, beside ../helpers.bash.

# part FROM [TO]: the kernel's lines of the second boot between two remarks of the tour, without the remarks.
part() {
	awk -v from="$1" -v to="${2:-}" '
		to != "" && index($0, "lab: " to) { exit }
		on { print }
		index($0, "lab: " from) { on = 1 }' "$LAB_OUT/2/log.out"
}

# looked SECTION: that part of what the VM told of itself (look).
looked() {
	awk -v head="== $1" '/^== / { on = $0 == head; next } on' "$LAB_OUT/2/look.out"
}

# truth found|driven ADDRESS KEY: what a card of the VM is, by look.
truth() {
	looked "$1 $2" | awk -v key="$3" '$1 == key { print $2 }'
}

# ram_below_4g: MiB of the VM's memory; it has none above.
ram_below_4g() {
	local bytes=0 range
	while read -r range _; do
		bytes=$((bytes + 0x${range#*-} - 0x${range%-*} + 1))
	done < <(looked memory)
	printf '%s
' $((bytes >> 20))
}

# guest_address ID: where the VM has the device.
guest_address() {
	awk -v id="$1" '$3 == id { print $2 }' "$LAB_OUT/2/guest.out"
}

# verdict FILE ID SUBJECT: severity and summary of one finding.
verdict() {
	jq -r --arg id "$2" --arg subject "$3" '.findings[] | select(.id == $id and .subject == $subject) | "\(.severity): \(.summary)"' "$1"
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
