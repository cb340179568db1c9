/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/runner.h - the life of one service on this node: a pure walk along its resources.
 *
 * Start goes left to right, stop right to left, one resource at a time; only PREPARE, which is harmless, runs
 * beside. place.c says what should be (UP, GO, DOWN), drivers say what happened, the runner says what to do next.
 * A driver that was killed, hung or said nothing is DRIVE_UNKNOWN, which is never ok and never stopped.
 *
 *   RUN-1  a resource is started only when all to its left run and nothing to its right may be active   runner_broken()
 *   RUN-2  at most one START, STOP or KILL at a time                                                    runner_broken()
 *   RUN-3  nothing is started before GO and before every lock of the service is held                    runner_broken()
 *   RUN-4  the locks go only when every resource is verified stopped                                    runner_broken()
 *   RUN-6  what had its writes stopped by force is stopped before anything of it is started             runner_broken()
 *          (also a volume whose disk is lost: LOST)
 *   RUN-5  drivers answer => UP ends in running, or stopped with a reason; DOWN in stopped or stuck     sim/drivers.c
 *
 * SAFE-3: see DRIVE_UNKNOWN. SAFE-10: what a probe finds is kept if it is ours, stopped in order if not.
 */
#ifndef STOCKADE_RUNNER_H
#define STOCKADE_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#ifndef SEARCH_SMALL
#define RUNNER_RESOURCES_MAX 16
#else /* sim/search alone, see lib/nodeset.h */
#define RUNNER_RESOURCES_MAX 2
#endif
#define RUNNER_WHY_MAX 200
#define RUNNER_RESTARTS_MAX 16

enum drive_op {
	DRIVE_PREPARE = 1,
	DRIVE_START,
	DRIVE_STOP,
	DRIVE_KILL,
	DRIVE_PROBE,
	DRIVE_DENY, /* volumes: nothing can be written to it any more; beside any other but START */
};

enum drive_result {
	DRIVE_UNKNOWN = 0,
	DRIVE_OK, /* PREPARE, START, STOP, KILL, DENY: done and verified. PROBE: all active. MONITOR: healthy */
	DRIVE_FAILED, /* known to have failed. PROBE: partly active */
	DRIVE_NONE,   /* PROBE: nothing of it is active. MONITOR: it is gone */
};

enum runner_res_state {
	RUNNER_RES_UNKNOWN = 0, /* not probed, or the probe could not tell: may be active */
	RUNNER_RES_STOPPED,
	RUNNER_RES_STARTING,
	RUNNER_RES_RUNNING,
	RUNNER_RES_STOPPING,
	RUNNER_RES_STUCK, /* STOP and KILL both failed; KILL is tried again */
};

/* How the service stands here, in one word; told to the other nodes. */
enum runner_fact {
	RUNNER_STOPPED = 0, /* verified; holds nothing, locks nothing */
	RUNNER_WAITING,     /* wanted up; nothing started yet (gate or lock) */
	RUNNER_STARTING,
	RUNNER_RUNNING,
	RUNNER_STOPPING,
	RUNNER_STUCK, /* cannot let go: this node has to be fenced */
};

struct runner_config {
	unsigned n;                        /* 1..RUNNER_RESOURCES_MAX */
	bool volume[RUNNER_RESOURCES_MAX]; /* is guarded by a lock */
	uint32_t restarts; /* local restarts within window_ms before the service has failed here */
	uint32_t window_ms;
	uint32_t unknowns_max;  /* so many monitor answers "unknown" in a row are a failure; >= 1 */
	uint32_t kill_retry_ms; /* stuck: KILL again after this */
	uint32_t
		prepare_retry_ms; /* PREPARE failed: again after 1/16, 1/8, ... and then all of this */
};

enum runner_lock { RUNNER_LOCK_NONE = 0, RUNNER_LOCK_ASKED, RUNNER_LOCK_HELD };

struct runner_event {
	enum {
		RUNNER_EV_PROBE = 1, /* look what is there; once, at the start of the daemon */
		RUNNER_EV_PREPARE,   /* harmless early work on whatever is stopped */
		RUNNER_EV_EXPECT, /* UP will come soon (`on`): ask for the locks now, behind whoever has them */
		RUNNER_EV_UP, /* should run here; asks for the locks; keeps what runs already */
		RUNNER_EV_GO, /* the gate is open (SAFE-1, SAFE-6): START may begin; until the next DOWN */
		RUNNER_EV_DOWN, /* should not run here; `urgent`: cancel a START that is under way */
		RUNNER_EV_DENY, /* after DOWN: writing ends now, whatever hangs (SAFE-7); then it has failed here */
		RUNNER_EV_HASTEN, /* after DOWN: what is not stopped yet is killed, a STOP under way too */
		RUNNER_EV_LOST, /* the disk of volume `res` does not answer: it has failed here; no more is written to it,
				 * and it is killed rather than stopped, as a STOP would want the disk */
		RUNNER_EV_DRIVER, /* answers one RUNNER_ACT_DRIVE */
		RUNNER_EV_MONITOR,
		RUNNER_EV_LOCK, /* the lock of volume resource `res` is held, or was lost */
		RUNNER_EV_TIMEOUT,
	} type;
	uint64_t now_ms;
	union {
		struct {
			bool on;
		} expect;
		struct {
			bool urgent;
		} down;
		struct {
			uint64_t run;
			enum drive_result result;
			const char *why; /* borrowed; NULL or "": none */
		} driver;
		struct {
			unsigned res;
			enum drive_result result;
			const char *why;
		} monitor;
		struct {
			unsigned res;
			bool held;
		} lock;
		struct {
			unsigned res;
			const char *why; /* borrowed */
		} lost;
	};
};

struct runner_action {
	enum {
		RUNNER_ACT_DRIVE = 1, /* run a driver, hand `run` back */
		RUNNER_ACT_CANCEL,    /* kill the driver of `run`; its DRIVER event still comes */
		RUNNER_ACT_LOCK,      /* ask for the lock of `res` (adopt it if it is ours) */
		RUNNER_ACT_UNLOCK,
		RUNNER_ACT_MONITOR, /* `on`: the set of resources to watch changed: those that run */
	} type;
	unsigned res;
	enum drive_op op;
	uint64_t run;
	bool on;
};

#define RUNNER_ACTIONS_MAX (2 * RUNNER_RESOURCES_MAX + 4)
struct runner_actions {
	unsigned n;
	struct runner_action v[RUNNER_ACTIONS_MAX];
};

struct runner_res {
	enum runner_res_state state;
	enum runner_lock lock;
	enum drive_result prepared; /* of the last PREPARE that ended; DRIVE_UNKNOWN: none yet */
	bool preparing;
	bool denied;              /* its writes were stopped by force; until it is stopped */
	bool lost;                /* its disk does not answer; until it is stopped */
	uint64_t prepared_ms;     /* when a PREPARE, which reads its disk, was ok last; 0: never */
	uint64_t since_ms;        /* in this state */
	char why[RUNNER_WHY_MAX]; /* the last failure or the evidence of the probe; "": none */
	char prepare_why[RUNNER_WHY_MAX];
};

struct runner_status {
	enum runner_fact fact;
	bool probed;    /* every PROBE has answered */
	bool found_all; /* at the probe: every resource was active */
	bool holds;     /* a volume is active, or may be (SAFE-1) */
	bool failed;    /* gave up since the last UP: `why` */
	bool up, go;
	bool preparing;
	enum drive_result prepared; /* DRIVE_OK: all resources; DRIVE_FAILED: `prepare_why` */
	const char *why;            /* valid until the next step */
	const char *prepare_why;
	unsigned n;
	const struct runner_res *res; /* [n], valid until the next step */
	unsigned busy;     /* index of the resource START, STOP or KILL works on; n: none */
	unsigned restarts; /* in the window */
};

struct runner;

struct runner *runner_new(const struct runner_config *cfg); /* copies cfg; NULL: no memory */
struct runner *runner_free(struct runner *r);

/**
 * runner_step() - feed one event, get the actions it causes, in order.
 * @run_next: counter of driver runs, shared by all runners of a daemon; never 0 when handed out
 * Return: 0, or -EINVAL with nothing changed: an index out of range, a run that is not ours
 */
int runner_step(struct runner *r, const struct runner_event *ev, uint64_t *run_next,
		struct runner_actions *out);
uint64_t runner_deadline_ms(const struct runner *r); /* UINT64_MAX: none */
void runner_status(const struct runner *r, struct runner_status *ret);
bool runner_owns(const struct runner *r,
		 uint64_t run); /* is that driver run ours and still open? */
unsigned runner_run_res(const struct runner *r,
			uint64_t run); /* of an open run: the resource it works on */
const char *runner_broken(const struct runner *r);

const char *runner_fact_name(enum runner_fact fact);         /* "waiting" */
const char *runner_res_state_name(enum runner_res_state st); /* "running" */
const char *drive_op_name(enum drive_op op);

#endif
