/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/platform.h"
#include "core/probe-platform-live.h"

#define PATH_CPUINFO "metis-passthrough/cpuinfo"
/* One processor's paragraph has 1.5 to 3 KB. */
#define CPUINFO_MAX  (16u * 1024)
/* A desktop with thousands of packages has 5 MB. */
#define STATUS_MAX   (64u * 1024 * 1024)

/* The text up to the first empty line: one paragraph. */
static void cut_paragraph(char *data, size_t *size)
{
	char *end = strstr(data, "\n\n");

	if (end)
		end[1] = '\0';
	*size = strlen(data);
}

static int produce_cpuinfo(void *user G_GNUC_UNUSED, char **data, size_t *size)
{
	g_autofree char *head = g_malloc(CPUINFO_MAX + 1);
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, head + got, CPUINFO_MAX - got);
		got += n > 0 ? (size_t)n : 0;
		head[got] = '\0';
	} while ((n > 0 && got < CPUINFO_MAX && !strstr(head, "\n\n")) ||
		 (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : 0;
	close(fd);
	if (n < 0)
		return (int)n;
	cut_paragraph(head, size);
	*data = g_steal_pointer(&head);
	return 0;
}

/* True when a root other than the live host holds no cut, but may hold the whole file. */
static bool try_whole(const struct mp_root *root, int err)
{
	return !mp_root_is_live(root) &&
	       (err == -ENOENT || err == -ENOTDIR || err == -ENODATA);
}

int mp_platform_read_cpuinfo(struct mp_root *root, char **data, size_t *size)
{
	int err = mp_root_produced(root, PATH_CPUINFO, produce_cpuinfo, NULL, data, size);

	if (!try_whole(root, err))
		return err;
	err = mp_root_read(root, "proc/cpuinfo", MP_READ_FILE, data, size);
	if (err < 0)
		return err;
	cut_paragraph(*data, size);
	return 0;
}

static int read_status(struct mp_root *root, char **data, size_t *size)
{
	g_autofree char *status = NULL;
	size_t length = 0;
	int err = mp_root_read(root, "var/lib/dpkg/status", STATUS_MAX, &status, &length);

	if (err < 0)
		return err;
	*data = mp_packages_from_status(status, length);
	*size = strlen(*data);
	return 0;
}

static int produce_packages(void *user G_GNUC_UNUSED, char **data, size_t *size)
{
	/* A root of our own: a recorder must not see the whole file. */
	g_autoptr(mp_root) live = mp_root_open("/", NULL);

	return live ? read_status(live, data, size) : -EIO;
}

int mp_platform_read_packages(struct mp_root *root, char **data, size_t *size)
{
	int err = mp_root_produced(
		root, MP_PATH_PACKAGES, produce_packages, NULL, data, size);

	return try_whole(root, err) ? read_status(root, data, size) : err;
}
