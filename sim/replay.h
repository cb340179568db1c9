/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/replay.h - feed the record of a real daemon (lib/shell/recorder.h) to the same core again, and compare. */
#ifndef STOCKADE_SIM_REPLAY_H
#define STOCKADE_SIM_REPLAY_H

#include "lib/record.h"

struct replay_core {         /* replay_core.c: one for each daemon */
	const char *program; /* "stockade-fenced" */
	/* A new core from the fields of a `new` line; @w, when not NULL, gets them in words. NULL: r->err says why, or no
	 * memory. */
	void *(*start)(struct record_r *r, struct record_w *w);
	/* Feed an event. @w, when not NULL, gets the event in words. 0: fed, @ret_rc is the step's; -EBADMSG: r->err says why. */
	int (*feed)(void *core, struct record_r *r, struct record_w *w, int *ret_rc,
		    uint64_t *ret_now_ms);
	unsigned (*n_actions)(const void *core);
	void (*action)(const void *core, struct record_w *w, unsigned i); /* of the last step */
	uint64_t (*deadline_ms)(const void *core);
	const char *(*broken)(const void *core); /* NULL: sound */
	void (*end)(void *core);
};

const struct replay_core *replay_core_by_name(const char *program, size_t len); /* NULL: none */

/**
 * replay_files() - replay the files of one record, oldest first, and print what came of it.
 * Return: 0 every run that begins here was answered alike; 1 a core answered otherwise (the first difference is printed:
 *	file, line, expected, got); 2 nothing can be replayed: not readable, no record, or its beginning is missing
 */
int replay_files(char *const *file, int n, bool verbose);

#endif
