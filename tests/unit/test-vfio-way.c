/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways into VFIO, against a kernel of a few lines: what is opened, in which order, what is
 * said of each refusal, and that nothing stays open, attached or mapped, whichever call fails.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/use.h"
#include "sysroot.h"
#include "vfio-kernel.h"
#include "vfio/iommufd-abi.h"
#include "vfio/vfio-private.h"

static struct sysroot sysroot;

/* --- the host --- */

static struct mp_group group;
static struct mp_pci device;
static struct mp_host *host;
static const struct mp_reserved direct = { 0x1000, 0x1fff, "direct" };

static int set_up(void **state G_GNUC_UNUSED)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.container = kernel.type1 = kernel.group = kernel.iommu = kernel.file =
		true;
	kernel.device = kernel.iommu_fd = kernel.container_fd = kernel.group_fd = -1;
	kernel.ranges = 2;
	kernel.alignment = 0x1000;
	kernel.minor = 3;
	kernel.memlock = 48 * 1024;
	kernel.order = g_string_new(NULL);
	sysroot_init(&sysroot);
	kernel_sysroot = sysroot.path;
	sysroot_text(
		&sysroot, "sys/bus/pci/devices/" BDF "/vfio-dev/vfio3/dev", "236:3\n");
	host = mp_host_new("/", true);
	group = (struct mp_group){ .id = GROUP, .members = g_ptr_array_new() };
	device = (struct mp_pci){ .bdf = BDF, .group = &group };
	device.driver = mp_fact_known(host, "x", "vfio-pci");
	g_ptr_array_add(group.members, &device);
	return 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	g_ptr_array_unref(group.members);
	g_string_free(kernel.order, TRUE);
	mp_host_free(host);
	sysroot_clear(&sysroot);
	return 0;
}

static unsigned open_files(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir))
		count++;
	return count;
}

static struct mp_vfio *enter(enum mp_vfio_wish wish, GError **error)
{
	return mp_vfio_open(host, &device, wish, error);
}

/* The error's text, freed by the next call. */
static const char *refusal(enum mp_vfio_wish wish)
{
	static char text[1024];
	g_autoptr(GError) error = NULL;
	unsigned files = open_files();
	struct mp_vfio *vfio = enter(wish, &error);

	assert_null(vfio);
	assert_non_null(error);
	assert_int_equal(open_files(), files);
	g_strlcpy(text, error->message, sizeof(text));
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* --- tests --- */

static void test_wishes(void **state G_GNUC_UNUSED)
{
	enum mp_vfio_wish wish;

	assert_true(mp_vfio_parse_wish("auto", &wish));
	assert_int_equal(wish, MP_VFIO_ANY_WAY);
	assert_true(mp_vfio_parse_wish("group", &wish));
	assert_int_equal(wish, MP_VFIO_BY_GROUP);
	assert_true(mp_vfio_parse_wish("cdev", &wish));
	assert_int_equal(wish, MP_VFIO_BY_CDEV);
	assert_false(mp_vfio_parse_wish("", &wish));
	assert_false(mp_vfio_parse_wish("groups", &wish));
}

static void assert_way(enum mp_vfio_wish wish, const char *name)
{
	g_autoptr(GError) error = NULL;
	unsigned files = open_files();
	g_autoptr(mp_vfio) vfio = enter(wish, &error);

	if (!vfio)
		fail_msg("%s", error->message);
	assert_string_equal(mp_vfio_way_name(vfio), name);
	assert_true(kernel.attached);
	g_clear_pointer(&vfio, mp_vfio_close);
	assert_int_equal(open_files(), files);
}

static void test_choice(void **state G_GNUC_UNUSED)
{
	assert_way(MP_VFIO_ANY_WAY, "group");
	assert_way(MP_VFIO_BY_GROUP, "group");
	assert_way(MP_VFIO_BY_CDEV, "cdev");
	kernel.type1 = false;
	assert_way(MP_VFIO_ANY_WAY, "cdev");
	kernel.container = false;
	assert_way(MP_VFIO_ANY_WAY, "cdev");
	assert_has(refusal(MP_VFIO_BY_GROUP), "/dev/vfio/vfio: is not there");
	kernel.container = kernel.type1 = true;
	kernel.group = false;
	assert_way(MP_VFIO_ANY_WAY, "cdev");
	kernel.iommu = false;
	assert_has(
		refusal(MP_VFIO_ANY_WAY), "by group: /dev/vfio/7: cannot open: No such");
	assert_has(refusal(MP_VFIO_ANY_WAY), "; by cdev: /dev/iommu: is not there");
	kernel.group = true;
	assert_way(MP_VFIO_ANY_WAY, "group");
	assert_has(refusal(MP_VFIO_BY_CDEV), "/dev/iommu: is not there");
}

/* What holds for all ways is told of the first one, and the others are not tried. */
static void test_final(void **state G_GNUC_UNUSED)
{
	kernel.fail = VFIO_SET_IOMMU;
	kernel.fail_errno = EPERM;
	assert_has(refusal(MP_VFIO_ANY_WAY), "without interrupt remapping");
	assert_int_equal(kernel.iommu_fd, -1);
}

static void test_file(void **state G_GNUC_UNUSED)
{
	g_autofree char *dir = g_build_filename(
		sysroot.path, "sys/bus/pci/devices/" BDF "/vfio-dev", NULL);
	g_autofree char *number = g_build_filename(dir, "vfio3/dev", NULL);

	/* A file that was another device's. */
	kernel.minor = 4;
	assert_has(refusal(MP_VFIO_BY_CDEV), "is not the file of " BDF);
	kernel.minor = 3;
	for (const char *const *text = (const char *const[]){ "", "236", "236:", "x:3",
		     "236:99999999999", "236:3:4", NULL };
		*text; text++) {
		assert_true(g_file_set_contents(number, *text, -1, NULL));
		assert_has(refusal(MP_VFIO_BY_CDEV), "has no file of its own");
	}
	/* Linux 6.1 to 6.5: the directory, and no number. */
	unlink(number);
	assert_has(
		refusal(MP_VFIO_BY_CDEV), "has no file of its own for it: it is older");
	sysroot_remove_tree(dir);
	assert_has(refusal(MP_VFIO_BY_CDEV), "has no file of its own");
	/* Names that are no numbers lead nowhere. */
	sysroot_text(
		&sysroot, "sys/bus/pci/devices/" BDF "/vfio-dev/vfio/dev", "236:3\n");
	sysroot_text(
		&sysroot, "sys/bus/pci/devices/" BDF "/vfio-dev/vfio3x/dev", "236:3\n");
	assert_has(refusal(MP_VFIO_BY_CDEV), "has no file of its own");
}

/* Whichever call fails, of both ways: an error, and nothing stays. */
static void test_every_call(void **state G_GNUC_UNUSED)
{
	static const enum mp_vfio_wish wishes[] = { MP_VFIO_BY_GROUP, MP_VFIO_BY_CDEV };

	kernel.fail_errno = EIO;
	for (size_t w = 0; w < G_N_ELEMENTS(wishes); w++) {
		unsigned refused = 0;

		for (kernel.fail_at = 1;; kernel.fail_at++) {
			g_autoptr(GError) error = NULL;
			unsigned files = open_files();
			struct mp_vfio *vfio;

			kernel.calls = 0;
			kernel.bound = kernel.joined = kernel.attached = kernel.ioas =
				false;
			vfio = enter(wishes[w], &error);
			if (vfio && kernel.calls < kernel.fail_at) {
				mp_vfio_close(vfio);
				assert_int_equal(open_files(), files);
				break;
			}
			/* One kind of interrupt less is no failure. */
			if (vfio) {
				mp_vfio_close(vfio);
			} else {
				assert_non_null(error);
				assert_non_null(strstr(error->message, ": "));
				refused++;
			}
			assert_int_equal(open_files(), files);
			if (wishes[w] == MP_VFIO_BY_CDEV) {
				assert_false(kernel.attached);
				assert_false(kernel.ioas);
			}
		}
		assert_in_range(refused, 8, 12);
	}
}

static void test_refusals(void **state G_GNUC_UNUSED)
{
	struct mp_use use = { .entries = g_ptr_array_new() };
	struct mp_use_entry held = { .bdf = BDF,
		.kind = MP_USE_VM,
		.detail = "/dev/vfio/devices/vfio3 is open in kvm of VM 101 (pid 8)" };

	kernel.fail = MP_ABI_BIND;
	kernel.fail_errno = EBUSY;
	assert_has(refusal(MP_VFIO_BY_CDEV), BDF ": in use: another process");
	kernel.fail_errno = EPERM;
	assert_has(refusal(MP_VFIO_BY_CDEV),
		"without interrupt remapping; see 'metis-passthrough explain "
		"interrupt-remapping-active'");
	kernel.fail_errno = EINVAL;
	assert_has(refusal(MP_VFIO_BY_CDEV), "cannot bind it to /dev/iommu: Invalid");
	group.reserved = &direct;
	group.reserved_count = 1;
	assert_has(refusal(MP_VFIO_BY_CDEV), "RMRR or IVMD");
	kernel.fail_errno = EBUSY;
	assert_has(refusal(MP_VFIO_BY_CDEV), "in use");
	kernel.fail_errno = ENODEV;
	assert_has(
		refusal(MP_VFIO_BY_CDEV), "cannot bind it to /dev/iommu: No such device");
	kernel.fail = VFIO_SET_IOMMU;
	kernel.fail_errno = EINVAL;
	assert_has(refusal(MP_VFIO_BY_GROUP), "RMRR or IVMD");
	/* Who has it is more to the point than what else could be. */
	host->use = &use;
	g_ptr_array_add(use.entries, &held);
	kernel.fail = MP_ABI_BIND;
	for (const int *err = (const int[]){ EBUSY, EPERM, EINVAL, 0 }; *err; err++) {
		kernel.fail_errno = *err;
		assert_has(refusal(MP_VFIO_BY_CDEV), "in use: /dev/vfio/devices/vfio3 is "
						     "open in kvm of VM 101");
	}
	kernel.fail = 0;
	host->use = NULL;
	g_ptr_array_unref(use.entries);
}

/* What the model knows to be in the way: nothing is opened for it. */
static void test_not_begun(void **state G_GNUC_UNUSED)
{
	struct mp_pci sister = { .bdf = "0000:01:00.1", .group = &group };

	device.driver = mp_fact_known(host, "x", "nvme");
	assert_has(refusal(MP_VFIO_ANY_WAY),
		BDF ": is with nvme, not with vfio-pci; 'metis-passthrough bind " BDF
		    "' hands it over");
	device.driver = mp_fact_absent(host, "x");
	assert_has(refusal(MP_VFIO_ANY_WAY), BDF ": is with no driver, not with");
	device.driver = mp_fact_unknown(host, "x", "Permission denied");
	assert_has(refusal(MP_VFIO_ANY_WAY),
		BDF ": its driver could not be read (Permission denied)");
	device.driver = mp_fact_known(host, "x", "vfio-pci");
	device.all_ones = true;
	assert_has(refusal(MP_VFIO_ANY_WAY), "does not answer: its configuration space");
	device.all_ones = false;
	device.group = NULL;
	assert_has(refusal(MP_VFIO_ANY_WAY), BDF ": is in no IOMMU group");
	device.group = &group;
	g_ptr_array_add(group.members, &sister);
	sister.driver = mp_fact_known(host, "x", "nvme");
	assert_has(refusal(MP_VFIO_ANY_WAY),
		"its IOMMU group 7 is not viable: 0000:01:00.1 in it is with nvme; "
		"'metis-passthrough bind --group " BDF "'");
	sister.driver = mp_fact_unknown(host, "x", "Permission denied");
	assert_has(refusal(MP_VFIO_ANY_WAY), "in it is with an unknown driver");
	assert_int_equal(kernel.calls, 0);
	sister.driver = mp_fact_known(host, "x", "vfio-pci");
	assert_way(MP_VFIO_ANY_WAY, "group");
}

/* What only the kernel knows. */
static void test_group(void **state G_GNUC_UNUSED)
{
	struct mp_use use = { .entries = g_ptr_array_new() };
	struct mp_use_entry held = { .bdf = BDF,
		.kind = MP_USE_VM,
		.detail = "/dev/vfio/7 is open in kvm of VM 101 (pid 8)" };

	kernel.other_version = true;
	assert_has(refusal(MP_VFIO_BY_GROUP), "speaks another version of VFIO");
	kernel.other_version = false;
	kernel.not_viable = true;
	assert_has(refusal(MP_VFIO_BY_GROUP),
		BDF ": the kernel calls its IOMMU group 7 not viable");
	kernel.not_viable = false;
	kernel.ones = true;
	assert_has(refusal(MP_VFIO_BY_GROUP), BDF ": does not answer");
	kernel.ones = false;
	/* The group's file is the second that is opened, after two questions to the first. */
	kernel.fail_at = 4;
	kernel.fail_errno = EBUSY;
	kernel.calls = 0;
	assert_has(refusal(MP_VFIO_BY_GROUP),
		BDF ": in use: another process has its group open");
	host->use = &use;
	g_ptr_array_add(use.entries, &held);
	kernel.calls = 0;
	assert_has(refusal(MP_VFIO_BY_GROUP),
		BDF ": in use: /dev/vfio/7 is open in kvm of "
		    "VM 101 (pid 8)");
	kernel.fail_errno = EACCES;
	kernel.calls = 0;
	assert_has(refusal(MP_VFIO_BY_GROUP), "/dev/vfio/7: cannot open: Permission");
	kernel.fail_at = 0;
	host->use = NULL;
	g_ptr_array_unref(use.entries);
}

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
		TEST(test_wishes),
		TEST(test_choice),
		TEST(test_final),
		TEST(test_file),
		TEST(test_every_call),
		TEST(test_refusals),
		TEST(test_not_begun),
		TEST(test_group),
		TEST(test_lacks),
		TEST(test_ranges),
		TEST(test_mappings),
		TEST(test_quiet),
		TEST(test_not_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
