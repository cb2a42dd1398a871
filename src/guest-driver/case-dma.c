// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cases of data. What a device reads ends in the device, so that it is proven by looking
 * there, or by having it written back; the latter is a write too.
 */
#include <linux/scatterlist.h>

#include "driver.h"

#define PAGES 4 /* of a list */
/* Of each page; a guard is before and behind, because what is beside it is not ours. */
#define PART  ((size_t)PAGE_SIZE - 2 * DMATEST_GUARD)

/* A loop in memory of one kind. */
static int loop_in(struct dmatest *test, bool coherent, size_t size,
		   enum dmatest_pattern pattern, struct dmatest_result *result)
{
	struct dmatest_buffer from = {}, to = {};
	int err;

	err = dmatest_buffer_get(test, &from, size, coherent, DMA_TO_DEVICE, result);
	if (!err)
		err = dmatest_buffer_get(test, &to, size, coherent, DMA_FROM_DEVICE,
					 result);
	if (!err)
		err = dmatest_loop(test, &from, &to, pattern, result);
	dmatest_buffer_put(test, &to);
	dmatest_buffer_put(test, &from);
	return err;
}

int dmatest_case_read(struct dmatest *test, struct dmatest_result *result)
{
	size_t size = dmatest_size(test);
	struct dmatest_buffer from = {};
	int err;

	if (!test->engine->check) {
		/* Only by what comes back. */
		err = loop_in(test, false, size, PATTERN_RANDOM, result);
		if (!err)
			dmatest_pass(
				result,
				"the device read %zu bytes that the CPU wrote, and could write them back",
				size);
		return err;
	}
	err = dmatest_buffer_get(test, &from, size, false, DMA_TO_DEVICE, result);
	if (!err)
		err = dmatest_loop(test, &from, NULL, PATTERN_RANDOM, result);
	if (!err)
		dmatest_pass(
			result,
			"the device read %zu bytes that the CPU wrote; they are in its memory",
			size);
	dmatest_buffer_put(test, &from);
	return err;
}

/* The same data to two places, of which the second one sees whether the first was luck. */
int dmatest_case_write(struct dmatest *test, struct dmatest_result *result)
{
	size_t size = dmatest_size(test);
	enum dmatest_pattern pattern;
	int err;

	for (pattern = PATTERN_COUNT_UP; pattern <= PATTERN_RANDOM; pattern++) {
		err = loop_in(test, false, size, pattern, result);
		if (err)
			return err;
	}
	dmatest_pass(result, "the CPU read what the device wrote, two times %zu bytes",
		     size);
	return 0;
}

int dmatest_case_coherent(struct dmatest *test, struct dmatest_result *result)
{
	size_t size = dmatest_size(test);
	int err = loop_in(test, true, size, PATTERN_RANDOM, result);

	if (!err)
		dmatest_pass(result, "%zu bytes each way in coherent memory", size);
	return err;
}

/* Every pattern in full size, then every size. */
int dmatest_case_patterns(struct dmatest *test, struct dmatest_result *result)
{
	static const size_t sizes[] = { 4, 12, 64, 252, 1020 };
	size_t size = dmatest_size(test);
	enum dmatest_pattern pattern;
	unsigned int i, moved = 0;
	int err;

	for (pattern = 0; pattern < PATTERN_END; pattern++, moved++) {
		err = loop_in(test, false, size, pattern, result);
		if (err)
			return err;
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i] >= size || sizes[i] % test->transfer_align)
			continue;
		err = loop_in(test, i % 2, sizes[i], PATTERN_RANDOM, result);
		if (err)
			return err;
		moved++;
	}
	dmatest_pass(result, "%d patterns, and %u transfers of up to %zu bytes each way",
		     PATTERN_END, moved, size);
	return 0;
}

/* --- lists --- */

struct list {
	struct scatterlist entries[PAGES];
	unsigned int count; /* of pages that are there */
	int mapped;	    /* of entries for the device, which may be fewer */
	enum dma_data_direction direction;
};

static void put_list(struct dmatest *test, struct list *list)
{
	if (list->mapped > 0)
		dma_unmap_sg(&test->pdev->dev, list->entries, PAGES, list->direction);
	while (list->count--)
		dmatest_pages_put(sg_virt(&list->entries[list->count]) - DMATEST_GUARD,
				  0);
}

static int get_list(struct dmatest *test, struct list *list,
		    enum dma_data_direction direction)
{
	void *page;

	memset(list, 0, sizeof(*list));
	list->direction = direction;
	sg_init_table(list->entries, PAGES);
	for (; list->count < PAGES; list->count++) {
		page = dmatest_pages_get(test, 0);
		if (!page)
			return -ENOMEM;
		dmatest_set_guards(page, PART);
		sg_set_buf(&list->entries[list->count], page + DMATEST_GUARD, PART);
	}
	return 0;
}

/* For the device what lies in a row, however the kernel has put it together. */
static int map_list(struct dmatest *test, struct list *list,
		    struct dmatest_result *result)
{
	if (!dmatest_fail_alloc())
		list->mapped = dma_map_sg(&test->pdev->dev, list->entries, PAGES,
					  list->direction);
	if (list->mapped > 0)
		return 0;
	return dmatest_fail(result,
			    "the kernel cannot map a list of %d pages for the device",
			    PAGES);
}

/* The bus address of the byte AT of the list, and how many follow it there. */
static dma_addr_t at_list(struct list *list, size_t at, size_t *left)
{
	struct scatterlist *entry;
	int i;

	for_each_sg(list->entries, entry, list->mapped, i) {
		if (at < sg_dma_len(entry)) {
			*left = sg_dma_len(entry) - at;
			return sg_dma_address(entry) + at;
		}
		at -= sg_dma_len(entry);
	}
	*left = 0;
	return 0;
}

/* One piece, of one page of FROM: its data is in the device, and comes back to TO. */
static int move_piece(struct dmatest *test, struct list *from, struct list *to, size_t at,
		      size_t size, struct dmatest_result *result)
{
	void *data = sg_virt(&from->entries[at / PART]) + at % PART;
	size_t left, wrong;
	int err;

	err = dmatest_move(test, true, at_list(from, at, &left), size, result);
	if (err)
		return err;
	if (test->engine->check && !test->engine->check(test, data, size, &wrong))
		return dmatest_fail(
			result, "byte %zu of page %zu of a list is another in the device",
			at % PART + wrong, at / PART);
	return dmatest_move(test, false, at_list(to, at, &left), size, result);
}

static int move_list(struct dmatest *test, struct list *from, struct list *to,
		     struct dmatest_result *result)
{
	size_t at, size, left;
	int err;

	for (at = 0; at < PAGES * PART; at += size) {
		size = min(PART - at % PART, test->transfer_max);
		at_list(from, at, &left);
		size = min(size, left);
		at_list(to, at, &left);
		size = min(size, left);
		if (!size)
			return dmatest_fail(
				result, "the kernel mapped %zu bytes of a list of %zu",
				at, PAGES * PART);
		err = move_piece(test, from, to, at, size, result);
		if (err)
			return err;
	}
	return 0;
}

int dmatest_case_scattered(struct dmatest *test, struct dmatest_result *result)
{
	struct list from, to = {};
	unsigned int i;
	int err;

	err = get_list(test, &from, DMA_TO_DEVICE);
	if (!err)
		err = get_list(test, &to, DMA_FROM_DEVICE);
	for (i = 0; !err && i < PAGES; i++) {
		dmatest_fill(sg_virt(&from.entries[i]), PART, PATTERN_RANDOM, i + 1);
		memset(sg_virt(&to.entries[i]), 0xa5, PART);
	}
	if (!err)
		err = map_list(test, &from, result);
	if (!err)
		err = map_list(test, &to, result);
	if (!err) {
		wmb(); /* before the doorbells */
		err = move_list(test, &from, &to, result);
	}
	if (to.mapped > 0)
		dma_sync_sg_for_cpu(&test->pdev->dev, to.entries, PAGES, DMA_FROM_DEVICE);
	for (i = 0; !err && i < PAGES; i++) {
		void *data = sg_virt(&to.entries[i]);

		if (memcmp(sg_virt(&from.entries[i]), data, PART))
			err = dmatest_fail(result,
					   "page %u of a list came back with other data",
					   i);
		else if (!dmatest_guards_hold(data - DMATEST_GUARD, PART))
			err = dmatest_fail(
				result,
				"the device wrote to page %u of a list, and changed what is beside it too",
				i);
	}
	if (!err)
		dmatest_pass(result,
			     "a list of %d pages each way, mapped as %d and %d pieces",
			     PAGES, from.mapped, to.mapped);
	put_list(test, &to);
	put_list(test, &from);
	return err;
}

/* --- addresses --- */

static bool lies(const struct dmatest_buffer *buffer, bool above)
{
	u64 last = (u64)buffer->base + buffer->size + 2 * DMATEST_GUARD - 1;

	return above ? upper_32_bits(buffer->base) : !upper_32_bits(last);
}

/*
 * A buffer that lies where it shall. 0: BUFFER is one, or is none, because the kernel gives
 * none.
 */
#define TRIES 32
static int get_there(struct dmatest *test, bool above, enum dma_data_direction direction,
		     struct dmatest_buffer *buffer, struct dmatest_result *result)
{
	struct dmatest_buffer *all;
	unsigned int i, found = TRIES;
	int err = 0;

	all = dmatest_fail_alloc() ? NULL : kcalloc(TRIES, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	/* What does not fit is kept meanwhile, or the same would be given again. */
	for (i = 0; !err && i < TRIES && found == TRIES; i++) {
		err = dmatest_buffer_get(test, &all[i], dmatest_size(test), false,
					 direction, result);
		if (!err && lies(&all[i], above))
			found = i;
	}
	memset(buffer, 0, sizeof(*buffer));
	if (found < TRIES) {
		*buffer = all[found];
		all[found].memory = NULL;
	}
	for (i = 0; i < TRIES; i++)
		dmatest_buffer_put(test, &all[i]);
	kfree(all);
	return err;
}

static int loop_there(struct dmatest *test, bool above, struct dmatest_result *result)
{
	const char *where = above ? "above" : "below";
	struct dmatest_buffer from = {}, to = {};
	int err;

	err = get_there(test, above, DMA_TO_DEVICE, &from, result);
	if (!err && from.memory)
		err = get_there(test, above, DMA_FROM_DEVICE, &to, result);
	if (!err && !to.memory)
		dmatest_skip(result,
			     "the kernel gives out no bus addresses %s 4 GiB here",
			     where);
	else if (!err)
		err = dmatest_loop(test, &from, &to, PATTERN_RANDOM, result);
	if (!err && to.memory)
		dmatest_pass(
			result,
			"%zu bytes each way %s 4 GiB, read at 0x%llx, written at 0x%llx",
			from.size, where, (u64)from.bus, (u64)to.bus);
	dmatest_buffer_put(test, &to);
	dmatest_buffer_put(test, &from);
	return err;
}

/* By a mask of 32 bits, while nothing else is mapped; it was accepted before for a wider one. */
int dmatest_case_below_4g(struct dmatest *test, struct dmatest_result *result)
{
	struct device *dev = &test->pdev->dev;
	u64 mask = dma_get_mask(dev);
	int err;

	err = dma_set_mask(dev, min_t(u64, mask, DMA_BIT_MASK(32)));
	if (err) {
		dmatest_skip(result,
			     "the kernel has no memory below 4 GiB for the device (%d)",
			     err);
		return 0;
	}
	err = loop_there(test, false, result);
	if (dma_set_mask(dev, mask))
		pci_warn(test->pdev, "its DMA mask stays at 32 bits\n");
	return err;
}

int dmatest_case_above_4g(struct dmatest *test, struct dmatest_result *result)
{
	if (test->address_bits > 32)
		return loop_there(test, true, result);
	dmatest_skip(result, "the device has %u address bits", test->address_bits);
	return 0;
}
