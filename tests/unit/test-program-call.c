/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of a target: shell scripts in a directory, entered by chroot. */
#include "unit.h"

#include <errno.h>
#include <signal.h>

#include "chroot.h"
#include "core/error.h"
#include "core/fact.h"
#include "core/program.h"
#include "core/target.h"

#define GRUB "usr/sbin/update-grub"

struct lines {
	GString *text;
	unsigned alive;
	unsigned stop_after; /* lines or signs of life; 0: never */
};

static bool on_line(void *user, const char *line)
{
	struct lines *lines = user;

	if (line)
		g_string_append_printf(lines->text, "%s\n", line);
	else
		lines->alive++;
	return !lines->stop_after || --lines->stop_after > 0;
}

struct tree {
	struct sysroot files;
	struct mp_target *target;
	struct lines lines;
	GString *output;
};

static void set_up(struct tree *tree)
{
	chroot_init(&tree->files);
	tree->target = mp_target_open(tree->files.path, NULL);
	assert_non_null(tree->target);
	tree->lines = (struct lines){ .text = g_string_new(NULL) };
	tree->output = g_string_new(NULL);
}

static void tear_down(struct tree *tree)
{
	mp_target_free(tree->target);
	sysroot_clear(&tree->files);
	g_string_free(tree->lines.text, TRUE);
	g_string_free(tree->output, TRUE);
}

static bool call(struct tree *tree, unsigned seconds, GError **error)
{
	static const char *const args[] = { "one", "two words", NULL };
	struct mp_program_call call = { .program = MP_PROGRAM_UPDATE_GRUB,
		.args = args,
		.target = tree->target,
		.seconds = seconds,
		.line = on_line,
		.user = &tree->lines,
		.output = tree->output };

	return mp_program_call(&call, error);
}

static void assert_failed(struct tree *tree, unsigned seconds, const char *message)
{
	g_autoptr(GError) error = NULL;

	assert_false(call(tree, seconds, &error));
	assert_string_equal(error->message, message);
}

/* The process has ended: gone, or a zombie that nobody waited for. */
static bool is_gone(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *stat = NULL;

	return !g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ");
}

static pid_t pid_in(struct tree *tree, const char *path)
{
	g_autofree char *text = chroot_read(&tree->files, path);
	uint64_t pid;

	assert_non_null(text);
	assert_true(mp_parse_uint(g_strchomp(text), 10, &pid));
	return (pid_t)pid;
}

static void assert_gone(struct tree *tree, const char *path)
{
	pid_t pid = pid_in(tree, path);

	for (int i = 0; i < 300 && !is_gone(pid); i++)
		g_usleep(10000);
	assert_true(is_gone(pid));
}

static void test_surroundings(void **state)
{
	struct tree tree;
	g_autoptr(GError) error = NULL;

	(void)state;
	need_chroot();
	set_up(&tree);
	g_setenv("SECRET", "42", TRUE);
	chroot_script(&tree.files, GRUB,
		"echo \"$1|$2|$#\"; pwd; read x || echo eof; ls /; env >/env; umask\n"
		"echo warning >&2; printf 'no end'");
	assert_true(call(&tree, 20, &error));
	assert_null(error);
	assert_string_equal(
		tree.output->str, "one|two words|2\n/\neof\nbin\ndev\nusr\n0022\nno end");
	assert_non_null(strstr(tree.lines.text->str, "warning\n"));
	assert_non_null(strstr(tree.lines.text->str, "no end\n"));
	g_autofree char *env = chroot_read(&tree.files, "env");
	assert_non_null(strstr(env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"));
	assert_non_null(strstr(env, "LC_ALL=C\n"));
	assert_null(strstr(env, "SECRET"));
	tear_down(&tree);
}

static void test_failures_say_why(void **state)
{
	struct tree tree;

	(void)state;
	need_chroot();
	set_up(&tree);
	chroot_script(
		&tree.files, GRUB, "for i in 1 2 3 4 5; do echo line $i; done; exit 7");
	assert_failed(&tree, 20,
		"update-grub: failed with exit code 7: line 2; line 3; line 4; line 5");
	chroot_script(&tree.files, GRUB, "printf 'a\\033[31mb\\n' >&2; exit 1");
	assert_failed(&tree, 20, "update-grub: failed with exit code 1: a\\x1b[31mb");
	chroot_script(&tree.files, GRUB, "kill -9 $$");
	assert_failed(&tree, 20, "update-grub: was ended by signal 9 (Killed)");
	chroot_script(&tree.files, GRUB, "exit 2");
	assert_failed(&tree, 20, "update-grub: failed with exit code 2");
	g_autofree char *sh = g_build_filename(tree.files.path, "bin/sh", NULL);
	assert_int_equal(g_remove(sh), 0);
	assert_failed(&tree, 20, "update-grub: cannot start: No such file or directory");
	tear_down(&tree);
}

static void test_found_inside(void **state)
{
	struct tree tree;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL, *message = NULL;

	(void)state;
	need_chroot();
	set_up(&tree);
	message = g_strdup_printf(
		"update-grub is not installed in %s (package grub2-common)",
		tree.files.path);
	assert_false(mp_program_there(MP_PROGRAM_UPDATE_GRUB, tree.target));
	assert_failed(&tree, 20, message);
	/* Without the right to be executed it is not there. */
	sysroot_text(&tree.files, GRUB, "");
	assert_false(mp_program_there(MP_PROGRAM_UPDATE_GRUB, tree.target));
	path = g_build_filename(tree.files.path, GRUB, NULL);
	assert_int_equal(g_remove(path), 0);
	/* A link leads to what it will lead to when the program runs: inside. */
	sysroot_link(&tree.files, GRUB, "/bin/true");
	assert_false(mp_program_there(MP_PROGRAM_UPDATE_GRUB, tree.target));
	assert_int_equal(g_remove(path), 0);
	sysroot_link(&tree.files, GRUB, "/../../opt/real");
	chroot_script(&tree.files, "opt/real", "echo inside");
	assert_true(call(&tree, 20, &error));
	assert_string_equal(tree.output->str, "inside\n");
	assert_int_equal(mp_program_find("update-grub"), MP_PROGRAM_UPDATE_GRUB);
	assert_int_equal(mp_program_find("sh"), MP_PROGRAMS);
	tear_down(&tree);
}

/* Its children too, also those that do not listen. */
static void test_time_limit(void **state)
{
	struct tree tree;
	gint64 begin;

	(void)state;
	need_chroot();
	set_up(&tree);
	chroot_script(&tree.files, GRUB,
		"trap 'echo ended; exit 0' TERM\n"
		"sh -c 'trap \"\" TERM; echo $$ >/child; exec >/dev/null 2>&1; sleep 1000' &\n"
		"echo working; while :; do sleep 0.1; done");
	begin = g_get_monotonic_time();
	assert_failed(&tree, 1, "update-grub: did not end within 1 s: working");
	assert_in_range(g_get_monotonic_time() - begin, 1000000, 5000000);
	assert_gone(&tree, "child");
	tear_down(&tree);
}

static void test_stop(void **state)
{
	struct tree tree;

	(void)state;
	need_chroot();
	set_up(&tree);
	/* At a line. */
	chroot_script(&tree.files, GRUB, "echo $$ >/pid; echo go; sleep 1000");
	tree.lines.stop_after = 1;
	assert_failed(&tree, 60, "update-grub: was stopped: go");
	assert_gone(&tree, "pid");
	/* While it says nothing. */
	chroot_script(&tree.files, GRUB, "echo $$ >/pid; sleep 1000");
	tree.lines.stop_after = 1;
	assert_failed(&tree, 60, "update-grub: was stopped");
	assert_int_equal(tree.lines.alive, 1);
	assert_gone(&tree, "pid");
	tear_down(&tree);
}

static void test_endless_output(void **state)
{
	struct tree tree;
	g_autoptr(GError) error = NULL;

	(void)state;
	need_chroot();
	set_up(&tree);
	chroot_script(&tree.files, GRUB,
		"x=0123456789abcdef; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x; "
		"while :; do printf %s \"$x\"; done");
	assert_false(call(&tree, 1, &error));
	assert_true(g_str_has_prefix(
		error->message, "update-grub: did not end within 1 s: 0123"));
	assert_true(strlen(error->message) < 1200);
	assert_int_equal(tree.output->len, 1024 * 1024);
	tear_down(&tree);
}

/* What goes on behind its end: with our lock, and without holding us up. */
static void test_background(void **state)
{
	struct tree tree;
	g_autoptr(GError) error = NULL;
	struct mp_target *other;
	gint64 begin;

	(void)state;
	need_chroot();
	set_up(&tree);
	assert_true(mp_target_lock(tree.target, &error));
	chroot_script(&tree.files, GRUB,
		"sh -c 'echo $$ >/child.new; mv /child.new /child; exec sleep 1000' "
		"</dev/null >/dev/null 2>&1 &\n"
		"while ! [ -e /child ]; do sleep 0.05; done");
	assert_true(call(&tree, 20, &error));
	assert_false(is_gone(pid_in(&tree, "child")));
	mp_target_free(tree.target);
	other = mp_target_open(tree.files.path, NULL);
	assert_false(mp_target_lock(other, &error));
	assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_BUSY));
	assert_int_equal(kill(pid_in(&tree, "child"), SIGKILL), 0);
	assert_gone(&tree, "child");
	g_clear_error(&error);
	assert_true(mp_target_lock(other, &error));
	tree.target = other;
	/* One that keeps the output open is ended after a while. */
	chroot_script(&tree.files, GRUB, "sleep 1000 & echo $! >/child");
	begin = g_get_monotonic_time();
	assert_true(call(&tree, 60, &error));
	assert_in_range(g_get_monotonic_time() - begin, 0, 15000000);
	assert_gone(&tree, "child");
	tear_down(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_failures_say_why),
		cmocka_unit_test(test_found_inside),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_endless_output),
		cmocka_unit_test(test_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
