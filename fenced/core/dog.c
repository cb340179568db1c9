/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/dog.c - the watchdog as the last fence device (SAFE-12).
 *
 * Two halves that both sides know. A node pets its watchdog only while it may decide and its storage answers; when that ends,
 * it goes on for grace_ms at most (a view takes its time), and timeout T later the hardware resets it. The others know T
 * from its own word while it was a member (SYNC, SIGNS; corosync signs them), said only while the device is armed; or, when that
 * word was never heard here (fenced began anew since), from its sealed heartbeat on the disk, of that very life and seen to move when
 * we last had to do with it or later. Out of corosync's membership for
 *
 *	grace + 2 1/4 T + margin   grace: above;  margin: lib/timing, 4 tokens (so long may it believe in a view that is
 *	                           over, ref/netlab.md 7), rounding, drift of its clock, a second
 *
 * it cannot run any more: 2 T, as a pet that was decided right before the rules ended may reach the device as late as T after
 * the last one; T / 4 for a sleep too short to be noticed. All on our own clock, which stands still while we sleep (stall()): it can only be late. No word of T, a word
 * of another life, a node that is still in the ring, or whose heartbeat still moves: unknown, and no proof (SAFE-3).
 *
 * Two nodes: both sides of a cut are quorate, so only who may stay (gives_up(), SAFE-13) pets on, and only who has stayed all
 * the while (was_broken()) takes the other one for dead. Who has no watchdog level of its own is never taken for dead by it, and goes on.
 */
#include "domain.h"

#include <stdio.h>
#include <string.h>

static bool has_level(const struct fence_path *p)
{
	for (unsigned i = 0; i < p->n_levels; i++)
		if (p->watchdog[i])
			return true;
	return false;
}

/* Does the other one know that nothing is served here, or need nobody look at a disk? */
static bool known_idle(const struct fence_domain *d, const struct local *l)
{
	return d->cfg.no_disk || (!l->cut.doubt && l->cut.weight == 0);
}

/* Two nodes. Is it certain that the other one either knows that nothing is served here, or sees our heartbeat move on the disk? */
static bool shows_itself(const struct fence_domain *d, const struct local *l)
{
	return known_idle(d, l) ||
	       (d->signs.self == LIFE_FRESH && !(d->mute & FENCE_DAEMON_STORAGED));
}

/* The other one served when we heard it last, so it shows itself as long as it stays; and its heartbeat stands still. */
static bool other_is_silent(const struct fence_domain *d, unsigned slot)
{
	return !d->cfg.no_disk && d->local[slot].weight > 0 &&
	       d->signs.peer[d->book.rec[slot].nodeid] == LIFE_STALE && d->signs.still &&
	       !(d->mute & FENCE_DAEMON_STORAGED);
}

const char *fence_dog_silent(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	return d->view.two_node && !(l->cut.preferred && !l->cut.doubt) && other_is_silent(d, slot)
		       ? "its heartbeat on the disk stands still"
		       : "";
}

/* SAFE-13: may this node stay, of two that lost each other? NULL: yes. */
static const char *gives_up(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	/* One that was never seen here may have seen us. */
	if (d->book.rec[slot].state != FENCE_NODE_VICTIM || !l->said)
		return "the other node is lost, and may be the one to stay";
	if (!shows_itself(d, l))
		return "the other node is lost, and this node cannot show on the disk that it lives";
	if ((l->cut.preferred && !l->cut.doubt) || other_is_silent(d, slot))
		return NULL;
	if (d->signs.peer[d->book.rec[slot].nodeid] == LIFE_FRESH)
		return "the other node is lost, its heartbeat on the disk moves: it is the one to stay";
	return "the other node is lost, and is the one to stay: its heartbeat on the disk is not seen to stand still";
}

/*
 * Has what makes this node the one to stay been untrue since the last step? A sample may miss it: beats of ours that came too late for a
 * reader (the node stood still), one beat of the other node. Not so where its heartbeat cannot be read for a while: it would have moved by then.
 */
static bool was_broken(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];
	bool preferred = l->cut.preferred && !l->cut.doubt;

	if (d->book.rec[slot].state != FENCE_NODE_VICTIM || !l->said || !shows_itself(d, l) ||
	    (!known_idle(d, l) && d->signs.shown_ms != d->dog_shown_ms))
		return true;
	return !preferred &&
	       (d->signs.peer[d->book.rec[slot].nodeid] == LIFE_FRESH ||
		(d->mute & FENCE_DAEMON_STORAGED) || d->signs.moved_ms != d->dog_moved_ms);
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

		if (!nodeset_has(d->view.nodes, r->nodeid) && r->state != FENCE_NODE_DEAD) {
			const char *why = gives_up(d, i);

			if (why)
				return why;
		}
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
		if (l->out_ms == 0 || !d->view.two_node || was_broken(d, i))
			l->stays_ms = 0;
		if (l->out_ms && d->view.two_node && l->stays_ms == 0 && !gives_up(d, i))
			l->stays_ms = d->now_ms;
	}
	d->dog_shown_ms = d->signs.shown_ms;
	d->dog_moved_ms = d->signs.moved_ms;
	d->dog_why = in_the_way(d);
	/*
	 * A look is due five times in a timeout. After a longer pause we slept, and what we believe is from before: that does not
	 * count until the news had their time. Else a node that stands still again and again after its look would never read them.
	 */
	if (d->armed_ms && d->dog_step_ms &&
	    d->real_ms - d->dog_step_ms > d->armed_ms / 5 + d->cfg.stall_ms)
		d->dog_hold_ms = d->real_ms + d->cfg.confirm_ms;
	d->dog_step_ms = d->real_ms;
	if (!d->dog_why && d->real_ms >= d->dog_hold_ms) {
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

/* The words are seals of that very life (storaged/drivers/beat), and it moved on this node's disk at at_ms. */
void fence_dog_disk(struct fence_domain *d, const struct fence_signs *signs)
{
	for (unsigned i = 0; i < signs->n_words; i++) {
		const struct fence_word *x = &signs->word[i];

		if (!rec_of(d, x->nodeid))
			continue;
		struct local *l = &d->local[d->slot[x->nodeid]];

		l->disk.life = (struct incarnation){ .nodeid = x->nodeid };
		memcpy(l->disk.life.boot_id, x->boot_id, BOOT_ID_BYTES);
		l->disk.armed_ms = x->armed_ms;
		l->disk.at_ms = (int64_t)x->at_ms - (int64_t)d->lost_ms;
	}
}

/* Does its heartbeat say something about this life, and is that as new as the last we had to do with it? */
static bool disk_counts(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	return l->disk.life.nodeid &&
	       incarnation_same_boot(&l->disk.life, &d->book.rec[slot].life) &&
	       l->disk.at_ms + (int64_t)d->cfg.word_fresh_ms >=
		       (int64_t)(l->out_ms ? l->out_ms : d->now_ms);
}

uint32_t fence_dog_armed_ms(const struct fence_domain *d, unsigned slot, bool *by_disk)
{
	const struct local *l = &d->local[slot];
	uint32_t ring = fence_dog_ready(d, slot) ? l->armed_ms : 0;
	uint32_t disk = disk_counts(d, slot) ? l->disk.armed_ms : 0;

	*by_disk = ring == 0 && disk > 0;
	return ring > disk ? ring : disk;
}

/* Does a member see its heartbeat on the disk move? */
static bool heart_moves(const struct fence_domain *d, uint32_t node)
{
	bool moves = nodeset_has(d->fresh, node);

	for (unsigned i = 0; i < d->n; i++)
		moves = moves || nodeset_has(d->local[i].fresh, node);
	return moves;
}

/* Since when may this victim not run any more? 0: unknown, @why says why. */
uint64_t fence_dog_due_ms(const struct fence_domain *d, unsigned slot, char why[FENCE_TEXT_MAX])
{
	const struct local *l = &d->local[slot];
	bool by_disk;
	uint32_t armed = fence_dog_armed_ms(d, slot, &by_disk);
	uint64_t due = l->out_ms + d->cfg.dog_grace_ms + 2 * (uint64_t)armed + d->cfg.dog_margin_ms;
	bool two = d->view.two_node;

	due += armed / 4; /* a look, and a sleep that is too short to be noticed */
	/* Until it has noticed what the disk says, or does not: storaged's word, or its silence. */
	if (two)
		due += l->stays_ms - l->out_ms + armed + d->cfg.word_fresh_ms;
	if (armed == 0)
		fence_text_copy(why, "watchdog: this life never said that it was armed");
	else if (l->out_ms == 0)
		fence_text_copy(why, "watchdog: it is in corosync's membership, and may pet it");
	else if (two && gives_up(d, slot))
		fence_text_copy(why, gives_up(d, slot));
	else if (d->now_ms >= due && heart_moves(d, d->book.rec[slot].nodeid))
		fence_text_copy(
			why, "watchdog: it should have fired, and its heartbeat on the disk moves");
	else
		return due;
	return 0;
}

bool fence_dog_ready(const struct fence_domain *d, unsigned slot)
{
	const struct local *l = &d->local[slot];

	return l->armed_ms > 0 && incarnation_same_boot(&l->armed_life, &d->book.rec[slot].life);
}
