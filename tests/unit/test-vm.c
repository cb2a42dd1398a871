/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/error.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/vm.h"
#include "unit.h"

static struct mp_host *host_with_qemu(const char *version)
{
	struct mp_host *host = mp_host_new("test", false);

	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	if (version)
		host->platform->qemu_server = mp_fact_known(host, "test", version);
	return host;
}

static struct mp_pci *add_device(struct mp_host *host, const char *bdf)
{
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));

	device->bdf = mp_host_str(host, bdf);
	g_ptr_array_add(host->devices, device);
	return device;
}

static struct mp_guests *add_guests(struct mp_host *host, const char *node)
{
	struct mp_guests *guests = mp_host_alloc(host, sizeof(*guests));

	guests->vms = mp_host_array(host);
	guests->mappings = mp_host_array(host);
	guests->reservations = mp_host_array(host);
	guests->storages = mp_host_array(host);
	guests->pve = mp_fact_known(host, "/etc/pve/.version", "{}");
	guests->node = mp_fact_known(host, "test", node);
	host->guests = guests;
	return guests;
}

static struct mp_vm *parse(struct mp_host *host, const char *text)
{
	return mp_vm_parse(host, "101", "101.conf", text, strlen(text));
}

static const char *problem_at(const struct mp_vm *vm, unsigned line)
{
	for (guint i = 0; i < vm->lines->len; i++) {
		const struct mp_vm_line *entry = vm->lines->pdata[i];

		if (entry->line == line)
			return entry->problem;
	}
	fail_msg("no line %u", line);
	return NULL;
}

static const struct mp_hostpci *hostpci(const struct mp_vm *vm, guint i)
{
	assert_true(i < vm->hostpci->len);
	return vm->hostpci->pdata[i];
}

static void values_are_taken(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = parse(host,
		"#a note\nagent:1\nballoon: 0\ncpu: host,phys-bits=40\nhotplug: disk,memory\n"
		"hostpci0: 0000:86:00.0,pcie=on,rombar=0\nhugepages: 1024\n"
		"machine: q35,viommu=intel,aw-bits=48\nmemory: current=8192  \r\nnuma: YES\n"
		"onboot: 1\nargs: -set device.hostpci0.x-no-mmap=on\n");

	assert_int_equal(vm->problems->len, 0);
	for (guint i = 0; i < vm->lines->len; i++)
		assert_null(((struct mp_vm_line *)vm->lines->pdata[i])->problem);
	assert_true(vm->q35);
	assert_string_equal(vm->viommu, "intel");
	assert_int_equal(vm->aw_bits, 48);
	assert_int_equal(vm->memory_mib, 8192);
	assert_true(vm->balloon_set);
	assert_int_equal(vm->balloon_mib, 0);
	assert_true(vm->numa && vm->onboot && vm->hotplug_memory && vm->agent_enabled);
	assert_string_equal(vm->args, "-set device.hostpci0.x-no-mmap=on");
	assert_int_equal(vm->hostpci->len, 1);
	assert_true(hostpci(vm, 0)->pcie);
	assert_false(hostpci(vm, 0)->rombar);
	assert_string_equal(hostpci(vm, 0)->hosts->pdata[0], "0000:86:00.0");
}

static void defaults_are_pve_s(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu(NULL);
	struct mp_vm *vm = parse(host, "hostpci0: 86:00\n");

	assert_null(vm->machine);
	assert_false(vm->q35);
	assert_int_equal(vm->memory_mib, 512);
	assert_false(vm->balloon_set);
	assert_true(hostpci(vm, 0)->rombar);
	assert_false(hostpci(vm, 0)->pcie);
}

/* Each of these lines is lost without a word, and the VM starts without the card. */
static void bad_hostpci_lines_are_dropped(void **state G_GNUC_UNUSED)
{
	static const char *const bad[] = {
		"hostpci0: 8A:00.0",               /* upper case */
		"hostpci0: 86:00.0, pcie=1",       /* space */
		"hostpci0: 86:00.0,pcie=2",        /* no boolean */
		"hostpci0: 86:00.0,pcie",          /* second default key */
		"hostpci0: 86:00.0,pci=1",         /* unknown key */
		"hostpci0: 86:00.0,pcie=1,pcie=1", /* twice */
		"hostpci0: 86:00.0,host=87:00.0",  /* twice, once by default */
		"hostpci0: 86:00.0;",              /* empty element */
		"hostpci0: 86:00.0,pcie=",         /* no value */
		"hostpci0: 086:00.0",              /* not two digits */
		"hostpci0: 86:00.00",
		"hostpci0: 000:86:00.0", /* domain of three digits */
		"hostpci0: mapping=9x",
		"hostpci0: 86:00.0,mdev=a/b",
		"hostpci0: 86:00.0,vendor-id=1f9d",
		"hostpci16: 86:00.0",
		"hostpci00: 86:00.0",
		"Hostpci0: 86:00.0",
		" hostpci0: 86:00.0",
		"hostpci0 : 86:00.0",
		"hostpci0:",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(mp_host) host = host_with_qemu("9.2.6");
		struct mp_vm *vm = parse(host, bad[i]);

		assert_int_equal(vm->lines->len, 1);
		if (!problem_at(vm, 1))
			fail_msg("taken: %s", bad[i]);
		assert_null(mp_vm_get(vm, "hostpci0"));
	}
}

static void good_hostpci_lines_are_taken(void **state G_GNUC_UNUSED)
{
	static const char *const good[] = {
		"hostpci0: 86:00.0",
		"hostpci0:86:00.0",
		"hostpci15: 0000:86:00",
		"hostpci0: host=10000:01:00.0,pcie=TRUE",
		"hostpci0: pcie=1,86:00.0;87:00.0",
		"hostpci0: mapping=metis,pcie=1",
		"hostpci0: mapping=Metis-1_a",
		"hostpci0: 86:00.0,,pcie=1,",
		"hostpci0: 86:00.0,vendor-id=0x1F9d",
		"hostpci0: 86:00.a",
		"hostpci3: pcie=1" /* refused at start, not here */,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(mp_host) host = host_with_qemu("8.4.10");
		struct mp_vm *vm = parse(host, good[i]);

		if (problem_at(vm, 1))
			fail_msg("dropped: %s: %s", good[i], problem_at(vm, 1));
		assert_int_equal(vm->hostpci->len, 1);
	}
}

static void keys_depend_on_the_version(void **state G_GNUC_UNUSED)
{
	static const char text[] = "hostpci0: 86:00.0,driver=keep\n"
				   "machine: q35,viommu=virtio,aw-bits=40\n";
	g_autoptr(mp_host) pve8 = host_with_qemu("8.4.10");
	g_autoptr(mp_host) pve9 = host_with_qemu("9.0.25");
	g_autoptr(mp_host) between = host_with_qemu("9.0.22");
	g_autoptr(mp_host) unknown = host_with_qemu(NULL);
	struct mp_vm *vm = parse(pve8, text);

	assert_non_null(problem_at(vm, 1));
	assert_non_null(strstr(problem_at(vm, 1), "9.0.25"));
	assert_non_null(problem_at(vm, 2));
	assert_false(vm->q35); /* the whole line is lost */
	vm = parse(pve9, text);
	assert_null(problem_at(vm, 1));
	assert_null(problem_at(vm, 2));
	assert_string_equal(hostpci(vm, 0)->driver, "keep");
	vm = parse(between, text);
	assert_non_null(problem_at(vm, 1));
	assert_null(problem_at(vm, 2));
	vm = parse(unknown, text);
	assert_null(problem_at(vm, 1));
	assert_null(problem_at(vm, 2));
}

static void machine_types(void **state G_GNUC_UNUSED)
{
	static const char *const good[] = { "q35", "pc", "virt", "pc-q35-9.2+pve1",
		"pc-9.0", "pc-i440fx-8.1", "pc-q35-8.1.2.pxe", "virt-9.0",
		"q35,enable-s3=1", "type=q35,viommu=intel" };
	static const char *const bad[] = { "Q35", "q35-9.0", "pc-q35", "pc-q35-9",
		"q35,viommu=amd", "q35,viommu=1", "pc-q35-9.2+pve", "pc-q35-9.2pve1",
		"microvm", "q35 ,viommu=intel", "pc-q35-9.2.pxe.pxe", "q35,aw-bits=31",
		"virt-9.0.pxe" };
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = g_strconcat("machine: ", good[i], NULL);

		if (problem_at(parse(host, text), 1))
			fail_msg("dropped: %s", text);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strconcat("machine: ", bad[i], NULL);

		if (!problem_at(parse(host, text), 1))
			fail_msg("taken: %s", text);
	}
}

static void last_valid_line_wins(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = parse(host,
		"hostpci0: 86:00.0\nmachine: q35\nmachine: Q35\nhostpci0: 87:00.0\n");

	assert_string_equal(mp_vm_get(vm, "machine"), "q35");
	assert_string_equal(mp_vm_get(vm, "hostpci0"), "87:00.0");
	assert_int_equal(vm->hostpci->len, 1);
	assert_string_equal(hostpci(vm, 0)->hosts->pdata[0], "87:00.0");
	assert_int_equal(vm->notes->len, 1);
	assert_non_null(problem_at(vm, 3));
}

static void sections_do_not_leak(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = parse(host,
		"memory: 4096\n\n[PENDING]\nhostpci0: 86:00.0\ndelete: balloon\n"
		"[before-upgrade]\nmemory: 1024\nhostpci1: 87:00.0\n"
		"[special:cloudinit]\nmemory: 7\n[metis passthrough]\nhostpci2: 88:00.0\n"
		"memory: 64\n");

	assert_int_equal(vm->memory_mib, 4096);
	assert_int_equal(vm->lines->len, 1);
	assert_int_equal(vm->hostpci->len, 0);
	assert_int_equal(vm->pending->len, 2);
	assert_int_equal(vm->problems->len, 1);
	assert_non_null(strstr(vm->problems->pdata[0], "metis passthrough"));
}

static void comments_are_notes(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *plain = parse(host, "#first\n#second\nmemory: 4096\n");
	struct mp_vm *marked =
		parse(host, "memory: 4096\n# BEGIN metis\nhostpci0: 86:00.0\n# END\n");

	assert_int_equal(plain->notes->len, 0);
	assert_int_equal(marked->notes->len, 1);
	assert_int_equal(marked->problems->len, 0);
}

static void rubbish_is_survived(void **state G_GNUC_UNUSED)
{
	static const char zero[] = "memory: 40\09\nname: a\xff\x1b[2J\n[a\nqq\n:\n=\n";
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = mp_vm_parse(host, "x", "x", zero, sizeof(zero) - 1);
	g_autoptr(GString) many = g_string_new(NULL);

	assert_int_equal(vm->memory_mib, 512);
	assert_non_null(problem_at(vm, 1));
	assert_string_equal(mp_vm_get(vm, "name"), "a\\xff\\x1b[2J");
	for (int i = 0; i < 20000; i++)
		g_string_append(many, "net0: x\n");
	vm = mp_vm_parse(host, "x", "x", many->str, many->len);
	assert_int_equal(vm->lines->len, 10000);
	vm = mp_vm_parse(host, "x", "x", "", 0);
	assert_int_equal(vm->lines->len, 0);
}

static void other_keys(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = parse(host,
		"balloon: -1\nnuma: maybe\nhookscript: /root/hook.sh\nhookscript: local:snippets/h\n"
		"hotplug: disk,pci\ncolour: blue\nmemory: 15\nagent: fstrim_cloned_disks=1\n"
		"cpu: host,phys-bits=99\nscsi30: local:1\nscsi31: local:1\ncpulimit: 1.5\n"
		"numa3: cpus=0\ndelete: memory\n");
	static const bool dropped[] = { true, true, true, false, true, true, true, true,
		true, false, true, false, false, true };

	for (unsigned i = 0; i < G_N_ELEMENTS(dropped); i++)
		if ((problem_at(vm, i + 1) != NULL) != dropped[i])
			fail_msg("line %u: %s", i + 1,
				problem_at(vm, i + 1) ? problem_at(vm, i + 1) : "taken");
	assert_string_equal(vm->hookscript, "local:snippets/h");
}

static void addresses_find_devices(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_pci *first = add_device(host, "0000:86:00.0");
	struct mp_pci *second = add_device(host, "0000:86:00.1");
	struct mp_pci *far = add_device(host, "10000:01:00.0");
	struct mp_vm *vm = parse(host, "hostpci0: 86:00\nhostpci1: 86:00.1;87:00.0\n"
				       "hostpci2: 10000:01:00.0\nhostpci3: 8A:00.0\n");

	mp_vm_resolve(host, vm);
	assert_int_equal(hostpci(vm, 0)->devices->len, 2);
	assert_ptr_equal(hostpci(vm, 0)->devices->pdata[0], first);
	assert_ptr_equal(hostpci(vm, 1)->devices->pdata[0], second);
	assert_int_equal(hostpci(vm, 1)->missing->len, 1);
	assert_string_equal(hostpci(vm, 1)->missing->pdata[0], "87:00.0");
	assert_ptr_equal(hostpci(vm, 2)->devices->pdata[0], far);
	assert_int_equal(hostpci(vm, 3)->devices->len, 0);
}

static const char mappings[] =
	"metis\n"
	"\tdescription Axelera Metis AIPU\n"
	"\tmap id=1f9d:1100,iommugroup=42,node=pve1,path=0000:86:00.0,subsystem-id=1f9d:0001\n"
	"\tmap id=1f9d:1100,iommugroup=17,node=pve2,path=0000:03:00.0\n"
	"\n"
	"# a comment\n"
	"broken\r\n"
	"\tmap id=1f9d:1100,node=pve1,path=86:00.0\n"
	"\n"
	"pci: old\n"
	"\tmap id=1f9d:1100,node=pve1,path=0000:86:00.0\n"
	"\n"
	"empty\n"
	"\tmdev 1\n";

static void mappings_are_read(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_guests *guests = add_guests(host, "pve1");
	struct mp_pci *card = add_device(host, "0000:86:00.0");
	const struct mp_mapping_entry *entry;
	struct mp_vm *vm;

	add_device(host, "0000:03:00.0"); /* pve2's address: must not be taken here */
	mp_mappings_parse(host, guests, mappings, strlen(mappings));
	assert_int_equal(guests->mappings->len, 4);
	assert_null(mp_host_mapping(host, "metis")->problem);
	assert_int_equal(mp_host_mapping(host, "metis")->entries->len, 2);
	entry = mp_host_mapping(host, "metis")->entries->pdata[1];
	assert_string_equal(entry->node, "pve2");
	assert_string_equal(entry->iommugroup, "17");
	assert_null(entry->subsystem_id);
	assert_non_null(mp_host_mapping(host, "broken")->problem);
	assert_non_null(mp_host_mapping(host, "empty")->problem);
	assert_true(mp_host_mapping(host, "empty")->mdev);
	assert_non_null(mp_host_mapping(host, "pci: old")->problem);

	vm = parse(host, "hostpci0: mapping=metis\nhostpci1: mapping=broken\n");
	mp_vm_resolve(host, vm);
	assert_int_equal(hostpci(vm, 0)->devices->len, 1);
	assert_ptr_equal(hostpci(vm, 0)->devices->pdata[0], card);
	assert_int_equal(hostpci(vm, 1)->devices->len, 0);
}

static void reservations_are_read(void **state G_GNUC_UNUSED)
{
	static const char text[] =
		"0000:86:00.0 101 pid:4711\n0000:87:00.0 102 time:1700000000\n"
		"0000:88:00.0 x pid:1\nnonsense\n0000:89:00.0 1 pid:\n";
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_guests *guests = add_guests(host, "pve1");
	const struct mp_reservation *entry;

	mp_reservations_parse(host, guests, text, strlen(text));
	assert_int_equal(guests->reservations->len, 2);
	entry = guests->reservations->pdata[0];
	assert_string_equal(entry->bdf, "0000:86:00.0");
	assert_string_equal(entry->vmid, "101");
	assert_int_equal(entry->pid, 4711);
	entry = guests->reservations->pdata[1];
	assert_int_equal(entry->pid, 0);
	assert_int_equal(entry->until, 1700000000);
}

static void storages_are_read(void **state G_GNUC_UNUSED)
{
	static const char text[] =
		"dir: backup\n\tpath /mnt/backup\n\tcontent backup,snippets\n\n"
		"zfspool: local-zfs\n\tpool rpool/data\n\n"
		"dir: odd\n\tcontent-dirs iso=i,snippets=hooks\n\tpath /srv\n";
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_guests *guests = add_guests(host, "pve1");

	mp_storages_parse(host, guests, text, strlen(text));
	assert_string_equal(
		mp_host_storage(host, "backup")->snippets, "/mnt/backup/snippets");
	assert_string_equal(mp_host_storage(host, "odd")->snippets, "/srv/hooks");
	assert_null(mp_host_storage(host, "local-zfs")->snippets);
	assert_string_equal(
		mp_host_storage(host, "local")->snippets, "/var/lib/vz/snippets");
	assert_null(mp_host_storage(host, "nope"));
}

static void vm_is_found(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	g_autoptr(mp_host) plain = host_with_qemu(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *dir = g_dir_make_tmp("mp-vm-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(dir, "metis.conf", NULL);
	struct mp_guests *guests = add_guests(host, "pve1");
	struct mp_vm *vm;

	g_ptr_array_add(guests->vms, parse(host, "memory: 4096\n"));
	assert_non_null(mp_vm_find(host, "101", &error));
	guests->vms_fact =
		mp_fact_errno(host, "/etc/pve/nodes/pve1/qemu-server", -EACCES);
	assert_null(mp_vm_find(host, "102", &error));
	assert_int_equal(error->code, MP_ERROR_DENIED);
	assert_non_null(strstr(error->message, "nodes/pve1/qemu-server"));
	g_clear_error(&error);
	guests->vms_fact =
		mp_fact_known(host, "/etc/pve/nodes/pve1/qemu-server", "listed");
	assert_null(mp_vm_find(host, "102", &error));
	assert_int_equal(error->code, MP_ERROR_NOT_FOUND);
	assert_non_null(strstr(error->message, "pve1"));
	g_clear_error(&error);
	assert_null(mp_vm_find(host, "web", &error));
	assert_int_equal(error->code, MP_ERROR_USAGE);
	g_clear_error(&error);
	assert_null(mp_vm_find(plain, "101", &error));
	assert_non_null(strstr(error->message, "no Proxmox VE host"));
	g_clear_error(&error);

	assert_null(mp_vm_find(plain, file, &error));
	assert_int_equal(error->code, MP_ERROR_NOT_FOUND);
	g_clear_error(&error);
	assert_true(g_file_set_contents(file, "memory: 2048\n", -1, NULL));
	vm = mp_vm_find(plain, file, &error);
	assert_non_null(vm);
	assert_string_equal(vm->id, "metis");
	assert_int_equal(vm->memory_mib, 2048);
	assert_int_equal(vm->running_fact.know, MP_UNKNOWN);

	g_autofree char *big = g_strnfill(MP_VM_FILE_MAX + 1, '#');
	assert_true(g_file_set_contents(file, big, MP_VM_FILE_MAX + 1, NULL));
	assert_null(mp_vm_find(plain, file, &error));
	assert_int_equal(error->code, MP_ERROR_LIMIT);
	g_remove(file);
	g_rmdir(dir);
}

static void next_start_is_foreseen(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = host_with_qemu("9.2.6");
	struct mp_vm *vm = parse(host,
		"balloon: 2048\nhostpci0: 0000:86:00.0,pcie=1\nmachine: pc\nmemroy: 3\n"
		"numa: 1\n[PENDING]\nbogus: 1\ndelete: balloon, !numa\nmachine: q35\n"
		"[snap]\nmachine: virt\n");

	assert_string_equal(mp_vm_get(vm, "machine"), "pc");
	assert_string_equal(mp_vm_get(vm, "balloon"), "2048");
	assert_ptr_not_equal(vm->next, vm);
	assert_string_equal(mp_vm_get(vm->next, "machine"), "q35");
	assert_true(vm->next->q35);
	assert_null(mp_vm_get(vm->next, "balloon"));
	assert_null(mp_vm_get(vm->next, "numa"));
	assert_null(mp_vm_get(vm->next, "memroy"));
	assert_int_equal(vm->next->hostpci->len, 1);
	assert_ptr_equal(vm->next->next, vm->next);

	/* Nothing that counts is pending. */
	vm = parse(host, "machine: pc\n[PENDING]\nbogus: 1\n");
	assert_ptr_equal(vm->next, vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_taken),
		cmocka_unit_test(defaults_are_pve_s),
		cmocka_unit_test(bad_hostpci_lines_are_dropped),
		cmocka_unit_test(good_hostpci_lines_are_taken),
		cmocka_unit_test(keys_depend_on_the_version),
		cmocka_unit_test(machine_types),
		cmocka_unit_test(last_valid_line_wins),
		cmocka_unit_test(sections_do_not_leak),
		cmocka_unit_test(comments_are_notes),
		cmocka_unit_test(rubbish_is_survived),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(addresses_find_devices),
		cmocka_unit_test(mappings_are_read),
		cmocka_unit_test(reservations_are_read),
		cmocka_unit_test(storages_are_read),
		cmocka_unit_test(vm_is_found),
		cmocka_unit_test(next_start_is_foreseen),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
