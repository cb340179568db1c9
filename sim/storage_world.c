/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "storage_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool failed;

void say(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%7" PRIu64 ".%03u ", w->now_ms / 1000, (unsigned)(w->now_ms % 1000));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
{
	va_list ap;

	failed = true;
	printf("broken=%s node=%u t_ms=%" PRIu64 " seed=%" PRIu64 " nodes=%u: ", id, node,
	       w->now_ms, w->seed, w->n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

struct incarnation life_of(uint32_t node, uint32_t boot)
{
	struct incarnation l = { .nodeid = node, .join = 1 };

	l.boot_id[0] = (uint8_t)node;
	l.boot_id[1] = (uint8_t)boot;
	l.boot_id[2] = (uint8_t)(boot >> 8);
	l.boot_id[15] = 1;
	return l;
}

/* ---- truth ---- */

static bool may_write(const struct world *w, uint32_t id, unsigned volume)
{
	return w->node[id].runs &&
	       w->node[id].active[volume][0]; /* volume v is resource 0 of service v */
}

void daemon_ends(struct world *w, uint32_t id)
{
	struct snode *n = &w->node[id];

	if (!n->place)
		return;
	n->place = place_free(n->place);
	n->gen++;
	n->joined = n->leaving = n->left = n->reboots = false;
	n->noquorum_ms = 0;
	memset(n->monitor, 0, sizeof(n->monitor));
	memset(n->wants, 0, sizeof(n->wants));
	memset(n->look, 0, sizeof(n->look));
	net_stop(w->net, 0, id, false, w->now_ms);
	/* Its children die with it: what they were about to do may have happened. */
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct drun *r = &w->run[i];

		if (r->used && r->node == id &&
		    (r->effect_ms > w->now_ms || prng_permille(&w->prng, 500)))
			r->used = false;
	}
}

void life_ends(struct world *w, uint32_t id)
{
	struct snode *n = &w->node[id];

	if (!n->runs)
		return;
	say(w, "n%u: its life %u ends", id, n->boot);
	daemon_ends(w, id);
	n->runs = false;
	n->daemon_ms = 0;
	memset(n->active, 0, sizeof(n->active));
	memset(n->hand_ms, 0, sizeof(n->hand_ms));
	memset(n->ours, 0, sizeof(n->ours));
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (w->run[i].node == id)
			w->run[i].used = false;
	net_up(w->net, id, false, w->now_ms);
	n->boot_ms = w->now_ms + prng_range(&w->prng, 3000, 30000);
}

/* ---- the fence domain ---- */

void later_add(struct world *w, struct later l)
{
	for (unsigned i = 0; i < LATER_MAX; i++)
		if (w->later[i].at_ms == 0) {
			w->later[i] = l;
			return;
		}
	abort();
}

void fence_news(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++)
		if (w->node[id].place)
			later_add(w,
				  (struct later){ .at_ms = w->now_ms + prng_range(&w->prng, 1, 120),
						  .node = id,
						  .gen = w->node[id].gen,
						  .what = LATER_FENCE });
}

void make_victim(struct world *w, uint32_t id, const char *why)
{
	uint32_t delay = prng_permille(&w->prng, 100) ? prng_range(&w->prng, 10000, 30000)
						      : prng_range(&w->prng, 200, 4000);

	if (w->dom[id].victim || (w->dom[id].proof.kind && !w->node[id].runs))
		return;
	w->dom[id].victim = true;
	w->dom[id].victim_boot = w->node[id].boot;
	w->dom[id].off_ms = w->now_ms + delay;
	say(w, "fence: n%u is a victim: %s", id, why);
	fence_news(w);
}

static void prove(struct world *w, uint32_t id, uint32_t boot, enum proof_kind kind)
{
	w->dom[id].victim = false;
	memset(&w->dom[id].proof, 0, sizeof(w->dom[id].proof));
	w->dom[id].proof.victim = life_of(id, boot);
	w->dom[id].proof.kind = kind;
	w->dom[id].proof.by = 1;
	w->dom[id].proof.number = ++w->proofs;
	say(w, "fence: proof %s of n%u life %u", proof_kind_name(kind), id, boot);
	fence_news(w);
}

/* Lives that are off leave a proof; one that is back as another proves the old one. */
void fence_turn(struct world *w, uint32_t id)
{
	if (!w->dom[id].victim || w->dom[id].off_ms > w->now_ms)
		return;
	if (w->node[id].runs && w->node[id].boot == w->dom[id].victim_boot)
		life_ends(w, id);
	prove(w, id, w->dom[id].victim_boot,
	      w->node[id].runs ? PROOF_NEW_BOOT : PROOF_OFF_VERIFIED);
}

void fence_view(struct world *w, uint32_t at, struct fence_state *st)
{
	struct nodeset ring = net_ring_members(w->net, net_ring(w->net, at));

	memset(st, 0, sizeof(*st));
	st->self = life_of(at, w->node[at].boot);
	st->quorate = net_ring_quorate(w->net, net_ring(w->net, at));
	st->informed = st->quorate;
	st->view.seq = net_ring(w->net, at);
	st->n = w->n;
	for (uint32_t id = 1; id <= w->n; id++) {
		struct fence_node *f = &st->node[id - 1];

		f->nodeid = id;
		f->ready = !w->dom[id].unready;
		f->proof = w->dom[id].proof;
		f->life = life_of(id, w->node[id].boot);
		if (w->dom[id].victim) {
			f->state = FENCE_NODE_VICTIM;
			f->life = life_of(id, w->dom[id].victim_boot);
			if (id == at && w->dom[id].victim_boot == w->node[id].boot &&
			    nodeset_count(ring) > 1)
				st->self_victim = true;
		} else if (nodeset_has(ring, id) && net_is_up(w->net, id)) {
			f->state = FENCE_NODE_MEMBER;
		} else if (f->proof.kind && proof_covers(&f->proof, &f->life)) {
			f->state = FENCE_NODE_DEAD;
		} else if (f->proof.kind && !w->node[id].runs) {
			f->state = FENCE_NODE_DEAD;
		} else {
			f->state = FENCE_NODE_MEMBER; /* fenced has not seen it go yet */
		}
	}
}

/* ---- locks ---- */

void lock_turn(struct world *w, unsigned v)
{
	if (w->lock[v].holder) {
		uint32_t h = w->lock[v].holder;

		/* A dead holder's lock goes with the proof, or when it is back as another life (SAFE-2). */
		if (w->node[h].runs && w->node[h].boot == w->lock[v].boot)
			return;
		if (w->dom[h].victim || (!w->node[h].runs && !w->dom[h].proof.kind))
			return;
		w->lock[v].holder = 0;
	}
	nodeset_for_each (id, w->lock[v].waiting) {
		if (!w->node[id].place) {
			nodeset_del(&w->lock[v].waiting, id);
			continue;
		}
		w->lock[v].holder = id;
		w->lock[v].boot = w->node[id].boot;
		nodeset_del(&w->lock[v].waiting, id);
		later_add(w, (struct later){ .at_ms = w->now_ms + prng_range(&w->prng, 1, 20),
					     .node = id,
					     .gen = w->node[id].gen,
					     .what = LATER_LOCK,
					     .volume = v,
					     .held = true });
		return;
	}
}

void lock_ask(struct world *w, uint32_t id, unsigned v)
{
	bool own = w->lock[v].holder == id && w->lock[v].boot == w->node[id].boot;

	w->node[id].wants[v] = true;
	say(w, "n%u: asks for lock %u, held by n%u", id, v, w->lock[v].holder);

	if (!w->locks || own) {
		if (w->locks || w->lock[v].holder == 0) {
			w->lock[v].holder = id;
			w->lock[v].boot = w->node[id].boot;
		}
		later_add(w, (struct later){ .at_ms = w->now_ms + prng_range(&w->prng, 1, 20),
					     .node = id,
					     .gen = w->node[id].gen,
					     .what = LATER_LOCK,
					     .volume = v,
					     .held = true });
		return;
	}
	nodeset_add(&w->lock[v].waiting, id);
	lock_turn(w, v);
}

void lock_drop(struct world *w, uint32_t id, unsigned v)
{
	w->node[id].wants[v] = false;
	nodeset_del(&w->lock[v].waiting, id);
	for (unsigned i = 0; i < LATER_MAX; i++)
		if (w->later[i].at_ms && w->later[i].what == LATER_LOCK && w->later[i].node == id &&
		    w->later[i].volume == v)
			w->later[i].at_ms = 0;
	if (w->lock[v].holder == id)
		w->lock[v].holder = 0;
	lock_turn(w, v);
}

/* ---- what others than storaged activate ---- */

void hand(struct world *w, uint32_t id, unsigned v, bool on)
{
	struct snode *n = &w->node[id];

	if (!n->runs || n->active[v][0] || on == (n->hand_ms[v] != 0))
		return;
	n->hand_ms[v] = on ? w->now_ms : 0;
	say(w, "n%u: volume %u is %s by hand", id, v, on ? "activated" : "let go");
	look_at(w, id, w->now_ms + prng_range(&w->prng, 1, 10000));
}

void look_at(struct world *w, uint32_t id, uint64_t at_ms)
{
	for (unsigned i = 0; i < LATER_MAX; i++) {
		struct later *l = &w->later[i];

		if (l->at_ms == 0 || l->what != LATER_LOOK || l->node != id ||
		    l->gen != w->node[id].gen)
			continue;
		if (at_ms < l->at_ms)
			l->at_ms = at_ms;
		return;
	}
	later_add(w,
		  (struct later){
			  .at_ms = at_ms, .node = id, .gen = w->node[id].gen, .what = LATER_LOOK });
}

void look(struct world *w, uint32_t id)
{
	static struct place_look v[SERVICES_MAX];
	struct place_event ev = { .type = PLACE_EV_LOOK, .look = { v } };
	struct snode *n = &w->node[id];
	bool again = false;

	memset(v, 0, sizeof(v));
	for (unsigned s = 0; s < w->n_services; s++) {
		uint64_t starts = place_group(n->place)->service[s].starts;

		v[s].active = n->hand_ms[s] || (n->active[s][0] && w->looks) ? DRIVE_OK
									     : DRIVE_NONE;
		if (!w->healed && prng_permille(&w->prng, w->p_probe_unknown))
			v[s].active = DRIVE_UNKNOWN;
		again = again || n->hand_ms[s] || v[s].active == DRIVE_UNKNOWN;
		if (n->look[s].starts != starts) {
			n->look[s].starts = starts;
			n->look[s].at_ms = w->now_ms;
		}
	}
	if (again) /* as the daemon: sooner than else */
		look_at(w, id, w->now_ms + 1000);
	step(w, id, &ev);
}

/* ---- drivers ---- */

/* A volume is about to be activated: not beside a hand that the group knows of. */
static void beside_hands(struct world *w, uint32_t id, unsigned v)
{
	if (!nodeset_empty(place_group(w->node[id].place)->service[v].stray))
		broken(w, "SAFE-1", id, "activates volume %u beside one known to be active by hand",
		       v);
}

void drive(struct world *w, uint32_t id, const struct place_action *act)
{
	struct snode *n = &w->node[id];
	struct drun *r = NULL;
	uint32_t took = prng_range(&w->prng, 2, 60), limit = 4000;

	for (unsigned i = 0; i < RUNS_MAX && !r; i++)
		if (!w->run[i].used)
			r = &w->run[i];
	if (!r)
		abort();
	memset(r, 0, sizeof(*r));
	r->used = true;
	r->node = id;
	r->gen = n->gen;
	r->run = act->drive.run;
	r->s = act->drive.service;
	r->res = act->drive.res;
	r->op = act->drive.op;
	r->epoch = act->drive.epoch;
	r->released = act->drive.released;
	r->result = DRIVE_OK;
	r->act = true;
	if (act->drive.limit_ms)
		limit = act->drive.limit_ms;
	if (r->op == DRIVE_START || r->op == DRIVE_STOP)
		took = prng_range(&w->prng, 20, 900);
	r->effect_ms = w->now_ms + prng_range(&w->prng, 0, took);
	r->end_ms = w->now_ms + took;
	if (r->op == DRIVE_START && r->res == 0)
		beside_hands(w, id, r->s);
	if (r->op == DRIVE_PROBE) {
		r->effect_ms = r->end_ms; /* answers as things are then */
		if (!w->healed && prng_permille(&w->prng, w->p_probe_unknown))
			r->result = DRIVE_UNKNOWN;
		return;
	}
	if (w->healed)
		return;
	if (prng_permille(&w->prng, w->p_fail)) {
		r->result = DRIVE_FAILED;
		r->act = r->op == DRIVE_START && prng_permille(&w->prng, 500);
	} else if (prng_permille(&w->prng, w->p_unknown)) {
		r->result = DRIVE_UNKNOWN;
		r->act = prng_permille(&w->prng, 500);
	} else if (prng_permille(&w->prng, w->p_hang)) {
		r->result = DRIVE_UNKNOWN;
		r->act = prng_permille(&w->prng, 300);
		r->end_ms = w->now_ms + limit + 2000;
		r->effect_ms = w->now_ms + prng_range(&w->prng, 0, limit);
	}
}

/* The driver of a volume as driver.h wants it: reads the record, refuses, or writes it. */
static bool record_take(struct world *w, struct drun *r)
{
	uint32_t id = r->node;
	unsigned v = r->s;
	struct fence_state st;
	const struct fence_node *f;
	struct incarnation owner = life_of(w->disk[v].owner, w->disk[v].boot);
	bool own = w->disk[v].owner == id && w->disk[v].boot == w->node[id].boot;

	for (uint32_t o = 1; o <= w->n; o++)
		if (o != id && may_write(w, o, v))
			broken(w, "SAFE-1", id,
			       "activates volume %u while n%u life %u may write it", v, o,
			       w->node[o].boot);
	if (w->node[id].hand_ms[v]) {
		say(w, "n%u: volume %u refused: active by hand", id, v);
		return false;
	}
	if (w->disk[v].active && !own && w->disk[v].epoch > r->released) {
		fence_view(w, id, &st);
		f = fence_state_node(&st, w->disk[v].owner);
		if (!(f && (proof_covers(&f->proof, &owner) ||
			    !incarnation_same_boot(&f->life, &owner)))) {
			say(w, "n%u: volume %u refused: owner n%u epoch %" PRIu64 " is not over",
			    id, v, w->disk[v].owner, w->disk[v].epoch);
			r->met_epoch = w->disk[v].epoch;
			return false;
		}
	}
	uint64_t epoch = r->epoch > w->disk[v].epoch ? r->epoch : w->disk[v].epoch + 1;

	if (epoch <= w->disk[v].epoch)
		broken(w, "EPOCH", id, "volume %u: %" PRIu64 " after %" PRIu64, v, epoch,
		       w->disk[v].epoch);
	w->disk[v].epoch = epoch;
	w->disk[v].owner = id;
	w->disk[v].boot = w->node[id].boot;
	w->disk[v].active = true;
	r->ret_epoch = epoch;
	r->taken = true;
	return true;
}

void driver_effect(struct world *w, struct drun *r)
{
	struct snode *n = &w->node[r->node];

	r->effect_ms = UINT64_MAX;
	if (!r->act)
		return;
	switch (r->op) {
	case DRIVE_START:
		if (r->res == 0 && !n->active[r->s][0] && !record_take(w, r)) {
			r->result = DRIVE_FAILED;
			r->end_ms = w->now_ms + 1;
			return;
		}
		if (r->res > 0 && !n->active[r->s][r->res - 1])
			broken(w, "RUN-1", r->node, "resource %u started before its left neighbour",
			       r->res);
		n->active[r->s][r->res] = true;
		w->starts += r->res == 0;
		break;
	case DRIVE_STOP:
	case DRIVE_KILL:
		for (unsigned k = r->res + 1; k < R_MAX; k++)
			if (n->active[r->s][k])
				broken(w, "RUN-1", r->node,
				       "resource %u stopped before its right neighbour", r->res);
		n->active[r->s][r->res] = false;
		if (r->res == 0 && w->disk[r->s].owner == r->node &&
		    w->disk[r->s].boot == n->boot && r->op == DRIVE_STOP)
			w->disk[r->s].active = false;
		break;
	case DRIVE_PREPARE:
	case DRIVE_PROBE: break;
	}
}

void driver_end(struct world *w, struct drun *r)
{
	struct place_event ev = { .type = PLACE_EV_DRIVER };
	struct snode *n = &w->node[r->node];

	r->used = false;
	if (!n->place || n->gen != r->gen)
		return;
	ev.driver.run = r->run;
	ev.driver.result = r->result;
	ev.driver.why = r->result == DRIVE_OK ? "" : "drawn from the seed";
	ev.driver.epoch = r->taken ? r->ret_epoch : r->met_epoch;
	ev.driver.ours = r->taken;
	if (r->op == DRIVE_PROBE && r->result == DRIVE_OK)
		ev.driver.result = n->active[r->s][r->res] ? DRIVE_OK : DRIVE_NONE;
	step(w, r->node, &ev);
}
