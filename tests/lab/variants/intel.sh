# shellcheck shell=bash disable=SC2034
# Intel VT-d as a node should have it: DMA and interrupt remapping on.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=on')
cpu='max,vendor=GenuineIntel'
cmdline=(intel_iommu=on iommu=pt)

expect_host=(iommu-active=pass interrupt-remapping-active=pass)
