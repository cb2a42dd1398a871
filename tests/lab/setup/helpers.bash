# shellcheck shell=bash
# For node.bats of the whole node, beside ../helpers.bash: a boot is a directory of LAB_OUT.

# boots: numbers of the boots that the commands speak of.
boots() {
	sed -n 's/^\([1-9]\) .*/\1/p' "$BATS_TEST_DIRNAME/commands" | sort -u
}

# driver BOOT ADDRESS: the card's driver when that boot was over, or none.
driver() {
	awk -v card="$2" '$1 == card { print $NF }' "$LAB_OUT/$1/cards.out"
}

# has_drivers BOOT [ADDRESS...]: these cards are on vfio-pci, and all others with the host's driver. All differences are shown.
# shellcheck disable=SC2154 # cards: from the variant
has_drivers() {
	local boot=$1 card expected differ=0
	shift
	[ ${#cards[@]} -ge 2 ] || differ=1
	for card in "${!cards[@]}"; do
		expected=${cards[$card]}
		case " $* " in *" $card "*) expected=vfio-pci ;; esac
		[ "$(driver "$boot" "$card")" = "$expected" ] || {
			printf 'boot %s: %s is on %s, expected %s\n' "$boot" "$card" "$(driver "$boot" "$card")" "$expected"
			differ=1
		}
	done
	return "$differ"
}
