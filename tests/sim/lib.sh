# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the stand-ins share. Each is steered by files of the root that it runs in:
#   /sim/NAME.before      a shell script that is run once, before anything is done
#   /sim/NAME.fail        its text is the error, before anything is done
#   /sim/NAME.fail-after  the same, when all is done
#   /sim/NAME.hang        after the first thing that it does, it waits for a child that does not end and does not
#                         listen to SIGTERM; its number is in /sim/waiting then
#   /sim/NAME.slow        seconds that it takes longer
#   /sim/NAME.flood       it writes without end
#   /sim/log              every call is appended to it, if it is there
sim_name=${0##*/}

# begin ARG...: the call.
begin() {
	if [ -e /sim/log ]; then
		printf '%s\n' "$sim_name $*" >>/sim/log
	fi
	if [ -e "/sim/$sim_name.before" ]; then
		mv "/sim/$sim_name.before" "/sim/$sim_name.was-before"
		# shellcheck source=/dev/null
		. "/sim/$sim_name.was-before"
	fi
	if [ -e "/sim/$sim_name.fail" ]; then
		cat "/sim/$sim_name.fail" >&2
		exit 1
	fi
}

# midway: something was changed, not everything.
midway() {
	if [ -e "/sim/$sim_name.slow" ]; then
		sleep "$(cat "/sim/$sim_name.slow")"
	fi
	while [ -e "/sim/$sim_name.flood" ]; do
		printf '%s: 0123456789abcdefghijklmnopqrstuvwxyz 0123456789abcdefghijklmnopqrstuvwxyz\n' "$sim_name"
	done
	if [ -e "/sim/$sim_name.hang" ]; then
		sh -c 'trap "" TERM; echo $$ >/sim/waiting.new; mv /sim/waiting.new /sim/waiting; exec sleep 100000' &
		wait
		rm -f /sim/waiting
	fi
}

end() {
	if [ -e "/sim/$sim_name.fail-after" ]; then
		cat "/sim/$sim_name.fail-after" >&2
		exit 1
	fi
	exit 0
}
