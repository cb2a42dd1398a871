/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step.h - one change of the host: described, prepared, applied, verified, undone.
 *
 * A step is data: `want` (what shall be, made by the planner) and `before` (what was, made
 * by prepare()), both JSON, so that another process, after a crash, can finish or undo what
 * this one began. How each kind uses them is told in steps/KIND.c. Paths have a leading
 * slash there, as a person writes them.
 */
#ifndef MP_STEP_H
#define MP_STEP_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"
#include "core/target.h"

struct mp_step;

/* What a step may use while it runs. */
struct mp_step_ctx {
	struct mp_target *target;
	const char *store; /* directory of the transaction, a path of the target */
	unsigned number;   /* of the step in its transaction: names what it stores */
	/* A line that a long step has to say, or NULL: alive. The step may be interrupted where
	 * this returns false. */
	bool (*progress)(void *user, const struct mp_step *step, const char *line);
	void *user;
};

/* When a step is undone. */
enum mp_step_order {
	MP_STEP_DIRECT, /* in reverse order of the steps, before the derived ones */
	MP_STEP_DERIVED /* its result follows from direct steps (an image, a grub.cfg): after
	                   all of those, in the order of the steps */
};

struct mp_step_ops {
	const char *kind; /* in the journal: for ever */
	enum mp_step_order order;
	/*
	 * Looks at the host and fills step->before and the store with all that undo() will need.
	 * Changes nothing of the host. Is on disk when it returns. Fails where apply() could not
	 * work: a missing program, a path of the wrong kind.
	 */
	bool (*prepare)(
		struct mp_step *step, const struct mp_step_ctx *ctx, GError **error);
	/*
	 * Makes the change, on disk when it returns. May find it made in part or whole by a run
	 * that ended at any line.
	 */
	bool (*apply)(
		struct mp_step *step, const struct mp_step_ctx *ctx, GError **error);
	/* True if the host is as `want` says; does not trust apply(). NULL: nothing to verify. */
	bool (*verify)(
		struct mp_step *step, const struct mp_step_ctx *ctx, GError **error);
	/*
	 * True if undo() would lose nothing: the host is as `want` or as `before` says, or, with
	 * COMPLETE false (apply() never ended), anything between. Else MP_ERROR_CHANGED, and
	 * *diff (may be NULL) gets a unified diff from ours to what is there, or NULL.
	 */
	bool (*check_undo)(struct mp_step *step, const struct mp_step_ctx *ctx,
		bool complete, char **diff, GError **error);
	/*
	 * Restores what `before` says. May find it restored in part or whole. Leaves temporary
	 * files of apply() and its own nowhere.
	 */
	bool (*undo)(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
		GError **error);
};

struct mp_step {
	const struct mp_step_ops *ops;
	char *what;          /* "write /etc/modprobe.d/metis-passthrough.conf" */
	char *why;           /* a sentence: why this host needs it */
	bool reboot;         /* counts from the next boot on */
	bool slow;           /* minutes: initramfs */
	json_object *want;   /* owned */
	json_object *before; /* owned; NULL until prepared */
};

/* WANT is taken over. WHAT and WHY are copied. */
struct mp_step *mp_step_new(const struct mp_step_ops *ops, json_object *want,
	const char *what, const char *why);
void mp_step_free(struct mp_step *step);
/* The ops of KIND, or NULL. */
const struct mp_step_ops *mp_step_ops_find(const char *kind);

/* The path that the step is about, or NULL: what a later step about the same path hides. */
const char *mp_step_path(const struct mp_step *step);
/* A name for temporary files of this step, the same in every run; hidden, so that nobody who
 * reads a directory of *.conf takes it. Caller frees. */
char *mp_step_temp(const struct mp_step_ctx *ctx);

/* --- JSON of a step, read as strictly as if it were hostile --- */

/* The text of KEY, or NULL and MP_ERROR_INPUT. Owned by OBJECT. */
const char *mp_step_text(json_object *object, const char *key, GError **error);
/* The text of KEY, NULL where it is null or missing. */
const char *mp_step_text_or_null(json_object *object, const char *key);
bool mp_step_uint(json_object *object, const char *key, uint64_t *value, GError **error);
json_object *mp_step_state_to_json(const struct mp_node_state *state);
bool mp_step_state_from_json(
	json_object *object, struct mp_node_state *state, GError **error);

/* --- kinds --- */

/*
 * file: want {path, content (text) or null: absent, mode (number)}. It gets MODE, which is
 * what is promised: a plan that shall not change that of a file which is there asks for it
 * (keep_mode of plan.h). A new file belongs to root, one that is there keeps owner and
 * attributes. before {state, saved (name in the store) or null, made_dirs [path]}.
 */
extern const struct mp_step_ops mp_step_file;
/* CONTENT NULL: the file shall not be there. */
struct mp_step *mp_step_file_new(
	const char *path, const char *content, uint32_t mode, const char *why);

/* link: want {path, target}; before as file. */
extern const struct mp_step_ops mp_step_link;
struct mp_step *mp_step_link_new(const char *path, const char *target, const char *why);

/*
 * program: want {program, args [text], seconds, outputs [path], undo: "again" or null}: a
 * program that makes files from others (update-initramfs, update-grub), or tells a daemon
 * to look again. before: the state and a saved copy of each output. Undone by putting back
 * the outputs that are still as this step made them; where one isn't, by running it again.
 * With no outputs, run again (undo "again") or left alone.
 */
extern const struct mp_step_ops mp_step_program;
struct mp_step *mp_step_program_new(const char *program, const char *const *args,
	const char *const *outputs, unsigned seconds, bool again, const char *why);

/*
 * images: want {devices [{address, id}]}: changes nothing; verify() reads every image of every
 * kernel and fails where one would not bind a device to vfio-pci.
 */
extern const struct mp_step_ops mp_step_images;
struct mp_step *mp_step_images_new(const GPtrArray *devices, const char *why);

/*
 * mapping: want {name, node, path, map, replaces or null}: one entry of a Proxmox resource
 * mapping, by pvesh. before {old (value) or null}.
 */
extern const struct mp_step_ops mp_step_mapping;
/* MAP: "id=1f9d:1100,iommugroup=22,node=...,path=...", of NODE and PATH. REPLACES: the path
 * of an entry of NODE that becomes this one (the card moved), or NULL. CREATE: there is no
 * such mapping yet; for the words alone, apply() looks for itself. */
struct mp_step *mp_step_mapping_new(const char *name, const char *node, const char *path,
	const char *map, const char *replaces, bool create, const char *why);

/*
 * vm: want {vmid, set {key: value}}: VM options, by qm set --digest. before {source (path of
 * the configuration), keys {key: value or null}}. Values are those of the next start.
 */
extern const struct mp_step_ops mp_step_vm;
/* KEYS, VALUES: NULL-ended, of the same length. BRINGS: the volume of the hookscript that the
 * same change installs, or NULL: not undone while another VM names it. */
struct mp_step *mp_step_vm_new(const char *vmid, const char *const *keys,
	const char *const *values, const char *brings, const char *why);

#endif
