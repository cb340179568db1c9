/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/nodeset.h: the algebra of membership, against a plain array of flags; and what names a view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/incarnation.h"
#include "lib/nodeset.h"
#include "tests/fuzz/fuzz.h"

#define ROUNDS 2000

struct flags {
	bool has[NODEID_MAX + 1];
};

static struct nodeset draw_set(uint64_t *state, struct flags *f)
{
	struct nodeset s = NODESET_EMPTY;
	uint64_t chosen = fuzz_draw(state) & fuzz_draw(state);

	memset(f, 0, sizeof(*f));
	for (uint32_t id = 1; id <= NODEID_MAX; id++) {
		if ((chosen >> id & 1) == 0)
			continue;
		nodeset_add(&s, id);
		f->has[id] = true;
	}
	return s;
}

static void algebra_agrees_with_flags(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct flags fa, fb;
		struct nodeset a = draw_set(&random, &fa);
		struct nodeset b = draw_set(&random, &fb);
		bool subset = true;
		unsigned count = 0;

		for (uint32_t id = 1; id <= NODEID_MAX; id++) {
			assert_int_equal(nodeset_has(a, id), fa.has[id]);
			assert_int_equal(nodeset_has(nodeset_and(a, b), id),
					 fa.has[id] && fb.has[id]);
			assert_int_equal(nodeset_has(nodeset_or(a, b), id),
					 fa.has[id] || fb.has[id]);
			assert_int_equal(nodeset_has(nodeset_minus(a, b), id),
					 fa.has[id] && !fb.has[id]);
			subset = subset && (!fa.has[id] || fb.has[id]);
			count += fa.has[id];
		}
		assert_int_equal(nodeset_count(a), count);
		assert_int_equal(nodeset_empty(a), count == 0);
		assert_int_equal(nodeset_subset(a, b), subset);
		assert_true(nodeset_subset(nodeset_and(a, b), b));
		assert_int_equal(nodeset_equal(a, b), memcmp(&fa, &fb, sizeof(fa)) == 0);
		assert_true(nodeset_equal(nodeset_or(nodeset_minus(a, b), nodeset_and(a, b)), a));
	}
}

static void each_node_is_visited_once_in_order(void **state)
{
	uint64_t random = 2;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct flags f;
		struct nodeset s = draw_set(&random, &f);
		uint32_t last = 0;

		assert_int_equal(nodeset_lowest(s), nodeset_next(s, 0));
		nodeset_for_each (id, s) {
			assert_true(id > last && f.has[id]);
			f.has[id] = false;
			last = id;
		}
		for (uint32_t id = 1; id <= NODEID_MAX; id++)
			assert_false(f.has[id]);
		assert_int_equal(nodeset_next(s, last), 0);
	}
}

static void ids_that_are_none_are_in_no_set(void **state)
{
	static const uint32_t wrong[] = { 0, NODEID_MAX + 1, 65, 1000, UINT32_MAX };
	struct nodeset all = { ~UINT64_C(1) };

	(void)state;
	assert_true(nodeid_valid(1) && nodeid_valid(NODEID_MAX));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct nodeset s = all;

		assert_false(nodeid_valid(wrong[i]));
		assert_false(nodeset_has(all, wrong[i]));
		assert_true(nodeset_empty(nodeset_of(wrong[i])));
		nodeset_add(&s, wrong[i]);
		nodeset_del(&s, wrong[i]);
		assert_true(nodeset_equal(s, all));
	}
	assert_int_equal(nodeset_next(all, UINT32_MAX), 0);
	nodeset_del(&all, NODEID_MAX);
	assert_false(nodeset_has(all, NODEID_MAX));
	assert_int_equal(nodeset_count(all), NODEID_MAX - 1);
}

static void a_view_is_its_ring_and_who_speaks_for_it(void **state)
{
	struct view_id v = { .seq = 40, .rep = 1 };

	(void)state;
	assert_true(view_id_equal(v, v));
	assert_false(view_id_equal(v, (struct view_id){ .seq = 44, .rep = 1 }));
	/* both halves of a cut may count on from the same number */
	assert_false(view_id_equal(v, (struct view_id){ .seq = 40, .rep = 2 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algebra_agrees_with_flags),
		cmocka_unit_test(each_node_is_visited_once_in_order),
		cmocka_unit_test(ids_that_are_none_are_in_no_set),
		cmocka_unit_test(a_view_is_its_ring_and_who_speaks_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
