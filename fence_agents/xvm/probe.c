// SPDX-License-Identifier: GPL-3.0-or-later
/* Nobody calls back: is it the key? fence_virtd drops what is signed by another key without a word, as it must; ours answers a
 * signed echo (fence_agents/virt/echo.h), which fences nothing, by unicast to who asks. What it says makes a sentence for a
 * person; no state of a guest comes of it (SAFE-3). The stock daemon is silent here, too.
 */
#include "xvm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define ASKS_AT_ONCE 8 /* addresses asked from */

void probe_end(struct xvm *x)
{
	if (x->probe.fd >= 0)
		close(x->probe.fd);
	memset(&x->probe, 0, sizeof(x->probe));
	x->probe.fd = -1;
}

static void ask_from(struct xvm *x, const struct ifaddrs *i)
{
	const struct echo_key key = { x->key, x->key_len };
	struct probe *p = &x->probe;
	uint8_t *nonce = p->nonce[p->n % XVM_NONCES_MAX], ask[ECHO_BYTES];

	if (x->family == AF_INET6) {
		int index = (int)if_nametoindex(i->ifa_name), hops = VIRT_TTL;

		setsockopt(p->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
		setsockopt(p->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	} else {
		uint8_t ttl = VIRT_TTL;
		const struct in_addr *from = &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr;

		setsockopt(p->fd, IPPROTO_IP, IP_MULTICAST_IF, from, sizeof(*from));
		setsockopt(p->fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	}
	if (getrandom(nonce, ECHO_NONCE_BYTES, 0) != ECHO_NONCE_BYTES ||
	    echo_ask(ask, &key, nonce) < 0)
		return;
	p->n++;
	(void)sendto(p->fd, ask, sizeof(ask), MSG_DONTWAIT, (struct sockaddr *)&x->group,
		     x->group_len); /* it is asked again with the next round */
}

void probe_ask(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	struct ifaddrs *all = NULL;
	unsigned n = 0;

	if (x->key_len == 0)
		return;
	if (x->probe.fd < 0)
		x->probe.fd = socket(x->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->probe.fd < 0 || getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i && n < ASKS_AT_ONCE; i = i->ifa_next)
		if (net_usable(i, x->family)) {
			ask_from(x, i);
			n++;
		}
	freeifaddrs(all);
}

static struct probe_said *said_by(struct probe *p, const char *peer)
{
	for (unsigned i = 0; i < p->n_said; i++)
		if (strcmp(p->said[i].peer, peer) == 0)
			return &p->said[i];
	if (p->n_said == XVM_HOSTS_MAX)
		return NULL;
	memset(&p->said[p->n_said], 0, sizeof(p->said[0]));
	snprintf(p->said[p->n_said].peer, sizeof(p->said[0].peer), "%s", peer);
	return &p->said[p->n_said++];
}

void probe_take(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	const struct echo_key key = { x->key, x->key_len };
	struct probe *p = &x->probe;
	struct sockaddr_storage from;
	uint8_t in[2 * ECHO_BYTES];
	char peer[XVM_PEER_MAX];

	for (unsigned i = 0; i < XVM_HOSTS_MAX; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(p->fd, in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &len);
		struct echo_answer answer;

		if (n < 0)
			return;
		enum echo_verdict v = echo_judge(
			in, (size_t)n, &key, (const uint8_t(*)[ECHO_NONCE_BYTES])p->nonce,
			p->n < XVM_NONCES_MAX ? p->n : XVM_NONCES_MAX, &answer);

		if (v != ECHO_SAME && v != ECHO_OTHER && v != ECHO_KEYLESS && v != ECHO_UNPROVEN)
			continue;
		net_peer_text(&from, peer);
		struct probe_said *s = said_by(p, peer);

		if (s && s->verdict != ECHO_SAME) { /* one proof outweighs what anybody may say */
			s->verdict = v;
			s->back = v == ECHO_SAME && answer.view.there ? answer.view.back
								      : ECHO_NO_BACK;
		}
		agent_debug(a, "%s: %s", peer,
			    v == ECHO_SAME ? "it proves that it has our key"
					   : "it has another key, or says so");
	}
}

const struct probe_said *probe_said(const struct xvm *x, const char *host)
{
	const struct probe_said *best = NULL;

	for (unsigned i = 0; i < x->probe.n_said; i++) {
		const struct probe_said *s = &x->probe.said[i];

		if (host && !net_same_host(host, s->peer))
			continue;
		if (!best || s->verdict == ECHO_SAME)
			best = s;
	}
	return best;
}
