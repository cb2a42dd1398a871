/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan-scene.h - a captured host with files changed on top, what is wanted of it, and the
 * plan: for the tests of the planner's topics.
 */
#ifndef MP_PLAN_SCENE_H
#define MP_PLAN_SCENE_H

#include <string.h>

#include "core/boot.h"
#include "core/early-bind.h"
#include "core/initramfs.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/plan.h"
#include "unit.h"

#define CARD "0000:86:00.0"

struct scene {
	struct mp_root *base, *root;
	GArray *edits; /* struct mp_overlay, whose texts are owned */
	struct mp_host *host;
	struct mp_config *config;
	GPtrArray *devices, *profiles;
	struct mp_wish wish;
	struct mp_plan *plan;
};

static inline char *scene_hosts(void)
{
	const char *top = g_getenv("TOP_SRCDIR");

	return g_build_filename(top ? top : ".", "tests/hosts", NULL);
}

/* PATH with CONTENT (NULL: not there) from the next scene_load() on. */
static inline void scene_put(struct scene *x, const char *path, const char *content)
{
	struct mp_overlay edit = { g_strdup(path), g_strdup(content), 0644, false };

	g_array_append_val(x->edits, edit);
}

static inline void scene_open(struct scene *x, struct mp_root *base)
{
	*x = (struct scene){ .base = base };
	x->edits = g_array_new(FALSE, FALSE, sizeof(struct mp_overlay));
	x->devices = g_ptr_array_new();
	x->profiles = g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
	/* Hosts were captured before anybody looked for these. */
	scene_put(x, "/usr/sbin/update-initramfs", "#!/bin/sh\n");
	scene_put(x, MP_PATH_EARLY_PROGRAM, "binary\n");
	g_array_index(x->edits, struct mp_overlay, 0).mode = 0755;
	g_array_index(x->edits, struct mp_overlay, 1).mode = 0755;
}

static inline struct mp_root *scene_snapshot(const char *name)
{
	g_autofree char *directory = scene_hosts();
	g_autofree char *path = g_strdup_printf("%s/%s.snap", directory, name);
	struct mp_root *root = mp_root_open(path, NULL);

	if (!root)
		fail_msg("cannot open %s", path);
	return root;
}

static inline void scene_unload(struct scene *x)
{
	g_clear_pointer(&x->plan, mp_plan_free);
	g_clear_pointer(&x->config, mp_config_free);
	g_clear_pointer(&x->host, mp_host_free);
	g_clear_pointer(&x->root, mp_root_free);
	g_ptr_array_set_size(x->devices, 0);
	g_ptr_array_set_size(x->profiles, 0);
}

static inline void scene_load(struct scene *x)
{
	const char *vm = x->wish.vm, *binding = x->wish.binding;
	const char *const *force = x->wish.force;
	GError *error = NULL;

	scene_unload(x);
	x->root = mp_root_overlay(x->base, (void *)x->edits->data, x->edits->len);
	x->host = mp_host_load(x->root, MP_TOPIC_ALL, &error);
	assert_null(error);
	x->config = mp_config_load(x->root, &error);
	if (error)
		fail_msg("%s", error->message);
	x->wish = (struct mp_wish){
		.host = x->host,
		.root = x->root,
		.config = x->config,
		.devices = x->devices,
		.profiles = x->profiles,
		.binding = binding ? binding : "auto",
		.vm = vm,
		.force = force,
	};
}

static inline void scene_close(struct scene *x)
{
	scene_unload(x);
	for (guint i = 0; i < x->edits->len; i++) {
		struct mp_overlay *edit = &g_array_index(x->edits, struct mp_overlay, i);

		g_free((char *)edit->path);
		g_free((char *)edit->content);
	}
	g_array_unref(x->edits);
	g_ptr_array_unref(x->devices);
	g_ptr_array_unref(x->profiles);
}

static inline void scene_want_device(struct scene *x, struct mp_pci *device)
{
	struct mp_profile *profile = mp_profile_for_device(device, NULL);

	assert_non_null(profile);
	g_ptr_array_add(x->devices, device);
	g_ptr_array_add(x->profiles, profile);
}

static inline void scene_want(struct scene *x, const char *bdf)
{
	struct mp_pci *device = mp_host_device(x->host, bdf);

	if (!device)
		fail_msg("no device %s", bdf);
	scene_want_device(x, device);
}

/* Loads, wants BDF (NULL: what the configuration has), plans. */
static inline const struct mp_plan *scene_plan(struct scene *x, const char *bdf)
{
	scene_load(x);
	if (bdf)
		scene_want(x, bdf);
	x->plan = mp_plan_make(&x->wish);
	return x->plan;
}

/* --- asking the plan --- */

static inline const struct mp_plan_file *file_of(
	const struct mp_plan *plan, const char *path)
{
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return file;
	}
	return NULL;
}

static inline bool changes(const struct mp_plan *plan, const char *path)
{
	const struct mp_plan_file *file = file_of(plan, path);

	return file && file->changed;
}

static inline void show(const GPtrArray *remarks)
{
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		print_message("  %s: %s [%s]\n", remark->subject, remark->text,
			remark->remedy ? remark->remedy : "");
	}
}

static inline bool says(const GPtrArray *remarks, const char *part)
{
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		if (strstr(remark->text, part) ||
			(remark->remedy && strstr(remark->remedy, part)))
			return true;
	}
	return false;
}

#define assert_says(remarks, part)                                                       \
	do {                                                                             \
		if (!says(remarks, part)) {                                              \
			show(remarks);                                                   \
			fail_msg("nothing says '%s'", part);                             \
		}                                                                        \
	} while (0)

#define assert_silent(remarks, part)                                                     \
	do {                                                                             \
		if (says(remarks, part)) {                                               \
			show(remarks);                                                   \
			fail_msg("something says '%s'", part);                           \
		}                                                                        \
	} while (0)

#define assert_possible(plan)                                                            \
	do {                                                                             \
		if ((plan)->obstacles->len) {                                            \
			show((plan)->obstacles);                                         \
			fail_msg("there are obstacles");                                 \
		}                                                                        \
	} while (0)

/* The step that runs PROGRAM (or, for "images", proves them), or NULL; *at: its place. */
static inline const struct mp_step *step_of(
	const struct mp_plan *plan, const char *program, guint *at)
{
	for (*at = 0; *at < plan->steps->len; (*at)++) {
		const struct mp_step *step = plan->steps->pdata[*at];

		if (!g_strcmp0(mp_step_text_or_null(step->want, "program"), program) ||
			!strcmp(step->ops->kind, program))
			return step;
	}
	return NULL;
}

static inline bool runs(const struct mp_plan *plan, const char *program)
{
	guint at;

	return step_of(plan, program, &at) != NULL;
}

/* --- doing what the plan says --- */

/* INSIDE: its name in the image. */
static inline void add_member(
	struct mp_root *root, GString *digest, const char *path, const char *inside)
{
	g_autofree char *text = NULL;

	if (mp_root_read(root, path, MP_READ_FILE, &text, NULL) < 0)
		return;
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

	g_string_append_printf(digest, "file %s\n", inside);
	for (char **line = lines; *line; line++)
		g_string_append_printf(digest, "\t%s\n", *line);
}

/* What update-initramfs would make of the image: its modules, with those of VFIO, and the
 * modprobe.d of the root. */
static inline char *made_again(struct mp_root *root, const char *digest)
{
	g_auto(GStrv) lines = g_strsplit(digest, "\n", -1);
	g_auto(GStrv) names = NULL;
	GString *text = g_string_new(NULL);

	for (char **line = lines; *line; line++)
		if (g_str_has_prefix(*line, "archive ") ||
			g_str_has_prefix(*line, "modules "))
			g_string_append_printf(text, "%s\n", *line);
	g_string_append(text, "modules vfio vfio_pci vfio_pci_core vfio_iommu_type1\n");
	if (mp_root_list(root, "etc/modprobe.d", &names) == 0)
		for (char **name = names; *name; name++) {
			g_autofree char *path =
				g_strdup_printf("etc/modprobe.d/%s", *name);

			add_member(root, text, path, path);
		}
	add_member(root, text, MP_PATH_EARLY_TABLE, MP_PATH_EARLY_TABLE);
	add_member(root, text, "etc/initramfs-tools/" MP_PATH_EARLY_SCRIPT,
		MP_PATH_EARLY_SCRIPT);
	g_string_append_printf(text,
		"program %s\nfile scripts/init-top/ORDER\n"
		"\t/" MP_PATH_EARLY_SCRIPT " \"$@\"\n\t/scripts/init-top/udev \"$@\"\n",
		&MP_PATH_EARLY_PROGRAM[1]);
	return g_string_free(text, FALSE);
}

/* Puts the files of the plan into the scene; with its programs, new images too. */
static inline void scene_apply(struct scene *x)
{
	g_autoptr(mp_root) after = NULL;
	guint images = 0;

	for (guint i = 0; i < x->plan->files->len; i++) {
		const struct mp_plan_file *file = x->plan->files->pdata[i];
		struct mp_overlay edit = { g_strdup(file->path), g_strdup(file->content),
			file->mode, file->link };

		g_array_append_val(x->edits, edit);
	}
	if (!runs(x->plan, "update-initramfs"))
		return;
	after = mp_root_overlay(x->base, (void *)x->edits->data, x->edits->len);
	for (guint i = 0; i < x->host->initramfs->images->len; i++) {
		const struct mp_image *image = x->host->initramfs->images->pdata[i];
		g_autofree char *path =
			g_strdup_printf("metis-passthrough/initramfs/%s", image->kernel);
		g_autofree char *digest = NULL;
		g_autofree char *made = NULL;

		if (mp_root_read(after, path, MP_READ_FILE, &digest, NULL) < 0)
			continue;
		made = made_again(after, digest);
		scene_put(x, path, made);
		images++;
	}
	(void)images;
}

#endif
