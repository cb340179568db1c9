/* SPDX-License-Identifier: GPL-3.0-or-later */
/* driver.c - the door of the drivers: which one does this job. */
#include "iscsi.h"
#include "op.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static enum driver_result run(struct op *op)
{
	const struct driver_job *job = op->job;

	if (job->vol)
		return job->vol->file[0] ? file_op(op) : volume_op(op);
	if (job->res) {
		switch (job->res->type) {
		case CONFIG_RES_IP: return ip_op(op);
		case CONFIG_RES_UNIT: return unit_op(op);
		case CONFIG_RES_SCRIPT: return script_op(op);
		case CONFIG_RES_VOLUME: break; /* comes with job->vol */
		}
	}
	return DRIVER_UNKNOWN;
}

/* 0, or -1: nobody needs us, or what came is no message. */
static int go_read(struct driver_go *go)
{
	size_t have = 0;

	while (have < sizeof(*go)) {
		ssize_t n = read(STDIN_FILENO, (char *)go + have, sizeof(*go) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		have += (size_t)n;
	}
	return 0;
}

/* A STOP is to come: what takes a process its time, and changes nothing. What fails here is found again by STOP. */
static void stand_ready(struct op *op)
{
	const struct config_resource *res = op->job->res;

	if (res && res->type == CONFIG_RES_UNIT)
		unit_stand_ready(op);
	else if (res && res->type == CONFIG_RES_IP)
		ip_stand_ready(op);
	else if (op->job->vol && !op->job->vol->file[0])
		volume_stand_ready(op);
}

/* PREPARE is done and told, or STOP stands ready. Wait for what comes of it. */
static int stay(const struct driver_job *prepared, int fd, int urgency)
{
	static struct driver_go go;
	static struct fence_state fence;
	struct driver_job job = *prepared;
	struct op op;

	for (;;) {
		if (go_read(&go) < 0)
			return 0;
		op_init(&op, &job, fd);
		if ((go.what == DRIVER_GO_STOP) != (job.op == DRIVER_STOP))
			return 1; /* no result is unknown (SAFE-3) */
		if (go.what != DRIVER_GO_SOON)
			break;
		op.soon = true;
		run(&op);
	}
	/* unreadable: no result, which is unknown (SAFE-3) */
	if (fence_state_decode(&fence, go.fence, go.fence_len) < 0)
		return 1;
	job.op = go.what == DRIVER_GO_STOP ? DRIVER_STOP : DRIVER_START;
	job.limit_ms = go.limit_ms;
	job.epoch = go.epoch;
	job.released = go.released;
	job.dirty = go.dirty;
	job.self = go.self;
	job.fence = &fence;
	op.told = true;
	setpriority(PRIO_PROCESS, 0, urgency);
	enum driver_result r = run(&op);

	assert(r == op.end.result);
	if (driver_line_write(fd, &op.end) < 0)
		return 1;
	if (op.after)
		op.after(&op);
	return 0;
}

enum driver_result driver_look(const struct driver_job *job, const char *node, char *text,
			       size_t len)
{
	char why[DRIVER_TEXT_MAX] = "";
	struct op op;

	op_init(&op, job, -1);
	enum driver_result r = job->vol->file[0] ? file_look(&op, why, sizeof(why))
						 : volume_look(&op, why, sizeof(why));

	if (r == DRIVER_ACTIVE && job->vol->file[0])
		snprintf(text, len, "%s is active on %s by hand (%s): unmount it there",
			 job->vol->name, node, why);
	else if (r == DRIVER_ACTIVE)
		snprintf(
			text, len,
			"%s is active on %s by hand (%s): unmount it there and run vgchange -an %s",
			job->vol->name, node, why, job->vol->vg);
	else if (r != DRIVER_INACTIVE)
		snprintf(text, len, "%s cannot tell whether %s is active there: %s", node,
			 job->vol->name, why);
	return r;
}

bool driver_link_failed(const struct config_volume *vol)
{
	struct iscsi_link link;

	return vol->iscsi && iscsi_look(&link, vol) == 0 &&
	       (link.state != ISCSI_LOGGED_IN || link.blocked);
}

int driver_run(void *arg, int fd)
{
	const struct driver_job *job = arg;
	int urgency = getpriority(PRIO_PROCESS, 0);
	struct op op;

	assert(job->fence);
	if (job->op == DRIVER_PREPARE && urgency < 0)
		setpriority(PRIO_PROCESS, 0, 0); /* fencing goes on meanwhile, and goes first */
	op_init(&op, job, fd);
	if (job->stay && job->op == DRIVER_STOP) {
		stand_ready(&op);
		return stay(job, fd, urgency);
	}
	enum driver_result r = run(&op);

	assert(r == op.end.result); /* every end has its words */
	if (driver_line_write(fd, &op.end) < 0)
		return 1;
	if (op.after)
		op.after(&op);
	return job->stay && job->op == DRIVER_PREPARE && r == DRIVER_OK ? stay(job, fd, urgency)
									: 0;
}
