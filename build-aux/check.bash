# shellcheck shell=bash disable=SC2154
# The second half of bootstrap: every test there is, and one closing line. Sourced by bootstrap, whose functions it uses.

passed=0 failed=0 skipped=0
skips=()

# count NAME PASSED FAILED SKIPPED: adds a suite to the sum. A suite that ran nothing has failed.
count() {
	local name=$1 ok=$2 bad=$3 skip=$4
	if [ $((ok + bad + skip)) = 0 ]; then
		say "  $name: no test was run, which counts as a failure"
		bad=1
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	say "  $name: $ok passed, $bad failed, $skip skipped"
}

# tests_in DIR NAME LOG RC: counts what a `make check` left in DIR (automake's .trs files, one line a test).
tests_in() {
	local dir=$1 name=$2 log=$3 rc=$4 ok=0 bad=0 skip=0 trs p f s
	while IFS= read -r -d '' trs; do
		p=$(grep -cE '^:test-result: (PASS|XFAIL)' "$trs" || true)
		f=$(grep -cE '^:test-result: (FAIL|XPASS)' "$trs" || true)
		s=$(grep -c '^:test-result: SKIP' "$trs" || true)
		# ERROR: it ended early or badly; beside failed tests that is only their echo.
		[ "$f" != 0 ] || f=$(grep -c '^:test-result: ERROR' "$trs" || true)
		ok=$((ok + p)) bad=$((bad + f)) skip=$((skip + s))
	done < <(find "$dir" -name '*.trs' -print0)
	# Of each failed test, what it said.
	find "$dir" -name '*.trs' | sort | while read -r trs; do
		grep -qE '^:test-result: (FAIL|XPASS|ERROR)' "$trs" || continue
		say "--- ${trs%.trs}.log:"
		failures_of "${trs%.trs}.log"
		say '---'
	done
	# A test program that does not even compile leaves no result of its own.
	if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then
		tell "$log"
		bad=1
	fi
	count "$name" "$ok" "$bad" "$skip"
	while read -r skip; do
		skips+=("$name: $skip")
	done < <(sed -n 's/^SKIP: //p' "$logs/$log.log")
}

# failures_of LOG: each failed TAP test with the comments that follow it; the whole end if it has none.
failures_of() {
	if grep -q '^not ok' "$1"; then
		awk '/^not ok/ { show = 1 } /^ok/ { show = 0 } show && n++ < 60' "$1"
	else
		tail -n 40 "$1"
	fi
}

# suite DIR NAME LOG: `make check` in a build tree. Old results must not be counted.
suite() {
	local dir=$1 name=$2 log=$3 rc=0
	find "$dir" -name '*.trs' -delete
	run_step "$name" "$log" make -k -j"$jobs" -C "$dir" check || rc=$?
	tests_in "$dir" "$name" "$log" "$rc"
}

# tap_suite NAME LOG COMMAND...: something that closes with "N passed, N failed, N skipped" and prints TAP above it.
tap_suite() {
	local name=$1 log=$2 rc=0 line
	run_step "$@" || rc=$?
	line=$(tail -n 1 "$logs/$log.log")
	if [[ ! $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		tell "$log" 60
		count "$name" 0 1 0
		return
	fi
	set -- "${BASH_REMATCH[@]:1}"
	# It failed, and no test of it says so.
	[ "$rc" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1 "$3"
	if [ "$2" != 0 ]; then
		say "--- $logs/$log.log:"
		failures_of "$logs/$log.log"
		say '---'
	fi
	count "$name" "$@"
	while read -r line; do
		skips+=("$name: $line")
	done < <(sed -nE 's/^ok [0-9]+ (- )?(.*# skip.*)/\2/Ip' "$logs/$log.log")
}

# The instrumented build has a tree of its own, configured like the first but for the switches.
build_sanitized() {
	must 'configure (build-asan/)' configure-asan configure_in build-asan --enable-tests --enable-werror \
		--enable-asan --enable-ubsan CFLAGS="${CFLAGS--O1 -g}"
	must "make -j$jobs (build-asan/)" make-asan make -C "$top/build-asan" -j"$jobs"
}

# What Make's lists forget is missed only by those who get a tarball. make distcheck does more and takes minutes.
tarball() {
	local rc=0
	run_step 'tarball' distdir make -C "$top/build" distdir || rc=$?
	[ "$rc" = 0 ] || tell distdir
	count 'tarball' "$((rc == 0))" "$((rc != 0))" 0
	rm -rf "$top"/build/metis-passthrough-*/
}

check_everything() {
	need_packages "$top/build-aux/packages-build.txt" "$top/build-aux/packages-check.txt" \
		"${lab_packages[@]}"
	build --enable-tests --enable-werror
	suite "$top/build" 'unit, cli, fuzz replay' check
	tarball
	build_sanitized
	suite "$top/build-asan" 'the same under ASan and UBSan' check-asan
	tap_suite 'lint' lint "$top/build-aux/lint" shell
	tap_suite 'lab' lab env METIS="$top/build/metis-passthrough" "$top/tests/lab/run" -o "$logs/lab"

	say ''
	if [ ${#skips[@]} -gt 0 ]; then
		say 'skipped:'
		printf '  %s\n' "${skips[@]}"
	fi
	say "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
