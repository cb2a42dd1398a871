/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/fault.h"
#include "unit.h"

static struct mp_fault parse(const char *line)
{
	struct mp_fault fault;

	assert_true(mp_fault_parse(line, strlen(line), &fault));
	return fault;
}

static void assert_source(
	const struct mp_fault *fault, uint8_t bus, uint8_t slot, uint8_t fn)
{
	assert_true(mp_fault_is_of(fault, 0, bus, slot, fn));
	assert_false(mp_fault_is_of(fault, 0, bus, slot, fn ^ 1));
	assert_false(mp_fault_is_of(fault, 0, bus ^ 1, slot, fn));
}

static void test_intel_dma(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *line;
		bool write;
		uint64_t address;
		uint32_t reason;
	} cases[] = {
		{ "[  101.5] DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr "
		  "0x149800000 [fault reason 0x05] PTE Write access is not set",
			true, 0x149800000, 5 },
		{ "DMAR: [DMA Read NO_PASID] Request device [0x86:0x00.0] fault addr 0x600000 "
		  "[fault reason 0x06] PTE Read access is not set",
			false, 0x600000, 6 },
		{ "DMAR: [DMA Write] Request device [86:00.0] PASID ffffffff fault addr 69974000 "
		  "[fault reason 05] PTE Write access is not set",
			true, 0x69974000, 5 },
		{ "DMAR: [DMA Write] Request device [86:00.0] fault addr 1000 [fault reason 12] x",
			true, 0x1000, 12 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mp_fault fault = parse(cases[i].line);

		assert_int_equal(fault.kind, MP_FAULT_DMA);
		assert_int_equal(fault.unit, MP_FAULT_INTEL);
		assert_source(&fault, 0x86, 0, 0);
		assert_false(fault.has_domain);
		assert_true(fault.write == cases[i].write);
		assert_true(fault.has_address && fault.address == cases[i].address);
		assert_true(fault.has_reason);
		assert_int_equal(fault.reason, cases[i].reason);
		assert_false(fault.has_pasid);
	}
	struct mp_fault fault =
		parse("DMAR: [DMA Read PASID 0x12] Request device [01:02.3] "
		      "fault addr 0xfffffffffffff000 [fault reason 0x71] x");

	assert_true(fault.has_pasid);
	assert_int_equal(fault.pasid, 0x12);
	assert_true(fault.address == 0xfffffffffffff000);
	assert_source(&fault, 1, 2, 3);
}

static void test_intel_interrupt(void **state G_GNUC_UNUSED)
{
	static const char *const lines[] = {
		"DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x28 "
		"[fault reason 0x22] Present field in the IRTE entry is clear",
		"[INTR-REMAP] Request device [0x86:0x00.0] fault index 0x28 [fault reason 0x22] x",
		"INTR-REMAP: Request device [[86:00.0] fault index 28 "
		"INTR-REMAP:[fault reason 34] Present field in the IRTE entry is clear",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		struct mp_fault fault = parse(lines[i]);

		assert_int_equal(fault.kind, MP_FAULT_INTERRUPT);
		assert_source(&fault, 0x86, 0, 0);
		assert_true(fault.has_index);
		assert_int_equal(fault.index, 0x28);
		assert_int_equal(fault.reason, 0x22);
		assert_false(fault.has_address);
	}
}

static void test_amd(void **state G_GNUC_UNUSED)
{
	struct mp_fault fault = parse(
		"vfio-pci 0001:0c:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0021 "
		"address=0x149800000 flags=0x0020]");

	assert_int_equal(fault.unit, MP_FAULT_AMD);
	assert_int_equal(fault.kind, MP_FAULT_DMA);
	assert_string_equal(fault.event, "IO_PAGE_FAULT");
	assert_true(fault.write);
	assert_true(fault.has_domain);
	assert_true(mp_fault_is_of(&fault, 1, 0x0c, 0, 0));
	assert_false(mp_fault_is_of(&fault, 0, 0x0c, 0, 0));
	assert_true(fault.address == 0x149800000);

	fault = parse("AMD-Vi: Event logged [IO_PAGE_FAULT device=0c:00.1 domain=0x0000 "
		      "address=0xfffffffdf8000000 flags=0x0008]");
	assert_int_equal(fault.kind, MP_FAULT_INTERRUPT);
	assert_source(&fault, 0x0c, 0, 1);

	fault = parse("AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=0000:0c:00.1 "
		      "pasid=0x00000 address=0x1000 flags=0x0a00]");
	assert_int_equal(fault.kind, MP_FAULT_OTHER);
	assert_string_equal(fault.event, "ILLEGAL_DEV_TABLE_ENTRY");
}

/* Old kernels wrote two lines for one fault; rate limiting hides some. */
static void test_text(void **state G_GNUC_UNUSED)
{
	static const char text[] =
		"[    0.1] nothing\n"
		"[    1.0] DMAR:[DMA Write] Request device [86:00.0] fault addr 149800000 \n"
		"[    1.0] DMAR:[fault reason 05] PTE Write access is not set\n"
		"[    1.5] dmar_fault: 83 callbacks suppressed\n"
		"[    2.0] INTR-REMAP: Request device [[f0:1f.0] fault index 0\n"
		"[    2.0] INTR-REMAP:[fault reason 37] Blocked a compatibility format\n"
		"[    3.0] AMD-Vi: Event logged [\n"
		"[    3.0] IO_PAGE_FAULT device=02:00.0 domain=0x0012 address=0x1000 flags=0x0020]\n"
		"[    4.0] DMAR:[DMA Read] Request device [86:00.0] fault addr 2000 \n"
		"[    4.1] something between\n"
		"[    4.2] DMAR:[fault reason 06] not of the line above";
	g_autoptr(GArray) faults = mp_faults_parse(text, strlen(text));
	const struct mp_fault *f = (const struct mp_fault *)(gpointer)faults->data;

	assert_int_equal(faults->len, 5);
	assert_true(f[0].write && f[0].has_reason && f[0].reason == 5);
	assert_int_equal(f[1].kind, MP_FAULT_SUPPRESSED);
	assert_true(f[1].suppressed == 83);
	assert_int_equal(f[2].kind, MP_FAULT_INTERRUPT);
	assert_int_equal(f[2].reason, 0x25);
	assert_source(&f[2], 0xf0, 0x1f, 0);
	assert_int_equal(f[3].kind, MP_FAULT_DMA);
	assert_source(&f[3], 2, 0, 0);
	assert_false(f[4].has_reason);
}

static void test_no_faults(void **state G_GNUC_UNUSED)
{
	static const char *const lines[] = {
		"",
		"DMAR: DRHD: handling fault status reg 2",
		"Request device [86:00.0] fault addr",
		"DMAR: [DMA Write] Request device [8:00.0] fault addr 1000 [fault reason 05]",
		"systemd: 5 callbacks suppressed",
		"AMD-Vi: Event logged",
	};
	struct mp_fault fault;

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		assert_false(mp_fault_parse(lines[i], strlen(lines[i]), &fault));
	/* Too large a number is no number. */
	fault = parse("DMAR: [DMA Write] Request device [86:00.0] fault addr "
		      "11112222333344445555 [fault reason 999]");
	assert_false(fault.has_address);
	assert_false(fault.has_reason);
}

static void test_reasons(void **state G_GNUC_UNUSED)
{
	assert_non_null(mp_fault_reason_text(0x05));
	assert_non_null(mp_fault_reason_text(0x22));
	assert_null(mp_fault_reason_text(0x1f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intel_dma),
		cmocka_unit_test(test_intel_interrupt),
		cmocka_unit_test(test_amd),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_no_faults),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
