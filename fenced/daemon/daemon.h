/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/daemon.h - the shell around fenced/core: translate, feed, carry out, arm.
 *
 *   main.c    options, start, stop, rebooting oneself     answer.c  requests and subscribers
 *   shell.c   corosync and agents to events, actions out  status.c  JSON of what is
 *   store.c   proofs that survive a restart of fenced     tell.c    history: facts to sentences
 *   unfence.c before this node joins                  store_loop.c  fenced too often: kept over full restarts
 *   agent.c   running agents                          ping.c    who reaches the gateway
 *   doctor.c  every member looks at its way to every device
 */
#ifndef STOCKADE_FENCED_DAEMON_DAEMON_H
#define STOCKADE_FENCED_DAEMON_DAEMON_H

#include "agent.h"
#include "dog.h"
#include "ping.h"

#include "fenced/core/fence.h"
#include "lib/shell/cluster.h"
#include "lib/shell/config.h"
#include "lib/shell/history.h"
#include "lib/shell/ipc.h"
#include "lib/shell/loop.h"
#include "lib/shell/recorder.h"
#include "lib/wire.h"

#include <jansson.h>

#define SUBSCRIBERS_MAX 16

struct path_result { /* our own last check of one device for one node */
	enum { PATH_UNKNOWN = 0, PATH_PASS, PATH_FAIL } result;
	uint64_t at_ms;
	char text[FENCE_TEXT_MAX];
};

struct fenced {
	struct loop *loop;
	struct config *cfg;
	const struct config_node *self; /* NULL until corosync answers */
	struct incarnation life;
	struct fence_domain *dom; /* NULL until then */
	struct cluster *cluster;
	struct agents *agents;
	struct attest *attest;
	struct doctor *doctor;
	struct dog dog;
	struct loop_timer *dog_timer;
	bool dog_growled;     /* it was said that it is not petted */
	uint64_t alive_ms[2]; /* when storaged, dlmd said so last; guard.c */
	uint32_t mute;        /* as the core knows it */
	struct pings *pings;  /* NULL: no target is configured */
	struct ipc_server *ipc;
	struct history *history;
	struct loop_timer *deadline, *retry, *give_up;
	const char *reboot_command; /* NULL: the kernel's sysrq */
	const char *record_dir;
	struct recorder *record; /* NULL: not asked for */
	uint64_t start_ms, view_ms;
	struct fence_view view; /* as told last, for people */
	char waits[160];        /* before there is a core: for what */

	struct ipc_peer *subscriber[SUBSCRIBERS_MAX];
	struct ipc_peer *signs_from;
	struct fence_signs signs;
	uint64_t signs_ms; /* 0: never */
	bool holds_kept;   /* as /run has it */

	struct ipc_peer *ack_peer, *leave_peer;
	uint32_t ack_node;
	bool ack_force;
	char ack_reason[FENCE_TEXT_MAX];
	bool stopping; /* SIGTERM: leave as soon as nothing is held */
	bool left;
	bool stored;           /* what FENCE_ACT_STORE asked for last is on the disk */
	char store_error[160]; /* why not; empty: nothing went wrong */
	struct loop_timer *store_again;

	struct { /* what each agent run of ours is about */
		uint64_t id;
		uint32_t node;
		uint8_t level, device;
		enum fence_agent_action action;
		uint32_t attempt;
	} run[2 * NODES_MAX];
	struct {
		uint64_t id;
		uint32_t node;
		uint8_t level, device;
	} check;
	struct path_result path[NODEID_MAX + 1][CONFIG_LEVELS_MAX][CONFIG_METHOD_MAX];
	uint64_t victim_ms[NODEID_MAX + 1];
	uint64_t proof_ms[NODEID_MAX + 1];
	struct {
		struct loop_timer *timer;
		unsigned next;
		bool failed;
		char said[FENCE_TEXT_MAX];
	} unfence;
	bool drilled[NODEID_MAX + 1]; /* a drill of it goes on: until it is a member again */
};

/* shell.c */
int shell_start(
	struct fenced *f); /* 0; -EAGAIN: corosync is not there yet; else no use to try again */
int feed(struct fenced *f, struct fence_event ev);
void signs_set(struct fenced *f, const struct fence_signs *signs);
const char *node_name(const struct fenced *f, uint32_t id);

void shell_join(struct fenced *f); /* the group: from here on views come */

/* guard.c: arms this node's watchdog and pets it as the core allows */
int guard_begin(struct fenced *f); /* 0 or -errno */
void guard_end(struct fenced *f);
void guard_alive(struct fenced *f, const void *who, size_t len); /* a daemon's loop turns */
void guard_goodbye(struct fenced *f); /* we left in order: nobody counts on it any more */

/* unfence.c */
bool unfence_begin(struct fenced *f); /* false: nothing to do; else shell_join() follows */
bool unfence_run_done(struct fenced *f, uint64_t id,
		      const struct agent_result *res); /* was it ours? */
void unfence_end(struct fenced *f);

/* main.c */
void reboot_now(struct fenced *f, const char *why);
void stop_now(struct fenced *f, int code);
void try_leave(struct fenced *f);

/* store.c */
void store_load(struct fenced *f, struct fence_config *fc);
void store_save(struct fenced *f); /* f->stored, f->store_error */
void holds_save(bool holds);
bool holds_load(void);

/* store_loop.c */
int store_loop_save(const struct fence_stored *st); /* 0 or -errno */
void store_loop_load(struct fence_config *fc);
json_int_t drill_age_s(int64_t then_s); /* by two wall clocks: for people */

/* answer.c */
void on_ipc(void *arg, struct ipc_peer *peer, uint32_t type, const void *data, size_t len);
void on_ipc_gone(void *arg, struct ipc_peer *peer);
void publish(struct fenced *f);
void ack_answer(struct fenced *f, int rc, const char *text);
void leave_answer(struct fenced *f);

/* attest.c */
int attest_open(struct fenced *f);
void attest_close(struct fenced *f);
void attest_hurry(struct fenced *f, struct nodeset over, bool again);
json_t *attest_json(const struct fenced *f);

/* doctor.c */
int doctor_open(struct fenced *f);
void doctor_close(struct fenced *f);
bool doctor_deliver(struct fenced *f, uint32_t from, const void *data,
		    size_t len); /* was it ours? */
void doctor_view(struct fenced *f);
/* An agent is about to fence. */
void doctor_make_way(struct fenced *f, uint32_t node, uint8_t level, uint8_t device);
json_t *doctor_request(struct fenced *f, const json_t *req);

/* status.c */
json_t *status_json(struct fenced *f);
json_t *why_json(struct fenced *f, const char *name, const char *kind);

/* tell.c */
void tell(struct fenced *f, const struct fence_action *a);
void tell_run(struct fenced *f, uint32_t node, uint32_t attempt, uint8_t level, const char *device);
void tell_step(struct fenced *f, uint32_t node, uint32_t attempt, uint8_t level, const char *device,
	       const char *action, const struct agent_result *res);

#endif
