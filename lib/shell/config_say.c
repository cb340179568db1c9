/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages about a configuration, as a good compiler writes them. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

#define LINE_WIDTH 100 /* of a source line that is shown; a longer one is cut around the caret */

static void say(struct parse *p, bool warning, struct at at, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static void say(struct parse *p, bool warning, struct at at, const char *fmt, va_list ap)
{
	struct message *m;

	if (!warning)
		p->n_errors++;
	if (p->n_messages == MESSAGES_MAX) {
		p->n_dropped++;
		return;
	}
	m = &p->message[p->n_messages++];
	m->at = at;
	m->warning = warning;
	m->note[0] = '\0';
	vsnprintf(m->text, sizeof(m->text), fmt, ap);
}

void say_error(struct parse *p, struct at at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, false, at, fmt, ap);
	va_end(ap);
}

void say_warning(struct parse *p, struct at at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, true, at, fmt, ap);
	va_end(ap);
}

void say_note(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->n_messages || p->n_dropped)
		return;
	va_start(ap, fmt);
	vsnprintf(p->message[p->n_messages - 1].note, sizeof(p->message[0].note), fmt, ap);
	va_end(ap);
}

static bool continues(char c) /* a byte within a UTF-8 character */
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where a line must not be shown any further: behind the ":" of a key that is a secret's. Messages go to logs. */
static const char *secret_start(const char *line, const char *end)
{
	for (const char *c = line; c < end; c++) {
		const char *word = c, *word_end = c;
		char key[CONFIG_NAME_MAX];

		if (*c != ':')
			continue;
		while (word_end > line && strchr(" \t\"'", word_end[-1]))
			word_end--;
		for (word = word_end; word > line && !strchr(" \t\"'{,", word[-1]); word--)
			;
		snprintf(key, sizeof(key), "%.*s", (int)(word_end - word), word);
		if (is_secret_key(key))
			return c + 1;
	}
	return end;
}

/* The source line and a run of carets below; columns count characters. */
static void write_source(const struct parse *p, struct at at, FILE *err)
{
	const char *line = p->text, *end, *s;
	int len = at.len, col = at.col, blank = 0;
	bool hidden;

	if (at.len == 0)
		return; /* the file as a whole */

	for (int i = 0; i < at.line; i++) {
		line = strchr(line, '\n');
		if (!line)
			return;
		line++;
	}
	end = line + strcspn(line, "\n");
	s = secret_start(line, end);
	hidden = s < end;
	end = s;
	while (line < end && (*line == ' ' || *line == '\t') && blank < col) {
		line++;
		blank++;
	}
	col -= blank;
	if (line == end)
		return;
	fputs("    ", err);
	if (col > LINE_WIDTH / 2 && end - line > LINE_WIDTH) {
		int cut = col - LINE_WIDTH / 3;

		for (s = line; s < end && cut > 0; cut--)
			for (s++; s < end && continues(*s); s++)
				;
		fputs("...", err);
		col = LINE_WIDTH / 3 + 3;
		line = s;
	}
	if (end - line > LINE_WIDTH) {
		for (s = line + LINE_WIDTH; continues(*s); s--)
			;
		fprintf(err, "%.*s...", (int)(s - line), line);
	} else {
		fprintf(err, "%.*s%s", (int)(end - line), line, hidden ? " ..." : "");
	}
	fprintf(err, "\n    %*s^", col, "");
	for (int i = 1; i < len && i < LINE_WIDTH; i++)
		fputc('~', err);
	fputc('\n', err);
}

static int by_place(const void *a, const void *b)
{
	const struct message *const *ma = a, *const *mb = b;

	if ((*ma)->at.line != (*mb)->at.line)
		return (*ma)->at.line < (*mb)->at.line ? -1 : 1;
	if ((*ma)->at.col != (*mb)->at.col)
		return (*ma)->at.col < (*mb)->at.col ? -1 : 1;
	return *ma < *mb ? -1 : 1; /* as said */
}

void say_write(struct parse *p, FILE *err)
{
	const struct message *m[MESSAGES_MAX];
	unsigned n_warnings = 0;

	for (unsigned i = 0; i < p->n_messages; i++)
		m[i] = &p->message[i];
	qsort(m, p->n_messages, sizeof(m[0]), by_place);
	for (unsigned i = 0; i < p->n_messages; i++) {
		fprintf(err, "%s:%d:%d: %s: %s\n", p->path, m[i]->at.line + 1, m[i]->at.col + 1,
			m[i]->warning ? "warning" : "error", m[i]->text);
		write_source(p, m[i]->at, err);
		if (m[i]->note[0])
			fprintf(err, "  %s\n", m[i]->note);
		n_warnings += m[i]->warning;
	}
	if (p->n_errors)
		fprintf(err, "%s: %u error%s", p->path, p->n_errors, p->n_errors == 1 ? "" : "s");
	if (p->n_errors && n_warnings)
		fprintf(err, ", %u warning%s", n_warnings, n_warnings == 1 ? "" : "s");
	if (p->n_dropped)
		fprintf(err, " (%u more are not shown)", p->n_dropped);
	if (p->n_errors)
		fputc('\n', err);
}
