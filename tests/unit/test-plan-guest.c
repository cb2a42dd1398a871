/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan does to a VM, a mapping and the hookscript: on captured hosts, with the VM's
 * configuration replaced. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/pin.h"
#include "core/plan.h"
#include "core/plan/vm-value.h"
#include "core/vm.h"
#include "unit.h"

struct world {
	struct mp_root *root;
	struct mp_host *host;
	struct mp_config config;
	struct mp_wish wish;
	struct mp_plan *plan;
};

static void world_open(struct world *w, const char *name)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path =
		g_strdup_printf("%s/tests/hosts/%s.snap", top ? top : ".", name);
	g_autoptr(GError) error = NULL;

	*w = (struct world){ 0 };
	w->root = mp_root_open(path, &error);
	if (!w->root)
		fail_msg("%s", error->message);
	w->host = mp_host_load(w->root, MP_TOPIC_ALL, &error);
	if (!w->host)
		fail_msg("%s", error->message);
	w->config.cards = g_ptr_array_new();
	w->config.waivers = g_ptr_array_new();
	w->wish = (struct mp_wish){
		.host = w->host,
		.root = w->root,
		.config = &w->config,
		.devices = g_ptr_array_new(),
		.profiles =
			g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free),
		.binding = "auto",
		.vm = "101",
	};
}

static void want(struct world *w, const char *bdf)
{
	struct mp_pci *device = mp_host_device(w->host, bdf);

	assert_non_null(device);
	g_ptr_array_add(w->wish.devices, device);
	g_ptr_array_add(w->wish.profiles, mp_profile_for_device(device, NULL));
}

static void world_close(struct world *w)
{
	mp_plan_free(w->plan);
	g_ptr_array_unref(w->wish.devices);
	g_ptr_array_unref(w->wish.profiles);
	g_ptr_array_unref(w->config.cards);
	g_ptr_array_unref(w->config.waivers);
	mp_host_free(w->host);
	mp_root_free(w->root);
}

/* VM 101 of the host is as TEXT says; it does not run. */
static struct mp_vm *put_vm(struct world *w, const char *id, const char *text)
{
	GPtrArray *vms = w->host->guests->vms;
	struct mp_vm *vm = mp_vm_parse(w->host, id, "/x.conf", text, strlen(text));

	mp_vm_resolve(w->host, vm);
	for (guint i = 0; i < vms->len; i++)
		if (!strcmp(((struct mp_vm *)vms->pdata[i])->id, id)) {
			vms->pdata[i] = vm;
			return vm;
		}
	g_ptr_array_add(vms, vm);
	return vm;
}

static void make(struct world *w)
{
	mp_plan_free(w->plan);
	w->plan = mp_plan_make(&w->wish);
}

static const struct mp_step *step_of(const struct world *w, const struct mp_step_ops *ops)
{
	const struct mp_step *found = NULL;

	for (guint i = 0; i < w->plan->steps->len; i++) {
		const struct mp_step *step = w->plan->steps->pdata[i];

		if (step->ops != ops)
			continue;
		assert_null(found);
		found = step;
	}
	return found;
}

/* "machine=q35 hostpci0=..." of the step on the VM, "" without one. */
static char *set_of(const struct world *w)
{
	const struct mp_step *step = step_of(w, &mp_step_vm);
	GString *text = g_string_new(NULL);
	json_object *set = NULL;

	if (step && json_object_object_get_ex(step->want, "set", &set)) {
		json_object_object_foreach(set, key, value)
		{
			g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", key,
				json_object_get_string(value));
		}
	}
	return g_string_free(text, FALSE);
}

static bool says(const GPtrArray *remarks, const char *words)
{
	for (guint i = 0; i < remarks->len; i++)
		if (strstr(((struct mp_plan_remark *)remarks->pdata[i])->text, words))
			return true;
	return false;
}

#define assert_set(w, expected)                                                          \
	do {                                                                             \
		g_autofree char *set_ = NULL;                                            \
		make(w);                                                                 \
		set_ = set_of(w);                                                        \
		assert_string_equal(set_, expected);                                     \
	} while (0)

#define assert_says(remarks, words)                                                      \
	do {                                                                             \
		if (!says(remarks, words))                                               \
			fail_msg("nothing says '%s'", words);                            \
	} while (0)

#define assert_obstacle(w, words)                                                        \
	do {                                                                             \
		make(w);                                                                 \
		assert_says((w)->plan->obstacles, words);                                \
	} while (0)

static void machines(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *now, *viommu, *then;
	} cases[] = {
		{ NULL, NULL, "q35" },
		{ "pc", NULL, "q35" },
		{ "pc-i440fx-9.2+pve1", NULL, "pc-q35-9.2+pve1" },
		{ "pc-8.1", NULL, "pc-q35-8.1" },
		{ "q35", NULL, "q35" },
		{ "pc-q35-9.0,viommu=intel", NULL, "pc-q35-9.0,viommu=intel" },
		{ "viommu=virtio,type=q35", NULL, "viommu=virtio,type=q35" },
		{ "viommu=virtio", NULL, "q35,viommu=virtio" },
		{ "q35", "intel", "q35,viommu=intel" },
		{ "q35,viommu=virtio,enable-s3=1", "intel",
			"q35,viommu=intel,enable-s3=1" },
		{ "viommu=intel,type=q35", "intel", "viommu=intel,type=q35" },
		{ "q35,viommu=intel,aw-bits=48", "off", "q35" },
		{ "q35,viommu=intel,aw-bits=48", "intel", "q35,viommu=intel,aw-bits=48" },
		{ "virt", NULL, NULL },
		{ "virt-9.0", NULL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *then = mp_vm_machine_for(cases[i].now, cases[i].viommu);

		if (g_strcmp0(then, cases[i].then) != 0)
			fail_msg("%s with %s: %s, not %s", cases[i].now, cases[i].viommu,
				then, cases[i].then);
	}
}

static void a_bare_vm_gets_it_all(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	put_vm(&w, "101", "memory: 4096\nname: x\n");
	assert_set(&w, "machine=q35 hostpci0=0000:86:00.0,pcie=1 balloon=0");
	assert_int_equal(w.plan->obstacles->len, 0);
	assert_says(w.plan->notes, "its machine becomes q35");
	assert_says(w.plan->notes, "counts from its next start on");
	/* The step comes last. */
	const struct mp_step *last = w.plan->steps->pdata[w.plan->steps->len - 1];
	assert_ptr_equal(last->ops, &mp_step_vm);

	put_vm(&w, "101",
		"balloon: 0\nhostpci0: 0000:86:00.0,pcie=1\nmachine: q35\nname: x\n");
	assert_set(&w, "");
	assert_false(says(w.plan->notes, "counts from its next start on"));
	/* The promise is kept all the same. */
	assert_non_null(strstr(json_object_to_json_string(w.plan->promises),
		"\"hostpci0\", \"value\": \"0000:86:00.0,pcie=1\""));

	w.config.hugepages = (char *)"1024";
	w.config.viommu = (char *)"intel";
	assert_set(&w, "machine=q35,viommu=intel numa=1 hugepages=1024");
	world_close(&w);
}

static void pending_changes_count(void **state G_GNUC_UNUSED)
{
	struct world w;
	struct mp_vm *vm;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	vm = put_vm(&w, "101",
		"memory: 4096\n[PENDING]\nballoon: 0\nhostpci0: 86:00,pcie=1\nmachine: q35\n");
	vm->running = true;
	assert_set(&w, "");
	vm = put_vm(&w, "101",
		"balloon: 0\nhostpci0: 86:00.0,pcie=1\nmachine: q35\n[PENDING]\n"
		"delete: hostpci0\n");
	vm->running = true;
	assert_set(&w, "hostpci0=0000:86:00.0,pcie=1");
	assert_says(w.plan->notes, "waits as pending");
	world_close(&w);
}

static void lines_are_kept_or_corrected(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
#define VM(lines) "balloon: 0\nmachine: q35\n" lines
	put_vm(&w, "101", VM("hostpci3: 86:00.0,rombar=0\n"));
	assert_set(&w, "hostpci3=0000:86:00.0,pcie=1,rombar=0");
	put_vm(&w, "101",
		VM("hostpci0: 0000:18:00.0\nhostpci1: host=0000:86:00,pcie=on\n"));
	assert_set(&w, "");
	put_vm(&w, "101", VM("hostpci0: 0000:18:00.0\nhostpci2: 0000:18:00.1\n"));
	assert_set(&w, "hostpci1=0000:86:00.0,pcie=1");
	/* What Proxmox VE drops leaves its number free. */
	put_vm(&w, "101", VM("hostpci0: 0000:8A:00.0, pcie=1\n"));
	assert_set(&w, "hostpci0=0000:86:00.0,pcie=1");
	assert_says(w.plan->notes, "deletes it for good");

	put_vm(&w, "101", VM("hostpci0: 86:00.0\nhostpci1: 0000:86:00.0,pcie=1\n"));
	assert_obstacle(&w, "both name 0000:86:00.0");
	put_vm(&w, "101", VM("hostpci0: 86:00.0;18:00.0\n"));
	assert_obstacle(&w, "joins 0000:86:00.0 with another device");
	put_vm(&w, "101", VM("hostpci0: 86:00.0,mdev=x\n"));
	assert_obstacle(&w, "mdev=x");
	world_close(&w);
}

static void no_line_is_left(void **state G_GNUC_UNUSED)
{
	g_autoptr(GString) text = g_string_new("balloon: 0\nmachine: q35\n");
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	for (int i = 0; i < MP_VM_HOSTPCI_MAX; i++)
		g_string_append_printf(text, "hostpci%d: 0000:18:00.0\n", i);
	put_vm(&w, "101", text->str);
	assert_obstacle(&w, "16 hostpci lines are in use");
	world_close(&w);
}

static void vms_that_may_not_be_changed(void **state G_GNUC_UNUSED)
{
	struct mp_vm *other;
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	put_vm(&w, "101", "lock: backup\n");
	assert_obstacle(&w, "locked (backup)");
	put_vm(&w, "101", "template: 1\n");
	assert_obstacle(&w, "it is a template");
	put_vm(&w, "101", "arch: aarch64\nmachine: virt\n");
	assert_obstacle(&w, "no q35 counterpart");
	put_vm(&w, "101", "hostpci0: 00:02.0,legacy-igd=1\n");
	assert_obstacle(&w, "legacy-igd");
	put_vm(&w, "101", "memory: 1\n");
	other = put_vm(&w, "202", "hostpci0: 86:00\n");
	make(&w);
	assert_says(w.plan->notes, "VM 202 names 0000:86:00.0 too");
	other->running = true;
	assert_obstacle(&w, "VM 202 is running with 0000:86:00.0");
	w.wish.vm = "999";
	assert_obstacle(&w, "there is no such VM on node");
	world_close(&w);
	world_open(&w, "debian-libvirt");
	want(&w, ((struct mp_pci *)w.host->devices->pdata[0])->bdf);
	assert_obstacle(&w, "no Proxmox VE host");
	world_close(&w);
}

static void mapping_of(struct world *w, const char *text)
{
	g_ptr_array_set_size(w->host->guests->mappings, 0);
	mp_mappings_parse(w->host, w->host->guests, text, strlen(text));
	w->host->guests->mappings_fact =
		mp_fact_known(w->host, "/etc/pve/mapping/pci.cfg", "read");
}

#define MAP                                                                              \
	"id=1f9d:1100,iommugroup=22,node=node1,path=0000:86:00.0,"                       \
	"subsystem-id=1f9d:0001"

static void mappings(void **state G_GNUC_UNUSED)
{
	const struct mp_step *step;
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	w.wish.mapping = "Metis";
	put_vm(&w, "101", VM("hostpci1: 0000:86:00.0,pcie=1,rombar=0\n"));
	assert_set(&w, "hostpci1=mapping=Metis,pcie=1,rombar=0");
	step = step_of(&w, &mp_step_mapping);
	assert_string_equal(mp_step_text_or_null(step->want, "map"), MAP);
	assert_non_null(strstr(json_object_to_json_string(w.plan->promises), MAP));

	/* Right already, in another order and with a remark; the line is by it. */
	mapping_of(&w,
		"Metis\n\tmap node=node1,id=1f9d:1100,path=0000:86:00.0,iommugroup=22,"
		"subsystem-id=1f9d:0001,description=A\n\n");
	put_vm(&w, "101", VM("hostpci0: mapping=Metis,pcie=1\n"));
	assert_set(&w, "");
	assert_null(step_of(&w, &mp_step_mapping));

	/* Wrong: corrected, the remark kept. */
	mapping_of(&w,
		"Metis\n\tmap node=node1,id=1F9D:1100,path=0000:86:00.0,iommugroup=3,"
		"description=A\n\tmap node=n2,id=1f9d:1100,path=0000:86:00.0\n\n");
	make(&w);
	step = step_of(&w, &mp_step_mapping);
	assert_string_equal(
		mp_step_text_or_null(step->want, "map"), "description=A," MAP);
	assert_null(mp_step_text_or_null(step->want, "replaces"));

	/* The card moved. */
	mapping_of(&w, "Metis\n\tmap node=node1,id=1f9d:1100,path=0000:a6:00.0\n\n");
	make(&w);
	step = step_of(&w, &mp_step_mapping);
	assert_string_equal(mp_step_text_or_null(step->want, "replaces"), "0000:a6:00.0");
	assert_int_equal(w.plan->obstacles->len, 0);

	/* Something else is stale. */
	mapping_of(&w, "Metis\n\tmap node=node1,id=8086:1521,path=0000:a6:00.0\n\n");
	assert_obstacle(&w, "0000:a6:00.0 for this node too");
	mapping_of(&w, "Metis\n\tmap nonsense\n\n");
	assert_obstacle(&w, "ignores this mapping");
	mapping_of(&w, "Metis\n\tmap " MAP "\n\tmdev 1\n\n");
	assert_obstacle(&w, "mediated devices");
	mapping_of(&w, "");
	w.wish.mapping = "9x";
	assert_obstacle(&w, "no name for a resource mapping");
	world_close(&w);

	world_open(&w, "vtd-unused");
	want(&w, "0000:86:00.0");
	w.wish.mapping = "Metis";
	assert_obstacle(&w, "in no IOMMU group yet");
	world_close(&w);
}

static void two_cards_of_one_mapping(void **state G_GNUC_UNUSED)
{
	const struct mp_step *step;
	struct world w;
	unsigned count = 0;

	world_open(&w, "same-id-twins");
	want(&w, "0000:86:00.0");
	for (guint i = 0; i < w.host->devices->len; i++) {
		struct mp_pci *device = w.host->devices->pdata[i];

		if (device->vendor == 0x1f9d && strcmp(device->bdf, "0000:86:00.0") != 0)
			want(&w, device->bdf);
	}
	assert_int_equal(w.wish.devices->len, 2);
	w.wish.mapping = "metis";
	put_vm(&w, "101", VM("hostpci4: mapping=metis,pcie=1\n"));
	assert_set(&w, "hostpci0=mapping=metis,pcie=1");
	for (guint i = 0; i < w.plan->steps->len; i++) {
		step = w.plan->steps->pdata[i];
		count += step->ops == &mp_step_mapping;
	}
	assert_int_equal(count, 2);
	world_close(&w);
}

static const struct mp_plan_file *hook_file(const struct world *w)
{
	for (guint i = 0; i < w->plan->files->len; i++) {
		const struct mp_plan_file *file = w->plan->files->pdata[i];

		if (g_str_has_suffix(file->path, "s/metis-passthrough"))
			return file;
	}
	return NULL;
}

static void storages_of(struct world *w, const char *text)
{
	g_ptr_array_set_size(w->host->guests->storages, 0);
	mp_storages_parse(w->host, w->host->guests, text, strlen(text));
}

static void hookscript(void **state G_GNUC_UNUSED)
{
	const struct mp_plan_file *file;
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	w.wish.hook = true;
	put_vm(&w, "101", VM("hostpci0: 0000:86:00.0,pcie=1\n"));
	assert_set(&w, "hookscript=local:snippets/metis-passthrough");
	file = hook_file(&w);
	assert_non_null(file);
	assert_string_equal(file->path, "/var/lib/vz/snippets/metis-passthrough");
	assert_int_equal(file->mode, 0755);
	assert_true(g_str_has_prefix(file->content, "#!/bin/sh\n"));
	assert_non_null(
		strstr(file->content, "program='" MP_BINDIR "/metis-passthrough'"));
	assert_null(strstr(file->content, "@HEAD@"));

	storages_of(&w, "btrfs: local\n\tpath /data\n\tcontent-dirs snippets=hooks\n");
	make(&w);
	assert_string_equal(hook_file(&w)->path, "/data/hooks/metis-passthrough");
	storages_of(&w, "dir: local\n\tpath /data\n");
	make(&w);
	file = hook_file(&w);
	assert_string_equal(file->path, "/data/snippets/metis-passthrough");
	storages_of(&w, "nfs: local\n\tpath /mnt/pve/local\n");
	assert_obstacle(&w, "no directory of this node but of type nfs");
	storages_of(&w, "");

	w.wish.vm = NULL;
	assert_obstacle(&w, "none is named");
	world_close(&w);
}

static const struct mp_plan_file *note_file(const struct world *w)
{
	for (guint i = 0; i < w->plan->files->len; i++) {
		const struct mp_plan_file *file = w->plan->files->pdata[i];

		if (!strcmp(file->path, "/etc/metis-passthrough/hookscripts/101"))
			return file;
	}
	return NULL;
}

/* The one that the VM had is written down before anything else is changed. */
static void earlier_hookscript(void **state G_GNUC_UNUSED)
{
	const struct mp_plan_file *file;
	struct mp_storage *local;
	struct world w;

	world_open(&w, "forum-node");
	want(&w, "0000:86:00.0");
	w.wish.hook = true;
	put_vm(&w, "101", VM("hostpci0: 0000:86:00.0,pcie=1\n"));
	make(&w);
	assert_null(note_file(&w));

	put_vm(&w, "101", VM("hookscript: nfs:snippets/theirs\n"));
	storages_of(&w, "nfs: nfs\n\tpath /mnt/pve/nfs\n\tserver x\n\texport /x\n");
	make(&w);
	assert_int_equal(w.plan->obstacles->len, 0);
	file = note_file(&w);
	assert_non_null(file);
	assert_true(g_str_has_prefix(file->content, "# "));
	assert_true(g_str_has_suffix(file->content, "\n/mnt/pve/nfs/snippets/theirs\n"));
	assert_non_null(strstr(file->content, "nfs:snippets/theirs"));
	assert_true(file->changed);

	put_vm(&w, "101", VM("hookscript: what:snippets/theirs\n"));
	assert_obstacle(&w, "what:snippets/theirs cannot be called by ours");
	put_vm(&w, "101", VM("hookscript: local:iso/theirs\n"));
	assert_obstacle(&w, "not of the form STORAGE:snippets/NAME");
	put_vm(&w, "101", VM("hookscript: local:snippets/theirs\n"));
	local = mp_host_storage(w.host, "local");
	local->looked = mp_fact_known(w.host, "/var/lib/vz/snippets", "listed");
	assert_obstacle(&w, "there is no such file");
	world_close(&w);
}

/* Cards that the configuration has for another VM are not given to this one. */
static void only_what_was_asked_for(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_pin) pin = NULL;
	struct world w;

	world_open(&w, "forum-node");
	pin = mp_pin_of(mp_host_device(w.host, "0000:86:00.0"));
	g_ptr_array_add(w.config.cards, pin);
	want(&w, "0000:18:00.0");
	put_vm(&w, "102", VM(""));
	w.wish.vm = "102";
	w.config.vm = (char *)"101";
	assert_set(&w, "hostpci0=0000:18:00.0,pcie=1");
	w.config.vm = (char *)"102";
	assert_set(&w, "hostpci0=0000:18:00.0,pcie=1 hostpci1=0000:86:00.0,pcie=1");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines),
		cmocka_unit_test(a_bare_vm_gets_it_all),
		cmocka_unit_test(pending_changes_count),
		cmocka_unit_test(lines_are_kept_or_corrected),
		cmocka_unit_test(no_line_is_left),
		cmocka_unit_test(vms_that_may_not_be_changed),
		cmocka_unit_test(mappings),
		cmocka_unit_test(two_cards_of_one_mapping),
		cmocka_unit_test(hookscript),
		cmocka_unit_test(earlier_hookscript),
		cmocka_unit_test(only_what_was_asked_for),
	};

	return cmocka_run_group_tests_name("plan-guest", tests, NULL, NULL);
}
