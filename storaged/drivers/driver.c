/* SPDX-License-Identifier: GPL-3.0-or-later */
/* driver.c - the door of the drivers: which one does this job. */
#include "op.h"

#include <assert.h>

int driver_run(void *arg, int fd)
{
	const struct driver_job *job = arg;
	struct op op;
	enum driver_result r = DRIVER_UNKNOWN;

	assert(job->fence);
	op_init(&op, job, fd);
	if (job->vol) {
		r = job->vol->file[0] ? file_op(&op) : volume_op(&op);
	} else if (job->res) {
		switch (job->res->type) {
		case CONFIG_RES_IP: r = ip_op(&op); break;
		case CONFIG_RES_UNIT: r = unit_op(&op); break;
		case CONFIG_RES_SCRIPT: r = script_op(&op); break;
		case CONFIG_RES_VOLUME: break; /* comes with job->vol */
		}
	}
	assert(r == op.end.result); /* every end has its words */
	return driver_line_write(fd, &op.end) < 0 ? 1 : 0;
}
