/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lvm_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *lvm_field(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

bool lvm_number(const json_t *row, const char *key, uint64_t *ret)
{
	const char *s = lvm_field(row, key);
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && *end == '\0' && errno == 0;
}

const json_t *lvm_row(const json_t *rows, const char *key, const char *value)
{
	size_t i;
	const json_t *row;

	json_array_foreach (rows, i, row)
		if (strcmp(lvm_field(row, key), value) == 0)
			return row;
	return NULL;
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
		const json_t *pv = lvm_row(pvs, "pv_name", w);

		if (!pv || *dash != '-' || dash == colon + 1 ||
		    !lvm_number(pv, "pe_start", &pe_start) ||
		    pv_uuid_compact(lvm_field(pv, "pv_uuid"), uuid) < 0)
			return false;
		unsigned p = 0;

		while (p < plan->n_pvs && strncmp(plan->pv[p].mark, uuid, PV_UUID_TEXT - 1) != 0)
			p++;
		if (p == plan->n_pvs)
			return false;
		seg->stripe[n].pv = p;
		/* what turns around would be another place on the disk */
		if (__builtin_mul_overflow(first, extent, &first) ||
		    __builtin_add_overflow(pe_start, first, &seg->stripe[n].sector))
			return false;
		n++;
	}
	return n > 0 && n == seg->n_stripes;
}

int lvm_segs(const json_t *report, const char *name, const struct lvm_plan *plan,
	     struct lvm_seg seg[LVM_SEGS_MAX])
{
	const json_t *row;
	uint64_t at = 0;
	size_t i;
	int n = 0;

	/* LVM lists them in order; a gap or an overlap would show in `start` */
	json_array_foreach (json_object_get(report, "seg"), i, row) {
		uint64_t start, size, stripes, stripe_size;
		const char *type = lvm_field(row, "segtype");

		if (strcmp(lvm_field(row, "lv_name"), name) != 0)
			continue;
		if (n == LVM_SEGS_MAX || !lvm_number(row, "seg_start_pe", &start) ||
		    !lvm_number(row, "seg_size_pe", &size) ||
		    !lvm_number(row, "stripes", &stripes) ||
		    !lvm_number(row, "stripe_size", &stripe_size))
			return -1;
		if ((strcmp(type, "linear") != 0 && strcmp(type, "striped") != 0) || stripes == 0 ||
		    stripes > LVM_STRIPES_MAX)
			return -1;
		struct lvm_seg *s = &seg[n++];

		if (__builtin_mul_overflow(start, plan->extent_sectors, &s->start) ||
		    __builtin_mul_overflow(size, plan->extent_sectors, &s->len))
			return -1;
		s->n_stripes = (unsigned)stripes;
		s->stripe_sectors = stripe_size;
		if (s->start != at || s->len == 0 ||
		    !seg_places(lvm_field(row, "seg_pe_ranges"), json_object_get(report, "pv"),
				plan, plan->extent_sectors, s))
			return -1;
		if (__builtin_add_overflow(at, s->len, &at))
			return -1;
	}
	return n;
}

json_t *lvm_plan_json(const char *vg, const char *lv, const struct lvm_plan *plan)
{
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
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:b, s:i, s:I, s:I, s:i, s:b, s:b, s:s}",
		"vg", vg, "lv", lv, "dm_name", plan->dm_name, "dm_uuid", plan->dm_uuid, "sectors",
		(json_int_t)plan->sectors, "plain", plan->plain, "pvs", pvs, "segs", segs,
		"has_area", plan->has_area, "area_pv", (int)plan->area_pv, "area_offset",
		(json_int_t)plan->area_offset, "area_bytes", (json_int_t)plan->area_bytes,
		"area_slot", (int)plan->area_slot, "area_found", plan->area_found, "autoactivation",
		plan->autoactivation, "fs", plan->fs);
}

int lvm_plan_parse(json_t *o, const char *want_vg, const char *want_lv, struct lvm_plan *ret)
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
	if (strcmp(vg, want_vg) != 0 || strcmp(lv, want_lv) != 0)
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
		if (s->n_stripes == 0 || s->len == 0)
			return -EBADMSG;
		ret->n_segs++;
	}
	return ret->has_area && ret->area_pv >= ret->n_pvs ? -EBADMSG : 0;
}
