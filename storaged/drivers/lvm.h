/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lvm.h - the plan of a logical volume: made by LVM early, proven true by two reads when it is needed.
 *
 * DRIVER_PREPARE asks LVM once (a second of a helper process) and keeps a plan: uuids, the device-mapper table
 * that the metadata describes, the place of the volume's epoch area, and a mark of each PV (pv.h). At
 * START the plan is true if every PV still carries its mark: same PV, same metadata text. Then the device is
 * made from the plan under LVM's own lock, and read back. A plan that is not true is made anew.
 *
 * Plain LVs only (linear, striped): what LVM would load for them is one line a segment, and nothing else.
 * Any other layout is activated and deactivated by LVM itself, and verified by uuid and length.
 *
 * No use is made of system_id (DESIGN 9: a takeover of it succeeds while the old owner is active, and it costs a
 * metadata write, a second, in the way of each takeover): the epoch record does that work, and more. A VG that has one
 * is refused, as is one that belongs to lvmlockd.
 */
#ifndef STOCKADE_DRIVERS_LVM_H
#define STOCKADE_DRIVERS_LVM_H

#include "dm.h"
#include "epoch.h"
#include "op.h"
#include "pv.h"

#define LVM_PVS_MAX 16
#define LVM_DEVICES_MAX 32
#define LVM_SEGS_MAX DM_LINES_MAX
#define LVM_STRIPES_MAX 8
#define LVM_AREA_LV "LV_stockade"
#define LVM_AREA_BYTES (4 << 20) /* room for eight volumes of the VG */

struct lvm_devices { /* block devices to look at; n 0: all of the system */
	unsigned n;
	char path[LVM_DEVICES_MAX][64];
};

struct lvm_pv {
	char mark[PV_MARK_TEXT]; /* its first PV_UUID_TEXT - 1 characters are the uuid */
	char path[64];           /* where it was seen last: tried first */
};

struct lvm_plan {
	char dm_name[DM_LV_NAME_MAX], dm_uuid[DM_LV_UUID_MAX];
	uint64_t sectors;
	bool plain;
	unsigned n_pvs;
	struct lvm_pv pv[LVM_PVS_MAX];
	unsigned n_segs;
	struct lvm_seg {
		uint64_t start, len; /* sectors */
		unsigned n_stripes;  /* 1: linear */
		uint64_t stripe_sectors;
		struct {
			unsigned pv;
			uint64_t sector;
		} stripe[LVM_STRIPES_MAX];
	} seg[LVM_SEGS_MAX];
	bool has_area;
	unsigned area_pv;
	uint64_t area_offset; /* bytes on that PV, of LV_stockade */
	uint64_t area_bytes;
	unsigned area_slot;  /* of this volume, EPOCH_AREA_BYTES each */
	bool area_found;     /* the slot holds this volume's record */
	bool autoactivation; /* still on: SAFE-10, refuse */
	uint64_t extent_sectors;
	char fs[32]; /* what libblkid finds on it; "": not looked at yet */
};

/* Ask LVM about the volume and make the plan. The slot of its epoch record is for the caller to find. */
enum driver_result lvm_plan_make(struct op *op, const struct lvm_devices *devs,
				 struct lvm_plan *ret);
int lvm_plan_keep(const struct op *op, const struct lvm_plan *plan);
int lvm_plan_kept(const struct op *op, struct lvm_plan *ret);

/**
 * lvm_plan_true() - is the kept plan still the truth? Finds its PVs among @devs and compares their marks.
 * @plan: its pv[].path are set to where they are now
 * Return: 0; -ESTALE metadata changed; -ENODEV a PV is not there; -EBUSY something else sits on it; -EEXIST one PV is there twice; -errno of a read
 */
int lvm_plan_true(struct lvm_plan *plan, const struct lvm_devices *devs);
int lvm_pv_still(const struct lvm_pv *pv, int fd); /* one PV, on an open descriptor */

/* The device-mapper lines of a plain plan with its PVs where they are now. Lines, or -errno. */
int lvm_plan_lines(const struct lvm_plan *plan, struct dm_line lines[DM_LINES_MAX]);

/* Make the device active, verified; @ret: as seen after. @cookie: to dm_settle() when the time is good; 0: none. */
enum driver_result lvm_activate(struct op *op, const struct lvm_plan *plan,
				const struct lvm_devices *devs, struct dm_state *ret,
				uint32_t *cookie, uint64_t *extern_ms);
/* Make it inactive, verified. @cookie as above. */
enum driver_result lvm_deactivate(struct op *op, const struct lvm_plan *plan,
				  const struct lvm_devices *devs, uint32_t *cookie);

/* For `volume prepare`: auto-activation off; LV_stockade made, inactive. Both change nothing when it is so already. */
enum driver_result lvm_autoactivation_off(struct op *op, const struct lvm_devices *devs);
enum driver_result lvm_area_make(struct op *op, const struct lvm_devices *devs);

#endif
