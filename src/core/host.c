/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/host.h"
#include "core/platform.h"
#include "core/vm-started.h"

struct owned {
	void *object;
	GDestroyNotify free;
};

struct mp_host *mp_host_new(const char *origin, bool live)
{
	struct mp_host *host = g_new0(struct mp_host, 1);

	host->strings = g_string_chunk_new(16 * 1024);
	host->owned = g_array_new(FALSE, FALSE, sizeof(struct owned));
	host->by_bdf = g_hash_table_new(g_str_hash, g_str_equal);
	host->origin = mp_host_str(host, origin);
	host->live = live;
	host->devices = g_ptr_array_new();
	host->groups = g_ptr_array_new();
	return host;
}

void mp_host_free(struct mp_host *host)
{
	if (!host)
		return;
	for (guint i = host->owned->len; i-- > 0;) {
		struct owned *entry = &g_array_index(host->owned, struct owned, i);

		entry->free(entry->object);
	}
	g_array_unref(host->owned);
	g_ptr_array_unref(host->devices);
	g_ptr_array_unref(host->groups);
	g_hash_table_unref(host->by_bdf);
	g_string_chunk_free(host->strings);
	g_free(host);
}

struct mp_host *mp_host_view(const struct mp_host *base)
{
	struct mp_host *own = mp_host_new(base->origin, base->live);
	struct mp_host *view = g_new(struct mp_host, 1);

	/* Storage of its own, all else of the base. */
	*view = *base;
	view->strings = g_steal_pointer(&own->strings);
	view->owned = g_steal_pointer(&own->owned);
	g_ptr_array_unref(own->devices);
	g_ptr_array_unref(own->groups);
	g_hash_table_unref(own->by_bdf);
	g_free(own);
	g_ptr_array_ref(view->devices);
	g_ptr_array_ref(view->groups);
	g_hash_table_ref(view->by_bdf);
	return view;
}

void *mp_host_own(struct mp_host *host, void *object, GDestroyNotify free_object)
{
	struct owned entry = { object, free_object };

	g_array_append_val(host->owned, entry);
	return object;
}

void *mp_host_alloc(struct mp_host *host, size_t size)
{
	return mp_host_own(host, g_malloc0(size), g_free);
}

const char *mp_host_str(struct mp_host *host, const char *text)
{
	return text ? g_string_chunk_insert(host->strings, text) : NULL;
}

const char *mp_host_strf(struct mp_host *host, const char *format, ...)
{
	char small[512];
	va_list args;
	int length;

	va_start(args, format);
	length = g_vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (length >= 0 && (size_t)length < sizeof(small))
		return g_string_chunk_insert_len(host->strings, small, length);

	va_start(args, format);
	g_autofree char *large = g_strdup_vprintf(format, args);
	va_end(args);
	return mp_host_str(host, large);
}

GPtrArray *mp_host_array(struct mp_host *host)
{
	return mp_host_own(host, g_ptr_array_new(), (GDestroyNotify)g_ptr_array_unref);
}

/* What a report calls the host; the rest of the platform is slow to read. */
static void probe_name(struct mp_host *host, struct mp_root *root)
{
	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	host->platform->hostname = mp_fact_read(host, root, "proc/sys/kernel/hostname");
	host->platform->kernel_release =
		mp_fact_read(host, root, "proc/sys/kernel/osrelease");
}

struct mp_host *mp_host_load(struct mp_root *root, unsigned topics, GError **error)
{
	g_autoptr(mp_host) host = mp_host_new(mp_root_name(root), mp_root_is_live(root));
	struct mp_stat st;
	int err = mp_root_stat(root, "sys", &st);

	if (err == -ENOENT) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: cannot read as a host: there is no directory sys in it",
			mp_root_name(root));
		return NULL;
	}
	if (err < 0) {
		g_autofree char *where = g_strdup_printf("%s: sys", mp_root_name(root));

		mp_error_set_errno(error, err, where, "look at it as a host");
		return NULL;
	}
	if (topics == MP_TOPIC_ALL)
		mp_probe_platform(host, root);
	else
		probe_name(host, root);
	mp_probe_pci(host, root, topics);
	mp_probe_groups(host, root, topics);
	if (topics != MP_TOPIC_ALL)
		return g_steal_pointer(&host);
	mp_probe_iommu(host, root);
	mp_probe_boot(host, root);
	mp_probe_modules(host, root);
	mp_probe_initramfs(host, root);
	mp_probe_memory(host, root);
	mp_probe_guests(host, root);
	mp_probe_started(host, root);
	mp_probe_setup(host, root);
	mp_probe_selftest(host, root);
	mp_probe_drivers(host, root);
	mp_probe_cards(host, root);
	mp_probe_use(host, root); /* last: it needs devices and guests */
	return g_steal_pointer(&host);
}
