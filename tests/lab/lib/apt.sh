# shellcheck shell=bash
# Debian packages through the machine's own apt configuration, which alone knows the mirrors. Nothing is installed and
# the machine's package lists are not touched: where they are missing or stale, a private copy is kept in the cache.

# apt_lists machine|private: which package lists the functions below read.
apt_lists() {
	apt_options=(-q -o APT::Sandbox::User=root -o Acquire::Languages=none)
	[ "$1" = private ] || return 0
	local dir=$LAB_CACHE/apt
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	apt_options+=(-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir")
	# One look a day is enough for a kernel; a failed one leaves the lists that were there.
	(
		flock -w "$((LAB_LIMIT_DOWNLOAD + 60))" 9
		[ -z "$(find "$dir/updated" -mtime -1 2>/dev/null)" ] || exit 0
		timeout -k 10 "$LAB_LIMIT_DOWNLOAD" apt-get "${apt_options[@]}" update --error-on=any >&2 9>&-
		touch "$dir/updated"
	) 9>"$dir/lock" || say 'apt-get update failed; taking what there is'
}

# apt_kernel: "PACKAGE VERSION" of the kernel that linux-image-amd64 stands for; fails if no list knows it.
apt_kernel() {
	local found
	found=$(apt-cache "${apt_options[@]}" show --no-all-versions linux-image-amd64 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\) (= \([^)]*\)).*/\1 \2/p' | head -n 1)
	[ -n "$found" ] && printf '%s\n' "$found"
}

# apt_unpack PACKAGE VERSION DIR: downloads and unpacks, runs none of the package's scripts.
apt_unpack() {
	local dir=$3/deb
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${apt_options[@]}" download "$1=$2") || return
	dpkg -x "$dir"/*.deb "$3"
	rm -rf "$dir"
}
