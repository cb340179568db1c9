/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/sim_fence.c - fenced/core on virtual time: N nodes, cuts, freezes, crashes, lying agents, all drawn from a seed.
 *
 *   sim_fence [--seeds N] [--first SEED] [--seed SEED [-v]] [--nodes N]
 *
 * truth: what no node can see. Checked all the time:
 *   FENCE-1..4  fence_broken() of every core, after every step
 *   FENCE-5     members at one point of the agreed order hold the same book
 *   FENCE-6     a proof names a life that runs no more, or that said goodbye while it held nothing (SAFE-1, SAFE-2)
 *   FENCE-9     nobody switches off from a view that the majority has left behind (SAFE-4)
 * and after the faults end and everything is repaired:
 *   FENCE-7     within HEAL_MS everybody is an informed member and nobody is a victim
 * A failure prints the seed; the same seed fails again.
 */
#include "fenced/core/fence.h"
#include "net.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 6
#define START_MS 5000
#define FAULTS_MS 120000
#define HEAL_MS 240000
#define RUNS_MAX 256
#define FEEDS 3 /* level 0: the BMC; level 1: two outlets */

struct agent_run {
	bool used, orphan;
	uint32_t by, by_gen;
	uint64_t id; /* run or check */
	bool check;
	uint32_t node;
	uint8_t feed;
	enum fence_agent_action action;
	uint64_t effect_ms, read_ms, end_ms; /* UINT64_MAX: never */
	enum fence_answer answer;
	bool read;
};

struct snode {
	bool feed[FEEDS];
	bool runs;    /* a kernel is alive: it may write */
	bool wrecked; /* hangs in a panic; still powered */
	uint32_t boot;
	uint64_t boot_ms;   /* comes up then; 0: not booting */
	uint32_t offs;      /* how often it has lost its power */
	uint64_t fenced_ms; /* its fenced starts then; 0: not due */
	uint64_t reboot_ms; /* it reboots itself then; 0: no */
	bool hung, down_proc;
	uint64_t join;
	uint32_t gen; /* of the core */
	struct fence_domain *dom;
	struct fence_signs signs;
	uint64_t seen_index; /* last delivered place */
};

struct world {
	uint64_t seed, now_ms;
	struct prng prng;
	unsigned n;
	bool two_node, verbose, healed;
	struct net *net;
	struct snode node[N_MAX + 1];
	struct agent_run run[RUNS_MAX];
	uint32_t p_fail, p_timeout, p_lie, p_late, p_unknown; /* permille */
	uint64_t steps, proofs, fences;
	struct fence_actions out;
	/* FENCE-5 */
	struct {
		uint64_t index, digest;
	} point[4096];
};

static bool failed;

static void say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%7" PRIu64 ".%03u ", (w->now_ms) / 1000, (unsigned)(w->now_ms % 1000));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
{
	va_list ap;

	failed = true;
	printf("broken=%s node=%u t_ms=%" PRIu64 " seed=%" PRIu64 " nodes=%u: ", id, node,
	       w->now_ms, w->seed, w->n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void boot_id(uint32_t node, uint32_t boot, uint8_t id[BOOT_ID_BYTES])
{
	memset(id, 0, BOOT_ID_BYTES);
	id[0] = (uint8_t)node;
	id[1] = (uint8_t)boot;
	id[2] = (uint8_t)(boot >> 8);
	id[15] = 1;
}

static void step(struct world *w, uint32_t id, struct fence_event *ev);

/* --- truth --- */

static bool powered(const struct snode *s)
{
	return s->feed[0] && (s->feed[1] || s->feed[2]);
}

static void life_ends(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	s->runs = s->wrecked = s->hung = false;
	s->boot_ms = s->fenced_ms = s->reboot_ms = 0;
	s->dom = fence_free(s->dom);
	s->gen++;
	net_up(w->net, id, false, w->now_ms);
	for (unsigned i = 0; i < RUNS_MAX;
	     i++) /* its agents die; what they asked for may be on its way */
		if (w->run[i].used && !w->run[i].orphan && w->run[i].by == id) {
			w->run[i].orphan = true;
			w->run[i].end_ms = UINT64_MAX;
			if (w->run[i].effect_ms != UINT64_MAX && prng_permille(&w->prng, 500))
				w->run[i].used = false;
		}
}

static void boot_later(struct world *w, uint32_t id)
{
	w->node[id].boot_ms = w->now_ms + prng_range(&w->prng, 2000, 9000);
}

static void power_changed(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	if (!powered(s) && (s->runs || s->wrecked || s->boot_ms)) {
		say(w, "TRUTH node%u loses power (life %u)", id, s->boot);
		life_ends(w, id);
		s->offs++;
	} else if (!powered(s)) {
		s->offs++;
	} else if (!s->runs && !s->wrecked && !s->boot_ms) {
		boot_later(w, id);
	}
}

static void boot(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	s->boot_ms = 0;
	s->boot++;
	s->runs = true;
	memset(&s->signs, 0, sizeof(s->signs));
	net_up(w->net, id, true, w->now_ms);
	s->fenced_ms = w->now_ms + prng_range(&w->prng, 10, 1500);
	say(w, "TRUTH node%u boots (life %u)", id, s->boot);
}

static void fenced_start(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];
	struct fence_config cfg = {
		.self = { .nodeid = id, .join = w->now_ms * 1000 },
		.hash = 7,
		.reboot = true,
		.cut_delay_ms = 3000,
		.post_join_ms = 20000,
		.absent_ms = 8000,
		.retry_min_ms = 1000,
		.retry_max_ms = 8000,
		.ready_interval_ms = 30000,
		.ready_age_ms = 90000,
		.confirm_ms = 2500,
		.stall_ms = 900,
	};

	s->fenced_ms = 0;
	boot_id(id, s->boot, cfg.self.boot_id);
	for (uint32_t i = 1; i <= w->n; i++) {
		nodeset_add(&cfg.nodes, i);
		cfg.path[i] = (struct fence_path){ .n_levels = 2, .n_devices = { 1, 2 } };
	}
	s->dom = fence_new(&cfg);
	if (!s->dom)
		abort();
	s->gen++;
	s->hung = false;
	net_hang(w->net, 0, id, false);
	net_start(w->net, 0, id, w->now_ms);
	say(w, "node%u fenced starts", id);
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs = s->signs };

	step(w, id, &ev);
}

static void fenced_stop(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	if (!s->dom)
		return;
	s->dom = fence_free(s->dom);
	s->gen++;
	net_stop(w->net, 0, id, w->now_ms);
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (w->run[i].used && w->run[i].by == id)
			w->run[i].orphan = true;
}

static void self_reboot(struct world *w, uint32_t id)
{
	say(w, "TRUTH node%u reboots itself (life %u)", id, w->node[id].boot);
	life_ends(w, id);
	if (powered(&w->node[id]))
		boot_later(w, id);
}

/* --- agents --- */

static struct agent_run *new_run(struct world *w)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (!w->run[i].used) {
			memset(&w->run[i], 0, sizeof(w->run[i]));
			w->run[i].used = true;
			return &w->run[i];
		}
	abort();
}

static void agent_start(struct world *w, uint32_t by, const struct fence_action *a)
{
	struct agent_run *r = new_run(w);
	uint32_t took = prng_range(&w->prng, 100, 2000);
	bool check = a->type == FENCE_ACT_CHECK;

	r->by = by;
	r->by_gen = w->node[by].gen;
	r->check = check;
	r->id = check ? a->check.check : a->run.run;
	r->node = check ? a->check.node : a->run.node;
	uint8_t level = check ? a->check.level : a->run.level,
		dev = check ? a->check.device : a->run.device;

	r->feed = level == 0 ? 0 : (uint8_t)(1 + dev);
	r->action = check ? FENCE_AGENT_STATUS : a->run.action;
	r->end_ms = w->now_ms + took;
	r->effect_ms = r->read_ms = UINT64_MAX;
	if (r->action == FENCE_AGENT_STATUS) {
		r->read_ms = w->now_ms + prng_range(&w->prng, 0, took);
		if (prng_permille(&w->prng, w->p_unknown)) {
			r->answer = prng_permille(&w->prng, 500) ? FENCE_ANSWER_UNKNOWN
								 : FENCE_ANSWER_TIMEOUT;
			r->read_ms = UINT64_MAX;
		}
		return;
	}
	r->effect_ms = w->now_ms + prng_range(&w->prng, 0, took);
	r->answer = FENCE_ANSWER_DONE;
	if (prng_permille(&w->prng, w->p_fail)) {
		r->answer = FENCE_ANSWER_FAILED;
		if (prng_permille(&w->prng, 600))
			r->effect_ms = UINT64_MAX;
	} else if (prng_permille(&w->prng, w->p_timeout)) {
		r->answer = FENCE_ANSWER_TIMEOUT;
		r->end_ms = w->now_ms + 10000;
		r->effect_ms = prng_permille(&w->prng, 500)
				       ? UINT64_MAX
				       : w->now_ms + prng_range(&w->prng, 0, 15000);
	} else if (prng_permille(&w->prng, w->p_lie)) {
		r->effect_ms = UINT64_MAX;
	} else if (prng_permille(&w->prng, w->p_late)) {
		r->effect_ms = r->end_ms + prng_range(&w->prng, 0, 5000);
	}
}

static void agent_cancel(struct world *w, uint32_t by, uint64_t id)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct agent_run *r = &w->run[i];

		if (!r->used || r->by != by || r->check || r->id != id ||
		    r->by_gen != w->node[by].gen)
			continue;
		r->orphan = true;
		r->end_ms = UINT64_MAX;
		if (prng_permille(&w->prng, 500)) /* killed before its request was out */
			r->effect_ms = UINT64_MAX;
	}
}

static void agents_run(struct world *w)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct agent_run *r = &w->run[i];

		if (!r->used)
			continue;
		if (r->effect_ms <= w->now_ms) {
			struct snode *s = &w->node[r->node];

			r->effect_ms = UINT64_MAX;
			s->feed[r->feed] = r->action == FENCE_AGENT_ON;
			power_changed(w, r->node);
			if (!r->used) /* it hit its own node */
				continue;
		}
		if (r->read_ms <= w->now_ms) {
			r->read_ms = UINT64_MAX;
			r->answer = w->node[r->node].feed[r->feed] ? FENCE_ANSWER_ON
								   : FENCE_ANSWER_OFF;
		}
		bool lost = r->orphan || w->node[r->by].gen != r->by_gen;

		if (lost && r->effect_ms == UINT64_MAX) {
			r->used = false;
			continue;
		}
		if (lost || r->end_ms > w->now_ms || net_is_frozen(w->net, r->by) ||
		    w->node[r->by].hung)
			continue;
		char text[64];
		struct fence_event ev = { .type = r->check ? FENCE_EV_READY_DONE
							   : FENCE_EV_RUN_DONE };

		snprintf(text, sizeof(text), "feed%u %s %s", r->feed, fence_action_name(r->action),
			 fence_answer_name(r->answer));
		if (r->check) {
			ev.ready_done.check = r->id;
			ev.ready_done.ok = r->answer == FENCE_ANSWER_ON ||
					   r->answer == FENCE_ANSWER_OFF;
			ev.ready_done.text = text;
		} else {
			ev.run_done.run = r->id;
			ev.run_done.answer = r->answer;
			ev.run_done.text = text;
			say(w, "node%u run %" PRIu64 " on node%u: %s", r->by, r->id, r->node, text);
		}
		uint32_t by = r->by;

		if (r->effect_ms == UINT64_MAX)
			r->used = false;
		else
			r->orphan = true; /* its effect is late */
		step(w, by, &ev);
	}
}

/* --- checks --- */

static void check_proofs(struct world *w, uint32_t id)
{
	struct fence_state st;

	fence_snapshot(w->node[id].dom, w->now_ms, &st);
	for (unsigned i = 0; i < st.n; i++) {
		const struct fence_node *x = &st.node[i];
		const struct snode *s = &w->node[x->nodeid];
		uint8_t now_id[BOOT_ID_BYTES];

		if (x->proof.kind == PROOF_NONE || x->proof.kind == PROOF_OPERATOR)
			continue;
		boot_id(x->nodeid, s->boot, now_id);
		bool lives = s->runs && memcmp(now_id, x->proof.victim.boot_id, BOOT_ID_BYTES) == 0;

		if (x->proof.kind == PROOF_CLEAN_LEAVE)
			lives = lives && s->signs.holds && x->state == FENCE_NODE_DEAD;
		if (incarnation_unseen(&x->proof.victim))
			lives = x->proof.kind == PROOF_OFF_VERIFIED && s->offs == 0;
		if (lives)
			broken(w, "FENCE-6", id,
			       "holds proof %s (%s) of node%u life %u, which runs",
			       proof_kind_name(x->proof.kind), x->proof.evidence, x->nodeid,
			       s->boot);
	}
}

static void check_agreement(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];
	struct fence_state st;

	fence_snapshot(s->dom, w->now_ms, &st);
	if (!st.informed || s->seen_index == 0)
		return;
	uint64_t d = fence_digest(s->dom);
	unsigned slot = (unsigned)((s->seen_index * UINT64_C(0x9e3779b97f4a7c15)) >> 52);

	if (w->point[slot].index != s->seen_index) {
		w->point[slot].index = s->seen_index;
		w->point[slot].digest = d;
	} else if (w->point[slot].digest != d) {
		broken(w, "FENCE-5", id, "holds another book at %" PRIx64, s->seen_index);
	}
}

/* A fencing order from a ring that is over, while a majority has gone on without that node. */
static void check_stale_off(struct world *w, uint32_t id, uint32_t victim)
{
	uint64_t ring = net_ring(w->net, id);

	w->fences++;
	for (uint32_t b = 1; b <= w->n; b++) {
		uint64_t other = net_ring(w->net, b);
		struct fence_state st;

		if (!w->node[b].dom || other <= ring || w->two_node)
			continue;
		fence_snapshot(w->node[b].dom, w->now_ms, &st);
		if (st.informed && st.view.seq == other && net_ring_quorate(w->net, other) &&
		    !nodeset_has(net_ring_members(w->net, other), id))
			broken(w, "FENCE-9", id, "switches node%u off from a view that is over",
			       victim);
	}
}

/* --- one step of one core --- */

static void step(struct world *w, uint32_t id, struct fence_event *ev)
{
	struct snode *s = &w->node[id];
	struct fence_actions *out;

	if (!s->dom || failed)
		return;
	out = malloc(sizeof(*out)); /* steps nest in no core, but in this world */
	if (!out)
		abort();
	ev->now_ms = w->now_ms;
	ev->wall_s = (int64_t)w->now_ms / 1000;
	int rc = fence_step(s->dom, ev, out);
	uint32_t gen = s->gen;

	w->steps++;
	if (rc < 0 && w->verbose && rc != -11)
		say(w, "node%u event %d refused: %s", id, ev->type, fence_refusal(s->dom));
	if (fence_broken(s->dom))
		broken(w, fence_broken(s->dom), id, "after event %d", ev->type);
	check_proofs(w, id);
	if (ev->type == FENCE_EV_DELIVER)
		check_agreement(w, id);
	for (unsigned i = 0; i < out->n && s->dom && s->gen == gen; i++) {
		const struct fence_action *a = &out->v[i];

		switch (a->type) {
		case FENCE_ACT_SEND:
			net_send(w->net, 0, id, out->msg, out->msg_len, w->now_ms);
			break;
		case FENCE_ACT_RUN:
			say(w,
			    "node%u runs %s on node%u level %u device %u (run %" PRIu64
			    " attempt %u)",
			    id, fence_action_name(a->run.action), a->run.node, a->run.level,
			    a->run.device, a->run.run, a->run.attempt);
			if (a->run.action == FENCE_AGENT_OFF)
				check_stale_off(w, id, a->run.node);
			agent_start(w, id, a);
			break;
		case FENCE_ACT_CHECK: agent_start(w, id, a); break;
		case FENCE_ACT_CANCEL_RUN: agent_cancel(w, id, a->cancel); break;
		case FENCE_ACT_REBOOT_SELF:
			s->reboot_ms = w->now_ms + prng_range(&w->prng, 1, 30);
			break;
		case FENCE_ACT_LEFT:
			if (s->signs.holds)
				broken(w, "FENCE-6", id, "left while it held something");
			say(w, "node%u leaves", id);
			fenced_stop(w, id);
			if (!w->healed)
				s->fenced_ms = w->now_ms + prng_range(&w->prng, 3000, 20000);
			break;
		case FENCE_ACT_HISTORY:
			w->proofs += a->history.note == FENCE_NOTE_PROOF;
			say(w, "node%u note %d: node%u %s %s", id, a->history.note, a->history.node,
			    a->history.note == FENCE_NOTE_PROOF
				    ? proof_kind_name(a->history.kind)
				    : fence_reason_name(a->history.reason),
			    a->history.text);
			break;
		case FENCE_ACT_PUBLISH:
		case FENCE_ACT_STORE:
		case FENCE_ACT_ACK_DONE: break;
		}
	}
	free(out);
}

static void on_view(void *arg, unsigned group, uint32_t node, const struct net_view *v)
{
	struct world *w = arg;
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	(void)group;
	ev.view = (struct fence_view){ .id = v->id,
				       .quorate = v->quorate,
				       .two_node = v->two_node,
				       .nodes = v->nodes,
				       .members = v->members,
				       .joined = v->joined,
				       .left_nodedown = v->left_nodedown,
				       .left_other = v->left_proc };
	say(w, "node%u view %" PRIu64 "%s nodes %" PRIx64 " members %" PRIx64 " fell %" PRIx64,
	    node, v->id.seq, v->quorate ? " quorate" : "", v->nodes.bits >> 1, v->members.bits >> 1,
	    v->left_nodedown.bits >> 1);
	w->node[node].seen_index = 0;
	step(w, node, &ev);
}

static void on_deliver(void *arg, unsigned group, uint32_t node, uint32_t from, const void *data,
		       size_t len, uint64_t index)
{
	struct world *w = arg;
	struct fence_event ev = { .type = FENCE_EV_DELIVER, .deliver = { from, data, len } };

	(void)group;
	w->node[node].seen_index = index;
	step(w, node, &ev);
}

/* --- faults --- */

static void inject(struct world *w)
{
	struct prng *p = &w->prng;
	uint32_t id = prng_range(p, 1, w->n);
	struct snode *s = &w->node[id];
	struct fence_event ev = { 0 };

	switch (prng_range(p, 0, 15)) {
	case 0: /* a kernel crashes: powered, writes nothing */
		if (s->runs) {
			say(w, "FAULT node%u panics", id);
			life_ends(w, id);
			s->wrecked = true;
		}
		break;
	case 1: /* the power goes, and comes back */
		say(w, "FAULT node%u power cut", id);
		s->feed[0] = false;
		power_changed(w, id);
		break;
	case 2:
		if (!powered(s)) {
			s->feed[0] = s->feed[1] = s->feed[2] = true;
			power_changed(w, id);
		}
		break;
	case 3:
	case 4: {
		bool frozen = !net_is_frozen(w->net, id);

		if (s->runs) {
			say(w, "FAULT node%u %s", id, frozen ? "frozen" : "thawed");
			net_freeze(w->net, id, frozen, w->now_ms);
		}
		break;
	}
	case 5:
	case 6: {
		unsigned island = prng_range(p, 0, 2);

		say(w, "FAULT node%u moves to island %u", id, island);
		net_island(w->net, id, island, w->now_ms);
		break;
	}
	case 7: /* the net is whole again */
		say(w, "FAULT the net is whole");
		for (uint32_t i = 1; i <= w->n; i++)
			net_island(w->net, i, 0, w->now_ms);
		break;
	case 8:
		if (s->dom && !net_is_frozen(w->net, id)) {
			say(w, "FAULT node%u fenced killed", id);
			fenced_stop(w, id);
			s->fenced_ms = w->now_ms + (prng_permille(p, 800)
							    ? prng_range(p, 5, 2000)
							    : prng_range(p, 5000, 30000));
		}
		break;
	case 9:
		if (s->dom && prng_permille(p, 500)) {
			s->hung = !s->hung;
			say(w, "FAULT node%u fenced %s", id, s->hung ? "hangs" : "goes on");
			net_hang(w->net, 0, id, s->hung);
		}
		break;
	case 10: /* an operator reboots it */
		if (s->runs && prng_permille(p, 500))
			self_reboot(w, id);
		break;
	case 11:
	case 12:
		if (s->dom && !s->hung && !net_is_frozen(w->net, id)) {
			struct fence_signs signs = { .weight = prng_range(p, 0, 2),
						     .self = prng_range(p, 0, 2) };

			struct fence_state pub;

			/* storaged activates only when everybody else is here or proven dead, and keeps
			 * what it has */
			fence_snapshot(s->dom, w->now_ms, &pub);
			bool clear = pub.informed;

			for (unsigned i = 0; i < pub.n; i++)
				clear = clear && (pub.node[i].state == FENCE_NODE_MEMBER ||
						  pub.node[i].state == FENCE_NODE_DEAD);
			signs.holds = signs.weight > 0 && (clear || s->signs.holds);
			for (uint32_t i = 1; i <= w->n; i++)
				signs.peer[i] = prng_range(p, 0, 2);
			ev.type = FENCE_EV_SIGNS;
			ev.signs = signs;
			uint32_t gen = s->gen;

			/* storaged activates only after fenced has taken the news */
			struct fence_signs was = s->signs;

			s->signs = signs;
			step(w, id, &ev);
			if (s->gen == gen) {
				struct fence_status *st = malloc(sizeof(*st));

				if (!st)
					abort();
				fence_status(s->dom, w->now_ms, st);
				if (st->leaving)
					s->signs = was.holds ? was : (struct fence_signs){ 0 };
				free(st);
			}
		}
		break;
	case 13:
		if (s->dom && !s->hung && !net_is_frozen(w->net, id)) {
			ev.type = FENCE_EV_REQUEST;
			ev.request.node = prng_range(p, 1, w->n);
			ev.request.text = "sim asks";
			if (prng_permille(p, 300))
				step(w, id, &ev);
		}
		break;
	case 14:
		if (s->dom && !s->hung && !net_is_frozen(w->net, id)) {
			uint32_t v = prng_range(p, 1, w->n);

			/* an operator who lies is none of our business: he looks first */
			if (!powered(&w->node[v]) || w->node[v].wrecked) {
				ev.type = FENCE_EV_ACK;
				ev.ack.node = v;
				ev.ack.text = "I looked";
				step(w, id, &ev);
			}
		}
		break;
	case 15:
		if (s->dom && !s->hung && !net_is_frozen(w->net, id) && prng_permille(p, 400)) {
			ev.type = FENCE_EV_LEAVE;
			step(w, id, &ev);
		}
		break;
	}
}

static void heal(struct world *w)
{
	say(w, "everything is repaired");
	w->healed = true;
	w->p_fail = w->p_timeout = w->p_lie = w->p_late = w->p_unknown = 0;
	net_calm(w->net);
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];

		net_island(w->net, id, 0, w->now_ms);
		net_freeze(w->net, id, false, w->now_ms);
		if (s->hung) {
			s->hung = false;
			net_hang(w->net, 0, id, false);
		}
	}
}

/* A janitor: what is off is switched on, what has no fenced gets one. */
static void mend(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		bool acting = false;

		for (unsigned i = 0; i < RUNS_MAX; i++)
			acting = acting ||
				 (w->run[i].used && !w->run[i].check && w->run[i].node == id);
		if (s->wrecked && !acting) {
			life_ends(w, id);
			power_changed(w, id);
		}
		if (!powered(s) && !acting) {
			s->feed[0] = s->feed[1] = s->feed[2] = true;
			power_changed(w, id);
		}
		if (s->runs && !s->dom && !s->fenced_ms)
			s->fenced_ms = w->now_ms + 100;
	}
}

static void check_healed(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct fence_state st;

		if (!w->node[id].dom) {
			broken(w, "FENCE-7", id, "has no fenced after %d s", HEAL_MS / 1000);
			return;
		}
		fence_snapshot(w->node[id].dom, w->now_ms, &st);
		if (!st.informed)
			broken(w, "FENCE-7", id, "is not informed");
		for (unsigned i = 0; i < st.n; i++)
			if (st.node[i].state != FENCE_NODE_MEMBER)
				broken(w, "FENCE-7", id, "still holds node%u as %s",
				       st.node[i].nodeid, fence_node_state_name(st.node[i].state));
			else if (st.node[i].nodeid != id && !st.node[i].ready)
				broken(w, "FENCE-7", id, "has no ready path to node%u",
				       st.node[i].nodeid);
	}
}

static uint64_t next_ms(struct world *w)
{
	uint64_t best = net_next_ms(w->net);

	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		uint64_t at[] = { s->boot_ms, s->fenced_ms, s->reboot_ms };

		for (unsigned i = 0; i < 3; i++)
			if (at[i] && at[i] < best && (i == 0 || !net_is_frozen(w->net, id)))
				best = at[i];
		if (s->dom && !s->hung && !net_is_frozen(w->net, id) &&
		    fence_deadline_ms(s->dom) < best)
			best = fence_deadline_ms(s->dom);
	}
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct agent_run *r = &w->run[i];
		bool idle = r->orphan || w->node[r->by].gen != r->by_gen ||
			    net_is_frozen(w->net, r->by) || w->node[r->by].hung;

		if (!r->used)
			continue;
		if (r->effect_ms < best)
			best = r->effect_ms;
		if (r->read_ms < best)
			best = r->read_ms;
		if (!idle && r->end_ms < best)
			best = r->end_ms;
	}
	return best;
}

static void tick(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];

		if (s->boot_ms && s->boot_ms <= w->now_ms)
			boot(w, id);
		if (s->reboot_ms && s->reboot_ms <= w->now_ms && !net_is_frozen(w->net, id))
			self_reboot(w, id);
		if (s->fenced_ms && s->fenced_ms <= w->now_ms && !net_is_frozen(w->net, id)) {
			s->fenced_ms = 0;
			if (s->runs && !s->dom)
				fenced_start(w, id);
		}
		if (s->dom && !s->hung && !net_is_frozen(w->net, id) &&
		    fence_deadline_ms(s->dom) <= w->now_ms) {
			struct fence_event ev = { .type = FENCE_EV_TIMEOUT };

			step(w, id, &ev);
		}
	}
	agents_run(w);
	net_run(w->net, w->now_ms);
}

static void run_seed(uint64_t seed, unsigned nodes, bool verbose, uint64_t *steps, uint64_t *proofs,
		     uint64_t *fences)
{
	struct world *w = calloc(1, sizeof(*w));
	static const struct net_ops ops = { on_view, on_deliver };

	if (!w)
		abort();
	w->seed = seed;
	w->prng.s = seed;
	w->verbose = verbose;
	w->now_ms = START_MS;
	w->n = nodes ? nodes : prng_range(&w->prng, 2, 5);
	w->two_node = w->n == 2;
	w->p_fail = prng_range(&w->prng, 0, 400);
	w->p_timeout = prng_range(&w->prng, 0, 200);
	w->p_lie = prng_range(&w->prng, 0, 300);
	w->p_late = prng_range(&w->prng, 0, 300);
	w->p_unknown = prng_range(&w->prng, 0, 300);
	struct net_config nc = { .n_nodes = w->n,
				 .n_groups = 1,
				 .two_node = w->two_node,
				 .token_ms = 1000,
				 .late_quorum_permille = 100 };

	w->net = net_new(&nc, &w->prng, &ops, w);
	for (uint32_t id = 1; id <= w->n; id++) {
		w->node[id].feed[0] = w->node[id].feed[1] = w->node[id].feed[2] = true;
		w->node[id].boot_ms = w->now_ms +
				      prng_range(&w->prng, 0,
						 prng_permille(&w->prng, 100) ? 40000 : 3000);
	}
	uint64_t fault_ms = w->now_ms + 8000, gap = prng_range(&w->prng, 300, 8000), mend_ms = 0;

	while (!failed && w->now_ms < START_MS + FAULTS_MS + HEAL_MS) {
		uint64_t next = next_ms(w);

		if (!w->healed && fault_ms < next)
			next = fault_ms;
		if (w->healed && mend_ms < next)
			next = mend_ms;
		if (next < w->now_ms)
			next = w->now_ms;
		if (next > START_MS + FAULTS_MS + HEAL_MS)
			break;
		w->now_ms = next;
		tick(w);
		if (!w->healed && fault_ms <= w->now_ms) {
			inject(w);
			fault_ms = w->now_ms + prng_range(&w->prng, 1, (uint32_t)gap);
			if (w->now_ms > START_MS + FAULTS_MS) {
				heal(w);
				mend_ms = w->now_ms;
			}
		}
		if (w->healed && mend_ms <= w->now_ms) {
			mend(w);
			mend_ms = w->now_ms + 5000;
		}
		if (w->steps > 2000000)
			broken(w, "FENCE-7", 0, "no end of steps");
	}
	if (!failed)
		check_healed(w);
	*steps += w->steps;
	*proofs += w->proofs;
	*fences += w->fences;
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].dom = fence_free(w->node[id].dom);
	w->net = net_free(w->net);
	free(w);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "seeds", 1, NULL, 'n' }, { "first", 1, NULL, 'f' },   { "seed", 1, NULL, 's' },
		{ "nodes", 1, NULL, 'N' }, { "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 }
	};
	uint64_t first = 1, n = 200, steps = 0, proofs = 0, fences = 0;
	unsigned nodes = 0;
	bool verbose = false;
	int c;

	while ((c = getopt_long(argc, argv, "v", opts, NULL)) != -1)
		switch (c) {
		case 'n': n = strtoull(optarg, NULL, 0); break;
		case 'f': first = strtoull(optarg, NULL, 0); break;
		case 's':
			first = strtoull(optarg, NULL, 0);
			n = 1;
			break;
		case 'N': nodes = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'v': verbose = true; break;
		default: return 2;
		}
	if (nodes == 1 || nodes > N_MAX) {
		fprintf(stderr, "sim_fence: --nodes 2..%d\n", N_MAX);
		return 2;
	}
	for (uint64_t seed = first; seed < first + n && !failed; seed++)
		run_seed(seed, nodes, verbose, &steps, &proofs, &fences);
	if (failed)
		return 1;
	printf("fence: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64
	       " times switched off, %" PRIu64 " proofs told, nothing broken\n",
	       n, steps, fences, proofs);
	return 0;
}
