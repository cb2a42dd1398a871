/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who uses a PCI device on the host itself: storage, network, display, open files, VMs. */
#include "config.h"

#include <string.h>
#include <time.h>

#include "core/pci.h"
#include "core/use-probe.h"
#include "core/vm.h"

#define ENTRIES_MAX 65536

bool use_is_bdf(const char *text, size_t *length)
{
	size_t domain = strspn(text, "0123456789abcdef");
	const char *rest = text + domain;

	if (domain < 4 || domain > 8 || *rest != ':')
		return false;
	if (strspn(rest + 1, "0123456789abcdef") != 2 || rest[3] != ':')
		return false;
	if (strspn(rest + 4, "0123456789abcdef") != 2 || rest[6] != '.')
		return false;
	if (rest[7] < '0' || rest[7] > '7')
		return false;
	*length = domain + 8;
	return true;
}

bool use_is_name(const char *text)
{
	return *text && !strchr(text, '/') && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

void use_add(struct use_probe *probe, const char *bdf, const struct use_what *what)
{
	struct mp_use_entry *entry;
	g_autofree char *clean = mp_clean_text(what->detail, strlen(what->detail));
	char *key = g_strdup_printf("%s %d %s", bdf, what->kind, clean);

	if (!g_hash_table_add(probe->seen, key) ||
		probe->use->entries->len >= ENTRIES_MAX)
		return;
	entry = mp_host_alloc(probe->host, sizeof(*entry));
	*entry = (struct mp_use_entry){
		.bdf = mp_host_str(probe->host, bdf),
		.kind = what->kind,
		.boots = what->boots,
		.routes = what->routes,
		.starting = what->starting,
		.detail = mp_host_str(probe->host, clean),
		.source = mp_host_str(probe->host, what->source),
	};
	g_ptr_array_add(probe->use->entries, entry);
}

bool use_add_path(struct use_probe *probe, const char *path, const struct use_what *what)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	const char *last = NULL;
	size_t length;

	for (char **part = parts; *part; part++) {
		const struct mp_pci *above;

		if (!use_is_bdf(*part, &length) || (*part)[length])
			continue;
		/* A controller with devices of its own domain below it (VMD) is no bridge. */
		above = last ? mp_host_device(probe->host, last) : NULL;
		if (above && !mp_pci_is_bridge(above))
			use_add(probe, last, what);
		last = *part;
	}
	if (last)
		use_add(probe, last, what);
	return last != NULL;
}

void use_unreadable(struct use_probe *probe, const char *path, int negative_errno)
{
	struct mp_fact *fact = mp_host_alloc(probe->host, sizeof(*fact));

	*fact = mp_fact_errno(
		probe->host, mp_host_strf(probe->host, "/%s", path), negative_errno);
	g_ptr_array_add(probe->use->unreadable, fact);
}

void use_unreadable_why(struct use_probe *probe, const char *path, const char *why)
{
	struct mp_fact *fact = mp_host_alloc(probe->host, sizeof(*fact));

	*fact = mp_fact_unknown(probe->host, mp_host_strf(probe->host, "/%s", path), why);
	g_ptr_array_add(probe->use->unreadable, fact);
}

/* PVE's own list: held by a VM whose QEMU runs, or for seconds by one that starts. */
static void use_probe_reservations(struct use_probe *probe)
{
	const struct mp_guests *guests = probe->host->guests;

	for (guint i = 0; guests && i < guests->reservations->len; i++) {
		const struct mp_reservation *entry = guests->reservations->pdata[i];
		const struct mp_vm *vm = mp_host_vm(probe->host, entry->vmid);
		bool held = entry->pid && vm && vm->running && vm->pid == entry->pid;
		bool starting = !entry->pid && probe->host->live &&
				entry->until > (uint64_t)time(NULL);
		size_t length;

		if ((!held && !starting) || !use_is_bdf(entry->bdf, &length))
			continue;
		g_autofree char *detail =
			held ? g_strdup_printf(
				       "held by VM %s, which runs (pid %" G_GUINT64_FORMAT
				       ")",
				       entry->vmid, entry->pid)
			     : g_strdup_printf(
				       "reserved for VM %s, which is being started",
				       entry->vmid);
		use_add(probe, entry->bdf,
			&(struct use_what){ .kind = MP_USE_VM,
				.starting = starting,
				.detail = detail,
				.source = guests->reservations_fact.source });
	}
}

static void use_probe_sriov(struct use_probe *probe)
{
	for (guint i = 0; i < probe->host->devices->len; i++) {
		const struct mp_pci *device = probe->host->devices->pdata[i];
		uint64_t functions;

		if (!mp_fact_uint(&device->sriov_numvfs, 10, &functions) || !functions)
			continue;
		g_autofree char *detail = g_strdup_printf(
			"%" G_GUINT64_FORMAT " virtual functions of it are enabled",
			functions);
		use_add(probe, device->bdf,
			&(struct use_what){ .kind = MP_USE_SRIOV,
				.detail = detail,
				.source = device->sriov_numvfs.source });
	}
}

void mp_probe_use(struct mp_host *host, struct mp_root *root)
{
	struct mp_use *use = mp_host_alloc(host, sizeof(*use));
	g_autoptr(GHashTable) seen =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct use_probe probe = { .host = host, .root = root, .use = use, .seen = seen };

	host->use = use;
	use->entries = mp_host_array(host);
	use->unreadable = mp_host_array(host);
	use_probe_block(&probe);
	use_probe_net(&probe);
	use_probe_display(&probe);
	use_probe_sriov(&probe);
	use_probe_reservations(&probe);
	use_probe_open(&probe);
}
