/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/check.h"
#include "core/pci.h"
#include "core/settings.h"
#include "core/vm.h"

struct topic {
	const char *name;
	const struct mp_check *rows;
};

/* Report order. */
static const struct topic topics[] = {
	{ "guest", mp_checks_guest },
	{ "platform", mp_checks_platform },
	{ "IOMMU", mp_checks_iommu },
	{ "remapping", mp_checks_remapping },
	{ "device", mp_checks_device },
	{ "card in the guest", mp_checks_guest_device },
	{ "device and IOMMU", mp_checks_device_iommu },
	{ "device use", mp_checks_device_use },
	{ "group", mp_checks_group },
	{ "boot", mp_checks_boot },
	{ "binding", mp_checks_binding },
	{ "memory", mp_checks_memory },
	{ "VM", mp_checks_vm },
	{ "card", mp_checks_card },
	{ "card", mp_checks_card_state },
	{ "setup", mp_checks_setup },
	{ "self-test", mp_checks_selftest },
};

const struct mp_check *const *mp_checks_all(size_t *n)
{
	static const struct mp_check *all[128];
	static size_t count;

	if (!count)
		for (size_t t = 0; t < G_N_ELEMENTS(topics); t++)
			for (const struct mp_check *row = topics[t].rows; row->id;
				row++) {
				g_assert(count < G_N_ELEMENTS(all));
				all[count++] = row;
			}
	*n = count;
	return all;
}

const struct mp_check *mp_check_find(const char *id)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->id, id))
			return all[i];
	return NULL;
}

const char *mp_check_topic(const char *id)
{
	for (size_t t = 0; t < G_N_ELEMENTS(topics); t++)
		for (const struct mp_check *row = topics[t].rows; row->id; row++)
			if (!strcmp(row->id, id))
				return topics[t].name;
	return "other";
}

const char *mp_check_scope_name(enum mp_check_scope scope)
{
	static const char *const names[] = {
		[MP_SCOPE_HOST] = "host",
		[MP_SCOPE_DEVICE] = "device",
		[MP_SCOPE_VM] = "vm",
	};

	return names[scope];
}

static char *subject_of(const struct mp_check_ctx *ctx)
{
	switch (ctx->check->scope) {
	case MP_SCOPE_DEVICE:
		return g_strdup(ctx->device->bdf);
	case MP_SCOPE_VM:
		return g_strdup_printf("VM %s", ctx->vm->id);
	case MP_SCOPE_HOST:
		break;
	}
	return g_strdup("host");
}

struct mp_finding *mp_check_say(
	struct mp_check_ctx *ctx, enum mp_severity severity, const char *format, ...)
{
	g_autofree char *subject = subject_of(ctx);
	g_autofree char *summary = NULL;
	struct mp_finding *finding;
	va_list args;

	va_start(args, format);
	summary = g_strdup_vprintf(format, args);
	va_end(args);
	finding = mp_finding_new(ctx->check->id, severity, subject, "%s", summary);
	finding->live_only = ctx->check->live_only;
	g_ptr_array_add(ctx->findings, finding);
	return finding;
}

static void waive(const struct mp_check_ctx *ctx, struct mp_finding *finding)
{
	for (guint i = 0; i < ctx->config->waivers->len; i++) {
		const struct mp_waiver *waiver = ctx->config->waivers->pdata[i];

		if (!g_pattern_match_simple(waiver->check, finding->id))
			continue;
		if (waiver->subject && strcmp(waiver->subject, finding->subject) != 0)
			continue;
		g_free(finding->waiver);
		finding->waiver = g_strdup(waiver->reason);
	}
}

static void run_one(struct mp_check_ctx *ctx, const struct mp_check *check)
{
	guint before = ctx->findings->len;

	ctx->check = check;
	if (check->live_only && !ctx->host->live)
		mp_check_say(ctx, MP_UNSURE, "live host needed");
	else
		check->run(ctx);
	/* One finding for each subject is the contract that JSON readers rely on. */
	g_assert(ctx->findings->len == before + 1);
	waive(ctx, ctx->findings->pdata[before]);
}

void mp_checks_run(struct mp_check_ctx *ctx, const char *glob)
{
	const struct mp_profile *profile = ctx->profile;
	const struct mp_pci *device = ctx->device;
	const struct mp_vm *vm = ctx->vm;
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	ctx->vm_file = vm;
	ctx->vm = vm ? vm->next : NULL;
	for (size_t i = 0; i < n; i++) {
		if (glob && !g_pattern_match_simple(glob, all[i]->id))
			continue;
		if (all[i]->side == (ctx->guest ? MP_SIDE_HOST : MP_SIDE_GUEST))
			continue;
		if (all[i]->scope == MP_SCOPE_VM && !ctx->vm)
			continue;
		if (all[i]->scope != MP_SCOPE_DEVICE) {
			ctx->device = ctx->wanted->len ? ctx->wanted->pdata[0] : NULL;
			run_one(ctx, all[i]);
			continue;
		}
		for (guint d = 0; d < ctx->wanted->len; d++) {
			ctx->device = ctx->wanted->pdata[d];
			if (ctx->profiles)
				ctx->profile = ctx->profiles->pdata[d];
			run_one(ctx, all[i]);
		}
		ctx->profile = profile;
	}
	ctx->device = device;
	ctx->vm = vm;
}
