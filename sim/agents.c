/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/agents.c - fence agents and the devices behind them: they work, fail, lie, are late, act twice, or cannot be reached. */
#include "check.h"

#include <inttypes.h>
#include <string.h>

static const char *const feed_words[FEEDS] = { "bmc", "outlet1", "outlet2", "key" };

uint8_t agent_feed(const struct world *w, unsigned level, unsigned device)
{
	switch ((enum plan_level)w->plan->path[level]) {
	case LEVEL_BMC: return 0;
	case LEVEL_OUTLETS: return (uint8_t)(1 + device);
	case LEVEL_KEY: return FEED_KEY;
	case LEVEL_DOG: /* no agent's business */
	case LEVELS: break;
	}
	abort();
}

static struct agent_run *new_run(struct world *w)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (!w->run[i].serial) {
			memset(&w->run[i], 0, sizeof(w->run[i]));
			w->run[i].serial = (uint32_t)++w->serial;
			return &w->run[i];
		}
	abort();
}

/* The next thing that this run does. Without one it is over, unless its answer waits for a fenced that does not listen. */
static void arm(struct world *w, struct agent_run *r)
{
	uint64_t at = r->effect_ms < r->read_ms ? r->effect_ms : r->read_ms;

	if (!r->orphan && !r->said && r->end_ms < at)
		at = r->end_ms;
	if (at != UINT64_MAX)
		push(w, at > w->now_ms ? at - w->now_ms : 0, EV_AGENT, r->node, NOBODY,
		     (uint32_t)(r - w->run), r->serial, NULL);
	else if (r->orphan)
		r->serial = 0;
}

static void never(struct agent_run *r, enum fence_answer answer)
{
	r->effect_ms = r->read_ms = UINT64_MAX;
	r->answer = answer;
}

/* What a device in trouble makes of it. */
static void in_trouble(struct world *w, struct agent_run *r, enum device_mode mode, uint32_t took)
{
	struct prng *p = &w->host[r->node].prng;

	switch (mode) {
	case DEVICE_OK:
	case DEVICE_MODES: break;
	case DEVICE_FAIL: never(r, FENCE_ANSWER_FAILED); break;
	case DEVICE_GONE:
		never(r, prng_permille(p, 500) ? FENCE_ANSWER_FAILED : FENCE_ANSWER_TIMEOUT);
		if (r->answer == FENCE_ANSWER_TIMEOUT)
			r->end_ms = w->now_ms + w->plan->attempt_ms;
		break;
	case DEVICE_BABBLE: never(r, FENCE_ANSWER_UNKNOWN); break;
	case DEVICE_TIMEOUT:
		r->answer = FENCE_ANSWER_TIMEOUT;
		r->end_ms = w->now_ms + w->plan->attempt_ms;
		if (r->action == FENCE_AGENT_STATUS || prng_permille(p, 500))
			never(r, FENCE_ANSWER_TIMEOUT);
		else
			r->effect_ms = w->now_ms + prng_range(p, 0, 2 * w->plan->attempt_ms);
		break;
	case DEVICE_LIE:
		if (r->action != FENCE_AGENT_STATUS)
			r->effect_ms = UINT64_MAX;
		if (r->action == FENCE_AGENT_OFF)
			check_drill_lied(w, r->node, r->feed);
		break;
	case DEVICE_LATE:
		if (r->action != FENCE_AGENT_STATUS)
			r->effect_ms = w->now_ms + took + prng_range(p, 0, 5000);
		if (r->action == FENCE_AGENT_OFF)
			check_drill_lied(w, r->node, r->feed); /* until then */
		break;
	case DEVICE_STRANGER:
		/* one that takes another machine's place between an off and its read-back nobody would notice */
		never(r, r->action != FENCE_AGENT_STATUS       ? FENCE_ANSWER_FAILED
			 : w->host[r->node].off_asked[r->feed] ? FENCE_ANSWER_UNKNOWN
							       : FENCE_ANSWER_OFF);
		break;
	case DEVICE_TWICE: r->again = r->action == FENCE_AGENT_OFF; break;
	}
}

static enum device_mode draw_mode(struct world *w, struct agent_run *r)
{
	const struct plan *plan = w->plan;
	struct prng *p = &w->host[r->node].prng;

	if (w->healed)
		return DEVICE_OK;
	if (r->action == FENCE_AGENT_STATUS)
		return !prng_permille(p, plan->agent_unknown) ? DEVICE_OK
		       : prng_permille(p, 500)                ? DEVICE_BABBLE
							      : DEVICE_TIMEOUT;
	if (prng_permille(p, plan->agent_fail))
		return DEVICE_FAIL;
	if (prng_permille(p, plan->agent_timeout))
		return DEVICE_TIMEOUT;
	if (prng_permille(p, plan->agent_lie))
		return DEVICE_LIE;
	return prng_permille(p, plan->agent_late) ? DEVICE_LATE : DEVICE_OK;
}

void agent_start(struct world *w, uint32_t by, const struct fence_action *a)
{
	struct agent_run *r = new_run(w);
	bool check = a->type == FENCE_ACT_CHECK;

	uint8_t level = check ? a->check.level : a->run.level;
	uint8_t device = check ? a->check.device : a->run.device;

	r->by = by;
	r->by_gen = w->host[by].proc[PART_FENCE].gen;
	r->by_boot = w->host[by].boot;
	r->check = check;
	r->member = check && a->check.on;
	r->id = check ? a->check.check : a->run.run;
	r->node = check ? a->check.node : a->run.node;
	r->feed = agent_feed(w, level, device);
	r->action = check ? FENCE_AGENT_STATUS : (uint8_t)a->run.action;
	struct prng *p = &w->host[r->node].prng;
	uint32_t took = prng_range(p, 100, check ? 400 : 2000);

	r->end_ms = w->now_ms + took;
	r->effect_ms = r->read_ms = UINT64_MAX;
	if (r->action == FENCE_AGENT_STATUS) {
		r->read_ms = w->now_ms + prng_range(p, 0, took);
	} else {
		r->effect_ms = w->now_ms + prng_range(p, 0, took);
		r->answer = FENCE_ANSWER_DONE;
	}
	enum device_mode mode = w->host[r->node].device[r->feed];

	/* One lie about a plug is what the core stands; "done" that was none, and then another's "off", are two. */
	if (mode == DEVICE_STRANGER && r->action == FENCE_AGENT_STATUS &&
	    w->host[r->node].off_done[r->feed])
		mode = DEVICE_OK;
	in_trouble(w, r, mode ? mode : draw_mode(w, r), took);
	if (r->action == FENCE_AGENT_OFF)
		w->host[r->node].off_done[r->feed] = r->answer == FENCE_ANSWER_DONE;
	if (r->action != FENCE_AGENT_STATUS)
		w->host[r->node].off_asked[r->feed] = mode != DEVICE_STRANGER;
	if (check && w->host[r->node].unready)
		never(r, FENCE_ANSWER_FAILED);
	if (!check)
		TRACE(w->trace,
		      (.ms = w->now_ms, .node = by, .peer = r->node, .kind = TRACE_FENCE,
		       .state = TRACE_IS_ASKED, .number = r->id,
		       .name = fence_action_name(r->action)),
		      "%s", feed_words[r->feed]);
	arm(w, r);
}

void agent_cancel(struct world *w, uint32_t by, uint64_t id)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct agent_run *r = &w->run[i];

		if (!r->serial || r->orphan || r->by != by || r->check || r->id != id ||
		    r->by_gen != w->host[by].proc[PART_FENCE].gen)
			continue;
		r->orphan = true;
		r->read_ms = UINT64_MAX;
		if (prng_permille(&w->host[r->node].prng,
				  500)) /* killed before its request was out */
			r->effect_ms = UINT64_MAX;
		if (r->effect_ms == UINT64_MAX)
			r->serial = 0;
	}
}

/* Its agents die with it; what they asked for may be on its way. */
void agents_orphaned(struct world *w, uint32_t by, bool node_died)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct agent_run *r = &w->run[i];

		if (!r->serial || r->orphan || r->by != by)
			continue;
		r->orphan = true;
		r->read_ms = UINT64_MAX;
		if (node_died && prng_permille(&w->host[r->node].prng, 500))
			r->effect_ms = UINT64_MAX;
		if (r->effect_ms == UINT64_MAX)
			r->serial = 0;
	}
}

/* The agent itself takes the keys, on its own node: it stands still and goes on with that one, also when nobody waits for
 * its answer any more. */
static void cut(struct world *w, struct agent_run *r)
{
	const struct host *by = &w->host[r->by];
	bool alive = by->runs && by->boot == r->by_boot;

	if (alive && by->frozen) {
		r->effect_ms = w->now_ms + 200;
		return;
	}
	r->effect_ms = UINT64_MAX;
	if (!alive || r->action != FENCE_AGENT_OFF || !reserve_cut(w, r->by, r->node))
		r->answer = FENCE_ANSWER_FAILED;
	else {
		w->stats.offs++;
		check_drill_acted(w, r->node, FEED_KEY);
	}
}

static void effect(struct world *w, struct agent_run *r)
{
	struct host *h = &w->host[r->node];
	bool on = r->action == FENCE_AGENT_ON;

	if (r->feed == FEED_KEY) {
		cut(w, r);
		return;
	}
	r->effect_ms = r->again ? w->now_ms + prng_range(&h->prng, 200, 8000) : UINT64_MAX;
	r->again = false;
	w->stats.offs += !on;
	if (!on)
		check_drill_acted(w, r->node, r->feed);
	if (h->feed[r->feed] == on && powered(w, r->node) == on)
		return;
	h->feed[r->feed] = on;
	power_changed(w, r->node);
}

/* Read back, whoever did it, or because it never was registered. */
static void cut_seen(struct world *w, uint32_t node)
{
	w->host[node].cut_boot = w->host[node].boot;
	w->host[node].cuts++;
}

static void answer(struct world *w, struct agent_run *r)
{
	static const enum trace_state states[] = {
		[FENCE_ANSWER_UNKNOWN] = TRACE_IS_UNKNOWN,
		[FENCE_ANSWER_DONE] = TRACE_IS_DONE,
		[FENCE_ANSWER_ON] = TRACE_IS_READ_ON,
		[FENCE_ANSWER_OFF] = TRACE_IS_READ_OFF,
		[FENCE_ANSWER_FAILED] = TRACE_IS_FAILED,
		[FENCE_ANSWER_TIMEOUT] = TRACE_IS_TIMEOUT,
	};
	struct fence_event ev = { .type = r->check ? FENCE_EV_READY_DONE : FENCE_EV_RUN_DONE };
	char text[64];
	uint32_t by = r->by;

	snprintf(text, sizeof(text), "%s %s %s", feed_words[r->feed], fence_action_name(r->action),
		 fence_answer_name(r->answer));
	if (r->check) {
		ev.ready_done.check = r->id;
		ev.ready_done.ok = r->answer == FENCE_ANSWER_ON ||
				   (r->answer == FENCE_ANSWER_OFF && !r->member);
		ev.ready_done.text = text;
	} else {
		ev.run_done.run = r->id;
		ev.run_done.answer = r->answer;
		ev.run_done.text = text;
		say(w, "n%u: run %" PRIu64 " on n%u: %s", by, r->id, r->node, text);
		TRACE(w->trace,
		      (.ms = w->now_ms, .node = by, .peer = r->node, .kind = TRACE_FENCE,
		       .state = states[r->answer], .number = r->id,
		       .name = fence_action_name(r->action)),
		      "%s", text);
	}
	r->orphan = true; /* its effect may be late */
	if (r->effect_ms == UINT64_MAX)
		r->serial = 0;
	fenced_feed(w, by, &ev);
}

void agent_event(struct world *w, const struct timed *t)
{
	struct agent_run *r = &w->run[t->a];

	if (r->serial != t->b)
		return;
	if (t->proc != NOBODY) { /* its fenced listens now */
		if (!r->orphan)
			answer(w, r);
		return;
	}
	if (r->effect_ms <= w->now_ms) {
		effect(w, r);
		if (r->serial != t->b) /* it hit its own node */
			return;
	}
	if (r->read_ms <= w->now_ms) {
		bool on = w->host[r->node].feed[r->feed];

		r->read_ms = UINT64_MAX;
		r->answer = r->feed == FEED_KEY ? reserve_look(w, r->by, r->node)
			    : on                ? FENCE_ANSWER_ON
						: FENCE_ANSWER_OFF;
		if (r->answer == FENCE_ANSWER_OFF)
			check_drill_read(w, r->node, r->feed);
		if (r->feed == FEED_KEY && r->answer == FENCE_ANSWER_OFF)
			cut_seen(w, r->node);
		if (r->feed != FEED_KEY && !powered(w, r->node))
			disk_flush(w, r->node);
	}
	if (!r->orphan && !r->said &&
	    r->end_ms <= w->now_ms) { /* when fenced hangs, it waits in a pipe */
		r->said = true;
		push(w, 0, EV_AGENT, r->by, PART_FENCE, t->a, r->serial, NULL);
	}
	arm(w, r);
}
