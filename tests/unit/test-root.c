/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a copied tree can try, and what the kernel can refuse. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/root.h"
#include "unit.h"

#include "sysroot.h"

/* A directory with a secret beside the tree that is opened. */
struct fixture {
	struct sysroot tmp;
	char *tree;
	struct mp_root *root;
};

static int start(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	sysroot_init(&f->tmp);
	sysroot_text(&f->tmp, "canary", "secret\n");
	sysroot_mkdir(&f->tmp, "tree");
	sysroot_text(&f->tmp, "tree/dir/file", "inside\n");
	f->tree = g_build_filename(f->tmp.path, "tree", NULL);
	f->root = mp_root_open(f->tree, NULL);
	*state = f;
	return f->root ? 0 : -1;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	mp_root_free(f->root);
	sysroot_remove_tree(f->tmp.path);
	g_free(f->tmp.path);
	g_free(f->tree);
	g_free(f);
	return 0;
}

static void link_in(struct fixture *f, const char *name, const char *target)
{
	g_autofree char *path = g_build_filename("tree", name, NULL);

	sysroot_link(&f->tmp, path, target);
}

static int read_of(struct mp_root *root, const char *path, char **data)
{
	*data = NULL;
	return mp_root_read(root, path, MP_READ_ATTR, data, NULL);
}

static void assert_reads(struct mp_root *root, const char *path, int err)
{
	g_autofree char *data = NULL;
	int got = read_of(root, path, &data);

	if (data && strstr(data, "secret"))
		fail_msg("%s was read from outside of the tree", path);
	if (got != err)
		fail_msg("%s: %d, expected %d", path, got, err);
}

static void nothing_outside_is_read(void **state)
{
	struct fixture *f = *state;
	g_autofree char *canary = g_build_filename(f->tmp.path, "canary", NULL);
	g_autofree char *below = g_strconcat("dir/..", canary, NULL);
	g_autoptr(mp_dir) dir = NULL;
	g_autofree char *data = NULL;

	link_in(f, "relative", "../canary");
	link_in(f, "dir/deep", "../../canary");
	link_in(f, "absolute", canary);
	link_in(f, "dirlink", "..");
	link_in(f, "chain", "relative");
	assert_reads(f->root, "relative", -ENOENT);
	assert_reads(f->root, "dir/deep", -ENOENT);
	assert_reads(f->root, "absolute", -ENOENT);
	assert_reads(f->root, "dirlink/canary", -ENOENT);
	assert_reads(f->root, "dirlink/../canary", -ENOENT);
	assert_reads(f->root, "chain", -ENOENT);
	assert_reads(f->root, "../canary", -ENOENT);
	assert_reads(f->root, "dir/../../canary", -ENOENT);
	assert_reads(f->root, below, -ENOENT);
	/* The same from an open directory, where plain names take a shorter way. */
	assert_int_equal(mp_root_dir(f->root, "dir", &dir), 0);
	assert_int_equal(mp_dir_read(dir, "deep", MP_READ_ATTR, &data, NULL), -ENOENT);
	assert_int_equal(
		mp_dir_read(dir, "../../canary", MP_READ_ATTR, &data, NULL), -ENOENT);
	assert_int_equal(mp_dir_read(dir, "..", MP_READ_ATTR, &data, NULL), -EISDIR);
}

static void links_inside_work(void **state)
{
	struct fixture *f = *state;
	g_autofree char *target = NULL;
	g_autoptr(mp_dir) dir = NULL;

	link_in(f, "absolute", "/dir/file");
	link_in(f, "up", "../../../../dir/file");
	link_in(f, "sys/link", "/dir");
	assert_reads(f->root, "absolute", 0);
	assert_reads(f->root, "up", 0);
	assert_reads(f->root, "sys/link/file", 0);
	assert_int_equal(mp_root_dir(f->root, "sys/link", &dir), 0);
	assert_int_equal(mp_root_readlink(f->root, "sys/link", &target), 0);
	assert_string_equal(target, "/dir");
}

static void loops_end(void **state)
{
	struct fixture *f = *state;
	struct mp_stat st;
	g_auto(GStrv) names = NULL;

	link_in(f, "a", "b");
	link_in(f, "b", "a");
	link_in(f, "self", "self/self");
	assert_reads(f->root, "a", -ELOOP);
	assert_reads(f->root, "self", -ELOOP);
	assert_int_equal(mp_root_stat(f->root, "a", &st), -ELOOP);
	assert_int_equal(mp_root_list(f->root, "a", &names), -ELOOP);
}

/* The alarm of the test program ends a hang. */
static void fifos_and_devices_are_not_opened(void **state)
{
	struct fixture *f = *state;
	g_autofree char *fifo = g_build_filename(f->tree, "dir/fifo", NULL);
	g_autofree char *zero = g_build_filename(f->tree, "dir/zero", NULL);
	g_autoptr(mp_dir) dir = NULL;
	g_autofree char *data = NULL;
	g_auto(GStrv) names = NULL;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	link_in(f, "tofifo", "dir/fifo");
	alarm(20);
	assert_reads(f->root, "dir/fifo", -EINVAL);
	assert_reads(f->root, "tofifo", -EINVAL);
	assert_int_equal(mp_root_list(f->root, "dir/fifo", &names), -ENOTDIR);
	assert_int_equal(mp_root_dir(f->root, "dir", &dir), 0);
	assert_int_equal(mp_dir_read(dir, "fifo", MP_READ_ATTR, &data, NULL), -EINVAL);
	/* /dev/zero never ends: had it been opened, the answer would be -EFBIG. */
	if (mknod(zero, S_IFCHR | 0600, (1 << 8) | 5) == 0) {
		assert_reads(f->root, "dir/zero", -EINVAL);
		assert_int_equal(
			mp_dir_read(dir, "zero", MP_READ_ATTR, &data, NULL), -EINVAL);
	} else {
		print_message("no device nodes here: that half is not tested\n");
	}
	alarm(0);
}

static void sizes_are_bounded(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = g_build_filename(f->tree, "huge", NULL);
	g_autofree char *data = NULL;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	size_t size = 0;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1ll << 40), 0); /* sparse */
	close(fd);
	assert_int_equal(
		mp_root_read(f->root, "huge", MP_READ_FILE, &data, NULL), -EFBIG);
	assert_int_equal(mp_root_read(f->root, "dir/file", 7, &data, &size), 0);
	assert_int_equal(size, 7);
	assert_int_equal(data[7], 0);
	g_clear_pointer(&data, g_free);
	assert_int_equal(mp_root_read(f->root, "dir/file", 6, &data, NULL), -EFBIG);
}

/* A quarter of a million names: in memory, for on a disk they take half a minute. */
static void listings_are_bounded(void **state G_GNUC_UNUSED)
{
	char tree[] = "/dev/shm/metis-test-XXXXXX";
	g_autoptr(mp_root) root = NULL;
	g_auto(GStrv) names = NULL;
	int fd;

	if (!g_mkdtemp(tree))
		skip();
	fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i <= MP_LIST_MAX; i++) {
		char name[16];

		g_snprintf(name, sizeof(name), "%x", i);
		if (mknodat(fd, name, S_IFREG | 0600, 0) < 0)
			break;
	}
	root = mp_root_open(tree, NULL);
	int too_many = mp_root_list(root, "", &names);
	unlinkat(fd, "0", 0);
	int just_right = mp_root_list(root, "", &names);
	for (unsigned i = 1; i <= MP_LIST_MAX; i++) {
		char name[16];

		g_snprintf(name, sizeof(name), "%x", i);
		unlinkat(fd, name, 0);
	}
	close(fd);
	rmdir(tree);
	assert_int_equal(too_many, -EFBIG);
	assert_int_equal(just_right, 0);
	assert_int_equal(g_strv_length(names), MP_LIST_MAX);
}

static void odd_names_come_as_they_are(void **state)
{
	struct fixture *f = *state;
	g_auto(GStrv) names = NULL;

	sysroot_text(&f->tmp, "tree/odd/\xff\xfe", "x");
	sysroot_text(&f->tmp, "tree/odd/a b\n", "y");
	assert_int_equal(mp_root_list(f->root, "odd", &names), 0);
	assert_int_equal(g_strv_length(names), 2);
	assert_string_equal(names[0], "a b\n");
	assert_string_equal(names[1], "\xff\xfe");
	assert_reads(f->root, "odd/\xff\xfe", 0);
}

static void what_is_forbidden_is_said(void **state)
{
	struct fixture *f = *state;
	g_autofree char *dir = g_build_filename(f->tree, "dir", NULL);
	g_auto(GStrv) names = NULL;
	g_autoptr(mp_dir) open_dir = NULL;
	uid_t me = geteuid();

	assert_int_equal(chmod(f->tmp.path, 0755), 0);
	assert_int_equal(chmod(dir, 0000), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	int read_err = mp_root_read(f->root, "dir/file", 10, (char *[]){ NULL }, NULL);
	int list_err = mp_root_list(f->root, "dir", &names);
	int open_err = mp_root_dir(f->root, "dir", &open_dir);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
	chmod(dir, 0755);
	assert_int_equal(read_err, -EACCES);
	assert_int_equal(list_err, -EACCES);
	assert_int_equal(open_err, -EACCES);
}

static void what_disappears_is_not_there(void **state)
{
	struct fixture *f = *state;
	g_autofree char *file = g_build_filename(f->tree, "dir/file", NULL);
	g_autofree char *path = g_build_filename(f->tree, "dir", NULL);
	g_autofree char *data = NULL, *target = NULL;
	g_autoptr(mp_dir) dir = NULL, again = NULL;
	g_auto(GStrv) names = NULL, later = NULL;

	assert_int_equal(mp_root_list(f->root, "dir", &names), 0);
	assert_int_equal(mp_root_dir(f->root, "dir", &dir), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mp_dir_read(dir, names[0], MP_READ_ATTR, &data, NULL), -ENOENT);
	assert_int_equal(mp_dir_readlink(dir, names[0], &target), -ENOENT);
	assert_int_equal(mp_dir_list(dir, &later), -ENOENT);
	assert_int_equal(mp_root_dir(f->root, "dir", &again), -ENOENT);
}

struct looks {
	GString *log;
};

static void note(void *user, enum mp_look look, const char *path, int err,
	const char *data, size_t size, const struct mp_stat *st G_GNUC_UNUSED)
{
	struct looks *looks = user;

	g_string_append_printf(looks->log, "%d %s %d %.*s\n", look, path, err,
		data ? (int)MIN(size, 6) : 0, data ? data : "");
}

static void every_look_is_recorded(void **state)
{
	struct fixture *f = *state;
	struct looks looks = { g_string_new(NULL) };
	g_autofree char *data = NULL, *target = NULL;
	g_auto(GStrv) names = NULL;
	g_autoptr(mp_dir) dir = NULL;
	struct mp_stat st;

	link_in(f, "link", "dir");
	mp_root_record(f->root, note, &looks);
	mp_root_read(f->root, "/dir/file", MP_READ_ATTR, &data, NULL);
	mp_root_readlink(f->root, "link", &target);
	mp_root_list(f->root, "dir", &names);
	mp_root_stat(f->root, "gone", &st);
	mp_root_dir(f->root, "link", &dir);
	g_free(data);
	data = NULL;
	mp_dir_read(dir, "nofile", MP_READ_ATTR, &data, NULL);
	mp_root_record(f->root, NULL, NULL);
	mp_root_stat(f->root, "dir", &st);
	assert_string_equal(looks.log->str, "0 dir/file 0 inside\n"
					    "1 link 0 dir\n"
					    "2 dir 0 file\n"
					    "3 gone -2 \n"
					    "4 link 0 \n"
					    "0 link/nofile -2 \n");
	g_string_free(looks.log, TRUE);
}

/* openat2(2) answers with ERRNO from now on. */
static bool forbid_openat2(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { G_N_ELEMENTS(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* In a child: 0 as it must be, 77 no filters here, else what went wrong. */
static int without_openat2(const char *tree, int error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(mp_root) live = NULL, root = NULL;
	g_auto(GStrv) names = NULL;

	if (!forbid_openat2(error))
		return 77;
	root = mp_root_open(tree, &why);
	if (root)
		return 1;
	if (!g_error_matches(why, MP_ERROR, MP_ERROR_IO) ||
		!strstr(why->message, "openat2"))
		return 2;
	live = mp_root_open("/", NULL);
	if (!live || mp_root_list(live, "", &names) != 0)
		return 3;
	return 0;
}

static void no_openat2_is_a_clear_error(void **state)
{
	static const int errors[] = { ENOSYS, EPERM };
	struct fixture *f = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(without_openat2(f->tree, errors[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void only_hosts_are_opened(void **state)
{
	struct fixture *f = *state;
	g_autofree char *fifo = g_build_filename(f->tmp.path, "fifo", NULL);
	g_autofree char *canary = g_build_filename(f->tmp.path, "canary", NULL);
	g_autoptr(GError) absent = NULL, wrong = NULL, text = NULL;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(mp_root_open("/nowhere/at/all", &absent));
	assert_true(g_error_matches(absent, MP_ERROR, MP_ERROR_NOT_FOUND));
	alarm(20);
	assert_null(mp_root_open(fifo, &wrong));
	alarm(0);
	assert_true(g_error_matches(wrong, MP_ERROR, MP_ERROR_INPUT));
	assert_null(mp_root_open(canary, &text));
	assert_non_null(strstr(text->message, "canary:1: not a snapshot"));
}

static void files_on_top(void **state G_GNUC_UNUSED)
{
	static const struct mp_overlay files[] = {
		{ "/etc/a.d/new", "new\n", 0600, false },
		{ "etc/a.d/old", "changed\n", 0644, false },
		{ "/etc/a.d/gone", NULL, 0, false },
		{ "/etc/fresh/deep/x", "x", 0644, false },
		{ "/etc/l/link", "../a.d/new", 0, true },
	};
	g_autoptr(mp_root) base = NULL, root = NULL;
	g_autoptr(mp_dir) dir = NULL;
	g_autofree char *data = NULL, *target = NULL, *kept = NULL, *through = NULL;
	g_auto(GStrv) names = NULL, etc = NULL;
	struct mp_stat st;
	struct sysroot s;
	size_t size;

	sysroot_init(&s);
	sysroot_text(&s, "etc/a.d/old", "old\n");
	sysroot_text(&s, "etc/a.d/gone", "gone\n");
	sysroot_text(&s, "etc/a.d/kept", "kept\n");
	base = mp_root_open(s.path, NULL);
	root = mp_root_overlay(base, files, G_N_ELEMENTS(files));
	assert_int_equal(mp_root_list(root, "etc//a.d/", &names), 0);
	assert_int_equal(g_strv_length(names), 3);
	assert_string_equal(names[0], "kept");
	assert_string_equal(names[1], "new");
	assert_string_equal(names[2], "old");
	assert_int_equal(mp_root_list(root, "/etc", &etc), 0);
	assert_int_equal(g_strv_length(etc), 3);
	assert_int_equal(mp_root_read(root, "/etc/a.d/old", 64, &data, &size), 0);
	assert_string_equal(data, "changed\n");
	assert_int_equal(size, 8);
	assert_int_equal(mp_root_read(root, "etc/a.d/old", 4, &kept, NULL), -EFBIG);
	assert_int_equal(mp_root_read(root, "etc/a.d/gone", 64, &kept, NULL), -ENOENT);
	assert_int_equal(mp_root_stat(root, "etc/a.d/gone", &st), -ENOENT);
	assert_int_equal(mp_root_stat(root, "etc/a.d/new", &st), 0);
	assert_true(st.type == MP_FILE_REGULAR && st.mode == 0600 && st.size == 4);
	assert_int_equal(mp_root_stat(root, "etc/fresh/deep", &st), 0);
	assert_int_equal(st.type, MP_FILE_DIRECTORY);
	assert_int_equal(mp_root_readlink(root, "etc/l/link", &target), 0);
	assert_string_equal(target, "../a.d/new");
	assert_int_equal(mp_root_read(root, "etc/l/link", 64, &through, NULL), 0);
	assert_string_equal(through, "new\n");
	assert_int_equal(mp_root_dir(root, "etc/a.d", &dir), 0);
	assert_int_equal(mp_dir_read(dir, "kept", 64, &kept, NULL), 0);
	assert_string_equal(kept, "kept\n");
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_outside_is_read, start, stop),
		cmocka_unit_test_setup_teardown(links_inside_work, start, stop),
		cmocka_unit_test_setup_teardown(loops_end, start, stop),
		cmocka_unit_test_setup_teardown(
			fifos_and_devices_are_not_opened, start, stop),
		cmocka_unit_test_setup_teardown(sizes_are_bounded, start, stop),
		cmocka_unit_test_setup_teardown(listings_are_bounded, start, stop),
		cmocka_unit_test_setup_teardown(odd_names_come_as_they_are, start, stop),
		cmocka_unit_test_setup_teardown(what_is_forbidden_is_said, start, stop),
		cmocka_unit_test_setup_teardown(
			what_disappears_is_not_there, start, stop),
		cmocka_unit_test_setup_teardown(every_look_is_recorded, start, stop),
		cmocka_unit_test_setup_teardown(no_openat2_is_a_clear_error, start, stop),
		cmocka_unit_test_setup_teardown(only_hosts_are_opened, start, stop),
		cmocka_unit_test(files_on_top),
	};

	return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
