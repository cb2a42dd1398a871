#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# selftest, as far as it goes without a device: its words, its cases, its unit. The rest is proven in tests/lab.
load helpers

@test "cases are listed, and those of the lists are the same" {
	metis selftest --list-cases --format json
	cases=$(jq -r '.cases[].case' <<<"$output")
	[ "$(wc -l <<<"$cases")" -ge 10 ]
	[ "$(jq '[.cases[] | select(.isolation)] | length' <<<"$output")" -ge 3 ]
	run bash -c 'grep -vE "^[a-z0-9]+(-[a-z0-9]+)*$" <<<"$0"' "$cases"
	assert_output ""
	metis selftest --list-cases
	assert_equal "$(awk '/^[^ ]/ { print $1 }' <<<"$output")" "$cases"
	metis 2 selftest --list-cases --format junit
	assert_usage_error
}

@test "slips are usage errors" {
	for args in "--rounds 0" "--bytes 3" "--bytes 1T" "--bytes -1" "--bytes 99999999999G" "--case no-such" "--device x" \
		"--format yaml" "--way side" "--device ffff:ff:1f.7 --engine steam"; do
		# shellcheck disable=SC2086
		metis 2 selftest $args
		assert_usage_error
	done
}

@test "no such device, no such engine: exit 3 or 2 with the reason" {
	metis 3 selftest --device ffff:ff:1f.7
	[[ $stderr == *"ffff:ff:1f.7"*"no such device"* ]] || fail "$stderr"
	device=$(find /sys/bus/pci/devices -mindepth 1 -printf '%f\n' 2>/dev/null | sort | head -n 1)
	[ -n "$device" ] || skip "no PCI device here"
	metis 2 selftest --device "$device" --engine steam
	[[ $stderr == *"there is no engine 'steam' (there are: dw-edma, edu, nvme)"* ]] || fail "$stderr"
}

@test "a unit runs it after each boot only where the configuration asks, and systemd takes it" {
	tree=$BATS_TEST_TMPDIR/tree
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host set-up)" "$tree"
	mkdir -p "$tree/usr/bin"
	touch "$tree/usr/bin/systemctl"
	run "$METIS" plan --sysroot "$tree"
	assert_output --partial metis-passthrough-status.service
	refute_output --partial metis-passthrough-selftest.service
	echo "selftest: after-boot" >>"$tree/etc/metis-passthrough/config.yaml"
	run "$METIS" setup --sysroot "$tree" --yes --output "$BATS_TEST_TMPDIR/out"
	unit=$BATS_TEST_TMPDIR/out/etc/systemd/system/metis-passthrough-selftest.service
	assert_exists "$unit"
	assert_equal "$(readlink "${unit%/*}/multi-user.target.wants/${unit##*/}")" "../${unit##*/}"
	grep -q '^Before=pve-guests.service$' "$unit"
	grep -qE '^ExecStart=/.*/metis-passthrough selftest$' "$unit"
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	sed -i 's|^ExecStart=[^ ]*|ExecStart=/bin/true|; /^Documentation=/d' "$unit"
	run systemd-analyze verify --man=no "$unit"
	refute_output --partial metis-passthrough-selftest.service
	# Enabled, and asked for no more.
	mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
	ln -s ../metis-passthrough-selftest.service "$tree/etc/systemd/system/multi-user.target.wants/"
	sed -i '/^selftest:/d' "$tree/etc/metis-passthrough/config.yaml"
	run "$METIS" plan --sysroot "$tree"
	assert_output --partial 'systemctl disable metis-passthrough-selftest.service'
}
