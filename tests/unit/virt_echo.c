/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virt/echo: equal keys are proven, other keys never are, and nothing of it can be used to fence. SAFE-3: only an
 * answer under the key and to this very question counts; SAFE-8: freshness comes from nonces, no clock is looked at.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

static const uint8_t key_bytes[] = "0123456789abcdef0123456789abcdef";
static const uint8_t other_bytes[] = "another key, which came afterwards";
static const struct echo_key key = { key_bytes, 32 }, other = { other_bytes, 34 };
static const uint8_t nonce[2][ECHO_NONCE_BYTES] = { { 1, 2, 3 }, { 4, 5, 6 } };
static const uint8_t theirs[ECHO_NONCE_BYTES] = { 9, 9, 9 };
static const struct echo_answer said = { .slot = 0, .keys = 1, .role = ECHO_VIRTD, .host = "hv1" };

static void made(uint8_t ask[ECHO_BYTES], uint8_t answer[ECHO_BYTES])
{
	assert_int_equal(echo_ask(ask, &key, nonce[0]), 0);
	assert_int_equal(echo_answer(answer, ask, &key, &said, theirs), 0);
}

static enum echo_verdict judge(const uint8_t *bytes, struct echo_answer *a)
{
	return echo_judge(bytes, ECHO_BYTES, &key, nonce, 2, a);
}

static void equal_keys_are_proven(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES], id[ECHO_ID_BYTES], again[ECHO_ID_BYTES];
	const struct echo_key two[] = { other, key };
	struct echo_answer a = { 0 };

	(void)state;
	made(ask, answer);
	assert_int_equal(echo_check(ask, sizeof(ask), &key, 1, id), 0);
	assert_int_equal(echo_check(ask, sizeof(ask), two, 2, again), 1); /* as the second */
	assert_memory_equal(id, again, sizeof(id));
	assert_int_equal(judge(answer, &a), ECHO_SAME);
	assert_int_equal(a.slot, 0);
	assert_int_equal(a.keys, 1);
	assert_int_equal(a.role, ECHO_VIRTD);
	assert_string_equal(a.host, "hv1");
	assert_int_equal(echo_ask(ask, &(struct echo_key){ key_bytes, 0 }, nonce[0]), -EINVAL);
}

static void other_keys_are_refused_and_get_nothing_of_ours(void **state)
{
	uint8_t ask[ECHO_BYTES], out[ECHO_BYTES], again[ECHO_BYTES], id[ECHO_ID_BYTES];
	struct echo_answer a;

	(void)state;
	assert_int_equal(echo_ask(ask, &key, nonce[0]), 0);
	assert_int_equal(echo_check(ask, sizeof(ask), &other, 1, id), -EKEYREJECTED);
	assert_int_equal(echo_check(ask, sizeof(ask), NULL, 0, id), -EKEYREJECTED);
	/* a refusal is made without any key: it cannot tell anything about one */
	echo_refuse(out, ask, ECHO_OTHER_KEY);
	echo_refuse(again, ask, ECHO_OTHER_KEY);
	assert_memory_equal(out, again, sizeof(out));
	assert_int_equal(judge(out, &a), ECHO_OTHER);
	echo_refuse(out, ask, ECHO_NO_KEY);
	assert_int_equal(judge(out, &a), ECHO_KEYLESS);
	echo_refuse(out, ask, ECHO_REPLAY);
	assert_int_equal(judge(out, &a), ECHO_REPEATED);
	/* whoever answers under another key proves nothing */
	assert_int_equal(echo_answer(out, ask, &other, &said, theirs), 0);
	assert_int_equal(judge(out, &a), ECHO_UNPROVEN);
}

static void recorded_answers_are_told_from_fresh_ones(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES];
	const uint8_t fresh[1][ECHO_NONCE_BYTES] = { { 7 } };
	struct echo_answer a;

	(void)state;
	made(ask, answer);
	assert_int_equal(echo_judge(answer, sizeof(answer), &key, fresh, 1, &a), ECHO_REPEATED);
	/* to somebody else, under a key that is not ours: none of our business */
	assert_int_equal(echo_judge(answer, sizeof(answer), &other, fresh, 1, &a), ECHO_STRAY);
	echo_refuse(answer, ask, ECHO_OTHER_KEY);
	assert_int_equal(echo_judge(answer, sizeof(answer), &key, fresh, 1, &a), ECHO_STRAY);
}

static void questions_sent_back_are_no_answers(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES], id[ECHO_ID_BYTES];
	struct echo_answer a;

	(void)state;
	made(ask, answer);
	assert_int_equal(judge(ask, &a), ECHO_STRAY);
	ask[4] = ECHO_ANSWER; /* the type is under the seal */
	assert_int_equal(judge(ask, &a), ECHO_UNPROVEN);
	assert_int_equal(echo_check(answer, sizeof(answer), &key, 1, id), -EBADMSG);
	answer[4] = ECHO_ASK;
	assert_int_equal(echo_check(answer, sizeof(answer), &key, 1, id), -EKEYREJECTED);
}

/* An echo must not help to fence: its bytes are no request, and its seal is no digest that one would need. */
static void echo_is_never_a_request(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES], digest[VIRT_DIGEST_BYTES];
	struct virt_request q;

	(void)state;
	made(ask, answer);
	for (int i = 0; i < 2; i++) {
		const uint8_t *bytes = i ? answer : ask;

		assert_int_equal(virt_request_decode(&q, bytes, ECHO_BYTES), 0);
		assert_null(virt_hash_name(q.hash)); /* stock and ours drop it before all else */
		for (unsigned h = 0; h < 256; h++) {
			uint8_t as[ECHO_BYTES];

			memcpy(as, bytes, sizeof(as));
			as[1] = (uint8_t)h;
			assert_false(virt_request_verify(as, sizeof(as), key_bytes, 32));
		}
		/* nor the answer to a challenge that an attacker chose as a nonce */
		for (uint8_t h = VIRT_HASH_SHA1; h <= VIRT_HASH_SHA512; h++) {
			assert_int_equal(virt_response(h, key_bytes, 32, bytes + 8, digest), 0);
			assert_memory_not_equal(digest, bytes + 144, 20);
		}
	}
}

static void not_one_bit_can_be_turned(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES], id[ECHO_ID_BYTES];
	struct echo_answer a;

	(void)state;
	made(ask, answer);
	for (unsigned bit = 0; bit < ECHO_BYTES * 8; bit++) {
		ask[bit / 8] ^= (uint8_t)(1 << bit % 8);
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(echo_check(ask, sizeof(ask), &key, 1, id) < 0);
		assert_int_not_equal(judge(answer, &a), ECHO_SAME);
		ask[bit / 8] ^= (uint8_t)(1 << bit % 8);
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < ECHO_BYTES; len++) {
		assert_false(echo_is(ask, len));
		assert_int_equal(echo_check(ask, len, &key, 1, id), -EBADMSG);
		assert_int_equal(echo_judge(answer, len, &key, nonce, 2, &a), ECHO_STRAY);
	}
	assert_true(echo_is(ask, sizeof(ask)));
}

/* The name comes from afar and goes to a terminal. */
static void host_names_are_shown_as_plain_text(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES];
	struct echo_answer evil = said, a;

	(void)state;
	memset(evil.host, 'x', ECHO_HOST_MAX);
	evil.host[0] = '\033';
	evil.host[1] = '\n';
	assert_int_equal(echo_ask(ask, &key, nonce[1]), 0);
	assert_int_equal(echo_answer(answer, ask, &key, &evil, theirs), 0);
	assert_int_equal(judge(answer, &a), ECHO_SAME);
	assert_int_equal(strlen(a.host), ECHO_HOST_MAX);
	assert_memory_equal(a.host, "??x", 3);
}

/* For stockade doctor fence: how the host sees the way. A long host name goes before what it sees. */
static void views_are_carried_under_the_seal(void **state)
{
	uint8_t ask[ECHO_BYTES], answer[ECHO_BYTES];
	struct echo_answer a, full = said;

	(void)state;
	full.view = (struct echo_view){ .there = true,
					.source = "10.99.0.99",
					.heard = "eth0",
					.joined = "eth1",
					.bridge = "br0",
					.group = ECHO_NO,
					.snoops = ECHO_YES,
					.queries = ECHO_NO,
					.libvirt = ECHO_YES,
					.back = 110,
					.query_age_s = 300,
					.query_code = 60,
					.watched_s = ECHO_NEVER };
	assert_int_equal(echo_ask(ask, &key, nonce[1]), 0);
	assert_int_equal(echo_answer(answer, ask, &key, &full, theirs), 0);
	assert_int_equal(judge(answer, &a), ECHO_SAME);
	assert_memory_equal(&a.view, &full.view, sizeof(a.view));
	memset(full.host, 'h', 50);
	assert_int_equal(echo_answer(answer, ask, &key, &full, theirs), 0);
	assert_int_equal(judge(answer, &a), ECHO_SAME);
	assert_string_equal(a.host, full.host);
	assert_string_equal(a.view.source, "10.99.0.99");
	assert_string_equal(a.view.heard, "");
	assert_int_equal(a.view.back, 110);
	/* an older stockade-virtd tells none */
	made(ask, answer);
	assert_int_equal(echo_judge(answer, sizeof(answer), &key, nonce, 2, &a), ECHO_SAME);
	assert_false(a.view.there);
}

/* Computed by another hand (Python's hmac): derived key, seal, fingerprint. */
static void vectors_of_another_hand(void **state)
{
	static const uint8_t mac[] = { 0xeb, 0xa7, 0xd3, 0xfb, 0xe0, 0xbd, 0xe8, 0xf6,
				       0xf4, 0x11, 0xaf, 0xd3, 0xc0, 0xf7, 0x69, 0x8a };
	uint8_t ask[ECHO_BYTES];
	char text[ECHO_FINGERPRINT_TEXT];

	(void)state;
	assert_int_equal(echo_ask(ask, &key, nonce[0]), 0);
	assert_memory_equal(ask, "SKE1\1\0\0\0\1\2\3", 11);
	assert_memory_equal(ask + 144, mac, sizeof(mac));
	echo_fingerprint(&key, text);
	assert_string_equal(text, "08fe-0d4e-c39a-dd0f");
	echo_fingerprint(&other, text);
	assert_string_not_equal(text, "08fe-0d4e-c39a-dd0f");
}

static int any(void *arg, const void *buf, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	copy[0] = *(uint8_t *)arg;
	memcpy(copy + 1, buf, len);
	int r = LLVMFuzzerTestOneInput(copy, len + 1);

	free(copy);
	return r;
}

static void damaged_bytes_and_the_corpus_are_survived(void **state)
{
	uint8_t bytes[2][ECHO_BYTES];

	(void)state;
	made(bytes[0], bytes[1]);
	for (uint8_t who = 0; who < 2; who++) {
		struct fuzz_tally t = fuzz_run(&(struct fuzz){ .sample = bytes[who],
							       .len = ECHO_BYTES,
							       .decode = any,
							       .arg = &who,
							       .rounds = 4000 });

		assert_true(t.taken > 0);
	}
	assert_true(fuzz_corpus("virt_echo") >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_are_proven),
		cmocka_unit_test(other_keys_are_refused_and_get_nothing_of_ours),
		cmocka_unit_test(recorded_answers_are_told_from_fresh_ones),
		cmocka_unit_test(questions_sent_back_are_no_answers),
		cmocka_unit_test(echo_is_never_a_request),
		cmocka_unit_test(not_one_bit_can_be_turned),
		cmocka_unit_test(host_names_are_shown_as_plain_text),
		cmocka_unit_test(views_are_carried_under_the_seal),
		cmocka_unit_test(vectors_of_another_hand),
		cmocka_unit_test(damaged_bytes_and_the_corpus_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
