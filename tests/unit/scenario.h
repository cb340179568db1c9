/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/scenario.h - plays the texts of a room, tests/scenario/ROOM/NAME.scn: a cmocka test each, one command a line, # begins
 * a comment. What is told with trace() is compared with NAME.trace, line by line; STOCKADE_GOLDEN=write writes the traces anew (then
 * read the diff). What a command means is the room's business: fence_scenario.c, dlm_scenario.c, storage_scenario.c.
 */
#ifndef STOCKADE_TESTS_UNIT_SCENARIO_H
#define STOCKADE_TESTS_UNIT_SCENARIO_H

#include "lib/nodeset.h"

#include <stdbool.h>
#include <stdint.h>

struct scenario {
	const char *room;    /* "fence" */
	void (*begin)(void); /* of each text */
	void (*command)(char **a,
			unsigned n); /* n words, NULL behind them; they may be written on */
	void (*end)(void);
};

int scenario_main(const struct scenario *s); /* all texts of the room; the result is main()'s */

/* One line, or a part of one, of what happens. */
void trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The test has failed, at this line: says why, and what was told so far. */
void bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Words of the command; who is missing, or no such thing, is bad(). */
extern unsigned scenario_nodes; /* 1..this are nodes; the room sets it */
bool is(const char *a, const char *b);
uint32_t number_arg(const char *a);
uint32_t node_arg(const char *a);
struct nodeset nodes_arg(const char *a); /* 1,3 or 1-3 */

#endif
