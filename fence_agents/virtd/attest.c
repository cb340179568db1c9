/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/attest.c - statements over UDP: open what is sealed, seal what the core says. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/seal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 32

/* The core's number for an address: its place. The longest unheard gives way; a statement that then goes astray is sealed. */
static uint64_t peer_number(struct virtd *d, const struct sockaddr_storage *addr, socklen_t len)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &d->peer[i];

		if (p->len == len && memcmp(&p->addr, addr, len) == 0) {
			p->used_ms = mono_ms();
			return i + 1;
		}
		if (p->used_ms < d->peer[oldest].used_ms)
			oldest = i;
	}
	memcpy(&d->peer[oldest].addr, addr, sizeof(*addr));
	d->peer[oldest].len = len;
	d->peer[oldest].used_ms = mono_ms();
	return oldest + 1;
}

static void on_datagram(void *arg, int fd, int revents)
{
	struct virtd *d = arg;
	uint8_t buf[SEAL_DATAGRAM_MAX + 1];

	(void)revents;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &len);
		struct attest_msg m;

		if (n < 0)
			return;
		if (echo_is(buf, (size_t)n)) { /* does this host hold my key? asked of it alone */
			net_datagram(d, fd, d->seal_listener, &from, len, buf, (size_t)n, NULL);
			continue;
		}
		int key = seal_read((const uint8_t(*)[SEAL_KEY_BYTES])d->seal_key, d->n_seal_keys,
				    buf, (size_t)n, &m);

		if (key < 0) {
			log_debug("virtd.attest", "bytes=%zd error=\"%s\"", n, strerror(-key));
			continue;
		}
		feed(d, (struct virtd_event){
				.type = VIRTD_EV_ATTEST,
				.attest = { peer_number(d, &from, len), (unsigned)key, &m } });
	}
}

void attest_send(struct virtd *d, const struct virtd_action *a)
{
	uint8_t buf[SEAL_DATAGRAM_MAX];
	const struct peer *p = &d->peer[a->attest.to - 1];

	if (d->attest_fd < 0 || a->attest.key >= d->n_seal_keys || p->len == 0)
		return;
	ssize_t n = seal_write(d->seal_key[a->attest.key], &a->attest.msg, buf, sizeof(buf));

	if (n > 0 && sendto(d->attest_fd, buf, (size_t)n, MSG_DONTWAIT,
			    (const struct sockaddr *)&p->addr, p->len) < 0)
		log_debug("virtd.attest", "error=\"%s\"", strerror(errno)); /* it is said again */
}

void attest_keys(struct virtd *d, const struct virtd_key *key, unsigned n)
{
	d->n_seal_keys = 0;
	for (unsigned i = 0; i < n && i < VIRTD_KEYS_MAX; i++)
		if (seal_derive(key[i].bytes, key[i].len, d->seal_key[d->n_seal_keys]) == 0)
			d->n_seal_keys++;
}

/* Unicast, and the group of the multicast listener on our own port: nodes need not know the host's address. */
int attest_listen(struct virtd *d)
{
	const struct virtd_conf *c = d->conf;
	const struct virtd_listener *l = NULL;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(c->attest_port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(c->attest_port) };
	int one = 1;

	for (unsigned i = 0; i < c->n_listeners; i++)
		if (c->listener[i].kind == VIRTD_MULTICAST)
			l = &c->listener[i];
	bool v6 = strchr(c->attest_address, ':') || (l && l->ipv6 && !c->attest_address[0]);

	if (c->attest_address[0] &&
	    inet_pton(v6 ? AF_INET6 : AF_INET, c->attest_address,
		      v6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1) {
		log_error("virtd.attest", "address=%s error=\"no address\"", c->attest_address);
		return -EINVAL;
	}
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	d->attest_fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)) < 0) {
		int e = errno;

		log_error("virtd.attest", "port=%u error=\"%s\"", c->attest_port, strerror(e));
		return -e;
	}
	if (l && v6 == l->ipv6) {
		struct ipv6_mreq r6 = { .ipv6mr_interface = l->interface[0]
								    ? if_nametoindex(l->interface)
								    : 0 };
		struct ip_mreqn r4 = { .imr_ifindex = l->interface[0]
							      ? (int)if_nametoindex(l->interface)
							      : 0 };

		inet_pton(v6 ? AF_INET6 : AF_INET, l->address,
			  v6 ? (void *)&r6.ipv6mr_multiaddr : (void *)&r4.imr_multiaddr);
		if ((v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &r6, sizeof(r6))
			: setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r4, sizeof(r4))) < 0)
			log_warning(
				"virtd.attest",
				"group=%s error=\"%s\" text=\"nodes must name this host's address\"",
				l->address, strerror(errno));
	}
	return loop_fd_add(d->loop, fd, POLLIN, on_datagram, d);
}

void attest_done(struct virtd *d)
{
	if (d->attest_fd >= 0) {
		loop_fd_del(d->loop, d->attest_fd);
		close(d->attest_fd);
	}
	d->attest_fd = -1;
	explicit_bzero(d->seal_key, sizeof(d->seal_key));
}
