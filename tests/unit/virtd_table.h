/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/virtd_table.h - a stockade-virtd core on the table: datagrams, connections and libvirt's answers given by hand. */
#ifndef STOCKADE_TESTS_VIRTD_TABLE_H
#define STOCKADE_TESTS_VIRTD_TABLE_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/virt/wire.h"
#include "fence_agents/virtd/core/virtd.h"

#define KEY (const uint8_t *)"0123456789abcdef0123456789abcdef", 32
#define KEY2 (const uint8_t *)"another key, which came afterwards", 34
#define K1                                                              \
	{                                                               \
		32, (const uint8_t *)"0123456789abcdef0123456789abcdef" \
	}
#define K2                                                                \
	{                                                                 \
		34, (const uint8_t *)"another key, which came afterwards" \
	}
#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define OTHER "11111111-2222-3333-4444-555555555555"

static const char open_conf[] = "fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
				"listeners { multicast { key_file = \"/k\"; } }\n"
				"backends { libvirt { uri = \"test:///default\"; } }\n";

static struct {
	struct virtd_core *core;
	struct virtd_conf conf;
	struct virtd_actions out;
	uint64_t now;
	uint32_t seqno;
	uint8_t sent[160 * 1024]; /* to the peer since the last look */
	size_t n_sent;
	uint64_t conn;   /* last CONNECT */
	bool closed;     /* last conn */
	uint64_t job[8]; /* outstanding, in order */
	enum virtd_job kind[8];
	unsigned uri[8];
	unsigned n_jobs;
	unsigned connects, keeps, audits, drops, replies;
	uint8_t reply[ECHO_BYTES];
	uint8_t result;
	char text[VIRTD_TEXT_MAX], dropped[VIRTD_TEXT_MAX];
} t;

static inline void fake_random(void *arg, void *buf, size_t len)
{
	(void)arg;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(i * 7 + t.now);
}

static inline int step(struct virtd_event ev)
{
	ev.now_ms = t.now;
	int r = virtd_step(t.core, &ev, &t.out);

	for (unsigned i = 0; i < t.out.n; i++) {
		const struct virtd_action *a = &t.out.v[i];

		switch (a->type) {
		case VIRTD_ACT_CONNECT:
			t.conn = a->connect.conn;
			t.closed = false;
			t.connects++;
			break;
		case VIRTD_ACT_SEND:
			assert_true(t.n_sent + a->send.len <= sizeof(t.sent));
			memcpy(t.sent + t.n_sent, a->send.data, a->send.len);
			t.n_sent += a->send.len;
			break;
		case VIRTD_ACT_CLOSE: t.closed = true; break;
		case VIRTD_ACT_JOB:
			assert_true(t.n_jobs < 8);
			t.job[t.n_jobs] = a->job.job;
			t.kind[t.n_jobs] = a->job.kind;
			t.uri[t.n_jobs++] = a->job.uri;
			break;
		case VIRTD_ACT_AUDIT:
			t.audits++;
			t.result = a->audit.result;
			memcpy(t.text, a->audit.text, sizeof(t.text));
			break;
		case VIRTD_ACT_NOTE:
			t.drops += a->note.note == VIRTD_NOTE_DROP;
			if (a->note.note == VIRTD_NOTE_DROP || a->note.note == VIRTD_NOTE_BROKEN)
				memcpy(t.dropped, a->note.text, sizeof(t.dropped));
			break;
		case VIRTD_ACT_ATTEST: break;
		case VIRTD_ACT_KEEP: t.keeps++; break;
		case VIRTD_ACT_REPLY:
			t.replies++;
			memcpy(t.reply, a->reply, sizeof(t.reply));
			break;
		}
	}
	return r;
}

static inline void begin(const char *conf)
{
	struct virtd_notes notes;
	struct virtd_setup setup = { .conf = &t.conf, .random = fake_random, .host = "hv1" };

	memset(&t, 0, sizeof(t));
	t.now = 1000;
	assert_int_equal(virtd_conf_parse(conf, strlen(conf), &t.conf, &notes), 0);
	t.core = virtd_new(&setup);
	assert_non_null(t.core);
	for (unsigned i = 0; i < t.conf.n_listeners; i++)
		step((struct virtd_event){ .type = VIRTD_EV_KEYS, .keys = { i, 2, { K1, K2 } } });
	for (unsigned u = 0; u < t.conf.n_uris; u++)
		step((struct virtd_event){ .type = VIRTD_EV_URI, .uri = { u, true } });
}

static inline void finish(void)
{
	t.core = virtd_free(t.core);
}

static inline void make(uint8_t packet[176], uint8_t op, const char *domain, uint8_t hash)
{
	struct virt_request q = { .request = op,
				  .hash = hash,
				  .addrlen = 4,
				  .address = { 10, 99, 0, 2 },
				  .port = 1229,
				  .seqno = ++t.seqno,
				  .family = 2 };

	snprintf(q.domain, sizeof(q.domain), "%s", domain);
	q.random[0] = (uint8_t)t.seqno;
	assert_int_equal(virt_request_encode(packet, &q, KEY), 0);
}

static inline void datagram(const void *packet, size_t len, const char *source)
{
	step((struct virtd_event){ .type = VIRTD_EV_DATAGRAM,
				   .datagram = { 0, source, packet, len, NULL } });
}

/* Our side of the call-back; false: hung up, or we were not called. */
/* Until it is our turn to prove that we hold the key. */
static inline bool talk_begin(const uint8_t *key, size_t key_len, uint8_t proof[64])
{
	uint8_t mine[64], want_bytes[64];

	memset(mine, 0x5a, sizeof(mine));
	if (t.closed)
		return false;
	step((struct virtd_event){ .type = VIRTD_EV_CONNECTED, .connected = { t.conn, true, 0 } });
	t.n_sent = 0;
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, mine, 64 } });
	assert_int_equal(t.n_sent, 128);
	assert_int_equal(virt_response(2, key, key_len, mine, want_bytes), 0);
	if (memcmp(want_bytes, t.sent, 64) != 0)
		return false;
	assert_int_equal(virt_response(2, key, key_len, t.sent + 64, proof), 0);
	t.n_sent = 0;
	return true;
}

static inline void talk_end(uint8_t proof[64])
{
	/* in two pieces: TCP keeps no borders */
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, proof, 10 } });
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, proof + 10, 54 } });
}

static inline bool talk(const uint8_t *key, size_t key_len)
{
	uint8_t proof[64];

	if (!talk_begin(key, key_len, proof))
		return false;
	talk_end(proof);
	return true;
}

static inline void ask(uint8_t op, const char *domain)
{
	uint8_t packet[176];

	make(packet, op, domain, 2);
	datagram(packet, 176, "10.99.0.2");
	assert_true(talk(KEY));
}

static inline struct virtd_guest guest(enum virtd_power power, int run)
{
	struct virtd_guest g = { .name = "test", .uuid = UUID, .power = power, .run = run };

	if (power == VIRTD_POWER_ABSENT)
		g.name[0] = g.uuid[0] = '\0';
	return g;
}

/* Libvirt's answer to the oldest question. */
static inline void answer(enum virtd_job kind, enum virtd_done done, struct virtd_guest g)
{
	assert_true(t.n_jobs > 0);
	assert_int_equal(t.kind[0], kind);
	uint64_t job = t.job[0];

	t.n_jobs--;
	memmove(t.job, t.job + 1, sizeof(t.job) - sizeof(*t.job));
	memmove(t.kind, t.kind + 1, sizeof(t.kind) - sizeof(*t.kind));
	step((struct virtd_event){ .type = VIRTD_EV_JOB, .job = { job, done, g, "said libvirt" } });
}

static inline void state(enum virtd_power power, int run)
{
	answer(VIRTD_JOB_STATE, VIRTD_DONE, guest(power, run));
}

static inline void pass(uint64_t ms)
{
	uint64_t end = t.now + ms;

	while (virtd_deadline_ms(t.core) <= end) {
		t.now = virtd_deadline_ms(t.core) > t.now ? virtd_deadline_ms(t.core) : t.now + 1;
		step((struct virtd_event){ .type = VIRTD_EV_TIMEOUT });
	}
	t.now = end;
}

static inline void expect_byte(uint8_t byte)
{
	assert_int_equal(t.n_sent, 1);
	assert_int_equal(t.sent[0], byte);
	assert_true(t.closed);
	assert_int_equal(t.result, byte);
	t.n_sent = 0;
}

#endif
