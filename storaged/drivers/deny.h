/* SPDX-License-Identifier: GPL-3.0-or-later */
/* deny.h - an error table in the place of a volume's own: nobody writes to it any more. */
#ifndef STOCKADE_DRIVERS_DENY_H
#define STOCKADE_DRIVERS_DENY_H

#include "dm.h"
#include "op.h"

/* Does every access to this device fail? */
bool deny_is(const struct dm_state *st);

/**
 * deny_writes() - make every access to the device fail; verified by reading its table back.
 * Return: DRIVER_OK: so it is, or it is not active; DRIVER_UNKNOWN: it could not be done in time (SAFE-3)
 */
enum driver_result deny_writes(struct op *op, const char *uuid);

#endif
