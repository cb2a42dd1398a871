/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - the reports of format "text", one file each. */
#ifndef MP_TEXT_H
#define MP_TEXT_H

#include "render/render.h"

void mp_text_preflight(
	const struct mp_preflight_report *, const struct mp_render_style *, FILE *out);
void mp_text_list(
	const struct mp_list_report *, const struct mp_render_style *, FILE *out);
void mp_text_checks(const struct mp_render_style *, FILE *out);
void mp_text_explain(const struct mp_check *, const struct mp_render_style *, FILE *out);
void mp_text_status(
	const struct mp_status_report *, const struct mp_render_style *, FILE *out);
void mp_text_history(
	const struct mp_history_report *, const struct mp_render_style *, FILE *out);
void mp_text_selftest(
	const struct mp_selftest_report *, const struct mp_render_style *, FILE *out);
void mp_text_vm(const struct mp_vm_report *, const struct mp_render_style *, FILE *out);
void mp_text_cases(const struct mp_case *const *cases, size_t count,
	const struct mp_render_style *, FILE *out);
void mp_text_inspect(
	const struct mp_inspect_report *, const struct mp_render_style *, FILE *out);
void mp_text_diagnose(
	const struct mp_diagnose_report *, const struct mp_render_style *, FILE *out);
void mp_text_event(const struct mp_event *, const struct mp_render_style *, FILE *out);

/* "2026-11-22 10:49", local time. Caller frees. */
char *mp_text_time(int64_t seconds);
void mp_text_plan(
	const struct mp_plan_report *, const struct mp_render_style *, FILE *out);

#endif
