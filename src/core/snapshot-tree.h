/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot-tree.h - a snapshot file in memory: a tree of names, each with the answers that
 * the file tells. Contents are decoded when they are asked for. Only root-snapshot.c and
 * the tests include this.
 *
 * The format (snapshot 1), made to be read, compared and edited by people:
 *
 *   metis-passthrough snapshot 1       first line
 *   KEY: VALUE                         tool, captured, scrubbed (yes, no), and
 *                                      missing: what a path that is not in the file means:
 *                                      "unknown" (nobody looked) or "absent"
 *   # comment                          anywhere but inside a block; so are empty lines
 *   [/sys/bus/pci/devices]             directory of the entries below
 *   NAME = TEXT                        file of one line
 *   NAME :                             file; its lines follow, each after "| "; a last
 *                                      line without line feed comes after "\ "
 *   NAME x SIZE                        binary file; "| OFFSET: HH HH ..." follow, what is
 *                                      not said is zero
 *   NAME -> TARGET                     symbolic link
 *   NAME /                             directory; its names follow after "| "
 *   NAME ? TYPE MODE SIZE MTIME        stat: file, dir, link, other; octal; seconds
 *   NAME ! [LOOK] ERROR                could not look: LOOK is read, link, list or stat (all
 *                                      when left out), ERROR as in errno(3): EACCES
 *   - NAME NAME ...                    these do not exist
 *   [end N]                            last line; N is the number of entries (NAME and
 *                                      "-" lines) and may be left out
 *
 * NAME is relative to the directory and may hold slashes; "." is the directory itself. In
 * paths, names and targets a byte may be written \xNN, and must where it is a white space,
 * a control character or a backslash, or where a line would mean something else.
 */
#ifndef MP_SNAPSHOT_TREE_H
#define MP_SNAPSHOT_TREE_H

#include <glib.h>

#include "core/root.h"

#define MP_SNAPSHOT_MAGIC      "metis-passthrough snapshot 1"
#define MP_SNAPSHOT_MAX_SIZE   (256u * 1024 * 1024)
#define MP_SNAPSHOT_MAX_LINE   (1024u * 1024)
#define MP_SNAPSHOT_MAX_NODES  (4u * 1024 * 1024)
#define MP_SNAPSHOT_MAX_DEPTH  64 /* components of a path */
#define MP_SNAPSHOT_MAX_BINARY (64u * 1024 * 1024)

enum mp_snap_has {
	MP_SNAP_TEXT = 1 << 0,   /* data: the text itself */
	MP_SNAP_BLOCK = 1 << 1,  /* data: the "| " lines */
	MP_SNAP_BINARY = 1 << 2, /* data: the hex lines */
	MP_SNAP_LINK = 1 << 3,
	MP_SNAP_LISTED = 1 << 4, /* all its names are children with MP_SNAP_NAMED */
	MP_SNAP_NAMED = 1 << 5,  /* its parent's listing holds it */
	MP_SNAP_STAT = 1 << 6,
	MP_SNAP_EXISTS = 1 << 7, /* told to be there, or something below it is */
	MP_SNAP_FILE = MP_SNAP_TEXT | MP_SNAP_BLOCK | MP_SNAP_BINARY,
};

#define MP_SNAP_LOOKS 4 /* enum mp_look */

struct mp_snap_node {
	struct mp_snap_node *parent, *child, *sibling;
	const char *name; /* not NUL-terminated */
	uint32_t name_length, hash;
	uint32_t has;         /* enum mp_snap_has */
	uint32_t size, lines; /* of the content; lines: in the file */
	const char *data;     /* into the file */
	const char *link;     /* NUL-terminated */
	const struct mp_stat *st;
	int16_t err[MP_SNAP_LOOKS]; /* negative errno, 0: none */
};

struct mp_snap_tree;

/*
 * Takes DATA (with a NUL after SIZE bytes, from g_malloc) over, also when it fails. NAME is
 * for messages: "NAME:LINE: what is wrong".
 */
struct mp_snap_tree *mp_snap_parse(
	const char *name, char *data, size_t size, GError **error);
void mp_snap_free(struct mp_snap_tree *tree);
typedef struct mp_snap_tree mp_snap_tree;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_snap_tree, mp_snap_free)

struct mp_snap_node *mp_snap_root(struct mp_snap_tree *tree);
/* The child called NAME of LENGTH bytes, or NULL. */
struct mp_snap_node *mp_snap_child(const struct mp_snap_tree *tree,
	const struct mp_snap_node *parent, const char *name, size_t length);
/* True: what the file does not tell was not looked at. */
bool mp_snap_missing_is_unknown(const struct mp_snap_tree *tree);
/* Value of a header line, or NULL. Lives as long as the tree. */
const char *mp_snap_header(const struct mp_snap_tree *tree, const char *key);
/* The content of a node with MP_SNAP_FILE, NUL-terminated; its size is node->size. */
char *mp_snap_content(const struct mp_snap_node *node);

#endif
