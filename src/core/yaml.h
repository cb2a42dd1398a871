/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yaml.h - strict YAML into C structs, driven by tables (libyaml's event API).
 *
 * A table row names a key, its type and where the value goes. Whatever no row asks for is
 * an error, told as "FILE:LINE:COLUMN: KEY: why": unknown and repeated keys, wrong types,
 * numbers out of range, control characters, anchors, aliases, tags, a second document, and
 * more than MP_YAML_MAX bytes. Nothing is guessed: only `true` and `false` are booleans.
 */
#ifndef MP_YAML_H
#define MP_YAML_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MP_YAML_MAX      (64u * 1024) /* bytes in one file */
#define MP_YAML_ITEMS    256u         /* entries in one list */
#define MP_YAML_TEXT_MAX 4096u        /* bytes in one text */

enum mp_yaml_kind {
	MP_YAML_TEXT,  /* char *; one of `words` where there are some */
	MP_YAML_BOOL,  /* bool */
	MP_YAML_UINT,  /* unsigned, from `min` to `max` */
	MP_YAML_WORD,  /* unsigned: the index in `words` */
	MP_YAML_TAKE,  /* a text given to `take` */
	MP_YAML_TEXTS, /* GPtrArray * of char *, without repetition; `words` as above */
	MP_YAML_TAKES, /* a list of texts, each given to `take` */
	MP_YAML_MAP,   /* a mapping by `shape`, into the same object */
	MP_YAML_MAPS,  /* GPtrArray * of new objects by `shape` */
};

struct mp_yaml_shape;

struct mp_yaml_field {
	const char *key;
	enum mp_yaml_kind kind;
	size_t offset; /* in the object that the shape describes */
	bool required;
	unsigned min, max;
	const char *const *words; /* ended by NULL */
	/* Stores TEXT in OBJECT, or sets *WHY (allocated) and returns false. */
	bool (*take)(void *object, size_t offset, const char *text, char **why);
	const struct mp_yaml_shape *shape;
};

struct mp_yaml_shape {
	const struct mp_yaml_field *fields; /* ended by a key of NULL; at most 32 */
	size_t size;                        /* of a new object (MP_YAML_MAPS) */
	GDestroyNotify free_object;         /* ends such an object */
};

/*
 * Fills OBJECT, which starts zeroed, but for arrays that the caller made before; arrays
 * still NULL are made here. On failure OBJECT holds what was read so far and the caller
 * ends it as usual. An empty file is an empty mapping. NAME is for messages.
 */
bool mp_yaml_read(const char *name, const char *data, size_t size,
	const struct mp_yaml_shape *shape, void *object, GError **error);

#endif
