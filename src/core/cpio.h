/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpio.h - reads a stream of "newc" cpio archives as Linux unpacks an initramfs: one after
 * the other, with zeros between them, until something else follows.
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c.
 *
 * Bounded: one member's name is kept, contents are handed on piece by piece.
 */
#ifndef MP_CPIO_H
#define MP_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mp_cpio;

struct mp_cpio_ops {
	/* A member begins. NAME has no leading "/" or "./". MODE is the stat mode. True: its
	 * contents are wanted. */
	bool (*member)(void *user, const char *name, uint32_t mode, uint64_t size);
	/* The next piece of the wanted member. */
	void (*data)(void *user, const char *data, size_t size);
};

enum mp_cpio_state {
	MP_CPIO_MORE,    /* give more */
	MP_CPIO_FOREIGN, /* no cpio archive begins at the byte *used */
	MP_CPIO_BAD,     /* the archive makes no sense */
};

struct mp_cpio *mp_cpio_new(const struct mp_cpio_ops *ops, void *user);
void mp_cpio_free(struct mp_cpio *cpio);
/* Takes SIZE bytes; *used tells how many of them were archives. */
enum mp_cpio_state mp_cpio_feed(
	struct mp_cpio *cpio, const char *data, size_t size, size_t *used);
/* True at a place where the stream may end: after at least one whole archive. */
bool mp_cpio_complete(const struct mp_cpio *cpio);

#endif
