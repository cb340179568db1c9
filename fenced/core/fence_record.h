/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/fence_record.h - what the core is fed and answers, as text and back (lib/record.h): fenced's record, and what
 * `sim --replay` reads. One line each; pure.
 */
#ifndef STOCKADE_FENCED_CORE_FENCE_RECORD_H
#define STOCKADE_FENCED_CORE_FENCE_RECORD_H

#include "fence.h"
#include "lib/record.h"

void fence_record_config(struct record_w *w, const struct fence_config *cfg);
void fence_record_event(struct record_w *w, const struct fence_event *ev);
/* The @i-th of a list; a SEND with its bytes. */
void fence_record_action(struct record_w *w, const struct fence_actions *out, unsigned i);

/* 0, or -EBADMSG and r->err says why. Pointers in @ret point into r->mem. */
int fence_record_read_config(struct record_r *r, struct fence_config *ret);
int fence_record_read_event(struct record_r *r, struct fence_event *ret);

/* For tests: every table, NULL at the end. */
extern const struct record_type *const fence_record_types[];

#endif
