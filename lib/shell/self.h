/* SPDX-License-Identifier: GPL-3.0-or-later */
/* self.h - who a daemon is: its node, and the life of the kernel it runs in. */
#ifndef STOCKADE_SELF_H
#define STOCKADE_SELF_H

#include "../incarnation.h"
#include "config.h"

/**
 * self_find() - the configured node that corosync says we are, and this life of it.
 * @ret_life: nodeid, the kernel's boot id, join = CLOCK_BOOTTIME now
 * @why: on failure, a sentence that says what to do
 * Return: the node (belongs to @cfg), or NULL with errno:
 *   EAGAIN  corosync does not answer (yet): try again later, answer requests meanwhile
 *   EINVAL  corosync's node id is not in our configuration, EIO no boot id: no use to try again
 */
const struct config_node *self_find(const struct config *cfg, struct incarnation *ret_life,
				    char *why, size_t why_len);

#endif
