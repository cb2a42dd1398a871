/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-scene.h - a host of a few files, and a kernel of a few lines behind it. */
#ifndef MP_VFIO_SCENE_H
#define MP_VFIO_SCENE_H

#include "unit.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/use.h"
#include "sysroot.h"
#include "vfio-kernel.h"
#include "vfio/iommufd-abi.h"
#include "vfio/vfio-private.h"

static struct sysroot sysroot;

/* --- the host --- */

static struct mp_group group;
static struct mp_pci device;
static struct mp_host *host;
static const struct mp_reserved direct = { 0x1000, 0x1fff, "direct" };

static inline int set_up(void **state G_GNUC_UNUSED)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.container = kernel.type1 = kernel.group = kernel.iommu = kernel.file =
		true;
	kernel.device = kernel.iommu_fd = kernel.container_fd = kernel.group_fd = -1;
	kernel.ranges = 2;
	kernel.alignment = 0x1000;
	kernel.minor = 3;
	kernel.memlock = 48 * 1024;
	kernel.order = g_string_new(NULL);
	sysroot_init(&sysroot);
	kernel_sysroot = sysroot.path;
	sysroot_text(
		&sysroot, "sys/bus/pci/devices/" BDF "/vfio-dev/vfio3/dev", "236:3\n");
	host = mp_host_new("/", true);
	group = (struct mp_group){ .id = GROUP, .members = g_ptr_array_new() };
	device = (struct mp_pci){ .bdf = BDF, .group = &group };
	device.driver = mp_fact_known(host, "x", "vfio-pci");
	g_ptr_array_add(group.members, &device);
	return 0;
}

static inline int tear_down(void **state G_GNUC_UNUSED)
{
	g_ptr_array_unref(group.members);
	g_string_free(kernel.order, TRUE);
	mp_host_free(host);
	sysroot_clear(&sysroot);
	return 0;
}

static inline unsigned open_files(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir))
		count++;
	return count;
}

static inline struct mp_vfio *enter(enum mp_vfio_wish wish, GError **error)
{
	return mp_vfio_open(host, &device, wish, error);
}

/* The error's text, freed by the next call. */
static inline const char *refusal(enum mp_vfio_wish wish)
{
	static char text[1024];
	g_autoptr(GError) error = NULL;
	unsigned files = open_files();
	struct mp_vfio *vfio = enter(wish, &error);

	assert_null(vfio);
	assert_non_null(error);
	assert_int_equal(open_files(), files);
	g_strlcpy(text, error->message, sizeof(text));
	return text;
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

#endif
