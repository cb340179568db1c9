// SPDX-License-Identifier: GPL-3.0-or-later
/* Every decoder of fence_agents/virt/wire on arbitrary bytes: the first byte chooses, the rest is the message. For libFuzzer, and
 * for tests/unit/virt_wire.c, which feeds it the corpus and damaged messages.
 */
#include "fence_agents/virt/wire.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>

static const uint8_t key[] = "0123456789abcdef0123456789abcdef";

static void request(const uint8_t *data, size_t len)
{
	uint8_t again[VIRT_REQUEST_BYTES];
	struct virt_request q;

	bool right = virt_request_verify(data, len, key, 32);

	if (virt_request_decode(&q, data, len) < 0) {
		assert(!right);
		return;
	}
	assert(strlen(q.domain) <= 64);
	/* what is signed and in order is told again byte by byte */
	if (right && strlen(q.domain) <= VIRT_DOMAIN_MAX &&
	    virt_request_encode(again, &q, key, 32) == 0)
		assert(virt_request_verify(again, sizeof(again), key, 32));
}

static void list(const uint8_t *data, size_t len)
{
	struct virt_host h;

	for (; len >= VIRT_HOST_BYTES; data += VIRT_HOST_BYTES, len -= VIRT_HOST_BYTES) {
		if (!virt_host_decode(&h, data))
			return;
		assert(strlen(h.name) < sizeof(h.name) && strlen(h.uuid) < sizeof(h.uuid));
		assert(virt_host_power(h.state) <= VIRT_POWER_OFF);
	}
}

static void verdict(const uint8_t *data, size_t len, bool keyed)
{
	static const uint8_t zero[VIRT_REQUEST_BYTES];
	struct virt_seal seal = { .key = keyed ? key : NULL,
				  .key_len = keyed ? 32 : 0,
				  .request = zero,
				  .challenge_1 = zero,
				  .challenge_2 = zero };
	struct virt_verdict v;

	if (len == VIRT_VERDICT_BYTES && virt_verdict_decode(&v, data, &seal) == 0) {
		assert(v.power <= VIRT_POWER_OFF);
		assert(*virt_why_text(v.why));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct virt_serial_request q;
	uint8_t result;

	if (len == 0)
		return 0;
	switch (data[0] % 5) {
	case 0: request(data + 1, len - 1); break;
	case 1: list(data + 1, len - 1); break;
	case 2: verdict(data + 1, len - 1, false); break;
	case 3: verdict(data + 1, len - 1, true); break;
	case 4:
		if (virt_serial_decode(&q, data + 1, len - 1) == 0)
			assert(strlen(q.domain) <= 64);
		if (len - 1 == VIRT_SERIAL_RESPONSE_BYTES)
			virt_serial_result(data + 1, &result);
		break;
	}
	return 0;
}
