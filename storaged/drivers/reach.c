/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reach.h"

#include "fs.h"
#include "iscsi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int reach_slot_find(const struct op *op, const struct lvm_plan *plan, int *blank, bool *damaged)
{
	const struct config_volume *vol = op->job->vol;
	unsigned slots = (unsigned)(plan->area_bytes / EPOCH_AREA_BYTES);
	int found = -ENOENT;

	*blank = -1;
	*damaged = false;
	for (unsigned s = 0; s < slots && s < 64 && found == -ENOENT; s++) {
		struct epoch_record rec;
		struct area a;
		int r = area_open(&a, plan->pv[plan->area_pv].path,
				  plan->area_offset + (uint64_t)s * EPOCH_AREA_BYTES, false);

		if (r == 0)
			r = area_record_read(&a, &rec);
		area_close(&a);
		if (r == -ENODATA && *blank < 0)
			*blank = (int)s;
		else if (r == 0 && strcmp(rec.volume, vol->name) == 0 &&
			 strcmp(rec.cluster, op->job->cfg->cluster) == 0)
			found = (int)s;
		else if (r == -EBADMSG)
			*damaged = true;
		else if (r < 0 && r != -ENODATA)
			return r;
	}
	return found;
}

/* The filesystem, seen through the disk: a wrong one is found at once, not in the middle of a takeover. */
static enum driver_result plan_fs(struct op *op, struct lvm_plan *plan)
{
	const struct lvm_seg *seg = &plan->seg[0];
	char type[FS_TYPE_MAX];

	if (!plan->plain || seg->n_stripes != 1)
		return DRIVER_OK; /* START will look */
	int r = fs_probe(plan->pv[seg->stripe[0].pv].path, seg->stripe[0].sector * 512,
			 seg->len * 512, type);
	enum driver_result end = fs_type_check(op, r, type);

	if (end == DRIVER_OK)
		snprintf(plan->fs, sizeof(plan->fs), "%s", type);
	return end;
}

enum driver_result reach_plan(struct op *op, struct volume *v)
{
	bool damaged;
	int blank;

	op_progress(op, "asking LVM about %s/%s", op->job->vol->vg, op->job->vol->lv);
	enum driver_result end = lvm_plan_make(op, &v->devs, &v->plan);

	if (end != DRIVER_OK)
		return end;
	if (v->plan.has_area) {
		int r = reach_slot_find(op, &v->plan, &blank, &damaged);

		if (r < 0 && r != -ENOENT)
			return op_fail(op, "io_error", "look at `dmesg` and at the target",
				       "%s/" LVM_AREA_LV " cannot be read: %s", op->job->vol->vg,
				       strerror(-r));
		v->plan.area_found = r >= 0;
		v->plan.area_slot = r >= 0 ? (unsigned)r : 0;
	}
	end = plan_fs(op, &v->plan);
	if (end != DRIVER_OK)
		return end;
	int r = lvm_plan_keep(op, &v->plan);

	if (r < 0)
		op_progress(op, "the plan of %s cannot be kept in %s: %s", op->job->vol->name,
			    op->job->rundir, strerror(-r));
	return DRIVER_OK;
}

enum driver_result reach_devices(struct op *op, struct volume *v)
{
	struct iscsi_link link;

	memset(v, 0, sizeof(*v));
	if (!op->job->vol->iscsi)
		return DRIVER_OK; /* a local disk: all devices */
	enum driver_result end = iscsi_login(op, &link);

	v->devs = link.disks;
	return end;
}

enum driver_result reach_ready(struct op *op, struct volume *v)
{
	const struct config_volume *vol = op->job->vol;
	char remedy[CONFIG_NAME_MAX + 32];
	enum driver_result end = fs_ready(op);

	if (end == DRIVER_OK)
		end = reach_devices(op, v);
	if (end != DRIVER_OK)
		return end;
	if (lvm_plan_kept(op, &v->plan) < 0 || !v->plan.area_found || v->plan.autoactivation ||
	    (v->plan.fs[0] && strcmp(v->plan.fs, fs_name(vol->fs)) != 0) ||
	    lvm_plan_true(&v->plan, &v->devs) < 0)
		end = reach_plan(op, v);
	if (end != DRIVER_OK)
		return end;
	snprintf(remedy, sizeof(remedy), "stockade volume prepare %s", vol->name);
	if (v->plan.autoactivation)
		return op_fail(
			op, "not_prepared", remedy,
			"volume group %s is activated automatically by every node that sees it",
			vol->vg);
	if (!v->plan.has_area || !v->plan.area_found)
		return op_fail(op, "not_prepared", remedy,
			       "volume %s has no epoch record in %s/" LVM_AREA_LV, vol->name,
			       vol->vg);
	return DRIVER_OK;
}

static int place_still(void *arg, int fd)
{
	return lvm_pv_still(arg, fd);
}

int reach_area_open(struct area *a, struct lvm_plan *plan, bool write)
{
	int r = area_open(a, plan->pv[plan->area_pv].path,
			  plan->area_offset + (uint64_t)plan->area_slot * EPOCH_AREA_BYTES, write);

	if (r == 0) {
		/* the very disk, seen through the descriptor that will write */
		r = lvm_pv_still(&plan->pv[plan->area_pv], a->fd);
		if (r < 0)
			area_close(a);
	}
	if (r == 0 && write) {
		a->still_there = place_still;
		a->arg = &plan->pv[plan->area_pv];
	}
	return r;
}

enum driver_result reach_area(struct op *op, struct lvm_plan *plan, bool write, struct area *a)
{
	int r = reach_area_open(a, plan, write);

	return r == 0 ? DRIVER_OK
		      : op_fail(op, "io_error", "look at `dmesg` and at the target",
				"the epoch area of volume %s cannot be opened: %s",
				op->job->vol->name, strerror(-r));
}

void reach_devices_now(const struct op *op, struct volume *v)
{
	struct iscsi_link link;

	if (op->job->vol->iscsi && iscsi_look(&link, op->job->vol) == 0)
		v->devs = link.disks;
}
