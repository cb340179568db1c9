/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/letgo.c - until when this node may hold anything, where its watchdog is what ends it (SAFE-7, FENCE-20).
 *
 * Above all the loser of a two-node cut: it is quorate, so the loss of quorum never tells it. What it may expect of the other side:
 *
 *	power            it is switched off. Nothing to let go before: no time proves it dead, only its device, and where that does not
 *	                 answer our own turn comes (cut.c), and we are who serves on.
 *	storage_cut      the disk refuses its writes from the cut on; the volume's check tells storaged (place_halt.c).
 *	its own watchdog once the rules of petting (dog.c) have not held for the grace, nobody pets it any more, and it fires T after the last
 *	                 pet, at the earliest 4 / 5 T from here (it is petted five times in T). Before that, storaged lets go in grades:
 *
 *	|-- grace: petted, serves on --|-- T / 2 --|-- T / 5 --|-- fires by T --|  ... the others: dog.c
 *	rules end                      begin    begin if a   end: reboot
 *	                                        device of ours
 *	                                        may win yet
 *
 * Not before the grace is over: until then the rules may hold again, or a proof may come, and who is the rightful survivor must not
 * have stopped what it serves. The grace is as long as one attempt of a device, and in a cut our own turn may begin only as it ends
 * (lib/timing: cut_delay); so where a device of ours may still prove the other one dead, T / 2 more: as long as a pet that comes then
 * still reaches the watchdog in time.
 */
#include "domain.h"

#include <string.h>

/* May we yet be who stays: is an attempt of ours on a victim to be expected that needs no watchdog? */
static bool may_win(const struct fence_domain *d)
{
	if (!d->view.two_node || !fence_may_decide(d))
		return false;
	for (unsigned i = 0; i < d->n; i++) {
		const struct fence_path *p = &d->cfg.path[d->book.rec[i].nodeid];

		for (unsigned k = 0; d->book.rec[i].state == FENCE_NODE_VICTIM && k < p->n_levels;
		     k++)
			if (!p->watchdog[k])
				return true;
	}
	return false;
}

void fence_let_go(const struct fence_domain *d, struct fence_state *ret)
{
	uint64_t over = d->dog_ok_ms + d->cfg.dog_grace_ms;

	if (!d->dog_why || !d->dog_ever || d->armed_ms == 0)
		return;
	ret->let_go_ms = over + (may_win(d) ? d->armed_ms / 2 : 0);
	ret->let_go_end_ms = over + d->armed_ms / 10 * 7;
	size_t n = strnlen(d->dog_why, sizeof(ret->let_go_why) - 1);

	memcpy(ret->let_go_why, d->dog_why, n);
}
