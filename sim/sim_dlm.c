/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/sim_dlm.c - lock domains on virtual time: the production dlm/core of every node, a corosync with rings, partitions and
 * zombies (sim/net), daemons that are killed, nodes that die, proofs that come late, and clients that lock.
 *
 * The truth is what no node can see: which locks each client was told it holds, until it gave them back or its machine
 * ended. Checked after each step:
 *   DLM-1   no two clients hold modes that cannot live together, wherever they run (so SAFE-2)
 *   DLM-3   members at one place of the order hold equal state
 *   DLM-5   one REPLY for each request, one DONE for each that was taken
 *   DLM-6   nothing is granted without quorum
 * and after the faults: every request is answered, all go on (liveness).
 */
#include "dlm/core/dlm.h"
#include "net.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 5
#define CLIENTS 2 /* of each node */
#define NAMES 3   /* resources */
#define HANDLES 5 /* requests or locks a client has at a time */
#define START_MS 1000
#define FAULTS_MS 60000
#define HEAL_MS 30000
#define PAIRS 4096

enum stage { H_FREE, H_SENT, H_PENDING, H_HELD };

struct handle { /* a lock as its client sees it */
	enum stage stage;
	uint64_t cookie;
	uint32_t lkid;
	int held; /* what it was told; DLM_IV: nothing */
	int want;
	bool unlocking, persistent;
	unsigned name;
	uint64_t since_ms;
};

struct client {
	uint32_t id; /* its number at this daemon; 0: not connected */
	struct handle h[HANDLES];
	uint64_t next_ms;
};

struct snode {
	bool up;
	uint8_t boot;
	struct dlm *dlm;
	uint64_t boot_ms, dlmd_ms; /* when it starts; 0: not planned */
	uint32_t client_last;
	uint64_t join;
	struct client client[CLIENTS];
	struct net_view view;
	uint64_t proof_ms; /* its last life ended: when fenced proves it */
	struct incarnation dead;
	bool proven;
	bool seen; /* in its present life, by another node */
};

struct world {
	uint64_t seed, now_ms, steps, cookie, grants, proofs, evictions, deaths;
	struct prng prng;
	struct net *net;
	unsigned n;
	bool two_node, healed, verbose;
	struct snode node[N_MAX + 1];
	struct dlm_actions out;
	struct {
		uint64_t index, digest;
		bool synced;
	} pair[PAIRS]; /* what the first member held behind a place of the order */
};

static bool failed;

static void broken(struct world *w, const char *rule, uint32_t node, const char *what)
{
	if (failed)
		return;
	failed = true;
	printf("broken=%s node=%u t_ms=%" PRIu64 " seed=%" PRIu64 " what=\"%s\"\n", rule, node,
	       w->now_ms, w->seed, what);
}

static struct incarnation life_of(const struct world *w, uint32_t id)
{
	struct incarnation inc = { .nodeid = id, .join = w->node[id].join };

	inc.boot_id[0] = (uint8_t)id;
	inc.boot_id[1] = w->node[id].boot;
	return inc;
}

/* No two clients of the whole world hold what cannot live together. */
static void check_truth(struct world *w)
{
	for (uint32_t a = 1; a <= w->n; a++)
		for (unsigned ca = 0; ca < CLIENTS; ca++)
			for (unsigned ha = 0; ha < HANDLES; ha++) {
				const struct handle *x = &w->node[a].client[ca].h[ha];

				if (x->held <= DLM_NL)
					continue;
				for (uint32_t b = a; b <= w->n; b++)
					for (unsigned cb = 0; cb < CLIENTS; cb++)
						for (unsigned hb = 0; hb < HANDLES; hb++) {
							const struct handle *y =
								&w->node[b].client[cb].h[hb];

							if (x != y && y->held > DLM_NL &&
							    x->name == y->name &&
							    !dlm_compatible(x->held, y->held)) {
								char text[120];

								snprintf(
									text, sizeof(text),
									"n%u holds %s, n%u holds %s of r%u",
									a, dlm_mode_name(x->held),
									b, dlm_mode_name(y->held),
									x->name);
								broken(w, "DLM-1", a, text);
								return;
							}
						}
			}
}

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

static struct client *client_by_id(struct snode *s, uint32_t id)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (id && s->client[i].id == id)
			return &s->client[i];
	return NULL;
}

/* The connection ended, whoever ended it: a client of our kind gives up what it holds, as the library tells it to. */
static void client_lost(struct client *c)
{
	for (unsigned i = 0; i < HANDLES; i++)
		c->h[i] = (struct handle){ .held = DLM_IV };
	c->id = 0;
}

static void dlmd_end(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	if (!s->dlm)
		return;
	s->dlm = dlm_free(s->dlm);
	net_stop(w->net, 0, id, false, w->now_ms);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_lost(&s->client[i]);
}

static void on_reply(struct world *w, uint32_t id, const struct dlm_action *act)
{
	struct client *c = client_by_id(&w->node[id], act->reply.client);
	struct handle *h = c ? by_cookie(c, act->reply.cookie) : NULL;

	if (!c)
		return;
	if (!h) {
		broken(w, "DLM-5", id, "a REPLY that nobody waits for");
		return;
	}
	if (act->reply.rc == 0) {
		h->stage = H_PENDING;
		h->lkid = act->reply.lkid;
	} else if (h->held == DLM_IV || act->reply.rc == -ENOENT) {
		*h = (struct handle){ .held = DLM_IV };
	} else {
		h->stage = H_HELD;
	}
}

static void on_done(struct world *w, uint32_t id, const struct dlm_action *act)
{
	struct client *c = client_by_id(&w->node[id], act->done.client);
	struct handle *h = c ? by_lkid(c, act->done.lkid) : NULL;

	if (!c)
		return;
	if (!h || h->stage != H_PENDING) {
		broken(w, "DLM-5", id, "a DONE that nobody waits for");
		return;
	}
	if (act->done.status == 0 && act->done.mode > h->held &&
	    !net_ring_quorate(w->net, w->node[id].view.id.seq))
		broken(w, "DLM-6", id, "a grant without quorum");
	w->grants += act->done.status == 0;
	h->stage = H_HELD;
	h->held = act->done.mode;
	if (act->done.gone)
		*h = (struct handle){ .held = DLM_IV };
	if (w->verbose)
		printf("%" PRIu64 " n%u done lkid %u status %d mode %s\n", w->now_ms, id,
		       act->done.lkid, act->done.status, dlm_mode_name(act->done.mode));
}

static void step(struct world *w, uint32_t id, const struct dlm_event *ev)
{
	struct snode *s = &w->node[id];
	bool evicted = false;

	w->steps++;
	if (dlm_step(s->dlm, ev, &w->out) < 0) {
		if (ev->type == DLM_EV_DELIVER)
			broken(w, "DLM-3", id, "a message of a member was refused");
		return;
	}
	for (unsigned i = 0; i < w->out.n && !failed; i++) {
		const struct dlm_action *act = &w->out.v[i];

		switch (act->type) {
		case DLM_ACT_SEND:
			net_send(w->net, 0, id, w->out.bytes + act->send.off, act->send.len,
				 w->now_ms);
			break;
		case DLM_ACT_REPLY: on_reply(w, id, act); break;
		case DLM_ACT_DONE: on_done(w, id, act); break;
		case DLM_ACT_EVICTED: evicted = true; break;
		case DLM_ACT_RECOVERED: w->proofs++; break;
		case DLM_ACT_BLOCKING:
		case DLM_ACT_SYNCED:
		case DLM_ACT_LOST:
		case DLM_ACT_LEFT: break;
		}
	}
	if (dlm_broken(s->dlm))
		broken(w, dlm_broken(s->dlm), id, "an invariant of the core");
	check_truth(w);
	if (evicted) { /* as dlmd does: end, and be started again */
		w->evictions++;
		dlmd_end(w, id);
		s->dlmd_ms = w->now_ms + 100;
	}
}

static void on_view(void *arg, unsigned group, uint32_t node, const struct net_view *v)
{
	struct world *w = arg;
	struct dlm_event ev = { .type = DLM_EV_VIEW };

	(void)group;
	w->node[node].view = *v;
	if (w->verbose)
		printf("%" PRIu64 " n%u view %" PRIu64 " quorate %d members %" PRIx64
		       " nodes %" PRIx64 "\n",
		       w->now_ms, node, v->id.seq, v->quorate, v->members.bits, v->nodes.bits);
	ev.view.id = v->id;
	ev.view.quorate = v->quorate;
	ev.view.nodes = v->nodes;
	ev.view.members = v->members;
	ev.view.joined = v->joined;
	if (w->node[node].dlm)
		step(w, node, &ev);
}

/* DLM-3: whoever is synced behind the same place of the order holds the same. */
static void compare(struct world *w, uint32_t node, uint64_t index)
{
	struct dlm_status st;
	uint64_t digest;
	unsigned at = (unsigned)(index * UINT64_C(0x9e3779b97f4a7c15) >> 52) % PAIRS;

	dlm_status(w->node[node].dlm, &st);
	if (!st.synced)
		return;
	digest = dlm_digest(w->node[node].dlm);
	if (w->pair[at].index == index && w->pair[at].digest != digest)
		broken(w, "DLM-3", node, "two members differ at one place of the order");
	w->pair[at].index = index;
	w->pair[at].digest = digest;
}

static void on_deliver(void *arg, unsigned group, uint32_t node, uint32_t from, const void *data,
		       size_t len, uint64_t index)
{
	struct world *w = arg;
	struct dlm_event ev = { .type = DLM_EV_DELIVER };

	(void)group;
	/* as lib/shell/cluster.h: nobody hears those that have left */
	if (!w->node[node].dlm || !nodeset_has(w->node[node].view.members, from))
		return;
	ev.deliver.from = from;
	ev.deliver.data = data;
	ev.deliver.len = len;
	step(w, node, &ev);
	if (w->node[node].dlm)
		compare(w, node, index);
}

/* What fenced of a node would say: members of its view live, a life is dead when it was proven. */
static void tell_fence(struct world *w, uint32_t id)
{
	struct fence_state st = { .informed = true, .quorate = true };
	struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = &st };

	for (uint32_t k = 1; k <= w->n; k++) {
		struct snode *s = &w->node[k];
		struct fence_node *f = &st.node[st.n++];

		*f = (struct fence_node){ .nodeid = k,
					  .state = FENCE_NODE_MEMBER,
					  .life = life_of(w, k) };
		if (s->proven)
			f->proof = (struct proof){
				.victim = s->dead, .kind = PROOF_OFF_VERIFIED, .by = id, .number = 1
			};
		if (s->seen || nodeset_has(w->node[id].view.nodes, k)) {
			if (!nodeset_has(w->node[id].view.nodes, k))
				f->state = FENCE_NODE_VICTIM;
		} else {
			f->life = s->dead;
			f->state = s->proven ? FENCE_NODE_DEAD : FENCE_NODE_VICTIM;
		}
	}
	if (w->node[id].dlm)
		step(w, id, &ev);
}

static void dlmd_start(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];
	struct nodeset all = { ((UINT64_C(1) << w->n) - 1) << 1 };
	struct incarnation inc;

	s->join++;
	s->view = (struct net_view){ 0 };
	inc = life_of(w, id);
	s->dlm = dlm_new(&inc, all);
	if (!s->dlm)
		abort();
	net_start(w->net, 0, id, w->now_ms);
	for (unsigned i = 0; i < CLIENTS; i++) {
		client_lost(&s->client[i]);
		s->client[i].next_ms = w->now_ms + prng_range(&w->prng, 0, 200);
	}
	tell_fence(w, id);
}

static void boot(struct world *w, uint32_t id)
{
	struct snode *s = &w->node[id];

	s->up = true;
	s->boot++;
	s->boot_ms = 0;
	if (s->dead.nodeid) {
		s->proven =
			true; /* another boot of it is a proof by itself, told when it is in the view */
		s->proof_ms = 0;
	}
	net_up(w->net, id, true, w->now_ms);
	s->dlmd_ms = w->now_ms + prng_range(&w->prng, 1, 300);
}

static void die(struct world *w, uint32_t id, bool reboots)
{
	struct snode *s = &w->node[id];

	if (!s->up)
		return;
	w->deaths++;
	s->dead = life_of(w, id);
	s->proven = s->up = s->seen = false;
	s->dlmd_ms = 0;
	dlmd_end(w, id);
	net_up(w->net, id, false, w->now_ms);
	s->proof_ms = w->now_ms + prng_range(&w->prng, 500, 12000);
	s->boot_ms = reboots ? w->now_ms + prng_range(&w->prng, 200, 20000) : 0;
}

static void submit(struct world *w, uint32_t id, struct handle *h, struct dlm_op *op)
{
	struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = op };

	op->cookie = ++w->cookie;
	op->pid = 100;
	h->cookie = op->cookie;
	h->stage = H_SENT;
	h->since_ms = w->now_ms;
	step(w, id, &ev);
}

/* A client does one thing. It counts as holding until its unlock or down-conversion is *sent*: from there it acts no more. */
static void client_act(struct world *w, uint32_t id, unsigned k)
{
	struct snode *s = &w->node[id];
	struct client *c = &s->client[k];
	struct handle *h = &c->h[prng_range(&w->prng, 0, HANDLES - 1)];
	struct dlm_op op = { .client = c->id };

	c->next_ms = w->now_ms + prng_range(&w->prng, 1, w->healed ? 100 : 400);
	if (!c->id) {
		op.client = c->id = ++s->client_last;
	} else if (prng_permille(&w->prng, 15)) { /* it ends */
		struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

		op.type = DLM_OP_CLIENT_GONE;
		client_lost(c);
		step(w, id, &ev);
		return;
	} else if (prng_permille(&w->prng, 20)) {
		op.type = DLM_OP_PURGE; /* orphans of this node: nobody here uses them */
		struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

		op.client = UINT32_MAX; /* its REPLY goes to nobody */
		step(w, id, &ev);
		return;
	}
	if (h->stage == H_FREE && !w->healed) {
		static const uint32_t some[] = { DLM_F_NOQUEUE, DLM_F_PERSISTENT, DLM_F_HEADQUE,
						 DLM_F_NOORDER, DLM_F_ALTPR,      DLM_F_VALBLK };

		op.type = DLM_OP_LOCK;
		op.mode = (int)prng_range(&w->prng, DLM_NL, DLM_EX);
		op.space_len = op.name_len = 1;
		op.space[0] = 's';
		h->name = prng_range(&w->prng, 0, NAMES - 1);
		op.name[0] = (uint8_t)('a' + h->name);
		for (size_t f = 0; f < sizeof(some) / sizeof(some[0]); f++)
			if (prng_permille(&w->prng, 150))
				op.flags |= some[f];
		h->want = op.mode;
		submit(w, id, h, &op);
	} else if (h->stage == H_HELD && !w->healed && prng_permille(&w->prng, 500)) {
		op.type = DLM_OP_CONVERT;
		op.lkid = h->lkid;
		op.mode = (int)prng_range(&w->prng, DLM_NL, DLM_EX);
		op.flags = DLM_F_CONVERT | (prng_permille(&w->prng, 300) ? DLM_F_NOQUEUE : 0) |
			   (prng_permille(&w->prng, 200) ? DLM_F_CONVDEADLK : 0);
		if (op.flags & DLM_F_CONVDEADLK)
			op.flags &= ~(uint32_t)DLM_F_NOQUEUE;
		/* Down, it acts by the lower mode from here on; PR and CW: by what is left of both; a demotion: none. */
		if ((op.mode == DLM_CW && h->held == DLM_PR) ||
		    (op.mode == DLM_PR && h->held == DLM_CW))
			h->held = DLM_CR;
		else if (op.mode < h->held)
			h->held = op.mode;
		if (op.flags & DLM_F_CONVDEADLK)
			h->held = DLM_NL;
		submit(w, id, h, &op);
	} else if (h->stage == H_HELD) {
		op.type = DLM_OP_UNLOCK;
		op.lkid = h->lkid;
		h->held = DLM_NL;
		submit(w, id, h, &op);
	}
}

static void inject(struct world *w)
{
	uint32_t id = prng_range(&w->prng, 1, w->n);
	struct snode *s = &w->node[id];

	switch (prng_range(&w->prng, 0, 7)) {
	case 0: die(w, id, true); break;
	case 1: /* its daemon is killed */
		if (s->dlm && !net_is_frozen(w->net, id)) {
			dlmd_end(w, id);
			s->dlmd_ms = w->now_ms + prng_range(&w->prng, 50, 3000);
		}
		break;
	case 2:
	case 3: net_island(w->net, id, prng_range(&w->prng, 0, 2), w->now_ms); break;
	case 4:
		for (uint32_t k = 1; k <= w->n; k++)
			net_island(w->net, k, 0, w->now_ms);
		break;
	case 5: net_freeze(w->net, id, true, w->now_ms); break;
	case 6:
		for (uint32_t k = 1; k <= w->n; k++)
			net_freeze(w->net, k, false, w->now_ms);
		break;
	case 7: net_hang(w->net, 0, id, prng_permille(&w->prng, 400)); break;
	}
}

static void heal(struct world *w)
{
	w->healed = true;
	net_calm(w->net);
	for (uint32_t id = 1; id <= w->n; id++) {
		net_island(w->net, id, 0, w->now_ms);
		net_freeze(w->net, id, false, w->now_ms);
		net_hang(w->net, 0, id, false);
		if (!w->node[id].up && !w->node[id].boot_ms)
			w->node[id].boot_ms = w->now_ms + 10;
	}
}

static uint64_t next_ms(struct world *w)
{
	uint64_t best = net_next_ms(w->net);

	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		bool runs = s->up && !net_is_frozen(w->net, id);
		uint64_t at[] = { s->boot_ms, s->proof_ms, runs ? s->dlmd_ms : 0 };

		for (unsigned i = 0; i < 3; i++)
			if (at[i] && at[i] < best)
				best = at[i];
		for (unsigned k = 0; runs && s->dlm && k < CLIENTS; k++)
			if (s->client[k].next_ms < best)
				best = s->client[k].next_ms;
	}
	return best;
}

/* Fenced of each node runs all the time and sees who is in its ring. */
static void see(struct world *w)
{
	for (uint32_t a = 1; a <= w->n; a++) {
		if (!w->node[a].up || net_is_frozen(w->net, a) || !net_ring(w->net, a))
			continue;
		nodeset_for_each (b, net_ring_members(w->net, net_ring(w->net, a)))
			if (b != a && w->node[b].up && net_ring(w->net, b) == net_ring(w->net, a))
				w->node[b].seen = true;
	}
}

static void tick(struct world *w)
{
	see(w);
	for (uint32_t id = 1; id <= w->n && !failed; id++) {
		struct snode *s = &w->node[id];
		bool runs;

		if (s->boot_ms && s->boot_ms <= w->now_ms)
			boot(w, id);
		if (s->proof_ms && s->proof_ms <= w->now_ms) {
			s->proof_ms = 0;
			s->proven = true;
			for (uint32_t k = 1; k <= w->n; k++)
				if (k != id && w->node[k].dlm && !net_is_frozen(w->net, k))
					tell_fence(w, k);
		}
		runs = s->up && !net_is_frozen(w->net, id);
		if (runs && s->dlmd_ms && s->dlmd_ms <= w->now_ms) {
			s->dlmd_ms = 0;
			if (!s->dlm)
				dlmd_start(w, id);
		}
		for (unsigned k = 0; runs && s->dlm && k < CLIENTS && !failed; k++)
			if (s->client[k].next_ms <= w->now_ms)
				client_act(w, id, k);
	}
	net_run(w->net, w->now_ms);
}

/* Now and then fenced's state is told again to everybody, as after a reconnection. */
static void retell(struct world *w)
{
	for (uint32_t id = 1; id <= w->n && !failed; id++)
		if (w->node[id].dlm && !net_is_frozen(w->net, id))
			tell_fence(w, id);
}

static void check_healed(struct world *w)
{
	for (uint32_t id = 1; id <= w->n && !failed; id++) {
		struct snode *s = &w->node[id];
		struct dlm_status st;

		if (!s->dlm) {
			broken(w, "liveness", id, "no daemon");
			return;
		}
		dlm_status(s->dlm, &st);
		if (!st.synced || !nodeset_empty(st.stopped_for))
			broken(w, "liveness", id,
			       st.synced ? "locking stands still" : "not synced");
		for (unsigned k = 0; k < CLIENTS; k++)
			for (unsigned i = 0; i < HANDLES; i++) {
				struct handle *h = &s->client[k].h[i];

				if (h->stage == H_SENT && w->now_ms - h->since_ms > 5000)
					broken(w, "DLM-5", id, "a request without a REPLY");
			}
		if (id > 1 && dlm_digest(s->dlm) != dlm_digest(w->node[1].dlm))
			broken(w, "DLM-3", id, "the end states differ");
	}
}

static void run_seed(uint64_t seed, unsigned nodes, bool verbose, struct world *sum)
{
	static const struct net_ops ops = { on_view, on_deliver };
	struct world *w = calloc(1, sizeof(*w));
	uint64_t fault_ms, gap, tell_ms = START_MS + 500;
	bool done = false;

	if (!w)
		abort();
	w->seed = w->prng.s = seed;
	w->verbose = verbose;
	w->now_ms = START_MS;
	w->n = nodes ? nodes : prng_range(&w->prng, 2, N_MAX);
	w->two_node = w->n == 2;
	struct net_config nc = { .n_nodes = w->n,
				 .n_groups = 1,
				 .two_node = w->two_node,
				 .token_ms = 1000,
				 .late_quorum_permille = 100 };

	w->net = net_new(&nc, &w->prng, &ops, w);
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].boot_ms = w->now_ms + prng_range(&w->prng, 0, 3000);
	fault_ms = w->now_ms + 6000;
	gap = prng_range(&w->prng, 200, 6000);
	while (!failed && !done) {
		uint64_t next = next_ms(w);

		if (!w->healed && fault_ms < next)
			next = fault_ms;
		if (tell_ms < next)
			next = tell_ms;
		if (next > START_MS + FAULTS_MS + HEAL_MS)
			break;
		w->now_ms = next > w->now_ms ? next : w->now_ms;
		tick(w);
		if (tell_ms <= w->now_ms) {
			retell(w);
			tell_ms = w->now_ms + 500;
		}
		if (!w->healed && fault_ms <= w->now_ms) {
			inject(w);
			fault_ms = w->now_ms + prng_range(&w->prng, 1, (uint32_t)gap);
			if (w->now_ms > START_MS + FAULTS_MS)
				heal(w);
		}
	}
	if (!failed)
		check_healed(w);
	sum->steps += w->steps;
	sum->grants += w->grants;
	sum->proofs += w->proofs;
	sum->deaths += w->deaths;
	sum->evictions += w->evictions;
	for (uint32_t id = 1; id <= w->n; id++)
		dlm_free(w->node[id].dlm);
	net_free(w->net);
	free(w);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "seeds", 1, NULL, 'n' }, { "first", 1, NULL, 'f' },   { "seed", 1, NULL, 's' },
		{ "nodes", 1, NULL, 'N' }, { "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 }
	};
	static struct world sum;
	uint64_t first = 1, n = 200;
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
		fprintf(stderr, "sim_dlm: --nodes 2..%d\n", N_MAX);
		return 2;
	}
	for (uint64_t seed = first; seed < first + n && !failed; seed++)
		run_seed(seed, nodes, verbose, &sum);
	if (failed)
		return 1;
	printf("dlm: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " grants, %" PRIu64
	       " deaths, %" PRIu64 " proofs applied, %" PRIu64 " evictions, nothing broken\n",
	       n, sum.steps, sum.grants, sum.deaths, sum.proofs, sum.evictions);
	return 0;
}
