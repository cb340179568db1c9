/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/view.c - how this host sees the way to who asks: interface, bridge, IGMP. For echoes, and so for
 * `stockade doctor fence`; nothing is decided by it.
 */
#include "daemon.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IGMP_QUERY 0x11

static void on_igmp(void *arg, int fd, int revents)
{
	struct virtd *d = arg;
	uint8_t buf[512];
	ssize_t n;

	(void)revents;
	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		size_t head = (size_t)(buf[0] & 0xf) * 4;

		if ((size_t)n > head && buf[head] == IGMP_QUERY)
			d->query_ms = mono_ms();
	}
}

/* Needs CAP_NET_RAW, which the unit does not give: then queries are unknown, and the bridge's own settings have to do. */
void view_listen(struct virtd *d)
{
	d->igmp_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IGMP);
	if (d->igmp_fd >= 0 && loop_fd_add(d->loop, d->igmp_fd, POLLIN, on_igmp, d) < 0) {
		close(d->igmp_fd);
		d->igmp_fd = -1;
	}
	if (d->igmp_fd < 0)
		log_debug("virtd.igmp", "error=\"%s\"", strerror(errno));
}

void view_done(struct virtd *d)
{
	if (d->igmp_fd < 0)
		return;
	loop_fd_del(d->loop, d->igmp_fd);
	close(d->igmp_fd);
	d->igmp_fd = -1;
}

static enum echo_known flag_of(const char *bridge, const char *name)
{
	char path[128];
	int c = EOF;

	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge/%s", bridge, name);
	FILE *f = fopen(path, "re");

	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c == '1' ? ECHO_YES : c == '0' ? ECHO_NO : ECHO_UNKNOWN;
}

/* Which bridge is @iface, or is it a port of? */
static void bridge_of(const char *iface, char bridge[16])
{
	char path[128], link[256];

	bridge[0] = '\0';
	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", iface);
	if (access(path, F_OK) == 0) {
		snprintf(bridge, 16, "%s", iface);
		return;
	}
	snprintf(path, sizeof(path), "/sys/class/net/%s/brport/bridge", iface);
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n <= 0)
		return;
	link[n] = '\0';
	const char *base = strrchr(link, '/');

	snprintf(bridge, 16, "%.15s", base ? base + 1 : link);
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
		snprintf(ret->heard, sizeof(ret->heard), "%s", iface);
		bridge_of(iface, ret->bridge);
	}
	if (ret->bridge[0]) {
		ret->snoops = flag_of(ret->bridge, "multicast_snooping");
		ret->queries = flag_of(ret->bridge, "multicast_querier");
	}
	if (listener < d->conf->n_listeners)
		snprintf(ret->joined, sizeof(ret->joined), "%.15s",
			 d->conf->listener[listener].interface);
	ret->group = group;
	ret->query_age_s = d->query_ms ? seconds(mono_ms() - d->query_ms) : ECHO_NEVER;
	ret->watched_s = d->igmp_fd >= 0 ? seconds(mono_ms() - d->start_ms) : 0;
}
