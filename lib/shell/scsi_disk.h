/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_disk.h - a SCSI disk with all its paths: who is registered at it, and the commands that change that.
 *
 * Every call blocks up to SCSI_COMMAND_MS for each path; when the disk is dead the kernel may need longer, and cannot be
 * interrupted: for agents and forked children, never for a daemon's loop. Not thread-safe.
 */
#ifndef STOCKADE_LIB_SHELL_SCSI_DISK_H
#define STOCKADE_LIB_SHELL_SCSI_DISK_H

#include "lib/scsi_pr.h"

#define SCSI_COMMAND_MS 5000
#define SCSI_PATHS_MAX 32
#define SCSI_NAME_MAX 32
#define SCSI_TEXT_MAX 200

struct scsi_path {
	char name[SCSI_NAME_MAX]; /* "sda" */
	int fd;
};

struct scsi_disk {
	char id[128]; /* of the logical unit, as the kernel read it (VPD 0x83); "" unknown */
	unsigned n;
	struct scsi_path path[SCSI_PATHS_MAX];
	char text
		[SCSI_TEXT_MAX]; /* after a failure: what the disk or the kernel said, on which path */
};

/**
 * scsi_disk_find() - which paths lead to @device? Opens nothing.
 * @root:   "" ; a test's folder that has dev/ and sys/ like the real ones
 * @device: a disk (/dev/sda, a link to one), or a multipath device over such disks
 * Return: 0, and all the disks of this kernel with the same id; -ENODEV no SCSI disk (text says what it is);
 *         -E2BIG too many paths; other negative errno
 */
int scsi_disk_find(struct scsi_disk *disk, const char *root, const char *device);

/* Open every path found. Return: 0 or negative errno with text; a path that cannot be opened fails all of it. */
int scsi_disk_open(struct scsi_disk *disk);
void scsi_disk_close(struct scsi_disk *disk); /* also after a failed open */

/* What a command came to; text is set for all but 0.
 *   -EBUSY       reservation conflict
 *   -EOPNOTSUPP  the target does not know the command, or not with these values
 *   -ETIMEDOUT, -EIO  unknown whether it was carried out (SAFE-3)
 * Unit attentions, which cancel the command they meet, are taken and the command is repeated.
 */
int scsi_disk_out(struct scsi_disk *disk, unsigned path, enum scsi_pr_out what, uint64_t own,
		  uint64_t other, bool aptpl);
int scsi_disk_keys(struct scsi_disk *disk, unsigned path, struct scsi_pr_keys *ret);
int scsi_disk_reservation(struct scsi_disk *disk, unsigned path, struct scsi_pr_reservation *ret);
int scsi_disk_capabilities(struct scsi_disk *disk, unsigned path, struct scsi_pr_capabilities *ret);

#endif
