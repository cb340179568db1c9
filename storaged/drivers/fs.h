/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fs.h - the filesystem on a device: probed, checked, mounted, unmounted; each verified in mountinfo.
 *
 * Nothing here ever makes a filesystem: a disk that cannot be read looks just like an empty one.
 * Never a lazy unmount: the filesystem would go on writing, out of sight.
 */
#ifndef STOCKADE_DRIVERS_FS_H
#define STOCKADE_DRIVERS_FS_H

#include "mounts.h"
#include "op.h"

const char *fs_name(enum config_fs fs); /* "ext4" */

/* PREPARE: options are sane and the mount point is a directory with nothing of others on it. */
enum driver_result fs_ready(struct op *op);

#define FS_TYPE_MAX 32
/*
 * What is on @dev from byte @offset on, @size bytes (0: to its end), past every cache: 0 with @type ("" for nothing),
 * -ENOTUNIQ for several at once, -errno when it cannot be read, which is never taken for "nothing".
 */
int fs_probe(const char *dev, uint64_t offset, uint64_t size, char type[FS_TYPE_MAX]);
/* DRIVER_OK when the result of a probe is the configured type and no other. */
enum driver_result fs_type_check(struct op *op, int probed, const char *type);

/*
 * Is @dev fit to be mounted: the configured type, and e2fsck -p when the policy or the superblock's error flag asks for
 * it. @probed: a full probe of the same logical volume was made early; only the superblock is looked at again.
 */
enum driver_result fs_check(struct op *op, const char *dev, bool probed);

/* Mount @source on the volume's mount point; ok when it is mounted there already. @bind: of a directory (tests). */
enum driver_result fs_mount(struct op *op, const char *source, const struct mount_is *is,
			    bool bind);

/*
 * Unmount from everywhere, verified in every namespace. @kill: end the users, TERM first, KILL after half of the time
 * left; else they are given a moment, then named.
 */
enum driver_result fs_unmount(struct op *op, const struct mount_is *is, bool kill);

/* Is it healthy? DRIVER_HEALTHY, FAILED or INACTIVE (gone). @dev: the block device, 0 for none; @errors: of fs_errors(), at its start. */
enum driver_result fs_monitor(struct op *op, const struct mount_is *is, dev_t dev, int errors);

/* Errors that ext4 has counted on @dev since its last fsck; 0 also for other types; -errno: cannot tell. */
int fs_errors(dev_t dev);

#endif
