/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each interrupt arrives, once, where it belongs. */
#include "config.h"

#include <poll.h>
#include <unistd.h>

#include "core/pci.h"
#include "vfio/case.h"

#define ARRIVE_MS 2000
#define SETTLE_MS 5 /* for a second one that should not come */
#define REPEATS   3u

static const char no_arrival[] =
	"The way of the interrupt from the card to this process is broken: interrupt "
	"remapping, a masked vector, or a card that does not send.";

static uint64_t take(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void wait_for(int fd, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	poll(&wait, 1, milliseconds);
}

bool mp_test_irq_arrived(struct mp_selftest *test, struct mp_case_result *result,
	const int *fds, unsigned count, unsigned n, gint64 start)
{
	uint64_t got, ns;

	wait_for(fds[n], ARRIVE_MS);
	ns = MAX((uint64_t)(g_get_monotonic_time() - start), 1) * 1000;
	got = take(fds[n]);
	if (!got) {
		mp_case_fail(result, no_arrival, "vector %u did not arrive within %u ms",
			n, ARRIVE_MS);
		for (unsigned i = 0; i < count; i++)
			if (take(fds[i]))
				mp_case_evidence(result, "eventfd",
					"vector %u was signalled instead", i);
		return false;
	}
	mp_series_add(&test->times, ns);
	wait_for(fds[n], SETTLE_MS);
	got += take(fds[n]);
	if (got != 1) {
		mp_case_fail(result, NULL,
			"vector %u was signalled %" G_GUINT64_FORMAT " times for one", n,
			got);
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!take(fds[i]))
			continue;
		mp_case_fail(result, no_arrival,
			"vector %u was raised, and vector %u was signalled too", n, i);
		return false;
	}
	return true;
}

unsigned mp_test_irq_enable(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_vfio_irq irq, unsigned count, const int **fds)
{
	for (;;) {
		g_autoptr(GError) error = NULL;

		if (mp_vfio_irq_enable(test->vfio, irq, count, fds, &error)) {
			for (unsigned i = 0; i < count; i++)
				take((*fds)[i]);
			return count;
		}
		if (!g_error_matches(error, MP_ERROR, MP_ERROR_LIMIT) || count == 1) {
			mp_case_fail(result, NULL, "%s", error->message);
			return 0;
		}
		mp_case_evidence(result, "vfio", "%s", error->message);
		count /= 2;
	}
}

void mp_test_irq_disable(struct mp_selftest *test, struct mp_case_result *result)
{
	g_autoptr(GError) error = NULL;

	if (!mp_vfio_irq_disable(test->vfio, &error))
		mp_case_fail(result, NULL, "%s", error->message);
}

/* The device raises vector N. */
static bool raise_one(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_vfio_irq irq, const int *fds, unsigned count, unsigned n)
{
	g_autoptr(GError) error = NULL;
	gint64 start = g_get_monotonic_time();
	bool fine;

	if (!test->engine->raise_irq(test->state, n, &error)) {
		mp_case_fail(result, NULL, "vector %u could not be raised: %s", n,
			error ? error->message : "its engine does not say why");
		mp_test_come_back(test, result);
		return false;
	}
	fine = mp_test_irq_arrived(test, result, fds, count, n, start);
	if (test->engine->ack_irq)
		test->engine->ack_irq(test->state, n);
	if (fine && irq == MP_VFIO_INTX && !mp_vfio_irq_unmask_intx(test->vfio, &error)) {
		mp_case_fail(result, NULL, "%s", error->message);
		return false;
	}
	return fine;
}

/* The device learns that its vectors are on. */
static bool tell_device(struct mp_selftest *test, struct mp_case_result *result)
{
	g_autoptr(GError) error = NULL;

	if (!test->engine->irqs_on || test->engine->irqs_on(test->state, &error))
		return true;
	mp_case_fail(result, NULL,
		"the device did not take up its work with interrupts on: %s",
		error ? error->message : "its engine does not say why");
	mp_test_come_back(test, result);
	return false;
}

static bool run_irq(
	struct mp_selftest *test, struct mp_case_result *result, enum mp_vfio_irq irq)
{
	unsigned has = mp_vfio_irq_count(test->vfio, irq);
	unsigned count, raised;
	const int *fds;
	bool fine = true;

	if (!has)
		mp_case_skip(result, "the device has no %s", mp_vfio_irq_name(irq));
	else if (!test->engine->raise_irq)
		mp_case_skip(result,
			test->engine->send_message && irq == MP_VFIO_MSI
				? "the device is not known to raise one by itself; that it writes "
				  "the message is tested by irq-message"
				: "the engine cannot raise an interrupt");
	if (result->summary)
		return mp_test_goes_on(test);
	count = mp_test_irq_enable(test, result, irq, MIN(has, MP_TEST_VECTORS), &fds);
	raised = test->limits.irq_per_vector ? count : MIN(count, 1);
	fine = !count || tell_device(test, result);
	for (unsigned n = 0; n < raised && fine; n++)
		for (unsigned i = 0; i < REPEATS && fine; i++)
			fine = raise_one(test, result, irq, fds, count, n);
	if (count)
		mp_test_irq_disable(test, result);
	if (count && fine)
		mp_case_pass(result,
			"%u of %u %s vector%s: each arrived once for each time it was raised, "
			"and no other did",
			raised, has, mp_vfio_irq_name(irq), MP_PLURAL(has));
	return mp_test_goes_on(test);
}

static bool run_intx(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_irq(test, result, MP_VFIO_INTX);
}

static bool run_msi(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_irq(test, result, MP_VFIO_MSI);
}

static bool run_msix(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_irq(test, result, MP_VFIO_MSIX);
}

/* The best kind that there is. */
static bool run_loopback(struct mp_selftest *test, struct mp_case_result *result)
{
	static const enum mp_vfio_irq kinds[] = { MP_VFIO_MSIX, MP_VFIO_MSI,
		MP_VFIO_INTX };
	unsigned count = 0;
	const int *fds;
	size_t kind = 0;
	bool fine = true;

	while (kind < G_N_ELEMENTS(kinds) && !mp_vfio_irq_count(test->vfio, kinds[kind]))
		kind++;
	if (kind == G_N_ELEMENTS(kinds)) {
		mp_case_skip(result, "the device has no interrupts");
		return mp_test_goes_on(test);
	}
	count = mp_test_irq_enable(test, result, kinds[kind],
		MIN(mp_vfio_irq_count(test->vfio, kinds[kind]), MP_TEST_VECTORS), &fds);
	for (unsigned n = 0; n < count && fine; n++) {
		g_autoptr(GError) error = NULL;
		gint64 start = g_get_monotonic_time();

		fine = mp_vfio_irq_loopback(test->vfio, n, &error);
		if (!fine)
			mp_case_fail(result, NULL, "%s", error->message);
		fine = fine && mp_test_irq_arrived(test, result, fds, count, n, start);
	}
	if (count)
		mp_test_irq_disable(test, result);
	if (count && fine)
		mp_case_pass(result,
			"the kernel signalled each of %u %s vector%s, without the device, and "
			"it arrived",
			count, mp_vfio_irq_name(kinds[kind]), MP_PLURAL(count));
	return mp_test_goes_on(test);
}

const struct mp_case mp_case_irq_loopback = {
	.name = "irq-loopback",
	.title = "what the kernel signals arrives here",
	.run = run_loopback,
};

const struct mp_case mp_case_irq_intx = {
	.name = "irq-intx",
	.title = "the pin's interrupt arrives, again and again",
	.run = run_intx,
};

const struct mp_case mp_case_irq_msi = {
	.name = "irq-msi",
	.title = "each MSI vector arrives as itself",
	.run = run_msi,
};

const struct mp_case mp_case_irq_msix = {
	.name = "irq-msix",
	.title = "each MSI-X vector arrives as itself",
	.run = run_msix,
};
