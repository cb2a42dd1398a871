#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The table of checks: ids are an interface, and each one can be explained.
load helpers

@test "every check can be explained at length" {
	metis preflight --list-checks --format json
	ids=$(jq -r '.checks[].id' <<<"$output")
	[ -n "$ids" ]
	for id in $ids; do
		metis explain "$id" --format json
		length=$(jq -r '.explain | length' <<<"$output")
		[ "$length" -gt 200 ] || fail "$id: only $length characters"
		[ "$(jq -r '.title | length' <<<"$output")" -gt 5 ] || fail "$id: no title"
	done
}

@test "check ids are unique and kebab-case" {
	metis preflight --list-checks --format json
	run bash -c 'jq -r ".checks[].id" <<<"$0" | sort | uniq -d' "$output"
	assert_output ""
	metis preflight --list-checks --format json
	run bash -c 'jq -r ".checks[].id" <<<"$0" | grep -vE "^[a-z0-9]+(-[a-z0-9]+)*$"' "$output"
	assert_output ""
}

@test "every check that was promised is there" {
	metis preflight --list-checks --format json
	ids=$(jq -r '.checks[].id' <<<"$output")
	for id in \
		cpu-virtualization firmware-iommu-table iommu-active iommu-covers-device \
		iommu-default-domain iommu-address-width interrupt-remapping-supported \
		interrupt-remapping-active interrupt-remapping-sources-agree x2apic-opt-out \
		posted-interrupts unsafe-interrupts-off acs-override-absent relax-rmrr-absent \
		kernel-lockdown vfio-modules vfio-virqfd-stale \
		device-present device-responds device-power-state device-link device-bars device-msi \
		device-msix-shared-page device-reset-method device-reset-scope \
		device-reserved-regions device-siblings-same-id device-multifunction \
		device-host-use device-identity device-numa device-aer device-dma-alias \
		group-exists group-viable group-isolated group-acs-path group-unchanged \
		bootloader-known cmdline-running cmdline-staged binding-config binding-effective \
		binding-early initramfs-binding host-driver-taint memory-headroom hugepages memlock \
		vm-config-valid vm-machine vm-hostpci vm-device-conflict vm-mapping vm-memory \
		vm-viommu vm-cpu-address-width vm-hookscript vm-agent vm-guest-selftest vm-args \
		card-interrupt-delivery card-host-driver-loaded card-firmware-running card-dma-vm \
		card-window card-imwr setup-status selftest-last \
		guest-hypervisor guest-device guest-viommu guest-parent-port guest-decoding guest-memory-map \
		guest-driver guest-driver-version guest-driver-options guest-vectors guest-selftest; do
		grep -qx -- "$id" <<<"$ids" || fail "no check $id"
	done
}
