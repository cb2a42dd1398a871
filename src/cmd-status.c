/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: is everything still as it was set up? */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd.h"
#include "core/journal.h"
#include "core/pci.h"
#include "core/promise.h"
#include "core/selftest-last.h"
#include "core/selftest-vm.h"
#include "core/setup.h"

static char *opt_sysroot, *opt_format, *opt_color;
static gboolean opt_record, opt_verbose;

static const GOptionEntry options[] = {
	{ "record", 0, 0, G_OPTION_ARG_NONE, &opt_record,
		"leave the report in /" MP_PATH_STATUS " too", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show the evidence of what is kept", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static GPtrArray *not_undone(GPtrArray *all)
{
	GPtrArray *list = g_ptr_array_new();

	for (guint i = 0; i < all->len; i++)
		if (((const struct mp_tx *)all->pdata[i])->state != MP_TX_UNDONE)
			g_ptr_array_add(list, all->pdata[i]);
	return list;
}

/* --- the last self-test of each configured card --- */

static enum mp_severity severity_of(
	const struct mp_config *config, enum mp_selftest_state state)
{
	if (state == MP_SELFTEST_PASSED)
		return MP_PASS;
	/* Told, and nothing more: nobody promised that it is good. */
	if (!mp_selftest_required(config))
		return MP_WARN;
	return state == MP_SELFTEST_FAILED ? MP_FAIL : MP_UNSURE;
}

static void add_selftest(GPtrArray *findings, const struct mp_host *host,
	const struct mp_config *config, const struct mp_pci *device)
{
	enum mp_selftest_state state;
	g_autofree char *complaint = mp_selftest_complaint(host, device, &state);
	const struct mp_selftest_last *last = mp_selftest_last(host, device->bdf);
	struct mp_finding *finding;

	if (!mp_selftest_counts(config, state))
		return;
	finding = mp_finding_new(MP_STATUS_SELFTEST, severity_of(config, state),
		device->bdf, "%s",
		complaint ? complaint
			  : "its last self-test passed on this kernel and BIOS");
	if (last)
		mp_finding_fact(finding, &last->verdict);
	if (complaint)
		mp_finding_remedy(
			finding, "metis-passthrough selftest --device %s", device->bdf);
	g_ptr_array_add(findings, finding);
}

/* Told where it is wanted, or was run. */
static void add_guest_selftest(
	GPtrArray *findings, const struct mp_host *host, const struct mp_config *config)
{
	const struct mp_selftest_vm *last = mp_selftest_vm(host, config->vm);
	g_autofree char *subject = g_strdup_printf("VM %s", config->vm);
	enum mp_severity severity;
	g_autofree char *text = mp_selftest_vm_judge(host, config, config->vm, &severity);
	struct mp_finding *finding;

	if (severity == MP_SKIP)
		return;
	finding = mp_finding_new(MP_STATUS_SELFTEST,
		severity == MP_PASS ? MP_PASS : MP_WARN, subject, "%s", text);
	if (last)
		mp_finding_fact(finding, &last->verdict);
	if (severity != MP_PASS)
		mp_finding_remedy(
			finding, "metis-passthrough selftest --vm %s", config->vm);
	g_ptr_array_add(findings, finding);
}

/* A card that is gone is told by its pin. */
static void add_selftests(
	GPtrArray *findings, const struct mp_host *host, struct mp_root *root)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(mp_config) config = mp_config_load(root, &problem);

	if (!config) {
		g_ptr_array_add(findings,
			mp_finding_new(MP_STATUS_SELFTEST, MP_UNSURE, "host",
				"whether a self-test is required is not known: %s",
				problem->message));
		return;
	}
	for (guint i = 0; i < config->cards->len; i++) {
		const struct mp_pin *pin = config->cards->pdata[i];
		const struct mp_pci *device = mp_host_device(host, pin->address);

		if (device)
			add_selftest(findings, host, config, device);
	}
	if (config->vm)
		add_guest_selftest(findings, host, config);
}

/* PROMISES: whether there were any. */
static void sum_up(struct mp_status_report *report, bool promises)
{
	for (guint i = 0; i < report->findings->len; i++)
		report->counts[((const struct mp_finding *)report->findings->pdata[i])
				       ->severity]++;
	if (!report->transactions->len)
		report->verdict = MP_STATUS_NOTHING;
	else if (report->counts[MP_FAIL])
		report->verdict = MP_STATUS_DRIFT;
	else if (report->counts[MP_UNSURE] || !promises)
		report->verdict = MP_STATUS_UNKNOWN;
	else if (report->reboot_pending)
		report->verdict = MP_STATUS_PENDING;
	else
		report->verdict = MP_STATUS_KEPT;
	report->exit_code =
		report->verdict == MP_STATUS_NOTHING || report->verdict == MP_STATUS_KEPT
			? MP_EXIT_OK
			: MP_EXIT_FINDING;
}

/* Readers see the old report or the new one, never a part of it. */
static bool record(const struct mp_status_report *report, GError **error)
{
	const struct mp_render_style style = { 0 };
	g_autoptr(mp_target) target = mp_target_open(opt_sysroot, error);
	g_autofree char *temp = g_strdup_printf(".status.json.%d", (int)getpid());
	char *text = NULL;
	size_t size = 0;
	FILE *memory;
	bool done;

	if (!target)
		return false;
	memory = open_memstream(&text, &size);
	if (!memory)
		g_error("out of memory");
	mp_render_json.status(report, &style, memory);
	if (fclose(memory) != 0)
		g_error("out of memory");
	const struct mp_file_want want = { .data = text, .size = size, .mode = 0644 };

	done = mp_target_make_dirs(target, MP_PATH_STATUS_DIR, NULL, error) &&
	       mp_target_write(target, MP_PATH_STATUS, temp, &want, error);
	free(text);
	return done;
}

/* A change in the middle of being made looks like one that was broken off. */
static bool is_at_rest(struct mp_root *root, GPtrArray *all, GError **error)
{
	g_autofree char *who = NULL;
	bool open = false;

	for (guint i = 0; i < all->len; i++) {
		const struct mp_tx *tx = all->pdata[i];

		open = open || tx->state == MP_TX_OPEN || tx->state == MP_TX_UNDOING;
	}
	who = open ? mp_journal_at_work(root) : NULL;
	if (who)
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: %s is changing this host; wait until it has ended",
			mp_root_name(root), who);
	return !who;
}

static int status(const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(opt_sysroot, error);
	g_autoptr(GPtrArray) all = NULL, transactions = NULL, findings = NULL;
	g_autoptr(mp_host) host = NULL;
	struct mp_status_report report = { .checked =
						   g_get_real_time() / G_USEC_PER_SEC };
	bool promises;

	if (!root)
		return 0;
	/* First, because it fails for whoever may not look. */
	all = mp_journal_load(root, error);
	if (!all || !is_at_rest(root, all, error))
		return 0;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	if (!host)
		return 0;
	transactions = not_undone(all);
	findings = mp_promises_judge(host, root, all, &report.reboot_pending);
	promises = findings->len > 0;
	if (transactions->len)
		add_selftests(findings, host, root);
	report.host = host;
	report.transactions = transactions;
	report.findings = findings;
	if (host->setup->boot_id.know == MP_KNOWN)
		report.boot_id = host->setup->boot_id.text;
	sum_up(&report, promises);
	if (opt_record && !record(&report, error))
		return 0;
	ops->status(&report, style, stdout);
	return report.exit_code;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (!ops->status) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "status has no format '%s'",
			opt_format);
		return 0;
	}
	return status(ops, &style, error);
}

const struct mp_cmd mp_cmd_status = {
	.name = "status",
	.summary = "compare what setup promised with the host as it is now",
	.args = "",
	.options = options,
	.description =
		"Reads only, but for --record. Each promise is kept, broken (drift), unknown, or "
		"counts from the next boot on.\n\n"
		"Exit codes: 0 all kept, or nothing is set up; 1 drift, something that could not "
		"be checked, or the reboot is still to come; 2 usage; 3 could not look.\n",
	.run = run,
};
