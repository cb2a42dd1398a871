/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/hookscript.h"

#define NOTE_MAX 4096

char *mp_hook_note_path(const char *vmid)
{
	return g_strconcat(MP_HOOK_NOTES "/", vmid, NULL);
}

static bool has_up(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	return g_strv_contains((const char *const *)parts, "..");
}

static char *refuse(GError **error, const char *why)
{
	g_set_error_literal(error, MP_ERROR, MP_ERROR_INPUT, why);
	return NULL;
}

char *mp_hook_note_parse(const char *text, size_t size, GError **error)
{
	g_autofree char *clean = mp_clean_text(text, size);
	g_auto(GStrv) lines = g_strsplit(clean, "\n", -1);
	const char *path = NULL;

	if (strlen(text) != size || strcmp(clean, text) != 0)
		return refuse(error, "it holds bytes that are no text");
	for (char **line = lines; *line; line++) {
		if (**line == '#' || (!**line && !line[1]))
			continue;
		if (path)
			return refuse(error, "it names more than one script");
		path = *line;
	}
	if (!path)
		return refuse(error, "it names no script");
	if (*path != '/')
		return refuse(error, "it names no absolute path");
	if (has_up(path))
		return refuse(error, "it names a path with '..' in it");
	return g_strdup(path);
}

void mp_hook_note_read(
	struct mp_host *host, struct mp_root *root, struct mp_vm *vm, char **text)
{
	g_autofree char *path = mp_hook_note_path(vm->id);
	g_autofree char *data = NULL;
	g_autofree char *script = NULL;
	g_autoptr(GError) error = NULL;
	size_t size = 0;
	int err = mp_root_read(root, path, NOTE_MAX, &data, &size);

	if (err) {
		vm->earlier_hookscript = mp_fact_errno(host, path, err);
		return;
	}
	script = mp_hook_note_parse(data, size, &error);
	if (!script) {
		vm->earlier_hookscript = mp_fact_unknown(host, path, error->message);
		vm->earlier_problem = vm->earlier_hookscript.why;
		return;
	}
	vm->earlier_hookscript = mp_fact_known(host, path, script);
	if (text)
		*text = g_steal_pointer(&data);
}

const char *mp_volume_snippet(const char *volume, char **storage)
{
	static const char kind[] = ":snippets/";
	const char *colon = strchr(volume, ':');

	if (!colon || !g_str_has_prefix(colon, kind))
		return NULL;
	*storage = g_strndup(volume, (gsize)(colon - volume));
	return colon + strlen(kind);
}

const struct mp_snippet *mp_storage_snippet(
	const struct mp_storage *storage, const char *name)
{
	for (guint i = 0; i < storage->files->len; i++) {
		const struct mp_snippet *file = storage->files->pdata[i];

		if (!strcmp(file->name, name))
			return file;
	}
	return NULL;
}

const struct mp_storage *mp_host_storage_of(
	const struct mp_host *host, const char *path, const char **name)
{
	const char *last = strrchr(path, '/');

	for (guint i = 0; last && i < host->guests->storages->len; i++) {
		const struct mp_storage *storage = host->guests->storages->pdata[i];

		if (storage->snippets &&
			strlen(storage->snippets) == (size_t)(last - path) &&
			g_str_has_prefix(path, storage->snippets)) {
			*name = last + 1;
			return storage;
		}
	}
	return NULL;
}
