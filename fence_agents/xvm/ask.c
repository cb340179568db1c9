// SPDX-License-Identifier: GPL-3.0-or-later
/* One question to all hypervisors, until enough have answered or the time is over. */
#include "xvm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FIRST_REPEAT_MS 200 /* a lost datagram must not cost the stock client's 2 s */
#define CONNECT_MS 3000     /* tcp, vsock: as the stock client */
#define SILENT_MS 10000     /* as the stock daemon waits for each step */
#define PROBE_ROUND 2       /* no call-back after two requests: is it the key? */
#define LAST_MIN_MS 1000    /* for a question that begins when the run's time is nearly over */

void xvm_forget(struct xvm *x)
{
	for (unsigned i = 0; i < x->n_talks; i++)
		talk_end(&x->talk[i]);
	x->n_talks = 0;
	x->n_sent = x->n_rounds = 0;
	x->n_sent_of[0] = x->n_sent_of[1] = 0;
	x->missing[0] = '\0';
	x->n_missing = 0;
	probe_end(x);
}

static struct talk *talk_new(struct xvm *x, const char *peer, int host)
{
	if (x->n_talks == XVM_TALKS_MAX)
		return NULL;
	struct talk *t = &x->talk[x->n_talks++];

	memset(t, 0, sizeof(*t));
	t->fd = -1;
	t->host = host;
	t->silent_ms = agent_now_ms() + SILENT_MS;
	snprintf(t->peer, sizeof(t->peer), "%s", peer);
	return t;
}

static int compose(struct agent *a, struct virt_request *q, enum virt_operation op,
		   const char *domain)
{
	struct xvm *x = xvm_of(a);
	uint8_t random[sizeof(q->random) + sizeof(q->seqno)];

	memset(q, 0, sizeof(*q));
	if (strlen(domain) > VIRT_DOMAIN_MAX)
		return agent_error(a, ENAMETOOLONG,
				   "the guest's name has more than %d bytes: use its uuid",
				   VIRT_DOMAIN_MAX);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return agent_error(a, EIO, "no random numbers from the kernel");
	q->request = (uint8_t)op;
	q->hash = x->hash;
	q->flags = VIRT_FLAG_VERDICT | (agent_is(a, "use_uuid") ? VIRT_FLAG_UUID : 0);
	snprintf(q->domain, sizeof(q->domain), "%s", domain);
	memcpy(q->random, random, sizeof(q->random));
	/* The stock daemon tells requests apart by operation, seqno and guest alone, for 10 s. */
	memcpy(&q->seqno, random + sizeof(q->random), sizeof(q->seqno));
	return 0;
}

static bool host_answered(const struct xvm *x, int host)
{
	for (unsigned i = 0; i < x->n_talks; i++)
		if (x->talk[i].host == host && x->talk[i].stage == TALK_DONE)
			return true;
	return false;
}

static bool busy(const struct xvm *x)
{
	for (unsigned i = 0; i < x->n_talks; i++)
		if (!talk_over(&x->talk[i]))
			return true;
	return false;
}

static unsigned answers(const struct xvm *x)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x->n_talks; i++)
		n += x->talk[i].stage == TALK_DONE;
	return n;
}

static bool all_named_answered(const struct xvm *x)
{
	for (unsigned h = 0; h < x->n_hosts; h++)
		if (!host_answered(x, (int)h))
			return false;
	return x->n_hosts > 0;
}

/*
 * How long to listen for other hypervisors after the first answer, which took @took_ms. That it is on is true whoever else
 * speaks. That it is off, or done, may be the word of a host that the guest has left: give the others as long again.
 * A host that does not know it leaves the word to one that does.
 */
static int64_t grace_ms(const struct xvm *x, uint8_t op, int64_t took_ms)
{
	bool good = false, sealed = true, doubtful = op == VIRT_HOSTLIST;

	for (unsigned i = 0; i < x->n_talks; i++) {
		const struct talk *t = &x->talk[i];

		if (t->stage != TALK_DONE)
			continue;
		if (op == VIRT_STATUS && t->result == VIRT_SUCCESS)
			return 0;
		good |= t->result == VIRT_SUCCESS || t->result == VIRT_IS_OFF;
		sealed &= t->sealed;
		/* the stock daemon says so of a guest that it does not have, and another may */
		doubtful |= !t->sealed && t->result == VIRT_IS_OFF;
	}
	/* ours knows what was migrated away, and does not call it off */
	if (good && sealed)
		return 0;
	if (!good && !doubtful)
		return 300;
	if (doubtful)
		return took_ms > 50 ? 2 * took_ms : 100;
	return took_ms < 1 ? 2 : took_ms > 150 ? 300 : 2 * took_ms;
}

static void take_callbacks(struct agent *a, int listener)
{
	struct xvm *x = xvm_of(a);
	char peer[XVM_PEER_MAX];
	uint8_t local[16];
	size_t len;
	int fd;

	while ((fd = net_accept(x->listener[listener], peer, local, &len)) >= 0) {
		const uint8_t *about = net_request_of(a, listener, local, len);
		int host = -1;

		for (unsigned h = 0; h < x->n_hosts && host < 0; h++)
			if (net_same_host(x->host[h], peer))
				host = (int)h;
		agent_debug(a, "call-back from %s%s", peer, about ? "" : ": not about our request");
		struct talk *t = about && (x->n_hosts == 0 || host >= 0) ? talk_new(x, peer, host)
									 : NULL;

		if (!t) {
			close(fd);
			continue;
		}
		memcpy(t->request, about, VIRT_REQUEST_BYTES);
		talk_begin(a, t, fd, true);
	}
}

/* Wait for something until @until_ms; then let every talk take a step. */
static void turn(struct agent *a, uint8_t op, int64_t until_ms)
{
	struct xvm *x = xvm_of(a);
	struct pollfd p[XVM_TALKS_MAX + 3];
	nfds_t n = 0;
	unsigned n_talks = x->n_talks;

	for (int i = 0; i < 2; i++)
		p[n++] = (struct pollfd){ .fd = x->way == XVM_MULTICAST ? x->listener[i] : -1,
					  .events = POLLIN };
	for (unsigned i = 0; i < n_talks; i++) {
		struct talk *t = &x->talk[i];
		int64_t end = t->stage == TALK_VERDICT ? t->verdict_end_ms : t->silent_ms;

		p[n++] = (struct pollfd){ .fd = talk_over(t) ? -1 : t->fd,
					  .events = talk_events(t) };
		if (!talk_over(t) && end < until_ms && t->stage != TALK_RESULT &&
		    t->stage != TALK_LIST && t->stage != TALK_LIST_RESULT)
			until_ms = end;
	}
	nfds_t probe = n;

	p[n++] = (struct pollfd){ .fd = x->probe.fd, .events = POLLIN };
	poll(p, n, agent_left_ms(until_ms));
	int64_t now = agent_now_ms();

	for (unsigned i = 0; i < n_talks; i++) {
		struct talk *t = &x->talk[i];

		if (talk_over(t))
			continue;
		if (p[i + 2].revents || t->stage == TALK_VERDICT)
			talk_step(a, t, op);
		if (t->stage == TALK_CONNECT && now >= t->silent_ms)
			talk_fail(t, TALK_WHY_CONNECT);
		else if ((t->stage == TALK_RESPONSE || t->stage == TALK_CHALLENGE) &&
			 now >= t->silent_ms)
			talk_fail(t, TALK_WHY_SILENT);
	}
	for (int i = 0; i < 2; i++)
		if (p[i].revents)
			take_callbacks(a, i);
	if (p[probe].revents)
		probe_take(a);
}

static void ask_group(struct agent *a, struct virt_request *q, int64_t end_ms)
{
	struct xvm *x = xvm_of(a);
	int64_t begin = agent_now_ms(), send_at = begin, pause = FIRST_REPEAT_MS,
		settle = INT64_MAX;

	if (pause > x->retrans_ms)
		pause = x->retrans_ms;
	for (;;) {
		int64_t now = agent_now_ms();
		unsigned n = answers(x);

		if (x->n_hosts > 0 ? all_named_answered(x) : n > 0 && !busy(x) && now >= settle)
			return;
		if (now >= end_ms)
			return;
		/* A daemon that is at work is not disturbed; the others are asked again. */
		if (now >= send_at && (x->n_hosts > 0 || (n == 0 && !busy(x)))) {
			net_retry_listen(a);
			unsigned sent = net_send(a, q);

			x->n_sent += sent;
			if (x->n_rounds++ >= PROBE_ROUND && (x->n_hosts > 0 || x->n_talks == 0))
				probe_ask(a);
			agent_debug(a, "request %u to the group from %u addresses", x->n_rounds,
				    sent);
			send_at = now + pause;
			pause = 2 * pause < x->retrans_ms ? 2 * pause : x->retrans_ms;
		}
		int64_t until = end_ms;

		if (send_at > now && send_at < until)
			until = send_at;
		if (settle > now && settle < until)
			until = settle;
		turn(a, q->request, until);
		if (n == 0 && answers(x) > 0)
			settle = agent_now_ms() + grace_ms(x, q->request, agent_now_ms() - begin);
	}
}

static int ask_hosts(struct agent *a, struct virt_request *q, int64_t end_ms)
{
	struct xvm *x = xvm_of(a);
	int last = 0;

	for (unsigned h = 0; h < x->n_hosts; h++) {
		struct talk *t = talk_new(x, x->host[h], (int)h);
		int fd, r = virt_request_encode(t->request, q, x->key, x->key_len);

		if (r < 0)
			return agent_error(a, -r, "the request cannot be signed");
		t->silent_ms = agent_now_ms() + CONNECT_MS;
		x->n_sent++;
		fd = x->way == XVM_TCP ? net_connect(a, x->host[h])
				       : net_connect_vsock(a, x->host[h]);
		if (fd < 0) {
			last = fd;
			talk_fail(t, TALK_WHY_CONNECT);
			continue;
		}
		talk_begin(a, t, fd, false);
		agent_debug(a, "asking %s", t->peer);
	}
	(void)last;
	while (busy(x) && agent_now_ms() < end_ms) {
		turn(a, q->request, end_ms);
		for (unsigned i = 0; i < x->n_talks; i++)
			if (x->talk[i].stage == TALK_RESPONSE && x->talk[i].in_len == 0 &&
			    x->talk[i].silent_ms < agent_now_ms() + CONNECT_MS)
				x->talk[i].silent_ms = agent_now_ms() + SILENT_MS;
	}
	return 0;
}

static void list_missing(struct xvm *x)
{
	for (unsigned h = 0; h < x->n_hosts; h++) {
		size_t n = strlen(x->missing);

		if (host_answered(x, (int)h))
			continue;
		const struct probe_said *said = probe_said(x, x->host[h]);

		snprintf(x->missing + n, sizeof(x->missing) - n, "%s%s%s", n > 0 ? ", " : "",
			 x->host[h],
			 !said                        ? ""
			 : said->verdict == ECHO_SAME ? " (which hears us)"
						      : " (which has another key)");
		x->n_missing++;
	}
}

static const char *way_text(struct agent *a, char *to, size_t len)
{
	const struct xvm *x = xvm_of(a);
	const char *group = agent_get(a, "multicast_address");

	if (x->way == XVM_MULTICAST)
		snprintf(to, len, "%s port %u",
			 group                  ? group
			 : x->family == AF_INET ? VIRT_GROUP_IPV4
						: VIRT_GROUP_IPV6,
			 x->port);
	else
		snprintf(to, len, "port %u", x->port);
	return to;
}

/* Nobody answered: which of the reasons, and the remedy of each. */
static int no_answer(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	const char *key = agent_get(a, "key_file");
	char way[96];
	struct talk *worst = NULL;

	way_text(a, way, sizeof(way));
	for (unsigned i = 0; i < x->n_talks; i++) {
		struct talk *t = &x->talk[i];

		if (!talk_over(t))
			talk_fail(t, t->stage == TALK_CONNECT ? TALK_WHY_CONNECT : TALK_WHY_SILENT);
		if (!worst || t->why > worst->why)
			worst = t;
	}
	switch (worst ? worst->why : TALK_WHY_NONE) {
	case TALK_WHY_KEY:
		return agent_error(
			a, EKEYREJECTED,
			"wrong key: hypervisor %s has another key than %s, or another auth "
			"than %s: make both the same (stockade key verify)",
			worst->peer, key, virt_hash_name(x->auth));
	case TALK_WHY_NO_AUTH:
		return agent_error(
			a, EKEYREJECTED,
			"hypervisor %s answers without proving its key: its auth is none, "
			"ours is %s: make both the same",
			worst->peer, virt_hash_name(x->auth));
	case TALK_WHY_SEAL:
		return agent_error(
			a, EBADMSG,
			"hypervisor %s answered another question than ours: its word is not "
			"taken; ask again",
			worst->peer);
	case TALK_WHY_GARBLED:
		return agent_error(
			a, EBADMSG,
			"what hypervisor %s answers is not understood: is it fence_virtd?",
			worst->peer);
	case TALK_WHY_HUNG_UP:
		return agent_error(
			a, EKEYREJECTED,
			"wrong key: hypervisor %s hung up on us: another key than %s, or hash "
			"%s, auth %s is not what it wants",
			worst->peer, key, virt_hash_name(x->hash), virt_hash_name(x->auth));
	case TALK_WHY_SILENT:
		return agent_error(
			a, ETIMEDOUT,
			"no answer: hypervisor %s is connected and says nothing: it is stuck "
			"(libvirt?), or its auth is not %s",
			worst->peer, virt_hash_name(x->auth));
	case TALK_WHY_CONNECT:
		return agent_error(a, ECONNREFUSED,
				   "no answer: nobody takes a connection at %s %s: is fence_virtd "
				   "running there, and the port open?",
				   worst->peer, way);
	case TALK_WHY_NONE: break;
	}
	if (x->n_rounds > 0 && x->n_sent == 0)
		return agent_error(
			a, ENETUNREACH,
			"no answer: no request could be sent to %s: no %s address, or no route",
			way, x->family == AF_INET ? "IPv4" : "IPv6");
	const struct probe_said *said = probe_said(x, NULL);
	unsigned back = x->listener[0] >= 0 ? x->listener_port[0] : x->listener_port[1];

	if (said && said->verdict == ECHO_SAME)
		return agent_error(
			a, ETIMEDOUT,
			"no answer: hypervisor %s hears us and has our key, and its call-back does not come (%s): is "
			"TCP port %u open here, and hash %s enough for it? (stockade doctor fence)",
			said->peer,
			said->back == ECHO_NO_BACK || said->back == 0 ? "it does not say why"
								      : strerror(said->back),
			back, virt_hash_name(x->hash));
	if (said)
		return agent_error(
			a, EKEYREJECTED,
			"wrong key: hypervisor %s says that it has another key than %s: make both the same "
			"(stockade key verify)",
			said->peer, key);
	return agent_error(
		a, ETIMEDOUT,
		"no answer to %u requests to %s: is fence_virtd running, multicast let "
		"through (firewall, IGMP querier), TCP port %u open here, and the key of both "
		"the same? (stockade doctor fence)",
		x->n_rounds, way, back);
}

int xvm_ask(struct agent *a, enum virt_operation op, const char *domain)
{
	struct xvm *x = xvm_of(a);
	struct virt_request q;
	int64_t end_ms = x->end_ms, least = agent_now_ms() + LAST_MIN_MS;

	xvm_forget(x);
	if (end_ms < least)
		end_ms = least;
	int r = compose(a, &q, op, domain);

	if (r < 0)
		return r;
	switch (x->way) {
	case XVM_MULTICAST: ask_group(a, &q, end_ms); break;
	case XVM_TCP:
	case XVM_VSOCK: r = ask_hosts(a, &q, end_ms); break;
	case XVM_SERIAL:
	case XVM_CHANNEL:
		return line_ask(a, op, domain,
				talk_new(x,
					 agent_get(a, x->way == XVM_SERIAL ? "serial_device"
									   : "channel_address"),
					 -1));
	}
	if (r < 0)
		return r;
	for (unsigned i = 0; i < x->n_talks; i++)
		agent_debug(a, "%s: %s, byte %u%s", x->talk[i].peer,
			    x->talk[i].stage == TALK_DONE ? "answered" : "no answer",
			    x->talk[i].result, x->talk[i].sealed ? ", sealed" : "");
	list_missing(x);
	return answers(x) > 0 ? 0 : no_answer(a);
}
