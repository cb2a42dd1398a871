/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `list` for people: a table by IOMMU group, or the PCIe tree. */
#include "config.h"

#include <libsmartcols.h>
#include <string.h>

#include "core/group.h"
#include "render/text.h"

enum column {
	COL_GROUP,
	COL_ADDRESS,
	COL_ID,
	COL_CLASS,
	COL_NAME,
	COL_DRIVER,
	COL_RESET,
	COLS
};

static const struct {
	const char *header;
	double width; /* hint of libsmartcols: below 1 a share, else columns */
	int flags;
	bool wide; /* only where there is room */
} infos[] = {
	[COL_GROUP] = { "GROUP", 5, SCOLS_FL_RIGHT, false },
	[COL_ADDRESS] = { "ADDRESS", 12, 0, false },
	[COL_ID] = { "ID", 9, 0, false },
	[COL_CLASS] = { "CLASS", 0.2, SCOLS_FL_TRUNC, true },
	[COL_NAME] = { "NAME", 0.4, SCOLS_FL_TRUNC, false },
	[COL_DRIVER] = { "DRIVER", 0.1, 0, false },
	[COL_RESET] = { "RESET", 0.1, SCOLS_FL_TRUNC, true },
};
G_STATIC_ASSERT(G_N_ELEMENTS(infos) == COLS);

/* In the tree the address comes first, since the branches hang on it. */
static const enum column order_groups[] = { COL_GROUP, COL_ADDRESS, COL_ID, COL_CLASS,
	COL_NAME, COL_DRIVER, COL_RESET };
static const enum column order_tree[] = { COL_ADDRESS, COL_GROUP, COL_ID, COL_CLASS,
	COL_NAME, COL_DRIVER, COL_RESET };

#define WIDE_COLUMNS 120

struct listing {
	const struct mp_list_report *report;
	const struct mp_render_style *style;
	struct libscols_table *table;
	struct libscols_column *columns[COLS]; /* NULL: not shown */
};

static bool listing_init(struct listing *l, FILE *out)
{
	bool tree = l->report->view == MP_LIST_TREE;
	bool wide = !l->style->width || l->style->width >= WIDE_COLUMNS;

	l->table = scols_new_table();
	if (!l->table)
		return false;
	scols_table_set_stream(l->table, out);
	scols_table_enable_ascii(l->table, !l->style->unicode);
	scols_table_enable_colors(l->table, l->style->color);
	scols_table_set_termforce(l->table,
		l->style->width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	scols_table_set_termwidth(l->table, l->style->width);
	for (size_t i = 0; i < COLS; i++) {
		enum column c = tree ? order_tree[i] : order_groups[i];
		int flags =
			infos[c].flags | (tree && c == COL_ADDRESS ? SCOLS_FL_TREE : 0);

		if (infos[c].wide && !wide)
			continue;
		l->columns[c] = scols_table_new_column(
			l->table, infos[c].header, infos[c].width, flags);
		if (!l->columns[c])
			return false;
	}
	return true;
}

static void set(
	struct listing *l, struct libscols_line *line, enum column c, const char *text)
{
	if (l->columns[c])
		scols_line_set_column_data(line, l->columns[c], text);
}

/* "-" for what is not there, "?" for what could not be read. */
static const char *fact_text(const struct mp_fact *fact)
{
	if (fact->know == MP_KNOWN)
		return *fact->text ? fact->text : "-";
	return fact->know == MP_ABSENT ? "-" : "?";
}

/* In a narrow table the maker gives way to the device; the id tells it as well. */
static char *name_of(const struct listing *l, const struct mp_pci *device)
{
	if (device->device_name && !l->columns[COL_CLASS])
		return g_strdup(device->device_name);
	if (!device->vendor_name)
		return g_strdup(device->class_name ? device->class_name : "");
	if (device->device_name)
		return g_strconcat(device->vendor_name, " ", device->device_name, NULL);
	return g_strconcat(device->vendor_name, " ",
		device->class_name ? device->class_name : "", NULL);
}

static struct libscols_line *add_device(
	struct listing *l, const struct mp_pci *device, struct libscols_line *parent)
{
	struct libscols_line *line = scols_table_new_line(l->table, parent);
	g_autofree char *name = name_of(l, device);
	char text[16];

	if (!line)
		return NULL;
	set(l, line, COL_ADDRESS, device->bdf);
	if (device->group)
		g_snprintf(text, sizeof(text), "%u", device->group->id);
	else
		g_strlcpy(text, device->group_fact.know == MP_UNKNOWN ? "?" : "-",
			sizeof(text));
	set(l, line, COL_GROUP, text);
	set(l, line, COL_ID,
		device->vendor_fact.know == MP_KNOWN ? mp_pci_id(device, text) : "?");
	if (device->class_name) {
		set(l, line, COL_CLASS, device->class_name);
	} else {
		g_snprintf(text, sizeof(text), "[%04x]", device->class_code >> 8);
		set(l, line, COL_CLASS, device->class_fact.know == MP_KNOWN ? text : "?");
	}
	set(l, line, COL_NAME, name);
	set(l, line, COL_DRIVER, fact_text(&device->driver));
	set(l, line, COL_RESET, fact_text(&device->reset_method));
	if (device->driver.know == MP_KNOWN && mp_driver_is_vfio(device->driver.text))
		scols_line_set_color(line, "green");
	else if (mp_pci_is_bridge(device))
		scols_line_set_color(line, "darkgray");
	return line;
}

/* --- by group --- */

static void add_foreign(struct listing *l, const struct mp_group *group, const char *name)
{
	struct libscols_line *line = scols_table_new_line(l->table, NULL);
	char text[16];

	if (!line)
		return;
	g_snprintf(text, sizeof(text), "%u", group->id);
	set(l, line, COL_GROUP, text);
	set(l, line, COL_ADDRESS, name);
	set(l, line, COL_ID, "-");
	set(l, line, COL_NAME, "(not a PCI device)");
}

static int compare_rows(const void *a, const void *b)
{
	const struct mp_pci *x = *(struct mp_pci *const *)a,
			    *y = *(struct mp_pci *const *)b;

	/* Devices in no group come last. */
	if (x->group != y->group) {
		if (!x->group || !y->group)
			return x->group ? -1 : 1;
		return x->group->id < y->group->id ? -1 : 1;
	}
	return mp_pci_compare(x, y);
}

static void fill_groups(struct listing *l)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	const struct mp_group *last = NULL;

	g_ptr_array_extend(rows, l->report->devices, NULL, NULL);
	g_ptr_array_sort(rows, compare_rows);
	for (guint i = 0; i < rows->len; i++) {
		const struct mp_pci *device = rows->pdata[i];
		const struct mp_group *group = device->group;

		add_device(l, device, NULL);
		last = i + 1 < rows->len ? ((struct mp_pci *)rows->pdata[i + 1])->group
					 : NULL;
		if (!group || group == last)
			continue;
		for (guint f = 0; f < group->foreign->len; f++)
			add_foreign(l, group, group->foreign->pdata[f]);
	}
}

/* --- tree --- */

static struct libscols_line *root_bus_line(
	struct listing *l, GHashTable *buses, const struct mp_pci *device)
{
	gpointer key = GSIZE_TO_POINTER(((gsize)device->domain << 8 | device->bus) + 1);
	struct libscols_line *line = g_hash_table_lookup(buses, key);
	g_autofree char *name = NULL;

	if (line)
		return line;
	name = g_strdup_printf("%04x:%02x", device->domain, device->bus);
	line = scols_table_new_line(l->table, NULL);
	if (line)
		set(l, line, COL_ADDRESS, name);
	g_hash_table_insert(buses, key, line);
	return line;
}

/* Adds DEVICE below its bridges, which come along even where the filters left them out.
 */
static struct libscols_line *add_branch(struct listing *l, GHashTable *buses,
	GHashTable *lines, const struct mp_pci *device)
{
	struct libscols_line *line = g_hash_table_lookup(lines, device);
	g_autoptr(GPtrArray) path = g_ptr_array_new();

	if (line)
		return line;
	/* Up to what is there already, then down again: no recursion on a hostile depth.
	 */
	for (; device && !line; device = device->parent) {
		line = g_hash_table_lookup(lines, device);
		if (!line)
			g_ptr_array_add(path, (gpointer)device);
	}
	if (!line)
		line = root_bus_line(l, buses, path->pdata[path->len - 1]);
	for (guint i = path->len; i-- > 0;) {
		line = add_device(l, path->pdata[i], line);
		g_hash_table_insert(lines, path->pdata[i], line);
	}
	return line;
}

static void fill_tree(struct listing *l)
{
	g_autoptr(GHashTable) buses = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) lines = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < l->report->devices->len; i++)
		add_branch(l, buses, lines, l->report->devices->pdata[i]);
}

/* What the table cannot say by itself. */
static void say_why_no_groups(const struct mp_host *host, FILE *out)
{
	if (host->groups->len || !host->devices->len)
		return;
	if (host->groups_fact.know == MP_UNKNOWN)
		fprintf(out, "\nIOMMU groups are unknown: %s: %s.\n",
			host->groups_fact.source, host->groups_fact.why);
	else
		fprintf(out,
			"\nThere are no IOMMU groups: no IOMMU is in use on this host.\n"
			"'metis-passthrough preflight' tells why.\n");
}

void mp_text_list(const struct mp_list_report *report,
	const struct mp_render_style *style, FILE *out)
{
	struct listing l = { .report = report, .style = style };

	if (!report->devices->len)
		return;
	if (listing_init(&l, out)) {
		if (report->view == MP_LIST_TREE)
			fill_tree(&l);
		else
			fill_groups(&l);
		scols_print_table(l.table);
	}
	scols_unref_table(l.table);
	say_why_no_groups(report->host, out);
}
