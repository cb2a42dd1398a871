/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/klog.h"
#include "fake-vfio.h"

#define BARS         6
#define MAPPINGS_MAX 96
#define CONFIG_SIZE  4096
#define COMMAND      0x04
#define MASTER       0x4

struct mp_mmio {
	struct mp_vfio *vfio;
	const struct fake_bar *bar;
};

struct mp_vfio {
	struct fake_model model;
	struct mp_mmio bars[BARS];
	uint8_t config[CONFIG_SIZE];
	struct {
		uint8_t *memory; /* NULL: free */
		uint64_t iova, size;
		unsigned access;
		bool gone; /* unmapped, and FAKE_STAYS_MAPPED */
	} mappings[MAPPINGS_MAX];
	int fds[FAKE_VECTORS];
	unsigned enabled, closed, accesses;
	GString *log;
	enum fake_spoil spoil;
	bool panicked;
};

static struct mp_vfio *only;

/* --- time --- */

gint64 __wrap_g_get_monotonic_time(void);
void __wrap_g_usleep(gulong microseconds);
static gint64 now = 1;
static bool in_time;

void fake_wait(gint64 microseconds)
{
	now += microseconds;
	if (!only || !only->model.time || in_time)
		return;
	in_time = true;
	only->model.time(only->model.user);
	in_time = false;
}

gint64 fake_now(void)
{
	return now;
}

gint64 __wrap_g_get_monotonic_time(void)
{
	fake_wait(1);
	return now;
}

void __wrap_g_usleep(gulong microseconds)
{
	fake_wait((gint64)microseconds);
}

/* --- one of them --- */

struct mp_vfio *fake_vfio_new(const struct fake_model *model)
{
	struct mp_vfio *vfio = g_new0(struct mp_vfio, 1);

	assert_null(only);
	vfio->model = *model;
	for (unsigned i = 0; i < BARS; i++)
		vfio->bars[i] = (struct mp_mmio){ vfio, &vfio->model.bars[i] };
	vfio->log = g_string_new(NULL);
	fake_vfio_set_config(vfio, 0x00, 4, 0x11001f9d);
	fake_vfio_set_config(vfio, COMMAND, 2, 0x2);
	fake_vfio_set_config(vfio, 0x08, 4, 0x12000002);
	only = vfio;
	return vfio;
}

void fake_vfio_free(struct mp_vfio *vfio)
{
	mp_vfio_irq_disable(vfio, NULL);
	g_string_free(vfio->log, TRUE);
	g_free(vfio);
	only = NULL;
}

void fake_vfio_set_config(
	struct mp_vfio *vfio, unsigned offset, unsigned width, uint32_t value)
{
	assert_true(offset + width <= CONFIG_SIZE);
	memcpy(vfio->config + offset, &value, width);
}

void fake_spoil(struct mp_vfio *vfio, enum fake_spoil spoil)
{
	vfio->spoil = spoil;
}

unsigned fake_closed(const struct mp_vfio *vfio)
{
	return vfio->closed;
}

unsigned fake_enabled(const struct mp_vfio *vfio)
{
	return vfio->enabled;
}

unsigned fake_accesses(const struct mp_vfio *vfio)
{
	return vfio->accesses;
}

bool fake_is_master(const struct mp_vfio *vfio)
{
	return vfio->config[COMMAND] & MASTER;
}

struct mp_vfio *mp_vfio_open(const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, enum mp_vfio_wish wish G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	if (only->model.opened)
		only->model.opened(only->model.user);
	return only;
}

bool mp_vfio_quiet(struct mp_vfio *vfio, GError **error)
{
	mp_vfio_bus_master(vfio, false, error);
	mp_vfio_irq_disable(vfio, error);
	if (vfio->model.reset)
		vfio->model.reset(vfio->model.user);
	return true;
}

void mp_vfio_close(struct mp_vfio *vfio)
{
	if (!vfio)
		return;
	mp_vfio_quiet(vfio, NULL);
	memset(vfio->mappings, 0, sizeof(vfio->mappings));
	vfio->closed++;
}

const char *mp_vfio_way_name(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return "group";
}

bool mp_vfio_parse_wish(const char *text G_GNUC_UNUSED, enum mp_vfio_wish *wish)
{
	*wish = MP_VFIO_ANY_WAY;
	return true;
}

const char *mp_vfio_address(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return FAKE_ADDRESS;
}

/* --- registers --- */

struct mp_mmio *mp_vfio_bar(struct mp_vfio *vfio, unsigned n, GError **error)
{
	assert_true(n < BARS);
	if (vfio->bars[n].bar->size)
		return &vfio->bars[n];
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		FAKE_ADDRESS ": BAR %u is not there, or has no address", n);
	return NULL;
}

size_t mp_mmio_size(const struct mp_mmio *mmio)
{
	return mmio->bar->size;
}

/* As the real ones, which end the program. */
static void check(const struct mp_mmio *mmio, size_t offset, size_t width)
{
	if (offset % width || offset + width > mmio->bar->size)
		fail_msg("access of %zu bytes at 0x%zx of a BAR of %zu", width, offset,
			mmio->bar->size);
	mmio->vfio->accesses++;
}

uint32_t mp_mmio_read32(const struct mp_mmio *mmio, size_t offset)
{
	check(mmio, offset, 4);
	assert_non_null(mmio->bar->read32);
	return mmio->bar->read32(mmio->vfio->model.user, offset);
}

void mp_mmio_write32(struct mp_mmio *mmio, size_t offset, uint32_t value)
{
	check(mmio, offset, 4);
	assert_non_null(mmio->bar->write32);
	mmio->bar->write32(mmio->vfio->model.user, offset, value);
}

uint64_t mp_mmio_read64(const struct mp_mmio *mmio, size_t offset)
{
	check(mmio, offset, 8);
	assert_non_null(mmio->bar->read64);
	return mmio->bar->read64(mmio->vfio->model.user, offset);
}

void mp_mmio_write64(struct mp_mmio *mmio, size_t offset, uint64_t value)
{
	check(mmio, offset, 8);
	assert_non_null(mmio->bar->write64);
	mmio->bar->write64(mmio->vfio->model.user, offset, value);
}

bool mp_vfio_config_read(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t *value, GError **error G_GNUC_UNUSED)
{
	assert_true(offset + width <= CONFIG_SIZE);
	*value = 0;
	memcpy(value, vfio->config + offset, width);
	return true;
}

bool mp_vfio_config_write(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t value, GError **error G_GNUC_UNUSED)
{
	fake_vfio_set_config(vfio, offset, width, value);
	return true;
}

bool mp_vfio_bus_master(struct mp_vfio *vfio, bool on, GError **error G_GNUC_UNUSED)
{
	vfio->config[COMMAND] &= (uint8_t)~MASTER;
	vfio->config[COMMAND] |= on ? MASTER : 0;
	return true;
}

bool mp_vfio_can_reset(const struct mp_vfio *vfio)
{
	return vfio->model.reset != NULL;
}

bool mp_vfio_reset(struct mp_vfio *vfio, GError **error G_GNUC_UNUSED)
{
	vfio->model.reset(vfio->model.user);
	return true;
}

void mp_vfio_panic(void)
{
	mp_vfio_bus_master(only, false, NULL);
	only->panicked = true;
}

bool mp_vfio_panicked(void)
{
	return only->panicked;
}

bool mp_vfio_gone(void *address G_GNUC_UNUSED)
{
	return false;
}

/* --- DMA --- */

bool mp_vfio_map(struct mp_vfio *vfio, void *memory, uint64_t iova, size_t size,
	unsigned access, GError **error G_GNUC_UNUSED)
{
	unsigned free = MAPPINGS_MAX;

	assert_true(mp_vfio_iova_usable(vfio, iova, size));
	assert_int_equal((iova | size | (uintptr_t)memory) % FAKE_PAGE, 0);
	for (unsigned i = 0; i < MAPPINGS_MAX; i++) {
		bool apart = !vfio->mappings[i].memory ||
			     iova + size <= vfio->mappings[i].iova ||
			     vfio->mappings[i].iova + vfio->mappings[i].size <= iova;

		if (!apart && vfio->mappings[i].gone)
			vfio->mappings[i].memory = NULL;
		else
			assert_true(apart);
		if (!vfio->mappings[i].memory)
			free = i;
	}
	assert_true(free < MAPPINGS_MAX);
	vfio->mappings[free].memory = memory;
	vfio->mappings[free].iova = iova;
	vfio->mappings[free].size = size;
	vfio->mappings[free].access = access;
	vfio->mappings[free].gone = false;
	return true;
}

bool mp_vfio_unmap(
	struct mp_vfio *vfio, uint64_t iova, size_t size, GError **error G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < MAPPINGS_MAX; i++) {
		if (!vfio->mappings[i].memory || vfio->mappings[i].gone ||
			vfio->mappings[i].iova != iova)
			continue;
		assert_int_equal(vfio->mappings[i].size, size);
		vfio->mappings[i].gone = vfio->spoil == FAKE_STAYS_MAPPED;
		if (!vfio->mappings[i].gone)
			vfio->mappings[i].memory = NULL;
		return true;
	}
	fail_msg("unmapped what is not mapped");
	return false;
}

unsigned fake_mappings(const struct mp_vfio *vfio)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MAPPINGS_MAX; i++)
		count += vfio->mappings[i].memory && !vfio->mappings[i].gone;
	return count;
}

/* The byte at IOVA, where ACCESS is allowed. */
static uint8_t *translate(const struct mp_vfio *vfio, uint64_t iova, unsigned access)
{
	for (unsigned i = 0; i < MAPPINGS_MAX; i++)
		if (vfio->mappings[i].memory && iova >= vfio->mappings[i].iova &&
			iova - vfio->mappings[i].iova < vfio->mappings[i].size &&
			(vfio->mappings[i].access & access ||
				vfio->spoil == FAKE_ALL_WRITABLE))
			return vfio->mappings[i].memory + (iova - vfio->mappings[i].iova);
	return NULL;
}

static void G_GNUC_PRINTF(2, 3) log_line(struct mp_vfio *vfio, const char *format, ...)
{
	va_list args;

	if (vfio->spoil == FAKE_SILENT)
		return;
	if (vfio->spoil == FAKE_SUPPRESSED) {
		g_string_append(vfio->log, "dmar_fault: 3 callbacks suppressed\n");
		return;
	}
	va_start(args, format);
	g_string_append_vprintf(vfio->log, format, args);
	va_end(args);
}

static const char *source(const struct mp_vfio *vfio)
{
	return vfio->spoil == FAKE_OF_ANOTHER ? "02:00.0" : "01:00.0";
}

static void log_fault(struct mp_vfio *vfio, bool write, uint64_t iova)
{
	uint64_t off = vfio->spoil == FAKE_ELSEWHERE ? FAKE_PAGE : 0;

	log_line(vfio,
		"DMAR: [DMA %s NO_PASID] Request device [%s] fault addr 0x%" PRIx64
		" [fault reason 0x%s] PTE\n",
		write ? "Write" : "Read", source(vfio),
		(iova & ~(uint64_t)(FAKE_PAGE - 1)) + off, write ? "05" : "06");
}

/* VT-d specification, 5.1.3: bit 4 the format, bit 3 SHV. */
static void message(struct mp_vfio *vfio, uint64_t address, uint32_t data)
{
	bool remappable = address & 0x10;
	uint32_t index = (uint32_t)(address >> 5 & 0x7fff) + (address & 8 ? data : 0);

	if (address == FAKE_MESSAGE && data - FAKE_DATA < vfio->enabled)
		fake_signal(vfio, data - FAKE_DATA);
	else
		log_line(vfio,
			"DMAR: [INTR-REMAP] Request device [%s] fault index 0x%x [fault "
			"reason 0x%s] x\n",
			source(vfio),
			(remappable ? index : 0) + (vfio->spoil == FAKE_ELSEWHERE),
			remappable ? "22" : "25");
}

bool fake_host_read(struct mp_vfio *vfio, uint64_t iova, void *data, size_t size)
{
	if (!fake_is_master(vfio) && vfio->spoil != FAKE_NO_MASTER_BIT)
		return false;
	for (size_t i = 0; i < size; i++) {
		const uint8_t *at = translate(vfio, iova + i, MP_VFIO_READ);

		if (!at) {
			log_fault(vfio, false, iova + i);
			return false;
		}
		((uint8_t *)data)[i] = *at;
		if (vfio->spoil == FAKE_FLIPPED_IN && i == size / 2)
			((uint8_t *)data)[i] ^= 0x10;
	}
	return true;
}

bool fake_host_write(struct mp_vfio *vfio, uint64_t iova, const void *data, size_t size)
{
	if (!fake_is_master(vfio) && vfio->spoil != FAKE_NO_MASTER_BIT)
		return false;
	if (iova >> 20 == 0xfee) {
		uint32_t value;

		assert_int_equal(size, sizeof(value));
		memcpy(&value, data, sizeof(value));
		message(vfio, iova, value);
		return true;
	}
	for (size_t i = 0; i < size; i++) {
		uint8_t *at = translate(vfio, iova + i, MP_VFIO_WRITE);

		if (!at) {
			log_fault(vfio, true, iova + i);
			return false;
		}
		*at = ((const uint8_t *)data)[i];
		*at ^= vfio->spoil == FAKE_FLIPPED && i == size / 2 ? 0x10 : 0;
	}
	return true;
}

/* --- interrupts --- */

unsigned mp_vfio_irq_count(const struct mp_vfio *vfio, enum mp_vfio_irq irq)
{
	return vfio->model.vectors[irq];
}

bool mp_vfio_irq_enable(struct mp_vfio *vfio, enum mp_vfio_irq irq, unsigned count,
	const int **fds, GError **error G_GNUC_UNUSED)
{
	assert_true(count <= mp_vfio_irq_count(vfio, irq) && count <= FAKE_VECTORS);
	assert_int_equal(vfio->enabled, 0);
	for (; vfio->enabled < count; vfio->enabled++)
		vfio->fds[vfio->enabled] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*fds = vfio->fds;
	return true;
}

bool mp_vfio_irq_disable(struct mp_vfio *vfio, GError **error G_GNUC_UNUSED)
{
	while (vfio->enabled)
		close(vfio->fds[--vfio->enabled]);
	return true;
}

bool mp_vfio_irq_unmask_intx(
	struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

void fake_signal(struct mp_vfio *vfio, unsigned n)
{
	const uint64_t one = 1;

	if (vfio->spoil == FAKE_MASKED)
		return;
	if (vfio->spoil == FAKE_MOVED)
		n = (n + 1) % MAX(vfio->enabled, 1);
	if (n < vfio->enabled)
		assert_int_equal(write(vfio->fds[n], &one, sizeof(one)), sizeof(one));
}

bool mp_vfio_irq_loopback(struct mp_vfio *vfio, unsigned n, GError **error G_GNUC_UNUSED)
{
	fake_signal(vfio, n);
	return true;
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
	fake_wait((gint64)milliseconds * 1000);
	if (only->spoil == FAKE_LOST && only->log->len) {
		*lost = true;
		g_string_truncate(only->log, 0);
	}
	g_string_append_len(text, only->log->str, (gssize)only->log->len);
	g_string_truncate(only->log, 0);
	return true;
}

void fake_lend(struct mp_vfio *vfio, uint8_t *host, uint64_t iova, uint8_t *scratch,
	size_t scratch_size)
{
	const unsigned both = MP_VFIO_READ | MP_VFIO_WRITE;

	assert_true(mp_vfio_bus_master(vfio, true, NULL));
	assert_true(mp_vfio_map(vfio, host, iova, FAKE_PAGE, both, NULL));
	assert_true(mp_vfio_map(vfio, scratch, FAKE_SCRATCH, scratch_size, both, NULL));
}

void fake_assert_says(const GError *error, const char *part)
{
	assert_non_null(error);
	if (!strstr(error->message, part))
		fail_msg("'%s' lacks '%s'", error->message, part);
}
