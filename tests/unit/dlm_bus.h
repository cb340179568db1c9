/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm_bus.h - some lock domains on an agreed order, for unit tests: a queue everybody hears in the same order. */
#ifndef TESTS_UNIT_DLM_BUS_H
#define TESTS_UNIT_DLM_BUS_H

#include "dlm/core/dlm.h"

#include <stdlib.h>
#include <string.h>

#define BUS_NODES 4
#define BUS_LOG 256

struct bus_msg {
	uint32_t from;
	uint64_t view;
	size_t len;
	uint8_t *data;
	struct bus_msg *next;
};

struct bus_node {
	struct dlm *dlm; /* NULL: not running */
	struct dlm_actions *out;
	struct nodeset members; /* its view */
	uint64_t
		view; /* its place in the order of views: what is sent in another one is not heard */
	struct view_id ring; /* changes only with corosync's membership */
	struct nodeset nodes;
	bool in_group; /* it has had a view */
	struct fence_state fence;
	unsigned n_log;
	struct dlm_action log[BUS_LOG]; /* everything but SEND */
};

struct bus {
	struct bus_node node[BUS_NODES + 1]; /* by nodeid */
	struct bus_msg *head, **tail;
	struct nodeset configured; /* empty: as many as each test starts */
	struct nodeset deaf; /* for them the order of this view is over: they hear no more of it */
	uint64_t view, ring, cookie;
	void (*hear)(const struct bus_msg *m); /* each message as it is delivered; may be NULL */
};

static inline struct incarnation bus_life(uint32_t nodeid, uint8_t boot)
{
	struct incarnation inc = { .nodeid = nodeid, .join = 1 };

	inc.boot_id[0] = (uint8_t)nodeid;
	inc.boot_id[1] = boot;
	return inc;
}

static inline void bus_take(struct bus *bus, uint32_t id)
{
	struct bus_node *n = &bus->node[id];

	for (unsigned i = 0; i < n->out->n; i++) {
		const struct dlm_action *act = &n->out->v[i];

		if (act->type == DLM_ACT_SEND) {
			struct bus_msg *m = calloc(1, sizeof(*m));

			m->from = id;
			m->view = n->view;
			m->len = act->send.len;
			m->data = malloc(m->len);
			memcpy(m->data, n->out->bytes + act->send.off, m->len);
			*bus->tail = m;
			bus->tail = &m->next;
		} else if (n->n_log < BUS_LOG) {
			n->log[n->n_log++] = *act;
		}
	}
	assert_null(dlm_broken(n->dlm));
}

static inline void bus_start(struct bus *bus, uint32_t id, uint8_t boot)
{
	struct bus_node *n = &bus->node[id];
	struct incarnation inc = bus_life(id, boot);

	if (!bus->tail)
		bus->tail = &bus->head;
	n->dlm = dlm_new(&inc, bus->configured);
	if (!n->out)
		n->out = malloc(sizeof(*n->out));
	n->n_log = 0;
	n->in_group = false;
}

static inline void bus_stop(struct bus *bus, uint32_t id)
{
	bus->node[id].dlm = dlm_free(bus->node[id].dlm);
	bus->node[id].in_group = false;
}

/* What this node's view is told as; @joined: new in the group, or back in it. */
static inline void bus_tell_view(struct bus *bus, uint32_t id, bool quorate, struct nodeset joined)
{
	struct bus_node *n = &bus->node[id];
	struct dlm_event ev = { .type = DLM_EV_VIEW };

	ev.view.id = n->ring;
	ev.view.quorate = quorate;
	ev.view.nodes = n->nodes;
	ev.view.members = n->members;
	ev.view.joined = joined;
	assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
	bus_take(bus, id);
}

/* The group changed to @members within the ring @ring of @nodes, as corosync tells it. */
static inline void bus_group(struct bus *bus, uint64_t members, uint64_t nodes, uint64_t ring,
			     bool quorate)
{
	struct nodeset all = { members };

	bus->view++;
	nodeset_for_each (id, all) {
		struct bus_node *n = &bus->node[id];
		struct nodeset joined = all;

		if (n->in_group)
			nodeset_for_each (m, all)
				if (bus->node[m].in_group && nodeset_has(n->members, m))
					nodeset_del(&joined, m);
		n->view = bus->view;
		n->nodes = (struct nodeset){ nodes };
		n->ring = (struct view_id){ .seq = ring, .rep = nodeset_lowest(n->nodes) };
		n->members = all;
		bus_tell_view(bus, id, quorate, joined);
	}
	nodeset_for_each (id, all)
		bus->node[id].in_group = true;
}

/* A new view of @members in a new ring; @nodes: corosync's membership, where a daemon may be missing. */
static inline void bus_view(struct bus *bus, uint64_t members, uint64_t nodes, bool quorate)
{
	bus_group(bus, members, nodes, ++bus->ring, quorate);
}

/* A daemon came or went while corosync runs on: the ring stays. */
static inline void bus_daemons(struct bus *bus, uint64_t members, uint64_t nodes)
{
	bus_group(bus, members, nodes, bus->ring, true);
}

/* The last message that was sent comes once more. */
static inline void bus_repeat(struct bus *bus)
{
	struct bus_msg *last = bus->head, *m = calloc(1, sizeof(*m));

	while (last->next)
		last = last->next;
	*m = *last;
	m->next = NULL;
	m->data = malloc(m->len);
	memcpy(m->data, last->data, m->len);
	*bus->tail = m;
	bus->tail = &m->next;
}

/* Deliver the next message; one of another view is dropped, as lib/shell/cluster.h does. */
static inline void bus_step(struct bus *bus)
{
	struct bus_msg *m = bus->head;

	bus->head = m->next;
	if (!bus->head)
		bus->tail = &bus->head;
	if (bus->hear)
		bus->hear(m);
	for (uint32_t id = 1; id <= BUS_NODES; id++) {
		struct bus_node *n = &bus->node[id];
		struct dlm_event ev = { .type = DLM_EV_DELIVER };

		if (!n->dlm || n->view != m->view || !nodeset_has(n->members, m->from) ||
		    nodeset_has(bus->deaf, id))
			continue;
		ev.deliver.from = m->from;
		ev.deliver.data = m->data;
		ev.deliver.len = m->len;
		assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
		bus_take(bus, id);
	}
	free(m->data);
	free(m);
}

static inline void bus_run(struct bus *bus)
{
	while (bus->head)
		bus_step(bus);
}

static inline uint64_t bus_submit(struct bus *bus, uint32_t id, struct dlm_op op)
{
	struct bus_node *n = &bus->node[id];
	struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

	op.cookie = ++bus->cookie;
	assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
	bus_take(bus, id);
	return op.cookie;
}

static inline struct dlm_op bus_lock(uint32_t client, const char *name, int mode, uint32_t flags)
{
	struct dlm_op op = { .type = DLM_OP_LOCK,
			     .client = client,
			     .pid = 100 + client,
			     .mode = mode,
			     .flags = flags };

	op.space_len = 1;
	op.space[0] = 's';
	op.name_len = (uint8_t)strlen(name);
	memcpy(op.name, name, op.name_len);
	return op;
}

/* What fenced of node @id says of one node. */
static inline void bus_fence(struct bus *bus, uint32_t id, struct fence_node node)
{
	struct bus_node *n = &bus->node[id];
	struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = &n->fence };

	n->fence.n = 1;
	n->fence.informed = n->fence.quorate = true;
	n->fence.view = n->ring;
	n->fence.node[0] = node;
	assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
	bus_take(bus, id);
}

/* Its own fenced is a member, as that join. */
static inline void bus_fenced(struct bus *bus, uint32_t id, uint8_t boot, uint64_t join)
{
	struct bus_node *n = &bus->node[id];
	struct fence_node self = { .nodeid = id, .state = FENCE_NODE_MEMBER };

	self.life = bus_life(id, boot);
	self.life.join = join;
	n->fence.self = self.life;
	bus_fence(bus, id, self);
}

/* Its life of this boot is over. */
static inline struct fence_node bus_dead(uint32_t victim, uint8_t boot, enum proof_kind kind)
{
	return (struct fence_node){
		.nodeid = victim,
		.state = FENCE_NODE_DEAD,
		.life = bus_life(victim, boot),
		.proof = { .victim = bus_life(victim, boot), .kind = kind, .by = 1, .number = 1 }
	};
}

/* fenced says on every node that a life is over. */
static inline void bus_proof(struct bus *bus, uint32_t victim, uint8_t boot)
{
	for (uint32_t id = 1; id <= BUS_NODES; id++)
		if (bus->node[id].dlm && id != victim)
			bus_fence(bus, id, bus_dead(victim, boot, PROOF_OFF_VERIFIED));
}

static inline const struct dlm_action *bus_find(struct bus *bus, uint32_t id, int type,
						unsigned nth)
{
	struct bus_node *n = &bus->node[id];

	for (unsigned i = 0; i < n->n_log; i++)
		if ((int)n->log[i].type == type && nth-- == 0)
			return &n->log[i];
	return NULL;
}

#define BUS_TWO (nodeset_of(1).bits | nodeset_of(2).bits)
#define BUS_THREE (BUS_TWO | nodeset_of(3).bits)

/* Nodes 1 to 3 have begun together, and are synced. */
static inline void bus_three_up(struct bus *bus)
{
	for (uint32_t id = 1; id <= 3; id++)
		bus_start(bus, id, 1);
	bus_view(bus, BUS_THREE, BUS_THREE, true);
	bus_run(bus);
	for (uint32_t id = 1; id <= 3; id++)
		assert_non_null(bus_find(bus, id, DLM_ACT_SYNCED, 0));
}

static inline void bus_forget(struct bus *bus)
{
	for (uint32_t id = 1; id <= BUS_NODES; id++)
		bus->node[id].n_log = 0;
}

static inline void bus_end(struct bus *bus)
{
	bus_run(bus);
	for (uint32_t id = 1; id <= BUS_NODES; id++) {
		bus->node[id].dlm = dlm_free(bus->node[id].dlm);
		free(bus->node[id].out);
	}
}

#endif
