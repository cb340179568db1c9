/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/state.c - what others may see of the domain, and what a change of a record brings with it. */
#include "domain.h"

#include <string.h>

static struct fence_action *note_why(struct fence_domain *d, enum fence_note n,
				     const struct record *r, const char *text)
{
	struct fence_action *a = fence_note(d, n, r->nodeid, text);

	if (a) {
		a->history.reason = r->reason;
		a->history.kind = r->proof.kind;
		a->history.by = r->proof.by;
	}
	return a;
}

static void contradicted(struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];
	struct fence_action *a = note_why(d, FENCE_NOTE_CONTRADICTED, r, r->why);

	if (a)
		a->history.kind = d->local[slot].proof_kind; /* of the proof that was wrong */
}

static void note_drill(struct fence_domain *d, const struct record *r)
{
	const struct local *l = &d->local[d->slot[r->nodeid]];
	struct fence_action *a =
		note_why(d, FENCE_NOTE_DRILLED, r,
			 r->drill.tested     ? ""
			 : l->drill_error[0] ? l->drill_error
					     : "its life ended before the devices were read back");

	if (a)
		a->history.number = r->drill.tested ? r->drill.level + 1u : 0;
}

/* What hung on the old state or life of this record is over; tell what happened. */
static void turn(struct fence_domain *d, unsigned slot)
{
	struct record *r = &d->book.rec[slot];
	struct local *l = &d->local[slot];
	bool same = incarnation_same_boot(&r->life, &l->life);
	enum fence_node_state was = l->state;
	bool proof = r->proof.kind != PROOF_NONE && r->proof.number != l->proof_number;

	if (proof && d->ever_tracked) { /* what a joiner is handed is no news */
		if (r->drill.number == r->proof.number)
			note_drill(d, r);
		note_why(d, FENCE_NOTE_PROOF, r, r->proof.evidence);
	}
	if (was == r->state && same && r->life.join == l->life.join)
		return;
	if (l->att.stage == ATT_OFF || l->att.stage == ATT_STATUS)
		if (r->state == FENCE_NODE_MEMBER && !same)
			fence_note(d, FENCE_NOTE_OUTLIVED, r->nodeid, "");
	if (r->state == FENCE_NODE_VICTIM || l->att.stage != ATT_ON)
		fence_attempt_drop(d, l);
	l->proof.kind = PROOF_NONE;
	if (!same || r->state == FENCE_NODE_VICTIM || r->state == FENCE_NODE_DEAD)
		l->request = false;
	l->declare_sent = false;
	l->since_ms = d->now_ms;
	l->retry_at_ms = 0;
	l->wait_noted = false;
	switch (r->state) {
	case FENCE_NODE_UNKNOWN: break;
	case FENCE_NODE_MEMBER:
		if (was == FENCE_NODE_VICTIM && same)
			fence_note(d, FENCE_NOTE_PARDON, r->nodeid, "");
		else if (was != FENCE_NODE_MEMBER || !same)
			fence_note(d, FENCE_NOTE_MEMBER, r->nodeid, "");
		l->check_at_ms = 0;
		break;
	case FENCE_NODE_ABSENT: fence_note(d, FENCE_NOTE_ABSENT, r->nodeid, ""); break;
	case FENCE_NODE_VICTIM:
		/* Who was cut off from its storage was never said to be down. */
		if (was == FENCE_NODE_DEAD && same && l->proof_kind != PROOF_STORAGE_CUT)
			contradicted(d, slot);
		note_why(d, FENCE_NOTE_VICTIM, r, r->why);
		fence_cut_begin(d, slot);
		break;
	case FENCE_NODE_DEAD: l->check_at_ms = 0; break;
	}
}

void fence_track(struct fence_domain *d)
{
	struct record *self = &d->book.rec[d->self];

	for (unsigned i = 0; d->informed && i < d->n; i++) {
		struct record *r = &d->book.rec[i];
		struct local *l = &d->local[i];

		turn(d, i);
		l->state = r->state;
		l->life = r->life;
		l->proof_number = r->proof.number;
		l->proof_kind = r->proof.kind;
		if (l->said && l->hash != d->cfg.hash && !l->config_noted)
			fence_note(d, FENCE_NOTE_CONFIG, r->nodeid, "");
		l->config_noted = l->said && l->hash != d->cfg.hash;
	}
	d->ever_tracked = d->informed;
	/* FENCE-3: the others declared this very life over */
	if (d->informed && self->state == FENCE_NODE_VICTIM && !d->rebooting &&
	    incarnation_same_boot(&self->life, &d->cfg.self)) {
		d->rebooting = true;
		if (self->reason == FENCE_REASON_DRILL) {
			fence_drill_begin(d);
		} else {
			note_why(d, FENCE_NOTE_SELF_VICTIM, self, self->why);
			fence_act(d, FENCE_ACT_REBOOT_SELF);
		}
	}
	fence_drill_wait(d);
}

static bool config_differs(const struct fence_domain *d, unsigned slot)
{
	return d->local[slot].said && d->local[slot].hash != d->cfg.hash &&
	       nodeset_has(d->view.members, d->book.rec[slot].nodeid);
}

void fence_snapshot(const struct fence_domain *d, uint64_t now_ms, struct fence_state *ret)
{
	memset(ret, 0, sizeof(*ret)); /* padding too: snapshots are compared */
	ret->self = d->cfg.self;
	ret->view.seq = d->view.id.seq;
	ret->view.rep = d->view.id.rep;
	ret->quorate = d->view.quorate;
	ret->self_victim = d->rebooting;
	ret->armed_ms = d->armed_ms;
	fence_let_go(d, ret);
	ret->held = d->informed && !d->leaving && d->book.rec[d->self].held;
	ret->informed = d->informed && fence_may_decide(d) && !d->leaving &&
			!d->book.rec[d->self].held;
	ret->n = d->n;
	for (unsigned i = 0; i < d->n; i++) {
		const struct record *r = &d->book.rec[i];
		struct fence_node *n = &ret->node[i];

		n->nodeid = r->nodeid;
		n->state = d->informed ? r->state : FENCE_NODE_UNKNOWN;
		n->life = r->life;
		n->proof = r->proof;
		n->ending = d->informed && fence_attest_ending(d, i);
		n->ready = fence_ready_now(d, i, now_ms, &n->ready_age_ms) && !config_differs(d, i);
	}
}

/* Tell when anything but an age is new. */
void fence_plan_publish(struct fence_domain *d)
{
	struct fence_state now;

	fence_snapshot(d, d->real_ms, &now);
	for (unsigned i = 0; i < d->n; i++) {
		struct local *l = &d->local[i];
		bool ready = now.node[i].ready;

		if (ready)
			fence_want(d,
				   d->now_ms + d->cfg.ready_age_ms - now.node[i].ready_age_ms + 1);
		now.node[i].ready_age_ms = 0;
		if (i != d->self && ready != l->ready)
			fence_note(d, FENCE_NOTE_READY, d->book.rec[i].nodeid,
				   ready              ? ""
				   : l->ready_text[0] ? l->ready_text
						      : "no check passed in time");
		l->ready = ready;
	}
	if (d->ever_published && memcmp(&now, &d->published, sizeof(now)) == 0)
		return;
	d->published = now;
	d->ever_published = true;
	fence_act(d, FENCE_ACT_PUBLISH);
}

static enum fence_phase phase_of(const struct fence_domain *d, unsigned slot, uint32_t actor)
{
	const struct record *r = &d->book.rec[slot];

	switch (d->local[slot].att.stage) {
	case ATT_ON: return FENCE_PHASE_ON;
	case ATT_OFF: return FENCE_PHASE_OFF;
	case ATT_DOG: return FENCE_PHASE_DOG;
	case ATT_STATUS:
	case ATT_PROVING: return FENCE_PHASE_VERIFY;
	case ATT_IDLE:
	case ATT_ASKED:
	case ATT_CONFIRM:
	case ATT_FAILED: break;
	}
	enum attempt_stage stage = d->local[slot].att.stage;

	if (r->state != FENCE_NODE_VICTIM)
		return FENCE_PHASE_NONE;
	if (actor != d->cfg.self.nodeid || !fence_may_decide(d))
		return FENCE_PHASE_WAIT;
	if (stage == ATT_ASKED || stage == ATT_CONFIRM)
		return FENCE_PHASE_CONFIRM;
	return r->attempts ? FENCE_PHASE_RETRY : FENCE_PHASE_DELAY;
}

static void node_status(const struct fence_domain *d, unsigned slot, uint64_t now_ms,
			struct fence_node_status *s)
{
	const struct record *r = &d->book.rec[slot];
	const struct local *l = &d->local[slot];

	s->reason = r->reason;
	fence_text_copy(s->why, r->why);
	s->attempts = r->attempts;
	s->rounds = r->rounds;
	fence_text_copy(s->failed, r->failed);
	s->acting = l->att.stage != ATT_IDLE;
	s->config_differs = config_differs(d, slot);
	s->config_hash = l->said ? l->hash : 0;
	s->weight = l->weight;
	s->held = r->held;
	s->armed_ms = fence_dog_armed_ms(d, slot, &s->armed_by_disk);
	s->fenced_recently = fence_loop_recent(d, slot);
	s->drill = r->drill;
	s->drill_pending = l->request && l->drill;
	fence_text_copy(s->drill_refused, l->drill_refused);
	fence_text_copy(s->drill_error, l->drill_error);
	fence_text_copy(s->ready_text, l->ready_text);
	s->since_ms = l->since_ms + d->lost_ms;
	s->level = l->att.level;
	s->device = l->att.device;
	s->next_ms = UINT32_MAX;
	if (r->state == FENCE_NODE_VICTIM)
		s->actor = fence_actor_of(d, r);
	s->phase = phase_of(d, slot, s->actor);
	if (s->phase == FENCE_PHASE_DOG) {
		char why[FENCE_TEXT_MAX];
		uint64_t due = fence_dog_due_ms(d, slot, why) + d->lost_ms;

		s->next_ms = due > now_ms ? (uint32_t)(due - now_ms) : 0;
	}
	if (s->phase == FENCE_PHASE_DELAY || s->phase == FENCE_PHASE_RETRY) {
		uint64_t due = fence_attempt_due_ms(d, slot);

		due += d->lost_ms;
		s->next_ms = due > now_ms ? (uint32_t)(due - now_ms) : 0;
	}
	for (unsigned by = 0; by < d->n; by++) {
		const struct ready_result *res = &d->ready[slot][by];

		if (res->known && res->ok && now_ms - res->at_ms <= d->cfg.ready_age_ms)
			nodeset_add(&s->ready_by, d->book.rec[by].nodeid);
		else if (res->known && !res->ok)
			nodeset_add(&s->fail_by, d->book.rec[by].nodeid);
	}
}

void fence_status(const struct fence_domain *d, uint64_t now_ms, struct fence_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	fence_snapshot(d, now_ms, &ret->pub);
	ret->synced = d->synced;
	ret->two_node = d->view.two_node;
	ret->leaving = d->leaving;
	ret->nodes = d->view.nodes;
	ret->members = d->view.members;
	ret->number = d->book.number;
	ret->node_count = d->n;
	for (unsigned i = 0; i < d->n; i++) {
		uint32_t id = d->book.rec[i].nodeid;

		if (d->view.id.seq && !d->synced && nodeset_has(d->view.members, id) &&
		    !d->sync[i].have)
			nodeset_add(&ret->waiting_sync, id);
		ret->node[i].pub = ret->pub.node[i];
		node_status(d, i, now_ms, &ret->node[i]);
	}
}

static void stored_lives(const struct fence_domain *d, struct fence_stored *ret)
{
	ret->kept_view = d->kept_view;
	for (unsigned i = 0; i < d->n; i++) {
		const struct record *r = &d->book.rec[i];
		const struct local *l = &d->local[i];

		if (i == d->self || r->state == FENCE_NODE_DEAD || r->goodbye ||
		    incarnation_unseen(&r->life))
			continue;
		struct fence_kept *k = &ret->kept[ret->n_kept++];

		k->life = r->life;
		k->attested = incarnation_same_boot(&l->attested, &r->life);
		if (k->attested)
			memcpy(k->text, l->attest_text, sizeof(k->text));
	}
}

void fence_stored(const struct fence_domain *d, struct fence_stored *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->view = d->view.id;
	if (!d->informed)
		ret->held = d->cfg.held;
	else
		stored_lives(d, ret);
	for (unsigned i = 0; i < d->n; i++) {
		uint32_t id = d->book.rec[i].nodeid;

		if (d->informed && d->book.rec[i].held)
			nodeset_add(&ret->held, id);
		ret->drill[id] = d->book.rec[i].drill;
		for (unsigned k = 0; k < d->fenced[i].n; k++) {
			int64_t age = (int64_t)d->real_ms - d->fenced[i].at_ms[k];

			ret->fenced[id].age_ms[ret->fenced[id].n++] = age > UINT32_MAX
									      ? UINT32_MAX
									      : (uint32_t)age;
		}
	}
	for (unsigned i = 0; d->informed && i < d->n; i++)
		if (d->book.rec[i].state == FENCE_NODE_DEAD)
			ret->proof[ret->n++] = d->book.rec[i].proof;
}

uint64_t fence_digest(const struct fence_domain *d)
{
	uint8_t buf[FENCE_MSG_MAX];
	struct wire_w w;
	size_t len = 0;
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	if (!d->informed)
		return 0;
	wire_w_init(&w, buf, sizeof(buf));
	fence_book_encode(&w, &d->book);
	if (wire_w_done(&w, &len) < 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		h = (h ^ buf[i]) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}

static bool sound_record(const struct fence_domain *d, unsigned slot, const char **ret)
{
	const struct record *r = &d->book.rec[slot];
	const struct attempt *a = &d->local[slot].att;

	if (a->run && (a->stage == ATT_OFF || a->stage == ATT_STATUS)) {
		*ret = "FENCE-1";
		if (!d->view.quorate || slot == d->self)
			return false;
		if (d->synced && d->agreed &&
		    (r->state != FENCE_NODE_VICTIM || fence_actor_of(d, r) != d->cfg.self.nodeid ||
		     !incarnation_same_boot(&r->life, &a->life)))
			return false;
	}
	*ret = "FENCE-2";
	if (r->state == FENCE_NODE_DEAD && !fence_rec_proven(r))
		return false;
	if (r->state == FENCE_NODE_VICTIM && fence_rec_proven(r))
		return false;
	*ret = "FENCE-4";
	if (d->synced && d->agreed && !nodeset_has(d->view.nodes, r->nodeid) &&
	    (r->state == FENCE_NODE_MEMBER || r->state == FENCE_NODE_ABSENT))
		return false;
	return true;
}

const char *fence_broken(const struct fence_domain *d)
{
	const struct record *self = &d->book.rec[d->self];
	const char *id;

	for (unsigned i = 0; d->informed && i < d->n; i++)
		if (!sound_record(d, i, &id))
			return id;
	if (d->informed && self->state == FENCE_NODE_VICTIM && !d->rebooting &&
	    incarnation_same_boot(&self->life, &d->cfg.self))
		return "FENCE-3";
	return NULL;
}
