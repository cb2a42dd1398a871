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

# nvme_took BOOT ADDRESS: the host's driver had this card at some time of the boot.
nvme_took() {
	grep -q "nvme nvme[0-9]*: pci function $2\$" "$LAB_OUT/$1/dmesg.out"
}

# changed BEFORE AFTER: paths that are not the same in both fingerprints.
changed() {
	diff "$LAB_OUT/$1.out" "$LAB_OUT/$2.out" | sed -nE 's/^[<>] ([0-9a-f]{64}  )?(\/[^ ]*).*/\2/p' | sed 's/initrd.img-.*/initrd.img-*/' | sort -u
}

# image_file NAME PATH: a file of an initramfs image that a command put out. It is compressed with gzip (furnish).
image_file() {
	gzip -dc "$LAB_OUT/$1.out" | cpio -i --quiet --to-stdout "$2"
}

# assert_word WORD NAME, refute_word: WORD is, or is not, among the words that a command printed.
assert_word() {
	tr ' ' '\n' <"$LAB_OUT/$2.out" | grep -Fqx -- "$1" || {
		printf '%s is not in %s: %s\n' "$1" "$2" "$(fact "$2")"
		return 1
	}
}
refute_word() {
	! assert_word "$@" >/dev/null || {
		printf '%s is in %s: %s\n' "$1" "$2" "$(fact "$2")"
		return 1
	}
}
