# shellcheck shell=bash disable=SC2034
# The vendor's driver in the node and in nested guests, with one virtual Metis for each way that its firmware may behave.
chapter=scenarios
emulator=metis
nested=qemu
# As intel.sh.
iommu=(-device 'intel-iommu,intremap=on,caching-mode=off')
cpu='max,vendor=GenuineIntel,hypervisor=off'
# Debian's kernels give the memory of a card that QEMU has to nobody else (CONFIG_IO_STRICT_DEVMEM): inspect --repair-msi needs it.
cmdline=(intel_iommu=on iommu=pt iomem=relaxed)

# By name: the card's properties (virtual-metis/vmetis-options.c). What the silicon does is known of none of them.
declare -gA metis=(
	# Keeps window and messages over a function level reset, takes the window's address when it is opened, writes every two seconds.
	[window]='fw=1.6.0,sticky=flr,window=edge,heartbeat-ms=2000'
	# The same without a word of its own, so that no other interrupt helps a lost one.
	[quiet]='fw=1.6.0,sticky=flr,window=edge,heartbeat-ms=0'
	# Forgets all in a reset; writes every two seconds.
	[events]='fw=1.6.0,sticky=none,heartbeat-ms=2000'
	# Says that the firmware owns the messages of jobs, and it does not.
	[flag]='fw=1.6.0,sticky=flr,dma-vm=flag,heartbeat-ms=0'
	# Points the block at the function's own message, once, and the driver does not know.
	[imwr]='fw=1.6.0,dma-vm=imwr,heartbeat-ms=0'
	# Goes on with the message of the session that opened its window first.
	[kept]='fw=1.6.0,sticky=flr,stale-msi=on,heartbeat-ms=2000'
	# Sends a vector by its own number however few were granted.
	[beyond]='fw=1.6.0,beyond-granted=on,heartbeat-ms=2000'
	# The firmware owns them.
	[new]='fw=1.7.0,sticky=none,heartbeat-ms=0'
	# Gone after a function level reset.
	[wedge]='fw=1.6.0,wedge-after-flr=on,heartbeat-ms=0'
)
# Device number of the root port above each, and the devices.
declare -gA port=()
devices=()
slot=16
for name in window quiet events flag imwr new wedge kept beyond; do
	port[$name]=$(printf '%02x' $slot)
	devices+=(-device "pcie-root-port,id=port-$name,chassis=$slot,bus=pcie.0,addr=${port[$name]}.0"
		-device "metis,bus=port-$name,${metis[$name]}")
	slot=$((slot + 1))
done
