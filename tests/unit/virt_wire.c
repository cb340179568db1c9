/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virt/wire against the bytes of the stock programs: captures of fence_xvm and fence_virtd 4.12, and vectors that were
 * computed by other hands (ref/fencing.md 1.9). What a decoder takes is within bounds; a verdict holds for one talk only.
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

#include "fence_agents/virt/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

#define KEY (const uint8_t *)"0123456789abcdef0123456789abcdef", 32

static size_t hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned byte;

		if (*text == ' ')
			continue;
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
		text++;
	}
	return n;
}

/* A captured request: head, address, tail from 96 on, digest. */
static void capture(uint8_t packet[VIRT_REQUEST_BYTES], const char *head, const char *address,
		    const char *tail, const char *digest)
{
	memset(packet, 0, VIRT_REQUEST_BYTES);
	hex(head, packet);
	memcpy(packet + 4, "test", 4);
	hex(address, packet + 68);
	hex(tail, packet + 96);
	hex(digest, packet + 112);
}

static const struct {
	const char *head, *tail, *digest;
} captured[] = {
	{ "04000400", "cd04000000000000 35cc0200 02000000", "" },
	{ "04020400", "cd04aa110f730822 95c40e00 02000000",
	  "399812e5d5603c03060b5b1c29514a346bfa350051569b4e4fff58d9158e24cf" },
	{ "04030400", "cd04b88601d21bbf 55360000 02000000",
	  "93a4d9f0bee49a6025e8c2b86e9a2147648c5ac6513a9132ec11619bad07f1aa"
	  "98165dbcc32e9d23b328732a28d5b4abba80acd59b45f01de74716cc9126eb84" },
};

static void captured_requests_are_read_and_made_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(captured) / sizeof(*captured); i++) {
		uint8_t packet[VIRT_REQUEST_BYTES], again[VIRT_REQUEST_BYTES];
		struct virt_request q;

		capture(packet, captured[i].head, "0a630002", captured[i].tail, captured[i].digest);
		assert_int_equal(virt_request_decode(&q, packet, sizeof(packet)), 0);
		assert_int_equal(q.request, VIRT_STATUS);
		assert_string_equal(q.domain, "test");
		assert_int_equal(q.port, VIRT_PORT);
		assert_int_equal(q.family, 2);
		assert_memory_equal(q.address, "\x0a\x63\x00\x02", 4);
		assert_int_equal(virt_request_verify(packet, sizeof(packet), KEY),
				 q.hash != VIRT_HASH_NONE);
		assert_int_equal(virt_request_encode(again, &q, KEY), 0);
		assert_memory_equal(again, packet, sizeof(packet));
		if (i == 0)
			assert_int_equal(q.seqno, 183349);
	}
}

static void vectors_of_all_digests(void **state)
{
	static const char *const packet_digest[] = {
		NULL,
		"5c6ad26f815d24e7cbed27a7a70efe325964e0ed",
		"bea4e5c327de6e32ae5014c0b5de55f527b50487614c82d6f36fc2c81c8d79a7",
		"61422f31b67acfe5c88dfccf880a82147e01fe9e6845a3b5675c4af3b28dc19d"
		"69506b6fd0e91730932751dc8c19c5fe6d6968423a505b48abff9db7a9a95df8",
	};
	static const char *const response[] = {
		NULL,
		"cd5e20490956ff2c746f9b77839a19c159f42b44",
		"8f236b71f35337feaf7bf175079a8065f853f4738b6c903fcd47c2a9541c71e7",
		"876e9433d753777ac0772bb11593d4d28786fc080cc4e7e954684f2966544970"
		"db7090910a526292e7a2bc3c4323e4d0772699c9458906dff83ddd79c2687050",
	};
	uint8_t challenge[64], out[64], packet[VIRT_REQUEST_BYTES];

	(void)state;
	for (int i = 0; i < 64; i++)
		challenge[i] = (uint8_t)i;
	for (uint8_t h = VIRT_HASH_SHA1; h <= VIRT_HASH_SHA512; h++) {
		struct virt_request q = { .request = VIRT_STATUS,
					  .hash = h,
					  .addrlen = 4,
					  .domain = "test",
					  .address = { 10, 99, 0, 2 },
					  .port = 1229,
					  .random = { 1, 2, 3, 4, 5, 6 },
					  .seqno = 0x11223344,
					  .family = 2 };
		uint8_t want[64] = { 0 };

		hex(packet_digest[h], want);
		assert_int_equal(virt_request_encode(packet, &q, KEY), 0);
		assert_memory_equal(packet + 112, want, 64);
		memset(want, 0, sizeof(want));
		hex(response[h], want);
		assert_int_equal(virt_response(h, KEY, challenge, out), 0);
		assert_memory_equal(out, want, 64);
	}
	assert_int_equal(virt_response(VIRT_HASH_NONE, KEY, challenge, out), -EINVAL);
	assert_int_equal(virt_response(4, KEY, challenge, out), -EINVAL);
	assert_int_equal(virt_response(VIRT_HASH_SHA1, (const uint8_t *)"", 0, challenge, out),
			 -EINVAL);
}

static void captured_callbacks_agree(void **state)
{
	static const struct {
		uint8_t hash;
		const char *challenge, *response;
	} talk[] = {
		{ VIRT_HASH_SHA256,
		  "40eb8ff6b51e76a36aa95aa287726869756647782480169cceac19e4aa55c7ca"
		  "85c7961c35f9b2c9e8e0d26e5dfaf02c0e88d512c6ce47a70ab602022ece1145",
		  "693ef45a856d6effec3bb7afad74aff9cfabd2e5009b66cc621356820348f6fb" },
		{ VIRT_HASH_SHA256,
		  "186c3082a706062ca1bf706a19c63abed60377d397006fb3421d037a6a3950d8"
		  "8ae28dd6be3a08cb84dba0179fbebc83881e1af4d7a6cdf0b42ab3eeb521730d",
		  "20356dad2ab64cfe8c1fa764128ae4910d22ec0db0e960b4e14d1b881e560271" },
		{ VIRT_HASH_SHA512,
		  "48a43dffd902019304ecb28a52b7d2317e0438bc9b4055729c468a19854c9e40"
		  "973e2526556cd437d654d32cbbdb97e063133089008fdf555cad8bb0e4bb1973",
		  "f6098ec89ecaed3ae31120d606385e76dd315e89db9922d09cd04c0f38effd10"
		  "e807896f3141734a465fc182673aa08ed2b6dbf8be8a9e4df09868676f08303d" },
		{ VIRT_HASH_SHA512,
		  "cd78a141d39c5a3c927f8aaebb5e88ca7074983373e31578da97e5ff600d61af"
		  "9088555acd94c955513c4592c299bafd964f03cfb1207f8fbb28ca0f0fa6d985",
		  "8037169b928ac028f7f2a4209640343dce0e950b06d72da8a09d4d877b9361a3"
		  "17090d94cf5bff9cf1c69ca56d6605bcd653f987652d672fe40d6eecefe4e763" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(talk) / sizeof(*talk); i++) {
		uint8_t challenge[64], want[64] = { 0 }, out[64];

		assert_int_equal(hex(talk[i].challenge, challenge), 64);
		hex(talk[i].response, want);
		assert_int_equal(virt_response(talk[i].hash, KEY, challenge, out), 0);
		assert_true(virt_equal(out, want, 64));
	}
}

/* The stock daemon takes 175 bytes, reads on beyond a name of 64, and compares what it likes. */
static void requests_are_whole_and_signed_or_nothing(void **state)
{
	uint8_t packet[VIRT_REQUEST_BYTES + 1] = { 0 };
	struct virt_request q = { .request = 77 };

	(void)state;
	capture(packet, captured[1].head, "0a630002", captured[1].tail, captured[1].digest);
	for (size_t len = 0; len <= sizeof(packet); len++) {
		if (len == VIRT_REQUEST_BYTES)
			continue;
		assert_int_equal(virt_request_decode(&q, packet, len), -EBADMSG);
		assert_false(virt_request_verify(packet, len, KEY));
	}
	assert_int_equal(q.request, 77);
	for (size_t bit = 0; bit < VIRT_REQUEST_BYTES * 8; bit++) {
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(virt_request_verify(packet, VIRT_REQUEST_BYTES, KEY));
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(virt_request_verify(packet, VIRT_REQUEST_BYTES, KEY));
	assert_false(virt_request_verify(packet, VIRT_REQUEST_BYTES,
					 (const uint8_t *)"0123456789abcdef0123456789abcdex", 32));
	assert_false(virt_request_verify(packet, VIRT_REQUEST_BYTES, (const uint8_t *)"", 0));
	memset(packet + 4, 'x', 64);
	packet[68] = 'y';
	assert_int_equal(virt_request_decode(&q, packet, VIRT_REQUEST_BYTES), 0);
	assert_int_equal(strlen(q.domain), 64);
	/* our own never fill all 64 */
	assert_int_equal(virt_request_encode(packet, &q, KEY), 0);
	assert_int_equal(packet[4 + 63], 0);
}

static void ipv6_request_has_its_address(void **state)
{
	uint8_t packet[VIRT_REQUEST_BYTES];
	struct virt_request q;

	(void)state;
	capture(packet, "04001000", "fd990000000000000000000000000002",
		"cd04000000000000 35cc0200 0a000000", "");
	assert_int_equal(virt_request_decode(&q, packet, sizeof(packet)), 0);
	assert_int_equal(q.addrlen, 16);
	assert_int_equal(q.family, 10);
	assert_int_equal(q.address[0], 0xfd);
	assert_int_equal(q.address[15], 2);
}

static void list_records_end_where_they_must(void **state)
{
	uint8_t in[VIRT_HOST_BYTES] = { 0 }, out[VIRT_HOST_BYTES];
	struct virt_host h;

	(void)state;
	/* as captured: garbage in the last byte of each text and in the pad */
	memcpy(in, "test", 4);
	in[63] = 0x33;
	memcpy(in + 64, "6695eb01-f6a4-8304-79aa-97f2502e193f", 36);
	in[127] = 0x7f;
	in[128] = 1;
	in[129] = 0xf6;
	assert_true(virt_host_decode(&h, in));
	assert_string_equal(h.name, "test");
	assert_string_equal(h.uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
	assert_int_equal(h.state, 1);
	memset(in, 'x', sizeof(in));
	assert_true(virt_host_decode(&h, in));
	assert_int_equal(strlen(h.name), 63);
	memset(out, 0xff, sizeof(out));
	virt_host_encode(out, h.name, "u", 5);
	assert_int_equal(out[63] | out[127] | out[129], 0);
	memset(in, 0, sizeof(in));
	assert_false(virt_host_decode(&h, in));
	/* SAFE-3: only shut off is off */
	for (unsigned s = 0; s < 256; s++)
		assert_int_equal(virt_host_power((uint8_t)s) == VIRT_POWER_OFF, s == 5);
	assert_int_equal(virt_host_power(0), VIRT_POWER_UNKNOWN);
	assert_int_equal(virt_host_power(3), VIRT_POWER_ON);
}

static void verdict_holds_for_one_talk_only(void **state)
{
	uint8_t request[VIRT_REQUEST_BYTES] = { 1 }, c1[64] = { 2 }, c2[64] = { 3 };
	uint8_t other[VIRT_REQUEST_BYTES] = { 9 }, bytes[VIRT_VERDICT_BYTES];
	struct virt_seal seal = { KEY, request, c1, c2 }, wrong;
	struct virt_verdict v = { .result = VIRT_SUCCESS,
				  .power = VIRT_POWER_OFF,
				  .uuid = { 0x66, 0x95 },
				  .took_ms = 123456 },
			    got = { 0 };

	(void)state;
	assert_int_equal(virt_verdict_encode(bytes, &v, &seal), 0);
	assert_int_equal(virt_verdict_decode(&got, bytes, &seal), 0);
	assert_memory_equal(&got, &v, sizeof(v));
	for (int i = 0; i < 4; i++) {
		wrong = seal;
		*(i == 0   ? &wrong.request
		  : i == 1 ? &wrong.challenge_1
		  : i == 2 ? &wrong.challenge_2
			   : &wrong.key) = other;
		assert_int_equal(virt_verdict_decode(&got, bytes, &wrong), -EKEYREJECTED);
	}
	/* not one bit of it can be turned */
	for (unsigned bit = 0; bit < VIRT_VERDICT_BYTES * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(virt_verdict_decode(&got, bytes, &seal) < 0);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* unsealed, and taken for sealed */
	wrong = seal;
	wrong.key = NULL;
	wrong.key_len = 0;
	assert_int_equal(virt_verdict_decode(&got, bytes, &wrong), -EKEYREJECTED);
	assert_int_equal(virt_verdict_encode(bytes, &v, &wrong), 0);
	assert_int_equal(virt_verdict_decode(&got, bytes, &wrong), 0);
	assert_int_equal(virt_verdict_decode(&got, bytes, &seal), -EKEYREJECTED);
}

static void serial_line_speaks_as_captured(void **state)
{
	uint8_t in[VIRT_SERIAL_BYTES] = { 0 }, out[VIRT_SERIAL_BYTES], answer[5], result = 9;
	struct virt_serial_request q;

	(void)state;
	hex("616262610400", in);
	memcpy(in + 6, "molly", 5);
	hex("299e0800", in + 70);
	assert_int_equal(virt_serial_decode(&q, in, sizeof(in)), 0);
	assert_int_equal(q.request, VIRT_STATUS);
	assert_string_equal(q.domain, "molly");
	assert_int_equal(q.seqno, 0x089e29);
	virt_serial_encode(out, &q);
	assert_memory_equal(in, out, sizeof(in));
	virt_serial_response(answer, VIRT_IS_OFF);
	assert_memory_equal(answer, "abba\x02", 5);
	assert_int_equal(virt_serial_result(answer, &result), 0);
	assert_int_equal(result, VIRT_IS_OFF);
	answer[0] ^= 1;
	assert_int_equal(virt_serial_result(answer, &result), -EBADMSG);
	in[1] ^= 1;
	assert_int_equal(virt_serial_decode(&q, in, sizeof(in)), -EBADMSG);
}

static void names_and_texts_are_there_for_all(void **state)
{
	uint8_t h;

	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		assert_int_equal(virt_hash_parse(virt_hash_name(i), &h), 0);
		assert_int_equal(h, i);
	}
	assert_int_equal(virt_hash_parse("SHA256", &h), 0);
	assert_int_equal(virt_hash_parse("md5", &h), -EINVAL);
	assert_null(virt_hash_name(4));
	for (unsigned i = 0; i < 256; i++)
		assert_true(strlen(virt_why_text((uint8_t)i)) > 0);
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
	uint8_t packet[VIRT_HOST_BYTES * 3] = { 0 };

	(void)state;
	capture(packet, captured[2].head, "0a630002", captured[2].tail, captured[2].digest);
	for (uint8_t kind = 0; kind < 5; kind++) {
		static const size_t bytes[] = { VIRT_REQUEST_BYTES, 3 * VIRT_HOST_BYTES,
						VIRT_VERDICT_BYTES, VIRT_VERDICT_BYTES,
						VIRT_SERIAL_BYTES };
		struct fuzz_tally t = fuzz_run(&(struct fuzz){ .sample = packet,
							       .len = bytes[kind],
							       .decode = any,
							       .arg = &kind,
							       .rounds = 4000 });

		assert_true(t.taken > 0);
	}
	assert_true(fuzz_corpus("virt_wire") >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_requests_are_read_and_made_again),
		cmocka_unit_test(vectors_of_all_digests),
		cmocka_unit_test(captured_callbacks_agree),
		cmocka_unit_test(requests_are_whole_and_signed_or_nothing),
		cmocka_unit_test(ipv6_request_has_its_address),
		cmocka_unit_test(list_records_end_where_they_must),
		cmocka_unit_test(verdict_holds_for_one_talk_only),
		cmocka_unit_test(serial_line_speaks_as_captured),
		cmocka_unit_test(names_and_texts_are_there_for_all),
		cmocka_unit_test(damaged_bytes_and_the_corpus_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
