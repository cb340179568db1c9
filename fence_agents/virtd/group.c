// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_agents/virtd/group.c - membership in the multicast groups, as interfaces come and go.
 *
 * A membership ends with its interface, and the kernel tells nobody: `virsh net-destroy` and `net-start` make a new virbr0 of the
 * same name, and the stock daemon is deaf from then on until it is restarted. So the kernel's news of links are listened to, and
 * every LOOK_MS all is looked at once more, as news can be lost. Source: rtnetlink(7), ip(7), ipv6(7).
 *
 * With no interface named, the group is joined on all but those whose packets another one takes (a port of a bridge, a part of a
 * bond): on a host with many guests there are more of these than igmp_max_memberships lets a socket join.
 */
#include "daemon.h"

#include "lib/shell/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 10000
#define NEWS_AT_ONCE 64

static int member(const struct virtd *d, unsigned i, unsigned ifindex, bool join)
{
	const struct virtd_listener *l = &d->conf->listener[i];
	struct ipv6_mreq r6 = { .ipv6mr_interface = ifindex };
	struct ip_mreqn r4 = { .imr_ifindex = (int)ifindex };

	if (inet_pton(l->ipv6 ? AF_INET6 : AF_INET, l->address,
		      l->ipv6 ? (void *)&r6.ipv6mr_multiaddr : (void *)&r4.imr_multiaddr) != 1)
		return -EINVAL;
	int r = l->ipv6 ? setsockopt(d->listen_fd[i], IPPROTO_IPV6,
				     join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &r6, sizeof(r6))
			: setsockopt(d->listen_fd[i], IPPROTO_IP,
				     join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &r4,
				     sizeof(r4));

	return r < 0 ? -errno : 0;
}

static bool part_of_another(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/brport", name);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/class/net/%.15s/bonding_slave", name);
	return access(path, F_OK) == 0;
}

static bool has(const struct virtd_group *g, unsigned ifindex)
{
	for (unsigned k = 0; k < g->n; k++)
		if (g->ifindex[k] == ifindex)
			return true;
	return false;
}

static void want(struct virtd_group *g, const char *name, unsigned ifindex)
{
	if (ifindex == 0 || g->n == VIRTD_MEMBERS_MAX || has(g, ifindex))
		return;
	snprintf(g->name[g->n], sizeof(g->name[0]), "%s", name);
	g->ifindex[g->n++] = ifindex;
}

static void wanted(const struct virtd_listener *l, struct virtd_group *g)
{
	g->n = 0;
	if (l->interface[0]) {
		want(g, l->interface, if_nametoindex(l->interface));
		return;
	}
	struct if_nameindex *all = if_nameindex();

	for (unsigned k = 0; all && all[k].if_index; k++)
		if (!part_of_another(all[k].if_name))
			want(g, all[k].if_name, all[k].if_index);
	if (all)
		if_freenameindex(all);
}

/* The interface is gone, or is not wanted any more; what was joined on it counts against igmp_max_memberships. */
static void leave(struct virtd *d, unsigned i, unsigned k)
{
	struct virtd_group *g = &d->group[i];

	member(d, i, g->ifindex[k], false);
	if (d->group_timer)
		log_warning("virtd.group", "address=%s interface=%s state=left members=%u",
			    d->conf->listener[i].address, g->name[k], g->n - 1);
	if (k != --g->n) {
		g->ifindex[k] = g->ifindex[g->n];
		memcpy(g->name[k], g->name[g->n], sizeof(g->name[0]));
	}
}

/* Return: 0, or why the last interface that could not be joined could not. */
static int look(struct virtd *d, unsigned i)
{
	const struct virtd_listener *l = &d->conf->listener[i];
	struct virtd_group *g = &d->group[i], now;
	int err = 0;

	wanted(l, &now);
	for (unsigned k = g->n; k-- > 0;)
		if (!has(&now, g->ifindex[k]))
			leave(d, i, k);
	for (unsigned k = 0; k < now.n; k++) {
		if (has(g, now.ifindex[k]))
			continue;
		int r = member(d, i, now.ifindex[k], true);

		if (r < 0 && r != -EADDRINUSE) {
			err = r;
			continue; /* some cannot; and what is new may not be ready: looked at again */
		}
		snprintf(g->name[g->n], sizeof(g->name[0]), "%s", now.name[k]);
		g->ifindex[g->n++] = now.ifindex[k];
		if (d->group_timer)
			log_notice("virtd.group", "address=%s interface=%s state=joined members=%u",
				   l->address, now.name[k], g->n);
	}
	if (err == -ENOBUFS && !g->full)
		log_warning(
			"virtd.group",
			"address=%s members=%u text=\"not joined on all interfaces: name one in fence_virt.conf, or raise net.ipv4.igmp_max_memberships\"",
			l->address, g->n);
	g->full = err == -ENOBUFS;
	return err;
}

static void look_all(void *arg)
{
	struct virtd *d = arg;

	for (unsigned i = 0; i < d->conf->n_listeners; i++)
		if (d->conf->listener[i].kind == VIRTD_MULTICAST && d->listen_fd[i] >= 0)
			look(d, i);
	loop_timer_arm(d->group_timer, mono_ms() + LOOK_MS);
}

/* An interface that comes back under its old number is a new one all the same: forget that we were members there. */
static void forget(struct virtd *d, unsigned ifindex)
{
	for (unsigned i = 0; i < d->conf->n_listeners; i++)
		for (unsigned k = d->group[i].n; k-- > 0;)
			if (d->group[i].ifindex[k] == ifindex)
				leave(d, i, k);
}

static void on_news(void *arg, int fd, int revents)
{
	struct virtd *d = arg;
	union {
		struct nlmsghdr h;
		char bytes[8192];
	} buf;

	(void)revents;
	for (unsigned n = 0; n < NEWS_AT_ONCE; n++) {
		ssize_t got = recv(fd, &buf, sizeof(buf), MSG_DONTWAIT);

		if (got <= 0)
			break; /* ENOBUFS, too: all is looked at below */
		int left = (int)got;

		for (struct nlmsghdr *h = &buf.h; NLMSG_OK(h, (unsigned)left);
		     h = NLMSG_NEXT(h, left)) {
			const struct ifinfomsg *link = NLMSG_DATA(h);

			/* a bridge tells of a port that leaves it in the same words, and its own family */
			if (h->nlmsg_type == RTM_DELLINK &&
			    h->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)) &&
			    link->ifi_family == AF_UNSPEC)
				forget(d, (unsigned)link->ifi_index);
		}
	}
	look_all(d);
}

int group_join(struct virtd *d, unsigned i)
{
	int r = look(d, i);

	return d->group[i].n > 0 ? 0 : r < 0 ? r : -ENODEV;
}

void group_watch(struct virtd *d)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
					       RTMGRP_IPV6_IFADDR };
	bool any = false;

	d->link_fd = -1;
	for (unsigned i = 0; i < d->conf->n_listeners; i++)
		any = any || d->conf->listener[i].kind == VIRTD_MULTICAST;
	if (!any)
		return;
	d->group_timer = loop_timer_new(d->loop, look_all, d);
	d->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (d->link_fd >= 0 && (bind(d->link_fd, (struct sockaddr *)&me, sizeof(me)) < 0 ||
				loop_fd_add(d->loop, d->link_fd, POLLIN, on_news, d) < 0)) {
		close(d->link_fd);
		d->link_fd = -1;
	}
	if (d->link_fd < 0)
		log_info("virtd.group", "text=\"no news of links: looked at every %u s\"",
			 LOOK_MS / 1000);
	if (d->group_timer)
		look_all(d);
}

void group_done(struct virtd *d)
{
	if (d->link_fd >= 0) {
		loop_fd_del(d->loop, d->link_fd);
		close(d->link_fd);
	}
	d->link_fd = -1;
	d->group_timer = loop_timer_free(d->group_timer);
}
