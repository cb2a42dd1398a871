/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <json-c/json.h>
#include <string.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/program.h"
#include "guest/agent.h"
#include "guest/module.h"

#define DEPTH_MAX    8
#define QM_SECONDS   60 /* one call of qm; it waits for the agent some seconds itself */
#define POLL_MS      500
/* While its CPUs compile the module, the agent may be late with an answer. */
#define DEAF_SECONDS 60
#define EXIT_NO_FILE 127            /* of a shell in between */
#define ANSWER_MAX   (1024u * 1024) /* what mp_program_call() keeps */

void mp_agent_clear(struct mp_agent_call *call)
{
	g_clear_pointer(&call->out, g_free);
	g_clear_pointer(&call->err, g_free);
}

/* --- answers --- */

static json_object *parse(const char *text, size_t size, GError **error)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *object = NULL;

	if (tokener && size < ANSWER_MAX)
		object = json_tokener_parse_ex(tokener, text, (int)size);
	if (tokener)
		json_tokener_free(tokener);
	if (object && json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "qm guest: its answer %s",
		size < ANSWER_MAX ? "is no JSON object" : "is too long");
	return NULL;
}

static bool take_int(json_object *object, const char *key, int64_t max, int64_t *value)
{
	json_object *member;

	if (!json_object_object_get_ex(object, key, &member) ||
		!json_object_is_type(member, json_type_int))
		return false;
	*value = json_object_get_int64(member);
	return *value >= 0 && *value <= max;
}

/* The agent says true and false, Perl makes 1 and 0 of them. */
static bool is_set(json_object *object, const char *key)
{
	json_object *member;

	return json_object_object_get_ex(object, key, &member) &&
	       json_object_get_boolean(member);
}

static char *take_text(json_object *object, const char *key, size_t *size)
{
	json_object *member;

	*size = 0;
	if (!json_object_object_get_ex(object, key, &member) ||
		!json_object_is_type(member, json_type_string))
		return g_strdup("");
	*size = (size_t)json_object_get_string_len(member);
	return g_memdup2(json_object_get_string(member), *size + 1);
}

bool mp_agent_parse_pid(const char *text, size_t size, uint64_t *pid, GError **error)
{
	json_object *object = parse(text, size, error);
	int64_t number = 0;
	bool good;

	if (!object)
		return false;
	good = take_int(object, "pid", G_MAXINT32, &number) && number > 0;
	json_object_put(object);
	*pid = (uint64_t)number;
	if (!good)
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"qm guest exec: its answer has no 'pid'");
	return good;
}

/* NULL: fine. */
static const char *problem_of(json_object *object, int64_t *code)
{
	int64_t number;

	if (take_int(object, "signal", 64, &number) && number)
		return "it was ended by a signal";
	if (!take_int(object, "exitcode", 255, code))
		return "it has ended, but without an exit code";
	if (is_set(object, "out-truncated"))
		return "the agent kept a part of its output only";
	return NULL;
}

bool mp_agent_parse_status(const char *text, size_t size, struct mp_agent_call *call,
	bool *ended, GError **error)
{
	json_object *object = parse(text, size, error);
	const char *problem = NULL;
	int64_t code = 0;

	if (!object)
		return false;
	*ended = is_set(object, "exited");
	if (*ended)
		problem = problem_of(object, &code);
	if (*ended && !problem) {
		mp_agent_clear(call);
		call->exit_code = (int)code;
		call->out = take_text(object, "out-data", &call->out_size);
		call->err = take_text(object, "err-data", &call->err_size);
	}
	json_object_put(object);
	if (problem)
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "the program in the guest: %s",
			problem);
	return !problem;
}

/* --- calls --- */

/* What Proxmox VE and the agent say, and what it means here. */
static void explain(const char *vmid, GError **error)
{
	static const struct {
		const char *said;
		enum mp_error code;
		const char *means; /* with the VM's number for %s */
	} rows[] = {
		{ "No QEMU guest agent configured", MP_ERROR_NOT_FOUND,
			"no guest agent is configured: run 'qm set %s --agent 1', install "
			"qemu-guest-agent in the guest, then stop and start the VM" },
		{ "QEMU guest agent is not running", MP_ERROR_BUSY,
			"its guest agent does not answer: the guest boots still, or "
			"qemu-guest-agent is not installed or not started in it (VM %s)" },
		{ "is not running", MP_ERROR_NOT_FOUND,
			"it does not run: 'qm start %s'" },
		{ "not running", MP_ERROR_NOT_FOUND, "it does not run: 'qm start %s'" },
		{ "does not exist", MP_ERROR_NOT_FOUND,
			"this node has no VM %s ('qm list')" },
		{ "Failed to execute child process", MP_ERROR_NOT_FOUND,
			"metis-passthrough is not installed in the guest (VM %s)" },
		{ "has been disabled", MP_ERROR_DENIED,
			"its guest agent does not run programs (guest-exec is disabled in the "
			"configuration of qemu-guest-agent in VM %s)" },
	};
	const char *message = (*error)->message;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(GStrv) parts = NULL;
		g_autofree char *means = NULL;

		if (!strstr(message, rows[i].said))
			continue;
		parts = g_strsplit(rows[i].means, "%s", 2);
		means = g_strjoinv(vmid, parts);
		g_clear_error(error);
		g_set_error(error, MP_ERROR, rows[i].code, "VM %s: %s", vmid, means);
		return;
	}
	g_prefix_error(error, "VM %s: ", vmid);
}

static bool call_qm(struct mp_target *target, const char *vmid, const char *const *args,
	GString *output, GError **error)
{
	const struct mp_program_call call = {
		.program = MP_PROGRAM_QM,
		.args = args,
		.target = target,
		.seconds = QM_SECONDS,
		.output = output,
	};
	GError *problem = NULL;

	if (mp_program_call(&call, &problem))
		return true;
	explain(vmid, &problem);
	g_propagate_error(error, problem);
	return false;
}

bool mp_agent_ping(struct mp_target *target, const char *vmid, GError **error)
{
	const char *const args[] = { "guest", "cmd", vmid, "ping", NULL };

	return call_qm(target, vmid, args, NULL, error);
}

static bool begin(struct mp_agent_call *call, const char *const *args, uint64_t *pid,
	GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GString) output = g_string_new(NULL);
	static const char *const first[] = { "guest", "exec" };

	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(words, (gpointer)first[i]);
	g_ptr_array_add(words, (gpointer)call->vmid);
	/* A --timeout would be qm's own, and is refused without waiting. */
	g_ptr_array_add(words, (gpointer) "--synchronous");
	g_ptr_array_add(words, (gpointer) "0");
	g_ptr_array_add(words, (gpointer) "--");
	for (; *args; args++)
		g_ptr_array_add(words, (gpointer)*args);
	g_ptr_array_add(words, NULL);
	return call_qm(call->target, call->vmid, (const char *const *)words->pdata,
		       output, error) &&
	       mp_agent_parse_pid(output->str, output->len, pid, error);
}

static bool ask(struct mp_agent_call *call, const char *pid, bool *ended, GError **error)
{
	const char *const args[] = { "guest", "exec-status", call->vmid, pid, NULL };
	g_autoptr(GString) output = g_string_new(NULL);

	if (!call_qm(call->target, call->vmid, args, output, error))
		return false;
	if (mp_agent_parse_status(output->str, output->len, call, ended, error))
		return true;
	g_prefix_error(error, "VM %s: ", call->vmid);
	return false;
}

/* HEARD: when it answered last. True: it did, or may do so yet. */
static bool ask_again(struct mp_agent_call *call, const char *pid, bool *ended,
	gint64 *heard, GError **error)
{
	gint64 now = g_get_monotonic_time();
	GError *problem = NULL;

	if (ask(call, pid, ended, &problem)) {
		*heard = now;
		return true;
	}
	if (g_error_matches(problem, MP_ERROR, MP_ERROR_BUSY) &&
		now - *heard < mp_guest_seconds(DEAF_SECONDS) * G_TIME_SPAN_SECOND) {
		g_error_free(problem);
		return true;
	}
	g_propagate_error(error, problem);
	return false;
}

/* It gives the device back by itself then. */
static void end_it(struct mp_agent_call *call, const char *pid)
{
	const char *const args[] = { "kill", "-TERM", pid, NULL };
	uint64_t killer;

	begin(call, args, &killer, NULL);
}

bool mp_agent_exec(struct mp_agent_call *call, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + call->seconds * G_TIME_SPAN_SECOND;
	g_autofree char *pid = NULL;
	uint64_t number;
	bool ended = false;
	gint64 heard;

	if (!begin(call, call->args, &number, error))
		return false;
	heard = g_get_monotonic_time();
	pid = g_strdup_printf("%" G_GUINT64_FORMAT, number);
	for (;;) {
		bool stop = call->tick && !call->tick(call->user);

		if (stop || g_get_monotonic_time() >= deadline) {
			end_it(call, pid);
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"VM %s: %s; the program in the guest (process %s) was told to end",
				call->vmid,
				stop ? "interrupted" : "no result within the time", pid);
			return false;
		}
		if (!ask_again(call, pid, &ended, &heard, error))
			return false;
		if (ended)
			break;
		g_usleep(POLL_MS * 1000);
	}
	if (call->exit_code != EXIT_NO_FILE)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"VM %s: metis-passthrough is not installed in the guest", call->vmid);
	return false;
}
