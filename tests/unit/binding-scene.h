/* SPDX-License-Identifier: GPL-2.0-or-later */
/* binding-scene.h - a small host whose card shall be bound at boot. */
#ifndef MP_BINDING_SCENE_H
#define MP_BINDING_SCENE_H

#include <string.h>
#include <sys/stat.h>

#include "core/early-bind.h"
#include "core/initramfs-digest.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/step.h"
#include "unit.h"

#define assert_no_error(e)                                                               \
	do {                                                                             \
		if (e)                                                                   \
			fail_msg("%s", (e)->message);                                    \
	} while (0)
#include "cpio-build.h"
#include "sysroot.h"

#define OLD       "6.8.12-4-pve"
#define NEW       "6.14.0-2-pve"
#define IMAGE     "boot/initrd.img-" NEW
#define OLD_IMAGE "boot/initrd.img-" OLD
#define CARD      "0000:86:00.0"
#define TWIN      "0000:87:00.0"
#define MODPROBE  "/etc/modprobe.d/metis-passthrough.conf"
#define LOAD      "/etc/modules-load.d/metis-passthrough.conf"
#define HOOK      "/etc/initramfs-tools/hooks/metis-passthrough"
#define SCRIPT    "/etc/initramfs-tools/scripts/init-top/metis-passthrough"
#define TABLE     "/etc/metis-passthrough/early-bind.conf"
#define RULES     "/etc/udev/rules.d/10-metis-passthrough.rules"

struct fixture {
	struct sysroot files;
	struct mp_root *root;
	struct mp_host *host;
	struct mp_config *config;
	GPtrArray *devices, *profiles;
	struct mp_plan *plan;
};

static inline void put(struct fixture *x, const char *path, const char *text)
{
	sysroot_text(&x->files, path, text);
}

static inline void executable(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->files.path, path, NULL);

	put(x, path, "");
	assert_int_equal(chmod(full, 0755), 0);
}

/* SUBSYSTEM: the device of it. SERIAL 0: no configuration space beyond 256 bytes. */
static inline void drop(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->files.path, path, NULL);

	assert_int_equal(g_remove(full), 0);
}

static inline void put_device(
	struct fixture *x, const char *bdf, const char *subsystem, uint64_t serial)
{
	g_autofree char *dir = g_strdup_printf("sys/bus/pci/devices/%s/", bdf);
	g_autofree char *modalias = g_strdup_printf(
		"pci:v00001F9Dd00001100sv00001F9Dsd0000%sbc12sc00i00\n", subsystem + 2);
	const struct {
		const char *name, *text;
	} attributes[] = { { "vendor", "0x1f9d" }, { "device", "0x1100" },
		{ "subsystem_vendor", "0x1f9d" }, { "subsystem_device", subsystem },
		{ "class", "0x120000" }, { "irq", "0" }, { "resource", "" },
		{ "driver_override", "(null)" }, { "modalias", modalias } };
	uint8_t config[4096] = { 0x9d, 0x1f, 0x00,
		0x11, [0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x10, [0x41] = 0x00,
		[0x42] = 0x02, [0x100] = 0x03, [0x102] = 0x01 };
	g_autofree char *path = g_strconcat(dir, "config", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
		g_autofree char *file = g_strconcat(dir, attributes[i].name, NULL);

		put(x, file, attributes[i].text);
	}
	for (int i = 0; i < 8; i++)
		config[0x104 + i] = (uint8_t)(serial >> 8 * i);
	sysroot_write(&x->files, path, config, serial ? sizeof(config) : 256);
}

static inline void put_kernel(struct fixture *x, const char *release, const char *module)
{
	g_autofree char *dep = g_strdup_printf("lib/modules/%s/modules.dep", release);
	g_autofree char *builtin =
		g_strdup_printf("lib/modules/%s/modules.builtin", release);
	g_autofree char *alias = g_strdup_printf("lib/modules/%s/modules.alias", release);
	g_autofree char *deps = g_strdup_printf(
		"kernel/vfio.ko:\nkernel/vfio-pci.ko: kernel/vfio.ko\nupdates/%s.ko:\n",
		module);
	g_autofree char *aliases = g_strdup_printf(
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* %s\n", module);

	put(x, dep, deps);
	put(x, builtin, "");
	put(x, alias, aliases);
}

static inline int open_host(void **state)
{
	struct fixture *x = g_new0(struct fixture, 1);

	sysroot_init(&x->files);
	put(x, "proc/sys/kernel/osrelease", NEW "\n");
	put(x, "proc/cmdline", "root=/dev/sda1 ro quiet\n");
	put(x, "proc/modules", "");
	put(x, "boot/grub/grub.cfg", "linux /boot/vmlinuz-" NEW " root=/dev/sda1 ro\n");
	put(x, "etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	put_kernel(x, OLD, "metis_old");
	put_kernel(x, NEW, "metis");
	put(x, OLD_IMAGE, "its content is not known");
	put(x, IMAGE, "its content is not known");
	put_device(x, CARD, "0x0001", 0);
	executable(x, "usr/sbin/update-initramfs");
	executable(x, MP_PATH_EARLY_PROGRAM);
	*state = x;
	return 0;
}

static inline void forget(struct fixture *x)
{
	g_clear_pointer(&x->plan, mp_plan_free);
	g_clear_pointer(&x->host, mp_host_free);
	g_clear_pointer(&x->config, mp_config_free);
	g_clear_pointer(&x->root, mp_root_free);
	g_clear_pointer(&x->devices, g_ptr_array_unref);
	g_clear_pointer(&x->profiles, g_ptr_array_unref);
}

static inline int close_host(void **state)
{
	struct fixture *x = *state;

	forget(x);
	sysroot_clear(&x->files);
	g_free(x);
	return 0;
}

static inline void load(struct fixture *x)
{
	GError *error = NULL;

	forget(x);
	x->root = mp_root_open(x->files.path, NULL);
	x->host = mp_host_load(x->root, MP_TOPIC_ALL, &error);
	assert_no_error(error);
	x->config = mp_config_load(x->root, NULL);
	x->devices = g_ptr_array_new();
	x->profiles = g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
}

static inline void want(struct fixture *x, const char *bdf)
{
	struct mp_pci *device = mp_host_device(x->host, bdf);

	assert_non_null(device);
	g_ptr_array_add(x->devices, device);
	g_ptr_array_add(x->profiles, mp_profile_for_device(device, NULL));
}

static inline void plan_more(struct fixture *x, const char *binding, const char *second)
{
	load(x);
	want(x, CARD);
	if (second)
		want(x, second);
	struct mp_wish wish = {
		.host = x->host,
		.root = x->root,
		.config = x->config,
		.devices = x->devices,
		.profiles = x->profiles,
		.binding = binding,
	};

	x->plan = mp_plan_make(&wish);
}

static inline void plan(struct fixture *x, const char *binding)
{
	plan_more(x, binding, NULL);
}

static inline const struct mp_plan_file *find(const struct fixture *x, const char *path)
{
	for (guint i = 0; i < x->plan->files->len; i++) {
		const struct mp_plan_file *file = x->plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return file;
	}
	return NULL;
}

/* Puts the files of the plan in place. */
static inline void carry_out(struct fixture *x)
{
	for (guint i = 0; i < x->plan->files->len; i++) {
		const struct mp_plan_file *file = x->plan->files->pdata[i];
		g_autofree char *full = g_build_filename(x->files.path, file->path, NULL);

		/* The link of the unit is no file. */
		if (S_ISLNK(file->mode) || strstr(file->path, ".wants/"))
			continue;
		if (!file->content) {
			g_remove(full);
			continue;
		}
		put(x, file->path, file->content);
		assert_int_equal(chmod(full, file->mode), 0);
	}
}

/* --- images --- */

struct content {
	const char *order, *table;
	bool no_program, no_vfio, no_script, plain_script, no_host, other_program;
};

#endif
