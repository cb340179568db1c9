/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/question_cut.c - two cores of the fence domain, one cut between them at a random moment; exactly one is left (SAFE-4).
 *
 * A seed draws everything: what each serves and when that changes (also in the very moment of the cut, with the word of it
 * heard by one side only), who loses storage or gateway with the cut, gateways that come and go while somebody waits, when
 * each side notices (2.04 to 5.6 token), how long the agent takes, or that it was no cut but a crash. Agents work: what is
 * judged is whose turn it is (fenced/core/cut.c). Broken is:
 *   FENCE-11  after a cut both were switched off, or none; after a crash, the survivor did not act or was hit
 *   FENCE-12  the facts were plain and another one was left: one serves more and nothing is lost; one alone reaches the
 *             gateway; one served and lost its storage with the cut
 */
#include "fenced/core/fence.h"
#include "prng.h"
#include "question.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MS 1000
#define QUEUE_MAX 256
#define START_MS 100000

struct message {
	uint32_t from;
	size_t len;
	uint8_t *data;
	uint64_t at_ms[3]; /* by receiver; 0: delivered, or lost on the way */
};

struct side {
	struct fence_domain *dom; /* NULL: it is off, or it crashed */
	bool off;
	uint64_t off_ms; /* the other one's agent takes effect; 0: none is on its way */
	uint64_t run, run_end_ms;
	enum fence_agent_action run_action;
	uint64_t check, view_ms;
	struct fence_signs signs;
	enum life_sign gateway;
	bool apart_storage, apart_gateway, flaps;
	unsigned offs;
};

static struct world {
	uint64_t seed, now_ms, cut_ms, changed_ms;
	struct prng p;
	bool verbose, cut, crash, broken, changes_late;
	uint32_t attempt_ms, cut_delay_ms, crashed;
	struct side side[3];
	struct message queue[QUEUE_MAX];
	unsigned n_queue;
	uint64_t last_ms[3];
} w;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	if (!w.verbose)
		return;
	printf("%8.3f ", ((double)w.now_ms - (double)w.cut_ms) / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void broken(const char *id, const char *text)
{
	printf("broken=%s seed=%" PRIu64 ": %s\n", id, w.seed, text);
	w.broken = true;
}

static void step(uint32_t id, struct fence_event ev);

static void switch_off(uint32_t id)
{
	struct side *s = &w.side[id];

	say("TRUTH node%u is switched off", id);
	s->off = true;
	s->offs++;
	s->dom = fence_free(s->dom);
}

static void post(uint32_t from, const struct fence_actions *out)
{
	struct message *m = &w.queue[w.n_queue++];

	if (w.n_queue > QUEUE_MAX)
		abort();
	*m = (struct message){ .from = from, .len = out->msg_len, .data = malloc(out->msg_len) };
	if (!m->data)
		abort();
	memcpy(m->data, out->msg, m->len);
	for (uint32_t to = 1; to <= 2; to++) {
		uint64_t at = w.now_ms + prng_range(&w.p, 0, 15);

		at = at < w.last_ms[to] ? w.last_ms[to] : at; /* in order */
		w.last_ms[to] = at;
		m->at_ms[to] = w.cut && to != from ? 0 : at;
	}
}

static void carry_out(uint32_t id, const struct fence_actions *out, const struct fence_action *a)
{
	struct side *s = &w.side[id], *other = &w.side[3 - id];

	switch (a->type) {
	case FENCE_ACT_SEND: post(id, out); break;
	case FENCE_ACT_RUN:
		say("node%u runs %s", id, fence_action_name(a->run.action));
		s->run = a->run.run;
		s->run_action = a->run.action;
		s->run_end_ms = w.now_ms + prng_range(&w.p, 50, w.attempt_ms);
		/* asked for: it happens, also when the asker is off by then */
		if (a->run.action == FENCE_AGENT_OFF && !other->off)
			other->off_ms = s->run_end_ms;
		break;
	case FENCE_ACT_CANCEL_RUN: s->run = 0; break;
	case FENCE_ACT_CHECK: s->check = a->check.check; break;
	case FENCE_ACT_HISTORY:
		say("node%u note %d about node%u %u ms %s", id, a->history.note, a->history.node,
		    a->history.ms, a->history.text);
		break;
	case FENCE_ACT_PUBLISH:
	case FENCE_ACT_STORE:
	case FENCE_ACT_REBOOT_SELF:
	case FENCE_ACT_LEFT:
	case FENCE_ACT_HURRY: /* nobody attests anything here */
	case FENCE_ACT_ACK_DONE: break;
	}
}

static void step(uint32_t id, struct fence_event ev)
{
	struct side *s = &w.side[id];
	struct fence_actions *out = malloc(sizeof(*out));

	if (!out)
		abort();
	out->n = 0;
	ev.now_ms = w.now_ms;
	if (s->dom) {
		fence_step(s->dom, &ev, out);
		if (fence_broken(s->dom))
			broken(fence_broken(s->dom), "its own invariant");
	}
	for (unsigned i = 0; i < out->n; i++)
		carry_out(id, out, &out->v[i]);
	free(out);
}

static void view(uint32_t id, bool both)
{
	struct fence_event ev = { .type = FENCE_EV_VIEW };
	struct fence_view *v = &ev.view;

	v->id = (struct view_id){ both ? 4 : 8, both ? 1 : id };
	v->quorate = v->two_node = true;
	nodeset_add(&v->members, id);
	if (both)
		nodeset_add(&v->members, 3 - id);
	else
		nodeset_add(&v->left_nodedown, 3 - id);
	v->nodes = v->members;
	if (both)
		v->joined = v->members;
	say("node%u sees %s", id, both ? "both" : "itself alone");
	step(id, ev);
}

static void start(uint32_t id)
{
	struct fence_config cfg = { .self = { .nodeid = id, .join = id },
				    .hash = 1,
				    .cut_delay_ms = w.cut_delay_ms,
				    .post_join_ms = 3600000,
				    .absent_ms = 10000,
				    .retry_min_ms = 1000,
				    .retry_max_ms = 8000,
				    .ready_interval_ms = 3600000,
				    .ready_age_ms = 7200000,
				    .confirm_ms = 4 * TOKEN_MS,
				    .stall_ms = TOKEN_MS };

	cfg.self.boot_id[0] = (uint8_t)id;
	for (uint32_t i = 1; i <= 2; i++) {
		nodeset_add(&cfg.nodes, i);
		cfg.path[i] = (struct fence_path){ .n_levels = 1, .n_devices = { 1 } };
	}
	w.side[id].dom = fence_new(&cfg);
	if (!w.side[id].dom)
		abort();
}

static void tell_signs(uint32_t id)
{
	step(id, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = w.side[id].signs });
}

static void tell_gateway(uint32_t id, enum life_sign sign)
{
	w.side[id].gateway = sign;
	step(id, (struct fence_event){ .type = FENCE_EV_GATEWAY, .gateway = sign });
}

/* What node @id serves changes: its own word, and what the other one reads off the disk. */
static void serve(uint32_t id, uint32_t weight)
{
	struct side *s = &w.side[id], *other = &w.side[3 - id];

	say("node%u serves %u", id, weight);
	s->signs.weight = weight;
	s->signs.holds = weight > 0;
	s->signs.self = weight == 0 ? LIFE_UNKNOWN : s->apart_storage ? LIFE_STALE : LIFE_FRESH;
	other->signs.peer[id] = weight == 0 || other->apart_storage ? LIFE_UNKNOWN
				: s->apart_storage || !s->dom       ? LIFE_STALE
								    : LIFE_FRESH;
	w.changed_ms = w.now_ms;
	tell_signs(id);
	tell_signs(3 - id);
}

static void cut(void)
{
	w.cut = true;
	say("TRUTH %s", w.crash ? "crash" : "cut");
	for (unsigned i = 0; i < w.n_queue;
	     i++) { /* what was on the way may still arrive, or not */
		struct message *m = &w.queue[i];

		if (prng_permille(&w.p, 500))
			for (; i < w.n_queue; i++) /* in order: none after a lost one */
				w.queue[i].at_ms[3 - w.queue[i].from] = 0;
		(void)m;
	}
	if (w.crash)
		w.side[w.crashed].dom = fence_free(w.side[w.crashed].dom);
	for (uint32_t id = 1; id <= 2; id++)
		w.side[id].view_ms = w.now_ms + prng_range(&w.p, 2040, 5600);
}

/* Storage and gateway are gone with the cut: known before corosync says anything (lib/timing: stale + heartbeat < 2 token). */
static void signs_after_cut(void)
{
	for (uint32_t id = 1; id <= 2; id++) {
		struct side *s = &w.side[id], *other = &w.side[3 - id];

		if (!s->apart_storage && !(w.crash && id == w.crashed))
			continue;
		if (s->signs.weight > 0) {
			s->signs.self = LIFE_STALE;
			other->signs.peer[id] = other->apart_storage ? LIFE_UNKNOWN : LIFE_STALE;
		}
		s->signs.peer[3 - id] = LIFE_UNKNOWN;
	}
	tell_signs(1);
	tell_signs(2);
	for (uint32_t id = 1; id <= 2; id++)
		if (w.side[id].apart_gateway)
			tell_gateway(id, LIFE_STALE);
}

static void deliver(void)
{
	for (unsigned i = 0; i < w.n_queue; i++)
		for (uint32_t to = 1; to <= 2; to++)
			if (w.queue[i].at_ms[to] && w.queue[i].at_ms[to] <= w.now_ms) {
				struct message m = w.queue[i];

				w.queue[i].at_ms[to] = 0;
				step(to,
				     (struct fence_event){ .type = FENCE_EV_DELIVER,
							   .deliver = { m.from, m.data, m.len } });
			}
	for (unsigned i = 0; i < w.n_queue;)
		if (!w.queue[i].at_ms[1] && !w.queue[i].at_ms[2]) {
			free(w.queue[i].data);
			memmove(w.queue + i, w.queue + i + 1,
				(--w.n_queue - i) * sizeof(w.queue[0]));
		} else {
			i++;
		}
}

static uint64_t next_ms(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < w.n_queue; i++)
		for (uint32_t to = 1; to <= 2; to++)
			if (w.queue[i].at_ms[to] && w.queue[i].at_ms[to] < best)
				best = w.queue[i].at_ms[to];
	for (uint32_t id = 1; id <= 2; id++) {
		struct side *s = &w.side[id];
		uint64_t at[] = { s->off_ms, s->dom && s->run ? s->run_end_ms : 0,
				  s->dom ? s->view_ms : 0, s->dom ? fence_deadline_ms(s->dom) : 0 };

		for (unsigned i = 0; i < 4; i++)
			if (at[i] && at[i] < best)
				best = at[i];
		if (s->dom && s->check)
			best = w.now_ms;
	}
	return best;
}

static void tick(void)
{
	for (uint32_t id = 1; id <= 2; id++) {
		struct side *s = &w.side[id];

		if (s->off_ms && s->off_ms <= w.now_ms) {
			s->off_ms = 0;
			switch_off(id);
		}
	}
	for (uint32_t id = 1; id <= 2; id++) {
		struct side *s = &w.side[id];

		if (!s->dom)
			continue;
		if (s->view_ms && s->view_ms <= w.now_ms) {
			s->view_ms = 0;
			w.last_ms[id] = w.now_ms;
			view(id, false);
		}
		if (s->check) {
			uint64_t check = s->check;

			s->check = 0;
			step(id, (struct fence_event){ .type = FENCE_EV_READY_DONE,
						       .ready_done = { check, true, "" } });
		}
		if (s->run && s->run_end_ms <= w.now_ms) {
			uint64_t run = s->run;

			s->run = 0;
			step(id, (struct fence_event){
					 .type = FENCE_EV_RUN_DONE,
					 .run_done = { run,
						       s->run_action != FENCE_AGENT_STATUS
							       ? FENCE_ANSWER_DONE
						       : w.side[3 - id].off ? FENCE_ANSWER_OFF
									    : FENCE_ANSWER_ON,
						       "" } });
		}
		if (s->dom && fence_deadline_ms(s->dom) <= w.now_ms)
			step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
	}
	deliver();
}

static void run_until(uint64_t end_ms)
{
	while (!w.broken) {
		uint64_t next = next_ms();

		if (next > end_ms)
			break;
		w.now_ms = next > w.now_ms ? next : w.now_ms;
		tick();
	}
	w.now_ms = end_ms;
}

/* What may go on while somebody waits for its turn. */
static void live_on(void)
{
	uint32_t id = prng_range(&w.p, 1, 2);
	struct side *s = &w.side[id];

	if (!s->dom)
		return;
	if (s->flaps)
		tell_gateway(id, s->gateway == LIFE_STALE ? LIFE_FRESH : LIFE_STALE);
	else if (w.changes_late)
		serve(id, prng_range(&w.p, 0, 2));
}

static void judge(uint32_t wanted)
{
	unsigned offs = w.side[1].offs + w.side[2].offs;
	char text[160];

	if (w.broken)
		return;
	snprintf(text, sizeof(text), "node1 switched off %u times, node2 %u times after a %s",
		 w.side[1].offs, w.side[2].offs, w.crash ? "crash" : "cut");
	if (w.crash ? (!w.side[w.crashed].off || w.side[3 - w.crashed].off) : offs != 1)
		broken("FENCE-11", text);
	else if (wanted && w.side[wanted].off)
		broken("FENCE-12", text);
}

static bool play(uint64_t seed, bool verbose)
{
	memset(&w, 0, sizeof(w));
	w.seed = seed;
	w.verbose = verbose;
	w.p.s = seed;
	w.now_ms = START_MS;
	w.attempt_ms = prng_range(&w.p, 200, 40000);
	w.cut_delay_ms = w.attempt_ms + 4 * TOKEN_MS + prng_range(&w.p, 1, 3000);
	w.crash = prng_permille(&w.p, 150);
	w.crashed = prng_range(&w.p, 1, 2);
	bool gateways = prng_permille(&w.p, 600);
	uint32_t fault = prng_range(&w.p, 0, 9), hit = prng_range(&w.p, 1, 2);

	for (uint32_t id = 1; id <= 2; id++)
		start(id);
	view(1, true);
	view(2, true);
	run_until(START_MS + 2000);
	for (uint32_t id = 1; id <= 2; id++) {
		if (gateways)
			tell_gateway(id, LIFE_FRESH);
		serve(id, prng_permille(&w.p, 500) ? prng_range(&w.p, 1, 3) : 0);
	}
	run_until(w.now_ms + prng_range(&w.p, 0, 5000));
	/* services come and go right before the cut, or not */
	w.cut_ms = w.now_ms + prng_range(&w.p, 1, 400);
	for (unsigned n = prng_range(&w.p, 0, 3); n > 0; n--) {
		run_until(w.now_ms + prng_range(&w.p, 0, (uint32_t)(w.cut_ms - w.now_ms)));
		serve(prng_range(&w.p, 1, 2), prng_range(&w.p, 0, 3));
	}
	w.side[hit].apart_storage = fault == 0 || fault == 2;
	w.side[hit].apart_gateway = gateways && (fault == 1 || fault == 2 || fault == 4);
	w.side[3 - hit].apart_gateway = gateways && fault == 4;
	w.side[hit].flaps = gateways && fault == 3;
	w.changes_late = fault == 5;
	run_until(w.cut_ms);
	uint32_t w1 = w.side[1].signs.weight, w2 = w.side[2].signs.weight;
	uint32_t wanted = 0;

	if (!w.crash && w.cut_ms - w.changed_ms > 200) {
		if (fault > 5 && w1 != w2)
			wanted = w1 > w2 ? 1 : 2;
		else if ((gateways && fault == 1) || (fault == 0 && w.side[hit].signs.weight > 0))
			wanted = 3 - hit;
	}

	cut();
	run_until(w.now_ms + prng_range(&w.p, 1100, 1990));
	signs_after_cut();
	for (unsigned n = 0; n < 9 && !w.broken; n++)
		for (unsigned i = 0; i < 4; i++) {
			run_until(w.now_ms + prng_range(&w.p, 1, w.cut_delay_ms / 2));
			live_on();
		}
	run_until(w.now_ms + 12 * (uint64_t)w.cut_delay_ms);
	judge(wanted);
	for (uint32_t id = 1; id <= 2; id++)
		w.side[id].dom = fence_free(w.side[id].dom);
	for (unsigned i = 0; i < w.n_queue; i++)
		free(w.queue[i].data);
	return w.broken;
}

static void sum(uint64_t seeds)
{
	printf("cut: %" PRIu64 " cuts and crashes of two nodes, one survivor each\n", seeds);
}

const struct question question_cut = { "--cut", play, sum };
