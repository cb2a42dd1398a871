# shellcheck shell=bash disable=SC2034
# The tour: a whole node that becomes ready for the virtual Metis and an edu, gives them to a Linux in a VM, and is set back: see tour/.
chapter=tour
emulator=metis
memory=2048
# As guest.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=AuthenticAMD,hypervisor=off'

# The card keeps its window open over a function level reset, takes the window's address when that is opened, and writes into it
# twice a second: what the card of the forum is thought to do. The NVMe is the host's.
devices=(-device 'pcie-root-port,id=port0,chassis=1,bus=pcie.0,addr=07.0'
	-device 'metis,id=card,bus=port0,fw=1.6.0,sticky=flr,window=edge,heartbeat-ms=500'
	-device 'pcie-root-port,id=port1,chassis=2,bus=pcie.0,addr=08.0'
	-blockdev 'driver=null-co,node-name=nvme0,size=16777216,read-zeroes=on'
	-device 'nvme,drive=nvme0,serial=nvme0,bus=port1'
	# The VM's second card: one whose messages are set up by the host, so that they arrive.
	-device 'pcie-root-port,id=port2,chassis=3,bus=pcie.0,addr=09.0'
	-device 'edu,bus=port2')
declare -gA cards=(["0000:01:00.0"]=none ["0000:02:00.0"]=nvme ["0000:03:00.0"]=none)
declare -gA wanted=([CARD]="0000:01:00.0" [NVME]="0000:02:00.0" [EDU]="0000:03:00.0")
