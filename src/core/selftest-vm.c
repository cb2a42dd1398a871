/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "core/fact.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/selftest-last.h"
#include "core/selftest-vm.h"

#define HEAD    "metis-passthrough selftest-vm 1"
#define WHY_MAX 400 /* bytes */

const struct mp_selftest_vm *mp_selftest_vm(const struct mp_host *host, const char *vmid)
{
	for (guint i = 0; host->selftests && i < host->selftests->vms->len; i++) {
		const struct mp_selftest_vm *vm = host->selftests->vms->pdata[i];

		if (!strcmp(vm->vmid, vmid))
			return vm;
	}
	return NULL;
}

/* --- the file: a head, then a key and a value a line --- */

static bool take_line(struct mp_host *host, struct mp_selftest_vm *vm,
	const char **verdict, const char *line)
{
	static const char *const verdicts[] = { MP_SELFTEST_VM_PASSED,
		MP_SELFTEST_VM_FAILED, MP_SELFTEST_VM_NOT_RUN, NULL };
	const char *value = strchr(line, ' ');
	g_autofree char *clean =
		value ? mp_clean_text(value + 1, strlen(value + 1)) : NULL;
	uint32_t domain;
	uint8_t bus, slot, function;

	if (!clean || !*clean)
		return false;
	if (g_str_has_prefix(line, "verdict "))
		*verdict = mp_host_str(host, clean);
	else if (g_str_has_prefix(line, "kernel "))
		vm->kernel = mp_host_str(host, clean);
	else if (g_str_has_prefix(line, "device "))
		vm->device = mp_host_str(host, clean);
	else if (g_str_has_prefix(line, "why "))
		vm->why = mp_host_str(host, clean);
	else
		return false;
	return (!*verdict || g_strv_contains(verdicts, *verdict)) &&
	       (!vm->device ||
		       mp_pci_parse_bdf(vm->device, &domain, &bus, &slot, &function));
}

static bool take_text(struct mp_host *host, struct mp_selftest_vm *vm,
	const char **verdict, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	if (!*lines || strcmp(*lines, HEAD) != 0)
		return false;
	for (char **line = lines + 1; *line; line++)
		if (**line && !take_line(host, vm, verdict, *line))
			return false;
	/* What did not pass has a reason, what passed was a device. */
	return *verdict &&
	       (strcmp(*verdict, MP_SELFTEST_VM_PASSED) ? vm->why : vm->device);
}

const struct mp_selftest_vm *mp_selftest_vm_parse(struct mp_host *host, const char *vmid,
	const char *source, const char *text, size_t size, int err)
{
	struct mp_selftest_vm *vm = mp_host_alloc(host, sizeof(*vm));
	const char *verdict = NULL;

	vm->vmid = mp_host_str(host, vmid);
	if (err < 0)
		vm->verdict = mp_fact_errno(host, source, err);
	else if (strlen(text) == size && take_text(host, vm, &verdict, text))
		vm->verdict = mp_fact_known(host, source, verdict);
	else
		vm->verdict = mp_fact_unknown(host, source, "not a note of this program");
	return vm;
}

static void add(GString *to, const char *key, const char *value)
{
	g_autofree char *clean =
		value ? mp_clean_text(value, MIN(strlen(value), WHY_MAX)) : NULL;

	if (clean)
		g_strstrip(g_strdelimit(clean, "\n\t", ' '));
	if (clean && *clean)
		g_string_append_printf(to, "%s %s\n", key, clean);
}

bool mp_selftest_vm_keep(struct mp_target *target, const char *vmid,
	const struct mp_selftest_vm_end *end, GError **error)
{
	g_autofree char *path = g_strdup_printf(MP_PATH_SELFTEST
		"/" MP_SELFTEST_VM_PREFIX "%s" MP_SELFTEST_VM_SUFFIX,
		vmid);
	g_autofree char *temp = g_strdup_printf(".selftest-vm.%d", (int)getpid());
	g_autoptr(GString) text = g_string_new(HEAD "\n");
	g_autofree char *kernel = NULL;

	/* Not known: the file says nothing of it. */
	if (mp_root_read(mp_target_root(target), "proc/sys/kernel/osrelease",
		    MP_READ_ATTR, &kernel, NULL) < 0)
		g_clear_pointer(&kernel, g_free);
	add(text, "verdict", end->verdict);
	add(text, "kernel", kernel);
	add(text, "device", end->device);
	if (strcmp(end->verdict, MP_SELFTEST_VM_PASSED) != 0)
		add(text, "why", end->why);
	const struct mp_file_want want = {
		.data = text->str, .size = text->len, .mode = 0600
	};

	return mp_target_make_private_dir(target, MP_PATH_JOURNAL, error) &&
	       mp_target_make_private_dir(target, MP_PATH_SELFTEST, error) &&
	       mp_target_write(target, path, temp, &want, error);
}

/* --- what it means now --- */

static char *judge_none(const struct mp_host *host, const struct mp_config *config,
	enum mp_severity *severity)
{
	if (!host->selftests || host->selftests->store.know == MP_UNKNOWN) {
		*severity = MP_UNSURE;
		return g_strdup("what its last self-test in the guest found could not be "
				"read");
	}
	if (g_strcmp0(config->guest_selftest, "run") != 0) {
		*severity = MP_SKIP;
		return g_strdup("no self-test was run in the guest yet");
	}
	*severity = MP_INFO;
	return g_strdup(
		"guest_selftest is 'run', but no self-test in the guest has come to "
		"its end yet");
}

static char *judge_passed(const struct mp_host *host, const struct mp_selftest_vm *last,
	enum mp_severity *severity)
{
	const struct mp_fact *kernel =
		host->platform ? &host->platform->kernel_release : NULL;

	if (!last->kernel || !kernel || kernel->know != MP_KNOWN) {
		*severity = MP_UNSURE;
		return g_strdup("its last self-test in the guest passed, but whether on "
				"this kernel of the host is not known");
	}
	if (strcmp(last->kernel, kernel->text) != 0) {
		*severity = MP_INFO;
		return g_strdup_printf("its last self-test in the guest passed on host "
				       "kernel %s, and this is %s",
			last->kernel, kernel->text);
	}
	*severity = MP_PASS;
	return g_strdup("its last self-test in the guest passed on this host kernel");
}

char *mp_selftest_vm_judge(const struct mp_host *host, const struct mp_config *config,
	const char *vmid, enum mp_severity *severity)
{
	const struct mp_selftest_vm *last = mp_selftest_vm(host, vmid);

	if (!last)
		return judge_none(host, config, severity);
	if (mp_fact_is(&last->verdict, MP_SELFTEST_VM_PASSED))
		return judge_passed(host, last, severity);
	if (mp_fact_is(&last->verdict, MP_SELFTEST_VM_FAILED)) {
		*severity = MP_FAIL;
		return g_strdup_printf(
			"its last self-test in the guest failed: %s", last->why);
	}
	*severity = MP_UNSURE;
	if (mp_fact_is(&last->verdict, MP_SELFTEST_VM_NOT_RUN))
		return g_strdup_printf(
			"its last self-test in the guest came to no result: %s",
			last->why);
	return g_strdup("what its last self-test in the guest found could not be read");
}
