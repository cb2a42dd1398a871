/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initramfs image of every installed kernel. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/early-bind.h"
#include "core/initramfs-digest.h"
#include "core/modules.h"

#define SECONDS_FOR_ALL 30 /* a broken or huge image must not hold up the rest */

const struct mp_image *mp_host_image(const struct mp_host *host, const char *kernel)
{
	for (guint i = 0; i < host->initramfs->images->len; i++) {
		const struct mp_image *image = host->initramfs->images->pdata[i];

		if (!strcmp(image->kernel, kernel))
			return image;
	}
	return NULL;
}

struct source {
	struct mp_image *image;
	char *record; /* path of the digest in a snapshot */
	char *text;
	int err;
};

static int give(void *user, char **data, size_t *size)
{
	struct source *source = user;

	if (source->err < 0)
		return source->err;
	*size = strlen(source->text);
	*data = g_steal_pointer(&source->text);
	return 0;
}

/* Opens the images that must be read, reads them together. */
static void read_images(struct mp_root *root, struct source *sources, guint count)
{
	g_autofree struct mp_image_job *jobs = g_new0(struct mp_image_job, count);
	g_autofree struct source **of = g_new0(struct source *, count);
	size_t n = 0;

	for (guint i = 0; i < count; i++) {
		int fd = -1, err;

		if (sources[i].text || (sources[i].err && sources[i].err != -ENOENT))
			continue;
		err = mp_root_open_file(root, sources[i].image->path, &fd);
		if (err == -EOPNOTSUPP)
			continue; /* a snapshot: what it says stays */
		sources[i].err = err;
		if (err < 0)
			continue;
		of[n] = &sources[i];
		jobs[n++] = (struct mp_image_job){ .fd = fd };
	}
	mp_initramfs_digest(jobs, n, SECONDS_FOR_ALL);
	for (size_t i = 0; i < n; i++)
		of[i]->text = jobs[i].text;
}

/* A captured host has digests, or, as a directory, perhaps the images themselves. */
static void read_captured(struct mp_root *root, struct source *sources, guint count)
{
	bool missing = false;

	for (guint i = 0; i < count; i++) {
		sources[i].err = mp_root_produced(
			root, sources[i].record, NULL, NULL, &sources[i].text, NULL);
		missing = missing || sources[i].err == -ENOENT;
	}
	if (missing)
		read_images(root, sources, count);
}

static void read_live(struct mp_root *root, struct source *sources, guint count)
{
	read_images(root, sources, count);
	for (guint i = 0; i < count; i++) {
		char *text = NULL;

		sources[i].err = mp_root_produced(
			root, sources[i].record, give, &sources[i], &text, NULL);
		g_free(sources[i].text);
		sources[i].text = text;
	}
}

static struct mp_image *add_image(struct mp_host *host, const char *release)
{
	struct mp_image *image = mp_host_alloc(host, sizeof(*image));

	image->kernel = release;
	image->path = mp_host_strf(host, "/boot/initrd.img-%s", release);
	image->modules = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	image->modprobe = mp_host_array(host);
	image->load = mp_host_array(host);
	image->files = mp_host_array(host);
	image->scripts = mp_host_array(host);
	image->early = mp_host_array(host);
	g_ptr_array_add(host->initramfs->images, image);
	return image;
}

static struct mp_fact program_fact(
	struct mp_host *host, struct mp_root *root, const char *path)
{
	struct mp_stat st;
	int err = mp_root_stat(root, path, &st);

	if (err < 0)
		return mp_fact_errno(host, path, err);
	if (st.type != MP_FILE_REGULAR || !(st.mode & 0111))
		return mp_fact_absent(host, path);
	return mp_fact_known(host, path, "installed");
}

static void probe_builders(struct mp_host *host, struct mp_root *root)
{
	struct mp_initramfs *initramfs = host->initramfs;

	initramfs->update_initramfs =
		program_fact(host, root, "/usr/sbin/update-initramfs");
	initramfs->dracut = program_fact(host, root, "/usr/bin/dracut");
	initramfs->early_bind = program_fact(host, root, MP_PATH_EARLY_PROGRAM);
}

void mp_probe_initramfs(struct mp_host *host, struct mp_root *root)
{
	const GPtrArray *kernels = host->modules->kernels;
	g_autofree struct source *sources = g_new0(struct source, kernels->len + 1);

	host->initramfs = mp_host_alloc(host, sizeof(*host->initramfs));
	host->initramfs->images = mp_host_array(host);
	probe_builders(host, root);
	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];

		sources[i].image = add_image(host, kernel->release);
		sources[i].record = g_strdup_printf(
			"metis-passthrough/initramfs/%s", kernel->release);
	}
	if (mp_root_is_live(root))
		read_live(root, sources, kernels->len);
	else
		read_captured(root, sources, kernels->len);
	for (guint i = 0; i < kernels->len; i++) {
		struct source *source = &sources[i];

		if (source->text)
			mp_initramfs_digest_parse(host, source->text, source->image);
		else
			source->image->fact =
				mp_fact_errno(host, source->image->path, source->err);
		g_free(source->text);
		g_free(source->record);
	}
}
