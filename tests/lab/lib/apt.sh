# shellcheck shell=bash
# Debian packages through the machine's own apt configuration, which alone knows the mirrors. Nothing is installed and
# the machine's package lists are not touched: where they are missing or stale, a private copy is kept in the cache.

# apt_lists machine|private|SUITE: which package lists the functions below read.
apt_lists() {
	case $1 in
	machine | private) ;;
	*)
		apt_suite "$1"
		return
		;;
	esac
	apt_options=(-q -o APT::Sandbox::User=root -o Acquire::Languages=none)
	[ "$1" = private ] || return 0
	local dir=$LAB_CACHE/apt
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	apt_options+=(-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir")
	apt_update "$dir"
}

# apt_suite SUITE [TYPE...]: the functions below read the package lists of another Debian release, which this machine's
# sources do not name: from the same mirrors, in a configuration of its own. TYPE is deb (the default), deb-src or both.
apt_suite() {
	local suite=$1 dir keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	shift
	[ $# -gt 0 ] || set -- deb
	dir=$LAB_CACHE/apt-$suite-$(printf '%s' "$*" | tr ' ' +)
	need_file "$keyring" debian-archive-keyring
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/etc"
	touch "$dir/status"
	apt_sources "$suite" "$@" | sed "s|^\([^ ]*\) |\1 [signed-by=$keyring] |" >"$dir/etc/sources.$$"
	[ -s "$dir/etc/sources.$$" ] || die "this machine's apt has no source for Debian's main"
	mv -f "$dir/etc/sources.$$" "$dir/etc/sources.list"
	apt_options=(-q -o APT::Sandbox::User=root -o Acquire::Languages=none
		-o "Dir::Etc::sourcelist=$dir/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::status=$dir/status"
		-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir")
	apt_update "$dir"
}

# apt_update DIR: reads the lists anew, for apt_options. One look a day is enough; a failed one leaves the lists that were there.
apt_update() {
	(
		flock -w "$((LAB_LIMIT_DOWNLOAD + 60))" 9
		[ -z "$(find "$1/updated" -mtime -1 2>/dev/null)" ] || exit 0
		timeout -k 10 "$LAB_LIMIT_DOWNLOAD" apt-get "${apt_options[@]}" update --error-on=any >&2 9>&- || exit
		touch "$1/updated"
	) 9>"$1/lock" || say 'apt-get update failed; taking what there is'
}

# apt_kernel: "PACKAGE VERSION" of the kernel that linux-image-amd64 stands for; fails if no list knows it.
apt_kernel() {
	local found
	found=$(apt-cache "${apt_options[@]}" show --no-all-versions linux-image-amd64 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\) (= \([^)]*\)).*/\1 \2/p' | head -n 1)
	[ -n "$found" ] && printf '%s\n' "$found"
}

# apt_headers: the same, where only the headers have a name that does not change: the lists of a newer release, whose kernels are signed.
apt_headers() {
	local release
	release=$(apt-cache "${apt_options[@]}" show --no-all-versions linux-headers-amd64 2>/dev/null |
		sed -n 's/^Depends: .*linux-headers-\([^ ,]*\)-amd64.*/\1-amd64/p' | head -n 1)
	[ -n "$release" ] || return
	printf 'linux-image-%s %s\n' "$release" "$(apt-cache "${apt_options[@]}" show --no-all-versions "linux-headers-$release" |
		sed -n 's/^Version: //p' | head -n 1)"
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

# apt_sources [SUITE [TYPE...]]: this machine's sources of its own release, as lines of a sources.list; or of SUITE, which the
# same mirrors have (SUITE-backports has neither updates nor security). Its others (Proxmox', backports) are not for the node.
apt_sources() {
	local release suite type
	release=$(apt_release) suite=${1:-}
	shift $(($# > 0))
	for type in "${@:-deb}"; do
		# shellcheck disable=SC2016 # apt's
		apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
			awk -v name="$release" -v suite="${suite:-$release}" -v type="$type" '$1 == "Packages" && $4 == "main" &&
				($3 == name || suite !~ /-/ && ($3 == name "-updates" || $3 == name "-security")) {
					print type, $2, suite substr($3, length(name) + 1), $4 }' | sort -u
	done
}

# apt_config: what this machine's apt was told about the way to its sources.
apt_config() {
	apt-config dump --no-empty --format '%F "%v";%n' Acquire::http Acquire::https \
		Acquire::Check-Valid-Until Acquire::Check-Date Acquire::Retries
}
