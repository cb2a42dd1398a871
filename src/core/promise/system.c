/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises about files, links and the kernel's command line. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/boot.h"
#include "core/promise/judge.h"

/* Nothing that setup writes is near it; the sum of more would only take time. */
#define FILE_MAX (64u * 1024 * 1024)

/* --- file --- */

static int digest_fd(int fd, GChecksum *sum)
{
	char piece[64 * 1024];
	size_t total = 0;
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		total += (size_t)got;
		if (total > FILE_MAX)
			return -EFBIG;
		g_checksum_update(sum, (const guchar *)piece, got);
	}
	return 0;
}

/* The SHA-256 of PATH in hex into *digest, which the caller frees; or a negative errno. */
static int digest(struct mp_root *root, const char *path, char **digest)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *data = NULL;
	size_t size = 0;
	int fd = -1;
	int err = mp_root_open_file(root, path, &fd);

	if (err == 0) {
		err = digest_fd(fd, sum);
		close(fd);
	} else if (err == -EOPNOTSUPP) {
		/* A snapshot. */
		err = mp_root_read(root, path, MP_READ_FILE, &data, &size);
		if (err == 0)
			g_checksum_update(sum, (const guchar *)data, (gssize)size);
	}
	if (err == 0)
		*digest = g_strdup(g_checksum_get_string(sum));
	return err;
}

static void file_remedy(struct mp_finding *finding, const char *path)
{
	mp_finding_remedy(finding,
		"metis-passthrough rollback shows what was changed in it and undoes the rest only "
		"with --force %s; or move your change to a file of your own, and run "
		"metis-passthrough setup again",
		path);
}

static void say_unreadable(struct mp_judge *judge, int err)
{
	struct mp_finding *finding = mp_judge_say(
		judge, MP_UNSURE, "It could not be read: %s", g_strerror(-err));

	mp_finding_remedy(finding, "run as root: metis-passthrough status");
}

static void judge_absent(struct mp_judge *judge, const char *path)
{
	struct mp_finding *finding;
	struct mp_stat st;
	g_autofree char *target = NULL;
	int link = mp_root_readlink(judge->root, path, &target);
	int err = link == 0 ? 0 : mp_root_stat(judge->root, path, &st);

	if (err == -ENOENT || err == -ENOTDIR) {
		mp_judge_say(judge, MP_PASS, "It is not there, as promised");
		return;
	}
	if (err < 0) {
		say_unreadable(judge, err);
		return;
	}
	finding = mp_judge_say(
		judge, MP_FAIL, "It was to be away and somebody made it since");
	mp_finding_evidence(finding, path, link == 0 ? "a symbolic link" : "there");
	file_remedy(finding, path);
}

void mp_judge_file(struct mp_judge *judge)
{
	const char *path = mp_judge_text(judge, "path");
	const char *promised = mp_judge_text(judge, "sha256");
	g_autofree char *target = NULL, *present = NULL;
	json_object *value = NULL;
	struct mp_finding *finding;
	struct mp_stat st;
	int64_t mode = -1;
	int err;

	if (json_object_object_get_ex(judge->promise, "absent", &value) &&
		json_object_get_boolean(value)) {
		judge_absent(judge, path);
		return;
	}
	if (json_object_object_get_ex(judge->promise, "mode", &value) &&
		json_object_is_type(value, json_type_int))
		mode = json_object_get_int64(value);
	if (!promised || mode < 0) {
		mp_judge_say_malformed(judge, "it has no sha256 or no mode");
		return;
	}
	if (mp_root_readlink(judge->root, path, &target) == 0) {
		finding = mp_judge_say(
			judge, MP_FAIL, "It was a file and is a symbolic link now");
		mp_finding_evidence(finding, path, "-> %s", target);
		file_remedy(finding, path);
		return;
	}
	err = mp_root_stat(judge->root, path, &st);
	if (err == 0)
		err = digest(judge->root, path, &present);
	if (err == -ENOENT || err == -ENOTDIR) {
		finding = mp_judge_say(judge, MP_FAIL, "It is gone");
		mp_finding_evidence(finding, path, "absent");
		mp_finding_remedy(finding,
			"metis-passthrough setup writes it again; metis-passthrough rollback --force "
			"%s undoes the rest",
			path);
		return;
	}
	if (err < 0 && err != -EFBIG && err != -EISDIR && err != -EINVAL) {
		say_unreadable(judge, err);
		return;
	}
	if (err < 0 || strcmp(present, promised) != 0) {
		finding = mp_judge_say(
			judge, MP_FAIL, "Somebody changed it since the setup");
		mp_finding_evidence(finding, path, "SHA-256 %s, was %s",
			err < 0 ? "not of a file of this size" : present, promised);
		file_remedy(finding, path);
		return;
	}
	if (st.mode != (uint32_t)mode) {
		finding = mp_judge_say(judge, MP_FAIL,
			"Its permissions are %04o, were %04o", st.mode, (unsigned)mode);
		mp_finding_evidence(finding, path, "mode %04o", st.mode);
		mp_finding_remedy(finding, "chmod %04o %s", (unsigned)mode, path);
		return;
	}
	finding = mp_judge_say(judge, MP_PASS, "It is as setup wrote it");
	mp_finding_evidence(finding, path, "SHA-256 %s, mode %04o", present, st.mode);
}

/* --- link --- */

void mp_judge_link(struct mp_judge *judge)
{
	const char *path = mp_judge_text(judge, "path");
	const char *promised = mp_judge_text(judge, "target");
	g_autofree char *target = NULL;
	struct mp_finding *finding;
	int err;

	if (!promised) {
		mp_judge_say_malformed(judge, "it has no target");
		return;
	}
	err = mp_root_readlink(judge->root, path, &target);
	if (err == 0 && !strcmp(target, promised)) {
		finding = mp_judge_say(judge, MP_PASS, "It is as setup made it");
		mp_finding_evidence(finding, path, "-> %s", target);
		return;
	}
	if (err < 0 && err != -ENOENT && err != -ENOTDIR && err != -EINVAL) {
		say_unreadable(judge, err);
		return;
	}
	finding = mp_judge_say(judge, MP_FAIL,
		err == 0         ? "It points somewhere else now"
		: err == -EINVAL ? "It is no symbolic link any more"
				 : "It is gone");
	mp_finding_evidence(finding, path, "%s, was -> %s",
		err == 0         ? target
		: err == -EINVAL ? "no link"
				 : "absent",
		promised);
	mp_finding_remedy(finding, "metis-passthrough setup makes it again");
}

/* --- parameter --- */

/* Is "NAME=VALUE" or "NAME" in force in CMDLINE? *against: the word that takes it back. */
static bool has_parameter(
	const char *cmdline, const char *parameter, const char **against)
{
	static const char *const switches[] = { "on", "off", NULL };
	const char *equals = strchr(parameter, '=');
	g_autofree char *name = g_strndup(parameter, strcspn(parameter, "="));
	g_autofree char *last = mp_cmdline_get(cmdline, name);
	const char *state;

	*against = NULL;
	if (!equals || !last)
		return last != NULL && (!equals || !equals[1]);
	state = mp_cmdline_last(cmdline, name, switches);
	if (g_strv_contains(switches, equals + 1) && state &&
		strcmp(state, equals + 1) != 0) {
		*against = state;
		return false;
	}
	if (!strcmp(last, equals + 1))
		return true;
	/* A list may hold more than what was promised. */
	g_auto(GStrv) words = g_strsplit(equals + 1, ",", -1);

	for (char **word = words; *word; word++)
		if (!mp_cmdline_has(cmdline, name, *word))
			return false;
	return true;
}

static void parameter_remedy(struct mp_judge *judge, struct mp_finding *finding,
	const char *parameter, const char *against)
{
	g_autofree char *how = mp_loader_how_to_add(judge->host, parameter);
	const char *command = mp_loader_update_command(judge->host->boot->loader);

	if (against)
		mp_finding_remedy(finding,
			"remove %.*s=%s, which comes later on the command line",
			(int)strcspn(parameter, "="), parameter, against);
	else if (command)
		mp_finding_remedy(finding, "%s, then reboot; if it is still missing: %s",
			command, how);
	else
		mp_finding_remedy(finding, "%s", how);
}

void mp_judge_parameter(struct mp_judge *judge)
{
	const char *parameter = mp_judge_text(judge, "parameter");
	const struct mp_fact *running = &judge->host->boot->cmdline;
	const struct mp_fact *staged = &judge->host->boot->staged;
	const char *against = NULL, *later = NULL;
	struct mp_finding *finding;
	bool now, then;

	if (running->know != MP_KNOWN) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"Whether the kernel was given %s could not be read", parameter);
		mp_finding_fact(finding, running);
		return;
	}
	now = has_parameter(running->text, parameter, &against);
	then = staged->know != MP_KNOWN || has_parameter(staged->text, parameter, &later);
	if (!then && (now || judge->booted == MP_BOOTED_NOT)) {
		finding = mp_judge_say(judge, MP_FAIL,
			now ? "The kernel was given %s, and the next boot's will not be"
			    : "The next boot's command line has no %s",
			parameter);
		parameter_remedy(judge, finding, parameter, later);
	} else if (now) {
		finding = mp_judge_say(
			judge, MP_PASS, "The kernel was given %s", parameter);
	} else {
		finding =
			against ? mp_judge_say_not_yet(judge,
					  "the kernel was given %s, but %.*s=%s takes it "
					  "back",
					  parameter, (int)strcspn(parameter, "="),
					  parameter, against)
				: mp_judge_say_not_yet(judge,
					  "the kernel was not given %s", parameter);
		if (finding->severity == MP_FAIL)
			parameter_remedy(judge, finding, parameter, against);
	}
	mp_finding_fact(finding, running);
	if (staged->know == MP_KNOWN)
		mp_finding_fact(finding, staged);
}
