/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook: what Proxmox VE calls before and after a VM runs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "hook-cards.h"
#include "hook-phases.h"

/* Far more than reading takes. */
#define SECONDS         30
/* Without a word, from the first one on: the kernel waits up to a minute for a card after its
 * reset (PCIE_RESET_READY_POLL_MS in drivers/pci/pci.c), once for each method. */
#define SECONDS_AT_WORK 150

static char *opt_sysroot;

static const GOptionEntry options[] = {
	MP_OPTION_SYSROOT(opt_sysroot),
	{ NULL },
};

struct phase {
	const char *name;
	int (*run)(struct mp_root *root, const char *vmid, GError **error);
	const char *failure; /* what becomes of the VM, for messages */
};

/* Proxmox VE's (PVE::GuestHelpers). */
static const struct phase phases[] = {
	{ "pre-start", mp_hook_pre_start, "is not started" },
	{ "post-start", mp_hook_post_start,
		"runs, but its cards could not be looked at" },
	{ "pre-stop", mp_hook_pre_stop, "is stopped, but its self-test was not ended" },
	{ "post-stop", mp_hook_post_stop, "is not cleaned up after its stop" },
};

static int run_phase(const struct phase *phase, const char *vmid, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(opt_sysroot, error);

	return root ? phase->run(root, vmid, error) : MP_EXIT_FAILURE;
}

/* What the child gives us: words for the task log, and what it is about to do. */
struct ear {
	int words[2], doing[2];
	GString *last; /* of what it does */
};

/*
 * In the child: whatever hangs, hangs here. It holds nothing of ours but the pipes: Proxmox
 * VE waits until all that it gave us (the task log, the VM's lock) is closed.
 */
static _Noreturn void run_child(
	const struct phase *phase, const char *vmid, const struct ear *ear, pid_t parent)
{
	g_autoptr(GError) error = NULL;
	int doing = STDERR_FILENO + 1, code;

	/* Who was killed does not go on: the VM's start may be tried again already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(ear->words[1], STDOUT_FILENO) < 0 ||
		dup2(ear->words[1], STDERR_FILENO) < 0 ||
		(ear->doing[1] != doing && dup2(ear->doing[1], doing) < 0))
		_exit(MP_EXIT_FAILURE);
	close_range((unsigned)doing + 1, ~0u, 0);
	fcntl(doing, F_SETFD, FD_CLOEXEC);
	mp_hook_report_to(doing);
	code = run_phase(phase, vmid, &error);
	if (error) {
		fprintf(stderr, "metis-passthrough: VM %s %s: %s\n", vmid, phase->failure,
			error->message);
		code = mp_error_exit(error);
		if (code == MP_EXIT_OK)
			code = MP_EXIT_FAILURE;
	}
	fflush(NULL);
	_exit(code);
}

/* Texts that end with a NUL; the last one counts. */
static void hear(struct ear *ear, const char *piece, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t length = ear->last->len;

		/* The NUL of the one before is still there: a new one begins. */
		if (length && !ear->last->str[length - 1])
			g_string_truncate(ear->last, 0);
		if (ear->last->len < PIPE_BUF)
			g_string_append_c(ear->last, piece[i]);
	}
}

/* Passes on what the child says. False: it did not end in time. */
static bool listen(struct ear *ear)
{
	gint64 deadline =
		g_get_monotonic_time() + mp_hook_seconds(SECONDS) * G_TIME_SPAN_SECOND;
	struct pollfd wait[] = {
		{ .fd = ear->words[0], .events = POLLIN },
		{ .fd = ear->doing[0], .events = POLLIN },
	};
	char piece[4096];

	for (;;) {
		gint64 left = (deadline - g_get_monotonic_time()) / 1000;
		ssize_t got;

		if (left <= 0)
			return false;
		if (poll(wait, G_N_ELEMENTS(wait), (int)left) <= 0)
			continue;
		if (wait[1].revents) {
			got = read(ear->doing[0], piece, sizeof(piece));
			if (got > 0)
				hear(ear, piece, (size_t)got);
			else if (got == 0)
				wait[1].fd = -1;
		}
		if (wait[0].revents) {
			got = read(ear->words[0], piece, sizeof(piece));
			if (got == 0)
				return true;
			if (got > 0)
				fwrite(piece, 1, (size_t)got, stderr);
		}
		deadline = g_get_monotonic_time() +
			   mp_hook_seconds(SECONDS_AT_WORK) * G_TIME_SPAN_SECOND;
	}
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void ear_clear(struct ear *ear)
{
	for (int end = 0; end < 2; end++) {
		close_end(&ear->words[end]);
		close_end(&ear->doing[end]);
	}
	g_string_free(ear->last, TRUE);
}
typedef struct ear hook_ear;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(hook_ear, ear_clear)

static int run_in_time(const struct phase *phase, const char *vmid, GError **error)
{
	g_auto(hook_ear) ear = { { -1, -1 }, { -1, -1 }, g_string_new(NULL) };
	pid_t self = getpid(), child;
	int status = 0;

	if (pipe2(ear.words, O_CLOEXEC) < 0 || pipe2(ear.doing, O_CLOEXEC) < 0) {
		mp_error_set_errno(error, -errno, "pipe", "open");
		return MP_EXIT_FAILURE;
	}
	fflush(NULL);
	child = fork();
	if (child < 0) {
		mp_error_set_errno(error, -errno, "work on the card", "start");
		return MP_EXIT_FAILURE;
	}
	if (child == 0)
		run_child(phase, vmid, &ear, self);
	close_end(&ear.words[1]);
	close_end(&ear.doing[1]);
	if (!listen(&ear)) {
		/* Beyond any signal where the kernel waits for the device: not waited for. */
		kill(child, SIGKILL);
		fprintf(stderr,
			"metis-passthrough: VM %s %s: %s does not end: it hangs in the kernel, "
			"so reboot the host\n",
			vmid, phase->failure,
			ear.last->len ? ear.last->str : "the look at its card");
		return MP_EXIT_FINDING;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "metis-passthrough: VM %s %s: %s ended by signal %d\n", vmid,
		phase->failure, ear.last->len ? ear.last->str : "the look at its card",
		WTERMSIG(status));
	return MP_EXIT_FAILURE;
}

/* Another phase is let through, lest a later Proxmox VE can start no VM; but somebody may
 * have mistyped one by hand. */
static void tell_unknown(const char *phase)
{
	fprintf(stderr,
		"metis-passthrough: phase '%s' is not known (there are: pre-start, "
		"post-start, pre-stop, post-stop): nothing is done\n",
		phase);
}

static int run(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	uint64_t number;

	if (!mp_parse_uint(argv[0], 10, &number)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "%s: not the number of a VM",
			argv[0]);
		return MP_EXIT_USAGE;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(phases); i++)
		if (!strcmp(argv[1], phases[i].name))
			return run_in_time(&phases[i], argv[0], error);
	tell_unknown(argv[1]);
	return MP_EXIT_OK;
}

const struct mp_cmd mp_cmd_hook = {
	.name = "hook",
	.summary = "verify the cards of a VM that is about to start (for Proxmox VE)",
	.args = "VMID PHASE",
	.min_args = 2,
	.max_args = 2,
	.options = options,
	.description =
		"Proxmox VE runs this as the hookscript of a VM (see setup --hook). In the phase "
		"pre-start each card of the VM is looked at: is it there, is it the one that "
		"config.yaml pins, does it answer, does the host or another VM use it or "
		"something of its IOMMU group. Exit code 0 lets the VM start; any other refuses "
		"it, and the first line on standard error says why: card, reason, remedy.\n\n"
		"What identifies a pinned card, or whether a card answers, has to be readable: "
		"else the start is refused. Whether the host uses it need not be: that is a "
		"warning, since Proxmox VE and VFIO look at it again. A use of the host that is "
		"waived in config.yaml (device-host-use) is a warning too.\n\n"
		"A VM that may start gets its cards: each is taken from its driver and given to "
		"vfio-pci. One whose profile says how is woken up, made silent, reset by the "
		"preferred method, waited for, and looked into again: a card that could still "
		"write into memory of others is refused. What is done is told on standard error. "
		"A card with driver=keep, or one that another VM holds, is left alone.\n\n"
		"Services of config.yaml are stopped before that. In the phase post-start a card "
		"that the VM does not have is told, and with guest_selftest: run in config.yaml "
		"'selftest --vm' is begun in the background; pre-stop ends it. In the phase post-stop what the IOMMU blocked "
		"since the start is told, and such a card is made silent again, and stays with "
		"vfio-pci; with after_stop: host in config.yaml each card goes back to the "
		"host's driver, and the services are started. Exit code 1 says that this is not "
		"so. With --sysroot nothing is changed, in no phase. What takes longer than half a "
		"minute to look, or two and a half for one action, is given up: it hangs.",
	.run = run,
};
