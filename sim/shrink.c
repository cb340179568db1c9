/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shrink.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PLAYS_MAX 3000

struct job {
	struct plan best, next;
	char rule[24];
	unsigned plays;
};

static bool still(struct job *j)
{
	if (j->plays++ >= PLAYS_MAX)
		return false;
	struct world *w = play(&j->next, false, NULL);
	bool same = w->failed && strcmp(w->rule, j->rule) == 0;

	if (!w->aborted)
		world_free(w);
	if (same)
		j->best = j->next;
	return same;
}

/* Without the acts first..first+n-1. */
static bool without(struct job *j, unsigned first, unsigned n)
{
	j->next = j->best;
	memmove(&j->next.act[first], &j->next.act[first + n],
		(j->best.n - first - n) * sizeof(j->next.act[0]));
	j->next.n -= n;
	return still(j);
}

static bool fewer_acts(struct job *j)
{
	bool any = false;

	for (unsigned n = j->best.n / 2 ? j->best.n / 2 : 1; n; n /= 2)
		for (unsigned at = 0; at + n <= j->best.n;)
			if (without(j, at, n))
				any = true;
			else
				at += n;
	return any;
}

static bool names_node(const struct act *a, unsigned node)
{
	bool by_arg = a->kind == ACT_STANDBY || a->kind == ACT_UNSTANDBY ||
		      a->kind == ACT_ACK_WRONG || a->kind == ACT_ACK_TRY ||
		      a->kind == ACT_REQUEST || a->kind == ACT_DRILL;

	return a->node == node || (by_arg && a->arg == node) ||
	       (a->kind == ACT_RELOCATE && a->arg2 == node);
}

static bool one_node_less(struct job *j)
{
	unsigned last = j->best.nodes, n = 0;

	if (last <= 2)
		return false;
	j->next = j->best;
	j->next.nodes--;
	for (unsigned i = 0; i < j->best.n; i++)
		if (!names_node(&j->best.act[i], last))
			j->next.act[n++] = j->best.act[i];
	j->next.n = n;
	for (unsigned s = 0; s < j->next.n_services; s++) {
		struct plan_service *c = &j->next.service[s];
		unsigned k = 0;

		for (unsigned i = 0; i < c->n_order; i++)
			if (c->order[i] != last)
				c->order[k++] = c->order[i];
		c->n_order = k;
		c->restricted = c->restricted && k;
	}
	return still(j);
}

static bool simpler(struct job *j)
{
	bool any = false;

	while (j->best.n_services > 1) {
		j->next = j->best;
		j->next.n_services--;
		if (!still(j))
			break;
		any = true;
	}
	while (j->best.clients) {
		j->next = j->best;
		j->next.clients--;
		if (!still(j))
			break;
		any = true;
	}
#define X(name)                        \
	if (j->best.name) {            \
		j->next = j->best;     \
		j->next.name = 0;      \
		any = still(j) || any; \
	}
	PLAN_RATES(X)
#undef X
	return any;
}

static bool shorter(struct job *j)
{
	bool any = false;

	for (unsigned i = 0; i < j->best.n; i++)
		while (j->best.act[i].for_ms > 200) {
			j->next = j->best;
			j->next.act[i].for_ms /= 2;
			if (!still(j))
				break;
			any = true;
		}
	return any;
}

bool plan_keep(const struct plan *plan, char ret_path[SHRINK_PATH])
{
	snprintf(ret_path, SHRINK_PATH, "/tmp/stockade-sim.XXXXXX.plan");
	int fd = mkstemps(ret_path, 5);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f)
		return false;
	plan_print(plan, f);
	return fclose(f) == 0;
}

void shrink(const struct plan *plan, const char *rule)
{
	static struct job j;
	char path[SHRINK_PATH];
	unsigned acts = plan->n, nodes = plan->nodes;
	bool any = true;

	memset(&j, 0, sizeof(j));
	j.best = *plan;
	snprintf(j.rule, sizeof(j.rule), "%s", rule);
	while (any && j.plays < PLAYS_MAX) {
		any = fewer_acts(&j);
		while (one_node_less(&j))
			any = true;
		any = simpler(&j) || any;
		any = shorter(&j) || any;
	}
	printf("shrunk in %u plays: %u acts to %u, %u nodes to %u\n", j.plays, acts, j.best.n,
	       nodes, j.best.nodes);
	plan_print(&j.best, stdout);
	if (plan_keep(&j.best, path))
		printf("again: build/sim/sim --plan %s -v\n", path);
}
