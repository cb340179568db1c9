/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ip.c - a virtual address.
 *
 * The duplicate check is made when the first resource of the service is started (DRIVER_GO_SOON, PROBE_SOON_MS), or else
 * in START (PROBE_MS), right before the address is added. It cannot be earlier: until the service moves, the address is
 * rightly in use, and answers. It can be this short: the cluster's own
 * previous holder has stopped or is proven dead, so only a stranger on the same wire can answer, and such
 * a one answers in a millisecond or two; the kernel's own check (one second for IPv6) is therefore switched off.
 * Who comes later is seen by nobody's check; the announcements take the address back to us.
 */
#include "neigh.h"
#include "op.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_MS 100
#define PROBE_SOON_MS 400   /* beside the other resources' start it costs nobody any time */
#define PROBE_GOOD_MS 10000 /* so long the answer counts: the resources before it take their time */

/* Pauses before the further announcements: a switch that was slow, a neighbour that missed the first. */
static const uint32_t announce_ms[] = { 150, 500, 1500, 3000 };

struct ip {
	struct nl_sock *nl;
	struct nl_addr *addr; /* with its prefix */
	struct neigh who;
	char iface[IFNAMSIZ];
	bool up, ether;
	bool asked; /* silence was the answer, at asked_ms */
	uint64_t asked_ms;
};

struct here { /* an address in the kernel */
	bool found;
	int ifindex;
	unsigned flags;
};

static void ip_done(struct ip *ip)
{
	if (ip->addr)
		nl_addr_put(ip->addr);
	if (ip->nl)
		nl_socket_free(ip->nl);
	ip->addr = NULL;
	ip->nl = NULL;
}

static enum driver_result ip_init(struct op *op, struct ip *ip)
{
	const char *ref = op->job->res->ref;

	memset(ip, 0, sizeof(*ip));
	if (nl_addr_parse(ref, AF_UNSPEC, &ip->addr) < 0)
		return op_fail(op, "no_interface", "write it as 192.0.2.100/24", "%s is no address",
			       ref);
	ip->who.family = nl_addr_get_family(ip->addr);
	if ((ip->who.family != AF_INET && ip->who.family != AF_INET6) ||
	    nl_addr_get_len(ip->addr) > sizeof(ip->who.addr))
		return op_fail(op, "no_interface", "write it as 192.0.2.100/24", "%s is no address",
			       ref);
	memcpy(ip->who.addr, nl_addr_get_binary_addr(ip->addr), nl_addr_get_len(ip->addr));
	ip->nl = nl_socket_alloc();
	int r = ip->nl ? nl_connect(ip->nl, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return op_unknown(op, "internal", "", "netlink: %s", nl_geterror(r));
	return DRIVER_OK;
}

static bool same_bytes(const struct nl_addr *a, const struct nl_addr *b)
{
	return a && nl_addr_get_family(a) == nl_addr_get_family(b) &&
	       nl_addr_get_len(a) == nl_addr_get_len(b) &&
	       memcmp(nl_addr_get_binary_addr(a), nl_addr_get_binary_addr(b), nl_addr_get_len(a)) ==
		       0;
}

/* Is @b inside the network of @a (address with prefix)? */
static bool in_network(struct nl_addr *a, const struct nl_addr *b)
{
	unsigned bits = nl_addr_get_prefixlen(a);
	const uint8_t *x = nl_addr_get_binary_addr(a), *y = nl_addr_get_binary_addr(b);

	if (nl_addr_get_family(a) != nl_addr_get_family(b) || bits == 0)
		return false;
	if (memcmp(x, y, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (x[bits / 8] ^ y[bits / 8]) >> (8 - bits % 8) == 0;
}

/* One walk over the kernel's addresses: is ours there, and which interface is on its network? 0 or -errno. */
static int addresses(const struct ip *ip, struct here *here, int *network_ifindex)
{
	struct nl_cache *cache;
	unsigned best = 0;
	int r = rtnl_addr_alloc_cache(ip->nl, &cache);

	memset(here, 0, sizeof(*here));
	*network_ifindex = 0;
	if (r < 0)
		return -EIO;
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(a);

		if (!local)
			continue;
		if (same_bytes(local, ip->addr)) {
			here->found = true;
			here->ifindex = rtnl_addr_get_ifindex(a);
			here->flags = rtnl_addr_get_flags(a);
		} else if (in_network(local, ip->addr) && nl_addr_get_prefixlen(local) > best) {
			best = nl_addr_get_prefixlen(local);
			*network_ifindex = rtnl_addr_get_ifindex(a);
		}
	}
	nl_cache_free(cache);
	return 0;
}

/* The interface: as configured, else by the network. Fills ip->who and ip->iface. */
static enum driver_result interface(struct op *op, struct ip *ip, int network_ifindex)
{
	const struct config_resource *res = op->job->res;
	struct rtnl_link *link = NULL;
	char text[64];

	if (!res->interface[0] && !network_ifindex)
		return op_fail(
			op, "no_interface",
			"give a network interface an address of that network, or name it: interface: eth0",
			"no interface of this node is on the network of %s", res->ref);
	int r = res->interface[0] ? rtnl_link_get_kernel(ip->nl, 0, res->interface, &link)
				  : rtnl_link_get_kernel(ip->nl, network_ifindex, NULL, &link);

	if (r < 0)
		return op_fail(op, "no_interface",
			       "correct `interface:`, or bring the interface up",
			       "interface %s: %s", res->interface[0] ? res->interface : "?",
			       nl_geterror(r));
	ip->who.ifindex = rtnl_link_get_ifindex(link);
	snprintf(ip->iface, sizeof(ip->iface), "%s", rtnl_link_get_name(link));
	ip->up = (rtnl_link_get_flags(link) & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	const struct nl_addr *mac = rtnl_link_get_addr(link);

	ip->ether = rtnl_link_get_arptype(link) == ARPHRD_ETHER && mac && nl_addr_get_len(mac) == 6;
	if (ip->ether)
		memcpy(ip->who.mac, nl_addr_get_binary_addr(mac), 6);
	rtnl_link_put(link);
	if (!ip->up) {
		snprintf(text, sizeof(text), "ip link set %s up; is the cable in?", ip->iface);
		return op_fail(op, "no_interface", text, "interface %s of %s is down", ip->iface,
			       res->ref);
	}
	return DRIVER_OK;
}

/* Everything known about the address and its interface. */
static enum driver_result look(struct op *op, struct ip *ip, struct here *here)
{
	int network;
	int r = addresses(ip, here, &network);

	if (r < 0)
		return op_unknown(op, "internal", "", "the addresses of this node cannot be read");
	return interface(op, ip,
			 here->found && !op->job->res->interface[0] ? here->ifindex : network);
}

static struct rtnl_addr *address_new(const struct ip *ip, int ifindex)
{
	struct rtnl_addr *a = rtnl_addr_alloc();

	if (!a)
		return NULL;
	rtnl_addr_set_ifindex(a, ifindex);
	rtnl_addr_set_family(a, ip->who.family);
	if (rtnl_addr_set_local(a, ip->addr) < 0) {
		rtnl_addr_put(a);
		return NULL;
	}
	rtnl_addr_set_prefixlen(a, (int)nl_addr_get_prefixlen(ip->addr));
	if (ip->who.family == AF_INET6)
		rtnl_addr_set_flags(a, IFA_F_NODAD);
	return a;
}

static struct ip
	the_ip; /* of this process: from a PREPARE that stays to its START, and to what follows that */

/* Announce on for a few seconds, in a process of its own: the service is served meanwhile. */
static void announce_on(const struct op *op)
{
	struct ip *ip = &the_ip;

	if (!op_detach(op))
		return; /* or it could not be made: then the first announcement has to do */
	/* a socket of its own: two processes on one would take each other's answers */
	struct nl_sock *nl = nl_socket_alloc();

	if (!nl || nl_connect(nl, NETLINK_ROUTE) < 0)
		_exit(1);
	ip->nl = nl;
	for (size_t i = 0; i < sizeof(announce_ms) / sizeof(*announce_ms); i++) {
		struct here here;
		int network;

		sleep_ms(announce_ms[i]);
		/* never for an address that has moved on */
		if (addresses(ip, &here, &network) < 0 || !here.found)
			break;
		neigh_announce(&ip->who);
	}
	_exit(0);
}

static enum driver_result start(struct op *op, struct ip *ip)
{
	const char *ref = op->job->res->ref;
	uint64_t begin = op_now_ms();
	struct here here;
	uint8_t mac[6];
	int network;
	bool silent = op->told && ip->asked && begin - ip->asked_ms <= PROBE_GOOD_MS;
	enum driver_result end = silent ? DRIVER_OK : look(op, ip, &here);

	if (end != DRIVER_OK)
		return end;
	if (!silent && here.found)
		return op_end(op, DRIVER_OK, "%s is on %s", ref, ip->iface);
	if (ip->ether && !silent) {
		int busy = neigh_probe(&ip->who, PROBE_MS, mac);

		if (busy > 0)
			return op_fail(
				op, "address_in_use",
				"find that machine by its MAC address and take the address away from it",
				"%s is in use by %02x:%02x:%02x:%02x:%02x:%02x on %s", ref, mac[0],
				mac[1], mac[2], mac[3], mac[4], mac[5], ip->iface);
		if (busy < 0)
			return op_unknown(op, "no_interface", "look at the interface",
					  "%s: cannot ask whether %s is in use: %s", ip->iface, ref,
					  strerror(-busy));
	}
	struct rtnl_addr *a = address_new(ip, ip->who.ifindex);
	int r = a ? rtnl_addr_add(ip->nl, a, 0) : -NLE_NOMEM;

	if (a)
		rtnl_addr_put(a);
	if (r < 0 && r != -NLE_EXIST)
		return op_fail(op, "no_interface", "look at `ip addr`",
			       "%s cannot be added to %s: %s", ref, ip->iface, nl_geterror(r));
	if (ip->ether)
		neigh_announce(&ip->who); /* the kernel has taken it: clients wait */
	if (addresses(ip, &here, &network) < 0 || !here.found)
		return op_unknown(op, "internal", "look at `ip addr`",
				  "%s was added to %s, yet is not there", ref, ip->iface);
	if (ip->ether)
		op->after = announce_on;
	op_step(op, "ip.add", begin, 0, "%s on %s", ref, ip->iface);
	return op_end(op, DRIVER_OK, "%s is on %s", ref, ip->iface);
}

static enum driver_result stop(struct op *op, struct ip *ip)
{
	const char *ref = op->job->res->ref;
	uint64_t begin = op_now_ms();
	struct here here;
	int network;

	for (int tries = 0;; tries++) {
		if (addresses(ip, &here, &network) < 0)
			return op_unknown(op, "internal", "",
					  "the addresses of this node cannot be read");
		if (!here.found)
			break;
		if (tries == 5) /* on more interfaces than that: somebody puts it back */
			return op_fail(op, "address_in_use",
				       "find out who adds it: ip monitor address",
				       "%s comes back on this node", ref);
		struct rtnl_addr *a = address_new(ip, here.ifindex);
		int r = a ? rtnl_addr_delete(ip->nl, a, 0) : -NLE_NOMEM;

		if (a)
			rtnl_addr_put(a);
		if (r < 0 && r != -NLE_NOADDR && r != -NLE_OBJ_NOTFOUND && tries > 0)
			return op_fail(op, "no_interface", "ip addr del",
				       "%s cannot be removed: %s", ref, nl_geterror(r));
		if (tries == 0)
			op_step(op, "ip.del", begin, 0, "%s", ref);
	}
	return op_end(op, DRIVER_OK, "%s is gone", ref);
}

/* PROBE and MONITOR */
static enum driver_result check(struct op *op, struct ip *ip, bool monitor)
{
	const char *ref = op->job->res->ref;
	struct here here;
	int network;

	if (addresses(ip, &here, &network) < 0)
		return op_unknown(op, "internal", "", "the addresses of this node cannot be read");
	if (!here.found)
		return op_end(op, DRIVER_INACTIVE, "%s is not on this node", ref);
	if (!monitor)
		return op_end(op, DRIVER_ACTIVE, "%s is on this node", ref);
	if (here.flags & IFA_F_DADFAILED)
		return op_fail(op, "address_in_use", "find the other machine: ip -6 neigh",
			       "%s is in use by another machine too", ref);
	enum driver_result end = interface(op, ip, here.ifindex);

	return end == DRIVER_OK ? op_end(op, DRIVER_HEALTHY, "%s is on %s", ref, ip->iface) : end;
}

/* The duplicate check early: every proof is in, so that only a stranger could answer. Silence is kept; whatever else
 * comes of it is found again by START, which has the words for it. */
static void ask_now(struct op *op, struct ip *ip)
{
	struct here here;
	uint8_t mac[6];

	ip->asked = look(op, ip, &here) == DRIVER_OK && !here.found && ip->ether &&
		    neigh_probe(&ip->who, PROBE_SOON_MS, mac) == 0;
	ip->asked_ms = op_now_ms();
}

void ip_stand_ready(struct op *op)
{
	struct here here;
	int network;

	if (ip_init(op, &the_ip) != DRIVER_OK || addresses(&the_ip, &here, &network) < 0)
		ip_done(&the_ip); /* STOP tries for itself */
}

enum driver_result ip_op(struct op *op)
{
	struct ip *ip = &the_ip;
	enum driver_result end = DRIVER_OK;
	struct here here;

	if (!ip->nl)
		end = ip_init(op, ip);
	if (end != DRIVER_OK) {
		ip_done(ip);
		return end;
	}
	if (op->soon) {
		ask_now(op, ip);
		return DRIVER_UNKNOWN;
	}
	switch (op->job->op) {
	case DRIVER_PREPARE:
		end = look(op, ip, &here);
		if (end == DRIVER_OK)
			end = op_end(op, DRIVER_OK, "%s belongs on %s", op->job->res->ref,
				     ip->iface);
		if (end == DRIVER_OK && op->job->stay)
			return end;
		break;
	case DRIVER_START:
		end = start(op, ip);
		if (op->after)
			return end; /* it still needs the address */
		break;
	case DRIVER_STOP:
	case DRIVER_KILL: end = stop(op, ip); break;
	case DRIVER_PROBE: end = check(op, ip, false); break;
	case DRIVER_MONITOR: end = check(op, ip, true); break;
	case DRIVER_DENY:
	case DRIVER_HEARTBEAT:
	case DRIVER_VOLUME_PREPARE:
		end = op_unknown(op, "internal", "report this", "not for an address");
		break;
	}
	ip_done(ip);
	return end;
}
