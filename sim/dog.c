/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/dog.c - the watchdog of each node, and what fenced/daemon/guard.c does with it. Hardware: it does not stand still
 * with its node, it resets a kernel that panicked, and it does not care what its node believes.
 */
#include "check.h"

#define LOOK_MS 1000 /* as fenced/daemon/guard.c */

static void pet(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

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
	w->stats.bites++;
	reboot_hard(w, t->node, "its watchdog");
}
