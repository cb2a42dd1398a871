/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-vfio.h - the functions of vfio.h and klog.h for tests: one function of PCI with a model
 * behind its BARs, an IOMMU that is a table, interrupts by eventfd, a kernel's log, and a clock
 * that stands still unless somebody waits, so that time-outs cost nothing. A program that links
 * fake-vfio.c links nothing of VFIO itself; for the clock it needs $(fake_vfio_ldflags).
 */
#ifndef FAKE_VFIO_H
#define FAKE_VFIO_H

#include "vfio/vfio.h"

#define FAKE_ADDRESS "0000:01:00.0"
#define FAKE_PAGE    4096u
#define FAKE_VECTORS 32u
/* What the host gave to vector 0; the others count on. */
#define FAKE_MESSAGE 0xfee00218u
#define FAKE_DATA    0x20u

/* One BAR. NULL for what must not happen: the test fails. */
struct fake_bar {
	size_t size; /* 0: not there */
	uint32_t (*read32)(void *user, size_t offset);
	void (*write32)(void *user, size_t offset, uint32_t value);
	uint64_t (*read64)(void *user, size_t offset);
	void (*write64)(void *user, size_t offset, uint64_t value);
};

struct fake_model {
	struct fake_bar bars[6];
	void *user;                 /* of all callbacks */
	unsigned vectors[3];        /* by enum mp_vfio_irq */
	void (*reset)(void *user);  /* NULL: cannot be reset */
	void (*time)(void *user);   /* time has passed; or NULL */
	void (*opened)(void *user); /* by mp_vfio_open(); or NULL */
};

/* One at a time; MODEL is copied. With a configuration space that has the identity of a
 * device, and no capabilities. The caller frees, after the engine has closed. */
struct mp_vfio *fake_vfio_new(const struct fake_model *model);
void fake_vfio_free(struct mp_vfio *vfio);
/* Little endian. */
void fake_vfio_set_config(
	struct mp_vfio *vfio, unsigned offset, unsigned width, uint32_t value);

/* What the host does wrong, between the device and the test: one thing at a time. */
enum fake_spoil {
	FAKE_HONEST,
	FAKE_ALL_WRITABLE,  /* whatever is mapped may be written */
	FAKE_STAYS_MAPPED,  /* what was unmapped last at an address is still there */
	FAKE_NO_MASTER_BIT, /* bus mastering does not matter */
	FAKE_FLIPPED,       /* a bit of what the device writes changes on its way */
	FAKE_FLIPPED_IN,    /* ... of what it reads */
	FAKE_MASKED,        /* no vector is signalled */
	FAKE_MOVED,         /* each vector is signalled as the next one */
	FAKE_SILENT,        /* the kernel logs no faults */
	FAKE_SUPPRESSED,    /* it says that it left some out */
	FAKE_LOST,          /* its log was overwritten before it could be read */
	FAKE_OF_ANOTHER,    /* each fault is logged as another function's */
	FAKE_ELSEWHERE,     /* ... at the next page, or index */
};
void fake_spoil(struct mp_vfio *vfio, enum fake_spoil spoil);

/* Lends the device HOST, a page, at IOVA, and SCRATCH at FAKE_SCRATCH, with bus mastering on. */
#define FAKE_SCRATCH 0x1000000u
void fake_lend(struct mp_vfio *vfio, uint8_t *host, uint64_t iova, uint8_t *scratch,
	size_t scratch_size);

/* --- what the model does --- */

/* Memory of the host by DMA; without bus mastering, without a mapping that allows it, false,
 * and the kernel logs a fault. A write to an interrupt address is a message. */
bool fake_host_read(struct mp_vfio *vfio, uint64_t iova, void *data, size_t size);
bool fake_host_write(struct mp_vfio *vfio, uint64_t iova, const void *data, size_t size);
/* Vector N as by the function's own capability. Not enabled: nothing happens. */
void fake_signal(struct mp_vfio *vfio, unsigned n);

/* --- what the test looks at --- */

/* ERROR is there, and says PART. */
void fake_assert_says(const GError *error, const char *part);
/* Microseconds since the start. */
gint64 fake_now(void);
void fake_wait(gint64 microseconds);
unsigned fake_mappings(const struct mp_vfio *vfio);
unsigned fake_closed(const struct mp_vfio *vfio);
unsigned fake_enabled(const struct mp_vfio *vfio);
bool fake_is_master(const struct mp_vfio *vfio);
/* Accesses to BARs so far. */
unsigned fake_accesses(const struct mp_vfio *vfio);

#endif
