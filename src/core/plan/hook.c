/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hookscript: a file in the snippets of the storage `local`, which each node has for
 * itself. PVE resolves the volume by storage.cfg and asks neither whether the storage may
 * hold snippets nor whether the directory was made (PVE::GuestHelpers check_hookscript()).
 * The file comes before the VM's option and goes after it: a VM whose hookscript is missing
 * does not start. PVE knows one hookscript for a VM: one that it has already is written into
 * a note, which comes before all that, and ours calls it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/hookscript.h"
#include "core/plan/guest.h"
#include "core/template.h"

#define PROGRAM MP_BINDIR "/metis-passthrough"

/* The mount options of the file system that PATH is on, by /proc/self/mountinfo: the mount
 * point is the 5th field, its options the 6th (proc(5)). Caller frees; NULL: not known. */
static char *mount_options(struct mp_root *root, const char *path)
{
	g_autofree char *data = NULL;
	char *found = NULL;
	size_t best = 0;

	if (mp_root_read(root, "proc/self/mountinfo", MP_READ_FILE, &data, NULL) < 0)
		return NULL;
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", 7);
		size_t length;

		if (g_strv_length(fields) < 7)
			continue;
		length = strlen(fields[4]);
		if (length == 1)
			length = 0; /* "/" */
		/* A later mount at the same place hides the earlier. */
		if (length < best || strncmp(path, fields[4], length) != 0 ||
			(path[length] && path[length] != '/'))
			continue;
		best = length;
		g_free(found);
		found = g_strdup(fields[5]);
	}
	return found;
}

static bool is_noexec(struct mp_root *root, const char *path)
{
	g_autofree char *options = mount_options(root, path);
	g_auto(GStrv) list = g_strsplit(options ? options : "", ",", -1);

	return g_strv_contains((const char *const *)list, "noexec");
}

/* Where the file goes, or NULL with an obstacle. */
static const char *directory_of(
	struct mp_plan *plan, const struct mp_wish *wish, const char *subject)
{
	const struct mp_storage *local = mp_host_storage(wish->host, "local");

	if (wish->host->guests->storages_fact.know == MP_UNKNOWN) {
		mp_plan_add_obstacle(plan, subject, "run this as root on the node itself",
			"the storages of Proxmox VE could not be read: %s",
			wish->host->guests->storages_fact.why);
		return NULL;
	}
	if (!local || !local->snippets ||
		(strcmp(local->type, "dir") != 0 && strcmp(local->type, "btrfs") != 0)) {
		mp_plan_add_obstacle(plan, subject,
			"leave --hook out, or make `local` a directory of this node again "
			"(Datacenter > Storage)",
			"the storage 'local' is no directory of this node%s%s, so it cannot "
			"hold the hookscript",
			local ? " but of type " : "", local ? local->type : "");
		return NULL;
	}
	if (is_noexec(wish->root, local->snippets)) {
		mp_plan_add_obstacle(plan, subject,
			"mount it with exec, or leave --hook out",
			"%s is on a file system that is mounted noexec: nothing there can be "
			"run",
			local->snippets);
		return NULL;
	}
	return local->snippets;
}

/* --- the hookscript that the VM has already --- */

static bool refuse_earlier(struct mp_plan *plan, const char *subject, const char *volume,
	const char *remedy, const char *why)
{
	mp_plan_add_obstacle(plan, subject, remedy,
		"its hookscript %s cannot be called by ours: %s", volume, why);
	return false;
}

/* The file of the hookscript VOLUME, or NULL with an obstacle. Caller frees. */
static char *earlier_path(struct mp_plan *plan, const struct mp_wish *wish,
	const char *subject, const char *volume)
{
	static const char gone[] =
		"the VM does not start as it is: put the script there, or qm set ... "
		"--delete hookscript";
	g_autofree char *storage_name = NULL;
	const char *name = mp_volume_snippet(volume, &storage_name);
	const struct mp_storage *storage =
		name ? mp_host_storage(wish->host, storage_name) : NULL;
	const struct mp_snippet *file =
		storage ? mp_storage_snippet(storage, name) : NULL;

	if (!name || !*name || strchr(name, '/'))
		refuse_earlier(plan, subject, volume, gone,
			"it is not of the form STORAGE:snippets/NAME");
	else if (!storage || !storage->snippets)
		refuse_earlier(plan, subject, volume, gone,
			"it is not known where that is, for its storage is no directory");
	else if (storage->looked.know == MP_KNOWN && (!file || !file->regular))
		refuse_earlier(plan, subject, volume, gone, "there is no such file");
	else if (storage->looked.know == MP_KNOWN && !file->executable)
		refuse_earlier(plan, subject, volume,
			"the VM does not start as it is: chmod +x, if it is to run",
			"it is not executable");
	else
		return g_build_filename(storage->snippets, name, NULL);
	return NULL;
}

static void add_note(
	struct mp_plan *plan, const char *path, const char *content, const char *why)
{
	mp_plan_add_file(plan, path, content, 0, "%s", why);
}

static bool keep_other(struct mp_plan *plan, const struct mp_wish *wish,
	const char *subject, const char *note, const char *volume)
{
	g_autofree char *path = earlier_path(plan, wish, subject, volume);
	g_autofree char *head = mp_plan_head("# ");
	g_autofree char *content = NULL;

	if (!path)
		return false;
	content = g_strdup_printf(
		"%s# The hookscript that %s had before (%s). Ours calls it, before itself\n"
		"# in the phase pre-start, after itself in the others.\n%s\n",
		head, subject, volume, path);
	add_note(plan, note, content,
		"Proxmox VE knows one hookscript for a VM: from here ours knows the one that "
		"it has, and calls it in each phase");
	mp_plan_add_note(plan, subject,
		"its hookscript %s goes on being run, by ours: before it in pre-start, where "
		"its failure refuses the start as before, and after it in the other phases",
		volume);
	return true;
}

/* Ours is there already: what it calls stays as it is. */
static bool keep_noted(struct mp_plan *plan, const struct mp_wish *wish,
	const char *subject, const char *note, const struct mp_vm *vm)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_vm again = { .id = vm->id };
	g_autofree char *content = NULL;

	mp_hook_note_read(host, wish->root, &again, &content);
	if (again.earlier_hookscript.know == MP_ABSENT)
		return true;
	if (content) {
		add_note(plan, note, content,
			"the hookscript that the VM had before; ours calls it");
		return true;
	}
	/* In a snapshot nobody looked, and nothing can be set up there anyway. */
	if (!again.earlier_problem && mp_root_header(wish->root, "tool")) {
		mp_plan_add_note(plan, subject,
			"whether its hookscript calls another is not known: the snapshot "
			"does not have %s",
			note);
		return true;
	}
	mp_plan_add_obstacle(plan, subject,
		"look at it: it is comments and one line, the absolute path of a script",
		"%s does not tell which hookscript ours is to call: %s", note,
		again.earlier_hookscript.why);
	return false;
}

/* Of another VM that had this number. */
static bool remove_stale(
	struct mp_plan *plan, const struct mp_wish *wish, const char *note)
{
	struct mp_stat st;

	if (mp_root_stat(wish->root, note, &st) == 0)
		add_note(plan, note, NULL,
			"it names a hookscript that the VM does not have: ours would call "
			"it");
	return true;
}

/* False: an obstacle says why not. */
static bool keep_earlier(
	struct mp_plan *plan, const struct mp_wish *wish, const char *subject)
{
	const struct mp_vm *vm = mp_host_vm(wish->host, wish->vm);
	g_autofree char *note = mp_hook_note_path(wish->vm);

	if (!vm) /* said by the VM's own topic */
		return true;
	if (!vm->next->hookscript)
		return remove_stale(plan, wish, note);
	if (strcmp(vm->next->hookscript, MP_HOOK_VOLUME) != 0)
		return keep_other(plan, wish, subject, note, vm->next->hookscript);
	return keep_noted(plan, wish, subject, note, vm);
}

/* A hook whose program is missing refuses each start. */
static bool has_program(
	struct mp_plan *plan, const struct mp_wish *wish, const char *subject)
{
	struct mp_stat st;
	int err = mp_root_stat(wish->root, PROGRAM, &st);

	/* In a snapshot nobody looked, and nothing can be set up there anyway. */
	if (err == -ENODATA || mp_root_header(wish->root, "tool"))
		return true;
	if (err == 0 && st.type == MP_FILE_REGULAR && (st.mode & 0111))
		return true;
	mp_plan_add_obstacle(plan, subject,
		"install metis-passthrough there (make install)",
		"the hookscript runs " PROGRAM
		", which is not installed: the VM would not "
		"start");
	return false;
}

void mp_plan_hook(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autofree char *subject = NULL;
	g_autofree char *path = NULL;
	g_autofree char *head = NULL;
	g_autofree char *content = NULL;
	const char *directory;

	if (!wish->hook)
		return;
	if (!wish->vm) {
		mp_plan_add_obstacle(plan, "host", "name it: --vm VMID",
			"a hookscript belongs to a VM, and none is named");
		return;
	}
	subject = g_strdup_printf("VM %s", wish->vm);
	if (!mp_plan_has_pve(plan, wish, subject) || !has_program(plan, wish, subject))
		return;
	directory = directory_of(plan, wish, subject);
	if (!directory || !keep_earlier(plan, wish, subject))
		return;
	head = g_strchomp(mp_plan_head("# "));
	const char *const values[] = { "HEAD", head, "PROGRAM", PROGRAM, "NOTES",
		MP_HOOK_NOTES, NULL };

	content = mp_template_fill("hooks/metis-passthrough", values);
	path = g_build_filename(directory, MP_HOOK_FILE, NULL);
	mp_plan_add_file(plan, path, content, 0,
		"Proxmox VE runs it before VM %s starts; it refuses the start where the card "
		"is not the one that was set up, does not answer, or is in use",
		wish->vm)
		->mode = 0755;
}
