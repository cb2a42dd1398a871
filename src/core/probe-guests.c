/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Proxmox VE has written down: the VMs of this node, resource mappings, storages,
 * reservations, and which VMs run. A host without /etc/pve simply has none of it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/hookscript.h"
#include "core/platform.h"
#include "core/vm.h"

#define PVE       "etc/pve"
#define RUN       "run/qemu-server"
#define VMS_MAX   4096
#define FILES_MAX 1024 /* snippets of one storage */

/* pmxcfs as a mount: " /etc/pve " with type fuse behind the separator of mountinfo. */
static bool pve_is_mounted(struct mp_root *root)
{
	g_autofree char *mounts = NULL;
	const char *line;

	if (mp_root_read(root, "proc/self/mountinfo", MP_READ_FILE, &mounts, NULL) < 0)
		return false;
	line = strstr(mounts, " /etc/pve ");
	if (!line)
		return false;
	g_autofree char *rest = g_strndup(line, strcspn(line, "\n"));
	return strstr(rest, " - fuse") != NULL;
}

/* Is this a Proxmox VE node with its cluster file system at hand? */
static struct mp_fact find_pve(struct mp_host *host, struct mp_root *root)
{
	struct mp_fact version = mp_fact_read(host, root, PVE "/.version");
	struct mp_stat st;
	int err;

	if (version.know == MP_KNOWN) /* a few lines of JSON, of no use as evidence */
		return mp_fact_known(host, version.source, "there");
	err = mp_root_stat(root, PVE, &st);
	if (err < 0)
		return mp_fact_errno(host, "/" PVE, err);
	if (pve_is_mounted(root))
		return mp_fact_known(host, "/proc/self/mountinfo", "/etc/pve is mounted");
	/* A copy of a host has the files without the file system. */
	if (!mp_root_is_live(root) && mp_root_stat(root, PVE "/nodes", &st) == 0)
		return mp_fact_known(host, "/" PVE "/nodes", "copied");
	if (version.know == MP_UNKNOWN)
		return version;
	return mp_fact_unknown(host, "/" PVE,
		"the cluster file system is not mounted there (systemctl status pve-cluster)");
}

/* PVE::INotify::nodename(): the host's name up to the first dot. */
static struct mp_fact find_node(struct mp_host *host, struct mp_root *root)
{
	struct mp_fact name = { 0 };

	if (host->platform)
		name = host->platform->hostname;
	if (name.know != MP_KNOWN)
		name = mp_fact_read(host, root, "proc/sys/kernel/hostname");
	if (name.know != MP_KNOWN)
		name = mp_fact_read(host, root, "etc/hostname");
	if (name.know != MP_KNOWN || !strchr(name.text, '.'))
		return name;
	g_autofree char *label = g_strndup(name.text, strcspn(name.text, "."));
	return mp_fact_known(host, name.source, label);
}

/* pid files: PVE::QemuServer::Helpers vm_running_locally() wants the process to be there
 * and to be this VM's QEMU. */
static bool is_qemu_of(struct mp_root *root, uint64_t pid, const char *vmid)
{
	g_autofree char *path =
		g_strdup_printf("proc/%" G_GUINT64_FORMAT "/cmdline", pid);
	g_autofree char *data = NULL;
	size_t size = 0;

	if (mp_root_read(root, path, MP_READ_FILE, &data, &size) < 0)
		return false;
	for (const char *arg = data; arg < data + size; arg += strlen(arg) + 1)
		if (!strcmp(arg, "-id") && arg + strlen(arg) + 1 < data + size)
			return !strcmp(arg + strlen(arg) + 1, vmid);
	return false;
}

static void find_running(struct mp_host *host, struct mp_root *root, struct mp_vm *vm,
	int listed, char **names)
{
	g_autofree char *name = g_strdup_printf("%s.pid", vm->id);
	g_autofree char *path = g_strdup_printf(RUN "/%s", name);
	struct mp_fact fact;
	uint64_t pid;

	if (listed < 0 && listed != -ENOENT) {
		vm->running_fact = mp_fact_errno(host, "/" RUN, listed);
		return;
	}
	if (listed < 0 || !g_strv_contains((const char *const *)names, name)) {
		vm->running_fact = mp_fact_absent(host, mp_host_strf(host, "/%s", path));
		return;
	}
	fact = mp_fact_read(host, root, path);
	if (fact.know == MP_KNOWN && !mp_parse_uint(fact.text, 10, &pid))
		fact = mp_fact_unknown(host, fact.source, "holds no process id");
	else if (fact.know == MP_KNOWN && is_qemu_of(root, pid, vm->id)) {
		vm->running = true;
		vm->pid = pid;
	} else if (fact.know == MP_KNOWN) {
		fact = mp_fact_absent(host, fact.source); /* left behind by a crash */
	}
	vm->running_fact = fact;
}

/* "101.conf" -> "101" */
static char *vmid_of(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	if (!digits || digits > 10 || strcmp(name + digits, ".conf") != 0)
		return NULL;
	return g_strndup(name, digits);
}

static void load_vm(
	struct mp_host *host, struct mp_root *root, const char *dir, const char *name)
{
	g_autofree char *id = vmid_of(name);
	g_autofree char *path = NULL;
	g_autofree char *data = NULL;
	const char *source;
	size_t size = 0;
	struct mp_vm *vm;
	int err;

	if (!id)
		return;
	path = g_strdup_printf("%s/%s", dir, name);
	source = mp_host_strf(host, "/%s", path);
	err = mp_root_read(root, path, MP_VM_FILE_MAX, &data, &size);
	vm = mp_vm_parse(host, id, source, err < 0 ? "" : data, size);
	if (err < 0)
		vm->fact = mp_fact_errno(host, source, err);
	g_ptr_array_add(host->guests->vms, vm);
}

static void find_earlier_hookscript(
	struct mp_host *host, struct mp_root *root, struct mp_vm *vm)
{
	if (g_strcmp0(vm->hookscript, MP_HOOK_VOLUME) != 0 &&
		g_strcmp0(vm->next->hookscript, MP_HOOK_VOLUME) != 0)
		return;
	mp_hook_note_read(host, root, vm, NULL);
	vm->next->earlier_hookscript = vm->earlier_hookscript;
	vm->next->earlier_problem = vm->earlier_problem;
}

/* ONLY: the number of the one VM that is wanted; NULL: all. */
static void load_vms(struct mp_host *host, struct mp_root *root, const char *only)
{
	struct mp_guests *guests = host->guests;
	g_autofree char *dir = NULL;
	g_auto(GStrv) names = NULL;
	g_auto(GStrv) running = NULL;
	int err = -ENOENT;

	if (guests->node.know == MP_KNOWN && !strchr(guests->node.text, '/')) {
		dir = g_strdup_printf(PVE "/nodes/%s/qemu-server", guests->node.text);
		err = mp_root_list(root, dir, &names);
	}
	if (err == -ENOENT || err == -ENODATA) {
		g_free(dir);
		dir = g_strdup(PVE "/qemu-server");
		err = mp_root_list(root, dir, &names);
	}
	guests->vms_fact =
		err < 0 ? mp_fact_errno(host, mp_host_strf(host, "/%s", dir), err)
			: mp_fact_known(host, mp_host_strf(host, "/%s", dir), "listed");
	if (err < 0)
		return;
	for (char **name = names; *name && guests->vms->len < VMS_MAX; name++) {
		g_autofree char *id = only ? vmid_of(*name) : NULL;

		if (!only || g_strcmp0(id, only) == 0)
			load_vm(host, root, dir, *name);
	}
	if (only)
		return;
	err = mp_root_list(root, RUN, &running);
	for (guint i = 0; i < guests->vms->len; i++) {
		find_running(host, root, guests->vms->pdata[i], err, running);
		find_earlier_hookscript(host, root, guests->vms->pdata[i]);
	}
}

/* Reads PATH for one of the parsers of mapping.c. */
static struct mp_fact load_file(struct mp_host *host, struct mp_root *root,
	const char *path,
	void (*parse)(struct mp_host *, struct mp_guests *, const char *, size_t))
{
	const char *source = mp_host_strf(host, "/%s", path);
	g_autofree char *data = NULL;
	size_t size = 0;
	int err = mp_root_read(root, path, MP_VM_FILE_MAX, &data, &size);

	if (err < 0)
		return mp_fact_errno(host, source, err);
	parse(host, host->guests, data, size);
	return mp_fact_known(host, source, "read");
}

static void list_snippets(
	struct mp_host *host, struct mp_root *root, struct mp_storage *storage)
{
	g_auto(GStrv) names = NULL;
	int err;

	if (!storage->snippets) {
		storage->looked = mp_fact_absent(host, NULL);
		return;
	}
	/* A stale NFS or CIFS mount would hang us. */
	if (strcmp(storage->type, "dir") != 0 && strcmp(storage->type, "btrfs") != 0) {
		storage->looked = mp_fact_unknown(
			host, storage->snippets, "on a network storage: not looked at");
		return;
	}
	err = mp_root_list(root, storage->snippets, &names);
	if (err < 0) {
		storage->looked = mp_fact_errno(host, storage->snippets, err);
		return;
	}
	storage->looked = mp_fact_known(host, storage->snippets, "listed");
	for (char **name = names; *name && storage->files->len < FILES_MAX; name++) {
		g_autofree char *path =
			g_strdup_printf("%s/%s", storage->snippets, *name);
		g_autofree char *clean = mp_clean_text(*name, strlen(*name));
		struct mp_snippet *file = mp_host_alloc(host, sizeof(*file));
		struct mp_stat st;

		file->name = mp_host_str(host, clean);
		if (mp_root_stat(root, path, &st) == 0) {
			file->regular = st.type == MP_FILE_REGULAR;
			file->executable = (st.mode & 0111) != 0;
		}
		g_ptr_array_add(storage->files, file);
	}
}

/* False: this is no Proxmox VE node, or its files are not at hand. */
static bool begin(struct mp_host *host, struct mp_root *root)
{
	struct mp_guests *guests = mp_host_alloc(host, sizeof(*guests));

	host->guests = guests;
	guests->vms = mp_host_array(host);
	guests->mappings = mp_host_array(host);
	guests->reservations = mp_host_array(host);
	guests->storages = mp_host_array(host);
	guests->node = find_node(host, root);
	guests->pve = find_pve(host, root);
	guests->vms_fact = guests->mappings_fact = guests->storages_fact =
		guests->reservations_fact = guests->pve;
	return guests->pve.know == MP_KNOWN;
}

void mp_probe_guest(struct mp_host *host, struct mp_root *root, const char *vmid)
{
	static const char not_looked_at[] = "only one VM was looked at";
	struct mp_guests *guests;

	if (!begin(host, root))
		return;
	guests = host->guests;
	guests->mappings_fact = guests->storages_fact = guests->reservations_fact =
		mp_fact_unknown(host, "/" PVE, not_looked_at);
	load_vms(host, root, vmid);
}

void mp_probe_guests(struct mp_host *host, struct mp_root *root)
{
	struct mp_guests *guests;

	if (!begin(host, root))
		return;
	guests = host->guests;
	guests->mappings_fact =
		load_file(host, root, PVE "/mapping/pci.cfg", mp_mappings_parse);
	guests->storages_fact =
		load_file(host, root, PVE "/storage.cfg", mp_storages_parse);
	if (guests->storages_fact.know == MP_ABSENT)
		mp_storages_parse(host, guests, "", 0);
	guests->reservations_fact =
		load_file(host, root, RUN "/pci-id-reservations", mp_reservations_parse);
	for (guint i = 0; i < guests->storages->len; i++)
		list_snippets(host, root, guests->storages->pdata[i]);
	load_vms(host, root, NULL);
	for (guint i = 0; i < guests->vms->len; i++)
		mp_vm_resolve(host, guests->vms->pdata[i]);
}
