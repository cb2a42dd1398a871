#!/usr/bin/env bats
# The judge judged: as ../judge.bats, for the node with the stand-ins for Proxmox VE.

load ../helpers
load ../spoil
bats_require_minimum_version 1.8.0

setup() {
	spoil_setup
	CARD=$(address card)
	NVME=$(address nvme)
}

# swap NAME TEXT TEXT: one for the other.
swap() {
	sed -i "s/$2/$3/" "$SPOILT/$1"
}

# drop NAME TEXT: without the lines that hold TEXT.
drop() {
	sed -i "/$2/d" "$SPOILT/$1"
}

# fault NAME: something of the card's is blocked.
fault() {
	printf '[ 1.0] DMAR: [DMA Write NO_PASID] Request device [%s] fault addr 0x149800000 [fault reason 0x05] text\n' \
		"${CARD#0000:}" >>"$SPOILT/$1.log"
}

@test "judge: a scenario that was not played, or not to its end, is seen" {
	caught 'every scenario' rm "$SPOILT/backup.rc"
	caught 'every scenario' write killed.rc 143
	caught 'every scenario' truncate -s 0 "$SPOILT/dead.log"
	caught 'every scenario' sed -i '$a node: waited in vain: x' "$SPOILT/second.out"
}

@test "judge: a disk that does not leave its driver, or does not come back, is seen" {
	caught 'the disk leaves' swap disk.out 'driver nvme holders none' 'driver none holders none'
	caught 'the disk leaves' swap disk.out 'holders 102' 'holders none'
	caught 'the disk leaves' swap disk.out 'devices vda' 'devices nvme0n1 vda'
	caught 'the disk leaves' swap disk.out 'stopped 0x1b36 0x0010 driver nvme' 'stopped 0x1b36 0x0010 driver vfio-pci'
	caught 'the disk leaves' swap disk.out 'disk as it was' 'disk '
	caught 'the disk leaves' drop disk.log "$NVME"
	caught 'the disk leaves' fault disk
	caught 'the VM boots' truncate -s 0 "$SPOILT/disk.guest"
	caught 'the VM boots' swap disk.pci 1b36:0010 1af4:1001
}

@test "judge: phases in another order, or without what they are promised, are seen" {
	caught 'phases come' drop disk.out '^pre-stop'
	caught 'phases come' swap disk.out 'pre-start: driver nvme' 'pre-start: driver vfio-pci'
	caught 'phases come' swap disk.out 'lock held' 'lock free'
	caught 'phases come' sed -i '/^post-stop/s/stopped/running/' "$SPOILT/disk.out"
	caught 'can refuse a start' swap disk.out 'refused 0x1b36 0x0010 driver nvme' 'refused 0x1b36 0x0010 driver vfio-pci'
	caught 'can refuse a start' swap disk.out 'exit 255' 'exit 0'
	caught 'can refuse a start' drop disk.refused 'earlier hookscript'
	caught 'with Proxmox VE 8' swap legacy.out 'again 0x1b36 0x0010 driver vfio-pci' 'again 0x1b36 0x0010 driver nvme'
	caught 'with Proxmox VE 8' swap legacy.out 'cleaned 0x1b36 0x0010 driver nvme' 'cleaned 0x1b36 0x0010 driver none'
	caught 'with Proxmox VE 8' drop legacy.out 'Starting cleanup'
}

@test "judge: a card that is handed over armed, or stays reserved, is seen" {
	caught 'a window that' fault card
	caught 'a window that' swap card.guest 'events 0x1' 'events 0x0'
	caught 'a window that' swap card.guest 'data right' 'data wrong'
	# It was not open before: then it proves nothing.
	caught 'a window that' swap card.out 'window-ctrl 0x1' 'window-ctrl 0x0'
	caught 'a window that' sed -i 's/imwr-wr-done 0x0$/imwr-wr-done 0xfee00000/' "$SPOILT/card.out"
	caught 'without the hook' swap unhooked.out 'guest: events 0x0' 'guest: events 0x1'
	caught 'without the hook' drop unhooked.log 'fault addr'
	caught 'without the hook' swap unhooked.log 0x149800000 0x2000000
	caught 'the card is reserved' drop card.out ' pid:'
	caught 'the card is reserved' swap card.out 'reservations 0' 'reservations 1'
	caught 'the card is reserved' drop card.qmeventd 'Finished cleanup for 101'
}

@test "judge: a second VM that starts, or disturbs the first, is seen" {
	caught 'a second VM' swap second.out 'qm start 103: exit 255' 'qm start 103: exit 0'
	caught 'a second VM' swap second.out 'holders 101' 'holders none'
	caught 'a second VM' sed -i '0,/bus-resets/s/bus-resets /bus-resets 1/' "$SPOILT/second.out"
	caught 'a second VM' sed -i 's/jobs right [0-9]*/jobs right 2/' "$SPOILT/second.out"
	caught 'a second VM' fault second
	caught 'a second VM' swap second.hook 'is not free' 'is mounted'
	caught 'a second VM' write second.pve ''
	caught 'what is changed' swap second.out 'memory 64' 'memory 80'
}

@test "judge: starts that should have failed, and failures that should not last, are seen" {
	caught 'a card that is gone' swap dead.out 'exit 255' 'exit 0'
	caught 'a card that is gone' swap dead.out 'qemu none' 'qemu 812'
	caught 'a card that is gone' drop dead.start 'does not answer'
	caught 'a hook that is killed' swap killed.out 'lock held' 'lock free'
	caught 'a hook that is killed' swap killed.out 'exit 0' 'exit 255'
	caught 'a hook that is killed' drop killed.start 'signal 9'
	caught 'a hook that is killed' swap killed.guest 'data right' 'data wrong'
	caught 'a backup' swap backup.out 'lock none' 'lock backup'
	caught 'a backup' sed -i 's/^node: counters .*/node: counters flrs 1/' "$SPOILT/backup.out"
	caught 'a backup' drop backup.vzdump 'starting kvm'
	caught 'a backup' write backup.guest 'guest: firmware ready'
	caught 'QEMU is killed' swap unclean.out 'left 0x1f9d 0x1100 driver vfio-pci holders none' 'left 0x1f9d 0x1100 driver vfio-pci holders 101'
	caught 'QEMU is killed' drop unclean.other-start leftover
	caught 'QEMU is killed' drop unclean.out ' pid:'
	caught 'QEMU is killed' fault unclean
}

@test "judge: a hook that is in the way of others, or does what Proxmox VE does, is seen" {
	caught 'without a card' write plain.start 'metis-passthrough: something'
	caught 'without a card' sed -i '0,/bus-resets/s/bus-resets /bus-resets 1/' "$SPOILT/plain.out"
	caught 'that binds the card' swap plain.out 'before 0x1234 0x11e8 driver none' 'before 0x1234 0x11e8 driver vfio-pci'
	caught 'that binds the card' swap plain.pci 1234:11e8 1af4:1001
	caught 'a mapping' swap mapping.out 'vm check exit 1' 'vm check exit 0'
	caught 'a mapping' drop mapping.wrong 'mapping invalid'
	caught 'a mapping' drop mapping.guest 'data right'
	caught 'the generated script' sed -i '/^vfio-pci/d' "$SPOILT/generated.words"
	caught 'the generated script' sed -i '/^pcie-root-port/d' "$SPOILT/generated.words"
	caught 'the generated script' swap generated.out 'guest exit 1' 'guest exit 3'
	caught 'the generated script' fault generated
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'every scenario'
	assert_failure
	assert_output --partial 'last words'
}
