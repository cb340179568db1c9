/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/fence_world.h - fenced/core's world: nodes with power and kernels, fence devices, agents, corosync (net.h).
 *
 * Used by the random simulator (sim_fence) and by scenarios (tests/scenario/fence). truth: what no node can see. Checked
 * after every step of every core, whoever drives:
 *   FENCE-1..4  fence_broken() of every core
 *   FENCE-5     members at one point of the agreed order hold the same book
 *   FENCE-6     a proof names a life that runs no more, or that said goodbye while it held nothing (SAFE-1, SAFE-2)
 *   FENCE-3     also: who knows that it is a victim is on its way down
 *   FENCE-9     nobody switches off from a view that the majority has left behind (SAFE-4)
 *   FENCE-10    a life that a majority has declared over is never a member again (world_check_lives(), at the end)
 */
#ifndef STOCKADE_SIM_FENCE_WORLD_H
#define STOCKADE_SIM_FENCE_WORLD_H

#include "fenced/core/fence.h"
#include "net.h"

#define N_MAX 6
#define START_MS 5000
#define RUNS_MAX 256
#define LIVES_MAX 256
#define SAID_MAX 64
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
	uint64_t dog_ms;    /* it hangs: systemd's watchdog ends it then */
	uint64_t reboot_ms; /* it reboots itself then; 0: no */
	uint64_t attest_ms; /* its hypervisor has seen it panic, and switches it off then; 0: no */
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
	bool two_node, verbose, healed, failed;
	bool no_return;       /* who left or was killed stays away */
	uint32_t late_quorum; /* permille, see net.h */
	/* What the next runs of agents do, before chance is asked (scenarios). */
	struct script {
		uint32_t node, times;
		enum fence_agent_action action;
		enum agent_fault {
			AGENT_FAIL = 1,
			AGENT_TIMEOUT,
			AGENT_LIE,
			AGENT_LATE,
			AGENT_BABBLE
		} fault;
	} script[8];
	/* FENCE-10: who said of which life of a node that it is a victim, or proven over */
	struct nodeset condemned[N_MAX + 1][LIVES_MAX];
	struct nodeset remember[N_MAX + 1][LIVES_MAX]; /* and whose fenced has run ever since */
	uint32_t buried[N_MAX + 1];                    /* the life that an operator vouched for */
	uint32_t offs_asked[N_MAX + 1];                /* runs of off, by victim */
	void (*noted)(struct world *w, uint32_t by, const struct fence_action *a); /* may be NULL */
	uint8_t path_levels; /* 1: the BMC alone; 2: the outlets too */
	struct net *net;
	struct snode node[N_MAX + 1];
	struct agent_run run[RUNS_MAX];
	/* Hypervisors (SAFE-11): how many ends they see, and what they said to whom, on its way: seconds late, twice, or never. */
	uint32_t p_attest;
	struct said {
		uint64_t at_ms; /* 0: none */
		uint32_t to, node, boot;
	} said[SAID_MAX];
	uint32_t p_fail, p_timeout, p_lie, p_late, p_unknown; /* permille */
	uint64_t steps, proofs, fences;
	/* FENCE-5 */
	struct {
		uint64_t index, digest;
	} point[4096];
};

void world_open(
	struct world
		*w); /* after seed, prng, n, two_node, rates are set: makes the net, all feeds on */
void world_close(struct world *w);
uint64_t world_next_ms(struct world *w); /* when something is due */
void world_check_lives(struct world *w);
void world_forget(struct world *w,
		  uint32_t id);   /* what it knew counts no more: gone, or mute for long */
void world_tick(struct world *w); /* do what is due at w->now_ms */

void say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int step(struct world *w, uint32_t id,
	 struct fence_event *ev); /* what the core answered; 0 without one */

bool powered(const struct snode *s);
void life_ends(struct world *w, uint32_t id);     /* its kernel is gone, its power may be there */
void power_changed(struct world *w, uint32_t id); /* after feed[] was changed */
void self_reboot(struct world *w, uint32_t id);
void fenced_stop(struct world *w, uint32_t id);
void fenced_start(struct world *w, uint32_t id);

#endif
