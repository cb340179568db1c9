/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/host_dlm.c - what dlmd does around the core of the lock domain. */
#include "check.h"

#include <errno.h>
#include <string.h>

#define LEAVE_MS 3000 /* as dlm/daemon/main.c */

static uint32_t client_index(const struct host *h, uint32_t connection)
{
	if (connection && connection == h->lock_client)
		return 0;
	for (uint32_t c = 1; c < CLIENTS; c++)
		if (connection && h->client[c].id == connection)
			return c;
	return CLIENTS;
}

/* Routed to its connection, in order; a client that is gone hears nothing. */
static void tell(struct world *w, uint32_t id, uint32_t connection, const struct dlm_action *act)
{
	struct host *h = &w->host[id];
	uint32_t c = client_index(h, connection);

	if (c == CLIENTS)
		return;
	if (!h->dlm_view || !net_ring_quorate(w->net, h->dview.id.seq))
		c |= CLIENT_NO_QUORUM;
	push(w, 0, EV_ANSWER, id, (c & CLIENT_MASK) == 0 ? PART_STORAGE : KERNEL, c, connection,
	     keep(act, sizeof(*act)));
}

static void carry_out(struct world *w, uint32_t id, const struct dlm_actions *out,
		      const struct dlm_action *act)
{
	struct host *h = &w->host[id];

	switch (act->type) {
	case DLM_ACT_SEND:
		if (h->proc[PART_DLM].grouped)
			release_send(w, PART_DLM, id, out->bytes + act->send.off, act->send.len);
		break;
	case DLM_ACT_REPLY: tell(w, id, act->reply.client, act); break;
	case DLM_ACT_DONE: tell(w, id, act->done.client, act); break;
	case DLM_ACT_RECOVERED:
		say(w, "n%u dlmd: %u locks of n%u are released: %s", id, act->life.n,
		    act->life.life.nodeid, proof_kind_name(act->life.proof));
		break;
	case DLM_ACT_LOST:
		say(w, "n%u dlmd: n%u is %s with %u locks", id, act->life.life.nodeid,
		    act->life.state == DLM_LIFE_ABSENT ? "absent" : "lost", act->life.n);
		break;
	case DLM_ACT_EVICTED: say(w, "n%u dlmd: evicted", id); break;
	case DLM_ACT_BLOCKING:
	case DLM_ACT_SYNCED:
	case DLM_ACT_LEFT: break;
	}
}

int dlmd_feed(struct world *w, uint32_t id, struct dlm_event *ev)
{
	static struct dlm_actions out;
	struct host *h = &w->host[id];
	bool evicted = false, left = false, busy = false;

	if (!h->dlm || w->failed)
		return -EAGAIN;
	ev->now_ms = local_ms(w, id);
	release_begin(w, id, PART_DLM);
	int rc = dlm_step(h->dlm, ev, &out);
	release_end();

	stepped(w, id, PART_DLM, ev->type, rc, rc < 0 ? 0 : out.n);
	/* what a later release says beside it is left out */
	if (rc < 0 && ev->type == DLM_EV_DELIVER &&
	    !release_unknown(PART_DLM, ev->deliver.data, ev->deliver.len))
		broken(w, "DLM-3", id, "a message of a member was refused: %d", rc);
	check_dlm(w, id, ev, &out);
	for (unsigned i = 0; rc >= 0 && i < out.n && !w->failed; i++) {
		const struct dlm_action *act = &out.v[i];

		carry_out(w, id, &out, act);
		evicted = evicted || act->type == DLM_ACT_EVICTED;
		left = left || act->type == DLM_ACT_LEFT;
		busy = busy || (act->type == DLM_ACT_REPLY && act->reply.client == 0 &&
				act->reply.rc == -EBUSY && h->proc[PART_DLM].leaving);
	}
	if (evicted) { /* it ends, and systemd starts it again */
		w->stats.evictions++;
		proc_end(w, id, PART_DLM, false, 100);
	} else if (left || busy) {
		proc_end(w, id, PART_DLM, left, 100);
	}
	return rc;
}

void dlmd_start(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	struct nodeset all = { ((UINT64_C(1) << w->n) - 1) << 1 };
	struct incarnation self = life_of(id, h->boot, local_ms(w, id) * 1000 + 1);

	h->dlm_view = h->dlm_joined = false;
	memset(&h->dview, 0, sizeof(h->dview));
	check_dlm_begin(w, id);
	h->dlm = dlm_new(&self, all);
	if (!h->dlm)
		abort();
	if (has_part(w, PART_FENCE))
		link_reset(w, id, PART_DLM, 0);
	else
		stub_fence_tell(w, id);
	clients_start(w, id);
}

void dlmd_gone(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	h->dlm = dlm_free(h->dlm);
	h->link[PART_DLM].up = false;
	h->link[PART_DLM].life++;
	clients_lost(w, id);
	vlock_lost(w, id);
}

/* A goodbye that nobody delivers must not hold up a shutdown: without it the locks stand, which is safe. */
void dlmd_leave(struct world *w, uint32_t id)
{
	struct dlm_event ev = { .type = DLM_EV_LEAVE };

	push(w, LEAVE_MS, EV_GONE, id, PART_DLM, UINT32_MAX, 0, NULL);
	if (w->host[id].dlm_view)
		dlmd_feed(w, id, &ev);
	else
		proc_end(w, id, PART_DLM, true, 100);
}

void dlmd_view(struct world *w, uint32_t id, const struct net_view *v)
{
	struct dlm_event ev = { .type = DLM_EV_VIEW };
	struct host *h = &w->host[id];

	h->dview = *v;
	h->dlm_view = true;
	ev.view.id = v->id;
	ev.view.quorate = v->quorate;
	ev.view.nodes = v->nodes;
	ev.view.members = v->members;
	ev.view.joined = v->joined;
	dlmd_feed(w, id, &ev);
	if (!has_part(w, PART_FENCE))
		stub_fence_view(w, id, v);
}

void dlmd_state(struct world *w, uint32_t id, const struct fence_state *st)
{
	struct host *h = &w->host[id];
	struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = st };

	dlmd_feed(w, id, &ev);
	if (h->dlm_joined || !fence_state_member(st) || h->proc[PART_DLM].leaving || !h->dlm)
		return;
	h->dlm_joined = true; /* join_when_member() of dlm/daemon/main.c */
	proc_join(w, id, PART_DLM);
}

void dlmd_event(struct world *w, const struct timed *t)
{
	struct dlm_event ev = { .type = DLM_EV_SUBMIT };

	if (t->kind == EV_SUBMIT) {
		const struct dlm_op *op = t->data;
		struct dlm_action no = { .type = DLM_ACT_REPLY };

		ev.submit = op;
		int rc = w->host[t->node].proc[PART_DLM].leaving ? -ESHUTDOWN
								 : dlmd_feed(w, t->node, &ev);

		if (rc < 0 && w->host[t->node].dlm) {
			no.reply.client = op->client;
			no.reply.cookie = op->cookie;
			no.reply.rc = rc;
			tell(w, t->node, op->client, &no);
		}
	} else if (t->a == UINT32_MAX) {
		proc_end(w, t->node, PART_DLM, true, 100);
	} else {
		struct dlm_op gone = { .type = DLM_OP_CLIENT_GONE, .client = t->a };

		ev.submit = &gone;
		if (dlmd_feed(w, t->node, &ev) == -ENOSPC)
			push(w, 100, EV_GONE, t->node, PART_DLM, t->a, 0, NULL);
	}
}
