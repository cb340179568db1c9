/* SPDX-License-Identifier: GPL-3.0-or-later */
/* owner.c - the epoch record's life. */
#include "owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *node_name(const struct op *op, uint32_t nodeid, char buf[CONFIG_NAME_MAX])
{
	snprintf(buf, CONFIG_NAME_MAX, "node %" PRIu32, nodeid);
	for (unsigned i = 0; i < op->job->cfg->n_nodes; i++)
		if (op->job->cfg->node[i].id == nodeid)
			snprintf(buf, CONFIG_NAME_MAX, "%s", op->job->cfg->node[i].name);
	return buf;
}

void owner_tell(struct op *op, const struct epoch_record *rec)
{
	op->end.epoch = rec->epoch;
	op->end.node = rec->owner.nodeid;
	op->end.record_active = rec->state == EPOCH_ACTIVE;
	op->end.ours = op->end.record_active && incarnation_same_boot(&rec->owner, &op->job->self);
}

static enum driver_result read_words(struct op *op, int r)
{
	const struct config_volume *vol = op->job->vol;

	if (r == -ENODATA)
		return op_fail(op, "not_prepared", "stockade volume prepare NAME",
			       "volume %s has no epoch record", vol->name);
	if (r == -EBADMSG)
		return op_fail(op, "not_prepared",
			       "make sure that no node has it mounted, lvremove "
			       "LV_stockade"
			       ", then: stockade volume prepare NAME",
			       "the epoch record of volume %s is damaged, both copies", vol->name);
	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg` and at the target",
			       "the epoch record of volume %s cannot be read: %s", vol->name,
			       strerror(-r));
	return DRIVER_OK;
}

enum driver_result owner_read(struct op *op, const struct area *a, struct epoch_record *rec)
{
	return read_words(op, area_record_read(a, rec));
}

/* Is it still ours? Who takes it writes the first copy first, so that one tells; the second only if it is damaged. */
static enum driver_result owner_peek(struct op *op, const struct area *a, struct epoch_record *rec)
{
	return read_words(op, area_record_peek(a, rec));
}

static enum driver_result refuse(struct op *op, enum epoch_verdict v,
				 const struct epoch_record *rec, const char *why)
{
	char name[CONFIG_NAME_MAX], boot[BOOT_ID_TEXT];
	const struct config_volume *vol = op->job->vol;

	owner_tell(op, rec);
	switch (v) {
	case EPOCH_OWNED:
		incarnation_boot_text(&rec->owner, boot);
		return op_fail(
			op, "owner_alive",
			"stop the service on that node, or have it fenced: stockade fence NODE",
			"volume %s is active on %s (boot %.8s, epoch %" PRIu64 "): %s", vol->name,
			node_name(op, rec->owner.nodeid, name), boot, rec->epoch, why);
	case EPOCH_FOREIGN:
		return op_fail(
			op, "not_prepared",
			"is this the right target? then give each cluster a volume group of its own",
			"the epoch record belongs to volume %s of cluster %s", rec->volume,
			rec->cluster);
	case EPOCH_FULL:
		return op_fail(op, "not_prepared", "report this",
			       "the epoch of volume %s cannot grow any more", vol->name);
	case EPOCH_FREE:
	case EPOCH_OURS: break;
	}
	return DRIVER_OK;
}

/* Our first beat of this epoch, so that the others see it alive before the daemon's heartbeat child runs. */
static int first_beat(const struct op *op, const struct area *a, uint64_t epoch)
{
	struct epoch_beat beat;

	int r = area_beat_read(a, op->job->self.nodeid, &beat);

	if (r == -ENODATA)
		beat.counter = 0;
	else if (r < 0)
		return r;
	beat.life = op->job->self;
	beat.epoch = epoch;
	beat.counter++;
	return area_beat_write(a, &beat, false);
}

enum driver_result owner_take(struct op *op, const struct area *a, bool active, struct owner *ret)
{
	const struct driver_job *job = op->job;
	const char *why = "";

	memset(ret, 0, sizeof(*ret));
	if (!nodeid_valid(job->self.nodeid) || incarnation_unseen(&job->self))
		return op_unknown(op, "internal", "is fenced running?",
				  "this node does not know its own incarnation");
	enum driver_result end = owner_read(op, a, &ret->rec);

	if (end != DRIVER_OK)
		return end;
	enum epoch_verdict v = epoch_judge(&ret->rec, job->cfg->cluster, job->vol->name, &job->self,
					   job->fence, job->released, &why);

	if (v != EPOCH_FREE && v != EPOCH_OURS)
		return refuse(op, v, &ret->rec, why);
	if (active && v != EPOCH_OURS) {
		owner_tell(op, &ret->rec);
		return op_fail(
			op, "lv_active_foreign",
			"find out who activated it, unmount it and deactivate it by hand (lvchange -an)",
			"volume %s is active on this node, and Stockade did not do it",
			job->vol->name);
	}
	if (active)
		return DRIVER_OK;
	/* An earlier life of this node cannot be watched, nor need it be: its block is the one we beat in from
	 * now on, and our kernel runs in its place. */
	if (ret->rec.state == EPOCH_ACTIVE && v == EPOCH_FREE &&
	    ret->rec.owner.nodeid != job->self.nodeid) {
		int r = area_beat_read(a, ret->rec.owner.nodeid, &ret->before);

		if (r < 0 && r != -ENODATA)
			return op_fail(op, "io_error", "look at `dmesg` and at the target",
				       "the heartbeat of volume %s cannot be read: %s",
				       job->vol->name, strerror(-r));
		ret->watch = true;
		ret->had_beat = r == 0;
		ret->before.life.nodeid =
			ret->rec.owner.nodeid; /* whose block it is, also an empty one */
	}
	struct epoch_record next = ret->rec;

	next.epoch = ret->rec.epoch + 1 > job->epoch ? ret->rec.epoch + 1 : job->epoch;
	next.owner = job->self;
	next.state = EPOCH_ACTIVE;
	owner_mark(op, true);
	int r = area_record_write(a, &next);

	/* A heartbeat that cannot be written now would not be seen later either. */
	if (r == 0)
		r = first_beat(op, a, next.epoch);
	/* each copy was read back as it was written; whether it stays ours, owner_still() asks before the mount */
	if (r == 0)
		ret->rec = next;
	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg` and at the target",
			       "the epoch record of volume %s cannot be written: %s",
			       job->vol->name, r == -ESTALE ? "its place has moved" : strerror(-r));
	ret->fresh = true;
	owner_tell(op, &ret->rec);
	return DRIVER_OK;
}

enum driver_result owner_still(struct op *op, const struct area *a, const struct owner *own)
{
	char name[CONFIG_NAME_MAX];
	struct epoch_record rec;
	struct epoch_beat beat;
	enum driver_result end = owner_peek(op, a, &rec);

	if (end != DRIVER_OK)
		return end;
	if (rec.epoch != own->rec.epoch || !incarnation_same_boot(&rec.owner, &own->rec.owner)) {
		owner_tell(op, &rec);
		return op_fail(op, "owner_alive", "look at both nodes' history: two acted at once",
			       "%s took volume %s while we were activating it",
			       node_name(op, rec.owner.nodeid, name), op->job->vol->name);
	}
	if (!own->watch)
		return DRIVER_OK;
	int r = area_beat_read(a, own->before.life.nodeid, &beat);

	if (r == -ENODATA && !own->had_beat)
		return DRIVER_OK;
	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg` and at the target",
			       "the heartbeat of volume %s cannot be read again: %s",
			       op->job->vol->name, strerror(-r));
	/* a block that was empty or torn, and is not any more, was written just now */
	if (!own->had_beat || beat.counter != own->before.counter)
		return op_fail(
			op, "owner_alive",
			"its proof of death is wrong: check the fence device of that node now",
			"%s still writes its heartbeat beside volume %s, although it is held to be dead",
			node_name(op, own->before.life.nodeid, name), op->job->vol->name);
	return DRIVER_OK;
}

enum driver_result owner_release(struct op *op, const struct area *a)
{
	struct epoch_record rec;
	enum driver_result end = owner_peek(op, a, &rec);

	if (end != DRIVER_OK)
		return end;
	if (rec.state == EPOCH_ACTIVE && incarnation_same_boot(&rec.owner, &op->job->self) &&
	    strcmp(rec.cluster, op->job->cfg->cluster) == 0 &&
	    strcmp(rec.volume, op->job->vol->name) == 0) {
		rec.state = EPOCH_CLEAN;
		int r = area_record_write(a, &rec);

		if (r < 0)
			return op_fail(op, "io_error", "look at `dmesg` and at the target",
				       "the epoch record of volume %s cannot be marked clean: %s",
				       op->job->vol->name, strerror(-r));
	}
	owner_mark(op, false);
	owner_tell(op, &rec);
	return DRIVER_OK;
}

static void marker(const struct op *op, char name[CONFIG_NAME_MAX + 16])
{
	snprintf(name, CONFIG_NAME_MAX + 16, "volume-%s.taken", op->job->vol->name);
}

void owner_mark(const struct op *op, bool on)
{
	char name[CONFIG_NAME_MAX + 16];

	marker(op, name);
	if (on)
		op_keep(op, name, "this boot took the volume\n");
	else
		op_forget(op, name);
}

bool owner_marked(const struct op *op)
{
	char name[CONFIG_NAME_MAX + 16], text[64];

	marker(op, name);
	return op_kept(op, name, text, sizeof(text)) == 0;
}
