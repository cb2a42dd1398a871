#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The dependency rule of HACKING.md, and the rules of style that a grep can see.
load helpers

sources() {
	(cd "$TOP_SRCDIR" && find "$@" -name '*.[ch]' ! -name '*-shipped.c' | sort)
}

# lacks PATTERN FILE...: no line matches. Comments are not code: lines that start as one
# are ignored.
lacks() {
	local pattern=$1
	shift
	[ $# -gt 0 ] || fail "no files: the test looks at nothing"
	run bash -c 'cd "$1" && shift && grep -nE "$@" | grep -vE "^[^:]+:[0-9]+:[[:space:]]*(/\*|\*|//)"' \
		- "$TOP_SRCDIR" "$pattern" "$@"
	assert_output ""
}

# But for the child processes of *-live.c and program-call.c, which have no other way to end.
@test "nothing below the verbs and renderers prints or exits" {
	# shellcheck disable=SC2046
	lacks '(^|[^a-z_])(printf|fprintf|puts|fputs|putchar|fputc|perror|g_print|g_printerr|g_message|g_warning|exit|_exit|abort) ?\(' \
		$(sources src/core src/guest src/vm | grep -vE '^src/(core|guest)/([a-z]+-live|program-call).c$')
	# shellcheck disable=SC2046
	lacks '(^|[^a-z_])(printf|puts|putchar|perror|g_print|g_printerr|exit|_exit) ?\(' $(sources src/render)
}

@test "renderers include the model and each other, never a probe, a root or a verb" {
	run bash -c 'cd "$1" && grep -hoE "#include \"[^\"]+\"" src/render/*.[ch] | sort -u' - "$TOP_SRCDIR"
	refute_line '#include "cmd.h"'
	refute_line --partial 'probe'
	refute_line --partial 'core/root'
	refute_line --partial 'core/settings.h'
	assert_line '#include "render/render.h"'
}

@test "the core includes no verb and no renderer" {
	# shellcheck disable=SC2046
	lacks '#include "(cmd|render/)' $(sources src/core src/guest src/vm)
}

# Whoever opens a file by itself is on this list with a reason: the roots; the producers of
# mp_root_produced(), which run on the live host only; argument.c, for files that the user names;
# program.c, which runs this machine's programs, and program-call.c, which runs a target's;
# target*.c, which change a host. Of *-live.c, hang-live.c opens /dev/null only; handover-live.c
# writes driver_override, unbind and drivers_probe, which are no files that could be journalled;
# so does ready-live.c with reset, reset_method, power/control and the card's registers, and
# card-live.c maps a card's memory; guest/attribute-live.c writes one attribute of sysfs, by a child.
@test "only the roots open files of a host" {
	# shellcheck disable=SC2046
	lacks '(^|[^a-z_])(open|openat|fopen|fopen64|opendir|fdopendir|readlink|readlinkat|stat|lstat|fstatat|access|faccessat|g_file_get_contents|g_dir_open|g_file_test|g_mapped_file_new|popen|system|execve|execvp|fork|g_spawn_[a-z_]+) ?\(' \
		$(sources src/core src/guest src/render src/vm | grep -vE '/(root[^/]*|target[^/]*|klog-read|[^/]*-live|program|program-call|argument)\.c$')
}

@test "VFIO's side prints nothing, never exits, and knows no verb and no renderer" {
	# shellcheck disable=SC2046
	lacks '(^|[^a-z_])(printf|fprintf|puts|fputs|putchar|perror|g_print|g_printerr|exit|_exit) ?\(' $(sources src/vfio)
	# shellcheck disable=SC2046
	lacks '#include "(cmd|render/)' $(sources src/vfio)
}

@test "numbers are parsed in one place" {
	# shellcheck disable=SC2046
	lacks '(^|[^a-z_])(strto[a-z]+|atoi|atol|atoll|sscanf|g_ascii_strto[a-z0-9]+) ?\(' \
		$(sources src | grep -v '^src/core/fact.c$')
}

@test "no file is much longer than 500 lines" {
	run bash -c 'cd "$1" && wc -l src/*.[ch] src/*/*.[ch] src/*/*/*.[ch] | awk "\$2 != \"total\" && \$1 > 600"' \
		- "$TOP_SRCDIR"
	assert_output ""
}

@test "each source file says its licence" {
	run bash -c 'cd "$1" && grep -L "SPDX-License-Identifier: GPL-2.0-or-later" src/*.[ch] src/*/*.[ch] src/*/*/*.[ch]' \
		- "$TOP_SRCDIR"
	assert_output ""
}

# Make's lists are kept by hand: what falls out of one would be neither built nor run, and nothing would tell.
@test "every source, test and fuzz target is in its list" {
	listed() {
		tr -s ' \t\134' '\n' <"$TOP_SRCDIR/$1" | grep -qxF -- "$2" || fail "$2 is not in $1"
	}
	local file
	cd "$TOP_SRCDIR"
	for file in tests/unit/test-*.c; do
		listed tests/unit/Makemodule.am "${file%.c}"
	done
	for file in tests/fuzz/fuzz-*.c; do
		listed tests/fuzz/Makemodule.am "${file%.c}"
	done
	for file in tests/cli/*.bats; do
		listed tests/cli/Makemodule.am "$file"
	done
	while IFS= read -r file; do
		listed src/Makemodule.am "$file"
	done < <(find src -name '*.[ch]' ! -path 'src/guest-driver/*')
	# The kernel module has lists of its own: what is handed out, and what it is made of.
	for file in src/guest-driver/*; do
		case $file in
		*.mod.c) ;; # of a build there
		*.[ch] | */Kbuild | */Makefile) listed src/guest-driver/Makemodule.am "$file" ;;
		esac
		case $file in
		*.mod.c) ;;
		*.c)
			file=${file##*/}
			listed src/guest-driver/Kbuild "${file%.c}.o"
			;;
		esac
	done
	while IFS= read -r file; do
		listed src/Makemodule.am "$file"
	done < <(find templates -type f)
}

# A line that lost its backslash ends the list before it.
@test "every template is compiled in" {
	local file name
	cd "$TOP_SRCDIR"
	while IFS= read -r file; do
		name=${file#templates/}
		grep -qF "\"$name\"" "${METIS%/*}/src/core/templates-shipped.c" || fail "$file is not compiled in"
	done < <(find templates -type f ! -path 'templates/profiles/*' ! -path 'templates/schema/*')
}
