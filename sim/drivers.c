/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/drivers.c - storaged's children: they work, fail, hang, say nothing; and an operator who does things by hand. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static struct driver *by_serial(struct world *w, const struct timed *t)
{
	struct driver *r = &w->host[t->node].driver[t->a];

	return r->serial == t->b ? r : NULL;
}

static void arm(struct world *w, uint32_t id, struct driver *r, bool effect)
{
	uint64_t at = effect ? r->effect_ms : r->end_ms;

	push(w, at > w->now_ms ? at - w->now_ms : 0, effect ? EV_DRIVER : EV_DRIVER_END, id,
	     effect ? KERNEL : PART_STORAGE, (uint32_t)(r - w->host[id].driver), r->serial, NULL);
}

static void show(struct world *w, uint32_t id, const struct driver *r, enum trace_state is)
{
	char name[32];

	if (!w->trace || r->op == DRIVE_PREPARE || r->op == DRIVE_PROBE)
		return;
	snprintf(name, sizeof(name), "%s s%u/%u", drive_op_name(r->op), r->s, r->res);
	SHOW(w, id, DRIVER, is, name, "%s", trace_state_name(is));
}

void drive(struct world *w, uint32_t id, const struct place_action *act)
{
	const struct plan *plan = w->plan;
	struct host *h = &w->host[id];
	struct prng *p = &h->prng;
	struct driver *r = h->driver;
	uint32_t limit = act->drive.limit_ms ? act->drive.limit_ms : 4000;
	bool slow = act->drive.op == DRIVE_START || act->drive.op == DRIVE_STOP;
	uint32_t took = slow ? prng_range(p, 20, 900) : prng_range(p, 2, 60);

	while (r < h->driver + DRIVERS_MAX && r->serial)
		r++;
	if (r == h->driver + DRIVERS_MAX)
		abort();
	*r = (struct driver){ .serial = (uint32_t)++w->serial,
			      .run = act->drive.run,
			      .s = (uint8_t)act->drive.service,
			      .res = (uint8_t)act->drive.res,
			      .op = (uint8_t)act->drive.op,
			      .result = DRIVE_OK,
			      .act = true,
			      .epoch = act->drive.epoch,
			      .released = act->drive.released };
	say(w, "n%u drives %s s%u/%u", id, drive_op_name(act->drive.op), r->s, r->res);
	show(w, id, r, TRACE_IS_ASKED);
	r->effect_ms = w->now_ms + prng_range(p, 0, took);
	r->end_ms = w->now_ms + took;
	if (r->op == DRIVE_START && r->res == 0)
		check_start(w, id, r->s);
	if (r->op == DRIVE_START && r->res == 0 &&
	    !nodeset_empty(place_group(h->place)->service[r->s].stray))
		broken(w, "SAFE-1", id, "activates volume %u beside one known to be active by hand",
		       r->s);
	if (r->op == DRIVE_PROBE) {
		r->effect_ms = r->end_ms; /* answers as things are then */
		if (!w->healed && prng_permille(p, plan->probe_unknown))
			r->result = DRIVE_UNKNOWN;
	} else if (h->disk_away && r->res == 0 && r->op == DRIVE_PREPARE) {
		r->result = DRIVE_FAILED;
	} else if (h->disk_away && r->res == 0 && (r->op == DRIVE_KILL || r->op == DRIVE_DENY) &&
		   prng_permille(p, 600)) {
		; /* its session is cut, and what hung on it comes to its end */
	} else if (h->disk_away && r->res == 0) {
		r->result = DRIVE_UNKNOWN; /* its child is stuck in the kernel */
		r->act = r->op != DRIVE_START && prng_permille(p, 300);
		r->end_ms = w->now_ms + limit + 2000;
		r->effect_ms = w->now_ms + prng_range(p, 0, limit);
	} else if (w->healed) {
		;
	} else if (prng_permille(p, plan->drive_fail)) {
		r->result = DRIVE_FAILED;
		r->act = r->op == DRIVE_START && prng_permille(p, 500);
	} else if (prng_permille(p, plan->drive_unknown)) {
		r->result = DRIVE_UNKNOWN;
		r->act = prng_permille(p, 500);
	} else if (prng_permille(p, plan->drive_hang)) {
		r->result = DRIVE_UNKNOWN;
		r->act = prng_permille(p, 300);
		r->end_ms = w->now_ms + limit + 2000;
		r->effect_ms = w->now_ms + prng_range(p, 0, limit);
	}
	arm(w, id, r, true);
	arm(w, id, r, false);
}

void drive_cancel(struct world *w, uint32_t id, uint64_t run)
{
	struct host *h = &w->host[id];

	for (struct driver *r = h->driver; r < h->driver + DRIVERS_MAX; r++) {
		if (!r->serial || r->run != run)
			continue;
		r->result = DRIVE_UNKNOWN;
		if (r->effect_ms != UINT64_MAX && r->effect_ms > w->now_ms)
			r->act = false;
		r->end_ms = w->now_ms + prng_range(&h->prng, 1, 1000);
		arm(w, id, r, false);
	}
}

static void stopped(struct world *w, uint32_t id, struct driver *r)
{
	struct host *h = &w->host[id];
	struct volume *v = &w->volume[r->s];

	for (unsigned k = r->res + 1u; k < R_MAX; k++)
		if (h->active[r->s][k])
			broken(w, "RUN-1", id, "resource %u stopped before its right neighbour",
			       r->res);
	if (r->res == 0 && h->active[r->s][0]) {
		if (!h->disk_away)
			disk_write(w, id, h->boot, r->s,
				   h->epoch[r->s]); /* the last one: what was cached */
		if (r->op == DRIVE_STOP && v->owner == id && v->boot == h->boot && !h->disk_away)
			v->active = false;
	}
	h->active[r->s][r->res] = false;
	if (r->res == 0) {
		char name[8];

		snprintf(name, sizeof(name), "v%u", r->s);
		SHOW(w, id, VOLUME, TRACE_IS_RELEASED, name, "deactivated");
	}
}

static void effect(struct world *w, uint32_t id, struct driver *r)
{
	struct host *h = &w->host[id];

	r->effect_ms = UINT64_MAX;
	if (!r->act)
		return;
	switch (r->op) {
	case DRIVE_START:
		if (r->res == 0 && !h->active[r->s][0] && !record_take(w, id, r)) {
			r->result = DRIVE_FAILED;
			r->end_ms = w->now_ms + 1;
			arm(w, id, r, false);
			return;
		}
		if (r->res > 0 && !h->active[r->s][r->res - 1])
			broken(w, "RUN-1", id, "resource %u started before its left neighbour",
			       r->res);
		h->active[r->s][r->res] = true;
		w->stats.starts += r->res == 0;
		break;
	case DRIVE_STOP:
	case DRIVE_KILL: stopped(w, id, r); break;
	case DRIVE_PREPARE:
	case DRIVE_PROBE:
	case DRIVE_DENY: break;
	}
}

void driver_event(struct world *w, const struct timed *t)
{
	struct driver *r = by_serial(w, t);
	struct place_event ev = { .type = PLACE_EV_DRIVER };

	if (!r)
		return;
	if (t->kind == EV_DRIVER) {
		if (r->effect_ms <= w->now_ms)
			effect(w, t->node, r);
		return;
	}
	if (r->end_ms > w->now_ms) /* the time was changed: another event is on its way */
		return;
	if (r->effect_ms <= w->now_ms)
		effect(w, t->node, r);
	ev.driver.run = r->run;
	ev.driver.result = r->result;
	ev.driver.why = r->result == DRIVE_OK ? "" : "drawn from the seed";
	ev.driver.epoch = r->taken ? r->ret_epoch : r->met_epoch;
	ev.driver.ours = r->taken;
	if (r->res == 0 && w->volume[r->s].active && !w->host[t->node].disk_away)
		ev.driver.owner = w->volume[r->s].owner;
	if (r->op == DRIVE_PROBE && r->result == DRIVE_OK)
		ev.driver.result = w->host[t->node].active[r->s][r->res] ? DRIVE_OK : DRIVE_NONE;
	r->serial = 0;
	show(w, t->node, r,
	     r->result == DRIVE_OK       ? TRACE_IS_DONE
	     : r->result == DRIVE_FAILED ? TRACE_IS_FAILED
					 : TRACE_IS_UNKNOWN);
	storaged_feed(w, t->node, &ev);
}

/* Somebody activates a volume by hand, or lets it go. */
void hand(struct world *w, uint32_t id, unsigned v, bool on)
{
	struct host *h = &w->host[id];

	if (!h->runs || h->active[v][0] || on == (h->hand_ms[v] != 0))
		return;
	h->hand_ms[v] = on ? w->now_ms : 0;
	say(w, "n%u: volume %u is %s by hand", id, v, on ? "activated" : "let go");
	look_at(w, id, prng_range(&h->prng, 1, 10000));
}
