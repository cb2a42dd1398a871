/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a digest:
 *   archive FORMAT       of the main archive: "plain" or the program that unpacked it
 *   problem TEXT         the image could not be read to its end
 *   modules NAME...      repeated, wrapped
 *   file PATH            followed by its lines, each after a tab
 *   script PATH          a boot script that names driver_override or vfio-pci
 *   program PATH         our early-bind; its table, its script and the ORDER of the scripts
 *                        are files above
 */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cpio.h"
#include "core/early-bind.h"
#include "core/initramfs-digest.h"
#include "core/modules.h"
#include "core/program.h"

#define PIECE_SIZE (256u * 1024)
#define FILE_MAX   (64u * 1024)   /* of one kept member */
#define FILES_MAX  (1024u * 1024) /* of all of an image */
#define LINE_WIDTH 100

/* First bytes of compressed archives: lib/decompress.c of Linux. */
static const struct {
	const char *magic;
	size_t length;
	enum mp_program program;
	const char *const args[4];
} formats[] = {
	{ "\x28\xb5\x2f\xfd", 4, MP_PROGRAM_ZSTD, { "-q", "-d", "-c", NULL } },
	{ "\x1f\x8b", 2, MP_PROGRAM_GZIP, { "-d", "-c", NULL } },
	{ "\xfd"
	  "7zXZ\0",
		6, MP_PROGRAM_XZ, { "-q", "-d", "-c", NULL } },
	{ "\x5d\x00\x00", 3, MP_PROGRAM_XZ, { "--format=lzma", "-d", "-c", NULL } },
	{ "\x02\x21\x4c\x18", 4, MP_PROGRAM_LZ4, { "-q", "-d", "-c", NULL } },
	{ "\x89LZO\0", 5, MP_PROGRAM_LZOP, { "-q", "-d", "-c", NULL } },
	{ "BZh", 3, MP_PROGRAM_BZIP2, { "-q", "-d", "-c", NULL } },
};

/* One image while it is read. */
struct reader {
	int fd;
	struct mp_cpio *cpio;
	const char *archive;
	char *problem;
	GString *modules, *programs;
	size_t column;
	GHashTable
		*files; /* path -> GString; the last of a name wins, as in the kernel */
	GString *current;
	size_t kept;
	int format; /* index into formats, -1: none is needed */
};

static void free_string(void *data)
{
	g_string_free(data, TRUE);
}

static bool is_script(const char *name)
{
	return g_str_has_prefix(name, "scripts/init-");
}

static bool is_config(const char *name)
{
	static const char *const globs[] = { "etc/modprobe.d/*.conf",
		"lib/modprobe.d/*.conf", "usr/lib/modprobe.d/*.conf",
		"run/modprobe.d/*.conf", "conf/modules", MP_PATH_EARLY_TABLE };

	for (size_t i = 0; i < G_N_ELEMENTS(globs); i++)
		if (!fnmatch(globs[i], name, FNM_PATHNAME))
			return true;
	return false;
}

/* What a program of ours needs of the scripts: kept whole. */
static bool is_early(const char *name)
{
	return !strcmp(name, MP_PATH_EARLY_SCRIPT) ||
	       !strcmp(name, "scripts/init-top/ORDER");
}

static void add_module(struct reader *r, const char *name)
{
	char module[128];

	if (!mp_module_of_path(name, strlen(name), module, sizeof(module)))
		return;
	if (r->column + strlen(module) > LINE_WIDTH)
		r->column = 0;
	if (!r->column)
		g_string_append_printf(
			r->modules, "%smodules", r->modules->len ? "\n" : "");
	r->column += strlen(module) + 1;
	g_string_append_printf(r->modules, " %s", module);
}

static bool on_member(void *user, const char *name, uint32_t mode, uint64_t size)
{
	struct reader *r = user;

	if (!S_ISREG(mode))
		return false;
	if (g_str_has_prefix(name, "lib/modules/") ||
		g_str_has_prefix(name, "usr/lib/modules/")) {
		add_module(r, name);
		return false;
	}
	if (g_str_has_suffix(name, "/metis-passthrough/early-bind") && mode & 0111 &&
		!strchr(name, '\n')) {
		g_string_append_printf(r->programs, "program %s\n", name);
		return false;
	}
	/* A script that cannot be run is none. */
	if (!strcmp(name, MP_PATH_EARLY_SCRIPT) && !(mode & 0111))
		return false;
	if ((!is_config(name) && !is_script(name)) || strchr(name, '\n'))
		return false;
	if (size > FILE_MAX || r->kept + size > FILES_MAX) {
		if (!r->problem && is_config(name))
			r->problem = g_strdup_printf("%s is larger than expected", name);
		return false;
	}
	r->kept += size;
	r->current = g_string_sized_new((gsize)size);
	g_hash_table_insert(r->files, g_strdup(name), r->current);
	return true;
}

static void on_data(void *user, const char *data, size_t size)
{
	struct reader *r = user;

	g_string_append_len(r->current, data, (gssize)size);
}

static const struct mp_cpio_ops reader_ops = { on_member, on_data };

static void give_up(struct reader *r, const char *why)
{
	if (!r->problem)
		r->problem = g_strdup(why);
}

static int find_format(int fd, off_t offset)
{
	char magic[6] = { 0 };
	ssize_t got = pread(fd, magic, sizeof(magic), offset);

	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (got >= (ssize_t)formats[i].length &&
			!memcmp(magic, formats[i].magic, formats[i].length))
			return (int)i;
	return -1;
}

/*
 * The uncompressed archives at the beginning of the image (processor microcode, or all of
 * it). Leaves the file at the compressed one, if there is one.
 */
static void read_plain(struct reader *r, char *piece)
{
	off_t offset = 0;
	ssize_t got;

	r->format = -1;
	while ((got = read(r->fd, piece, PIECE_SIZE)) != 0) {
		size_t used;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			give_up(r, g_strerror(errno));
			return;
		}
		switch (mp_cpio_feed(r->cpio, piece, (size_t)got, &used)) {
		case MP_CPIO_MORE:
			offset += got;
			continue;
		case MP_CPIO_BAD:
			give_up(r, "its cpio archive makes no sense");
			return;
		case MP_CPIO_FOREIGN:
			break;
		}
		offset += (off_t)used;
		r->format = find_format(r->fd, offset);
		if (r->format < 0 || lseek(r->fd, offset, SEEK_SET) < 0) {
			give_up(r, "neither a cpio archive nor a known compression");
			return;
		}
		r->archive = mp_program_name(formats[r->format].program);
		mp_cpio_free(r->cpio);
		r->cpio = mp_cpio_new(&reader_ops, r);
		return;
	}
	if (!mp_cpio_complete(r->cpio))
		give_up(r, "the image ends within an archive");
}

static bool on_output(void *user, const char *data, size_t size)
{
	struct reader *r = user;
	size_t used;
	enum mp_cpio_state state = mp_cpio_feed(r->cpio, data, size, &used);

	if (state == MP_CPIO_MORE)
		return true;
	/* Behind a whole archive other things may stand; nothing of ours. */
	if (!mp_cpio_complete(r->cpio))
		give_up(r, "its cpio archive makes no sense");
	return false;
}

static void run_decompressors(struct reader *readers, size_t count, unsigned seconds)
{
	g_autofree struct mp_program_run *runs = g_new0(struct mp_program_run, count);
	g_autofree struct reader **of = g_new0(struct reader *, count);
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct reader *r = &readers[i];

		if (r->format < 0 || r->problem)
			continue;
		of[n] = r;
		runs[n++] = (struct mp_program_run){
			.program = formats[r->format].program,
			.args = formats[r->format].args,
			.input = r->fd,
			.sink = on_output,
			.user = r,
		};
	}
	mp_programs_run(runs, n, seconds);
	for (size_t i = 0; i < n; i++) {
		bool complete = mp_cpio_complete(of[i]->cpio);

		/* A program may complain about what follows the archive. */
		if (runs[i].problem && !complete)
			give_up(of[i], runs[i].problem);
		else if (!complete)
			give_up(of[i], "the image ends within an archive");
		g_free(runs[i].problem);
	}
}

static void append_file(GString *out, const char *name, const GString *content)
{
	g_autofree char *clean = mp_clean_text(content->str, content->len);
	g_auto(GStrv) lines = g_strsplit(clean, "\n", -1);

	g_string_append_printf(out, "file %s\n", name);
	for (char **line = lines; *line; line++)
		if (**line || line[1])
			g_string_append_printf(out, "\t%s\n", *line);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static char *write_digest(const struct reader *r)
{
	GString *out = g_string_new(NULL);
	bool early = g_hash_table_contains(r->files, MP_PATH_EARLY_SCRIPT);
	g_autoptr(GList) names =
		g_list_sort(g_hash_table_get_keys(r->files), compare_text);

	g_string_append_printf(out, "archive %s\n", r->archive);
	if (r->problem)
		g_string_append_printf(out, "problem %s\n", r->problem);
	if (r->modules->len)
		g_string_append_printf(out, "%s\n", r->modules->str);
	for (GList *name = names; name; name = name->next) {
		const GString *content = g_hash_table_lookup(r->files, name->data);
		g_autofree char *clean = mp_clean_text(name->data, strlen(name->data));

		if (!is_script(name->data) || (early && is_early(name->data)))
			append_file(out, clean, content);
		else if (strstr(content->str, "driver_override") ||
			 strstr(content->str, "vfio-pci"))
			g_string_append_printf(out, "script %s\n", clean);
	}
	if (r->programs->len) {
		g_autofree char *clean =
			mp_clean_text(r->programs->str, r->programs->len);

		g_string_append(out, clean);
	}
	return g_string_free(out, FALSE);
}

void mp_initramfs_digest(struct mp_image_job *jobs, size_t count, unsigned seconds)
{
	g_autofree struct reader *readers = g_new0(struct reader, count);
	g_autofree char *piece = g_malloc(PIECE_SIZE);

	for (size_t i = 0; i < count; i++) {
		struct reader *r = &readers[i];

		r->fd = jobs[i].fd;
		r->archive = "plain";
		r->cpio = mp_cpio_new(&reader_ops, r);
		r->modules = g_string_new(NULL);
		r->programs = g_string_new(NULL);
		r->files = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, free_string);
		read_plain(r, piece);
	}
	run_decompressors(readers, count, seconds);
	for (size_t i = 0; i < count; i++) {
		struct reader *r = &readers[i];

		jobs[i].text = write_digest(r);
		close(r->fd);
		mp_cpio_free(r->cpio);
		g_string_free(r->modules, TRUE);
		g_string_free(r->programs, TRUE);
		g_hash_table_unref(r->files);
		g_free(r->problem);
	}
}
