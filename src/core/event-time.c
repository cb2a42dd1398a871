/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The many ways in which logs tell the time, as seconds since the epoch. */
#include "config.h"

#include <string.h>

#include "core/event-time.h"
#include "core/fact.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool number_at(const char *text, size_t at, size_t length, int *value)
{
	*value = 0;
	for (size_t i = at; i < at + length; i++) {
		if (text[i] == ' ' && i == at)
			continue; /* "Nov  2" */
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (text[i] - '0');
	}
	return true;
}

static bool local(
	int year, int month, int day, int hour, int minute, int second, int64_t *seconds)
{
	g_autoptr(GDateTime) time =
		g_date_time_new_local(year, month, day, hour, minute, MIN(second, 59));

	if (!time)
		return false;
	*seconds = g_date_time_to_unix(time);
	return true;
}

static int month_of(const char *text)
{
	for (int month = 0; month < 12; month++)
		if (!strncmp(text, months + 3 * month, 3))
			return month + 1;
	return 0;
}

/* "Nov 22 14:01:10": of the years that which is not in the future. */
static bool syslog_time(const char *text, int64_t now, int64_t *seconds)
{
	g_autoptr(GDateTime) today = g_date_time_new_from_unix_local(now);
	int month = month_of(text), day, hour, minute, second, year;

	if (!today || !month || strlen(text) < 15 || !number_at(text, 4, 2, &day) ||
		!number_at(text, 7, 2, &hour) || !number_at(text, 10, 2, &minute) ||
		!number_at(text, 13, 2, &second))
		return false;
	year = g_date_time_get_year(today);
	if (!local(year, month, day, hour, minute, second, seconds))
		return false;
	if (*seconds <= now + 24 * 3600)
		return true;
	return local(year - 1, month, day, hour, minute, second, seconds);
}

/* "Sun Nov 22 14:01:10 2026": dmesg -T */
static bool ctime_time(const char *text, int64_t *seconds)
{
	int month, day, hour, minute, second, year;

	if (strlen(text) < 24)
		return false;
	month = month_of(text + 4);
	return month && number_at(text, 8, 2, &day) && number_at(text, 11, 2, &hour) &&
	       number_at(text, 14, 2, &minute) && number_at(text, 17, 2, &second) &&
	       number_at(text, 20, 4, &year) &&
	       local(year, month, day, hour, minute, second, seconds);
}

/* "2026-11-22T14:01:10.5+00:00", "2026-11-22 14:01:10 CET", "2026-11-22" */
static bool iso_time(const char *text, int64_t *seconds)
{
	int year, month, day, hour = 0, minute = 0, second = 0;
	size_t length = strlen(text);
	g_autoptr(GDateTime) time = NULL;
	g_autofree char *dots = g_strdup(text);

	if (length < 10 || text[4] != '-' || text[7] != '-' ||
		!number_at(text, 0, 4, &year) || !number_at(text, 5, 2, &month) ||
		!number_at(text, 8, 2, &day))
		return false;
	g_strdelimit(dots, ",", '.');
	time = g_date_time_new_from_iso8601(dots, NULL);
	if (time) {
		*seconds = g_date_time_to_unix(time);
		return true;
	}
	/* The zone's name is that of the machine, most likely. */
	if (length >= 16 &&
		(!number_at(text, 11, 2, &hour) || !number_at(text, 14, 2, &minute)))
		return false;
	if (length >= 19 && !number_at(text, 17, 2, &second))
		return false;
	return local(year, month, day, hour, minute, second, seconds);
}

static bool boot_time(
	const char *text, const struct mp_event_clock *clock, int64_t *seconds)
{
	size_t digits = strspn(text, "0123456789");
	g_autofree char *whole = g_strndup(text, digits);
	uint64_t value;

	if (clock->boot < 0 || !digits || !mp_parse_uint(whole, 10, &value) ||
		value > INT64_MAX / 2)
		return false;
	/* Without a dot: the microseconds of a /dev/kmsg record. */
	*seconds = clock->boot + (int64_t)(text[digits] == '.' ? value : value / 1000000);
	return true;
}

bool mp_event_seconds(const struct mp_event *event, const struct mp_event_clock *clock,
	int64_t *seconds)
{
	g_autofree char *text = NULL;
	size_t digits;

	if (!event->stamp)
		return false;
	text = g_strndup(event->stamp, event->stamp_length);
	if (event->stamp_kind == MP_STAMP_BOOT)
		return boot_time(text, clock, seconds);
	digits = strspn(text, "0123456789");
	if (digits >= 9 && text[digits] == '.') {
		g_autofree char *whole = g_strndup(text, digits);
		uint64_t value;

		if (!mp_parse_uint(whole, 10, &value) || value > INT64_MAX)
			return false;
		*seconds = (int64_t)value;
		return true;
	}
	return iso_time(text, seconds) || ctime_time(text, seconds) ||
	       syslog_time(text, clock->now, seconds);
}

bool mp_since_parse(const char *text, int64_t now, int64_t *seconds)
{
	static const struct {
		const char *suffix;
		int64_t seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "m", 60 }, { "h", 3600 },
		{ "d", 24 * 3600 } };
	size_t digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	uint64_t value;

	if (*text == '@')
		return mp_parse_uint(text + 1, 10, &value) && value <= INT64_MAX &&
		       (*seconds = (int64_t)value, true);
	if (digits && mp_parse_uint(number, 10, &value) && value <= 1000000)
		for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
			if (!strcmp(text + digits, units[i].suffix)) {
				*seconds = now - (int64_t)value * units[i].seconds;
				return true;
			}
	return iso_time(text, seconds);
}
