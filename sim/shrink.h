/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/shrink.h - a smaller plan that breaks the same rule. */
#ifndef STOCKADE_SIM_SHRINK_H
#define STOCKADE_SIM_SHRINK_H

#include "world.h"

/* sim/main.c: plays it; an assertion of a core is a broken rule. Free the world unless `aborted`. */
struct world *play(const struct plan *plan, bool verbose, struct trace *trace);

/* Delta debugging over acts, then services, nodes, clients and rates. Prints the smaller plan, and how to play it. */
void shrink(const struct plan *plan, const char *rule);

#endif
