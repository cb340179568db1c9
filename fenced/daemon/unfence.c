/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/unfence.c - before it joins, a node switches its own fabric devices on (`unfence:`).
 *
 * A fence of the fabric (a switch port, a reservation) cuts a node off and leaves it running; it stays cut off, as nobody
 * else switches these devices on again (fence_path.no_on), until the node has rebooted and comes here. All devices are asked,
 * all must succeed; until then fenced joins no group, so nothing shared can start here. Tried for ever.
 */
#include "daemon.h"

#include "lib/shell/log.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_MS 5000
#define UNFENCE_RUNS (UINT64_C(1) << 63) /* above all numbers that the core gives out */

static void ask_next(struct fenced *f)
{
	const struct config_method *m = &f->self->unfence;

	agents_run(f->agents, UNFENCE_RUNS + f->unfence.next, f->self, &m->use[f->unfence.next],
		   FENCE_AGENT_ON);
}

static void on_again(void *arg)
{
	struct fenced *f = arg;

	f->unfence.next = 0;
	f->unfence.failed = false;
	ask_next(f);
}

bool unfence_begin(struct fenced *f)
{
	if (f->self->unfence.n == 0)
		return false;
	f->unfence.timer = loop_timer_new(f->loop, on_again, f);
	if (!f->unfence.timer)
		return false;
	snprintf(f->waits, sizeof(f->waits), "it unfences itself before it joins");
	log_notice("fence.unfence", "devices=%u", f->self->unfence.n);
	on_again(f);
	return true;
}

void unfence_end(struct fenced *f)
{
	f->unfence.timer = loop_timer_free(f->unfence.timer);
}

bool unfence_run_done(struct fenced *f, uint64_t id, const struct agent_result *res)
{
	if (id < UNFENCE_RUNS)
		return false;
	const struct config_method *m = &f->self->unfence;
	const char *device = f->cfg->device[m->use[f->unfence.next].device].name;
	bool ok = res->answer == FENCE_ANSWER_DONE;

	if (!ok) {
		f->unfence.failed = true;
		snprintf(f->waits, sizeof(f->waits), "it cannot unfence itself: %.120s", res->text);
	}
	if (!ok && strcmp(f->unfence.said, res->text) != 0)
		history_add(
			f->history, "fence.unfence",
			json_pack("{s:s,s:s,s:b}", "device", device, "error", res->text, "ok", 0),
			"%s cannot unfence itself: %s; it does not join until it can",
			f->self->name, res->text);
	if (!ok)
		snprintf(f->unfence.said, sizeof(f->unfence.said), "%s", res->text);
	if (++f->unfence.next < m->n) {
		ask_next(f);
	} else if (f->unfence.failed) {
		loop_timer_arm(f->unfence.timer, mono_ms() + AGAIN_MS);
	} else {
		history_add(f->history, "fence.unfence", json_pack("{s:b}", "ok", 1),
			    "%s has switched on its fabric devices", f->self->name);
		f->waits[0] = '\0';
		shell_join(f);
	}
	return true;
}
