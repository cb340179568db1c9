/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "attest.h"

#include "wire.h"

#include <errno.h>
#include <string.h>

static const uint8_t magic[4] = { 'S', 'K', 'A', 'T' };

int attest_encode(const struct attest_msg *m, void *buf, size_t len)
{
	struct wire_w w;
	size_t ret = 0;

	wire_w_init(&w, buf, len);
	wire_w_bytes(&w, magic, sizeof(magic));
	wire_w_u16(&w, ATTEST_VERSION);
	wire_w_u8(&w, (uint8_t)m->type);
	size_t sec = wire_w_open(&w);

	wire_w_bytes(&w, m->instance, ATTEST_ID_BYTES);
	wire_w_bytes(&w, m->nonce, ATTEST_ID_BYTES);
	switch (m->type) {
	case ATTEST_HELLO:
		wire_w_bytes(&w, m->challenge, ATTEST_ID_BYTES);
		wire_w_u32(&w, m->nodeid);
		wire_w_bytes(&w, m->boot_id, ATTEST_ID_BYTES);
		wire_w_str(&w, m->cluster);
		wire_w_str(&w, m->name);
		wire_w_str(&w, m->uuid);
		break;
	case ATTEST_WELCOME:
		wire_w_bytes(&w, m->challenge, ATTEST_ID_BYTES);
		wire_w_bool(&w, m->accepted);
		wire_w_str(&w, m->why);
		break;
	case ATTEST_STATEMENT:
	case ATTEST_DYING:
		wire_w_u64(&w, m->seq);
		wire_w_u64(&w, m->run);
		wire_w_u32(&w, m->nodeid);
		wire_w_bytes(&w, m->boot_id, ATTEST_ID_BYTES);
		wire_w_str(&w, m->name);
		wire_w_str(&w, m->uuid);
		wire_w_u8(&w, (uint8_t)m->end);
		wire_w_u32(&w, m->age_ms);
		break;
	case ATTEST_ACK: wire_w_u64(&w, m->seq); break;
	}
	wire_w_close(&w, sec);
	return wire_w_done(&w, &ret) < 0 ? -ENOBUFS : (int)ret;
}

static void take_id(struct wire_r *r, uint8_t to[ATTEST_ID_BYTES])
{
	const uint8_t *p = wire_r_bytes(r, ATTEST_ID_BYTES);

	if (p)
		memcpy(to, p, ATTEST_ID_BYTES);
}

int attest_decode(struct attest_msg *m, const void *buf, size_t len)
{
	struct wire_r r, s;

	memset(m, 0, sizeof(*m));
	wire_r_init(&r, buf, len);
	const uint8_t *p = wire_r_bytes(&r, sizeof(magic));

	if (!p || memcmp(p, magic, sizeof(magic)) != 0 || wire_r_u16(&r) != ATTEST_VERSION)
		return -EBADMSG;
	uint8_t type = wire_r_u8(&r);

	if (type < ATTEST_HELLO || type > ATTEST_DYING)
		return -EBADMSG;
	m->type = (enum attest_type)type;
	wire_r_section(&r, &s);
	take_id(&s, m->instance);
	take_id(&s, m->nonce);
	switch (m->type) {
	case ATTEST_HELLO:
		take_id(&s, m->challenge);
		m->nodeid = wire_r_u32(&s);
		take_id(&s, m->boot_id);
		wire_r_str(&s, m->cluster, sizeof(m->cluster));
		wire_r_str(&s, m->name, sizeof(m->name));
		wire_r_str(&s, m->uuid, sizeof(m->uuid));
		break;
	case ATTEST_WELCOME:
		take_id(&s, m->challenge);
		m->accepted = wire_r_bool(&s);
		wire_r_str(&s, m->why, sizeof(m->why));
		break;
	case ATTEST_STATEMENT:
	case ATTEST_DYING: {
		m->seq = wire_r_u64(&s);
		m->run = wire_r_u64(&s);
		m->nodeid = wire_r_u32(&s);
		take_id(&s, m->boot_id);
		wire_r_str(&s, m->name, sizeof(m->name));
		wire_r_str(&s, m->uuid, sizeof(m->uuid));
		uint8_t end = wire_r_u8(&s);

		if (end < ATTEST_CRASHED || end > ATTEST_DIED)
			wire_r_fail(&s);
		m->end = (enum attest_end)end;
		m->age_ms = wire_r_u32(&s);
		break;
	}
	case ATTEST_ACK: m->seq = wire_r_u64(&s); break;
	}
	return wire_r_done(&r) < 0 ? -EBADMSG : 0;
}

const char *attest_end_name(enum attest_end end)
{
	switch (end) {
	case ATTEST_END_NONE: break;
#define X(id, value, name, text) \
	case ATTEST_##id: return name;
		ATTEST_ENDS(X)
#undef X
	}
	return "?";
}

const char *attest_end_text(enum attest_end end)
{
	switch (end) {
	case ATTEST_END_NONE: break;
#define X(id, value, name, text) \
	case ATTEST_##id: return text;
		ATTEST_ENDS(X)
#undef X
	}
	return "";
}
