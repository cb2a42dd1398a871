#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vm generate --to libvirt: a new domain, and somebody's with all else kept; judged by libvirt's own schema.
load helpers

: "${LIBVIRT_SCHEMAS:=/usr/share/libvirt/schemas}"

setup() {
	DOMAIN=$BATS_TEST_TMPDIR/domain.xml
	cat >"$DOMAIN" <<-'END'
		<!--
		WARNING: THIS IS AN AUTO-GENERATED FILE.
		-->

		<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>a&amp;b ü</name>
		  <uuid>2f8a5c3e-1111-4222-8333-444455556666</uuid>
		  <memory unit='KiB'>8388608</memory>
		  <memtune>
		    <hard_limit unit='GiB'>8</hard_limit>
		  </memtune>
		  <vcpu placement='static'>4</vcpu>
		  <os>
		    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
		  </os>
		  <features>
		    <acpi/>
		  </features>
		  <cpu mode='host-passthrough' check='none' migratable='on'/>
		  <!-- keep -me -->
		  <devices>
		    <emulator>/usr/bin/qemu-system-x86_64</emulator>
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='qcow2'/>
		      <source file='/var/lib/libvirt/images/a.qcow2'/>
		      <target dev='vda' bus='virtio'/>
		      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
		    </disk>
		    <controller type='pci' index='0' model='pcie-root'/>
		    <controller type='pci' index='1' model='pcie-root-port'/>
		    <memballoon model='virtio'>
		      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
		    </memballoon>
		  </devices>
		  <qemu:commandline>
		    <qemu:arg value='-no-hpet'/>
		  </qemu:commandline>
		</domain>
	END
}

# patch [EXIT] ARG...: the domain with the card of forum-node in it.
patch() {
	local code=0
	if [[ ${1-} =~ ^[0-9]$ ]]; then
		code=$1
		shift
	fi
	metis "$code" vm generate --to libvirt --patch "$DOMAIN" --sysroot "${HOST:-$(host forum-node)}" \
		--device "${CARD:-86:00.0}" "$@"
}

# with_viommu KIND: the host, with a configuration that wants a virtual IOMMU.
with_viommu() {
	local tree=$BATS_TEST_TMPDIR/$1
	mkdir "$tree"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host forum-node)" "$tree"
	mkdir -p "$tree/etc/metis-passthrough"
	printf 'viommu: %s\n' "$1" >"$tree/etc/metis-passthrough/config.yaml"
	printf '%s\n' "$tree"
}

# assert_valid: $output is a domain by libvirt's schema.
assert_valid() {
	local complaints
	complaints=$(xmllint --noout --relaxng "$LIBVIRT_SCHEMAS/domain.rng" - <<<"$output" 2>&1) ||
		fail "not a domain: $complaints"
}

need_schema() {
	command -v xmllint >/dev/null || skip "no xmllint (Debian package libxml2-utils)"
	[ -e "$LIBVIRT_SCHEMAS/domain.rng" ] || skip "no schemas of libvirt in $LIBVIRT_SCHEMAS (Debian packages libvirt0, libvirt-common)"
}

need_xmllint() {
	command -v xmllint >/dev/null || skip "no xmllint (Debian package libxml2-utils)"
}

# xpath EXPRESSION: its value in $output.
xpath() {
	xmllint --xpath "string($1)" - <<<"$output"
}

@test "what is generated is valid by libvirt's schema, and the schema can say no" {
	need_schema
	for kind in none intel virtio; do
		HOST=$(host forum-node)
		[ "$kind" = none ] || HOST=$(with_viommu "$kind")
		metis vm generate --to libvirt --sysroot "$HOST" --device 86:00.0
		assert_valid
		patch
		assert_valid
	done
	metis vm generate --to libvirt --sysroot "$(host metis-quad)" --device 88:00.0
	assert_valid
	output=${output/hostdev mode/hostdev mood}
	run assert_valid
	assert_failure
}

@test "a domain keeps all that is not the card's" {
	need_xmllint
	patch
	# Comments, names, namespaces, text outside ASCII: line by line, in one canonical spelling.
	diff <(xmllint --c14n "$DOMAIN") <(xmllint --c14n - <<<"$output") >"$BATS_TEST_TMPDIR/diff" || true
	run grep '^<' "$BATS_TEST_TMPDIR/diff"
	assert_line --index 0 --partial '<hard_limit unit="GiB">8</hard_limit>'
	assert_line --index 1 --partial '<memballoon model="virtio">'
	assert_line --index 2 --partial '<address bus="0x05"'
	assert_line --index 3 --partial '</memballoon>'
	assert_equal "${#lines[@]}" 4
	run grep -cE '^> *(<controller|<hostdev|<hard_limit|<memballoon)' "$BATS_TEST_TMPDIR/diff"
	assert_output 4
}

@test "the card comes behind a root port of its own, on a bus that nobody names" {
	need_xmllint
	patch
	assert_equal "$(xpath '//hostdev/source/address/@bus')" 0x86
	assert_equal "$(xpath '//hostdev/@managed')" yes
	assert_equal "$(xpath '//hostdev/rom/@bar')" off
	assert_equal "$(xpath '//hostdev/address/@bus')" 0x06
	assert_equal "$(xpath '//controller[@index="6"]/@model')" pcie-root-port
	assert_equal "$(xpath '//memballoon/@model')" none
	assert_equal "$(xpath '//hard_limit')" 9437184
	[[ $stderr == *"changed: hostdev for 0000:86:00.0 added, on bus 0x06"* ]] || fail "$stderr"
	[[ $stderr == *"options metis dma_poll=1"* ]] || fail "$stderr"
}

@test "a second time nothing is changed" {
	patch
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/second.xml"
	DOMAIN=$BATS_TEST_TMPDIR/second.xml patch
	assert_equal "$output" "$(cat "$BATS_TEST_TMPDIR/second.xml")"
	[[ $stderr == *"nothing had to be changed"* ]] || fail "$stderr"
	patch --format json
	assert_schema vm
	assert_json '.changes | length' 4
	DOMAIN=$BATS_TEST_TMPDIR/second.xml patch --format json
	assert_json '.changes | length' 0
}

@test "a virtual IOMMU of Intel gets what VFIO and interrupts need of it" {
	need_xmllint
	sed -i "s|  </devices>|  <iommu model='intel'/>\n&|" "$DOMAIN"
	patch
	assert_equal "$(xpath '//iommu/driver/@caching_mode')" on
	assert_equal "$(xpath '//iommu/driver/@intremap')" on
	assert_equal "$(xpath '//features/ioapic/@driver')" qemu
	[[ $stderr == *"must not see one"* ]] || fail "$stderr"
}

@test "no more address bits than the IOMMU translates" {
	need_xmllint
	# A CPU with more bits than its IOMMU: client chips.
	mkdir "$BATS_TEST_TMPDIR/tree"
	"$TOP_SRCDIR/tests/hosts/unpack" "$(host forum-node)" "$BATS_TEST_TMPDIR/tree"
	sed -i 's/^\(address sizes[^:]*:\) [0-9]* bits physical/\1 52 bits physical/' "$BATS_TEST_TMPDIR/tree/proc/cpuinfo"
	HOST=$BATS_TEST_TMPDIR/tree patch
	assert_equal "$(xpath '//cpu/maxphysaddr/@mode')" emulate
	bits=$(xpath '//cpu/maxphysaddr/@bits')
	[ "$bits" -lt 52 ] || fail "$bits bits"
	metis vm generate --to qemu --sysroot "$BATS_TEST_TMPDIR/tree" --device 86:00.0
	assert_output --partial "-cpu host,host-phys-bits-limit=$bits"
}

@test "domains that are not changed, and why" {
	sed -i 's/pc-q35-7.2/pc-i440fx-7.2/' "$DOMAIN"
	patch 3
	[[ $stderr == *"its machine is pc-i440fx-7.2, which has no PCI Express bus"* ]] || fail "$stderr"
	printf '<network><name>x</name></network>\n' >"$DOMAIN"
	patch 3
	[[ $stderr == *"its first element is <network>"* ]] || fail "$stderr"
	printf '<domain type="kvm"><os>\n' >"$DOMAIN"
	patch 3
	[[ $stderr == *"domain.xml:"*"cannot read as XML:"* ]] || fail "$stderr"
	printf '<!DOCTYPE d [<!ENTITY a SYSTEM "/etc/passwd">]>\n<domain type="kvm"><name>&a;</name></domain>\n' >"$DOMAIN"
	patch 3
	[[ $stderr == *"document type"* ]] || fail "$stderr"
	: >"$DOMAIN"
	patch 3
	DOMAIN=/nonexistent/x.xml patch 3
	head -c 2M /dev/zero >"$DOMAIN"
	patch 3
	[[ $stderr == *"larger than this program is willing to read"* ]] || fail "$stderr"
}
