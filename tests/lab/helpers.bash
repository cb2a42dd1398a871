# shellcheck shell=bash
# For node.bats: what a node brought out (LAB_OUT), which variant it was (LAB_VARIANT), and how to judge it.

bats_require_minimum_version 1.8.0
bats_load_library bats-support
bats_load_library bats-assert

# A node that did not run to its end has shown nothing, so no test may pass. The console is printed once.
node_ran() {
	[ -e "$LAB_OUT/complete" ] && [ ! -e "$LAB_OUT/broken" ] && return
	if [ "$BATS_TEST_NUMBER" = 1 ]; then
		cat "$LAB_OUT/broken" 2>/dev/null || printf 'nothing in %s: not booted\n' "$LAB_OUT"
	else
		printf '%s: the node did not run, see its first test\n' "$LAB_VARIANT"
	fi
	return 1
}

# fact NAME: first line of what a command printed in the node.
fact() {
	head -n 1 "$LAB_OUT/$1.out"
}

# address NAME: PCI address of edu or nvme, as the node's init found it.
address() {
	cat "$LAB_OUT/$1"
}

# neighbour_interrupts: how the NVMe's first interrupt travels, by its chip in /proc/interrupts: remapped, direct, or none.
neighbour_interrupts() {
	case $(grep 'nvme0q0$' "$LAB_OUT/interrupts.out") in
	*' IR-PCI-MSI'*) printf 'remapped\n' ;;
	*' PCI-MSI'*) printf 'direct\n' ;;
	*) printf 'none\n' ;;
	esac
}

# pci_ids_name VENDOR:DEVICE: the device's name in pci.ids, or null.
pci_ids_name() {
	awk -v vendor="${1%:*}" -v device="${1#*:}" '
		/^[^\t#]/ { here = $1 == vendor }
		here && substr($0, 1, 7) == "\t" device "  " { name = substr($0, 8) }
		END { print name == "" ? "null" : name }' /usr/share/misc/pci.ids
}

# exited NAME CODE: the command's exit code; its stderr explains a difference.
exited() {
	local rc
	rc=$(cat "$LAB_OUT/$1.rc")
	[ "$rc" = "$2" ] || {
		printf '%s: exit %s, expected %s\n' "$1" "$rc" "$2"
		tail -n 20 "$LAB_OUT/$1.err"
		return 1
	}
}

# json FILE FILTER [jq options]: the file is one JSON document of which FILTER is true. (Alone, jq -e is content with an
# empty file.)
json() {
	local file=$1 filter=$2
	shift 2
	jq -s -e "$@" "length == 1 and (.[0] | $filter)" "$file" >/dev/null || {
		printf 'in %s not true: %s\n' "${file##*/}" "$filter"
		return 1
	}
}

# fits SCHEMA FILE: the file is one JSON document like templates/schema/SCHEMA.schema.json.
fits() {
	local top complaints
	top=$(dirname "${BASH_SOURCE[0]}")/../..
	json "$2" true
	complaints=$(jq -r -L "$top/tests/cli" --slurpfile schema "$top/templates/schema/$1.schema.json" \
		'include "schema"; complaints($schema[0])' "$2")
	[ -z "$complaints" ] || {
		printf '%s is not like %s.schema.json: %s\n' "${2##*/}" "$1" "$complaints"
		return 1
	}
}

# severity FILE ID SUBJECT: one finding's verdict, "absent" if there is none.
severity() {
	jq -r --arg id "$2" --arg subject "$3" \
		'[.findings[] | select(.id == $id and .subject == $subject) | .severity] | if . == [] then "absent" else join(",") end' "$1"
}

# expect_verdicts FILE SUBJECT ID=SEVERITY...: all differences are shown, not only the first.
expect_verdicts() {
	local file=$1 subject=$2 pair is differ=0
	shift 2
	[ $# -gt 0 ] || {
		printf 'variants/%s.sh expects nothing of %s\n' "$LAB_VARIANT" "$subject"
		return 1
	}
	for pair; do
		is=$(severity "$file" "${pair%%=*}" "$subject")
		[ "$is" = "${pair#*=}" ] || {
			printf '%s (%s): %s, expected %s\n' "${pair%%=*}" "$subject" "$is" "${pair#*=}"
			jq -c --arg id "${pair%%=*}" '.findings[] | select(.id == $id)' "$file"
			differ=1
		}
	done
	return "$differ"
}

# code_of FILE: the exit code that the findings call for.
code_of() {
	jq 'if any(.findings[]; .severity == "fail" and (.waiver == null)) then 1 else 0 end' "$1"
}

# verdicts FILE: what a replay has to repeat, a line a finding. Live-only findings are told apart by the caller.
verdicts() {
	jq -r '.findings[] | select(.live_only | not) | [.id, .subject, .severity] | @tsv' "$1" | sort
}

# one_line NAME: what command NAME said, its lines joined by blanks.
one_line() {
	tr '\n' ' ' <"$LAB_OUT/$1.out" | sed 's/ *$//'
}
