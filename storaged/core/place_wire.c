/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a message: u16 version, u8 type, one section. doc/protocol.md names who sends what. */
#include "place_int.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static size_t msg_begin(struct place *p, struct wire_w *w, enum place_msg type)
{
	wire_w_init(w, p->arena + p->arena_len, sizeof(p->arena) - p->arena_len);
	wire_w_u16(w, PLACE_WIRE_VERSION);
	wire_w_u8(w, (uint8_t)type);
	return wire_w_open(w);
}

static void msg_send(struct place *p, struct wire_w *w, size_t sec)
{
	size_t len = 0;
	int r;

	wire_w_close(w, sec);
	r = wire_w_done(w, &len);
	assert(r == 0); /* the arena holds the largest SYNC and a report of every service */
	place_emit(p, (struct place_action){
			      .type = PLACE_ACT_SEND,
			      .send = { .data = p->arena + p->arena_len, .len = len } });
	p->arena_len += len;
}

void place_send_sync(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_SYNC);

	wire_w_u64(&w, p->cfg.hash);
	incarnation_write(&p->cfg.life, &w);
	wire_w_str(&w, p->cfg.tag);
	wire_w_bool(&w, p->leaving);
	wire_w_bool(&w, p->informed);
	wire_w_bool(&w, p->quorate);
	service_group_encode(f, &p->group, &w);
	wire_w_u16(&w, (uint16_t)f->n_services);
	for (unsigned s = 0; s < f->n_services; s++) {
		struct service_fact fact;

		place_fact(p, s, &fact);
		service_fact_encode(f, s, &fact, &w);
		p->told[s].fact = fact.fact;
		p->told[s].failed = fact.failed;
		p->told[s].starts = fact.starts;
		p->told[s].reach = fact.reach;
		memcpy(p->told[s].epoch, fact.epoch, sizeof(fact.epoch));
		memcpy(p->told[s].own, fact.own, sizeof(fact.own));
	}
	msg_send(p, &w, sec);
}

void place_send_report(struct place *p, unsigned s, const struct service_fact *fact)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_REPORT);

	service_fact_encode(&p->cfg.frame, s, fact, &w);
	msg_send(p, &w, sec);
}

void place_send_command(struct place *p, uint64_t req, enum service_cmd cmd, unsigned s,
			uint32_t node)
{
	bool of_node = cmd == SERVICE_CMD_STANDBY || cmd == SERVICE_CMD_UNSTANDBY;
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_COMMAND);

	wire_w_u64(&w, req);
	wire_w_u8(&w, (uint8_t)cmd);
	wire_w_str(&w, of_node ? "" : p->cfg.frame.service[s].name);
	wire_w_u32(&w, node);
	msg_send(p, &w, sec);
}

void place_send_prepared(struct place *p, unsigned s, uint64_t move, bool ok, const char *why)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_PREPARED);

	wire_w_str(&w, p->cfg.frame.service[s].name);
	wire_w_u64(&w, move);
	wire_w_bool(&w, ok);
	wire_w_str(&w, why);
	msg_send(p, &w, sec);
}

void place_send_clear(struct place *p, unsigned s, uint32_t node)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_CLEAR);

	wire_w_str(&w, p->cfg.frame.service[s].name);
	wire_w_u32(&w, node);
	msg_send(p, &w, sec);
}

void place_send_leaving(struct place *p)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_LEAVING);

	msg_send(p, &w, sec);
}

void place_send_quorate(struct place *p)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_QUORATE);

	msg_send(p, &w, sec);
}

void place_send_looked(struct place *p, unsigned s, uint64_t starts, bool stray, const char *text)
{
	struct wire_w w;
	size_t sec = msg_begin(p, &w, PLACE_MSG_LOOKED);

	wire_w_str(&w, p->cfg.frame.service[s].name);
	wire_w_u64(&w, starts);
	wire_w_bool(&w, stray);
	wire_w_str(&w, text);
	msg_send(p, &w, sec);
}

static void decode_sync(struct place *p, struct place_op *op, struct wire_r *s)
{
	const struct service_frame *f = &p->cfg.frame;
	struct place_sync *y = &p->sync_scratch;
	unsigned n;

	memset(y, 0, sizeof(*y));
	y->hash = wire_r_u64(s);
	incarnation_read(&y->life, s);
	wire_r_str(s, y->tag, sizeof(y->tag));
	y->leaving = wire_r_bool(s);
	op->informed = wire_r_bool(s);
	y->quorate = wire_r_bool(s);
	service_group_init(&p->scratch, f);
	service_group_decode(f, &p->scratch, s);
	n = wire_r_u16(s);
	for (unsigned i = 0; i < n && wire_r_more(s); i++) {
		struct service_fact fact;
		int k = service_fact_decode(f, &fact, s);

		if (k >= 0)
			y->fact[k] = fact;
	}
}

static int decode_service(const struct place *p, struct wire_r *s)
{
	char name[SERVICE_NAME_MAX];

	wire_r_str(s, name, sizeof(name));
	return service_index(&p->cfg.frame, name);
}

/* 0, -EBADMSG, or -EPROTO for a type or version that we do not know. */
int place_decode(struct place *p, struct place_op *op, const void *data, size_t len)
{
	struct wire_r r, s;
	uint8_t type, cmd;

	memset(op, 0, sizeof(*op));
	op->service = -1;
	wire_r_init(&r, data, len);
	if (wire_r_u16(&r) ==
	    0) /* later versions only add; a release that cannot be read would change the group's name */
		return -EPROTO;
	type = wire_r_u8(&r);
	wire_r_section(&r, &s);
	switch (type) {
	case PLACE_MSG_SYNC: decode_sync(p, op, &s); break;
	case PLACE_MSG_REPORT:
		op->service = service_fact_decode(&p->cfg.frame, &op->fact, &s);
		break;
	case PLACE_MSG_COMMAND:
		op->req = wire_r_u64(&s);
		cmd = wire_r_u8(&s);
		op->service = decode_service(p, &s);
		op->node = wire_r_u32(&s);
		if (cmd < SERVICE_CMD_ENABLE || cmd > SERVICE_CMD_CLEAR)
			return wire_r_done(&r) == 0 ? -EPROTO : -EBADMSG;
		op->cmd = (enum service_cmd)cmd;
		break;
	case PLACE_MSG_PREPARED:
		op->service = decode_service(p, &s);
		op->move = wire_r_u64(&s);
		op->ok = wire_r_bool(&s);
		wire_r_str(&s, op->why, sizeof(op->why));
		break;
	case PLACE_MSG_LOOKED:
		op->service = decode_service(p, &s);
		op->starts = wire_r_u64(&s);
		op->stray = wire_r_bool(&s);
		wire_r_str(&s, op->why, sizeof(op->why));
		break;
	case PLACE_MSG_CLEAR:
		op->service = decode_service(p, &s);
		op->node = wire_r_u32(&s);
		break;
	case PLACE_MSG_QUORATE:
	case PLACE_MSG_LEAVING: break;
	default: return wire_r_done(&r) == 0 ? -EPROTO : -EBADMSG;
	}
	op->type = (enum place_msg)type;
	return wire_r_done(&r);
}
