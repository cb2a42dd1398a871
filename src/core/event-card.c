/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the driver of a Metis card prints, on the host or in the guest, what programs print
 * that use it or pass it through, and traces of what people tried. The driver's words are
 * those of its releases 1.4.4 to 1.6.2; its PCI driver is called "axl".
 */
#include "config.h"

#include "core/event-private.h"

static bool set_number(struct mp_event *event, enum mp_event_kind kind, uint64_t number)
{
	event->kind = kind;
	event->has_number = true;
	event->number = number;
	return true;
}

static bool set(struct mp_event *event, enum mp_event_kind kind, const char *detail)
{
	event->kind = kind;
	g_strlcpy(event->detail, detail, sizeof(event->detail));
	return true;
}

/*
 * "RD CH0 timeout (irq 4)", behind "DMA ". Of the words RD and WR some mean the engine's
 * direction and some the user's, so only the vector is taken: 4 to 7 are the engine's read
 * channels (host to device), 8 to 11 its write channels.
 */
static bool transfer(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t channel, vector;

	if (MP_CUT(cut, "Poll error"))
		return set(event, MP_EVENT_CARD_ERROR, "poll");
	if (MP_CUT(cut, "error "))
		return set(event, MP_EVENT_CARD_ERROR, "");
	if (!MP_CUT(cut, "RD CH") && !MP_CUT(cut, "WR CH"))
		return false;
	if (!mp_cut_decimal(cut, &channel) || channel > 7)
		return false;
	if (MP_CUT(cut, " spurious wakeup"))
		return set(event, MP_EVENT_CARD_ERROR, "spurious wakeup");
	if (MP_CUT(cut, " status -"))
		return set(event, MP_EVENT_CARD_TIMEOUT, "status");
	if (!MP_CUT(cut, " timeout (irq ") || !mp_cut_decimal(cut, &vector))
		return false;
	if (vector >= 4 && vector <= 11)
		event->direction = vector < 8 ? MP_DIRECTION_READ : MP_DIRECTION_WRITE;
	return set_number(event, MP_EVENT_CARD_TIMEOUT, vector);
}

/* "MSI registered 32 (1)": wanted, and granted. */
static bool granted(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t wanted, got;

	return mp_cut_decimal(cut, &wanted) && MP_CUT(cut, " (") &&
	       mp_cut_decimal(cut, &got) && got <= 32 &&
	       set_number(event, MP_EVENT_MSI_GRANTED, got);
}

/* "dma alloc unaligned: 0x.., aligned: 0x..": where the status window will point. */
static bool window(struct mp_cut *cut, struct mp_event *event)
{
	if (!MP_CUT_TO(cut, " aligned: ") || !mp_cut_0xhex(cut, &event->address))
		return false;
	event->has_address = true;
	return set(event, MP_EVENT_WINDOW, "");
}

/* "msi_info 0xhi 0xlo : 0xdata": the message that goes into the card. */
static bool message(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t high, low, data;

	if (!mp_cut_0xhex(cut, &high) || !mp_cut_char(cut, ' ') ||
		!mp_cut_0xhex(cut, &low) || !MP_CUT(cut, " : ") ||
		!mp_cut_0xhex(cut, &data) || high > UINT32_MAX || low > UINT32_MAX)
		return false;
	event->has_address = true;
	event->address = high << 32 | low;
	return set_number(event, MP_EVENT_MESSAGE, data);
}

static bool version(struct mp_cut *cut, struct mp_event *event)
{
	mp_cut_word(cut, ", ", event->detail, sizeof(event->detail));
	event->kind = MP_EVENT_DRIVER;
	return *event->detail && MP_CUT(cut, ", init OK");
}

static bool of_card(struct mp_cut *cut, struct mp_event *event)
{
	static const struct {
		const char *text;
		enum mp_event_kind kind;
	} plain[] = {
		{ "vmsi configured", MP_EVENT_WINDOW_SET },
		{ "vmsi not available", MP_EVENT_WINDOW_MISSING },
		{ "Fail to get hdrv area", MP_EVENT_WINDOW_MISSING },
		{ "QEMU parent port detected", MP_EVENT_IN_VM },
		{ "All AER errors masked", MP_EVENT_AER_MASKED },
		{ "Link down", MP_EVENT_LINK_DOWN },
		{ "Link up", MP_EVENT_LINK_UP },
	};
	uint64_t number;

	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
		if (mp_cut_text(cut, plain[i].text, strlen(plain[i].text)))
			return set(event, plain[i].kind, "");
	if (MP_CUT(cut, "DMA "))
		return transfer(cut, event);
	if (MP_CUT(cut, "MSI registered "))
		return granted(cut, event);
	if (MP_CUT(cut, "IRQ MSI timeout ("))
		return mp_cut_decimal(cut, &number) &&
		       set_number(event, MP_EVENT_CARD_MESSAGE, number);
	if (MP_CUT(cut, "Invalid hdrv magic "))
		return mp_cut_0xhex(cut, &number) &&
		       set_number(event, MP_EVENT_HEADER, number);
	if (MP_CUT(cut, "Wrong msi number "))
		return mp_cut_decimal(cut, &number) &&
		       set_number(event, MP_EVENT_WRONG_VECTOR, number);
	if (MP_CUT(cut, "msi_info "))
		return message(cut, event);
	return MP_CUT(cut, "dma alloc unaligned: ") && window(cut, event);
}

bool mp_event_card(struct mp_cut cut, bool of_device, struct mp_event *event)
{
	if (of_device)
		return of_card(&cut, event);
	MP_CUT(&cut, "metis: ");
	return (MP_CUT(&cut, "Axelera AIPU PCIe Driver, version ") ||
		       MP_CUT(&cut, "Triton Linux Driver, version ")) &&
	       version(&cut, event);
}

/* --- programs --- */

/* What a message ends with, as a number. */
static const struct {
	const char *text;
	unsigned number;
} errors[] = {
	{ "Operation not permitted", 1 },
	{ "Cannot allocate memory", 12 },
	{ "Bad address", 14 },
	{ "Device or resource busy", 16 },
	{ "File exists", 17 },
	{ "Invalid argument", 22 },
	{ "No space left on device", 28 },
};

static bool has(struct mp_cut cut, const char *text)
{
	return memmem(cut.at, (size_t)(cut.end - cut.at), text, strlen(text)) != NULL;
}

static void take_error(struct mp_cut cut, struct mp_event *event)
{
	struct mp_cut at = cut;

	if (MP_CUT_TO(&at, " = -") && mp_cut_decimal(&at, &event->number)) {
		event->has_number = true;
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(errors); i++)
		if (has(cut, errors[i].text)) {
			event->has_number = true;
			event->number = errors[i].number;
		}
}

/* QEMU: "vfio 0000:86:00.0: group 22 is not viable" */
static bool qemu(struct mp_cut cut, struct mp_event *event)
{
	static const struct {
		const char *text;
		enum mp_event_kind kind;
		const char *detail;
	} rows[] = {
		{ "is not viable", MP_EVENT_NOT_VIABLE, "" },
		{ "_dma_map(", MP_EVENT_MAP, "" },
		{ "VFIO_MAP_DMA", MP_EVENT_MAP, "" },
		{ "no available reset mechanism", MP_EVENT_RESET_FAILED,
			"no reset mechanism" },
		{ "stuck in D3", MP_EVENT_D3COLD, "" },
		{ "failed to setup container", MP_EVENT_ATTACH, "" },
		{ "ailed to set iommu for container", MP_EVENT_ATTACH, "" },
	};
	struct mp_cut at = cut;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!has(cut, rows[i].text))
			continue;
		if (MP_CUT_TO(&at, "vfio ") || MP_CUT_TO(&at, "reset device "))
			mp_cut_address(&at, event);
		take_error(cut, event);
		return set(event, rows[i].kind, rows[i].detail);
	}
	return false;
}

bool mp_event_user(struct mp_cut cut, struct mp_event *event)
{
	static const char *const signatures[] = { "DMA_GET_XFER_SYNC_STATUS failed",
		"DMABUF_METIS_WAIT failed", "USR_DMA_XFER failed",
		"Device communication timed out" };

	for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++)
		if (has(cut, signatures[i]))
			return set(event, MP_EVENT_USER, signatures[i]);
	return (has(cut, "vfio") || has(cut, "VFIO")) && qemu(cut, event);
}

/* --- what was set or tried --- */

bool mp_event_cmdline(struct mp_cut cut, struct mp_event *event)
{
	return (MP_CUT(&cut, "Command line: ") ||
		       MP_CUT(&cut, "Kernel command line: ")) &&
	       set(event, MP_EVENT_CMDLINE, "");
}

bool mp_event_tried(struct mp_cut cut, struct mp_event *event)
{
	static const struct {
		const char *text, *and;
		enum mp_tried tried;
	} rows[] = {
		{ "unsafe_interrupts", "allow", MP_TRIED_UNSAFE },
		{ "mem-prealloc", "", MP_TRIED_PREALLOC },
		{ "kernel-irqchip", "split", MP_TRIED_IRQCHIP },
		{ "kernel_irqchip", "split", MP_TRIED_IRQCHIP },
		{ "rmmod ", "metis", MP_TRIED_UNLOAD },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (has(cut, rows[i].text) && has(cut, rows[i].and))
			event->number |= UINT64_C(1) << rows[i].tried;
	return event->number && set_number(event, MP_EVENT_TRIED, event->number);
}
