/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reach.h - the way to a volume on disks: its session, its plan, the place of its record. Activates and mounts nothing.
 */
#ifndef STOCKADE_DRIVERS_REACH_H
#define STOCKADE_DRIVERS_REACH_H

#include "area.h"
#include "lvm.h"
#include "op.h"

struct volume {
	struct lvm_devices devs;
	struct lvm_plan plan;
};

/* Log in and tell which disks there are; @v is empty but for that. A volume without iSCSI: no device named means all. */
enum driver_result reach_devices(struct op *op, struct volume *v);

/* Devices as they are now, without logging in. */
void reach_devices_now(const struct op *op, struct volume *v);

/* Ask LVM, find the slot, keep the plan in the run directory. */
enum driver_result reach_plan(struct op *op, struct volume *v);

/* Session, plan, and whether this volume may be used at all. */
enum driver_result reach_ready(struct op *op, struct volume *v);

/**
 * reach_slot_find() - look through the slots of LV_stockade for this volume's record.
 * @blank: a free slot, -1: none
 * @damaged: some slot is, and nobody knows whose it was
 * Return: its slot, -ENOENT, -errno
 */
int reach_slot_find(const struct op *op, const struct lvm_plan *plan, int *blank, bool *damaged);

/* Open this volume's slot. @write: each write asks again whether the disk is still the plan's; @plan must outlive @a.
 * 0, -errno; reach_area() says that in words. */
int reach_area_open(struct area *a, struct lvm_plan *plan, bool write);
enum driver_result reach_area(struct op *op, struct lvm_plan *plan, bool write, struct area *a);

#endif
