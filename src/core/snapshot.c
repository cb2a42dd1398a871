/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recorder of a snapshot. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/snapshot.h"

struct mp_snapshot {
	GHashTable *by_path; /* path -> struct mp_shot */
	GPtrArray *sorted;   /* NULL: not sorted since the last change */
	unsigned looks;
};

static void shot_free(void *data)
{
	struct mp_shot *shot = data;

	g_free(shot->path);
	g_clear_pointer(&shot->file, g_bytes_unref);
	g_free(shot->target);
	g_clear_pointer(&shot->names, g_bytes_unref);
	g_free(shot);
}

struct mp_snapshot *mp_snapshot_new(void)
{
	struct mp_snapshot *snapshot = g_new0(struct mp_snapshot, 1);

	snapshot->by_path =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, shot_free);
	return snapshot;
}

void mp_snapshot_free(struct mp_snapshot *snapshot)
{
	if (!snapshot)
		return;
	g_clear_pointer(&snapshot->sorted, g_ptr_array_unref);
	g_hash_table_unref(snapshot->by_path);
	g_free(snapshot);
}

/* Drops empty and "." components. NULL for a path with "..": what it means depends on
 * links, and a replay resolves it by what else was recorded. */
static char *clean(const char *path)
{
	g_autoptr(GString) out = g_string_sized_new(strlen(path));

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && !memcmp(path, "..", 2))
			return NULL;
		if (length && !(length == 1 && *path == '.')) {
			if (out->len)
				g_string_append_c(out, '/');
			g_string_append_len(out, path, (gssize)length);
		}
		path += length + (path[length] == '/');
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

/* The first answer counts: a later one may differ because the host goes on living. */
static void seen(struct mp_shot *shot, enum mp_look look, const char *data, size_t size,
	const struct mp_stat *st)
{
	switch (look) {
	case MP_LOOK_READ:
		if (!shot->file)
			shot->file = g_bytes_new(data, size);
		return;
	case MP_LOOK_LINK:
		if (!shot->target)
			shot->target = g_strndup(data, size);
		return;
	case MP_LOOK_LIST:
		if (!shot->names)
			shot->names = g_bytes_new(data, size);
		return;
	case MP_LOOK_STAT:
		if (!shot->has_stat)
			shot->st = *st;
		shot->has_stat = true;
		return;
	case MP_LOOK_OPEN:
		shot->opened = true;
		return;
	}
}

static void record(void *user, enum mp_look look, const char *path, int err,
	const char *data, size_t size, const struct mp_stat *st)
{
	struct mp_snapshot *snapshot = user;
	g_autofree char *name = clean(path);
	struct mp_shot *shot;

	snapshot->looks++;
	/* -ENODATA: the source is a snapshot itself and does not know either. */
	if (!name || err == -ENODATA)
		return;
	shot = g_hash_table_lookup(snapshot->by_path, name);
	if (!shot) {
		g_clear_pointer(&snapshot->sorted, g_ptr_array_unref);
		shot = g_new0(struct mp_shot, 1);
		shot->path = g_steal_pointer(&name);
		g_hash_table_insert(snapshot->by_path, shot->path, shot);
	}
	if (err < 0 && look < G_N_ELEMENTS(shot->err))
		shot->err[look] = shot->err[look] ? shot->err[look] : err;
	if (err == 0)
		seen(shot, look, data, size, st);
}

void mp_snapshot_record(struct mp_snapshot *snapshot, struct mp_root *root)
{
	mp_root_record(root, record, snapshot);
}

static int compare(const void *a, const void *b)
{
	return strcmp(
		(*(struct mp_shot *const *)a)->path, (*(struct mp_shot *const *)b)->path);
}

GPtrArray *mp_snapshot_shots(struct mp_snapshot *snapshot)
{
	GHashTableIter iter;
	gpointer shot;

	if (snapshot->sorted)
		return snapshot->sorted;
	snapshot->sorted = g_ptr_array_sized_new(g_hash_table_size(snapshot->by_path));
	g_hash_table_iter_init(&iter, snapshot->by_path);
	while (g_hash_table_iter_next(&iter, NULL, &shot))
		g_ptr_array_add(snapshot->sorted, shot);
	g_ptr_array_sort(snapshot->sorted, compare);
	return snapshot->sorted;
}

struct mp_shot *mp_snapshot_find(struct mp_snapshot *snapshot, const char *path)
{
	return g_hash_table_lookup(snapshot->by_path, path);
}

void mp_snapshot_rename(struct mp_snapshot *snapshot, struct mp_shot *shot, char *path)
{
	g_hash_table_steal(snapshot->by_path, shot->path);
	g_free(shot->path);
	shot->path = path;
	g_hash_table_replace(snapshot->by_path, shot->path, shot);
	g_clear_pointer(&snapshot->sorted, g_ptr_array_unref);
}

/* Errors that are an everyday answer rather than a failure to look. */
static bool is_answer(int err)
{
	switch (-err) {
	case 0:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EINVAL:
	case ENODEV:
	case ENXIO:
	case ENODATA:
		return true;
	default:
		return false;
	}
}

GPtrArray *mp_snapshot_failures(struct mp_snapshot *snapshot, unsigned *looks)
{
	GPtrArray *failures = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *shots = mp_snapshot_shots(snapshot);

	for (guint i = 0; i < shots->len; i++) {
		const struct mp_shot *shot = shots->pdata[i];

		for (guint look = 0; look < G_N_ELEMENTS(shot->err); look++) {
			if (is_answer(shot->err[look]))
				continue;
			g_ptr_array_add(failures,
				g_strdup_printf("/%s: %s", shot->path,
					shot->err[look] == -EFBIG
						? "larger than expected"
						: g_strerror(-shot->err[look])));
			break;
		}
	}
	*looks = snapshot->looks;
	return failures;
}
