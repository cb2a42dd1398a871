/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a digest, words parted by single spaces:
 *   read NAME ok | read NAME absent | read NAME error REASON     for each file read
 *   loadable NAME... / builtin NAME...                           repeated, wrapped
 *   wants MODALIAS MODULE...
 *   config OPTION VALUE                                          y, m or n
 */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "core/kernel-digest.h"

#define LINE_WIDTH 100
/* "pci:v00001F9Dd00001100": vendor and device in full. */
#define ID_PREFIX  (sizeof("pci:v00000000d00000000") - 1)

static const char *const config_options[] = {
	"CONFIG_INTEL_IOMMU_DEFAULT_ON",
	"CONFIG_IOMMU_DEFAULT_PASSTHROUGH",
};

static char *read_part(struct mp_root *root, GString *out, const char *name,
	const char *format, const char *release)
{
	g_autofree char *path = g_strdup_printf("%s%s", format, release);
	g_autofree char *full =
		strchr(name, '.') ? g_strdup_printf("%s/%s", path, name) : NULL;
	char *data = NULL;
	int err = mp_root_read(root, full ? full : path, MP_READ_FILE, &data, NULL);

	if (err == 0)
		g_string_append_printf(out, "read %s ok\n", name);
	else if (err == -ENOENT || err == -ENOTDIR)
		g_string_append_printf(out, "read %s absent\n", name);
	else if (err == -ENODATA)
		g_string_append_printf(out, "read %s error not in this snapshot\n", name);
	else if (err == -EFBIG)
		g_string_append_printf(out, "read %s error larger than expected\n", name);
	else
		g_string_append_printf(out, "read %s error %s\n", name, g_strerror(-err));
	return data;
}

/* Each line of modules.dep and modules.builtin starts with a module's path. */
static void add_names(GString *out, const char *key, const char *text)
{
	char name[128];
	size_t column = 0;

	for (const char *line = text, *end; line && *line; line = *end ? end + 1 : NULL) {
		end = strchrnul(line, '\n');
		size_t length = strcspn(line, ":\n");

		if (!mp_module_of_path(line, length, name, sizeof(name)))
			continue;
		if (column + strlen(name) > LINE_WIDTH)
			column = 0;
		if (!column)
			g_string_append_printf(out, "%s%s",
				out->len && out->str[out->len - 1] != '\n' ? "\n" : "",
				key);
		column += strlen(name) + 1;
		g_string_append_printf(out, " %s", name);
	}
	if (column)
		g_string_append_c(out, '\n');
}

struct alias {
	const char *pattern, *module; /* into the text */
};

/* Aliases by their id prefix; those with a wild card in it under "". */
static GHashTable *index_aliases(char *text)
{
	GHashTable *index = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);

	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!g_str_has_prefix(line, "alias pci:"))
			continue;
		char *pattern = line + strlen("alias ");
		char *module = strchr(pattern, ' ');

		if (!module)
			continue;
		*module++ = '\0';
		bool literal = strcspn(pattern, "*?[\\") >= ID_PREFIX;
		g_autofree char *key = g_strndup(pattern, literal ? ID_PREFIX : 0);
		GArray *bucket = g_hash_table_lookup(index, key);
		struct alias alias = { pattern, module };

		if (!bucket) {
			bucket = g_array_new(FALSE, FALSE, sizeof(struct alias));
			g_hash_table_insert(index, g_steal_pointer(&key), bucket);
		}
		g_array_append_val(bucket, alias);
	}
	return index;
}

static void match_bucket(const GArray *bucket, const char *modalias, GPtrArray *modules)
{
	for (guint i = 0; bucket && i < bucket->len; i++) {
		const struct alias *alias = &g_array_index(bucket, struct alias, i);

		if (fnmatch(alias->pattern, modalias, 0) != 0 ||
			g_ptr_array_find_with_equal_func(
				modules, alias->module, g_str_equal, NULL))
			continue;
		g_ptr_array_add(modules, (gpointer)alias->module);
	}
}

static void add_wants(GString *out, char *text, const char *const *modaliases)
{
	g_autoptr(GHashTable) index = index_aliases(text);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	const GArray *wild = g_hash_table_lookup(index, "");

	for (; *modaliases; modaliases++) {
		g_autofree char *key = g_strndup(*modaliases, ID_PREFIX);
		g_autoptr(GPtrArray) modules = g_ptr_array_new();

		if (!g_hash_table_add(seen, (gpointer)*modaliases) ||
			strchr(*modaliases, ' '))
			continue;
		match_bucket(g_hash_table_lookup(index, key), *modaliases, modules);
		match_bucket(wild, *modaliases, modules);
		if (!modules->len)
			continue;
		g_string_append_printf(out, "wants %s", *modaliases);
		for (guint i = 0; i < modules->len; i++)
			g_string_append_printf(
				out, " %s", (const char *)modules->pdata[i]);
		g_string_append_c(out, '\n');
	}
}

/* "CONFIG_X=y" or "# CONFIG_X is not set" in a kernel's configuration. */
static void add_config(GString *out, const char *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(config_options); i++) {
		g_autofree char *set = g_strdup_printf("\n%s=", config_options[i]);
		const char *found = strstr(text, set);
		char value = found ? found[strlen(set)] : 'n';

		if (value && strchr("ymn", value))
			g_string_append_printf(
				out, "config %s %c\n", config_options[i], value);
	}
}

char *mp_kernel_digest(
	struct mp_root *root, const char *release, const char *const *modaliases)
{
	GString *out = g_string_new(NULL);
	g_autofree char *dep =
		read_part(root, out, "modules.dep", "lib/modules/", release);
	g_autofree char *builtin =
		read_part(root, out, "modules.builtin", "lib/modules/", release);
	g_autofree char *alias =
		read_part(root, out, "modules.alias", "lib/modules/", release);
	g_autofree char *config = read_part(root, out, "config", "boot/config-", release);

	if (dep)
		add_names(out, "loadable", dep);
	if (builtin)
		add_names(out, "builtin", builtin);
	if (alias)
		add_wants(out, alias, modaliases);
	if (config)
		add_config(out, config);
	return g_string_free(out, FALSE);
}

/* --- reading it back --- */

static void fill_fact(struct mp_host *host, const char *const *words, const char *release,
	struct mp_fact *fact, const char *directory)
{
	const char *source =
		directory ? mp_host_strf(host, "/%s/%s/%s", directory, release, words[1])
			  : mp_host_strf(host, "/boot/config-%s", release);

	if (!strcmp(words[2], "ok"))
		*fact = mp_fact_known(host, source, "read");
	else if (!strcmp(words[2], "absent"))
		*fact = mp_fact_absent(host, source);
	else
		*fact = mp_fact_unknown(
			host, source, words[3] ? words[3] : "no reason given");
}

static void parse_read(struct mp_host *host, const char *line, struct mp_kernel *kernel,
	struct mp_fact *config)
{
	static const char directory[] = "lib/modules";
	g_auto(GStrv) words = g_strsplit(line, " ", 4);
	const char *const *w = (const char *const *)words;

	if (g_strv_length(words) < 3)
		return;
	if (!strcmp(w[1], "modules.dep"))
		fill_fact(host, w, kernel->release, &kernel->modules_dep, directory);
	else if (!strcmp(w[1], "modules.builtin"))
		fill_fact(host, w, kernel->release, &kernel->modules_builtin, directory);
	else if (!strcmp(w[1], "modules.alias"))
		fill_fact(host, w, kernel->release, &kernel->modules_alias, directory);
	else if (!strcmp(w[1], "config"))
		fill_fact(host, w, kernel->release, config, NULL);
}

static void parse_names(struct mp_host *host, char **words, GHashTable *set)
{
	for (char **word = words + 1; *word; word++)
		if (**word)
			g_hash_table_add(set, (gpointer)mp_module_name(host, *word));
}

static void parse_wants(struct mp_host *host, char **words, struct mp_kernel *kernel)
{
	GPtrArray *modules = mp_host_array(host);

	if (!words[1])
		return;
	for (char **word = words + 2; *word; word++)
		g_ptr_array_add(modules, (gpointer)mp_module_name(host, *word));
	g_hash_table_insert(
		kernel->aliases, (gpointer)mp_host_str(host, words[1]), modules);
}

static void parse_config(struct mp_host *host, char **words, const struct mp_fact *config,
	struct mp_kernel *kernel)
{
	struct mp_fact *facts[] = { &kernel->intel_iommu_default_on,
		&kernel->iommu_default_passthrough };

	if (g_strv_length(words) != 3)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(facts); i++)
		if (!strcmp(words[1], config_options[i]))
			*facts[i] = mp_fact_known(host, config->source, words[2]);
}

void mp_kernel_digest_parse(
	struct mp_host *host, const char *text, struct mp_kernel *kernel)
{
	struct mp_fact config = { 0 };
	g_autofree char *clean = mp_clean_text(text, strlen(text));
	g_auto(GStrv) lines = g_strsplit(clean, "\n", -1);

	kernel->loadable = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	kernel->builtin = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	kernel->aliases = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	kernel->intel_iommu_default_on = kernel->iommu_default_passthrough =
		mp_fact_unknown(host,
			mp_host_strf(host, "/boot/config-%s", kernel->release),
			"not readable");
	for (char **line = lines; *line; line++) {
		if (g_str_has_prefix(*line, "read ")) {
			parse_read(host, *line, kernel, &config);
			continue;
		}
		g_auto(GStrv) words = g_strsplit(*line, " ", -1);

		if (!words[0])
			continue;
		if (!strcmp(words[0], "loadable"))
			parse_names(host, words, kernel->loadable);
		else if (!strcmp(words[0], "builtin"))
			parse_names(host, words, kernel->builtin);
		else if (!strcmp(words[0], "wants"))
			parse_wants(host, words, kernel);
		else if (!strcmp(words[0], "config"))
			parse_config(host, words, &config, kernel);
	}
}
