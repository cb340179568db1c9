/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tools/key_plan.h - the order of a key's rotation, as a pure function of what is true just now.
 *
 * A node signs with its key file alone; stockade-virtd takes its key file and KEY.new beside it. So:
 *
 *	ADMIT     give KEY.new to a hypervisor, which then takes both           hypervisors: OLD -> BOTH
 *	STAGE     put KEY.new beside a node's key                               nodes:       OLD -> STAGED
 *	SWITCH    a node signs with the new key: KEY.new becomes KEY                      STAGED -> NEW
 *	PAUSE     what began under the old key comes to its end
 *	PROMOTE   a hypervisor takes the new key alone: KEY.new becomes KEY                 BOTH -> NEW
 *
 * Nothing is remembered: each step is chosen from what every host was just seen to hold, so an interruption at any point is
 * resumed by looking again. Backwards (abort): RESTORE, UNSTAGE, PAUSE, WITHDRAW; as long as no hypervisor has dropped the old key.
 *
 *   KEY-1  every node's key is taken by every hypervisor, before and after every step
 *   KEY-2  what is unknown is taken for the worst: no node switches, and no key is dropped, while a host that matters is unknown
 *          (SAFE-3)
 *   KEY-3  with all hosts answering, the rotation ends, forwards and backwards
 *   (tests/unit/key_plan.c plays every course of it)
 */
#ifndef STOCKADE_KEY_PLAN_H
#define STOCKADE_KEY_PLAN_H

#include <stdbool.h>

#define PLAN_HOSTS_MAX 64

enum plan_state {
	PLAN_UNKNOWN = 0, /* it does not answer */
	PLAN_OLD,         /* node: signs with the old key; hypervisor: takes the old one alone */
	PLAN_STAGED,      /* node: signs with the old key, KEY.new is there */
	PLAN_BOTH,        /* hypervisor: takes both */
	PLAN_NEW,         /* node: signs with the new key; hypervisor: takes the new one alone */
	PLAN_OTHER,       /* it holds neither, or answers in a way that cannot be */
};

struct plan_host {
	bool hypervisor;
	enum plan_state state;
};

enum plan_step {
	PLAN_DONE = 1, /* nothing is left to do */
	PLAN_ADMIT,
	PLAN_STAGE,
	PLAN_SWITCH,
	PLAN_PAUSE,
	PLAN_PROMOTE,
	PLAN_RESTORE,  /* back: a node signs with the old key again */
	PLAN_UNSTAGE,  /* back: a node's KEY.new is removed */
	PLAN_WITHDRAW, /* back: a hypervisor's KEY.new is removed */
	PLAN_WAIT,     /* for a host that does not answer */
	PLAN_REFUSE,   /* a host holds neither key, or it is too late to go back */
};

struct plan_next {
	enum plan_step step;
	unsigned host; /* index; DONE, PAUSE: not used */
};

/**
 * plan_next() - what to do now.
 * @back:   the rotation is being undone
 * @paused: all nodes had their present key for as long as a request may take
 */
struct plan_next plan_next(const struct plan_host *host, unsigned n, bool back, bool paused);

/* Is there a way back? Not once a hypervisor has dropped the old key. */
bool plan_back(const struct plan_host *host, unsigned n);

/* 1..PLAN_STAGES: how far it is, and in words; DONE is after the last. */
#define PLAN_STAGES 5
unsigned plan_stage(enum plan_step step);
const char *plan_text(enum plan_step step);

#endif
