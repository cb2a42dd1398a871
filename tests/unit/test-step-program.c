/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step that runs a program: applied, undone, interrupted, with a store of its own. */
#include "unit.h"

#include "chroot.h"
#include "core/error.h"
#include "core/step.h"
#include "core/target.h"

#define STORE "var/lib/metis-passthrough/0001"
#define A     "boot/initrd.img-1"
#define B     "boot/initrd.img-2"
#define INITRAMFS                                                                        \
	"echo run >>/runs; for k in 1 2; do\n"                                           \
	"  (cat /etc/conf; echo $k; cat /runs) >/boot/initrd.img-$k.new\n"               \
	"  mv /boot/initrd.img-$k.new /boot/initrd.img-$k\n"                             \
	"  [ -z \"$1\" ] || [ ! -e /etc/stop ] || exit 1\n"                              \
	"done"

struct env {
	struct sysroot files;
	struct mp_target *target;
	struct mp_step_ctx ctx;
	struct mp_step *step;
	GString *heard;
	bool refuses;
};

static bool on_progress(void *user, const struct mp_step *step, const char *line)
{
	struct env *env = user;

	assert_ptr_equal(step, env->step);
	g_string_append_printf(env->heard, "%s\n", line ? line : "(alive)");
	return !env->refuses;
}

static void set_up(struct env *env)
{
	static const char *const args[] = { "-u", NULL };
	static const char *const outputs[] = { "/" A, "/" B, NULL };

	chroot_init(&env->files);
	sysroot_mkdir(&env->files, STORE);
	sysroot_text(&env->files, A, "old image 1\n");
	sysroot_text(&env->files, B, "old image 2\n");
	sysroot_text(&env->files, "etc/conf", "changed\n");
	chroot_script(&env->files, "usr/sbin/update-initramfs", INITRAMFS);
	env->target = mp_target_open(env->files.path, NULL);
	assert_non_null(env->target);
	env->ctx = (struct mp_step_ctx){ .target = env->target,
		.store = STORE,
		.number = 3,
		.progress = on_progress,
		.user = env };
	env->step = mp_step_program_new(
		"update-initramfs", args, outputs, 20, true, "because");
	env->heard = g_string_new(NULL);
	env->refuses = false;
}

static void tear_down(struct env *env)
{
	mp_step_free(env->step);
	mp_target_free(env->target);
	sysroot_clear(&env->files);
	g_string_free(env->heard, TRUE);
}

/* As another process would find it: by way of the text of the journal. */
static void forget(struct env *env)
{
	json_object *want =
		json_tokener_parse(json_object_to_json_string(env->step->want));
	json_object *before =
		json_tokener_parse(json_object_to_json_string(env->step->before));
	struct mp_step *step = mp_step_new(
		mp_step_ops_find("program"), want, env->step->what, env->step->why);

	step->before = before;
	mp_step_free(env->step);
	env->step = step;
}

static void assert_text(struct env *env, const char *path, const char *text)
{
	g_autofree char *data = chroot_read(&env->files, path);

	if (!text)
		assert_null(data);
	else
		assert_string_equal(data, text);
}

static void write_over(struct env *env, const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(env->files.path, path, NULL);

	g_remove(full);
	if (text)
		sysroot_text(&env->files, path, text);
}

static void prepare(struct env *env)
{
	g_autoptr(GError) error = NULL;

	assert_true(env->step->ops->prepare(env->step, &env->ctx, &error));
	assert_null(error);
}

static void apply(struct env *env)
{
	g_autoptr(GError) error = NULL;

	prepare(env);
	assert_true(env->step->ops->apply(env->step, &env->ctx, &error));
	assert_null(error);
	assert_true(env->step->ops->verify(env->step, &env->ctx, &error));
	assert_null(error);
	forget(env);
}

static void undo(struct env *env, bool complete)
{
	g_autoptr(GError) error = NULL;
	char *diff = (char *)"?";

	assert_true(env->step->ops->check_undo(
		env->step, &env->ctx, complete, &diff, &error));
	assert_null(diff);
	assert_true(env->step->ops->undo(env->step, &env->ctx, complete, &error));
	assert_null(error);
}

static void test_there_and_back(void **state)
{
	struct env env;

	(void)state;
	need_chroot();
	set_up(&env);
	assert_string_equal(env.step->what, "run update-initramfs -u");
	apply(&env);
	assert_text(&env, A, "changed\n1\nrun\n");
	assert_text(&env, B, "changed\n2\nrun\n");
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, "old image 2\n");
	/* Put back, not made. */
	assert_text(&env, "runs", "run\n");
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, "runs", "run\n");
	tear_down(&env);
}

/* Somebody made one image again since: that is made again now, the other put back. */
static void test_changed_since(void **state)
{
	struct env env;

	(void)state;
	need_chroot();
	set_up(&env);
	apply(&env);
	write_over(&env, B, "made by an upgrade\n");
	write_over(&env, "etc/conf", "restored\n");
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, "restored\n2\nrun\nrun\n");
	tear_down(&env);
}

/* Its kernel was removed; another kernel came. */
static void test_other_kernels_since(void **state)
{
	struct env env;

	(void)state;
	need_chroot();
	set_up(&env);
	apply(&env);
	write_over(&env, B, NULL);
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, NULL);
	assert_text(&env, "runs", "run\n");
	tear_down(&env);

	set_up(&env);
	apply(&env);
	sysroot_text(&env.files, "boot/initrd.img-2.bak", "no image of a kernel\n");
	undo(&env, true);
	assert_text(&env, "runs", "run\n");
	tear_down(&env);

	set_up(&env);
	apply(&env);
	sysroot_text(&env.files, "boot/initrd.img-9", "has our files in it\n");
	sysroot_mkdir(&env.files, "lib/modules/9");
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, "old image 2\n");
	assert_text(&env, "runs", "run\nrun\n");
	tear_down(&env);
}

static void test_interrupted(void **state)
{
	struct env env;
	g_autoptr(GError) error = NULL;

	(void)state;
	need_chroot();
	set_up(&env);
	prepare(&env);
	sysroot_text(&env.files, "etc/stop", "");
	assert_false(env.step->ops->apply(env.step, &env.ctx, &error));
	assert_string_equal(error->message, "update-initramfs: failed with exit code 1");
	assert_text(&env, A, "changed\n1\nrun\n");
	/* What it leaves when it is killed. */
	sysroot_text(&env.files, B ".new", "a part");
	forget(&env);
	undo(&env, false);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, "old image 2\n");
	assert_text(&env, B ".new", NULL);
	assert_text(&env, "runs", "run\n");
	tear_down(&env);
}

/* What cannot be trusted is made again. */
static void test_damaged_store(void **state)
{
	struct env env;
	g_autoptr(GError) error = NULL;

	(void)state;
	need_chroot();
	set_up(&env);
	apply(&env);
	write_over(&env, STORE "/3.old.0", "damaged\n");
	write_over(&env, "etc/conf", "restored\n");
	undo(&env, true);
	assert_text(&env, A, "restored\n1\nrun\nrun\n");
	assert_text(&env, B, "old image 2\n");
	tear_down(&env);

	set_up(&env);
	apply(&env);
	write_over(&env, STORE "/3.after", "[{}, 7");
	write_over(&env, "etc/conf", "restored\n");
	undo(&env, true);
	assert_text(&env, A, "restored\n1\nrun\nrun\n");
	assert_text(&env, B, "restored\n2\nrun\nrun\n");
	tear_down(&env);

	/* Neither saved nor to be made again. */
	set_up(&env);
	apply(&env);
	write_over(&env, STORE "/3.old.0", NULL);
	json_object_object_del(env.step->want, "undo");
	assert_false(env.step->ops->undo(env.step, &env.ctx, true, &error));
	assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_STUCK));
	assert_string_equal(error->message,
		"run update-initramfs -u: cannot be undone: what it has made was not saved");
	tear_down(&env);
}

static void test_new_output(void **state)
{
	struct env env;

	(void)state;
	need_chroot();
	set_up(&env);
	write_over(&env, B, NULL);
	apply(&env);
	assert_text(&env, B, "changed\n2\nrun\n");
	undo(&env, true);
	assert_text(&env, A, "old image 1\n");
	assert_text(&env, B, NULL);
	tear_down(&env);

	/* Somebody's own since then. */
	set_up(&env);
	write_over(&env, B, NULL);
	apply(&env);
	write_over(&env, B, "theirs\n");
	undo(&env, true);
	assert_text(&env, B, "theirs\n");
	tear_down(&env);
}

static void test_refusals(void **state)
{
	struct env env;
	g_autoptr(GError) error = NULL;
	g_autofree char *message = NULL;

	(void)state;
	need_chroot();
	set_up(&env);
	message = g_strdup_printf("update-initramfs is not installed in %s (package "
				  "initramfs-tools)",
		env.files.path);
	write_over(&env, "usr/sbin/update-initramfs", NULL);
	assert_false(env.step->ops->prepare(env.step, &env.ctx, &error));
	assert_string_equal(error->message, message);
	g_clear_error(&error);
	chroot_script(&env.files, "usr/sbin/update-initramfs", "rm /" B);
	json_object_object_add(env.step->want, "program", json_object_new_string("sh"));
	assert_false(env.step->ops->prepare(env.step, &env.ctx, &error));
	assert_string_equal(error->message, "sh: is not a program that this one may run");
	g_clear_error(&error);
	json_object_object_add(
		env.step->want, "program", json_object_new_string("update-initramfs"));
	prepare(&env);
	assert_true(env.step->ops->apply(env.step, &env.ctx, &error));
	assert_false(env.step->ops->verify(env.step, &env.ctx, &error));
	assert_string_equal(
		error->message, "/" B ": update-initramfs has left it missing");
	undo(&env, true);
	assert_text(&env, B, "old image 2\n");
	tear_down(&env);
}

/* No outputs: run again, or left alone. */
static void test_no_outputs(void **state)
{
	static const char *const none[] = { NULL };
	struct env env;

	(void)state;
	need_chroot();
	for (int again = 0; again < 2; again++) {
		set_up(&env);
		mp_step_free(env.step);
		env.step = mp_step_program_new(
			"proxmox-boot-tool", none, none, 20, again, "because");
		chroot_script(&env.files, "usr/sbin/proxmox-boot-tool",
			"echo run >>/runs; echo copying");
		apply(&env);
		assert_text(&env, "runs", "run\n");
		assert_string_equal(env.heard->str, "copying\n");
		undo(&env, true);
		assert_text(&env, "runs", again ? "run\nrun\n" : "run\n");
		tear_down(&env);
	}
}

/* The wish to stop ends apply(), never undo(). */
static void test_stop(void **state)
{
	struct env env;
	g_autoptr(GError) error = NULL;

	(void)state;
	need_chroot();
	set_up(&env);
	chroot_script(&env.files, "usr/sbin/update-initramfs",
		"echo run >>/runs; echo working; touch /boot/initrd.img-1");
	prepare(&env);
	env.refuses = true;
	assert_false(env.step->ops->apply(env.step, &env.ctx, &error));
	assert_non_null(strstr(error->message, "was stopped"));
	write_over(&env, STORE "/3.old.0", "damaged\n");
	write_over(&env, A, "half\n");
	write_over(&env, "runs", "");
	undo(&env, false);
	assert_text(&env, "runs", "run\n");
	tear_down(&env);
}

/* grub.cfg is written in place: a second name would not keep it. */
static void test_written_in_place(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const outputs[] = { "/boot/grub/grub.cfg", NULL };
	struct env env;

	(void)state;
	need_chroot();
	set_up(&env);
	mp_step_free(env.step);
	env.step = mp_step_program_new("update-grub", none, outputs, 20, true, "because");
	sysroot_text(&env.files, "boot/grub/grub.cfg", "old\n");
	chroot_script(
		&env.files, "usr/sbin/update-grub", "echo new >/boot/grub/grub.cfg");
	apply(&env);
	assert_text(&env, "boot/grub/grub.cfg", "new\n");
	undo(&env, true);
	assert_text(&env, "boot/grub/grub.cfg", "old\n");
	tear_down(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_changed_since),
		cmocka_unit_test(test_other_kernels_since),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_damaged_store),
		cmocka_unit_test(test_new_output),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_outputs),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_written_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
