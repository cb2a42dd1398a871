/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/fact.h"
#include "guest/module-private.h"

#define DRIVER          "sys/bus/pci/drivers/" DMATEST_MODULE
#define LONGEST_SECONDS MP_MODULE_BUILD_SECONDS
/* What program-call.c takes to end one that does not want to. */
#define END_SECONDS     15

static_assert(
	MP_GUEST_MODULE_SECONDS >=
		MP_MODULE_BUILD_SECONDS + 2 * MP_MODULE_LOAD_SECONDS + 3 * END_SECONDS,
	"modprobe, make and insmod fit into what others wait for");

unsigned mp_guest_seconds(unsigned seconds)
{
	const char *text = g_getenv("METIS_PASSTHROUGH_GUEST_SECONDS");
	uint64_t longest;

	if (!text || !mp_parse_uint(text, 10, &longest) || longest >= LONGEST_SECONDS)
		return seconds;
	return MAX(1, seconds * (unsigned)longest / LONGEST_SECONDS);
}

static bool is_there(struct mp_target *target)
{
	struct mp_stat st;

	return mp_root_stat(mp_target_root(target), DRIVER, &st) == 0;
}

/* How well a line of make's tells why it failed. What is not found may be no more than a tool
 * that is not needed, so an error is better, wherever it comes. */
static int tells_why(const char *line)
{
	g_autofree char *lower = g_ascii_strdown(line, -1);

	if (strstr(lower, "error:") || strstr(lower, "no space left on device"))
		return 2;
	return strstr(lower, ": not found") || strstr(lower, "no such file or directory");
}

static bool on_line(void *user, const char *line)
{
	struct mp_module_loader *loader = user;
	int why = line ? tells_why(line) : 0;

	if (why > (loader->complaint ? tells_why(loader->complaint) : 0)) {
		g_free(loader->complaint);
		loader->complaint = g_strdup(line);
	}
	if (loader->tick && !loader->tick(loader->user, line))
		loader->stopped = true;
	return !loader->stopped;
}

bool mp_module_call(struct mp_module_loader *loader, enum mp_program program,
	const char *const *args, unsigned seconds, GError **error)
{
	const struct mp_program_call call = {
		.program = program,
		.args = args,
		.target = loader->target,
		.seconds = mp_guest_seconds(seconds),
		.line = on_line,
		.user = loader,
	};

	return mp_program_call(&call, error);
}

/* The driver is what counts, not that a program was content. */
bool mp_module_came(struct mp_module_loader *loader, GError **error)
{
	if (is_there(loader->target))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"the module is loaded, but there is no PCI driver " DMATEST_MODULE);
	return false;
}

/* --- loading --- */

/* init_module(2): what is not signed by a known key, where the kernel insists. */
static bool wants_signature(const GError *problem)
{
	return strstr(problem->message, "Key was rejected") ||
	       strstr(problem->message, "Required key not available") ||
	       strstr(problem->message, "Operation not permitted");
}

static void explain_signature(GError **error)
{
	if (wants_signature(*error))
		g_prefix_error(error,
			"this kernel takes signed modules only (Secure Boot): with dkms, "
			"enroll its key (mokutil --import /var/lib/dkms/mok.pub), or use "
			"VFIO with a virtual IOMMU (--way group); ");
}

bool mp_guest_module_load(const struct mp_host *host, struct mp_target *target,
	bool (*tick)(void *user, const char *line), void *user, enum mp_module_from *from,
	GError **error)
{
	static const char *const args[] = { DMATEST_MODULE, NULL };
	struct mp_module_loader loader = {
		.host = host,
		.target = target,
		.tick = tick,
		.user = user,
	};
	g_autoptr(GError) problem = NULL;

	*from = MP_MODULE_NOWHERE;
	if (is_there(target)) {
		*from = MP_MODULE_THERE;
		return true;
	}
	if (mp_module_call(&loader, MP_PROGRAM_MODPROBE, args, MP_MODULE_LOAD_SECONDS,
		    &problem) &&
		mp_module_came(&loader, &problem)) {
		*from = MP_MODULE_LOADED;
		g_free(loader.complaint);
		return true;
	}
	/* Of modprobe; make is to have its own. */
	g_clear_pointer(&loader.complaint, g_free);
	if (!loader.stopped && !wants_signature(problem)) {
		if (mp_module_build(&loader, error)) {
			*from = MP_MODULE_BUILT;
			return true;
		}
		if (error)
			g_prefix_error(error, "%s; ", problem->message);
	} else if (error) {
		g_propagate_error(error, g_steal_pointer(&problem));
	}
	if (error && *error) {
		explain_signature(error);
		g_prefix_error(error, "module " DMATEST_MODULE " is not there: ");
	}
	return false;
}

void mp_guest_module_unload(struct mp_target *target, enum mp_module_from from)
{
	static const char *const args[] = { DMATEST_MODULE, NULL };
	const struct mp_program_call rmmod = {
		.program = MP_PROGRAM_RMMOD,
		.args = args,
		.target = target,
		.seconds = mp_guest_seconds(MP_MODULE_LOAD_SECONDS),
	};

	if (from == MP_MODULE_LOADED || from == MP_MODULE_BUILT)
		mp_program_call(&rmmod, NULL);
}
