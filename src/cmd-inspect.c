/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect: what is inside a card, and making it silent. */
#include "config.h"

#include <string.h>

#include "choose.h"
#include "core/card.h"
#include "core/irte.h"
#include "core/pci.h"
#include "core/ready.h"
#include "core/repair.h"
#include "core/use.h"
#include "hook-cards.h"

static struct mp_choose_options opt_choose;
static char *opt_sysroot, *opt_format, *opt_color;
static gboolean opt_scrub, opt_repair, opt_experimental, opt_dry_run;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "look into"),
	MP_OPTION_PROFILE(opt_choose, "look into"),
	{ "scrub", 0, 0, G_OPTION_ARG_NONE, &opt_scrub,
		"make the card silent first: what is armed in it is switched off", NULL },
	{ "repair-msi", 0, 0, G_OPTION_ARG_NONE, &opt_repair,
		"put the host's interrupt message into a card that a VM has (experiment)",
		NULL },
	{ "experimental", 0, 0, G_OPTION_ARG_NONE, &opt_experimental,
		"yes, what was never tried on hardware", NULL },
	{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &opt_dry_run,
		"with --repair-msi: look at what it takes, write nothing", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static bool is_used(const struct mp_host *host, const struct mp_pci *device)
{
	g_autoptr(GPtrArray) uses = mp_use_of(host, device);

	return uses->len || (device->driver.know == MP_KNOWN &&
				    !mp_fact_is(&device->driver, "vfio-pci"));
}

static enum mp_inspect_verdict judge(const struct mp_host *host,
	const struct mp_pci *device, const struct mp_card *card)
{
	if (!card)
		return MP_INSPECT_NO_STATE;
	switch (card->life) {
	case MP_CARD_UNREAD:
		return MP_INSPECT_UNREAD;
	case MP_CARD_ASLEEP:
		return MP_INSPECT_ASLEEP;
	case MP_CARD_ZEROS:
	case MP_CARD_ONES:
	case MP_CARD_STARTING:
		return MP_INSPECT_DEAD;
	case MP_CARD_RUNNING:
		break;
	}
	if (!mp_card_is_armed(card))
		return MP_INSPECT_QUIET;
	return is_used(host, device) ? MP_INSPECT_AT_WORK : MP_INSPECT_ARMED;
}

static int exit_code(enum mp_inspect_verdict verdict)
{
	switch (verdict) {
	case MP_INSPECT_ARMED:
	case MP_INSPECT_DEAD:
		return MP_EXIT_FINDING;
	case MP_INSPECT_UNREAD:
		return MP_EXIT_FAILURE;
	case MP_INSPECT_NO_STATE:
	case MP_INSPECT_ASLEEP:
	case MP_INSPECT_AT_WORK:
	case MP_INSPECT_QUIET:
		break;
	}
	return MP_EXIT_OK;
}

static void keep(void *user, const char *line)
{
	g_ptr_array_add(user, g_strdup(line));
}

/* MP_ERROR_CHANGED is exit 1: the host, as it is, forbids it. */
static bool may_be_scrubbed(
	const struct mp_host *host, const struct mp_pci *device, GError **error)
{
	g_autoptr(GPtrArray) uses = mp_use_of(host, device);
	const struct mp_fact *unread = mp_use_unread(host, device);

	if (device->driver.know != MP_KNOWN || !mp_fact_is(&device->driver, "vfio-pci")) {
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
			"%s: not made silent: it is with %s; 'metis-passthrough bind %s' first",
			device->bdf,
			device->driver.know == MP_KNOWN ? device->driver.text
							: "no driver",
			device->bdf);
		return false;
	}
	if (uses->len || unread) {
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED, "%s: not made silent: %s",
			device->bdf,
			uses->len ? ((const struct mp_use_entry *)uses->pdata[0])->detail
				  : "whether it is in use could not be read");
		return false;
	}
	return true;
}

struct look {
	struct mp_root *root;
	const struct mp_config *config;
	const struct mp_render_ops *ops;
	const struct mp_render_style *style;
};

/* What there is now, into REPORT. NULL: an error. */
static struct mp_host *look_again(
	const struct look *look, struct mp_inspect_report *report, GError **error)
{
	g_autoptr(mp_host) after = mp_host_load(look->root, MP_TOPIC_ALL, error);
	const struct mp_pci *device =
		after ? mp_host_device(after, report->device->bdf) : NULL;

	if (after && !device)
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: it is gone now",
			report->device->bdf);
	if (!device)
		return NULL;
	report->host = after;
	report->device = device;
	return g_steal_pointer(&after);
}

/* Writes what REPAIR says. The host's message may have become another one meanwhile: then
 * what was written means nothing, and is put back. */
static struct mp_host *do_repair(const struct look *look, const struct mp_repair *repair,
	const struct mp_card_kind *kind, struct mp_inspect_report *report, GError **error)
{
	const struct mp_pci *device = report->device;
	g_autoptr(mp_ready_live) lock = mp_ready_live_new(device, kind, NULL);
	g_autoptr(mp_card_live) live = NULL;
	g_autoptr(mp_host) after = NULL;

	if (!mp_ready_live_lock(lock, error) ||
		!(live = mp_card_live_open(device, kind, true, error)) ||
		!mp_repair_apply(repair, mp_card_live_io(live), error))
		return NULL;
	after = look_again(look, report, error);
	if (after && mp_repair_still_holds(repair, report->device))
		return g_steal_pointer(&after);
	mp_repair_undo(repair, mp_card_live_io(live));
	if (after)
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
			"%s: not repaired: the host gave it another message meanwhile (the "
			"guest's driver starts or stops); what was there was put back, try again",
			device->bdf);
	return NULL;
}

static int inspect(const struct look *look, struct mp_host *host, struct mp_pci *device,
	GError **error)
{
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(mp_profile) profile = mp_profile_for_device(device, error);
	g_autoptr(mp_host) after = NULL;
	struct mp_inspect_report report = {
		.host = host, .device = device, .done = done
	};

	if (!profile)
		return MP_EXIT_FAILURE;
	if (opt_scrub) {
		if (!may_be_scrubbed(host, device, error) ||
			!mp_hook_silence(look->config, device, keep, done, error))
			return mp_error_exit(*error);
		/* What is shown is what is there now. */
		after = look_again(look, &report, error);
		if (!after)
			return MP_EXIT_FAILURE;
	}
	if (opt_repair) {
		report.repair = mp_repair_plan(
			host, device, profile, mp_irtes_read(host, look->root));
		report.dry_run = opt_dry_run;
		if (report.repair->ready && report.repair->n_writes && !opt_dry_run) {
			after = do_repair(look, report.repair,
				mp_card_kind_find(profile->state), &report, error);
			if (!after)
				return mp_error_exit(*error);
		}
	}
	report.profile = profile->name;
	report.card = mp_host_card(report.host, report.device);
	report.irtes = mp_irtes_read(after ? after : host, look->root);
	report.verdict = judge(report.host, report.device, report.card);
	report.exit_code = exit_code(report.verdict);
	if (report.repair)
		report.exit_code = report.repair->ready ? MP_EXIT_OK : MP_EXIT_FINDING;
	look->ops->inspect(&report, look->style, stdout);
	return report.exit_code;
}

static bool choose(const struct look *look, const struct mp_host *host,
	struct mp_choice *choice, GError **error)
{
	g_autoptr(mp_profile) profile = NULL;
	struct mp_choose_from from = { .host = host, .config = look->config };

	if (opt_choose.profile && !(profile = mp_profile_load(opt_choose.profile, error)))
		return false;
	from.profile = profile;
	if (!mp_choose(&opt_choose, &from, choice, error))
		return false;
	if (choice->missing->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: there is no such device",
			(const char *)choice->missing->pdata[0]);
		return false;
	}
	if (!choice->wanted->len ||
		(choice->wanted->len > 1 && look->ops != &mp_render_text)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "%s: name one by --device",
			choice->wanted->len
				? "format json is about one device, and there are more"
				: "no device is named, none is configured, and no profile wants one");
		return false;
	}
	return true;
}

/* Options that need or exclude each other. */
static bool check_options(GError **error)
{
	bool elsewhere = opt_sysroot && strcmp(opt_sysroot, "/") != 0;
	const char *problem = NULL;

	if (opt_scrub && opt_repair)
		problem =
			"--scrub is for a card that nobody uses, --repair-msi for one that a "
			"VM has";
	else if (opt_scrub && elsewhere)
		problem =
			"--scrub --sysroot: only a card of this machine can be made silent";
	else if (opt_dry_run && !opt_repair)
		problem = "--dry-run goes with --repair-msi";
	else if (opt_repair && !opt_dry_run && elsewhere)
		problem =
			"--repair-msi --sysroot: only a card of this machine can be repaired "
			"(--dry-run looks at what it takes)";
	else if (opt_repair && !opt_dry_run && !opt_experimental)
		problem =
			"--repair-msi was never tried on hardware: --dry-run shows what it "
			"would do, --experimental does it";
	if (problem)
		g_set_error_literal(error, MP_ERROR, MP_ERROR_USAGE, problem);
	return !problem;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	struct mp_render_style style = { 0 };
	struct look look = { .style = &style };
	g_autoptr(mp_root) root = NULL;
	g_autoptr(mp_config) config = NULL;
	g_autoptr(mp_host) host = NULL;
	g_auto(mp_choice) choice = { NULL, NULL };
	int code = MP_EXIT_OK;

	mp_choice_init(&choice);
	look.ops = mp_cmd_format(opt_format, error);
	if (!look.ops || !mp_cmd_style(opt_color, &style, error))
		return MP_EXIT_USAGE;
	if (!look.ops->inspect) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"inspect has no format '%s' (there are: text, json)",
			look.ops->name);
		return MP_EXIT_USAGE;
	}
	if (!check_options(error))
		return MP_EXIT_USAGE;
	look.root = root = mp_root_open(opt_sysroot, error);
	look.config = config = root ? mp_config_load(root, error) : NULL;
	host = config ? mp_host_load(root, MP_TOPIC_ALL, error) : NULL;
	if (!host || !choose(&look, host, &choice, error))
		return MP_EXIT_FAILURE;
	for (guint i = 0; i < choice.wanted->len && !*error; i++) {
		int its;

		if (i)
			fputc('\n', stdout);
		its = inspect(&look, host, choice.wanted->pdata[i], error);
		code = MAX(code, its);
	}
	return code;
}

const struct mp_cmd mp_cmd_inspect = {
	.name = "inspect",
	.args = "",
	.summary = "look into a card: firmware, window into memory, messages of its own",
	.options = options,
	.description =
		"What no PCI register shows, of a card whose profile says how it is read: does "
		"its firmware run, is its window into memory open and where to, which interrupt "
		"messages are in its DMA engine and whose they are. Beside it the message that the "
		"host gave to the function, and the card's entries of the interrupt remapping "
		"table (Intel, by debugfs). The card's memory is mapped from sysfs; VFIO, which "
		"would reset the card, is not opened, and a card that sleeps is not woken up.\n\n"
		"--scrub wakes the card up, takes bus mastering away and switches off what is "
		"armed; for a card that is with vfio-pci and that nobody uses. It is what the "
		"hookscript does after a VM.\n\n"
		"--repair-msi is an experiment, for a card whose interrupts do not arrive in a VM "
		"because its guest's driver copies a message into it that the host blocks "
		"('diagnose' tells): it puts the host's own message there, which the host lets "
		"through. It says what it takes, whether that is so here, and what to do where it is "
		"not. Nothing undoes it but the guest's driver, loaded again, or a reset.\n\n"
		"UNTESTED ON HARDWARE: the layout is the vendor's published driver's, and was "
		"tried on models of the card.\n\n"
		"Exit codes: 0 quiet, asleep, or in use; 1 armed and nobody's, or dead; 2 usage; "
		"3 could not be looked into. With --repair-msi: 0 done, or could be; 1 something "
		"that it takes is missing.\n",
	.run = run,
};
