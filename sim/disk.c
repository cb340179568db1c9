/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/disk.c - the shared disk: who wrote what under which epoch, what is still in flight, who was cut off (reserve.c). */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool was_cut(const struct world *w, uint32_t id, uint32_t boot)
{
	return boot <= w->host[id].cut_boot;
}

bool excused(const struct world *w, uint32_t id, uint32_t boot)
{
	return was_cut(w, id, boot) || w->buried[id] == boot;
}

bool may_write(const struct world *w, uint32_t id, unsigned v)
{
	const struct host *h = &w->host[id];

	return disk_lets(w, id, v) && ((h->runs && h->active[v][0]) || w->volume[v].flying[id] > 0);
}

static void show_write(struct world *w, uint32_t id, unsigned v, uint64_t epoch,
		       enum trace_state is)
{
	char name[8];

	snprintf(name, sizeof(name), "v%u", v % S_MAX);
	TRACE(w->trace,
	      (.ms = w->now_ms, .node = id, .kind = TRACE_WRITE, .state = is, .name = name,
	       .number = epoch),
	      "%s", is == TRACE_IS_LANDED ? "lands" : "it is not registered on the disk");
}

/* A write arrives. */
void disk_write(struct world *w, uint32_t id, uint32_t boot, unsigned v, uint64_t epoch)
{
	struct volume *d = &w->volume[v];

	if (!disk_lets(w, id, v)) {
		w->stats.refused++;
		show_write(w, id, v, epoch, TRACE_IS_REFUSED);
		say(w, "disk: a write of n%u life %u to volume %u is refused", id, boot, v);
		return;
	}
	show_write(w, id, v, epoch, TRACE_IS_LANDED);
	if (d->epoch <= epoch || w->buried[id] == boot)
		return;
	/* A target that forgets, which an operator has accepted (doc/SAFETY.md, Storage cuts). */
	if (was_cut(w, id, boot) && d->forgot)
		w->stats.leaks++;
	else
		broken(w, "SAFE-1", id,
		       "a write of epoch %" PRIu64 " (life %u) lands on volume %u in epoch %" PRIu64
		       " of n%u",
		       epoch, boot, v, d->epoch, d->owner);
}

void disk_flying(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	for (unsigned v = 0; v < w->plan->n_services; v++) {
		if (!h->active[v][0])
			continue;
		w->volume[v].flying[id] = h->boot;
		push(w, prng_range(&h->prng, 0, 4000), EV_WRITE, id, NOBODY, v | h->boot << 8,
		     h->epoch[v], NULL);
	}
}

/* Whoever reads that a machine is off, or sees it boot, waits longer than a disk keeps a write of the dead. */
void disk_flush(struct world *w, uint32_t id)
{
	for (unsigned v = 0; v < w->plan->n_services; v++)
		w->volume[v].flying[id] = 0;
}

/* As epoch_life_over() of storaged/drivers: a fenced that knows nothing knows of no end. */
static bool life_over(const struct host *h, const struct incarnation *life)
{
	const struct fence_node *f = h->fstate_known ? fence_state_node(&h->fstate, life->nodeid)
						     : NULL;
	struct incarnation any = *life;

	if (!f || !h->fstate.informed)
		return false;
	if (proof_covers(&f->proof, life))
		return true;
	if (f->state == FENCE_NODE_MEMBER)
		return !incarnation_unseen(&f->life) && !incarnation_same_boot(&f->life, life);
	memset(any.boot_id, 0,
	       sizeof(any.boot_id)); /* seen off: whatever booted there before is over */
	return f->state == FENCE_NODE_DEAD && proof_covers(&f->proof, &any);
}

/* The driver of a volume as driver.h wants it: reads the record, refuses, or writes it. */
bool record_take(struct world *w, uint32_t id, struct driver *r)
{
	struct host *h = &w->host[id];
	unsigned v = r->s;
	struct volume *d = &w->volume[v];
	struct incarnation owner = life_of(d->owner, d->boot, 1);
	bool own = d->owner == id && d->boot == h->boot;

	if (h->disk_away || !reserve_start(w, id, v))
		return false;
	if (h->hand_ms[v]) {
		say(w, "n%u: volume %u refused: active by hand", id, v);
		return false;
	}
	if (w->plan->records && d->active && !own && d->epoch > r->released) {
		if (!life_over(h, &owner)) {
			say(w,
			    "n%u: volume %u refused: its owner n%u (epoch %" PRIu64 ") is not over",
			    id, v, d->owner, d->epoch);
			r->met_epoch = d->epoch;
			return false;
		}
	}
	check_activation(w, id, v);
	uint64_t epoch = r->epoch > d->epoch ? r->epoch : d->epoch + 1;

	d->epoch = epoch;
	d->owner = id;
	d->boot = h->boot;
	d->active = true;
	d->forgot = false;
	h->epoch[v] = r->ret_epoch = epoch;
	r->taken = true;
	say(w, "n%u activates volume %u, epoch %" PRIu64, id, v, epoch);
	char name[8];

	snprintf(name, sizeof(name), "v%u", v % S_MAX);
	TRACE(w->trace,
	      (.ms = w->now_ms, .node = id, .kind = TRACE_VOLUME, .state = TRACE_IS_ACTIVE,
	       .name = name, .number = epoch),
	      "may write");
	return true;
}

/* --- heartbeats: written while the writer's child lives, its node runs, and the disk can be reached --- */

static bool beats(const struct world *w, uint32_t id, unsigned v)
{
	const struct host *h = &w->host[id];

	return h->runs && !h->frozen && !h->disk_away && h->beat[v] == id && disk_lets(w, id, v);
}

/* What the block of @id says when it moves now (storaged/drivers/beat.c). */
static struct word word_now(const struct world *w, uint32_t id)
{
	const struct host *h = &w->host[id];

	return (struct word){ w->now_ms, h->boot, h->fstate_known ? h->fstate.armed_ms : 0 };
}

static struct word block_of(const struct world *w, uint32_t id, unsigned v)
{
	return beats(w, id, v) ? word_now(w, id) : w->host[id].said[v];
}

void word_begin(struct world *w, uint32_t id, unsigned v)
{
	struct host *h = &w->host[id];
	uint32_t of = h->beat[v];

	memset(&h->word[v], 0, sizeof(h->word[v]));
	h->word_of_ms[v] = of && of != id ? block_of(w, of, v).ms : 0;
}

/* Only what moves under the reader's eyes is this life's word: a block that stands still is from a time that nobody knows. */
void word_read(struct world *w, uint32_t id, unsigned v)
{
	struct host *h = &w->host[id];
	uint32_t of = h->beat[v];

	if (!of || of == id || h->disk_away || h->frozen)
		return;
	struct word block = block_of(w, of, v);

	if (block.ms <= h->word_of_ms[v])
		return;
	h->word_of_ms[v] = block.ms;
	h->word[v] = block;
}

void beat_touch(struct world *w, uint32_t id)
{
	for (unsigned v = 0; v < w->plan->n_services; v++) {
		word_read(w, id, v);
		if (!beats(w, id, v))
			continue;
		w->host[id].beaten_ms[v] = w->now_ms;
		w->host[id].said[v] = word_now(w, id);
	}
}

enum life_sign beat_sign(const struct world *w, uint32_t id, unsigned v)
{
	const struct host *h = &w->host[id];
	uint32_t of = h->beat[v], stale = w->plan->stale_ms;
	uint64_t since = w->now_ms - h->beat_since_ms[v];

	if (of == id)
		return beats(w, id, v)                       ? LIFE_FRESH
		       : w->now_ms - h->beaten_ms[v] < stale ? LIFE_FRESH
							     : LIFE_STALE;
	if (h->disk_away)
		return LIFE_UNKNOWN;
	if (beats(w, of, v) ||
	    (w->host[of].beaten_ms[v] && w->now_ms - w->host[of].beaten_ms[v] < stale))
		return LIFE_FRESH;
	return since >= stale ? LIFE_STALE : LIFE_UNKNOWN;
}
