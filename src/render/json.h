/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json.h - the reports of format "json": one object each, keys are API (snake_case, never
 * removed or renamed; "schema" counts incompatible changes).
 */
#ifndef MP_JSON_H
#define MP_JSON_H

#include <json-c/json.h>

#include "render/render.h"

struct mp_pci;
struct mp_tx;

void mp_json_preflight(
	const struct mp_preflight_report *, const struct mp_render_style *, FILE *out);
void mp_json_list(
	const struct mp_list_report *, const struct mp_render_style *, FILE *out);
void mp_json_checks(const struct mp_render_style *, FILE *out);
void mp_json_explain(const struct mp_check *, const struct mp_render_style *, FILE *out);
void mp_json_status(
	const struct mp_status_report *, const struct mp_render_style *, FILE *out);
void mp_json_history(
	const struct mp_history_report *, const struct mp_render_style *, FILE *out);
void mp_json_plan(
	const struct mp_plan_report *, const struct mp_render_style *, FILE *out);
void mp_json_selftest(
	const struct mp_selftest_report *, const struct mp_render_style *, FILE *out);
void mp_json_vm(const struct mp_vm_report *, const struct mp_render_style *, FILE *out);
void mp_json_cases(const struct mp_case *const *cases, size_t count,
	const struct mp_render_style *, FILE *out);
void mp_json_inspect(
	const struct mp_inspect_report *, const struct mp_render_style *, FILE *out);
void mp_json_diagnose(
	const struct mp_diagnose_report *, const struct mp_render_style *, FILE *out);
void mp_json_event(const struct mp_event *, const struct mp_render_style *, FILE *out);

/* --- what they share (json.c); each add takes over VALUE --- */

/* The object every report starts with: schema, tool, version. */
struct json_object *mp_json_report(void);
/* KEY must be a literal. */
void mp_json_add(struct json_object *object, const char *key, struct json_object *value);
/* TEXT may hold any bytes; NULL becomes null. */
void mp_json_add_text(struct json_object *object, const char *key, const char *text);
struct json_object *mp_json_text(const char *text);
/* {"name", "kernel", "origin", "live", ...} */
struct json_object *mp_json_host(const struct mp_host *host);
/* What identifies a device: {"address", "id", "vendor", "device", ...} */
struct json_object *mp_json_device(const struct mp_pci *device);
/* [{"source", "value"}, ...] of struct mp_evidence */
struct json_object *mp_json_evidence_list(const GPtrArray *evidence);
struct json_object *mp_json_evidence(const struct mp_finding *finding);
/* What names a transaction: {"id", "title", "state", "created", ...} (json-history.c) */
struct json_object *mp_json_transaction(const struct mp_tx *tx);
/* Writes REPORT with a newline and ends it. */
void mp_json_write(struct json_object *report, FILE *out);

#endif
