/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lazy.h - libraries that one probe or one format needs, loaded when it does: libkmod
 * brings libcrypto and libxml2 brings ICU, and together they were two thirds of the time
 * that every start of the program took.
 *
 *     #define XML_SYMBOLS(X) X(xmlBufferCreate) X(xmlBufferFree)
 *     MP_LAZY(xml, XML_SYMBOLS)
 *     why = mp_lazy_load(LIBXML_SONAME, xml_names, (void **)&xml);
 *     if (!why) xml.xmlBufferCreate();
 */
#ifndef MP_LAZY_H
#define MP_LAZY_H

#define MP_LAZY_SLOT(symbol) __typeof__(symbol) *symbol;
#define MP_LAZY_NAME(symbol) #symbol,

/* A struct NAME of typed function pointers, and the names to fill it by, in one order. */
#define MP_LAZY(name, symbols)                                                           \
	static struct {                                                                  \
		symbols(MP_LAZY_SLOT)                                                    \
	} name;                                                                          \
	static const char *const name##_names[] = { symbols(MP_LAZY_NAME) NULL };

/*
 * Loads LIBRARY and fills SLOTS with the functions called NAMES (up to a NULL); does
 * nothing if they are filled. NULL: done. Else the reason, valid until the next call.
 */
const char *mp_lazy_load(const char *library, const char *const *names, void **slots);

#endif
