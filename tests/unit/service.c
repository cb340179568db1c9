/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/service.c, one word at a time: what a member says counts for the placement that it speaks of, and what it holds
 * counts always (SAFE-1, STORE-3). The walks through all of it are tests/scenario/storage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storaged/core/place.h"

static struct service_frame frame;
static struct service_group group;
static struct service *const web = &group.service[0];

/* Two nodes, one service with a volume, the third placement of it, starting on node 1. */
static int begin(void **state)
{
	(void)state;
	memset(&frame, 0, sizeof(frame));
	frame.n_nodes = 2;
	frame.n_services = frame.n_volumes = 1;
	for (uint32_t id = 1; id <= 2; id++) {
		frame.nodeid[id - 1] = id;
		memcpy(frame.node_name[id - 1], "n", 2);
	}
	memcpy(frame.service[0].name, "web", 4);
	frame.service[0].n = 2;
	frame.service[0].is_volume[0] = true;
	service_group_init(&group, &frame);
	web->enabled = true;
	web->state = SERVICE_STARTING;
	web->node = 1;
	web->starts = 3;
	return 0;
}

static bool says(uint32_t node, enum runner_fact what, uint64_t starts)
{
	struct service_fact fact = { .fact = what, .starts = starts };

	return service_apply(&frame, &group, 0, node, &fact);
}

static void word_of_an_earlier_placement_moves_nothing(void **state)
{
	(void)state;
	assert_true(says(1, RUNNER_RUNNING, 2)); /* that it holds something is news */
	assert_int_equal(web->state, SERVICE_STARTING);
	assert_true(nodeset_has(web->held, 1));
	assert_true(says(1, RUNNER_STOPPED, 2));
	assert_int_equal(web->node, 1); /* else it would be placed anew beside its own start */
	assert_true(nodeset_empty(web->held));
	assert_true(says(1, RUNNER_RUNNING, 3));
	assert_int_equal(web->state, SERVICE_RUNNING);
}

static void word_of_another_node_moves_nothing(void **state)
{
	(void)state;
	assert_true(says(2, RUNNER_RUNNING, 3));
	assert_int_equal(web->state, SERVICE_STARTING);
	assert_int_equal(web->node, 1);
	assert_true(nodeset_has(web->held, 2));
	assert_true(says(2, RUNNER_STOPPED, 3));
	assert_int_equal(web->node, 1);
}

static void look_of_an_earlier_placement_is_no_look(void **state)
{
	(void)state;
	assert_false(service_looked(&group, 0, 2, false, 2));
	assert_false(service_looked(&group, 0, 2, false, 0));
	assert_false(nodeset_has(web->looked, 2));
	assert_true(service_looked(&group, 0, 2, false, 3));
	assert_true(nodeset_has(web->looked, 2));
	assert_true(service_looked(&group, 0, 2, true, 3)); /* a hand was seen since */
	assert_false(nodeset_has(web->looked, 2));
	assert_true(nodeset_has(web->stray, 2));
}

static void what_members_hold_when_they_meet_is_counted(void **state)
{
	struct service_fact one = { .fact = RUNNER_WAITING, .starts = 3 };
	struct service_fact two = { .fact = RUNNER_STOPPING, .starts = 2 };
	struct service_claim claim[] = { { 1, &one }, { 2, &two } };
	struct nodeset nodes = { nodeset_of(1).bits | nodeset_of(2).bits };
	uint64_t lost;

	(void)state;
	service_settle(&frame, &group, nodes, claim, 2, &lost);
	assert_true(lost == 0);
	assert_int_equal(web->node, 1);
	assert_true(nodeset_has(web->held, 1));
	assert_true(
		nodeset_has(web->held, 2)); /* still letting go: nobody else may start (SAFE-1) */
	two.fact = RUNNER_STOPPED;
	service_settle(&frame, &group, nodes, claim, 2, &lost);
	assert_false(nodeset_has(web->held, 2));
}

/* What the release before wrote, which ends without that field, is none of the three (SAFE-3). */
static void who_does_not_tell_what_it_reaches_is_known_as_such(void **state)
{
	struct service_fact fact = { .fact = RUNNER_STOPPED, .reach = SERVICE_REACH_OK }, got;
	uint8_t buf[512];
	struct wire_w w;
	struct wire_r r;
	size_t n[2];

	(void)state;
	for (int old = 0; old < 2; old++) {
		fact.reach = old ? SERVICE_REACH_UNTOLD : SERVICE_REACH_OK;
		wire_w_init(&w, buf, sizeof(buf));
		service_fact_encode(&frame, 0, &fact, &w);
		assert_int_equal(wire_w_done(&w, &n[old]), 0);
		wire_r_init(&r, buf, n[old]);
		assert_int_equal(service_fact_decode(&frame, &got, &r), 0);
		assert_int_equal(got.reach, fact.reach);
		service_apply(&frame, &group, 0, 2, &got);
		assert_int_equal(nodeset_has(web->mute, 2), old);
		assert_int_equal(nodeset_has(web->reach, 2), !old);
		assert_false(nodeset_has(web->blind, 2));
	}
	assert_int_equal(n[1] + 1, n[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(word_of_an_earlier_placement_moves_nothing, begin),
		cmocka_unit_test_setup(word_of_another_node_moves_nothing, begin),
		cmocka_unit_test_setup(look_of_an_earlier_placement_is_no_look, begin),
		cmocka_unit_test_setup(what_members_hold_when_they_meet_is_counted, begin),
		cmocka_unit_test_setup(who_does_not_tell_what_it_reaches_is_known_as_such, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
