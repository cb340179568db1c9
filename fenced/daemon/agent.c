/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent.h"

#include "lib/shell/log.h"
#include "lib/shell/spawn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define STDIN_MAX 16384
#define SECRET_MAX 4096
#define CHECK_MS_MAX 15000
#define JOBS_MAX 128

enum metadata { META_UNKNOWN = 0, META_ASKED, META_KNOWN, META_FAILED };

struct program { /* one agent, however many devices use it */
	char path[CONFIG_PATH_MAX];
	enum metadata meta;
	bool has_plug, has_port, has_list, has_status;
	bool alone; /* one run at a time, whatever the device: see calls_back() */
	unsigned running;
};

struct job {
	struct job *next;
	uint64_t id;
	bool check;
	bool cancelled;
	bool asked; /* for metadata */
	bool on;    /* a check: of a node that is known to be on */
	unsigned device;
	char node[CONFIG_NAME_MAX], plug[CONFIG_NAME_MAX];
	enum fence_agent_action action;
	const char *word;               /* what the agent is asked to do */
	unsigned first_param, n_params; /* of this node alone */
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

/* Stock fence_xvm and fence_virt are called back to one fixed port, and a run beside another takes its answer. Ours tells
 * them apart; its metadata shows whose it is (on_metadata()). */
static bool calls_back(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strcmp(base, "fence_xvm") == 0 || strcmp(base, "fence_virt") == 0;
}

/* A name is looked up where agents live; what is not found is tried by PATH, and its absence told by the run. */
static void find_program(const char *agent, char path[CONFIG_PATH_MAX])
{
	static const char *const dirs[] = { STOCKADE_LIBEXECDIR "/agents", "/usr/sbin",
					    STOCKADE_SBINDIR };

	snprintf(path, CONFIG_PATH_MAX, "%s", agent);
	if (strchr(agent, '/'))
		return;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char try[CONFIG_PATH_MAX];

		if ((size_t)snprintf(try, sizeof(try), "%s/%s", dirs[i], agent) < sizeof(try) &&
		    access(try, X_OK) == 0) {
			memcpy(path, try, sizeof(try));
			return;
		}
	}
}

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

		find_program(cfg->device[i].agent, path);
		while (p < a->n_programs && strcmp(a->program[p].path, path) != 0)
			p++;
		if (p == a->n_programs) {
			memcpy(a->program[p].path, path, sizeof(path));
			a->program[p].alone = calls_back(path);
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

/* Printable, one line, the last that says something: agents log a lot before they fail. */
static void last_line(const char *s, char *to, size_t len)
{
	const char *best = "", *end = "";

	for (const char *p = s; *p;) {
		const char *nl = strchr(p, '\n');
		const char *stop = nl ? nl : p + strlen(p);

		while (p < stop && (*p == ' ' || *p == '\t'))
			p++;
		if (p < stop) {
			best = p;
			end = stop;
		}
		p = nl ? nl + 1 : stop;
	}
	size_t n = 0;

	for (; best < end && n + 1 < len; best++)
		to[n++] = (unsigned char)*best < 0x20 || *best == 0x7f || *best == '"' ? ' '
										       : *best;
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

static void words_of(const struct spawn_result *r, char *to, size_t len)
{
	last_line(r->err, to, len);
	if (to[0] == '\0')
		last_line(r->out, to, len);
	if (to[0] == '\0')
		snprintf(to, len, "it said nothing");
}

static const char *place(const struct job *j, const struct config *cfg, char *to, size_t len)
{
	if (j->plug[0] && strcmp(j->plug, j->node) != 0)
		snprintf(to, len, "%.36s plug %.36s", cfg->device[j->device].name, j->plug);
	else
		snprintf(to, len, "%s", cfg->device[j->device].name);
	return to;
}

/* Is @plug in the list that the agent printed? Lines "plug,alias", "name uuid on": the first two words count. */
static bool listed(const char *out, const char *plug)
{
	static const char sep[] = " \t,;";

	for (const char *p = out; *p;) {
		size_t line = strcspn(p, "\n");
		const char *end = p + line;

		for (int word = 0; word < 2 && p < end; word++) {
			p += strspn(p, sep);
			size_t n = strcspn(p, " \t,;\n");

			if (n == strlen(plug) && strncasecmp(p, plug, n) == 0)
				return true;
			p += n;
		}
		p = *end ? end + 1 : end;
	}
	return false;
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
	} else if (r->status == 0 && j->check && !listed(r->out, j->plug)) {
		res->answer = FENCE_ANSWER_FAILED;
		snprintf(res->text, sizeof(res->text), "%.60s: the device does not list plug %.63s",
			 where, j->plug);
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
	a->program[a->program_of[j->device]].running--;
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
		 l->owner->cfg->device[l->running->device].name, l->running->word, l->running->node,
		 res.rc, fence_answer_name(res.answer), (unsigned long long)res.took_ms);
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

static bool attribute(const char *xml, const char *element, const char *name)
{
	char want[64];
	size_t n = strlen(element);

	for (const char *p = xml; (p = strchr(p, '<')) != NULL; p++) {
		if (strncmp(p + 1, element, n) != 0 ||
		    (p[1 + n] != ' ' && p[1 + n] != '\t' && p[1 + n] != '\n'))
			continue;
		const char *end = strchr(p, '>');

		for (int q = 0; q < 2; q++) {
			snprintf(want, sizeof(want), "name=%c%s%c", "\"'"[q], name, "\"'"[q]);
			const char *hit = strstr(p, want);

			if (hit && (!end || hit < end))
				return true;
		}
	}
	return false;
}

static void on_metadata(void *arg, const struct spawn_result *r)
{
	struct lane *l = arg;
	struct program *p = l->asking;

	l->child = NULL;
	l->asking = NULL;
	if (r->status == 0) {
		p->meta = META_KNOWN;
		p->has_plug = attribute(r->out, "parameter", "plug");
		p->has_port = attribute(r->out, "parameter", "port");
		p->has_list = attribute(r->out, "action", "list");
		p->has_status = attribute(r->out, "action", "status");
		p->alone = calls_back(p->path) && !attribute(r->out, "parameter", "hypervisors");
	} else {
		char said[120];

		words_of(r, said, sizeof(said));
		p->meta = META_FAILED; /* asked again with the next job */
		log_warning("agent.metadata", "agent=%s rc=%d said=\"%s\"", p->path, r->status,
			    said);
	}
	all_next(l->owner); /* others may have waited for it */
}

/* What does not fit is noticed at the end: an agent without one of its parameters is another agent. */
static void put(char *buf, size_t *len, const char *key, const char *value)
{
	if (*len >= STDIN_MAX)
		return;
	int n = snprintf(buf + *len, STDIN_MAX - *len, "%s=%s\n", key, value);

	*len += (size_t)n;
}

static bool has_key(const struct config_param *c, unsigned n, const char *key)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(c[i].key, key) == 0)
			return true;
	return false;
}

static int compose_one(struct lane *l, const char *device, const struct config_param *c, char *buf,
		       size_t *len)
{
	char secret[SECRET_MAX], why[160];

	if (!c->secret_file) {
		put(buf, len, c->key, c->value);
		return 0;
	}
	int r = config_secret_read(c->value, secret, sizeof(secret), why, sizeof(why));

	if (r < 0) {
		snprintf(l->why, sizeof(l->why), "%.60s: %.120s", device, why);
		return -1;
	}
	put(buf, len, c->key, secret);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

/* Return: bytes in @buf, or -1 and l->why says why. */
static ssize_t compose(struct lane *l, const struct job *j, char *buf)
{
	const struct config_device *dev = &l->owner->cfg->device[j->device];
	const struct program *p = &l->owner->program[l->owner->program_of[j->device]];
	size_t len = 0;

	buf[0] = '\0';
	put(buf, &len, "action", j->word);
	put(buf, &len, "nodename", j->node);
	if (j->plug[0])
		put(buf, &len, p->has_port && !p->has_plug ? "port" : "plug", j->plug);
	const struct config_param *own = &l->owner->cfg->use_param[j->first_param];

	for (unsigned i = 0; i < dev->n_params; i++)
		if (!has_key(own, j->n_params, dev->param[i].key) &&
		    compose_one(l, dev->name, &dev->param[i], buf, &len) < 0)
			return -1;
	for (unsigned i = 0; i < j->n_params; i++)
		if (compose_one(l, dev->name, &own[i], buf, &len) < 0)
			return -1;
	if (len >= STDIN_MAX) {
		snprintf(l->why, sizeof(l->why), "%.60s: its parameters are longer than %u bytes",
			 dev->name, STDIN_MAX);
		return -1;
	}
	return (ssize_t)len;
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
				      .patient = patient };
	struct spawn *s = spawn_program(l->owner->loop, &prog, done, l);

	if (!s)
		snprintf(l->why, sizeof(l->why), "%.60s: the agent %.80s cannot be run: %s",
			 l->owner->cfg->device[l->first_device].name, p->path, strerror(errno));
	return s;
}

/* What a check asks depends on what the agent can. */
static void choose_word(struct lane *l, struct job *j)
{
	const struct program *p = &l->owner->program[l->owner->program_of[j->device]];

	if (!j->check) {
		j->word = fence_action_name(j->action);
		return;
	}
	j->timeout_ms = j->timeout_ms < CHECK_MS_MAX ? j->timeout_ms : CHECK_MS_MAX;
	if (p->has_list && j->plug[0])
		j->word = "list";
	else
		j->word = p->meta == META_KNOWN && !p->has_status ? "monitor" : "status";
}

/* The plug is in the list: does the device say of it what is true? Return: it is being asked. */
static bool status_too(struct lane *l, const struct agent_result *res)
{
	static char in[STDIN_MAX]; /* holds secrets for a moment */
	struct job *j = l->running;
	struct program *p = &l->owner->program[l->owner->program_of[j->device]];

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
	static char in[STDIN_MAX]; /* holds secrets for a moment */

	if (l->running || l->asking || !l->waiting)
		return;
	struct job *j = l->waiting;
	struct program *p = &l->owner->program[l->owner->program_of[j->device]];

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
	j->device = use->device;
	j->first_param = use->first_param;
	j->n_params = use->n_params;
	j->timeout_ms = a->cfg->timing.fence_attempt_ms;
	snprintf(j->node, sizeof(j->node), "%s", node->name);
	snprintf(j->plug, sizeof(j->plug), "%s", use->plug);
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
