/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hang.h - which reads the kernel would never answer. */
#ifndef MP_HANG_H
#define MP_HANG_H

#include <glib.h>

/*
 * Calls LOOK for each of NAMES in a child process, and gives those that take longer than
 * MILLISECONDS: a set of names (owned by NAMES). After a few of them the rest counts as
 * hanging too. The child may be beyond any signal then; it holds no file of ours, and
 * nobody waits for it. The caller frees with g_hash_table_unref().
 */
typedef void (*mp_hang_look)(void *user, const char *name);
GHashTable *mp_hang_find(
	const char *const *names, mp_hang_look look, void *user, int milliseconds);

#endif
