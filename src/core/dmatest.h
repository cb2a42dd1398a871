/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmatest.h - how the kernel module metis_dmatest (src/guest-driver) and this program agree.
 * Text attributes in the directory DMATEST_DIR of a PCI device that is bound to the module:
 *
 *   abi         read   DMATEST_ABI. Another number: the program refuses to talk to it.
 *   engine      read   "edu" or "dw-edma": as the program's own engines are called
 *   limits      read   lines of KEY VALUE: transfer_max (bytes), address_bits, interrupt
 *                      ("msix", "msi", "intx", "none"), vectors_wanted, vectors_granted
 *   bytes       rw     the most that one transfer of the pattern cases moves, in bytes
 *   rounds      rw     how often all cases are run
 *   timeout_ms  rw     for one transfer or one interrupt
 *   cases       rw     glob: only cases whose name matches; "*"
 *   run         write  "1" runs them, and returns when they are over: success means that they
 *                      ran, not that they passed. EBUSY: one is running. EINTR: the writer was
 *                      killed, and the device is quiet again. ENODEV: it is gone. ETIMEDOUT:
 *                      the whole took longer than DMATEST_RUN_MS. ENOMEM: no memory for a
 *                      case. EIO: the device cannot be brought up, or did not come back.
 *   state       read   "idle", "running CASE", "done", "interrupted", "dead" (the device came
 *                      back from no abort: only a new bind helps)
 *   results     read   a line for each case of each round, of the last run, in this form:
 *                      ROUND CASE VERDICT [KEY=NUMBER...] -- SENTENCE
 *                      VERDICT: "pass", "fail", "skip". Keys: the DMATEST_KEYS. A last line
 *                      "truncated" where a page was too small for all of them; what passed goes
 *                      first then, the oldest of it.
 *
 * Values out of range are EINVAL, and change nothing; while a run is going on, EBUSY. All
 * numbers are decimal. A sentence has printable ASCII only and no line end.
 *
 * Plain C without any include: the module uses it too.
 */
#ifndef MP_DMATEST_H
#define MP_DMATEST_H

#define DMATEST_MODULE "metis_dmatest" /* the module, and its PCI driver */
#define DMATEST_DIR    "dmatest"
#define DMATEST_ABI    1

#define DMATEST_BYTES_MIN          4
#define DMATEST_BYTES_MAX          (4u << 20) /* what dma_alloc_coherent() may be asked for */
#define DMATEST_BYTES_DEFAULT      4096
#define DMATEST_ROUNDS_MAX         1000
#define DMATEST_TIMEOUT_MS_MIN     1
#define DMATEST_TIMEOUT_MS_MAX     60000
#define DMATEST_TIMEOUT_MS_DEFAULT 5000
#define DMATEST_RUN_MS             600000

/*
 * Keys of a result: what was moved and compared, how long the case took, the times of its
 * transfers or interrupts, their rates, and how many vectors were tried and came.
 */
#define DMATEST_KEYS                                                                     \
	"bytes", "duration_ns", "latency_count", "latency_min_ns", "latency_median_ns",  \
		"latency_max_ns", "rate_min", "rate_median", "rate_max", "vectors",      \
		"arrived"

/*
 * The cases, in the order in which they run. What is named as a case of the host's self-test
 * means the same here.
 */
#define DMATEST_CASES                                                                      \
	"dma-read",              /* streaming: the device reads what the CPU wrote */      \
		"dma-write",     /* streaming: the CPU reads what the device wrote */      \
		"dma-coherent",  /* both, in memory of dma_alloc_coherent() */             \
		"dma-patterns",  /* patterns and sizes up to "bytes" */                    \
		"dma-scattered", /* dma_map_sg() of single pages */                        \
		"dma-below-4g", "dma-above-4g", /* bus addresses there; else skipped */    \
		"irq-vectors", /* each vector granted arrives once, at its own handler */  \
		"irq-polling", /* the same transfer by interrupt and by polling: tells a \
				  lost interrupt from lost data */ \
		"quiet"        /* nothing comes when all is over */

#endif
