/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the module metis_dmatest. What user space sees of it is dmatest.h.
 *
 * A device is bound, idle and no bus master. A run makes it one, lets the
 * cases move data and raise interrupts, and puts all of it back.
 *
 * Locks, and why they cannot deadlock:
 *   run_lock   is held for a run and for a change of a setting, always by
 *              mutex_trylock(): nobody waits for it. Nothing else is locked
 *              before it. Within it: text_lock, and what the DMA API needs.
 *   text_lock  guards the texts of state and results; a leaf: nothing is
 *              locked within it, and nothing sleeps but kmalloc().
 *   Interrupt handlers take none: they count (atomic) and wake.
 * remove() runs with the device's lock held (driver core), sets leaving and then waits
 * in sysfs_remove_group() for those who are within an attribute. They never
 * take the device's lock, and a run looks at leaving wherever it waits, so
 * that wait is short. The group is made and removed by hand for that reason:
 * the driver core removes a driver's dev_groups before it calls remove().
 */
#ifndef DMATEST_DRIVER_H
#define DMATEST_DRIVER_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "dmatest.h"

struct dmatest;

/* --- results --- */

/* Whoever forgets to say has not passed. */
enum dmatest_verdict { DMATEST_FAIL, DMATEST_PASS, DMATEST_SKIP };

/* In the order of DMATEST_KEYS. */
enum dmatest_key {
	KEY_BYTES,
	KEY_DURATION,
	KEY_LATENCY_COUNT,
	KEY_LATENCY_MIN,
	KEY_LATENCY_MEDIAN,
	KEY_LATENCY_MAX,
	KEY_RATE_MIN,
	KEY_RATE_MEDIAN,
	KEY_RATE_MAX,
	KEY_VECTORS,
	KEY_ARRIVED,
	KEY_COUNT
};

struct dmatest_result {
	enum dmatest_verdict verdict;
	unsigned long keys; /* bit n: values[n] is known */
	u64 values[KEY_COUNT];
	char sentence[240];
};

void dmatest_set(struct dmatest_result *result, enum dmatest_key key, u64 value);
void dmatest_add(struct dmatest_result *result, enum dmatest_key key, u64 value);
/* Verdict and sentence. dmatest_fail() returns DMATEST_FAILED. */
#define DMATEST_FAILED 1
__printf(2, 3) void dmatest_pass(struct dmatest_result *result, const char *format, ...);
__printf(2, 3) int dmatest_fail(struct dmatest_result *result, const char *format, ...);
__printf(2, 3) void dmatest_skip(struct dmatest_result *result, const char *format, ...);
/* The line of it, into the text of the results. */
void dmatest_results_clear(struct dmatest *test);
void dmatest_results_add(struct dmatest *test, unsigned int round, const char *name,
			 const struct dmatest_result *result);

/* Times of one case, of which the first ones are kept. */
#define DMATEST_SAMPLES 128
struct dmatest_series {
	unsigned int count;
	u64 ns[DMATEST_SAMPLES];
	u64 rate[DMATEST_SAMPLES]; /* bytes per second; 0: none */
};

/* --- engines --- */

/*
 * How to make one kind of device move data and raise interrupts. It knows
 * registers; it maps nothing but what it needs for itself. Called within a run, one call at a time,
 * unless said otherwise. Results are 0 or a negative errno; -ENODEV: the
 * device is gone (its registers read as ones).
 */
struct dmatest_engine {
	const char *name;
	u16 vendor, device; /* device 0: any of the vendor's */
	unsigned int bars;  /* that have to be there, a bit each */

	/* At bind; reads only. Fills the limits below. Says itself why not. */
	int (*probe)(struct dmatest *test);
	void (*unbind)(struct dmatest *test); /* or NULL: frees what probe() got */
	/* To where the calls below work; saves what it changes. stop() follows, always. */
	int (*start)(struct dmatest *test);
	/* No DMA and no interrupt comes when it returns; what was saved is restored. */
	void (*stop)(struct dmatest *test);
	/*
	 * Starts a transfer between its own memory and BUS: READ: the device
	 * reads the host's memory. SIGNAL: and raises vector() at its end.
	 */
	int (*kick)(struct dmatest *test, bool read, dma_addr_t bus, size_t size,
		    bool signal);
	/* 1: it is over; 0: not yet; -EIO: the device says it failed, and WHY. */
	int (*poll)(struct dmatest *test, const char **why);
	/* The vector that a transfer signals. */
	unsigned int (*vector)(struct dmatest *test, bool read);
	/* Is DATA in the device's memory? Another way than DMA; or NULL. */
	bool (*check)(struct dmatest *test, const void *data, size_t size, size_t *at);
	/* The device signals vector N, one time. NULL: cannot. */
	int (*raise)(struct dmatest *test, unsigned int n);
	/*
	 * In the handler: clears the cause in the device, where it has one.
	 * False: it is not the device that interrupts. NULL: nothing to clear.
	 */
	bool (*acknowledge)(struct dmatest *test);
	/* How an interrupt of this device comes about, for a sentence. */
	void (*describe)(struct dmatest *test, unsigned int n, char *text, size_t size);
	/* After a time-out or failure: back to where transfers work. */
	int (*abort)(struct dmatest *test);
};

extern const struct dmatest_engine dmatest_edu, dmatest_dw_edma;

/* --- the device --- */

#define DMATEST_VECTORS_MAX 32

struct dmatest_vector {
	struct dmatest *test;
	unsigned int number;
	int irq; /* -1: not requested */
	atomic_t count;
	u64 when; /* ktime_get_ns() of the last one */
	char name[32];
};

struct dmatest {
	struct pci_dev *pdev;
	const struct dmatest_engine *engine;
	void *card; /* the engine's own */
	void __iomem *bar[PCI_STD_NUM_BARS];
	u16 command; /* as it was before the bind */

	/* The engine's, set by its probe(). */
	size_t transfer_max, transfer_align;
	unsigned int address_bits;
	const char *no_signal; /* why a transfer cannot signal its end; or NULL */

	const char *interrupt; /* "msix", "msi", "intx", "none" */
	unsigned int wanted, granted;
	struct dmatest_vector vectors[DMATEST_VECTORS_MAX];
	atomic_t strays; /* interrupts while no run was going on */

	struct mutex run_lock; /* see above */
	wait_queue_head_t wait;
	bool leaving;  /* remove() or shutdown() was called */
	bool running;  /* interrupts are expected */
	bool dead;     /* abort() did not help */
	ktime_t until; /* of the run */
	struct dmatest_series series;

	/* Settings; run_lock. */
	unsigned int bytes, rounds, timeout_ms;
	char cases[64];

	struct mutex text_lock; /* see above */
	char state[48];
	char *results; /* PAGE_SIZE */
	size_t results_size;
	bool truncated;
};

/* 0, or why a run has to end now: -ENODEV, -EINTR, -ETIMEDOUT. */
int dmatest_over(struct dmatest *test);
/* All cases that match, as often as set. Under run_lock. */
int dmatest_run(struct dmatest *test);
__printf(2, 3) void dmatest_state(struct dmatest *test, const char *format, ...);

extern const struct attribute_group dmatest_group;

/* True where the parameter fail_alloc wants the next allocation to fail. */
bool dmatest_fail_alloc(void);

/* --- interrupts --- */

int dmatest_irq_get(struct dmatest *test);
void dmatest_irq_put(struct dmatest *test);
/*
 * Until vector N has counted more than BEFORE. 1: it has; 0: not within the time
 * of a transfer; or as dmatest_over().
 */
int dmatest_irq_wait(struct dmatest *test, unsigned int n, int before);

/* --- buffers --- */

#define DMATEST_GUARD 64

/* Of what is asked for, with a guard before and behind, which no transfer may touch. */
struct dmatest_buffer {
	bool coherent, mapped;
	enum dma_data_direction direction;
	size_t size; /* without guards */
	unsigned int order;
	void *memory;	 /* from where the guard begins */
	u8 *data;	 /* behind the guard */
	dma_addr_t base; /* of memory */
	dma_addr_t bus;	 /* of data */
};

/*
 * Allocated and mapped; -ENOMEM: no memory; DMATEST_FAILED: it cannot be mapped, and the
 * result says so. Whatever it was, dmatest_buffer_put() is allowed on it.
 */
int dmatest_buffer_get(struct dmatest *test, struct dmatest_buffer *buffer, size_t size,
		       bool coherent, enum dma_data_direction direction,
		       struct dmatest_result *result);
void dmatest_buffer_put(struct dmatest *test, struct dmatest_buffer *buffer);
/* To the device, and back to the CPU; nothing for coherent ones. */
void dmatest_buffer_give(struct dmatest *test, struct dmatest_buffer *buffer);
void dmatest_buffer_take(struct dmatest *test, struct dmatest_buffer *buffer);
void *dmatest_pages_get(struct dmatest *test, unsigned int order);
void dmatest_pages_put(void *memory, unsigned int order);

/* --- transfers --- */

/* Of one transfer: what the setting says, as far as the device can. */
size_t dmatest_size(struct dmatest *test);

enum dmatest_pattern {
	PATTERN_ZEROS,
	PATTERN_ONES,
	PATTERN_55,
	PATTERN_AA,
	PATTERN_COUNT_UP, /* each word other than its neighbours */
	PATTERN_RANDOM,	  /* of a seed */
	PATTERN_END
};

void dmatest_fill(void *data, size_t size, enum dmatest_pattern pattern, u32 seed);
/*
 * One transfer, waited for by polling. 0; DMATEST_FAILED (the result says why); or as
 * dmatest_over().
 */
int dmatest_move(struct dmatest *test, bool read, dma_addr_t bus, size_t size,
		 struct dmatest_result *result);
/*
 * A transfer was started, and nobody waits for its end any more, for whatever reason. When
 * this returns the device is done with the memory: its engine was reset, or, where that did
 * not help (-EIO, and no run is possible any more) or the device is gone (-ENODEV), it is no
 * bus master.
 */
int dmatest_recover(struct dmatest *test);
/* Until the transfer is over. 1: it is; 0: not in time; -EIO: WHY; or as dmatest_over(). */
int dmatest_poll(struct dmatest *test, const char **why);
void dmatest_sample(struct dmatest *test, u64 ns, size_t bytes);
/* A guard, SIZE bytes, and a guard again. */
void dmatest_set_guards(void *memory, size_t size);
bool dmatest_guards_hold(const void *memory, size_t size);
/* Compares, guards too. WHAT: who should have written it. */
int dmatest_compare(struct dmatest_buffer *buffer, const void *want, const char *what,
		    struct dmatest_result *result);
/* FROM is read by the device, and proven to be there; then it comes back to TO, if any. */
int dmatest_loop(struct dmatest *test, struct dmatest_buffer *from,
		 struct dmatest_buffer *to, enum dmatest_pattern pattern,
		 struct dmatest_result *result);

/* --- cases --- */

struct dmatest_case {
	const char *name;
	/*
	 * Fills RESULT, a verdict too, and returns 0 or DMATEST_FAILED; or a negative
	 * errno that ends the whole run.
	 */
	int (*run)(struct dmatest *test, struct dmatest_result *result);
};

int dmatest_case_read(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_write(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_coherent(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_patterns(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_scattered(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_below_4g(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_above_4g(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_irq_vectors(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_irq_polling(struct dmatest *test, struct dmatest_result *result);
int dmatest_case_quiet(struct dmatest *test, struct dmatest_result *result);

#endif
