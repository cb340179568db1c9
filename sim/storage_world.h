/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/storage_world.h - the world around storaged/core: what is truly active, disks with epoch records, drivers, a fence
 * domain as one fact that cores learn late, a lock manager. Used by sim_storage.c only.
 */
#ifndef STOCKADE_SIM_STORAGE_WORLD_H
#define STOCKADE_SIM_STORAGE_WORLD_H

#include "net.h"
#include "storaged/core/place.h"

#define N_MAX 5
#define FAULTS_MS 120000
#define HEAL_MS 300000
#define RUNS_MAX 512
#define LATER_MAX 1024
#define STOP_MS 6000
#define S_MAX 3
#define R_MAX 3

struct drun { /* a driver child */
	bool used;
	uint32_t node, gen;
	uint64_t run, effect_ms, end_ms; /* UINT64_MAX: never */
	unsigned s, res;
	enum drive_op op;
	enum drive_result result;
	bool act;     /* the effect takes place */
	bool checked; /* START of a volume: its driver read the record, and may go on */
	bool taken; /* it wrote the record: ret_epoch; else met_epoch, of another owner, was in its way */
	uint64_t epoch, released, met_epoch, ret_epoch;
};

struct later { /* an event for one core, some time ahead */
	uint64_t at_ms;
	uint32_t node, gen;
	enum { LATER_FENCE = 1, LATER_LOCK, LATER_LOOK } what;
	unsigned volume;
	bool held;
};

struct snode {
	bool runs;
	uint32_t boot, gen;          /* gen: of the daemon */
	uint64_t boot_ms, daemon_ms; /* comes up then; 0: not due */
	bool never_boots;            /* until healed */
	struct place *place;
	bool joined, leaving, left, reboots;
	bool active[S_MAX][R_MAX];
	uint64_t ours[S_MAX]; /* RUNDIR: gone with the boot */
	uint64_t intent;      /* STATEDIR: stays */
	struct nodeset standby;
	bool enabled[S_MAX];
	bool monitor[S_MAX];
	bool wants[S_MAX];       /* the lock of that volume: asked for by this daemon */
	uint64_t hand_ms[S_MAX]; /* somebody activated the volume by hand, since; 0: no */
	struct {                 /* the first look since a placement, which lets it start */
		uint64_t starts, at_ms;
	} look[S_MAX];
	uint64_t noquorum_ms;   /* as its core was told; 0: has quorum */
	struct nodeset unready; /* as its core was told: alive, and no fence path to it passes */
};

struct world {
	uint64_t seed, now_ms;
	struct prng prng;
	unsigned n, n_services;
	bool two_node, verbose, healed, locks;
	bool looks; /* a look finds what storaged itself has active, too: a second guard, as locks are */
	struct net *net;
	struct place_config cfg; /* common part */
	struct snode node[N_MAX + 1];
	struct drun run[RUNS_MAX];
	struct later later[LATER_MAX];
	uint32_t p_fail, p_unknown, p_hang, p_probe_unknown;
	/* the fence domain, as one fact: storaged/core sees it late */
	struct {
		bool victim;
		uint32_t victim_boot;
		uint64_t off_ms;
		struct proof proof;
		bool seen, unready;
		uint32_t known_boot;
	} dom[N_MAX + 1];
	uint64_t proofs;
	/* the disk */
	struct {
		uint64_t epoch;
		uint32_t owner, boot;
		bool active;
	} disk[SERVICE_VOLUMES_MAX];
	/* the lock manager */
	struct {
		uint32_t holder, boot;
		struct nodeset waiting;
	} lock[SERVICE_VOLUMES_MAX];
	uint64_t steps, starts, takeovers;
	struct {
		uint64_t index, digest;
	} point[8192];
	struct place_actions out;
};

extern bool failed; /* an invariant broke in this run */

void say(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *w, const char *id, uint32_t node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void step(struct world *w, uint32_t id, struct place_event *ev); /* sim_storage.c: feed a core */
struct incarnation life_of(uint32_t node, uint32_t boot);

void daemon_ends(struct world *w, uint32_t id);
void life_ends(struct world *w, uint32_t id);

void later_add(struct world *w, struct later l);
void fence_news(struct world *w);
void make_victim(struct world *w, uint32_t id, const char *why);
void fence_turn(struct world *w, uint32_t id);
void fence_view(struct world *w, uint32_t at, struct fence_state *st);

void lock_turn(struct world *w, unsigned v);
void lock_ask(struct world *w, uint32_t id, unsigned v);
void lock_drop(struct world *w, uint32_t id, unsigned v);

void hand(struct world *w, uint32_t id, unsigned v,
	  bool on); /* an operator (de)activates a volume by hand */
void look_at(struct world *w, uint32_t id,
	     uint64_t at_ms); /* or sooner, if that was asked before */
void look(struct world *w, uint32_t id);
void drive(struct world *w, uint32_t id, const struct place_action *act);
void driver_effect(struct world *w, struct drun *r);
void driver_end(struct world *w, struct drun *r);

#endif
