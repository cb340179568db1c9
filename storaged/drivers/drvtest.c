/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drvtest - run one driver operation by hand, outside of storaged: for the laboratory and for tests.
 *
 * stdin: {"config": "/etc/stockade/stockade.yaml", "op": "start", "node": 1,
 *         "volume": "webdata" | "resource": "web/2",        which
 *         "rundir": "/run/stockade", "limit_ms": 30000, "epoch": 7, "released": 0, "owner": 1,
 *         "dead": [{"node": 2, "boot": "..."}],              proofs
 *         "members": [{"node": 2, "boot": "..."}],           nodes alive in that boot
 *         "repeat": 100}                                     in one process, as storaged does with monitor
 * stdout: the driver's lines. Exit: 0 a result line was written, 2 the request makes no sense
 */
#include "driver.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void bad(const char *what)
{
	fprintf(stderr, "drvtest: %s\n", what);
	exit(2);
}

static const char *word(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : otherwise;
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static struct fence_node *fence_node_of(struct fence_state *st, uint32_t nodeid)
{
	for (unsigned i = 0; i < st->n; i++)
		if (st->node[i].nodeid == nodeid)
			return &st->node[i];
	bad("no such node in the configuration");
}

static void lives(struct fence_state *st, const json_t *list, bool dead)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		struct fence_node *n = fence_node_of(st, (uint32_t)number(o, "node"));

		n->life.nodeid = n->nodeid;
		if (incarnation_boot_parse(word(o, "boot", ""), n->life.boot_id) < 0)
			bad("boot: not a boot id");
		n->state = dead ? FENCE_NODE_DEAD : FENCE_NODE_MEMBER;
		if (dead) {
			n->proof.kind = PROOF_OFF_VERIFIED;
			n->proof.victim = n->life;
			n->proof.by = st->self.nodeid;
		}
	}
}

static enum driver_op op_of(const char *name)
{
	for (int op = DRIVER_PREPARE; op <= DRIVER_VOLUME_PREPARE; op++)
		if (strcmp(driver_op_name((enum driver_op)op), name) == 0)
			return (enum driver_op)op;
	bad("no such operation");
}

/* After many runs: what they did not give back. */
static void what_is_held(void)
{
	char line[256];
	FILE *f = popen(
		"ls /proc/$PPID/fd | wc -l; grep VmRSS /proc/$PPID/status; cut -d' ' -f14,15 /proc/$PPID/stat",
		"r");

	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "%s", line);
	if (f)
		pclose(f);
}

int main(void)
{
	static struct fence_state fence;
	json_error_t err;
	json_t *o = json_loadf(stdin, 0, &err);

	if (!o)
		bad(err.text);
	struct config *cfg = config_read(word(o, "config", CONFIG_PATH), stderr);

	if (!cfg)
		return 2;
	struct driver_job job = { .op = op_of(word(o, "op", "")),
				  .cfg = cfg,
				  .rundir = word(o, "rundir", STOCKADE_RUNDIR),
				  .limit_ms = (uint32_t)number(o, "limit_ms"),
				  .epoch = number(o, "epoch"),
				  .released = number(o, "released"),
				  .owner = (uint32_t)number(o, "owner"),
				  .fence = &fence };
	char boot[64];
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(boot, sizeof(boot), f))
		bad("no boot id");
	fclose(f);
	job.self.nodeid = (uint32_t)number(o, "node");
	job.self.join = 1;
	if (!nodeid_valid(job.self.nodeid) ||
	    incarnation_boot_parse(word(o, "boot", boot), job.self.boot_id) < 0)
		bad("node, boot: not an incarnation");
	fence.self = job.self;
	fence.quorate = fence.informed = true;
	for (unsigned i = 0; i < cfg->n_nodes; i++)
		fence.node[fence.n++] = (struct fence_node){ .nodeid = cfg->node[i].id };
	lives(&fence, json_object_get(o, "members"), false);
	lives(&fence, json_object_get(o, "dead"), true);

	const char *volume = word(o, "volume", NULL), *resource = word(o, "resource", NULL);

	for (unsigned i = 0; volume && i < cfg->n_volumes; i++)
		if (strcmp(cfg->volume[i].name, volume) == 0)
			job.vol = &cfg->volume[i];
	for (unsigned i = 0; resource && i < cfg->n_services; i++) {
		const struct config_service *s = &cfg->service[i];
		size_t len = strlen(s->name);

		if (strncmp(resource, s->name, len) == 0 && resource[len] == '/') {
			unsigned k = (unsigned)atoi(resource + len + 1);

			if (k >= s->n_resources)
				bad("no such resource");
			job.service = s->name;
			job.res = &s->resource[k];
			if (job.res->type == CONFIG_RES_VOLUME)
				job.vol = &cfg->volume[job.res->volume];
		}
	}
	if (!job.vol && !job.res)
		bad("no such volume or resource");
	mkdir(job.rundir, 0755);
	int r = driver_run(&job, STDOUT_FILENO);

	for (uint64_t i = number(o, "repeat"); i > 1 && r == 0; i--)
		r = driver_run(&job, STDOUT_FILENO);
	if (number(o, "repeat") > 1)
		what_is_held();

	config_free(cfg);
	json_decref(o);
	return r;
}
