/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grub-default.h - what /etc/default/grub and its drop-ins say, without running a shell.
 *
 * grub-mkconfig sources these files; they are shell. Read here: assignments of literals,
 * quotes and plain $VAR. A variable that anything else may have touched (command
 * substitution, a condition, another command that names it, a sourced file) is unknown, and
 * the reason says where.
 */
#ifndef MP_GRUB_DEFAULT_H
#define MP_GRUB_DEFAULT_H

#include <glib.h>

struct mp_grub_default;

struct mp_grub_default *mp_grub_default_new(void);
void mp_grub_default_free(struct mp_grub_default *grub);
typedef struct mp_grub_default mp_grub_default;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_grub_default, mp_grub_default_free)

/* Evaluates one file after those before it. NAME is for reasons. TEXT ends with a NUL. */
void mp_grub_default_source(
	struct mp_grub_default *grub, const char *name, const char *text);
/* The value of VARIABLE ("" when never set); NULL: unknown, and *why says so (owned by
 * GRUB). */
const char *mp_grub_default_get(
	struct mp_grub_default *grub, const char *variable, const char **why);

#endif
