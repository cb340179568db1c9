/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libdlm's side of the daemon: a client is a connection; its operations are submitted, its answers routed back. */
#include "dlmd.h"
#include "submit.h"

#include "dlm/libdlm/proto.h"
#include "lib/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert((int)DLM_IPC_OP_LOCK == DLM_OP_LOCK && (int)DLM_IPC_OP_CONVERT == DLM_OP_CONVERT &&
		       (int)DLM_IPC_OP_UNLOCK == DLM_OP_UNLOCK &&
		       (int)DLM_IPC_OP_PURGE == DLM_OP_PURGE,
	       "the library and the core number operations alike");

static struct dlmd_client *client_by_id(struct dlmd *d, uint32_t id)
{
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++)
		if (id && d->client[i].id == id && d->client[i].peer)
			return &d->client[i];
	return NULL;
}

static struct dlmd_client *client_of(struct dlmd *d, struct ipc_peer *peer)
{
	struct dlmd_client *c = ipc_peer_get(peer);

	if (c)
		return c;
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++) {
		if (d->client[i].id)
			continue;
		c = &d->client[i];
		if (++d->client_last == 0)
			d->client_last = 1;
		*c = (struct dlmd_client){ .id = d->client_last,
					   .peer = peer,
					   .pid = (uint32_t)ipc_peer_pid(peer) };
		ipc_peer_set(peer, c);
		return c;
	}
	return NULL;
}

static void send_reply(struct ipc_peer *peer, uint64_t cookie, int rc, uint32_t lkid)
{
	uint8_t buf[64];
	struct wire_w w;
	size_t sec, len = 0;

	wire_w_init(&w, buf, sizeof(buf));
	sec = wire_w_open(&w);
	wire_w_u64(&w, cookie);
	wire_w_u32(&w, (uint32_t)-rc);
	wire_w_u32(&w, lkid);
	wire_w_close(&w, sec);
	wire_w_done(&w, &len);
	ipc_event(peer, DLM_IPC_REPLY, buf, len);
}

static void on_submit(struct dlmd *d, struct ipc_peer *peer, const void *data, size_t len)
{
	struct dlmd_client *c = client_of(d, peer);
	struct dlm_event ev = { .type = DLM_EV_SUBMIT };
	struct dlm_op op;
	int rc;

	ipc_reply(peer, DLM_IPC_SUBMIT, NULL, 0); /* before what the step may say about it */
	if (dlmd_submit_read(&op, data, len) < 0) {
		log_warning("client.bad", "pid=%u", (unsigned)ipc_peer_pid(peer));
		ipc_disconnect(peer);
		return;
	}
	if (!c) {
		send_reply(peer, op.cookie, -EUSERS, 0);
		return;
	}
	op.client = c->id;
	if (op.type != DLM_OP_PURGE)
		op.pid = c->pid; /* the socket knows better than the client */
	ev.submit = &op;
	rc = d->evicted || d->leaving ? -ESHUTDOWN : d->dlm ? dlmd_feed(d, &ev) : -EAGAIN;
	if (rc < 0)
		send_reply(peer, op.cookie, rc, 0);
}

static void on_request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data,
		       size_t len)
{
	struct dlmd *d = arg;
	json_t *request;

	switch (type) {
	case DLM_IPC_SUBMIT: on_submit(d, peer, data, len); return;
	case IPC_JSON:
		request = json_loadb(data, len, 0, NULL);
		ipc_reply_json(peer, dlmd_answer(d, request));
		json_decref(request);
		return;
	default: ipc_reply(peer, type, NULL, 0);
	}
}

static void on_gone(void *arg, struct ipc_peer *peer)
{
	struct dlmd *d = arg;
	struct dlmd_client *c = ipc_peer_get(peer);

	if (!c)
		return;
	log_info("client.gone", "client=%u pid=%u", c->id, c->pid);
	c->peer = NULL;
	dlmd_goodbyes(d);
}

void dlmd_goodbyes(struct dlmd *d)
{
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++) {
		struct dlmd_client *c = &d->client[i];
		struct dlm_op op = { .type = DLM_OP_CLIENT_GONE, .client = c->id };
		struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

		if (!c->id || c->peer)
			continue;
		if (!d->dlm || dlmd_feed(d, &ev) != -ENOSPC)
			*c = (struct dlmd_client){ 0 };
	}
}

const struct ipc_ops dlmd_ipc_ops = { .request = on_request, .gone = on_gone };

static void send_done(struct dlmd_client *c, const struct dlm_action *act)
{
	uint8_t buf[128];
	struct wire_w w;
	size_t sec, len = 0;
	int status = act->done.status;

	wire_w_init(&w, buf, sizeof(buf));
	sec = wire_w_open(&w);
	wire_w_u32(&w, act->done.lkid);
	wire_w_u32(&w, (uint32_t)(status < 0 ? -status : status));
	wire_w_u8(&w, act->done.sbflags);
	wire_w_bool(&w, act->done.gone);
	wire_w_u8(&w, (uint8_t)(act->done.mode + 1));
	wire_w_u64(&w, act->done.token);
	wire_w_bool(&w, act->done.lvb_read);
	if (act->done.lvb_read)
		wire_w_bytes(&w, act->done.lvb, DLM_LVB_BYTES);
	wire_w_close(&w, sec);
	wire_w_done(&w, &len);
	ipc_event(c->peer, DLM_IPC_DONE, buf, len);
}

static void send_blocking(struct dlmd_client *c, const struct dlm_action *act)
{
	uint8_t buf[32];
	struct wire_w w;
	size_t sec, len = 0;

	wire_w_init(&w, buf, sizeof(buf));
	sec = wire_w_open(&w);
	wire_w_u32(&w, act->blocking.lkid);
	wire_w_u8(&w, (uint8_t)(act->blocking.mode + 1));
	wire_w_close(&w, sec);
	wire_w_done(&w, &len);
	ipc_event(c->peer, DLM_IPC_BLOCKING, buf, len);
}

void dlmd_tell(struct dlmd *d, const struct dlm_action *act)
{
	struct dlmd_client *c;

	if (act->type == DLM_ACT_EVICTED) {
		for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++)
			if (d->client[i].peer)
				ipc_event(d->client[i].peer, DLM_IPC_EVICTED, NULL, 0);
	} else if (act->type == DLM_ACT_REPLY) {
		c = client_by_id(d, act->reply.client);
		if (c)
			send_reply(c->peer, act->reply.cookie, act->reply.rc, act->reply.lkid);
	} else if (act->type == DLM_ACT_DONE) {
		c = client_by_id(d, act->done.client);
		if (c)
			send_done(c, act);
	} else if (act->type == DLM_ACT_BLOCKING) {
		c = client_by_id(d, act->blocking.client);
		if (c)
			send_blocking(c, act);
	}
}

/* Orphans of processes that have ended since */

static void purge(struct dlmd *d, uint32_t pid)
{
	struct dlm_op op = { .type = DLM_OP_PURGE, .pid = pid };
	struct dlm_event ev = { .type = DLM_EV_SUBMIT, .submit = &op };

	log_notice("orphans.purge", "pid=%u reason=\"its process has ended\"", pid);
	dlmd_feed(d, &ev);
}

static void on_process_end(void *arg, int fd, int revents)
{
	struct dlmd *d = arg;
	uint32_t pid = 0;

	(void)revents;
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++) {
		if (d->watch[i].pidfd != fd)
			continue;
		pid = d->watch[i].pid;
		d->watch[i].pidfd = -1;
	}
	loop_fd_del(d->loop, fd);
	close(fd);
	if (pid)
		purge(d, pid);
}

static bool is_watched(const struct dlmd *d, uint32_t pid)
{
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++)
		if (d->watch[i].pidfd >= 0 && d->watch[i].pid == pid)
			return true;
	return false;
}

static void watch_pid(struct dlmd *d, uint32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

	if (fd < 0) {
		if (errno == ESRCH)
			purge(d, pid);
		return; /* anything else: we cannot tell whether it lives, so its locks stand (SAFE-3) */
	}
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++) {
		if (d->watch[i].pidfd >= 0)
			continue;
		d->watch[i] = (struct dlmd_watch){ .pidfd = fd, .pid = pid };
		loop_fd_add(d->loop, fd, POLLIN, on_process_end, d);
		return;
	}
	close(fd);
}

void dlmd_watch_orphans(struct dlmd *d)
{
	uint32_t pids[DLM_CLIENTS_MAX];
	unsigned n = 0;

	for (const struct dlm_resource *res = dlm_resource_next(d->dlm, NULL); res;
	     res = dlm_resource_next(d->dlm, res)) {
		for (const struct dlm_lock *l = res->granted; l; l = l->next) {
			struct dlm_life_view life;

			/* A persistent lock is meant to outlive its process; only its node may take it up again. */
			if (l->client || l->flags & DLM_F_PERSISTENT || is_watched(d, l->pid) ||
			    n == DLM_CLIENTS_MAX || !dlm_life_at(d->dlm, l->life, &life) ||
			    !incarnation_same_boot(&life.life, &d->inc))
				continue;
			pids[n++] = l->pid;
		}
	}
	for (unsigned i = 0; i < n; i++) /* purging walks the resources anew */
		if (!is_watched(d, pids[i]))
			watch_pid(d, pids[i]);
}
