/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/platform.h"

/* The number at *P, which moves behind its digits; what does not fit counts as huge. */
static uint64_t take_number(const char **p)
{
	uint64_t value = 0;

	for (; g_ascii_isdigit(**p); (*p)++) {
		unsigned digit = (unsigned)(**p - '0');

		value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX
							  : value * 10 + digit;
	}
	return value;
}

int mp_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		if (g_ascii_isdigit(*a) || g_ascii_isdigit(*b)) {
			uint64_t x = take_number(&a), y = take_number(&b);

			if (x != y)
				return x < y ? -1 : 1;
			continue;
		}
		/* dpkg's rule: "~" sorts before everything, even the end: 9.0~rc1 < 9.0.
		 */
		if (*a != *b && (*a == '~' || *b == '~'))
			return *a == '~' ? -1 : 1;
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return 0;
}

/* Packages whose version some check or message needs. */
static const char *const wanted[] = { "libvirt-daemon", "proxmox-ve", "pve-edk2-firmware",
	"pve-manager", "pve-qemu-kvm", "qemu-server", "qemu-system-x86" };

struct stanza {
	const char *package, *version;
	size_t package_length, version_length;
	bool installed;
};

static void take_field(struct stanza *stanza, const char *line, size_t length)
{
	if (length > 9 && !strncmp(line, "Package: ", 9)) {
		stanza->package = line + 9;
		stanza->package_length = length - 9;
	} else if (length > 9 && !strncmp(line, "Version: ", 9)) {
		stanza->version = line + 9;
		stanza->version_length = length - 9;
	} else if (length > 18 && !strncmp(line, "Status: ", 8)) {
		/* "Status: install ok installed": the third word is the state. */
		stanza->installed = !strncmp(line + length - 10, " installed", 10);
	}
}

static void end_stanza(struct stanza *stanza, GString *out)
{
	for (size_t i = 0;
		stanza->installed && stanza->version && i < G_N_ELEMENTS(wanted); i++) {
		if (strlen(wanted[i]) != stanza->package_length)
			continue;
		if (strncmp(wanted[i], stanza->package, stanza->package_length) != 0)
			continue;
		g_string_append_printf(out, "%s %.*s\n", wanted[i],
			(int)MIN(stanza->version_length, 128), stanza->version);
	}
	*stanza = (struct stanza){ .package = NULL };
}

char *mp_packages_from_status(const char *status, size_t size)
{
	const char *p = status, *end = status + size;
	GString *out = g_string_new(NULL);
	struct stanza stanza = { .package = NULL };

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((newline ? newline : end) - p);

		if (!length)
			end_stanza(&stanza, out);
		else
			take_field(&stanza, p, length);
		p = newline ? newline + 1 : end;
	}
	end_stanza(&stanza, out);
	return g_string_free(out, FALSE);
}
