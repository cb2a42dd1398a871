# shellcheck shell=bash disable=SC2034
# As intel.sh, with a newer kernel: Debian's 6.12, whose VFIO has the second way in, by /dev/iommu and a file for each device. Its
# log and its sysfs are newer too. So is QEMU: the one with the virtual Metis, whose VT-d tells of every message that it refuses, so
# that edu and the NVMe pass all that they can be asked for.
linux=iommufd
emulator=metis
ways=(group cdev)
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
# edu has 40 address bits here, and this VT-d 48.
selftest_top=0xfffffff000
# Messages come from a requester that nobody is: edu's DMA does not say whose it is.
selftest_faults=('DMA Write .*\[00:05\.0\] .*0x05\]' 'DMA Read .*\[00:05\.0\] .*0x06\]'
	'INTR-REMAP\] .*\[ff:1f\.7\] .*0x22\]' 'INTR-REMAP\] .*\[ff:1f\.7\] .*0x25\]')
