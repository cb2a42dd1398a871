/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/fact.h"
#include "interrupt.h"
#include "progress.h"

#define SHOW_SECONDS 2 /* from here on the time is worth telling */

void mp_progress_init(struct mp_progress *progress, unsigned total)
{
	const char *term = g_getenv("TERM");

	*progress = (struct mp_progress){
		.total = total,
		.terminal = isatty(STDERR_FILENO) && term && *term &&
			    strcmp(term, "dumb") != 0,
		.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
}

static void close_line(struct mp_progress *progress)
{
	if (!progress->open)
		return;
	fputs("\r\033[K", stderr);
	progress->open = false;
}

void mp_progress_clear(struct mp_progress *progress)
{
	close_line(progress);
	fflush(stderr);
	g_clear_pointer(&progress->said, g_free);
}

static unsigned seconds(const struct mp_progress *progress)
{
	return (unsigned)((g_get_monotonic_time() - progress->started) / G_USEC_PER_SEC);
}

/* The window may change at any time; a terminal that does not tell gets 80 columns. */
static size_t width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return 80;
}

/* TEXT without what a terminal would obey; tabs and line ends would break the line too. */
static char *printable(const struct mp_progress *progress, const char *text)
{
	g_autofree char *clean = mp_clean_text(text, strlen(text));

	g_strdelimit(clean, "\t\n\r", ' ');
	return progress->unicode ? g_steal_pointer(&clean) : g_str_to_ascii(clean, "C");
}

/* As much of TEXT as fits into COLUMNS. */
static void put_cut(const char *text, size_t columns)
{
	size_t used = 0;

	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		if (!g_unichar_iszerowidth(c))
			used += g_unichar_iswide(c) ? 2 : 1;
		if (used > columns)
			return;
		fwrite(text, 1, (size_t)(g_utf8_next_char(text) - text), stderr);
	}
}

/* "[2/7] run update-initramfs -u -k all  12 s  Generating /boot/initrd.img-6.8.12" */
static void show_running(struct mp_progress *progress)
{
	g_autoptr(GString) line = g_string_new(NULL);
	g_autofree char *text = NULL;

	if (!progress->terminal || !progress->step)
		return;
	if (progress->total)
		g_string_append_printf(
			line, "[%u/%u] ", progress->number, progress->total);
	g_string_append(line, progress->step->what);
	if (seconds(progress) >= SHOW_SECONDS)
		g_string_append_printf(line, "  %u s", seconds(progress));
	if (progress->said)
		g_string_append_printf(line, "  %s", progress->said);
	text = printable(progress, line->str);
	fputs("\r\033[K", stderr);
	/* In its last column a terminal may wrap. */
	put_cut(text, width() - 1);
	fflush(stderr);
	progress->open = true;
}

static const char *mark(
	const struct mp_progress *progress, const char *unicode, const char *word)
{
	if (!progress->terminal)
		return word;
	return progress->unicode ? unicode : word;
}

/* The line that stays. */
static void show_ended(struct mp_progress *progress, const char *word, const char *what)
{
	g_autofree char *text = printable(progress, what);

	close_line(progress);
	fprintf(stderr, "%s %s", word, text);
	if (progress->step && seconds(progress) >= SHOW_SECONDS)
		fprintf(stderr, " (%u s)", seconds(progress));
	fputc('\n', stderr);
	fflush(stderr);
}

static void begin(struct mp_progress *progress, const struct mp_step *step)
{
	g_clear_pointer(&progress->said, g_free);
	progress->step = step;
	progress->started = g_get_monotonic_time();
	show_running(progress);
}

static void say(struct mp_progress *progress, const char *text)
{
	if (text && *text) {
		g_free(progress->said);
		progress->said = g_strdup(text);
	}
	show_running(progress);
}

static void told(struct mp_progress *progress, enum mp_engine_event event,
	const struct mp_step *step, const char *text)
{
	const char *what = step ? step->what : "";

	switch (event) {
	case MP_EVENT_RECOVER: {
		g_autofree char *line = g_strdup_printf(
			"transaction %s was interrupted: it is undone first", text);

		progress->step = NULL;
		show_ended(progress, mark(progress, "!", "recovering:"), line);
		return;
	}
	case MP_EVENT_BEGIN:
		progress->number++;
		begin(progress, step);
		return;
	case MP_EVENT_LINE:
		say(progress, text);
		return;
	case MP_EVENT_DONE:
		show_ended(progress, mark(progress, "✓", "done:"), what);
		return;
	case MP_EVENT_FAILED:
		/* Why is told by the error; nobody wants to read it twice. */
		if (step)
			show_ended(progress, mark(progress, "✗", "failed:"), what);
		progress->total = 0;
		return;
	case MP_EVENT_UNDO:
		progress->told_stop = true; /* too late to stop, or obeyed */
		progress->total = 0;
		begin(progress, step);
		return;
	case MP_EVENT_UNDONE:
		if (step)
			show_ended(progress, mark(progress, "↶", "undone:"), what);
		return;
	}
}

bool mp_progress_listen(void *user, enum mp_engine_event event,
	const struct mp_step *step, const char *text)
{
	struct mp_progress *progress = user;

	told(progress, event, step, text);
	if (!mp_interrupted())
		return true;
	if (!progress->told_stop && (event == MP_EVENT_LINE || event == MP_EVENT_DONE)) {
		progress->step = NULL;
		progress->told_stop = true;
		show_ended(progress, mark(progress, "!", "interrupted:"),
			"stopping; what was done is undone");
	}
	return false;
}
