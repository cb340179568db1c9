/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/vlock.c - the EX lock of each volume as storaged/daemon/locks.c takes it, through what libdlm promises. */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS 250

static void lock_go(struct world *w, uint32_t id, unsigned v);

static void show(struct world *w, uint32_t id, unsigned v, enum trace_state is)
{
	char name[24];

	snprintf(name, sizeof(name), "volume:v%u", v);
	TRACE(w->trace,
	      (.ms = w->now_ms, .node = id, .kind = TRACE_LOCK, .state = is, .mode = DLM_EX,
	       .name = name),
	      "%s", trace_state_name(is));
}

static void tell(struct world *w, uint32_t id, unsigned v, bool held)
{
	show(w, id, v, held ? TRACE_IS_GRANTED : TRACE_IS_RELEASED);
	w->host[id].vlock[v].told = held;
	push(w, 0, EV_LOCK, id, PART_STORAGE, v, held, NULL);
}

static void try_later(struct world *w, uint32_t id)
{
	push(w, RETRY_MS, EV_LOCKS_TRY, id, PART_STORAGE, 0, 0, NULL);
}

void vlock_start(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	memset(h->vlock, 0, sizeof(h->vlock));
	h->lock_client = 0;
	if (!has_part(w, PART_DLM))
		return;
	for (unsigned v = 0; v < w->plan->n_services; v++)
		h->vlock[v].maybe_orphan = true;
	push(w, 0, EV_LOCKS_TRY, id, PART_STORAGE, 0, 0, NULL);
}

/* dlmd is gone, or the others went on without it: what we hold is in doubt until it is adopted again. */
void vlock_lost(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (!h->lock_client || !h->proc[PART_STORAGE].on)
		return;
	h->lock_client = 0;
	for (unsigned v = 0; v < w->plan->n_services; v++) {
		struct vlock *l = &h->vlock[v];

		if (l->state == VLOCK_HELD && l->told && !l->doubt) {
			l->doubt = true;
			l->doubt_ms = w->now_ms;
		}
		l->maybe_orphan = true;
		l->state = VLOCK_NONE;
	}
	try_later(w, id);
}

static void on_ast(struct world *w, uint32_t id, unsigned v, int status)
{
	struct vlock *l = &w->host[id].vlock[v];

	switch (l->state) {
	case VLOCK_ADOPTING:
		l->maybe_orphan = false;
		l->state = status == 0 ? VLOCK_HELD : VLOCK_NONE;
		break;
	case VLOCK_ASKING:
		l->state = status == 0 ? VLOCK_HELD : VLOCK_NONE;
		if (status != 0 && !l->doubt) {
			try_later(w, id);
			return;
		}
		break;
	case VLOCK_DROPPING:
		l->state = VLOCK_NONE;
		show(w, id, v, TRACE_IS_RELEASED);
		break;
	case VLOCK_NONE:
	case VLOCK_HELD: return;
	}
	if (l->state == VLOCK_HELD && l->wanted) {
		check_volume_lock(w, id, v);
		if (!l->told)
			tell(w, id, v, true);
		l->doubt = false;
		return;
	}
	if (l->doubt && l->state == VLOCK_NONE && status != 0 && !l->maybe_orphan &&
	    status != ENOENT) {
		l->doubt = false; /* somebody else has it: what we run must stop */
		if (l->wanted)
			tell(w, id, v, false);
		l->wanted = false;
		return;
	}
	lock_go(w, id, v);
}

/* The one place that asks and drops. */
static void lock_go(struct world *w, uint32_t id, unsigned v)
{
	struct host *h = &w->host[id];
	struct vlock *l = &h->vlock[v];
	struct dlm_op op = { .client = h->lock_client, .pid = 1, .flags = DLM_F_PERSISTENT };

	if (!h->lock_client)
		return;
	switch (l->state) {
	case VLOCK_ADOPTING:
	case VLOCK_ASKING:
	case VLOCK_DROPPING: return;
	case VLOCK_NONE:
		if (!l->wanted && !l->maybe_orphan)
			return;
		if (l->maybe_orphan)
			op.flags |= DLM_F_ORPHAN | DLM_F_NOQUEUE;
		else if (l->doubt)
			op.flags |= DLM_F_NOQUEUE;
		op.type = DLM_OP_LOCK;
		l->lkid = 0; /* a number of the dlmd before may be another lock's now */
		op.mode = DLM_EX;
		op.space_len = 8;
		memcpy(op.space, "stockade", 8);
		op.name_len = (uint8_t)snprintf((char *)op.name, sizeof(op.name), "volume:v%u", v);
		l->state = l->maybe_orphan ? VLOCK_ADOPTING : VLOCK_ASKING;
		if (l->wanted)
			show(w, id, v, TRACE_IS_WAITING);
		break;
	case VLOCK_HELD:
		if (l->wanted)
			return;
		op.type = DLM_OP_UNLOCK;
		op.lkid = l->lkid;
		op.flags = 0;
		l->state = VLOCK_DROPPING;
		break;
	}
	op.cookie = l->cookie = ++h->lock_cookie;
	push(w, 0, EV_SUBMIT, id, PART_DLM, 0, 0, keep(&op, sizeof(op)));
}

void vlock_want(struct world *w, uint32_t id, unsigned v, bool wanted)
{
	struct vlock *l = &w->host[id].vlock[v];

	if (!has_part(w, PART_DLM)) {
		l->wanted = wanted;
		if (wanted)
			stub_lock_ask(w, id, v);
		else
			stub_lock_drop(w, id, v);
		return;
	}
	l->wanted = wanted;
	l->told = l->heard = false;
	l->doubt = false;
	if (wanted && l->state == VLOCK_HELD)
		tell(w, id, v, true);
	else if (wanted)
		lock_go(w, id, v);
	else
		vlock_settle(w, id);
}

/* Adopted from an earlier life: it goes only when nothing that it guards can be active here. */
void vlock_settle(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	for (unsigned v = 0; v < w->plan->n_services; v++) {
		struct vlock *l = &h->vlock[v];
		bool stub = !has_part(w, PART_DLM) && w->stub_lock[v].holder == id &&
			    w->stub_lock[v].boot == h->boot;
		struct place_service ps;

		if (l->wanted || !(l->state == VLOCK_HELD || stub))
			continue;
		place_service(h->place, v, &ps);
		if (!ps.local.probed || ps.local.fact != RUNNER_STOPPED)
			continue;
		if (stub)
			stub_lock_drop(w, id, v);
		else
			lock_go(w, id, v);
	}
}

static void check_doubts(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	for (unsigned v = 0; v < w->plan->n_services; v++) {
		struct vlock *l = &h->vlock[v];

		if (!l->doubt || w->now_ms - l->doubt_ms < w->plan->absent_ms)
			continue;
		l->doubt = l->wanted = false;
		tell(w, id, v, false);
	}
}

/* libdlm's completion: of an orphan at its REPLY, else at DONE. */
static void heard(struct world *w, uint32_t id, const struct dlm_action *act)
{
	struct host *h = &w->host[id];

	for (unsigned v = 0; v < w->plan->n_services; v++) {
		struct vlock *l = &h->vlock[v];

		if (act->type == DLM_ACT_REPLY && l->cookie == act->reply.cookie) {
			bool orphan = l->state == VLOCK_ADOPTING;

			if (act->reply.rc == 0 && l->state != VLOCK_DROPPING)
				l->lkid = act->reply.lkid;
			if (act->reply.rc || orphan)
				on_ast(w, id, v, -act->reply.rc);
			return;
		}
		if (act->type == DLM_ACT_DONE && l->lkid == act->done.lkid &&
		    l->state != VLOCK_NONE) {
			int status = act->done.status < 0 ? -act->done.status : act->done.status;

			if (l->state == VLOCK_DROPPING && status != DLM_EUNLOCK)
				return;
			on_ast(w, id, v, status);
			return;
		}
	}
}

void vlock_event(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];

	if (t->kind == EV_ANSWER) {
		if (t->b == h->lock_client)
			heard(w, t->node, t->data);
		return;
	}
	if (t->kind == EV_LOCK) {
		struct place_event ev = { .type = PLACE_EV_LOCK,
					  .lock = { .volume = t->a, .held = t->b } };

		h->vlock[t->a].heard = t->b;

		storaged_feed(w, t->node, &ev);
		return;
	}
	check_doubts(w, t->node);
	if (!h->lock_client) {
		if (!h->proc[PART_DLM].on || h->proc[PART_DLM].hung) {
			try_later(w, t->node);
			return;
		}
		h->lock_client = ++h->client_last;
	}
	for (unsigned v = 0; v < w->plan->n_services && h->lock_client; v++)
		lock_go(w, t->node, v);
}
