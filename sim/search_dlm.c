/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search_dlm.c - dlm/core for the search: one resource, a client a node that asks for it and lets go, fenced as its own
 * truth (a life that ended may be proven over, each node hears of it in its own time).
 */
#include "search.h"

#include "dlm/core/internal.h"

#include <errno.h>
#include <string.h>

enum { DO_ASK = DO_MODEL, DO_UNLOCK, DO_PROVE, DO_TELL };
enum stage { FREE = 0, SENT, PENDING, HELD };

struct truth {
	struct {
		uint8_t stage;
		int8_t held; /* what it acts by; -1: nothing */
		uint32_t lkid, cookie;
	} client[N_MAX + 1];
	struct incarnation dead[N_MAX + 1]; /* nodeid 0: no life has ended yet */
	bool proven[N_MAX + 1], quorate[N_MAX + 1];
	uint32_t news, told[N_MAX + 1];
	uint32_t cookies;
	uint64_t digest[N_MAX + 1]; /* 0: not synced */
};

static struct truth *truth(void)
{
	_Static_assert(sizeof(struct truth) <= sizeof(w->model), "room of the model");
	return (struct truth *)w->model;
}

static struct dlm_actions out;

/* --- rules --- */

/* DLM-1 for the whole world (SAFE-2): no two clients act by what cannot live together. */
static void check(void)
{
	const struct truth *t = truth();

	for (uint32_t a = 1; a <= model->nodes; a++)
		for (uint32_t b = a + 1; b <= model->nodes; b++) {
			if (t->client[a].held > DLM_NL && t->client[b].held > DLM_NL &&
			    !dlm_compatible(t->client[a].held, t->client[b].held))
				search_broken("DLM-1", b, "holds %s while node %u holds %s",
					      dlm_mode_name(t->client[b].held), a,
					      dlm_mode_name(t->client[a].held));
			if (t->digest[a] && t->digest[b] && net_same_point(a, b) &&
			    !w->node[a].broken_ms && !w->node[b].broken_ms &&
			    t->digest[a] != t->digest[b])
				search_broken(
					"DLM-3", b,
					"holds another state than node %u at one point of the order",
					a);
		}
}

static void lock_trace(uint32_t node, enum trace_state state, int mode, const char *text)
{
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_LOCK, .state = state, .mode = mode,
	       .name = "r"),
	      "%s", text);
}

static void client_lost(uint32_t node)
{
	struct truth *t = truth();

	if (t->client[node].stage != FREE)
		lock_trace(node, TRACE_IS_RELEASED, 0, "its client is gone");
	memset(&t->client[node], 0, sizeof(t->client[node]));
	t->client[node].held = DLM_IV;
}

static void on_reply(uint32_t node, const struct dlm_action *a)
{
	struct truth *t = truth();

	if (t->client[node].stage != SENT || t->client[node].cookie != a->reply.cookie) {
		search_broken("DLM-5", node, "a REPLY that nobody waits for");
		return;
	}
	if (a->reply.rc == 0) {
		t->client[node].stage = PENDING;
		t->client[node].lkid = a->reply.lkid;
	} else {
		client_lost(node);
	}
}

static void on_done(uint32_t node, const struct dlm_action *a)
{
	struct truth *t = truth();

	if (t->client[node].stage != PENDING || t->client[node].lkid != a->done.lkid) {
		search_broken("DLM-5", node, "a DONE that nobody waits for");
		return;
	}
	if (a->done.gone || a->done.status != 0) {
		client_lost(node);
		return;
	}
	if (!t->quorate[node])
		search_broken("DLM-6", node, "a grant without quorum");
	t->client[node].stage = HELD;
	t->client[node].held = (int8_t)a->done.mode;
	lock_trace(node, TRACE_IS_GRANTED, a->done.mode, "");
}

static void step(uint32_t node, const struct dlm_event *ev)
{
	struct snode *s = &w->node[node];
	struct dlm *d = s->core;
	bool evicted = false;

	search_touch(node);
	if (dlm_step(d, ev, &out) < 0) {
		if (ev->type == DLM_EV_DELIVER)
			search_broken("DLM-3", node, "a message of a member was refused");
		return;
	}
	for (unsigned i = 0; i < out.n; i++) {
		const struct dlm_action *a = &out.v[i];

		switch (a->type) {
		case DLM_ACT_SEND: net_send(node, out.bytes + a->send.off, a->send.len); break;
		case DLM_ACT_REPLY: on_reply(node, a); break;
		case DLM_ACT_DONE: on_done(node, a); break;
		case DLM_ACT_EVICTED: evicted = true; break;
		case DLM_ACT_RECOVERED:
			TRACE(search_trace,
			      (.ms = w->now_ms, .node = node, .kind = TRACE_PROOF,
			       .peer = a->life.life.nodeid, .name = proof_kind_name(a->life.proof)),
			      "%u locks are gone", a->life.n);
			break;
		case DLM_ACT_LOST:
			TRACE(search_trace,
			      (.ms = w->now_ms, .node = a->life.life.nodeid, .kind = TRACE_VICTIM,
			       .state = TRACE_IS_VICTIM, .peer = node),
			      "%u locks stand", a->life.n);
			break;
		case DLM_ACT_SYNCED:
			TRACE(search_trace,
			      (.ms = w->now_ms, .node = node, .kind = TRACE_NOTE, .name = "dlm"),
			      "%s", a->synced ? "synced" : "stands still");
			break;
		case DLM_ACT_BLOCKING:
		case DLM_ACT_LEFT: break;
		}
	}
	if (dlm_broken(d))
		search_broken(dlm_broken(d), node, "an invariant of the core");
	truth()->digest[node] = d->synced && !evicted ? dlm_digest(d) | 1 : 0;
	if (evicted) { /* as dlmd does: end, and be started again */
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = node, .kind = TRACE_NOTE, .name = "dlm"), "%s",
		      "evicted");
		net_leave(node);
	}
}

/* What fenced of a node would say: members of its view live, a life is dead when it was proven. */
static void tell(uint32_t node)
{
	struct truth *t = truth();
	struct fence_state st = { .informed = true, .quorate = true };
	struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = &st };
	struct nodeset here = w->node[node].ring_members;

	t->told[node] = t->news;
	for (uint32_t k = 1; k <= model->nodes; k++) {
		struct fence_node *f = &st.node[st.n++];

		*f = (struct fence_node){ .nodeid = k,
					  .state = FENCE_NODE_MEMBER,
					  .life = net_life(k) };
		if (t->proven[k])
			f->proof = (struct proof){ .victim = t->dead[k],
						   .kind = PROOF_OFF_VERIFIED,
						   .by = node,
						   .number = 1 };
		if (nodeset_has(here, k))
			continue;
		f->state = FENCE_NODE_VICTIM;
		if (!w->node[k].runs || !w->node[k].met) {
			f->life = t->dead[k];
			f->state = t->proven[k] ? FENCE_NODE_DEAD : FENCE_NODE_VICTIM;
		}
	}
	step(node, &ev);
}

/* --- what the net tells --- */

static void start(uint32_t node)
{
	struct nodeset all = { ((UINT64_C(1) << model->nodes) - 1) << 1 };
	struct incarnation self = net_life(node);

	client_lost(node);
	w->node[node].core = dlm_new(&self, all);
	tell(node);
}

static void stopped(uint32_t node)
{
	client_lost(node);
	truth()->digest[node] = 0;
	truth()->quorate[node] = false;
	dlm_free(w->node[node].core);
}

/* A kernel ended: its life may be proven over from now on. */
static void note_deaths(void)
{
	struct truth *t = truth();

	for (uint32_t n = 1; n <= model->nodes; n++)
		if (!w->node[n].runs && w->node[n].boot) {
			struct incarnation life = net_life(n);

			if (!incarnation_same_boot(&t->dead[n], &life)) {
				t->dead[n] = life;
				t->proven[n] = false;
			}
		}
}

static void view(uint32_t node, const struct sview *v)
{
	struct dlm_event ev = { .type = DLM_EV_VIEW };
	struct truth *t = truth();

	t->quorate[node] = v->quorate;
	ev.view.id = v->id;
	ev.view.quorate = v->quorate;
	ev.view.nodes = v->nodes;
	ev.view.members = v->members;
	ev.view.joined = v->joined;
	step(node, &ev);
}

static void message(uint32_t node, uint32_t from, const void *data, size_t len)
{
	struct dlm_event ev = { .type = DLM_EV_DELIVER };

	ev.deliver.from = from;
	ev.deliver.data = data;
	ev.deliver.len = len;
	step(node, &ev);
}

/* --- choices --- */

static unsigned choices(struct choice *ret)
{
	struct truth *t = truth();
	unsigned n = 0;

	note_deaths();
	for (uint8_t id = 1; id <= model->nodes; id++) {
		bool awake = net_awake(id) && w->node[id].proc;

		/* one asks for all of it, or to read it: node 1 and 2 write, node 3 reads */
		if (awake && w->budget.client && t->client[id].stage == FREE)
			ret[n++] = (struct choice){ DO_ASK, id, id == 3 ? DLM_PR : DLM_EX };
		if (awake && w->budget.client && t->client[id].stage == HELD)
			ret[n++] = (struct choice){ DO_UNLOCK, id, 1 };
		if (t->dead[id].nodeid && !t->proven[id])
			ret[n++] = (struct choice){ DO_PROVE, id, 0 };
		if (awake && t->told[id] != t->news)
			ret[n++] = (struct choice){ DO_TELL, id, 0 };
	}
	return n;
}

static void apply(struct choice c)
{
	struct truth *t = truth();
	struct dlm_op op = { .client = 1, .pid = 100 };
	struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

	switch (c.op) {
	case DO_PROVE:
		t->proven[c.a] = true;
		t->news++;
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = c.a, .kind = TRACE_VICTIM, .state = TRACE_IS_DEAD),
		      "%s", "fenced has a proof");
		return;
	case DO_TELL: tell(c.a); return;
	case DO_ASK:
		op.type = DLM_OP_LOCK;
		op.mode = c.b;
		op.space_len = op.name_len = 1;
		op.space[0] = 's';
		op.name[0] = 'r';
		lock_trace(c.a, TRACE_IS_WAITING, op.mode, "");
		break;
	case DO_UNLOCK:
		op.type = DLM_OP_UNLOCK;
		op.lkid = t->client[c.a].lkid;
		t->client[c.a].held = DLM_IV; /* from here on it acts no more */
		lock_trace(c.a, TRACE_IS_RELEASED, 0, "lets go");
		break;
	default: return;
	}
	w->budget.client--;
	op.cookie = t->client[c.a].cookie = ++t->cookies;
	t->client[c.a].stage = SENT;
	step(c.a, &ev);
}

/* --- hashes: there are no timers, so time stands still; memory lies at the same place in every state --- */

static uint64_t hash_core(uint32_t node)
{
	return search_hash(node, w->node[node].core, w->node[node].region_used);
}

static uint64_t hash_model(void)
{
	struct truth t = *truth();

	memset(t.digest, 0, sizeof(t.digest));
	return search_hash(2, &t, sizeof(t));
}

#define DLM_MODEL                                                                                 \
	.rules = "DLM-1 (truth), DLM-2..6", .events = "ask unlock prove tell", .start = start,    \
	.stopped = stopped, .view = view, .message = message, .choices = choices, .apply = apply, \
	.check = check, .hash_core = hash_core, .hash_model = hash_model

const struct model search_dlm2 = {
	.name = "dlm2",
	.what = "dlm/core, two nodes (two_node), two writers, one resource",
	.nodes = 2,
	.two_node = true,
	.depth = 7,
	.budget = { .cut = 1,
		    .heal = 1,
		    .freeze = 1,
		    .panic = 1,
		    .boot = 1,
		    .kill = 1,
		    .client = 3 },
	DLM_MODEL,
};

const struct model search_dlm3 = {
	.name = "dlm3",
	.what = "dlm/core, three nodes, two writers and a reader, one resource",
	.nodes = 3,
	.depth = 6,
	.budget = { .cut = 1,
		    .heal = 1,
		    .freeze = 1,
		    .panic = 1,
		    .boot = 1,
		    .kill = 1,
		    .client = 3 },
	DLM_MODEL,
};
