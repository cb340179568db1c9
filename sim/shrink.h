/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/shrink.h - a smaller plan that breaks the same rule. */
#ifndef STOCKADE_SIM_SHRINK_H
#define STOCKADE_SIM_SHRINK_H

#include "world.h"

/* sim/main.c: plays it; an assertion of a core is a broken rule. Free the world unless `aborted`. */
struct world *play(const struct plan *plan, bool verbose, struct trace *trace);

/* Writes the plan to a file of its own. Return: it is there, and this is its name. */
#define SHRINK_PATH 40
bool plan_keep(const struct plan *plan, char ret_path[SHRINK_PATH]);

/* Delta debugging over acts, then services, nodes, clients and rates. Prints the smaller plan, and how to play it. */
void shrink(const struct plan *plan, const char *rule);

#endif
