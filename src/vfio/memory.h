/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - page-aligned memory that a device is given, and what it must have become. All
 * of a new buffer, and each margin, holds the guard pattern, which depends on the place: a
 * byte that moved is seen as well as one that changed.
 */
#ifndef MP_MEMORY_VFIO_H
#define MP_MEMORY_VFIO_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mp_buffer {
	uint8_t *memory;
	size_t size; /* whole pages */
};

enum mp_pattern {
	MP_PATTERN_ZEROS,
	MP_PATTERN_ONES,
	MP_PATTERN_WALKING, /* one bit, that goes on by one each byte */
	MP_PATTERN_RANDOM,
	MP_PATTERNS
};

/* SIZE is made whole pages of PAGE. Not swapped: locked as far as the limit goes; VFIO pins
 * what it maps in any case. */
struct mp_buffer *mp_buffer_new(size_t size, size_t page, GError **error);
void mp_buffer_free(struct mp_buffer *buffer);
typedef struct mp_buffer mp_buffer;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_buffer, mp_buffer_free)

const char *mp_pattern_name(enum mp_pattern pattern);
/* SEED: another one, other random data. */
void mp_pattern_fill(void *memory, size_t size, enum mp_pattern pattern, uint64_t seed);

void mp_buffer_guard(struct mp_buffer *buffer);
/* True if [from, to) still holds the guard; else *where is the first byte that does not. */
bool mp_buffer_guarded(
	const struct mp_buffer *buffer, size_t from, size_t to, size_t *where);
/* True if the two hold the same; else *where is the first that differs. */
bool mp_memory_same(const void *a, const void *b, size_t size, size_t *where);

#endif
