/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_state.h - what fenced tells its local subscribers (dlmd, storaged), and what storaged tells fenced.
 *
 * Both are whole snapshots, sent again at each change: a subscriber that restarts needs no history, a lost one costs
 * nothing. On the socket they are length-prefixed little-endian (lib/wire.h); decoders take older and newer versions.
 */
#ifndef STOCKADE_FENCE_STATE_H
#define STOCKADE_FENCE_STATE_H

#include "proof.h"

#include <stddef.h>

enum fence_node_state {
	FENCE_NODE_UNKNOWN = 0, /* fenced is not informed yet: say nothing about this node */
	FENCE_NODE_MEMBER,      /* in the domain, alive, not a victim */
	FENCE_NODE_ABSENT, /* node is in the view, its fenced is not (restarting); neither dead nor alive */
	FENCE_NODE_VICTIM, /* left without goodbye (or was never seen); no proof yet */
	FENCE_NODE_DEAD,   /* its last life is over: `proof` says how */
};

struct fence_node {
	uint32_t nodeid;
	enum fence_node_state state;
	struct incarnation life; /* the latest known */
	struct proof proof;      /* the latest about this node; kind PROOF_NONE: none */
	bool ready; /* some member's fence path to it passed its readiness check within the configured age */
	uint32_t ready_age_ms; /* since the check that counts; UINT32_MAX: never */
	bool ending; /* a hypervisor says that its life is over, or about to be: prepare; nothing else follows from it */
};

#define FENCE_WHY_MAX 96

struct fence_state {
	struct incarnation self;
	struct view_id view;
	bool quorate;  /* false also while unknown (SAFE-3) */
	bool informed; /* fenced knows every victim of this view; while false nothing may start */
	bool self_victim; /* the others declared this very life dead: stop everything now (SAFE-7) */
	bool held; /* this node was fenced too often and waits for an operator: nothing may start here */
	uint32_t
		armed_ms; /* this node's watchdog, as read back; 0: not armed. For its heartbeat on the disk */
	/* SAFE-7: the rules of petting this node's watchdog do not hold, let_go_why says which. Stays that so, everything here is let go in
	 * grades from let_go_ms on; what is still held at let_go_end_ms ends by a reboot, right before the watchdog fires. Of this node's
	 * CLOCK_MONOTONIC, known in advance: it is to be done also when fenced hangs by then. 0: the rules hold, or no watchdog counts. */
	uint64_t let_go_ms, let_go_end_ms;
	char let_go_why[FENCE_WHY_MAX];
	unsigned n;
	struct fence_node
		node[NODES_MAX]; /* ascending nodeid, every configured node, self included */
};

/* How a peer looks on a channel other than corosync; from storaged's disk heartbeat. */
enum life_sign { LIFE_UNKNOWN = 0, LIFE_FRESH, LIFE_STALE };

/* What a node's sealed heartbeat on the disk says about its watchdog (SAFE-12): it was seen to move, so that is its life. */
struct fence_word {
	uint32_t nodeid;
	uint8_t boot_id[BOOT_ID_BYTES];
	uint32_t armed_ms; /* 0: it says that it is not armed */
	uint64_t
		at_ms; /* CLOCK_MONOTONIC of this node: when it was seen to move, or a little before */
};
#define FENCE_WORDS_MAX 4

/* storaged to fenced: who serves, and what the disk says. Decides a two-node cut (SAFE-4), gates acks (SAFE-5). */
struct fence_signs {
	uint32_t weight; /* services that run on this node now */
	bool holds; /* something shared is active, or may be: a clean leave is refused (SAFE-1) */
	/* Its last word: all is let go, it ends. Whose line is lost without may hold what it had no time to say (SAFE-3). */
	bool ended;
	enum life_sign self; /* LIFE_FRESH: our own heartbeat writes reach the disk in time */
	enum life_sign peer
		[NODEID_MAX +
		 1]; /* by nodeid: LIFE_STALE only if reads work and its heartbeat stands still */
	uint8_t n_words;
	struct fence_word word[FENCE_WORDS_MAX];
	/*
	 * SAFE-13, what a sample of self and peer may miss; on this node's clock, and only whether they changed counts.
	 * shown_ms: since then no two beats of ours were so far apart that a reader could have taken us for silent; 0: none reached the disk.
	 * moved_ms: when a heartbeat that is not fresh now was last seen to move, or watching it began.
	 */
	uint64_t shown_ms, moved_ms;
	bool still; /* of each that is not fresh: a read that began a stale time after moved_ms found it unmoved */
};

#define FENCE_STATE_WIRE_MAX 8192
#define FENCE_SIGNS_WIRE_MAX 256

/* Encode into @buf: bytes written, or -ENOSPC. Decode: 0, or -EPROTO with @ret undefined. */
int fence_state_encode(const struct fence_state *st, void *buf, size_t len);
int fence_state_decode(struct fence_state *ret, const void *buf, size_t len);
/* One more heartbeat of @node, on another volume, goes into s->peer: it lives if one moves, is silent only if all are, and else nobody
 * can tell (SAFE-3). @seen: whose came before; empty at first. */
void fence_signs_peer(struct fence_signs *s, struct nodeset *seen, uint32_t node,
		      enum life_sign life);
int fence_signs_encode(const struct fence_signs *s, void *buf, size_t len);
int fence_signs_decode(struct fence_signs *ret, const void *buf, size_t len);

const char *fence_node_state_name(enum fence_node_state st);
/* Is this node a member of the fence domain in this life of its fenced, and not about to leave? One that is held is. */
bool fence_state_member(const struct fence_state *st);
const struct fence_node *fence_state_node(const struct fence_state *st,
					  uint32_t nodeid); /* NULL: not configured */

#endif
