/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes nothing: proves that every image of every kernel binds the cards to vfio-pci.
 *
 * want {devices [{address, id}]}; before {}: nothing has to be undone, because the images
 * are the outputs of the program step before.
 */
#include "config.h"

#include <string.h>

#include "core/binding.h"
#include "core/error.h"
#include "core/pci.h"
#include "core/step.h"

static bool nothing_to_prepare(struct mp_step *step,
	const struct mp_step_ctx *ctx G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	if (!step->before)
		step->before = json_object_new_object();
	return true;
}

static bool nothing_to_apply(struct mp_step *step G_GNUC_UNUSED,
	const struct mp_step_ctx *ctx G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static bool nothing_to_lose(struct mp_step *step G_GNUC_UNUSED,
	const struct mp_step_ctx *ctx G_GNUC_UNUSED, bool complete G_GNUC_UNUSED,
	char **diff, GError **error G_GNUC_UNUSED)
{
	if (diff)
		*diff = NULL;
	return true;
}

static bool nothing_to_undo(struct mp_step *step G_GNUC_UNUSED,
	const struct mp_step_ctx *ctx G_GNUC_UNUSED, bool complete G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return true;
}

/* --- the proof --- */

static void refuse(GError **error, const struct mp_image *image,
	const struct mp_pci *device, const char *reason)
{
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: cannot count on it for %s: %s",
		image->path, device->bdf, reason);
}

static const char *why_not(const struct mp_image *image, const struct mp_bind *bind)
{
	if (image->early_why)
		return image->early_why;
	switch (bind->outcome) {
	case MP_BIND_HOST:
		return "in it the host's driver gets the device";
	case MP_BIND_RACE:
		return "in it the host's driver may be faster than vfio-pci";
	default:
		return bind->why ? bind->why : "who gets the device in it is not known";
	}
}

/* In the image vfio-pci has the device, or nobody has it and the root gives it to
 * vfio-pci, as where the host's driver is not in the image. */
static bool prove(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, const struct mp_profile *profile, GError **error)
{
	const struct mp_image *image = mp_host_image(host, kernel->release);
	struct mp_bind inside, after;
	bool good;

	if (!image) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"kernel %s: cannot find its initramfs image", kernel->release);
		return false;
	}
	if (image->fact.know != MP_KNOWN) {
		g_autofree char *reason = g_strdup_printf("it could not be read: %s",
			image->fact.know == MP_ABSENT ? "there is no such file"
						      : image->fact.why);

		refuse(error, image, device, reason);
		return false;
	}
	mp_bind_simulate_image(host, kernel, image, device, profile, &inside);
	mp_bind_simulate(host, kernel, device, profile, &after);
	good = inside.outcome == MP_BIND_VFIO ||
	       (inside.outcome == MP_BIND_NOBODY && after.outcome == MP_BIND_VFIO);
	if (!good)
		refuse(error, image, device,
			inside.outcome == MP_BIND_NOBODY
				? "after it the host's driver gets the device"
				: why_not(image, &inside));
	mp_bind_clear(&inside);
	mp_bind_clear(&after);
	return good;
}

static struct mp_pci *find_device(
	const struct mp_host *host, json_object *entry, GError **error)
{
	const char *address = mp_step_text(entry, "address", error);
	const char *id = address ? mp_step_text(entry, "id", error) : NULL;
	struct mp_pci *device;
	char found[10];

	if (!id)
		return NULL;
	device = mp_host_device(host, address);
	if (!device || strcmp(mp_pci_id(device, found), id) != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: cannot find the device %s there", address, id);
		return NULL;
	}
	return device;
}

static bool prove_device(const struct mp_host *host, json_object *entry, GError **error)
{
	const GPtrArray *kernels = host->modules->kernels;
	const struct mp_pci *device = find_device(host, entry, error);
	g_autoptr(mp_profile) profile =
		device ? mp_profile_for_device(device, error) : NULL;

	if (!profile)
		return false;
	for (guint i = 0; i < kernels->len; i++)
		if (!prove(host, kernels->pdata[i], device, profile, error))
			return false;
	return true;
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autoptr(mp_host) host =
		mp_host_load(mp_target_root(ctx->target), MP_TOPIC_ALL, error);
	json_object *devices = NULL;

	if (!host)
		return false;
	if (!json_object_object_get_ex(step->want, "devices", &devices) ||
		!json_object_is_type(devices, json_type_array)) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"step images: cannot read its devices");
		return false;
	}
	if (host->modules->kernels_fact.know != MP_KNOWN ||
		!host->modules->kernels->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"/lib/modules: cannot find a kernel whose image could be read");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(devices); i++)
		if (!prove_device(host, json_object_array_get_idx(devices, i), error))
			return false;
	return true;
}

const struct mp_step_ops mp_step_images = {
	.kind = "images",
	.order = MP_STEP_DERIVED,
	.prepare = nothing_to_prepare,
	.apply = nothing_to_apply,
	.verify = verify,
	.check_undo = nothing_to_lose,
	.undo = nothing_to_undo,
};

struct mp_step *mp_step_images_new(const GPtrArray *devices, const char *why)
{
	json_object *want = json_object_new_object(), *list = json_object_new_array();

	for (guint i = 0; i < devices->len; i++) {
		const struct mp_pci *device = devices->pdata[i];
		json_object *entry = json_object_new_object();
		char id[10];

		json_object_object_add(
			entry, "address", json_object_new_string(device->bdf));
		json_object_object_add(
			entry, "id", json_object_new_string(mp_pci_id(device, id)));
		json_object_array_add(list, entry);
	}
	json_object_object_add(want, "devices", list);
	return mp_step_new(
		&mp_step_images, want, "prove that every image binds the cards", why);
}
