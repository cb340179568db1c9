/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tools/key_plan: every course that a rotation can take, with hosts that fall silent and come back, interrupted anywhere, forwards,
 * backwards, and turned round in the middle. KEY-1 (no node ever signs with a key that a hypervisor does not take), KEY-2
 * (SAFE-3: unknown is taken for the worst), KEY-3 (it ends).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/key_plan.h"

#define HOSTS 4 /* two hypervisors, two nodes */
#define STATES 6

struct course {
	bool seen[STATES * STATES * STATES * STATES][2][2];
	unsigned visited, steps;
	bool turns; /* an operator may give up, and take it up again */
};

static unsigned number(const struct plan_host *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HOSTS; i++)
		n = n * STATES + (unsigned)h[i].state;
	return n;
}

static bool signs_new(enum plan_state s)
{
	return s == PLAN_NEW;
}

static void require_safe(const struct plan_host *h)
{
	for (unsigned n = 0; n < HOSTS; n++)
		for (unsigned v = 0; v < HOSTS; v++) {
			if (h[n].hypervisor || !h[v].hypervisor)
				continue;
			bool fits = signs_new(h[n].state)
					    ? h[v].state == PLAN_BOTH || h[v].state == PLAN_NEW
					    : h[v].state == PLAN_BOTH || h[v].state == PLAN_OLD;

			assert_true(fits); /* KEY-1 */
		}
}

/* What a step does to its host, in truth. */
static bool carry_out(struct plan_host *h, struct plan_next next)
{
	enum plan_state *s = &h[next.host].state;
	bool hypervisor = h[next.host].hypervisor;

	switch (next.step) {
	case PLAN_ADMIT:
		assert_true(hypervisor && *s == PLAN_OLD);
		*s = PLAN_BOTH;
		return true;
	case PLAN_STAGE:
		assert_true(!hypervisor && *s == PLAN_OLD);
		*s = PLAN_STAGED;
		return true;
	case PLAN_SWITCH:
		assert_true(!hypervisor && *s == PLAN_STAGED);
		*s = PLAN_NEW;
		return true;
	case PLAN_PROMOTE:
		assert_true(hypervisor && *s == PLAN_BOTH);
		*s = PLAN_NEW;
		return true;
	case PLAN_RESTORE:
		assert_true(!hypervisor && *s == PLAN_NEW);
		*s = PLAN_OLD;
		return true;
	case PLAN_UNSTAGE:
		assert_true(!hypervisor && *s == PLAN_STAGED);
		*s = PLAN_OLD;
		return true;
	case PLAN_WITHDRAW:
		assert_true(hypervisor && *s == PLAN_BOTH);
		*s = PLAN_OLD;
		return true;
	case PLAN_DONE:
	case PLAN_PAUSE:
	case PLAN_WAIT:
	case PLAN_REFUSE: return false;
	}
	return false;
}

/* All that may come next; every subset of hosts may be silent at every look. */
static void play(struct course *c, const struct plan_host *truth, bool back, bool paused)
{
	if (c->seen[number(truth)][back][paused])
		return;
	c->seen[number(truth)][back][paused] = true;
	c->visited++;
	require_safe(truth);
	for (unsigned silent = 0; silent < 1u << HOSTS; silent++) {
		struct plan_host view[HOSTS], after[HOSTS];

		memcpy(view, truth, sizeof(view));
		for (unsigned i = 0; i < HOSTS; i++)
			if (silent & 1u << i)
				view[i].state = PLAN_UNKNOWN;
		struct plan_next next = plan_next(view, HOSTS, back, paused);

		memcpy(after, truth, sizeof(after));
		if (next.step == PLAN_PAUSE) {
			play(c, after, back, true);
		} else if (carry_out(after, next)) {
			assert_true(paused ||
				    (next.step != PLAN_PROMOTE && next.step != PLAN_WITHDRAW));
			assert_false(silent & 1u << next.host); /* KEY-2: nothing is done blindly */
			c->steps++;
			/* a change of what nodes sign with begins the pause anew; a new look always does */
			play(c, after, back,
			     paused && next.step != PLAN_SWITCH && next.step != PLAN_RESTORE);
			play(c, after, back, false);
		} else if (next.step == PLAN_WAIT) {
			assert_true(silent & 1u << next.host);
		}
	}
	if (c->turns && plan_back(truth, HOSTS))
		play(c, truth, !back, false);
}

static void begin(struct plan_host *h)
{
	for (unsigned i = 0; i < HOSTS; i++)
		h[i] = (struct plan_host){ .hypervisor = i < 2, .state = PLAN_OLD };
}

static void no_course_leaves_a_node_without_a_key_that_is_taken(void **state)
{
	static struct course c;
	struct plan_host h[HOSTS];

	(void)state;
	c.turns = true;
	begin(h);
	play(&c, h, false, false);
	assert_true(c.visited > 40);
	assert_true(c.steps > 100);
}

static unsigned run(struct plan_host *h, bool back)
{
	bool paused = false;

	for (unsigned steps = 0; steps < 100; steps++) {
		struct plan_next next = plan_next(h, HOSTS, back, paused);

		require_safe(h);
		if (next.step == PLAN_DONE)
			return steps;
		if (next.step == PLAN_PAUSE)
			paused = true;
		else
			assert_true(carry_out(h, next));
	}
	fail_msg("it does not end");
	return 0;
}

/* KEY-3 */
static void with_all_answering_it_ends_with_one_key(void **state)
{
	struct plan_host h[HOSTS], half[HOSTS];

	(void)state;
	begin(h);
	unsigned whole = run(h, false);

	for (unsigned i = 0; i < HOSTS; i++)
		assert_int_equal(h[i].state, PLAN_NEW);
	assert_int_equal(plan_next(h, HOSTS, true, false).step, PLAN_REFUSE); /* too late */
	assert_false(plan_back(h, HOSTS));
	/* given up after each number of steps */
	for (unsigned n = 0; n <= whole; n++) {
		begin(half);
		bool paused = false;

		for (unsigned k = 0; k < n; k++) {
			struct plan_next next = plan_next(half, HOSTS, false, paused);

			paused = paused || next.step == PLAN_PAUSE;
			carry_out(half, next);
		}
		if (!plan_back(half, HOSTS))
			continue;
		run(half, true);
		for (unsigned i = 0; i < HOSTS; i++)
			assert_int_equal(half[i].state, PLAN_OLD);
	}
}

static void hosts_that_do_not_answer_hold_it_up(void **state)
{
	struct plan_host h[HOSTS];
	struct plan_next next;

	(void)state;
	begin(h);
	h[0].state = PLAN_UNKNOWN; /* a hypervisor: everything is prepared, no node switches */
	h[1].state = PLAN_BOTH;
	h[2].state = h[3].state = PLAN_STAGED;
	next = plan_next(h, HOSTS, false, true);
	assert_int_equal(next.step, PLAN_WAIT);
	assert_int_equal(next.host, 0);
	h[0].state = PLAN_BOTH; /* a node: the others switch, nothing is dropped */
	h[2].state = PLAN_UNKNOWN;
	next = plan_next(h, HOSTS, false, true);
	assert_int_equal(next.step, PLAN_SWITCH);
	assert_int_equal(next.host, 3);
	h[3].state = PLAN_NEW;
	next = plan_next(h, HOSTS, false, true);
	assert_int_equal(next.step, PLAN_WAIT);
	assert_int_equal(next.host, 2);
	h[2].state = PLAN_OTHER;
	assert_int_equal(plan_next(h, HOSTS, false, true).step, PLAN_REFUSE);
	assert_int_equal(plan_next(h, HOSTS, true, true).step, PLAN_REFUSE);
}

/* A node that joined the configuration late, after a hypervisor dropped the old key. */
static void late_nodes_get_the_new_key(void **state)
{
	struct plan_host h[HOSTS];

	(void)state;
	begin(h);
	h[0].state = h[1].state = h[2].state = PLAN_NEW;
	assert_int_equal(plan_next(h, HOSTS, false, true).step, PLAN_STAGE);
	h[3].state = PLAN_STAGED;
	assert_int_equal(plan_next(h, HOSTS, false, true).step, PLAN_SWITCH);
	h[3].state = PLAN_NEW;
	assert_int_equal(plan_next(h, HOSTS, false, true).step, PLAN_DONE);
}

static void every_step_has_its_words(void **state)
{
	(void)state;
	for (enum plan_step s = PLAN_DONE; s <= PLAN_REFUSE; s++) {
		assert_true(strlen(plan_text(s)) > 3);
		assert_true(plan_stage(s) <= PLAN_STAGES + 1);
	}
	assert_int_equal(plan_stage(PLAN_ADMIT), 1);
	assert_int_equal(plan_stage(PLAN_PROMOTE), PLAN_STAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_course_leaves_a_node_without_a_key_that_is_taken),
		cmocka_unit_test(with_all_answering_it_ends_with_one_key),
		cmocka_unit_test(hosts_that_do_not_answer_hold_it_up),
		cmocka_unit_test(late_nodes_get_the_new_key),
		cmocka_unit_test(every_step_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
