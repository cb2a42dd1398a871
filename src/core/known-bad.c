/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/known-bad.h"
#include "core/platform.h"

static bool compares(int difference, const char *op)
{
	if (*op == '=')
		return difference == 0;
	if (op[1] == '=' && difference == 0)
		return true;
	return *op == '<' ? difference < 0 : difference > 0;
}

/* "driver<1.5.6": the parser of profiles let nothing else through. */
static enum mp_applies holds(const char *condition, const struct mp_versions *versions)
{
	const struct {
		const char *name, *version;
	} subjects[] = {
		{ "driver", versions->driver },
		{ "firmware", versions->firmware },
		{ "sdk", versions->sdk },
		{ "kernel", versions->kernel },
	};
	const char *op = condition + strcspn(condition, "<=>");
	const char *limit = op + strspn(op, "<=>");

	for (size_t i = 0; i < G_N_ELEMENTS(subjects); i++) {
		if (strncmp(condition, subjects[i].name, (size_t)(op - condition)) != 0 ||
			subjects[i].name[op - condition])
			continue;
		if (!subjects[i].version)
			return MP_APPLIES_MAYBE;
		return compares(mp_version_compare(subjects[i].version, limit), op)
			       ? MP_APPLIES_YES
			       : MP_APPLIES_NO;
	}
	return MP_APPLIES_MAYBE;
}

enum mp_applies mp_known_bad_applies(
	const struct mp_known_bad *known_bad, const struct mp_versions *versions)
{
	g_auto(GStrv) conditions = g_strsplit(known_bad->what, " ", 0);
	enum mp_applies all = MP_APPLIES_YES;

	for (char **condition = conditions; *condition; condition++) {
		enum mp_applies one = holds(*condition, versions);

		if (one == MP_APPLIES_NO)
			return MP_APPLIES_NO;
		if (one == MP_APPLIES_MAYBE)
			all = MP_APPLIES_MAYBE;
	}
	return all;
}
