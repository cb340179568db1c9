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
	uint64_t view;
	struct fence_state fence;
	unsigned n_log;
	struct dlm_action log[BUS_LOG]; /* everything but SEND */
};

struct bus {
	struct bus_node node[BUS_NODES + 1]; /* by nodeid */
	struct bus_msg *head, **tail;
	struct nodeset configured; /* empty: as many as each test starts */
	uint64_t view, cookie;
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
}

static inline void bus_stop(struct bus *bus, uint32_t id)
{
	bus->node[id].dlm = dlm_free(bus->node[id].dlm);
}

/* A new view of @members; @nodes: corosync's membership, where a daemon may be missing. */
static inline void bus_view(struct bus *bus, uint64_t members, uint64_t nodes, bool quorate)
{
	bus->view++;
	nodeset_for_each (id, (struct nodeset){ members }) {
		struct bus_node *n = &bus->node[id];
		struct dlm_event ev = { .type = DLM_EV_VIEW };

		n->view = bus->view;
		n->members = (struct nodeset){ members };
		ev.view.id = (struct view_id){ .seq = bus->view,
					       .rep = nodeset_lowest(n->members) };
		ev.view.quorate = quorate;
		ev.view.nodes = (struct nodeset){ nodes };
		ev.view.members = n->members;
		assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
		bus_take(bus, id);
	}
}

/* Deliver until nothing is under way; messages of another view are dropped, as lib/shell/cluster.h does. */
static inline void bus_run(struct bus *bus)
{
	while (bus->head) {
		struct bus_msg *m = bus->head;

		bus->head = m->next;
		if (!bus->head)
			bus->tail = &bus->head;
		if (bus->hear)
			bus->hear(m);
		for (uint32_t id = 1; id <= BUS_NODES; id++) {
			struct bus_node *n = &bus->node[id];
			struct dlm_event ev = { .type = DLM_EV_DELIVER };

			if (!n->dlm || n->view != m->view || !nodeset_has(n->members, m->from))
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

/* fenced says on every node that a life is over. */
static inline void bus_proof(struct bus *bus, uint32_t victim, uint8_t boot)
{
	for (uint32_t id = 1; id <= BUS_NODES; id++) {
		struct bus_node *n = &bus->node[id];
		struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = &n->fence };

		if (!n->dlm || id == victim)
			continue;
		n->fence.n = 1;
		n->fence.informed = n->fence.quorate = true;
		n->fence.node[0] = (struct fence_node){ .nodeid = victim,
							.state = FENCE_NODE_DEAD,
							.life = bus_life(victim, boot),
							.proof = { .victim = bus_life(victim, boot),
								   .kind = PROOF_OFF_VERIFIED,
								   .by = id,
								   .number = 1 } };
		assert_int_equal(dlm_step(n->dlm, &ev, n->out), 0);
		bus_take(bus, id);
	}
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
