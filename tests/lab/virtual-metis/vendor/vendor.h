/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vendor.h - what versions of the vendor's kernel driver do with the card, as a script of words: for
 * scenarios of the lab, in the node ("host session") as well as in a guest. It is our own code after
 * the facts that are known of these versions; it is not the driver, and where the order of things is
 * not known to us the comments say so.
 *
 * Free-standing: it calls nothing, also no libc. What it does to the world goes through struct vendor_io.
 */
#ifndef VENDOR_H
#define VENDOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VENDOR_PAGE        4096u
#define VENDOR_WINDOW_SIZE (2u << 20) /* what the driver tells the firmware */
#define VENDOR_VECTORS     32u

/* Memory that the card reaches. BUS is what the card is told. */
struct vendor_memory {
	uint64_t bus;
	volatile uint8_t *cpu; /* NULL: none */
};

struct vendor_message {
	uint64_t address;
	uint32_t data;
	unsigned vectors; /* that were granted; 0: none */
};

struct vendor_io {
	void *user;
	/* 32 bits of BAR 0 or 2. */
	uint32_t (*read)(void *user, unsigned bar, uint32_t offset);
	void (*write)(void *user, unsigned bar, uint32_t offset, uint32_t value);
	void (*bus_master)(void *user, bool on);
	/* As many vectors as there are, 32 or 1; the message as configuration space tells it. */
	struct vendor_message (*enable_msi)(void *user);
	void (*disable_msi)(void *user);
	/* True: vector N was raised since it was last asked for. */
	bool (*raised)(void *user, unsigned vector);
	/* Gives the window's memory back. */
	void (*release)(void *user);
	/* A clock; where it starts does not matter. Called in each loop that waits. */
	unsigned (*seconds)(void *user);
	/* One line: what, and how it is. */
	void (*say)(void *user, const char *what, const char *how);
	/* A page at a physical address; NULL where there is no such way (the node). */
	volatile uint8_t *(*page)(void *user, uint64_t address);
	/* A word that only this side knows. False: it is not known, or failed, which was said. */
	bool (*word)(void *user, const char *word);
};

struct vendor_driver; /* a version */

struct vendor {
	const struct vendor_io *io;
	struct vendor_memory window;       /* the table of flags is its first page */
	struct vendor_memory source, back; /* a page each, for jobs */
	/* What follows is the script's, from zero on. */
	const struct vendor_driver *driver;
	struct vendor_message message;
	bool poll, keep_imwr, own_message;
	unsigned timeout, patience; /* seconds */
	uint32_t hdrv, dma_vm;      /* offset of the area in BAR 2; the flag's word */
	uint64_t scratch;           /* the card's address of the area for descriptors */
	uint32_t scratch_size;
	bool firmware_owns_imwr;
	uint32_t jobs;
};

/*
 * Does what COUNT words say, in order, up to the first that fails. True: all were done. A lost
 * interrupt or a wrong byte is an outcome, and said; it is no failure.
 *
 *   driver=V      1.4.4, 1.4.16 or 1.6.2
 *   timeout=N     seconds until an interrupt counts as lost (2)
 *   patience=N    seconds for what the firmware does in its own time (20)
 *   await=N       waits at most N seconds for the firmware's magic numbers
 *   keep-imwr     the driver leaves IMWR alone whatever the card says
 *   message=A:D:N the message of IMWR, in the stead of what configuration space says
 *   start         bus mastering, magic numbers, interrupts, IMWR, window
 *   irq, poll     how jobs wait from now on
 *   job           a page to the card and back, compared
 *   events=N      waits for N flags of the firmware in the window
 *   look          what is in the window's registers and IMWR
 *   pattern=A     fills the page at the physical address A
 *   changed=A     waits until the card has changed it
 *   same=A        looks once
 *   vector=N      waits until vector N was raised
 *   stop          the driver is removed; what is left is left
 *   stop=N        the same, with N seconds before it closes the window
 *   shutdown      the system goes down: the driver only takes bus mastering away
 *   scrub         no driver does that: the window closed, its target and IMWR zero
 */
bool vendor_run(struct vendor *vendor, unsigned count, const char *const *words);

/* vendor.c, for the words. */
const struct vendor_driver *vendor_driver_find(const char *version);
bool vendor_ready(const struct vendor *vendor);
bool vendor_start(struct vendor *vendor);
void vendor_job(struct vendor *vendor);
void vendor_stop(struct vendor *vendor, unsigned pause);
void vendor_scrub(const struct vendor *vendor);
void vendor_look(const struct vendor *vendor);

/* text.c: the little that a libc would have. */
bool vendor_same(const char *a, const char *b);
/* What follows PREFIX in WORD; NULL: it does not start so. */
const char *vendor_after(const char *word, const char *prefix);
/* Hexadecimal with 0x, or decimal, up to STOP or the end; moves TEXT behind it. */
bool vendor_number(const char **text, char stop, uint64_t *value);
void vendor_say_number(const struct vendor_io *io, const char *what, uint64_t value);

#endif
