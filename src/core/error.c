/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "core/error.h"

G_DEFINE_QUARK(mp - error - quark, mp_error)

enum mp_exit mp_error_exit(const GError *error)
{
	if (error->domain == G_OPTION_ERROR)
		return MP_EXIT_USAGE;
	if (error->domain != MP_ERROR)
		return MP_EXIT_FAILURE;
	switch (error->code) {
	case MP_ERROR_USAGE:
		return MP_EXIT_USAGE;
	case MP_ERROR_CHANGED:
		return MP_EXIT_FINDING;
	case MP_ERROR_UNDONE:
		return MP_EXIT_ROLLED_BACK;
	case MP_ERROR_STUCK:
		return MP_EXIT_STUCK;
	default:
		return MP_EXIT_FAILURE;
	}
}

static enum mp_error code_of(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return MP_ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return MP_ERROR_DENIED;
	case EFBIG:
		return MP_ERROR_LIMIT;
	case ENODATA:
		return MP_ERROR_NOT_CAPTURED;
	default:
		return MP_ERROR_IO;
	}
}

void mp_error_set_errno(
	GError **error, int negative_errno, const char *object, const char *action)
{
	int err = -negative_errno;
	const char *reason = g_strerror(err);

	if (err == ENODATA)
		reason = "not in this snapshot";
	else if (err == EFBIG)
		reason = "larger than this program is willing to read";
	g_set_error(error, MP_ERROR, code_of(err), "%s: cannot %s: %s", object, action,
		reason);
}
