/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot-parser.h - what the two files of the parser of snapshots share. */
#ifndef MP_SNAPSHOT_PARSER_H
#define MP_SNAPSHOT_PARSER_H

#include "core/error.h"
#include "core/snapshot-parse.h"

struct mp_snap_parser {
	struct mp_snap_tree *tree;
	const char *file;
	const char *next, *end; /* what was not looked at yet */
	const char *text;       /* the current line, without its line feed */
	size_t length;
	unsigned line;
	struct mp_snap_node *section;
	uint64_t entries;
	GError **error;
};

/* Sets the error, with file and line; false, for return. */
bool mp_snap_bad(struct mp_snap_parser *parser, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
/* False at the end of the file. */
bool mp_snap_next_line(struct mp_snap_parser *parser);
/* True: it is, and the error was set. */
bool mp_snap_line_too_long(struct mp_snap_parser *parser);

/* --- snapshot-entry.c --- */

/* "|", "| text" or "\ text"; but a name may start with "\xNN". */
bool mp_snap_is_block_line(const char *line, const char *end);
/* Walks down PATH from FROM, making what is missing. NULL: error was set. */
struct mp_snap_node *mp_snap_walk(struct mp_snap_parser *parser,
	struct mp_snap_node *from, const char *path, size_t length);
/* "- NAME NAME ..." */
bool mp_snap_take_absent(struct mp_snap_parser *parser);
/* "NAME OP REST", and the block that follows. */
bool mp_snap_take_entry(struct mp_snap_parser *parser);

#endif
