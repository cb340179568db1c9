/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cluster.c - the connection to corosync: made, kept, made again. What its callbacks mean together is
 * view_merge.c's; user callbacks are called from view_merge_pump() only, never inside a dispatch.
 */
#include "lib/shell/cluster.h"
#include "lib/shell/log.h"
#include "lib/shell/view_merge.h"
#include "lib/wire.h"

#include <assert.h>
#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <errno.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x4d434b53U /* "SKCM" */
#define VERSION 1
#define HEADER_BYTES 24 /* later versions: longer, the new fields behind these */
#define RETRY_MS 1000
#define TRY_AGAIN_MS 5
#define ANSWER_MS 5000
#define DISPATCH_AT_ONE 64         /* then the loop gets its turn */
#define QUEUE_BYTES_MAX (64 << 20) /* nobody takes our messages: corosync is as good as gone */

enum state {
	DOWN,    /* the timer tries again */
	PROBING, /* does corosync answer at all? Its own libraries would wait for ever */
	JOINING, /* connected; the timer asks to join until it may */
	JOINED,  /* events come */
	LEFT,    /* said goodbye; nothing comes any more */
};

struct outgoing { /* waits for corosync to take messages again */
	struct outgoing *next;
	size_t len;
	uint8_t bytes[];
};

struct cluster {
	struct loop *loop;
	struct cluster_ops ops;
	void *arg;
	struct cpg_name group;
	struct view_merge *merge;
	struct loop_timer *retry;  /* by state: next try, or the probe's end */
	struct loop_timer *resend; /* messages that got TRY_AGAIN */
	struct loop_timer *settle; /* view_merge_deadline_ms() */
	enum state state;
	bool told_lost;
	unsigned depth; /* in callbacks */
	bool closing;

	qb_ipcc_connection_t *probe;
	int probe_fd;
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	bool has_cpg, has_quorum;
	int cpg_fd, quorum_fd; /* in the loop, or -1 */
	uint32_t self;
	const char *broken; /* why the connection cannot go on; set inside a dispatch */

	struct outgoing *first, **last;
	size_t queued_bytes;
};

static void drop_outgoing(struct cluster *c)
{
	while (c->first != NULL) {
		struct outgoing *o = c->first;

		c->first = o->next;
		free(o);
	}
	c->last = &c->first;
	c->queued_bytes = 0;
	loop_timer_arm(c->resend, UINT64_MAX);
}

static void unwatch(struct cluster *c, int *fd)
{
	if (*fd >= 0)
		loop_fd_del(c->loop, *fd);
	*fd = -1;
}

static void end_probe(struct cluster *c)
{
	if (c->probe == NULL)
		return;
	/* libqb frees a connection that never came to be, but not its socket. */
	loop_fd_del(c->loop, c->probe_fd);
	close(c->probe_fd);
	qb_ipcc_disconnect(c->probe);
	c->probe = NULL;
}

static void disconnect(struct cluster *c)
{
	end_probe(c);
	unwatch(c, &c->cpg_fd);
	unwatch(c, &c->quorum_fd);
	if (c->has_cpg)
		cpg_finalize(c->cpg);
	if (c->has_quorum)
		quorum_finalize(c->quorum);
	c->has_cpg = c->has_quorum = false;
	c->broken = NULL;
	view_merge_reset(c->merge);
	drop_outgoing(c);
	loop_timer_arm(c->settle, UINT64_MAX);
}

static struct cluster *really_free(struct cluster *c)
{
	disconnect(c);
	loop_timer_free(c->retry);
	loop_timer_free(c->resend);
	loop_timer_free(c->settle);
	view_merge_free(c->merge);
	free(c);
	return NULL;
}

static void enter(struct cluster *c)
{
	c->depth++;
}

/* Return: false when a callback closed us; then nothing of @c is left. */
static bool leave(struct cluster *c)
{
	if (--c->depth > 0 || !c->closing)
		return true;
	really_free(c);
	return false;
}

/* Corosync cannot be used: tell once, try again. Return: as leave(). */
static bool lose(struct cluster *c, const char *why)
{
	bool tell = !c->told_lost;

	disconnect(c);
	c->state = DOWN;
	c->told_lost = true;
	loop_timer_arm(c->retry, mono_ms() + RETRY_MS);
	if (!tell)
		return true;
	enter(c);
	c->ops.lost(c->arg, why);
	return leave(c);
}

static const char *why_not(cs_error_t e)
{
	switch (e) {
	case CS_ERR_ACCESS: return "corosync does not let this user in";
	case CS_ERR_NOT_EXIST: return "corosync runs without the service asked for";
	case CS_ERR_NO_RESOURCES: return "corosync is out of resources";
	default: return "corosync is not running";
	}
}

/* Tell what is ready, drop messages of an old view, arm. Return: as leave(). */
static bool pump(struct cluster *c)
{
	if (c->broken != NULL)
		return lose(c, c->broken);
	enter(c);
	view_merge_pump(c->merge, mono_ms());
	if (!leave(c))
		return false;
	if (c->broken != NULL)
		return lose(c, c->broken);
	loop_timer_arm(c->settle, view_merge_deadline_ms(c->merge));
	return true;
}

static void on_settle(void *arg)
{
	pump(arg);
}

/* Callbacks of the merge: the owner's, unless it closed us in the one before. */
static void on_view(void *arg, const struct cluster_view *view)
{
	struct cluster *c = arg;

	/* Messages still queued are of the view before: everybody would drop them. */
	drop_outgoing(c);
	c->told_lost = false;
	if (!c->closing)
		c->ops.view(c->arg, view);
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	struct cluster *c = arg;

	if (!c->closing)
		c->ops.deliver(c->arg, from, data, len);
}

static struct cluster *of_cpg(cpg_handle_t handle)
{
	void *c = NULL;

	cpg_context_get(handle, &c);
	return c;
}

static void cpg_message(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
			uint32_t pid, void *msg, size_t len)
{
	struct cluster *c = of_cpg(handle);
	struct view_stamp stamp;
	struct wire_r r;

	(void)group;
	wire_r_init(&r, msg, len);
	uint32_t magic = wire_r_u32(&r);
	uint16_t version = wire_r_u16(&r), header = wire_r_u16(&r);

	stamp.id.seq = wire_r_u64(&r);
	stamp.id.rep = wire_r_u32(&r);
	stamp.group = wire_r_u32(&r);
	if (wire_r_done(&r) < 0 || magic != MAGIC || version == 0 || header < HEADER_BYTES ||
	    header > len) {
		log_warning("cluster.garbage", "node=%u pid=%u bytes=%zu", nodeid, pid, len);
		return;
	}
	if (view_merge_message(c->merge, nodeid, &stamp, (uint8_t *)msg + header, len - header) < 0)
		c->broken = "out of memory";
}

static unsigned take_list(struct view_process *to, const struct cpg_address *from, size_t n)
{
	assert(n <= CPG_MEMBERS_MAX);
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct view_process){ .nodeid = from[i].nodeid,
					       .pid = from[i].pid,
					       .reason = (enum view_reason)from[i].reason };
		if (!nodeid_valid(from[i].nodeid))
			log_warning("cluster.nodeid", "node=%u reason=\"not in 1..%d, ignored\"",
				    from[i].nodeid, NODEID_MAX);
	}
	return (unsigned)n;
}

static void cpg_group(cpg_handle_t handle, const struct cpg_name *group,
		      const struct cpg_address *members, size_t n_members,
		      const struct cpg_address *left, size_t n_left,
		      const struct cpg_address *joined, size_t n_joined)
{
	struct view_process m[CPG_MEMBERS_MAX], l[CPG_MEMBERS_MAX], j[CPG_MEMBERS_MAX];
	struct cluster *c = of_cpg(handle);
	unsigned nm = take_list(m, members, n_members);
	unsigned nl = take_list(l, left, n_left);
	unsigned nj = take_list(j, joined, n_joined);

	(void)group;
	if (view_merge_group(c->merge, m, nm, l, nl, j, nj, mono_ms()) < 0)
		c->broken = "out of memory";
}

static void cpg_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t n,
		     const uint32_t *nodes)
{
	struct cluster *c = of_cpg(handle);
	struct view_id id = { .seq = ring.seq, .rep = ring.nodeid };

	if (view_merge_ring(c->merge, id, nodes, n, mono_ms()) < 0)
		c->broken = "out of memory";
}

static void quorum_told(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
			uint32_t n, const uint32_t *nodes)
{
	const void *context = NULL;

	(void)n;
	(void)nodes;
	quorum_context_get(handle, &context);
	struct cluster *c = (struct cluster *)context;

	view_merge_quorum(c->merge, (struct view_id){ .seq = ring.seq, .rep = ring.nodeid },
			  quorate != 0);
}

static void nodes_told(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t n_members,
		       const uint32_t *members, uint32_t n_joined, const uint32_t *joined,
		       uint32_t n_left, const uint32_t *left)
{
	/* CPG's ring says the same, in order with the messages. */
	(void)handle;
	(void)ring;
	(void)n_members;
	(void)members;
	(void)n_joined;
	(void)joined;
	(void)n_left;
	(void)left;
}

static void on_cpg(void *arg, int fd, int revents)
{
	struct cluster *c = arg;
	cs_error_t e = CS_OK;

	(void)fd;
	(void)revents;
	for (unsigned i = 0; i < DISPATCH_AT_ONE && e == CS_OK && c->broken == NULL; i++)
		e = cpg_dispatch(c->cpg, CS_DISPATCH_ONE_NONBLOCKING);
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN && c->broken == NULL)
		c->broken = "the connection to corosync's cpg service broke";
	pump(c);
}

static void on_quorum(void *arg, int fd, int revents)
{
	struct cluster *c = arg;
	cs_error_t e = CS_OK;

	(void)fd;
	(void)revents;
	for (unsigned i = 0; i < DISPATCH_AT_ONE && e == CS_OK; i++)
		e = quorum_dispatch(c->quorum, CS_DISPATCH_ONE_NONBLOCKING);
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		c->broken = "the connection to corosync's quorum service broke";
	pump(c);
}

static bool ask_two_node(uint32_t self, bool *ret)
{
	votequorum_callbacks_t none = { 0 };
	struct votequorum_info info;
	votequorum_handle_t h;

	if (votequorum_initialize(&h, &none) != CS_OK)
		return false;
	cs_error_t e = votequorum_getinfo(h, self, &info);

	votequorum_finalize(h);
	if (e == CS_OK)
		*ret = (info.flags & VOTEQUORUM_INFO_TWONODE) != 0;
	return e == CS_OK;
}

/* NULL: connected to all services, or why not. */
static const char *connect_all(struct cluster *c)
{
	cpg_model_v1_data_t cpg = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = cpg_message,
		.cpg_confchg_fn = cpg_group,
		.cpg_totem_confchg_fn = cpg_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
	};
	quorum_model_v1_data_t quorum = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = quorum_told,
		.nodelist_notify_fn = nodes_told,
	};
	uint32_t type = QUORUM_FREE;
	bool two_node = false;
	cs_error_t e = cpg_model_initialize(&c->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&cpg, c);

	if (e != CS_OK)
		return why_not(e);
	c->has_cpg = true;
	e = cpg_local_get(c->cpg, &c->self);
	if (e != CS_OK)
		return why_not(e);
	if (!nodeid_valid(c->self))
		return "corosync's nodeid of this node is not in 1..63: set nodelist.node.nodeid";
	e = quorum_model_initialize(&c->quorum, QUORUM_MODEL_V1, (quorum_model_data_t *)&quorum,
				    &type, c);
	if (e != CS_OK)
		return why_not(e);
	c->has_quorum = true;
	if (type != QUORUM_SET)
		return "corosync has no quorum provider: set quorum.provider: corosync_votequorum";
	if (!ask_two_node(c->self, &two_node))
		return "corosync's votequorum service does not answer";
	view_merge_about(c->merge, c->self, two_node);
	e = quorum_trackstart(c->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	if (e != CS_OK)
		return why_not(e);
	int cpg_fd, quorum_fd;

	if (cpg_fd_get(c->cpg, &cpg_fd) != CS_OK || quorum_fd_get(c->quorum, &quorum_fd) != CS_OK ||
	    loop_fd_add(c->loop, cpg_fd, POLLIN, on_cpg, c) < 0)
		return "the connection to corosync broke";
	c->cpg_fd = cpg_fd;
	if (loop_fd_add(c->loop, quorum_fd, POLLIN, on_quorum, c) < 0)
		return "the connection to corosync broke";
	c->quorum_fd = quorum_fd;
	return NULL;
}

static void try_join(struct cluster *c)
{
	cs_error_t e = cpg_join(c->cpg, &c->group);

	if (e == CS_ERR_TRY_AGAIN) {
		c->state = JOINING;
		loop_timer_arm(c->retry, mono_ms() + 50);
	} else if (e == CS_OK || e == CS_ERR_EXIST) {
		c->state = JOINED;
		loop_timer_arm(c->retry, UINT64_MAX);
	} else {
		lose(c, why_not(e));
	}
}

static void on_probe(void *arg, int fd, int revents)
{
	struct cluster *c = arg;

	(void)fd;
	(void)revents;
	end_probe(c);
	const char *why = connect_all(c);

	if (why != NULL)
		lose(c, why);
	else
		try_join(c);
}

static void start_probe(struct cluster *c)
{
	errno = 0;
	c->probe = qb_ipcc_connect_async("cpg", 8192, &c->probe_fd);
	if (c->probe == NULL || loop_fd_add(c->loop, c->probe_fd, POLLIN, on_probe, c) < 0) {
		lose(c, errno == EACCES ? why_not(CS_ERR_ACCESS) : "corosync is not running");
		return;
	}
	c->state = PROBING;
	loop_timer_arm(c->retry, mono_ms() + ANSWER_MS);
}

static void on_retry(void *arg)
{
	struct cluster *c = arg;

	switch (c->state) {
	case DOWN: start_probe(c); return;
	case PROBING: lose(c, "corosync hangs: it does not answer"); return;
	case JOINING: try_join(c); return;
	case JOINED:
	case LEFT: return;
	}
}

static cs_error_t mcast(struct cluster *c, const void *bytes, size_t len)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };

	return cpg_mcast_joined(c->cpg, CPG_TYPE_AGREED, &iov, 1);
}

static cs_error_t send_queued(struct cluster *c)
{
	while (c->first != NULL) {
		struct outgoing *o = c->first;
		cs_error_t e = mcast(c, o->bytes, o->len);

		if (e != CS_OK)
			return e;
		c->first = o->next;
		if (c->first == NULL)
			c->last = &c->first;
		c->queued_bytes -= o->len;
		free(o);
	}
	return CS_OK;
}

static void on_resend(void *arg)
{
	struct cluster *c = arg;
	cs_error_t e = send_queued(c);

	if (e == CS_ERR_TRY_AGAIN)
		loop_timer_arm(c->resend, mono_ms() + TRY_AGAIN_MS);
	else if (e != CS_OK)
		lose(c, "the connection to corosync's cpg service broke");
}

/* From a callback of ours or of the owner: the loop tells lost(), not we. */
static void break_later(struct cluster *c, const char *why)
{
	c->broken = why;
	loop_timer_arm(c->settle, 0);
}

static size_t put_header(void *to, const struct view_stamp *stamp)
{
	struct wire_w w;

	wire_w_init(&w, to, HEADER_BYTES);
	wire_w_u32(&w, MAGIC);
	wire_w_u16(&w, VERSION);
	wire_w_u16(&w, HEADER_BYTES);
	wire_w_u64(&w, stamp->id.seq);
	wire_w_u32(&w, stamp->id.rep);
	wire_w_u32(&w, stamp->group);
	assert(w.err == 0 && w.len == HEADER_BYTES);
	return w.len;
}

int cluster_send(struct cluster *c, const void *data, size_t len)
{
	struct view_stamp stamp;

	if (len > CLUSTER_MSG_MAX)
		return -EMSGSIZE;
	if (c->state != JOINED || c->broken != NULL || !view_merge_stamp(c->merge, &stamp))
		return -ENOTCONN;
	if (c->queued_bytes + len > QUEUE_BYTES_MAX)
		return -ENOBUFS;
	struct outgoing *o = malloc(sizeof(*o) + HEADER_BYTES + len);

	if (o == NULL)
		return -ENOMEM;
	o->next = NULL;
	o->len = put_header(o->bytes, &stamp) + len;
	if (len > 0)
		memcpy(o->bytes + HEADER_BYTES, data, len);
	*c->last = o;
	c->last = &o->next;
	c->queued_bytes += o->len;
	if (c->first != o) /* those before it wait already */
		return 0;
	cs_error_t e = send_queued(c);

	if (e == CS_OK)
		return 0;
	if (e == CS_ERR_TRY_AGAIN) {
		loop_timer_arm(c->resend, mono_ms() + TRY_AGAIN_MS);
		return 0;
	}
	break_later(c, "the connection to corosync's cpg service broke");
	return -ENOTCONN;
}

int cluster_leave(struct cluster *c)
{
	cs_error_t e = CS_ERR_TRY_AGAIN;

	if (c->state != JOINED)
		return -ENOTCONN;
	/* The one place that waits: who leaves has nothing else to do. What was sent goes first. */
	for (unsigned i = 0; i < 200 && e == CS_ERR_TRY_AGAIN; i++) {
		if (i > 0)
			usleep(TRY_AGAIN_MS * 1000);
		e = send_queued(c);
		if (e == CS_OK)
			e = cpg_leave(c->cpg, &c->group);
	}
	if (e == CS_ERR_TRY_AGAIN)
		return -EAGAIN;
	c->state = LEFT;
	unwatch(c, &c->cpg_fd);
	unwatch(c, &c->quorum_fd);
	drop_outgoing(c);
	view_merge_reset(c->merge);
	loop_timer_arm(c->settle, UINT64_MAX);
	return e == CS_OK ? 0 : -ENOTCONN;
}

uint32_t cluster_self(const struct cluster *c)
{
	return c->self;
}

struct cluster *cluster_open(struct loop *loop, const char *group, const struct cluster_ops *ops,
			     void *arg)
{
	struct cluster_ops merge_ops = { .view = on_view, .deliver = on_deliver };
	struct cluster *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->ops = *ops;
	c->arg = arg;
	c->cpg_fd = c->quorum_fd = -1;
	c->last = &c->first;
	c->group.length = (uint32_t)strlen(group);
	assert(c->group.length < CPG_MAX_NAME_LENGTH);
	memcpy(c->group.value, group, c->group.length);
	c->merge = view_merge_new(&merge_ops, c);
	c->retry = loop_timer_new(loop, on_retry, c);
	c->resend = loop_timer_new(loop, on_resend, c);
	c->settle = loop_timer_new(loop, on_settle, c);
	if (c->merge == NULL || c->retry == NULL || c->resend == NULL || c->settle == NULL) {
		loop_timer_free(c->retry);
		loop_timer_free(c->resend);
		loop_timer_free(c->settle);
		view_merge_free(c->merge);
		free(c);
		return NULL;
	}
	loop_timer_arm(c->retry,
		       0); /* from the loop: the owner has @c when the first event comes */
	return c;
}

struct cluster *cluster_close(struct cluster *c)
{
	if (c == NULL)
		return NULL;
	if (c->depth > 0) {
		c->closing = true;
		return NULL;
	}
	return really_free(c);
}
