/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each interrupt arrives, once, where it belongs. */
#include "config.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/pci.h"
#include "core/root.h"
#include "vfio/case.h"

#define ARRIVE_MS   2000
#define SETTLE_MS   5 /* for a second one that should not come */
#define VECTORS_MAX 64u
#define REPEATS     3u

/* Configuration space (linux/pci_regs.h has the same under other names). */
#define CONFIG_MAX       4096
#define CAPABILITIES     0x34
#define CAPABILITIES_MAX 48
#define CAP_MSI          0x05
#define MSI_FLAGS        2
#define MSI_FLAGS_64     0x80
#define MSI_FLAGS_ENABLE 0x01

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

/* Vector N counts exactly one, the COUNT - 1 others none. */
static bool arrived(struct mp_selftest *test, struct mp_case_result *result,
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
	g_array_append_val(test->times, ns);
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

/* As many as the host grants, at most COUNT; 0: none, the verdict is made. */
static unsigned enable(struct mp_selftest *test, struct mp_case_result *result,
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

static void disable(struct mp_selftest *test, struct mp_case_result *result)
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
	fine = arrived(test, result, fds, count, n, start);
	if (test->engine->ack_irq)
		test->engine->ack_irq(test->state, n);
	if (fine && irq == MP_VFIO_INTX && !mp_vfio_irq_unmask_intx(test->vfio, &error)) {
		mp_case_fail(result, NULL, "%s", error->message);
		return false;
	}
	return fine;
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
		mp_case_skip(result, "the engine cannot raise an interrupt");
	if (result->summary)
		return mp_test_goes_on(test);
	count = enable(test, result, irq, MIN(has, VECTORS_MAX), &fds);
	raised = test->limits.irq_per_vector ? count : MIN(count, 1);
	for (unsigned n = 0; n < raised && fine; n++)
		for (unsigned i = 0; i < REPEATS && fine; i++)
			fine = raise_one(test, result, irq, fds, count, n);
	if (count)
		disable(test, result);
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
	count = enable(test, result, kinds[kind],
		MIN(mp_vfio_irq_count(test->vfio, kinds[kind]), VECTORS_MAX), &fds);
	for (unsigned n = 0; n < count && fine; n++) {
		g_autoptr(GError) error = NULL;
		gint64 start = g_get_monotonic_time();

		fine = mp_vfio_irq_loopback(test->vfio, n, &error);
		if (!fine)
			mp_case_fail(result, NULL, "%s", error->message);
		fine = fine && arrived(test, result, fds, count, n, start);
	}
	if (count)
		disable(test, result);
	if (count && fine)
		mp_case_pass(result,
			"the kernel signalled each of %u %s vector%s, without the device, and "
			"it arrived",
			count, mp_vfio_irq_name(kinds[kind]), MP_PLURAL(count));
	return mp_test_goes_on(test);
}

/* --- messages that the device writes itself --- */

struct message {
	uint64_t address;
	uint32_t data;
};

static uint32_t bytes_at(const char *config, size_t offset, unsigned width)
{
	uint32_t value = 0;

	memcpy(&value, config + offset, width); /* little endian, as every x86 */
	return value;
}

/*
 * The message that the host gave to MSI vector 0. VFIO shows its own copy of the registers;
 * what the kernel wrote is in sysfs.
 */
static bool read_message(
	const struct mp_selftest *test, struct message *message, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(NULL, error);
	g_autofree char *path = g_strdup_printf("%s/config", test->device->dir);
	g_autofree char *config = NULL;
	size_t size = 0, at;
	int got;

	if (!root)
		return false;
	got = mp_root_read(root, path, CONFIG_MAX, &config, &size);
	if (got < 0) {
		mp_error_set_errno(error, got, path, "read");
		return false;
	}
	at = size > CAPABILITIES ? (uint8_t)config[CAPABILITIES] & ~3u : 0;
	for (unsigned hops = 0; at && at + 16 <= size && hops < CAPABILITIES_MAX;
		hops++) {
		uint32_t flags = bytes_at(config, at + MSI_FLAGS, 2);
		bool wide = flags & MSI_FLAGS_64;

		if ((uint8_t)config[at] != CAP_MSI) {
			at = (uint8_t)config[at + 1] & ~3u;
			continue;
		}
		if (!(flags & MSI_FLAGS_ENABLE))
			break;
		message->address = bytes_at(config, at + 4, 4);
		if (wide)
			message->address |= (uint64_t)bytes_at(config, at + 8, 4) << 32;
		message->data = bytes_at(config, at + (wide ? 12 : 8), 2);
		return true;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: shows no MSI capability that is on", path);
	return false;
}

static bool send_all(struct mp_selftest *test, struct mp_case_result *result,
	const int *fds, unsigned count)
{
	struct message message;
	g_autoptr(GError) error = NULL;

	if (!read_message(test, &message, &error)) {
		mp_case_fail(result, NULL, "%s", error->message);
		return false;
	}
	mp_case_evidence(result, "MSI message",
		"address 0x%" G_GINT64_MODIFIER "x, data 0x%x", message.address,
		message.data);
	if (test->limits.address_bits < 64 &&
		message.address >> test->limits.address_bits) {
		mp_case_skip(result,
			"the device emits %u address bits, too few for an interrupt message",
			test->limits.address_bits);
		return false;
	}
	for (unsigned n = 0; n < count; n++) {
		gint64 start = g_get_monotonic_time();

		if (!test->engine->send_message(
			    test->state, message.address, message.data + n, &error)) {
			mp_case_fail(result, NULL, "%s",
				error ? error->message : "the message was not sent");
			mp_test_come_back(test, result);
			return false;
		}
		if (!arrived(test, result, fds, count, n, start))
			return false;
	}
	return true;
}

static bool run_message(struct mp_selftest *test, struct mp_case_result *result)
{
	unsigned has = mp_vfio_irq_count(test->vfio, MP_VFIO_MSI), count;
	const int *fds;
	bool fine;

	if (!test->limits.programmed_irq || !test->engine->send_message)
		mp_case_skip(result,
			"the engine cannot have the device write a message itself");
	else if (!has)
		mp_case_skip(result, "the device has no MSI");
	if (result->summary)
		return mp_test_goes_on(test);
	count = enable(test, result, MP_VFIO_MSI, MIN(has, VECTORS_MAX), &fds);
	fine = count && send_all(test, result, fds, count);
	if (count)
		disable(test, result);
	if (fine)
		mp_case_pass(result,
			"the device wrote the message of %u vector%s itself, and each arrived "
			"as that vector",
			count, MP_PLURAL(count));
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

const struct mp_case mp_case_irq_message = {
	.name = "irq-message",
	.title = "a message that the device writes itself arrives as the right vector",
	.run = run_message,
};
