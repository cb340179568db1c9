/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fence_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void say(struct world *w, const char *fmt, ...)
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

void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
{
	va_list ap;

	w->failed = true;
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

/* --- truth --- */

bool powered(const struct snode *s)
{
	return s->feed[0] && (s->feed[1] || s->feed[2]);
}

void world_forget(struct world *w, uint32_t id)
{
	for (uint32_t n = 1; n <= w->n; n++)
		for (unsigned b = 0; b < LIVES_MAX; b++)
			nodeset_del(&w->remember[n][b], id);
}

/* Its power is gone: a hypervisor that saw it tells every other node, soon or seconds later, some twice. */
static void attest(struct world *w, uint32_t id)
{
	if (powered(&w->node[id]) || !prng_permille(&w->prng, w->p_attest))
		return;
	say(w, "TRUTH node%u's hypervisor attests that life %u is over", id, w->node[id].boot);
	for (uint32_t to = 1; to <= w->n; to++)
		for (unsigned again = 0; to != id && again < 2; again++)
			for (unsigned i = 0; i < SAID_MAX && prng_permille(&w->prng, 800); i++) {
				if (w->said[i].at_ms)
					continue;
				uint64_t late = prng_permille(&w->prng, 600) ? 300 : 15000;

				w->said[i] = (struct said){ .at_ms = w->now_ms + 1 +
								     prng_range(&w->prng, 0, late),
							    .to = to,
							    .node = id,
							    .boot = w->node[id].boot };
				break;
			}
}

static void hypervisors(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];

		if (s->wrecked && s->attest_ms == 0)
			s->attest_ms = prng_permille(&w->prng, w->p_attest)
					       ? w->now_ms + prng_range(&w->prng, 20, 900)
					       : UINT64_MAX;
		if (s->wrecked && s->attest_ms <= w->now_ms) {
			s->feed[0] = false;
			power_changed(w, id);
		}
	}
	for (unsigned i = 0; i < SAID_MAX; i++) {
		struct said *said = &w->said[i];
		struct fence_event ev = { .type = FENCE_EV_ATTEST };

		if (said->at_ms == 0 || said->at_ms > w->now_ms)
			continue;
		said->at_ms = 0;
		ev.attest.life.nodeid = said->node;
		boot_id(said->node, said->boot, ev.attest.life.boot_id);
		ev.attest.text = "its hypervisor: over, and off";
		if (w->node[said->to].dom && !w->node[said->to].hung &&
		    !net_is_frozen(w->net, said->to))
			step(w, said->to, &ev);
	}
}

void life_ends(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	world_forget(w, id);
	if (s->runs || s->wrecked)
		attest(w, id);
	s->runs = s->wrecked = s->hung = false;
	s->attest_ms = 0;
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

void power_changed(struct world *w, uint32_t id)
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

void fenced_start(struct world *w, uint32_t id)
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
		.confirm_ms = 16000,
		.stall_ms = 900,
	};

	s->fenced_ms = 0;
	boot_id(id, s->boot, cfg.self.boot_id);
	for (uint32_t i = 1; i <= w->n; i++) {
		nodeset_add(&cfg.nodes, i);
		cfg.path[i] = (struct fence_path){ .n_levels = w->path_levels,
						   .n_devices = { 1, 2 } };
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

void fenced_stop(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	if (!s->dom)
		return;
	world_forget(w, id);
	s->dom = fence_free(s->dom);
	s->gen++;
	net_stop(w->net, 0, id, false, w->now_ms);
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (w->run[i].used && w->run[i].by == id)
			w->run[i].orphan = true;
}

void self_reboot(struct world *w, uint32_t id)
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

/* Return: a scenario has said what this run does. */
static bool agent_scripted(struct world *w, struct agent_run *r, uint32_t took)
{
	struct script *s = w->script;

	r->effect_ms = r->read_ms = UINT64_MAX;
	while (s < w->script + 8 && !(s->times && s->node == r->node && s->action == r->action))
		s++;
	if (s == w->script + 8 || r->check)
		return false;
	s->times--;
	switch (s->fault) {
	case AGENT_FAIL: r->answer = FENCE_ANSWER_FAILED; break;
	case AGENT_TIMEOUT:
		r->answer = FENCE_ANSWER_TIMEOUT;
		r->end_ms = w->now_ms + 10000;
		break;
	case AGENT_LIE: r->answer = FENCE_ANSWER_DONE; break;
	case AGENT_LATE:
		r->answer = FENCE_ANSWER_DONE;
		r->effect_ms = w->now_ms + took + 3000;
		break;
	case AGENT_BABBLE: r->answer = FENCE_ANSWER_UNKNOWN; break;
	}
	return true;
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
	w->offs_asked[r->node] += r->action == FENCE_AGENT_OFF;
	bool scripted = agent_scripted(w, r, took);
	if (scripted)
		return;
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
			/* who hung has not heard yet that it is back; its storaged has, in its own group */
			lives = lives && s->signs.holds && x->state == FENCE_NODE_DEAD &&
				st.view.seq == net_ring(w->net, id) &&
				w->buried[id] !=
					w->node[id]
						.boot; /* an operator buried it alive: he was told */
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

static void condemn(struct world *w, uint32_t by, uint32_t node, enum fence_note note,
		    const struct fence_action *a)
{
	struct fence_state st;
	uint8_t id[BOOT_ID_BYTES];

	if (note != FENCE_NOTE_VICTIM && note != FENCE_NOTE_PROOF)
		return;
	if (note == FENCE_NOTE_VICTIM &&
	    (a->history.reason == FENCE_REASON_ABSENT || a->history.reason == FENCE_REASON_MUTE))
		return; /* may be pardoned */
	if (note == FENCE_NOTE_PROOF && a->history.kind == PROOF_CLEAN_LEAVE)
		return;
	fence_snapshot(w->node[by].dom, w->now_ms, &st);
	const struct fence_node *n = fence_state_node(&st, node);

	for (uint32_t b = 1; b <= w->node[node].boot && b < LIVES_MAX; b++) {
		boot_id(node, b, id);
		if (memcmp(note == FENCE_NOTE_PROOF ? n->proof.victim.boot_id : n->life.boot_id, id,
			   sizeof(id)) == 0) {
			nodeset_add(&w->condemned[node][b], by);
			if (note == FENCE_NOTE_PROOF && a->history.kind == PROOF_OPERATOR)
				w->buried[node] = b;
			nodeset_add(&w->remember[node][b], by);
		}
	}
}

/* A majority must remember it: fewer may be alone in a view that is over, or have adopted the history of those who began
 * anew. Two nodes that cut each other off accuse each other.
 */
void world_check_lives(struct world *w)
{
	for (uint32_t id = 1; id <= w->n && !w->two_node; id++) {
		const struct snode *s = &w->node[id];

		unsigned need = w->buried[id] == s->boot ? 2 : w->n / 2 + 1;

		if (s->dom && s->boot < LIVES_MAX &&
		    nodeset_count(w->remember[id][s->boot]) >= need)
			broken(w, "FENCE-10", id, "lives on in life %u, which was declared over",
			       s->boot);
	}
}

/* A fencing order from a ring that is over, while a majority has gone on without that node. */
static void check_stale_off(struct world *w, uint32_t id, uint32_t victim)
{
	uint64_t ring = net_ring(w->net, id);

	w->fences++;
	if (net_is_deaf(w->net, id, w->now_ms))
		broken(w, "FENCE-9", id, "has just woken up and switches node%u off", victim);
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

static void check_self(struct world *w, uint32_t id, const struct fence_actions *out)
{
	struct fence_state st;
	bool going = w->node[id].reboot_ms != 0;

	fence_snapshot(w->node[id].dom, w->now_ms, &st);
	for (unsigned i = 0; i < out->n; i++)
		going = going || out->v[i].type == FENCE_ACT_REBOOT_SELF;
	if (st.self_victim && !going)
		broken(w, "FENCE-3", id, "knows that it is a victim and goes on");
}

/* SAFE-8: no two nodes agree on the time of day, and some live before 1970; nothing may depend on it. */
static int64_t wall_of(const struct world *w, uint32_t id)
{
	static const int64_t years[] = { 0, -70, 40, -3, 300, 1 };

	return years[id % 6] * 365 * 86400 + (int64_t)id * 61 + (int64_t)w->now_ms / 1000;
}

/* --- one step of one core --- */

int step(struct world *w, uint32_t id, struct fence_event *ev)
{
	struct snode *s = &w->node[id];
	struct fence_actions *out;

	if (!s->dom || w->failed)
		return 0;
	out = malloc(sizeof(*out)); /* steps nest in no core, but in this world */
	if (!out)
		abort();
	ev->now_ms = w->now_ms;
	ev->wall_s = wall_of(w, id);
	int rc = fence_step(s->dom, ev, out);
	uint32_t gen = s->gen;

	w->steps++;
	if (rc < 0 && w->verbose && rc != -11)
		say(w, "node%u event %d refused: %s", id, ev->type, fence_refusal(s->dom));
	if (fence_broken(s->dom))
		broken(w, fence_broken(s->dom), id, "after event %d", ev->type);
	check_proofs(w, id);
	check_self(w, id, out);
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
			if (a->run.action == FENCE_AGENT_OFF && a->run.level == 0 &&
			    a->run.device == 0)
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
			if (!w->healed && !w->no_return)
				s->fenced_ms = w->now_ms + prng_range(&w->prng, 3000, 20000);
			break;
		case FENCE_ACT_HISTORY:
			condemn(w, id, a->history.node, a->history.note, a);
			w->proofs += a->history.note == FENCE_NOTE_PROOF;
			if (w->noted)
				w->noted(w, id, a);
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
	return rc;
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

uint64_t world_next_ms(struct world *w)
{
	uint64_t best = net_next_ms(w->net);

	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		uint64_t at[] = { s->boot_ms, s->fenced_ms, s->reboot_ms,
				  s->hung && s->dom ? s->dog_ms : 0 };

		for (unsigned i = 0; i < 4; i++)
			if (at[i] && at[i] < best && (i == 0 || !net_is_frozen(w->net, id)))
				best = at[i];
		if (s->dom && !s->hung && !net_is_frozen(w->net, id) &&
		    fence_deadline_ms(s->dom) < best)
			best = fence_deadline_ms(s->dom);
	}
	for (uint32_t id = 1; id <= w->n; id++)
		if (w->node[id].wrecked && w->node[id].attest_ms < best)
			best = w->node[id].attest_ms ? w->node[id].attest_ms : w->now_ms;
	for (unsigned i = 0; i < SAID_MAX; i++)
		if (w->said[i].at_ms && w->said[i].at_ms < best)
			best = w->said[i].at_ms;
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

void world_tick(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];

		if (s->boot_ms && s->boot_ms <= w->now_ms)
			boot(w, id);
		if (s->hung && s->dom && s->dog_ms <= w->now_ms && !net_is_frozen(w->net, id)) {
			say(w, "TRUTH node%u fenced hangs: its watchdog ends it", id);
			fenced_stop(w, id);
			s->hung = false;
			s->fenced_ms = w->now_ms + 100;
		}
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
	hypervisors(w);
	net_run(w->net, w->now_ms);
}

void world_open(struct world *w)
{
	static const struct net_ops ops = { on_view, on_deliver };
	struct net_config nc = { .n_nodes = w->n,
				 .n_groups = 1,
				 .two_node = w->two_node,
				 .token_ms = 1000,
				 .late_quorum_permille = w->late_quorum };

	w->now_ms = START_MS;
	w->net = net_new(&nc, &w->prng, &ops, w);
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].feed[0] = w->node[id].feed[1] = w->node[id].feed[2] = true;
}

void world_close(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].dom = fence_free(w->node[id].dom);
	w->net = net_free(w->net);
}
