# shellcheck shell=bash disable=SC2034
# AMD-Vi. Linux takes the driver by the IVRS table that QEMU makes; the CPU vendor is for those who look at /proc/cpuinfo.
# QEMU 7.2 is enough.
iommu=(-device 'amd-iommu,intremap=on')
cpu='max,vendor=AuthenticAMD'
cmdline=(iommu=pt)

iommu_unit=ivhd0
# info: this machine does not hide that it is a VM, so what its IOMMU proves holds in here only.
expect_host=(firmware-iommu-table=pass iommu-active=info
	interrupt-remapping-supported=pass interrupt-remapping-active=pass
	interrupt-remapping-sources-agree=pass cpu-virtualization=pass unsafe-interrupts-off=pass)
expect_edu=(device-responds=pass device-msi=pass device-reset-method=warn
	iommu-covers-device=pass device-reserved-regions=pass group-viable=pass group-isolated=pass)
expect_nvme=(device-responds=pass device-msi=pass device-reset-method=pass
	iommu-covers-device=pass group-viable=info group-isolated=pass)
