/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/daemon/dlmd.h - the shell around dlm/core: main.c (translate, feed, carry out), clients.c (libdlm), report.c (JSON). */
#ifndef STOCKADE_DLMD_H
#define STOCKADE_DLMD_H

#include "dlm/core/dlm.h"
#include "lib/shell/cluster.h"
#include "lib/shell/config.h"
#include "lib/shell/fence_link.h"
#include "lib/shell/history.h"
#include "lib/shell/ipc.h"
#include "lib/shell/log.h"
#include "lib/shell/loop.h"
#include "lib/shell/recorder.h"

struct dlmd_client {
	uint32_t
		id; /* never used twice: answers to one that ended find nobody; 0: the place is free */
	struct ipc_peer *peer; /* NULL: it is gone, and the core has not taken that yet */
	uint32_t pid;
};

struct dlmd_watch { /* a process that held locks at an earlier dlmd of this boot: its orphans go when it ends */
	int pidfd; /* -1: free */
	uint32_t pid;
};

struct dlmd {
	struct loop *loop;
	struct config *cfg;
	uint64_t started_ms;
	const struct config_node *self;
	struct incarnation inc;
	struct dlm *dlm;
	struct dlm_actions *out;
	const char *record_dir;
	struct recorder *record; /* NULL: not asked for */
	struct cluster *cluster;
	struct fence_link *fence;
	struct ipc_server *ipc;
	struct history *history;
	struct cluster_view view;
	bool has_view;
	uint64_t view_ms;
	bool evicted, leaving, fence_lost;
	uint64_t lost_ms[NODEID_MAX + 1]; /* when its life was lost; 0: not */
	struct loop_timer
		*retry; /* until corosync answers; dlm, self, cluster, fence are NULL before */
	struct loop_timer *late; /* the goodbye has this long to be delivered */
	struct dlmd_client client[DLM_CLIENTS_MAX];
	uint32_t client_last;
	struct dlmd_watch watch[DLM_CLIENTS_MAX];
};

/* main.c */
int dlmd_feed(struct dlmd *d,
	      const struct dlm_event *ev); /* dlm_step() and its actions; its return value */
void dlmd_leave(struct dlmd *d);
const char *dlmd_node_name(const struct dlmd *d, uint32_t nodeid);

/* clients.c */
extern const struct ipc_ops dlmd_ipc_ops;
void dlmd_tell(struct dlmd *d, const struct dlm_action *act); /* REPLY, DONE, BLOCKING, EVICTED */
void dlmd_watch_orphans(struct dlmd *d);                      /* after each sync */
void dlmd_goodbyes(struct dlmd *d); /* those that the core had no room for */

/* report.c */
json_t *dlmd_answer(struct dlmd *d, json_t *request); /* new reference */

#endif
