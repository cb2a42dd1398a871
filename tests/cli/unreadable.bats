# SPDX-License-Identifier: GPL-2.0-or-later
# A check whose evidence cannot be read must say so: never pass, and never "does not apply".

load helpers

# refuse HOST PATH...: writes refused.snap, HOST where looking at each PATH is not permitted.
refuse() {
	local host=$1
	shift
	"$METIS" snapshot --sysroot "$(host "$host")" 2>/dev/null |
		awk -v refused="$*" '
			BEGIN { n = split(refused, path, " "); for (i in path) gone[path[i]] = 1 }
			/^\[end/ {
				for (i = 1; i <= n; i++) {
					cut = match(path[i], "/[^/]*$")
					print "[" substr(path[i], 1, cut) "]"
					print substr(path[i], cut + 1) " ! EACCES"
				}
				print "[end]"
				exit
			}
			/^[|\\]( |$)/ { if (!skip) print; next }
			/^\[/ { section = substr($0, 2, length($0) - 2) }
			{ skip = 0 }
			$1 == "-" {
				line = ""
				for (i = 2; i <= NF; i++)
					if (!(section "/" $i in gone)) line = line " " $i
				if (line) print "-" line
				next
			}
			($1 == "." ? section : section "/" $1) in gone { skip = 1; next }
			{ print }' >"$BATS_TEST_TMPDIR/refused.snap"
}

# severity CHECK OPTION...: what CHECK says about refused.snap
severity() {
	local check=$1
	shift
	"$METIS" preflight --sysroot "$BATS_TEST_TMPDIR/refused.snap" --format json \
		--check "$check" "$@" | jq -r '.findings | map(.severity) | unique | join(",")'
}

@test "nothing refused, nothing changed" {
	refuse forum-node
	run severity device-aer
	assert_output pass
	run severity group-isolated
	assert_output pass
}

@test "without its evidence a check is unknown" {
	local check options paths card=/sys/bus/pci/devices/0000:86:00.0 failed=
	while read -r check options paths; do
		[ -n "$check" ] || continue
		[ "$options" = - ] && options=
		# shellcheck disable=SC2086 # lists of words
		refuse forum-node $paths
		# shellcheck disable=SC2086
		run severity "$check" ${options//=/ }
		[ "$output" = unknown ] || failed+="$check without $paths: $output"$'\n'
	done <<-EOF
		device-aer - $card/aer_dev_fatal
		device-aer - $card/aer_dev_nonfatal
		device-aer - $card/aer_dev_correctable
		device-present - $card/vendor
		device-present --device=0000:86:00.0 $card/vendor
		device-responds - $card/config
		device-bars - $card/resource
		device-power-state - $card/power_state
		device-link - $card/max_link_width
		device-reset-method - $card/reset_method
		device-dma-alias - $card /sys/bus/pci/devices/0000:85:00.0/config
		group-acs-path - $card /sys/bus/pci/devices/0000:85:00.0/config
		device-siblings-same-id --device=0000:86:00.0 $card/device
		card-interrupt-delivery --device=0000:86:00.0 $card/vendor
		card-host-driver-loaded --device=0000:86:00.0 $card/device
		card-host-driver-loaded - $card/driver
		card-host-driver-loaded - /proc/modules
		host-driver-taint --device=0000:86:00.0 $card/vendor
		host-driver-taint - /metis-passthrough/klog
		binding-config --device=0000:86:00.0 $card/vendor
		binding-config - /etc/modprobe.d
		binding-early --device=0000:86:00.0 $card/device
		binding-effective - $card/driver
		bootloader-known - /etc/kernel/proxmox-boot-uuids
		cmdline-running - /proc/cmdline
		cmdline-staged - /boot/grub/grub.cfg
		cpu-virtualization - /proc/cpuinfo
		device-reserved-regions - /sys/kernel/iommu_groups/22/reserved_regions
		firmware-iommu-table - /sys/firmware/acpi/tables/DMAR /sys/class/iommu
		group-exists - $card/iommu_group /sys/kernel/iommu_groups/22/devices
		group-isolated - /sys/kernel/iommu_groups/22/devices /sys/kernel/iommu_groups/11/devices /sys/bus/pci/devices/0000:18:00.0/iommu_group
		group-viable - /sys/kernel/iommu_groups/22/devices /sys/kernel/iommu_groups/11/devices /sys/bus/pci/devices/0000:18:00.0/iommu_group
		group-viable - $card/driver
		iommu-active - /sys/class/iommu
		iommu-address-width - /sys/class/iommu
		iommu-address-width - /proc/cpuinfo
		iommu-default-domain - /sys/kernel/iommu_groups/22/type
		kernel-lockdown - /sys/kernel/security/lockdown
		memory-headroom - /proc/meminfo
		posted-interrupts - /sys/class/iommu
		unsafe-interrupts-off - /etc/modprobe.d
		unsafe-interrupts-off - /proc/cmdline
		vfio-modules - /lib/modules
		vm-cpu-address-width --vm=101 /sys/bus/pci/devices
		vm-device-conflict --vm=101 /sys/bus/pci/devices
		vm-device-conflict --vm=101 /run/qemu-server/pci-id-reservations
		vm-hostpci --vm=101 /sys/bus/pci/devices
	EOF
	assert_equal "$failed" ''
}

@test "a list of VMs that cannot be read is no list without the VM" {
	refuse forum-node /etc/pve/nodes/node1/qemu-server
	metis 3 preflight --sysroot "$BATS_TEST_TMPDIR/refused.snap" --vm 101
	assert_equal "$stderr" "metis-passthrough preflight: VM 101: cannot look it up: \
/etc/pve/nodes/node1/qemu-server: Permission denied"
}
