/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list: which PCI devices are there, in which IOMMU group, with which driver? */
#include "config.h"

#include <string.h>

#include "cmd.h"
#include "core/group.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_id, *opt_class, *opt_group,
	*opt_driver;
static char **opt_devices;
static gboolean opt_tree;

static const GOptionEntry options[] = {
	{ "tree", 't', 0, G_OPTION_ARG_NONE, &opt_tree, "show the PCIe tree", NULL },
	{ "device", 'd', 0, G_OPTION_ARG_STRING_ARRAY, &opt_devices,
		"only the device at BDF (may be given more than once)", "BDF" },
	{ "id", 0, 0, G_OPTION_ARG_STRING, &opt_id, "only devices with this id",
		"VENDOR:DEVICE" },
	{ "class", 0, 0, G_OPTION_ARG_STRING, &opt_class,
		"only this class: 2, 4 or 6 hex digits, or a part of its name", "CLASS" },
	{ "group", 'g', 0, G_OPTION_ARG_STRING, &opt_group, "only this IOMMU group",
		"NUMBER" },
	{ "driver", 0, 0, G_OPTION_ARG_STRING, &opt_driver,
		"only devices bound to this driver ('none': to no driver)", "NAME" },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

struct filter {
	GHashTable *devices; /* set of struct mp_pci *; NULL: all */
	const struct mp_group *group;
	bool by_id, by_class;
	uint16_t vendor, device;
	uint32_t class_code;
	unsigned class_shift; /* low bits of class_code that were not given */
	char *class_name;     /* case-folded part of a name, or NULL */
};

static void filter_clear(struct filter *filter)
{
	if (filter->devices)
		g_hash_table_unref(filter->devices);
	g_free(filter->class_name);
}
typedef struct filter filter_t;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(filter_t, filter_clear)

/* "12" base class, "0108" with subclass, "010802" with interface; else part of a name. */
static void set_class(struct filter *filter, const char *text)
{
	size_t length = strlen(text);
	uint64_t number;

	filter->by_class = true;
	if ((length == 2 || length == 4 || length == 6) &&
		mp_parse_uint(text, 16, &number)) {
		filter->class_code = (uint32_t)number;
		filter->class_shift = 24 - 4 * (unsigned)length;
		return;
	}
	filter->class_name = g_utf8_casefold(text, -1);
}

static bool set_devices(struct filter *filter, const struct mp_host *host, GError **error)
{
	uint8_t bus, slot, function;
	uint32_t domain;

	for (char **bdf = opt_devices; bdf && *bdf; bdf++) {
		struct mp_pci *device = mp_host_device(host, *bdf);

		if (!mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function)) {
			g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
				"--device %s: not a PCI address ([DDDD:]BB:DD.F)", *bdf);
			return false;
		}
		if (!device) {
			g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
				"%s: cannot list: there is no such device on %s", *bdf,
				host->origin);
			return false;
		}
		if (!filter->devices)
			filter->devices = g_hash_table_new(NULL, NULL);
		g_hash_table_add(filter->devices, device);
	}
	return true;
}

static bool set_group(struct filter *filter, const struct mp_host *host, GError **error)
{
	uint64_t id;

	if (!opt_group)
		return true;
	if (!mp_parse_uint(opt_group, 10, &id) || id > G_MAXUINT) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--group %s: not the number of a group", opt_group);
		return false;
	}
	filter->group = mp_host_group(host, (unsigned)id);
	if (filter->group)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"IOMMU group %s: cannot list: %s on %s", opt_group,
		host->groups->len ? "there is no such group"
				  : "there are no groups at all",
		host->origin);
	return false;
}

static bool filter_init(struct filter *filter, const struct mp_host *host, GError **error)
{
	filter->by_id = opt_id;
	if (opt_id && !mp_cmd_parse_id(opt_id, &filter->vendor, &filter->device)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--id %s: not VENDOR:DEVICE in hex", opt_id);
		return false;
	}
	if (opt_class)
		set_class(filter, opt_class);
	return set_devices(filter, host, error) && set_group(filter, host, error);
}

static bool class_fits(const struct filter *filter, const struct mp_pci *device)
{
	if (device->class_fact.know != MP_KNOWN)
		return false;
	if (!filter->class_name)
		return device->class_code >> filter->class_shift == filter->class_code;
	if (!device->class_name)
		return false;
	g_autofree char *folded = g_utf8_casefold(device->class_name, -1);
	return strstr(folded, filter->class_name);
}

static bool driver_fits(const struct mp_pci *device)
{
	if (!strcmp(opt_driver, "none"))
		return device->driver.know == MP_ABSENT;
	return mp_fact_is(&device->driver, opt_driver);
}

static bool fits(const struct filter *filter, const struct mp_pci *device)
{
	if (filter->devices && !g_hash_table_contains(filter->devices, device))
		return false;
	if (filter->group && device->group != filter->group)
		return false;
	if (filter->by_id && (device->vendor_fact.know != MP_KNOWN ||
				     device->vendor != filter->vendor ||
				     device->device != filter->device))
		return false;
	if (filter->by_class && !class_fits(filter, device))
		return false;
	return !opt_driver || driver_fits(device);
}

/* Why the list is empty; on standard error, so that a program reads an empty list. */
static void say_empty(const struct mp_host *host)
{
	if (host->devices_fact.know == MP_UNKNOWN)
		fprintf(stderr, "metis-passthrough list: %s: %s\n",
			host->devices_fact.source, host->devices_fact.why);
	else if (!host->devices->len)
		fprintf(stderr, "metis-passthrough list: %s has no PCI devices\n",
			host->origin);
	else
		fprintf(stderr,
			"metis-passthrough list: none of the %u devices of %s fits\n",
			host->devices->len, host->origin);
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	g_auto(filter_t) filter = { NULL };
	g_autoptr(GPtrArray) devices = g_ptr_array_new();
	struct mp_render_style style = { 0 };
	g_autoptr(mp_root) root = NULL;
	g_autoptr(mp_host) host = NULL;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return MP_EXIT_USAGE;
	if (!ops->list) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--format %s: a list has no such form", ops->name);
		return MP_EXIT_USAGE;
	}
	root = mp_root_open(opt_sysroot, error);
	if (!root)
		return MP_EXIT_FAILURE;
	host = mp_host_load(root, MP_TOPIC_PCI | MP_TOPIC_NAMES, error);
	if (!host || !filter_init(&filter, host, error))
		return MP_EXIT_FAILURE;
	for (guint i = 0; i < host->devices->len; i++)
		if (fits(&filter, host->devices->pdata[i]))
			g_ptr_array_add(devices, host->devices->pdata[i]);
	if (!devices->len)
		say_empty(host);
	const struct mp_list_report report = {
		.host = host,
		.devices = devices,
		.view = opt_tree ? MP_LIST_TREE : MP_LIST_GROUPS,
	};
	ops->list(&report, &style, stdout);
	return MP_EXIT_OK;
}

const struct mp_cmd mp_cmd_list = {
	.name = "list",
	.summary = "show PCI devices by IOMMU group, or as a tree",
	.args = "",
	.options = options,
	.description =
		"Filters add up: a device is listed when it passes all of them. --device and "
		"--group name a thing and fail (exit 3) when it does not exist; the others "
		"select by a property, and when nothing has it the list is empty (exit 0) and a "
		"line on standard error says so. The tree shows the bridges above the listed "
		"devices too. '-' stands for none, '?' for what could not be read.",
	.run = run,
};
