/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/loop.c - a node that is fenced again and again is not let in again by itself.
 *
 * Whoever proves a death counts how often this node was fenced within loop_ms, by its own monotonic clock, and says with the
 * proof whether that is enough (SAFE-8: no clock is compared with another; the verdict travels, not the times). A held
 * node may come back as a member, so that it can be fenced and seen, but it is not informed: nothing starts on it; and it
 * fences nobody: two nodes that shoot each other at each boot stop here. An operator lets it in (ADMIT). Ages travel in
 * SYNC and are kept on the disk, as in such a loop whoever counts was often switched off itself.
 * A drill (drill.c) does not count.
 */
#include "domain.h"

#include <errno.h>
#include <string.h>

static bool kills(enum proof_kind kind)
{
	switch (kind) {
	case PROOF_OFF_VERIFIED:
	case PROOF_STORAGE_CUT:
	case PROOF_WATCHDOG_EXPIRED:
	case PROOF_HYPERVISOR: return true;
	case PROOF_NONE:
	case PROOF_NEW_BOOT:
	case PROOF_CLEAN_LEAVE:
	case PROOF_OPERATOR: break;
	}
	return false;
}

static unsigned recent(const struct fence_domain *d, unsigned slot)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->fenced[slot].n; i++)
		n += (int64_t)d->real_ms - d->fenced[slot].at_ms[i] <= (int64_t)d->cfg.loop_ms;
	return n;
}

unsigned fence_loop_recent(const struct fence_domain *d, unsigned slot)
{
	return recent(d, slot);
}

static bool counts(const struct record *r, enum proof_kind kind)
{
	return kills(kind) && r->reason != FENCE_REASON_DRILL;
}

bool fence_loop_verdict(const struct fence_domain *d, unsigned slot, enum proof_kind kind)
{
	return d->cfg.loop_max && counts(&d->book.rec[slot], kind) &&
	       recent(d, slot) + 1 >= d->cfg.loop_max;
}

/* Before the record turns: its reason is still there. */
void fence_loop_count(struct fence_domain *d, unsigned slot, enum proof_kind kind, bool verdict)
{
	struct record *r = &d->book.rec[slot];
	struct fenced_times *t = &d->fenced[slot];

	if (!counts(r, kind))
		return;
	memmove(t->at_ms + 1, t->at_ms, (FENCE_LOOP_MAX - 1) * sizeof(t->at_ms[0]));
	t->at_ms[0] = (int64_t)d->real_ms;
	t->n += t->n < FENCE_LOOP_MAX;
	d->store = true;
	if (!verdict || r->held)
		return;
	r->held = true;
	struct fence_action *a = fence_note(d, FENCE_NOTE_HELD, r->nodeid, "");

	if (a) {
		a->history.number = recent(d, slot);
		a->history.ms = d->cfg.loop_ms;
	}
}

/* What the members remember: for each node the longest memory. Nobody informed: what was kept on the disks holds. */
void fence_loop_adopt(struct fence_domain *d, bool nobody)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct record *r = &d->book.rec[i];
		struct fenced_times *t = &d->fenced[i];

		for (unsigned by = 0; by < d->n; by++) {
			const struct sync *y = &d->sync[by];

			if (!y->have)
				continue;
			if (y->fenced[i].n > t->n)
				for (t->n = 0; t->n < y->fenced[i].n; t->n++)
					t->at_ms[t->n] = (int64_t)d->real_ms -
							 y->fenced[i].age_ms[t->n];
			if (nobody && nodeset_has(y->held, r->nodeid))
				r->held = true;
		}
	}
}

int fence_on_admit(struct fence_domain *d, uint32_t node)
{
	struct record *r;
	int rc = fence_asked(d, node, &r);

	if (rc < 0)
		return rc;
	if (!r->held)
		return fence_refuse(d, -EINVAL, "it is not held");
	d->local[d->slot[node]].admit = true;
	return 0;
}

void fence_on_admitted(struct fence_domain *d, const struct op *op)
{
	struct record *r = rec_of(d, op->node);

	if (!r || !r->held)
		return;
	r->held = false;
	d->fenced[d->slot[op->node]].n = 0;
	d->local[d->slot[op->node]].admit = false;
	d->store = true;
	fence_note(d, FENCE_NOTE_ADMITTED, op->node, "");
}
