/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "core/setup.h"
#include "core/vm-started.h"

#define HEAD     "metis-passthrough map 1\n"
#define FOUR_GIB (4 * MP_GIB)

static char *path_of(const char *vmid)
{
	return g_strdup_printf(MP_PATH_STATUS_DIR "/map-%s", vmid);
}

/* --- the file: a head, then a line of a name and two addresses for each range --- */

static const struct {
	const char *name;
	size_t start, end;
} ranges[] = {
#define FIELD(field) offsetof(struct mp_vm_map, field)
	{ "high", FIELD(high_start), FIELD(high_end) },
	{ "dimm", FIELD(dimm_start), FIELD(dimm_end) },
	{ "device", FIELD(dimm_start), FIELD(device_end) },
	{ "pci64", FIELD(pci64_start), FIELD(pci64_end) },
#undef FIELD
};

static uint64_t *field(struct mp_vm_map *map, size_t offset)
{
	return (uint64_t *)(void *)((char *)map + offset);
}

bool mp_vm_started_save(struct mp_target *target, const char *vmid,
	const struct mp_vm_map *map, GError **error)
{
	struct mp_vm_map copy = *map;
	g_autoptr(GString) text = g_string_new(HEAD);
	g_autofree char *path = path_of(vmid);
	g_autofree char *temp = g_strdup_printf(".map-%s.%d", vmid, (int)getpid());

	g_string_append_printf(text, "%s 0x0 0x%" G_GINT64_MODIFIER "x\n",
		map->q35 ? "q35" : "i440fx", map->low_end);
	for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
		g_string_append_printf(text,
			"%s 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x\n",
			ranges[i].name, *field(&copy, ranges[i].start),
			*field(&copy, ranges[i].end));
	const struct mp_file_want want = {
		.data = text->str, .size = text->len, .mode = 0644
	};

	return mp_target_make_dirs(target, MP_PATH_STATUS_DIR, NULL, error) &&
	       mp_target_write(target, path, temp, &want, error);
}

/* "NAME 0x... 0x..." */
static bool take_range(const char *line, const char *name, uint64_t *start, uint64_t *end)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 4);

	return g_strv_length(words) == 3 && !strcmp(words[0], name) &&
	       g_str_has_prefix(words[1], "0x") && g_str_has_prefix(words[2], "0x") &&
	       mp_parse_uint(words[1] + 2, 16, start) &&
	       mp_parse_uint(words[2] + 2, 16, end) && *start <= *end;
}

static bool take(struct mp_vm_map *map, const char *text)
{
	g_auto(GStrv) lines = NULL;
	uint64_t start;

	if (!g_str_has_prefix(text, HEAD))
		return false;
	lines = g_strsplit(text + strlen(HEAD), "\n", G_N_ELEMENTS(ranges) + 3);
	if (g_strv_length(lines) != G_N_ELEMENTS(ranges) + 2 ||
		*lines[G_N_ELEMENTS(ranges) + 1])
		return false;
	map->q35 = g_str_has_prefix(*lines, "q35 ");
	if (!take_range(*lines, map->q35 ? "q35" : "i440fx", &start, &map->low_end) ||
		start || map->low_end > FOUR_GIB)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
		if (!take_range(lines[i + 1], ranges[i].name, field(map, ranges[i].start),
			    field(map, ranges[i].end)))
			return false;
	return map->high_start >= FOUR_GIB && map->dimm_end <= map->device_end;
}

static void probe(struct mp_host *host, struct mp_root *root, struct mp_vm *vm)
{
	g_autofree char *path = path_of(vm->id);
	g_autofree char *text = NULL;
	const char *source = mp_host_strf(host, "/%s", path);
	size_t size;
	int err = mp_root_read(root, path, MP_READ_ATTR, &text, &size);

	if (err < 0) {
		vm->started = mp_fact_errno(host, source, err);
		return;
	}
	vm->started =
		strlen(text) == size && take(&vm->started_map, text)
			? mp_fact_known(host, source, "noted")
			: mp_fact_unknown(host, source, "not a note of this program");
}

void mp_probe_started(struct mp_host *host, struct mp_root *root)
{
	for (guint i = 0; host->guests && i < host->guests->vms->len; i++)
		probe(host, root, host->guests->vms->pdata[i]);
}

/* --- by which map --- */

static bool counts(const struct mp_vm *vm)
{
	return vm->started.know == MP_KNOWN && vm->running_fact.know == MP_ABSENT &&
	       !vm->hotplug_memory;
}

struct mp_vm_map mp_vm_map_had(const struct mp_host *host, const struct mp_vm *vm)
{
	return counts(vm) ? vm->started_map : mp_vm_map_on(host, vm);
}

char *mp_vm_map_change(const struct mp_host *host, const struct mp_vm *vm)
{
	struct mp_vm_map now = mp_vm_map_on(host, vm);
	g_autofree char *has = NULL;
	g_autofree char *had = NULL;

	if (!counts(vm))
		return NULL;
	has = mp_vm_map_describe(&now);
	had = mp_vm_map_describe(&vm->started_map);
	if (!strcmp(has, had))
		return NULL;
	return g_strdup_printf(
		"VM %s last started with RAM at %s; by its configuration of "
		"now it is at %s: addresses are judged by the first",
		vm->id, had, has);
}
