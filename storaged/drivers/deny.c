/* SPDX-License-Identifier: GPL-3.0-or-later */
/* deny.c - DRIVER_DENY: from here on every write to a volume fails (SAFE-7).
 *
 * Its device-mapper table becomes `error`. The kernel swaps a table only when nothing is in flight below it any more, so:
 *  - a disk that answers: what was in flight ends on the disk as it would have, in milliseconds; then the swap;
 *  - a disk that is silent: the swap waits. It is tried by a process of its own for a moment; then the session is cut,
 *    which fails what is in flight, and the swap goes through. (ref/storage.md: an error table does not free a hung disk,
 *    a logout does.) One whose connection the kernel has given up is cut without that moment.
 * Neither freezes the filesystem nor flushes its cache: what it had not written is lost, as in a crash.
 */
#include "deny.h"

#include "dm.h"
#include "iscsi.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWAP_MS 1000 /* of a disk that answers it takes a millisecond or two */
#define AGAIN_MS 5000
#define KILL_MS 200
#define POLL_MS 2
#define SETTLE_MS 3000

bool deny_is(const struct dm_state *st)
{
	bool error = st->exists && st->live && !st->suspended && st->n_lines > 0 &&
		     st->n_lines <= DM_LINES_MAX;

	for (unsigned i = 0; error && i < st->n_lines; i++)
		error = strcmp(st->line[i].type, "error") == 0;
	return error;
}

/* 1: it is denied, or gone; 0: not yet; -errno: it cannot be told. */
static int denied(const char *uuid)
{
	struct dm_state st;
	int r = dm_look(&st, uuid);

	return r < 0 ? r : !st.exists || deny_is(&st);
}

static pid_t swapper(const char *uuid)
{
	pid_t pid = fork();

	if (pid == 0) {
		uint32_t cookie;

		dm_close(); /* the descriptor is our parent's */
		int r = dm_deny(uuid, &cookie);

		if (cookie)
			dm_settle(cookie, SETTLE_MS); /* nobody waits for that */
		_exit(r == 0 ? 0 : 1);
	}
	return pid;
}

/* Wait until it is denied, the swap has ended without that (*@pid: 0), or for @ms. As denied() says then. */
static int wait_for(const char *uuid, pid_t *pid, uint32_t ms)
{
	uint64_t until = op_now_ms() + ms;

	for (;;) {
		bool ended = *pid <= 0 || waitpid(*pid, NULL, WNOHANG) == *pid;
		int r = denied(uuid);

		if (ended)
			*pid = 0;
		if (r != 0 || ended || op_now_ms() >= until)
			return r;
		sleep_ms(POLL_MS);
	}
}

enum driver_result deny_writes(struct op *op, const char *uuid)
{
	const struct config_volume *vol = op->job->vol;
	uint64_t begin = op_now_ms();
	bool cut = false;
	int r = denied(uuid);

	if (r == 0) {
		struct iscsi_link link;
		pid_t pid = swapper(uuid);
		bool dead = vol->iscsi && iscsi_look(&link, vol) == 0 &&
			    link.state != ISCSI_LOGGED_IN;

		r = wait_for(uuid, &pid, dead ? POLL_MS : op_left_ms(op, SWAP_MS));
		if (r == 0 && vol->iscsi) {
			op_progress(op, "writes in flight do not end: the session is cut");
			cut = iscsi_cut(op, true) == DRIVER_OK;
			if (!pid)
				pid = swapper(uuid); /* it had failed */
			r = wait_for(uuid, &pid, op_left_ms(op, AGAIN_MS));
		}
		if (r != 1 && pid) {
			kill(pid,
			     SIGKILL); /* the kernel gives up the swap, or it goes through just now */
			r = wait_for(uuid, &pid, KILL_MS);
		}
		if (r == 1)
			op_step(op, "volume.deny", begin, 0,
				"every write to %s/%s fails from now on%s", vol->vg, vol->lv,
				cut ? "; its session was cut, as writes in flight did not end"
				    : "");
	}
	if (r < 0)
		return op_unknown(op, "internal", "look at `dmsetup info`",
				  "device-mapper does not tell about %s/%s: %s", vol->vg, vol->lv,
				  strerror(-r));
	if (r == 0)
		return op_unknown(op, "io_error", "look at `dmesg`",
				  "%s/%s has writes in flight that do not end", vol->vg, vol->lv);
	return op_end(op, DRIVER_OK, "its writes were stopped by force");
}
