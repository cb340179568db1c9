/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi.h - the session to one target at one portal: looked at by libopeniscsiusr and sysfs, changed by iscsiadm.
 *
 * Every call names one target and one portal; nothing is ever done to "all" sessions, and no bare rescan (one
 * dead session of somebody else would block it). Exit codes of iscsiadm are hints for words; what
 * counts is what sysfs says afterwards.
 */
#ifndef STOCKADE_DRIVERS_ISCSI_H
#define STOCKADE_DRIVERS_ISCSI_H

#include "lvm.h"
#include "op.h"

enum iscsi_state {
	ISCSI_NONE = 0, /* no session */
	ISCSI_LOGGED_IN,
	ISCSI_FAILED, /* connection lost, I/O waits (disks "blocked") */
	ISCSI_FREE,   /* gave the I/O up (disks "transport-offline"); still reconnecting */
	ISCSI_OTHER,
};

struct iscsi_link {
	enum iscsi_state state;
	int sid;
	int host;                 /* SCSI host number; -1 unknown */
	int recovery_tmo_s;       /* -1: unknown */
	struct lvm_devices disks; /* whole disks and their partitions, as /dev/NAME */
	bool blocked;             /* a disk of it is not "running" */
};

/* Look. 0 also when there is no session; -errno when it cannot be told (SAFE-3). Never blocks on the disk. */
int iscsi_look(struct iscsi_link *ret, const struct config_volume *vol);
const char *iscsi_state_name(enum iscsi_state state);

/* Have a session that works, with the time-outs of the solver, and at least one disk. @ret: as found at the end. */
enum driver_result iscsi_login(struct op *op, struct iscsi_link *ret);

/*
 * Cut this node off from the disks of the session: logout, which fails all waiting I/O in 0.4 s; where iscsid does not
 * answer, delete the SCSI devices (0.2 s). Other volumes of the same target lose it too: they are on the same dead disk.
 *
 * @silent: the disk does not answer, so writes may wait in the connection, and TCP would deliver them when the network is back,
 * even after the process that wrote them and the session are gone (SAFE-1). open-iscsi closes a connection with a reset, which
 * throws them away, only after it has given it up (usr/io.c: SO_LINGER 0 unless a logout goes on). So it is waited for that,
 * at most the NOP interval and time-out (doc/timing.md); a session that is still there afterwards is not cut off.
 */
enum driver_result iscsi_cut(struct op *op, bool silent);

#endif
