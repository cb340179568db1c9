/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/key_plan.h"

static bool takes_new(enum plan_state s)
{
	return s == PLAN_BOTH || s == PLAN_NEW;
}

static bool takes_old(enum plan_state s)
{
	return s == PLAN_OLD || s == PLAN_BOTH;
}

/* The first host of a kind in a state; @n: none. */
static unsigned first(const struct plan_host *host, unsigned n, bool hypervisor,
		      enum plan_state state)
{
	unsigned i = 0;

	while (i < n && (host[i].hypervisor != hypervisor || host[i].state != state))
		i++;
	return i;
}

static unsigned first_not(const struct plan_host *host, unsigned n, bool (*takes)(enum plan_state))
{
	unsigned i = 0;

	while (i < n && (!host[i].hypervisor || takes(host[i].state)))
		i++;
	return i;
}

bool plan_back(const struct plan_host *host, unsigned n)
{
	return first(host, n, true, PLAN_NEW) == n;
}

#define TRY(what, kind, in)                                           \
	do {                                                          \
		i = first(host, n, kind, in);                         \
		if (i < n)                                            \
			return (struct plan_next){ .step = what, i }; \
	} while (0)

static struct plan_next forwards(const struct plan_host *host, unsigned n, bool paused)
{
	unsigned i;

	TRY(PLAN_ADMIT, true, PLAN_OLD);
	TRY(PLAN_STAGE, false, PLAN_OLD);
	/* KEY-1: no node signs with a key that some hypervisor does not take, or may not take */
	i = first_not(host, n, takes_new);
	if (i < n)
		return (struct plan_next){ .step = PLAN_WAIT, i };
	TRY(PLAN_SWITCH, false, PLAN_STAGED);
	/* KEY-1, KEY-2: a node that is not known to sign with the new key may sign with the old one */
	TRY(PLAN_WAIT, false, PLAN_UNKNOWN);
	i = first(host, n, true, PLAN_BOTH);
	if (i == n)
		return (struct plan_next){ .step = PLAN_DONE };
	return (struct plan_next){ .step = paused ? PLAN_PROMOTE : PLAN_PAUSE, i };
}

static struct plan_next backwards(const struct plan_host *host, unsigned n, bool paused)
{
	unsigned i;

	i = first(host, n, true, PLAN_NEW);
	if (i < n)
		return (struct plan_next){ .step = PLAN_REFUSE, i };
	i = first_not(host, n, takes_old);
	if (i < n)
		return (struct plan_next){ .step = PLAN_WAIT, i };
	TRY(PLAN_RESTORE, false, PLAN_NEW);
	TRY(PLAN_UNSTAGE, false, PLAN_STAGED);
	TRY(PLAN_WAIT, false, PLAN_UNKNOWN);
	i = first(host, n, true, PLAN_BOTH);
	if (i == n)
		return (struct plan_next){ .step = PLAN_DONE };
	return (struct plan_next){ .step = paused ? PLAN_WITHDRAW : PLAN_PAUSE, i };
}

struct plan_next plan_next(const struct plan_host *host, unsigned n, bool back, bool paused)
{
	for (unsigned i = 0; i < n; i++)
		if (host[i].state == PLAN_OTHER)
			return (struct plan_next){ .step = PLAN_REFUSE, i };
	return back ? backwards(host, n, paused) : forwards(host, n, paused);
}

unsigned plan_stage(enum plan_step step)
{
	switch (step) {
	case PLAN_ADMIT: return 1;
	case PLAN_STAGE: return 2;
	case PLAN_SWITCH:
	case PLAN_RESTORE:
	case PLAN_UNSTAGE: return 3;
	case PLAN_PAUSE: return 4;
	case PLAN_PROMOTE:
	case PLAN_WITHDRAW: return 5;
	case PLAN_DONE: return PLAN_STAGES + 1;
	case PLAN_WAIT:
	case PLAN_REFUSE: break;
	}
	return 0;
}

const char *plan_text(enum plan_step step)
{
	switch (step) {
	case PLAN_ADMIT: return "hypervisors take the new key beside the old one";
	case PLAN_STAGE: return "the new key is put beside the old one on every node";
	case PLAN_SWITCH: return "nodes begin to sign with the new key";
	case PLAN_PAUSE: return "what began under the key before comes to its end";
	case PLAN_PROMOTE: return "hypervisors drop the old key";
	case PLAN_RESTORE: return "back: nodes sign with the old key again";
	case PLAN_UNSTAGE: return "back: the new key is removed from nodes";
	case PLAN_WITHDRAW: return "back: hypervisors drop the new key";
	case PLAN_WAIT: return "a host does not answer";
	case PLAN_REFUSE: return "a host holds neither key, or there is no way back";
	case PLAN_DONE: return "done";
	}
	return "?";
}
