/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `vm generate` made: for Proxmox VE a page for people, else the file itself. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/quote.h"
#include "core/vm.h"
#include "render/page.h"
#include "render/text.h"
#include "vm/generate.h"

#define INDENT 2
#define LABEL  10

static const char *vm_name(const struct mp_vm_report *report)
{
	return report->request->vm ? report->request->vm->id : "VMID";
}

static void put_answer(struct mp_page *page, const struct mp_vm_report *report)
{
	guint n = report->output->commands->len;
	g_autofree char *text =
		n ? g_strdup_printf("%u command%s for Proxmox VE; nothing was changed", n,
			    n == 1 ? "" : "s")
		  : g_strdup_printf("VM %s is as it should be, nothing is to be done",
			    vm_name(report));

	mp_page_para(page, 0, n ? MP_BOLD : MP_GREEN, "vm:", INDENT, text);
	mp_page_gap(page);
	for (guint i = 0; i < report->request->wish->devices->len; i++) {
		const struct mp_pci *device = report->request->wish->devices->pdata[i];
		g_autofree char *name = mp_pci_describe(device);
		g_autofree char *line = g_strdup_printf("%s %s", device->bdf, name);

		mp_page_para(page, 0, MP_FAINT, "Device", LABEL, line);
	}
	mp_page_para(page, 0, MP_FAINT, "VM", LABEL,
		report->request->vm
			? report->request->vm->id
			: "a new one, or one of another host; put its number for VMID");
}

static void put_commands(struct mp_page *page, const struct mp_vm_report *report)
{
	const GPtrArray *commands = report->output->commands;

	if (!commands->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "COMMANDS (%u)", commands->len);
	for (guint i = 0; i < commands->len; i++) {
		const struct mp_vm_words *entry = commands->pdata[i];
		g_autofree char *words = mp_quote_all((const char *const *)entry->words);

		/* Not wrapped: it is to be copied. */
		mp_page_line(page, MP_PLAIN, "  %s", words);
		mp_page_para(page, 2 * INDENT, MP_FAINT, "", 2 * INDENT, entry->why);
	}
}

static void put_config(struct mp_page *page, const struct mp_vm_report *report)
{
	const GPtrArray *options = report->request->plan->vm_options;

	mp_page_gap(page);
	mp_page_line(
		page, MP_BOLD, "LINES of %s.conf, as qm writes them", vm_name(report));
	for (guint i = 0; i < options->len; i++) {
		const struct mp_plan_vm_option *option = options->pdata[i];
		bool there = !g_strcmp0(option->now, option->value);

		mp_page_line(page, MP_PLAIN, "  %s: %s%s", option->key, option->value,
			there ? "        (there already)" : "");
		mp_page_para(page, 2 * INDENT, MP_FAINT, "", 2 * INDENT, option->why);
	}
}

static void put_files(struct mp_page *page, const struct mp_vm_report *report)
{
	const GPtrArray *files = report->output->files;

	if (!files->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "INSIDE THE GUEST");
	for (guint i = 0; i < files->len; i++) {
		const struct mp_vm_guest_file *file = files->pdata[i];
		g_auto(GStrv) lines = g_strsplit(file->content, "\n", -1);

		mp_page_line(page, MP_PLAIN, "  %s:", file->path);
		for (char **line = lines; *line; line++)
			if (**line)
				mp_page_line(page, MP_PLAIN, "    %s", *line);
	}
}

static void put_notes(struct mp_page *page, const struct mp_vm_report *report)
{
	const GPtrArray *notes = report->output->notes;

	if (!notes->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "NOTES (%u)", notes->len);
	for (guint i = 0; i < notes->len; i++)
		mp_page_para(page, 0, MP_PLAIN, page->style->unicode ? "·" : "-", INDENT,
			notes->pdata[i]);
}

void mp_text_vm(
	const struct mp_vm_report *report, const struct mp_render_style *style, FILE *out)
{
	struct mp_page page;

	if (report->request->to == MP_VM_QEMU) {
		g_autofree char *script = mp_vm_script(report->request, report->output);

		fputs(script, out);
		return;
	}
	if (report->request->to == MP_VM_LIBVIRT) {
		fputs(report->output->xml, out);
		return;
	}
	page = mp_page_new(style);
	put_answer(&page, report);
	put_commands(&page, report);
	put_config(&page, report);
	put_files(&page, report);
	put_notes(&page, report);
	if (report->next) {
		mp_page_gap(&page);
		mp_page_para(&page, 0, MP_BOLD, "Next", LABEL, report->next);
	}
	mp_page_write(&page, out);
}
