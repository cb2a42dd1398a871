# shellcheck shell=bash
# Programs for the node: taken from this machine, with what they load.

# In the node /bin, /lib and /lib64 are links into /usr. An archive that had them as directories would replace the links.
usr_path() {
	case $1 in
	/usr/*) printf '%s\n' "$1" ;;
	*) printf '/usr%s\n' "$1" ;;
	esac
}

# put_libraries ROOT FILE: every shared library that FILE needs, the loader too. A static file needs none.
put_libraries() {
	local root=$1 file=$2 libraries library
	libraries=$(ldd "$file" 2>/dev/null) || return 0
	case $libraries in
	*'not found'*) die "$file: $(grep 'not found' <<<"$libraries" | xargs)" ;;
	esac
	grep -o '/[^ ]*' <<<"$libraries" | while read -r library; do
		install -D -m 755 "$library" "$root$(usr_path "$library")"
	done
}

# put_program ROOT FILE NAME [LIBRARY...]: FILE becomes /usr/bin/NAME below ROOT, and what it needs comes along, with each
# LIBRARY that it loads by itself at run time.
put_program() {
	local root=$1 file=$2 name=$3 library found
	install -D -m 755 "$file" "$root/usr/bin/$name"
	put_libraries "$root" "$file"
	shift 3
	for library; do
		found=$(ldconfig -p | awk -v name="$library" '$1 == name && !n++ { print $NF }')
		[ -n "$found" ] || die "$file loads $library, which is not here"
		install -D -m 755 "$found" "$root$(usr_path "$found")"
		put_libraries "$root" "$found"
	done
}

# pack ROOT FILE: an initramfs archive. Not compressed: the emulated CPU would take longer to unpack than QEMU to load.
pack() {
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc -R 0:0 --quiet) >"$2"
}
