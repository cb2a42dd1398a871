// SPDX-License-Identifier: GPL-2.0-or-later
/* What a case found, as a value and as a line of text. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "driver.h"

static const char *const keys[] = { DMATEST_KEYS };
static const char *const verdicts[] = {
	[DMATEST_PASS] = "pass",
	[DMATEST_FAIL] = "fail",
	[DMATEST_SKIP] = "skip",
};

static_assert(ARRAY_SIZE(keys) == KEY_COUNT);

void dmatest_set(struct dmatest_result *result, enum dmatest_key key, u64 value)
{
	result->values[key] = value;
	result->keys |= BIT(key);
}

void dmatest_add(struct dmatest_result *result, enum dmatest_key key, u64 value)
{
	dmatest_set(result, key, result->values[key] + value);
}

static __printf(3, 0) void say(struct dmatest_result *result,
			       enum dmatest_verdict verdict, const char *format,
			       va_list args)
{
	result->verdict = verdict;
	vscnprintf(result->sentence, sizeof(result->sentence), format, args);
}

void dmatest_pass(struct dmatest_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(result, DMATEST_PASS, format, args);
	va_end(args);
}

int dmatest_fail(struct dmatest_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(result, DMATEST_FAIL, format, args);
	va_end(args);
	return DMATEST_FAILED;
}

void dmatest_skip(struct dmatest_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(result, DMATEST_SKIP, format, args);
	va_end(args);
}

/* --- texts, for sysfs --- */

void dmatest_state(struct dmatest *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	mutex_lock(&test->text_lock);
	vscnprintf(test->state, sizeof(test->state), format, args);
	mutex_unlock(&test->text_lock);
	va_end(args);
}

void dmatest_results_clear(struct dmatest *test)
{
	mutex_lock(&test->text_lock);
	test->results_size = 0;
	test->results[0] = '\0';
	test->truncated = false;
	mutex_unlock(&test->text_lock);
}

/* Below the room for the last line, "truncated". */
#define ROOM (PAGE_SIZE - 16)

/* The oldest line of a case that passed. False: there is none. */
static bool drop_pass(struct dmatest *test)
{
	char *line = test->results, *end, *verdict;

	for (; *line; line = end) {
		end = strchrnul(line, '\n');
		if (*end)
			end++;
		/* Behind the numbers of round and the name. */
		verdict = strchr(line, ' ');
		verdict = verdict ? strchr(verdict + 1, ' ') : NULL;
		if (!verdict || strncmp(verdict, " pass ", 6))
			continue;
		test->results_size -= end - line;
		memmove(line, end, strlen(end) + 1);
		return true;
	}
	return false;
}

/*
 * Where the page is full, the oldest lines of what passed make room: no line
 * that failed is lost while there is one that passed.
 */
void dmatest_results_add(struct dmatest *test, unsigned int round, const char *name,
			 const struct dmatest_result *result)
{
	char line[512];
	size_t size;
	unsigned int i;

	size = scnprintf(line, sizeof(line), "%u %s %s", round, name,
			 verdicts[result->verdict]);
	for (i = 0; i < KEY_COUNT; i++)
		if (result->keys & BIT(i))
			size += scnprintf(line + size, sizeof(line) - size, " %s=%llu",
					  keys[i], result->values[i]);
	size += scnprintf(line + size, sizeof(line) - size, " -- %s", result->sentence);
	line[min(size, sizeof(line) - 2)] = '\n';
	size = min(size, sizeof(line) - 2) + 1;
	line[size] = '\0';

	mutex_lock(&test->text_lock);
	while (test->results_size + size > ROOM) {
		test->truncated = true;
		if (!drop_pass(test))
			break;
	}
	if (test->results_size + size <= ROOM) {
		memcpy(test->results + test->results_size, line, size + 1);
		test->results_size += size;
	}
	mutex_unlock(&test->text_lock);
}
