/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * early-bind - gives cards to vfio-pci by their address, before any driver is loaded.
 *
 *   early-bind [--root DIR] [ADDRESS]
 *
 * Runs in the initramfs before udev starts, and from a udev rule for a card that is plugged
 * in later. Each line of the table names one card: address, vendor:device, subsystem or "-",
 * serial number or "-". Only when everything that the line names is so, "vfio-pci" is
 * written to the device's driver_override; then no other driver can take it
 * (pci_match_device() in drivers/pci/pci-driver.c of Linux). A device that has another
 * driver is left to it.
 *
 * Libc only, nothing is allocated, every read is bounded: it must work where nothing else
 * does yet. Says what it did and did not do to the kernel's log.
 *
 * Exit status: 0: the table's cards (or the one named) are given to vfio-pci, or there is
 * nothing to do; 1: a card was left alone, or a line not understood; 2: usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE    "etc/metis-passthrough/early-bind.conf"
#define DEVICES  "sys/bus/pci/devices"
#define DRIVER   "vfio-pci"
/* A kernel parameter for whoever cannot boot otherwise. */
#define OFF_WORD "metis_passthrough=off"

#define TABLE_MAX   (64 * 1024)
#define CONFIG_SIZE 4096
#define EXT_CAPS    0x100 /* PCI Express base specification 7.6 */
#define EXT_CAP_DSN 0x0003

struct card {
	char address[20];
	uint32_t vendor, device;
	bool has_subsystem, has_serial;
	uint32_t subvendor, subdevice;
	uint64_t serial;
};

static int root_fd = AT_FDCWD;

/* --- saying --- */

/* LEVEL: 6 information, 4 warning, 3 error, as in the kernel's log. */
__attribute__((format(printf, 2, 3))) static void say(int level, const char *format, ...)
{
	char line[512];
	int head = snprintf(line, sizeof(line), "<%d>metis-passthrough: ", level);
	int fd = openat(root_fd, "dev/kmsg", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	size_t length;
	va_list args;

	va_start(args, format);
	vsnprintf(line + head, sizeof(line) - (size_t)head - 2, format, args);
	va_end(args);
	length = strlen(line);
	line[length++] = '\n';
	line[length] = '\0';
	/* One write is one message. Where there is no log, the console must do. */
	if (fd < 0 || write(fd, line, length) != (ssize_t)length)
		fputs(line + 3, stderr);
	if (fd >= 0)
		close(fd);
}

/* --- reading --- */

/* At most SIZE bytes of a regular file, by one read, as sysfs wants it; or -1. */
static ssize_t read_bytes(int dir, const char *name, void *buffer, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, buffer, size);
	close(fd);
	return n;
}

/* A short text without its newline, or NULL: not there, too long, or binary. */
static const char *read_text(int dir, const char *name, char *buffer, size_t size)
{
	ssize_t n = read_bytes(dir, name, buffer, size);

	if (n < 0 || (size_t)n == size || memchr(buffer, '\0', (size_t)n))
		return NULL;
	buffer[n] = '\0';
	if (n && buffer[n - 1] == '\n')
		buffer[n - 1] = '\0';
	return buffer;
}

/* MIN to MAX lower-case hex digits at *POS. */
static bool take_hex(const char **pos, int min, int max, uint64_t *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	int count = 0;

	for (*value = 0; count < max && **pos && (digit = strchr(digits, **pos));
		count++, (*pos)++)
		*value = *value << 4 | (uint64_t)(digit - digits);
	return count >= min;
}

static bool take_char(const char **pos, char c)
{
	if (**pos != c)
		return false;
	(*pos)++;
	return true;
}

/* An attribute like "0x1f9d". */
static bool read_id(int dir, const char *name, uint32_t *id)
{
	char buffer[32];
	const char *pos = read_text(dir, name, buffer, sizeof(buffer));
	uint64_t value;

	if (!pos || !take_char(&pos, '0') || !take_char(&pos, 'x') ||
		!take_hex(&pos, 1, 4, &value) || *pos)
		return false;
	*id = (uint32_t)value;
	return true;
}

static uint32_t config_dword(const uint8_t *config, size_t offset)
{
	return (uint32_t)config[offset] | (uint32_t)config[offset + 1] << 8 |
	       (uint32_t)config[offset + 2] << 16 | (uint32_t)config[offset + 3] << 24;
}

/* The device serial number capability, 0 where there is none. */
static uint64_t read_serial(int dir)
{
	static uint8_t config[CONFIG_SIZE];
	ssize_t size = read_bytes(dir, "config", config, sizeof(config));
	size_t offset = EXT_CAPS;

	/* A loop of capabilities ends with the number of those that fit. */
	for (int left = (CONFIG_SIZE - EXT_CAPS) / 4; left > 0; left--) {
		uint32_t header;

		if (size < 0 || offset < EXT_CAPS || offset % 4 ||
			offset + 12 > (size_t)size)
			return 0;
		header = config_dword(config, offset);
		if (!header || header == 0xffffffff)
			return 0;
		if ((header & 0xffff) == EXT_CAP_DSN)
			return (uint64_t)config_dword(config, offset + 8) << 32 |
			       config_dword(config, offset + 4);
		offset = header >> 20;
	}
	return 0;
}

/* --- the table --- */

static bool take_address(const char **pos, char *address, size_t size)
{
	const char *start = *pos;
	uint64_t part;

	if (!take_hex(pos, 4, 8, &part) || !take_char(pos, ':') ||
		!take_hex(pos, 2, 2, &part) || !take_char(pos, ':') ||
		!take_hex(pos, 2, 2, &part) || part > 0x1f || !take_char(pos, '.') ||
		!take_hex(pos, 1, 1, &part) || part > 7 || (size_t)(*pos - start) >= size)
		return false;
	memcpy(address, start, (size_t)(*pos - start));
	address[*pos - start] = '\0';
	return true;
}

static bool take_pair(const char **pos, uint32_t *first, uint32_t *second)
{
	uint64_t a, b;

	if (!take_hex(pos, 4, 4, &a) || !take_char(pos, ':') || !take_hex(pos, 4, 4, &b))
		return false;
	*first = (uint32_t)a;
	*second = (uint32_t)b;
	return true;
}

static bool take_space(const char **pos)
{
	size_t n = strspn(*pos, " \t");

	*pos += n;
	return n > 0;
}

static bool parse_line(const char *pos, struct card *card)
{
	memset(card, 0, sizeof(*card));
	if (!take_address(&pos, card->address, sizeof(card->address)) ||
		!take_space(&pos) || !take_pair(&pos, &card->vendor, &card->device) ||
		!take_space(&pos))
		return false;
	if (!take_char(&pos, '-')) {
		card->has_subsystem = true;
		if (!take_pair(&pos, &card->subvendor, &card->subdevice))
			return false;
	}
	if (!take_space(&pos))
		return false;
	if (!take_char(&pos, '-')) {
		card->has_serial = true;
		/* 0 is what a card without one has. */
		if (!take_char(&pos, '0') || !take_char(&pos, 'x') ||
			!take_hex(&pos, 1, 16, &card->serial) || !card->serial)
			return false;
	}
	take_space(&pos);
	return !*pos;
}

/* --- one card --- */

/* "none" where it has no driver, NULL where that cannot be told. */
static const char *driver_of(int dir, char *buffer, size_t size)
{
	ssize_t n = readlinkat(dir, "driver", buffer, size - 1);
	const char *slash;

	if (n < 0)
		return errno == ENOENT ? "none" : NULL;
	buffer[n] = '\0';
	slash = strrchr(buffer, '/');
	return slash ? slash + 1 : buffer;
}

static bool write_text(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	return !close(fd) && n == (ssize_t)strlen(text);
}

/* Are the attributes FIRST and SECOND, together called WHAT, A:B? */
static bool pair_is(int dir, const struct card *card, const char *what, const char *first,
	const char *second, uint32_t a, uint32_t b)
{
	uint32_t found_a, found_b;

	if (!read_id(dir, first, &found_a) || !read_id(dir, second, &found_b)) {
		say(4, "%s: its %s could not be read: left alone", card->address, what);
		return false;
	}
	if (found_a == a && found_b == b)
		return true;
	say(4, "%s: is %s%04x:%04x, not %04x:%04x: left alone", card->address,
		*what == 's' ? "of subsystem " : "", found_a, found_b, a, b);
	return false;
}

static bool same_card(int dir, const struct card *card)
{
	uint64_t serial;

	if (!pair_is(dir, card, "id", "vendor", "device", card->vendor, card->device))
		return false;
	if (card->has_subsystem &&
		!pair_is(dir, card, "subsystem", "subsystem_vendor", "subsystem_device",
			card->subvendor, card->subdevice))
		return false;
	if (!card->has_serial)
		return true;
	serial = read_serial(dir);
	if (serial == card->serial)
		return true;
	say(4, "%s: has serial number 0x%llx, not 0x%llx: left alone", card->address,
		(unsigned long long)serial, (unsigned long long)card->serial);
	return false;
}

/* Where vfio-pci is there already, nothing would offer it the device again. */
static void offer(int dir, const struct card *card)
{
	char buffer[256];
	const char *driver;

	if (faccessat(root_fd, "sys/bus/pci/drivers/" DRIVER, F_OK, 0) < 0)
		return;
	write_text(root_fd, "sys/bus/pci/drivers_probe", card->address);
	driver = driver_of(dir, buffer, sizeof(buffer));
	if (!driver || strcmp(driver, DRIVER) != 0)
		say(4, "%s: " DRIVER " was asked to take it and did not", card->address);
}

static bool override_in(int dir, const struct card *card)
{
	char driver_buffer[256], buffer[256];
	const char *driver = driver_of(dir, driver_buffer, sizeof(driver_buffer));
	const char *override = read_text(dir, "driver_override", buffer, sizeof(buffer));

	if (!driver || !override) {
		say(3, "%s: its %s could not be read: left alone", card->address,
			driver ? "driver_override" : "driver");
		return false;
	}
	if (strcmp(driver, "none") != 0 && strcmp(driver, DRIVER) != 0) {
		say(4, "%s: has the driver %s already: left alone", card->address,
			driver);
		return false;
	}
	if (strcmp(override, DRIVER) != 0) {
		if (*override && strcmp(override, "(null)") != 0) {
			say(4, "%s: driver_override is %s already: left alone",
				card->address, override);
			return false;
		}
		if (!write_text(dir, "driver_override", DRIVER)) {
			say(3, "%s: driver_override cannot be written: %s", card->address,
				strerror(errno));
			return false;
		}
		say(6, "%s: driver_override set to " DRIVER " (driver was: %s)",
			card->address, driver);
	}
	if (!strcmp(driver, "none"))
		offer(dir, card);
	return true;
}

static bool bind_card(const struct card *card)
{
	char path[sizeof(DEVICES) + sizeof(card->address)];
	bool done;
	int dir;

	snprintf(path, sizeof(path), DEVICES "/%s", card->address);
	dir = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		say(4, "%s: no such device: left alone", card->address);
		return false;
	}
	done = same_card(dir, card) && override_in(dir, card);
	close(dir);
	return done;
}

static bool switched_off(void)
{
	char buffer[8192];
	const char *line = read_text(root_fd, "proc/cmdline", buffer, sizeof(buffer));
	size_t length = strlen(OFF_WORD);

	for (const char *at = line; at && (at = strstr(at, OFF_WORD)); at += length)
		if ((at == line || strchr(" \t", at[-1])) &&
			(!at[length] || strchr(" \t", at[length])))
			return true;
	return false;
}

/* ADDRESS: only this card, or NULL. */
static bool run(const char *address)
{
	static char table[TABLE_MAX];
	const char *text = read_text(root_fd, TABLE, table, sizeof(table));
	unsigned number = 0;
	bool done = true;

	if (!text) {
		say(3, "/" TABLE ": cannot read it: no card is bound by address");
		return false;
	}
	for (char *line = table, *next; line; line = next) {
		struct card card;
		const char *start;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		start = line + strspn(line, " \t");
		if (!*start || *start == '#')
			continue;
		if (!parse_line(start, &card)) {
			say(3, "/" TABLE ":%u: not understood: left out", number);
			done = false;
			continue;
		}
		if (!address || !strcmp(address, card.address))
			done = bind_card(&card) && done;
	}
	return done;
}

int main(int argc, char **argv)
{
	const char *root = "/", *address, *pos;
	char checked[20];
	int at = 1;

	if (argc > 2 && !strcmp(argv[1], "--root")) {
		root = argv[2];
		at = 3;
	}
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pos = address = argv[at];
	if (root_fd < 0 || argc > at + 1 ||
		(pos && (!take_address(&pos, checked, sizeof(checked)) || *pos))) {
		fputs("usage: early-bind [--root DIR] [DDDD:BB:DD.F]\n", stderr);
		return 2;
	}
	if (switched_off()) {
		say(4, OFF_WORD " on the kernel command line: no card is bound");
		return 0;
	}
	return run(address) ? 0 : 1;
}
