/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume_new.c - `stockade volume prepare`: make a logical volume one that Stockade may guard. */
#include "fs.h"
#include "reach.h"
#include "reserve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new LV_stockade holds whatever its extents held before. */
static enum driver_result area_blank(struct op *op, const struct lvm_plan *plan)
{
	struct area a;
	uint8_t *zero = area_buf(EPOCH_AREA_BLOCKS);
	int r = zero ? area_open(&a, plan->pv[plan->area_pv].path, plan->area_offset, true)
		     : -ENOMEM;

	if (r == 0)
		r = lvm_pv_still(&plan->pv[plan->area_pv], a.fd);
	for (uint64_t at = 0; r == 0 && at < plan->area_bytes; at += EPOCH_AREA_BYTES) {
		uint64_t len = plan->area_bytes - at < EPOCH_AREA_BYTES ? plan->area_bytes - at
									: EPOCH_AREA_BYTES;
		ssize_t n = pwrite(a.fd, zero, len, (off_t)(plan->area_offset + at));

		r = n < 0 ? -errno : (uint64_t)n != len ? -EIO : 0;
	}
	if (r == 0 && fdatasync(a.fd) < 0)
		r = -errno;
	if (zero)
		area_close(&a);
	free(zero);
	return r == 0 ? DRIVER_OK
		      : op_fail(op, "io_error", "look at `dmesg` and at the target",
				"%s/" LVM_AREA_LV " cannot be cleared: %s", op->job->vol->vg,
				strerror(-r));
}

static enum driver_result first_record(struct op *op, struct volume *v)
{
	struct epoch_record rec = { .epoch = 0, .state = EPOCH_CLEAN };
	struct area a = AREA_CLOSED;
	bool damaged;
	int blank;
	int r = reach_slot_find(op, &v->plan, &blank, &damaged);

	if (r < 0 && r != -ENOENT)
		return op_fail(op, "io_error", "look at `dmesg` and at the target",
			       "%s/" LVM_AREA_LV " cannot be read: %s", op->job->vol->vg,
			       strerror(-r));
	/* it may be this volume's, and its owner alive: only people can know (SAFE-1) */
	if (damaged)
		return op_fail(
			op, "not_prepared",
			"make sure that no node has a volume of this group mounted, lvremove " LVM_AREA_LV
			", then prepare each of them again",
			"an epoch record in %s/" LVM_AREA_LV " is damaged, and may be that of %s",
			op->job->vol->vg, op->job->vol->name);
	if (blank < 0)
		return op_fail(op, "not_prepared",
			       "if no other volume uses it: lvremove it, then prepare again",
			       "%s/" LVM_AREA_LV " has no free place", op->job->vol->vg);
	v->plan.area_slot = (unsigned)blank;
	snprintf(rec.cluster, sizeof(rec.cluster), "%s", op->job->cfg->cluster);
	snprintf(rec.volume, sizeof(rec.volume), "%s", op->job->vol->name);
	enum driver_result end = reach_area(op, &v->plan, true, &a);

	if (end != DRIVER_OK)
		return end;
	r = area_record_write(&a, &rec);
	area_close(&a);
	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg` and at the target",
			       "the epoch record cannot be written: %s", strerror(-r));
	return DRIVER_OK;
}

enum driver_result volume_new(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct volume v;
	struct dm_state st;
	enum driver_result end = reach_devices(op, &v);

	if (end == DRIVER_OK)
		end = reach_plan(op, &v);
	if (end != DRIVER_OK)
		return end;
	int r = dm_look(&st, v.plan.dm_uuid);
	bool had = v.plan.area_found;

	if (r < 0 || (st.exists && !had))
		return op_fail(op, "lv_active_foreign",
			       "unmount it on every node, then lvchange -an",
			       "%s/%s is active on this node: prepare it while nobody uses it",
			       vol->vg, vol->lv);
	end = reserve_join(op, &v.plan);
	if (end == DRIVER_OK && v.plan.autoactivation)
		end = lvm_autoactivation_off(op, &v.devs);
	if (end == DRIVER_OK && !v.plan.has_area) {
		end = lvm_area_make(op, &v.devs);
		if (end == DRIVER_OK)
			end = lvm_plan_make(op, &v.devs, &v.plan);
		if (end == DRIVER_OK && !v.plan.has_area)
			end = op_unknown(op, "internal", "look at `lvs -a`",
					 "LVM made " LVM_AREA_LV ", yet does not show it");
		if (end == DRIVER_OK)
			end = area_blank(op, &v.plan);
	} else if (end == DRIVER_OK && v.plan.autoactivation) {
		end = lvm_plan_make(op, &v.devs, &v.plan); /* the marks changed with the metadata */
	}
	if (end == DRIVER_OK && !had)
		end = first_record(op, &v);
	if (end == DRIVER_OK)
		end = reach_plan(op, &v); /* reads all of it back from the disk */
	if (end != DRIVER_OK)
		return end;
	if (v.plan.autoactivation || !v.plan.area_found)
		return op_unknown(op, "internal", "look at `vgs -o +vg_autoactivation`",
				  "volume %s was prepared, yet it does not look so", vol->name);
	return op_end(op, DRIVER_OK,
		      had ? "volume %s was prepared already" : "volume %s is prepared", vol->name);
}
