# shellcheck shell=bash disable=SC2034
# Intel VT-d without interrupt remapping, as with a firmware that leaves it off: DMA is isolated, interrupts are not.
# With a kernel that could be entered by either way, and refuses both.
linux=iommufd
ways=(group cdev)
iommu=(-device 'intel-iommu,intremap=off,caching-mode=on')
cpu='max,vendor=GenuineIntel'
cmdline=(intel_iommu=on iommu=pt)

interrupts=direct
# info: this machine does not hide that it is a VM, so what its IOMMU proves holds in here only.
expect_host=(firmware-iommu-table=pass iommu-active=info
	interrupt-remapping-supported=fail interrupt-remapping-active=fail)
expect_edu=(device-responds=pass device-msi=pass device-reset-method=warn
	iommu-covers-device=pass device-reserved-regions=pass group-viable=pass group-isolated=pass)
expect_nvme=(device-responds=pass device-msi=pass device-reset-method=pass
	iommu-covers-device=pass group-viable=info group-isolated=pass)
edu_exit=1
selftest=refused
