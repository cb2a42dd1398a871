/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An initramfs image: the pieces in which it comes must not matter. */
#include "config.h"

#include <glib.h>
#include <string.h>

#include "core/cpio.h"
#include "fuzz.h"

struct seen {
	uint64_t members, bytes, left;
};

static bool on_member(void *user, const char *name, uint32_t mode, uint64_t size)
{
	struct seen *seen = user;

	seen->members = seen->members * 31 + strlen(name) + mode;
	seen->left = size;
	return size % 2 == 0;
}

static void on_data(void *user, const char *data G_GNUC_UNUSED, size_t size)
{
	struct seen *seen = user;

	g_assert(size <= seen->left);
	seen->left -= size;
	seen->bytes += size;
}

static struct seen read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
	static const struct mp_cpio_ops ops = { on_member, on_data };
	struct seen seen = { 0, 0, 0 };
	struct mp_cpio *cpio = mp_cpio_new(&ops, &seen);

	for (size_t at = 0; at < size; at += piece) {
		size_t used, n = MIN(piece, size - at);

		if (mp_cpio_feed(cpio, (const char *)data + at, n, &used) !=
			MP_CPIO_MORE) {
			g_assert(used <= n);
			break;
		}
		g_assert(used == n);
	}
	seen.members = seen.members * 2 + mp_cpio_complete(cpio);
	mp_cpio_free(cpio);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = read_in_pieces(data, size, size + 1);
	struct seen bytes = read_in_pieces(data, size, 1);
	struct seen odd = read_in_pieces(data, size, 113);

	g_assert(whole.members == bytes.members && whole.bytes == bytes.bytes);
	g_assert(whole.members == odd.members && whole.bytes == odd.bytes);
	return 0;
}

MP_FUZZ_MAIN
