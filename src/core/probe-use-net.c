/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which PCI devices carry the host's network: routes, bridges, bonds, configuration. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/use-probe.h"

#define CLASS      "sys/class/net"
#define ROUTE      "proc/net/route"
#define ROUTE6     "proc/net/ipv6_route"
#define INTERFACES "etc/network/interfaces"
#define DEPTH_MAX  16

/* linux/if.h, linux/ipv6_route.h, linux/route.h */
#define FLAG_UP      0x1
#define ROUTE_REJECT 0x200
#define ROUTE_LOCAL  0x80000000u

struct net {
	struct use_probe *probe;
	GHashTable *routed; /* interface -> "default route" or "route" */
	GHashTable
		*configured; /* interface -> what of it /etc/network/interfaces wants */
	GHashTable *visited; /* interfaces looked at on the way up from one card */
};

static void add_route(struct net *net, const char *interface, bool is_default)
{
	if (!strcmp(interface, "lo"))
		return;
	if (is_default || !g_hash_table_contains(net->routed, interface))
		g_hash_table_replace(net->routed, g_strdup(interface),
			(void *)(is_default ? "the default route" : "a route"));
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ...; numbers in hex. */
static void take_route(struct net *net, char **words, guint count)
{
	uint64_t flags;

	if (count < 8 || !mp_parse_uint(words[3], 16, &flags) || !(flags & FLAG_UP))
		return;
	if (flags & ROUTE_REJECT)
		return;
	add_route(net, words[0],
		!strcmp(words[1], "00000000") && !strcmp(words[7], "00000000"));
}

/* Destination Length Source Length NextHop Metric RefCnt Use Flags Iface. Link-local and
 * multicast prefixes come with every interface that is up: they are no use of it. */
static void take_route6(struct net *net, char **words, guint count)
{
	uint64_t flags;

	if (count < 10 || !mp_parse_uint(words[8], 16, &flags))
		return;
	if (!(flags & FLAG_UP) || (flags & (ROUTE_LOCAL | ROUTE_REJECT)))
		return;
	if (!g_ascii_strncasecmp(words[0], "fe8", 3) ||
		!g_ascii_strncasecmp(words[0], "ff", 2))
		return;
	add_route(net, words[9], !strcmp(words[1], "00"));
}

/* Splits at white space; *COUNT words, ended by NULL. Free with g_strfreev(). */
static char **split_words(const char *line, guint *count)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (;;) {
		size_t length;

		line += strspn(line, " \t\r");
		length = strcspn(line, " \t\r");
		if (!length)
			break;
		g_ptr_array_add(words, g_strndup(line, length));
		line += length;
	}
	*count = words->len;
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static void each_line(struct net *net, const char *path, bool required,
	void (*take)(struct net *, char **, guint))
{
	g_autofree char *data = NULL;
	int err = mp_root_read(net->probe->root, path, MP_READ_FILE, &data, NULL);

	if (err == -ENOENT && required)
		use_unreadable_why(net->probe, path, "not there");
	else if (err < 0 && err != -ENOENT)
		use_unreadable(net->probe, path, err);
	if (err < 0)
		return;
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
	for (char **line = lines; *line; line++) {
		guint count;
		g_auto(GStrv) words = split_words(*line, &count);

		if (count)
			take(net, words, count);
	}
}

static void configure(struct net *net, const char *interface, const char *what)
{
	g_hash_table_replace(net->configured, g_strdup(interface), (void *)what);
}

/* ifupdown: `iface NAME inet manual` alone is what PVE writes for every port; ports of
 * bridges and bonds and addresses are a use. */
static void take_interfaces_line(struct net *net, char **words, guint count)
{
	const char *what = NULL;

	if (count >= 4 && !strcmp(words[0], "iface")) {
		if (!strcmp(words[3], "static") || !strcmp(words[3], "dhcp") ||
			!strcmp(words[3], "auto"))
			configure(net, words[1], "an address");
		return;
	}
	if (!strcmp(words[0], "bridge-ports") || !strcmp(words[0], "bridge_ports"))
		what = "a bridge";
	else if (!strcmp(words[0], "bond-slaves") || !strcmp(words[0], "slaves"))
		what = "a bond";
	for (guint i = 1; what && i < count; i++)
		configure(net, words[i], what);
}

static char *read_attribute(struct net *net, const char *interface, const char *name)
{
	g_autofree char *path = g_strdup_printf(CLASS "/%s/%s", interface, name);
	char *data = NULL;

	if (mp_root_read(net->probe->root, path, MP_READ_ATTR, &data, NULL) < 0)
		return NULL;
	return g_strstrip(data);
}

static bool is_up(struct net *net, const char *interface)
{
	g_autofree char *text = read_attribute(net, interface, "flags");
	uint64_t flags;

	return text && mp_parse_uint(text, 0, &flags) && (flags & FLAG_UP);
}

static char *master_of(struct net *net, const char *interface)
{
	g_autofree char *path = g_strdup_printf(CLASS "/%s/master", interface);
	g_autofree char *target = NULL;

	if (mp_root_readlink(net->probe->root, path, &target) < 0)
		return NULL;
	return g_path_get_basename(target);
}

/* The route that goes through INTERFACE or one above it (bond, bridge, VLAN); CHAIN gets
 * the way there. */
static const char *routed_above(
	struct net *net, const char *interface, GString *chain, unsigned depth)
{
	const char *route = g_hash_table_lookup(net->routed, interface);
	g_autofree char *path = g_strdup_printf(CLASS "/%s", interface);
	g_auto(GStrv) names = NULL;
	gsize length = chain->len;

	if (route || depth > DEPTH_MAX || !use_is_name(interface))
		return route;
	if (!g_hash_table_add(net->visited, g_strdup(interface)) ||
		mp_root_list(net->probe->root, path, &names) < 0)
		return NULL;
	for (char **name = names; *name; name++) {
		g_autofree char *master = NULL;
		const char *upper = *name + strlen("upper_");

		/* A master is an upper too; a copied tree may have only one of the links. */
		if (!strcmp(*name, "master"))
			upper = master = master_of(net, interface);
		else if (!g_str_has_prefix(*name, "upper_"))
			continue;
		if (!upper)
			continue;
		g_string_append_printf(chain, " -> %s", upper);
		route = routed_above(net, upper, chain, depth + 1);
		if (route)
			return route;
		g_string_truncate(chain, length);
	}
	return NULL;
}

static const char *master_kind(struct net *net, const char *interface)
{
	g_autofree char *bridge = g_strdup_printf(CLASS "/%s/brport", interface);
	g_autofree char *bond = g_strdup_printf(CLASS "/%s/bonding_slave", interface);
	struct mp_stat st;

	if (mp_root_stat(net->probe->root, bridge, &st) == 0)
		return "bridge";
	if (mp_root_stat(net->probe->root, bond, &st) == 0)
		return "bond";
	return "group";
}

static void take_interface(struct net *net, const char *interface)
{
	g_autofree char *path = g_strdup_printf(CLASS "/%s", interface);
	g_autofree char *target = NULL;
	g_autoptr(GString) detail = g_string_new(interface);
	g_autofree char *master = NULL;
	const char *route, *configured;
	struct use_what what = { .kind = MP_USE_NETWORK, .source = "/" CLASS };

	if (mp_root_readlink(net->probe->root, path, &target) < 0 ||
		strstr(target, "/virtual/"))
		return;
	g_hash_table_remove_all(net->visited);
	route = routed_above(net, interface, detail, 0);
	master = master_of(net, interface);
	configured = g_hash_table_lookup(net->configured, interface);
	if (route) {
		g_string_append_printf(detail, " has %s of the host", route);
		what.routes = true;
		what.source = "/" ROUTE;
	} else if (master && !strcmp(master, "ovs-system")) {
		/* sysfs does not tell which ports of a virtual switch belong together. */
		g_string_append(detail,
			" is in Open vSwitch, which may carry routes of the host");
		what.routes = g_hash_table_size(net->routed) > 0;
	} else if (master) {
		g_string_append_printf(
			detail, " is in %s %s", master_kind(net, interface), master);
	} else if (configured) {
		g_string_append_printf(detail, " is set up for %s in /%s, %s now",
			configured, INTERFACES, is_up(net, interface) ? "up" : "down");
		what.source = "/" INTERFACES;
	} else if (is_up(net, interface)) {
		g_string_append(detail, " is up, without a route or bridge");
	} else {
		return;
	}
	what.detail = detail->str;
	use_add_path(net->probe, target, &what);
}

void use_probe_net(struct use_probe *probe)
{
	g_autoptr(GHashTable) routed =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) configured =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) visited =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct net net = {
		.probe = probe,
		.routed = routed,
		.configured = configured,
		.visited = visited,
	};
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(probe->root, CLASS, &names);

	if (err < 0) {
		if (err != -ENOENT)
			use_unreadable(probe, CLASS, err);
		return;
	}
	each_line(&net, ROUTE, true, take_route);
	each_line(&net, ROUTE6, false, take_route6);
	each_line(&net, INTERFACES, false, take_interfaces_line);
	for (char **name = names; *name; name++)
		take_interface(&net, *name);
}
