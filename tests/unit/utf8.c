/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/utf8.c - lib/utf8 against jansson, which is what refuses a text: what is cut or mended it takes, and nothing that
 * it would have taken is changed.
 */
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_taken(const char *s)
{
	json_t *t = json_string(s);
	bool taken = t != NULL;

	json_decref(t);
	return taken;
}

static void a_cut_text_ends_with_a_whole_character(void **state)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8e"
				   "b\xc3\xbc";
	char cut[sizeof(text)];
	(void)state;

	assert_true(is_taken(text));
	for (size_t max = 0; max <= sizeof(text); max++) {
		size_t n = utf8_cut(text, max);

		assert_true(n <= max && n + 3 >= (max < strlen(text) ? max : strlen(text)));
		memcpy(cut, text, n);
		cut[n] = '\0';
		assert_true(is_taken(cut));
	}
	assert_int_equal(utf8_cut(text, sizeof(text)), strlen(text));
}

/* Every beginning of two bytes, alone and with what a longer character goes on with. */
static void a_character_is_as_long_as_is_taken(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 65536; i++) {
		for (unsigned more = 0; more <= 2; more++) {
			char s[5] = { (char)(i & 0xff), (char)(i >> 8) }, one[5] = "";
			size_t n;

			if (!s[0])
				continue;
			memset(s + 2, 0x80, s[1] ? more : 0);
			n = utf8_character(s);
			assert_true(n <= strlen(s));
			memcpy(one, s, n);
			assert_true(n == 0 || is_taken(one));
			assert_false(n == 0 && is_taken(s));
		}
	}
}

/* Every string of two bytes, and strings of drawn ones from around the limits of each length. */
static void whatever_is_mended_is_taken_and_what_was_taken_stays(void **state)
{
	static const unsigned char edge[] = { 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
					      0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
					      0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
	uint64_t seed = 7;
	(void)state;

	for (unsigned i = 0; i < 65536 + 200000; i++) {
		char s[9] = { (char)(i & 0xff), (char)(i >> 8 & 0xff) }, was[9];

		for (unsigned k = 0; i >= 65536 && k < 8; k++)
			s[k] = (char)edge[fuzz_draw(&seed) % sizeof(edge)];
		memcpy(was, s, sizeof(s));
		utf8_mend(s);
		assert_true(is_taken(s));
		assert_int_equal(strlen(s), strlen(was));
		if (is_taken(was))
			assert_string_equal(s, was);
		else
			assert_non_null(strchr(s, '?'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_text_ends_with_a_whole_character),
		cmocka_unit_test(a_character_is_as_long_as_is_taken),
		cmocka_unit_test(whatever_is_mended_is_taken_and_what_was_taken_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
