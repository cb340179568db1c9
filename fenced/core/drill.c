/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/drill.c - a node is fenced for real while all is well, to know that it will work when it has to.
 *
 * A drill is about devices: it tries one level, and only that level's proof says that it was tested. Any other victim reboots
 * itself at once (FENCE-3), which is quicker than many devices, and would leave them untested. So the drilled node lets go of
 * all it may still have, confirms the attempt where nobody else can, and waits to be switched off, until
 *
 *   - the attempt failed, or its actor is gone	    - there is a proof, and this node runs on (its storage was cut off)
 *   - drill_wait_ms are over			    - it has no quorum any more, or no corosync
 *
 * Then it goes the way of all victims. Meanwhile it decides nothing: all its rights ended when it became a victim. If it
 * comes back before a device acted, the proof is new_boot, and the drill is settled as one that tested nothing.
 *
 * The node has to hold nothing, and every node has to be a member: nobody is drilled who is needed, nor two at once, as the
 * second word in the order finds the first one's victim.
 */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Why may there be no drill of @node now? NULL: it may. */
const char *fence_drill_in_the_way(const struct fence_domain *d, uint32_t node)
{
	const struct local *l = &d->local[d->slot[node]];

	for (unsigned i = 0; i < d->n; i++) {
		const struct record *r = &d->book.rec[i];

		if (r->state == FENCE_NODE_VICTIM && r->reason == FENCE_REASON_DRILL)
			return "another drill goes on";
		if (r->state != FENCE_NODE_MEMBER || r->goodbye)
			return "not every node is a member: a drill needs a whole cluster";
		if (r->held)
			return "a node is held for being fenced too often";
	}
	if (l->holds || l->weight > 0)
		return "it serves, or holds something shared; move its services away first";
	return NULL;
}

/* The level whose test is longest ago, of those that somebody else can carry out. */
static uint8_t next_level(const struct fence_path *path, const struct fence_drill *last)
{
	uint8_t best = FENCE_LEVEL_NONE;

	for (uint8_t i = 0; i < path->n_levels; i++)
		if (!path->watchdog[i] && (best == FENCE_LEVEL_NONE ||
					   last->levels[i].number < last->levels[best].number))
			best = i;
	return best;
}

int fence_drill_guard(struct fence_domain *d, uint32_t node, uint8_t *level)
{
	const char *why = fence_drill_in_the_way(d, node);
	const struct fence_path *path = &d->cfg.path[node];
	uint32_t age;

	if (why)
		return fence_refuse(d, -EPERM, "%s", why);
	if (node == d->cfg.self.nodeid)
		return fence_refuse(d, -EPERM, "a node does not drill itself: ask on another one");
	for (unsigned i = 0; i < d->n; i++)
		if (!fence_ready_now(d, i, d->real_ms, &age))
			return fence_refuse(d, -EPERM,
					    "the fence path to node %u has not passed its check",
					    d->book.rec[i].nodeid);
	if (*level == FENCE_LEVEL_NONE)
		*level = next_level(path, &rec_of(d, node)->drill);
	if (*level >= path->n_levels)
		return fence_refuse(d, -EINVAL,
				    "it has no such level that others can switch it off by");
	if (path->watchdog[*level])
		return fence_refuse(
			d, -EINVAL,
			"level %u is its own watchdog: stockade doctor watchdog tests it",
			*level + 1u);
	return 0;
}

void fence_drill_refused(struct fence_domain *d, uint32_t node, const char *why)
{
	struct local *l = &d->local[d->slot[node]];

	if (!l->request || !l->drill)
		return; /* asked for elsewhere */
	l->request = false;
	fence_text_copy(l->drill_refused, why);
	fence_note(d, FENCE_NOTE_DRILL_REFUSED, node, why);
}

/* The first attempt of a drill is for one level; from the second on it is a victim like any other. */
bool fence_drill_only(const struct record *r, uint32_t attempt)
{
	return r->reason == FENCE_REASON_DRILL && attempt == 1;
}

uint8_t fence_drill_first(const struct record *r, uint32_t attempt)
{
	return fence_drill_only(r, attempt) ? r->drill_level : 0;
}

/* We are the one that is drilled, and no third node is there to confirm that the actor's view is no dream. */
bool fence_drill_confirms(const struct fence_domain *d, const struct record *r)
{
	return r->nodeid == d->cfg.self.nodeid && r->reason == FENCE_REASON_DRILL &&
	       nodeset_count(fence_candidates(d, r)) < 2;
}

/* Before the record turns: a proof ends the drill of this victim. @level: whose devices were read back, or NONE. */
void fence_drill_settled(struct book *b, struct record *r, const struct proof *p, uint8_t level)
{
	struct fence_drill *t = &r->drill;

	if (r->state != FENCE_NODE_VICTIM || r->reason != FENCE_REASON_DRILL)
		return;
	bool read_back = (p->kind == PROOF_OFF_VERIFIED || p->kind == PROOF_STORAGE_CUT) &&
			 level < FENCE_LEVELS_MAX;

	t->number = b->proofs + 1;
	t->wall_s = p->wall_s;
	t->kind = p->kind;
	t->level = r->drill_level;
	t->tested = read_back && level == r->drill_level;
	if (read_back)
		t->levels[level] = (struct fence_tested){ t->number, p->wall_s };
}

/* Nobody is informed: what was kept on the disks holds, for each node the youngest; numbers go on from there. */
void fence_drill_adopt(struct fence_domain *d)
{
	for (unsigned by = 0; by < d->n; by++) {
		const struct sync *y = &d->sync[by];

		for (unsigned k = 0; y->have && k < y->book.n; k++) {
			const struct fence_drill *t = &y->book.rec[k].drill;
			struct record *r = rec_of(d, y->book.rec[k].nodeid);

			if (r && t->number > r->drill.number)
				r->drill = *t;
			if (t->number > d->book.proofs)
				d->book.proofs = t->number;
		}
	}
}

/* We are told that we are drilled. */
void fence_drill_begin(struct fence_domain *d)
{
	struct fence_action *a = fence_note(d, FENCE_NOTE_DRILL_WAIT, d->cfg.self.nodeid, "");

	d->drill_end_ms = d->real_ms + d->cfg.drill_wait_ms;
	if (a)
		a->history.ms = d->cfg.drill_wait_ms;
}

static const char *over(const struct fence_domain *d)
{
	const struct record *r = &d->book.rec[d->self];

	if (d->view.id.seq == 0 || !d->view.quorate)
		return "there is no quorum any more";
	if (r->state != FENCE_NODE_VICTIM || r->reason != FENCE_REASON_DRILL)
		return "there is a proof, and this node runs on";
	if (r->attempts > 0 && r->actor == 0)
		return "the fence devices failed";
	if (d->real_ms >= d->drill_end_ms)
		return "no fence device acted in time";
	return NULL;
}

void fence_drill_wait(struct fence_domain *d)
{
	const char *why;

	if (d->drill_end_ms == 0)
		return;
	why = over(d);
	if (!why) {
		fence_want(d, d->now_ms + (d->drill_end_ms - d->real_ms));
		return;
	}
	d->drill_end_ms = 0;
	fence_note(d, FENCE_NOTE_SELF_VICTIM, d->cfg.self.nodeid, why);
	fence_act(d, FENCE_ACT_REBOOT_SELF);
}
