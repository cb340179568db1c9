/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The replicated state as bytes: chunks of whole resources with their locks, lives and counters in the first. */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

bool dlm_send_begin(struct dlm *dlm, struct wire_w *w, enum dlm_msg type, size_t cap)
{
	struct dlm_actions *out = dlm->out;

	if (sizeof(out->bytes) - out->bytes_used < cap)
		return false;
	wire_w_init(w, out->bytes + out->bytes_used, cap);
	wire_w_u8(w, DLM_WIRE_VERSION);
	wire_w_u8(w, (uint8_t)type);
	return true;
}

void dlm_send_end(struct dlm *dlm, struct wire_w *w)
{
	struct dlm_actions *out = dlm->out;
	struct dlm_action *act = dlm_push(dlm, DLM_ACT_SEND);
	size_t len = 0;
	int rc = wire_w_done(w, &len);

	assert(rc == 0); /* every message is bounded below the capacity it was begun with */
	act->send.off = out->bytes_used;
	act->send.len = len;
	out->bytes_used += len;
}

void dlm_r_incarnation(struct wire_r *r, struct incarnation *inc)
{
	incarnation_read(inc, r);
	if (!nodeid_valid(inc->nodeid))
		wire_r_fail(r);
}

void dlm_state_clear(struct dlm *dlm)
{
	memset(dlm->life, 0, sizeof(dlm->life));
	memset(dlm->hash, 0, sizeof(dlm->hash));
	memset(dlm->lock, 0, dlm->lock_end * sizeof(*dlm->lock));
	memset(dlm->res, 0, dlm->res_end * sizeof(*dlm->res));
	dlm->lock_first = dlm->res_first = 0;
	dlm->lock_end = dlm->res_end = 0;
	dlm->n_locks = dlm->n_resources = 0;
	dlm->token = 0;
}

static void write_lock(struct wire_w *w, const struct dlm_lock *l, unsigned at)
{
	size_t sec = wire_w_open(w);

	wire_w_u8(w, (uint8_t)l->queue);
	wire_w_u32(w, l->lkid);
	wire_w_u8(w, l->life);
	wire_w_u32(w, l->client);
	wire_w_u32(w, l->pid);
	wire_w_u8(w, (uint8_t)(l->granted + 1));
	wire_w_u8(w, (uint8_t)(l->wanted + 1));
	wire_w_u8(w, l->bast_sent);
	wire_w_bool(w, l->demoted);
	wire_w_u32(w, l->flags);
	wire_w_u64(w, l->token);
	wire_w_u16(w, (uint16_t)at);
	wire_w_close(w, sec);
}

#define LOCK_BYTES 48 /* write_lock() at most */
#define RESOURCE_BYTES (24 + 2 * DLM_NAME_MAX + DLM_LVB_BYTES)

static unsigned resource_locks(const struct dlm_resource *res)
{
	const struct dlm_lock *heads[] = { res->granted, res->convert, res->wait };
	unsigned n = 0;

	for (size_t q = 0; q < 3; q++)
		for (const struct dlm_lock *l = heads[q]; l; l = l->next)
			n++;
	return n;
}

static void write_resource(const struct dlm *dlm, struct wire_w *w, const struct dlm_resource *res)
{
	const struct dlm_lock *heads[] = { res->granted, res->convert, res->wait };

	wire_w_u8(w, res->space_len);
	wire_w_bytes(w, res->space, res->space_len);
	wire_w_u8(w, res->name_len);
	wire_w_bytes(w, res->name, res->name_len);
	wire_w_bytes(w, res->lvb, DLM_LVB_BYTES);
	wire_w_bool(w, res->lvb_invalid);
	wire_w_u64(w, res->lvb_seq);
	wire_w_u16(w, (uint16_t)(res - dlm->res));
	wire_w_u32(w, resource_locks(res));
	for (size_t q = 0; q < 3; q++)
		for (const struct dlm_lock *l = heads[q]; l; l = l->next)
			write_lock(w, l, (unsigned)(l - dlm->lock));
}

static void write_head(struct dlm *dlm, struct wire_w *w)
{
	size_t sec = wire_w_open(w);

	wire_w_u64(w, dlm->last_view.seq);
	wire_w_u32(w, dlm->last_view.rep);
	wire_w_u64(w, dlm->history);
	wire_w_u64(w, dlm->token);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		const struct dlm_life *life = &dlm->life[i];

		wire_w_u8(w, (uint8_t)life->state);
		if (life->state == DLM_LIFE_NONE)
			continue;
		incarnation_write(&life->inc, w);
		wire_w_u64(w, life->op_last);
		wire_w_u32(w, life->lkid_last);
	}
	wire_w_close(w, sec);
}

void dlm_state_send(struct dlm *dlm)
{
	const struct dlm_resource *res = dlm_resource_next(dlm, NULL);
	bool first = true;
	struct wire_w w;

	do {
		bool begun = dlm_send_begin(dlm, &w, DLM_MSG_STATE, DLM_CHUNK_BYTES + 16);
		size_t used = 4096; /* room for the head, more than DLM_LIVES_MAX lives take */

		assert(begun); /* DLM_SEND_BYTES is more than a whole state */
		wire_w_bool(&w, first);
		if (first)
			write_head(dlm, &w);
		first = false;
		while (res) {
			size_t need = RESOURCE_BYTES + resource_locks(res) * LOCK_BYTES;

			if (used + need > DLM_CHUNK_BYTES)
				break;
			wire_w_bool(&w, true);
			write_resource(dlm, &w, res);
			used += need;
			res = dlm_resource_next(dlm, res);
		}
		wire_w_bool(&w, false);
		wire_w_bool(&w, res == NULL); /* the last chunk */
		dlm_send_end(dlm, &w);
	} while (res);
}

static void read_lock(struct dlm *dlm, struct wire_r *r, struct dlm_resource *res)
{
	struct dlm_lock in = { .res = res }, *l = &in;
	struct wire_r s;
	uint8_t queue;

	wire_r_section(r, &s);
	queue = wire_r_u8(&s);
	l->lkid = wire_r_u32(&s);
	l->life = wire_r_u8(&s);
	l->client = wire_r_u32(&s);
	l->pid = wire_r_u32(&s);
	l->granted = (int8_t)(wire_r_u8(&s) - 1);
	l->wanted = (int8_t)(wire_r_u8(&s) - 1);
	l->bast_sent = wire_r_u8(&s);
	l->demoted = wire_r_bool(&s);
	l->flags = wire_r_u32(&s);
	l->token = wire_r_u64(&s);
	if (queue < DLM_Q_GRANTED || queue > DLM_Q_WAIT || l->life >= DLM_LIVES_MAX ||
	    l->granted > DLM_EX || l->granted < DLM_IV || l->wanted > DLM_EX ||
	    l->wanted < DLM_IV || (queue != DLM_Q_GRANTED && l->wanted == DLM_IV) ||
	    (queue != DLM_Q_WAIT && l->granted == DLM_IV) ||
	    dlm->life[l->life].state == DLM_LIFE_NONE) {
		wire_r_fail(&s);
		return;
	}
	l = dlm_lock_add(dlm, wire_r_u16(&s));
	if (!l || s.err) {
		wire_r_fail(&s); /* the caller clears the state */
		return;
	}
	*l = in;
	dlm_restore(l, (enum dlm_queue)queue);
}

static void read_resource(struct dlm *dlm, struct wire_r *r)
{
	uint8_t space_len = wire_r_u8(r), name_len;
	const uint8_t *space = wire_r_bytes(r, space_len), *name, *lvb;
	struct dlm_resource *res = NULL;
	bool invalid;
	uint64_t seq;
	uint32_t n, at;

	name_len = wire_r_u8(r);
	name = wire_r_bytes(r, name_len);
	lvb = wire_r_bytes(r, DLM_LVB_BYTES);
	invalid = wire_r_bool(r);
	seq = wire_r_u64(r);
	at = wire_r_u16(r);
	if (space && name && lvb && space_len >= 1 && name_len >= 1 && space_len <= DLM_NAME_MAX &&
	    name_len <= DLM_NAME_MAX &&
	    !dlm_resource_get(dlm, space, space_len, name, name_len, false, DLM_ANY))
		res = dlm_resource_get(dlm, space, space_len, name, name_len, true, at);
	if (!res) {
		wire_r_fail(r);
		return;
	}
	memcpy(res->lvb, lvb, DLM_LVB_BYTES);
	res->lvb_invalid = invalid;
	res->lvb_seq = seq;
	n = wire_r_u32(r);
	for (uint32_t i = 0; i < n && wire_r_more(r); i++)
		read_lock(dlm, r, res);
}

static void read_head(struct dlm *dlm, struct wire_r *r)
{
	struct wire_r s;

	wire_r_section(r, &s);
	dlm->last_view.seq = wire_r_u64(&s);
	dlm->last_view.rep = wire_r_u32(&s);
	dlm->history = wire_r_u64(&s);
	dlm->token = wire_r_u64(&s);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		struct dlm_life *life = &dlm->life[i];

		life->state = wire_r_u8(&s);
		if (life->state > DLM_LIFE_LOST)
			wire_r_fail(&s);
		if (life->state == DLM_LIFE_NONE)
			continue;
		dlm_r_incarnation(&s, &life->inc);
		life->op_last = wire_r_u64(&s);
		life->lkid_last = wire_r_u32(&s);
	}
}

/* A state that cannot be read leaves us empty and not informed; the caller asks for a new round by staying unsynced. */
int dlm_state_load(struct dlm *dlm, struct wire_r *r, bool *last)
{
	bool first = wire_r_bool(r);

	if (first) {
		dlm_state_clear(dlm);
		read_head(dlm, r);
	} else if (!dlm->loading) {
		return -EPROTO;
	}
	while (wire_r_bool(r))
		read_resource(dlm, r);
	*last = wire_r_bool(r);
	return wire_r_done(r) < 0 ? -EPROTO : 0;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v + UINT64_C(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2);
	return h * UINT64_C(0xff51afd7ed558ccd);
}

/* Order of resources differs between nodes (hash chains), so they are summed; within one, queues are in order. */
uint64_t dlm_digest(const struct dlm *dlm)
{
	uint64_t sum = mix(mix(1, dlm->token), dlm->history);

	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		const struct dlm_life *life = &dlm->life[i];
		uint64_t h = mix(2, life->state);

		if (life->state == DLM_LIFE_NONE)
			continue;
		h = mix(h, life->inc.nodeid);
		for (unsigned b = 0; b < BOOT_ID_BYTES; b++)
			h = mix(h, life->inc.boot_id[b]);
		sum += mix(mix(mix(h, life->op_last), life->lkid_last), life->fenced);
	}
	for (const struct dlm_resource *res = dlm_resource_next(dlm, NULL); res;
	     res = dlm_resource_next(dlm, res)) {
		const struct dlm_lock *heads[] = { res->granted, res->convert, res->wait };
		uint64_t h = mix(3, res->lvb_seq * 2 + res->lvb_invalid);

		for (unsigned b = 0; b < DLM_LVB_BYTES; b++)
			h = mix(h, res->lvb[b]);
		for (unsigned b = 0; b < res->name_len; b++)
			h = mix(h, res->name[b]);
		for (size_t q = 0; q < 3; q++)
			for (const struct dlm_lock *l = heads[q]; l; l = l->next)
				h = mix(mix(mix(h, dlm->life[l->life].inc.nodeid), l->lkid),
					(uint64_t)(l->granted + 1) << 8 |
						(uint64_t)(l->wanted + 1) | l->token << 16);
		sum += h;
	}
	return sum;
}
