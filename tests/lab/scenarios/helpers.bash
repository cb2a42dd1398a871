# shellcheck shell=bash
# For node.bats of the scenarios, beside ../helpers.bash: what a scenario said is NAME.out, the kernel's lines NAME.log.

# part NAME [FROM [TO]]: the kernel's lines between two remarks of the scenario, without the remarks.
part() {
	awk -v from="${2:-}" -v to="${3:-}" '
		to != "" && index($0, "lab: " to) { exit }
		from == "" || on { if (!index($0, "lab: ")) print }
		from != "" && index($0, "lab: " from) { on = 1 }' "$LAB_OUT/$1.log"
}

# card NAME: the card's address as fault lines have it, without the domain.
card() {
	sed 's/^0000://' "$LAB_OUT/$1.card"
}

# The kernel tells about faults it has not printed; then a count of lines says nothing.
assert_all_printed() {
	! grep 'callbacks suppressed' "$LAB_OUT/$1.log"
}

# faults: stdin without what is no fault of an IOMMU.
faults() {
	grep -F '[fault reason ' || true
}

# only_faults REASON WHERE CARD: stdin has faults, each with that reason, place and card.
only_faults() {
	local lines
	lines=$(faults)
	[ -n "$lines" ] || {
		printf 'no fault, expected %s at %s of %s\n' "$@"
		return 1
	}
	! grep -vF "Request device [$3] $2 [fault reason $1]" <<<"$lines"
}

# only_reason REASON CARD: stdin has faults of blocked interrupts, each with that reason and card.
only_reason() {
	local lines
	lines=$(faults)
	[ -n "$lines" ] || {
		printf 'no fault, expected %s of %s\n' "$@"
		return 1
	}
	! grep -v "INTR-REMAP\] Request device \[$2\] fault index 0x[0-9a-f]* \[fault reason $1\]" <<<"$lines"
}

# indexes REASON CARD: the fault indexes of stdin, in their order, each once; anything else than that reason and card is shown.
indexes() {
	faults | sed -n "s/.*INTR-REMAP\] Request device \[$2\] fault index \(0x[0-9a-f]*\) \[fault reason $1\].*/\1/p; t; p" |
		uniq | xargs
}

# handle_of ADDRESS: the handle of a message in the remappable format (VT-d 5.1.2.2): bits 19:5, and bit 2 as its highest.
handle_of() {
	if [ $(($1 >> 20)) != $((0xfee)) ] || [ $(($1 & 0x10)) = 0 ]; then
		printf '%s is no remappable message\n' "$1" >&2
		return 1
	fi
	printf '%s\n' $((($1 >> 5 & 0x7fff) | ($1 >> 2 & 1) << 15))
}

# no_faults: stdin has none.
no_faults() {
	local lines
	lines=$(faults)
	[ -z "$lines" ] || {
		printf 'faults that should not be:\n%s\n' "$lines"
		return 1
	}
}

# said NAME LINE...: the lines are in what the scenario said, in this order, others may be between.
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

# said_value NAME WHAT: what follows WHAT in the first line that starts with it.
said_value() {
	sed -n "s/^$2 //p" "$LAB_OUT/$1.out" | head -n 1
}

# variant NAME CAUSE: of the explanations for the interrupts, that one comes first beside the class that all of them are of.
variant() {
	json "$LAB_OUT/$1.diagnosis" \
		'first(.hypotheses[] | select(.topic == "interrupt" and .id != "untranslated-message")).id == $cause' --arg cause "$2"
}

# explained NAME TOPIC CAUSE [OTHER]: the diagnosis of the scenario's card and its VM has that cause before all others of the topic;
# OTHER is among them.
explained() {
	local file=$LAB_OUT/$1.diagnosis
	fits diagnose "$file"
	json "$file" '.subject == $card and .vm.id == "101"' --arg card "0000:$(card "$1")"
	json "$file" 'first(.hypotheses[] | select(.topic == $topic)).id == $cause' --arg topic "$2" --arg cause "$3" || {
		jq -c '.hypotheses[] | [.id, .likelihood, .score]' "$file"
		return 1
	}
	[ -z "${4:-}" ] || json "$file" 'any(.hypotheses[]; .id == $other)' --arg other "$4"
}
