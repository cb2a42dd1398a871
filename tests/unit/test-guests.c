/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/host.h"
#include "core/vm.h"
#include "unit.h"
#include "sysroot.h"

static void make_node(struct sysroot *s)
{
	sysroot_text(s, "proc/sys/kernel/hostname", "pve1.example.org\n");
	sysroot_text(s, "etc/pve/.version", "{ \"version\": 1 }");
	sysroot_text(s, "etc/pve/nodes/pve1/qemu-server/101.conf",
		"hostpci0: mapping=metis\nmemory: 8192\n");
	sysroot_text(s, "etc/pve/nodes/pve1/qemu-server/102.conf", "memory: 2048\n");
	sysroot_text(s, "etc/pve/nodes/pve1/qemu-server/102.conf.tmp.7", "memory: 1\n");
	sysroot_text(s, "etc/pve/nodes/pve2/qemu-server/200.conf", "memory: 2048\n");
	sysroot_text(s, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap id=1f9d:1100,node=pve1,path=0000:86:00.0\n");
	sysroot_text(s, "run/qemu-server/101.pid", "4711\n");
	sysroot_text(s, "run/qemu-server/102.pid", "4712\n");
	sysroot_text(s, "proc/4712/cmdline", "bash");
	sysroot_text(
		s, "run/qemu-server/pci-id-reservations", "0000:86:00.0 101 pid:4711\n");
	sysroot_text(s, "var/lib/vz/snippets/hook", "#!/bin/sh\n");
}

static void put_cmdline(struct sysroot *s, const char *vmid)
{
	g_autofree char *path = g_build_filename(s->path, "proc/4711/cmdline", NULL);
	g_autoptr(GString) text = g_string_new("/usr/bin/kvm");

	g_string_append_len(text, "\0-id\0", 5);
	g_string_append(text, vmid);
	g_string_append_len(text, "\0-name\0x\0", 9);
	sysroot_mkdir(s, "proc/4711");
	assert_true(g_file_set_contents(path, text->str, (gssize)text->len, NULL));
}

static void node_is_read(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;
	const struct mp_storage *local;
	const struct mp_vm *vm;

	sysroot_init(&s);
	make_node(&s);
	put_cmdline(&s, "101");
	host = sysroot_probe(&s, mp_probe_guests);
	assert_int_equal(host->guests->pve.know, MP_KNOWN);
	assert_string_equal(host->guests->node.text, "pve1");
	assert_int_equal(host->guests->vms->len, 2);
	vm = mp_host_vm(host, "101");
	assert_true(vm->running);
	assert_int_equal(vm->pid, 4711);
	assert_string_equal(vm->source, "/etc/pve/nodes/pve1/qemu-server/101.conf");
	/* The address is of no device here. */
	assert_int_equal(((struct mp_hostpci *)vm->hostpci->pdata[0])->missing->len, 1);
	vm = mp_host_vm(host, "102");
	assert_false(vm->running); /* its pid belongs to another program now */
	assert_int_equal(vm->running_fact.know, MP_ABSENT);
	assert_null(mp_host_vm(host, "200"));
	assert_int_equal(host->guests->reservations->len, 1);
	local = mp_host_storage(host, "local");
	assert_int_equal(local->files->len, 1);
	assert_false(((struct mp_snippet *)local->files->pdata[0])->executable);
	sysroot_clear(&s);
}

static void probe_102(struct mp_host *host, struct mp_root *root)
{
	mp_probe_guest(host, root, "102");
}

static void one_vm_is_read_alone(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	make_node(&s);
	host = sysroot_probe(&s, probe_102);
	assert_int_equal(host->guests->vms->len, 1);
	assert_non_null(mp_host_vm(host, "102"));
	/* Nobody takes what was not looked at for not there. */
	assert_int_equal(host->guests->mappings_fact.know, MP_UNKNOWN);
	assert_int_equal(host->guests->storages_fact.know, MP_UNKNOWN);
	assert_int_equal(host->guests->reservations_fact.know, MP_UNKNOWN);
	sysroot_clear(&s);
}

static void pid_of_another_vm_is_not_ours(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	make_node(&s);
	put_cmdline(&s, "1011");
	host = sysroot_probe(&s, mp_probe_guests);
	assert_false(mp_host_vm(host, "101")->running);
	sysroot_clear(&s);
}

static void plain_host_has_no_guests(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_mkdir(&s, "sys");
	host = sysroot_probe(&s, mp_probe_guests);
	assert_int_equal(host->guests->pve.know, MP_ABSENT);
	assert_int_equal(host->guests->vms->len, 0);
	sysroot_clear(&s);
}

/* pmxcfs does not run: an empty directory must not pass for a node without VMs. */
static void unmounted_cluster_is_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_mkdir(&s, "etc/pve");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 8:1 / / rw - ext4 /dev/sda1 rw\n26 1 0:25 / /fuse rw - fuse x rw\n");
	host = sysroot_probe(&s, mp_probe_guests);
	assert_int_equal(host->guests->pve.know, MP_UNKNOWN);
	assert_int_equal(host->guests->vms_fact.know, MP_UNKNOWN);
	sysroot_clear(&s);
}

static void mounted_cluster_is_known(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_text(&s, "etc/pve/qemu-server/7.conf", "memory: 16\n");
	sysroot_text(&s, "etc/hostname", "n\n");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 0:40 / /etc/pve rw,relatime shared:9 - fuse /dev/fuse rw\n");
	host = sysroot_probe(&s, mp_probe_guests);
	assert_int_equal(host->guests->pve.know, MP_KNOWN);
	assert_non_null(mp_host_vm(host, "7"));
	sysroot_clear(&s);
}

static void huge_file_is_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *big = g_strnfill(MP_VM_FILE_MAX + 1, 'a');

	sysroot_init(&s);
	make_node(&s);
	sysroot_text(&s, "etc/pve/nodes/pve1/qemu-server/103.conf", big);
	host = sysroot_probe(&s, mp_probe_guests);
	assert_int_equal(mp_host_vm(host, "103")->fact.know, MP_UNKNOWN);
	assert_null(mp_vm_find(host, "103", &error));
	assert_non_null(strstr(error->message, "larger"));
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_is_read),
		cmocka_unit_test(one_vm_is_read_alone),
		cmocka_unit_test(pid_of_another_vm_is_not_ours),
		cmocka_unit_test(plain_host_has_no_guests),
		cmocka_unit_test(unmounted_cluster_is_unknown),
		cmocka_unit_test(mounted_cluster_is_known),
		cmocka_unit_test(huge_file_is_unknown),
	};

	return cmocka_run_group_tests_name("guests", tests, NULL, NULL);
}
