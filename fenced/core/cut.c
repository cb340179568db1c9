/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/cut.c - two nodes that lose each other: both are quorate, one may act (SAFE-4, FENCE-11).
 *
 * Neither can ask the other, so each takes one of six turns, a cut_delay apart, from what it knows itself; a turn is long
 * enough for the one before it to have switched this node off. The turns of the two sides are never the same:
 *
 *   0  it is preferred       2, 3  the same two, for a node that does not reach its storage or its gateway
 *   1  it is not             4, 5  "in doubt": its weight changed, and the other one has not said that it knows; these by nodeid
 *
 * Preferred is who had the higher weight, then the lower nodeid. Both sides know both weights: the other one's as it said
 * it, our own only when the other one has confirmed it (HEARD); else we are in doubt. Changes are counted: a weight that went
 * away and came back is another word. So, without doubt, just one is preferred. Whether it serves makes no turn of its own: in
 * the middle of a move nobody does, and each turn is a pause for the clients (vm `cuts`: 17 and 38 s).
 * Who serves, who is preferred and the doubt are those of the moment of the cut. Storage and gateway may get worse while
 * we wait, but not better: a turn that has passed unused may be running on the other side.
 *
 * A heartbeat on the disk that stands still is no guess: who does not reach the disk does not serve, nobody waits for it.
 */
#include "domain.h"

void fence_cut_begin(struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];
	struct local *l = &d->local[slot];
	uint32_t mine = d->signs.weight;

	l->cut.doubt = !d->heard.known || d->heard.changes != d->changes;
	l->cut.weight = mine;
	l->cut.preferred = mine > l->weight ||
			   (mine == l->weight && d->cfg.self.nodeid < r->nodeid);
	l->cut.block = 0;
}

void fence_cut_facts(struct fence_domain *d)
{
	bool apart = d->gateway == LIFE_STALE ||
		     ((d->signs.holds || d->signs.weight > 0) && d->signs.self == LIFE_STALE) ||
		     (d->signs.holds && d->signs.self != LIFE_FRESH);

	for (unsigned i = 0; apart && i < d->n; i++)
		if (d->book.rec[i].state == FENCE_NODE_VICTIM)
			d->local[i].cut.block = 1;
}

static uint32_t turn_of(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	if (l->cut.doubt)
		return d->cfg.self.nodeid < d->book.rec[slot].nodeid ? 4 : 5;
	return 2u * l->cut.block + (l->cut.preferred ? 0 : 1);
}

uint32_t fence_cut_wait_ms(const struct fence_domain *d, unsigned slot)
{
	const struct record *r = &d->book.rec[slot];

	if (!d->view.two_node || r->reason == FENCE_REASON_REQUEST ||
	    r->reason == FENCE_REASON_DRILL ||
	    2 * nodeset_count(fence_candidates(d, r)) > nodeset_count(d->cfg.nodes) ||
	    d->signs.peer[r->nodeid] == LIFE_STALE)
		return 0;
	return turn_of(d, slot) * d->cfg.cut_delay_ms;
}

/* After a round of two neither knows any more what the other one knows, until it says so. */
void fence_cut_met(struct fence_domain *d)
{
	struct nodeset other = nodeset_and(d->view.members, d->cfg.nodes);

	d->heard.owed = 0;
	nodeset_del(&other, d->cfg.self.nodeid);
	if (!d->view.two_node || nodeset_empty(other))
		return;
	d->heard.known = false;
	d->heard.owed = nodeset_lowest(other);
}

void fence_plan_cut(struct fence_domain *d)
{
	struct op op = { .type = OP_HEARD, .node = d->heard.owed };

	if (op.node == 0 || !d->view.two_node)
		return;
	op.number = d->local[d->slot[op.node]].changes;
	if (fence_emit(d, &op))
		d->heard.owed = 0;
}

void fence_on_heard(struct fence_domain *d, uint32_t from, const struct op *op)
{
	if (from == d->cfg.self.nodeid || op->node != d->cfg.self.nodeid)
		return;
	d->heard.known = true;
	d->heard.changes = op->number;
}
