/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema of VM configurations: $confdesc of PVE::QemuServer (PVE 8 and 9), the formats
 * $hostpci_fmt, $machine_fmt, $memory_fmt, $agent_fmt, $cpu_fmt, and check_type(). Keys of
 * all versions are known here; only `driver` and `aw-bits` depend on the version, because
 * they decide whether the card's own lines survive.
 */
#include "config.h"

#include <string.h>

#include "core/fact.h"
#include "core/vm-keys.h"
#include "core/vm.h"

#define LOWER_HEX "0123456789abcdef"

const char *mp_vm_address_end(const char *text, bool domain_required)
{
	size_t length = strspn(text, LOWER_HEX);
	bool domain = length >= 4 && text[length] == ':';

	if (domain_required && !domain)
		return NULL;
	if (domain) {
		text += length + 1;
		length = strspn(text, LOWER_HEX);
	}
	if (length != 2 || text[2] != ':')
		return NULL;
	text += 3;
	if (strspn(text, LOWER_HEX) != 2)
		return NULL;
	text += 2;
	if (*text == '.' && strspn(text + 1, LOWER_HEX) == 1)
		text += 2;
	return text;
}

static bool is_hosts(const char *text)
{
	for (;;) {
		text = mp_vm_address_end(text, false);
		if (!text || !*text)
			return text;
		if (*text++ != ';')
			return false;
	}
}

bool mp_vm_is_config_id(const char *text)
{
	if (!g_ascii_isalpha(*text) || !text[1])
		return false;
	while (*++text)
		if (!g_ascii_isalnum(*text) && *text != '_' && *text != '-')
			return false;
	return true;
}

/* PVE::Storage::Plugin parse_volume_id: /^([a-z][a-z0-9\-\_\.]*[a-z0-9]):(.+)$/i */
bool mp_vm_is_volume_id(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || !colon[1] || colon - text < 2)
		return false;
	if (!g_ascii_isalpha(*text) || !g_ascii_isalnum(colon[-1]))
		return false;
	for (const char *c = text; c < colon; c++)
		if (!g_ascii_isalnum(*c) && !strchr("-_.", *c))
			return false;
	return true;
}

static bool is_id_override(const char *text)
{
	return g_str_has_prefix(text, "0x") && strlen(text) == 6 &&
	       strspn(text + 2, LOWER_HEX "ABCDEF") == 4;
}

static bool is_rom_file(const char *text)
{
	return !strpbrk(text, ",;");
}

static bool is_mdev(const char *text)
{
	return !strpbrk(text, "/.:");
}

static bool is_driver(const char *text)
{
	return !strcmp(text, "vfio") || !strcmp(text, "keep");
}

static bool is_viommu(const char *text)
{
	return !strcmp(text, "intel") || !strcmp(text, "virtio");
}

static bool is_agent_type(const char *text)
{
	return !strcmp(text, "virtio") || !strcmp(text, "isa");
}

static const char *skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

/* \d+(\.\d+)+ with at least one dot where DOTS; NULL: no match. */
static const char *skip_version(const char *text)
{
	const char *end = skip_digits(text);

	if (end == text || *end != '.')
		return NULL;
	while (*end == '.' && g_ascii_isdigit(end[1]))
		end = skip_digits(end + 1);
	return end;
}

/* The pattern of $machine_fmt type. */
static bool is_machine(const char *text)
{
	static const char *const plain[] = { "pc", "q35", "virt" };
	static const char *const versioned[] = { "pc-i440fx-", "pc-q35-", "pc-",
		"virt-" };
	const char *rest = NULL;

	if (strlen(text) > 40)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
		if (!strcmp(text, plain[i]))
			return true;
	for (size_t i = 0; i < G_N_ELEMENTS(versioned) && !rest; i++)
		if (g_str_has_prefix(text, versioned[i]))
			rest = skip_version(text + strlen(versioned[i]));
	if (!rest)
		return false;
	if (g_str_has_prefix(rest, "+pve") && g_ascii_isdigit(rest[4]))
		rest = skip_digits(rest + 4);
	if (!g_str_has_prefix(text, "virt") && !strcmp(rest, ".pxe"))
		return true;
	return !*rest;
}

static bool is_phys_bits(const char *text)
{
	uint64_t bits;

	return !strcmp(text, "host") ||
	       (mp_parse_uint(text, 10, &bits) && bits >= 8 && bits <= 64);
}

/* [+-]flag;[+-]flag */
static bool is_flags(const char *text)
{
	g_auto(GStrv) flags = g_strsplit(text, ";", -1);

	for (char **flag = flags; *flag; flag++) {
		const char *name = *flag + 1;

		if ((**flag != '+' && **flag != '-') || !*name)
			return false;
		for (; *name; name++)
			if (!g_ascii_isalnum(*name) && !strchr("-_.", *name))
				return false;
	}
	return true;
}

static bool is_never(const char *text G_GNUC_UNUSED)
{
	return false;
}

const struct mp_prop_key mp_vm_hostpci_props[] = {
	{ "host", .is_default = true, .valid = is_hosts,
		.expected = "a list of [DDDD:]BB:DD[.F] in lower-case hex" },
	{ "mapping", .valid = mp_vm_is_config_id, .expected = "the id of a mapping" },
	{ "rombar", MP_PROP_BOOLEAN },
	{ "romfile", .valid = is_rom_file, .expected = "a file name" },
	{ "pcie", MP_PROP_BOOLEAN },
	{ "x-vga", MP_PROP_BOOLEAN },
	{ "legacy-igd", MP_PROP_BOOLEAN },
	{ "mdev", .valid = is_mdev, .expected = "a type of mediated device" },
	{ "vendor-id", .valid = is_id_override, .expected = "0x and four hex digits" },
	{ "device-id", .valid = is_id_override, .expected = "0x and four hex digits" },
	{ "sub-vendor-id", .valid = is_id_override,
		.expected = "0x and four hex digits" },
	{ "sub-device-id", .valid = is_id_override,
		.expected = "0x and four hex digits" },
	{ "driver", .valid = is_driver, .expected = "vfio or keep", .since = "9.0.25" },
	{ NULL },
};

const struct mp_prop_key mp_vm_machine_props[] = {
	{ "type", .is_default = true, .valid = is_machine, .expected = "a machine type" },
	{ "viommu", .valid = is_viommu, .expected = "intel or virtio" },
	{ "aw-bits", MP_PROP_INTEGER, .min = 32, .max = 64, .since = "9.0.21" },
	{ "enable-s3", MP_PROP_BOOLEAN },
	{ "enable-s4", MP_PROP_BOOLEAN },
	{ NULL },
};

const struct mp_prop_key mp_vm_memory_props[] = {
	{ "current", MP_PROP_INTEGER, .is_default = true, .required = true, .min = 16,
		.max = UINT32_MAX },
	{ NULL },
};

const struct mp_prop_key mp_vm_agent_props[] = {
	{ "enabled", MP_PROP_BOOLEAN, .is_default = true, .required = true },
	{ "fstrim_cloned_disks", MP_PROP_BOOLEAN },
	{ "freeze-fs-on-backup", MP_PROP_BOOLEAN },
	{ "freeze-fs", MP_PROP_BOOLEAN },
	{ "guest-fsfreeze", MP_PROP_BOOLEAN },
	{ "type", .valid = is_agent_type, .expected = "virtio or isa" },
	{ NULL },
};

/* The names of CPU types are not judged: they change with every QEMU. */
const struct mp_prop_key mp_vm_cpu_props[] = {
	{ "cputype", .is_default = true, .required = true },
	{ "reported-model", .valid = is_never, .expected = "allowed in a VM" },
	{ "hidden", MP_PROP_BOOLEAN },
	{ "hv-vendor-id" },
	{ "flags", .valid = is_flags, .expected = "a list of +FLAG and -FLAG with ';'" },
	{ "guest-phys-bits", MP_PROP_INTEGER, .min = 32, .max = 64 },
	{ "phys-bits", .valid = is_phys_bits, .expected = "8 to 64 or 'host'" },
	{ NULL },
};

bool mp_vm_hotplug(const char *text, bool *memory)
{
	static const char *const known[] = {
		"network",
		"disk",
		"cpu",
		"memory",
		"usb",
		"cloudinit",
		NULL,
	};
	g_auto(GStrv) features = NULL;

	*memory = false;
	if (!strcmp(text, "0") || !strcmp(text, "1"))
		return true;
	features = g_strsplit_set(text, " \t,;", -1);
	for (char **feature = features; *feature; feature++) {
		if (!**feature)
			continue;
		if (!g_strv_contains(known, *feature))
			return false;
		*memory = *memory || !strcmp(*feature, "memory");
	}
	return true;
}

enum value_type { V_TEXT, V_BOOLEAN, V_INTEGER, V_NUMBER, V_PROPS, V_VOLUME, V_HOTPLUG };

struct vm_key {
	const char *name;
	enum value_type type;
	unsigned count; /* 0: no number; N: name0 .. name(N-1) */
	const struct mp_prop_key *props;
};

static const struct vm_key keys[] = {
	{ "acpi", V_BOOLEAN },
	{ "affinity" },
	{ "agent", V_PROPS, 0, mp_vm_agent_props },
	{ "allow-ksm", V_BOOLEAN },
	{ "amd-sev" },
	{ "arch" },
	{ "args" },
	{ "audio", V_TEXT, 1 },
	{ "autostart", V_BOOLEAN },
	{ "balloon", V_INTEGER },
	{ "bios" },
	{ "boot" },
	{ "bootdisk" },
	{ "cdrom" },
	{ "cicustom" },
	{ "cipassword" },
	{ "citype" },
	{ "ciupgrade", V_BOOLEAN },
	{ "ciuser" },
	{ "cores", V_INTEGER },
	{ "cpu", V_PROPS, 0, mp_vm_cpu_props },
	{ "cpulimit", V_NUMBER },
	{ "cpuunits", V_INTEGER },
	{ "description" },
	{ "efidisk", V_TEXT, 1 },
	{ "freeze", V_BOOLEAN },
	{ "hookscript", V_VOLUME },
	{ "hostpci", V_PROPS, MP_VM_HOSTPCI_MAX, mp_vm_hostpci_props },
	{ "hotplug", V_HOTPLUG },
	{ "hugepages" },
	{ "ide", V_TEXT, 4 },
	{ "intel-tdx" },
	{ "ipconfig", V_TEXT, 32 },
	{ "ivshmem" },
	{ "keephugepages", V_BOOLEAN },
	{ "keyboard" },
	{ "kvm", V_BOOLEAN },
	{ "localtime", V_BOOLEAN },
	{ "lock" },
	{ "machine", V_PROPS, 0, mp_vm_machine_props },
	{ "memory", V_PROPS, 0, mp_vm_memory_props },
	{ "meta" },
	{ "migrate_downtime", V_NUMBER },
	{ "migrate_speed", V_INTEGER },
	{ "name" },
	{ "nameserver" },
	{ "net", V_TEXT, 32 },
	{ "numa", V_BOOLEAN },
	{ "numa", V_TEXT, 8 },
	{ "onboot", V_BOOLEAN },
	{ "ostype" },
	{ "parallel", V_TEXT, 3 },
	{ "parent" },
	{ "protection", V_BOOLEAN },
	{ "reboot", V_BOOLEAN },
	{ "rng", V_TEXT, 1 },
	{ "running-nets-host-mtu" },
	{ "runningcpu" },
	{ "runningmachine" },
	{ "sata", V_TEXT, 6 },
	{ "scsi", V_TEXT, 31 },
	{ "scsihw" },
	{ "searchdomain" },
	{ "serial", V_TEXT, 4 },
	{ "shares", V_INTEGER },
	{ "smbios1" },
	{ "smp", V_INTEGER },
	{ "snaptime", V_INTEGER },
	{ "sockets", V_INTEGER },
	{ "spice_enhancements" },
	{ "sshkeys" },
	{ "startdate" },
	{ "startup" },
	{ "tablet", V_BOOLEAN },
	{ "tags" },
	{ "tdf", V_BOOLEAN },
	{ "template", V_BOOLEAN },
	{ "tpmstate", V_TEXT, 1 },
	{ "unused", V_TEXT, 256 },
	{ "usb", V_TEXT, 14 },
	{ "vcpus", V_INTEGER },
	{ "vga" },
	{ "virtio", V_TEXT, 16 },
	{ "virtiofs", V_TEXT, 10 },
	{ "vmgenid" },
	{ "vmstate" },
	{ "vmstatestorage" },
	{ "watchdog" },
};

/* "hostpci15" is hostpci with 15, but "hostpci07" and "hostpci16" are nothing. */
static bool key_is(const struct vm_key *key, const char *name)
{
	size_t length = strlen(key->name);
	uint64_t index;

	if (strncmp(key->name, name, length) != 0)
		return false;
	name += length;
	if (!key->count)
		return !*name;
	if (*name == '0' && name[1])
		return false;
	return mp_parse_uint(name, 10, &index) && index < key->count;
}

static const struct vm_key *find_key(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (key_is(&keys[i], name))
			return &keys[i];
	return NULL;
}

static bool is_number(const char *text)
{
	const char *end = skip_digits(text);

	if (end == text)
		return false;
	if (*end == '.' && g_ascii_isdigit(end[1]))
		end = skip_digits(end + 1);
	return !*end;
}

char *mp_vm_key_problem(const char *name, const char *value, const char *version)
{
	const struct vm_key *key = find_key(name);
	g_autoptr(GHashTable) props = NULL;
	char *problem = NULL;
	bool flag;

	if (!key)
		return g_strdup_printf("unknown setting '%s'", name);
	switch (key->type) {
	case V_TEXT:
		return NULL;
	case V_BOOLEAN:
		return mp_prop_parse_bool(value, &flag) ? NULL
							: g_strdup("not a boolean");
	case V_INTEGER:
		return *skip_digits(value) ? g_strdup("not a whole number") : NULL;
	case V_NUMBER:
		return is_number(value) ? NULL : g_strdup("not a number");
	case V_VOLUME:
		return mp_vm_is_volume_id(value)
			       ? NULL
			       : g_strdup("not a volume id (STORAGE:VOLUME)");
	case V_HOTPLUG:
		return mp_vm_hotplug(value, &flag)
			       ? NULL
			       : g_strdup("names an unknown hotplug feature");
	case V_PROPS:
		props = mp_prop_parse(key->props, version, value, &problem);
		return problem;
	}
	return NULL;
}
