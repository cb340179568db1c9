/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/trace.h - what happened in a played world, for people: as text, as lines of JSON, as a drawing (html.h).
 *
 * A world that is not watched passes NULL and pays one comparison an event (the text is not made):
 *
 *	TRACE(w->trace, (.ms = w->now_ms, .node = id, .kind = TRACE_VIEW, .state = TRACE_IS_QUORATE,
 *			 .members = members, .number = seq), "%u ms after the cut", late_ms);
 *
 * Two sorts of kinds. A *bar* says how something stands from now on, until the next event of the same node, kind and
 * name; a *point* happens at one moment. Memory is one array, taken at the start. When it is full, points marked `detail`
 * (messages, timers) go first, then the oldest quarter, of which the last bar of each node, kind and name is kept, so that
 * what still holds is still drawn. A broken rule is never dropped.
 */
#ifndef STOCKADE_SIM_TRACE_H
#define STOCKADE_SIM_TRACE_H

#include "lib/nodeset.h"

#include <stdio.h>

#define TRACE_NAME_MAX 32
#define TRACE_TEXT_MAX 152

/*
 * id, word, is a bar, is detail.
 * node is 0 where no single node is meant. What the other fields hold:
 *   NODE      its kernel: OFF, BOOTS, RUNS, FROZEN, WRECKED
 *   PROCESS   name: "fenced", "dlmd", "storaged", "corosync"; state: UP, HUNG, DOWN
 *   VIEW      name: "" for corosync's ring, else the process whose group it is; members; number: ring; state: QUORATE,
 *             MINORITY, SYNCING, DOWN (no view)
 *   LOCK      name: resource; mode; state: WAITING, GRANTED, CONVERTING, BLOCKED (all stands still until a proof), RELEASED
 *   VOLUME    name; state: ACTIVE (may write), CLAIMED (lock and epoch, not active yet), RELEASED; number: epoch
 *   SERVICE   name; state: STOPPED, STARTING, RUNNING, STOPPING, STUCK
 *   VICTIM    what the others hold this node for: VICTIM from the first that says so (peer), DEAD with a proof, MEMBER again
 *   FENCE     node: who acts; peer: the victim; number: run; name: what is asked ("off 1.2": level, device); state: ASKED,
 *             DONE, FAILED, TIMEOUT, READ_OFF, READ_ON, UNKNOWN
 *   PROOF     node: who has it; peer: whose life is over; name: kind
 *   DRIVER    name: "start volume"; state: ASKED, DONE, FAILED, UNKNOWN
 *   FAULT     name: what; state: BEGINS, ENDS, or none: over at once. Of a pair both have the same node and name
 *   OPERATOR  name: command
 *   KEY       is it registered on the disks? state: REGISTERED, CUT_OFF
 *   DOG       its watchdog: ARMED, GROWLING (it is not petted)
 *   HELD      fenced too often, it waits for an operator; state: HELD, MEMBER
 *   RELEASE   which release its daemons are; name: ""
 *   WRITE     name: volume; number: epoch; state: LANDED, REFUSED, ASKED (in flight)
 *   SENT, DELIVERED, TIMER  a message (peer: DELIVERED from; number: joins both), a deadline
 *   NOTE      what a core tells its history; name: area
 *   BROKEN    name: rule; text: how
 */
#define TRACE_KINDS(X)                         \
	X(NODE, "node", true, false)           \
	X(PROCESS, "process", true, false)     \
	X(VIEW, "view", true, false)           \
	X(LOCK, "lock", true, false)           \
	X(VOLUME, "volume", true, false)       \
	X(SERVICE, "service", true, false)     \
	X(VICTIM, "victim", true, false)       \
	X(KEY, "key", true, false)             \
	X(DOG, "watchdog", true, false)        \
	X(HELD, "held", true, false)           \
	X(RELEASE, "release", true, false)     \
	X(FENCE, "fence", false, false)        \
	X(PROOF, "proof", false, false)        \
	X(DRIVER, "driver", false, false)      \
	X(FAULT, "fault", false, false)        \
	X(OPERATOR, "operator", false, false)  \
	X(WRITE, "write", false, false)        \
	X(SENT, "sent", false, true)           \
	X(DELIVERED, "delivered", false, true) \
	X(TIMER, "timer", false, true)         \
	X(NOTE, "note", false, false)          \
	X(BROKEN, "broken", false, false)

enum trace_kind {
#define X(id, word, bar, detail) TRACE_##id,
	TRACE_KINDS(X)
#undef X
};

/* One list of states for all kinds; `false`: nothing is there any more, so a bar ends and none begins. */
#define TRACE_STATES(X)                   \
	X(NONE, "", false)                \
	X(OFF, "off", true)               \
	X(BOOTS, "boots", true)           \
	X(RUNS, "runs", true)             \
	X(FROZEN, "frozen", true)         \
	X(WRECKED, "panicked", true)      \
	X(UP, "up", true)                 \
	X(HUNG, "hung", true)             \
	X(DOWN, "down", false)            \
	X(QUORATE, "quorate", true)       \
	X(MINORITY, "no quorum", true)    \
	X(SYNCING, "syncing", true)       \
	X(WAITING, "waiting", true)       \
	X(GRANTED, "granted", true)       \
	X(CONVERTING, "converting", true) \
	X(BLOCKED, "blocked", true)       \
	X(RELEASED, "released", false)    \
	X(CLAIMED, "claimed", true)       \
	X(ACTIVE, "active", true)         \
	X(STOPPED, "stopped", false)      \
	X(STARTING, "starting", true)     \
	X(RUNNING, "running", true)       \
	X(STOPPING, "stopping", true)     \
	X(STUCK, "stuck", true)           \
	X(MEMBER, "member", false)        \
	X(VICTIM, "victim", true)         \
	X(DEAD, "proven dead", true)      \
	X(REGISTERED, "registered", true) \
	X(CUT_OFF, "cut off", true)       \
	X(ARMED, "armed", true)           \
	X(GROWLING, "not petted", true)   \
	X(HELD, "held", true)             \
	X(NEWER, "newer", true)           \
	X(ASKED, "asked", false)          \
	X(DONE, "done", false)            \
	X(FAILED, "failed", false)        \
	X(TIMEOUT, "timeout", false)      \
	X(READ_OFF, "reads off", false)   \
	X(READ_ON, "reads on", false)     \
	X(UNKNOWN, "unknown", false)      \
	X(BEGINS, "begins", false)        \
	X(ENDS, "ends", false)            \
	X(LANDED, "landed", false)        \
	X(REFUSED, "refused", false)

enum trace_state {
#define X(id, word, bar) TRACE_IS_##id,
	TRACE_STATES(X)
#undef X
};

struct trace_event {
	uint64_t ms;
	uint64_t number;
	struct nodeset members;
	enum trace_kind kind;
	enum trace_state state;
	uint8_t node, peer;
	int8_t mode;               /* LOCK: enum dlm_mode */
	char name[TRACE_NAME_MAX]; /* what does not fit is cut; NUL-terminated */
	char text[TRACE_TEXT_MAX];
};

/* What the caller says of an event; fields left out are 0. */
struct trace_say {
	uint64_t ms;
	uint64_t number;
	struct nodeset members;
	enum trace_kind kind;
	enum trace_state state;
	uint32_t node, peer;
	int mode;
	const char *name; /* borrowed for the call; NULL: "" */
};

/* What the whole trace is about: the head of each form of it. */
#define TRACE_AGAIN_MAX 4400 /* a path, and the options beside it */

struct trace_about {
	char title[160];             /* "seed 4711, 3 nodes" */
	char again[TRACE_AGAIN_MAX]; /* the command that plays it again; "": none */
	unsigned n_nodes;   /* nodes 1..n_nodes have a lane, even when nothing happens to them */
	uint64_t origin_ms; /* is shown as 0 */
};

struct trace;

struct trace *trace_new(unsigned events_max); /* at least 64; NULL: no memory */
struct trace *trace_free(struct trace *t);    /* NULL is fine; returns NULL */
void trace_clear(struct trace *t);            /* forget all events, `about` stays */
void trace_set_about(struct trace *t, const struct trace_about *about); /* copied */
const struct trace_about *trace_get_about(const struct trace *t);

/* Print each event as it comes too (a core that asserts leaves a trace behind); NULL: no more. */
void trace_live(struct trace *t, FILE *to, bool detail);

#define TRACE_FIELDS(...) __VA_ARGS__
#define TRACE(t, fields, ...)                                                                    \
	do {                                                                                     \
		if (__builtin_expect((t) != NULL, 0))                                            \
			trace_put((t), &(struct trace_say){ TRACE_FIELDS fields }, __VA_ARGS__); \
	} while (0)
void trace_put(struct trace *t, const struct trace_say *say, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

unsigned trace_count(const struct trace *t);
const struct trace_event *trace_at(const struct trace *t,
				   unsigned index); /* in order of being put */
uint64_t trace_dropped(const struct trace *t);      /* events that did not fit */

const char *trace_kind_name(enum trace_kind kind);
bool trace_kind_is_bar(enum trace_kind kind);
bool trace_kind_is_detail(enum trace_kind kind);
const char *trace_state_name(enum trace_state state);
bool trace_state_is_bar(enum trace_state state);
const char *trace_mode_name(int mode); /* "EX"; "?" */

/* One event, one line. @detail: also messages and timers. */
void trace_print_event(const struct trace *t, const struct trace_event *e, FILE *to);
void trace_print(const struct trace *t, FILE *to, bool detail);
/* JSON lines: the first one is about the trace, each other an event; fields that are 0 are left out. */
void trace_json_event(const struct trace *t, const struct trace_event *e, FILE *to);
void trace_json(const struct trace *t, FILE *to);
/* A JSON string with its quotes; also safe inside a <script>: '<', '>' and '&' are written as \u00XX. */
void trace_json_string(const char *text, FILE *to);

#endif
