/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_storage.c - what storaged's core decides, against what is truly active. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t digest(const struct world *w, const struct service_group *g)
{
	uint64_t h = mix(mix(1, g->history), g->intent), boot[2];

	for (unsigned s = 0; s < w->plan->n_services; s++) {
		const struct service *v = &g->service[s];

		h = mix(h, v->state | (uint64_t)v->enabled << 4 | (uint64_t)v->restart << 5 |
				   (uint64_t)v->begun << 6 | (uint64_t)v->move_ready << 7 |
				   (uint64_t)v->node << 8 | (uint64_t)v->lost << 16 |
				   (uint64_t)v->target << 24 | (uint64_t)v->move << 32);
		h = mix(mix(h, v->starts), v->moves);
		h = mix(mix(h, v->held.bits), v->failed.bits);
		h = mix(mix(h, g->epoch[s]), g->released[s]);
	}
	for (unsigned i = 0; i < w->n; i++) {
		memcpy(boot, g->node[i].life.boot_id, sizeof(boot));
		h = mix(mix(h, boot[0]), boot[1] | (uint64_t)g->node[i].standby << 32);
	}
	return h;
}

/* STORE-8: before all have said what they hold, nobody's word changes what a member knows, or makes it informed. */
static void unsynced(struct world *w, uint32_t id, const struct place_event *ev)
{
	struct host *h = &w->host[id];
	struct place_summary s;
	uint64_t now;

	place_summary(h->place, &s);
	now = s.synced ? 0 : digest(w, place_group(h->place));
	if (now && h->unsynced && now != h->unsynced)
		broken(w, "STORE-8", id, "is not synced, and its group changes by ev=%s",
		       place_ev_name(ev));
	h->unsynced = now;
}

void check_storage(struct world *w, uint32_t id, const struct place_event *ev, int rc)
{
	unsynced(w, id, ev);
	/* STORE-1..3, 5, 6 and RUN-*: the core asserts them at the end of each step */
	bool newer = rc == -EPROTO && ev->type == PLACE_EV_DELIVER &&
		     release_unknown(PART_STORAGE, ev->deliver.data, ev->deliver.len);

	if (rc < 0 && rc != -EAGAIN && ev->type != PLACE_EV_COMMAND && !newer)
		broken(w, "STEP", id, "storaged: ev=%s rc=%d", place_ev_name(ev), rc);
	/* STORE-7: what waits says why, in words */
	for (unsigned s = 0; s < w->plan->n_services && ev->type == PLACE_EV_FENCE; s++) {
		struct place_service ps;

		place_service(w->host[id].place, s, &ps);
		if ((ps.wait.gate == PLACE_GATE_NONE) != (ps.wait.text[0] == '\0'))
			broken(w, "STORE-7", id,
			       "s%u waits at gate %s, and the words are \"%.80s\"", s,
			       place_gate_name(ps.wait.gate), ps.wait.text);
	}
}

void check_storage_point(struct world *w, uint32_t id, uint64_t index)
{
	struct place_summary s;

	if (!w->host[id].place)
		return;
	place_summary(w->host[id].place, &s);
	if (s.synced)
		check_point(w, PART_STORAGE, "STORE-4", id, index,
			    digest(w, place_group(w->host[id].place)));
}

/* A driver is about to activate a volume: what must have come before it. */
void check_start(struct world *w, uint32_t id, unsigned v)
{
	const struct host *h = &w->host[id];

	if (!h->ours[v])
		broken(w, "STORE-6", id,
		       "starts volume %u, and has not written down that it may be active", v);
	/* who hung hears first that it got its lock, and then that dlmd ended meanwhile */
	if (has_part(w, PART_DLM) && !h->vlock[v].heard)
		broken(w, "RUN-3", id, "starts volume %u without its lock", v);
}

/* SAFE-1, at the moment when a volume is activated. */
void check_activation(struct world *w, uint32_t id, unsigned v)
{
	for (uint32_t o = 1; o <= w->n; o++)
		if (o != id && may_write(w, o, v) && !excused(w, o, w->host[o].boot))
			broken(w, "SAFE-1", id,
			       "activates volume %u while n%u life %u may write it", v, o,
			       w->host[o].boot);
	if (has_part(w, PART_FENCE))
		check_goodbyes_about(w, id);
}

/* SAFE-1, SAFE-6, SAFE-4: its gate opens. The record on the disk would still refuse; the gate must not lean on that. */
void check_gate(struct world *w, uint32_t id, int service)
{
	struct host *h = &w->host[id];
	struct place_summary s;

	check_held(w, id, "starts a service");
	/* who was cut off may believe what it likes: its START is refused by the disk */
	for (uint32_t o = 1; o <= w->n && !was_cut(w, id, h->boot); o++)
		if (o != id && may_write(w, o, (unsigned)service) &&
		    !excused(w, o, w->host[o].boot))
			broken(w, "SAFE-1", id,
			       "opens the gate of s%d while n%u life %u may write its volume",
			       service, o, w->host[o].boot);

	if (!nodeset_empty(h->unready_told))
		broken(w, "SAFE-6", id, "opens the gate of s%d without a fence path to n%u",
		       service, nodeset_lowest(h->unready_told));
	place_summary(h->place, &s);
	if (!net_ring_quorate(w->net, s.view_id.seq))
		broken(w, "SAFE-4", id, "opens the gate of s%d in a ring without quorum", service);
}

/* FENCE-20: told in time that its watchdog will not be petted, and awake since: by the end it holds nothing, or is on its way down. */
void check_unpetted(struct world *w, uint32_t id, uint64_t slack_ms)
{
	struct host *h = &w->host[id];
	uint64_t begin, end;

	if (!h->place || h->frozen || h->proc[PART_STORAGE].hung || !h->let_go_told_ms ||
	    h->rebooting)
		return;
	begin = world_ms(w, id, h->fstate.let_go_ms);
	end = world_ms(w, id, h->fstate.let_go_end_ms);
	if (w->now_ms <= end + slack_ms || h->awake_ms >= begin || h->let_go_told_ms >= begin)
		return;
	for (unsigned v = 0; v < w->plan->n_services; v++)
		if (h->active[v][0] && h->ours[v])
			broken(w, "FENCE-20", id,
			       "holds volume %u %" PRIu64 " ms after the time that it was given", v,
			       w->now_ms - end);
}

/* A storaged asks for a fence of its own node: not for a disk that nobody reaches, which would bring nobody anything. */
void check_fence_wish(struct world *w, uint32_t id, uint32_t node)
{
	uint64_t known_ms = 3 * w->plan->stale_ms +
			    8000; /* by then all have heard all, if they hear */
	uint64_t turn_ms = disk_turn_ms(w->plan);
	struct host *h = &w->host[id];

	if (node != id || !h->disk_away || w->now_ms - h->away_ms < known_ms ||
	    w->now_ms - h->awake_ms < known_ms)
		return;
	for (uint32_t o = 1; o <= w->n; o++) {
		const struct host *k = &w->host[o];

		/* STORE-9, too: back from an outage that it knew of, and who asks has not had its turn */
		if (!k->disk_away && k->gone_ms && k->away_ms - k->gone_ms >= known_ms &&
		    h->away_ms + known_ms < k->away_ms && w->now_ms - k->away_ms < turn_ms &&
		    w->now_ms - k->awake_ms > w->now_ms - k->gone_ms)
			continue;
		if (o != id && k->runs &&
		    (!k->disk_away || w->now_ms - k->away_ms < known_ms || k->frozen ||
		     !k->proc[PART_STORAGE].on || k->proc[PART_STORAGE].hung ||
		     k->proc[PART_STORAGE].newer || w->now_ms - k->awake_ms < known_ms))
			return;
	}
	broken(w, "STORE-9", id,
	       "wants to be fenced, and no node reaches the disk for %" PRIu64 " ms",
	       w->now_ms - h->away_ms);
}

/* SAFE-7: who lost quorum lets go in time, or reboots. */
void check_let_go(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	uint64_t late_ms = w->now_ms - w->plan->stop_ms - 300;

	check_unpetted(w, id, 300);
	if (!h->place || h->frozen || h->proc[PART_STORAGE].hung ||
	    w->now_ms <= w->plan->stop_ms + 300 || late_ms <= h->awake_ms)
		return;
	for (unsigned v = 0; v < w->plan->n_services && h->victim_ms && late_ms > h->victim_ms; v++)
		if (h->active[v][0] && h->ours[v])
			broken(w, "SAFE-7", id,
			       "holds volume %u %" PRIu64
			       " ms after it was told that it is a victim",
			       v, w->now_ms - h->victim_ms);
	if (h->rebooting || !h->noquorum_ms || late_ms <= h->noquorum_ms)
		return;
	for (unsigned v = 0; v < w->plan->n_services; v++)
		if (h->active[v][0] && h->ours[v])
			broken(w, "SAFE-7", id,
			       "holds volume %u %" PRIu64 " ms after its quorum was lost", v,
			       w->now_ms - h->noquorum_ms);
}

void check_goodbye(struct world *w, uint32_t id)
{
	const struct host *h = &w->host[id];

	for (unsigned v = 0; v < w->plan->n_services; v++)
		for (unsigned r = 0; r < R_MAX; r++)
			if (h->active[v][r])
				broken(w, "SAFE-1", id, "says goodbye while s%u/%u is active", v,
				       r);
	if (!has_part(w, PART_STORAGE) && h->fsigns.holds)
		broken(w, "FENCE-6", id, "left while it held something");
}
