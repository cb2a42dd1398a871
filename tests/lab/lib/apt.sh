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

# apt_release: the code name of this machine's Debian, which the node gets too.
apt_release() {
	# shellcheck source=/dev/null
	(. /etc/os-release && printf '%s\n' "$VERSION_CODENAME")
}

# apt_sources: this machine's sources of that release, as lines of a sources.list. Its others (Proxmox', backports) are
# not for the node.
apt_sources() {
	local release
	release=$(apt_release)
	# shellcheck disable=SC2016 # apt's
	apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
		awk -v name="$release" '$1 == "Packages" && $4 == "main" &&
			($3 == name || $3 == name "-updates" || $3 == name "-security") { print "deb", $2, $3, $4 }' | sort -u
}

# apt_config: what this machine's apt was told about the way to its sources.
apt_config() {
	apt-config dump --no-empty --format '%F "%v";%n' Acquire::http Acquire::https \
		Acquire::Check-Valid-Until Acquire::Check-Date Acquire::Retries
}
