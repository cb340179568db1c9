/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/view_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUORUM_KEPT 8

struct lefts {
	struct nodeset clean, nodedown, procdown;
};

struct item { /* of the CPG stream, waiting for its turn */
	struct item *next;
	bool is_view;
	struct view_stamp stamp;
	/* a view: */
	struct nodeset nodes, members;
	struct lefts left;
	uint64_t deadline_ms;
	/* a message: */
	uint32_t from;
	size_t len;
	uint8_t data[];
};

struct view_merge {
	struct cluster_ops ops;
	void *arg;
	uint32_t self;
	bool two_node;

	/* Where the CPG stream has come to. */
	struct view_id ring; /* seq 0: not known yet */
	struct nodeset nodes, members;
	uint32_t group;
	struct lefts left; /* gathered for the view that the ring will close */
	bool open;         /* something was gathered */

	struct item *first, **last;

	/* What quorum was said to be, by ring; the newest overwrites the oldest. */
	struct {
		struct view_id ring;
		bool quorate;
	} quorum[QUORUM_KEPT];
	unsigned quorum_next;

	/* What was told. */
	struct cluster_view view; /* id.seq 0: nothing */
	uint32_t view_group;
};

struct view_merge *view_merge_new(const struct cluster_ops *ops, void *arg)
{
	struct view_merge *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->ops = *ops;
	m->arg = arg;
	m->last = &m->first;
	return m;
}

void view_merge_reset(struct view_merge *m)
{
	struct view_merge empty = {
		.ops = m->ops, .arg = m->arg, .self = m->self, .two_node = m->two_node
	};

	while (m->first != NULL) {
		struct item *it = m->first;

		m->first = it->next;
		free(it);
	}
	*m = empty;
	m->last = &m->first;
}

struct view_merge *view_merge_free(struct view_merge *m)
{
	if (m == NULL)
		return NULL;
	view_merge_reset(m);
	free(m);
	return NULL;
}

void view_merge_about(struct view_merge *m, uint32_t self, bool two_node)
{
	m->self = self;
	m->two_node = two_node;
}

static void append(struct view_merge *m, struct item *it)
{
	it->next = NULL;
	*m->last = it;
	m->last = &it->next;
}

/* The stream stands between two views: what was gathered becomes one. */
static int close_view(struct view_merge *m, uint64_t now_ms)
{
	struct item *it = calloc(1, sizeof(*it));

	if (it == NULL)
		return -ENOMEM;
	it->is_view = true;
	it->stamp = (struct view_stamp){ m->ring, m->group };
	it->nodes = m->nodes;
	it->members = m->members;
	it->left = m->left;
	it->deadline_ms = now_ms + VIEW_QUORUM_WAIT_MS;
	m->left = (struct lefts){ 0 };
	m->open = false;
	append(m, it);
	return 0;
}

static int by_node_and_pid(const void *a, const void *b)
{
	const struct view_process *x = a, *y = b;

	if (x->nodeid != y->nodeid)
		return x->nodeid < y->nodeid ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static uint32_t fnv1a(uint32_t hash, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		hash = (hash ^ (v >> 8 * i & 0xff)) * 16777619U;
	return hash;
}

/* Every member computes the same number from the same list, whatever order it came in. */
static int group_hash(const struct view_process *members, unsigned n, uint32_t *ret)
{
	uint32_t hash = 2166136261U;

	if (n > 0) {
		struct view_process *sorted = malloc(n * sizeof(*sorted));

		if (sorted == NULL)
			return -ENOMEM;
		memcpy(sorted, members, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_node_and_pid);
		for (unsigned i = 0; i < n; i++)
			hash = fnv1a(fnv1a(hash, sorted[i].nodeid), sorted[i].pid);
		free(sorted);
	}
	*ret = hash;
	return 0;
}

int view_merge_group(struct view_merge *m, const struct view_process *members, unsigned n_members,
		     const struct view_process *left, unsigned n_left,
		     const struct view_process *joined, unsigned n_joined, uint64_t now_ms)
{
	bool ring_changes = m->open || m->ring.seq == 0;
	int r = group_hash(members, n_members, &m->group);

	if (r < 0)
		return r;
	m->members = NODESET_EMPTY;
	for (unsigned i = 0; i < n_members; i++)
		nodeset_add(&m->members, members[i].nodeid);
	for (unsigned i = 0; i < n_left; i++)
		switch (left[i].reason) {
		case VIEW_LEAVE: nodeset_add(&m->left.clean, left[i].nodeid); break;
		case VIEW_NODEDOWN:
			nodeset_add(&m->left.nodedown, left[i].nodeid);
			ring_changes = true;
			break;
		default: nodeset_add(&m->left.procdown, left[i].nodeid); break;
		}
	for (unsigned i = 0; i < n_joined; i++)
		ring_changes = ring_changes || joined[i].reason == VIEW_NODEUP;
	m->open = true;
	return ring_changes ? 0 : close_view(m, now_ms);
}

int view_merge_ring(struct view_merge *m, struct view_id ring, const uint32_t *nodes, unsigned n,
		    uint64_t now_ms)
{
	struct nodeset now = NODESET_EMPTY;

	for (unsigned i = 0; i < n; i++)
		nodeset_add(&now, nodes[i]);
	/* A joiner may be told its first ring twice. */
	if (!m->open && view_id_equal(ring, m->ring) && nodeset_equal(now, m->nodes))
		return 0;
	m->ring = ring;
	m->nodes = now;
	return close_view(m, now_ms);
}

int view_merge_message(struct view_merge *m, uint32_t from, const struct view_stamp *stamp,
		       const void *data, size_t len)
{
	struct item *it = malloc(sizeof(*it) + len);

	if (it == NULL)
		return -ENOMEM;
	*it = (struct item){ .stamp = *stamp, .from = from, .len = len };
	if (len > 0)
		memcpy(it->data, data, len);
	append(m, it);
	return 0;
}

static int quorum_of(const struct view_merge *m, struct view_id ring) /* -1: not told */
{
	for (unsigned i = 0; i < QUORUM_KEPT; i++)
		if (m->quorum[i].ring.seq != 0 && view_id_equal(m->quorum[i].ring, ring))
			return m->quorum[i].quorate;
	return -1;
}

void view_merge_quorum(struct view_merge *m, struct view_id ring, bool quorate)
{
	unsigned at = m->quorum_next;

	for (unsigned i = 0; i < QUORUM_KEPT; i++)
		if (view_id_equal(m->quorum[i].ring, ring))
			at = i;
	if (at == m->quorum_next)
		m->quorum_next = (at + 1) % QUORUM_KEPT;
	m->quorum[at].ring = ring;
	m->quorum[at].quorate = quorate;
}

static bool other_ring_behind(const struct item *it)
{
	for (const struct item *later = it->next; later != NULL; later = later->next)
		if (later->is_view && !view_id_equal(later->stamp.id, it->stamp.id))
			return true;
	return false;
}

static void tell_view(struct view_merge *m, const struct item *it, bool quorate)
{
	struct nodeset before = m->view.members;
	struct lefts left = it->left;
	struct nodeset gone = nodeset_or(nodeset_or(left.clean, left.procdown), left.nodedown);
	/* Left without a word (the ring began while we joined): the worst that fits. */
	struct nodeset silent = nodeset_minus(nodeset_minus(before, it->members), gone);
	struct cluster_view v = {
		.id = it->stamp.id,
		.quorate = quorate,
		.two_node = m->two_node,
		.nodes = it->nodes,
		.members = it->members,
	};

	left.nodedown = nodeset_or(left.nodedown, nodeset_minus(silent, it->nodes));
	left.procdown = nodeset_or(left.procdown, nodeset_and(silent, it->nodes));
	gone = nodeset_or(gone, silent);
	/* Who was never told to be a member is not told to leave; of several ways the worst counts. */
	v.left_nodedown = nodeset_and(left.nodedown, before);
	v.left_procdown = nodeset_minus(nodeset_and(left.procdown, before), v.left_nodedown);
	v.left_clean = nodeset_minus(nodeset_and(left.clean, before),
				     nodeset_or(v.left_nodedown, v.left_procdown));
	v.joined = nodeset_or(nodeset_minus(it->members, before), nodeset_and(it->members, gone));
	m->view = v;
	m->view_group = it->stamp.group;
	m->ops.view(m->arg, &v);
}

static void tell_quorum_alone(struct view_merge *m, bool quorate)
{
	struct cluster_view v = m->view;

	v.quorate = quorate;
	v.joined = v.left_clean = v.left_nodedown = v.left_procdown = NODESET_EMPTY;
	m->view = v;
	m->ops.view(m->arg, &v);
}

static bool of_this_view(const struct view_merge *m, const struct item *it)
{
	return m->view.id.seq != 0 && view_id_equal(it->stamp.id, m->view.id) &&
	       it->stamp.group == m->view_group && nodeset_has(m->view.members, it->from);
}

/* The first item can go out now. @quorate is set for a view. */
static bool ready(const struct view_merge *m, const struct item *it, uint64_t now_ms, bool *quorate)
{
	if (!it->is_view)
		return true;
	int q = quorum_of(m, it->stamp.id);

	*quorate = q == 1;
	return q >= 0 || other_ring_behind(it) || now_ms >= it->deadline_ms;
}

void view_merge_pump(struct view_merge *m, uint64_t now_ms)
{
	bool quorate = false;

	while (m->first != NULL && ready(m, m->first, now_ms, &quorate)) {
		struct item *it = m->first;

		m->first = it->next;
		if (m->first == NULL)
			m->last = &m->first;
		/* We are in every view we tell: a group without us is one that we have left. */
		if (it->is_view && nodeset_has(it->members, m->self))
			tell_view(m, it, quorate);
		else if (!it->is_view && of_this_view(m, it))
			m->ops.deliver(m->arg, it->from, it->data, it->len);
		free(it);
	}
	int q = m->view.id.seq != 0 ? quorum_of(m, m->view.id) : -1;

	if (q >= 0 && (q == 1) != m->view.quorate)
		tell_quorum_alone(m, q == 1);
}

uint64_t view_merge_deadline_ms(const struct view_merge *m)
{
	return m->first != NULL ? m->first->deadline_ms : UINT64_MAX;
}

bool view_merge_stamp(const struct view_merge *m, struct view_stamp *ret)
{
	if (m->view.id.seq == 0)
		return false;
	*ret = (struct view_stamp){ m->view.id, m->view_group };
	return true;
}
