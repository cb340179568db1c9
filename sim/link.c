/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/link.c - lib/shell/fence_link: a daemon's line to fenced, in order, given up after a second without an answer. */
#include "world.h"

#include <string.h>

#define RETRY_MS 250
#define ANSWER_MS 1000

/* In order, a moment later. */
static uint64_t wire_ms(struct world *w, uint32_t id, unsigned part)
{
	struct link *l = &w->host[id].link[part];
	uint64_t at = w->now_ms + prng_range(&w->host[id].prng, 0, 3);

	if (at < l->last_ms)
		at = l->last_ms;
	l->last_ms = at;
	return at - w->now_ms;
}

void link_publish(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	struct snapshot *s = NULL;

	for (unsigned part = PART_DLM; part < PARTS; part++) {
		if (!h->link[part].up || !h->proc[part].on)
			continue;
		if (!s) {
			s = calloc(1, sizeof(*s));
			if (!s)
				abort();
			fence_snapshot(h->dom, local_ms(w, id), &s->st);
		}
		s->refs++;
		push(w, wire_ms(w, id, part), EV_STATE, id, part, h->link[part].life, 0, s);
	}
}

/* The line is down; fenced hears of it when it listens. */
void link_drop(struct world *w, uint32_t id, unsigned part)
{
	struct link *l = &w->host[id].link[part];

	if (!l->up)
		return;
	l->up = l->busy = false;
	l->life++;
	push(w, wire_ms(w, id, part), EV_LINK_DOWN, id, part, 0, 0, NULL);
	if (part == PART_STORAGE && w->host[id].proc[PART_FENCE].on)
		push(w, 0, EV_SIGNS_GONE, id, PART_FENCE, 0, 0, NULL);
}

void link_fenced_gone(struct world *w, uint32_t id)
{
	link_drop(w, id, PART_DLM);
	link_drop(w, id, PART_STORAGE);
}

void link_reset(struct world *w, uint32_t id, unsigned part, uint32_t in_ms)
{
	struct link *l = &w->host[id].link[part];

	if (l->up && part == PART_STORAGE && w->host[id].proc[PART_FENCE].on)
		push(w, 0, EV_SIGNS_GONE, id, PART_FENCE, 0, 0, NULL);
	l->up = l->busy = false;
	l->life++;
	if (w->host[id].proc[part].on)
		push(w, in_ms, EV_LINK_TRY, id, part, l->life, 0, NULL);
}

void link_signs(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	struct link *l = &h->link[PART_STORAGE];

	if (!has_part(w, PART_FENCE) || !l->up || !h->proc[PART_FENCE].on)
		return;
	push(w, wire_ms(w, id, PART_STORAGE), EV_SIGNS, id, PART_FENCE, l->life, 0,
	     keep(&h->signs, sizeof(h->signs)));
	if (!l->busy)
		push(w, ANSWER_MS, EV_LINK_LATE, id, PART_STORAGE, l->life, 0, NULL);
	l->busy = true;
}

static void connect_now(struct world *w, uint32_t id, unsigned part)
{
	struct host *h = &w->host[id];
	struct link *l = &h->link[part];

	if (!h->proc[PART_FENCE].on || h->proc[PART_FENCE].hung) {
		uint32_t in = RETRY_MS + (h->proc[PART_FENCE].on ? ANSWER_MS : 0);

		push(w, in, EV_LINK_TRY, id, part, l->life, 0, NULL);
		return;
	}
	l->up = true;
	l->last_ms = 0;
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->refs = 1;
	fence_snapshot(h->dom, local_ms(w, id), &s->st);
	push(w, wire_ms(w, id, part), EV_STATE, id, part, l->life, 0, s);
	if (part == PART_STORAGE && h->signs_sent)
		link_signs(w, id);
}

void link_event(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];
	struct link *l = &h->link[t->proc];

	switch (t->kind) {
	case EV_STATE: {
		struct snapshot *s = t->data;

		if (!s) {
			stub_state(w, t);
			break;
		}
		if (t->a != l->life)
			break;
		if (t->proc == PART_DLM)
			dlmd_state(w, t->node, &s->st);
		else
			storaged_state(w, t->node, &s->st);
		break;
	}
	case EV_LINK_DOWN:
		if (t->proc == PART_STORAGE)
			storaged_state(w, t->node, NULL);
		push(w, RETRY_MS, EV_LINK_TRY, t->node, t->proc, l->life, 0, NULL);
		break;
	case EV_LINK_TRY:
		if (t->a == l->life && !l->up)
			connect_now(w, t->node, t->proc);
		break;
	case EV_LINK_LATE:
		if (t->a == l->life && l->busy && h->proc[PART_FENCE].hung)
			link_drop(w, t->node, t->proc);
		break;
	}
}
