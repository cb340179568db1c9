/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fence domain under damaged messages (tests/fuzz/group.h, FENCE-5), before and after the view is synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fenced/core/fence.h"
#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"

#define ROUNDS 600
#define LIFE 50 /* damaged messages that one group lives through */

static void damage_in_a_synced_view_leaves_all_books_alike(void **state)
{
	(void)state;
	group_damage(&group_fence, true, LIFE, ROUNDS);
}

static void damage_while_a_view_is_synced_leaves_all_books_alike(void **state)
{
	(void)state;
	group_damage(&group_fence, false, LIFE, ROUNDS);
}

static void corpus_is_taken_alike(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("fence_group") >= 10);
}

static void each_reason_has_a_name_and_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (int a = FENCE_REASON_NODEDOWN; a <= FENCE_REASON_DRILL; a++) {
		assert_true(strlen(fence_reason_name(a)) > 0);
		assert_true(strchr(fence_reason_text(a), ' ') != NULL);
		for (int b = FENCE_REASON_NONE; b < a; b++) {
			assert_string_not_equal(fence_reason_name(a), fence_reason_name(b));
			assert_string_not_equal(fence_reason_text(a), fence_reason_text(b));
		}
	}
	assert_string_equal(fence_reason_text(FENCE_REASON_NONE), "");
}

static int setup(void **state)
{
	(void)state;
	group_fence.play();
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
		cmocka_unit_test(damage_in_a_synced_view_leaves_all_books_alike),
		cmocka_unit_test(damage_while_a_view_is_synced_leaves_all_books_alike),
		cmocka_unit_test(corpus_is_taken_alike),
		cmocka_unit_test(each_reason_has_a_name_and_a_sentence_of_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
