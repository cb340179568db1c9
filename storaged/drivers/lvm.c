/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lvm.c - LVM commands in the helper program, and what is done with their answers. */
#include "lvm.h"

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

static const char *field(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* A report's number ("4194304"); fails with false on anything else (SAFE-3). */
static bool number(const json_t *row, const char *key, uint64_t *ret)
{
	const char *s = field(row, key);
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && *end == '\0' && errno == 0;
}

static const json_t *row_of(const json_t *rows, const char *key, const char *value)
{
	size_t i;
	const json_t *row;

	json_array_foreach (rows, i, row)
		if (strcmp(field(row, key), value) == 0)
			return row;
	return NULL;
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

/* "/dev/sda:0-63 /dev/sdb:0-63": device and first extent of each stripe. False: something else (a hidden LV, a mirror). */
static bool seg_places(const char *ranges, const json_t *pvs, const struct lvm_plan *plan,
		       uint64_t extent, struct lvm_seg *seg)
{
	char copy[1024], *save = NULL;
	unsigned n = 0;

	if (snprintf(copy, sizeof(copy), "%s", ranges) >= (int)sizeof(copy))
		return false;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *colon = strrchr(w, ':'), *dash, uuid[PV_UUID_TEXT];
		uint64_t pe_start;

		if (!colon || n == LVM_STRIPES_MAX)
			return false;
		*colon = '\0';
		uint64_t first = strtoull(colon + 1, &dash, 10);
		const json_t *pv = row_of(pvs, "pv_name", w);

		if (!pv || *dash != '-' || dash == colon + 1 ||
		    !number(pv, "pe_start", &pe_start) ||
		    pv_uuid_compact(field(pv, "pv_uuid"), uuid) < 0)
			return false;
		unsigned p = 0;

		while (p < plan->n_pvs && strncmp(plan->pv[p].mark, uuid, PV_UUID_TEXT - 1) != 0)
			p++;
		if (p == plan->n_pvs)
			return false;
		seg->stripe[n].pv = p;
		seg->stripe[n].sector = pe_start + first * extent;
		n++;
	}
	return n > 0 && n == seg->n_stripes;
}

/* The segments of LV @name into @seg: how many, or -1 when they are not all plain. */
static int segs_of(const json_t *report, const char *name, const struct lvm_plan *plan,
		   struct lvm_seg seg[LVM_SEGS_MAX])
{
	const json_t *row;
	uint64_t at = 0;
	size_t i;
	int n = 0;

	/* LVM lists them in order; a gap or an overlap would show in `start` */
	json_array_foreach (json_object_get(report, "seg"), i, row) {
		uint64_t start, size, stripes, stripe_size;
		const char *type = field(row, "segtype");

		if (strcmp(field(row, "lv_name"), name) != 0)
			continue;
		if (n == LVM_SEGS_MAX || !number(row, "seg_start_pe", &start) ||
		    !number(row, "seg_size_pe", &size) || !number(row, "stripes", &stripes) ||
		    !number(row, "stripe_size", &stripe_size))
			return -1;
		if ((strcmp(type, "linear") != 0 && strcmp(type, "striped") != 0) || stripes == 0 ||
		    stripes > LVM_STRIPES_MAX)
			return -1;
		struct lvm_seg *s = &seg[n++];

		s->start = start * plan->extent_sectors;
		s->len = size * plan->extent_sectors;
		s->n_stripes = (unsigned)stripes;
		s->stripe_sectors = stripe_size;
		if (s->start != at || s->len == 0 ||
		    !seg_places(field(row, "seg_pe_ranges"), json_object_get(report, "pv"), plan,
				plan->extent_sectors, s))
			return -1;
		at += s->len;
	}
	return n;
}

static enum driver_result vg_checks(struct op *op, const json_t *vg, struct lvm_plan *plan)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t missing, autoact;
	const char *sysid = field(vg, "vg_systemid"), *lock = field(vg, "vg_lock_type");

	if (!number(vg, "vg_missing_pv_count", &missing) ||
	    !number(vg, "vg_autoactivation", &autoact) ||
	    !number(vg, "vg_extent_size", &plan->extent_sectors))
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
		snprintf(pv->path, sizeof(pv->path), "%s", field(row, "pv_name"));
		int r = pv_path_read(pv->path, &mark);

		if (r < 0 || pv_uuid_compact(field(row, "pv_uuid"), uuid) < 0 ||
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

	if (!row_of(json_object_get(report, "lv"), "lv_name", LVM_AREA_LV))
		return DRIVER_OK;
	int n = segs_of(report, LVM_AREA_LV, plan, seg);

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
	const json_t *lv = row_of(json_object_get(report, "lv"), "lv_name", vol->lv);

	if (!lv)
		return op_fail(op, "lv_missing", "create it, or correct `lv:` in the configuration",
			       "volume group %s has no logical volume %s", vol->vg, vol->lv);
	if (!number(lv, "lv_size", &plan->sectors) ||
	    pv_uuid_compact(field(vg, "vg_uuid"), vg_uuid) < 0 ||
	    pv_uuid_compact(field(lv, "lv_uuid"), lv_uuid) < 0)
		return op_unknown(op, "internal", "report this with `lvs -o all`",
				  "LVM's report about %s/%s makes no sense", vol->vg, vol->lv);
	dm_lv_name(vol->vg, vol->lv, plan->dm_name);
	snprintf(plan->dm_uuid, sizeof(plan->dm_uuid), "LVM-%s%s", vg_uuid, lv_uuid);
	int n = segs_of(report, vol->lv, plan, plan->seg);
	const char *role = field(lv, "lv_role");

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
	doc = json_loads(field(reply, "out"), 0, NULL);
	json_array_foreach (json_object_get(doc, "report"), i, report) {
		const json_t *vg = json_array_get(json_object_get(report, "vg"), 0);

		if (strcmp(field(vg, "vg_name"), vol->vg) != 0)
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
	json_t *pvs = json_array(), *segs = json_array();

	for (unsigned i = 0; i < plan->n_pvs; i++)
		json_array_append_new(pvs, json_pack("{s:s, s:s}", "mark", plan->pv[i].mark, "path",
						     plan->pv[i].path));
	for (unsigned i = 0; i < plan->n_segs; i++) {
		const struct lvm_seg *s = &plan->seg[i];
		json_t *stripes = json_array();

		for (unsigned k = 0; k < s->n_stripes; k++)
			json_array_append_new(stripes,
					      json_pack("{s:i, s:I}", "pv", (int)s->stripe[k].pv,
							"sector", (json_int_t)s->stripe[k].sector));
		json_array_append_new(
			segs, json_pack("{s:I, s:I, s:I, s:o}", "start", (json_int_t)s->start,
					"len", (json_int_t)s->len, "stripe_sectors",
					(json_int_t)s->stripe_sectors, "stripes", stripes));
	}
	json_t *o = json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:b, s:i, s:I, s:I, s:i, s:b, s:b, s:s}",
		"vg", op->job->vol->vg, "lv", op->job->vol->lv, "dm_name", plan->dm_name, "dm_uuid",
		plan->dm_uuid, "sectors", (json_int_t)plan->sectors, "plain", plan->plain, "pvs",
		pvs, "segs", segs, "has_area", plan->has_area, "area_pv", (int)plan->area_pv,
		"area_offset", (json_int_t)plan->area_offset, "area_bytes",
		(json_int_t)plan->area_bytes, "area_slot", (int)plan->area_slot, "area_found",
		plan->area_found, "autoactivation", plan->autoactivation, "fs", plan->fs);
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

static int plan_parse(const struct op *op, json_t *o, struct lvm_plan *ret)
{
	const char *vg, *lv, *name, *uuid, *fs;
	json_t *pvs, *segs, *row;
	json_int_t sectors, offset, bytes;
	int plain, has_area, area_pv, slot, found, autoact;
	size_t i, k;

	if (json_unpack(
		    o,
		    "{s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:b, s:i, s:I, s:I, s:i, s:b, s:b, s:s}",
		    "vg", &vg, "lv", &lv, "dm_name", &name, "dm_uuid", &uuid, "sectors", &sectors,
		    "plain", &plain, "pvs", &pvs, "segs", &segs, "has_area", &has_area, "area_pv",
		    &area_pv, "area_offset", &offset, "area_bytes", &bytes, "area_slot", &slot,
		    "area_found", &found, "autoactivation", &autoact, "fs", &fs) < 0)
		return -EBADMSG;
	if (strcmp(vg, op->job->vol->vg) != 0 || strcmp(lv, op->job->vol->lv) != 0)
		return -ESTALE; /* of an earlier configuration */
	snprintf(ret->dm_name, sizeof(ret->dm_name), "%s", name);
	snprintf(ret->dm_uuid, sizeof(ret->dm_uuid), "%s", uuid);
	ret->sectors = (uint64_t)sectors;
	ret->plain = plain;
	ret->has_area = has_area;
	ret->area_pv = (unsigned)area_pv;
	ret->area_offset = (uint64_t)offset;
	ret->area_bytes = (uint64_t)bytes;
	ret->area_slot = (unsigned)slot;
	ret->area_found = found;
	ret->autoactivation = autoact;
	snprintf(ret->fs, sizeof(ret->fs), "%s", fs);
	json_array_foreach (pvs, i, row) {
		const char *mark, *path;

		if (i == LVM_PVS_MAX ||
		    json_unpack(row, "{s:s, s:s}", "mark", &mark, "path", &path) < 0)
			return -EBADMSG;
		snprintf(ret->pv[i].mark, sizeof(ret->pv[i].mark), "%s", mark);
		snprintf(ret->pv[i].path, sizeof(ret->pv[i].path), "%s", path);
		ret->n_pvs++;
	}
	json_array_foreach (segs, i, row) {
		struct lvm_seg *s = &ret->seg[i];
		json_int_t start, len, size;
		json_t *stripes, *st;

		if (i == LVM_SEGS_MAX ||
		    json_unpack(row, "{s:I, s:I, s:I, s:o}", "start", &start, "len", &len,
				"stripe_sectors", &size, "stripes", &stripes) < 0)
			return -EBADMSG;
		s->start = (uint64_t)start;
		s->len = (uint64_t)len;
		s->stripe_sectors = (uint64_t)size;
		json_array_foreach (stripes, k, st) {
			json_int_t sector;
			int pv;

			if (k == LVM_STRIPES_MAX ||
			    json_unpack(st, "{s:i, s:I}", "pv", &pv, "sector", &sector) < 0 ||
			    pv < 0 || (unsigned)pv >= ret->n_pvs)
				return -EBADMSG;
			s->stripe[k].pv = (unsigned)pv;
			s->stripe[k].sector = (uint64_t)sector;
			s->n_stripes++;
		}
		ret->n_segs++;
	}
	return ret->has_area && ret->area_pv >= ret->n_pvs ? -EBADMSG : 0;
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
		r = o ? plan_parse(op, o, ret) : -EBADMSG;
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
