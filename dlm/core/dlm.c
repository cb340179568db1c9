/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events, and the join protocol of doc/ARCHITECTURE.md "Shape of a core". */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dlm_action *dlm_push(struct dlm *dlm, int type)
{
	struct dlm_actions *out = dlm->out;

	assert(out->n < DLM_ACTIONS_MAX);
	out->v[out->n] = (struct dlm_action){ .type = type };
	return &out->v[out->n++];
}

struct dlm *dlm_new(const struct incarnation *self, struct nodeset configured)
{
	struct dlm *dlm = calloc(1, sizeof(*dlm));

	if (!dlm)
		return NULL;
	dlm->lock = calloc(DLM_LOCKS_MAX, sizeof(*dlm->lock));
	dlm->res = calloc(DLM_RESOURCES_MAX, sizeof(*dlm->res));
	dlm->pending = calloc(DLM_PENDING_MAX, sizeof(*dlm->pending));
	if (!dlm->lock || !dlm->res || !dlm->pending)
		return dlm_free(dlm);
	dlm->self = *self;
	dlm->configured = configured;
	dlm_state_clear(dlm);
	return dlm;
}

struct dlm *dlm_free(struct dlm *dlm)
{
	if (dlm) {
		free(dlm->lock);
		free(dlm->res);
		free(dlm->pending);
		free(dlm);
	}
	return NULL;
}

/* Lives */

bool dlm_is_self(const struct dlm *dlm, const struct dlm_life *life)
{
	return life->state == DLM_LIFE_MEMBER && incarnation_same_boot(&life->inc, &dlm->self);
}

struct dlm_life *dlm_life_of(struct dlm *dlm, uint32_t nodeid)
{
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		if (dlm->life[i].state == DLM_LIFE_MEMBER && dlm->life[i].inc.nodeid == nodeid)
			return &dlm->life[i];
	return NULL;
}

static struct dlm_life *life_find(struct dlm *dlm, const struct incarnation *inc)
{
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		if (dlm->life[i].state != DLM_LIFE_NONE &&
		    incarnation_same_boot(&dlm->life[i].inc, inc))
			return &dlm->life[i];
	return NULL;
}

/* NULL: full of lives that wait for proofs. */
struct dlm_life *dlm_life_add(struct dlm *dlm, const struct incarnation *inc)
{
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		struct dlm_life *life = &dlm->life[i];

		if (life->state == DLM_LIFE_NONE) {
			*life = (struct dlm_life){ .state = DLM_LIFE_MEMBER, .inc = *inc };
			return life;
		}
	}
	return NULL;
}

/* Lives that may have been granted something that we do not know of. An absent one may not: its node is with us. */
static struct nodeset lost_lives(const struct dlm *dlm)
{
	struct nodeset lost = NODESET_EMPTY;

	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		if (dlm->life[i].state == DLM_LIFE_LOST)
			nodeset_add(&lost, dlm->life[i].inc.nodeid);
	return lost;
}

static void life_lost(struct dlm *dlm, struct dlm_life *life, enum dlm_life_state state)
{
	struct dlm_action *act;

	if (life->state == DLM_LIFE_MEMBER)
		dlm_life_silence(dlm, life);
	life->state = state;
	act = dlm_push(dlm, DLM_ACT_LOST);
	act->life.life = life->inc;
	act->life.state = state;
	act->life.n = dlm_life_locks(dlm, life);
}

static void life_over(struct dlm *dlm, struct dlm_life *life, enum proof_kind kind)
{
	struct incarnation inc = life->inc;
	unsigned n = dlm_life_drop(dlm, life);
	struct dlm_action *act = dlm_push(dlm, DLM_ACT_RECOVERED);

	act->life.life = inc;
	act->life.proof = kind;
	act->life.n = n;
}

/* Joining: SYNC from all, STATE from the best informed if anybody lacks it, then the facts about members. */

static bool same_history(const struct dlm_sync *a, const struct dlm_sync *b)
{
	return a->informed && b->informed && view_id_equal(a->last_view, b->last_view) &&
	       a->history == b->history;
}

static void send_sync(struct dlm *dlm)
{
	struct wire_w w;
	size_t sec;

	if (!dlm_send_begin(dlm, &w, DLM_MSG_SYNC, 256 + (1 + DLM_LIVES_MAX) * DLM_BESIDE_BYTES))
		return;
	sec = wire_w_open(&w);
	incarnation_write(&dlm->self, &w);
	/* Evicted, we have clients with a past that is nobody's: no member before we start anew. Who said goodbye holds
	 * nothing, and the others may have gone on without it: what it knows counts no more. */
	wire_w_bool(&w, (dlm->informed && !dlm->leaving) || dlm->evicted);
	wire_w_u64(&w, dlm->evicted ? 0 : dlm->last_view.seq);
	wire_w_u32(&w, dlm->last_view.rep);
	wire_w_u64(&w, dlm->history);
	wire_w_u64(&w, dlm->configured.bits);
	wire_w_bool(&w, dlm->told_quorate);
	wire_w_bool(&w, dlm->confirmed);
	dlm_beside_write(dlm, &w);
	wire_w_close(&w, sec);
	dlm_send_end(dlm, &w);
	dlm->fenced_said = dlm->fenced;
}

/* The member whose state all adopt: informed, latest quorate view, longest history, lowest nodeid. 0: nobody is informed. */
static uint32_t choose_base(const struct dlm *dlm)
{
	uint32_t base = 0;

	nodeset_for_each (id, dlm->members) {
		const struct dlm_sync *s = &dlm->sync[id], *b = &dlm->sync[base];

		if (!s->informed || !s->last_view.seq)
			continue;
		if (!base || s->last_view.seq > b->last_view.seq ||
		    (s->last_view.seq == b->last_view.seq && s->history > b->history))
			base = id;
	}
	return base;
}

static void fail_pending(struct dlm *dlm, int rc)
{
	while (dlm->n_pending) {
		const struct dlm_op *op = &dlm->pending[dlm->pending_head];

		if (op->type != DLM_OP_CLIENT_GONE) {
			struct dlm_action *act = dlm_push(dlm, DLM_ACT_REPLY);

			act->reply.client = op->client;
			act->reply.cookie = op->cookie;
			act->reply.rc = rc;
		}
		dlm->pending_head = (dlm->pending_head + 1) % DLM_PENDING_MAX;
		dlm->n_pending--;
	}
}

static void evict(struct dlm *dlm)
{
	if (dlm->evicted)
		return;
	dlm->evicted = true;
	fail_pending(dlm, -ESHUTDOWN);
	dlm_push(dlm, DLM_ACT_EVICTED);
}

static void on_member(struct dlm *dlm, uint32_t id, const struct dlm_sync *base)
{
	const struct dlm_sync *s = &dlm->sync[id];
	struct dlm_life *life = life_find(dlm, &s->inc);

	/* A machine runs one kernel at a time: in this view it is this one, so those before it are over (a proof: new_boot). */
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		if (dlm->life[i].state != DLM_LIFE_NONE && dlm->life[i].inc.nodeid == id &&
		    &dlm->life[i] != life)
			life_over(dlm, &dlm->life[i], PROOF_NEW_BOOT);
	if (!life) {
		life = dlm_life_add(dlm, &s->inc);
		if (!life)
			return; /* no room: it is evicted, and heard again when a proof makes some */
	}
	if (!s->informed) {
		/* A new process in the same kernel: what it holds stands, but no client is attached to it. */
		dlm_life_silence(dlm, life);
		life->state = DLM_LIFE_MEMBER;
		life->inc = s->inc;
	} else if (same_history(s, base)) {
		life->state = DLM_LIFE_MEMBER; /* nothing was decided while it was away */
	} else if (life->state != DLM_LIFE_LOST) {
		/* Informed of another past: its clients may have been told what we do not know, or not told what we do. It
		 * is lost until it comes back with nothing known, or is proven over. */
		life_lost(dlm, life, DLM_LIFE_LOST);
	}
}

static void suspect_unseen(struct dlm *dlm)
{
	struct nodeset all = NODESET_EMPTY;

	nodeset_for_each (id, dlm->members)
		all = nodeset_or(all, dlm->sync[id].configured);
	nodeset_for_each (id, nodeset_minus(all, dlm->members)) {
		struct incarnation unseen = { .nodeid = id };
		struct dlm_life *life = life_find(dlm, &unseen);

		if (!life)
			life = dlm_life_add(dlm, &unseen);
		if (life)
			life_lost(dlm, life, DLM_LIFE_LOST);
	}
}

/* May there be somebody that this state does not know of, and that holds locks?
 *  - Nobody knows anything: a node whose dlmd is not here may have one all the same, with locks granted in an earlier past: a
 *    partition that runs on, or a dlmd whose corosync was restarted and that is about to come back (tests/unit/dlm_domain.c).
 *  - Whoever saw all others ready in its last view is in the state of each view that came after it, so that none of them went
 *    on without it. Who did not see that may be left behind: a majority went on without knowing of it, and all of them that
 *    are here have forgotten it, as they are new. Not so when those who forgot nothing are a majority themselves.
 */
static bool others_may_hold(const struct dlm *dlm, const struct dlm_sync *base)
{
	struct nodeset all = NODESET_EMPTY, forgot_nothing = NODESET_EMPTY;

	if (!base->informed)
		return true;
	nodeset_for_each (id, dlm->members) {
		const struct dlm_sync *s = &dlm->sync[id];

		all = nodeset_or(all, s->configured);
		if (s->informed && s->last_view.seq)
			nodeset_add(&forgot_nothing, id);
	}
	return !base->confirmed && 2 * nodeset_count(forgot_nothing) <= nodeset_count(all);
}

static void send_ready(struct dlm *dlm)
{
	struct wire_w w;

	if (!dlm_send_begin(dlm, &w, DLM_MSG_READY, 16))
		return;
	dlm->said_ready = true;
	dlm_send_end(dlm, &w);
}

/* All proofs are there, and every member of the view knows it: grant what became free, and send what was parked. One's own
 * word is not enough: in a ring that is over a node hears itself, and itself alone (doc/SAFETY.md "Who goes on").
 */
static void maybe_go_on(struct dlm *dlm)
{
	struct dlm_life *self = dlm_life_of(dlm, dlm->self.nodeid);

	if (!dlm->waiting || !nodeset_empty(lost_lives(dlm)))
		return;
	if (!dlm->said_ready)
		send_ready(dlm);
	if (!nodeset_equal(dlm->got_ready, dlm->members))
		return;
	dlm->waiting = false;
	dlm->informed = dlm->confirmed = true;
	dlm->history++;
	dlm_pass_all(dlm);
	if (dlm->evicted || !self)
		return;

	dlm->op_sent = self->op_last;
	for (unsigned i = 0; i < dlm->n_pending; i++)
		dlm_op_send(dlm, &dlm->pending[(dlm->pending_head + i) % DLM_PENDING_MAX],
			    ++dlm->op_sent);
}

static void synced(struct dlm *dlm, const struct dlm_sync *base)
{
	dlm->synced = dlm->waiting = true;
	dlm->wants_state = dlm->loading = dlm->said_ready = dlm->confirmed = false;
	dlm->got_ready = NODESET_EMPTY;
	/* Whoever is a member in the state but not in the view. Its daemon is gone while its node is here: if this state is of
	 * this very ring, it is known to have heard no more of it. In another ring it may have been anywhere: its corosync, too,
	 * may have been restarted in between. */
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		struct dlm_life *life = &dlm->life[i];

		if ((life->state != DLM_LIFE_MEMBER && life->state != DLM_LIFE_ABSENT) ||
		    nodeset_has(dlm->members, life->inc.nodeid))
			continue;
		if (!nodeset_has(dlm->nodes, life->inc.nodeid))
			life_lost(dlm, life, DLM_LIFE_LOST);
		else if (life->state == DLM_LIFE_MEMBER)
			life_lost(dlm, life,
				  view_id_equal(base->last_view, dlm->view) ? DLM_LIFE_ABSENT
									    : DLM_LIFE_LOST);
	}
	nodeset_for_each (id, dlm->members)
		on_member(dlm, id, base);
	if (others_may_hold(dlm, base))
		suspect_unseen(dlm);
	for (unsigned k = 0; k < dlm->n_beside; k++) {
		struct dlm_life *life = life_find(dlm, &dlm->beside[k].life);

		if (life)
			dlm_life_beside(life, dlm->beside[k].fenced);
	}
	/* A state made of nothing, in which nothing could be granted yet, is nothing that others must know: two that start
	 * alone, and then meet, begin together. */
	dlm->informed = base->informed;
	dlm->last_view = dlm->view;
	dlm->history++;
	if (!dlm_life_of(dlm, dlm->self.nodeid) ||
	    !incarnation_same_boot(&dlm_life_of(dlm, dlm->self.nodeid)->inc, &dlm->self)) {
		evict(dlm);
	} else {
		dlm_push(dlm, DLM_ACT_SYNCED)->synced = true;
	}
}

static void maybe_synced(struct dlm *dlm)
{
	static const struct dlm_sync nobody;
	const struct dlm_sync *base;
	bool all_same = true;

	if (dlm->synced || !dlm->quorate || dlm->wants_state ||
	    !nodeset_equal(dlm->got_sync, dlm->members))
		return;
	dlm->base = choose_base(dlm);
	if (!dlm->base) {
		dlm_state_clear(dlm);
		dlm->history = 0;
		synced(dlm, &nobody);
		return;
	}
	base = &dlm->sync[dlm->base];
	nodeset_for_each (id, dlm->members)
		all_same = all_same && same_history(base, &dlm->sync[id]);
	if (all_same) {
		synced(dlm, base);
		return;
	}
	dlm->wants_state = true;
	if (dlm->base == dlm->self.nodeid)
		dlm_state_send(dlm);
}

/* Quorum is a fact about the ring, but each node hears of it in its own time: what counts is when the order hears of it. */
static void send_quorum(struct dlm *dlm)
{
	struct wire_w w;
	size_t sec;

	if (!dlm_send_begin(dlm, &w, DLM_MSG_QUORUM, 32))
		return;
	sec = wire_w_open(&w);
	wire_w_bool(&w, dlm->told_quorate);
	wire_w_close(&w, sec);
	dlm_send_end(dlm, &w);
}

static void begin_round(struct dlm *dlm)
{
	if (dlm->synced)
		dlm_push(dlm, DLM_ACT_SYNCED)->synced = false;
	dlm->got_sync = NODESET_EMPTY;
	dlm->n_beside = 0;
	dlm->synced = dlm->wants_state = dlm->waiting = false;
	dlm->proof_sent = 0;
	if (dlm->loading) { /* half a state is none, and what we had is gone */
		dlm->informed = dlm->loading = false;
		if (dlm->sync[dlm->self.nodeid].informed)
			evict(dlm);
	}
	send_sync(dlm);
}

static bool same_view(const struct dlm *dlm, const struct dlm_event *ev)
{
	return dlm->view.seq && view_id_equal(dlm->view, ev->view.id) &&
	       nodeset_equal(dlm->nodes, ev->view.nodes) &&
	       nodeset_equal(dlm->members, ev->view.members) && nodeset_empty(ev->view.joined);
}

static int on_view(struct dlm *dlm, const struct dlm_event *ev)
{
	if (!nodeset_has(ev->view.members, dlm->self.nodeid))
		return -EINVAL;
	if (same_view(dlm, ev)) { /* at most its quorum is news */
		if (dlm->told_quorate != ev->view.quorate) {
			dlm->told_quorate = ev->view.quorate;
			send_quorum(dlm);
		}
		return 0;
	}
	dlm->view = ev->view.id;
	dlm->told_quorate = ev->view.quorate;
	dlm->quorate = false;
	dlm->nodes = ev->view.nodes;
	dlm->members = ev->view.members;
	if (nodeset_has(ev->view.joined, dlm->self.nodeid))
		dlm->confirmed =
			false; /* we were out of the group: the others may have gone on without us */
	begin_round(dlm);
	return 0;
}

static int on_sync(struct dlm *dlm, uint32_t from, struct wire_r *r)
{
	struct dlm_sync s = { 0 };
	struct wire_r sec, joins;
	bool quorate;

	wire_r_section(r, &sec);
	dlm_r_incarnation(&sec, &s.inc);
	s.informed = wire_r_bool(&sec);
	s.last_view.seq = wire_r_u64(&sec);
	s.last_view.rep = wire_r_u32(&sec);
	s.history = wire_r_u64(&sec);
	s.configured.bits = wire_r_u64(&sec) & ~UINT64_C(1);
	quorate = wire_r_bool(&sec);
	s.confirmed = wire_r_bool(&sec);
	joins = sec;
	dlm_beside_read(NULL, &sec);
	if (wire_r_done(r) < 0 || s.inc.nodeid != from)
		return -EPROTO;
	dlm_beside_read(dlm, &joins);
	dlm->quorate = dlm->quorate || quorate;
	dlm->sync[from] = s;
	nodeset_add(&dlm->got_sync, from);
	maybe_synced(dlm);
	return 0;
}

/* Without quorum nothing goes on, and when it is back all exchange their states anew. */
static int on_quorum(struct dlm *dlm, struct wire_r *r)
{
	struct wire_r sec;
	bool quorate;

	wire_r_section(r, &sec);
	quorate = wire_r_bool(&sec);
	if (wire_r_done(r) < 0)
		return -EPROTO;
	if (quorate == dlm->quorate)
		return 0;
	dlm->quorate = quorate;
	if (quorate) {
		maybe_synced(dlm);
		return 0;
	}
	if (dlm->synced || dlm->wants_state)
		begin_round(dlm);
	return 0;
}

static int on_state(struct dlm *dlm, uint32_t from, struct wire_r *r)
{
	const struct dlm_sync base = dlm->sync[from];
	bool last = false;

	if (!dlm->wants_state || from != dlm->base)
		return 0; /* the rest of what an earlier round began */
	if (same_history(&base, &dlm->sync[dlm->self.nodeid])) {
		/* We have it: only its end matters, so that all go on at one point of the order. */
		while (wire_r_more(r))
			last = wire_r_u8(r);
	} else {
		if (dlm_state_load(dlm, r, &last) < 0) {
			dlm_state_clear(dlm);
			dlm->informed = false;
			dlm->loading = true; /* the next view sorts it out */
			dlm->base = 0;       /* until then no more of it */
			return -EPROTO;
		}
		dlm->loading = true;
		dlm->informed = false;
	}
	if (last)
		synced(dlm, &base);
	return 0;
}

/* Operations and proofs */

static int on_op(struct dlm *dlm, uint32_t from, struct wire_r *r)
{
	struct dlm_life *life = dlm_life_of(dlm, from);
	bool own = from == dlm->self.nodeid;
	struct dlm_op op;
	uint64_t number;

	if (dlm_op_read(r, &op, &number) < 0)
		return -EPROTO;
	if (!dlm->synced || dlm->waiting || !life ||
	    !incarnation_same_boot(&life->inc, &dlm->sync[from].inc))
		return 0; /* its owner sends it again when all go on; a zombie is not heard */
	if (number <= life->op_last)
		return 0;
	life->op_last = number;
	dlm->history++;
	if (own && dlm->n_pending) {
		op.cookie = dlm->pending[dlm->pending_head].cookie;
		dlm->pending_head = (dlm->pending_head + 1) % DLM_PENDING_MAX;
		dlm->n_pending--;
	}
	dlm_op_apply(dlm, life, &op, own);
	return 0;
}

static int on_proof(struct dlm *dlm, struct wire_r *r)
{
	struct dlm_life *life;
	struct incarnation inc;
	enum proof_kind kind;
	struct wire_r sec;

	wire_r_section(r, &sec);
	dlm_r_incarnation(&sec, &inc);
	kind = wire_r_u8(&sec);
	if (wire_r_done(r) < 0 || kind == PROOF_NONE)
		return -EPROTO;
	life = life_find(dlm, &inc);
	if (!dlm->synced || !life || life->state == DLM_LIFE_MEMBER)
		return 0; /* told twice, or it came back in time */
	dlm->history++;
	life_over(dlm, life, kind);
	if (!dlm->waiting)
		dlm_pass_all(dlm);
	return 0;
}

static int on_fenced(struct dlm *dlm, uint32_t from, struct wire_r *r)
{
	struct dlm_life *life = dlm_life_of(dlm, from);
	struct wire_r sec;
	uint64_t fenced;

	wire_r_section(r, &sec);
	fenced = wire_r_u64(&sec);
	if (wire_r_done(r) < 0)
		return -EPROTO;
	if (!dlm->synced || !life || !incarnation_same_boot(&life->inc, &dlm->sync[from].inc))
		return 0; /* not synced: its SYNC says it */
	dlm_life_beside(life, fenced);
	return 0;
}

static int on_ready(struct dlm *dlm, uint32_t from)
{
	if (dlm->synced)
		nodeset_add(&dlm->got_ready, from);
	return 0;
}

static int on_leave(struct dlm *dlm, uint32_t from)
{
	struct dlm_life *life = dlm_life_of(dlm, from);

	if (!dlm->synced || !life)
		return 0;
	dlm->history++;
	dlm_life_drop(dlm, life);
	if (!dlm->waiting)
		dlm_pass_all(dlm);
	if (from == dlm->self.nodeid)
		dlm_push(dlm, DLM_ACT_LEFT);
	return 0;
}

static int on_deliver(struct dlm *dlm, const struct dlm_event *ev)
{
	uint32_t from = ev->deliver.from;
	uint8_t type;
	struct wire_r r;

	wire_r_init(&r, ev->deliver.data, ev->deliver.len);
	if (!nodeset_has(dlm->members, from) || wire_r_u8(&r) < DLM_WIRE_VERSION)
		return -EPROTO;
	type = wire_r_u8(&r);
	switch (type) {
	case DLM_MSG_SYNC: return on_sync(dlm, from, &r);
	case DLM_MSG_STATE: return on_state(dlm, from, &r);
	case DLM_MSG_OP: return on_op(dlm, from, &r);
	case DLM_MSG_PROOF: return on_proof(dlm, &r);
	case DLM_MSG_LEAVE: return on_leave(dlm, from);
	case DLM_MSG_QUORUM: return on_quorum(dlm, &r);
	case DLM_MSG_READY: return on_ready(dlm, from);
	case DLM_MSG_FENCED: return on_fenced(dlm, from, &r);
	}
	return -EPROTO;
}

static int on_submit(struct dlm *dlm, const struct dlm_op *op)
{
	if (dlm->evicted || dlm->leaving)
		return -ESHUTDOWN;
	if (dlm_op_check(op) < 0)
		return -EINVAL;
	/* Room is kept for one CLIENT_GONE of every client: a goodbye must never be refused. */
	if (dlm->n_pending >=
	    DLM_PENDING_MAX - (op->type == DLM_OP_CLIENT_GONE ? 0 : DLM_CLIENTS_MAX))
		return -ENOSPC;
	dlm->pending[(dlm->pending_head + dlm->n_pending++) % DLM_PENDING_MAX] = *op;
	if (dlm->synced && !dlm->waiting)
		dlm_op_send(dlm, op, ++dlm->op_sent);
	return 0;
}

static int on_want_leave(struct dlm *dlm)
{
	struct dlm_life *self = dlm_life_of(dlm, dlm->self.nodeid);
	struct wire_w w;

	if (dlm->synced && self && !dlm->n_pending && !dlm_life_locks(dlm, self) &&
	    dlm_send_begin(dlm, &w, DLM_MSG_LEAVE, 16)) {
		dlm->leaving = true;
		dlm_send_end(dlm, &w);
		return 0;
	}
	dlm_push(dlm, DLM_ACT_REPLY)->reply.rc = -EBUSY;
	return 0;
}

int dlm_step(struct dlm *dlm, const struct dlm_event *ev, struct dlm_actions *out)
{
	int rc = 0;

	out->n = 0;
	out->bytes_used = 0;
	dlm->out = out;
	dlm->now_ms = ev->now_ms;
	switch (ev->type) {
	case DLM_EV_VIEW: rc = on_view(dlm, ev); break;
	case DLM_EV_DELIVER: rc = on_deliver(dlm, ev); break;
	case DLM_EV_FENCE: dlm_proofs_hear(dlm, ev->fence); break;
	case DLM_EV_SUBMIT: rc = on_submit(dlm, ev->submit); break;
	case DLM_EV_LEAVE: rc = on_want_leave(dlm); break;
	}
	if (rc == 0) {
		maybe_go_on(dlm);
		dlm_fenced_tell(dlm);
		dlm_proofs_send(dlm);
	}
	dlm->out = NULL;
	return rc;
}

const char *dlm_broken(const struct dlm *dlm)
{
	const char *broken;
	unsigned n = 0;

	if (dlm->synced && (!dlm->quorate || !nodeset_equal(dlm->got_sync, dlm->members)))
		return "DLM-6";
	if (dlm->synced && !dlm->waiting &&
	    (!nodeset_equal(dlm->got_ready, dlm->members) || !nodeset_empty(lost_lives(dlm))))
		return "DLM-6";
	for (const struct dlm_resource *res = dlm_resource_next(dlm, NULL); res;
	     res = dlm_resource_next(dlm, res)) {
		broken = dlm_resource_broken(res);
		if (!broken && dlm->synced && !dlm->waiting)
			broken = dlm_resource_stuck(res);
		if (broken)
			return broken;
		n++;
	}
	if (n != dlm->n_resources)
		return "DLM-3";
	for (unsigned i = 0; i < dlm->lock_end; i++)
		if (dlm->lock[i].res && dlm->life[dlm->lock[i].life].state == DLM_LIFE_NONE)
			return "DLM-4";
	return NULL;
}

void dlm_status(const struct dlm *dlm, struct dlm_status *ret)
{
	*ret = (struct dlm_status){ .quorate = dlm->quorate || dlm->told_quorate,
				    .synced = dlm->synced &&
					      (!dlm->waiting || !nodeset_empty(lost_lives(dlm))),
				    .informed = dlm->informed,
				    .evicted = dlm->evicted,
				    .view = dlm->view,
				    .members = dlm->members,
				    .waiting_sync = nodeset_minus(dlm->members, dlm->got_sync),
				    .locks = dlm->n_locks,
				    .resources = dlm->n_resources,
				    .pending = dlm->n_pending };
	if (dlm->wants_state)
		ret->waiting_sync = nodeset_of(dlm->base);
	else if (dlm->synced)
		ret->waiting_sync = nodeset_minus(dlm->members, dlm->got_ready);
	if (dlm->synced)
		ret->stopped_for = lost_lives(dlm);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		ret->lives_waiting += dlm->life[i].state == DLM_LIFE_LOST ||
				      dlm->life[i].state == DLM_LIFE_ABSENT;
}

bool dlm_life_at(const struct dlm *dlm, unsigned index, struct dlm_life_view *ret)
{
	const struct dlm_life *life = &dlm->life[index];

	if (index >= DLM_LIVES_MAX || life->state == DLM_LIFE_NONE)
		return false;
	*ret = (struct dlm_life_view){ .life = life->inc,
				       .state = life->state,
				       .locks = dlm_life_locks(dlm, life) };
	return true;
}

const struct dlm_resource *dlm_resource_next(const struct dlm *dlm,
					     const struct dlm_resource *after)
{
	unsigned i = after ? (unsigned)(after - dlm->res) + 1 : 0;

	/* A resource in use is in its hash chain; the pool is walked because it gives each once and is always valid. */
	for (; i < dlm->res_end; i++)
		if (!dlm_resource_unused(&dlm->res[i]))
			return &dlm->res[i];
	return NULL;
}
