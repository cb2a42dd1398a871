# SPDX-License-Identifier: GPL-2.0-or-later
# How findings read: the rules that a machine can check, over every captured host.

load helpers

# Every finding of every run that the hosts have, one a line, with the host's name.
findings() {
	local snap args name
	for snap in "$TOP_SRCDIR"/tests/hosts/*.snap; do
		name=$(basename "$snap" .snap)
		while read -r -a args; do
			"$METIS" preflight --format json --sysroot "$snap" "${args[@]}" |
				jq -c --arg host "$name" '.findings[] + {host: $host}'
		done < <(if [ -e "${snap%.snap}.args" ]; then cat "${snap%.snap}.args"; else echo; fi)
	done
}

setup_file() {
	findings >"$BATS_FILE_TMPDIR/findings"
	[ "$(wc -l <"$BATS_FILE_TMPDIR/findings")" -gt 1000 ]
}

# none FILTER: no finding passes the jq filter; shows those that do.
none() {
	local found
	found=$(jq -r "select($1) | .host + \" \" + .id + \": \" + .summary" "$BATS_FILE_TMPDIR/findings" |
		sort -u) || fail "jq failed"
	[ -z "$found" ] || fail "$found"
}

@test "a summary begins with a capital, a number, a path or an identifier" {
	# An identifier: the name of a driver or unit, or a word no prose has.
	none '.summary | test("^([A-Z0-9/]|[a-z][a-z0-9]*[-_=.0-9]|(axl|nvme|metis|pcieport) )") | not'
}

@test "a summary is one line without a period at its end" {
	none '.summary | test("[.!:;,]$|\n|  ") or length < 10 or length > 400'
}

@test "nothing counts 1 things" {
	none '[.summary, .remedy // "", .evidence[].value] | any(test("(^|[ (])(?<!(bit|BAR|VM|group|Group|of|line|level|node) )1 (?!(is|was|has|lacks|goes|does|needs)\\b)[a-z]{3,}s\\b"))'
}

@test "what is not fine says what to do" {
	none '(.severity | IN("warn", "fail", "unknown")) and ((.remedy // "") | length < 5)'
}

@test "what is judged shows what was seen" {
	none '(.severity | IN("pass", "warn", "fail")) and (.evidence | length == 0)'
}

@test "evidence is named and is one line or a file's lines" {
	none '.evidence | any((.source | test("^$|^ | $|\n")) or (.value | test("^$|^\\s|\\s$")))'
}

@test "no remedy weakens the host" {
	none '(.remedy // "") | gsub("(?<ok>remove|delete|Don.t use|only hides|without) [^;.]*"; "") | test("pcie_acs_override=|relax_rmrr|allow_unsafe_interrupts=1|kill -9")'
}

@test "no remedy takes all cards of an id where another has it too" {
	none '(.host | startswith("same-id")) and ((.remedy // "") | test("options vfio-pci ids=|blacklist|softdep") and (test("never by id") | not))'
}

@test "no remedy takes from the host what it boots from" {
	none '.host == "boot-nvme-in-group" and (.id | startswith("group-")) and ((.remedy // "") | test("Take them from the host too|Or give the others along"))'
}
