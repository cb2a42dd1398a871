/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOMMU groups: sys/kernel/iommu_groups and the links of the devices to them. */
#include "config.h"

#include <string.h>

#include "core/group.h"

#define PATH_GROUPS "sys/kernel/iommu_groups"

/* A group's directory is its number, spelled as the kernel prints it ("%d", from an ida).
 */
static bool parse_id(const char *name, unsigned *id)
{
	uint64_t number;

	if (!mp_parse_uint(name, 10, &number) || number > G_MAXINT)
		return false;
	if (name[0] == '0' && name[1])
		return false;
	*id = (unsigned)number;
	return true;
}

static struct mp_group *new_group(struct mp_host *host, GHashTable *by_id, unsigned id)
{
	struct mp_group *group = mp_host_alloc(host, sizeof(*group));

	group->id = id;
	group->members = mp_host_array(host);
	group->foreign = mp_host_array(host);
	g_ptr_array_add(host->groups, group);
	g_hash_table_insert(by_id, GUINT_TO_POINTER(id + 1), group);
	return group;
}

static void add_member(struct mp_host *host, struct mp_group *group, const char *name)
{
	struct mp_pci *device = g_hash_table_lookup(host->by_bdf, name);

	if (!device) {
		g_autofree char *clean = mp_clean_text(name, strlen(name));

		g_ptr_array_add(group->foreign, (gpointer)mp_host_str(host, clean));
		return;
	}
	/* The kernel has a device in one group; the first wins in a broken copy. */
	if (device->group)
		return;
	device->group = group;
	g_ptr_array_add(group->members, device);
}

/* Lines "0x00000000fee00000 0x00000000feefffff msi" (iommu_group_show_resv_regions()). */
static void parse_reserved(struct mp_host *host, struct mp_group *group)
{
	g_auto(GStrv) lines = g_strsplit(group->reserved_fact.text, "\n", 0);
	guint count = g_strv_length(lines);
	struct mp_reserved *regions;
	size_t n = 0;

	if (!count)
		return;
	regions = mp_host_alloc(host, count * sizeof(*regions));
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", 4);
		struct mp_reserved *region = &regions[n];

		if (g_strv_length(words) != 3 ||
			!mp_parse_uint(words[0], 16, &region->start) ||
			!mp_parse_uint(words[1], 16, &region->end) ||
			region->end < region->start)
			continue;
		region->type = g_string_chunk_insert_const(host->strings, words[2]);
		n++;
	}
	group->reserved = regions;
	group->reserved_count = n;
	if (n == count || !*group->reserved_fact.text)
		return;
	/* A line that we cannot read could be the one that matters. */
	group->reserved_fact.know = MP_UNKNOWN;
	group->reserved_fact.why = "a line is not 'start end type'";
}

static void probe_group(
	struct mp_host *host, struct mp_root *root, struct mp_group *group)
{
	g_autofree char *path = g_strdup_printf(PATH_GROUPS "/%u", group->id);
	g_autofree char *devices = g_strconcat(path, "/devices", NULL);
	g_autoptr(mp_dir) dir = NULL;
	g_auto(GStrv) names = NULL;

	int err = mp_root_list(root, devices, &names);
	const char *list = mp_host_strf(host, "/%s", devices);

	group->devices_fact =
		err < 0 ? mp_fact_errno(host, list, err) : mp_fact_known(host, list, "");
	for (char **name = names; name && *name; name++)
		add_member(host, group, *name);
	err = mp_root_dir(root, path, &dir);
	if (err < 0) {
		const char *source = mp_host_strf(host, "/%s", path);

		group->type = group->reserved_fact = mp_fact_errno(host, source, err);
		return;
	}
	group->type = mp_fact_read_dir(host, dir, "type");
	group->reserved_fact = mp_fact_read_dir(host, dir, "reserved_regions");
	if (group->reserved_fact.know == MP_KNOWN)
		parse_reserved(host, group);
}

static bool any_link(const struct mp_host *host)
{
	for (guint i = 0; i < host->devices->len; i++)
		if (((struct mp_pci *)host->devices->pdata[i])->group_fact.know ==
			MP_KNOWN)
			return true;
	return false;
}

static int compare_groups(const void *a, const void *b)
{
	const struct mp_group *x = *(struct mp_group *const *)a;
	const struct mp_group *y = *(struct mp_group *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_members(const void *a, const void *b)
{
	return mp_pci_compare(*(struct mp_pci *const *)a, *(struct mp_pci *const *)b);
}

/* What the devices' own links say beyond the groups' lists (which may be missing in a
 * copy). */
static void follow_links(struct mp_host *host, GHashTable *by_id)
{
	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];
		struct mp_group *group;
		unsigned id;

		if (device->group)
			continue;
		if (device->group_fact.know != MP_KNOWN)
			continue;
		if (!parse_id(device->group_fact.text, &id)) {
			device->group_fact.know = MP_UNKNOWN;
			device->group_fact.why = mp_host_strf(
				host, "'%.40s' is not a group", device->group_fact.text);
			continue;
		}
		group = g_hash_table_lookup(by_id, GUINT_TO_POINTER(id + 1));
		if (!group)
			group = new_group(host, by_id, id);
		add_member(host, group, device->bdf);
	}
}

void mp_probe_groups(struct mp_host *host, struct mp_root *root, unsigned topics)
{
	g_autoptr(GHashTable) by_id = g_hash_table_new(NULL, NULL);
	/* The devices' links are enough for a list, and thousands of groups are fast so.
	 */
	bool by_links = !(topics & MP_TOPIC_DETAILS) && any_link(host);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, PATH_GROUPS, &names);

	for (char **name = names; name && *name; name++) {
		unsigned id;

		if (parse_id(*name, &id))
			new_group(host, by_id, id);
	}
	g_ptr_array_sort(host->groups, compare_groups);
	for (guint i = 0; i < host->groups->len && !by_links; i++)
		probe_group(host, root, host->groups->pdata[i]);
	follow_links(host, by_id);
	g_ptr_array_sort(host->groups, compare_groups);
	for (guint i = 0; i < host->groups->len; i++)
		g_ptr_array_sort(((struct mp_group *)host->groups->pdata[i])->members,
			compare_members);
	/* The directory is there, but empty, when no IOMMU is in use. */
	if (err < 0)
		host->groups_fact = mp_fact_errno(host, "/" PATH_GROUPS, err);
	else if (!host->groups->len)
		host->groups_fact = mp_fact_absent(host, "/" PATH_GROUPS);
	else
		host->groups_fact = mp_fact_known(host, "/" PATH_GROUPS,
			mp_host_strf(host, "%u group%s", host->groups->len,
				MP_PLURAL(host->groups->len)));
}
