/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event-private.h - what the parsers of event-*.c share: a cursor in a line. Lines don't end
 * with a NUL and there may be a million of them, so words are compared and numbers are read
 * where they stand. Every mp_cut_*() moves on only if it returns true.
 */
#ifndef MP_EVENT_PRIVATE_H
#define MP_EVENT_PRIVATE_H

#include <string.h>

#include "core/event.h"

struct mp_cut {
	const char *at, *end;
};

#define MP_CUT(cut, literal)    mp_cut_text(cut, literal, sizeof(literal) - 1)
/* The first LITERAL from here on; moves behind it. */
#define MP_CUT_TO(cut, literal) mp_cut_behind(cut, literal, sizeof(literal) - 1)

static inline bool mp_cut_text(struct mp_cut *cut, const char *text, size_t length)
{
	if ((size_t)(cut->end - cut->at) < length || memcmp(cut->at, text, length) != 0)
		return false;
	cut->at += length;
	return true;
}

static inline bool mp_cut_behind(struct mp_cut *cut, const char *text, size_t length)
{
	const char *found = memmem(cut->at, (size_t)(cut->end - cut->at), text, length);

	if (found)
		cut->at = found + length;
	return found != NULL;
}

static inline bool mp_cut_char(struct mp_cut *cut, char c)
{
	if (cut->at == cut->end || *cut->at != c)
		return false;
	cut->at++;
	return true;
}

static inline void mp_cut_spaces(struct mp_cut *cut)
{
	while (cut->at < cut->end && (*cut->at == ' ' || *cut->at == '\t'))
		cut->at++;
}

/* 1 to MOST digits (at most 16), as many as there are; more: false. */
bool mp_cut_hex(struct mp_cut *cut, unsigned most, uint64_t *value);
bool mp_cut_decimal(struct mp_cut *cut, uint64_t *value); /* to 19 digits */
/* With "0x" before or not. */
bool mp_cut_0xhex(struct mp_cut *cut, uint64_t *value);
/* Up to the next of STOP or the end of the line, at most SIZE - 1 bytes; may be empty. */
void mp_cut_word(struct mp_cut *cut, const char *stop, char *word, size_t size);
/* "BB:DD.F" or "SSSS:BB:DD.F" into EVENT. */
bool mp_cut_address(struct mp_cut *cut, struct mp_event *event);

/* --- what stands before a message (event-prefix.c) --- */

enum mp_speaker {
	MP_SPEAKER_KERNEL,  /* a tag or a time that only the kernel's messages have */
	MP_SPEAKER_UNKNOWN, /* the bare message */
	MP_SPEAKER_PROGRAM,
};

/* Moves CUT to where the message begins; fills EVENT's stamp. */
enum mp_speaker mp_event_prefix(struct mp_cut *cut, struct mp_event *event);
/* "vfio-pci 0000:86:00.0: ": the device that a message is about. */
bool mp_event_device_prefix(struct mp_cut *cut, struct mp_event *event);

/* --- families: each looks at a message from its start; true: EVENT is one --- */

/* Beyond EVENT, what a line may add to one before it. */
enum mp_more {
	MP_MORE_NONE,
	MP_MORE_REASON_DMA, /* the second line: EVENT's reason */
	MP_MORE_REASON_INTERRUPT,
	MP_MORE_AMD_FIELDS,
	MP_MORE_AMD_EMPTY,   /* the first line: fields follow */
	MP_MORE_SMMU_RECORD, /* the first line: words follow, a line each */
	MP_MORE_SMMU_WORD,   /* EVENT's number is one */
	MP_MORE_SMMU_CLIENT, /* the same in words; who it was */
	MP_MORE_SMMU_ACCESS, /* EVENT's direction */
};

bool mp_event_intel(struct mp_cut cut, struct mp_event *event, enum mp_more *more);
bool mp_event_amd(
	struct mp_cut cut, bool of_device, struct mp_event *event, enum mp_more *more);
bool mp_event_smmu(struct mp_cut cut, struct mp_event *event, enum mp_more *more);
/* Adds word INDEX of a record. */
void mp_event_smmu_word(struct mp_event *event, unsigned index, uint64_t word);
bool mp_event_suppressed(struct mp_cut cut, struct mp_event *event);
/* Messages about a device, behind its prefix; VFIO's without; the card's driver's, both. */
bool mp_event_pci(struct mp_cut cut, struct mp_event *event);
bool mp_event_vfio(struct mp_cut cut, struct mp_event *event);
bool mp_event_card(struct mp_cut cut, bool of_device, struct mp_event *event);
bool mp_event_cmdline(struct mp_cut cut, struct mp_event *event);
/* Programs: QEMU, the card's runtime; anywhere in the line. */
bool mp_event_user(struct mp_cut cut, struct mp_event *event);
bool mp_event_tried(struct mp_cut cut, struct mp_event *event);

#endif
