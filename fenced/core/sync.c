/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/sync.c - rounds: every member says what it knows, then all adopt one book and agree who is what.
 *
 * A round begins with every change of the group. It ends (settle) at the same message for everybody: the SYNC that was
 * missing, the EXCUSE of a mute member, or the word that the view is quorate. What it decides depends only on the SYNCs and
 * the view, so all decide the same. Without quorum nothing is decided, the books stay as they are (SAFE-4).
 */
#include "domain.h"

#include <errno.h>
#include <string.h>

static struct nodeset members(const struct fence_domain *d)
{
	return nodeset_and(d->view.members, d->cfg.nodes);
}

static void begin_round(struct fence_domain *d)
{
	d->synced = d->agreed = false;
	d->excused = NODESET_EMPTY;
	d->excuse_sent = d->quorate_sent = false;
	d->round_ms = d->now_ms;
	d->quiet = d->quiet || !d->view.quorate;
	d->leave_sent = false;
	d->heard.owed = 0;
	for (unsigned i = 0; i < d->n; i++) {
		struct local *l = &d->local[i];

		d->sync[i].have = false;
		l->proof_sent = l->declare_sent = l->request_sent = l->failed_sent = false;
		/* not begun yet: begin anew in this view, with its own confirmation */
		if (l->att.stage == ATT_ASKED || l->att.stage == ATT_CONFIRM)
			l->att.stage = ATT_IDLE;
	}
	d->signs_dirty = false; /* SYNC says it all */
	fence_emit_sync(d);
}

/*
 * Its fenced is in the group again: a goodbye that was heard speaks of the time before, also when no round is ever
 * finished with it. Else this:
 *  1. A's fenced hangs     2. B stops in order, starts again, and its dlmd takes locks     3. B falls
 *  4. A wakes, hears all of it at once, and takes B for one that left holding nothing (goodbye_is_over_when_it_is_back.scn)
 */
static void take_back(struct fence_domain *d, struct nodeset joined)
{
	nodeset_for_each (id, nodeset_and(joined, d->cfg.nodes)) {
		struct record *r = &d->book.rec[d->slot[id]];

		r->goodbye = false;
		r->goodbye_wall_s = 0;
		/* its watchdog counts again when it says so: the fenced before disarmed it at its goodbye (SAFE-12) */
		d->local[d->slot[id]].armed_ms = 0;
		if (r->state != FENCE_NODE_DEAD || r->proof.kind != PROOF_CLEAN_LEAVE)
			continue;
		memset(&r->proof, 0, sizeof(r->proof));
		r->state = FENCE_NODE_ABSENT;
	}
}

int fence_on_view(struct fence_domain *d, const struct fence_view *v)
{
	if (!nodeset_has(v->members, d->cfg.self.nodeid) || v->id.seq == 0)
		return fence_refuse(d, -EINVAL, "a view without ourselves");
	bool same_ring = view_id_equal(v->id, d->view.id);
	bool same_group = same_ring && nodeset_equal(v->members, d->view.members) &&
			  nodeset_equal(v->nodes, d->view.nodes) && nodeset_empty(v->joined) &&
			  nodeset_empty(v->left_nodedown) && nodeset_empty(v->left_other);

	if (!same_ring) {
		/* Who fell in a ring that was not quorate fell only for us: a minority accuses nobody (SAFE-4). */
		if (!d->ring_quorate)
			d->fell = NODESET_EMPTY;
		d->ring_quorate = false;
	}
	take_back(d, v->joined);
	d->fell = nodeset_or(d->fell, v->left_nodedown);
	d->view = *v;
	d->ring_quorate = d->ring_quorate || v->quorate;
	if (!same_group)
		begin_round(d);
	return 0;
}

void fence_on_lost(struct fence_domain *d)
{
	memset(&d->view, 0, sizeof(d->view));
	d->synced = d->agreed = d->ring_quorate = false;
	d->quiet = true;
	d->fell = NODESET_EMPTY;
}

/* What @a's word says of the present life of @b; NULL: nothing. */
static const struct record *word_about(const struct fence_domain *d, uint32_t a, uint32_t b)
{
	const struct book *book = &d->sync[d->slot[a]].book;
	unsigned i = 0;

	while (i < book->n && book->rec[i].nodeid != b)
		i++;
	return i < book->n && incarnation_same_boot(&book->rec[i].life, &d->sync[d->slot[b]].life)
		       ? &book->rec[i]
		       : NULL;
}

/* Does @a's word say that the present life of @b is over or must end? */
static bool accuses(const struct fence_domain *d, uint32_t a, uint32_t b)
{
	const struct record *r = word_about(d, a, b);

	return r && (r->state == FENCE_NODE_VICTIM ||
		     (r->state == FENCE_NODE_DEAD && r->proof.kind != PROOF_CLEAN_LEAVE) ||
		     (nodeset_has(d->sync[d->slot[a]].fell, b) && r->state != FENCE_NODE_DEAD));
}

static unsigned supporters(const struct fence_domain *d, uint64_t history)
{
	unsigned n = 0;

	nodeset_for_each (m, members(d)) {
		const struct sync *y = &d->sync[d->slot[m]];

		n += y->have && y->informed && y->book.history == history;
	}
	return n;
}

static bool holds_proof_of(const struct fence_domain *d, uint32_t a, uint32_t b)
{
	const struct record *r = word_about(d, a, b);

	return r && r->state == FENCE_NODE_DEAD;
}

static unsigned accusers(const struct fence_domain *d, uint32_t b)
{
	unsigned n = 0;

	nodeset_for_each (a, members(d)) {
		const struct sync *y = &d->sync[d->slot[a]];

		n += y->have && y->informed && a != b && accuses(d, a, b);
	}
	return n;
}

/*
 * Whose book goes on? One history: the longer one. Who is accused has no say. Two sides that accuse each other (a two-node
 * cut that healed): the one that already has a proof of the other's end may have taken its services over and must stay; then
 * the one that more members stand by; then the one that serves more; then the lower nodeid. Two histories that have nothing in
 * common (each started alone, or all but a sleeper began anew): the one of more members, then of who holds something.
 */
static bool better(const struct fence_domain *d, uint32_t a, uint32_t b)
{
	const struct sync *ya = &d->sync[d->slot[a]], *yb = &d->sync[d->slot[b]];
	bool ab = accuses(d, a, b), ba = accuses(d, b, a);

	if (ab != ba)
		return ab;
	if (ab) {
		bool pa = holds_proof_of(d, a, b), pb = holds_proof_of(d, b, a);
		unsigned na = accusers(d, a), nb = accusers(d, b);

		if (pa != pb)
			return pa;
		if (na != nb)
			return na < nb;
		if (ya->weight != yb->weight)
			return ya->weight > yb->weight;
		return a < b;
	}
	if (ya->book.history != yb->book.history) {
		unsigned na = supporters(d, ya->book.history), nb = supporters(d, yb->book.history);

		if (na != nb)
			return na > nb;
		if (ya->holds != yb->holds)
			return ya->holds;
		if (ya->weight != yb->weight)
			return ya->weight > yb->weight;
	}
	if (ya->book.number != yb->book.number)
		return ya->book.number > yb->book.number;
	return a < b;
}

static uint32_t choose(const struct fence_domain *d)
{
	uint32_t best = 0;

	nodeset_for_each (m, members(d)) {
		const struct sync *y = &d->sync[d->slot[m]];

		if (y->have && y->informed && (best == 0 || better(d, m, best)))
			best = m;
	}
	return best;
}

/* A member that is here, and what the adopted book holds about it. */
static void admit(struct fence_domain *d, struct record *r, const struct sync *y, uint32_t chosen)
{
	bool same = incarnation_same_boot(&r->life, &y->life);
	/* It was the same life all along, only its fenced is a new one: nothing that it held was given away yet. */
	bool away = (r->reason == FENCE_REASON_ABSENT || r->reason == FENCE_REASON_MUTE ||
		     r->reason == FENCE_REASON_UNSEEN) &&
		    y->life.join > r->life.join && r->attempts == 0;
	/*
	 * It comes with a history of its own and holds something by it. Who holds nothing is welcome: two nodes that start
	 * at once are often alone and quorate for a moment, and nothing is activated while a node is unseen.
	 */
	bool stranger = y->informed && y->holds && chosen != 0 &&
			(incarnation_unseen(&r->life) || r->state == FENCE_NODE_UNKNOWN);

	switch (r->state) {
	case FENCE_NODE_UNKNOWN:
		fence_rec_member(r, &y->life);
		if (stranger)
			fence_rec_victim(r, FENCE_REASON_ZOMBIE,
					 "it comes from another cluster of the same name");
		return;
	case FENCE_NODE_MEMBER:
	case FENCE_NODE_ABSENT:
		if (!same) {
			fence_rec_new_boot(&d->book, r, &y->life, y->wall_s);
		} else if (y->life.join < r->life.join) {
			fence_rec_victim(r, FENCE_REASON_ZOMBIE, "an older fenced of it came back");
		} else {
			bool bye = r->goodbye && y->life.join == r->life.join;
			int64_t bye_wall_s = r->goodbye_wall_s;

			fence_rec_member(r, &y->life);
			r->goodbye = bye;
			r->goodbye_wall_s = bye ? bye_wall_s : 0;
		}
		return;
	case FENCE_NODE_VICTIM:
		if (stranger) {
			r->life = y->life;
			fence_rec_victim(r, FENCE_REASON_ZOMBIE,
					 "it comes from another cluster of the same name");
		} else if (!same) {
			fence_rec_new_boot(&d->book, r, &y->life, y->wall_s);
		} else if (away) {
			fence_rec_member(r, &y->life);
		}
		return;
	case FENCE_NODE_DEAD:
		if (stranger) {
			r->life = y->life;
			fence_rec_victim(r, FENCE_REASON_ZOMBIE,
					 "it comes from another cluster of the same name");
		} else if (!same) {
			fence_rec_member(
				r, &y->life); /* the proof stays: it is about the older life */
		} else if (r->proof.kind == PROOF_CLEAN_LEAVE) {
			memset(&r->proof, 0, sizeof(r->proof)); /* its life goes on */
			fence_rec_member(r, &y->life);
		} else {
			char why[FENCE_TEXT_MAX];

			fence_text_copy(
				why,
				r->proof.kind == PROOF_STORAGE_CUT
					? "it was cut off from its storage, and has to boot before it joins"
					: "it is alive although there was a proof");
			fence_text_add(why, r->proof.evidence);
			r->life.join = y->life.join;
			fence_rec_victim(r, FENCE_REASON_ZOMBIE, why);
		}
		return;
	}
}

/* A node without a fenced in the group. */
static void miss(struct fence_domain *d, struct record *r)
{
	bool node_here = nodeset_has(d->view.nodes, r->nodeid);

	if (r->state != FENCE_NODE_MEMBER && r->state != FENCE_NODE_ABSENT)
		return;
	if (r->goodbye)
		fence_rec_gone(&d->book, r);
	else if (!node_here)
		fence_rec_victim(r, FENCE_REASON_NODEDOWN, "it left corosync's membership");
	else if (nodeset_has(d->view.members, r->nodeid))
		fence_rec_victim(r, FENCE_REASON_MUTE,
				 "its fenced is in the group and says nothing");
	else
		r->state = FENCE_NODE_ABSENT;
}

/* Nobody knows anything: all that is known is who is here, and proofs that were kept in this very ring. */
static void start_empty(struct fence_domain *d)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^
		     d->view.id.seq; /* a name that no other beginning has */

	nodeset_for_each (m, members(d))
		if (d->sync[d->slot[m]].have) {
			const struct incarnation *l = &d->sync[d->slot[m]].life;

			for (unsigned i = 0; i < BOOT_ID_BYTES; i++)
				h = (h ^ l->boot_id[i]) * UINT64_C(0x100000001b3);
			h = (h ^ l->join) * UINT64_C(0x100000001b3);
		}
	fence_book_empty(&d->book, d->cfg.nodes);
	d->book.history = h;
	nodeset_for_each (m, members(d)) {
		const struct sync *y = &d->sync[d->slot[m]];

		for (unsigned i = 0; y->have && i < y->n_stored; i++) {
			const struct proof *p = &y->stored[i];
			struct record *r = rec_of(d, p->victim.nodeid);

			if (!r || r->state != FENCE_NODE_UNKNOWN || p->kind == PROOF_NONE ||
			    nodeset_has(d->view.nodes, r->nodeid))
				continue;
			r->life = p->victim;
			fence_rec_dead(&d->book, r, p);
		}
	}
	if (nodeset_count(members(d)) == 1) /* of several, each would know something else */
		fence_attest_recall(d);
}

static void settle(struct fence_domain *d)
{
	uint32_t chosen = choose(d);
	uint64_t max = 0;

	nodeset_for_each (m, members(d)) {
		const struct sync *y = &d->sync[d->slot[m]];

		if (y->have && y->informed && y->book.number > max)
			max = y->book.number;
	}
	if (chosen == 0)
		start_empty(d);
	else
		fence_book_copy(&d->book, d->cfg.nodes, &d->sync[d->slot[chosen]].book);
	d->book.number = ((max >> 32) + 1) << 32;

	struct nodeset fell = chosen ? d->sync[d->slot[chosen]].fell : NODESET_EMPTY;
	bool lags = chosen && d->sync[d->self].book.number != d->sync[d->slot[chosen]].book.number;

	for (unsigned i = 0; i < d->n; i++) {
		struct record *r = &d->book.rec[i];
		bool live = r->state == FENCE_NODE_MEMBER || r->state == FENCE_NODE_ABSENT;

		if (live && nodeset_has(fell, r->nodeid) && r->nodeid != chosen) {
			if (r->goodbye)
				fence_rec_gone(&d->book, r);
			else
				fence_rec_victim(r, FENCE_REASON_NODEDOWN,
						 "it left corosync's membership");
		}
	}
	for (unsigned i = 0; i < d->n; i++) {
		struct record *r = &d->book.rec[i];
		const struct sync *y = &d->sync[i];
		struct local *l = &d->local[i];

		if (nodeset_has(members(d), r->nodeid) && y->have) {
			admit(d, r, y, chosen);
			fence_attest_heard(d, i, &y->life);
			l->said = true;
			l->knows = NODESET_EMPTY;
			for (unsigned k = 0; k < y->book.n; k++)
				nodeset_add(&l->knows, y->book.rec[k].nodeid);
			l->hash = y->hash;
			l->weight = y->weight;
			l->changes = y->changes;
			fence_dog_word(l, &y->life, y->armed_ms);
			l->holds = y->holds;
			l->fresh = y->fresh;
		} else {
			miss(d, r);
			l->fresh = NODESET_EMPTY; /* what it saw is no news any more */
			if (lags) /* it may have disarmed it where we were not (SAFE-12) */
				l->armed_ms = 0;
		}
		/* An actor that is gone, or that has forgotten what it did, does not go on. */
		if (r->actor &&
		    (!nodeset_has(members(d), r->actor) || !d->sync[d->slot[r->actor]].have ||
		     !d->sync[d->slot[r->actor]].informed))
			r->actor = 0;
	}
	for (unsigned i = 0; d->quiet && i < d->n; i++)
		d->local[i].since_ms = d->now_ms;
	d->quiet = false;
	fence_ready_from_sync(d);
	fence_cut_met(d);
	fence_loop_adopt(d, chosen == 0);
	if (chosen == 0)
		fence_drill_adopt(d);
	d->fell = NODESET_EMPTY;
	d->informed = true;
	d->kept_view = d->view.id;
	d->store = true;
	struct fence_action *a = fence_note(d, FENCE_NOTE_VIEW, 0, "");

	if (a)
		a->history.number = nodeset_count(members(d));
}

/* All that were waited for have spoken? Then go on, at this very message. */
static void try_settle(struct fence_domain *d)
{
	if (!d->synced) {
		nodeset_for_each (m, nodeset_minus(members(d), d->excused))
			if (!d->sync[d->slot[m]].have)
				return;
		d->synced = true;
	} else if (d->agreed) {
		return;
	}
	nodeset_for_each (m, members(d))
		if (d->sync[d->slot[m]].have && d->sync[d->slot[m]].quorate)
			d->agreed = true;
	if (d->agreed)
		settle(d);
}

static void on_sync(struct fence_domain *d, uint32_t from)
{
	struct sync *y = &d->msg.sync;

	if (!nodeset_equal(y->members, d->view.members) || y->life.nodeid != from)
		return; /* said before the group changed: it says it again */
	if (d->synced) {
		const struct record *r = rec_of(d, from);

		/* An excused member has come to: take it in by a round of its own, unless this very life is a victim. */
		if (!nodeset_has(d->excused, from) ||
		    (r->state == FENCE_NODE_VICTIM && incarnation_same_boot(&r->life, &y->life)))
			return;
		begin_round(d);
	}
	d->sync[d->slot[from]] = *y;
	try_settle(d);
}

static void on_excuse(struct fence_domain *d, struct nodeset who)
{
	struct nodeset excused = d->excused;

	nodeset_for_each (m, nodeset_and(who, members(d))) {
		if (!d->sync[d->slot[m]].have)
			nodeset_add(&excused, m);
	}
	/* Who hears nobody is the one that is cut off: a minority leaves nobody out (SAFE-4). */
	if (!d->view.two_node &&
	    2 * nodeset_count(nodeset_minus(members(d), excused)) <= nodeset_count(d->cfg.nodes))
		return;
	d->excused = excused;
	try_settle(d);
}

static void on_op(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct local *l = &d->local[d->slot[from]];

	switch (op->type) {
	case OP_SYNC:
	case OP_QUORATE:
	case OP_EXCUSE: break;
	case OP_DECLARE: fence_on_declare(d, from, op); break;
	case OP_ATTEMPT: fence_on_attempt(d, from, op); break;
	case OP_SEEN: fence_on_seen(d, from, op); break;
	case OP_FAILED: fence_on_failed(d, from, op); break;
	case OP_PROOF: fence_on_proof(d, from, op); break;
	case OP_LEAVE: {
		struct record *r = rec_of(d, from);

		r->goodbye = true;
		r->goodbye_wall_s = op->wall_s;
		l->armed_ms = 0;
		fence_note(d, FENCE_NOTE_LEAVING, from, "");
		d->store = true; /* without its life: nobody has to end it */
		if (from == d->cfg.self.nodeid)
			d->left = true;
		break;
	}
	case OP_SIGNS:
		l->weight = op->number;
		l->changes = op->changes;
		fence_dog_word(l, &rec_of(d, from)->life, op->armed_ms);
		l->holds = op->flag;
		l->fresh = op->set;
		if (from != d->cfg.self.nodeid)
			d->heard.owed = from;
		break;
	case OP_HEARD: fence_on_heard(d, from, op); break;
	case OP_ADMIT: fence_on_admitted(d, op); break;
	case OP_READY: fence_on_ready(d, from, op); break;
	}
}

int fence_on_deliver(struct fence_domain *d, uint32_t from, const void *data, size_t len)
{
	struct msg *m = &d->msg;
	int rc = 0;

	if (fence_msg_decode(d, data, len, m) < 0)
		return fence_refuse(d, -EBADMSG,
				    "node %u sent %zu bytes that are no message of fenced", from,
				    len);
	if (m->from != from || d->view.id.seq == 0 || !view_id_equal(m->view, d->view.id) ||
	    !nodeset_has(members(d), from))
		return fence_refuse(d, -ESTALE, "node %u speaks of another view", from);
	for (unsigned i = 0; i < m->n; i++) {
		const struct op *op = &m->op[i];

		if (op->type == OP_SYNC) {
			on_sync(d, from);
		} else if (op->type == OP_QUORATE) {
			d->sync[d->slot[from]].quorate = true;
			if (d->synced)
				try_settle(d);
		} else if (op->type == OP_EXCUSE) {
			if (!d->synced)
				on_excuse(d, op->set);
		} else if (!d->synced || !d->agreed) {
			rc = fence_refuse(d, -EAGAIN, "node %u speaks before the view is synced",
					  from);
		} else if (rec_of(d, from)->state != FENCE_NODE_MEMBER &&
			   !(op->type == OP_SEEN && op->node == from &&
			     rec_of(d, from)->reason == FENCE_REASON_DRILL)) {
			rc = fence_refuse(d, -ESTALE, "node %u is a victim: it has no say", from);
		} else {
			d->book.number++;
			on_op(d, from, op);
		}
	}
	return rc;
}

/* A view that does not come to its end: say that it is quorate, leave out who says nothing. */
void fence_plan_round(struct fence_domain *d)
{
	if (d->view.id.seq == 0 || !d->view.quorate)
		return;
	if (!d->agreed && !d->quorate_sent && !d->sync[d->self].quorate && d->sync[d->self].have) {
		/* our SYNC went out before we knew */
		d->quorate_sent = fence_emit(d, &(struct op){ .type = OP_QUORATE });
	}
	if (d->synced || d->excuse_sent)
		return;
	uint64_t at = d->round_ms + d->cfg.absent_ms;

	if (d->now_ms < at) {
		fence_want(d, at);
		return;
	}
	struct op op = { .type = OP_EXCUSE };

	nodeset_for_each (m, members(d)) {
		if (!d->sync[d->slot[m]].have && m != d->cfg.self.nodeid)
			nodeset_add(&op.set, m);
	}
	d->excuse_sent = fence_emit(d, &op);
}
