/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose.h - from the events of a log to their causes: who was blocked, what lies at the
 * address, which explanations fit, what speaks for and against each, and what would decide.
 * Pure: reads the model and the log's events, nothing else.
 */
#ifndef MP_DIAGNOSE_H
#define MP_DIAGNOSE_H

#include "core/event-log.h"
#include "core/fact.h"
#include "core/vm-map.h"

struct mp_host;
struct mp_pci;
struct mp_profile;
struct mp_vm;

/* What is known, one way or the other, and counts for or against an explanation. */
enum mp_clue_id {
	/* --- what the log says about the device --- */
	MP_CLUE_INTR_ABSENT,  /* entry of the interrupt table not present */
	MP_CLUE_INTR_COMPAT,  /* message in compatibility format */
	MP_CLUE_INTR_FOREIGN, /* entry of another device */
	MP_CLUE_INTR_GARBAGE, /* no valid message, or data written into the window */
	MP_CLUE_INTR_TABLE,   /* the table itself */
	MP_CLUE_INTR_AMD,     /* AMD, ARM: a blocked message */
	MP_CLUE_WRITE,        /* a write without a mapping */
	MP_CLUE_READ,
	MP_CLUE_NO_DOMAIN, /* the device has no tables at all */
	MP_CLUE_TOO_WIDE,
	MP_CLUE_TABLES,    /* page tables that make no sense */
	MP_CLUE_ALIGNED,   /* writes into the first page of 2 MiB */
	MP_CLUE_READ_ONLY, /* the page is mapped, but read-only */
	MP_CLUE_LOW,       /* all addresses are below 4 GiB */
	MP_CLUE_TIMEOUTS,  /* the card's driver waits in vain */
	MP_CLUE_COMMANDS,  /* so do commands to its firmware, without any DMA */
	MP_CLUE_BEHIND,    /* the requester is no function of the host */
	MP_CLUE_CHIP,      /* it is an I/O APIC or HPET */
	MP_CLUE_BRIDGE,    /* conventional PCI above it: requests carry other names */
	/* --- other events --- */
	MP_CLUE_RESET_FAILED,
	MP_CLUE_D3COLD,
	MP_CLUE_PENDING,
	MP_CLUE_HEADER, /* the card's memory holds nothing sensible */
	MP_CLUE_LINK,
	MP_CLUE_BAR,
	MP_CLUE_MEMLOCK,
	MP_CLUE_MAP_LIMIT, /* VFIO: no space left */
	MP_CLUE_MAP_REFUSED,
	MP_CLUE_NOT_VIABLE,
	MP_CLUE_NO_REMAPPING,
	MP_CLUE_ONE_TO_ONE, /* RMRR, IVMD */
	MP_CLUE_ATTACH,
	MP_CLUE_AER,
	MP_CLUE_IOMMU, /* other events of the unit */
	MP_CLUE_RELEASE,
	/* --- the card and its driver --- */
	MP_CLUE_PROGRAMS, /* messages are copied into the card */
	MP_CLUE_EDMA,     /* a card with a status window (profile with engine dw-edma) */
	MP_CLUE_OLD_DRIVER,  /* one that knows nothing of DMA in a VM */
	MP_CLUE_ONE_VECTOR,  /* the driver was granted one; no: more */
	MP_CLUE_HOST_DRIVER, /* the host's own driver had the card since power-on */
	/* --- the VM --- */
	MP_CLUE_VIOMMU,
	MP_CLUE_IN_RAM,    /* every address is RAM of the VM */
	MP_CLUE_OUTSIDE,   /* one is nothing that the VM has */
	MP_CLUE_IN_WINDOW, /* one is in the interrupt window */
	MP_CLUE_IN_ROM,
	MP_CLUE_HOTPLUG,
	/* --- the host --- */
	MP_CLUE_PASSTHROUGH, /* iommu=pt */
	MP_CLUE_NO_RESET,    /* the device has no way to be reset */
	MP_CLUE_SLOT,        /* d = 0 to count-1: the entry should exist */
	MP_CLUE_VECTOR,      /* d = 4 to 11, 12, 24: a vector's number was added */
	MP_CLUE_MIXED,       /* d >= 0x20: a guest's vector was added */
	MP_CLUE_BLOCK,       /* index % 32 = 4 to 11: an offset in a block of 32 */
	MP_CLUE_EVENT,       /* 0 to 3, 12, 24: so, and one of the firmware's own */
	/* --- what is in the card now (card.h) --- */
	MP_CLUE_WINDOW,      /* its window points at every address that was written to */
	MP_CLUE_WINDOW_USED, /* so it does, at RAM of the VM that runs with it: its own */
	MP_CLUE_LEFT,   /* a message in the card that the host gave to nobody is it */
	MP_CLUE_RAW,    /* a message in the card is in compatibility format */
	MP_CLUE_DMA_VM, /* its firmware offers DMA in a VM */
	MP_CLUES
};

struct mp_clue {
	enum mp_know know; /* KNOWN: yes; ABSENT: no */
	char *text;        /* how we know, a clause; or NULL */
};

/* How to get to know a clue that is not, or NULL where only the log could tell. */
const char *mp_clue_learn(enum mp_clue_id id);

/* --- rules (diagnose/rules*.c): data --- */

enum mp_rule_topic { MP_RULE_INTERRUPT, MP_RULE_DMA, MP_RULE_DEVICE, MP_RULE_TOPICS };

struct mp_rule_weight {
	enum mp_clue_id clue;
	int8_t yes, no; /* added to the score; unknown adds nothing */
};

struct mp_rule {
	const char *id; /* API */
	enum mp_rule_topic topic;
	const char *title; /* what would be the case; a sentence without its end */
	const char *brief; /* for the verdict: "a stale DMA window in the card" */
	const char *why;   /* the mechanism, and where it is known from */
	bool inference;    /* our reasoning, never measured on such a card */
	enum mp_clue_id triggers[6]; /* one of them; ended by MP_CLUES */
	enum mp_clue_id needs;       /* must not be ABSENT; MP_CLUES: nothing */
	int8_t base;
	struct mp_rule_weight weights[10]; /* ended by weights of 0 */
	const char *experiment, *mitigation;
};

/* All tables, ended by NULL; each ended by an id of NULL. */
extern const struct mp_rule *const mp_rules[];
extern const struct mp_rule mp_rules_card[], mp_rules_dma[], mp_rules_device[];

/* --- the result --- */

enum mp_likelihood { MP_UNLIKELY, MP_POSSIBLE, MP_LIKELY };

struct mp_hypothesis {
	const struct mp_rule *rule;
	int score;
	enum mp_likelihood likelihood;
	GPtrArray *pro, *contra; /* const char *: texts of clues */
};

enum mp_requester {
	MP_REQUESTER_NONE,    /* the event names no device */
	MP_REQUESTER_UNKNOWN, /* there is no host to look at */
	MP_REQUESTER_DEVICE,
	MP_REQUESTER_SEVERAL, /* that address is there in several segments */
	MP_REQUESTER_ABSENT,
	MP_REQUESTER_CHIP, /* I/O APIC, HPET: the address is a name, no function */
};

/* One sort of trouble. */
struct mp_problem {
	const struct mp_event_sum *sum;
	bool subject; /* of the device that the diagnosis is about */
	enum mp_requester requester;
	const struct mp_pci *device; /* or NULL */
	char *who;     /* "0000:86:00.0", "86:00.0", "the I/O APIC f0:1f.0"; or NULL */
	char *meaning; /* a sentence */
	char *place;   /* where its addresses lie; or NULL */
};

struct mp_attempt {
	enum mp_tried tried;
	char *where;         /* "kernel command line", "VM 101", "line 3" */
	const char *verdict; /* why it cannot help here, or when it would */
};

struct mp_missing {
	const char *learn;
	char *decides; /* "guest-iommu-handle, version-skew" */
};

struct mp_diagnose_input {
	const struct mp_event_log *log;
	const struct mp_host *host;       /* NULL: the log is of an unknown machine */
	const struct mp_vm *vm;           /* NULL: take the one that has the device */
	const char *device;               /* BDF, or NULL: the one that matters most */
	bool cut_off;                     /* the log does not go back to the boot */
	const struct mp_profile *profile; /* of the card, or NULL: by the device's id */
};

struct mp_diagnosis {
	const struct mp_event_log *log;
	const struct mp_host *host;
	const struct mp_vm *vm; /* whose map was asked, or NULL */
	bool vm_guessed;        /* by its configuration, not named */
	const struct mp_pci *device;
	char *subject;         /* its address as far as it is known; NULL: no device */
	char *verdict;         /* one sentence */
	bool at_least;         /* more happened than was logged */
	uint64_t faults;       /* blocked by an IOMMU, with those that were not logged */
	GPtrArray *problems;   /* struct mp_problem; those of the subject first */
	GPtrArray *hypotheses; /* struct mp_hypothesis, the likeliest first */
	GPtrArray *missing;    /* struct mp_missing, what decides most first */
	GPtrArray *attempts;   /* struct mp_attempt */
	GPtrArray *notes; /* char *: reading aids: the handle, segments, lost events */
	struct mp_clue clues[MP_CLUES];
};

/* Fails only on a device that is no address. The caller frees; the input must live longer. */
struct mp_diagnosis *mp_diagnose(const struct mp_diagnose_input *input, GError **error);
void mp_diagnosis_free(struct mp_diagnosis *diagnosis);
typedef struct mp_diagnosis mp_diagnosis;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_diagnosis, mp_diagnosis_free)

/* True if something is wrong: exit code 1. */
bool mp_diagnosis_found(const struct mp_diagnosis *diagnosis);
/* "A write was blocked: nothing is mapped there"; caller frees. */
char *mp_event_meaning(const struct mp_event *event);
/* "likely" */
const char *mp_likelihood_name(enum mp_likelihood likelihood);

/* --- between the files of diagnose/ --- */

void mp_diagnose_subject(struct mp_diagnosis *diagnosis,
	const struct mp_diagnose_input *input, struct mp_event *subject);
bool mp_event_is_of(const struct mp_event *event, const struct mp_event *subject);
void mp_diagnose_problems(struct mp_diagnosis *diagnosis, const struct mp_event *subject);
void mp_clues_from_log(struct mp_diagnosis *diagnosis, const struct mp_event *subject);
void mp_clues_from_host(struct mp_diagnosis *diagnosis, const struct mp_event *subject,
	const struct mp_profile *named);
/* After the others: once the VM and its map are known. */
void mp_clues_from_card(struct mp_diagnosis *diagnosis, const struct mp_event *subject);
/* Once the VM is known. */
void mp_problem_place(const struct mp_diagnosis *diagnosis, struct mp_problem *problem);
GPtrArray *mp_hypotheses_new(void);
void mp_diagnose_rank(struct mp_diagnosis *diagnosis);
void mp_diagnose_attempts(struct mp_diagnosis *diagnosis);
/* NAMED: somebody asked for this very device. */
void mp_diagnose_verdict(struct mp_diagnosis *diagnosis, bool named);
void mp_clue_set(struct mp_diagnosis *diagnosis, enum mp_clue_id id, bool yes,
	const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Groups of fault reasons that mean the same (facts of the VT-d specification). */
enum mp_reason_class {
	MP_REASON_OTHER,
	MP_REASON_NO_DOMAIN,
	MP_REASON_NO_MAPPING,
	MP_REASON_TOO_WIDE,
	MP_REASON_TABLES,
	MP_REASON_INTERRUPT_WINDOW,
};
enum mp_reason_class mp_reason_class(const struct mp_event *event);

#endif
