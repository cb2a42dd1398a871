/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of vfio.h and klog.h, for a device and a log of the test's own. */
#include "config.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/klog.h"
#include "selftest-world-private.h"

/* --- VFIO --- */

struct mp_vfio {
	int unused;
};
struct mp_vfio world_device;

struct mp_vfio *mp_vfio_open(const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, enum mp_vfio_wish wish G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return &world_device;
}

const char *mp_vfio_way_name(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return "group";
}

bool mp_vfio_quiet(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error)
{
	world.quieted++;
	world.master = false;
	if (world.loud)
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "0000:01:00.0: is not quiet");
	return !world.loud;
}

unsigned world_live_mappings(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MAPPINGS; i++)
		count += world.mappings[i].live;
	return count;
}

void mp_vfio_close(struct mp_vfio *vfio)
{
	if (vfio)
		world.closed++;
	world.master = false;
}

const char *mp_vfio_address(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return "0000:01:00.0";
}

struct mp_mmio *mp_vfio_bar(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned n G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return NULL;
}

bool mp_vfio_config_read(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned o G_GNUC_UNUSED,
	unsigned w G_GNUC_UNUSED, uint32_t *v G_GNUC_UNUSED, GError **e G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_config_write(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned o G_GNUC_UNUSED,
	unsigned w G_GNUC_UNUSED, uint32_t v G_GNUC_UNUSED, GError **e G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_bus_master(
	struct mp_vfio *vfio G_GNUC_UNUSED, bool on, GError **error G_GNUC_UNUSED)
{
	world.master = on;
	return true;
}

bool mp_vfio_map(struct mp_vfio *vfio G_GNUC_UNUSED, void *memory, uint64_t iova,
	size_t size, unsigned access, GError **error G_GNUC_UNUSED)
{
	assert_true(mp_vfio_iova_usable(vfio, iova, size));
	assert_int_equal(iova % PAGE + size % PAGE + (uintptr_t)memory % PAGE, 0);
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (world.mappings[i].live)
			assert_true(
				iova + size <= world.mappings[i].iova ||
				world.mappings[i].iova + world.mappings[i].size <= iova);
	for (unsigned i = 0; i < MAPPINGS; i++) {
		if (world.mappings[i].live)
			continue;
		world.mappings[i].iova = iova;
		world.mappings[i].memory = memory;
		world.mappings[i].size = size;
		world.mappings[i].access = access;
		world.mappings[i].live = true;
		return true;
	}
	fail_msg("too many mappings");
	return false;
}

bool mp_vfio_unmap(struct mp_vfio *vfio G_GNUC_UNUSED, uint64_t iova, size_t size,
	GError **error G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		if (!world.mappings[i].live || world.mappings[i].iova != iova)
			continue;
		assert_int_equal(world.mappings[i].size, size);
		world.mappings[i].live = false;
		return true;
	}
	fail_msg("unmapped what is not mapped");
	return false;
}

unsigned mp_vfio_irq_count(const struct mp_vfio *vfio G_GNUC_UNUSED, enum mp_vfio_irq irq)
{
	return irq == MP_VFIO_INTX ? 1 : VECTORS;
}

void world_close_triggers(void)
{
	while (world.had)
		close(world.triggers[--world.had]);
}

bool mp_vfio_irq_enable(struct mp_vfio *vfio G_GNUC_UNUSED, enum mp_vfio_irq irq,
	unsigned count, const int **fds, GError **error G_GNUC_UNUSED)
{
	assert_true(count <= mp_vfio_irq_count(vfio, irq));
	assert_int_equal(world.enabled, 0);
	world_close_triggers();
	for (; world.enabled < count; world.enabled++) {
		world.fds[world.enabled] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		world.triggers[world.enabled] = dup(world.fds[world.enabled]);
	}
	world.had = count;
	world.told = false;
	*fds = world.fds;
	return true;
}

bool mp_vfio_irq_disable(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	while (world.enabled)
		close(world.fds[--world.enabled]);
	if (world.lie != KEEPS_VECTORS)
		world_close_triggers();
	return true;
}

bool mp_vfio_irq_unmask_intx(
	struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

bool world_signal(unsigned n)
{
	const uint64_t one = 1;

	assert_true(n < world.had);
	return write(world.triggers[n], &one, sizeof(one)) == sizeof(one);
}

bool mp_vfio_irq_loopback(
	struct mp_vfio *vfio G_GNUC_UNUSED, unsigned n, GError **error G_GNUC_UNUSED)
{
	return world.lie == LOSES_LOOPBACK || world_signal(n);
}

bool mp_vfio_can_reset(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_reset(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return false;
}

void mp_vfio_panic(void)
{
	world.master = false;
}

bool mp_vfio_gone(void *address G_GNUC_UNUSED)
{
	return false;
}

/* --- the kernel's log --- */

struct mp_klog {
	int unused;
};
static struct mp_klog the_log;

struct mp_klog *mp_klog_open(GError **error G_GNUC_UNUSED)
{
	return &the_log;
}

void mp_klog_close(struct mp_klog *klog G_GNUC_UNUSED)
{
}

bool mp_klog_read(struct mp_klog *klog G_GNUC_UNUSED, unsigned milliseconds,
	mp_klog_match match G_GNUC_UNUSED, void *user G_GNUC_UNUSED, GString *text,
	bool *lost, GError **error G_GNUC_UNUSED)
{
	if (world.lie == WRITES_UNASKED && milliseconds > 1000)
		for (unsigned i = 0; i < MAPPINGS; i++)
			if (world.mappings[i].live && world.mappings[i].iova == DATA)
				world.mappings[i].memory[7] ^= 1;
	*lost = *lost || (world.lie == IS_OVERWRITTEN && world.log->len);
	if (world.lie != IS_OVERWRITTEN)
		g_string_append_len(text, world.log->str, (gssize)world.log->len);
	g_string_truncate(world.log, 0);
	return true;
}
