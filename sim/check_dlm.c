/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_dlm.c - what clients were told they hold, wherever they run. */
#include "check.h"

#include <inttypes.h>
#include <string.h>

void check_dlm_begin(struct world *w, uint32_t id)
{
	memset(&w->past[id], 0, sizeof(w->past[id]));
	check_locks_begin(id);
}

/* DLM-11: the newest past goes on. Who was in a later quorate ring is not ended for those who missed it. */
static void newest_past(struct world *w, uint32_t id, bool evicted)
{
	uint64_t ring = w->host[id].dview.id.seq, members = w->host[id].dview.members.bits;
	struct round *r = &w->round[(ring ^ members) % ROUNDS];

	if (!w->past[id].informed || !w->past[id].before)
		return;
	if (r->ring != ring || r->members != members) {
		memset(r, 0, sizeof(*r));
		r->ring = ring;
		r->members = members;
	}
	if (evicted && w->past[id].before > r->evicted) {
		r->evicted = w->past[id].before;
		r->evicted_id = id;
	} else if (!evicted && (!r->kept || w->past[id].before < r->kept)) {
		r->kept = w->past[id].before;
		r->kept_id = id;
	}
	if (r->kept && r->evicted > r->kept)
		broken(w, "DLM-11", id,
		       "n%u of ring %" PRIx64 " is evicted, n%u of %" PRIx64 " goes on",
		       r->evicted_id, r->evicted, r->kept_id, r->kept);
}

static void follow(struct world *w, uint32_t id, const struct dlm_event *ev,
		   const struct dlm_actions *out)
{
	const struct net_view *v = &w->host[id].dview;
	struct dlm_status st;

	if (ev->type == DLM_EV_VIEW) {
		dlm_status(w->host[id].dlm, &st);
		w->past[id].before = w->past[id].synced;
		w->past[id].informed = st.informed;
	}
	for (unsigned i = 0; i < out->n; i++) {
		const struct dlm_action *a = &out->v[i];

		/* DLM-12: a dlmd that is away, of a node that is here and was all along, is waited for, but not in all locks.
		 * Who began with nothing in this ring does not know that it was. */
		if (a->type == DLM_ACT_LOST && a->life.state == DLM_LIFE_LOST &&
		    !incarnation_unseen(&a->life.life) && w->past[id].informed &&
		    w->past[id].synced == v->id.seq && nodeset_has(v->nodes, a->life.life.nodeid) &&
		    !nodeset_has(v->members, a->life.life.nodeid))
			broken(w, "DLM-12", id,
			       "stands still for the dlmd of n%u, whose node is here",
			       a->life.life.nodeid);
		if (ev->type == DLM_EV_DELIVER && a->type == DLM_ACT_EVICTED)
			newest_past(w, id, true);
		if (a->type == DLM_ACT_SYNCED && a->synced) {
			newest_past(w, id, false);
			w->past[id].synced = v->id.seq;
		}
	}
}

void check_dlm(struct world *w, uint32_t id, const struct dlm_event *ev,
	       const struct dlm_actions *out)
{
	const char *rule = dlm_broken(w->host[id].dlm);

	if (rule)
		broken(w, rule, id, "an invariant of the core, after event %d", (int)ev->type);
	follow(w, id, ev, out);
	check_locks(w, id, ev, out);
}

/* DLM-1: no two clients of the whole world hold what cannot live together. Called when one was told that it holds more. */
void check_lock(struct world *w, uint32_t id, const struct handle *x)
{
	if (x->held <= DLM_NL || excused(w, id, w->host[id].boot))
		return;
	for (uint32_t b = 1; b <= w->n; b++) {
		const struct host *h = &w->host[b];

		if (excused(w, b, h->boot)) /* it lives on behind its cut, and cannot do harm */
			continue;
		for (unsigned c = 1; c <= w->plan->clients; c++)
			for (unsigned i = 0; i < HANDLES; i++) {
				const struct handle *y = &h->client[c].h[i];

				if (x != y && y->held > DLM_NL && x->name == y->name &&
				    y->stage != H_FREE && !dlm_compatible(x->held, y->held))
					broken(w, "DLM-1", id, "n%u holds %s, n%u holds %s of r%u",
					       id, dlm_mode_name(x->held), b,
					       dlm_mode_name(y->held), x->name);
			}
	}
}

/* SAFE-2: the EX lock of a volume is held by one storaged, or by nobody. */
void check_volume_lock(struct world *w, uint32_t id, unsigned v)
{
	for (uint32_t b = 1; b <= w->n; b++) {
		const struct vlock *l = &w->host[b].vlock[v];

		if (b != id && l->state == VLOCK_HELD && l->told && l->wanted &&
		    !excused(w, b, w->host[b].boot) && !excused(w, id, w->host[id].boot))
			broken(w, "SAFE-2", id, "n%u and n%u hold the lock of volume %u", id, b, v);
	}
}

/* DLM-7: a value that may be read as valid is the last one that a writer was told is written, or a later one. */
void check_value(struct world *w, uint32_t id, const struct handle *x, uint64_t value)
{
	for (uint32_t b = 1; b <= w->n;
	     b++) /* who lives on behind its cut holds for nobody but himself */
		if (w->host[b].boot && excused(w, b, w->host[b].boot))
			return;
	if (value < w->lvb_done[x->name] || value > w->lvb_sent[x->name])
		broken(w, "DLM-7", id,
		       "r%u: reads value %" PRIu64 ", written are %" PRIu64 "..%" PRIu64, x->name,
		       value, w->lvb_done[x->name], w->lvb_sent[x->name]);
}
