/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/agent_text.h - what agents print, read. Pure: whatever it is, it is text of somebody else. */
#ifndef STOCKADE_AGENT_TEXT_H
#define STOCKADE_AGENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The last line of @s that says something, in @to (@len > 0): agents log a lot before they fail. Printable ASCII without quotes
 * and without blanks at either end ('?' for what is not ASCII: cut in the middle of a character, or of another character set than
 * UTF-8, it would make the JSON of a whole status impossible); empty when no line says anything. */
void agent_last_line(const char *s, char *to, size_t len);

/* Is @plug, which is not empty, in the list that an agent printed? Lines "plug,alias", "name uuid on": the first two words count,
 * whatever their case. */
bool agent_listed(const char *out, const char *plug);

#endif
