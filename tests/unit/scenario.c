/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/scenario.c - see scenario.h. */
#include "scenario.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE_MAX (256 * 1024)
#define TEXTS_MAX 256
#define WORDS_MAX 15

static const struct scenario *room;
static const char *file; /* without its folder */
static unsigned line_no;
static char told[TRACE_MAX];
static size_t told_len;
unsigned scenario_nodes;

void trace(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	told_len += (size_t)vsnprintf(told + told_len, sizeof(told) - told_len, fmt, ap);
	va_end(ap);
	assert_true(told_len < sizeof(told));
}

void bad(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("%s:%u: %s; so far:\n%s", file, line_no, text, told);
}

/* --- words --- */

bool is(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

uint32_t number_arg(const char *a)
{
	char *end;
	unsigned long v = strtoul(a ? a : "", &end, 10);

	if (!a || end == a || *end)
		bad("a number is missing");
	return (uint32_t)v;
}

uint32_t node_arg(const char *a)
{
	uint32_t v = number_arg(a);

	if (v < 1 || v > scenario_nodes)
		bad("no node %s", a);
	return v;
}

struct nodeset nodes_arg(const char *a)
{
	struct nodeset set = NODESET_EMPTY;
	char buf[64], *save = NULL;

	snprintf(buf, sizeof(buf), "%s", a ? a : "");
	for (char *p = strtok_r(buf, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(p, '-');

		if (dash)
			*dash = '\0';
		for (uint32_t id = node_arg(p); id <= (dash ? node_arg(dash + 1) : node_arg(p));
		     id++)
			nodeset_add(&set, id);
	}
	if (nodeset_empty(set))
		bad("a node is missing");
	return set;
}

/* --- a text, and its trace --- */

/* A whole file, "" when there is none; to free(). */
static char *read_whole(const char *path)
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

static void judge(const char *scenario)
{
	char path[1024], *golden;
	size_t i = 0, line = 0;

	assert_true(snprintf(path, sizeof(path), "%s", scenario) + 3 < (int)sizeof(path));
	memcpy(strrchr(path, '.'), ".trace", sizeof(".trace"));
	if (is(getenv("STOCKADE_GOLDEN"), "write")) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		fputs(told, f);
		assert_int_equal(fclose(f), 0);
		return;
	}
	golden = read_whole(path);
	assert_non_null(golden);
	if (strcmp(golden, told) != 0) {
		for (; golden[i] && golden[i] == told[i]; i++)
			if (told[i] == '\n')
				line = i + 1;
		fail_msg("%s: the trace differs from the golden one:\n  was  %.*s\n  now  %.*s",
			 path, (int)strcspn(golden + line, "\n"), golden + line,
			 (int)strcspn(told + line, "\n"), told + line);
	}
	free(golden);
}

static void play_line(char *line)
{
	char *a[WORDS_MAX + 1] = { NULL }, *save = NULL;
	unsigned n = 0;

	line_no++;
	line[strcspn(line, "#\n")] = '\0';
	for (char *p = strtok_r(line, " \t", &save); p; p = strtok_r(NULL, " \t", &save)) {
		if (n == WORDS_MAX)
			bad("too many words");
		a[n++] = p;
	}
	if (n == 0)
		return;
	trace(">");
	for (unsigned i = 0; i < n; i++)
		trace(" %s", a[i]);
	trace("\n");
	room->command(a, n);
}

static void play(void **state)
{
	const char *path = *state;
	char *text = read_whole(path);

	assert_non_null(text);
	file = strrchr(path, '/') + 1;
	line_no = 0;
	told_len = 0;
	told[0] = '\0';
	scenario_nodes = 0;
	if (!text[0])
		bad("it cannot be read");
	trace("# SPDX-License-Identifier: GPL-3.0-or-later\n");
	room->begin();
	for (char *p = text, *next; p && *p; p = next) {
		next = strchr(p, '\n');
		if (next)
			*next++ = '\0';
		play_line(p);
	}
	room->end();
	free(text);
	judge(path);
}

static int ends_so(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return is(dot, ".scn");
}

int scenario_main(const struct scenario *s)
{
	const char *top = getenv("top_srcdir");
	static struct CMUnitTest tests[TEXTS_MAX];
	struct dirent **found;
	char dir[900];

	room = s;
	snprintf(dir, sizeof(dir), "%.800s/tests/scenario/%s", top ? top : ".", s->room);
	int n = scandir(dir, &found, ends_so, alphasort);

	if (n <= 0 || n > TEXTS_MAX) {
		fprintf(stderr, "%s: %d scenarios, there is room for 1 to %d\n", dir, n, TEXTS_MAX);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		size_t len = strlen(dir) + strlen(found[i]->d_name) + 2;
		char *path = malloc(len);

		if (!path)
			return 1;
		snprintf(path, len, "%s/%s", dir, found[i]->d_name);
		tests[i] = (struct CMUnitTest){ .name = strrchr(path, '/') + 1,
						.test_func = play,
						.initial_state = path };
	}
	int r = _cmocka_run_group_tests(s->room, tests, (size_t)n, NULL, NULL);

	for (int i = 0; i < n; i++) {
		free(tests[i].initial_state);
		free(found[i]);
	}
	free(found);
	return r;
}
