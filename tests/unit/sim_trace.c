/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/trace: what is put is what is told, in every form; a full one forgets the small things first and a broken rule never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/trace.h"

#include <stdlib.h>
#include <string.h>

static struct trace *fresh(void)
{
	struct trace *t = trace_new(64);

	assert_non_null(t);
	trace_set_about(
		t, &(struct trace_about){ .title = "a test", .n_nodes = 3, .origin_ms = 1000 });
	return t;
}

static char *told(const struct trace *t, void (*tell)(const struct trace *, FILE *))
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	assert_non_null(f);
	tell(t, f);
	fclose(f);
	return buf;
}

static void text(const struct trace *t, FILE *to)
{
	trace_print(t, to, false);
}

static void text_with_detail(const struct trace *t, FILE *to)
{
	trace_print(t, to, true);
}

static unsigned evaluated;

static unsigned costly(void)
{
	return ++evaluated;
}

static void who_is_not_watched_evaluates_nothing(void **state)
{
	struct trace *none = NULL;

	(void)state;
	TRACE(none, (.ms = costly(), .kind = TRACE_NOTE), "%u", costly());
	assert_int_equal(evaluated, 0);
}

static void every_form_tells_the_same(void **state)
{
	struct trace *t = fresh();

	(void)state;
	TRACE(t,
	      (.ms = 1250, .node = 2, .kind = TRACE_VIEW, .state = TRACE_IS_QUORATE,
	       .members = { 0x6 }, .number = 9),
	      "%s", "after the cut");
	TRACE(t,
	      (.ms = 2000, .node = 1, .kind = TRACE_LOCK, .state = TRACE_IS_GRANTED, .mode = 5,
	       .name = "volume:a"),
	      "%s", "");
	TRACE(t,
	      (.ms = 2001, .node = 1, .kind = TRACE_DELIVERED, .peer = 3, .name = "SYNC",
	       .number = 4),
	      "%s", "");
	TRACE(t, (.ms = 3000, .kind = TRACE_BROKEN, .node = 3, .name = "SAFE-1"),
	      "two \"write\" <b>");

	char *s = told(t, text), *all = told(t, text_with_detail), *json = told(t, trace_json);

	assert_string_equal(
		s, "a test\n"
		   "     0.250  node 2   view       quorate    {1 2} ring 9: after the cut\n"
		   "     1.000  node 1   lock       granted    EX volume:a\n"
		   "     2.000  node 3   BROKEN                SAFE-1: two \"write\" <b>\n");
	assert_non_null(strstr(all, "SYNC from node 3 #4"));
	assert_string_equal(
		json,
		"{\"nodes\":3,\"events\":4,\"dropped\":0,\"title\":\"a test\",\"again\":\"\"}\n"
		"{\"ms\":250,\"kind\":\"view\",\"state\":\"quorate\",\"node\":2,\"number\":9,\"members\":[1,2],\"text\":\"after the cut\"}\n"
		"{\"ms\":1000,\"kind\":\"lock\",\"state\":\"granted\",\"node\":1,\"name\":\"volume:a\",\"mode\":\"EX\"}\n"
		"{\"ms\":1001,\"kind\":\"delivered\",\"node\":1,\"peer\":3,\"name\":\"SYNC\",\"number\":4}\n"
		"{\"ms\":2000,\"kind\":\"broken\",\"node\":3,\"name\":\"SAFE-1\",\"text\":\"two \\\"write\\\" \\u003cb\\u003e\"}\n");
	free(s);
	free(all);
	free(json);
	trace_free(t);
}

static void a_live_trace_prints_at_once(void **state)
{
	struct trace *t = fresh();
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	(void)state;
	trace_live(t, f, false);
	TRACE(t,
	      (.ms = 1000, .kind = TRACE_FAULT, .state = TRACE_IS_BEGINS, .node = 1, .name = "cut"),
	      "%s", "");
	TRACE(t, (.ms = 1000, .kind = TRACE_TIMER, .node = 1), "%s", "");
	fflush(f);
	assert_string_equal(buf, "     0.000  node 1   fault      begins     cut\n");
	trace_live(t, NULL, false);
	fclose(f);
	free(buf);
	trace_free(t);
}

static void a_full_trace_drops_messages_first(void **state)
{
	struct trace *t = fresh();

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		TRACE(t, (.ms = i, .kind = i % 2 ? TRACE_SENT : TRACE_NOTE, .number = i), "%s", "");
	TRACE(t, (.ms = 64, .kind = TRACE_NOTE, .number = 64), "%s", "");
	assert_int_equal(trace_count(t), 33);
	assert_int_equal(trace_dropped(t), 32);
	for (unsigned i = 0; i < 33; i++) {
		assert_int_equal(trace_at(t, i)->kind, TRACE_NOTE);
		assert_int_equal(trace_at(t, i)->number, 2 * i);
	}
	trace_clear(t);
	assert_int_equal(trace_count(t), 0);
	trace_free(t);
}

static void what_still_stands_is_kept(void **state)
{
	struct trace *t = fresh();
	bool node = false, rule = false;

	(void)state;
	TRACE(t, (.ms = 1, .kind = TRACE_NODE, .node = 1, .state = TRACE_IS_BOOTS), "%s", "");
	TRACE(t, (.ms = 2, .kind = TRACE_NODE, .node = 1, .state = TRACE_IS_RUNS), "%s", "");
	TRACE(t, (.ms = 3, .kind = TRACE_BROKEN, .node = 1, .name = "SAFE-1"), "%s", "");
	for (unsigned i = 0; i < 200; i++)
		TRACE(t, (.ms = 4 + i, .kind = TRACE_NOTE, .number = i), "%s", "");
	for (unsigned i = 0; i < trace_count(t); i++) {
		const struct trace_event *e = trace_at(t, i);

		assert_true(i == 0 || e->ms >= trace_at(t, i - 1)->ms);
		assert_false(e->kind == TRACE_NODE && e->state == TRACE_IS_BOOTS);
		node = node || (e->kind == TRACE_NODE && e->state == TRACE_IS_RUNS);
		rule = rule || e->kind == TRACE_BROKEN;
	}
	assert_true(node && rule);
	assert_int_equal(trace_at(t, trace_count(t) - 1)->number, 199);
	assert_int_equal(trace_count(t) + trace_dropped(t), 203);
	trace_free(t);
}

static void every_kind_and_state_has_a_word(void **state)
{
	(void)state;
	for (int k = TRACE_NODE; k <= TRACE_BROKEN; k++) {
		assert_true(trace_kind_name((enum trace_kind)k)[0] != '\0');
		assert_false(trace_kind_is_bar((enum trace_kind)k) &&
			     trace_kind_is_detail((enum trace_kind)k));
	}
	for (int s = TRACE_IS_OFF; s <= TRACE_IS_REFUSED; s++)
		assert_true(trace_state_name((enum trace_state)s)[0] != '\0');
	assert_false(trace_state_is_bar(TRACE_IS_RELEASED));
	assert_string_equal(trace_mode_name(5), "EX");
	assert_string_equal(trace_mode_name(6), "?");
}

static void long_names_are_cut(void **state)
{
	struct trace *t = fresh();
	char name[100];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	TRACE(t, (.ms = 1, .kind = TRACE_NOTE, .name = name), "%s %s", name, name);
	assert_int_equal(strlen(trace_at(t, 0)->name), TRACE_NAME_MAX - 1);
	assert_int_equal(strlen(trace_at(t, 0)->text), TRACE_TEXT_MAX - 1);
	trace_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_not_watched_evaluates_nothing),
		cmocka_unit_test(every_form_tells_the_same),
		cmocka_unit_test(a_live_trace_prints_at_once),
		cmocka_unit_test(a_full_trace_drops_messages_first),
		cmocka_unit_test(what_still_stands_is_kept),
		cmocka_unit_test(every_kind_and_state_has_a_word),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
