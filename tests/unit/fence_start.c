/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fenced that starts believes of its predecessor: proofs kept on disk count in the very ring in which they were kept, and
 * only while the node has not come back (SAFE-1). In any other ring its peer may have booted and taken everything meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fenced/core/fence.h"

static const struct view_id ring = { .seq = 7, .rep = 1 };

/* Node 1 starts alone in @now, with a proof of node 2's end kept in @kept; what it holds of node 2 then. */
static enum fence_node_state start(struct view_id kept, struct view_id now)
{
	static struct fence_actions out;
	static struct fence_state st;
	struct fence_config cfg = {
		.self = { .nodeid = 1, .boot_id = { 1 }, .join = 2 },
		.nodes = { nodeset_of(1).bits | nodeset_of(2).bits },
		.cut_delay_ms = 1000,
		.post_join_ms = 30000,
		.absent_ms = 10000,
		.retry_min_ms = 1000,
		.retry_max_ms = 60000,
		.ready_interval_ms = 60000,
		.ready_age_ms = 300000,
		.confirm_ms = 2000,
		.stall_ms = 500,
		.stored_view = kept,
		.n_stored = 1,
		.stored[0] = { .victim = { .nodeid = 2, .boot_id = { 2 }, .join = 1 },
			       .kind = PROOF_OFF_VERIFIED,
			       .by = 1,
			       .number = 1 },
	};
	struct fence_event ev = { .type = FENCE_EV_VIEW, .now_ms = 1000 };

	for (uint32_t id = 1; id <= 2; id++) {
		cfg.path[id].n_levels = 1;
		cfg.path[id].n_devices[0] = 1;
	}
	struct fence_domain *d = fence_new(&cfg);

	assert_non_null(d);
	ev.view.id = now;
	ev.view.quorate = ev.view.two_node = true;
	ev.view.nodes = ev.view.members = ev.view.joined = nodeset_of(1);
	assert_int_equal(fence_step(d, &ev, &out), 0);
	assert_true(out.msg_len > 0); /* its SYNC */
	uint8_t *sync = malloc(out.msg_len);
	size_t len = out.msg_len;

	assert_non_null(sync);
	memcpy(sync, out.msg, len);
	ev = (struct fence_event){ .type = FENCE_EV_DELIVER, .now_ms = 1010 };
	ev.deliver.from = 1;
	ev.deliver.data = sync;
	ev.deliver.len = len;
	assert_int_equal(fence_step(d, &ev, &out), 0);
	free(sync);
	fence_snapshot(d, 1010, &st);
	assert_true(st.informed);
	fence_free(d);
	return fence_state_node(&st, 2)->state;
}

static void proof_kept_in_this_ring_counts(void **state)
{
	(void)state;
	assert_int_equal(start(ring, ring), FENCE_NODE_DEAD);
}

static void proof_kept_in_another_ring_is_forgotten(void **state)
{
	(void)state;
	assert_int_equal(start((struct view_id){ .seq = 6, .rep = 1 }, ring), FENCE_NODE_UNKNOWN);
	assert_int_equal(start((struct view_id){ .seq = 7, .rep = 2 }, ring), FENCE_NODE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proof_kept_in_this_ring_counts),
		cmocka_unit_test(proof_kept_in_another_ring_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
