/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/doctor.c - `stockade doctor fence`: every member looks at its own way to every fence device, all hear what was seen.
 *
 * The core takes no part: nothing is decided by it, and it must never be in a fencing's way. Messages go to the same group as the
 * core's, which they are told from by their first bytes; an older fenced drops them. The looking is done by a child
 * (fence_agents/doctor), at most one at a time, with an end. It may look while others fence, which is when one wants to know; but
 * when a stock fence_xvm is to fence, it is ended at once: that one is called back at one port, and two runs would take each
 * other's answers.
 *
 *	SKDO {"ask": RUN}                     every member that hears it begins
 *	SKDO {"run": RUN, "checks": 3}        it has begun; said again, with all that follows, in a new view
 *	SKDO {"run": RUN, "check": {...}}     one check
 *	SKDO {"run": RUN, "end": TEXT}        it is done; TEXT: null, or why there is no more
 */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/multicast.h"
#include "lib/shell/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAGIC "SKDO"
#define MAGIC_LEN 4
#define RUN_MS 180000
#define CHECKS_MAX 512 /* of one node */

enum seeing { SEE_NONE = 0, SEE_ASKED, SEE_RUNNING, SEE_DONE, SEE_GONE };

struct doctor {
	struct fenced *f;
	int igmp_fd;
	uint64_t igmp_ms, query_ms;
	uint8_t query_code;
	struct spawn *child;
	uint64_t next_run; /* asked while a child was at work; 0: none */
	uint64_t run;      /* the last that was asked for; 0: none yet */
	uint64_t alias[4]; /* asked for while that one went on: they are the same */
	unsigned next_alias;
	uint64_t asked_ms, counter;
	struct {
		uint64_t run;
		int checks;    /* -1: not known yet */
		json_t *check; /* array */
		bool ended;
		char why[160];
	} own; /* what we have said */
	bool broken_off;
	struct {
		enum seeing state;
		unsigned checks; /* how many there will be */
		json_t *check;   /* array of them */
		char why[160];
	} node[NODEID_MAX + 1];
};

static void on_igmp(void *arg, int fd, int revents)
{
	struct doctor *d = arg;

	(void)revents;
	if (igmp_query_heard(fd, &d->query_code))
		d->query_ms = mono_ms();
}

int doctor_open(struct fenced *f)
{
	struct doctor *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->f = f;
	f->doctor = d;
	/* whether there is a querier cannot be seen in a moment: they ask every two minutes */
	d->igmp_fd = igmp_listen();
	d->igmp_ms = mono_ms();
	if (d->igmp_fd >= 0 && loop_fd_add(f->loop, d->igmp_fd, POLLIN, on_igmp, d) < 0) {
		close(d->igmp_fd);
		d->igmp_fd = -1;
	}
	return 0;
}

void doctor_close(struct fenced *f)
{
	struct doctor *d = f->doctor;

	if (!d)
		return;
	if (d->igmp_fd >= 0) {
		loop_fd_del(f->loop, d->igmp_fd);
		close(d->igmp_fd);
	}
	for (unsigned i = 0; i <= NODEID_MAX; i++)
		json_decref(d->node[i].check);
	json_decref(d->own.check);
	free(d);
	f->doctor = NULL;
}

/* Takes @what. */
static void say(struct doctor *d, json_t *what)
{
	char *text = what ? json_dumps(what, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *msg = text ? malloc(MAGIC_LEN + len) : NULL;

	json_decref(what);
	if (msg && d->f->cluster) {
		memcpy(msg, MAGIC, MAGIC_LEN);
		memcpy(msg + MAGIC_LEN, text, len);
		int r = cluster_send(d->f->cluster, msg, MAGIC_LEN + len);

		if (r < 0)
			log_info("doctor.send", "error=\"%s\"", strerror(-r));
	}
	free(msg);
	free(text);
}

static void say_checks(struct doctor *d)
{
	say(d, json_pack("{s:I, s:i}", "run", (json_int_t)d->own.run, "checks", d->own.checks));
}

static void say_check(struct doctor *d, json_t *check)
{
	say(d, json_pack("{s:I, s:O}", "run", (json_int_t)d->own.run, "check", check));
}

static void say_end(struct doctor *d)
{
	say(d, json_pack("{s:I, s:s?}", "run", (json_int_t)d->own.run, "end",
			 d->own.why[0] ? d->own.why : NULL));
}

/* --- this node's child ------------------------------------------------------------------------------------------- */

static int work(void *arg, int fd)
{
	struct doctor *d = arg;
	const struct fenced *f = d->f;
	const char *dir = secure_getenv("STOCKADE_LIBEXECDIR");
	const char *argv[14 + 2 * NODES_MAX];
	char path[256], age[24], interval[24], watched[24];
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/stockade-fence-doctor", dir ? dir : STOCKADE_LIBEXECDIR);
	argv[n++] = path;
	argv[n++] = "--config";
	argv[n++] = f->cfg->path;
	argv[n++] = "--node";
	argv[n++] = f->self->name;
	for (unsigned i = 0; i < f->cfg->n_nodes; i++)
		if (nodeset_has(f->view.members, f->cfg->node[i].id)) {
			argv[n++] = "--member";
			argv[n++] = f->cfg->node[i].name;
		}
	if (d->igmp_fd >= 0) {
		snprintf(watched, sizeof(watched), "%llu",
			 (unsigned long long)(mono_ms() - d->igmp_ms) / 1000);
		argv[n++] = "--watched";
		argv[n++] = watched;
	}
	if (d->query_ms) {
		snprintf(age, sizeof(age), "%llu",
			 (unsigned long long)(mono_ms() - d->query_ms) / 1000);
		snprintf(interval, sizeof(interval), "%u", igmp_interval_s(d->query_code));
		argv[n++] = "--query-age";
		argv[n++] = age;
		argv[n++] = "--query-interval";
		argv[n++] = interval;
	}
	argv[n] = NULL;
	/* it has time, we have none */
	setpriority(PRIO_PROCESS, 0, 10);
	if (dup2(fd, STDOUT_FILENO) < 0)
		return 1;
	execv(path, (char *const *)argv);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return 127;
}

static void on_line(void *arg, const char *line)
{
	struct doctor *d = arg;
	json_t *what = json_loads(line, 0, NULL), *checks = json_object_get(what, "checks");

	if (!json_is_object(what)) {
		log_warning("doctor.line", "text=\"cannot be read\"");
	} else if (checks) {
		d->own.checks = (int)json_integer_value(checks);
		say_checks(d);
	} else if (json_array_size(d->own.check) < CHECKS_MAX) {
		json_array_append(d->own.check, what);
		say_check(d, what);
	}
	json_decref(what);
}

static void begin(struct doctor *d, uint64_t run);

static void on_end(void *arg, const struct spawn_result *r)
{
	struct doctor *d = arg;
	char *why = d->own.why;

	d->child = NULL;
	if (r->status == 0)
		why[0] = '\0';
	else if (d->broken_off)
		snprintf(why, sizeof(d->own.why), "it was broken off: a node had to be fenced");
	else if (r->timed_out)
		snprintf(why, sizeof(d->own.why), "looking took longer than %d s", RUN_MS / 1000);
	else
		snprintf(why, sizeof(d->own.why), "the doctor could not look: %.100s",
			 r->err_len ? r->err : "it ended by itself");
	why[strcspn(why, "\n")] = '\0';
	d->broken_off = false;
	d->own.ended = true;
	say_end(d);
	if (d->next_run)
		begin(d, d->next_run);
}

static bool in_the_way(const struct fenced *f, uint32_t node, uint8_t level, uint8_t device)
{
	return agents_alone(f->agents,
			    config_node_by_id(f->cfg, node)->level[level].use[device].device);
}

static bool fencing(const struct fenced *f)
{
	for (size_t i = 0; i < sizeof(f->run) / sizeof(*f->run); i++)
		if (f->run[i].id &&
		    in_the_way(f, f->run[i].node, f->run[i].level, f->run[i].device))
			return true;
	return false;
}

static void begin(struct doctor *d, uint64_t run)
{
	d->next_run = 0;
	json_decref(d->own.check);
	memset(&d->own, 0, sizeof(d->own));
	d->own.run = run;
	d->own.checks = -1;
	d->own.check = json_array();
	bool busy = fencing(d->f);

	d->child = busy ? NULL : spawn_work(d->f->loop, work, d, RUN_MS, on_line, on_end, d);
	if (!d->child) {
		d->own.ended = true;
		snprintf(d->own.why, sizeof(d->own.why), "%s",
			 busy ? "it did not look: a node is being fenced" : strerror(errno));
		say_end(d);
		return;
	}
	log_info("doctor.begin", "run=%llu", (unsigned long long)run);
}

/* --- what members say -------------------------------------------------------------------------------------------- */

static bool all_done(const struct doctor *d)
{
	for (unsigned i = 1; i <= NODEID_MAX; i++)
		if (d->node[i].state == SEE_ASKED || d->node[i].state == SEE_RUNNING)
			return false;
	return true;
}

static bool goes_on(const struct doctor *d)
{
	return d->run && !all_done(d) && mono_ms() - d->asked_ms < RUN_MS + 10000;
}

static void asked(struct doctor *d, uint64_t run)
{
	if (goes_on(d)) { /* by two at the same moment */
		d->alias[d->next_alias++ % 4] = run;
		return;
	}
	d->run = run;
	memset(d->alias, 0, sizeof(d->alias));
	d->asked_ms = mono_ms();
	for (unsigned i = 0; i <= NODEID_MAX; i++) {
		json_decref(d->node[i].check);
		memset(&d->node[i], 0, sizeof(d->node[i]));
		if (i > 0 && nodeset_has(d->f->view.members, i)) {
			d->node[i].state = SEE_ASKED;
			d->node[i].check = json_array();
		}
	}
	if (d->child)
		d->next_run = run;
	else
		begin(d, run);
}

bool doctor_deliver(struct fenced *f, uint32_t from, const void *data, size_t len)
{
	struct doctor *d = f->doctor;
	const char *bytes = data;

	if (len < MAGIC_LEN || memcmp(bytes, MAGIC, MAGIC_LEN) != 0)
		return false;
	json_t *msg = json_loadb(bytes + MAGIC_LEN, len - MAGIC_LEN, 0, NULL);
	const json_t *ask = json_object_get(msg, "ask");
	uint64_t run = (uint64_t)json_integer_value(json_object_get(msg, "run"));

	if (!d || from > NODEID_MAX || !json_is_object(msg)) {
		json_decref(msg);
		return true;
	}
	if (json_is_integer(ask)) {
		asked(d, (uint64_t)json_integer_value(ask));
	} else if (run == d->run && d->node[from].check) {
		json_t *checks = json_object_get(msg, "checks"),
		       *check = json_object_get(msg, "check"), *end = json_object_get(msg, "end");

		d->node[from].state = SEE_RUNNING;
		if (checks) {
			json_array_clear(d->node[from].check);
			d->node[from].checks = (unsigned)json_integer_value(checks);
		}
		if (check && json_array_size(d->node[from].check) < CHECKS_MAX)
			json_array_append(d->node[from].check, check);
		if (end) {
			d->node[from].state = SEE_DONE;
			snprintf(d->node[from].why, sizeof(d->node[from].why), "%s",
				 json_string_value(end) ? json_string_value(end) : "");
		}
	}
	json_decref(msg);
	return true;
}

void doctor_view(struct fenced *f)
{
	struct doctor *d = f->doctor;
	json_t *check;
	size_t k;

	if (!d)
		return;
	for (unsigned i = 1; i <= NODEID_MAX; i++)
		if ((d->node[i].state == SEE_ASKED || d->node[i].state == SEE_RUNNING) &&
		    !nodeset_has(f->view.members, i))
			d->node[i].state = SEE_GONE;
	/* what was on its way in the old view is lost: whoever owns a fact says it again */
	if (d->own.run != d->run || !goes_on(d) || d->own.checks < 0)
		return;
	say_checks(d);
	json_array_foreach (d->own.check, k, check)
		say_check(d, check);
	if (d->own.ended)
		say_end(d);
}

void doctor_make_way(struct fenced *f, uint32_t node, uint8_t level, uint8_t device)
{
	struct doctor *d = f->doctor;

	if (!d || !d->child || !in_the_way(f, node, level, device))
		return;
	d->broken_off = true;
	spawn_kill(d->child);
}

/* --- requests of tools ------------------------------------------------------------------------------------------- */

static json_t *start(struct doctor *d)
{
	struct fenced *f = d->f;

	if (!f->dom || !f->cluster || nodeset_empty(f->view.members))
		return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "code", "again", "error",
				 "fenced is not a member of the cluster yet", "remedy",
				 "stockade doctor fence --local looks from this node alone");
	/* one at a time: who asks meanwhile sees the one that goes on */
	if (goes_on(d))
		return json_pack("{s:b, s:I, s:b}", "ok", 1, "run", (json_int_t)d->run, "joined",
				 1);
	uint64_t run = (mono_ms() & 0xffffffff) << 16 | (uint64_t)f->self->id << 8 |
		       (++d->counter & 0xff);

	say(d, json_pack("{s:I}", "ask", (json_int_t)run));
	return json_pack("{s:b, s:I, s:b}", "ok", 1, "run", (json_int_t)run, "joined", 0);
}

static json_t *overview(const struct doctor *d, uint64_t run)
{
	static const char *const words[] = { "absent", "asked", "running", "done", "gone" };
	json_t *nodes = json_array();
	bool same = run == d->run;

	for (unsigned i = 0; i < 4; i++)
		same |= d->alias[i] == run && run;
	for (unsigned i = 0; i < d->f->cfg->n_nodes; i++) {
		const struct config_node *n = &d->f->cfg->node[i];
		enum seeing state = same ? d->node[n->id].state : SEE_ASKED;

		json_array_append_new(
			nodes, json_pack("{s:s, s:s, s:i, s:i, s:s?}", "node", n->name, "state",
					 words[state], "checks", (int)d->node[n->id].checks, "done",
					 (int)json_array_size(d->node[n->id].check), "error",
					 d->node[n->id].why[0] ? d->node[n->id].why : NULL));
	}
	return json_pack("{s:b, s:I, s:o}", "ok", 1, "run", (json_int_t)run, "nodes", nodes);
}

json_t *doctor_request(struct fenced *f, const json_t *req)
{
	struct doctor *d = f->doctor;
	json_t *run = json_object_get(req, "run");
	const char *name = json_string_value(json_object_get(req, "node"));
	const struct config_node *n = name ? config_node_by_name(f->cfg, name) : NULL;
	json_int_t from = json_integer_value(json_object_get(req, "from"));

	if (!d)
		return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "code", "again", "error",
				 f->waits[0] ? f->waits : "fenced is starting", "remedy",
				 "stockade doctor fence --local looks from this node alone");
	if (!json_is_integer(run))
		return start(d);
	if (!name)
		return overview(d, (uint64_t)json_integer_value(run));
	if (!n || from < 0)
		return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "code", "no_such", "error",
				 "there is no such node", "remedy",
				 "name a node of the configuration");
	/* a reply has a limit: a part, and the rest by the next request */
	json_t *part = json_array();
	size_t bytes = 0, i = (size_t)from, all = json_array_size(d->node[n->id].check);

	for (; i < all && bytes < 48 * 1024; i++) {
		json_t *c = json_array_get(d->node[n->id].check, i);

		bytes += json_dumpb(c, NULL, 0, JSON_COMPACT);
		json_array_append(part, c);
	}
	return json_pack("{s:b, s:o, s:b}", "ok", 1, "checks", part, "more", i < all);
}
