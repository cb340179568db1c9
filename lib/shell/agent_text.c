/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/agent_text.h"

#include <string.h>
#include <strings.h>

/* What stands for nothing in a line of JSON or of a log. */
static bool is_blank(char c)
{
	return (unsigned char)c <= 0x20 || c == 0x7f || c == '"';
}

void agent_last_line(const char *s, char *to, size_t len)
{
	const char *best = "", *end = "";

	for (const char *p = s; *p;) {
		const char *nl = strchr(p, '\n');
		const char *stop = nl ? nl : p + strlen(p);

		while (p < stop && is_blank(*p))
			p++;
		if (p < stop) {
			best = p;
			end = stop;
		}
		p = nl ? nl + 1 : stop;
	}
	size_t n = 0;

	for (; best < end && n + 1 < len; best++)
		to[n++] = is_blank(*best) ? ' ' : (unsigned char)*best >= 0x80 ? '?' : *best;
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

bool agent_listed(const char *out, const char *plug)
{
	static const char sep[] = " \t,;";

	for (const char *p = out; *p;) {
		size_t line = strcspn(p, "\n");
		const char *end = p + line;

		for (int word = 0; word < 2 && p < end; word++) {
			p += strspn(p, sep);
			size_t n = strcspn(p, " \t,;\n");

			if (n == strlen(plug) && strncasecmp(p, plug, n) == 0)
				return true;
			p += n;
		}
		p = *end ? end + 1 : end;
	}
	return false;
}
