/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/fenced_answer.c - what fenced answers on its socket, by the fuzz target of it (tests/fuzz/request.c): each request
 * has one answer, and whatever was asked before, a status can still be told. Reasons of operators in any language, too long for
 * our rooms, are among the corpus: cut within a character they once cost the history the proof, and the status a node.
 */
#include "tests/fuzz/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void ask(const char *text)
{
	uint8_t msg[2 + 255] = { 0, (uint8_t)strlen(text) };

	memcpy(msg + 2, text, strlen(text));
	LLVMFuzzerTestOneInput(msg, 2 + strlen(text));
}

static void a_reason_that_is_cut_costs_nothing(void **state)
{
	char text[400];
	(void)state;

	for (int len = 100; len < 150; len++) { /* wherever the cut falls */
		char reason[160] = "";

		for (int i = 0; i < len; i += 2)
			memcpy(reason + i, "\xc3\xbc", 2);
		for (int shift = 0; shift < 2; shift++) {
			snprintf(
				text, sizeof(text),
				"{\"cmd\":\"ack\",\"node\":\"node3\",\"force\":true,\"reason\":\"%s%s\"}",
				shift ? "x" : "", reason);
			ask(text);
			snprintf(text, sizeof(text),
				 "{\"cmd\":\"fence\",\"node\":\"node2\",\"reason\":\"%s%s\"}",
				 shift ? "x" : "", reason);
			ask(text);
		}
	}
}

static void corpus_has_its_answers(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("request") >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reason_that_is_cut_costs_nothing),
		cmocka_unit_test(corpus_has_its_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
