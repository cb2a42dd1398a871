/* SPDX-License-Identifier: GPL-2.0-or-later */
/* junit.h - reading a report of JUnit's format. */
#ifndef MP_JUNIT_H
#define MP_JUNIT_H

#include <libxml/parser.h>

#include "core/fact.h"
#include "unit.h"

/* The attribute NAME, which has to be there, as the number that it has to be. */
static inline unsigned junit_number(xmlNode *node, const char *name)
{
	xmlChar *text = xmlGetProp(node, BAD_CAST name);
	uint64_t value = 0;

	assert_non_null(text);
	assert_true(mp_parse_uint((const char *)text, 10, &value));
	xmlFree(text);
	return (unsigned)value;
}

#endif
