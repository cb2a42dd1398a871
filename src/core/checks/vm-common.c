/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/checks/vm-common.h"

struct point {
	enum mp_severity severity;
	char *text, *how;
};

static void point_free(void *data)
{
	struct point *point = data;

	g_free(point->text);
	g_free(point->how);
	g_free(point);
}

void mp_points_init(struct mp_points *points)
{
	points->texts = g_ptr_array_new_with_free_func(point_free);
}

void mp_points_add(struct mp_points *points, enum mp_severity severity, char *how,
	const char *format, ...)
{
	struct point *point = g_new0(struct point, 1);
	va_list args;

	point->severity = severity;
	point->how = how;
	va_start(args, format);
	point->text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(points->texts, point);
}

struct mp_finding *mp_points_say(struct mp_points *points, struct mp_check_ctx *ctx,
	enum mp_severity else_severity, const char *else_text)
{
	const struct point *worst = NULL;
	struct mp_finding *finding;

	for (guint i = 0; i < points->texts->len; i++) {
		const struct point *point = points->texts->pdata[i];

		if (!worst || point->severity > worst->severity)
			worst = point;
	}
	if (!worst || worst->severity < else_severity) {
		finding = mp_check_say(ctx, else_severity, "%s", else_text);
		worst = NULL;
	} else {
		finding = mp_check_say(ctx, worst->severity, "%s", worst->text);
		if (worst->how)
			mp_finding_remedy(finding, "%s", worst->how);
	}
	for (guint i = 0; i < points->texts->len; i++) {
		const struct point *point = points->texts->pdata[i];

		if (point != worst)
			mp_finding_evidence(finding, ctx->vm->source, "%s: %s%s%s",
				mp_severity_name(point->severity), point->text,
				point->how ? "; " : "", point->how ? point->how : "");
	}
	g_clear_pointer(&points->texts, g_ptr_array_unref);
	return finding;
}

static bool is_of_host(const struct mp_check_ctx *ctx)
{
	return mp_host_vm(ctx->host, ctx->vm->id) == ctx->vm_file;
}

char *mp_vm_how_to_set(const struct mp_check_ctx *ctx, const char *key, const char *value)
{
	if (is_of_host(ctx))
		return g_strdup_printf(
			"run: qm set %s --%s '%s'", ctx->vm->id, key, value);
	return g_strdup_printf(
		"write the line \"%s: %s\" into %s", key, value, ctx->vm->source);
}

char *mp_vm_how_to_delete(const struct mp_check_ctx *ctx, const char *key)
{
	if (is_of_host(ctx))
		return g_strdup_printf("run: qm set %s --delete %s", ctx->vm->id, key);
	return g_strdup_printf("delete the line \"%s\" from %s", key, ctx->vm->source);
}

char **mp_vm_args(const struct mp_vm *vm, char **problem)
{
	g_autoptr(GError) error = NULL;
	char **words = NULL;

	*problem = NULL;
	if (!vm->args)
		return NULL;
	if (g_shell_parse_argv(vm->args, NULL, &words, &error))
		return words;
	*problem = g_strdup(error->message);
	return NULL;
}

const char *mp_vm_args_device(char **words, const char *name)
{
	size_t length = strlen(name);

	for (char **word = words; word && *word && word[1]; word++) {
		if (strcmp(*word, "-device") != 0 && strcmp(*word, "--device") != 0)
			continue;
		if (!strncmp(word[1], name, length) &&
			(word[1][length] == ',' || !word[1][length]))
			return word[1];
	}
	return NULL;
}

char *mp_vm_args_property(const char *device, const char *property)
{
	g_auto(GStrv) parts = g_strsplit(device, ",", -1);
	size_t length = strlen(property);

	for (char **part = parts; *part; part++)
		if (!strncmp(*part, property, length) && (*part)[length] == '=')
			return g_strdup(*part + length + 1);
	return NULL;
}

bool mp_vm_remaps_interrupts(const struct mp_vm *vm)
{
	g_autofree char *problem = NULL;
	g_auto(GStrv) words = NULL;
	const char *device;

	if (!g_strcmp0(vm->viommu, "intel"))
		return true;
	words = mp_vm_args(vm, &problem);
	device = mp_vm_args_device(words, "intel-iommu");
	if (!device)
		return false;
	/* QEMU: "auto" is on with the split irqchip, which is the default of the device. */
	g_autofree char *remap = mp_vm_args_property(device, "intremap");
	return g_strcmp0(remap, "off") != 0;
}

GPtrArray *mp_vm_devices(const struct mp_vm *vm)
{
	GPtrArray *all = g_ptr_array_new();

	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		for (guint d = 0; d < entry->devices->len; d++)
			if (!g_ptr_array_find(all, entry->devices->pdata[d], NULL))
				g_ptr_array_add(all, entry->devices->pdata[d]);
	}
	return all;
}

void mp_vm_say_no_device(struct mp_check_ctx *ctx)
{
	const struct mp_fact *fact = &ctx->host->devices_fact;
	struct mp_finding *finding;

	if (!ctx->vm->hostpci->len || fact->know != MP_UNKNOWN || !fact->source) {
		mp_check_say(
			ctx, MP_SKIP, "VM %s gets no device of this host", ctx->vm->id);
		return;
	}
	finding = mp_check_say(ctx, MP_UNSURE,
		"It is not known which devices VM %s gets: those of this host could not be read",
		ctx->vm->id);
	mp_finding_fact(finding, fact);
	mp_finding_remedy(finding, "make %s readable to this program", fact->source);
}
