/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/question_dog.c - watchdogs as the only fence device: nobody is proven dead by one while it can still write (SAFE-12).
 *
 * Two or three nodes, each with a watchdog that is true: it resets T after the last pet that reached it; one may have none
 * that works, or one whose driver made T longer. A seed draws T, who is cut off or crashes, when each side notices (up to
 * 4 tokens apart), who serves, storage that is lost, and processes that stand still at the worst moments: also between the
 * look at the rules and the pet. Broken is:
 *   FENCE-6   a watchdog_expired proof of a life that runs
 *   FENCE-20  a watchdog fires, nothing stood still, and storaged was not told T / 20 before, at least, that all must be let go by now; or
 *             it was told that its time has begun while the watchdog was petted
 *   FENCE-13  also: three nodes, one is gone for good, and the others never have a proof
 */
#include "fenced/core/fence.h"
#include "prng.h"
#include "question.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MS 1000
#define N_MAX 3
#define START_MS 100000
#define QUEUE_MAX 256

struct message {
	uint32_t from, to;
	uint64_t ring;
	size_t len;
	uint8_t *data;
};

struct node {
	struct fence_domain *dom;
	bool runs;   /* its kernel: it may write */
	bool armed;  /* from here on `fires_ms` is true */
	bool no_dog; /* it cannot be armed */
	uint32_t t_ms;
	uint64_t fires_ms, look_ms, thaw_ms, late_pet_ms, view_ms;
	uint64_t ring;
	struct nodeset members, next; /* next: of the view that comes at view_ms */
	struct fence_signs signs;
	uint64_t check, signs_ms; /* signs_ms: they changed */
};

static struct world {
	uint64_t seed, now_ms, proofs;
	uint32_t lost; /* cut off, or crashed; 0: not yet */
	struct prng p;
	bool verbose, broken, freezes;
	uint32_t deaf; /* hears nobody at the start, and leaves the others out; 0: nobody */
	unsigned n;
	uint32_t t_ms, grace_ms, margin_ms;
	struct node node[N_MAX + 1];
	struct message queue[QUEUE_MAX];
	unsigned n_queue;
} w;

static void broken(const char *id, uint32_t node, const char *text)
{
	printf("broken=%s seed=%" PRIu64 " node=%u t_ms=%" PRIu64 ": %s\n", id, w.seed, node,
	       w.now_ms, text);
	w.broken = true;
}

static bool stopped(const struct node *s)
{
	return s->thaw_ms > w.now_ms;
}

static void ends(uint32_t id, const char *why)
{
	struct node *s = &w.node[id];

	if (w.verbose)
		printf("%9" PRIu64 " node%u ends: %s\n", w.now_ms - START_MS, id, why);
	s->runs = s->armed = false;
	s->dom = fence_free(s->dom);
	s->late_pet_ms = s->view_ms = 0;
}

static void look_at_proof(uint32_t by, const struct fence_action *a)
{
	if (w.verbose)
		printf("%9" PRIu64 " node%u note %d about node%u: %s\n", w.now_ms - START_MS, by,
		       a->history.note, a->history.node, a->history.text);
	if (a->history.note != FENCE_NOTE_PROOF || a->history.kind != PROOF_WATCHDOG_EXPIRED)
		return;
	w.proofs++;
	if (w.node[a->history.node].runs)
		broken("FENCE-6", a->history.node, "proven dead by its watchdog, and it runs");
}

static void step(uint32_t id, struct fence_event ev)
{
	struct node *s = &w.node[id];
	struct fence_actions *out = malloc(sizeof(*out));
	bool reboot = false;

	if (!out)
		abort();
	out->n = 0;
	ev.now_ms = w.now_ms;
	if (s->dom)
		fence_step(s->dom, &ev, out);
	for (unsigned i = 0; i < out->n; i++) {
		const struct fence_action *a = &out->v[i];

		if (a->type == FENCE_ACT_HISTORY)
			look_at_proof(id, a);
		reboot = reboot || a->type == FENCE_ACT_REBOOT_SELF;
		if (a->type == FENCE_ACT_CHECK)
			s->check = a->check.check;
		for (uint32_t to = 1; a->type == FENCE_ACT_SEND && to <= w.n; to++) {
			struct message *m = &w.queue[w.n_queue];

			/* what is sent over the cut reaches nobody but the sender */
			if (to != id && (w.lost == id || w.lost == to || w.deaf == to ||
					 !nodeset_has(s->members, to)))
				continue;
			if (w.n_queue++ >= QUEUE_MAX)
				abort();
			*m = (struct message){ id, to, s->ring, out->msg_len,
					       malloc(out->msg_len) };
			if (!m->data)
				abort();
			memcpy(m->data, out->msg, out->msg_len);
		}
	}
	free(out);
	if (reboot)
		ends(id, "reboots itself");
}

static void deliver(void)
{
	for (unsigned i = 0; i < w.n_queue;) {
		struct message m = w.queue[i];
		struct node *s = &w.node[m.to];

		if (s->dom && (stopped(s) || (s->ring != m.ring && s->view_ms))) {
			i++; /* it will read it; or in a view that it has not heard of yet */
			continue;
		}
		memmove(w.queue + i, w.queue + i + 1, (--w.n_queue - i) * sizeof(m));
		if (s->dom && s->ring == m.ring)
			step(m.to, (struct fence_event){ .type = FENCE_EV_DELIVER,
							 .deliver = { m.from, m.data, m.len } });
		free(m.data);
		i = 0;
	}
}

static void view(uint32_t id)
{
	struct node *s = &w.node[id];
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view.id = (struct view_id){ s->ring ? 8 : 4, nodeset_lowest(s->next) };
	ev.view.two_node = w.n == 2;
	ev.view.quorate = w.n == 2 || nodeset_count(s->next) == 2 || nodeset_count(s->next) == 3;
	ev.view.nodes = ev.view.members = s->next;
	ev.view.joined = nodeset_minus(s->next, s->members);
	ev.view.left_nodedown = nodeset_minus(s->members, s->next);
	s->members = s->next;
	s->ring = ev.view.id.seq * 64 + ev.view.id.rep;
	s->view_ms = 0;
	step(id, ev);
}

static void pet(struct node *s)
{
	s->armed = true;
	s->fires_ms = w.now_ms + s->t_ms;
}

/* FENCE-20: what storaged knows when the watchdog fires, and when it is petted. */
static void look_at_word(uint32_t id, bool fires)
{
	struct node *s = &w.node[id];
	struct fence_state st;

	if (w.freezes || !s->dom)
		return;
	fence_snapshot(s->dom, w.now_ms, &st);
	/* its rules may have begun to hold again since the last look */
	bool again = !st.let_go_ms && w.now_ms - s->signs_ms <= s->t_ms / 5 + 40;

	if (fires && !again && (!st.let_go_ms || st.let_go_end_ms + s->t_ms / 20 > w.now_ms))
		broken("FENCE-20", id, "its watchdog fires, and what it holds was not let go");
	if (!fires && st.let_go_ms && st.let_go_ms < w.now_ms)
		broken("FENCE-20", id, "its time to let go has begun, and its watchdog is petted");
}

/* fenced/daemon/guard.c: look, then pet; between the two the process may stand still. */
static void look(uint32_t id)
{
	struct node *s = &w.node[id];
	const char *why;

	s->look_ms = w.now_ms + s->t_ms / 5;
	step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
	if (!s->dom || s->no_dog || !fence_may_pet(s->dom, w.now_ms, &why))
		return;
	if (!s->armed) {
		pet(s);
		step(id, (struct fence_event){ .type = FENCE_EV_WATCHDOG, .armed_ms = s->t_ms });
	} else if (id == w.lost && w.freezes && prng_permille(&w.p, 250)) {
		/* at the latest right before it fires */
		s->thaw_ms = s->late_pet_ms = w.now_ms + prng_range(&w.p, 1, s->t_ms);
	} else {
		look_at_word(id, false);
		pet(s);
	}
}

static void tick(uint32_t id)
{
	struct node *s = &w.node[id];

	if (s->armed && s->fires_ms <= w.now_ms)
		look_at_word(id, true);
	if (s->armed && s->fires_ms <= w.now_ms)
		ends(id, "its watchdog");
	if (!s->runs || stopped(s))
		return;
	if (s->late_pet_ms && s->late_pet_ms <= w.now_ms) {
		s->late_pet_ms = 0;
		pet(s);
	}
	if (s->view_ms && s->view_ms <= w.now_ms)
		view(id);
	if (s->dom && s->check) {
		uint64_t check = s->check;

		s->check = 0;
		step(id, (struct fence_event){ .type = FENCE_EV_READY_DONE,
					       .ready_done = { check, true, "" } });
	}
	if (s->dom && s->look_ms <= w.now_ms)
		look(id);
	if (s->dom && fence_deadline_ms(s->dom) <= w.now_ms)
		step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
}

static void run_ms(uint64_t ms)
{
	for (uint64_t end = w.now_ms + ms; w.now_ms < end && !w.broken; w.now_ms += 20) {
		for (uint32_t id = 1; id <= w.n; id++)
			tick(id);
		deliver();
	}
}

static void start(uint32_t id)
{
	struct node *s = &w.node[id];
	struct fence_config cfg = { .self = { .nodeid = id, .join = id },
				    .hash = 1,
				    .cut_delay_ms = 3000,
				    .post_join_ms = 3600000,
				    .absent_ms = 10000,
				    .retry_min_ms = 1000,
				    .retry_max_ms = 8000,
				    .ready_interval_ms = 3600000,
				    .ready_age_ms = 7200000,
				    .dog_grace_ms = w.grace_ms,
				    .dog_margin_ms = w.margin_ms,
				    .confirm_ms = 4 * TOKEN_MS,
				    .stall_ms = TOKEN_MS };

	cfg.self.boot_id[0] = (uint8_t)id;
	for (uint32_t i = 1; i <= w.n; i++) {
		nodeset_add(&cfg.nodes, i);
		nodeset_add(&s->next, i);
		cfg.path[i] = (struct fence_path){ .n_levels = 1, .n_devices = { 1 } };
		cfg.path[i].watchdog[0] = true;
	}
	s->dom = fence_new(&cfg);
	if (!s->dom)
		abort();
	s->runs = true;
	s->t_ms = w.t_ms;
	s->look_ms = w.now_ms + prng_range(&w.p, 0, 2000);
	s->view_ms = w.now_ms + 20;
}

static uint64_t proofs; /* of all seeds */

static bool play(uint64_t seed, bool verbose)
{
	memset(&w, 0, sizeof(w));
	w.seed = w.p.s = seed;
	w.verbose = verbose;
	w.now_ms = START_MS;
	w.n = prng_permille(&w.p, 500) ? 2 : 3;
	w.t_ms = prng_range(&w.p, 4, 30) * 1000;
	w.freezes = prng_permille(&w.p, 600);
	w.grace_ms = w.t_ms / 2 + prng_range(&w.p, 0, 20000);
	w.margin_ms = 4 * TOKEN_MS + w.t_ms / 16 + 1000; /* as lib/timing has it */
	for (uint32_t id = 1; id <= w.n; id++)
		start(id);
	if (prng_permille(&w.p, 200)) {
		struct node *odd = &w.node[prng_range(&w.p, 1, w.n)];

		odd->no_dog = prng_permille(&w.p, 300);
		odd->t_ms *= prng_range(&w.p, 2, 5);
	}
	if (prng_permille(&w.p, 50))
		w.deaf = prng_range(&w.p, 1, w.n);
	run_ms(w.deaf ? 12000 : 4000);
	w.deaf = 0;
	for (uint32_t id = 1; id <= w.n; id++) {
		struct node *s = &w.node[id];

		s->signs.weight = prng_range(&w.p, 0, 2);
		s->signs.holds = s->signs.weight > 0;
		s->signs.self = s->signs.holds ? LIFE_FRESH : LIFE_UNKNOWN;
		step(id, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = s->signs });
	}
	run_ms(prng_range(&w.p, 20, 30000));
	uint32_t lost = prng_range(&w.p, 1, w.n);
	bool crash = prng_permille(&w.p, 200);
	struct nodeset alone = NODESET_EMPTY;

	nodeset_add(&alone, lost);
	if (crash && w.node[lost].runs)
		ends(lost, "crash");
	w.lost = lost;
	uint64_t seen = w.now_ms + prng_range(&w.p, 2040, 2200);
	bool lost_first = prng_permille(&w.p, 300);

	for (uint32_t id = 1; id <= w.n; id++) {
		struct node *s = &w.node[id];

		if (!s->dom)
			continue;
		s->next = id == lost ? alone : nodeset_minus(s->members, alone);
		/* the lost one may believe in its old view for up to four tokens beyond the others, or learn of it first */
		s->view_ms = seen + (id == lost && !lost_first  ? prng_range(&w.p, 0, 4 * TOKEN_MS)
				     : lost_first && id != lost ? 2000
								: 0);
	}
	for (unsigned i = 0; i < 20 && !w.broken; i++) {
		run_ms(prng_range(&w.p, 20, w.t_ms));
		uint32_t id = prng_permille(&w.p, 700) ? lost : prng_range(&w.p, 1, w.n);
		struct node *s = &w.node[id];

		if (s->dom && w.freezes && prng_permille(&w.p, id == lost ? 300 : 20))
			s->thaw_ms = w.now_ms + prng_range(&w.p, 1, 2 * w.t_ms);
		if (s->dom && s->signs.holds && prng_permille(&w.p, 100)) {
			s->signs.self = s->signs.self == LIFE_FRESH ? LIFE_STALE : LIFE_FRESH;
			s->signs_ms = w.now_ms;
			step(id, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = s->signs });
		}
	}
	run_ms(6 * (uint64_t)w.t_ms + w.grace_ms + 60000);
	for (uint32_t id = 1; id <= w.n; id++)
		w.node[id].dom = fence_free(w.node[id].dom);
	while (w.n_queue)
		free(w.queue[--w.n_queue].data);
	proofs += w.proofs;
	return w.broken;
}

static void sum(uint64_t seeds)
{
	printf("dog: %" PRIu64 " seeds, %" PRIu64
	       " proofs by a watchdog, none of a life that ran\n",
	       seeds, proofs);
}

const struct question question_dog = { "--dog", play, sum };
