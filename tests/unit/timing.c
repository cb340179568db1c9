/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/timing: every `detect` gives a safe set, the sets are the documented ones, and what an operator
 * sets by hand is refused, by the name of the broken inequality, when it cannot be safe.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/nodeset.h"
#include "lib/timing.h"

/* The only inequality that does not hold, by its rule; NULL: all hold; fails on several. */
static const char *broken(const struct timing_in *in, struct timing *t)
{
	struct timing_check c[TIMING_CHECKS_MAX];
	const char *rule = NULL;
	unsigned n = 0;
	int r = timing_solve(in, t, c, &n);

	assert_true(n > 0 && n <= TIMING_CHECKS_MAX);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(c[i].ok, c[i].left_ms < c[i].right_ms);
		assert_true(c[i].why[0] && c[i].fix[0]);
		if (c[i].ok)
			continue;
		if (rule)
			fail_msg("both \"%s\" and \"%s\" are broken", rule, c[i].rule);
		rule = c[i].rule;
	}
	assert_int_equal(r, rule ? -ERANGE : 0);
	return rule;
}

static void every_detect_has_a_safe_set(void **state)
{
	struct timing t;

	(void)state;
	for (uint32_t d = TIMING_DETECT_MIN_MS; d <= TIMING_DETECT_MAX_MS; d++) {
		struct timing_in in = { .detect_ms = d, .n_nodes = 3 };
		const char *rule = broken(&in, &t);

		if (rule)
			fail_msg("detect %u: %s", d, rule);
		assert_true(timing_detect_worst_ms(&t) <= d);
		assert_true(timing_detect_worst_ms(&t) + 20 > d); /* and does not give time away */
		assert_true(t.token_ms >= 300);
		assert_int_equal(t.iscsi_noop_interval_ms % 1000, 0);
		assert_int_equal(t.iscsi_replacement_ms % 1000, 0);
		assert_int_equal(t.iscsi_login_ms % 1000, 0);
		in.n_links = 2;
		rule = broken(&in, &t);
		if (rule && d >= 2000)
			fail_msg("detect %u, two links: %s", d, rule);
	}
}

static void three_seconds_give_the_documented_set(void **state)
{
	static const struct timing expected = {
		.token_ms = 1268,
		.consensus_ms = 1522,
		.knet_ping_interval_ms = 200,
		.knet_ping_timeout_ms = 1000,
		.heartbeat_ms = 500,
		.stale_ms = 1500,
		.cut_delay_ms = 46000,
		.post_join_ms = 30000,
		.absent_ms = 10000,
		.fence_attempt_ms = 40000,
		.fence_retry_min_ms = 1000,
		.fence_retry_max_ms = 10000,
		.ready_interval_ms = 60000,
		.ready_age_ms = 300000,
		.iscsi_noop_interval_ms = 2000,
		.iscsi_noop_timeout_ms = 2000,
		.iscsi_replacement_ms = 3000,
		.iscsi_login_ms = 6000,
		.storage_ms = 4500,
		.storage_stop_ms = 9000,
		.storage_turn_ms = 9500,
		.stop_ms = 17000,
		.halt_deny_ms = 4250,
		.halt_kill_ms = 8500,
		.watchdog_ms = 12000,
		.watchdog_grace_ms = 46000,
		.watchdog_margin_ms = 6822,
		.watchdog_wait_ms = 79822,
		.watchdog_wait_two_ms = 96322,
	};
	struct timing_in in = { .detect_ms = 3000, .n_nodes = 2 };
	struct timing t;

	(void)state;
	assert_null(broken(&in, &t));
#define X(name, rule) assert_int_equal(t.name, expected.name);
	TIMING_VALUES(X)
#undef X
	assert_int_equal(timing_detect_worst_ms(&t), 2990);
	assert_int_equal(timing_io_error_ms(&t), 7000);
}

static void the_shortest_detect_keeps_the_measured_floor(void **state)
{
	struct timing_in in = { .detect_ms = 1000, .n_nodes = 2 };
	struct timing t;

	(void)state;
	assert_null(broken(&in, &t));
	assert_int_equal(t.token_ms, 359);
	assert_int_equal(t.knet_ping_timeout_ms, 1000); /* held with tokens down to 150 */
	assert_int_equal(timing_io_error_ms(&t), 3000);
}

static void two_links_need_a_token_longer_than_a_link_failure(void **state)
{
	struct timing_in in = { .detect_ms = 1000, .n_nodes = 2, .n_links = 2 };
	struct timing t;

	(void)state;
	assert_string_equal(broken(&in, &t), "knet_ping_timeout + knet_ping_interval < token");
	in.detect_ms = 2000;
	assert_null(broken(&in, &t));
	assert_int_equal(t.knet_ping_timeout_ms, 500);
}

/* SAFE-4: the node that does not serve must not fence before the other could. */
static void cut_delay_shorter_than_a_fence_attempt_is_refused(void **state)
{
	struct timing_in in = { .detect_ms = 3000, .n_nodes = 2, .cut_delay_ms = 15000 };
	struct timing t;

	(void)state;
	assert_string_equal(broken(&in, &t), "fence_attempt + 4 x token < cut_delay");
	assert_int_equal(t.cut_delay_ms, 15000); /* shown as asked for */
	in.fence_timeout_ms = 9000;
	assert_null(broken(&in, &t));
	in.cut_delay_ms = 0;
	assert_null(broken(&in, &t));
	assert_int_equal(t.cut_delay_ms, 15000);
}

/* SAFE-4: of a dual power supply the second half goes when the first has answered, and only then is the node off. */
static void cut_delay_covers_all_devices_of_a_level(void **state)
{
	struct timing_in in = { .detect_ms = 3000, .n_nodes = 2, .n_together = 2 };
	struct timing one, t;

	(void)state;
	assert_null(broken(&in, &t));
	assert_int_equal(t.cut_delay_ms, 2 * 40000 + 6000);
	assert_int_equal(t.watchdog_grace_ms, 2 * 40000 + 6000);
	in.cut_delay_ms = 46000; /* enough for one */
	assert_string_equal(broken(&in, &t),
			    "fence_attempt x devices of a level + 4 x token < cut_delay");
	in.n_together = 1;
	assert_null(broken(&in, &one));
	assert_int_equal(one.cut_delay_ms, 46000);
	in.n_together = TIMING_TOGETHER_MAX + 1;
	assert_int_equal(timing_solve(&in, &t, NULL, NULL), -EINVAL);
}

/* SAFE-6: one missed check must not close the gate. */
static void readiness_that_cannot_stay_fresh_is_refused(void **state)
{
	struct timing_in in = { .detect_ms = 3000, .n_nodes = 2, .ready_age_ms = 30000 };
	struct timing t;

	(void)state;
	assert_string_equal(broken(&in, &t), "2 x ready_interval + fence_attempt < ready_age");
	in.fence_timeout_ms = 9000;
	assert_null(broken(&in, &t));
	assert_int_equal(t.ready_interval_ms, 7000);
}

static void fence_timeout_of_a_slow_agent_carries_the_rest_along(void **state)
{
	struct timing_in in = { .detect_ms = 3000,
				.n_nodes = 2,
				.fence_timeout_ms = TIMING_FENCE_MAX_MS };
	struct timing t;

	(void)state;
	assert_null(broken(&in, &t));
	assert_true(t.ready_age_ms > t.fence_attempt_ms && t.cut_delay_ms > t.fence_attempt_ms);
}

static void post_join_shorter_than_a_join_is_refused(void **state)
{
	struct timing_in in = { .detect_ms = 3000, .n_nodes = 3, .post_join_ms = 5000 };
	struct timing t;

	(void)state;
	assert_string_equal(broken(&in, &t), "detect + 2.5 s < post_join");
	in.post_join_ms = 6000;
	assert_null(broken(&in, &t));
}

static void inputs_out_of_range_leave_the_result_alone(void **state)
{
	static const struct timing_in bad[] = {
		{ .detect_ms = 999, .n_nodes = 2 },
		{ .detect_ms = 60001, .n_nodes = 2 },
		{ .detect_ms = 0, .n_nodes = 2 },
		{ .detect_ms = 3000, .n_nodes = 0 },
		{ .detect_ms = 3000, .n_nodes = NODES_MAX + 1 },
		{ .detect_ms = 3000, .n_nodes = 2, .n_links = 3 },
		{ .detect_ms = 3000, .n_nodes = 2, .fence_timeout_ms = 999 },
		{ .detect_ms = 3000, .n_nodes = 2, .fence_timeout_ms = TIMING_FENCE_MAX_MS + 1 },
		{ .detect_ms = 3000, .n_nodes = 2, .ready_age_ms = 999 },
		{ .detect_ms = 3000, .n_nodes = 2, .post_join_ms = TIMING_OTHER_MAX_MS + 1 },
		{ .detect_ms = 3000, .n_nodes = 2, .cut_delay_ms = UINT32_MAX },
	};
	struct timing t, before;
	unsigned n = 77;

	(void)state;
	memset(&t, 0x5a, sizeof(t));
	before = t;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(timing_solve(&bad[i], &t, NULL, &n), -EINVAL);
		assert_memory_equal(&t, &before, sizeof(t));
		assert_int_equal(n, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_detect_has_a_safe_set),
		cmocka_unit_test(three_seconds_give_the_documented_set),
		cmocka_unit_test(the_shortest_detect_keeps_the_measured_floor),
		cmocka_unit_test(two_links_need_a_token_longer_than_a_link_failure),
		cmocka_unit_test(cut_delay_shorter_than_a_fence_attempt_is_refused),
		cmocka_unit_test(cut_delay_covers_all_devices_of_a_level),
		cmocka_unit_test(readiness_that_cannot_stay_fresh_is_refused),
		cmocka_unit_test(fence_timeout_of_a_slow_agent_carries_the_rest_along),
		cmocka_unit_test(post_join_shorter_than_a_join_is_refused),
		cmocka_unit_test(inputs_out_of_range_leave_the_result_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
