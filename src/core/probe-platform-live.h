/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe-platform-live.h - long files of the live host, cut down to what matters before
 * anybody records them: /proc/cpuinfo repeats itself for each processor, dpkg's status
 * has some megabytes. Elsewhere the cut is read, or the whole file where there is no cut.
 */
#ifndef MP_PROBE_PLATFORM_LIVE_H
#define MP_PROBE_PLATFORM_LIVE_H

#include "core/root.h"

/* The first processor of /proc/cpuinfo. 0 or a negative errno; free *data. */
int mp_platform_read_cpuinfo(struct mp_root *root, char **data, size_t *size);
/* mp_packages_from_status() of dpkg's status file. 0 or a negative errno; free *data. */
int mp_platform_read_packages(struct mp_root *root, char **data, size_t *size);

#endif
