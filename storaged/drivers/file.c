/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file.c - a volume for tests: a directory plays the disk (`file: DIR`), everything else is real.
 *
 * DIR/epoch is the epoch area, as on LV_stockade. DIR/data is the filesystem: its "mount" is a bind
 * mount onto the mount point, so that namespaces, busy mounts and mountinfo are the kernel's own.
 */
#include "area.h"
#include "fs.h"
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void part(const struct op *op, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", op->job->vol->file, name);
}

static int area_at(struct op *op, struct area *a, bool write)
{
	char path[PATH_MAX];

	part(op, "epoch", path);
	return area_open(a, path, 0, write);
}

static enum driver_result area_of(struct op *op, struct area *a, bool write)
{
	int r = area_at(op, a, write);

	if (r == -ENOENT)
		return op_fail(op, "not_prepared", "stockade volume prepare NAME",
			       "volume %s has no epoch record in %s", op->job->vol->name,
			       op->job->vol->file);
	if (r < 0)
		return op_fail(op, "io_error", "look at the directory", "%s/epoch: %s",
			       op->job->vol->file, strerror(-r));
	return DRIVER_OK;
}

/* How mountinfo will show the bind mount: the directory's device, and its path within that filesystem. */
static enum driver_result identity(struct op *op, struct mount_is *is, char root[PATH_MAX])
{
	char data[PATH_MAX], real[PATH_MAX], up[PATH_MAX], on_root[PATH_MAX];
	struct mount_at at;

	part(op, "data", data);
	if (!realpath(data, real))
		return op_fail(op, "vg_missing", "make it, or correct `file:`",
			       "the test volume's %s: %s", data, strerror(errno));
	/* the mount that holds it: the longest parent that is a mount point */
	snprintf(up, sizeof(up), "%s", real);
	int r;

	while ((r = mount_on(up, &at, is, on_root, sizeof(on_root))) == -ENOENT && up[1]) {
		char *slash = strrchr(up, '/');

		slash[slash == up ? 1 : 0] = '\0';
	}
	if (r < 0)
		return op_unknown(op, "internal", "", "mountinfo does not tell about %s: %s", real,
				  strerror(-r));
	const char *below = real + (up[1] ? strlen(up) : 0);
	const char *above = strcmp(on_root, "/") == 0 ? "" : on_root;

	if (snprintf(root, PATH_MAX, "%s%s", above, below) >= PATH_MAX)
		return op_fail(op, "internal", "use a shorter path", "%s is too long", real);
	if (!root[0])
		snprintf(root, PATH_MAX, "/");
	is->root = root;
	return DRIVER_OK;
}

/* Mounted anywhere in our namespace? The directory itself is no mount of its own, so any hit is ours. */
static int mounted(const struct op *op, const struct mount_is *is, struct mount_at *at)
{
	struct mount_is on;
	char root[PATH_MAX];
	int r = mount_on(op->job->vol->mount, at, &on, root, sizeof(root));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return on.dev == is->dev && strcmp(root, is->root) == 0;
}

/* Where is it, is it mounted (*on), and if not, is its mount point free? Before anything is written. */
static enum driver_result look(struct op *op, struct mount_is *is, char root[PATH_MAX], bool *on)
{
	struct mount_at at;
	enum driver_result end = fs_ready(op);

	if (end == DRIVER_OK)
		end = identity(op, is, root);
	if (end != DRIVER_OK)
		return end;
	int r = mounted(op, is, &at);

	if (r < 0)
		return op_unknown(op, "internal", "", "mountinfo cannot be read: %s", strerror(-r));
	*on = r > 0;
	if (!*on && mount_on(op->job->vol->mount, &at, NULL, NULL, 0) == 0)
		return op_fail(op, "mount_busy", "unmount it, or choose another mount point",
			       "something else (%s) is mounted on %s", at.fstype,
			       op->job->vol->mount);
	return DRIVER_OK;
}

static enum driver_result prepare(struct op *op)
{
	struct epoch_record rec;
	struct mount_is is;
	struct area a = AREA_CLOSED;
	char root[PATH_MAX];
	bool on;
	enum driver_result end = look(op, &is, root, &on);

	if (end == DRIVER_OK)
		end = area_of(op, &a, false);
	if (end == DRIVER_OK)
		end = owner_read(op, &a, &rec);
	area_close(&a);
	if (end == DRIVER_OK) {
		end = op_end(op, DRIVER_OK, "%s is in reach, epoch %" PRIu64, op->job->vol->file,
			     rec.epoch);
		owner_tell(op, &rec);
	}
	return end;
}

static enum driver_result start(struct op *op)
{
	uint64_t begin = op_now_ms();
	char root[PATH_MAX], data[PATH_MAX];
	struct area a = AREA_CLOSED;
	struct mount_is is;
	struct owner own;
	bool on;
	enum driver_result end = look(op, &is, root, &on);

	if (end == DRIVER_OK)
		end = area_of(op, &a, true);
	if (end == DRIVER_OK)
		end = owner_take(op, &a, on, &own);
	if (end == DRIVER_OK) {
		if (own.fresh)
			op_step(op, "volume.epoch", begin, 0, "epoch %" PRIu64, own.rec.epoch);
		end = owner_still(op, &a, &own);
	}
	if (end == DRIVER_OK) {
		part(op, "data", data);
		end = fs_mount(op, data, &is, true);
	}
	area_close(&a);
	if (end == DRIVER_OK) {
		end = op_end(op, DRIVER_OK, "volume %s is mounted on %s, epoch %" PRIu64,
			     op->job->vol->name, op->job->vol->mount, own.rec.epoch);
		owner_tell(op, &own.rec);
	}
	return end;
}

/* No directory, so nothing of it can be in use: as long as nothing is mounted in its place. */
static bool bare(const struct op *op)
{
	char root[PATH_MAX];
	struct mount_at at;
	struct mount_is is;

	return strcmp(op->end.code, "vg_missing") == 0 &&
	       mount_on(op->job->vol->mount, &at, &is, root, sizeof(root)) == -ENOENT;
}

static enum driver_result stop(struct op *op, bool kill_users)
{
	char root[PATH_MAX];
	struct area a = AREA_CLOSED;
	struct mount_is is;
	enum driver_result end = identity(op, &is, root);

	if (end != DRIVER_OK && bare(op))
		return op_end(op, DRIVER_OK, "there is no volume %s", op->job->vol->name);
	if (end == DRIVER_OK)
		end = fs_unmount(op, &is, kill_users);
	if (end == DRIVER_OK && owner_marked(op)) {
		end = area_of(op, &a, true);
		if (end == DRIVER_OK)
			end = owner_release(op, &a);
		area_close(&a);
	}
	if (end == DRIVER_OK || (kill_users && owner_marked(op) && end == DRIVER_FAILED &&
				 strcmp(op->end.code, "io_error") == 0)) {
		struct driver_line told = op->end;
		bool clean = end == DRIVER_OK;

		end = op_end(op, DRIVER_OK, "volume %s is inactive%s", op->job->vol->name,
			     clean ? "" : ", its epoch record could not be marked clean");
		op->end.epoch = told.epoch;
		op->end.node = told.node;
		op->end.record_active = !clean;
	}
	return end;
}

static enum driver_result probe(struct op *op)
{
	char root[PATH_MAX];
	struct epoch_record rec;
	struct area a = AREA_CLOSED;
	struct mount_is is;
	struct mount_at at;
	enum driver_result end = identity(op, &is, root);
	int on = end == DRIVER_OK ? mounted(op, &is, &at) : -1;

	if (end != DRIVER_OK && bare(op))
		return op_end(op, DRIVER_INACTIVE, "there is no volume %s", op->job->vol->name);
	if (end != DRIVER_OK)
		return end;
	if (on < 0)
		return op_unknown(op, "internal", "", "mountinfo cannot be read: %s",
				  strerror(-on));
	bool told = area_at(op, &a, false) == 0 && area_record_read(&a, &rec) == 0;

	area_close(&a);
	end = !on ? op_end(op, DRIVER_INACTIVE, "%s is not mounted", op->job->vol->mount)
	      : at.writable
		      ? op_end(op, DRIVER_ACTIVE, "mounted on %s", op->job->vol->mount)
		      : op_end(op, DRIVER_PARTIAL, "%s is mounted read-only", op->job->vol->mount);
	if (told)
		owner_tell(op, &rec);
	return end;
}

static enum driver_result monitor(struct op *op)
{
	char root[PATH_MAX];
	struct mount_is is;
	enum driver_result end = identity(op, &is, root);

	return end == DRIVER_OK ? fs_monitor(op, &is, 0, 0) : end;
}

static enum driver_result volume_prepare(struct op *op)
{
	struct epoch_record rec = { .epoch = 0, .state = EPOCH_CLEAN };
	char path[PATH_MAX];
	struct area a = AREA_CLOSED;

	part(op, "data", path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return op_fail(op, "vg_missing", "make the directory", "%s: %s", path,
			       strerror(errno));
	part(op, "epoch", path);
	/* O_EXCL: the first of several nodes makes it; it is blank (sparse) until the record is there */
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0                                ? (errno == EEXIST ? 0 : -errno)
		: ftruncate(fd, EPOCH_AREA_BYTES) < 0 ? -errno
						      : 0;

	if (fd >= 0)
		close(fd);
	if (r == 0)
		r = area_at(op, &a, true);
	if (r == 0)
		r = area_record_read(&a, &rec);
	bool had = r == 0;

	if (r == -ENODATA) {
		snprintf(rec.cluster, sizeof(rec.cluster), "%s", op->job->cfg->cluster);
		snprintf(rec.volume, sizeof(rec.volume), "%s", op->job->vol->name);
		r = area_record_write(&a, &rec);
	}
	area_close(&a);
	if (r < 0)
		return op_fail(op, "io_error", "look at the directory", "%s: %s", path,
			       strerror(-r));
	return op_end(op, DRIVER_OK,
		      had ? "volume %s was prepared already" : "volume %s is prepared",
		      op->job->vol->name);
}

enum driver_result file_op(struct op *op)
{
	switch (op->job->op) {
	case DRIVER_PREPARE: return prepare(op);
	case DRIVER_START: return start(op);
	case DRIVER_STOP: return stop(op, false);
	case DRIVER_KILL: return stop(op, true);
	case DRIVER_DENY:
		return op_fail(op, "internal", "",
			       "a directory has no table that could be replaced");
	case DRIVER_PROBE: return probe(op);
	case DRIVER_MONITOR: return monitor(op);
	case DRIVER_HEARTBEAT: return owner_beat(op, area_at);
	case DRIVER_VOLUME_PREPARE: return volume_prepare(op);
	}
	return op_unknown(op, "internal", "report this", "no such operation");
}

enum driver_result file_look(struct op *op, char *why, size_t len)
{
	char root[PATH_MAX];
	struct mount_is is;
	struct mounts m;

	if (identity(op, &is, root) != DRIVER_OK) {
		snprintf(why, len, "%s", op->end.text);
		return bare(op) ? DRIVER_INACTIVE : DRIVER_UNKNOWN;
	}
	int r = mounts_find(&m, &is, false);

	if (r < 0) {
		snprintf(why, len, "mountinfo cannot be read: %s", strerror(-r));
		return DRIVER_UNKNOWN;
	}
	if (!m.n)
		return DRIVER_INACTIVE;
	snprintf(why, len, "mounted on %.80s", m.at[0].target);
	return DRIVER_ACTIVE;
}
