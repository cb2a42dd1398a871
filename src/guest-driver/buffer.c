// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory for transfers, by both ways of the DMA API: coherent, and streaming
 * (single mappings here; lists are made by the case of them).
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>

#include "driver.h"

#define QUIET (__GFP_NOWARN | __GFP_NORETRY | __GFP_ZERO)

/*
 * Where a device has few address bits, from a zone that lies low enough: without an IOMMU
 * nothing else can be mapped, and the kernel would bounce it, or warn. With one it does no
 * harm. Nothing is lower than the last zone, of 24 bits; fewer are accepted at bind only
 * where an IOMMU translates, and then it does not matter.
 */
void *dmatest_pages_get(struct dmatest *test, unsigned int order)
{
	static const gfp_t zones[] = { 0, GFP_DMA32, GFP_DMA };
	u64 mask = dma_get_mask(&test->pdev->dev);
	size_t size = PAGE_SIZE << order;
	unsigned int i;

	if (dmatest_fail_alloc())
		return NULL;
	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		unsigned long memory =
			__get_free_pages(GFP_KERNEL | zones[i] | QUIET, order);

		if (memory && (zones[i] == GFP_DMA ||
			       virt_to_phys((void *)memory) + size - 1 <= mask))
			return (void *)memory;
		if (memory)
			free_pages(memory, order);
	}
	return NULL;
}

void dmatest_pages_put(void *memory, unsigned int order)
{
	free_pages((unsigned long)memory, order);
}

static size_t whole(const struct dmatest_buffer *buffer)
{
	return buffer->size + 2 * DMATEST_GUARD;
}

int dmatest_buffer_get(struct dmatest *test, struct dmatest_buffer *buffer, size_t size,
		       bool coherent, enum dma_data_direction direction,
		       struct dmatest_result *result)
{
	struct device *dev = &test->pdev->dev;

	*buffer = (struct dmatest_buffer){
		.coherent = coherent,
		.direction = direction,
		.size = size,
	};
	buffer->order = get_order(whole(buffer));
	if (coherent) {
		if (!dmatest_fail_alloc())
			buffer->memory =
				dma_alloc_coherent(dev, whole(buffer), &buffer->base,
						   GFP_KERNEL | __GFP_NOWARN);
		buffer->mapped = buffer->memory;
	} else {
		buffer->memory = dmatest_pages_get(test, buffer->order);
	}
	if (!buffer->memory)
		return -ENOMEM;
	buffer->data = (u8 *)buffer->memory + DMATEST_GUARD;
	if (!coherent) {
		buffer->base = dmatest_fail_alloc()
				       ? DMA_MAPPING_ERROR
				       : dma_map_single(dev, buffer->memory,
							whole(buffer), direction);
		if (dma_mapping_error(dev, buffer->base))
			return dmatest_fail(
				result, "the kernel cannot map memory for the device");
		buffer->mapped = true;
		/* The CPU's until given. */
		dma_sync_single_for_cpu(dev, buffer->base, whole(buffer), direction);
	}
	buffer->bus = buffer->base + DMATEST_GUARD;
	return 0;
}

void dmatest_buffer_put(struct dmatest *test, struct dmatest_buffer *buffer)
{
	struct device *dev = &test->pdev->dev;

	if (!buffer->memory)
		return;
	if (buffer->coherent) {
		dma_free_coherent(dev, whole(buffer), buffer->memory, buffer->base);
	} else {
		if (buffer->mapped)
			dma_unmap_single(dev, buffer->base, whole(buffer),
					 buffer->direction);
		dmatest_pages_put(buffer->memory, buffer->order);
	}
	buffer->memory = NULL;
}

void dmatest_buffer_give(struct dmatest *test, struct dmatest_buffer *buffer)
{
	if (!buffer->coherent)
		dma_sync_single_for_device(&test->pdev->dev, buffer->base, whole(buffer),
					   buffer->direction);
	/* Before the doorbell, which is a write of another kind. */
	wmb();
}

void dmatest_buffer_take(struct dmatest *test, struct dmatest_buffer *buffer)
{
	if (!buffer->coherent)
		dma_sync_single_for_cpu(&test->pdev->dev, buffer->base, whole(buffer),
					buffer->direction);
	/* After the device said that it is done. */
	rmb();
}
