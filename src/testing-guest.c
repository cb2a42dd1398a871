/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest --guest: which way the device is driven inside of a VM, and the way back. The
 * device goes to a driver for the time of the test and returns to what it had, whatever
 * happens in between; only a kernel that does not answer, or SIGKILL, leaves it.
 */
#include "config.h"

#include <string.h>

#include "core/dmatest.h"
#include "core/handover.h"
#include "core/iommu.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/platform.h"
#include "guest/dmatest.h"
#include "guest/module.h"
#include "interrupt.h"
#include "taking.h"
#include "testing.h"

#define HANDOVER_SECONDS 60
#define NOIOMMU          "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

struct guest {
	struct mp_testing *testing;
	struct mp_selftest_report *report;
	struct mp_host **again;
	struct mp_target *target;
	struct mp_handover hand; /* address NULL: nothing was handed over */
	enum mp_module_from module;
};

static bool has_driver(const struct guest *g, const char *name)
{
	return mp_fact_is(&g->report->device->driver, name);
}

/* --- handing over and back --- */

static bool hand_over(struct guest *g, const char *driver, GError **error)
{
	g->hand = (struct mp_handover){
		.target = g->target,
		.address = g->report->device->bdf,
		.driver = driver,
		.seconds = HANDOVER_SECONDS,
	};
	if (mp_handover(&g->hand, error))
		return true;
	/* It is back already, or cannot be brought back. */
	mp_handover_clear(&g->hand);
	g->hand.address = NULL;
	return false;
}

/* True: the kernel did not answer; whatever is tried now waits for it too. */
static bool is_stuck(const GError *problem)
{
	return g_error_matches(problem, MP_ERROR, MP_ERROR_STUCK);
}

/* PROBLEM: why the test could not run, or NULL; that things are not as they were is worse. */
static bool leave(struct guest *g, GError *problem, GError **error)
{
	g_autoptr(GError) worse = NULL;

	if (g->hand.address && !is_stuck(problem))
		mp_handover_back(&g->hand, &worse);
	else if (g->hand.address)
		g_prefix_error(
			&problem, "it stays with %s, which has it now; ", g->hand.driver);
	mp_handover_clear(&g->hand);
	if (!is_stuck(problem) && !worse)
		mp_guest_module_unload(g->target, g->module);
	g_clear_pointer(&g->target, mp_target_free);
	if (worse) {
		if (problem)
			g_prefix_error(&worse, "%s; ", problem->message);
		g_clear_error(&problem);
		g_propagate_error(error, g_steal_pointer(&worse));
		return false;
	}
	if (!problem)
		return true;
	g_propagate_error(error, problem);
	return false;
}

/* Not while a setup, or another of us, is at work. */
static bool enter(struct guest *g, GError **error)
{
	mp_interrupts_catch();
	g->target = mp_target_open(NULL, error);
	return g->target && mp_target_lock(g->target, error);
}

/* --- by the module --- */

static bool module_progress(void *user, const char *name, unsigned number, unsigned round)
{
	const struct guest *g = user;

	if (name)
		mp_testing_tell(name, number, mp_dmatest_count(&g->testing->options),
			round, g->testing->options.rounds);
	return !mp_interrupted();
}

static bool keep_on(void *user G_GNUC_UNUSED, const char *line G_GNUC_UNUSED)
{
	return !mp_interrupted();
}

static bool run_module(struct guest *g, GError **error)
{
	struct mp_selftest_report *report = g->report;
	struct mp_dmatest_run run = {
		.target = g->target,
		.address = report->device->bdf,
		.options = report->options,
		.progress = module_progress,
		.user = g,
		.seconds = g->testing->seconds,
		.wanted = g->testing->engine,
	};
	bool could;

	/* It has none. */
	g->testing->options.isolation = false;
	could = mp_dmatest_run(&run, report->results, error);

	mp_testing_tell_end();
	report->way = "module";
	report->engine = run.engine;
	report->interrupted = !could && (run.stopped || run.late);
	report->late = !could && run.late;
	return could;
}

static bool bytes_fit(const struct guest *g, GError **error)
{
	if (g->testing->options.bytes <= DMATEST_BYTES_MAX)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--bytes: the module " DMATEST_MODULE " moves %u bytes in one go at most",
		DMATEST_BYTES_MAX);
	return false;
}

static bool by_module(struct guest *g, GError **error)
{
	GError *problem = NULL;

	/* The same card by then: whoever reset it or took it out had the lock, or none at all. */
	if (has_driver(g, DMATEST_MODULE))
		run_module(g, &problem);
	else if (hand_over(g, DMATEST_MODULE, &problem))
		run_module(g, &problem);
	return leave(g, problem, error);
}

/* --- by VFIO --- */

static bool look_again(struct guest *g, GError **error)
{
	struct mp_selftest_report *report = g->report;
	g_autoptr(mp_pin) pin = mp_pin_of(report->device);
	g_autofree char *why = NULL;

	*g->again = mp_host_load(mp_target_root(g->target), MP_TOPIC_ALL, error);
	if (!*g->again)
		return false;
	/* The address stays one string: the handover uses it. */
	if (mp_pin_check(*g->again, pin, &why) != MP_PIN_SAME) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: is not the same card any more: %s", report->device->bdf,
			why);
		return false;
	}
	report->device = mp_host_device(*g->again, report->device->bdf);
	report->host = *g->again;
	return true;
}

static bool by_vfio(struct guest *g, GError **error)
{
	GError *problem = NULL;

	if (has_driver(g, MP_DRIVER_VFIO))
		mp_testing_vfio(g->testing, g->report, &problem);
	else if (mp_handover_load_vfio(g->target, &problem) &&
		 hand_over(g, MP_DRIVER_VFIO, &problem) && look_again(g, &problem))
		mp_testing_vfio(g->testing, g->report, &problem);
	return leave(g, problem, error);
}

/* NULL: it can be. Else why not; caller frees. */
static char *no_vfio(const struct guest *g)
{
	const struct mp_host *host = g->report->host;
	g_autofree char *noiommu = NULL;
	size_t size;

	if (host->iommu && host->iommu->units->len && g->report->device->group)
		return NULL;
	if (!mp_root_read(
		    mp_target_root(g->target), NOIOMMU, MP_READ_ATTR, &noiommu, &size) &&
		noiommu[0] == 'Y')
		return g_strdup(
			"VFIO without an IOMMU is allowed here, but not used: a process cannot "
			"promise a device physical addresses that stay its own");
	return g_strdup(
		"VFIO cannot be used: this system has no IOMMU (Proxmox VE: machine: "
		"q35,viommu=intel gives a VM one)");
}

/* --- which --- */

static bool is_the_pinned(const struct guest *g, GError **error)
{
	const char *address = g->report->device->bdf;
	const struct mp_pin *pin = mp_config_pin(g->testing->config, address);
	g_autofree char *why = NULL;

	if (!pin || mp_pin_check(g->report->host, pin, &why) == MP_PIN_SAME)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"%s: is not the card that config.yaml means: %s ('metis-passthrough repin')",
		address, why);
	return false;
}

/* The module has no other user than us, and refuses a second one by itself. */
static bool may_be_taken(const struct guest *g, GError **error)
{
	return has_driver(g, DMATEST_MODULE) ||
	       mp_may_take(g->report->host, g->report->device, g->testing->force, error);
}

static bool choose_and_run(struct guest *g, GError **error)
{
	enum mp_testing_way way = g->testing->way;
	g_autofree char *vfio = no_vfio(g);
	GError *problem = NULL;

	if (way == MP_TESTING_ANY && has_driver(g, MP_DRIVER_VFIO) && !vfio)
		way = MP_TESTING_VFIO;
	if (way == MP_TESTING_VFIO && vfio)
		g_set_error(&problem, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: %s",
			g->report->device->bdf, vfio);
	if (problem)
		return leave(g, problem, error);
	if (way == MP_TESTING_VFIO)
		return by_vfio(g, error);
	if (!bytes_fit(g, &problem))
		return leave(g, problem, error);
	if (has_driver(g, DMATEST_MODULE) ||
		mp_guest_module_load(
			g->report->host, g->target, keep_on, NULL, &g->module, &problem))
		return by_module(g, error);
	if (way == MP_TESTING_MODULE || mp_interrupted() || vfio) {
		if (way == MP_TESTING_ANY && vfio && !mp_interrupted())
			g_prefix_error(&problem, "%s; ", vfio);
		g_prefix_error(&problem, "%s: ", g->report->device->bdf);
		return leave(g, problem, error);
	}
	fprintf(stderr, "metis-passthrough selftest: %s: by VFIO: %s\n",
		g->report->device->bdf, problem->message);
	g_clear_error(&problem);
	return by_vfio(g, error);
}

bool mp_testing_guest(struct mp_testing *testing, struct mp_selftest_report *report,
	struct mp_host **again, GError **error)
{
	const struct mp_platform *platform = report->host->platform;
	struct guest guest = {
		.testing = testing,
		.report = report,
		.again = again,
	};
	GError *problem = NULL;

	report->guest = true;
	if (platform && platform->hypervisor.know == MP_ABSENT)
		fprintf(stderr,
			"metis-passthrough selftest: warning: the CPU does not say that this is "
			"a VM\n");
	if (!is_the_pinned(&guest, error) || !may_be_taken(&guest, error))
		return false;
	if (!enter(&guest, &problem))
		return leave(&guest, problem, error);
	return choose_and_run(&guest, error);
}
