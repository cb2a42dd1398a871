# shellcheck shell=bash
# What every script of the lab sources: where things are, how it speaks, what it needs; and the other libraries.

set -eu
shopt -s inherit_errexit

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/metis-passthrough}
# depmod and its like are in sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin
# Messages of apt and ldd are read here, so they have to be the ones we know.
export LC_ALL=C.UTF-8 PATH LAB_CACHE

# Seconds. Roughly ten times what a two-core machine takes, so that a limit means "it hangs".
LAB_LIMIT_DOWNLOAD=${LAB_LIMIT_DOWNLOAD:-600}
LAB_LIMIT_BUILD=${LAB_LIMIT_BUILD:-300}
LAB_LIMIT_BOOT=${LAB_LIMIT_BOOT:-600}
LAB_LIMIT_COMMAND=${LAB_LIMIT_COMMAND:-120}
# The whole node: to make its system, and all of its boots.
LAB_LIMIT_SYSTEM=${LAB_LIMIT_SYSTEM:-1800}
export LAB_LIMIT_DOWNLOAD LAB_LIMIT_BUILD LAB_LIMIT_BOOT LAB_LIMIT_COMMAND LAB_LIMIT_SYSTEM

# Says what happens, on stderr: stdout belongs to results.
say() {
	printf 'lab: %s\n' "$*" >&2
}

# Ends the script: the lab could not do its work (3, as in the program under test).
die() {
	printf 'lab: error: %s\n' "$*" >&2
	exit 3
}

# kill_tree PID: ends it, and whatever it has started.
kill_tree() {
	local child
	for child in $(pgrep -P "$1"); do
		kill_tree "$child"
	done
	kill "$1" 2>/dev/null || true
}

# need PROGRAM PACKAGE ...: every program that is missing is named with the package that brings it.
need() {
	local missing=''
	while [ $# -gt 0 ]; do
		command -v "$1" >/dev/null || missing="$missing $1 (package $2)"
		shift 2
	done
	[ -z "$missing" ] || die "missing:$missing; install them, or run ${LAB_BOOTSTRAP:-./bootstrap check}"
}

# need_file FILE PACKAGE: the same for data.
need_file() {
	[ -e "$1" ] || die "missing: $1 (package $2); install it, or run ${LAB_BOOTSTRAP:-./bootstrap check}"
}

# program_under_test: METIS, else the program that ./bootstrap or an in-tree make built.
program_under_test() {
	local program=${METIS:-}
	[ -n "$program" ] || for program in "$LAB_DIR"/../../{build/,}metis-passthrough; do
		[ ! -x "$program" ] || break
	done
	[ -x "$program" ] || die "no program under test at $program: build it (./bootstrap), or set METIS"
	realpath "$program"
}

# Names of the variants, one a line.
variants() {
	local file
	for file in "$LAB_DIR"/variants/*.sh; do
		basename "$file" .sh
	done
}

# load_variant NAME: sets what variants/NAME.sh describes; variants/defaults has the meanings.
load_variant() {
	[ -f "$LAB_DIR/variants/$1.sh" ] || die "no variant '$1'; there are: $(variants | xargs)"
	# What all have in common; a variant says what differs. The variables are for the caller.
	# shellcheck source=/dev/null
	. "$LAB_DIR/variants/defaults"
	# shellcheck source=/dev/null
	. "$LAB_DIR/variants/$1.sh"
}

# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/cache.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/apt.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/elf.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/node.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/system.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/qemu.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/vendor.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/guest.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/pve.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$LAB_DIR/lib/guest-driver.sh"
