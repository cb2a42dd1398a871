/* SPDX-License-Identifier: GPL-2.0-or-later */
/* promise-scene.h - a made-up host that was set up, and what it promised. */
#ifndef MP_PROMISE_SCENE_H
#define MP_PROMISE_SCENE_H

#include <string.h>
#include <sys/stat.h>

#include "unit.h"

#include "core/journal.h"
#include "core/promise.h"
#include "core/setup.h"
#include "tree.h"

#define KERNEL "6.8.12-4-pve"
#define CARD   "0000:86:00.0"
#define SYS    "sys/bus/pci/devices/"
#define NOW    "11111111-1111-1111-1111-111111111111"
#define BEFORE "00000000-0000-0000-0000-000000000000"
#define IMAGE  "metis-passthrough/initramfs/" KERNEL

struct fixture {
	struct tree tree;
	struct mp_tx tx[2];
	GPtrArray *all, *findings;
	struct mp_host *host;
	bool pending;
};

static inline void put_device(struct fixture *x, const char *bdf, const char *driver)
{
	g_autofree char *vendor = g_strdup_printf(SYS "%s/vendor", bdf);
	g_autofree char *device = g_strdup_printf(SYS "%s/device", bdf);
	g_autofree char *subvendor = g_strdup_printf(SYS "%s/subsystem_vendor", bdf);
	g_autofree char *subdevice = g_strdup_printf(SYS "%s/subsystem_device", bdf);
	g_autofree char *class = g_strdup_printf(SYS "%s/class", bdf);
	g_autofree char *modalias = g_strdup_printf(SYS "%s/modalias", bdf);
	g_autofree char *link = g_strdup_printf(SYS "%s/driver", bdf);
	g_autofree char *target = g_strdup_printf("../../../bus/pci/drivers/%s", driver);
	g_autofree char *group = g_strdup_printf(SYS "%s/iommu_group", bdf);
	g_autofree char *member =
		g_strdup_printf("sys/kernel/iommu_groups/22/devices/%s", bdf);

	tree_put(&x->tree, vendor, "0x1f9d\n");
	tree_put(&x->tree, device, "0x1100\n");
	tree_put(&x->tree, subvendor, "0x1f9d\n");
	tree_put(&x->tree, subdevice, "0x0001\n");
	tree_put(&x->tree, class, "0x120000\n");
	tree_put(&x->tree, modalias,
		"pci:v00001F9Dd00001100sv00001F9Dsd00000001bc12sc00i00\n");
	if (*driver)
		sysroot_link(&x->tree.files, link, target);
	sysroot_link(&x->tree.files, group, "../../../../kernel/iommu_groups/22");
	sysroot_link(&x->tree.files, member, "../../../../bus/pci/devices/0000");
}

static inline void setup(struct fixture *x)
{
	*x = (struct fixture){ .all = g_ptr_array_new() };
	tree_open(&x->tree);
	for (size_t i = 0; i < G_N_ELEMENTS(x->tx); i++) {
		x->tx[i] = (struct mp_tx){
			.id = (char *)(i ? "0002" : "0001"),
			.title = (char *)"setup " CARD,
			.boot_id = (char *)BEFORE,
			.state = MP_TX_APPLIED,
			.promises = json_object_new_array(),
		};
		g_ptr_array_add(x->all, &x->tx[i]);
	}
	tree_put(&x->tree, "proc/sys/kernel/random/boot_id", NOW "\n");
	tree_put(&x->tree, "proc/sys/kernel/osrelease", KERNEL "\n");
	tree_put(&x->tree, "proc/modules", "vfio_pci 1 0 - Live 0x0\n");
	tree_put(&x->tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz-" KERNEL
		" root=/dev/sda1 ro intel_iommu=on,sm_on\n");
	tree_put(&x->tree, "etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	tree_put(&x->tree, "boot/grub/grub.cfg",
		"linux /boot/vmlinuz-" KERNEL " root=/dev/sda1 ro intel_iommu=on\n");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.dep",
		"kernel/vfio-pci.ko:\nupdates/metis.ko:\n");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.builtin", "");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.alias",
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n");
	tree_put(&x->tree, "metis-passthrough/klog",
		"[    0.000000] Linux version 6.8\n[    1.000000] usb: 1\n");
	put_device(x, CARD, "vfio-pci");
}

static inline void forget(struct fixture *x)
{
	g_clear_pointer(&x->findings, g_ptr_array_unref);
	g_clear_pointer(&x->host, mp_host_free);
}

static inline void teardown(struct fixture *x)
{
	forget(x);
	for (size_t i = 0; i < G_N_ELEMENTS(x->tx); i++)
		json_object_put(x->tx[i].promises);
	g_ptr_array_unref(x->all);
	tree_close(&x->tree);
}

static inline void promise(struct fixture *x, unsigned tx, const char *json)
{
	json_object *object = json_tokener_parse(json);

	assert_non_null(object);
	json_object_array_add(x->tx[tx].promises, object);
}

static inline void judge(struct fixture *x)
{
	forget(x);
	x->host = mp_host_load(x->tree.root, MP_TOPIC_ALL, NULL);
	assert_non_null(x->host);
	x->findings = mp_promises_judge(x->host, x->tree.root, x->all, &x->pending);
}

/* The only finding has this severity, and PART in its summary, evidence or remedy. */
static inline void expect(
	struct fixture *x, enum mp_severity severity, const char *id, const char *part)
{
	const struct mp_finding *finding;
	g_autoptr(GString) text = g_string_new(NULL);

	judge(x);
	assert_int_equal(x->findings->len, 1);
	finding = x->findings->pdata[0];
	assert_string_equal(finding->id, id);
	g_string_append_printf(text, "%s\n%s\n", finding->summary,
		finding->remedy ? finding->remedy : "");
	for (guint i = 0; i < finding->evidence->len; i++)
		g_string_append_printf(text, "%s\n",
			((const struct mp_evidence *)finding->evidence->pdata[i])->value);
	if (finding->severity != severity || !strstr(text->str, part))
		fail_msg("%s: %s, expected %s with '%s' in:\n%s", id,
			mp_severity_name(finding->severity), mp_severity_name(severity),
			part, text->str);
	/* Whoever reads a difference wants to know what to do. */
	assert_true(finding->severity != MP_FAIL || finding->remedy ||
		    strstr(finding->summary, "see status-pin"));
}

static inline void remove_path(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->tree.files.path, path, NULL);

	sysroot_remove_tree(full);
}

#endif
