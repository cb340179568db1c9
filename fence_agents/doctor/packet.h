/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/doctor/packet.h - what came by the wire, taken apart. Pure: whoever is on this network wrote it. */
#ifndef STOCKADE_DOCTOR_PACKET_H
#define STOCKADE_DOCTOR_PACKET_H

#include "doctor.h"

/* A packet from its IP header on (family: AF_INET, AF_INET6; IPv6 without extension headers). Return: it is one of those that
 * ear.h speaks of, about @port; p->data points into @d. @p is the caller's, zero but for ifindex. */
bool packet_dissect(int family, uint16_t port, const uint8_t *d, size_t len, struct ear_packet *p);

/* Does a datagram look like an answer of a BMC: RMCP, class IPMI (IPMI 2.0, 13.1.3)? */
bool packet_is_rmcp(const uint8_t *data, size_t len);

/* What a raw ICMP socket hands out (IPv4: with its IP header): the answer to our echo request @id? */
bool packet_is_pong(int family, const uint8_t *d, size_t len, uint16_t id);

#endif
