/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers/lvm_report.h - what LVM reports in JSON, and the plan that was made of it, kept as JSON. Pure: both may say
 * anything; what makes no sense is refused, never taken for a place on a disk (SAFE-3).
 */
#ifndef STOCKADE_STORAGED_LVM_REPORT_H
#define STOCKADE_STORAGED_LVM_REPORT_H

#include "lvm.h"

#include <jansson.h>

/* A text of a report's row; "": it has none. Borrowed. */
const char *lvm_field(const json_t *row, const char *key);

/* A report's number ("4194304"); fails with false on anything else (SAFE-3). */
bool lvm_number(const json_t *row, const char *key, uint64_t *ret);

/* The first row whose @key is @value; NULL: none. Borrowed. */
const json_t *lvm_row(const json_t *rows, const char *key, const char *value);

/* The segments of LV @name into @seg: how many, or -1 when they are not all plain, or not on the disks of @plan. */
int lvm_segs(const json_t *report, const char *name, const struct lvm_plan *plan,
	     struct lvm_seg seg[LVM_SEGS_MAX]);

/* A plan as it is kept; NULL: no memory. To decref. */
json_t *lvm_plan_json(const char *vg, const char *lv, const struct lvm_plan *plan);

/* And back, into a zeroed @ret. 0; -EBADMSG; -ESTALE: of another volume. */
int lvm_plan_parse(json_t *o, const char *want_vg, const char *want_lv, struct lvm_plan *ret);

#endif
