/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "unit.h"

#include "core/platform.h"
#include "sysroot.h"

#define SECURE_BOOT                                                                      \
	"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static void versions_compare_by_number(void **state G_GNUC_UNUSED)
{
	assert_true(mp_version_compare("9.0.21", "9.0.5") > 0);
	assert_true(mp_version_compare("9.0.5", "9.0.21") < 0);
	assert_int_equal(mp_version_compare("8.4.1", "8.4.1"), 0);
	assert_true(mp_version_compare("6.8", "6.8.12-4-pve") < 0);
	assert_true(mp_version_compare("6.14.0", "6.8.0") > 0);
	assert_true(mp_version_compare("9.0~rc1", "9.0") < 0);
	assert_true(mp_version_compare("99999999999999999999999", "2") > 0);
	assert_int_equal(mp_version_compare("", ""), 0);
	assert_int_equal(mp_version_compare("1.05", "1.5"), 0);
}

static void packages_are_found_in_the_status_file(void **state G_GNUC_UNUSED)
{
	static const char status[] =
		"Package: adduser\nStatus: install ok installed\nVersion: 3.1\n\n"
		"Package: pve-manager\nStatus: install ok installed\nArchitecture: all\n"
		"Version: 9.1.9\nDescription: x\n Version: 1\n\n"
		"Package: qemu-server\nStatus: deinstall ok config-files\nVersion: "
		"8.0\n\n"
		"Package: pve-manager-extra\nStatus: install ok installed\nVersion: 7\n\n"
		"Package: pve-qemu-kvm\nStatus: install ok installed\nVersion: 10.1.2-1";
	g_autofree char *list = mp_packages_from_status(status, sizeof(status) - 1);
	g_autofree char *none = mp_packages_from_status("", 0);

	assert_string_equal(list, "pve-manager 9.1.9\npve-qemu-kvm 10.1.2-1\n");
	assert_string_equal(none, "");
}

static void a_server(struct sysroot *s)
{
	static const char secure[] = { 6, 0, 0, 0, 1 };

	sysroot_text(s, "proc/cpuinfo",
		"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon of a "
		"test\n"
		"flags\t\t: fpu lm cx16 vmx x2apic\nvmx flags\t: posted_intr\n"
		"address sizes\t: 46 bits physical, 48 bits virtual\n\n"
		"processor\t: 1\nflags\t\t: fpu hypervisor\n\n");
	sysroot_text(s, "proc/sys/kernel/osrelease", "6.17.2-1-pve\n");
	sysroot_text(s, "proc/sys/kernel/hostname", "node\n");
	sysroot_text(
		s, "etc/os-release", "ID=debian\nPRETTY_NAME=\"A \\\"test\\\" 13\"\n");
	sysroot_text(
		s, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	sysroot_text(s, "sys/module/kvm_intel/parameters/enable_apicv", "Y\n");
	sysroot_write(s, SECURE_BOOT, secure, sizeof(secure));
	sysroot_text(s, "var/lib/dpkg/status",
		"Package: pve-manager\nStatus: install ok installed\nVersion: 9.1.9\n");
}

static void a_server_is_read(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	a_server(&s);
	g_autoptr(mp_host) host = sysroot_probe(&s, mp_probe_platform);
	const struct mp_platform *t = host->platform;

	assert_int_equal(t->cpu_vendor, MP_CPU_INTEL);
	assert_true(mp_fact_is(&t->cpu_model, "Xeon of a test"));
	assert_true(mp_fact_is(&t->cpu_virt, "vmx"));
	assert_true(mp_fact_is(&t->cpu_x2apic, "yes"));
	/* The second processor's flags are not the first's. */
	assert_int_equal(t->hypervisor.know, MP_ABSENT);
	assert_true(mp_fact_is(&t->phys_bits, "46"));
	assert_true(mp_fact_is(&t->virt_bits, "48"));
	assert_true(mp_fact_is(&t->architecture, "x86_64"));
	assert_true(mp_fact_is(&t->kernel_release, "6.17.2-1-pve"));
	assert_true(mp_fact_is(&t->hostname, "node"));
	assert_true(mp_fact_is(&t->os_name, "A \"test\" 13"));
	assert_true(mp_fact_is(&t->lockdown, "integrity"));
	assert_true(mp_fact_is(&t->secure_boot, "enabled"));
	assert_true(mp_fact_is(&t->kvm_module, "kvm_intel"));
	assert_true(mp_fact_is(&t->apicv, "Y"));
	assert_true(mp_fact_is(&t->pve_manager, "9.1.9"));
	assert_int_equal(t->qemu_server.know, MP_ABSENT);
	sysroot_clear(&s);
}

static void nothing_is_guessed(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	sysroot_mkdir(&s, "sys/firmware/efi");
	sysroot_text(&s, "sys/kernel/security/lockdown", "none integrity\n");
	g_autoptr(mp_host) host = sysroot_probe(&s, mp_probe_platform);
	const struct mp_platform *t = host->platform;

	assert_int_equal(t->cpu_vendor, MP_CPU_OTHER);
	assert_int_equal(t->cpu_virt.know, MP_UNKNOWN);
	assert_int_equal(t->hypervisor.know, MP_UNKNOWN);
	assert_int_equal(t->phys_bits.know, MP_UNKNOWN);
	assert_int_equal(t->secure_boot.know, MP_UNKNOWN);
	assert_int_equal(t->lockdown.know, MP_UNKNOWN);
	assert_int_equal(t->kvm_module.know, MP_ABSENT);
	assert_int_equal(t->pve_manager.know, MP_ABSENT);
	sysroot_clear(&s);
}

static void odd_files_are_unknown(void **state G_GNUC_UNUSED)
{
	static const char secure[] = { 6, 0, 0, 0, 7 };
	struct sysroot s;

	sysroot_init(&s);
	sysroot_write(&s, SECURE_BOOT, secure, sizeof(secure));
	sysroot_text(&s, "proc/cpuinfo",
		"vendor_id : GenuineIntel\naddress sizes : bits physical, 999 bits "
		"virtual");
	g_autoptr(mp_host) host = sysroot_probe(&s, mp_probe_platform);

	assert_int_equal(host->platform->secure_boot.know, MP_UNKNOWN);
	assert_int_equal(host->platform->phys_bits.know, MP_UNKNOWN);
	assert_int_equal(host->platform->virt_bits.know, MP_UNKNOWN);
	assert_int_equal(host->platform->cpu_virt.know, MP_UNKNOWN);
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_compare_by_number),
		cmocka_unit_test(packages_are_found_in_the_status_file),
		cmocka_unit_test(a_server_is_read),
		cmocka_unit_test(nothing_is_guessed),
		cmocka_unit_test(odd_files_are_unknown),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
