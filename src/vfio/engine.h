/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - how to make one kind of device move data and raise interrupts. An engine knows
 * registers; it knows nothing of test cases, and maps nothing: it is told IOVAs.
 *
 * All callbacks run with the device open, memory decoding on and bus mastering on unless
 * said otherwise. Times are bounded by limits().
 */
#ifndef MP_ENGINE_VFIO_H
#define MP_ENGINE_VFIO_H

#include "core/pci.h"
#include "core/profile.h"
#include "vfio/vfio.h"

/* A buffer that the engine needs for itself (queues, descriptors), mapped read and write by
 * the runner before init(), zeroed. */
struct mp_engine_scratch {
	void *memory;
	uint64_t iova;
	size_t size;
};

struct mp_engine_limits {
	size_t transfer_max;      /* bytes of one read_host() or write_host() */
	size_t transfer_align;    /* of IOVA and size */
	size_t read_size;         /* bytes that read_host() reads where fewer; 0: all */
	bool cannot_read;         /* this one device cannot, though its engine can */
	unsigned address_bits;    /* that the device can emit */
	bool address_bits_unsure; /* or fewer: the runner finds out by write_host() */
	size_t scratch;           /* bytes needed, a multiple of 4096; 0: none */
	unsigned timeout_ms;      /* for one transfer */
	bool reads_any,
		writes_any;  /* any data: patterns can be chosen by the runner; false: the
	                               device decides what it writes (an NVMe's Identify) */
	bool irq_per_vector; /* raise_irq() can choose among all vectors */
	bool programmed_irq; /* send_message() works */
	const char *no_message;  /* why it does not, though the engine has it; or NULL */
	bool anonymous_messages; /* as written by no requester that anybody can tell */
};

enum mp_engine_result {
	MP_ENGINE_OK,
	MP_ENGINE_TIMEOUT, /* no completion in time */
	MP_ENGINE_ERROR,   /* the device reports a failure (error text is set) */
};

struct mp_engine {
	const char *name; /* as in profiles: "edu", "nvme", "dw-edma" */
	const char *summary;
	bool tested_on_hardware;

	/*
	 * Is this such a device, in a state that can be tested? Reads only. Refuses with a reason:
	 * all ones (fallen off), all zeros (firmware not running), a disk in use. FORCE: what
	 * the user allowed by --force.
	 */
	bool (*probe)(struct mp_vfio *vfio, const struct mp_host *host,
		const struct mp_pci *device, bool force, GError **error);
	/* Before init(), with a STATE of NULL, for the scratch; and after. */
	void (*limits)(const void *state, struct mp_engine_limits *limits);
	/*
	 * Brings the device to where the callbacks below work; *state is handed to all of them.
	 * What it overwrites in the device it saves for quiesce().
	 */
	bool (*init)(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
		void **state, GError **error);
	/* The device reads SIZE bytes of host memory at IOVA into a buffer of its own. */
	enum mp_engine_result (*read_host)(
		void *state, uint64_t iova, size_t size, GError **error);
	/* The device writes SIZE bytes of its buffer, as last read, to host memory at IOVA. For
	 * an engine that decides itself what it writes: see check_written. */
	enum mp_engine_result (*write_host)(
		void *state, uint64_t iova, size_t size, GError **error);
	/* Where writes_any is false: is DATA what the device must have written? NULL else. */
	bool (*check_written)(void *state, const void *data, size_t size, GError **error);
	/* Is DATA what the device has read last? By looking into the device, another way than
	 * that by which it came. NULL: cannot tell; then what it has read has to come back by
	 * write_host(), or nothing is known of it. */
	bool (*check_read)(void *state, const void *data, size_t size, GError **error);
	/*
	 * Before the first raise_irq() of a kind: its vectors are on now, and were not when
	 * init() or abort() was called. The device takes up anew what it makes them part of (an
	 * NVMe's queue). False: it did not come back, as with abort(). NULL: nothing to do.
	 */
	bool (*irqs_on)(void *state, GError **error);
	/* The device signals vector N. NULL: cannot. */
	bool (*raise_irq)(void *state, unsigned n, GError **error);
	/* After an interrupt: clears its cause in the device. NULL: nothing to clear. */
	void (*ack_irq)(void *state, unsigned n);
	/* The device writes DATA (4 bytes) to ADDRESS as an interrupt message. NULL: cannot. */
	bool (*send_message)(
		void *state, uint64_t address, uint32_t data, GError **error);
	/* After a timeout or an error: back to where transfers work. False: it did not come. */
	bool (*abort)(void *state, GError **error);
	/*
	 * No DMA and no interrupt will come from the device when this returns; what init() saved
	 * is restored. Called on every way out, also half way through init(); frees STATE.
	 */
	void (*quiesce)(void *state);
};

extern const struct mp_engine mp_engine_edu, mp_engine_nvme, mp_engine_dw_edma;

/* By name, or the one that the profile of the device names; NULL and an error: none. */
const struct mp_engine *mp_engine_choose(
	const char *name, const struct mp_profile *profile, GError **error);

#endif
