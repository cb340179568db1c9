/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/multicast: queries are heard among other IGMP, with how often their sender asks (RFC 3376 4.1.7); cut ones are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/multicast.h"

#define HEAD 24 /* of an IPv4 header with a router alert, as queries have */

static void say(int fd, uint8_t type, uint8_t qqic, size_t igmp_len)
{
	uint8_t packet[HEAD + 12] = { 0x46 };

	packet[HEAD] = type;
	packet[HEAD + 9] = qqic;
	assert_int_equal(send(fd, packet, HEAD + igmp_len, 0), HEAD + igmp_len);
}

static void queries_are_heard_with_their_interval(void **state)
{
	uint8_t code = 7;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	assert_false(igmp_query_heard(fd[0], &code));
	say(fd[1], 0x22, 9, 12); /* a report */
	say(fd[1], 0x11, 9, 0);  /* cut */
	assert_false(igmp_query_heard(fd[0], &code));
	assert_int_equal(code, 7);
	say(fd[1], 0x11, 60, 12);
	say(fd[1], 0x22, 9, 12);
	assert_true(igmp_query_heard(fd[0], &code));
	assert_int_equal(code, 60);
	say(fd[1], 0x11, 0, 8); /* IGMP 2 does not tell */
	assert_true(igmp_query_heard(fd[0], &code));
	assert_int_equal(code, 0);
	close(fd[0]);
	close(fd[1]);
}

static void intervals_are_read_as_the_standard_writes_them(void **state)
{
	(void)state;
	assert_int_equal(igmp_interval_s(0), 0);
	assert_int_equal(igmp_interval_s(125), 125);
	assert_int_equal(igmp_interval_s(127), 127);
	assert_int_equal(igmp_interval_s(0x80), 128);
	assert_int_equal(igmp_interval_s(0x9f), 31 * 16);
	assert_int_equal(igmp_interval_s(0xff), 31744);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_are_heard_with_their_interval),
		cmocka_unit_test(intervals_are_read_as_the_standard_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
