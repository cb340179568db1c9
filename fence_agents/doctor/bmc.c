/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BMCs: the question that needs no login (Get Channel Authentication Capabilities, IPMI 2.0 22.13), and what came back for it. */
#include "doctor.h"
#include "packet.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IPMI_PORT 623
#define ROUND_MS 400
#define ROUNDS_MAX 6

struct bmc {
	struct look *l;
	struct loop_timer *again;
	struct sockaddr_storage at;
	socklen_t len;
	int fd;
	unsigned rounds;
	bool answered, on_wire;
	char icmp_from[DOCTOR_WORD_MAX];
};

/* RMCP class IPMI, no session, app netfn, command 0x38 about this channel at administrator level. */
static const uint8_t question[] = { 0x06, 0x00, 0xff, 0x07, 0x00, 0x00, 0x00, 0x00,
				    0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x20, 0x18,
				    0xc8, 0x81, 0x00, 0x38, 0x8e, 0x04, 0xb5 };

static void on_socket(void *arg, int fd, int revents)
{
	struct bmc *b = arg;
	struct doctor_facts *f = &b->l->f;
	uint8_t buf[512];

	if (revents & POLLERR) {
		enum doctor_icmp what = host_icmp(fd, b->icmp_from, sizeof(b->icmp_from));

		if (what != DOCTOR_ICMP_NONE) {
			f->icmp = what;
			snprintf(f->icmp_from, sizeof(f->icmp_from), "%s", b->icmp_from);
		}
	}
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0 && packet_is_rmcp(buf, (size_t)n))
		b->answered = true;
}

static void on_wire(void *arg, const struct ear_packet *p)
{
	struct bmc *b = arg;

	if (p->data && host_same(&p->from, &b->at) && packet_is_rmcp(p->data, p->len))
		b->on_wire = true;
}

static void ask(void *arg)
{
	struct bmc *b = arg;
	struct doctor_facts *f = &b->l->f;

	if (b->answered || b->rounds++ >= ROUNDS_MAX)
		return;
	ssize_t n = send(b->fd, question, sizeof(question), MSG_DONTWAIT);

	/* an error of the datagram before is reported here: it stands in the queue, too */
	if (n < 0 && errno != EPERM && b->rounds > 1)
		on_socket(b, b->fd, POLLERR);
	else
		f->send = n >= 0                                          ? DOCTOR_SEND_OK
			  : errno == EPERM                                ? DOCTOR_SEND_FORBIDDEN
			  : errno == ENETUNREACH || errno == EHOSTUNREACH ? DOCTOR_SEND_NO_ROUTE
									  : DOCTOR_SEND_UNKNOWN;
	loop_timer_arm(b->again, mono_ms() + ROUND_MS);
}

static bool resolve(struct bmc *b, const char *text, const char *port)
{
	struct addrinfo want = { .ai_socktype = SOCK_DGRAM }, *found;

	if (getaddrinfo(text, port, &want, &found) != 0)
		return false;
	memcpy(&b->at, found->ai_addr, found->ai_addrlen);
	b->len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

void bmc_begin(struct look *l)
{
	struct bmc *b = calloc(1, sizeof(*b));
	const char *ip = look_param(l, "ip"), *port = look_param(l, "ipport");
	struct doctor_facts *f = &l->f;
	char number[8];

	if (!b)
		abort();
	l->bmc = b;
	b->l = l;
	b->fd = -1;
	ip = ip ? ip : look_param(l, "ipaddr");
	f->port = port ? (uint16_t)atoi(port) : IPMI_PORT;
	snprintf(number, sizeof(number), "%u", f->port);
	if (!ip || !resolve(b, ip, number))
		return;
	host_text(&b->at, f->peer, sizeof(f->peer));
	int r = host_route(&b->at, b->len, f->from, sizeof(f->from), f->iface);

	f->route = r == 0                                    ? DOCTOR_YES
		   : r == -ENETUNREACH || r == -EHOSTUNREACH ? DOCTOR_NO
							     : DOCTOR_UNKNOWN;
	if (l->f.kind != DOCTOR_IPMI)
		return;
	b->fd = socket(b->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	b->again = loop_timer_new(l->loop, ask, b);
	if (b->fd < 0 || !b->again)
		return;
	host_want_errors(b->fd, b->at.ss_family);
	if (connect(b->fd, (struct sockaddr *)&b->at, b->len) < 0 ||
	    loop_fd_add(l->loop, b->fd, POLLIN, on_socket, b) < 0) {
		close(b->fd);
		b->fd = -1;
		return;
	}
	l->ear = ear_new(l->loop, b->at.ss_family, f->port, on_wire, b);
	ask(b);
}

bool bmc_content(const struct look *l)
{
	return l->bmc->answered || l->f.kind != DOCTOR_IPMI;
}

void bmc_end(struct look *l)
{
	struct bmc *b = l->bmc;
	struct doctor_facts *f = &l->f;
	bool failed = f->run == DOCTOR_RUN_FAILED || f->run == DOCTOR_RUN_TIMEOUT;

	if (b->fd >= 0) {
		f->rmcp = b->answered ? DOCTOR_YES : b->rounds > 1 ? DOCTOR_NO : DOCTOR_UNKNOWN;
		if (b->on_wire && !b->answered)
			f->heard_only_wire = DOCTOR_YES;
	}
	if (failed && f->peer[0] && f->route != DOCTOR_NO && !b->answered)
		f->alive = host_alive(&b->at, b->len, f->iface, 1000);
	l->ear = ear_free(l->ear);
	loop_timer_free(b->again);
	if (b->fd >= 0) {
		loop_fd_del(l->loop, b->fd);
		close(b->fd);
	}
	free(b);
	l->bmc = NULL;
}
