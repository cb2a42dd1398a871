# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for metis-passthrough(8)

_metis_passthrough_checks() {
	"$1" preflight --list-checks --format json 2>/dev/null |
		sed -n 's/^ *"id": *"\([a-z0-9-]*\)".*/\1/p'
}

_metis_passthrough_cases() {
	"$1" selftest --list-cases --format json 2>/dev/null |
		sed -n 's/^ *"case": *"\([a-z0-9-]*\)".*/\1/p'
}

_metis_passthrough_devices() {
	local device
	for device in /sys/bus/pci/devices/*; do
		[ -e "$device" ] && printf '%s\n' "${device##*/}"
	done
}

_metis_passthrough_vms() {
	local conf
	for conf in /etc/pve/qemu-server/*.conf; do
		[ -e "$conf" ] || continue
		conf=${conf##*/}
		printf '%s\n' "${conf%.conf}"
	done
}

# The options of verb $1.
_metis_passthrough_options() {
	case $1 in
	list)
		printf '%s\n' -t --tree -d --device --id --class -g --group --driver \
			-f --format --sysroot --color -h --help
		;;
	preflight)
		printf '%s\n' -d --device --id -p --profile --vm -c --check --list-checks \
			--strict -v --verbose -f --format --sysroot --color -h --help
		;;
	explain) printf '%s\n' -f --format --color -h --help ;;
	snapshot) printf '%s\n' -o --output --scrub --force --sysroot -h --help ;;
	plan)
		printf '%s\n' -d --device --id -p --profile --vm --mapping --hook --binding \
			--force -v --verbose -f --format --sysroot --color -h --help
		;;
	setup)
		printf '%s\n' -d --device --id -p --profile --vm --mapping --hook --binding \
			--force -y --yes -o --output -v --verbose -f --format --sysroot \
			--color -h --help
		;;
	status)
		printf '%s\n' --record -v --verbose -f --format --sysroot --color -h --help
		;;
	rollback) printf '%s\n' --all -y --yes --force --sysroot -h --help ;;
	history) printf '%s\n' -f --format --sysroot --color -h --help ;;
	vm)
		printf '%s\n' -d --device --id -p --profile --to --vmid --patch \
			--guest-driver --guest-firmware --mapping -y --yes --strict -v --verbose \
			-f --format --sysroot --color -h --help
		;;
	inspect) printf '%s\n' -d --device -p --profile --scrub --repair-msi --experimental -n --dry-run -f --format --sysroot --color -h --help ;;
	hook) printf '%s\n' --sysroot -h --help ;;
	repin) printf '%s\n' -y --yes -v --verbose -f --format --sysroot --color -h --help ;;
	bind) printf '%s\n' -g --group --force -t --timeout -h --help ;;
	unbind) printf '%s\n' -g --group -t --timeout -h --help ;;
	selftest)
		printf '%s\n' -d --device -p --profile -e --engine -c --case --list-cases \
			-n --rounds -b --bytes -g --guest --vm -t --timeout --wait -w --way --no-isolation --force \
			-v --verbose -f --format --color -h --help
		;;
	diagnose)
		printf '%s\n' -d --device -p --profile --vm --since -b --boot --follow -v --verbose \
			-f --format --sysroot --color -h --help
		;;
	guest)
		printf '%s\n' -d --device --id -p --profile --driver-version --firmware-version \
			-n --dry-run -y --yes --strict -v --verbose -f --format --sysroot --color -h --help
		;;
	*) return 1 ;;
	esac
}

# The words that may follow option $2 of verb $1; 1: it takes none, 2: it takes a file.
_metis_passthrough_values() {
	case $1:$2 in
	bind:-g | bind:--group | unbind:-g | unbind:--group | selftest:-g) return 1 ;;
	bind:--force | selftest:--force) _metis_passthrough_devices ;;
	bind:-t | unbind:-t | *:--timeout | selftest:--wait | selftest:-t | selftest:-n | selftest:--rounds | selftest:-b | selftest:--bytes) ;;
	selftest:-e | selftest:--engine) printf '%s\n' dw-edma edu nvme ;;
	selftest:-w | selftest:--way) printf '%s\n' auto group cdev module ;;
	selftest:-c | selftest:--case) _metis_passthrough_cases "$3" ;;
	preflight:-f | preflight:--format | vm:-f | vm:--format | selftest:-f | selftest:--format | guest:-f | guest:--format) printf '%s\n' text json junit ;;
	diagnose:-f | diagnose:--format) printf '%s\n' text json markdown ;;
	diagnose:--since | diagnose:-b | diagnose:--boot) ;;
	*:-f | *:--format) printf '%s\n' text json ;;
	*:--color) printf '%s\n' auto always never ;;
	*:--binding) printf '%s\n' auto ids address ;;
	*:-p | *:--profile) printf '%s\n' edu generic metis nvme ;;
	preflight:-c | preflight:--check) _metis_passthrough_checks "$3" ;;
	*:-d | *:--device | plan:--force | setup:--force) _metis_passthrough_devices ;;
	*:--vm | vm:--vmid) _metis_passthrough_vms ;;
	vm:--to) printf '%s\n' pve qemu libvirt ;;
	vm:--guest-driver | vm:--guest-firmware | guest:--driver-version | guest:--firmware-version) ;;
	vm:--patch) return 2 ;;
	*:--id | *:--class | *:-g | *:--group | *:--driver | *:--mapping) ;;
	rollback:--force) return 2 ;;
	*:--sysroot | *:-o | *:--output) return 2 ;;
	*) return 1 ;;
	esac
}

_metis_passthrough() {
	local line=${COMP_LINE:0:COMP_POINT}
	local -a words
	local cur=
	local verb=
	local prev=
	local candidates code i

	# By spaces, not by COMP_WORDBREAKS: a PCI address holds colons.
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[-1]}
	COMPREPLY=()
	if [ ${#words[@]} -le 2 ]; then
		mapfile -t COMPREPLY < <(
			compgen -W 'list preflight explain inspect snapshot plan setup status rollback history vm hook repin bind unbind selftest diagnose guest -h --help -V --version' -- "$cur"
		)
		return
	fi
	verb=${words[1]}
	prev=${words[-2]}
	candidates=$(_metis_passthrough_values "$verb" "$prev" "${words[0]}")
	code=$?
	if [ "$code" -eq 2 ] || [[ $prev =~ ^(-p|--profile|--vm|check)$ && $cur == */* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [ "$code" -eq 1 ]; then
		if [ "$verb" = explain ] && [[ $cur != -* ]]; then
			candidates=$(_metis_passthrough_checks "${words[0]}")
		elif [ "$verb" = vm ] && [ ${#words[@]} -eq 3 ] && [[ $cur != -* ]]; then
			candidates='check generate apply'
		elif [ "$verb" = guest ] && [[ $cur != -* ]]; then
			candidates='check apply'
		elif [ "$verb" = vm ] && [[ $cur != -* ]]; then
			candidates=$(_metis_passthrough_vms)
		elif [ "$verb" = diagnose ] && [[ $cur != -* ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		elif [ "$verb" = hook ] && [[ $cur != -* ]]; then
			candidates="$(_metis_passthrough_vms) pre-start post-start pre-stop post-stop"
		else
			candidates=$(_metis_passthrough_options "$verb") || return
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$cur")
	# Readline replaces only what stands after the last break.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		for i in "${!COMPREPLY[@]}"; do
			COMPREPLY[i]=${COMPREPLY[i]#"${cur%"${cur##*:}"}"}
		done
	fi
} && complete -F _metis_passthrough metis-passthrough
