/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/hurry.c - a node is attested dead and still in corosync's membership: it is looked for at once.
 *
 * Corosync misses a dead node after its token time-out, and leaves it out after its consensus time-out. Both are there as silence
 * alone says little. With a hypervisor's word (SAFE-11) one survivor, the lowest, asks corosync twice: as if the token were lost, to
 * ask everybody who is there, as soon as there is any word; and, when the node is known to be off and a pause is over, as if the
 * consensus time-out were over, to go on with those who answered. The pause is what a living node has to answer in: a node that is
 * heard stays in, whoever says that it is dead, and its statement is void (fence_attest_heard()). So this changes when a
 * view comes, never what it says; no setting of corosync is touched.
 *
 * Once for a life: were its node's next corosync in the ring already, each new ring would be asked again. And only by one node: a
 * second survivor that asks while the first one's question is out would leave those behind who are about to answer.
 * Who wakes up late lets corosync's own times run.
 */
#include "domain.h"

struct ends {
	struct nodeset
		over; /* nodes whose life is over, or about to be, and that corosync still counts */
	bool sure;    /* all of them are off */
	bool news;    /* nobody was asked about one of them */
};

static struct ends ends_here(struct fence_domain *d)
{
	struct ends e = { NODESET_EMPTY, true, false };

	for (unsigned i = 0; i < d->n; i++) {
		const struct record *r = &d->book.rec[i];
		struct local *l = &d->local[i];

		if (!fence_attest_ending(d, i) || !nodeset_has(d->view.nodes, r->nodeid))
			continue;
		nodeset_add(&e.over, r->nodeid);
		e.sure = e.sure && incarnation_same_boot(&l->attested, &r->life);
		e.news = e.news || !l->hurried;
		l->hurried = true;
	}
	return e;
}

static void ask(struct fence_domain *d, struct nodeset over)
{
	struct fence_action *a = fence_act(d, FENCE_ACT_HURRY);

	a->hurry.over = over;
	a->hurry.again = d->hurry.asked++ > 0;
}

void fence_plan_hurry(struct fence_domain *d)
{
	if (!view_id_equal(d->hurry.view, d->view.id))
		d->hurry.asked = 0;
	if (!fence_may_decide(d))
		return;
	struct ends e = ends_here(d);
	struct nodeset rest = nodeset_minus(d->view.nodes, e.over);

	if (nodeset_empty(e.over) || nodeset_lowest(rest) != d->cfg.self.nodeid)
		return;
	if (d->hurry.asked == 0 && e.news) {
		bool alone = nodeset_count(rest) == 1;

		ask(d, e.over);
		d->hurry.view = d->view.id;
		d->hurry.again_ms = d->real_ms + (alone ? d->cfg.hurry_alone_ms : d->cfg.hurry_ms);
		d->hurry.sure = false;
	}
	if (d->hurry.asked != 1 || !e.sure)
		return;
	if (!d->hurry.sure && d->hurry.again_ms < d->real_ms)
		d->hurry.again_ms = d->real_ms; /* the pause was over before the word came */
	d->hurry.sure = true;
	if (d->real_ms < d->hurry.again_ms)
		fence_want(d, d->hurry.again_ms - d->lost_ms);
	else if (d->real_ms < d->hurry.again_ms + d->cfg.hurry_ms)
		ask(d, e.over);
	else
		d->hurry.asked = 2; /* we slept: what others answered may not have been read yet */
}
