/* SPDX-License-Identifier: GPL-3.0-or-later */
/* view_merge.h - from corosync's callbacks to one event per view (cluster.h); knows no corosync, so a
 * test can play every order of callbacks that ref/netlab.md 7 has seen.
 *
 * Two streams come in. CPG's is ordered: changes of the group, rings, messages. A ring change is one or
 * more changes of the group (reasons node down, node up) closed by the ring itself. Quorum comes
 * beside it, earlier or later, and names its ring. A view waits for the quorum of its ring, and what
 * comes behind it in the CPG stream waits with it. When another ring is behind it, its own quorum
 * may never be told (a node that thaws sees two rings at once): it goes out as not quorate.
 */
#ifndef STOCKADE_VIEW_MERGE_H
#define STOCKADE_VIEW_MERGE_H

#include "lib/shell/cluster.h"

#include <stdbool.h>

/* Who sent a message in which view: the ring, and who was in the group (a process that leaves or joins
 * makes another view of the same ring).
 */
struct view_stamp {
	struct view_id id;
	uint32_t group;
};

enum view_reason { /* numbers are CPG's */
		   VIEW_JOIN = 1,
		   VIEW_LEAVE = 2,
		   VIEW_NODEDOWN = 3,
		   VIEW_NODEUP = 4,
		   VIEW_PROCDOWN = 5,
};

struct view_process {
	uint32_t nodeid, pid;
	enum view_reason reason; /* of leaving or joining; in a list of members not used */
};

struct view_merge;

#define VIEW_QUORUM_WAIT_MS \
	5000 /* then a view goes out as not quorate, and again when quorum comes */

struct view_merge *view_merge_new(const struct cluster_ops *ops,
				  void *arg);             /* lost is not called */
struct view_merge *view_merge_free(struct view_merge *m); /* not from a callback */
void view_merge_reset(struct view_merge *m); /* corosync is gone; from a callback too */
void view_merge_about(struct view_merge *m, uint32_t self, bool two_node);

/* The streams. 0 or -ENOMEM: an event would be missing, so the connection cannot go on. */
int view_merge_group(struct view_merge *m, const struct view_process *members, unsigned n_members,
		     const struct view_process *left, unsigned n_left,
		     const struct view_process *joined, unsigned n_joined, uint64_t now_ms);
int view_merge_ring(struct view_merge *m, struct view_id ring, const uint32_t *nodes, unsigned n,
		    uint64_t now_ms);
int view_merge_message(struct view_merge *m, uint32_t from, const struct view_stamp *stamp,
		       const void *data, size_t len);
void view_merge_quorum(struct view_merge *m, struct view_id ring, bool quorate);

/* Call back for all that is ready. A callback may reset; it may not free. */
void view_merge_pump(struct view_merge *m, uint64_t now_ms);
uint64_t view_merge_deadline_ms(
	const struct view_merge *m); /* pump again then; UINT64_MAX: never */
bool view_merge_stamp(const struct view_merge *m, struct view_stamp *ret); /* false: no view yet */

#endif
