/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loaded modules, the lists of every installed kernel, and what the admin configured. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/early-bind.h"
#include "core/kernel-digest.h"
#include "core/modules.h"
#include "core/pci.h"

#define CONFIG_FILE_MAX                                                                  \
	(1024u * 1024)        /* one file of modprobe.d: real ones have kilobytes */
#define CONFIG_FILES_MAX 1024 /* files in one kind of directory */
#define KERNELS_MAX      64

static void cannot_read(struct mp_host *host, const char *path, int err)
{
	struct mp_fact fact = mp_fact_errno(host, mp_host_strf(host, "/%s", path), err);
	struct mp_fact *kept;

	if (fact.know != MP_UNKNOWN)
		return;
	kept = mp_host_alloc(host, sizeof(*kept));
	*kept = fact;
	g_ptr_array_add(host->modules->unreadable, kept);
}

static void probe_loaded(struct mp_host *host, struct mp_root *root)
{
	struct mp_modules *modules = host->modules;
	g_autofree char *data = NULL;
	int err = mp_root_read(root, "proc/modules", MP_READ_FILE, &data, NULL);

	modules->loaded = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	if (err < 0) {
		modules->proc_modules = mp_fact_errno(host, "/proc/modules", err);
		return;
	}
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);

	for (char **line = lines; *line; line++) {
		size_t length = strcspn(*line, " ");
		g_autofree char *name = mp_clean_text(*line, length);

		if (length)
			g_hash_table_add(
				modules->loaded, (gpointer)mp_module_name(host, name));
	}
	modules->proc_modules = mp_fact_known(host, "/proc/modules",
		mp_host_strf(host, "%u module%s", g_hash_table_size(modules->loaded),
			MP_PLURAL(g_hash_table_size(modules->loaded))));
}

/* --- installed kernels --- */

struct digest_job {
	struct mp_root *root;
	const char *release;
	const char *const *modaliases;
};

static int make_digest(void *user, char **data, size_t *size)
{
	const struct digest_job *job = user;

	*data = mp_kernel_digest(job->root, job->release, job->modaliases);
	*size = strlen(*data);
	return 0;
}

static void add_kernel(struct mp_host *host, struct mp_root *root, const char *release,
	const char *running, const char *const *modaliases)
{
	struct mp_kernel *kernel = mp_host_alloc(host, sizeof(*kernel));
	struct digest_job job = { root, release, modaliases };
	g_autofree char *path = g_strdup_printf("metis-passthrough/modules/%s", release);
	g_autofree char *text = NULL;
	size_t size;

	/* A captured directory may hold the files themselves. */
	if (mp_root_produced(root, path, make_digest, &job, &text, &size) < 0)
		make_digest(&job, &text, &size);
	kernel->release = mp_host_str(host, release);
	kernel->running = !strcmp(release, running);
	mp_kernel_digest_parse(host, text, kernel);
	g_ptr_array_add(host->modules->kernels, kernel);
}

static bool is_kernel(struct mp_root *root, const char *name)
{
	static const char *const files[] = { "modules.dep", "modules.builtin" };
	struct mp_stat st;

	/* The name becomes part of paths and of a digest. */
	for (const char *p = name; *p; p++)
		if (!g_ascii_isgraph(*p))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path =
			g_strdup_printf("lib/modules/%s/%s", name, files[i]);

		int err = mp_root_stat(root, path, &st);

		/* What cannot be looked at counts: its facts are unknown then. Not in a
		 * snapshot, which lists directories of which it holds nothing. */
		if (err != -ENOENT && err != -ENOTDIR && err != -ENODATA)
			return true;
	}
	return false; /* what a removed kernel left behind */
}

static int compare_releases(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static void probe_kernels(struct mp_host *host, struct mp_root *root)
{
	struct mp_fact running = mp_fact_read(host, root, "proc/sys/kernel/osrelease");
	g_autoptr(GPtrArray) modaliases = g_ptr_array_new();
	g_autoptr(GPtrArray) releases = g_ptr_array_new();
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, "lib/modules", &names);

	if (err < 0) {
		host->modules->kernels_fact = mp_fact_errno(host, "/lib/modules", err);
		return;
	}
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (device->modalias.know == MP_KNOWN)
			g_ptr_array_add(modaliases, (gpointer)device->modalias.text);
	}
	g_ptr_array_add(modaliases, NULL);
	for (char **name = names; *name && releases->len <= KERNELS_MAX; name++)
		if (is_kernel(root, *name))
			g_ptr_array_add(releases, *name);
	if (releases->len > KERNELS_MAX) {
		host->modules->kernels_fact = mp_fact_unknown(host, "/lib/modules",
			"it has more kernels than are looked at (64)");
		return;
	}
	g_ptr_array_sort(releases, compare_releases);
	for (guint i = 0; i < releases->len; i++)
		add_kernel(host, root, releases->pdata[i],
			running.know == MP_KNOWN ? running.text : "",
			(const char *const *)modaliases->pdata);
	host->modules->kernels_fact = mp_fact_known(host, "/lib/modules",
		mp_host_strf(
			host, "%u kernel%s", releases->len, MP_PLURAL(releases->len)));
}

/* --- configuration directories --- */

struct config_file {
	const char *name; /* base name: the key of order and precedence */
	char *path;
};

static void config_file_free(void *data)
{
	struct config_file *file = data;

	g_free(file->path);
	g_free(file);
}

static int compare_files(const void *a, const void *b)
{
	const struct config_file *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/*
 * The files of the NULL-ended DIRECTORIES as modprobe, udev and systemd choose them: of
 * several with one name the one in the first directory, all in byte order of the names.
 */
static GPtrArray *config_files(struct mp_host *host, struct mp_root *root,
	const char *const *directories, const char *const *suffixes)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(config_file_free);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (; *directories; directories++) {
		g_auto(GStrv) names = NULL;
		int err = mp_root_list(root, *directories, &names);

		if (err < 0) {
			cannot_read(host, *directories, err);
			continue;
		}
		for (char **name = names; *name; name++) {
			const char *const *suffix = suffixes;

			while (*suffix && !g_str_has_suffix(*name, *suffix))
				suffix++;
			if (!*suffix || **name == '.')
				continue;
			if (files->len == CONFIG_FILES_MAX) {
				cannot_read(host, *directories, -EFBIG);
				break;
			}
			struct config_file *file = g_new(struct config_file, 1);

			file->path = g_strdup_printf("%s/%s", *directories, *name);
			file->name = strrchr(file->path, '/') + 1;
			if (g_hash_table_contains(seen, file->name)) {
				config_file_free(file);
				continue;
			}
			g_hash_table_add(seen, (gpointer)file->name);
			g_ptr_array_add(files, file);
		}
	}
	g_ptr_array_sort(files, compare_files);
	return files;
}

static char *read_config(
	struct mp_host *host, struct mp_root *root, const char *path, size_t *size)
{
	char *data = NULL;
	int err = mp_root_read(root, path, CONFIG_FILE_MAX, &data, size);

	if (err < 0)
		cannot_read(host, path, err);
	return data;
}

static void probe_modprobe(struct mp_host *host, struct mp_root *root)
{
	/* Order and suffixes of kmod: libkmod.c default_config_paths, libkmod-config.c. */
	static const char *const directories[] = { "etc/modprobe.d", "run/modprobe.d",
		"usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d",
		NULL };
	static const char *const suffixes[] = { ".conf", ".alias", NULL };
	struct mp_modules *modules = host->modules;
	g_autoptr(GPtrArray) files = config_files(host, root, directories, suffixes);
	struct mp_fact cmdline = mp_fact_read(host, root, "proc/cmdline");

	for (guint i = 0; i < files->len; i++) {
		const struct config_file *file = files->pdata[i];
		size_t size = 0;
		g_autofree char *text = read_config(host, root, file->path, &size);
		g_autofree char *name = g_strdup_printf("/%s", file->path);
		int err = text ? mp_modprobe_parse(
					 host, name, text, size, modules->modprobe)
			       : 0;

		if (err < 0)
			cannot_read(host, file->path, err);
	}
	if (cmdline.know == MP_KNOWN)
		mp_modprobe_parse_cmdline(
			host, cmdline.source, cmdline.text, modules->modprobe);
}

static void load_from(struct mp_host *host, struct mp_root *root, const char *path,
	bool options, GPtrArray *load)
{
	size_t size = 0;
	g_autofree char *text = read_config(host, root, path, &size);
	g_autofree char *name = g_strdup_printf("/%s", path);

	if (text)
		mp_module_load_parse(host, name, text, options, load);
}

static void probe_load(struct mp_host *host, struct mp_root *root)
{
	static const char *const directories[] = { "etc/modules-load.d",
		"run/modules-load.d", "usr/local/lib/modules-load.d",
		"usr/lib/modules-load.d", "lib/modules-load.d", NULL };
	static const char *const suffixes[] = { ".conf", NULL };
	struct mp_modules *modules = host->modules;
	g_autoptr(GPtrArray) files = config_files(host, root, directories, suffixes);

	/* Debian links modules-load.d/modules.conf to it. */
	load_from(host, root, "etc/modules", false, modules->load);
	for (guint i = 0; i < files->len; i++) {
		const struct config_file *file = files->pdata[i];

		load_from(host, root, file->path, false, modules->load);
	}
	load_from(
		host, root, "etc/initramfs-tools/modules", true, modules->initramfs_load);
}

/* --- driver_override --- */

static void probe_driverctl(struct mp_host *host, struct mp_root *root)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, "etc/driverctl.d", &names);

	if (err < 0)
		cannot_read(host, "etc/driverctl.d", err);
	for (char **name = names; err == 0 && *name; name++) {
		g_autofree char *path = g_strdup_printf("etc/driverctl.d/%s", *name);
		struct mp_fact driver = mp_fact_read(host, root, path);
		/* driverctl names files ADDRESS or "pci-ADDRESS". */
		const char *address = g_str_has_prefix(*name, "pci-") ? *name + 4 : *name;
		struct mp_override_rule *rule;

		if (driver.know != MP_KNOWN || !*driver.text)
			continue;
		rule = mp_host_alloc(host, sizeof(*rule));
		*rule = (struct mp_override_rule){
			.address = mp_host_str(host, address),
			.vendor = -1,
			.device = -1,
			.subvendor = -1,
			.subdevice = -1,
			.driver = driver.text,
			.file = driver.source,
		};
		g_ptr_array_add(host->modules->overrides, rule);
	}
}

static void probe_udev(struct mp_host *host, struct mp_root *root)
{
	/* Only what an admin writes; packages ship no rule for one address. */
	static const char *const directories[] = { "etc/udev/rules.d", "run/udev/rules.d",
		"usr/local/lib/udev/rules.d", NULL };
	static const char *const suffixes[] = { ".rules", NULL };
	g_autoptr(GPtrArray) files = config_files(host, root, directories, suffixes);

	for (guint i = 0; i < files->len; i++) {
		const struct config_file *file = files->pdata[i];
		size_t size = 0;
		g_autofree char *text = read_config(host, root, file->path, &size);
		g_autofree char *name = g_strdup_printf("/%s", file->path);

		if (text)
			mp_override_parse_udev(
				host, name, text, host->modules->overrides);
	}
}

/* Our rule is nothing without its program and its table, and they are nothing without it. */
static void probe_early(struct mp_host *host, struct mp_root *root)
{
	const GPtrArray *rules = host->modules->overrides;
	g_autofree char *text = NULL;

	for (guint i = 0; i < rules->len; i++) {
		struct mp_override_rule *rule = rules->pdata[i];
		struct mp_stat st;
		size_t size = 0;
		int err;

		if (!rule->program)
			continue;
		err = mp_root_stat(root, rule->program, &st);
		rule->program_fact =
			err < 0 ? mp_fact_errno(host, rule->program, err)
				: mp_fact_known(host, rule->program, "installed");
		if (!text)
			text = read_config(host, root, MP_PATH_EARLY_TABLE, &size);
	}
	if (text)
		mp_early_parse(host, text, host->modules->early);
}

static void probe_config(struct mp_host *host, struct mp_root *root)
{
	struct mp_modules *modules = host->modules;

	modules->modprobe = mp_host_array(host);
	modules->unreadable = mp_host_array(host);
	modules->load = mp_host_array(host);
	modules->initramfs_load = mp_host_array(host);
	modules->overrides = mp_host_array(host);
	modules->early = mp_host_array(host);
	probe_modprobe(host, root);
	probe_load(host, root);
	probe_driverctl(host, root);
	probe_udev(host, root);
	probe_early(host, root);
}

void mp_probe_module_config(struct mp_host *host, struct mp_root *root)
{
	struct mp_modules *modules = mp_host_alloc(host, sizeof(*modules));

	*modules = *host->modules;
	host->modules = modules;
	probe_config(host, root);
}

void mp_probe_modules(struct mp_host *host, struct mp_root *root)
{
	struct mp_modules *modules = mp_host_alloc(host, sizeof(*modules));

	host->modules = modules;
	modules->kernels = mp_host_array(host);
	probe_loaded(host, root);
	probe_kernels(host, root);
	probe_config(host, root);
}
