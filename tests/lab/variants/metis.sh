# shellcheck shell=bash disable=SC2034
# The virtual Metis behind a root port, on vfio-pci, in the QEMU that has it (lib/qemu.sh); VT-d as a node should have it.
# LAB_METIS = more of the card's properties, such as fw=1.7.0,sticky=flr: see virtual-metis/vmetis-options.c.
chapter=metis
emulator=metis
# As intel.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'
cmdline=(intel_iommu=on iommu=pt)
devices=(-device 'pcie-root-port,id=port2,chassis=2,bus=pcie.0,addr=08.0'
	-device "metis,id=card,bus=port2${LAB_METIS:+,$LAB_METIS}"
	-device 'metis-control,card=card,bus=pcie.0,addr=09.0')

expect_card=(device-responds=pass device-msi=pass device-bars=pass device-reset-method=pass
	iommu-covers-device=pass device-reserved-regions=pass group-viable=pass group-isolated=pass)
