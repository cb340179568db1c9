/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipc.h - local connections (libqb IPC): requests with one reply each, and events to subscribers.
 *
 * Names: "stockade-fenced", "stockade-dlmd", "stockade-storaged" (abstract sockets: private to a network namespace).
 * Two payloads: IPC_JSON is text for tools: {"cmd": ..., ...} answered by {"ok": true, ...} or {"ok": false, "error":
 * what is wrong, "remedy": what to do}. Numbers from IPC_BINARY on are each daemon's own, encoded with lib/wire.h.
 * Only root and the daemon's own uid may connect.
 *
 * Replies and events travel on one channel: a client sees them in the order in which the daemon sent them.
 * libqb's shared memory transport is used, not its datagram sockets: those are abstract and not bound to their peer
 * before the first answer, so that any local user could slip a request into somebody else's connection.
 */
#ifndef STOCKADE_IPC_H
#define STOCKADE_IPC_H

#include "loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define IPC_BYTES_MAX (128 * 1024)

enum ipc_type {
	IPC_JSON = 1,
	IPC_BINARY = 100,
	IPC_FENCE_SUBSCRIBE =
		101, /* to fenced: empty; reply and events: fence_state (lib/fence_state.h) */
	IPC_FENCE_STATE = 102, /* event */
	IPC_FENCE_SIGNS = 103, /* to fenced: fence_signs; empty reply */
	IPC_FENCE_ALIVE = 104, /* to fenced: "storaged" or "dlmd": its loop turns; empty reply */
	IPC_DLM_FIRST = 200,   /* 200..299: dlmd and its client library (dlm/libdlm) */
};

struct ipc_server;
struct ipc_peer; /* one connected client, valid until gone() has returned */

struct ipc_ops {
	/* Answer with ipc_reply() or ipc_reply_json() now or later, exactly once; @data is borrowed
	 * for the call and may be unaligned. A client that asks again before its answer is
	 * disconnected.
	 */
	void (*request)(void *arg, struct ipc_peer *peer, uint32_t type, const void *data,
			size_t len);
	/* May be NULL; never called from within ipc_reply() or ipc_event(). */
	void (*gone)(void *arg, struct ipc_peer *peer);
};

/* Return: server, or NULL with errno (EADDRINUSE: another instance runs). All servers of a process share one loop. */
struct ipc_server *ipc_server_new(struct loop *loop, const char *name, const struct ipc_ops *ops,
				  void *arg);
/* Not from within a callback; gone() for every peer. */
struct ipc_server *ipc_server_free(struct ipc_server *s);

/*
 * 0, -EMSGSIZE (more than IPC_BYTES_MAX), -ENOTCONN (being disconnected), -EAGAIN: the client does not read, 256
 * messages or 4 MiB wait for it: it is disconnected soon, gone() follows. It comes back and subscribes anew.
 */
int ipc_reply(struct ipc_peer *peer, uint32_t type, const void *data, size_t len);
int ipc_reply_json(struct ipc_peer *peer, json_t *reply); /* takes the reference */
int ipc_event(struct ipc_peer *peer, uint32_t type, const void *data, size_t len);
void ipc_disconnect(struct ipc_peer *peer); /* soon, gone() follows */
pid_t ipc_peer_pid(const struct ipc_peer *peer);
void ipc_peer_set(struct ipc_peer *peer, void *own); /* a pointer of the daemon's */
void *ipc_peer_get(const struct ipc_peer *peer);

/* Client side; blocking calls with a time limit, for tools; further down what daemons use: nothing waits there. */
struct ipc_client;

#define IPC_CONNECT_MS 2000 /* a daemon that does not even accept in this time hangs */

/*
 * One JSON question without a connection, for programs that live for one answer. ipc_ask_start(): a descriptor, readable when
 * ipc_ask_finish() has something, or -errno; close() it. ipc_ask_finish(): bytes of the JSON text in @buf, or -errno: -EAGAIN
 * (not yet), -ENOTCONN (no answer will come: not running, not for this user, or a daemon of an older release: ipc_connect()
 * tells which).
 */
int ipc_ask_start(const char *name, const char *request);
ssize_t ipc_ask_finish(int fd, void *buf, size_t buf_len);

/* Who may be at the other end: root, this process's own user, and from here on also the user of a daemon that runs as its own
 * (stockade-virtd). Another one is told nothing and heard never: the names of the sockets are anybody's who is first. */
void ipc_trust(uid_t uid);

/* NULL: errno (ECONNREFUSED: the daemon is not running, EACCES: not for this user, or another user's daemon, ETIMEDOUT: it
 * hangs) */
struct ipc_client *ipc_connect(const char *name);
struct ipc_client *ipc_close(struct ipc_client *c);
/*
 * Return: bytes of the reply in @buf, or -errno: -EMSGSIZE (request too long), -ENOBUFS (reply longer than @buf),
 * -ETIMEDOUT, -ENOTCONN (the daemon went away). After -ETIMEDOUT the answer may still come, so the connection is of
 * no more use: close it. @timeout_ms: -1 waits as long as the daemon lives.
 */
ssize_t ipc_call(struct ipc_client *c, uint32_t type, const void *data, size_t len,
		 uint32_t *ret_type, void *buf, size_t buf_len, int timeout_ms);
/* Takes the reference of @request. NULL: errno. */
json_t *ipc_call_json(struct ipc_client *c, json_t *request, int timeout_ms);
/* Readable: an event waits, or the daemon is gone. -1: errno. */
int ipc_client_fd(struct ipc_client *c);
/* Return: bytes of one event; 0 with *ret_type 0: none now; -ENOBUFS: it was longer than @buf; -ENOTCONN: daemon gone. */
ssize_t ipc_event_next(struct ipc_client *c, uint32_t *ret_type, void *buf, size_t buf_len);

/*
 * The same without waiting, for one daemon that asks another: begin, and when @ret_fd (the client's until ipc_close(),
 * watch it no longer than until finish) is readable, finish. NULL and the errors are those of ipc_connect(); the time limit
 * is the caller's. After -errno of finish only ipc_close() is left to do.
 */
struct ipc_client *ipc_connect_start(const char *name, int *ret_fd);
int ipc_connect_finish(struct ipc_client *c);
/*
 * Send one request; its reply comes through ipc_event_next(), in order with the events, and *ret_reply tells which.
 * One at a time: a second one before that reply, or an ipc_call(), is -EBUSY. Others: -EMSGSIZE, -ENOTCONN.
 */
int ipc_post(struct ipc_client *c, uint32_t type, const void *data, size_t len);
ssize_t ipc_next(struct ipc_client *c, uint32_t *ret_type, bool *ret_reply, void *buf,
		 size_t buf_len);

#endif
