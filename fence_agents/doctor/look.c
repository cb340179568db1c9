/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One check: the agent's own question for the state, and beside it what can be seen of its way. */
#include "doctor.h"

#include "lib/shell/agent_input.h"
#include "lib/shell/agent_text.h"
#include "lib/shell/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCHDOG_SYSFS "/sys/class/watchdog"

struct question {
	struct look *l;
	struct loop_timer *over;
	const char *action;
	uint64_t ended_ms; /* the agent */
};

const char *look_param(const struct look *l, const char *key)
{
	const struct config_param *own = &l->cfg->use_param[l->use->first_param];

	for (unsigned i = 0; i < l->use->n_params; i++)
		if (strcmp(own[i].key, key) == 0 && !own[i].secret_file)
			return own[i].value;
	for (unsigned i = 0; i < l->dev->n_params; i++)
		if (strcmp(l->dev->param[i].key, key) == 0 && !l->dev->param[i].secret_file)
			return l->dev->param[i].value;
	return NULL;
}

static enum doctor_kind kind_of(const struct look *l)
{
	const char *base = strrchr(l->path, '/');

	base = base ? base + 1 : l->path;
	if (config_is_watchdog(l->dev))
		return DOCTOR_WATCHDOG;
	if (strcmp(base, "fence_ipmilan") == 0)
		return DOCTOR_IPMI;
	if (strcmp(base, "fence_scsi") == 0)
		return DOCTOR_SCSI;
	if (!agent_calls_back(base))
		return DOCTOR_OTHER;
	if (look_param(l, "ip") || look_param(l, "ipaddr"))
		return DOCTOR_XVM_TCP;
	/* no network is in the way of the others */
	return look_param(l, "vsock") || look_param(l, "serial_device") ||
			       look_param(l, "channel_address")
		       ? DOCTOR_OTHER
		       : DOCTOR_XVM;
}

static bool content(const struct look *l)
{
	return l->virt ? virt_content(l) : l->bmc ? bmc_content(l) : true;
}

/* What is still under way may say more. */
static void on_over(void *arg)
{
	struct question *q = arg;
	const struct look *l = q->l;
	bool ran = l->f.run == DOCTOR_RUN_ON || l->f.run == DOCTOR_RUN_OFF;
	bool told = l->f.said != DOCTOR_SAID_OTHER && l->f.said != DOCTOR_SAID_NO_ANSWER;
	uint64_t end = l->begin_ms + (ran || told ? LOOK_GOOD_MS : LOOK_MORE_MS);

	/* an agent that took long must not cost what was asked when it ended */
	if (!ran && !told && end < q->ended_ms + LOOK_LATE_MS)
		end = q->ended_ms + LOOK_LATE_MS;
	if (content(l) || mono_ms() >= end)
		loop_stop(l->loop, 0);
	else
		loop_timer_arm(q->over, mono_ms() + 20);
}

static void on_agent(void *arg, const struct spawn_result *r)
{
	struct question *q = arg;
	struct doctor_facts *f = &q->l->f;

	q->ended_ms = mono_ms();
	agent_last_line(r->err_len > 0 ? r->err : r->out, f->words, sizeof(f->words));
	/* what ours asks a person then is what we look at */
	char *asks = strstr(f->words, ": is fence_virtd running");

	if (asks)
		*asks = '\0';
	/* it begins with its own name, as we do */
	size_t n = strlen(f->agent);

	if (strncmp(f->words, f->agent, n) == 0 && strncmp(f->words + n, ": ", 2) == 0)
		memmove(f->words, f->words + n + 2, strlen(f->words + n + 2) + 1);
	if (r->timed_out || r->stuck)
		f->run = DOCTOR_RUN_TIMEOUT;
	else
		f->run = r->status == 0   ? DOCTOR_RUN_ON
			 : r->status == 2 ? DOCTOR_RUN_OFF
					  : DOCTOR_RUN_FAILED;
	f->said = f->run == DOCTOR_RUN_FAILED ? doctor_said(f->kind, f->words) : DOCTOR_SAID_OTHER;
	/* what became of the call-back is asked only when nothing came by it */
	if (q->l->virt && f->kind == DOCTOR_XVM &&
	    (f->run == DOCTOR_RUN_TIMEOUT || f->said == DOCTOR_SAID_NO_ANSWER))
		virt_failed(q->l);
	on_over(q);
}

/* An agent of ours, or of the same name, is told not to try for long; with an answer at once it makes no difference. */
static const char *hurry(const struct look *l)
{
	switch (l->f.kind) {
	case DOCTOR_XVM:
	case DOCTOR_XVM_TCP: return "timeout=2\n";
	case DOCTOR_IPMI: return "login_timeout=3\nshell_timeout=3\npower_timeout=3\n";
	case DOCTOR_OTHER:
	case DOCTOR_SCSI:
	case DOCTOR_WATCHDOG: break;
	}
	return NULL;
}

struct metadata {
	struct look *l;
	bool port, hangs;
};

static void on_metadata(void *arg, const struct spawn_result *r)
{
	struct metadata *m = arg;

	m->hangs = r->timed_out || r->stuck;
	m->port = r->status == 0 && agent_metadata_has(r->out, "parameter", "port") &&
		  !agent_metadata_has(r->out, "parameter", "plug");
	loop_stop(m->l->loop, 0);
}

/* Old agents take the plug as port= only: as in fenced, the metadata says which. Who hangs already there is asked no more. */
static bool wants_port(struct look *l, bool *ret_hangs)
{
	static const char in[] = "action=metadata\n";
	const char *const argv[] = { l->path, NULL };
	struct spawn_program p = { .argv = argv,
				   .in = in,
				   .in_len = sizeof(in) - 1,
				   .timeout_ms = AGENT_MS,
				   .patient = true };
	struct metadata m = { .l = l };

	if (spawn_program(l->loop, &p, on_metadata, &m))
		loop_run(l->loop);
	*ret_hangs = m.hangs;
	return m.port;
}

static void ask(struct question *q)
{
	static char in[AGENT_INPUT_MAX]; /* holds secrets for a moment */
	struct look *l = q->l;
	struct doctor_facts *f = &l->f;
	const char *const argv[] = { l->path, NULL };
	bool hangs = false, port = f->kind == DOCTOR_OTHER && wants_port(l, &hangs);
	ssize_t len = agent_input(l->cfg, l->node->name, l->use, q->action, port, hurry(l), in,
				  f->words, sizeof(f->words));
	struct spawn_program p = { .argv = argv,
				   .in = in,
				   .in_len = len > 0 ? (size_t)len : 0,
				   .timeout_ms = AGENT_MS,
				   .patient = true };

	if (hangs) {
		f->run = DOCTOR_RUN_TIMEOUT;
	} else if (len < 0) {
		f->run = DOCTOR_RUN_FAILED;
		f->said = DOCTOR_SAID_SECRET;
	} else if (!spawn_program(l->loop, &p, on_agent, q)) {
		f->run = DOCTOR_RUN_MISSING;
		snprintf(f->words, sizeof(f->words), "%s", strerror(errno));
	} else {
		loop_run(l->loop);
	}
	explicit_bzero(in, sizeof(in));
}

static bool read_word(const char *dir, const char *name, char to[64])
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "re");

	to[0] = '\0';
	if (!f)
		return false;
	if (!fgets(to, 64, f))
		to[0] = '\0';
	fclose(f);
	to[strcspn(to, "\n")] = '\0';
	return to[0] != '\0';
}

/* From sysfs alone: to open the device would arm it. */
static void look_at_watchdog(struct look *l)
{
	const char *device = l->cfg->watchdog_device, *base = strrchr(device, '/');
	struct doctor_facts *f = &l->f;
	char dir[128], word[64];
	struct stat st;

	base = base ? base + 1 : device;
	f->dog_there = stat(device, &st) == 0 && S_ISCHR(st.st_mode) ? DOCTOR_YES : DOCTOR_NO;
	f->dog_want_s = (l->cfg->timing.watchdog_ms + 999) / 1000;
	snprintf(dir, sizeof(dir), WATCHDOG_SYSFS "/%.60s",
		 strcmp(base, "watchdog") == 0 ? "watchdog0" : base);
	if (read_word(dir, "identity", word))
		f->dog_soft = strstr(word, "Software") ? DOCTOR_YES : DOCTOR_NO;
	if (read_word(dir, "state", word))
		f->dog_armed = strcmp(word, "active") == 0 ? DOCTOR_YES : DOCTOR_NO;
	if (read_word(dir, "max_timeout", word) || f->dog_soft != DOCTOR_UNKNOWN) {
		f->dog_max_s = (uint32_t)atoi(word);
		/* 0: the driver counts as long as one likes */
		f->dog_long_enough = f->dog_max_s == 0 || f->dog_max_s >= f->dog_want_s ? DOCTOR_YES
											: DOCTOR_NO;
	}
}

static bool unfences_with(const struct look *l)
{
	for (unsigned i = 0; i < l->self->unfence.n; i++)
		if (l->self->unfence.use[i].device == l->use->device)
			return true;
	return false;
}

static void name_secret(struct look *l)
{
	for (unsigned i = 0; i < l->dev->n_params; i++)
		if (l->dev->param[i].secret_file)
			snprintf(l->f.secret, sizeof(l->f.secret), "%.150s",
				 l->dev->param[i].value);
}

void look_at(struct look *l, const struct heard *heard)
{
	struct question q = { .l = l };
	struct doctor_facts *f = &l->f;
	const char *base;

	agent_find(l->dev->agent, l->path);
	base = strrchr(l->path, '/');
	f->kind = kind_of(l);
	snprintf(f->self, sizeof(f->self), "%s", l->self->name);
	snprintf(f->node, sizeof(f->node), "%s", l->node->name);
	snprintf(f->device, sizeof(f->device), "%s", l->dev->name);
	snprintf(f->plug, sizeof(f->plug), "%s", l->use->plug);
	snprintf(f->agent, sizeof(f->agent), "%.63s", base ? base + 1 : l->path);
	snprintf(f->path, sizeof(f->path), "%.159s", l->path);
	f->told_back = -1;
	name_secret(l);
	if (f->kind == DOCTOR_WATCHDOG) {
		look_at_watchdog(l);
		return;
	}
	l->loop = loop_new();
	q.over = l->loop ? loop_timer_new(l->loop, on_over, &q) : NULL;
	if (!q.over)
		abort();
	l->begin_ms = mono_ms();
	if (f->kind == DOCTOR_XVM || f->kind == DOCTOR_XVM_TCP)
		virt_begin(l);
	else if (f->kind != DOCTOR_SCSI)
		bmc_begin(l);
	else
		snprintf(f->disks, sizeof(f->disks), "%s",
			 look_param(l, "devices") ? look_param(l, "devices") : "");
	f->query = heard->query;

	const char *const disk_actions[] = { "monitor", unfences_with(l) ? "check" : NULL,
					     "status" };

	for (unsigned i = 0; f->kind == DOCTOR_SCSI && i < 2; i++) {
		q.action = disk_actions[i];
		if (q.action && (f->run == DOCTOR_RUN_NOT || f->run == DOCTOR_RUN_ON))
			ask(&q);
	}
	if (f->kind == DOCTOR_SCSI && f->run == DOCTOR_RUN_OFF) {
		f->run = DOCTOR_RUN_FAILED; /* exit 2 of check */
		f->said = DOCTOR_SAID_CUT;
	}
	q.action = "status";
	if (f->run == DOCTOR_RUN_NOT || f->run == DOCTOR_RUN_ON)
		ask(&q);
	if (l->virt)
		virt_end(l);
	if (l->bmc)
		bmc_end(l);
	loop_timer_free(q.over);
	loop_free(l->loop);
	l->loop = NULL;
}
