/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/view.c - how this host sees the way to who asks: interface, bridge, IGMP. For echoes, and so for
 * `stockade doctor fence`; nothing is decided by it.
 */
#include "daemon.h"

#include "lib/shell/multicast.h"

#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_igmp(void *arg, int fd, int revents)
{
	struct virtd *d = arg;

	(void)revents;
	if (igmp_query_heard(fd, &d->query_code))
		d->query_ms = mono_ms();
}

/* Needs CAP_NET_RAW, which the unit does not give: then queries are unknown, and the bridge's own settings have to do. */
void view_listen(struct virtd *d)
{
	d->igmp_fd = igmp_listen();
	if (d->igmp_fd >= 0 && loop_fd_add(d->loop, d->igmp_fd, POLLIN, on_igmp, d) < 0) {
		close(d->igmp_fd);
		d->igmp_fd = -1;
	}
}

void view_done(struct virtd *d)
{
	if (d->igmp_fd < 0)
		return;
	loop_fd_del(d->loop, d->igmp_fd);
	close(d->igmp_fd);
	d->igmp_fd = -1;
}

static enum echo_known known(enum bridge_flag f)
{
	return f == BRIDGE_YES ? ECHO_YES : f == BRIDGE_NO ? ECHO_NO : ECHO_UNKNOWN;
}

static uint16_t seconds(uint64_t ms)
{
	return ms / 1000 < ECHO_NEVER ? (uint16_t)(ms / 1000) : ECHO_NEVER - 1;
}

void view_take(const struct virtd *d, unsigned listener, unsigned ifindex, enum echo_known group,
	       struct echo_view *ret)
{
	char iface[IF_NAMESIZE] = "";

	memset(ret, 0, sizeof(*ret));
	if (ifindex && if_indextoname(ifindex, iface)) {
		struct bridge_look look;

		bridge_look(iface, &look);
		snprintf(ret->heard, sizeof(ret->heard), "%s", iface);
		snprintf(ret->bridge, sizeof(ret->bridge), "%s", look.name);
		ret->snoops = known(look.snoops);
		ret->queries = known(look.queries);
	}
	if (listener < d->conf->n_listeners)
		snprintf(ret->joined, sizeof(ret->joined), "%.15s",
			 d->conf->listener[listener].interface);
	ret->group = group;
	ret->query_age_s = d->query_ms ? seconds(mono_ms() - d->query_ms) : ECHO_NEVER;
	ret->query_code = d->query_code;
	ret->watched_s = d->igmp_fd >= 0 ? seconds(mono_ms() - d->start_ms) : 0;
}
