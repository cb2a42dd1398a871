/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>

#include "vfio/selftest.h"
#include "vfio/series.h"

void mp_series_clear(struct mp_series *series)
{
	series->count = 0;
	series->state = 0;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Each of them is kept with the same probability (Vitter's algorithm R). */
void mp_series_add(struct mp_series *series, uint64_t value)
{
	uint64_t place = series->count++;

	if (!place || value < series->min)
		series->min = value;
	if (!place || value > series->max)
		series->max = value;
	if (place >= MP_SERIES_KEPT)
		place = next_random(&series->state) % series->count;
	if (place < MP_SERIES_KEPT)
		series->kept[place] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

struct mp_figures mp_series_figures(struct mp_series *series)
{
	size_t kept = (size_t)MIN(series->count, MP_SERIES_KEPT);
	struct mp_figures figures = { 0 };

	if (!kept)
		return figures;
	qsort(series->kept, kept, sizeof(series->kept[0]), compare);
	figures.count = (unsigned)MIN(series->count, G_MAXUINT);
	figures.min = series->min;
	figures.median = series->kept[kept / 2];
	figures.max = series->max;
	return figures;
}
