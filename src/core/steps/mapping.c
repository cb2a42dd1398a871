/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping: want {name, node, path, map, replaces (path) or null}, before {old (value) or
 * null}.
 *
 * One entry of a resource mapping: what NAME means on this node at PATH. `pvesh set` takes
 * the whole list of a mapping, so the entries of other nodes and cards are repeated as they
 * are, and the digest of the file is handed over, so that an entry which somebody adds
 * meanwhile is not lost. Undoing takes this one entry out again, or puts the old one back;
 * what others added since stays. A mapping without entries cannot be, so it is deleted.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/diff.h"
#include "core/program.h"
#include "core/step.h"
#include "core/vm.h"

#define PCI_CFG "etc/pve/mapping/pci.cfg"
#define API     "/cluster/mapping/pci"
#define SECONDS 90

/* One reading of the mappings. */
struct mappings {
	struct mp_host *host;
	char *digest; /* SHA-1 of the file; of nothing where there is none, as PVE does */
};

static void mappings_clear(struct mappings *mappings)
{
	g_clear_pointer(&mappings->host, mp_host_free);
	g_clear_pointer(&mappings->digest, g_free);
}
typedef struct mappings mappings_t;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(mappings_t, mappings_clear)

static bool read_mappings(
	struct mp_target *target, struct mappings *mappings, GError **error)
{
	g_autofree char *data = NULL;
	size_t size = 0;
	int err = mp_root_read(
		mp_target_root(target), PCI_CFG, MP_VM_FILE_MAX, &data, &size);

	if (err < 0 && err != -ENOENT) {
		mp_error_set_errno(error, err, "/" PCI_CFG, "read");
		return false;
	}
	if (err < 0)
		data = g_strdup("");
	mappings->host = mp_host_new(mp_target_name(target), mp_target_is_live(target));
	mappings->host->guests =
		mp_host_alloc(mappings->host, sizeof(*mappings->host->guests));
	mappings->host->guests->mappings = mp_host_array(mappings->host);
	mp_mappings_parse(mappings->host, mappings->host->guests, data, size);
	mappings->digest =
		g_compute_checksum_for_data(G_CHECKSUM_SHA1, (const guchar *)data, size);
	return true;
}

/* What the journal says of the step. */
struct known {
	const char *name, *node, *path, *map, *replaces;
};

static bool recall(struct mp_step *step, struct known *known, GError **error)
{
	known->name = mp_step_text(step->want, "name", error);
	if (!known->name)
		return false;
	known->node = mp_step_text(step->want, "node", error);
	if (!known->node)
		return false;
	known->path = mp_step_text(step->want, "path", error);
	if (!known->path)
		return false;
	known->map = mp_step_text(step->want, "map", error);
	known->replaces = mp_step_text_or_null(step->want, "replaces");
	return known->map;
}

/* The mapping; NULL, with no error set, where there is none. */
static struct mp_mapping *find_mapping(
	const struct mappings *mappings, const char *name, bool *broken, GError **error)
{
	struct mp_mapping *mapping = mp_host_mapping(mappings->host, name);

	*broken = mapping && mapping->problem;
	if (!*broken)
		return mapping;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"mapping %s: cannot change it: Proxmox VE does not understand it either "
		"(/" PCI_CFG ", %s)",
		name, mapping->problem);
	return NULL;
}

static const struct mp_mapping_entry *find_entry(
	const struct mp_mapping *mapping, const char *node, const char *path)
{
	for (guint i = 0; mapping && path && i < mapping->entries->len; i++) {
		const struct mp_mapping_entry *entry = mapping->entries->pdata[i];

		if (!strcmp(entry->node, node) && !strcmp(entry->path, path))
			return entry;
	}
	return NULL;
}

static const char *raw_of(const struct mp_mapping_entry *entry)
{
	return entry ? entry->raw : NULL;
}

/* --- prepare --- */

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autofree char *pvesh = mp_program_path(MP_PROGRAM_PVESH, ctx->target, error);
	const struct mp_mapping_entry *old;
	g_auto(mappings_t) mappings = { 0 };
	struct mp_mapping *mapping;
	struct known known;
	struct mp_stat st;
	bool broken = false;
	int err;

	if (!pvesh || !recall(step, &known, error))
		return false;
	err = mp_root_stat(mp_target_root(ctx->target), "etc/pve/nodes", &st);
	if (err < 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"mapping %s: cannot change it: the cluster file system is not "
			"mounted at /etc/pve (systemctl status pve-cluster)",
			known.name);
		return false;
	}
	if (!read_mappings(ctx->target, &mappings, error))
		return false;
	mapping = find_mapping(&mappings, known.name, &broken, error);
	if (broken)
		return false;
	old = find_entry(mapping, known.node, known.path);
	if (!old)
		old = find_entry(mapping, known.node, known.replaces);
	json_object_put(step->before);
	step->before = json_object_new_object();
	json_object_object_add(
		step->before, "old", old ? json_object_new_string(old->raw) : NULL);
	return true;
}

/* --- pvesh --- */

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

static bool run_pvesh(struct mp_step *step, const struct mp_step_ctx *ctx,
	const char *name, GPtrArray *args, GError **error)
{
	struct listener listener = { ctx, step };
	struct mp_program_call call = {
		.program = MP_PROGRAM_PVESH,
		.target = ctx->target,
		.seconds = SECONDS,
		.line = pass_line,
		.user = &listener,
	};

	g_ptr_array_add(args, NULL);
	call.args = (const char *const *)args->pdata;
	if (mp_program_call(&call, error))
		return true;
	g_prefix_error(error, "mapping %s: cannot change it: ", name);
	return false;
}

/*
 * Makes the mapping's list what it is, with ENTRY replaced by VALUE. ENTRY NULL: VALUE is
 * added; VALUE NULL: ENTRY is left out.
 */
static bool put_entry(struct mp_step *step, const struct mp_step_ctx *ctx,
	const struct mappings *mappings, const struct mp_mapping *mapping,
	const struct mp_mapping_entry *entry, const char *value, GError **error)
{
	const char *name = mp_step_text_or_null(step->want, "name");
	g_autofree char *path = g_strdup_printf(API "/%s", name);
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	guint left = 0;

	g_ptr_array_add(args, (gpointer)(mapping ? "set" : "create"));
	g_ptr_array_add(args, mapping ? path : (gpointer)API);
	if (!mapping) {
		g_ptr_array_add(args, (gpointer) "--id");
		g_ptr_array_add(args, (gpointer)name);
	}
	for (guint i = 0; mapping && i < mapping->entries->len; i++) {
		const struct mp_mapping_entry *other = mapping->entries->pdata[i];
		const char *map = other == entry ? value : other->raw;

		if (!map)
			continue;
		g_ptr_array_add(args, (gpointer) "--map");
		g_ptr_array_add(args, (gpointer)map);
		left++;
	}
	if (!entry && value) {
		g_ptr_array_add(args, (gpointer) "--map");
		g_ptr_array_add(args, (gpointer)value);
		left++;
	}
	if (!left) {
		g_ptr_array_set_size(args, 0);
		g_ptr_array_add(args, (gpointer) "delete");
		g_ptr_array_add(args, path);
	} else if (mapping) {
		g_ptr_array_add(args, (gpointer) "--digest");
		g_ptr_array_add(args, mappings->digest);
	}
	return run_pvesh(step, ctx, name, args, error);
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const struct mp_mapping_entry *entry, *moved;
	g_auto(mappings_t) mappings = { 0 };
	struct mp_mapping *mapping;
	struct known known;
	const char *old;
	bool broken = false;

	if (!recall(step, &known, error) || !read_mappings(ctx->target, &mappings, error))
		return false;
	mapping = find_mapping(&mappings, known.name, &broken, error);
	if (broken)
		return false;
	entry = find_entry(mapping, known.node, known.path);
	moved = find_entry(mapping, known.node, known.replaces);
	if (entry && !moved && !strcmp(entry->raw, known.map))
		return true;
	if (!entry)
		entry = moved;
	old = mp_step_text_or_null(step->before, "old");
	if (g_strcmp0(raw_of(entry), old) != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
			"mapping %s: cannot set what it is on node %s: somebody changed it "
			"meanwhile to %s",
			known.name, known.node, entry ? entry->raw : "nothing");
		return false;
	}
	return put_entry(step, ctx, &mappings, mapping, entry, known.map, error);
}

/* --- verify --- */

static const char *member(json_object *object, const char *key)
{
	json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) &&
			       json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : NULL;
}

/* What Proxmox VE itself says of the mapping on this node, by its own rules. */
static bool judge_answer(json_object *answer, const struct known *known, GError **error)
{
	size_t count = json_object_is_type(answer, json_type_array)
			       ? json_object_array_length(answer)
			       : 0;

	for (size_t i = 0; i < count; i++) {
		json_object *item = json_object_array_get_idx(answer, i);
		json_object *checks = NULL;

		if (g_strcmp0(member(item, "id"), known->name) != 0)
			continue;
		json_object_object_get_ex(item, "checks", &checks);
		size_t problems = json_object_is_type(checks, json_type_array)
					  ? json_object_array_length(checks)
					  : 0;
		for (size_t p = 0; p < problems; p++) {
			json_object *check = json_object_array_get_idx(checks, p);
			const char *message = member(check, "message");

			if (g_strcmp0(member(check, "severity"), "error") != 0)
				continue;
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"mapping %s: Proxmox VE finds it wrong on node %s: %s",
				known->name, known->node, message ? message : "(why?)");
			return false;
		}
		return true;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"mapping %s: pvesh get " API " --check-node %s does not list it",
		known->name, known->node);
	return false;
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autoptr(GString) output = g_string_new(NULL);
	const struct mp_mapping_entry *entry;
	g_auto(mappings_t) mappings = { 0 };
	struct mp_mapping *mapping;
	json_object *answer;
	struct known known;
	bool broken = false, good;

	if (!recall(step, &known, error) || !read_mappings(ctx->target, &mappings, error))
		return false;
	mapping = find_mapping(&mappings, known.name, &broken, error);
	if (broken)
		return false;
	entry = find_entry(mapping, known.node, known.path);
	if (!entry || strcmp(entry->raw, known.map) != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"mapping %s: it is %s on node %s after it was set to %s",
			known.name, entry ? entry->raw : "nothing", known.node,
			known.map);
		return false;
	}
	const char *const args[] = { "get", API, "--check-node", known.node,
		"--output-format", "json", NULL };
	const struct mp_program_call call = {
		.program = MP_PROGRAM_PVESH,
		.args = args,
		.target = ctx->target,
		.seconds = SECONDS,
		.output = output,
	};

	if (!mp_program_call(&call, error)) {
		g_prefix_error(error, "mapping %s: cannot have it checked: ", known.name);
		return false;
	}
	answer = json_tokener_parse(output->str);
	good = judge_answer(answer, &known, error);
	json_object_put(answer);
	return good;
}

/* --- undo --- */

/* The state to be undone, in one reading. */
static bool look(const struct mappings *mappings, const struct known *known,
	struct mp_mapping **mapping, const struct mp_mapping_entry **entry,
	const struct mp_mapping_entry **moved, GError **error)
{
	bool broken = false;

	*mapping = find_mapping(mappings, known->name, &broken, error);
	*entry = find_entry(*mapping, known->node, known->path);
	*moved = find_entry(*mapping, known->node, known->replaces);
	return !broken;
}

/* True where the list says of this card what it said before. */
static bool is_as_before(const struct mp_mapping_entry *entry,
	const struct mp_mapping_entry *moved, const char *old)
{
	if (entry && moved)
		return false;
	return !g_strcmp0(raw_of(entry ? entry : moved), old);
}

static bool check_undo(struct mp_step *step, const struct mp_step_ctx *ctx,
	bool complete G_GNUC_UNUSED, char **diff, GError **error)
{
	const struct mp_mapping_entry *entry, *moved;
	g_auto(mappings_t) mappings = { 0 };
	struct mp_mapping *mapping;
	struct known known;
	const char *old, *now;

	if (!recall(step, &known, error) ||
		!read_mappings(ctx->target, &mappings, error) ||
		!look(&mappings, &known, &mapping, &entry, &moved, error))
		return false;
	old = mp_step_text_or_null(step->before, "old");
	now = raw_of(entry ? entry : moved);
	if (is_as_before(entry, moved, old) || (entry && !strcmp(now, known.map)))
		return true;
	if (diff) {
		g_autofree char *ours = g_strdup_printf("map %s\n", known.map);
		g_autofree char *theirs = now ? g_strdup_printf("map %s\n", now) : NULL;
		g_autofree char *as_set =
			g_strdup_printf("mapping %s as set up", known.name);
		g_autofree char *as_is = g_strdup_printf("mapping %s now", known.name);

		*diff = mp_diff_unified(as_set, ours, as_is, theirs);
	}
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"mapping %s: somebody changed it since for node %s (/" PCI_CFG
		"): it was set to %s, is %s now",
		known.name, known.node, known.map, now ? now : "nothing");
	return false;
}

static bool undo(struct mp_step *step, const struct mp_step_ctx *ctx,
	bool complete G_GNUC_UNUSED, GError **error)
{
	const struct mp_mapping_entry *entry, *moved;
	g_auto(mappings_t) mappings = { 0 };
	struct mp_mapping *mapping;
	struct known known;
	const char *old;

	if (!recall(step, &known, error) ||
		!read_mappings(ctx->target, &mappings, error) ||
		!look(&mappings, &known, &mapping, &entry, &moved, error))
		return false;
	old = mp_step_text_or_null(step->before, "old");
	if (is_as_before(entry, moved, old))
		return true;
	return put_entry(
		step, ctx, &mappings, mapping, entry ? entry : moved, old, error);
}

const struct mp_step_ops mp_step_mapping = {
	.kind = "mapping",
	.order = MP_STEP_DIRECT,
	.prepare = prepare,
	.apply = apply,
	.verify = verify,
	.check_undo = check_undo,
	.undo = undo,
};

struct mp_step *mp_step_mapping_new(const char *name, const char *node, const char *path,
	const char *map, const char *replaces, bool create, const char *why)
{
	json_object *want = json_object_new_object();
	g_autofree char *what =
		create ? g_strdup_printf(
				 "pvesh create " API " --id %s --map %s", name, map)
		       : g_strdup_printf("pvesh set " API
					 "/%s --map %s (other entries repeated)",
				 name, map);

	json_object_object_add(want, "name", json_object_new_string(name));
	json_object_object_add(want, "node", json_object_new_string(node));
	json_object_object_add(want, "path", json_object_new_string(path));
	json_object_object_add(want, "map", json_object_new_string(map));
	json_object_object_add(
		want, "replaces", replaces ? json_object_new_string(replaces) : NULL);
	return mp_step_new(&mp_step_mapping, want, what, why);
}
