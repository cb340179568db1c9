/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DENY_AGAIN_MS 500

struct runner {
	struct runner_config cfg;
	struct runner_res res[RUNNER_RESOURCES_MAX];
	uint64_t probe_run[RUNNER_RESOURCES_MAX]; /* 0: none open */
	uint64_t prepare_run[RUNNER_RESOURCES_MAX];
	uint64_t prepare_again_ms[RUNNER_RESOURCES_MAX]; /* UINT64_MAX: not due */
	unsigned prepare_fails[RUNNER_RESOURCES_MAX];    /* in a row, up to 4 */
	unsigned unknowns[RUNNER_RESOURCES_MAX];
	uint64_t deny_run[RUNNER_RESOURCES_MAX]; /* 0: none open */
	uint64_t deny_again_ms[RUNNER_RESOURCES_MAX];
	bool deny_over[RUNNER_RESOURCES_MAX]; /* nobody waits for deny_run any more */
	bool deny, hasten;                    /* asked for; until everything is stopped */

	bool decided; /* UP or DOWN came: until then what the probe found is left alone */
	bool up, go, failed, urgent;
	bool expected; /* the locks are asked for before UP */
	bool found_all;
	/* Stop whatever may be active from this index on before anything is started; cfg.n: nothing. */
	unsigned lower;
	char why[RUNNER_WHY_MAX];

	struct {              /* the one START, STOP or KILL under way */
		uint64_t run; /* 0: none */
		unsigned res;
		enum drive_op op;
		bool cancelled;
		bool allowed; /* RUN-3 held when it began */
	} op;
	uint64_t kill_again_ms;
	uint64_t restart_ms[RUNNER_RESTARTS_MAX]; /* when, the newest last */
	unsigned n_restarts;
	bool monitoring;
	bool released_held; /* RUN-4 was violated: a lock went while something may have been active */

	uint64_t now_ms;
	uint64_t *run_next; /* of the current step */
};

static void text_set(char *dst, const char *src)
{
	size_t len = src ? strnlen(src, RUNNER_WHY_MAX - 1) : 0;

	memcpy(dst, src ? src : "", len);
	dst[len] = '\0';
}

static void emit(struct runner_actions *out, struct runner_action act)
{
	assert(out->n < RUNNER_ACTIONS_MAX);
	out->v[out->n++] = act;
}

static uint64_t drive(struct runner *r, unsigned res, enum drive_op op, struct runner_actions *out)
{
	uint64_t run = (*r->run_next)++;

	emit(out,
	     (struct runner_action){ .type = RUNNER_ACT_DRIVE, .res = res, .op = op, .run = run });
	return run;
}

static void set_state(struct runner *r, unsigned i, enum runner_res_state st)
{
	if (r->res[i].state != st)
		r->res[i].since_ms = r->now_ms;
	r->res[i].state = st;
}

static bool all_in(const struct runner *r, enum runner_res_state st)
{
	for (unsigned i = 0; i < r->cfg.n; i++)
		if (r->res[i].state != st)
			return false;
	return true;
}

static bool all_locked(const struct runner *r)
{
	for (unsigned i = 0; i < r->cfg.n; i++)
		if (r->cfg.volume[i] && r->res[i].lock != RUNNER_LOCK_HELD)
			return false;
	return true;
}

static bool probing(const struct runner *r)
{
	for (unsigned i = 0; i < r->cfg.n; i++)
		if (r->probe_run[i])
			return true;
	return false;
}

struct runner *runner_new(const struct runner_config *cfg)
{
	struct runner *r;

	assert(cfg->n >= 1 && cfg->n <= RUNNER_RESOURCES_MAX && cfg->unknowns_max >= 1);
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->cfg = *cfg;
	if (r->cfg.restarts > RUNNER_RESTARTS_MAX)
		r->cfg.restarts = RUNNER_RESTARTS_MAX;
	r->lower = cfg->n;
	r->kill_again_ms = UINT64_MAX;
	for (unsigned i = 0; i < cfg->n; i++)
		r->prepare_again_ms[i] = UINT64_MAX;
	return r;
}

struct runner *runner_free(struct runner *r)
{
	free(r);
	return NULL;
}

static void give_up(struct runner *r, const char *why)
{
	if (!r->failed)
		text_set(r->why, why);
	r->failed = true;
}

static void on_deny_done(struct runner *r, unsigned i, enum drive_result result, const char *why)
{
	r->deny_run[i] = 0;
	if (r->deny_over[i])
		return; /* it went meanwhile */
	if (result == DRIVE_OK) {
		r->res[i].denied = true;
		give_up(r, why && *why ? why : "its writes were stopped by force");
		return;
	}
	/* what is known to have no such table never gets one */
	r->deny_again_ms[i] = result == DRIVE_FAILED ? UINT64_MAX : r->now_ms + DENY_AGAIN_MS;
	if (why && *why)
		text_set(r->res[i].why, why);
}

/* Resource @i broke while it ran. The ones to its right stand on it: they go down first and come up after. */
static void restart_from(struct runner *r, unsigned i, const char *why)
{
	unsigned kept = 0;

	text_set(r->res[i].why, why);
	for (unsigned k = 0; k < r->n_restarts; k++)
		if (r->now_ms - r->restart_ms[k] < r->cfg.window_ms)
			r->restart_ms[kept++] = r->restart_ms[k];
	r->n_restarts = kept;
	if (r->n_restarts >= r->cfg.restarts) {
		give_up(r, why && *why ? why : "broke, and its local restarts are used up");
		return;
	}
	r->restart_ms[r->n_restarts++] = r->now_ms;
	if (i < r->lower)
		r->lower = i;
}

static void on_probe_done(struct runner *r, unsigned i, enum drive_result result, const char *why)
{
	r->probe_run[i] = 0;
	switch (result) {
	case DRIVE_OK: set_state(r, i, RUNNER_RES_RUNNING); break;
	case DRIVE_NONE: set_state(r, i, RUNNER_RES_STOPPED); break;
	case DRIVE_FAILED:
	case DRIVE_UNKNOWN: set_state(r, i, RUNNER_RES_UNKNOWN); break;
	}
	text_set(r->res[i].why, why);
	if (!probing(r))
		r->found_all = all_in(r, RUNNER_RES_RUNNING);
}

static void on_prepare_done(struct runner *r, unsigned i, enum drive_result result, const char *why)
{
	r->prepare_run[i] = 0;
	r->res[i].preparing = false;
	r->res[i].prepared = result == DRIVE_OK ? DRIVE_OK : DRIVE_FAILED;
	text_set(r->res[i].prepare_why, result == DRIVE_OK ? "" : why);
	if (result == DRIVE_OK) {
		r->res[i].prepared_ms = r->now_ms;
		r->prepare_fails[i] = 0;
		r->prepare_again_ms[i] = UINT64_MAX;
		return;
	}
	/* After a boot the network or a daemon may be a moment late: soon at first, then less and less. */
	r->prepare_again_ms[i] = r->now_ms +
				 (r->cfg.prepare_retry_ms >>
				  (r->prepare_fails[i] < 4 ? 4 - r->prepare_fails[i] : 0));
	if (r->prepare_fails[i] < 4)
		r->prepare_fails[i]++;
}

static void on_op_done(struct runner *r, enum drive_result result, const char *why)
{
	unsigned i = r->op.res;
	enum drive_op op = r->op.op;

	memset(&r->op, 0, sizeof(r->op));
	switch (op) {
	case DRIVE_START:
		if (result == DRIVE_OK) {
			set_state(r, i, RUNNER_RES_RUNNING);
			r->unknowns[i] = 0;
			text_set(r->res[i].why, "");
			return;
		}
		set_state(r, i, RUNNER_RES_UNKNOWN); /* what it did stays until STOP has verified */
		text_set(r->res[i].why, why);
		if (r->up)
			give_up(r, why && *why ? why : "start gave no answer in time");
		return;
	case DRIVE_STOP:
		if (result == DRIVE_OK) {
			set_state(r, i, RUNNER_RES_STOPPED);
			return;
		}
		text_set(r->res[i].why, why && *why ? why : "stop gave no answer in time");
		set_state(r, i, RUNNER_RES_STUCK);
		r->kill_again_ms = r->now_ms; /* escalate at once */
		return;
	case DRIVE_KILL:
		if (result == DRIVE_OK) {
			set_state(r, i, RUNNER_RES_STOPPED);
			return;
		}
		if (why && *why)
			text_set(r->res[i].why, why);
		set_state(r, i, RUNNER_RES_STUCK);
		r->kill_again_ms = r->now_ms + r->cfg.kill_retry_ms;
		return;
	case DRIVE_PREPARE:
	case DRIVE_PROBE:
	case DRIVE_DENY: break;
	}
	assert(!"op is START, STOP or KILL");
}

static void ask_locks(struct runner *r, struct runner_actions *out)
{
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (!r->cfg.volume[i] || r->res[i].lock != RUNNER_LOCK_NONE)
			continue;
		r->res[i].lock = RUNNER_LOCK_ASKED;
		emit(out, (struct runner_action){ .type = RUNNER_ACT_LOCK, .res = i });
	}
}

static void on_up(struct runner *r, struct runner_actions *out)
{
	assert(!r->up);
	r->decided = true;
	r->up = true;
	r->go = false;
	r->failed = false;
	r->urgent = false;
	r->deny = r->hasten = false; /* what was denied stays so until it is stopped */
	r->n_restarts = 0;
	text_set(r->why, "");
	/* Keep what runs; the first that does not, and all to its right, come up anew. */
	r->lower = r->cfg.n;
	for (unsigned i = 0; i < r->cfg.n && r->lower == r->cfg.n; i++)
		if (r->res[i].state != RUNNER_RES_RUNNING)
			r->lower = i;
	ask_locks(r, out);
}

static int on_driver(struct runner *r, const struct runner_event *ev)
{
	uint64_t run = ev->driver.run;

	if (run == 0)
		return -EINVAL;
	if (r->op.run == run) {
		on_op_done(r, ev->driver.result, ev->driver.why);
		return 0;
	}
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (r->probe_run[i] == run) {
			on_probe_done(r, i, ev->driver.result, ev->driver.why);
			return 0;
		}
		if (r->prepare_run[i] == run) {
			on_prepare_done(r, i, ev->driver.result, ev->driver.why);
			return 0;
		}
		if (r->deny_run[i] == run) {
			on_deny_done(r, i, ev->driver.result, ev->driver.why);
			return 0;
		}
	}
	return -EINVAL;
}

static void on_monitor(struct runner *r, unsigned i, enum drive_result result, const char *why)
{
	if (!r->up || r->failed || r->res[i].state != RUNNER_RES_RUNNING || i >= r->lower)
		return;
	switch (result) {
	case DRIVE_OK:
		r->unknowns[i] = 0;
		text_set(r->res[i].why, "");
		return;
	case DRIVE_UNKNOWN:
		text_set(r->res[i].why, why);
		if (++r->unknowns[i] < r->cfg.unknowns_max)
			return;
		restart_from(r, i, why && *why ? why : "its state cannot be told any more");
		return;
	case DRIVE_FAILED:
	case DRIVE_NONE: restart_from(r, i, why && *why ? why : "is not healthy"); return;
	}
}

static void on_lock(struct runner *r, unsigned i, bool held)
{
	if (held) {
		if (r->res[i].lock == RUNNER_LOCK_ASKED)
			r->res[i].lock = RUNNER_LOCK_HELD;
		return;
	}
	if (r->res[i].lock == RUNNER_LOCK_NONE)
		return;
	r->res[i].lock = RUNNER_LOCK_NONE;
	if (r->up)
		give_up(r, "its lock was lost");
}

static void on_lost(struct runner *r, unsigned i, const char *why)
{
	if (r->res[i].state == RUNNER_RES_STOPPED)
		return; /* nothing of it is in the way of anybody */
	r->res[i].lost = true;
	r->urgent = true; /* nor does a START that stands on it go on */
	if (r->up)
		give_up(r, why);
}

/* Nothing of it may be active, and nothing works on it. */
static bool may_prepare(const struct runner *r, unsigned i)
{
	return r->res[i].state == RUNNER_RES_STOPPED && !r->prepare_run[i] && !r->probe_run[i] &&
	       !r->deny_run[i];
}

static void start_prepare(struct runner *r, struct runner_actions *out, bool only_due)
{
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (!may_prepare(r, i) || (only_due && r->prepare_again_ms[i] > r->now_ms))
			continue;
		r->prepare_again_ms[i] = UINT64_MAX;
		r->res[i].preparing = true;
		r->prepare_run[i] = drive(r, i, DRIVE_PREPARE, out);
	}
}

static void unlock_all(struct runner *r, struct runner_actions *out)
{
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (r->res[i].lock == RUNNER_LOCK_NONE)
			continue;
		if (!all_in(r, RUNNER_RES_STOPPED))
			r->released_held = true;
		r->res[i].lock = RUNNER_LOCK_NONE;
		emit(out, (struct runner_action){ .type = RUNNER_ACT_UNLOCK, .res = i });
	}
}

static void begin(struct runner *r, unsigned i, enum drive_op op, struct runner_actions *out)
{
	r->op.res = i;
	r->op.op = op;
	r->op.cancelled = false;
	r->op.allowed = op != DRIVE_START || (r->up && r->go && all_locked(r));
	r->op.run = drive(r, i, op, out);
	set_state(r, i, op == DRIVE_START ? RUNNER_RES_STARTING : RUNNER_RES_STOPPING);
}

/*
 * Beside a STOP that may hang, and before it: from here on a volume counts as not known (UNKNOWN), so that whatever is wanted
 * next, it is stopped, and comes back only by a START with its own epoch (RUN-6).
 */
/* When are the writes of resource @i to be stopped? A START of it that is under way is called back first. */
static uint64_t deny_at_ms(const struct runner *r, unsigned i)
{
	bool starts = r->op.run && r->op.op == DRIVE_START && r->op.res == i;

	return !(r->deny || r->res[i].lost) || !r->cfg.volume[i] || r->res[i].denied ||
			       r->deny_run[i] || starts || r->res[i].state == RUNNER_RES_STOPPED
		       ? UINT64_MAX
		       : r->deny_again_ms[i];
}

static void plan_deny(struct runner *r, struct runner_actions *out)
{
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (r->res[i].state == RUNNER_RES_STOPPED) {
			r->res[i].denied = r->res[i].lost = false;
			r->deny_again_ms[i] = 0;
			if (r->deny_run[i] &&
			    !r->deny_over[i]) /* the device that it works on is gone */
				emit(out, (struct runner_action){ .type = RUNNER_ACT_CANCEL,
								  .run = r->deny_run[i] });
			r->deny_over[i] = true;
			continue;
		}
		if (deny_at_ms(r, i) > r->now_ms)
			continue;
		r->deny_over[i] = false;
		r->deny_run[i] = drive(r, i, DRIVE_DENY, out);
		if (r->res[i].state == RUNNER_RES_RUNNING)
			set_state(r, i, RUNNER_RES_UNKNOWN);
	}
	if (all_in(r, RUNNER_RES_STOPPED))
		r->deny = r->hasten = false;
}

/* The one place that starts and stops resources. */
static void plan(struct runner *r, struct runner_actions *out)
{
	bool rise = r->up && !r->failed;
	unsigned floor = rise ? r->lower : 0;
	unsigned top = r->cfg.n;

	if (r->op.run) {
		if (!r->op.cancelled &&
		    ((r->op.op == DRIVE_START && !rise && (r->urgent || r->failed)) ||
		     (r->op.op == DRIVE_STOP && (r->hasten || r->res[r->op.res].lost)))) {
			r->op.cancelled = true;
			emit(out,
			     (struct runner_action){ .type = RUNNER_ACT_CANCEL, .run = r->op.run });
		}
		return;
	}
	if (probing(r) || !r->decided)
		return;
	for (unsigned i = r->cfg.n; i-- > floor;) {
		if (r->res[i].state != RUNNER_RES_STOPPED) {
			top = i;
			break;
		}
	}
	if (top < r->cfg.n) {
		if (r->res[top].state != RUNNER_RES_STUCK)
			begin(r, top, r->hasten || r->res[top].lost ? DRIVE_KILL : DRIVE_STOP, out);
		else if (r->kill_again_ms <= r->now_ms)
			begin(r, top, DRIVE_KILL, out);
		return;
	}
	if (!rise) {
		if (!r->expected)
			unlock_all(r, out);
		r->lower = r->cfg.n;
		return;
	}
	r->lower = r->cfg.n;
	if (!r->go || !all_locked(r))
		return;
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (r->res[i].state != RUNNER_RES_STOPPED)
			continue;
		if (!r->prepare_run[i] &&
		    !r->deny_run[i]) /* else START waits for what still works on this resource */
			begin(r, i, DRIVE_START, out);
		return;
	}
}

int runner_step(struct runner *r, const struct runner_event *ev, uint64_t *run_next,
		struct runner_actions *out)
{
	int rc = 0;
	bool monitor;

	out->n = 0;
	r->now_ms = ev->now_ms;
	r->run_next = run_next;
	switch (ev->type) {
	case RUNNER_EV_PROBE:
		for (unsigned i = 0; i < r->cfg.n; i++)
			if (!r->probe_run[i] && r->res[i].state == RUNNER_RES_UNKNOWN)
				r->probe_run[i] = drive(r, i, DRIVE_PROBE, out);
		break;
	case RUNNER_EV_PREPARE:
		if (!r->go)
			start_prepare(r, out, false);
		break;
	case RUNNER_EV_EXPECT:
		r->expected = ev->expect.on;
		if (!r->up && all_in(r, RUNNER_RES_STOPPED)) {
			if (r->expected)
				ask_locks(r, out);
			else
				unlock_all(r, out);
		}
		break;
	case RUNNER_EV_UP: on_up(r, out); break;
	case RUNNER_EV_GO:
		if (r->up)
			r->go = true;
		break;
	case RUNNER_EV_DOWN:
		r->decided = true;
		r->up = false;
		r->go = false;
		r->urgent = r->urgent || ev->down.urgent;
		r->lower = 0;
		break;
	case RUNNER_EV_DENY: r->deny = r->deny || !r->up; break;
	case RUNNER_EV_HASTEN: r->hasten = r->hasten || !r->up || r->failed; break;
	case RUNNER_EV_LOST:
		if (ev->lost.res >= r->cfg.n || !r->cfg.volume[ev->lost.res])
			return -EINVAL;
		on_lost(r, ev->lost.res, ev->lost.why);
		break;
	case RUNNER_EV_DRIVER: rc = on_driver(r, ev); break;
	case RUNNER_EV_MONITOR:
		if (ev->monitor.res >= r->cfg.n)
			return -EINVAL;
		on_monitor(r, ev->monitor.res, ev->monitor.result, ev->monitor.why);
		break;
	case RUNNER_EV_LOCK:
		if (ev->lock.res >= r->cfg.n || !r->cfg.volume[ev->lock.res])
			return -EINVAL;
		on_lock(r, ev->lock.res, ev->lock.held);
		break;
	case RUNNER_EV_TIMEOUT: break; /* only the clock moved */
	}
	if (rc < 0)
		return rc;
	if (!r->go)
		start_prepare(r, out, true);
	plan_deny(r, out);
	plan(r, out);
	monitor = r->up && !r->failed && all_in(r, RUNNER_RES_RUNNING);
	if (monitor != r->monitoring) {
		r->monitoring = monitor;
		emit(out, (struct runner_action){ .type = RUNNER_ACT_MONITOR, .on = monitor });
	}
	assert(!runner_broken(r));
	return 0;
}

uint64_t runner_deadline_ms(const struct runner *r)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (!r->go && may_prepare(r, i) && r->prepare_again_ms[i] < at)
			at = r->prepare_again_ms[i];
		if (!r->op.run && r->res[i].state == RUNNER_RES_STUCK && r->kill_again_ms < at)
			at = r->kill_again_ms;
		if (deny_at_ms(r, i) < at)
			at = deny_at_ms(r, i);
	}
	return at;
}

static enum runner_fact fact(const struct runner *r)
{
	if (all_in(r, RUNNER_RES_STOPPED) && !r->op.run)
		return r->up && !r->failed ? RUNNER_WAITING : RUNNER_STOPPED;
	for (unsigned i = 0; i < r->cfg.n; i++)
		if (r->res[i].state == RUNNER_RES_STUCK && r->kill_again_ms > r->now_ms)
			return RUNNER_STUCK;
	if (r->up && !r->failed)
		return all_in(r, RUNNER_RES_RUNNING) ? RUNNER_RUNNING : RUNNER_STARTING;
	if (!r->decided)
		return r->found_all ? RUNNER_RUNNING : RUNNER_STARTING;
	return RUNNER_STOPPING;
}

void runner_status(const struct runner *r, struct runner_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->fact = fact(r);
	ret->probed = !probing(r);
	ret->found_all = r->found_all;
	ret->failed = r->failed;
	ret->up = r->up;
	ret->go = r->go;
	ret->why = r->why;
	ret->prepare_why = "";
	ret->prepared = DRIVE_OK;
	ret->n = r->cfg.n;
	ret->res = r->res;
	ret->busy = r->op.run ? r->op.res : r->cfg.n;
	ret->restarts = r->n_restarts;
	for (unsigned i = 0; i < r->cfg.n; i++) {
		if (r->cfg.volume[i] && r->res[i].state != RUNNER_RES_STOPPED)
			ret->holds = true;
		if (r->res[i].preparing)
			ret->preparing = true;
		if (r->res[i].prepared == DRIVE_FAILED && ret->prepared != DRIVE_FAILED) {
			ret->prepared = DRIVE_FAILED;
			ret->prepare_why = r->res[i].prepare_why;
		} else if (r->res[i].prepared == DRIVE_UNKNOWN && ret->prepared == DRIVE_OK) {
			ret->prepared = DRIVE_UNKNOWN;
		}
	}
}

unsigned runner_run_res(const struct runner *r, uint64_t run)
{
	if (run && r->op.run == run)
		return r->op.res;
	for (unsigned i = 0; i < r->cfg.n && run; i++)
		if (r->probe_run[i] == run || r->prepare_run[i] == run || r->deny_run[i] == run)
			return i;
	return r->cfg.n;
}

bool runner_owns(const struct runner *r, uint64_t run)
{
	return runner_run_res(r, run) < r->cfg.n;
}

const char *runner_broken(const struct runner *r)
{
	if (r->op.run && r->op.op == DRIVE_START && !r->op.allowed)
		return "RUN-3";
	/* One that is cancelled is on its way out: what it stands on may be denied its writes meanwhile. */
	if (r->op.run && r->op.op == DRIVE_START && !r->op.cancelled) {
		for (unsigned i = 0; i < r->cfg.n; i++) {
			if (i < r->op.res && r->res[i].state != RUNNER_RES_RUNNING)
				return "RUN-1";
			if (i > r->op.res && r->res[i].state != RUNNER_RES_STOPPED)
				return "RUN-1";
		}
		for (unsigned i = 0; i < r->cfg.n; i++)
			if (r->res[i].denied || r->deny_run[r->op.res])
				return "RUN-6";
	}
	for (unsigned i = 0; i < r->cfg.n; i++) {
		bool busy = r->op.run && r->op.res == i;

		if (!busy && (r->res[i].state == RUNNER_RES_STARTING ||
			      r->res[i].state == RUNNER_RES_STOPPING))
			return "RUN-2";
	}
	return r->released_held ? "RUN-4" : NULL;
}

const char *runner_fact_name(enum runner_fact f)
{
	switch (f) {
	case RUNNER_STOPPED: return "stopped";
	case RUNNER_WAITING: return "waiting";
	case RUNNER_STARTING: return "starting";
	case RUNNER_RUNNING: return "running";
	case RUNNER_STOPPING: return "stopping";
	case RUNNER_STUCK: return "stuck";
	}
	return "?";
}

const char *runner_res_state_name(enum runner_res_state st)
{
	switch (st) {
	case RUNNER_RES_UNKNOWN: return "unknown";
	case RUNNER_RES_STOPPED: return "stopped";
	case RUNNER_RES_STARTING: return "starting";
	case RUNNER_RES_RUNNING: return "running";
	case RUNNER_RES_STOPPING: return "stopping";
	case RUNNER_RES_STUCK: return "failed";
	}
	return "?";
}

const char *drive_op_name(enum drive_op op)
{
	switch (op) {
	case DRIVE_PREPARE: return "prepare";
	case DRIVE_START: return "start";
	case DRIVE_STOP: return "stop";
	case DRIVE_KILL: return "kill";
	case DRIVE_PROBE: return "probe";
	case DRIVE_DENY: return "deny";
	}
	return "?";
}
