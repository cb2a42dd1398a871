/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the digest of an initramfs image back: see initramfs-digest.c for its lines. */
#include "config.h"

#include <string.h>

#include "core/initramfs-digest.h"
#include "core/modules.h"

struct member {
	const char *path; /* in the image */
	const char *base;
	GString *text;
};

static void member_free(void *data)
{
	struct member *member = data;

	g_string_free(member->text, TRUE);
	g_free(member);
}

/* By base name, those of etc first: of one name modprobe takes the first directory's. */
static int compare_members(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	int order = strcmp((*x)->base, (*y)->base);

	return order ? order : strcmp((*x)->path, (*y)->path);
}

static void parse_members(
	struct mp_host *host, struct mp_image *image, GPtrArray *members)
{
	const char *last = "";

	g_ptr_array_sort(members, compare_members);
	for (guint i = 0; i < members->len; i++) {
		const struct member *member = members->pdata[i];
		g_autofree char *file =
			g_strdup_printf("%s: %s", image->path, member->path);

		if (!strcmp(member->path, "conf/modules")) {
			mp_module_load_parse(
				host, file, member->text->str, true, image->load);
			continue;
		}
		if (!strcmp(member->base, last))
			continue;
		last = member->base;
		if (mp_modprobe_parse(host, file, member->text->str, member->text->len,
			    image->modprobe) < 0)
			image->fact = mp_fact_unknown(
				host, image->path, "its modprobe.d could not be parsed");
	}
}

static struct member *add_member(struct mp_host *host, struct mp_image *image,
	const char *path, GPtrArray *members)
{
	struct member *member = g_new(struct member, 1);
	const char *slash;

	member->path = mp_host_str(host, path);
	slash = strrchr(member->path, '/');
	member->base = slash ? slash + 1 : member->path;
	member->text = g_string_new(NULL);
	g_ptr_array_add(members, member);
	g_ptr_array_add(image->files, (gpointer)member->path);
	return member;
}

static void add_modules(struct mp_host *host, struct mp_image *image, const char *names)
{
	g_auto(GStrv) words = g_strsplit(names, " ", -1);

	for (char **word = words; *word; word++)
		if (**word)
			g_hash_table_add(
				image->modules, (gpointer)mp_module_name(host, *word));
}

/* What stands behind KEY and a space, or NULL. */
static const char *after(const char *line, const char *key)
{
	size_t length = strlen(key);

	return !strncmp(line, key, length) && line[length] == ' ' ? line + length + 1
								  : NULL;
}

void mp_initramfs_digest_parse(
	struct mp_host *host, const char *text, struct mp_image *image)
{
	g_autofree char *clean = mp_clean_text(text, strlen(text));
	g_auto(GStrv) lines = g_strsplit(clean, "\n", -1);
	g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func(member_free);
	struct member *member = NULL;

	image->fact = mp_fact_unknown(host, image->path, "nothing was read of it");
	for (char **line = lines; *line; line++) {
		const char *value;

		if (**line == '\t') {
			if (member)
				g_string_append_printf(member->text, "%s\n", *line + 1);
			continue;
		}
		member = NULL;
		if ((value = after(*line, "archive"))) {
			image->fact = mp_fact_known(host, image->path, value);
		} else if ((value = after(*line, "problem"))) {
			image->fact = mp_fact_unknown(host, image->path, value);
		} else if ((value = after(*line, "modules"))) {
			add_modules(host, image, value);
		} else if ((value = after(*line, "script"))) {
			const char *path = mp_host_str(host, value);

			g_ptr_array_add(image->scripts, (gpointer)path);
			g_ptr_array_add(image->files, (gpointer)path);
		} else if ((value = after(*line, "file"))) {
			member = add_member(host, image, value, members);
		}
	}
	parse_members(host, image, members);
	image->has_vfio_pci = mp_image_has_module(image, "vfio_pci");
}

bool mp_image_has_module(const struct mp_image *image, const char *name)
{
	g_autofree char *key = g_strdelimit(g_strdup(name), "-", '_');

	return g_hash_table_contains(image->modules, key);
}
