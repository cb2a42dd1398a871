/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/check.h"

const struct mp_check mp_checks_platform[] = { { NULL } };
