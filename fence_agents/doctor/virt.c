/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hypervisors: probes to the group and to each that is known, what came back by whatever way, and the call-back's first packet.
 *
 * A probe is an echo (fence_agents/virt/echo.h): stockade-virtd answers it, the stock daemon never does. Answers are taken from the
 * wire, too: a firewall here may drop an answer to a multicast that the agent, called back by TCP, does not need.
 */
#include "doctor.h"

#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"
#include "lib/shell/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 8
#define NONCES_MAX (ROUNDS_MAX * (HOST_ADDRESSES_MAX + PEERS_MAX))
#define ROUND_MS 220

struct peer {
	char text[DOCTOR_WORD_MAX];
	struct sockaddr_storage at;
	socklen_t len;
	bool guessed;
	int fd;
	enum doctor_echo echo;
	enum doctor_send send;
	enum doctor_icmp icmp;
	char icmp_from[DOCTOR_WORD_MAX], from[DOCTOR_WORD_MAX], iface[16];
	enum doctor_tri route;
	struct echo_answer answer;
	bool late;              /* it is the answer to the last question */
	bool named;             /* by the configuration: the agent hears no other */
	enum doctor_echo group; /* its answer to the group */
};

struct virt {
	struct look *l;
	struct loop_timer *again;
	int family;
	struct sockaddr_storage group;
	socklen_t group_len;
	uint8_t key[VIRT_KEY_MAX];
	struct echo_key echo_key; /* len 0: none, no probes */
	unsigned n_addresses, rounds;
	struct host_address address[HOST_ADDRESSES_MAX];
	int fd[HOST_ADDRESSES_MAX]; /* a socket each: to the group, from there */
	uint8_t nonce[NONCES_MAX][ECHO_NONCE_BYTES];
	unsigned n_nonces, group_nonces[NONCES_MAX], n_group_nonces;
	enum doctor_send send;
	enum doctor_echo to_group;
	struct echo_answer answer; /* to the group */
	char answered_by[DOCTOR_WORD_MAX];
	unsigned n_peers;
	struct peer peer[PEERS_MAX];
	bool port_taken, syn, query, named;
	char ours[DOCTOR_WORD_MAX]; /* a stockade-virtd has answered from there, now or earlier */
	bool late;                  /* the last question: what became of the call-back? */
	struct sockaddr_storage answered_from;
	struct sockaddr_storage syn_from;
	unsigned syn_ifindex, syn_ack_ifindex;
	bool syn_ack;
};

static void mark_path(const struct look *l, char *to, size_t size)
{
	snprintf(to, size, "%s/%.64s", doctor_state, l->dev->name);
}

/* Who has answered a probe of this device is known, also when it answers no more; until the next boot. */
static bool recall(const struct look *l, char *address, size_t size)
{
	char path[320];

	mark_path(l, path, sizeof(path));
	FILE *f = fopen(path, "re");

	address[0] = '\0';
	if (!f)
		return false;
	if (!fgets(address, (int)size, f))
		address[0] = '\0';
	fclose(f);
	address[strcspn(address, "\n")] = '\0';
	return address[0] != '\0';
}

static void remember(const struct look *l, const struct sockaddr_storage *who)
{
	char path[320], text[DOCTOR_WORD_MAX];

	/* fails without /run/stockade: then there is nothing to remember in */
	mkdir(doctor_state, 0700);
	mark_path(l, path, sizeof(path));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (dprintf(fd, "%s\n", host_text(who, text, sizeof(text))) < 0)
		unlink(path);
	close(fd);
}

static void read_key(struct virt *v)
{
	const char *path = look_param(v->l, "key_file");
	/* O_NONBLOCK: a FIFO must not hold us */
	int fd = open(path ? path : VIRT_KEY_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, v->key, sizeof(v->key));

	if (fd >= 0)
		close(fd);
	snprintf(v->l->f.secret, sizeof(v->l->f.secret), "%s", path ? path : VIRT_KEY_FILE);
	v->echo_key = (struct echo_key){ v->key, n > 0 ? (size_t)n : 0 };
	if (n > 0)
		echo_fingerprint(&v->echo_key, v->l->f.key);
}

static void add_peer(struct virt *v, const char *text, bool guessed)
{
	struct peer *p = &v->peer[v->n_peers];

	for (unsigned i = 0; i < v->n_peers; i++)
		if (strcmp(v->peer[i].text, text) == 0)
			return;
	if (v->n_peers == PEERS_MAX || !host_parse(text, v->l->f.port, &p->at, &p->len) ||
	    p->at.ss_family != v->family)
		return;
	snprintf(p->text, sizeof(p->text), "%s", text);
	p->guessed = guessed;
	p->fd = -1;
	v->n_peers++;
}

static void find_peers(struct virt *v)
{
	const char *named = look_param(v->l, "ip");
	char list[CONFIG_PATH_MAX] = "", gateway[DOCTOR_WORD_MAX], *save = NULL;

	named = named ? named : look_param(v->l, "ipaddr");
	named = named ? named : look_param(v->l, "hypervisors");
	snprintf(list, sizeof(list), "%s", named ? named : "");
	for (char *h = strtok_r(list, ", \t", &save); h; h = strtok_r(NULL, ", \t", &save))
		add_peer(v, h, false);
	for (unsigned i = 0; i < v->n_peers; i++)
		v->peer[i].named = true;
	v->named = v->n_peers > 0;
	if (v->l->dev->attest_host[0])
		add_peer(v, v->l->dev->attest_host, false);
	if (recall(v->l, v->ours, sizeof(v->ours)) && v->n_peers == 0)
		add_peer(v, v->ours, false);
	if (v->n_peers == 0 && v->family == AF_INET && host_gateway(gateway, sizeof(gateway)))
		add_peer(v, gateway, true);
}

static bool fresh_nonce(struct virt *v, bool group, uint8_t ask[ECHO_BYTES])
{
	if (v->n_nonces == NONCES_MAX ||
	    getrandom(v->nonce[v->n_nonces], ECHO_NONCE_BYTES, 0) != ECHO_NONCE_BYTES)
		return false;
	if (group)
		v->group_nonces[v->n_group_nonces++] = v->n_nonces;
	return echo_ask(ask, &v->echo_key, v->nonce[v->n_nonces++]) == 0;
}

static enum doctor_send sent(ssize_t n)
{
	return n >= 0                                          ? DOCTOR_SEND_OK
	       : errno == EPERM                                ? DOCTOR_SEND_FORBIDDEN
	       : errno == ENETUNREACH || errno == EHOSTUNREACH ? DOCTOR_SEND_NO_ROUTE
							       : DOCTOR_SEND_UNKNOWN;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool to_group(const struct virt *v, const uint8_t *data)
{
	for (unsigned i = 0; i < v->n_group_nonces; i++)
		if (memcmp(data + 8, v->nonce[v->group_nonces[i]], ECHO_NONCE_BYTES) == 0)
			return true;
	return false;
}

static struct peer *peer_of(struct virt *v, const struct sockaddr_storage *who)
{
	for (unsigned i = 0; i < v->n_peers; i++)
		if (host_same(&v->peer[i].at, who))
			return &v->peer[i];
	return NULL;
}

static void on_answer(struct virt *v, const struct sockaddr_storage *from, const uint8_t *data,
		      size_t len)
{
	struct echo_answer a = { 0 };
	enum echo_verdict what = v->echo_key.len == 0
					 ? ECHO_STRAY
					 : echo_judge(data, len, &v->echo_key,
						      (const uint8_t(*)[ECHO_NONCE_BYTES])v->nonce,
						      v->n_nonces, &a);
	enum doctor_echo echo = what == ECHO_SAME ? DOCTOR_ECHO_GOOD : DOCTOR_ECHO_KEY;

	if (what == ECHO_STRAY || what == ECHO_REPEATED)
		return;
	/* one that tells its view answers by unicast, too */
	if (echo == DOCTOR_ECHO_GOOD && a.view.there) {
		host_text(from, v->ours, sizeof(v->ours));
		remember(v->l, from);
	}
	if (to_group(v, data)) {
		struct peer *p = peer_of(v, from);

		if (v->named && (!p || !p->named))
			return; /* whom the agent does not hear */
		if (p)
			p->group = echo;
		/* one good answer is enough; "another key" of one host counts only when nobody has ours */
		if (v->to_group != DOCTOR_ECHO_GOOD) {
			v->to_group = echo;
			v->answer = a;
			v->answered_from = *from;
			host_text(from, v->answered_by, sizeof(v->answered_by));
		}
		return;
	}
	for (unsigned i = 0; i < v->n_peers; i++)
		if (host_same(&v->peer[i].at, from)) {
			v->peer[i].echo = echo;
			v->peer[i].answer = a;
			v->peer[i].late |= v->late;
		}
}

static void on_socket(void *arg, int fd, int revents)
{
	struct virt *v = arg;
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	uint8_t buf[512];

	if (revents & POLLERR)
		for (unsigned i = 0; i < v->n_peers; i++)
			if (v->peer[i].fd == fd) {
				struct peer *p = &v->peer[i];
				enum doctor_icmp what = host_icmp(fd, p->icmp_from,
								  sizeof(p->icmp_from));

				p->icmp = what != DOCTOR_ICMP_NONE ? what : p->icmp;
			}
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n > 0)
		on_answer(v, &from, buf, (size_t)n);
}

static void on_wire(void *arg, const struct ear_packet *p)
{
	struct virt *v = arg;

	if (p->igmp_query) {
		v->query = true;
	} else if (p->syn_ack) {
		v->syn_ack = true;
		v->syn_ack_ifindex = p->ifindex;
	} else if (p->syn && (!v->named || peer_of(v, &p->from))) {
		v->syn = true;
		v->syn_from = p->from;
		v->syn_ifindex = p->ifindex;
	} else if (p->data) {
		on_answer(v, &p->from, p->data, p->len);
	}
}

/* --- questions --------------------------------------------------------------------------------------------------- */

static int open_socket(struct virt *v, const struct host_address *from)
{
	struct sockaddr_storage at = { .ss_family = (sa_family_t)v->family };
	int fd = socket(v->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), hops = VIRT_TTL;

	if (fd < 0)
		return -1;
	if (from && v->family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &from->ifindex,
			   sizeof(from->ifindex));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	} else if (from) {
		struct ip_mreqn r = { .imr_ifindex = (int)from->ifindex };
		uint8_t ttl = VIRT_TTL;

		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r));
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	}
	if (from)
		at = from->address;
	host_want_errors(fd, v->family);
	if (bind(fd, (struct sockaddr *)&at, host_len(&at)) < 0 ||
	    loop_fd_add(v->l->loop, fd, POLLIN, on_socket, v) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void ask_peer(struct virt *v, struct peer *p)
{
	uint8_t ask[ECHO_BYTES];
	int r = host_route(&p->at, p->len, p->from, sizeof(p->from), p->iface);

	p->route = r == 0                                    ? DOCTOR_YES
		   : r == -ENETUNREACH || r == -EHOSTUNREACH ? DOCTOR_NO
							     : DOCTOR_UNKNOWN;
	if (p->fd < 0)
		p->fd = open_socket(v, NULL);
	if (p->fd < 0 || p->echo == DOCTOR_ECHO_GOOD || !fresh_nonce(v, false, ask))
		return;
	p->send = sent(
		sendto(p->fd, ask, sizeof(ask), MSG_DONTWAIT, (struct sockaddr *)&p->at, p->len));
	if (p->send == DOCTOR_SEND_OK && p->echo == DOCTOR_ECHO_UNTRIED)
		p->echo = DOCTOR_ECHO_SILENT;
}

static void ask_round(void *arg)
{
	struct virt *v = arg;
	uint8_t ask[ECHO_BYTES];

	if (v->rounds++ >= ROUNDS_MAX || v->echo_key.len == 0)
		return;
	for (unsigned i = 0; i < v->n_addresses && v->l->f.kind == DOCTOR_XVM; i++) {
		if (v->fd[i] < 0 || v->to_group == DOCTOR_ECHO_GOOD || !fresh_nonce(v, true, ask))
			continue;
		enum doctor_send s = sent(sendto(v->fd[i], ask, sizeof(ask), MSG_DONTWAIT,
						 (struct sockaddr *)&v->group, v->group_len));

		/* what goes out anywhere goes out */
		if (v->send != DOCTOR_SEND_OK)
			v->send = s;
		if (s == DOCTOR_SEND_OK && v->to_group == DOCTOR_ECHO_UNTRIED)
			v->to_group = DOCTOR_ECHO_SILENT;
	}
	for (unsigned i = 0; i < v->n_peers && v->l->f.kind == DOCTOR_XVM; i++)
		ask_peer(v, &v->peer[i]);
	loop_timer_arm(v->again, mono_ms() + ROUND_MS * v->rounds);
}

/* Seen in the kernel's table: to try it would take it from an agent for a moment. */
static bool is_taken(int family, uint16_t port)
{
	const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	char line[256];
	bool taken = false;

	/* a listener of IPv6 may take IPv4's calls too */
	for (unsigned t = family == AF_INET6; t < 2; t++) {
		FILE *f = fopen(tables[t], "re");
		unsigned at, state;

		while (f && !taken && fgets(line, sizeof(line), f))
			taken = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &at,
				       &state) == 2 &&
				at == port && state == TCP_LISTEN;
		if (f)
			fclose(f);
	}
	return taken;
}

/* An agent of fenced's may hold it for a moment. */
static void wait_for_port(struct virt *v)
{
	uint64_t end = mono_ms() + 2000;

	while ((v->port_taken = is_taken(v->family, v->l->f.port)) && mono_ms() < end)
		usleep(50000);
}

static void connect_peer(struct virt *v, struct peer *p)
{
	int fd = socket(v->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	socklen_t len = sizeof(err);

	p->route = DOCTOR_YES;
	if (connect(fd, (struct sockaddr *)&p->at, p->len) < 0 && errno != EINPROGRESS)
		err = errno;
	struct pollfd w = { .fd = fd, .events = POLLOUT };

	if (err == 0 && poll(&w, 1, 1500) > 0)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	else if (err == 0)
		err = ETIMEDOUT;
	close(fd);
	v->l->f.tcp = err == 0              ? DOCTOR_CONNECT_OPEN
		      : err == ECONNREFUSED ? DOCTOR_CONNECT_REFUSED
		      : err == ETIMEDOUT    ? DOCTOR_CONNECT_SILENT
					    : DOCTOR_CONNECT_UNTRIED;
	if (err == ENETUNREACH)
		p->route = DOCTOR_NO;
	else if (err == EHOSTUNREACH)
		p->icmp = DOCTOR_ICMP_HOST;
	else if (err == EPERM)
		v->send = DOCTOR_SEND_FORBIDDEN;
	snprintf(p->icmp_from, sizeof(p->icmp_from), "this node's kernel");
}

void virt_begin(struct look *l)
{
	struct virt *v = calloc(1, sizeof(*v));
	const char *family = look_param(l, "ip_family"),
		   *group = look_param(l, "multicast_address"), *port = look_param(l, "ipport");

	if (!v)
		abort();
	l->virt = v;
	v->l = l;
	l->f.port = port ? (uint16_t)atoi(port) : VIRT_PORT;
	v->family = (family && strcmp(family, "ipv6") == 0) || (group && strchr(group, ':'))
			    ? AF_INET6
			    : AF_INET;
	group = group ? group : v->family == AF_INET6 ? VIRT_GROUP_IPV6 : VIRT_GROUP_IPV4;
	snprintf(l->f.group, sizeof(l->f.group), "%s", group);
	host_parse(group, l->f.port, &v->group, &v->group_len);
	read_key(v);
	find_peers(v);
	v->n_addresses = host_addresses(v->family, v->address, HOST_ADDRESSES_MAX);
	for (unsigned i = 0; i < v->n_addresses; i++)
		v->fd[i] = open_socket(v, &v->address[i]);
	v->again = loop_timer_new(l->loop, ask_round, v);
	if (l->f.kind == DOCTOR_XVM) {
		wait_for_port(v);
		l->ear = ear_new(l->loop, v->family, l->f.port, on_wire, v);
		ask_round(v);
	}
}

/*
 * The agent failed although the way there is good: the hypervisor knows by now what became of its call-back. It gives one up
 * after a second, so it is asked a little later than that.
 */
static void ask_late(void *arg)
{
	struct virt *v = arg;

	v->late = true;
	for (unsigned i = 0; i < v->n_peers; i++) {
		v->peer[i].echo = DOCTOR_ECHO_UNTRIED;
		ask_peer(v, &v->peer[i]);
	}
}

static void drop_guess(struct virt *v)
{
	if (v->peer[0].fd >= 0) {
		loop_fd_del(v->l->loop, v->peer[0].fd);
		close(v->peer[0].fd);
	}
	memset(&v->peer[0], 0, sizeof(v->peer[0]));
	v->n_peers = 0;
}

void virt_failed(struct look *l)
{
	struct virt *v = l->virt;
	char text[DOCTOR_WORD_MAX];

	if (v->to_group != DOCTOR_ECHO_GOOD)
		return;
	if (v->n_peers > 0 && v->peer[0].guessed)
		drop_guess(v); /* we know better now */
	add_peer(v, host_text(&v->answered_from, text, sizeof(text)), false);
	ask_late(v);
}

bool virt_content(const struct look *l)
{
	const struct virt *v = l->virt;
	bool all = v->to_group == DOCTOR_ECHO_GOOD || v->to_group == DOCTOR_ECHO_KEY ||
		   l->f.kind != DOCTOR_XVM;

	for (unsigned i = 0; i < v->n_peers; i++)
		all = all &&
		      (v->peer[i].echo == DOCTOR_ECHO_GOOD || v->peer[i].echo == DOCTOR_ECHO_KEY ||
		       v->peer[i].guessed) &&
		      (!v->late || v->peer[i].late);
	return all;
}

/* Of several hypervisors the one that is worst off: on it the guest may run. */
static struct peer *choose(struct virt *v)
{
	struct peer *worst = NULL;

	for (unsigned i = 0; i < v->n_peers; i++)
		if (!worst ||
		    (worst->echo == DOCTOR_ECHO_GOOD && v->peer[i].echo != DOCTOR_ECHO_GOOD))
			worst = &v->peer[i];
	return worst;
}

static void tell_way_back(struct virt *v)
{
	struct doctor_facts *f = &v->l->f;

	f->syn = !v->l->ear || f->port_taken ? DOCTOR_UNKNOWN : v->syn ? DOCTOR_YES : DOCTOR_NO;
	if (!v->syn)
		return;
	host_text(&v->syn_from, f->syn_from, sizeof(f->syn_from));
	if_indextoname(v->syn_ifindex, f->syn_iface);
	f->syn_ack = v->syn_ack ? DOCTOR_YES : DOCTOR_NO;
	if (v->syn_ack) {
		if_indextoname(v->syn_ack_ifindex, f->back_iface);
		f->back_same_iface = v->syn_ack_ifindex == v->syn_ifindex ? DOCTOR_YES : DOCTOR_NO;
		return;
	}
	char from[DOCTOR_WORD_MAX];
	int r = host_route(&v->syn_from, host_len(&v->syn_from), from, sizeof(from), f->back_iface);

	f->back_same_iface = r < 0                                      ? DOCTOR_NO
			     : !f->back_iface[0]                        ? DOCTOR_UNKNOWN
			     : strcmp(f->back_iface, f->syn_iface) == 0 ? DOCTOR_YES
									: DOCTOR_NO;
}

static enum doctor_tri tri(enum echo_known k)
{
	return k == ECHO_YES ? DOCTOR_YES : k == ECHO_NO ? DOCTOR_NO : DOCTOR_UNKNOWN;
}

static void tell_view(struct virt *v, const struct echo_view *e)
{
	struct doctor_facts *f = &v->l->f;
	struct sockaddr_storage at;
	socklen_t len;

	if (!e->there)
		return;
	f->told = true;
	snprintf(f->told_heard, sizeof(f->told_heard), "%s", e->heard);
	snprintf(f->told_joined, sizeof(f->told_joined), "%s", e->joined);
	snprintf(f->told_source, sizeof(f->told_source), "%s", e->source);
	snprintf(f->told_bridge.name, sizeof(f->told_bridge.name), "%s", e->bridge);
	f->told_bridge.snoops = tri(e->snoops);
	f->told_bridge.queries = tri(e->queries);
	f->told_libvirt = tri(e->libvirt);
	f->told_back = e->back == ECHO_NO_BACK ? -1 : e->back;
	if (f->told_back > 0)
		snprintf(f->told_back_words, sizeof(f->told_back_words), "%s",
			 strerror(f->told_back));
	f->told_query = (struct doctor_query){
		.heard = e->query_age_s != ECHO_NEVER ? DOCTOR_YES
			 : e->watched_s > 0           ? DOCTOR_NO
						      : DOCTOR_UNKNOWN,
		.age_s = e->query_age_s,
		.watched_s = e->watched_s,
		.interval_s = igmp_interval_s(e->query_code),
	};
	if (!host_parse(e->source, 0, &at, &len))
		return;
	f->told_same_source = DOCTOR_NO;
	for (unsigned i = 0; i < v->n_addresses; i++)
		if (host_same(&at, &v->address[i].address))
			f->told_same_source = DOCTOR_YES;
}

static void tell_peer(struct virt *v, const struct peer *p)
{
	struct doctor_facts *f = &v->l->f;

	snprintf(f->peer, sizeof(f->peer), "%s", p->text);
	f->peer_guessed = p->guessed;
	f->route = p->route;
	f->to_peer = p->echo;
	if (p->named && v->n_peers > 1 && v->to_group != DOCTOR_ECHO_UNTRIED)
		f->to_group = p->group ? p->group : DOCTOR_ECHO_SILENT;
	f->icmp = p->icmp;
	snprintf(f->icmp_from, sizeof(f->icmp_from), "%s", p->icmp_from);
	if (p->iface[0]) {
		snprintf(f->iface, sizeof(f->iface), "%s", p->iface);
		snprintf(f->from, sizeof(f->from), "%s", p->from);
	}
	if (p->send == DOCTOR_SEND_FORBIDDEN && f->send != DOCTOR_SEND_OK)
		f->send = p->send;
	if (p->echo != DOCTOR_ECHO_GOOD && f->route != DOCTOR_NO && f->run != DOCTOR_RUN_ON &&
	    f->run != DOCTOR_RUN_OFF)
		f->alive = host_alive(&p->at, p->len, f->iface, 1000);
}

/* Of several hypervisors one may be ours and another not. */
static bool is_ours(const struct virt *v, const struct peer *p)
{
	return v->ours[0] && (v->n_peers < 2 || p->echo == DOCTOR_ECHO_GOOD ||
			      p->group == DOCTOR_ECHO_GOOD || strcmp(v->ours, p->text) == 0);
}

void virt_end(struct look *l)
{
	struct virt *v = l->virt;
	struct doctor_facts *f = &l->f;
	struct peer *p = choose(v);
	bool failed = f->run != DOCTOR_RUN_ON && f->run != DOCTOR_RUN_OFF;

	f->address = v->n_addresses > 0 ? DOCTOR_YES : DOCTOR_NO;
	f->send = v->send;
	f->to_group = v->to_group;
	f->port_taken = v->port_taken;
	f->ours = l->dev->attest || is_ours(v, p) ? DOCTOR_YES : DOCTOR_UNKNOWN;
	if (v->n_addresses > 0) {
		snprintf(f->iface, sizeof(f->iface), "%s", v->address[0].iface);
		host_text(&v->address[0].address, f->from, sizeof(f->from));
	}
	if (f->kind == DOCTOR_XVM_TCP && failed && p) {
		connect_peer(v, p);
		f->send = v->send;
	}
	if (p)
		tell_peer(v, p);
	if (v->answered_by[0] && (!p || p->guessed || p->echo == DOCTOR_ECHO_GOOD)) {
		snprintf(f->peer, sizeof(f->peer), "%s", v->answered_by);
		f->peer_guessed = false;
	}
	tell_view(v, p && p->echo == DOCTOR_ECHO_GOOD ? &p->answer.view : &v->answer.view);
	if (v->syn && (!f->peer[0] || f->peer_guessed)) {
		host_text(&v->syn_from, f->peer, sizeof(f->peer));
		f->peer_guessed = false;
	}
	if (f->kind == DOCTOR_XVM) {
		tell_way_back(v);
		host_bridge(f->iface, &f->bridge);
	}
	if (v->query) {
		f->query.heard = DOCTOR_YES;
		f->query.age_s = 0;
	}
	l->ear = ear_free(l->ear);
	loop_timer_free(v->again);
	for (unsigned i = 0; i < v->n_addresses; i++)
		if (v->fd[i] >= 0) {
			loop_fd_del(l->loop, v->fd[i]);
			close(v->fd[i]);
		}
	for (unsigned i = 0; i < v->n_peers; i++)
		if (v->peer[i].fd >= 0) {
			loop_fd_del(l->loop, v->peer[i].fd);
			close(v->peer[i].fd);
		}
	explicit_bzero(v->key, sizeof(v->key));
	free(v);
	l->virt = NULL;
}
