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

struct fence_link_ops { /* all from the loop */
	/* At connecting, and at each change. */
	void (*state)(void *arg, const struct fence_state *st);
	/* The line went down; may be NULL. */
	void (*lost)(void *arg);
};

/* Connects at once and, when fenced is not there, four times a second. Nothing here ever waits for fenced, also when it
 * hangs: it then is given up after a second and tried again. NULL: no memory.
 */
struct fence_link *fence_link_open(struct loop *loop, const struct fence_link_ops *ops, void *arg);
/* Not from an event. done() of open requests is not called. */
struct fence_link *fence_link_close(struct fence_link *link);
bool fence_link_up(const struct fence_link *link);

/* Kept, and sent now and after each reconnection. */
void fence_link_signs(struct fence_link *link, const struct fence_signs *signs);

/* Say every @every_ms, from the caller's loop, that it turns. @who: its name, kept. For a node whose watchdog fenced pets
 * only while its daemons are alive (SAFE-12). 0 or -ENOMEM. */
int fence_link_alive(struct fence_link *link, const char *who, uint32_t every_ms);

/**
 * fence_link_ask() - one JSON request to fenced ("fence", ...).
 * @request: its reference is taken
 * @done: gets the reply, borrowed for the call, or NULL and why there is none; exactly once, from the loop. May be NULL.
 * Return: 0; -ENOTCONN, -ENOMEM: done() is not called
 */
int fence_link_ask(struct fence_link *link, json_t *request,
		   void (*done)(void *arg, json_t *reply, const char *why), void *arg);

#endif
