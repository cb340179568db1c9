/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/fence.c - one event in, what it causes out: handlers write down facts, plan() compares them with what should
 * be, the invariants close the step.
 */
#include "domain.h"

#include "lib/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTIONS_KEPT 52 /* of FENCE_ACTIONS_MAX; the history may not use these up */

static_assert(FENCE_ACTIONS_MAX > ACTIONS_KEPT, "room for the history");
static_assert(ACTIONS_KEPT >= 3 * NODES_MAX + 4,
	      "a cancel, an on and an off for each node, and the rest");

struct fence_domain *fence_new(const struct fence_config *cfg)
{
	errno = EINVAL;
	if (!nodeid_valid(cfg->self.nodeid) || !nodeset_has(cfg->nodes, cfg->self.nodeid) ||
	    incarnation_unseen(&cfg->self) || nodeset_count(cfg->nodes) > NODES_MAX ||
	    cfg->n_stored > NODES_MAX || cfg->n_kept > NODES_MAX || cfg->retry_min_ms == 0 ||
	    cfg->ready_interval_ms == 0 || cfg->stall_ms == 0)
		return NULL;
	nodeset_for_each (id, cfg->nodes) {
		const struct fence_path *p = &cfg->path[id];

		if (p->n_levels > FENCE_LEVELS_MAX)
			return NULL;
		for (unsigned i = 0; i < p->n_levels; i++)
			if (p->n_devices[i] == 0 || p->n_devices[i] > FENCE_DEVICES_MAX)
				return NULL;
	}
	struct fence_domain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL; /* errno ENOMEM */
	d->cfg = *cfg;
	d->quiet = true;
	d->heard.known = true;             /* we never said that we serve */
	d->lost_ms = -(UINT64_C(1) << 40); /* so that the clock inside never falls below zero */
	d->deadline_ms = UINT64_MAX;
	memset(d->slot, NO_SLOT, sizeof(d->slot));
	fence_book_empty(&d->book, cfg->nodes);
	d->n = d->book.n;
	for (unsigned i = 0; i < d->n; i++) {
		d->slot[d->book.rec[i].nodeid] = (uint8_t)i;
		d->local[i].life = d->book.rec[i].life;
	}
	d->self = d->slot[cfg->self.nodeid];
	for (unsigned i = 0; i < d->n; i++) {
		const struct fence_looped *f = &cfg->fenced[d->book.rec[i].nodeid];

		d->book.rec[i].drill = cfg->drill[d->book.rec[i].nodeid]; /* told in SYNC */

		for (unsigned k = 0; k < f->n && k < FENCE_LOOP_MAX; k++)
			d->fenced[i].at_ms[d->fenced[i].n++] = -(int64_t)f->age_ms[k];
	}
	return d;
}

struct fence_domain *fence_free(struct fence_domain *d)
{
	free(d);
	return NULL;
}

struct fence_action *fence_act(struct fence_domain *d, enum fence_action_type type)
{
	assert(d->out->n < FENCE_ACTIONS_MAX);
	struct fence_action *a = &d->out->v[d->out->n++];

	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

/* NULL: there are too many facts in this step; what must be done goes first. */
struct fence_action *fence_note(struct fence_domain *d, enum fence_note n, uint32_t node,
				const char *text)
{
	if (d->out->n >= FENCE_ACTIONS_MAX - ACTIONS_KEPT)
		return NULL;
	struct fence_action *a = fence_act(d, FENCE_ACT_HISTORY);

	a->history.note = n;
	a->history.node = node;
	fence_text_copy(a->history.text, text);
	return a;
}

void fence_want(struct fence_domain *d, uint64_t at_ms)
{
	if (at_ms < d->deadline_ms)
		d->deadline_ms = at_ms;
}

void fence_text_copy(char to[FENCE_TEXT_MAX], const char *from)
{
	size_t n = from ? utf8_cut(from, FENCE_TEXT_MAX - 1) : 0;

	if (n)
		memmove(to, from, n);
	to[n] = '\0';
}

void fence_text_add(char to[FENCE_TEXT_MAX], const char *from)
{
	size_t n = strlen(to);

	if (n && n + 2 < FENCE_TEXT_MAX) {
		memcpy(to + n, "; ", 3);
		n += 2;
	}
	size_t room = FENCE_TEXT_MAX - 1 - n, len = from ? utf8_cut(from, room) : 0;

	if (len)
		memcpy(to + n, from, len);
	to[n + len] = '\0';
}

int fence_refuse(struct fence_domain *d, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->refusal, sizeof(d->refusal), fmt, ap);
	va_end(ap);
	return rc;
}

bool fence_may_decide(const struct fence_domain *d)
{
	return d->synced && d->agreed && d->view.quorate && d->informed && !d->rebooting &&
	       d->book.rec[d->self].state == FENCE_NODE_MEMBER;
}

int fence_undecided(struct fence_domain *d)
{
	return fence_may_decide(d)
		       ? 0
		       : fence_refuse(
				 d, -EAGAIN,
				 "this node has no quorum, or does not know yet who is a member");
}

int fence_asked(struct fence_domain *d, uint32_t node, struct record **ret)
{
	struct record *r = rec_of(d, node);

	if (!r)
		return fence_refuse(d, -ENOENT, "node %u is not configured", node);
	*ret = r;
	return fence_undecided(d);
}

static void plan(struct fence_domain *d)
{
	fence_track(d);
	fence_cut_facts(d);
	fence_dog_facts(d);
	fence_plan_round(d);
	fence_plan_attempts(d);
	fence_plan_hurry(d);
	fence_plan_requests(d);
	fence_plan_ready(d);
	fence_plan_publish(d);
	fence_emit_flush(d);
	if (d->store) {
		fence_act(d, FENCE_ACT_STORE);
		d->store = false;
	}
	if (d->left) {
		fence_act(d, FENCE_ACT_LEFT);
		d->left = false;
	}
}

/*
 * Woken long after the deadline: the machine stood still, and the others may have gone on without us (ref/netlab.md 7,
 * zombie 2). What we waited for did not happen while nobody looked, so every wait goes on, and for as long as a stale view
 * can last we begin nothing: corosync will tell us by then.
 */
static void stall(struct fence_domain *d)
{
	uint64_t due = fence_deadline_ms(d);

	if (due == UINT64_MAX || d->real_ms <= due + d->cfg.stall_ms)
		return;
	uint64_t late = d->real_ms - due;

	d->lost_ms += late + d->cfg.confirm_ms;
	d->hold_ms = d->real_ms - d->lost_ms + d->cfg.confirm_ms;
	struct fence_action *n = fence_note(d, FENCE_NOTE_STALL, d->cfg.self.nodeid, "");

	if (n)
		n->history.ms = late > UINT32_MAX ? UINT32_MAX : (uint32_t)late;
}

int fence_step(struct fence_domain *d, const struct fence_event *ev, struct fence_actions *out)
{
	int r = 0;

	assert(!d->out);
	out->n = 0;
	out->msg_len = 0;
	d->out = out;
	d->real_ms = ev->now_ms;
	stall(d);
	d->now_ms = ev->now_ms - d->lost_ms;
	d->wall_s = ev->wall_s;
	d->w_ops = 0;
	d->deadline_ms = UINT64_MAX;
	d->refusal[0] = '\0';
	switch (ev->type) {
	case FENCE_EV_VIEW: r = fence_on_view(d, &ev->view); break;
	case FENCE_EV_LOST: fence_on_lost(d); break;
	case FENCE_EV_DELIVER:
		r = fence_on_deliver(d, ev->deliver.from, ev->deliver.data, ev->deliver.len);
		break;
	case FENCE_EV_RUN_DONE:
		r = fence_on_run_done(d, ev->run_done.run, ev->run_done.answer, ev->run_done.text);
		break;
	case FENCE_EV_READY_DONE:
		r = fence_on_ready_done(d, ev->ready_done.check, ev->ready_done.ok,
					ev->ready_done.text);
		break;
	case FENCE_EV_SIGNS: r = fence_on_signs(d, &ev->signs); break;
	case FENCE_EV_REQUEST:
		r = fence_on_request(d, ev->request.node, ev->request.text, ev->request.drill,
				     ev->request.level);
		break;
	case FENCE_EV_ADMIT: r = fence_on_admit(d, ev->admit); break;
	case FENCE_EV_ACK: r = fence_on_ack(d, ev->ack.node, ev->ack.force, ev->ack.text); break;
	case FENCE_EV_LEAVE: r = fence_on_leave(d); break;
	case FENCE_EV_READY:
		for (unsigned i = 0; i < d->n; i++)
			d->local[i].check_at_ms = 0;
		break;
	case FENCE_EV_WATCHDOG:
		d->signs_dirty = d->signs_dirty || d->armed_ms != ev->armed_ms;
		d->armed_ms = ev->armed_ms;
		break;
	case FENCE_EV_DAEMONS: d->mute = ev->mute; break;
	case FENCE_EV_GATEWAY: d->gateway = ev->gateway; break;
	case FENCE_EV_ATTEST:
		r = fence_on_attest(d, &ev->attest.life, ev->attest.dying, ev->attest.text);
		break;
	case FENCE_EV_TIMEOUT: break; /* only the clock moved; plan() sees it */
	}
	plan(d);
	assert(!fence_broken(d));
	d->out = NULL;
	return r;
}

const char *fence_refusal(const struct fence_domain *d)
{
	return d->refusal;
}

uint64_t fence_deadline_ms(const struct fence_domain *d)
{
	return d->deadline_ms == UINT64_MAX ? UINT64_MAX : d->deadline_ms + d->lost_ms;
}
