# shellcheck shell=bash disable=SC2034
# A node of Proxmox VE, played by stand-ins: VMs get the virtual Metis, or the NVMe that the host's driver has.
chapter=pve
emulator=metis
nested=qemu
# As intel.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'
cmdline=(intel_iommu=on iommu=pt)
# The card keeps its window open over a function level reset, and writes into it twice a second.
devices=(-device 'pcie-root-port,id=port2,chassis=2,bus=pcie.0,addr=08.0'
	-device 'metis,id=card,bus=port2,fw=1.6.0,sticky=flr,window=edge,heartbeat-ms=500'
	-device 'metis-control,card=card,bus=pcie.0,addr=09.0')
