/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve.h - a volume whose disks keep out who is not registered (volumes: NAME: {reservations: true}).
 *
 * START registers this node on every path of every disk before it writes anything there; MONITOR watches and mends
 * that. Cutting others off is fencing, done by the agent fence_scsi; both speak lib/shell/scsi_guard.h.
 */
#ifndef STOCKADE_DRIVERS_RESERVE_H
#define STOCKADE_DRIVERS_RESERVE_H

#include "lvm.h"
#include "op.h"

/**
 * reserve_join() - register on every disk of @plan. OK at once for a volume without reservations.
 * Ends: "cut_off" this node was cut off and must reboot; "no_reservations" the target cannot; "io_error"
 */
enum driver_result reserve_join(struct op *op, const struct lvm_plan *plan);

/**
 * reserve_kept_out() - SAFE-1: is every node whose death is a storage cut kept out by these very disks?
 * A proof says that some disks keep it out; only these can say that they do. End: "owner_alive".
 */
enum driver_result reserve_kept_out(struct op *op, const struct lvm_plan *plan);

/* MONITOR: still registered? Mends what may be mended. End: "cut_off": let everything go at once (SAFE-7). */
enum driver_result reserve_watch(struct op *op, const struct lvm_plan *plan);

#endif
