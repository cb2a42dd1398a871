/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modprobe.d through libkmod. libkmod reads paths of its own, so it gets each file's text
 * (read through the root) as a memory file, and nothing else: that also tells which file a
 * line came from. It adds what /proc/cmdline of the running machine says (libkmod-config.c,
 * kmod_config_parse_kcmdline), always behind the files; a context without any file shows
 * how much that is, and so much is cut off.
 */
#include "config.h"

#include <errno.h>
#include <libkmod.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/boot.h"
#include "core/lazy.h"
#include "core/modules.h"

#define KMOD_SYMBOLS(X)                                                                  \
	X(kmod_new)                                                                      \
	X(kmod_unref)                                                                    \
	X(kmod_config_get_options)                                                       \
	X(kmod_config_get_softdeps)                                                      \
	X(kmod_config_get_blacklists)                                                    \
	X(kmod_config_get_install_commands)                                              \
	X(kmod_config_get_aliases)                                                       \
	X(kmod_config_iter_next)                                                         \
	X(kmod_config_iter_get_key)                                                      \
	X(kmod_config_iter_get_value)                                                    \
	X(kmod_config_iter_free_iter)
MP_LAZY(kmod, KMOD_SYMBOLS)

typedef struct kmod_config_iter *(*get_config)(const struct kmod_ctx *ctx);

static const struct {
	enum mp_modprobe_kind kind;
	get_config *get;
} kinds[] = {
	{ MP_MODPROBE_OPTIONS, &kmod.kmod_config_get_options },
	{ MP_MODPROBE_SOFTDEP, &kmod.kmod_config_get_softdeps },
	{ MP_MODPROBE_BLACKLIST, &kmod.kmod_config_get_blacklists },
	{ MP_MODPROBE_INSTALL, &kmod.kmod_config_get_install_commands },
	{ MP_MODPROBE_ALIAS, &kmod.kmod_config_get_aliases },
};

/*
 * kmod_new() reads the configuration before a log function can be set, and complains about
 * bad lines on standard error. Only the environment quietens it.
 */
static struct kmod_ctx *quiet_kmod_new(const char *const *paths)
{
	g_autofree char *before = g_strdup(g_getenv("KMOD_LOG"));
	struct kmod_ctx *ctx;

	g_setenv("KMOD_LOG", "0", TRUE);
	/* The directory is where modules would be looked for; none is asked for. */
	ctx = kmod.kmod_new("/proc/self/fd", paths);
	if (before)
		g_setenv("KMOD_LOG", before, TRUE);
	else
		g_unsetenv("KMOD_LOG");
	return ctx;
}

static unsigned count(struct kmod_ctx *ctx, get_config get)
{
	struct kmod_config_iter *iter = get(ctx);
	unsigned n = 0;

	while (iter && kmod.kmod_config_iter_next(iter))
		n++;
	if (iter)
		kmod.kmod_config_iter_free_iter(iter);
	return n;
}

static const char *clean(struct mp_host *host, const char *text)
{
	g_autofree char *copy = text ? mp_clean_text(text, strlen(text)) : NULL;

	return mp_host_str(host, copy);
}

static void add_line(struct mp_host *host, GPtrArray *lines, enum mp_modprobe_kind kind,
	const char *module, const char *value, const char *file)
{
	struct mp_modprobe_line *line = mp_host_alloc(host, sizeof(*line));

	*line = (struct mp_modprobe_line){
		.kind = kind,
		.module = mp_module_name(host, clean(host, module)),
		.value = clean(host, value),
		.file = mp_host_str(host, file),
	};
	g_ptr_array_add(lines, line);
}

/* The first KEEP entries of one kind; libkmod keeps them in the order of the file. */
static void take_kind(struct mp_host *host, struct kmod_ctx *ctx, size_t k, unsigned keep,
	const char *file, GPtrArray *lines)
{
	struct kmod_config_iter *iter = (*kinds[k].get)(ctx);

	while (keep-- && iter && kmod.kmod_config_iter_next(iter)) {
		const char *key = kmod.kmod_config_iter_get_key(iter);
		const char *value = kmod.kmod_config_iter_get_value(iter);

		/* An alias' key is the alias, its value the module. */
		if (kinds[k].kind == MP_MODPROBE_ALIAS)
			add_line(host, lines, kinds[k].kind, value ? value : "", key,
				file);
		else
			add_line(host, lines, kinds[k].kind, key, value, file);
	}
	if (iter)
		kmod.kmod_config_iter_free_iter(iter);
}

static int memory_file(const char *text, size_t size)
{
	int fd = memfd_create("modprobe.d", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (size) {
		ssize_t put = write(fd, text, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		text += put;
		size -= (size_t)put;
	}
	return fd;
}

int mp_modprobe_parse(struct mp_host *host, const char *file, const char *text,
	size_t size, GPtrArray *lines)
{
	static const char *const no_paths[] = { NULL };
	int fd;

	if (mp_lazy_load(LIBKMOD_SONAME, kmod_names, (void **)&kmod))
		return -ELIBACC;
	fd = memory_file(text, size);
	if (fd < 0)
		return fd;
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	const char *const paths[] = { path, NULL };
	struct kmod_ctx *empty = quiet_kmod_new(no_paths);
	struct kmod_ctx *ctx = quiet_kmod_new(paths);

	close(fd);
	for (size_t k = 0; ctx && empty && k < G_N_ELEMENTS(kinds); k++) {
		unsigned own = count(empty, *kinds[k].get),
			 all = count(ctx, *kinds[k].get);

		take_kind(host, ctx, k, all > own ? all - own : 0, file, lines);
	}
	int err = ctx && empty ? 0 : -ENOMEM;

	if (ctx)
		kmod.kmod_unref(ctx);
	if (empty)
		kmod.kmod_unref(empty);
	return err;
}

void mp_modprobe_parse_cmdline(
	struct mp_host *host, const char *file, const char *cmdline, GPtrArray *lines)
{
	g_autoptr(GPtrArray) params = mp_cmdline_split(cmdline);

	for (guint i = 0; i < params->len; i++) {
		const struct mp_param *param = params->pdata[i];
		const char *dot = strchr(param->name, '.');

		if (!dot || dot == param->name)
			continue;
		g_autofree char *module =
			g_strndup(param->name, (gsize)(dot - param->name));

		if (!strcmp(module, "modprobe") && !strcmp(dot, ".blacklist")) {
			g_auto(GStrv) names =
				g_strsplit(param->value ? param->value : "", ",", -1);

			for (char **name = names; *name; name++)
				if (**name)
					add_line(host, lines, MP_MODPROBE_BLACKLIST,
						*name, NULL, file);
			continue;
		}
		g_autofree char *option = g_strconcat(
			dot + 1, param->value ? "=" : NULL, param->value, NULL);

		add_line(host, lines, MP_MODPROBE_OPTIONS, module, option, file);
	}
}

char *mp_modprobe_option(
	const GPtrArray *lines, const char *module, const char *name, const char **file)
{
	for (guint i = lines->len; i-- > 0;) {
		const struct mp_modprobe_line *line = lines->pdata[i];
		char *value;

		if (line->kind != MP_MODPROBE_OPTIONS ||
			!mp_cmdline_name_is(line->module, module) || !line->value)
			continue;
		value = mp_cmdline_get(line->value, name);
		if (!value)
			continue;
		if (file)
			*file = line->file;
		return value;
	}
	return NULL;
}
