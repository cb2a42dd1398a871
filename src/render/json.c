/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "render/render.h"

const struct mp_render_ops mp_render_json = { .name = "json" };
