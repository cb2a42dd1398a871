# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # of qm and vm.sh
# How the stand-in of qm stops a VM, and what is done when it has stopped.

# vm_stop_cleanup(). From 9.1.13 on post-stop belongs to it: once after each start, whoever comes first.
stop_cleanup() {
	find_machine
	if problem=$( (parse_hostpci) 2>&1); then
		unreserve
	else
		warning "$problem"
	fi
	for name in qmp pid qga serial0; do
		rm -f "$runtime/$vmid.$name"
	done
	[ -e "$runtime/$vmid.cleanup" ] || return 0
	rm -f "$runtime/$vmid.cleanup"
	hook post-stop
}

# stop_vm stop|shutdown SECONDS FORCE: _do_vm_stop().
stop_vm() {
	running "$vmid" || return 0
	load
	check_unlocked
	hook pre-stop
	if [ "$1" = stop ]; then
		monitor_command quit || :
	elif has_agent && agent_command '{"execute":"guest-ping"}' >/dev/null; then
		agent_command '{"execute":"guest-shutdown"}' 2 >/dev/null || :
	else
		monitor_command system_powerdown || :
	fi
	if ! wait_gone "$2"; then
		[ "$3" = 1 ] || die "VM quit/powerdown failed - got timeout"
		warning "VM still running - terminating now with SIGTERM"
		kill "$pid"
		wait_gone 10 || {
			warning "VM still running - terminating now with SIGKILL"
			kill -9 "$pid"
			sleep 1
		}
	fi
	stop_cleanup
}

# cleanup CLEAN GUEST: what qmeventd calls when QEMU's socket has closed (PVE::CLI::qm).
cleanup() {
	[ -f "$file" ] || return 0
	echo "Starting cleanup for $vmid" >&2
	take_lock 60
	load
	if at_least 9.1.13; then
		get lock
		case $value in
		rollback) die "skipping cleanup: VM is locked (rollback)" ;;
		backup) ! running "$vmid" || die "skipping cleanup: VM is locked (backup)" ;;
		esac
		wait_gone 30 || die "vm still running"
		[ ! -e "$runtime/$vmid.cleanup" ] || stop_cleanup
	else
		! running "$vmid" || die "vm still running"
		case $1,$2 in
		1,0) ;; # the task that stopped it did that
		*) stop_cleanup ;;
		esac
		hook post-stop
	fi
	echo "Finished cleanup for $vmid" >&2
	[ -e "$runtime/$vmid.reboot" ] || return 0
	rm -f "$runtime/$vmid.reboot"
	echo "Restarting VM $vmid" >&2
	start_vm
}
