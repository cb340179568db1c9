/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_guard.h - registrations on a disk as a fence: come in, look, cut another node off.
 *
 * Type Write Exclusive - Registrants Only. A node registers its key on every path before it writes; whoever survives
 * removes all keys of the victim with PREEMPT AND ABORT, which also ends its commands in flight, and reads back.
 *
 * Who was cut off stays out until its kernel is another one: its page cache is from before. So a life that registered
 * leaves a mark (a file below @run, gone with the boot), and does not register again when its key is gone and others'
 * are there (SAFE-1). When nobody's key is there the target has forgotten them: that can be repaired.
 *
 * Blocking, as scsi_disk.h says. Texts are clauses for people, with the remedy.
 */
#ifndef STOCKADE_LIB_SHELL_SCSI_GUARD_H
#define STOCKADE_LIB_SHELL_SCSI_GUARD_H

#include "lib/shell/scsi_disk.h"

#define SCSI_GUARD_RUN "/run/stockade/scsi"

struct scsi_guard {
	const char *run;     /* folder of the marks; made when missing */
	const char *cluster; /* name */
	uint32_t self;       /* nodeid */
	uint8_t boot_id[BOOT_ID_BYTES];
	bool volatile_ok; /* a target that loses registrations when it restarts will do */
	char text[400];   /* after a failure */
};

/* Is this disk fit? Return: 0; -EOPNOTSUPP: the target cannot do what is needed (text says what). Changes nothing. */
int scsi_guard_fit(struct scsi_guard *g, struct scsi_disk *disk);

/**
 * scsi_guard_join() - register on every path, reserve if nobody has, read back. Idempotent.
 * Return: 0; -EPERM: this life was cut off, reboot first; others as scsi_disk.h
 */
int scsi_guard_join(struct scsi_guard *g, struct scsi_disk *disk);

/* Our own standing; a life without a mark that is not registered is SCSI_PR_OWN_FORGOTTEN: it may join. */
int scsi_guard_own(struct scsi_guard *g, struct scsi_disk *disk, enum scsi_pr_own *ret);

/* Another node's standing, by every path: one that answers otherwise, or not, makes it unknown. */
int scsi_guard_node(struct scsi_guard *g, struct scsi_disk *disk, uint32_t node,
		    enum scsi_pr_standing *ret);

/**
 * scsi_guard_cut() - remove every key of @node. Joins first: only a registered node can.
 * Return: 0: removed; ask scsi_guard_node() for the proof
 */
int scsi_guard_cut(struct scsi_guard *g, struct scsi_disk *disk, uint32_t node);

/* Take our own key away, when nothing here uses the disk any more; the mark goes too. */
int scsi_guard_leave(struct scsi_guard *g, struct scsi_disk *disk);

#endif
