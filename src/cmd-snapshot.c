/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot: what the read-only verbs look at, in one text file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "core/settings.h"
#include "core/snapshot.h"

#define FAILURES_SHOWN 5

static char *opt_sysroot, *opt_output;
static gboolean opt_scrub, opt_force;

static const GOptionEntry options[] = {
	{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &opt_output,
		"write to FILE; '-' or nothing: standard output", "FILE" },
	{ "scrub", 0, 0, G_OPTION_ARG_NONE, &opt_scrub,
		"replace serial numbers, MAC and IP addresses, names and the like",
		NULL },
	{ "force", 0, 0, G_OPTION_ARG_NONE, &opt_force, "replace FILE where it exists",
		NULL },
	MP_OPTION_SYSROOT(opt_sysroot),
	{ NULL },
};

static bool is_scrubbed(const struct mp_root *root)
{
	const char *scrubbed = mp_root_header(root, "scrubbed");

	return scrubbed && !strcmp(scrubbed, "yes");
}

/* Everything that list, preflight and explain would look at. */
static struct mp_snapshot *capture(struct mp_root *root, GError **error)
{
	g_autoptr(mp_snapshot) snapshot = mp_snapshot_new();
	g_autoptr(mp_config) config = NULL;
	g_autoptr(mp_host) host = NULL;
	g_autoptr(GError) config_error = NULL;
	g_autofree char *log = NULL;

	mp_snapshot_record(snapshot, root);
	/* A broken configuration is captured like a good one: it may be what is asked about. */
	config = mp_config_load(root, &config_error);
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	mp_root_klog(root, &log, NULL);
	mp_root_record(root, NULL, NULL);
	if (!host)
		return NULL;
	mp_snapshot_reduce(snapshot, host);
	/* Once is enough; twice could give other numbers to the same values. */
	if (opt_scrub && !is_scrubbed(root))
		mp_snapshot_scrub(snapshot);
	return g_steal_pointer(&snapshot);
}

static GString *text_of(struct mp_root *root, struct mp_snapshot *snapshot)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *date = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
	const char *captured = mp_root_header(root, "captured");
	struct mp_snapshot_header header = {
		.tool = "metis-passthrough " PACKAGE_VERSION,
		/* A copy of a snapshot shows the host as it was then. */
		.captured = captured ? captured : date,
		.scrubbed = opt_scrub || is_scrubbed(root),
	};

	return mp_snapshot_text(snapshot, &header);
}

/*
 * Takes the name, so that nobody else's file is overwritten. The mode has to be right from
 * here on, because g_file_set_contents_full() may keep that of an existing file (GLib 2.84
 * does, 2.74 does not).
 */
static bool reserve(const char *path, mode_t mode, GError **error)
{
	struct stat st;
	int fd;

	if (opt_force && lstat(path, &st) == 0) {
		if (S_ISREG(st.st_mode)) {
			if (!(st.st_mode & 0777 & ~mode) || chmod(path, mode) == 0)
				return true;
			mp_error_set_errno(error, -errno, path, "restrict its mode");
			return false;
		}
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot write: it is not a regular file", path);
		return false;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == EEXIST)
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot write: it exists (--force replaces it)", path);
	else
		mp_error_set_errno(error, -errno, path, "write");
	return false;
}

static bool write_out(const GString *text, GError **error)
{
	g_autoptr(GError) reason = NULL;
	/* Unless it is scrubbed, others on this machine have no business in it. */
	int mode = opt_scrub ? 0644 : 0600;

	if (!opt_output || !strcmp(opt_output, "-")) {
		fwrite(text->str, 1, text->len, stdout); /* main() checks stdout */
		return true;
	}
	if (!reserve(opt_output, (mode_t)mode, error))
		return false;
	if (g_file_set_contents_full(opt_output, text->str, (gssize)text->len,
		    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, mode,
		    &reason))
		return true;
	if (!opt_force)
		unlink(opt_output);
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: cannot write: %s", opt_output,
		reason->message);
	return false;
}

static void tell_failures(struct mp_snapshot *snapshot)
{
	unsigned looks;
	g_autoptr(GPtrArray) failures = mp_snapshot_failures(snapshot, &looks);

	if (!failures->len)
		return;
	fprintf(stderr, "metis-passthrough snapshot: %u of %u looks failed%s:\n",
		failures->len, looks, geteuid() ? "; run as root to see everything" : "");
	for (guint i = 0; i < failures->len && i < FAILURES_SHOWN; i++)
		fprintf(stderr, "  %s\n", (char *)failures->pdata[i]);
	if (failures->len > FAILURES_SHOWN)
		fprintf(stderr, "  and %u more, all of them told in the snapshot\n",
			failures->len - FAILURES_SHOWN);
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(opt_sysroot, error);
	g_autoptr(mp_snapshot) snapshot = root ? capture(root, error) : NULL;
	g_autoptr(GString) text = NULL;

	if (!snapshot)
		return MP_EXIT_FAILURE;
	text = text_of(root, snapshot);
	if (!write_out(text, error))
		return MP_EXIT_FAILURE;
	tell_failures(snapshot);
	return MP_EXIT_OK;
}

const struct mp_cmd mp_cmd_snapshot = {
	.name = "snapshot",
	.summary = "capture this host into one text file, for --sysroot",
	.args = "",
	.options = options,
	.description =
		"Captures what the read-only verbs look at, and what they could not read. The file\n"
		"is made to be read and edited before it is sent; --sysroot FILE replays it.\n"
		"\n"
		"--scrub replaces, each value always by the same replacement: device, disk, board and\n"
		"machine serial numbers; MAC and IP addresses; UUIDs; the host's name; names, notes,\n"
		"keys and passwords in VM configurations; passwords on command lines. It keeps ids,\n"
		"addresses on the PCI bus, versions, storage and bridge names.\n"
		"\n"
		"Exit codes: 0 captured (maybe with gaps, which are told), 2 usage, 3 could not work.\n",
	.run = run,
};
