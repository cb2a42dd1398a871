/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib.h>
#include <string.h>

#include "core/cpio.h"

#define HEADER_SIZE   110 /* six bytes of magic, thirteen fields of eight hex digits */
#define MAGIC_SIZE    6
#define NAME_MAX_SIZE 4096
#define TRAILER       "TRAILER!!!"

enum field { MODE = 1, FILE_SIZE = 6, NAME_SIZE = 11 };

enum part {
	BETWEEN, /* before an archive: zeros are padding */
	HEADER,
	NAME,
	CONTENT,
	PADDING, /* of the content, to four bytes */
};

struct mp_cpio {
	const struct mp_cpio_ops *ops;
	void *user;
	enum part part;
	unsigned archives; /* seen to their trailer */
	bool bad;

	char header[HEADER_SIZE];
	char name[NAME_MAX_SIZE + 4];
	size_t have, want; /* of the part that is collected or passed on */
	uint64_t size;     /* of the content */
	uint64_t left;     /* of content or padding */
	uint32_t mode;
	bool wanted;
};

struct mp_cpio *mp_cpio_new(const struct mp_cpio_ops *ops, void *user)
{
	struct mp_cpio *cpio = g_new0(struct mp_cpio, 1);

	cpio->ops = ops;
	cpio->user = user;
	return cpio;
}

void mp_cpio_free(struct mp_cpio *cpio)
{
	g_free(cpio);
}

bool mp_cpio_complete(const struct mp_cpio *cpio)
{
	return !cpio->bad && cpio->part == BETWEEN && cpio->archives > 0;
}

static bool field(const struct mp_cpio *cpio, enum field which, uint32_t *value)
{
	const char *digits = cpio->header + MAGIC_SIZE + 8 * which;

	*value = 0;
	for (int i = 0; i < 8; i++) {
		int digit = g_ascii_xdigit_value(digits[i]);

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return true;
}

static bool is_magic(const char *bytes)
{
	/* 070702 has checksums, which the kernel ignores too. */
	return !memcmp(bytes, "070701", MAGIC_SIZE) ||
	       !memcmp(bytes, "070702", MAGIC_SIZE);
}

static uint64_t pad4(uint64_t size)
{
	return (4 - size % 4) % 4;
}

static void begin(struct mp_cpio *cpio, enum part part, size_t want)
{
	cpio->part = part;
	cpio->have = 0;
	cpio->want = want;
}

static bool header_done(struct mp_cpio *cpio)
{
	uint32_t name_size, file_size;

	if (!is_magic(cpio->header) || !field(cpio, NAME_SIZE, &name_size) ||
		!field(cpio, FILE_SIZE, &file_size) || !field(cpio, MODE, &cpio->mode) ||
		name_size == 0 || name_size > NAME_MAX_SIZE)
		return false;
	cpio->size = file_size;
	begin(cpio, NAME, name_size + pad4(HEADER_SIZE + name_size));
	return true;
}

static bool name_done(struct mp_cpio *cpio)
{
	const char *name = cpio->name;

	if (!memchr(name, '\0', cpio->want))
		return false;
	if (!strcmp(name, TRAILER)) {
		cpio->archives++;
		begin(cpio, BETWEEN, 0);
		return true;
	}
	while (*name == '/' || (name[0] == '.' && name[1] == '/'))
		name++;
	cpio->wanted = cpio->ops->member(cpio->user, name, cpio->mode, cpio->size);
	cpio->left = cpio->size;
	begin(cpio, CONTENT, 0);
	return true;
}

/* Collects cpio->want bytes in BUFFER; true when they are all there. */
static bool collect(
	struct mp_cpio *cpio, char *buffer, const char **data, const char *end)
{
	size_t n = MIN(cpio->want - cpio->have, (size_t)(end - *data));

	memcpy(buffer + cpio->have, *data, n);
	cpio->have += n;
	*data += n;
	return cpio->have == cpio->want;
}

static void pass_on(struct mp_cpio *cpio, const char **data, const char *end)
{
	size_t n = (size_t)MIN(cpio->left, (uint64_t)(end - *data));

	if (n && cpio->part == CONTENT && cpio->wanted)
		cpio->ops->data(cpio->user, *data, n);
	*data += n;
	cpio->left -= n;
	if (cpio->left)
		return;
	if (cpio->part == CONTENT) {
		cpio->left = pad4(cpio->size);
		cpio->part = PADDING;
	}
	if (!cpio->left)
		begin(cpio, HEADER, HEADER_SIZE);
}

static enum mp_cpio_state fail(struct mp_cpio *cpio)
{
	cpio->bad = true;
	return MP_CPIO_BAD;
}

enum mp_cpio_state mp_cpio_feed(
	struct mp_cpio *cpio, const char *data, size_t size, size_t *used)
{
	const char *pos = data, *end = data + size;

	*used = 0;
	if (cpio->bad)
		return MP_CPIO_BAD;
	while (pos < end) {
		switch (cpio->part) {
		case BETWEEN:
			if (*pos == '\0') {
				pos++;
				break;
			}
			if (*pos != '0') {
				*used = (size_t)(pos - data);
				return MP_CPIO_FOREIGN;
			}
			begin(cpio, HEADER, HEADER_SIZE);
			break;
		case HEADER:
			if (collect(cpio, cpio->header, &pos, end) && !header_done(cpio))
				return fail(cpio);
			break;
		case NAME:
			if (!collect(cpio, cpio->name, &pos, end))
				break;
			if (!name_done(cpio))
				return fail(cpio);
			if (cpio->part == CONTENT && !cpio->left)
				pass_on(cpio, &pos, pos);
			break;
		case CONTENT:
		case PADDING:
			pass_on(cpio, &pos, end);
			break;
		}
	}
	*used = size;
	return MP_CPIO_MORE;
}
