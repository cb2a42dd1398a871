/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel command line: as little as this host's kernels need, where its loader reads it.
 *
 * AMD's IOMMU is on by default, and "amd_iommu=on" is no option (parse_amd_iommu_options()
 * in drivers/iommu/amd/init.c). Intel's is on where the kernel was built with
 * CONFIG_INTEL_IOMMU_DEFAULT_ON. Where each loader takes the line from: zz-proxmox-boot and
 * proxmox-boot-tool(8); grub-mkconfig sources /etc/default/grub and then grub.d/ *.cfg.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/boot.h"
#include "core/checks/boot-params.h"
#include "core/iommu.h"
#include "core/modules.h"
#include "core/plan.h"

#define DROP_IN   "/etc/default/grub.d/metis-passthrough.cfg"
#define CMDLINE   "/etc/kernel/cmdline"
#define PARAMETER "intel_iommu=on"

/* True if the last of "on" and "off" that LINE gives intel_iommu is "on". */
static bool has_on(const char *line)
{
	static const char *const words[] = { "on", "off", NULL };

	return !g_strcmp0(mp_cmdline_last(line, "intel_iommu", words), "on");
}

static bool is_grub(enum mp_loader loader)
{
	return loader == MP_LOADER_GRUB || loader == MP_LOADER_PBT_GRUB ||
	       loader == MP_LOADER_PBT_BOTH;
}

static bool is_kernel_cmdline(enum mp_loader loader)
{
	return loader == MP_LOADER_PBT_SYSTEMD_BOOT || loader == MP_LOADER_PBT_BOTH;
}

/* Both variables, as grub-mkconfig joins them (10_linux); NULL: not known. Caller frees. */
static char *grub_line(const struct mp_boot *boot)
{
	if (boot->grub_linux.know != MP_KNOWN || boot->grub_default.know != MP_KNOWN)
		return NULL;
	return g_strdup_printf("%s %s", boot->grub_linux.text, boot->grub_default.text);
}

/* --- parameters that make passthrough impossible --- */

static void refuse_in(struct mp_plan *plan, const struct mp_wish *wish, const char *line,
	const char *source)
{
	g_autoptr(GPtrArray) notes =
		mp_param_notes(line, wish->host->platform->cpu_vendor);

	for (guint i = 0; i < notes->len; i++) {
		const struct mp_param_note *note = notes->pdata[i];
		g_autofree char *remedy = NULL;

		if (note->severity != MP_FAIL)
			continue;
		remedy = mp_loader_how_to_remove(wish->host, note->parameter);
		mp_plan_add_obstacle(plan, "host", remedy,
			"%s in %s %s; it was put there by hand and is left to its author",
			note->parameter, source, note->meaning);
	}
}

static bool has_failing(const struct mp_wish *wish, const char *line)
{
	g_autoptr(GPtrArray) notes =
		mp_param_notes(line, wish->host->platform->cpu_vendor);
	const struct mp_param_note *worst = mp_param_notes_worst(notes);

	return worst && worst->severity == MP_FAIL;
}

/* Of the next boot, where that is known, and of the files that our programs would put in
 * force on the way. */
static void refuse_switches(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_boot *boot = wish->host->boot;
	g_autofree char *grub = is_grub(boot->loader) ? grub_line(boot) : NULL;
	bool told = false;

	if (grub) {
		refuse_in(plan, wish, grub, "/etc/default/grub (and its drop-ins)");
		told = true;
	}
	if (is_kernel_cmdline(boot->loader) &&
		boot->kernel_cmdline_file.know == MP_KNOWN) {
		refuse_in(plan, wish, boot->kernel_cmdline_file.text, CMDLINE);
		told = true;
	}
	if (boot->loader == MP_LOADER_GRUB && grub &&
		boot->grub_cfg_line.know == MP_KNOWN &&
		has_failing(wish, boot->grub_cfg_line.text)) {
		if (!has_failing(wish, grub))
			mp_plan_need(plan, MP_FEEDS_LOADER,
				"GRUB's menu still has what was taken out of "
				"/etc/default/grub");
		return;
	}
	if (told)
		return;
	if (boot->staged.know == MP_KNOWN)
		refuse_in(plan, wish, boot->staged.text, boot->staged.source);
	else if (boot->cmdline.know == MP_KNOWN)
		refuse_in(plan, wish, boot->cmdline.text, boot->cmdline.source);
}

/* --- does a kernel need it? --- */

struct need {
	GString *off;     /* kernels that leave VT-d off by default */
	GString *unknown; /* that don't say */
	guint on;
};

static void append(GString *list, const char *name)
{
	g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
}

/* The running kernel shows its default, where it was told nothing. */
static bool seen_on(const struct mp_host *host, const struct mp_kernel *kernel)
{
	static const char *const words[] = { "on", "off", NULL };

	if (!kernel->running || !host->iommu || host->boot->cmdline.know != MP_KNOWN ||
		mp_cmdline_last(host->boot->cmdline.text, "intel_iommu", words))
		return false;
	for (guint i = 0; i < host->iommu->units->len; i++)
		if (((const struct mp_iommu_unit *)host->iommu->units->pdata[i])->kind ==
			MP_IOMMU_INTEL)
			return true;
	return false;
}

static void find_need(const struct mp_host *host, struct need *need)
{
	const GPtrArray *kernels = host->modules->kernels;

	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];
		bool on;

		if (!mp_kernel_vtd_default(kernel, &on))
			on = seen_on(host, kernel);
		else if (!on) {
			append(need->off, kernel->release);
			continue;
		}
		if (on)
			need->on++;
		else
			append(need->unknown, kernel->release);
	}
	if (!kernels->len)
		append(need->unknown, "(none is installed that could be read)");
}

/* --- where it goes --- */

static bool is_there(const struct mp_wish *wish, const char *path)
{
	struct mp_stat st;

	return mp_root_stat(wish->root, path, &st) == 0;
}

static void add_to_grub(struct mp_plan *plan, const struct mp_wish *wish, const char *why)
{
	static const char line[] =
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT " PARAMETER
		"\"\n";
	const struct mp_boot *boot = wish->host->boot;
	g_autofree char *now = grub_line(boot);
	g_autofree char *head = mp_plan_head("# ");
	g_autofree char *text = g_strconcat(head, line, NULL);
	bool there = now && has_on(now);

	/* Ours stays in the plan while it is there, so that it is kept as it shall be. */
	if (!there || is_there(wish, DROP_IN)) {
		mp_plan_add_file(plan, DROP_IN, text, MP_FEEDS_LOADER, "%s", why);
		mp_plan_add_note(plan, "host",
			"the recovery entries of GRUB's menu do not get " PARAMETER
			": they leave GRUB_CMDLINE_LINUX_DEFAULT out");
	}
	if (there && boot->loader == MP_LOADER_GRUB &&
		boot->grub_cfg_line.know == MP_KNOWN && !has_on(boot->grub_cfg_line.text))
		mp_plan_need(plan, MP_FEEDS_LOADER,
			PARAMETER
			" stands in /etc/default/grub or a drop-in, but not in GRUB's menu");
}

/* TEXT with PARAMETER at the end of its first line, all else byte for byte. A carriage return
 * ends a line for systemd-boot, so what follows it would be lost. */
static char *appended(const char *text)
{
	size_t length = strcspn(text, "\n");
	bool space;

	while (length && text[length - 1] == '\r')
		length--;
	space = length && !g_ascii_isspace(text[length - 1]);
	return g_strdup_printf("%.*s%s" PARAMETER "%s%s", (int)length, text,
		space ? " " : "", text[length] ? "" : "\n", text + length);
}

/* What the running kernel was given by whoever typed or wrote it, without what the loader
 * adds by itself. */
static char *of_running(const char *cmdline)
{
	g_auto(GStrv) words = g_strsplit_set(cmdline, " \t\n", -1);
	GString *line = g_string_new(NULL);

	for (char **word = words; *word; word++)
		if (**word && !g_str_has_prefix(*word, "initrd=") &&
			!g_str_has_prefix(*word, "BOOT_IMAGE="))
			g_string_append_printf(line, "%s%s", line->len ? " " : "", *word);
	g_string_append_c(line, '\n');
	return g_string_free(line, FALSE);
}

static bool first_line_has_root(const char *text)
{
	g_autofree char *line = g_strndup(text, strcspn(text, "\n"));
	g_autofree char *root = mp_cmdline_get(line, "root");

	return root && *root;
}

static void add_to_kernel_cmdline(
	struct mp_plan *plan, const struct mp_wish *wish, const char *why)
{
	const struct mp_boot *boot = wish->host->boot;
	g_autofree char *how = mp_loader_how_to_add(wish->host, PARAMETER);
	g_autofree char *now = NULL;
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;
	int err = mp_root_read(wish->root, CMDLINE, MP_READ_ATTR, &now, NULL);

	if (err == -ENOENT && boot->cmdline.know == MP_KNOWN) {
		now = of_running(boot->cmdline.text);
		mp_plan_add_note(plan, "host",
			CMDLINE
			" is not there, so proxmox-boot-tool keeps the running "
			"kernel's command line; the file is made of that. What was "
			"typed in the boot menu for this boot only stays in it: read "
			"the diff");
	} else if (err < 0) {
		mp_plan_add_obstacle(plan, "host", how, CMDLINE " could not be read: %s",
			g_strerror(-err));
		return;
	}
	if (!first_line_has_root(now)) {
		mp_plan_add_obstacle(plan, "host",
			"write the whole command line, with root=, into the first line "
			"of " CMDLINE,
			"the command line for " CMDLINE
			" has no root= in its first line, so proxmox-boot-tool refresh "
			"would fail");
		return;
	}
	line = g_strndup(now, strcspn(now, "\n"));
	if (err == 0 && has_on(line))
		return;
	text = appended(now);
	g_free(line);
	line = g_strndup(text, strcspn(text, "\n"));
	if (!has_on(line)) {
		mp_plan_add_obstacle(plan, "host", how,
			PARAMETER " at the end of " CMDLINE
				  " would not count there: a lone `--` or an open quote "
				  "comes before");
		return;
	}
	mp_plan_add_file(plan, CMDLINE, text, MP_FEEDS_LOADER, "%s", why)->keep_mode =
		true;
}

/* A loader whose files we don't write. */
static void leave_to_admin(
	struct mp_plan *plan, const struct mp_wish *wish, const char *why)
{
	const struct mp_boot *boot = wish->host->boot;
	g_autofree char *how = mp_loader_how_to_add(wish->host, PARAMETER);

	if (boot->staged.know == MP_KNOWN
			? has_on(boot->staged.text)
			: boot->cmdline.know == MP_KNOWN && has_on(boot->cmdline.text))
		return;
	mp_plan_add_obstacle(plan, "host", how,
		PARAMETER " is needed (%s), and how this host gets its command line is "
			  "not this program's to change: %s",
		why, boot->loader_why ? boot->loader_why : "the loader is not known");
}

static void add_parameter(
	struct mp_plan *plan, const struct mp_wish *wish, const char *why)
{
	const struct mp_boot *boot = wish->host->boot;
	json_object *promise = json_object_new_object();

	json_object_object_add(promise, "parameter", json_object_new_string(PARAMETER));
	mp_plan_promise(plan, "parameter", promise);
	if (is_grub(boot->loader))
		add_to_grub(plan, wish, why);
	if (is_kernel_cmdline(boot->loader))
		add_to_kernel_cmdline(plan, wish, why);
	if (!is_grub(boot->loader) && !is_kernel_cmdline(boot->loader))
		leave_to_admin(plan, wish, why);
}

/* --- the topic --- */

static void judge_intel(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autoptr(GString) off = g_string_new(NULL), unknown = g_string_new(NULL);
	struct need need = { off, unknown, 0 };
	g_autofree char *why = NULL;

	find_need(wish->host, &need);
	if (!off->len && !unknown->len) {
		mp_plan_add_note(plan, "host",
			PARAMETER " is not added: every installed kernel starts VT-d by "
				  "default");
		if (is_there(wish, DROP_IN))
			mp_plan_add_note(plan, "host",
				DROP_IN " of an earlier set-up is no longer needed; it "
					"does no harm");
		return;
	}
	if (off->len)
		why = g_strdup_printf("without " PARAMETER
				      " VT-d stays off in kernel %s, which is "
				      "built so (CONFIG_INTEL_IOMMU_DEFAULT_ON)",
			off->str);
	else
		why = g_strdup_printf(
			"whether VT-d is on by default in kernel %s could not be read; "
			"where it is, " PARAMETER " changes nothing",
			unknown->str);
	add_parameter(plan, wish, why);
}

void mp_plan_cmdline(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_host *host = wish->host;

	if (!host->boot || !host->platform || !host->modules || !wish->devices->len)
		return;
	refuse_switches(plan, wish);
	switch (host->platform->cpu_vendor) {
	case MP_CPU_INTEL:
		judge_intel(plan, wish);
		break;
	case MP_CPU_AMD:
		mp_plan_add_note(plan, "host",
			"amd_iommu=on is not added: the kernel knows no such option, and "
			"AMD's IOMMU is on by default");
		break;
	case MP_CPU_OTHER:
		break;
	}
	mp_plan_add_note(plan, "host",
		"iommu=pt is not added: it changes how the host's own devices are "
		"translated, not those of VMs");
}

/* --- after the simulation --- */

static const struct mp_plan_file *find_file(const struct mp_plan *plan, const char *path)
{
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return file;
	}
	return NULL;
}

static bool promises_parameter(const struct mp_plan *plan)
{
	for (size_t i = 0; i < json_object_array_length(plan->promises); i++)
		if (mp_step_text_or_null(
			    json_object_array_get_idx(plan->promises, i), "parameter"))
			return true;
	return false;
}

/* Everything is written, and only the running kernel does not know it yet. */
static void note_reboot(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_fact *cmdline = &wish->host->boot->cmdline;

	if (!promises_parameter(plan) || cmdline->know != MP_KNOWN ||
		has_on(cmdline->text) || plan->obstacles->len ||
		plan->stale & MP_FEEDS_LOADER)
		return;
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (file->changed && file->feeds & MP_FEEDS_LOADER)
			return;
	}
	plan->reboot = true;
	mp_plan_add_note(plan, "host",
		PARAMETER " stands where the next boot takes it from, but the running "
			  "kernel was started without it: a reboot is due");
}

void mp_plan_cmdline_prove(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_boot *boot = plan->then->boot;
	const struct mp_fact *unknown;
	g_autofree char *line = NULL;

	if (!boot)
		return;
	note_reboot(plan, wish);
	if (!is_grub(wish->host->boot->loader) || !find_file(plan, DROP_IN))
		return;
	line = grub_line(boot);
	unknown = boot->grub_linux.know != MP_KNOWN ? &boot->grub_linux
						    : &boot->grub_default;
	if (!line)
		mp_plan_add_note(plan, DROP_IN,
			"that " PARAMETER " ends up in the command line could not be "
			"proved, because only a shell can tell what %s is (%s); look at "
			"the new /boot/grub/grub.cfg before the reboot",
			unknown->source ? unknown->source : "/etc/default/grub",
			unknown->why ? unknown->why : "not read");
	else if (!has_on(line))
		mp_plan_add_obstacle(plan, DROP_IN,
			"make the later file of /etc/default/grub.d append to "
			"GRUB_CMDLINE_LINUX_DEFAULT instead of setting it, or take "
			"intel_iommu=off out of it",
			"%s would have no effect: a file that is read after it sets "
			"GRUB_CMDLINE_LINUX_DEFAULT anew, or switches VT-d off",
			DROP_IN);
}
