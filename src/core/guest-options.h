/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest-options.h - the options of its kernel module that a card needs inside of a VM, as its
 * profile says, by the versions of driver and firmware where they are known. Pure: what
 * `vm generate` shows, `guest check` judges and `guest apply` writes is decided here.
 */
#ifndef MP_GUEST_OPTIONS_H
#define MP_GUEST_OPTIONS_H

#include "core/drivers.h"
#include "core/known-bad.h"

/* Not the file that `setup` writes: in a VM that is a node too, both may be there. */
#define MP_FILE_GUEST "/etc/modprobe.d/metis-passthrough-guest.conf"

/* One parameter of a module. */
struct mp_guest_option {
	char *module, *name, *value; /* value "": given without one */
	char *text;                  /* "metis dma_poll=1" */
};

/* What a profile wants in a VM, with these versions. */
struct mp_guest_need {
	const struct mp_profile *profile;
	struct mp_versions versions; /* borrowed */
	GPtrArray *options;          /* struct mp_guest_option; empty: none at all */
	char **hits, **maybes;       /* reasons of known_bad that apply, or may */
	bool without;    /* the driver can do without; false where not known */
	bool by_version; /* what is known of the driver decides, and that is nothing */
};

struct mp_guest_need *mp_guest_need_new(
	const struct mp_profile *profile, const struct mp_versions *versions);
void mp_guest_need_free(struct mp_guest_need *need);
typedef struct mp_guest_need mp_guest_need;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_guest_need, mp_guest_need_free)

/*
 * GIVEN with what DEVICE's module and the kernel say of themselves. What was named goes
 * before that: a later install, another kernel. Borrows from all three.
 */
struct mp_versions mp_guest_versions(const struct mp_host *host,
	const struct mp_pci *device, const struct mp_versions *given);

/* Why the options are wanted; sentences, a line each. Caller frees. */
char *mp_guest_need_why(const struct mp_guest_need *need);
/* What a modprobe.d file says of it: WHY as a comment, and those of the options that SKIP
 * (indexed as options; NULL: none) does not name. Caller frees. */
char *mp_guest_need_text(
	const struct mp_guest_need *need, const char *why, const bool *skip);

/* Adds the options (struct mp_guest_option) of a line such as "metis dma_poll=1 other=2" to
 * OPTIONS, an array of mp_guest_options_array(). */
void mp_guest_options_parse(GPtrArray *options, const char *line);
GPtrArray *mp_guest_options_array(void);

/* Do LINES (struct mp_modprobe_line) give the module what is wanted? *file: what decides. */
bool mp_guest_option_given(
	const GPtrArray *lines, const struct mp_guest_option *option, const char **file);

/* The parameter of the module that runs, or NULL: it drives no device, or does not show it. */
const struct mp_module_parameter *mp_guest_option_running(
	const struct mp_host *host, const struct mp_guest_option *option);

/* Is VALUE, as modprobe.d or sysfs has it, what is WANTED? */
bool mp_guest_value_is(const char *wanted, const char *value);

#endif
