/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM for a VM whose memory is pinned. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/memory.h"
#include "core/vm.h"

#define MIB     (1024.0 * 1024)
#define GIB     (1024 * MIB)
#define RESERVE ((uint64_t)1 << 30) /* what the host should keep beside the VM */

static bool is_running(const struct mp_vm *vm)
{
	return vm->running_fact.know == MP_KNOWN && vm->running;
}

/* --- memory-headroom --- */

/* Free huge pages are of no use to a VM that doesn't ask for them. */
static uint64_t idle_huge_bytes(const struct mp_memory *memory)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < memory->hugepools->len; i++) {
		const struct mp_hugepool *pool = memory->hugepools->pdata[i];

		if (pool->node < 0)
			bytes += pool->free * pool->page_size;
	}
	return bytes;
}

static void headroom_of_vm(struct mp_check_ctx *ctx)
{
	const struct mp_memory *memory = ctx->host->memory;
	const struct mp_vm *vm = ctx->vm;
	uint64_t need = vm->memory_mib << 20;
	struct mp_finding *f;

	if (is_running(vm)) {
		f = mp_check_say(
			ctx, MP_PASS, "VM %s runs: its memory is already there", vm->id);
	} else if (need > memory->total) {
		f = mp_check_say(ctx, MP_FAIL,
			"VM %s wants %.1f GiB, more than this host's %.1f GiB, and VFIO pins all of "
			"it: the VM cannot start",
			vm->id, need / GIB, memory->total / GIB);
		mp_finding_remedy(f,
			"give the VM less: qm set %s --memory %" G_GUINT64_FORMAT, vm->id,
			(uint64_t)((memory->total - MIN(memory->total, RESERVE)) / MIB *
				   3 / 4));
	} else if (need + RESERVE > memory->available) {
		f = mp_check_say(ctx, MP_WARN,
			"VM %s wants %.1f GiB, and VFIO pins all of it at start, but only %.1f GiB "
			"are available: the start may fail or the host may run out of memory",
			vm->id, need / GIB, memory->available / GIB);
		mp_finding_remedy(f,
			"stop other VMs, or give this one less (qm set %s --memory MIB); on ZFS "
			"also limit the ARC (options zfs zfs_arc_max=BYTES in /etc/modprobe.d, "
			"update-initramfs -u -k all)",
			vm->id);
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"The %.1f GiB of VM %s, all pinned by VFIO, fit into the available memory",
			need / GIB, vm->id);
	}
	mp_finding_fact(f, &memory->meminfo);
	mp_finding_evidence(
		f, vm->source, "memory: %" G_GUINT64_FORMAT " MiB", vm->memory_mib);
}

static void memory_headroom(struct mp_check_ctx *ctx)
{
	const struct mp_memory *memory = ctx->host->memory;
	uint64_t idle = idle_huge_bytes(memory);
	struct mp_finding *f;

	if (memory->meminfo.know != MP_KNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"How much memory this host has could not be read");
		mp_finding_fact(f, &memory->meminfo);
		mp_finding_remedy(
			f, "see /proc/meminfo, lines MemTotal and MemAvailable");
		return;
	}
	if (ctx->vm && ctx->vm->memory_mib && !ctx->vm->hugepages) {
		headroom_of_vm(ctx);
		return;
	}
	if (idle > memory->total / 2) {
		f = mp_check_say(ctx, MP_WARN,
			"More than half of this host's memory is reserved as huge pages that nobody "
			"uses, and VMs without hugepages= cannot have it");
		mp_finding_remedy(f,
			"reserve fewer (sysctl vm.nr_hugepages, hugepages= on the "
			"kernel command line), or set hugepages= in the VMs");
	} else if (memory->available < RESERVE) {
		f = mp_check_say(ctx, MP_WARN,
			"Less than 1 GiB of memory is available, too little to pin any VM's memory");
		mp_finding_remedy(f, "stop other VMs or add memory");
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"Memory is available; a VM with the card pins all of its own at start "
			"(--vm compares)");
	}
	mp_finding_fact(f, &memory->meminfo);
	if (idle)
		mp_finding_evidence(f, memory->hugepools_fact.source,
			"%.1f GiB in free huge pages", idle / GIB);
}

/* --- hugepages --- */

static const struct mp_hugepool *pool_of(
	const struct mp_memory *memory, uint64_t page_size)
{
	for (guint i = 0; i < memory->hugepools->len; i++) {
		const struct mp_hugepool *pool = memory->hugepools->pdata[i];

		if (pool->node < 0 && pool->page_size == page_size)
			return pool;
	}
	return NULL;
}

/* "any" takes 1 GiB pages where the memory is a multiple of them, as PVE does. */
static uint64_t wanted_page(const struct mp_vm *vm, const struct mp_memory *memory)
{
	if (!strcmp(vm->hugepages, "1024"))
		return 1024 << 20;
	if (!strcmp(vm->hugepages, "any") && vm->memory_mib % 1024 == 0 &&
		pool_of(memory, 1024 << 20))
		return 1024 << 20;
	return 2 << 20;
}

static void huge_vm(struct mp_check_ctx *ctx)
{
	const struct mp_memory *memory = ctx->host->memory;
	const struct mp_vm *vm = ctx->vm;
	uint64_t page = wanted_page(vm, memory);
	const struct mp_hugepool *pool = pool_of(memory, page);
	uint64_t need = (vm->memory_mib << 20) / page;
	unsigned mib = (unsigned)(page >> 20);
	struct mp_finding *f;

	if (!pool) {
		f = mp_check_say(ctx, MP_FAIL,
			"VM %s wants huge pages of %u MiB, which this host's processor or kernel "
			"does not have",
			vm->id, mib);
		mp_finding_remedy(f, "qm set %s --hugepages 2", vm->id);
	} else if (is_running(vm) || pool->free >= need) {
		f = mp_check_say(ctx, MP_PASS, "There are huge pages of %u MiB for VM %s",
			mib, vm->id);
	} else {
		g_autofree char *parameter = g_strdup_printf(
			"hugepagesz=%uM hugepages=%" G_GUINT64_FORMAT, mib, need);
		g_autofree char *how = mp_loader_how_to_add(ctx->host, parameter);

		f = mp_check_say(ctx, MP_WARN,
			"VM %s wants %" G_GUINT64_FORMAT
			" huge pages of %u MiB and %" G_GUINT64_FORMAT
			" are free: Proxmox tries to make the rest at start, which fails when memory "
			"is fragmented",
			vm->id, need, mib, pool->free);
		mp_finding_remedy(f, "reserve them at boot: %s", how);
	}
	mp_finding_evidence(f, vm->source, "hugepages: %s", vm->hugepages);
	mp_finding_fact(f, &memory->hugepools_fact);
	if (pool)
		mp_finding_evidence(f, memory->hugepools_fact.source,
			"%u MiB: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " free",
			mib, pool->free, pool->total);
}

static void hugepages(struct mp_check_ctx *ctx)
{
	const struct mp_memory *memory = ctx->host->memory;
	struct mp_finding *f;

	if (ctx->vm && !ctx->vm->hugepages) {
		f = mp_check_say(ctx, MP_SKIP, "VM %s uses no huge pages", ctx->vm->id);
	} else if (!ctx->vm) {
		f = mp_check_say(ctx, MP_SKIP,
			"No VM was named; huge pages matter only to VMs that ask for them");
	} else if (memory->hugepools_fact.know != MP_KNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "This host's huge pages could not be read");
		mp_finding_remedy(f, "see /sys/kernel/mm/hugepages");
	} else {
		huge_vm(ctx);
		return;
	}
	mp_finding_fact(f, &memory->hugepools_fact);
}

/* --- memlock --- */

static void memlock(struct mp_check_ctx *ctx)
{
	const struct mp_host *host = ctx->host;
	const struct mp_fact *limit = &host->memory->memlock;
	uint64_t need = ctx->vm ? (ctx->vm->memory_mib << 20) + RESERVE : 0;
	bool pve = host->guests && host->guests->pve.know == MP_KNOWN;
	struct mp_finding *f;
	uint64_t bytes = 0;

	if (pve) {
		f = mp_check_say(ctx, MP_PASS,
			"Proxmox starts QEMU as root, for which the limit of locked memory does not "
			"count");
		mp_finding_fact(f, &host->guests->pve);
		mp_finding_fact(f, limit);
		return;
	}
	if (limit->know != MP_KNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "The limit of locked memory could not be read");
		mp_finding_remedy(f, "run 'ulimit -l' as the user that starts QEMU");
	} else if (mp_fact_is(limit, "unlimited")) {
		f = mp_check_say(ctx, MP_PASS, "Locked memory is not limited");
	} else if (!mp_fact_uint(limit, 10, &bytes)) {
		f = mp_check_say(
			ctx, MP_UNSURE, "The limit of locked memory makes no sense");
		mp_finding_remedy(f, "run 'ulimit -l' as the user that starts QEMU");
	} else if (need && bytes >= need) {
		f = mp_check_say(ctx, MP_PASS,
			"The limit of locked memory is above VM %s's memory",
			ctx->vm->id);
	} else if (need) {
		f = mp_check_say(ctx, MP_WARN,
			"Only %.1f MiB may be locked, less than VM %s's memory, which VFIO pins: QEMU "
			"started by hand without CAP_IPC_LOCK fails",
			bytes / MIB, ctx->vm->id);
		mp_finding_remedy(f,
			"start QEMU as root or by libvirt (which raises the limit), or set "
			"LimitMEMLOCK= in its unit or 'memlock' in /etc/security/limits.conf to %" G_GUINT64_FORMAT
			" KiB",
			need >> 10);
	} else {
		f = mp_check_say(ctx, MP_INFO,
			"Locked memory is limited here; that matters only to a QEMU that is started "
			"by hand without CAP_IPC_LOCK");
	}
	mp_finding_fact(f, limit);
}

const struct mp_check mp_checks_memory[] = {
	{ "memory-headroom", MP_SCOPE_HOST,
		"there is enough memory for a VM that pins it",
		"A device may write to any of its VM's memory at any time, so VFIO pins all of it "
		"when the VM starts (drivers/vfio/vfio_iommu_type1.c): nothing is shared, swapped or "
		"ballooned away, and overcommitment ends.\n\n"
		"With --vm the VM's `memory` plus 1 GiB for the host is compared with MemAvailable of "
		"/proc/meminfo; more than MemTotal can never start. A VM that runs has its memory "
		"already. Huge pages that are reserved but free count as lost for VMs without "
		"hugepages=.\n\n"
		"What to do: stop other VMs, give this one less, limit the ZFS ARC.",
		memory_headroom },
	{ "hugepages", MP_SCOPE_HOST, "the huge pages that the VM wants are there",
		"A VM with `hugepages: 2`, `1024` or `any` gets its memory from reserved huge pages. "
		"Passthrough does not need them, but large ones make pinning and the IOMMU's page "
		"tables much smaller.\n\n"
		"The number of free pages of the wanted size (/sys/kernel/mm/hugepages) is compared "
		"with the VM's memory. Proxmox tries to make missing ones when the VM starts, which "
		"mostly fails for 1 GiB pages once the host has run for a while.\n\n"
		"What to do: reserve them at boot with hugepagesz= and hugepages= on the kernel's "
		"command line, or use 2 MiB pages.",
		hugepages },
	{ "memlock", MP_SCOPE_HOST, "pinning the VM's memory is not stopped by a limit",
		"Pinned memory counts against RLIMIT_MEMLOCK of the QEMU process unless that has "
		"CAP_IPC_LOCK (mm/util.c, account_locked_vm). Beyond it QEMU ends with 'VFIO_MAP_DMA "
		"failed: Cannot allocate memory' and the kernel logs 'RLIMIT_MEMLOCK exceeded'.\n\n"
		"Proxmox runs QEMU as root, libvirt raises the limit by itself. For a QEMU started by "
		"hand the soft limit of /proc/self/limits is compared with the VM's memory plus 1 GiB "
		"for the device's own regions.\n\n"
		"What to do: raise `memlock` in /etc/security/limits.conf or LimitMEMLOCK= of the "
		"unit.",
		memlock },
	{ NULL },
};
