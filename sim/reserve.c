/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/reserve.c - persistent reservations on the disks: who is registered may write. As lib/shell/scsi_guard, the agent
 * fence_scsi and storaged/drivers/reserve use them: a life registers before it writes, leaves a mark, and comes in again
 * only when nobody is registered at all (the target has forgotten everybody).
 */
#include "check.h"

#define UNFENCE_MS 5000 /* as fenced/daemon/unfence.c */

static unsigned disks(const struct world *w)
{
	return w->plan->n_services ? w->plan->n_services : 1;
}

bool disk_lets(const struct world *w, uint32_t id, unsigned v)
{
	const struct volume *d = &w->volume[v];

	return !w->reserves || !d->reserved || nodeset_has(d->registered, id);
}

bool key_in(const struct world *w, uint32_t id)
{
	for (unsigned v = 0; v < disks(w); v++)
		if (disk_lets(w, id, v))
			return true;
	return false;
}

bool reserve_lost(const struct world *w, uint32_t id)
{
	for (unsigned v = 0; v < disks(w) && w->reserves; v++)
		if (w->host[id].runs && w->host[id].marked[v] && !disk_lets(w, id, v))
			return true;
	return false;
}

/* scsi_guard_join() */
static bool join(struct world *w, uint32_t id, unsigned v)
{
	struct volume *d = &w->volume[v];
	struct host *h = &w->host[id];

	if (!nodeset_has(d->registered, id) && h->marked[v] &&
	    (!nodeset_empty(d->registered) || d->reserved)) {
		say(w, "n%u: disk %u: this life was cut off", id, v);
		return false;
	}
	if (!nodeset_has(d->registered, id) || !h->marked[v]) {
		nodeset_add(&d->registered, id);
		h->marked[v] = true;
		say(w, "n%u registers on disk %u", id, v);
		SHOW(w, id, KEY, TRACE_IS_REGISTERED, "", "registers on the disks");
	}
	d->reserved = true;
	return true;
}

static bool join_all(struct world *w, uint32_t id)
{
	bool all = !w->host[id].disk_away;

	for (unsigned v = 0; v < disks(w) && all; v++)
		all = join(w, id, v);
	return all;
}

/* storaged/drivers/reserve.c, before a volume is started: we are in, and who was cut off is out. */
bool reserve_start(struct world *w, uint32_t id, unsigned v)
{
	const struct host *h = &w->host[id];

	if (!w->reserves)
		return true;
	if (!join(w, id, v))
		return false;
	for (uint32_t o = 1; o <= w->n && h->fstate_known; o++) {
		const struct fence_node *f = fence_state_node(&h->fstate, o);

		if (!f || f->state != FENCE_NODE_DEAD || f->proof.kind != PROOF_STORAGE_CUT ||
		    !disk_lets(w, o, v))
			continue;
		say(w, "n%u: volume %u refused: n%u was cut off, and may write it", id, v, o);
		return false;
	}
	return true;
}

/* The agent, on @by: PREEMPT AND ABORT of every key of the node. Return: done */
bool reserve_cut(struct world *w, uint32_t by, uint32_t node)
{
	struct host *h = &w->host[node];

	if (!join_all(w, by))
		return false;
	for (unsigned v = 0; v < disks(w); v++) {
		struct volume *d = &w->volume[v];

		nodeset_del(&d->registered, node);
		d->flying[node] = 0;
	}
	h->cut_boot = h->boot;
	h->cuts++;
	say(w, "n%u cannot write any more (life %u): n%u has taken its keys", node, h->boot, by);
	SHOW(w, node, KEY, TRACE_IS_CUT_OFF, "", "n%u takes its registration away", by);
	return true;
}

enum fence_answer reserve_look(const struct world *w, uint32_t by, uint32_t node)
{
	return w->host[by].disk_away ? FENCE_ANSWER_UNKNOWN
	       : key_in(w, node)     ? FENCE_ANSWER_ON
				     : FENCE_ANSWER_OFF;
}

void target_restarts(struct world *w)
{
	for (unsigned v = 0; v < disks(w) && w->reserves && w->plan->forgets; v++) {
		w->volume[v].registered = NODESET_EMPTY;
		w->volume[v].reserved = false;
		w->volume[v].forgot = true;
	}
	if (w->reserves && w->plan->forgets)
		say(w, "the target has forgotten who was registered");
}

/* --- on the node: before it joins, and while a volume is active --- */

void unfence(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	h->unfenced = !w->reserves || join_all(w, id);
	if (h->unfenced)
		proc_join(w, id, PART_FENCE);
	else
		push(w, UNFENCE_MS, EV_UNFENCE, id, PART_FENCE, 0, 0, NULL);
}

void reserve_watch(struct world *w, uint32_t id, unsigned s)
{
	struct place_event ev = { .type = PLACE_EV_MONITOR };
	struct host *h = &w->host[id];

	h->watches[s] = false;
	if (!h->monitor[s])
		return;
	reserve_watch_soon(w, id, s);
	if (h->disk_away || join(w, id, s))
		return;
	ev.monitor.service = s;
	ev.monitor.result = DRIVE_FAILED;
	ev.monitor.why = "cut off from the disk";
	ev.monitor.cut_off = true;
	storaged_feed(w, id, &ev);
}

void reserve_watch_soon(struct world *w, uint32_t id, unsigned s)
{
	struct host *h = &w->host[id];

	if (!w->reserves || h->watches[s])
		return;
	h->watches[s] = true;
	push(w, prng_range(&h->prng, 1, w->plan->monitor_ms), EV_RESERVE, id, PART_STORAGE, s, 0,
	     NULL);
}
