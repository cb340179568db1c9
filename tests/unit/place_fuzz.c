/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Placement under damaged messages (tests/fuzz/group.h, STORE-4), before and after the view is synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"

#define ROUNDS 1000
#define LIFE 50 /* damaged messages that one group lives through */

static void damage_in_a_synced_view_leaves_all_placed_alike(void **state)
{
	(void)state;
	group_damage(&group_place, true, LIFE, ROUNDS);
}

static void damage_while_a_view_is_synced_leaves_all_placed_alike(void **state)
{
	(void)state;
	group_damage(&group_place, false, LIFE, ROUNDS);
}

static void corpus_is_taken_alike(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("place_group") >= 10);
}

static int setup(void **state)
{
	(void)state;
	group_place.play();
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
		cmocka_unit_test(damage_in_a_synced_view_leaves_all_placed_alike),
		cmocka_unit_test(damage_while_a_view_is_synced_leaves_all_placed_alike),
		cmocka_unit_test(corpus_is_taken_alike),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
