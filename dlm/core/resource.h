/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/core/resource.h - the rules of one resource: modes, queues, conversions, value block.
 *
 * A resource has three queues: granted (holders), convert (holders that want another mode, first come first served),
 * wait (new requests, first come first served). This file knows how locks may be granted and nothing of who sent them, so
 * the same rules serve a replicated lockspace today and a mastered one later. Pure; all memory is the caller's.
 *
 * Source of the rules: ref/dlm.md 1 (VMS, the Linux kernel's dlm). Where we differ on purpose:
 *  - a value block that was never written reads as zeros for everybody (the kernel leaves a local buffer as it was);
 *  - queue order survives recovery, as recovery does not rebuild queues.
 *
 *   DLM-1  any two holders of a resource are compatible                        dlm_resource_broken()
 *   DLM-2  nobody waits that could be granted (no lost wakeup)                 dlm_resource_stuck()
 */
#ifndef STOCKADE_DLM_RESOURCE_H
#define STOCKADE_DLM_RESOURCE_H

#include "lib/nodeset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DLM_NAME_MAX 64 /* bytes of a resource's or lockspace's name; binary, not NUL-terminated */
#define DLM_LVB_BYTES 32

enum dlm_mode { DLM_IV = -1, DLM_NL, DLM_CR, DLM_CW, DLM_PR, DLM_PW, DLM_EX };

/* Same values as libdlm's LKF_*: they come from its callers. */
enum dlm_flag {
	DLM_F_NOQUEUE = 0x1,
	DLM_F_CANCEL = 0x2,
	DLM_F_CONVERT = 0x4,
	DLM_F_VALBLK = 0x8,
	DLM_F_QUECVT = 0x10,
	DLM_F_IVVALBLK = 0x20,
	DLM_F_CONVDEADLK = 0x40,
	DLM_F_PERSISTENT = 0x80,
	DLM_F_NODLCKWT = 0x100,
	DLM_F_NODLCKBLK = 0x200,
	DLM_F_EXPEDITE = 0x400,
	DLM_F_NOQUEUEBAST = 0x800,
	DLM_F_HEADQUE = 0x1000,
	DLM_F_NOORDER = 0x2000,
	DLM_F_ORPHAN = 0x4000,
	DLM_F_ALTPR = 0x8000,
	DLM_F_ALTCW = 0x10000,
	DLM_F_FORCEUNLOCK = 0x20000,
};

/* Status flags of a completion (libdlm's DLM_SBF_*). */
enum dlm_sbflag { DLM_SBF_DEMOTED = 0x1, DLM_SBF_VALNOTVALID = 0x2, DLM_SBF_ALTMODE = 0x4 };

/* Final statuses beyond errno (libdlm's values); a completion carries 0, -errno, or one of these. */
#define DLM_ECANCEL 0x10001
#define DLM_EUNLOCK 0x10002

enum dlm_queue { DLM_Q_NONE, DLM_Q_GRANTED, DLM_Q_CONVERT, DLM_Q_WAIT };

struct dlm_resource;

struct dlm_lock {
	/* identity and owner: the caller's business, untouched here */
	uint32_t lkid;   /* unique within its life */
	uint8_t life;    /* index of the owner's incarnation */
	uint32_t client; /* the owner's connection at its daemon; 0: an orphan */
	uint32_t pid;
	/* the rules' part */
	struct dlm_resource *res;
	struct dlm_lock *prev, *next; /* in its queue */
	enum dlm_queue queue;
	int8_t granted;    /* DLM_IV while it waits for its first grant */
	int8_t wanted;     /* DLM_IV when nothing is asked */
	uint8_t bast_sent; /* bit per mode: blocking notices sent since the last grant */
	uint32_t flags;    /* of the request or conversion outstanding, or of the last one */
	bool demoted;      /* CONVDEADLK set its held mode to NL; the next completion says so */
	uint64_t token;    /* of the last grant: grows over the whole lockspace (fencing token) */
	uint64_t
		since_ms; /* in its queue, by this node's clock, for people; 0: since before we were told of it */
};

struct dlm_resource {
	struct dlm_resource *hash_next; /* the caller's */
	uint8_t space_len, name_len;
	uint8_t space[DLM_NAME_MAX];
	uint8_t name[DLM_NAME_MAX];
	uint8_t lvb[DLM_LVB_BYTES];
	bool lvb_invalid; /* VALNOTVALID: its last writer died, or said so */
	uint64_t lvb_seq; /* writes so far */
	struct dlm_lock *granted, *convert, *wait; /* heads; granted in order of grant */
};

/* What a step of the rules causes, in order. The caller's function stores it; it must not call back in here. */
struct dlm_notice {
	enum { DLM_NOTICE_DONE = 1, DLM_NOTICE_BLOCKING } type;
	struct dlm_lock *lock;
	/* DONE: the completion. The lock is gone after it when `gone`. */
	int status;      /* 0, -EAGAIN, -EDEADLK, DLM_ECANCEL, DLM_EUNLOCK */
	uint8_t sbflags; /* enum dlm_sbflag */
	bool gone;
	bool lvb_read; /* copy res->lvb to the caller */
	/* BLOCKING: the mode that waits for this lock */
	int8_t mode;
};

struct dlm_sink {
	void (*notice)(void *arg, const struct dlm_notice *n);
	void *arg;
	uint64_t *token; /* counter the next grant's token is taken from */
	uint64_t now_ms; /* for since_ms */
};

bool dlm_mode_valid(int mode); /* DLM_NL..DLM_EX */
bool dlm_compatible(int held, int asked);
const char *dlm_mode_name(int mode); /* "EX"; "--" for DLM_IV */

/**
 * dlm_check_request(), dlm_check_unlock() - may a caller ask for this at all?
 * @granted: mode held now (conversions), DLM_IV for a new lock
 * Return: 0 or -EINVAL; the combinations are those of ref/dlm.md 1.2
 */
int dlm_check_request(int mode, uint32_t flags, int granted);
int dlm_check_unlock(uint32_t flags);

/* @lock: not queued, res set. Ends granted, waiting, or (NOQUEUE) gone with -EAGAIN. */
void dlm_request(struct dlm_lock *lock, int mode, uint32_t flags, const struct dlm_sink *sink);

/* @lvb: [DLM_LVB_BYTES] what the caller would write, NULL: nothing. Return: 0, -EBUSY not on the granted queue, -EINVAL. */
int dlm_convert(struct dlm_lock *lock, int mode, uint32_t flags, const uint8_t *lvb,
		const struct dlm_sink *sink);

/* Return: 0, -EBUSY an operation is outstanding and FORCEUNLOCK was not given. */
int dlm_unlock(struct dlm_lock *lock, uint32_t flags, const uint8_t *lvb,
	       const struct dlm_sink *sink);

/* Takes back what is outstanding; a race lost against a grant is no error: nothing happens. */
void dlm_cancel(struct dlm_lock *lock, const struct dlm_sink *sink);

/*
 * The end of an owner comes in three steps, so that nothing is granted to another lock of the same owner in between:
 * dlm_abandon() or dlm_purge() for each of its locks, then dlm_pass() for each resource. None of them completes the lock.
 */
/* It can no longer hear us but may still act on what it holds: forget what it asked, keep what it has (SAFE-2). A lock
 * that only waited is in no queue afterwards. */
void dlm_abandon(struct dlm_lock *lock);
/* It is gone: take the lock out; a writer's value block becomes invalid. */
void dlm_purge(struct dlm_lock *lock);
/* Grant what can be granted, and tell who is in the way of the rest. */
void dlm_pass(struct dlm_resource *res, const struct dlm_sink *sink);

/* For a snapshot: append as it was, no rule applied. */
void dlm_restore(struct dlm_lock *lock, enum dlm_queue queue);

bool dlm_resource_unused(const struct dlm_resource *res);
const char *dlm_resource_broken(const struct dlm_resource *res); /* "DLM-1" or NULL: sound */
const char *dlm_resource_stuck(
	const struct dlm_resource *res); /* "DLM-2" or NULL; after dlm_pass() */

#endif
