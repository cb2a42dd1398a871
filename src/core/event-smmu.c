/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of ARM's SMMU: version 3 prints a record of four words, a line each, and since 6.13
 * two lines of words (arm_smmu_dump_event() in arm-smmu-v3.c); version 2 one line
 * (arm_smmu_context_fault() in arm-smmu.c). Nothing here was seen on such a machine by us.
 */
#include "config.h"

#include "core/event-private.h"

static const struct {
	uint8_t id;
	const char *name;
} names[] = {
	{ 0x01, "F_UUT" },
	{ 0x02, "C_BAD_STREAMID" },
	{ 0x03, "F_STE_FETCH" },
	{ 0x04, "C_BAD_STE" },
	{ 0x05, "F_BAD_ATS_TREQ" },
	{ 0x06, "F_STREAM_DISABLED" },
	{ 0x07, "F_TRANSL_FORBIDDEN" },
	{ 0x08, "C_BAD_SUBSTREAMID" },
	{ 0x09, "F_CD_FETCH" },
	{ 0x0a, "C_BAD_CD" },
	{ 0x0b, "F_WALK_EABT" },
	{ 0x10, "F_TRANSLATION" },
	{ 0x11, "F_ADDR_SIZE" },
	{ 0x12, "F_ACCESS" },
	{ 0x13, "F_PERMISSION" },
	{ 0x25, "F_VMS_FETCH" },
};

static void set_id(struct mp_event *event, uint32_t id)
{
	event->has_reason = true;
	event->reason = id;
	event->kind = id >= 0x10 && id <= 0x13 ? MP_EVENT_DMA : MP_EVENT_IOMMU;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].id == id)
			g_strlcpy(event->detail, names[i].name, sizeof(event->detail));
}

/* Words of the record; SMMUv3 specification, "Event records". */
void mp_event_smmu_word(struct mp_event *event, unsigned index, uint64_t word)
{
	switch (index) {
	case 0:
		event->has_stream = true;
		event->stream = (uint32_t)(word >> 32);
		if (word & 1 << 11) {
			event->has_pasid = true;
			event->pasid = (uint32_t)(word >> 12) & 0xfffff;
		}
		break;
	case 1:
		if (event->kind == MP_EVENT_DMA)
			event->direction = word & UINT64_C(1) << 35 ? MP_DIRECTION_READ
								    : MP_DIRECTION_WRITE;
		break;
	case 2:
		event->has_address = event->kind == MP_EVENT_DMA;
		event->address = event->has_address ? word : 0;
		break;
	default:
		break;
	}
}

/* Behind "event: ". */
static bool words_event(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t value;

	mp_cut_word(cut, " ", event->detail, sizeof(event->detail));
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(event->detail, names[i].name))
			set_id(event, names[i].id);
	if (!event->has_reason)
		event->kind = MP_EVENT_IOMMU;
	if (!MP_CUT(cut, " client: "))
		return false;
	if (!mp_cut_address(cut, event) && !MP_CUT(cut, "(unassigned sid)"))
		while (cut->at < cut->end && *cut->at != ' ')
			cut->at++; /* a device that is none of PCI */
	if (MP_CUT(cut, " sid: ") && mp_cut_0xhex(cut, &value)) {
		event->has_stream = true;
		event->stream = (uint32_t)value;
	}
	if (MP_CUT(cut, " ssid: ") && mp_cut_0xhex(cut, &value) && value) {
		event->has_pasid = true;
		event->pasid = (uint32_t)value;
	}
	if (MP_CUT(cut, " iova: ") && mp_cut_0xhex(cut, &value)) {
		event->has_address = true;
		event->address = value;
	}
	return true;
}

/* Behind "Unhandled context fault: "; FSYNR0 bit 4 (WNR): a write. */
static bool version2(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t fsr, iova, value;

	if (!MP_CUT(cut, "fsr=") || !mp_cut_0xhex(cut, &fsr) ||
		!MP_CUT_TO(cut, "iova=") || !mp_cut_0xhex(cut, &iova))
		return false;
	event->kind = MP_EVENT_DMA;
	event->has_flags = true;
	event->flags = (uint32_t)fsr;
	event->has_address = true;
	event->address = iova;
	if (MP_CUT_TO(cut, "fsynr=") && mp_cut_0xhex(cut, &value))
		event->direction =
			value & 1 << 4 ? MP_DIRECTION_WRITE : MP_DIRECTION_READ;
	if (MP_CUT_TO(cut, "cbfrsynra=") && mp_cut_0xhex(cut, &value)) {
		event->has_stream = true;
		event->stream = (uint32_t)value & 0xffff;
	}
	return true;
}

bool mp_event_smmu(struct mp_cut cut, struct mp_event *event, enum mp_more *more)
{
	uint64_t value;

	/* "arm-smmu-v3 arm-smmu-v3.0.auto: " */
	if (!MP_CUT(&cut, "arm-smmu") || !MP_CUT_TO(&cut, ": "))
		return false;
	event->unit = MP_UNIT_SMMU;
	if (MP_CUT(&cut, "event 0x") && mp_cut_hex(&cut, 2, &value) &&
		MP_CUT(&cut, " received:")) {
		set_id(event, (uint32_t)value);
		*more = MP_MORE_SMMU_RECORD;
		return true;
	}
	if (MP_CUT(&cut, "event: ")) {
		*more = MP_MORE_SMMU_CLIENT;
		return words_event(&cut, event);
	}
	if (MP_CUT(&cut, "EVTQ overflow detected")) {
		event->kind = MP_EVENT_LOST;
		return true;
	}
	if (MP_CUT(&cut, "Unhandled context fault: "))
		return version2(&cut, event);
	mp_cut_spaces(&cut);
	if (MP_CUT(&cut, "0x") && mp_cut_hex(&cut, 16, &value)) {
		*more = MP_MORE_SMMU_WORD;
		event->number = value;
		return true;
	}
	if (MP_CUT(&cut, "priv ") || MP_CUT(&cut, "unpriv ")) {
		*more = MP_MORE_SMMU_ACCESS;
		if (!MP_CUT(&cut, "data ") && !MP_CUT(&cut, "inst "))
			return false;
		event->direction = MP_CUT(&cut, "write ")  ? MP_DIRECTION_WRITE
				   : MP_CUT(&cut, "read ") ? MP_DIRECTION_READ
							   : MP_DIRECTION_NONE;
		return event->direction != MP_DIRECTION_NONE;
	}
	return false;
}
