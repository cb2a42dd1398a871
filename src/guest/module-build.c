/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's module, built by root from the source that a package installed: nothing is built
 * that others than root could have written, and the headers must be the running kernel's.
 */
#include "config.h"

#include <string.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/journal.h"
#include "core/platform.h"
#include "guest/module-private.h"

#define SOURCES      "usr/src"
#define SOURCE       "metis-dmatest-" /* as dkms wants it: NAME-VERSION */
#define PACKAGE_DKMS "metis-passthrough-dkms"
#define PLACE        MP_PATH_JOURNAL "/module-build"

#define SOURCES_MAX   100 /* files */
#define LINKS_MAX     8
#define UTSRELEASE    "/include/generated/utsrelease.h"
#define UTS_MAX       4096
#define COMPLAINT_MAX 300

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

/* --- who may have written it --- */

static bool distrust(const char *path, const struct mp_node_state *state, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_DENIED,
		"/%s may be written by others than root (owner %u:%u, mode %04o), and root "
		"would run what they put there: install it anew, or chown root:root and chmod "
		"go-w",
		path, state->uid, state->gid, state->mode);
	return false;
}

/* PATH itself is NODE, root's, and nobody else may write to it. */
static bool is_roots(
	struct mp_target *target, const char *path, enum mp_node node, GError **error)
{
	struct mp_node_state state;

	if (!mp_target_look(target, path, &state, error))
		return false;
	if (state.node != node) {
		g_set_error(error, MP_ERROR, MP_ERROR_DENIED, "/%s is no plain %s", path,
			node == MP_NODE_FILE ? "file" : "directory");
		return false;
	}
	if (state.uid || (state.mode & 0002) || (state.gid && (state.mode & 0020)))
		return distrust(path, &state, error);
	return true;
}

/* Where the link at PATH leads: a path from the root again. NULL: it is no link. */
static char *follow(struct mp_root *root, const char *path)
{
	g_autofree char *text = NULL;
	g_autofree char *parent = NULL;

	if (mp_root_readlink(root, path, &text) < 0)
		return NULL;
	if (text[0] == '/')
		return g_strdup(text + strspn(text, "/"));
	parent = g_path_get_dirname(path);
	return g_strconcat(parent, "/", text, NULL);
}

/* The headers are reached by a link of the kernel's package; what it leads to counts. */
static bool headers_are_roots(
	struct mp_target *target, const char *headers, GError **error)
{
	g_autofree char *makefile = g_strconcat(headers, "/Makefile", NULL);
	g_autofree char *directory = g_strdup(headers);

	for (int n = 0; n < LINKS_MAX; n++) {
		char *next = follow(mp_target_root(target), directory);

		if (!next)
			break;
		g_free(directory);
		directory = next;
	}
	return is_roots(target, directory, MP_NODE_DIRECTORY, error) &&
	       is_roots(target, makefile, MP_NODE_FILE, error);
}

/* --- what it takes --- */

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

/* The release in the headers at BUILD, where they say it. NULL: they do not; caller frees. */
static char *release_of(struct mp_root *root, const char *build)
{
	static const char before[] = "#define UTS_RELEASE \"";
	g_autofree char *path = g_strconcat(build, UTSRELEASE, NULL);
	g_autofree char *text = NULL;
	const char *from, *end;
	size_t size;

	if (mp_root_read(root, path, UTS_MAX, &text, &size) < 0)
		return NULL;
	from = strstr(text, before);
	end = from ? strchr(from + strlen(before), '"') : NULL;
	if (!end)
		return NULL;
	from += strlen(before);
	return mp_clean_text(from, (size_t)(end - from));
}

static bool can_build(struct mp_module_loader *loader, const char *build, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	const struct mp_platform *platform = loader->host->platform;
	const char *release = platform->kernel_release.text;
	bool proxmox = platform->pve_manager.know == MP_KNOWN;
	g_autofree char *makefile = g_strconcat(build, "/Makefile", NULL);
	g_autofree char *headers =
		g_strdup_printf("%s-headers-%s", proxmox ? "proxmox" : "linux", release);
	g_autofree char *what = NULL;
	g_autofree char *other = NULL;
	struct mp_stat st;

	if (mp_root_stat(root, makefile, &st) < 0) {
		what = g_strdup_printf("the headers of kernel %s are missing", release);
		return lacks(error, what, headers);
	}
	other = release_of(root, build);
	if (other && strcmp(other, release) != 0) {
		what = g_strdup_printf(
			"/%s has to be of kernel %s, which runs, and is of %s", build,
			release, other);
		return lacks(error, what, headers);
	}
	if (!mp_program_there(MP_PROGRAM_MAKE, loader->target))
		return lacks(error, "make is missing", "make");
	if (!has_compiler(root))
		return lacks(error, "a compiler is missing", "gcc");
	return headers_are_roots(loader->target, build, error);
}

/* --- building --- */

/* The names in SOURCE, which the caller frees; NULL: it is not to be built. */
static char **list_source(
	struct mp_module_loader *loader, const char *source, GError **error)
{
	char **names = NULL;
	int err;

	if (!is_roots(loader->target, SOURCES, MP_NODE_DIRECTORY, error) ||
		!is_roots(loader->target, source, MP_NODE_DIRECTORY, error))
		return NULL;
	err = mp_root_list(mp_target_root(loader->target), source, &names);
	if (err < 0) {
		mp_error_set_errno(error, err, source, "list it");
		return NULL;
	}
	if (g_strv_length(names) <= SOURCES_MAX)
		return names;
	g_strfreev(names);
	g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
		"/%s: more than %d files are not our module", source, SOURCES_MAX);
	return NULL;
}

/* A build leaves files beside the source, and none may be left in a package's directory. */
static bool copy_source(
	struct mp_module_loader *loader, const char *source, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	g_auto(GStrv) names = list_source(loader, source, error);

	if (!names)
		return false;
	for (char **name = names; *name; name++) {
		g_autofree char *from = g_strdup_printf("%s/%s", source, *name);
		g_autofree char *to = g_strdup_printf(PLACE "/%s", *name);
		struct mp_stat st;

		if (mp_root_stat(root, from, &st) < 0 || st.type != MP_FILE_REGULAR)
			continue;
		if (!is_roots(loader->target, from, MP_NODE_FILE, error) ||
			!mp_target_copy(
				loader->target, from, to, ".copy.tmp", false, error))
			return false;
	}
	return true;
}

/* "gcc-12: not found": the package that the headers want; NULL: it is no such line. */
static char *compiler_that_lacks(const char *line)
{
	const char *from = strstr(line, "gcc-");
	size_t digits = from ? strspn(from + 4, "0123456789") : 0;

	if (!digits || !g_str_has_prefix(from + 4 + digits, ": "))
		return NULL;
	return strstr(line, "not found") || strstr(line, "No such file")
		       ? g_strndup(from, 4 + digits)
		       : NULL;
}

/* Why make failed, from the first line that tells. */
static bool failed(struct mp_module_loader *loader, GError *problem, GError **error)
{
	g_autofree char *clean = NULL;
	g_autofree char *package = NULL;
	g_auto(GStrv) parts = NULL;

	if (loader->stopped || !loader->complaint ||
		!strstr(problem->message, ": failed with exit code")) {
		g_propagate_error(error, problem);
		return false;
	}
	g_error_free(problem);
	parts = g_strsplit(loader->complaint, "/" PLACE "/", -1);
	clean = g_strjoinv("", parts);
	if (g_utf8_strlen(clean, -1) > COMPLAINT_MAX)
		*g_utf8_offset_to_pointer(clean, COMPLAINT_MAX) = '\0';
	package = compiler_that_lacks(clean);
	g_set_error(error, MP_ERROR, package ? MP_ERROR_NOT_FOUND : MP_ERROR_IO,
		"building it failed: %s%s%s", clean, package ? ": apt install " : "",
		package ? package : "");
	return false;
}

static bool make(struct mp_module_loader *loader, const char *headers, GError **error)
{
	g_autofree char *where = g_strconcat("/", headers, NULL);
	const char *const args[] = { "-C", where, "M=/" PLACE, "modules", NULL };
	GError *problem = NULL;

	if (mp_module_call(
		    loader, MP_PROGRAM_MAKE, args, MP_MODULE_BUILD_SECONDS, &problem))
		return true;
	return failed(loader, problem, error);
}

static bool build_and_load(struct mp_module_loader *loader, const char *source,
	const char *headers, GError **error)
{
	static const char *const insmod[] = { "/" PLACE "/" DMATEST_MODULE ".ko", NULL };
	bool good;

	/* What a killed run left. */
	if (!mp_target_remove_tree(loader->target, PLACE, error) ||
		!mp_target_make_private_dir(loader->target, MP_PATH_JOURNAL, error) ||
		!mp_target_make_private_dir(loader->target, PLACE, error))
		return false;
	good = copy_source(loader, source, error) && make(loader, headers, error) &&
	       mp_module_call(loader, MP_PROGRAM_INSMOD, insmod, MP_MODULE_LOAD_SECONDS,
		       error) &&
	       mp_module_came(loader, error);
	mp_target_remove_tree(loader->target, PLACE, NULL);
	return good;
}

bool mp_module_build(struct mp_module_loader *loader, GError **error)
{
	struct mp_root *root = mp_target_root(loader->target);
	const struct mp_platform *platform = loader->host->platform;
	g_autofree char *source = mp_guest_module_source(root);
	g_autofree char *headers = NULL;
	bool good;

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
	good = can_build(loader, headers, error) &&
	       build_and_load(loader, source, headers, error);
	g_clear_pointer(&loader->complaint, g_free);
	return good;
}
