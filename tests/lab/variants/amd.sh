# shellcheck shell=bash disable=SC2034
# AMD-Vi. Linux takes the driver by the IVRS table that QEMU makes; the CPU vendor is for those who look at /proc/cpuinfo.
# QEMU 7.2 is enough.
iommu=(-device 'amd-iommu,intremap=on')
cpu='max,vendor=AuthenticAMD'
cmdline=(iommu=pt)

iommu_unit=ivhd0
expect_host=(iommu-active=pass interrupt-remapping-active=pass)
