/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm: want {vmid, set {key: value}, brings (volume) or absent}, before {source, keys {key:
 * value or null}}. brings: the hookscript that came with the same change and goes with it.
 *
 * Options of a VM, by `qm set VMID --digest SHA1 ...`: qm takes the VM's lock, checks the
 * values, and refuses where the file is not the one that we read. What counts is what a key
 * is from the VM's next start on, because qm keeps the changes of a running VM in [PENDING]:
 * current value, pending value and pending deletion are read as one. So undoing puts a
 * pending value of somebody else's back as pending, too.
 *
 * The file itself is never written: PVE's own writing sorts it, drops what it does not know
 * and encodes its notes, so what is restored are values, not bytes.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/diff.h"
#include "core/program.h"
#include "core/step.h"
#include "core/vm.h"

#define SECONDS 90 /* qm waits 10 s for the VM's lock, and a cluster may be slow */

/* One reading of the configuration. */
struct vm_file {
	struct mp_host *host;
	struct mp_vm *vm;
	char *digest; /* SHA-1 of the bytes that were parsed */
};

static void vm_file_clear(struct vm_file *file)
{
	g_clear_pointer(&file->host, mp_host_free);
	g_clear_pointer(&file->digest, g_free);
}
typedef struct vm_file vm_file;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(vm_file, vm_file_clear)

static bool read_file(struct mp_target *target, const char *vmid, const char *source,
	struct vm_file *file, GError **error)
{
	g_autofree char *object = g_strdup_printf("VM %s: %s", vmid, source);
	g_autofree char *data = NULL;
	size_t size = 0;
	int err = mp_root_read(
		mp_target_root(target), source, MP_VM_FILE_MAX, &data, &size);

	if (err < 0) {
		mp_error_set_errno(error, err, object, "read");
		return false;
	}
	file->host = mp_host_new(mp_target_name(target), mp_target_is_live(target));
	file->vm = mp_vm_parse(file->host, vmid, source, data, size);
	file->digest =
		g_compute_checksum_for_data(G_CHECKSUM_SHA1, (const guchar *)data, size);
	return true;
}

static json_object *object_of(json_object *object, const char *key, GError **error)
{
	json_object *found = NULL;

	if (json_object_object_get_ex(object, key, &found) &&
		json_object_is_type(found, json_type_object))
		return found;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"journal: cannot read a step on a VM: it has no object '%s'", key);
	return NULL;
}

static const char *text_of(json_object *value)
{
	return json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : NULL;
}

/* What the journal says of the step: the same in each of its functions. */
struct known {
	const char *vmid, *source;
	json_object *set, *keys;
};

static bool recall(struct mp_step *step, struct known *known, GError **error)
{
	known->vmid = mp_step_text(step->want, "vmid", error);
	if (!known->vmid)
		return false;
	known->set = object_of(step->want, "set", error);
	if (!known->set)
		return false;
	known->source = mp_step_text(step->before, "source", error);
	if (!known->source)
		return false;
	known->keys = object_of(step->before, "keys", error);
	return known->keys;
}

static const char *before_of(const struct known *known, const char *key)
{
	json_object *value = NULL;

	return json_object_object_get_ex(known->keys, key, &value) ? text_of(value)
								   : NULL;
}

static const char *or_none(const char *value)
{
	return value ? value : "(not set)";
}

static bool refuse_locked(const struct mp_vm *vm, const char *action, GError **error)
{
	const char *lock = mp_vm_get(vm, "lock");

	if (!lock)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
		"VM %s: cannot %s: it is locked (%s); wait until that is over, or if nothing "
		"runs any more: qm unlock %s",
		vm->id, action, lock, vm->id);
	return false;
}

/* --- prepare --- */

static struct mp_vm *find_vm(struct mp_host *host, const char *vmid, GError **error)
{
	const struct mp_guests *guests = host->guests;
	struct mp_vm *vm;

	if (guests->pve.know != MP_KNOWN) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"VM %s: cannot look it up: %s: %s", vmid,
			guests->pve.source ? guests->pve.source : "/etc/pve",
			guests->pve.why ? guests->pve.why : "no Proxmox VE here");
		return NULL;
	}
	vm = mp_host_vm(host, vmid);
	if (vm && vm->fact.know == MP_KNOWN)
		return vm;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "VM %s: cannot look it up: %s",
		vmid,
		vm && vm->fact.why ? vm->fact.why : "there is no such VM on this node");
	return NULL;
}

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const char *vmid = mp_step_text(step->want, "vmid", error);
	json_object *set = vmid ? object_of(step->want, "set", error) : NULL;
	g_autofree char *qm = NULL;
	g_auto(vm_file) file = { 0 };
	g_autoptr(mp_host) host = NULL;
	json_object *before, *keys;
	struct mp_vm *vm;

	if (!set)
		return false;
	qm = mp_program_path(MP_PROGRAM_QM, ctx->target, error);
	if (!qm)
		return false;
	host = mp_host_new(mp_target_name(ctx->target), mp_target_is_live(ctx->target));
	mp_probe_guests(host, mp_target_root(ctx->target));
	vm = find_vm(host, vmid, error);
	if (!vm || !read_file(ctx->target, vmid, vm->source, &file, error) ||
		!refuse_locked(file.vm, "change it", error))
		return false;
	keys = json_object_new_object();
	json_object_object_foreach(set, key, value)
	{
		const char *old = mp_vm_get(file.vm->next, key);

		(void)value;
		json_object_object_add(
			keys, key, old ? json_object_new_string(old) : NULL);
	}
	before = json_object_new_object();
	json_object_object_add(before, "source", json_object_new_string(vm->source));
	json_object_object_add(before, "keys", keys);
	json_object_put(step->before);
	step->before = before;
	return true;
}

/* --- qm set --- */

struct listener {
	const struct mp_step_ctx *ctx;
	const struct mp_step *step;
};

static bool pass_line(void *user, const char *line)
{
	const struct listener *listener = user;

	return !listener->ctx->progress ||
	       listener->ctx->progress(listener->ctx->user, listener->step, line);
}

/* What is to be done for the keys to be as they should: arguments of qm set. */
struct change {
	GPtrArray *args;  /* char *: --KEY VALUE ... */
	GString *deleted; /* keys, by comma */
};

static void change_init(struct change *change)
{
	change->args = g_ptr_array_new_with_free_func(g_free);
	change->deleted = g_string_new(NULL);
}

static void change_clear(struct change *change)
{
	g_ptr_array_unref(change->args);
	g_string_free(change->deleted, TRUE);
}
typedef struct change change_t;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(change_t, change_clear)

static void change_add(struct change *change, const char *key, const char *value)
{
	if (value) {
		g_ptr_array_add(change->args, g_strdup_printf("--%s", key));
		g_ptr_array_add(change->args, g_strdup(value));
		return;
	}
	if (change->deleted->len)
		g_string_append_c(change->deleted, ',');
	g_string_append(change->deleted, key);
}

/* True where the file is not any more what FILE was read from, though qm did not do it. */
static bool changed_meanwhile(struct mp_target *target, const struct vm_file *file)
{
	g_auto(vm_file) now = { 0 };

	return !read_file(target, file->vm->id, file->vm->source, &now, NULL) ||
	       strcmp(now.digest, file->digest) != 0;
}

static bool run_qm(struct mp_step *step, const struct mp_step_ctx *ctx,
	const struct vm_file *file, const struct change *change, GError **error)
{
	struct listener listener = { ctx, step };
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	struct mp_program_call call = {
		.program = MP_PROGRAM_QM,
		.target = ctx->target,
		.seconds = SECONDS,
		.line = pass_line,
		.user = &listener,
	};

	if (!change->args->len && !change->deleted->len)
		return true;
	g_ptr_array_add(args, (gpointer) "set");
	g_ptr_array_add(args, (gpointer)file->vm->id);
	g_ptr_array_add(args, (gpointer) "--digest");
	g_ptr_array_add(args, file->digest);
	for (guint i = 0; i < change->args->len; i++)
		g_ptr_array_add(args, change->args->pdata[i]);
	if (change->deleted->len) {
		g_ptr_array_add(args, (gpointer) "--delete");
		g_ptr_array_add(args, change->deleted->str);
	}
	g_ptr_array_add(args, NULL);
	call.args = (const char *const *)args->pdata;
	if (mp_program_call(&call, error))
		return true;
	if (changed_meanwhile(ctx->target, file))
		g_prefix_error(error,
			"VM %s: cannot set its options: its configuration was changed "
			"meanwhile (%s); nothing of that was overwritten: ",
			file->vm->id, file->vm->source);
	else
		g_prefix_error(error, "VM %s: cannot set its options: ", file->vm->id);
	return false;
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	struct known known;
	g_auto(vm_file) file = { 0 };
	g_auto(change_t) change;

	change_init(&change);
	if (!recall(step, &known, error) ||
		!read_file(ctx->target, known.vmid, known.source, &file, error))
		return false;
	json_object_object_foreach(known.set, key, value)
	{
		const char *now = mp_vm_get(file.vm->next, key);
		const char *ours = text_of(value), *before = before_of(&known, key);

		if (!g_strcmp0(now, ours))
			continue;
		if (g_strcmp0(now, before) != 0) {
			g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
				"VM %s: cannot set %s: somebody changed it meanwhile from "
				"%s to %s",
				known.vmid, key, or_none(before), or_none(now));
			return false;
		}
		change_add(&change, key, ours);
	}
	return run_qm(step, ctx, &file, &change, error);
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	struct known known;
	g_auto(vm_file) file = { 0 };

	if (!recall(step, &known, error) ||
		!read_file(ctx->target, known.vmid, known.source, &file, error))
		return false;
	json_object_object_foreach(known.set, key, value)
	{
		const char *now = mp_vm_get(file.vm->next, key);

		if (!g_strcmp0(now, text_of(value)))
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"VM %s: %s is %s after it was set to %s", known.vmid, key,
			or_none(now), or_none(text_of(value)));
		return false;
	}
	return true;
}

/* --- undo --- */

/* The node that has the VM now, by /etc/pve/nodes; NULL: none. Caller frees. */
static char *node_of(struct mp_target *target, const char *vmid)
{
	struct mp_root *root = mp_target_root(target);
	g_auto(GStrv) nodes = NULL;

	if (mp_root_list(root, "etc/pve/nodes", &nodes) < 0)
		return NULL;
	for (char **node = nodes; *node; node++) {
		g_autofree char *path = g_strdup_printf(
			"etc/pve/nodes/%s/qemu-server/%s.conf", *node, vmid);
		struct mp_stat st;

		if (mp_root_stat(root, path, &st) == 0)
			return g_strdup(*node);
	}
	return NULL;
}

/*
 * The file, to undo something in it. *gone: the VM was destroyed, so there is nothing to
 * undo. A VM that went to another node can be changed there alone.
 */
static bool read_to_undo(struct mp_target *target, const struct known *known,
	struct vm_file *file, bool *gone, GError **error)
{
	g_autofree char *node = NULL;
	struct mp_stat st;
	int err = mp_root_stat(mp_target_root(target), known->source, &st);

	*gone = err == -ENOENT;
	if (!*gone)
		return read_file(target, known->vmid, known->source, file, error);
	if (mp_root_stat(mp_target_root(target), "etc/pve/nodes", &st) < 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"VM %s: cannot look at %s: the cluster file system is not mounted "
			"(systemctl status pve-cluster)",
			known->vmid, known->source);
		return false;
	}
	node = node_of(target, known->vmid);
	if (!node)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"VM %s: cannot undo its options here: it has moved to node %s",
		known->vmid, node);
	return false;
}

/* A VM whose hookscript is missing does not start: it must not go while others name it. */
static bool refuse_needed(struct mp_step *step, struct mp_target *target, GError **error)
{
	const char *volume = mp_step_text_or_null(step->want, "brings");
	const char *vmid = mp_step_text_or_null(step->want, "vmid");
	g_autoptr(mp_host) host = NULL;

	if (!volume)
		return true;
	host = mp_host_new(mp_target_name(target), mp_target_is_live(target));
	mp_probe_guests(host, mp_target_root(target));
	for (guint i = 0; i < host->guests->vms->len; i++) {
		const struct mp_vm *vm = host->guests->vms->pdata[i];

		if (!g_strcmp0(vm->id, vmid) ||
			g_strcmp0(vm->next->hookscript, volume) != 0)
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
			"VM %s: cannot undo its options: VM %s has the hookscript %s too, "
			"which would go with it, and then it would not start; first: qm set "
			"%s --delete hookscript, or roll back what was set up for it",
			vmid, vm->id, volume, vm->id);
		return false;
	}
	return true;
}

static void append_value(GString *text, const char *key, const char *value)
{
	if (value)
		g_string_append_printf(text, "%s: %s\n", key, value);
}

static bool check_undo(struct mp_step *step, const struct mp_step_ctx *ctx,
	bool complete G_GNUC_UNUSED, char **diff, GError **error)
{
	struct known known;
	g_auto(vm_file) file = { 0 };
	g_autoptr(GString) ours = g_string_new(NULL);
	g_autoptr(GString) theirs = g_string_new(NULL);
	g_autofree char *first = NULL;
	bool gone = false;

	if (!recall(step, &known, error) || !refuse_needed(step, ctx->target, error) ||
		!read_to_undo(ctx->target, &known, &file, &gone, error))
		return false;
	if (gone)
		return true;
	json_object_object_foreach(known.set, key, value)
	{
		const char *now = mp_vm_get(file.vm->next, key);
		const char *before = before_of(&known, key);

		append_value(ours, key, text_of(value));
		append_value(theirs, key, now);
		if (!g_strcmp0(now, text_of(value)) || !g_strcmp0(now, before))
			continue;
		if (!first)
			first = g_strdup_printf("%s was set to %s, is %s now", key,
				or_none(text_of(value)), or_none(now));
	}
	if (!first)
		return refuse_locked(file.vm, "undo the change of it", error);
	if (diff) {
		g_autofree char *as_set = g_strdup_printf("VM %s as set up", known.vmid);
		g_autofree char *as_is = g_strdup_printf("VM %s now", known.vmid);

		*diff = mp_diff_unified(as_set, ours->str, as_is, theirs->str);
	}
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"VM %s: somebody changed it since (%s): %s", known.vmid, known.source,
		first);
	return false;
}

static bool undo(struct mp_step *step, const struct mp_step_ctx *ctx,
	bool complete G_GNUC_UNUSED, GError **error)
{
	struct known known;
	g_auto(vm_file) file = { 0 };
	g_auto(change_t) change;
	bool gone = false;

	change_init(&change);
	if (!recall(step, &known, error) ||
		!read_to_undo(ctx->target, &known, &file, &gone, error))
		return false;
	if (gone)
		return true;
	json_object_object_foreach(known.keys, key, value)
	{
		const char *before = text_of(value);

		if (g_strcmp0(mp_vm_get(file.vm->next, key), before) != 0)
			change_add(&change, key, before);
	}
	return run_qm(step, ctx, &file, &change, error);
}

const struct mp_step_ops mp_step_vm = {
	.kind = "vm",
	.order = MP_STEP_DIRECT,
	.prepare = prepare,
	.apply = apply,
	.verify = verify,
	.check_undo = check_undo,
	.undo = undo,
};

struct mp_step *mp_step_vm_new(const char *vmid, const char *const *keys,
	const char *const *values, const char *brings, const char *why)
{
	json_object *want = json_object_new_object();
	json_object *set = json_object_new_object();
	g_autoptr(GString) what = g_string_new(NULL);

	g_string_printf(what, "qm set %s", vmid);
	for (; *keys; keys++, values++) {
		json_object_object_add(set, *keys, json_object_new_string(*values));
		g_string_append_printf(what, " --%s %s", *keys, *values);
	}
	json_object_object_add(want, "vmid", json_object_new_string(vmid));
	json_object_object_add(want, "set", set);
	if (brings)
		json_object_object_add(want, "brings", json_object_new_string(brings));
	return mp_step_new(&mp_step_vm, want, what->str, why);
}
