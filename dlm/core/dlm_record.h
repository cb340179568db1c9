/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/core/dlm_record.h - what the core is fed and answers, as text and back (lib/record.h): dlmd's record, and what
 * `sim --replay` reads. One line each; pure.
 */
#ifndef STOCKADE_DLM_RECORD_H
#define STOCKADE_DLM_RECORD_H

#include "dlm.h"
#include "lib/record.h"

struct dlm_config { /* the arguments of dlm_new() */
	struct incarnation self;
	struct nodeset configured;
};

void dlm_record_config(struct record_w *w, const struct dlm_config *cfg);
void dlm_record_event(struct record_w *w, const struct dlm_event *ev);
/* The @i-th of a list; a SEND with its bytes. */
void dlm_record_action(struct record_w *w, const struct dlm_actions *out, unsigned i);

/* 0, or -EBADMSG and r->err says why. Pointers in @ret point into r->mem. */
int dlm_record_read_config(struct record_r *r, struct dlm_config *ret);
int dlm_record_read_event(struct record_r *r, struct dlm_event *ret);

/* For tests: every table, NULL at the end. */
extern const struct record_type *const dlm_record_types[];

#endif
