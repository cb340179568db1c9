/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/net.c - sockets: multicast in, call-backs out, tcp, vsock, and guests' channels. */
#include "daemon.h"

#include "lib/shell/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNS_MAX 2048
#define DATAGRAMS_AT_ONCE 32
#define LINGER_MS 5000 /* for a peer to take what is left for it once the core is done with it */

struct conn {
	struct conn *next;
	struct virtd *d;
	uint64_t id;
	int fd;
	bool connecting, closing;
	uint64_t closing_ms;          /* since when */
	int failed;                   /* connect() refused at once */
	char channel[VIRTD_PATH_MAX]; /* "": no channel */
	uint8_t *out;
	size_t out_len, out_sent;
};

static struct conn *conn_find(struct virtd *d, uint64_t id)
{
	for (struct conn *c = d->conns; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

unsigned net_conns(const struct virtd *d)
{
	unsigned n = 0;

	for (const struct conn *c = d->conns; c; c = c->next)
		n++;
	return n;
}

static void conn_free(struct conn *c)
{
	struct conn **at = &c->d->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	loop_fd_del(c->d->loop, c->fd);
	close(c->fd);
	free(c->out);
	free(c);
}

static void on_conn(void *arg, int fd, int revents);

/* Who does not read its list to the end keeps no place for ever; looked at when somebody new comes. */
static void linger_no_longer(struct virtd *d)
{
	uint64_t now = mono_ms();

	for (struct conn *c = d->conns, *next; c; c = next) {
		next = c->next;
		if (c->closing && now - c->closing_ms > LINGER_MS)
			conn_free(c);
	}
}

static struct conn *conn_new(struct virtd *d, int fd, uint64_t id, bool connecting)
{
	linger_no_longer(d);
	struct conn *c = net_conns(d) < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(fd);
		return NULL;
	}
	c->d = d;
	c->fd = fd;
	c->id = id;
	c->connecting = connecting;
	if (loop_fd_add(d->loop, fd, connecting ? POLLOUT : POLLIN, on_conn, c) < 0) {
		close(fd);
		free(c);
		return NULL;
	}
	c->next = d->conns;
	d->conns = c;
	return c;
}

static void rearm(struct conn *c)
{
	int events = c->connecting || c->out_len > c->out_sent ? POLLOUT | POLLIN : POLLIN;

	loop_fd_del(c->d->loop, c->fd);
	loop_fd_add(c->d->loop, c->fd, events, on_conn, c);
}

/* false: the peer is gone */
static bool flush(struct conn *c)
{
	while (c->out_sent < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		c->out_sent += (size_t)n;
	}
	return true;
}

static void tell_closed(struct conn *c)
{
	struct virtd *d = c->d;
	uint64_t id = c->id;
	bool silent = c->closing;

	conn_free(c);
	if (!silent)
		feed(d, (struct virtd_event){ .type = VIRTD_EV_CLOSED, .closed = id });
}

static void on_conn(void *arg, int fd, int revents)
{
	struct conn *c = arg;
	struct virtd *d = c->d;
	uint64_t id = c->id;
	uint8_t buf[4096];

	if (c->connecting) {
		int err = 0;
		socklen_t len = sizeof(err);

		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		err = err ? err : c->failed;
		c->connecting = false;
		if (err)
			conn_free(c);
		else
			rearm(c);
		feed(d, (struct virtd_event){ .type = VIRTD_EV_CONNECTED,
					      .connected = { id, err == 0, err } });
		return;
	}
	if (revents & POLLOUT) {
		if (!flush(c)) {
			tell_closed(c);
			return;
		}
		if (c->out_sent == c->out_len) {
			if (c->closing) {
				conn_free(c);
				return;
			}
			rearm(c);
		}
	}
	if (!(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0) {
		struct virtd_event ev = { .type = VIRTD_EV_DATA, .data = { id, buf, (size_t)n } };

		if (!c->closing)
			feed(d, ev);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		tell_closed(c);
	}
}

void net_connect(struct virtd *d, const struct virtd_action *a)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->connect.port) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(a->connect.port) };
	bool v6 = a->connect.ipv6;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(&to6.sin6_addr, a->connect.addr, 16);
	memcpy(&to4.sin_addr, a->connect.addr, 4);
	/* The answer comes through the loop, also when it is known at once: the core is in its step. */
	if (fd < 0)
		return; /* the core gives up by itself */
	int err = connect(fd, v6 ? (void *)&to6 : (void *)&to4, v6 ? sizeof(to6) : sizeof(to4)) < 0
			  ? errno
			  : 0;
	struct conn *c = conn_new(d, fd, a->connect.conn, true);

	if (c && err && err != EINPROGRESS)
		c->failed = err;
}

void net_send(struct virtd *d, const struct virtd_action *a)
{
	struct conn *c = conn_find(d, a->send.conn);

	if (!c || c->closing)
		return;
	size_t left = c->out_len - c->out_sent;
	uint8_t *more = malloc(left + a->send.len);

	if (!more)
		return;
	if (left)
		memcpy(more, c->out + c->out_sent, left);
	memcpy(more + left, a->send.data, a->send.len);
	free(c->out);
	c->out = more;
	c->out_len = left + a->send.len;
	c->out_sent = 0;
	if (!flush(c) || c->out_sent < c->out_len)
		rearm(c);
}

void net_close(struct virtd *d, uint64_t id)
{
	struct conn *c = conn_find(d, id);

	if (!c)
		return;
	c->closing = true;
	c->closing_ms = mono_ms();
	if (c->out_sent == c->out_len || !flush(c) || c->out_sent == c->out_len)
		conn_free(c);
}

static void text_of(const struct sockaddr_storage *a, char *buf, size_t len)
{
	buf[0] = '\0';
	if (a->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, buf, (socklen_t)len);
	else if (a->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, buf,
			  (socklen_t)len);
	else if (a->ss_family == AF_VSOCK)
		snprintf(buf, len, "%u", ((const struct sockaddr_vm *)a)->svm_cid);
}

static unsigned listener_of(const struct virtd *d, int fd)
{
	unsigned i = 0;

	while (i < d->conf->n_listeners && d->listen_fd[i] != fd && d->alone_fd[i] != fd)
		i++;
	return i;
}

void net_datagram(struct virtd *d, int fd, unsigned listener, const struct sockaddr_storage *from,
		  socklen_t from_len, const void *data, size_t len, const struct echo_view *view)
{
	char source[VIRTD_WORD_MAX];

	text_of(from, source, sizeof(source));
	d->reply.fd = fd;
	d->reply.to = *from;
	d->reply.len = from_len;
	feed(d, (struct virtd_event){ .type = VIRTD_EV_DATAGRAM,
				      .datagram = { listener, source, data, len, view } });
	d->reply.fd = -1;
}

void net_reply(struct virtd *d, const struct virtd_action *a)
{
	if (d->reply.fd >= 0 && sendto(d->reply.fd, a->reply, sizeof(a->reply), MSG_DONTWAIT,
				       (const struct sockaddr *)&d->reply.to, d->reply.len) < 0)
		log_debug("virtd.echo", "error=\"%s\"", strerror(errno)); /* it asks again */
}

/* Which interface it came by, and whether to the group: IP_PKTINFO. */
static unsigned way_of(struct msghdr *msg, enum echo_known *group)
{
	unsigned ifindex = 0;

	*group = ECHO_UNKNOWN;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo p;

			memcpy(&p, CMSG_DATA(c), sizeof(p));
			ifindex = (unsigned)p.ipi_ifindex;
			*group = IN_MULTICAST(ntohl(p.ipi_addr.s_addr)) ? ECHO_YES : ECHO_NO;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo p;

			memcpy(&p, CMSG_DATA(c), sizeof(p));
			ifindex = p.ipi6_ifindex;
			*group = IN6_IS_ADDR_MULTICAST(&p.ipi6_addr) ? ECHO_YES : ECHO_NO;
		}
	}
	return ifindex;
}

static void on_multicast(void *arg, int fd, int revents)
{
	struct virtd *d = arg;
	uint8_t buf[512], control[256];

	(void)revents;
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		struct sockaddr_storage from = { 0 };
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
		struct echo_view view;
		enum echo_known group;

		if (n < 0)
			return;
		unsigned ifindex = way_of(&msg, &group), k = listener_of(d, fd);

		/* requests come to the group, as they always did */
		if (k < d->conf->n_listeners && fd == d->alone_fd[k] && !echo_is(buf, (size_t)n))
			continue;
		/* to look at a bridge takes time that only an echo is worth */
		if (echo_is(buf, (size_t)n))
			view_take(d, k, ifindex, group, &view);
		net_datagram(d, fd, k, &from, msg.msg_namelen, buf, (size_t)n,
			     echo_is(buf, (size_t)n) ? &view : NULL);
	}
}

static void on_accept(void *arg, int fd, int revents)
{
	struct virtd *d = arg;
	char who[VIRTD_WORD_MAX];

	(void)revents;
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int s = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (s < 0)
			return;
		text_of(&from, who, sizeof(who));
		uint64_t id = VIRTD_CONN_ACCEPTED | ++d->conn_last;

		if (conn_new(d, s, id, false))
			feed(d, (struct virtd_event){ .type = VIRTD_EV_ACCEPT,
						      .accept = { id, listener_of(d, fd), who } });
	}
}

static int complain(const struct virtd_listener *l, const char *what)
{
	int e = errno;

	log_error("virtd.listen", "listener=%s address=%s port=%u error=\"%s: %s\"",
		  virtd_listener_name(l->kind), l->address, l->port, what, strerror(e));
	return -e;
}

static int listen_multicast(struct virtd *d, unsigned i)
{
	const struct virtd_listener *l = &d->conf->listener[i];
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(l->port) };
	int fd, one = 1, room = 1 << 20;

	if (l->interface[0] && if_nametoindex(l->interface) == 0)
		return complain(l, "interface");
	if (inet_pton(l->ipv6 ? AF_INET6 : AF_INET, l->address,
		      l->ipv6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1) {
		errno = EINVAL;
		return complain(l, "address");
	}
	fd = socket(l->ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(l, "socket");
	d->listen_fd[i] = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, l->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, l->ipv6 ? IPV6_RECVPKTINFO : IP_PKTINFO,
		   &one, sizeof(one));
	if (bind(fd, l->ipv6 ? (void *)&a6 : (void *)&a4, l->ipv6 ? sizeof(a6) : sizeof(a4)) < 0)
		return complain(l, "bind");
	int r = group_join(d, i);

	if (r < 0) {
		errno = -r;
		return complain(l, l->interface[0] ? "joining the group on its interface"
						   : "joining the group on any interface");
	}
	return loop_fd_add(d->loop, fd, POLLIN, on_multicast, d);
}

/*
 * The group's socket hears the group alone. Who cannot reach it by multicast asks whether that is multicast's fault: by unicast to
 * the same port. Without this socket everything else works, so it may fail.
 */
static void listen_alone(struct virtd *d, unsigned i)
{
	const struct virtd_listener *l = &d->conf->listener[i];
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(l->port) };
	int family = l->ipv6 ? AF_INET6 : AF_INET, level = l->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, none = 0;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, level, l->ipv6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &one, sizeof(one));
	setsockopt(fd, level, l->ipv6 ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, &none, sizeof(none));
	if (l->ipv6)
		setsockopt(fd, level, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, l->ipv6 ? (void *)&a6 : (void *)&a4, l->ipv6 ? sizeof(a6) : sizeof(a4)) < 0 ||
	    loop_fd_add(d->loop, fd, POLLIN, on_multicast, d) < 0) {
		log_info("virtd.listen", "port=%u text=\"no echoes by unicast: %s\"", l->port,
			 strerror(errno));
		close(fd);
		return;
	}
	d->alone_fd[i] = fd;
}

static int listen_stream(struct virtd *d, unsigned i)
{
	const struct virtd_listener *l = &d->conf->listener[i];
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(l->port) };
	struct sockaddr_vm av = { .svm_family = AF_VSOCK,
				  .svm_port = l->port,
				  .svm_cid = VMADDR_CID_ANY };
	bool vsock = l->kind == VIRTD_VSOCK;
	int family = vsock ? AF_VSOCK : l->ipv6 ? AF_INET6 : AF_INET, one = 1;
	void *addr = vsock ? (void *)&av : l->ipv6 ? (void *)&a6 : (void *)&a4;
	socklen_t len = vsock ? sizeof(av) : l->ipv6 ? sizeof(a6) : sizeof(a4);

	if (!vsock && inet_pton(family, l->address,
				l->ipv6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1) {
		errno = EINVAL;
		return complain(l, "address");
	}
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return complain(l, "socket");
	d->listen_fd[i] = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, addr, len) < 0)
		return complain(l, "bind");
	if (listen(fd, 128) < 0)
		return complain(l, "listen");
	return loop_fd_add(d->loop, fd, POLLIN, on_accept, d);
}

/* The guest's end is qemu's business: qemu listens, we connect; a guest that stops closes it. */
void net_channel(void *arg, const char *uuid, const char *path)
{
	struct virtd *d = arg;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	unsigned i = 0;

	while (i < d->conf->n_listeners && d->conf->listener[i].kind != VIRTD_SERIAL)
		i++;
	if (i == d->conf->n_listeners || strlen(path) >= sizeof(to.sun_path))
		return;
	const char *dir = d->conf->listener[i].path, *slash = strrchr(path, '/');
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (dir[0] && (!slash || (size_t)(slash - path) != n || strncmp(dir, path, n) != 0))
		return;
	for (struct conn *c = d->conns; c; c = c->next)
		if (strcmp(c->channel, path) == 0)
			return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		log_debug("virtd.channel", "path=%s error=\"%s\"", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	uint64_t id = VIRTD_CONN_ACCEPTED | ++d->conn_last;
	struct conn *c = conn_new(d, fd, id, false);

	if (!c)
		return;
	snprintf(c->channel, sizeof(c->channel), "%s", path);
	log_info("virtd.channel", "guest=%s path=%s", uuid, path);
	feed(d, (struct virtd_event){ .type = VIRTD_EV_ACCEPT, .accept = { id, i, uuid } });
}

int net_listen(struct virtd *d)
{
	int r = 0;

	for (unsigned i = 0; i < VIRTD_LISTENERS_MAX; i++)
		d->listen_fd[i] = d->alone_fd[i] = -1;
	for (unsigned i = 0; i < d->conf->n_listeners && r == 0; i++)
		switch (d->conf->listener[i].kind) {
		case VIRTD_MULTICAST:
			r = listen_multicast(d, i);
			if (r == 0)
				listen_alone(d, i);
			break;
		case VIRTD_TCP:
		case VIRTD_VSOCK: r = listen_stream(d, i); break;
		case VIRTD_SERIAL: break; /* channels come from libvirt */
		}
	if (r == 0)
		group_watch(d);
	return r;
}

void net_done(struct virtd *d)
{
	group_done(d);
	while (d->conns)
		conn_free(d->conns);
	for (unsigned i = 0; i < VIRTD_LISTENERS_MAX; i++)
		if (d->listen_fd[i] >= 0) {
			loop_fd_del(d->loop, d->listen_fd[i]);
			close(d->listen_fd[i]);
		}
	for (unsigned i = 0; i < VIRTD_LISTENERS_MAX; i++)
		if (d->alone_fd[i] >= 0) {
			loop_fd_del(d->loop, d->alone_fd[i]);
			close(d->alone_fd[i]);
		}
}
