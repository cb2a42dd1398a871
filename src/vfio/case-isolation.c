/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be refused is refused. A posted write tells the device nothing of its fate, so
 * memory has to be unchanged and the kernel has to have logged exactly this fault. In front
 * of each stands the same transfer with the mapping in place: silence proves nothing about a
 * device that does not transfer at all.
 */
#include "config.h"

#include "vfio/case.h"

#define SMALL     64
#define QUIET_MS  1200
#define ELSEWHERE (MP_IOVA_TO + 0x100000)

static bool fits(const struct mp_wanted_fault *want, const struct mp_fault *fault)
{
	uint64_t mask = ~(uint64_t)(want->test->page - 1);

	return fault->kind == MP_FAULT_DMA && mp_test_is_own(want->test, fault) &&
	       fault->write == (want->direction == MP_DEVICE_WRITES) &&
	       fault->has_address && (fault->address & mask) == (want->iova & mask);
}

static struct mp_wanted_fault wanted(
	const struct mp_selftest *test, enum mp_direction direction)
{
	return (struct mp_wanted_fault){
		.test = test,
		.fits = fits,
		.iova = MP_IOVA_TO,
		.direction = direction,
	};
}

/* --- one refusal --- */

struct refusal {
	enum mp_direction direction;
	bool readable; /* the page stays mapped, for reading only */
	const char *what;
};

static bool echoes(const struct mp_selftest *test)
{
	return test->limits.reads_any && test->limits.writes_any;
}

/* With the mapping there it works. */
static bool control(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, const struct refusal *refusal, size_t size)
{
	bool fine;

	if (!mp_test_map(test, result, buffer, MP_IOVA_TO, MP_VFIO_READ | MP_VFIO_WRITE))
		return false;
	if (refusal->direction == MP_DEVICE_READS && !echoes(test))
		fine = mp_test_transfer(test, result, MP_DEVICE_READS, MP_IOVA_TO, size);
	else
		fine = mp_test_round_trip(test, result, buffer, MP_IOVA_TO, 0, size);
	return mp_test_unmap(test, result, MP_IOVA_TO, buffer->size) && fine;
}

/* Whether the device holds what BUFFER has now, which it was not allowed to read. */
static bool leaked(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_buffer *buffer, size_t size)
{
	g_autoptr(mp_buffer) out = mp_test_buffer(test, result, size);
	size_t where;
	bool fine;

	if (!out || !mp_test_map(test, result, out, ELSEWHERE, MP_VFIO_WRITE))
		return true;
	fine = mp_test_transfer(test, result, MP_DEVICE_WRITES, ELSEWHERE, size);
	if (!mp_test_unmap(test, result, ELSEWHERE, out->size) || !fine)
		return true;
	if (!mp_memory_same(out->memory, buffer->memory, size, &where))
		return false;
	mp_case_fail(result, mp_test_not_isolated,
		"the device holds what is in memory at IOVA 0x%x, which was not mapped any "
		"more",
		MP_IOVA_TO);
	return true;
}

/* The transfer that must not be; true if memory and device are as they were. */
static bool attempt(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, const struct refusal *refusal, size_t size)
{
	const struct mp_wanted_fault want = wanted(test, refusal->direction);
	bool logged, ended;
	size_t where;

	if (!mp_test_space_faults(test, result))
		return false;
	if (refusal->readable &&
		!mp_test_map(test, result, buffer, MP_IOVA_TO, MP_VFIO_READ))
		return false;
	mp_buffer_guard(buffer);
	ended = mp_test_attempt(test, result, refusal->direction, MP_IOVA_TO, size);
	logged = mp_test_await_fault(test, result, &want, MP_FAULT_LOG_MS);
	test->faulted = g_get_monotonic_time();
	if (refusal->readable && !mp_test_unmap(test, result, MP_IOVA_TO, buffer->size))
		return false;
	if (!ended)
		mp_test_come_back(test, result);
	if (!mp_buffer_guarded(buffer, 0, buffer->size, &where)) {
		mp_case_fail(result, mp_test_not_isolated,
			"%s was not refused: memory changed at offset %zu", refusal->what,
			where);
		return false;
	}
	if (test->dead || !logged)
		return false;
	return refusal->direction == MP_DEVICE_WRITES || !echoes(test) ||
	       !leaked(test, result, buffer, size);
}

static bool run_refusal(struct mp_selftest *test, struct mp_case_result *result,
	const struct refusal *refusal)
{
	size_t size = mp_test_size(test, SMALL);
	const struct mp_wanted_fault want = wanted(test, refusal->direction);
	g_autoptr(mp_buffer) buffer = mp_test_buffer(test, result, size);
	struct mp_heard heard;

	if (refusal->direction == MP_DEVICE_READS &&
		(!test->engine->read_host || test->limits.cannot_read)) {
		mp_case_skip(result, "the engine cannot have the device read on its own");
		return mp_test_goes_on(test);
	}
	if (!buffer || !control(test, result, buffer, refusal, size) ||
		!attempt(test, result, buffer, refusal, size))
		return mp_test_goes_on(test);
	heard = mp_test_hear(&want);
	/* It may have fallen to the rate limit of an interval that is over then. */
	if (!heard.wanted) {
		if (!mp_test_await_fault(test, result, &want, MP_FAULT_RATELIMIT_MS) ||
			!attempt(test, result, buffer, refusal, size))
			return mp_test_goes_on(test);
		heard = mp_test_hear(&want);
	}
	if (mp_test_judge_heard(
		    test, result, &heard, refusal->what, "memory is unchanged"))
		mp_case_pass(result,
			"%s was refused: memory is unchanged, and the kernel logged the fault",
			refusal->what);
	return mp_test_goes_on(test);
}

static bool run_write_unmapped(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct refusal refusal = { MP_DEVICE_WRITES, false,
		"a write to an IOVA that is not mapped" };

	return run_refusal(test, result, &refusal);
}

static bool run_write_readonly(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct refusal refusal = { MP_DEVICE_WRITES, true,
		"a write to memory mapped for reading" };

	return run_refusal(test, result, &refusal);
}

static bool run_read_unmapped(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct refusal refusal = { MP_DEVICE_READS, false,
		"a read from an IOVA that is not mapped" };

	return run_refusal(test, result, &refusal);
}

/* --- nothing after the end --- */

/* Unmapped and without bus mastering: not even a fault. */
static bool run_off(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, size_t size)
{
	g_autoptr(GError) error = NULL;
	bool ended, logged;
	size_t where;

	if (!mp_vfio_bus_master(test->vfio, false, &error)) {
		mp_case_fail(result, NULL, "%s", error->message);
		return false;
	}
	mp_buffer_guard(buffer);
	ended = mp_test_attempt(test, result, MP_DEVICE_WRITES, MP_IOVA_TO, size);
	logged = mp_test_log(test, result, QUIET_MS, NULL, NULL);
	if (!mp_vfio_bus_master(test->vfio, true, &error)) {
		mp_case_fail(result, NULL, "%s", error->message);
		return false;
	}
	if (!ended)
		mp_test_come_back(test, result);
	if (!mp_buffer_guarded(buffer, 0, buffer->size, &where)) {
		mp_case_fail(result, mp_test_not_isolated,
			"memory changed at offset %zu after it was unmapped and bus mastering "
			"taken away",
			where);
		return false;
	}
	return logged && !test->dead;
}

static bool run_teardown(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct refusal refusal = { MP_DEVICE_WRITES, false, "" };
	const struct mp_wanted_fault want = wanted(test, MP_DEVICE_WRITES);
	size_t size = mp_test_size(test, SMALL);
	g_autoptr(mp_buffer) buffer = mp_test_buffer(test, result, size);
	struct mp_heard heard;

	if (!buffer || !control(test, result, buffer, &refusal, size) ||
		!run_off(test, result, buffer, size))
		return mp_test_goes_on(test);
	heard = mp_test_hear(&want);
	if (heard.wanted + heard.others)
		mp_case_fail(result,
			"The device goes on after it was told to stop: a VM that is stopped "
			"would leave it writing.",
			"the device went on without bus mastering: the kernel logged %u "
			"fault%s",
			heard.wanted + heard.others,
			MP_PLURAL(heard.wanted + heard.others));
	else if (control(test, result, buffer, &refusal, size))
		mp_case_pass(result,
			"unmapped and without bus mastering the device does nothing, and "
			"works again with both");
	return mp_test_goes_on(test);
}

/* Nobody asks for anything, and nothing happens. */
static bool run_quiet(struct mp_selftest *test, struct mp_case_result *result)
{
	g_autoptr(mp_buffer) buffer = mp_test_buffer(test, result, test->page);
	size_t where;
	bool logged;

	if (!buffer || !mp_test_map(test, result, buffer, MP_IOVA_TO,
			       MP_VFIO_READ | MP_VFIO_WRITE))
		return mp_test_goes_on(test);
	logged = mp_test_log(test, result, QUIET_MS, NULL, NULL);
	if (!mp_test_unmap(test, result, MP_IOVA_TO, buffer->size) || !logged)
		return mp_test_goes_on(test);
	if (!mp_buffer_guarded(buffer, 0, buffer->size, &where))
		mp_case_fail(result, "Something goes on in the device from before.",
			"the device wrote to IOVA 0x%zx unasked", MP_IOVA_TO + where);
	else
		mp_case_pass(result,
			"for %u ms the device wrote nothing unasked, and the kernel logged "
			"nothing of it",
			QUIET_MS);
	return mp_test_goes_on(test);
}

const struct mp_case mp_case_isolation_write_unmapped = {
	.name = "isolation-write-unmapped",
	.title = "a write to an IOVA that is not mapped is refused and logged",
	.isolation = true,
	.run = run_write_unmapped,
};

const struct mp_case mp_case_isolation_write_readonly = {
	.name = "isolation-write-readonly",
	.title = "a write to memory mapped for reading is refused and logged",
	.isolation = true,
	.run = run_write_readonly,
};

const struct mp_case mp_case_isolation_read_unmapped = {
	.name = "isolation-read-unmapped",
	.title = "a read from an IOVA that is not mapped is refused and logged",
	.isolation = true,
	.run = run_read_unmapped,
};

const struct mp_case mp_case_isolation_teardown = {
	.name = "isolation-teardown",
	.title = "without mapping and bus mastering the device does nothing",
	.isolation = true,
	.run = run_teardown,
};

const struct mp_case mp_case_quiet = {
	.name = "quiet",
	.title = "nothing happens that nobody asked for",
	.run = run_quiet,
};
