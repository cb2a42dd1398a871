/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * case.h - what the cases share: the running test, transfers that are timed, mappings that
 * are taken away, verdicts. A case returns mp_test_goes_on().
 */
#ifndef MP_CASE_H
#define MP_CASE_H

#include "core/fault.h"
#include "core/klog.h"
#include "vfio/memory.h"
#include "vfio/selftest.h"
#include "vfio/series.h"

/* Where the cases map what has no place of its own: within 28 bits, which is all that QEMU's
 * edu can reach as it comes. */
#define MP_IOVA_SCRATCH 0x1000000u
#define MP_IOVA_FROM    0x2000000u
#define MP_IOVA_TO      0x4000000u

struct mp_selftest {
	const struct mp_host *host;
	const struct mp_pci *device;
	const struct mp_engine *engine;
	const struct mp_selftest_options *options;
	struct mp_vfio *vfio;
	void *state; /* of the engine */
	struct mp_engine_limits limits;
	struct mp_buffer *scratch;
	struct mp_klog *klog;
	size_t page;
	uint64_t seed;   /* of the random data; another one each time */
	GString *log;    /* what the kernel said during this case */
	bool log_lost;   /* and that was not all */
	gint64 faulted;  /* when a fault was last asked for, monotonic */
	unsigned faults; /* of this device, that the case asked for */
	bool dead; /* the device came back from no abort: nothing more can be tested */
	struct mp_series times, rates; /* of this case's transfers */
};

/* --- verdicts: the first one holds, but a failure replaces a pass --- */

void mp_case_pass(struct mp_case_result *result, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
/* REMEDY: what it means and what to do; or NULL. */
void mp_case_fail(struct mp_case_result *result, const char *remedy, const char *format,
	...) G_GNUC_PRINTF(3, 4);
void mp_case_skip(struct mp_case_result *result, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
void mp_case_evidence(struct mp_case_result *result, const char *source,
	const char *format, ...) G_GNUC_PRINTF(3, 4);
bool mp_test_goes_on(const struct mp_selftest *test);

/* --- mappings: a failure is the case's verdict --- */

struct mp_buffer *mp_test_buffer(
	struct mp_selftest *test, struct mp_case_result *result, size_t size);
bool mp_test_map(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, uint64_t iova, unsigned access);
bool mp_test_unmap(struct mp_selftest *test, struct mp_case_result *result, uint64_t iova,
	size_t size);
/* NULL, or why the device cannot be asked to use [iova, iova + size). Caller frees. */
char *mp_test_unreachable(const struct mp_selftest *test, uint64_t iova, size_t size);

/* --- transfers --- */

enum mp_direction { MP_DEVICE_READS, MP_DEVICE_WRITES };
/* Timed. A failure is the case's verdict, and the engine is asked to come back. */
bool mp_test_transfer(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_direction direction, uint64_t iova, size_t size);
/* One that is expected to be refused: what the device says of it is evidence at most. False:
 * it did not end well, and mp_test_come_back() has to follow. */
bool mp_test_attempt(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_direction direction, uint64_t iova, size_t size);
/* After that: back to where transfers work; else the verdict is made. */
void mp_test_come_back(struct mp_selftest *test, struct mp_case_result *result);
/* After a read: whether DATA is what the device has, where it can be looked at. False: it is
 * not, and the verdict is made. */
bool mp_test_has_read(struct mp_selftest *test, struct mp_case_result *result,
	const void *data, size_t size);
/* WANTED, as the engine can do it: not more than it can, whole units, at least one. */
size_t mp_test_size(const struct mp_selftest *test, size_t wanted);
/*
 * Both directions at IOVA, where BUFFER is mapped with read and write: at OFFSET the device
 * reads a pattern, the memory is overwritten, the device writes the pattern back; the rest of
 * BUFFER keeps its guard. Engines that choose no data: what they can. False: the verdict is
 * made.
 */
bool mp_test_round_trip(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, uint64_t iova, size_t offset, size_t size);
/* Finds out how many address bits the device has where the engine does not know. */
bool mp_test_learn_bits(struct mp_selftest *test, GError **error);

/* --- interrupts --- */

#define MP_TEST_VECTORS 64u /* the most that a case enables */

/* As many as the host grants, at most COUNT; 0: none, the verdict is made. */
unsigned mp_test_irq_enable(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_vfio_irq irq, unsigned count, const int **fds);
void mp_test_irq_disable(struct mp_selftest *test, struct mp_case_result *result);
/* Vector N, raised at START, counts exactly one, the COUNT - 1 others none; else the verdict
 * is made. */
bool mp_test_irq_arrived(struct mp_selftest *test, struct mp_case_result *result,
	const int *fds, unsigned count, unsigned n, gint64 start);

/* --- the kernel's log --- */

/* Reads on. MATCH as for mp_klog_read(). False: the verdict is made. */
bool mp_test_log(struct mp_selftest *test, struct mp_case_result *result,
	unsigned milliseconds, mp_klog_match match, void *user);
/* Lines of the log about this device become evidence; how many faults there were. */
unsigned mp_test_faults(const struct mp_selftest *test, struct mp_case_result *result);

/* --- what the kernel has to log of a refusal --- */

#define MP_FAULT_LOG_MS                                                                  \
	2000 /* faults are printed from a threaded interrupt, some time after */
/* printk_ratelimit's interval in dmar_fault() and amd_iommu_report_page_fault() is 5 s. */
#define MP_FAULT_RATELIMIT_MS 5500

extern const char mp_test_not_isolated[]; /* the remedy */

struct mp_wanted_fault {
	const struct mp_selftest *test;
	/* Whether FAULT is it, the device included. */
	bool (*fits)(const struct mp_wanted_fault *want, const struct mp_fault *fault);
	uint64_t iova; /* of a transfer */
	enum mp_direction direction;
	uint32_t index; /* of a message; what else it is, tells fits() */
};

/* What the log says of the device, among it what was wanted; and what it left out. */
struct mp_heard {
	unsigned wanted;
	struct mp_fault first; /* of those; borrows from the log */
	unsigned others;       /* of this device */
	uint64_t suppressed;
};

bool mp_test_is_own(const struct mp_selftest *test, const struct mp_fault *fault);
/* Before provoking a fault: QEMU's VT-d keeps one, and a second one within the same moment is
 * lost. False: the verdict is made. */
bool mp_test_space_faults(struct mp_selftest *test, struct mp_case_result *result);
/* Reads the log until the fault is there or the time over. False: the verdict is made. */
bool mp_test_await_fault(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_wanted_fault *want, unsigned milliseconds);
struct mp_heard mp_test_hear(const struct mp_wanted_fault *want);
/*
 * Where HEARD alone makes the verdict that WHAT was not refused as it should: other faults;
 * lines that are missing, or none at all. MEANWHILE: what else was seen, "memory is
 * unchanged". True where the wanted fault was logged, and nothing else.
 */
bool mp_test_judge_heard(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_heard *heard, const char *what, const char *meanwhile);

/* --- the cases, by file --- */

extern const struct mp_case mp_case_dma_read, mp_case_dma_write, mp_case_dma_patterns,
	mp_case_dma_scattered;
extern const struct mp_case mp_case_iova_low, mp_case_iova_above_4g, mp_case_iova_forum,
	mp_case_iova_top;
extern const struct mp_case mp_case_irq_loopback, mp_case_irq_intx, mp_case_irq_msi,
	mp_case_irq_msix;
extern const struct mp_case mp_case_irq_message;
extern const struct mp_case mp_case_isolation_write_unmapped,
	mp_case_isolation_write_readonly, mp_case_isolation_read_unmapped,
	mp_case_isolation_teardown, mp_case_quiet;
extern const struct mp_case mp_case_isolation_message_freed,
	mp_case_isolation_message_compat;

#endif
