/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fenced's goodbye says of the locks of its node, and when (doc/SAFETY.md "Who goes on"; tests/scenario/dlm/goodbye_*.scn). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dlm_bus.h"

#define ALL2 (nodeset_of(1).bits | nodeset_of(2).bits)
#define ALL3 (ALL2 | nodeset_of(3).bits)

static struct bus bus;

static bool granted(uint32_t id)
{
	bus_run(&bus);
	return bus_find(&bus, id, DLM_ACT_DONE, 0);
}

static void goodbye(uint32_t at, uint32_t victim)
{
	bus_fence(&bus, at, bus_dead(victim, 1, PROOF_CLEAN_LEAVE));
}

/*
 * SAFE-2: node 1's lock manager begins with nothing known, beside that of node 2, which ends before it has told what it
 * knows. So node 1 knows no lock of it, but that it was here: a goodbye that its fenced has heard may be of before.
 */
static void of_a_daemon_that_was_in_this_ring_proves_nothing(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	bus.configured.bits = ALL2;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, ALL2, ALL2, true);
	bus_stop(&bus, 2);
	bus_daemons(&bus, nodeset_of(1).bits, ALL2);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	goodbye(1, 2);
	assert_false(granted(1));
	bus_view(&bus, nodeset_of(1).bits, nodeset_of(1).bits, true);
	assert_false(granted(1));
	goodbye(1, 2);
	assert_true(granted(1));
	bus_end(&bus);
}

/* A goodbye of before this ring, of a node whose lock manager is not here: corosync alone runs on, nobody waits for it. */
static void of_a_daemon_that_never_was_in_this_ring_counts(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	bus.configured.bits = ALL2;
	bus_start(&bus, 1, 1);
	bus_view(&bus, nodeset_of(1).bits, ALL2, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	assert_false(granted(1));
	goodbye(1, 2);
	assert_true(granted(1));
	bus_end(&bus);
}

/*
 * Node 2's lock manager takes its leave, holding nothing. Then node 1 has to count it as unseen (it alone remembers, and the last
 * view was not gone on in): its fenced's goodbye is enough, as it was itself that left.
 */
static void of_a_daemon_that_took_its_leave_counts(void **state)
{
	struct dlm_event leave = { .type = DLM_EV_LEAVE };

	(void)state;
	memset(&bus, 0, sizeof(bus));
	bus.configured.bits = ALL3;
	for (uint32_t id = 1; id <= 3; id++)
		bus_start(&bus, id, 1);
	bus_view(&bus, ALL3, ALL3, true);
	bus_run(&bus);
	assert_int_equal(dlm_step(bus.node[2].dlm, &leave, bus.node[2].out), 0);
	bus_take(&bus, 2);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 2, DLM_ACT_LEFT, 0));
	bus_stop(&bus, 2);
	bus_daemons(&bus, nodeset_of(1).bits | nodeset_of(3).bits, ALL3);
	for (unsigned i = 0; i < 2; i++) /* the SYNCs, not the READYs */
		bus_step(&bus);
	bus_stop(&bus, 3);
	bus_daemons(&bus, nodeset_of(1).bits, ALL3);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	bus_fence(&bus, 1, bus_dead(3, 1, PROOF_OFF_VERIFIED));
	assert_false(granted(1));
	goodbye(1, 2);
	assert_true(granted(1));
	bus_end(&bus);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_daemon_that_was_in_this_ring_proves_nothing),
		cmocka_unit_test(of_a_daemon_that_never_was_in_this_ring_counts),
		cmocka_unit_test(of_a_daemon_that_took_its_leave_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
