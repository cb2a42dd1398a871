/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - cmocka with what it needs before it. */
#ifndef MP_UNIT_H
#define MP_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
