/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <signal.h>
#include <stddef.h>

#include "interrupt.h"

static volatile sig_atomic_t interrupted;

static void note(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

void mp_interrupts_catch(void)
{
	static const int wishes[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note }; /* no SA_RESTART */
	struct sigaction before;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
		/* Whoever started us with SIGHUP ignored (nohup) meant that. */
		if (sigaction(wishes[i], NULL, &before) == 0 &&
			before.sa_handler == SIG_IGN && wishes[i] == SIGHUP)
			continue;
		sigaction(wishes[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool mp_interrupted(void)
{
	return interrupted != 0;
}
