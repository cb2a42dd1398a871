/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/group.h"
#include "core/promise/trace.h"

/* The text behind "[   12.345678] ". */
static const char *message(const char *line)
{
	const char *p = line + strspn(line, " ");
	const char *end = *p == '[' ? strchr(p, ']') : NULL;

	if (!end || strspn(p + 1, " 0123456789.") != (size_t)(end - p - 1))
		return line;
	return end + 1 + strspn(end + 1, " ");
}

/* BDF in TEXT, not as a part of a longer word. */
static const char *find_address(const char *text, const char *bdf)
{
	size_t length = strlen(bdf);

	for (const char *p = strstr(text, bdf); p; p = strstr(p + 1, bdf))
		if ((p == text || !g_ascii_isalnum(p[-1])) && !g_ascii_isalnum(p[length]))
			return p;
	return NULL;
}

/*
 * Not a driver of the host. "pci": the bus, for a device without a driver (dev_driver_string()
 * of drivers/base/core.c). pci-stub claims a device and leaves it alone.
 */
static bool is_harmless(const char *name)
{
	static const char *const names[] = { "pci", "pcieport", "pci-stub", NULL };

	return g_strv_contains(names, name) || mp_driver_is_vfio(name);
}

static bool is_among(const GPtrArray *modules, const char *name)
{
	for (guint i = 0; i < modules->len; i++)
		if (mp_cmdline_name_is(modules->pdata[i], name))
			return true;
	return false;
}

/*
 * "axl 0000:86:00.0: text": dev_printk(); "igb 0000:86:00.0 eth0: text": netdev_printk().
 * Other forms ("nvme nvme0: pci function 0000:86:00.0") count where they start with the name
 * of a module that wants the device.
 */
static bool is_of_host_driver(
	const char *text, const char *address, const GPtrArray *modules)
{
	size_t word = strcspn(text, " :");
	g_autofree char *name = g_strndup(text, word);

	if (!word || text + word >= address)
		return false;
	if (text + word + 1 == address && text[word] == ' ')
		return !is_harmless(name);
	return is_among(modules, name);
}

#define OURS     "metis-passthrough: "
#define OVERRIDE ": driver_override set to vfio-pci (driver was: "
#define TOO_LATE ": has the driver "

/* Takes a line of src/early-bind: it tells who had the device before. */
static void take_ours(
	const char *line, const char *text, const char *bdf, struct mp_trace *trace)
{
	g_autofree char *start = g_strconcat(OURS, bdf, OVERRIDE, NULL);
	g_autofree char *late = g_strconcat(OURS, bdf, TOO_LATE, NULL);
	bool set = g_str_has_prefix(text, start);

	if (!set && !g_str_has_prefix(text, late))
		return;
	if (set && (!strcmp(text + strlen(start), "none)") ||
			   !strcmp(text + strlen(start), "vfio-pci)"))) {
		if (!trace->early)
			trace->early = mp_clean_text(line, strlen(line));
		return;
	}
	if (!trace->other)
		trace->other = mp_clean_text(line, strlen(line));
}

static void take_line(const char *line, const struct mp_pci *device, const char *add,
	const GPtrArray *modules, struct mp_trace *trace)
{
	const char *text = message(line);
	const char *address = find_address(text, device->bdf);

	if (!trace->given && g_str_has_prefix(text, add))
		trace->given = mp_clean_text(line, strlen(line));
	if (!address)
		return;
	if (g_str_has_prefix(text, OURS))
		take_ours(line, text, device->bdf, trace);
	else if (!trace->other && is_of_host_driver(text, address, modules))
		trace->other = mp_clean_text(line, strlen(line));
}

void mp_trace_find(const char *log, const struct mp_pci *device, const GPtrArray *modules,
	struct mp_trace *trace)
{
	/* vfio_pci_fill_ids() of drivers/vfio/pci/vfio_pci.c */
	g_autofree char *add = g_strdup_printf(
		"vfio_pci: add [%04x:%04x[", device->vendor, device->device);

	*trace = (struct mp_trace){ 0 };
	for (const char *line = log, *end; line && *line; line = *end ? end + 1 : NULL) {
		end = strchrnul(line, '\n');
		g_autofree char *copy = g_strndup(line, (gsize)(end - line));

		take_line(copy, device, add, modules, trace);
	}
}

void mp_trace_clear(struct mp_trace *trace)
{
	g_clear_pointer(&trace->other, g_free);
	g_clear_pointer(&trace->early, g_free);
	g_clear_pointer(&trace->given, g_free);
}
