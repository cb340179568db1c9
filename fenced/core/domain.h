/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/domain.h - the inside of struct fence_domain; for this folder only.
 *
 *   fence.c    step, plan, deadlines      sync.c     rounds, which book is adopted, who is what after it
 *   book.c     records and their turns    attempt.c  who acts, agents' runs, proofs
 *   msg.c      bytes                      request.c  operators, storaged, goodbye
 *   state.c    what others may see        ready.c    are the fence paths alive?
 *   cut.c      the two-node cut: whose turn it is       loop.c     fenced too often
 *   dog.c      the node's watchdog                      hurry.c    corosync is told of an attested death
 *   drill.c    fenced to see whether it works
 */
#ifndef STOCKADE_FENCED_CORE_DOMAIN_H
#define STOCKADE_FENCED_CORE_DOMAIN_H

#include "fence.h"

#include "lib/wire.h"

#define NO_SLOT 0xff

/* One node in the agreed book. Changed only by book.c. */
struct record {
	uint32_t nodeid;
	enum fence_node_state state;
	struct incarnation life; /* latest known */
	struct proof proof;      /* latest; about `life` when DEAD, about an older one otherwise */
	enum fence_reason reason;
	bool held; /* fenced too often: waits for ADMIT */
	struct fence_drill drill;
	uint8_t drill_level; /* victim of a drill: the level that it is to test */
	bool goodbye;        /* LEAVE was heard: gone means DEAD by clean_leave */
	int64_t goodbye_wall_s;
	uint32_t attempts;   /* begun for this victim */
	uint32_t rounds;     /* every candidate failed this often */
	uint32_t actor;      /* began the last attempt and has not failed yet; 0: nobody */
	uint32_t last_actor; /* failed last; its successor is next */
	char why[FENCE_TEXT_MAX];
	char failed[FENCE_TEXT_MAX];
};

/* number: high half counts synced quorate views, low half messages since: a node that heard only itself in a dead view
 * cannot overtake those who went on (ref/netlab.md 7, zombie 1). */
struct book {
	uint64_t
		history; /* whose number it is: named when a book is begun, numbers of two are not compared */
	uint64_t number;
	uint64_t proofs; /* made so far */
	unsigned n;
	struct record rec[NODES_MAX]; /* ascending nodeid; slot i */
};

struct ready_result {
	bool known, ok;
	uint64_t at_ms;
};

/* What one member says about itself when a view begins. */
struct sync {
	bool have;
	struct incarnation life;
	bool informed, quorate, leaving;
	struct nodeset members; /* of the view it was sent for */
	struct nodeset fell;    /* saw these fall out of a quorate view, not settled yet */
	uint64_t hash;
	int64_t wall_s;
	uint32_t weight, changes, armed_ms;
	bool holds;
	struct nodeset fresh; /* peers whose disk heartbeat it sees move */
	struct {
		bool known, ok;
		uint32_t age_ms;
	} ready[NODES_MAX]; /* by slot: its own checks */
	unsigned n_stored;
	struct proof stored[NODES_MAX]; /* not informed: kept proofs, valid in this ring */
	struct nodeset held;            /* not informed: kept on its disk */
	struct fence_looped fenced[NODES_MAX];
	struct book book;
};

enum op_type {
	OP_SYNC = 1,
	OP_QUORATE,
	OP_DECLARE,
	OP_ATTEMPT,
	OP_SEEN,
	OP_FAILED,
	OP_PROOF,
	OP_LEAVE,
	OP_EXCUSE,
	OP_SIGNS,
	OP_READY,
	OP_HEARD, /* two nodes: I know your weight */
	OP_ADMIT,
};

struct op {
	enum op_type type;
	uint32_t node;
	struct incarnation life;
	enum fence_reason reason;
	uint32_t number, changes, armed_ms;
	uint8_t level;      /* DECLARE: of a drill; PROOF: by which level, or NONE */
	bool flag;          /* SIGNS: holds; READY: ok; PROOF: fenced too often */
	struct nodeset set; /* EXCUSE; SIGNS: fresh */
	int64_t wall_s;
	struct proof proof;
	char text[FENCE_TEXT_MAX];
};
#define OPS_MAX 40

struct msg {
	uint32_t from;
	struct view_id view;
	unsigned n;
	struct op op[OPS_MAX];
	struct sync sync; /* of OP_SYNC, if there is one */
};

enum attempt_stage {
	ATT_IDLE = 0,
	ATT_ASKED,   /* ATTEMPT sent, not delivered */
	ATT_CONFIRM, /* delivered; waiting for another member's SEEN */
	ATT_OFF,
	ATT_STATUS,
	ATT_DOG,     /* waiting for its watchdog */
	ATT_PROVING, /* proof sent or to be sent */
	ATT_ON,
	ATT_FAILED, /* FAILED sent or to be sent */
};

struct attempt {
	enum attempt_stage stage;
	struct incarnation life;
	uint32_t number;
	uint8_t level, device;
	uint8_t failed_levels; /* ON: so many of the first levels may have acted too, and are switched on last */
	uint64_t run; /* in flight; 0: none */
	uint64_t confirm_at_ms;
	bool dog_noted;
	bool one_level;                /* a drill's: no other level was touched */
	char text[FENCE_TEXT_MAX];     /* what failed so far, in the agents' words */
	char evidence[FENCE_TEXT_MAX]; /* what this level's devices answered */
};

/* What only this node keeps about another. */
struct local {
	enum fence_node_state
		state; /* as last seen in the book: a change resets what hangs on it */
	struct incarnation life;
	uint64_t proof_number;
	enum proof_kind proof_kind;
	uint64_t since_ms; /* in this state */
	uint64_t retry_at_ms;
	struct attempt att;
	struct proof proof;  /* ours, to be sent until it is heard; kind NONE: none */
	uint8_t proof_level; /* NONE: by none */
	bool proof_forced;   /* an operator's, whatever is seen */
	bool proof_sent, declare_sent, request_sent, failed_sent;
	struct incarnation attested; /* by a hypervisor; nodeid 0: none */
	struct incarnation dying;    /* a hypervisor is about to end it; no proof */
	char attest_text[PROOF_EVIDENCE_MAX];
	bool hurried; /* corosync was asked about it, or need not be by us */
	bool request, drill, admit;
	uint8_t drill_level;
	char request_text[FENCE_TEXT_MAX];
	char drill_refused[FENCE_TEXT_MAX], drill_error[FENCE_TEXT_MAX];
	bool wait_noted;
	/* Two-node cut: what both sides knew when it became a victim; see cut_slot() */
	struct {
		bool preferred, doubt;
		uint32_t weight; /* ours */
		uint8_t block;   /* only grows while we wait */
	} cut;
	uint64_t check_at_ms;
	bool ready; /* as last published */
	char ready_text[FENCE_TEXT_MAX];
	bool config_noted;
	/* said in SYNC and SIGNS */
	bool said;
	struct nodeset knows; /* the nodes of its configuration */
	uint64_t hash;
	uint32_t weight, changes;
	bool holds;
	struct nodeset fresh;
	uint32_t armed_ms; /* its watchdog */
	struct incarnation armed_life;
	struct { /* what its sealed heartbeat on the disk says about that; nodeid 0: nothing */
		struct incarnation life;
		uint32_t armed_ms;
		int64_t at_ms; /* of the clock inside: last seen to move */
	} disk;
	uint64_t out_ms;   /* out of the ring since; 0: it is in */
	uint64_t stays_ms; /* two nodes: it is, and we are to stay, since; 0: not so */
};

struct fenced_times { /* youngest first; an age may reach back before our clock began */
	uint8_t n;
	int64_t at_ms[FENCE_LOOP_MAX];
};

struct fence_domain {
	struct fence_config cfg;
	unsigned n;
	uint8_t slot[NODEID_MAX + 1]; /* nodeid to index, NO_SLOT */
	uint8_t self;                 /* slot */

	bool informed; /* the book was agreed on once */
	struct book book;
	struct local local[NODES_MAX];
	struct ready_result ready[NODES_MAX][NODES_MAX]; /* [target][by] */
	struct fenced_times fenced[NODES_MAX];

	struct fence_view view; /* id.seq 0: none */
	bool synced, agreed;    /* agreed: some member saw this view quorate */
	bool ring_quorate;      /* we saw this ring quorate */
	bool quiet; /* nothing was decided since we last lost quorum: waiting times start anew */
	struct view_id kept_view; /* the last agreed one */
	struct nodeset fell;      /* see struct sync */
	struct nodeset excused;
	bool excuse_sent, quorate_sent;
	uint64_t round_ms;
	struct sync sync[NODES_MAX];
	struct msg msg; /* decoding */

	struct fence_signs signs;
	enum life_sign gateway;
	uint32_t armed_ms;
	uint32_t mute;                       /* daemons of this node that do not answer */
	const char *dog_why;                 /* NULL: it may be petted */
	uint64_t dog_ok_ms;                  /* real; when that was last so */
	uint64_t dog_step_ms, dog_hold_ms;   /* real; the last step; it does not count before */
	uint64_t dog_shown_ms, dog_moved_ms; /* as in signs; at the last step */
	bool dog_ever;
	uint32_t changes; /* of our weight so far */
	struct
	{ /* two nodes: so many changes of ours does the other one know; whom we owe that word */
		bool known;
		uint32_t changes;
		uint32_t owed; /* nodeid; 0: nobody */
	} heard;
	struct nodeset fresh; /* peers with LIFE_FRESH in signs */
	bool signs_dirty;
	bool leaving, leave_sent, left;
	bool rebooting;
	uint64_t drill_end_ms; /* real; 0: we wait for no drill to switch us off */
	uint64_t runs;         /* last run or check number given out */

	struct {
		bool on;
		uint32_t node;
		uint8_t level, device;
		uint64_t run;
		char text[FENCE_TEXT_MAX]; /* the operator's */
		char seen[FENCE_TEXT_MAX]; /* the devices' */
	} ack;
	struct {
		uint64_t id; /* 0: none runs */
		uint8_t slot, level, device;
		bool level_ok, any_ok;
		char text[FENCE_TEXT_MAX];
	} check;

	struct {
		struct view_id view; /* of the ring that this is about */
		unsigned asked;
		bool sure;         /* all that we asked about is off */
		uint64_t again_ms; /* real: the second question */
	} hurry;

	/* The clock inside stands still while we sleep: no wait is over because nobody ran. */
	uint64_t lost_ms;
	uint64_t hold_ms; /* nothing is begun before, and what was asked is asked again */

	/* for the length of one step */
	uint64_t now_ms;  /* without what was lost */
	uint64_t real_ms; /* as the event said; the age of checks is real */
	int64_t wall_s;
	struct fence_actions *out;
	struct wire_w w;
	size_t w_mark;
	unsigned w_ops;

	uint64_t deadline_ms;
	bool store;
	struct fence_state published;
	bool ever_published, ever_tracked;
	char refusal[FENCE_TEXT_MAX];
};

/* fence.c */
struct fence_action *fence_act(struct fence_domain *d, enum fence_action_type type);
struct fence_action *fence_note(struct fence_domain *d, enum fence_note n, uint32_t node,
				const char *text);
void fence_want(struct fence_domain *d, uint64_t at_ms); /* be woken then at the latest */
void fence_text_copy(char to[FENCE_TEXT_MAX], const char *from);
void fence_text_add(char to[FENCE_TEXT_MAX], const char *from); /* "; " between */
int fence_refuse(struct fence_domain *d, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool fence_may_decide(const struct fence_domain *d); /* synced, quorate, not a victim: SAFE-4 */
/* Somebody asks for something: 0, or refused because this node may not decide; or because @node is nobody, else *ret is its record. */
int fence_undecided(struct fence_domain *d);
int fence_asked(struct fence_domain *d, uint32_t node, struct record **ret);

static inline struct record *rec_of(struct fence_domain *d, uint32_t nodeid)
{
	return nodeid <= NODEID_MAX && d->slot[nodeid] != NO_SLOT ? &d->book.rec[d->slot[nodeid]]
								  : NULL;
}

/* book.c */
void fence_book_empty(struct book *b, struct nodeset nodes);
void fence_book_copy(struct book *to, struct nodeset nodes, const struct book *from);
void fence_rec_member(struct record *r, const struct incarnation *life);
void fence_rec_victim(struct record *r, enum fence_reason reason, const char *why);
void fence_rec_dead(struct book *b, struct record *r, const struct proof *proof);
void fence_rec_new_boot(struct book *b, struct record *r, const struct incarnation *life,
			int64_t wall_s);
void fence_rec_gone(struct book *b, struct record *r);
bool fence_rec_proven(const struct record *r); /* the record's proof is about its present life */

/* msg.c: emit returns false when there is no room left in this step's message */
bool fence_emit_sync(struct fence_domain *d);
bool fence_emit(struct fence_domain *d, const struct op *op);
void fence_emit_flush(struct fence_domain *d);
int fence_msg_decode(struct fence_domain *d, const void *data, size_t len, struct msg *m);
void fence_book_encode(struct wire_w *w, const struct book *b);

/* sync.c */
int fence_on_view(struct fence_domain *d, const struct fence_view *v);
void fence_on_lost(struct fence_domain *d);
int fence_on_deliver(struct fence_domain *d, uint32_t from, const void *data, size_t len);
void fence_plan_round(struct fence_domain *d);

/* attempt.c */
void fence_on_attempt(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_on_seen(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_on_failed(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_on_proof(struct fence_domain *d, uint32_t from, const struct op *op);
int fence_on_run_done(struct fence_domain *d, uint64_t run, enum fence_answer answer,
		      const char *text);
void fence_attempt_drop(struct fence_domain *d, struct local *l); /* cancels a run in flight */
void fence_plan_attempts(struct fence_domain *d);
int fence_on_attest(struct fence_domain *d, const struct incarnation *life, bool dying,
		    const char *text);
bool fence_attest_ending(const struct fence_domain *d, unsigned slot);
bool fence_attest_over(const struct fence_domain *d, unsigned slot);
void fence_attest_recall(struct fence_domain *d);
void fence_attest_heard(struct fence_domain *d, unsigned slot, const struct incarnation *life);
struct nodeset fence_candidates(const struct fence_domain *d, const struct record *r);
uint32_t fence_actor_of(const struct fence_domain *d, const struct record *r);
uint64_t fence_attempt_due_ms(const struct fence_domain *d, unsigned slot);

/* hurry.c */
void fence_plan_hurry(struct fence_domain *d);

/* cut.c */
void fence_cut_begin(struct fence_domain *d, unsigned slot);
void fence_cut_facts(struct fence_domain *d);
uint32_t fence_cut_wait_ms(const struct fence_domain *d, unsigned slot);
void fence_cut_met(struct fence_domain *d);
void fence_on_heard(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_plan_cut(struct fence_domain *d);

/* dog.c */
void fence_dog_facts(struct fence_domain *d);
void fence_dog_word(struct local *l, const struct incarnation *life, uint32_t armed_ms);
uint64_t fence_dog_due_ms(const struct fence_domain *d, unsigned slot, char why[FENCE_TEXT_MAX]);
const char *fence_dog_silent(const struct fence_domain *d,
			     unsigned slot); /* ""; or why we may stay */
bool fence_dog_ready(const struct fence_domain *d, unsigned slot);
void fence_dog_disk(struct fence_domain *d, const struct fence_signs *signs);
uint32_t fence_dog_armed_ms(const struct fence_domain *d, unsigned slot,
			    bool *by_disk); /* 0: unknown */

/* letgo.c: sets let_go_*, of an empty @ret */
void fence_let_go(const struct fence_domain *d, struct fence_state *ret);

/* loop.c */
unsigned fence_loop_recent(const struct fence_domain *d, unsigned slot);
bool fence_loop_verdict(const struct fence_domain *d, unsigned slot, enum proof_kind kind);
void fence_loop_count(struct fence_domain *d, unsigned slot, enum proof_kind kind, bool verdict);
void fence_loop_adopt(struct fence_domain *d, bool nobody);
int fence_on_admit(struct fence_domain *d, uint32_t node);
void fence_on_admitted(struct fence_domain *d, const struct op *op);

/* drill.c */
int fence_drill_guard(struct fence_domain *d, uint32_t node, uint8_t *level);
const char *fence_drill_in_the_way(const struct fence_domain *d, uint32_t node);
void fence_drill_refused(struct fence_domain *d, uint32_t node, const char *why);
uint8_t fence_drill_first(const struct record *r, uint32_t attempt);
bool fence_drill_only(const struct record *r, uint32_t attempt);
bool fence_drill_confirms(const struct fence_domain *d, const struct record *r);
void fence_drill_settled(struct book *b, struct record *r, const struct proof *p, uint8_t level);
void fence_drill_adopt(struct fence_domain *d);
void fence_drill_begin(struct fence_domain *d);
void fence_drill_wait(struct fence_domain *d);

/* request.c */
int fence_on_request(struct fence_domain *d, uint32_t node, const char *text, bool drill,
		     uint8_t level);
int fence_on_ack(struct fence_domain *d, uint32_t node, bool force, const char *text);
bool fence_ack_run_done(struct fence_domain *d, uint64_t run, enum fence_answer answer,
			const char *text);
int fence_on_leave(struct fence_domain *d);
int fence_on_signs(struct fence_domain *d, const struct fence_signs *signs);
void fence_on_declare(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_plan_requests(struct fence_domain *d);

/* ready.c */
int fence_on_ready_done(struct fence_domain *d, uint64_t check, bool ok, const char *text);
void fence_on_ready(struct fence_domain *d, uint32_t from, const struct op *op);
void fence_ready_from_sync(struct fence_domain *d);
bool fence_ready_now(const struct fence_domain *d, unsigned slot, uint64_t now_ms,
		     uint32_t *ret_age_ms);
void fence_plan_ready(struct fence_domain *d);

/* state.c */
void fence_track(struct fence_domain *d);
void fence_plan_publish(struct fence_domain *d);

#endif
