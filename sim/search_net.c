/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search_net.c - corosync and machines for the search: each thing that may happen next is a choice.
 *
 * A message goes to the queues of all members at once: that is the agreed order; when each takes it is free. A cut, a freeze
 * or a dead kernel leaves a ring broken until DO_RING: meanwhile its members believe in it, what they say goes nowhere, but
 * to itself for the one that holds the token, or arrives in the next ring (ref/netlab.md 7).
 */
#include "search.h"

#include <assert.h>
#include <string.h>

#define VIEWS_MAX 4096
#define MSGS_MAX 40000
#define BYTES_MAX (256u << 20)

/* Interned: the same content has the same number, whatever the way there. Not part of a state. */
static struct sview views[VIEWS_MAX];
static unsigned n_views;
static struct {
	uint64_t hash;
	size_t off, len;
} msgs[MSGS_MAX];
static unsigned n_msgs;
static uint8_t bytes[BYTES_MAX];
static size_t n_bytes;
#define SLOTS 131072
static uint16_t msg_slot[SLOTS];

static uint16_t intern_view(const struct sview *v)
{
	for (unsigned i = 0; i < n_views; i++)
		if (memcmp(&views[i], v, sizeof(*v)) == 0)
			return (uint16_t)i;
	assert(n_views < VIEWS_MAX);
	views[n_views] = *v;
	return (uint16_t)n_views++;
}

static uint16_t intern_msg(const void *data, size_t len)
{
	uint64_t h = search_hash(len, data, len);
	unsigned slot = (unsigned)(h % SLOTS);

	for (; msg_slot[slot]; slot = (slot + 1) % SLOTS) {
		unsigned i = msg_slot[slot] - 1u;

		if (msgs[i].hash == h && msgs[i].len == len &&
		    memcmp(bytes + msgs[i].off, data, len) == 0)
			return (uint16_t)i;
	}
	assert(n_msgs < MSGS_MAX && n_bytes + len <= BYTES_MAX);
	msgs[n_msgs].hash = h;
	msgs[n_msgs].off = n_bytes;
	msgs[n_msgs].len = len;
	memcpy(bytes + n_bytes, data, len);
	n_bytes += len;
	msg_slot[slot] = (uint16_t)++n_msgs;
	return (uint16_t)(n_msgs - 1);
}

uint64_t net_rel(uint64_t ms)
{
	if (ms == 0 || ms == UINT64_MAX)
		return ms;
	/* longer ago than any time-out counts: one and the same past */
	if (ms + 120000 < w->now_ms)
		return 1;
	return ms + 1000000 - w->now_ms;
}

struct incarnation net_life(uint32_t node)
{
	struct incarnation inc = { .nodeid = node, .join = w->node[node].join };

	inc.boot_id[0] = (uint8_t)node;
	inc.boot_id[1] = w->node[node].boot;
	inc.boot_id[15] = 1;
	return inc;
}

/* --- who hears whom --- */

static struct nodeset part_of(uint32_t node)
{
	struct nodeset s = NODESET_EMPTY;

	for (uint32_t m = 1; m <= model->nodes; m++)
		if (net_awake(m) && w->node[m].island == w->node[node].island)
			nodeset_add(&s, m);
	return s;
}

static bool ring_over(uint32_t node)
{
	struct nodeset part = part_of(node);

	if (w->node[node].doomed || !nodeset_equal(part, w->node[node].ring_members))
		return true;
	nodeset_for_each (m, part)
		if (w->node[m].ring != w->node[node].ring)
			return true;
	return false;
}

static void enqueue(uint32_t node, struct item it);

/* Its ring was whole again before anybody gave it up: what it said meanwhile was only late. */
static void say_again(uint32_t node)
{
	struct snode *s = &w->node[node];

	for (unsigned i = 0; i < s->n_dead; i++)
		nodeset_for_each (m, s->ring_members)
			if (w->node[m].proc)
				enqueue(m, s->dead[i]);
	memset(s->dead, 0, sizeof(s->dead));
	s->n_dead = 0;
}

static void note_broken_rings(void)
{
	for (uint32_t n = 1; n <= model->nodes; n++) {
		struct snode *s = &w->node[n];
		bool over = net_awake(n) && ring_over(n);

		if (!over)
			s->broken_ms = 0;
		else if (!s->broken_ms)
			s->broken_ms = w->now_ms;
		if (net_awake(n) && !over && s->n_dead)
			say_again(n);
	}
}

static void trace_node(uint32_t n)
{
	const struct snode *s = &w->node[n];

	TRACE(search_trace,
	      (.ms = w->now_ms, .node = n, .kind = TRACE_NODE,
	       .state = !s->powered ? TRACE_IS_OFF
			: !s->runs  ? TRACE_IS_WRECKED
			: s->frozen ? TRACE_IS_FROZEN
				    : TRACE_IS_RUNS),
	      "life %u", s->boot);
}

/* --- queues --- */

static void enqueue(uint32_t node, struct item it)
{
	struct snode *s = &w->node[node];

	assert(s->n_queue < QUEUE_MAX);
	it.at_ms = w->now_ms;
	s->queue[s->n_queue++] = it;
}

static void enqueue_view(uint32_t node, struct nodeset came_along)
{
	struct snode *s = &w->node[node];
	struct nodeset members = NODESET_EMPTY;
	struct nodeset same = NODESET_EMPTY; /* the very processes of the view before */
	struct sview v;

	nodeset_for_each (m, s->ring_members)
		if (w->node[m].proc)
			nodeset_add(&members, m);
	nodeset_for_each (m, nodeset_and(s->view_members, came_along))
		if (nodeset_has(members, m) && s->view_join[m] == w->node[m].join)
			nodeset_add(&same, m);
	memset(&v, 0, sizeof(v)); /* padding too: views are compared */
	v.id.seq = s->ring;
	v.id.rep = nodeset_lowest(s->ring_members);
	v.two_node = model->two_node;
	v.nodes = s->ring_members;
	v.members = members;
	v.left_nodedown = nodeset_minus(s->view_nodes, came_along);
	v.left_nodedown = nodeset_and(v.left_nodedown, s->view_members);
	v.left_other = nodeset_minus(nodeset_and(s->view_members, came_along), same);
	v.joined = nodeset_minus(members, same);
	v.quorate = model->two_node ? !s->alone_at_start || nodeset_count(s->ring_members) == 2
				    : 2 * nodeset_count(s->ring_members) > model->nodes;
	v.stamp = s->ring;
	nodeset_for_each (m, members)
		v.stamp = v.stamp * 31 + (uint32_t)w->node[m].join;
	v.stamp |= UINT32_C(1) << 31;
	s->view_nodes = v.nodes;
	s->view_members = members;
	for (uint32_t m = 1; m <= N_MAX; m++)
		s->view_join[m] = nodeset_has(members, m) ? w->node[m].join : 0;
	enqueue(node, (struct item){ .view = true, .id = intern_view(&v), .stamp = v.stamp });
}

/* The group changed within a ring: all that are in it hear so at one point of the order. */
static void group_changed(uint32_t node)
{
	struct nodeset ring = w->node[node].ring_members;

	if (ring_over(node))
		return; /* the next ring says it */
	nodeset_for_each (m, ring)
		if (w->node[m].proc)
			enqueue_view(m, ring);
}

void net_send(uint32_t node, const void *data, size_t len)
{
	struct snode *s = &w->node[node];

	if (!s->stamp)
		return;
	struct item it = { .from = (uint8_t)node, .id = intern_msg(data, len), .stamp = s->stamp };

	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_SENT, .number = it.id + 1u,
	       .name = "message"),
	      "%zu bytes%s", len, ring_over(node) ? ", into a ring that is over" : "");
	if (!ring_over(node)) {
		nodeset_for_each (m, s->ring_members)
			if (w->node[m].proc)
				enqueue(m, it);
	} else if (s->holder) {
		enqueue(node, it);
	} else if (s->n_dead < 8) {
		s->dead[s->n_dead++] = it;
	}
}

/* What was ordered and taken by nobody of a part need not have reached it. */
static bool may_lose(void)
{
	for (uint32_t n = 1; n <= model->nodes; n++)
		for (unsigned i = 0; net_awake(n) && i < w->node[n].n_queue; i++)
			if (!w->node[n].queue[i].view)
				return true;
	return false;
}

/* Its members do not agree any more on what was said in it: it cannot come back. */
static void doom(uint32_t ring)
{
	for (uint32_t n = 1; n <= model->nodes; n++)
		w->node[n].doomed = w->node[n].doomed ||
				    (w->node[n].runs && w->node[n].ring == ring);
}

static void lose(void)
{
	unsigned least[N_MAX + 1] = { 0 };

	for (uint32_t n = 1; n <= model->nodes; n++) {
		struct nodeset part = net_awake(n) ? part_of(n) : nodeset_of(n);

		least[n] = UINT32_MAX;
		nodeset_for_each (m, part) {
			const struct snode *s = &w->node[m];
			unsigned k = 0;

			if (s->ring != w->node[n].ring || !s->proc)
				continue;
			while (k < s->n_queue && !s->queue[s->n_queue - 1 - k].view)
				k++;
			if (k < least[n])
				least[n] = k;
		}
	}
	for (uint32_t n = 1; n <= model->nodes; n++)
		if (w->node[n].proc && least[n]) {
			w->node[n].n_queue = (uint8_t)(w->node[n].n_queue - least[n]);
			doom(w->node[n].ring);
			w->node[n].gap = true;
		}
}

/* --- processes and kernels --- */

static void proc_stop(uint32_t node)
{
	struct snode *s = &w->node[node];

	if (!s->proc)
		return;
	s->proc = false;
	s->n_queue = s->n_dead = 0;
	s->stamp = 0;
	s->view_nodes = s->view_members = NODESET_EMPTY;
	search_touch(node);
	model->stopped(node);
	search_region_begin(node);
	s->core = NULL;
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_PROCESS, .state = TRACE_IS_DOWN,
	       .name = model->name),
	      "%s", "");
}

static void proc_start(uint32_t node)
{
	struct snode *s = &w->node[node];

	s->proc = true;
	s->join = ++w->joins;
	search_touch(node);
	search_region_begin(node);
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_PROCESS, .state = TRACE_IS_UP,
	       .name = model->name),
	      "%s", "");
	model->start(node);
}

void net_leave(uint32_t node)
{
	proc_stop(node);
	group_changed(node);
}

void net_life_ends(uint32_t node, bool power_stays, bool losing)
{
	struct snode *s = &w->node[node];

	if (s->runs) {
		proc_stop(node);
		s->runs = s->frozen = s->holder = false;
	}
	if (!power_stays && s->powered) {
		s->powered = false;
		s->offs++;
	}
	trace_node(node);
	if (losing)
		lose();
}

static void boot(uint32_t node)
{
	struct snode *s = &w->node[node];

	s->powered = s->runs = s->alone_at_start = true;
	s->frozen = s->holder = s->doomed = s->gap = false;
	s->boot++;
	s->met = false;
	s->ring = ++w->rings;
	s->ring_members = nodeset_of(node);
	trace_node(node);
	proc_start(node);
	enqueue_view(node, NODESET_EMPTY);
}

/* The part of @node gets one ring. Who comes from the same old ring comes along, everybody else is new. */
static void form_ring(uint32_t node)
{
	struct nodeset part = part_of(node);
	uint32_t old[N_MAX + 1] = { 0 }, ring = ++w->rings;

	nodeset_for_each (m, part) {
		old[m] = w->node[m].ring;
		w->node[m].holder = false;
	}
	nodeset_for_each (m, part) {
		w->node[m].ring = ring;
		w->node[m].doomed = w->node[m].gap = false;
		w->node[m].ring_members = part;
		if (nodeset_count(part) > 1) {
			w->node[m].alone_at_start = false;
			w->node[m].met = true;
		}
	}
	nodeset_for_each (m, part) {
		struct nodeset along = NODESET_EMPTY;

		if (!w->node[m].proc)
			continue;
		nodeset_for_each (o, part)
			if (old[o] == old[m])
				nodeset_add(&along, o);
		enqueue_view(m, along);
	}
	nodeset_for_each (m, part) {
		struct snode *s = &w->node[m];

		for (unsigned i = 0; i < s->n_dead; i++)
			nodeset_for_each (o, part)
				if (w->node[o].proc)
					enqueue(o, s->dead[i]);
		s->n_dead = 0;
	}
}

void net_root(void)
{
	for (uint32_t n = 1; n <= model->nodes; n++)
		boot(n);
}

/* --- choices --- */

static uint64_t next_deadline(void)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t n = 1; model->deadline && n <= model->nodes; n++)
		if (net_awake(n) && w->node[n].proc && model->deadline(n) < best &&
		    model->deadline(n) <= w->now_ms + HORIZON_MS)
			best = model->deadline(n);
	return best;
}

uint64_t net_limit(void)
{
	uint64_t limit = model->limit ? model->limit() : UINT64_MAX;

	for (uint32_t n = 1; n <= model->nodes; n++) {
		const struct snode *s = &w->node[n];

		if (!net_awake(n))
			continue;
		if (s->broken_ms && s->broken_ms + RING_LATE_MS < limit)
			limit = s->broken_ms + RING_LATE_MS;
		if (s->n_queue && s->queue[0].at_ms + MSG_LATE_MS < limit)
			limit = s->queue[0].at_ms + MSG_LATE_MS;
	}
	return limit;
}

static unsigned add(struct choice *ret, unsigned n, enum search_op op, uint32_t a, bool b)
{
	assert(n < CHOICES_MAX);
	ret[n] = (struct choice){ (uint8_t)op, (uint8_t)a, b };
	return n + 1;
}

static unsigned add_with_loss(struct choice *ret, unsigned n, enum search_op op, uint32_t a)
{
	n = add(ret, n, op, a, false);
	return may_lose() ? add(ret, n, op, a, true) : n;
}

static unsigned node_choices(uint32_t id, struct choice *ret, unsigned n)
{
	const struct snode *s = &w->node[id];
	const struct budget *b = &w->budget;
	bool awake = net_awake(id), others = nodeset_count(part_of(id)) > 1;

	if (awake && s->proc && s->n_queue)
		n = add(ret, n, DO_DELIVER, id, false);
	if (awake && s->proc && s->n_queue > 1)
		n = add(ret, n, DO_DELIVER, id, true);
	if (awake && s->broken_ms && nodeset_lowest(part_of(id)) == id)
		n = add(ret, n, DO_RING, id, false);
	if (awake && s->n_dead && !s->gap && s->broken_ms &&
	    !(w->token_taken >> (s->ring & 63) & 1))
		n = add(ret, n, DO_SELF, id, false);
	if (b->cut && awake && others)
		n = add_with_loss(ret, n, DO_CUT, id);
	if (b->freeze && awake)
		n = add_with_loss(ret, n, DO_FREEZE, id);
	if (s->runs && s->frozen)
		n = add(ret, n, DO_THAW, id, false);
	if (b->panic && s->runs)
		n = add_with_loss(ret, n, DO_PANIC, id);
	if (b->power && s->powered)
		n = add_with_loss(ret, n, DO_POWER, id);
	if (b->boot && s->powered && !s->runs)
		n = add(ret, n, DO_BOOT, id, false);
	if (b->kill && awake && s->proc)
		n = add(ret, n, DO_KILL, id, false);
	if (awake && !s->proc)
		n = add(ret, n, DO_START, id, false);
	return n;
}

unsigned net_choices(struct choice *ret, unsigned n)
{
	uint64_t next = next_deadline();
	bool apart = false;

	for (uint32_t id = 1; id <= model->nodes; id++) {
		n = node_choices(id, ret, n);
		apart = apart || w->node[id].island;
		if (next != UINT64_MAX && net_awake(id) && w->node[id].proc &&
		    (next <= w->now_ms ? model->deadline(id) <= w->now_ms
				       : model->deadline(id) == next && next <= net_limit()))
			n = add(ret, n, DO_TIMER, id, false);
	}
	if (n)
		n = add(ret, n, DO_CALM, 0, false);
	if (apart && w->budget.heal)
		n = add(ret, n, DO_HEAL, 0, false);
	return n;
}

static void deliver(uint32_t node)
{
	struct snode *s = &w->node[node];
	struct item it = s->queue[0];

	s->n_queue--;
	memmove(s->queue, s->queue + 1, s->n_queue * sizeof(s->queue[0]));
	memset(&s->queue[s->n_queue], 0, sizeof(s->queue[0]));
	search_touch(node);
	if (it.view) {
		const struct sview *v = &views[it.id];

		TRACE(search_trace,
		      (.ms = w->now_ms, .node = node, .kind = TRACE_VIEW,
		       .state = v->quorate ? TRACE_IS_QUORATE : TRACE_IS_MINORITY,
		       .members = v->members, .number = v->id.seq, .name = model->name),
		      "%s", "");
		s->stamp = v->stamp;
		model->view(node, v);
		return;
	}
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_DELIVERED, .peer = it.from,
	       .number = it.id + 1u, .name = "message"),
	      "%s", it.stamp == s->stamp ? "" : "said in another view: dropped");
	if (it.stamp == s->stamp)
		model->message(node, it.from, bytes + msgs[it.id].off, msgs[it.id].len);
}

static void fault(uint32_t node, const char *name, enum trace_state state, bool losing)
{
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_FAULT, .state = state, .name = name),
	      "%s", losing ? "what nobody took is lost" : "");
	if (losing)
		lose();
}

void net_apply(struct choice c)
{
	struct snode *s = &w->node[c.a];

	switch ((enum search_op)c.op) {
	case DO_DELIVER:
		for (unsigned n = c.b ? s->n_queue : 1;
		     n && s->proc && s->n_queue && net_awake(c.a); n--)
			deliver(c.a);
		break;
	case DO_CALM: search_calm(); break;
	case DO_TIMER:
		if (model->deadline(c.a) > w->now_ms)
			w->now_ms = model->deadline(c.a);
		TRACE(search_trace, (.ms = w->now_ms, .node = c.a, .kind = TRACE_TIMER), "%s", "");
		search_touch(c.a);
		model->timeout(c.a);
		break;
	case DO_RING: form_ring(c.a); break;
	case DO_SELF:
		s->holder = true;
		w->token_taken |= UINT64_C(1) << (s->ring & 63);
		doom(s->ring);
		for (unsigned i = 0; i < s->n_dead; i++)
			enqueue(c.a, s->dead[i]);
		s->n_dead = 0;
		TRACE(search_trace,
		      (.ms = w->now_ms, .node = c.a, .kind = TRACE_NOTE, .name = "corosync"), "%s",
		      "holds the token of a ring that is over: its words reach itself alone");
		break;
	case DO_CUT:
		w->budget.cut--;
		s->island = c.a;
		fault(c.a, "cut off", TRACE_IS_BEGINS, c.b);
		break;
	case DO_HEAL:
		w->budget.heal--;
		for (uint32_t n = 1; n <= model->nodes; n++) {
			if (w->node[n].island)
				fault(n, "cut off", TRACE_IS_ENDS, false);
			w->node[n].island = 0;
		}
		break;
	case DO_FREEZE:
		w->budget.freeze--;
		s->frozen = true;
		fault(c.a, "freeze", TRACE_IS_BEGINS, c.b);
		trace_node(c.a);
		break;
	case DO_THAW:
		s->frozen = false;
		fault(c.a, "freeze", TRACE_IS_ENDS, false);
		trace_node(c.a);
		break;
	case DO_PANIC:
		w->budget.panic--;
		fault(c.a, "panic", TRACE_IS_NONE, false);
		net_life_ends(c.a, true, c.b);
		break;
	case DO_POWER:
		w->budget.power--;
		fault(c.a, "power lost", TRACE_IS_NONE, false);
		net_life_ends(c.a, false, c.b);
		break;
	case DO_BOOT:
		w->budget.boot--;
		boot(c.a);
		break;
	case DO_KILL:
		w->budget.kill--;
		fault(c.a, "process killed", TRACE_IS_NONE, false);
		net_leave(c.a);
		break;
	case DO_START:
		proc_start(c.a);
		if (ring_over(c.a))
			enqueue_view(c.a, NODESET_EMPTY);
		else
			group_changed(c.a);
		break;
	case DO_MODEL: break;
	}
	note_broken_rings();
}

bool net_same_point(uint32_t a, uint32_t b)
{
	const struct snode *x = &w->node[a], *y = &w->node[b];

	if (!x->proc || !y->proc || x->ring != y->ring || x->n_queue != y->n_queue)
		return false;
	for (unsigned i = 0; i < x->n_queue; i++)
		if (x->queue[i].view || y->queue[i].view || x->queue[i].id != y->queue[i].id ||
		    x->queue[i].stamp != y->queue[i].stamp)
			return false;
	return true;
}

uint64_t net_hash(void)
{
	uint64_t h = search_hash(w->rings ^ w->token_taken << 16, &w->budget, sizeof(w->budget));

	for (uint32_t n = 1; n <= model->nodes; n++) {
		const struct snode *s = &w->node[n];
		uint64_t v[16 + 3 * (QUEUE_MAX + 8)] = {
			(uint64_t)s->powered | (uint64_t)s->runs << 1 | (uint64_t)s->frozen << 2 |
				(uint64_t)s->alone_at_start << 3 | (uint64_t)s->holder << 4 |
				(uint64_t)s->proc << 5 | (uint64_t)s->n_queue << 8 |
				(uint64_t)s->n_dead << 16 | (uint64_t)s->doomed << 6 |
				(uint64_t)s->met << 48 | (uint64_t)s->gap << 7 |
				(uint64_t)s->island << 24,
			s->boot,
			s->ring,
			s->ring_members.bits,
			net_rel(s->broken_ms),
			s->join,
			s->view_nodes.bits,
			s->view_members.bits,
			s->offs,
			s->view_join[1] | s->view_join[2] << 20 | s->view_join[3] << 40
		};
		unsigned k = 10;

		for (unsigned i = 0; i < s->n_queue + s->n_dead; i++) {
			const struct item *it = i < s->n_queue ? &s->queue[i]
							       : &s->dead[i - s->n_queue];

			v[k++] = (uint64_t)it->view << 63 | (uint64_t)it->from << 32 | it->id;
			v[k++] = it->stamp;
			v[k++] = i == 0 ? net_rel(it->at_ms)
					: 0; /* the first one's age is what limits time */
		}
		h = search_hash(h, v, k * sizeof(v[0]));
	}
	return h;
}
