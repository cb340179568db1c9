/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/fence.h - the fence domain as a pure state machine.
 *
 * Decides who is a victim, who fences it, when, and what counts as a proof that it is over. No I/O, no clock, no log, no
 * allocation after fence_new(): the same events give the same actions. fenced feeds it from corosync, sim/ from a seed; it
 * cannot tell them apart.
 *
 * Every node holds the same book: one record for each configured node, and a history number. A view (or a change of the
 * group within one ring) starts a round: each member sends SYNC with its own life and its book; when all have arrived, all
 * adopt the same book and go on (sync.c). From there the book changes only by delivered messages, in the agreed order. A
 * message of another view, from a stranger or from a victim is dropped; whoever owns a fact repeats it in the new view.
 *
 *   FENCE-1  an agent switches off only a victim, only for a member of a quorate view (SAFE-4)         fence_broken()
 *   FENCE-2  DEAD has a proof that names that very life; a victim has none (SAFE-1, SAFE-2)             fence_broken()
 *   FENCE-3  nobody fences itself; a node that learns that it is a victim reboots itself at once, or, of a
 *            drill, within drill_wait_ms                                                               fence_broken()
 *   FENCE-4  informed => a node outside corosync's membership is unseen, victim or dead, nothing else   fence_broken()
 *   FENCE-5  members at one point of the order hold the same book                                       sim/world.c
 *   FENCE-6  no proof exists for a life that can still write (the basis of SAFE-1)                      sim/check_fence.c
 *   FENCE-7  faults stop, quorum stays and agents work => no victim is left (liveness)                  sim/check_fence.c
 *   FENCE-8  off_verified needs "off" done and "status" off, device by device, of one run (SAFE-3)      tests/scenario/fence/second_level_all_devices.scn
 *   FENCE-11 a cut of two nodes at any moment leaves exactly one                                        sim/question_cut.c
 *   FENCE-13 watchdog_expired needs the armed word of that very life and its whole time out of the ring   tests/scenario/fence/watchdog_*.scn
 *   FENCE-14 an agent starts when another member has taken the attempt in, or none could for a while    sim/check_fence.c
 *   FENCE-15 who has failed is followed by the next candidate                                           sim/check_fence.c
 *   FENCE-16 an attempt from before a long sleep is begun anew                                          sim/check_fence.c
 *   FENCE-12 that is the one that serves, of those that reach storage and gateway                       sim/question_cut.c
 *   FENCE-17 corosync is hurried only about a life that a hypervisor says is over (SAFE-11), twice in a ring, by one node   sim/check_fence.c
 *   FENCE-18 fenced too often within a while: it starts nothing and fences nobody until an operator lets it in, over restarts of all   tests/scenario/fence/fence_loop_*.scn
 *   FENCE-20 whose watchdog is not petted any more has let go, or reboots itself, before it fires                     sim/check_storage.c
 *   FENCE-19 a drill: only of a whole cluster's node that holds nothing, one at a time; tested means read back        sim/check_drill.c
 */
#ifndef STOCKADE_FENCED_CORE_FENCE_H
#define STOCKADE_FENCED_CORE_FENCE_H

#include "lib/fence_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FENCE_LEVELS_MAX 8
#define FENCE_DEVICES_MAX 4 /* of one level: all off, then all read back */
#define FENCE_LOOP_MAX 8    /* so many fencings of a node are remembered */
#define FENCE_LEVEL_NONE 0xff
#define FENCE_TEXT_MAX 192
#define FENCE_MSG_MAX 16384
#define FENCE_ACTIONS_MAX 96

struct fence_domain; /* opaque outside core/ */

struct fence_path { /* how many devices each level has; what they are is the daemon's business */
	uint8_t n_levels;
	uint8_t n_devices[FENCE_LEVELS_MAX];
	bool watchdog[FENCE_LEVELS_MAX]; /* the level is the node's own watchdog; one device */
	uint8_t no_on
		[FENCE_LEVELS_MAX]; /* bit by device: never switched on by others (unfence; storage) */
	bool storage
		[FENCE_LEVELS_MAX]; /* all its devices cut off storage: the node runs on, proof storage_cut */
};

struct fence_looped { /* when a node was fenced, as ages: the youngest first */
	uint8_t n;
	uint32_t age_ms[FENCE_LOOP_MAX]; /* UINT32_MAX: older than can be told */
};

/* The last drill of a node, and when each of its levels was last seen to work (drill.c). Agreed, and kept over restarts. */
struct fence_drill {
	uint64_t number; /* of the proof that settled it; 0: there was none yet */
	int64_t wall_s;  /* of that proof, for people */
	enum proof_kind kind;
	uint8_t level; /* that was to be tested */
	bool tested;   /* each device of that level did "off", and then said off */
	struct fence_tested {
		uint64_t number; /* of the proof by this level, by a drill; 0: none */
		int64_t wall_s;
	} levels[FENCE_LEVELS_MAX];
};

/* The life of another node that the last agreed view knew, and a hypervisor's word about it (SAFE-11). Kept on disk, so that the word
 * outlives a fenced that ends before it has become a proof. Who said goodbye is not among them. */
struct fence_kept {
	struct incarnation life;
	bool attested;
	char text[PROOF_EVIDENCE_MAX];
};

struct fence_config {
	struct incarnation self;
	struct nodeset nodes; /* every configured node, self included */
	uint64_t
		hash; /* of the whole configuration; members that disagree are named and not ready */
	bool reboot;  /* switch a proven victim on again */
	struct fence_path path[NODEID_MAX + 1]; /* by nodeid */
	uint32_t cut_delay_ms;                  /* lib/timing.h says what these are for */
	uint32_t post_join_ms;
	uint32_t absent_ms;
	uint32_t retry_min_ms, retry_max_ms;
	uint32_t ready_interval_ms, ready_age_ms;
	uint32_t
		confirm_ms; /* nobody confirmed our attempt this long: go on; no stale view lasts longer */
	uint32_t
		stall_ms; /* woken later than this: we slept, and our view may be over; below corosync's token */
	/* after an attested death: corosync is asked to go on so much later, alone or with others who must have answered by then */
	uint32_t hurry_alone_ms, hurry_ms;
	/* Proofs kept by an earlier run of this daemon under the same kernel; they count in that very ring only. */
	struct view_id stored_view;
	unsigned n_stored;
	struct proof stored[NODES_MAX];
	/* Lives that it knew, for who starts alone: in that ring; or in the next one, for nodes that are not in it. */
	struct view_id kept_view;
	unsigned n_kept;
	struct fence_kept kept[NODES_MAX];
	/* lib/timing.h: a node pets on for so long after its rules ended; what the others wait beyond that and twice its timeout */
	uint32_t dog_grace_ms, dog_margin_ms;
	uint32_t
		word_fresh_ms; /* what a heartbeat on the disk said so long before its node was lost still counts */
	bool no_disk; /* no volume is configured: no heartbeat is on any disk (SAFE-13) */
	bool dog_not_storage, dog_not_daemons; /* it is petted also when these are gone */
	/* Fence loops: fenced so often within this time, a node is held until an operator lets it in. 0: no limit. */
	uint8_t loop_max;
	uint32_t loop_ms;
	struct nodeset held; /* kept by an earlier run, also of an earlier kernel */
	struct fence_looped fenced[NODEID_MAX + 1];
	uint32_t
		drill_wait_ms; /* so long does this node wait to be switched off by a drill; no attempt takes longer */
	struct fence_drill
		drill[NODEID_MAX + 1]; /* kept by an earlier run, also of an earlier kernel */
};

/* Why a node is a victim. Wire value, name in logs and JSON, sentence for people. */
#define FENCE_REASONS(X)                                                                      \
	X(NODEDOWN, 1, "nodedown", "it fell out of the cluster without saying goodbye")       \
	X(ABSENT, 2, "absent", "its node is in the cluster, its fenced stayed away too long") \
	X(UNSEEN, 3, "unseen", "it was not seen since this cluster started")                  \
	X(REQUEST, 4, "request", "fencing was asked for")                                     \
	X(ZOMBIE, 5, "zombie", "it came back in a life that had been declared over")          \
	X(MUTE, 6, "mute", "its fenced did not answer in a new view")                         \
	X(DRILL, 7, "drill", "a drill was asked for")

enum fence_reason {
	FENCE_REASON_NONE = 0,
#define X(id, value, name, text) FENCE_REASON_##id = value,
	FENCE_REASONS(X)
#undef X
};

enum { FENCE_DAEMON_STORAGED = 1, FENCE_DAEMON_DLMD = 2 };

enum fence_agent_action { FENCE_AGENT_OFF = 1, FENCE_AGENT_STATUS, FENCE_AGENT_ON };

/* What an agent's run said. STATUS answers ON, OFF or UNKNOWN; off and on answer DONE or FAILED. */
enum fence_answer {
	FENCE_ANSWER_UNKNOWN =
		0, /* anything not understood, and status' every other exit code (SAFE-3) */
	FENCE_ANSWER_DONE,
	FENCE_ANSWER_ON,
	FENCE_ANSWER_OFF,
	FENCE_ANSWER_FAILED,
	FENCE_ANSWER_TIMEOUT,
};

struct fence_event {
	enum fence_event_type {
		FENCE_EV_VIEW = 1,   /* a new view, or its quorum changed; quorum is part of it */
		FENCE_EV_LOST,       /* corosync is gone: no view, no quorum */
		FENCE_EV_DELIVER,    /* in total order, our own messages included */
		FENCE_EV_RUN_DONE,   /* answers one FENCE_ACT_RUN */
		FENCE_EV_READY_DONE, /* answers one FENCE_ACT_CHECK */
		FENCE_EV_SIGNS,      /* storaged: who serves, what the disk says */
		FENCE_EV_REQUEST,    /* somebody here wants a node fenced */
		FENCE_EV_ACK, /* an operator vouches that a victim is off; answered by FENCE_ACT_ACK_DONE */
		FENCE_EV_LEAVE,    /* say goodbye; FENCE_ACT_LEFT follows */
		FENCE_EV_READY,    /* check the fence paths now */
		FENCE_EV_WATCHDOG, /* ours is armed, or not any more */
		FENCE_EV_ADMIT,    /* an operator lets a held node in again */
		FENCE_EV_GATEWAY,  /* do the ping targets answer this node? */
		FENCE_EV_TIMEOUT,  /* fence_deadline_ms() was reached */
		FENCE_EV_ATTEST, /* a hypervisor says that this life is over, or will be (SAFE-11) */
		FENCE_EV_DAEMONS, /* which of this node's other daemons do not answer */
	} type;
	uint64_t now_ms; /* monotonic */
	int64_t wall_s;  /* only to be written into proofs, for people (SAFE-8) */
	union {
		struct fence_view {
			struct view_id id;
			bool quorate, two_node;
			struct nodeset nodes;   /* in corosync's membership */
			struct nodeset members; /* have their fenced in the group; self included */
			struct nodeset joined;  /* members that were not in the view before */
			struct nodeset
				left_nodedown; /* the node fell out of corosync's membership */
			struct nodeset
				left_other; /* its process went, cleanly or not; the node is there */
		} view;
		struct {
			uint32_t from;
			const void *data; /* borrowed */
			size_t len;
		} deliver;
		struct {
			uint64_t run;
			enum fence_answer answer;
			const char *text; /* borrowed: device, what it answered; kept as evidence */
		} run_done;
		struct {
			uint64_t check;
			bool ok;
			const char *text; /* borrowed */
		} ready_done;
		struct fence_signs signs;
		enum life_sign gateway; /* UNKNOWN: none is configured, or nothing is known yet */
		struct {
			uint32_t node;
			const char *text; /* borrowed: who asks and why */
			bool drill;       /* only while everybody is well and it holds nothing */
			uint8_t level; /* of a drill: the one to test; NONE: whose test is longest ago */
		} request;
		uint32_t admit;    /* nodeid */
		uint32_t armed_ms; /* as read back from the device; 0: it is not armed */
		uint32_t mute;     /* DAEMONS: FENCE_DAEMON_*, or'ed */
		struct {
			struct incarnation life; /* join counts for nothing: it is about a kernel */
			bool dying;       /* paniced, and not off yet: time to prepare, no proof */
			const char *text; /* borrowed: which hypervisor, what it saw; evidence */
		} attest;
		struct {
			uint32_t node;
			bool force;       /* SAFE-5: only with a reason */
			const char *text; /* borrowed */
		} ack;
	};
};

/* Facts for the history; the shell writes the sentence. */
enum fence_note {
	FENCE_NOTE_VIEW = 1, /* a view was synced */
	FENCE_NOTE_MEMBER,   /* node joined or came back */
	FENCE_NOTE_ABSENT,   /* node's fenced is away */
	FENCE_NOTE_VICTIM,   /* text: why */
	FENCE_NOTE_PARDON,   /* an absent victim's fenced returned before anything was done to it */
	FENCE_NOTE_WAIT,     /* two-node cut: we wait first; ms */
	FENCE_NOTE_ATTEMPT,  /* by: the actor; number */
	FENCE_NOTE_FAILED, /* by, number, text: what the devices said; ms: until the next attempt */
	FENCE_NOTE_PROOF,  /* text: evidence */
	FENCE_NOTE_OUTLIVED, /* a new life joined while an agent still worked on the old one: it may be hit */
	FENCE_NOTE_CONTRADICTED, /* a life with a proof is back: the proof (kind) was wrong; text: the old evidence */
	FENCE_NOTE_ON,          /* switched on again, or not: text */
	FENCE_NOTE_READY,       /* path to node passes (text empty) or fails (text) */
	FENCE_NOTE_CONFIG,      /* node runs with another configuration */
	FENCE_NOTE_LEAVING,     /* node said goodbye */
	FENCE_NOTE_CONFIRM,     /* no other member confirmed our attempt in time */
	FENCE_NOTE_SELF_VICTIM, /* we are the victim */
	FENCE_NOTE_ATTESTED,    /* a hypervisor's word about node's life, or why it is not used */
	FENCE_NOTE_HELD,        /* fenced number times within ms: an operator has to let it in */
	FENCE_NOTE_ADMITTED,    /* an operator did */
	FENCE_NOTE_DOG,         /* we wait ms for its watchdog to have fired */
	FENCE_NOTE_DRILL_WAIT,  /* we are drilled, and wait so many ms to be switched off */
	FENCE_NOTE_DRILLED, /* a drill is settled by kind; number: the level that was tested (from 1); 0: none was, text: why */
	FENCE_NOTE_DRILL_REFUSED, /* text: why there was no drill after all */
	FENCE_NOTE_STALL,         /* we slept; ms: how long. Nothing is begun for confirm_ms */
};

struct fence_action {
	enum fence_action_type {
		FENCE_ACT_SEND =
			1, /* broadcast fence_actions.msg to the group; at most once in a list */
		FENCE_ACT_RUN, /* run an agent, hand `run` back */
		FENCE_ACT_CANCEL_RUN, /* nobody waits for it any more: kill it; an answer would be dropped */
		FENCE_ACT_CHECK,       /* readiness of one device for one node, hand `check` back */
		FENCE_ACT_PUBLISH,     /* fence_snapshot() changed */
		FENCE_ACT_STORE,       /* keep fence_stored() on disk */
		FENCE_ACT_REBOOT_SELF, /* at once, without sync (SAFE-7) */
		FENCE_ACT_LEFT,        /* goodbye was heard: leave the group and end */
		FENCE_ACT_ACK_DONE,    /* result of FENCE_EV_ACK */
		FENCE_ACT_HURRY,       /* corosync: ask who is there; again: go on with those */
		FENCE_ACT_HISTORY,
	} type;
	union {
		struct {
			uint64_t run;
			uint32_t node; /* the victim */
			uint8_t level, device;
			enum fence_agent_action action;
			uint32_t attempt; /* 0: for an ack */
		} run;
		uint64_t cancel;
		struct {
			struct nodeset over; /* attested, and still in corosync's membership */
			bool again;
		} hurry;
		struct {
			uint64_t check;
			uint32_t node;
			uint8_t level, device;
			bool on; /* it is a member: a device that says off speaks of another machine */
		} check;
		struct {
			uint32_t node;
			int rc; /* 0: the proof was sent; -EBUSY: text says which channel shows life; -ECANCELED */
			char text[FENCE_TEXT_MAX];
		} ack;
		struct {
			enum fence_note note;
			uint32_t node, by;
			uint32_t number; /* attempt */
			uint32_t ms;
			enum fence_reason reason;
			enum proof_kind kind;
			char text[FENCE_TEXT_MAX];
		} history;
	};
};

struct fence_actions { /* caller's storage; every step overwrites it */
	unsigned n;
	struct fence_action v[FENCE_ACTIONS_MAX];
	size_t msg_len; /* of FENCE_ACT_SEND */
	uint8_t msg[FENCE_MSG_MAX];
};

/* What happens about a victim, seen from here (doc/protocol.md). */
enum fence_phase {
	FENCE_PHASE_NONE = 0, /* it is no victim, or we are not informed */
	FENCE_PHASE_DELAY,    /* two-node cut: the other side gets its time first */
	FENCE_PHASE_OFF,
	FENCE_PHASE_VERIFY,
	FENCE_PHASE_ON,
	FENCE_PHASE_RETRY,   /* every candidate failed; again in next_ms */
	FENCE_PHASE_WAIT,    /* another member acts, or nobody may */
	FENCE_PHASE_DOG,     /* until its watchdog has fired for certain */
	FENCE_PHASE_CONFIRM, /* we are to act, and another member has not answered yet */
};

/* One node in depth, for `status` and `why`. */
struct fence_node_status {
	struct fence_node pub; /* as subscribers see it */
	enum fence_reason reason;
	char why[FENCE_TEXT_MAX];    /* victim: who asked, what was seen */
	uint32_t attempts;           /* begun for this victim */
	uint32_t rounds;             /* every possible actor failed this often */
	uint32_t actor;              /* who is to act now; 0: nobody can */
	char failed[FENCE_TEXT_MAX]; /* last failure, in the agents' words */
	enum fence_phase phase;
	uint8_t level, device; /* of OFF, VERIFY, ON */
	uint64_t since_ms;     /* monotonic: in this state since */
	uint32_t next_ms;      /* until we act, when we are the actor; UINT32_MAX: not us, or now */
	bool acting;           /* a run of ours is on it */
	bool config_differs;
	uint64_t config_hash;     /* as it said itself; 0: it said nothing */
	uint32_t weight;          /* services it runs, as it said itself */
	uint32_t armed_ms;        /* its watchdog's timeout, as this life said; 0: unknown */
	bool armed_by_disk;       /* only its heartbeat on the disk says so */
	bool held;                /* fenced too often: waits to be let in */
	unsigned fenced_recently; /* within loop_ms */
	struct fence_drill drill; /* the last one */
	bool drill_pending;       /* one was asked for here, and is not agreed yet */
	char drill_refused[FENCE_TEXT_MAX]; /* the last one that was asked for here did not begin */
	char drill_error
		[FENCE_TEXT_MAX]; /* what the devices said to the last one that failed, as heard here */
	struct nodeset ready_by;         /* members with a pass within ready_age_ms */
	struct nodeset fail_by;          /* members whose last check failed */
	char ready_text[FENCE_TEXT_MAX]; /* our own last failed check */
};

struct fence_status {
	struct fence_state pub;
	bool synced, two_node, leaving;
	struct nodeset nodes, members; /* of the view */
	struct nodeset waiting_sync;   /* members whose SYNC is missing */
	uint64_t number;               /* history number of the book */
	uint32_t node_count;
	struct fence_node_status node[NODES_MAX];
};

struct fence_stored { /* what survives a restart of the daemon alone */
	struct view_id view;
	unsigned n;
	struct proof proof[NODES_MAX];
	struct view_id kept_view; /* the last that was agreed on */
	unsigned n_kept;
	struct fence_kept kept[NODES_MAX];
	/* These hold for any later run: */
	struct nodeset held;
	struct fence_looped fenced[NODEID_MAX + 1];
	struct fence_drill drill[NODEID_MAX + 1];
};

struct fence_domain *fence_new(
	const struct fence_config *cfg); /* copies; NULL: errno EINVAL or ENOMEM */
struct fence_domain *fence_free(struct fence_domain *dom); /* NULL is fine; returns NULL */

/**
 * fence_step() - feed one event, get the actions it causes, in the order to do them.
 * @ev:  borrowed for the call; nothing in @out points into it
 * Return: 0, or with the domain unchanged by @ev (what its time makes due may still happen):
 *   -EBADMSG  DELIVER that cannot be decoded
 *   -ESTALE   DELIVER of another view, from a non-member or from a victim
 *   -EAGAIN   DELIVER of an operation before the view is synced; REQUEST, ACK, LEAVE without a synced quorate view;
 *             ATTEST before the first one: it has to be said again
 *   -ESTALE   ATTEST of a life that is not the node's latest known one
 *   -EINVAL   VIEW without ourselves; ACK of a node that is no victim, or forced without a reason; ADMIT of one not held
 *   -ENOENT   REQUEST, ADMIT, ACK or ATTEST of a node that is not configured; an answer to a run or check that nobody waits for
 *   -EPERM    REQUEST of a drill while something stands in the way
 *   -EALREADY REQUEST of a node that is a victim or dead; ACK in progress; LEAVE said before
 *   -EBUSY    LEAVE while storaged holds something, ACK while a channel shows life (see fence_refusal());
 *             SIGNS that hold while we are leaving: storaged must not go on
 */
int fence_step(struct fence_domain *dom, const struct fence_event *ev, struct fence_actions *out);

/**
 * fence_may_pet() - may the watchdog of this node be petted now? Ask right after a step.
 * @ret_why: static text: which rule does not hold; "" when all do. With true it says what will end in a reset.
 * Return: false also before all rules held once: it is not to be armed before that
 */
bool fence_may_pet(const struct fence_domain *dom, uint64_t now_ms, const char **ret_why);

const char *fence_refusal(
	const struct fence_domain *dom); /* the words to the last negative answer; "" if none */
uint64_t fence_deadline_ms(const struct fence_domain *dom); /* UINT64_MAX: nothing to wait for */
void fence_snapshot(const struct fence_domain *dom, uint64_t now_ms, struct fence_state *ret);
void fence_status(const struct fence_domain *dom, uint64_t now_ms, struct fence_status *ret);
void fence_stored(const struct fence_domain *dom, struct fence_stored *ret);
uint64_t fence_digest(const struct fence_domain *dom); /* of the book; 0: not informed (FENCE-5) */
const char *fence_broken(const struct fence_domain *dom); /* "FENCE-1", or NULL: sound */

const char *fence_reason_name(enum fence_reason reason);       /* "nodedown"; "none" */
const char *fence_reason_text(enum fence_reason reason);       /* the sentence; "" */
const char *fence_answer_name(enum fence_answer answer);       /* "off" */
const char *fence_action_name(enum fence_agent_action action); /* as agents know it */

#endif
