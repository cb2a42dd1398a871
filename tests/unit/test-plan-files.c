/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner's topics command line, configuration and use, on one captured host with
 * files changed. */
#include "config.h"

#include "core/use.h"
#include "plan-scene.h"

#define DROP_IN  "/etc/default/grub.d/metis-passthrough.cfg"
#define CMDLINE  "/etc/kernel/cmdline"
#define SETTINGS "/etc/metis-passthrough/config.yaml"
#define OFF      "# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set\n"
#define MENU     "linux /boot/vmlinuz-7.0.0-3-pve root=/dev/mapper/pve-root ro quiet"
#define RUNNING                                                                          \
	"BOOT_IMAGE=/boot/vmlinuz-7.0.0-3-pve root=/dev/mapper/pve-root ro quiet\n"

struct fixture {
	struct mp_root *base;
	struct scene x;
};

static int open_host(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->base = scene_snapshot("host-driver");
	scene_open(&f->x, f->base);
	*state = f;
	return 0;
}

static int close_host(void **state)
{
	struct fixture *f = *state;

	scene_close(&f->x);
	mp_root_free(f->base);
	g_free(f);
	return 0;
}

/* --- command line --- */

/* An older kernel beside the new one leaves VT-d off, and nobody asked for it. */
static void needs_parameter(struct scene *x)
{
	scene_put(x, "/boot/config-6.17.13-2-pve", OFF);
	scene_put(x, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n");
	scene_put(x, "/boot/grub/grub.cfg", MENU "\n");
	scene_put(x, "/proc/cmdline", RUNNING);
}

static void grub_gets_a_drop_in(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan;
	const struct mp_step *step;
	guint at, images;

	plan = scene_plan(x, CARD);
	assert_null(file_of(plan, DROP_IN));
	assert_says(plan->notes, "intel_iommu=on is not added: every installed kernel");

	needs_parameter(x);
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_true(changes(plan, DROP_IN));
	assert_true(g_str_has_suffix(file_of(plan, DROP_IN)->content,
		"\nGRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT "
		"intel_iommu=on\"\n"));
	assert_non_null(strstr(file_of(plan, DROP_IN)->why, "kernel 6.17.13-2-pve"));
	step = step_of(plan, "update-grub", &at);
	assert_non_null(step);
	assert_true(step->reboot);
	assert_non_null(step_of(plan, "images", &images));
	assert_true(images < at);
	assert_says(plan->notes, "recovery entries");

	/* Written, but the menu was not made again. */
	scene_apply(x);
	plan = scene_plan(x, CARD);
	assert_int_equal(plan->steps->len, 1);
	assert_true(runs(plan, "update-grub"));
	scene_put(x, "/boot/grub/grub.cfg", MENU " intel_iommu=on\n");
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_int_equal(plan->steps->len, 0);
	assert_says(plan->notes, "a reboot is due");
	assert_true(plan->reboot);
	scene_put(x, "/proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz-7.0.0-3-pve root=/dev/x intel_iommu=on\n");
	assert_silent(scene_plan(x, CARD)->notes, "a reboot is due");
	assert_false(x->plan->reboot);
}

static void a_parameter_by_hand_is_enough(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan;

	needs_parameter(x);
	scene_put(x, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"
		"GRUB_CMDLINE_LINUX=\"intel_iommu=on,sm_on\"\n");
	scene_put(x, "/boot/grub/grub.cfg", MENU " intel_iommu=on,sm_on\n");
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_null(file_of(plan, DROP_IN));
	assert_false(runs(plan, "update-grub"));
}

static void a_drop_in_without_effect(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;

	needs_parameter(x);
	scene_put(x, "/etc/default/grub.d/zz.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n");
	assert_says(scene_plan(x, CARD)->obstacles, "would have no effect");
	scene_put(x, "/etc/default/grub.d/zz.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$(cat /etc/x)\"\n");
	assert_possible(scene_plan(x, CARD));
	assert_says(x->plan->notes, "could not be proved");
}

static void switches_of_others(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;

	scene_put(x, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=off\"\n");
	assert_says(
		scene_plan(x, CARD)->obstacles, "intel_iommu=off in /etc/default/grub");
	assert_says(x->plan->obstacles, "update-grub; reboot");
	scene_put(x, "/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=off\"\n");
	assert_says(scene_plan(x, CARD)->obstacles, "iommu=off");

	/* Taken out already, but not out of the menu. */
	scene_put(x, "/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	scene_put(x, "/boot/grub/grub.cfg", MENU " intel_iommu=off\n");
	assert_possible(scene_plan(x, CARD));
	assert_true(runs(x->plan, "update-grub"));
}

/* The same host, started by systemd-boot of proxmox-boot-tool. */
static void becomes_boot_tool(struct scene *x, const char *running)
{
	needs_parameter(x);
	scene_put(x, "/etc/kernel/proxmox-boot-uuids", "1234-5678\n");
	scene_put(x, "/proc/cmdline", running);
}

static void kernel_cmdline_byte_for_byte(void **state)
{
	static const char running[] =
		"initrd=\\EFI\\proxmox\\7.0.0-3-pve\\initrd.img root=ZFS=rpool/ROOT quiet\n";
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan;

	becomes_boot_tool(x, running);
	scene_put(x, CMDLINE, "root=ZFS=rpool/ROOT  quiet\n# a second line\n\n");
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_int_equal(x->host->boot->loader, MP_LOADER_PBT_SYSTEMD_BOOT);
	assert_string_equal(file_of(plan, CMDLINE)->content,
		"root=ZFS=rpool/ROOT  quiet intel_iommu=on\n# a second line\n\n");
	assert_null(file_of(plan, DROP_IN));
	assert_true(runs(plan, "proxmox-boot-tool"));
	assert_false(runs(plan, "update-grub"));
	scene_apply(x);
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_int_equal(plan->steps->len, 0);

	/* A carriage return ends the line for systemd-boot. */
	scene_put(x, CMDLINE, "root=/dev/x quiet\r\nmore\r\n");
	assert_string_equal(file_of(scene_plan(x, CARD), CMDLINE)->content,
		"root=/dev/x quiet intel_iommu=on\r\nmore\r\n");

	/* The boot tool keeps the running kernel's line where there is no file. */
	scene_put(x, CMDLINE, NULL);
	plan = scene_plan(x, CARD);
	assert_possible(plan);
	assert_string_equal(file_of(plan, CMDLINE)->content,
		"root=ZFS=rpool/ROOT quiet intel_iommu=on\n");
	scene_put(x, CMDLINE, "quiet\n");
	assert_says(scene_plan(x, CARD)->obstacles, "no root=");
	scene_put(x, CMDLINE, "root=/dev/x -- single\n");
	assert_says(scene_plan(x, CARD)->obstacles, "would not count there");
	scene_put(x, CMDLINE, "root=/dev/x intel_iommu=off\n");
	assert_says(scene_plan(x, CARD)->obstacles, "intel_iommu=off in " CMDLINE);
}

static void both_places_where_either_may_count(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan;

	becomes_boot_tool(x, "root=ZFS=rpool/ROOT quiet\n");
	scene_put(x, "/sys/firmware/efi/fw_platform_size", "64\n");
	scene_put(x, CMDLINE, "root=ZFS=rpool/ROOT quiet");
	plan = scene_plan(x, CARD);
	assert_int_equal(x->host->boot->loader, MP_LOADER_PBT_BOTH);
	assert_possible(plan);
	assert_true(changes(plan, CMDLINE) && changes(plan, DROP_IN));
	assert_string_equal(file_of(plan, CMDLINE)->content,
		"root=ZFS=rpool/ROOT quiet intel_iommu=on\n");
}

static void a_loader_that_is_not_known(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;

	needs_parameter(x);
	scene_put(x, "/proc/cmdline", "root=/dev/x quiet\n");
	assert_says(scene_plan(x, CARD)->obstacles, "is not this program's to change");
	assert_null(file_of(x->plan, DROP_IN));
	/* Where nothing is needed, it does not matter. */
	scene_put(x, "/boot/config-6.17.13-2-pve", "\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n");
	assert_silent(scene_plan(x, CARD)->obstacles, "is not this program's");
}

/* --- configuration --- */

static void a_configuration_of_ours(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan = scene_plan(x, CARD);
	const char *text = file_of(plan, SETTINGS)->content;
	g_autoptr(mp_config) config = mp_config_parse("ours", text, strlen(text), NULL);
	const struct mp_pin *pin;
	g_autofree char *more = NULL;

	assert_non_null(config);
	pin = mp_config_pin(config, CARD);
	assert_non_null(pin);
	assert_string_equal(pin->id, "1f9d:1100");
	assert_int_equal(pin->group_members->len, 1);
	assert_null(config->vm);

	/* What the admin adds is kept; a VM by option is remembered. */
	more = g_strconcat(text,
		"hugepages: '1024'\nwaivers:\n  - check: device-link\n"
		"    reason: \"slot #4 is x4\"\n",
		NULL);
	scene_put(x, SETTINGS, more);
	x->wish.vm = "101";
	plan = scene_plan(x, NULL);
	text = file_of(plan, SETTINGS)->content;
	assert_non_null(strstr(text, "vm: \"101\"\nhugepages: \"1024\"\nwaivers:\n"));
	assert_non_null(strstr(text, "slot #4 is x4"));
}

static void a_configuration_by_hand(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	const struct mp_plan *plan;

	scene_put(x, SETTINGS, "# the AI card\ncards:\n  - address: 86:00.0\n");
	plan = scene_plan(x, NULL);
	assert_possible(plan);
	assert_null(file_of(plan, SETTINGS));
	assert_true(changes(plan, "/etc/modprobe.d/metis-passthrough.conf"));
	assert_says(plan->notes, "by its address alone");
	x->wish.vm = "101";
	assert_says(scene_plan(x, NULL)->obstacles, "add this line");
	assert_says(x->plan->obstacles, "vm: \"101\"");
	x->wish.vm = NULL;
	scene_put(x, SETTINGS, "# nothing yet\n");
	assert_says(scene_plan(x, CARD)->obstacles, "written by hand");
	assert_says(x->plan->obstacles, "cards:\n  - address: \"" CARD "\"\n    id: ");
}

static void another_card_at_the_address(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;

	scene_put(x, SETTINGS, "cards:\n  - address: 86:00.0\n    id: 8086:1533\n");
	assert_says(scene_plan(x, CARD)->obstacles, "its id is 1f9d:1100, the pin says");
	assert_says(x->plan->obstacles, "metis-passthrough repin");
	scene_put(x, SETTINGS, "cards:\n  - address: 99:00.0\n    id: 1f9d:1100\n");
	assert_says(scene_plan(x, CARD)->obstacles, "is not on this host");
	assert_null(file_of(x->plan, SETTINGS));
}

/* --- use --- */

static void what_the_host_needs(void **state)
{
	static const char *const force[] = { "3b:00.0", NULL };
	struct scene *x = &((struct fixture *)*state)->x;

	assert_says(scene_plan(x, "0000:3b:00.0")->obstacles, "is in use (mount)");
	assert_says(x->plan->obstacles, "leave it to the host");
	x->wish.force = force;
	assert_silent(scene_plan(x, "0000:3b:00.0")->obstacles, "is in use");
	assert_says(x->plan->notes, "forced: 0000:3b:00.0 is in use (mount)");
	/* It names that device only. */
	assert_says(scene_plan(x, "0000:18:00.0")->obstacles, "is in use (network)");
	x->wish.force = NULL;
	assert_says(scene_plan(x, "0000:85:00.0")->obstacles, "is a PCI bridge");
	/* Members of a group that somebody has to name. */
	assert_says(scene_plan(x, "0000:00:14.2")->obstacles, "is in IOMMU group 3 too");
	assert_says(x->plan->obstacles, "-d 0000:00:14.2 -d 0000:00:14.0");
}

static void evidence_that_is_missing(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;

	/* The card cannot carry a disk, a network card may be in use. */
	scene_put(x, "/proc/net/route", NULL);
	scene_put(x, "/proc/net/ipv6_route", NULL);
	assert_silent(scene_plan(x, CARD)->obstacles, "is not known");
	x->host->use->open_files = mp_fact_unknown(x->host, "/proc/PID/fd", "not root");
	x->host->live = true;
	mp_plan_free(x->plan);
	x->plan = mp_plan_make(&x->wish);
	assert_says(x->plan->obstacles, "has 0000:86:00.0 open is not known: not root");
}

/* --- devices that nobody asked for --- */

static void ids_that_take_a_twin(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) base = scene_snapshot("same-id-twins");
	struct scene x;

	scene_open(&x, base);
	scene_put(&x, "/etc/modprobe.d/vfio.conf", NULL);
	x.wish.binding = "ids";
	scene_plan(&x, CARD);
	assert_says(x.plan->obstacles, "was not asked for, but would go to vfio-pci too");
	assert_true(x.plan->taken->len >= 2);
	x.wish.binding = "auto";
	assert_silent(scene_plan(&x, CARD)->obstacles, "was not asked for");
	assert_string_equal(x.plan->binding, "address");
	scene_close(&x);
}

/* A file that takes a driver from devices beside the wanted one. */
static void a_driver_lost(void **state)
{
	struct scene *x = &((struct fixture *)*state)->x;
	struct mp_plan plan = {
		.files = g_ptr_array_new(),
		.obstacles = g_ptr_array_new(),
		.notes = g_ptr_array_new(),
		.taken = g_ptr_array_new(),
	};

	scene_load(x);
	scene_want(x, CARD);
	mp_plan_add_file(&plan, "/etc/modprobe.d/x.conf", "blacklist i40e\n", 0, "test")
		->changed = true;
	mp_plan_simulate(&plan, &x->wish);
	assert_says(plan.obstacles, "0000:18:00.0 (");
	assert_says(plan.obstacles, "would be left without a driver");
	assert_silent(plan.obstacles, "0000:3b:00.0 (");
	/* Handed to a plan that frees it. */
	x->plan = mp_plan_make(&x->wish);
	g_ptr_array_set_free_func(plan.taken, g_free);
	g_ptr_array_unref(plan.taken);
	for (guint i = 0; i < plan.obstacles->len; i++)
		g_ptr_array_add(x->plan->obstacles, plan.obstacles->pdata[i]);
	for (guint i = 0; i < plan.files->len; i++)
		g_ptr_array_add(x->plan->files, plan.files->pdata[i]);
	for (guint i = 0; i < plan.notes->len; i++)
		g_ptr_array_add(x->plan->notes, plan.notes->pdata[i]);
	g_ptr_array_unref(plan.obstacles);
	g_ptr_array_unref(plan.files);
	g_ptr_array_unref(plan.notes);
	mp_host_free(plan.then);
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(grub_gets_a_drop_in),
		HOST_TEST(a_parameter_by_hand_is_enough),
		HOST_TEST(a_drop_in_without_effect),
		HOST_TEST(switches_of_others),
		HOST_TEST(kernel_cmdline_byte_for_byte),
		HOST_TEST(both_places_where_either_may_count),
		HOST_TEST(a_loader_that_is_not_known),
		HOST_TEST(a_configuration_of_ours),
		HOST_TEST(a_configuration_by_hand),
		HOST_TEST(another_card_at_the_address),
		HOST_TEST(what_the_host_needs),
		HOST_TEST(evidence_that_is_missing),
		cmocka_unit_test(ids_that_take_a_twin),
		HOST_TEST(a_driver_lost),
	};

	return cmocka_run_group_tests_name("plan-files", tests, NULL, NULL);
}
