/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/story.c - courses of events that once went wrong, or nearly: one world in ten begins with one of them, its times drawn
 * anew. Faults that are drawn one by one rarely meet as closely as these do.
 */
#include "plan.h"
#include "prng.h"

#include <string.h>

#define PART(p) (1u << (p))

static void add(struct plan *plan, uint32_t at_ms, enum act_kind kind, uint32_t node,
		uint32_t for_ms, uint16_t arg)
{
	if (plan->n < PLAN_ACTS_MAX)
		plan->act[plan->n++] = (struct act){ .at_ms = at_ms,
						     .kind = (uint8_t)kind,
						     .node = (uint8_t)node,
						     .for_ms = for_ms,
						     .arg = arg };
}

/* Messages are slow; who is to fence hangs in the middle of its attempt, and hears all answers at once when it goes on. */
static uint32_t sleeper(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t victim = prng_range(p, 1, plan->nodes), actor = victim == 1 ? 2 : 1;
	uint32_t begins = at + plan->detect_ms + prng_range(p, 0, plan->token_ms);
	uint32_t lasts = 2 * plan->stall_ms + prng_range(p, 50, 3 * plan->stall_ms);

	for (uint32_t id = 1; id <= plan->nodes; id++)
		add(plan, at, ACT_SLOW, id, 3 * plan->detect_ms + 10000,
		    (uint16_t)(plan->token_ms / 2));
	add(plan, at, ACT_PANIC, victim, 0, 0);
	add(plan, begins, ACT_HANG, actor, lasts, PART_FENCE);
	return begins + lasts + plan->cut_delay_ms;
}

/* A's fenced hangs; B stops in order, is back, and falls before A has heard any of it (goodbye_is_over_when_it_is_back.scn). */
static uint32_t goodbye(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t a = prng_range(p, 1, plan->nodes), b = a % plan->nodes + 1;
	uint32_t lasts = prng_range(p, 5000, plan->absent_ms);

	if (plan->parts & PART(PART_DLM) && plan->clients == 0)
		plan->clients = 1;
	add(plan, at, ACT_HANG, a, lasts, PART_FENCE);
	add(plan, at + prng_range(p, 10, 500), ACT_LEAVE, b, prng_range(p, 200, 1500), 0);
	add(plan, at + prng_range(p, 3000, lasts), prng_permille(p, 500) ? ACT_FREEZE : ACT_CUT, b,
	    prng_range(p, 6000, 20000), 2);
	return at + lasts + 5000;
}

/* The node that serves freezes, its devices do not answer: declared over, it thaws and is there again, among those who know. */
static uint32_t zombie(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t id = prng_range(p, 1, plan->nodes);
	uint32_t lasts = plan->detect_ms + prng_range(p, 200, 4 * plan->detect_ms);

	for (uint16_t feed = 0; feed < 4; feed++) {
		add(plan, at, ACT_DEVICE, id, lasts + 15000,
		    prng_permille(p, 500) ? DEVICE_FAIL : DEVICE_GONE);
		plan->act[plan->n - 1].arg2 = feed;
	}
	if (prng_permille(p, 400)) /* and its fenced is not there to tell it */
		add(plan, at + lasts - 100, ACT_HANG, id, prng_range(p, 500, 8000), PART_FENCE);
	add(plan, at, prng_permille(p, 600) ? ACT_FREEZE : ACT_CUT, id, lasts, 2);
	return at + lasts + 10000;
}

/* An agent works, its victim comes back by itself, and falls once more: the late answer speaks of the life before. */
static uint32_t late(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t id = prng_range(p, 1, plan->nodes);
	uint32_t again = at + plan->detect_ms + prng_range(p, 500, 6000);

	add(plan, at, ACT_DEVICE, id, plan->detect_ms + 20000,
	    prng_permille(p, 500) ? DEVICE_LATE : DEVICE_TWICE);
	add(plan, at, ACT_RESET, id, 0, 0);
	add(plan, again, prng_permille(p, 500) ? ACT_RESET : ACT_FREEZE, id,
	    prng_range(p, 1000, 8000), 0);
	return again + 10000;
}

/* A daemon goes and comes while a node falls: whose word counts, and what of it is old? */
static uint32_t restarts(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t victim = prng_range(p, 1, plan->nodes);

	add(plan, at, prng_permille(p, 500) ? ACT_PANIC : ACT_FREEZE, victim,
	    prng_range(p, 2000, 20000), 0);
	for (unsigned i = 0; i < 4; i++)
		add(plan, at + prng_range(p, 0, plan->detect_ms + 4000), ACT_KILL,
		    prng_range(p, 1, plan->nodes), prng_range(p, 5, 4000), PART_FENCE);
	for (unsigned i = 0; i < 3; i++)
		if (plan->parts & PART(PART_STORAGE))
			add(plan, at + prng_range(p, 0, plan->detect_ms + 4000), ACT_KILL,
			    prng_range(p, 1, plan->nodes), prng_range(p, 5, 4000), PART_STORAGE);
	return at + plan->detect_ms + 10000;
}

/* An idle node is drilled, and again when it is back, while something goes wrong in the middle. */
static uint32_t drills(struct plan *plan, struct prng *p, uint32_t at)
{
	uint32_t id = prng_range(p, 1, plan->nodes), other = id % plan->nodes + 1;
	bool storage = plan->parts & PART(PART_STORAGE);

	at += prng_range(p, 5000, 25000);
	if (storage)
		add(plan, at, ACT_STANDBY, other, 0, (uint16_t)id);
	for (unsigned i = 0; i < 3; i++) {
		at += prng_range(p, 12000, 20000);
		if (!storage)
			add(plan, at - 4000, ACT_SIGNS, id, 0, prng_permille(p, 150));
		add(plan, at, ACT_DRILL, other, 0, (uint16_t)id);
		if (prng_permille(p, 150)) /* a second one, asked for elsewhere */
			add(plan, at + prng_range(p, 0, 40), ACT_DRILL, id, 0, (uint16_t)other);
		if (prng_permille(p, 150) && storage) /* or it is to serve */
			add(plan, at - prng_range(p, 0, 3000), ACT_UNSTANDBY, other, 0,
			    (uint16_t)id);
		if (prng_permille(p, 500)) {
			add(plan, at, ACT_DEVICE, id, prng_range(p, 1000, 15000),
			    (uint16_t)prng_range(p, DEVICE_FAIL, DEVICE_GONE));
			plan->act[plan->n - 1].arg2 = (uint16_t)prng_range(p, 0, 3);
		}
		static const enum act_kind troubles[] = { ACT_PANIC, ACT_RESET, ACT_FREEZE,
							  ACT_HANG,  ACT_KILL,  ACT_CUT };

		if (prng_permille(p, 400))
			add(plan, at + prng_range(p, 50, 6000), troubles[prng_range(p, 0, 5)],
			    prng_permille(p, 500) ? id : other, prng_range(p, 500, 9000),
			    PART_FENCE);
		at += plan->detect_ms + prng_range(p, 12000, 30000);
	}
	if (storage)
		add(plan, at, ACT_UNSTANDBY, other, 0, (uint16_t)id);
	return at;
}

void plan_story(struct plan *plan)
{
	static uint32_t (*const stories[])(struct plan *, struct prng *,
					   uint32_t) = { sleeper, goodbye,  zombie,
							 late,    restarts, drills };
	struct prng p = { plan->seed * UINT64_C(0xd1342543de82ef95) + plan->parts };
	struct plan drawn;
	uint32_t over;

	if (!(plan->parts & PART(PART_FENCE)))
		return;
	memcpy(drawn.act, plan->act, sizeof(drawn.act));
	drawn.n = plan->n;
	plan->n = 0;
	over = stories[prng_range(&p, 0, sizeof(stories) / sizeof(stories[0]) - 1)](
		plan, &p, prng_range(&p, 8000, 20000));
	for (unsigned i = 0; i < drawn.n && plan->n < PLAN_ACTS_MAX; i++)
		if (drawn.act[i].at_ms >= over)
			plan->act[plan->n++] = drawn.act[i];
	if (plan->end_ms < over)
		plan->end_ms = over;
}
