/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill.h - what the commands fence and fence --drill share. All return exit codes. */
#ifndef STOCKADE_TOOLS_DRILL_H
#define STOCKADE_TOOLS_DRILL_H

#include <stdbool.h>
#include <stdint.h>

/* Until a newer proof of that node's death than number @proof_before is there. */
int fence_follow(const char *node, int64_t proof_before, uint64_t limit_ms);

/* Whose drill is next; is it this node that does it? Nobody's as long as the last one of all is younger than @min_age_ms. */
int drill_next(char node[64], uint64_t min_age_ms, bool *ret_ours);
/* @level: from 1; 0: the one that was tested longest ago */
int drill_run(const char *node, unsigned level, const char *reason, uint64_t limit_ms);

#endif
