/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same data at addresses where devices and IOMMUs go wrong. */
#include "config.h"

#include <string.h>

#include "vfio/case.h"

#define SMALL     64
#define ABOVE_4G  UINT64_C(0x100000000)
/* Where the first reports of this card's trouble have their fault. */
#define FORUM     UINT64_C(0x149800000)
#define SCATTERED 4u /* pages */

/* Both directions at IOVA. */
static bool run_at(struct mp_selftest *test, struct mp_case_result *result, uint64_t iova)
{
	size_t size = mp_test_size(test, SMALL);
	g_autofree char *why = mp_test_unreachable(test, iova, MAX(size, test->page));
	g_autoptr(mp_buffer) buffer = NULL;
	bool fine;

	if (why) {
		mp_case_skip(result, "%s", why);
		return mp_test_goes_on(test);
	}
	buffer = mp_test_buffer(test, result, size);
	if (!buffer ||
		!mp_test_map(test, result, buffer, iova, MP_VFIO_READ | MP_VFIO_WRITE))
		return mp_test_goes_on(test);
	fine = mp_test_round_trip(test, result, buffer, iova, 0, size);
	if (mp_test_unmap(test, result, iova, buffer->size) && fine)
		mp_case_pass(result, "%zu bytes at IOVA 0x%" G_GINT64_MODIFIER "x %s",
			size, iova,
			test->limits.writes_any ? "went to the device and back"
						: "came from the device");
	return mp_test_goes_on(test);
}

/* Not 0, which drivers and devices take for "none". */
static bool run_low(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_at(test, result, test->page);
}

static bool run_above_4g(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_at(test, result, ABOVE_4G);
}

static bool run_forum(struct mp_selftest *test, struct mp_case_result *result)
{
	return run_at(test, result, FORUM);
}

/* The last page that the host allows and the device can emit. */
static bool run_top(struct mp_selftest *test, struct mp_case_result *result)
{
	unsigned bits = test->limits.address_bits;
	uint64_t last = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
	uint64_t page = test->page, top = 0;
	size_t count;
	const struct mp_vfio_range *ranges = mp_vfio_ranges(test->vfio, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t end = MIN(ranges[i].end, last);

		if (ranges[i].start <= end && end - ranges[i].start >= page - 1)
			top = MAX(top, (end - (page - 1)) & ~(page - 1));
	}
	if (!top) {
		mp_case_skip(result,
			"the kernel does not tell which IOVAs can be used, so there is no "
			"last one");
		return mp_test_goes_on(test);
	}
	return run_at(test, result, top);
}

/* --- scattered pages --- */

struct layout {
	const char *what;
	bool shuffled; /* memory; IOVAs follow one another */
	bool apart;    /* IOVAs; memory follows */
};

static size_t page_of(const struct layout *layout, size_t i)
{
	/* 2, 1, 0, 3 would leave two neighbours; 1, 3, 0, 2 none. */
	static const size_t order[SCATTERED] = { 1, 3, 0, 2 };

	return layout->shuffled ? order[i] : i;
}

static uint64_t iova_of(
	const struct mp_selftest *test, const struct layout *layout, size_t i)
{
	return MP_IOVA_TO + (layout->apart ? 2 * i : i) * test->page;
}

/* What was written through IOVA page I has to be in its page of memory, and in no other. */
static bool pages_hold(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_buffer *from, const struct mp_buffer *to,
	const struct layout *layout)
{
	size_t where;

	for (size_t i = 0; i < SCATTERED; i++) {
		const uint8_t *got = to->memory + page_of(layout, i) * test->page;
		g_autoptr(GError) error = NULL;

		if (test->engine->check_written &&
			!test->engine->check_written(
				test->state, got, test->page, &error)) {
			mp_case_fail(result, NULL, "%s: page %zu: %s", layout->what, i,
				error ? error->message : "is not what it has to be");
			return false;
		}
		if (test->engine->check_written ||
			mp_memory_same(
				got, from->memory + i * test->page, test->page, &where))
			continue;
		mp_case_fail(result, NULL,
			"%s: byte %zu of page %zu, at IOVA 0x%" G_GINT64_MODIFIER
			"x, is not what the device wrote",
			layout->what, where, i, iova_of(test, layout, i) + where);
		return false;
	}
	return true;
}

/* [at, at + size) of a buffer of pages, in steps that the device and the layout allow. */
static bool move_pages(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_buffer *from, const struct layout *layout)
{
	bool echoes = test->limits.reads_any && test->limits.writes_any;
	size_t step, total = SCATTERED * test->page;

	for (size_t at = 0; at < total; at += step) {
		size_t inside = at % test->page;
		uint64_t iova = iova_of(test, layout, at / test->page) + inside;

		/* Over the ends of pages where IOVAs go on there: half a page out of step. */
		step = layout->apart ? test->page - inside
		       : at          ? total - at
				     : test->page / 2;
		step = mp_test_size(test, step);
		step = MIN(step, total - at);
		if ((echoes && (!mp_test_transfer(test, result, MP_DEVICE_READS,
					MP_IOVA_FROM + at, step) ||
				       !mp_test_has_read(
					       test, result, from->memory + at, step))) ||
			!mp_test_transfer(test, result, MP_DEVICE_WRITES, iova, step))
			return false;
	}
	return true;
}

static bool scatter(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_buffer *from, struct mp_buffer *to, const struct layout *layout)
{
	g_autoptr(GError) error = NULL;
	size_t mapped = 0;
	bool fine = true;

	mp_buffer_guard(to);
	for (; mapped < SCATTERED && fine; mapped += fine)
		fine = mp_vfio_map(test->vfio,
			to->memory + page_of(layout, mapped) * test->page,
			iova_of(test, layout, mapped), test->page,
			MP_VFIO_READ | MP_VFIO_WRITE, &error);
	if (!fine)
		mp_case_fail(result, NULL, "%s", error->message);
	fine = fine && move_pages(test, result, from, layout);
	while (mapped-- > 0)
		fine = mp_test_unmap(
			       test, result, iova_of(test, layout, mapped), test->page) &&
		       fine;
	return fine && pages_hold(test, result, from, to, layout);
}

static bool run_scattered(struct mp_selftest *test, struct mp_case_result *result)
{
	static const struct layout layouts[] = {
		{ .what = "pages from all over at one run of IOVAs", .shuffled = true },
		{ .what = "pages in a row at IOVAs with holes", .apart = true },
	};
	size_t size = SCATTERED * test->page;
	g_autoptr(mp_buffer) from = mp_test_buffer(test, result, size);
	g_autoptr(mp_buffer) to = mp_test_buffer(test, result, size);
	bool fine = true;

	if (!from || !to || !mp_test_map(test, result, from, MP_IOVA_FROM, MP_VFIO_READ))
		return mp_test_goes_on(test);
	mp_pattern_fill(from->memory, size, MP_PATTERN_RANDOM, test->seed++);
	for (size_t i = 0; i < G_N_ELEMENTS(layouts) && fine; i++)
		fine = scatter(test, result, from, to, &layouts[i]);
	if (mp_test_unmap(test, result, MP_IOVA_FROM, from->size) && fine)
		mp_case_pass(result,
			"%u pages from all over memory at one run of IOVAs, and in a row at "
			"IOVAs with holes, each got what was its own",
			SCATTERED);
	return mp_test_goes_on(test);
}

const struct mp_case mp_case_iova_low = {
	.name = "dma-iova-low",
	.title = "the lowest IOVA works",
	.run = run_low,
};

const struct mp_case mp_case_iova_above_4g = {
	.name = "dma-iova-above-4g",
	.title = "an IOVA of more than 32 bits works",
	.run = run_above_4g,
};

const struct mp_case mp_case_iova_forum = {
	.name = "dma-iova-forum",
	.title = "IOVA 0x149800000 works",
	.run = run_forum,
};

const struct mp_case mp_case_iova_top = {
	.name = "dma-iova-top",
	.title = "the highest IOVA that host and device can have works",
	.run = run_top,
};

const struct mp_case mp_case_dma_scattered = {
	.name = "dma-scattered",
	.title = "each page of memory gets the data of its own IOVA",
	.run = run_scattered,
};
