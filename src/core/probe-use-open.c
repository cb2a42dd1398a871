/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes hold a device node of a PCI device open. Only the live host can tell;
 * nothing of this goes into a snapshot, because it would be hundreds of thousands of looks.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/use-probe.h"

#define LINKS_MAX 400000
#define TIME_MAX  (3 * G_USEC_PER_SEC)

struct opened {
	char *node; /* "/dev/vfio/22" */
	char *pid;
};

static void opened_free(void *data)
{
	struct opened *opened = data;

	g_free(opened->node);
	g_free(opened->pid);
	g_free(opened);
}

struct scan {
	struct use_probe *probe;
	GPtrArray *opened; /* struct opened */
	GHashTable *nodes; /* device name below /dev -> sysfs path, of PCI devices */
	unsigned links, denied;
	int64_t deadline;
};

/* Nodes that every process has, or that are no hardware's: not worth a look. */
static bool is_boring(const char *node)
{
	static const char *const boring[] = {
		"/dev/null",
		"/dev/zero",
		"/dev/full",
		"/dev/random",
		"/dev/urandom",
		"/dev/ptmx",
		"/dev/kmsg",
		"/dev/fuse",
		"/dev/kvm",
		"/dev/tty",
		"/dev/console",
		"/dev/net/tun",
		"/dev/vhost-net",
		"/dev/vfio/vfio",
		"/dev/iommu",
		NULL,
	};

	return g_strv_contains(boring, node) || g_str_has_prefix(node, "/dev/pts/") ||
	       g_str_has_prefix(node, "/dev/shm/") ||
	       g_str_has_prefix(node, "/dev/mapper/") ||
	       g_str_has_prefix(node, "/dev/dm-") || g_str_has_prefix(node, "/dev/loop");
}

static bool is_over(const struct scan *scan)
{
	return scan->links > LINKS_MAX || g_get_monotonic_time() > scan->deadline;
}

static void scan_process(struct scan *scan, const char *pid)
{
	g_autofree char *path = g_strdup_printf("proc/%s/fd", pid);
	g_autoptr(mp_dir) dir = NULL;
	g_autoptr(GHashTable) seen =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) names = NULL;
	int err = mp_root_dir(scan->probe->root, path, &dir);

	if (!err)
		err = mp_dir_list(dir, &names);
	if (err < 0) {
		scan->denied += err == -EACCES || err == -EPERM;
		return;
	}
	for (char **name = names; *name && !is_over(scan); name++) {
		g_autofree char *target = NULL;
		struct opened *opened;

		scan->links++;
		if (mp_dir_readlink(dir, *name, &target) < 0 ||
			!g_str_has_prefix(target, "/dev/") || is_boring(target) ||
			!g_hash_table_add(seen, g_strdup(target)))
			continue;
		opened = g_new0(struct opened, 1);
		opened->node = g_steal_pointer(&target);
		opened->pid = g_strdup(pid);
		g_ptr_array_add(scan->opened, opened);
	}
}

/* Names of the device nodes of CLASS ("char", "block") whose device is below PCI. */
static void load_nodes(struct scan *scan, const char *class)
{
	struct use_probe *probe = scan->probe;
	g_autofree char *path = g_strdup_printf("sys/dev/%s", class);
	g_autoptr(mp_dir) dir = NULL;
	g_auto(GStrv) names = NULL;

	if (mp_root_dir(probe->root, path, &dir) < 0 || mp_dir_list(dir, &names) < 0)
		return;
	for (char **name = names; *name; name++) {
		g_autofree char *uevent = g_strdup_printf("%s/uevent", *name);
		g_autofree char *target = NULL;
		g_autofree char *data = NULL;

		if (mp_dir_readlink(dir, *name, &target) < 0 || !strstr(target, "/pci") ||
			mp_dir_read(dir, uevent, MP_READ_ATTR, &data, NULL) < 0)
			continue;
		g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
		for (char **line = lines; *line; line++)
			if (g_str_has_prefix(*line, "DEVNAME="))
				g_hash_table_replace(scan->nodes,
					g_strdup(*line + strlen("DEVNAME=")),
					g_strdup(target));
	}
}

/* "kvm (pid 812)", and the VM that a QEMU of Proxmox VE or libvirt runs. */
static char *describe_process(struct use_probe *probe, const char *pid)
{
	g_autofree char *comm_path = g_strdup_printf("proc/%s/comm", pid);
	g_autofree char *args_path = g_strdup_printf("proc/%s/cmdline", pid);
	g_autofree char *comm = NULL;
	g_autofree char *args = NULL;
	const char *vm = NULL;
	size_t size = 0;

	if (mp_root_read(probe->root, comm_path, MP_READ_ATTR, &comm, NULL) < 0)
		comm = g_strdup("a process");
	g_strstrip(comm);
	if (mp_root_read(probe->root, args_path, MP_READ_FILE, &args, &size) < 0)
		size = 0;
	for (const char *arg = args; arg && arg < args + size; arg += strlen(arg) + 1) {
		const char *next = arg + strlen(arg) + 1;

		if (!strcmp(arg, "-id") && next < args + size) {
			vm = next;
			break;
		}
	}
	if (vm)
		return g_strdup_printf("%s of VM %s (pid %s)", comm, vm, pid);
	return g_strdup_printf("%s (pid %s)", comm, pid);
}

/* /dev/vfio/22 is IOMMU group 22, with all who are in it. */
static void take_group(struct scan *scan, const struct opened *opened, uint64_t id)
{
	struct use_probe *probe = scan->probe;
	g_autofree char *process = describe_process(probe, opened->pid);
	g_autofree char *detail =
		g_strdup_printf("%s is open in %s", opened->node, process);
	g_autofree char *source = g_strdup_printf("/proc/%s/fd", opened->pid);

	for (guint i = 0; i < probe->host->devices->len; i++) {
		const struct mp_pci *device = probe->host->devices->pdata[i];

		if (!device->group || device->group->id != id || mp_pci_is_bridge(device))
			continue;
		use_add(probe, device->bdf,
			&(struct use_what){
				.kind = MP_USE_VM, .detail = detail, .source = source });
	}
}

static void take_opened(struct scan *scan, const struct opened *opened)
{
	struct use_probe *probe = scan->probe;
	const char *name = opened->node + strlen("/dev/");
	const char *path;
	uint64_t group;

	if (g_str_has_prefix(name, "vfio/") &&
		mp_parse_uint(name + strlen("vfio/"), 10, &group)) {
		take_group(scan, opened, group);
		return;
	}
	path = g_hash_table_lookup(scan->nodes, name);
	if (!path)
		return;
	g_autofree char *process = describe_process(probe, opened->pid);
	g_autofree char *detail =
		g_strdup_printf("%s is open in %s", opened->node, process);
	g_autofree char *source = g_strdup_printf("/proc/%s/fd", opened->pid);
	use_add_path(probe, path,
		&(struct use_what){
			.kind = g_str_has_prefix(name, "vfio/") ? MP_USE_VM : MP_USE_OPEN,
			.detail = detail,
			.source = source,
		});
}

static void scan_all(struct scan *scan)
{
	struct mp_use *use = scan->probe->use;
	struct mp_host *host = scan->probe->host;
	g_autofree char *self = g_strdup_printf("%d", (int)getpid());
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(scan->probe->root, "proc", &names);

	if (err < 0) {
		use->open_files = mp_fact_errno(host, "/proc", err);
		return;
	}
	for (char **name = names; *name && !is_over(scan); name++)
		if (g_ascii_isdigit(**name) && strcmp(*name, self) != 0)
			scan_process(scan, *name);
	if (scan->opened->len) {
		load_nodes(scan, "char");
		load_nodes(scan, "block");
	}
	for (guint i = 0; i < scan->opened->len; i++)
		take_opened(scan, scan->opened->pdata[i]);
	if (is_over(scan))
		use->open_files = mp_fact_unknown(host, "/proc/PID/fd",
			"too many open files: not all were looked at");
	else if (scan->denied)
		use->open_files = mp_fact_unknown(host, "/proc/PID/fd",
			"only root may look at the open files of all processes");
	else
		use->open_files = mp_fact_known(host, "/proc/PID/fd",
			mp_host_strf(host, "%u open files looked at", scan->links));
}

void use_probe_open(struct use_probe *probe)
{
	struct scan scan = { .probe = probe };
	struct mp_use *use = probe->use;

	if (!probe->host->live || mp_root_is_recorded(probe->root)) {
		use->open_files =
			mp_fact_unknown(probe->host, "/proc/PID/fd", "live host needed");
		return;
	}
	scan.deadline = g_get_monotonic_time() + TIME_MAX;
	scan.opened = g_ptr_array_new_with_free_func(opened_free);
	scan.nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	scan_all(&scan);
	g_ptr_array_unref(scan.opened);
	g_hash_table_unref(scan.nodes);
}
