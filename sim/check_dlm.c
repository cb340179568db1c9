/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check_dlm.c - what clients were told they hold, wherever they run. */
#include "check.h"

#include <inttypes.h>
#include <string.h>

void check_dlm(struct world *w, uint32_t id, const struct dlm_event *ev)
{
	const char *rule = dlm_broken(w->host[id].dlm);

	(void)ev;
	if (rule)
		broken(w, rule, id, "an invariant of the core, after event %d", (int)ev->type);
}

/* DLM-1: no two clients of the whole world hold what cannot live together. Called when one was told that it holds more. */
void check_lock(struct world *w, uint32_t id, const struct handle *x)
{
	if (x->held <= DLM_NL || excused(w, id, w->host[id].boot))
		return;
	for (uint32_t b = 1; b <= w->n; b++) {
		const struct host *h = &w->host[b];

		if (excused(w, b, h->boot)) /* it lives on behind its cut, and cannot do harm */
			continue;
		for (unsigned c = 1; c <= w->plan->clients; c++)
			for (unsigned i = 0; i < HANDLES; i++) {
				const struct handle *y = &h->client[c].h[i];

				if (x != y && y->held > DLM_NL && x->name == y->name &&
				    y->stage != H_FREE && !dlm_compatible(x->held, y->held))
					broken(w, "DLM-1", id, "n%u holds %s, n%u holds %s of r%u",
					       id, dlm_mode_name(x->held), b,
					       dlm_mode_name(y->held), x->name);
			}
	}
}

/* SAFE-2: the EX lock of a volume is held by one storaged, or by nobody. */
void check_volume_lock(struct world *w, uint32_t id, unsigned v)
{
	for (uint32_t b = 1; b <= w->n; b++) {
		const struct vlock *l = &w->host[b].vlock[v];

		if (b != id && l->state == VLOCK_HELD && l->told && l->wanted &&
		    !excused(w, b, w->host[b].boot) && !excused(w, id, w->host[id].boot))
			broken(w, "SAFE-2", id, "n%u and n%u hold the lock of volume %u", id, b, v);
	}
}

/* DLM-7: a value that may be read as valid is the last one that a writer was told is written, or a later one. */
void check_value(struct world *w, uint32_t id, const struct handle *x, uint64_t value)
{
	for (uint32_t b = 1; b <= w->n;
	     b++) /* who lives on behind its cut holds for nobody but himself */
		if (w->host[b].boot && excused(w, b, w->host[b].boot))
			return;
	if (value < w->lvb_done[x->name] || value > w->lvb_sent[x->name])
		broken(w, "DLM-7", id,
		       "r%u: reads value %" PRIu64 ", written are %" PRIu64 "..%" PRIu64, x->name,
		       value, w->lvb_done[x->name], w->lvb_sent[x->name]);
}
