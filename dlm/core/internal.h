/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/core/internal.h - what the files of the lock domain share: dlm.c (events, join protocol), ops.c (operations),
 * proofs.c (what fenced says), state.c (the replicated state as bytes). */
#ifndef STOCKADE_DLM_INTERNAL_H
#define STOCKADE_DLM_INTERNAL_H

#include "dlm.h"
#include "lib/wire.h"

#define DLM_WIRE_VERSION 2
#ifndef SEARCH_SMALL
#define DLM_HASH 1024
#else
#define DLM_HASH 4
#endif

enum dlm_msg {
	DLM_MSG_SYNC = 1,
	DLM_MSG_STATE,
	DLM_MSG_OP,
	DLM_MSG_PROOF,
	DLM_MSG_LEAVE,
	DLM_MSG_QUORUM,
	DLM_MSG_READY,
	DLM_MSG_FENCED
};

struct dlm_life {
	enum dlm_life_state state;
	struct incarnation inc;
	uint64_t op_last;   /* number of its last applied operation */
	uint32_t lkid_last; /* of its last new lock */
	uint64_t
		fenced; /* the latest join of its node's fenced that its daemon said it is beside; 0: an older release */
};

struct dlm_sync { /* what a member said in this view */
	struct incarnation inc;
	bool informed;
	struct view_id last_view;
	uint64_t history;
	struct nodeset configured; /* as its configuration has them */
	bool confirmed;            /* in last_view it heard all others ready */
};

struct dlm {
	struct incarnation self;
	struct nodeset configured;
	bool evicted, leaving;
	uint64_t now_ms; /* of the event under way */

	/* the replicated state */
	bool informed;
	struct view_id last_view; /* the last quorate view that was synced here */
	bool confirmed;           /* in it we heard all ready, and have been in the group since */
	uint64_t history;         /* messages applied, over the whole line of views */
	uint64_t token;
	struct dlm_life life[DLM_LIVES_MAX];
	/* Each is at the same place on every node, as walks in this order decide who is first: the lowest free one is taken,
	 * and a snapshot tells the place. Free: a lock without res, a resource without a name. */
	struct dlm_lock *lock;          /* [DLM_LOCKS_MAX] */
	struct dlm_resource *res;       /* [DLM_RESOURCES_MAX] */
	unsigned lock_first, res_first; /* none below is free */
	unsigned lock_end, res_end;     /* none at or above was ever used: walks end here */
	struct dlm_resource *hash[DLM_HASH];
	unsigned n_locks, n_resources;

	/* this view */
	struct view_id view;
	bool told_quorate; /* by corosync, to us; others may hear of it sooner or later */
	bool quorate;      /* agreed in order: a member said so of this view */
	bool synced;
	struct nodeset nodes, members, got_sync;
	struct dlm_sync sync[NODEID_MAX + 1];
	/* What the SYNCs of this round say of dlm_life.fenced, the latest. It only grows, so the members together know best. It is
	 * no part of a history: an older release, which does not count it, has the same one. */
	struct {
		struct incarnation life;
		uint64_t fenced;
	} beside[DLM_LIVES_MAX];
	unsigned n_beside;
	bool wants_state;    /* everybody's SYNC is here, STATE must follow */
	bool loading;        /* its first chunk arrived */
	uint32_t base;       /* who sends it */
	uint64_t proof_sent; /* bit per life: PROOF was sent in this view */
	bool waiting; /* synced, but all stands still until lost lives are proven over, and all know it */
	bool said_ready;
	struct nodeset got_ready;

	struct fence_state fence; /* latest */
	bool has_fence;
	uint64_t fenced,
		fenced_said; /* join of our own fenced, when it was a member last; what the others were told */
	/* Kernels that fenced proved over, the latest: it tells of a node's last one only, and we may not have been synced then. */
	struct {
		struct incarnation life;
		enum proof_kind kind;
	} ended[DLM_LIVES_MAX];
	unsigned n_ended;

	/* own operations submitted and not delivered yet, oldest first */
	struct dlm_op *pending; /* [DLM_PENDING_MAX] ring */
	unsigned pending_head, n_pending;
	uint64_t op_sent; /* number of the last one sent in this view */

	struct dlm_actions *out; /* during a step */
};

/* dlm.c */
struct dlm_action *dlm_push(struct dlm *dlm, int type);
struct dlm_life *dlm_life_of(struct dlm *dlm, uint32_t nodeid); /* its MEMBER life; NULL */
struct dlm_life *dlm_life_add(struct dlm *dlm, const struct incarnation *inc);
bool dlm_is_self(const struct dlm *dlm, const struct dlm_life *life);

/* proofs.c */
void dlm_proofs_hear(struct dlm *dlm, const struct fence_state *fence);
void dlm_proofs_send(struct dlm *dlm);
void dlm_fenced_tell(struct dlm *dlm);
void dlm_life_beside(struct dlm_life *life, uint64_t fenced);
#define DLM_BESIDE_BYTES 36 /* what dlm_beside_write() takes for each life, and for us */
void dlm_beside_write(const struct dlm *dlm, struct wire_w *w);
void dlm_beside_read(struct dlm *dlm,
		     struct wire_r *r); /* NULL: only look whether it can be read */

/* ops.c */
void dlm_op_send(struct dlm *dlm, const struct dlm_op *op, uint64_t number);
int dlm_op_read(struct wire_r *r, struct dlm_op *op, uint64_t *number);
int dlm_op_check(const struct dlm_op *op);
void dlm_op_apply(struct dlm *dlm, struct dlm_life *life, const struct dlm_op *op, bool own);
unsigned dlm_life_drop(struct dlm *dlm,
		       struct dlm_life *life); /* purge all its locks and free the life; how many */
void dlm_life_silence(struct dlm *dlm,
		      struct dlm_life *life); /* forget what it asked, keep what it holds */
void dlm_pass_all(struct dlm *dlm);
unsigned dlm_life_locks(const struct dlm *dlm, const struct dlm_life *life);
#define DLM_ANY UINT32_MAX /* the lowest free place; otherwise that one, NULL if it is taken */
struct dlm_lock *dlm_lock_add(struct dlm *dlm, unsigned at);
void dlm_lock_drop(struct dlm *dlm, struct dlm_lock *lock);
struct dlm_resource *dlm_resource_get(struct dlm *dlm, const uint8_t *space, uint8_t space_len,
				      const uint8_t *name, uint8_t name_len, bool create,
				      unsigned at);
void dlm_resource_put(struct dlm *dlm, struct dlm_resource *res); /* frees it when unused */

/* state.c */
void dlm_state_clear(struct dlm *dlm);
void dlm_state_send(struct dlm *dlm);
int dlm_state_load(struct dlm *dlm, struct wire_r *r, bool *last);
void dlm_r_incarnation(struct wire_r *r, struct incarnation *inc); /* fails on nobody's */
bool dlm_send_begin(struct dlm *dlm, struct wire_w *w, enum dlm_msg type, size_t cap);
void dlm_send_end(struct dlm *dlm, struct wire_w *w);

#endif
