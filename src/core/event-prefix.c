/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands before a message: dmesg in its many forms, journalctl's outputs, syslog files,
 * the records of /dev/kmsg, and marks of quotation. Also the cursor's numbers.
 */
#include "config.h"

#include "core/event-private.h"

/* --- cursor --- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mp_cut_hex(struct mp_cut *cut, unsigned most, uint64_t *value)
{
	const char *at = cut->at;
	uint64_t number = 0;

	for (; at < cut->end && digit(*at) >= 0; at++) {
		if (at - cut->at == (ptrdiff_t)most)
			return false;
		number = number << 4 | (uint64_t)digit(*at);
	}
	if (at == cut->at)
		return false;
	cut->at = at;
	*value = number;
	return true;
}

bool mp_cut_decimal(struct mp_cut *cut, uint64_t *value)
{
	const char *at = cut->at;
	uint64_t number = 0;

	for (; at < cut->end && *at >= '0' && *at <= '9'; at++) {
		if (at - cut->at == 19)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	if (at == cut->at)
		return false;
	cut->at = at;
	*value = number;
	return true;
}

bool mp_cut_0xhex(struct mp_cut *cut, uint64_t *value)
{
	struct mp_cut old = *cut;

	MP_CUT(cut, "0x");
	if (mp_cut_hex(cut, 16, value))
		return true;
	*cut = old;
	return false;
}

void mp_cut_word(struct mp_cut *cut, const char *stop, char *word, size_t size)
{
	size_t length = 0;

	for (; cut->at < cut->end && !strchr(stop, *cut->at); cut->at++)
		if (length + 1 < size && *cut->at)
			word[length++] = *cut->at;
	word[length] = '\0';
}

bool mp_cut_address(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;
	uint64_t part[3], function;
	int parts = 0;

	do {
		if (parts == 3 || !mp_cut_hex(&at, 8, &part[parts++]))
			return false;
	} while (mp_cut_char(&at, ':'));
	if (parts < 2 || !mp_cut_char(&at, '.') || !mp_cut_hex(&at, 1, &function) ||
		function > 7 || part[parts - 1] > 31 || part[parts - 2] > 0xff)
		return false;
	event->has_device = true;
	event->has_segment = parts == 3;
	event->segment = parts == 3 ? (uint32_t)part[0] : 0;
	event->bus = (uint8_t)part[parts - 2];
	event->slot = (uint8_t)part[parts - 1];
	event->function = (uint8_t)function;
	*cut = at;
	return true;
}

/* --- times and tags --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

static void stamp(
	struct mp_event *event, enum mp_stamp kind, const char *at, size_t length)
{
	if (event->stamp)
		return; /* the outer one, with a date, tells more */
	event->stamp_kind = kind;
	event->stamp = at;
	event->stamp_length = length;
}

static size_t left(const struct mp_cut *cut)
{
	return (size_t)(cut->end - cut->at);
}

/* "Nov 22 14:01:10 " */
static bool cut_syslog_date(struct mp_cut *cut, struct mp_event *event)
{
	const char *at = cut->at;

	if (left(cut) < 16 || at[3] != ' ' || at[6] != ' ' || at[9] != ':' ||
		at[12] != ':' || at[15] != ' ' || !is_letter(at[0]) ||
		!is_letter(at[1]) || !is_letter(at[2]) || !is_digit(at[5]))
		return false;
	stamp(event, MP_STAMP_DATE, at, 15);
	cut->at += 16;
	return true;
}

/* "2026-11-22T14:01:10.123456+00:00 ", "2026-11-22 14:01:10 "; COMMA: as dmesg writes it. */
static bool cut_iso_date(struct mp_cut *cut, struct mp_event *event, bool *comma)
{
	const char *at = cut->at, *end;

	if (left(cut) < 20 || at[4] != '-' || at[7] != '-' || at[13] != ':' ||
		at[16] != ':' || (at[10] != 'T' && at[10] != ' ') || !is_digit(at[0]) ||
		!is_digit(at[9]))
		return false;
	end = memchr(at + 19, ' ', MIN(left(cut), 40) - 19);
	if (!end)
		return false;
	*comma = at[19] == ',';
	stamp(event, MP_STAMP_DATE, at, (size_t)(end - at));
	cut->at = end + 1;
	return true;
}

/* "Sun 2026-11-22 14:01:10 UTC ": journalctl -o short-full */
static bool cut_full_date(struct mp_cut *cut, struct mp_event *event)
{
	const char *at = cut->at, *zone;

	if (left(cut) < 26 || at[3] != ' ' || at[8] != '-' || at[11] != '-' ||
		at[14] != ' ' || at[17] != ':' || at[20] != ':' || !is_digit(at[4]))
		return false;
	zone = memchr(at + 24, ' ', MIN(left(cut), 36) - 24);
	if (!zone)
		return false;
	stamp(event, MP_STAMP_DATE, at + 4, (size_t)(zone - at) - 4);
	cut->at = zone + 1;
	return true;
}

/* "1795356070.123456 ": journalctl -o short-unix */
static bool cut_unix_date(struct mp_cut *cut, struct mp_event *event)
{
	const char *at = cut->at;
	size_t i = 0;

	while (i < left(cut) && i < 12 && is_digit(at[i]))
		i++;
	if (i < 9 || i >= left(cut) || at[i] != '.')
		return false;
	for (i++; i < left(cut) && is_digit(at[i]); i++)
		;
	if (i >= left(cut) || at[i] != ' ')
		return false;
	stamp(event, MP_STAMP_DATE, at, i);
	cut->at += i + 1;
	return true;
}

/* "6,1234,98765432,-;": a record of /dev/kmsg; its time is in microseconds. */
static bool cut_kmsg(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;
	uint64_t priority, sequence, micros;
	const char *time, *end;

	if (!mp_cut_decimal(&at, &priority) || !mp_cut_char(&at, ',') ||
		!mp_cut_decimal(&at, &sequence) || !mp_cut_char(&at, ','))
		return false;
	time = at.at;
	if (!mp_cut_decimal(&at, &micros) || at.at == at.end || *at.at != ',')
		return false;
	end = memchr(at.at, ';', MIN(left(&at), 64));
	/* Facilities other than 0 are those of programs that write there. */
	if (!end || priority > 7)
		return false;
	stamp(event, MP_STAMP_BOOT, time, (size_t)(at.at - time));
	cut->at = end + 1;
	return true;
}

/* Behind "[": does a time or the caller ("T12", "C3") stand there? Not "[DMA Write". */
static bool is_time(const char *text, size_t length, enum mp_stamp *kind)
{
	static const char days[] =
		"Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul "
		"Aug Sep Oct Nov Dec";
	size_t start = 0, digits = 0;

	for (const char *day = days; length >= 7; day += 4) {
		if (!memcmp(text, day, 3) && (text[3] == ' ' || is_digit(text[3]))) {
			*kind = MP_STAMP_DATE;
			return true;
		}
		if (!day[3])
			break;
	}
	*kind = MP_STAMP_NONE;
	while (start < length && text[start] == ' ')
		start++;
	if (start < length && (text[start] == 'T' || text[start] == 'C'))
		start++;
	else
		*kind = MP_STAMP_BOOT;
	for (size_t i = start; i < length; i++) {
		if (!is_digit(text[i]) && !strchr(". <>+", text[i]))
			return false;
		digits += is_digit(text[i]);
	}
	return digits > 0;
}

/* "[ 1234.567890] ", "[    T0] ", "[Sun Nov 22 14:01:10 2026] " */
static bool cut_bracket(struct mp_cut *cut, struct mp_event *event)
{
	const char *at = cut->at, *end;
	enum mp_stamp kind;
	size_t spaces;

	if (left(cut) < 3 || *at != '[')
		return false;
	end = memchr(at, ']', MIN(left(cut), 48));
	if (!end || !is_time(at + 1, (size_t)(end - at) - 1, &kind))
		return false;
	spaces = strspn(at + 1, " ");
	if (kind != MP_STAMP_NONE)
		stamp(event, kind, at + 1 + spaces, (size_t)(end - at) - 1 - spaces);
	cut->at = end + 1;
	mp_cut_char(cut, ' ');
	return true;
}

/* "kern  :err   : ": dmesg -x */
static bool cut_facility(struct mp_cut *cut, enum mp_speaker *speaker)
{
	struct mp_cut at = *cut;
	const char *name = at.at;
	size_t length;

	while (at.at < at.end && is_letter(*at.at) && at.at - name < 10)
		at.at++;
	length = (size_t)(at.at - name);
	mp_cut_spaces(&at);
	if (length < 3 || at.at - name != 6 || !mp_cut_char(&at, ':'))
		return false;
	while (at.at < at.end && is_letter(*at.at))
		at.at++;
	mp_cut_spaces(&at);
	if (!mp_cut_char(&at, ':'))
		return false;
	mp_cut_char(&at, ' ');
	*speaker = length == 4 && !memcmp(name, "kern", 4) ? MP_SPEAKER_KERNEL
							   : MP_SPEAKER_PROGRAM;
	*cut = at;
	return true;
}

/* The word up to the next space; false: none, or longer than a host name. */
static bool cut_token(struct mp_cut *cut, struct mp_cut *token)
{
	const char *space = memchr(cut->at, ' ', MIN(left(cut), 256));

	if (!space || space == cut->at)
		return false;
	*token = (struct mp_cut){ cut->at, space };
	cut->at = space + 1;
	return true;
}

/* "sshd[2211]:", "kernel:"; not "0000:86:00.0:". */
static bool is_tag(const struct mp_cut *token, bool *kernel)
{
	size_t length = left(token);

	if (length < 2 || token->end[-1] != ':' || memchr(token->at, ':', length - 1))
		return false;
	*kernel = length == 7 && !memcmp(token->at, "kernel:", 7);
	return true;
}

/*
 * "node1 kernel: " behind a date. NEEDED: a date that only logs with a tag have, so what has
 * none is somebody else's. Else (dmesg) it is the kernel's message unless a program with its
 * number stands there.
 */
static enum mp_speaker cut_tag(struct mp_cut *cut, bool needed)
{
	struct mp_cut at = *cut, host, tag;
	bool kernel = false;

	if (cut_token(&at, &host) && !memchr(host.at, ':', left(&host)) &&
		cut_token(&at, &tag) && is_tag(&tag, &kernel) &&
		(kernel || needed || tag.end[-2] == ']')) {
		*cut = at;
		return kernel ? MP_SPEAKER_KERNEL : MP_SPEAKER_PROGRAM;
	}
	return needed ? MP_SPEAKER_PROGRAM : MP_SPEAKER_KERNEL;
}

enum mp_speaker mp_event_prefix(struct mp_cut *cut, struct mp_event *event)
{
	enum mp_speaker speaker = MP_SPEAKER_UNKNOWN;
	bool comma = true;
	uint64_t priority;
	struct mp_cut at;

	/* Quoted in a mail, a forum, a list. */
	while (cut->at < cut->end && *cut->at && strchr(" \t>`*|", *cut->at))
		cut->at++;
	at = *cut;
	if (mp_cut_char(&at, '<') && mp_cut_decimal(&at, &priority) &&
		mp_cut_char(&at, '>')) {
		/* Facility 0 is the kernel's. */
		if (priority > 7)
			return MP_SPEAKER_PROGRAM;
		*cut = at;
	}
	if (cut_facility(cut, &speaker) && speaker == MP_SPEAKER_PROGRAM)
		return speaker;
	if (cut_syslog_date(cut, event) || cut_full_date(cut, event) ||
		cut_unix_date(cut, event))
		speaker = cut_tag(cut, true);
	else if (cut_iso_date(cut, event, &comma))
		speaker = cut_tag(cut, !comma);
	else if (cut_kmsg(cut, event))
		speaker = MP_SPEAKER_KERNEL;
	if (speaker == MP_SPEAKER_PROGRAM)
		return speaker;
	if (cut_bracket(cut, event)) {
		bool tagged = speaker == MP_SPEAKER_KERNEL && event->stamp < cut->at &&
			      event->stamp_kind == MP_STAMP_DATE;

		cut_bracket(cut, event); /* the caller */
		speaker = tagged ? MP_SPEAKER_KERNEL : cut_tag(cut, false);
	}
	return speaker;
}

bool mp_event_device_prefix(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;

	while (at.at < at.end && (is_letter(*at.at) || is_digit(*at.at) ||
					 (*at.at && strchr("-_.", *at.at))))
		at.at++;
	if (at.at == cut->at || at.at - cut->at > 32 || !mp_cut_char(&at, ' ') ||
		!mp_cut_address(&at, event))
		return false;
	if (!mp_cut_char(&at, ':') || !event->has_segment) {
		event->has_device = event->has_segment = false;
		return false;
	}
	mp_cut_char(&at, ' ');
	*cut = at;
	return true;
}
