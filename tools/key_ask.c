/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/key_ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fence_agents/virt/wire.h"
#include "lib/attest.h"
#include "lib/shell/loop.h"

#define NONCES_MAX 256
#define FIRST_PAUSE_MS 100
#define PAUSE_MAX_MS 1000
#define SETTLE_MS 200

struct line { /* a connection to one host */
	int fd;
	bool sent;
	uint8_t in[ECHO_BYTES];
	size_t n;
};

struct asking {
	const struct key_where *where;
	const struct echo_key *key;
	uint8_t nonce[NONCES_MAX][ECHO_NONCE_BYTES];
	unsigned n_nonces;
	int udp[2]; /* IPv4, IPv6 */
	struct sockaddr_storage addr[KEY_HOSTS_MAX];
	socklen_t addr_len[KEY_HOSTS_MAX]; /* 0: its name has no address */
	struct line line[KEY_HOSTS_MAX];
	struct key_heard *heard;
	unsigned max, n;
	unsigned sent;
	int error;
	uint64_t last_ms; /* of the last news */
};

const char *key_param(const struct config_device *dev, const char *name, const char *otherwise)
{
	for (unsigned i = 0; i < dev->n_params; i++)
		if (strcmp(dev->param[i].key, name) == 0)
			return dev->param[i].value;
	return otherwise;
}

bool key_device(const struct config_device *dev)
{
	const char *slash = strrchr(dev->agent, '/'), *name = slash ? slash + 1 : dev->agent;

	return strcmp(name, "fence_xvm") == 0 || strcmp(name, "fence_virt") == 0 ||
	       strcmp(name, "stockade-fence_xvm") == 0;
}

int key_where_of(const struct config_device *dev, struct key_where *ret)
{
	const char *tcp = key_param(dev, "ip", key_param(dev, "ipaddr", NULL));
	const char *hosts = tcp ? tcp : key_param(dev, "hypervisors", "");
	const char *group = key_param(dev, "multicast_address", NULL);
	const char *family = key_param(dev, "ip_family", "auto");
	char text[CONFIG_PATH_MAX], *save = NULL;

	if (key_param(dev, "serial_device", NULL) || key_param(dev, "channel_address", NULL))
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	ret->tcp = tcp != NULL;
	ret->ipv6 = strcmp(family, "ipv6") == 0 || (group && strchr(group, ':'));
	snprintf(ret->group, sizeof(ret->group), "%s",
		 group       ? group
		 : ret->ipv6 ? VIRT_GROUP_IPV6
			     : VIRT_GROUP_IPV4);
	ret->port = (uint16_t)atoi(key_param(dev, "ipport", "1229"));
	ret->attest_port = dev->attest_port ? dev->attest_port : ATTEST_PORT;
	snprintf(text, sizeof(text), "%s", hosts);
	for (char *h = strtok_r(text, ", \t", &save); h && ret->n_hosts < KEY_HOSTS_MAX;
	     h = strtok_r(NULL, ", \t", &save))
		snprintf(ret->host[ret->n_hosts++], KEY_HOST_TEXT, "%.63s", h);
	return 0;
}

static const void *address_in(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
					: (const void *)&((const struct sockaddr_in *)a)->sin_addr;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == b->ss_family &&
	       memcmp(address_in(a), address_in(b), a->ss_family == AF_INET6 ? 16 : 4) == 0;
}

static void resolve(struct asking *q, unsigned i, uint16_t port)
{
	const struct addrinfo hints = { .ai_socktype = q->where->tcp ? SOCK_STREAM : SOCK_DGRAM };
	struct addrinfo *found = NULL;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(q->where->host[i], service, &hints, &found) == 0 && found) {
		memcpy(&q->addr[i], found->ai_addr, found->ai_addrlen);
		q->addr_len[i] = found->ai_addrlen;
	}
	if (found)
		freeaddrinfo(found);
}

/* Every datagram is a question of its own: one that comes by two ways must not look like a replay. */
static bool next_ask(struct asking *q, uint8_t out[ECHO_BYTES])
{
	uint8_t *nonce = q->nonce[q->n_nonces % NONCES_MAX];

	if (getrandom(nonce, ECHO_NONCE_BYTES, 0) != ECHO_NONCE_BYTES)
		return false;
	q->n_nonces++;
	return echo_ask(out, q->key, nonce) == 0;
}

static void send_to(struct asking *q, const struct sockaddr_storage *to, socklen_t len)
{
	uint8_t ask[ECHO_BYTES];
	int fd = q->udp[to->ss_family == AF_INET6];

	if (fd < 0 || !next_ask(q, ask))
		return;
	if (sendto(fd, ask, sizeof(ask), MSG_DONTWAIT, (const struct sockaddr *)to, len) < 0)
		q->error = errno;
	else
		q->sent++;
}

/* To the group from every address of its family, as fence_xvm does. */
static void send_group(struct asking *q)
{
	const struct key_where *w = q->where;
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in *to4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&to;
	struct ifaddrs *all = NULL;
	int family = w->ipv6 ? AF_INET6 : AF_INET, fd = q->udp[w->ipv6];

	if (fd < 0 || getifaddrs(&all) < 0)
		return;
	to.ss_family = (sa_family_t)family;
	if (w->ipv6)
		to6->sin6_port = htons(w->port);
	else
		to4->sin_port = htons(w->port);
	if (inet_pton(family, w->group,
		      w->ipv6 ? (void *)&to6->sin6_addr : (void *)&to4->sin_addr) != 1)
		q->error = EINVAL;
	else
		for (struct ifaddrs *i = all; i; i = i->ifa_next) {
			if (!i->ifa_addr || i->ifa_addr->sa_family != family ||
			    !(i->ifa_flags & IFF_UP))
				continue;
			if (w->ipv6) {
				unsigned index = if_nametoindex(i->ifa_name);

				setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
					   sizeof(index));
			} else {
				setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF,
					   &((struct sockaddr_in *)i->ifa_addr)->sin_addr,
					   sizeof(struct in_addr));
			}
			send_to(q, &to, w->ipv6 ? sizeof(*to6) : sizeof(*to4));
		}
	freeifaddrs(all);
}

static void send_round(struct asking *q)
{
	const struct key_where *w = q->where;

	if (w->tcp)
		return;
	send_group(q);
	for (unsigned h = 0; h < w->n_hosts && w->attest_port; h++)
		if (q->addr_len[h])
			send_to(q, &q->addr[h], q->addr_len[h]);
}

static void connect_all(struct asking *q)
{
	for (unsigned h = 0; h < q->where->n_hosts; h++) {
		struct line *l = &q->line[h];

		if (!q->where->tcp || !q->addr_len[h])
			continue;
		l->fd = socket(q->addr[h].ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (l->fd < 0)
			continue;
		if (connect(l->fd, (struct sockaddr *)&q->addr[h], q->addr_len[h]) < 0 &&
		    errno != EINPROGRESS) {
			q->error = errno;
			close(l->fd);
			l->fd = -1;
		} else {
			q->sent++;
		}
	}
}

static unsigned worth(enum echo_verdict v)
{
	static const uint8_t rank[] = { [ECHO_SAME] = 5,    [ECHO_UNPROVEN] = 4, [ECHO_OTHER] = 3,
					[ECHO_KEYLESS] = 2, [ECHO_REPEATED] = 1, [ECHO_STRAY] = 0 };

	return rank[v];
}

static void take(struct asking *q, const struct sockaddr_storage *from, const void *data,
		 size_t len)
{
	struct key_heard h = { .host = KEY_HOSTS_MAX };
	unsigned n = q->n_nonces < NONCES_MAX ? q->n_nonces : NONCES_MAX, i = 0;

	h.verdict = echo_judge(data, len, q->key, (const uint8_t(*)[ECHO_NONCE_BYTES])q->nonce, n,
			       &h.answer);
	if (h.verdict == ECHO_STRAY)
		return;
	inet_ntop(from->ss_family, address_in(from), h.from, sizeof(h.from));
	for (unsigned k = 0; k < q->where->n_hosts; k++)
		if (q->addr_len[k] && same_address(from, &q->addr[k]))
			h.host = k;
	while (i < q->n && strcmp(q->heard[i].from, h.from) != 0)
		i++;
	if (i == q->max || (i < q->n && worth(q->heard[i].verdict) >= worth(h.verdict)))
		return;
	q->heard[i] = h;
	if (i == q->n)
		q->n++;
	q->last_ms = mono_ms();
}

static void line_ready(struct asking *q, unsigned h)
{
	struct line *l = &q->line[h];
	uint8_t ask[ECHO_BYTES];
	int err = 0;
	socklen_t len = sizeof(err);
	ssize_t n = 0;

	if (!l->sent) {
		getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err == 0 && next_ask(q, ask) &&
		    send(l->fd, ask, sizeof(ask), MSG_NOSIGNAL) == ECHO_BYTES) {
			l->sent = true;
			return;
		}
		q->error = err;
	} else {
		n = recv(l->fd, l->in + l->n, sizeof(l->in) - l->n, MSG_DONTWAIT);
		l->n += n > 0 ? (size_t)n : 0;
		if (n > 0 && l->n < sizeof(l->in))
			return;
		take(q, &q->addr[h], l->in, l->n);
	}
	close(l->fd);
	l->fd = -1;
}

static bool enough(const struct asking *q, uint64_t now_ms)
{
	unsigned proven = 0, lines = 0;

	for (unsigned h = 0; h < q->where->n_hosts; h++)
		for (unsigned i = 0; i < q->n; i++)
			if (q->heard[i].host == h && q->heard[i].verdict == ECHO_SAME) {
				proven++;
				break;
			}
	for (unsigned h = 0; h < q->where->n_hosts; h++)
		lines += q->line[h].fd >= 0;
	if (q->where->n_hosts > 0 && proven == q->where->n_hosts)
		return true;
	if (q->where->tcp)
		return lines == 0;
	return q->where->n_hosts == 0 && q->n > 0 && now_ms >= q->last_ms + SETTLE_MS;
}

static void turn(struct asking *q, uint64_t until_ms)
{
	struct pollfd p[2 + KEY_HOSTS_MAX];
	uint64_t now = mono_ms();
	uint8_t buf[512];

	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){ .fd = q->udp[i], .events = POLLIN };
	for (unsigned h = 0; h < KEY_HOSTS_MAX; h++)
		p[2 + h] = (struct pollfd){ .fd = q->line[h].fd,
					    .events = q->line[h].sent ? POLLIN : POLLOUT };
	poll(p, 2 + KEY_HOSTS_MAX, until_ms > now ? (int)(until_ms - now) : 0);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n;

		if (p[i].fd >= 0 && p[i].revents &&
		    (n = recvfrom(q->udp[i], buf, sizeof(buf), MSG_DONTWAIT,
				  (struct sockaddr *)&from, &len)) > 0)
			take(q, &from, buf, (size_t)n);
	}
	for (unsigned h = 0; h < KEY_HOSTS_MAX; h++)
		if (p[2 + h].fd >= 0 && p[2 + h].revents)
			line_ready(q, h);
}

static void open_all(struct asking *q)
{
	int ttl = VIRT_TTL;

	for (unsigned h = 0; h < KEY_HOSTS_MAX; h++)
		q->line[h].fd = -1;
	for (unsigned h = 0; h < q->where->n_hosts; h++)
		resolve(q, h, q->where->tcp ? q->where->port : q->where->attest_port);
	for (int i = 0; i < 2; i++) {
		q->udp[i] = q->where->tcp ? -1
					  : socket(i ? AF_INET6 : AF_INET,
						   SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (q->udp[i] >= 0)
			setsockopt(q->udp[i], i ? IPPROTO_IPV6 : IPPROTO_IP,
				   i ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	}
	connect_all(q);
}

int key_ask(const struct key_where *where, const struct echo_key *key, unsigned timeout_ms,
	    struct key_heard *heard, unsigned max, char *why, size_t why_len)
{
	struct asking *q = calloc(1, sizeof(*q));
	uint64_t now = mono_ms(), end = now + timeout_ms, send_at = now, pause = FIRST_PAUSE_MS;

	if (!q)
		return -ENOMEM;
	q->where = where;
	q->key = key;
	q->heard = heard;
	q->max = max;
	open_all(q);
	for (; now < end && !enough(q, now); now = mono_ms()) {
		uint64_t until = end;

		if (!where->tcp && now >= send_at) {
			send_round(q);
			send_at = now + pause;
			pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
		}
		if (!where->tcp && send_at < until)
			until = send_at;
		if (q->n > 0 && where->n_hosts == 0 && q->last_ms + SETTLE_MS < until)
			until = q->last_ms + SETTLE_MS;
		turn(q, until);
	}
	int r = (int)q->n;

	if (q->sent == 0) {
		r = q->error ? -q->error : -ENETUNREACH;
		snprintf(why, why_len, "%s port %u: %s", where->tcp ? "tcp" : where->group,
			 where->port, strerror(-r));
	}
	for (unsigned h = 0; h < KEY_HOSTS_MAX; h++)
		if (q->line[h].fd >= 0)
			close(q->line[h].fd);
	for (int i = 0; i < 2; i++)
		if (q->udp[i] >= 0)
			close(q->udp[i]);
	free(q);
	return r;
}
