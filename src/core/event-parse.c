/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks through a log: finds lines that may be events, parses them, joins those that belong
 * together. Memory is constant, whatever the log holds. */
#include "config.h"

#include "core/event-private.h"
#include "core/event-scan.h"

#define BUFFER     (128u * 1024)
#define BEFORE_MAX 512u  /* of a line before the word that marks it */
#define LINE_BYTES 2048u /* of a line that is looked at; printk's own limit is 1024 */
#define WAITING    4     /* faults whose second line has not come */
#define NEAR       8192  /* bytes within which it has to come */

/* An event that may be completed by a later line. */
struct waiting {
	struct mp_event event;
	char text[LINE_BYTES]; /* the event's line */
	uint64_t offset;
	unsigned words; /* SMMU: how many of its record came */
	bool used;
};

struct mp_event_parser {
	mp_event_sink sink;
	void *user;
	char *buffer;
	size_t used;
	uint64_t offset; /* of the buffer's begin in the log */
	uint64_t lines;  /* before the buffer */
	bool skipping;   /* the buffer begins inside a line that is too long */
	struct waiting intel[WAITING];
	struct waiting other; /* AMD's or the SMMU's */
};

struct mp_event_parser *mp_event_parser_new(mp_event_sink sink, void *user)
{
	struct mp_event_parser *parser = g_new0(struct mp_event_parser, 1);

	parser->sink = sink;
	parser->user = user;
	parser->buffer = g_malloc(BUFFER);
	return parser;
}

void mp_event_parser_free(struct mp_event_parser *parser)
{
	if (!parser)
		return;
	g_free(parser->buffer);
	g_free(parser);
}

/* --- lines that belong together --- */

static void tell(struct mp_event_parser *parser, struct waiting *waiting)
{
	if (!waiting->used)
		return;
	waiting->used = false;
	parser->sink(parser->user, &waiting->event);
}

/* Of Intel's faults that wait; NULL: none does. Places are used again, so their order is not
 * that of the log. */
static struct waiting *oldest(struct mp_event_parser *parser)
{
	struct waiting *found = NULL;

	for (int i = 0; i < WAITING; i++) {
		struct waiting *slot = &parser->intel[i];

		if (slot->used && (!found || slot->offset < found->offset))
			found = slot;
	}
	return found;
}

/* What waits since before OFFSET will not be completed. */
static void expire(struct mp_event_parser *parser, uint64_t offset)
{
	struct waiting *slot;

	while ((slot = oldest(parser)) && slot->offset < offset)
		tell(parser, slot);
	if (parser->other.used && parser->other.offset < offset)
		tell(parser, &parser->other);
}

static void wait_for_more(
	struct waiting *waiting, const struct mp_event *event, uint64_t offset)
{
	ptrdiff_t stamp = event->stamp ? event->stamp - event->text : 0;

	waiting->event = *event;
	waiting->event.length = MIN(event->length, sizeof(waiting->text));
	memcpy(waiting->text, event->text, waiting->event.length);
	waiting->event.text = waiting->text;
	if (event->stamp)
		waiting->event.stamp = waiting->text + stamp;
	waiting->offset = offset;
	waiting->words = 0;
	waiting->used = true;
}

static void wait_for_reason(
	struct mp_event_parser *parser, const struct mp_event *event, uint64_t offset)
{
	struct waiting *slot = NULL;

	for (int i = 0; i < WAITING && !slot; i++)
		if (!parser->intel[i].used)
			slot = &parser->intel[i];
	/* A reason for the oldest would have come before one for the others. */
	if (!slot) {
		slot = oldest(parser);
		tell(parser, slot);
	}
	wait_for_more(slot, event, offset);
}

/* A reason on a line of its own belongs to the oldest fault of its kind. */
static void take_reason(struct mp_event_parser *parser, const struct mp_event *reason,
	enum mp_event_kind kind)
{
	struct waiting *oldest = NULL;
	unsigned waiting = 0;

	for (int i = 0; i < WAITING; i++) {
		struct waiting *slot = &parser->intel[i];

		if (!slot->used || slot->event.kind != kind)
			continue;
		waiting++;
		if (!oldest || slot->offset < oldest->offset)
			oldest = slot;
	}
	if (!oldest)
		return;
	oldest->event.has_reason = true;
	oldest->event.reason = reason->reason;
	oldest->event.unsure = waiting > 1;
	tell(parser, oldest);
}

static void take_amd_fields(struct mp_event_parser *parser, const struct mp_event *fields)
{
	struct mp_event *event = &parser->other.event;
	struct mp_event first = *event;

	if (!parser->other.used || first.unit != MP_UNIT_AMD)
		return;
	*event = *fields;
	event->stamp_kind = first.stamp_kind;
	event->stamp = first.stamp;
	event->stamp_length = first.stamp_length;
	event->line = first.line;
	event->text = first.text;
	event->length = first.length;
	tell(parser, &parser->other);
}

static void take_smmu(struct mp_event_parser *parser, const struct mp_event *event,
	enum mp_more more, uint64_t offset)
{
	struct waiting *waiting = &parser->other;
	bool open = waiting->used && waiting->event.unit == MP_UNIT_SMMU;

	switch (more) {
	case MP_MORE_SMMU_RECORD:
		tell(parser, waiting);
		wait_for_more(waiting, event, offset);
		break;
	case MP_MORE_SMMU_WORD:
		if (open && waiting->words < 4)
			mp_event_smmu_word(
				&waiting->event, waiting->words++, event->number);
		break;
	case MP_MORE_SMMU_CLIENT:
		if (!open || waiting->event.reason != event->reason) {
			tell(parser, waiting);
			wait_for_more(waiting, event, offset);
			break;
		}
		waiting->event.has_device = event->has_device;
		waiting->event.has_segment = event->has_segment;
		waiting->event.segment = event->segment;
		waiting->event.bus = event->bus;
		waiting->event.slot = event->slot;
		waiting->event.function = event->function;
		waiting->offset = offset;
		break;
	default:
		if (!open)
			break;
		waiting->event.direction = event->direction;
		tell(parser, waiting);
	}
}

static void take(struct mp_event_parser *parser, const struct mp_event *event,
	enum mp_more more, uint64_t offset)
{
	if (offset > NEAR)
		expire(parser, offset - NEAR);
	switch (more) {
	case MP_MORE_REASON_DMA:
		take_reason(parser, event, MP_EVENT_DMA);
		return;
	case MP_MORE_REASON_INTERRUPT:
		if (event->kind == MP_EVENT_INTERRUPT)
			break;
		take_reason(parser, event, MP_EVENT_INTERRUPT);
		return;
	case MP_MORE_AMD_FIELDS:
		take_amd_fields(parser, event);
		return;
	case MP_MORE_AMD_EMPTY:
		tell(parser, &parser->other);
		wait_for_more(&parser->other, event, offset);
		return;
	case MP_MORE_SMMU_RECORD:
	case MP_MORE_SMMU_WORD:
	case MP_MORE_SMMU_CLIENT:
	case MP_MORE_SMMU_ACCESS:
		take_smmu(parser, event, more, offset);
		return;
	default:
		break;
	}
	if (event->unit == MP_UNIT_INTEL && mp_event_is_fault(event->kind) &&
		!event->has_reason) {
		wait_for_reason(parser, event, offset);
		return;
	}
	if (parser->other.event.unit == MP_UNIT_SMMU)
		tell(parser, &parser->other);
	parser->sink(parser->user, event);
}

/* --- one line --- */

static bool kernel_message(struct mp_cut cut, struct mp_event *event, enum mp_more *more)
{
	char first = cut.at < cut.end ? *cut.at : '\0';

	if ((first == 'D' || first == 'I' || first == 'd') &&
		mp_event_intel(cut, event, more))
		return true;
	*more = MP_MORE_NONE;
	event->unit = MP_UNIT_NONE;
	if (mp_event_suppressed(cut, event) || mp_event_smmu(cut, event, more))
		return true;
	*more = MP_MORE_NONE;
	if (mp_event_device_prefix(&cut, event)) {
		if (mp_event_amd(cut, true, event, more))
			return true;
		*more = MP_MORE_NONE;
		event->unit = MP_UNIT_NONE;
		return mp_event_pci(cut, event) || mp_event_card(cut, true, event);
	}
	if (mp_event_amd(cut, false, event, more))
		return true;
	event->unit = MP_UNIT_NONE;
	*more = MP_MORE_NONE;
	return mp_event_vfio(cut, event) || mp_event_card(cut, false, event) ||
	       mp_event_cmdline(cut, event);
}

/* Colors of dmesg: ESC [ ... m */
static size_t drop_escapes(const char *text, size_t length, char *plain)
{
	size_t to = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\033') {
			plain[to++] = text[i];
			continue;
		}
		if (i + 1 < length && text[i + 1] == '[')
			for (i += 2; i < length && (text[i] < '@' || text[i] > '~'); i++)
				;
	}
	return to;
}

static void parse_line(struct mp_event_parser *parser, const char *text, size_t length,
	uint64_t line, uint64_t offset)
{
	struct mp_event event = { .at_least = 1, .line = line };
	enum mp_more more = MP_MORE_NONE;
	enum mp_speaker speaker;
	char plain[LINE_BYTES];
	struct mp_cut cut;

	length = MIN(length, sizeof(plain));
	if (memchr(text, '\033', length)) {
		length = drop_escapes(text, length, plain);
		text = plain;
	}
	while (length && (text[length - 1] == '\r' || text[length - 1] == '\n'))
		length--;
	event.text = text;
	event.length = length;
	cut = (struct mp_cut){ text, text + length };
	speaker = mp_event_prefix(&cut, &event);
	if (speaker != MP_SPEAKER_PROGRAM && kernel_message(cut, &event, &more)) {
		take(parser, &event, more, offset);
		return;
	}
	if (speaker == MP_SPEAKER_KERNEL)
		return;
	event.has_device = event.has_segment = event.has_number = false;
	event.unit = MP_UNIT_NONE;
	*event.detail = '\0';
	if (mp_event_user(cut, &event) || mp_event_tried(cut, &event))
		take(parser, &event, MP_MORE_NONE, offset);
}

/* --- all lines --- */

/* Where the line begins that AT is in; NULL: too far away for AT to matter. FLOOR begins one. */
static const char *line_start(const char *floor, const char *at)
{
	const char *from = at - floor > BEFORE_MAX ? at - BEFORE_MAX : floor;
	const char *newline = memrchr(from, '\n', (size_t)(at - from));

	if (newline)
		from = newline + 1;
	else if (from != floor)
		from = NULL;
	/* What a crash left in a file ends a line too. */
	const char *nul = memrchr(from ? from : at - BEFORE_MAX, '\0',
		(size_t)(at - (from ? from : at - BEFORE_MAX)));

	return nul ? nul + 1 : from;
}

static const char *line_end(const char *start, const char *end)
{
	const char *newline = memchr(start, '\n', (size_t)(end - start));
	const char *nul;

	if (newline)
		end = newline;
	nul = memchr(start, '\0', (size_t)(end - start));
	return nul ? nul : end;
}

/* The first LENGTH bytes of the buffer are whole lines, or all that there will be of one. */
static void parse(struct mp_event_parser *parser, size_t length)
{
	const char *at = parser->buffer, *end = at + length, *counted = at;

	while ((at = mp_event_scan(at, end)) < end) {
		const char *start = line_start(counted, at), *stop;

		if (!start) {
			at++;
			continue;
		}
		stop = line_end(at, end);
		parser->lines += mp_event_lines(counted, start);
		counted = start;
		parse_line(parser, start, (size_t)(stop - start), parser->lines + 1,
			parser->offset + (uint64_t)(start - parser->buffer));
		at = stop;
	}
	parser->lines += mp_event_lines(counted, end);
	parser->offset += length;
	memmove(parser->buffer, end, parser->used - length);
	parser->used -= length;
}

char *mp_event_parser_room(struct mp_event_parser *parser, size_t *size)
{
	*size = BUFFER - parser->used;
	return parser->buffer + parser->used;
}

static void skip(struct mp_event_parser *parser)
{
	char *newline = memchr(parser->buffer, '\n', parser->used);
	size_t length = newline ? (size_t)(newline - parser->buffer) + 1 : parser->used;

	parser->skipping = !newline;
	parser->lines += newline != NULL;
	parser->offset += length;
	parser->used -= length;
	memmove(parser->buffer, parser->buffer + length, parser->used);
}

void mp_event_parser_took(struct mp_event_parser *parser, size_t size)
{
	const char *newline;

	parser->used += size;
	if (parser->skipping)
		skip(parser);
	newline = memrchr(parser->buffer, '\n', parser->used);
	if (newline) {
		parse(parser, (size_t)(newline - parser->buffer) + 1);
	} else if (parser->used == BUFFER) {
		/* Its begin is all that counts of such a line. */
		parse(parser, parser->used);
		parser->skipping = true;
	}
}

void mp_event_parser_feed(struct mp_event_parser *parser, const char *data, size_t size)
{
	while (size) {
		size_t fits;
		char *room = mp_event_parser_room(parser, &fits);

		fits = MIN(fits, size);
		memcpy(room, data, fits);
		mp_event_parser_took(parser, fits);
		data += fits;
		size -= fits;
	}
}

void mp_event_parser_end(struct mp_event_parser *parser)
{
	if (parser->used)
		parse(parser, parser->used);
	expire(parser, UINT64_MAX);
}
