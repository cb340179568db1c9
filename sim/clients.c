/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/clients.c - programs that lock at random through libdlm: the truth about who was told that he holds what. */
#include "check.h"

#include <errno.h>
#include <string.h>

static struct handle *by_cookie(struct client *c, uint64_t cookie)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (c->h[i].stage == H_SENT && c->h[i].cookie == cookie)
			return &c->h[i];
	return NULL;
}

static struct handle *by_lkid(struct client *c, uint32_t lkid)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (c->h[i].stage != H_FREE && c->h[i].stage != H_SENT && c->h[i].lkid == lkid)
			return &c->h[i];
	return NULL;
}

/* Nobody holds it for sure: the resource may go, and its value with it. */
static void perhaps_forgotten(struct world *w, unsigned name)
{
	for (uint32_t id = 1; id <= w->n; id++)
		for (unsigned c = 1; c <= w->plan->clients; c++)
			for (unsigned i = 0; i < HANDLES; i++) {
				const struct handle *x = &w->host[id].client[c].h[i];

				if (x->stage == H_HELD && x->held >= DLM_NL && x->name == name)
					return;
			}
	w->lvb_done[name] = 0;
	w->lvb_gone[name]++;
}

/* The connection ended, whoever ended it: it gives up what it holds, as the library tells it to. */
static void lost(struct world *w, struct client *c)
{
	for (unsigned i = 0; i < HANDLES; i++)
		c->h[i] = (struct handle){ .held = DLM_IV };
	c->id = 0;
	for (unsigned n = 0; n < NAMES; n++)
		perhaps_forgotten(w, n);
}

void clients_lost(struct world *w, uint32_t id)
{
	for (unsigned c = 1; c < CLIENTS; c++)
		lost(w, &w->host[id].client[c]);
}

void clients_start(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	clients_lost(w, id);
	for (unsigned c = 1; c <= w->plan->clients; c++)
		push(w, prng_range(&h->prng, 1, 200), EV_CLIENT, id, KERNEL, c,
		     h->proc[PART_DLM].gen, NULL);
}

static void submit(struct world *w, uint32_t id, struct handle *x, struct dlm_op *op)
{
	struct host *h = &w->host[id];

	op->cookie = ++h->lock_cookie;
	op->pid = 100;
	if (x) {
		x->cookie = op->cookie;
		x->stage = H_SENT;
		x->since_ms = w->now_ms;
		perhaps_forgotten(w, x->name);
	}
	push(w, 0, EV_SUBMIT, id, PART_DLM, 0, 0, keep(op, sizeof(*op)));
}

/* What it writes says when it was written: who reads it later must not see less (DLM-7). */
static void value(struct world *w, struct handle *x, struct dlm_op *op)
{
	uint64_t v = ++w->lvb_sent[x->name];

	op->has_lvb = true;
	op->flags |= DLM_F_VALBLK;
	memcpy(op->lvb, &v, sizeof(v));
	x->writes = true;
	x->gone = w->lvb_gone[x->name];
}

static void begin(struct world *w, uint32_t id, struct client *c, struct handle *x)
{
	static const uint32_t some[] = { DLM_F_NOQUEUE, DLM_F_PERSISTENT, DLM_F_HEADQUE,
					 DLM_F_NOORDER, DLM_F_ALTPR,      DLM_F_VALBLK };
	struct prng *p = &w->host[id].prng;
	struct dlm_op op = { .type = DLM_OP_LOCK, .client = c->id, .space_len = 1, .name_len = 1 };

	op.mode = (int)prng_range(p, DLM_NL, DLM_EX);
	op.space[0] = 's';
	x->name = (uint8_t)prng_range(p, 0, NAMES - 1);
	op.name[0] = (uint8_t)('a' + x->name);
	for (size_t f = 0; f < sizeof(some) / sizeof(some[0]); f++)
		if (prng_permille(p, some[f] == DLM_F_VALBLK ? 400 : 150))
			op.flags |= some[f];
	submit(w, id, x, &op);
}

static void convert(struct world *w, uint32_t id, struct client *c, struct handle *x)
{
	struct prng *p = &w->host[id].prng;
	struct dlm_op op = { .type = DLM_OP_CONVERT, .client = c->id, .lkid = x->lkid };

	op.mode = (int)prng_range(p, DLM_NL, DLM_EX);
	op.flags = DLM_F_CONVERT | (prng_permille(p, 300) ? DLM_F_NOQUEUE : 0) |
		   (prng_permille(p, 200) ? DLM_F_CONVDEADLK : 0);
	if (op.flags & DLM_F_CONVDEADLK)
		op.flags &= ~(uint32_t)DLM_F_NOQUEUE;
	if (w->plan->client_cancel && prng_permille(p, 300))
		op.flags |= DLM_F_PERSISTENT;
	if (w->plan->client_cancel && op.mode > x->held && x->held >= DLM_NL &&
	    dlm_check_request(op.mode, op.flags | DLM_F_QUECVT, x->held) == 0 &&
	    prng_permille(p, 300))
		op.flags |= DLM_F_QUECVT;
	if (x->held >= DLM_PW && op.mode < x->held && prng_permille(p, 500))
		value(w, x, &op);
	/* Down, it acts by the lower mode from here on; PR and CW: by what is left of both; a demotion: none. */
	if ((op.mode == DLM_CW && x->held == DLM_PR) || (op.mode == DLM_PR && x->held == DLM_CW))
		x->held = DLM_CR;
	else if (op.mode < x->held)
		x->held = (int8_t)op.mode;
	if (op.flags & DLM_F_CONVDEADLK)
		x->held = DLM_NL;
	submit(w, id, x, &op);
}

/* Answered by the DONE of what is taken back, if that was in time: nobody waits for its own REPLY. */
#define COOKIE_CANCEL (UINT64_C(1) << 63)

static void cancel(struct world *w, uint32_t id, const struct client *c, const struct handle *x)
{
	struct dlm_op op = { .type = DLM_OP_UNLOCK, .client = c->id, .lkid = x->lkid, .pid = 100 };

	op.flags = DLM_F_CANCEL;
	op.cookie = ++w->host[id].lock_cookie | COOKIE_CANCEL;
	push(w, 0, EV_SUBMIT, id, PART_DLM, 0, 0, keep(&op, sizeof(op)));
}

/* It does one thing. It counts as holding until its unlock or down-conversion is *sent*: from there it acts no more. */
static void client_act(struct world *w, uint32_t id, unsigned k)
{
	struct host *h = &w->host[id];
	struct client *c = &h->client[k];
	struct prng *p = &h->prng;
	struct handle *x = &c->h[prng_range(p, 0, HANDLES - 1)];

	if (!c->id) {
		c->id = ++h->client_last;
	} else if (prng_permille(p, 15)) { /* it ends */
		push(w, 0, EV_GONE, id, PART_DLM, c->id, 0, NULL);
		lost(w, c);
		return;
	} else if (prng_permille(p, 20)) { /* orphans of this node, which nobody here uses */
		struct dlm_op op = { .type = DLM_OP_PURGE, .client = UINT32_MAX, .pid = 100 };

		push(w, 0, EV_SUBMIT, id, PART_DLM, 0, 0, keep(&op, sizeof(op)));
		return;
	}
	if (x->stage == H_PENDING && !w->healed && w->plan->client_cancel &&
	    prng_permille(p, w->plan->client_cancel)) {
		cancel(w, id, c, x);
	} else if (x->stage == H_FREE && !w->healed) {
		begin(w, id, c, x);
	} else if (x->stage == H_HELD && !w->healed && prng_permille(p, 500)) {
		convert(w, id, c, x);
	} else if (x->stage == H_HELD) {
		struct dlm_op op = { .type = DLM_OP_UNLOCK, .client = c->id, .lkid = x->lkid };

		if (x->held >= DLM_PW && prng_permille(p, 500))
			value(w, x, &op);
		x->held = DLM_NL;
		submit(w, id, x, &op);
	}
}

static void on_reply(struct world *w, uint32_t id, struct client *c, const struct dlm_action *act)
{
	struct handle *x = by_cookie(c, act->reply.cookie);

	if (act->reply.cookie & COOKIE_CANCEL)
		return;
	if (!x) {
		broken(w, "DLM-5", id, "a REPLY that nobody waits for");
	} else if (act->reply.rc == 0) {
		x->stage = H_PENDING;
		x->lkid = act->reply.lkid;
	} else if (x->held == DLM_IV || act->reply.rc == -ENOENT) {
		*x = (struct handle){ .held = DLM_IV };
	} else {
		x->stage = H_HELD;
	}
}

static void on_done(struct world *w, uint32_t id, struct client *c, const struct dlm_action *act,
		    bool quorate)
{
	struct handle *x = by_lkid(c, act->done.lkid);
	uint64_t v;

	if (!x || x->stage != H_PENDING) {
		broken(w, "DLM-5", id, "a DONE that nobody waits for");
		return;
	}
	if (act->done.status == 0 && act->done.mode > x->held && !quorate)
		broken(w, "DLM-6", id, "a grant without quorum");
	/* who hears it in a ring that is over may be the only one who does */
	if (x->writes && x->gone == w->lvb_gone[x->name] && net_is_whole(w->net, id) &&
	    (act->done.status == 0 || act->done.status == DLM_EUNLOCK))
		w->lvb_done[x->name] = w->lvb_sent[x->name];
	x->writes = false;
	if (act->done.status == 0 && act->done.lvb_read && act->done.mode >= DLM_PR &&
	    !(act->done.sbflags & DLM_SBF_VALNOTVALID)) {
		memcpy(&v, act->done.lvb, sizeof(v));
		check_value(w, id, x, v);
	}
	w->stats.grants += act->done.status == 0;
	x->stage = H_HELD;
	bool more = act->done.mode > x->held;

	x->held = (int8_t)act->done.mode;
	unsigned name = x->name;

	if (act->done.gone)
		*x = (struct handle){ .held = DLM_IV };
	perhaps_forgotten(w, name);
	if (!act->done.gone && more)
		check_lock(w, id, x);
}

void client_event(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];
	struct client *c = &h->client[t->a & CLIENT_MASK];

	if (t->kind == EV_CLIENT) {
		if (t->b != h->proc[PART_DLM].gen || !h->dlm)
			return;
		client_act(w, t->node, t->a);
		push(w, prng_range(&h->prng, 1, w->healed ? 100 : 400), EV_CLIENT, t->node, KERNEL,
		     t->a, t->b, NULL);
		return;
	}
	const struct dlm_action *act = t->data;

	if ((t->a & CLIENT_MASK) == 0) {
		vlock_event(w, t);
	} else if (c->id && c->id == t->b) {
		if (act->type == DLM_ACT_REPLY)
			on_reply(w, t->node, c, act);
		else
			on_done(w, t->node, c, act, !(t->a & CLIENT_NO_QUORUM));
	}
}
