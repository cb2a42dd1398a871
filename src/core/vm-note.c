/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/event-log.h"
#include "core/fact.h"
#include "core/pci.h"
#include "core/settings.h"
#include "core/setup.h"
#include "core/vm-note.h"

#define HEAD          "metis-passthrough vm 1"
#define ITEMS_MAX     256 /* 16 hostpci lines of 8 functions, and services */
#define LINES_TOLD    2   /* of a card */
#define MICROS_SECOND 1000000u

static char *path_of(const char *vmid)
{
	return g_strdup_printf(MP_PATH_STATUS_DIR "/vm-%s", vmid);
}

struct mp_vm_note *mp_vm_note_new(void)
{
	struct mp_vm_note *note = g_new0(struct mp_vm_note, 1);

	note->cards = g_ptr_array_new_with_free_func(g_free);
	note->services = g_ptr_array_new_with_free_func(g_free);
	return note;
}

void mp_vm_note_free(struct mp_vm_note *note)
{
	if (!note)
		return;
	g_ptr_array_unref(note->cards);
	g_ptr_array_unref(note->services);
	g_free(note);
}

/* --- the file: a head, then a key and a value a line --- */

/* "task PID BEGUN" */
static bool take_task(struct mp_vm_note *note, const char *value)
{
	g_auto(GStrv) numbers = g_strsplit(value, " ", 3);

	return g_strv_length(numbers) == 2 &&
	       mp_parse_uint(numbers[0], 10, &note->task.pid) &&
	       mp_parse_uint(numbers[1], 10, &note->task.begun);
}

static bool take_line(struct mp_vm_note *note, const char *line)
{
	const char *value = strchr(line, ' ');
	uint32_t domain;
	uint8_t bus, slot, function;

	if (!value)
		return false;
	value++;
	if (g_str_has_prefix(line, "log "))
		return mp_parse_uint(value, 10, &note->log);
	if (g_str_has_prefix(line, "task "))
		return take_task(note, value);
	if (note->cards->len + note->services->len >= ITEMS_MAX)
		return false;
	if (g_str_has_prefix(line, "card ")) {
		if (!mp_pci_parse_bdf(value, &domain, &bus, &slot, &function))
			return false;
		g_ptr_array_add(note->cards, g_strdup_printf("%04x:%02x:%02x.%x", domain,
						     bus, slot, function));
		return true;
	}
	if (!g_str_has_prefix(line, "service ") || !mp_config_is_service(value))
		return false;
	g_ptr_array_add(note->services, g_strdup(value));
	return true;
}

struct mp_vm_note *mp_vm_note_load(struct mp_root *root, const char *vmid, GError **error)
{
	g_autoptr(mp_vm_note) note = mp_vm_note_new();
	g_autofree char *path = path_of(vmid);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	bool good;
	size_t size;
	int err = mp_root_read(root, path, MP_READ_ATTR, &text, &size);

	if (err == -ENOENT || err == -ENOTDIR || err == -ENODATA)
		return NULL;
	if (err) {
		mp_error_set_errno(error, err, path, "read it");
		return NULL;
	}
	lines = g_strsplit(text, "\n", -1);
	good = strlen(text) == size && *lines && !strcmp(*lines, HEAD);
	for (char **line = lines; good && *line; line++)
		good = line == lines || !**line || take_line(note, *line);
	if (!good) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"/%s: not a note of this program", path);
		return NULL;
	}
	return g_steal_pointer(&note);
}

bool mp_vm_note_save(struct mp_target *target, const char *vmid,
	const struct mp_vm_note *note, GError **error)
{
	g_autoptr(GString) text = g_string_new(HEAD "\n");
	g_autofree char *path = path_of(vmid);
	g_autofree char *temp = g_strdup_printf(".vm-%s.%d", vmid, (int)getpid());

	g_string_append_printf(text, "log %" G_GUINT64_FORMAT "\n", note->log);
	if (note->task.pid)
		g_string_append_printf(text,
			"task %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
			note->task.pid, note->task.begun);
	for (guint i = 0; i < note->cards->len; i++)
		g_string_append_printf(
			text, "card %s\n", (const char *)note->cards->pdata[i]);
	for (guint i = 0; i < note->services->len; i++)
		g_string_append_printf(
			text, "service %s\n", (const char *)note->services->pdata[i]);
	const struct mp_file_want want = {
		.data = text->str, .size = text->len, .mode = 0644
	};

	return mp_target_make_dirs(target, MP_PATH_STATUS_DIR, NULL, error) &&
	       mp_target_write(target, path, temp, &want, error);
}

bool mp_vm_note_forget(struct mp_target *target, const char *vmid, GError **error)
{
	g_autofree char *path = path_of(vmid);

	return mp_target_remove(target, path, error);
}

/* --- the kernel's log --- */

/* "[ 1234.567890] text": false: no such line. */
static bool line_time(const char *line, const char *end, uint64_t *micros)
{
	const char *dot, *close;
	g_autofree char *seconds = NULL, *rest = NULL;
	uint64_t whole, part;

	if (line == end || *line != '[')
		return false;
	for (line++; line < end && *line == ' '; line++)
		;
	close = memchr(line, ']', (size_t)(end - line));
	dot = close ? memchr(line, '.', (size_t)(close - line)) : NULL;
	if (!dot || close - dot != 7)
		return false;
	seconds = g_strndup(line, (gsize)(dot - line));
	rest = g_strndup(dot + 1, (gsize)(close - dot - 1));
	if (!mp_parse_uint(seconds, 10, &whole) || !mp_parse_uint(rest, 10, &part) ||
		whole > UINT64_MAX / MICROS_SECOND - 1)
		return false;
	*micros = whole * MICROS_SECOND + part;
	return true;
}

static const char *line_end(const char *line, const char *end)
{
	const char *at = memchr(line, '\n', (size_t)(end - line));

	return at ? at : end;
}

static bool read_log(struct mp_root *root, char **text, size_t *size, GError **error)
{
	int err = mp_root_klog(root, text, size);

	if (err)
		mp_error_set_errno(error, err, "the kernel's log", "read it");
	return !err;
}

/* Records come in the order in which they were made; their times need not (printk() may be
 * interrupted between the two), so the highest counts. */
bool mp_vm_note_mark(struct mp_vm_note *note, struct mp_root *root, GError **error)
{
	g_autofree char *text = NULL;
	size_t size;

	if (!read_log(root, &text, &size, error))
		return false;
	note->log = 0;
	for (const char *line = text, *end = text + size; line < end;) {
		const char *next = line_end(line, end);
		uint64_t micros;

		if (line_time(line, next, &micros))
			note->log = MAX(note->log, micros);
		line = next + 1;
	}
	return true;
}

/* True: lines between then and the first one that is left are gone. */
static bool feed(const struct mp_vm_note *note, const char *text, size_t size,
	struct mp_event_log *log)
{
	g_autoptr(mp_event_parser) parser = mp_event_parser_new(mp_event_log_add, log);
	bool is_new = false, any = false, lost = false;

	for (const char *line = text, *end = text + size; line < end;) {
		const char *next = line_end(line, end);
		uint64_t micros;

		if (line_time(line, next, &micros)) {
			is_new = micros > note->log;
			lost = lost || (!any && is_new && note->log);
			any = true;
		}
		/* A line without a time belongs to the one before. */
		if (is_new) {
			mp_event_parser_feed(parser, line, (size_t)(next - line));
			mp_event_parser_feed(parser, "\n", 1);
		}
		line = next + 1;
	}
	mp_event_parser_end(parser);
	return lost;
}

static bool is_of(const struct mp_event *event, const char *card)
{
	uint32_t domain;
	uint8_t bus, slot, function;

	return mp_event_is_fault(event->kind) && event->has_device &&
	       mp_pci_parse_bdf(card, &domain, &bus, &slot, &function) &&
	       (!event->has_segment || event->segment == domain) && event->bus == bus &&
	       event->slot == slot && event->function == function;
}

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *lines, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(lines, g_strdup_vprintf(format, args));
	va_end(args);
}

static void tell(GPtrArray *lines, const char *card, const char *vmid,
	const struct mp_event_log *log, bool at_least)
{
	uint64_t count = 0;
	guint first = lines->len;
	unsigned told = 0;

	for (guint i = 0; i < log->sums->len; i++) {
		const struct mp_event_sum *sum = log->sums->pdata[i];

		if (!is_of(&sum->event, card))
			continue;
		count += sum->count;
		if (told++ < LINES_TOLD) {
			g_autofree char *text =
				mp_clean_text(sum->text, strlen(sum->text));

			add(lines, "%s: %s", card, text);
		}
	}
	if (!count)
		return;
	at_least = at_least || log->dropped ||
		   mp_event_log_count(log, MP_EVENT_SUPPRESSED) ||
		   mp_event_log_count(log, MP_EVENT_LOST);
	g_ptr_array_insert(lines, (gint)first,
		g_strdup_printf("%s: warning: the IOMMU blocked it %s%" G_GUINT64_FORMAT
				" time%s since the VM started; what it means: "
				"metis-passthrough diagnose --vm %s",
			card, at_least ? "at least " : "", count, count == 1 ? "" : "s",
			vmid));
}

GPtrArray *mp_vm_note_faults(const struct mp_vm_note *note, const char *vmid,
	struct mp_root *root, GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(mp_event_log) log = mp_event_log_new();
	g_autofree char *text = NULL;
	size_t size;
	bool lost;

	if (!read_log(root, &text, &size, error))
		return NULL;
	lost = feed(note, text, size, log);
	for (guint i = 0; i < note->cards->len; i++)
		tell(lines, note->cards->pdata[i], vmid, log, lost);
	return g_steal_pointer(&lines);
}
