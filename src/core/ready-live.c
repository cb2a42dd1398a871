/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function of this machine, for ready.h. Attributes that are written here are runtime
 * state of the kernel and of the card, gone with the next boot; there is nothing to journal.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/pci.h"
#include "core/ready.h"

#define ATTRIBUTE_MAX 4096

struct mp_ready_live {
	struct mp_ready_io io;
	const struct mp_pci *device;
	const struct mp_card_kind *kind;
	void (*at_work)(const struct mp_pci *device, const char *attribute);
	struct mp_card_live *memory;
	int lock;
};

static int open_attribute(const struct mp_ready_live *live, const char *name, int flags)
{
	g_autofree char *path = g_strdup_printf("/%s/%s", live->device->dir, name);
	int fd;

	if (live->at_work)
		live->at_work(live->device, name);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int read_attribute(void *user, const char *name, char **text)
{
	char data[ATTRIBUTE_MAX];
	int fd = open_attribute(user, name, O_RDONLY), err;
	ssize_t got;

	if (fd < 0)
		return fd;
	do {
		got = read(fd, data, sizeof(data) - 1);
	} while (got < 0 && errno == EINTR);
	err = got < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	data[got] = '\0';
	g_strstrip(data);
	*text = mp_clean_text(data, strlen(data));
	return 0;
}

/* One write(2) of the whole, as sysfs wants it. */
static int write_attribute(void *user, const char *name, const char *text)
{
	int fd = open_attribute(user, name, O_WRONLY), err;
	ssize_t put;

	if (fd < 0)
		return fd;
	do {
		put = write(fd, text, strlen(text));
	} while (put < 0 && errno == EINTR);
	err = put < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int read_config(void *user, unsigned offset, uint16_t *value)
{
	int fd = open_attribute(user, "config", O_RDONLY), err = 0;
	uint16_t raw = 0;
	ssize_t got;

	if (fd < 0)
		return fd;
	got = pread(fd, &raw, sizeof(raw), offset);
	if (got != sizeof(raw))
		err = got < 0 ? -errno : -EIO;
	close(fd);
	*value = GUINT16_FROM_LE(raw);
	return err;
}

static int write_config(void *user, unsigned offset, uint16_t value)
{
	int fd = open_attribute(user, "config", O_WRONLY), err = 0;
	uint16_t raw = GUINT16_TO_LE(value);
	ssize_t put;

	if (fd < 0)
		return fd;
	put = pwrite(fd, &raw, sizeof(raw), offset);
	if (put != sizeof(raw))
		err = put < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

static const struct mp_card_io *open_memory(void *user, GError **error)
{
	struct mp_ready_live *live = user;

	live->memory = mp_card_live_open_awake(live->device, live->kind, error);
	return live->memory ? mp_card_live_io(live->memory) : NULL;
}

static void close_memory(void *user)
{
	struct mp_ready_live *live = user;

	g_clear_pointer(&live->memory, mp_card_live_close);
}

static uint64_t now(void *user G_GNUC_UNUSED)
{
	return (uint64_t)g_get_monotonic_time() / 1000;
}

static void wait_a_while(void *user G_GNUC_UNUSED, unsigned milliseconds)
{
	g_usleep(milliseconds * 1000ul);
}

struct mp_ready_live *mp_ready_live_new(const struct mp_pci *device,
	const struct mp_card_kind *kind,
	void (*at_work)(const struct mp_pci *device, const char *attribute))
{
	struct mp_ready_live *live = g_new0(struct mp_ready_live, 1);

	live->device = device;
	live->kind = kind;
	live->at_work = at_work;
	live->lock = -1;
	live->io = (struct mp_ready_io){
		.user = live,
		.read = read_attribute,
		.write = write_attribute,
		.config_read = read_config,
		.config_write = write_config,
		.map = open_memory,
		.unmap = close_memory,
		.now = now,
		.wait = wait_a_while,
	};
	return live;
}

const struct mp_ready_io *mp_ready_live_io(struct mp_ready_live *live)
{
	return &live->io;
}

/* On the attribute itself: it is there whenever the card is, leaves nothing behind, and ends
 * with the process. */
bool mp_ready_live_lock(struct mp_ready_live *live, GError **error)
{
	int err = 0;

	live->lock = open_attribute(live, "config", O_RDONLY);
	if (live->lock < 0)
		err = live->lock;
	else if (flock(live->lock, LOCK_EX | LOCK_NB) < 0)
		err = -errno;
	if (err == -EWOULDBLOCK) {
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: another run of this program works on it, or left a process behind "
			"that the kernel does not let go: try again, and reboot if it stays so",
			live->device->bdf);
		return false;
	}
	if (err)
		mp_error_set_errno(error, err, live->device->bdf, "lock it");
	return !err;
}

void mp_ready_live_free(struct mp_ready_live *live)
{
	if (!live)
		return;
	g_clear_pointer(&live->memory, mp_card_live_close);
	if (live->lock >= 0)
		close(live->lock);
	g_free(live);
}
