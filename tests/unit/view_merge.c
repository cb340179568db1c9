/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/view_merge: every order of corosync's callbacks that ref/netlab.md 7 has seen, played
 * without corosync: what is told, when, and which messages come through.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/shell/view_merge.h"

static struct view_merge *m;
static char told[2048]; /* everything told, as words */
static struct cluster_view last;
static bool reset_in_view;

static void word(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void word(const char *fmt, ...)
{
	size_t len = strlen(told);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(told + len, sizeof(told) - len, fmt, ap);
	va_end(ap);
}

static void set_word(const char *name, struct nodeset set)
{
	if (nodeset_empty(set))
		return;
	word(" %s", name);
	nodeset_for_each (id, set)
		word("%u", (unsigned)id);
}

static void on_view(void *arg, const struct cluster_view *v)
{
	(void)arg;
	last = *v;
	word("[%u.%u %s", (unsigned)v->id.rep, (unsigned)v->id.seq, v->quorate ? "quorate" : "not");
	set_word("nodes", v->nodes);
	set_word("members", v->members);
	set_word("joined", v->joined);
	set_word("clean", v->left_clean);
	set_word("nodedown", v->left_nodedown);
	set_word("procdown", v->left_procdown);
	word("]");
	if (reset_in_view)
		view_merge_reset(m);
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	(void)arg;
	word("(%u %.*s)", (unsigned)from, (int)len, (const char *)data);
}

static int setup(void **state)
{
	struct cluster_ops ops = { .view = on_view, .deliver = on_deliver };

	(void)state;
	m = view_merge_new(&ops, NULL);
	view_merge_about(m, 1, false);
	told[0] = '\0';
	reset_in_view = false;
	return m != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	m = view_merge_free(m);
	return 0;
}

/* "1 2 3": processes with pid = 100 * node; "2+1": pid 201. */
static unsigned parse(const char *text, enum view_reason reason, struct view_process *p)
{
	unsigned n = 0, node, pid;
	int used;

	while (sscanf(text, " %u%n", &node, &used) == 1) {
		text += used;
		pid = 100 * node;
		if (*text == '+')
			pid += (unsigned)(*++text - '0'), text++;
		p[n++] = (struct view_process){ .nodeid = node, .pid = pid, .reason = reason };
	}
	return n;
}

static void group(const char *members, const char *left, enum view_reason why_left,
		  const char *joined, enum view_reason why_joined)
{
	struct view_process pm[16], pl[16], pj[16];
	unsigned nm = parse(members, 0, pm), nl = parse(left, why_left, pl),
		 nj = parse(joined, why_joined, pj);

	assert_int_equal(view_merge_group(m, pm, nm, pl, nl, pj, nj, 1000), 0);
}

static void ring(uint64_t seq, const char *nodes)
{
	struct view_process p[16];
	uint32_t ids[16];
	unsigned n = parse(nodes, 0, p);

	for (unsigned i = 0; i < n; i++)
		ids[i] = p[i].nodeid;
	assert_int_equal(view_merge_ring(m, (struct view_id){ .seq = seq, .rep = 1 }, ids, n, 1000),
			 0);
}

static void quorum(uint64_t seq, bool quorate)
{
	view_merge_quorum(m, (struct view_id){ .seq = seq, .rep = 1 }, quorate);
}

static struct view_stamp stamp_now(void)
{
	struct view_stamp s = { 0 };

	assert_true(view_merge_stamp(m, &s));
	return s;
}

static void message(uint32_t from, struct view_stamp s, const char *text)
{
	assert_int_equal(view_merge_message(m, from, &s, text, strlen(text)), 0);
}

static void expect(const char *what)
{
	view_merge_pump(m, 1000);
	assert_string_equal(told, what);
	told[0] = '\0';
}

/* 1, 2 and 3 in ring 8, quorate. */
static struct view_stamp start(void)
{
	struct view_stamp none;

	assert_false(view_merge_stamp(m, &none));
	group("1 2 3", "", 0, "1", VIEW_JOIN);
	ring(8, "1 2 3");
	quorum(8, true);
	expect("[1.8 quorate nodes123 members123 joined123]");
	return stamp_now();
}

static void a_joiner_is_told_the_whole_group_once(void **state)
{
	(void)state;
	group("1 2 3", "", 0, "1", VIEW_JOIN);
	expect(""); /* no ring yet */
	ring(8, "1 2 3");
	expect(""); /* no quorum yet */
	quorum(8, true);
	expect("[1.8 quorate nodes123 members123 joined123]");
	ring(8, "1 2 3"); /* told twice */
	quorum(8, true);
	expect("");
}

static void quorum_may_come_first(void **state)
{
	(void)state;
	quorum(8, true);
	expect("");
	group("1", "", 0, "1", VIEW_JOIN);
	ring(8, "1 2");
	expect("[1.8 quorate nodes12 members1 joined1]");
}

static void the_quorum_of_another_ring_does_not_count(void **state)
{
	(void)state;
	start();
	group("1", "2 3", VIEW_NODEDOWN, "", 0);
	ring(12, "1");
	expect(""); /* ring 8 was quorate; SAFE-3: that says nothing about 12 */
	quorum(12, false);
	expect("[1.12 not nodes1 members1 nodedown23]");
}

static void split_and_heal(void **state)
{
	(void)state;
	start();
	group("1 2", "3", VIEW_NODEDOWN, "", 0);
	ring(12, "1 2");
	quorum(12, true);
	expect("[1.12 quorate nodes12 members12 nodedown3]");
	group("1 2 3", "", 0, "3", VIEW_NODEUP);
	expect("");
	ring(16, "1 2 3");
	quorum(16, true);
	expect("[1.16 quorate nodes123 members123 joined3]");
}

static void leaving_is_told_as_it_was(void **state)
{
	(void)state;
	start();
	group("1 2", "3", VIEW_LEAVE, "", 0);
	expect("[1.8 quorate nodes123 members12 clean3]");
	group("1", "2", VIEW_PROCDOWN, "", 0);
	expect("[1.8 quorate nodes123 members1 procdown2]");
	group("1 2", "", 0, "2", VIEW_JOIN);
	expect("[1.8 quorate nodes123 members12 joined2]");
}

static void a_daemon_restarted_within_one_change_left_and_joined(void **state)
{
	(void)state;
	start();
	group("1 2 3+1", "3", VIEW_PROCDOWN, "3+1", VIEW_JOIN);
	expect("[1.8 quorate nodes123 members123 joined3 procdown3]");
}

static void a_thawed_node_sees_two_rings_and_one_quorum(void **state)
{
	(void)state;
	struct view_stamp old = start();

	message(1, old, "backlog"); /* delivered to ourselves in the dead view */
	group("1", "2 3", VIEW_NODEDOWN, "", 0);
	ring(12, "1");
	group("1 2 3", "", 0, "2 3", VIEW_NODEUP);
	ring(16, "1 2 3");
	quorum(16, true);
	expect("(1 backlog)[1.12 not nodes1 members1 nodedown23]"
	       "[1.16 quorate nodes123 members123 joined23]");
}

static void back_within_one_ring_is_left_and_joined(void **state)
{
	(void)state;
	start();
	group("1", "2 3", VIEW_NODEDOWN, "", 0);
	group("1 2 3", "", 0, "2 3", VIEW_NODEUP);
	ring(16, "1 2 3");
	quorum(16, true);
	expect("[1.16 quorate nodes123 members123 joined23 nodedown23]");
}

static void a_ring_without_change_is_a_view_of_its_own(void **state)
{
	(void)state;
	struct view_stamp old = start();

	ring(12, "1 2 3");
	message(2, old, "late");
	quorum(12, true);
	expect("[1.12 quorate nodes123 members123]");
}

static void messages_wait_for_their_view_and_of_no_other(void **state)
{
	(void)state;
	struct view_stamp old = start(), new = old;

	message(2, old, "a");
	expect("(2 a)");
	group("1 2", "3", VIEW_NODEDOWN, "", 0);
	ring(12, "1 2");
	message(2, old, "b"); /* sent between the failure and the change */
	expect("");
	quorum(12, true);
	expect("[1.12 quorate nodes12 members12 nodedown3]");
	new = stamp_now();
	message(2, new, "c");
	message(3, new, "d"); /* not a member */
	message(2, (struct view_stamp){ .id = new.id, .group = new.group + 1 }, "e");
	message(2, (struct view_stamp){ .id = { .seq = 12, .rep = 2 }, .group = new.group }, "f");
	expect("(2 c)");
}

static void messages_behind_a_waiting_view_come_after_it(void **state)
{
	(void)state;
	start();
	group("1 2", "3", VIEW_LEAVE, "", 0);
	expect("[1.8 quorate nodes123 members12 clean3]");
	struct view_stamp two = stamp_now();

	group("1 2 3", "", 0, "3", VIEW_NODEUP);
	message(2, two, "before the ring"); /* still the view of two */
	ring(12, "1 2 3");
	message(2, two, "behind the ring");
	expect("(2 before the ring)");
	quorum(12, true);
	expect("[1.12 quorate nodes123 members123 joined3]");
}

static void the_group_is_part_of_the_view(void **state)
{
	(void)state;
	struct view_stamp three = start();

	group("1 2", "3", VIEW_PROCDOWN, "", 0);
	message(2, three, "of three"); /* same ring, but SYNC of the round before */
	expect("[1.8 quorate nodes123 members12 procdown3]");
	message(2, stamp_now(), "of two");
	expect("(2 of two)");
	group("1 2 3+1", "", 0, "3+1", VIEW_JOIN);
	message(2, three, "of an older three");
	expect("[1.8 quorate nodes123 members123 joined3]");
}

static void every_member_computes_the_same_stamp(void **state)
{
	(void)state;
	struct view_stamp a = start();

	group("3 1 2", "", 0, "", 0);
	view_merge_pump(m, 1000);
	assert_int_equal(stamp_now().group, a.group);
	group("1 2 3+1", "", 0, "", 0);
	view_merge_pump(m, 1000);
	assert_int_not_equal(stamp_now().group, a.group);
}

static void quorum_lost_or_won_in_the_same_ring_is_told(void **state)
{
	(void)state;
	start();
	quorum(8, false);
	expect("[1.8 not nodes123 members123]");
	quorum(8, false);
	expect("");
	quorum(8, true);
	expect("[1.8 quorate nodes123 members123]");
}

static void quorum_that_never_comes_is_no_quorum(void **state)
{
	(void)state;
	start();
	group("1 2", "3", VIEW_NODEDOWN, "", 0);
	ring(12, "1 2");
	expect("");
	assert_true(view_merge_deadline_ms(m) == 1000 + VIEW_QUORUM_WAIT_MS);
	view_merge_pump(m, 1000 + VIEW_QUORUM_WAIT_MS - 1);
	expect("");
	view_merge_pump(m, 1000 + VIEW_QUORUM_WAIT_MS);
	expect("[1.12 not nodes12 members12 nodedown3]");
	assert_true(view_merge_deadline_ms(m) == UINT64_MAX);
	quorum(12, true);
	expect("[1.12 quorate nodes12 members12]");
}

static void who_was_never_told_to_be_there_is_not_told_to_leave(void **state)
{
	(void)state;
	start();
	group("1 2 3 4", "", 0, "4", VIEW_NODEUP);
	group("1 2 3", "4", VIEW_NODEDOWN, "", 0);
	ring(16, "1 2 3");
	quorum(16, true);
	expect("[1.16 quorate nodes123 members123]");
}

static void who_is_missing_without_a_word_is_told_the_worst(void **state)
{
	(void)state;
	start();
	group("1", "", 0, "", 0);
	ring(12, "1 2");
	quorum(12, false);
	expect("[1.8 quorate nodes123 members1 procdown23][1.12 not nodes12 members1]");
	group("1 3", "", 0, "3", VIEW_NODEUP);
	ring(16, "1 3");
	quorum(16, true);
	expect("[1.16 quorate nodes13 members13 joined3]");
	group("1", "", 0, "2", VIEW_NODEUP);
	ring(20, "1 2");
	quorum(20, true);
	expect("[1.20 quorate nodes12 members1 nodedown3]");
}

static void of_two_ways_to_leave_the_worse_counts(void **state)
{
	(void)state;
	start();
	group("1 3", "2", VIEW_NODEDOWN, "", 0);
	group("1 2+1 3", "", 0, "2+1", VIEW_NODEUP);
	group("1 3", "2+1", VIEW_LEAVE, "", 0);
	ring(12, "1 3");
	quorum(12, true);
	expect("[1.12 quorate nodes13 members13 nodedown2]");
}

static void a_group_without_us_is_not_told(void **state)
{
	(void)state;
	start();
	group("2 3", "1", VIEW_LEAVE, "", 0);
	expect("");
}

static void after_a_loss_everything_is_new(void **state)
{
	(void)state;
	struct view_stamp old = start(), none;

	group("1 2", "3", VIEW_NODEDOWN, "", 0);
	message(2, old, "x");
	view_merge_reset(m);
	assert_false(view_merge_stamp(m, &none));
	expect("");
	group("1 2", "", 0, "1", VIEW_JOIN);
	ring(8, "1 2");
	expect(""); /* the quorum of before the loss is forgotten */
	quorum(8, false);
	expect("[1.8 not nodes12 members12 joined12]");
}

static void an_event_may_reset(void **state)
{
	(void)state;
	struct view_stamp old = start();

	reset_in_view = true;
	ring(12, "1 2 3");
	quorum(12, true);
	message(2, old, "x");
	ring(16, "1 2 3");
	quorum(16, true);
	expect("[1.12 quorate nodes123 members123]");
}

static void two_node_is_part_of_the_view(void **state)
{
	(void)state;
	view_merge_about(m, 1, true);
	start();
	assert_true(last.two_node);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_joiner_is_told_the_whole_group_once),
		T(quorum_may_come_first),
		T(the_quorum_of_another_ring_does_not_count),
		T(split_and_heal),
		T(leaving_is_told_as_it_was),
		T(a_daemon_restarted_within_one_change_left_and_joined),
		T(a_thawed_node_sees_two_rings_and_one_quorum),
		T(back_within_one_ring_is_left_and_joined),
		T(a_ring_without_change_is_a_view_of_its_own),
		T(messages_wait_for_their_view_and_of_no_other),
		T(messages_behind_a_waiting_view_come_after_it),
		T(the_group_is_part_of_the_view),
		T(every_member_computes_the_same_stamp),
		T(quorum_lost_or_won_in_the_same_ring_is_told),
		T(quorum_that_never_comes_is_no_quorum),
		T(who_was_never_told_to_be_there_is_not_told_to_leave),
		T(who_is_missing_without_a_word_is_told_the_worst),
		T(of_two_ways_to_leave_the_worse_counts),
		T(a_group_without_us_is_not_told),
		T(after_a_loss_everything_is_new),
		T(an_event_may_reset),
		T(two_node_is_part_of_the_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
