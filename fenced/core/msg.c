/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/msg.c - bytes of the fence domain's messages (doc/protocol.md).
 *
 * A message is a version, the view it was sent in, its sender, and operations, each behind its own length: an operation
 * that an older release does not know is left out by it, fields that it does not know are skipped.
 */
#include "domain.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MSG_VERSION 1
#define OP_ROOM 640 /* no operation but SYNC is longer */

static void w_set(struct wire_w *w, struct nodeset s)
{
	wire_w_u64(w, s.bits);
}

static struct nodeset r_set(struct wire_r *r)
{
	struct nodeset s = { wire_r_u64(r) };

	if (s.bits & 1)
		wire_r_fail(r); /* nodeid 0 means nobody */
	return s;
}

/* Text cut to what the other side has room for. */
static void w_text(struct wire_w *w, const char *s, size_t max)
{
	char cut[FENCE_TEXT_MAX];
	size_t n = strnlen(s, max - 1);

	memcpy(cut, s, n);
	cut[n] = '\0';
	wire_w_str(w, cut);
}

static void drill_encode(struct wire_w *w, const struct record *c)
{
	uint8_t n = FENCE_LEVELS_MAX;

	while (n > 0 && c->drill.levels[n - 1].number == 0)
		n--;
	wire_w_u64(w, (uint64_t)c->drill.wall_s);
	wire_w_u8(w, (uint8_t)c->drill.kind);
	wire_w_u8(w, c->drill.level);
	wire_w_bool(w, c->drill.tested);
	wire_w_u8(w, c->drill_level);
	wire_w_u8(w, n);
	for (unsigned i = 0; i < n; i++) {
		wire_w_u64(w, c->drill.levels[i].number);
		wire_w_u64(w, (uint64_t)c->drill.levels[i].wall_s);
	}
}

void fence_book_encode(struct wire_w *w, const struct book *b)
{
	size_t mark = wire_w_open(w);

	wire_w_u64(w, b->history);
	wire_w_u64(w, b->number);
	wire_w_u64(w, b->proofs);
	wire_w_u8(w, (uint8_t)b->n);
	for (unsigned i = 0; i < b->n; i++) {
		const struct record *c = &b->rec[i];
		size_t m = wire_w_open(w);

		wire_w_u32(w, c->nodeid);
		wire_w_u8(w, (uint8_t)c->state);
		incarnation_write(&c->life, w);
		proof_write(&c->proof, w);
		wire_w_u8(w, (uint8_t)c->reason);
		wire_w_bool(w, c->goodbye);
		wire_w_u64(w, (uint64_t)c->goodbye_wall_s);
		wire_w_u32(w, c->attempts);
		wire_w_u32(w, c->rounds);
		wire_w_u32(w, c->actor);
		wire_w_u32(w, c->last_actor);
		w_text(w, c->why, sizeof(c->why));
		w_text(w, c->failed, sizeof(c->failed));
		wire_w_bool(w, c->held);
		wire_w_u64(w, c->drill.number);
		drill_encode(w, c);
		wire_w_close(w, m);
	}
	wire_w_close(w, mark);
}

static void drill_decode(struct wire_r *r, struct record *c)
{
	c->drill.wall_s = (int64_t)wire_r_u64(r);
	c->drill.kind = wire_r_u8(r);
	c->drill.level = wire_r_u8(r);
	c->drill.tested = wire_r_bool(r);
	c->drill_level = wire_r_u8(r);
	unsigned n = wire_r_u8(r);

	for (unsigned i = 0; i < n && wire_r_more(r); i++) {
		struct fence_tested t = { .number = wire_r_u64(r) };

		t.wall_s = (int64_t)wire_r_u64(r);
		if (i < FENCE_LEVELS_MAX)
			c->drill.levels[i] = t;
	}
}

static void book_decode(struct wire_r *r, struct book *b)
{
	struct wire_r s, t;

	memset(b, 0, sizeof(*b));
	wire_r_section(r, &s);
	b->history = wire_r_u64(&s);
	b->number = wire_r_u64(&s);
	b->proofs = wire_r_u64(&s);
	b->n = wire_r_u8(&s);
	if (b->n > NODES_MAX) {
		b->n = 0;
		wire_r_fail(&s);
	}
	for (unsigned i = 0; i < b->n; i++) {
		struct record *c = &b->rec[i];

		wire_r_section(&s, &t);
		c->nodeid = wire_r_u32(&t);
		c->state = wire_r_u8(&t);
		incarnation_read(&c->life, &t);
		proof_read(&c->proof, &t);
		c->reason = wire_r_u8(&t);
		c->goodbye = wire_r_bool(&t);
		c->goodbye_wall_s = (int64_t)wire_r_u64(&t);
		c->attempts = wire_r_u32(&t);
		c->rounds = wire_r_u32(&t);
		c->actor = wire_r_u32(&t);
		c->last_actor = wire_r_u32(&t);
		wire_r_str(&t, c->why, sizeof(c->why));
		wire_r_str(&t, c->failed, sizeof(c->failed));
		c->held = wire_r_bool(&t);
		c->drill.number = wire_r_u64(&t);
		c->drill_level = FENCE_LEVEL_NONE;
		if (wire_r_more(&t)) /* an older release sends none */
			drill_decode(&t, c);
		if (!nodeid_valid(c->nodeid) || c->life.nodeid != c->nodeid ||
		    c->state > FENCE_NODE_DEAD || (i > 0 && c->nodeid <= b->rec[i - 1].nodeid) ||
		    (c->state == FENCE_NODE_DEAD && !fence_rec_proven(c)) ||
		    (c->state == FENCE_NODE_VICTIM && fence_rec_proven(c)))
			wire_r_fail(&t);
	}
}

static bool begin(struct fence_domain *d)
{
	if (d->w_ops == 0) {
		wire_w_init(&d->w, d->out->msg, sizeof(d->out->msg));
		wire_w_u16(&d->w, MSG_VERSION);
		d->w_mark = wire_w_open(&d->w);
		wire_w_u64(&d->w, d->view.id.seq);
		wire_w_u32(&d->w, d->view.id.rep);
		wire_w_u32(&d->w, d->cfg.self.nodeid);
	}
	if (d->w_ops >= OPS_MAX || d->w.cap - d->w.len < OP_ROOM) {
		fence_want(d, d->now_ms); /* the rest goes with the next message */
		return false;
	}
	d->w_ops++;
	return true;
}

void fence_emit_flush(struct fence_domain *d)
{
	size_t len = 0;

	if (d->w_ops == 0)
		return;
	wire_w_close(&d->w, d->w_mark);
	int r = wire_w_done(&d->w, &len);

	assert(r == 0);
	fence_act(d, FENCE_ACT_SEND);
	d->out->msg_len = len;
	d->w_ops = 0;
}

bool fence_emit_sync(struct fence_domain *d)
{
	if (!begin(d))
		return false;
	struct wire_w *w = &d->w;
	bool keeps = !d->informed && d->cfg.n_stored &&
		     view_id_equal(d->cfg.stored_view, d->view.id);

	wire_w_u8(w, OP_SYNC);
	size_t mark = wire_w_open(w);

	incarnation_write(&d->cfg.self, w);
	wire_w_bool(w, d->informed);
	wire_w_bool(w, d->view.quorate);
	wire_w_bool(w, d->leaving);
	w_set(w, d->view.members);
	w_set(w, d->fell);
	wire_w_u64(w, d->cfg.hash);
	wire_w_u64(w, (uint64_t)d->wall_s);
	wire_w_u32(w, d->signs.weight);
	wire_w_u32(w, d->changes);
	wire_w_u32(w, d->armed_ms);
	wire_w_bool(w, d->signs.holds);
	w_set(w, d->fresh);
	wire_w_u8(w, (uint8_t)d->n);
	for (unsigned i = 0; i < d->n; i++) {
		const struct ready_result *res = &d->ready[i][d->self];
		uint64_t age = d->real_ms - res->at_ms;

		wire_w_u32(w, d->book.rec[i].nodeid);
		wire_w_bool(w, res->known);
		wire_w_bool(w, res->ok);
		wire_w_u32(w, age > UINT32_MAX ? UINT32_MAX : (uint32_t)age);
	}
	wire_w_u8(w, keeps ? (uint8_t)d->cfg.n_stored : 0);
	for (unsigned i = 0; keeps && i < d->cfg.n_stored; i++)
		proof_write(&d->cfg.stored[i], w);
	fence_book_encode(w, &d->book);
	w_set(w, d->informed ? NODESET_EMPTY : d->cfg.held);
	wire_w_u8(w, (uint8_t)d->n);
	for (unsigned i = 0; i < d->n; i++) {
		wire_w_u32(w, d->book.rec[i].nodeid);
		wire_w_u8(w, d->fenced[i].n);
		for (unsigned k = 0; k < d->fenced[i].n; k++) {
			int64_t age = (int64_t)d->real_ms - d->fenced[i].at_ms[k];

			wire_w_u32(w, age > UINT32_MAX ? UINT32_MAX : (uint32_t)age);
		}
	}
	wire_w_close(w, mark);
	return true;
}

static void sync_decode(struct fence_domain *d, struct wire_r *r, struct sync *y)
{
	memset(y, 0, sizeof(*y));
	y->have = true;
	incarnation_read(&y->life, r);
	y->informed = wire_r_bool(r);
	y->quorate = wire_r_bool(r);
	y->leaving = wire_r_bool(r);
	y->members = r_set(r);
	y->fell = r_set(r);
	y->hash = wire_r_u64(r);
	y->wall_s = (int64_t)wire_r_u64(r);
	y->weight = wire_r_u32(r);
	y->changes = wire_r_u32(r);
	y->armed_ms = wire_r_u32(r);
	y->holds = wire_r_bool(r);
	y->fresh = r_set(r);
	unsigned n = wire_r_u8(r);

	for (unsigned i = 0; i < n && wire_r_more(r); i++) {
		uint32_t id = wire_r_u32(r);
		bool known = wire_r_bool(r), ok = wire_r_bool(r);
		uint32_t age = wire_r_u32(r);

		if (id <= NODEID_MAX && d->slot[id] != NO_SLOT) {
			y->ready[d->slot[id]].known = known;
			y->ready[d->slot[id]].ok = ok;
			y->ready[d->slot[id]].age_ms = age;
		}
	}
	y->n_stored = wire_r_u8(r);
	if (y->n_stored > NODES_MAX) {
		y->n_stored = 0;
		wire_r_fail(r);
	}
	for (unsigned i = 0; i < y->n_stored; i++)
		proof_read(&y->stored[i], r);
	book_decode(r, &y->book);
	y->held = r_set(r);
	n = wire_r_u8(r);
	for (unsigned i = 0; i < n && wire_r_more(r); i++) {
		uint32_t id = wire_r_u32(r);
		struct fence_looped f = { .n = wire_r_u8(r) };

		if (f.n > FENCE_LOOP_MAX) {
			wire_r_fail(r);
			break;
		}
		for (unsigned k = 0; k < f.n; k++)
			f.age_ms[k] = wire_r_u32(r);
		if (id <= NODEID_MAX && d->slot[id] != NO_SLOT)
			y->fenced[d->slot[id]] = f;
	}
	if (incarnation_unseen(&y->life)) /* a life without a boot id names nobody's end */
		wire_r_fail(r);
}

bool fence_emit(struct fence_domain *d, const struct op *op)
{
	if (!begin(d))
		return false;
	struct wire_w *w = &d->w;

	wire_w_u8(w, (uint8_t)op->type);
	size_t mark = wire_w_open(w);

	switch (op->type) {
	case OP_SYNC: assert(!"fence_emit_sync() writes it"); break;
	case OP_QUORATE: break;
	case OP_DECLARE:
		incarnation_write(&op->life, w);
		wire_w_u8(w, (uint8_t)op->reason);
		w_text(w, op->text, sizeof(op->text));
		wire_w_u8(w, op->level);
		break;
	case OP_ATTEMPT:
	case OP_SEEN:
		incarnation_write(&op->life, w);
		wire_w_u32(w, op->number);
		break;
	case OP_FAILED:
		incarnation_write(&op->life, w);
		wire_w_u32(w, op->number);
		w_text(w, op->text, sizeof(op->text));
		break;
	case OP_PROOF:
		proof_write(&op->proof, w);
		wire_w_bool(w, op->flag);
		wire_w_u8(w, op->level);
		break;
	case OP_LEAVE: wire_w_u64(w, (uint64_t)op->wall_s); break;
	case OP_EXCUSE: w_set(w, op->set); break;
	case OP_SIGNS:
		wire_w_u32(w, op->number);
		wire_w_u32(w, op->changes);
		wire_w_u32(w, op->armed_ms);
		wire_w_bool(w, op->flag);
		w_set(w, op->set);
		break;
	case OP_READY:
		wire_w_u32(w, op->node);
		wire_w_bool(w, op->flag);
		break;
	case OP_ADMIT: wire_w_u32(w, op->node); break;
	case OP_HEARD:
		wire_w_u32(w, op->node);
		wire_w_u32(w, op->number);
		break;
	}
	wire_w_close(w, mark);
	return true;
}

/* Return: false, the operation is unknown to this release. */
static bool op_decode(struct fence_domain *d, struct wire_r *s, struct op *op, struct msg *m)
{
	switch (op->type) {
	case OP_SYNC: sync_decode(d, s, &m->sync); return true;
	case OP_QUORATE: return true;
	case OP_DECLARE:
		incarnation_read(&op->life, s);
		op->reason = wire_r_u8(s);
		wire_r_str(s, op->text, sizeof(op->text));
		op->level = wire_r_more(s) ? wire_r_u8(s) : 0;
		break;
	case OP_ATTEMPT:
	case OP_SEEN:
		incarnation_read(&op->life, s);
		op->number = wire_r_u32(s);
		break;
	case OP_FAILED:
		incarnation_read(&op->life, s);
		op->number = wire_r_u32(s);
		wire_r_str(s, op->text, sizeof(op->text));
		break;
	case OP_PROOF:
		proof_read(&op->proof, s);
		op->life = op->proof.victim;
		op->flag = wire_r_bool(s);
		op->level = wire_r_more(s) ? wire_r_u8(s) : FENCE_LEVEL_NONE;
		break;
	case OP_LEAVE: op->wall_s = (int64_t)wire_r_u64(s); return true;
	case OP_EXCUSE: op->set = r_set(s); return true;
	case OP_SIGNS:
		op->number = wire_r_u32(s);
		op->changes = wire_r_u32(s);
		op->armed_ms = wire_r_u32(s);
		op->flag = wire_r_bool(s);
		op->set = r_set(s);
		return true;
	case OP_READY:
		op->node = wire_r_u32(s);
		op->flag = wire_r_bool(s);
		if (!nodeid_valid(op->node))
			wire_r_fail(s);
		return true;
	case OP_ADMIT:
		op->node = wire_r_u32(s);
		if (!nodeid_valid(op->node))
			wire_r_fail(s);
		return true;
	case OP_HEARD:
		op->node = wire_r_u32(s);
		op->number = wire_r_u32(s);
		if (!nodeid_valid(op->node))
			wire_r_fail(s);
		return true;
	default: return false;
	}
	op->node = op->life.nodeid;
	if (!nodeid_valid(op->node))
		wire_r_fail(s);
	return true;
}

int fence_msg_decode(struct fence_domain *d, const void *data, size_t len, struct msg *m)
{
	struct wire_r r, body, s;

	m->n = 0;
	m->sync.have = false;
	wire_r_init(&r, data, len);
	(void)wire_r_u16(&r); /* newer versions only add */
	wire_r_section(&r, &body);
	m->view.seq = wire_r_u64(&body);
	m->view.rep = wire_r_u32(&body);
	m->from = wire_r_u32(&body);
	while (wire_r_more(&body)) {
		if (m->n == OPS_MAX) {
			wire_r_fail(&body);
			break;
		}
		struct op *op = &m->op[m->n];

		memset(op, 0, sizeof(*op));
		op->type = wire_r_u8(&body);
		wire_r_section(&body, &s);
		if (op_decode(d, &s, op, m))
			m->n++;
	}
	if (!nodeid_valid(m->from) || wire_r_done(&body) < 0 || wire_r_done(&r) < 0)
		return -EBADMSG;
	return 0;
}
