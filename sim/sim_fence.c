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
 *   FENCE-7     nobody who hears a quorum waits for anything, without help; within HEAL_MS everybody is an informed member and nobody is a victim
 * A failure prints the seed; the same seed fails again.
 */
#include "fence_world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTS_MS 120000
#define QUIET_MS 100000 /* nothing fails any more, nobody helps: fencing has to do it */
#define HEAL_MS 300000

/* --- faults --- */

/* storaged activates only when every node is known and none waits for a proof. */
static bool all_known(struct world *w, uint32_t id)
{
	struct fence_state st;

	fence_snapshot(w->node[id].dom, w->now_ms, &st);
	for (unsigned i = 0; i < st.n; i++)
		if (st.node[i].state == FENCE_NODE_UNKNOWN || st.node[i].state == FENCE_NODE_VICTIM)
			return false;
	return st.informed;
}

/* Whom an operator would acknowledge. */
static uint32_t a_victim(struct world *w, uint32_t id)
{
	struct fence_state st;

	fence_snapshot(w->node[id].dom, w->now_ms, &st);
	for (unsigned i = 0; i < st.n; i++)
		if (st.node[i].state == FENCE_NODE_VICTIM)
			return st.node[i].nodeid;
	return prng_range(&w->prng, 1, w->n);
}

/* Who has a run out: the worst one to freeze. */
static uint32_t an_actor(struct world *w)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (w->run[i].used && !w->run[i].orphan && !w->run[i].check)
			return w->run[i].by;
	return prng_range(&w->prng, 1, w->n);
}

/* storaged activates only after fenced has taken the news. */
static void tell_signs(struct world *w, uint32_t id, struct fence_signs signs)
{
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs = signs };
	struct snode *s = &w->node[id];
	uint32_t gen = s->gen;
	int rc = step(w, id, &ev);

	if (rc == 0 && s->gen == gen && s->dom)
		s->signs = signs;
}

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
		if (prng_permille(p, 500)) {
			id = an_actor(w);
			s = &w->node[id];
		}
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
			s->dog_ms = prng_permille(p, 500) ? w->now_ms + 30000 : UINT64_MAX;
			world_forget(w, id); /* a majority may go on without its word */
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

			signs.holds = signs.weight > 0 && (s->signs.holds || all_known(w, id));
			for (uint32_t i = 1; i <= w->n; i++)
				signs.peer[i] = prng_range(p, 0, 2);
			tell_signs(w, id, signs);
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
			uint32_t v = a_victim(w, id);

			/* an operator who is wrong by force: the life that he buried must not come back as a member */
			bool wrong = prng_permille(p, 400);

			if (!powered(&w->node[v]) || w->node[v].wrecked || wrong) {
				ev.type = FENCE_EV_ACK;
				ev.ack.node = v;
				ev.ack.force = wrong;
				ev.ack.text = "I looked";
				step(w, id, &ev);
			}
		}
		break;
	case 15:
		if (s->dom && !s->hung && !net_is_frozen(w->net, id) && prng_permille(p, 400)) {
			uint32_t gen = s->gen;
			bool started = all_known(w, id);

			ev.type = FENCE_EV_LEAVE;
			step(w, id, &ev);
			/* storaged had not heard of it yet when it decided to start something */
			if (s->dom && s->gen == gen && started && prng_permille(p, 300))
				tell_signs(w, id,
					   (struct fence_signs){ .weight = 1, .holds = true });
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
		net_island(w->net, id, 0, w->now_ms);
		net_freeze(w->net, id, false, w->now_ms);
	}
}

/* A janitor: what is off is switched on, what has no fenced gets one. */
static void mend(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		bool acting = false;

		if (s->hung) {
			s->hung = false;
			net_hang(w->net, 0, id, false);
		}

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

/* It never says that it failed: systemd's watchdog has to end it. */
static bool actor_hangs(struct world *w, uint32_t id, unsigned i)
{
	static struct fence_status st;

	fence_status(w->node[id].dom, w->now_ms, &st);
	return st.node[i].actor && w->node[st.node[i].actor].hung;
}

/* Who hears a quorum is informed, and has no victim any more: agents work, so each is dead by now, or back. */
static void check_quiet(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *s = &w->node[id];
		struct fence_state st;

		if (!s->dom || s->hung || s->reboot_ms ||
		    !net_ring_quorate(w->net, net_ring(w->net, id)))
			continue;
		unsigned awake = 0;

		nodeset_for_each (m, net_ring_members(w->net, net_ring(w->net, id)))
			awake += w->node[m].dom && !w->node[m].hung;
		if (!w->two_node && 2 * awake <= w->n)
			continue; /* too many hang: their watchdogs' business */
		fence_snapshot(s->dom, w->now_ms, &st);
		if (!st.informed)
			broken(w, "FENCE-7", id, "is in a quorate ring and not informed");
		for (unsigned i = 0; st.informed && i < st.n; i++)
			if ((st.node[i].state == FENCE_NODE_VICTIM ||
			     st.node[i].state == FENCE_NODE_UNKNOWN) &&
			    !actor_hangs(w, id, i))
				broken(w, "FENCE-7", id,
				       "still holds node%u as %s, and nothing fails any more",
				       st.node[i].nodeid, fence_node_state_name(st.node[i].state));
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

static bool run_seed(uint64_t seed, unsigned nodes, bool verbose, uint64_t *steps, uint64_t *proofs,
		     uint64_t *fences)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->seed = seed;
	w->prng.s = seed;
	w->verbose = verbose;
	w->n = nodes ? nodes : prng_range(&w->prng, 2, 5);
	w->two_node = w->n == 2;
	w->p_fail = prng_range(&w->prng, 0, 400);
	w->p_timeout = prng_range(&w->prng, 0, 200);
	w->p_lie = prng_range(&w->prng, 0, 300);
	w->p_late = prng_range(&w->prng, 0, 300);
	w->p_unknown = prng_range(&w->prng, 0, 300);
	w->p_attest = prng_permille(&w->prng, 500) ? prng_range(&w->prng, 0, 1000) : 0;
	w->late_quorum = 100;
	w->path_levels = 2;
	world_open(w);
	for (uint32_t id = 1; id <= w->n; id++) {
		w->node[id].boot_ms = w->now_ms +
				      prng_range(&w->prng, 0,
						 prng_permille(&w->prng, 100) ? 40000 : 3000);
	}
	uint64_t fault_ms = w->now_ms + 8000, gap = prng_range(&w->prng, 300, 8000), mend_ms = 0;
	bool looked = false;

	while (!w->failed && w->now_ms < START_MS + FAULTS_MS + HEAL_MS) {
		uint64_t next = world_next_ms(w);

		if (!w->healed && fault_ms < next)
			next = fault_ms;
		if (w->healed && mend_ms < next)
			next = mend_ms;
		if (next < w->now_ms)
			next = w->now_ms;
		if (next > START_MS + FAULTS_MS + HEAL_MS)
			break;
		w->now_ms = next;
		world_tick(w);
		if (!w->healed && fault_ms <= w->now_ms) {
			inject(w);
			fault_ms = w->now_ms + prng_range(&w->prng, 1, (uint32_t)gap);
			if (w->now_ms > START_MS + FAULTS_MS) {
				heal(w);
				mend_ms = w->now_ms + QUIET_MS;
			}
		}
		if (w->healed && mend_ms <= w->now_ms) {
			if (!looked)
				check_quiet(w);
			looked = true;
			mend(w);
			mend_ms = w->now_ms + 5000;
		}
		if (w->steps > 2000000)
			broken(w, "FENCE-7", 0, "no end of steps");
	}
	if (!w->failed) {
		check_healed(w);
		world_check_lives(w);
	}
	*steps += w->steps;
	*proofs += w->proofs;
	*fences += w->fences;
	bool bad = w->failed;

	world_close(w);
	free(w);
	return bad;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "seeds", 1, NULL, 'n' }, { "first", 1, NULL, 'f' },   { "seed", 1, NULL, 's' },
		{ "nodes", 1, NULL, 'N' }, { "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 }
	};
	uint64_t first = 1, n = 200, steps = 0, proofs = 0, fences = 0;
	unsigned nodes = 0;
	bool verbose = false, bad = false;
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
	for (uint64_t seed = first; seed < first + n && !bad; seed++)
		bad = run_seed(seed, nodes, verbose, &steps, &proofs, &fences);
	if (bad)
		return 1;
	printf("fence: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64
	       " times switched off, %" PRIu64 " proofs told, nothing broken\n",
	       n, steps, fences, proofs);
	return 0;
}
