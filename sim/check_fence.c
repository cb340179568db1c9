/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_fence.c - what fenced's core believes, against the truth. */
#include "check.h"

#include <string.h>

void check_fence_forget(struct world *w, uint32_t id)
{
	check_drill_forget(w, id);
	for (uint32_t n = 1; n <= w->n; n++)
		for (unsigned b = 0; b <= w->host[n].boot && b < LIVES_MAX; b++)
			nodeset_del(&w->remember[n][b], id);
}

static bool holds(const struct world *w, uint32_t id)
{
	const struct host *h = &w->host[id];

	if (!has_part(w, PART_STORAGE))
		return h->fsigns.holds;
	for (unsigned v = 0; v < w->plan->n_services; v++)
		if (may_write(w, id, v))
			return true;
	return false;
}

static bool same_boot(const struct incarnation *a, uint32_t node, uint32_t boot)
{
	struct incarnation b = life_of(node, boot, 1);

	return incarnation_same_boot(a, &b);
}

static bool synced(struct world *w, uint32_t id)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	return st.synced;
}

/* FENCE-6: a proof names a life that runs no more, cannot write any more, or said goodbye while it held nothing. */
static void proofs(struct world *w, uint32_t id, const struct fence_state *st)
{
	for (unsigned i = 0; i < st->n; i++) {
		const struct fence_node *x = &st->node[i];
		const struct host *h = &w->host[x->nodeid];

		if (x->proof.kind == PROOF_NONE || x->proof.kind == PROOF_OPERATOR)
			continue;
		bool lives = h->runs && same_boot(&x->proof.victim, x->nodeid, h->boot);

		if (x->proof.kind == PROOF_CLEAN_LEAVE)
			/* who hung, or stands still in a ring that is over, has not heard yet that it is back */
			lives = lives && holds(w, x->nodeid) && x->state == FENCE_NODE_DEAD &&
				synced(w, id) && st->view.seq == net_ring(w->net, id) &&
				net_ring(w->net, id) == net_ring(w->net, x->nodeid) &&
				w->buried[x->nodeid] !=
					h->boot; /* buried alive by an operator: he was told */
		else
			lives = lives && (x->proof.kind != PROOF_STORAGE_CUT ||
					  !was_cut(w, x->nodeid, h->boot));
		if (incarnation_unseen(&x->proof.victim))
			lives = (x->proof.kind == PROOF_OFF_VERIFIED && h->offs == 0) ||
				(x->proof.kind == PROOF_STORAGE_CUT && h->cuts == 0) ||
				x->proof.kind == PROOF_WATCHDOG_EXPIRED;
		if (lives)
			broken(w, "FENCE-6", id, "holds proof %s (%s) of n%u life %u, which runs",
			       proof_kind_name(x->proof.kind), x->proof.evidence, x->nodeid,
			       h->boot);
	}
}

void check_goodbyes_about(struct world *w, uint32_t id)
{
	static struct fence_state st;

	for (uint32_t n = 1; n <= w->n; n++) {
		if (!w->host[n].dom || n == id)
			continue;
		fence_snapshot(w->host[n].dom, local_ms(w, n), &st);
		const struct fence_node *x = fence_state_node(&st, id);

		if (x && x->proof.kind == PROOF_CLEAN_LEAVE)
			proofs(w, n, &st);
	}
}

/* It waits for its device, within a bound that the core keeps (FENCE-19). */
static bool drilled(struct world *w, uint32_t id)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	return st.node[id - 1].reason == FENCE_REASON_DRILL;
}

void check_fence(struct world *w, uint32_t id, const struct fence_event *ev,
		 const struct fence_actions *out)
{
	static struct fence_state st;
	struct host *h = &w->host[id];
	bool going = h->rebooting, changed = false;

	for (unsigned i = 0; i < out->n; i++) {
		going = going || out->v[i].type == FENCE_ACT_REBOOT_SELF;
		changed = changed || out->v[i].type == FENCE_ACT_PUBLISH;
	}
	check_drill_step(w, id, ev, going);
	if (!changed)
		return;
	/* FENCE-1..4: the core asserts them at the end of each step */
	fence_snapshot(h->dom, local_ms(w, id), &st);
	h->informed = st.informed;
	proofs(w, id, &st);
	if (st.self_victim && !going && !drilled(w, id))
		broken(w, "FENCE-3", id, "knows that it is a victim and goes on");
}

static void show(struct world *w, uint32_t id, const struct fence_action *a)
{
	enum trace_state is = a->history.note == FENCE_NOTE_VICTIM  ? TRACE_IS_VICTIM
			      : a->history.note == FENCE_NOTE_PROOF ? TRACE_IS_DEAD
								    : TRACE_IS_MEMBER;

	if (a->history.note != FENCE_NOTE_VICTIM && a->history.note != FENCE_NOTE_PROOF &&
	    a->history.note != FENCE_NOTE_MEMBER)
		return;
	TRACE(w->trace,
	      (.ms = w->now_ms, .node = a->history.node, .peer = id, .kind = TRACE_VICTIM,
	       .state = is),
	      "%s", a->history.text);
	if (a->history.note == FENCE_NOTE_PROOF)
		TRACE(w->trace,
		      (.ms = w->now_ms, .node = id, .peer = a->history.node, .kind = TRACE_PROOF,
		       .name = proof_kind_name(a->history.kind)),
		      "%s", a->history.text);
}

void check_fence_sleep(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	bool asleep = h->frozen || h->proc[PART_FENCE].hung;

	if (asleep == (h->asleep_ms != 0))
		return;
	/* the core notices a sleep that is longer than its deadline and its allowance for a busy machine */
	if (!asleep)
		w->drill[id].stood_still_ms = w->now_ms;
	if (!asleep && w->now_ms > h->asleep_ms + 2 * (uint64_t)w->plan->stall_ms)
		h->woken_ms = w->now_ms;
	h->asleep_ms = asleep ? w->now_ms : 0;
}

/* Could somebody else than @by act on @node, as @id knows? */
static bool another_actor(struct world *w, uint32_t id, uint32_t node, uint32_t by)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.node_count; i++) {
		const struct fence_node *n = &st.pub.node[i];

		if (n->nodeid != node && n->nodeid != by && n->state == FENCE_NODE_MEMBER &&
		    nodeset_has(st.members, n->nodeid) && !st.node[i].held &&
		    !nodeset_has(w->goodbyes[id], n->nodeid))
			return true;
	}
	return false;
}

/* FENCE-15: who has failed is followed by the next one; the lowest does not try for ever what others could do. */
static void turns(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint32_t node = a->history.node, by = a->history.by;
	static struct fence_status st;

	switch (a->history.note) {
	case FENCE_NOTE_VIEW:
		memset(w->failed_by[id], 0, sizeof(w->failed_by[id]));
		w->goodbyes[id] = NODESET_EMPTY;
		return;
	case FENCE_NOTE_LEAVING: nodeset_add(&w->goodbyes[id], node); return;
	case FENCE_NOTE_VICTIM:
	case FENCE_NOTE_PROOF:
	case FENCE_NOTE_MEMBER: w->failed_by[id][node] = 0; return;
	case FENCE_NOTE_FAILED: w->failed_by[id][node] = (uint8_t)by; return;
	case FENCE_NOTE_ATTEMPT: break;
	default: return;
	}
	if (w->failed_by[id][node] == by && another_actor(w, id, node, by))
		broken(w, "FENCE-15", id, "n%u tries again on n%u, though others could", by, node);
	fence_status(w->host[id].dom, local_ms(w, id), &st);
	if (w->attempt[node][by].number != st.number) {
		w->attempt[node][by].number = st.number;
		w->attempt[node][by].took = NODESET_EMPTY;
	}
	nodeset_add(&w->attempt[node][by].took, id);
	if (id == by)
		w->attempt[node][by].own_ms = w->now_ms;
}

void check_fence_note(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint32_t node = a->history.node;
	static struct fence_state st;

	show(w, id, a);
	turns(w, id, a);
	check_drill_note(w, id, a);
	if (a->history.note == FENCE_NOTE_CONFIRM)
		w->alone_ms[id] = w->now_ms;
	if (a->history.note != FENCE_NOTE_VICTIM && a->history.note != FENCE_NOTE_PROOF)
		return;
	bool proof = a->history.note == FENCE_NOTE_PROOF;

	if (!proof &&
	    (a->history.reason == FENCE_REASON_ABSENT || a->history.reason == FENCE_REASON_MUTE))
		return; /* may be pardoned */
	if (proof && a->history.kind == PROOF_CLEAN_LEAVE)
		return;
	fence_snapshot(w->host[id].dom, local_ms(w, id), &st);
	const struct fence_node *n = fence_state_node(&st, node);

	for (uint32_t b = 1; b <= w->host[node].boot && b < LIVES_MAX; b++) {
		if (!same_boot(proof ? &n->proof.victim : &n->life, node, b))
			continue;
		if (proof && a->history.kind == PROOF_OPERATOR) {
			w->buried[node] = b;
			/* SAFE-5: without force only while no channel shows life */
			if (!w->forced[a->history.by] && w->host[node].boot == b &&
			    can_run(w, node, PART_FENCE) && net_ring(w->net, node) &&
			    net_ring(w->net, node) == net_ring(w->net, id))
				broken(w, "SAFE-5", id,
				       "takes n%u's word about n%u, which is in its ring",
				       a->history.by, node);
		}
		nodeset_add(&w->remember[node][b], id);
	}
}

/* FENCE-10: a majority must remember it: fewer may be alone in a view that is over, or have adopted the history of those
 * who began anew. Two nodes that cut each other off accuse each other.
 */
void check_fence_lives(struct world *w)
{
	for (uint32_t id = 1; id <= w->n && !w->two_node; id++) {
		const struct host *h = &w->host[id];
		unsigned need = w->buried[id] == h->boot ? 2 : w->n / 2 + 1;

		if (h->dom && h->boot < LIVES_MAX &&
		    nodeset_count(w->remember[id][h->boot]) >= need)
			broken(w, "FENCE-10", id, "lives on in life %u, which was declared over",
			       h->boot);
	}
}

/* FENCE-14: nobody switches off by its own word alone: another member has taken the attempt in, or nobody could in time. */
static void confirmed(struct world *w, uint32_t id, uint32_t victim)
{
	static struct fence_status st;
	struct nodeset took = w->attempt[victim][id].took;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	nodeset_del(&took, id);
	if (nodeset_empty(took) && nodeset_count(st.nodes) > 1 && w->alone_ms[id] != w->now_ms &&
	    w->n <= 8) /* with more, a step may have more to tell than there is room for */
		broken(w, "FENCE-14", id, "switches n%u off, and nobody else knows", victim);
	if (w->attempt[victim][id].own_ms < w->host[id].woken_ms)
		broken(w, "FENCE-16", id, "goes on after its sleep, and switches n%u off", victim);
}

/* FENCE-9: a fencing order from a ring that is over, while a majority has gone on without that node. */
/* FENCE-18: a member that was fenced too often starts nothing and fences nobody before an operator has let it in. */
void check_held(struct world *w, uint32_t id, const char *does)
{
	static struct fence_status st;

	if (!w->host[id].dom || !w->plan->loop_max)
		return;
	fence_status(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].pub.nodeid == id && st.node[i].held &&
		    st.node[i].pub.state == FENCE_NODE_MEMBER)
			broken(w, "FENCE-18", id, "is held for being fenced too often, and %s",
			       does);
}

void check_fence_off(struct world *w, uint32_t id, uint32_t victim)
{
	uint64_t ring = net_ring(w->net, id);

	check_held(w, id, "fences");
	confirmed(w, id, victim);
	if (net_is_deaf(w->net, id, w->now_ms))
		broken(w, "FENCE-9", id, "has just woken up and switches n%u off", victim);
	for (uint32_t b = 1; b <= w->n; b++) {
		uint64_t other = net_ring(w->net, b);
		static struct fence_state st;

		/* nobody of its ring could confirm, for as long as a view that is over is believed in: it cannot know more */
		if (!w->host[b].dom || other <= ring || w->two_node || w->alone_ms[id] == w->now_ms)
			continue;
		fence_snapshot(w->host[b].dom, local_ms(w, b), &st);
		if (st.informed && st.view.seq == other && net_ring_quorate(w->net, other) &&
		    !nodeset_has(net_ring_members(w->net, other), id))
			broken(w, "FENCE-9", id, "switches n%u off from a view that is over",
			       victim);
	}
}

/* FENCE-17: while one node's question is out, a second one's would leave those behind who are about to answer. */
void check_fence_hurry(struct world *w, uint32_t id, const struct fence_action *a)
{
	uint64_t ring = net_ring(w->net, id);
	uint32_t by = w->hurried.by;
	static struct fence_state st;

	say(w, "n%u hurries corosync%s", id, a->hurry.again ? " again" : "");
	fence_snapshot(w->host[id].dom, local_ms(w, id), &st);
	nodeset_for_each (over, a->hurry.over) {
		const struct host *h = &w->host[over];

		/* at first it asks only who is there */
		if (a->hurry.again && h->runs &&
		    same_boot(&fence_state_node(&st, over)->life, over, h->boot))
			broken(w, "FENCE-17", id, "hurries corosync to lose n%u, which runs", over);
	}
	/* who takes the other for dead cannot wait for it */
	if (w->hurried.ring == ring && by != id && w->host[by].runs &&
	    w->host[by].boot == w->hurried.boot && !nodeset_has(a->hurry.over, by) &&
	    !nodeset_has(w->hurried.over, id))
		broken(w, "FENCE-17", id, "hurries corosync in a ring in which n%u does", by);
	w->hurried.ring = ring;
	w->hurried.by = id;
	w->hurried.over = a->hurry.over;
	w->hurried.boot = w->host[id].boot;
}

/* It never says that it failed: systemd's watchdog has to end it. */
static bool actor_hangs(struct world *w, uint32_t id, unsigned i)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	return st.node[i].actor && w->host[st.node[i].actor].proc[PART_FENCE].hung;
}

/* One that never said that its watchdog is armed is not proven dead by it: a person looks. */
static bool only_a_dog(const struct world *w)
{
	return w->plan->n_path == 1 && w->plan->path[0] == LEVEL_DOG;
}

static bool someone_held(struct world *w, uint32_t id)
{
	static struct fence_status st;

	fence_status(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].held)
			return true;
	return false;
}

/*
 * A fenced that hangs until the janitor comes holds up each round for absent_ms, until the others leave it out. Of one that began shortly
 * before the quiet time ended (a node that was cut off from its disks took half of that to reboot itself) nothing is due yet: the look, and
 * the janitor with it, come when it is (seed 77008963 of then).
 */
bool fence_round_is_held_up(struct world *w)
{
	static struct fence_status st;

	for (uint32_t id = 1; id <= w->n; id++) {
		if (!can_run(w, id, PART_FENCE) ||
		    w->now_ms > w->drill[id].view_ms + w->plan->absent_ms + TOLD_MS)
			continue;
		fence_status(w->host[id].dom, local_ms(w, id), &st);
		nodeset_for_each (m, st.waiting_sync)
			if (!st.synced && w->host[m].proc[PART_FENCE].hung)
				return true;
	}
	return false;
}

/* FENCE-7: who hears a quorum is informed, and has no victim any more: agents work, so each is dead by now, or back. */
void check_fence_quiet(struct world *w)
{
	static struct fence_state st;

	for (uint32_t id = 1; id <= w->n; id++) {
		struct host *h = &w->host[id];
		unsigned awake = 0;

		if (!can_run(w, id, PART_FENCE) || h->rebooting || h->leaving || !h->unfenced ||
		    !net_ring_quorate(w->net, net_ring(w->net, id)))
			continue;
		nodeset_for_each (m, net_ring_members(w->net, net_ring(w->net, id)))
			awake += can_run(w, m, PART_FENCE) && w->host[m].unfenced;
		if (!w->two_node && 2 * awake <= w->n)
			continue;
		/* it waits for an operator, and fences nobody; or cannot */
		if (someone_held(w, id) || reserve_lost(w, id))
			continue;
		fence_snapshot(h->dom, local_ms(w, id), &st);
		if (!st.informed)
			broken(w, "FENCE-7", id, "is in a quorate ring and not informed");
		for (unsigned i = 0; st.informed && i < st.n; i++)
			if ((st.node[i].state == FENCE_NODE_VICTIM ||
			     st.node[i].state == FENCE_NODE_UNKNOWN) &&
			    !actor_hangs(w, id, i) && !only_a_dog(w))
				broken(w, "FENCE-7", id,
				       "still holds n%u for %s, and nothing fails any more",
				       st.node[i].nodeid, fence_node_state_name(st.node[i].state));
	}
}
