#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# guest check, on captured guests (invented), and on copies of them in which one thing is otherwise.
load helpers

BDF=0000:03:00.0

setup() {
	TREE=$BATS_TEST_TMPDIR/tree
}

# A copy of guest-ready in $TREE, to be changed.
copy() {
	mkdir -p "$TREE"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host guest-ready)" "$TREE"
	CARD=$(realpath "$TREE/sys/bus/pci/devices/$BDF")
}

# finding ID SEVERITY [TEXT]: that of the card, or of the host.
finding() {
	local found
	found=$(jq -r --arg id "$1" --arg bdf "$BDF" \
		'.findings[] | select(.id == $id and (.subject == $bdf or .subject == "host")) | "\(.severity) \(.summary)"' \
		<<<"$output")
	[ "${found%% *}" = "$2" ] || fail "$1 is '$found', expected $2"
	[[ $found == *"${3-}"* ]] || fail "$1 says '$found', expected '$3'"
}

check() {
	metis "$1" guest check --sysroot "$TREE" --format json "${@:2}"
	assert_schema preflight
}

# poke OFFSET BYTE...: into the card's configuration space.
poke() {
	local at=$1
	shift
	printf '%b' "$(printf '\\x%s' "$@")" | dd of="$CARD/config" bs=1 seek="$at" conv=notrunc status=none
}

@test "a guest that is as it should be: passes, in the first line and by its exit code" {
	metis guest check --sysroot "$(host guest-ready)"
	assert_line --index 0 --partial "READY: $BDF"
	metis guest check --strict --sysroot "$(host guest-ready)" --format junit
	refute_output --partial "<failure"
}

@test "a guest with troubles: blocks, names each and what to do" {
	metis 1 guest check --sysroot "$(host guest-troubles)" --format json
	local BDF=0000:00:06.0
	assert_schema preflight
	finding guest-parent-port warn "directly on the guest's bus"
	finding guest-decoding fail "does not decode"
	finding guest-memory-map fail "beyond the 39 address bits"
	finding guest-driver-options warn "metis dma_poll=1"
	finding guest-driver-version warn "before 1.5.6"
	finding guest-vectors warn "neither MSI nor MSI-X"
	assert_json '[.findings[] | select((.severity == "fail" or .severity == "warn" or .severity == "unknown") and .remedy == null)] | length' 0
	metis 1 guest check --sysroot "$(host guest-troubles)"
	assert_line --index 0 --partial "NOT READY:"
	assert_output --partial "pcie=1"
}

@test "preflight runs none of the guest's checks, guest check none of the host's" {
	metis 1 preflight --sysroot "$(host guest-ready)" --format json
	assert_json '[.findings[] | select(.id | startswith("guest-"))] | length' 0
	metis guest check --sysroot "$(host guest-ready)" --format json
	assert_json '[.findings[] | select(.id | startswith("guest-") or startswith("device-") | not)] | length' 0
	metis 2 preflight --check 'guest-*' --sysroot "$(host guest-ready)"
	[[ $stderr == *"'guest check'"* ]] || fail "$stderr"
}

@test "the versions decide about options" {
	copy
	printf 'N\n' >"$TREE/sys/module/metis/parameters/dma_poll"
	check 0
	finding guest-driver-options warn "the profile warns"
	check 0 --driver-version 1.6.2 --firmware-version 1.8.0
	finding guest-driver-options pass "needs no option"
	finding guest-driver-version pass
	check 0 --driver-version 1.6.2
	finding guest-driver-options warn "not known"
	finding guest-driver-version unknown
	check 1 --driver-version 1.6.2 --strict
	printf '1.6.2\n' >"$TREE/sys/module/metis/version"
	check 0 --firmware-version 1.8.0
	finding guest-driver-options pass "driver 1.6.2"
	printf '1\n' >"$TREE/sys/module/metis/parameters/dma_poll"
	check 0
	finding guest-driver-options pass "has the options"
	finding guest-driver-version info
}

@test "a version or parameter that is not shown is not known, never fine" {
	copy
	rm "$TREE/sys/module/metis/version"
	check 0
	finding guest-driver-version info "not all versions are known"
	rm "$TREE/sys/module/metis/parameters/dma_poll"
	check 0
	finding guest-driver-version unknown "its driver may be used"
	finding guest-driver-options warn "shows no parameter"
	rm -r "$TREE/sys/module/metis"
	check 0
	finding guest-driver-options warn "shows no parameter"
}

@test "the card has no driver, or another" {
	copy
	rm "$CARD/driver"
	check 0
	finding guest-driver warn "No driver has"
	finding guest-vectors skip
	finding guest-decoding skip
	ln -s ../../../../bus/pci/drivers/vfio-pci "$CARD/driver"
	check 0
	finding guest-driver warn "is with vfio-pci"
	finding guest-driver-options skip
}

@test "the command register: no memory, no bus master" {
	copy
	poke 4 02 04
	check 0
	finding guest-decoding warn "bus master"
	poke 4 00 04
	check 1
	finding guest-decoding fail "does not decode"
}

@test "the memory map: zeros are not known, RAM over a BAR blocks" {
	copy
	printf '%s\n' '00000000-00000000 : System RAM' '00000000-00000000 : PCI Bus 0000:00' >"$TREE/proc/iomem"
	check 0
	finding guest-memory-map unknown
	printf '%s\n' '00100000-bfffffff : System RAM' >"$TREE/proc/iomem"
	check 1
	finding guest-memory-map fail "lies in RAM"
	printf '%s\n' 'zz-bfffffff : System RAM' >"$TREE/proc/iomem"
	check 0
	finding guest-memory-map unknown
	printf '%s\n' '100000000-17fffffff : System RAM' '  100000000-1000fffff : Kernel code' >"$TREE/proc/iomem"
	check 0
	finding guest-memory-map pass "0 MiB of RAM below 4 GiB, 2048 MiB above"
}

@test "no hypervisor is a note, and a guest without the card blocks" {
	copy
	sed -i 's/ hypervisor / /' "$TREE/proc/cpuinfo"
	check 0
	finding guest-hypervisor info
	rm "$TREE/sys/bus/pci/devices/$BDF"
	check 1
	finding guest-device fail "No card"
}

@test "the last self-test of this guest: failed, of another kernel, none" {
	copy
	local report=$TREE/var/lib/metis-passthrough/selftest/$BDF.json
	sed -i 's/"kernel": "[^"]*"/"kernel": "6.1.0"/' "$report"
	check 0
	finding guest-selftest info "on kernel 6.1.0"
	echo rubbish >"$report"
	check 0
	finding guest-selftest unknown
	rm "$report"
	check 0
	finding guest-selftest info "no self-test"
}

@test "what is no subcommand and no version is refused" {
	metis 2 guest
	metis 2 guest judge
	[[ $stderr == *"there is no 'guest judge'"* ]] || fail "$stderr"
	metis 2 guest check --driver-version new --sysroot "$(host guest-ready)"
	[[ $stderr == *"not a version"* ]] || fail "$stderr"
	metis 3 guest check --sysroot /nonexistent
}
