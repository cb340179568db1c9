/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/place.h - storaged's decisions as one pure state machine.
 *
 * Three layers, one entry. service.c: what the group knows and where each service belongs, computed alike on every node
 * from messages in agreed order. place.c: the join protocol (SYNC) and what travels. place_local.c: what this node does
 * about it, with one runner.c per service; place_gate.c: what stands in front of every activation. No I/O, no clock, no allocation after
 * place_new(); the daemon and the simulator feed it and cannot be told apart.
 *
 * A placement is binding: it changes only when its node says that it holds nothing, or is gone. So two nodes never take
 * one service because they looked at different moments, and no message lies between a proof and the first START.
 * The gate needs more than a placement. Before the first START here, for every other configured node, one of:
 *   it is a synced member, no victim, and says that it holds none of the service;
 *   fenced has a proof that its life is over;
 *   its storaged said goodbye after letting go, and it is still that life;
 *   its storaged's last life is over and no storaged has run in its present one.
 *
 * And every other member looked since the placement, and found no volume of it active there by other hands than ours (LOOK,
 * LOOKED). While one is known, nothing of it is placed (gate "stray"); what runs already stays, with loud words.
 *
 *   STORE-1  a service has a node unless it is stopped                         service_group_broken()
 *   STORE-2  a move has a target                                               service_group_broken()
 *   STORE-3  a placement has a number, and numbers only grow                   service_group_broken(), sim
 *   STORE-4  members at one point of the order have equal groups               sim/check_storage.c
 *   STORE-5  who may not hold anything (place_halt.c) has nothing up: all go down, and what does not in time ends
 *            in a reboot (SAFE-7)                                              place_broken(), sim
 *   STORE-6  a runner goes (GO) only with the gate open                        place_broken()
 *   SAFE-1   no two nodes may write one volume without a proof between them    sim/check_storage.c
 *   STORE-7  faults stop => every enabled service runs, or says why it cannot  sim/check_storage.c
 *   STORE-8  not synced => nobody's word changes the group                     sim/check_storage.c
 *   STORE-9  nobody asks for a fence for a disk that no node reaches,          sim/check_storage.c
 *            nor gives one up for whom another one is only back first          storage_scenario
 */
#ifndef STOCKADE_PLACE_H
#define STOCKADE_PLACE_H

#include "lib/fence_state.h"
#include "service.h"

#include <stddef.h>

#define PLACE_TEXT_MAX 320

struct place_config {
	struct service_frame frame;
	uint32_t self;
	struct incarnation
		life;  /* nodeid, boot id; join: of this storaged, grows within one boot */
	uint64_t hash; /* of the config's meaning */
	char tag[SERVICE_TAG_MAX];
	uint32_t
		absent_ms; /* a storaged whose node is in the view may be away, or silent, this long */
	/* SAFE-7, from the moment of the reason: writes are stopped by force, users are killed, this node reboots.
	 * deny_ms, hasten_ms 0: that grade is left out. deny_ms <= hasten_ms < stop_ms. */
	uint32_t deny_ms, hasten_ms, stop_ms;
	/* Own I/O to a disk fails or hangs this long: it is lost (place_disk.c); who lost it lets go within storage_stop_ms, or
	 * is fenced, if another node reaches it. storage_turn_ms: which that one must have done since before the loss, or, after an
	 * outage of both, for so long: by then this one would reach it again, too. */
	uint32_t storage_ms, storage_stop_ms, storage_turn_ms;
	uint32_t cool_ms; /* a failed node is tried again after this */
	uint32_t kill_retry_ms, prepare_retry_ms;
	uint32_t unknowns_max;
	/* What the operator said, as stored by place_intent(); version 0: nothing stored. */
	uint64_t intent;
	struct nodeset standby;
	bool enabled[SERVICES_MAX];
	/* Placements that an earlier storaged of this same boot had up (RUNDIR state file); 0: none. What the
	 * probe finds active without one is not ours: stopped and explained (SAFE-10). */
	uint64_t ours[SERVICES_MAX];
};

/* Gates, in the order they are looked at. The name is status field, log key and test word; the text is a printf format
 * whose one %s is a node or what it waits for. */
#define PLACE_GATES(X)                                                               \
	X(QUORUM, "quorum", "this side of the cluster has no quorum%s")              \
	X(SYNC, "sync", "waits for storaged on %s to say what it holds")             \
	X(SELF, "self", "this node was declared dead by the others%s")               \
	X(HALT, "halt", "this node has to let go of everything: %s")                 \
	X(FENCED, "fenced",                                                          \
	  "fenced on this node does not run, or does not know every victim yet%s")   \
	X(DISABLED, "disabled", "is disabled%s")                                     \
	X(CONFIG, "config",                                                          \
	  "%s has another configuration file; nothing is placed until they agree")   \
	X(STOPPING, "stopping", "%s is still stopping it")                           \
	X(STUCK, "stuck", "%s cannot let go of it and has to be fenced")             \
	X(ABSENT, "absent", "storaged on %s, which has it, is away")                 \
	X(FAILED, "failed", "failed on every node that may run it: %s")              \
	X(DOMAIN, "domain", "no node that may run it is online%s")                   \
	X(STANDBY, "standby", "every node that may run it is in standby%s")          \
	X(PROOF, "proof", "must not start before %s is proven dead")                 \
	X(STORAGED, "storaged",                                                      \
	  "must not start before storaged runs on %s and says what is active there") \
	X(HOLDER, "holder", "%s still holds some of it")                             \
	X(READY, "ready", "no fence path to %s has passed its check (SAFE-6)")       \
	X(STRAY, "stray", "%s")                                                      \
	X(STORAGE, "storage", "%s")                                                  \
	X(LOCK, "lock", "waits for the lock of volume %s")                           \
	X(PREPARE, "prepare", "prepares %s")                                         \
	X(STEP, "step", "%s")                                                        \
	X(MOVE, "move", "moves as soon as %s is prepared")

enum place_gate {
	PLACE_GATE_NONE = 0, /* open */
#define X(id, name, text) PLACE_GATE_##id,
	PLACE_GATES(X)
#undef X
};

struct place_wait { /* why something is not where it should be */
	enum place_gate gate;
	uint32_t node;             /* that it waits for; 0: none */
	int volume;                /* index; -1: none */
	char text[PLACE_TEXT_MAX]; /* a clause, ready to print; "" when NONE */
};

struct place_look { /* of one service: what of its volumes is active in this kernel, whoever did it */
	enum drive_result
		active; /* DRIVE_NONE: nothing; DRIVE_OK: some; DRIVE_UNKNOWN: cannot tell */
	char text[RUNNER_WHY_MAX]; /* unless NONE: a clause for people, with node and remedy */
};

struct place_event {
	enum {
		PLACE_EV_START = 1, /* first of all: look what is active */
		PLACE_EV_VIEW,
		PLACE_EV_LOST, /* corosync is gone: no view, no quorum */
		PLACE_EV_DELIVER,
		PLACE_EV_FENCE, /* news from fenced; state NULL: it cannot be reached */
		PLACE_EV_DRIVER,
		PLACE_EV_MONITOR,
		PLACE_EV_LOCK,
		PLACE_EV_COMMAND, /* from an operator here; answered by PLACE_ACT_ANSWER, perhaps at once */
		PLACE_EV_LEAVE, /* this storaged shall stop: let go of everything, then PLACE_ACT_LEFT */
		PLACE_EV_LOOK, /* looked just now: asked by PLACE_ACT_LOOK, or because it was time */
		PLACE_EV_DISK, /* own I/O to the disk of a volume (heartbeats, written or read): at each change, and
				* again while it fails */
		PLACE_EV_TIMEOUT,
	} type;
	uint64_t now_ms;
	union {
		struct {
			struct view_id id;
			bool quorate;
			struct nodeset nodes;      /* in corosync's membership */
			struct nodeset members;    /* in our group, ourselves included */
			struct nodeset left_clean; /* said goodbye */
		} view;
		struct {
			uint32_t from;
			const void *data;
			size_t len;
		} deliver;
		struct {
			const struct fence_state *state; /* borrowed */
		} fence;
		struct {
			uint64_t run;
			enum drive_result result;
			const char *why;
			uint64_t epoch; /* of the volume as read or written; 0: not known */
			uint32_t
				owner; /* OK: whom the disk's record calls its active owner; 0: nobody, or not known */
			bool cut_off; /* the disk says that our key was taken off it: another one cut us off */
			bool ours; /* the record with this epoch names this life of the node as its active owner */
		} driver;
		struct {
			unsigned service, res;
			enum drive_result result;
			const char *why;
			bool cut_off; /* as in driver */
		} monitor;
		struct {
			unsigned volume;
			bool held; /* false: lost, or refused for good */
		} lock;
		struct {
			const struct place_look *v; /* [n_services], borrowed */
		} look;
		struct {
			unsigned volume;
			/* OK: it works; LOST: it has failed or hung for a while, since ok_ms; UNKNOWN: none is done */
			enum service_reach reach;
			bool sure; /* LOST: its connection has failed, too; where there is none: silent for as long as that takes */
			uint64_t
				ok_ms; /* LOST: when it last worked, or began to be tried; <= now_ms */
		} disk;
		struct {
			uint64_t req; /* the caller's, handed back */
			enum service_cmd cmd;
			unsigned service;
			uint32_t node;
		} command;
	};
};

/* For the history; names of events in doc/protocol.md. */
enum place_note {
	PLACE_NOTE_VIEW_LOST = 1, /* node: a member fell out of the membership */
	PLACE_NOTE_LOST,          /* service, node: it was there */
	PLACE_NOTE_PLACED,        /* service, node, text: reason */
	PLACE_NOTE_MOVE,
	PLACE_NOTE_NO_MOVE,
	PLACE_NOTE_GATE_OPEN,  /* service: GO; the start begins */
	PLACE_NOTE_RUNNING,    /* service, took_ms since GO */
	PLACE_NOTE_STOP,       /* service, text: reason */
	PLACE_NOTE_STOPPED,    /* service, took_ms since STOP */
	PLACE_NOTE_FAILED,     /* service, text */
	PLACE_NOTE_FOREIGN,    /* service: found active, not ours; being stopped (SAFE-10) */
	PLACE_NOTE_HALT,       /* text: everything here is stopped (SAFE-7) */
	PLACE_NOTE_DENY,       /* text: why all writes here are stopped by force (SAFE-7) */
	PLACE_NOTE_HASTEN,     /* text: why users are killed, and nothing is waited for any more */
	PLACE_NOTE_RESUME,     /* quorum is back in time */
	PLACE_NOTE_COMMAND,    /* text */
	PLACE_NOTE_STRAY,      /* service, node, text: a volume is active there by hand (SAFE-1) */
	PLACE_NOTE_STRAY_GONE, /* service, node */
	PLACE_NOTE_DIFFERS,    /* node: another config, or text: the same tag as ours */
	PLACE_NOTE_BLIND, /* service, node: it does not reach the service's storage; text: what follows */
	PLACE_NOTE_REACHED, /* service, node: it does again */
	PLACE_NOTE_LOST_KILL, /* service, took_ms since it was given up; text: why whoever uses it is killed */
};

struct place_action {
	enum {
		PLACE_ACT_SEND = 1, /* to the group; bytes are valid until the next step */
		PLACE_ACT_DRIVE,
		PLACE_ACT_CANCEL, /* kill the driver of `run`; its DRIVER event still comes */
		PLACE_ACT_LOCK, /* ask for, or adopt, the EX lock of a volume; LOCK event when held */
		PLACE_ACT_UNLOCK,
		PLACE_ACT_MONITOR, /* watch (on) or stop watching the resources of a service */
		PLACE_ACT_BEAT, /* disk heartbeat of a volume: node self: write; another: watch its; 0: none */
		PLACE_ACT_LOOK, /* look now what is active; LOOK event, not before the next step */
		PLACE_ACT_SOON, /* a service that runs here will be stopped soon: processes may stand ready for it */
		PLACE_ACT_FENCE,  /* ask fenced for it */
		PLACE_ACT_REBOOT, /* this node, now, by sysrq (SAFE-7) */
		PLACE_ACT_STORE,  /* the operator's word changed: store place_intent() */
		PLACE_ACT_STATE, /* place_ours() changed: write it before anything that follows in this list */
		PLACE_ACT_ANSWER,
		PLACE_ACT_LEFT, /* nothing is held any more: say goodbye and end */
		PLACE_ACT_NOTE,
	} type;
	union {
		struct {
			const uint8_t *data;
			size_t len;
		} send;
		struct {
			unsigned service, res;
			enum drive_op op;
			uint64_t run;
			uint64_t epoch;    /* START of a volume: to be written, at least */
			uint64_t released; /* START of a volume: owners up to this epoch let go */
			bool dirty;        /* START: the owner before was lost */
			uint32_t limit_ms; /* at most; 0: the resource's own limit */
		} drive;
		struct {
			uint64_t run;
		} cancel;
		struct {
			unsigned volume;
		} lock;
		struct {
			unsigned service;
			bool on;
		} monitor;
		struct {
			unsigned volume;
			uint32_t node;
		} beat;
		struct {
			unsigned service;
		} soon;
		struct {
			uint32_t node;
			const char *reason; /* static */
		} fence;
		struct {
			const char *reason;
		} reboot;
		struct {
			uint64_t req;
			int rc; /* 0; -EPERM refused; -EAGAIN not now; -ENOENT */
			uint64_t starts;
			const char *text; /* valid until the next step */
		} answer;
		struct {
			enum place_note note;
			int service; /* -1: none */
			uint32_t node;
			uint64_t took_ms;
			const char *text; /* valid until the next step; NULL: none */
		} note;
	};
};

#define PLACE_ACTIONS_MAX 1280
struct place_actions {
	unsigned n;
	struct place_action v[PLACE_ACTIONS_MAX];
};

struct place;

struct place *place_new(const struct place_config *cfg); /* copies cfg; NULL: no memory */
struct place *place_free(struct place *p);

/**
 * place_step() - feed one event, get the actions it causes, in the order to do them.
 * @ev: borrowed for the call
 * Return: 0, or with nothing changed and out->n == 0:
 *   -EBADMSG  a message that cannot be read
 *   -EPROTO   a message from a node that is not a member, or of an unknown type
 *   -EAGAIN   an op delivered before the view is synced; who owns the fact repeats it
 *   -EINVAL   an index, node or run that does not exist; a view without ourselves
 */
int place_step(struct place *p, const struct place_event *ev, struct place_actions *out);
uint64_t place_deadline_ms(const struct place *p); /* UINT64_MAX: none */

/* Is every probe answered? Join the group only then: until then we cannot say what we hold. */
bool place_probed(const struct place *p);

/* ---- to look at; pointers are valid until the next step ---- */
/* How far this node has got in letting go of everything because it may not hold anything (SAFE-7). */
enum place_halt {
	PLACE_HALT_NONE = 0,
	PLACE_HALT_ORDER,  /* stops everything in order */
	PLACE_HALT_DENY,   /* writes were stopped by force */
	PLACE_HALT_HASTEN, /* users are killed */
	PLACE_HALT_REBOOT,
};
struct place_summary {
	bool view, quorate, synced, informed, halted, leaving;
	struct view_id view_id;
	struct nodeset nodes, members, unsynced; /* unsynced: members whose SYNC is missing */
	uint64_t view_ms;
	unsigned weight; /* services that run here */
	bool holds;      /* something here is active, or may be */
	uint64_t history, intent;
	struct place_wait gate; /* of this node, whatever the service */
	enum place_halt halt;
	const char *halt_why;   /* static; NULL: none */
	uint64_t halt_since_ms; /* of the reason */
	uint64_t
		halt_next_ms; /* when the next grade begins; UINT64_MAX: nothing is held any more */
	uint64_t halt_end_ms; /* of the reboot; likewise */
};
void place_summary(const struct place *p, struct place_summary *ret);

enum place_shown { /* service state for people, one word more than the group's */
		   PLACE_SHOWN_STOPPED = 0,
		   PLACE_SHOWN_STARTING,
		   PLACE_SHOWN_RUNNING,
		   PLACE_SHOWN_STOPPING,
		   PLACE_SHOWN_FAILED, /* enabled, and failed wherever it may run */
		   PLACE_SHOWN_LOST,   /* its node is gone without a proof */
};
struct place_service {
	const struct service *group;
	enum place_shown shown;
	uint64_t since_ms;             /* in that state, as seen here */
	uint64_t failed_ms[NODES_MAX]; /* by index of the node: when it was learned here */
	uint64_t blind_ms[NODES_MAX];  /* the same: that it does not reach the storage; 0: not so */
	enum service_reach reach;      /* of this node */
	struct runner_status local;
	struct nodeset allowed; /* where its domain lets it run */
	struct place_wait wait;
	uint64_t epoch[RUNNER_RESOURCES_MAX]; /* last seen or written here, by resource */
};
void place_service(const struct place *p, unsigned s, struct place_service *ret);
const struct service_group *place_group(const struct place *p);
/* Is nothing of it active or being started anywhere, as far as the group knows? A service that waits for its gate is idle. */
bool place_idle(const struct place *p, unsigned s);
uint64_t place_ours(const struct place *p,
		    unsigned s); /* for the state file: placement that may be active; 0: none */
const char *place_broken(const struct place *p);

const char *place_halt_name(enum place_halt halt);    /* "deny"; "none" */
const char *place_gate_name(enum place_gate gate);    /* "proof"; "open" */
const char *place_shown_name(enum place_shown shown); /* "lost" */
const char *place_ev_name(const struct place_event *ev);

#endif
