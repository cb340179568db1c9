// SPDX-License-Identifier: GPL-3.0-or-later
/* The test BMC's keys, signatures and framing are those of real sessions: ipmitool with a suite 17 responder and with
 * openipmi's ipmi_sim (suite 3), captured once; see ref/fencing.md 3.1. */
#include "tests/bmc/rakp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t bytes(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned v;

	for (; sscanf(hex, "%2x", &v) == 1; hex += 2)
		out[n++] = (uint8_t)v;
	return n;
}

#define assert_hex(got, hex)                         \
	do {                                         \
		uint8_t want_[128];                  \
		size_t n_ = bytes(hex, want_);       \
		assert_memory_equal(got, want_, n_); \
	} while (0)

static struct rakp_session session(int suite, const char *bmc_id, const char *rm, const char *rc,
				   const char *guid)
{
	struct rakp_session s = { .suite = rakp_suite(suite), .role = 0x14, .name_len = 5 };

	bytes("a4a3a2a0", s.console_id);
	bytes(bmc_id, s.bmc_id);
	bytes(rm, s.console_random);
	bytes(rc, s.bmc_random);
	bytes(guid, s.guid);
	memcpy(s.name, "admin", 5);
	return s;
}

static struct rakp_session session_17(void)
{
	return session(17, "01100000", "810f151dfd88e3d9c3e7041ac9500473",
		       "c4a40432557593526cf891d703aab163", "000102030405060708090a0b0c0d0e0f");
}

static void suite_17_signs_as_captured(void **state)
{
	(void)state;
	struct rakp_session s = session_17();
	uint8_t mac[RAKP_MAC_MAX];

	rakp2_mac(&s, "fxpass", mac);
	assert_hex(mac, "16ba707a04ed19f05bf3f79c8012055b655e92e4f6e548d9bebf4c5d6f58eaaf");
	rakp3_mac(&s, "fxpass", mac);
	assert_hex(mac, "7b16b2a819f21d861c95f74d9c6e07cec271fba3cd9a2897d806321d1cb0f3f6");
	rakp_keys(&s, "fxpass");
	assert_hex(s.sik, "7626de1b91e2ba05b596a0831eb5168408152477070b67d2c7bb8f4c01f6c360");
	assert_hex(s.k1, "1561222ba357471cbea8d72525c2a995b38fdd03f70c901f99b2f06b82bf19a3");
	assert_hex(s.k2, "ca0effc9760caf679910754ec2df9ab67cfc32833d5de765eb70cd2950c5f13e");
	rakp4_mac(&s, mac);
	assert_hex(mac, "86c9791ea793f14f6642788c5f1ec452");
}

static void suite_3_signs_as_captured(void **state)
{
	(void)state;
	struct rakp_session s = session(3, "02000000", "633a3ba56e87323333ce9ce9e81e6993",
					"b79b0573bd2c04e32a5cb35249287d6c",
					"a123456789abcdefa123456789abcdef");
	uint8_t mac[RAKP_MAC_MAX];

	rakp2_mac(&s, "fxpass", mac);
	assert_hex(mac, "3290c33ced35b4860b789e18db96a6d6d60f88d9");
	rakp3_mac(&s, "fxpass", mac);
	assert_hex(mac, "d20e42ec49bbb86a47c1646af5ffd1e880cd48a5");
	rakp_keys(&s, "fxpass");
	assert_hex(s.sik, "f90ed5af58c437cbf05a10367db7ac381f157ca9");
	assert_hex(s.k1, "ac86247f73c2d501a2c11ff421cb089255f962de");
	assert_hex(s.k2, "e885c861cfa5419a5a8b8deea78ee46e9fcd8aea");
	rakp4_mac(&s, mac);
	assert_hex(mac, "6c16ab49dcd402bed1955a60");
}

static const char captured_request[] =
	"0600ff0706c001100000030000002000a702665088045b5cfcac5e1a5475dae1a0cdab057e0fafe1f8e688804f05bdb5"
	"ffff0207f638113ca7df6490f1a4e5b027a60152";
static const char captured_answer[] =
	"0600ff0706c0a4a3a2a0010000002000c4f9906551066a1a4e1b8ef6b976523732860f5ba543ac9843f22b8964ab753b"
	"ffff0207d2298f7b5719e1b6c0eb678ae5a6c522";

static void a_captured_packet_opens(void **state)
{
	(void)state;
	struct rakp_session s = session_17();
	uint8_t packet[RAKP_PACKET_MAX], got[RAKP_PACKET_MAX];

	rakp_keys(&s, "fxpass");
	size_t len = bytes(captured_request, packet);
	assert_int_equal(rakp_open(&s, packet, len, got), 8);
	assert_hex(got, "2018c881043b043c");
}

static void what_is_sealed_is_the_captured_answer(void **state)
{
	(void)state;
	struct rakp_session s = session_17();
	uint8_t want[RAKP_PACKET_MAX], got[RAKP_PACKET_MAX], message[16];

	rakp_keys(&s, "fxpass");
	size_t len = bytes(captured_answer, want);
	size_t n = bytes("811c6320043b00049d", message);
	assert_int_equal(rakp_seal(&s, s.console_id, 1, want + 16, message, n, got), len);
	assert_memory_equal(got, want, len);
}

static void every_damaged_byte_is_refused(void **state)
{
	(void)state;
	struct rakp_session s = session_17();
	uint8_t packet[RAKP_PACKET_MAX], got[RAKP_PACKET_MAX];

	rakp_keys(&s, "fxpass");
	size_t len = bytes(captured_request, packet);
	for (size_t i = 4; i < len; i++) {
		packet[i] ^= 0x40;
		assert_int_equal(rakp_open(&s, packet, len, got), -EBADMSG);
		packet[i] ^= 0x40;
	}
	for (size_t shorter = 0; shorter < len; shorter++)
		assert_int_equal(rakp_open(&s, packet, shorter, got), -EBADMSG);
}

static void other_suites_are_unknown(void **state)
{
	(void)state;
	assert_null(rakp_suite(0));
	assert_null(rakp_suite_by_algorithms(0, 0, 0));
	assert_null(rakp_suite_by_algorithms(1, 1, 0));
	assert_int_equal(rakp_suite_by_algorithms(3, 4, 1)->id, RAKP_SUITE_17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suite_17_signs_as_captured),
		cmocka_unit_test(suite_3_signs_as_captured),
		cmocka_unit_test(a_captured_packet_opens),
		cmocka_unit_test(what_is_sealed_is_the_captured_answer),
		cmocka_unit_test(every_damaged_byte_is_refused),
		cmocka_unit_test(other_suites_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
