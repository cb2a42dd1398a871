# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # of qm and vm.sh
# How the stand-in of qm starts a VM, and what QEMU is told (config_to_command(), as far as the lab needs it).

show=0

find_machine() {
	get machine
	set -- "$value"
	property type "$1" type
	machine=$value
	property viommu "$1"
	viommu=$value
	q35=0
	case ${machine:-pc} in
	q35 | *q35*)
		q35=1
		machine=q35
		;;
	esac
	[ "$viommu" != intel ] || [ $q35 = 1 ] || die "to use Intel vIOMMU please set the machine type to q35"
}

# disk KEY VALUE: prints the words for a virtioN; paths with blanks are not for here.
disk() {
	volume=${2%%,*}
	case $volume in
	/*) path=$volume ;;
	none | cloudinit) return ;;
	*:*) path=$(pvesm path "$volume") || die "unable to activate $volume" ;;
	esac
	[ -e "$path" ] || die "volume '$volume' does not exist"
	property format "$2"
	format=${value:-raw}
	printf '%s\n' -drive "file=$path,if=none,id=drive-$1,format=$format,cache=none,aio=threads" \
		-device "virtio-blk-pci,drive=drive-$1,id=$1,bus=pcie.0"
}

# card NUMBER FUNCTIONS PROPERTIES: prints the words for a hostpciN.
card() {
	n=$1 raw=$3
	IFS=,
	# shellcheck disable=SC2086 # addresses
	set -- ${2%,}
	unset IFS
	count=$# index=0
	bus=pcie.0 place=''
	property pcie "$raw"
	if is_on "$value"; then
		bus=ich9-pcie-port-$((n + 1)) place=0x0
		# The first four are in PVE's /usr/share/qemu-server/pve-q35-4.0.cfg, for each VM.
		[ "$n" -lt 4 ] || printf '%s\n' -device \
			"pcie-root-port,id=$bus,addr=$((16 + (n - 4) / 8)).$(((n - 4) % 8)),x-speed=16,x-width=32,multifunction=on,bus=pcie.0,port=$((n + 1)),chassis=$((n + 1))"
	fi
	for address; do
		text="vfio-pci,host=$address,id=hostpci$n"
		[ $count = 1 ] || text="$text.$index"
		text="$text,bus=$bus"
		[ -z "$place" ] || {
			text="$text,addr=$place"
			[ $count = 1 ] || text="$text.$index"
		}
		if [ $index = 0 ]; then
			[ $count = 1 ] || text="$text,multifunction=on"
			property rombar "$raw"
			case $value in
			0 | off | no | false) text="$text,rombar=0" ;;
			esac
			for key in vendor-id device-id sub-vendor-id sub-device-id; do
				property $key "$raw"
				[ -z "$value" ] || text="$text,x-pci-$key=$value"
			done
		fi
		printf '%s\n' -device "$text"
		index=$((index + 1))
	done
}

# command_line: a line for each word.
command_line() {
	get name
	name=$value
	get memory
	property current "$value" current
	memory=$value
	get cores
	cores=$value
	get sockets
	sockets=$value
	printf '%s\n' /usr/bin/kvm -id "$vmid" -name "${name:-vm$vmid},debug-threads=on" -no-shutdown \
		-chardev "socket,id=qmp,path=/var$monitor,server=on,wait=off" -mon chardev=qmp,mode=control \
		-chardev socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5 -mon chardev=qmp-event,mode=control \
		-pidfile "/var$runtime/$vmid.pid" -daemonize -smp "$((${cores:-1} * ${sockets:-1}))" -nodefaults -display none \
		-m "${memory:-512}"
	[ "$paused" = 0 ] || echo -S
	accel=kvm
	get cpu
	property cputype "$value" cputype
	cpu=$value
	get kvm
	if ! is_on "${value:-1}"; then
		accel=tcg
		# PVE's own default then.
		[ -n "$cpu" ] && [ "$cpu" != host ] || cpu=qemu64
	elif [ ! -e /dev/kvm ]; then
		die "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS."
	fi
	printf '%s\n' -accel $accel -cpu "${cpu:-kvm64}"
	irqchip=
	case $viommu in
	intel)
		irqchip=,kernel-irqchip=split
		printf '%s\n' -device intel-iommu,intremap=on,caching-mode=on
		;;
	virtio) printf '%s\n' -device virtio-iommu-pci ;;
	esac
	printf '%s\n' -machine "type=${machine:-pc}$irqchip"
	if [ "$q35" = 1 ]; then
		for n in 0 1 2 3; do
			printf '%s\n' -device "pcie-root-port,id=ich9-pcie-port-$((n + 1)),x-speed=16,x-width=32,multifunction=on,bus=pcie.0,addr=1c.$n,port=$((n + 1)),chassis=$((n + 1))"
		done
	fi
	printf '%s' "$cards" | while read -r n functions raw; do
		card "$n" "$functions" "$raw"
	done
	for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		get "virtio$n"
		[ -z "$value" ] || disk "virtio$n" "$value"
	done
	get serial0
	[ "$value" != socket ] || printf '%s\n' -chardev "socket,id=serial0,path=/var$runtime/$vmid.serial0,server=on,wait=off" \
		-device isa-serial,chardev=serial0
	! has_agent || printf '%s\n' \
		-chardev "socket,path=/var$runtime/$vmid.qga,server=on,wait=off,id=qga0" -device virtio-serial-pci,id=qga0 \
		-device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0
	# Split as a shell would, without its expansions, and last.
	get args
	[ -z "$value" ] || printf '%s\n' "$value" | xargs printf '%s\n'
}

# launch: runs QEMU; with show=1 it prints the command instead. QEMU is in the background, and ready, when it returns.
launch() {
	find_machine
	[ "$show" = 0 ] || parse_hostpci
	words=$(command_line) || exit 255
	set --
	while IFS= read -r word; do
		set -- "$@" "$word"
	done <<WORDS
$words
WORDS
	if [ "$show" = 1 ]; then
		printf '%s\n' "$*"
		return
	fi
	"$@" </dev/null >"$runtime/$vmid.start" 2>&1 7>&- 8>&- 9>&-
	code=$?
	cat "$runtime/$vmid.start"
	rm -f "$runtime/$vmid.start"
	return $code
}

# vm_start_nolock(): the order of it is what matters here.
start_vm() {
	load
	check_unlocked
	get template
	! is_on "$value" || die "you can't start a vm if it's a template"
	! running "$vmid" || die "VM $vmid already running"
	rewrite apply 0
	load 2>/dev/null
	hook pre-start fatal
	find_machine
	parse_hostpci
	seconds=30
	[ -z "$all" ] || seconds=120
	# shellcheck disable=SC2086 # addresses
	reserve time $seconds $all
	# What fails from here on is not followed by post-stop.
	(
		for function in $all; do
			prepare "$function"
		done
		launch || die "start failed: QEMU exited with code $?"
	) || {
		unreserve
		exit 255
	}
	running "$vmid" || die "start failed: QEMU has gone"
	# shellcheck disable=SC2086 # addresses
	reserve pid "$pid" $all
	! at_least 9.1.13 || : >"$runtime/$vmid.cleanup"
	hook post-start
}
