/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers/neigh: the packets of a duplicate check and of an announcement, byte for byte, and which of the
 * answers mean that another station has the address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "storaged/drivers/neigh.h"

static const struct neigh v4 = {
	.family = AF_INET, .addr = { 192, 0, 2, 100 }, .ifindex = 2, .mac = { 2, 0, 0, 0, 0, 1 }
};
static const struct neigh v6 = { .family = AF_INET6,
				 .addr = { 0x20, 1, 0xd,
					   0xb8, [13] = 0xaa, [14] = 0xbb, [15] = 0xcc },
				 .ifindex = 2,
				 .mac = { 2, 0, 0, 0, 0, 1 } };

static void arp_packets_are_those_of_rfc5227(void **state)
{
	static const uint8_t probe[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0,   0, 0, 1,
					 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 100 };
	static const uint8_t announce[] = { 0,   1, 8, 0,   6, 4, 0, 1, 2, 0, 0,   0, 0, 1,
					    192, 0, 2, 100, 0, 0, 0, 0, 0, 0, 192, 0, 2, 100 };
	uint8_t buf[NEIGH_PACKET_MAX];

	(void)state;
	assert_int_equal(neigh_probe_packet(&v4, buf), sizeof(probe));
	assert_memory_equal(buf, probe, sizeof(probe));
	assert_int_equal(neigh_announce_packet(&v4, buf), sizeof(announce));
	assert_memory_equal(buf, announce, sizeof(announce));
}

static unsigned sum16(const uint8_t *p, size_t len, unsigned sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (unsigned)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void nd_packets_have_their_checksum_and_groups(void **state)
{
	uint8_t buf[NEIGH_PACKET_MAX];
	size_t len = neigh_probe_packet(&v6, buf);

	(void)state;
	assert_int_equal(len, 40 + 24);
	assert_int_equal(sum16(buf + 8, len - 8, (unsigned)(len - 40) + 58), 0xffff);
	assert_int_equal(buf[40], 135);
	static const uint8_t group[] = { 0xff, 2, 0, 0, 0,    0,    0,    0,
					 0,    0, 0, 1, 0xff, 0xaa, 0xbb, 0xcc };

	assert_memory_equal(buf + 24, group, 16);
	len = neigh_announce_packet(&v6, buf);
	assert_int_equal(len, 40 + 32);
	assert_int_equal(sum16(buf + 8, len - 8, (unsigned)(len - 40) + 58), 0xffff);
	assert_int_equal(buf[40], 136);
	assert_int_equal(buf[44] & 0xe0, 0x20); /* override; not solicited */
	assert_memory_equal(buf + 40 + 26, v6.mac, 6);
}

static void only_another_station_is_a_conflict(void **state)
{
	uint8_t buf[NEIGH_PACKET_MAX], mac[6];

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct neigh *mine = i ? &v6 : &v4;
		struct neigh other = *mine, far = *mine;
		size_t len;

		other.mac[5] = 9;
		far.mac[5] = 9;
		far.addr[0]++;
		len = neigh_announce_packet(&other, buf);
		assert_int_equal(neigh_conflict(mine, buf, len, mac), 1);
		assert_memory_equal(mac, other.mac, 6);
		for (size_t cut = 0; cut < (i ? 40u + 24 : 28u); cut++)
			assert_int_equal(neigh_conflict(mine, buf, cut, mac), 0);
		len = neigh_probe_packet(&other, buf); /* it is about to take the address too */
		assert_int_equal(neigh_conflict(mine, buf, len, mac), 1);
		len = neigh_announce_packet(mine, buf); /* our own, come back from a switch */
		assert_int_equal(neigh_conflict(mine, buf, len, mac), 0);
		len = neigh_announce_packet(&far, buf);
		assert_int_equal(neigh_conflict(mine, buf, len, mac), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_packets_are_those_of_rfc5227),
		cmocka_unit_test(nd_packets_have_their_checksum_and_groups),
		cmocka_unit_test(only_another_station_is_a_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
