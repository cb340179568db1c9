/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_link.h - a daemon's line to fenced: the latest fence_state, again after every restart of either side.
 *
 * While the line is down nothing new is known: the caller keeps what it was told (a proof stays a proof) and starts
 * nothing that needs more (SAFE-3).
 */
#ifndef STOCKADE_FENCE_LINK_H
#define STOCKADE_FENCE_LINK_H

#include "../fence_state.h"
#include "ipc.h"

struct fence_link;

struct fence_link_ops {
	void (*state)(void *arg,
		      const struct fence_state *st); /* at connecting, and at each change */
	void (*lost)(void *arg);                     /* the line went down; may be NULL */
};

/* Connects at once and, when fenced is not there, four times a second. NULL: no memory. */
struct fence_link *fence_link_open(struct loop *loop, const struct fence_link_ops *ops, void *arg);
struct fence_link *fence_link_close(struct fence_link *link);
bool fence_link_up(const struct fence_link *link);

/* Kept, and sent now and after each reconnection. */
void fence_link_signs(struct fence_link *link, const struct fence_signs *signs);

/* One JSON request to fenced ("fence", ...). @request's reference is taken. Return: its reply (new reference), or NULL. */
json_t *fence_link_call(struct fence_link *link, json_t *request);

#endif
