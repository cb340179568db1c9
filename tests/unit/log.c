/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/log: one line per call whatever the text, levels, journald's form, debug by signal. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/log.h"

static char text[32768];

/* What @fn writes to standard error. */
static const char *capture(void (*fn)(void))
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void emit_all(void)
{
	log_error("a.error", "n=%d", 1);
	log_warning("a.warning", "n=%d", 2);
	log_notice("a.notice", "n=%d", 3);
	log_info("a.info", "n=%d", 4);
	log_debug("a.debug", "n=%d", 5);
}

static void debug_is_off_until_asked_for(void **state)
{
	(void)state;
	log_open("test", false);
	capture(emit_all);
	assert_non_null(strstr(text, "Z test["));
	assert_non_null(strstr(text, "] error: a.error n=1\n"));
	assert_non_null(strstr(text, "] notice: a.notice n=3\n"));
	assert_non_null(strstr(text, "] info: a.info n=4\n"));
	assert_null(strstr(text, "a.debug"));
	raise(SIGUSR1);
	assert_non_null(strstr(capture(emit_all), "debug: a.debug n=5\n"));
	raise(SIGUSR1);
	assert_null(strstr(capture(emit_all), "a.debug"));
	log_close();
}

static void emit_odd(void)
{
	errno = EACCES;
	log_notice("odd", "text=\"%s\" %m", "two\nlines\r");
	assert_int_equal(errno, EACCES);
	log_notice("bare", "%s", "");
}

static void a_fact_is_one_line(void **state)
{
	(void)state;
	log_open("test", false);
	capture(emit_odd);
	assert_non_null(strstr(text, "odd text=\"two lines \" Permission denied\n"));
	assert_non_null(strstr(text, "bare \n"));
	unsigned lines = 0;

	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 2);
	log_close();
}

static void emit_long(void)
{
	static char big[20000];

	memset(big, 'x', sizeof(big) - 1);
	log_notice("big", "text=%s", big);
}

static void a_long_line_is_cut_and_ends(void **state)
{
	(void)state;
	log_open("test", false);
	capture(emit_long);
	assert_int_equal(strlen(text), 8192);
	assert_int_equal(text[8191], '\n');
	log_close();
}

static void open_for_journal_and_emit(void)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("test", false);
	log_notice("a.notice", "n=%d", 3);
	log_close();
	unsetenv("JOURNAL_STREAM");
}

static void journald_gets_priorities(void **state)
{
	(void)state;
	assert_string_equal(capture(open_for_journal_and_emit), "<5>a.notice n=3\n");
}

static void open_with_inherited_stream(void)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open("test", false);
	log_notice("a.notice", "n=%d", 3);
	log_close();
	unsetenv("JOURNAL_STREAM");
}

static void an_inherited_stream_is_not_the_journal(void **state)
{
	(void)state;
	assert_int_not_equal(capture(open_with_inherited_stream)[0], '<');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_is_off_until_asked_for),
		cmocka_unit_test(a_fact_is_one_line),
		cmocka_unit_test(a_long_line_is_cut_and_ends),
		cmocka_unit_test(journald_gets_priorities),
		cmocka_unit_test(an_inherited_stream_is_not_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
