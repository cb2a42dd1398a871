/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the last self-test inside of a VM ended, and what it means now. */
#include "config.h"

#include "unit.h"

#include <string.h>

#include "core/platform.h"
#include "core/selftest-last.h"
#include "core/selftest-vm.h"
#include "tree.h"

#define HEAD   "metis-passthrough selftest-vm 1\n"
#define SOURCE "/note"
#define KERNEL "7.0.0-3-pve"

static mp_host *host_with(const char *kernel)
{
	mp_host *host = mp_host_new("test", true);
	struct mp_platform *platform = mp_host_alloc(host, sizeof(*platform));
	struct mp_selftests *selftests = mp_host_alloc(host, sizeof(*selftests));

	platform->kernel_release = kernel ? mp_fact_known(host, "x", kernel)
					  : mp_fact_unknown(host, "x", "y");
	host->platform = platform;
	selftests->store = mp_fact_known(host, "x", "0");
	selftests->last = mp_host_array(host);
	selftests->vms = mp_host_array(host);
	host->selftests = selftests;
	return host;
}

/* What is said of the note TEXT (NULL: none) on KERNEL. */
static void judged(const char *text, const char *wanted, enum mp_severity severity,
	const char *words)
{
	g_autoptr(mp_host) host = host_with(KERNEL);
	g_autoptr(mp_config) config = mp_config_parse("x", "", 0, NULL);
	enum mp_severity said_severity;
	g_autofree char *said = NULL;

	assert_non_null(config);
	config->guest_selftest = g_strdup(wanted);
	if (text)
		g_ptr_array_add(
			host->selftests->vms, (gpointer)mp_selftest_vm_parse(host, "101",
						      SOURCE, text, strlen(text), 0));
	said = mp_selftest_vm_judge(host, config, "101", &said_severity);
	assert_non_null(strstr(said, words));
	assert_int_equal(said_severity, severity);
	g_free(said);
	/* Another VM's says nothing. */
	said = mp_selftest_vm_judge(host, config, "102", &said_severity);
	assert_int_equal(said_severity, wanted ? MP_INFO : MP_SKIP);
}

static void each_end_has_its_meaning(void **state G_GNUC_UNUSED)
{
	judged(NULL, NULL, MP_SKIP, "no self-test was run");
	judged(NULL, "run", MP_INFO, "has come to its end yet");
	judged(HEAD "verdict passed\nkernel " KERNEL "\ndevice 0000:01:00.0\n", NULL,
		MP_PASS, "passed on this host kernel");
	judged(HEAD "verdict passed\nkernel 6.8\ndevice 0000:01:00.0\n", "run", MP_INFO,
		"passed on host kernel 6.8, and this is " KERNEL);
	judged(HEAD "verdict passed\ndevice 0000:01:00.0\n", NULL, MP_UNSURE,
		"whether on this kernel of the host is not known");
	judged(HEAD "verdict failed\nkernel 6.8\nwhy dma-read: nothing\n", NULL, MP_FAIL,
		"failed: dma-read: nothing");
	judged(HEAD "verdict not-run\nwhy no agent\n", NULL, MP_UNSURE,
		"came to no result: no agent");
}

static void what_is_no_note_is_unknown(void **state G_GNUC_UNUSED)
{
	static const char *const wrong[] = {
		"",
		"verdict passed\ndevice 0000:01:00.0\n",
		"metis-passthrough selftest-vm 2\nverdict passed\ndevice 0000:01:00.0\n",
		HEAD,
		HEAD "verdict passed\n",
		HEAD "verdict failed\n",
		HEAD "verdict not-run\n",
		HEAD "verdict good\ndevice 0000:01:00.0\n",
		HEAD "verdict passed\ndevice ../..\n",
		HEAD "verdict passed\nverdict\ndevice 0000:01:00.0\n",
		HEAD "verdict passed\ndevice 0000:01:00.0\nother x\n",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		judged(wrong[i], NULL, MP_UNSURE, "could not be read");
}

static void it_is_kept_clean(void **state G_GNUC_UNUSED)
{
	const struct mp_selftest_vm_end ends[] = {
		{ MP_SELFTEST_VM_PASSED, "0000:01:00.0", "nobody asks" },
		{ MP_SELFTEST_VM_FAILED, "0000:01:00.0", "a\nverdict passed\033[1m" },
	};
	static const char *const texts[] = {
		HEAD "verdict passed\nkernel " KERNEL "\ndevice 0000:01:00.0\n",
		HEAD "verdict failed\nkernel " KERNEL
		     "\ndevice 0000:01:00.0\nwhy a verdict passed",
	};
	struct tree tree;
	g_autoptr(mp_target) target = NULL;

	tree_open(&tree);
	tree_put(&tree, "proc/sys/kernel/osrelease", KERNEL "\n");
	target = mp_target_open(tree.files.path, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *text = NULL;

		assert_true(mp_selftest_vm_keep(target, "101", &ends[i], NULL));
		assert_int_equal(mp_root_read(tree.root, MP_PATH_SELFTEST "/vm-101.last",
					 MP_READ_ATTR, &text, NULL),
			0);
		assert_true(g_str_has_prefix(text, texts[i]));
	}
	tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_has_its_meaning),
		cmocka_unit_test(what_is_no_note_is_unknown),
		cmocka_unit_test(it_is_kept_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
