/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipc_client.c - the client's side. libqb's own blocking calls are not used: its connect waits for ever
 * on a daemon that hangs, and its receive sees the death of a daemon up to two seconds late.
 */
#include "lib/shell/ipc.h"
#include "lib/shell/ipc_wire.h"

#include <errno.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct stashed { /* an event that arrived while a call waited for its reply */
	struct stashed *next;
	uint32_t type;
	size_t len;
	uint8_t data[];
};

struct ipc_client {
	qb_ipcc_connection_t *qb;
	int fd; /* libqb's: readable when something waits, hung up when the daemon is gone */
	bool connecting;
	bool posted; /* a reply to ipc_post() is to come */
	bool broken;
	struct stashed *first, **last;
	int epoll_fd, stash_fd; /* made by ipc_client_fd(), else -1 */
	uint8_t *buf;           /* [IPC_QB_BYTES] */
};

static int wait_readable(int fd, uint64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now = mono_ms();
		int timeout = until_ms == UINT64_MAX ? -1
			      : until_ms > now       ? (int)(until_ms - now)
						     : 0;
		int n = poll(&p, 1, timeout);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

socklen_t ipc_short_address(struct sockaddr_un *sa, const char *name)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	int n = snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "%s/ask", name);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Names of abstract sockets are anybody's who is first: a daemon that is not running could be played by any user of this machine,
 * and what it says of the dead would be believed (SAFE-2). So the client, too, looks who is at the other end. */
static uid_t trusted; /* 0: root alone, and ourselves */

void ipc_trust(uid_t uid)
{
	trusted = uid;
}

static bool is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid() || uid == trusted;
}

static bool is_our_socket(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && is_ours(who.uid);
}

int ipc_ask_start(const char *name, const char *request)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;
	socklen_t len = ipc_short_address(&sa, name);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 || !is_our_socket(fd) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		int r = errno == EMSGSIZE ? -EMSGSIZE : -ENOTCONN;

		close(fd);
		return r;
	}
	return fd;
}

ssize_t ipc_ask_finish(int fd, void *buf, size_t buf_len)
{
	ssize_t n = recv(fd, buf, buf_len, 0);

	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -ENOTCONN;
}

struct ipc_client *ipc_connect_start(const char *name, int *ret_fd)
{
	struct ipc_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->last = &c->first;
	c->epoll_fd = c->stash_fd = -1;
	c->buf = malloc(IPC_QB_BYTES);
	c->qb = c->buf != NULL ? qb_ipcc_connect_async(name, IPC_QB_BYTES, &c->fd) : NULL;
	if (c->qb == NULL) {
		int error = c->buf != NULL ? errno : ENOMEM;

		free(c->buf);
		free(c);
		errno = error;
		return NULL;
	}
	c->connecting = true;
	*ret_fd = c->fd;
	return c;
}

int ipc_connect_finish(struct ipc_client *c)
{
	int r = qb_ipcc_connect_continue(c->qb);

	c->connecting = false;
	if (r != 0) {
		c->qb = NULL; /* libqb has freed it */
		c->broken = true;
		return r < 0 ? r : -EPROTO;
	}
	qb_ipcc_fd_get(c->qb, &c->fd);
	pid_t pid;
	uid_t uid = (uid_t)-1;
	gid_t gid;

	if (qb_ipcc_auth_get(c->qb, &pid, &uid, &gid) < 0 || !is_ours(uid)) {
		qb_ipcc_disconnect(c->qb);
		c->qb = NULL;
		c->broken = true;
		return -EACCES;
	}
	return 0;
}

struct ipc_client *ipc_connect(const char *name)
{
	int fd;
	struct ipc_client *c = ipc_connect_start(name, &fd);

	if (c == NULL)
		return NULL;
	int r = wait_readable(fd, mono_ms() + IPC_CONNECT_MS);

	if (r == 0)
		r = ipc_connect_finish(c);
	if (r == 0)
		return c;
	ipc_close(c);
	errno = -r;
	return NULL;
}

struct ipc_client *ipc_close(struct ipc_client *c)
{
	if (c == NULL)
		return NULL;
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->stash_fd >= 0)
		close(c->stash_fd);
	while (c->first != NULL) {
		struct stashed *e = c->first;

		c->first = e->next;
		free(e);
	}
	/* libqb frees a connection that never came to be, but not its socket. */
	if (c->connecting)
		close(c->fd);
	qb_ipcc_disconnect(c->qb);
	free(c->buf);
	free(c);
	return NULL;
}

static ssize_t fail(struct ipc_client *c, int error)
{
	c->broken = true;
	return -error;
}

/* One message into c->buf. Return: its bytes; -EAGAIN: none now; -ENOTCONN: no more will come. */
static ssize_t receive(struct ipc_client *c)
{
	ssize_t n = qb_ipcc_event_recv(c->qb, c->buf, IPC_QB_BYTES, 0);

	if (n == -EAGAIN || n == -ETIMEDOUT)
		return -EAGAIN;
	if (n < (ssize_t)sizeof(struct ipc_down_header))
		return fail(c, ENOTCONN);
	return n;
}

static int stash(struct ipc_client *c, const struct ipc_down_header *hdr, const void *data,
		 size_t len)
{
	struct stashed *e = malloc(sizeof(*e) + len);

	if (e == NULL)
		return -ENOMEM;
	*e = (struct stashed){ .type = (uint32_t)hdr->qb.id, .len = len };
	memcpy(e->data, data, len);
	*c->last = e;
	c->last = &e->next;
	if (c->stash_fd >= 0)
		eventfd_write(c->stash_fd, 1);
	return 0;
}

static ssize_t hand_out(uint32_t type, const void *data, size_t len, uint32_t *ret_type, void *buf,
			size_t buf_len)
{
	if (ret_type != NULL)
		*ret_type = type;
	if (len > buf_len)
		return -ENOBUFS;
	if (len > 0)
		memcpy(buf, data, len);
	return (ssize_t)len;
}

/* Wait for the reply, which then is in c->buf. Return: its bytes without header, or -errno. */
static ssize_t wait_reply(struct ipc_client *c, uint64_t until_ms)
{
	const struct ipc_down_header *hdr = (const void *)c->buf;

	for (;;) {
		ssize_t n = receive(c);

		if (n == -EAGAIN) {
			int r = wait_readable(c->fd, until_ms);

			if (r < 0)
				return fail(c, -r);
			continue;
		}
		if (n < 0)
			return n;
		size_t len = (size_t)n - sizeof(*hdr);

		if (hdr->qb.error == IPC_ROLE_REPLY)
			return (ssize_t)len;
		if (stash(c, hdr, c->buf + sizeof(*hdr), len) < 0)
			return fail(c, ENOMEM);
	}
}

static int send_up(struct ipc_client *c, uint32_t type, const void *data, size_t len)
{
	struct qb_ipc_request_header hdr = { .id = (int32_t)type };
	struct iovec iov[2] = { { .iov_base = &hdr, .iov_len = sizeof(hdr) },
				{ .iov_base = (void *)data, .iov_len = len } };

	if (c->broken || c->connecting)
		return -ENOTCONN;
	if (c->posted)
		return -EBUSY;
	if (len > IPC_BYTES_MAX)
		return -EMSGSIZE;
	hdr.size = (int32_t)(sizeof(hdr) + len);
	ssize_t n = qb_ipcc_sendv(c->qb, iov, len > 0 ? 2 : 1);

	/* One request at a time: a full channel means that the daemon did not read the one before. */
	if (n == -EAGAIN || n == -ETIMEDOUT)
		return (int)fail(c, ETIMEDOUT);
	return n < 0 ? (int)fail(c, ENOTCONN) : 0;
}

static ssize_t call(struct ipc_client *c, uint32_t type, const void *data, size_t len,
		    int timeout_ms)
{
	uint64_t until_ms = timeout_ms < 0 ? UINT64_MAX : mono_ms() + (uint64_t)timeout_ms;
	int r = send_up(c, type, data, len);

	return r < 0 ? r : wait_reply(c, until_ms);
}

int ipc_post(struct ipc_client *c, uint32_t type, const void *data, size_t len)
{
	int r = send_up(c, type, data, len);

	if (r == 0)
		c->posted = true;
	return r == -ETIMEDOUT ? -ENOTCONN : r;
}

ssize_t ipc_call(struct ipc_client *c, uint32_t type, const void *data, size_t len,
		 uint32_t *ret_type, void *buf, size_t buf_len, int timeout_ms)
{
	const struct ipc_down_header *hdr = (const void *)c->buf;
	ssize_t n = call(c, type, data, len, timeout_ms);

	if (n < 0)
		return n;
	return hand_out((uint32_t)hdr->qb.id, c->buf + sizeof(*hdr), (size_t)n, ret_type, buf,
			buf_len);
}

json_t *ipc_call_json(struct ipc_client *c, json_t *request, int timeout_ms)
{
	const struct ipc_down_header *hdr = (const void *)c->buf;
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	json_t *reply = NULL;
	ssize_t n = -ENOMEM;

	if (text != NULL)
		n = call(c, IPC_JSON, text, strlen(text), timeout_ms);
	free(text);
	json_decref(request);
	if (n >= 0) {
		if (hdr->qb.id == IPC_JSON)
			reply = json_loadb((const char *)c->buf + sizeof(*hdr), (size_t)n, 0, NULL);
		if (!json_is_object(reply)) {
			json_decref(reply);
			reply = NULL;
			n = -EPROTO;
		}
	}
	if (reply == NULL)
		errno = (int)-n;
	return reply;
}

int ipc_client_fd(struct ipc_client *c)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (c->epoll_fd >= 0)
		return c->epoll_fd;
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->stash_fd = eventfd(c->first != NULL, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->epoll_fd >= 0 && c->stash_fd >= 0 &&
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0 &&
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->stash_fd, &ev) == 0)
		return c->epoll_fd;
	int saved = errno;

	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->stash_fd >= 0)
		close(c->stash_fd);
	c->epoll_fd = c->stash_fd = -1;
	errno = saved;
	return -1;
}

ssize_t ipc_next(struct ipc_client *c, uint32_t *ret_type, bool *ret_reply, void *buf,
		 size_t buf_len)
{
	const struct ipc_down_header *hdr = (const void *)c->buf;
	struct stashed *e = c->first;
	eventfd_t unused;

	*ret_reply = false;
	if (e != NULL) {
		ssize_t r = hand_out(e->type, e->data, e->len, ret_type, buf, buf_len);

		c->first = e->next;
		if (c->first == NULL) {
			c->last = &c->first;
			if (c->stash_fd >= 0)
				eventfd_read(c->stash_fd, &unused);
		}
		free(e);
		return r;
	}
	if (c->broken)
		return -ENOTCONN;
	ssize_t n = receive(c);

	if (n == -EAGAIN) {
		if (ret_type != NULL)
			*ret_type = 0;
		return 0;
	}
	if (n < 0)
		return n;
	if (hdr->qb.error != IPC_ROLE_EVENT) {
		if (!c->posted) /* a reply nobody asked for */
			return fail(c, ENOTCONN);
		c->posted = false;
		*ret_reply = true;
	}
	return hand_out((uint32_t)hdr->qb.id, c->buf + sizeof(*hdr), (size_t)n - sizeof(*hdr),
			ret_type, buf, buf_len);
}

ssize_t ipc_event_next(struct ipc_client *c, uint32_t *ret_type, void *buf, size_t buf_len)
{
	bool reply;

	return ipc_next(c, ret_type, &reply, buf, buf_len);
}
