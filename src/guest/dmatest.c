/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the attributes of metis_dmatest. A module of the name may be another one than ours,
 * or broken: what does not have the form of core/dmatest.h is refused as a whole, and a
 * verdict that its own numbers contradict is none.
 */
#include "config.h"

#include <string.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/fact.h"
#include "guest/dmatest.h"
#include "vfio/case.h"

#define LINES_MAX                                                                        \
	4096u /* of the results: a page of the kernel has a few hundred at most */
#define VECTORS_MAX   2048u /* PCI_MSIX_FLAGS_QSIZE + 1 */
#define BITS_MAX      64u
#define SENTENCE_FROM " -- "

static const char *const names[] = { DMATEST_CASES };

static const struct mp_case cases[] = {
	{ .name = "dma-read",
		.title = "the device reads what the CPU wrote (streaming mapping)" },
	{ .name = "dma-write",
		.title = "the CPU reads what the device wrote (streaming mapping)" },
	{ .name = "dma-coherent",
		.title = "both directions work in coherent memory of the kernel" },
	{ .name = "dma-patterns",
		.title = "patterns of all sizes come back as they were sent" },
	{ .name = "dma-scattered", .title = "a list of single pages is moved whole" },
	{ .name = "dma-below-4g",
		.title = "the device reaches bus addresses below 4 GiB" },
	{ .name = "dma-above-4g",
		.title = "the device reaches bus addresses above 4 GiB" },
	{ .name = "irq-vectors",
		.title = "each granted vector arrives once, at its own handler" },
	{ .name = "irq-polling",
		.title = "what polling finds done is told by an interrupt too" },
	{ .name = "quiet", .title = "nothing comes from the device when all is over" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(cases) == G_N_ELEMENTS(names));

/* In the order of cases[]: what a failure means inside of a VM, and what to do. */
#define REMEDY_DATA                                                                      \
	"Data does not get through. Look on the host for IOMMU faults of this card "     \
	"('metis-passthrough diagnose' there): they name the address that was blocked."
#define REMEDY_IRQ                                                                       \
	"Interrupts do not get through. If the data cases pass, let the card's driver "  \
	"poll (of a Metis: options metis dma_poll=1, which 'metis-passthrough guest "    \
	"apply' writes in the guest), and look on the host for blocked interrupts "      \
	"('metis-passthrough diagnose' there)."
static const char *const remedies[] = {
	REMEDY_DATA,
	REMEDY_DATA,
	REMEDY_DATA,
	REMEDY_DATA,
	REMEDY_DATA,
	REMEDY_DATA,
	"Memory of the VM above 4 GiB is out of the device's reach: look on the host for IOMMU "
	"faults at such addresses ('metis-passthrough diagnose' there).",
	REMEDY_IRQ,
	REMEDY_IRQ,
	"The device goes on by itself: unbind it, and have the host reset it before anybody "
	"else uses it (stop and start the VM).",
};
G_STATIC_ASSERT(G_N_ELEMENTS(remedies) == G_N_ELEMENTS(cases));

const struct mp_case *const *mp_dmatest_cases(size_t *count)
{
	static const struct mp_case *pointers[G_N_ELEMENTS(cases)];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		pointers[i] = &cases[i];
	*count = G_N_ELEMENTS(cases);
	return pointers;
}

/* The number of the case, or -1. */
static int find_case(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

/* --- one line of the results --- */

enum key {
	KEY_BYTES,
	KEY_DURATION,
	KEY_LATENCY_COUNT,
	KEY_LATENCY_MIN,
	KEY_LATENCY_MEDIAN,
	KEY_LATENCY_MAX,
	KEY_RATE_MIN,
	KEY_RATE_MEDIAN,
	KEY_RATE_MAX,
	KEY_VECTORS,
	KEY_ARRIVED,
	KEYS
};
static const char *const keys[] = { DMATEST_KEYS };
G_STATIC_ASSERT(G_N_ELEMENTS(keys) == KEYS);

struct line {
	uint64_t value[KEYS];
	bool given[KEYS];
};

static bool take_pair(struct line *line, const char *word, const char **problem)
{
	const char *equals = strchr(word, '=');

	*problem = "a word that is no KEY=NUMBER";
	for (int key = 0; equals && key < KEYS; key++) {
		if (strlen(keys[key]) != (size_t)(equals - word) ||
			strncmp(keys[key], word, (size_t)(equals - word)) != 0)
			continue;
		*problem = line->given[key] ? "a key that is there twice"
					    : "a number that is none";
		if (line->given[key] || !mp_parse_uint(equals + 1, 10, &line->value[key]))
			return false;
		line->given[key] = true;
		return true;
	}
	return false;
}

/* Three in order, or none; COUNT 0 means none too. */
static bool take_figures(const struct line *line, enum key min, uint64_t count,
	struct mp_figures *figures, const char **problem)
{
	const bool *given = &line->given[min];
	const uint64_t *value = &line->value[min];

	if (!given[0] && !given[1] && !given[2])
		return true;
	*problem = "figures that are not min, median and max, in this order";
	if (!given[0] || !given[1] || !given[2] || value[0] > value[1] ||
		value[1] > value[2])
		return false;
	if (!count)
		return true;
	*figures = (struct mp_figures){
		.count = (unsigned)MIN(count, G_MAXINT32),
		.min = value[0],
		.median = value[1],
		.max = value[2],
	};
	return true;
}

static bool take_numbers(
	const struct line *line, struct mp_case_result *result, const char **problem)
{
	uint64_t count = line->value[KEY_LATENCY_COUNT];

	result->bytes = line->value[KEY_BYTES];
	result->duration_ns = line->value[KEY_DURATION];
	if (!take_figures(line, KEY_LATENCY_MIN, count, &result->latency_ns, problem) ||
		!take_figures(line, KEY_RATE_MIN, MAX(count, 1),
			&result->bytes_per_second, problem))
		return false;
	*problem = "more vectors than a device can have";
	if (line->value[KEY_VECTORS] > VECTORS_MAX ||
		line->value[KEY_ARRIVED] > VECTORS_MAX)
		return false;
	if (line->given[KEY_VECTORS])
		mp_case_evidence(result, DMATEST_MODULE,
			"vectors tried: %" G_GUINT64_FORMAT
			", arrived: %" G_GUINT64_FORMAT,
			line->value[KEY_VECTORS], line->value[KEY_ARRIVED]);
	return true;
}

static bool take_sentence(const char *text, struct mp_case_result *result, int which,
	const struct line *line)
{
	bool lost = line->given[KEY_VECTORS] &&
		    line->value[KEY_ARRIVED] < line->value[KEY_VECTORS];

	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	if (!*text)
		return false;
	if (result->verdict == MP_CASE_PASS && lost) {
		result->verdict = MP_CASE_FAIL;
		result->summary = g_strdup_printf(
			"the module calls this a pass, but not all vectors arrived: %s",
			text);
	} else {
		result->summary = g_strdup(text);
	}
	if (result->verdict == MP_CASE_FAIL)
		result->remedy = g_strdup(remedies[which]);
	return true;
}

static bool take_verdict(const char *word, struct mp_case_result *result)
{
	static const char *const verdicts[] = {
		[MP_CASE_PASS] = "pass",
		[MP_CASE_FAIL] = "fail",
		[MP_CASE_SKIP] = "skip",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(verdicts); i++) {
		if (strcmp(verdicts[i], word) != 0)
			continue;
		result->verdict = (enum mp_case_verdict)i;
		return true;
	}
	return false;
}

/* TEXT is one line without its end. NULL: *problem tells what is wrong with it. */
static struct mp_case_result *take_line(const char *text, const char **problem)
{
	const char *dashes = strstr(text, SENTENCE_FROM);
	g_autofree char *head =
		dashes ? g_strndup(text, (size_t)(dashes - text)) : g_strdup("");
	g_auto(GStrv) words = g_strsplit(head, " ", 3 + KEYS + 1);
	struct line line = { 0 };
	struct mp_case_result *result;
	uint64_t round;
	int which;

	*problem = "no 'ROUND CASE VERDICT ... -- SENTENCE'";
	if (g_strv_length(words) < 3 || !mp_parse_uint(words[0], 10, &round) || !round ||
		round > DMATEST_ROUNDS_MAX)
		return NULL;
	*problem = "a case that this program does not know";
	which = find_case(words[1]);
	if (which < 0)
		return NULL;
	result = mp_case_result_new(words[1], (unsigned)round);
	*problem = "a verdict that is none";
	bool good = take_verdict(words[2], result);

	for (char **word = words + 3; good && *word; word++)
		good = take_pair(&line, *word, problem);
	good = good && take_numbers(&line, result, problem);
	if (good) {
		*problem = "a sentence that is empty or not printable ASCII";
		good = take_sentence(
			dashes + strlen(SENTENCE_FROM), result, which, &line);
	}
	if (good)
		return result;
	mp_case_result_free(result);
	return NULL;
}

/* --- all of it --- */

static bool refuse(GError **error, const char *what, unsigned number, const char *problem)
{
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		DMATEST_MODULE ": its '%s' cannot be trusted: line %u has %s", what,
		number, problem);
	return false;
}

/* The lines of TEXT, each without its end; NULL: that is no text of lines. */
static char **split(const char *what, const char *text, size_t size, GError **error)
{
	g_autofree char *copy = g_strndup(text, size);
	size_t length = strlen(copy);

	if (length != size || (length && copy[length - 1] != '\n')) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			DMATEST_MODULE ": its '%s' cannot be trusted: %s", what,
			length != size ? "it has a zero byte"
				       : "its last line has no end");
		return NULL;
	}
	if (length)
		copy[length - 1] = '\0';
	return length ? g_strsplit(copy, "\n", LINES_MAX + 1) : g_new0(char *, 1);
}

bool mp_dmatest_parse_results(const char *text, size_t size, GPtrArray *results,
	bool *truncated, GError **error)
{
	g_auto(GStrv) lines = split("results", text, size, error);
	g_autoptr(GPtrArray) taken =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	const char *problem = NULL;
	guint n = lines ? g_strv_length(lines) : 0;

	*truncated = false;
	if (!lines)
		return false;
	if (n > LINES_MAX)
		return refuse(error, "results", n, "far too many before it");
	for (guint i = 0; i < n; i++) {
		struct mp_case_result *result;

		if (i + 1 == n && !strcmp(lines[i], "truncated")) {
			*truncated = true;
			break;
		}
		result = take_line(lines[i], &problem);
		if (!result)
			return refuse(error, "results", i + 1, problem);
		g_ptr_array_add(taken, result);
	}
	while (taken->len)
		g_ptr_array_add(results, g_ptr_array_steal_index(taken, 0));
	return true;
}

/* --- limits --- */

static bool take_interrupt(const char *text, struct mp_dmatest_limits *limits)
{
	static const char *const kinds[] = { "msix", "msi", "intx", "none", NULL };

	if (!g_strv_contains(kinds, text))
		return false;
	g_strlcpy(limits->interrupt, text, sizeof(limits->interrupt));
	return true;
}

bool mp_dmatest_parse_limits(
	const char *text, size_t size, struct mp_dmatest_limits *limits, GError **error)
{
	static const struct {
		const char *key;
		uint64_t max;
	} rows[] = {
		{ "transfer_max", UINT64_C(1) << 40 },
		{ "address_bits", BITS_MAX },
		{ "vectors_wanted", VECTORS_MAX },
		{ "vectors_granted", VECTORS_MAX },
	};
	uint64_t value[G_N_ELEMENTS(rows)];
	bool given[G_N_ELEMENTS(rows)] = { false };
	g_auto(GStrv) lines = split("limits", text, size, error);

	memset(limits, 0, sizeof(*limits));
	if (!lines)
		return false;
	for (unsigned n = 0; lines[n]; n++) {
		char *space = strchr(lines[n], ' ');
		bool good = false;

		if (!space)
			return refuse(error, "limits", n + 1, "no KEY VALUE");
		*space = '\0';
		if (!strcmp(lines[n], "interrupt") && !*limits->interrupt)
			good = take_interrupt(space + 1, limits);
		for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
			if (!strcmp(lines[n], rows[i].key) && !given[i])
				good = given[i] =
					mp_parse_uint(space + 1, 10, &value[i]) &&
					value[i] <= rows[i].max;
		if (!good)
			return refuse(error, "limits", n + 1,
				"a key or a value that cannot be, or twice");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (!given[i] || !*limits->interrupt) {
			g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
				DMATEST_MODULE ": its 'limits' do not say %s",
				given[i] ? "interrupt" : rows[i].key);
			return false;
		}
	limits->transfer_max = value[0];
	limits->address_bits = (unsigned)value[1];
	limits->vectors_wanted = (unsigned)value[2];
	limits->vectors_granted = (unsigned)value[3];
	return true;
}
