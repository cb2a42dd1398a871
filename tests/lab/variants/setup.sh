# shellcheck shell=bash disable=SC2034
# A whole node, with systemd, GRUB and initramfs-tools, that is set up, rebooted, and set back: see setup/.
chapter=setup
# As intel.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'

# The cards (lib/system.sh puts them there), and the driver that is the host's. Two of a kind: one is wanted, its twin is not.
# Once it is the first one of the two and once the second.
declare -gA cards=(["0000:00:05.0"]=none ["0000:00:06.0"]=none ["0000:01:00.0"]=nvme ["0000:02:00.0"]=nvme)
declare -gA wanted=([EDU]="0000:00:06.0" [NVME]="0000:01:00.0" [NVME_TWIN]="0000:02:00.0")
