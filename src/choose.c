/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "choose.h"
#include "core/pci.h"

void mp_choice_init(struct mp_choice *choice)
{
	choice->wanted = g_ptr_array_new();
	choice->missing = g_ptr_array_new_with_free_func(g_free);
}

void mp_choice_clear(struct mp_choice *choice)
{
	g_clear_pointer(&choice->wanted, g_ptr_array_unref);
	g_clear_pointer(&choice->missing, g_ptr_array_unref);
}

void mp_choice_want(struct mp_choice *choice, struct mp_pci *device)
{
	if (!g_ptr_array_find(choice->wanted, device, NULL))
		g_ptr_array_add(choice->wanted, device);
}

static void G_GNUC_PRINTF(2, 3) miss(struct mp_choice *choice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(choice->missing, g_strdup_vprintf(format, args));
	va_end(args);
}

static bool choose_by_address(
	const struct mp_host *host, char **bdfs, struct mp_choice *choice, GError **error)
{
	for (char **bdf = bdfs; bdf && *bdf; bdf++) {
		struct mp_pci *device = mp_host_device(host, *bdf);
		uint32_t domain;
		uint8_t bus, slot, function;

		if (device) {
			mp_choice_want(choice, device);
			continue;
		}
		if (!mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function)) {
			g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
				"--device %s: not a PCI address ([DDDD:]BB:DD.F)", *bdf);
			return false;
		}
		miss(choice, "%s (--device)", *bdf);
	}
	return true;
}

static bool choose_by_id(const struct mp_host *host, const char *id,
	struct mp_choice *choice, GError **error)
{
	uint16_t vendor, device;
	guint before = choice->wanted->len;

	if (!mp_cmd_parse_id(id, &vendor, &device)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--id %s: not VENDOR:DEVICE in hex", id);
		return false;
	}
	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *candidate = host->devices->pdata[i];

		if (candidate->vendor == vendor && candidate->device == device)
			mp_choice_want(choice, candidate);
	}
	if (choice->wanted->len == before)
		miss(choice, "a device with id %04x:%04x (--id)", vendor, device);
	return true;
}

static void choose_by_profile(const struct mp_host *host,
	const struct mp_profile *profile, struct mp_choice *choice)
{
	for (guint i = 0; i < host->devices->len; i++)
		if (mp_profile_fits(profile, host->devices->pdata[i]))
			mp_choice_want(choice, host->devices->pdata[i]);
	if (!choice->wanted->len)
		miss(choice, "a device that profile %s fits (--profile)", profile->name);
}

static void choose_by_config(const struct mp_host *host, const struct mp_config *config,
	struct mp_choice *choice)
{
	for (guint i = 0; i < config->cards->len; i++) {
		const struct mp_pin *pin = config->cards->pdata[i];
		struct mp_pci *device = mp_host_device(host, pin->address);

		if (device)
			mp_choice_want(choice, device);
		else
			miss(choice, "%s (%s)", pin->address, config->source);
	}
}

/* What a VM is given. What it names and the host lacks is told by vm-hostpci. */
static void choose_by_vm(const struct mp_vm *vm, struct mp_choice *choice)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		for (guint d = 0; d < line->devices->len; d++)
			mp_choice_want(choice, line->devices->pdata[d]);
	}
}

bool mp_choose(const struct mp_choose_options *options, const struct mp_choose_from *from,
	struct mp_choice *choice, GError **error)
{
	const struct mp_host *host = from->host;

	if (options->devices || options->id)
		return choose_by_address(host, options->devices, choice, error) &&
		       (!options->id || choose_by_id(host, options->id, choice, error));
	if (from->profile && mp_profile_is_specific(from->profile))
		choose_by_profile(host, from->profile, choice);
	else if (from->vm)
		choose_by_vm(from->vm, choice);
	if (choice->wanted->len || choice->missing->len)
		return true;
	if (from->config->cards->len)
		choose_by_config(host, from->config, choice);
	else
		return mp_profile_wanted(host, choice->wanted, error);
	return true;
}
