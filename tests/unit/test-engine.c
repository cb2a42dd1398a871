/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine with steps that fail where they are told to: the order of things, and what comes
 * of each failure. Then the metadata of what the target writes. What kills and failing disks
 * do is in tests/cli/crash.bats.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/engine.h"
#include "unit.h"

#include "sysroot.h"

/* A step is its name; "want" says which of its calls fails, and the calls are noted here. */
static GString *notes;
static const char *stop_at;   /* the listener says stop at this line */
static enum mp_error failure; /* with which a call fails */

static bool note(struct mp_step *step, const char *call, GError **error)
{
	g_string_append_printf(notes, "%s %s, ", call, step->what);
	if (g_strcmp0(mp_step_text_or_null(step->want, "fails"), call) != 0)
		return true;
	g_set_error(error, MP_ERROR, failure, "%s of %s failed", call, step->what);
	return false;
}

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	(void)ctx;
	step->before = json_object_new_object();
	return note(step, "prepare", error);
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	if (!ctx->progress(ctx->user, step, step->what)) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "interrupted");
		return false;
	}
	return note(step, "apply", error);
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	(void)ctx;
	return note(step, "verify", error);
}

static bool check_undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	char **diff, GError **error)
{
	(void)ctx;
	(void)complete;
	(void)diff;
	return note(step, "check", error);
}

static bool undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	GError **error)
{
	g_string_append(notes, complete ? "whole " : "part ");
	/* Cannot be stopped any more. */
	assert_true(ctx->progress(ctx->user, step, stop_at));
	return note(step, "undo", error);
}

#define OPS                                                                              \
	.prepare = prepare, .apply = apply, .verify = verify, .check_undo = check_undo,  \
	.undo = undo
static const struct mp_step_ops direct = { .kind = "direct", OPS };
static const struct mp_step_ops derived = {
	.kind = "derived", .order = MP_STEP_DERIVED, OPS
};

static bool listen(void *user, enum mp_engine_event event, const struct mp_step *step,
	const char *text)
{
	(void)user;
	(void)step;
	return !stop_at || (event != MP_EVENT_LINE && event != MP_EVENT_DONE) ||
	       strcmp(text, stop_at) != 0;
}

struct fixture {
	struct sysroot tmp;
	struct mp_target *target;
};

static int start(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);
	GError *error = NULL;

	notes = g_string_new(NULL);
	stop_at = NULL;
	failure = MP_ERROR_IO;
	sysroot_init(&f->tmp);
	f->target = mp_target_open(f->tmp.path, &error);
	*state = f;
	return f->target && mp_target_lock(f->target, &error) ? 0 : -1;
}

static int end(void **state)
{
	struct fixture *f = *state;

	mp_target_free(f->target);
	sysroot_clear(&f->tmp);
	g_string_free(notes, TRUE);
	g_free(f);
	return 0;
}

/* Steps a (direct), B (derived), c (direct), D (derived); STEP fails at CALL. */
static bool run(struct fixture *f, const char *step, const char *call, GError **error)
{
	GPtrArray *steps = g_ptr_array_new();

	for (const char *name = "aBcD"; *name; name++) {
		const char what[] = { *name, '\0' };
		json_object *want = json_object_new_object();

		if (!strcmp(what, step))
			json_object_object_add(
				want, "fails", json_object_new_string(call));
		g_ptr_array_add(
			steps, mp_step_new(g_ascii_isupper(*name) ? &derived : &direct,
				       want, what, "test"));
	}
	return mp_engine_apply(f->target, "test", steps, NULL, listen, NULL, NULL, error);
}

static void assert_fails(struct fixture *f, const char *step, const char *call,
	enum mp_error code, const char *message, const char *expected)
{
	g_autoptr(GError) error = NULL;

	g_string_truncate(notes, 0);
	assert_false(run(f, step, call, &error));
	if (!g_error_matches(error, MP_ERROR, (gint)code) ||
		strcmp(error->message, message) != 0)
		fail_msg("error %d: %s", error->code, error->message);
	if (strcmp(notes->str, expected) != 0)
		fail_msg("%s\nexpected\n%s", notes->str, expected);
}

#define PREPARED "prepare a, prepare B, prepare c, prepare D, "
#define DONE(x)  "apply " x ", verify " x ", "
#define WHOLE(x) "check " x ", whole undo " x ", "
#define PART(x)  "check " x ", part undo " x ", "

static void undoes_in_order(void **state)
{
	assert_fails(*state, "D", "verify", MP_ERROR_UNDONE,
		"verify of D failed; everything was undone",
		PREPARED DONE("a") DONE("B") DONE("c") DONE("D") WHOLE("c") WHOLE("a")
			WHOLE("B") PART("D"));
	/* What was never begun is not undone. */
	g_string_truncate(notes, 0);
}

static void does_not_undo_what_was_not_begun(void **state)
{
	assert_fails(*state, "B", "apply", MP_ERROR_UNDONE,
		"apply of B failed; everything was undone",
		PREPARED DONE("a") "apply B, " WHOLE("a") PART("B"));
}

static void changes_nothing_when_a_step_cannot_be_prepared(void **state)
{
	struct fixture *f = *state;
	g_autofree char *store = g_build_filename(f->tmp.path, MP_PATH_JOURNAL, NULL);
	g_autoptr(GDir) dir = NULL;
	const char *name;

	assert_fails(f, "c", "prepare", MP_ERROR_IO, "prepare of c failed",
		"prepare a, prepare B, prepare c, ");
	dir = g_dir_open(store, 0, NULL);
	while ((name = g_dir_read_name(dir)))
		assert_string_equal(name, "lock");
}

static void stops_where_the_user_wants(void **state)
{
	stop_at = "B"; /* its line: within apply() */
	assert_fails(*state, "", "", MP_ERROR_UNDONE, "stopped; everything was undone",
		PREPARED DONE("a") WHOLE("a") PART("B"));
}

static void goes_on_where_one_cannot_be_undone(void **state)
{
	g_autoptr(GError) error = NULL;
	struct fixture *f = *state;
	GPtrArray *steps = g_ptr_array_new();

	/* c fails to apply, a to be undone; between them B is undone all the same. */
	for (const char *name = "aBc"; *name; name++) {
		const char what[] = { *name, '\0' };
		json_object *want = json_object_new_object();

		if (*name != 'B')
			json_object_object_add(want, "fails",
				json_object_new_string(*name == 'a' ? "undo" : "apply"));
		g_ptr_array_add(steps, mp_step_new(*name == 'B' ? &derived : &direct,
					       want, what, "test"));
	}
	assert_false(mp_engine_apply(
		f->target, "test", steps, NULL, listen, NULL, NULL, &error));
	assert_int_equal(error->code, MP_ERROR_STUCK);
	assert_string_equal(error->message,
		"apply of c failed; not everything could be undone:\n"
		"  undo of a failed\n"
		"    not undone: a\n"
		"  When the reason is gone, `metis-passthrough rollback 0001` undoes the rest.");
	assert_non_null(strstr(notes->str, PART("c") WHOLE("a") WHOLE("B")));
}

/* --- metadata --- */

/* "u::rw-,u:7:r--,g::r--,m::r--,o::---" as the kernel keeps it, include/uapi/linux/posix_acl_xattr.h */
static const unsigned char acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4,
	0, 7, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
	32, 0, 0, 0, 255, 255, 255, 255 };

static void assert_dressed(const char *path)
{
	unsigned char value[sizeof(acl) + 1];

	assert_int_equal(getxattr(path, "user.test", value, sizeof(value)), 5);
	assert_memory_equal(value, "value", 5);
	assert_int_equal(getxattr(path, "system.posix_acl_access", value, sizeof(value)),
		sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
}

static void keeps_attributes_of_files(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = g_build_filename(f->tmp.path, "etc/file", NULL);
	GPtrArray *steps = g_ptr_array_new();
	GError *error = NULL;
	struct stat st;
	char *id = NULL;

	if (getuid() != 0)
		skip();
	sysroot_text(&f->tmp, "etc/file", "old");
	if (setxattr(path, "user.test", "value", 5, 0) < 0 ||
		setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) < 0) {
		assert_int_equal(errno, ENOTSUP);
		skip();
	}
	/* Its group bits are the mask of the list: the plan of a file that is not ours keeps it. */
	assert_int_equal(stat(path, &st), 0);
	g_ptr_array_add(
		steps, mp_step_file_new("/etc/file", "new", st.st_mode & 07777, "test"));
	assert_true(mp_engine_apply(
		f->target, "test", steps, NULL, listen, NULL, &id, &error));
	assert_dressed(path);
	assert_true(mp_engine_undo(f->target, id, NULL, listen, NULL, NULL, &error));
	assert_dressed(path);
	g_free(id);
}

static void bytes_that_are_no_utf8_survive_the_journal(void **state)
{
	struct fixture *f = *state;
	GPtrArray *steps = g_ptr_array_new();
	g_autoptr(GPtrArray) all = NULL;
	g_autofree char *id = NULL;
	GError *error = NULL;
	static const char content[] = "caf\xe9 \xff\xfe \x01\x7f \"\\\n";

	if (getuid() != 0)
		skip();
	sysroot_mkdir(&f->tmp, "etc");
	g_ptr_array_add(steps, mp_step_file_new("/etc/file", content, 0644, "test"));
	assert_true(mp_engine_apply(
		f->target, "t\xc3\xa9st", steps, NULL, listen, NULL, &id, &error));
	all = mp_journal_load(mp_target_root(f->target), &error);
	assert_non_null(all);
	const struct mp_tx *tx = all->pdata[0];
	const struct mp_step *step = tx->steps->pdata[0];

	assert_string_equal(tx->title, "t\xc3\xa9st");
	assert_string_equal(mp_step_text_or_null(step->want, "content"), content);
	/* And it is found unchanged. */
	assert_true(mp_engine_undo(f->target, id, NULL, listen, NULL, NULL, &error));
}

static void states_are_read_strictly(void **state)
{
	static const char *const bad[] = { "null", "{}", "{\"node\": \"thing\"}",
		"{\"node\": 1}", "{\"node\": \"file\"}",
		"{\"node\": \"directory\", \"mode\": 4096, \"uid\": 0, \"gid\": 0, \"size\": 0,"
		" \"sha256\": \"\"}",
		"{\"node\": \"directory\", \"mode\": -1, \"uid\": 0, \"gid\": 0, \"size\": 0,"
		" \"sha256\": \"\"}",
		"{\"node\": \"directory\", \"mode\": 0, \"uid\": 4294967296, \"gid\": 0,"
		" \"size\": 0, \"sha256\": \"\"}",
		"{\"node\": \"directory\", \"mode\": 0, \"uid\": 0, \"gid\": 0,"
		" \"size\": 99999999999999999999, \"sha256\": \"\"}",
		"{\"node\": \"file\", \"mode\": 0, \"uid\": 0, \"gid\": 0, \"size\": 0,"
		" \"sha256\": \"00\"}",
		"{\"node\": \"absent\\u0000\"}" };
	struct mp_node_state read;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		json_object *object = json_tokener_parse(bad[i]);
		g_autoptr(GError) error = NULL;

		if (mp_step_state_from_json(object, &read, &error))
			fail_msg("%s was taken", bad[i]);
		assert_non_null(error);
		json_object_put(object);
	}
}

static void a_snapshot_is_no_target(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = g_build_filename(f->tmp.path, "file", NULL);
	GError *error = NULL;

	sysroot_text(&f->tmp, "file", "x");
	assert_null(mp_target_open(path, &error));
	assert_int_equal(error->code, MP_ERROR_USAGE);
	g_clear_error(&error);
	/* Nor is a lock taken twice. */
	g_autoptr(mp_target) second = mp_target_open(f->tmp.path, &error);

	assert_false(mp_target_lock(second, &error));
	assert_int_equal(error->code, MP_ERROR_BUSY);
	g_clear_error(&error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(undoes_in_order),
		TEST(does_not_undo_what_was_not_begun),
		TEST(changes_nothing_when_a_step_cannot_be_prepared),
		TEST(stops_where_the_user_wants),
		TEST(goes_on_where_one_cannot_be_undone),
		TEST(keeps_attributes_of_files),
		TEST(bytes_that_are_no_utf8_survive_the_journal),
		cmocka_unit_test(states_are_read_strictly),
		TEST(a_snapshot_is_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
