/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi.c - open-iscsi. */
#include "iscsi.h"

#include "run.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LIBOPENISCSIUSR_LIBOPENISCSIUSR_H
#include <libopeniscsiusr/libopeniscsiusr.h>
#else
#include <libopeniscsiusr.h>
#endif

#define ISCSIADM_MS 30000
#define LOGIN_RETRIES 2 /* of iscsid within one login; the daemon comes again for ever */
#define DISK_POLL_MS 20
#define NOP_LATE_MS 1000 /* after the time by which a silent target is noticed */
#define SETTLE_MS 150    /* no new disk for so long: the scan is over */
#define SESSIONS "/sys/class/iscsi_session"
#define ISCSID_CONF "/etc/iscsi/iscsid.conf"

enum { RC_OK = 0, RC_DATABASE = 6, RC_SESSION_EXISTS = 15, RC_NO_OBJECTS = 21 };

/* iscsiadm's exit codes, in words, with what to do (ref/storage.md 1.4; iscsi_strerror() knows only a few of them). */
static const struct {
	int rc;
	const char *code, *words, *remedy;
} exits[] = {
	{ 1, "internal", "generic error", "look at `journalctl -u iscsid`" },
	{ 2, "target_down", "session not found",
	  "it comes again by itself; look at `iscsiadm -m session`" },
	{ 3, "internal", "out of memory", "free some memory" },
	{ 4, "target_down", "transport error", "look at the network to the portal" },
	{ 5, "login_refused", "login failed", "look at the target's log" },
	{ RC_DATABASE, "internal", "record database error",
	  "look at the open-iscsi records (nodes/) and at /run/lock/iscsi" },
	{ 7, "internal", "invalid argument",
	  "this open-iscsi is too old or too new for Stockade: report it" },
	{ 8, "target_down", "the portal did not answer in time",
	  "is the target up, and the portal reachable from this node?" },
	{ 9, "internal", "internal error of iscsid", "systemctl restart iscsid" },
	{ 10, "target_down", "logout refused by the target", "look at the target's log" },
	{ 11, "target_down", "the target did not answer a request in time", "is the target up?" },
	{ 12, "internal", "the kernel lacks the iSCSI transport", "modprobe iscsi_tcp" },
	{ 13, "internal", "permission denied", "storaged must run as root" },
	{ 18, "internal", "iscsid does not talk", "systemctl restart iscsid" },
	{ 19, "login_refused",
	  "the target refuses us (unknown target name, or not on its access list)",
	  "compare `target:` and the target's access list with /etc/iscsi/initiatorname.iscsi" },
	{ 20, "internal", "iscsid is not running", "systemctl enable --now iscsid.socket" },
	{ RC_NO_OBJECTS, "internal", "no such record or session", "it comes again by itself" },
	{ 22, "internal", "sysfs lookup failed", "it comes again by itself" },
	{ 24, "login_refused", "the target wants another user name or secret (CHAP)",
	  "compare chap_username and chap_password_file with the target's account" },
	{ 28, "target_down", "the session is busy", "it comes again by itself" },
	{ 29, "target_down", "try again", "it comes again by itself" },
	{ 32, "target_down", "not connected", "is the target up?" },
	{ 33, "internal", "iscsid took too long", "systemctl restart iscsid" },
};

static bool database_broken; /* so the last failure says */

static enum driver_result exit_words(struct op *op, struct run *run, int r, const char *what)
{
	const struct config_volume *vol = op->job->vol;

	database_broken = r == 0 && run->status == RC_DATABASE;
	if (r == -ENOENT)
		return op_fail(op, "internal", "apt-get install open-iscsi", "iscsiadm is missing");
	if (r == -ETIMEDOUT)
		return op_fail(op, "target_down", "is the target up, and the portal reachable?",
			       "%s of %s at %s took longer than %u ms", what, vol->target,
			       vol->portal, run->timeout_ms);
	for (size_t i = 0; r == 0 && i < sizeof(exits) / sizeof(*exits); i++)
		if (exits[i].rc == run->status)
			return op_fail(op, exits[i].code, exits[i].remedy,
				       "%s of %s at %s: %s (iscsiadm %d)", what, vol->target,
				       vol->portal, exits[i].words, run->status);
	return op_fail(op, "internal", "look at `journalctl -u iscsid`",
		       "%s of %s at %s: iscsiadm ended with %d: %s", what, vol->target, vol->portal,
		       r == 0 ? run->status : r, run_words(run));
}

/* "192.0.2.1:3260" or "[2001:db8::1]:3260" to address bytes and port. */
struct portal {
	int family;
	unsigned char addr[16];
	int port;
};

static int portal_parse(struct portal *ret, const char *text)
{
	char host[CONFIG_NAME_MAX];
	const char *colon = strrchr(text, ':');

	memset(ret, 0, sizeof(*ret));
	if (!colon ||
	    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text) >= (int)sizeof(host))
		return -EINVAL;
	size_t n = strlen(host);
	char *h = host;

	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		h++;
	}
	ret->port = atoi(colon + 1);
	ret->family = strchr(h, ':') ? AF_INET6 : AF_INET;
	return ret->port > 0 && inet_pton(ret->family, h, ret->addr) == 1 ? 0 : -EINVAL;
}

static bool portal_is(const struct portal *want, const char *addr, int port)
{
	unsigned char got[16] = { 0 };

	return addr && port == want->port && inet_pton(want->family, addr, got) == 1 &&
	       memcmp(got, want->addr, sizeof(got)) == 0;
}

const char *iscsi_state_name(enum iscsi_state state)
{
	static const char *const names[] = { "none", "LOGGED_IN", "FAILED", "FREE", "other" };

	return names[state];
}

static void disk_add(struct lvm_devices *d, const char *name)
{
	if (d->n < LVM_DEVICES_MAX)
		snprintf(d->path[d->n++], sizeof(d->path[0]), "/dev/%.50s", name);
}

/* Disks of the session, with their partitions, from sysfs alone. */
static void disks_of(struct iscsi_link *s)
{
	char pattern[128], state[32];
	glob_t g;

	snprintf(pattern, sizeof(pattern), SESSIONS "/session%d/device/target*/*:*:*:*/block/*",
		 s->sid);
	if (glob(pattern, GLOB_NOESCAPE, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			const char *disk = strrchr(g.gl_pathv[i], '/') + 1;
			glob_t parts;

			if (file_read(state, sizeof(state), "%s/device/state", g.gl_pathv[i]) < 0 ||
			    strcmp(state, "running") != 0)
				s->blocked = true;
			disk_add(&s->disks, disk);
			snprintf(pattern, sizeof(pattern), "/sys/class/block/%s/%s*", disk, disk);
			if (glob(pattern, GLOB_NOESCAPE, NULL, &parts) == 0) {
				for (size_t p = 0; p < parts.gl_pathc; p++)
					disk_add(&s->disks, strrchr(parts.gl_pathv[p], '/') + 1);
				globfree(&parts);
			}
		}
		globfree(&g);
	}
	snprintf(pattern, sizeof(pattern), SESSIONS "/session%d/device", s->sid);
	char link[PATH_MAX];
	ssize_t n = readlink(pattern, link, sizeof(link) - 1);

	s->host = -1;
	if (n > 0) {
		link[n] = '\0';
		const char *h = strstr(link, "/host");

		if (h)
			s->host = atoi(h + 5);
	}
}

static void log_nothing(struct iscsi_context *ctx, int priority, const char *file, int line,
			const char *func, const char *fmt, va_list args)
{
	(void)ctx;
	(void)priority;
	(void)file;
	(void)line;
	(void)func;
	(void)fmt;
	(void)args;
}

/* The session id, -ENOENT: none, -errno. */
static int sid_find(const char *target, const struct portal *want)
{
	struct iscsi_context *ctx = iscsi_context_new();
	struct iscsi_session **all = NULL;
	uint32_t n = 0;
	int sid = -ENOENT;

	if (!ctx)
		return -ENOMEM;
	iscsi_context_log_func_set(ctx, log_nothing);
	if (iscsi_sessions_get(ctx, &all, &n) != LIBISCSI_OK) {
		iscsi_context_free(ctx);
		return -EAGAIN; /* a session that comes or goes while it reads; the caller looks again */
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *name = iscsi_session_target_name_get(all[i]);

		/* the portal as configured ("persistent"), or the one a redirection led to */
		if (name && strcmp(name, target) == 0 &&
		    (portal_is(want, iscsi_session_persistent_address_get(all[i]),
			       iscsi_session_persistent_port_get(all[i])) ||
		     portal_is(want, iscsi_session_address_get(all[i]),
			       iscsi_session_port_get(all[i]))))
			sid = (int)iscsi_session_sid_get(all[i]);
	}
	iscsi_sessions_free(all, n);
	iscsi_context_free(ctx);
	return sid;
}

int iscsi_look(struct iscsi_link *ret, const struct config_volume *vol)
{
	struct portal want;
	char text[32];

	memset(ret, 0, sizeof(*ret));
	ret->sid = ret->host = ret->recovery_tmo_s = -1;
	if (portal_parse(&want, vol->portal) < 0)
		return -EINVAL;
	if (access(SESSIONS, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno; /* the kernel's module was never loaded */
	for (int tries = 0; tries < 3; tries++) {
		ret->sid = sid_find(vol->target, &want);
		if (ret->sid == -ENOENT)
			return 0;
		if (ret->sid >= 0 &&
		    file_read(text, sizeof(text), SESSIONS "/session%d/state", ret->sid) >= 0)
			break;
		if (ret->sid < 0 && ret->sid != -EAGAIN)
			return ret->sid;
		ret->sid = -EAGAIN;
		sleep_ms(DISK_POLL_MS);
	}
	if (ret->sid < 0)
		return -EAGAIN;
	ret->state = strcmp(text, "LOGGED_IN") == 0 ? ISCSI_LOGGED_IN
		     : strcmp(text, "FAILED") == 0  ? ISCSI_FAILED
		     : strcmp(text, "FREE") == 0    ? ISCSI_FREE
						    : ISCSI_OTHER;
	if (file_read(text, sizeof(text), SESSIONS "/session%d/recovery_tmo", ret->sid) > 0)
		ret->recovery_tmo_s = atoi(text);
	disks_of(ret);
	return 0;
}

/* iscsiadm -m node -T TARGET -p PORTAL ARGS...; returns run_program()'s, run_done(run) it. */
static int iscsiadm(struct op *op, struct run *run, int (*before)(void *arg), void *arg,
		    const char *const *args)
{
	const struct config_volume *vol = op->job->vol;
	const char *argv[40] = { "iscsiadm", "-m", "node", "-T", vol->target, "-p", vol->portal };
	size_t n = 7;

	while (*args && n < 39)
		argv[n++] = *args++;
	*run = (struct run){
		.argv = argv,
		.timeout_ms = op_left_ms(op, ISCSIADM_MS),
		.gentle = true, /* a killed one leaves the record database locked for 30 s */
		.before = before,
		.before_arg = arg
	};
	return run_program(run);
}

#define ISCSIADM(op, run, ...) \
	iscsiadm(op, run, NULL, NULL, (const char *const[]){ __VA_ARGS__, NULL })

/*
 * A CHAP secret must not stand in a command line, where every user can read it, and the format and place of the record
 * files are open-iscsi's own. But `-o new` takes its defaults from iscsid.conf: so it is run in a mount
 * namespace of its own, in which that file is a private one: the administrator's, then our lines.
 */
static int own_conf(void *arg)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(arg, ISCSID_CONF, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return 0;
}

static int chap_conf(const struct op *op, const char *secret, char path[PATH_MAX])
{
	const struct config_volume *vol = op->job->vol;
	char *text = malloc(256 * 1024 + 1024), name[CONFIG_NAME_MAX + 16];

	if (!text)
		return -ENOMEM;
	int n = file_read(text, 256 * 1024, ISCSID_CONF);

	if (n >= 0)
		snprintf(text + n, 1024,
			 "\nnode.session.auth.authmethod = CHAP\nnode.session.auth.username = %s\n"
			 "node.session.auth.password = %s\n",
			 vol->chap_username, secret);
	snprintf(name, sizeof(name), "volume-%s.chap", vol->name);
	snprintf(path, PATH_MAX, "%s/%s", op->job->rundir, name);
	int r = n < 0 ? n : op_keep(op, name, text);

	explicit_bzero(text, 256 * 1024 + 1024);
	free(text);
	return r;
}

static enum driver_result record_new_chap(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	char secret[256], why[256] = "", path[PATH_MAX];
	static const char *const args[] = { "-o", "new", NULL };
	struct run run;
	int r = config_secret_read(vol->chap_password_file, secret, sizeof(secret), why,
				   sizeof(why));

	if (r < 0)
		return op_fail(op, "login_refused", why, "the CHAP secret in %s cannot be used: %s",
			       vol->chap_password_file, strerror(-r));
	r = chap_conf(op, secret, path);
	explicit_bzero(secret, sizeof(secret));
	if (r < 0)
		return op_fail(op, "internal", "is open-iscsi installed?",
			       "cannot prepare %s with the CHAP secret: %s", ISCSID_CONF,
			       strerror(-r));
	r = iscsiadm(op, &run, own_conf, path, args);
	unlink(path);
	enum driver_result end = r == 0 && run.status == RC_OK
					 ? DRIVER_OK
					 : exit_words(op, &run, r, "the node record");

	run_done(&run);
	return end;
}

/* Each file of this target's record at this portal: NODES/TARGET/ADDRESS,PORT[,GROUP][/INTERFACE]. Return: how many. */
static unsigned record_files(const struct config_volume *vol, void (*act)(const char *path))
{
	static const char *const nodes[] = { "/etc/iscsi/nodes", "/var/lib/iscsi/nodes" };
	const char *colon = strrchr(vol->portal, ':');
	char pattern[PATH_MAX];
	unsigned n = 0;

	for (size_t i = 0; colon && i < 2 * sizeof(nodes) / sizeof(*nodes); i++) {
		struct stat st;
		glob_t g;
		/* an IPv6 address stands there without its brackets */
		bool bare = vol->portal[0] == '[';

		snprintf(pattern, sizeof(pattern), "%s/%s/%.*s,%s*%s", nodes[i / 2], vol->target,
			 (int)(colon - vol->portal) - 2 * bare, vol->portal + bare, colon + 1,
			 i % 2 ? "/*" : "");
		if (glob(pattern, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			if (lstat(g.gl_pathv[k], &st) == 0 && S_ISREG(st.st_mode)) {
				act(g.gl_pathv[k]);
				n++;
			}
		globfree(&g);
	}
	return n;
}

static void file_drop(const char *path)
{
	unlink(path);
}

static void file_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

/* The record exists, with our times. Without CHAP an administrator's own settings in it are kept. */
static enum driver_result record_write(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	const struct timing *t = &op->job->cfg->timing;
	char interval[16], timeout[16], replacement[16], login[16], retries[16];
	struct run run;
	enum driver_result end = DRIVER_OK;

	if (vol->chap_username[0]) {
		end = record_new_chap(op);
	} else {
		int r = ISCSIADM(op, &run, "-o", "show");
		bool absent = r == 0 && run.status == RC_NO_OBJECTS;

		if (r != 0 || (run.status != RC_OK && !absent))
			end = exit_words(op, &run, r, "the node record");
		run_done(&run);
		if (absent) { /* only then: `new` sets an existing record back to the defaults */
			r = ISCSIADM(op, &run, "-o", "new");
			if (r != 0 || run.status != RC_OK)
				end = exit_words(op, &run, r, "the node record");
			run_done(&run);
		}
	}
	if (end != DRIVER_OK)
		return end;
	snprintf(interval, sizeof(interval), "%u", (t->iscsi_noop_interval_ms + 999) / 1000);
	snprintf(timeout, sizeof(timeout), "%u", (t->iscsi_noop_timeout_ms + 999) / 1000);
	snprintf(replacement, sizeof(replacement), "%u", (t->iscsi_replacement_ms + 999) / 1000);
	snprintf(login, sizeof(login), "%u", (t->iscsi_login_ms + 999) / 1000);
	snprintf(retries, sizeof(retries), "%d", LOGIN_RETRIES);
	/* manual: open-iscsi.service must not log in at boot, before the cluster decides */
	int r = ISCSIADM(op, &run, "-o", "update", "-n", "node.startup", "-v", "manual", "-n",
			 "node.conn[0].timeo.noop_out_interval", "-v", interval, "-n",
			 "node.conn[0].timeo.noop_out_timeout", "-v", timeout, "-n",
			 "node.session.timeo.replacement_timeout", "-v", replacement, "-n",
			 "node.conn[0].timeo.login_timeout", "-v", login, "-n",
			 "node.session.initial_login_retry_max", "-v", retries);

	if (r != 0 || run.status != RC_OK)
		end = exit_words(op, &run, r, "the time-outs");
	run_done(&run);
	return end;
}

/*
 * iscsiadm rewrites a record in place and leaves it to the kernel when it reaches the disk: a node that is switched off soon after
 * finds an empty file, of which `show` says that there is none and `new` that the database is broken, for ever (vm `cuts`: the
 * survivor of the next cut could not serve). So what was written is made to last, and what is no record any more goes.
 */
static enum driver_result record(struct op *op)
{
	enum driver_result end = record_write(op);

	if (end == DRIVER_FAILED && database_broken && record_files(op->job->vol, file_drop)) {
		op_progress(op, "the open-iscsi record of %s was damaged, it is made anew",
			    op->job->vol->target);
		end = record_write(op);
	}
	if (end == DRIVER_OK)
		record_files(op->job->vol, file_sync);
	return end;
}

static enum driver_result log_in(struct op *op)
{
	struct run run;
	enum driver_result end = record(op);

	if (end != DRIVER_OK)
		return end;
	int r = ISCSIADM(op, &run, "-l");

	/* "session exists" is success here: sysfs decides in the end */
	if (r != 0 || (run.status != RC_OK && run.status != RC_SESSION_EXISTS))
		end = exit_words(op, &run, r, "login");
	run_done(&run);
	return end;
}

/* A session of an earlier life may have other times; while it is healthy, the kernel takes the one that matters. */
static void recovery_time(const struct op *op, const struct iscsi_link *s)
{
	char text[16];
	int want = (int)((op->job->cfg->timing.iscsi_replacement_ms + 999) / 1000);

	if (s->recovery_tmo_s == want)
		return;
	snprintf(text, sizeof(text), "%d", want);
	int r = file_write(text, SESSIONS "/session%d/recovery_tmo", s->sid);

	if (r < 0)
		op_progress(op, "recovery_tmo of session %d stays %d s instead of %d s: %s", s->sid,
			    s->recovery_tmo_s, want, strerror(-r));
}

/* Disks appear one by one after the login; wait for the first, then until no more come. */
static enum driver_result disks_wait(struct op *op, struct iscsi_link *ret)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t until = op_now_ms() + op_left_ms(op, 5000), quiet_since = 0;
	unsigned n = 0;

	for (;;) {
		int r = iscsi_look(ret, vol);
		uint64_t now = op_now_ms();

		if (r == 0 && ret->state == ISCSI_LOGGED_IN && ret->disks.n > 0 && !ret->blocked) {
			if (ret->disks.n != n) {
				n = ret->disks.n;
				quiet_since = now;
			}
			if (now - quiet_since >= SETTLE_MS)
				return DRIVER_OK;
		}
		if (now < until) {
			sleep_ms(DISK_POLL_MS);
			continue;
		}
		if (r < 0)
			return op_unknown(op, "target_down", "look at `iscsiadm -m session -P 3`",
					  "the session to %s cannot be read: %s", vol->target,
					  strerror(-r));
		if (ret->state != ISCSI_LOGGED_IN || ret->blocked)
			return op_fail(op, "target_down",
				       "is the target up? iscsid goes on trying by itself",
				       "the session to %s at %s is %s%s", vol->target, vol->portal,
				       iscsi_state_name(ret->state),
				       ret->blocked ? ", its disk does not answer" : "");
		return op_fail(op, "target_down",
			       "give the target a LUN, and this initiator access to it",
			       "the session to %s at %s offers no disk", vol->target, vol->portal);
	}
}

enum driver_result iscsi_login(struct op *op, struct iscsi_link *ret)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t begin = op_now_ms();
	struct portal want;

	if (portal_parse(&want, vol->portal) < 0)
		return op_fail(op, "target_down",
			       "write it as \"192.0.2.1:3260\" or \"[2001:db8::1]:3260\"",
			       "the portal %s is no address with a port", vol->portal);
	int r = iscsi_look(ret, vol);

	if (r < 0)
		return op_unknown(op, "target_down", "look at `iscsiadm -m session -P 3`",
				  "iSCSI sessions cannot be read: %s", strerror(-r));
	if (ret->state == ISCSI_LOGGED_IN && ret->disks.n > 0 && !ret->blocked) {
		recovery_time(op, ret);
		return DRIVER_OK;
	}
	enum driver_result end = DRIVER_OK;
	uint64_t external = op_now_ms();

	if (ret->state == ISCSI_NONE) {
		op_progress(op, "logging in to %s at %s", vol->target, vol->portal);
		end = log_in(op);
	} else if (ret->state == ISCSI_LOGGED_IN && ret->disks.n == 0) {
		struct run
			run; /* iscsi_cut() deleted them, or the target had none at login: scan this session only */

		op_progress(op, "scanning the session to %s for disks", vol->target);
		r = ISCSIADM(op, &run, "-R");
		if (r != 0 || run.status != RC_OK)
			end = exit_words(op, &run, r, "scan");
		run_done(&run);
	} else {
		op_progress(op, "the session to %s at %s is %s, waiting", vol->target, vol->portal,
			    iscsi_state_name(ret->state));
	}
	external = op_now_ms() - external;
	if (end == DRIVER_OK)
		end = disks_wait(op, ret);
	if (end == DRIVER_OK) {
		recovery_time(op, ret);
		op_step(op, "volume.login", begin, external, "logged in to %s at %s, session %d",
			vol->target, vol->portal, ret->sid);
	}
	return end;
}

static void disks_delete(const struct iscsi_link *s)
{
	for (unsigned i = 0; i < s->disks.n; i++)
		/* partitions have no device/delete: those writes fail, which is fine */
		file_write("1", "/sys/block/%s/device/delete", s->disks.path[i] + strlen("/dev/"));
}

/* Until open-iscsi has given the connection up. A target that answers NOPs, and not its disk, answers a logout, too. */
static void wait_given_up(struct op *op)
{
	const struct timing *t = &op->job->cfg->timing;
	uint32_t limit = t->iscsi_noop_interval_ms + t->iscsi_noop_timeout_ms + NOP_LATE_MS;
	uint64_t until = op_now_ms() + op_left_ms(op, limit);
	struct iscsi_link s;

	op_progress(op, "%s is silent: waiting until its connection is given up",
		    op->job->vol->target);
	while (iscsi_look(&s, op->job->vol) == 0 && s.state == ISCSI_LOGGED_IN &&
	       op_now_ms() < until)
		sleep_ms(DISK_POLL_MS);
}

enum driver_result iscsi_cut(struct op *op, bool silent)
{
	const struct config_volume *vol = op->job->vol;
	struct iscsi_link s;
	struct run run;
	int r = iscsi_look(&s, vol);

	if (r == 0 && s.state == ISCSI_NONE)
		return DRIVER_OK;
	if (silent)
		wait_given_up(op);
	op_progress(op, "cutting %s off by logging out", vol->target);
	int rc = ISCSIADM(op, &run, "-u");
	enum driver_result words = rc == 0 && run.status == RC_OK
					   ? DRIVER_OK
					   : exit_words(op, &run, rc, "logout");

	run_done(&run);
	r = iscsi_look(&s, vol);
	if (r == 0 && s.state != ISCSI_NONE) {
		op_progress(op, "cutting %s off by deleting its SCSI devices", vol->target);
		disks_delete(&s);
		r = iscsi_look(&s, vol);
	}
	if (r < 0)
		return op_unknown(op, "io_error", "look at `iscsiadm -m session -P 3`",
				  "iSCSI sessions cannot be read: %s", strerror(-r));
	if (s.state == ISCSI_NONE || (s.disks.n == 0 && !silent))
		return DRIVER_OK;
	if (s.disks.n == 0)
		return op_unknown(op, "device_busy", "start iscsid, or reboot this node",
				  "%s is silent and iscsid does not end its session: what was "
				  "written may reach the disk later",
				  vol->target);
	return words != DRIVER_OK ? words
				  : op_fail(op, "device_busy", "look at `iscsiadm -m session -P 3`",
					    "%s still has its disks after logout", vol->target);
}
