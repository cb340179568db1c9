/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cluster.h - corosync as our cores see it: one event per view, and messages in agreed order within it.
 *
 * Joins a CPG group and merges libcpg's and libquorum's callbacks: members, who left and how, and quorum arrive together,
 * once, matched by ring id (as two events they let an agent start in a stale view). A ring whose quorum was never
 * reported is passed on as not quorate (SAFE-3). Each message carries its sender's view; one of another view is dropped
 * here, so that whoever owns the fact repeats it in the new view (ref/netlab.md 7 shows why each rule is needed).
 */
#ifndef STOCKADE_CLUSTER_H
#define STOCKADE_CLUSTER_H

#include "../incarnation.h"
#include "loop.h"

#include <stddef.h>
#include <stdint.h>

#define CLUSTER_MSG_MAX (256 * 1024)

struct cluster_view {
	struct view_id id;
	bool quorate;
	bool two_node; /* votequorum's two_node is set: a cut leaves both sides quorate (SAFE-4) */
	struct nodeset nodes;   /* nodes in corosync's membership */
	struct nodeset members; /* nodes whose process is in our group; contains ourselves */
	struct nodeset
		joined; /* members not in the view before (a node that left and came back is in left_* too) */
	struct nodeset left_clean;    /* left the group by cluster_leave() */
	struct nodeset left_nodedown; /* the node fell out of corosync's membership */
	struct nodeset left_procdown; /* the process is gone, or its corosync; the node may live */
};

struct cluster_ops {
	void (*view)(void *arg, const struct cluster_view *view);
	void (*deliver)(void *arg, uint32_t from, const void *data,
			size_t len); /* own messages too */
	void (*lost)(
		void *arg,
		const char *why); /* corosync is gone: no view, no quorum, until the next view() */
};

struct cluster;

/* Tries for ever, once a second, until corosync answers; lost() first if it does not at once. No event comes before the
 * loop runs. After lost() the first view has all its members in `joined`. NULL: no memory.
 */
struct cluster *cluster_open(struct loop *loop, const char *group, const struct cluster_ops *ops,
			     void *arg);
struct cluster *cluster_close(struct cluster *c); /* from an event too; no event follows */
uint32_t cluster_self(const struct cluster *c);   /* own nodeid; 0: not known yet */

/*
 * Queue to all members, ourselves included, in the view that was told last. 0, -ENOTCONN (no corosync, or no view yet),
 * -EMSGSIZE, -ENOMEM, -ENOBUFS (64 MiB wait: corosync takes nothing). TRY_AGAIN is retried inside, in order, as long as
 * the view lasts; then it is dropped, as its receivers would do.
 */
int cluster_send(struct cluster *c, const void *data, size_t len);
/* Say goodbye: what was sent goes out, the others see left_clean; no event follows. 0, -ENOTCONN, -EAGAIN after 1 s. */
int cluster_leave(struct cluster *c);

/* What corosync runs with, from cmap, for `check` and for daemons' start: own name, cluster name, nodelist. */
struct cluster_config {
	char cluster_name[64];
	unsigned n;
	struct {
		uint32_t nodeid;
		char name[64];
	} node[NODES_MAX];
	bool two_node;
	uint32_t token_ms, consensus_ms;
};
/* 0 or -errno; -ECONNREFUSED: corosync is not running, -EACCES: not for this user, -ETIMEDOUT: it hangs */
int cluster_config_read(struct cluster_config *ret);

#define CLUSTER_ANSWER_MS 2000
/* Ask this before a blocking call to corosync's libraries: 0, or -errno as above. */
int cluster_answers(int timeout_ms);

#endif
