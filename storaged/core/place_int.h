/* SPDX-License-Identifier: GPL-3.0-or-later */
/* place_int.h - the inside of a struct place, shared by place*.c only. */
#ifndef STOCKADE_PLACE_INT_H
#define STOCKADE_PLACE_INT_H

#include "place.h"

#ifndef SEARCH_SMALL
#define PLACE_ARENA (256 * 1024)
#define PLACE_TEXTS (16 * 1024)
#else /* sim/search alone, see lib/nodeset.h */
#define PLACE_ARENA (32 * 1024)
#define PLACE_TEXTS (8 * 1024)
#endif

enum place_msg {
	PLACE_MSG_SYNC = 1,
	PLACE_MSG_REPORT,
	PLACE_MSG_COMMAND,
	PLACE_MSG_PREPARED,
	PLACE_MSG_CLEAR,
	PLACE_MSG_LEAVING,
	PLACE_MSG_QUORATE,
	PLACE_MSG_LOOKED
};
#define PLACE_WIRE_VERSION 1
#define PLACE_PENDING_MAX 32

struct place_told { /* what the group last heard from us about a service */
	enum runner_fact fact;
	bool failed;
	uint64_t starts;
	uint64_t epoch[RUNNER_RESOURCES_MAX], own[RUNNER_RESOURCES_MAX];
	enum service_reach reach;
};

struct place_disk { /* of a volume, by this node's own I/O */
	enum service_reach
		reach; /* as told: LOST means silent, `lost` that it is so for long enough */
	uint64_t ok_ms, told_ms,
		word_ms; /* while LOST: the last success; the first word of it, the last */
	bool lost;       /* until I/O works again */
	bool asked;      /* a PREPARE, while it is lost and nothing is held */
};

struct place {
	struct place_config cfg;
	struct service_group group;
	struct runner *runner[SERVICES_MAX];
	uint64_t run_next;
	uint64_t now_ms;

	/* ---- view and SYNC ---- */
	bool started, have_view, quorate, synced, informed;
	/* Quorum as the group knows it, by what members told in order: one of them may hear of it late. */
	bool agreed;
	bool quorate_told;
	bool viewed; /* we had a view, in this run of storaged */
	/* Without quorum, or without corosync, since; 0: not so, or not told yet. */
	uint64_t no_quorum_ms;
	struct view_id view;
	struct nodeset nodes, members, heard;
	uint64_t view_ms;
	/* The best state heard so far in this view, and what each member says of itself. */
	struct service_group best;
	bool best_informed;
	uint32_t best_from;
	struct place_sync {
		struct incarnation life;
		uint64_t hash;
		bool leaving, quorate;
		char tag[SERVICE_TAG_MAX];
		struct service_fact fact[SERVICES_MAX];
	} sync[NODES_MAX];
	struct service_group
		scratch; /* a group while it is decoded, and while a step may still fail */
	struct place_sync sync_scratch;

	/* ---- fenced ---- */
	bool have_fence;
	struct fence_state fence;

	/* ---- local ---- */
	bool leaving, left;
	bool halted;
	uint64_t halt_at_ms; /* reboot when something is still held then; UINT64_MAX: not halted */
	uint64_t halt_since_ms, halt_length_ms;
	uint64_t let_go_late_ms; /* later than fenced said, as we slept */
	bool cut_off;         /* a disk of ours says that our key was taken off it, in this boot */
	enum place_halt halt; /* the grade reached */
	const char *halt_why; /* static */
	bool rebooted;
	uint64_t grace_ms;                 /* until the first view: what is ours may stay up */
	uint64_t run_starts[SERVICES_MAX]; /* the placement our runner works on, or finished */
	struct place_told told[SERVICES_MAX];
	uint64_t epoch_seen[SERVICES_MAX][RUNNER_RESOURCES_MAX];
	uint32_t disk_owner[SERVICES_MAX]
			   [RUNNER_RESOURCES_MAX]; /* by the record on the disk, as read last */
	uint64_t epoch_own[SERVICES_MAX][RUNNER_RESOURCES_MAX]; /* of them, written by this node */
	uint64_t prep_asked[SERVICES_MAX], prep_told[SERVICES_MAX]; /* move numbers */
	uint64_t soon_told[SERVICES_MAX];                           /* the same */
	uint64_t early_ms[SERVICES_MAX]; /* prepared as its node's end was announced; 0: never */
	bool expected[SERVICES_MAX];     /* as the runner was told */
	uint64_t go_ms[SERVICES_MAX], stop_ms[SERVICES_MAX]; /* for took_ms; 0: no */
	enum runner_fact fact_last[SERVICES_MAX];
	struct {
		uint64_t req;         /* 0: free */
	} pending[PLACE_PENDING_MAX]; /* commands sent and not yet delivered back */
	struct { /* the last look (SAFE-1), of services that are not held here */
		bool known;
		enum drive_result active;
		uint64_t starts; /* placement as it was then */
		char text[RUNNER_WHY_MAX];
		bool told_stray; /* in this view */
		uint64_t told_starts;
		char told_text[RUNNER_WHY_MAX]; /* while told_stray */
	} look[SERVICES_MAX];
	bool look_asked;
	uint32_t stray_from[SERVICES_MAX]; /* who told stray_text; 0: nobody */
	char stray_text[SERVICES_MAX][RUNNER_WHY_MAX];
	bool leaving_sent;
	const char *stop_reason[SERVICES_MAX]; /* static; why the group wanted it stopped last */
	uint64_t fence_self_ms[SERVICES_MAX];  /* asked; again after kill_retry_ms */
	struct place_disk disk[SERVICE_VOLUMES_MAX];
	uint64_t lost_ms[SERVICES_MAX]; /* given up for a lost disk, and still held; 0: not so */
	bool lost_hastened[SERVICES_MAX], lost_failed[SERVICES_MAX];
	uint64_t lost_ok_ms[SERVICES_MAX]; /* while given up: when its disk had answered last */
	uint64_t vain_ms
		[SERVICES_MAX]; /* stuck, and nobody would have had anything of a fence; 0: not so */
	uint64_t reach_ms[SERVICES_MAX]
			 [NODES_MAX]; /* learned that it does, ever since; 0: it does not */
	uint64_t blind_ms[SERVICES_MAX][NODES_MAX]; /* learned that it is; 0: it is not */
	uint64_t refused
		[SERVICES_MAX]; /* placement that this node gave back, as it is held; 0: none */
	bool lock_held[SERVICE_VOLUMES_MAX];
	uint32_t beat[SERVICE_VOLUMES_MAX];
	uint32_t beat_owner[SERVICE_VOLUMES_MAX]; /* the last node that ran it */
	uint64_t absent_ms[NODES_MAX];            /* since; 0: not absent */
	uint64_t absent_asked_ms[NODES_MAX];
	uint64_t failed_ms[SERVICES_MAX][NODES_MAX];
	uint64_t clear_sent_ms[SERVICES_MAX][NODES_MAX];
	enum place_shown shown[SERVICES_MAX];
	uint64_t shown_ms[SERVICES_MAX];
	uint64_t intent_stored;
	uint64_t ours_stored[SERVICES_MAX];
	const char *broken;

	/* ---- storage behind the actions of one step ---- */
	struct place_actions *out;
	struct runner_actions run_out;
	uint8_t arena[PLACE_ARENA];
	size_t arena_len;
	char texts[PLACE_TEXTS];
	size_t texts_len;
};

void place_emit(struct place *p, struct place_action act);
const char *place_text(struct place *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void place_note(struct place *p, enum place_note note, int service, uint32_t node, uint64_t took_ms,
		const char *text);

/* place.c */
bool place_agree(const struct place *p, uint32_t *differs);

/* place_wire.c: compose into the arena and emit SEND */
void place_send_sync(struct place *p);
void place_send_report(struct place *p, unsigned s, const struct service_fact *fact);
void place_send_command(struct place *p, uint64_t req, enum service_cmd cmd, unsigned s,
			uint32_t node);
void place_send_prepared(struct place *p, unsigned s, uint64_t move, bool ok, const char *why);
void place_send_clear(struct place *p, unsigned s, uint32_t node);
void place_send_leaving(struct place *p);
void place_send_quorate(struct place *p);
void place_send_looked(struct place *p, unsigned s, uint64_t starts, bool stray, const char *text);
struct place_op { /* a decoded message */
	enum place_msg type;
	bool informed;            /* SYNC: p->scratch and p->sync_scratch are filled */
	int service;              /* -1: not ours */
	struct service_fact fact; /* REPORT */
	uint64_t req;             /* COMMAND */
	enum service_cmd cmd;     /* COMMAND */
	uint32_t node;            /* COMMAND, CLEAR */
	uint64_t move;            /* PREPARED */
	bool ok;                  /* PREPARED */
	bool stray;               /* LOOKED */
	uint64_t starts;          /* LOOKED */
	char why[RUNNER_WHY_MAX]; /* PREPARED, LOOKED */
};
int place_decode(struct place *p, struct place_op *op, const void *data, size_t len);

/* place_local.c */
void place_fact(const struct place *p, unsigned s, struct service_fact *ret);
void place_feed(struct place *p, unsigned s,
		struct runner_event ev); /* one runner event, its actions passed on */
void place_down(struct place *p, unsigned s, bool urgent, const char *reason);
void place_duties(struct place *p); /* after every event: runners, reports, halting, absentees */
void place_prepare_all(struct place *p);
void place_prepare_early(struct place *p, struct nodeset ending);
void place_prepare_early_one(struct place *p, unsigned s);

/* place_disk.c */
int place_disk_event(struct place *p,
		     const struct place_event *ev); /* 0; -1: no such volume, or a time to come */
enum service_reach place_disk_reach(const struct place *p,
				    unsigned s); /* of this node, for all disks of it */
/* Who would have the service from @owner, and reaches its disks. */
struct place_heir {
	uint32_t node; /* 0: nobody */
	uint64_t
		turn_ms; /* it reached them only after @owner had lost them: whose turn it is until then; 0: it counts now */
};
struct place_heir place_disk_heir(const struct place *p, unsigned s, uint32_t owner);
/* Who might have it, and does not tell what it reaches, as its release is the one before; 0: nobody. */
uint32_t place_disk_mute(const struct place *p, unsigned s, uint32_t owner);
void place_disk_duty(struct place *p, unsigned s);
uint64_t place_disk_next_ms(const struct place *p, unsigned s);
/* It cannot let go: when to have this node fenced; UINT64_MAX: in vain, its disk is lost for everybody who might have it. */
uint64_t place_disk_stuck_ms(const struct place *p, unsigned s);
void place_disk_members(struct place *p); /* a new view, or none */
void place_disk_settled(struct place *p); /* every SYNC is in */
/* A word of @from about its disks was delivered; @blind, @reach: who had lost them, and who reached them, before. */
void place_disk_told(struct place *p, unsigned s, uint32_t from, struct nodeset blind,
		     struct nodeset reach);

/* place_halt.c (SAFE-7) */
void place_halt(struct place *p);                   /* after every event */
uint64_t place_halt_next_ms(const struct place *p); /* the next grade; UINT64_MAX: none */
uint64_t place_halt_due_ms(const struct place *p);  /* when place_halt() is to be called again */

/* place_gate.c */
void place_gate(const struct place *p, unsigned s, uint32_t at,
		struct place_wait *ret); /* of activating s on node `at` */
/* Does somebody have a volume of @s by hand, or has a member not looked since it was placed on @at? (SAFE-1) @at 0: only what
 * is known. true: @ret is set. */
bool place_stray(const struct place *p, unsigned s, uint32_t at, struct place_wait *ret);
void place_wait_set(struct place_wait *ret, enum place_gate gate, uint32_t node, const char *what);

/* place_status.c */
enum place_shown place_show(const struct place *p, unsigned s);

#endif
