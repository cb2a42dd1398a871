#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# guest apply, on captured guests (invented) made into trees that can be changed.
load helpers
load system

BDF=0000:03:00.0
FILE=/etc/modprobe.d/metis-passthrough-guest.conf
KERNEL=6.12.48+deb13-amd64
BOOT=01234567-89ab-cdef-0123-456789abcdef

setup() {
	export TZ=UTC
	need_system
}

teardown() {
	# Nobody shall wait for what a failed test left behind.
	[ ! -e "${tree-}/sim/waiting" ] || kill -9 "$(cat "$tree/sim/waiting")" || true
}

# $tree is a guest whose driver, 1.4.16, was loaded without the option; $before what it is now.
begin() {
	rm -rf "$BATS_TEST_TMPDIR/guest-ready"
	tree=$(system guest-ready)
	echo N >"$tree/sys/module/metis/parameters/dma_poll"
	mkdir -p "$tree/proc/sys/kernel/random" "$tree/etc/modprobe.d"
	echo $BOOT >"$tree/proc/sys/kernel/random/boot_id"
	before=$(fingerprint "$tree")
}

# The module is in the initramfs too, by an image that is made anew.
begin_early() {
	begin
	mkdir -p "$tree/sim/image/$KERNEL/usr/lib/modules/$KERNEL/updates"
	: >"$tree/sim/image/$KERNEL/usr/lib/modules/$KERNEL/updates/metis.ko"
	chroot "$tree" /usr/sbin/update-initramfs -u -k all >/dev/null
	calls "$tree" >/dev/null
	before=$(fingerprint "$tree")
}

# apply [EXIT] ARG...
apply() {
	local expected=0
	if [[ ${1-} =~ ^[0-9]$ ]]; then
		expected=$1
		shift
	fi
	metis "$expected" guest apply --yes --sysroot "$tree" "$@"
}

# finding VERB ID: severity and summary.
finding() {
	# shellcheck disable=SC2086 # the verb may be of two words
	"$METIS" $1 --format json --sysroot "$tree" | jq -r --arg id "$2" \
		'.findings[] | select(.id == $id) | "\(.severity) \(.summary)"'
}

assert_untouched() {
	assert_same "$before" "$(fingerprint "$tree")"
}

wait_for() {
	timeout 60 sh -c 'until [ -e "$1" ]; do sleep 0.05; done' - "$1" || fail "$1 does not come"
}

@test "the options are written, once, and rolled back byte for byte" {
	begin
	apply
	assert_line --index 0 "plan: 1 file; takes effect when the module is loaded again"
	assert_line "    +options metis dma_poll=1"
	assert_line --partial "kept as transaction 0001"
	assert_equal "$(grep -v '^#' "$tree$FILE")" "options metis dma_poll=1"
	assert_equal "$(stat -c %a "$tree$FILE")" 644
	assert_equal "$(calls "$tree")" ""
	local after
	after=$(fingerprint "$tree")
	apply
	assert_line --index 0 --partial "nothing to do: $BDF is set up as wanted"
	assert_same "$after" "$(fingerprint "$tree")"
	metis history --sysroot "$tree"
	assert_line --partial "guest apply $BDF in force"
	metis rollback --yes --sysroot "$tree"
	assert_line "undone: transaction 0001"
	assert_untouched
}

@test "a directory that was missing is gone again" {
	begin
	rmdir "$tree/etc/modprobe.d"
	before=$(fingerprint "$tree")
	apply
	assert_file_exist "$tree$FILE"
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "--dry-run shows what --yes does, as JSON too, and changes nothing" {
	begin
	metis guest apply --dry-run --sysroot "$tree"
	assert_line "    +options metis dma_poll=1"
	assert_line --partial "Next      metis-passthrough guest apply --sysroot"
	metis guest apply -n --sysroot "$tree" --format json --driver-version 1.5.0
	assert_schema plan
	assert_json '"\(.outcome) \(.wish.guest.driver) \(.wish.guest.firmware) \(.reboot)"' "possible 1.5.0 null true"
	assert_json '.files[0].why | contains("has driver 1.5.0")' true
	assert_json '[.steps[].kind] | join(" ")' file
	assert_untouched
	# A captured guest can be asked as well, but not changed.
	metis guest apply -n --sysroot "$(host guest-troubles)"
	metis 2 guest apply --yes --sysroot "$(host guest-troubles)"
	metis guest apply --yes --sysroot "$tree" --format json
	assert_schema plan
	assert_json '"\(.outcome) \(.transaction) \(.exit_code)"' "done 0001 0"
}

@test "without --yes it asks; no, and nobody to ask, change nothing" {
	begin
	metis 2 guest apply --sysroot "$tree" </dev/null
	[[ $stderr == *"--yes to make the change without a question"* ]] || fail "$stderr"
	metis 2 guest apply --sysroot "$tree" --format json
	[[ $stderr == *"it needs --yes"* ]] || fail "$stderr"
	run timeout 60 script -qec "$METIS guest apply --sysroot $tree" /dev/null <<<n
	assert_output --partial "Make this change? It takes effect when the card's module is loaded. [y/N]"
	assert_output --partial "guest apply: nothing was changed"
	assert_untouched
	run timeout 60 script -qec "$METIS guest apply --sysroot $tree" /dev/null <<<y
	assert_file_exist "$tree$FILE"
}

@test "words that do not belong together are refused" {
	metis 2 guest apply --yes --dry-run --sysroot "$(host guest-ready)"
	[[ $stderr == *"only one of them"* ]] || fail "$stderr"
	metis 2 guest apply --strict --sysroot "$(host guest-ready)"
	[[ $stderr == *"--strict does not belong to 'guest apply'"* ]] || fail "$stderr"
	metis 2 guest check --yes --sysroot "$(host guest-ready)"
	metis 2 guest check --dry-run --sysroot "$(host guest-ready)"
	metis 2 guest applyy
	[[ $stderr == *"did you mean 'apply'?"* ]] || fail "$stderr"
	metis 2 guest apply -n --driver-version latest --sysroot "$(host guest-ready)"
	[[ $stderr == *"not a version"* ]] || fail "$stderr"
	metis 2 guest apply -n --format junit --sysroot "$(host guest-ready)"
	metis 3 guest apply -n --sysroot /nonexistent
}

@test "no VM, no card, no such card: refused, each with its exit code" {
	begin
	metis 1 guest apply -n --sysroot "$(host forum-node)"
	assert_line --index 0 --partial "cannot plan: host: this is no virtual machine"
	assert_line --partial "inside of the VM"
	sed -i 's/ hypervisor / /' "$tree/proc/cpuinfo"
	apply 1
	assert_output --partial "this is no virtual machine"
	rm "$tree/proc/cpuinfo"
	apply 1
	assert_output --partial "whether this is a virtual machine is not known"
	begin
	metis 3 guest apply -n --sysroot "$tree" --device 04:00.0
	[[ $stderr == *"04:00.0 (--device): is not on "* ]] || fail "$stderr"
	rm "$tree/sys/bus/pci/devices/$BDF"
	metis 3 guest apply --yes --sysroot "$tree"
	[[ $stderr == *"no card that a profile knows is here"*"name one with --device"* ]] || fail "$stderr"
	assert_not_exists "$tree$FILE"
	# A card that needs nothing in a VM.
	begin
	metis guest apply --yes --sysroot "$tree" --device 01:00.0
	assert_output --partial "wants no options in a guest"
	assert_untouched
}

@test "a driver's version that is not known is asked for, never guessed" {
	begin
	rm "$tree/sys/module/metis/version"
	before=$(fingerprint "$tree")
	apply 1
	assert_line --partial "the version of the driver of $BDF is not known"
	assert_output --partial "--driver-version VERSION"
	assert_untouched
	apply --driver-version 1.4.16
	assert_file_exist "$tree$FILE"
	# What is in place needs no version.
	apply
	assert_line --index 0 --partial "nothing to do"
	# No driver has the card: not installed yet, or gave up.
	begin
	rm "$tree/sys/bus/pci/devices/$BDF/driver"
	apply 1
	assert_output --partial "no module has the card"
	apply --driver-version 1.4.16
	assert_file_exist "$tree$FILE"
}

@test "a driver that can do without gets none; what an earlier version got is taken back" {
	begin
	apply --driver-version 1.6.2 --firmware-version 1.8.0
	assert_output --partial "driver 1.6.2 with firmware 1.8.0 needs no option"
	assert_untouched
	# Whether it can, without the firmware's version, is not known: polling works in any case.
	apply --driver-version 1.6.2
	assert_file_exist "$tree$FILE"
	assert_file_contains "$tree$FILE" "which was not named"
	local after
	after=$(fingerprint "$tree")
	apply --driver-version 1.6.2 --firmware-version 1.8.0
	assert_line --partial "$FILE is removed"
	assert_not_exists "$tree$FILE"
	metis 0 status --sysroot "$tree"
	assert_output --partial "It is not there, as promised"
	metis rollback --yes --sysroot "$tree"
	assert_same "$after" "$(fingerprint "$tree")"
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "status: pending in this boot, kept once the module was loaded again, drift after a boot without it" {
	begin
	apply
	metis 1 status --sysroot "$tree" --format json
	assert_schema status
	assert_json .verdict reboot-pending
	[[ $(finding status status-guest-options) == "info from the next boot on"* ]] || fail "$(finding status status-guest-options)"
	echo Y >"$tree/sys/module/metis/parameters/dma_poll"
	metis 0 status --sysroot "$tree"
	assert_line --index 0 "status: all 2 promises kept"
	echo N >"$tree/sys/module/metis/parameters/dma_poll"
	echo 11234567-89ab-cdef-0123-456789abcdef >"$tree/proc/sys/kernel/random/boot_id"
	metis 1 status --sysroot "$tree"
	assert_output --partial "was not loaded with 'metis dma_poll=1'"
	echo Y >"$tree/sys/module/metis/parameters/dma_poll"
	echo 'options metis dma_poll=0' >"$tree/etc/modprobe.d/zz.conf"
	metis 1 status --sysroot "$tree"
	assert_output --partial "Another file says otherwise, and wins"
	assert_output --partial "/etc/modprobe.d/zz.conf"
	rm "$tree/etc/modprobe.d/zz.conf" "$tree$FILE"
	metis 1 status --sysroot "$tree"
	assert_output --partial "It is gone"
	assert_output --partial "Nothing gives the module 'metis dma_poll=1' any more"
}

@test "guest check names guest apply, then says pending until the module is loaded again" {
	begin
	metis guest check --sysroot "$tree"
	assert_output --partial "'metis-passthrough guest apply --device"
	apply
	[[ $(finding "guest check" guest-driver-options) == "warn "*"pending: $FILE has 'metis dma_poll=1'"* ]] ||
		fail "$(finding "guest check" guest-driver-options)"
	metis guest check --sysroot "$tree"
	assert_output --partial "modprobe -r metis && modprobe metis"
	metis guest apply -n --sysroot "$tree"
	assert_line --index 0 --partial "but the driver that runs was loaded before that"
	echo Y >"$tree/sys/module/metis/parameters/dma_poll"
	[[ $(finding "guest check" guest-driver-options) == "pass "* ]] || fail "$(finding "guest check" guest-driver-options)"
	metis guest apply -n --sysroot "$tree"
	assert_line --index 0 "nothing to do: $BDF is set up as wanted"
}

@test "options that the admin has already are not said twice" {
	begin
	for text in "options metis dma_poll=1" "options metis single_msi=1 dma_poll=Y"; do
		echo "$text" >"$tree/etc/modprobe.d/axl.conf"
		before=$(fingerprint "$tree")
		apply
		assert_line --index 0 --partial "nothing to do"
		assert_output --partial "'metis dma_poll=1' is in /etc/modprobe.d/axl.conf"
		assert_untouched
	done
	# As `vm generate` shows it, copied by hand to the very place.
	rm "$tree/etc/modprobe.d/axl.conf"
	printf '# by hand\noptions metis dma_poll=1\n' >"$tree$FILE"
	before=$(fingerprint "$tree")
	apply
	assert_line --index 0 --partial "nothing to do"
	assert_untouched
}

@test "what the admin has otherwise is not overruled: it is told which file would win" {
	begin
	echo 'options metis dma_poll=0' >"$tree/etc/modprobe.d/metis.conf"
	before=$(fingerprint "$tree")
	apply 1
	assert_line --index 0 --partial "/etc/modprobe.d/metis.conf says 'metis dma_poll=0', not 'metis dma_poll=1'"
	assert_output --partial "read before it, /etc/modprobe.d/metis.conf would win"
	assert_untouched
	mv "$tree/etc/modprobe.d/metis.conf" "$tree/etc/modprobe.d/axl.conf"
	apply 1
	assert_output --partial "is read after it, the latter would win"
	rm "$tree/etc/modprobe.d/axl.conf"
	sed -i 's/$/ metis.dma_poll=0/' "$tree/proc/cmdline"
	apply 1
	assert_output --partial "/proc/cmdline says 'metis dma_poll=0'"
	assert_output --partial "metis.dma_poll"
	assert_not_exists "$tree$FILE"
}

@test "a package's default is overruled where /etc is read later, and not where it is not" {
	begin
	mkdir -p "$tree/usr/lib/modprobe.d"
	echo 'options metis dma_poll=0' >"$tree/usr/lib/modprobe.d/axl.conf"
	apply
	assert_output --partial "$FILE is read after it, and wins"
	metis rollback --yes --sysroot "$tree"
	mv "$tree/usr/lib/modprobe.d/axl.conf" "$tree/usr/lib/modprobe.d/metis.conf"
	before=$(fingerprint "$tree")
	apply 1
	assert_output --partial "/usr/lib/modprobe.d/metis.conf would win with 'metis dma_poll=0'"
	assert_untouched
}

@test "a file at our place that is not ours stays; a link too" {
	begin
	printf 'options metis single_msi=1\n' >"$tree$FILE"
	before=$(fingerprint "$tree")
	apply 1
	assert_output --partial "$FILE is there and is not, or not only, of this program's making"
	assert_untouched
	rm "$tree$FILE"
	ln -s metis.conf "$tree$FILE"
	before=$(fingerprint "$tree")
	apply 1
	assert_untouched
	rm "$tree$FILE"
	mkdir "$tree$FILE"
	before=$(fingerprint "$tree")
	apply 1
	assert_untouched
}

@test "what the admin changed in our file since: not overwritten, rollback refuses and shows it" {
	begin
	apply
	sed -i 's/dma_poll=1/dma_poll=0/' "$tree$FILE"
	local after
	after=$(fingerprint "$tree")
	apply 1
	assert_output --partial "$FILE says 'metis dma_poll=0'"
	metis 1 rollback --yes --sysroot "$tree"
	assert_line "+options metis dma_poll=0"
	[[ $stderr == *"transaction 0001 is not undone"* ]] || fail "$stderr"
	assert_same "$after" "$(fingerprint "$tree")"
	metis rollback --yes --sysroot "$tree" --force "$FILE"
	assert_untouched
	# A line more: it is the admin's file from then on.
	apply
	echo 'options metis single_msi=1' >>"$tree$FILE"
	apply --driver-version 1.6.2 --firmware-version 1.8.0
	assert_file_contains "$tree$FILE" single_msi=1
	metis 1 rollback --yes --sysroot "$tree"
}

@test "update-initramfs runs only where the module is in an image, and is undone with the rest" {
	begin_early
	metis guest apply -n --sysroot "$tree"
	assert_output --partial "update-initramfs -u -k all"
	assert_output --partial "the module is loaded in the initramfs"
	apply
	assert_equal "$(calls "$tree")" "update-initramfs -u -k all"
	# That the image has it: nothing more is to be done.
	apply
	assert_line --index 0 --partial "nothing to do"
	assert_equal "$(calls "$tree")" ""
	echo Y >"$tree/sys/module/metis/parameters/dma_poll"
	metis status --sysroot "$tree"
	echo N >"$tree/sys/module/metis/parameters/dma_poll"
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "an image that lacks options which the admin wrote is made again; one that cannot be read, too" {
	begin_early
	echo 'options metis dma_poll=1' >"$tree/etc/modprobe.d/axl.conf"
	apply
	assert_line --index 0 --partial "plan: 1 program"
	assert_output --partial "loads metis without 'metis dma_poll=1'"
	assert_equal "$(calls "$tree")" "update-initramfs -u -k all"
	apply
	assert_line --index 0 --partial "nothing to do"
	rm "$tree/etc/modprobe.d/axl.conf"
	echo rubbish >"$tree/boot/initrd.img-$KERNEL"
	metis guest apply -n --sysroot "$tree"
	assert_output --partial "whether metis is in /boot/initrd.img-$KERNEL is not known"
	assert_output --partial "update-initramfs -u -k all"
}

@test "the image is stale after a hand at it: status tells" {
	begin_early
	apply
	echo Y >"$tree/sys/module/metis/parameters/dma_poll"
	echo modprobe.d >"$tree/sim/update-initramfs.ignore"
	chroot "$tree" /usr/sbin/update-initramfs -u -k all >/dev/null
	metis 1 status --sysroot "$tree"
	assert_output --partial "/boot/initrd.img-$KERNEL loads the module without 'metis dma_poll=1'"
}

@test "no update-initramfs: an obstacle only where the module is in an image" {
	begin
	rm "$tree/usr/sbin/update-initramfs"
	apply
	begin_early
	rm "$tree/usr/sbin/update-initramfs"
	before=$(fingerprint "$tree")
	apply 1
	assert_output --partial "there is no update-initramfs"
	assert_untouched
}

@test "a program that fails, or a signal in the middle: everything is undone, exit 4" {
	begin_early
	echo "gzip: stdout: No space left on device" >"$tree/sim/update-initramfs.fail-after"
	apply 4
	[[ $stderr == *"No space left on device"*"everything was undone"* ]] || fail "$stderr"
	rm "$tree/sim/update-initramfs.fail-after"
	assert_untouched
	: >"$tree/sim/update-initramfs.hang"
	env --default-signal=TERM "$METIS" guest apply --yes --sysroot "$tree" >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	local pid=$! code=0
	wait_for "$tree/sim/waiting"
	rm "$tree/sim/update-initramfs.hang"
	kill -TERM $pid
	wait $pid || code=$?
	assert_equal "$code" 4
	assert_file_contains "$BATS_TEST_TMPDIR/err" "interrupted; everything was undone"
	assert_untouched
}

@test "killed in the middle: the next run undoes it first; two at once: the second is told" {
	begin_early
	: >"$tree/sim/update-initramfs.hang"
	"$METIS" guest apply --yes --sysroot "$tree" >/dev/null 2>&1 3>&- &
	local pid=$!
	wait_for "$tree/sim/waiting"
	apply 3
	[[ $stderr == *"is changing this host"* ]] || fail "$stderr"
	metis 3 rollback --yes --sysroot "$tree"
	kill -9 $pid
	wait $pid || true
	kill -9 "$(cat "$tree/sim/waiting")"
	flock -w 60 "$tree/var/lib/metis-passthrough/lock" true
	rm -f "$tree/sim/update-initramfs.hang" "$tree/sim/waiting"
	metis guest apply -n --sysroot "$tree"
	assert_output --partial "transaction 0001 was interrupted: guest apply undoes it first"
	apply
	[[ $stderr == *"transaction 0001 was interrupted: it is undone first"* ]] || fail "$stderr"
	assert_line --partial "kept as transaction 0002"
	metis rollback --yes --sysroot "$tree"
	assert_untouched
}

@test "only root may; anybody may look" {
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$METIS" guest apply --yes
	[ "$status" -ne 126 ] || skip "the program cannot be run by others here"
	assert_equal "$status" 3
	[[ $stderr == *"only root can; 'metis-passthrough guest apply --dry-run' shows what would be done" ]] || fail "$stderr"
	begin
	# The journal is root's: our file is known by its head then.
	apply
	chmod 0755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_TEST_TMPDIR%/*/*}"
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$METIS" guest apply --dry-run --sysroot "$tree" --driver-version 1.6.2 --firmware-version 1.8.0
	assert_equal "$status" 0
	assert_line --partial "$FILE is removed"
}

@test "a file system that is read-only, or full: nothing is changed" {
	begin
	unshare --mount --propagation private true 2>/dev/null || skip "no file system may be mounted here"
	# shellcheck disable=SC2016 # the inner shell's
	run unshare --mount --propagation private sh -c '
		mount --bind "$2/etc" "$2/etc" && mount -o remount,bind,ro "$2/etc" || exit 99
		"$1" guest apply --yes --sysroot "$2"' - "$METIS" "$tree"
	assert_equal "$status" 4
	assert_output --partial "Read-only file system"
	assert_output --partial "everything was undone"
	assert_untouched
	# shellcheck disable=SC2016
	run unshare --mount --propagation private sh -c '
		mount -t tmpfs -o size=64k tmpfs "$2/etc/modprobe.d" || exit 99
		dd if=/dev/zero of="$2/etc/modprobe.d/full" bs=4k count=100 2>/dev/null
		"$1" guest apply --yes --sysroot "$2"; code=$?
		echo "left: $(ls -A "$2/etc/modprobe.d")"; exit $code' - "$METIS" "$tree"
	assert_equal "$status" 4
	assert_output --partial "No space left on device"
	assert_line "left: full"
	assert_untouched
}
