/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way into VFIO is taken, and each refusal of the kernel on it. */
#include "config.h"

#include "vfio-scene.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
