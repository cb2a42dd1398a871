/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm-common.h - what the checks of a VM share. */
#ifndef MP_CHECKS_VM_COMMON_H
#define MP_CHECKS_VM_COMMON_H

#include "core/check.h"
#include "core/vm.h"

/* The rows themselves are in three files; checks/vm.c puts them in one table. */
void mp_check_vm_config_valid(struct mp_check_ctx *ctx);
void mp_check_vm_hookscript(struct mp_check_ctx *ctx);
void mp_check_vm_agent(struct mp_check_ctx *ctx);
void mp_check_vm_guest_selftest(struct mp_check_ctx *ctx);
void mp_check_vm_args(struct mp_check_ctx *ctx);
void mp_check_vm_hostpci(struct mp_check_ctx *ctx);
void mp_check_vm_device_conflict(struct mp_check_ctx *ctx);
void mp_check_vm_mapping(struct mp_check_ctx *ctx);
void mp_check_vm_machine(struct mp_check_ctx *ctx);
void mp_check_vm_memory(struct mp_check_ctx *ctx);
void mp_check_vm_viommu(struct mp_check_ctx *ctx);
void mp_check_vm_cpu_address_width(struct mp_check_ctx *ctx);

/* How to give KEY the VALUE: "qm set 101 --machine q35" for a VM of this host, else "write
 * the line `machine: q35` into FILE". Caller frees. */
char *mp_vm_how_to_set(
	const struct mp_check_ctx *ctx, const char *key, const char *value);
char *mp_vm_how_to_delete(const struct mp_check_ctx *ctx, const char *key);

/* The words of `args`, split as a shell would; NULL: none, or *problem says why not. */
char **mp_vm_args(const struct mp_vm *vm, char **problem);
/* The value of the first `-device NAME,...` in WORDS, or NULL. */
const char *mp_vm_args_device(char **words, const char *name);
/* The value of PROPERTY in "name,a=b,c=d"; NULL: not there. Caller frees. */
char *mp_vm_args_property(const char *device, const char *property);

/* True if the guest sees an IOMMU that remaps interrupts: viommu=intel, or intel-iommu in
 * `args` without intremap=off. */
bool mp_vm_remaps_interrupts(const struct mp_vm *vm);

/* Says that VM gets no device, or that none is known because the host's could not be read. */
void mp_vm_say_no_device(struct mp_check_ctx *ctx);

/* The devices that all hostpci lines stand for, each once; free with g_ptr_array_unref(). */
GPtrArray *mp_vm_devices(const struct mp_vm *vm);

/*
 * Collects what one check has to say: the worst of several points makes the verdict, the
 * others become evidence.
 */
struct mp_points {
	GPtrArray *texts; /* struct mp_point * */
};

void mp_points_init(struct mp_points *points);
/* FORMAT is a sentence, HOW (taken over, may be NULL) its remedy. */
void mp_points_add(struct mp_points *points, enum mp_severity severity, char *how,
	const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Says the worst point; ELSE_SEVERITY with ELSE_TEXT where there is none. Clears. */
struct mp_finding *mp_points_say(struct mp_points *points, struct mp_check_ctx *ctx,
	enum mp_severity else_severity, const char *else_text);

#endif
