# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # of qm and vm.sh
# What the stand-in of qm does with PCI devices: hostpciN, reservations, binding, reset.

devices=/sys/bus/pci/devices
reservations=$runtime/pci-id-reservations

# --- reservations (reserve_pci_usage(), remove_pci_reservation()) ---

lock_reservations() {
	exec 7>>"$reservations.lock"
	until=$(($(date +%s) + $1))
	until flock -n 7; do
		[ "$(date +%s)" -lt "$until" ] || die "can't lock file '$reservations.lock' - got timeout"
		sleep 0.1
	done
	[ -e "$reservations" ] || : >"$reservations"
}

write_reservations() {
	LC_ALL=C sort >"$reservations.tmp.$$"
	mv "$reservations.tmp.$$" "$reservations"
}

# reserve time|pid NUMBER ADDRESS...: all of them, or none.
reserve() {
	kind=$1 number=$2
	shift 2
	[ $# -gt 0 ] || return 0
	lock_reservations 5
	now=$(date +%s)
	for address; do
		other=$(awk -v address="$address" '$1 == address { print $2, $3 }' "$reservations")
		if [ -z "$other" ] || [ "${other%% *}" = "$vmid" ]; then
			continue
		fi
		case $other in
		*time:*)
			[ "${other##*:}" -le "$now" ] ||
				die "PCI device '$address' is currently reserved for use by VMID '${other%% *}'"
			;;
		*pid:*)
			! running "${other%% *}" || [ "$pid" != "${other##*:}" ] ||
				die "PCI device '$address' already in use by VMID '${other%% *}'"
			warning "leftover PCI reservation found for $address, lets take it..."
			;;
		esac
	done
	[ "$kind" = pid ] || number=$((now + number + 5))
	{
		awk -v list="$*" 'BEGIN { n = split(list, l, " "); for (i = 1; i <= n; i++) gone[l[i]] = 1 } !($1 in gone)' "$reservations"
		for address; do
			printf '%s %s %s:%s\n' "$address" "$vmid" "$kind" "$number"
		done
	} | write_reservations
	exec 7>&-
}

# unreserve: all that the VM has.
unreserve() {
	lock_reservations 2
	awk -v vmid="$vmid" '$2 != vmid' "$reservations" | write_reservations
	exec 7>&-
}

# --- hostpciN ---

# functions_of ADDRESS: the functions there (PVE::SysFSTools lspci()).
functions_of() {
	address=$1
	case $address in
	*:*:*) ;;
	*) address=0000:$address ;;
	esac
	case $address in
	*.*) set -- "$devices/$address" ;;
	*) set -- "$devices/$address".* ;;
	esac
	[ -e "$1" ] || die "no PCI device found for '$address'"
	for dev; do
		printf '%s\n' "${dev##*/}"
	done
}

# alternatives NAME: the path of each entry that the mapping has for this node.
alternatives() {
	answer=$(pvesh get "/cluster/mapping/pci/$1" --check-node "$node" --output-format json 2>/dev/null) ||
		die "PCI device mapping not found for '$1'"
	paths=$(printf '%s\n' "$answer" | sed 's/.*"map":\[\([^]]*\)\].*/\1/; s/","/\n/g' | tr -d '"' |
		while IFS= read -r entry; do
			property node "$entry"
			[ "$value" = "$node" ] || continue
			property path "$entry"
			printf '%s\n' "$value"
		done)
	[ -n "$paths" ] || die "PCI device mapping not found for '$1'"
	case $answer in
	*'"checks":[]'*) printf '%s\n' "$paths" ;;
	*) die "PCI device mapping invalid (hardware probably changed): $(printf '%s' "$answer" |
		sed 's/.*"message":"\([^"]*\)".*/\1/')" ;;
	esac
}

# parse_hostpci: `cards` becomes a line for each hostpciN: its number, functions joined by commas, properties.
parse_hostpci() {
	cards=''
	all=''
	for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		get "hostpci$n"
		raw=$value
		[ -n "$raw" ] || continue
		property host "$raw" host
		host=$value
		property mapping "$raw"
		mapping=$value
		[ -n "$host$mapping" ] || die "Either 'host' or 'mapping' must be set."
		[ -z "$host" ] || [ -z "$mapping" ] || die "Only one of 'host' and 'mapping' can be set."
		property pcie "$raw"
		! is_on "$value" || [ "$q35" = 1 ] || die "q35 machine model is not enabled"
		if [ -n "$mapping" ]; then
			# One that can be had, by trying; told of is the last one that could not.
			choices=$(alternatives "$mapping") || exit 255
			host=
			problem=
			for choice in $choices; do
				case " $all " in
				*" $choice"*) continue ;;
				esac
				if [ "$show" = 1 ]; then
					host=$choice
					break
				fi
				# shellcheck disable=SC2046 # addresses
				if problem=$( (reserve time 10 $(functions_of "$choice")) 2>&1); then
					host=$choice
					break
				fi
			done
			[ -n "$host" ] || die "${problem:-no free device for $mapping}"
		fi
		# Of a list in vain: its members become functions of one device.
		functions=
		for address in $(printf '%s' "$host" | tr ';' ' '); do
			found=$(functions_of "$address") || exit 255
			functions="$functions $found"
		done
		for function in $functions; do
			case " $all " in
			*" $function "*) die "PCI device '$function' assigned more than once" ;;
			esac
			all="$all $function"
		done
		# shellcheck disable=SC2086 # words
		cards="$cards$n $(printf '%s\n' $functions | tr '\n' ',') $raw
"
	done
}

# --- binding and reset (pci_dev_group_bind_to_vfio(), pci_dev_bind_to_vfio(), prepare_pci_device()) ---

bind_vfio() {
	vfio=/sys/bus/pci/drivers/vfio-pci
	[ -d $vfio ] || modprobe vfio-pci >/dev/null 2>&1
	[ -d $vfio ] || die "Cannot find vfio-pci module!"
	[ ! -d "$vfio/$1" ] || return 0
	# Never taken back. That it is there already is no error; whatever else is, shows below.
	printf '%s %s' "$(sed 's/^0x//' "$devices/$1/vendor")" "$(sed 's/^0x//' "$devices/$1/device")" >$vfio/new_id 2>/dev/null
	[ ! -e "$devices/$1/driver/unbind" ] || [ -d "$vfio/$1" ] || printf '%s' "$1" >"$devices/$1/driver/unbind"
	[ -d "$vfio/$1" ] || printf '%s' "$1" >$vfio/bind 2>/dev/null
	[ -d "$vfio/$1" ]
}

prepare() {
	[ -n "$(ls /sys/class/iommu 2>/dev/null)" ] || die "cannot prepare PCI pass-through, IOMMU not present"
	for name in irq vendor device; do
		[ -r "$devices/$1/$name" ] || die "no pci device info for device '$1'"
	done
	for member in "$devices/$1/iommu_group/devices"/*; do
		[ ! -e "$member/pci_bus" ] || continue # a bridge
		bind_vfio "${member##*/}" || die "can't unbind/bind PCI group to VFIO '$1'"
	done
	[ ! -e "$devices/$1/reset" ] || echo 1 2>/dev/null >"$devices/$1/reset" || warning "can't reset PCI device '$1'"
}
