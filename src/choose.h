/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * choose.h - which devices a verb is about: those that were named, else the cards of the
 * configuration, else what a profile wants. One set of options for all verbs.
 */
#ifndef MP_CHOOSE_H
#define MP_CHOOSE_H

#include "cmd.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/vm.h"

/* The options as they were given; NULL: not given. Statics of the verb. */
struct mp_choose_options {
	char **devices;
	char *id;
	char *profile;
};

/* WHAT is a literal: "judge", "pass through". */
#define MP_OPTION_DEVICE(options, what)                                                  \
	{                                                                                \
		"device", 'd', 0, G_OPTION_ARG_STRING_ARRAY, &(options).devices,         \
			what " the device at BDF (may be given more than once)", "BDF"   \
	}
#define MP_OPTION_ID(options, what)                                                      \
	{                                                                                \
		"id", 0, 0, G_OPTION_ARG_STRING, &(options).id,                          \
			what " every device with this id", "VENDOR:DEVICE"               \
	}
#define MP_OPTION_PROFILE(options, what)                                                 \
	{                                                                                \
		"profile", 'p', 0, G_OPTION_ARG_STRING, &(options).profile,              \
			"profile name or file; alone: " what                             \
			" every device that it fits",                                    \
			"PROFILE"                                                        \
	}

/* Where the devices are looked for. All borrowed. */
struct mp_choose_from {
	const struct mp_host *host;
	const struct mp_config *config;
	const struct mp_profile *profile; /* that of --profile, or NULL */
	const struct mp_vm *vm; /* its devices come before the configuration's */
};

struct mp_choice {
	GPtrArray *wanted;  /* struct mp_pci *, of the host */
	GPtrArray *missing; /* char *: what was asked for and is not there, and by whom */
};

void mp_choice_init(struct mp_choice *choice);
/* Adds DEVICE to those that are wanted, once. */
void mp_choice_want(struct mp_choice *choice, struct mp_pci *device);
void mp_choice_clear(struct mp_choice *choice);
typedef struct mp_choice mp_choice;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(mp_choice, mp_choice_clear)

/* Fills CHOICE. Fails on words that are no address or id, and where a profile is malformed;
 * that nothing is wanted is no failure. */
bool mp_choose(const struct mp_choose_options *options, const struct mp_choose_from *from,
	struct mp_choice *choice, GError **error);

#endif
