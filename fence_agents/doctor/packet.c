/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packet.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define IGMP_QUERY 0x11

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool packet_dissect(int family, uint16_t port, const uint8_t *d, size_t len, struct ear_packet *p)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&p->from;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->from;
	size_t head = family == AF_INET6 ? 40 : len > 0 ? (size_t)(d[0] & 0xf) * 4 : 0;
	uint8_t proto;

	if (head < 20 || len < head + 8)
		return false;
	proto = family == AF_INET6 ? d[6] : d[9];
	p->from.ss_family = (sa_family_t)family;
	if (family == AF_INET6) {
		memcpy(&v6->sin6_addr, d + 8, 16);
		v6->sin6_port = htons(be16(d + head));
	} else {
		memcpy(&v4->sin_addr, d + 12, 4);
		v4->sin_port = htons(be16(d + head));
	}
	if (proto == IPPROTO_IGMP) {
		p->igmp_query = d[head] == IGMP_QUERY;
		return p->igmp_query;
	}
	if (proto == IPPROTO_UDP) {
		p->data = d + head + 8;
		p->len = len - head - 8;
		return be16(d + head) == port;
	}
	if (proto != IPPROTO_TCP || len < head + 14)
		return false;
	p->syn = (d[head + 13] & 0x12) == 0x02 && be16(d + head + 2) == port;
	p->syn_ack = (d[head + 13] & 0x12) == 0x12 && be16(d + head) == port;
	return p->syn || p->syn_ack;
}

bool packet_is_rmcp(const uint8_t *data, size_t len)
{
	return len >= 4 && data[0] == 0x06 && (data[3] & 0x1f) == 0x07;
}

bool packet_is_pong(int family, const uint8_t *d, size_t len, uint16_t id)
{
	size_t head = family == AF_INET6 ? 0 : len > 0 ? (size_t)(d[0] & 0xf) * 4 : 0;

	return len >= head + 8 &&
	       d[head] == (family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
	       d[head + 4] == (uint8_t)(id >> 8) && d[head + 5] == (uint8_t)id;
}
