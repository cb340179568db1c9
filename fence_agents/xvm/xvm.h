/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/xvm/xvm.h - inside of fence_xvm: asks hypervisors about a guest.
 *
 *   main.c  parameters and callbacks of the agent library    ask.c   one question to all hypervisors, their answers
 *   net.c   sockets: multicast and its call-backs, tcp, vsock  talk.c  one hypervisor's conversation
 *   line.c  serial line and virtio channel                   judge.c what the answers mean together
 *   probe.c why nobody calls back: the key, or the way         key.c   the key, if its file may be trusted
 *
 * A question is one signed request with a seqno and random bytes of its own; a talk is one connection about it. Whoever
 * answers in other bytes than ours, in part, or too late has not answered (SAFE-3).
 */
#ifndef STOCKADE_FENCE_AGENTS_XVM_XVM_H
#define STOCKADE_FENCE_AGENTS_XVM_XVM_H

#include "fence_agents/lib/agent.h"
#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"

#include <sys/socket.h>

struct ifaddrs;

#define XVM_TALKS_MAX 64
#define XVM_HOSTS_MAX 16    /* hypervisors named by the caller */
#define XVM_GUESTS_MAX 4096 /* of one list; more is no list */
#define XVM_ADDRESSES_MAX 256
#define XVM_PEER_MAX 72
#define XVM_NONCES_MAX 64

enum xvm_way { XVM_MULTICAST = 0, XVM_TCP, XVM_VSOCK, XVM_SERIAL, XVM_CHANNEL };

enum talk_stage {
	TALK_CONNECT = 0,
	TALK_RESPONSE, /* to our challenge */
	TALK_CHALLENGE,
	TALK_RESULT,
	TALK_VERDICT,
	TALK_LIST,
	TALK_LIST_RESULT,
	TALK_DONE, /* an answer is there */
	TALK_FAILED,
};

enum talk_why { /* TALK_FAILED */
		TALK_WHY_NONE = 0,
		TALK_WHY_CONNECT, /* nobody there */
		TALK_WHY_SILENT,  /* connected, no byte */
		TALK_WHY_HUNG_UP, /* closed before an answer */
		TALK_WHY_KEY,     /* its response to our challenge is wrong */
		TALK_WHY_NO_AUTH, /* it answered without proving anything */
		TALK_WHY_SEAL,    /* a verdict that is not of this talk */
		TALK_WHY_GARBLED,
};

struct talk {
	int fd;
	enum talk_stage stage;
	enum talk_why why;
	char peer[XVM_PEER_MAX];
	int host;          /* index of the named hypervisor, -1: none */
	int64_t silent_ms; /* nothing at all until then: it will not speak */
	uint8_t challenge_1[VIRT_CHALLENGE_BYTES], challenge_2[VIRT_CHALLENGE_BYTES];
	uint8_t request[VIRT_REQUEST_BYTES]; /* that it is about: the one of its own address */
	uint8_t in[VIRT_HOST_BYTES];
	size_t in_len, want;
	int64_t verdict_end_ms;
	uint8_t result;
	bool sealed; /* the verdict is there and its seal is right; without auth: there, and unsealed */
	bool has_verdict;
	struct virt_verdict verdict;
	struct virt_host *guest; /* list; owned */
	unsigned n_guests;
};

/* Echoes to the group, and who said what (probe.c). */
struct probe_said {
	char peer[XVM_PEER_MAX];
	enum echo_verdict verdict;
	uint8_t back; /* errno of its last call-back to us; ECHO_NO_BACK: not known */
};

struct probe {
	int fd; /* -1: nothing was asked */
	unsigned n, n_said;
	uint8_t nonce[XVM_NONCES_MAX][ECHO_NONCE_BYTES];
	struct probe_said said[XVM_HOSTS_MAX];
};

struct xvm {
	enum xvm_way way;
	uint8_t hash, auth;
	uint8_t key[VIRT_KEY_MAX];
	size_t key_len;
	int family; /* AF_INET, AF_INET6 */
	uint16_t port;
	struct sockaddr_storage group;
	socklen_t group_len;
	char host[XVM_HOSTS_MAX][XVM_PEER_MAX]; /* as the caller named them */
	unsigned n_hosts;
	int64_t end_ms; /* of the run */
	int64_t retrans_ms;
	/* multicast */
	int listener[2]; /* on the port of the service, if it was free; on one of our own */
	uint16_t listener_port[2];
	unsigned n_sources; /* local addresses asked from */
	bool many_told;     /* that this host has more addresses than requests go out from */
	bool unsealed; /* an order was answered by a stock daemon: its list says more than its status */
	/* the last question */
	struct talk *talk;
	unsigned n_talks, n_sent, n_rounds;
	uint8_t (*sent[2])
		[VIRT_REQUEST_BYTES]; /* per listener: what went out, one for each local address; owned */
	unsigned n_sent_of[2];
	char missing[160]; /* named hypervisors without an answer, for texts */
	unsigned n_missing;
	struct probe probe;
};

/* key.c: 0 with @ret_len > 0; negative after agent_error(): there is none, or others may have written it. */
int xvm_key_read(struct agent *a, const char *path, uint8_t *key, size_t size, size_t *ret_len);

/* main.c */
struct xvm *xvm_of(struct agent *a);

/* ask.c. Ask @op about @domain ("" for lists); fills x->talk. Return: 0 when at least one hypervisor answered
 * (x->missing names those that were named and did not), else what agent_error() returned.
 */
int xvm_ask(struct agent *a, enum virt_operation op, const char *domain);
void xvm_forget(struct xvm *x); /* the answers */

/* judge.c */
int xvm_status(struct agent *a, const char *plug, enum agent_power *ret);
int xvm_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen);
int xvm_list(struct agent *a);
int xvm_null(struct agent *a, const char *plug);

/* talk.c. Takes @fd over. */
void talk_begin(struct agent *a, struct talk *t, int fd, bool connected);
bool talk_over(const struct talk *t);
short talk_events(const struct talk *t);
void talk_step(struct agent *a, struct talk *t,
	       uint8_t op); /* its descriptor is ready, or verdict_end_ms passed */
void talk_fail(struct talk *t, enum talk_why why);
void talk_end(struct talk *t);

/* net.c */
int net_resolve(struct agent *a); /* group, port, family */
int net_listen(struct agent *a);
void net_retry_listen(struct agent *a); /* the service's own port may be free by now */
void net_close(struct agent *a);
/* One datagram from each local address; x->sent keeps them. Return: how many went out. */
unsigned net_send(struct agent *a, struct virt_request *q);
/* The request that a call-back to @local on @listener is about; NULL: none of ours. */
const uint8_t *net_request_of(struct agent *a, int listener, const uint8_t *local, size_t len);
int net_connect(struct agent *a,
		const char *host); /* tcp: non-blocking; descriptor or -errno with a text */
int net_connect_vsock(struct agent *a, const char *cid);
int net_accept(int listener, char peer[XVM_PEER_MAX], uint8_t local[16], size_t *ret_local_len);
bool net_is_address(const char *text);
bool net_same_host(const char *named, const char *peer);
bool net_usable(const struct ifaddrs *i, int family); /* an address that requests go out from */
void net_peer_text(const struct sockaddr_storage *from, char peer[XVM_PEER_MAX]);

/* probe.c */
void probe_ask(struct agent *a);  /* one echo to the group from each address */
void probe_take(struct agent *a); /* x->probe.fd is ready */
/* What @host says; NULL: anybody. NULL: nothing. */
const struct probe_said *probe_said(const struct xvm *x, const char *host);
void probe_end(struct xvm *x);

/* line.c: the talk of a serial line or channel, whole. */
int line_ask(struct agent *a, enum virt_operation op, const char *domain, struct talk *t);

#endif
