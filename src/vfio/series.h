/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * series.h - the distribution of a measured value, in memory that does not grow with the
 * number of measurements: the least and the greatest are exact, the median that of a sample.
 */
#ifndef MP_SERIES_H
#define MP_SERIES_H

#include <glib.h>
#include <stdint.h>

#define MP_SERIES_KEPT 4096u

struct mp_figures;

struct mp_series {
	uint64_t count, min, max;
	uint64_t state; /* of the choice */
	uint64_t kept[MP_SERIES_KEPT];
};

void mp_series_clear(struct mp_series *series);
void mp_series_add(struct mp_series *series, uint64_t value);
/* Orders what is kept; nothing may be added before the next clear. */
struct mp_figures mp_series_figures(struct mp_series *series);

#endif
