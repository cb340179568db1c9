/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ping.h"

#include "lib/shell/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKETS_AT_ONCE 64
#define PACKET_MAX 512

struct target {
	struct pings *owner;
	int fd; /* -1: none could be opened yet */
	int family, last_errno;
	uint64_t answer_ms; /* 0: never */
};

struct pings {
	struct loop *loop;
	const struct config *cfg;
	struct loop_timer *timer;
	void (*changed)(void *arg, enum life_sign sign);
	void *arg;
	enum life_sign sign;
	uint16_t id, seq;
	uint64_t cookie, start_ms;
	unsigned n;
	struct target target[CONFIG_PINGS_MAX];
};

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void ping_request(int family, uint16_t id, uint16_t seq, uint64_t cookie,
		  uint8_t packet[PING_BYTES])
{
	memset(packet, 0, PING_BYTES);
	packet[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	packet[4] = (uint8_t)(id >> 8);
	packet[5] = (uint8_t)id;
	packet[6] = (uint8_t)(seq >> 8);
	packet[7] = (uint8_t)seq;
	memcpy(packet + 8, &cookie, sizeof(cookie));
	if (family != AF_INET) /* of IPv6 the kernel computes it */
		return;
	uint16_t sum = checksum(packet, PING_BYTES);

	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
}

bool ping_is_reply(int family, const void *data, size_t len, uint16_t id, uint64_t cookie)
{
	const uint8_t *p = data;

	if (family == AF_INET) { /* with its IP header */
		size_t head = len > 0 ? (size_t)(p[0] & 15) * 4 : 0;

		if (head < 20 || head > len)
			return false;
		p += head;
		len -= head;
	}
	return len >= PING_BYTES &&
	       p[0] == (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) && p[1] == 0 &&
	       (p[4] << 8 | p[5]) == id && memcmp(p + 8, &cookie, sizeof(cookie)) == 0;
}

static void judge(struct pings *p)
{
	uint64_t now = mono_ms(), best = 0;
	uint32_t stale = p->cfg->timing.stale_ms;
	enum life_sign sign = LIFE_UNKNOWN;

	for (unsigned i = 0; i < p->n; i++)
		if (p->target[i].answer_ms > best)
			best = p->target[i].answer_ms;
	if (best && now - best < stale)
		sign = LIFE_FRESH;
	else if (now - p->start_ms >= stale)
		sign = LIFE_STALE;
	if (sign == p->sign)
		return;
	log_notice("gateway", "sign=%s",
		   sign == LIFE_FRESH   ? "fresh"
		   : sign == LIFE_STALE ? "stale"
					: "unknown");
	p->sign = sign;
	p->changed(p->arg, sign);
}

static void on_answer(void *arg, int fd, int revents)
{
	struct target *t = arg;
	uint8_t buf[PACKET_MAX];
	ssize_t n;

	(void)revents;
	/* who sends without end does not keep us: what is left makes the descriptor ready again */
	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			break;
		if (ping_is_reply(t->family, buf, (size_t)n, t->owner->id, t->owner->cookie))
			t->answer_ms = mono_ms();
	}
	judge(t->owner);
}

/* Connected: only what this address sends is received, and an unreachable one is an error of send(). */
static int target_open(struct target *t, const char *text)
{
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	bool four = inet_pton(AF_INET, text, &v4->sin_addr) == 1;

	t->family = four ? AF_INET : AF_INET6;
	to.ss_family = (sa_family_t)t->family;
	if (!four && inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return -EINVAL;
	int fd = socket(t->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			four ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, four ? sizeof(*v4) : sizeof(*v6)) < 0 ||
	    loop_fd_add(t->owner->loop, fd, POLLIN, on_answer, t) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	t->fd = fd;
	return 0;
}

static void target_ask(struct pings *p, unsigned i)
{
	struct target *t = &p->target[i];
	uint8_t packet[PING_BYTES];
	int r = t->fd >= 0 ? 0 : target_open(t, p->cfg->ping[i]); /* no route yet: later */

	if (r == 0) {
		ping_request(t->family, p->id, p->seq, p->cookie, packet);
		if (send(t->fd, packet, sizeof(packet), MSG_DONTWAIT) < 0)
			r = -errno;
	}
	if (r < 0 && r != t->last_errno)
		log_info("gateway.ping", "target=%s error=\"%s\"", p->cfg->ping[i], strerror(-r));
	t->last_errno = r;
}

static void on_timer(void *arg)
{
	struct pings *p = arg;

	p->seq++;
	for (unsigned i = 0; i < p->n; i++)
		target_ask(p, i);
	judge(p);
	loop_timer_arm(p->timer, mono_ms() + p->cfg->timing.heartbeat_ms);
}

struct pings *pings_new(struct loop *loop, const struct config *cfg,
			void (*changed)(void *arg, enum life_sign sign), void *arg)
{
	struct pings *p = cfg->n_pings ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->loop = loop;
	p->cfg = cfg;
	p->changed = changed;
	p->arg = arg;
	p->n = cfg->n_pings;
	p->id = (uint16_t)getpid();
	if (getrandom(&p->cookie, sizeof(p->cookie), 0) != sizeof(p->cookie))
		p->cookie = mono_ms();
	for (unsigned i = 0; i < p->n; i++)
		p->target[i] = (struct target){ .owner = p, .fd = -1 };
	p->start_ms = mono_ms();
	p->timer = loop_timer_new(loop, on_timer, p);
	if (!p->timer)
		return pings_free(p);
	loop_timer_arm(p->timer, p->start_ms);
	return p;
}

struct pings *pings_free(struct pings *p)
{
	if (!p)
		return NULL;
	for (unsigned i = 0; i < p->n; i++)
		if (p->target[i].fd >= 0) {
			loop_fd_del(p->loop, p->target[i].fd);
			close(p->target[i].fd);
		}
	loop_timer_free(p->timer);
	free(p);
	return NULL;
}

enum life_sign pings_sign(const struct pings *p)
{
	return p ? p->sign : LIFE_UNKNOWN;
}

uint64_t pings_age_ms(const struct pings *p, unsigned i)
{
	return p && p->target[i].answer_ms ? mono_ms() - p->target[i].answer_ms : UINT64_MAX;
}
