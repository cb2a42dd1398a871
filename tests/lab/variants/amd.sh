# shellcheck shell=bash disable=SC2034
# AMD-Vi. Linux takes the driver by the IVRS table that QEMU makes; the CPU vendor is for those who look at /proc/cpuinfo.
# QEMU 7.2 is enough: 10.0 gives the same verdicts.
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
# QEMU's AMD IOMMU blocks (memory is unchanged) but writes no event for an entry that is not there or may not be written,
# and takes edu's own interrupt message for one of another device, because edu's DMA does not say whose it is. So no refusal
# of a message can be proven either.
selftest_fails=(irq-message isolation-write-unmapped isolation-write-readonly isolation-read-unmapped
	isolation-message-freed isolation-message-compat)
# edu has 40 address bits here; above it, HyperTransport's region is reserved.
selftest_top=0xfcfffff000
