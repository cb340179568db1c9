/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/golden.h - what a scenario did, against what it did when somebody read it. For one test program each. */
#ifndef STOCKADE_TESTS_UNIT_GOLDEN_H
#define STOCKADE_TESTS_UNIT_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A whole file, "" when there is none; to free(). */
static char *golden_read(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return strdup("");
	if (getdelim(&text, &len, '\0', f) < 0 && text)
		text[0] = '\0';
	fclose(f);
	return text ? text : strdup("");
}

/* Compare @trace with @scenario's golden one, NAME.trace beside NAME.scn. STOCKADE_GOLDEN=write writes it anew. */
static void golden_judge(const char *scenario, const char *trace)
{
	const char *write = getenv("STOCKADE_GOLDEN");
	char path[1024], *golden;
	size_t i = 0, line = 0;

	assert_true(snprintf(path, sizeof(path), "%s", scenario) + 3 < (int)sizeof(path));
	memcpy(strrchr(path, '.'), ".trace", sizeof(".trace"));
	if (write && strcmp(write, "write") == 0) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		fputs(trace, f);
		assert_int_equal(fclose(f), 0);
		return;
	}
	golden = golden_read(path);
	assert_non_null(golden);
	if (strcmp(golden, trace) != 0) {
		for (; golden[i] && golden[i] == trace[i]; i++)
			if (trace[i] == '\n')
				line = i + 1;
		fail_msg("%s: the trace differs from the golden one:\n  was  %.*s\n  now  %.*s",
			 path, (int)strcspn(golden + line, "\n"), golden + line,
			 (int)strcspn(trace + line, "\n"), trace + line);
	}
	free(golden);
}

#endif
