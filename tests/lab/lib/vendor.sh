# shellcheck shell=bash
# The vendor's driver, for scenarios. Wants lab.sh and cache.sh.

# vendor_programs: path of a directory with vendor (for the node) and guest.elf.
vendor_programs() {
	local compiler
	compiler=$(command -v gcc) || die 'missing: gcc (package gcc); install it, or run ./bootstrap check'
	cached "vendor-$(digest "$LAB_DIR/build/vendor" "$LAB_DIR"/virtual-metis/vendor/* "$compiler")" \
		"$LAB_LIMIT_BUILD" "$LAB_DIR/build/vendor" || die "the vendor's driver does not compile"
}
