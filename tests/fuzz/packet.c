/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets that anybody on the network can send to fenced and to the doctor, decoded by hand: answers to pings, IGMP, what the
 * doctor's ear hears, answers of BMCs, sealed statements. The first byte chooses the family, the rest is the packet.
 */
#include "fence_agents/doctor/packet.h"
#include "fenced/daemon/ping.h"
#include "lib/shell/multicast.h"
#include "lib/shell/seal.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define PORT 1229
#define ID 0x4142
#define COOKIE UINT64_C(0x4645444342414039)

static void heard(int family, const uint8_t *d, size_t len)
{
	struct ear_packet p = { .ifindex = 3 };

	if (!packet_dissect(family, PORT, d, len, &p))
		return;
	/* it is one thing, and what it points at is inside */
	assert(p.syn + p.syn_ack + p.igmp_query + (p.data != NULL) == 1);
	assert(p.ifindex == 3 && p.from.ss_family == family);
	if (p.data)
		assert(p.data >= d && p.data + p.len == d + len);
}

static void statement(const uint8_t *d, size_t len)
{
	static const uint8_t key[2][SEAL_KEY_BYTES] = { { 1 }, { 2 } };
	struct attest_msg m = { .type = ATTEST_HELLO }, got;
	uint8_t sealed[SEAL_DATAGRAM_MAX];

	assert(seal_read(key, 2, d, len, &got) < 0); /* nobody guesses a seal (SAFE-11) */
	/* our own with @d for its nonce: read back whole, and not with one bit changed */
	memcpy(m.nonce, d, len < sizeof(m.nonce) ? len : sizeof(m.nonce));
	ssize_t n = seal_write(key[1], &m, sealed, sizeof(sealed));

	assert(n > 0 && seal_read(key, 2, sealed, (size_t)n, &got) == 1);
	assert(memcmp(got.nonce, m.nonce, sizeof(m.nonce)) == 0);
	if (len == 0)
		return;
	sealed[d[0] % (size_t)n] ^= (uint8_t)(1u << d[len - 1] % 8);
	assert(seal_read(key, 2, sealed, (size_t)n, &got) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	int family = data[0] & 1 ? AF_INET6 : AF_INET;
	const uint8_t *d = data + 1;

	len--;
	heard(family, d, len);
	statement(d, len);
	if (packet_is_pong(family, d, len, ID))
		assert(len >= 8);
	if (packet_is_rmcp(d, len))
		assert(len >= 4);
	if (igmp_is_query(d, len))
		assert(len > 0);
	assert(igmp_interval_s(igmp_query_code(d, len)) <= 31744);
	if (ping_is_reply(family, d, len, ID,
			  COOKIE)) /* SAFE-4: without our cookie it is no answer */
		assert(len >= PING_BYTES &&
		       memmem(d, len, &(uint64_t){ COOKIE }, sizeof(uint64_t)));
	return 0;
}
