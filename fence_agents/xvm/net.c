// SPDX-License-Identifier: GPL-3.0-or-later
/* Sockets: the group and the call-backs' listeners, tcp, vsock. */
#include "xvm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void *address_in(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)sa)->sin6_addr
					 : (void *)&((struct sockaddr_in *)sa)->sin_addr;
}

static size_t address_bytes(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

int net_resolve(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	const char *family = agent_get(a, "ip_family"), *group = agent_get(a, "multicast_address");

	if (strcmp(family, "auto") == 0)
		x->family = group && strchr(group, ':') ? AF_INET6 : AF_INET;
	else
		x->family = strcmp(family, "ipv6") == 0 ? AF_INET6 : AF_INET;
	if (!group)
		group = x->family == AF_INET6 ? VIRT_GROUP_IPV6 : VIRT_GROUP_IPV4;
	memset(&x->group, 0, sizeof(x->group));
	x->group.ss_family = (sa_family_t)x->family;
	if (inet_pton(x->family, group, address_in((struct sockaddr *)&x->group)) != 1)
		return agent_error(a, EINVAL, "multicast_address=%.60s is no %s address", group,
				   x->family == AF_INET6 ? "IPv6" : "IPv4");
	if (x->family == AF_INET6) {
		((struct sockaddr_in6 *)&x->group)->sin6_port = htons(x->port);
		x->group_len = sizeof(struct sockaddr_in6);
		if (!IN6_IS_ADDR_MULTICAST(&((struct sockaddr_in6 *)&x->group)->sin6_addr))
			return agent_error(a, EINVAL, "multicast_address=%.60s is not multicast",
					   group);
	} else {
		((struct sockaddr_in *)&x->group)->sin_port = htons(x->port);
		x->group_len = sizeof(struct sockaddr_in);
		if (!IN_MULTICAST(ntohl(((struct sockaddr_in *)&x->group)->sin_addr.s_addr)))
			return agent_error(a, EINVAL, "multicast_address=%.60s is not multicast",
					   group);
	}
	return 0;
}

/* @port 0: any. Return: descriptor, or -errno. */
static int listen_on(int family, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_storage sa = { .ss_family = (sa_family_t)family };
	socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		((struct sockaddr_in6 *)&sa)->sin6_port = htons(port);
	} else {
		((struct sockaddr_in *)&sa)->sin_port = htons(port);
	}
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	*ret_port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
					     : ((struct sockaddr_in *)&sa)->sin_port);
	return fd;
}

/* Firewalls know the service's own port, so it is preferred; taken by another run, one of our own goes into the request. */
int net_listen(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	int fd = listen_on(x->family, x->port, &x->listener_port[0]);

	x->listener[0] = x->listener[1] = -1;
	if (fd >= 0) {
		x->listener[0] = fd;
		return 0;
	}
	agent_debug(a, "TCP port %u: %s; using another", x->port, strerror(-fd));
	fd = listen_on(x->family, 0, &x->listener_port[1]);
	if (fd < 0)
		return agent_error(a, -fd, "cannot listen for the hypervisor's call-back: %s",
				   strerror(-fd));
	x->listener[1] = fd;
	return 0;
}

void net_retry_listen(struct agent *a)
{
	struct xvm *x = xvm_of(a);

	if (x->listener[0] >= 0)
		return;
	int fd = listen_on(x->family, x->port, &x->listener_port[0]);

	if (fd >= 0)
		x->listener[0] = fd;
}

void net_close(struct agent *a)
{
	struct xvm *x = xvm_of(a);

	for (int i = 0; i < 2; i++) {
		if (x->listener[i] >= 0)
			close(x->listener[i]);
		x->listener[i] = -1;
	}
}

bool net_usable(const struct ifaddrs *i, int family)
{
	if (!i->ifa_addr || i->ifa_addr->sa_family != family || !(i->ifa_flags & IFF_UP))
		return false;
	if (family == AF_INET)
		return true;
	const struct in6_addr *ip = &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;

	return !IN6_IS_ADDR_LOOPBACK(ip) && !IN6_IS_ADDR_LINKLOCAL(ip);
}

static bool send_from(struct agent *a, const char *name, const struct sockaddr *address,
		      const uint8_t *packet)
{
	const struct xvm *x = xvm_of(a);
	int fd = socket(x->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), ttl = VIRT_TTL;
	bool sent = false;

	if (fd < 0)
		return false;
	if (x->family == AF_INET6) {
		unsigned index = if_nametoindex(name);
		struct sockaddr_in6 from = *(const struct sockaddr_in6 *)address;

		from.sin6_port = 0;
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof(ttl));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
			agent_debug(a, "%s: bind: %s", name, strerror(errno));
	} else {
		struct sockaddr_in from = *(const struct sockaddr_in *)address;
		uint8_t ttl8 = VIRT_TTL;

		from.sin_port = 0;
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl8, sizeof(ttl8));
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from.sin_addr, sizeof(from.sin_addr));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
			agent_debug(a, "%s: bind: %s", name, strerror(errno));
	}
	sent = sendto(fd, packet, VIRT_REQUEST_BYTES, MSG_DONTWAIT, (struct sockaddr *)&x->group,
		      x->group_len) == VIRT_REQUEST_BYTES;
	if (!sent)
		agent_debug(a, "%s: sendto: %s", name, strerror(errno));
	close(fd);
	return sent;
}

static void send_one(struct agent *a, struct virt_request *q, int which, const char *name,
		     const struct sockaddr *from, unsigned *n, unsigned *out)
{
	struct xvm *x = xvm_of(a);

	if (*n == XVM_ADDRESSES_MAX) {
		if (!x->many_told)
			agent_warn(a, "more than %d addresses: from the others nothing is sent",
				   XVM_ADDRESSES_MAX);
		x->many_told = true;
		return;
	}
	memset(q->address, 0, sizeof(q->address));
	memcpy(q->address, address_in((struct sockaddr *)from), address_bytes(x->family));
	if (virt_request_encode(x->sent[which][*n], q, x->key, x->key_len) == 0 &&
	    send_from(a, name, from, x->sent[which][*n]))
		(*out)++;
	(*n)++;
}

static bool is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

	return sa->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

/* 0: the first address of an interface, one way to each network; 1: any more; 2: the loopback, where only this host itself answers. */
static int turn_of(const struct ifreq *row, size_t i)
{
	if (is_loopback(&row[i].ifr_addr))
		return 2;
	return i > 0 && strcmp(row[i].ifr_name, row[i - 1].ifr_name) == 0 ? 1 : 0;
}

/*
 * getifaddrs() asks for every property of every link, which takes longer than all the rest; for IPv4 there is this. A host
 * may have hundreds of addresses (a balancer's): the one network that matters must not be behind them.
 */
static bool send_ipv4(struct agent *a, struct virt_request *q, int which, unsigned *n,
		      unsigned *out)
{
	struct ifconf all = { .ifc_len = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && ioctl(fd, SIOCGIFCONF, &all) == 0; /* how long it is */
	struct ifreq *row = ok ? calloc(1, (size_t)all.ifc_len + sizeof(*row)) : NULL;

	all.ifc_req = row;
	ok = row && ioctl(fd, SIOCGIFCONF, &all) == 0;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; ok && i < (size_t)all.ifc_len / sizeof(*row); i++)
			if (turn_of(row, i) == turn)
				send_one(a, q, which, row[i].ifr_name, &row[i].ifr_addr, n, out);
	if (fd >= 0)
		close(fd);
	free(row);
	return ok;
}

unsigned net_send(struct agent *a, struct virt_request *q)
{
	struct xvm *x = xvm_of(a);
	int which = x->listener[0] >= 0 ? 0 : 1;
	struct ifaddrs *all = NULL;
	unsigned out = 0, n = 0;

	if (!x->sent[which])
		x->sent[which] = calloc(XVM_ADDRESSES_MAX, sizeof(*x->sent[which]));
	if (!x->sent[which])
		return 0;
	q->port = x->listener_port[which];
	q->family = (uint32_t)x->family;
	q->addrlen = (uint8_t)address_bytes(x->family);
	if (x->family != AF_INET || !send_ipv4(a, q, which, &n, &out)) {
		if (getifaddrs(&all) < 0)
			return 0;
		for (struct ifaddrs *i = all; i; i = i->ifa_next)
			if (net_usable(i, x->family))
				send_one(a, q, which, i->ifa_name, i->ifa_addr, &n, &out);
		freeifaddrs(all);
	}
	x->n_sent_of[which] = n;
	return out;
}

const uint8_t *net_request_of(struct agent *a, int listener, const uint8_t *local, size_t len)
{
	struct xvm *x = xvm_of(a);
	struct virt_request q;

	for (unsigned i = 0; i < x->n_sent_of[listener]; i++)
		if (virt_request_decode(&q, x->sent[listener][i], VIRT_REQUEST_BYTES) == 0 &&
		    q.addrlen == len && memcmp(q.address, local, len) == 0)
			return x->sent[listener][i];
	return NULL;
}

static int start_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

/* Numbers only, as the stock client: who fences must not wait for a name server, which may be on the dead machine. */
static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ss,
			  socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	*len = sizeof(*v6);
	return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

bool net_is_address(const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len;

	return parse_address(text, 0, &ss, &len);
}

int net_connect(struct agent *a, const char *host)
{
	const struct xvm *x = xvm_of(a);
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1, r;

	if (!parse_address(host, x->port, &ss, &len))
		return agent_error(a, EINVAL, "%.60s is no address (names are not looked up)",
				   host);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		r = -errno;
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		r = start_connect(fd, (struct sockaddr *)&ss, len);
	}
	return r < 0 ? agent_error(a, -r, "%.60s port %u: %s", host, x->port, strerror(-r)) : r;
}

int net_connect_vsock(struct agent *a, const char *cid)
{
	const struct xvm *x = xvm_of(a);
	struct sockaddr_vm sa = { .svm_family = AF_VSOCK,
				  .svm_port = x->port,
				  .svm_cid = (unsigned)strtoul(cid, NULL, 10) };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : start_connect(fd, (struct sockaddr *)&sa, sizeof(sa));

	return r < 0 ? agent_error(a, -r, "vsock CID %.20s port %u: %s", cid, x->port, strerror(-r))
		     : r;
}

void net_peer_text(const struct sockaddr_storage *ss, char peer[XVM_PEER_MAX])
{
	if (!inet_ntop(ss->ss_family, address_in((const struct sockaddr *)ss), peer, XVM_PEER_MAX))
		snprintf(peer, XVM_PEER_MAX, "?");
}

int net_accept(int listener, char peer[XVM_PEER_MAX], uint8_t local[16], size_t *ret_local_len)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int one = 1;
	int fd = accept4(listener, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	net_peer_text(&ss, peer);
	len = sizeof(ss);
	*ret_local_len = 0;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0) {
		*ret_local_len = address_bytes(ss.ss_family);
		memcpy(local, address_in((struct sockaddr *)&ss), *ret_local_len);
	}
	return fd;
}

bool net_same_host(const char *named, const char *peer)
{
	struct sockaddr_storage n, p;
	socklen_t n_len, p_len;

	/* one address may be written in several ways */
	return parse_address(named, 0, &n, &n_len) && parse_address(peer, 0, &p, &p_len) &&
	       n_len == p_len && memcmp(&n, &p, n_len) == 0;
}
