# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034,SC1091 # of qm, and for the other parts
# The rest of qm, for a node in which VMs can run: sourced by it (tests/sim/qm), with the verb and the VM in $verb and
# $vmid. It follows PVE::QemuServer (vm_start_nolock, vm_stop, vm_stop_cleanup), PVE::GuestHelpers, PVE::QemuServer::PCI,
# PVE::SysFSTools and PVE::CLI::qm; where versions differ, that of /var/lib/dpkg/status counts.

runtime=/run/qemu-server
monitor=$runtime/$vmid.qmp

warning() {
	printf 'WARN: %s\n' "$*" >&2
}

# at_least VERSION: is qemu-server as new as that?
at_least() {
	awk -v have="$qemu_server" -v want="$1" 'BEGIN {
		split(have, a, /[^0-9]+/)
		n = split(want, b, /[^0-9]+/)
		for (i = 1; i <= n; i++)
			if (a[i] + 0 != b[i] + 0)
				exit !(a[i] + 0 > b[i] + 0)
	}'
}

# The current section, as PVE parses it; what it ignores is told. Each key becomes a variable: an emulated node takes long for a
# process, so values are had without one.
load() {
	[ -f "$file" ] || die "Configuration file 'nodes/$node/qemu-server/$vmid.conf' does not exist"
	conf=$(awk -v vmid="$vmid" -v mode=current -v newer="$newer" "$program" "$file" |
		sed -n "s/'/'\\\\''/g; s/^\([a-z_]*[0-9]*\): \(.*\)/conf_\1='\2'/p")
	for key in $(set | sed -n 's/^\(conf_[a-z0-9_]*\)=.*/\1/p'); do
		unset "$key"
	done
	eval "$conf"
}

# get KEY: sets `value`.
get() {
	eval "value=\${conf_$1-}"
}

# property KEY TEXT [DEFAULT-KEY]: sets `value` to that of a list of properties.
property() {
	value=''
	rest=$2,
	while [ -n "$rest" ]; do
		part=${rest%%,*} rest=${rest#*,}
		case $part in
		"$1="*) value=${part#*=} ;;
		*=*) ;;
		*) [ "${3-}" != "$1" ] || [ -z "$part" ] || value=$part ;;
		esac
	done
}

# is_on TEXT: as PVE reads booleans.
is_on() {
	case $1 in
	1 | [oO][nN] | [yY][eE][sS] | [tT][rR][uU][eE]) return 0 ;;
	esac
	return 1
}

has_agent() {
	get agent
	property enabled "$value" enabled
	is_on "$value"
}

check_unlocked() {
	get lock
	[ -z "$value" ] || [ "$skip_lock" = 1 ] || die "VM is locked ($value)"
}

# PVE::GuestHelpers exec_hookscript(): PHASE [fatal]. The caller waits until all that inherited its output has closed it; the lock is
# held, and not inherited.
hook() {
	get hookscript
	volume=$value
	[ -n "$volume" ] || return 0
	if problem=$( (check_hookscript "$volume") 2>&1); then
		check_hookscript "$volume"
		exec 8>&1
		# fd 3: the exit code; fd 4: the task's log.
		code=$({ {
			env LC_ALL=C PATH=/sbin:/bin:/usr/sbin:/usr/bin "$path/$volume" "$vmid" "$1" \
				</dev/null 2>&1 3>&- 4>&- 8>&- 9>&-
			echo $? >&3
		} | cat >&4; } 3>&1 4>&8)
		exec 8>&-
		[ "$code" != 0 ] || return 0
		problem="command '$path/$volume $vmid $1' failed: exit code $code"
		[ "$code" -le 128 ] || problem="command '$path/$volume $vmid $1' failed: got signal $((code - 128))"
	fi
	[ "${2-}" != fatal ] || die "hookscript error for $vmid on $1: $problem
"
	warning "hookscript error for $vmid on $1: $problem"
}

# monitor_command COMMAND [SECONDS]
monitor_command() {
	qmp "$monitor" "{\"execute\":\"$1\"}" "${2-5}" >/dev/null
}

# wait_gone SECONDS: until QEMU is gone, as PVE sees it.
wait_gone() {
	until=$(($(date +%s) + $1))
	while running "$vmid"; do
		[ "$(date +%s)" -lt "$until" ] || return 1
		sleep 0.1
	done
}

# json TEXT: as a JSON string.
json() {
	printf '%s' "$1" | awk '{
		gsub(/\\/, "\\\\")
		gsub(/"/, "\\\"")
		gsub(/\t/, "\\t")
		gsub(/\r/, "\\r")
		printf "%s%s", (NR > 1 ? "\\n" : "\""), $0
	}
	END { print (NR ? "\"" : "\"\"") }'
}

# --- the agent ---

agent_command() {
	has_agent || die "No QEMU guest agent configured"
	running "$vmid" || die "VM $vmid is not running"
	qmp -a "$runtime/$vmid.qga" "$1" "${2-3}" 2>/dev/null
}

# qm guest cmd VMID ping, qm guest exec VMID [--timeout N] [--synchronous 0|1] -- PROGRAM [ARG...], qm guest exec-status VMID PID.
guest_exec() {
	seconds=30 waits=1
	while [ $# -gt 0 ]; do
		case $1 in
		--timeout) seconds=$2 ;;
		--synchronous) waits=$2 ;;
		--pass-stdin) ;;
		*) break ;;
		esac
		shift 2
	done
	[ "${1-}" != -- ] || shift
	[ $# -gt 0 ] || die "400 not enough arguments"
	agent_command '{"execute":"guest-ping"}' >/dev/null || die "QEMU guest agent is not running"
	words=
	wanted=$(json "$1")
	shift
	for word; do
		words="$words${words:+,}$(json "$word")"
	done
	answer=$(agent_command "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":$wanted,\"arg\":[$words],\"capture-output\":true}}") ||
		die "Agent error: $answer"
	job=$(printf '%s' "$answer" | sed 's/.*"pid": *\([0-9]*\).*/\1/')
	if [ "$waits" = 0 ]; then
		printf '{\n   "pid" : %s\n}\n' "$job"
		return
	fi
	until=$(($(date +%s) + seconds))
	while ! exec_status; do
		[ "$(date +%s)" -lt "$until" ] || {
			printf '{\n   "exited" : 0,\n   "pid" : %s\n}\n' "$job"
			return
		}
		sleep 0.2
	done
}

# exec_status: what there is to say of $job, once it has ended.
exec_status() {
	answer=$(agent_command "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$job}}") || die "Agent error: $answer"
	case $answer in
	*'"exited": true'* | *'"exited":true'*) ;;
	*) return 1 ;;
	esac
	text=
	for name in err-data out-data; do
		data=$(printf '%s' "$answer" | sed -n "s/.*\"$name\": *\"\([^\"]*\)\".*/\1/p")
		[ -z "$data" ] || text="$text,
   \"$name\" : $(json "$(printf '%s' "$data" | base64 -d && echo x)" | sed 's/x"$/"/')"
	done
	code=$(printf '%s' "$answer" | sed -n 's/.*"exitcode": *\([0-9]*\).*/\1/p')
	printf '{\n   "exitcode" : %s,\n   "exited" : 1%s\n}\n' "${code:-null}" "$text"
}

# --- the verbs ---

skip_lock=0 paused=0 timeout=
# options OPTION...: of start, stop and shutdown. Switches may have a 0 or 1 behind them.
options() {
	force=0
	while [ $# -gt 0 ]; do
		option=$1 value=1
		shift
		case ${1-} in
		[0-9]*)
			value=$1
			shift
			;;
		esac
		case $option in
		--skiplock) skip_lock=$value ;;
		--forceStop) force=$value ;;
		--timeout) timeout=$value ;;
		*) die "400 unable to parse option '$option'" ;;
		esac
	done
}

list() {
	printf '%10s %-20s %-10s %s\n' VMID NAME STATUS PID
	for file in /etc/pve/nodes/"$node"/qemu-server/*.conf; do
		[ -f "$file" ] || continue
		vmid=$(basename "$file" .conf)
		load 2>/dev/null
		pid=
		status=stopped
		! running "$vmid" || status=running
		[ "$status" = running ] || pid=0
		get name
		printf '%10s %-20s %-10s %s\n' "$vmid" "${value:-VM $vmid}" "$status" "$pid"
	done
}

create() {
	[ ! -e "$file" ] || die "unable to create VM $vmid - VM $vmid already exists on node '$node'"
	file=/etc/pve/nodes/$node/qemu-server/$vmid.conf
	: >"$file" || die "unable to create VM $vmid"
	"$0" set "$vmid" "$@" >/dev/null || {
		rm -f "$file"
		die "unable to create VM $vmid"
	}
}

# A stopped VM is started, paused, for its backup (PVE::VZDump::QemuServer enforce_vm_running_for_backup()): with all phases of the
# hook. What is backed up here is the configuration.
backup() {
	load
	check_unlocked
	printf 'INFO: Starting Backup of VM %s (qemu)\n' "$vmid"
	skip_lock=1 paused=1 was_running=0
	! running "$vmid" || was_running=1
	sed -i '1i lock: backup' "$file"
	if [ $was_running = 0 ]; then
		echo 'INFO: starting kvm to execute backup task'
		(start_vm) || {
			sed -i '/^lock: backup$/d' "$file"
			die "ERROR: Backup of VM $vmid failed - start failed"
		}
	fi
	mkdir -p /var/lib/vz/dump
	cp "$file" "/var/lib/vz/dump/vzdump-qemu-$vmid.conf"
	if [ $was_running = 0 ]; then
		echo 'INFO: stopping kvm after backup task'
		(stop_vm stop 60 1)
	fi
	sed -i '/^lock: backup$/d' "$file"
	printf 'INFO: Finished Backup of VM %s\n' "$vmid"
}

# shellcheck source-path=SCRIPTDIR
. "$lab/pci.sh"
# shellcheck source-path=SCRIPTDIR
. "$lab/start.sh"
# shellcheck source-path=SCRIPTDIR
. "$lab/stop.sh"

case $verb in
list) list ;;
create) create "$@" ;;
start)
	options "$@"
	take_lock 10
	start_vm
	;;
stop)
	options "$@"
	take_lock 10
	stop_vm stop "${timeout:-60}" 1
	;;
shutdown)
	options "$@"
	take_lock 10
	stop_vm shutdown "${timeout:-60}" "$force"
	;;
reboot)
	options "$@"
	take_lock 10
	running "$vmid" || die "VM $vmid not running"
	: >"$runtime/$vmid.reboot"
	(stop_vm shutdown "${timeout:-60}" 0) || {
		rm -f "$runtime/$vmid.reboot"
		exit 255
	}
	;;
reset)
	take_lock 10
	load
	check_unlocked
	monitor_command system_reset || die "VM $vmid qmp command 'system_reset' failed"
	;;
cleanup) cleanup "${1-0}" "${2-0}" ;;
vzdump)
	take_lock 10
	backup
	;;
monitor)
	# qm monitor asks people; here it takes one line for QEMU's monitor.
	qmp "$monitor" "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":$(json "$*")}}" |
		sed 's/^{"return": "//; s/"}$//; s/\\r\\n/\n/g'
	;;
guest)
	load
	case $what in
	exec) guest_exec "$@" ;;
	exec-status)
		job=$1
		exec_status || printf '{\n   "exited" : 0\n}\n'
		;;
	cmd | ping) agent_command '{"execute":"guest-ping"}' >/dev/null || die "QEMU guest agent is not running" ;;
	*) die "400 unknown command 'qm guest $what'" ;;
	esac
	;;
showcmd)
	load
	show=1
	launch
	;;
wait)
	until=$(($(date +%s) + ${timeout:-600}))
	while running "$vmid"; do
		[ "$(date +%s)" -lt "$until" ] || die "timeout"
		sleep 0.2
	done
	;;
unlock)
	take_lock 10
	sed -i '1,/^\[/{/^lock: /d}' "$file"
	;;
destroy)
	take_lock 10
	! running "$vmid" || die "VM $vmid is running - destroy failed"
	rm -f "$file"
	;;
*) die "400 unknown command 'qm $verb'" ;;
esac
