// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vendor's driver in a guest without an operating system: a multiboot program of some kilobytes,
 * so that a nested guest under emulation is up in seconds. Its words come from the boot loader's
 * command line, what it says goes to the first serial port, and it ends by QEMU's isa-debug-exit.
 *
 * What stands behind the word "forever" is done again and again.
 *
 * What an operating system would do is done here as Linux does it on x86: one vector where there is
 * no interrupt remapping, message 0xfee00000 with the vector as data; 32 vectors where there is, in
 * the remappable format with a handle of the guest's table (word remap=BASE).
 */

#include "vendor.h"

#define VECTOR      0x40u
#define WINDOW      0x2000000u /* aligned to 2 MiB, as versions from 1.4.16 on do it */
#define SOURCE      0x2200000u
#define BACK        0x2201000u
#define REMAP_TABLE 0x2300000u

#define DEBUG_EXIT 0xf4
#define SERIAL     0x3f8

static struct {
	uint32_t function; /* bus, device, function, as in the address port; 0: none */
	volatile uint32_t *bar[3];
	uint32_t msi; /* the capability's offset */
	uint32_t remap_base;
	bool remapped;
} card;

static volatile uint32_t raised[VENDOR_VECTORS];

/* Ports. */
static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put_text(const char *text)
{
	for (; *text; text++) {
		while (!(inb(SERIAL + 5) & 0x20))
			;
		outb(SERIAL, (uint8_t)*text);
	}
}

static void say(void *user, const char *what, const char *how)
{
	(void)user;
	put_text("guest: ");
	put_text(what);
	put_text(" ");
	put_text(how);
	put_text("\n");
}

/* Configuration space, mechanism 1. */
static uint32_t config(uint32_t offset)
{
	outl(0xcf8, 0x80000000u | card.function | (offset & 0xfc));
	return inl(0xcfc);
}

static void set_config(uint32_t offset, uint32_t value)
{
	outl(0xcf8, 0x80000000u | card.function | (offset & 0xfc));
	outl(0xcfc, value);
}

static void bus_master(void *user, bool on)
{
	uint32_t command =
		config(4) & 0xffff; /* zeros: what is W1C in the status stays */

	(void)user;
	set_config(4, (on ? command | 4 : command & ~4u) | 2);
}

static volatile uint32_t *at(uint32_t address)
{
	return (volatile uint32_t *)(uintptr_t)address;
}

static volatile uint32_t *apic(uint32_t offset)
{
	return at(0xfee00000u + offset);
}

/* Which vector it is stands in the local APIC: the highest one in service. */
struct frame;
__attribute__((interrupt)) static void on_interrupt(struct frame *frame)
{
	(void)frame;
	for (unsigned vector = VECTOR; vector < VECTOR + VENDOR_VECTORS; vector++)
		if (*apic(0x100 + vector / 32 * 16) >> vector % 32 & 1)
			raised[vector - VECTOR] = 1;
	*apic(0xb0) = 0;
}

static struct {
	uint64_t gdt[3];
	uint64_t idt[256];
} tables;

struct __attribute__((packed)) pointer {
	uint16_t limit;
	uint32_t base;
};

static void interrupts_on(void)
{
	struct pointer gdt = { sizeof tables.gdt - 1, (uint32_t)tables.gdt };
	struct pointer idt = { sizeof tables.idt - 1, (uint32_t)tables.idt };
	uint32_t handler = (uint32_t)on_interrupt;

	tables.gdt[1] = 0x00cf9a000000ffffull; /* flat code */
	tables.gdt[2] = 0x00cf92000000ffffull; /* flat data */
	for (unsigned i = VECTOR; i < VECTOR + VENDOR_VECTORS; i++)
		tables.idt[i] = (uint64_t)(handler >> 16) << 48 | 0x8e00ull << 32 |
				8ull << 16 | (handler & 0xffff);
	__asm__ volatile("lgdt %0\n\t"
			 "lidt %1\n\t"
			 "ljmp $8, $1f\n"
			 "1:\n\t"
			 "movl $16, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%ss"
			 :
			 : "m"(gdt), "m"(idt)
			 : "eax", "memory");
	outb(0x21, 0xff); /* the BIOS left the timer on */
	outb(0xa1, 0xff);
	*apic(0xf0) = 0x1ff;
	__asm__ volatile("sti");
}

static bool was_raised(void *user, unsigned vector)
{
	uint32_t was = 0;

	(void)user;
	__asm__ volatile("xchgl %0, %1"
			 : "+r"(was), "+m"(raised[vector % VENDOR_VECTORS]));
	return was;
}

static struct vendor_message enable_msi(void *user)
{
	struct vendor_message message = { 0xfee00000u, VECTOR, 1 };
	uint32_t log2 = 0;

	(void)user;
	if (card.remapped) {
		/* Handle, format bit, subhandle valid: the data is the number within the block. */
		message.address |= card.remap_base << 5 | 0x18;
		message.data = 0;
		message.vectors = VENDOR_VECTORS;
		log2 = 5;
	}
	set_config(card.msi + 4, (uint32_t)message.address);
	set_config(card.msi + 8, 0);
	set_config(card.msi + 12, message.data);
	set_config(card.msi + 16, 0); /* nothing masked */
	set_config(card.msi, (config(card.msi) & 0xff8effffu) | log2 << 20 | 1u << 16);
	return message;
}

static void disable_msi(void *user)
{
	(void)user;
	set_config(card.msi, config(card.msi) & ~(1u << 16));
}

/* Seconds of the clock chip that have gone by; called more often than once a second, or it runs late. */
static unsigned seconds(void *user)
{
	static unsigned now;
	static uint8_t last;
	uint8_t register_a, second;

	(void)user;
	outb(0x70, 0x0a);
	register_a = inb(0x71);
	if (register_a & 0x80) /* it is being updated */
		return now;
	outb(0x70, 0);
	second = inb(0x71);
	if (second != last)
		now++;
	last = second;
	return now;
}

static uint32_t read_bar(void *user, unsigned bar, uint32_t offset)
{
	(void)user;
	return card.bar[bar][offset / 4];
}

static void write_bar(void *user, unsigned bar, uint32_t offset, uint32_t value)
{
	(void)user;
	card.bar[bar][offset / 4] = value;
}

static void release(void *user)
{
	(void)user; /* Nothing that the card could see: a guest's free memory stays mapped. */
}

/* Everything below 4 GiB that is RAM; the scenario knows how much there is. */
static volatile uint8_t *page(void *user, uint64_t address)
{
	(void)user;
	return address >= 0x1000000 && address < 0x80000000u
		       ? (volatile uint8_t *)at((uint32_t)address)
		       : NULL;
}

/*
 * Interrupt remapping of the guest's own IOMMU, for 32 vectors from entry BASE on (VT-d, 5.1.4 and
 * 9.10; registers 10.4.4, 10.4.5 and 10.4.29). DMA is not translated: iommu=pt. QEMU's unit needs no
 * queued invalidation while no entry is changed.
 */
static bool remap(uint32_t base)
{
	volatile uint64_t *entry = (volatile uint64_t *)at(REMAP_TABLE);
	volatile uint32_t *unit = at(0xfed90000u);
	unsigned start = seconds(NULL);

	for (unsigned i = 0; i < 512; i++)
		entry[i] = 0;
	for (unsigned i = 0; i < VENDOR_VECTORS;
		i++) /* fixed, edge, to APIC 0; any source */
		entry[2 * (base + i)] = (uint64_t)(VECTOR + i) << 16 | 1;
	unit[0xb8 / 4] = REMAP_TABLE | 7; /* 256 entries */
	unit[0xbc / 4] = 0;
	unit[0x18 / 4] = 1u << 24; /* take the table */
	while (!(unit[0x1c / 4] >> 24 & 1) && seconds(NULL) - start < 5)
		;
	unit[0x18 / 4] = 1u << 25; /* remap */
	while (!(unit[0x1c / 4] >> 25 & 1) && seconds(NULL) - start < 5)
		;
	card.remap_base = base;
	card.remapped = unit[0x1c / 4] >> 25 & 1;
	say(NULL, "interrupt-remapping", card.remapped ? "on" : "does not come on");
	return card.remapped;
}

static bool word(void *user, const char *text)
{
	uint64_t base;

	(void)user;
	text = vendor_after(text, "remap=");
	return text && vendor_number(&text, '\0', &base) &&
	       base <= 256 - VENDOR_VECTORS && base % VENDOR_VECTORS == 0 &&
	       remap((uint32_t)base);
}

static bool find_card(void)
{
	uint32_t offset;

	for (uint32_t function = 0; function < 4u << 16; function += 1u << 8) {
		card.function = function;
		if (config(0) == 0x11001f9du)
			break;
		card.function = 0;
	}
	if (!card.function)
		return false;
	if (config(0x14)) /* the upper half of BAR 0 */
		return false;
	card.bar[0] = at(config(0x10) & ~15u);
	card.bar[2] = at(config(0x18) & ~15u);
	for (offset = config(0x34) & 0xfc; offset && (config(offset) & 0xff) != 5;)
		offset = config(offset) >> 8 & 0xfc;
	card.msi = offset;
	bus_master(NULL, false); /* memory accesses, and no more yet */
	return offset && card.bar[0] && card.bar[2];
}

/* Cuts the loader's line into words, in its place; the first is the file's name. */
static unsigned split(char *line, const char **words, unsigned most)
{
	unsigned count = 0;

	while (*line && count < most) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			break;
		words[count++] = line;
		while (*line && *line != ' ')
			line++;
	}
	*line = '\0';
	return count;
}

__attribute__((used)) static void guest_main(const uint32_t *info)
{
	static const struct vendor_io io = {
		.read = read_bar,
		.write = write_bar,
		.bus_master = bus_master,
		.enable_msi = enable_msi,
		.disable_msi = disable_msi,
		.raised = was_raised,
		.release = release,
		.seconds = seconds,
		.say = say,
		.page = page,
		.word = word,
	};
	static struct vendor vendor;
	static const char *words[64];
	bool done = false;
	unsigned count, forever = 1;

	vendor.io = &io;
	vendor.window = (struct vendor_memory){ WINDOW, (volatile uint8_t *)at(WINDOW) };
	vendor.source = (struct vendor_memory){ SOURCE, (volatile uint8_t *)at(SOURCE) };
	vendor.back = (struct vendor_memory){ BACK, (volatile uint8_t *)at(BACK) };
	outb(SERIAL + 3, 3);
	interrupts_on();
	/* Multiboot: flag 2 says that there is a command line, whose address is the fifth word. */
	count = info[0] & 4 ? split((char *)(uintptr_t)info[4], words, 64) : 0;
	if (!find_card())
		say(NULL, "card", "not found");
	else if (count > 1) {
		while (forever < count && !vendor_same(words[forever], "forever"))
			forever++;
		done = vendor_run(&vendor, forever - 1, words + 1);
		while (done && forever + 1 < count)
			done = vendor_run(
				&vendor, count - forever - 1, words + forever + 1);
	}
	outl(DEBUG_EXIT, !done);
	for (;;)
		__asm__ volatile("hlt");
}

__attribute__((section(".multiboot"), used,
	aligned(4))) static const uint32_t multiboot[] = { 0x1badb002, 0,
	0u - 0x1badb002u };

__attribute__((used)) static uint8_t stack[16384] __attribute__((aligned(16)));

__asm__(".global guest_entry\n"
	"guest_entry:\n\t"
	"cli\n\t"
	"leal stack + 16384 - 16, %esp\n\t"
	"pushl %ebx\n\t"
	"call guest_main");
