/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children that do one operation on one resource. The last result line counts; none is unknown (SAFE-3). */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define PROBE_LIMIT_MS 8000
#define DENY_LIMIT_MS 10000 /* a logout from a silent target, at most */
#define VOLUME_PREPARE_LIMIT_MS 60000
#define STAY_MS 20000 /* a fence agent's usual time; later START looks at everything anew */
#define STAY_SLACK_MS 2000
#define AFTER_MS 5000 /* for what is left to do after the result */

static enum driver_op to_driver(enum drive_op op)
{
	switch (op) {
	case DRIVE_PREPARE: return DRIVER_PREPARE;
	case DRIVE_START: return DRIVER_START;
	case DRIVE_STOP: return DRIVER_STOP;
	case DRIVE_KILL: return DRIVER_KILL;
	case DRIVE_PROBE: return DRIVER_PROBE;
	case DRIVE_DENY: return DRIVER_DENY;
	}
	return DRIVER_PROBE;
}

static enum drive_result from_driver(enum drive_op op, enum driver_result result)
{
	switch (result) {
	case DRIVER_UNKNOWN: return DRIVE_UNKNOWN;
	case DRIVER_OK: return op == DRIVE_PROBE ? DRIVE_UNKNOWN : DRIVE_OK;
	case DRIVER_FAILED: return op == DRIVE_PROBE ? DRIVE_UNKNOWN : DRIVE_FAILED;
	case DRIVER_ACTIVE: return op == DRIVE_PROBE ? DRIVE_OK : DRIVE_UNKNOWN;
	case DRIVER_PARTIAL: return op == DRIVE_PROBE ? DRIVE_FAILED : DRIVE_UNKNOWN;
	case DRIVER_INACTIVE: return op == DRIVE_PROBE ? DRIVE_NONE : DRIVE_UNKNOWN;
	case DRIVER_HEALTHY: return DRIVE_UNKNOWN; /* an answer to another question */
	}
	return DRIVE_UNKNOWN;
}

void child_name(const char *name)
{
	prctl(PR_SET_NAME, name);
}

static int drive_work(void *job, int fd)
{
	child_name("storaged-driver");
	return driver_run(job, fd);
}

static struct drive_run *run_new(struct daemon *d)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct drive_run *r = &d->run[i];

		if (r->used)
			continue;
		memset(r, 0, sizeof(*r));
		r->d = d;
		r->used = true;
		r->started_ms = mono_ms();
		return r;
	}
	return NULL;
}

static void on_result(struct drive_run *r);

static void on_line(void *arg, const char *text)
{
	struct drive_run *r = arg;
	struct res_seen *seen = &r->d->seen[r->service][r->res];
	struct driver_line line;

	if (r->phase != RUN_AT_WORK)
		return; /* it has said its last */
	if (driver_line_parse(&line, text) < 0) {
		log_warning("driver.line", "text=\"%s\"", text);
		return;
	}
	switch (line.kind) {
	case DRIVER_LINE_PROGRESS:
		if (r->run && r->op != DRIVE_PREPARE && r->op != DRIVE_PROBE)
			snprintf(seen->progress, sizeof(seen->progress), "%s", line.text);
		break;
	case DRIVER_LINE_STEP:
		if (r->run && r->op != DRIVE_PREPARE && r->op != DRIVE_PROBE)
			snprintf(seen->step, sizeof(seen->step), "%s", line.step);
		note_step(r->d, r, &line);
		break;
	case DRIVER_LINE_LIFE: break; /* the heartbeat child's, not ours */
	case DRIVER_LINE_RESULT:
		r->result = line;
		r->has_result = true;
		if (r->run)
			on_result(r);
		break;
	}
}

/* What the operation taught about the resource, beside its result. */
static void learn(struct drive_run *r)
{
	struct res_seen *seen = &r->d->seen[r->service][r->res];
	const struct driver_line *l = &r->result;

	if (r->op == DRIVE_PREPARE) {
		seen->prepared_known = true;
		snprintf(seen->prepare_code, sizeof(seen->prepare_code), "%s",
			 r->has_result ? (l->result == DRIVER_OK ? "" : l->code) : "timeout");
	} else if (r->op != DRIVE_PROBE) {
		seen->progress[0] = seen->step[0] = '\0';
	}
	snprintf(seen->remedy, sizeof(seen->remedy), "%s", r->has_result ? l->remedy : "");
	if (!r->has_result || frame_res(r->d, r->service, r->res)->type != CONFIG_RES_VOLUME)
		return;
	if (l->epoch && (r->op == DRIVE_PREPARE || r->op == DRIVE_PROBE)) {
		seen->record_epoch = l->epoch;
		seen->record_owner = l->node;
		seen->record_active = l->record_active;
	} else if (l->epoch && r->op == DRIVE_START) {
		seen->record_epoch = l->epoch;
		seen->record_owner = r->d->self->id;
		seen->record_active = true;
	} else if ((r->op == DRIVE_STOP || r->op == DRIVE_KILL) && l->result == DRIVER_OK) {
		seen->record_active = false;
	}
}

static void words(const struct drive_run *r, const struct spawn_result *res, char *buf, size_t len)
{
	const char *what = frame_res(r->d, r->service, r->res)->ref;

	if (r->has_result && r->result.text[0])
		snprintf(buf, len, "%.60s: %.130s", what, r->result.text);
	else if (r->has_result)
		buf[0] = '\0';
	else if (res->timed_out)
		snprintf(buf, len, "%.60s: %s gave no answer within %.1f s%s", what,
			 drive_op_name(r->op), (double)res->took_ms / 1000.0,
			 res->stuck ? ", and its process cannot be killed" : "");
	else
		snprintf(buf, len,
			 "%.60s: the process of %s ended without an answer (signal %d, code %d)",
			 what, drive_op_name(r->op), res->signal, res->status);
	utf8_mend(buf); /* a driver's words, cut: they go into the status, which is JSON */
}

/* The operation is over: by its result line, or (@res) by the end of its process without one. */
static void over(struct drive_run *r, const struct spawn_result *res)
{
	struct daemon *d = r->d;
	char why[RUNNER_WHY_MAX];
	struct place_event ev = { .type = PLACE_EV_DRIVER };

	learn(r);
	words(r, res, why, sizeof(why));
	log_debug("driver.done", "run=%llu op=%s resource=%s result=%s took_ms=%llu text=\"%s\"",
		  (unsigned long long)r->run, drive_op_name(r->op),
		  frame_res(d, r->service, r->res)->ref,
		  r->has_result ? driver_result_name(r->result.result) : "none",
		  (unsigned long long)(mono_ms() - r->started_ms), why);
	ev.driver.run = r->run;
	ev.driver.result = r->has_result ? from_driver(r->op, r->result.result) : DRIVE_UNKNOWN;
	ev.driver.why = why;
	ev.driver.epoch = r->has_result ? r->result.epoch : 0;
	ev.driver.owner = r->has_result && r->result.record_active ? r->result.node : 0;
	ev.driver.cut_off = r->has_result && strcmp(r->result.code, DRIVER_CODE_CUT_OFF) == 0;
	ev.driver.ours = r->has_result && r->result.ours;
	feed(d, ev);
}

/* Nobody waits for the process to end: an exit takes time, and some of them have things left to do. */
static void on_result(struct drive_run *r)
{
	bool stays = r->op == DRIVE_PREPARE && r->result.result == DRIVER_OK;

	r->phase = stays ? RUN_STAYS : RUN_OVER;
	r->until_ms = mono_ms() + STAY_MS - STAY_SLACK_MS;
	spawn_limit(r->spawn, stays ? STAY_MS : AFTER_MS);
	over(r, NULL);
}

static void on_done(void *arg, const struct spawn_result *res)
{
	struct drive_run *r = arg;
	struct daemon *d = r->d;

	r->spawn = NULL;
	if (res->err_len)
		log_info("driver.stderr", "resource=%s text=\"%.200s\"",
			 r->run ? frame_res(d, r->service, r->res)->ref
				: d->cfg->volume[r->volume].name,
			 res->err);
	r->used = false;
	if (!r->run)
		answer_prepared(d, r);
	else if (r->phase == RUN_AT_WORK)
		over(r, res);
}

/* Some proofs end the joins of a boot up to the one they name: ours, begun after fenced's, would never be among them. */
struct incarnation drive_life(const struct daemon *d)
{
	return incarnation_same_boot(&d->fence_state.self, &d->life) ? d->fence_state.self
								     : d->life;
}

static void fill_job(struct daemon *d, struct driver_job *job)
{
	memset(job, 0, sizeof(*job));
	job->cfg = d->cfg;
	job->rundir = d->rundir;
	job->self = drive_life(d);
	job->fence = &d->fence_state;
}

/* The process that prepared this resource and waits; NULL: none, or for too long already. Whatever comes next, nobody
 * else gets it. */
static struct drive_run *stayer(struct daemon *d, unsigned service, unsigned res, bool stop)
{
	struct drive_run *found = NULL;

	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct drive_run *r = &d->run[i];

		if (r->used && r->phase == RUN_STAYS && (r->op == DRIVE_STOP) == stop &&
		    r->service == service && r->res == res)
			found = r;
	}
	return found;
}

static void dismiss(struct drive_run *r)
{
	r->phase = RUN_OVER;
	spawn_kill(r->spawn);
}

/* START, or STOP, by the process that stays. false: it has to be started the long way. */
static bool tell_stayer(struct daemon *d, struct drive_run *r, const struct place_action *act,
			uint32_t limit_ms)
{
	static struct driver_go go;
	int n = fence_state_encode(&d->fence_state, go.fence, sizeof(go.fence));

	if (n < 0 || mono_ms() > r->until_ms)
		return false;
	go.what = act->drive.op == DRIVE_STOP ? DRIVER_GO_STOP : DRIVER_GO_START;
	go.limit_ms = limit_ms;
	go.epoch = act->drive.epoch;
	go.released = act->drive.released;
	go.dirty = act->drive.dirty;
	go.self = drive_life(d);
	go.fence_len = (uint32_t)n;
	if (spawn_tell(r->spawn, &go, sizeof(go)) < 0)
		return false;
	spawn_limit(r->spawn, limit_ms);
	r->phase = RUN_AT_WORK;
	r->run = act->drive.run;
	r->op = act->drive.op;
	r->started_ms = mono_ms();
	r->has_result = false;
	return true;
}

/* The first START of a service has begun, so the proofs are in: the addresses further to the right may be asked from here on. */
static void tell_soon(struct daemon *d, unsigned service, unsigned res)
{
	static const struct driver_go soon = { .what = DRIVER_GO_SOON };

	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct drive_run *r = &d->run[i];

		if (!r->used || r->phase != RUN_STAYS || r->op == DRIVE_STOP ||
		    r->service != service || r->res <= res || r->soon_told ||
		    frame_res(d, service, r->res)->type != CONFIG_RES_IP)
			continue;
		r->soon_told = true;
		if (spawn_tell(r->spawn, &soon, sizeof(soon)) < 0)
			dismiss(r);
	}
}

static void job_of(struct daemon *d, struct driver_job *job, unsigned service, unsigned res,
		   enum drive_op op)
{
	const struct config_resource *r = frame_res(d, service, res);

	fill_job(d, job);
	job->op = to_driver(op);
	job->stay = op == DRIVE_PREPARE;
	job->service = d->cfg->service[service].name;
	job->res = r;
	job->vol = r->type == CONFIG_RES_VOLUME ? &d->cfg->volume[r->volume] : NULL;
}

void drive_stand_by(struct daemon *d, unsigned service)
{
	for (unsigned i = 0; i < d->cfg->service[service].n_resources; i++) {
		struct drive_run *r = stayer(d, service, i, true);
		struct driver_job job;

		if (r)
			dismiss(r);
		r = run_new(d);
		if (!r)
			return; /* STOP then makes its own */
		job_of(d, &job, service, i, DRIVE_STOP);
		job.stay = true;
		r->phase = RUN_STAYS;
		r->until_ms = mono_ms() + STAY_MS - STAY_SLACK_MS;
		r->service = service;
		r->res = i;
		r->op = DRIVE_STOP;
		r->spawn = spawn_work_told(d->loop, drive_work, &job, STAY_MS, on_line, on_done, r);
		if (!r->spawn)
			r->used = false;
	}
}

void drive_start(struct daemon *d, const struct place_action *act)
{
	const struct config_service *svc = &d->cfg->service[act->drive.service];
	const struct config_resource *res = &svc->resource[act->drive.res];
	struct place_event ev = { .type = PLACE_EV_DRIVER, .driver = { .run = act->drive.run } };
	enum drive_op op = act->drive.op;
	struct drive_run *r;
	struct driver_job job;

	if (op != DRIVE_PROBE)
		warm_pause(d);
	job_of(d, &job, act->drive.service, act->drive.res, op);
	job.epoch = act->drive.epoch;
	job.released = act->drive.released;
	job.dirty = act->drive.dirty;
	switch (op) {
	case DRIVE_PROBE: job.limit_ms = PROBE_LIMIT_MS; break;
	case DRIVE_DENY: job.limit_ms = DENY_LIMIT_MS; break;
	case DRIVE_PREPARE:
	case DRIVE_START: job.limit_ms = res->start_ms; break;
	case DRIVE_STOP:
	case DRIVE_KILL: job.limit_ms = res->stop_ms; break;
	}
	if (act->drive.limit_ms && act->drive.limit_ms < job.limit_ms)
		job.limit_ms = act->drive.limit_ms;
	if (op == DRIVE_START || op == DRIVE_STOP || op == DRIVE_KILL)
		d->seen[act->drive.service][act->drive.res].progress[0] =
			d->seen[act->drive.service][act->drive.res].step[0] = '\0';
	r = stayer(d, act->drive.service, act->drive.res, op != DRIVE_STOP);
	if (r)
		dismiss(r); /* of the other kind: what it knows is about to change */
	r = stayer(d, act->drive.service, act->drive.res, op == DRIVE_STOP);
	if (r && (op == DRIVE_START || op == DRIVE_STOP) && tell_stayer(d, r, act, job.limit_ms)) {
		if (op == DRIVE_START)
			tell_soon(d, act->drive.service, act->drive.res);
		return;
	}
	if (r)
		dismiss(r);
	if (op == DRIVE_START)
		tell_soon(d, act->drive.service, act->drive.res);
	r = run_new(d);
	if (!r) {
		feed_later(d, ev, "too many driver processes run already");
		return;
	}
	r->run = act->drive.run;
	r->service = act->drive.service;
	r->res = act->drive.res;
	r->op = op;
	r->spawn = spawn_work_told(d->loop, drive_work, &job, job.limit_ms, on_line, on_done, r);
	if (!r->spawn) {
		char why[RUNNER_WHY_MAX];

		snprintf(why, sizeof(why), "%s: cannot start a process: %s", res->ref,
			 strerror(errno));
		r->used = false;
		feed_later(d, ev, why);
	}
}

void drive_cancel(struct daemon *d, uint64_t run)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (d->run[i].used && d->run[i].phase == RUN_AT_WORK && d->run[i].run == run &&
		    d->run[i].spawn)
			spawn_kill(d->run[i].spawn);
}

int drive_prepare_volume(struct daemon *d, unsigned volume, struct ipc_peer *peer)
{
	struct driver_job job;
	struct drive_run *r;

	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (d->run[i].used && !d->run[i].run && d->run[i].volume == volume)
			return -EBUSY;
	r = run_new(d);
	if (!r)
		return -EBUSY;
	r->peer = peer;
	r->volume = volume;
	fill_job(d, &job);
	job.op = DRIVER_VOLUME_PREPARE;
	job.vol = &d->cfg->volume[volume];
	job.limit_ms = VOLUME_PREPARE_LIMIT_MS;
	r->spawn = spawn_work(d->loop, drive_work, &job, job.limit_ms, on_line, on_done, r);
	if (!r->spawn) {
		r->used = false;
		return -errno;
	}
	return 0;
}

void drive_peer_gone(struct daemon *d, const struct ipc_peer *peer)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (d->run[i].used && d->run[i].peer == peer)
			d->run[i].peer = NULL;
}
