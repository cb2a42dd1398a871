/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host of the self-test's world, and runs in it. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "core/finding.h"
#include "core/iommu.h"
#include "core/pci.h"
#include "core/platform.h"
#include "selftest-world-private.h"

struct world world;
static char *sysfs;

static struct mp_host *make_host(void)
{
	struct mp_host *host = mp_host_new("/", true);
	struct mp_iommu_unit *unit = mp_host_alloc(host, sizeof(*unit));

	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	host->platform->kernel_release =
		world.kernel ? mp_fact_known(host, "uname", world.kernel)
			     : mp_fact_unknown(host, "uname", "no idea");
	if (world.guest)
		host->platform->hypervisor = mp_fact_known(host, "cpuinfo", "yes");
	host->iommu = mp_host_alloc(host, sizeof(*host->iommu));
	host->iommu->units = mp_host_array(host);
	unit->name = world.amd ? "ivhd0" : "dmar0";
	unit->kind = world.amd ? MP_IOMMU_AMD : MP_IOMMU_INTEL;
	unit->cap = mp_fact_known(host, "cap", "8d2078c106f0466");
	g_ptr_array_add(host->iommu->units, unit);
	return host;
}

/* Configuration space with MSI on, behind another capability. */
static void write_config(void)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);
	const uint32_t address = world.plain || world.amd ? 0xfee00000u : MESSAGE;
	char config[256] = { 0 };

	config[0x34] = 0x40;
	config[0x40] = 0x01; /* power management */
	config[0x41] = 0x50;
	config[0x50] = 0x05;
	config[0x52] = (char)0x81;
	memcpy(config + 0x54, &address, sizeof(address));
	assert_true(g_file_set_contents(path, config, sizeof(config), NULL));
}

GPtrArray *world_run(const char *glob, unsigned rounds, bool isolation, GError **error)
{
	const struct mp_selftest_options options = {
		.cases = glob,
		.rounds = rounds,
		.bytes = 3 * PAGE + 5,
		.isolation = isolation,
	};
	const struct mp_pci device = {
		.bdf = "0000:01:00.0", .dir = sysfs + 1, .bus = 1
	};
	GPtrArray *results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	g_autoptr(mp_host) host = make_host();
	const char *way = NULL;

	write_config();
	world.reads = world.quiesced = world.quieted = world.closed = 0;
	world.dead = false;
	if (!world.bits)
		world.bits = 64;
	memset(world.mappings, 0, sizeof(world.mappings));
	world.log = g_string_new(NULL);
	if (!mp_selftest_run(host, &device, &world_engine, &options, NULL, NULL, results,
		    &way, error))
		assert_true(error && *error);
	assert_string_equal(way, "group");
	g_string_free(world.log, TRUE);
	/* On every way out. */
	assert_int_equal(world.quiesced, 1);
	assert_int_equal(world.quieted, 1);
	assert_int_equal(world.closed, 1);
	assert_int_equal(world.enabled, 0);
	world_close_triggers();
	assert_false(world.master);
	/* The scratch goes with the container. */
	assert_int_equal(world_live_mappings(), 1);
	return results;
}

const struct mp_case_result *world_only(GPtrArray *results)
{
	assert_int_equal(results->len, 1);
	return results->pdata[0];
}

/* Names of the cases that failed, each with a blank behind. */
static char *failures(enum lie lie, const char *glob)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autoptr(GPtrArray) results = NULL;

	world.lie = lie;
	results = world_run(glob, 1, true, NULL);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_non_null(result->summary);
		if (result->verdict == MP_CASE_FAIL)
			g_string_append_printf(names, "%s ", result->name);
	}
	world.lie = HONEST;
	return g_string_free(g_steal_pointer(&names), FALSE);
}

void world_assert_fails(enum lie lie, const char *glob, const char *expected)
{
	g_autofree char *names = failures(lie, glob);

	assert_string_equal(names, expected);
}

void world_assert_says(
	enum lie lie, const char *glob, enum mp_case_verdict verdict, const char *part)
{
	g_autoptr(GPtrArray) results = NULL;
	const struct mp_case_result *result;

	world.lie = lie;
	results = world_run(glob, 1, true, NULL);
	world.lie = HONEST;
	result = world_only(results);
	if (result->verdict != verdict || !strstr(result->summary, part))
		fail_msg("%d: '%s' lacks '%s'", (int)result->verdict, result->summary,
			part);
}

int world_reset(void **state G_GNUC_UNUSED)
{
	memset(&world, 0, sizeof(world));
	world.kernel = "6.8.12-1-pve";
	return 0;
}

int world_set_up(void **state)
{
	sysfs = g_dir_make_tmp("metis-selftest-XXXXXX", NULL);
	return sysfs ? world_reset(state) : -1;
}

int world_tear_down(void **state G_GNUC_UNUSED)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);

	unlink(path);
	rmdir(sysfs);
	g_free(sysfs);
	return 0;
}
