/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lock domain of several nodes on one order: each test's name is a claim of dlm/core/dlm.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "dlm_bus.h"
#include "lib/wire.h"

static void same_state(struct bus *bus, uint32_t a, uint32_t b)
{
	assert_int_equal(dlm_digest(bus->node[a].dlm), dlm_digest(bus->node[b].dlm));
}

static void a_second_ex_waits_and_is_granted_on_unlock(void **state)
{
	struct bus bus = { 0 };
	const struct dlm_action *act;
	uint32_t lkid;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	act = bus_find(&bus, 1, DLM_ACT_DONE, 0);
	assert_non_null(act);
	assert_int_equal(act->done.status, 0);
	lkid = act->done.lkid;
	bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_null(bus_find(&bus, 2, DLM_ACT_DONE, 0));
	act = bus_find(&bus, 1, DLM_ACT_BLOCKING, 0);
	assert_non_null(act);
	assert_int_equal(act->blocking.mode, DLM_EX);
	bus_submit(&bus, 1, (struct dlm_op){ .type = DLM_OP_UNLOCK, .client = 1, .lkid = lkid });
	bus_run(&bus);
	act = bus_find(&bus, 1, DLM_ACT_DONE, 1);
	assert_int_equal(act->done.status, DLM_EUNLOCK);
	assert_true(act->done.gone);
	act = bus_find(&bus, 2, DLM_ACT_DONE, 0);
	assert_int_equal(act->done.mode, DLM_EX);
	same_state(&bus, 1, 2);
	same_state(&bus, 1, 3);
	bus_end(&bus);
}

/* SAFE-2: neither the loss of its node nor a new view frees a lock, only the proof in the order. */
static void a_victims_lock_waits_for_the_proof(void **state)
{
	struct bus bus = { 0 };
	const struct dlm_action *act;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, DLM_F_PERSISTENT));
	bus_run(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	bus_stop(&bus, 3);
	bus_forget(&bus);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	act = bus_find(&bus, 1, DLM_ACT_LOST, 0);
	assert_non_null(act);
	assert_int_equal(act->life.n, 1);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_proof(&bus, 3, 2); /* of another life: not this one */
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_proof(&bus, 3, 1);
	bus_run(&bus);
	act = bus_find(&bus, 1, DLM_ACT_DONE, 0);
	assert_non_null(act);
	assert_int_equal(act->done.mode, DLM_EX);
	assert_int_equal(bus_find(&bus, 2, DLM_ACT_RECOVERED, 0)->life.n, 1);
	assert_null(bus_find(&bus, 2, DLM_ACT_RECOVERED, 1)); /* both sent it, one counted */
	same_state(&bus, 1, 2);
	bus_end(&bus);
}

static void a_joiner_gets_the_whole_state_in_chunks(void **state)
{
	struct bus bus = { 0 };
	char name[16];

	(void)state;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		bus_submit(&bus, 1, bus_lock(1, name, i % 6, 0));
		bus_submit(&bus, 2, bus_lock(1, name, i % 5, 0));
		bus_run(&bus);
	}
	bus_start(&bus, 3, 1);
	bus_view(&bus, BUS_THREE, BUS_THREE, true);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 3, DLM_ACT_SYNCED, 0));
	same_state(&bus, 1, 3);
	bus_submit(&bus, 3, bus_lock(1, "r7", DLM_NL, 0));
	bus_run(&bus);
	same_state(&bus, 2, 3);
	bus_end(&bus);
}

/* DLM-5: what was sent in a dying view is sent again in the next, and applied once. */
static void an_operation_survives_a_view_change_once(void **state)
{
	struct bus bus = { 0 };
	struct dlm_status st;

	(void)state;
	bus_three_up(&bus);
	bus_submit(
		&bus, 1,
		bus_lock(1, "a", DLM_EX, 0)); /* still under way when the view changes: dropped */
	bus_stop(&bus, 3);
	bus_daemons(&bus, BUS_TWO, BUS_THREE);
	bus_submit(&bus, 1, bus_lock(1, "b", DLM_EX, 0)); /* before this view is synced: parked */
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 1));
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 2));
	assert_null(bus_find(&bus, 1, DLM_ACT_REPLY, 2));
	dlm_status(bus.node[2].dlm, &st);
	assert_int_equal(st.locks, 2);
	same_state(&bus, 1, 2);
	bus_end(&bus);
}

/* DLM-5: a message that was handed over twice, as the answer of the first time got lost, is one operation. */
static void an_operation_that_comes_twice_is_done_once(void **state)
{
	struct bus bus = { 0 };
	struct dlm_status st;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_PR, 0));
	bus_repeat(&bus);
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_REPLY, 1));
	dlm_status(bus.node[2].dlm, &st);
	assert_int_equal(st.locks, 1);
	bus_end(&bus);
}

/* A new dlmd in the same kernel: what it held stands as orphans, and can be taken up again by the same node only. */
static void a_restarted_daemon_finds_its_locks_as_orphans(void **state)
{
	struct bus bus = { 0 };
	const struct dlm_action *act;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, DLM_F_PERSISTENT));
	bus_run(&bus);
	bus_stop(&bus, 3);
	bus_daemons(&bus, BUS_TWO, BUS_THREE); /* the node lives */
	bus_run(&bus);
	bus_start(&bus, 3, 1);
	bus_daemons(&bus, BUS_THREE, BUS_THREE);
	bus_run(&bus);
	bus_forget(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, DLM_F_ORPHAN | DLM_F_PERSISTENT));
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, DLM_F_NOQUEUE));
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_PR, DLM_F_ORPHAN | DLM_F_PERSISTENT));
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, DLM_F_ORPHAN | DLM_F_PERSISTENT));
	bus_run(&bus);
	assert_int_equal(bus_find(&bus, 1, DLM_ACT_REPLY, 0)->reply.rc, -ENOENT);
	assert_int_equal(bus_find(&bus, 1, DLM_ACT_DONE, 0)->done.status, -EAGAIN);
	assert_int_equal(bus_find(&bus, 3, DLM_ACT_REPLY, 0)->reply.rc, -EAGAIN);
	act = bus_find(&bus, 3, DLM_ACT_REPLY, 1);
	assert_int_equal(act->reply.rc, 0);
	assert_int_not_equal(act->reply.lkid, 0);
	same_state(&bus, 1, 3);
	bus_end(&bus);
}

/* SAFE-4, SAFE-7: a side without quorum decides nothing; after the merge the lost life stays lost and is told. */
static void a_zombie_is_evicted_and_its_locks_wait_for_a_proof(void **state)
{
	struct bus bus = { 0 };

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	bus_view(&bus, nodeset_of(3).bits, nodeset_of(3).bits, false);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_submit(&bus, 3, bus_lock(1, "minority", DLM_EX, 0));
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_null(bus_find(&bus, 3, DLM_ACT_DONE, 1));
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_view(&bus, BUS_THREE, BUS_THREE, true);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 3, DLM_ACT_EVICTED, 0));
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	same_state(&bus, 1, 3);
	bus_proof(&bus, 3, 1);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_end(&bus);
}

/* SAFE-2: two nodes that are quorate alone when they start: neither grants anything before it saw the other or a proof. */
static void two_that_start_alone_grant_nothing(void **state)
{
	struct bus bus = { .configured = { BUS_TWO } };
	unsigned done = 0;
	struct dlm_status st;

	(void)state;
	for (uint32_t id = 1; id <= 2; id++) {
		bus_start(&bus, id, 1);
		bus_view(&bus, nodeset_of(id).bits, nodeset_of(id).bits, true);
		bus_submit(&bus, id, bus_lock(1, "v", DLM_EX, DLM_F_PERSISTENT));
		bus_run(&bus);
		assert_null(bus_find(&bus, id, DLM_ACT_DONE, 0));
		dlm_status(bus.node[id].dlm, &st);
		assert_true(nodeset_equal(st.stopped_for, nodeset_of(3 - id)));
	}
	/* Neither was granted anything, so none has to start anew, and both requests are still there. */
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	for (uint32_t id = 1; id <= 2; id++)
		assert_null(bus_find(&bus, id, DLM_ACT_EVICTED, 0));
	same_state(&bus, 1, 2);
	for (uint32_t id = 1; id <= 2; id++)
		done += bus_find(&bus, id, DLM_ACT_DONE, 0) != NULL;
	assert_int_equal(done, 1);
	bus_end(&bus);
}

/* SAFE-2: alone at the start, a proof about the node that was never seen lets locking begin; one about another does not. */
static void a_node_never_seen_holds_up_all_until_it_is_proven_off(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_LOST, 0));
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_proof(&bus, 3, 1);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	same_state(&bus, 1, 2);
	bus_end(&bus);
}

/* SAFE-2: a dlmd whose corosync was restarted, and that is about to join again, may hold what a new one does not know. */
static void a_dlmd_that_may_come_back_holds_up_who_starts_anew(void **state)
{
	struct bus bus = { .configured = { BUS_TWO } };
	const struct dlm_action *act;

	(void)state;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_stop(&bus, 2);
	bus_start(&bus, 2, 1);
	bus_view(&bus, nodeset_of(2).bits, BUS_TWO,
		 true); /* node 1 is in the ring, its dlmd not yet */
	bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 2, DLM_ACT_LOST, 0));
	assert_null(bus_find(&bus, 2, DLM_ACT_DONE, 0));
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	assert_null(bus_find(&bus, 2, DLM_ACT_DONE, 0)); /* it knows now who has it */
	act = bus_find(&bus, 1, DLM_ACT_BLOCKING, 0);
	assert_non_null(act);
	same_state(&bus, 1, 2);
	bus_end(&bus);
}

/* SAFE-2: of two nodes that lose each other both are quorate; a lock that was free is granted on neither side. */
static void a_cut_of_two_grants_on_neither_side_before_a_proof(void **state)
{
	struct bus bus = { .configured = { BUS_TWO } };

	(void)state;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	bus_view(&bus, nodeset_of(1).bits, nodeset_of(1).bits, true);
	bus_view(&bus, nodeset_of(2).bits, nodeset_of(2).bits, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	assert_null(bus_find(&bus, 2, DLM_ACT_DONE, 0));
	bus_stop(&bus, 2);
	bus_proof(&bus, 2, 1);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_end(&bus);
}

/* What a lost node asked for is forgotten without a grant to another of its requests: it would hold for ever. */
static void no_grant_lands_on_a_lock_of_the_dead(void **state)
{
	struct bus bus = { 0 };
	const struct dlm_resource *res;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_PR, 0));
	bus_run(&bus);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, 0));
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_PR, 0));
	bus_run(&bus);
	bus_stop(&bus, 3);
	bus_daemons(&bus, BUS_TWO, BUS_THREE); /* only its daemon is gone */
	bus_run(&bus);
	res = dlm_resource_next(bus.node[1].dlm, NULL);
	assert_non_null(res);
	assert_null(res->wait);
	assert_null(res->granted->next);
	bus_end(&bus);
}

static void nobody_quorate_in_between_means_nobody_is_lost(void **state)
{
	struct bus bus = { 0 };

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	for (uint32_t id = 1; id <= 3; id++)
		bus_view(&bus, nodeset_of(id).bits, nodeset_of(id).bits, false);
	bus_run(&bus);
	bus_forget(&bus);
	bus_view(&bus, BUS_THREE, BUS_THREE, true);
	bus_run(&bus);
	for (uint32_t id = 1; id <= 3; id++) {
		assert_null(bus_find(&bus, id, DLM_ACT_LOST, 0));
		assert_null(bus_find(&bus, id, DLM_ACT_EVICTED, 0));
	}
	same_state(&bus, 1, 3);
	bus_end(&bus);
}

static void a_clients_end_frees_what_is_not_persistent(void **state)
{
	struct bus bus = { 0 };
	const struct dlm_action *act;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, DLM_F_VALBLK));
	bus_submit(&bus, 1, bus_lock(1, "p", DLM_EX, DLM_F_PERSISTENT));
	bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, DLM_F_VALBLK));
	bus_submit(&bus, 2, bus_lock(1, "p", DLM_EX, 0));
	bus_run(&bus);
	bus_forget(&bus);
	bus_submit(&bus, 1, (struct dlm_op){ .type = DLM_OP_CLIENT_GONE, .client = 1 });
	bus_run(&bus);
	act = bus_find(&bus, 2, DLM_ACT_DONE, 0);
	assert_non_null(act);
	assert_int_equal(act->done.sbflags, DLM_SBF_VALNOTVALID); /* its writer died */
	assert_null(bus_find(&bus, 2, DLM_ACT_DONE, 1));
	bus_submit(&bus, 1, (struct dlm_op){ .type = DLM_OP_PURGE, .pid = 101 });
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 2, DLM_ACT_DONE, 1));
	bus_end(&bus);
}

/* SAFE-2: a node in a ring that is over hears its own words, and its own alone: the proof that it sends there, and that it is
 * ready. The others have gone on without ever having known of it (the simulator, seed 2645 of dlm). */
static void ones_own_word_is_not_enough_to_go_on(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	bus_start(&bus, 2, 1);
	bus_start(&bus, 3, 1);
	bus_view(&bus, nodeset_of(2).bits | nodeset_of(3).bits,
		 nodeset_of(2).bits | nodeset_of(3).bits, true);
	bus_run(&bus);
	bus_proof(&bus, 1, 1);
	bus_run(&bus);
	bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 2, DLM_ACT_DONE, 0));
	bus_stop(&bus, 3); /* its daemon alone; node 2 freezes */
	bus_start(&bus, 3, 1);
	bus_start(&bus, 1, 2);
	bus_view(&bus, nodeset_of(1).bits | nodeset_of(3).bits,
		 nodeset_of(1).bits | nodeset_of(3).bits, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_view(&bus, nodeset_of(2).bits | nodeset_of(3).bits,
		 nodeset_of(2).bits | nodeset_of(3).bits, true);
	bus_run(&bus);
	bus_forget(&bus);
	bus_submit(&bus, 3, bus_lock(1, "w", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 3, DLM_ACT_DONE, 0)); /* they go on */
	bus_stop(&bus, 2);
	bus_fence(&bus, 1,
		  bus_dead(2, 1, PROOF_OFF_VERIFIED)); /* node 1 thaws in the ring of 1 and 3 */
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	bus_end(&bus);
}

/* Nodes 2 and 3 go on in a majority that node 1, though alive and informed, is not known to: then node 3 comes back as another
 * life, takes a lock, and is cut off, and the dlmd of node 2 starts anew. Who is left knows of node 3's earlier life alone. */
static void only_the_left_behind_remember(struct bus *bus)
{
	struct fence_node three = bus_dead(3, 1, PROOF_OFF_VERIFIED);
	uint64_t n12 = BUS_TWO, n23 = nodeset_of(2).bits | nodeset_of(3).bits;

	bus_stop(bus, 3);
	bus_start(bus, 3, 2);
	bus_view(bus, n23, n23, true);
	bus_run(bus);
	bus_forget(bus);
	bus_submit(bus, 3, bus_lock(1, "v", DLM_EX, 0));
	bus_run(bus);
	assert_non_null(bus_find(bus, 3, DLM_ACT_DONE, 0));
	bus_stop(bus, 2);
	bus_start(bus, 2, 1);
	bus_view(bus, n12, n12, true);
	bus_submit(bus, 2, bus_lock(1, "v", DLM_EX, 0));
	bus_run(bus);
	three.state = FENCE_NODE_VICTIM; /* the life that is proven over is not its last one */
	three.life = bus_life(3, 2);
	bus_fence(bus, 1, three);
	bus_fence(bus, 2, three);
	bus_run(bus);
	assert_null(bus_find(bus, 2, DLM_ACT_DONE, 0));
	bus_proof(bus, 3, 2);
	bus_run(bus);
	assert_non_null(bus_find(bus, 2, DLM_ACT_DONE, 0));
	bus_end(bus);
}

/* SAFE-2: node 1 synced once, by a state whose end its sender never saw, so that nobody knew that it had. */
static void who_never_saw_all_ready_may_be_left_behind(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };
	uint64_t n23 = nodeset_of(2).bits | nodeset_of(3).bits;

	(void)state;
	bus_start(&bus, 2, 1);
	bus_start(&bus, 3, 1);
	bus_view(&bus, n23, n23, true);
	bus_run(&bus);
	bus_proof(&bus, 1, 1);
	bus_run(&bus);
	bus_start(&bus, 1, 2);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_step(&bus);
	bus_step(&bus); /* both have said SYNC, node 2 sends its state */
	bus.deaf = nodeset_of(2);
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_SYNCED, 0));
	bus.deaf = NODESET_EMPTY;
	only_the_left_behind_remember(&bus);
}

/* SAFE-2: the goodbye of node 1 was heard by the others and not by itself. */
static void who_said_goodbye_knows_nothing_that_counts(void **state)
{
	struct dlm_event leave = { .type = DLM_EV_LEAVE };
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	bus_three_up(&bus);
	assert_int_equal(dlm_step(bus.node[1].dlm, &leave, bus.node[1].out), 0);
	bus_take(&bus, 1);
	bus.deaf = nodeset_of(1);
	bus_run(&bus);
	assert_null(bus_find(&bus, 1, DLM_ACT_LEFT, 0));
	bus.deaf = NODESET_EMPTY;
	only_the_left_behind_remember(&bus);
}

/* SAFE-2: of a life that nobody saw, and of joins, fenced's word counts only when it is of this view: before, it was about
 * others. What it says of the very kernel is true for ever. */
static void a_fenced_that_lags_behind_proves_nothing(void **state)
{
	struct bus bus = { .configured = { BUS_TWO } };
	struct dlm_event ev = { .type = DLM_EV_FENCE };
	struct fence_state *st;

	(void)state;
	for (unsigned i = 0; i < 2; i++) { /* unseen; said goodbye in an earlier join */
		memset(&bus, 0, sizeof(bus));
		bus.configured.bits = BUS_TWO;
		bus_start(&bus, 1, 1);
		if (i == 0) {
			bus_view(&bus, nodeset_of(1).bits, nodeset_of(1).bits, true);
		} else {
			bus_start(&bus, 2, 1);
			bus_view(&bus, BUS_TWO, BUS_TWO, true);
			bus_run(&bus);
			bus_submit(&bus, 2, bus_lock(1, "v", DLM_EX, 0));
			bus_run(&bus);
			bus_stop(&bus, 2);
			bus_view(&bus, nodeset_of(1).bits, nodeset_of(1).bits, true);
		}
		bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
		bus_run(&bus);
		st = &bus.node[1].fence;
		st->n = 1;
		st->informed = st->quorate = true;
		st->view = (struct view_id){ .seq = 77, .rep = 1 };
		st->node[0] = bus_dead(2, 1, i == 0 ? PROOF_OFF_VERIFIED : PROOF_CLEAN_LEAVE);
		ev.fence = st;
		assert_int_equal(dlm_step(bus.node[1].dlm, &ev, bus.node[1].out), 0);
		bus_take(&bus, 1);
		bus_run(&bus);
		assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
		st->view = bus.node[1].ring;
		st->informed = false;
		assert_int_equal(dlm_step(bus.node[1].dlm, &ev, bus.node[1].out), 0);
		bus_take(&bus, 1);
		bus_run(&bus);
		assert_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
		bus_fence(&bus, 1, st->node[0]);
		bus_run(&bus);
		assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
		bus_end(&bus);
	}
}

/* A node that said goodbye, and is off: who starts with nothing known does not wait for it. */
static void a_goodbye_ends_a_life_that_nobody_saw(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	bus_start(&bus, 1, 1);
	bus_start(&bus, 2, 1);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	bus_fence(&bus, 2, bus_dead(3, 1, PROOF_CLEAN_LEAVE));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 1, DLM_ACT_DONE, 0));
	same_state(&bus, 1, 2);
	bus_end(&bus);
}

/* A grant that one node alone heard in a ring that broke: its client acts by it, so it stands. */
static void the_longest_history_is_adopted(void **state)
{
	for (uint32_t who = 1; who <= 3; who += 2) {
		struct bus bus = { 0 };

		bus_three_up(&bus);
		bus_submit(&bus, who, bus_lock(1, "v", DLM_EX, 0));
		bus.deaf.bits = BUS_THREE & ~nodeset_of(who).bits;
		bus_run(&bus);
		assert_non_null(bus_find(&bus, who, DLM_ACT_DONE, 0));
		bus.deaf = NODESET_EMPTY;
		bus_view(&bus, BUS_THREE, BUS_THREE, true);
		bus_run(&bus);
		for (uint32_t id = 1; id <= 3;
		     id++) /* who does not know is not heard, and starts anew */
			assert_true((id == who) == !bus_find(&bus, id, DLM_ACT_EVICTED, 0));
		for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
			struct dlm_life_view life;

			if (dlm_life_at(bus.node[2].dlm, i, &life))
				assert_int_equal(life.locks, life.life.nodeid == who);
		}
		same_state(&bus, 1, 3);
		bus_end(&bus);
	}
	(void)state;
}

/* Each node hears of quorum in its own time; all go on at one point of the order. */
static void quorum_counts_when_the_order_hears_of_it(void **state)
{
	struct bus bus = { 0 };
	struct dlm_status st;

	(void)state;
	for (uint32_t id = 1; id <= 3; id++)
		bus_start(&bus, id, 1);
	bus_view(&bus, BUS_THREE, BUS_THREE, false);
	bus_run(&bus);
	dlm_status(bus.node[1].dlm, &st);
	assert_false(st.synced);
	bus_tell_view(&bus, 2, true, NODESET_EMPTY);
	bus_run(&bus);
	for (uint32_t id = 1; id <= 3; id++) {
		dlm_status(bus.node[id].dlm, &st);
		assert_true(st.synced);
	}
	bus_submit(&bus, 3, bus_lock(1, "v", DLM_EX, 0));
	bus_run(&bus);
	assert_non_null(bus_find(&bus, 3, DLM_ACT_DONE, 0));
	bus_tell_view(&bus, 1, true, NODESET_EMPTY); /* late, and no news */
	bus_run(&bus);
	dlm_status(bus.node[1].dlm, &st);
	assert_true(st.synced);
	bus_tell_view(&bus, 1, false, NODESET_EMPTY);
	bus_tell_view(&bus, 2, false, NODESET_EMPTY);
	bus_run(&bus);
	for (uint32_t id = 1; id <= 3; id++) {
		dlm_status(bus.node[id].dlm, &st);
		assert_false(st.synced);
	}
	bus_end(&bus);
}

/* A state that comes in parts is nothing before its last one, and its sender may go in between. */
static void half_a_state_is_none(void **state)
{
	struct bus bus = { 0 };
	struct dlm_status st;
	char name[16];

	(void)state;
	bus_three_up(&bus);
	bus_view(&bus, nodeset_of(3).bits, nodeset_of(3).bits, false);
	bus_view(&bus, BUS_TWO, BUS_TWO, true);
	bus_run(&bus);
	bus_proof(&bus, 3, 7); /* nothing about this life */
	bus_fence(&bus, 1,
		  bus_dead(3, 1,
			   PROOF_OFF_VERIFIED)); /* wrongly, so that there is something to adopt */
	bus_run(&bus);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		bus_submit(&bus, 1, bus_lock(1, name, DLM_EX, 0));
		bus_run(&bus);
	}
	bus_forget(&bus);
	bus_view(&bus, BUS_THREE, BUS_THREE, true);
	for (unsigned i = 0; i < 4; i++)
		bus_step(&bus); /* three times SYNC, the first part */
	dlm_status(bus.node[3].dlm, &st);
	assert_true(st.locks > 0 && st.locks < 1500);
	assert_false(st.synced);
	assert_null(bus_find(&bus, 3, DLM_ACT_SYNCED, 0));
	bus_view(&bus, BUS_THREE, BUS_THREE, true); /* its clients' locks are nobody's now */
	assert_non_null(bus_find(&bus, 3, DLM_ACT_EVICTED, 0));
	bus_run(&bus);
	same_state(&bus, 1, 2);
	same_state(&bus, 1, 3);
	dlm_status(bus.node[3].dlm, &st);
	assert_int_equal(st.locks, 1500);
	bus_end(&bus);
}

/* What a client may write is sent to all as it is: a name that says it is longer than names are is refused, whatever it is for
 * (found by libFuzzer, target client). */
static void a_name_that_is_too_long_is_refused_of_any_type(void **state)
{
	static const int types[] = { DLM_OP_LOCK, DLM_OP_CONVERT, DLM_OP_UNLOCK, DLM_OP_CLIENT_GONE,
				     DLM_OP_PURGE };
	struct bus bus = { .configured = { BUS_THREE } };

	(void)state;
	bus_three_up(&bus);
	for (unsigned i = 0; i < 2 * sizeof(types) / sizeof(types[0]); i++) {
		struct dlm_op op = { .type = types[i / 2],
				     .client = 1,
				     .lkid = 1,
				     .mode = DLM_EX,
				     .flags = types[i / 2] == DLM_OP_CONVERT ? DLM_F_CONVERT : 0,
				     .space_len = 1,
				     .name_len = 1 };
		struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

		*(i % 2 ? &op.space_len : &op.name_len) = DLM_NAME_MAX + 1;
		assert_int_equal(dlm_step(bus.node[1].dlm, &ev, bus.node[1].out), -EINVAL);
	}
	bus_end(&bus);
}

/* The same as a message: whoever sends it is refused, and nobody applies it. */
static void a_message_with_too_long_a_name_is_refused(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };
	struct dlm_status st;

	(void)state;
	bus_three_up(&bus);
	bus_submit(&bus, 1, bus_lock(1, "v", DLM_EX, 0));
	struct bus_msg *m = bus.head;
	uint8_t *data = calloc(1, m->len + DLM_NAME_MAX);

	/* version, type, the section's length in four bytes; it ends with the name's length and its one byte */
	memcpy(data, m->data, m->len);
	assert_int_equal(data[m->len - 2], 1);
	assert_int_equal(data[2], m->len - 6);
	data[m->len - 2] = DLM_NAME_MAX + 1;
	data[2] = (uint8_t)(m->len - 6 + DLM_NAME_MAX);
	struct dlm_event ev = { .type = DLM_EV_DELIVER,
				.deliver = { 1, data, m->len + DLM_NAME_MAX } };
	const size_t rest = 6 + 8 + 1 + 4; /* behind number, type and client */
	struct dlm_op op = { 0 };
	struct wire_r r;

	wire_r_init(&r, data + rest, ev.deliver.len - rest);
	dlm_op_read_rest(&r, &op);
	assert_int_equal(wire_r_done(&r), 0);
	assert_int_equal(op.name_len, DLM_NAME_MAX + 1);
	assert_int_equal(op.name[0], 0); /* not copied */
	assert_int_equal(op.space_len, 1);
	assert_int_equal(op.space[0], 's');

	assert_int_equal(dlm_step(bus.node[2].dlm, &ev, bus.node[2].out), -EPROTO);
	dlm_status(bus.node[2].dlm, &st);
	assert_int_equal(st.locks, 0);
	ev.deliver.data = m->data; /* as it was, it is heard */
	ev.deliver.len = m->len;
	assert_int_equal(dlm_step(bus.node[2].dlm, &ev, bus.node[2].out), 0);
	dlm_status(bus.node[2].dlm, &st);
	assert_int_equal(st.locks, 1);
	free(data);
	bus_end(&bus);
}

/* A token is never given twice: not by another node, nor after a loss, nor by who got the state from somebody. */
static void a_token_is_given_once(void **state)
{
	struct bus bus = { .configured = { BUS_THREE } };
	const struct dlm_action *act;
	uint64_t last = 0;
	char name[16];

	(void)state;
	bus_three_up(&bus);
	for (unsigned i = 0; i < 12; i++) {
		uint32_t id = i % 3 + 1;

		bus_forget(&bus);
		snprintf(name, sizeof(name), "r%u", i % 5 ? i : 0);
		bus_submit(&bus, id, bus_lock(1, name, DLM_CW, 0));
		bus_run(&bus);
		act = bus_find(&bus, id, DLM_ACT_DONE, 0);
		assert_non_null(act);
		assert_true(act->done.token > last);
		last = act->done.token;
		if (i % 4 == 3) { /* node 1 alone stays, and hands its state on */
			bus_stop(&bus, 2);
			bus_stop(&bus, 3);
			bus_start(&bus, 2, (uint8_t)(i + 2));
			bus_start(&bus, 3, (uint8_t)(i + 2));
			bus_view(&bus, BUS_THREE, BUS_THREE, true);
			bus_run(&bus);
		}
	}
	bus_end(&bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_ex_waits_and_is_granted_on_unlock),
		cmocka_unit_test(a_victims_lock_waits_for_the_proof),
		cmocka_unit_test(a_joiner_gets_the_whole_state_in_chunks),
		cmocka_unit_test(an_operation_survives_a_view_change_once),
		cmocka_unit_test(an_operation_that_comes_twice_is_done_once),
		cmocka_unit_test(a_restarted_daemon_finds_its_locks_as_orphans),
		cmocka_unit_test(a_zombie_is_evicted_and_its_locks_wait_for_a_proof),
		cmocka_unit_test(two_that_start_alone_grant_nothing),
		cmocka_unit_test(a_node_never_seen_holds_up_all_until_it_is_proven_off),
		cmocka_unit_test(a_dlmd_that_may_come_back_holds_up_who_starts_anew),
		cmocka_unit_test(a_cut_of_two_grants_on_neither_side_before_a_proof),
		cmocka_unit_test(no_grant_lands_on_a_lock_of_the_dead),
		cmocka_unit_test(nobody_quorate_in_between_means_nobody_is_lost),
		cmocka_unit_test(a_clients_end_frees_what_is_not_persistent),
		cmocka_unit_test(ones_own_word_is_not_enough_to_go_on),
		cmocka_unit_test(who_never_saw_all_ready_may_be_left_behind),
		cmocka_unit_test(who_said_goodbye_knows_nothing_that_counts),
		cmocka_unit_test(a_fenced_that_lags_behind_proves_nothing),
		cmocka_unit_test(a_goodbye_ends_a_life_that_nobody_saw),
		cmocka_unit_test(the_longest_history_is_adopted),
		cmocka_unit_test(quorum_counts_when_the_order_hears_of_it),
		cmocka_unit_test(half_a_state_is_none),
		cmocka_unit_test(a_name_that_is_too_long_is_refused_of_any_type),
		cmocka_unit_test(a_message_with_too_long_a_name_is_refused),
		cmocka_unit_test(a_token_is_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
