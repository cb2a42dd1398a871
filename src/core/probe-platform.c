/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/platform.h"
#include "core/probe-platform-live.h"

#define CPUINFO     "/proc/cpuinfo"
#define PACKAGES    "/var/lib/dpkg/status"
#define EFI_VARS    "sys/firmware/efi/efivars"
/* EFI_GLOBAL_VARIABLE of the UEFI specification. */
#define SECURE_BOOT EFI_VARS "/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* The value of "KEY\t: VALUE" in a paragraph of /proc/cpuinfo; caller frees. */
static char *cpuinfo_value(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0)
			continue;
		p = line + length;
		p += strspn(p, " \t");
		if (*p++ != ':')
			continue;
		p += strspn(p, " \t");
		return mp_clean_text(p, strcspn(p, "\n"));
	}
	return NULL;
}

static bool has_word(const char *words, const char *word)
{
	g_auto(GStrv) list = g_strsplit(words ? words : "", " ", -1);

	return g_strv_contains((const char *const *)list, word);
}

static struct mp_fact flag_fact(struct mp_host *host, const char *flags, const char *flag)
{
	const char *source = mp_host_strf(host, CPUINFO " flag %s", flag);

	if (!flags)
		return mp_fact_unknown(host, source, "no line of flags");
	if (!has_word(flags, flag))
		return mp_fact_absent(host, source);
	return mp_fact_known(host, source, "yes");
}

/* "46 bits physical, 48 bits virtual": the number before " bits WHAT". */
static struct mp_fact address_bits(
	struct mp_host *host, const char *sizes, const char *what)
{
	static const char source[] = CPUINFO " address sizes";
	g_autofree char *suffix = g_strdup_printf(" bits %s", what);
	const char *at = sizes ? strstr(sizes, suffix) : NULL, *start = at;
	uint64_t bits;

	while (start && start > sizes && g_ascii_isdigit(start[-1]))
		start--;
	g_autofree char *digits = at ? g_strndup(start, (gsize)(at - start)) : NULL;
	if (!mp_parse_uint(digits, 10, &bits) || !bits || bits > 64)
		return mp_fact_unknown(host, source, "no line of address sizes");
	return mp_fact_known(host, source, digits);
}

static struct mp_fact virt_fact(struct mp_host *host, const char *flags)
{
	static const char source[] = CPUINFO " flags vmx, svm";

	if (!flags)
		return mp_fact_unknown(host, source, "no line of flags");
	if (has_word(flags, "vmx"))
		return mp_fact_known(host, source, "vmx");
	if (has_word(flags, "svm"))
		return mp_fact_known(host, source, "svm");
	return mp_fact_absent(host, source);
}

static void probe_cpu(struct mp_host *host, struct mp_root *root, struct mp_platform *t)
{
	g_autofree char *text = NULL, *vendor = NULL, *model = NULL, *flags = NULL,
			*sizes = NULL;
	size_t size = 0;
	int err = mp_platform_read_cpuinfo(root, &text, &size);

	if (err < 0) {
		struct mp_fact fact = mp_fact_errno(host, CPUINFO, err);

		if (fact.know ==
			MP_ABSENT) /* no flag can be absent where nobody lists any */
			fact = mp_fact_unknown(host, CPUINFO, "no such file");
		t->cpu_model = t->cpu_virt = t->hypervisor = fact;
		t->cpu_x2apic = t->cpu_cx16 = t->phys_bits = t->virt_bits = fact;
		return;
	}
	vendor = cpuinfo_value(text, "vendor_id");
	model = cpuinfo_value(text, "model name");
	flags = cpuinfo_value(text, "flags");
	sizes = cpuinfo_value(text, "address sizes");
	if (!g_strcmp0(vendor, "GenuineIntel"))
		t->cpu_vendor = MP_CPU_INTEL;
	if (!g_strcmp0(vendor, "AuthenticAMD") || !g_strcmp0(vendor, "HygonGenuine"))
		t->cpu_vendor = MP_CPU_AMD;
	t->cpu_model = model ? mp_fact_known(host, CPUINFO, model)
			     : mp_fact_unknown(host, CPUINFO, "no model name");
	t->cpu_virt = virt_fact(host, flags);
	t->cpu_x2apic = flag_fact(host, flags, "x2apic");
	t->cpu_cx16 = flag_fact(host, flags, "cx16");
	t->hypervisor = flag_fact(host, flags, "hypervisor");
	t->phys_bits = address_bits(host, sizes, "physical");
	t->virt_bits = address_bits(host, sizes, "virtual");
	if (vendor && t->architecture.know != MP_KNOWN) /* a line of x86 only */
		t->architecture = mp_fact_known(
			host, CPUINFO, has_word(flags, "lm") ? "x86_64" : "i386");
}

static struct mp_fact os_name(struct mp_host *host, struct mp_root *root)
{
	struct mp_fact file = mp_fact_read(host, root, "etc/os-release");
	g_auto(GStrv) lines = NULL;

	if (file.know == MP_ABSENT)
		file = mp_fact_read(host, root, "usr/lib/os-release");
	if (file.know != MP_KNOWN)
		return file;
	lines = g_strsplit(file.text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autofree char *value = NULL;

		if (!g_str_has_prefix(*line, "PRETTY_NAME="))
			continue;
		/* os-release(5): shell quoting. */
		value = g_shell_unquote(*line + strlen("PRETTY_NAME="), NULL);
		if (value)
			return mp_fact_known(host, file.source, value);
	}
	return mp_fact_unknown(host, file.source, "no PRETTY_NAME");
}

/* UEFI specification: the variable is one byte, which efivarfs puts after four of flags.
 */
static struct mp_fact secure_boot(struct mp_host *host, struct mp_root *root)
{
	g_autofree char *data = NULL;
	g_auto(GStrv) names = NULL;
	struct mp_stat st;
	size_t size = 0;
	int err = mp_root_stat(root, "sys/firmware/efi", &st);

	if (err < 0)
		return mp_fact_errno(host, "/sys/firmware/efi", err);
	err = mp_root_read(root, SECURE_BOOT, 64, &data, &size);
	if (err == -ENOENT) {
		/* Not mounted looks the same as a firmware without Secure Boot. */
		err = mp_root_list(root, EFI_VARS, &names);
		if (err < 0 || !names[0])
			return mp_fact_unknown(
				host, "/" EFI_VARS, "efivarfs is not mounted");
		return mp_fact_known(host, "/" EFI_VARS, "disabled");
	}
	if (err < 0)
		return mp_fact_errno(host, "/" SECURE_BOOT, err);
	if (size != 5 || (data[4] != 0 && data[4] != 1))
		return mp_fact_unknown(
			host, "/" SECURE_BOOT, "not the five bytes of a flag");
	return mp_fact_known(host, "/" SECURE_BOOT, data[4] ? "enabled" : "disabled");
}

/* "[none] integrity confidentiality": the word in brackets is in force. */
static struct mp_fact lockdown(struct mp_host *host, struct mp_root *root)
{
	static const char *const levels[] = { "none", "integrity", "confidentiality" };
	struct mp_fact file = mp_fact_read(host, root, "sys/kernel/security/lockdown");
	g_auto(GStrv) words = NULL;
	struct mp_stat st;

	/* A kernel without lockdown lacks this file, one whose securityfs is not mounted
	 * lacks all of them; `lsm` is always there. */
	if (file.know == MP_ABSENT &&
		mp_root_stat(root, "sys/kernel/security/lsm", &st) == -ENOENT)
		return mp_fact_unknown(host, file.source, "securityfs is not mounted");
	if (file.know != MP_KNOWN)
		return file;
	words = g_strsplit(file.text, " ", -1);
	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
		g_autofree char *word = g_strdup_printf("[%s]", levels[i]);

		if (g_strv_contains((const char *const *)words, word))
			return mp_fact_known(host, file.source, levels[i]);
	}
	return mp_fact_unknown(host, file.source, "no level is marked");
}

static void probe_kvm(struct mp_host *host, struct mp_root *root, struct mp_platform *t)
{
	struct mp_stat st;
	int intel = mp_root_stat(root, "sys/module/kvm_intel", &st);
	int amd = intel < 0 ? mp_root_stat(root, "sys/module/kvm_amd", &st) : -ENOENT;

	if (intel == 0) {
		t->kvm_module = mp_fact_known(host, "/sys/module/kvm_intel", "kvm_intel");
		t->apicv = mp_fact_read(
			host, root, "sys/module/kvm_intel/parameters/enable_apicv");
		return;
	}
	if (amd == 0) {
		t->kvm_module = mp_fact_known(host, "/sys/module/kvm_amd", "kvm_amd");
		t->apicv = mp_fact_read(host, root, "sys/module/kvm_amd/parameters/avic");
		return;
	}
	t->kvm_module = mp_fact_errno(host, "/sys/module/kvm_intel, /sys/module/kvm_amd",
		intel == -ENOENT ? amd : intel);
	t->apicv = t->kvm_module;
}

static struct mp_fact package_fact(
	struct mp_host *host, const char *list, int err, const char *name)
{
	g_auto(GStrv) lines = NULL;
	size_t length = strlen(name);

	if (err < 0)
		return mp_fact_errno(host, PACKAGES, err);
	lines = g_strsplit(list, "\n", -1);
	for (char **line = lines; *line; line++)
		if (!strncmp(*line, name, length) && (*line)[length] == ' ') {
			const char *version = *line + length + 1;
			g_autofree char *clean = mp_clean_text(version, strlen(version));

			return mp_fact_known(host, PACKAGES, clean);
		}
	return mp_fact_absent(host, PACKAGES);
}

static void probe_packages(
	struct mp_host *host, struct mp_root *root, struct mp_platform *t)
{
	g_autofree char *list = NULL;
	size_t size = 0;
	int err = mp_platform_read_packages(root, &list, &size);

	t->pve_manager = package_fact(host, list, err, "pve-manager");
	t->qemu_server = package_fact(host, list, err, "qemu-server");
	t->pve_qemu = package_fact(host, list, err, "pve-qemu-kvm");
}

static void probe_dmi(struct mp_host *host, struct mp_root *root, struct mp_platform *t)
{
	t->bios_vendor = mp_fact_read(host, root, "sys/class/dmi/id/bios_vendor");
	t->bios_version = mp_fact_read(host, root, "sys/class/dmi/id/bios_version");
	t->bios_date = mp_fact_read(host, root, "sys/class/dmi/id/bios_date");
	t->board = mp_fact_read(host, root, "sys/class/dmi/id/board_name");
	t->product = mp_fact_read(host, root, "sys/class/dmi/id/product_name");
}

void mp_probe_platform(struct mp_host *host, struct mp_root *root)
{
	struct mp_platform *t = mp_host_alloc(host, sizeof(*t));

	host->platform = t;
	t->hostname = mp_fact_read(host, root, "proc/sys/kernel/hostname");
	if (t->hostname.know != MP_KNOWN)
		t->hostname = mp_fact_read(host, root, "etc/hostname");
	t->kernel_release = mp_fact_read(host, root, "proc/sys/kernel/osrelease");
	t->kernel_version = mp_fact_read(host, root, "proc/sys/kernel/version");
	t->architecture =
		mp_fact_read(host, root, "proc/sys/kernel/arch"); /* since 6.1 */
	t->os_name = os_name(host, root);
	t->secure_boot = secure_boot(host, root);
	t->lockdown = lockdown(host, root);
	probe_cpu(host, root, t);
	probe_kvm(host, root, t);
	probe_packages(host, root, t);
	probe_dmi(host, root, t);
}
