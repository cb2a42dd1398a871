/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <libxml/parser.h>
#include <string.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/lazy.h"
#include "vm/xml.h"

#define XML_SYMBOLS(X)                                                                   \
	X(xmlReadMemory)                                                                 \
	X(xmlFreeDoc)                                                                    \
	X(xmlGetLastError)                                                               \
	X(xmlSetProp)                                                                    \
	X(xmlNewDocNode)                                                                 \
	X(xmlNewDocText)                                                                 \
	X(xmlNewDocComment)                                                              \
	X(xmlAddChild)                                                                   \
	X(xmlNodeSetContent)                                                             \
	X(xmlNodeAddContent)                                                             \
	X(xmlUnlinkNode)                                                                 \
	X(xmlFreeNode)                                                                   \
	X(xmlBufferCreate)                                                               \
	X(xmlBufferContent)                                                              \
	X(xmlBufferFree)                                                                 \
	X(xmlNodeDump)
MP_LAZY(xml, XML_SYMBOLS)

static void set_parse_error(GError **error, const char *name)
{
	const xmlError *last = xml.xmlGetLastError();
	g_autofree char *why = last && last->message ? mp_clean_text(last->message,
							       strlen(last->message))
						     : g_strdup("no XML");

	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "%s:%d: cannot read as XML: %s",
		name, last ? last->line : 1, g_strstrip(why));
}

xmlDoc *mp_xml_parse(const char *name, const char *data, size_t size, GError **error)
{
	const char *why = mp_lazy_load(LIBXML_SONAME, xml_names, (void **)&xml);
	xmlDoc *doc;

	if (why) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"cannot load libxml2 (Debian package libxml2): %s", why);
		return NULL;
	}
	doc = xml.xmlReadMemory(data, (int)MIN(size, MP_XML_MAX), NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc) {
		set_parse_error(error, name);
		return NULL;
	}
	if (!doc->intSubset && !doc->extSubset)
		return doc;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"%s: cannot read as XML: it has a document type, which libvirt's domains have "
		"not",
		name);
	xml.xmlFreeDoc(doc);
	return NULL;
}

void mp_xml_free(xmlDoc *doc)
{
	if (doc)
		xml.xmlFreeDoc(doc);
}

xmlNode *mp_xml_root(const xmlDoc *doc)
{
	xmlNode *node = doc->children;

	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

bool mp_xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !node->ns &&
	       !strcmp((const char *)node->name, name);
}

xmlNode *mp_xml_next(const xmlNode *parent, const xmlNode *previous, const char *name)
{
	xmlNode *node = previous ? previous->next : parent->children;

	while (node && !mp_xml_is(node, name))
		node = node->next;
	return node;
}

xmlNode *mp_xml_child(const xmlNode *parent, const char *name)
{
	return parent ? mp_xml_next(parent, NULL, name) : NULL;
}

static char *content_of(const xmlNode *node)
{
	GString *text = g_string_new(NULL);

	for (; node; node = node->next)
		if ((node->type == XML_TEXT_NODE ||
			    node->type == XML_CDATA_SECTION_NODE) &&
			node->content)
			g_string_append(text, (const char *)node->content);
	return g_string_free(text, FALSE);
}

char *mp_xml_get(const xmlNode *node, const char *name)
{
	for (const xmlAttr *at = node ? node->properties : NULL; at; at = at->next)
		if (!at->ns && !strcmp((const char *)at->name, name))
			return content_of(at->children);
	return NULL;
}

bool mp_xml_has(const xmlNode *node, const char *name, const char *value)
{
	g_autofree char *text = mp_xml_get(node, name);

	return !g_strcmp0(text, value);
}

char *mp_xml_text(const xmlNode *node)
{
	return node ? g_strstrip(content_of(node->children)) : NULL;
}

void mp_xml_set(xmlNode *node, const char *name, const char *value)
{
	xml.xmlSetProp(node, BAD_CAST name, BAD_CAST value);
}

void mp_xml_set_text(xmlNode *node, const char *text)
{
	/* Content is parsed for entities; AddContent is not. */
	xml.xmlNodeSetContent(node, NULL);
	xml.xmlNodeAddContent(node, BAD_CAST text);
}

static bool is_blank(const xmlNode *node)
{
	return node && node->type == XML_TEXT_NODE && node->content &&
	       !node->content[strspn((const char *)node->content, " \t\r\n")];
}

static char *indent_of(const xmlNode *node, unsigned more)
{
	GString *text = g_string_new("\n");
	unsigned depth = more;

	for (; node->parent && node->parent->type == XML_ELEMENT_NODE;
		node = node->parent)
		depth++;
	for (; depth; depth--)
		g_string_append(text, "  ");
	return g_string_free(text, FALSE);
}

static void append(xmlNode *parent, xmlNode *node)
{
	g_autofree char *inner = indent_of(parent, 1);
	g_autofree char *outer = indent_of(parent, 0);

	/* A document in one line stays so. */
	if (parent->last && !is_blank(parent->last)) {
		xml.xmlAddChild(parent, node);
		return;
	}
	if (parent->last)
		mp_xml_set_text(parent->last, inner);
	else
		xml.xmlAddChild(parent, xml.xmlNewDocText(parent->doc, BAD_CAST inner));
	xml.xmlAddChild(parent, node);
	xml.xmlAddChild(parent, xml.xmlNewDocText(parent->doc, BAD_CAST outer));
}

xmlNode *mp_xml_add(xmlNode *parent, const char *name)
{
	xmlNode *node = xml.xmlNewDocNode(parent->doc, NULL, BAD_CAST name, NULL);

	if (!node)
		g_error("out of memory");
	append(parent, node);
	return node;
}

void mp_xml_add_comment(xmlNode *parent, const char *text)
{
	g_autoptr(GString) safe = g_string_new(" ");

	/* "--" ends a comment. */
	for (const char *c = text; *c; c++) {
		if (*c == '-' && safe->str[safe->len - 1] == '-')
			g_string_append_c(safe, ' ');
		g_string_append_c(safe, *c);
	}
	g_string_append_c(safe, ' ');
	xmlNode *node = xml.xmlNewDocComment(parent->doc, BAD_CAST safe->str);
	if (!node)
		g_error("out of memory");
	append(parent, node);
}

void mp_xml_remove(xmlNode *node)
{
	xmlNode *before = node->prev;

	xml.xmlUnlinkNode(node);
	xml.xmlFreeNode(node);
	if (!is_blank(before))
		return;
	xml.xmlUnlinkNode(before);
	xml.xmlFreeNode(before);
}

char *mp_xml_write(const xmlDoc *doc)
{
	GString *text = g_string_new(NULL);

	for (xmlNode *node = doc->children; node; node = node->next) {
		xmlBuffer *buffer = xml.xmlBufferCreate();

		if (!buffer || xml.xmlNodeDump(buffer, (xmlDoc *)doc, node, 0, 0) < 0)
			g_error("out of memory");
		g_string_append_printf(
			text, "%s\n", (const char *)xml.xmlBufferContent(buffer));
		xml.xmlBufferFree(buffer);
	}
	return g_string_free(text, FALSE);
}
