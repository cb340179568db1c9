/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search_fence.c - fenced/core for the search: power, one fence device a node, agents that answer well or badly. */
#include "search.h"

#include "fenced/core/domain.h"

#include <string.h>

#define RUNS_MAX 6

enum { DO_ANSWER = DO_MODEL, DO_REQUEST, DO_LEAVE, DO_ACK, DO_EFFECT };
/* What an agent does, beyond the good answer (0). */
enum { BAD_FAILED = 1, BAD_TIMEOUT, BAD_LIE, BAD_LATE, BAD_UNKNOWN };

struct run {
	uint8_t by, victim, action;
	uint64_t id, began_ms;
};

struct truth {
	struct run run[RUNS_MAX]; /* the first n_runs */
	uint8_t n_runs,
		late; /* late: node that will yet be switched off by an agent that timed out; 0: none */
	bool holds[N_MAX + 1];
	uint64_t digest[N_MAX + 1];
};

static struct truth *truth(void)
{
	_Static_assert(sizeof(struct truth) <= sizeof(w->model), "room of the model");
	return (struct truth *)w->model;
}

static void step(uint32_t node, struct fence_event *ev);

static void start(uint32_t node)
{
	struct fence_config cfg = {
		.self = net_life(node),
		.hash = 7,
		.reboot = true,
		.cut_delay_ms = 30000,
		.post_join_ms = 40000,
		.absent_ms = 20000,
		.retry_min_ms = 1000,
		.retry_max_ms = 8000,
		.ready_interval_ms = 100000000,
		.ready_age_ms = 200000000,
		.confirm_ms = 16000,
		.stall_ms = 900,
		.hurry_alone_ms = 120,
		.hurry_ms = 500,
	};
	struct snode *s = &w->node[node];

	for (uint32_t i = 1; i <= model->nodes; i++) {
		nodeset_add(&cfg.nodes, i);
		cfg.path[i] = (struct fence_path){ .n_levels = 1, .n_devices = { 1 } };
	}
	s->core = fence_new(&cfg);

	struct fence_event ev = { .type = FENCE_EV_SIGNS };

	ev.signs.holds = truth()->holds[node];
	ev.signs.weight = truth()->holds[node];
	ev.signs.self = LIFE_FRESH;
	step(node, &ev);
}

static void drop_run(unsigned i)
{
	struct truth *t = truth();

	t->run[i] = t->run[--t->n_runs];
	memset(&t->run[t->n_runs], 0, sizeof(t->run[0]));
}

static void stopped(uint32_t node)
{
	struct truth *t = truth();

	for (unsigned i = t->n_runs; i-- > 0;)
		if (t->run[i].by == node)
			drop_run(i);
	t->digest[node] = 0;
	fence_free(w->node[node].core);
}

static uint64_t deadline(uint32_t node)
{
	return fence_deadline_ms(w->node[node].core);
}

static void off(uint32_t victim)
{
	if (w->node[victim].powered) {
		truth()->holds[victim] = false;
		net_life_ends(victim, false, false);
	}
}

/* --- rules --- */

static bool is_life(uint32_t node, const struct incarnation *inc)
{
	struct incarnation now = net_life(node);

	return incarnation_same_boot(&now, inc);
}

/* FENCE-6 (SAFE-1, SAFE-2): a proof is about a life that runs no more, or that said goodbye and holds nothing. */
static void check_proofs(uint32_t node, const struct fence_domain *d)
{
	for (unsigned i = 0; d->informed && i < d->n; i++) {
		const struct record *r = &d->book.rec[i];
		const struct snode *s = &w->node[r->nodeid];
		bool lives = s->runs && is_life(r->nodeid, &r->proof.victim);

		if (r->proof.kind == PROOF_NONE || r->proof.kind == PROOF_OPERATOR)
			continue;
		if (r->proof.kind == PROOF_CLEAN_LEAVE)
			lives = lives && truth()->holds[r->nodeid] && r->state == FENCE_NODE_DEAD &&
				d->view.id.seq == s->ring;
		if (incarnation_unseen(&r->proof.victim))
			lives = r->proof.kind == PROOF_OFF_VERIFIED && s->offs == 0;
		if (lives)
			search_broken("FENCE-6", node,
				      "holds proof %s of node %u life %u, which runs",
				      proof_kind_name(r->proof.kind), r->nodeid, s->boot);
	}
}

/* FENCE-9 (SAFE-4): nobody switches off from a view that the majority has left behind. */
static void check_off(uint32_t node, uint32_t victim)
{
	const struct fence_domain *mine = w->node[node].core;

	for (uint32_t b = 1; b <= model->nodes && !model->two_node; b++) {
		const struct fence_domain *d = w->node[b].core;

		if (w->node[b].proc && d->informed && d->synced &&
		    d->view.id.seq > mine->view.id.seq && d->view.id.seq == w->node[b].ring &&
		    d->view.quorate && !nodeset_has(d->view.nodes, node))
			search_broken("FENCE-9", node,
				      "switches node %u off from a view that is over", victim);
	}
}

static void tell(uint32_t node, const struct fence_action *a)
{
	uint32_t about = a->history.node;

	if (a->history.note == FENCE_NOTE_VICTIM)
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = about, .kind = TRACE_VICTIM,
		       .state = TRACE_IS_VICTIM, .peer = node),
		      "%s", a->history.text);
	else if (a->history.note == FENCE_NOTE_MEMBER || a->history.note == FENCE_NOTE_PARDON)
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = about, .kind = TRACE_VICTIM,
		       .state = TRACE_IS_MEMBER, .peer = node),
		      "%s", "");
	if (a->history.note == FENCE_NOTE_PROOF) {
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = about, .kind = TRACE_VICTIM, .state = TRACE_IS_DEAD,
		       .peer = node),
		      "%s", "");
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = node, .kind = TRACE_PROOF, .peer = about,
		       .name = proof_kind_name(a->history.kind)),
		      "%s", a->history.text);
	}
}

/* --- one step --- */

static void carry_out(uint32_t node, const struct fence_actions *out, unsigned i)
{
	const struct fence_action *a = &out->v[i];
	struct truth *t = truth();

	switch (a->type) {
	case FENCE_ACT_SEND: net_send(node, out->msg, out->msg_len); break;
	case FENCE_ACT_RUN:
		if (a->run.action == FENCE_AGENT_OFF)
			check_off(node, a->run.node);
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = node, .kind = TRACE_FENCE, .state = TRACE_IS_ASKED,
		       .peer = a->run.node, .number = a->run.run,
		       .name = fence_action_name(a->run.action)),
		      "%s", "");
		if (t->n_runs < RUNS_MAX)
			t->run[t->n_runs++] = (struct run){ .by = (uint8_t)node,
							    .victim = (uint8_t)a->run.node,
							    .action = (uint8_t)a->run.action,
							    .id = a->run.run,
							    .began_ms = w->now_ms };
		break;
	case FENCE_ACT_CANCEL_RUN:
		for (unsigned k = t->n_runs; k-- > 0;)
			if (t->run[k].by == node && t->run[k].id == a->cancel)
				drop_run(k);
		break;
	case FENCE_ACT_CHECK: { /* its device is there, at once */
		struct fence_event ev = { .type = FENCE_EV_READY_DONE };

		ev.ready_done.check = a->check.check;
		ev.ready_done.ok = true;
		ev.ready_done.text = "";
		step(node, &ev);
		break;
	}
	case FENCE_ACT_REBOOT_SELF:
		t->holds[node] = false;
		net_life_ends(node, true, false);
		break;
	case FENCE_ACT_LEFT:
		if (t->holds[node])
			search_broken("FENCE-6", node, "left while it held something");
		net_leave(node);
		break;
	case FENCE_ACT_HISTORY: tell(node, a); break;
	case FENCE_ACT_PUBLISH:
	case FENCE_ACT_STORE:
	case FENCE_ACT_HURRY: /* rings form whenever they may */
	case FENCE_ACT_ACK_DONE: break;
	}
}

static void step(uint32_t node, struct fence_event *ev)
{
	static struct fence_actions outs[8];
	static unsigned nested;
	struct snode *s = &w->node[node];
	struct fence_domain *d = s->core;
	uint64_t join = s->join;

	if (nested == 8)
		return;
	struct fence_actions *out = &outs[nested++];

	search_touch(node);
	ev->now_ms = w->now_ms;
	fence_step(d, ev, out);
	check_proofs(node, d);
	if (fence_broken(d))
		search_broken(fence_broken(d), node, "after event %d", ev->type);

	bool going = false;

	for (unsigned i = 0; i < out->n; i++)
		going = going || out->v[i].type == FENCE_ACT_REBOOT_SELF;
	if (d->rebooting && !going)
		search_broken("FENCE-3", node, "knows that it is a victim and goes on");
	for (unsigned i = 0; i < out->n && s->proc && s->join == join; i++)
		carry_out(node, out, i);
	truth()->digest[node] = s->proc ? fence_digest(s->core) : 0;
	nested--;
}

static void view(uint32_t node, const struct sview *v)
{
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view = (struct fence_view){ .id = v->id,
				       .quorate = v->quorate,
				       .two_node = v->two_node,
				       .nodes = v->nodes,
				       .members = v->members,
				       .joined = v->joined,
				       .left_nodedown = v->left_nodedown,
				       .left_other = v->left_other };
	step(node, &ev);
}

static void message(uint32_t node, uint32_t from, const void *data, size_t len)
{
	struct fence_event ev = { .type = FENCE_EV_DELIVER, .deliver = { from, data, len } };

	step(node, &ev);
}

static void timeout(uint32_t node)
{
	struct fence_event ev = { .type = FENCE_EV_TIMEOUT };

	step(node, &ev);
}

static uint64_t limit(void)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < truth()->n_runs; i++)
		if (net_awake(truth()->run[i].by) && truth()->run[i].began_ms + AGENT_LATE_MS < at)
			at = truth()->run[i].began_ms + AGENT_LATE_MS;
	return at;
}

/* --- choices --- */

static unsigned choices(struct choice *ret)
{
	const struct truth *t = truth();
	const struct budget *b = &w->budget;
	unsigned n = 0;

	for (unsigned i = 0; i < t->n_runs; i++) {
		bool status = t->run[i].action == FENCE_AGENT_STATUS;

		if (!net_awake(t->run[i].by))
			continue;
		ret[n++] = (struct choice){ DO_ANSWER, (uint8_t)i, 0 };
		if (!b->agent)
			continue;
		if (status) {
			ret[n++] = (struct choice){ DO_ANSWER, (uint8_t)i, BAD_UNKNOWN };
			ret[n++] = (struct choice){ DO_ANSWER, (uint8_t)i, BAD_TIMEOUT };
		} else if (t->run[i].action == FENCE_AGENT_OFF) {
			for (uint8_t bad = BAD_FAILED; bad <= BAD_LATE; bad++)
				if (bad != BAD_LATE || !t->late)
					ret[n++] = (struct choice){ DO_ANSWER, (uint8_t)i, bad };
		}
	}
	if (t->late)
		ret[n++] = (struct choice){ DO_EFFECT, t->late, 0 };
	for (uint8_t id = 1; b->operator&& id <= model->nodes; id++) {
		if (!net_awake(id) || !w->node[id].proc)
			continue;
		const struct fence_domain *d = w->node[id].core;

		if (!d->leaving && !t->holds[id])
			ret[n++] = (struct choice){ DO_LEAVE, id, 0 };
		for (uint8_t v = 1; v <= model->nodes; v++) {
			if (v == id || !d->informed)
				continue;
			if (d->book.rec[d->slot[v]].state == FENCE_NODE_MEMBER)
				ret[n++] = (struct choice){ DO_REQUEST, id, v };
			if (d->book.rec[d->slot[v]].state == FENCE_NODE_VICTIM)
				ret[n++] = (struct choice){ DO_ACK, id, v };
		}
	}
	return n;
}

static void answer(unsigned i, unsigned bad)
{
	struct truth *t = truth();
	struct run r = t->run[i];
	struct fence_event ev = { .type = FENCE_EV_RUN_DONE };
	static const enum trace_state look[] = { TRACE_IS_UNKNOWN, TRACE_IS_DONE,
						 TRACE_IS_READ_ON, TRACE_IS_READ_OFF,
						 TRACE_IS_FAILED,  TRACE_IS_TIMEOUT };
	uint64_t join = w->node[r.by].join;

	drop_run(i);
	w->budget.agent -= bad != 0;
	ev.run_done.run = r.id;
	ev.run_done.text = "device";
	ev.run_done.answer = FENCE_ANSWER_DONE;
	if (bad == BAD_FAILED)
		ev.run_done.answer = FENCE_ANSWER_FAILED;
	else if (bad == BAD_UNKNOWN)
		ev.run_done.answer = FENCE_ANSWER_UNKNOWN;
	else if (bad == BAD_TIMEOUT || bad == BAD_LATE)
		ev.run_done.answer = FENCE_ANSWER_TIMEOUT;
	else if (r.action == FENCE_AGENT_STATUS)
		ev.run_done.answer = w->node[r.victim].powered ? FENCE_ANSWER_ON : FENCE_ANSWER_OFF;
	if (bad == BAD_LATE)
		t->late = r.victim;
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = r.by, .kind = TRACE_FENCE,
	       .state = look[ev.run_done.answer], .peer = r.victim, .number = r.id,
	       .name = fence_action_name((enum fence_agent_action)r.action)),
	      "%s",
	      bad == BAD_LIE    ? "a lie: nothing was done"
	      : bad == BAD_LATE ? "and will act later"
	      : bad             ? "a fault of the agent"
				: "");
	if (r.action == FENCE_AGENT_OFF && bad == 0)
		off(r.victim);
	if (r.action == FENCE_AGENT_ON && !w->node[r.victim].powered)
		w->node[r.victim].powered = true;
	if (w->node[r.by].proc && w->node[r.by].join == join)
		step(r.by, &ev);
}

static void apply(struct choice c)
{
	struct fence_event ev = { 0 };

	switch (c.op) {
	case DO_ANSWER: answer(c.a, c.b); return;
	case DO_EFFECT:
		truth()->late = 0;
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = c.a, .kind = TRACE_FAULT, .name = "late agent"),
		      "%s", "an agent that timed out acts now");
		off(c.a);
		return;
	case DO_REQUEST:
		ev.type = FENCE_EV_REQUEST;
		ev.request.node = c.b;
		ev.request.text = "asked";
		break;
	case DO_LEAVE: ev.type = FENCE_EV_LEAVE; break;
	case DO_ACK:
		ev.type = FENCE_EV_ACK;
		ev.ack.node = c.b;
		ev.ack.text = "looked";
		break;
	default: return;
	}
	w->budget.operator--;
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = c.a, .kind = TRACE_OPERATOR,
	       .name = c.op == DO_REQUEST ? "fence"
		       : c.op == DO_LEAVE ? "leave"
					  : "ack"),
	      "about node %u", c.op == DO_LEAVE ? c.a : c.b);
	step(c.a, &ev);
}

/* FENCE-5: who stands at the same point of the order holds the same book. */
static void check(void)
{
	const struct truth *t = truth();

	for (uint32_t a = 1; a <= model->nodes; a++)
		for (uint32_t b = a + 1; b <= model->nodes; b++)
			if (t->digest[a] && t->digest[b] && net_same_point(a, b) &&
			    ((struct fence_domain *)w->node[a].core)->synced &&
			    ((struct fence_domain *)w->node[b].core)->synced &&
			    t->digest[a] != t->digest[b] && !w->node[a].broken_ms &&
			    !w->node[b].broken_ms)
				search_broken(
					"FENCE-5", b,
					"holds another book than node %u at one point of the order",
					a);
}

/* Node 1 serves. */
static void root(void)
{
	struct fence_event ev = { .type = FENCE_EV_SIGNS };

	truth()->holds[1] = true;
	ev.signs = (struct fence_signs){ .weight = 1, .holds = true, .self = LIFE_FRESH };
	step(1, &ev);
	search_calm();
}

/* --- the same state, whatever the way to it --- */

static uint64_t hash_core(uint32_t node)
{
	static struct fence_domain c;
	const struct fence_domain *d = w->node[node].core;
	uint64_t lost = d->lost_ms;

	c = *d;
	/* inside, the clock lacks what was slept through */
#define INNER(t) ((t) = (t) && (t) != UINT64_MAX ? net_rel((t) + lost) : (t))
	for (unsigned i = 0; i < c.n; i++) {
		INNER(c.local[i].since_ms);
		INNER(c.local[i].retry_at_ms);
		INNER(c.local[i].check_at_ms);
		INNER(c.local[i].att.confirm_at_ms);
		for (unsigned k = 0; k < c.n; k++)
			c.ready[i][k].at_ms = net_rel(c.ready[i][k].at_ms);
	}
	INNER(c.round_ms);
	INNER(c.hold_ms);
	INNER(c.deadline_ms);
#undef INNER
	c.lost_ms = c.now_ms = c.real_ms = 0;
	c.out = NULL;
	memset(&c.w, 0, sizeof(c.w));
	c.w_mark = 0;
	c.w_ops = 0;
	memset(c.refusal, 0, sizeof(c.refusal));
	memset(&c.msg, 0, sizeof(c.msg));

	size_t head = offsetof(struct fence_domain, msg), tail = head + sizeof(c.msg);
	uint64_t h = search_hash(node, &c, head);

	return search_hash(h, (const char *)&c + tail, sizeof(c) - tail);
}

static uint64_t hash_model(void)
{
	struct truth t = *truth();

	memset(t.digest, 0, sizeof(t.digest));
	for (unsigned i = 0; i < t.n_runs; i++)
		t.run[i].began_ms = net_rel(t.run[i].began_ms);
	return search_hash(1, &t, sizeof(t));
}

#define FENCE_MODEL                                                                       \
	.rules = "FENCE-1..6, FENCE-9, assertions of the core",                           \
	.events = "answer request leave ack effect", .start = start, .stopped = stopped,  \
	.view = view, .message = message, .timeout = timeout, .deadline = deadline,       \
	.limit = limit, .choices = choices, .apply = apply, .root = root, .check = check, \
	.hash_core = hash_core, .hash_model = hash_model

const struct model search_fence2 = {
	.name = "fence2",
	.what = "fenced/core, two nodes (two_node), node 1 serves",
	.nodes = 2,
	.two_node = true,
	.depth = 9,
	.budget = { .cut = 1, .heal = 1, .freeze = 1, .panic = 1, .boot = 1, .agent = 1 },
	FENCE_MODEL,
};

const struct model search_fence3 = {
	.name = "fence3",
	.what = "fenced/core, three nodes, node 1 serves",
	.nodes = 3,
	.depth = 7,
	.budget = { .cut = 1, .heal = 1, .freeze = 1, .panic = 1, .boot = 1, .agent = 1 },
	FENCE_MODEL,
};
