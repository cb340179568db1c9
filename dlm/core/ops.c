/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Memory: pools taken at dlm_new(), so a full pool is an answer (-ENOMEM), the same on every node. */

struct dlm_lock *dlm_lock_add(struct dlm *dlm, unsigned at)
{
	struct dlm_lock *lock;

	if (at == DLM_ANY)
		for (at = dlm->lock_first; at < DLM_LOCKS_MAX && dlm->lock[at].res; at++)
			;
	if (at >= DLM_LOCKS_MAX || dlm->lock[at].res)
		return NULL;
	if (at == dlm->lock_first)
		dlm->lock_first++;
	if (at >= dlm->lock_end)
		dlm->lock_end = at + 1;
	lock = &dlm->lock[at];
	memset(lock, 0, sizeof(*lock));
	lock->granted = lock->wanted = DLM_IV;
	dlm->n_locks++;
	return lock;
}

void dlm_lock_drop(struct dlm *dlm, struct dlm_lock *lock)
{
	assert(lock->queue == DLM_Q_NONE && lock->res);
	lock->res = NULL;
	if (lock - dlm->lock < dlm->lock_first)
		dlm->lock_first = (unsigned)(lock - dlm->lock);
	dlm->n_locks--;
}

static unsigned name_hash(const uint8_t *space, uint8_t space_len, const uint8_t *name,
			  uint8_t name_len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (unsigned i = 0; i < space_len; i++)
		h = (h ^ space[i]) * 16777619u;
	h = (h ^ 0xff) * 16777619u;
	for (unsigned i = 0; i < name_len; i++)
		h = (h ^ name[i]) * 16777619u;
	return h % DLM_HASH;
}

struct dlm_resource *dlm_resource_get(struct dlm *dlm, const uint8_t *space, uint8_t space_len,
				      const uint8_t *name, uint8_t name_len, bool create,
				      unsigned at)
{
	struct dlm_resource **bucket = &dlm->hash[name_hash(space, space_len, name, name_len)],
			    *res;

	for (res = *bucket; res; res = res->hash_next)
		if (res->space_len == space_len && res->name_len == name_len &&
		    memcmp(res->space, space, space_len) == 0 &&
		    memcmp(res->name, name, name_len) == 0)
			return res;
	if (!create)
		return NULL;
	if (at == DLM_ANY)
		for (at = dlm->res_first; at < DLM_RESOURCES_MAX && dlm->res[at].name_len; at++)
			;
	if (at >= DLM_RESOURCES_MAX || dlm->res[at].name_len)
		return NULL;
	if (at == dlm->res_first)
		dlm->res_first++;
	if (at >= dlm->res_end)
		dlm->res_end = at + 1;
	res = &dlm->res[at];
	memset(res, 0, sizeof(*res));
	res->space_len = space_len;
	res->name_len = name_len;
	memcpy(res->space, space, space_len);
	memcpy(res->name, name, name_len);
	res->hash_next = *bucket;
	*bucket = res;
	dlm->n_resources++;
	return res;
}

void dlm_resource_put(struct dlm *dlm, struct dlm_resource *res)
{
	struct dlm_resource **p =
		&dlm->hash[name_hash(res->space, res->space_len, res->name, res->name_len)];

	if (!dlm_resource_unused(res))
		return;
	while (*p != res)
		p = &(*p)->hash_next;
	*p = res->hash_next;
	res->name_len = 0;
	if (res - dlm->res < dlm->res_first)
		dlm->res_first = (unsigned)(res - dlm->res);
	dlm->n_resources--;
}

/* The rules speak; what concerns a client of this node becomes an action. */
static void on_notice(void *arg, const struct dlm_notice *n)
{
	struct dlm *dlm = arg;
	struct dlm_lock *lock = n->lock;
	struct dlm_action *act;

	if (!lock->client || !dlm_is_self(dlm, &dlm->life[lock->life]))
		return;
	switch (n->type) {
	case DLM_NOTICE_DONE:
		act = dlm_push(dlm, DLM_ACT_DONE);
		act->done.client = lock->client;
		act->done.lkid = lock->lkid;
		act->done.status = n->status;
		act->done.sbflags = n->sbflags;
		act->done.gone = n->gone;
		act->done.lvb_read = n->lvb_read;
		act->done.mode = n->gone ? DLM_IV : lock->granted;
		act->done.token = lock->token;
		if (n->lvb_read)
			memcpy(act->done.lvb, lock->res->lvb, DLM_LVB_BYTES);
		break;
	case DLM_NOTICE_BLOCKING:
		act = dlm_push(dlm, DLM_ACT_BLOCKING);
		act->blocking.client = lock->client;
		act->blocking.lkid = lock->lkid;
		act->blocking.mode = n->mode;
		break;
	}
}

static struct dlm_sink sink_of(struct dlm *dlm)
{
	return (struct dlm_sink){
		.notice = on_notice, .arg = dlm, .token = &dlm->token, .now_ms = dlm->now_ms
	};
}

/* A lock the rules have let go of (queue none) leaves the pool, and its resource if nobody else is there. */
static void settle(struct dlm *dlm, struct dlm_lock *lock)
{
	struct dlm_resource *res = lock->res;

	if (lock->queue == DLM_Q_NONE)
		dlm_lock_drop(dlm, lock);
	dlm_resource_put(dlm, res);
}

#define for_each_lock(dlm, lock, lf)                                                            \
	for (struct dlm_lock *lock = (dlm)->lock; lock < (dlm)->lock + (dlm)->lock_end; lock++) \
		if (lock->res && &(dlm)->life[lock->life] == (lf))

unsigned dlm_life_locks(const struct dlm *dlm, const struct dlm_life *life)
{
	unsigned n = 0;

	for_each_lock(dlm, lock, life) n++;
	return n;
}

static struct dlm_lock *lock_find(struct dlm *dlm, const struct dlm_life *life, uint32_t client,
				  uint32_t lkid)
{
	for_each_lock(dlm, lock,
		      life) if (lock->lkid == lkid && lock->client == client) return lock;
	return NULL;
}

unsigned dlm_life_drop(struct dlm *dlm, struct dlm_life *life)
{
	unsigned n = 0;

	for_each_lock(dlm, lock, life)
	{
		dlm_purge(lock);
		settle(dlm, lock);
		n++;
	}
	life->state = DLM_LIFE_NONE;
	dlm->proof_sent &= ~(UINT64_C(1) << (life - dlm->life));
	return n;
}

void dlm_life_silence(struct dlm *dlm, struct dlm_life *life)
{
	for_each_lock(dlm, lock, life)
	{
		lock->client = 0;
		dlm_abandon(lock);
		settle(dlm, lock);
	}
}

void dlm_pass_all(struct dlm *dlm)
{
	struct dlm_sink sink = sink_of(dlm);

	for (const struct dlm_resource *res = dlm_resource_next(dlm, NULL); res;
	     res = dlm_resource_next(dlm, res))
		dlm_pass(&dlm->res[res - dlm->res], &sink);
}

/* Operations as bytes */

void dlm_op_send(struct dlm *dlm, const struct dlm_op *op, uint64_t number)
{
	struct wire_w w;
	size_t sec;

	if (!dlm_send_begin(dlm, &w, DLM_MSG_OP, 512))
		return;
	sec = wire_w_open(&w);
	wire_w_u64(&w, number);
	wire_w_u8(&w, (uint8_t)op->type);
	wire_w_u32(&w, op->client);
	wire_w_u32(&w, op->pid);
	wire_w_u32(&w, op->lkid);
	wire_w_u8(&w, (uint8_t)(op->mode + 1));
	wire_w_u32(&w, op->flags);
	wire_w_bool(&w, op->has_lvb);
	if (op->has_lvb)
		wire_w_bytes(&w, op->lvb, DLM_LVB_BYTES);
	wire_w_u8(&w, op->space_len);
	wire_w_bytes(&w, op->space, op->space_len);
	wire_w_u8(&w, op->name_len);
	wire_w_bytes(&w, op->name, op->name_len);
	wire_w_close(&w, sec);
	dlm_send_end(dlm, &w);
}

void dlm_op_read_rest(struct wire_r *s, struct dlm_op *op)
{
	const uint8_t *p;

	op->pid = wire_r_u32(s);
	op->lkid = wire_r_u32(s);
	op->mode = wire_r_u8(s) - 1;
	op->flags = wire_r_u32(s);
	op->has_lvb = wire_r_bool(s);
	if (op->has_lvb && (p = wire_r_bytes(s, DLM_LVB_BYTES)))
		memcpy(op->lvb, p, DLM_LVB_BYTES);
	op->space_len = wire_r_u8(s);
	p = wire_r_bytes(s, op->space_len);
	if (p && op->space_len <= DLM_NAME_MAX)
		memcpy(op->space, p, op->space_len);
	op->name_len = wire_r_u8(s);
	p = wire_r_bytes(s, op->name_len);
	if (p && op->name_len <= DLM_NAME_MAX)
		memcpy(op->name, p, op->name_len);
}

int dlm_op_read(struct wire_r *r, struct dlm_op *op, uint64_t *number)
{
	struct wire_r s;

	memset(op, 0, sizeof(*op));
	wire_r_section(r, &s);
	*number = wire_r_u64(&s);
	op->type = wire_r_u8(&s);
	op->client = wire_r_u32(&s);
	dlm_op_read_rest(&s, op);
	if (wire_r_done(r) < 0 || wire_r_done(&s) < 0 || dlm_op_check(op) < 0)
		return -EPROTO;
	return 0;
}

int dlm_op_check(const struct dlm_op *op)
{
	/* of any type: what is taken is sent as it is, names and all */
	if (op->space_len > DLM_NAME_MAX || op->name_len > DLM_NAME_MAX)
		return -EINVAL;
	switch (op->type) {
	case DLM_OP_LOCK:
		if (!op->client || op->space_len < 1 || op->name_len < 1 ||
		    op->flags & DLM_F_CONVERT)
			return -EINVAL;
		return dlm_check_request(op->mode, op->flags, DLM_IV);
	case DLM_OP_CONVERT:
		if (!op->client || !op->lkid || !(op->flags & DLM_F_CONVERT))
			return -EINVAL;
		return dlm_check_request(op->mode, op->flags, DLM_IV);
	case DLM_OP_UNLOCK:
		if (!op->client || !op->lkid)
			return -EINVAL;
		return dlm_check_unlock(op->flags);
	case DLM_OP_CLIENT_GONE: return op->client ? 0 : -EINVAL;
	case DLM_OP_PURGE: return 0;
	}
	return -EINVAL;
}

/* Applying */

static int apply_adopt(struct dlm *dlm, struct dlm_life *life, const struct dlm_op *op,
		       struct dlm_lock **ret_lock)
{
	struct dlm_resource *res = dlm_resource_get(dlm, op->space, op->space_len, op->name,
						    op->name_len, false, DLM_ANY);
	int rc = -ENOENT;

	for_each_lock(dlm, lock, life)
	{
		if (lock->res != res || lock->client)
			continue;
		if (lock->granted != op->mode) {
			rc = -EAGAIN;
			continue;
		}
		lock->client = op->client;
		lock->pid = op->pid;
		lock->flags = op->flags;
		lock->bast_sent = 0; /* nobody heard what was told before */
		*ret_lock = lock;
		return 0;
	}
	return rc;
}

static void push_reply(struct dlm *dlm, const struct dlm_op *op, int rc, uint32_t lkid)
{
	struct dlm_action *act = dlm_push(dlm, DLM_ACT_REPLY);

	act->reply.client = op->client;
	act->reply.cookie = op->cookie;
	act->reply.rc = rc;
	act->reply.lkid = lkid;
}

static int apply_lock(struct dlm *dlm, struct dlm_life *life, const struct dlm_op *op, bool own)
{
	struct dlm_sink sink = sink_of(dlm);
	struct dlm_resource *res;
	struct dlm_lock *lock;
	int rc;

	if (op->flags & DLM_F_ORPHAN) {
		rc = apply_adopt(dlm, life, op, &lock);
		if (rc < 0)
			return rc;
		if (own)
			push_reply(dlm, op, 0, lock->lkid);
		dlm_pass(lock->res, &sink); /* somebody may wait for it */
		return 0;
	}
	res = dlm_resource_get(dlm, op->space, op->space_len, op->name, op->name_len, true,
			       DLM_ANY);
	if (!res)
		return -ENOMEM;
	lock = dlm_lock_add(dlm, DLM_ANY);
	if (!lock) {
		dlm_resource_put(dlm, res);
		return -ENOMEM;
	}
	lock->lkid = ++life->lkid_last;
	lock->life = (uint8_t)(life - dlm->life);
	lock->client = op->client;
	lock->pid = op->pid;
	lock->res = res;
	if (own)
		push_reply(dlm, op, 0,
			   lock->lkid); /* before its DONE: the client learns the lkid first */
	dlm_request(lock, op->mode, op->flags, &sink);
	settle(dlm, lock);
	return 0;
}

static int apply_change(struct dlm *dlm, struct dlm_life *life, const struct dlm_op *op, bool own)
{
	const uint8_t *lvb = op->has_lvb ? op->lvb : NULL;
	struct dlm_lock *lock = lock_find(dlm, life, op->client, op->lkid);
	struct dlm_sink sink = sink_of(dlm);

	if (!lock)
		return -ENOENT;
	if (op->type == DLM_OP_CONVERT) {
		if (lock->queue != DLM_Q_GRANTED)
			return -EBUSY;
		if (dlm_check_request(op->mode, op->flags, lock->granted) < 0)
			return -EINVAL;
	} else if (!(op->flags & (DLM_F_CANCEL | DLM_F_FORCEUNLOCK)) &&
		   lock->queue != DLM_Q_GRANTED) {
		return -EBUSY;
	}
	if (own)
		push_reply(dlm, op, 0, op->lkid);
	if (op->type == DLM_OP_CONVERT)
		dlm_convert(lock, op->mode, op->flags, lvb, &sink);
	else if (op->flags & DLM_F_CANCEL)
		dlm_cancel(lock, &sink);
	else
		dlm_unlock(lock, op->flags, lvb, &sink);
	settle(dlm, lock);
	return 0;
}

static void apply_gone(struct dlm *dlm, struct dlm_life *life, uint32_t client)
{
	for_each_lock(dlm, lock, life)
	{
		if (lock->client != client)
			continue;
		lock->client = 0; /* nobody listens: no notice from here on */
		dlm_abandon(lock);
		if (lock->queue != DLM_Q_NONE && !(lock->flags & DLM_F_PERSISTENT))
			dlm_purge(lock);
		settle(dlm, lock);
	}
	dlm_pass_all(dlm);
}

static void apply_purge(struct dlm *dlm, struct dlm_life *life, uint32_t pid)
{
	for_each_lock(dlm, lock, life)
	{
		if (lock->client || (pid && lock->pid != pid))
			continue;
		dlm_purge(lock);
		settle(dlm, lock);
	}
	dlm_pass_all(dlm);
}

void dlm_op_apply(struct dlm *dlm, struct dlm_life *life, const struct dlm_op *op, bool own)
{
	int rc = 0;

	switch (op->type) {
	case DLM_OP_LOCK: rc = apply_lock(dlm, life, op, own); break;
	case DLM_OP_CONVERT:
	case DLM_OP_UNLOCK: rc = apply_change(dlm, life, op, own); break;
	case DLM_OP_CLIENT_GONE: apply_gone(dlm, life, op->client); break;
	case DLM_OP_PURGE:
		apply_purge(dlm, life, op->pid);
		if (own)
			push_reply(dlm, op, 0, 0);
		break;
	}
	if (rc < 0 && own)
		push_reply(dlm, op, rc, 0);
}
