# shellcheck shell=bash disable=SC2034
# Linux as a guest, in KVM, with the virtual Metis passed through.
chapter=guest
emulator=metis
nested=qemu
memory=2048
# TCG emulates AMD's virtualization only, and Linux asks the CPU's vendor before it believes in it; so this is a machine that
# nobody builds: AMD's CPU with Intel's VT-d, because QEMU's AMD IOMMU does not tell what it blocks. As intel.sh otherwise.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=AuthenticAMD,hypervisor=off'
cmdline=(intel_iommu=on iommu=pt)
devices=(-device 'pcie-root-port,id=port2,chassis=2,bus=pcie.0,addr=08.0'
	-device "metis,id=card,bus=port2${LAB_METIS:+,$LAB_METIS}"
	-device 'metis-control,card=card,bus=pcie.0,addr=09.0')
