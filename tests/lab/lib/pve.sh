# shellcheck shell=bash
# Stand-ins for the programs of Proxmox VE, in a node. Wants lab.sh and cache.sh.

# put_pve ROOT: qm, vzdump, pvesh, pvesm, qmeventd and pve-node below ROOT, for a node that has a QEMU in /opt/qemu.
# pve/README.md says how they are used.
put_pve() {
	local root=$1 programs compiler name
	compiler=$(command -v gcc) || die 'missing: gcc (package gcc); install it, or run ./bootstrap check'
	programs=$(cached "pve-$(digest "$LAB_DIR/build/pve" "$LAB_DIR"/pve/*.[cS] "$compiler")" \
		"$LAB_LIMIT_BUILD" "$LAB_DIR/build/pve") || die 'the stand-ins for Proxmox VE do not compile'
	mkdir -p "$root"/usr/{bin,sbin,share/pve-lab}
	for name in qm pvesh; do
		install -m 755 "$LAB_DIR/../sim/$name" "$root/usr/sbin/$name"
	done
	ln -sf qm "$root/usr/sbin/vzdump"
	install -m 755 "$LAB_DIR"/pve/{pvesm,pve-node} "$programs"/{qmp,qmeventd} "$root/usr/sbin/"
	install -m 755 "$LAB_DIR/pve/kvm" "$root/usr/bin/"
	install -m 644 "$LAB_DIR"/pve/*.sh "$programs/sector" "$root/usr/share/pve-lab/"
}
