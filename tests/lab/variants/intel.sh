# shellcheck shell=bash disable=SC2034
# Intel VT-d as a node should have it: DMA and interrupt remapping on.
# A node is no VM, and a verdict depends on it (iommu-active): neither the CPU nor VT-d's caching mode may give it away.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'
cmdline=(intel_iommu=on iommu=pt)

expect_host=(firmware-iommu-table=pass iommu-active=pass
	interrupt-remapping-supported=pass interrupt-remapping-active=pass
	interrupt-remapping-sources-agree=pass unsafe-interrupts-off=pass)
expect_edu=(device-responds=pass device-msi=pass device-reset-method=warn
	iommu-covers-device=pass device-reserved-regions=pass group-viable=pass group-isolated=pass)
expect_nvme=(device-responds=pass device-msi=pass device-reset-method=pass
	iommu-covers-device=pass group-viable=info group-isolated=pass)
# QEMU 7.2 blocks a message to an entry that is gone, and does not tell (8 and later do: fault reason 0x22). Compatibility format
# it lets through, and this node does not let anybody see that it is a VM.
selftest_fails=(isolation-message-freed isolation-message-compat)
selftest_faults=('DMA Write .*\[00:05\.0\] .*0x05\]' 'DMA Read .*\[00:05\.0\] .*0x06\]')
