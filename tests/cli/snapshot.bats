# SPDX-License-Identifier: GPL-2.0-or-later

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# findings ARG...: what preflight finds, without what only a live host can tell.
findings() {
	timeout 60 "$METIS" preflight --format json "$@" |
		jq -r '.findings[] | select(.live_only | not) | [.id, .subject, .severity] | @tsv'
}

a_device() {
	"$METIS" list --format json | jq -r '.devices[0].address // empty'
}

@test "this machine and its snapshot give the same findings" {
	local device
	device=$(a_device)
	metis snapshot -o live.snap
	findings ${device:+--device "$device"} >live.txt
	findings ${device:+--device "$device"} --sysroot live.snap >snap.txt
	[ -s live.txt ] || fail 'there are no findings at all'
	diff live.txt snap.txt || fail 'the findings differ'
}

@test "a scrubbed snapshot of this machine gives the same findings" {
	metis snapshot -o live.snap
	metis snapshot --scrub -o scrubbed.snap
	findings --sysroot live.snap >live.txt
	findings --sysroot scrubbed.snap >snap.txt
	diff live.txt snap.txt || fail 'the findings differ'
	grep -qx 'scrubbed: yes' scrubbed.snap
	! grep -qiF "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null || echo no-such-uuid)" scrubbed.snap ||
		fail 'the UUID of the machine is still there'
	local mac
	for mac in /sys/class/net/*/address; do
		[ -e "$mac" ] || continue
		mac=$(cat "$mac")
		case $mac in '' | 00:00:00:00:00:00) continue ;; esac
		! grep -qiF "$mac" scrubbed.snap || fail "$mac is still there"
	done
}

@test "a snapshot of a snapshot is the same file" {
	metis snapshot -o one.snap
	metis snapshot --sysroot one.snap -o two.snap
	cmp one.snap two.snap
}

@test "standard output, with and without a dash" {
	metis snapshot --sysroot "$(host forum-node)"
	printf '%s\n' "$output" >one
	metis snapshot --sysroot "$(host forum-node)" -o -
	printf '%s\n' "$output" >two
	diff <(sed 's/^captured:.*//' one) <(sed 's/^captured:.*//' two)
	[ "$(head -n 1 one)" = 'metis-passthrough snapshot 1' ]
	[ ! -e - ]
}

@test "a file that is there is only replaced with --force" {
	echo precious >it
	metis 3 snapshot --sysroot "$(host forum-node)" -o it
	assert_equal "$stderr" "metis-passthrough snapshot: it: cannot write: it exists (--force replaces it)"
	[ "$(cat it)" = precious ]
	metis snapshot --sysroot "$(host forum-node)" -o it --force
	[ "$(head -n 1 it)" = 'metis-passthrough snapshot 1' ]
}

@test "nothing but a regular file is replaced" {
	mkfifo pipe
	mkdir dir
	ln -s /dev/null null
	local name
	for name in pipe dir null; do
		metis 3 snapshot --sysroot "$(host forum-node)" -o "$name" --force
		[[ $stderr == *"$name: cannot write: it is not a regular file"* ]] || fail "$stderr"
	done
	[ -p pipe ] && [ -d dir ] && [ -L null ]
}

@test "a failed write leaves nothing behind" {
	metis 3 snapshot --sysroot "$(host forum-node)" -o no/such/dir/file
	[[ $stderr == *'no/such/dir/file: cannot write: No such file or directory'* ]]
	[ ! -e no ]
}

@test "an unscrubbed snapshot is nobody else's business" {
	umask 022
	# Not one of tests/hosts: those say that they are scrubbed, and are.
	metis snapshot -o secret.snap
	[ "$(stat -c %a secret.snap)" = 600 ]
	metis snapshot --scrub -o public.snap
	[ "$(stat -c %a public.snap)" = 644 ]
}

@test "what could not be read is told" {
	sed -e 's/^vendor = 0x1f9d$/vendor ! read EACCES/' "$(host forum-node)" >locked.snap
	metis snapshot --sysroot locked.snap -o out.snap
	[[ $stderr == *'looks failed'*'/sys/bus/pci/devices/0000:86:00.0/vendor: Permission denied'* ]] ||
		fail "$stderr"
	grep -q '^vendor ! read EACCES$' out.snap
}

@test "a snapshot that was cut anywhere is refused with the line" {
	local whole lines n
	whole=$(host forum-node)
	lines=$(wc -l <"$whole")
	for n in 0 1 2 10 100 500 1000 $((lines - 1)); do
		head -n "$n" "$whole" >cut.snap
		metis 3 preflight --sysroot cut.snap
		[[ $stderr =~ cut.snap:[0-9]+:\  ]] || fail "no line: $stderr"
	done
	head -c 40000 "$whole" >cut.snap
	metis 3 list --sysroot cut.snap
	[[ $stderr =~ cut.snap:[0-9]+:\  ]] || fail "no line: $stderr"
}

@test "an edited snapshot says which line is off" {
	sed '20s/.*/nonsense/' "$(host forum-node)" >bad.snap
	metis 3 list --sysroot bad.snap
	[[ $stderr == *"bad.snap:20: "* ]] || fail "$stderr"
}

@test "secrets planted in a copied tree are not in its scrubbed snapshot" {
	mkdir -p tree/etc/pve/nodes/mainframe7/qemu-server tree/proc/sys/kernel tree/sys/class/net \
		tree/proc/net tree/sys/bus/pci/devices/0000:01:00.0 tree/sys/devices/eth/net/enp1s0
	echo mainframe7 >tree/etc/hostname
	echo mainframe7 >tree/proc/sys/kernel/hostname
	echo 'root=UUID=9f8b6c1e-3d52-4a7e-9d0b-1b2c3d4e5f60 ip=10.20.30.40 password=hunter2' >tree/proc/cmdline
	ln -s nodes/mainframe7/qemu-server tree/etc/pve/qemu-server
	ln -s nodes/mainframe7 tree/etc/pve/local
	echo '{}' >tree/etc/pve/.version
	printf '%s\n' '#ask Ada' 'name: babbage' 'net0: virtio=BC:24:11:5E:C7:E7' 'cipassword: hunter2' \
		'smbios1: uuid=9f8b6c1e-3d52-4a7e-9d0b-1b2c3d4e5f60' >tree/etc/pve/nodes/mainframe7/qemu-server/101.conf
	ln -s ../../devices/eth/net/enp1s0 tree/sys/class/net/enp1s0
	echo bc:24:11:5e:c7:e7 >tree/sys/devices/eth/net/enp1s0/address
	echo 0x1f9d >tree/sys/bus/pci/devices/0000:01:00.0/vendor
	echo 0x1100 >tree/sys/bus/pci/devices/0000:01:00.0/device
	metis snapshot --sysroot tree -o open.snap
	grep -q hunter2 open.snap || fail 'the plant does not grow: nothing read it'
	grep -q mainframe7 open.snap
	grep -qi 'bc:24:11:5e:c7:e7' open.snap
	metis snapshot --scrub --sysroot tree -o scrubbed.snap
	local secret
	for secret in mainframe7 hunter2 babbage Ada 9f8b6c1e 10.20.30.40 bc:24:11; do
		! grep -qiF "$secret" scrubbed.snap || fail "$secret: $(grep -iF "$secret" scrubbed.snap)"
	done
	findings --sysroot open.snap | sort >open.txt
	findings --sysroot scrubbed.snap | sort >scrubbed.txt
	diff open.txt scrubbed.txt
}
