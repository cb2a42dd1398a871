/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/event-log.h"
#include "core/fact.h"

#define SLOTS       4096 /* a power of 2, more than there may be sums */
#define TEXT_MAX    512
#define CMDLINE_MAX 4096
G_STATIC_ASSERT(SLOTS >= 2 * MP_EVENT_SUMS);

static void sum_free(void *data)
{
	struct mp_event_sum *sum = data;

	g_free(sum->text);
	g_free(sum);
}

struct mp_event_log *mp_event_log_new(void)
{
	struct mp_event_log *log = g_new0(struct mp_event_log, 1);

	log->sums = g_ptr_array_new_with_free_func(sum_free);
	log->slots = g_new0(uint16_t, SLOTS);
	return log;
}

void mp_event_log_free(struct mp_event_log *log)
{
	if (!log)
		return;
	g_ptr_array_unref(log->sums);
	g_free(log->slots);
	g_free(log->cmdline);
	g_free(log);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t who(const struct mp_event *event)
{
	return (uint64_t)event->has_device << 63 | (uint64_t)event->has_segment << 62 |
	       (uint64_t)event->segment << 24 | (uint64_t)event->bus << 16 |
	       (uint64_t)event->slot << 8 | event->function;
}

/* What comes from an attacker may collide as it likes: then sorts are dropped earlier. */
static uint64_t hash_of(const struct mp_event *event)
{
	uint64_t hash = mix(who(event), (uint64_t)event->kind << 8 | event->unit);

	hash = mix(hash, (uint64_t)event->direction << 32 | event->reason);
	hash = mix(hash, (uint64_t)event->flags << 32 | event->index);
	hash = mix(hash, (uint64_t)event->stream << 32 | event->pasid);
	hash = mix(hash, event->number);
	return *event->detail ? mix(hash, g_str_hash(event->detail)) : hash;
}

static bool alike(const struct mp_event *a, const struct mp_event *b)
{
	return a->kind == b->kind && a->unit == b->unit && who(a) == who(b) &&
	       a->direction == b->direction && a->has_reason == b->has_reason &&
	       a->reason == b->reason && a->has_flags == b->has_flags &&
	       a->flags == b->flags && a->has_index == b->has_index &&
	       a->index == b->index && a->has_stream == b->has_stream &&
	       a->stream == b->stream && a->has_pasid == b->has_pasid &&
	       a->pasid == b->pasid && a->number == b->number &&
	       (*a->detail == *b->detail && !strcmp(a->detail, b->detail));
}

static void copy_stamp(char stamp[40], const struct mp_event *event)
{
	size_t length = event->stamp ? MIN(event->stamp_length, 39) : 0;

	memcpy(stamp, event->stamp ? event->stamp : "", length);
	stamp[length] = '\0';
}

static struct mp_event_sum *add_sum(
	struct mp_event_log *log, const struct mp_event *event)
{
	struct mp_event_sum *sum = g_new0(struct mp_event_sum, 1);

	sum->event = *event;
	sum->text = mp_clean_text(event->text, MIN(event->length, TEXT_MAX));
	sum->event.text = sum->text;
	sum->event.length = strlen(sum->text);
	copy_stamp(sum->first_stamp, event);
	sum->event.stamp = sum->first_stamp;
	sum->event.stamp_length = strlen(sum->first_stamp);
	sum->lowest = UINT64_MAX;
	g_ptr_array_add(log->sums, sum);
	return sum;
}

/* The sum for EVENT; NULL: no room. */
static struct mp_event_sum *sum_for(
	struct mp_event_log *log, const struct mp_event *event)
{
	uint64_t slot = hash_of(event);

	for (int tries = 0; tries < 64; tries++, slot++) {
		uint16_t *index = &log->slots[slot & (SLOTS - 1)];
		struct mp_event_sum *sum;

		if (!*index) {
			if (log->sums->len == MP_EVENT_SUMS)
				return NULL;
			sum = add_sum(log, event);
			*index = (uint16_t)log->sums->len;
			return sum;
		}
		sum = log->sums->pdata[*index - 1];
		if (alike(&sum->event, event))
			return sum;
	}
	return NULL;
}

static void add_address(struct mp_event_sum *sum, uint64_t address)
{
	sum->lowest = MIN(sum->lowest, address);
	sum->highest = MAX(sum->highest, address);
	for (unsigned i = 0; i < sum->n_addresses; i++)
		if (sum->addresses[i].address == address) {
			sum->addresses[i].count++;
			return;
		}
	if (sum->n_addresses == MP_EVENT_ADDRESSES) {
		sum->more_addresses = true;
		return;
	}
	sum->addresses[sum->n_addresses++] = (struct mp_event_address){ address, 1 };
}

void mp_event_log_add(void *user, const struct mp_event *event)
{
	struct mp_event_log *log = user;
	struct mp_event_sum *sum;

	if (event->kind == MP_EVENT_CMDLINE) {
		if (!log->cmdline)
			log->cmdline = mp_clean_text(
				event->text, MIN(event->length, CMDLINE_MAX));
		return;
	}
	log->events++;
	sum = sum_for(log, event);
	if (!sum) {
		log->dropped++;
		return;
	}
	sum->count += event->at_least;
	sum->last_line = event->line;
	copy_stamp(sum->last_stamp, event);
	if (event->has_address)
		add_address(sum, event->address);
}

uint64_t mp_event_log_count(const struct mp_event_log *log, enum mp_event_kind kind)
{
	uint64_t count = 0;

	for (guint i = 0; i < log->sums->len; i++) {
		const struct mp_event_sum *sum = log->sums->pdata[i];

		if (sum->event.kind == kind)
			count += sum->count;
	}
	return count;
}
