/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three fenced in one group (group.h). The samples: a real exchange, from joining to an attempt and its proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fenced/core/fence.h"
#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"

#define NODES GROUP_NODES
#define QUEUE_MAX 256

struct cluster {
	struct fence_domain *dom[NODES + 1]; /* by nodeid */
	struct fence_actions *out;
	struct heard queue[QUEUE_MAX];
	unsigned n_queue;
	uint64_t now_ms;
	bool keep; /* each message delivered becomes a sample */
};

static int feed(struct cluster *c, uint32_t id, struct fence_event ev);

/* What a daemon would do about the actions in c->out; agents and checks succeed at once. */
static void carry_out(struct cluster *c, uint32_t id)
{
	struct fence_event answers[FENCE_ACTIONS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < c->out->n; i++) {
		const struct fence_action *act = &c->out->v[i];

		if (act->type == FENCE_ACT_SEND) {
			assert_true(c->n_queue < QUEUE_MAX);
			c->queue[c->n_queue++] = heard_copy(id, c->out->msg, c->out->msg_len);
		} else if (act->type == FENCE_ACT_RUN) {
			answers[n] = (struct fence_event){ .type = FENCE_EV_RUN_DONE };
			answers[n].run_done.run = act->run.run;
			answers[n].run_done.answer = act->run.action == FENCE_AGENT_STATUS
							     ? FENCE_ANSWER_OFF
							     : FENCE_ANSWER_DONE;
			answers[n++].run_done.text = "dummy: off";
		} else if (act->type == FENCE_ACT_CHECK) {
			answers[n] = (struct fence_event){ .type = FENCE_EV_READY_DONE };
			answers[n].ready_done.check = act->check.check;
			answers[n].ready_done.ok = true;
			answers[n++].ready_done.text = "";
		}
	}
	for (unsigned i = 0; i < n; i++)
		feed(c, id, answers[i]);
}

static int feed(struct cluster *c, uint32_t id, struct fence_event ev)
{
	ev.now_ms = c->now_ms;
	int r = fence_step(c->dom[id], &ev, c->out);

	assert_null(fence_broken(c->dom[id]));
	carry_out(c, id);
	return r;
}

static void drop(struct cluster *c)
{
	while (c->n_queue > 0)
		free(c->queue[--c->n_queue].data);
}

static void run(struct cluster *c)
{
	while (c->n_queue > 0) {
		struct heard m = c->queue[0];

		memmove(&c->queue[0], &c->queue[1], --c->n_queue * sizeof(m));
		if (c->keep)
			heard_keep(m.from, m.data, m.len);
		for (uint32_t id = 1; id <= NODES; id++) {
			struct fence_event ev = { .type = FENCE_EV_DELIVER };

			ev.deliver.from = m.from;
			ev.deliver.data = m.data;
			ev.deliver.len = m.len;
			feed(c, id, ev);
		}
		free(m.data);
	}
}

static void end(struct cluster *c)
{
	drop(c);
	for (uint32_t id = 1; id <= NODES; id++)
		c->dom[id] = fence_free(c->dom[id]);
	free(c->out);
}

static void view(struct cluster *c, uint64_t seq)
{
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view.id = (struct view_id){ .seq = seq, .rep = 1 };
	ev.view.quorate = true;
	for (uint32_t id = 1; id <= NODES; id++)
		nodeset_add(&ev.view.nodes, id);
	ev.view.members = ev.view.nodes;
	if (seq == 1)
		ev.view.joined = ev.view.nodes;
	for (uint32_t id = 1; id <= NODES; id++)
		assert_int_equal(feed(c, id, ev), 0);
}

/* Three nodes in their second view. Not @synced: stop where that has just begun. */
static void begin(struct cluster *c, bool synced, bool keep)
{
	*c = (struct cluster){ .now_ms = 1000, .keep = keep, .out = malloc(sizeof(*c->out)) };
	assert_non_null(c->out);
	for (uint32_t id = 1; id <= NODES; id++) {
		struct fence_config cfg = {
			.self = { .nodeid = id, .boot_id = { (uint8_t)id }, .join = id },
			.hash = 7,
			.cut_delay_ms = 1000,
			.post_join_ms = 30000,
			.absent_ms = 10000,
			.retry_min_ms = 1000,
			.retry_max_ms = 60000,
			.ready_interval_ms = 60000,
			.ready_age_ms = 300000,
			.confirm_ms = 2000,
			.stall_ms = 500,
			.hurry_alone_ms = 50,
			.hurry_ms = 200,
		};

		for (uint32_t peer = 1; peer <= NODES; peer++) {
			nodeset_add(&cfg.nodes, peer);
			cfg.path[peer].n_levels = 1;
			cfg.path[peer].n_devices[0] = 1;
		}
		c->dom[id] = fence_new(&cfg);
		assert_non_null(c->dom[id]);
	}
	view(c, 1);
	run(c);
	struct fence_event signs = { .type = FENCE_EV_SIGNS };

	signs.signs.weight = 2;
	signs.signs.holds = true;
	signs.signs.peer[3] = LIFE_FRESH;
	assert_int_equal(feed(c, 1, signs), 0);
	run(c);
	view(c, 2);
	if (synced)
		run(c);
	drop(c);
}

/* The samples: all that three nodes say until one of them is fenced and proven dead. */
static void play(void)
{
	struct cluster c;
	struct fence_state st;
	struct fence_event ev = { .type = FENCE_EV_REQUEST };

	begin(&c, true, true);
	ev.request.node = 3;
	ev.request.text = "storaged: it cannot let go of webdata";
	assert_int_equal(feed(&c, 2, ev), 0);
	for (unsigned i = 0; i < 200; i++) {
		run(&c);
		c.now_ms += 100;
		for (uint32_t id = 1; id <= NODES; id++)
			if (fence_deadline_ms(c.dom[id]) <= c.now_ms)
				feed(&c, id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
	}
	run(&c);
	fence_snapshot(c.dom[1], c.now_ms, &st);
	assert_int_equal(fence_state_node(&st, 3)->state, FENCE_NODE_DEAD);
	struct fence_stored kept;

	fence_stored(c.dom[2], &kept); /* whoever made the proof, everybody keeps it */
	assert_int_equal(kept.n, 1);
	assert_int_equal(kept.proof[0].victim.nodeid, 3);
	assert_int_equal(kept.proof[0].kind, PROOF_OFF_VERIFIED);
	end(&c);
}

static void *group_begin(bool synced)
{
	struct cluster *c = malloc(sizeof(*c));

	assert_non_null(c);
	begin(c, synced, false);
	return c;
}

static void *group_end(void *group)
{
	end(group);
	free(group);
	return NULL;
}

static int deliver(void *group, uint32_t from, const void *data, size_t len)
{
	struct cluster *c = group;
	int r[NODES + 1] = { 0 };

	for (uint32_t id = 1; id <= NODES; id++) {
		struct fence_event ev = { .type = FENCE_EV_DELIVER, .now_ms = c->now_ms };
		uint64_t before = fence_digest(c->dom[id]);

		ev.deliver.from = from;
		ev.deliver.data = data;
		ev.deliver.len = len;
		r[id] = fence_step(c->dom[id], &ev, c->out);
		assert_null(fence_broken(c->dom[id]));
		if (r[id] < 0)
			assert_true(fence_digest(c->dom[id]) == before);
	}
	for (uint32_t id = 2; id <= NODES; id++) { /* FENCE-5 */
		assert_int_equal(r[id], r[1]);
		assert_true(fence_digest(c->dom[id]) == fence_digest(c->dom[1]));
	}
	return r[1];
}

const struct group_kind group_fence = {
	.begin = group_begin, .deliver = deliver, .end = group_end, .play = play
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	group_input(&group_fence, data, len);
	return 0;
}
