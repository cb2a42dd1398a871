/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "core/setup.h"
#include "core/use.h"
#include "core/vm-note.h"
#include "core/vm-task.h"
#include "core/vm.h"

#define LOCKS     "proc/locks"
#define NOTES_MAX 4096

/* Field 22, counted behind the name: that one may have blanks and brackets in it (proc(5)). */
static bool begun_of(struct mp_root *root, uint64_t pid, uint64_t *begun)
{
	g_autofree char *path = g_strdup_printf("proc/%" G_GUINT64_FORMAT "/stat", pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *behind;

	if (mp_root_read(root, path, MP_READ_ATTR, &text, NULL) < 0)
		return false;
	behind = strrchr(text, ')');
	if (!behind || behind[1] != ' ')
		return false;
	fields = g_strsplit(behind + 2, " ", 24);
	return g_strv_length(fields) > 19 && mp_parse_uint(fields[19], 10, begun);
}

/* "1: FLOCK  ADVISORY  WRITE 1234 00:19:5678 0 EOF" (fs/locks.c, lock_get_status()): of the
 * file ST, by whom? A line of one who waits has an arrow in it. */
static bool is_lock_of(const char *line, const struct mp_stat *st, uint64_t *pid)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", 16);
	const char *fields[6] = { NULL };
	uint64_t major, minor, inode;
	size_t n = 0;

	for (char **word = words; *word && n < G_N_ELEMENTS(fields); word++)
		if (**word)
			fields[n++] = *word;
	if (n < G_N_ELEMENTS(fields) || strcmp(fields[1], "FLOCK") != 0 ||
		strcmp(fields[3], "WRITE") != 0)
		return false;
	g_auto(GStrv) file = g_strsplit(fields[5], ":", 4);
	return g_strv_length(file) == 3 && mp_parse_uint(file[0], 16, &major) &&
	       mp_parse_uint(file[1], 16, &minor) && mp_parse_uint(file[2], 10, &inode) &&
	       major <= UINT32_MAX && minor <= UINT32_MAX &&
	       makedev((unsigned)major, (unsigned)minor) == st->device &&
	       inode == st->inode && mp_parse_uint(fields[4], 10, pid);
}

/* Whose the lock of VMID is. 0, and *PID is 0 where it is free; or a negative errno. */
static int holder_of(struct mp_root *root, const char *vmid, uint64_t *pid)
{
	g_autofree char *path =
		g_strdup_printf("var/lock/qemu-server/lock-%s.conf", vmid);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	struct mp_stat st;
	int err = mp_root_stat(root, path, &st);

	*pid = 0;
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (err < 0 || !st.inode)
		return err < 0 ? err : -ENODATA;
	err = mp_root_read(root, LOCKS, MP_READ_FILE, &text, NULL);
	if (err < 0)
		return err;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (is_lock_of(*line, &st, pid))
			return 0;
	*pid = 0;
	return 0;
}

struct mp_vm_task mp_vm_task_of(struct mp_root *root, const char *vmid)
{
	struct mp_vm_task task = { 0 };

	if (holder_of(root, vmid, &task.pid) < 0 || !task.pid ||
		!begun_of(root, task.pid, &task.begun))
		return (struct mp_vm_task){ 0 };
	return task;
}

bool mp_vm_task_goes_on(
	struct mp_root *root, const char *vmid, const struct mp_vm_task *task)
{
	uint64_t begun, holder;

	if (!task->pid || !begun_of(root, task->pid, &begun) || begun != task->begun)
		return false;
	return holder_of(root, vmid, &holder) < 0 || holder == task->pid;
}

static void add_cards(
	struct mp_host *host, const struct mp_vm_note *note, const char *vmid)
{
	for (guint i = 0; i < note->cards->len; i++) {
		struct mp_use_entry *entry = mp_host_alloc(host, sizeof(*entry));

		*entry = (struct mp_use_entry){
			.bdf = mp_host_str(host, note->cards->pdata[i]),
			.kind = MP_USE_VM,
			.starting = true,
			.detail = mp_host_strf(host,
				"VM %s is being started with it (by process "
				"%" G_GUINT64_FORMAT ")",
				vmid, note->task.pid),
			.source =
				mp_host_strf(host, "/" MP_PATH_STATUS_DIR "/vm-%s", vmid),
		};
		g_ptr_array_add(host->use->entries, entry);
	}
}

void mp_vm_tasks_probe(struct mp_host *host, struct mp_root *root, const char *vmid)
{
	g_auto(GStrv) names = NULL;
	unsigned seen = 0;

	if (mp_root_list(root, MP_PATH_STATUS_DIR, &names) < 0)
		return;
	for (char **name = names; *name && seen < NOTES_MAX; name++) {
		const char *id = *name + strlen("vm-");
		g_autoptr(mp_vm_note) note = NULL;
		const struct mp_vm *vm;
		uint64_t number;

		if (!g_str_has_prefix(*name, "vm-") || !mp_parse_uint(id, 10, &number) ||
			!strcmp(id, vmid))
			continue;
		seen++;
		vm = mp_host_vm(host, id);
		/* What it really has is known of one that runs. */
		if (vm && vm->running)
			continue;
		note = mp_vm_note_load(root, id, NULL);
		if (note && mp_vm_task_goes_on(root, id, &note->task))
			add_cards(host, note, id);
	}
}
