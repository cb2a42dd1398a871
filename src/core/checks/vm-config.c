/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as a whole: dropped lines, hookscript, agent, args. */
#include "config.h"

#include <string.h>

#include "core/checks/vm-common.h"
#include "core/hookscript.h"
#include "core/pci.h"
#include "core/selftest-vm.h"

/* Settings without which the card does not come, or not as meant. */
static bool decides_passthrough(const struct mp_vm_line *line)
{
	static const char *const keys[] = {
		"args",
		"cpu",
		"hookscript",
		"hugepages",
		"machine",
		"memory",
		"numa",
		NULL,
	};
	g_autofree char *value = NULL;

	if (g_str_has_prefix(line->key, "hostpci") || g_strv_contains(keys, line->key))
		return true;
	/* "Hostpci0: ...", " hostpci0: ..." are no settings at all. */
	value = g_ascii_strdown(line->value, -1);
	return !*line->key && (strstr(value, "hostpci") || strstr(value, "machine:"));
}

static char *how_to_repair(const struct mp_check_ctx *ctx, const struct mp_vm_line *line)
{
	bool hostpci = g_str_has_prefix(line->key, "hostpci");
	g_autofree char *lower = g_ascii_strdown(line->value, -1);

	/* The commonest of all: an address copied from a tool that writes upper case. */
	if (hostpci && strcmp(lower, line->value) != 0 &&
		strstr(line->problem, "lower-case"))
		return mp_vm_how_to_set(ctx, line->key, lower);
	if (hostpci && strstr(line->problem, "unknown setting"))
		return g_strdup_printf(
			"use hostpci0 to hostpci%d: Proxmox VE knows no other",
			MP_VM_HOSTPCI_MAX - 1);
	return g_strdup_printf(
		"correct line %u of %s, best with `qm set`, which refuses what "
		"it cannot parse",
		line->line, ctx->vm->source);
}

static void judge_lines(
	const struct mp_check_ctx *ctx, struct mp_points *points, const GPtrArray *lines)
{
	const char *id = ctx->vm->id;

	for (guint i = 0; i < lines->len; i++) {
		const struct mp_vm_line *line = lines->pdata[i];

		if (!line->problem)
			continue;
		mp_points_add(points, decides_passthrough(line) ? MP_FAIL : MP_WARN,
			how_to_repair(ctx, line),
			"Proxmox VE drops line %u of VM %s without an error, \"%s%s%s\": %s",
			line->line, id, line->key, *line->key ? ": " : "", line->value,
			line->problem);
	}
}

void mp_check_vm_config_valid(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm_file;
	const char *lock = mp_vm_get(vm, "lock");
	struct mp_points points;
	g_autofree char *fine = g_strdup_printf(
		"Proxmox VE takes every line of VM %s that was looked at", vm->id);
	struct mp_finding *finding;

	mp_points_init(&points);
	judge_lines(ctx, &points, vm->lines);
	judge_lines(ctx, &points, vm->pending);
	for (guint i = 0; i < vm->problems->len; i++)
		mp_points_add(&points, MP_WARN, g_strdup("remove or rename it"),
			"VM %s: %s", vm->id, (const char *)vm->problems->pdata[i]);
	if (vm->is_template)
		mp_points_add(&points, MP_WARN, g_strdup("clone it and judge the clone"),
			"VM %s is a template and cannot be started", vm->id);
	if (lock)
		mp_points_add(&points, MP_WARN,
			g_strdup_printf(
				"wait until that is over; if nothing runs any more: "
				"qm unlock %s",
				vm->id),
			"VM %s is locked (%s): Proxmox VE neither starts nor changes it",
			vm->id, lock);
	for (guint i = 0; i < vm->notes->len; i++)
		mp_points_add(&points, MP_INFO, NULL, "VM %s: %s", vm->id,
			(const char *)vm->notes->pdata[i]);
	if (vm->pending->len)
		mp_points_add(&points, MP_INFO, NULL,
			"VM %s: %u change%s for its next start", vm->id, vm->pending->len,
			vm->pending->len == 1 ? " waits" : "s wait");
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	mp_finding_fact(finding, &vm->fact);
}

/* A script that PVE, or our own hookscript, is to run. */
struct script {
	const char *what; /* "its hookscript" */
	const char *path;
	const char *source; /* who names it, and how */
	const char *line;
	const char *how_to_drop;
};

/* True: it can be run, and nothing was said. */
static bool judge_script(struct mp_check_ctx *ctx, const struct mp_storage *storage,
	const char *name, const struct script *script)
{
	const struct mp_vm *vm = ctx->vm;
	const struct mp_snippet *file = mp_storage_snippet(storage, name);
	struct mp_finding *finding;

	if (storage->looked.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"VM %s: it is not known whether %s can be run", vm->id,
			script->what);
		mp_finding_fact(finding, &storage->looked);
		mp_finding_remedy(finding, "look yourself: test -x %s", script->path);
		return false;
	}
	if (!file || !file->regular) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s cannot start: %s %s does not exist", vm->id, script->what,
			script->path);
		mp_finding_remedy(
			finding, "put the script there, or %s", script->how_to_drop);
	} else if (!file->executable) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s cannot start: %s %s is not executable", vm->id,
			script->what, script->path);
		mp_finding_remedy(finding, "run: chmod +x %s", script->path);
	} else {
		return true;
	}
	mp_finding_evidence(finding, script->source, "%s", script->line);
	mp_finding_evidence(finding, script->path, "%s",
		!file            ? "absent"
		: !file->regular ? "not a file"
				 : "not executable");
	return false;
}

/* The hookscript that ours calls. True: there is none, or it can be run. */
static bool judge_earlier(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	const struct mp_fact *note = &vm->earlier_hookscript;
	g_autofree char *drop = NULL;
	const struct mp_storage *storage;
	struct mp_finding *finding;
	const char *name;

	if (!note->source || note->know == MP_ABSENT)
		return true;
	drop = g_strdup_printf("remove %s, if it need not be run any more", note->source);
	if (vm->earlier_problem) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s cannot start: %s names no hookscript that could be called: %s",
			vm->id, note->source, vm->earlier_problem);
		mp_finding_remedy(
			finding, "write its absolute path into it, or %s", drop);
		return false;
	}
	if (note->know == MP_KNOWN) {
		const struct script script = {
			.what = "the earlier hookscript",
			.path = note->text,
			.source = note->source,
			.line = note->text,
			.how_to_drop = drop,
		};

		storage = mp_host_storage_of(ctx->host, note->text, &name);
		if (storage)
			return judge_script(ctx, storage, name, &script);
	}
	finding = mp_check_say(ctx, MP_UNSURE,
		"It is not known whether the earlier hookscript of VM %s, which its "
		"hookscript calls, can be run",
		vm->id);
	mp_finding_fact(finding, note);
	if (note->know == MP_KNOWN)
		mp_finding_remedy(finding,
			"it is in no storage's snippets; look yourself: test -x %s",
			note->text);
	else
		mp_finding_remedy(
			finding, "run this check on the Proxmox VE node, as root");
	return false;
}

static void judge_snippet(
	struct mp_check_ctx *ctx, const struct mp_storage *storage, const char *name)
{
	const struct mp_vm *vm = ctx->vm;
	g_autofree char *path = g_strdup_printf("%s/%s", storage->snippets, name);
	g_autofree char *line = g_strdup_printf("hookscript: %s", vm->hookscript);
	g_autofree char *drop = mp_vm_how_to_delete(ctx, "hookscript");
	const struct script script = {
		.what = "its hookscript",
		.path = path,
		.source = vm->source,
		.line = line,
		.how_to_drop = drop,
	};
	struct mp_finding *finding;

	if (!judge_script(ctx, storage, name, &script) || !judge_earlier(ctx))
		return;
	finding = mp_check_say(ctx, MP_PASS,
		vm->earlier_hookscript.know == MP_KNOWN
			? "The hookscript of VM %s, and the earlier one that it calls, exist "
			  "and are executable"
			: "The hookscript of VM %s exists and is executable",
		vm->id);
	mp_finding_evidence(finding, vm->source, "%s", line);
	mp_finding_evidence(finding, path, "executable");
	if (vm->earlier_hookscript.know == MP_KNOWN)
		mp_finding_evidence(finding, vm->earlier_hookscript.text, "executable");
}

void mp_check_vm_hookscript(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	const struct mp_guests *guests = ctx->host->guests;
	g_autofree char *storage_name = NULL;
	const struct mp_storage *storage;
	struct mp_finding *finding;
	const char *name;

	if (!vm->hookscript) {
		mp_check_say(ctx, MP_SKIP, "VM %s has no hookscript", vm->id);
		return;
	}
	name = mp_volume_snippet(vm->hookscript, &storage_name);
	if (!name || strchr(name, '/') || !*name) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s cannot start: its hookscript is not of the form "
			"STORAGE:snippets/NAME",
			vm->id);
		mp_finding_evidence(
			finding, vm->source, "hookscript: %s", vm->hookscript);
		g_autofree char *how =
			mp_vm_how_to_set(ctx, "hookscript", "local:snippets/NAME");
		mp_finding_remedy(
			finding, "put the script into /var/lib/vz/snippets and %s", how);
		return;
	}
	if (!guests || guests->pve.know != MP_KNOWN ||
		guests->storages_fact.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known where the hookscript of VM %s is: the storages of "
			"Proxmox VE cannot be read here",
			vm->id);
		mp_finding_evidence(
			finding, vm->source, "hookscript: %s", vm->hookscript);
		if (guests)
			mp_finding_fact(finding, &guests->storages_fact);
		mp_finding_remedy(finding, "run this check on the Proxmox VE node");
		return;
	}
	storage = mp_host_storage(ctx->host, storage_name);
	if (!storage || !storage->snippets) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s cannot start: its hookscript is on the storage '%s', which %s",
			vm->id, storage_name,
			storage ? "is no directory" : "does not exist");
		mp_finding_evidence(
			finding, vm->source, "hookscript: %s", vm->hookscript);
		mp_finding_fact(finding, &guests->storages_fact);
		g_autofree char *how = mp_vm_how_to_delete(ctx, "hookscript");
		mp_finding_remedy(finding, "%s, or use the storage 'local'", how);
		return;
	}
	judge_snippet(ctx, storage, name);
}

void mp_check_vm_agent(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	struct mp_finding *finding;

	if (vm->agent_enabled) {
		finding = mp_check_say(
			ctx, MP_PASS, "VM %s has the guest agent enabled", vm->id);
	} else {
		g_autofree char *how = mp_vm_how_to_set(ctx, "agent", "1");

		finding = mp_check_say(ctx, MP_INFO,
			"VM %s has no guest agent: the host cannot ask the guest for its driver "
			"and its log, nor shut it down for sure",
			vm->id);
		mp_finding_remedy(
			finding, "%s, and install qemu-guest-agent in the guest", how);
	}
	mp_finding_evidence(
		finding, vm->source, "agent: %s", vm->agent ? vm->agent : "(not set)");
}

void mp_check_vm_guest_selftest(struct mp_check_ctx *ctx)
{
	const struct mp_selftest_vm *last = mp_selftest_vm(ctx->host, ctx->vm->id);
	enum mp_severity severity;
	g_autofree char *text =
		mp_selftest_vm_judge(ctx->host, ctx->config, ctx->vm->id, &severity);
	struct mp_finding *finding =
		mp_check_say(ctx, severity, "VM %s: %s", ctx->vm->id, text);

	if (last)
		mp_finding_evidence(finding, last->verdict.source,
			"%s, in the guest %s, on host kernel %s",
			last->verdict.know == MP_KNOWN ? last->verdict.text : "unknown",
			last->device ? last->device : "no device",
			last->kernel ? last->kernel : "unknown");
	if (severity != MP_PASS && severity != MP_SKIP)
		mp_finding_remedy(
			finding, "metis-passthrough selftest --vm %s", ctx->vm->id);
}

/* "-set device.hostpci0.x-no-mmap=on": is there such a device? */
static void judge_set(
	struct mp_check_ctx *ctx, struct mp_points *points, const char *value)
{
	const struct mp_vm *vm = ctx->vm;
	uint64_t index;

	if (!g_str_has_prefix(value, "device.hostpci"))
		return;
	value += strlen("device.hostpci");
	g_autofree char *digits = g_strndup(value, strspn(value, "0123456789"));
	if (!mp_parse_uint(digits, 10, &index))
		return;
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		if (entry->problem || entry->index != index)
			continue;
		/* A multifunction device has ids hostpciN.F */
		bool functions = entry->devices->len > 1 && !entry->mapping;
		bool named = value[strlen(digits)] == '.' &&
			     g_ascii_isdigit(value[strlen(digits) + 1]) &&
			     value[strlen(digits) + 2] == '.';
		if (functions && !named)
			mp_points_add(points, MP_FAIL,
				g_strdup_printf(
					"write device.hostpci%s.0.PROPERTY", digits),
				"QEMU will not start VM %s: hostpci%s has several functions, whose "
				"names are hostpci%s.0, .1 and so on",
				vm->id, digits, digits);
		return;
	}
	mp_points_add(points, MP_FAIL, mp_vm_how_to_delete(ctx, "args"),
		"QEMU will not start VM %s: args set a property of hostpci%s, which the VM does "
		"not have",
		vm->id, digits);
}

static void judge_args_iommu(
	struct mp_check_ctx *ctx, struct mp_points *points, const char *device)
{
	g_autofree char *caching = mp_vm_args_property(device, "caching-mode");

	if (g_strcmp0(caching, "on") != 0)
		mp_points_add(points, MP_FAIL,
			mp_vm_how_to_set(ctx, "machine", "q35,viommu=intel"),
			"QEMU will not start VM %s: intel-iommu in args lacks caching-mode=on, "
			"which passed devices need",
			ctx->vm->id);
	else
		mp_points_add(points, MP_WARN,
			mp_vm_how_to_set(ctx, "machine", "q35,viommu=intel"),
			"VM %s has its intel-iommu in args, where it comes after the devices that "
			"it is for; Proxmox VE puts it first when the machine setting asks for it",
			ctx->vm->id);
}

/* QEMU takes one dash or two. */
static bool is_option(const char *word, const char *name)
{
	return *word == '-' && !strcmp(word + 1 + (word[1] == '-'), name);
}

static void judge_args(struct mp_check_ctx *ctx, struct mp_points *points, char **words)
{
	const struct mp_vm *vm = ctx->vm;
	const char *iommu = mp_vm_args_device(words, "intel-iommu");

	for (char **word = words; *word; word++) {
		const char *next = word[1];

		if (next && is_option(*word, "device") &&
			(g_str_has_prefix(next, "vfio-pci,") ||
				!strcmp(next, "vfio-pci"))) {
			g_autofree char *host = mp_vm_args_property(next, "host");

			mp_points_add(points, MP_FAIL,
				g_strdup_printf("take it out of args and %s",
					"use a hostpci line, which does all of that"),
				"VM %s gets %s by args: Proxmox VE then neither binds, resets nor "
				"reserves it, and a second VM can take it at the same time",
				vm->id, host ? host : "a device");
		}
		if (next && is_option(*word, "set"))
			judge_set(ctx, points, next);
		if (strstr(*word, "kernel-irqchip=split") ||
			strstr(*word, "kernel_irqchip=split")) {
			if (!iommu && g_strcmp0(vm->viommu, "intel") != 0)
				mp_points_add(points, MP_WARN,
					mp_vm_how_to_delete(ctx, "args"),
					"VM %s has a split irqchip without an Intel vIOMMU: it "
					"helps nothing and makes interrupts slower",
					vm->id);
		}
		if (strstr(*word, "x-no-mmap=on") || strstr(*word, "x-no-kvm-msi=on"))
			mp_points_add(points, MP_WARN, mp_vm_how_to_delete(ctx, "args"),
				"VM %s runs its card through QEMU for debugging (%s): every "
				"register access is slow",
				vm->id, *word);
	}
	if (iommu)
		judge_args_iommu(ctx, points, iommu);
}

void mp_check_vm_args(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	g_autofree char *problem = NULL;
	g_auto(GStrv) words = mp_vm_args(vm, &problem);
	g_autofree char *fine = NULL;
	struct mp_finding *finding;
	struct mp_points points;

	if (!vm->args) {
		finding = mp_check_say(ctx, MP_PASS,
			"VM %s has no args that could get in the way", vm->id);
		mp_finding_evidence(finding, vm->source, "args: (not set)");
		return;
	}
	if (!words) {
		finding = mp_check_say(ctx, MP_FAIL,
			"The args of VM %s cannot be split into words: %s", vm->id,
			problem);
		mp_finding_evidence(finding, vm->source, "args: %s", vm->args);
		mp_finding_remedy(
			finding, "close the quotes in the line args of %s", vm->source);
		return;
	}
	mp_points_init(&points);
	judge_args(ctx, &points, words);
	fine = g_strdup_printf("Nothing in the args of VM %s gets in the way", vm->id);
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	mp_finding_evidence(finding, vm->source, "args: %s", vm->args);
}
