// SPDX-License-Identifier: GPL-3.0-or-later
/* What the answers of one or several hypervisors mean together. On is on whoever says so; off needs every hypervisor that was
 * named, one that knows the guest, and nobody who contradicts (SAFE-3).
 *
 * The stock daemon calls a guest that it does not know "off", and with its cpg backend says "done" about it. So its
 * unsealed word is never taken for off: the list of guests has to show it, shut off.
 */
#include "xvm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct tally {
	unsigned on, off;      /* of a guest that it knows: sealed, or by its list */
	unsigned plain_off;    /* the stock byte: off, or unknown to it */
	unsigned plain_done;   /* the stock byte: done */
	unsigned plain_failed; /* the stock byte: unknown to it, or failed */
	unsigned absent, denied, failed;
	unsigned denied_named;
	const struct talk *first_on, *first_off, *first_denied, *first_failed;
};

static void note(const struct talk **first, const struct talk *t)
{
	if (!*first)
		*first = t;
}

static void count_verdict(struct tally *c, const struct talk *t)
{
	if (t->verdict.why == VIRT_WHY_DENIED || t->result == VIRT_DENIED) {
		c->denied++;
		c->denied_named += t->host >= 0;
		note(&c->first_denied, t);
	} else if (t->verdict.why == VIRT_WHY_UNKNOWN_GUEST) {
		c->absent++;
	} else if (t->result != VIRT_SUCCESS && t->result != VIRT_IS_OFF) {
		c->failed++;
		note(&c->first_failed, t);
	} else if (t->verdict.power == VIRT_POWER_ON) {
		c->on++;
		note(&c->first_on, t);
	} else if (t->verdict.power == VIRT_POWER_OFF) {
		c->off++;
		note(&c->first_off, t);
	} else {
		c->plain_done++; /* it says done, and saw nothing */
	}
}

static void count(const struct xvm *x, uint8_t op, struct tally *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < x->n_talks; i++) {
		const struct talk *t = &x->talk[i];

		if (t->stage != TALK_DONE)
			continue;
		if (t->has_verdict) {
			count_verdict(c, t);
			continue;
		}
		switch (t->result) {
		case VIRT_SUCCESS:
			if (op == VIRT_STATUS) {
				c->on++;
				note(&c->first_on, t);
			} else {
				c->plain_done++;
			}
			break;
		case VIRT_IS_OFF: c->plain_off++; break;
		case VIRT_DENIED:
			c->denied++;
			c->denied_named += t->host >= 0;
			note(&c->first_denied, t);
			break;
		default:
			c->plain_failed++;
			note(&c->first_failed, t);
			break;
		}
	}
}

static bool is_guest(const struct virt_host *g, const char *name)
{
	return strcmp(g->name, name) == 0 || strcasecmp(g->uuid, name) == 0;
}

/* The same by the lists, which tell a guest that is off from one that is not there. */
static int count_lists(struct agent *a, const char *plug, struct tally *c)
{
	struct xvm *x = xvm_of(a);
	int r = xvm_ask(a, VIRT_HOSTLIST, "");

	memset(c, 0, sizeof(*c));
	if (r < 0)
		return r;
	for (unsigned i = 0; i < x->n_talks; i++) {
		const struct talk *t = &x->talk[i];
		bool there = false;

		if (t->stage != TALK_DONE)
			continue;
		for (unsigned g = 0; g < t->n_guests; g++) {
			if (!is_guest(&t->guest[g], plug))
				continue;
			there = true;
			switch (virt_host_power(t->guest[g].state)) {
			case VIRT_POWER_ON:
				c->on++;
				note(&c->first_on, t);
				break;
			case VIRT_POWER_OFF:
				c->off++;
				note(&c->first_off, t);
				break;
			case VIRT_POWER_UNKNOWN:
				c->failed++;
				note(&c->first_failed, t);
				break;
			}
		}
		c->absent += !there;
	}
	return 0;
}

static int denied(struct agent *a, const struct tally *c, const char *plug)
{
	return agent_error(
		a, EPERM,
		"not permitted: the map of hypervisor %s does not let this node act on %s: add "
		"it there (fence_virt.conf, groups)",
		c->first_denied->peer, plug);
}

static int unknown_guest(struct agent *a, const char *plug)
{
	struct xvm *x = xvm_of(a);

	if (x->n_missing > 0)
		return agent_error(
			a, ETIMEDOUT,
			"guest %s is unknown to who answered, and there is no answer from %s", plug,
			x->missing);
	agent_error(
		a, ENOENT,
		"guest unknown: no hypervisor that answered (%u) has a guest %s that it shows to "
		"us: check the name (action list)",
		x->n_talks, plug);
	return AGENT_MISSING;
}

static int failed(struct agent *a, const struct talk *t, const char *what, const char *plug)
{
	if (t->has_verdict)
		return agent_error(a, EIO, "%s of %s failed at hypervisor %s: %s", what, plug,
				   t->peer, virt_why_text(t->verdict.why));
	return agent_error(
		a, EIO,
		"%s of %s failed at hypervisor %s (answer %u): see the log of its fence_virtd",
		what, plug, t->peer, t->result);
}

/* Who knows the guest, and what they say; @c is sealed, or from lists. */
static int settle(struct agent *a, const struct tally *c, const char *plug, enum agent_power *ret)
{
	struct xvm *x = xvm_of(a);

	if (c->on > 0 && c->off > 0)
		return agent_error(
			a, EIO,
			"conflicting answers about %s: hypervisor %s says on, %s says off: "
			"which one has it?",
			plug, c->first_on->peer, c->first_off->peer);
	if (c->on > 0) {
		*ret = AGENT_ON;
		return 0;
	}
	if (x->n_missing > 0)
		return agent_error(a, ETIMEDOUT, "no answer from hypervisor %s: %s may run there",
				   x->missing, plug);
	if (c->failed > 0)
		return failed(a, c->first_failed, "status", plug);
	if (c->off > 0 && c->denied_named == 0) {
		*ret = AGENT_OFF;
		return 0;
	}
	if (c->denied > 0)
		return denied(a, c, plug);
	return unknown_guest(a, plug);
}

int xvm_status(struct agent *a, const char *plug, enum agent_power *ret)
{
	struct xvm *x = xvm_of(a);
	struct tally c;
	int r = x->unsealed ? count_lists(a, plug, &c) : xvm_ask(a, VIRT_STATUS, plug);

	if (r < 0)
		return r;
	if (x->unsealed)
		return settle(a, &c, plug, ret);
	count(x, VIRT_STATUS, &c);
	if (c.on == 0 && c.denied > 0 && c.off + c.plain_off + c.plain_failed + c.failed == 0)
		return denied(a, &c, plug);
	/* on a serial line the daemon is known to be one, and its list goes the same way */
	if (c.on == 0 && c.plain_off + c.plain_failed + c.plain_done > 0) {
		const unsigned denied_named = c.denied_named;

		r = count_lists(a, plug, &c);
		if (r < 0)
			return r;
		c.denied_named = 0;
		c.denied = 0;
		if (denied_named > 0 && c.on == 0)
			return agent_error(
				a, EPERM,
				"not permitted: one of the hypervisors does not let this node "
				"ask about %s, which may run there",
				plug);
	}
	return settle(a, &c, plug, ret);
}

/* A guest that several hosts would start is started by none: two copies of it would write the same disk (SAFE-1). */
static int one_host_only(struct agent *a, const char *plug)
{
	struct tally c;
	int r = count_lists(a, plug, &c);

	if (r < 0)
		return r;
	if (c.on + c.off + c.failed > 1)
		return agent_error(
			a, EEXIST,
			"guest %s is defined on several hypervisors: which one is to start it?",
			plug);
	return 0;
}

int xvm_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen)
{
	struct xvm *x = xvm_of(a);
	uint8_t op = to == AGENT_ON ? VIRT_ON : VIRT_OFF;
	struct tally c;
	int r = to == AGENT_ON && x->n_hosts > 1 ? one_host_only(a, plug) : 0;

	if (r == 0)
		r = xvm_ask(a, op, plug);
	if (r < 0)
		return r;
	count(x, op, &c);
	unsigned good = to == AGENT_ON ? c.on : c.off, bad = to == AGENT_ON ? c.off : c.on;
	unsigned done = good + c.plain_done + c.plain_off;

	if (c.failed > 0)
		return failed(a, c.first_failed, agent_power_name(to), plug);
	if (x->n_missing > 0)
		return agent_error(a, ETIMEDOUT,
				   "no answer from hypervisor %s to %s: %s may run there",
				   x->missing, agent_power_name(to), plug);
	if (done > 0 && c.denied_named == 0) {
		/* Sealed by all who know it: they have read it back themselves. */
		if (good > 0 && bad + c.plain_done + c.plain_off + c.plain_failed == 0)
			*seen = to;
		else
			x->unsealed = true;
		return 0;
	}
	if (c.denied > 0)
		return denied(a, &c, plug);
	if (bad > 0)
		return agent_error(a, EIO, "%s of %s: hypervisor %s reads it as %s afterwards",
				   agent_power_name(to), plug,
				   (to == AGENT_ON ? c.first_off : c.first_on)->peer,
				   to == AGENT_ON ? "off" : "on");
	if (c.plain_failed > 0) {
		/* the stock byte does not say whether it knows the guest; its list does */
		char peer[XVM_PEER_MAX];
		uint8_t byte = c.first_failed->result;

		snprintf(peer, sizeof(peer), "%s", c.first_failed->peer);
		if (count_lists(a, plug, &c) == 0 && c.on + c.off + c.failed == 0)
			return unknown_guest(a, plug);
		return agent_error(
			a, EIO,
			"%s of %s failed at hypervisor %s (answer %u): see the log of its "
			"fence_virtd",
			agent_power_name(to), plug, peer, byte);
	}
	return unknown_guest(a, plug);
}

int xvm_list(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	int r = xvm_ask(a, VIRT_HOSTLIST, "");

	if (r < 0)
		return r;
	if (x->n_missing > 0)
		return agent_error(a, ETIMEDOUT, "no answer from hypervisor %s", x->missing);
	for (unsigned i = 0; i < x->n_talks; i++) {
		const struct talk *t = &x->talk[i];

		if (t->stage != TALK_DONE)
			continue;
		if (t->n_guests == 0 && t->result != VIRT_SUCCESS)
			return t->result == VIRT_DENIED
				       ? agent_error(
						 a, EPERM,
						 "not permitted: hypervisor %s shows this node no list",
						 t->peer)
				       : agent_error(
						 a, EIO,
						 "hypervisor %s has no list (answer %u): is its "
						 "libvirt there?",
						 t->peer, t->result);
		for (unsigned g = 0; g < t->n_guests; g++) {
			static const enum agent_power of[] = { AGENT_UNKNOWN, AGENT_ON, AGENT_OFF };

			agent_list_row(a, t->guest[g].name, t->guest[g].uuid,
				       of[virt_host_power(t->guest[g].state)]);
		}
	}
	return 0;
}

/* The stock client's action null: asks for nothing, and every daemon answers with a failure. */
int xvm_null(struct agent *a, const char *plug)
{
	struct xvm *x = xvm_of(a);

	if (xvm_ask(a, VIRT_NULL, plug) < 0)
		return AGENT_EXIT_FAILED;
	for (unsigned i = 0; i < x->n_talks; i++)
		if (x->talk[i].stage == TALK_DONE && x->talk[i].result == VIRT_SUCCESS)
			return AGENT_EXIT_OK;
	agent_error(a, EIO, "null: the hypervisor answers, with a failure, as it does");
	return AGENT_EXIT_FAILED;
}
