/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/fence_state.h"

#include "lib/wire.h"

#include <errno.h>
#include <stddef.h>

#define VERSION 1

static void r_proof(struct wire_r *r, struct proof *p)
{
	proof_read(p, r);
	/* A kind of a newer release is no proof to us: waiting is safe, believing is not (SAFE-3). */
	if (proof_kind_text(p->kind)[0] == '\0')
		p->kind = PROOF_NONE;
}

static void w_node(struct wire_w *w, const struct fence_node *n)
{
	size_t sec = wire_w_open(w);

	wire_w_u32(w, n->nodeid);
	wire_w_u8(w, (uint8_t)n->state);
	incarnation_write(&n->life, w);
	proof_write(&n->proof, w);
	wire_w_bool(w, n->ready);
	wire_w_u32(w, n->ready_age_ms);
	wire_w_bool(w, n->ending);
	wire_w_close(w, sec);
}

static void r_node(struct wire_r *r, struct fence_node *n)
{
	struct wire_r s;

	wire_r_section(r, &s);
	n->nodeid = wire_r_u32(&s);
	n->state = wire_r_u8(&s);
	if (n->state > FENCE_NODE_DEAD)
		n->state = FENCE_NODE_UNKNOWN;
	incarnation_read(&n->life, &s);
	r_proof(&s, &n->proof);
	n->ready = wire_r_bool(&s);
	n->ready_age_ms = wire_r_u32(&s);
	n->ending = wire_r_more(&s) && wire_r_bool(&s);
	if (!nodeid_valid(n->nodeid))
		wire_r_fail(&s);
}

int fence_state_encode(const struct fence_state *st, void *buf, size_t len)
{
	struct wire_w w;
	size_t sec, done = 0;

	wire_w_init(&w, buf, len);
	wire_w_u8(&w, VERSION);
	sec = wire_w_open(&w);
	incarnation_write(&st->self, &w);
	wire_w_u64(&w, st->view.seq);
	wire_w_u32(&w, st->view.rep);
	wire_w_bool(&w, st->quorate);
	wire_w_bool(&w, st->informed);
	wire_w_bool(&w, st->self_victim);
	wire_w_u8(&w, (uint8_t)st->n);
	for (unsigned i = 0; i < st->n; i++)
		w_node(&w, &st->node[i]);
	wire_w_bool(&w, st->held);
	wire_w_u32(&w, st->armed_ms);
	wire_w_u64(&w, st->let_go_ms);
	wire_w_u64(&w, st->let_go_end_ms);
	wire_w_str(&w, st->let_go_why);
	wire_w_close(&w, sec);
	return wire_w_done(&w, &done) < 0 ? -ENOSPC : (int)done;
}

int fence_state_decode(struct fence_state *ret, const void *buf, size_t len)
{
	struct wire_r r, s;

	memset(ret, 0, sizeof(*ret));
	wire_r_init(&r, buf, len);
	if (wire_r_u8(&r) < VERSION)
		return -EPROTO;
	wire_r_section(&r, &s);
	incarnation_read(&ret->self, &s);
	ret->view.seq = wire_r_u64(&s);
	ret->view.rep = wire_r_u32(&s);
	ret->quorate = wire_r_bool(&s);
	ret->informed = wire_r_bool(&s);
	ret->self_victim = wire_r_bool(&s);
	ret->n = wire_r_u8(&s);
	if (ret->n > NODES_MAX)
		return -EPROTO;
	for (unsigned i = 0; i < ret->n; i++)
		r_node(&s, &ret->node[i]);
	if (wire_r_more(&s)) /* else a release without it */
		ret->held = wire_r_bool(&s);
	ret->armed_ms = wire_r_more(&s) ? wire_r_u32(&s) : 0;
	if (wire_r_more(&s)) {
		ret->let_go_ms = wire_r_u64(&s);
		ret->let_go_end_ms = wire_r_u64(&s);
		wire_r_str(&s, ret->let_go_why, sizeof(ret->let_go_why));
	}
	return wire_r_done(&r) < 0 ? -EPROTO : 0;
}

void fence_signs_peer(struct fence_signs *s, struct nodeset *seen, uint32_t node,
		      enum life_sign life)
{
	enum life_sign was = s->peer[node];

	if (!nodeset_has(*seen, node))
		s->peer[node] = life;
	else if (was == LIFE_FRESH || life == LIFE_FRESH)
		s->peer[node] = LIFE_FRESH;
	else if (was != life)
		s->peer[node] = LIFE_UNKNOWN;
	nodeset_add(seen, node);
}

int fence_signs_encode(const struct fence_signs *signs, void *buf, size_t len)
{
	struct wire_w w;
	size_t sec, done = 0;

	wire_w_init(&w, buf, len);
	wire_w_u8(&w, VERSION);
	sec = wire_w_open(&w);
	wire_w_u32(&w, signs->weight);
	wire_w_bool(&w, signs->holds);
	wire_w_u8(&w, (uint8_t)signs->self);
	for (unsigned id = 1; id <= NODEID_MAX; id++)
		wire_w_u8(&w, (uint8_t)signs->peer[id]);
	wire_w_bool(&w, signs->ended);
	wire_w_u8(&w, signs->n_words);
	for (unsigned i = 0; i < signs->n_words && i < FENCE_WORDS_MAX; i++) {
		const struct fence_word *x = &signs->word[i];

		wire_w_u32(&w, x->nodeid);
		wire_w_bytes(&w, x->boot_id, BOOT_ID_BYTES);
		wire_w_u32(&w, x->armed_ms);
		wire_w_u64(&w, x->at_ms);
	}
	wire_w_u64(&w, signs->shown_ms);
	wire_w_u64(&w, signs->moved_ms);
	wire_w_bool(&w, signs->still);
	wire_w_close(&w, sec);
	return wire_w_done(&w, &done) < 0 ? -ENOSPC : (int)done;
}

static enum life_sign r_sign(struct wire_r *r)
{
	uint8_t v = wire_r_u8(r);

	return v == LIFE_FRESH || v == LIFE_STALE ? v : LIFE_UNKNOWN;
}

int fence_signs_decode(struct fence_signs *ret, const void *buf, size_t len)
{
	struct wire_r r, s;

	memset(ret, 0, sizeof(*ret));
	wire_r_init(&r, buf, len);
	if (wire_r_u8(&r) < VERSION)
		return -EPROTO;
	wire_r_section(&r, &s);
	ret->weight = wire_r_u32(&s);
	ret->holds = wire_r_bool(&s);
	ret->self = r_sign(&s);
	for (unsigned id = 1; id <= NODEID_MAX; id++)
		ret->peer[id] = r_sign(&s);
	ret->ended = wire_r_more(&s) && wire_r_bool(&s);
	ret->n_words = wire_r_more(&s) ? wire_r_u8(&s) : 0;
	if (ret->n_words > FENCE_WORDS_MAX)
		return -EPROTO;
	for (unsigned i = 0; i < ret->n_words; i++) {
		struct fence_word *x = &ret->word[i];

		x->nodeid = wire_r_u32(&s);
		const uint8_t *boot = wire_r_bytes(&s, BOOT_ID_BYTES);

		if (boot)
			memcpy(x->boot_id, boot, BOOT_ID_BYTES);
		x->armed_ms = wire_r_u32(&s);
		x->at_ms = wire_r_u64(&s);
		if (!nodeid_valid(x->nodeid))
			wire_r_fail(&s);
	}
	if (wire_r_more(&s)) {
		ret->shown_ms = wire_r_u64(&s);
		ret->moved_ms = wire_r_u64(&s);
		ret->still = wire_r_bool(&s);
	}
	return wire_r_done(&r) < 0 ? -EPROTO : 0;
}

const char *fence_node_state_name(enum fence_node_state st)
{
	switch (st) {
	case FENCE_NODE_UNKNOWN: return "unknown";
	case FENCE_NODE_MEMBER: return "member";
	case FENCE_NODE_ABSENT: return "absent";
	case FENCE_NODE_VICTIM: return "victim";
	case FENCE_NODE_DEAD: return "dead";
	}
	return "unknown";
}

const struct fence_node *fence_state_node(const struct fence_state *st, uint32_t nodeid)
{
	for (unsigned i = 0; i < st->n; i++)
		if (st->node[i].nodeid == nodeid)
			return &st->node[i];
	return NULL;
}

bool fence_state_member(const struct fence_state *st)
{
	const struct fence_node *n = fence_state_node(st, st->self.nodeid);

	return st->informed ||
	       (st->held && st->quorate && !st->self_victim && n && n->state == FENCE_NODE_MEMBER &&
		n->life.join == st->self.join && incarnation_same_boot(&n->life, &st->self));
}
