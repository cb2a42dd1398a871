/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xml.h - a document of libvirt that is changed in a few places: what is not touched stays,
 * comments and unknown elements too. libxml2 is loaded when the first one is parsed.
 *
 * Nodes may be walked by their pointers (libxml/tree.h); they belong to the document.
 */
#ifndef MP_VM_XML_H
#define MP_VM_XML_H

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>

#define MP_XML_MAX (1024u * 1024)

/* NAME for messages. Refuses document types: entities of a stranger's file are not expanded. */
xmlDoc *mp_xml_parse(const char *name, const char *data, size_t size, GError **error);
void mp_xml_free(xmlDoc *doc);
typedef xmlDoc mp_xml;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_xml, mp_xml_free)

/* The root element; never NULL for what was parsed. */
xmlNode *mp_xml_root(const xmlDoc *doc);
/* The element after PREVIOUS (NULL: the first) of those called NAME in PARENT, or NULL. */
xmlNode *mp_xml_next(const xmlNode *parent, const xmlNode *previous, const char *name);
/* The first of them, also of PARENT NULL. */
xmlNode *mp_xml_child(const xmlNode *parent, const char *name);
bool mp_xml_is(const xmlNode *node, const char *name);
/* The attribute NAME of NODE (may be NULL); NULL: not there. Caller frees. */
char *mp_xml_get(const xmlNode *node, const char *name);
bool mp_xml_has(const xmlNode *node, const char *name, const char *value);
/* The text in NODE (may be NULL), without white space around it. Caller frees. */
char *mp_xml_text(const xmlNode *node);
void mp_xml_set(xmlNode *node, const char *name, const char *value);
void mp_xml_set_text(xmlNode *node, const char *text);
/* A new last element of PARENT, indented as its place wants. */
xmlNode *mp_xml_add(xmlNode *parent, const char *name);
/* A comment there; TEXT may hold anything. */
void mp_xml_add_comment(xmlNode *parent, const char *text);
/* Takes NODE out, with the white space before it. */
void mp_xml_remove(xmlNode *node);
/* The document, ending in a newline. Caller frees. */
char *mp_xml_write(const xmlDoc *doc);

#endif
