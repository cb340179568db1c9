/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Output for people, and reading of JSON and options. */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/cli.h"

static bool colours, tty;
static size_t width = 100;

void out_init(void)
{
	const char *term = getenv("TERM");
	struct winsize w;

	tty = isatty(STDOUT_FILENO);
	colours = tty && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
	if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
		width = w.ws_col;
}

bool out_tty(void)
{
	return tty;
}

static const char *colour(const char *sequence)
{
	return colours ? sequence : "";
}

const char *red(void)
{
	return colour("\033[31m");
}

const char *green(void)
{
	return colour("\033[32m");
}

const char *yellow(void)
{
	return colour("\033[33m");
}

const char *bold(void)
{
	return colour("\033[1m");
}

const char *dim(void)
{
	return colour("\033[2m");
}

const char *plain(void)
{
	return colour("\033[0m");
}

const char *duration_text(uint64_t ms, char *buf, size_t size)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, size, "%" PRIu64 " ms", ms);
	else if (ms < 10000 && ms % 1000 >= 100)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else if (s < 60)
		snprintf(buf, size, "%" PRIu64 " s", s);
	else if (s < 3600 && s % 60)
		snprintf(buf, size, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s < 3600)
		snprintf(buf, size, "%" PRIu64 " min", s / 60);
	else if (s < 86400 && s / 60 % 60)
		snprintf(buf, size, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s < 86400)
		snprintf(buf, size, "%" PRIu64 " h", s / 3600);
	else
		snprintf(buf, size, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}

void table_init(struct table *t, unsigned columns)
{
	assert(columns <= TABLE_COLUMNS);
	memset(t, 0, sizeof(*t));
	t->columns = columns;
}

void table_row(struct table *t)
{
	if (t->rows < TABLE_ROWS)
		t->rows++;
}

void table_cell(struct table *t, unsigned column, const char *col, const char *fmt, ...)
{
	va_list ap;

	assert(t->rows > 0 && column < t->columns);
	free(t->cell[t->rows - 1][column]);
	va_start(ap, fmt);
	if (vasprintf(&t->cell[t->rows - 1][column], fmt, ap) < 0)
		t->cell[t->rows - 1][column] = NULL;
	va_end(ap);
	t->colour[t->rows - 1][column] = col;
}

void table_print(struct table *t, FILE *out, const char *indent)
{
	size_t wide[TABLE_COLUMNS] = { 0 };

	for (unsigned r = 0; r < t->rows; r++)
		for (unsigned c = 0; c < t->columns; c++)
			if (t->cell[r][c] && strlen(t->cell[r][c]) > wide[c])
				wide[c] = strlen(t->cell[r][c]);
	for (unsigned r = 0; r < t->rows; r++) {
		unsigned last = 0;

		for (unsigned c = 0; c < t->columns; c++)
			if (t->cell[r][c] && t->cell[r][c][0])
				last = c;
		fputs(indent, out);
		for (unsigned c = 0; c <= last; c++) {
			const char *text = t->cell[r][c] ? t->cell[r][c] : "";
			const char *col = t->colour[r][c] ? t->colour[r][c] : "";

			fprintf(out, "%s%s%s", col, text, *col ? plain() : "");
			if (c < last)
				fprintf(out, "%*s", (int)(wide[c] - strlen(text) + 2), "");
		}
		fputc('\n', out);
		for (unsigned c = 0; c < t->columns; c++)
			free(t->cell[r][c]);
	}
	table_init(t, t->columns);
}

void print_wrapped(FILE *out, const char *first, const char *rest, const char *text)
{
	const char *prefix = first;
	size_t room;

	do {
		size_t len = strlen(text);

		room = width > strlen(prefix) + 20 ? width - strlen(prefix) : 20;
		if (len > room) {
			for (len = room; len > 0 && text[len] != ' '; len--)
				;
			if (len == 0)
				len = strcspn(text, " ");
		}
		fprintf(out, "%s%.*s\n", prefix, (int)len, text);
		text += len;
		text += strspn(text, " ");
		prefix = rest;
	} while (*text);
}

int print_json(json_t *value)
{
	int r = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;

	json_decref(value);
	putchar('\n');
	return r == 0 && !ferror(stdout) ? EXIT_OK : EXIT_FAILED;
}

/* What is between the printable characters of Unicode: C0, DEL, and C1 (U+0080 to U+009F: C2 80 to C2 9F). To free(); NULL: none is. */
static char *tamed(const char *from, size_t len)
{
	char *text = malloc(len + 1);
	bool any = false;

	if (!text)
		return NULL;
	memcpy(text, from, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)
			text[i++] = '?';
		else if (c >= ' ' && c != 0x7f)
			continue;
		text[i] = '?';
		any = true;
	}
	if (any)
		return text;
	free(text);
	return NULL;
}

json_t *js_tame(json_t *value)
{
	const char *key;
	json_t *v;
	void *next;
	size_t i;
	char *text = json_is_string(value)
			     ? tamed(json_string_value(value), json_string_length(value))
			     : NULL;

	if (text)
		json_string_setn_nocheck(value, text, json_string_length(value));
	free(text);
	json_object_foreach_safe(value, next, key, v)
	{
		js_tame(v);
		text = tamed(key, strlen(key));
		if (text) { /* no key of ours: nobody looks for it, --json shows it */
			json_object_set_nocheck(value, text, v);
			json_object_del(value, key);
		}
		free(text);
	}
	json_array_foreach (value, i, v)
		js_tame(v);
	return value;
}

const char *js_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *js_text(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = js_str(o, key);

	return s ? s : otherwise;
}

bool js_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

bool js_false(const json_t *o, const char *key)
{
	return json_is_false(json_object_get(o, key));
}

bool js_null(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return !v || json_is_null(v);
}

int64_t js_int(const json_t *o, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

json_t *js_find(const json_t *array, const char *key, const char *value)
{
	json_t *element;
	size_t i;

	json_array_foreach (array, i, element) {
		const char *s = js_str(element, key);

		if (s && value && strcmp(s, value) == 0)
			return element;
	}
	return NULL;
}

int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("stockade: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int options_parse(int *argc, char **argv, const struct option_spec *spec)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const struct option_spec *s = spec;
		char *arg = argv[i];
		size_t len = strcspn(arg, "=");
		bool takes;

		if (strcmp(arg, "--") == 0) {
			while (++i < *argc)
				argv[n++] = argv[i];
			break;
		}
		if (arg[0] != '-' || !arg[1]) {
			argv[n++] = arg;
			continue;
		}
		while (s->name && (strlen(s->name) != len || strncmp(s->name, arg, len) != 0))
			s++;
		if (!s->name)
			return usage_error("%s: unknown option %.*s; see: stockade %s --help",
					   argv[0], (int)len, arg, argv[0]);
		takes = s->value || s->each;
		if (!takes && arg[len])
			return usage_error("%s: option %s takes no value", argv[0], s->name);
		if (takes && !arg[len] && i + 1 == *argc)
			return usage_error("%s: option %s needs a value", argv[0], s->name);
		if (takes) {
			const char *value = arg[len] ? arg + len + 1 : argv[++i];

			if (s->value)
				*s->value = value;
			else
				s->each(value);
		} else {
			*s->flag = true;
		}
	}
	*argc = n;
	return 0;
}

bool time_parse(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} unit[] = {
		{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	char *end;
	double v;

	if (!isdigit((unsigned char)*text))
		return false;
	v = strtod(text, &end);
	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
		if (strcmp(end, unit[i].name) == 0 && v < 1e6) {
			*ret_ms = (uint64_t)(v * (double)unit[i].ms + 0.5);
			return true;
		}
	return false;
}
