// SPDX-License-Identifier: GPL-2.0-or-later
/* Words and numbers, for where there is no libc. */

#include "vendor.h"

bool vendor_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const char *vendor_after(const char *word, const char *prefix)
{
	while (*prefix && *word == *prefix)
		word++, prefix++;
	return *prefix ? NULL : word;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

bool vendor_number(const char **text, char stop, uint64_t *value)
{
	const char *at = *text;
	const char *hex = vendor_after(at, "0x");
	int base = hex ? 16 : 10;

	if (hex)
		at = hex;
	*value = 0;
	if (digit(*at) >= base)
		return false;
	for (; digit(*at) < base; at++) {
		if (*value >> 59)
			return false;
		*value = *value * (unsigned)base + (unsigned)digit(*at);
	}
	if (*at && *at != stop)
		return false;
	*text = *at ? at + 1 : at;
	return true;
}

void vendor_say_number(const struct vendor_io *io, const char *what, uint64_t value)
{
	char buffer[2 + 16 + 1];
	char *at = buffer + sizeof buffer;

	*--at = '\0';
	do {
		*--at = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	*--at = 'x';
	*--at = '0';
	io->say(io->user, what, at);
}
