/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/dog.c - the watchdog of each node, and what fenced/daemon/guard.c does with it. Hardware: it does not stand still
 * with its node, it resets a kernel that panicked, and it does not care what its node believes.
 */
#include "check.h"

#define LOOK_MS 1000 /* as fenced/daemon/guard.c */

void dog_hears(struct world *w, uint32_t id, unsigned part)
{
	w->host[id].alive_ms[part] = w->now_ms;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* As hear() of fenced/daemon/guard.c: each says eight times in a timeout that its loop turns. Who was never heard counts from now. */
static void hear(struct world *w, uint32_t id)
{
	static const uint32_t bit[PARTS] = {
		[PART_DLM] = FENCE_DAEMON_DLMD, [PART_STORAGE] = FENCE_DAEMON_STORAGED
	};
	struct fence_event ev = { .type = FENCE_EV_DAEMONS };
	struct host *h = &w->host[id];

	for (unsigned p = PART_DLM; p < PARTS; p++) {
		if (!has_part(w, p) || can_run(w, id, p) || h->alive_ms[p] == 0)
			dog_hears(w, id, p);
		if (w->now_ms - h->alive_ms[p] > w->plan->watchdog_ms / 2)
			ev.mute |= bit[p];
	}
	if (ev.mute == h->mute)
		return;
	h->mute = ev.mute;
	say(w, "n%u fenced hears%s%s", id, ev.mute & FENCE_DAEMON_DLMD ? " no dlmd" : "",
	    ev.mute & FENCE_DAEMON_STORAGED ? " no storaged" : "");
	fenced_feed(w, id, &ev);
}

/*
 * SAFE-12, by what no node can see: something is held here, and a daemon stands still, or the disk of a volume that is written is
 * away, since so long that the grace is over. Late at most: half a timeout until a daemon counts as mute, the
 * period of the looks twice, the grace; and as much once more as fenced itself may have slept without being reset.
 */
static void check_pet(struct world *w, uint32_t id)
{
	const struct plan *p = w->plan;
	struct host *h = &w->host[id];
	uint32_t most = p->watchdog_ms / 2 + 2 * (p->watchdog_ms / 5) + p->grace_ms +
			p->watchdog_ms + 100;
	uint64_t from = later(h->dog_from_ms, h->holds_ms);

	if (!h->fsigns.holds)
		return;
	for (unsigned i = PART_DLM; i < PARTS; i++)
		if (h->proc[i].on && h->proc[i].hung &&
		    w->now_ms > later(from, h->proc[i].hung_ms) + most)
			broken(w, "SAFE-12", id,
			       "pets its watchdog, holds something, and its %s stands still",
			       daemon_names[i]);
	for (unsigned v = 0; v < p->n_services; v++)
		if (h->disk_away && h->beat[v] == id && !h->proc[PART_STORAGE].hung &&
		    w->now_ms > later(later(from, h->away_ms),
				      later(h->beat_since_ms[v], h->awake_ms)) +
					most + 2 * p->stale_ms)
			broken(w, "SAFE-12", id,
			       "pets its watchdog, and the disk of its volume %u is away", v);
}

static void pet(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	check_pet(w, id);
	h->dog.fires_ms = w->now_ms + w->plan->watchdog_ms;
	if (h->dog.armed)
		return;
	h->dog.armed = true;
	say(w, "n%u arms its watchdog", id);
	push(w, w->plan->watchdog_ms, EV_BITE, id, NOBODY, 0, ++h->dog.serial, NULL);
}

static void show(struct world *w, uint32_t id, const char *why)
{
	struct host *h = &w->host[id];
	bool growls = why[0] != '\0';

	if (!h->dog.armed)
		return;
	if (growls != h->dog.growls)
		say(w, "n%u %s%s", id,
		    growls ? "pets its watchdog not much longer: " : "pets its watchdog", why);
	if (growls != h->dog.growls || !h->dog.shown)
		SHOW(w, id, DOG, growls ? TRACE_IS_GROWLING : TRACE_IS_ARMED, "", "%s", why);
	h->dog.growls = growls;
	h->dog.shown = true;
}

void dog_look(struct world *w, uint32_t id)
{
	struct fence_event ev = { .type = FENCE_EV_TIMEOUT };
	struct host *h = &w->host[id];
	uint32_t gen = h->proc[PART_FENCE].gen;
	const char *why = "";

	hear(w, id);
	if (h->dom && h->proc[PART_FENCE].gen == gen)
		fenced_feed(w, id, &ev);
	if (!h->dom || h->proc[PART_FENCE].gen != gen)
		return;
	bool may = fence_may_pet(h->dom, local_ms(w, id), &why);

	if (may && !h->dog_ours && !h->unarmed && !h->proc[PART_FENCE].leaving) {
		h->dog_ours = true;
		pet(w, id);
		ev = (struct fence_event){ .type = FENCE_EV_WATCHDOG,
					   .armed_ms = w->plan->watchdog_ms };
		fenced_feed(w, id, &ev);
		if (!h->dom || h->proc[PART_FENCE].gen != gen)
			return;
	} else if (may && h->dog_ours) {
		pet(w, id);
	}
	show(w, id, h->dog_ours ? why : "");
	push(w, h->dog_ours ? w->plan->watchdog_ms / 5 : LOOK_MS, EV_GUARD, id, PART_FENCE, 0, 0,
	     NULL);
}

void dog_disarm(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (h->dog.armed)
		SHOW(w, id, DOG, TRACE_IS_DOWN, "", "disarmed");
	h->dog.armed = h->dog.growls = h->dog.shown = false;
	h->dog.serial++;
}

void dog_bites(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];

	if (!h->dog.armed || h->dog.serial != t->b)
		return;
	if (h->dog.fires_ms > w->now_ms) {
		push(w, h->dog.fires_ms - w->now_ms, EV_BITE, t->node, NOBODY, 0, t->b, NULL);
		return;
	}
	check_unpetted(w, t->node, 0);
	w->stats.bites++;
	reboot_hard(w, t->node, "its watchdog");
}
