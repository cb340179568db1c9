/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hurry.h - corosync's consensus time-out, for the length of one change of membership.
 *
 * A dead node costs corosync a token time-out, until it is missed, and a consensus time-out, in which it might still speak up.
 * Who knows already that it is dead need not grant it the second. Runtime only (cmap, which corosync reads at the next
 * change); never in a file; corosync.conf's value is there again after hurry_end() or a restart of corosync.
 */
#ifndef STOCKADE_HURRY_H
#define STOCKADE_HURRY_H

#include <stdint.h>

/* Set totem.consensus to @ms if it is longer now. 0, or -errno: as it was (-ENOENT: nothing to shorten). */
int hurry_begin(uint32_t ms);

/* Give back what it was; also what an earlier life of this daemon left short. 0 also when there is nothing to give back. */
int hurry_end(void);

#endif
