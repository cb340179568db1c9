/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/daemon/daemon.h - the shell around storaged/core: translate, feed, carry out, arm.
 *
 * feed() is called by whatever the loop wakes; carry_out() starts work and returns, it never feeds. A result that
 * is known at once (a child that could not be forked) waits in `later` for the next turn of the loop.
 */
#ifndef STOCKADE_STORAGED_DAEMON_H
#define STOCKADE_STORAGED_DAEMON_H

#include "lib/shell/cluster.h"
#include "lib/shell/config.h"
#include "lib/shell/fence_link.h"
#include "lib/shell/history.h"
#include "lib/shell/ipc.h"
#include "lib/shell/loop.h"
#include "lib/shell/recorder.h"
#include "lib/shell/self.h"
#include "lib/shell/spawn.h"
#include "storaged/core/place.h"
#include "storaged/drivers/driver.h"

#include <jansson.h>

#define LATER_MAX 64
#define RUNS_MAX \
	320 /* children: every resource of a full house may stay prepared while another operation on it runs */

struct daemon;

/* One operation of a driver under way (drive.c). */
struct drive_run {
	struct daemon *d;
	bool used;
	struct spawn *spawn; /* NULL once done() came */
	/* AT_WORK until its result is there; a PREPARE that was ok then STAYS for a while, to become the START without
	 * the cost of a new process, and one made for a STOP stays from its beginning; any other is OVER: its process clears
	 * away, and ends. */
	enum { RUN_AT_WORK = 0, RUN_STAYS, RUN_OVER } phase;
	uint64_t until_ms; /* STAYS: not told anything later than this */
	bool soon_told;
	uint64_t run; /* the core's; 0: VOLUME_PREPARE */
	unsigned service, res;
	enum drive_op op;
	uint64_t started_ms;
	bool has_result;
	struct driver_line result;
	struct ipc_peer *peer; /* VOLUME_PREPARE: who asked; NULL: gone */
	unsigned volume;
};

/* What the drivers last said about a resource, for status and why. */
struct res_seen {
	char progress[DRIVER_TEXT_MAX];
	char step[32];         /* the last one that ended, of the operation under way */
	char prepare_code[32]; /* of the last PREPARE that failed; "": none */
	char remedy[DRIVER_TEXT_MAX];
	bool prepared_known;
	uint64_t record_epoch; /* epoch record on the disk, as last read here; 0: never */
	uint32_t record_owner;
	bool record_active;
	struct warm_seen { /* of its last round that came to its end */
		uint32_t files;
		uint64_t bytes, read_bytes; /* kept in memory; of them from the disk just then */
	} warm;
};

/* The child that keeps files of what may start here in memory (warm.c). */
struct warm {
	struct daemon *d;
	struct loop_timer *timer; /* NULL: nothing is to be kept warm */
	struct spawn *spawn;
	struct warm_page *page;
	bool paused;      /* it was told to end */
	uint64_t done_ms; /* 0: never */
};

/* The watcher of a service's resources: one child for all of them. */
struct monitor {
	struct daemon *d;
	unsigned service;
	struct spawn *spawn;
	struct monitor_page *page;
	uint64_t since_ms;
	bool wanted;
};

struct beat {
	struct daemon *d;
	unsigned volume;
	struct spawn *spawn;
	struct driver_beat *page;
	uint32_t node;       /* whose block; 0: none wanted */
	uint32_t child_node; /* of the child that runs; 0: none */
	uint64_t since_ms;
	uint64_t again_ms; /* the child died: start it again then; 0: no */
	uint64_t ok_ms;    /* when I/O to this disk last worked, by whichever child; 0: never */
	uint64_t tried_ms; /* ... or began to be tried, while it never has */
	enum service_reach told; /* to the core */
	bool word;               /* what its sealed heartbeat says */
	uint32_t armed_ms;
	uint8_t boot_id[BOOT_ID_BYTES];
};

/* One volume's EX lock (locks.c). */
struct vlock {
	struct daemon *d;
	unsigned volume;
	bool wanted; /* by the core */
	bool told;   /* the core knows that it is held */
	enum { VLOCK_NONE, VLOCK_ADOPTING, VLOCK_ASKING, VLOCK_HELD, VLOCK_DROPPING } state;
	bool maybe_orphan; /* an earlier life of ours, or of the connection, may have left it */
	bool doubt;        /* held when the connection broke; not yet adopted again */
	uint64_t doubt_ms;
	uint64_t asked_ms;
};

struct daemon {
	struct loop *loop;
	struct config *cfg;
	const char *config_path;
	const char *rundir, *statedir;
	const char *reboot_command; /* tests; NULL: sysrq */
	const char *record_dir;
	struct recorder *record; /* NULL: not asked for */
	const struct config_node *self;
	struct incarnation life;

	struct place *place; /* NULL until our nodeid is known */
	struct place_actions actions;
	bool feeding;
	struct loop_timer *deadline;
	struct {
		struct place_event ev;
		char why[RUNNER_WHY_MAX];
	} later[LATER_MAX];
	unsigned n_later;
	struct loop_timer *later_timer;

	struct cluster *cluster;
	bool joined;
	struct loop_timer *who_timer; /* until corosync says who we are */
	bool two_node, who_said, ended;
	struct loop_timer *end_timer;

	struct fence_link *fence;
	struct fence_state fence_state;
	struct fence_signs signs;
	bool signs_sent;

	struct ipc_server *ipc;
	struct history *history;
	json_t *last_end; /* of the boot before, by our own hand; NULL: otherwise */
	char last_end_text[512];
	uint64_t started_ms;
	int exit_code;

	struct drive_run run[RUNS_MAX];
	struct res_seen seen[SERVICES_MAX][RUNNER_RESOURCES_MAX];
	struct monitor monitor[SERVICES_MAX];
	struct beat beat[SERVICE_VOLUMES_MAX];
	struct warm warm;
	struct loop_timer *look_timer;
	struct loop_timer *disk_timer;  /* looks whether the disks answer */
	struct loop_timer *watch_timer; /* looks at the pages of monitors and beats */

	struct vlock lock[SERVICE_VOLUMES_MAX];
	void *dlm; /* dlm_lshandle_t; NULL: not connected */
	struct loop_timer *dlm_timer;

	struct request {      /* commands that wait for their delivery */
		uint64_t req; /* 0: free */
		struct ipc_peer *peer;
	} request[32];
	uint64_t request_next;
};

/* shell.c */
void feed(struct daemon *d, struct place_event ev);
/* From inside carry_out(): feed it from the loop. @why is copied. */
void feed_later(struct daemon *d, struct place_event ev, const char *why);
int shell_start(struct daemon *d); /* config and files are read: begin */
void shell_stop(struct daemon *d); /* SIGTERM: let everything go, then end */

/* drive.c */
void drive_start(struct daemon *d, const struct place_action *act);
/* Processes for the STOP of that service, made before they are needed. */
void drive_stand_by(struct daemon *d, unsigned service);
void drive_cancel(struct daemon *d, uint64_t run);
/* This node's life as fenced names it: what stands on a disk must be what a proof will speak of. */
struct incarnation drive_life(const struct daemon *d);
int drive_prepare_volume(struct daemon *d, unsigned volume,
			 struct ipc_peer *peer); /* 0, -EBUSY, -errno */
void drive_peer_gone(struct daemon *d, const struct ipc_peer *peer);

void child_name(const char *name); /* in a child: what ps shows; at most 15 bytes */

/* watch.c */
void monitor_set(struct daemon *d, unsigned service, bool on);
void beat_set(struct daemon *d, unsigned volume, uint32_t node);
void look_soon(
	struct daemon *d); /* what is active here, whoever did it; feeds the core from the loop */
int watch_start(struct daemon *d);
void signs_update(struct daemon *d);
void beats_armed(struct daemon *d); /* fenced's word on our watchdog, for the heartbeats */

/* warm.c */
int warm_start(struct daemon *d);
void warm_pause(struct daemon *d); /* something is to be done here: it is in nobody's way */
void warm_soon(
	struct daemon *d); /* a service runs here: its processes can be looked at in a while */

/* locks.c */
int locks_start(struct daemon *d);
void lock_want(struct daemon *d, unsigned volume, bool wanted);
void locks_settle(
	struct daemon *d); /* after each step: let go of adopted locks that nobody needs */
const char *lock_word(const struct daemon *d, unsigned volume); /* "none", "waiting", "EX" */

/* store.c */
void store_load(struct daemon *d, struct place_config *pc); /* intent and state files into @pc */
void store_intent(struct daemon *d);
void store_state(struct daemon *d);
/* What the two files hold (NULL: there is none), as it is taken, and as it is written. Only what is of @life's boot counts of @state. */
void store_take(const struct config *cfg, const struct incarnation *life, const json_t *intent,
		const json_t *state, struct place_config *pc);
json_t *store_intent_json(const struct daemon *d);
json_t *store_state_json(const struct daemon *d);

/* note.c: the history */
void note(struct daemon *d, const struct place_action *act);
void note_last_end(struct daemon *d);
void note_step(struct daemon *d, const struct drive_run *r, const struct driver_line *line);

/* answer.c */
int answer_start(struct daemon *d);
void answer_command(struct daemon *d, const struct place_action *act);
void answer_prepared(struct daemon *d, const struct drive_run *r);

/* frame.c: config to core */
void frame_make(const struct daemon *d, struct place_config *pc);
const struct config_resource *frame_res(const struct daemon *d, unsigned service, unsigned res);
/* Which resource is that volume? false: no service uses it. */
bool frame_volume(const struct daemon *d, unsigned volume, unsigned *service, unsigned *res);
const char *node_name(const struct daemon *d, uint32_t nodeid);

#endif
