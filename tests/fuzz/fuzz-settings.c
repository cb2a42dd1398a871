/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever the bytes are: an object, or an error of one line that names the file. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_config) parsed =
		mp_config_parse("f.yaml", (const char *)data, size, &error);

	if (!parsed == !error)
		abort();
	if (error && (strncmp(error->message, "f.yaml:", 7) != 0 ||
			     strchr(error->message, '\n')))
		abort();
	return 0;
}

MP_FUZZ_MAIN
