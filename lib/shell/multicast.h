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
bool igmp_query_heard(int fd); /* takes what waits, 64 at most: was a membership query among it? */
/* What such a socket hands out, with its IP header: a membership query? */
bool igmp_is_query(const uint8_t *packet, size_t len);

#endif
