/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps on VMs and mappings, with the stand-ins for qm and pvesh in a small tree. */
#include "config.h"

#include <sys/stat.h>

#include "core/step.h"
#include "unit.h"
#include "sysroot.h"

#define NODE "etc/pve/nodes/node1/qemu-server/"

struct box {
	struct sysroot files;
	struct mp_target *target;
	struct mp_step_ctx ctx;
};

static bool can_enter(void)
{
	return geteuid() == 0 &&
	       g_file_test("/usr/bin/busybox", G_FILE_TEST_IS_EXECUTABLE);
}

static void copy_program(struct box *box, const char *from, const char *to)
{
	g_autofree char *data = NULL;
	g_autofree char *full = g_build_filename(box->files.path, to, NULL);
	gsize size = 0;

	assert_true(g_file_get_contents(from, &data, &size, NULL));
	sysroot_write(&box->files, to, data, size);
	assert_int_equal(chmod(full, 0755), 0);
}

static void box_open(struct box *box)
{
	static const char *const applets[] = { "awk", "cat", "chmod", "chown", "mkdir",
		"mv", "readlink", "rm", "sed", "sh", "sha1sum", "tr" };
	const char *source = g_getenv("TOP_SRCDIR");
	g_autofree char *qm =
		g_build_filename(source ? source : ".", "tests/sim/qm", NULL);
	g_autofree char *pvesh =
		g_build_filename(source ? source : ".", "tests/sim/pvesh", NULL);
	g_autofree char *null = NULL;

	sysroot_init(&box->files);
	copy_program(box, "/usr/bin/busybox", "usr/bin/busybox");
	for (size_t i = 0; i < G_N_ELEMENTS(applets); i++) {
		g_autofree char *link = g_strdup_printf("usr/bin/%s", applets[i]);

		sysroot_link(&box->files, link, "busybox");
	}
	sysroot_link(&box->files, "bin", "usr/bin");
	copy_program(box, qm, "usr/sbin/qm");
	copy_program(box, pvesh, "usr/bin/pvesh");
	sysroot_text(&box->files, "dev/null", "");
	sysroot_mkdir(&box->files, "tmp");
	sysroot_text(&box->files, "sim/log", "");
	sysroot_text(&box->files, "proc/sys/kernel/hostname", "node1\n");
	sysroot_text(&box->files, "etc/pve/.version", "{}");
	sysroot_text(&box->files, NODE "101.conf",
		"balloon: 2048\nmachine: q35\nmemory: 4096\nname: x\n");
	sysroot_text(&box->files, "sys/bus/pci/devices/0000:86:00.0/vendor", "0x1f9d\n");
	sysroot_text(&box->files, "sys/bus/pci/devices/0000:86:00.0/device", "0x1100\n");
	sysroot_text(&box->files, "sys/bus/pci/devices/0000:86:00.0/subsystem_vendor",
		"0x1f9d\n");
	sysroot_text(&box->files, "sys/bus/pci/devices/0000:86:00.0/subsystem_device",
		"0x0001\n");
	sysroot_link(&box->files, "sys/bus/pci/devices/0000:86:00.0/iommu_group",
		"../../../kernel/iommu_groups/22");
	box->target = mp_target_open(box->files.path, NULL);
	assert_non_null(box->target);
	box->ctx = (struct mp_step_ctx){ .target = box->target, .store = "store" };
}

static void box_close(struct box *box)
{
	mp_target_free(box->target);
	sysroot_clear(&box->files);
}

static char *text_of(struct box *box, const char *path)
{
	g_autofree char *full = g_build_filename(box->files.path, path, NULL);
	char *text = NULL;

	return g_file_get_contents(full, &text, NULL, NULL) ? text : g_strdup("(none)");
}

static void assert_file(struct box *box, const char *path, const char *expected)
{
	g_autofree char *text = text_of(box, path);

	assert_string_equal(text, expected);
}

#define assert_done(call)                                                                \
	do {                                                                             \
		g_autoptr(GError) error_ = NULL;                                         \
		GError **error = &error_;                                                \
		if (!(call))                                                             \
			fail_msg("%s: %s", #call, error_ ? error_->message : "?");       \
	} while (0)

#define assert_refused(call, code_, words)                                               \
	do {                                                                             \
		g_autoptr(GError) error_ = NULL;                                         \
		GError **error = &error_;                                                \
		if (call)                                                                \
			fail_msg("%s: not refused", #call);                              \
		assert_non_null(error_);                                                 \
		if (!strstr(error_->message, words))                                     \
			fail_msg("no '%s' in: %s", words, error_->message);              \
		assert_int_equal(error_->code, code_);                                   \
	} while (0)

static bool prepare(struct mp_step *step, struct box *box, GError **error)
{
	return step->ops->prepare(step, &box->ctx, error);
}

static bool apply(struct mp_step *step, struct box *box, GError **error)
{
	return step->ops->apply(step, &box->ctx, error);
}

static bool verify(struct mp_step *step, struct box *box, GError **error)
{
	return step->ops->verify(step, &box->ctx, error);
}

static bool check_undo(struct mp_step *step, struct box *box, char **diff, GError **error)
{
	return step->ops->check_undo(step, &box->ctx, true, diff, error);
}

static bool undo(struct mp_step *step, struct box *box, GError **error)
{
	return step->ops->undo(step, &box->ctx, true, error);
}

static struct mp_step *vm_step(void)
{
	static const char *const keys[] = { "hostpci0", "balloon", NULL };
	static const char *const values[] = { "0000:86:00.0,pcie=1", "0", NULL };

	return mp_step_vm_new("101", keys, values, NULL, "why");
}

static void start_vm(struct box *box)
{
	sysroot_text(&box->files, "run/qemu-server/101.pid", "77\n");
	sysroot_write(&box->files, "proc/77/cmdline",
		"kvm\0-id\0"
		"101\0-name\0x\0",
		20);
}

static void vm_is_set_and_put_back(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	g_autofree char *before = text_of(&box, NODE "101.conf");
	step = vm_step();
	assert_string_equal(
		step->what, "qm set 101 --hostpci0 0000:86:00.0,pcie=1 --balloon 0");
	assert_done(prepare(step, &box, error));
	assert_file(&box, NODE "101.conf", before);
	assert_refused(verify(step, &box, error), MP_ERROR_IO, "is (not set)");
	assert_done(apply(step, &box, error));
	assert_file(&box, NODE "101.conf",
		"balloon: 0\nhostpci0: 0000:86:00.0,pcie=1\nmachine: q35\nmemory: 4096\n"
		"name: x\n");
	assert_done(verify(step, &box, error));
	/* Made already: qm is not called again. */
	sysroot_text(&box.files, "sim/log", "");
	assert_done(apply(step, &box, error));
	assert_file(&box, "sim/log", "");
	assert_done(check_undo(step, &box, NULL, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, NODE "101.conf", before);
	sysroot_text(&box.files, "sim/log", "");
	assert_done(check_undo(step, &box, NULL, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, "sim/log", "");
	mp_step_free(step);
	box_close(&box);
}

static void running_vm_has_it_pending(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	start_vm(&box);
	sysroot_text(&box.files, NODE "101.conf",
		"balloon: 2048\nmachine: q35\n\n[PENDING]\nballoon: 1024\n");
	g_autofree char *before = text_of(&box, NODE "101.conf");
	step = vm_step();
	assert_done(prepare(step, &box, error));
	assert_done(apply(step, &box, error));
	assert_file(&box, NODE "101.conf",
		"balloon: 2048\nmachine: q35\n\n[PENDING]\nballoon: 0\n"
		"hostpci0: 0000:86:00.0,pcie=1\n");
	assert_done(verify(step, &box, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, NODE "101.conf", before);
	mp_step_free(step);
	box_close(&box);
}

static void race_is_lost_by_us(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = vm_step();
	assert_done(prepare(step, &box, error));
	sysroot_text(&box.files, "sim/qm.before", "echo 'name: y' >>/" NODE "101.conf\n");
	assert_refused(apply(step, &box, error), MP_ERROR_IO, "was changed meanwhile");
	assert_file(&box, NODE "101.conf",
		"balloon: 2048\nmachine: q35\nmemory: 4096\nname: x\nname: y\n");
	assert_done(check_undo(step, &box, NULL, error));
	/* Changed between the preparation and now, in what we want to set. */
	sysroot_text(&box.files, NODE "101.conf", "balloon: 512\n");
	assert_refused(apply(step, &box, error), MP_ERROR_CHANGED, "from 2048 to 512");
	mp_step_free(step);
	box_close(&box);
}

static void locked_vm_is_left_alone(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = vm_step();
	sysroot_text(&box.files, NODE "101.conf", "balloon: 1\nlock: backup\n");
	assert_refused(prepare(step, &box, error), MP_ERROR_BUSY, "locked (backup)");
	sysroot_text(&box.files, NODE "101.conf", "balloon: 1\n");
	assert_done(prepare(step, &box, error));
	sysroot_text(&box.files, NODE "101.conf", "balloon: 1\nlock: backup\n");
	assert_refused(apply(step, &box, error), MP_ERROR_IO, "VM is locked (backup)");
	sysroot_text(&box.files, NODE "101.conf", "balloon: 1\n");
	assert_done(apply(step, &box, error));
	sysroot_text(&box.files, NODE "101.conf",
		"balloon: 0\nhostpci0: 0000:86:00.0,pcie=1\nlock: backup\n");
	assert_refused(
		check_undo(step, &box, NULL, error), MP_ERROR_BUSY, "locked (backup)");
	mp_step_free(step);
	box_close(&box);
}

static void foreign_change_is_kept(void **state G_GNUC_UNUSED)
{
	g_autofree char *diff = NULL;
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = vm_step();
	assert_done(prepare(step, &box, error));
	assert_done(apply(step, &box, error));
	sysroot_text(&box.files, NODE "101.conf",
		"balloon: 0\nhostpci0: 0000:87:00.0\nmachine: q35\n");
	assert_refused(check_undo(step, &box, &diff, error), MP_ERROR_CHANGED,
		"hostpci0 was set to 0000:86:00.0,pcie=1, is 0000:87:00.0 now");
	assert_non_null(strstr(diff, "-hostpci0: 0000:86:00.0,pcie=1"));
	assert_non_null(strstr(diff, "+hostpci0: 0000:87:00.0"));
	/* The VM went to another node; then it was destroyed. */
	g_autofree char *full = g_build_filename(box.files.path, NODE "101.conf", NULL);
	assert_int_equal(g_remove(full), 0);
	sysroot_text(&box.files, "etc/pve/nodes/node2/qemu-server/101.conf", "a");
	assert_refused(
		check_undo(step, &box, NULL, error), MP_ERROR_CHANGED, "to node node2");
	g_autofree char *other = g_build_filename(
		box.files.path, "etc/pve/nodes/node2/qemu-server/101.conf", NULL);
	assert_int_equal(g_remove(other), 0);
	assert_done(check_undo(step, &box, NULL, error));
	assert_done(undo(step, &box, error));
	mp_step_free(step);
	box_close(&box);
}

#define CFG "etc/pve/mapping/pci.cfg"
#define MAP                                                                              \
	"id=1f9d:1100,iommugroup=22,node=node1,path=0000:86:00.0,"                       \
	"subsystem-id=1f9d:0001"

static struct mp_step *mapping_step(const char *replaces)
{
	return mp_step_mapping_new(
		"Metis", "node1", "0000:86:00.0", MAP, replaces, true, "why");
}

static void mapping_is_made_and_deleted(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = mapping_step(NULL);
	assert_done(prepare(step, &box, error));
	assert_done(apply(step, &box, error));
	assert_file(&box, CFG, "Metis\n\tmap " MAP "\n\n");
	assert_done(verify(step, &box, error));
	sysroot_text(&box.files, "sim/log", "");
	assert_done(apply(step, &box, error));
	assert_file(&box, "sim/log", "");
	/* The hardware is another than the mapping says: Proxmox VE's own check tells. */
	sysroot_text(&box.files, "sys/bus/pci/devices/0000:86:00.0/device", "0x1101\n");
	assert_refused(verify(step, &box, error), MP_ERROR_IO, "'id' does not match");
	assert_done(check_undo(step, &box, NULL, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, CFG, "");
	assert_done(undo(step, &box, error));
	mp_step_free(step);
	box_close(&box);
}

static void other_entries_stay(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	sysroot_text(&box.files, CFG,
		"Metis\n\tmap id=1f9d:1100,node=node2,path=0000:03:00.0\n"
		"\tmap id=1f9d:1100,iommugroup=9,node=node1,path=0000:85:00.0\n"
		"\tdescription AI\n\n");
	g_autofree char *before = text_of(&box, CFG);
	step = mapping_step("0000:85:00.0");
	assert_done(prepare(step, &box, error));
	assert_done(apply(step, &box, error));
	assert_file(&box, CFG,
		"Metis\n\tmap id=1f9d:1100,node=node2,path=0000:03:00.0\n\tmap " MAP
		"\n\tdescription AI\n\n");
	assert_done(verify(step, &box, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, CFG, before);
	/* What somebody adds between our looking and our writing is not lost. */
	sysroot_text(&box.files, "sim/pvesh.before",
		"printf 'other\\n\\tmap id=1f9d:1100,node=n,path=0000:01:00.0\\n\\n' >>/" CFG
		"\n");
	assert_refused(apply(step, &box, error), MP_ERROR_IO, "modified configuration");
	assert_done(apply(step, &box, error));
	/* Another node's entry that came later stays when ours goes. */
	sysroot_text(&box.files, CFG,
		"Metis\n\tmap " MAP
		"\n\tmap id=1f9d:1100,node=node3,path=0000:04:00.0\n\n");
	assert_done(check_undo(step, &box, NULL, error));
	assert_done(undo(step, &box, error));
	assert_file(&box, CFG,
		"Metis\n\tmap id=1f9d:1100,iommugroup=9,node=node1,path=0000:85:00.0\n"
		"\tmap id=1f9d:1100,node=node3,path=0000:04:00.0\n\n");
	mp_step_free(step);
	box_close(&box);
}

static void changed_entry_is_not_ours(void **state G_GNUC_UNUSED)
{
	g_autofree char *diff = NULL;
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = mapping_step(NULL);
	assert_done(prepare(step, &box, error));
	assert_done(apply(step, &box, error));
	sysroot_text(&box.files, CFG,
		"Metis\n\tmap id=1f9d:1100,iommugroup=23,node=node1,path=0000:86:00.0\n\n");
	assert_refused(check_undo(step, &box, &diff, error), MP_ERROR_CHANGED,
		"somebody changed it since");
	assert_non_null(strstr(diff, "+map id=1f9d:1100,iommugroup=23"));
	sysroot_text(&box.files, CFG, "Metis\n\tmap nonsense\n\n");
	assert_refused(apply(step, &box, error), MP_ERROR_INPUT, "does not understand");
	mp_step_free(step);
	box_close(&box);
}

static void nothing_is_done_without_pmxcfs(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	g_autofree char *pve = g_build_filename(box.files.path, "etc/pve", NULL);
	sysroot_remove_tree(pve);
	sysroot_mkdir(&box.files, "etc/pve");
	step = vm_step();
	assert_refused(prepare(step, &box, error), MP_ERROR_NOT_FOUND, "not mounted");
	mp_step_free(step);
	step = mapping_step(NULL);
	assert_refused(prepare(step, &box, error), MP_ERROR_NOT_FOUND, "not mounted");
	mp_step_free(step);
	g_autofree char *qm = g_build_filename(box.files.path, "usr/sbin/qm", NULL);
	assert_int_equal(g_remove(qm), 0);
	step = vm_step();
	assert_refused(prepare(step, &box, error), MP_ERROR_NOT_FOUND, "qemu-server");
	mp_step_free(step);
	box_close(&box);
}

/* The journal is a file: it may hold anything. */
static void damaged_journal_is_told(void **state G_GNUC_UNUSED)
{
	struct mp_step *step;
	struct box box;

	if (!can_enter())
		skip();
	box_open(&box);
	step = vm_step();
	step->before = json_tokener_parse("{\"source\": 7}");
	assert_refused(undo(step, &box, error), MP_ERROR_INPUT, "source");
	json_object_put(step->before);
	step->before =
		json_tokener_parse("{\"source\": \"/" NODE "101.conf\", \"keys\": []}");
	assert_refused(apply(step, &box, error), MP_ERROR_INPUT, "keys");
	mp_step_free(step);
	box_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_is_set_and_put_back),
		cmocka_unit_test(running_vm_has_it_pending),
		cmocka_unit_test(race_is_lost_by_us),
		cmocka_unit_test(locked_vm_is_left_alone),
		cmocka_unit_test(foreign_change_is_kept),
		cmocka_unit_test(mapping_is_made_and_deleted),
		cmocka_unit_test(other_entries_stay),
		cmocka_unit_test(changed_entry_is_not_ours),
		cmocka_unit_test(nothing_is_done_without_pmxcfs),
		cmocka_unit_test(damaged_journal_is_told),
	};

	return cmocka_run_group_tests_name("steps-pve", tests, NULL, NULL);
}
