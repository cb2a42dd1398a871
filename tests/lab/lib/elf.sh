# shellcheck shell=bash
# Programs for the node and its guests: taken from this machine, with what they load; modules; and the archive.

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

# put_tools ROOT: what an initramfs of the lab starts from: directories, busybox, kmod, and files of a small Debian.
put_tools() {
	local root=$1 name applet
	need busybox busybox-static kmod kmod
	need_file /usr/share/misc/pci.ids pci.ids
	mkdir -p "$root"/{dev,proc,sys,run,tmp,etc,boot} "$root"/usr/{bin,sbin,lib,lib64,share/misc}
	for name in bin sbin lib lib64; do
		ln -s "usr/$name" "$root/$name"
	done
	put_program "$root" "$(command -v busybox)" busybox
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/usr/bin/$applet"
	done
	# The real ones: what the program under test sees should be what a Debian node has.
	put_program "$root" "$(readlink -f "$(command -v kmod)")" kmod
	for name in modprobe rmmod insmod lsmod modinfo depmod; do
		ln -sf kmod "$root/usr/bin/$name"
		ln -s ../bin/kmod "$root/usr/sbin/$name"
	done
	cp /usr/share/misc/pci.ids "$root/usr/share/misc/"
	cp /etc/os-release "$root/etc/"
	printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
}

# put_modules ROOT KERNEL MODULES: these (one argument), and those that they need, of a kernel made by build/kernel. What is built
# in, or not in this kernel, is passed over.
put_modules() {
	local root=$1 kernel=$2 modules=$3 release module file to
	release=$(cat "$kernel/release")
	mkdir -p "$root/usr/lib/modules/$release"
	cp "$kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/usr/lib/modules/$release/"
	for module in $modules; do
		modprobe -d "$kernel" -S "$release" --show-depends "$module" 2>/dev/null || true
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
		to=$root/usr/lib/modules/$release/${file#*/lib/modules/"$release"/}
		mkdir -p "${to%/*}"
		# Debian 13 compresses modules; unpacked they need no library in the node.
		case $file in
		*.xz) xz -dc "$file" >"${to%.xz}" ;;
		*) cp "$file" "$to" ;;
		esac
	done
	depmod -b "$root" "$release"
	cp "$kernel/config" "$root/boot/config-$release"
}

# pack ROOT FILE: an initramfs archive. Not compressed: the emulated CPU would take longer to unpack than QEMU to load.
pack() {
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc -R 0:0 --quiet) >"$2"
}
