/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/service.h - what the whole group knows about each service, volume and node: the replicated part.
 *
 * struct service_group is the same on every node of a synced view. It changes only by what is delivered in agreed order
 * (place.c), is chosen over and acted upon by service_plan(), and travels whole in SYNC (service_wire.c).
 */
#ifndef STOCKADE_SERVICE_H
#define STOCKADE_SERVICE_H

#include "lib/incarnation.h"
#include "lib/wire.h"
#include "runner.h"

#define SERVICE_NAME_MAX 64
#ifndef SEARCH_SMALL
#define SERVICES_MAX 32
#define SERVICE_VOLUMES_MAX 32
#else /* sim/search alone, see lib/nodeset.h */
#define SERVICES_MAX 1
#define SERVICE_VOLUMES_MAX 1
#endif
#define SERVICE_TAG_MAX 128

enum service_state {
	SERVICE_STOPPED = 0, /* nowhere; not placed */
	SERVICE_STARTING,    /* placed on `node`, which brings it up as soon as its gate opens */
	SERVICE_RUNNING,
	SERVICE_STOPPING, /* `node` has to let go */
};

/* Why a move was begun; 0: none. */
enum service_move {
	SERVICE_MOVE_NONE = 0,
	SERVICE_MOVE_RELOCATE,
	SERVICE_MOVE_FAILBACK,
	SERVICE_MOVE_STANDBY
};

struct service_config { /* from the config file, equal on all nodes that agree on its hash */
	char name[SERVICE_NAME_MAX];
	bool enabled;     /* at first sight; later the operator's word counts */
	unsigned n_order; /* the domain; 0: any node, none preferred */
	uint32_t order[NODES_MAX];
	bool ordered, restricted, failback;
	unsigned n; /* resources */
	bool is_volume[RUNNER_RESOURCES_MAX];
	unsigned volume[RUNNER_RESOURCES_MAX]; /* index; only where is_volume */
	uint32_t restarts, restart_window_ms;
};

struct service {
	enum service_state state;
	bool enabled;
	bool begun; /* STARTING: its node has begun; until then `lost` may still wait for a proof */
	bool restart;  /* stop it, then start it on the node where it was */
	uint32_t node; /* 0: none; never 0 unless STOPPED */
	uint32_t lost; /* the owner before, gone without a goodbye; 0: none */
	uint32_t
		target; /* where it is to go next, by `move` or by an operator's wish; 0: the plan decides */
	enum service_move move;
	bool move_ready; /* the target has prepared: the source may stop */
	uint64_t moves;  /* numbers the moves; joins PREPARED to its move */
	uint64_t starts; /* numbers the placements; grows by one at each (never shrinks) */
	struct nodeset
		held; /* members that say they hold some of it (or may): not replaced by wishes (SAFE-1) */
	/* Told in this view (SAFE-1): members where somebody else than us has its volume active, or may have; */
	struct nodeset stray;
	struct nodeset looked; /* and those that looked since this placement, and found nothing */
	/* Told in this view: members that reach all disks of it just now; and those that have lost one. */
	struct nodeset reach, blind;
	struct nodeset mute; /* and those that tell neither, ever: of the release before */
	struct nodeset
		failed; /* nodes where it failed; not tried until the cool-down or a command */
	char failed_why[NODES_MAX][RUNNER_WHY_MAX]; /* by index of the node */
};

struct service_node {
	bool standby; /* operator's word, stored */
	bool leaving; /* its storaged is being stopped in order */
	bool clean; /* its storaged said goodbye after letting go of everything; until it joins again */
	bool down; /* it fell out of corosync's membership since its storaged was last a member */
	struct incarnation
		life;  /* of its storaged when last a member; nodeid 0: never seen by this group */
	uint64_t hash; /* of its config */
	char tag[SERVICE_TAG_MAX]; /* what it says of itself (initiator name), for comparing */
};

struct service_group {
	uint64_t history; /* grows with every change; the highest is adopted when views merge */
	uint64_t intent;  /* version of enabled and standby, stored by every node */
	struct service_node node[NODES_MAX]; /* by index of the node */
	struct service service[SERVICES_MAX];
	uint64_t epoch
		[SERVICE_VOLUMES_MAX]; /* the highest ever given to or seen on each volume; 0: none */
	/* The highest epoch of each volume whose owner said, in agreed order, that it holds nothing any more. Who did not write an
	 * epoch cannot release it: a START that the disk refused says nothing about the owner that it met there (SAFE-1). */
	uint64_t released[SERVICE_VOLUMES_MAX];
};

/* The frame in which a group lives; borrowed from struct place_config. */
struct service_frame {
	unsigned n_nodes;
	uint32_t nodeid[NODES_MAX]; /* ascending */
	char node_name[NODES_MAX][SERVICE_NAME_MAX];
	unsigned n_services;
	struct service_config service[SERVICES_MAX];
	unsigned n_volumes;
	char volume[SERVICE_VOLUMES_MAX][SERVICE_NAME_MAX];
};

/* Does a node reach the disks of a service? Unknown is neither (SAFE-3). */
enum service_reach {
	SERVICE_REACH_UNKNOWN = 0,
	SERVICE_REACH_OK,
	SERVICE_REACH_LOST,
	SERVICE_REACH_UNTOLD /* its message has no such field; not on the wire */
};

/* What one node says about one service: in SYNC for all of its own, in REPORT at each change. */
struct service_fact {
	enum runner_fact fact;
	bool failed;     /* with STOPPED or STOPPING: it gave up here */
	uint64_t starts; /* the placement it speaks of; 0: found active, and not started by us */
	char why[RUNNER_WHY_MAX];
	uint64_t epoch
		[RUNNER_RESOURCES_MAX];     /* by resource; seen on disk or written; 0: not known */
	uint64_t own[RUNNER_RESOURCES_MAX]; /* the highest that this node wrote itself; 0: none */
	enum service_reach reach;
};

int service_node_index(const struct service_frame *f, uint32_t nodeid); /* -1: not configured */
int service_index(const struct service_frame *f, const char *name);     /* -1 */
const char *service_node_name(const struct service_frame *f,
			      uint32_t nodeid); /* "?": not configured */
void service_group_init(struct service_group *g, const struct service_frame *f);

/* May it run there by its domain alone? */
bool service_allowed(const struct service_frame *f, unsigned s, uint32_t nodeid);

/**
 * service_choose() - the node for one service, or 0.
 * @members: synced members; those in standby, leaving, without its disks, or where it failed are left out, as is @except
 * Domain order when ordered; else the fewest services, then the order written; nodes outside an unrestricted domain last.
 */
uint32_t service_choose(const struct service_frame *f, const struct service_group *g, unsigned s,
			struct nodeset members, uint32_t except);

/* What service_plan() did, for the history. */
struct service_change {
	unsigned service;
	enum {
		SERVICE_CHANGE_PLACED = 1,
		SERVICE_CHANGE_STOPPING,
		SERVICE_CHANGE_MOVE,
		SERVICE_CHANGE_NO_MOVE
	} what;
	uint32_t node;      /* PLACED: where; STOPPING: where it is; MOVE: the target */
	const char *reason; /* static */
};

/**
 * service_plan() - compare what is with what should be, and decide. The one place that places.
 * @agree: all members have the same config; while false nothing is placed
 * @ret:   [2 * SERVICES_MAX] written
 * Return: number of changes. Same input, same output, on every node.
 */
unsigned service_plan(const struct service_frame *f, struct service_group *g,
		      struct nodeset members, bool agree, struct service_change *ret);

/* A fact told by @from is delivered. Return: true when the group changed. */
bool service_apply(const struct service_frame *f, struct service_group *g, unsigned s,
		   uint32_t from, const struct service_fact *fact);

/* Every SYNC of a view is in: put together what was adopted and what each member says of itself. */
struct service_claim {
	uint32_t nodeid;
	const struct service_fact *fact; /* [n_services] */
};
/**
 * service_settle() - @claim: [n] the members, ascending; @nodes: corosync's membership
 * @ret_lost: set of services (bits) whose node is gone without goodbye
 */
void service_settle(const struct service_frame *f, struct service_group *g, struct nodeset nodes,
		    const struct service_claim *claim, unsigned n, uint64_t *ret_lost);

/* @from looked what is active there that we did not start. @starts: since that placement; 0: since none.
 * Return: true when the group changed. */
bool service_looked(struct service_group *g, unsigned s, uint32_t from, bool stray,
		    uint64_t starts);

/* Does it have a volume at all? */
bool service_has_volume(const struct service_frame *f, unsigned s);

/* The target of a move has prepared, or could not. Return: true when the group changed. */
bool service_prepared(const struct service_frame *f, struct service_group *g, unsigned s,
		      uint32_t from, uint64_t move, bool ok, const char *why);

/* Operator commands, on delivery. */
enum service_cmd {
	SERVICE_CMD_ENABLE = 1,
	SERVICE_CMD_DISABLE,
	SERVICE_CMD_RELOCATE,
	SERVICE_CMD_RESTART,
	SERVICE_CMD_STANDBY,
	SERVICE_CMD_UNSTANDBY,
	SERVICE_CMD_CLEAR, /* forget where it failed; every node prepares again */
};

/**
 * service_command() - do it, or say why not.
 * @s: service index, unused for the node commands; @node: target, or 0: none named
 * @text: [len] a sentence for the operator, always set
 * Return: 0; -EPERM refused, -ENOENT nothing to do it to; the group is then unchanged
 */
int service_command(const struct service_frame *f, struct service_group *g, struct nodeset members,
		    enum service_cmd cmd, unsigned s, uint32_t node, char *text, size_t len);

/* ---- wire (service_wire.c); names, not indexes: two nodes may have different configs ---- */
void service_group_encode(const struct service_frame *f, const struct service_group *g,
			  struct wire_w *w);
/* @g starts as service_group_init() left it; unknown names are skipped. Failure shows in wire_r_done(). */
void service_group_decode(const struct service_frame *f, struct service_group *g, struct wire_r *r);
void service_fact_encode(const struct service_frame *f, unsigned s, const struct service_fact *fact,
			 struct wire_w *w);
/* Return: service index; -1: a name that is not ours, @fact is read over. */
int service_fact_decode(const struct service_frame *f, struct service_fact *fact, struct wire_r *r);

/* What must hold of a group: "STORE-1" ..., NULL: sound. See place.h. */
const char *service_group_broken(const struct service_frame *f, const struct service_group *g);

const char *service_state_name(enum service_state st); /* "running" */
const char *service_cmd_name(enum service_cmd cmd);    /* "relocate" */

#endif
