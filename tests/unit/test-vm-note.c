/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hookscript notes when a VM starts, and what it makes of that afterwards. */
#include "config.h"

#include "unit.h"

#include <string.h>

#include "core/vm-note.h"
#include "tree.h"

#define FAULT(time, card, index)                                                         \
	"[" time "] DMAR: [INTR-REMAP] Request device [" card "] fault index " index     \
	" [fault reason 0x22] Present field in the IRTE entry is clear\n"
#define CARD "0000:86:00.0"
#define NOTE "run/metis-passthrough/vm-101"

static void a_note_is_kept_and_forgotten(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	g_autoptr(mp_target) target = NULL;
	g_autoptr(mp_vm_note) note = mp_vm_note_new();
	g_autoptr(mp_vm_note) read = NULL;

	tree_open(&tree);
	target = mp_target_open(tree.files.path, NULL);
	assert_non_null(target);
	assert_null(mp_vm_note_load(tree.root, "101", NULL));
	note->log = 1234567890;
	g_ptr_array_add(note->cards, g_strdup(CARD));
	g_ptr_array_add(note->services, g_strdup("app@1.service"));
	note->task = (struct mp_vm_task){ .pid = 4711, .begun = 99 };
	assert_true(mp_vm_note_save(target, "101", note, NULL));
	read = mp_vm_note_load(tree.root, "101", NULL);
	assert_non_null(read);
	assert_int_equal(read->log, note->log);
	assert_int_equal(read->cards->len, 1);
	assert_string_equal(read->cards->pdata[0], CARD);
	assert_string_equal(read->services->pdata[0], "app@1.service");
	assert_int_equal(read->task.pid, 4711);
	assert_int_equal(read->task.begun, 99);
	assert_null(mp_vm_note_load(tree.root, "102", NULL));
	assert_true(mp_vm_note_forget(target, "101", NULL));
	assert_null(mp_vm_note_load(tree.root, "101", NULL));
	assert_true(mp_vm_note_forget(target, "101", NULL));
	tree_close(&tree);
}

static void what_is_no_note_is_refused(void **state G_GNUC_UNUSED)
{
	static const char *const wrong[] = {
		"",
		"log 1\n",
		"metis-passthrough vm 2\nlog 1\n",
		"metis-passthrough vm 1\nlog -1\n",
		"metis-passthrough vm 1\nlog 18446744073709551616\n",
		"metis-passthrough vm 1\ncard 86\n",
		"metis-passthrough vm 1\ncard ../../etc\n",
		"metis-passthrough vm 1\nservice --now\n",
		"metis-passthrough vm 1\nservice a.mount\n",
		"metis-passthrough vm 1\nother x\n",
		"metis-passthrough vm 1\ntask 4711\n",
		"metis-passthrough vm 1\ntask 4711 99 1\n",
		"metis-passthrough vm 1\ntask -1 99\n",
		"metis-passthrough vm 1\ntask 4711 x\n",
		"metis-passthrough vm 1\nlog\n",
	};
	struct tree tree;
	g_autoptr(GString) many = g_string_new("metis-passthrough vm 1\n");

	tree_open(&tree);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		tree_put(&tree, NOTE, wrong[i]);
		assert_null(mp_vm_note_load(tree.root, "101", &error));
		assert_non_null(error);
		assert_int_equal(error->code, MP_ERROR_INPUT);
	}
	for (int i = 0; i < 257; i++)
		g_string_append(many, "card " CARD "\n");
	tree_put(&tree, NOTE, many->str);
	assert_null(mp_vm_note_load(tree.root, "101", NULL));
	tree_close(&tree);
}

/* LINES joined by "|", of a note with the log at 100 s and CARD. */
static void expect(const char *log, const char *lines)
{
	struct tree tree;
	g_autoptr(mp_vm_note) note = mp_vm_note_new();
	g_autoptr(GPtrArray) told = NULL;
	g_autofree char *text = NULL;

	tree_open(&tree);
	tree_put(&tree, MP_PATH_KLOG, log);
	note->log = 100000000;
	g_ptr_array_add(note->cards, g_strdup(CARD));
	told = mp_vm_note_faults(note, "101", tree.root, NULL);
	assert_non_null(told);
	g_ptr_array_add(told, NULL);
	text = g_strjoinv("|", (char **)told->pdata);
	assert_string_equal(text, lines);
	tree_close(&tree);
}

#define TOLD(count)                                                                      \
	CARD ": warning: the IOMMU blocked it " count " since the VM started; what "     \
	     "it means: metis-passthrough diagnose --vm 101"
#define INDEX(time, index)                                                               \
	CARD ": [" time                                                                  \
	     "] DMAR: [INTR-REMAP] Request device [86:00.0] fault index " index          \
	     " [fault reason 0x22] Present field in the IRTE entry is clear"

static void faults_since_then(void **state G_GNUC_UNUSED)
{
	/* Before, at that very moment, another device. */
	expect(FAULT("   99.999999", "86:00.0", "0x28") FAULT("  100.000000", "86:00.0",
		       "0x28") FAULT("  101.000000", "86:00.1", "0x28"),
		"");
	expect("[   90.000000] x\n" FAULT("  100.000001", "86:00.0", "0x28"),
		TOLD("1 time") "|" INDEX("  100.000001", "0x28"));
	/* Alike ones are one line, of others the first two are shown. */
	expect("[   90.000000] x\n" FAULT("  101.000000", "86:00.0", "0x28")
			FAULT("  102.000000", "86:00.0", "0x28")
				FAULT("  103.000000", "86:00.0", "0x29")
					FAULT("  104.000000", "86:00.0", "0x2a"),
		TOLD("4 times") "|" INDEX("  101.000000", "0x28") "|" INDEX(
			"  103.000000", "0x29"));
}

static void what_is_lost_is_admitted(void **state G_GNUC_UNUSED)
{
	/* The ring was overwritten. */
	expect(FAULT("  101.000000", "86:00.0", "0x28"),
		TOLD("at least 1 time") "|" INDEX("  101.000000", "0x28"));
	expect("[   90.000000] x\n"
	       "[  101.000000] dmar_fault: 7 callbacks suppressed\n" FAULT(
		       "  101.000000", "86:00.0", "0x28"),
		TOLD("at least 1 time") "|" INDEX("  101.000000", "0x28"));
}

static void the_log_is_marked_at_its_end(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	g_autoptr(mp_vm_note) note = mp_vm_note_new();

	tree_open(&tree);
	assert_false(mp_vm_note_mark(note, tree.root, NULL));
	tree_put(&tree, MP_PATH_KLOG,
		"[    0.000000] a\n[ 1234.567891] b\n[ 1234.567890] c\nd\n[x.y] e\n");
	assert_true(mp_vm_note_mark(note, tree.root, NULL));
	assert_int_equal(note->log, 1234567891);
	tree_put(&tree, MP_PATH_KLOG, "");
	assert_true(mp_vm_note_mark(note, tree.root, NULL));
	assert_int_equal(note->log, 0);
	tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_is_kept_and_forgotten),
		cmocka_unit_test(what_is_no_note_is_refused),
		cmocka_unit_test(faults_since_then),
		cmocka_unit_test(what_is_lost_is_admitted),
		cmocka_unit_test(the_log_is_marked_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
