# shellcheck shell=bash disable=SC2034
# Intel VT-d without interrupt remapping, as with a firmware that leaves it off: DMA is isolated, interrupts are not.
iommu=(-device 'intel-iommu,intremap=off,caching-mode=on')
cpu='max,vendor=GenuineIntel'
cmdline=(intel_iommu=on iommu=pt)

interrupts=direct
expect_host=(iommu-active=pass interrupt-remapping-active=fail)
edu_exit=1
