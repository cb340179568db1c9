/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET_NODES_MAX 17 /* by nodeid */
#define HOPS_MAX 1024
#define SEQ_STEP 4 /* ring ids go up by this; the first is it */

struct entry {
	uint64_t at_ms;
	uint32_t from; /* 0: the group changed */
	uint64_t
		stamp; /* the sender's view: ring and group, as lib/shell/cluster.h sends it along */
	uint32_t only; /* delivered to this node alone (zombie 1); 0: to all */
	struct nodeset members;
	uint32_t pgen[NET_NODES_MAX]; /* group change: which process of each member */
	size_t len;
	uint8_t *data;
};

struct log {
	struct entry *e;
	unsigned n, cap;
};

struct ring {
	uint64_t seq;
	struct nodeset members;
	uint32_t gen[NET_NODES_MAX]; /* which life of each member */
	uint32_t holder;
	bool quorate;
	bool doomed; /* somebody delivered to itself alone: this ring cannot go on */
	bool stale;  /* one part of it kept to it for seconds; that happens once */
	struct log log[NET_GROUPS_MAX];
	struct log stuck
		[NET_GROUPS_MAX]; /* sent while it was broken: ordered if it goes on, else lost */
	unsigned cut
		[NET_GROUPS_MAX]; /* while the next ring is made: how far its members take this one */
};

struct hop {          /* a hung process takes all this later, in order */
	unsigned cut; /* of the ring before */
	int ring;
};

struct proc { /* one node's process in one group */
	bool on, hung;
	uint32_t gen;
	int ring; /* index of the ring its view is of; -1: none yet */
	unsigned cursor;
	uint64_t next_ms;
	bool has_view;
	uint64_t stamp;       /* of its view */
	struct net_view view; /* as told last */
	uint32_t pgen[NET_NODES_MAX], ngen[NET_NODES_MAX];
	unsigned n_hops;
	struct hop hop[HOPS_MAX];
	uint64_t requorum_ms; /* tell the view again, now with its quorum; 0: no */
	uint32_t clean_gen;   /* this one said goodbye */
};

struct node {
	bool up, frozen, seen_all;
	uint32_t gen;
	unsigned island;
	int ring;
	uint64_t gone_ms; /* when it was frozen, cut off or lost its power last */
	uint64_t thaw_ms; /* before this it is left alone by the others after a thaw */
	uint32_t slow_ms; /* what reaches it does so up to this late */
	struct proc proc[NET_GROUPS_MAX];
};

struct net {
	struct net_config cfg;
	struct prng *prng;
	struct net_ops ops;
	void *arg;
	struct node node[NET_NODES_MAX];
	struct ring *ring;
	unsigned n_rings, cap_rings;
	uint64_t seq;
	uint64_t reform_ms; /* UINT64_MAX: no need */
};

struct net *net_new(const struct net_config *cfg, struct prng *prng, const struct net_ops *ops,
		    void *arg)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		abort();
	net->cfg = *cfg;
	net->prng = prng;
	net->ops = *ops;
	net->arg = arg;
	net->reform_ms = UINT64_MAX;
	for (unsigned i = 1; i <= cfg->n_nodes; i++) {
		net->node[i].ring = -1;
		for (unsigned g = 0; g < cfg->n_groups; g++)
			net->node[i].proc[g].ring = -1;
	}
	return net;
}

struct net *net_free(struct net *net)
{
	for (unsigned i = 0; net && i < net->n_rings; i++)
		for (unsigned g = 0; g < NET_GROUPS_MAX; g++) {
			struct log *logs[] = { &net->ring[i].log[g], &net->ring[i].stuck[g] };

			for (unsigned j = 0; j < 2; j++) {
				for (unsigned k = 0; k < logs[j]->n; k++)
					free(logs[j]->e[k].data);
				free(logs[j]->e);
			}
		}
	if (net)
		free(net->ring);
	free(net);
	return NULL;
}

static struct entry *append(struct log *l)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->e = realloc(l->e, l->cap * sizeof(*l->e));
		if (!l->e)
			abort();
	}
	memset(&l->e[l->n], 0, sizeof(l->e[l->n]));
	return &l->e[l->n++];
}

/* Can the token go round? */
static bool intact(const struct net *net, const struct ring *r)
{
	uint32_t first = nodeset_lowest(r->members);

	if (r->doomed)
		return false;
	nodeset_for_each (id, r->members) {
		const struct node *n = &net->node[id];

		if (!n->up || n->frozen || n->gen != r->gen[id] ||
		    n->island != net->node[first].island || n->ring != (int)(r - net->ring))
			return false;
	}
	return true;
}

static void disturb(struct net *net, uint64_t now_ms, uint32_t after_ms)
{
	uint64_t at = now_ms + after_ms;

	if (at < net->reform_ms)
		net->reform_ms = at;
}

static uint32_t detect_ms(struct net *net)
{
	return net->cfg.token_ms * prng_range(net->prng, 205, 225) / 100;
}

void net_up(struct net *net, uint32_t node, bool up, uint64_t now_ms)
{
	struct node *n = &net->node[node];

	if (n->up == up)
		return;
	n->up = up;
	n->gone_ms = now_ms;
	n->frozen = false;
	n->seen_all = false;
	n->ring = -1;
	if (up)
		n->gen++;
	for (unsigned g = 0; g < net->cfg.n_groups; g++) {
		n->proc[g].on = false;
		n->proc[g].ring = -1;
	}
	disturb(net, now_ms, up ? prng_range(net->prng, 50, 400) : detect_ms(net));
}

void net_freeze(struct net *net, uint32_t node, bool frozen, uint64_t now_ms)
{
	struct node *n = &net->node[node];

	if (!n->up || n->frozen == frozen)
		return;
	n->frozen = frozen;
	if (frozen)
		n->gone_ms = now_ms;
	n->thaw_ms = now_ms + prng_range(net->prng, 300, 900);
	disturb(net, now_ms, frozen ? detect_ms(net) : (uint32_t)(n->thaw_ms - now_ms));
}

void net_island(struct net *net, uint32_t node, unsigned island, uint64_t now_ms)
{
	if (net->node[node].island == island)
		return;
	net->node[node].island = island;
	net->node[node].gone_ms = now_ms;
	disturb(net, now_ms, detect_ms(net));
}

/* The ring was whole again before anybody noticed: what waited is ordered now,
 * before anything that is said from here on. */
static void unstick(struct net *net, struct ring *r, uint64_t now_ms)
{
	for (unsigned g = 0; g < net->cfg.n_groups; g++) {
		for (unsigned i = 0; i < r->stuck[g].n; i++) {
			struct entry *e = append(&r->log[g]);

			*e = r->stuck[g].e[i];
			e->only = 0;
			e->at_ms = now_ms;
		}
		r->stuck[g].n = 0;
	}
}

/* The group changed within a ring: that is an entry in its order. In a broken ring the next one will tell. */
static void group_entry(struct net *net, unsigned group, int ring, uint64_t now_ms)
{
	struct ring *r = &net->ring[ring];
	bool first = r->log[group].n == 0; /* of a new ring: everybody is about to enter it */
	if (intact(net, r))
		unstick(net, r, now_ms);
	struct entry *e = append(&r->log[group]);

	e->at_ms = now_ms;
	nodeset_for_each (id, r->members) {
		const struct node *n = &net->node[id];
		/* started while the ring was broken: it enters, and is told of, with the next reform */
		bool outside = !first && n->proc[group].ring < 0;

		if (n->up && n->gen == r->gen[id] && n->proc[group].on && !outside) {
			nodeset_add(&e->members, id);
			e->pgen[id] = n->proc[group].gen;
		}
	}
}

void net_start(struct net *net, unsigned group, uint32_t node, uint64_t now_ms)
{
	struct node *n = &net->node[node];
	struct proc *p = &n->proc[group];

	assert(n->up && !p->on);
	uint32_t gen = p->gen, clean = p->clean_gen;

	memset(p, 0, sizeof(*p));
	p->on = true;
	p->gen = gen + 1;
	p->clean_gen = clean;
	p->ring = -1;
	if (n->ring >= 0 && intact(net, &net->ring[n->ring])) {
		unstick(net, &net->ring[n->ring],
			now_ms); /* it hears nothing from before it came */
		p->ring = n->ring;
		p->cursor = net->ring[n->ring].log[group].n;
		p->next_ms = now_ms + prng_range(net->prng, 0, 3);
		group_entry(net, group, n->ring, now_ms);
	} else {
		disturb(net, now_ms, detect_ms(net));
	}
}

void net_stop(struct net *net, unsigned group, uint32_t node, bool clean, uint64_t now_ms)
{
	struct node *n = &net->node[node];

	if (!n->proc[group].on)
		return;
	if (clean)
		n->proc[group].clean_gen = n->proc[group].gen;
	n->proc[group].on = false;
	n->proc[group].ring = -1;
	if (n->up && n->ring >= 0 && intact(net, &net->ring[n->ring]))
		group_entry(net, group, n->ring, now_ms);
}

void net_hang(struct net *net, unsigned group, uint32_t node, bool hung)
{
	net->node[node].proc[group].hung = hung;
}

void net_calm(struct net *net)
{
	net->cfg.late_quorum_permille = 0;
}

void net_storm(struct net *net, uint32_t node, uint64_t now_ms)
{
	const struct node *n = &net->node[node];

	if (!n->up || n->ring < 0)
		return;
	net->ring[n->ring].doomed = true;
	disturb(net, now_ms, prng_range(net->prng, 20, net->cfg.token_ms));
}

void net_hurry(struct net *net, uint32_t node, bool again, uint64_t now_ms)
{
	struct node *n = &net->node[node];

	if (!n->up || n->frozen || n->ring < 0)
		return;
	struct ring *r = &net->ring[n->ring];

	if (intact(net, r)) /* all are there: a ring of the same */
		r->doomed = true;
	else if (!again)
		return; /* the silent ones still have their time */
	disturb(net, now_ms, prng_range(net->prng, 2, 40));
}

void net_slow(struct net *net, uint32_t node, uint32_t late_ms)
{
	net->node[node].slow_ms = late_ms;
}

void net_send(struct net *net, unsigned group, uint32_t node, const void *data, size_t len,
	      uint64_t now_ms)
{
	struct node *n = &net->node[node];

	if (!n->up || n->proc[group].ring < 0 || !n->proc[group].has_view)
		return;
	struct ring *r = &net->ring[n->proc[group].ring];
	bool whole = n->ring == n->proc[group].ring && intact(net, r);
	bool stuck = !whole && r->holder != node;

	if (!whole && !stuck && !r->doomed) {
		r->doomed = true;
		disturb(net, now_ms, detect_ms(net));
	}
	if (whole)
		unstick(net, r, now_ms);
	struct entry *e = append(stuck ? &r->stuck[group] : &r->log[group]);

	e->at_ms = now_ms + prng_range(net->prng, 0, 2);
	e->from = node;
	e->stamp = n->proc[group].stamp;
	e->only = whole ? 0 : node;
	e->data = malloc(len ? len : 1);
	if (!e->data)
		abort();
	memcpy(e->data, data, len);
	e->len = len;
}

static bool ring_has_quorum(struct net *net, struct ring *r)
{
	unsigned n = nodeset_count(r->members);
	bool seen = n == net->cfg.n_nodes;

	nodeset_for_each (id, r->members)
		seen = seen || net->node[id].seen_all;
	if (net->cfg.two_node && !seen)
		return false;
	if (seen)
		nodeset_for_each (id, r->members)
			net->node[id].seen_all = true;
	return net->cfg.two_node || 2 * n > net->cfg.n_nodes;
}

static void tell_view(struct net *net, unsigned group, uint32_t node, const struct entry *e,
		      bool quorate)
{
	struct proc *p = &net->node[node].proc[group];
	struct ring *r = &net->ring[p->ring];
	struct net_view v = { .id = { r->seq, nodeset_lowest(r->members) },
			      .quorate = quorate,
			      .two_node = net->cfg.two_node,
			      .nodes = r->members,
			      .members = e->members };

	nodeset_for_each (id, nodeset_or(p->view.nodes, v.nodes)) {
		bool was = p->has_view && nodeset_has(p->view.nodes, id);
		bool is = nodeset_has(v.nodes, id);
		bool was_m = p->has_view && nodeset_has(p->view.members, id);
		bool is_m = nodeset_has(v.members, id);
		bool new_life = was && is && p->ngen[id] != r->gen[id];
		bool new_proc = was_m && is_m && p->pgen[id] != e->pgen[id];

		if (was && (!is || new_life))
			nodeset_add(&v.left_nodedown, id);
		else if (was_m && (!is_m || new_proc))
			nodeset_add(p->pgen[id] == net->node[id].proc[group].clean_gen
					    ? &v.left_clean
					    : &v.left_proc,
				    id);
		if (is_m && (!was_m || new_life || new_proc))
			nodeset_add(&v.joined, id);
		p->ngen[id] = r->gen[id];
		p->pgen[id] = e->pgen[id];
	}
	p->view = v;
	p->has_view = true;
	p->stamp = r->seq;
	nodeset_for_each (id, v.members)
		p->stamp = (p->stamp ^ ((uint64_t)id << 32 | p->pgen[id])) *
			   UINT64_C(0x9e3779b97f4a7c15);
	net->ops.view(net->arg, group, node, &v);
}

/* The ring that a process will be in when it has taken everything. */
static int last_ring(const struct proc *p)
{
	return p->n_hops ? p->hop[p->n_hops - 1].ring : p->ring;
}

/* Hand the next entry of its ring to a process. */
static void advance(struct net *net, unsigned group, uint32_t node, uint64_t now_ms)
{
	struct proc *p = &net->node[node].proc[group];

	if (p->n_hops && p->cursor >= p->hop[0].cut) {
		p->ring = p->hop[0].ring;
		p->cursor = 0;
		memmove(p->hop, p->hop + 1, --p->n_hops * sizeof(p->hop[0]));
		return;
	}
	unsigned index = p->cursor++;
	int ring = p->ring;
	struct entry *e = &net->ring[ring].log[group].e[index];

	if (e->only && e->only != node)
		return;
	if (e->from == 0) {
		if (!nodeset_has(e->members, node) || e->pgen[node] != p->gen)
			return; /* of its predecessor */
		bool known = p->has_view && p->view.id.seq == net->ring[ring].seq;
		/* once it is told, it is known for the whole ring; until then it is late for every change of the group */
		bool late = net->ring[ring].quorate && !(known && p->view.quorate) &&
			    ((known && p->requorum_ms) ||
			     prng_permille(net->prng, net->cfg.late_quorum_permille));
		struct entry copy = *e;

		if (!late)
			p->requorum_ms = 0;
		else if (!p->requorum_ms)
			p->requorum_ms = now_ms + prng_range(net->prng, 1, 60);
		tell_view(net, group, node, &copy, net->ring[ring].quorate && !late);
	} else if (e->stamp == p->stamp && p->has_view) { /* one of another view is dropped there */
		struct entry copy = *e;

		net->ops.deliver(net->arg, group, node, copy.from, copy.data, copy.len,
				 net->ring[ring].seq << 24 | index);
	}
}

/* The members that leave an old ring together first deliver the same of it. */
static void flush_old(struct net *net, unsigned group, struct nodeset to, uint64_t now_ms)
{
	nodeset_for_each (a, to) {
		struct proc *pa = &net->node[a].proc[group];

		if (!pa->on || pa->ring < 0)
			continue;
		int ring = last_ring(pa);
		unsigned cut = 0, end = net->ring[ring].log[group].n;

		nodeset_for_each (b, to) {
			struct proc *pb = &net->node[b].proc[group];

			if (!pb->on || pb->ring != ring)
				continue;
			if (pb->cursor > cut)
				cut = pb->cursor;
			/* A process that hangs has in its pipe what its corosync has had for long. Of the rings after this one it may
			 * get any part, down to nothing: less than corosync keeps for it, and no rule shall count on more. */
			while (pb->hung && cut < end &&
			       net->ring[ring].log[group].e[cut].at_ms <= now_ms)
				cut++;
		}
		if (end > cut)
			cut = prng_range(net->prng, cut, end);
		net->ring[ring].cut[group] = cut;
		nodeset_for_each (b, to) {
			struct proc *pb = &net->node[b].proc[group];

			while (pb->on && !pb->hung && pb->n_hops == 0 && pb->ring == ring &&
			       pb->cursor < cut)
				advance(net, group, b, now_ms);
		}
	}
}

static struct nodeset component(const struct net *net, uint32_t of)
{
	struct nodeset s = NODESET_EMPTY;

	for (uint32_t id = 1; id <= net->cfg.n_nodes; id++) {
		const struct node *n = &net->node[id];

		if (n->up && !n->frozen && n->island == net->node[of].island)
			nodeset_add(&s, id);
	}
	return s;
}

static void new_ring(struct net *net, struct nodeset to, uint64_t now_ms)
{
	for (unsigned g = 0; g < net->cfg.n_groups; g++)
		flush_old(net, g, to, now_ms);
	nodeset_for_each (id, to)
		if (!net->node[id].up)
			return; /* what they heard last ended one: again */
	if (net->n_rings == net->cap_rings) {
		net->cap_rings = net->cap_rings ? 2 * net->cap_rings : 64;
		net->ring = realloc(net->ring, net->cap_rings * sizeof(*net->ring));
		if (!net->ring)
			abort();
	}
	int index = (int)net->n_rings++;
	struct ring *r = &net->ring[index];

	memset(r, 0, sizeof(*r));
	net->seq += SEQ_STEP;
	r->seq = net->seq;
	r->members = to;
	nodeset_for_each (id, to) {
		r->gen[id] = net->node[id].gen;
		net->node[id].ring = index;
		if (r->holder == 0 || prng_permille(net->prng, 400))
			r->holder = id;
	}
	r->quorate = ring_has_quorum(net, r);
	for (unsigned g = 0; g < net->cfg.n_groups; g++) {
		group_entry(net, g, index, now_ms);
		nodeset_for_each (id, to) {
			struct proc *p = &net->node[id].proc[g];

			if (!p->on)
				continue;
			p->requorum_ms = 0;
			if (p->ring >= 0 && (p->hung || p->n_hops)) {
				if (p->n_hops == HOPS_MAX)
					abort();
				unsigned cut = net->ring[last_ring(p)].cut[g];

				p->hop[p->n_hops++] = (struct hop){ cut, index };
				continue;
			}
			p->ring = index;
			p->cursor = 0;
			p->next_ms = now_ms + prng_range(net->prng, 0, 5);
		}
	}
}

static void reform(struct net *net, uint64_t now_ms)
{
	struct nodeset done = NODESET_EMPTY;

	net->reform_ms = UINT64_MAX;
	for (uint32_t id = 1; id <= net->cfg.n_nodes; id++) {
		struct node *n = &net->node[id];

		if (!n->up || n->frozen || nodeset_has(done, id))
			continue;
		struct nodeset to = component(net, id);
		uint64_t wait_ms = 0;

		nodeset_for_each (m, to)
			if (net->node[m].thaw_ms > wait_ms)
				wait_ms = net->node[m].thaw_ms;
		done = nodeset_or(done, to);
		/* nobody is left out before corosync's consensus time has passed without a word from it */
		if (n->ring >= 0)
			nodeset_for_each (m, nodeset_minus(net->ring[n->ring].members, to)) {
				uint64_t over = net->node[m].gone_ms + net->cfg.token_ms * 12 / 10;

				if (over > wait_ms && net->node[m].gen == net->ring[n->ring].gen[m])
					wait_ms = over;
			}
		if (wait_ms > now_ms) { /* somebody has just thawed, and does not hear yet */
			disturb(net, now_ms, (uint32_t)(wait_ms - now_ms));
			continue;
		}
		if (n->ring >= 0 && nodeset_equal(net->ring[n->ring].members, to) &&
		    intact(net, &net->ring[n->ring])) {
			unstick(net, &net->ring[n->ring], now_ms);
			nodeset_for_each (m, to)
				for (unsigned g = 0; g < net->cfg.n_groups; g++)
					if (net->node[m].proc[g].on &&
					    net->node[m].proc[g].ring < 0) {
						struct proc *p =
							&net->node[m].proc
								 [g]; /* started while the ring was broken */

						p->ring = n->ring;
						p->cursor = net->ring[n->ring].log[g].n;
						group_entry(net, g, n->ring, now_ms);
					}
			/* a process that ended while the ring was broken */
			for (unsigned g = 0; g < net->cfg.n_groups; g++)
				group_entry(net, g, n->ring, now_ms);
			continue;
		}
		/* a part that hears others halfway keeps to its old view for seconds (ref/netlab.md 7, 1-3 cut) */
		if (n->ring >= 0 && nodeset_count(to) < nodeset_count(net->ring[n->ring].members) &&
		    !net->ring[n->ring].stale && prng_permille(net->prng, 300)) {
			net->ring[n->ring].stale = true;
			disturb(net, now_ms, net->cfg.token_ms * prng_range(net->prng, 5, 35) / 10);
			continue;
		}
		/* a thawed node is alone for a moment before it merges */
		uint32_t alone = 0;

		nodeset_for_each (m, to)
			if (nodeset_count(to) > 1 && net->node[m].thaw_ms &&
			    net->node[m].thaw_ms + 50 > now_ms && prng_permille(net->prng, 500))
				alone = m;
		if (alone) {
			net->node[alone].thaw_ms = 0;
			new_ring(net, nodeset_of(alone), now_ms);
			disturb(net, now_ms, prng_range(net->prng, 5, 200));
			continue;
		}
		new_ring(net, to, now_ms);
	}
}

static bool due(const struct net *net, unsigned g, uint32_t id, uint64_t *ret_ms)
{
	const struct node *n = &net->node[id];
	const struct proc *p = &n->proc[g];

	if (!n->up || n->frozen || !p->on || p->hung || p->ring < 0)
		return false;
	uint64_t at = UINT64_MAX;
	const struct log *l = &net->ring[p->ring].log[g];

	if (p->n_hops && p->cursor >= p->hop[0].cut)
		at = p->next_ms;
	else if (p->cursor < l->n)
		at = l->e[p->cursor].at_ms > p->next_ms ? l->e[p->cursor].at_ms : p->next_ms;
	if (p->requorum_ms && p->requorum_ms < at)
		at = p->requorum_ms;
	*ret_ms = at;
	return at != UINT64_MAX;
}

uint64_t net_next_ms(const struct net *net)
{
	uint64_t best = net->reform_ms, at;

	for (uint32_t id = 1; id <= net->cfg.n_nodes; id++)
		for (unsigned g = 0; g < net->cfg.n_groups; g++)
			if (due(net, g, id, &at) && at < best)
				best = at;
	return best;
}

void net_run(struct net *net, uint64_t now_ms)
{
	uint64_t at;

	if (net->reform_ms <= now_ms)
		reform(net, now_ms);
	for (uint32_t id = 1; id <= net->cfg.n_nodes; id++)
		for (unsigned g = 0; g < net->cfg.n_groups; g++) {
			struct proc *p = &net->node[id].proc[g];

			if (!due(net, g, id, &at) || at > now_ms)
				continue;
			if (p->requorum_ms && p->requorum_ms <= now_ms) {
				struct net_view v = p->view;

				p->requorum_ms = 0;
				v.quorate = true;
				v.joined = v.left_nodedown = v.left_clean = v.left_proc =
					NODESET_EMPTY;
				p->view = v;
				net->ops.view(net->arg, g, id, &v);
			} else {
				advance(net, g, id, now_ms);
				p->next_ms = now_ms +
					     prng_range(net->prng, 0, 3 + net->node[id].slow_ms);
			}
		}
}

bool net_is_up(const struct net *net, uint32_t node)
{
	return net->node[node].up;
}

bool net_is_frozen(const struct net *net, uint32_t node)
{
	return net->node[node].frozen;
}

uint64_t net_ring(const struct net *net, uint32_t node)
{
	return net->node[node].ring < 0 ? 0 : net->ring[net->node[node].ring].seq;
}

struct nodeset net_ring_members(const struct net *net, uint64_t seq)
{
	return seq ? net->ring[seq / SEQ_STEP - 1].members : NODESET_EMPTY;
}

bool net_ring_quorate(const struct net *net, uint64_t seq)
{
	return seq && net->ring[seq / SEQ_STEP - 1].quorate;
}

bool net_is_deaf(const struct net *net, uint32_t node, uint64_t now_ms)
{
	const struct node *n = &net->node[node];

	if (n->thaw_ms <= now_ms || n->ring < 0)
		return false;
	nodeset_for_each (m, net->ring[n->ring].members) /* the others have gone on */
		if (net->node[m].up && net->node[m].ring > n->ring &&
		    net->ring[net->node[m].ring].quorate &&
		    !nodeset_has(net->ring[net->node[m].ring].members, node))
			return true;
	return false;
}

bool net_is_whole(const struct net *net, uint32_t node)
{
	const struct node *n = &net->node[node];

	return n->ring >= 0 && intact(net, &net->ring[n->ring]);
}
