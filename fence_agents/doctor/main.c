/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade-fence-doctor - looks at the way from this node to every fence device, and fences nobody.
 *
 * For `stockade doctor fence --local`, and for fenced, which runs it on every node when asked (doc/protocol.md). A line of JSON for
 * each check as it ends:
 *	{"checks": 3}
 *	{"node": "node2", "level": 1, "device": "vm", "agent": "fence_xvm", "plug": "node2", "result": "fail", "cause": "wrong-key",
 *	 "hop": "key", "text": "...", "seen": ["..."], "remedy": ["..."], "key": "5f3a-91c0-77ab-02de", "took_ms": 812}
 */
#include "doctor.h"

#include "lib/shell/agent_input.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECKS_MAX (NODES_MAX * CONFIG_LEVELS_MAX * CONFIG_METHOD_MAX)
#define AT_ONCE 6
#define CHECK_MS 25000 /* longer than any check takes: it is stuck */

struct check {
	const struct config_node *node;
	unsigned level;
	const struct config_fence_use *use;
	bool alone; /* of those that are called back at one port */
	pid_t pid;  /* 0: not begun; -1: over */
	uint64_t begin_ms;
};

const char *doctor_state = DOCTOR_STATE;

static struct check checks[CHECKS_MAX];
static unsigned n_checks;
static struct nodeset members;
static struct heard heard;

static const char usage[] =
	"usage: stockade-fence-doctor [--config FILE] [--node NAME] [--state DIR] [--member NAME]... [--query-age S]\n"
	"                              [--query-interval S] [--watched S]\n"
	"Looks at the way from this node to every fence device; fences nobody. See stockade-fence-doctor(8).\n"
	"\n"
	"      --config FILE    the configuration (" CONFIG_PATH ")\n"
	"      --node NAME      this node; by its host name\n"
	"      --state DIR      where it is kept who has answered (" DOCTOR_STATE ")\n"
	"      --member NAME    this node is known to run: a device that calls it off has another machine's plug\n"
	"      --query-age S    so long ago an IGMP query was heard; with --watched\n"
	"      --query-interval S   its sender's own interval\n"
	"      --watched S      for so long somebody has listened for IGMP queries\n"
	"  -h, --help           this text\n";

/* Children share the pipe: one write, not longer than PIPE_BUF, is never torn. So what was seen is cut before anything else. */
static void print_line(json_t *line)
{
	json_t *seen = json_object_get(line, "seen");
	char *text = json_dumps(line, JSON_COMPACT);

	while (text && strlen(text) >= PIPE_BUF && json_array_size(seen) > 0) {
		json_array_remove(seen, json_array_size(seen) - 1);
		free(text);
		text = json_dumps(line, JSON_COMPACT);
	}
	json_decref(line);
	if (!text)
		return;
	size_t len = strlen(text);

	text[len] = '\n';
	if (write(STDOUT_FILENO, text, len + 1) < 0)
		_exit(1); /* nobody listens any more */
	free(text);
}

static json_t *texts(const char (*text)[DOCTOR_TEXT_MAX], unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_string_nocheck(text[i]));
	return list;
}

/* @key: its fingerprint, so that nodes can be compared; "": none */
static void print_check(const struct check *c, const struct doctor_diagnosis *d,
			const struct config *cfg, const char *key)
{
	const struct config_device *dev = &cfg->device[c->use->device];

	print_line(json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s*, s:I}",
			     "node", c->node->name, "level", (int)c->level + 1, "device", dev->name,
			     "agent", dev->agent, "plug", c->use->plug, "result",
			     doctor_result_name(d->result), "cause", d->name, "hop", d->hop, "text",
			     d->text, "seen", texts(d->seen, d->n_seen), "remedy",
			     texts(d->remedy, d->n_remedy), "key", key[0] ? key : NULL, "took_ms",
			     (json_int_t)(mono_ms() - c->begin_ms)));
}

static void look(const struct check *c, const struct config *cfg, const struct config_node *self)
{
	static struct doctor_diagnosis d;
	struct look l = { .cfg = cfg,
			  .self = self,
			  .node = c->node,
			  .use = c->use,
			  .dev = &cfg->device[c->use->device] };

	l.f.member = nodeset_has(members, c->node->id);
	look_at(&l, &heard);
	doctor_diagnose(&l.f, &d);
	print_check(c, &d, cfg, l.f.key);
}

static void begin(struct check *c, const struct config *cfg, const struct config_node *self)
{
	pid_t parent = getpid();

	c->begin_ms = mono_ms();
	fflush(stdout);
	c->pid = fork();
	if (c->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	look(c, cfg, self);
	_exit(0);
}

/* A child that did not print its line has one printed for it: unknown is never left out (SAFE-3). */
static void not_made(const struct check *c, const struct config *cfg,
		     const struct config_node *self, const char *why)
{
	static struct doctor_diagnosis d;
	struct doctor_facts f = { .kind = DOCTOR_OTHER, .run = DOCTOR_RUN_NOT };

	snprintf(f.self, sizeof(f.self), "%s", self->name);
	snprintf(f.node, sizeof(f.node), "%s", c->node->name);
	snprintf(f.device, sizeof(f.device), "%s", cfg->device[c->use->device].name);
	snprintf(f.words, sizeof(f.words), "%s", why);
	doctor_diagnose(&f, &d);
	print_check(c, &d, cfg, "");
}

static void reap(const struct config *cfg, const struct config_node *self)
{
	for (unsigned i = 0; i < n_checks; i++) {
		struct check *c = &checks[i];
		int status;

		if (c->pid <= 0)
			continue;
		bool late = mono_ms() - c->begin_ms > CHECK_MS;

		if (late)
			kill(c->pid, SIGKILL);
		if (waitpid(c->pid, &status, late ? 0 : WNOHANG) == 0)
			continue;
		c->pid = -1;
		if (late)
			not_made(c, cfg, self, "the check took too long");
		else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			not_made(c, cfg, self, "the check ended by itself");
	}
}

static bool may_begin(const struct check *c)
{
	unsigned running = 0;

	for (unsigned i = 0; i < n_checks; i++)
		if (checks[i].pid > 0) {
			running++;
			if (c->alone && checks[i].alone)
				return false;
		}
	return running < AT_ONCE;
}

static void run_all(const struct config *cfg, const struct config_node *self)
{
	unsigned left = n_checks;

	while (left > 0) {
		left = 0;
		for (unsigned i = 0; i < n_checks; i++) {
			if (checks[i].pid == 0 && may_begin(&checks[i])) {
				begin(&checks[i], cfg, self);
				if (checks[i].pid < 0)
					not_made(&checks[i], cfg, self, strerror(errno));
			}
			left += checks[i].pid >= 0;
		}
		usleep(left > 0 ? 5000 : 0);
		reap(cfg, self);
	}
}

static void list(const struct config *cfg, const struct config_node *self)
{
	for (unsigned n = 0; n < cfg->n_nodes; n++) {
		const struct config_node *node = &cfg->node[n];

		for (unsigned k = 0; k < node->n_levels; k++)
			for (unsigned u = 0; u < node->level[k].n; u++) {
				const struct config_fence_use *use = &node->level[k].use[u];
				const struct config_device *dev = &cfg->device[use->device];
				char path[CONFIG_PATH_MAX];

				/* a watchdog is its own node's, everything else is asked about by the others */
				if (config_is_watchdog(dev) != (node == self))
					continue;
				agent_find(dev->agent, path);
				checks[n_checks++] = (struct check){
					.node = node,
					.level = k,
					.use = use,
					.alone = agent_calls_back(path),
				};
			}
	}
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", 1, NULL, 'f' },    { "node", 1, NULL, 'n' },
		{ "member", 1, NULL, 'm' },    { "state", 1, NULL, 's' },
		{ "query-age", 1, NULL, 'q' }, { "query-interval", 1, NULL, 'i' },
		{ "watched", 1, NULL, 'w' },   { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CONFIG_PATH, *name = NULL, *member[NODES_MAX];
	unsigned n_members = 0;
	bool age = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", opts, NULL)) != -1)
		switch (c) {
		case 'f': path = optarg; break;
		case 'n': name = optarg; break;
		case 'm':
			if (n_members < NODES_MAX)
				member[n_members++] = optarg;
			break;
		case 's': doctor_state = optarg; break;
		case 'q':
			age = true;
			heard.query.age_s = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'i': heard.query.interval_s = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'w': heard.query.watched_s = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	struct config *cfg = config_read(path, stderr);

	if (!cfg)
		return 2;
	const struct config_node *self = name ? config_node_by_name(cfg, name)
					      : config_self(cfg, 0);

	if (!self) {
		fprintf(stderr, "stockade-fence-doctor: this machine is none of the nodes of %s\n",
			path);
		return 2;
	}
	heard.query.heard = age                         ? DOCTOR_YES
			    : heard.query.watched_s > 0 ? DOCTOR_NO
							: DOCTOR_UNKNOWN;
	for (unsigned i = 0; i < n_members; i++) {
		const struct config_node *n = config_node_by_name(cfg, member[i]);

		if (n)
			nodeset_add(&members, n->id);
	}
	list(cfg, self);
	print_line(json_pack("{s:i}", "checks", (int)n_checks));
	run_all(cfg, self);
	config_free(cfg);
	return 0;
}
