/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/ping.c - fenced/daemon/ping: what counts as an answer of the gateway, and what does not (SAFE-4). As root also
 * the real thing: loopback answers, an address that no interface leads to does not, and both are told in time.
 */
#include "fenced/daemon/ping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ID 0x1234
#define COOKIE UINT64_C(0x0102030405060708)

static size_t reply(int family, uint8_t *buf, bool with_header)
{
	size_t head = with_header ? 20 : 0;

	memset(buf, 0, head);
	if (head)
		buf[0] = 0x45;
	ping_request(family, ID, 7, COOKIE, buf + head);
	buf[head] = family == AF_INET ? 0 : 129; /* echo reply */
	return head + PING_BYTES;
}

static void only_the_answer_to_our_request_counts(void **state)
{
	uint8_t buf[64];
	size_t n = reply(AF_INET, buf, true);
	(void)state;

	assert_true(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
	assert_false(ping_is_reply(AF_INET, buf, n, ID + 1, COOKIE));
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE + 1));
	buf[20] = 3; /* destination unreachable, from a router on the way */
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
	buf[20] = 8; /* our own request, looped back */
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
	n = reply(AF_INET6, buf, false);
	assert_true(ping_is_reply(AF_INET6, buf, n, ID, COOKIE));
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
}

static void a_damaged_packet_is_no_answer(void **state)
{
	uint8_t buf[64];
	(void)state;

	for (int v6 = 0; v6 < 2; v6++) {
		size_t n = reply(v6 ? AF_INET6 : AF_INET, buf, !v6);

		for (size_t cut = 0; cut < n; cut++)
			assert_false(ping_is_reply(v6 ? AF_INET6 : AF_INET, buf, cut, ID, COOKIE));
	}
	size_t n = reply(AF_INET, buf, true);

	buf[0] = 0x4f; /* a header longer than the packet's rest */
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
	buf[0] = 0x41;
	assert_false(ping_is_reply(AF_INET, buf, n, ID, COOKIE));
}

static void the_request_has_a_right_checksum(void **state)
{
	uint8_t p[PING_BYTES];
	uint32_t sum = 0;
	(void)state;

	ping_request(AF_INET, ID, 99, COOKIE, p);
	for (size_t i = 0; i < sizeof(p); i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

struct told {
	struct loop *loop;
	enum life_sign sign;
	unsigned n;
};

static void on_sign(void *arg, enum life_sign sign)
{
	struct told *t = arg;

	t->sign = sign;
	t->n++;
	loop_stop(t->loop, 0);
}

static void on_late(void *arg)
{
	loop_stop(arg, 1);
}

static enum life_sign ask(const char *target)
{
	static struct config cfg;
	struct told told = { .loop = loop_new() };
	struct loop_timer *late = loop_timer_new(told.loop, on_late, told.loop);

	memset(&cfg, 0, sizeof(cfg));
	cfg.n_pings = 1;
	memcpy(cfg.ping[0], target, strlen(target));
	cfg.timing.heartbeat_ms = 50;
	cfg.timing.stale_ms = 400;
	struct pings *p = pings_new(told.loop, &cfg, on_sign, &told);

	assert_non_null(p);
	assert_int_equal(pings_sign(p), LIFE_UNKNOWN);
	assert_true(pings_age_ms(p, 0) == UINT64_MAX);
	loop_timer_arm(late, mono_ms() + 5000);
	loop_run(told.loop);
	assert_int_equal(told.n, 1);
	assert_int_equal(pings_sign(p), told.sign);
	pings_free(p);
	loop_timer_free(late);
	loop_free(told.loop);
	return told.sign;
}

static void loopback_answers_and_nowhere_does_not(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* a raw socket */
	assert_int_equal(ask("127.0.0.1"), LIFE_FRESH);
	assert_int_equal(ask("127.255.255.255"),
			 LIFE_STALE); /* a broadcast address: send() is refused */
}

static void without_a_target_nothing_is_known(void **state)
{
	static struct config cfg;
	(void)state;

	assert_null(pings_new(NULL, &cfg, on_sign, NULL));
	assert_int_equal(pings_sign(NULL), LIFE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_answer_to_our_request_counts),
		cmocka_unit_test(a_damaged_packet_is_no_answer),
		cmocka_unit_test(the_request_has_a_right_checksum),
		cmocka_unit_test(loopback_answers_and_nowhere_does_not),
		cmocka_unit_test(without_a_target_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
