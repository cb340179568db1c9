/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a group and of a fact: sections that may grow at their end, everything by name. */
#include "service.h"

#include <string.h>

static void node_encode(uint32_t nodeid, const struct service_node *n, struct wire_w *w)
{
	size_t sec = wire_w_open(w);

	wire_w_u32(w, nodeid);
	wire_w_bool(w, n->standby);
	wire_w_bool(w, n->leaving);
	wire_w_bool(w, n->clean);
	wire_w_bool(w, n->down);
	incarnation_write(&n->life, w);
	wire_w_u64(w, n->hash);
	wire_w_str(w, n->tag);
	wire_w_close(w, sec);
}

static void node_decode(const struct service_frame *f, struct service_group *g, struct wire_r *r)
{
	struct wire_r s;
	struct service_node n = { 0 };
	int i;

	wire_r_section(r, &s);
	i = service_node_index(f, wire_r_u32(&s));
	n.standby = wire_r_bool(&s);
	n.leaving = wire_r_bool(&s);
	n.clean = wire_r_bool(&s);
	n.down = wire_r_bool(&s);
	incarnation_read(&n.life, &s);
	n.hash = wire_r_u64(&s);
	wire_r_str(&s, n.tag, sizeof(n.tag));
	if (i >= 0)
		g->node[i] = n;
}

static void service_encode(const struct service_frame *f, unsigned s, const struct service *v,
			   struct wire_w *w)
{
	size_t sec = wire_w_open(w);

	wire_w_str(w, f->service[s].name);
	wire_w_u8(w, (uint8_t)v->state);
	wire_w_bool(w, v->enabled);
	wire_w_bool(w, v->begun);
	wire_w_bool(w, v->restart);
	wire_w_u32(w, v->node);
	wire_w_u32(w, v->lost);
	wire_w_u32(w, v->target);
	wire_w_u8(w, (uint8_t)v->move);
	wire_w_bool(w, v->move_ready);
	wire_w_u64(w, v->moves);
	wire_w_u64(w, v->starts);
	wire_w_u64(w, v->held.bits);
	wire_w_u64(w, v->failed.bits);
	for (unsigned i = 0; i < f->n_nodes; i++)
		if (nodeset_has(v->failed, f->nodeid[i]))
			wire_w_str(w, v->failed_why[i]);
	wire_w_close(w, sec);
}

static void service_decode(const struct service_frame *f, struct service_group *g, struct wire_r *r)
{
	char name[SERVICE_NAME_MAX];
	struct wire_r sec;
	struct service scrap, *v;
	struct nodeset failed;
	uint8_t state, move;
	int s;

	wire_r_section(r, &sec);
	wire_r_str(&sec, name, sizeof(name));
	s = service_index(f, name);
	v = s >= 0 ? &g->service[s] : &scrap;
	memset(v, 0, sizeof(*v));
	state = wire_r_u8(&sec);
	v->enabled = wire_r_bool(&sec);
	v->begun = wire_r_bool(&sec);
	v->restart = wire_r_bool(&sec);
	v->node = wire_r_u32(&sec);
	v->lost = wire_r_u32(&sec);
	v->target = wire_r_u32(&sec);
	move = wire_r_u8(&sec);
	v->move_ready = wire_r_bool(&sec);
	v->moves = wire_r_u64(&sec);
	v->starts = wire_r_u64(&sec);
	v->held.bits = wire_r_u64(&sec);
	failed.bits = wire_r_u64(&sec);
	/* The sender's configured nodes, ascending, are those it sent texts for: the bits themselves name them. */
	nodeset_for_each (id, failed) {
		char why[RUNNER_WHY_MAX];
		int i = service_node_index(f, id);

		wire_r_str(&sec, why, sizeof(why));
		if (i >= 0) {
			nodeset_add(&v->failed, id);
			memcpy(v->failed_why[i], why, sizeof(why));
		}
	}
	if (state > SERVICE_STOPPING || move > SERVICE_MOVE_STANDBY || (failed.bits & 1)) {
		wire_r_fail(&sec);
		return;
	}
	v->state = (enum service_state)state;
	v->move = (enum service_move)move;
	/* A node that our config does not have cannot be placed on; its fact will say what it holds. */
	if (v->node && service_node_index(f, v->node) < 0)
		v->node = 0;
	if (v->node == 0) {
		v->state = SERVICE_STOPPED;
		v->begun = false;
	} else if (v->state == SERVICE_STOPPED || v->starts == 0) {
		wire_r_fail(&sec);
	}
	if (v->target == 0)
		v->move = SERVICE_MOVE_NONE;
}

void service_group_encode(const struct service_frame *f, const struct service_group *g,
			  struct wire_w *w)
{
	size_t all = wire_w_open(w), sec;

	wire_w_u64(w, g->history);
	wire_w_u64(w, g->intent);
	wire_w_u16(w, (uint16_t)f->n_nodes);
	for (unsigned i = 0; i < f->n_nodes; i++)
		node_encode(f->nodeid[i], &g->node[i], w);
	wire_w_u16(w, (uint16_t)f->n_services);
	for (unsigned s = 0; s < f->n_services; s++)
		service_encode(f, s, &g->service[s], w);
	wire_w_u16(w, (uint16_t)f->n_volumes);
	for (unsigned v = 0; v < f->n_volumes; v++) {
		sec = wire_w_open(w);
		wire_w_str(w, f->volume[v]);
		wire_w_u64(w, g->epoch[v]);
		wire_w_u64(w, g->released[v]);
		wire_w_close(w, sec);
	}
	wire_w_close(w, all);
}

void service_group_decode(const struct service_frame *f, struct service_group *g, struct wire_r *r)
{
	struct wire_r all, sec;
	unsigned n;

	wire_r_section(r, &all);
	g->history = wire_r_u64(&all);
	g->intent = wire_r_u64(&all);
	n = wire_r_u16(&all);
	for (unsigned i = 0; i < n && wire_r_more(&all); i++)
		node_decode(f, g, &all);
	n = wire_r_u16(&all);
	for (unsigned i = 0; i < n && wire_r_more(&all); i++)
		service_decode(f, g, &all);
	n = wire_r_u16(&all);
	for (unsigned i = 0; i < n && wire_r_more(&all); i++) {
		char name[SERVICE_NAME_MAX];
		uint64_t epoch, released;

		wire_r_section(&all, &sec);
		wire_r_str(&sec, name, sizeof(name));
		epoch = wire_r_u64(&sec);
		released = wire_r_u64(&sec);
		for (unsigned v = 0; v < f->n_volumes; v++) {
			if (strcmp(f->volume[v], name) != 0)
				continue;
			g->epoch[v] = epoch;
			g->released[v] = released;
		}
	}
}

void service_fact_encode(const struct service_frame *f, unsigned s, const struct service_fact *fact,
			 struct wire_w *w)
{
	const struct service_config *c = &f->service[s];
	size_t sec = wire_w_open(w);

	wire_w_str(w, c->name);
	wire_w_u8(w, (uint8_t)fact->fact);
	wire_w_bool(w, fact->failed);
	wire_w_u64(w, fact->starts);
	wire_w_str(w, fact->why);
	wire_w_u16(w, (uint16_t)c->n);
	for (unsigned i = 0; i < c->n; i++)
		wire_w_u64(w, fact->epoch[i]);
	for (unsigned i = 0; i < c->n; i++)
		wire_w_u64(w, fact->own[i]);
	if (fact->reach != SERVICE_REACH_UNTOLD)
		wire_w_u8(w, (uint8_t)fact->reach);
	wire_w_close(w, sec);
}

int service_fact_decode(const struct service_frame *f, struct service_fact *fact, struct wire_r *r)
{
	char name[SERVICE_NAME_MAX];
	struct wire_r s;
	uint8_t what;
	unsigned n;
	int i;

	memset(fact, 0, sizeof(*fact));
	wire_r_section(r, &s);
	wire_r_str(&s, name, sizeof(name));
	what = wire_r_u8(&s);
	fact->failed = wire_r_bool(&s);
	fact->starts = wire_r_u64(&s);
	wire_r_str(&s, fact->why, sizeof(fact->why));
	n = wire_r_u16(&s);
	i = service_index(f, name);
	for (unsigned k = 0; k < n && wire_r_more(&s); k++) {
		uint64_t epoch = wire_r_u64(&s);

		if (i >= 0 && k < f->service[i].n)
			fact->epoch[k] = epoch;
	}
	for (unsigned k = 0; k < n && wire_r_more(&s); k++) {
		uint64_t own = wire_r_u64(&s);

		if (i >= 0 && k < f->service[i].n)
			fact->own[k] = own;
	}
	fact->reach = SERVICE_REACH_UNTOLD;
	if (wire_r_more(&s)) {
		uint8_t reach = wire_r_u8(&s);

		fact->reach = reach <= SERVICE_REACH_LOST ? (enum service_reach)reach
							  : SERVICE_REACH_UNKNOWN;
	}
	if (what > RUNNER_STUCK) {
		wire_r_fail(&s);
		return -1;
	}
	fact->fact = (enum runner_fact)what;
	return i;
}
