/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/acpi.h"
#include "core/host.h"

bool mp_acpi_open(struct mp_acpi_table *table, const uint8_t *data, size_t size,
	const char *signature, size_t minimum, const char **problem)
{
	uint8_t sum = 0;
	uint32_t length;

	if (size < MP_ACPI_HEADER) {
		*problem = "shorter than an ACPI table header";
		return false;
	}
	if (memcmp(data, signature, 4) != 0) {
		*problem = "the signature is another one";
		return false;
	}
	length = mp_le32(data + 4);
	if (length < minimum || size < minimum) {
		*problem = "shorter than the fixed part of its kind of table";
		return false;
	}
	*table =
		(struct mp_acpi_table){ .data = data, .size = size, .revision = data[8] };
	if (length > size)
		table->problem = "the table is cut off: its header promises more bytes";
	if (length < size)
		table->size = length;
	for (size_t i = 0; i < table->size; i++)
		sum = (uint8_t)(sum + data[i]);
	table->checksum_ok = !table->problem && sum == 0;
	*problem = NULL;
	return true;
}

GArray *mp_madt_ioapics(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem)
{
	struct mp_acpi_table table;
	GArray *ids;

	if (!mp_acpi_open(&table, data, size, "APIC", 44, problem))
		return NULL;
	ids = mp_host_own(
		host, g_array_new(FALSE, FALSE, 1), (GDestroyNotify)g_array_unref);
	*problem = table.problem;
	for (size_t at = 44; at < table.size;) {
		size_t left = table.size - at;
		uint8_t length = left < 2 ? 0 : data[at + 1];

		if (length < 2 || length > left) {
			*problem =
				"an entry of the MADT is empty or runs out of the table";
			break;
		}
		if (data[at] == 1 && length >= 12) /* 5.2.12.3: I/O APIC */
			g_array_append_val(ids, data[at + 2]);
		at += length;
	}
	return ids;
}
