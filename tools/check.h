/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.h - findings of `stockade check`, and where they come from. */
#ifndef STOCKADE_CHECK_H
#define STOCKADE_CHECK_H

#include "lib/shell/config.h"

#include <stdbool.h>

enum finding { FIND_OK, FIND_NOTE, FIND_WARNING, FIND_ERROR };

struct check {
	const struct config *cfg;
	const struct config_node *self; /* NULL: this machine is none of the nodes */
	bool quiet;                     /* say only what is wrong */
	unsigned n_warnings, n_errors;
};

/* One finding; @remedy: what to do, NULL: nothing. */
void finding(struct check *c, enum finding kind, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void check_corosync(struct check *c); /* its file, its key, what it runs with */
void check_agents(
	struct check
		*c); /* there, executable, speak the API; parameters they know; their secrets */
void check_fence_ways(struct check *c); /* from this node; nothing has to run, nobody is fenced */
void check_resources(struct check *c);  /* programs, mount points, units, the initiator's name */
void check_daemons(
	struct check
		*c); /* what they say: same configuration everywhere, fence paths, reachability */

/* Run a program; its stdout to free, or NULL: it failed (*status, -1: not run or killed). */
char *run_program(const char *const *argv, const char *in, unsigned timeout_ms, int *status);

#endif
