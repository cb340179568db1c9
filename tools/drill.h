/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill.h - what the commands fence and fence --drill share. All return exit codes. */
#ifndef STOCKADE_TOOLS_DRILL_H
#define STOCKADE_TOOLS_DRILL_H

#include <stdbool.h>
#include <stdint.h>

/* Until a newer proof of that node's death than number @proof_before is there. */
int fence_follow(const char *node, int64_t proof_before, uint64_t limit_ms);

int drill_next(char node[64],
	       bool *ret_ours); /* whose drill is next; is it this node that does it? */
int drill_run(const char *node, const char *reason, uint64_t limit_ms);

#endif
