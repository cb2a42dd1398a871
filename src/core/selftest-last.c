/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a self-test of some day says about the device of today. */
#include "config.h"

#include <string.h>

#include "core/dmatest.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/platform.h"
#include "core/selftest-last.h"

const struct mp_selftest_last *mp_selftest_last(
	const struct mp_host *host, const char *address)
{
	for (guint i = 0; host->selftests && i < host->selftests->last->len; i++) {
		const struct mp_selftest_last *last = host->selftests->last->pdata[i];

		if (!strcmp(last->address, address))
			return last;
	}
	return NULL;
}

bool mp_selftest_by_module(const struct mp_selftest_last *last)
{
	return g_strcmp0(last->way, "module") == 0;
}

static bool is_known(const struct mp_fact *fact)
{
	return fact->know == MP_KNOWN;
}

/* Of one that passed. */
static enum mp_selftest_state judge_passed(
	const struct mp_platform *platform, const struct mp_selftest_last *last)
{
	const struct mp_fact *kernel = &platform->kernel_release;
	const struct mp_fact *bios = &platform->bios_version;

	if (!last->kernel || !is_known(kernel))
		return MP_SELFTEST_KERNEL_UNKNOWN;
	if (strcmp(last->kernel, kernel->text) != 0)
		return MP_SELFTEST_OTHER_KERNEL;
	if (last->bios && is_known(bios) && strcmp(last->bios, bios->text) != 0)
		return MP_SELFTEST_OTHER_BIOS;
	/* A host without DMI has none, then and now. */
	if ((last->bios != NULL) != is_known(bios) || bios->know == MP_UNKNOWN)
		return MP_SELFTEST_BIOS_UNKNOWN;
	return last->isolation ? MP_SELFTEST_PASSED : MP_SELFTEST_NO_ISOLATION;
}

enum mp_selftest_state mp_selftest_judge(
	const struct mp_host *host, const struct mp_pci *device, char **why)
{
	static const struct mp_platform nothing_known;
	const struct mp_selftests *selftests = host->selftests;
	const struct mp_selftest_last *last = mp_selftest_last(host, device->bdf);

	*why = NULL;
	if (!last && selftests && selftests->store.know != MP_UNKNOWN)
		return MP_SELFTEST_NONE;
	if (!last || last->verdict.know != MP_KNOWN)
		return MP_SELFTEST_UNREADABLE;
	if (mp_pin_check(host, last->pin, why) != MP_PIN_SAME)
		return MP_SELFTEST_OTHER_CARD;
	if (!mp_fact_is(&last->verdict, "passed"))
		return MP_SELFTEST_FAILED;
	return judge_passed(host->platform ? host->platform : &nothing_known, last);
}

static const char *text_or(const char *text)
{
	return text ? text : "unknown";
}

char *mp_selftest_complaint(const struct mp_host *host, const struct mp_pci *device,
	enum mp_selftest_state *state)
{
	const struct mp_selftest_last *last = mp_selftest_last(host, device->bdf);
	g_autofree char *why = NULL;

	*state = mp_selftest_judge(host, device, &why);
	switch (*state) {
	case MP_SELFTEST_NONE:
		return g_strdup("no self-test of it was ever run to its end");
	case MP_SELFTEST_UNREADABLE:
		return g_strdup("what its last self-test found could not be read");
	case MP_SELFTEST_OTHER_CARD:
		return g_strdup_printf(
			"the last self-test at its address may have been of "
			"another card: %s",
			why ? why : "it cannot be told");
	case MP_SELFTEST_FAILED:
		return g_strdup_printf("its last self-test failed: %s",
			last->failure ? last->failure : "see its report");
	case MP_SELFTEST_KERNEL_UNKNOWN:
		return g_strdup(
			"its last self-test passed, but whether on this kernel is "
			"not known");
	case MP_SELFTEST_OTHER_KERNEL:
		return g_strdup_printf(
			"its last self-test passed on kernel %s, and this is "
			"%s",
			last->kernel, host->platform->kernel_release.text);
	case MP_SELFTEST_OTHER_BIOS:
		return g_strdup_printf(
			"its last self-test passed with BIOS %s, and this is "
			"%s",
			last->bios, host->platform->bios_version.text);
	case MP_SELFTEST_BIOS_UNKNOWN:
		return g_strdup_printf("its last self-test passed, but whether with this "
				       "BIOS is not known (then: %s)",
			text_or(last->bios));
	case MP_SELFTEST_NO_ISOLATION:
		if (mp_selftest_by_module(last))
			return g_strdup(
				"its last self-test passed, but was by the kernel module " DMATEST_MODULE
				", which has no isolation cases");
		return g_strdup(
			"its last self-test passed, but left out the isolation cases");
	case MP_SELFTEST_PASSED:
		break;
	}
	return NULL;
}

bool mp_selftest_required(const struct mp_config *config)
{
	return g_strcmp0(config->selftest_last, "require") == 0;
}

bool mp_selftest_counts(const struct mp_config *config, enum mp_selftest_state state)
{
	if (g_strcmp0(config->selftest_last, "off") == 0)
		return false;
	return state != MP_SELFTEST_NONE || mp_selftest_required(config);
}
