/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose: from the lines of a log to the cause. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "core/diagnose.h"
#include "core/event-time.h"
#include "core/iommu.h"
#include "core/klog.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/program.h"
#include "core/vm.h"
#include "interrupt.h"

#define JOURNAL_SECONDS 600 /* journals of months on slow disks */
#define FOLLOW_MS       500

static char *opt_sysroot, *opt_format, *opt_color, *opt_vm, *opt_device, *opt_profile,
	*opt_since, *opt_boot;
static gboolean opt_follow, opt_verbose;

static const GOptionEntry options[] = {
	{ "device", 'd', 0, G_OPTION_ARG_STRING, &opt_device,
		"explain the faults of the device at BDF (default: of the one that matters "
		"most)",
		"BDF" },
	{ "profile", 'p', 0, G_OPTION_ARG_STRING, &opt_profile,
		"what card it is: profile name or file (default: by its id)", "PROFILE" },
	{ "vm", 0, 0, G_OPTION_ARG_STRING, &opt_vm,
		"the VM that had it: its id or a config file", "VM" },
	{ "since", 0, 0, G_OPTION_ARG_STRING, &opt_since,
		"only events from then on: a date, or 90s, 10min, 2h, 1d ago", "TIME" },
	{ "boot", 'b', 0, G_OPTION_ARG_STRING, &opt_boot,
		"the journal of that boot: 0 this one, -1 the one before", "N" },
	{ "follow", 0, 0, G_OPTION_ARG_NONE, &opt_follow,
		"show events of the live kernel as they come, explain them on Ctrl-C",
		NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show every event and every explanation", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, markdown"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

/* --- what goes into the log --- */

struct intake {
	struct mp_event_log *log;
	struct mp_event_clock clock;
	bool filter;
	int64_t since;
	uint64_t undated;                /* dropped, because their time is unknown */
	const struct mp_render_ops *ops; /* --follow; else NULL */
	const struct mp_render_style *style;
};

static void take(void *user, const struct mp_event *event)
{
	struct intake *intake = user;
	int64_t seconds;

	if (intake->filter) {
		if (!mp_event_seconds(event, &intake->clock, &seconds)) {
			intake->undated++;
			return;
		}
		if (seconds < intake->since)
			return;
	}
	mp_event_log_add(intake->log, event);
	if (intake->ops && event->kind != MP_EVENT_CMDLINE) {
		intake->ops->event(event, intake->style, stdout);
		fflush(stdout);
	}
}

/* What a log is often kept in, by its first bytes. */
static const char *what_it_is(const char *data, size_t size)
{
	static const struct {
		const char *magic;
		size_t length;
		const char *what;
	} rows[] = {
		{ "\x1f\x8b", 2, "compressed: zcat FILE | metis-passthrough diagnose -" },
		{ "\xfd\x37zXZ", 5,
			"compressed: xzcat FILE | metis-passthrough diagnose -" },
		{ "BZh", 3, "compressed: bzcat FILE | metis-passthrough diagnose -" },
		{ "\x28\xb5\x2f\xfd", 4,
			"compressed: zstdcat FILE | metis-passthrough diagnose -" },
		{ "LPKSHHRH", 8,
			"a journal: journalctl --file FILE -k | metis-passthrough diagnose -" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (size >= rows[i].length &&
			!memcmp(data, rows[i].magic, rows[i].length))
			return rows[i].what;
	return NULL;
}

/* *BINARY: its first piece has a NUL byte, as text has not. */
static bool read_stream(struct mp_event_parser *parser, int fd, const char *name,
	bool *binary, GError **error)
{
	for (bool first = true;; first = false) {
		size_t size;
		char *room = mp_event_parser_room(parser, &size);
		ssize_t got = read(fd, room, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			mp_error_set_errno(error, -errno, name, "read");
			return false;
		}
		if (first) {
			const char *what = what_it_is(room, (size_t)got);

			/* Nothing to look at is no log without faults. */
			if (got == 0)
				what = "it is empty, so it tells nothing";
			if (what)
				g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
					"%s: cannot read as a log: %s", name, what);
			if (what)
				return false;
			*binary = memchr(room, '\0', (size_t)got) != NULL;
		}
		if (got == 0)
			return true;
		mp_event_parser_took(parser, (size_t)got);
	}
}

static bool read_file(
	struct mp_event_parser *parser, const char *path, bool *binary, GError **error)
{
	struct stat st;
	bool done;
	int fd;

	if (!strcmp(path, "-"))
		return read_stream(parser, STDIN_FILENO, "standard input", binary, error);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		mp_error_set_errno(error, -errno, path, "open");
		return false;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		mp_error_set_errno(error, -EISDIR, path, "read");
		return false;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	done = read_stream(parser, fd, path, binary, error);
	close(fd);
	return done;
}

static bool read_kernel_log(
	struct mp_event_parser *parser, struct mp_root *root, GError **error)
{
	g_autofree char *data = NULL;
	size_t size;
	int err = mp_root_klog(root, &data, &size);

	if (err < 0) {
		mp_error_set_errno(error, err,
			mp_root_is_live(root) ? "/dev/kmsg" : mp_root_name(root),
			err == -EPERM || err == -EACCES
				? "read the kernel's log, which takes root"
				: "read the kernel's log");
		return false;
	}
	mp_event_parser_feed(parser, data, size);
	return true;
}

struct journal {
	struct mp_event_parser *parser;
	size_t bytes;
};

static bool feed(void *user, const char *data, size_t size)
{
	struct journal *journal = user;

	mp_event_parser_feed(journal->parser, data, size);
	journal->bytes += size;
	return true;
}

/* By trusted fields only: what a program wrote under the kernel's name stays out. */
static bool read_journal(struct mp_event_parser *parser, GError **error)
{
	g_autofree char *boot = g_strdup_printf("--boot=%s", opt_boot);
	g_autofree char *directory = g_strdup_printf(
		"--directory=%s/var/log/journal", opt_sysroot ? opt_sysroot : "");
	bool elsewhere = opt_sysroot && strcmp(opt_sysroot, "/") != 0;
	const char *args[] = { boot, "--output=short-unix", "--no-pager", "--quiet",
		"_TRANSPORT=kernel", elsewhere ? directory : NULL, NULL };
	struct journal journal = { parser, 0 };
	struct mp_program_run run = {
		.program = MP_PROGRAM_JOURNALCTL,
		.args = args,
		.input = -1,
		.sink = feed,
		.user = &journal,
	};

	mp_programs_run(&run, 1, JOURNAL_SECONDS);
	/* A journal that is not there is no journal without faults. */
	if (!run.problem && !journal.bytes)
		run.problem = g_strdup("it has no message of the kernel");
	if (!run.problem)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "journal of boot %s: cannot read: %s",
		opt_boot, run.problem);
	g_free(run.problem);
	return false;
}

static bool follow(struct mp_event_parser *parser, GError **error)
{
	struct mp_klog *klog = mp_klog_open(error);
	bool lost = false, fine = klog != NULL;

	if (!klog)
		return false;
	mp_interrupts_catch();
	while (fine && !mp_interrupted()) {
		g_autoptr(GString) text = g_string_new(NULL);

		fine = mp_klog_read(klog, FOLLOW_MS, NULL, NULL, text, &lost, error);
		mp_event_parser_feed(parser, text->str, text->len);
		/* Nothing more came: then nothing more belongs to it. */
		if (!text->len)
			mp_event_parser_end(parser);
	}
	mp_klog_close(klog);
	return fine;
}

/* --- whom it is about --- */

/*
 * A file may come from anywhere: only with --sysroot (or what means the same, the number of
 * a VM) is it taken for this host's. Without a host a VM is still a file.
 */
static bool is_of_host(const char *file)
{
	return !file || opt_sysroot ||
	       (opt_vm && *opt_vm && strspn(opt_vm, "0123456789") == strlen(opt_vm));
}

static struct mp_host *load_host(struct mp_root *root, bool of_host, GError **error)
{
	return of_host ? mp_host_load(root, MP_TOPIC_ALL, error)
		       : mp_host_new("unknown", false);
}

static bool read_log(
	const char *file, struct mp_root *root, struct intake *intake, GError **error)
{
	g_autoptr(mp_event_parser) parser = mp_event_parser_new(take, intake);
	bool binary = false;
	bool done = file         ? read_file(parser, file, &binary, error)
		    : opt_boot   ? read_journal(parser, error)
		    : opt_follow ? follow(parser, error)
				 : read_kernel_log(parser, root, error);

	if (!done)
		return false;
	mp_event_parser_end(parser);
	if (binary && !intake->log->events && !intake->undated) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: cannot read as a log: it is not text",
			strcmp(file, "-") != 0 ? file : "standard input");
		return false;
	}
	if (!intake->undated || intake->log->events)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"--since %s: the times in the log don't tell the date (%" G_GUINT64_FORMAT
		" events count from an unknown boot, or have none)",
		opt_since, intake->undated);
	return false;
}

static char *describe_source(const char *file)
{
	if (file)
		return g_strdup(strcmp(file, "-") != 0 ? file : "standard input");
	if (opt_boot)
		return g_strdup_printf("journal of boot %s", opt_boot);
	return g_strdup(opt_follow ? "kernel log, as it came" : "kernel log");
}

static int diagnose(const char *file, const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	bool of_host = is_of_host(file);
	g_autoptr(mp_root) root = of_host ? mp_root_open(opt_sysroot, error) : NULL;
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(mp_event_log) log = mp_event_log_new();
	g_autoptr(mp_diagnosis) diagnosis = NULL;
	g_autofree char *source = describe_source(file);
	struct intake intake = {
		.log = log,
		.clock = { .now = time(NULL), .boot = -1 },
		.filter = opt_since != NULL,
		.ops = opt_follow ? ops : NULL,
		.style = style,
	};
	struct mp_vm *vm = NULL;

	if (of_host && !root)
		return 0;
	if (opt_since && !mp_since_parse(opt_since, intake.clock.now, &intake.since)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--since %s: neither a date nor a time like 10min, 2h, 1d",
			opt_since);
		return 0;
	}
	if (!file && root && mp_root_is_live(root))
		intake.clock.boot =
			intake.clock.now - g_get_monotonic_time() / G_TIME_SPAN_SECOND;
	if (opt_profile && !(profile = mp_profile_load(opt_profile, error)))
		return 0;
	if (!read_log(file, root, &intake, error))
		return 0;
	host = load_host(root, of_host, error);
	if (!host || (opt_vm && !(vm = mp_vm_find(host, opt_vm, error))))
		return 0;

	struct mp_diagnose_input input = {
		.log = log,
		.host = of_host ? host : NULL,
		.vm = vm,
		.device = opt_device,
		.profile = profile,
		.cut_off = !file && !opt_boot && !opt_follow && host->iommu &&
			   !host->iommu->log.complete,
	};

	diagnosis = mp_diagnose(&input, error);
	if (!diagnosis)
		return 0;
	struct mp_diagnose_report report = {
		.diagnosis = diagnosis,
		.source = source,
		.of_host = of_host,
		.exit_code = mp_diagnosis_found(diagnosis) ? MP_EXIT_FINDING : MP_EXIT_OK,
	};

	/* As JSON the events have been told, each on its line. */
	if (!opt_follow || strcmp(ops->name, "json") != 0)
		ops->diagnose(&report, style, stdout);
	return report.exit_code;
}

static bool is_boot(const char *text)
{
	uint64_t number;

	return mp_parse_uint(
		       *text == '-' || *text == '+' ? text + 1 : text, 10, &number) &&
	       number < 100000;
}

/* Options that exclude each other. */
static bool check_options(const char *file, GError **error)
{
	const char *problem = NULL;

	if (file && (opt_boot || opt_follow))
		problem = "--boot and --follow read the host's own log, not a file";
	else if (opt_boot && opt_follow)
		problem = "--follow is about the boot that runs";
	else if (opt_follow && opt_sysroot && strcmp(opt_sysroot, "/") != 0)
		problem = "--follow needs the live host";
	else if (opt_follow && opt_since)
		problem = "--follow begins now";
	else if (opt_boot && !is_boot(opt_boot))
		problem = "--boot takes a number: 0 for this boot, -1 for the one before";
	if (problem)
		g_set_error_literal(error, MP_ERROR, MP_ERROR_USAGE, problem);
	return !problem;
}

static int run(int argc, char **argv, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };
	const char *file = argc ? argv[0] : NULL;

	if (!ops || !mp_cmd_style(opt_color, &style, error) ||
		!check_options(file, error))
		return 0;
	if (!ops->diagnose || (opt_follow && !ops->event)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"diagnose%s has no format '%s' (there are: text, json%s)",
			opt_follow ? " --follow" : "", opt_format,
			opt_follow ? "" : ", markdown");
		return 0;
	}
	return diagnose(file, ops, &style, error);
}

const struct mp_cmd mp_cmd_diagnose = {
	.name = "diagnose",
	.summary = "explain IOMMU faults and what else a kernel log has against a card",
	.args = "[FILE]",
	.max_args = 1,
	.options = options,
	.description =
		"Reads FILE ('-': standard input), else the kernel's log of the host.\n\n"
		"A FILE is taken for another machine's unless --sysroot says whose it is ('--sysroot "
		"/' for this one) or --vm names a VM of this host by its number.\n\n"
		"Exit codes: 0 no fault found, 1 faults found, 2 usage, 3 could not read.\n",
	.run = run,
};
