/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent.h"

#include "lib/shell/agent_input.h"
#include "lib/shell/agent_text.h"
#include "lib/shell/log.h"
#include "lib/shell/spawn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_MS_MAX 15000
#define JOBS_MAX 128

enum metadata { META_UNKNOWN = 0, META_ASKED, META_KNOWN, META_FAILED };

struct program { /* one agent, however many devices use it */
	char path[CONFIG_PATH_MAX];
	enum metadata meta;
	bool has_plug, has_port, has_list, has_status;
	bool alone; /* one run at a time, whatever the device: see agent_calls_back() */
	unsigned running;
};

struct job {
	struct job *next;
	uint64_t id;
	bool check;
	bool cancelled;
	bool asked; /* for metadata */
	bool on;    /* a check: of a node that is known to be on */
	struct config_fence_use use;
	char node[CONFIG_NAME_MAX];
	enum fence_agent_action action;
	const char *word; /* what the agent is asked to do */
	uint32_t timeout_ms;
};

#define LANES_MAX (CONFIG_DEVICES_MAX * CONFIG_CONCURRENCY_MAX)

struct lane { /* one job at a time */
	struct agents *owner;
	unsigned first_device;
	struct job *waiting; /* in order */
	struct job *running;
	struct spawn *child;    /* NULL: its result comes from the loop without one */
	struct program *asking; /* the child asks this one's metadata */
	struct loop_timer *
		soon; /* a job that could not start fails from the loop, not from within the caller */
	char why[FENCE_TEXT_MAX];
};

struct agents {
	struct loop *loop;
	const struct config *cfg;
	agent_done *done;
	void *arg;
	struct program program[CONFIG_DEVICES_MAX];
	unsigned n_programs;
	unsigned program_of[CONFIG_DEVICES_MAX];
	struct lane lane[LANES_MAX];
	unsigned n_lanes;
	unsigned lane_of[CONFIG_DEVICES_MAX]; /* the first of its own */
	unsigned lanes_of[CONFIG_DEVICES_MAX];
};

static void lane_next(struct lane *l);
static void all_next(struct agents *a);
static void on_soon(void *arg);

struct agents *agents_new(struct loop *loop, const struct config *cfg, agent_done *done, void *arg)
{
	struct agents *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->loop = loop;
	a->cfg = cfg;
	a->done = done;
	a->arg = arg;
	for (unsigned i = 0; i < cfg->n_devices; i++) {
		char path[CONFIG_PATH_MAX];
		unsigned p = 0;

		agent_find(cfg->device[i].agent, path);
		while (p < a->n_programs && strcmp(a->program[p].path, path) != 0)
			p++;
		if (p == a->n_programs) {
			memcpy(a->program[p].path, path, sizeof(path));
			a->program[p].alone = agent_calls_back(path);
			a->n_programs++;
		}
		a->program_of[i] = p;
		a->lane_of[i] = a->n_lanes;
		a->lanes_of[i] = cfg->device[i].concurrency ? cfg->device[i].concurrency : 1;
		for (unsigned k = 0; k < a->lanes_of[i]; k++) {
			struct lane *lane = &a->lane[a->n_lanes++];

			lane->owner = a;
			lane->first_device = i;
			lane->soon = loop_timer_new(loop, on_soon, lane);
			if (!lane->soon)
				return agents_free(a);
		}
	}
	return a;
}

struct agents *agents_free(struct agents *a)
{
	for (unsigned i = 0; a && i < a->n_lanes; i++) {
		struct lane *l = &a->lane[i];

		loop_timer_free(l->soon);
		free(l->running);
		while (l->waiting) {
			struct job *j = l->waiting;

			l->waiting = j->next;
			free(j);
		}
	}
	free(a);
	return NULL;
}

static void words_of(const struct spawn_result *r, char *to, size_t len)
{
	agent_last_line(r->err, to, len);
	if (to[0] == '\0')
		agent_last_line(r->out, to, len);
	if (to[0] == '\0')
		snprintf(to, len, "it said nothing");
}

static const char *place(const struct job *j, const struct config *cfg, char *to, size_t len)
{
	if (j->use.plug[0] && strcmp(j->use.plug, j->node) != 0)
		snprintf(to, len, "%.36s plug %.36s", cfg->device[j->use.device].name, j->use.plug);
	else
		snprintf(to, len, "%s", cfg->device[j->use.device].name);
	return to;
}

static void judge(const struct job *j, const struct spawn_result *r, const char *where,
		  struct agent_result *res)
{
	char said[72];
	bool reads = j->check || j->action == FENCE_AGENT_STATUS;

	res->rc = r->status;
	res->took_ms = r->took_ms;
	if (r->timed_out || r->stuck) {
		res->answer = FENCE_ANSWER_TIMEOUT;
		snprintf(res->text, sizeof(res->text), "%s: no answer to %s within %u ms", where,
			 j->word, j->timeout_ms);
		return;
	}
	words_of(r, said, sizeof(said));
	/* SAFE-3: what is not one of the API's answers is unknown, or failed. */
	if (j->check && j->on && strcmp(j->word, "status") == 0 && r->status == 2) {
		res->answer = FENCE_ANSWER_FAILED;
		snprintf(
			res->text, sizeof(res->text),
			"%s: says that %.40s is off, but it is a member: the plug is another machine's",
			where, j->node);
	} else if (reads && strcmp(j->word, "list") != 0 && (r->status == 0 || r->status == 2)) {
		res->answer = j->check         ? FENCE_ANSWER_DONE
			      : r->status == 0 ? FENCE_ANSWER_ON
					       : FENCE_ANSWER_OFF;
		snprintf(res->text, sizeof(res->text), "%s: status of %.63s is %s", where, j->node,
			 r->status == 0 ? "on" : "off");
	} else if (r->status == 0 && j->check && !agent_listed(r->out, j->use.plug)) {
		res->answer = FENCE_ANSWER_FAILED;
		snprintf(res->text, sizeof(res->text), "%.60s: the device does not list plug %.63s",
			 where, j->use.plug);
	} else if (r->status == 0) {
		res->answer = FENCE_ANSWER_DONE;
		snprintf(res->text, sizeof(res->text), "%s: %s done", where, j->word);
	} else {
		res->answer = reads ? FENCE_ANSWER_UNKNOWN : FENCE_ANSWER_FAILED;
		if (r->status < 0)
			snprintf(res->text, sizeof(res->text), "%s: %s ended by signal %d: %s",
				 where, j->word, r->signal, said);
		else
			snprintf(res->text, sizeof(res->text), "%s: %s failed (exit %d): %s", where,
				 j->word, r->status, said);
	}
}

static void job_end(struct lane *l, const struct agent_result *res)
{
	struct agents *a = l->owner;
	struct job *j = l->running;

	l->running = NULL;
	l->child = NULL;
	/* The caller may ask for more from within done(): it is put behind what waits. */
	if (!j->cancelled)
		a->done(a->arg, j->id, j->check, res);
	a->program[a->program_of[j->use.device]].running--;
	free(j);
	all_next(a); /* this lane, and those that waited for this program */
}

static bool status_too(struct lane *l, const struct agent_result *res);

static void on_child(void *arg, const struct spawn_result *r)
{
	struct lane *l = arg;
	struct agent_result res = { .rc = -1 };
	char where[80];

	judge(l->running, r, place(l->running, l->owner->cfg, where, sizeof(where)), &res);
	if (status_too(l, &res))
		return;
	log_info("agent.done", "device=%s action=%s node=%s rc=%d answer=%s took_ms=%llu",
		 l->owner->cfg->device[l->running->use.device].name, l->running->word,
		 l->running->node, res.rc, fence_answer_name(res.answer),
		 (unsigned long long)res.took_ms);
	job_end(l, &res);
}

static void on_soon(void *arg)
{
	struct lane *l = arg;
	struct agent_result res = { .rc = -1, .answer = FENCE_ANSWER_FAILED };

	if (!l->running || l->child)
		return;
	if (l->running->check || l->running->action == FENCE_AGENT_STATUS)
		res.answer = FENCE_ANSWER_UNKNOWN;
	memcpy(res.text, l->why, sizeof(res.text));
	job_end(l, &res);
}

static void on_metadata(void *arg, const struct spawn_result *r)
{
	struct lane *l = arg;
	struct program *p = l->asking;

	l->child = NULL;
	l->asking = NULL;
	if (r->status == 0) {
		p->meta = META_KNOWN;
		p->has_plug = agent_metadata_has(r->out, "parameter", "plug");
		p->has_port = agent_metadata_has(r->out, "parameter", "port");
		p->has_list = agent_metadata_has(r->out, "action", "list");
		p->has_status = agent_metadata_has(r->out, "action", "status");
		/* ours tells call-backs apart; its metadata shows whose it is */
		p->alone = agent_calls_back(p->path) &&
			   !agent_metadata_has(r->out, "parameter", "hypervisors");
	} else {
		char said[120];

		words_of(r, said, sizeof(said));
		p->meta = META_FAILED; /* asked again with the next job */
		log_warning("agent.metadata", "agent=%s rc=%d said=\"%s\"", p->path, r->status,
			    said);
	}
	all_next(l->owner); /* others may have waited for it */
}

/* Return: bytes in @buf, or -1 and l->why says why. */
static ssize_t compose(struct lane *l, const struct job *j, char *buf)
{
	const struct program *p = &l->owner->program[l->owner->program_of[j->use.device]];

	return agent_input(l->owner->cfg, j->node, &j->use, j->word, p->has_port && !p->has_plug,
			   NULL, buf, l->why, sizeof(l->why));
}

static struct spawn *start(struct lane *l, struct program *p, const char *in, size_t in_len,
			   uint32_t timeout_ms, bool patient,
			   void (*done)(void *arg, const struct spawn_result *r))
{
	const char *const argv[] = { p->path, NULL };
	struct spawn_program prog = { .argv = argv,
				      .in = in,
				      .in_len = in_len,
				      .timeout_ms = timeout_ms,
				      .patient = patient,
				      .whole = true };
	struct spawn *s = spawn_program(l->owner->loop, &prog, done, l);

	if (!s)
		snprintf(l->why, sizeof(l->why), "%.60s: the agent %.80s cannot be run: %s",
			 l->owner->cfg->device[l->first_device].name, p->path, strerror(errno));
	return s;
}

/* What a check asks depends on what the agent can. */
static void choose_word(struct lane *l, struct job *j)
{
	const struct program *p = &l->owner->program[l->owner->program_of[j->use.device]];

	if (!j->check) {
		j->word = fence_action_name(j->action);
		return;
	}
	j->timeout_ms = j->timeout_ms < CHECK_MS_MAX ? j->timeout_ms : CHECK_MS_MAX;
	if (p->has_list && j->use.plug[0])
		j->word = "list";
	else
		j->word = p->meta == META_KNOWN && !p->has_status ? "monitor" : "status";
}

/* The plug is in the list: does the device say of it what is true? Return: it is being asked. */
static bool status_too(struct lane *l, const struct agent_result *res)
{
	static char in[AGENT_INPUT_MAX]; /* holds secrets for a moment */
	struct job *j = l->running;
	struct program *p = &l->owner->program[l->owner->program_of[j->use.device]];

	if (!j->check || j->cancelled || res->answer != FENCE_ANSWER_DONE ||
	    strcmp(j->word, "list") != 0 || !p->has_status)
		return false;
	j->word = "status";
	ssize_t len = compose(l, j, in);

	l->child = len < 0 ? NULL : start(l, p, in, (size_t)len, j->timeout_ms, true, on_child);
	explicit_bzero(in, sizeof(in));
	if (!l->child)
		loop_timer_arm(l->soon, mono_ms());
	return true;
}

static void lane_next(struct lane *l)
{
	static char in[AGENT_INPUT_MAX]; /* holds secrets for a moment */

	if (l->running || l->asking || !l->waiting)
		return;
	struct job *j = l->waiting;
	struct program *p = &l->owner->program[l->owner->program_of[j->use.device]];

	if (p->meta == META_ASKED)
		return; /* on_metadata() comes back to us */
	if (p->meta == META_UNKNOWN || (p->meta == META_FAILED && j->check && !j->asked)) {
		static const char ask[] = "action=metadata\n";

		p->meta = META_ASKED;
		j->asked = true;
		l->asking = p;
		l->child = start(l, p, ask, sizeof(ask) - 1, CHECK_MS_MAX, false, on_metadata);
		if (l->child)
			return;
		l->asking = NULL;
		p->meta = META_FAILED; /* the job itself will say what is wrong */
	}
	if (p->alone && p->running)
		return; /* job_end() comes back to us */
	l->waiting = j->next;
	j->next = NULL;
	l->running = j;
	p->running++;
	choose_word(l, j);
	ssize_t len = compose(l, j, in);
	/* To switch on again, or to look whether a path works, must not slow the takeover down. */
	bool patient = j->check || j->action == FENCE_AGENT_ON;

	l->child = len < 0 ? NULL : start(l, p, in, (size_t)len, j->timeout_ms, patient, on_child);
	explicit_bzero(in, sizeof(in));
	if (!l->child)
		loop_timer_arm(l->soon, mono_ms());
}

/* What is to be fenced first, whichever lane it waits in. */
static void all_next(struct agents *a)
{
	for (int check = 0; check <= 1; check++)
		for (unsigned i = 0; i < a->n_lanes; i++)
			if (a->lane[i].waiting && a->lane[i].waiting->check == check)
				lane_next(&a->lane[i]);
}

static struct lane *shortest(struct agents *a, unsigned device)
{
	struct lane *best = NULL;
	unsigned least = 0;

	for (unsigned i = 0; i < a->lanes_of[device]; i++) {
		struct lane *l = &a->lane[a->lane_of[device] + i];
		unsigned n = l->running || l->asking;

		for (const struct job *j = l->waiting; j; j = j->next)
			n++;
		if (!best || n < least) {
			best = l;
			least = n;
		}
	}
	return best;
}

static void enqueue(struct agents *a, struct job job, const struct config_node *node,
		    const struct config_fence_use *use)
{
	struct lane *l = shortest(a, use->device);
	struct job *j = malloc(sizeof(*j)), **at = &l->waiting;

	if (!j)
		abort(); /* a fence daemon without memory is of no use: systemd starts it anew */
	*j = job;
	j->use = *use;
	j->timeout_ms = a->cfg->timing.fence_attempt_ms;
	snprintf(j->node, sizeof(j->node), "%s", node->name);
	while (*at && (j->check || !(*at)->check))
		at = &(*at)->next;
	j->next = *at;
	*at = j;
	lane_next(l);
}

void agents_run(struct agents *a, uint64_t id, const struct config_node *node,
		const struct config_fence_use *use, enum fence_agent_action action)
{
	enqueue(a, (struct job){ .id = id, .action = action }, node, use);
}

void agents_check(struct agents *a, uint64_t id, const struct config_node *node,
		  const struct config_fence_use *use, bool on)
{
	enqueue(a, (struct job){ .id = id, .check = true, .on = on, .action = FENCE_AGENT_STATUS },
		node, use);
}

bool agents_alone(const struct agents *a, unsigned device)
{
	return a->program[a->program_of[device]].alone;
}

void agents_cancel(struct agents *a, uint64_t id)
{
	for (unsigned i = 0; i < a->n_lanes; i++) {
		struct lane *l = &a->lane[i];

		for (struct job **at = &l->waiting; *at; at = &(*at)->next)
			if ((*at)->id == id) {
				struct job *j = *at;

				*at = j->next;
				free(j);
				return;
			}
		if (l->running && l->running->id == id && !l->running->cancelled) {
			l->running->cancelled = true;
			if (l->child)
				spawn_kill(l->child);
			return;
		}
	}
}
