/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group-scene.h - a check that is asked about hosts built by hand. */
#ifndef MP_GROUP_SCENE_H
#define MP_GROUP_SCENE_H

#include <string.h>

#include "unit.h"

#include "core/check.h"
#include "core/platform.h"
#include "core/profile.h"
#include "core/settings.h"
#include "pci-build.h"
#include "sysroot.h"

/* --- running one check --- */

struct judge {
	struct mp_host *host;
	struct mp_profile profile;
	struct mp_config config;
	GPtrArray *wanted, *missing, *findings;
};

static inline void judge_init(struct judge *j)
{
	*j = (struct judge){ .host = mp_host_new("test", false) };
	j->profile.name = (char *)"generic";
	j->config.source = (char *)"config.yaml";
	j->config.cards = g_ptr_array_new();
	j->config.waivers = g_ptr_array_new();
	j->wanted = g_ptr_array_new();
	j->findings = g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
}

static inline void judge_clear(struct judge *j)
{
	g_ptr_array_unref(j->config.cards);
	g_ptr_array_unref(j->config.waivers);
	g_ptr_array_unref(j->wanted);
	g_ptr_array_unref(j->findings);
	mp_host_free(j->host);
}

static inline struct mp_pci *wanted(struct judge *j, const char *bdf)
{
	struct mp_pci *device = model_device(j->host, bdf);

	g_ptr_array_add(j->wanted, device);
	return device;
}

static inline const struct mp_finding *say(struct judge *j, const char *id)
{
	struct mp_check_ctx ctx = {
		.host = j->host,
		.profile = &j->profile,
		.config = &j->config,
		.wanted = j->wanted,
		.missing = j->missing,
		.findings = j->findings,
	};

	g_ptr_array_set_size(j->findings, 0);
	mp_checks_run(&ctx, id);
	assert_int_equal(j->findings->len, 1);
	return j->findings->pdata[0];
}

static inline void expect_at(struct judge *j, const char *id, enum mp_severity severity,
	const char *part, int line)
{
	const struct mp_finding *f = say(j, id);

	if (f->severity != severity || !strstr(f->summary, part))
		fail_msg("line %d: %s is %s, \"%s\"; expected %s, \"%s\"", line, id,
			mp_severity_name(f->severity), f->summary,
			mp_severity_name(severity), part);
	if (severity >= MP_UNSURE && !f->remedy)
		fail_msg("line %d: %s has no remedy", line, id);
}
#define expect(j, id, severity, part) expect_at(j, id, severity, part, __LINE__)

#endif
