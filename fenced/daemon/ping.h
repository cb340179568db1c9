/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/ping.h - does this node reach the gateway? ICMP echo to the targets of `ping:`, all the time.
 *
 * One answer of one target within the stale time is enough: what is asked is whether this node is the one that fell off the
 * network, not whether a target is well. Targets and times are those of the configuration (lib/timing: heartbeat, stale), so
 * that the word is there before corosync reports a cut. Source of the packets: RFC 792, RFC 4443.
 */
#ifndef STOCKADE_FENCED_DAEMON_PING_H
#define STOCKADE_FENCED_DAEMON_PING_H

#include "lib/fence_state.h"
#include "lib/shell/config.h"
#include "lib/shell/loop.h"

#include <stddef.h>

#define PING_BYTES 16 /* echo header and our cookie */

struct pings;

/* @changed is called from the loop with each new sign. NULL: no target is configured, or no memory. */
struct pings *pings_new(struct loop *loop, const struct config *cfg,
			void (*changed)(void *arg, enum life_sign sign), void *arg);
struct pings *pings_free(struct pings *p);

enum life_sign pings_sign(const struct pings *p); /* NULL: LIFE_UNKNOWN */
/* Since target @i answered last; UINT64_MAX: never. */
uint64_t pings_age_ms(const struct pings *p, unsigned i);

/* An echo request of @family with our id and cookie. */
void ping_request(int family, uint16_t id, uint16_t seq, uint64_t cookie,
		  uint8_t packet[PING_BYTES]);
/* Is @data, as a raw socket of @family hands it out, the answer to a request of ours? */
bool ping_is_reply(int family, const void *data, size_t len, uint16_t id, uint64_t cookie);

#endif
