/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/agent_text.c - lib/shell/agent_text: what agents print can be shown, and never makes an answer of ours impossible:
 * JSON refuses what is not UTF-8, and a status without its JSON would be no status at all.
 */
#include "lib/shell/agent_text.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *last(const char *s)
{
	static char to[24];

	agent_last_line(s, to, sizeof(to));
	return to;
}

static void the_last_line_that_says_something_is_told(void **state)
{
	(void)state;
	assert_string_equal(last("a lot\nbefore\n  it failed \n\n \t\n"), "it failed");
	assert_string_equal(last("it said \"no\"\n"), "it said  no");
	assert_string_equal(last("\"quoted\""), "quoted");
	assert_string_equal(last("tab\there, bell\ahere"), "tab here, bell here");
	assert_string_equal(last(""), "");
	assert_string_equal(last("\n\"\"\n"), "");
	assert_string_equal(last("0123456789 0123456789 0123456789"), "0123456789 0123456789 0");
}

static void words_of_any_character_set_can_be_told_in_json(void **state)
{
	static const char *const said[] = {
		"keine Antwort: Zeit\xfc"
		"berschreitung", /* Latin-1 */
		"keine Antwort: Zeit\xc3\xbc"
		"berschreitung",                  /* UTF-8 */
		"0123456789 0123456789 \xc3\xbc", /* cut between its two bytes */
		"\xff\xfe\x80",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		json_t *o = json_pack("{s:s}", "error", last(said[i]));

		assert_non_null(o);
		assert_true(strlen(last(said[i])) > 0);
		json_decref(o);
	}
}

static void a_plug_is_listed_by_its_first_two_words(void **state)
{
	static const char list[] = "node1,\nnode2 7d1c-44 on\n\n  outlet;3\r\nlast";
	(void)state;

	assert_true(agent_listed(list, "node1"));
	assert_true(agent_listed(list, "NODE2"));
	assert_true(agent_listed(list, "7d1c-44"));
	assert_true(agent_listed(list, "outlet"));
	assert_true(agent_listed(list, "last"));
	assert_false(agent_listed(list, "on"));
	assert_false(agent_listed(list, "node"));
	assert_false(agent_listed(list, "node22"));
	assert_false(agent_listed("", "node1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_line_that_says_something_is_told),
		cmocka_unit_test(words_of_any_character_set_can_be_told_in_json),
		cmocka_unit_test(a_plug_is_listed_by_its_first_two_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
