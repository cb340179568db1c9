/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/place_record.h - what the core is fed and answers, as text and back (lib/record.h): storaged's record, and
 * what `sim --replay` reads. One line each; pure. The writer's and reader's `many` is the number of services.
 */
#ifndef STOCKADE_PLACE_RECORD_H
#define STOCKADE_PLACE_RECORD_H

#include "lib/record.h"
#include "place.h"

void place_record_config(struct record_w *w, const struct place_config *cfg);
void place_record_event(struct record_w *w, const struct place_event *ev);
void place_record_action(struct record_w *w, const struct place_actions *out, unsigned i);

/* 0, or -EBADMSG and r->err says why. Pointers in @ret point into r->mem. */
int place_record_read_config(struct record_r *r, struct place_config *ret);
int place_record_read_event(struct record_r *r, struct place_event *ret);

/* For tests: every table, NULL at the end. */
extern const struct record_type *const place_record_types[];

#endif
