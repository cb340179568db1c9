/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hurry.h - corosync is told that a node is dead, so that it need not wait for its token and its consensus.
 *
 * Corosync's own key runtime.force_gather (cmap_keys(7)): a ring that runs looks at once who is there, as after the loss of its
 * token; a ring that is looking goes on at once with those who have answered, as after its consensus time-out. Its manual calls that
 * dangerous, as every ring pays for it with a change of membership, and one that is looking may leave behind who was
 * about to answer: fenced/core/hurry.c says when it is neither. No setting is changed, so that nothing has to be given back.
 */
#ifndef STOCKADE_HURRY_H
#define STOCKADE_HURRY_H

struct hurry; /* a connection to corosync's cmap, kept, so that nothing has to be set up when it is needed */

struct hurry *hurry_new(void);            /* NULL: no memory; corosync need not run yet */
struct hurry *hurry_free(struct hurry *); /* NULL is fine; returns NULL */

/* 0; -ENOTSUP: this corosync has no such key; -ENOTCONN, -EIO: it does not run, or does not answer. */
int hurry_corosync(struct hurry *h);

/* Connect now, if it is not. For a quiet moment: it costs corosync and us a few milliseconds. */
void hurry_ready(struct hurry *h);

#endif
