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

/* Set totem.consensus to @ms if it is longer now. *ret_before: what to give back to hurry_end(). 0, or -errno: as it was. */
int hurry_begin(uint32_t ms, uint32_t *ret_before);
int hurry_end(uint32_t before);

#endif
