/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume.c - iSCSI session, logical volume, epoch and filesystem as one object.
 *
 * START: login (done early, by PREPARE) -> plan is true -> epoch (SAFE-1) -> activate -> check -> still ours? -> mount.
 * STOP:  unmount -> deactivate -> mark the epoch clean. The session stays: a standby reads heartbeats through it.
 * DENY:  every write fails from now on (deny.h); what was denied is stopped or killed, then started anew: nothing else helps it.
 * KILL:  the same, by force: users are killed; a disk that does not answer is cut off first, or umount would wait for it.
 */
#include "deny.h"
#include "fs.h"
#include "iscsi.h"
#include "owner.h"
#include "reach.h"
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_MS 30000
#define ANSWER_MS 1500 /* a disk that takes longer for one block is taken for dead by KILL */

/* Nothing of others on the mount point, before anything is written. With the LV active, fs_mount() tells whose it is. */
static enum driver_result mount_point_free(struct op *op, const struct lvm_plan *plan,
					   struct dm_state *st)
{
	const struct config_volume *vol = op->job->vol;
	struct mount_at at;
	int r = dm_look(st, plan->dm_uuid);

	if (r < 0)
		return op_unknown(op, "internal", "", "device-mapper does not answer: %s",
				  strerror(-r));
	if (st->exists)
		return DRIVER_OK;
	r = mount_on(vol->mount, &at, NULL, NULL, 0);
	if (r == 0)
		return op_fail(op, "mount_busy", "unmount it, or choose another mount point",
			       "something else (%s) is mounted on %s", at.fstype, vol->mount);
	if (r != -ENOENT)
		return op_unknown(op, "internal", "", "mountinfo cannot be read: %s", strerror(-r));
	return DRIVER_OK;
}

/* What PREPARE found, for a START in the same process. */
static struct volume kept;
static bool kept_ready;

static bool is_member(const struct driver_job *job)
{
	for (unsigned i = 0; i < job->fence->n; i++)
		if (job->fence->node[i].nodeid == job->self.nodeid)
			return job->fence->node[i].state == FENCE_NODE_MEMBER;
	return false;
}

static enum driver_result prepare(struct op *op)
{
	struct volume v;
	struct dm_state st;
	struct epoch_record rec;
	struct area a = AREA_CLOSED;

	if (op->soon)
		return DRIVER_UNKNOWN; /* nothing here takes long */
	enum driver_result end = reach_ready(op, &v);

	kept_ready = end == DRIVER_OK;
	if (kept_ready)
		kept = v;
	if (end == DRIVER_OK)
		end = mount_point_free(op, &v.plan, &st);
	if (end == DRIVER_OK)
		end = reach_area(op, &v.plan, false, &a);
	if (end == DRIVER_OK)
		end = owner_read(op, &a, &rec);
	area_close(&a);
	/* Also who only stands by: the others start nothing before they have read that this node's key is there, to be taken
	 * away (SAFE-6). A life that the domain does not know yet has to wait: its key would say that its last one still writes. */
	if (end == DRIVER_OK && is_member(op->job))
		end = reserve_join(op, &v.plan);
	if (end != DRIVER_OK)
		return end;
	end = op_end(op, DRIVER_OK, "%s/%s is in reach, epoch %" PRIu64, op->job->vol->vg,
		     op->job->vol->lv, rec.epoch);
	owner_tell(op, &rec);
	return end;
}

/*
 * udev makes and removes its links in its own time, 0.1 to 0.3 s. /dev/dm-N is the kernel's and there at once, so nobody waits
 * for the links, neither at start nor at stop; the cookie is waited for aside, as it must be freed.
 */
static uint32_t settle_cookie;

static void settle_now(const struct op *op)
{
	if (!op_detach(op))
		return;
	dm_settle(settle_cookie, SETTLE_MS);
	_exit(0);
}

static void settle_later(struct op *op, uint32_t cookie)
{
	if (!cookie)
		return;
	settle_cookie = cookie;
	op->after = settle_now;
}

/* From a written epoch to a mounted filesystem. */
static enum driver_result bring_up(struct op *op, struct volume *v, const struct area *a,
				   const struct owner *own)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t begin = op_now_ms(), external = 0;
	uint32_t cookie = 0;
	struct dm_state st;
	char dev[32], text[32];
	enum driver_result end = lvm_activate(op, &v->plan, &v->devs, &st, &cookie, &external);

	if (end == DRIVER_OK) {
		struct mount_is is = { .dev = st.dev };

		if (own->fresh)
			op_step(op, "volume.lvm", begin, external, "activated %s/%s as dm-%u",
				vol->vg, vol->lv, minor(st.dev));
		snprintf(dev, sizeof(dev), "/dev/dm-%u", minor(st.dev));
		end = fs_check(op, dev, strcmp(v->plan.fs, fs_name(vol->fs)) == 0);
		if (end == DRIVER_OK)
			end = owner_still(op, a, own);
		if (end == DRIVER_OK)
			end = fs_mount(op, dev, &is, false);
	}
	if (end == DRIVER_OK) {
		char name[CONFIG_NAME_MAX + 16];
		int errors = fs_errors(st.dev);

		/* what the superblock remembers from before is no error of this run */
		snprintf(name, sizeof(name), "volume-%s.errors", vol->name);
		snprintf(text, sizeof(text), "%d", errors);
		op_keep(op, name, text);
	}
	settle_later(op, cookie);
	return end;
}

static enum driver_result start(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t begin;
	struct volume v;
	struct owner own;
	struct dm_state st;
	struct area a = AREA_CLOSED;
	enum driver_result end = DRIVER_OK;

	begin = op_now_ms();
	/* The mark on the area's disk, seen through the descriptor that will write, says whether what PREPARE found moments ago
	 * still holds: it changes with the metadata of the whole group. The other disks are asked before the activation. */
	if (op->told && kept_ready && reach_area_open(&a, &kept.plan, true) == 0) {
		v = kept;
	} else {
		end = reach_ready(op, &v);
		if (end == DRIVER_OK)
			end = reach_area(op, &v.plan, true, &a);
	}
	if (end == DRIVER_OK)
		end = mount_point_free(op, &v.plan, &st);
	if (end == DRIVER_OK)
		end = reserve_join(op, &v.plan);
	if (end == DRIVER_OK)
		end = reserve_kept_out(op, &v.plan);
	if (end == DRIVER_OK)
		end = owner_take(op, &a, st.exists, &own);
	if (end == DRIVER_OK) {
		if (own.fresh)
			op_step(op, "volume.epoch", begin, 0, "epoch %" PRIu64, own.rec.epoch);
		end = bring_up(op, &v, &a, &own);
	}
	area_close(&a);
	if (end != DRIVER_OK)
		return end;
	end = op_end(op, DRIVER_OK, "volume %s is mounted on %s, epoch %" PRIu64, vol->name,
		     vol->mount, own.rec.epoch);
	owner_tell(op, &own.rec);
	return end;
}

/* What of this volume is in the kernel: by the plan's uuid; without a plan (a fresh /run) by name. */
static int look(const struct op *op, struct volume *v, struct dm_state *st, bool *planned)
{
	memset(v, 0, sizeof(*v));
	*planned = lvm_plan_kept(op, &v->plan) == 0;
	if (!*planned) {
		dm_lv_name(op->job->vol->vg, op->job->vol->lv, v->plan.dm_name);
		int r = dm_uuid_of(v->plan.dm_name, v->plan.dm_uuid);

		if (r < 0)
			return r;
		v->plan.plain =
			true; /* removed by device-mapper; if it is not plain, that fails with words */
	}
	if (!v->plan.dm_uuid[0]) {
		memset(st, 0, sizeof(*st));
		return 0;
	}
	return dm_look(st, v->plan.dm_uuid);
}

static enum driver_result release_record(struct op *op, struct volume *v, bool planned)
{
	struct area a = AREA_CLOSED;
	enum driver_result end = DRIVER_OK;

	if (!owner_marked(op))
		return DRIVER_OK; /* this boot never took it: there is nothing of ours to mark */
	/* as in START: the descriptor that will write says whether the plan holds */
	if (!planned || !v->plan.area_found || reach_area_open(&a, &v->plan, true) < 0) {
		end = reach_ready(op, v);
		if (end == DRIVER_OK)
			end = reach_area(op, &v->plan, true, &a);
	}
	if (end == DRIVER_OK)
		end = owner_release(op, &a);
	area_close(&a);
	return end;
}

static enum driver_result take_down(struct op *op, struct volume *v, const struct dm_state *st,
				    bool kill_users)
{
	struct mount_is is = { .dev = st->dev };
	enum driver_result end = fs_unmount(op, &is, kill_users);
	uint64_t begin = op_now_ms();
	uint32_t cookie;

	if (end != DRIVER_OK)
		return end;
	reach_devices_now(op, v);
	end = lvm_deactivate(op, &v->plan, &v->devs, &cookie);
	settle_later(op, cookie);
	if (end == DRIVER_OK)
		op_step(op, "volume.deactivate", begin, op_now_ms() - begin, "deactivated %s/%s",
			op->job->vol->vg, op->job->vol->lv);
	return end;
}

void volume_stand_ready(struct op *op)
{
	struct volume v;
	struct dm_state st;
	bool planned;

	look(op, &v, &st, &planned);
}

static enum driver_result stop(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct volume v;
	struct dm_state st;
	bool planned;
	int r = look(op, &v, &st, &planned);
	enum driver_result end = DRIVER_OK;

	if (r < 0)
		return op_unknown(op, "internal", "look at `dmsetup info`",
				  "device-mapper does not tell about %s/%s: %s", vol->vg, vol->lv,
				  strerror(-r));
	if (st.exists && !owner_marked(op))
		op_progress(op, "%s/%s was not activated by Stockade in this boot", vol->vg,
			    vol->lv);
	if (st.exists)
		end = take_down(op, &v, &st, false);
	if (end == DRIVER_OK)
		end = release_record(op, &v, planned);
	if (end == DRIVER_OK) {
		struct driver_line told = op->end;

		end = op_end(op, DRIVER_OK, "volume %s is inactive", vol->name);
		op->end.epoch = told.epoch;
		op->end.node = told.node;
	}
	return end;
}

/* Does the disk give a block in time? Asked by a child, which a dead disk may keep. */
static bool answers(const char *path, uint32_t ms)
{
	uint64_t until = op_now_ms() + ms;
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		struct area a;
		uint8_t *buf = area_buf(1);

		_exit(buf && area_open(&a, path, 0, false) == 0 && area_read(&a, 0, 1, buf) == 0
			      ? 0
			      : 1);
	}
	while (pid > 0 && op_now_ms() < until) {
		if (waitpid(pid, &st, WNOHANG) == pid)
			return WIFEXITED(st) && WEXITSTATUS(st) == 0;
		sleep_ms(5);
	}
	if (pid > 0)
		kill(pid, SIGKILL); /* it goes when the disk is cut off */
	return false;
}

static bool disk_dead(const struct op *op, const struct volume *v)
{
	struct iscsi_link link;

	if (!op->job->vol->iscsi)
		return false; /* no way to cut it: the daemon's last resort is its own node */
	if (iscsi_look(&link, op->job->vol) < 0 || link.state == ISCSI_NONE)
		return false;
	if (link.state != ISCSI_LOGGED_IN || link.blocked)
		return true;
	for (unsigned i = 0; i < v->plan.n_pvs; i++)
		if (!answers(v->plan.pv[i].path, ANSWER_MS))
			return true;
	return false;
}

/* A session that an earlier KILL could not end (SAFE-1): the volume is gone, and what it wrote may still be on its way. */
static bool lingers(const struct op *op)
{
	struct iscsi_link link;

	return op->job->vol->iscsi && iscsi_look(&link, op->job->vol) == 0 &&
	       link.state != ISCSI_NONE && (link.state != ISCSI_LOGGED_IN || link.disks.n == 0);
}

static enum driver_result kill_volume(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	enum driver_result end = DRIVER_OK;
	struct volume v;
	struct dm_state st;
	bool planned, silent, cut = false;
	int r = look(op, &v, &st, &planned);

	if (r < 0)
		return op_unknown(op, "internal", "look at `dmsetup info`",
				  "device-mapper does not tell about %s/%s: %s", vol->vg, vol->lv,
				  strerror(-r));
	silent = st.exists ? disk_dead(op, &v) : lingers(op);
	if (silent) {
		end = iscsi_cut(op, true);
		cut = end == DRIVER_OK;
	}
	if (st.exists) {
		end = take_down(op, &v, &st, true);
		if (end != DRIVER_OK && !cut && vol->iscsi) {
			/* even a live disk goes, rather than the node */
			cut = iscsi_cut(op, silent) == DRIVER_OK;
			if (cut)
				end = take_down(op, &v, &st, true);
		}
	}
	if (end == DRIVER_OK && silent && !cut) {
		end = iscsi_cut(op, true); /* SAFE-1: it is gone here, and not yet for the disk */
		cut = true;
	}
	if (end != DRIVER_OK)
		return end;
	/* a session that is cut (by DENY, beside us) or has failed is not waited for: the record is not worth a login time-out */
	bool clean = !cut && !driver_link_failed(vol) &&
		     release_record(op, &v, planned) == DRIVER_OK;

	/* Inactive is what was asked, and that is verified; the record says active until somebody may write it. */
	end = op_end(op, DRIVER_OK, "volume %s is inactive%s", vol->name,
		     clean ? "" : ", its epoch record could not be marked clean");
	op->end.record_active = !clean && owner_marked(op);
	return end;
}

static enum driver_result deny(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct volume v;
	struct dm_state st;
	bool planned;
	int r = look(op, &v, &st, &planned);

	if (r < 0)
		return op_unknown(op, "internal", "look at `dmsetup info`",
				  "device-mapper does not tell about %s/%s: %s", vol->vg, vol->lv,
				  strerror(-r));
	return st.exists ? deny_writes(op, v.plan.dm_uuid)
			 : op_end(op, DRIVER_OK, "%s/%s is not active", vol->vg, vol->lv);
}

static enum driver_result probe(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct mount_is on = { .dev = 0 };
	struct mount_at at = { .id = 0 };
	struct epoch_record rec = { .epoch = 0 };
	struct area a = AREA_CLOSED;
	struct volume v;
	struct dm_state st;
	char root[256];
	bool planned, told = false;
	int r = look(op, &v, &st, &planned);
	int m = mount_on(vol->mount, &at, &on, root, sizeof(root));

	if (r < 0 || (m < 0 && m != -ENOENT))
		return op_unknown(op, "internal", "", "%s does not tell: %s",
				  r < 0 ? "device-mapper" : "mountinfo", strerror(r < 0 ? -r : -m));
	struct iscsi_link link = { .state = ISCSI_LOGGED_IN };

	/* the record only when reading it cannot hang for long */
	if (planned && v.plan.area_found && (!vol->iscsi || iscsi_look(&link, vol) == 0) &&
	    link.state == ISCSI_LOGGED_IN && !link.blocked &&
	    reach_area_open(&a, &v.plan, false) == 0) {
		told = area_record_read(&a, &rec) == 0;
		area_close(&a);
	}
	enum driver_result end;
	bool mounted = m == 0 && st.exists && on.dev == st.dev;

	if (!st.exists)
		end = op_end(op, DRIVER_INACTIVE, "%s/%s is not active", vol->vg, vol->lv);
	else if (mounted && at.writable && st.live && !st.suspended && !deny_is(&st))
		end = op_end(op, DRIVER_ACTIVE, "mounted on %s", vol->mount);
	else
		end = op_end(op, DRIVER_PARTIAL, "%s/%s is active%s%s%s", vol->vg, vol->lv,
			     st.suspended   ? ", suspended"
			     : deny_is(&st) ? ", its writes stopped by force"
					    : "",
			     mounted ? ", mounted read-only" : ", not mounted on ",
			     mounted ? "" : vol->mount);
	if (told)
		owner_tell(op, &rec);
	return end;
}

static enum driver_result monitor(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct iscsi_link link = { .state = ISCSI_LOGGED_IN };
	char name[CONFIG_NAME_MAX + 16], text[32] = "0";
	struct volume v;
	struct dm_state st;
	bool planned;
	int r = look(op, &v, &st, &planned);

	if (r < 0)
		return op_unknown(op, "internal", "", "device-mapper does not answer: %s",
				  strerror(-r));
	if (!st.exists)
		return op_end(op, DRIVER_INACTIVE, "%s/%s is not active any more", vol->vg,
			      vol->lv);
	if (st.suspended || !st.live)
		return op_fail(op, "io_error", "look at `dmsetup info`; dmsetup resume",
			       "%s/%s is suspended: all writes hang", vol->vg, vol->lv);
	if (deny_is(&st))
		return op_fail(op, "io_error", "it is stopped and started anew by itself",
			       "the writes to %s/%s were stopped by force", vol->vg, vol->lv);
	if (vol->iscsi) {
		r = iscsi_look(&link, vol);
		if (r < 0)
			return op_unknown(op, "target_down", "", "the session cannot be read: %s",
					  strerror(-r));
		if (link.state == ISCSI_NONE || link.state == ISCSI_FREE)
			return op_fail(op, "target_down", "is the target up?",
				       "the session to %s is %s: writes fail", vol->target,
				       iscsi_state_name(link.state));
		if (link.state != ISCSI_LOGGED_IN || link.blocked)
			return op_unknown(op, "target_down", "is the target up?",
					  "the session to %s is %s: writes wait", vol->target,
					  iscsi_state_name(link.state));
	}
	if (vol->reservations && planned) {
		reach_devices_now(op, &v);
		r = lvm_plan_true(&v.plan, &v.devs);
		enum driver_result end = r == 0 ? reserve_watch(op, &v.plan)
						: op_unknown(op, "io_error",
							     "look at `dmesg` and at the target",
							     "the disks of %s cannot be told: %s",
							     vol->vg, strerror(-r));
		if (end != DRIVER_OK)
			return end;
	}
	struct mount_is is = { .dev = st.dev };

	snprintf(name, sizeof(name), "volume-%s.errors", vol->name);
	op_kept(op, name, text, sizeof(text));
	return fs_monitor(op, &is, st.dev, atoi(text));
}

static int beat_open(struct op *op, struct area *a, bool write)
{
	/* one per process, alive as long as the area: area.arg points into it */
	static struct volume v;
	struct iscsi_link link;

	memset(&v, 0, sizeof(v));
	if (op->job->vol->iscsi) {
		int r = iscsi_look(&link, op->job->vol);

		if (r < 0)
			return r;
		if (link.state != ISCSI_LOGGED_IN || link.disks.n == 0)
			return -ENOTCONN; /* PREPARE logs in, or iscsid does by itself */
		v.devs = link.disks;
	}
	int r = lvm_plan_kept(op, &v.plan);

	if (r == 0)
		r = v.plan.area_found ? lvm_plan_true(&v.plan, &v.devs) : -ESTALE;
	if (r == -ESTALE || r == -ENOENT)
		r = reach_plan(op, &v) == DRIVER_OK && v.plan.area_found ? 0 : -ESTALE;
	return r < 0 ? r : reach_area_open(a, &v.plan, write);
}

enum driver_result volume_op(struct op *op)
{
	switch (op->job->op) {
	case DRIVER_PREPARE: return prepare(op);
	case DRIVER_START: return start(op);
	case DRIVER_STOP: return stop(op);
	case DRIVER_KILL: return kill_volume(op);
	case DRIVER_DENY: return deny(op);
	case DRIVER_PROBE: return probe(op);
	case DRIVER_MONITOR: return monitor(op);
	case DRIVER_HEARTBEAT: return owner_beat(op, beat_open);
	case DRIVER_VOLUME_PREPARE: return volume_new(op);
	}
	return op_unknown(op, "internal", "report this", "no such operation");
}

/* By its name and, when a plan is kept, by its uuid. No disk is touched. */
enum driver_result volume_look(const struct op *op, char *why, size_t len)
{
	const struct config_volume *vol = op->job->vol;
	char name[DM_LV_NAME_MAX], uuid[DM_LV_UUID_MAX];
	struct dm_state st = { 0 };
	struct lvm_plan plan;
	struct mounts m;

	dm_lv_name(vol->vg, vol->lv, name);
	int r = dm_uuid_of(name, uuid);

	if (r == 0 && uuid[0])
		r = dm_look(&st, uuid);
	if (r == 0 && !st.exists && lvm_plan_kept(op, &plan) == 0 && plan.dm_uuid[0])
		r = dm_look(&st, plan.dm_uuid);
	dm_close();
	if (r < 0) {
		snprintf(why, len, "device-mapper does not answer: %s", strerror(-r));
		return DRIVER_UNKNOWN;
	}
	if (!st.exists)
		return DRIVER_INACTIVE;
	struct mount_is is = { .dev = st.dev };

	if (mounts_find(&m, &is, false) == 0 && m.n)
		snprintf(why, len, "mounted on %.80s", m.at[0].target);
	else
		snprintf(why, len, "as %.80s", st.name);
	return DRIVER_ACTIVE;
}
