/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of modprobe.d, and the same bytes as udev rules, module lists and digests. */
#include "config.h"

#include <string.h>

#include "core/initramfs-digest.h"
#include "core/kernel-digest.h"
#include "core/modules.h"
#include "core/pci.h"
#include "fuzz.h"

static GHashTable *set(struct mp_host *host)
{
	return mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
}

static void parse_digests(struct mp_host *host, const char *text)
{
	struct mp_kernel kernel = { .release = "1" };
	struct mp_image image = {
		.path = "/x",
		.modules = set(host),
		.modprobe = mp_host_array(host),
		.load = mp_host_array(host),
		.files = mp_host_array(host),
		.scripts = mp_host_array(host),
	};

	mp_kernel_digest_parse(host, text, &kernel);
	mp_module_where(&kernel, "vfio-pci");
	mp_initramfs_digest_parse(host, text, &image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	g_autofree char *text = g_strndup((const char *)data, size);
	GPtrArray *lines = mp_host_array(host);
	GPtrArray *load = mp_host_array(host);
	GPtrArray *rules = mp_host_array(host);
	struct mp_pci device = { .vendor = 0x1f9d, .device = 0x1100 };
	const char *file = NULL;

	mp_modprobe_parse(host, "/fuzz", text, strlen(text), lines);
	mp_modprobe_parse_cmdline(host, "/cmdline", text, lines);
	g_autofree char *ids = mp_modprobe_option(lines, "vfio-pci", "ids", &file);

	mp_vfio_ids_take(ids ? ids : text, &device);
	mp_module_load_parse(host, "/load", text, true, load);
	mp_override_parse_udev(host, "/rules", text, rules);
	for (guint i = 0; i < rules->len; i++)
		g_assert(((const struct mp_override_rule *)rules->pdata[i])->driver);
	parse_digests(host, text);
	return 0;
}

MP_FUZZ_MAIN
