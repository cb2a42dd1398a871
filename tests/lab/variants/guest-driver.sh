# shellcheck shell=bash disable=SC2034
# The guest's kernel module, in a node that plays the guest: no nesting. Its IOMMU translates, and forgets at once what is unmapped, so that
# an access which the module did not allow is a fault in the log; bus addresses are given out from the top, so that some are above 4 GiB. The
# second edu (00:0a.0) emits 20 address bits only, and says so to nobody.
chapter=guest-driver
emulator=metis
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'
cmdline=(intel_iommu=on iommu.passthrough=0 iommu.strict=1 iommu.forcedac=1)
devices=(-device 'pcie-root-port,id=port2,chassis=2,bus=pcie.0,addr=08.0'
	-device "metis,id=card,bus=port2,heartbeat-ms=0${LAB_METIS:+,$LAB_METIS}"
	-device 'metis-control,card=card,bus=pcie.0,addr=09.0'
	-device 'edu,bus=pcie.0,addr=0a.0,dma_mask=0xfffff')
