/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people usually try, found in the configuration or in the text, and what it does. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/diagnose.h"
#include "core/modules.h"
#include "core/vm.h"

/* Why it cannot help against blocked transfers and messages, and what it is good for. */
static const char *const verdicts[] = {
	[MP_TRIED_UNSAFE] =
		"Only waives VFIO's check at start on hosts without interrupt remapping. Where "
		"remapping is on it changes nothing, because blocking goes on; take it out.",
	[MP_TRIED_PREALLOC] =
		"VFIO pins all of the guest's RAM at start anyway. It decides when memory is "
		"taken, not which addresses a device may use.",
	[MP_TRIED_HUGEPAGES] =
		"Larger pages and NUMA placement are for speed; the guest's addresses, which "
		"are what the device uses, stay the same.",
	[MP_TRIED_IRQCHIP] =
		"Moves the I/O APIC's emulation into QEMU, which a virtual IOMMU needs. By "
		"itself it changes no message of a device.",
	[MP_TRIED_UNLOAD] =
		"Unloading clears neither the window nor the messages that the driver left in "
		"the card. It helps only if the driver was never loaded since the card got "
		"power: power-cycle after it.",
	[MP_TRIED_MEM] =
		"Less memory for the guest's kernel does not move what the card or the host "
		"has in mind. It would help only if the card could not reach high addresses, "
		"and then the fault's address would show it.",
	[MP_TRIED_ACS] =
		"Makes groups look smaller and isolates nothing. No fault comes from a group "
		"that is too large; take it out.",
};
G_STATIC_ASSERT(G_N_ELEMENTS(verdicts) == MP_TRIES);

static void add(struct mp_diagnosis *diagnosis, enum mp_tried tried, const char *where)
{
	struct mp_attempt *attempt;

	for (guint i = 0; i < diagnosis->attempts->len; i++) {
		attempt = diagnosis->attempts->pdata[i];
		if (attempt->tried == tried)
			return;
	}
	attempt = g_new0(struct mp_attempt, 1);
	attempt->tried = tried;
	attempt->where = g_strdup(where);
	attempt->verdict = verdicts[tried];
	g_ptr_array_add(diagnosis->attempts, attempt);
}

static void from_command_line(
	struct mp_diagnosis *diagnosis, const char *cmdline, const char *where)
{
	static const struct {
		const char *name;
		enum mp_tried tried;
	} rows[] = {
		{ "vfio_iommu_type1.allow_unsafe_interrupts", MP_TRIED_UNSAFE },
		{ "iommufd.allow_unsafe_interrupts", MP_TRIED_UNSAFE },
		{ "pcie_acs_override", MP_TRIED_ACS },
		{ "mem", MP_TRIED_MEM },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *value = mp_cmdline_get(cmdline, rows[i].name);

		if (value && *value && strcmp(value, "0") != 0 && strcmp(value, "N") != 0)
			add(diagnosis, rows[i].tried, where);
	}
}

static void from_modules(struct mp_diagnosis *diagnosis)
{
	static const char *const modules[] = { "vfio_iommu_type1", "iommufd" };
	const struct mp_modules *all = diagnosis->host->modules;

	for (size_t i = 0; all && i < G_N_ELEMENTS(modules); i++) {
		const char *file = NULL;
		g_autofree char *value = mp_modprobe_option(
			all->modprobe, modules[i], "allow_unsafe_interrupts", &file);

		if (value && strcmp(value, "0") != 0 &&
			g_ascii_strcasecmp(value, "n") != 0)
			add(diagnosis, MP_TRIED_UNSAFE, file ? file : "modprobe.d");
	}
}

static void from_vm(struct mp_diagnosis *diagnosis)
{
	const struct mp_vm *vm = diagnosis->vm;
	g_autofree char *where = g_strdup_printf("VM %s", vm->id);

	if (vm->hugepages)
		add(diagnosis, MP_TRIED_HUGEPAGES, where);
	if (!vm->args)
		return;
	if (strstr(vm->args, "mem-prealloc"))
		add(diagnosis, MP_TRIED_PREALLOC, where);
	if (strstr(vm->args, "irqchip=split"))
		add(diagnosis, MP_TRIED_IRQCHIP, where);
}

static void from_log(struct mp_diagnosis *diagnosis)
{
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];
		g_autofree char *where =
			g_strdup_printf("line %" G_GUINT64_FORMAT, sum->event.line);

		if (sum->event.kind == MP_EVENT_UNSAFE)
			add(diagnosis, MP_TRIED_UNSAFE, where);
		for (int tried = 0; sum->event.kind == MP_EVENT_TRIED && tried < MP_TRIES;
			tried++)
			if (sum->event.number >> tried & 1)
				add(diagnosis, (enum mp_tried)tried, where);
	}
}

void mp_diagnose_attempts(struct mp_diagnosis *diagnosis)
{
	const struct mp_host *host = diagnosis->host;

	if (diagnosis->log->cmdline)
		from_command_line(diagnosis, diagnosis->log->cmdline,
			"the kernel's command line in the log");
	if (host && host->boot && host->boot->cmdline.know == MP_KNOWN)
		from_command_line(
			diagnosis, host->boot->cmdline.text, "the kernel's command line");
	if (host)
		from_modules(diagnosis);
	if (diagnosis->vm)
		from_vm(diagnosis);
	from_log(diagnosis);
}
