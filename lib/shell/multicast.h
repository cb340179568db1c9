/* SPDX-License-Identifier: GPL-3.0-or-later */
/* multicast.h - what on this machine may stand in a multicast's way: a bridge that snoops, a querier that fell silent. */
#ifndef STOCKADE_LIB_SHELL_MULTICAST_H
#define STOCKADE_LIB_SHELL_MULTICAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bridge_flag { BRIDGE_UNKNOWN = 0, BRIDGE_YES, BRIDGE_NO };

struct bridge_look {
	char name[16];                    /* that the interface is, or is a port of; "": none */
	enum bridge_flag snoops, queries; /* multicast_snooping, multicast_querier */
};

void bridge_look(const char *iface, struct bridge_look *ret); /* from sysfs */

/* A socket that hears IGMP, whatever its interface; -errno: not permitted without CAP_NET_RAW. */
int igmp_listen(void);
/* Takes what waits, 64 at most: was a membership query among it? @ret_code: of the last one, igmp_query_code(). */
bool igmp_query_heard(int fd, uint8_t *ret_code);
/* What such a socket hands out, with its IP header: a membership query? */
bool igmp_is_query(const uint8_t *packet, size_t len);
/* How often the sender of this query asks: QQIC, RFC 3376 4.1.7, for igmp_interval_s(); 0: not told (IGMP 1 and 2). */
uint8_t igmp_query_code(const uint8_t *packet, size_t len);
uint32_t igmp_interval_s(uint8_t code);

#endif
