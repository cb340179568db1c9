/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/ready.c - are the fence paths alive? (SAFE-6) Each member asks every other node's devices now and then, one
 * device at a time, and tells the others. A path passes when all devices of some level pass.
 */
#include "domain.h"

#include <errno.h>
#include <string.h>

bool fence_ready_now(const struct fence_domain *d, unsigned slot, uint64_t now_ms,
		     uint32_t *ret_age_ms)
{
	uint64_t best = UINT64_MAX;

	for (unsigned by = 0; by < d->n; by++) {
		const struct ready_result *r = &d->ready[slot][by];

		if (by == slot || !r->known || !r->ok ||
		    !nodeset_has(d->view.members, d->book.rec[by].nodeid))
			continue;
		if (now_ms - r->at_ms < best)
			best = now_ms - r->at_ms;
	}
	*ret_age_ms = best >= UINT32_MAX ? UINT32_MAX : (uint32_t)best;
	return best <= d->cfg.ready_age_ms;
}

/* Each member's own results come with its SYNC, so that a joiner need not wait for the next check. */
void fence_ready_from_sync(struct fence_domain *d)
{
	for (unsigned by = 0; by < d->n; by++) {
		bool here = nodeset_has(d->view.members, d->book.rec[by].nodeid) &&
			    d->sync[by].have;

		for (unsigned i = 0; i < d->n; i++) {
			struct ready_result *r = &d->ready[i][by];

			r->known = here && d->sync[by].ready[i].known;
			r->ok = r->known && d->sync[by].ready[i].ok;
			uint64_t age = d->sync[by].ready[i].age_ms;

			/* too old to be told exactly, or older than our own clock: it counts for nothing */
			if (age == UINT32_MAX || age > d->real_ms)
				r->ok = false;
			r->at_ms = age > d->real_ms ? 0 : d->real_ms - age;
		}
	}
}

void fence_on_ready(struct fence_domain *d, uint32_t from, const struct op *op)
{
	if (!rec_of(d, op->node) || op->node == from)
		return;
	d->ready[d->slot[op->node]][d->slot[from]] =
		(struct ready_result){ .known = true, .ok = op->flag, .at_ms = d->real_ms };
}

/* Levels that no agent is asked about: the node's own word that its watchdog is armed. */
static void skip_dogs(struct fence_domain *d)
{
	const struct fence_path *path = &d->cfg.path[d->book.rec[d->check.slot].nodeid];

	for (; d->check.level < path->n_levels && path->watchdog[d->check.level]; d->check.level++)
		if (fence_dog_ready(d, d->check.slot))
			d->check.any_ok = true;
		else
			fence_text_add(d->check.text, "watchdog: it does not say that it is armed");
}

static void ask(struct fence_domain *d)
{
	struct fence_action *a = fence_act(d, FENCE_ACT_CHECK);

	d->check.id = ++d->runs;
	a->check.check = d->check.id;
	a->check.node = d->book.rec[d->check.slot].nodeid;
	a->check.level = d->check.level;
	a->check.device = d->check.device;
	a->check.on = d->book.rec[d->check.slot].state == FENCE_NODE_MEMBER;
}

/* All levels of one node are asked: tell the others. */
static void check_end(struct fence_domain *d)
{
	struct local *l = &d->local[d->check.slot];
	uint32_t interval = d->cfg.ready_interval_ms;
	struct op op = { .type = OP_READY,
			 .node = d->book.rec[d->check.slot].nodeid,
			 .flag = d->check.any_ok };

	fence_text_copy(l->ready_text, d->check.text);
	d->check.id = 0;
	if (!fence_may_decide(d) || !fence_emit(d, &op))
		l->check_at_ms = d->now_ms; /* again, when somebody listens */
	else if (op.flag)
		l->check_at_ms = d->now_ms + interval;
	else
		l->check_at_ms = d->now_ms + (interval / 4 > 1000 ? interval / 4 : 1000);
}

int fence_on_ready_done(struct fence_domain *d, uint64_t check, bool ok, const char *text)
{
	if (check == 0 || d->check.id != check)
		return fence_refuse(d, -ENOENT, "nobody waits for check %llu",
				    (unsigned long long)check);
	const struct fence_path *path = &d->cfg.path[d->book.rec[d->check.slot].nodeid];

	if (!ok) {
		d->check.level_ok = false;
		fence_text_add(d->check.text, text);
	}
	if (++d->check.device == path->n_devices[d->check.level]) {
		d->check.any_ok = d->check.any_ok || d->check.level_ok;
		d->check.level_ok = true;
		d->check.device = 0;
		d->check.level++;
	}
	skip_dogs(d);
	if (d->check.level < path->n_levels)
		ask(d);
	else
		check_end(d);
	return 0;
}

void fence_plan_ready(struct fence_domain *d)
{
	if (!fence_may_decide(d) || d->check.id)
		return;
	for (unsigned i = 0; i < d->n;
	     i++) /* fencing comes first: the agents may not run twice at a time */
		if (d->local[i].att.stage != ATT_IDLE)
			return;
	for (unsigned i = 0; i < d->n; i++) {
		struct local *l = &d->local[i];
		uint32_t id = d->book.rec[i].nodeid;

		if (i == d->self || d->book.rec[i].state == FENCE_NODE_VICTIM)
			continue;
		if (d->cfg.path[id].n_levels == 0) {
			fence_text_copy(l->ready_text, "no fence device is configured for it");
			continue;
		}
		if (d->now_ms < l->check_at_ms) {
			fence_want(d, l->check_at_ms);
			continue;
		}
		memset(&d->check, 0, sizeof(d->check));
		d->check.slot = (uint8_t)i;
		d->check.level_ok = true;
		skip_dogs(d);
		if (d->check.level < d->cfg.path[id].n_levels)
			ask(d);
		else
			check_end(d);
		return;
	}
}
