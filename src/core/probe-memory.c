/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM, huge pages, NUMA nodes, the locked-memory limit. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* "MemTotal:       32780012 kB" in bytes; 0: no such line. */
static uint64_t meminfo_value(char **lines, const char *key)
{
	for (; *lines; lines++) {
		const char *line = *lines;
		uint64_t value;

		if (!g_str_has_prefix(line, key) || line[strlen(key)] != ':')
			continue;
		g_autofree char *number = g_strdup(line + strlen(key) + 1);

		g_strstrip(number);
		if (!g_str_has_suffix(number, " kB"))
			return 0;
		number[strlen(number) - strlen(" kB")] = '\0';
		if (!mp_parse_uint(g_strchomp(number), 10, &value) ||
			value > UINT64_MAX / 1024)
			return 0;
		return value * 1024;
	}
	return 0;
}

static void probe_meminfo(
	struct mp_host *host, struct mp_root *root, struct mp_memory *memory)
{
	struct mp_fact raw = mp_fact_read(host, root, "proc/meminfo");

	memory->meminfo = raw;
	if (raw.know != MP_KNOWN)
		return;
	g_auto(GStrv) lines = g_strsplit(raw.text, "\n", -1);

	memory->total = meminfo_value(lines, "MemTotal");
	memory->available = meminfo_value(lines, "MemAvailable");
	if (!memory->total || !memory->available) {
		memory->meminfo = mp_fact_unknown(
			host, raw.source, "no MemTotal or MemAvailable in it");
		memory->total = memory->available = 0;
		return;
	}
	memory->meminfo = mp_fact_known(host, raw.source,
		mp_host_strf(host,
			"MemTotal %" G_GUINT64_FORMAT
			" MiB, MemAvailable %" G_GUINT64_FORMAT " MiB",
			memory->total >> 20, memory->available >> 20));
}

/* One directory of "hugepages-2048kB" and the like. */
static int probe_pools(
	struct mp_host *host, struct mp_root *root, const char *directory, int node)
{
	static const char prefix[] = "hugepages-";
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, directory, &names);

	for (char **name = names; err == 0 && *name; name++) {
		struct mp_hugepool *pool;
		uint64_t kib, total, available;

		if (!g_str_has_prefix(*name, prefix) || !g_str_has_suffix(*name, "kB"))
			continue;
		g_autofree char *size = g_strndup(*name + strlen(prefix),
			strlen(*name) - strlen(prefix) - strlen("kB"));
		g_autofree char *total_path =
			g_strdup_printf("%s/%s/nr_hugepages", directory, *name);
		g_autofree char *free_path =
			g_strdup_printf("%s/%s/free_hugepages", directory, *name);
		struct mp_fact total_fact = mp_fact_read(host, root, total_path);
		struct mp_fact free_fact = mp_fact_read(host, root, free_path);

		if (!mp_parse_uint(size, 10, &kib) || kib > UINT64_MAX / 1024 ||
			!mp_fact_uint(&total_fact, 10, &total) ||
			!mp_fact_uint(&free_fact, 10, &available))
			continue;
		pool = mp_host_alloc(host, sizeof(*pool));
		*pool = (struct mp_hugepool){
			.page_size = kib * 1024,
			.total = total,
			.free = available,
			.node = node,
		};
		g_ptr_array_add(host->memory->hugepools, pool);
	}
	return err;
}

static void probe_nodes(struct mp_host *host, struct mp_root *root)
{
	g_auto(GStrv) names = NULL;

	if (mp_root_list(root, "sys/devices/system/node", &names) < 0)
		return;
	for (char **name = names; *name; name++) {
		g_autofree char *directory =
			g_strdup_printf("sys/devices/system/node/%s/hugepages", *name);
		uint64_t node;

		if (g_str_has_prefix(*name, "node") &&
			mp_parse_uint(*name + strlen("node"), 10, &node) &&
			node <= INT16_MAX)
			probe_pools(host, root, directory, (int)node);
	}
}

/* "Max locked memory         8388608              8388608              bytes" */
static struct mp_fact read_memlock(struct mp_host *host, struct mp_root *root)
{
	static const char key[] = "Max locked memory";
	struct mp_fact limits = mp_fact_read(host, root, "proc/self/limits");

	if (limits.know != MP_KNOWN)
		return limits;
	g_auto(GStrv) lines = g_strsplit(limits.text, "\n", -1);

	for (char **line = lines; *line; line++) {
		uint64_t value;

		if (!g_str_has_prefix(*line, key))
			continue;
		char *soft = g_strchug(*line + strlen(key));

		soft[strcspn(soft, " \t")] = '\0';
		if (!strcmp(soft, "unlimited") || mp_parse_uint(soft, 10, &value))
			return mp_fact_known(host, limits.source, soft);
		break;
	}
	return mp_fact_unknown(host, limits.source, "no limit of locked memory in it");
}

#define IOMEM      "proc/iomem"
#define RAM_RANGES 1024u
#define FOUR_GIB   (UINT64_C(1) << 32)

/* "00100000-bffdffff : System RAM"; deeper lines say what lies in it. */
static bool take_ram(GArray *ranges, const char *line)
{
	const char *what = strstr(line, " : ");
	g_autofree char *start = NULL, *end = NULL;
	struct mp_ram_range range;
	const char *dash;

	if (*line == ' ' || !what || strcmp(what, " : System RAM") != 0)
		return true;
	dash = memchr(line, '-', (size_t)(what - line));
	if (!dash)
		return false;
	start = g_strndup(line, (size_t)(dash - line));
	end = g_strndup(dash + 1, (size_t)(what - dash - 1));
	if (!mp_parse_uint(start, 16, &range.start) ||
		!mp_parse_uint(end, 16, &range.end) || range.end <= range.start ||
		ranges->len >= RAM_RANGES)
		return false;
	g_array_append_val(ranges, range);
	return true;
}

static struct mp_fact sum_ram(struct mp_host *host, const GArray *ranges)
{
	uint64_t below = 0, above = 0;

	for (guint i = 0; i < ranges->len; i++) {
		const struct mp_ram_range *range =
			&g_array_index(ranges, struct mp_ram_range, i);

		if (range->start < FOUR_GIB)
			below += MIN(range->end, FOUR_GIB - 1) - range->start + 1;
		if (range->end >= FOUR_GIB)
			above += range->end - MAX(range->start, FOUR_GIB) + 1;
	}
	return mp_fact_known(host, "/" IOMEM,
		mp_host_strf(host,
			"%" G_GUINT64_FORMAT " MiB of RAM below 4 GiB, %" G_GUINT64_FORMAT
			" MiB above",
			below >> 20, above >> 20));
}

static void probe_ram(
	struct mp_host *host, struct mp_root *root, struct mp_memory *memory)
{
	g_autofree char *data = NULL;
	g_auto(GStrv) lines = NULL;
	int err = mp_root_read(root, IOMEM, MP_READ_FILE, &data, NULL);

	memory->ram_ranges =
		mp_host_own(host, g_array_new(FALSE, FALSE, sizeof(struct mp_ram_range)),
			(GDestroyNotify)g_array_unref);
	if (err < 0) {
		memory->ram = mp_fact_errno(host, "/" IOMEM, err);
		return;
	}
	lines = g_strsplit(data, "\n", -1);
	for (char **line = lines; *line; line++) {
		if (take_ram(memory->ram_ranges, *line))
			continue;
		/* Zeros, or no table at all: half of it would be a lie. */
		g_array_set_size(memory->ram_ranges, 0);
		memory->ram = mp_fact_unknown(host, "/" IOMEM,
			strstr(*line, "00000000-00000000")
				? "the addresses are shown to root only"
				: "it makes no sense");
		return;
	}
	memory->ram = memory->ram_ranges->len
			      ? sum_ram(host, memory->ram_ranges)
			      : mp_fact_unknown(host, "/" IOMEM, "no System RAM in it");
}

void mp_probe_memory(struct mp_host *host, struct mp_root *root)
{
	static const char pools[] = "sys/kernel/mm/hugepages";
	struct mp_memory *memory = mp_host_alloc(host, sizeof(*memory));
	int err;

	host->memory = memory;
	memory->hugepools = mp_host_array(host);
	probe_meminfo(host, root, memory);
	err = probe_pools(host, root, pools, -1);
	memory->hugepools_fact =
		err < 0 ? mp_fact_errno(host, "/sys/kernel/mm/hugepages", err)
			: mp_fact_known(host, "/sys/kernel/mm/hugepages",
				  mp_host_strf(host, "%u page size%s",
					  memory->hugepools->len,
					  MP_PLURAL(memory->hugepools->len)));
	probe_nodes(host, root);
	memory->numa_online = mp_fact_read(host, root, "sys/devices/system/node/online");
	memory->memlock = read_memlock(host, root);
	probe_ram(host, root, memory);
}
