/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_locks.c - a second opinion about the lock rules: what each dlmd's core held before a step, against what it holds
 * after it. It knows modes and their compatibility (dlm_compatible()), and nothing else of the core's.
 */
#include "check.h"

#include <errno.h>
#include <string.h>

#define WATCHED_LOCKS 512 /* of one dlmd; a world with more is not looked at */
#define WATCHED_RESOURCES 64

struct seen_lock {
	uint32_t lkid, client, flags, nodeid;
	uint8_t life, queue;
	int8_t granted, wanted;
	uint8_t told; /* bit per mode: BLOCKING that its client was told since its last grant */
	bool own;     /* of this very dlmd's node, and a member */
};

struct seen_resource {
	const struct dlm_resource *res; /* only to find it again */
	uint8_t name_len, name[DLM_NAME_MAX];
	uint64_t lvb_seq;
	bool lvb_invalid;
	unsigned first, n;
};

struct seen {
	bool valid, going; /* going: synced, and no proof was missing */
	unsigned n_res, n_locks;
	struct seen_resource res[WATCHED_RESOURCES];
	struct seen_lock lock[WATCHED_LOCKS];
};

static struct seen before_of[N_MAX + 1], after;

void check_locks_begin(uint32_t id)
{
	before_of[id].valid = false;
	before_of[id].n_res = before_of[id].n_locks = 0;
}

static bool queued(const struct seen_lock *l)
{
	return l->queue != DLM_Q_GRANTED;
}

static void take_queue(struct seen *s, const struct dlm_lock *l,
		       const struct dlm_life_view lives[DLM_LIVES_MAX], uint32_t id)
{
	for (; l && s->n_locks < WATCHED_LOCKS; l = l->next) {
		const struct dlm_life_view *life = &lives[l->life];

		s->lock[s->n_locks++] = (struct seen_lock){
			.lkid = l->lkid,
			.client = l->client,
			.flags = l->flags,
			.nodeid = life->life.nodeid,
			.life = l->life,
			.queue = (uint8_t)l->queue,
			.granted = l->granted,
			.wanted = l->wanted,
			.own = life->state == DLM_LIFE_MEMBER && life->life.nodeid == id,
		};
	}
}

static void take(struct seen *s, const struct dlm *dlm, uint32_t id)
{
	struct dlm_life_view lives[DLM_LIVES_MAX];
	const struct dlm_resource *r = dlm_resource_next(dlm, NULL);
	struct dlm_status st;

	dlm_status(dlm, &st);
	s->going = st.synced && nodeset_empty(st.stopped_for);
	s->n_res = s->n_locks = 0;
	memset(lives, 0, sizeof(lives));
	for (unsigned i = 0; i < DLM_LIVES_MAX && r; i++)
		dlm_life_at(dlm, i, &lives[i]);
	for (; r && s->n_res < WATCHED_RESOURCES; r = dlm_resource_next(dlm, r)) {
		struct seen_resource *x = &s->res[s->n_res++];

		*x = (struct seen_resource){ .res = r,
					     .name_len = r->name_len,
					     .lvb_seq = r->lvb_seq,
					     .lvb_invalid = r->lvb_invalid,
					     .first = s->n_locks };
		memcpy(x->name, r->name, r->name_len);
		take_queue(s, r->granted, lives, id);
		take_queue(s, r->convert, lives, id);
		take_queue(s, r->wait, lives, id);
		x->n = s->n_locks - x->first;
	}
	s->valid = !r && s->n_locks < WATCHED_LOCKS;
}

static const struct seen_resource *same_resource(const struct seen *s,
						 const struct seen_resource *x)
{
	for (unsigned i = 0; i < s->n_res; i++)
		if (s->res[i].res == x->res && s->res[i].name_len == x->name_len &&
		    memcmp(s->res[i].name, x->name, x->name_len) == 0)
			return &s->res[i];
	return NULL;
}

static struct seen_lock *same_lock(struct seen *s, const struct seen_resource *r,
				   const struct seen_lock *l)
{
	for (unsigned i = 0; r && i < r->n; i++) {
		struct seen_lock *x = &s->lock[r->first + i];

		if (x->lkid == l->lkid && x->life == l->life && x->nodeid == l->nodeid)
			return x;
	}
	return NULL;
}

/* DLM-8: @x was granted in this step; whom did it leave behind who had been asked for longer? */
static void granted_fairly(struct world *w, uint32_t id, struct seen *before,
			   const struct seen_resource *was, const struct seen_resource *is,
			   const struct seen_lock *x)
{
	const struct seen_lock *old = same_lock(before, was, x);
	bool at_once = !old, turn = old && old->queue == DLM_Q_WAIT;
	bool conversion = old && old->queue == DLM_Q_CONVERT && old->granted != x->granted;
	bool quecvt = old && old->queue == DLM_Q_GRANTED && old->granted != x->granted &&
		      x->flags & DLM_F_QUECVT && !(x->flags & DLM_F_HEADQUE);
	bool passed = false; /* @old, in @before's order */

	if (x->flags & (DLM_F_EXPEDITE | DLM_F_NOORDER) ||
	    !(at_once || turn || conversion || quecvt))
		return;
	for (unsigned i = 0; i < was->n; i++) {
		const struct seen_lock *y = &before->lock[was->first + i];
		const struct seen_lock *now = same_lock(&after, is, y);

		if (y == old)
			passed = true;
		if (!queued(y) || y == old || !now || now->queue != y->queue)
			continue;
		bool unfair = y->queue == DLM_Q_CONVERT
				      ? at_once || turn || quecvt || (conversion && !passed)
				      : (at_once && !(x->flags & DLM_F_HEADQUE)) ||
						(turn && !passed);

		if (unfair)
			broken(w, "DLM-8", id, "n%u/%u is granted %s past n%u/%u, which %s for %s",
			       x->nodeid, x->lkid, dlm_mode_name(x->granted), y->nodeid, y->lkid,
			       y->queue == DLM_Q_CONVERT ? "waits to convert" : "waits",
			       dlm_mode_name(y->wanted));
	}
}

/* DLM-8: nobody loses his place, and nobody waits who said that he would not. */
static void kept_places(struct world *w, uint32_t id, struct seen *before,
			const struct seen_resource *was, const struct seen_resource *is)
{
	const struct seen_lock *last = NULL;

	for (unsigned i = 0; i < is->n; i++) {
		const struct seen_lock *l = &after.lock[is->first + i];
		const struct seen_lock *old = same_lock(before, was, l);

		if (queued(l) && l->flags & (DLM_F_NOQUEUE | DLM_F_EXPEDITE))
			broken(w, "DLM-8", id, "n%u/%u must not be queued, and is", l->nodeid,
			       l->lkid);
		if (!queued(l) || !old || old->queue != l->queue)
			continue;
		if (last && last->queue == l->queue && last > old)
			broken(w, "DLM-8", id, "n%u/%u and n%u/%u have changed places", l->nodeid,
			       l->lkid, last->nodeid, last->lkid);
		last = old;
	}
}

/* DLM-10: of two queued conversions the one behind never holds what the one ahead waits for. */
static void no_deadlock(struct world *w, uint32_t id, const struct seen_resource *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct seen_lock *a = &after.lock[r->first + i];

		for (unsigned k = i + 1; k < r->n && a->queue == DLM_Q_CONVERT; k++) {
			const struct seen_lock *b = &after.lock[r->first + k];

			if (b->queue != DLM_Q_CONVERT || dlm_compatible(b->granted, a->wanted) ||
			    (a->flags | b->flags) & DLM_F_NODLCKWT)
				continue;
			broken(w, "DLM-10", id,
			       "conversions wait for each other: n%u/%u %s->%s, n%u/%u %s->%s",
			       a->nodeid, a->lkid, dlm_mode_name(a->granted),
			       dlm_mode_name(a->wanted), b->nodeid, b->lkid,
			       dlm_mode_name(b->granted), dlm_mode_name(b->wanted));
		}
	}
}

/* Whoever hears that @m waits knows that he is in the way of @mode, too. */
static bool covers(int m, int mode)
{
	for (int held = DLM_NL; held <= DLM_EX; held++)
		if (dlm_compatible(held, m) && !dlm_compatible(held, mode))
			return false;
	return true;
}

/* DLM-9: whoever of this node is in the way of somebody who waits was told so, since it holds what it holds. */
static void told_blocking(struct world *w, uint32_t id, const struct seen_resource *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct seen_lock *l = &after.lock[r->first + i];

		for (unsigned k = 0; k < r->n && l->own && l->client; k++) {
			const struct seen_lock *q = &after.lock[r->first + k];
			bool told = false;

			if (q == l || !queued(q) || dlm_compatible(l->granted, q->wanted))
				continue;
			for (int m = DLM_NL; m <= DLM_EX; m++)
				told = told || (l->told >> m & 1 && covers(m, q->wanted));
			if (!told)
				broken(w, "DLM-9", id,
				       "the holder of n%u/%u (%s) was not told that %s waits for it",
				       l->nodeid, l->lkid, dlm_mode_name(l->granted),
				       dlm_mode_name(q->wanted));
		}
	}
}

/* What this node's clients were told in this step: @own_done: who has said goodbye to its lock itself. */
static bool said_gone(const struct dlm_actions *out, const struct seen_lock *l)
{
	for (unsigned i = 0; i < out->n; i++)
		if (out->v[i].type == DLM_ACT_DONE && out->v[i].done.lkid == l->lkid &&
		    out->v[i].done.client == l->client && out->v[i].done.gone)
			return true;
	return false;
}

/* DLM-7: a writer whose lock ended in another way than by its unlock leaves a value that nobody may trust. */
static void value_in_doubt(struct world *w, uint32_t id, struct seen *before,
			   const struct dlm_actions *out)
{
	bool recovered = false;

	for (unsigned i = 0; i < out->n; i++)
		recovered = recovered || out->v[i].type == DLM_ACT_RECOVERED;
	for (unsigned r = 0; r < before->n_res; r++) {
		const struct seen_resource *was = &before->res[r];
		const struct seen_resource *is = same_resource(&after, was);

		for (unsigned i = 0; is && i < was->n; i++) {
			const struct seen_lock *l = &before->lock[was->first + i];

			if (l->granted < DLM_PW || !(recovered || l->own) ||
			    same_lock(&after, is, l) || said_gone(out, l) || is->lvb_invalid ||
			    is->lvb_seq != was->lvb_seq)
				continue;
			broken(w, "DLM-7", id,
			       "the writer n%u/%u has ended, and its value block is still valid",
			       l->nodeid, l->lkid);
		}
	}
}

/* DLM-4: of a client that has ended only what was asked for as persistent stays. */
static void client_ended(struct world *w, uint32_t id, const struct seen_lock *old,
			 const struct seen_lock *l)
{
	if (l->own && old->own && old->client && !l->client && !(l->flags & DLM_F_PERSISTENT))
		broken(w, "DLM-4", id, "n%u/%u has outlived its client", l->nodeid, l->lkid);
}

static void take_told(struct seen *before, const struct dlm_actions *out)
{
	for (unsigned r = 0; r < after.n_res; r++) {
		const struct seen_resource *is = &after.res[r];
		const struct seen_resource *was = same_resource(before, is);

		for (unsigned i = 0; i < is->n; i++) {
			struct seen_lock *l = &after.lock[is->first + i];
			const struct seen_lock *old = same_lock(before, was, l);

			if (!l->own || !l->client)
				continue;
			l->told = old && old->client == l->client ? old->told : 0;
			for (unsigned k = 0; k < out->n; k++) {
				const struct dlm_action *a = &out->v[k];

				if (a->type == DLM_ACT_DONE && a->done.lkid == l->lkid &&
				    a->done.client == l->client && a->done.status == 0)
					l->told = 0;
				if (a->type == DLM_ACT_BLOCKING && a->blocking.lkid == l->lkid &&
				    a->blocking.client == l->client)
					l->told |= (uint8_t)(1u << a->blocking.mode);
			}
		}
	}
}

void check_locks(struct world *w, uint32_t id, const struct dlm_event *ev,
		 const struct dlm_actions *out)
{
	struct seen *before = &before_of[id];

	if (ev->type != DLM_EV_DELIVER && before->valid)
		return; /* nothing else changes a lock */
	take(&after, w->host[id].dlm, id);
	if (!after.valid) {
		before->valid = false;
		return;
	}
	take_told(before, out);
	bool both = before->valid && before->going && after.going;

	if (both || (before->valid && after.going))
		value_in_doubt(w, id, before, out);
	for (unsigned r = 0; r < after.n_res && after.going; r++) {
		const struct seen_resource *is = &after.res[r], *was = same_resource(before, is);

		no_deadlock(w, id, is);
		told_blocking(w, id, is);
		if (!both || !was)
			continue;
		kept_places(w, id, before, was, is);
		for (unsigned i = 0; i < is->n; i++) {
			const struct seen_lock *l = &after.lock[is->first + i];
			const struct seen_lock *old = same_lock(before, was, l);

			if (old)
				client_ended(w, id, old, l);
			if (!queued(l))
				granted_fairly(w, id, before, was, is, l);
		}
	}
	before->valid = true;
	before->going = after.going;
	before->n_res = after.n_res;
	before->n_locks = after.n_locks;
	memcpy(before->res, after.res, after.n_res * sizeof(after.res[0]));
	memcpy(before->lock, after.lock, after.n_locks * sizeof(after.lock[0]));
}
