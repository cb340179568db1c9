/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/stub.c - small truthful stand-ins for the parts that a plan leaves out: a fence domain as one fact that the others
 * learn late, a lock manager, a storaged that only says what it holds.
 */
#include "check.h"

#include <string.h>

/* --- fence, told to storaged: who fell out without a goodbye is switched off, and then proven --- */

static void prove(struct world *w, uint32_t id, uint32_t boot, enum proof_kind kind)
{
	w->stub[id].victim = false;
	w->stub[id].proof = (struct proof){
		.victim = life_of(id, boot, 1), .kind = kind, .by = 1, .number = ++w->stub_proofs
	};
	say(w, "stub: proof %s of n%u life %u", proof_kind_name(kind), id, boot);
	w->stats.proofs++;
	stub_fence_tell_all(w);
}

void stub_fence_request(struct world *w, uint32_t id, const char *why)
{
	struct prng *p = &w->prng;
	uint32_t delay = prng_permille(p, 100) ? prng_range(p, 10000, 30000)
					       : prng_range(p, 200, 4000);

	struct incarnation life = life_of(id, w->host[id].boot, 1);

	if (w->stub[id].victim || (!w->host[id].runs && proof_covers(&w->stub[id].proof, &life)))
		return;
	w->stub[id].victim = true;
	w->stub[id].boot = w->host[id].boot;
	say(w, "stub: n%u is a victim: %s", id, why);
	push(w, delay, EV_STUB, 0, NOBODY, id, w->host[id].boot, NULL);
	stub_fence_tell_all(w);
}

/* For dlm alone: fenced of each node runs all the time and sees who is in its ring. */
void stub_see(struct world *w)
{
	for (uint32_t a = 1; a <= w->n; a++) {
		uint64_t ring = net_ring(w->net, a);

		if (!w->host[a].runs || w->host[a].frozen || !ring)
			continue;
		nodeset_for_each (b, net_ring_members(w->net, ring))
			if (b != a && w->host[b].runs && net_ring(w->net, b) == ring)
				w->stub[b].seen = true;
	}
}

void stub_fence_view(struct world *w, uint32_t id, const struct net_view *v)
{
	if (has_part(w, PART_STORAGE) && v->quorate)
		nodeset_for_each (x, v->left_nodedown)
			if (!(w->two_node &&
			      w->stub[id].victim)) /* in a cut of two the first one wins */
				stub_fence_request(w, x, "left without goodbye");
	stub_fence_tell(w, id);
}

static void view_storage(struct world *w, uint32_t at, struct fence_state *st)
{
	struct nodeset ring = net_ring_members(w->net, net_ring(w->net, at));

	st->self = life_of(at, w->host[at].boot, 1);
	st->quorate = net_ring_quorate(w->net, net_ring(w->net, at));
	st->informed = st->quorate;
	st->view.seq = net_ring(w->net, at);
	st->view.rep = nodeset_lowest(ring);
	st->n = w->n;
	for (uint32_t id = 1; id <= w->n; id++) {
		struct fence_node *f = &st->node[id - 1];

		f->nodeid = id;
		f->ready = !w->host[id].unready;
		f->proof = w->stub[id].proof;
		f->life = life_of(id, w->host[id].boot, 1);
		if (w->stub[id].victim) {
			f->state = FENCE_NODE_VICTIM;
			f->life = life_of(id, w->stub[id].boot, 1);
			st->self_victim = st->self_victim ||
					  (id == at && w->stub[id].boot == w->host[id].boot &&
					   nodeset_count(ring) > 1);
		} else if (!(nodeset_has(ring, id) && w->host[id].corosync) && f->proof.kind &&
			   proof_covers(&f->proof, &f->life)) {
			f->state = FENCE_NODE_DEAD;
		} else {
			f->state = FENCE_NODE_MEMBER; /* also: fenced has not seen it go yet */
		}
	}
}

/* For dlm alone nobody is switched off: who is cut off waits, who dies is proven later. */
static void view_dlm(struct world *w, uint32_t at, struct fence_state *st)
{
	struct nodeset nodes = w->host[at].dview.nodes;

	st->view = w->host[at].dview.id;
	st->informed = st->quorate = true;
	for (uint32_t id = 1; id <= w->n; id++) {
		struct fence_node *f = &st->node[st->n++];
		bool here = nodeset_has(nodes, id);

		*f = (struct fence_node){ .nodeid = id,
					  .state = FENCE_NODE_MEMBER,
					  .life = life_of(id, w->host[id].boot, 1) };
		if (w->stub[id].proven)
			f->proof = (struct proof){ .victim = w->stub[id].dead,
						   .kind = PROOF_OFF_VERIFIED,
						   .by = at,
						   .number = 1 };
		if (w->stub[id].seen || here) {
			if (!here)
				f->state = FENCE_NODE_VICTIM;
		} else {
			f->life = w->stub[id].dead;
			f->state = w->stub[id].proven ? FENCE_NODE_DEAD : FENCE_NODE_VICTIM;
		}
	}
}

void stub_fence_tell(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (has_part(w, PART_FENCE))
		return;
	if (h->proc[PART_DLM].on)
		push(w, prng_range(&h->prng, 0, 60), EV_STATE, id, PART_DLM, UINT32_MAX, 0, NULL);
	if (h->proc[PART_STORAGE].on)
		push(w, prng_range(&h->prng, 1, 60), EV_STATE, id, PART_STORAGE, UINT32_MAX, 0,
		     NULL);
}

void stub_fence_tell_all(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++)
		stub_fence_tell(w, id);
}

/* Its state as it is when it is told. */
void stub_state(struct world *w, const struct timed *t)
{
	static struct fence_state st;

	memset(&st, 0, sizeof(st));
	if (has_part(w, PART_STORAGE))
		view_storage(w, t->node, &st);
	else
		view_dlm(w, t->node, &st);
	if (t->proc == PART_DLM)
		dlmd_state(w, t->node, &st);
	else
		storaged_state(w, t->node, &st);
}

void stub_life_ends(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (has_part(w, PART_FENCE))
		return;
	w->stub[id].dead = life_of(id, h->boot, UINT64_MAX);
	w->stub[id].proven = w->stub[id].seen = false;
	if (!has_part(w, PART_STORAGE))
		push(w, prng_range(&w->prng, 500, 12000), EV_STUB, 0, NOBODY, id, h->boot, NULL);
	if (powered(w, id))
		boot_later(w, id, 3000, 30000);
}

void stub_boot(struct world *w, uint32_t id)
{
	if (has_part(w, PART_FENCE))
		return;
	if (w->stub[id].dead.nodeid)
		w->stub[id].proven = true; /* another boot of it is a proof by itself */
	if (w->stub[id].victim)
		push(w, 500, EV_STUB, 0, NOBODY, id, w->stub[id].boot, NULL);
	stub_fence_tell_all(w);
}

void stub_event(struct world *w, const struct timed *t)
{
	uint32_t id = t->a;

	if (!has_part(w, PART_STORAGE)) {
		if (t->b == w->host[id].boot && !w->host[id].runs) {
			w->stub[id].proven = true;
			stub_fence_tell_all(w);
		}
		return;
	}
	if (!w->stub[id].victim || w->stub[id].boot != t->b)
		return;
	if (w->host[id].runs && w->host[id].boot == t->b) {
		say(w, "stub: n%u is switched off", id);
		life_ends(w, id);
		w->stats.offs++;
	}
	disk_flush(w, id);
	prove(w, id, (uint32_t)t->b, w->host[id].runs ? PROOF_NEW_BOOT : PROOF_OFF_VERIFIED);
}

/* --- locks --- */

static void grant(struct world *w, uint32_t id, unsigned v)
{
	push(w, prng_range(&w->host[id].prng, 1, 20), EV_LOCK, id, PART_STORAGE, v, 1, NULL);
}

static void lock_turn(struct world *w, unsigned v)
{
	uint32_t h = w->stub_lock[v].holder;

	if (h) {
		/* A dead holder's lock goes with the proof, or when it is back as another life (SAFE-2). */
		bool same = w->host[h].boot == w->stub_lock[v].boot;
		bool over = !same;

		if (has_part(w, PART_FENCE))
			over = over || (!w->host[h].runs && w->volume[v].flying[h] == 0);
		else
			over = (over || !w->host[h].runs) && !w->stub[h].victim &&
			       (w->host[h].runs || w->stub[h].proof.kind);
		if (!over)
			return;
		w->stub_lock[v].holder = 0;
	}
	nodeset_for_each (id, w->stub_lock[v].waiting) {
		nodeset_del(&w->stub_lock[v].waiting, id);
		if (!w->host[id].place)
			continue;
		w->stub_lock[v].holder = id;
		w->stub_lock[v].boot = w->host[id].boot;
		grant(w, id, v);
		return;
	}
}

void stub_lock_ask(struct world *w, uint32_t id, unsigned v)
{
	bool own = w->stub_lock[v].holder == id && w->stub_lock[v].boot == w->host[id].boot;

	if (!w->plan->locks || own) {
		grant(w, id, v);
		return;
	}
	nodeset_add(&w->stub_lock[v].waiting, id);
	lock_turn(w, v);
}

void stub_lock_drop(struct world *w, uint32_t id, unsigned v)
{
	nodeset_del(&w->stub_lock[v].waiting, id);
	if (w->stub_lock[v].holder == id)
		w->stub_lock[v].holder = 0;
	lock_turn(w, v);
}

void stub_locks(struct world *w)
{
	for (unsigned v = 0; v < w->plan->n_services && w->plan->locks; v++)
		lock_turn(w, v);
}

/* --- storaged, for fence alone --- */

/* It activates something only when every node is known and none waits for a proof. */
bool stub_all_known(struct world *w, uint32_t id)
{
	static struct fence_state st;

	fence_snapshot(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.n; i++)
		if (st.node[i].state == FENCE_NODE_UNKNOWN || st.node[i].state == FENCE_NODE_VICTIM)
			return false;
	return st.informed;
}

void stub_signs(struct world *w, uint32_t id, unsigned services, unsigned draw, bool known)
{
	struct host *h = &w->host[id];
	struct fence_event ev = { .type = FENCE_EV_SIGNS };
	struct fence_signs *s = &ev.signs;
	uint32_t gen = h->proc[PART_FENCE].gen;
	struct prng p = { draw };

	if (!can_run(w, id, PART_FENCE) || has_part(w, PART_STORAGE))
		return;
	s->weight = services;
	s->self = prng_range(&p, 0, 2);
	for (uint32_t i = 1; i <= w->n; i++)
		s->peer[i] = prng_range(&p, 0, 2);
	s->holds = services > 0 && (h->fsigns.holds || known);
	/* storaged activates only after fenced has taken the news */
	int rc = fenced_feed(w, id, &ev);

	if (rc == 0 && h->dom && h->proc[PART_FENCE].gen == gen) {
		h->fsigns = *s;
		h->holds_boot = s->holds ? h->boot : 0;
		if (s->holds)
			check_goodbyes_about(w, id);
	}
}
