/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile.h - what is special about a card; YAML, strict (an unknown key is an error with
 * file:line:column). Shipped: metis, nvme, edu, generic. Nothing else in the program knows
 * a particular card.
 */
#ifndef MP_PROFILE_H
#define MP_PROFILE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct mp_profile_id {
	uint16_t vendor, device;
};

/* "0108" is every NVM controller, "010802" those that speak NVMe. */
struct mp_profile_class {
	uint32_t code, mask; /* 24 bits, as in mp_pci.class_code */
};

/* How the card signals interrupts. */
enum mp_irq_delivery {
	MP_IRQ_CONFIG_SPACE,     /* MSI/MSI-X capability only: VFIO virtualises that */
	MP_IRQ_DEVICE_PROGRAMMED /* the driver copies the message into device registers */
};

struct mp_known_bad {
	char *what;   /* conditions that all hold, e.g. "driver>=1.4.16 driver<1.5.6"; of
	                 driver, firmware, sdk, kernel and < <= = >= > */
	char *reason; /* sentence for the report */
};

struct mp_profile {
	char *name;
	char *title;
	bool by_default; /* preflight judges such cards unasked */
	GArray *ids;     /* struct mp_profile_id */
	GArray *classes; /* struct mp_profile_class; no id and no class: fits every device */
	GPtrArray *modules; /* char *: kernel modules of the host driver ("metis") */
	GPtrArray *drivers; /* char *: PCI driver names in sysfs ("axl") */
	char *engine;       /* self-test engine, or NULL */
	char *state;        /* what can be read of its inside (card.h), or NULL */
	enum mp_irq_delivery irq_delivery;
	unsigned irq_vectors; /* vectors the card wants; 0: not said */
	GPtrArray *reset;     /* char *: preferred reset methods, best first */
	unsigned settle_ms;   /* after a reset, before the card may be judged */
	GPtrArray *
		guest_options; /* char *: modprobe options inside the guest ("metis dma_poll=1") */
	char *guest_driver_min; /* first guest driver version that can work unaided, or NULL */
	GPtrArray *known_bad; /* struct mp_known_bad * */
};

/* Parses YAML. NAME (a file's path or "built in: metis") is used in messages. */
struct mp_profile *mp_profile_parse(
	const char *name, const char *data, size_t size, GError **error);
void mp_profile_free(struct mp_profile *profile);
typedef struct mp_profile mp_profile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_profile, mp_profile_free)

/*
 * NAME: a profile in the directory of installed profiles (METIS_PASSTHROUGH_PROFILES, else
 * SYSCONFDIR/metis-passthrough/profiles), else a shipped one; with a '/' in it: a file.
 * These files are of the machine where the program runs, not of a sysroot.
 */
struct mp_profile *mp_profile_load(const char *name, GError **error);
/* Names of all profiles that could be loaded, sorted, NULL ended. Caller frees. */
char **mp_profile_names(void);

struct mp_pci;
bool mp_profile_fits(const struct mp_profile *profile, const struct mp_pci *device);
/* False for one that fits every device. */
bool mp_profile_is_specific(const struct mp_profile *profile);
/* The first profile that names the device's id, else its class, else "generic". */
struct mp_profile *mp_profile_for_device(const struct mp_pci *device, GError **error);

struct mp_host;
/* Adds to WANTED (struct mp_pci *) each device of HOST that a specific profile fits and that
 * is judged unasked (profile key `default: true`). */
bool mp_profile_wanted(const struct mp_host *host, GPtrArray *wanted, GError **error);

/* The table made from templates/profiles at build time; ended by a name of NULL. */
struct mp_shipped_profile {
	const char *name, *yaml;
};
extern const struct mp_shipped_profile mp_shipped_profiles[];

#endif
