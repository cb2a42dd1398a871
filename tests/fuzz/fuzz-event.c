/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A log of any bytes: the first one says in which pieces it comes. */
#include "config.h"

#include <string.h>

#include "core/event-log.h"
#include "fuzz.h"

struct scene {
	struct mp_event_log *log;
	uint64_t line;
};

static void sink(void *user, const struct mp_event *event)
{
	struct scene *scene = user;

	g_assert(event->kind < MP_EVENTS && event->unit <= MP_UNIT_SMMU);
	g_assert(event->slot < 32 && event->function < 8);
	g_assert(event->line > 0);
	g_assert(memchr(event->detail, '\0', sizeof(event->detail)));
	g_assert(!event->stamp ||
		 (event->stamp >= event->text && event->stamp + event->stamp_length <=
							 event->text + event->length));
	mp_event_log_add(scene->log, event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_event_log) log = mp_event_log_new();
	struct scene scene = { log, 0 };
	g_autoptr(mp_event_parser) parser = mp_event_parser_new(sink, &scene);
	size_t piece = size ? (size_t)data[0] * 16 + 1 : 1;

	for (size_t at = 1; at < size; at += piece)
		mp_event_parser_feed(
			parser, (const char *)data + at, MIN(piece, size - at));
	mp_event_parser_end(parser);
	g_assert(log->sums->len <= MP_EVENT_SUMS);
	return 0;
}

MP_FUZZ_MAIN
