#!/usr/bin/env bats
# Judges what the node with the stand-ins for Proxmox VE brought out: LAB_VARIANT and LAB_OUT. Run by `run`.
#
# Whose a card is, is said by /sys and /proc, what a guest got by the guest and by the card's own counters, what is blocked by the
# kernel's log; of the program under test only what it says to people is taken at its word.

load ../helpers
load ../scenarios/helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	CARD=$(address card)
	NVME=$(address nvme)
}

# worked NAME FILE: the guest had events of the firmware and a job right, and nothing of the card's was blocked.
worked() {
	local line
	for line in 'guest: events 0x1' 'guest: data right'; do
		grep -qxF "$line" "$LAB_OUT/$2" || {
			printf '%s does not say: %s\n' "$2" "$line"
			return 1
		}
	done
	! grep -E 'data wrong|failed at|timeout' "$LAB_OUT/$2"
	no_faults <"$LAB_OUT/$1.log"
}

# counters NAME: the lines with the card's counters of resets.
counters() {
	grep '^node: counters ' "$LAB_OUT/$1.out"
}

@test "$LAB_VARIANT: every scenario is played to its end" {
	local name scenarios=0
	while read -r name _; do
		case $name in '' | '#'*) continue ;; esac
		exited "$name" 0
		assert [ -s "$LAB_OUT/$name.log" ]
		scenarios=$((scenarios + 1))
	done <"$BATS_TEST_DIRNAME/commands"
	[ "$scenarios" -ge 12 ]
	run grep -H 'waited in vain' "$LAB_OUT"/*.out
	refute_output
}

@test "$LAB_VARIANT: the disk leaves its driver for the VM, and is the host's again after it" {
	said disk 'node: before 0x1b36 0x0010 driver nvme holders none' 'node: qm start 102: exit 0' \
		'node: started 0x1b36 0x0010 driver vfio-pci holders 102' 'node: qm stop 102: exit 0' \
		'node: stopped 0x1b36 0x0010 driver nvme holders none' 'node: disk as it was'
	run said_value disk 'node: block devices'
	assert_output --partial vda
	refute_output --partial nvme
	no_faults <"$LAB_OUT/disk.log"
	# The host's driver, by its own lines: it was there again.
	run grep -c "nvme nvme0: pci function $NVME" "$LAB_OUT/disk.log"
	assert_output 1
}

@test "$LAB_VARIANT: the VM boots from the disk that it was given" {
	run cat "$LAB_OUT/disk.guest"
	assert_output 'guest: booted from the card'
	run grep -A 6 'PCI device 1b36:0010' "$LAB_OUT/disk.pci"
	assert_output --partial 'hostpci0'
}

@test "$LAB_VARIANT: the hook's phases come in their order, with the lock held, to the VM's earlier hookscript too" {
	local rest='lock held, stdin 0 bytes, LC_ALL=C PATH=/sbin:/bin:/usr/sbin:/usr/bin, config of 6 lines'
	run grep -E '^(pre|post)-' "$LAB_OUT/disk.out"
	assert_equal "${#lines[@]}" 4
	assert_line --index 0 "pre-start: driver nvme, status: stopped, $rest"
	assert_line --index 1 "post-start: driver vfio-pci, status: running, $rest"
	assert_line --index 2 "pre-stop: driver vfio-pci, status: running, $rest"
	# Last: it may take its time, and the disk is the host's already.
	assert_line --index 3 "post-stop: driver nvme, status: stopped, $rest"
}

@test "$LAB_VARIANT: the hookscript that the VM had before can refuse a start, and nothing was done to the card then" {
	said disk 'node: before 0x1b36 0x0010 driver nvme holders none' 'node: qm start 102: exit 255' \
		'node: refused 0x1b36 0x0010 driver nvme holders none' 'node: qm start 102: exit 0'
	run cat "$LAB_OUT/disk.refused"
	assert_line 'VM 102 is not started: its earlier hookscript /var/lib/vz/snippets/noted failed (exit code 1)'
	# The driver was not there once more, as after the VM.
	run grep -c "nvme nvme0: pci function $NVME" "$LAB_OUT/disk.log"
	assert_output 1
}

# Who calls post-stop differs between the generations of Proxmox VE; with 8 it may be in vain.
@test "$LAB_VARIANT: with Proxmox VE 8 the disk starts again, whether post-stop came or not" {
	local driver=nvme
	! grep -q 'still running' "$LAB_OUT/legacy.out" || driver=vfio-pci
	said legacy 'node: qm start 102: exit 0' 'node: qm stop 102: exit 0' 'Starting cleanup for 102' \
		"node: stopped 0x1b36 0x0010 driver $driver holders none" 'node: qm start 102: exit 0' \
		'node: again 0x1b36 0x0010 driver vfio-pci holders 102' 'node: cleaned 0x1b36 0x0010 driver nvme holders none'
	no_faults <"$LAB_OUT/legacy.log"
}

@test "$LAB_VARIANT: a window that the host left open is shut before the VM has the card, and nothing is blocked" {
	said card 'host: window-ctrl 0x1' 'host: window-target 0x149800000' 'node: before 0x1f9d 0x1100 driver none holders none' \
		'node: qm start 101: exit 0' 'guest: events 0x1' 'guest: data right' \
		'node: stopped 0x1f9d 0x1100 driver vfio-pci holders none' 'host: window-ctrl 0x0' 'host: window-target 0x0' \
		'host: imwr-rd-done 0x0' 'host: imwr-wr-done 0x0'
	worked card card.guest
}

# Else what the hook does would be of no use.
@test "$LAB_VARIANT: without the hook the same VM has no events, for they go where the host's session had its window" {
	said unhooked 'host: events 0x1' 'node: qm start 101: exit 0' 'guest: events 0x0' 'guest: data right'
	part unhooked 'scenario' | only_faults 0x05 'fault addr 0x149800000' "${CARD#0000:}"
}

@test "$LAB_VARIANT: the card is reserved while its VM runs, and no longer" {
	run grep -E "^$CARD 101 pid:[0-9]+$" "$LAB_OUT/card.out"
	assert_success
	said card 'node: qm start 101: exit 0' 'node: reservations 0'
	# Nobody asked for that stop: qmeventd saw it.
	grep -qx 'Finished cleanup for 101' "$LAB_OUT/card.qmeventd"
}

@test "$LAB_VARIANT: a second VM is refused by the hook before Proxmox VE looks, and the first has DMA all the while" {
	said second 'node: qm start 101: exit 0' 'node: qm start 103: exit 255' 'node: qm start 104: exit 255' \
		'node: refused 0x1f9d 0x1100 driver vfio-pci holders 101' 'node: running status: running' \
		'node: stopped 0x1f9d 0x1100 driver vfio-pci holders none'
	# No reset of the card by anybody.
	assert_equal "$(counters second | wc -l)" 2
	assert_equal "$(counters second | sort -u | wc -l)" 1
	worked second second.guest
	[ "$(sed -n 's/^node: jobs right \([0-9]*\) wrong 0$/\1/p' "$LAB_OUT/second.out")" -ge 3 ]
	run cat "$LAB_OUT/second.hook"
	assert_line --partial "VM 103 is not started: $CARD is not free: held by VM 101, which runs"
	assert_line --partial 'hookscript error for 103 on pre-start'
	run cat "$LAB_OUT/second.pve"
	assert_output "PCI device '$CARD' already in use by VMID '101'"
}

@test "$LAB_VARIANT: what is changed while a VM runs counts from its next start on" {
	said second 'node: memory 64, then 80'
}

@test "$LAB_VARIANT: no VM starts with a card that is gone" {
	said dead 'node: qm start 101: exit 255' 'node: refused 0x1f9d 0x1100 driver vfio-pci holders none' 'node: qemu none reservations 0'
	run cat "$LAB_OUT/dead.start"
	assert_line --partial "VM 101 is not started: $CARD does not answer"
}

@test "$LAB_VARIANT: a hook that is killed starts nothing, and keeps nothing from starting" {
	said killed 'node: lock held' 'node: memory 64' 'node: qm start 101: exit 255' \
		'node: killed 0x1f9d 0x1100 driver vfio-pci holders none' 'node: qm start 101: exit 0'
	worked killed killed.guest
	run cat "$LAB_OUT/killed.start"
	assert_line --partial 'got signal 9'
}

@test "$LAB_VARIANT: a backup of a stopped VM resets the card, and leaves it as it was" {
	said backup 'node: vzdump 101: exit 0' 'node: stopped 0x1f9d 0x1100 driver vfio-pci holders none' 'node: lock none'
	assert_equal "$(counters backup | sort -u | wc -l)" 2
	run cat "$LAB_OUT/backup.vzdump"
	assert_line 'INFO: starting kvm to execute backup task'
	refute_line --partial 'hookscript error'
	no_faults <"$LAB_OUT/backup.log"
	# Paused all the while.
	assert [ -e "$LAB_OUT/backup.guest" ]
	assert [ ! -s "$LAB_OUT/backup.guest" ]
}

@test "$LAB_VARIANT: QEMU is killed and nobody cleans up: the next VM starts all the same" {
	said unclean 'node: qm start 101: exit 0' 'node: left 0x1f9d 0x1100 driver vfio-pci holders none' 'node: qm start 103: exit 0'
	run grep -E "^$CARD 101 pid:[0-9]+$" "$LAB_OUT/unclean.out"
	assert_success
	run cat "$LAB_OUT/unclean.other-start"
	assert_line "WARN: leftover PCI reservation found for $CARD, lets take it..."
	refute_line --partial 'hookscript error'
	worked unclean unclean.other
}

@test "$LAB_VARIANT: a VM without a card is let through in silence" {
	said plain 'node: qm start 105: exit 0' 'node: running status: running' 'node: qm stop 105: exit 0'
	assert_equal "$(counters plain | wc -l)" 2
	assert_equal "$(counters plain | sort -u | wc -l)" 1
	run cat "$LAB_OUT/plain.start" "$LAB_OUT/plain.stop"
	refute_output
}

# What the stand-in does by itself, where the hook has done nothing: else the tests above prove less than they say.
@test "$LAB_VARIANT: without a hookscript it is Proxmox VE that binds the card, by its id" {
	said plain 'node: before 0x1234 0x11e8 driver none holders none' 'node: qm start 107: exit 0' \
		'node: started 0x1234 0x11e8 driver vfio-pci holders 107' 'node: stopped 0x1234 0x11e8 driver vfio-pci holders none'
	run grep -A 6 'PCI device 1234:11e8' "$LAB_OUT/plain.pci"
	assert_output --partial 'hostpci0'
}

@test "$LAB_VARIANT: a mapping that the hardware does not fit is found before the start, and refused at it" {
	said mapping 'node: vm apply exit 0' 'node: vm check exit 1' 'node: qm start 106: exit 255' 'node: reservations 0' \
		'node: qm start 106: exit 0'
	grep -q 'mapping Metis has iommugroup=77' "$LAB_OUT/mapping.check"
	run cat "$LAB_OUT/mapping.wrong"
	assert_line --partial 'PCI device mapping invalid (hardware probably changed)'
	worked mapping mapping.guest
}

@test "$LAB_VARIANT: the generated script starts QEMU with the card, and the guest uses it" {
	said generated 'node: vm generate exit 0' 'node: guest exit 1'
	worked generated generated.guest
	run cat "$LAB_OUT/generated.words"
	assert_line --regexp "^vfio-pci,host=$CARD,id=card0,bus=port0"
	assert_line tcg
	# All of the script's words but the three that mean KVM.
	run bash -c "sed -n 's/^set -- \"\$@\" //p' \"\$1\" | xargs -n 1 | grep -vxE 'kvm|host(,.*)?|q35,kernel-irqchip=on'" - "$LAB_OUT/generated.sh"
	local word
	for word in "${lines[@]}"; do
		grep -qxF -e "$word" "$LAB_OUT/generated.words" || fail "QEMU was not given $word"
	done
	[ "${#lines[@]}" -ge 12 ]
}
