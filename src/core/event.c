/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/event.h"

static const struct {
	const char *name;
	bool trouble;
} kinds[MP_EVENTS] = {
	[MP_EVENT_DMA] = { "dma-fault", true },
	[MP_EVENT_INTERRUPT] = { "interrupt-fault", true },
	[MP_EVENT_IOMMU] = { "iommu-event", true },
	[MP_EVENT_LOST] = { "events-lost", true },
	[MP_EVENT_SUPPRESSED] = { "suppressed", true },
	[MP_EVENT_STATUS] = { "fault-status", false },
	[MP_EVENT_WALK] = { "page-walk", false },
	[MP_EVENT_NO_REMAPPING] = { "no-interrupt-remapping", true },
	[MP_EVENT_UNSAFE] = { "unsafe-interrupts", false },
	[MP_EVENT_RMRR] = { "rmrr-refused", true },
	[MP_EVENT_DIRECT] = { "direct-mapping-refused", true },
	[MP_EVENT_BAR] = { "bar-reserved", true },
	[MP_EVENT_RESET_WAIT] = { "reset-slow", false },
	[MP_EVENT_RESET_FAILED] = { "reset-failed", true },
	[MP_EVENT_RESET_READY] = { "reset-ready", false },
	[MP_EVENT_PENDING] = { "transaction-pending", true },
	[MP_EVENT_D3COLD] = { "d3cold", true },
	[MP_EVENT_RESETTING] = { "resetting", false },
	[MP_EVENT_RESET_DONE] = { "reset-done", false },
	[MP_EVENT_RESTORING] = { "bars-restored", false },
	[MP_EVENT_RELEASE] = { "release-wanted", true },
	[MP_EVENT_MEMLOCK] = { "memlock-exceeded", true },
	[MP_EVENT_BYPASS] = { "no-posted-interrupt", false },
	[MP_EVENT_PROBE] = { "vfio-probe-failed", true },
	[MP_EVENT_NOT_VIABLE] = { "group-not-viable", true },
	[MP_EVENT_ATTACH] = { "vfio-attach-failed", true },
	[MP_EVENT_MAP] = { "vfio-map-failed", true },
	[MP_EVENT_AER] = { "aer", true },
	[MP_EVENT_AER_BIT] = { "aer-bit", false },
	[MP_EVENT_DRIVER] = { "driver-loaded", false },
	[MP_EVENT_MSI_GRANTED] = { "msi-granted", false },
	[MP_EVENT_WINDOW_SET] = { "card-window-set-up", false },
	[MP_EVENT_WINDOW_MISSING] = { "card-window-missing", false },
	[MP_EVENT_HEADER] = { "card-header-invalid", true },
	[MP_EVENT_WINDOW] = { "card-window", false },
	[MP_EVENT_MESSAGE] = { "card-msi-message", false },
	[MP_EVENT_CARD_TIMEOUT] = { "card-dma-timeout", true },
	[MP_EVENT_CARD_ERROR] = { "card-dma-error", true },
	[MP_EVENT_CARD_MESSAGE] = { "card-message-timeout", true },
	[MP_EVENT_WRONG_VECTOR] = { "card-wrong-vector", false },
	[MP_EVENT_LINK_DOWN] = { "card-link-down", true },
	[MP_EVENT_LINK_UP] = { "card-link-up", false },
	[MP_EVENT_IN_VM] = { "card-in-vm", false },
	[MP_EVENT_AER_MASKED] = { "card-aer-masked", false },
	[MP_EVENT_USER] = { "program-timeout", true },
	[MP_EVENT_CMDLINE] = { "kernel-command-line", false },
	[MP_EVENT_TRIED] = { "tried", false },
};

static const char *const tries[] = {
	[MP_TRIED_UNSAFE] = "allow_unsafe_interrupts",
	[MP_TRIED_PREALLOC] = "mem-prealloc",
	[MP_TRIED_HUGEPAGES] = "hugepages",
	[MP_TRIED_IRQCHIP] = "kernel-irqchip=split",
	[MP_TRIED_UNLOAD] = "unloading the host's module",
	[MP_TRIED_MEM] = "mem=",
	[MP_TRIED_ACS] = "pcie_acs_override",
};
G_STATIC_ASSERT(G_N_ELEMENTS(tries) == MP_TRIES);

const char *mp_event_name(enum mp_event_kind kind)
{
	return kinds[kind].name;
}

const char *mp_tried_name(enum mp_tried tried)
{
	return tries[tried];
}

bool mp_event_is_fault(enum mp_event_kind kind)
{
	return kind == MP_EVENT_DMA || kind == MP_EVENT_INTERRUPT;
}

bool mp_event_is_trouble(enum mp_event_kind kind)
{
	return kinds[kind].trouble;
}
