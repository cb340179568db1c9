/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/agent_text.h - what agents print, read. Pure: whatever it is, it is text of somebody else. */
#ifndef STOCKADE_FENCED_AGENT_TEXT_H
#define STOCKADE_FENCED_AGENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The last line of @s that says something, in @to (@len > 0): agents log a lot before they fail. Without control characters and
 * quotes, and without blanks at either end; empty when no line says anything. */
void agent_last_line(const char *s, char *to, size_t len);

/* Is @plug, which is not empty, in the list that an agent printed? Lines "plug,alias", "name uuid on": the first two words count,
 * whatever their case. */
bool agent_listed(const char *out, const char *plug);

#endif
