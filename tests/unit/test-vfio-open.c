/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function that was opened through VFIO, by both ways: what it lacks, what it may see,
 * how it is left.
 */
#include "config.h"

#include "vfio-scene.h"

/* What an open device does not have. */
static void test_lacks(void **state G_GNUC_UNUSED)
{
	struct mp_vfio *vfio;
	g_autoptr(GError) error = NULL;
	unsigned files;
	const int *fds;

	kernel.irqs = 32;
	kernel.granted = 8;
	vfio = enter(MP_VFIO_BY_GROUP, NULL);
	files = open_files();
	assert_null(mp_vfio_bar(vfio, 2, &error));
	assert_has(error->message, BDF ": BAR 2 is not there, or has no address");
	g_clear_error(&error);
	kernel.bar = 256;
	assert_null(mp_vfio_bar(vfio, 2, &error));
	assert_has(error->message, BDF ": BAR 2 may not be mapped (smaller than a page");
	g_clear_error(&error);
	assert_int_equal(mp_vfio_irq_count(vfio, MP_VFIO_MSI), 32);
	assert_false(mp_vfio_irq_enable(vfio, MP_VFIO_MSI, 33, &fds, &error));
	assert_has(error->message, "cannot enable 33 MSI vectors: it has 32");
	g_clear_error(&error);
	assert_false(mp_vfio_irq_enable(vfio, MP_VFIO_MSI, 32, &fds, &error));
	assert_has(error->message, "cannot enable 32 MSI vectors: the host grants 8");
	assert_int_equal(open_files(), files);
	assert_true(mp_vfio_irq_enable(vfio, MP_VFIO_MSI, 8, &fds, NULL));
	assert_int_equal(open_files(), files + 8);
	assert_true(mp_vfio_irq_disable(vfio, NULL));
	assert_int_equal(open_files(), files);
	mp_vfio_close(vfio);
}

static void test_ranges(void **state G_GNUC_UNUSED)
{
	const struct mp_vfio_range *ranges;
	struct mp_vfio *vfio;
	size_t count;

	kernel.ranges = 100; /* more than there was room for at first */
	kernel.alignment = 0x4000;
	vfio = enter(MP_VFIO_BY_CDEV, NULL);
	ranges = mp_vfio_ranges(vfio, &count);
	assert_int_equal(count, 100);
	assert_int_equal(ranges[99].start, 99 * 0x10000);
	assert_int_equal(ranges[99].end, 99 * 0x10000 + 0xfff);
	assert_true(mp_vfio_iova_usable(vfio, 0x10000, 0x1000));
	assert_false(mp_vfio_iova_usable(vfio, 0x10000, 0x1001));
	assert_int_equal(mp_vfio_page_sizes(vfio), 0x4000);
	mp_vfio_close(vfio);
	/* Any alignment; one that makes no sense. */
	for (const uint64_t *a = (const uint64_t[]){ 1, 0x3000, 0 }; *a; a++) {
		kernel.alignment = *a;
		vfio = enter(MP_VFIO_BY_CDEV, NULL);
		assert_int_equal(mp_vfio_page_sizes(vfio), 0x1000);
		mp_vfio_close(vfio);
	}
	/* A kernel that always wants more. */
	kernel.ranges = 65537;
	assert_has(refusal(MP_VFIO_BY_CDEV), "cannot ask for the usable IOVAs");
}

/* What the kernel says of the usable IOVAs, by group: another capability, then the ranges. */
struct answer {
	struct vfio_iommu_type1_info info;
	struct vfio_info_cap_header other;
	struct {
		struct vfio_iommu_type1_info_cap_iova_range cap;
		struct vfio_iova_range range[2];
	} ranges;
};

static struct answer good_answer(void)
{
	return (struct answer){
		.info = {
			.argsz = sizeof(struct answer),
			.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			.iova_pgsizes = 0x2000,
			.cap_offset = offsetof(struct answer, other),
		},
		.other = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, .version = 1,
			.next = offsetof(struct answer, ranges) },
		.ranges = {
			.cap = { .header = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE },
				.nr_iovas = 2 },
			.range = { { 0, 0xfedfffff }, { 0xfef00000, 0xffffffffff } },
		},
	};
}

/* How many ranges are taken from ANSWER, of which the kernel shows SIZE bytes. */
static size_t ranges_of(const struct answer *answer, size_t size)
{
	/* In memory of just that size, so that a sanitizer sees who reads behind it. */
	g_autofree struct vfio_iommu_type1_info *info = g_memdup2(answer, size);
	struct mp_vfio *vfio;
	size_t count;

	info->argsz = (uint32_t)size;
	kernel.answer = info;
	vfio = enter(MP_VFIO_BY_GROUP, NULL);
	mp_vfio_ranges(vfio, &count);
	assert_int_equal(mp_vfio_page_sizes(vfio), 0x2000);
	mp_vfio_close(vfio);
	kernel.answer = NULL;
	return count;
}

static void test_ranges_of_group(void **state G_GNUC_UNUSED)
{
	struct answer answer = good_answer();
	const size_t ranges = offsetof(struct answer, ranges);

	assert_int_equal(ranges_of(&answer, sizeof(answer)), 2);
	/* One that is cut short: within a range, the count, the header. */
	assert_int_equal(ranges_of(&answer, sizeof(answer) - 1), 1);
	assert_int_equal(ranges_of(&answer, ranges + sizeof(answer.ranges.cap) + 8), 0);
	for (size_t size = ranges; size <= ranges + sizeof(answer.ranges.cap); size++)
		assert_int_equal(ranges_of(&answer, size), 0);
	/* More than there are. */
	answer.ranges.cap.nr_iovas = UINT32_MAX;
	assert_int_equal(ranges_of(&answer, sizeof(answer)), 2);
	/* Turned around. */
	answer = good_answer();
	answer.ranges.range[0].start = 0xfee00000;
	assert_int_equal(ranges_of(&answer, sizeof(answer)), 1);
	/* At a place that is no multiple of 8, as up to Linux 6.5. */
	answer = good_answer();
	answer.other.next -= 4;
	answer.info.cap_offset -= 4;
	memmove((char *)&answer + answer.info.cap_offset, &answer.other,
		sizeof(answer.other) + sizeof(answer.ranges));
	assert_int_equal(ranges_of(&answer, sizeof(answer) - 4), 2);
	/* A chain without an end, one that leaves the answer, one that says that it is none. */
	answer = good_answer();
	answer.other.next = answer.info.cap_offset;
	assert_int_equal(ranges_of(&answer, sizeof(answer)), 0);
	answer.other.next = UINT32_MAX;
	assert_int_equal(ranges_of(&answer, sizeof(answer)), 0);
	answer = good_answer();
	answer.info.flags = VFIO_IOMMU_INFO_PGSIZES;
	assert_int_equal(ranges_of(&answer, sizeof(answer)), 0);
}

static void test_mappings(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum mp_vfio_wish wish;
		unsigned read, write;
		unsigned long map;
	} ways[] = {
		{ MP_VFIO_BY_GROUP, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE,
			VFIO_IOMMU_MAP_DMA },
		{ MP_VFIO_BY_CDEV, MP_ABI_MAP_FIXED | MP_ABI_MAP_READABLE,
			MP_ABI_MAP_FIXED | MP_ABI_MAP_WRITABLE, MP_ABI_IOAS_MAP },
	};
	static char memory[64];

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		struct mp_vfio *vfio = enter(ways[i].wish, NULL);
		g_autoptr(GError) error = NULL;

		assert_true(mp_vfio_map(vfio, memory, 0x1000, 64, MP_VFIO_READ, NULL));
		assert_int_equal(kernel.flags, ways[i].read);
		assert_true(mp_vfio_map(vfio, memory, 0x2000, 64, MP_VFIO_WRITE, NULL));
		assert_int_equal(kernel.flags, ways[i].write);
		assert_true(mp_vfio_unmap(vfio, 0x1000, 64, NULL));
		assert_int_equal(kernel.mapped, 1);
		kernel.fail = ways[i].map;
		kernel.fail_errno = ENOMEM;
		assert_false(mp_vfio_map(vfio, memory, 0x3000, 64, MP_VFIO_READ, &error));
		assert_has(error->message,
			"cannot map 64 bytes at IOVA 0x3000: the host has not enough memory, or the limit of locked memory (48 KiB), which");
		assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_LIMIT));
		g_clear_error(&error);
		/* Who has no limit did not reach it. */
		kernel.memlock = RLIM_INFINITY;
		assert_false(mp_vfio_map(vfio, memory, 0x3000, 64, MP_VFIO_READ, &error));
		assert_has(error->message, "IOVA 0x3000: the host has not enough memory");
		assert_null(strstr(error->message, "limit"));
		g_clear_error(&error);
		kernel.fail_errno = EINVAL;
		assert_false(mp_vfio_map(vfio, memory, 0x3000, 64, MP_VFIO_READ, &error));
		assert_has(error->message, "IOVA 0x3000: Invalid argument");
		kernel.memlock = 48 * 1024;
		kernel.fail = 0;
		mp_vfio_close(vfio);
		assert_int_equal(kernel.mapped, 0);
	}
}

static void test_quiet(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	struct mp_vfio *vfio;

	kernel.resets = true;
	vfio = enter(MP_VFIO_BY_CDEV, NULL);
	/* As it was found, but for memory decoding, and nothing moves. */
	assert_int_equal(kernel_command(), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_true(mp_vfio_bus_master(vfio, true, NULL));
	assert_true(mp_vfio_config_write(vfio, PCI_CACHE_LINE_SIZE, 1, 0x77, NULL));
	mp_vfio_panic();
	assert_int_equal(kernel_command(), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_true(mp_vfio_bus_master(vfio, true, NULL));
	assert_true(mp_vfio_quiet(vfio, &error));
	assert_string_equal(kernel.order->str, "reset ");
	assert_int_equal(kernel_command(), PCI_COMMAND_IO);
	assert_int_equal(vfio->saved->len, 2);
	mp_vfio_close(vfio);
	assert_string_equal(kernel.order->str, "reset "); /* once */
	/* After that a signal touches nothing, also not what has the number of the file now. */
	int other = memfd_create("other", MFD_CLOEXEC);

	assert_int_equal(dup2(other, kernel.device), kernel.device);
	mp_vfio_panic();
	assert_int_equal(lseek(kernel.device, 0, SEEK_END), 0);
	close(other);
	if (other != kernel.device)
		close(kernel.device);
}

static void test_not_quiet(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	struct mp_vfio *vfio = enter(MP_VFIO_BY_GROUP, NULL);

	assert_true(mp_vfio_config_write(vfio, PCI_CACHE_LINE_SIZE, 1, 0x77, NULL));
	assert_true(mp_vfio_bus_master(vfio, true, NULL));
	kernel.deaf = true;
	assert_false(mp_vfio_quiet(vfio, &error));
	assert_has(error->message,
		"register 0x04 is 0x7 after the test, and was 0x1; bus "
		"mastering could not be turned off");
	g_clear_error(&error);
	kernel.deaf = false;
	assert_true(mp_vfio_bus_master(vfio, false, NULL));
	kernel.deaf = true;
	assert_false(mp_vfio_quiet(vfio, &error));
	assert_has(error->message, "it could not be restored");
	g_clear_error(&error);
	/* A reset that fails is told too, and does not keep the rest from being done. */
	kernel.deaf = false;
	vfio->info.flags |= VFIO_DEVICE_FLAGS_RESET;
	kernel.fail = VFIO_DEVICE_RESET;
	kernel.fail_errno = ENOTTY;
	assert_false(mp_vfio_quiet(vfio, &error));
	assert_has(error->message, "cannot reset it");
	assert_int_equal(kernel_command(), PCI_COMMAND_IO);
	mp_vfio_close(vfio);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lacks),
		TEST(test_ranges),
		TEST(test_ranges_of_group),
		TEST(test_mappings),
		TEST(test_quiet),
		TEST(test_not_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
