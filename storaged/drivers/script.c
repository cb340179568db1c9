/* SPDX-License-Identifier: GPL-3.0-or-later */
/* script.c - a program called with start, stop or status, as the LSB says for init scripts.
 *
 * status: 0 runs, 1 or 2 dead with a pid or lock file left behind, 3 not running, anything else unknown (SAFE-3).
 * What start leaves running belongs to the script; its own process group is ended when it takes too long.
 */
#include "run.h"

#include "op.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_MS 60000 /* when the daemon gives no limit */

enum { LSB_RUNNING = 0, LSB_DEAD_PID = 1, LSB_DEAD_LOCK = 2, LSB_STOPPED = 3 };

static enum driver_result exists(struct op *op)
{
	const char *path = op->job->res->ref;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return op_fail(op, "script_missing",
			       "install it with mode 0755 on this node, or correct `script:`",
			       "%s is not an executable file", path);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return op_fail(op, "script_missing", "chown root, chmod go-w",
			       "%s runs as root, and others than root may change it", path);
	return DRIVER_OK;
}

/* Run it; DRIVER_OK with its exit code, or an end with words. */
static enum driver_result call(struct op *op, const char *verb, int *code, uint64_t *took_ms,
			       char *words, size_t len)
{
	const char *path = op->job->res->ref;
	const char *argv[] = { path, verb, NULL };
	struct run run = { .argv = argv, .timeout_ms = op_left_ms(op, SCRIPT_MS) };
	int r = run_program(&run);
	enum driver_result end = DRIVER_OK;

	*code = run.status;
	*took_ms = run.took_ms;
	snprintf(words, len, "%s", run_words(&run));
	if (r == -ETIMEDOUT)
		end = op_fail(op, "timeout", "give the resource a longer limit, or mend the script",
			      "%s %s took longer than %u ms%s", path, verb, run.timeout_ms,
			      run.stuck ? ", and cannot be killed" : "");
	else if (r < 0)
		end = op_fail(op, "script_failed", "run it by hand", "%s %s: %s", path, verb,
			      run.signal ? strsignal(run.signal) : strerror(-r));
	run_done(&run);
	return end;
}

static enum driver_result act(struct op *op, const char *verb, const char *step)
{
	const char *path = op->job->res->ref;
	uint64_t begin = op_now_ms(), took;
	char words[200];
	int code;
	enum driver_result end = call(op, verb, &code, &took, words, sizeof(words));

	if (end == DRIVER_OK && code != 0)
		end = op_fail(op, "script_failed", "run it by hand", "%s %s ended with %d: %s",
			      path, verb, code, words);
	if (end == DRIVER_OK)
		op_step(op, step, begin, took, "%s", path);
	return end;
}

/* Ask for the status and hold it against what it must be. */
static enum driver_result status(struct op *op, enum driver_op for_op)
{
	const char *path = op->job->res->ref;
	uint64_t took;
	char words[200];
	int code;
	enum driver_result end = call(op, "status", &code, &took, words, sizeof(words));
	bool stopped = code == LSB_STOPPED || code == LSB_DEAD_PID || code == LSB_DEAD_LOCK;

	if (end != DRIVER_OK || (code != LSB_RUNNING && !stopped))
		return op_unknown(op, "script_failed", "run it by hand", "%s status: %s%d %s", path,
				  end == DRIVER_OK ? "ended with " : "",
				  end == DRIVER_OK ? code : -1, words);
	switch (for_op) {
	case DRIVER_START:
		return stopped ? op_fail(op, "script_failed", "run it by hand",
					 "%s start ended with 0, but status says not running: %s",
					 path, words)
			       : op_end(op, DRIVER_OK, "%s runs", path);
	case DRIVER_STOP:
	case DRIVER_KILL:
		return stopped ? op_end(op, DRIVER_OK, "%s is stopped", path)
			       : op_fail(op, "script_failed", "run it by hand",
					 "%s stop ended with 0, but status says running: %s", path,
					 words);
	case DRIVER_MONITOR:
		return code == LSB_RUNNING   ? op_end(op, DRIVER_HEALTHY, "%s runs", path)
		       : code == LSB_STOPPED ? op_end(op, DRIVER_INACTIVE, "%s is stopped", path)
					     : op_fail(op, "script_failed", "look at its log",
						       "%s died: status %d %s", path, code, words);
	default:
		return stopped ? op_end(op, DRIVER_INACTIVE, "%s is stopped", path)
			       : op_end(op, DRIVER_ACTIVE, "%s runs", path);
	}
}

enum driver_result script_op(struct op *op)
{
	enum driver_result end = exists(op);

	/* our urgency is not the service's */
	if (getpriority(PRIO_PROCESS, 0) < 0)
		setpriority(PRIO_PROCESS, 0, 0);
	if (end != DRIVER_OK) {
		/* without the script nothing tells whether its service runs */
		if (op->job->op != DRIVER_PREPARE && op->job->op != DRIVER_START) {
			op->end.result = DRIVER_UNKNOWN;
			return DRIVER_UNKNOWN;
		}
		return end;
	}
	switch (op->job->op) {
	case DRIVER_PREPARE: return op_end(op, DRIVER_OK, "%s is there", op->job->res->ref);
	case DRIVER_START:
		end = act(op, "start", "script.start");
		return end == DRIVER_OK ? status(op, DRIVER_START) : end;
	case DRIVER_STOP:
	case DRIVER_KILL:
		end = act(op, "stop", "script.stop");
		return end == DRIVER_OK ? status(op, op->job->op) : end;
	case DRIVER_PROBE:
	case DRIVER_MONITOR: return status(op, op->job->op);
	case DRIVER_DENY:
	case DRIVER_HEARTBEAT:
	case DRIVER_VOLUME_PREPARE: break;
	}
	return op_unknown(op, "internal", "report this", "not for a script");
}
