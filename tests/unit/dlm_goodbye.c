/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A goodbye names a join (doc/SAFETY.md "Who goes on", 5): who knows of which. The rest is told by tests/scenario/dlm/goodbye_*.scn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dlm_bus.h"

static struct fence_node goodbye(uint32_t victim, uint64_t join)
{
	struct fence_node node = bus_dead(victim, 1, PROOF_CLEAN_LEAVE);

	node.proof.victim.join = join;
	return node;
}

/*
 * Node 3's fenced is started again beside its lock manager. That is said in the order, but the ring breaks, and node 1 alone hears it, as
 * the last thing of that ring. It is no part of the history, so that nobody's state is better than another's: each tells what it
 * knows, and the latest join counts, whoever was the one to know it, and what was known before.
 */
static void a_join_that_one_member_heard_counts_for_all(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	for (uint32_t heard = 1; heard <= 2; heard++) {
		bus_three_up(&bus);
		bus_fenced(&bus, 3, 1, 1);
		bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, DLM_F_PERSISTENT));
		bus_run(&bus);
		bus.deaf = nodeset_of(3 - heard);
		bus_fenced(&bus, 3, 1, 2);
		bus_run(&bus);
		bus.deaf = NODESET_EMPTY;
		bus_stop(&bus, 3);
		bus_view(&bus, BUS_TWO, BUS_TWO, true);
		bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
		bus_run(&bus);
		for (uint32_t id = 1; id <= 2; id++)
			bus_fence(&bus, id, goodbye(3, 1));
		bus_run(&bus);
		assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
		assert_int_equal(dlm_digest(bus.node[1].dlm), dlm_digest(bus.node[2].dlm));
		bus_fence(&bus, 3 - heard, goodbye(3, 2));
		bus_run(&bus);
		assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
		bus_end(&bus);
		memset(&bus, 0, sizeof(bus));
		bus.configured.bits = BUS_THREE;
	}
}

/* What the release before this one says in a round: nothing about joins. */
static void sync_as_before(const struct bus_msg *m)
{
	enum { KNOWN = 59 }; /* bytes of the section up to there */

	if (m->data[1] != 1) /* DLM_MSG_SYNC */
		return;
	m->data[2] = KNOWN;
	m->data[3] = 0;
	((struct bus_msg *)m)->len = 6 + KNOWN;
}

/* Beside it a goodbye is worth what it was. */
static void a_release_that_tells_no_join_is_believed(void **state)
{
	struct bus bus = { .configured = { BUS_THREE }, .hear = sync_as_before };

	(void)state;
	bus_three_up(&bus);
	bus_fenced(&bus, 3, 1, 1);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, DLM_F_PERSISTENT));
	bus_run(&bus);
	bus_stop(&bus, 3);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_fence(&bus, 2, goodbye(3, 1));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_end(&bus);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_that_one_member_heard_counts_for_all),
		cmocka_unit_test(a_release_that_tells_no_join_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
