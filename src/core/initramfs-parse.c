/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the digest of an initramfs image back: see initramfs-digest.c for its lines. */
#include "config.h"

#include <string.h>

#include "core/early-bind.h"
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
		if (!strstr(member->path, "modprobe.d/") || !strcmp(member->base, last))
			continue;
		last = member->base;
		if (mp_modprobe_parse(host, file, member->text->str, member->text->len,
			    image->modprobe) < 0)
			image->fact = mp_fact_unknown(
				host, image->path, "its modprobe.d could not be parsed");
	}
}

/* --- cards bound by address --- */

static const char *text_of(const GPtrArray *members, const char *path)
{
	for (guint i = 0; i < members->len; i++) {
		const struct member *member = members->pdata[i];

		if (!strcmp(member->path, path))
			return member->text->str;
	}
	return NULL;
}

/* The line of ORDER for SCRIPT, as cache_run_scripts() of initramfs-tools writes it. */
static const char *find_in_order(const char *order, const char *script)
{
	g_autofree char *line = g_strdup_printf("/%s \"$@\"\n", script);
	const char *at = order;

	while ((at = strstr(at, line))) {
		if (at == order || at[-1] == '\n')
			return at;
		at++;
	}
	return NULL;
}

/* Does SCRIPT run the program, and is that in the image? */
static bool runs_program(const char *script, const GPtrArray *programs)
{
	for (guint i = 0; i < programs->len; i++) {
		const char *path = programs->pdata[i];
		g_autofree char *line =
			g_strdup_printf("\n[ ! -x /%s ] || /%s\n", path, path);

		if (strstr(script, line))
			return true;
	}
	return false;
}

/* The table counts if the script that has it read comes before udev, which loads the
 * drivers. */
static void parse_early(struct mp_host *host, struct mp_image *image,
	const GPtrArray *members, const GPtrArray *programs)
{
	const char *table = text_of(members, MP_PATH_EARLY_TABLE);
	const char *script = text_of(members, MP_PATH_EARLY_SCRIPT);
	const char *order = text_of(members, "scripts/init-top/ORDER");
	const char *ours = order ? find_in_order(order, MP_PATH_EARLY_SCRIPT) : NULL;
	const char *udev = order ? find_in_order(order, "scripts/init-top/udev") : NULL;

	if (!table)
		return;
	image->early_file =
		mp_host_strf(host, "%s: %s", image->path, MP_PATH_EARLY_TABLE);
	if (!script)
		image->early_why = "it lacks the script that has early-bind.conf read";
	else if (!runs_program(script, programs))
		image->early_why = "it lacks the program that reads early-bind.conf";
	else if (!ours)
		image->early_why =
			"its ORDER does not run the script for early-bind.conf";
	else if (udev && udev < ours)
		image->early_why =
			"its ORDER starts udev before the script for early-bind.conf";
	else
		mp_early_parse(host, table, image->early);
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
	g_autoptr(GPtrArray) programs = g_ptr_array_new();
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
		} else if ((value = after(*line, "program"))) {
			g_ptr_array_add(programs, (gpointer)value);
		} else if ((value = after(*line, "file"))) {
			member = add_member(host, image, value, members);
		}
	}
	parse_members(host, image, members);
	parse_early(host, image, members, programs);
	image->has_vfio_pci = mp_image_has_module(image, "vfio_pci");
}

bool mp_image_has_module(const struct mp_image *image, const char *name)
{
	g_autofree char *key = g_strdelimit(g_strdup(name), "-", '_');

	return g_hash_table_contains(image->modules, key);
}
