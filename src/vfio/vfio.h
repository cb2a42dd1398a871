/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfio.h - one PCI function opened through VFIO by this process: its registers, its DMA
 * mappings, its interrupts, its reset. Interface: include/uapi/linux/vfio.h, iommufd.h.
 *
 * There are two ways in, which differ in nothing else. By group: the IOMMU group of the
 * function in a type1v2 container (/dev/vfio/vfio, /dev/vfio/GROUP), which Proxmox VE's VMs
 * take. By cdev: the function's own file (/dev/vfio/devices/vfioN) bound to an address space
 * of /dev/iommu, from Linux 6.6 on, where the kernel was built with it.
 *
 * Opening resets the function where it can be reset, and so does the kernel at the last
 * close (vfio_pci_core_enable() and _disable()).
 */
#ifndef MP_VFIO_H
#define MP_VFIO_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/host.h"

struct mp_vfio;

enum mp_vfio_wish {
	MP_VFIO_ANY_WAY, /* by group; where the host does not offer that, by cdev */
	MP_VFIO_BY_GROUP,
	MP_VFIO_BY_CDEV,
};
/* "auto", "group", "cdev"; false: none of them. */
bool mp_vfio_parse_wish(const char *text, enum mp_vfio_wish *wish);

/*
 * Opens DEVICE of HOST (live). Each refusal has its own sentence: not bound to vfio-pci, in
 * no group, the group not viable (which member, which driver), busy (in VM 101, in process
 * N), no interrupt remapping, RMRR, no /dev/vfio, the wished way not offered. The caller
 * closes.
 */
struct mp_vfio *mp_vfio_open(const struct mp_host *host, const struct mp_pci *device,
	enum mp_vfio_wish wish, GError **error);
/*
 * Quiets the function: bus master off, interrupts off, reset where it can be, configuration
 * registers that were changed restored. Then looks whether that is so; false and an error:
 * it is not. Only mp_vfio_close() may follow.
 */
bool mp_vfio_quiet(struct mp_vfio *vfio, GError **error);
/* Quiets the function, if that was not done, unmaps everything and leaves. NULL is fine. */
void mp_vfio_close(struct mp_vfio *vfio);
typedef struct mp_vfio mp_vfio;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_vfio, mp_vfio_close)

const char *mp_vfio_address(const struct mp_vfio *vfio);
/* Which way was taken: "group" or "cdev". */
const char *mp_vfio_way_name(const struct mp_vfio *vfio);

/* --- registers --- */

/*
 * BAR N (0 to 5), mapped; NULL and an error where it is not memory, has no size or may not be
 * mapped. Owned by VFIO, valid until the close.
 */
struct mp_mmio;
struct mp_mmio *mp_vfio_bar(struct mp_vfio *vfio, unsigned n, GError **error);
size_t mp_mmio_size(const struct mp_mmio *bar);
/*
 * One access each, of that many bytes, not merged, not left out and not moved past another;
 * what is little endian there is a number here. OFFSET is a multiple of the width and inside
 * of the BAR, or the program ends: who takes it from the device checks it first.
 */
uint32_t mp_mmio_read32(const struct mp_mmio *bar, size_t offset);
void mp_mmio_write32(struct mp_mmio *bar, size_t offset, uint32_t value);
uint64_t mp_mmio_read64(const struct mp_mmio *bar, size_t offset);
void mp_mmio_write64(struct mp_mmio *bar, size_t offset, uint64_t value);
/* Configuration space as VFIO lets it be seen. WIDTH 1, 2 or 4 bytes. */
bool mp_vfio_config_read(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t *value, GError **error);
/* The first write to a register keeps its old value for the close. */
bool mp_vfio_config_write(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t value, GError **error);
/* Memory decoding comes with the open; bus mastering has to be asked for. */
bool mp_vfio_bus_master(struct mp_vfio *vfio, bool on, GError **error);

/* --- DMA --- */

enum mp_vfio_access {
	MP_VFIO_READ = 1 << 0, /* the device may read */
	MP_VFIO_WRITE = 1 << 1 /* the device may write */
};

struct mp_vfio_range {
	uint64_t start, end; /* inclusive IOVAs */
};
/* Usable IOVA ranges, ordered; where the kernel does not tell: none (count 0). Owned by
 * VFIO. */
const struct mp_vfio_range *mp_vfio_ranges(const struct mp_vfio *vfio, size_t *count);
/* True if all of [iova, iova + size) may be mapped. */
bool mp_vfio_iova_usable(const struct mp_vfio *vfio, uint64_t iova, size_t size);
/* Page sizes of the IOMMU as a bit mask; the smallest is what everything is aligned to. (By
 * cdev the kernel tells no other.) */
uint64_t mp_vfio_page_sizes(const struct mp_vfio *vfio);

/* MEMORY (page aligned, of the caller) becomes visible to the device at IOVA. */
bool mp_vfio_map(struct mp_vfio *vfio, void *memory, uint64_t iova, size_t size,
	unsigned access, GError **error);
bool mp_vfio_unmap(struct mp_vfio *vfio, uint64_t iova, size_t size, GError **error);

/* --- interrupts --- */

enum mp_vfio_irq { MP_VFIO_INTX, MP_VFIO_MSI, MP_VFIO_MSIX };
const char *mp_vfio_irq_name(enum mp_vfio_irq irq);
/* Vectors that the function has of this kind; 0: none. */
unsigned mp_vfio_irq_count(const struct mp_vfio *vfio, enum mp_vfio_irq irq);
/* Enables COUNT vectors; each gets an eventfd (non-blocking) in FDS, owned by VFIO. One kind
 * at a time: enabling another needs a disable before. */
bool mp_vfio_irq_enable(struct mp_vfio *vfio, enum mp_vfio_irq irq, unsigned count,
	const int **fds, GError **error);
bool mp_vfio_irq_disable(struct mp_vfio *vfio, GError **error);
/* INTx is masked by the kernel each time it fires, until this. */
bool mp_vfio_irq_unmask_intx(struct mp_vfio *vfio, GError **error);
/* Lets the kernel signal vector N as if the device had: a positive control of the path from
 * the kernel to us (VFIO_IRQ_SET_DATA_NONE). */
bool mp_vfio_irq_loopback(struct mp_vfio *vfio, unsigned n, GError **error);

/* --- reset --- */

/*
 * True if VFIO offers a reset of the function: by what its reset_method names, so also by the
 * bus where the function is alone on it (pci_try_reset_function(), which knows a root port's
 * reset as well as a slot's). What is not asked for is VFIO_DEVICE_PCI_HOT_RESET, the reset of a
 * bus with several functions: we have one of them open, and the others may be somebody's. Where
 * all of them are vfio-pci's and nobody has one open, the kernel does just that by itself when
 * this one is closed (vfio_pci_dev_set_try_reset()).
 */
bool mp_vfio_can_reset(const struct mp_vfio *vfio);
bool mp_vfio_reset(struct mp_vfio *vfio, GError **error);

/*
 * What has to be undone if the process is ended by a signal: bus master off, by one pwrite
 * that is safe in a signal handler. Nothing happens where nothing is open. (After SIGKILL the
 * kernel does the same: vfio_pci_core_disable() calls pci_clear_master().)
 */
void mp_vfio_panic(void);
/* Whether that was done to the device that is open: what waits for it has to end. */
bool mp_vfio_panicked(void);
/*
 * For a handler of SIGBUS, which is what an access to a BAR gives whose function went away.
 * If ADDRESS lies in a BAR, that page of it reads as ones from now on, as what is gone does
 * on the bus, and the access can be repeated. False: it lies elsewhere.
 */
bool mp_vfio_gone(void *address);

#endif
