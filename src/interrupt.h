/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.h - Ctrl-C, a closed terminal and a shutdown are wishes while a host is being
 * changed: what was begun is undone in order, never dropped where it stands.
 */
#ifndef MP_INTERRUPT_H
#define MP_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP only leave a note, however often they come, and
 * end a read that waits; a reader of our output that went away no longer ends us either. */
void mp_interrupts_catch(void);
/* Whether one of them came. */
bool mp_interrupted(void);

#endif
