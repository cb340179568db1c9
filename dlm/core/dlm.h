/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/core/dlm.h - the lock domain: resources replicated on every node, fed in agreed order.
 *
 * Pure: no I/O, clock, log, nor allocation after dlm_new(). Same events, same actions. dlmd feeds it from corosync, sim/
 * from a seed. Every node holds every lock, so nothing is re-mastered when a node dies: its locks stand until fenced's
 * proof arrives *in the order* (a PROOF message), and go away on all nodes at that same point.
 *
 * Until that proof *all* locking stands still, as it does with the kernel's dlm: a node that was cut off may have heard a
 * grant of its own that nobody else heard, and of two nodes that lose each other both are quorate. The same holds at
 * the start: a configured node whose dlmd nobody has seen may run one and hold locks, so it counts as lost until that
 * joins, or it is proven off. Parked operations are sent when the last proof is there and all members have said that
 * they know it (READY): a view in which anybody goes on is known to each of its members (doc/SAFETY.md "Who goes on").
 *
 *   DLM-1, DLM-2  resource.h                                                        dlm_broken(), sim across nodes
 *   DLM-3  synced members at one point of the order hold equal state                dlm_digest(), sim
 *   DLM-4  a lock of a life that is lost or absent leaves only by a proof (SAFE-2)  dlm_broken(), sim
 *   DLM-5  each submitted operation gets exactly one REPLY, each accepted request one DONE   sim
 *   DLM-6  nothing is granted in a view without quorum, before it is synced and all are ready, or while a proof is
 *          missing (SAFE-4)                                                         dlm_broken(), sim
 */
#ifndef STOCKADE_DLM_CORE_H
#define STOCKADE_DLM_CORE_H

#include "lib/fence_state.h"
#include "resource.h"

#ifndef SEARCH_SMALL
#define DLM_LOCKS_MAX 4096
#define DLM_RESOURCES_MAX 2048
#define DLM_LIVES_MAX \
	64 /* incarnations that hold or may hold locks: living ones and those that wait for a proof */
#define DLM_PENDING_MAX 1024
#define DLM_CLIENTS_MAX 64
#define DLM_SEND_BYTES (1 << 20) /* a whole state fits: 4096 locks x 48 + 2048 resources x 180 */
#define DLM_CHUNK_BYTES (200 * 1024)
#else /* sim/search alone, see lib/nodeset.h */
#define DLM_LOCKS_MAX 6
#define DLM_RESOURCES_MAX 2
#define DLM_LIVES_MAX 8
#define DLM_PENDING_MAX 6
#define DLM_CLIENTS_MAX 2
#define DLM_SEND_BYTES 65536
#define DLM_CHUNK_BYTES 32768
#endif

enum dlm_op_type {
	DLM_OP_LOCK = 1,    /* a new lock; with DLM_F_ORPHAN: take over an orphan of this node */
	DLM_OP_CONVERT,     /* lkid */
	DLM_OP_UNLOCK,      /* lkid; DLM_F_CANCEL: take back what is outstanding */
	DLM_OP_CLIENT_GONE, /* client: its locks go, or become orphans when PERSISTENT */
	DLM_OP_PURGE, /* pid: orphans of that process on this node; 0: all orphans of this node */
};

struct dlm_op {
	enum dlm_op_type type;
	uint32_t client; /* 1..; the daemon's number of a connection */
	uint64_t cookie; /* the daemon's, handed back in REPLY; stays on this node */
	uint32_t pid;
	uint32_t lkid; /* CONVERT, UNLOCK */
	int mode;
	uint32_t flags;
	bool has_lvb; /* CONVERT, UNLOCK: lvb is what to write */
	uint8_t lvb[DLM_LVB_BYTES];
	uint8_t space_len, name_len; /* LOCK: 1..DLM_NAME_MAX */
	uint8_t space[DLM_NAME_MAX], name[DLM_NAME_MAX];
};

struct dlm_event {
	enum {
		DLM_EV_VIEW = 1, /* cluster.h's view */
		DLM_EV_DELIVER,  /* in agreed order, own messages too */
		DLM_EV_FENCE,    /* fenced's latest state */
		DLM_EV_SUBMIT,   /* an operation of a local client */
		DLM_EV_LEAVE, /* say goodbye: LEFT follows, or REPLY -EBUSY while this node holds locks */
	} type;
	uint64_t now_ms; /* for dlm_lock.since_ms only: decides nothing */
	union {
		struct {
			struct view_id id;
			bool quorate;
			struct nodeset nodes;   /* in corosync's membership */
			struct nodeset members; /* our group, ourselves included */
			struct nodeset
				joined; /* members that were not there before, or are there anew */
		} view;
		struct {
			uint32_t from;
			const void *data;
			size_t len;
		} deliver;
		const struct fence_state *fence;
		const struct dlm_op *submit;
	};
};

struct dlm_action {
	enum {
		DLM_ACT_SEND = 1, /* actions.bytes[send.off .. + send.len) to the group */
		DLM_ACT_REPLY,    /* the answer to one SUBMIT: 0 or -errno; lkid for LOCK */
		DLM_ACT_DONE,     /* completion for a local client */
		DLM_ACT_BLOCKING, /* a local client's lock is in somebody's way */
		DLM_ACT_SYNCED, /* yes: all know the same (and go on when proofs are there); no: it stands still */
		DLM_ACT_LOST, /* history: a life was lost or is absent (`state`) with `n` locks; they stand */
		DLM_ACT_RECOVERED, /* history: its proof arrived, `n` locks are gone */
		DLM_ACT_EVICTED, /* the others went on without this daemon, or it without them: its clients' locks are in
				  * doubt (SAFE-7). It must end them and start anew, with nothing known: only then is it
				  * a member again */
		DLM_ACT_LEFT, /* our goodbye was delivered: leave the group */
	} type;
	union {
		struct {
			size_t off, len;
		} send;
		struct {
			uint32_t client;
			uint64_t cookie;
			int rc;
			uint32_t lkid;
		} reply;
		struct {
			uint32_t client, lkid;
			int status; /* 0, -EAGAIN, -EDEADLK, DLM_ECANCEL, DLM_EUNLOCK */
			uint8_t sbflags;
			bool gone, lvb_read;
			int mode; /* granted now; DLM_IV when gone */
			uint64_t token;
			uint8_t lvb[DLM_LVB_BYTES];
		} done;
		struct {
			uint32_t client, lkid;
			int mode;
		} blocking;
		bool synced;
		struct {
			struct incarnation life; /* boot id all zero: a node never seen */
			int state;               /* LOST: enum dlm_life_state */
			enum proof_kind proof;   /* RECOVERED */
			unsigned n;
		} life;
	};
};

/* The caller's, too big for a stack; every step overwrites it. */
/* A step tells a lock at most thrice: one DONE, two BLOCKING. */
#define DLM_ACTIONS_MAX (3 * DLM_LOCKS_MAX + 2 * DLM_PENDING_MAX + 2 * DLM_LIVES_MAX + 16)
struct dlm_actions {
	unsigned n;
	struct dlm_action v[DLM_ACTIONS_MAX];
	size_t bytes_used;
	uint8_t bytes[DLM_SEND_BYTES];
};

struct dlm;

/* @self: join numbers dlmd's own start. @configured: all nodes of the cluster. NULL: no memory. */
struct dlm *dlm_new(const struct incarnation *self, struct nodeset configured);
struct dlm *dlm_free(struct dlm *dlm);

/**
 * dlm_step() - feed one event, get the actions it causes, in the order to do them.
 * Return: 0, or with the domain unchanged and out->n == 0:
 *   -EPROTO  a message that cannot be read or comes from a non-member
 *   -EINVAL  VIEW without ourselves; SUBMIT with arguments that no state could allow
 *   -ENOSPC  SUBMIT while DLM_PENDING_MAX operations are under way
 *   -ESHUTDOWN SUBMIT after EVICTED or LEAVE
 */
int dlm_step(struct dlm *dlm, const struct dlm_event *ev, struct dlm_actions *out);

/* What a message of an operation and a client's SUBMIT have in common, from pid on; @s says whether all of it was there. Too long a
 * name is not copied: its length tells, and dlm_step() refuses it.
 */
struct wire_r;
void dlm_op_read_rest(struct wire_r *s, struct dlm_op *op);

const char *dlm_broken(const struct dlm *dlm); /* id of a broken invariant, or NULL: sound */
uint64_t dlm_digest(
	const struct dlm *dlm); /* of the replicated state: equal on synced members (DLM-3) */

/* To look: for status, why and tests. */
struct dlm_status {
	bool quorate, informed, evicted;
	bool synced; /* it goes on, or waits for proofs alone */
	struct view_id view;
	struct nodeset members, waiting_sync; /* whose SYNC, STATE or READY has not come yet */
	unsigned locks, resources, pending;
	unsigned lives_waiting;     /* lost or absent, no proof yet */
	struct nodeset stopped_for; /* synced, but all stands still until these are proven off */
};
void dlm_status(const struct dlm *dlm, struct dlm_status *ret);

enum dlm_life_state { DLM_LIFE_NONE, DLM_LIFE_MEMBER, DLM_LIFE_ABSENT, DLM_LIFE_LOST };
struct dlm_life_view {
	struct incarnation life;
	enum dlm_life_state state;
	unsigned locks;
};
bool dlm_life_at(const struct dlm *dlm, unsigned index,
		 struct dlm_life_view *ret); /* index < DLM_LIVES_MAX; false: none */

/* Walk resources: NULL starts; NULL ends. Pointers are valid until the next step. */
const struct dlm_resource *dlm_resource_next(const struct dlm *dlm,
					     const struct dlm_resource *after);

#endif
