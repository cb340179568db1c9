/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lvm.c - LVM commands in the helper program, and what is done with their answers. */
#include "lvm.h"
#include "lvm_report.h"

#include "deny.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LVM_MS 30000 /* a second each, thirty on a machine in trouble */
#define LVM_DONE 1   /* LVM2_COMMAND_SUCCEEDED */
#define LVM_FAILED 5 /* LVM2_PROCESSING_FAILED */

static const char stuck_remedy[] =
	"the disk does not answer: look at the target; `stockade why` shows the session's state";

/* One LVM command. 0 with *rc and *out (a JSON string's owner, json_decref() it), or an end with words. */
static enum driver_result lvm_run(struct op *op, const struct lvm_devices *devs, json_t **ret,
				  int *rc, const char *first, ...)
{
	json_t *args = json_array(), *devices = json_array();
	const char *s = first;
	va_list ap;

	va_start(ap, first);
	for (; s; s = va_arg(ap, const char *))
		json_array_append_new(args, json_string(s));
	va_end(ap);
	for (unsigned i = 0; i < devs->n; i++)
		json_array_append_new(devices, json_string(devs->path[i]));
	json_t *request = json_pack("{s:o, s:o}", "args", args, "devices", devices);
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	if (!text)
		return op_fail(op, "internal", "", "no memory");

	char helper[256];
	const char *dir = secure_getenv("STOCKADE_LIBEXECDIR");

	snprintf(helper, sizeof(helper), "%s/stockade-lvm", dir ? dir : STOCKADE_LIBEXECDIR);
	const char *argv[] = { helper, NULL };
	struct run run = { .argv = argv, .in = text, .timeout_ms = op_left_ms(op, LVM_MS) };
	int r = run_program(&run);
	enum driver_result end = DRIVER_OK;

	*ret = r == 0 && run.status == 0 ? json_loads(run.out, 0, NULL) : NULL;
	if (run.stuck)
		end = op_fail(op, "io_error", stuck_remedy,
			      "lvm %s hangs on a disk, pid %ld cannot be killed", first,
			      (long)run.pid);
	else if (r == -ETIMEDOUT)
		end = op_fail(op, "timeout", stuck_remedy, "lvm %s took longer than %u ms", first,
			      run.timeout_ms);
	else if (r == -ENOENT)
		end = op_fail(op, "internal", "install the whole of Stockade", "%s is missing",
			      helper);
	else if (!json_is_object(*ret))
		end = op_fail(op, "internal", "report this", "%s gave no answer: %s", helper,
			      run_words(&run));
	else
		*rc = (int)json_integer_value(json_object_get(*ret, "rc"));
	run_done(&run);
	free(text);
	if (end != DRIVER_OK) {
		json_decref(*ret);
		*ret = NULL;
	}
	return end;
}

/* The first thing LVM complained about, for people. */
static const char *lvm_words(const json_t *reply)
{
	const char *s = json_string_value(json_array_get(json_object_get(reply, "messages"), 0));

	return s ? s : "LVM gave no reason";
}

static int pv_head_read(int fd, struct pv_mark *mark)
{
	void *buf;

	if (posix_memalign(&buf, EPOCH_BLOCK, PV_HEAD_BYTES) != 0)
		return -ENOMEM;
	ssize_t n = pread(fd, buf, PV_HEAD_BYTES, 0);
	int r = n < 0 ? -errno : n != PV_HEAD_BYTES ? -ENODEV : pv_mark_read(mark, buf);

	free(buf);
	return r;
}

static int pv_path_read(const char *path, struct pv_mark *mark)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = pv_head_read(fd, mark);

	close(fd);
	return r;
}

int lvm_pv_still(const struct lvm_pv *pv, int fd)
{
	struct pv_mark mark;
	char text[PV_MARK_TEXT];
	int r = pv_head_read(fd, &mark);

	if (r < 0)
		return r;
	pv_mark_text(&mark, text);
	return strcmp(text, pv->mark) == 0 ? 0 : -ESTALE;
}

int lvm_plan_true(struct lvm_plan *plan, const struct lvm_devices *devs)
{
	unsigned found[LVM_PVS_MAX] = { 0 };
	struct lvm_devices hints = { .n = 0 };

	/* A local disk: only the devices where the PVs were; its VG cannot move between paths meanwhile. */
	if (devs->n == 0) {
		for (unsigned p = 0; p < plan->n_pvs; p++)
			memcpy(hints.path[hints.n++], plan->pv[p].path, sizeof(hints.path[0]));
		devs = &hints;
	}
	for (unsigned d = 0; d < devs->n; d++) {
		struct pv_mark mark;
		char text[PV_MARK_TEXT];
		int r = pv_path_read(devs->path[d], &mark);

		if (r == -ENODEV || r == -ENOENT || r == -ENXIO || r == -ENOMEDIUM)
			continue; /* no PV there: another LUN of the target */
		if (r < 0)
			return r;
		pv_mark_text(&mark, text);
		for (unsigned p = 0; p < plan->n_pvs; p++) {
			if (strncmp(plan->pv[p].mark, mark.uuid, PV_UUID_TEXT - 1) != 0)
				continue;
			if (strcmp(plan->pv[p].mark, text) != 0)
				return -ESTALE;
			char holder[64];

			if (found[p]++)
				return -EEXIST;
			if (dm_other_holder(devs->path[d], holder))
				return -EBUSY; /* SAFE-3: not the disk that was planned with */
			memcpy(plan->pv[p].path, devs->path[d], sizeof(plan->pv[p].path));
		}
	}
	for (unsigned p = 0; p < plan->n_pvs; p++)
		if (!found[p])
			return -ENODEV;
	return 0;
}

int lvm_plan_lines(const struct lvm_plan *plan, struct dm_line lines[DM_LINES_MAX])
{
	for (unsigned i = 0; i < plan->n_segs; i++) {
		const struct lvm_seg *seg = &plan->seg[i];
		struct dm_line *l = &lines[i];
		size_t n = 0;

		l->start = seg->start;
		l->len = seg->len;
		snprintf(l->type, sizeof(l->type), "%s",
			 seg->n_stripes == 1 ? "linear" : "striped");
		l->params[0] = '\0';
		if (seg->n_stripes > 1)
			n = (size_t)snprintf(l->params, sizeof(l->params), "%u %" PRIu64 " ",
					     seg->n_stripes, seg->stripe_sectors);
		for (unsigned s = 0; s < seg->n_stripes; s++) {
			struct stat st;

			if (stat(plan->pv[seg->stripe[s].pv].path, &st) < 0)
				return -errno;
			if (!S_ISBLK(st.st_mode))
				return -ENOTBLK;
			n += (size_t)snprintf(l->params + n, sizeof(l->params) - n,
					      "%s%u:%u %" PRIu64, s ? " " : "", major(st.st_rdev),
					      minor(st.st_rdev), seg->stripe[s].sector);
			if (n >= sizeof(l->params))
				return -E2BIG;
		}
	}
	return (int)plan->n_segs;
}

static enum driver_result vg_checks(struct op *op, const json_t *vg, struct lvm_plan *plan)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t missing, autoact;
	const char *sysid = lvm_field(vg, "vg_systemid"), *lock = lvm_field(vg, "vg_lock_type");

	if (!lvm_number(vg, "vg_missing_pv_count", &missing) ||
	    !lvm_number(vg, "vg_autoactivation", &autoact) ||
	    !lvm_number(vg, "vg_extent_size", &plan->extent_sectors))
		return op_unknown(op, "internal", "report this with `vgs -o all`",
				  "LVM's report about %s makes no sense", vol->vg);
	if (missing)
		return op_fail(op, "vg_missing",
			       "bring the missing disk back (never `vgreduce --removemissing`)",
			       "volume group %s lacks %" PRIu64 " of its disks", vol->vg, missing);
	if (*lock && strcmp(lock, "none") != 0)
		return op_fail(op, "vg_foreign",
			       "make the volume group a local one: vgchange --lock-type none",
			       "volume group %s belongs to lvmlockd (%s), not to Stockade", vol->vg,
			       lock);
	if (*sysid)
		return op_fail(op, "vg_foreign",
			       "on that host, with the group inactive: vgchange --systemid \"\"",
			       "volume group %s belongs to the host with system ID %s", vol->vg,
			       sysid);
	plan->autoactivation = autoact != 0;
	return DRIVER_OK;
}

/* A path to a disk that multipath (or crypt, md) sits on is not the disk. */
static enum driver_result claimed(struct op *op, const char *path, const char *holder)
{
	return op_fail(
		op, "disk_claimed",
		"Stockade speaks to the disk itself, by one path: blacklist it in multipath.conf (or take away what "
		"else sits on it), then free it: multipath -f NAME",
		"%s, where volume group %s is looked for, is in use by %s", path, op->job->vol->vg,
		holder);
}

static enum driver_result pvs_read(struct op *op, const json_t *report, struct lvm_plan *plan)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(report, "pv"), i, row) {
		struct lvm_pv *pv = &plan->pv[plan->n_pvs];
		struct pv_mark mark;
		char uuid[PV_UUID_TEXT], holder[64];

		if (plan->n_pvs == LVM_PVS_MAX)
			return op_fail(op, "vg_foreign", "use fewer, larger disks",
				       "volume group %s has more than %d disks", op->job->vol->vg,
				       LVM_PVS_MAX);
		snprintf(pv->path, sizeof(pv->path), "%s", lvm_field(row, "pv_name"));
		int r = pv_path_read(pv->path, &mark);

		if (r < 0 || pv_uuid_compact(lvm_field(row, "pv_uuid"), uuid) < 0 ||
		    strcmp(uuid, mark.uuid) != 0)
			return op_unknown(op, "io_error", "look at the disk with `pvck`",
					  "%s cannot be read as LVM's physical volume: %s",
					  pv->path, r < 0 ? strerror(-r) : "another one by now");
		pv_mark_text(&mark, pv->mark);
		plan->n_pvs++;
		if (dm_other_holder(pv->path, holder))
			return claimed(op, pv->path, holder);
	}
	return DRIVER_OK;
}

/* Where is LV_stockade, and which of its slots is ours? */
static enum driver_result area_read_place(struct op *op, const json_t *report,
					  struct lvm_plan *plan)
{
	const struct config_volume *vol = op->job->vol;
	struct lvm_seg seg[LVM_SEGS_MAX];

	if (!lvm_row(json_object_get(report, "lv"), "lv_name", LVM_AREA_LV))
		return DRIVER_OK;
	int n = lvm_segs(report, LVM_AREA_LV, plan, seg);

	if (n != 1 || seg[0].n_stripes != 1)
		return op_fail(op, "not_prepared",
			       "remove it with lvremove, then: stockade volume prepare NAME",
			       "%s/%s is not one linear piece", vol->vg, LVM_AREA_LV);
	plan->has_area = true;
	plan->area_pv = seg[0].stripe[0].pv;
	plan->area_offset = seg[0].stripe[0].sector * 512;
	plan->area_bytes = seg[0].len * 512;
	return DRIVER_OK;
}

static enum driver_result plan_read(struct op *op, const json_t *report, struct lvm_plan *plan)
{
	const struct config_volume *vol = op->job->vol;
	char vg_uuid[PV_UUID_TEXT], lv_uuid[PV_UUID_TEXT];
	const json_t *vg = json_array_get(json_object_get(report, "vg"), 0);
	enum driver_result r = vg_checks(op, vg, plan);

	if (r == DRIVER_OK)
		r = pvs_read(op, report, plan);
	if (r != DRIVER_OK)
		return r;
	const json_t *lv = lvm_row(json_object_get(report, "lv"), "lv_name", vol->lv);

	if (!lv)
		return op_fail(op, "lv_missing", "create it, or correct `lv:` in the configuration",
			       "volume group %s has no logical volume %s", vol->vg, vol->lv);
	if (!lvm_number(lv, "lv_size", &plan->sectors) ||
	    pv_uuid_compact(lvm_field(vg, "vg_uuid"), vg_uuid) < 0 ||
	    pv_uuid_compact(lvm_field(lv, "lv_uuid"), lv_uuid) < 0)
		return op_unknown(op, "internal", "report this with `lvs -o all`",
				  "LVM's report about %s/%s makes no sense", vol->vg, vol->lv);
	dm_lv_name(vol->vg, vol->lv, plan->dm_name);
	snprintf(plan->dm_uuid, sizeof(plan->dm_uuid), "LVM-%s%s", vg_uuid, lv_uuid);
	int n = lvm_segs(report, vol->lv, plan, plan->seg);
	const char *role = lvm_field(lv, "lv_role");

	plan->plain = n > 0 && strcmp(role, "public") == 0 &&
		      plan->seg[n - 1].start + plan->seg[n - 1].len == plan->sectors;
	plan->n_segs = plan->plain ? (unsigned)n : 0;
	return area_read_place(op, report, plan);
}

enum driver_result lvm_plan_make(struct op *op, const struct lvm_devices *devs,
				 struct lvm_plan *ret)
{
	const struct config_volume *vol = op->job->vol;
	json_t *reply, *doc;
	const json_t *report, *found = NULL;
	size_t i;
	int rc;

	memset(ret, 0, sizeof(*ret));
	enum driver_result r = lvm_run(
		op, devs, &reply, &rc, "fullreport", "--reportformat", "json", "--units", "s",
		"--nosuffix", "--binary", "--configreport", "vg", "-o",
		"vg_name,vg_uuid,vg_seqno,vg_missing_pv_count,vg_autoactivation,vg_lock_type,"
		"vg_systemid,vg_extent_size",
		"--configreport", "pv", "-o", "pv_name,pv_uuid,pe_start", "--configreport", "lv",
		"-o", "lv_name,lv_uuid,lv_size,lv_role", "--configreport", "pvseg", "-o",
		"pvseg_start", "--configreport", "seg", "-o",
		"lv_name,segtype,seg_start_pe,seg_size_pe,stripes,stripe_size,seg_pe_ranges",
		"--foreign", "--shared", (char *)NULL);

	if (r != DRIVER_OK)
		return r;
	doc = json_loads(lvm_field(reply, "out"), 0, NULL);
	json_array_foreach (json_object_get(doc, "report"), i, report) {
		const json_t *vg = json_array_get(json_object_get(report, "vg"), 0);

		if (strcmp(lvm_field(vg, "vg_name"), vol->vg) != 0)
			continue;
		if (found) {
			json_decref(doc);
			json_decref(reply);
			return op_fail(op, "vg_foreign", "rename one of them by uuid: vgrename",
				       "there are two volume groups named %s", vol->vg);
		}
		found = report;
	}
	if (found)
		r = plan_read(op, found, ret);
	else if (!doc)
		r = op_unknown(op, "io_error", "run `vgs` by hand", "LVM cannot report: %s",
			       lvm_words(reply));
	else {
		char holder[64];

		/* LVM itself does not look behind multipath */
		for (unsigned d = 0; d < devs->n && r == DRIVER_OK; d++)
			if (dm_other_holder(devs->path[d], holder))
				r = claimed(op, devs->path[d], holder);
	}
	if (doc && !found && r == DRIVER_OK)
		r = op_fail(
			op, "vg_missing",
			"create it on one node, or correct `vg:` or `target:` in the configuration",
			"there is no volume group %s on %s", vol->vg,
			vol->iscsi ? vol->target : "this machine's disks");
	json_decref(doc);
	json_decref(reply);
	return r;
}

static void plan_file(const struct op *op, char name[CONFIG_NAME_MAX + 16])
{
	snprintf(name, CONFIG_NAME_MAX + 16, "volume-%s.plan", op->job->vol->name);
}

int lvm_plan_keep(const struct op *op, const struct lvm_plan *plan)
{
	char name[CONFIG_NAME_MAX + 16];
	json_t *o = lvm_plan_json(op->job->vol->vg, op->job->vol->lv, plan);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int r = -ENOMEM;

	if (text) {
		plan_file(op, name);
		r = op_keep(op, name, text);
	}
	free(text);
	json_decref(o);
	return r;
}

int lvm_plan_kept(const struct op *op, struct lvm_plan *ret)
{
	char name[CONFIG_NAME_MAX + 16], *text = malloc(64 * 1024);
	json_t *o = NULL;

	memset(ret, 0, sizeof(*ret));
	plan_file(op, name);
	int r = text ? op_kept(op, name, text, 64 * 1024) : -ENOMEM;

	if (r == 0) {
		o = json_loads(text, 0, NULL);
		r = o ? lvm_plan_parse(o, op->job->vol->vg, op->job->vol->lv, ret) : -EBADMSG;
	}
	json_decref(o);
	free(text);
	return r;
}

/* Verify what is active against the plan: the one place that says "active" (SAFE-9). */
static enum driver_result verify(struct op *op, const struct lvm_plan *plan, struct dm_state *ret)
{
	const struct config_volume *vol = op->job->vol;
	struct dm_line lines[DM_LINES_MAX];
	const char *why = NULL;
	int r = dm_look(ret, plan->dm_uuid);

	if (r < 0)
		return op_unknown(op, "io_error", "", "device-mapper does not tell about %s/%s: %s",
				  vol->vg, vol->lv, strerror(-r));
	if (deny_is(ret)) {
		why = "its writes were stopped by force";
	} else if (plan->plain) {
		int n = lvm_plan_lines(plan, lines);

		if (n < 0)
			return op_unknown(op, "io_error", "", "a disk of %s went away: %s", vol->vg,
					  strerror(-n));
		dm_is(ret, lines, (unsigned)n, &why);
	} else if (!ret->exists || !ret->live || ret->suspended || ret->read_only ||
		   ret->sectors != plan->sectors) {
		why = !ret->exists ? "there is no such device" : "it is not live as planned";
	}
	if (why)
		return op_fail(
			op, ret->exists ? "lv_active_foreign" : "lv_missing",
			"look with `dmsetup table` and `lvs -a`; deactivate it by hand with lvchange -an",
			"%s/%s is not active as it should be: %s", vol->vg, vol->lv, why);
	return DRIVER_OK;
}

static enum driver_result activate_plain(struct op *op, const struct lvm_plan *plan,
					 uint32_t *cookie, uint64_t *extern_ms)
{
	const struct config_volume *vol = op->job->vol;
	struct lvm_plan now = *plan;
	struct lvm_devices here = { .n = 0 };
	struct dm_line lines[DM_LINES_MAX];
	int lock = dm_vg_lock(vol->vg, op_left_ms(op, 5000));

	if (lock < 0)
		return op_fail(op, "device_busy", "wait for the LVM command that runs on this node",
			       "LVM's lock of %s is not free: %s", vol->vg, strerror(-lock));
	for (unsigned p = 0; p < now.n_pvs; p++)
		memcpy(here.path[here.n++], now.pv[p].path, sizeof(here.path[0]));
	/* Under the lock: what was true before it may have been changed by the command that held it. */
	int r = lvm_plan_true(&now, &here);

	r = r < 0 ? r : lvm_plan_lines(&now, lines);
	if (r >= 0) {
		uint64_t begin = op_now_ms();

		r = dm_make(plan->dm_name, plan->dm_uuid, lines, (unsigned)r, cookie);
		*extern_ms += op_now_ms() - begin;
	}
	close(lock);
	if (r == -EBUSY)
		return op_fail(op, "lv_active_foreign",
			       "look with `dmsetup info`; remove the other device",
			       "another device-mapper device has the name %s", plan->dm_name);
	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg` and `pvs`",
			       "%s/%s cannot be activated: %s", vol->vg, vol->lv, strerror(-r));
	return DRIVER_OK;
}

static enum driver_result change(struct op *op, const struct lvm_devices *devs, const char *flag,
				 uint64_t *extern_ms)
{
	const struct config_volume *vol = op->job->vol;
	char name[sizeof(vol->vg) + sizeof(vol->lv)];
	uint64_t begin = op_now_ms();
	json_t *reply;
	int rc;

	snprintf(name, sizeof(name), "%s/%s", vol->vg, vol->lv);
	enum driver_result r = lvm_run(op, devs, &reply, &rc, "lvchange", flag, "--yes", name,
				       (char *)NULL);

	*extern_ms += op_now_ms() - begin;
	if (r != DRIVER_OK)
		return r;
	/* rc says nothing about what is active (ref/storage.md 0.8): a failure ends here, success is verified */
	if (rc != LVM_DONE)
		r = op_fail(op, "io_error", "run the same lvchange by hand", "lvchange %s %s: %s",
			    flag, name, lvm_words(reply));
	json_decref(reply);
	return r;
}

enum driver_result lvm_activate(struct op *op, const struct lvm_plan *plan,
				const struct lvm_devices *devs, struct dm_state *ret,
				uint32_t *cookie, uint64_t *extern_ms)
{
	*cookie = 0;
	int e = dm_look(ret, plan->dm_uuid);

	if (e < 0 || !ret->exists) {
		enum driver_result r = plan->plain ? activate_plain(op, plan, cookie, extern_ms)
						   : change(op, devs, "-ay", extern_ms);

		if (r != DRIVER_OK)
			return r;
	}
	return verify(op, plan, ret);
}

enum driver_result lvm_deactivate(struct op *op, const struct lvm_plan *plan,
				  const struct lvm_devices *devs, uint32_t *cookie)
{
	const struct config_volume *vol = op->job->vol;
	struct dm_state st;
	uint64_t ms = 0;

	*cookie = 0;
	int r = dm_look(&st, plan->dm_uuid);

	if (r == 0 && st.exists && !plan->plain) {
		enum driver_result end = change(op, devs, "-an", &ms);

		if (end != DRIVER_OK)
			return end;
		r = dm_look(&st, plan->dm_uuid);
		if (r == 0 && st.exists)
			r = -EBUSY;
	} else if (r == 0 && st.exists) {
		r = dm_drop(plan->dm_uuid, op_left_ms(op, 5000), cookie);
	}
	if (r == -EBUSY)
		return op_fail(op, "device_busy",
			       "find the holder with lsof or in other mount namespaces",
			       "%s/%s is still open", vol->vg, vol->lv);
	if (r < 0)
		return op_unknown(op, "io_error", "look at `dmsetup info`",
				  "%s/%s cannot be deactivated: %s", vol->vg, vol->lv,
				  strerror(-r));
	return DRIVER_OK;
}

/* A metadata change by an LVM command that must succeed. */
static enum driver_result must(struct op *op, enum driver_result r, int rc, json_t *reply,
			       const char *what)
{
	if (r == DRIVER_OK && rc != LVM_DONE)
		r = op_fail(op, "io_error", "do it by hand on the node that can", "%s %s: %s", what,
			    op->job->vol->vg, lvm_words(reply));
	json_decref(reply);
	return r;
}

enum driver_result lvm_autoactivation_off(struct op *op, const struct lvm_devices *devs)
{
	json_t *reply = NULL;
	int rc = LVM_FAILED;
	enum driver_result r = lvm_run(op, devs, &reply, &rc, "vgchange", "--setautoactivation",
				       "n", op->job->vol->vg, (char *)NULL);

	return must(op, r, rc, reply, "vgchange --setautoactivation n");
}

enum driver_result lvm_area_make(struct op *op, const struct lvm_devices *devs)
{
	json_t *reply = NULL;
	int rc = LVM_FAILED;
	char size[32];

	snprintf(size, sizeof(size), "%ub", (unsigned)LVM_AREA_BYTES);
	enum driver_result r = lvm_run(op, devs, &reply, &rc, "lvcreate", "--yes", "-an", "-Zn",
				       "-Wn", "--type", "linear", "--contiguous", "y", "-L", size,
				       "-n", LVM_AREA_LV, op->job->vol->vg, (char *)NULL);

	return must(op, r, rc, reply, "lvcreate " LVM_AREA_LV " in");
}
