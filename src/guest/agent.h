/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - a program run in a VM from its host, by the QEMU guest agent: `qm guest exec` and
 * `qm guest exec-status` (PVE::API2::Qemu::Agent, PVE::CLI::qm). Whatever comes from the guest
 * is hostile.
 */
#ifndef MP_GUEST_AGENT_H
#define MP_GUEST_AGENT_H

#include "core/target.h"

struct mp_agent_call {
	struct mp_target *target; /* the host */
	const char *vmid;
	const char *const *args; /* NULL-ended: the program and its arguments */
	unsigned seconds;
	bool (*tick)(void *user); /* asked now and then; false: end it. Or NULL */
	void *user;

	/* Filled; mp_agent_clear() frees. */
	int exit_code;
	char *out, *err; /* as the guest wrote it: not clean */
	size_t out_size, err_size;
};

/*
 * True when it has ended by itself, with any exit code. Else each refusal has its sentence: no
 * agent configured (MP_ERROR_NOT_FOUND), not running, the program is not in the guest. What
 * is given up is sent a SIGTERM there.
 */
bool mp_agent_exec(struct mp_agent_call *call, GError **error);
/* Is there an agent that answers? Where not, ERROR says why. */
bool mp_agent_ping(struct mp_target *target, const char *vmid, GError **error);
void mp_agent_clear(struct mp_agent_call *call);

/* --- for tests and fuzzing --- */

/* The answer of exec: the number of the process. */
bool mp_agent_parse_pid(const char *text, size_t size, uint64_t *pid, GError **error);
/* The answer of exec-status; *ended: it is over, and CALL is filled. */
bool mp_agent_parse_status(const char *text, size_t size, struct mp_agent_call *call,
	bool *ended, GError **error);

#endif
