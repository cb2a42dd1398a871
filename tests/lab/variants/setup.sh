# shellcheck shell=bash disable=SC2034
# A whole node, with systemd, GRUB and initramfs-tools, that is set up, rebooted, and set back: see setup/.
chapter=setup
# As intel.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'

# Two cards of a kind each: edu without a driver of the host's, NVMe with one. Nothing is on the disks.
devices=(-device 'edu,bus=pcie.0,addr=05.0' -device 'edu,bus=pcie.0,addr=06.0')
for slot in 0 1; do
	devices+=(-device "pcie-root-port,id=port$slot,chassis=$((slot + 1)),bus=pcie.0,addr=0$((slot + 7)).0"
		-blockdev "driver=null-co,node-name=nvme$slot,size=16777216,read-zeroes=on"
		-device "nvme,drive=nvme$slot,serial=nvme$slot,bus=port$slot")
done

# The cards, and the driver that is the host's. Of each kind one is wanted, its twin is not: once it is the first one of the two,
# and once the second.
declare -gA cards=(["0000:00:05.0"]=none ["0000:00:06.0"]=none ["0000:01:00.0"]=nvme ["0000:02:00.0"]=nvme)
declare -gA wanted=([EDU]="0000:00:06.0" [NVME]="0000:01:00.0" [NVME_TWIN]="0000:02:00.0")
