/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/request.c - what operators and storaged ask for, goodbye, and what only waiting brings about. */
#include "domain.h"

#include "lib/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int fence_on_request(struct fence_domain *d, uint32_t node, const char *text, bool drill,
		     uint8_t level)
{
	struct record *r;
	int rc = fence_asked(d, node, &r);

	if (rc < 0)
		return rc;
	if (r->state == FENCE_NODE_VICTIM)
		return fence_refuse(d, -EALREADY, "it is a victim already: %s",
				    fence_reason_text(r->reason));
	if (r->state == FENCE_NODE_DEAD)
		return fence_refuse(d, -EALREADY, "there is a proof already: %s",
				    proof_kind_name(r->proof.kind));
	struct local *l = &d->local[d->slot[node]];

	if (drill) {
		rc = fence_drill_guard(d, node, &level);
		if (rc < 0)
			return rc;
		l->drill_refused[0] = l->drill_error[0] = '\0';
	}
	l->request = true;
	l->drill = drill;
	l->drill_level = level;
	l->request_sent = false;
	fence_text_copy(l->request_text, text);
	return 0;
}

void fence_on_declare(struct fence_domain *d, uint32_t from, const struct op *op)
{
	struct record *r = rec_of(d, op->node);
	(void)from;

	if (!r || !incarnation_same_boot(&r->life, &op->life))
		return; /* another life than was meant */
	switch (op->reason) {
	case FENCE_REASON_UNSEEN:
		if (r->state == FENCE_NODE_UNKNOWN)
			fence_rec_victim(r, op->reason, op->text);
		return;
	case FENCE_REASON_ABSENT:
		if (r->state == FENCE_NODE_ABSENT)
			fence_rec_victim(r, op->reason, op->text);
		return;
	case FENCE_REASON_REQUEST:
		if (r->state == FENCE_NODE_MEMBER || r->state == FENCE_NODE_ABSENT ||
		    r->state == FENCE_NODE_UNKNOWN)
			fence_rec_victim(r, op->reason, op->text);
		return;
	case FENCE_REASON_DRILL: { /* again here: it may have begun to serve since it was asked for */
		const char *why = fence_drill_in_the_way(d, op->node);

		if (why) {
			fence_drill_refused(d, op->node, why);
		} else {
			fence_rec_victim(r, op->reason, op->text);
			r->drill_level = op->level;
		}
		return;
	}
	case FENCE_REASON_NONE:
	case FENCE_REASON_NODEDOWN:
	case FENCE_REASON_ZOMBIE:
	case FENCE_REASON_MUTE: return; /* found by a round, never declared */
	}
}

static void ack_end(struct fence_domain *d, int rc, const char *text)
{
	struct fence_action *a = fence_act(d, FENCE_ACT_ACK_DONE);

	a->ack.node = d->ack.node;
	a->ack.rc = rc;
	fence_text_copy(a->ack.text, text);
	if (d->ack.run)
		fence_act(d, FENCE_ACT_CANCEL_RUN)->cancel = d->ack.run;
	memset(&d->ack, 0, sizeof(d->ack));
}

static void ack_accept(struct fence_domain *d, uint32_t node, const char *how, const char *text,
		       bool force)
{
	struct record *r = rec_of(d, node);
	struct local *l = &d->local[d->slot[node]];

	l->proof = (struct proof){ .victim = r->life,
				   .kind = PROOF_OPERATOR,
				   .by = d->cfg.self.nodeid,
				   .wall_s = d->wall_s };
	l->proof_level = FENCE_LEVEL_NONE;
	snprintf(l->proof.evidence, sizeof(l->proof.evidence), "%s: %.*s", how,
		 (int)utf8_cut(text, 120), text);
	l->proof_forced = force;
	l->proof_sent = false;
}

static void ack_probe(struct fence_domain *d)
{
	struct fence_action *a = fence_act(d, FENCE_ACT_RUN);

	d->ack.run = ++d->runs;
	a->run.run = d->ack.run;
	a->run.node = d->ack.node;
	a->run.level = d->ack.level;
	a->run.device = d->ack.device;
	a->run.action = FENCE_AGENT_STATUS;
	a->run.attempt = 0;
}

/* A watchdog cannot be asked. */
static void ack_skip_dogs(struct fence_domain *d)
{
	const struct fence_path *p = &d->cfg.path[d->ack.node];

	while (d->ack.level < p->n_levels && p->watchdog[d->ack.level])
		d->ack.level++;
}

/* SAFE-5: any channel that shows the victim alive refuses; silence of a channel does not. */
int fence_on_ack(struct fence_domain *d, uint32_t node, bool force, const char *text)
{
	struct record *r;
	int rc = fence_asked(d, node, &r);

	if (rc < 0)
		return rc;
	if (r->state != FENCE_NODE_VICTIM)
		return fence_refuse(d, -EINVAL, "it is not waiting to be fenced");
	if (force && (!text || text[0] == '\0'))
		return fence_refuse(d, -EINVAL, "forcing needs a reason");
	if (d->ack.on)
		return fence_refuse(d, -EALREADY, "an acknowledgement of node %u is being checked",
				    d->ack.node);
	text = text ? text : "";
	if (force) {
		ack_accept(d, node, "forced", text, true);
		d->ack.node = node;
		ack_end(d, 0, "forced");
		return 0;
	}
	if (nodeset_has(d->view.nodes, node))
		return fence_refuse(d, -EBUSY, "it is a member of the corosync ring");
	if (nodeset_has(d->fresh, node))
		return fence_refuse(d, -EBUSY, "its heartbeat on the shared disk moves");
	for (unsigned i = 0; i < d->n; i++)
		if (nodeset_has(d->local[i].fresh, node))
			return fence_refuse(d, -EBUSY,
					    "node %u sees its heartbeat on the shared disk move",
					    d->book.rec[i].nodeid);
	d->ack.on = true;
	d->ack.node = node;
	fence_text_copy(d->ack.text, text);
	ack_skip_dogs(d);
	if (d->ack.level == d->cfg.path[node].n_levels) {
		ack_accept(d, node, "no device to ask", text, false);
		ack_end(d, 0, "no device to ask");
		return 0;
	}
	ack_probe(d);
	return 0;
}

bool fence_ack_run_done(struct fence_domain *d, uint64_t run, enum fence_answer answer,
			const char *text)
{
	const struct fence_path *path = &d->cfg.path[d->ack.node];

	if (!d->ack.on || run == 0 || d->ack.run != run)
		return false;
	d->ack.run = 0;
	if (answer == FENCE_ANSWER_ON) {
		ack_end(d, -EBUSY, text);
		return true;
	}
	fence_text_add(d->ack.seen, text);
	if (++d->ack.device == path->n_devices[d->ack.level]) {
		d->ack.device = 0;
		d->ack.level++;
	}
	ack_skip_dogs(d);
	if (d->ack.level < path->n_levels) {
		ack_probe(d);
		return true;
	}
	ack_accept(d, d->ack.node, "operator", d->ack.text[0] ? d->ack.text : "no reason given",
		   false);
	ack_end(d, 0, d->ack.seen);
	return true;
}

int fence_on_leave(struct fence_domain *d)
{
	if (d->leaving)
		return fence_refuse(d, -EALREADY, "it is leaving already");
	if (d->signs.holds)
		return fence_refuse(d, -EBUSY, "storaged holds something shared; stop it first");
	int rc = fence_undecided(d);

	if (rc < 0)
		return rc;
	d->leaving = true; /* from here on nothing may start here: informed is told as false */
	return 0;
}

int fence_on_signs(struct fence_domain *d, const struct fence_signs *signs)
{
	struct nodeset fresh = NODESET_EMPTY;

	if (d->leaving && signs->holds)
		return fence_refuse(d, -EBUSY,
				    "this node is leaving the domain: nothing may be activated");
	nodeset_for_each (id, d->cfg.nodes)
		if (signs->peer[id] == LIFE_FRESH)
			nodeset_add(&fresh, id);
	if (signs->weight != d->signs.weight || signs->holds != d->signs.holds ||
	    !nodeset_equal(fresh, d->fresh))
		d->signs_dirty = true;
	d->changes += signs->weight != d->signs.weight;
	d->signs = *signs;
	d->fresh = fresh;
	fence_dog_disk(d, signs);
	return 0;
}

static void plan_declare(struct fence_domain *d, unsigned slot)
{
	struct record *r = &d->book.rec[slot];
	struct local *l = &d->local[slot];
	struct op op = { .type = OP_DECLARE, .node = r->nodeid, .life = r->life };
	uint32_t wait;

	if (l->request && !l->request_sent) {
		op.reason = l->drill ? FENCE_REASON_DRILL : FENCE_REASON_REQUEST;
		op.level = l->drill ? l->drill_level : FENCE_LEVEL_NONE;
		fence_text_copy(op.text, l->request_text);
		l->request_sent = fence_emit(d, &op);
	}
	if (r->state == FENCE_NODE_UNKNOWN) {
		op.reason = FENCE_REASON_UNSEEN;
		wait = d->cfg.post_join_ms;
	} else if (r->state == FENCE_NODE_ABSENT) {
		op.reason = FENCE_REASON_ABSENT;
		wait = d->cfg.absent_ms;
	} else {
		return;
	}
	if (l->declare_sent)
		return;
	/* of whom we forgot all but its last life, there is nothing to wait for when that is over */
	bool over = r->state == FENCE_NODE_UNKNOWN && fence_attest_over(d, slot);

	if (!over && d->now_ms < l->since_ms + wait) {
		fence_want(d, l->since_ms + wait);
		return;
	}
	if (over)
		snprintf(op.text, sizeof(op.text), "%s, and a hypervisor says that it is over",
			 fence_reason_text(op.reason));
	else
		snprintf(op.text, sizeof(op.text), "%s for %u ms", fence_reason_text(op.reason),
			 wait);
	l->declare_sent = fence_emit(d, &op);
}

void fence_plan_requests(struct fence_domain *d)
{
	if (d->ack.on) {
		const struct record *r = rec_of(d, d->ack.node);

		if (r->state == FENCE_NODE_DEAD)
			ack_end(d, 0, "it was proven meanwhile");
		else if (r->state != FENCE_NODE_VICTIM || (d->synced && !fence_may_decide(d)) ||
			 !d->view.quorate)
			ack_end(d, -ECANCELED, "the cluster changed while its devices were asked");
	}
	if (!fence_may_decide(d))
		return;
	for (unsigned i = 0; i < d->n; i++)
		plan_declare(d, i);
	if (d->signs_dirty) {
		struct op op = { .type = OP_SIGNS,
				 .number = d->signs.weight,
				 .changes = d->changes,
				 .armed_ms = d->armed_ms,
				 .flag = d->signs.holds,
				 .set = d->fresh };

		d->signs_dirty = !fence_emit(d, &op);
	}
	fence_plan_cut(d);
	for (unsigned i = 0; i < d->n; i++)
		if (d->local[i].admit)
			d->local[i].admit = !fence_emit(
				d, &(struct op){ .type = OP_ADMIT, .node = d->book.rec[i].nodeid });
	if (d->leaving && !d->leave_sent && !d->signs.holds)
		d->leave_sent = fence_emit(d,
					   &(struct op){ .type = OP_LEAVE, .wall_s = d->wall_s });
}
