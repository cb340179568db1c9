/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/dog.c - the watchdog as the last fence device (SAFE-12).
 *
 * Two halves that both sides know. A node pets its watchdog only while it may decide and its storage answers; when that ends,
 * it goes on for grace_ms at most (a view takes its time), and timeout T later the hardware resets it. The others know T
 * from its own word while it was a member (SYNC, SIGNS; corosync signs them), said only while the device is armed. Out of
 * corosync's membership for
 *
 *	grace + 2 T + margin       grace: above;  margin: lib/timing, 4 tokens (so long may it believe in a view that is
 *	                           over, ref/netlab.md 7), rounding, drift of its clock, a second
 *
 * it cannot run any more: 2 T, as a pet that was decided right before the rules ended may reach the device as late as T after
 * the last one. All on our own clock, which stands still while we sleep (stall()): it can only be late. No word of T, a word
 * of another life, or a node that is still in the ring: unknown, and no proof (SAFE-3).
 *
 * Two nodes: both sides of a cut are quorate, so who is not preferred (cut.c) stops petting, unless it has a proof about the
 * other one within the grace. Of a crash of the preferred one it cannot tell a cut: without another device the two
 * nodes are down until that one boots again. Who has no watchdog level of its own is never taken for dead by it, and goes on.
 */
#include "domain.h"

#include <stdio.h>

static bool has_level(const struct fence_path *p)
{
	for (unsigned i = 0; i < p->n_levels; i++)
		if (p->watchdog[i])
			return true;
	return false;
}

/* What stands in the way of petting, seen now; NULL: nothing. */
static const char *in_the_way(const struct fence_domain *d)
{
	bool level = has_level(&d->cfg.path[d->cfg.self.nodeid]);

	if (d->rebooting)
		return "the others declared this life over";
	if (!level && !d->signs.holds)
		return NULL; /* nobody counts on it, and there is nothing to protect */
	if (!fence_may_decide(d))
		return "this node has no quorum, or does not know who is a member";
	if (d->signs.holds && d->signs.self == LIFE_STALE && !d->cfg.dog_not_storage)
		return "this node does not reach its storage";
	/* Nobody here would let go of anything any more. A restart takes less than the grace. */
	if (d->signs.holds && d->mute && !d->cfg.dog_not_daemons)
		return d->mute & FENCE_DAEMON_STORAGED ? "storaged of this node does not answer"
						       : "dlmd of this node does not answer";
	for (unsigned i = 0; level && d->view.two_node && i < d->n; i++) {
		const struct record *r = &d->book.rec[i];
		const struct local *l = &d->local[i];

		bool ours = r->state == FENCE_NODE_VICTIM && l->cut.preferred && !l->cut.doubt;

		/* One that was never seen here may have seen us: only a proof, or being preferred, lets us go on. */
		if (!nodeset_has(d->view.nodes, r->nodeid) && r->state != FENCE_NODE_DEAD && !ours)
			return "the other node is lost, and is the one to stay";
	}
	return NULL;
}

void fence_dog_facts(struct fence_domain *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct local *l = &d->local[i];

		if (d->view.id.seq == 0 || nodeset_has(d->view.nodes, d->book.rec[i].nodeid))
			l->out_ms = 0;
		else if (l->out_ms == 0)
			l->out_ms = d->now_ms;
	}
	d->dog_why = in_the_way(d);
	if (!d->dog_why) {
		d->dog_ok_ms = d->real_ms;
		d->dog_ever = true;
	}
}

bool fence_may_pet(const struct fence_domain *d, uint64_t now_ms, const char **ret_why)
{
	*ret_why = d->dog_why ? d->dog_why : "";
	return d->dog_ever && !d->rebooting && now_ms - d->dog_ok_ms <= d->cfg.dog_grace_ms;
}

void fence_dog_word(struct local *l, const struct incarnation *life, uint32_t armed_ms)
{
	if (l->armed_ms != armed_ms)
		l->check_at_ms = 0; /* its path is another one now */
	l->armed_ms = armed_ms;
	l->armed_life = *life;
}

/* Since when may this victim not run any more? 0: unknown, @why says why. */
uint64_t fence_dog_due_ms(const struct fence_domain *d, unsigned slot, char why[FENCE_TEXT_MAX])
{
	const struct record *r = &d->book.rec[slot];
	const struct local *l = &d->local[slot];

	if (l->armed_ms == 0 || !incarnation_same_boot(&l->armed_life, &r->life))
		fence_text_copy(why, "watchdog: this life never said that it was armed");
	else if (l->out_ms == 0)
		fence_text_copy(why, "watchdog: it is in corosync's membership, and may pet it");
	else
		return l->out_ms + d->cfg.dog_grace_ms + 2 * (uint64_t)l->armed_ms +
		       d->cfg.dog_margin_ms;
	return 0;
}

bool fence_dog_ready(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	return l->armed_ms > 0 && incarnation_same_boot(&l->armed_life, &d->book.rec[slot].life);
}
