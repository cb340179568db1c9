/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/net.h - corosync on virtual time: nodes, islands, rings, quorum, and process groups with agreed order.
 *
 * It plays what lib/shell/cluster.h hands to a daemon, with the ugliness that was measured (ref/netlab.md 7): a ring that
 * lost a member orders nothing more, but one node of it, the holder of the token, may deliver its own messages to itself; a
 * thawed node lives on in its old ring for up to a second, a part that is cut off for several; rings that never became quorate in time; a node or process that
 * is back before anybody noticed that it was away. Members that go from one ring to the next together deliver the same.
 *
 * The caller turns the clock: net_next_ms() says when something is due, net_run() does it.
 */
#ifndef STOCKADE_SIM_NET_H
#define STOCKADE_SIM_NET_H

#include "lib/incarnation.h"
#include "prng.h"

#include <stddef.h>

#define NET_GROUPS_MAX 3

struct net_view {
	struct view_id id;
	bool quorate, two_node;
	struct nodeset nodes, members, joined, left_nodedown, left_clean, left_proc;
};

struct net_ops {
	void (*view)(void *arg, unsigned group, uint32_t node, const struct net_view *v);
	/* @index: place in the agreed order of this ring, for comparing members */
	void (*deliver)(void *arg, unsigned group, uint32_t node, uint32_t from, const void *data,
			size_t len, uint64_t index);
};

struct net_config {
	unsigned n_nodes; /* nodeids 1..n */
	unsigned n_groups;
	bool two_node;
	uint32_t token_ms;
	uint32_t
		late_quorum_permille; /* a view is first told as not quorate, and again when it is */
};

struct net;

struct net *net_new(const struct net_config *cfg, struct prng *prng, const struct net_ops *ops,
		    void *arg);
struct net *net_free(struct net *net);

void net_up(struct net *net, uint32_t node, bool up,
	    uint64_t now_ms); /* power, kernel and corosync */
void net_freeze(struct net *net, uint32_t node, bool frozen, uint64_t now_ms);
void net_island(struct net *net, uint32_t node, unsigned island,
		uint64_t now_ms); /* same number: they hear each other */
void net_start(struct net *net, unsigned group, uint32_t node,
	       uint64_t now_ms); /* a new process in the group */
void net_stop(struct net *net, unsigned group, uint32_t node, bool clean,
	      uint64_t now_ms); /* it is gone; clean: by cluster_leave() */
void net_hang(struct net *net, unsigned group, uint32_t node, bool hung); /* it takes nothing */
void net_storm(struct net *net, uint32_t node,
	       uint64_t now_ms); /* its ring breaks, and forms anew */
void net_hurry(struct net *net, uint32_t node, bool again,
	       uint64_t now_ms); /* its corosync looks who is there; again: goes on with those */
void net_slow(struct net *net, uint32_t node, uint32_t late_ms);
void net_calm(struct net *net); /* no more late quorum */
void net_send(struct net *net, unsigned group, uint32_t node, const void *data, size_t len,
	      uint64_t now_ms);

uint64_t net_next_ms(const struct net *net); /* UINT64_MAX: nothing */
void net_run(struct net *net, uint64_t now_ms);

bool net_is_up(const struct net *net, uint32_t node);
bool net_is_frozen(const struct net *net, uint32_t node);
bool net_is_whole(const struct net *net, uint32_t node); /* its ring orders messages for all */
bool net_is_deaf(const struct net *net, uint32_t node,
		 uint64_t now_ms);                       /* just thawed: its ring is over */
uint64_t net_ring(const struct net *net, uint32_t node); /* seq of the ring it believes in */
struct nodeset net_ring_members(const struct net *net, uint64_t seq);
bool net_ring_quorate(const struct net *net, uint64_t seq);

#endif
