/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/error.h"
#include "vfio/memory.h"

struct mp_buffer *mp_buffer_new(size_t size, size_t page, GError **error)
{
	size_t whole = (size + page - 1) / page * page;
	struct mp_buffer *buffer;
	void *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED) {
		mp_error_set_errno(error, -errno, "memory for the device", "get");
		return NULL;
	}
	if (mlock(memory, whole) < 0)
		errno = 0; /* VFIO says so itself where it cannot pin */
	buffer = g_new(struct mp_buffer, 1);
	buffer->memory = memory;
	buffer->size = whole;
	mp_buffer_guard(buffer);
	return buffer;
}

void mp_buffer_free(struct mp_buffer *buffer)
{
	if (!buffer)
		return;
	munmap(buffer->memory, buffer->size);
	g_free(buffer);
}

const char *mp_pattern_name(enum mp_pattern pattern)
{
	static const char *const names[] = {
		[MP_PATTERN_ZEROS] = "all zeros",
		[MP_PATTERN_ONES] = "all ones",
		[MP_PATTERN_WALKING] = "walking bit",
		[MP_PATTERN_RANDOM] = "random",
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == MP_PATTERNS);
	return names[pattern];
}

/* splitmix64: every seed gives another sequence, also 0. */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fill_random(uint8_t *bytes, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t value = next_random(&seed);

		memcpy(bytes + i, &value, MIN(sizeof(value), size - i));
	}
}

void mp_pattern_fill(void *memory, size_t size, enum mp_pattern pattern, uint64_t seed)
{
	uint8_t *bytes = memory;

	if (pattern == MP_PATTERN_RANDOM)
		fill_random(bytes, size, seed);
	else if (pattern == MP_PATTERN_WALKING)
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(1u << (i % 8));
	else
		memset(bytes, pattern == MP_PATTERN_ONES ? 0xff : 0, size);
}

static uint8_t guard_at(size_t i)
{
	return (uint8_t)(0xa5 ^ i ^ (i >> 8));
}

void mp_buffer_guard(struct mp_buffer *buffer)
{
	for (size_t i = 0; i < buffer->size; i++)
		buffer->memory[i] = guard_at(i);
}

bool mp_buffer_guarded(
	const struct mp_buffer *buffer, size_t from, size_t to, size_t *where)
{
	/* The device writes behind the compiler's back. */
	const volatile uint8_t *bytes = buffer->memory;

	for (size_t i = from; i < to; i++) {
		if (bytes[i] == guard_at(i))
			continue;
		*where = i;
		return false;
	}
	return true;
}

bool mp_memory_same(const void *a, const void *b, size_t size, size_t *where)
{
	const volatile uint8_t *left = a;
	const volatile uint8_t *right = b;

	for (size_t i = 0; i < size; i++) {
		if (left[i] == right[i])
			continue;
		*where = i;
		return false;
	}
	return true;
}
