/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reserve.h"

#include "lib/shell/scsi_guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum driver_result on_disk(struct op *op, struct scsi_guard *g, struct scsi_disk *disk,
				   uint32_t node);

static enum driver_result fail_guard(struct op *op, int r, const char *text)
{
	const char *vol = op->job->vol->name;

	if (r == -EPERM)
		return op_fail(op, DRIVER_CODE_CUT_OFF, "reboot this node", "volume %s: %s", vol,
			       text);
	if (r == -EOPNOTSUPP)
		return op_fail(op, "no_reservations",
			       "another target, or take reservations: true out of the volume",
			       "volume %s: %s", vol, text);
	return op_unknown(op, "io_error", "look at `dmesg` and at the target", "volume %s: %s", vol,
			  text);
}

static enum driver_result each_disk(struct op *op, const struct lvm_plan *plan, uint32_t node,
				    on_disk *fn)
{
	const struct driver_job *job = op->job;
	struct scsi_guard g = { .run = SCSI_GUARD_RUN,
				.cluster = job->cfg->cluster,
				.self = job->self.nodeid,
				.volatile_ok = job->vol->reservations_volatile };
	enum driver_result end = DRIVER_OK;

	memcpy(g.boot_id, job->self.boot_id, sizeof(g.boot_id));
	for (unsigned i = 0; end == DRIVER_OK && i < plan->n_pvs; i++) {
		struct scsi_disk disk;
		int r = scsi_disk_find(&disk, "", plan->pv[i].path);

		if (r == 0)
			r = scsi_disk_open(&disk);
		end = r == 0 ? fn(op, &g, &disk, node) : fail_guard(op, r, disk.text);
		scsi_disk_close(&disk);
	}
	return end;
}

static enum driver_result join(struct op *op, struct scsi_guard *g, struct scsi_disk *disk,
			       uint32_t node)
{
	(void)node;
	int r = scsi_guard_join(g, disk);

	return r == 0 ? DRIVER_OK : fail_guard(op, r, g->text);
}

enum driver_result reserve_join(struct op *op, const struct lvm_plan *plan)
{
	return op->job->vol->reservations ? each_disk(op, plan, 0, join) : DRIVER_OK;
}

static const char *name_of(const struct op *op, uint32_t nodeid)
{
	const struct config_node *n = config_node_by_id(op->job->cfg, nodeid);

	return n ? n->name : "?";
}

static enum driver_result kept_out(struct op *op, struct scsi_guard *g, struct scsi_disk *disk,
				   uint32_t node)
{
	enum scsi_pr_standing now = SCSI_PR_UNKNOWN;
	int r = scsi_guard_node(g, disk, node, &now);

	if (r < 0)
		return fail_guard(op, r, g->text);
	if (now == SCSI_PR_CUT)
		return DRIVER_OK;
	return op_fail(
		op, "owner_alive",
		"give the agent fence_scsi this disk too (devices:), then: stockade fence NODE",
		"%s was cut off from storage, but %s of volume %s still lets it write",
		name_of(op, node), disk->path[0].name, op->job->vol->name);
}

enum driver_result reserve_kept_out(struct op *op, const struct lvm_plan *plan)
{
	const struct fence_state *fence = op->job->fence;

	for (unsigned i = 0; i < fence->n; i++) {
		const struct fence_node *n = &fence->node[i];

		if (n->state != FENCE_NODE_DEAD || n->proof.kind != PROOF_STORAGE_CUT)
			continue;
		if (!op->job->vol->reservations)
			return op_fail(
				op, "owner_alive",
				"switch it off, then: stockade ack NODE; and write reservations: true, or another fence device",
				"%s was only cut off from storage, and volume %s has no reservations that keep it out",
				name_of(op, n->nodeid), op->job->vol->name);
		enum driver_result end = each_disk(op, plan, n->nodeid, kept_out);

		if (end != DRIVER_OK)
			return end;
	}
	return DRIVER_OK;
}

static enum driver_result watch(struct op *op, struct scsi_guard *g, struct scsi_disk *disk,
				uint32_t node)
{
	enum scsi_pr_own own = SCSI_PR_OWN_UNKNOWN;

	(void)node;
	int r = scsi_guard_own(g, disk, &own);
	if (r < 0)
		return fail_guard(op, r, g->text);
	if (own == SCSI_PR_OWN_GOOD)
		return DRIVER_OK;
	if (own != SCSI_PR_OWN_CUT)
		op_progress(op, "registering again on %s", disk->path[0].name);
	return join(op, g, disk, 0);
}

enum driver_result reserve_watch(struct op *op, const struct lvm_plan *plan)
{
	return op->job->vol->reservations ? each_disk(op, plan, 0, watch) : DRIVER_OK;
}
