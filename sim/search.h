/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search.h - every interleaving of a small world, up to a depth: the production cores, two or three nodes, few faults.
 *
 * A state is one block of memory (the arena): the net, the truth, and the cores themselves, which take their memory from it
 * (search_calloc()) and always lie at the same place, so a state is kept and brought back by copying bytes. The cores are
 * the production sources, compiled with room for three nodes (SEARCH_SMALL, local.mk) to make that block small.
 *
 * From a state a model lists the choices: who takes its next message, which timer comes, what an agent answers, which
 * fault happens. Time stands still but for timers, so only their order counts; none may pass what must have happened before
 * (a message lies no longer than MSG_LATE_MS, a broken ring lasts no longer than RING_LATE_MS, an agent AGENT_LATE_MS).
 * States are told apart by a hash of 64 bits over everything that decides what may come, times relative to now.
 */
#ifndef STOCKADE_SIM_SEARCH_H
#define STOCKADE_SIM_SEARCH_H

#include "lib/incarnation.h"
#include "trace.h"

#include <stddef.h>

#define N_MAX 3
#define QUEUE_MAX 40
#define CHOICES_MAX 160
#define MSG_LATE_MS 1000
#define RING_LATE_MS 4000
#define AGENT_LATE_MS 5000
#define HORIZON_MS \
	120000 /* what is due later is not waited for: routine checks of a cluster at peace */
#define ROOT_MS 100000
#define REGION_BYTES (96 * 1024) /* of one core */

enum search_op {
	DO_DELIVER = 1, /* a: node: takes the next of its queue; b: all of it */
	DO_CALM, /* all goes on in order, nothing fails and no time passes, until there is nothing to do */
	DO_TIMER, /* a: node: its deadline is the next of all */
	DO_RING,  /* a: lowest node of a part: its new ring forms */
	DO_SELF, /* a: node: holds the token of a ring that is over, delivers its own messages to itself */
	DO_CUT,    /* a: node: alone now; b: what nobody took is lost on either side */
	DO_HEAL,   /* all hear each other */
	DO_FREEZE, /* a: node; b: as CUT */
	DO_THAW,
	DO_PANIC, /* a: node: kernel dead, power on; b: as CUT */
	DO_POWER, /* a: node: power lost; b: as CUT */
	DO_BOOT,  /* a: node, switched on: kernel and daemon start */
	DO_KILL,  /* a: node: the daemon's process ends */
	DO_START, /* a: node: and is started again */
	DO_MODEL, /* from here on the model's own */
};

struct choice {
	uint8_t op, a, b;
};

/* How often each may still happen; printed, and set by --faults name=N,... */
#define BUDGETS(X) \
	X(cut)     \
	X(heal) X(freeze) X(panic) X(power) X(boot) X(kill) X(agent) X(operator) X(client) X(driver)

struct budget {
#define X(name) uint8_t name;
	BUDGETS(X)
#undef X
};

struct item { /* of a queue */
	bool view;
	uint8_t from;
	uint16_t id; /* of the interned view or message */
	uint32_t
		stamp; /* the sender's view: ring and processes, as lib/shell/cluster.h sends it along */
	uint64_t at_ms;
};

struct sview {
	struct view_id id;
	uint32_t stamp;
	bool quorate, two_node;
	struct nodeset nodes, members, joined, left_nodedown, left_other;
};

struct snode {
	bool powered, runs, frozen, alone_at_start, holder, proc;
	bool gap; /* it lost messages of its ring: it can deliver nothing that was said after them */
	bool doomed; /* messages of its ring are lost: it cannot come back as it was */
	uint8_t boot, offs, island;
	bool met; /* in its present life it was in a ring with another node */
	uint32_t ring;
	uint32_t stamp; /* of the view that its process has taken last; 0: none */
	struct nodeset ring_members;
	uint64_t broken_ms; /* its ring is over since; 0: no */
	uint64_t join;
	struct nodeset view_nodes, view_members; /* of the view that was queued last */
	uint64_t view_join[N_MAX + 1];           /* and which process of each */
	uint8_t n_queue, n_dead;
	struct item queue[QUEUE_MAX], dead[8]; /* dead: said in a ring that is over */
	void *core;                            /* in its region */
	size_t region_used;
	/* a region's hash as of a moment, so that only what changed is read again */
	uint64_t hash, hash_ms;
	bool hashed;
};

struct sworld {
	uint64_t now_ms;
	uint32_t rings, joins;
	uint64_t
		token_taken; /* bit per ring: one of its members has had the token since it broke */
	struct budget budget;
	struct snode node[N_MAX + 1];
	uint8_t model[2048] __attribute__((aligned(16))); /* the model's own */
};

struct model {
	const char *name, *what, *rules;
	unsigned nodes;
	bool two_node;
	unsigned depth; /* when none is asked for */
	struct budget budget;
	const char *events; /* of DO_MODEL + i: a word each, blank between */
	/* Without a node's process: `core` NULL. */
	void (*start)(uint32_t node); /* make its core, feed what it hears at once */
	void (*stopped)(
		uint32_t
			node); /* its process or kernel is gone; the region is cleared after this */
	void (*view)(uint32_t node, const struct sview *v);
	void (*message)(uint32_t node, uint32_t from, const void *data, size_t len);
	void (*timeout)(uint32_t node); /* NULL: it has no timers */
	uint64_t (*deadline)(uint32_t node);
	uint64_t (*limit)(void); /* what of the model must have happened by then; UINT64_MAX */
	unsigned (*choices)(struct choice *ret);
	void (*apply)(struct choice c);
	void (*root)(void);  /* the cluster has settled: last touches; may be NULL */
	void (*check)(void); /* after every choice; may be NULL */
	uint64_t (*hash_core)(uint32_t node); /* canonical: times relative to now */
	uint64_t (*hash_model)(void);
};

extern struct sworld *const w;
extern const struct model *model;
extern struct trace *search_trace;

/* search.c */
void search_broken(const char *rule, uint32_t node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool search_is_broken(void);
uint64_t search_hash(uint64_t seed, const void *data, size_t len);
void search_region_begin(uint32_t node); /* memory is taken from there from now on */
void *search_calloc(size_t n, size_t size);
void search_free(void *p);
void search_calm(void);
void search_touch(uint32_t node); /* its region is going to change */
extern const struct model search_fence2, search_fence3, search_dlm2, search_dlm3, search_store2,
	search_store3;

/* search_net.c */
void net_root(void); /* all run, alone; two views each to come */
void net_send(uint32_t node, const void *data, size_t len);     /* to its group */
void net_life_ends(uint32_t node, bool power_stays, bool lose); /* its kernel is gone */
void net_leave(uint32_t node);                                  /* its process ends by itself */
unsigned net_choices(struct choice *ret, unsigned n);           /* appends; returns the new n */
void net_apply(struct choice c);
uint64_t net_limit(void);
uint64_t net_hash(void);
struct incarnation net_life(uint32_t node);  /* of the process that runs there, or ran last */
bool net_same_point(uint32_t a, uint32_t b); /* same ring, nothing more to come, or the same */
uint64_t net_rel(uint64_t ms);               /* relative to now, for hashes */

static inline bool net_awake(uint32_t node)
{
	return w->node[node].runs && !w->node[node].frozen;
}

#endif
