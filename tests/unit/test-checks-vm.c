/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of a VM's configuration, on hosts built by hand. */
#include "config.h"

#include "checks-vm-scene.h"

#define MAPPING "metis\n\tmap node=pve1,path=0000:86:00.0,id=1f9d:1100,"

static struct mp_vm *add_vm(struct world *w, const char *id, const char *text)
{
	struct mp_vm *vm = mp_vm_parse(w->host, id, id, text, strlen(text));

	mp_vm_resolve(w->host, vm);
	vm->running_fact = mp_fact_absent(w->host, "test");
	g_ptr_array_add(w->host->guests->vms, vm);
	return vm;
}

static bool has_evidence(const struct mp_finding *finding, const char *part)
{
	for (guint i = 0; i < finding->evidence->len; i++)
		if (strstr(((struct mp_evidence *)finding->evidence->pdata[i])->value,
			    part))
			return true;
	return false;
}

#define GOOD                                                                             \
	"machine: q35\nhostpci0: 86:00.0,pcie=1\nmemory: 8192\nballoon: 0\nagent: 1\n"

static const struct {
	const char *check;
	const char *config;
	enum mp_severity severity;
	const char *part;
} cases[] = {
	{ "vm-config-valid", GOOD, MP_PASS, "every line" },
	{ "vm-config-valid", GOOD "hostpci1: 8A:00.0\n", MP_FAIL, "line 6" },
	{ "vm-config-valid", GOOD "Hostpci1: 87:00.0\n", MP_FAIL, "line 6" },
	{ "vm-config-valid", "machine: Q35\n", MP_FAIL, "line 1" },
	{ "vm-config-valid", GOOD "colour: blue\n", MP_WARN, "unknown setting" },
	{ "vm-config-valid", GOOD "[my section]\nx: y\n", MP_WARN, "unknown section" },
	{ "vm-config-valid", GOOD "memory: 4096\n", MP_INFO, "already" },
	{ "vm-config-valid", GOOD "[PENDING]\nmemory: 1024\n", MP_INFO,
		"1 change waits" },
	{ "vm-config-valid", GOOD "template: 1\n", MP_WARN, "template" },

	{ "vm-config-valid", GOOD "lock: backup\n", MP_WARN, "locked (backup)" },
	{ "vm-config-valid", GOOD "[PENDING]\nhostpci1: 8A:00.0\n", MP_FAIL, "line 7" },

	{ "vm-machine", GOOD, MP_PASS, "q35" },
	{ "vm-machine", "[PENDING]\nmachine: q35\nhostpci0: 86:00.0,pcie=1\n", MP_PASS,
		"q35" },
	{ "vm-machine", GOOD "[PENDING]\ndelete: machine\n", MP_FAIL, "needs the q35" },
	{ "vm-machine", GOOD "kvm: 0\n", MP_WARN, "without KVM" },
	{ "vm-machine", GOOD "kvm: 1\n", MP_PASS, "q35" },
	{ "vm-machine", "hostpci0: 86:00.0,pcie=1\n", MP_FAIL, "needs the q35" },
	{ "vm-machine", "hostpci0: 86:00.0\n", MP_WARN, "no PCI Express bus" },
	{ "vm-machine", "machine: pc,viommu=intel\n", MP_FAIL, "Intel vIOMMU needs" },
	{ "vm-machine", "machine: q35,viommu=intel,aw-bits=40\n", MP_FAIL, "39 or 48" },
	{ "vm-machine", "machine: q35,aw-bits=48\n", MP_FAIL, "without a vIOMMU" },
	{ "vm-machine", "machine: pc-q35-9.2+pve1,viommu=intel,aw-bits=39\n", MP_PASS,
		"fits" },

	{ "vm-hostpci", GOOD, MP_PASS, "1 device" },
	{ "vm-hostpci", "machine: q35\n", MP_FAIL, "does not get 0000:86:00.0" },
	{ "vm-hostpci", "hostpci0: 8A:00.0\n", MP_FAIL, "drops the line" },
	{ "vm-hostpci", "hostpci0: pcie=1\n", MP_FAIL, "host= or mapping=" },
	{ "vm-hostpci", "hostpci0: 86:00.0,mapping=metis\n", MP_FAIL, "not both" },
	{ "vm-hostpci", "hostpci0: 86:00.0\nhostpci1: 99:00.0\n", MP_FAIL, "99:00.0" },
	{ "vm-hostpci", GOOD "hostpci1: 86:00\n", MP_FAIL, "more than once" },
	{ "vm-hostpci", "machine: q35\nhostpci0: 86:00.0\n", MP_WARN, "lacks pcie=1" },
	{ "vm-hostpci", "hostpci0: 86:00.0;87:00.0\n", MP_WARN, "different cards" },
	{ "vm-hostpci", GOOD "hostpci0: 86:00.0,pcie=1,driver=keep\n", MP_WARN, "keep" },

	{ "vm-hostpci", "machine: q35\n[PENDING]\nhostpci0: 86:00.0,pcie=1\n", MP_PASS,
		"1 device" },
	{ "vm-hostpci", GOOD "[PENDING]\ndelete: hostpci0\n", MP_FAIL, "does not get" },
	{ "vm-hostpci", GOOD "[PENDING]\nhostpci1: 8A:00.0\n", MP_FAIL,
		"drops the line" },
	{ "vm-hostpci", "hostpci1: 8A:00.0\n[PENDING]\nhostpci0: 86:00.0\n", MP_FAIL,
		"drops the line" },
	{ "vm-hostpci", GOOD "hostpci0: 86:00.0,legacy-igd=1\nvga: none\n", MP_FAIL,
		"needs the i440fx" },
	{ "vm-hostpci", "hostpci0: 86:00.0,legacy-igd=1\nvga: none\n", MP_FAIL,
		"0000:00:02.0 only" },
	{ "vm-hostpci", "hostpci0: 86:00.0,legacy-igd=1\n", MP_FAIL, "0000:00:02.0" },
	{ "vm-hostpci", "hostpci0: 86:00.0;87:00.0,mdev=type-1\n", MP_FAIL,
		"several functions" },

	{ "vm-device-conflict", GOOD, MP_PASS, "No other VM" },
	{ "vm-device-conflict", "memory: 64\n", MP_SKIP, "no device" },

	{ "vm-mapping", GOOD, MP_SKIP, "no resource mapping" },
	{ "vm-mapping", "hostpci0: mapping=nope\n", MP_FAIL, "no mapping 'nope'" },

	{ "vm-memory", GOOD, MP_PASS, "8192 MiB" },
	{ "vm-memory", "hostpci0: 86:00.0\nmemory: 4096\n", MP_INFO, "balloon device" },
	{ "vm-memory", "hostpci0: 86:00.0\nmemory: 4096\nballoon: 2048\n", MP_WARN,
		"pins all" },
	{ "vm-memory", GOOD "hugepages: 1024\n", MP_FAIL, "need NUMA" },
	{ "vm-memory", GOOD "hugepages: 4\nnuma: 1\n", MP_FAIL, "any, 2 or 1024" },
	{ "vm-memory", GOOD "hugepages: 2\nnuma: 1\n", MP_PASS, "suit" },
	{ "vm-memory", GOOD "hotplug: memory\n", MP_FAIL, "hotplug needs NUMA" },
	{ "vm-memory", GOOD "hotplug: memory\nnuma: 1\n", MP_WARN, "unmapped" },
	{ "vm-memory", GOOD "memory: 49152\n", MP_WARN, "available" },
	{ "vm-memory", GOOD "memory: 131072\n", MP_FAIL, "does not start" },

	{ "vm-viommu", GOOD, MP_PASS, "needs none" },
	{ "vm-viommu", GOOD "machine: q35,viommu=intel\n", MP_WARN, "0x22" },
	{ "vm-viommu", GOOD "machine: q35,viommu=virtio\n", MP_WARN, "virtio vIOMMU" },
	{ "vm-viommu", GOOD "args: -device intel-iommu,caching-mode=on\n", MP_WARN,
		"0x22" },
	{ "vm-viommu", GOOD "args: -device intel-iommu,intremap=off\n", MP_PASS, "none" },

	{ "vm-cpu-address-width", GOOD, MP_PASS, "40 bits" },
	{ "vm-cpu-address-width", GOOD "cpu: host\n", MP_PASS, "46 bits" },
	{ "vm-cpu-address-width", GOOD "cpu: host,phys-bits=52\n", MP_INFO,
		"52 address bits" },
	{ "vm-cpu-address-width", GOOD "cpu: host,phys-bits=52\nbios: ovmf\n", MP_WARN,
		"BARs" },

	{ "vm-hookscript", GOOD, MP_SKIP, "no hookscript" },
	{ "vm-hookscript", "hookscript: local:snippets/good\n", MP_PASS, "executable" },
	{ "vm-hookscript", "hookscript: local:snippets/plain\n", MP_FAIL,
		"not executable" },
	{ "vm-hookscript", "hookscript: local:snippets/gone\n", MP_FAIL,
		"does not exist" },
	{ "vm-hookscript", "hookscript: local:snippets/a/b\n", MP_FAIL, "form" },
	{ "vm-hookscript", "hookscript: local:iso/good\n", MP_FAIL, "form" },
	{ "vm-hookscript", "hookscript: nfs:snippets/x\n", MP_UNSURE, "not known" },
	{ "vm-hookscript", "hookscript: zfs:snippets/x\n", MP_FAIL, "is no directory" },
	{ "vm-hookscript", "hookscript: what:snippets/x\n", MP_FAIL, "does not exist" },

	{ "vm-agent", GOOD, MP_PASS, "enabled" },
	{ "vm-agent", "agent: 0\n", MP_INFO, "no guest agent" },

	{ "vm-args", GOOD, MP_PASS, "no args" },
	{ "vm-args", GOOD "args: -set device.hostpci0.x-no-kvm-intx=on\n", MP_PASS,
		"Nothing" },
	{ "vm-args", GOOD "args: -set device.hostpci1.x=on\n", MP_FAIL, "hostpci1" },
	{ "vm-args", GOOD "args: -device vfio-pci,host=87:00.0\n", MP_FAIL,
		"87:00.0 by args" },
	{ "vm-args", GOOD "args: -machine kernel-irqchip=split\n", MP_WARN, "split" },
	{ "vm-args", GOOD "args: -device 'intel-iommu,intremap=on'\n", MP_FAIL,
		"caching-mode" },
	{ "vm-args", GOOD "args: -device intel-iommu,caching-mode=on\n", MP_WARN,
		"puts it first" },
	{ "vm-args", GOOD "args: -name \"a\n", MP_FAIL, "cannot be split" },
	{ "vm-args", GOOD "args: -set device.hostpci0.x-no-mmap=on\n", MP_WARN,
		"debugging" },

	{ "card-interrupt-delivery", GOOD, MP_WARN, "0x25" },
	{ "card-interrupt-delivery", GOOD "machine: q35,viommu=intel\n", MP_WARN,
		"0x22" },
	{ "card-interrupt-delivery", GOOD "machine: q35,viommu=virtio\n", MP_WARN,
		"0x25" },
};

static void add_storages(struct world *w)
{
	static const char text[] =
		"nfs: nfs\n\tpath /mnt/pve/nfs\n\nzfspool: zfs\n\tpool x\n";
	static struct mp_snippet good = { "good", true, true },
				 plain = { "plain", true, false };
	struct mp_storage *storage;

	mp_storages_parse(w->host, w->host->guests, text, strlen(text));
	storage = mp_host_storage(w->host, "local");
	storage->looked = known(w, "listed");
	g_ptr_array_add(storage->files, &good);
	g_ptr_array_add(storage->files, &plain);
	mp_host_storage(w->host, "nfs")->looked =
		mp_fact_unknown(w->host, "/mnt/pve/nfs", "x");
}

static void configurations(void **state G_GNUC_UNUSED)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct world w;

		world_init(&w);
		add_storages(&w);
		w.vm = add_vm(&w, "101", cases[i].config);
		expect_finding(&w, cases[i].check, cases[i].severity, cases[i].part);
		world_clear(&w);
	}
}

/* Ours, and what it calls for the VM. */
static void hookscript_of_ours(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *earlier, *problem;
		enum mp_severity severity;
		const char *part;
	} outcomes[] = {
		{ "", NULL, MP_PASS, "exists and is executable" },
		{ "/var/lib/vz/snippets/good", NULL, MP_PASS,
			"the earlier one that it calls" },
		{ "/var/lib/vz/snippets/plain", NULL, MP_FAIL,
			"the earlier hookscript /var/lib/vz/snippets/plain is not executable" },
		{ "/var/lib/vz/snippets/gone", NULL, MP_FAIL, "does not exist" },
		{ "/mnt/pve/nfs/snippets/x", NULL, MP_UNSURE, "the earlier hookscript" },
		{ "/root/x", NULL, MP_UNSURE, "not known whether the earlier" },
		{ NULL, "it names no script", MP_FAIL, "it names no script" },
		{ NULL, NULL, MP_UNSURE, "not known whether the earlier" },
	};
	static struct mp_snippet ours = { "metis-passthrough", true, true };

	for (size_t i = 0; i < G_N_ELEMENTS(outcomes); i++) {
		const char *path = outcomes[i].earlier;
		struct world w;

		world_init(&w);
		add_storages(&w);
		g_ptr_array_add(mp_host_storage(w.host, "local")->files, &ours);
		w.vm = add_vm(
			&w, "101", "hookscript: local:snippets/metis-passthrough\n");
		w.vm->earlier_hookscript = !path ? mp_fact_unknown(w.host, "/note", "why")
					   : *path ? mp_fact_known(w.host, "/note", path)
						   : mp_fact_absent(w.host, "/note");
		w.vm->earlier_problem = outcomes[i].problem;
		expect_finding(
			&w, "vm-hookscript", outcomes[i].severity, outcomes[i].part);
		world_clear(&w);
	}
}

static void remedies_are_commands(void **state G_GNUC_UNUSED)
{
	struct world w;
	const struct mp_finding *finding;

	world_init(&w);
	w.vm = add_vm(&w, "101", "hostpci0: 8A:00.0,pcie=1\n");
	finding = run(&w, "vm-config-valid");
	assert_string_equal(
		finding->remedy, "run: qm set 101 --hostpci0 '8a:00.0,pcie=1'");
	w.vm = mp_vm_parse(w.host, "file", "/tmp/x.conf", "", 0);
	finding = run(&w, "vm-hostpci");
	assert_string_equal(finding->remedy,
		"write the line \"hostpci0: 0000:86:00.0\" into /tmp/x.conf");
	world_clear(&w);
}

static void the_map_is_shown(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_init(&w);
	w.vm = add_vm(&w, "101", "memory: 4096\n");
	assert_true(has_evidence(run(&w, "vm-memory"), "0x100000000-0x13fffffff"));
	world_clear(&w);
}

static void narrow_iommu(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_init(&w);
	/* MGAW 39, SAGAW 39: a client chip. */
	add_unit(&w, MP_IOMMU_INTEL, "1c0000c40660462");
	w.vm = add_vm(&w, "101", GOOD);
	expect_finding(&w, "vm-cpu-address-width", MP_INFO, "40 address bits against 39");
	w.vm = add_vm(&w, "102", GOOD "bios: ovmf\n");
	expect_finding(&w, "vm-cpu-address-width", MP_WARN, "against 39");
	assert_string_equal(((struct mp_finding *)w.findings->pdata[0])->remedy,
		"run: qm set 102 --cpu 'x86-64-v2-AES,phys-bits=39'");
	w.vm = add_vm(&w, "103", GOOD "memory: 524288\n");
	expect_finding(&w, "vm-cpu-address-width", MP_FAIL, "RAM ends at");
	g_ptr_array_set_size(w.host->iommu->units, 0);
	expect_finding(&w, "vm-cpu-address-width", MP_UNSURE, "no IOMMU");
	world_clear(&w);
}

static void amd_host(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_init(&w);
	add_unit(&w, MP_IOMMU_AMD, "0");
	w.vm = add_vm(&w, "101", GOOD "cpu: host\n");
	expect_finding(&w, "vm-cpu-address-width", MP_PASS, "48 bits");
	expect_finding(&w, "card-interrupt-delivery", MP_WARN, "IO_PAGE_FAULT");
	world_clear(&w);
}

static void conflicts(void **state G_GNUC_UNUSED)
{
	struct mp_use_entry held = { .bdf = "0000:86:00.0",
		.kind = MP_USE_VM,
		.source = "x",
		.detail = "/dev/vfio/22 is open in kvm of VM 1011 (pid 7)" };
	struct world w;
	struct mp_vm *other;

	world_init(&w);
	w.vm = add_vm(&w, "101", GOOD);
	other = add_vm(&w, "102", "hostpci0: 86:00\n");
	expect_finding(&w, "vm-device-conflict", MP_INFO, "does not run now");
	other->onboot = true;
	expect_finding(&w, "vm-device-conflict", MP_WARN, "starts with the host");
	other->running = true;
	expect_finding(&w, "vm-device-conflict", MP_FAIL, "VM 102 runs");
	other->running = false;
	other->running_fact = mp_fact_unknown(w.host, "x", "y");
	expect_finding(&w, "vm-device-conflict", MP_UNSURE, "not known whether it runs");
	other->hostpci = mp_host_array(w.host);
	g_ptr_array_add(w.host->use->entries, &held);
	expect_finding(&w, "vm-device-conflict", MP_FAIL, "is in use");
	held.detail = "held by VM 101, which runs (pid 7)";
	expect_finding(&w, "vm-device-conflict", MP_PASS, "No other VM");
	w.host->guests->reservations_fact = mp_fact_unknown(w.host, "x", "y");
	expect_finding(
		&w, "vm-device-conflict", MP_UNSURE, "reservations could not be read");
	w.host->guests->reservations_fact = known(&w, "read");
	w.host->guests->vms_fact = mp_fact_unknown(w.host, "x", "y");
	expect_finding(&w, "vm-device-conflict", MP_UNSURE, "could not be read");
	world_clear(&w);
}

static void map_with(struct world *w, const char *rest)
{
	g_autofree char *text = g_strconcat(MAPPING, rest, "\n", NULL);

	g_ptr_array_set_size(w->host->guests->mappings, 0);
	mp_mappings_parse(w->host, w->host->guests, text, strlen(text));
	mp_vm_resolve(w->host, w->vm);
}

static void mappings(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_init(&w);
	w.vm = add_vm(&w, "101", "machine: q35\nhostpci0: mapping=metis,pcie=1\n");
	map_with(&w, "iommugroup=22,subsystem-id=1f9d:0001\n"
		     "\tmap node=pve2,path=0000:03:00.0,id=1f9d:1100");
	expect_finding(&w, "vm-mapping", MP_PASS, "describes");
	expect_finding(&w, "vm-hostpci", MP_PASS, "1 device");
	map_with(&w, "iommugroup=42,subsystem-id=1f9d:0001\n"
		     "\tmap node=pve2,path=0000:03:00.0,id=1f9d:1100");
	expect_finding(&w, "vm-mapping", MP_FAIL, "iommugroup=42");
	assert_string_equal(((struct mp_finding *)w.findings->pdata[0])->remedy,
		"run: pvesh set /cluster/mapping/pci/metis --map "
		"'node=pve1,path=0000:86:00.0,id=1f9d:1100,iommugroup=22,subsystem-id=1f9d:0001' "
		"--map 'node=pve2,path=0000:03:00.0,id=1f9d:1100'");
	map_with(&w, "iommugroup=22");
	expect_finding(&w, "vm-mapping", MP_FAIL, "lacks subsystem-id=1f9d:0001");
	map_with(&w, "subsystem-id=1f9d:0001");
	expect_finding(&w, "vm-mapping", MP_FAIL, "lacks iommugroup=22");
	map_with(&w, "iommugroup=22,subsystem-id=1F9D:0001");
	expect_finding(&w, "vm-mapping", MP_FAIL, "lower case counts");
	map_with(&w, "iommugroup=22,colour=blue");
	expect_finding(&w, "vm-mapping", MP_FAIL, "drops the whole mapping");
	map_with(&w, "iommugroup=22,subsystem-id=1f9d:0001");
	w.host->guests->node = known(&w, "pve9");
	expect_finding(&w, "vm-mapping", MP_FAIL, "nothing for node pve9");
	w.host->guests->node = known(&w, "pve1");
	w.card->subvendor = 0xffff;
	expect_finding(&w, "vm-mapping", MP_UNSURE, "could not be read");
	w.host->guests->mappings_fact = mp_fact_unknown(w.host, "x", "y");
	expect_finding(&w, "vm-mapping", MP_UNSURE, "not known");
	world_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations),
		cmocka_unit_test(hookscript_of_ours),
		cmocka_unit_test(remedies_are_commands),
		cmocka_unit_test(the_map_is_shown),
		cmocka_unit_test(narrow_iommu),
		cmocka_unit_test(amd_host),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(mappings),
	};

	return cmocka_run_group_tests_name("checks-vm", tests, NULL, NULL);
}
