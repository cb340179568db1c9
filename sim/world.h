/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/world.h - one world: nodes with a kernel, corosync and the three production cores; devices, a disk, operators.
 *
 * A plan (plan.h) is played on virtual time. Everything that happens is an event on one heap, or a deadline of a core,
 * or the net's (net.h); what concerns a process that hangs, or a node that is frozen, waits until it goes on. A host_*.c
 * does what the shell of that daemon does, in its order and with its losses (fence_link, ipc, libdlm): nothing that it
 * carries out feeds a core again within the step. Parts that are left out of a plan are played by small truthful
 * stand-ins (stub.c).
 *
 * The world knows the truth: what runs, what is active, who wrote. check_*.c compare it with what each core believes,
 * after every step of every core; check.h has the table of rules.
 */
#ifndef STOCKADE_SIM_WORLD_H
#define STOCKADE_SIM_WORLD_H

#include "dlm/core/dlm.h"
#include "fenced/core/fence.h"
#include "net.h"
#include "plan.h"
#include "storaged/core/place.h"
#include "trace.h"

#include <stdlib.h>

#define N_MAX NODES_MAX /* nodeids are 1..N_MAX */
#define KERNEL PARTS    /* as the target of an event: what the node does whatever its daemons do */
#define NOBODY (PARTS + 1)
#define FEEDS \
	4 /* what a fence device has in its hand: BMC, two outlets, the registration on the disks */
#define FEED_KEY 3 /* who is registered no more cannot write, and runs on */
#define R_MAX 3    /* resources of a service; 0 is its volume */
#define S_MAX PLAN_SERVICES_MAX
#define CLIENTS 3 /* of a node's dlmd: storaged, and two that lock at random */
#define CLIENT_MASK 0xff
#define CLIENT_NO_QUORUM 0x100 /* in EV_ANSWER: said in a view without */
#define NAMES 3                /* resources of those */
#define HANDLES 5              /* locks such a client has at a time */
#define DRIVERS_MAX 64
#define RUNS_MAX 256
#define LIVES_MAX 256
#define START_MS 1000
#define QUIET_MS 100000 /* after the faults: nothing fails any more, nobody helps */
#define HEAL_MS 300000  /* then somebody switches on what is off: all must be well within this */
#define TOLD_MS 3000    /* a word of a node that is well has reached the order by then */

enum ev_kind {
	EV_ACT = 1, /* a: index in the plan */
	EV_ACT_END,
	EV_OFTEN, /* a: index: what an act does again and again while it lasts */
	EV_HEAL,
	EV_MEND,
	EV_BOOT,
	EV_COROSYNC,
	EV_START, /* a: which process */
	EV_DOG,
	EV_REBOOT,
	EV_LOST,       /* a daemon: corosync is gone */
	EV_JOIN,       /* a daemon: corosync is there */
	EV_LEAVE_NEXT, /* systemd: b: of which order; the daemon has not ended in time */
	EV_AGENT,      /* a: slot, b: serial */
	EV_SIGNS,      /* data: struct fence_signs; a: life of the line */
	EV_SIGNS_GONE,
	EV_ASK, /* fenced: a: whom to fence */
	EV_GIVE_UP,
	EV_ATTEST,  /* fenced: a: node, b: its life, which a hypervisor has ended */
	EV_UNFENCE, /* fenced: registers its node before it joins */
	EV_GUARD,   /* fenced: looks whether it may pet the watchdog */
	EV_PINGED,  /* fenced: a: what the gateway's silence or answer says (enum life_sign) */
	EV_BITE,    /* a watchdog fires; b: of which arming */
	EV_ENDED,   /* storaged: it has said its last word */
	EV_RESERVE, /* storaged: a: volume: are we registered still? */
	EV_STATE,   /* data: struct snapshot; a: life of the line */
	EV_LINK_DOWN,
	EV_LINK_TRY,
	EV_LINK_LATE,
	EV_SUBMIT, /* dlmd: data: struct dlm_op */
	EV_GONE,   /* dlmd: a: client */
	EV_ANSWER, /* a client: data: struct dlm_action; a: client, b: its connection */
	EV_CLIENT, /* a: which */
	EV_LOCK,   /* storaged: a: volume, b: held */
	EV_LOCKS_TRY,
	EV_DRIVER,     /* a: slot, b: serial: its effect */
	EV_DRIVER_END, /* the same: its answer */
	EV_LOOK,
	EV_DISK, /* storaged: do its disks answer? */
	EV_WATCH,
	EV_WRITE, /* a: volume and life, b: epoch: a write of a life that is over lands */
	EV_STUB,  /* a: node: the stub's proof */
};

struct timed {
	uint64_t at_ms, seq;
	uint8_t kind, node, proc; /* proc: whose life `gen` is of, and who must be able to run */
	uint32_t gen, a;
	uint64_t b;
	void *data; /* malloc'ed; the heap's until the event is taken */
};

struct snapshot { /* of fenced, told to its subscribers */
	unsigned refs;
	struct fence_state st;
};

struct link { /* a daemon's line to fenced */
	bool up, busy;
	uint32_t life; /* what is under way from an older one is lost */
	uint64_t last_ms;
};

struct proc {
	bool on, hung, leaving, starting, grouped;
	bool newer;           /* it is of the next release */
	bool stuck;           /* hangs until somebody mends it */
	uint16_t config;      /* it runs with */
	uint32_t gen;         /* of its lives */
	uint64_t hung_ms;     /* it stands still since */
	uint64_t deadline_ms; /* of its core, world's time; UINT64_MAX: none */
};

enum handle_stage { H_FREE, H_SENT, H_PENDING, H_HELD };

struct handle { /* a lock as a random client sees it */
	uint8_t stage, name;
	bool writes;         /* its unlock or conversion carries a value */
	int8_t held;         /* what it was told, DLM_IV: nothing */
	uint32_t lkid, gone; /* lvb_gone when it wrote */
	uint64_t cookie, since_ms;
};

struct client {
	uint32_t id; /* its number at this dlmd; 0: not connected */
	struct handle h[HANDLES];
};

enum vlock_state { VLOCK_NONE, VLOCK_ADOPTING, VLOCK_ASKING, VLOCK_HELD, VLOCK_DROPPING };

struct vlock { /* storaged/daemon/locks.c */
	enum vlock_state state;
	bool wanted, told, maybe_orphan, doubt;
	bool heard; /* the core was told so: what a hanging storaged has in its queue it has not heard */
	uint32_t lkid;
	uint64_t cookie, doubt_ms;
};

struct driver {          /* a child of storaged */
	uint32_t serial; /* 0: free */
	uint64_t run;
	uint8_t s, res, op, result;
	bool act, ended; /* its effect takes place */
	bool taken; /* it wrote the record: ret_epoch; else met_epoch, of another owner, was in its way */
	uint64_t epoch, released, met_epoch, ret_epoch, effect_ms, end_ms;
};

struct word { /* in a sealed heartbeat: whose life, and is its watchdog armed? */
	uint64_t ms;
	uint32_t boot, armed_ms;
};

struct host {
	/* the machine */
	bool feed[FEEDS];
	bool runs, wrecked; /* a kernel is alive; or hangs in a panic, powered */
	bool frozen, corosync;
	uint32_t boot;
	uint32_t offs;      /* how often it lost its power */
	uint32_t cuts;      /* how often its registration was taken away */
	uint32_t cut_boot;  /* the last life whose registration was taken away */
	bool marked[S_MAX]; /* this life was registered there */
	struct {
		bool armed, growls, shown;
		uint64_t fires_ms, serial;
	} dog;
	bool dog_ours;            /* this fenced has its device open */
	uint64_t dog_from_ms;     /* this fenced runs since */
	uint64_t holds_ms;        /* fenced was told that something is held here, since */
	uint64_t alive_ms[PARTS]; /* fenced heard them then; 0: not yet */
	uint32_t mute;            /* as its core was told last */
	uint64_t away_ms;         /* its disk cannot be reached, or can, since */
	uint64_t gone_ms;         /* when it could not any more, the last time; 0: never */
	uint64_t clock_ms;        /* its monotonic clock is ahead by this (SAFE-8) */
	bool disk_away, unready, unarmed, gateway_away;
	bool held_shown;
	bool newer, newer_shown; /* its daemons are of the next release, when they start */
	bool booting, rebooting;
	uint64_t boot_serial;
	/* systemd stops its daemons in order, storaged first, and starts them after leave_ms */
	bool leaving;
	uint32_t leave_ms;
	uint64_t leave_serial, stopped_until_ms;
	struct prng prng;
	struct proc proc[PARTS];
	struct timed *parked; /* for what stands still */
	unsigned n_parked, cap_parked;
	uint16_t config;
	uint8_t device[FEEDS]; /* enum device_mode */
	bool off_done[FEEDS];  /* the last off was answered with "done" */
	bool off_asked[FEEDS]; /* of the device itself, last */

	/* fenced */
	struct fence_domain *dom;
	bool informed;                /* as it published last */
	uint64_t asleep_ms, woken_ms; /* frozen or hung since; it slept long, until */
	struct fence_stored stored;
	uint32_t stored_boot, holds_boot; /* /var/lib, /run: of that life */
	bool unfenced;                    /* its node is registered: it may join */
	enum life_sign pinged;            /* as it was told last */
	struct fence_signs fsigns;        /* as fenced was told */
	struct link link[PARTS];          /* DLM, STORAGE */

	/* dlmd */
	struct dlm *dlm;
	uint32_t client_last;
	bool evicted, dlm_view, dlm_joined;
	struct net_view dview;
	struct client client[CLIENTS];

	/* storaged */
	struct place *place;
	struct fence_state fstate; /* as it was told last */
	bool fstate_known, joined, ended, ending;
	struct fence_signs signs; /* as it says */
	bool signs_sent;
	uint64_t unsynced;              /* digest of its group while it is not synced; 0: it is */
	uint64_t noquorum_ms, awake_ms; /* awake: its node or its process goes on since */
	uint64_t
		let_go_told_ms; /* that its watchdog will not be petted, by the word that stands; 0: none does */
	uint64_t victim_ms; /* it was told that its node is a victim */
	struct nodeset unready_told;
	struct vlock vlock[S_MAX];
	uint64_t lock_cookie;
	uint32_t lock_client;
	struct driver driver[DRIVERS_MAX];
	bool monitor[S_MAX], watches[S_MAX], look_soon;
	uint32_t beat[S_MAX]; /* whose heartbeat it writes (its own) or watches */
	uint64_t beat_since_ms[S_MAX], beaten_ms[S_MAX];
	struct word said[S_MAX];    /* in its own block, when its heartbeat last moved */
	struct word word[S_MAX];    /* read in another's: ms: it was seen to move, 0: not yet */
	uint64_t word_of_ms[S_MAX]; /* and that beat is of then */
	uint64_t disk_ok_ms[S_MAX]; /* when a disk was in reach last */
	enum service_reach disk_told[S_MAX];
	bool disk_looks;
	bool watching;
	uint64_t look_ms;
	bool active[S_MAX][R_MAX]; /* the truth; dies with the kernel */
	uint64_t epoch[S_MAX];     /* under which it writes */
	uint64_t hand_ms[S_MAX];   /* somebody activated it by hand */
	uint64_t ours[S_MAX];      /* /run */
	uint64_t intent;           /* /var/lib */
	struct nodeset standby;
	bool enabled[S_MAX];
};

struct agent_run {
	uint32_t serial; /* 0: free */
	uint32_t by, by_gen, by_boot, node;
	uint64_t id;
	bool check, orphan, said, again, member;
	uint8_t feed, action, answer;
	uint64_t effect_ms, read_ms, end_ms; /* UINT64_MAX: never, or done */
};

struct volume { /* on the shared disk */
	uint64_t epoch;
	uint32_t owner, boot;
	bool active;
	struct nodeset registered;
	bool reserved; /* who is not registered may not write */
	bool forgot;   /* since it was last activated the target has forgotten who was registered */
	uint32_t flying[N_MAX +
			1]; /* the life that is over whose last write has not landed yet; 0: none */
};

struct point { /* what the first member held behind a place of the order */
	uint64_t index, digest;
};
#define POINTS 4096

/* For DLM-11: the ring in which a dlmd was synced last, also before the round that goes on, and whether that counts. */
struct past {
	uint64_t synced, before;
	bool informed;
};

struct round { /* how a round of one ring and one set of members ended */
	uint64_t ring, members, evicted, kept;
	uint32_t evicted_id, kept_id;
};
#define ROUNDS 64

struct attempt_seen {
	uint64_t number;     /* of the agreed message that announced it */
	struct nodeset took; /* who has taken that in */
	uint64_t own_ms;     /* when its actor has */
};

struct drill_seen { /* FENCE-19: the last drill of a node, against what its devices truly did (check_drill.c) */
	uint32_t boot, attempts; /* of the drilled life, 0: none yet; how many were begun */
	bool settled;
	uint8_t level;       /* of the first attempt; FENCE_LEVEL_NONE: it has not run */
	uint8_t acted, read; /* bits by feed: taken away, and read back by an agent, since */
	uint8_t lied;        /* said "done" and did nothing, or not yet, since */
	uint64_t waits_ms;   /* the node waits for its device since; 0: it does not */
	uint64_t serves_ms, view_ms, stood_still_ms; /* of its fenced: since, and last */
};

struct stats {
	uint64_t seeds, steps[PARTS], virtual_ms, proofs, offs, grants, starts, takeovers, acts,
		evictions, refused, leaks, bites, helds, drills, tested;
	uint64_t pairs[ACT_KINDS]; /* bit k of i: both were there at one time */
};

struct world {
	const struct plan *plan;
	struct trace *trace; /* NULL: nobody watches */
	uint64_t now_ms, seq, serial;
	uint32_t quiet_ms;
	unsigned n;
	bool two_node, verbose, healed, mended, over;
	bool reserves, dogs;     /* by the plan's path */
	bool failed, aborted;    /* by an assertion */
	char rule[24], why[400]; /* what broke first */
	struct net *net;
	struct prng prng_net, prng;
	struct host host[N_MAX + 1];
	struct timed *heap;
	unsigned n_heap, cap_heap;
	struct agent_run run[RUNS_MAX];
	struct volume volume[S_MAX];
	unsigned begun[ACT_KINDS]; /* acts of that kind that go on now */
	bool act_on[PLAN_ACTS_MAX];
	struct stats stats;
	uint64_t trace_hash; /* of every step: same plan, same hash */

	/* checks */
	struct point point[PARTS][POINTS];
	struct past past[N_MAX + 1];
	struct round round[ROUNDS];
	struct nodeset remember[N_MAX + 1]
			       [LIVES_MAX]; /* who holds that life for over, ever since */
	uint32_t buried[N_MAX + 1];         /* the life that an operator vouched for */
	struct {                            /* corosync, FENCE-17 */
		uint64_t ring;
		uint32_t by, boot;
		struct nodeset over;
	} hurried;
	uint64_t alone_ms[N_MAX + 1]; /* nobody could confirm its attempt, and it goes on alone */
	struct attempt_seen attempt[N_MAX + 1][N_MAX + 1]; /* on whom, by whom */
	struct nodeset goodbyes[N_MAX + 1];                /* that this node heard in its view */
	/* as this node heard: on whom the last attempt failed, and whose that was */
	uint8_t failed_by[N_MAX + 1][N_MAX + 1];
	struct drill_seen drill[N_MAX + 1];
	bool forced[N_MAX + 1];   /* the ack that it works on is by force */
	uint32_t lvb_gone[NAMES]; /* how often its resource may have gone */
	uint64_t lvb_sent[NAMES], lvb_done[NAMES];
	uint64_t well_ms; /* everything is well since; 0: it is not */
	char well_why[300];
	uint64_t grant_ms;

	/* stand-ins for what the plan leaves out (stub.c) */
	struct {
		bool victim, seen, unready;
		uint32_t boot;
		struct proof proof;
		struct incarnation dead;
		bool proven;
	} stub[N_MAX + 1];
	uint64_t stub_proofs;
	struct {
		uint32_t holder, boot;
		struct nodeset waiting;
	} stub_lock[S_MAX];
};

/* How something stands from now on, or what happens: TRACE_kind, TRACE_IS_state. */
#define SHOW(w, id, what, is, name_, ...)                                            \
	TRACE((w)->trace,                                                            \
	      (.ms = (w)->now_ms, .node = (id), .kind = TRACE_##what, .state = (is), \
	       .name = (name_)),                                                     \
	      __VA_ARGS__)

static inline bool has_part(const struct world *w, unsigned part)
{
	return w->plan->parts >> part & 1;
}

/* --- world.c --- */
struct world *world_new(const struct plan *plan, bool verbose,
			struct trace *trace); /* plan and trace are borrowed */
void world_play(struct world *w);             /* to its end, or until a rule breaks */
struct world *world_free(struct world *w);

void say(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *w, const char *rule, uint32_t node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* `proc` PARTS..: KERNEL (while this boot lasts, not while frozen) or NOBODY (whatever happens). */
void push(struct world *w, uint64_t in_ms, enum ev_kind kind, uint32_t node, unsigned proc,
	  uint32_t a, uint64_t b, void *data);
static inline void *keep(const void *p, size_t len) /* a copy for push() */
{
	void *q = malloc(len);

	if (!q)
		abort();
	return __builtin_memcpy(q, p, len);
}
void unpark(struct world *w, uint32_t id);
static inline uint64_t local_ms(const struct world *w, uint32_t id)
{
	return w->now_ms + w->host[id].clock_ms;
}
static inline uint64_t world_ms(const struct world *w, uint32_t id, uint64_t local)
{
	return local == UINT64_MAX            ? local
	       : local < w->host[id].clock_ms ? 0
					      : local - w->host[id].clock_ms;
}
static inline bool can_run(const struct world *w, uint32_t id, unsigned proc)
{
	const struct host *h = &w->host[id];

	return h->runs && !h->frozen && h->proc[proc].on && !h->proc[proc].hung;
}
/* Every step of a core goes into the trace's hash. */
void stepped(struct world *w, uint32_t id, unsigned part, unsigned event, int rc, unsigned actions);

/* --- acts.c: faults and operators --- */
void act_begin(struct world *w, unsigned i);
void act_end(struct world *w, unsigned i);
void act_often(struct world *w, unsigned i, uint32_t node);
void heal(struct world *w);
void mend(struct world *w);

/* --- node.c: machines and processes --- */
struct incarnation life_of(uint32_t node, uint32_t boot, uint64_t join);
bool powered(const struct world *w, uint32_t id);
void power_changed(struct world *w, uint32_t id);
void life_ends(struct world *w, uint32_t id);
void panics(struct world *w, uint32_t id);
void boot_later(struct world *w, uint32_t id, uint32_t lo_ms, uint32_t hi_ms);
void reboot_hard(struct world *w, uint32_t id, const char *why);
void freeze(struct world *w, uint32_t id, bool on);
void corosync(struct world *w, uint32_t id, bool on);
void proc_end(struct world *w, uint32_t id, unsigned proc, bool clean, uint32_t back_ms);
void proc_start_later(struct world *w, uint32_t id, unsigned proc, uint32_t in_ms);
void proc_hang(struct world *w, uint32_t id, unsigned proc, bool on, bool stuck);
extern const char *const daemon_names[PARTS];
void node_leave(struct world *w, uint32_t id, uint32_t back_ms);
void proc_goodbye(struct world *w, uint32_t id, unsigned proc); /* its cluster_leave() */
void proc_join(struct world *w, uint32_t id, unsigned proc);    /* its cluster_open() */
void node_event(struct world *w, const struct timed *t);

/* --- host_fence.c, agents.c, link.c --- */
void fenced_start(struct world *w, uint32_t id);
void fenced_gone(struct world *w, uint32_t id); /* proc_end() has taken its life */
void fenced_leave(struct world *w, uint32_t id);
int fenced_feed(struct world *w, uint32_t id, struct fence_event *ev);
void fenced_event(struct world *w, const struct timed *t);
void fenced_view(struct world *w, uint32_t id, const struct net_view *v);
void ping_soon(struct world *w, uint32_t id); /* the gateway answers no more, or again */
void fenced_told(struct world *w, uint32_t id, const struct fence_signs *signs);

uint8_t agent_feed(const struct world *w, unsigned level, unsigned device);
void agent_start(struct world *w, uint32_t by, const struct fence_action *a);
void agent_cancel(struct world *w, uint32_t by, uint64_t id);
void agents_orphaned(struct world *w, uint32_t by, bool node_died);
void agent_event(struct world *w, const struct timed *t);

void link_publish(struct world *w, uint32_t id);
void link_signs(struct world *w, uint32_t id);
void link_fenced_gone(struct world *w, uint32_t id);
void link_reset(struct world *w, uint32_t id, unsigned part,
		uint32_t in_ms); /* the subscriber starts */
void link_drop(struct world *w, uint32_t id, unsigned part);
void link_event(struct world *w, const struct timed *t);

/* --- host_dlm.c, clients.c --- */
void dlmd_start(struct world *w, uint32_t id);
void dlmd_gone(struct world *w, uint32_t id);
void dlmd_leave(struct world *w, uint32_t id);
int dlmd_feed(struct world *w, uint32_t id, struct dlm_event *ev);
void dlmd_event(struct world *w, const struct timed *t);
void dlmd_view(struct world *w, uint32_t id, const struct net_view *v);
void dlmd_state(struct world *w, uint32_t id, const struct fence_state *st);

void client_event(struct world *w, const struct timed *t);
void clients_lost(struct world *w, uint32_t id);  /* dlmd ended */
void clients_start(struct world *w, uint32_t id); /* dlmd is there */

/* --- host_storage.c, vlock.c, drivers.c --- */
void storaged_start(struct world *w, uint32_t id);
void storaged_gone(struct world *w, uint32_t id);
void storaged_leave(struct world *w, uint32_t id);
void storaged_feed(struct world *w, uint32_t id, struct place_event *ev);
void storaged_event(struct world *w, const struct timed *t);
void storaged_view(struct world *w, uint32_t id, const struct net_view *v);
void storaged_state(struct world *w, uint32_t id,
		    const struct fence_state *st); /* NULL: line lost */
void signs_update(struct world *w, uint32_t id);
void look_at(struct world *w, uint32_t id, uint32_t in_ms);
uint64_t disk_turn_ms(const struct plan *plan); /* as lib/timing's storage_turn_ms */
void disks_soon(struct world *w, uint32_t id);  /* its storaged looks whether its disks answer */

void vlock_start(struct world *w, uint32_t id);
void vlock_want(struct world *w, uint32_t id, unsigned volume, bool wanted);
void vlock_settle(struct world *w, uint32_t id);
void vlock_lost(struct world *w, uint32_t id); /* dlmd ended, or evicts */
void vlock_event(struct world *w, const struct timed *t);

void drive(struct world *w, uint32_t id, const struct place_action *act);
void drive_cancel(struct world *w, uint32_t id, uint64_t run);
void driver_event(struct world *w, const struct timed *t);
void hand(struct world *w, uint32_t id, unsigned v, bool on);

/* --- reserve.c --- */
bool disk_lets(const struct world *w, uint32_t id, unsigned v); /* its writes are taken */
bool reserve_lost(const struct world *w, uint32_t id); /* its kernel was registered, and is not */
bool key_in(const struct world *w, uint32_t id);       /* by some disk at least */
void unfence(struct world *w, uint32_t id);
bool reserve_start(struct world *w, uint32_t id, unsigned v);
bool reserve_cut(struct world *w, uint32_t by, uint32_t node);
enum fence_answer reserve_look(const struct world *w, uint32_t by, uint32_t node);
void reserve_watch(struct world *w, uint32_t id, unsigned s);
void reserve_watch_soon(struct world *w, uint32_t id, unsigned s);
void target_restarts(struct world *w);

/* --- release.c: daemons of the next release --- */
void release_start(struct world *w, uint32_t id, unsigned part);
void release_begin(const struct world *w, uint32_t id, unsigned part);
void release_end(void);
bool release_unknown(unsigned part, const void *data,
		     size_t len); /* a later one's: it is left out */
void release_send(struct world *w, unsigned part, uint32_t id, const void *data, size_t len);

/* --- dog.c: watchdogs --- */
void dog_look(struct world *w, uint32_t id);
void dog_hears(struct world *w, uint32_t id,
	       unsigned part); /* its last word before it stands still */
void dog_disarm(struct world *w, uint32_t id);
void dog_bites(struct world *w, const struct timed *t);

/* --- disk.c --- */
bool was_cut(const struct world *w, uint32_t id,
	     uint32_t boot); /* that life was cut off: it writes no more, if the target remembers */
bool excused(const struct world *w, uint32_t id,
	     uint32_t boot); /* or an operator took that upon himself */
bool may_write(const struct world *w, uint32_t id, unsigned v);
void disk_write(struct world *w, uint32_t id, uint32_t boot, unsigned v, uint64_t epoch);
void disk_flying(struct world *w, uint32_t id); /* a life ends: its last writes are on their way */
void disk_flush(struct world *w,
		uint32_t id); /* a proof is about to be made: they land now or never */
bool record_take(struct world *w, uint32_t id, struct driver *r);
void beat_touch(struct world *w, uint32_t id); /* its heartbeats may be about to stop */
enum life_sign beat_sign(const struct world *w, uint32_t id, unsigned v);
void word_begin(struct world *w, uint32_t id, unsigned v); /* it begins to watch */
void word_read(struct world *w, uint32_t id, unsigned v);

/* --- stub.c --- */
void stub_fence_view(struct world *w, uint32_t id, const struct net_view *v);
void stub_see(struct world *w);
void stub_fence_tell(struct world *w, uint32_t id);
void stub_fence_tell_all(struct world *w);
void stub_life_ends(struct world *w, uint32_t id);
void stub_boot(struct world *w, uint32_t id);
void stub_fence_request(struct world *w, uint32_t id, const char *why);
void stub_state(struct world *w, const struct timed *t);
void stub_event(struct world *w, const struct timed *t);
void stub_lock_ask(struct world *w, uint32_t id, unsigned v);
void stub_lock_drop(struct world *w, uint32_t id, unsigned v);
void stub_locks(struct world *w);
bool stub_all_known(struct world *w, uint32_t id);
void stub_signs(struct world *w, uint32_t id, unsigned services, unsigned draw, bool known);

#endif
