/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_drill.c - FENCE-19: what a drill says about a node's fence devices, against what these truly did.
 *
 * A drill begins where its declaration is first heard, at a place of the order where all members know the same. From then
 * on the world writes down which devices truly took the node's power, or its registration, away, and which an agent then
 * read back as off. What fenced says in the end (tested or not, and of which level) has to be that.
 */
#include "check.h"

#include <inttypes.h>
#include <string.h>

static bool same_boot(const struct incarnation *a, uint32_t node, uint32_t boot)
{
	struct incarnation b = life_of(node, boot, 1);

	return incarnation_same_boot(a, &b);
}

/* The boot of @node that @life names; 0: none of this world. */
static uint32_t boot_of(const struct world *w, uint32_t node, const struct incarnation *life)
{
	for (uint32_t b = w->host[node].boot; b > 0; b--)
		if (same_boot(life, node, b))
			return b;
	return 0;
}

static const struct fence_node_status *status_of(struct world *w, uint32_t id, uint32_t node)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].pub.nodeid == node)
			return &st.node[i];
	return NULL;
}

/* Has its fenced known for so long that it serves that everybody who was in its view has heard it, in its SYNC or its SIGNS? */
static bool long_in_service(const struct world *w, uint32_t node)
{
	const struct drill_seen *d = &w->drill[node];
	uint64_t round_ms = d->view_ms + w->plan->absent_ms + TOLD_MS;

	return can_run(w, node, PART_FENCE) && d->serves_ms && w->now_ms > d->serves_ms + TOLD_MS &&
	       w->now_ms > round_ms && w->now_ms > d->stood_still_ms + TOLD_MS;
}

/* Heard first at @id: may it begin? */
static void begins(struct world *w, uint32_t id, uint32_t node, uint32_t boot)
{
	struct drill_seen *d = &w->drill[node];

	d->boot = boot;
	d->settled = false;
	d->level = FENCE_LEVEL_NONE;
	d->attempts = 0;
	d->acted = d->read = d->lied = 0;
	w->stats.drills++;
	if (w->host[node].boot == boot && long_in_service(w, node))
		broken(w, "FENCE-19", id, "a drill of n%u begins, which serves", node);
	for (uint32_t other = 1; other <= w->n; other++) {
		const struct fence_node_status *s = status_of(w, id, other);

		if (!s || other == node)
			continue;
		if (s->reason == FENCE_REASON_DRILL)
			broken(w, "FENCE-19", id, "a drill of n%u begins beside one of n%u", node,
			       other);
		if (s->pub.state != FENCE_NODE_MEMBER || s->held ||
		    nodeset_has(w->goodbyes[id], other))
			broken(w, "FENCE-19", id, "a drill of n%u begins, and n%u is %s", node,
			       other, s->held ? "held" : fence_node_state_name(s->pub.state));
	}
}

static uint8_t feeds_of(const struct world *w, unsigned level)
{
	static const uint8_t devices[] = {
#define X(id, word, n) n,
		PLAN_LEVELS(X)
#undef X
	};
	uint8_t feeds = 0;

	for (unsigned i = 0; i < devices[w->plan->path[level]]; i++)
		feeds |= (uint8_t)(1u << agent_feed(w, level, i));
	return feeds;
}

static bool worked(const struct world *w, uint32_t node, unsigned level)
{
	const struct drill_seen *d = &w->drill[node];
	uint8_t feeds;

	if (level >= w->plan->n_path || w->plan->path[level] == LEVEL_DOG)
		return false;
	feeds = feeds_of(w, level);
	return (d->acted & feeds) == feeds && (d->read & feeds) == feeds;
}

static void settled(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint32_t node = a->history.node, level = a->history.number - 1;
	const struct fence_node_status *s = status_of(w, id, node);
	struct drill_seen *d = &w->drill[node];
	bool by_devices = a->history.kind == PROOF_OFF_VERIFIED ||
			  a->history.kind == PROOF_STORAGE_CUT;

	if (boot_of(w, node, &s->pub.proof.victim) != d->boot)
		return; /* it is told late: another one has begun meanwhile */
	w->stats.tested += !d->settled && a->history.number > 0;
	d->settled = true;
	if (a->history.number > 0) {
		if (!by_devices)
			broken(w, "FENCE-19", id, "takes %s for a test of n%u's devices",
			       proof_kind_name(a->history.kind), node);
		if (!worked(w, node, level))
			broken(w, "FENCE-19", id,
			       "says that a drill has tested level %u of n%u, of which not every "
			       "device has acted and was read back",
			       level + 1, node);
		if (d->level != FENCE_LEVEL_NONE && d->level != level)
			broken(w, "FENCE-19", id,
			       "level %u of n%u was drilled, and level %u passes", d->level + 1,
			       node, level + 1);
	} else if (by_devices && d->attempts == 1) {
		broken(w, "FENCE-19", id, "says that the device that switched off n%u did not",
		       node);
	}
	for (unsigned k = 0; k < w->plan->n_path; k++)
		if (s->drill.levels[k].number && s->drill.levels[k].number == s->drill.number &&
		    !worked(w, node, k))
			broken(w, "FENCE-19", id,
			       "remembers that level %u of n%u works, which did not act", k + 1,
			       node);
}

void check_drill_note(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint32_t node = a->history.node, boot;
	const struct fence_node_status *s;

	switch (a->history.note) {
	case FENCE_NOTE_VICTIM:
		if (a->history.reason != FENCE_REASON_DRILL)
			return;
		s = status_of(w, id, node);
		boot = boot_of(w, node, &s->pub.life);
		if (s->reason == FENCE_REASON_DRILL && boot > w->drill[node].boot)
			begins(w, id, node, boot);
		return;
	case FENCE_NOTE_DRILLED: settled(w, id, a); return;
	case FENCE_NOTE_HELD:
		s = status_of(w, id, node);
		if (w->drill[node].boot && s->drill.number == s->pub.proof.number &&
		    boot_of(w, node, &s->pub.proof.victim) == w->drill[node].boot)
			broken(w, "FENCE-19", id, "counts the drill of n%u as a fencing", node);
		return;
	default: return;
	}
}

/* An agent is to switch off: the first attempt of a drill is for one level, the one whose test is longest ago. */
void check_drill_off(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint32_t node = a->run.node;
	const struct fence_node_status *s = status_of(w, id, node);
	struct drill_seen *d = &w->drill[node];

	if (status_of(w, id, id)->pub.state != FENCE_NODE_MEMBER)
		broken(w, "FENCE-19", id, "is drilled or declared over, and fences n%u", node);
	s = status_of(w, id, node);
	if (s->reason != FENCE_REASON_DRILL || d->settled ||
	    boot_of(w, node, &s->pub.life) != d->boot)
		return;
	if (a->run.attempt > d->attempts)
		d->attempts = a->run.attempt;
	if (a->run.attempt != 1)
		return;
	if (d->level == FENCE_LEVEL_NONE)
		d->level = a->run.level;
	if (d->level != a->run.level)
		broken(w, "FENCE-19", id, "drills level %u of n%u, and goes on to level %u",
		       d->level + 1, node, a->run.level + 1);
	for (unsigned k = 0; k < w->plan->n_path; k++)
		if (w->plan->path[k] != LEVEL_DOG &&
		    s->drill.levels[k].number < s->drill.levels[a->run.level].number)
			broken(w, "FENCE-19", id,
			       "drills level %u of n%u, and the test of level %u is longer ago",
			       a->run.level + 1, node, k + 1);
}

/* The truth: a device, or a hand, has taken it away; an agent has read it as gone. */
void check_drill_acted(struct world *w, uint32_t node, unsigned feed)
{
	w->drill[node].acted |= (uint8_t)(1u << feed);
}

void check_drill_lied(struct world *w, uint32_t node, unsigned feed)
{
	w->drill[node].lied |= (uint8_t)(1u << feed);
}

/* "Done" was a lie, and it reads off for another reason: it had lost its power, or was never registered. Nobody can tell. */
void check_drill_read(struct world *w, uint32_t node, unsigned feed)
{
	w->drill[node].read |= (uint8_t)(1u << feed);
	w->drill[node].acted |= w->drill[node].lied & (uint8_t)(1u << feed);
}

/* Who is drilled waits for its device, within a bound, and only as long as it has a quorum. */
static void waits(struct world *w, uint32_t id)
{
	struct drill_seen *d = &w->drill[id];
	const struct host *h = &w->host[id];
	static struct fence_state st;

	fence_snapshot(h->dom, local_ms(w, id), &st);
	if (!st.self_victim) {
		d->waits_ms = 0;
		return;
	}
	if (!st.quorate)
		broken(w, "FENCE-19", id, "is drilled, has lost its quorum, and waits on");
	if (!d->waits_ms)
		d->waits_ms = w->now_ms;
	else if (w->now_ms > d->waits_ms + check_drill_wait_ms(w->plan) + 100 &&
		 w->now_ms > d->stood_still_ms + 100)
		broken(w, "FENCE-19", id, "waits to be switched off for %" PRIu64 " ms",
		       w->now_ms - d->waits_ms);
}

uint32_t check_drill_wait_ms(const struct plan *plan)
{
	return plan->confirm_ms + 20000; /* longer than two devices take */
}

void check_drill_step(struct world *w, uint32_t id, const struct fence_event *ev, bool going)
{
	struct drill_seen *d = &w->drill[id];

	if (ev->type == FENCE_EV_VIEW)
		d->view_ms = w->now_ms;
	if (ev->type == FENCE_EV_SIGNS) {
		bool serves = ev->signs.holds || ev->signs.weight > 0;

		d->serves_ms = !serves ? 0 : d->serves_ms ? d->serves_ms : w->now_ms;
	}
	if (going)
		d->waits_ms = 0;
	else if (d->waits_ms || ev->type == FENCE_EV_DELIVER)
		waits(w, id);
}

/* Its fenced begins anew, or stood still until now. */
void check_drill_forget(struct world *w, uint32_t id)
{
	w->drill[id].waits_ms = w->drill[id].serves_ms = 0;
	w->drill[id].stood_still_ms = w->now_ms;
}
