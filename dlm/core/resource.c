/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define ALL_REQUEST_FLAGS                                                                          \
	(DLM_F_NOQUEUE | DLM_F_CONVERT | DLM_F_VALBLK | DLM_F_QUECVT | DLM_F_IVVALBLK |            \
	 DLM_F_CONVDEADLK | DLM_F_PERSISTENT | DLM_F_NODLCKWT | DLM_F_NODLCKBLK | DLM_F_EXPEDITE | \
	 DLM_F_NOQUEUEBAST | DLM_F_HEADQUE | DLM_F_NOORDER | DLM_F_ORPHAN | DLM_F_ALTPR |          \
	 DLM_F_ALTCW)
#define ALL_UNLOCK_FLAGS (DLM_F_CANCEL | DLM_F_VALBLK | DLM_F_IVVALBLK | DLM_F_FORCEUNLOCK)

#define M(mode) (1u << (mode))
/* For each mode asked, the held modes it can live with. Symmetric; PR and CW are not ordered. */
static const uint8_t compatible_with[] = {
	[DLM_NL] = M(DLM_NL) | M(DLM_CR) | M(DLM_CW) | M(DLM_PR) | M(DLM_PW) | M(DLM_EX),
	[DLM_CR] = M(DLM_NL) | M(DLM_CR) | M(DLM_CW) | M(DLM_PR) | M(DLM_PW),
	[DLM_CW] = M(DLM_NL) | M(DLM_CR) | M(DLM_CW),
	[DLM_PR] = M(DLM_NL) | M(DLM_CR) | M(DLM_PR),
	[DLM_PW] = M(DLM_NL) | M(DLM_CR),
	[DLM_EX] = M(DLM_NL),
};
/* QUECVT is accepted for these targets of each held mode. */
static const uint8_t upward_from[] = {
	[DLM_NL] = M(DLM_CR) | M(DLM_CW) | M(DLM_PR) | M(DLM_PW) | M(DLM_EX),
	[DLM_CR] = M(DLM_PR) | M(DLM_CW) | M(DLM_PW) | M(DLM_EX),
	[DLM_CW] = M(DLM_PR) | M(DLM_PW) | M(DLM_EX),
	[DLM_PR] = M(DLM_CW) | M(DLM_PW) | M(DLM_EX),
	[DLM_PW] = M(DLM_EX),
	[DLM_EX] = 0,
};
#undef M

/* What a grant does with the value block: row held before (IV: new), column granted. PW to EX reads. */
enum lvb_move { LVB_NONE, LVB_READ, LVB_WRITE };
#define N LVB_NONE
#define R LVB_READ
#define W LVB_WRITE
static const uint8_t lvb_moves[7][6] = {
	/*          NL CR CW PR PW EX */
	/* new */ { R, R, R, R, R, R },
	/* NL  */ { R, R, R, R, R, R },
	/* CR  */ { N, R, R, R, R, R },
	/* CW  */ { N, N, R, R, R, R },
	/* PR  */ { N, N, N, R, R, R },
	/* PW  */ { W, W, W, W, W, R },
	/* EX  */ { W, W, W, W, W, W },
};
#undef N
#undef R
#undef W

bool dlm_mode_valid(int mode)
{
	return mode >= DLM_NL && mode <= DLM_EX;
}

bool dlm_compatible(int held, int asked)
{
	return held == DLM_IV || asked == DLM_IV || (compatible_with[asked] >> held & 1);
}

const char *dlm_mode_name(int mode)
{
	static const char *const names[] = { "NL", "CR", "CW", "PR", "PW", "EX" };

	return dlm_mode_valid(mode) ? names[mode] : "--";
}

int dlm_check_request(int mode, uint32_t flags, int granted)
{
	bool convert = flags & DLM_F_CONVERT;

	if (!dlm_mode_valid(mode) || flags & ~(uint32_t)ALL_REQUEST_FLAGS)
		return -EINVAL;
	if (flags & (DLM_F_QUECVT | DLM_F_CONVDEADLK) && !convert)
		return -EINVAL;
	if (flags & DLM_F_CONVDEADLK && flags & DLM_F_NOQUEUE)
		return -EINVAL;
	if (flags & DLM_F_EXPEDITE &&
	    (mode != DLM_NL || flags & (DLM_F_CONVERT | DLM_F_QUECVT | DLM_F_NOQUEUE)))
		return -EINVAL;
	if (flags & DLM_F_QUECVT && dlm_mode_valid(granted) && !(upward_from[granted] >> mode & 1))
		return -EINVAL;
	return 0;
}

int dlm_check_unlock(uint32_t flags)
{
	if (flags & ~(uint32_t)ALL_UNLOCK_FLAGS)
		return -EINVAL;
	if (flags & DLM_F_CANCEL && flags & DLM_F_FORCEUNLOCK)
		return -EINVAL;
	return 0;
}

/* Queues */

static struct dlm_lock **head_of(struct dlm_resource *res, enum dlm_queue queue)
{
	switch (queue) {
	case DLM_Q_GRANTED: return &res->granted;
	case DLM_Q_CONVERT: return &res->convert;
	case DLM_Q_WAIT: return &res->wait;
	case DLM_Q_NONE: break;
	}
	assert(!"a lock outside all queues has no head");
	return NULL;
}

static void dequeue(struct dlm_lock *lock)
{
	struct dlm_lock **head = head_of(lock->res, lock->queue);

	if (lock->prev)
		lock->prev->next = lock->next;
	else
		*head = lock->next;
	if (lock->next)
		lock->next->prev = lock->prev;
	lock->prev = lock->next = NULL;
	lock->queue = DLM_Q_NONE;
}

static void enqueue(struct dlm_lock *lock, enum dlm_queue queue, bool at_head)
{
	struct dlm_lock **head = head_of(lock->res, queue), *last = *head;

	assert(lock->queue == DLM_Q_NONE);
	lock->queue = queue;
	lock->prev = lock->next = NULL;
	if (at_head || !last) {
		lock->next = last;
		if (last)
			last->prev = lock;
		*head = lock;
		return;
	}
	while (last->next)
		last = last->next;
	last->next = lock;
	lock->prev = last;
}

/* Rules */

static bool conflicts(const struct dlm_lock *first, const struct dlm_lock *self, int mode)
{
	for (const struct dlm_lock *l = first; l; l = l->next)
		if (l != self && !dlm_compatible(l->granted, mode))
			return true;
	return false;
}

/* The ten tests of ref/dlm.md 1.3, in their order. @now: an attempt at arrival, before it is queued. */
static bool grantable_as(const struct dlm_lock *lock, int mode, bool now)
{
	const struct dlm_resource *res = lock->res;
	bool convert = lock->granted != DLM_IV;

	if (lock->flags & DLM_F_EXPEDITE)
		return true;
	if (conflicts(res->granted, lock, mode) || conflicts(res->convert, lock, mode))
		return false;
	if (convert && now)
		return !(lock->flags & DLM_F_QUECVT) || !res->convert;
	if (lock->flags & DLM_F_NOORDER)
		return true;
	if (convert)
		return res->convert == lock;
	if (now)
		return !res->convert && !res->wait;
	return !res->convert && res->wait == lock;
}

/* Also tries ALTPR and ALTCW. Return: the mode it can have, or DLM_IV. */
static int grantable(const struct dlm_lock *lock, bool now)
{
	if (grantable_as(lock, lock->wanted, now))
		return lock->wanted;
	if (lock->flags & DLM_F_ALTPR && lock->wanted != DLM_PR && grantable_as(lock, DLM_PR, now))
		return DLM_PR;
	if (lock->flags & DLM_F_ALTCW && lock->wanted != DLM_CW && grantable_as(lock, DLM_CW, now))
		return DLM_CW;
	return DLM_IV;
}

static void lvb_write(struct dlm_resource *res, const uint8_t *lvb)
{
	memcpy(res->lvb, lvb, DLM_LVB_BYTES);
	res->lvb_invalid = false;
	res->lvb_seq++;
}

/* @lvb: what a conversion brought to write. A grant out of a queue brings none: down-conversions never queue, but with
 * QUECVT and ALTPR or ALTCW a queued PW to EX may end as one. */
static void grant(struct dlm_lock *lock, int mode, const uint8_t *lvb, const struct dlm_sink *sink)
{
	struct dlm_resource *res = lock->res;
	struct dlm_notice n = { .type = DLM_NOTICE_DONE, .lock = lock };
	enum lvb_move move = lvb_moves[lock->granted + 1][mode];

	switch (move) {
	case LVB_NONE: break;
	case LVB_READ: n.lvb_read = lock->flags & DLM_F_VALBLK; break;
	case LVB_WRITE:
		if (lock->flags & DLM_F_IVVALBLK)
			res->lvb_invalid = true;
		else if (lock->flags & DLM_F_VALBLK && lvb)
			lvb_write(res, lvb);
		else if (lock->flags & DLM_F_VALBLK)
			res->lvb_invalid = true; /* what it brought was not kept: say so */
		break;
	}
	if (res->lvb_invalid && (n.lvb_read || move == LVB_NONE))
		n.sbflags |= DLM_SBF_VALNOTVALID;
	if (mode != lock->wanted)
		n.sbflags |= DLM_SBF_ALTMODE;
	if (lock->demoted)
		n.sbflags |= DLM_SBF_DEMOTED;
	lock->demoted = false;
	if (lock->queue != DLM_Q_NONE)
		dequeue(lock);
	enqueue(lock, DLM_Q_GRANTED, false);
	lock->granted = (int8_t)mode;
	lock->wanted = DLM_IV;
	lock->bast_sent = 0;
	lock->token = ++*sink->token;
	lock->since_ms = sink->now_ms;
	sink->notice(sink->arg, &n);
}

/* A notice for @mode is no news when one of the modes told before can live with nothing that @mode cannot: EX covers
 * all, PW covers PR and CW, and these two, which are not ordered, do not cover each other. */
static bool told(const struct dlm_lock *lock, int mode)
{
	for (int m = DLM_NL; m <= DLM_EX; m++)
		if (lock->bast_sent >> m & 1 && !(compatible_with[m] & ~compatible_with[mode]))
			return true;
	return false;
}

static void tell_blocking(struct dlm_lock *lock, int mode, const struct dlm_sink *sink)
{
	if (dlm_compatible(lock->granted, mode) || told(lock, mode))
		return;
	lock->bast_sent |= (uint8_t)(1u << mode);
	sink->notice(sink->arg, &(struct dlm_notice){ .type = DLM_NOTICE_BLOCKING,
						      .lock = lock,
						      .mode = (int8_t)mode });
}

/* Tell whoever holds against @mode. */
static void send_blocking(struct dlm_resource *res, const struct dlm_lock *blocked, int mode,
			  const struct dlm_sink *sink)
{
	struct dlm_lock *heads[] = { res->granted, res->convert };

	for (size_t q = 0; q < 2; q++)
		for (struct dlm_lock *l = heads[q]; l; l = l->next)
			if (l != blocked)
				tell_blocking(l, mode, sink);
}

/* Tell each holder what waits for it, the most demanding mode first: that covers the others, so a holder hears of a
 * pass twice at most (PR and CW). */
static void send_all_blocking(struct dlm_resource *res, const struct dlm_sink *sink)
{
	struct dlm_lock *heads[] = { res->granted, res->convert };
	unsigned asked[DLM_EX + 1] = { 0 };

	for (const struct dlm_lock *l = res->convert; l; l = l->next)
		asked[l->wanted]++;
	for (const struct dlm_lock *l = res->wait; l; l = l->next)
		asked[l->wanted]++;
	for (size_t q = 0; q < 2; q++)
		for (struct dlm_lock *l = heads[q]; l; l = l->next)
			for (int mode = DLM_EX; mode > DLM_NL; mode--)
				if (asked[mode] > (q == 1 && l->wanted == mode))
					tell_blocking(l, mode, sink);
}

/* After any change: conversions from the head (again after each grant), then waiters; then say who still blocks. */
void dlm_pass(struct dlm_resource *res, const struct dlm_sink *sink)
{
	struct dlm_lock **heads[] = { &res->convert, &res->wait };
	bool again;

	for (size_t q = 0; q < 2; q++)
		do {
			again = false;
			for (struct dlm_lock *l = *heads[q]; l && !again; l = l->next) {
				int mode = grantable(l, false);

				if (mode == DLM_IV)
					continue;
				grant(l, mode, NULL, sink);
				again = true;
			}
		} while (again);
	send_all_blocking(res, sink);
}

static void complete(struct dlm_lock *lock, int status, bool gone, const struct dlm_sink *sink)
{
	struct dlm_notice n = {
		.type = DLM_NOTICE_DONE, .lock = lock, .status = status, .gone = gone
	};

	if (lock->demoted)
		n.sbflags |= DLM_SBF_DEMOTED;
	lock->demoted = false;
	sink->notice(sink->arg, &n);
}

void dlm_request(struct dlm_lock *lock, int mode, uint32_t flags, const struct dlm_sink *sink)
{
	struct dlm_resource *res = lock->res;
	int got;

	lock->queue = DLM_Q_NONE;
	lock->granted = DLM_IV;
	lock->wanted = (int8_t)mode;
	lock->bast_sent = 0;
	lock->demoted = false;
	lock->flags = flags;
	lock->since_ms = sink->now_ms;
	got = grantable(lock, true);
	if (got != DLM_IV) {
		grant(lock, got, NULL, sink);
		send_all_blocking(res,
				  sink); /* with NOORDER it may stand in the way of who waits */
		return;
	}
	if (flags & DLM_F_NOQUEUE) {
		if (flags & DLM_F_NOQUEUEBAST)
			send_blocking(res, lock, mode, sink);
		complete(lock, -EAGAIN, true, sink);
		return;
	}
	enqueue(lock, DLM_Q_WAIT, flags & DLM_F_HEADQUE);
	dlm_pass(res,
		 sink); /* at the head it may be granted at once; else it tells who is in the way */
}

/* Would queueing this conversion leave two conversions that wait for each other? It goes last, or first with HEADQUE.
 * Whoever is behind waits for the one ahead, so it is enough that the one behind holds what the one ahead wants. */
static bool conversion_deadlock(const struct dlm_lock *lock)
{
	for (const struct dlm_lock *q = lock->res->convert; q; q = q->next) {
		const struct dlm_lock *ahead = lock->flags & DLM_F_HEADQUE ? lock : q;
		const struct dlm_lock *behind = ahead == q ? lock : q;

		if (!dlm_compatible(behind->granted, ahead->wanted))
			return true;
	}
	return false;
}

int dlm_convert(struct dlm_lock *lock, int mode, uint32_t flags, const uint8_t *lvb,
		const struct dlm_sink *sink)
{
	struct dlm_resource *res = lock->res;
	int got;

	if (lock->queue != DLM_Q_GRANTED)
		return -EBUSY;
	if (dlm_check_request(mode, flags, lock->granted) < 0)
		return -EINVAL;
	lock->wanted = (int8_t)mode;
	lock->flags = flags;
	got = grantable(lock, true);
	if (got != DLM_IV) {
		grant(lock, got, lvb, sink);
		dlm_pass(res, sink);
		return 0;
	}
	if (flags & DLM_F_NOQUEUE) {
		lock->wanted = DLM_IV;
		if (flags & DLM_F_NOQUEUEBAST)
			send_blocking(res, lock, mode, sink);
		complete(lock, -EAGAIN, false, sink);
		return 0;
	}
	if (!(flags & DLM_F_NODLCKWT) && conversion_deadlock(lock)) {
		if (!(flags & DLM_F_CONVDEADLK)) {
			lock->wanted = DLM_IV;
			complete(lock, -EDEADLK, false, sink);
			return 0;
		}
		lock->demoted = true;
		lock->granted = DLM_NL;
	}
	dequeue(lock);
	/* With HEADQUE a demotion does not help those who wait behind: it loses its place too. */
	enqueue(lock, DLM_Q_CONVERT, flags & DLM_F_HEADQUE && !lock->demoted);
	lock->since_ms = sink->now_ms;
	dlm_pass(res, sink); /* a demotion may let others in; it also tells who blocks us */
	return 0;
}

static bool may_write_lvb(const struct dlm_lock *lock)
{
	return lock->granted == DLM_PW || lock->granted == DLM_EX;
}

int dlm_unlock(struct dlm_lock *lock, uint32_t flags, const uint8_t *lvb,
	       const struct dlm_sink *sink)
{
	struct dlm_resource *res = lock->res;

	if (lock->queue != DLM_Q_GRANTED && !(flags & DLM_F_FORCEUNLOCK))
		return -EBUSY;
	if (may_write_lvb(lock)) {
		if (flags & DLM_F_IVVALBLK)
			res->lvb_invalid = true;
		else if (flags & DLM_F_VALBLK && lvb)
			lvb_write(res, lvb);
	}
	dequeue(lock);
	lock->granted = lock->wanted = DLM_IV;
	complete(lock, DLM_EUNLOCK, true, sink);
	dlm_pass(res, sink);
	return 0;
}

void dlm_cancel(struct dlm_lock *lock, const struct dlm_sink *sink)
{
	struct dlm_resource *res = lock->res;

	if (lock->queue == DLM_Q_GRANTED)
		return;
	if (lock->queue == DLM_Q_CONVERT) {
		dequeue(lock);
		enqueue(lock, DLM_Q_GRANTED, false);
		lock->wanted = DLM_IV;
		complete(lock, DLM_ECANCEL, false, sink);
	} else {
		dequeue(lock);
		lock->wanted = DLM_IV;
		complete(lock, DLM_ECANCEL, true, sink);
	}
	dlm_pass(res, sink);
}

void dlm_purge(struct dlm_lock *lock)
{
	if (may_write_lvb(lock))
		lock->res->lvb_invalid = true;
	dequeue(lock);
	lock->granted = lock->wanted = DLM_IV;
}

void dlm_abandon(struct dlm_lock *lock)
{
	switch (lock->queue) {
	case DLM_Q_CONVERT:
		dequeue(lock);
		enqueue(lock, DLM_Q_GRANTED, false);
		break;
	case DLM_Q_WAIT: dequeue(lock); break;
	case DLM_Q_GRANTED:
	case DLM_Q_NONE: break;
	}
	lock->wanted = DLM_IV;
	lock->demoted = false;
}

void dlm_restore(struct dlm_lock *lock, enum dlm_queue queue)
{
	lock->queue = DLM_Q_NONE;
	enqueue(lock, queue, false);
}

bool dlm_resource_unused(const struct dlm_resource *res)
{
	return !res->granted && !res->convert && !res->wait;
}

const char *dlm_resource_broken(const struct dlm_resource *res)
{
	struct dlm_lock *heads[] = { res->granted, res->convert };

	for (size_t q = 0; q < 2; q++)
		for (const struct dlm_lock *l = heads[q]; l; l = l->next)
			if (conflicts(res->granted, l, l->granted) ||
			    conflicts(res->convert, l, l->granted))
				return "DLM-1";
	return NULL;
}

const char *dlm_resource_stuck(const struct dlm_resource *res)
{
	for (const struct dlm_lock *l = res->convert; l; l = l->next)
		if (grantable(l, false) != DLM_IV)
			return "DLM-2";
	for (const struct dlm_lock *l = res->wait; l; l = l->next)
		if (grantable(l, false) != DLM_IV)
			return "DLM-2";
	return NULL;
}
