/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * klog.h - the live kernel log from one moment on: a cursor in /dev/kmsg. For what is read
 * once as a whole, see mp_root_klog().
 */
#ifndef MP_KLOG_H
#define MP_KLOG_H

#include <glib.h>
#include <stdbool.h>

struct mp_klog;

/* A cursor at the end of the log. The caller closes. */
struct mp_klog *mp_klog_open(GError **error);
void mp_klog_close(struct mp_klog *klog);

/* Whether LINE (without its end) is what is waited for. */
typedef bool (*mp_klog_match)(void *user, const char *line, size_t length);

/*
 * Appends to TEXT the lines that came since the last call, until one fits MATCH or the time
 * is over; whatever is there already is read in any case, and after a match all that came
 * with it. MATCH NULL: all of the time.
 * *LOST is set, never cleared: lines were overwritten before they could be read, so that
 * nothing follows from a line that is not there. False and an error: cannot be read.
 */
bool mp_klog_read(struct mp_klog *klog, unsigned milliseconds, mp_klog_match match,
	void *user, GString *text, bool *lost, GError **error);

#endif
