/* SPDX-License-Identifier: GPL-3.0-or-later */
/* neigh.h - an address and its neighbours: does somebody else use it, and telling them all that it is here now.
 *
 * ARP (RFC 5227 probes, gratuitous requests and replies) and IPv6 neighbour discovery (RFC 4862 solicitations from ::,
 * unsolicited advertisements with the override flag), by packet sockets on one interface.
 */
#ifndef STOCKADE_DRIVERS_NEIGH_H
#define STOCKADE_DRIVERS_NEIGH_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#define NEIGH_PACKET_MAX 128

struct neigh {
	int family;       /* AF_INET, AF_INET6 */
	uint8_t addr[16]; /* 4 or 16 bytes */
	int ifindex;
	uint8_t mac[6]; /* of that interface */
};

/* The packets, for the tests: length written to @buf [NEIGH_PACKET_MAX], from the network header on. */
size_t neigh_probe_packet(const struct neigh *n, uint8_t *buf);
size_t neigh_announce_packet(const struct neigh *n, uint8_t *buf);
/* Does this packet say that somebody else has the address, or is claiming it right now? @mac: set to whom. */
int neigh_conflict(const struct neigh *n, const uint8_t *pkt, size_t len, uint8_t mac[6]);

/*
 * Probe twice and listen @wait_ms in all. 1: another station has it, @mac is set; 0: silence; -errno: could not ask.
 */
int neigh_probe(const struct neigh *n, uint32_t wait_ms, uint8_t mac[6]);
int neigh_announce(const struct neigh *n); /* once; 0 or -errno */

#endif
