# shellcheck shell=bash disable=SC2034
iommu=(-device 'amd-iommu,intremap=on')
cpu='max,vendor=AuthenticAMD'
cmdline=(iommu=pt)
