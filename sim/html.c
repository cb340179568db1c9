/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "html.h"

#include <errno.h>

#include "sim/page.inc" /* page_css, page_body, page_script: lines, NULL ends */

static void lines(const char *const *line, FILE *to)
{
	for (; *line; line++)
		fputs(*line, to);
}

/* The title as text of the page: the script sets it, this is for who does not run it. */
static void text(const char *s, FILE *to)
{
	for (; *s; s++)
		if (*s == '<')
			fputs("&lt;", to);
		else if (*s == '&')
			fputs("&amp;", to);
		else
			fputc(*s >= 0x20 && *s < 0x7f ? *s : '?', to);
}

void html_write(const struct trace *t, FILE *to)
{
	const struct trace_about *about = trace_get_about(t);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
	      to);
	text(about->title[0] ? about->title : "trace", to);
	fputs("</title>\n<style>\n", to);
	lines(page_css, to);
	fputs("</style>\n</head>\n<body>\n", to);
	lines(page_body, to);
	fputs("<script type=\"application/json\" id=\"trace\">\n[", to);
	fprintf(to, "{\"nodes\":%u,\"dropped\":%llu,\"title\":", about->n_nodes,
		(unsigned long long)trace_dropped(t));
	trace_json_string(about->title, to);
	fputs(",\"again\":", to);
	trace_json_string(about->again, to);
	fputc('}', to);
	for (unsigned i = 0; i < trace_count(t); i++) {
		fputs(",\n", to);
		trace_json_event(t, trace_at(t, i), to);
	}
	fputs("]\n</script>\n<script>\n", to);
	lines(page_script, to);
	fputs("</script>\n</body>\n</html>\n", to);
}

int html_save(const struct trace *t, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -errno;
	html_write(t, f);

	int r = ferror(f) ? -EIO : 0;

	if (fclose(f) != 0 && r == 0)
		r = -errno;
	return r;
}
