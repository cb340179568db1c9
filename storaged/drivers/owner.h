/* SPDX-License-Identifier: GPL-3.0-or-later */
/* owner.h - who may write a volume: taking it, letting it go, and beating meanwhile. For disks and test directories alike.
 */
#ifndef STOCKADE_DRIVERS_OWNER_H
#define STOCKADE_DRIVERS_OWNER_H

#include "area.h"
#include "op.h"

struct owner {
	struct epoch_record rec;  /* as read last */
	bool fresh;               /* we wrote a new epoch in this operation */
	bool watch;               /* the one before us was active: its heartbeat must stand still */
	bool had_beat;            /* at first look; else its block was empty or torn */
	struct epoch_beat before; /* life.nodeid: whose block, always */
};

/* Read the record and say what is wrong with it in words. DRIVER_OK with @rec set, or an end. */
enum driver_result owner_read(struct op *op, const struct area *a, struct epoch_record *rec);

/**
 * owner_take() - SAFE-1: judge the record, write ours with the next epoch, first heartbeat.
 * @active: the device is active or mounted on this node already. Together with a record that is ours it
 *	changes nothing; with anybody else's it is refused (SAFE-10).
 */
enum driver_result owner_take(struct op *op, const struct area *a, bool active, struct owner *ret);

/* Just before the mount: is it still ours, and has the one before us been silent since owner_take()? */
enum driver_result owner_still(struct op *op, const struct area *a, const struct owner *own);

/* Mark it clean, if it is ours. After deactivation only. */
enum driver_result owner_release(struct op *op, const struct area *a);

/* Put what @rec says into the result line. */
void owner_tell(struct op *op, const struct epoch_record *rec);

/* A marker in the run directory: START was here in this boot, and no STOP has written `clean` since. */
void owner_mark(const struct op *op, bool on);
bool owner_marked(const struct op *op);

/* DRIVER_HEARTBEAT: never returns but on a broken pipe. @open: may block; called again after each failure. */
enum driver_result owner_beat(struct op *op,
			      int (*open)(struct op *op, struct area *a, bool write));

#endif
