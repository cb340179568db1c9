/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What LVM reports in JSON, and the plan that is kept of it: the first byte chooses. A place on a disk is one of the plan's
 * disks, or there is none (SAFE-3).
 */
#include "storaged/drivers/lvm_report.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const mark[] = { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 4096 11111111",
				    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 4096 22222222" };

static void pieces(const struct lvm_plan *plan, const struct lvm_seg *seg, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert(seg[i].n_stripes >= 1 && seg[i].n_stripes <= LVM_STRIPES_MAX);
		for (unsigned k = 0; k < seg[i].n_stripes; k++)
			assert(seg[i].stripe[k].pv < plan->n_pvs);
	}
}

static void report(const json_t *o)
{
	static struct lvm_plan plan;
	struct lvm_seg seg[LVM_SEGS_MAX];
	uint64_t number;
	const json_t *row;
	size_t i;

	memset(&plan, 0, sizeof(plan));
	plan.n_pvs = 2;
	for (unsigned p = 0; p < 2; p++)
		strcpy(plan.pv[p].mark, mark[p]);
	json_array_foreach (json_object_get(o, "vg"), i, row)
		if (lvm_number(row, "vg_extent_size", &number))
			plan.extent_sectors = number;
	int n = lvm_segs(o, "lv0", &plan, seg);

	assert(n >= -1 && n <= LVM_SEGS_MAX);
	if (n <= 0)
		return;
	pieces(&plan, seg, (unsigned)n);
	uint64_t at = 0;

	for (int k = 0; k < n; k++) { /* whole, in order, without end */
		assert(seg[k].start == at && seg[k].len > 0 && seg[k].len <= UINT64_MAX - at);
		at += seg[k].len;
	}
}

static void kept(json_t *o)
{
	static struct lvm_plan plan, again;

	memset(&plan, 0, sizeof(plan));
	memset(&again, 0, sizeof(again));
	if (lvm_plan_parse(o, "vg0", "lv0", &plan) < 0)
		return;
	assert(plan.n_pvs <= LVM_PVS_MAX && plan.n_segs <= LVM_SEGS_MAX);
	assert(!plan.has_area || plan.area_pv < plan.n_pvs);
	pieces(&plan, plan.seg, plan.n_segs);
	json_t *told = lvm_plan_json("vg0", "lv0", &plan);

	if (told) { /* NULL: a text was cut within a character; a plan is made of LVM's, which are ASCII */
		assert(lvm_plan_parse(told, "vg0", "lv0", &again) == 0);
		assert(memcmp(&plan, &again, sizeof(plan)) == 0);
	}
	json_decref(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	json_t *o = json_loadb((const char *)data + 1, len - 1, 0, NULL);

	if (data[0] % 2)
		report(o);
	else
		kept(o);
	json_decref(o);
	return 0;
}
