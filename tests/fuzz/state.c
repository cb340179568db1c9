/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What daemons tell each other over sockets and keep in files (lib/): the first byte chooses, the rest is the bytes. What is
 * taken is told again, and must read the same.
 */
#include "lib/fence_state.h"
#include "lib/wire.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>

static void state(const uint8_t *data, size_t len)
{
	static struct fence_state st, again;
	static uint8_t buf[FENCE_STATE_WIRE_MAX];

	if (fence_state_decode(&st, data, len) < 0)
		return;
	assert(st.n <= NODES_MAX);
	for (unsigned i = 0; i < st.n; i++) {
		assert(*fence_node_state_name(st.node[i].state));
		/* SAFE-3: a kind that we do not know ends no life */
		if (strcmp(proof_kind_name(st.node[i].proof.kind), "?") == 0)
			assert(!proof_covers(&st.node[i].proof, &st.node[i].life) ||
			       incarnation_unseen(&st.node[i].life));
	}
	int n = fence_state_encode(&st, buf, sizeof(buf));

	assert(n > 0 && fence_state_decode(&again, buf, (size_t)n) == 0);
	assert(again.n == st.n && again.informed == st.informed && again.quorate == st.quorate);
}

static void signs(const uint8_t *data, size_t len)
{
	struct fence_signs s, again;
	uint8_t buf[FENCE_SIGNS_WIRE_MAX];

	if (fence_signs_decode(&s, data, len) < 0)
		return;
	int n = fence_signs_encode(&s, buf, sizeof(buf));

	assert(n > 0 && fence_signs_decode(&again, buf, (size_t)n) == 0);
	assert(again.weight == s.weight && again.holds == s.holds && again.self == s.self &&
	       memcmp(again.peer, s.peer, sizeof(s.peer)) == 0);
}

static void one_proof(const uint8_t *data, size_t len)
{
	struct proof p = { 0 }, again = { 0 };
	uint8_t buf[1024];
	struct wire_r r;
	struct wire_w w;
	size_t n = 0;

	wire_r_init(&r, data, len);
	proof_read(&p, &r);
	if (wire_r_done(&r) < 0)
		return;
	assert(strlen(p.evidence) < sizeof(p.evidence));
	wire_w_init(&w, buf, sizeof(buf));
	proof_write(&p, &w);
	assert(wire_w_done(&w, &n) == 0);
	wire_r_init(&r, buf, n);
	proof_read(&again, &r);
	assert(wire_r_done(&r) == 0 && again.kind == p.kind &&
	       strcmp(again.evidence, p.evidence) == 0);
}

static void boot(const uint8_t *data, size_t len)
{
	char text[128], told[BOOT_ID_TEXT];
	struct incarnation life = { .nodeid = 1 };
	uint8_t again[BOOT_ID_BYTES];

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	if (incarnation_boot_parse(text, life.boot_id) < 0)
		return;
	incarnation_boot_text(&life, told);
	assert(incarnation_boot_parse(told, again) == 0 &&
	       memcmp(again, life.boot_id, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	switch (data[0] % 4) {
	case 0: state(data + 1, len - 1); break;
	case 1: signs(data + 1, len - 1); break;
	case 2: one_proof(data + 1, len - 1); break;
	case 3: boot(data + 1, len - 1); break;
	}
	return 0;
}
