/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor.h - stockade doctor: a file for each part that it looks at. */
#ifndef STOCKADE_TOOLS_DOCTOR_H
#define STOCKADE_TOOLS_DOCTOR_H

#include "lib/shell/config.h"

#include <jansson.h>
#include <stdbool.h>

int doctor_watchdog(const char *config_path);
int doctor_fence(int argc, char **argv);

/**
 * doctor_local() - look from this machine alone, without any daemon (fence_agents/doctor).
 * @each: called for every check as it ends, with how many there will be; may be NULL
 * @why:  set when there is no result
 * Return: array of checks (doc/protocol.md), or NULL
 */
json_t *doctor_local(const struct config *cfg, void (*each)(void *arg, unsigned done, unsigned all),
		     void *arg, char *why, size_t why_len);

#endif
