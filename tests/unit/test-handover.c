/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways that a handover fails, in a directory that looks like sysfs; that it works is
 * for a kernel to show (tests/lab).
 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/handover.h"
#include "unit.h"

#define BDF "0000:01:00.0"

struct tree {
	char *path;
	struct mp_target *target;
	struct mp_handover hand;
};

static char *in_tree(const struct tree *tree, const char *name)
{
	return g_build_filename(tree->path, "sys/bus/pci", name, NULL);
}

static void put(const struct tree *tree, const char *name, const char *text)
{
	g_autofree char *path = in_tree(tree, name);
	g_autofree char *dir = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_holds(const struct tree *tree, const char *name, const char *text)
{
	g_autofree char *path = in_tree(tree, name);
	g_autofree char *data = NULL;

	assert_true(g_file_get_contents(path, &data, NULL, NULL));
	assert_string_equal(data, text);
}

static int setup(void **state)
{
	struct tree *tree = g_new0(struct tree, 1);
	g_autofree char *link = NULL;

	tree->path = g_dir_make_tmp("handover-XXXXXX", NULL);
	assert_non_null(tree->path);
	put(tree, "drivers_probe", "");
	put(tree, "drivers/nvme/unbind", "");
	put(tree, "devices/" BDF "/driver_override", "(null)\n");
	link = in_tree(tree, "devices/" BDF "/driver");
	assert_int_equal(symlink("../../drivers/nvme", link), 0);
	tree->target = mp_target_open(tree->path, NULL);
	assert_non_null(tree->target);
	tree->hand = (struct mp_handover){
		.target = tree->target,
		.address = BDF,
		.driver = MP_DRIVER_VFIO,
		.seconds = 20,
	};
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	struct tree *tree = *state;
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", tree->path);

	mp_handover_clear(&tree->hand);
	mp_target_free(tree->target);
	assert_int_equal(system(command), 0);
	g_free(tree->path);
	g_free(tree);
	return 0;
}

static void drive(struct tree *tree, const char *driver)
{
	g_autofree char *link = in_tree(tree, "devices/" BDF "/driver");
	g_autofree char *to = g_strconcat("../../drivers/", driver, NULL);

	assert_int_equal(g_unlink(link), 0);
	assert_int_equal(symlink(to, link), 0);
}

/* What is so already is not done again. */
static void test_there_already(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	drive(tree, MP_DRIVER_VFIO);
	put(tree, "devices/" BDF "/driver_override", MP_DRIVER_VFIO "\n");
	assert_true(mp_handover(&tree->hand, &error));
	assert_string_equal(tree->hand.driver_after, MP_DRIVER_VFIO);
	assert_holds(tree, "drivers_probe", "");
	assert_holds(tree, "drivers/nvme/unbind", "");
}

/* The writes succeed and the link says that nothing happened: that is no success. */
static void test_link_decides(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	assert_false(mp_handover(&tree->hand, &error));
	assert_int_equal(error->code, MP_ERROR_UNDONE);
	assert_non_null(strstr(error->message, "did not give it to vfio-pci"));
	assert_non_null(strstr(error->message, "handed back to nvme"));
	assert_holds(tree, "drivers/nvme/unbind", BDF);
	assert_holds(tree, "drivers_probe", BDF);
	/* Cleared again: an empty line, which the kernel takes as none. */
	assert_holds(tree, "devices/" BDF "/driver_override", "\nfio-pci");
}

static void test_attribute_missing(void **state)
{
	struct tree *tree = *state;
	g_autofree char *unbind = in_tree(tree, "drivers/nvme/unbind");
	g_autoptr(GError) error = NULL;

	assert_int_equal(g_unlink(unbind), 0);
	assert_false(mp_handover(&tree->hand, &error));
	assert_non_null(strstr(error->message, "cannot unbind its driver: No such file"));
	assert_holds(tree, "drivers_probe", "");
}

/* A driver that does not let go: who opens a pipe to write waits for its reader. */
static void test_no_answer(void **state)
{
	struct tree *tree = *state;
	g_autofree char *unbind = in_tree(tree, "drivers/nvme/unbind");
	g_autoptr(GError) error = NULL;

	assert_int_equal(g_unlink(unbind), 0);
	assert_int_equal(mkfifo(unbind, 0600), 0);
	tree->hand.seconds = 1;
	assert_false(mp_handover(&tree->hand, &error));
	assert_false(tree->hand.hangs);
	assert_non_null(
		strstr(error->message, "cannot unbind its driver: no answer within 1 s"));
	assert_holds(tree, "drivers_probe", "");
}

/* The way back: the override goes first, and vfio-pci taking it again is no success. */
static void test_taken_again(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	put(tree, "drivers/" MP_DRIVER_VFIO "/unbind", "");
	drive(tree, MP_DRIVER_VFIO);
	put(tree, "devices/" BDF "/driver_override", MP_DRIVER_VFIO);
	tree->hand.driver = NULL;
	assert_false(mp_handover(&tree->hand, &error));
	assert_non_null(strstr(error->message, "took it again"));
	assert_holds(tree, "devices/" BDF "/driver_override", "\nfio-pci");
	assert_holds(tree, "drivers/" MP_DRIVER_VFIO "/unbind", BDF);
	assert_holds(tree, "drivers_probe", BDF);
}

/* No override and a driver of the host: it is there. */
static void test_back_already(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	tree->hand.driver = NULL;
	assert_true(mp_handover(&tree->hand, &error));
	assert_string_equal(tree->hand.driver_after, "nvme");
	assert_holds(tree, "drivers/nvme/unbind", "");
	assert_holds(tree, "devices/" BDF "/driver_override", "(null)\n");
}

/* Back to what it was: here the kernel does nothing, so that is told. */
static void test_back_to_driver(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	drive(tree, MP_DRIVER_VFIO);
	put(tree, "drivers/" MP_DRIVER_VFIO "/unbind", "");
	tree->hand.driver_before = g_strdup("nvme");
	assert_false(mp_handover_back(&tree->hand, &error));
	assert_int_equal(error->code, MP_ERROR_STUCK);
	assert_non_null(strstr(error->message, "was with nvme before"));
	assert_non_null(strstr(error->message, "it is with vfio-pci now"));
	assert_holds(tree, "devices/" BDF "/driver_override", "\nnull)\n");
	assert_holds(tree, "drivers/" MP_DRIVER_VFIO "/unbind", BDF);
	assert_holds(tree, "drivers_probe", BDF);
}

/* It had none, so none is looked for; its override is set again. */
static void test_back_to_none(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	tree->hand.override_before = g_strdup("none-such");
	assert_false(mp_handover_back(&tree->hand, &error));
	assert_non_null(strstr(error->message, "was with no driver before"));
	assert_holds(tree, "devices/" BDF "/driver_override", "none-such");
	assert_holds(tree, "drivers/nvme/unbind", BDF);
	assert_holds(tree, "drivers_probe", "");
}

static void test_back_is_there(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	tree->hand.driver_before = g_strdup("nvme");
	assert_true(mp_handover_back(&tree->hand, &error));
	assert_holds(tree, "drivers/nvme/unbind", "");
	assert_holds(tree, "drivers_probe", "");
}

static void test_no_such_device(void **state)
{
	struct tree *tree = *state;
	g_autoptr(GError) error = NULL;

	tree->hand.address = "0000:02:00.0";
	assert_false(mp_handover(&tree->hand, &error));
	assert_non_null(strstr(error->message, "0000:02:00.0: cannot read"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_already),
		TEST(test_link_decides),
		TEST(test_attribute_missing),
		TEST(test_no_answer),
		TEST(test_taken_again),
		TEST(test_back_already),
		TEST(test_back_to_driver),
		TEST(test_back_to_none),
		TEST(test_back_is_there),
		TEST(test_no_such_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
