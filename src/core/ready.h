/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ready.h - brings a card that is bound to vfio-pci to where a VM may have it: awake, silent,
 * reset, its firmware up and nothing in it that points into memory of others. And back to
 * silence when the VM is gone: a card that is bound and not opened sits in the identity
 * domain under iommu=pt, where what is still armed in it reaches the host's memory.
 *
 * Everything goes through struct mp_ready_io, so that all of it can be tried on a model, with
 * a clock of its own and with every write failing. The live one is in ready-live.c.
 *
 * UNTESTED ON HARDWARE: which reset clears what in a Metis is not known; so the card is read
 * again after it, and refused where it is not clean.
 */
#ifndef MP_READY_H
#define MP_READY_H

#include "core/card.h"
#include "core/profile.h"

struct mp_ready_io {
	void *user;
	/* An attribute of the function's sysfs directory, trimmed. 0 or a negative errno. */
	int (*read)(void *user, const char *attribute, char **text);
	int (*write)(void *user, const char *attribute, const char *text);
	/* 16 bits of its configuration space. 0 or a negative errno. */
	int (*config_read)(void *user, unsigned offset, uint16_t *value);
	int (*config_write)(void *user, unsigned offset, uint16_t value);
	/* The memory of the card, while it decodes; NULL and an error: not to be had. Until
	 * unmap(). */
	const struct mp_card_io *(*map)(void *user, GError **error);
	void (*unmap)(void *user);
	/* Milliseconds, monotonic. */
	uint64_t (*now)(void *user);
	void (*wait)(void *user, unsigned milliseconds);
};

struct mp_ready {
	const struct mp_pci *device;
	const struct mp_profile *profile;
	/* A card whose inside cannot be read is let through (waived by the admin). */
	bool unread_is_fine;
	/* What happens, a line each, at once: the VM's task log shows it. */
	void (*say)(void *user, const char *line);
	void *say_user;
};

/*
 * Refused (false and an error: one clause with the remedy) where the card does not wake up,
 * does not answer, cannot be reset although something in it is armed, does not come back, or
 * is not clean after that. It may be called again at any time, also after it was killed.
 */
bool mp_ready_make(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error);
/* Silence only: no reset, nothing is waited for. */
bool mp_ready_quiet(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error);

/* The function at DEVICE of this machine. AT_WORK (may be NULL) is told each attribute that is
 * about to be read or written, since that may never end. The caller frees. */
struct mp_ready_live;
struct mp_ready_live *mp_ready_live_new(const struct mp_pci *device,
	const struct mp_card_kind *kind,
	void (*at_work)(const struct mp_pci *device, const char *attribute));
void mp_ready_live_free(struct mp_ready_live *live);
typedef struct mp_ready_live mp_ready_live;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_ready_live, mp_ready_live_free)
const struct mp_ready_io *mp_ready_live_io(struct mp_ready_live *live);
/* Nobody else of this program works on the card while LIVE is there. False and
 * MP_ERROR_BUSY: somebody does. */
bool mp_ready_live_lock(struct mp_ready_live *live, GError **error);

#endif
