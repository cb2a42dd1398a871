// SPDX-License-Identifier: GPL-2.0-or-later
/* The script of words: see vendor.h. */

#include "vendor.h"

static uint8_t pattern_at(unsigned i)
{
	return (uint8_t)(0xc3 ^ i ^ i >> 8);
}

/* VMSI: the firmware sets bit 0 of the word of each event before it raises the interrupt. */
static bool take_event(struct vendor *v)
{
	volatile uint32_t *flags = (volatile uint32_t *)v->window.cpu;

	for (unsigned i = 0; flags && i < VENDOR_PAGE / 4; i++)
		if (flags[i] & 1) {
			flags[i] = 0;
			return true;
		}
	return false;
}

static void events(struct vendor *v, uint64_t wanted)
{
	unsigned start = v->io->seconds(v->io->user);
	uint64_t seen = 0;

	while (seen < wanted && v->io->seconds(v->io->user) - start <= v->patience)
		seen += take_event(v);
	vendor_say_number(v->io, "events", seen);
}

static bool differs(volatile uint8_t *page)
{
	for (unsigned i = 0; i < VENDOR_PAGE; i++)
		if (page[i] != pattern_at(i))
			return true;
	return false;
}

static void say_page(struct vendor *v, volatile uint8_t *page)
{
	if (!differs(page)) {
		v->io->say(v->io->user, "memory", "as it was");
		return;
	}
	v->io->say(v->io->user, "memory", "changed");
	for (unsigned i = 0; i < VENDOR_PAGE; i++)
		if (page[i] != pattern_at(i)) {
			vendor_say_number(v->io, "first-changed-offset", i);
			vendor_say_number(v->io, "first-changed-byte", page[i]);
			return;
		}
}

/* The page that a word names by its address. */
static volatile uint8_t *named_page(struct vendor *v, const char *text)
{
	uint64_t address;

	if (!vendor_number(&text, '\0', &address) || address % VENDOR_PAGE ||
		!v->io->page)
		return NULL;
	return v->io->page(v->io->user, address);
}

static bool memory_word(struct vendor *v, const char *word, bool *known)
{
	const char *fill = vendor_after(word, "pattern=");
	const char *wait = vendor_after(word, "changed=");
	const char *look = vendor_after(word, "same=");
	unsigned start = v->io->seconds(v->io->user);
	volatile uint8_t *page;

	*known = fill || wait || look;
	if (!*known)
		return false;
	page = named_page(v, fill ? fill : wait ? wait : look);
	if (!page)
		return false;
	if (fill) {
		for (unsigned i = 0; i < VENDOR_PAGE; i++)
			page[i] = pattern_at(i);
		return true;
	}
	while (wait && !differs(page) &&
		v->io->seconds(v->io->user) - start <= v->patience)
		;
	say_page(v, page);
	return true;
}

static bool set_message(struct vendor *v, const char *text)
{
	uint64_t address, data, vectors;

	if (!vendor_number(&text, ':', &address) || !vendor_number(&text, ':', &data) ||
		!vendor_number(&text, '\0', &vectors))
		return false;
	v->message.address = address;
	v->message.data = (uint32_t)data;
	v->message.vectors = (unsigned)vectors;
	v->own_message = true;
	return true;
}

static bool await(struct vendor *v, uint64_t limit)
{
	unsigned start = v->io->seconds(v->io->user);
	bool ready;

	while (!(ready = vendor_ready(v)) && v->io->seconds(v->io->user) - start <= limit)
		;
	v->io->say(v->io->user, "firmware", ready ? "ready" : "not ready");
	return ready;
}

static bool wait_for_vector(struct vendor *v, uint64_t vector)
{
	unsigned start = v->io->seconds(v->io->user);
	bool raised;

	if (vector >= v->message.vectors)
		return false;
	while (!(raised = v->io->raised(v->io->user, (unsigned)vector)) &&
		v->io->seconds(v->io->user) - start <= v->patience)
		;
	v->io->say(v->io->user, "vector", raised ? "raised" : "not raised");
	return true;
}

enum number_word { TIMEOUT, AWAIT, EVENTS, VECTOR, STOP, PATIENCE, NUMBER_WORDS };

static bool number_word(struct vendor *v, const char *word, bool *known)
{
	static const char *const prefixes[NUMBER_WORDS] = {
		[TIMEOUT] = "timeout=",
		[AWAIT] = "await=",
		[EVENTS] = "events=",
		[VECTOR] = "vector=",
		[STOP] = "stop=",
		[PATIENCE] = "patience=",
	};
	const char *text = NULL;
	unsigned which = 0;
	uint64_t number;

	while (which < NUMBER_WORDS && !(text = vendor_after(word, prefixes[which])))
		which++;
	*known = text;
	if (!text || !vendor_number(&text, '\0', &number) || number > 1000)
		return false;
	switch ((enum number_word)which) {
	case AWAIT:
		return await(v, number);
	case VECTOR:
		return wait_for_vector(v, number);
	case EVENTS:
		events(v, number);
		return true;
	case STOP:
		if (!v->message.vectors)
			return false;
		vendor_stop(v, (unsigned)number);
		return true;
	case PATIENCE:
		v->patience = (unsigned)number;
		return true;
	default:
		v->timeout = (unsigned)number;
		return true;
	}
}

static bool plain_word(struct vendor *v, const char *word, bool *known)
{
	*known = true;
	if (vendor_same(word, "keep-imwr"))
		v->keep_imwr = true;
	else if (vendor_same(word, "irq") || vendor_same(word, "poll"))
		v->poll = *word == 'p';
	else if (vendor_same(word, "look"))
		vendor_look(v);
	else if (vendor_same(word, "shutdown"))
		v->io->bus_master(v->io->user, false);
	else if (vendor_same(word, "start"))
		return v->driver && vendor_start(v);
	else if (vendor_same(word, "job") && v->message.vectors)
		vendor_job(v);
	else if (vendor_same(word, "stop") && v->message.vectors)
		vendor_stop(v, 0);
	else if (vendor_same(word, "scrub") && vendor_ready(v))
		vendor_scrub(v);
	else
		*known = false;
	return *known;
}

static bool run_word(struct vendor *v, const char *word)
{
	const char *text;
	bool known, done;

	if ((text = vendor_after(word, "driver="))) {
		v->driver = vendor_driver_find(text);
		return v->driver;
	}
	if ((text = vendor_after(word, "message=")))
		return set_message(v, text);
	done = plain_word(v, word, &known);
	if (!known)
		done = number_word(v, word, &known);
	if (!known)
		done = memory_word(v, word, &known);
	if (!known && v->io->word)
		done = v->io->word(v->io->user, word);
	return done;
}

bool vendor_run(struct vendor *v, unsigned count, const char *const *words)
{
	v->timeout = 2;
	v->patience = 20;
	for (unsigned i = 0; i < count; i++)
		if (!run_word(v, words[i])) {
			v->io->say(v->io->user, "failed at", words[i]);
			return false;
		}
	v->io->say(v->io->user, "script", "done");
	return true;
}
