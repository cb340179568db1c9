/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/keys: the echo, and keys that change under requests in hand. VIRTD-3: also an echo is answered once.
 */
#include "tests/unit/virtd_table.h"

#include <errno.h>

static void keys_now(unsigned n, struct virtd_key a, struct virtd_key b)
{
	step((struct virtd_event){ .type = VIRTD_EV_KEYS, .keys = { 0, n, { a, b } } });
}

static const struct echo_key echo_1 = { KEY }, echo_2 = { KEY2 },
			     echo_3 = { (const uint8_t *)"a third one", 11 };

static enum echo_verdict echo(const struct echo_key *key, uint8_t n, struct echo_answer *a)
{
	uint8_t bytes[ECHO_BYTES], nonce[1][ECHO_NONCE_BYTES] = { { n, 1 } };
	unsigned before = t.replies;

	assert_int_equal(echo_ask(bytes, key, nonce[0]), 0);
	datagram(bytes, sizeof(bytes), "10.99.0.2");
	return t.replies == before ? ECHO_STRAY
				   : echo_judge(t.reply, sizeof(t.reply), key,
						(const uint8_t(*)[ECHO_NONCE_BYTES])nonce, 1, a);
}

static void echo_proves_each_key_and_no_other(void **s)
{
	struct echo_answer a = { 0 };

	(void)s;
	begin(open_conf);
	assert_int_equal(echo(&echo_1, 1, &a), ECHO_SAME);
	assert_int_equal(a.slot, 0);
	assert_int_equal(a.keys, 2);
	assert_int_equal(a.role, ECHO_VIRTD);
	assert_string_equal(a.host, "hv1");
	assert_int_equal(echo(&echo_2, 2, &a), ECHO_SAME);
	assert_int_equal(a.slot, 1); /* known as KEY.new only */
	assert_int_equal(echo(&echo_3, 3, &a), ECHO_OTHER);
	/* recorded, and sent again */
	assert_int_equal(echo(&echo_1, 1, &a), ECHO_REPEATED);
	keys_now(1, (struct virtd_key)K2, (struct virtd_key){ 0 });
	assert_int_equal(echo(&echo_2, 4, &a), ECHO_SAME);
	assert_int_equal(a.slot, 0);
	assert_int_equal(a.keys, 1);
	assert_int_equal(echo(&echo_1, 5, &a), ECHO_OTHER);
	keys_now(2, (struct virtd_key)K2, (struct virtd_key)K2);
	assert_int_equal(echo(&echo_2, 7, &a), ECHO_SAME);
	assert_int_equal(a.keys, 1);
	keys_now(0, (struct virtd_key){ 0 }, (struct virtd_key){ 0 });
	assert_int_equal(echo(&echo_1, 6, &a), ECHO_KEYLESS);
	/* nothing was begun by any of them */
	assert_int_equal(t.connects + t.n_jobs + t.audits, 0);
	finish();
}

/* What became of the last call-back to who asks, also while it hangs; nobody without our key is told. */
/* Who floods echoes has others ask again, and the daemon compute no more than so many digests a second. */
static void echoes_have_a_limit(void **s)
{
	struct echo_answer a = { 0 };
	struct virtd_status st;

	(void)s;
	begin(open_conf);
	for (unsigned i = 0; i < 5000; i++)
		echo(&echo_3, (uint8_t)i, &a);
	virtd_status(t.core, &st);
	assert_in_range(t.replies, 1, 4000);
	assert_int_equal(st.limited, 5000 - t.replies);
	t.now += 1000;
	unsigned before = t.replies;

	echo(&echo_3, 1, &a);
	assert_int_equal(t.replies, before + 1);
	finish();
}

static void echoes_tell_the_way_back(void **s)
{
	struct echo_view view = { .heard = "eth0" };
	uint8_t bytes[ECHO_BYTES], packet[176], nonce[1][ECHO_NONCE_BYTES] = { { 7 } };
	struct echo_answer a = { 0 };
	const struct {
		unsigned wait_ms;
		int err;
		uint8_t want;
	} rows[] = {
		{ 0, -1, ECHO_NO_BACK },
		{ 200, -1, ECHO_NO_BACK },
		{ 1500, -1, ETIMEDOUT },
		{ 0, EACCES, EACCES },
		{ 0, 0, 0 },
	};

	(void)s;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin(open_conf);
		if (i > 0) {
			make(packet, VIRT_STATUS, "test", 2);
			datagram(packet, 176, "10.99.0.2");
			pass(rows[i].wait_ms);
		}
		if (rows[i].err >= 0)
			step((struct virtd_event){
				.type = VIRTD_EV_CONNECTED,
				.connected = { t.conn, rows[i].err == 0, rows[i].err } });
		nonce[0][0]++;
		assert_int_equal(echo_ask(bytes, &echo_1, nonce[0]), 0);
		step((struct virtd_event){
			.type = VIRTD_EV_DATAGRAM,
			.datagram = { 0, "10.99.0.2", bytes, sizeof(bytes), &view } });
		assert_int_equal(echo_judge(t.reply, sizeof(t.reply), &echo_1,
					    (const uint8_t(*)[ECHO_NONCE_BYTES])nonce, 1, &a),
				 ECHO_SAME);
		assert_true(a.view.there);
		assert_int_equal(a.view.back, rows[i].want);
		assert_string_equal(a.view.source, "10.99.0.2");
		assert_string_equal(a.view.heard, "eth0");
		assert_int_equal(a.view.libvirt, ECHO_YES);
		step((struct virtd_event){ .type = VIRTD_EV_URI, .uri = { 0, false } });
		nonce[0][0]++;
		assert_int_equal(echo_ask(bytes, &echo_3, nonce[0]), 0);
		step((struct virtd_event){
			.type = VIRTD_EV_DATAGRAM,
			.datagram = { 0, "10.99.0.2", bytes, sizeof(bytes), &view } });
		assert_null(memmem(t.reply, sizeof(t.reply), "eth0", 4));
		finish();
	}
}

static void echoes_by_the_thousand_are_not_answered(void **s)
{
	struct echo_answer a;
	uint8_t packet[176];
	unsigned n = 0;

	(void)s;
	begin(open_conf);
	for (unsigned i = 0; i < 1000; i++)
		n += echo(&echo_3, 1, &a) == ECHO_OTHER;
	assert_in_range(n, 1, 100);
	/* and take nothing from requests */
	make(packet, VIRT_STATUS, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 1);
	pass(30000);
	assert_int_equal(echo(&echo_1, 1, &a), ECHO_SAME);
	finish();
}

static void echo_over_a_connection_is_answered_and_closed(void **s)
{
	static const char tcp[] = "fence_virtd { listener = \"tcp\"; backend = \"libvirt\"; }\n"
				  "listeners { tcp { key_file = \"/k\"; } }\n"
				  "backends { libvirt { uri = \"test:///default\"; } }\n";
	uint8_t bytes[ECHO_BYTES], nonce[1][ECHO_NONCE_BYTES] = { { 5 } };
	struct echo_answer a;
	uint64_t conn = VIRTD_CONN_ACCEPTED | 1;

	(void)s;
	begin(tcp);
	assert_int_equal(echo_ask(bytes, &echo_1, nonce[0]), 0);
	step((struct virtd_event){ .type = VIRTD_EV_ACCEPT, .accept = { conn, 0, "10.99.0.2" } });
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { conn, bytes, 100 } });
	assert_int_equal(t.n_sent, 0);
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { conn, bytes + 100, 76 } });
	assert_int_equal(t.n_sent, ECHO_BYTES);
	assert_true(t.closed);
	assert_int_equal(echo_judge(t.sent, ECHO_BYTES, &echo_1,
				    (const uint8_t(*)[ECHO_NONCE_BYTES])nonce, 1, &a),
			 ECHO_SAME);
	finish();
}

/* What is in hand while keys are changed comes to its end under the key that it began with; its verdict too. */
static void keys_change_under_requests_in_hand(void **s)
{
	(void)s;
	for (int dropped = 0; dropped < 2; dropped++)
		for (int stage = 0; stage < 3; stage++) {
			const struct virtd_key k1 = K1, k2 = K2, none = { 0 };
			const uint8_t *key = dropped ? k1.bytes : k2.bytes;
			size_t len = dropped ? k1.len : k2.len;
			uint8_t packet[176], mine[64] = { 0x5a }, want_bytes[64], answered[64];
			uint8_t challenge[64];
			struct virt_request q = { .request = VIRT_OFF,
						  .hash = 2,
						  .addrlen = 4,
						  .flags = VIRT_FLAG_VERDICT,
						  .domain = "test",
						  .address = { 10, 99, 0, 2 },
						  .port = 1229,
						  .seqno = 77,
						  .family = 2 };
			struct virt_verdict v;

			begin(open_conf);
			assert_int_equal(virt_request_encode(packet, &q, key, len), 0);
			datagram(packet, 176, "10.99.0.2");
			assert_int_equal(t.connects, 1);
			if (stage == 0)
				keys_now(1, k2, none);
			step((struct virtd_event){ .type = VIRTD_EV_CONNECTED,
						   .connected = { t.conn, true, 0 } });
			step((struct virtd_event){ .type = VIRTD_EV_DATA,
						   .data = { t.conn, mine, 64 } });
			assert_int_equal(t.n_sent, 128);
			assert_int_equal(virt_response(2, key, len, mine, want_bytes), 0);
			assert_memory_equal(t.sent, want_bytes, 64);
			memcpy(challenge, t.sent + 64, 64);
			if (stage == 1)
				keys_now(1, k2, none);
			assert_int_equal(virt_response(2, key, len, challenge, answered), 0);
			t.n_sent = 0;
			step((struct virtd_event){ .type = VIRTD_EV_DATA,
						   .data = { t.conn, answered, 64 } });
			state(VIRTD_POWER_ON, 4);
			if (stage == 2)
				keys_now(1, k2, none);
			answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_OFF, -1));
			assert_int_equal(t.n_sent, 1 + VIRT_VERDICT_BYTES);
			const struct virt_seal seal = { key, len, packet, mine, challenge };

			assert_int_equal(virt_verdict_decode(&v, t.sent + 1, &seal), 0);
			assert_int_equal(v.power, VIRT_POWER_OFF);
			/* the dropped key begins nothing new */
			q.seqno = 78;
			assert_int_equal(virt_request_encode(packet, &q, key, len), 0);
			datagram(packet, 176, "10.99.0.2");
			assert_int_equal(t.connects, dropped ? 1 : 2);
			finish();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_proves_each_key_and_no_other),
		cmocka_unit_test(echoes_have_a_limit),
		cmocka_unit_test(echoes_tell_the_way_back),
		cmocka_unit_test(echoes_by_the_thousand_are_not_answered),
		cmocka_unit_test(echo_over_a_connection_is_answered_and_closed),
		cmocka_unit_test(keys_change_under_requests_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
