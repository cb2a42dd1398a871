/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Format "text": for people; it may change between versions. */
#include "config.h"

#include "render/text.h"

const struct mp_render_ops mp_render_text = {
	.name = "text",
	.preflight = mp_text_preflight,
	.list = mp_text_list,
	.checks = mp_text_checks,
	.explain = mp_text_explain,
	.status = mp_text_status,
	.history = mp_text_history,
	.plan = mp_text_plan,
	.selftest = mp_text_selftest,
	.vm = mp_text_vm,
	.cases = mp_text_cases,
	.inspect = mp_text_inspect,
	.diagnose = mp_text_diagnose,
	.event = mp_text_event,
};
