/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/journal.h"
#include "core/platform.h"
#include "core/program.h"
#include "guest/module.h"

#define DRIVER       "sys/bus/pci/drivers/" DMATEST_MODULE
#define SOURCES      "usr/src"
#define SOURCE       "metis-dmatest-" /* as dkms wants it: NAME-VERSION */
#define PACKAGE_DKMS "metis-passthrough-dkms"
#define PLACE        MP_PATH_JOURNAL "/module-build"

#define LOAD_SECONDS  60
#define BUILD_SECONDS 600 /* some seconds on a machine; more where it is emulated */
#define SOURCES_MAX   100 /* files */

struct loader {
	const struct mp_host *host;
	struct mp_target *target;
	bool (*tick)(void *user, const char *line);
	void *user;
	bool stopped;
};

static bool is_there(struct mp_target *target)
{
	struct mp_stat st;

	return mp_root_stat(mp_target_root(target), DRIVER, &st) == 0;
}

static bool on_line(void *user, const char *line)
{
	struct loader *loader = user;

	if (loader->tick && !loader->tick(loader->user, line))
		loader->stopped = true;
	return !loader->stopped;
}

static bool call(struct loader *loader, enum mp_program program, const char *const *args,
	unsigned seconds, GError **error)
{
	const struct mp_program_call call = {
		.program = program,
		.args = args,
		.target = loader->target,
		.seconds = seconds,
		.line = on_line,
		.user = loader,
	};

	return mp_program_call(&call, error);
}

/* The driver is what counts, not that a program was content. */
static bool came(struct loader *loader, GError **error)
{
	if (is_there(loader->target))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"the module is loaded, but there is no PCI driver " DMATEST_MODULE);
	return false;
}

/* --- building --- */

char *mp_guest_module_source(struct mp_root *root)
{
	g_auto(GStrv) names = NULL;
	const char *best = NULL;

	if (mp_root_list(root, SOURCES, &names) < 0)
		return NULL;
	for (char **name = names; *name; name++) {
		if (!g_str_has_prefix(*name, SOURCE))
			continue;
		if (!strcmp(*name + strlen(SOURCE), PACKAGE_VERSION)) {
			best = *name;
			break;
		}
		if (!best || mp_version_compare(*name, best) > 0)
			best = *name;
	}
	return best ? g_strdup_printf(SOURCES "/%s", best) : NULL;
}

static bool lacks(GError **error, const char *what, const char *package)
{
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"to build it, %s: apt install %s", what, package);
	return false;
}

/* Debian's headers name the compiler that they want (gcc-12), so any is a good sign only;
 * the build says the rest. */
static bool has_compiler(struct mp_root *root)
{
	g_auto(GStrv) names = NULL;

	if (mp_root_list(root, "usr/bin", &names) < 0)
		return false;
	for (char **name = names; *name; name++)
		if (!strcmp(*name, "gcc") ||
			(g_str_has_prefix(*name, "gcc-") && g_ascii_isdigit((*name)[4])))
			return true;
	return false;
}

static bool can_build(struct loader *loader, const char *build, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	const struct mp_platform *platform = loader->host->platform;
	bool proxmox = platform->pve_manager.know == MP_KNOWN;
	g_autofree char *makefile = g_strconcat(build, "/Makefile", NULL);
	g_autofree char *headers = g_strdup_printf("%s-headers-%s",
		proxmox ? "proxmox" : "linux", platform->kernel_release.text);
	g_autofree char *what = g_strdup_printf(
		"the headers of kernel %s are missing", platform->kernel_release.text);
	struct mp_stat st;

	if (mp_root_stat(root, makefile, &st) < 0)
		return lacks(error, what, headers);
	if (!mp_program_there(MP_PROGRAM_MAKE, loader->target))
		return lacks(error, "make is missing", "make");
	if (!has_compiler(root))
		return lacks(error, "a compiler is missing", "gcc");
	return true;
}

static bool copy_source(struct loader *loader, const char *source, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, source, &names);

	if (err < 0) {
		mp_error_set_errno(error, err, source, "list it");
		return false;
	}
	if (g_strv_length(names) > SOURCES_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"/%s: more than %d files are not our module", source,
			SOURCES_MAX);
		return false;
	}
	for (char **name = names; *name; name++) {
		g_autofree char *from = g_strdup_printf("%s/%s", source, *name);
		g_autofree char *to = g_strdup_printf(PLACE "/%s", *name);
		struct mp_stat st;

		if (mp_root_stat(root, from, &st) < 0 || st.type != MP_FILE_REGULAR)
			continue;
		if (!mp_target_copy(loader->target, from, to, ".copy.tmp", false, error))
			return false;
	}
	return true;
}

static bool build_and_load(
	struct loader *loader, const char *source, const char *build, GError **error)
{
	g_autofree char *where = g_strconcat("/", build, NULL);
	const char *const make[] = { "-C", where, "M=/" PLACE, "modules", NULL };
	static const char *const insmod[] = { "/" PLACE "/" DMATEST_MODULE ".ko", NULL };
	bool good;

	/* What a killed run left. */
	if (!mp_target_remove_tree(loader->target, PLACE, error) ||
		!mp_target_make_private_dir(loader->target, MP_PATH_JOURNAL, error) ||
		!mp_target_make_private_dir(loader->target, PLACE, error))
		return false;
	good = copy_source(loader, source, error) &&
	       call(loader, MP_PROGRAM_MAKE, make, BUILD_SECONDS, error) &&
	       call(loader, MP_PROGRAM_INSMOD, insmod, LOAD_SECONDS, error) &&
	       came(loader, error);
	mp_target_remove_tree(loader->target, PLACE, NULL);
	return good;
}

static bool build(struct loader *loader, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	const struct mp_platform *platform = loader->host->platform;
	g_autofree char *source = mp_guest_module_source(root);
	g_autofree char *headers = NULL;

	if (!source) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"its source is not installed in /" SOURCES
			" (package " PACKAGE_DKMS ")");
		return false;
	}
	if (platform->kernel_release.know != MP_KNOWN) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"to build it, the running kernel's release has to be known");
		return false;
	}
	headers = g_strdup_printf("lib/modules/%s/build", platform->kernel_release.text);
	return can_build(loader, headers, error) &&
	       build_and_load(loader, source, headers, error);
}

/* --- loading --- */

/* init_module(2): what is not signed by a known key, where the kernel insists. */
static bool wants_signature(const GError *problem)
{
	return strstr(problem->message, "Key was rejected") ||
	       strstr(problem->message, "Required key not available") ||
	       strstr(problem->message, "Operation not permitted");
}

static void explain_signature(GError **error)
{
	if (wants_signature(*error))
		g_prefix_error(error,
			"this kernel takes signed modules only (Secure Boot): with dkms, "
			"enroll its key (mokutil --import /var/lib/dkms/mok.pub), or use "
			"VFIO with a virtual IOMMU (--way group); ");
}

bool mp_guest_module_load(const struct mp_host *host, struct mp_target *target,
	bool (*tick)(void *user, const char *line), void *user, enum mp_module_from *from,
	GError **error)
{
	static const char *const args[] = { DMATEST_MODULE, NULL };
	struct loader loader = {
		.host = host,
		.target = target,
		.tick = tick,
		.user = user,
	};
	g_autoptr(GError) problem = NULL;

	*from = MP_MODULE_NOWHERE;
	if (is_there(target)) {
		*from = MP_MODULE_THERE;
		return true;
	}
	if (call(&loader, MP_PROGRAM_MODPROBE, args, LOAD_SECONDS, &problem) &&
		came(&loader, &problem)) {
		*from = MP_MODULE_LOADED;
		return true;
	}
	if (!loader.stopped && !wants_signature(problem)) {
		if (build(&loader, error)) {
			*from = MP_MODULE_BUILT;
			return true;
		}
		if (error)
			g_prefix_error(error, "%s; ", problem->message);
	} else if (error) {
		g_propagate_error(error, g_steal_pointer(&problem));
	}
	if (error && *error) {
		explain_signature(error);
		g_prefix_error(error, "module " DMATEST_MODULE " is not there: ");
	}
	return false;
}

void mp_guest_module_unload(struct mp_target *target, enum mp_module_from from)
{
	static const char *const args[] = { DMATEST_MODULE, NULL };
	const struct mp_program_call rmmod = {
		.program = MP_PROGRAM_RMMOD,
		.args = args,
		.target = target,
		.seconds = LOAD_SECONDS,
	};

	if (from == MP_MODULE_LOADED || from == MP_MODULE_BUILT)
		mp_program_call(&rmmod, NULL);
}
