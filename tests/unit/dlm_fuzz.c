/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lock domain under damaged messages (tests/fuzz/group.h, DLM-3), before and after the view is synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"
#include "tests/unit/dlm_bus.h"

#define ROUNDS 600
#define LIFE 100 /* damaged messages that one group lives through */

static void damage_in_a_synced_view_leaves_all_alike(void **state)
{
	(void)state;
	group_damage(&group_dlm, true, LIFE, ROUNDS);
}

static void damage_while_a_view_is_synced_leaves_all_alike(void **state)
{
	(void)state;
	group_damage(&group_dlm, false, LIFE, ROUNDS);
}

static void corpus_is_taken_alike(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("dlm_group") >= 10);
}

/* What status and why show: every resource is walked once, every life is seen with its locks. */
static void a_look_shows_all_resources_and_lives(void **state)
{
	const uint64_t all = nodeset_of(1).bits | nodeset_of(2).bits | nodeset_of(3).bits;
	struct bus *bus = calloc(1, sizeof(*bus));
	struct dlm_status st;
	struct dlm_life_view life;
	unsigned resources = 0, lives = 0, locks = 0;

	(void)state;
	assert_non_null(bus);
	for (uint32_t id = 1; id <= 3; id++)
		bus_start(bus, id, 1);
	bus_view(bus, all, all, true);
	bus_run(bus);
	for (uint32_t id = 1; id <= 3; id++) {
		bus_submit(bus, id, bus_lock(1, "one", DLM_PR, 0));
		bus_submit(bus, id, bus_lock(2, "two", DLM_EX, 0));
		bus_run(bus);
	}
	dlm_status(bus->node[1].dlm, &st);
	for (const struct dlm_resource *r = NULL; (r = dlm_resource_next(bus->node[1].dlm, r));)
		resources++;
	assert_int_equal(resources, st.resources);
	assert_int_equal(resources, 2);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		if (!dlm_life_at(bus->node[1].dlm, i, &life))
			continue;
		assert_int_equal(life.state, DLM_LIFE_MEMBER);
		locks += life.locks;
		lives++;
	}
	assert_int_equal(lives, 3);
	assert_int_equal(locks, st.locks);
	for (uint32_t id = 1; id <= 3; id++) {
		bus_stop(bus, id);
		free(bus->node[id].out);
	}
	free(bus);
}

static int setup(void **state)
{
	(void)state;
	group_dlm.play();
	return heard_any() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	heard_forget();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_in_a_synced_view_leaves_all_alike),
		cmocka_unit_test(damage_while_a_view_is_synced_leaves_all_alike),
		cmocka_unit_test(corpus_is_taken_alike),
		cmocka_unit_test(a_look_shows_all_resources_and_lives),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
