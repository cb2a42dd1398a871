/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/iommu.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/vm.h"
#include "vm/generate.h"

static void words_free(void *data)
{
	struct mp_vm_words *words = data;

	g_strfreev(words->words);
	g_free(words->why);
	g_free(words);
}

static void file_free(void *data)
{
	struct mp_vm_guest_file *file = data;

	g_free(file->path);
	g_free(file->content);
	g_free(file->why);
	g_free(file);
}

void mp_vm_output_free(struct mp_vm_output *output)
{
	if (!output)
		return;
	g_ptr_array_unref(output->commands);
	g_ptr_array_unref(output->arguments);
	g_ptr_array_unref(output->changes);
	g_ptr_array_unref(output->files);
	g_ptr_array_unref(output->notes);
	g_free(output->xml);
	g_free(output);
}

const char *mp_vm_target_name(enum mp_vm_target target)
{
	static const char *const names[] = {
		[MP_VM_PVE] = "pve",
		[MP_VM_QEMU] = "qemu",
		[MP_VM_LIBVIRT] = "libvirt",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == MP_VM_TARGETS);

	return names[target];
}

/* --- for the targets --- */

void mp_vm_add_words(GPtrArray *list, const char *why, ...)
{
	struct mp_vm_words *entry = g_new(struct mp_vm_words, 1);
	GPtrArray *words = g_ptr_array_new();
	const char *word;
	va_list args;

	va_start(args, why);
	while ((word = va_arg(args, const char *)))
		g_ptr_array_add(words, g_strdup(word));
	va_end(args);
	g_ptr_array_add(words, NULL);
	*entry = (struct mp_vm_words){
		.words = (char **)g_ptr_array_free(words, FALSE),
		.why = g_strdup(why),
	};
	g_ptr_array_add(list, entry);
}

void mp_vm_add_note(struct mp_vm_output *output, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(output->notes, g_strdup_vprintf(format, args));
	va_end(args);
}

bool mp_vm_without_rom(const struct mp_pci *device)
{
	unsigned base = device->class_code >> 16;

	/* Storage, network and display may have something to boot from. */
	return base != 0x01 && base != 0x02 && base != 0x03 && base != 0xff;
}

/* The least of what the IOMMUs in front of the cards translate, where it is less than what
 * the host's CPU, and so the guest's, says that it can address. */
static unsigned limit_of(const struct mp_wish *wish)
{
	uint64_t cpu = 0;
	unsigned least = 0;

	if (wish->host->platform)
		mp_fact_uint(&wish->host->platform->phys_bits, 10, &cpu);
	for (guint i = 0; i < wish->devices->len; i++) {
		const struct mp_fact *fact = NULL;
		unsigned bits =
			mp_iommu_address_bits(wish->host, wish->devices->pdata[i], &fact);

		if (bits && (!least || bits < least))
			least = bits;
	}
	return cpu > least ? least : 0;
}

static uint64_t number_of(const struct mp_vm *vm, const char *key, uint64_t fallback)
{
	const char *text = vm ? mp_vm_get(vm, key) : NULL;
	uint64_t number;

	return text && mp_parse_uint(text, 10, &number) && number ? number : fallback;
}

struct mp_vm_shape mp_vm_shape_of(const struct mp_vm_request *request)
{
	const struct mp_vm *vm = request->vm;
	const char *name = vm ? mp_vm_get(vm, "name") : NULL;
	const char *viommu = request->wish->config->viommu;

	if (!viommu && vm)
		viommu = vm->viommu;
	return (struct mp_vm_shape){
		.name = name ? name : "passthrough",
		.memory_mib = vm ? vm->memory_mib : MP_VM_MEMORY_MIB,
		.cores = vm ? number_of(vm, "cores", 1) * number_of(vm, "sockets", 1)
			    : MP_VM_CORES,
		.limit_bits = limit_of(request->wish),
		.intel_iommu = !g_strcmp0(viommu, "intel"),
		.virtio_iommu = !g_strcmp0(viommu, "virtio"),
	};
}

void mp_vm_note_intel_iommu(
	const struct mp_vm_request *request, struct mp_vm_output *output)
{
	for (guint i = 0; i < request->wish->profiles->len; i++) {
		const struct mp_profile *profile = request->wish->profiles->pdata[i];

		if (profile->irq_delivery != MP_IRQ_DEVICE_PROGRAMMED)
			continue;
		mp_vm_add_note(output,
			"the VM has a virtual Intel IOMMU, and a card of profile %s must not see "
			"one: its driver writes handles of the guest's table into the card, "
			"and the host refuses them (fault reason 0x22); see 'metis-passthrough "
			"explain vm-viommu'",
			profile->name);
		return;
	}
}

struct mp_vm_output *mp_vm_generate(const struct mp_vm_request *request, GError **error)
{
	g_autoptr(mp_vm_output) output = g_new0(struct mp_vm_output, 1);

	output->commands = g_ptr_array_new_with_free_func(words_free);
	output->arguments = g_ptr_array_new_with_free_func(words_free);
	output->changes = g_ptr_array_new_with_free_func(g_free);
	output->files = g_ptr_array_new_with_free_func(file_free);
	output->notes = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < request->plan->notes->len; i++) {
		const struct mp_plan_remark *remark = request->plan->notes->pdata[i];

		mp_vm_add_note(output, "%s: %s", remark->subject, remark->text);
	}
	if (request->to != MP_VM_LIBVIRT && mp_vm_shape_of(request).intel_iommu)
		mp_vm_note_intel_iommu(request, output);
	mp_vm_generate_guest(request, output);
	if (request->to == MP_VM_PVE)
		mp_vm_generate_pve(request, output);
	else if (request->to == MP_VM_QEMU)
		mp_vm_generate_qemu(request, output);
	else if (!mp_vm_generate_libvirt(request, output, error))
		return NULL;
	return g_steal_pointer(&output);
}
