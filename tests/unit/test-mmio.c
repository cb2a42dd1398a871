/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers behind a mapping, and what is read of one whose device went away. */
#include "config.h"

#include "unit.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio/vfio-private.h"

static unsigned caught;

/* A file stands for the BAR: what lies behind its end gives SIGBUS, as a device that is gone. */
static int fd = -1;

/* The only call to the kernel on the way. */
int __wrap_ioctl(int number, unsigned long request, struct vfio_region_info *region);
int __wrap_ioctl(
	int number G_GNUC_UNUSED, unsigned long request, struct vfio_region_info *region)
{
	assert_true(request == VFIO_DEVICE_GET_REGION_INFO);
	region->size = 3 * (uint64_t)getpagesize();
	region->flags = VFIO_REGION_INFO_FLAG_MMAP;
	region->offset = 0;
	return 0;
}

static int set_up(void **state G_GNUC_UNUSED)
{
	fd = memfd_create("bar", MFD_CLOEXEC);
	return fd < 0 || ftruncate(fd, 3 * getpagesize()) < 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	return close(fd);
}

static void on_bus_error(int number, siginfo_t *info, void *context G_GNUC_UNUSED)
{
	caught++;
	if (mp_vfio_gone(info->si_addr))
		return;
	signal(number, SIG_DFL);
	raise(number);
}

static void test_access(void **state G_GNUC_UNUSED)
{
	struct mp_vfio vfio = { .address = (char *)"0000:01:00.0", .device = fd };
	struct mp_mmio *bar = mp_vfio_bar(&vfio, 2, NULL);
	uint8_t bytes[16];

	assert_non_null(bar);
	assert_ptr_equal(bar, mp_vfio_bar(&vfio, 2, NULL));
	assert_int_equal(mp_mmio_size(bar), 3 * getpagesize());
	mp_mmio_write32(bar, 0, 0x04030201);
	mp_mmio_write64(bar, 8, UINT64_C(0x0f0e0d0c0b0a0908));
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_memory_equal(
		bytes, "\1\2\3\4\0\0\0\0\x8\x9\xa\xb\xc\xd\xe\xf", sizeof(bytes));
	assert_int_equal(mp_mmio_read32(bar, 12), 0x0f0e0d0c);
	assert_int_equal(mp_mmio_read64(bar, 0), 0x04030201);
	mp_vfio_unmap_bars(&vfio);
}

static void test_gone(void **state G_GNUC_UNUSED)
{
	const struct sigaction action = { .sa_sigaction = on_bus_error,
		.sa_flags = SA_SIGINFO | SA_NODEFER };
	struct mp_vfio vfio = { .address = (char *)"0000:01:00.0", .device = fd };
	struct mp_mmio *bar = mp_vfio_bar(&vfio, 0, NULL);
	size_t page = (size_t)getpagesize();
	uint8_t other;
	struct sigaction before;

	sigaction(SIGBUS, &action, &before);
	mp_mmio_write32(bar, 0, 7);
	assert_int_equal(ftruncate(fd, (off_t)page), 0);
	/* Each page that is touched, by itself; what is there stays. */
	assert_int_equal(mp_mmio_read32(bar, 2 * page + 8), 0xffffffff);
	assert_int_equal(caught, 1);
	mp_mmio_write32(bar, page, 1);
	assert_int_equal(caught, 2);
	assert_int_equal(mp_mmio_read32(bar, page + 4), 0xffffffff);
	assert_int_equal(caught, 2);
	assert_int_equal(mp_mmio_read32(bar, 0), 7);
	assert_false(mp_vfio_gone(&other));
	mp_vfio_unmap_bars(&vfio);
	assert_false(mp_vfio_gone(bar));
	sigaction(SIGBUS, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_access, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
