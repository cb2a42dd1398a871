/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The diff says what it should, and on random texts no more than diff(1) with -d does. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "core/diff.h"
#include "unit.h"

static void assert_diff(const char *old, const char *new, const char *expected)
{
	g_autofree char *diff = mp_diff_unified("a", old, "b", new);

	if (g_strcmp0(diff, expected) != 0)
		fail_msg("got:\n%s\nexpected:\n%s", diff, expected);
}

static void says_what_differs(void **state)
{
	(void)state;
	assert_diff("x\n", "x\n", NULL);
	assert_diff(NULL, NULL, NULL);
	assert_diff("", "x\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
	assert_diff(NULL, "x\ny\n", "--- /dev/null\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n");
	assert_diff("x\n", NULL, "--- a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
	assert_diff("x", "x\n",
		"--- a\n+++ b\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n");
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
		"--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

/* Six lines between two changes are their common context, seven are not. */
static void joins_near_changes(void **state)
{
	(void)state;
	assert_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
		"--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
	assert_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
		"--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
		"@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}

static void escapes_what_is_no_text(void **state)
{
	(void)state;
	assert_diff("", "\033[31m\ttab \xc3\xa9 \xe9 \xc2\x9b \xe2\x80\xae\r\n",
		"--- a\n+++ b\n@@ -0,0 +1 @@\n"
		"+\\x1b[31m\ttab \xc3\xa9 \\xe9 \\x9b \\u202e\\x0d\n");
}

static void gives_up_on_large_differences(void **state)
{
	g_autoptr(GString) old = g_string_new(NULL), new = g_string_new(NULL);

	(void)state;
	for (int i = 0; i < 5000; i++) {
		g_string_append_printf(old, "old %d\n", i);
		g_string_append_printf(new, "new %d\n", i);
	}
	assert_diff(old->str, new->str,
		"--- a\n+++ b\n(too many lines differ to be shown)\n");
	/* Large but for one line the same: no problem. */
	g_string_assign(new, old->str);
	g_string_append(new, "more\n");
	assert_diff(old->str, new->str,
		"--- a\n+++ b\n@@ -4998,3 +4998,4 @@\n old 4997\n old 4998\n old 4999\n+more\n");
}

/* --- against diff(1) --- */

static char *random_text(GRand *rand)
{
	g_autoptr(GString) text = g_string_new(NULL);
	int lines = g_rand_int_range(rand, 0, 25);

	/* Few different lines, so that there are many ways to be wrong. */
	for (int i = 0; i < lines; i++)
		g_string_append_printf(text, "%c\n", 'a' + g_rand_int_range(rand, 0, 5));
	if (lines && g_rand_int_range(rand, 0, 4) == 0)
		g_string_truncate(text, text->len - 1);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static unsigned changed_lines(const char *diff)
{
	g_auto(GStrv) lines = g_strsplit(diff ? diff : "", "\n", -1);
	unsigned count = 0;

	for (guint i = 2; i < g_strv_length(lines); i++)
		count += *lines[i] == '+' || *lines[i] == '-';
	return count;
}

static char *run(const char *const *argv)
{
	g_autoptr(GError) error = NULL;
	char *output;

	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
		    &output, NULL, NULL, &error))
		fail_msg("%s", error->message);
	return output;
}

static void is_as_short_as_of_the_tool(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("metis-diff-XXXXXX", NULL);
	g_autofree char *old_path = g_build_filename(dir, "old", NULL);
	g_autofree char *new_path = g_build_filename(dir, "new", NULL);
	g_autofree char *patch_path = g_build_filename(dir, "patch", NULL);
	g_autofree char *tool = g_find_program_in_path("diff");
	const char *diff_argv[] = { "diff", "-d", "-u", old_path, new_path, NULL };
	const char *patch_argv[] = { "patch", "-s", "-F0", old_path, patch_path, NULL };
	g_autofree char *patch = g_find_program_in_path("patch");
	g_autoptr(GRand) rand = g_rand_new_with_seed(42);

	(void)state;
	if (!tool || !patch)
		skip();
	for (int i = 0; i < 300; i++) {
		g_autofree char *old = random_text(rand), *new = random_text(rand);

		if (!strcmp(old, new))
			continue;
		g_assert_true(g_file_set_contents(old_path, old, -1, NULL));
		g_assert_true(g_file_set_contents(new_path, new, -1, NULL));
		g_autofree char *ours = mp_diff_unified(old_path, old, new_path, new);
		g_autofree char *theirs = run(diff_argv);

		if (changed_lines(ours) != changed_lines(theirs))
			fail_msg("ours:\n%s\ntheirs:\n%s", ours, theirs);
		/* Without a file's time patch(1) would have to guess which files are empty. */
		g_assert_true(g_file_set_contents(patch_path, ours, -1, NULL));
		g_autofree char *complaint = run(patch_argv);
		g_autofree char *result = NULL;

		if (!g_file_get_contents(old_path, &result, NULL, NULL))
			result = g_strdup("");
		if (strcmp(result, new) != 0)
			fail_msg("applied:\n%s\nit is\n%s\nnot\n%s\n%s", ours, result,
				new, complaint);
	}
	unlink(old_path);
	unlink(new_path);
	unlink(patch_path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_differs),
		cmocka_unit_test(joins_near_changes),
		cmocka_unit_test(escapes_what_is_no_text),
		cmocka_unit_test(gives_up_on_large_differences),
		cmocka_unit_test(is_as_short_as_of_the_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
