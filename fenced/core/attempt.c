/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/attempt.c - who acts on a victim, how, and what proves that it is over.
 *
 * One actor a victim: the lowest candidate, then the next one whenever an attempt failed or the actor is gone. An attempt
 * walks the levels: all devices off, then all read back; both must succeed on every device (a device that answers "off" for a
 * plug that it does not know must not pass: its "off" fails).
 *
 * An attempt starts only when another member has answered it: a node that was frozen may believe in a view that has been
 * over for seconds, and hears in it nobody but itself (ref/netlab.md 7, zombies 1 and 2). Where other nodes are in the ring and
 * none can answer, as their fenced are away or victims, it waits for as long as a stale view can last.
 *
 * Who has another configuration file, without the victim, is no candidate: it would be waited for, and never act
 * (scenario/fence/configurations_with_different_nodes_meet.scn).
 *
 * An agent that runs cannot be called back. When its victim returns with a new boot id meanwhile (scenario/fence/
 * outlived.scn) the run is killed and its answer dropped: it speaks of a life that is over. If it still hits, the new life
 * falls out of the view and is a victim like any other.
 */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RING_STEP \
	4 /* corosync, totemsrp.c: a ring's number is the highest of those that form it, and 4 */

struct nodeset fence_candidates(const struct fence_domain *d, const struct record *r)
{
	struct nodeset s = NODESET_EMPTY;

	for (unsigned i = 0; i < d->n; i++) {
		const struct record *c = &d->book.rec[i];

		if (c->state == FENCE_NODE_MEMBER && !c->goodbye && !c->held &&
		    c->nodeid != r->nodeid && nodeset_has(d->view.members, c->nodeid) &&
		    nodeset_has(d->local[i].knows, r->nodeid))
			nodeset_add(&s, c->nodeid);
	}
	return s;
}

uint32_t fence_actor_of(const struct fence_domain *d, const struct record *r)
{
	struct nodeset c = fence_candidates(d, r);
	uint32_t next = nodeset_next(c, r->last_actor);

	if (r->actor && nodeset_has(c, r->actor))
		return r->actor;
	return next ? next : nodeset_lowest(c);
}

uint64_t fence_attempt_due_ms(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];
	uint64_t cut = l->since_ms + fence_cut_wait_ms(d, slot);

	return cut > l->retry_at_ms ? cut : l->retry_at_ms;
}

static uint32_t backoff_ms(const struct fence_domain *d, uint32_t rounds)
{
	uint64_t ms = d->cfg.retry_min_ms;

	for (uint32_t i = 1; i < rounds && ms < d->cfg.retry_max_ms; i++)
		ms *= 2;
	return ms < d->cfg.retry_max_ms ? (uint32_t)ms : d->cfg.retry_max_ms;
}

void fence_attempt_drop(struct fence_domain *d, struct local *l)
{
	if (l->att.run)
		fence_act(d, FENCE_ACT_CANCEL_RUN)->cancel = l->att.run;
	memset(&l->att, 0, sizeof(l->att));
}

static void level_begin(struct fence_domain *d, unsigned slot, uint8_t level)
{
	struct attempt *a = &d->local[slot].att;
	const struct record *r = &d->book.rec[slot];
	const struct fence_path *path = &d->cfg.path[r->nodeid];
	bool none = level >= path->n_levels ||
		    (fence_drill_only(r, a->number) && level != r->drill_level);

	a->level = level;
	a->device = 0;
	a->evidence[0] = '\0';
	if (path->n_levels == 0)
		fence_text_copy(a->text, "no fence device is configured for it");
	a->stage = none ? ATT_FAILED : path->watchdog[level] ? ATT_DOG : ATT_OFF;
	a->dog_noted = false;
	d->local[slot].failed_sent = false;
}

void fence_on_attempt(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct record *r = rec_of(d, op->node);
	uint32_t self = d->cfg.self.nodeid;

	if (!r)
		return;
	struct local *l = &d->local[d->slot[op->node]];
	bool ours = from == self && l->att.stage == ATT_ASKED && l->att.number == op->number;

	if (r->state != FENCE_NODE_VICTIM || !incarnation_same_boot(&r->life, &op->life) ||
	    op->number != r->attempts + 1 || from != fence_actor_of(d, r)) {
		if (ours)
			l->att.stage = ATT_IDLE; /* somebody was first: plan anew */
		return;
	}
	r->attempts = op->number;
	r->actor = from;
	struct fence_action *n = fence_note(d, FENCE_NOTE_ATTEMPT, op->node, "");

	if (n) {
		n->history.by = from;
		n->history.number = op->number;
	}
	if (!ours) {
		if (nodeset_has(fence_candidates(d, r), self) || fence_drill_confirms(d, r))
			fence_emit(d, &(struct op){ .type = OP_SEEN,
						    .node = op->node,
						    .life = op->life,
						    .number = op->number });
		return;
	}
	bool alone = nodeset_count(d->view.nodes) == 1; /* in this ring: nobody can confirm */

	if (alone) {
		level_begin(d, d->slot[op->node], fence_drill_first(r, op->number));
	} else {
		l->att.stage = ATT_CONFIRM;
		l->att.confirm_at_ms = d->now_ms + d->cfg.confirm_ms;
	}
}

void fence_on_seen(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct record *r = rec_of(d, op->node);

	if (!r || from == d->cfg.self.nodeid)
		return;
	struct attempt *a = &d->local[d->slot[op->node]].att;

	if (a->stage == ATT_CONFIRM && a->number == op->number &&
	    incarnation_same_boot(&a->life, &op->life))
		level_begin(d, d->slot[op->node], fence_drill_first(r, op->number));
}

void fence_on_failed(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct record *r = rec_of(d, op->node);

	if (!r || r->state != FENCE_NODE_VICTIM || !incarnation_same_boot(&r->life, &op->life) ||
	    from != r->actor || op->number != r->attempts)
		return;
	struct local *l = &d->local[d->slot[op->node]];
	uint32_t wait = 0;

	r->actor = 0;
	r->last_actor = from;
	fence_text_copy(r->failed, op->text);
	if (r->reason == FENCE_REASON_DRILL)
		fence_text_copy(l->drill_error, op->text);
	if (nodeset_next(fence_candidates(d, r), from) == 0) { /* all have tried */
		r->rounds++;
		wait = backoff_ms(d, r->rounds);
	}
	l->retry_at_ms = d->now_ms + wait;
	if (from == d->cfg.self.nodeid && l->att.stage == ATT_FAILED)
		memset(&l->att, 0, sizeof(l->att));
	struct fence_action *n = fence_note(d, FENCE_NOTE_FAILED, op->node, op->text);

	if (n) {
		n->history.by = from;
		n->history.number = op->number;
		n->history.ms = wait;
	}
}

/*
 * From @a's level and device on: the next device to switch on again, or the end. A level that failed may have switched something
 * off all the same. What the node unfences itself stays off: that is how it is kept out until it has rebooted.
 */
static void on_seek(struct fence_domain *d, unsigned slot)
{
	struct attempt *a = &d->local[slot].att;
	const struct fence_path *path = &d->cfg.path[d->book.rec[slot].nodeid];

	for (;;) {
		while (a->device < path->n_devices[a->level] &&
		       (path->watchdog[a->level] || (path->no_on[a->level] >> a->device & 1)))
			a->device++;
		if (a->device < path->n_devices[a->level])
			return;
		if (a->failed_levels == 0)
			break;
		a->device = 0;
		a->level = --a->failed_levels;
	}
	memset(a, 0, sizeof(*a));
}

void fence_on_proof(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct record *r = rec_of(d, op->node);

	/* A proof names a life; about another one it says nothing (SAFE-1, scenario/fence/late_agent.scn). */
	if (!r || r->state != FENCE_NODE_VICTIM || op->proof.kind == PROOF_NONE ||
	    op->proof.by != from || !incarnation_same_boot(&op->proof.victim, &r->life))
		return;
	struct local *l = &d->local[d->slot[op->node]];
	struct proof p = op->proof;

	p.victim.join = r->life.join;
	fence_loop_count(d, d->slot[op->node], p.kind, op->flag);
	fence_drill_settled(&d->book, r, &p, op->level);
	fence_rec_dead(&d->book, r, &p);
	d->store = true;
	l->proof.kind = PROOF_NONE;
	if (from != d->cfg.self.nodeid || !d->cfg.reboot) {
		fence_attempt_drop(d, l);
	} else if (l->att.stage == ATT_PROVING && p.kind == PROOF_OFF_VERIFIED) {
		l->att.stage = ATT_ON;
		l->att.device = 0;
		l->att.failed_levels = l->att.one_level ? 0 : l->att.level;
		on_seek(d, d->slot[op->node]);
	} else {
		fence_attempt_drop(d, l);
		/* The hypervisor left it off; whose word about it was heard first switches it on again. */
		if (p.kind == PROOF_HYPERVISOR && d->cfg.path[r->nodeid].n_levels) {
			l->att.stage = ATT_ON;
			l->att.life = r->life;
			on_seek(d, d->slot[op->node]);
		}
	}
}

/*
 * A hypervisor's statement (SAFE-11). It is kept until it can be used, and used only when
 *  1. it names the kernel life that the book knows: a later boot of the node is another life (scenario/fence/attested_earlier_life.scn);
 *  2. that node has left corosync's membership: who is still heard there is not dead, whoever says so;
 *  3. it is a victim: whether it is one is not for a hypervisor to say (a goodbye stays a goodbye).
 * It spares the agent's run, nothing else: quorum, the synced view and the order of messages stay what they are. And the wait for
 * a node that was not seen yet, when it is the life that our predecessor knew: see fence_attest_recall().
 *
 * 0 says that it is kept: whoever makes statements may forget it when FENCE_ACT_STORE is done.
 */
int fence_on_attest(struct fence_domain *d, const struct incarnation *life, bool dying,
		    const char *text)
{
	struct record *r = rec_of(d, life->nodeid);

	if (!r || life->nodeid == d->cfg.self.nodeid)
		return fence_refuse(d, -ENOENT, "a hypervisor speaks of node %u, which is %s",
				    life->nodeid, r ? "this one" : "not configured");
	struct local *l = &d->local[d->slot[life->nodeid]];

	if (!d->informed)
		return fence_refuse(d, -EAGAIN, "nothing is known of node %u yet", life->nodeid);
	if (!incarnation_same_boot(&r->life, life) || incarnation_unseen(life))
		return fence_refuse(d, -ESTALE, "it is not the life that we know of node %u",
				    life->nodeid);
	if (incarnation_same_boot(&l->attested, life) || r->state == FENCE_NODE_DEAD ||
	    (dying && incarnation_same_boot(&l->dying, life)))
		return 0; /* known */
	if (!incarnation_same_boot(&l->dying, life))
		l->hurried = false;
	l->dying = *life;
	if (dying) {
		fence_note(d, FENCE_NOTE_ATTESTED, life->nodeid, text);
		return 0;
	}
	l->attested = *life;
	size_t n = strnlen(text, sizeof(l->attest_text) - 1);

	memset(l->attest_text, 0, sizeof(l->attest_text));
	memcpy(l->attest_text, text, n);
	fence_note(d, FENCE_NOTE_ATTESTED, life->nodeid, text);
	d->store = true;
	return 0;
}

/*
 * We begin anew, alone, and nobody else knows more: a fenced that ended after it had heard a hypervisor's word, and before that had
 * become a proof, has kept it, and the lives that it knew (scenario/fence/attested_word_outlives_fenced.scn). A statement that
 * is heard only now needs them, too: it is about a life, and all that we know of the node is its number.
 *
 * "Node N, last known in life B, is over" holds if no later life of N can have anything. It would have got it in a quorate ring, and
 * that ring has a node in common with ours: so it lies between the ring in which B was agreed to be the last life and ours.
 * In the very ring there is none between; in the next one neither, as corosync counts its rings, and in the next
 * one only who is not in it can be meant. Anything else: the ordinary wait.
 */
void fence_attest_recall(struct fence_domain *d)
{
	struct view_id then = d->cfg.kept_view;
	bool same = view_id_equal(then, d->view.id);
	bool next = then.seq && d->view.id.seq > then.seq && d->view.id.seq - then.seq <= RING_STEP;

	for (unsigned i = 0; i < d->cfg.n_kept; i++) {
		const struct fence_kept *k = &d->cfg.kept[i];
		struct record *r = rec_of(d, k->life.nodeid);

		if (!r || r->state != FENCE_NODE_UNKNOWN || incarnation_unseen(&k->life) ||
		    nodeset_has(d->view.members, r->nodeid) ||
		    !(same || (next && !nodeset_has(d->view.nodes, r->nodeid))))
			continue;
		struct local *l = &d->local[d->slot[r->nodeid]];

		r->life = k->life;
		if (!k->attested)
			continue;
		l->attested = l->dying = k->life;
		memcpy(l->attest_text, k->text, sizeof(l->attest_text));
		fence_note(d, FENCE_NOTE_ATTESTED, r->nodeid, k->text);
	}
}

/* A node is heard in a round: what was said of its life before that is not used any more. Either its last words came after the
 * hypervisor's, then the ordinary way follows, or the hypervisor was wrong.
 */
void fence_attest_heard(struct fence_domain *d, unsigned slot, const struct incarnation *life)
{
	struct local *l = &d->local[slot];

	memset(&l->dying, 0, sizeof(l->dying));
	if (l->attested.nodeid == 0)
		return;
	if (incarnation_same_boot(&l->attested, life))
		fence_note(d, FENCE_NOTE_ATTESTED, life->nodeid,
			   "the node was heard since: the hypervisor's word is not used");
	memset(&l->attested, 0, sizeof(l->attested));
}

/* Is there a hypervisor's word that the present life is over, or about to be? Nothing follows from it but that one may prepare. */
bool fence_attest_ending(const struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];
	const struct local *l = &d->local[slot];

	return l->dying.nodeid && incarnation_same_boot(&l->dying, &r->life) &&
	       r->state != FENCE_NODE_DEAD;
}

bool fence_attest_over(const struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];
	const struct local *l = &d->local[slot];

	return l->attested.nodeid && incarnation_same_boot(&l->attested, &r->life) &&
	       !nodeset_has(d->view.nodes, r->nodeid);
}

/* Return: there is a word of a hypervisor about this victim; its proof is sent, or will be. */
static bool attested(struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];
	struct local *l = &d->local[slot];

	if (!fence_attest_over(d, slot) || l->att.stage == ATT_PROVING)
		return false;
	if (l->proof.kind == PROOF_NONE) {
		l->proof = (struct proof){ .victim = r->life,
					   .kind = PROOF_HYPERVISOR,
					   .by = d->cfg.self.nodeid,
					   .wall_s = d->wall_s };
		memcpy(l->proof.evidence, l->attest_text, sizeof(l->proof.evidence));
		l->proof_level = FENCE_LEVEL_NONE;
		l->proof_sent = false;
	}
	return true;
}

static void level_failed(struct fence_domain *d, unsigned slot)
{
	level_begin(d, slot, (uint8_t)(d->local[slot].att.level + 1));
}

static void proven(struct fence_domain *d, unsigned slot, enum proof_kind kind)
{
	struct local *l = &d->local[slot];
	struct proof *p = &l->proof;
	bool storage = d->cfg.path[d->book.rec[slot].nodeid].storage[l->att.level];

	l->att.stage = ATT_PROVING;
	l->att.one_level = fence_drill_only(&d->book.rec[slot], l->att.number);
	l->proof_level = l->att.level;
	*p = (struct proof){ .victim = l->att.life,
			     .kind = kind == PROOF_OFF_VERIFIED && storage ? PROOF_STORAGE_CUT
									   : kind,
			     .by = d->cfg.self.nodeid,
			     .wall_s = d->wall_s };
	memcpy(p->evidence, l->att.evidence,
	       sizeof(p->evidence) - 1); /* the rest is zero: cut and ended */
	l->proof_sent = false;
}

/* One answer moves an attempt by one device. SAFE-3: only DONE is done, only OFF is off. */
int fence_on_run_done(struct fence_domain *d, uint64_t run, enum fence_answer answer,
		      const char *text)
{
	unsigned i = 0;

	while (i < d->n && (run == 0 || d->local[i].att.run != run))
		i++;
	if (i == d->n)
		return fence_ack_run_done(d, run, answer, text)
			       ? 0
			       : fence_refuse(d, -ENOENT, "nobody waits for run %llu",
					      (unsigned long long)run);
	struct attempt *a = &d->local[i].att;
	unsigned n = d->cfg.path[d->book.rec[i].nodeid].n_devices[a->level];

	a->run = 0;
	switch (a->stage) {
	case ATT_OFF:
		if (answer != FENCE_ANSWER_DONE) {
			fence_text_add(a->text, text);
			level_failed(d, i);
		} else if (++a->device == n) {
			a->stage = ATT_STATUS;
			a->device = 0;
		}
		break;
	case ATT_STATUS:
		if (answer != FENCE_ANSWER_OFF) {
			fence_text_add(a->text, text);
			level_failed(d, i);
			break;
		}
		fence_text_add(a->evidence, text);
		if (++a->device == n)
			proven(d, i, PROOF_OFF_VERIFIED);
		break;
	case ATT_ON:
		fence_note(d, FENCE_NOTE_ON, d->book.rec[i].nodeid, text);
		a->device++;
		on_seek(d, i);
		break;
	case ATT_IDLE:
	case ATT_ASKED:
	case ATT_CONFIRM:
	case ATT_DOG:
	case ATT_PROVING:
	case ATT_FAILED: break; /* no run is out in these */
	}
	return 0;
}

static void run(struct fence_domain *d, unsigned slot, enum fence_agent_action action)
{
	struct attempt *a = &d->local[slot].att;
	struct fence_action *x = fence_act(d, FENCE_ACT_RUN);

	a->run = ++d->runs;
	x->run.run = a->run;
	x->run.node = d->book.rec[slot].nodeid;
	x->run.level = a->level;
	x->run.device = a->device;
	x->run.action = action;
	x->run.attempt = a->number;
}

static void plan_idle(struct fence_domain *d, unsigned slot)
{
	struct record *r = &d->book.rec[slot];
	struct local *l = &d->local[slot];
	uint64_t due = fence_attempt_due_ms(d, slot);

	if (d->now_ms < d->hold_ms) {
		fence_want(d, d->hold_ms);
		return;
	}
	if (d->now_ms < due) {
		fence_want(d, due);
		if (!l->wait_noted && r->attempts == 0) {
			struct fence_action *n = fence_note(d, FENCE_NOTE_WAIT, r->nodeid, "");

			l->wait_noted = true;
			if (n)
				n->history.ms = (uint32_t)(due - d->now_ms);
		}
		return;
	}
	struct op op = {
		.type = OP_ATTEMPT, .node = r->nodeid, .life = r->life, .number = r->attempts + 1
	};

	if (!fence_emit(d, &op))
		return;
	memset(&l->att, 0, sizeof(l->att));
	l->att.stage = ATT_ASKED;
	l->att.life = r->life;
	l->att.number = op.number;
}

static void plan_attempt(struct fence_domain *d, unsigned slot);

static void plan_dog(struct fence_domain *d, unsigned slot)
{
	struct attempt *a = &d->local[slot].att;
	char why[FENCE_TEXT_MAX];
	uint64_t due = fence_dog_due_ms(d, slot, why);

	if (due == 0) {
		fence_text_add(a->text, why);
		level_failed(d, slot);
		plan_attempt(d, slot);
		return;
	}
	if (d->now_ms < due) {
		fence_want(d, due);
		struct fence_action *n = a->dog_noted ? NULL
						      : fence_note(d, FENCE_NOTE_DOG,
								   d->book.rec[slot].nodeid,
								   fence_dog_silent(d, slot));

		a->dog_noted = true;
		if (n)
			n->history.ms = (uint32_t)(due - d->now_ms);
		return;
	}
	bool by_disk;
	uint32_t armed = fence_dog_armed_ms(d, slot, &by_disk);

	const char *silent = fence_dog_silent(d, slot);

	snprintf(a->evidence, sizeof(a->evidence),
		 "armed with %u ms%s, out of the cluster for %u ms, grace %u ms%s", armed,
		 by_disk ? " (says its heartbeat on the disk)" : "",
		 (unsigned)(d->now_ms - d->local[slot].out_ms), d->cfg.dog_grace_ms,
		 silent[0] ? "; it served, and its heartbeat on the disk stood still" : "");
	proven(d, slot, PROOF_WATCHDOG_EXPIRED);
}

static void plan_attempt(struct fence_domain *d, unsigned slot)
{
	struct record *r = &d->book.rec[slot];
	struct attempt *a = &d->local[slot].att;

	if (fence_actor_of(d, r) != d->cfg.self.nodeid) {
		if (a->stage != ATT_IDLE && a->stage != ATT_PROVING)
			fence_attempt_drop(d, &d->local[slot]);
		return;
	}
	/* What was begun is ours only as long as the book says so. */
	if (a->stage > ATT_ASKED && a->stage != ATT_PROVING &&
	    (r->actor != d->cfg.self.nodeid || r->attempts != a->number))
		fence_attempt_drop(d, &d->local[slot]);
	/* After a sleep: what others answered before it, or will have answered in a view that is over, does not count. */
	if (d->now_ms < d->hold_ms &&
	    (a->stage == ATT_ASKED || a->stage == ATT_CONFIRM || (a->stage == ATT_OFF && !a->run)))
		fence_attempt_drop(d, &d->local[slot]);
	switch (a->stage) {
	case ATT_IDLE: plan_idle(d, slot); break;
	case ATT_ASKED: break;
	case ATT_CONFIRM:
		if (d->now_ms < a->confirm_at_ms) {
			fence_want(d, a->confirm_at_ms);
			break;
		}
		fence_note(d, FENCE_NOTE_CONFIRM, r->nodeid, "");
		level_begin(d, slot, fence_drill_first(r, a->number));
		plan_attempt(d, slot);
		break;
	case ATT_OFF:
		if (!a->run)
			run(d, slot, FENCE_AGENT_OFF);
		break;
	case ATT_STATUS:
		if (!a->run)
			run(d, slot, FENCE_AGENT_STATUS);
		break;
	case ATT_DOG: plan_dog(d, slot); break;
	case ATT_FAILED: {
		struct op op = {
			.type = OP_FAILED, .node = r->nodeid, .life = a->life, .number = a->number
		};

		fence_text_copy(op.text, a->text);
		if (!d->local[slot].failed_sent)
			d->local[slot].failed_sent = fence_emit(d, &op);
		break;
	}
	case ATT_PROVING:
	case ATT_ON: break;
	}
}

/* SAFE-5: an operator's word that no view has heard yet, and the node is back meanwhile: it is not said again
 * (scenario/fence/ack_before_it_came_back.scn). */
static void ack_outlived(struct fence_domain *d, unsigned slot)
{
	struct local *l = &d->local[slot];

	if (l->proof.kind == PROOF_OPERATOR && !l->proof_forced &&
	    nodeset_has(d->view.nodes, d->book.rec[slot].nodeid))
		l->proof.kind = PROOF_NONE;
}

void fence_plan_attempts(struct fence_domain *d)
{
	bool may = fence_may_decide(d);

	for (unsigned i = 0; i < d->n; i++) {
		struct record *r = &d->book.rec[i];
		struct local *l = &d->local[i];
		struct attempt *a = &l->att;

		if (a->stage ==
		    ATT_ON) { /* after the proof: no decision any more, goes on in any view */
			if (!a->run)
				run(d, i, FENCE_AGENT_ON);
			continue;
		}
		if (!d->view.quorate || (d->synced && !may)) {
			if (a->stage != ATT_PROVING) /* a minority never fences (SAFE-4) */
				fence_attempt_drop(d, l);
			continue;
		}
		if (!may || r->state != FENCE_NODE_VICTIM || i == d->self)
			continue;
		/* As long as there is a victim, notice when we slept: what we hear then may be old. */
		fence_want(d, d->now_ms + d->cfg.stall_ms);
		ack_outlived(d, i);
		if (!attested(d, i))
			plan_attempt(d, i);
		if (l->proof.kind != PROOF_NONE && !l->proof_sent)
			l->proof_sent = fence_emit(
				d, &(struct op){ .type = OP_PROOF,
						 .proof = l->proof,
						 .level = l->proof_level,
						 .flag = fence_loop_verdict(d, i, l->proof.kind) });
	}
}
