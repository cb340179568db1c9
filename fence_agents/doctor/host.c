/* SPDX-License-Identifier: GPL-3.0-or-later */
/* This machine's addresses, routes, bridges and neighbours. Nothing is changed by looking. */
#include "doctor.h"
#include "packet.h"

#include "lib/shell/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

socklen_t host_len(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static const void *bytes_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
					: (const void *)&((const struct sockaddr_in *)a)->sin_addr;
}

const char *host_text(const struct sockaddr_storage *a, char *to, size_t size)
{
	if (!inet_ntop(a->ss_family, bytes_of(a), to, (socklen_t)size))
		snprintf(to, size, "?");
	return to;
}

bool host_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == b->ss_family &&
	       memcmp(bytes_of(a), bytes_of(b), a->ss_family == AF_INET6 ? 16 : 4) == 0;
}

bool host_parse(const char *text, uint16_t port, struct sockaddr_storage *to, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	} else {
		return false;
	}
	*len = host_len(to);
	return true;
}

unsigned host_addresses(int family, struct host_address *to, unsigned max)
{
	struct ifaddrs *all = NULL;
	unsigned n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != family ||
		    (i->ifa_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING) ||
		    (i->ifa_flags & IFF_LOOPBACK))
			continue;
		struct sockaddr_storage a = { 0 };

		memcpy(&a, i->ifa_addr,
		       host_len(&(struct sockaddr_storage){ .ss_family = (sa_family_t)family }));
		if (family == AF_INET6 &&
		    IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)&a)->sin6_addr))
			continue;
		snprintf(to[n].iface, sizeof(to[n].iface), "%s", i->ifa_name);
		to[n].ifindex = if_nametoindex(i->ifa_name);
		to[n++].address = a;
	}
	freeifaddrs(all);
	return n;
}

static void iface_of(const struct sockaddr_storage *address, char iface[16])
{
	struct ifaddrs *all = NULL;

	iface[0] = '\0';
	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct sockaddr_storage a = { 0 };

		if (!i->ifa_addr || i->ifa_addr->sa_family != address->ss_family)
			continue;
		memcpy(&a, i->ifa_addr, host_len(address));
		if (host_same(&a, address)) {
			snprintf(iface, 16, "%s", i->ifa_name);
			break;
		}
	}
	freeifaddrs(all);
}

int host_route(const struct sockaddr_storage *to, socklen_t len, char *from, size_t from_size,
	       char iface[16])
{
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct sockaddr_storage self = { 0 };
	socklen_t self_len = sizeof(self);

	/* connect() of a datagram socket sends nothing: it asks for the route */
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&self, &self_len) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err)
		return -err;
	host_text(&self, from, from_size);
	iface_of(&self, iface);
	return 0;
}

bool host_gateway(char *to, size_t size)
{
	char line[256], iface[32];
	unsigned long dest, gate, flags;
	FILE *f = fopen("/proc/net/route", "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		struct in_addr a;

		if (sscanf(line, "%31s %lx %lx %lx", iface, &dest, &gate, &flags) != 4 ||
		    dest != 0 || !(flags & 2))
			continue;
		a.s_addr = (in_addr_t)gate; /* in network order, as the kernel prints it */
		found = inet_ntop(AF_INET, &a, to, (socklen_t)size) != NULL;
	}
	if (f)
		fclose(f);
	return found;
}

static enum doctor_tri tri(enum bridge_flag f)
{
	return f == BRIDGE_YES ? DOCTOR_YES : f == BRIDGE_NO ? DOCTOR_NO : DOCTOR_UNKNOWN;
}

void host_bridge(const char *iface, struct doctor_bridge *ret)
{
	struct bridge_look look;

	bridge_look(iface, &look);
	snprintf(ret->name, sizeof(ret->name), "%s", look.name);
	ret->snoops = tri(look.snoops);
	ret->queries = tri(look.queries);
}

/* --- what comes back --------------------------------------------------------------------------------------------- */

void host_want_errors(int fd, int family)
{
	int one = 1;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
}

static enum doctor_icmp meaning(const struct sock_extended_err *e)
{
	if (e->ee_origin == SO_EE_ORIGIN_LOCAL)
		return e->ee_errno == EHOSTUNREACH  ? DOCTOR_ICMP_HOST
		       : e->ee_errno == ENETUNREACH ? DOCTOR_ICMP_NET
						    : DOCTOR_ICMP_NONE;
	if (e->ee_origin == SO_EE_ORIGIN_ICMP && e->ee_type == ICMP_DEST_UNREACH)
		switch (e->ee_code) {
		case ICMP_PORT_UNREACH: return DOCTOR_ICMP_PORT;
		case ICMP_HOST_UNREACH:
		case ICMP_HOST_UNKNOWN: return DOCTOR_ICMP_HOST;
		case ICMP_NET_UNREACH:
		case ICMP_NET_UNKNOWN: return DOCTOR_ICMP_NET;
		case ICMP_NET_ANO:
		case ICMP_HOST_ANO:
		case ICMP_PKT_FILTERED: return DOCTOR_ICMP_PROHIBITED;
		default: return DOCTOR_ICMP_NONE;
		}
	if (e->ee_origin == SO_EE_ORIGIN_ICMP6 && e->ee_type == ICMP6_DST_UNREACH)
		switch (e->ee_code) {
		case ICMP6_DST_UNREACH_NOPORT: return DOCTOR_ICMP_PORT;
		case ICMP6_DST_UNREACH_ADDR: return DOCTOR_ICMP_HOST;
		case ICMP6_DST_UNREACH_NOROUTE: return DOCTOR_ICMP_NET;
		case ICMP6_DST_UNREACH_ADMIN: return DOCTOR_ICMP_PROHIBITED;
		default: return DOCTOR_ICMP_NONE;
		}
	return DOCTOR_ICMP_NONE;
}

enum doctor_icmp host_icmp(int fd, char *from, size_t from_size)
{
	char control[512], data[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return DOCTOR_ICMP_NONE;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (!((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		      (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)))
			continue;
		struct sock_extended_err *e = (struct sock_extended_err *)CMSG_DATA(c);
		struct sockaddr_storage who = { 0 };
		const struct sockaddr *offender = SO_EE_OFFENDER(e);

		who.ss_family = offender->sa_family;
		if (who.ss_family == AF_INET || who.ss_family == AF_INET6)
			memcpy(&who, offender, host_len(&who));
		if (e->ee_origin != SO_EE_ORIGIN_LOCAL && who.ss_family != AF_UNSPEC)
			host_text(&who, from, from_size);
		else
			snprintf(from, from_size, "this node's kernel");
		return meaning(e);
	}
	return DOCTOR_ICMP_NONE;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int ping(const struct sockaddr_storage *to, socklen_t len, uint16_t id)
{
	bool v6 = to->ss_family == AF_INET6;
	uint8_t echo[16] = { v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO };
	struct sockaddr_storage at = *to;
	int fd = socket(to->ss_family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);

	if (v6)
		((struct sockaddr_in6 *)&at)->sin6_port = 0; /* of a raw socket: the protocol */
	echo[4] = (uint8_t)(id >> 8);
	echo[5] = (uint8_t)id;
	uint16_t sum = v6 ? 0 : checksum(echo, sizeof(echo));

	memcpy(echo + 2, &sum, sizeof(sum));
	if (fd >= 0 && sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&at, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_pong(int fd, const struct sockaddr_storage *to, uint16_t id)
{
	uint8_t buf[512];
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	return n > 0 && host_same(&from, to) && packet_is_pong(to->ss_family, buf, (size_t)n, id);
}

struct arp {
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t op;
	uint8_t from_hw[6], from[4], to_hw[6], to[4];
} __attribute__((packed));

/* Asks on the wire: the kernel's table may remember a machine that is gone. */
static int ask_neighbour(const struct sockaddr_storage *to, const char *iface)
{
	struct ifreq hw = { 0 }, ip = { 0 }, mask = { 0 };
	const struct sockaddr_in *want = (const struct sockaddr_in *)to;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP));
	int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_ll all = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ARP),
				   .sll_ifindex = (int)if_nametoindex(iface),
				   .sll_halen = 6,
				   .sll_addr = { 255, 255, 255, 255, 255, 255 } };
	struct arp ask = { htons(1), htons(ETH_P_IP), 6, 4, htons(1), { 0 }, { 0 }, { 0 }, { 0 } };

	snprintf(hw.ifr_name, sizeof(hw.ifr_name), "%s", iface);
	ip = mask = hw;
	bool ok = fd >= 0 && in >= 0 && ioctl(in, SIOCGIFHWADDR, &hw) == 0 &&
		  ioctl(in, SIOCGIFADDR, &ip) == 0 && ioctl(in, SIOCGIFNETMASK, &mask) == 0 &&
		  hw.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	struct sockaddr_in own = { 0 }, net = { 0 };

	memcpy(&own, &ip.ifr_addr, sizeof(own));
	memcpy(&net, &mask.ifr_netmask, sizeof(net));
	if (in >= 0)
		close(in);
	/* behind a router there is no neighbour to ask */
	ok = ok && ((own.sin_addr.s_addr ^ want->sin_addr.s_addr) & net.sin_addr.s_addr) == 0;
	memcpy(ask.from_hw, hw.ifr_hwaddr.sa_data, 6);
	memcpy(ask.from, &own.sin_addr, 4);
	memcpy(ask.to, &want->sin_addr, 4);
	if (ok && sendto(fd, &ask, sizeof(ask), 0, (struct sockaddr *)&all, sizeof(all)) > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool is_neighbour(int fd, const struct sockaddr_storage *to)
{
	struct arp got;

	return recv(fd, &got, sizeof(got), MSG_DONTWAIT) == (ssize_t)sizeof(got) &&
	       got.op == htons(2) &&
	       memcmp(got.from, &((const struct sockaddr_in *)to)->sin_addr, 4) == 0;
}

enum doctor_tri host_alive(const struct sockaddr_storage *to, socklen_t len, const char *iface,
			   unsigned ms)
{
	uint16_t id = (uint16_t)getpid();
	int echo = ping(to, len, id);
	int arp = to->ss_family == AF_INET && iface[0] ? ask_neighbour(to, iface) : -1;
	uint64_t end = mono_ms() + ms;
	bool alive = false;

	while (!alive && (echo >= 0 || arp >= 0) && mono_ms() < end) {
		struct pollfd p[] = { { .fd = echo, .events = POLLIN },
				      { .fd = arp, .events = POLLIN } };

		if (poll(p, 2, (int)(end - mono_ms())) <= 0)
			break;
		alive = (p[0].revents && is_pong(echo, to, id)) ||
			(p[1].revents && is_neighbour(arp, to));
	}
	if (echo >= 0)
		close(echo);
	if (arp >= 0)
		close(arp);
	/* a machine that answers no ping may be there; a neighbour that answers no ARP is not */
	return alive ? DOCTOR_YES : arp >= 0 ? DOCTOR_NO : DOCTOR_UNKNOWN;
}
