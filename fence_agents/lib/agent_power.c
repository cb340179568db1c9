// SPDX-License-Identifier: GPL-3.0-or-later
/* on, off, reboot: set, then read back until it is so. What nobody read is not so (SAFE-3). */
#include "agent_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLUGS_MAX 16
#define POLL_FIRST_MS 50
#define POLL_CYCLE_MS \
	100 /* a chassis is off for a second at least in a power cycle: IPMI 2.0 28.3 */

struct plugs {
	char buf[1024];
	const char *name[PLUGS_MAX];
	bool there[PLUGS_MAX]; /* read back as wanted */
	unsigned n;
};

static int split(struct agent *a, struct plugs *p)
{
	const char *text = a->def->common & AGENT_HAS_PLUG ? agent_get(a, "plug") : "";
	const char *sep = a->def->common & AGENT_HAS_PLUG ? agent_get(a, "plug_separator") : NULL;
	char *save = NULL;

	memset(p, 0, sizeof(*p));
	if ((size_t)snprintf(p->buf, sizeof(p->buf), "%s", text ? text : "") >= sizeof(p->buf))
		return agent_error(a, EINVAL, "plug is longer than %zu bytes", sizeof(p->buf) - 1);
	if (!sep || !*sep || !strpbrk(p->buf, sep)) {
		p->name[p->n++] = p->buf;
		return 0;
	}
	for (char *w = strtok_r(p->buf, sep, &save); w; w = strtok_r(NULL, sep, &save)) {
		size_t n;

		w += strspn(w, " \t");
		for (n = strlen(w); n > 0 && (w[n - 1] == ' ' || w[n - 1] == '\t'); n--)
			w[n - 1] = '\0';
		if (!*w)
			continue;
		if (p->n == PLUGS_MAX)
			return agent_error(a, EINVAL, "more than %d plugs", PLUGS_MAX);
		p->name[p->n++] = w;
	}
	return p->n > 0 ? 0 : agent_error(a, EINVAL, "plug names no plug");
}

static int read_one(struct agent *a, const char *plug, enum agent_power *ret)
{
	*ret = AGENT_UNKNOWN;
	a->error[0] = '\0';
	int r = a->def->status(a, plug, ret);

	if (r == AGENT_MISSING && agent_is(a, "missing_as_off")) {
		agent_warn(a, "the device has no plug %s: taken as off (missing_as_off)", plug);
		*ret = AGENT_OFF;
		return 0;
	}
	if (r < 0)
		*ret = AGENT_UNKNOWN;
	if (r == AGENT_MISSING && !a->error[0])
		agent_error(a, ENOENT,
			    "the device has no plug %s: its state is unknown; see the action list",
			    plug);
	else if (*ret == AGENT_UNKNOWN && !a->error[0])
		agent_error(a, EIO, "the state of %s is unknown", *plug ? plug : "the device");
	agent_debug(a, "status%s%s: %s%s%s", *plug ? " of " : "", plug, agent_power_name(*ret),
		    a->error[0] ? ": " : "", a->error);
	return r;
}

int agent_power_status(struct agent *a, enum agent_power *ret)
{
	enum agent_power all = AGENT_OFF, one;
	struct plugs p;
	int r = split(a, &p);

	*ret = AGENT_UNKNOWN;
	for (unsigned i = 0; r == 0 && i < p.n; i++) {
		r = read_one(a, p.name[i], &one);
		if (r == 0 && one == AGENT_UNKNOWN)
			r = -EIO;
		if (one == AGENT_ON)
			all = AGENT_ON;
	}
	if (r == 0)
		*ret = all;
	return r;
}

/* Ask until every plug is @to, or the time is over; @most_ms: the longest pause. */
static int read_back_each(struct agent *a, struct plugs *p, enum agent_power to, bool once,
			  int64_t most_ms)
{
	int64_t end_ms = agent_deadline_ms(a, "power_timeout");
	int64_t pause_ms = POLL_FIRST_MS;

	for (;;) {
		bool all = true;

		for (unsigned i = 0; i < p->n; i++) {
			enum agent_power now;

			if (p->there[i])
				continue;
			int r = read_one(a, p->name[i], &now);

			p->there[i] = r == 0 && now == to;
			all &= p->there[i];
			if (r == 0 && now != to && now != AGENT_UNKNOWN)
				agent_error(
					a, ETIME,
					"%s is still %s %ld s after %s was accepted: look at it",
					*p->name[i] ? p->name[i] : "the device",
					agent_power_name(now), agent_number(a, "power_timeout"),
					agent_power_name(to));
		}
		if (all)
			return 0;
		if (once || agent_left_ms(end_ms) == 0)
			return -ETIME;
		if (pause_ms > most_ms && most_ms > 0)
			pause_ms = most_ms;
		int left = agent_left_ms(end_ms);

		agent_sleep_ms(left >= 0 && left < pause_ms ? left : pause_ms);
		pause_ms *= 2;
	}
}

static int read_back(struct agent *a, struct plugs *p, enum agent_power to, bool once)
{
	return read_back_each(a, p, to, once, agent_number(a, "stonith_status_sleep") * 1000L);
}

/* One try: every plug that is not there yet is told, then all are read back. */
static int try_to(struct agent *a, struct plugs *p, enum agent_power to)
{
	bool failed = false, all = true;
	char why[sizeof(a->error)] = "";

	for (unsigned i = 0; i < p->n; i++) {
		enum agent_power seen = AGENT_UNKNOWN;

		if (p->there[i])
			continue;
		a->error[0] = '\0';
		int r = a->def->set(a, p->name[i], to, &seen);

		agent_debug(a, "%s%s%s: %s, seen %s", agent_power_name(to), *p->name[i] ? " " : "",
			    p->name[i], r < 0 ? a->error : "accepted", agent_power_name(seen));
		if (r < 0) {
			failed = true;
			if (!a->error[0])
				agent_error(a, -r, "%s of %s failed: %s", agent_power_name(to),
					    p->name[i], strerror(-r));
			memcpy(why, a->error, sizeof(why));
		} else if (seen == to) {
			p->there[i] = true;
		}
		all &= p->there[i];
	}
	if (all)
		return 0;
	if (a->def->flags & AGENT_NO_STATUS)
		return failed ? -EIO : 0;
	/* What on does for these agents is more than the state shows: a state that is so anyway does not stand in for it. */
	if (failed && to == AGENT_ON && (a->def->flags & AGENT_ALWAYS)) {
		memcpy(a->error, why, sizeof(why));
		return -EIO;
	}
	/* A command whose answer was lost may have been carried out: one look tells. */
	if (!failed)
		agent_sleep_ms(agent_number(a, "power_wait") * 1000L);
	int r = read_back(a, p, to, failed);

	if (r == 0 && failed)
		agent_warn(a, "%s; yet the device reads %s", why, agent_power_name(to));
	if (r < 0 && failed)
		memcpy(a->error, why, sizeof(why));
	return r;
}

/* Return: 0 done, 1 it was so already, negative: failed. */
static int power_to(struct agent *a, enum agent_power to)
{
	struct plugs p;
	bool already = true;
	long tries = to == AGENT_ON ? 1 + agent_number(a, "retry_on") : 1;
	int r = split(a, &p);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < p.n; i++) {
		enum agent_power now;

		if (a->def->flags & (AGENT_ALWAYS | AGENT_NO_STATUS)) {
			already = false;
			continue;
		}
		r = read_one(a, p.name[i], &now);
		if (r == AGENT_MISSING)
			return r;
		p.there[i] = r == 0 && now == to;
		already &= p.there[i];
	}
	if (already)
		return 1;
	for (r = -EIO; r < 0 && tries > 0; tries--)
		r = try_to(a, &p, to);
	return r;
}

/*
 * The device's own cycle. Some devices accept it and do nothing, so each plug has to be seen off once (SAFE-3): that it is on
 * afterwards is what it was before, too.
 */
static int cycle(struct agent *a)
{
	struct plugs p;
	int r = split(a, &p);

	for (unsigned i = 0; r == 0 && i < p.n; i++) {
		enum agent_power seen = AGENT_UNKNOWN;

		r = a->def->cycle(a, p.name[i], &seen);
		p.there[i] = seen == AGENT_OFF;
	}
	if (r < 0 || !a->def->status || a->def->flags & AGENT_NO_STATUS)
		return r;
	if (read_back_each(a, &p, AGENT_OFF, false, POLL_CYCLE_MS) < 0)
		return agent_error(
			a, ETIME,
			"the power cycle was accepted, and nobody saw it off: it may never have been; use method=onoff");
	memset(p.there, 0, sizeof(p.there));
	if (read_back(a, &p, AGENT_ON, false) < 0)
		agent_warn(a, "it is off, but did not go on again: %s", a->error);
	return 0;
}

static int reboot_it(struct agent *a)
{
	if (a->def->cycle && (!a->def->set || ((a->def->common & AGENT_HAS_METHOD) &&
					       strcmp(agent_get(a, "method"), "cycle") == 0)))
		return cycle(a);
	int r = power_to(a, AGENT_OFF);

	if (r < 0)
		return r;
	/* The purpose is served once it was off: a machine that does not come up again is for people. */
	if (power_to(a, AGENT_ON) < 0)
		agent_warn(a, "it is off, but did not go on again: %s", a->error);
	return 0;
}

int agent_power_do(struct agent *a, const char *action)
{
	int r;

	if (strcmp(action, "reboot") == 0) {
		r = reboot_it(a);
		if (r >= 0)
			puts("Success: Rebooted");
	} else {
		enum agent_power to = strcmp(action, "on") == 0 ? AGENT_ON : AGENT_OFF;

		r = power_to(a, to);
		if (r >= 0)
			printf("Success: %s %s\n", r > 0 ? "Already" : "Powered",
			       to == AGENT_ON ? "ON" : "OFF");
	}
	return r < 0 ? AGENT_EXIT_FAILED : AGENT_EXIT_OK;
}
