/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which loader starts this host. What lies on the disk says what could start it; what the
 * running kernel was given says what did: GRUB leaves BOOT_IMAGE= in the command line,
 * systemd-boot an EFI path in initrd= and the EFI variable LoaderInfo (the Boot Loader
 * Interface). Both must fit, else the loader is unknown.
 */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/grub-default.h"

#define LOADER_GUID "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" /* systemd's vendor GUID */
#define EFIVARS     "sys/firmware/efi/efivars/"

static struct mp_fact known_if_there(
	struct mp_host *host, struct mp_root *root, const char *path, const char *text)
{
	struct mp_stat st;
	const char *source = mp_host_strf(host, "/%s", path);
	int err = mp_root_stat(root, path, &st);

	return err < 0 ? mp_fact_errno(host, source, err)
		       : mp_fact_known(host, source, text);
}

/* efivarfs: four bytes of attributes, then the value, here UTF-16LE. */
static struct mp_fact read_efi_text(
	struct mp_host *host, struct mp_root *root, const char *path)
{
	const char *source = mp_host_strf(host, "/%s", path);
	g_autofree char *data = NULL;
	g_autofree char *text = NULL;
	g_autofree char *clean = NULL;
	g_autofree gunichar2 *units = NULL;
	size_t size = 0, length;
	int err = mp_root_read(root, path, MP_READ_ATTR, &data, &size);

	if (err < 0)
		return mp_fact_errno(host, source, err);
	if (size < 4)
		return mp_fact_unknown(host, source, "shorter than its attributes");
	length = (size - 4) / 2;
	units = g_new0(gunichar2, length + 1);
	for (size_t i = 0; i < length; i++)
		units[i] = (gunichar2)((unsigned char)data[4 + 2 * i] |
				       (unsigned char)data[5 + 2 * i] << 8);
	text = g_utf16_to_utf8(units, -1, NULL, NULL, NULL);
	if (!text)
		return mp_fact_unknown(host, source, "not UTF-16");
	clean = mp_clean_text(text, strlen(text));
	return mp_fact_known(host, source, g_strstrip(clean));
}

/* The arguments of the first `linux` command of GRUB's menu: the default entry's. */
static struct mp_fact read_grub_cfg(
	struct mp_host *host, struct mp_root *root, const char *path)
{
	const char *source = mp_host_strf(host, "/%s", path);
	g_autofree char *data = NULL;
	size_t size = 0;
	int err = mp_root_read(root, path, MP_READ_FILE, &data, &size);

	if (err < 0)
		return mp_fact_errno(host, source, err);
	for (char *line = data, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		g_auto(GStrv) words = g_strsplit_set(g_strstrip(line), " \t", 2);

		if (!words[0] || !words[1] ||
			(strcmp(words[0], "linux") != 0 &&
				strcmp(words[0], "linuxefi") != 0 &&
				strcmp(words[0], "linux16") != 0))
			continue;
		char *arguments = g_strchug(words[1]);
		arguments += strcspn(arguments, " \t"); /* the kernel's path */
		if (strlen(arguments) > MP_READ_ATTR)   /* Linux takes 2 KiB on x86 */
			return mp_fact_unknown(
				host, source, "its linux line is too long");
		g_autofree char *clean = mp_clean_text(arguments, strlen(arguments));

		return mp_fact_known(host, source, g_strstrip(clean));
	}
	return mp_fact_unknown(host, source, "holds no linux line");
}

static void read_grub_file(struct mp_root *root, struct mp_grub_default *grub,
	const char *path, int *problem)
{
	g_autofree char *data = NULL;
	g_autofree char *name = g_strdup_printf("/%s", path);
	int err = mp_root_read(root, path, MP_READ_ATTR, &data, NULL);

	if (err == 0)
		mp_grub_default_source(grub, name, data);
	else if (!*problem)
		*problem = err;
}

static struct mp_fact grub_variable(
	struct mp_host *host, struct mp_grub_default *grub, const char *name)
{
	const char *why = NULL;
	const char *value = mp_grub_default_get(grub, name, &why);
	const char *source = mp_host_strf(host, "/etc/default/grub: %s", name);
	g_autofree char *clean = NULL;

	if (!value)
		return mp_fact_unknown(host, source, why);
	clean = mp_clean_text(value, strlen(value));
	return mp_fact_known(host, source, g_strstrip(clean));
}

/* /etc/default/grub, then its drop-ins in name order, as grub-mkconfig sources them. */
static void read_grub_defaults(
	struct mp_host *host, struct mp_root *root, struct mp_boot *boot)
{
	g_autoptr(mp_grub_default) grub = mp_grub_default_new();
	g_auto(GStrv) names = NULL;
	int problem = 0, err;

	read_grub_file(root, grub, "etc/default/grub", &problem);
	err = mp_root_list(root, "etc/default/grub.d", &names);
	if (err < 0 && mp_fact_errno(host, NULL, err).know == MP_UNKNOWN && !problem)
		problem = err;
	for (char **name = names; name && *name; name++) {
		g_autofree char *path = g_strdup_printf("etc/default/grub.d/%s", *name);

		if (g_str_has_suffix(*name, ".cfg") && **name != '.')
			read_grub_file(root, grub, path, &problem);
	}
	if (problem) {
		boot->grub_default = mp_fact_errno(
			host, "/etc/default/grub: GRUB_CMDLINE_LINUX_DEFAULT", problem);
		boot->grub_linux = mp_fact_errno(
			host, "/etc/default/grub: GRUB_CMDLINE_LINUX", problem);
		boot->grub_entry =
			mp_fact_errno(host, "/etc/default/grub: GRUB_DEFAULT", problem);
		return;
	}
	boot->grub_default = grub_variable(host, grub, "GRUB_CMDLINE_LINUX_DEFAULT");
	boot->grub_linux = grub_variable(host, grub, "GRUB_CMDLINE_LINUX");
	boot->grub_entry = grub_variable(host, grub, "GRUB_DEFAULT");
}

/* Only the first line counts for the boot tool. */
static struct mp_fact first_line(struct mp_host *host, struct mp_fact fact)
{
	if (fact.know != MP_KNOWN || !strchr(fact.text, '\n'))
		return fact;
	g_autofree char *line = g_strndup(fact.text, strcspn(fact.text, "\n"));

	fact.text = mp_host_str(host, g_strstrip(line));
	return fact;
}

/* --- the verdict --- */

static bool says(const struct mp_fact *fact, const char *prefix)
{
	return fact->know == MP_KNOWN && g_str_has_prefix(fact->text, prefix);
}

struct marks {
	bool grub, systemd_boot; /* which of them left its mark on the running kernel */
	bool image_in_boot; /* GRUB read the kernel from the root file system's /boot */
};

static struct marks find_marks(const struct mp_boot *boot)
{
	struct marks marks = { false, false, false };

	if (boot->cmdline.know == MP_KNOWN) {
		g_autofree char *image = mp_cmdline_get(boot->cmdline.text, "BOOT_IMAGE");
		g_autofree char *initrd = mp_cmdline_get(boot->cmdline.text, "initrd");

		marks.grub = image != NULL;
		marks.image_in_boot = image && strstr(image, "/boot/");
		marks.systemd_boot = initrd && strchr(initrd, '\\');
	}
	marks.grub = marks.grub || says(&boot->loader_info, "GRUB");
	marks.systemd_boot =
		marks.systemd_boot || says(&boot->loader_info, "systemd-boot");
	return marks;
}

static enum mp_loader say(struct mp_boot *boot, enum mp_loader loader, const char *why)
{
	boot->loader_why = why;
	return loader;
}

static enum mp_loader judge_boot_tool(
	struct mp_boot *boot, const struct marks *marks, const struct mp_fact *esp_grub)
{
	if (marks->grub && marks->image_in_boot)
		return say(boot, MP_LOADER_UNKNOWN,
			"proxmox-boot-tool manages this host's ESPs, but GRUB loaded the running "
			"kernel from /boot of the root file system and not from an ESP");
	if (marks->grub)
		return say(boot, MP_LOADER_PBT_GRUB,
			"proxmox-boot-tool manages the ESPs, and GRUB started the running kernel");
	if (marks->systemd_boot)
		return say(boot, MP_LOADER_PBT_SYSTEMD_BOOT,
			"proxmox-boot-tool manages the ESPs, and systemd-boot started the running "
			"kernel");
	if (boot->efi.know == MP_ABSENT)
		return say(boot, MP_LOADER_PBT_GRUB,
			"proxmox-boot-tool manages the ESPs and this host did not boot by UEFI, so "
			"its GRUB does it");
	if (esp_grub->know == MP_KNOWN)
		return say(boot, MP_LOADER_PBT_GRUB,
			"proxmox-boot-tool manages the ESPs, and the mounted one holds its GRUB");
	return say(boot, MP_LOADER_PBT_BOTH,
		"proxmox-boot-tool manages the ESPs, but nothing tells whether GRUB or "
		"systemd-boot started the running kernel");
}

static enum mp_loader judge(struct mp_boot *boot, const struct mp_fact *esp_grub,
	const struct mp_fact *entries)
{
	struct marks marks = find_marks(boot);

	if (boot->cmdline.know != MP_KNOWN)
		return say(boot, MP_LOADER_UNKNOWN,
			"the running kernel's command line could not be read");
	if (marks.grub && marks.systemd_boot)
		return say(boot, MP_LOADER_UNKNOWN,
			"both GRUB and systemd-boot left their mark on the running kernel, as when "
			"one starts the other");
	if (boot->stub_info.know == MP_KNOWN)
		return say(boot, MP_LOADER_OTHER,
			"a unified kernel image runs, whose command line is part of the image");
	if (boot->boot_uuids.know == MP_UNKNOWN)
		return say(boot, MP_LOADER_UNKNOWN,
			"whether proxmox-boot-tool manages this host could not be read");
	if (boot->boot_uuids.know == MP_KNOWN && *boot->boot_uuids.text)
		return judge_boot_tool(boot, &marks, esp_grub);
	if (marks.grub && boot->grub_cfg_line.know != MP_ABSENT)
		return say(boot, MP_LOADER_GRUB,
			"GRUB started the running kernel, and its menu is in /boot/grub");
	if (marks.grub)
		return say(boot, MP_LOADER_UNKNOWN,
			"a loader like GRUB started the running kernel, but there is no "
			"/boot/grub/grub.cfg");
	if (marks.systemd_boot)
		return say(boot, MP_LOADER_SYSTEMD_BOOT,
			"systemd-boot started the running kernel, without proxmox-boot-tool");
	if (boot->grub_cfg_line.know != MP_ABSENT || entries->know != MP_ABSENT)
		return say(boot, MP_LOADER_UNKNOWN,
			"a boot loader is installed, but it left no mark on the running kernel");
	return say(boot, MP_LOADER_OTHER,
		"no known boot loader is installed or left its mark: a direct kernel start "
		"(QEMU -kernel, kexec, network) is likely");
}

/* --- the next boot's command line --- */

/* TEXT without its parameters NAME. */
static char *without(const char *text, const char *name)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);
	g_autofree char *prefix = g_strconcat(name, "=", NULL);
	GString *left = g_string_new(NULL);

	for (char **word = words; *word; word++)
		if (**word && !g_str_has_prefix(*word, prefix))
			g_string_append_printf(left, "%s%s", left->len ? " " : "", *word);
	return g_string_free(left, FALSE);
}

static struct mp_fact staged_kernel_cmdline(
	struct mp_host *host, const struct mp_boot *boot)
{
	struct mp_fact file = boot->kernel_cmdline_file;

	if (file.know == MP_ABSENT && boot->cmdline.know == MP_KNOWN) {
		g_autofree char *same = without(boot->cmdline.text, "initrd");

		return mp_fact_known(host,
			"/proc/cmdline (no /etc/kernel/cmdline: proxmox-boot-tool keeps it)",
			same);
	}
	if (file.know != MP_KNOWN)
		return file;
	g_autofree char *root = mp_cmdline_get(file.text, "root");

	if (!root)
		return mp_fact_unknown(host, file.source,
			"its first line has no root=, so proxmox-boot-tool refresh fails");
	return file;
}

/* What update-grub or the boot tool would put behind the kernel's path and root=. */
static struct mp_fact staged_grub_defaults(
	struct mp_host *host, const struct mp_boot *boot)
{
	const char *source = "/etc/default/grub";
	g_autofree char *root = NULL;

	if (boot->grub_linux.know != MP_KNOWN)
		return boot->grub_linux;
	if (boot->grub_default.know != MP_KNOWN)
		return boot->grub_default;
	if (boot->cmdline.know == MP_KNOWN)
		root = mp_cmdline_get(boot->cmdline.text, "root");
	g_autofree char *text = g_strdup_printf("%s%s ro %s %s", root ? "root=" : "",
		root ? root : "", boot->grub_linux.text, boot->grub_default.text);

	return mp_fact_known(host, source, g_strstrip(text));
}

/* The `options` of hand-made entries, if they agree. */
static struct mp_fact staged_entries(
	struct mp_host *host, struct mp_root *root, const char *directory)
{
	g_autofree char *common = NULL;
	g_auto(GStrv) names = NULL;
	const char *source = mp_host_strf(host, "/%s", directory);
	int err = mp_root_list(root, directory, &names);

	if (err < 0)
		return mp_fact_unknown(
			host, source, "the ESP is not mounted or not readable");
	for (char **name = names; *name; name++) {
		g_autofree char *path = g_strdup_printf("%s/%s", directory, *name);
		g_autofree char *data = NULL;
		g_autoptr(GString) options = g_string_new(NULL);

		if (!g_str_has_suffix(*name, ".conf"))
			continue;
		err = mp_root_read(root, path, MP_READ_ATTR, &data, NULL);
		if (err < 0)
			return mp_fact_errno(host, mp_host_strf(host, "/%s", path), err);
		g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
		for (char **line = lines; *line; line++) {
			if (!g_str_has_prefix(*line, "options") ||
				!g_ascii_isspace((*line)[strlen("options")]))
				continue;
			g_string_append_printf(options, "%s%s", options->len ? " " : "",
				g_strstrip(*line + strlen("options")));
		}
		if (common && strcmp(common, options->str) != 0)
			return mp_fact_unknown(host, source,
				"its entries differ, and which one is next is not known");
		if (!common)
			common = g_strdup(options->str);
	}
	if (!common)
		return mp_fact_unknown(host, source, "holds no entry");
	g_autofree char *clean = mp_clean_text(common, strlen(common));

	return mp_fact_known(host, source, clean);
}

static struct mp_fact find_staged(struct mp_host *host, struct mp_root *root,
	const struct mp_boot *boot, const char *entries_dir)
{
	switch (boot->loader) {
	case MP_LOADER_GRUB:
		return boot->grub_cfg_line;
	case MP_LOADER_PBT_GRUB:
		return staged_grub_defaults(host, boot);
	case MP_LOADER_PBT_SYSTEMD_BOOT:
		return staged_kernel_cmdline(host, boot);
	case MP_LOADER_PBT_BOTH:
		return mp_fact_unknown(host, "/etc/kernel/cmdline, /etc/default/grub",
			"which of the two the next boot uses could not be told");
	case MP_LOADER_SYSTEMD_BOOT:
		return staged_entries(
			host, root, entries_dir ? entries_dir : "efi/loader/entries");
	case MP_LOADER_OTHER:
	case MP_LOADER_UNKNOWN:
		break;
	}
	return mp_fact_unknown(host, "boot loader", boot->loader_why);
}

static void add_evidence(
	struct mp_host *host, struct mp_boot *boot, const struct mp_fact *fact)
{
	struct mp_fact *copy = mp_host_alloc(host, sizeof(*copy));

	*copy = *fact;
	g_ptr_array_add(boot->loader_evidence, copy);
}

void mp_probe_boot(struct mp_host *host, struct mp_root *root)
{
	static const char *const entry_dirs[] = { "efi/loader/entries",
		"boot/efi/loader/entries", "boot/loader/entries" };
	struct mp_boot *boot = mp_host_alloc(host, sizeof(*boot));
	struct mp_fact esp_grub, entries = { 0 };
	const char *entries_dir = NULL;

	host->boot = boot;
	boot->loader_evidence = mp_host_array(host);
	boot->efi = known_if_there(host, root, "sys/firmware/efi", "booted by UEFI");
	boot->cmdline = mp_fact_read(host, root, "proc/cmdline");
	boot->boot_uuids = mp_fact_read(host, root, "etc/kernel/proxmox-boot-uuids");
	boot->kernel_cmdline_file =
		first_line(host, mp_fact_read(host, root, "etc/kernel/cmdline"));
	boot->kernel_pin =
		first_line(host, mp_fact_read(host, root, "etc/kernel/proxmox-boot-pin"));
	boot->next_boot_pin =
		first_line(host, mp_fact_read(host, root, "etc/kernel/next-boot-pin"));
	boot->loader_info = read_efi_text(host, root, EFIVARS "LoaderInfo-" LOADER_GUID);
	boot->stub_info = read_efi_text(host, root, EFIVARS "StubInfo-" LOADER_GUID);
	boot->grub_cfg_line = read_grub_cfg(host, root, "boot/grub/grub.cfg");
	read_grub_defaults(host, root, boot);
	esp_grub = known_if_there(host, root, "boot/efi/EFI/proxmox/grubx64.efi",
		"GRUB of proxmox-boot-tool");
	for (size_t i = 0; i < G_N_ELEMENTS(entry_dirs) && !entries_dir; i++) {
		entries = known_if_there(host, root, entry_dirs[i], "boot entries");
		if (entries.know == MP_KNOWN)
			entries_dir = entry_dirs[i];
	}

	boot->loader = judge(boot, &esp_grub, &entries);
	boot->staged = find_staged(host, root, boot, entries_dir);
	add_evidence(host, boot, &boot->cmdline);
	add_evidence(host, boot, &boot->efi);
	add_evidence(host, boot, &boot->boot_uuids);
	add_evidence(host, boot, &boot->loader_info);
	add_evidence(host, boot, &boot->stub_info);
	add_evidence(host, boot, &boot->grub_cfg_line);
	if (entries_dir)
		add_evidence(host, boot, &entries);
	if (esp_grub.know == MP_KNOWN)
		add_evidence(host, boot, &esp_grub);
}
