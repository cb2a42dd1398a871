# shellcheck shell=bash
# Things that are expensive to make, made once: an entry is a directory whose name says what is in it
# (versions, digests), so that it never has to be changed. Shared by runs and clones; runs side by side are safe.

# Entries that nobody used for so many days are removed.
LAB_CACHE_DAYS=${LAB_CACHE_DAYS:-30}

# digest FILE...: short name for contents.
digest() {
	cat -- "$@" | sha256sum | cut -c1-12
}

# cached KEY LIMIT COMMAND...: prints the entry's path. If there is none yet, COMMAND gets a new directory as its
# last argument and LIMIT seconds to fill it. The directory becomes the entry only when COMMAND succeeds.
cached() {
	local key=$1 limit=$2
	local entry=$LAB_CACHE/$key
	shift 2
	mkdir -p "$LAB_CACHE/locks"
	(
		# Whoever comes second waits for the first one's work, rather than doing it again.
		flock -w "$((limit + 60))" 9 || die "cache: somebody else builds $key and does not finish"
		if [ ! -d "$entry" ]; then
			cache_prune
			tmp=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
			trap 'rm -rf "$tmp"' EXIT
			say "building $key"
			began=$SECONDS
			# The lock is not for children: one that outlives us would keep it.
			rc=0
			timeout -k 10 "$limit" "$@" "$tmp" >&2 9>&- || rc=$?
			[ "$rc" != 124 ] || say "$key: no result within $limit s"
			[ "$rc" = 0 ] || exit "$rc"
			mv -T "$tmp" "$entry"
			say "built $key in $((SECONDS - began)) s"
		fi
		touch "$entry"
	) 9>"$LAB_CACHE/locks/$key" || return
	printf '%s\n' "$entry"
}

# Old entries, and what a killed build left. An entry in use was touched a moment ago, so it is not old.
cache_prune() {
	find "$LAB_CACHE" -mindepth 1 -maxdepth 1 -type d -name 'tmp.*' -mmin +1440 -exec rm -rf {} +
	find "$LAB_CACHE" -mindepth 1 -maxdepth 1 -type d ! -name locks ! -name 'apt*' ! -name 'tmp.*' \
		-mtime "+$LAB_CACHE_DAYS" -exec rm -rf {} +
}
