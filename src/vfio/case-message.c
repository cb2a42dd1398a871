/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt messages that the device writes itself, as a Metis does from registers of its DMA
 * engine: the right one arrives, one of a vector that is gone does not, nor one that the host
 * would never have composed. Each attempt stands behind one that works. No message is ever
 * sent to a handle that may be somebody else's: who would be hit by a hole, cannot be known.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "core/checks/common.h"
#include "core/pci.h"
#include "core/root.h"
#include "vfio/case.h"

/* Configuration space (linux/pci_regs.h has the same under other names). */
#define CONFIG_MAX       4096
#define CAPABILITIES     0x34
#define CAPABILITIES_MAX 48
#define CAP_MSI          0x05
#define MSI_FLAGS        2
#define MSI_FLAGS_64     0x80
#define MSI_FLAGS_ENABLE 0x01

/* x86: Intel SDM vol. 3, "Message Address Register Format"; VT-d specification, 5.1.2.2. */
#define MESSAGE_BASE   0xfee00000u
#define MESSAGE_SIZE   0x100000u
#define MESSAGE_REMAP  (1u << 4) /* remappable format */
#define MESSAGE_SHV    (1u << 3) /* the handle and the data together are the index */
#define REASON_FREED   0x22      /* VT-d specification, "Fault Reason Encodings" */
#define REASON_COMPAT  0x25
#define REASON_ANOTHER 0x26

/*
 * What is sent in compatibility format: fixed, edge, to APIC 0, vector 0xef. If it is let
 * through it does nothing but a line in the log: there Linux itself points MSI entries that
 * are not in use (MANAGED_IRQ_SHUTDOWN_VECTOR of processor 0, arch/x86/kernel/apic/vector.c),
 * so nobody has a handler for it. Before 5.3 such an interrupt was not acknowledged, and
 * those of lower priority waited for ever (f8a8fe61fec8 of the kernel mended it).
 */
#define COMPAT_ADDRESS MESSAGE_BASE
#define COMPAT_DATA    0xefu
#define COMPAT_KERNEL  "5.3"

#define SETTLE_MS 5

static const char not_held_back[] =
	"The IOMMU does not hold interrupts of this device back: a VM that has it could raise "
	"any interrupt of the host. Do not pass it through; see 'metis-passthrough explain "
	"interrupt-remapping-active'.";

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

/* False: the verdict is made. */
static bool can_send(struct mp_selftest *test, struct mp_case_result *result)
{
	if (!test->limits.programmed_irq || !test->engine->send_message)
		mp_case_skip(result, "%s",
			test->limits.no_message
				? test->limits.no_message
				: "the engine cannot have the device write a message itself");
	else if (!mp_vfio_irq_count(test->vfio, MP_VFIO_MSI))
		mp_case_skip(result, "the device has no MSI");
	return !result->summary;
}

static bool send(struct mp_selftest *test, struct mp_case_result *result,
	const struct message *message)
{
	g_autoptr(GError) error = NULL;

	if (test->engine->send_message(
		    test->state, message->address, message->data, &error))
		return true;
	mp_case_fail(
		result, NULL, "%s", error ? error->message : "the message was not sent");
	mp_test_come_back(test, result);
	return false;
}

/* MSI on with all vectors that the host grants. 0: the verdict is made. */
static unsigned begin(struct mp_selftest *test, struct mp_case_result *result,
	const int **fds, struct message *message)
{
	unsigned has = mp_vfio_irq_count(test->vfio, MP_VFIO_MSI);
	unsigned count = mp_test_irq_enable(
		test, result, MP_VFIO_MSI, MIN(has, MP_TEST_VECTORS), fds);
	g_autoptr(GError) error = NULL;

	if (!count)
		return 0;
	if (!read_message(test, message, &error))
		mp_case_fail(result, NULL, "%s", error->message);
	else if (test->limits.address_bits < 64 &&
		 message->address >> test->limits.address_bits)
		mp_case_skip(result,
			"the device emits %u address bits, too few for an interrupt message",
			test->limits.address_bits);
	if (result->summary) {
		mp_test_irq_disable(test, result);
		return 0;
	}
	mp_case_evidence(result, "MSI message",
		"address 0x%" G_GINT64_MODIFIER "x, data 0x%x", message->address,
		message->data);
	return count;
}

/* --- the right one --- */

/*
 * After one that did not arrive: a message is a write like any other, so it can be pointed at
 * memory. Whether it arrives there tells the device's fault from that of the way behind it.
 */
static void look_by_memory(struct mp_selftest *test, struct mp_case_result *result)
{
	static const uint32_t data = 0x5aa5;
	g_autoptr(mp_buffer) buffer = mp_test_buffer(test, result, test->page);
	const struct message message = { MP_IOVA_TO, data };
	uint32_t got;

	if (!buffer || !mp_test_map(test, result, buffer, MP_IOVA_TO,
			       MP_VFIO_READ | MP_VFIO_WRITE))
		return;
	memset(buffer->memory, 0xff, sizeof(got));
	if (send(test, result, &message)) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		memcpy(&got, buffer->memory, sizeof(got));
		mp_case_evidence(result, "the same, pointed at memory", "%s",
			got == GUINT32_TO_LE(data)
				? "arrives, so the device sends what it is told to"
			: ~got ? "arrives as something else: the device sends what it was "
				 "not told to"
			       : "does not arrive either: the device sends nothing");
	}
	mp_test_unmap(test, result, MP_IOVA_TO, buffer->size);
}

static bool run_message(struct mp_selftest *test, struct mp_case_result *result)
{
	struct message message;
	unsigned count;
	const int *fds;
	bool fine = true;

	if (!can_send(test, result))
		return mp_test_goes_on(test);
	count = begin(test, result, &fds, &message);
	for (unsigned n = 0; n < count && fine; n++) {
		const struct message its = { message.address, message.data + n };
		gint64 start = g_get_monotonic_time();

		fine = send(test, result, &its) &&
		       mp_test_irq_arrived(test, result, fds, count, n, start);
	}
	if (count)
		mp_test_irq_disable(test, result);
	if (count && !fine && !test->dead)
		look_by_memory(test, result);
	if (count && fine)
		mp_case_pass(result,
			"the device wrote the message of %u vector%s itself, and each arrived "
			"as that vector",
			count, MP_PLURAL(count));
	return mp_test_goes_on(test);
}

/* --- what the IOMMU has to make of others --- */

enum format {
	FORMAT_HANDLE, /* Intel: the address tells the entry, of all devices */
	FORMAT_INDEX,  /* AMD: the data tell the entry, of this device */
	FORMAT_PLAIN,  /* no entry: processor and vector */
};

static enum format format_of(
	const struct mp_selftest *test, const struct message *message)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(test->host);

	if (message->address & MESSAGE_REMAP)
		return FORMAT_HANDLE;
	return mp_iommu_has_kind(iommu, MP_IOMMU_AMD) ? FORMAT_INDEX : FORMAT_PLAIN;
}

/* False: the verdict is made. */
static bool is_remapped(const struct mp_selftest *test, struct mp_case_result *result,
	const struct message *message)
{
	if (message->address - MESSAGE_BASE >= MESSAGE_SIZE)
		mp_case_skip(result,
			"the host's message is not one of an x86 machine, which is all that "
			"this case knows");
	else if (format_of(test, message) == FORMAT_PLAIN)
		mp_case_fail(result, not_held_back,
			"interrupts of the device are not remapped: its message names a "
			"processor and a vector, and so may every other that it writes");
	return !result->summary;
}

/* VT-d specification, 5.1.3. */
static uint32_t index_of(const struct message *message)
{
	uint32_t handle = (uint32_t)(message->address >> 5 & 0x7fff) |
			  (uint32_t)(message->address >> 2 & 1) << 15;

	return message->address & MESSAGE_SHV ? handle + (message->data & 0xffff)
					      : handle;
}

/* QEMU's edu names no requester; then QEMU logs the highest number there is. */
static bool is_nobody(const struct mp_selftest *test, const struct mp_fault *fault)
{
	return test->limits.anonymous_messages &&
	       mp_fault_is_of(fault, fault->domain, 0xff, 0x1f, 7);
}

static bool is_blocked_message(
	const struct mp_wanted_fault *want, const struct mp_fault *fault)
{
	return fault->kind == MP_FAULT_INTERRUPT &&
	       (mp_test_is_own(want->test, fault) || is_nobody(want->test, fault));
}

static bool fits_freed(const struct mp_wanted_fault *want, const struct mp_fault *fault)
{
	return is_blocked_message(want, fault) &&
	       (fault->unit == MP_FAULT_AMD ||
		       (fault->has_index && fault->index == want->index &&
			       fault->has_reason &&
			       (fault->reason == REASON_FREED ||
				       fault->reason == REASON_ANOTHER)));
}

/* The index means nothing then. */
static bool fits_compat(const struct mp_wanted_fault *want, const struct mp_fault *fault)
{
	return is_blocked_message(want, fault) &&
	       (fault->unit == MP_FAULT_AMD ||
		       (fault->has_reason && fault->reason == REASON_COMPAT));
}

/* The line of a vector without a handler, "Spurious interrupt (vector 0xef) on CPU#0. Acked"
 * (handle_spurious_interrupt(), arch/x86/kernel/apic/apic.c); NULL: none. Caller frees. */
static char *stray_line(const struct mp_selftest *test)
{
	g_auto(GStrv) lines = g_strsplit(test->log->str, "\n", 0);

	for (char **line = lines; *line; line++)
		if (strstr(*line, "purious") &&
			(strstr(*line, "vector 0xef") || strstr(*line, "vector ef")))
			return g_strdup(*line);
	return NULL;
}

/* Sends until the log has the fault, or that it went through; once again where it may have
 * been left out. False: the verdict is made. */
static bool provoke(struct mp_selftest *test, struct mp_case_result *result,
	const struct message *message, const struct mp_wanted_fault *want,
	struct mp_heard *heard)
{
	mp_case_evidence(result, "message sent",
		"address 0x%" G_GINT64_MODIFIER "x, data 0x%x", message->address,
		message->data);
	for (int attempt = 0; attempt < 2; attempt++) {
		g_autofree char *stray = NULL;

		if (attempt &&
			!mp_test_await_fault(test, result, want, MP_FAULT_RATELIMIT_MS))
			return false;
		if (!mp_test_space_faults(test, result) || !send(test, result, message))
			return false;
		if (!mp_test_await_fault(test, result, want, MP_FAULT_LOG_MS))
			return false;
		test->faulted = g_get_monotonic_time();
		*heard = mp_test_hear(want);
		stray = stray_line(test);
		if (heard->wanted || heard->others || stray)
			break;
	}
	if (heard->wanted && !mp_test_is_own(test, &heard->first))
		mp_case_evidence(result, "kernel log", "%.*s",
			(int)heard->first.line_length, heard->first.line);
	return true;
}

/* How the summary of a pass ends where the log does not say whose the message was. */
static const char *whose(const struct mp_selftest *test, const struct mp_heard *heard)
{
	return mp_test_is_own(test, &heard->first)
		       ? ""
		       : "; whose it was the log does not tell, because the device sends "
			 "it without a requester";
}

/* The message of the last vector, which is the least likely to be given away at once. Returns
 * a copy of its eventfd, or -1: the verdict is made. MSI is off then. */
static int free_vector(
	struct mp_selftest *test, struct mp_case_result *result, struct message *stale)
{
	gint64 start;
	unsigned count, last;
	const int *fds;
	int kept = -1;

	count = begin(test, result, &fds, stale);
	if (!count)
		return -1;
	last = count - 1;
	stale->data += last;
	start = g_get_monotonic_time();
	if (is_remapped(test, result, stale) && send(test, result, stale) &&
		mp_test_irq_arrived(test, result, fds, count, last, start))
		kept = dup(fds[last]);
	mp_test_irq_disable(test, result);
	if (result->summary && kept >= 0) {
		close(kept);
		return -1;
	}
	return kept;
}

static bool was_signalled(int fd)
{
	uint64_t count;

	g_usleep(SETTLE_MS * 1000);
	return read(fd, &count, sizeof(count)) == sizeof(count);
}

static bool run_freed(struct mp_selftest *test, struct mp_case_result *result)
{
	static const char what[] = "a message to a vector that was given back";
	struct mp_wanted_fault want = { .test = test, .fits = fits_freed };
	struct mp_heard heard;
	struct message stale;
	bool sent, signalled;
	int kept;

	if (!can_send(test, result))
		return mp_test_goes_on(test);
	kept = free_vector(test, result, &stale);
	if (kept < 0)
		return mp_test_goes_on(test);
	want.index = index_of(&stale);
	sent = provoke(test, result, &stale, &want, &heard);
	signalled = was_signalled(kept);
	close(kept);
	if (signalled)
		mp_case_fail(result, not_held_back,
			"%s arrived all the same, though MSI is off", what);
	if (!sent || !mp_test_judge_heard(
			     test, result, &heard, what, "it did not arrive here"))
		return mp_test_goes_on(test);
	if (heard.first.unit == MP_FAULT_AMD)
		mp_case_pass(result,
			"%s was refused, and the kernel logged it (an IO_PAGE_FAULT of an "
			"interrupt, which does not tell the index)%s",
			what, whose(test, &heard));
	else if (heard.first.reason == REASON_FREED)
		mp_case_pass(result,
			"%s was refused, and the kernel logged it with reason 0x22 and index "
			"0x%x, which is what the message says%s",
			what, want.index, whose(test, &heard));
	else
		mp_case_pass(result,
			"%s was refused, and the kernel logged it with reason 0x26: entry "
			"0x%x had been given to another device meanwhile, and the IOMMU saw "
			"that this one is not its owner%s",
			what, want.index, whose(test, &heard));
	return mp_test_goes_on(test);
}

static void judge_compat(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_heard *heard)
{
	static const char what[] = "a message in compatibility format";
	g_autofree char *stray = stray_line(test);

	if (stray)
		mp_case_evidence(result, "kernel log", "%s", stray);
	if (!heard->wanted && !heard->others && mp_host_is_guest(test->host))
		mp_case_skip(result,
			"%s was %s; this is a VM, and QEMU's VT-d lets them through as no "
			"hardware does, so nothing follows from it",
			what, stray ? "let through" : "not logged as refused");
	else if (stray)
		mp_case_fail(result, not_held_back,
			"%s was not refused: it arrived as vector 0xef of a processor",
			what);
	else if (mp_test_judge_heard(
			 test, result, heard, what, "no vector of the device arrived"))
		mp_case_pass(result, "%s was refused, and the kernel logged it%s%s", what,
			heard->first.unit == MP_FAULT_AMD ? "" : " with reason 0x25",
			whose(test, heard));
	test->faults = heard->wanted;
}

static bool run_compat(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct message compat = { COMPAT_ADDRESS, COMPAT_DATA };
	const struct mp_wanted_fault want = { .test = test, .fits = fits_compat };
	struct mp_heard heard;
	struct message message;
	unsigned count, arrived = 0;
	gint64 start;
	const int *fds;
	bool known, safe;

	if (!can_send(test, result))
		return mp_test_goes_on(test);
	safe = mp_kernel_at_least(test->host, COMPAT_KERNEL, &known);
	if (!safe) {
		mp_case_skip(result,
			known ? "before Linux " COMPAT_KERNEL
				" a stray interrupt, if the message were let through, would "
				"block others"
			      : "whether this kernel bears a stray interrupt is not known");
		return mp_test_goes_on(test);
	}
	count = begin(test, result, &fds, &message);
	if (!count)
		return mp_test_goes_on(test);
	start = g_get_monotonic_time();
	if (is_remapped(test, result, &message) && send(test, result, &message) &&
		mp_test_irq_arrived(test, result, fds, count, 0, start) &&
		provoke(test, result, &compat, &want, &heard)) {
		for (unsigned n = 0; n < count; n++)
			arrived += was_signalled(fds[n]);
		if (arrived)
			mp_case_fail(result, not_held_back,
				"a message in compatibility format arrived as a vector of the "
				"device");
		judge_compat(test, result, &heard);
	}
	mp_test_irq_disable(test, result);
	return mp_test_goes_on(test);
}

const struct mp_case mp_case_irq_message = {
	.name = "irq-message",
	.title = "a message that the device writes itself arrives as the right vector",
	.run = run_message,
};

const struct mp_case mp_case_isolation_message_freed = {
	.name = "isolation-message-freed",
	.title = "a message of the device to a vector that was given back is refused and "
		 "logged",
	.isolation = true,
	.run = run_freed,
};

const struct mp_case mp_case_isolation_message_compat = {
	.name = "isolation-message-compat",
	.title =
		"a message of the device that names a vector itself is refused and logged",
	.isolation = true,
	.run = run_compat,
};
