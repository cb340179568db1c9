/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two ends of libdlm's socket: what any client may write to dlmd, and what libdlm reads. The first byte chooses, the rest is
 * messages, each with its length in a byte before it (of libdlm's: its type in another). What begins with a brace is a request of a
 * tool, after two clients took locks: whatever it is, it has an answer that a tool can read.
 */
#include "dlm/core/dlm.h"
#include "dlm/daemon/dlmd.h"
#include "dlm/daemon/submit.h"
#include "dlm/libdlm/libdlm.h"
#include "dlm/libdlm/proto.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <errno.h>
#include <qb/qbipcc.h>
#include <stdlib.h>
#include <string.h>

/* --- dlmd: alone in its cluster, so that what is taken is done at once ------------------------------------------- */

static struct dlm_actions *out;

static int step(struct dlm *dlm, struct dlm_event ev)
{
	int r = dlm_step(dlm, &ev, out);

	assert(!dlm_broken(dlm));
	return r;
}

/* What we send is heard by us. Return: how many operations were answered. */
static unsigned hear(struct dlm *dlm)
{
	static uint8_t bytes[DLM_SEND_BYTES];
	unsigned replies = 0;
	bool more = true;

	while (more) {
		size_t at[64], len[64];
		unsigned n = 0;

		for (unsigned i = 0; i < out->n; i++) {
			replies += out->v[i].type == DLM_ACT_REPLY;
			if (out->v[i].type != DLM_ACT_SEND)
				continue;
			assert(n < 64);
			at[n] = out->v[i].send.off;
			len[n++] = out->v[i].send.len;
		}
		memcpy(bytes, out->bytes, out->bytes_used);
		more = false;
		for (unsigned i = 0; i < n; i++) {
			struct dlm_event ev = { .type = DLM_EV_DELIVER,
						.deliver = { 1, bytes + at[i], len[i] } };

			step(dlm, ev);
			for (unsigned k = 0; k < out->n; k++) {
				replies += out->v[k].type == DLM_ACT_REPLY;
				/* one node's words cause none that cause more */
				more |= out->v[k].type == DLM_ACT_SEND;
			}
			if (more)
				break;
		}
	}
	return replies;
}

/* A lock manager that goes on. */
static struct dlm *alone(void)
{
	static const struct incarnation self = { .nodeid = 1, .boot_id = { 1 }, .join = 1 };
	static struct fence_state fence;
	struct dlm *dlm = dlm_new(&self, nodeset_of(1));
	struct dlm_event ev = { .type = DLM_EV_VIEW };

	if (!out)
		out = malloc(sizeof(*out));
	assert(dlm && out);
	memset(&fence, 0, sizeof(fence));
	fence.quorate = fence.informed = true;
	fence.self = self;
	fence.n = 1;
	fence.node[0] =
		(struct fence_node){ .nodeid = 1, .state = FENCE_NODE_MEMBER, .life = self };
	step(dlm, (struct dlm_event){ .type = DLM_EV_FENCE, .fence = &fence });
	ev.view.id = (struct view_id){ 1, 1 };
	ev.view.quorate = true;
	ev.view.nodes = ev.view.members = ev.view.joined = nodeset_of(1);
	step(dlm, ev);
	hear(dlm);
	step(dlm, (struct dlm_event){ .type = DLM_EV_FENCE, .fence = &fence });
	hear(dlm);
	return dlm;
}

static void daemon_end(const uint8_t *data, size_t len)
{
	struct dlm *dlm = alone();
	struct dlm_status st;

	while (len > 0) {
		size_t n = data[0] < len - 1 ? data[0] : len - 1;
		struct dlm_op op;

		if (dlmd_submit_read(&op, data + 1, n) == 0) {
			assert(op.type != DLM_OP_CLIENT_GONE);
			op.client = 1 + (data[0] & 1);
			if (step(dlm, (struct dlm_event){ .type = DLM_EV_SUBMIT, .submit = &op }) ==
			    0)
				hear(dlm);
		}
		data += 1 + n;
		len -= 1 + n;
	}
	/* whoever asked is gone, and with him all that he had, but for what is meant to stay */
	for (uint32_t client = 1; client <= 2; client++) {
		struct dlm_op op = { .type = DLM_OP_CLIENT_GONE, .client = client };

		if (step(dlm, (struct dlm_event){ .type = DLM_EV_SUBMIT, .submit = &op }) == 0)
			hear(dlm);
	}
	dlm_status(dlm, &st);
	for (const struct dlm_resource *r = dlm_resource_next(dlm, NULL); r;
	     r = dlm_resource_next(dlm, r))
		for (const struct dlm_lock *l = r->granted; l; l = l->next)
			assert(!l->client);
	dlm_free(dlm);
}

/* --- dlmd: requests of tools --------------------------------------------------------------------------------------- */

const char *dlmd_node_name(const struct dlmd *d, uint32_t nodeid)
{
	(void)d;
	return nodeid == 1 ? "node1" : "?";
}

bool fence_link_up(const struct fence_link *link)
{
	(void)link;
	return true;
}

json_t *history_tail(struct history *h, unsigned max)
{
	(void)h;
	(void)max;
	return json_array();
}

uint64_t mono_ms(void)
{
	return 1000000;
}

static void lock(struct dlm *dlm, uint32_t client, const char *name, int mode)
{
	struct dlm_op op = { .type = DLM_OP_LOCK, .client = client, .pid = client, .cookie = 1 };

	op.mode = mode;
	op.space_len = 5;
	memcpy(op.space, "space", 5);
	op.name_len = (uint8_t)strlen(name);
	memcpy(op.name, name, op.name_len);
	if (step(dlm, (struct dlm_event){ .type = DLM_EV_SUBMIT, .submit = &op }) == 0)
		hear(dlm);
}

static void tool(const char *text, size_t len)
{
	static struct config cfg = { .cluster = "web" };
	static const struct config_node self = { .id = 1, .name = "node1" };
	static struct dlmd d;
	json_t *request = json_loadb(text, len, 0, NULL);

	memset(&d, 0, sizeof(d));
	d.cfg = &cfg;
	d.self = &self;
	d.dlm = alone();
	lock(d.dlm, 1, "one\n\\", DLM_EX);
	lock(d.dlm, 2, "one\n\\", DLM_PR);
	lock(d.dlm, 2, "other", DLM_PR);
	json_t *reply = dlmd_answer(&d, request);
	char *said = json_dumps(reply, JSON_COMPACT);

	assert(said && strlen(said) < IPC_BYTES_MAX);
	assert(json_is_boolean(json_object_get(reply, "ok")));
	if (json_is_false(json_object_get(reply, "ok")))
		assert(json_string_length(json_object_get(reply, "error")) > 0);
	free(said);
	json_decref(reply);
	/* the locks are told, whatever was asked before */
	json_t *locks = json_pack("{s:s}", "cmd", "locks");

	reply = dlmd_answer(&d, locks);
	assert(json_array_size(json_object_get(reply, "locks")) == 3);
	json_decref(reply);
	json_decref(locks);
	json_decref(request);
	dlm_free(d.dlm);
}

/* --- libdlm: a connection that says what @data says --------------------------------------------------------------- */

static const uint8_t *events;
static size_t events_len;
static unsigned n_asts;

qb_ipcc_connection_t *qb_ipcc_connect_async(const char *name, size_t max, int *fd)
{
	(void)name;
	(void)max;
	*fd = 0;
	return (qb_ipcc_connection_t *)&events;
}

int qb_ipcc_connect_continue(struct qb_ipcc_connection *c)
{
	(void)c;
	return 0;
}

int32_t qb_ipcc_fd_get(qb_ipcc_connection_t *c, int32_t *fd)
{
	(void)c;
	*fd = 77;
	return 0;
}

int32_t qb_ipcc_auth_get(qb_ipcc_connection_t *c, pid_t *pid, uid_t *uid, gid_t *gid)
{
	(void)c;
	*pid = 1;
	*uid = 0;
	*gid = 0;
	return 0;
}

void qb_ipcc_disconnect(qb_ipcc_connection_t *c)
{
	(void)c;
}

ssize_t qb_ipcc_sendv(qb_ipcc_connection_t *c, const struct iovec *iov, size_t n)
{
	(void)c;
	(void)n;
	return (ssize_t)iov->iov_len;
}

ssize_t qb_ipcc_event_recv(qb_ipcc_connection_t *c, void *buf, size_t size, int32_t timeout)
{
	struct qb_ipc_response_header h = { .size = 0 };

	(void)c;
	(void)timeout;
	if (events_len < 2)
		return -EAGAIN;
	size_t n = events[1] < events_len - 2 ? events[1] : events_len - 2;

	h.id = DLM_IPC_SUBMIT + events[0] % 6;
	h.size = (int32_t)(sizeof(h) + n);
	assert(size >= sizeof(h) + n);
	memcpy(buf, &h, sizeof(h));
	memcpy((uint8_t *)buf + sizeof(h), events + 2, n);
	events += 2 + n;
	events_len -= 2 + n;
	return h.size;
}

static void ast(void *arg)
{
	(void)arg;
	n_asts++;
}

static void library_end(const uint8_t *data, size_t len)
{
	char lvb[4][32] = { { 0 } };
	struct dlm_lksb lksb[4] = { { 0 } };
	dlm_lshandle_t ls = dlm_open_lockspace("fuzz");

	assert(ls);
	events = data;
	events_len = len;
	n_asts = 0;
	for (int i = 0; i < 4; i++) {
		lksb[i].sb_lvbptr = lvb[i];
		assert(dlm_ls_lock(ls, i % 2 ? LKM_EXMODE : LKM_PRMODE, &lksb[i], LKF_VALBLK,
				   "name", 4, 0, ast, NULL, ast, NULL) == 0);
	}
	while (dlm_dispatch(77) == 0 && events_len >= 2)
		;
	for (int i = 0; i < 4; i++) /* nothing was said about it: nothing is known (SAFE-3) */
		assert(n_asts > 0 || len >= 2 || lksb[i].sb_status == EINPROG);
	for (int i = 0; i < 4; i++)
		if (lksb[i].sb_status == 0)
			assert(lksb[i].sb_lkid != 0);
	dlm_close_lockspace(ls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] == '{')
		tool((const char *)data, len);
	else if (data[0] % 2)
		library_end(data + 1, len - 1);
	else
		daemon_end(data + 1, len - 1);
	return 0;
}
