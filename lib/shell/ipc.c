/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipc.c - the daemon's side; the client's is ipc_client.c. Everything to a client goes through libqb's
 * event channel, `error` in libqb's header tells a reply from an event (ipc_wire.h).
 */
#include "lib/shell/ipc.h"
#include "lib/shell/ipc_wire.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <qb/qbipcs.h>
#include <qb/qbloop.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_MESSAGES_MAX 256
#define QUEUE_BYTES_MAX (4 << 20)
#define FLUSH_MS 5
#define SHORT_MAX 64 /* at the same time */

struct frame { /* waits until the client has read what came before */
	struct frame *next;
	struct ipc_down_header hdr;
	uint8_t data[];
};

struct ipc_peer {
	struct ipc_peer *next;
	struct ipc_server *server;
	qb_ipcs_connection_t *qb; /* NULL: a short one, on fd */
	int fd;
	pid_t pid; /* of a short one */
	void *own;
	struct frame *first, **last;
	unsigned n_queued;
	size_t queued_bytes;
	bool asked;   /* a request waits for its reply */
	bool closing; /* to be disconnected from the loop */
};

struct ipc_server {
	struct loop *loop;
	qb_ipcs_service_t *qb;
	struct ipc_ops ops;
	void *arg;
	struct ipc_peer *peers;
	struct loop_timer *flush;
	int short_fd; /* listens; ipc_wire.h */
	unsigned n_short;
};

/* libqb's poll handlers have no argument of ours, so there is one loop for all servers of a process. */
static struct loop *the_loop;
static unsigned n_servers;

static int32_t job_add(enum qb_loop_priority p, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(loop_qb(the_loop), p, data, fn);
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_add(loop_qb(the_loop), p, fd, events, data, fn);
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_mod(loop_qb(the_loop), p, fd, events, data, fn);
}

static int32_t dispatch_del(int32_t fd)
{
	return qb_loop_poll_del(loop_qb(the_loop), fd);
}

static int32_t on_accept(qb_ipcs_connection_t *qb, uid_t uid, gid_t gid)
{
	(void)qb;
	(void)gid;
	return uid == 0 || uid == geteuid() ? 0 : -EACCES;
}

static void on_created(qb_ipcs_connection_t *qb)
{
	struct ipc_server *s = qb_ipcs_connection_service_context_get(qb);
	struct ipc_peer *peer = calloc(1, sizeof(*peer));

	qb_ipcs_context_set(qb, peer);
	if (peer == NULL) /* the first request is refused and ends the connection */
		return;
	peer->server = s;
	peer->qb = qb;
	peer->last = &peer->first;
	peer->next = s->peers;
	s->peers = peer;
}

static int32_t on_request(qb_ipcs_connection_t *qb, void *data, size_t size)
{
	struct qb_ipc_request_header hdr = { 0 };
	struct ipc_peer *peer = qb_ipcs_context_get(qb);

	if (peer == NULL) {
		qb_ipcs_disconnect(qb);
		return 0;
	}
	if (peer->closing)
		return 0;
	/* @size is the header's own word, and the header the client's: more than a message can have is not in the ring */
	if (size >= sizeof(hdr) && size <= IPC_QB_BYTES)
		memcpy(&hdr, data, sizeof(hdr)); /* it lies in the ring as it fell */
	if (hdr.id <= 0 || peer->asked) {
		ipc_disconnect(peer);
		return 0;
	}
	peer->asked = true;
	peer->server->ops.request(peer->server->arg, peer, (uint32_t)hdr.id,
				  (const uint8_t *)data + sizeof(hdr), size - sizeof(hdr));
	return 0;
}

static void forget(struct ipc_peer *peer)
{
	peer->closing = true;
	for (struct ipc_peer **at = &peer->server->peers; *at != NULL; at = &(*at)->next)
		if (*at == peer) {
			*at = peer->next;
			break;
		}
	if (peer->server->ops.gone != NULL)
		peer->server->ops.gone(peer->server->arg, peer);
}

static void peer_free(struct ipc_peer *peer)
{
	while (peer->first != NULL) {
		struct frame *f = peer->first;

		peer->first = f->next;
		free(f);
	}
	free(peer);
}

static int32_t on_closed(qb_ipcs_connection_t *qb)
{
	struct ipc_peer *peer = qb_ipcs_context_get(qb);

	if (peer != NULL)
		forget(peer);
	return 0;
}

static void on_destroyed(qb_ipcs_connection_t *qb)
{
	struct ipc_peer *peer = qb_ipcs_context_get(qb);

	if (peer != NULL)
		peer_free(peer);
}

static void drop(struct ipc_peer *peer)
{
	if (peer->qb != NULL) {
		qb_ipcs_disconnect(peer->qb); /* on_closed() and on_destroyed() follow */
		return;
	}
	loop_fd_del(peer->server->loop, peer->fd);
	close(peer->fd);
	peer->server->n_short--;
	forget(peer);
	peer_free(peer);
}

static void on_short_request(void *arg, int fd, int revents)
{
	static char buf[IPC_BYTES_MAX + 1];
	struct ipc_peer *peer = arg;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	(void)revents;
	if (peer->closing || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n <= 0 || n > IPC_BYTES_MAX || peer->asked) {
		drop(peer);
		return;
	}
	peer->asked = true;
	peer->server->ops.request(peer->server->arg, peer, IPC_JSON, buf, (size_t)n);
}

/* As on_accept() and on_created(): the same users, asked by the kernel. */
static void on_short(void *arg, int listener, int revents)
{
	struct ipc_server *s = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t len = sizeof(who);
	struct ipc_peer *peer = NULL;

	(void)revents;
	if (fd < 0)
		return;
	if (s->n_short < SHORT_MAX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	    (who.uid == 0 || who.uid == geteuid()))
		peer = calloc(1, sizeof(*peer));
	if (peer == NULL || loop_fd_add(s->loop, fd, POLLIN, on_short_request, peer) < 0) {
		free(peer);
		close(fd); /* it is told so, and may come the long way */
		return;
	}
	peer->server = s;
	peer->fd = fd;
	peer->pid = who.pid;
	peer->last = &peer->first;
	peer->next = s->peers;
	s->peers = peer;
	s->n_short++;
}

static int short_listen(struct ipc_server *s, const char *name)
{
	struct sockaddr_un sa;
	socklen_t len = ipc_short_address(&sa, name);
	int r;

	s->short_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->short_fd < 0)
		return -errno;
	if (bind(s->short_fd, (struct sockaddr *)&sa, len) < 0 ||
	    listen(s->short_fd, SHORT_MAX) < 0)
		r = -errno;
	else
		r = loop_fd_add(s->loop, s->short_fd, POLLIN, on_short, s);
	if (r < 0) {
		close(s->short_fd);
		s->short_fd = -1;
	}
	return r;
}

static int try_send_short(struct ipc_peer *peer, const struct ipc_down_header *hdr,
			  const void *data)
{
	ssize_t n = 0;

	if (hdr->qb.error == IPC_ROLE_REPLY) /* there are no events on the short way */
		n = send(peer->fd, data, (size_t)hdr->qb.size - sizeof(*hdr),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : 0;
}

static int try_send(struct ipc_peer *peer, const struct ipc_down_header *hdr, const void *data)
{
	if (peer->qb == NULL)
		return try_send_short(peer, hdr, data);

	struct iovec iov[2] = {
		{ .iov_base = (void *)hdr, .iov_len = sizeof(*hdr) },
		{ .iov_base = (void *)data, .iov_len = (size_t)hdr->qb.size - sizeof(*hdr) },
	};
	ssize_t n = qb_ipcs_event_sendv(peer->qb, iov, iov[1].iov_len > 0 ? 2 : 1);

	return n < 0 ? (int)n : 0;
}

static void flush_later(struct ipc_server *s, uint32_t ms)
{
	loop_timer_arm(s->flush, mono_ms() + ms);
}

static void flush_peer(struct ipc_peer *peer)
{
	while (peer->first != NULL) {
		struct frame *f = peer->first;
		int r = try_send(peer, &f->hdr, f->data);

		if (r == -EAGAIN || r == -ETIMEDOUT || r == -ENOBUFS)
			return;
		if (r < 0) {
			peer->closing = true;
			return;
		}
		peer->first = f->next;
		if (peer->first == NULL)
			peer->last = &peer->first;
		peer->n_queued--;
		peer->queued_bytes -= (size_t)f->hdr.qb.size;
		free(f);
	}
}

static void on_flush(void *arg)
{
	struct ipc_server *s = arg;
	bool more = false;

	for (struct ipc_peer *peer = s->peers, *next; peer != NULL; peer = next) {
		if (!peer->closing)
			flush_peer(peer);
		more = more || (!peer->closing && peer->first != NULL);
		next = peer->next;
	}
	/* gone() may do anything, so look for the next one from the start. */
	for (struct ipc_peer *peer = s->peers; peer != NULL;)
		if (peer->closing) {
			drop(peer);
			peer = s->peers;
		} else {
			peer = peer->next;
		}
	if (more)
		flush_later(s, FLUSH_MS);
}

static int send_down(struct ipc_peer *peer, uint32_t type, int32_t role, const void *data,
		     size_t len)
{
	struct ipc_down_header hdr = { .qb = { .id = (int32_t)type, .error = role } };

	if (len > IPC_BYTES_MAX)
		return -EMSGSIZE;
	if (peer->closing)
		return -ENOTCONN;
	hdr.qb.size = (int32_t)(sizeof(hdr) + len);
	if (peer->first == NULL) {
		int r = try_send(peer, &hdr, data);

		if (r == 0)
			return 0;
		if (r != -EAGAIN && r != -ETIMEDOUT && r != -ENOBUFS) {
			ipc_disconnect(peer);
			return -ENOTCONN;
		}
	}
	struct frame *f = malloc(sizeof(*f) + len);

	if (f == NULL || peer->n_queued >= QUEUE_MESSAGES_MAX ||
	    peer->queued_bytes + len > QUEUE_BYTES_MAX) {
		free(f);
		ipc_disconnect(peer);
		return -EAGAIN;
	}
	f->next = NULL;
	f->hdr = hdr;
	if (len > 0)
		memcpy(f->data, data, len);
	*peer->last = f;
	peer->last = &f->next;
	peer->n_queued++;
	peer->queued_bytes += (size_t)hdr.qb.size;
	flush_later(peer->server, FLUSH_MS);
	return 0;
}

int ipc_reply(struct ipc_peer *peer, uint32_t type, const void *data, size_t len)
{
	assert(peer->asked); /* one reply a request */
	int r = send_down(peer, type, IPC_ROLE_REPLY, data, len);

	if (r != -EMSGSIZE) /* the caller may say something shorter */
		peer->asked = false;
	return r;
}

int ipc_reply_json(struct ipc_peer *peer, json_t *reply)
{
	static const char too_long[] =
		"{\"ok\": false, \"error\": \"the answer is too long for one message\", "
		"\"remedy\": \"ask for less\"}";
	static const char no_memory[] =
		"{\"ok\": false, \"error\": \"out of memory\", \"remedy\": \"ask again\"}";
	char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;
	int r;

	if (text == NULL)
		r = ipc_reply(peer, IPC_JSON, no_memory, sizeof(no_memory) - 1);
	else
		r = ipc_reply(peer, IPC_JSON, text, strlen(text));
	if (r == -EMSGSIZE)
		r = ipc_reply(peer, IPC_JSON, too_long, sizeof(too_long) - 1);
	free(text);
	json_decref(reply);
	return r;
}

int ipc_event(struct ipc_peer *peer, uint32_t type, const void *data, size_t len)
{
	return send_down(peer, type, IPC_ROLE_EVENT, data, len);
}

void ipc_disconnect(struct ipc_peer *peer)
{
	peer->closing = true;
	flush_later(peer->server, 0);
}

pid_t ipc_peer_pid(const struct ipc_peer *peer)
{
	struct qb_ipcs_connection_stats stats;

	if (peer->qb == NULL)
		return peer->pid;
	return qb_ipcs_connection_stats_get(peer->qb, &stats, 0) == 0 ? stats.client_pid : 0;
}

void ipc_peer_set(struct ipc_peer *peer, void *own)
{
	peer->own = own;
}

void *ipc_peer_get(const struct ipc_peer *peer)
{
	return peer->own;
}

/* Take away the files of @name in one directory of a dead daemon, and the directory when it is empty then. */
static void remove_ruin(int shm, const char *dir, const char *name)
{
	int fd = openat(shm, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char middle[NAME_MAX];
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	snprintf(middle, sizeof(middle), "-%s-", name);
	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "qb-", 3) == 0 && strstr(e->d_name, middle) != NULL)
			unlinkat(fd, e->d_name, 0);
	closedir(d);
	unlinkat(shm, dir, AT_REMOVEDIR);
}

/* A daemon that was killed leaves its connections in /dev/shm, 0.4 MB of memory each; libqb's clients
 * do not always take them away. The name is ours now, so who had it is dead.
 */
static void remove_ruins(const char *name)
{
	DIR *shm = opendir("/dev/shm");
	int server, client, fd;
	struct dirent *e;

	if (shm == NULL)
		return;
	while ((e = readdir(shm)) != NULL)
		if (sscanf(e->d_name, "qb-%d-%d-%d-", &server, &client, &fd) == 3 && server > 0 &&
		    kill(server, 0) < 0 && errno == ESRCH)
			remove_ruin(dirfd(shm), e->d_name, name);
	closedir(shm);
}

struct ipc_server *ipc_server_new(struct loop *loop, const char *name, const struct ipc_ops *ops,
				  void *arg)
{
	struct qb_ipcs_service_handlers handlers = {
		.connection_accept = on_accept,
		.connection_created = on_created,
		.msg_process = on_request,
		.connection_closed = on_closed,
		.connection_destroyed = on_destroyed,
	};
	struct qb_ipcs_poll_handlers poll = {
		.job_add = job_add,
		.dispatch_add = dispatch_add,
		.dispatch_mod = dispatch_mod,
		.dispatch_del = dispatch_del,
	};
	struct ipc_server *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	assert(n_servers == 0 || loop == the_loop);
	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->ops = *ops;
	s->arg = arg;
	s->flush = loop_timer_new(loop, on_flush, s);
	s->qb = qb_ipcs_create(name, 0, QB_IPC_SHM, &handlers);
	if (s->flush == NULL || s->qb == NULL)
		goto fail;
	the_loop = loop;
	qb_ipcs_service_context_set(s->qb, s);
	qb_ipcs_poll_handlers_set(s->qb, &poll);
	qb_ipcs_request_rate_limit(s->qb, QB_IPCS_RATE_FAST);
	qb_ipcs_enforce_buffer_size(s->qb, IPC_QB_BYTES);
	r = qb_ipcs_run(s->qb);
	if (r < 0) {
		s->qb = NULL; /* libqb has freed it */
		goto fail;
	}
	r = short_listen(s, name);
	if (r < 0)
		goto fail;
	n_servers++;
	remove_ruins(name);
	return s;
fail:
	if (s->qb != NULL)
		qb_ipcs_destroy(s->qb);
	loop_timer_free(s->flush);
	free(s);
	errno = -r;
	return NULL;
}

struct ipc_server *ipc_server_free(struct ipc_server *s)
{
	if (s == NULL)
		return NULL;
	loop_fd_del(s->loop, s->short_fd);
	close(s->short_fd);
	for (struct ipc_peer *peer = s->peers; peer != NULL;)
		if (peer->qb == NULL) {
			drop(peer);
			peer = s->peers;
		} else {
			peer = peer->next;
		}
	qb_ipcs_destroy(s->qb);
	loop_timer_free(s->flush);
	n_servers--;
	free(s);
	return NULL;
}
