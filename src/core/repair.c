/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/checks/common.h"
#include "core/iommu.h"
#include "core/pci.h"
#include "core/repair.h"
#include "core/use.h"
#include "core/vm.h"

#define HEX "0x%" G_GINT64_MODIFIER "x"

/* VT-d specification, 5.1.2.2: remappable format. */
#define MESSAGE_BASE  0xfeeull /* bits 31:20 */
#define MESSAGE_REMAP (1ull << 4)
#define MESSAGE_SHV   (1ull << 3)

struct plan {
	struct mp_host *host;
	const struct mp_pci *device;
	const struct mp_profile *profile;
	const struct mp_card *card;
	const struct mp_irtes *irtes;
	struct mp_repair *repair;
};

static void say(struct plan *plan, const char *id, enum mp_card_yes holds,
	const char *remedy, const char *format, ...) G_GNUC_PRINTF(5, 6);

static void say(struct plan *plan, const char *id, enum mp_card_yes holds,
	const char *remedy, const char *format, ...)
{
	struct mp_repair_condition *condition =
		mp_host_alloc(plan->host, sizeof(*condition));
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	condition->id = id;
	condition->holds = holds;
	condition->text = mp_host_str(plan->host, text);
	condition->remedy = holds == MP_CARD_YES ? NULL : remedy;
	g_ptr_array_add(plan->repair->conditions, condition);
}

/* --- what the VM cannot change --- */

static enum mp_card_yes is_of_that_sort(const struct mp_host *host,
	const struct mp_pci *device, const struct mp_profile *its)
{
	return its->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED && mp_host_card(host, device)
		       ? MP_CARD_YES
		       : MP_CARD_NO;
}

static void card_keeps_messages(struct plan *plan)
{
	const char *remedy = "There is nothing to repair: such a card signals by its "
			     "configuration space, which VFIO looks after.";

	if (is_of_that_sort(plan->host, plan->device, plan->profile) == MP_CARD_YES)
		say(plan, "card-keeps-messages", MP_CARD_YES, NULL,
			"The card keeps interrupt messages in registers of its own, and "
			"profile %s says where.",
			plan->profile->name);
	else
		say(plan, "card-keeps-messages", MP_CARD_NO, remedy,
			"Profile %s knows no registers of the card with interrupt messages.",
			plan->profile->name);
}

static enum mp_card_yes is_intel(
	const struct mp_host *host, const struct mp_pci *device, const char **unit)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);
	const struct mp_iommu_unit *its = mp_iommu_unit_of(host, device);

	*unit = its ? its->name : NULL;
	if (its)
		return its->kind == MP_IOMMU_INTEL ? MP_CARD_YES : MP_CARD_NO;
	return mp_iommu_has_kind(iommu, MP_IOMMU_AMD) ||
			       mp_iommu_has_kind(iommu, MP_IOMMU_OTHER)
		       ? MP_CARD_NO
		       : MP_CARD_UNKNOWN;
}

static void intel(struct plan *plan)
{
	const char *unit;

	switch (is_intel(plan->host, plan->device, &unit)) {
	case MP_CARD_YES:
		say(plan, "intel-iommu", MP_CARD_YES, NULL,
			"Intel's VT-d (%s) is in front of the card: with SHV clear the address "
			"alone tells the entry.",
			unit);
		break;
	case MP_CARD_NO:
		say(plan, "intel-iommu", MP_CARD_NO,
			"It cannot be done on this host; let the guest's driver poll (metis "
			"dma_poll=1).",
			"The IOMMU in front of the card is not Intel's: AMD's takes the entry "
			"from the data, which the guest's driver rewrites before each job.");
		break;
	case MP_CARD_UNKNOWN:
		say(plan, "intel-iommu", MP_CARD_UNKNOWN,
			"Switch the IOMMU on (see 'metis-passthrough preflight').",
			"No IOMMU in front of the card is seen.");
		break;
	}
}

bool mp_repair_can_be(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile)
{
	const char *unit;

	return is_of_that_sort(host, device, profile) == MP_CARD_YES &&
	       is_intel(host, device, &unit) == MP_CARD_YES;
}

/* --- the VM and its message --- */

static const char *vm_of(const struct plan *plan)
{
	g_autoptr(GPtrArray) uses = mp_use_of(plan->host, plan->device);

	for (guint i = 0; i < uses->len; i++) {
		const struct mp_use_entry *entry = uses->pdata[i];

		if (entry->kind == MP_USE_VM)
			return entry->detail;
	}
	return NULL;
}

static void vm_has_it(struct plan *plan)
{
	const struct mp_fact *driver = &plan->device->driver;
	bool read = plan->host->use && plan->host->use->open_files.know == MP_KNOWN &&
		    !mp_use_unread(plan->host, plan->device);
	const char *vm = vm_of(plan);
	const char *start =
		"Start the VM and let the card's driver load in it; the host gives a "
		"message only then.";

	if (driver->know == MP_UNKNOWN)
		say(plan, "vm-has-it", MP_CARD_UNKNOWN, "Run it as root, on the host.",
			"Which driver has the card could not be read.");
	else if (!mp_fact_is(driver, "vfio-pci"))
		say(plan, "vm-has-it", MP_CARD_NO, start, "The card is with %s.",
			driver->know == MP_KNOWN ? driver->text : "no driver");
	else if (vm)
		say(plan, "vm-has-it", MP_CARD_YES, NULL,
			"The card is with vfio-pci and in use: %s.", vm);
	else if (!read)
		say(plan, "vm-has-it", MP_CARD_UNKNOWN, "Run it as root, on the host.",
			"Whether a VM has the card could not be read.");
	else
		say(plan, "vm-has-it", MP_CARD_NO, start,
			"The card is with vfio-pci, and nobody uses it.");
}

static void one_vector(struct plan *plan)
{
	const struct mp_msi *msi = &plan->device->msi;

	if (plan->device->config_size <= 64)
		say(plan, "one-vector", MP_CARD_UNKNOWN, "Run it as root, on the host.",
			"The card's capabilities could not be read.");
	else if (!msi->present)
		say(plan, "one-vector", MP_CARD_NO, "Nothing can be done here.",
			"The card has no MSI capability.");
	else if (!msi->enabled)
		say(plan, "one-vector", MP_CARD_NO,
			"Let the card's driver load in the guest.",
			"MSI of the card is off, so the host has given it no message.");
	else if (msi->vectors_enabled != 1)
		say(plan, "one-vector", MP_CARD_NO,
			"Take the virtual IOMMU off the VM ('viommu=' of its machine line): "
			"then its guest has one vector.",
			"The card was given %u vectors: the data tell which, so they may not "
			"be ignored.",
			msi->vectors_enabled);
	else
		say(plan, "one-vector", MP_CARD_YES, NULL,
			"MSI of the card is on, with one vector.");
}

/* VT-d 5.1.3: the handle, and with SHV the data beside it. */
static unsigned index_of(const struct mp_msi *msi)
{
	unsigned index = mp_card_handle(msi->address);

	return (index + (msi->address & MESSAGE_SHV ? msi->data : 0)) & 0xffff;
}

static bool is_remappable(const struct mp_msi *msi)
{
	return msi->address >> 20 == MESSAGE_BASE && msi->address & MESSAGE_REMAP;
}

/* 1: it is there and the card's. 0: not told. -1: it is another's, or not there. */
static int entry_is_ours(const struct plan *plan, unsigned index)
{
	if (!plan->irtes || plan->irtes->table.know != MP_KNOWN)
		return 0;
	for (guint i = 0; i < plan->irtes->all->len; i++) {
		const struct mp_irte *irte = plan->irtes->all->pdata[i];

		if (irte->handle == index && mp_irte_is_of(irte, plan->device))
			return 1;
	}
	return -1;
}

static void message_is_remapped(struct plan *plan)
{
	const struct mp_msi *msi = &plan->device->msi;
	const char *remedy =
		"Look at 'metis-passthrough preflight' for why interrupts are not "
		"remapped; then nothing would block the guest's message either.";
	unsigned index = index_of(msi);
	int ours;

	/* Which one-vector has said. */
	if (!msi->present || !msi->enabled)
		return;
	if (!is_remappable(msi)) {
		say(plan, "message-remapped", MP_CARD_NO, remedy,
			"The host's message is " HEX ", not in remappable format.",
			msi->address);
		return;
	}
	ours = entry_is_ours(plan, index);
	if (ours < 0) {
		say(plan, "message-remapped", MP_CARD_NO,
			"Look again: the guest may just have switched MSI off. If it stays so, "
			"report it with a snapshot.",
			"The host's message " HEX
			" stands for entry 0x%x, which the remapping "
			"table has not for this card.",
			msi->address, index);
		return;
	}
	plan->repair->message = MESSAGE_BASE << 20 | (uint64_t)(index & 0x7fff) << 5 |
				MESSAGE_REMAP | (uint64_t)(index >> 15) << 2;
	/* Where the table cannot be read: the kernel allocates the entry before it writes the
	 * message (intel_irq_remapping_alloc(), then pci_write_msi_msg()). */
	say(plan, "message-remapped", MP_CARD_YES, NULL,
		"The host's message " HEX
		" stands for entry 0x%x of the remapping table%s.",
		msi->address, index,
		ours ? ", which has it for this card"
		     : " (which cannot be looked at here; a kernel that has MSI on keeps the "
		       "entry)");
}

/* --- the inside of the card --- */

static const char *remedy_unread(const char *why)
{
	/* drivers/pci/pci-sysfs.c, pci_mmap_resource(): EINVAL where another driver holds it. */
	if (strstr(why, g_strerror(EINVAL)))
		return "Kernels with CONFIG_IO_STRICT_DEVMEM give the memory of a card that a "
		       "driver has to nobody else: boot with iomem=relaxed on the kernel's "
		       "command line for the time of this experiment.";
	if (strstr(why, g_strerror(EPERM)))
		return "Under lockdown (Secure Boot) the kernel maps no memory of cards: switch "
		       "that off for the time of this experiment.";
	return "Run it as root on the host, while the VM runs and uses the card.";
}

static bool card_runs(struct plan *plan)
{
	enum mp_card_life life = plan->card->life;
	const char *why = plan->card->why ? plan->card->why : "no reason is known";

	if (life == MP_CARD_RUNNING)
		say(plan, "card-runs", MP_CARD_YES, NULL,
			"The card's memory can be read, and its firmware runs.");
	else if (life == MP_CARD_UNREAD)
		say(plan, "card-runs", MP_CARD_UNKNOWN, remedy_unread(why),
			"The card could not be looked into: %s.", why);
	else
		say(plan, "card-runs", MP_CARD_NO,
			"Bring the card to life in the VM first; see 'metis-passthrough "
			"diagnose'.",
			"The card's firmware does not run (%s).",
			mp_card_life_name(life));
	return life == MP_CARD_RUNNING;
}

static void firmware_leaves_it(struct plan *plan)
{
	switch (plan->card->dma_vm) {
	case MP_CARD_NO:
		say(plan, "firmware-leaves-it", MP_CARD_YES, NULL,
			"The firmware does not manage these messages itself.");
		break;
	case MP_CARD_YES:
		say(plan, "firmware-leaves-it", MP_CARD_NO,
			"Use a driver in the guest that knows DMA in a VM (Metis: 1.5.7 or "
			"later).",
			"The firmware offers DMA in a VM: these messages are its own business.");
		break;
	case MP_CARD_UNKNOWN:
		say(plan, "firmware-leaves-it", MP_CARD_UNKNOWN,
			"Look again when the firmware is up.",
			"Whether the firmware manages these messages is not known.");
		break;
	}
}

/* An address is two words: none may be sent while only one of them is new. */
static void nothing_runs(struct plan *plan)
{
	for (unsigned i = 0; i < plan->card->channels_count; i++)
		if (plan->card->channels[i].status == 1) {
			say(plan, "nothing-runs", MP_CARD_NO, "Try again in a moment.",
				"A transfer is under way (channel %s).",
				plan->card->channels[i].name);
			return;
		}
	say(plan, "nothing-runs", MP_CARD_YES, NULL, "No transfer is under way.");
}

static void add_write(struct plan *plan, const struct mp_card_target *target)
{
	struct mp_repair *repair = plan->repair;

	repair->writes[repair->n_writes++] = (struct mp_repair_write){
		.name = target->name,
		.bar = target->bar,
		.offset = target->offset,
		.from = target->address,
		.to = repair->message,
	};
}

static void something_to_repair(struct plan *plan)
{
	const struct mp_card *card = plan->card;
	unsigned set = 0;

	for (unsigned i = 0; i < card->targets_count; i++) {
		const struct mp_card_target *target = &card->targets[i];

		if (target->message == MP_MESSAGE_MEMORY) {
			plan->repair->n_writes = 0;
			say(plan, "driver-has-written", MP_CARD_NO,
				"Find out who uses the engine; nothing is written over what is "
				"not understood.",
				"A message register (%s) points at memory, " HEX ".",
				target->name, target->address);
			return;
		}
		if (target->message == MP_MESSAGE_NONE)
			continue;
		set++;
		if (plan->repair->message && target->address != plan->repair->message)
			add_write(plan, target);
	}
	if (!set)
		say(plan, "driver-has-written", MP_CARD_NO,
			"Let the card's driver load in the guest. One that polls needs no "
			"message.",
			"No message is set in the card.");
	else
		say(plan, "driver-has-written", MP_CARD_YES, NULL,
			"%u of %u message registers are set, %u of them not to the host's "
			"message.",
			set, card->targets_count,
			plan->repair->message ? plan->repair->n_writes : set);
}

const struct mp_repair *mp_repair_plan(struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile, const struct mp_irtes *irtes)
{
	struct mp_repair *repair = mp_host_alloc(host, sizeof(*repair));
	struct plan plan = { host, device, profile, mp_host_card(host, device), irtes,
		repair };

	repair->device = device;
	repair->conditions = mp_host_array(host);
	repair->ready = true;
	card_keeps_messages(&plan);
	intel(&plan);
	vm_has_it(&plan);
	one_vector(&plan);
	message_is_remapped(&plan);
	if (plan.card && card_runs(&plan)) {
		firmware_leaves_it(&plan);
		nothing_runs(&plan);
		something_to_repair(&plan);
	}
	for (guint i = 0; i < repair->conditions->len; i++) {
		const struct mp_repair_condition *its = repair->conditions->pdata[i];

		repair->ready = repair->ready && its->holds == MP_CARD_YES;
	}
	return repair;
}

/* --- the effect --- */

static bool read_address(const struct mp_repair_write *write, const struct mp_card_io *io,
	uint64_t *address)
{
	uint32_t low, high;

	if (!io->read32(io->user, write->bar, write->offset, &low) ||
		!io->read32(io->user, write->bar, write->offset + 4, &high))
		return false;
	*address = low | (uint64_t)high << 32;
	return true;
}

/* A half that stays is not written. Interrupt addresses are below 4 GiB, so the high one
 * always stays, and the change is one write. */
static bool write_address(const struct mp_repair_write *write,
	const struct mp_card_io *io, uint64_t from, uint64_t to)
{
	if (from >> 32 != to >> 32 && !io->write32(io->user, write->bar,
					      write->offset + 4, (uint32_t)(to >> 32)))
		return false;
	return io->write32(io->user, write->bar, write->offset, (uint32_t)to);
}

static bool put(const struct mp_repair *repair, const struct mp_repair_write *write,
	const struct mp_card_io *io, GError **error)
{
	uint64_t now = 0;
	const char *problem = NULL;

	if (!read_address(write, io, &now))
		problem = "could not be read";
	else if (now != write->from)
		problem = "was written by somebody else meanwhile; try again";
	else if (!write_address(write, io, now, write->to))
		problem = "could not be written";
	else if (!read_address(write, io, &now) || now != write->to)
		problem = "does not hold what was written";
	if (problem)
		g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
			"%s: not repaired: the register at 0x%" G_GINT64_MODIFIER
			"x of BAR %u (%s) %s",
			repair->device->bdf, write->offset, write->bar, write->name,
			problem);
	return !problem;
}

void mp_repair_undo(const struct mp_repair *repair, const struct mp_card_io *io)
{
	for (unsigned i = 0; i < repair->n_writes; i++) {
		const struct mp_repair_write *write = &repair->writes[i];
		uint64_t now = 0;

		if (read_address(write, io, &now) && now == write->to)
			write_address(write, io, now, write->from);
	}
}

bool mp_repair_apply(
	const struct mp_repair *repair, const struct mp_card_io *io, GError **error)
{
	g_return_val_if_fail(repair->ready, false);
	for (unsigned i = 0; i < repair->n_writes; i++)
		if (!put(repair, &repair->writes[i], io, error)) {
			mp_repair_undo(repair, io);
			return false;
		}
	return true;
}

bool mp_repair_still_holds(const struct mp_repair *repair, const struct mp_pci *after)
{
	const struct mp_msi *was = &repair->device->msi, *is = &after->msi;

	return is->enabled && is->vectors_enabled == was->vectors_enabled &&
	       is->address == was->address && is->data == was->data;
}
