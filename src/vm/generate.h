/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate.h - what a VM needs to get a card, as commands of Proxmox VE, as arguments of QEMU,
 * as XML of libvirt, and the files inside the guest. Pure: from the model of a host, a
 * profile and a configuration; each piece with its reason.
 */
#ifndef MP_VM_GENERATE_H
#define MP_VM_GENERATE_H

#include "core/known-bad.h"
#include "core/plan.h"

struct mp_vm;

enum mp_vm_target { MP_VM_PVE, MP_VM_QEMU, MP_VM_LIBVIRT, MP_VM_TARGETS };

/* What is wanted. All borrowed. */
struct mp_vm_request {
	const struct mp_wish *wish; /* the cards, their profiles, the mapping, the VM */
	const struct mp_plan *plan; /* mp_plan_make_vm() of it: no obstacles */
	enum mp_vm_target to;
	const struct mp_vm *vm;   /* its name, memory and CPUs are taken over, or NULL */
	struct mp_versions guest; /* driver and firmware, where they are known */
	const char *patch; /* a domain of libvirt to be changed, or NULL: a new one */
	const char *patch_name; /* for messages */
	size_t patch_size;
};

/* Some words that belong together, and why. */
struct mp_vm_words {
	char **words; /* NULL-ended */
	char *why;    /* or NULL */
};

/* A file inside the guest. */
struct mp_vm_guest_file {
	char *path, *content, *why;
};

struct mp_vm_output {
	GPtrArray *commands;  /* struct mp_vm_words: of Proxmox VE */
	GPtrArray *arguments; /* struct mp_vm_words: of QEMU */
	char *xml;            /* of libvirt, else NULL */
	GPtrArray *changes;   /* char *: what of the domain was changed; empty: nothing */
	GPtrArray *files;     /* struct mp_vm_guest_file */
	GPtrArray *notes;     /* char *: a sentence each */
};

/* NULL: a domain of libvirt that cannot be read, or not be changed; libxml2 is not there. */
struct mp_vm_output *mp_vm_generate(const struct mp_vm_request *request, GError **error);
void mp_vm_output_free(struct mp_vm_output *output);
typedef struct mp_vm_output mp_vm_output;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_vm_output, mp_vm_output_free)

/* "pve", "qemu", "libvirt": API. */
const char *mp_vm_target_name(enum mp_vm_target target);
/* The arguments as a script that starts QEMU. Caller frees. */
char *mp_vm_script(
	const struct mp_vm_request *request, const struct mp_vm_output *output);

/* --- for the targets --- */

#define MP_VM_MEMORY_MIB 8192 /* of a VM that nobody described */
#define MP_VM_CORES      4

/* What a target wants to know of the guest. */
struct mp_vm_shape {
	const char *name;
	uint64_t memory_mib, cores;
	unsigned
		limit_bits; /* address bits that the CPU may show, because the IOMMU has no
	                        more; 0: no limit needed */
	bool intel_iommu, virtio_iommu;
};

struct mp_vm_shape mp_vm_shape_of(const struct mp_vm_request *request);
/* The guest's firmware has no use of the card's option ROM. */
bool mp_vm_without_rom(const struct mp_pci *device);
/* WHY may be NULL; the words end with a NULL. */
void mp_vm_add_words(GPtrArray *list, const char *why, ...) G_GNUC_NULL_TERMINATED;
void mp_vm_add_note(struct mp_vm_output *output, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
/* Where a card must not see one. */
void mp_vm_note_intel_iommu(
	const struct mp_vm_request *request, struct mp_vm_output *output);
void mp_vm_generate_pve(const struct mp_vm_request *request, struct mp_vm_output *output);
void mp_vm_generate_qemu(
	const struct mp_vm_request *request, struct mp_vm_output *output);
bool mp_vm_generate_libvirt(
	const struct mp_vm_request *request, struct mp_vm_output *output, GError **error);
void mp_vm_generate_guest(
	const struct mp_vm_request *request, struct mp_vm_output *output);

#endif
