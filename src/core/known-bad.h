/* SPDX-License-Identifier: GPL-2.0-or-later */
/* known-bad.h - do the combinations that a profile warns of apply to these versions? */
#ifndef MP_KNOWN_BAD_H
#define MP_KNOWN_BAD_H

#include "core/profile.h"

/* Each NULL where it is not known. */
struct mp_versions {
	const char *driver, *firmware, *sdk, *kernel;
};

enum mp_applies {
	MP_APPLIES_NO,
	MP_APPLIES_YES,
	MP_APPLIES_MAYBE, /* what is known does not exclude it */
};

enum mp_applies mp_known_bad_applies(
	const struct mp_known_bad *known_bad, const struct mp_versions *versions);

#endif
