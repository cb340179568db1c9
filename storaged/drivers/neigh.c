/* SPDX-License-Identifier: GPL-3.0-or-later */
/* neigh.c - ARP and neighbour discovery packets. */
#include "neigh.h"

#include "op.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ethernet/IPv4 ARP, as it lies in the packet */
enum { ARP_LEN = 28, ARP_OP = 6, ARP_SHA = 8, ARP_SPA = 14, ARP_THA = 18, ARP_TPA = 24 };
enum { OP_REQUEST = 1, OP_REPLY = 2 };
static const uint8_t arp_head[6] = { 0, 1, 8, 0, 6, 4 };

/* The fixed IPv6 header, then ICMPv6 with target and one link-layer option */
enum { IP6_LEN = 40, ND_LEN = 24, ND_OPT_LEN = 8, ND_TARGET = 8, ND_OPT = 24 };
enum { SRC = 8, DST = 24, HOP_LIMIT = 255, PROTO_ICMP6 = 58 };

static size_t arp(const struct neigh *n, uint8_t *buf, int op, bool probe)
{
	memset(buf, 0, ARP_LEN);
	memcpy(buf, arp_head, sizeof(arp_head));
	buf[ARP_OP + 1] = (uint8_t)op;
	memcpy(buf + ARP_SHA, n->mac, 6);
	if (!probe) /* a probe has no sender address: it must not enter anybody's table */
		memcpy(buf + ARP_SPA, n->addr, 4);
	if (op == OP_REPLY)
		memset(buf + ARP_THA, 0xff, 6);
	memcpy(buf + ARP_TPA, n->addr, 4);
	return ARP_LEN;
}

/* The internet checksum of the ICMPv6 part with its pseudo header. */
static void checksum(uint8_t *ip, size_t icmp_len)
{
	uint8_t *icmp = ip + IP6_LEN;
	uint32_t sum = (uint32_t)icmp_len + PROTO_ICMP6;

	icmp[2] = icmp[3] = 0;
	for (size_t i = SRC; i < IP6_LEN; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	for (size_t i = 0; i + 1 < icmp_len; i += 2)
		sum += (uint32_t)(icmp[i] << 8 | icmp[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	icmp[2] = (uint8_t)(~sum >> 8);
	icmp[3] = (uint8_t)~sum;
}

static size_t nd(const struct neigh *n, uint8_t *buf, bool probe)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	static const uint8_t solicited[13] = { 0xff, 2, [11] = 1, [12] = 0xff };
	size_t icmp_len = ND_LEN + (probe ? 0 : ND_OPT_LEN); /* from ::, no option is allowed */
	uint8_t *icmp = buf + IP6_LEN;

	memset(buf, 0, IP6_LEN + icmp_len);
	buf[0] = 0x60;
	buf[5] = (uint8_t)icmp_len;
	buf[6] = PROTO_ICMP6;
	buf[7] = HOP_LIMIT;
	if (probe) {
		memcpy(buf + DST, solicited, sizeof(solicited));
		memcpy(buf + DST + 13, n->addr + 13, 3);
		icmp[0] = ND_NEIGHBOR_SOLICIT;
	} else {
		memcpy(buf + SRC, n->addr, 16);
		memcpy(buf + DST, all_nodes, 16);
		icmp[0] = ND_NEIGHBOR_ADVERT;
		icmp[4] = 0x20; /* override */
		icmp[ND_OPT] = ND_OPT_TARGET_LINKADDR;
		icmp[ND_OPT + 1] = 1;
		memcpy(icmp + ND_OPT + 2, n->mac, 6);
	}
	memcpy(icmp + ND_TARGET, n->addr, 16);
	checksum(buf, icmp_len);
	return IP6_LEN + icmp_len;
}

size_t neigh_probe_packet(const struct neigh *n, uint8_t *buf)
{
	return n->family == AF_INET ? arp(n, buf, OP_REQUEST, true) : nd(n, buf, true);
}

size_t neigh_announce_packet(const struct neigh *n, uint8_t *buf)
{
	return n->family == AF_INET ? arp(n, buf, OP_REQUEST, false) : nd(n, buf, false);
}

static int conflict4(const struct neigh *n, const uint8_t *p, size_t len, uint8_t mac[6])
{
	static const uint8_t zero[4];

	if (len < ARP_LEN || memcmp(p, arp_head, sizeof(arp_head)) != 0 ||
	    memcmp(p + ARP_SHA, n->mac, 6) == 0)
		return 0;
	bool has = memcmp(p + ARP_SPA, n->addr, 4) == 0;
	bool wants = memcmp(p + ARP_SPA, zero, 4) == 0 && memcmp(p + ARP_TPA, n->addr, 4) == 0 &&
		     p[ARP_OP + 1] == OP_REQUEST;

	if (!has && !wants)
		return 0;
	memcpy(mac, p + ARP_SHA, 6);
	return 1;
}

static int conflict6(const struct neigh *n, const uint8_t *p, size_t len, uint8_t mac[6])
{
	static const uint8_t zero[16];
	const uint8_t *icmp = p + IP6_LEN;

	if (len < IP6_LEN + ND_LEN || p[6] != PROTO_ICMP6 || p[7] != HOP_LIMIT ||
	    memcmp(icmp + ND_TARGET, n->addr, 16) != 0)
		return 0;
	if (icmp[0] == ND_NEIGHBOR_ADVERT) {
		memset(mac, 0, 6);
		if (len >= IP6_LEN + ND_LEN + ND_OPT_LEN && icmp[ND_OPT] == ND_OPT_TARGET_LINKADDR)
			memcpy(mac, icmp + ND_OPT + 2, 6);
		return memcmp(mac, n->mac, 6) != 0;
	}
	/* somebody else's duplicate check; who, is known to the caller from the frame */
	if (icmp[0] == ND_NEIGHBOR_SOLICIT && memcmp(p + SRC, zero, 16) == 0) {
		memset(mac, 0, 6);
		return 1;
	}
	return 0;
}

int neigh_conflict(const struct neigh *n, const uint8_t *pkt, size_t len, uint8_t mac[6])
{
	return n->family == AF_INET ? conflict4(n, pkt, len, mac) : conflict6(n, pkt, len, mac);
}

static int open_socket(const struct neigh *n)
{
	uint16_t proto = n->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6;
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(proto),
				  .sll_ifindex = n->ifindex };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, at.sll_protocol);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		int e = errno;

		close(fd);
		return -e;
	}
	return fd;
}

static int send_packet(int fd, const struct neigh *n, const uint8_t *buf, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = n->ifindex,
				  .sll_halen = 6 };

	if (n->family == AF_INET) {
		to.sll_protocol = htons(ETH_P_ARP);
		memset(to.sll_addr, 0xff, 6);
	} else {
		to.sll_protocol = htons(ETH_P_IPV6);
		to.sll_addr[0] = to.sll_addr[1] = 0x33;
		memcpy(to.sll_addr + 2, buf + DST + 12, 4);
	}
	return sendto(fd, buf, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* Read what waits. 1 conflict, 0 none. */
static int listen_once(int fd, const struct neigh *n, uint8_t mac[6])
{
	uint8_t buf[2048];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t len;

	while ((len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len)) > 0) {
		if (from.sll_pkttype != PACKET_OUTGOING && memcmp(from.sll_addr, n->mac, 6) != 0 &&
		    neigh_conflict(n, buf, (size_t)len, mac)) {
			static const uint8_t zero[6];

			if (memcmp(mac, zero, 6) == 0)
				memcpy(mac, from.sll_addr, 6);
			return 1;
		}
		from_len = sizeof(from);
	}
	return 0;
}

#define PROBE_AGAIN_MS 40

int neigh_probe(const struct neigh *n, uint32_t wait_ms, uint8_t mac[6])
{
	uint8_t buf[NEIGH_PACKET_MAX];
	size_t len = neigh_probe_packet(n, buf);
	uint64_t begin = op_now_ms(), again = begin + PROBE_AGAIN_MS, until = begin + wait_ms;
	int fd = open_socket(n);
	int r = fd < 0 ? fd : send_packet(fd, n, buf, len);

	while (r == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = op_now_ms(), next = again < until ? again : until;

		if (now >=
		    until) { /* we may have been kept from running: an answer that waits counts */
			r = listen_once(fd, n, mac);
			break;
		}
		if (now >= again) {
			r = send_packet(fd, n, buf, len);
			again = now + PROBE_AGAIN_MS;
			continue;
		}
		if (poll(&p, 1, (int)(next - now)) > 0)
			r = listen_once(fd, n, mac);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int neigh_announce(const struct neigh *n)
{
	uint8_t buf[NEIGH_PACKET_MAX];
	int fd = open_socket(n);

	if (fd < 0)
		return fd;
	int r = send_packet(fd, n, buf, neigh_announce_packet(n, buf));

	/* some stacks take only replies, some only requests */
	if (r == 0 && n->family == AF_INET)
		r = send_packet(fd, n, buf, arp(n, buf, OP_REPLY, false));
	close(fd);
	return r;
}
