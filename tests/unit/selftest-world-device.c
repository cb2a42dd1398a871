/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device of the self-test's world, the IOMMU before it, and what that logs. */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "selftest-world-private.h"

/* --- what is logged --- */

static void G_GNUC_PRINTF(1, 2) log_line(const char *format, ...)
{
	va_list args;

	if (world.lie == IS_NOT_LOGGED)
		return;
	if (world.lie == IS_SUPPRESSED) {
		g_string_append(world.log, "dmar_fault: 8 callbacks suppressed\n");
		return;
	}
	va_start(args, format);
	g_string_append_vprintf(world.log, format, args);
	va_end(args);
}

static const char *source(void)
{
	if (world.lie == IS_LOGGED_AS_NOBODY)
		return "ff:1f.7";
	return world.lie == IS_LOGGED_AS_ANOTHER ? "01:00.1" : "01:00.0";
}

static void log_fault(bool write, uint64_t iova)
{
	uint64_t address =
		(iova & ~(uint64_t)0xfff) + (world.lie == IS_LOGGED_ELSEWHERE ? PAGE : 0);

	if (world.amd)
		log_line(
			"vfio-pci 0000:%s: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0021 "
			"address=0x%" PRIx64 " flags=0x00%s]\n",
			source(), address, write ? "20" : "00");
	else
		log_line(
			"DMAR: [DMA %s NO_PASID] Request device [%s] fault addr 0x%" PRIx64
			" [fault reason 0x%s] PTE\n",
			write ? "Write" : "Read", source(), address, write ? "05" : "06");
}

static void log_message(uint32_t index, unsigned reason)
{
	const char *requester = world.anonymous ? "ff:1f.7" : source();

	if (world.amd)
		log_line(
			"vfio-pci 0000:%s: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 "
			"address=0xfffffffdf8000000 flags=0x0008]\n",
			requester);
	else
		log_line("DMAR: [INTR-REMAP] Request device [%s] fault index 0x%x [fault "
			 "reason 0x%02x] x\n",
			requester, world.lie == NAMES_ANOTHER_INDEX ? index + 1 : index,
			reason);
}

/* --- memory --- */

static uint8_t *translate(uint64_t iova, unsigned access)
{
	bool ghosts = world.lie == IGNORES_UNMAPPING;

	for (int ghost = 0; ghost <= (ghosts ? 1 : 0); ghost++)
		for (unsigned i = 0; i < MAPPINGS; i++) {
			if (world.mappings[i].live == !!ghost ||
				iova < world.mappings[i].iova ||
				iova - world.mappings[i].iova >= world.mappings[i].size)
				continue;
			if (world.mappings[i].access & access ||
				world.lie == IGNORES_READ_ONLY)
				return world.mappings[i].memory +
				       (iova - world.mappings[i].iova);
		}
	return NULL;
}

static uint64_t emitted(uint64_t iova)
{
	return world.bits < 64 ? iova & ((UINT64_C(1) << world.bits) - 1) : iova;
}

static void access_memory(uint64_t wanted, size_t size, bool write)
{
	uint64_t iova = emitted(wanted);
	uint8_t *at = NULL;

	if (!world.master && world.lie != IGNORES_BUS_MASTER)
		return;
	for (size_t i = 0; i < size; i++) {
		if (world.lie == WRAPS_IN_PAGES && at)
			at = ((uintptr_t)at + 1) % PAGE ? at + 1 : at + 1 - PAGE;
		else
			at = translate(iova + i, write ? MP_VFIO_WRITE : MP_VFIO_READ);
		if (!at) {
			log_fault(write, iova + i);
			return;
		}
		if (write)
			*at = world.buffer[i];
		else
			world.buffer[i] = *at;
	}
}

static bool fake_probe(struct mp_vfio *vfio G_GNUC_UNUSED,
	const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, bool force G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return true;
}

static void fake_limits(const void *state G_GNUC_UNUSED, struct mp_engine_limits *limits)
{
	*limits = (struct mp_engine_limits){
		.transfer_max = PAGE,
		.transfer_align = 1,
		.address_bits = 64,
		.address_bits_unsure = world.unsure,
		.scratch = PAGE,
		.timeout_ms = 100,
		.reads_any = true,
		.writes_any = true,
		.irq_per_vector = true,
		.programmed_irq = true,
		.anonymous_messages = world.anonymous,
	};
}

static bool fake_init(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
	void **state, GError **error G_GNUC_UNUSED)
{
	assert_true(world.master && scratch->memory && vfio == &world_device);
	*state = &world;
	return true;
}

static enum mp_engine_result fake_read(void *state G_GNUC_UNUSED, uint64_t iova,
	size_t size, GError **error G_GNUC_UNUSED)
{
	if (world.lie == HANGS)
		return MP_ENGINE_TIMEOUT;
	world.reads++;
	access_memory(iova, size, false);
	if (world.raise_signal)
		raise(world.raise_signal);
	return MP_ENGINE_OK;
}

static enum mp_engine_result fake_write(void *state G_GNUC_UNUSED, uint64_t iova,
	size_t size, GError **error G_GNUC_UNUSED)
{
	if (world.lie == WRITES_NOTHING)
		return MP_ENGINE_OK;
	if (world.lie == FLIPS_A_BIT)
		world.buffer[size / 2] ^= 0x10;
	access_memory(iova, size + (world.lie == WRITES_TOO_MUCH), true);
	return MP_ENGINE_OK;
}

static bool fake_irqs_on(void *state G_GNUC_UNUSED, GError **error)
{
	assert_true(world.enabled && !world.told);
	world.told = world.lie != BALKS_AT_VECTORS;
	if (!world.told)
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "it balks");
	return world.told;
}

static bool fake_raise(
	void *state G_GNUC_UNUSED, unsigned n, GError **error G_GNUC_UNUSED)
{
	assert_true(world.told);
	if (world.lie == RAISES_NOTHING)
		return true;
	if (world.lie == RAISES_TWO)
		world_signal((n + 1) % world.enabled);
	return world_signal(world.lie == RAISES_ANOTHER ? (n + 1) % world.enabled : n);
}

static bool send_compat(void)
{
	if (world.lie == LETS_COMPAT_THROUGH)
		log_line("Spurious interrupt (vector 0xef) on CPU#0. Acked\n");
	else if (world.lie == DELIVERS_COMPAT)
		world_signal(0);
	else
		log_message(0x8200, world.lie == BLOCKS_FOR_ANOTHER ? 0x20 : 0x25);
	return true;
}

static bool fake_message(void *state G_GNUC_UNUSED, uint64_t address, uint32_t data,
	GError **error G_GNUC_UNUSED)
{
	uint8_t *memory = translate(address, MP_VFIO_WRITE);

	if (world.lie == SENDS_NO_MESSAGE)
		return true;
	if (memory)
		memcpy(memory, &data, sizeof(data));
	if (memory)
		return true;
	if (address == 0xfee00000 && data == 0xef)
		return send_compat();
	assert_int_equal(address, world.amd ? 0xfee00000u : MESSAGE);
	if (world.had) {
		world.messages++;
		return world.lie == SENDS_ANOTHER_MESSAGE || world_signal(data);
	}
	log_message(INDEX + data, world.lie == GAVE_ENTRY_AWAY      ? 0x26
				  : world.lie == BLOCKS_FOR_ANOTHER ? 0x23
								    : 0x22);
	return true;
}

static bool fake_abort(void *state G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return false;
}

static void fake_quiesce(void *state G_GNUC_UNUSED)
{
	world.quiesced++;
}

const struct mp_engine world_engine = {
	.name = "fake",
	.probe = fake_probe,
	.limits = fake_limits,
	.init = fake_init,
	.read_host = fake_read,
	.write_host = fake_write,
	.irqs_on = fake_irqs_on,
	.raise_irq = fake_raise,
	.send_message = fake_message,
	.abort = fake_abort,
	.quiesce = fake_quiesce,
};
