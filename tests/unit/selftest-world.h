/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest-world.h - a device, an IOMMU of a few lines and a kernel's log, for the cases of
 * the self-test: the functions of vfio.h and klog.h without VFIO. The device does what it
 * says, or lies in one way.
 */
#ifndef MP_SELFTEST_WORLD_H
#define MP_SELFTEST_WORLD_H

#include "unit.h"

#include "core/host.h"
#include "vfio/selftest.h"

#define PAGE     4096u
#define VECTORS  4u
#define MAPPINGS 64
#define DATA     0x4000000u /* where the cases map what is written */
/* The host's MSI message, as in the configuration space: remappable format, SHV, handle 0x20;
 * vector n is entry 0x20 + n. */
#define MESSAGE  0xfee00418u
#define INDEX    0x20u

enum lie {
	HONEST,
	WRITES_NOTHING,
	FLIPS_A_BIT,
	WRITES_TOO_MUCH,
	CUTS_ADDRESSES,
	WRAPS_IN_PAGES,
	RAISES_NOTHING,
	RAISES_ANOTHER,
	RAISES_TWO,
	BALKS_AT_VECTORS, /* does not come back when they are on */
	LOSES_LOOPBACK,
	SENDS_ANOTHER_MESSAGE,
	SENDS_NO_MESSAGE,
	IGNORES_UNMAPPING,
	IGNORES_READ_ONLY,
	IS_NOT_LOGGED,
	IS_LOGGED_AS_ANOTHER,
	IS_LOGGED_AS_NOBODY, /* ff:1f.7 */
	IS_LOGGED_ELSEWHERE,
	IS_SUPPRESSED,
	IS_OVERWRITTEN,
	IGNORES_BUS_MASTER,
	WRITES_UNASKED,
	HANGS,
	/* messages */
	KEEPS_VECTORS,      /* one that was given back is signalled */
	GAVE_ENTRY_AWAY,    /* no lie: reason 0x26 */
	BLOCKS_FOR_ANOTHER, /* reason 0x23 */
	NAMES_ANOTHER_INDEX,
	LETS_COMPAT_THROUGH, /* as a stray vector */
	DELIVERS_COMPAT,     /* as vector 0 of the device */
};

struct world {
	enum lie lie;
	bool unsure; /* of its address bits */
	unsigned bits;
	struct {
		uint64_t iova;
		uint8_t *memory;
		size_t size;
		unsigned access;
		bool live;
	} mappings[MAPPINGS];
	uint8_t buffer[2 * PAGE];
	bool master;
	int fds[VECTORS], triggers[VECTORS]; /* ours, and the kernel's copy */
	unsigned enabled, had; /* vectors now, and when there were some last */
	bool told;             /* the engine was, that these are on */
	bool anonymous;        /* the device's messages name no requester */
	bool amd;              /* the IOMMU and its log */
	bool plain; /* the message in configuration space is in compatibility format */
	bool guest; /* the host says that it is a VM */
	const char *kernel;
	GString *log;
	bool dead;
	unsigned reads, quiesced, quieted, closed;
	bool loud;         /* the device does not become quiet */
	unsigned messages; /* that were sent to a vector that is on */
	int raise_signal;
};
extern struct world world;

/* An honest world of Linux 6.8 on Intel. For cmocka: before each test. */
int world_reset(void **state);
/* cmocka's set-up and tear-down of a group: configuration space, in a directory. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* Runs the cases whose name matches GLOB; looks that the device is left as it has to be. */
GPtrArray *world_run(const char *glob, unsigned rounds, bool isolation, GError **error);
/* The result of a run of one case. */
const struct mp_case_result *world_only(GPtrArray *results);
/* With this LIE the cases EXPECTED (names, each with a blank behind) fail, and no others. */
void world_assert_fails(enum lie lie, const char *glob, const char *expected);
/* With this LIE the one case that matches comes to VERDICT, and its summary has PART. */
void world_assert_says(
	enum lie lie, const char *glob, enum mp_case_verdict verdict, const char *part);

#endif
