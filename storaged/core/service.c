/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int service_node_index(const struct service_frame *f, uint32_t nodeid)
{
	for (unsigned i = 0; i < f->n_nodes; i++)
		if (f->nodeid[i] == nodeid)
			return (int)i;
	return -1;
}

int service_index(const struct service_frame *f, const char *name)
{
	for (unsigned s = 0; s < f->n_services; s++)
		if (strcmp(f->service[s].name, name) == 0)
			return (int)s;
	return -1;
}

const char *service_node_name(const struct service_frame *f, uint32_t nodeid)
{
	int i = service_node_index(f, nodeid);

	return i < 0 ? "?" : f->node_name[i];
}

void service_group_init(struct service_group *g, const struct service_frame *f)
{
	memset(g, 0, sizeof(*g));
	for (unsigned s = 0; s < f->n_services; s++)
		g->service[s].enabled = f->service[s].enabled;
}

/* Place in the domain's order: 0 is best; n_order: outside. */
static unsigned rank(const struct service_config *c, uint32_t nodeid)
{
	for (unsigned i = 0; i < c->n_order; i++)
		if (c->order[i] == nodeid)
			return i;
	return c->n_order;
}

bool service_allowed(const struct service_frame *f, unsigned s, uint32_t nodeid)
{
	const struct service_config *c = &f->service[s];

	assert(service_node_index(f, nodeid) >= 0);
	return c->n_order == 0 || !c->restricted || rank(c, nodeid) < c->n_order;
}

static unsigned load(const struct service_frame *f, const struct service_group *g, uint32_t nodeid)
{
	unsigned n = 0;

	for (unsigned s = 0; s < f->n_services; s++)
		if (g->service[s].node == nodeid)
			n++;
	return n;
}

static bool eligible(const struct service_frame *f, const struct service_group *g, unsigned s,
		     struct nodeset members, uint32_t nodeid)
{
	int i = service_node_index(f, nodeid);

	return i >= 0 && nodeset_has(members, nodeid) && service_allowed(f, s, nodeid) &&
	       !g->node[i].standby && !g->node[i].leaving &&
	       !nodeset_has(g->service[s].failed, nodeid) &&
	       !nodeset_has(g->service[s].blind, nodeid);
}

uint32_t service_choose(const struct service_frame *f, const struct service_group *g, unsigned s,
			struct nodeset members, uint32_t except)
{
	const struct service_config *c = &f->service[s];
	uint32_t best = 0;

	for (unsigned i = 0; i < f->n_nodes; i++) {
		uint32_t n = f->nodeid[i];

		if (n == except || !eligible(f, g, s, members, n))
			continue;
		if (best == 0) {
			best = n;
			continue;
		}
		bool out_n = c->n_order && rank(c, n) == c->n_order;
		bool out_b = c->n_order && rank(c, best) == c->n_order;

		if (out_n != out_b) {
			if (out_b)
				best = n;
		} else if (c->ordered && !out_n) {
			if (rank(c, n) < rank(c, best))
				best = n;
		} else {
			unsigned ln = load(f, g, n), lb = load(f, g, best);

			if (ln < lb || (ln == lb && rank(c, n) < rank(c, best)))
				best = n;
		}
	}
	return best;
}

static void end_move(struct service *v)
{
	v->target = 0;
	v->move = SERVICE_MOVE_NONE;
	v->move_ready = false;
}

static void begin_move(struct service *v, enum service_move move, uint32_t target)
{
	v->target = target;
	v->move = move;
	v->move_ready = false;
	v->moves++;
}

static uint32_t failback_to(const struct service_frame *f, const struct service_group *g,
			    unsigned s, struct nodeset members)
{
	const struct service_config *c = &f->service[s];
	const struct service *v = &g->service[s];
	uint32_t best = 0;

	if (!c->failback || c->n_order == 0)
		return 0;
	for (unsigned i = 0; i < c->n_order && best == 0; i++)
		if (eligible(f, g, s, members, c->order[i]))
			best = c->order[i];
	if (best == 0 || best == v->node)
		return 0;
	/* Unordered: only from outside the domain back into it. */
	if (!c->ordered && rank(c, v->node) < c->n_order)
		return 0;
	return rank(c, best) < rank(c, v->node) ? best : 0;
}

struct plan {
	const struct service_frame *f;
	struct service_group *g;
	struct nodeset members;
	bool agree;
	struct service_change *ret;
	unsigned n;
};

static void changed(struct plan *p, unsigned s, int what, uint32_t node, const char *reason)
{
	assert(p->n < 2 * SERVICES_MAX);
	p->ret[p->n].service = s;
	p->ret[p->n].what = what;
	p->ret[p->n].node = node;
	p->ret[p->n].reason = reason;
	p->n++;
	p->g->history++;
}

static void stop(struct plan *p, unsigned s, const char *reason)
{
	p->g->service[s].state = SERVICE_STOPPING;
	p->g->service[s].begun = false;
	changed(p, s, SERVICE_CHANGE_STOPPING, p->g->service[s].node, reason);
}

static void plan_up(struct plan *p, unsigned s)
{
	struct service *v = &p->g->service[s];
	int i = service_node_index(p->f, v->node);

	assert(i >= 0);
	if (!v->enabled) {
		stop(p, s, "disabled");
		return;
	}
	if (v->restart) {
		stop(p, s, "restart");
		return;
	}
	if (v->target && !eligible(p->f, p->g, s, p->members, v->target)) {
		uint32_t was = v->target;

		end_move(v);
		changed(p, s, SERVICE_CHANGE_NO_MOVE, was, "the target cannot take it");
	}
	if (!p->agree)
		return; /* a move would stop it, and nothing may be placed now */
	if ((p->g->node[i].standby || p->g->node[i].leaving) && !v->target) {
		uint32_t to = service_choose(p->f, p->g, s, p->members, v->node);

		if (to == 0 || v->state == SERVICE_STARTING) {
			stop(p, s, p->g->node[i].standby ? "standby" : "its node leaves");
			return;
		}
		begin_move(v, SERVICE_MOVE_STANDBY, to);
		changed(p, s, SERVICE_CHANGE_MOVE, to,
			p->g->node[i].standby ? "standby" : "its node leaves");
	}
	if (v->state == SERVICE_RUNNING && !v->target && nodeset_empty(v->stray)) {
		uint32_t to = failback_to(p->f, p->g, s, p->members);

		if (to) {
			begin_move(v, SERVICE_MOVE_FAILBACK, to);
			changed(p, s, SERVICE_CHANGE_MOVE, to, "failback");
		}
	}
	/* While somebody has the volume by hand it could start nowhere: it stays, unless its node goes. */
	if (v->target && (v->move_ready || v->state == SERVICE_STARTING) &&
	    (nodeset_empty(v->stray) || p->g->node[i].leaving))
		stop(p, s, "moves");
}

static const char *why_placed(const struct service *v, uint32_t to)
{
	if (v->lost)
		return "its node was lost";
	if (v->restart)
		return "restart";
	if (v->target == to)
		switch (v->move) {
		case SERVICE_MOVE_NONE: break;
		case SERVICE_MOVE_RELOCATE: return "relocate";
		case SERVICE_MOVE_FAILBACK: return "failback";
		case SERVICE_MOVE_STANDBY: return "its node is in standby or leaves";
		}
	if (!nodeset_empty(v->blind))
		return "its storage is lost elsewhere";
	return nodeset_empty(v->failed) ? "enabled" : "failed elsewhere";
}

static void plan_stopped(struct plan *p, unsigned s)
{
	struct service *v = &p->g->service[s];
	const char *reason;
	uint32_t to;

	if (!v->enabled || !p->agree || !nodeset_empty(v->held) || !nodeset_empty(v->stray))
		return;
	if (v->target && eligible(p->f, p->g, s, p->members, v->target))
		to = v->target;
	else
		to = service_choose(p->f, p->g, s, p->members, 0);
	if (to == 0)
		return;
	reason = why_placed(v, to);
	end_move(v);
	v->restart = false;
	v->begun = false;
	v->node = to;
	v->state = SERVICE_STARTING;
	v->starts++;
	v->looked = NODESET_EMPTY;
	for (unsigned i = 0; i < p->f->service[s].n; i++)
		if (p->f->service[s].is_volume[i])
			p->g->epoch[p->f->service[s].volume[i]]++;
	changed(p, s, SERVICE_CHANGE_PLACED, to, reason);
}

unsigned service_plan(const struct service_frame *f, struct service_group *g,
		      struct nodeset members, bool agree, struct service_change *ret)
{
	struct plan p = { .f = f, .g = g, .members = members, .agree = agree, .ret = ret };

	for (unsigned s = 0; s < f->n_services; s++) {
		struct service *v = &g->service[s];

		switch (v->state) {
		case SERVICE_STARTING:
		case SERVICE_RUNNING:
			if (nodeset_has(
				    members,
				    v->node)) /* else its storaged is away: a restart, or absent */
				plan_up(&p, s);
			break;
		case SERVICE_STOPPING: break; /* its node reports when it has let go */
		case SERVICE_STOPPED: plan_stopped(&p, s); break;
		}
	}
	return p.n;
}

static void set_failed(const struct service_frame *f, struct service *v, uint32_t node,
		       const char *why)
{
	int i = service_node_index(f, node);

	assert(i >= 0);
	nodeset_add(&v->failed, node);
	snprintf(v->failed_why[i], sizeof(v->failed_why[i]), "%s", why);
}

static void unplace(struct service *v)
{
	if (v->restart && v->target == 0)
		v->target = v->node;
	v->state = SERVICE_STOPPED;
	v->begun = false;
	v->node = 0;
}

/* Its node said that it holds nothing of it any more. */
static void let_go(const struct service_frame *f, struct service_group *g, unsigned s,
		   const struct service_fact *fact)
{
	for (unsigned i = 0; i < f->service[s].n; i++) {
		uint64_t *released = &g->released[f->service[s].volume[i]];

		if (f->service[s].is_volume[i] && fact->own[i] > *released)
			*released = fact->own[i];
	}
	unplace(&g->service[s]);
}

/* Return: true when the group changed. */
static bool apply_reach(struct service *v, uint32_t from, enum service_reach reach)
{
	struct nodeset was = v->reach, blind = v->blind;

	nodeset_del(&v->reach, from);
	nodeset_del(&v->blind, from);
	nodeset_del(&v->mute, from);
	switch (reach) {
	case SERVICE_REACH_UNKNOWN: break;
	case SERVICE_REACH_OK: nodeset_add(&v->reach, from); break;
	case SERVICE_REACH_LOST: nodeset_add(&v->blind, from); break;
	case SERVICE_REACH_UNTOLD: nodeset_add(&v->mute, from); break;
	}
	return !nodeset_equal(was, v->reach) || !nodeset_equal(blind, v->blind);
}

bool service_apply(const struct service_frame *f, struct service_group *g, unsigned s,
		   uint32_t from, const struct service_fact *fact)
{
	struct service *v = &g->service[s];
	struct nodeset held = v->held;
	bool change = false, seen = apply_reach(v, from, fact->reach);

	if (fact->fact == RUNNER_STOPPED)
		nodeset_del(&v->held, from);
	else
		nodeset_add(&v->held, from);
	change = seen || !nodeset_equal(held, v->held);
	for (unsigned i = 0; i < f->service[s].n; i++) {
		uint64_t *known = &g->epoch[f->service[s].volume[i]];

		if (f->service[s].is_volume[i] && fact->epoch[i] > *known) {
			*known = fact->epoch[i];
			change = true;
		}
	}
	if (v->node != from || fact->starts != v->starts)
		goto out; /* it speaks of another placement: `held` is all that counts */
	switch (fact->fact) {
	case RUNNER_WAITING: /* stopped whole, to be started again: that is a start, and waits for every look */
		if (v->state == SERVICE_RUNNING) {
			v->state = SERVICE_STARTING;
			v->begun = false;
			change = true;
		}
		break;
	case RUNNER_STARTING:
		if (v->state == SERVICE_RUNNING || (v->state == SERVICE_STARTING && !v->begun)) {
			v->state = SERVICE_STARTING;
			v->begun = true;
			change = true;
		}
		break;
	case RUNNER_RUNNING:
		if (v->state == SERVICE_STARTING) {
			v->state = SERVICE_RUNNING;
			v->begun = true;
			change = true;
		}
		if (v->lost || nodeset_has(v->failed, from)) {
			v->lost = 0;
			nodeset_del(&v->failed, from);
			change = true;
		}
		break;
	case RUNNER_STOPPING:
	case RUNNER_STUCK:
		if (fact->failed && !nodeset_has(v->failed, from)) {
			set_failed(f, v, from, fact->why);
			change = true;
		}
		if (v->state != SERVICE_STOPPING) {
			v->state = SERVICE_STOPPING;
			v->begun = false;
			change = true;
		}
		break;
	case RUNNER_STOPPED:
		if (fact->failed)
			set_failed(f, v, from, fact->why);
		let_go(f, g, s, fact);
		change = true;
		break;
	}
out:
	if (change)
		g->history++;
	return change;
}

/* What @n, whose placement the adopted group knows, says of it now. */
static void settle_placed(const struct service_frame *f, struct service_group *g, unsigned s,
			  const struct service_claim *c)
{
	struct service *v = &g->service[s];
	const struct service_fact *fact = &c->fact[s];

	if (fact->starts == v->starts) {
		service_apply(f, g, s, c->nodeid, fact);
	} else if (fact->fact == RUNNER_STOPPED) {
		let_go(f, g, s, fact); /* it never heard of the placement */
	} else if (v->state != SERVICE_STOPPING) {
		v->state = SERVICE_STARTING; /* it has to let go of the older placement first */
		v->begun = false;
	}
}

/* Nobody is known to have it, yet @c holds it by a placement not older than any we know: believe it. */
static void settle_found(struct service *v, const struct service_claim *c,
			 const struct service_fact *fact)
{
	v->node = c->nodeid;
	v->starts = fact->starts;
	v->lost = 0;
	v->begun = true;
	switch (fact->fact) {
	case RUNNER_STOPPED:
	case RUNNER_WAITING:
		v->state = SERVICE_STARTING;
		v->begun = false;
		break;
	case RUNNER_STARTING: v->state = SERVICE_STARTING; break;
	case RUNNER_RUNNING: v->state = SERVICE_RUNNING; break;
	case RUNNER_STOPPING:
	case RUNNER_STUCK:
		v->state = SERVICE_STOPPING;
		v->begun = false;
		break;
	}
}

/* Its owner is gone, and wherever else it may run it failed earlier: that is better tried again now than left alone until the
 * failures are forgotten (vm `cuts`: 38 s without service). Once for each loss; who is not to blame goes first. */
static void try_anew(const struct service_frame *f, struct service_group *g, unsigned s,
		     const struct service_claim *claim, unsigned n)
{
	struct nodeset members = NODESET_EMPTY;

	for (unsigned k = 0; k < n; k++)
		nodeset_add(&members, claim[k].nodeid);
	if (service_choose(f, g, s, members, 0) == 0)
		g->service[s].failed = NODESET_EMPTY;
}

void service_settle(const struct service_frame *f, struct service_group *g, struct nodeset nodes,
		    const struct service_claim *claim, unsigned n, uint64_t *ret_lost)
{
	*ret_lost = 0;
	for (unsigned s = 0; s < f->n_services; s++) {
		struct service *v = &g->service[s];
		const struct service_claim *owner = NULL, *found = NULL;

		v->held = v->stray = v->looked = NODESET_EMPTY; /* each says so anew */
		v->reach = v->blind = v->mute = NODESET_EMPTY;
		for (unsigned k = 0; k < n; k++) {
			const struct service_fact *fact = &claim[k].fact[s];

			apply_reach(v, claim[k].nodeid, fact->reach);
			for (unsigned i = 0; i < f->service[s].n; i++) {
				uint64_t *known = &g->epoch[f->service[s].volume[i]];

				if (f->service[s].is_volume[i] && fact->epoch[i] > *known)
					*known = fact->epoch[i];
			}
			if (claim[k].nodeid == v->node)
				owner = &claim[k];
			if (fact->fact == RUNNER_STOPPED)
				continue;
			nodeset_add(&v->held, claim[k].nodeid);
			if (fact->starts && fact->starts >= v->starts &&
			    (!found || fact->starts > found->fact[s].starts))
				found = &claim[k];
		}
		if (owner) {
			settle_placed(f, g, s, owner);
		} else if (v->node) {
			int i = service_node_index(f, v->node);

			assert(i >= 0);
			if (g->node[i].clean) {
				unplace(v); /* what it released it told when it stopped */
			} else if (!nodeset_has(nodes, v->node)) {
				v->lost = v->node;
				v->restart = false;
				unplace(v);
				try_anew(f, g, s, claim, n);
				*ret_lost |= UINT64_C(1) << s;
			} /* else: its node lives, its storaged is away for a while */
		}
		if (v->node == 0 && found)
			settle_found(v, found, &found->fact[s]);
	}
}

bool service_looked(struct service_group *g, unsigned s, uint32_t from, bool stray, uint64_t starts)
{
	struct service *v = &g->service[s];
	struct nodeset was = v->stray, looked = v->looked;

	if (stray) {
		nodeset_add(&v->stray, from);
		nodeset_del(&v->looked, from);
	} else {
		nodeset_del(&v->stray, from);
		if (starts && starts == v->starts)
			nodeset_add(&v->looked, from);
	}
	if (nodeset_equal(was, v->stray) && nodeset_equal(looked, v->looked))
		return false;
	g->history++;
	return true;
}

bool service_has_volume(const struct service_frame *f, unsigned s)
{
	for (unsigned i = 0; i < f->service[s].n; i++)
		if (f->service[s].is_volume[i])
			return true;
	return false;
}

bool service_prepared(const struct service_frame *f, struct service_group *g, unsigned s,
		      uint32_t from, uint64_t move, bool ok, const char *why)
{
	struct service *v = &g->service[s];

	if (v->move == SERVICE_MOVE_NONE || v->moves != move || v->target != from || v->move_ready)
		return false;
	if (ok)
		v->move_ready = true;
	else {
		set_failed(f, v, from, why);
		end_move(v);
	}
	g->history++;
	return true;
}

/* Could an operator send service @s to @node? @text says why not. */
static bool may_go(const struct service_frame *f, const struct service_group *g,
		   struct nodeset members, unsigned s, uint32_t node, char *text, size_t len)
{
	const char *name = f->service[s].name, *to = service_node_name(f, node);
	int i = service_node_index(f, node);

	if (i < 0)
		snprintf(text, len, "there is no node with id %u in the configuration", node);
	else if (!service_allowed(f, s, node))
		snprintf(text, len, "the restricted domain of %s does not contain %s", name, to);
	else if (!nodeset_has(members, node))
		snprintf(text, len, "storaged does not run on %s", to);
	else if (g->node[i].standby)
		snprintf(text, len, "%s is in standby", to);
	else if (g->node[i].leaving)
		snprintf(text, len, "storaged on %s is stopping", to);
	else if (nodeset_has(g->service[s].blind, node))
		snprintf(text, len, "%s does not reach the storage of %s", to, name);
	else
		return true;
	return false;
}

static int command_relocate(const struct service_frame *f, struct service_group *g,
			    struct nodeset members, unsigned s, uint32_t node, char *text,
			    size_t len)
{
	struct service *v = &g->service[s];
	const char *name = f->service[s].name;
	struct nodeset failed = v->failed;

	if (!v->enabled) {
		snprintf(text, len, "%s is disabled: enable it first", name);
		return -EPERM;
	}
	if (node && !may_go(f, g, members, s, node, text, len))
		return -EPERM;
	if (node && node == v->node) {
		snprintf(text, len, "%s is on %s already", name, service_node_name(f, node));
		return -EPERM;
	}
	if (node) {
		nodeset_del(&v->failed, node); /* the operator wants it tried again */
	} else {
		v->failed = NODESET_EMPTY;
		node = service_choose(f, g, s, members, v->node);
		if (node == 0) {
			v->failed = failed;
			snprintf(text, len, "no other node can take %s", name);
			return -EPERM;
		}
	}
	begin_move(v, SERVICE_MOVE_RELOCATE, node);
	snprintf(text, len, "%s moves to %s", name, service_node_name(f, node));
	return 0;
}

int service_command(const struct service_frame *f, struct service_group *g, struct nodeset members,
		    enum service_cmd cmd, unsigned s, uint32_t node, char *text, size_t len)
{
	bool of_node = cmd == SERVICE_CMD_STANDBY || cmd == SERVICE_CMD_UNSTANDBY;
	struct service *v = &g->service[of_node ? 0 : s];
	const char *name = f->service[of_node ? 0 : s].name;
	int i = service_node_index(f, node), r = 0;

	switch (cmd) {
	case SERVICE_CMD_ENABLE:
		if (node && !may_go(f, g, members, s, node, text, len))
			return -EPERM;
		v->failed = NODESET_EMPTY;
		if (!v->enabled)
			g->intent++;
		v->enabled = true;
		if (node && node != v->node)
			begin_move(v, SERVICE_MOVE_RELOCATE, node);
		snprintf(text, len, "%s is enabled", name);
		break;
	case SERVICE_CMD_DISABLE:
		if (v->enabled)
			g->intent++;
		v->enabled = false;
		v->restart = false;
		end_move(v);
		snprintf(text, len, "%s is disabled", name);
		break;
	case SERVICE_CMD_RELOCATE: r = command_relocate(f, g, members, s, node, text, len); break;
	case SERVICE_CMD_RESTART:
		if (!v->enabled) {
			snprintf(text, len, "%s is disabled: enable it instead", name);
			return -EPERM;
		}
		v->failed = NODESET_EMPTY;
		v->restart = v->node != 0;
		end_move(v);
		snprintf(text, len, "%s restarts", name);
		break;
	case SERVICE_CMD_CLEAR:
		v->failed = NODESET_EMPTY;
		snprintf(text, len, "%s may be tried on every node again", name);
		break;
	case SERVICE_CMD_STANDBY:
	case SERVICE_CMD_UNSTANDBY:
		if (i < 0) {
			snprintf(text, len, "there is no node with id %u in the configuration",
				 node);
			return -ENOENT;
		}
		if (g->node[i].standby != (cmd == SERVICE_CMD_STANDBY))
			g->intent++;
		g->node[i].standby = cmd == SERVICE_CMD_STANDBY;
		snprintf(text, len, "%s is %s standby", f->node_name[i],
			 cmd == SERVICE_CMD_STANDBY ? "in" : "no longer in");
		break;
	}
	if (r == 0)
		g->history++;
	return r;
}

const char *service_group_broken(const struct service_frame *f, const struct service_group *g)
{
	for (unsigned s = 0; s < f->n_services; s++) {
		const struct service *v = &g->service[s];

		if ((v->state == SERVICE_STOPPED) != (v->node == 0))
			return "STORE-1";
		if (v->node && service_node_index(f, v->node) < 0)
			return "STORE-1";
		if (v->move != SERVICE_MOVE_NONE && v->target == 0)
			return "STORE-2";
		if (v->state != SERVICE_STOPPED && v->starts == 0)
			return "STORE-3";
	}
	return NULL;
}

const char *service_state_name(enum service_state st)
{
	switch (st) {
	case SERVICE_STOPPED: return "stopped";
	case SERVICE_STARTING: return "starting";
	case SERVICE_RUNNING: return "running";
	case SERVICE_STOPPING: return "stopping";
	}
	return "?";
}

const char *service_cmd_name(enum service_cmd cmd)
{
	switch (cmd) {
	case SERVICE_CMD_ENABLE: return "enable";
	case SERVICE_CMD_DISABLE: return "disable";
	case SERVICE_CMD_RELOCATE: return "relocate";
	case SERVICE_CMD_RESTART: return "restart";
	case SERVICE_CMD_STANDBY: return "standby";
	case SERVICE_CMD_UNSTANDBY: return "unstandby";
	case SERVICE_CMD_CLEAR: return "clear";
	}
	return "?";
}
