/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three storaged in one group (group.h). The samples: joining, starting, relocation, standby, a node lost and proven dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storaged/core/place.h"
#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"

#define NODES GROUP_NODES
#define SERVICES 2
#define QUEUE_MAX 512

struct cluster {
	struct place *place[NODES + 1]; /* by nodeid */
	struct place_actions *out;
	struct heard queue[QUEUE_MAX];
	unsigned n_queue;
	struct nodeset members;
	uint64_t now_ms, seq;
	bool keep; /* each message delivered becomes a sample */
};

static struct incarnation life_of(uint32_t id)
{
	return (struct incarnation){ .nodeid = id, .boot_id = { (uint8_t)id }, .join = id };
}

/* Feed one event and do what a daemon would; drivers find nothing, then succeed, and locks are free. */
static int feed(struct cluster *c, uint32_t id, struct place_event ev)
{
	static struct place_look nothing[SERVICES_MAX];
	struct place_event answers[PLACE_ACTIONS_MAX];
	unsigned n = 0;

	for (unsigned s = 0; s < SERVICES_MAX; s++)
		nothing[s].active = DRIVE_NONE;
	ev.now_ms = c->now_ms;
	int r = place_step(c->place[id], &ev, c->out);

	assert_null(place_broken(c->place[id]));
	for (unsigned i = 0; i < c->out->n; i++) {
		const struct place_action *act = &c->out->v[i];

		if (act->type == PLACE_ACT_SEND) {
			assert_true(c->n_queue < QUEUE_MAX);
			c->queue[c->n_queue++] = heard_copy(id, act->send.data, act->send.len);
		} else if (act->type == PLACE_ACT_DRIVE) {
			answers[n] = (struct place_event){ .type = PLACE_EV_DRIVER };
			answers[n].driver.run = act->drive.run;
			answers[n].driver.result = act->drive.op == DRIVE_PROBE ? DRIVE_NONE
										: DRIVE_OK;
			answers[n].driver.epoch = act->drive.epoch;
			answers[n].driver.ours = true;
			answers[n++].driver.why = "";
		} else if (act->type == PLACE_ACT_LOOK) {
			answers[n] = (struct place_event){ .type = PLACE_EV_LOOK };
			answers[n++].look.v = nothing;
		} else if (act->type == PLACE_ACT_LOCK) {
			answers[n] = (struct place_event){ .type = PLACE_EV_LOCK };
			answers[n].lock.volume = act->lock.volume;
			answers[n++].lock.held = true;
		}
	}
	for (unsigned i = 0; i < n; i++)
		feed(c, id, answers[i]);
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
		nodeset_for_each (id, c->members) {
			struct place_event ev = { .type = PLACE_EV_DELIVER };

			ev.deliver.from = m.from;
			ev.deliver.data = m.data;
			ev.deliver.len = m.len;
			feed(c, id, ev);
		}
		free(m.data);
	}
}

static void settle(struct cluster *c)
{
	for (unsigned i = 0; i < 20; i++) {
		run(c);
		c->now_ms += 50;
		nodeset_for_each (id, c->members) {
			if (place_deadline_ms(c->place[id]) <= c->now_ms)
				feed(c, id, (struct place_event){ .type = PLACE_EV_TIMEOUT });
		}
	}
	run(c);
}

/* fenced's news: who is not a member has a proof, everybody else is ready. */
static void fenced_says(struct cluster *c)
{
	nodeset_for_each (id, c->members) {
		struct fence_state st = { .self = life_of(id), .quorate = true, .informed = true };
		struct place_event ev = { .type = PLACE_EV_FENCE, .fence.state = &st };

		st.view = (struct view_id){ .seq = c->seq, .rep = 1 };
		for (uint32_t peer = 1; peer <= NODES; peer++) {
			struct fence_node *n = &st.node[st.n++];

			*n = (struct fence_node){ .nodeid = peer,
						  .life = life_of(peer),
						  .ready = true,
						  .state = FENCE_NODE_MEMBER };
			if (nodeset_has(c->members, peer))
				continue;
			n->state = FENCE_NODE_DEAD;
			n->proof.victim = n->life;
			n->proof.kind = PROOF_OFF_VERIFIED;
			n->proof.number = 1;
		}
		assert_int_equal(feed(c, id, ev), 0);
	}
}

static void view(struct cluster *c, uint64_t members)
{
	struct place_event ev = { .type = PLACE_EV_VIEW };

	c->members = (struct nodeset){ members };
	ev.view.id = (struct view_id){ .seq = ++c->seq, .rep = nodeset_lowest(c->members) };
	ev.view.quorate = true;
	ev.view.nodes = c->members;
	ev.view.members = c->members;
	nodeset_for_each (id, c->members)
		assert_int_equal(feed(c, id, ev), 0);
}

static void configure(struct place_config *cfg, uint32_t self)
{
	*cfg = (struct place_config){ .self = self,
				      .life = life_of(self),
				      .hash = 7,
				      .absent_ms = 10000,
				      .stop_ms = 20000,
				      .cool_ms = 60000,
				      .kill_retry_ms = 1000,
				      .prepare_retry_ms = 5000,
				      .unknowns_max = 3 };
	snprintf(cfg->tag, sizeof(cfg->tag), "iqn.2026-11.test:%u", self);
	cfg->frame.n_nodes = NODES;
	for (uint32_t id = 1; id <= NODES; id++) {
		cfg->frame.nodeid[id - 1] = id;
		snprintf(cfg->frame.node_name[id - 1], SERVICE_NAME_MAX, "node%u", id);
	}
	cfg->frame.n_services = SERVICES;
	cfg->frame.n_volumes = 1;
	strcpy(cfg->frame.volume[0], "webdata");
	for (unsigned s = 0; s < SERVICES; s++) {
		struct service_config *sv = &cfg->frame.service[s];

		snprintf(sv->name, sizeof(sv->name), "service%u", s);
		cfg->enabled[s] = sv->enabled = true;
		sv->n = 2;
		sv->is_volume[0] = s == 0;
		sv->restarts = 2;
		sv->restart_window_ms = 60000;
	}
}

static void end(struct cluster *c)
{
	drop(c);
	for (uint32_t id = 1; id <= NODES; id++)
		c->place[id] = place_free(c->place[id]);
	free(c->out);
}

/* Three nodes that run two services, in a new view. Not @synced: stop where that has just begun. */
static void begin(struct cluster *c, bool synced, bool keep)
{
	struct place_config *cfg = malloc(sizeof(*cfg));
	const uint64_t all = nodeset_of(1).bits | nodeset_of(2).bits | nodeset_of(3).bits;

	*c = (struct cluster){ .now_ms = 1000, .keep = keep, .out = malloc(sizeof(*c->out)) };
	assert_true(c->out != NULL && cfg != NULL);
	for (uint32_t id = 1; id <= NODES; id++) {
		configure(cfg, id);
		c->place[id] = place_new(cfg);
		assert_non_null(c->place[id]);
		feed(c, id, (struct place_event){ .type = PLACE_EV_START });
		assert_true(place_probed(c->place[id]));
	}
	free(cfg);
	view(c, all);
	fenced_says(c);
	settle(c);
	view(c, all);
	fenced_says(c);
	if (synced)
		settle(c);
	drop(c);
}

static void command(struct cluster *c, enum service_cmd cmd, unsigned service, uint32_t node)
{
	struct place_event ev = { .type = PLACE_EV_COMMAND };

	ev.command.req = 1;
	ev.command.cmd = cmd;
	ev.command.service = service;
	ev.command.node = node;
	assert_int_equal(feed(c, 1, ev), 0);
	settle(c);
}

/* The samples: all that three nodes say through commands, the loss of one, and the takeover. */
static void play(void)
{
	struct place_service sv;
	struct cluster c;

	begin(&c, true, true);
	place_service(c.place[1], 0, &sv);
	assert_int_equal(sv.shown, PLACE_SHOWN_RUNNING);
	command(&c, SERVICE_CMD_RELOCATE, 0, 3);
	command(&c, SERVICE_CMD_STANDBY, 0, 2);
	place_service(c.place[1], 0, &sv);
	assert_int_equal(sv.group->node, 3);
	view(&c, nodeset_of(1).bits | nodeset_of(2).bits);
	fenced_says(&c);
	settle(&c);
	place_service(c.place[1], 0, &sv);
	assert_int_equal(sv.shown, PLACE_SHOWN_RUNNING);
	assert_int_equal(sv.group->node, 1);
	end(&c);
}

static void placed_alike(struct cluster *c, uint32_t a, uint32_t b)
{
	const struct service_group *ga = place_group(c->place[a]), *gb = place_group(c->place[b]);

	assert_true(ga->history == gb->history && ga->intent == gb->intent);
	for (unsigned s = 0; s < SERVICES; s++) {
		const struct service *x = &ga->service[s], *y = &gb->service[s];

		assert_int_equal(x->state, y->state);
		assert_int_equal(x->enabled, y->enabled);
		assert_int_equal(x->node, y->node);
		assert_int_equal(x->lost, y->lost);
		assert_int_equal(x->target, y->target);
		assert_true(x->starts == y->starts && x->moves == y->moves);
		assert_true(nodeset_equal(x->held, y->held) && nodeset_equal(x->failed, y->failed));
	}
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
		struct place_event ev = { .type = PLACE_EV_DELIVER, .now_ms = c->now_ms };
		uint64_t before = place_group(c->place[id])->history;

		ev.deliver.from = from;
		ev.deliver.data = data;
		ev.deliver.len = len;
		r[id] = place_step(c->place[id], &ev, c->out);
		assert_null(place_broken(c->place[id]));
		if (r[id] < 0) {
			assert_int_equal(c->out->n, 0);
			assert_true(place_group(c->place[id])->history == before);
		}
	}
	for (uint32_t id = 2; id <= NODES; id++) { /* STORE-4 */
		assert_int_equal(r[id], r[1]);
		placed_alike(c, 1, id);
	}
	return r[1];
}

const struct group_kind group_place = {
	.begin = group_begin, .deliver = deliver, .end = group_end, .play = play
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	group_input(&group_place, data, len);
	return 0;
}
